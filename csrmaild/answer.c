#include "csrmaild/answer.h"

#include "common/ca.h"
#include "common/err.h"
#include "common/store.h"
#include "csrmaild/outbox.h"
#include "csrmaild/registry.h"
#include "csrmaild/reply.h"

#include <stdio.h>
#include <stdlib.h>

/* One reply in the making: the requests it tells of, copied from the store. */
struct answer {
	struct registrar *registrar;
	int64_t		 submission;
	char		 mailbox[64], to[MAILBOX_MAX + 1], message_id[256],
			 references[1000], subject[201], language[16],
			 file[WIRE_MAX_FILE + 1];
	struct reply_item items[WIRE_MAX_CANDIDATES];
	struct told {
		char	names[512], reason[256], ignored[256];
		struct serial serial;
		int64_t	ca_id;		/* of the generation that issued */
		uint16_t shard;
		X509	*cert;		/* owned */
		X509	*chain[CHAIN_MAX];	/* borrowed */
		char	ocsp_url[512], crl_url[512];
		char	renews[SERIAL_HEX_SIZE];
	}		 told[WIRE_MAX_CANDIDATES];
	size_t		 n;
	struct reply_wish wishes[WIRE_MAX_WISHES];
	struct told_wish {
		char	serial[SERIAL_HEX_SIZE], names[512], why[256];
	}		 told_wishes[WIRE_MAX_WISHES];
	size_t		 n_wishes;
	bool		 waits;		/* for the signer */
	bool		 has_certificate;
};

static void
answer_free(struct answer *a)
{
	if (a == NULL)
		return;
	for (size_t i = 0; i < a->n; i++)
		X509_free(a->told[i].cert);
	free(a);
}
OWNED_STRUCT_BY(answer, answer_free)

static void
copy(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%s", from == NULL ? "" : from);
}

static int
add_request(const struct request_row *row, void *arg)
{
	struct answer *a = arg;
	struct reply_item *item = &a->items[a->n];
	struct told *told = &a->told[a->n];

	if (a->n == WIRE_MAX_CANDIDATES)
		return 0;
	a->submission = row->submission;
	copy(a->to, sizeof(a->to), row->no_mail ? "" : row->reply_to);
	copy(a->mailbox, sizeof(a->mailbox), row->mailbox);
	copy(a->message_id, sizeof(a->message_id), row->message_id);
	copy(a->references, sizeof(a->references), row->references);
	copy(a->subject, sizeof(a->subject), row->subject);
	copy(a->language, sizeof(a->language), row->language);
	copy(a->file, sizeof(a->file), row->no_mail ? "" : row->file);
	copy(told->names, sizeof(told->names), row->names_text);
	copy(told->reason, sizeof(told->reason), row->reason);
	copy(told->ignored, sizeof(told->ignored), row->ignored);
	told->serial = row->serial;
	told->ca_id = row->issuer;
	item->request = row->id;
	item->names_text = told->names;
	item->reason = told->reason;
	item->ignored = told->ignored;
	switch (row->state) {
	case REQUEST_ISSUED:
		item->fate = REPLY_ISSUED;
		break;
	case REQUEST_HELD:
		item->fate = REPLY_HELD;
		break;
	case REQUEST_REJECTED:
	case REQUEST_LAPSED:
	case REQUEST_WITHDRAWN:
		item->fate = REPLY_REJECTED;
		break;
	case REQUEST_RECEIVED:
	case REQUEST_APPROVED:
		a->waits = true;
		return 0;
	}
	a->n++;
	return 0;
}

static int
add_revocation(const struct revocation_row *row, void *arg)
{
	struct answer *a = arg;
	struct reply_wish *wish = &a->wishes[a->n_wishes];
	struct told_wish *told = &a->told_wishes[a->n_wishes];

	if (a->n_wishes == WIRE_MAX_WISHES)
		return 0;
	a->n_wishes++;
	a->submission = row->submission;
	copy(a->to, sizeof(a->to), row->reply_to);
	copy(a->mailbox, sizeof(a->mailbox), row->mailbox);
	copy(a->message_id, sizeof(a->message_id), row->message_id);
	copy(a->references, sizeof(a->references), row->references);
	copy(a->subject, sizeof(a->subject), row->subject);
	copy(a->language, sizeof(a->language), row->language);
	copy(a->file, sizeof(a->file), row->file);
	/* Found or not, as it was asked; else the signer's. */
	copy(told->serial, sizeof(told->serial), row->serial_text);
	if (row->serial.len > 0)
		serial_to_hex(&row->serial, told->serial);
	copy(told->names, sizeof(told->names), row->names_text);
	copy(told->why, sizeof(told->why), row->why);
	*wish = (struct reply_wish){ .number = row->id,
		.serial = told->serial, .names_text = told->names,
		.reason = row->reason == CRL_UNSPECIFIED ? "" :
		    crl_reason_name(row->reason), .why = told->why };
	switch (row->state) {
	case REVOCATION_HELD:
		wish->fate = REPLY_WISH_HELD;
		break;
	case REVOCATION_REJECTED:
		wish->fate = REPLY_WISH_REJECTED;
		break;
	case REVOCATION_REVOKED:
		wish->fate = REPLY_WISH_DONE;
		break;
	}
	return 0;
}

static int
keep_certificate(const struct cert_row *row, void *arg)
{
	const uint8_t *at = row->der.data;
	struct told *told = arg;

	if (told->cert == NULL)
		told->cert = d2i_X509(NULL, &at, (long)row->der.len);
	told->shard = row->shard;
	if (row->renews.len > 0)
		serial_to_hex(&row->renews, told->renews);
	return 0;
}

/* The chain and the addresses of the key that issued it, which need not be
 * the one that the CA signs with now. */
static int
add_issuer(struct answer *a, struct told *told, struct reply_item *item,
    struct err *err)
{
	struct registrar *r = a->registrar;
	struct authority *ca = authority_by_id(&r->authorities, told->ca_id);
	char shard[8] = "";

	item->ocsp_url = told->ocsp_url;
	item->crl_url = told->crl_url;
	if (ca == NULL)
		return 0;
	item->chain = told->chain;
	item->n_chain = authority_chain(&r->authorities, ca, r->now,
	    told->chain);
	if (ca->settings == NULL)
		return 0;
	if (told->shard != 0)
		snprintf(shard, sizeof(shard), "%u", told->shard);
	if (ca_expand_url(ca->settings->ocsp_url, ca->name, "",
	    told->ocsp_url, sizeof(told->ocsp_url)) == -1 ||
	    ca_expand_url(ca->settings->crl_url, ca->name, shard,
	    told->crl_url, sizeof(told->crl_url)) == -1)
		return err_set(err, ERR_FAULT,
		    "an address of %s is too long", ca->name);
	return 0;
}

static int
add_certificates(struct answer *a, struct err *err)
{
	for (size_t i = 0; i < a->n; i++) {
		struct told *told = &a->told[i];

		if (a->items[i].fate != REPLY_ISSUED)
			continue;
		if (store_find_certificate(a->registrar->store, told->ca_id,
		    &told->serial, keep_certificate, told, err) == -1)
			return -1;
		if (told->cert == NULL)
			return err_set(err, ERR_FAULT,
			    "an issued request without its certificate");
		a->items[i].cert = told->cert;
		a->items[i].renews = told->renews;
		if (add_issuer(a, told, &a->items[i], err) == -1)
			return -1;
		a->has_certificate = true;
	}
	return 0;
}

static int
send_answer(struct answer *a, int64_t request, struct err *err)
{
	struct registrar *r = a->registrar;
	const struct mailbox_settings *mailbox =
	    settings_mailbox(r->settings, a->mailbox);
	struct reply_head head;
	OWNED_BUF(mail, WIRE_MAX_REPLY);

	/* Nobody to answer; or the mailbox left the configuration, and with
	 * it the address that the reply would come from. */
	if (a->waits || a->n + a->n_wishes == 0 || mailbox == NULL ||
	    !outbox_reaches(mailbox, a->to, a->file))
		return 0;
	if (add_certificates(a, err) == -1 ||
	    outbox_new_head(r, mailbox, a->language, &head, err) == -1)
		return -1;
	head.to = a->to;
	head.file = a->file;
	head.in_reply_to = a->message_id;
	head.references = a->references;
	head.subject = a->subject;
	if (reply_compose(&head, a->items, a->n, a->wishes, a->n_wishes,
	    &mail, err) == -1)
		return -1;
	return outbox_add(r, mailbox, &head, buf_bytes(&mail), a->submission,
	    request, a->has_certificate, err);
}

int
submission_answer(struct registrar *r, int64_t submission, struct err *err)
{
	OWNED_STRUCT(answer) *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return err_set(err, ERR_RETRY, "out of memory");
	a->registrar = r;
	if (store_each_revocation_of(r->store, submission, add_revocation, a,
	    err) == -1 || store_each_of_submission(r->store, submission,
	    add_request, a, err) == -1)
		return -1;
	return send_answer(a, 0, err);
}

int
submission_answer_one(struct registrar *r, int64_t request, struct err *err)
{
	OWNED_STRUCT(answer) *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return err_set(err, ERR_RETRY, "out of memory");
	a->registrar = r;
	if (store_find_request(r->store, request, add_request, a, err) == -1)
		return -1;
	return send_answer(a, request, err);
}

int
submission_answer_revocation(struct registrar *r, int64_t revocation,
    struct err *err)
{
	OWNED_STRUCT(answer) *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return err_set(err, ERR_RETRY, "out of memory");
	a->registrar = r;
	if (store_find_revocation(r->store, revocation, add_revocation, a,
	    err) == -1)
		return -1;
	return send_answer(a, 0, err);
}
