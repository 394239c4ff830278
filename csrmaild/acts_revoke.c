#include "csrmaild/acts_revoke_private.h"

#include "common/ca.h"
#include "common/crash.h"
#include "common/err.h"
#include "common/key.h"
#include "common/log.h"
#include "common/owned.h"
#include "csrmaild/name_pattern.h"
#include "csrmaild/outbox.h"
#include "csrmaild/publish.h"
#include "csrmaild/registry.h"
#include "csrmaild/reply.h"
#include "csrmaild/smime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- which ones ----------------------------------------------------------- */

void
acts_batch_free(struct batch *batch)
{
	free(batch->items);
}

/* Has the CA a certificate with that serial, of any of its issuer's keys? */
static bool
has_certificate(const struct authority *ca, const struct cert_row *row)
{
	char issuer[CA_NAME_MAX + 1];
	struct serial serial;
	struct err ignored;

	ca_family(ca->parent, issuer, sizeof(issuer));
	if (!ca_is_of_family(row->ca, issuer))
		return false;
	for (size_t i = 0; i < ca->n_certs; i++)
		if (serial_from_asn1(X509_get0_serialNumber(ca->certs[i]),
		    &serial, &ignored) == 0 &&
		    serial_equal(&serial, &row->serial))
			return true;
	return false;
}

bool
registrar_is_of_ca(const struct registrar *r, const struct cert_row *row)
{
	/* As the ceremony recorded it, each of all that its key has; a profile
	 * of that name is for requests. */
	if (row->request == 0 && strcmp(row->profile, "ca") == 0)
		return true;
	/* One that was taken over, before its CA was. */
	for (size_t i = 0; i < r->authorities.n; i++)
		if (has_certificate(&r->authorities.rows[i], row))
			return true;
	return false;
}

bool
acts_batch_wants(const struct batch *batch, const struct cert_row *row)
{
	if (row->state == CERT_REVOKED &&
	    (row->reason != CRL_CERTIFICATE_HOLD ||
	    batch->reason == CRL_CERTIFICATE_HOLD))
		return false;
	if (batch->match != NULL && !name_pattern_matches(
	    batch->match, row->names_text))
		return false;
	return batch->cas_too || !registrar_is_of_ca(batch->registrar, row);
}

int
acts_batch_add(const struct cert_row *row, void *arg)
{
	struct batch *batch = arg;
	struct target *to;

	batch->last = row->id;
	batch->n_seen++;
	if (!acts_batch_wants(batch, row))
		return 0;
	if (batch->n == batch->size) {
		size_t size = batch->size == 0 ? ACTS_BATCH : 2 * batch->size;
		struct target *items = size > 2 * ACTS_MAX_BATCH ? NULL :
		    reallocarray(batch->items, size, sizeof(*items));

		if (items == NULL) {
			batch->full = true;
			return 1;
		}
		batch->items = items;
		batch->size = size;
	}
	to = &batch->items[batch->n++];
	*to = (struct target){ .ca_id = row->ca_id, .request = row->request,
		.serial = row->serial, .has_mail = row->reply_to[0] != '\0',
		.has_key = row->spki_sha256 != NULL };
	snprintf(to->names, sizeof(to->names), "%s", row->names_text);
	if (to->has_key)
		memcpy(to->spki_sha256, row->spki_sha256, 32);
	return 0;
}

/* All with one of the keys of the first `n`, whoever signed them. */
static int
add_siblings(struct batch *batch, size_t n, struct err *err)
{
	static const enum cert_state states[] = { CERT_ISSUED, CERT_REVOKED };
	const char *match = batch->match;

	batch->match = NULL;
	batch->cas_too = true;
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < 2 && batch->items[i].has_key; j++) {
			/* The array may move while rows are added. */
			uint8_t key[32];
			struct cert_filter filter = { .state = states[j],
				.spki_sha256 = key, .limit = ACTS_MAX_BATCH };

			memcpy(key, batch->items[i].spki_sha256, 32);
			if (store_each_certificate(batch->registrar->store,
			    &filter, acts_batch_add, batch, err) == -1)
				return -1;
		}
	batch->match = match;
	return batch->full ? err_set(err, ERR_REJECT,
	    "too many certificates have this key") : 0;
}

/* --- one transaction ------------------------------------------------------ */

struct notice {
	struct registrar *registrar;
	const struct reply_revocation *m;
	const char	*answered;
	struct err	*err;
	int		 result;
};

static int
write_notice(const struct request_row *row, void *arg)
{
	struct notice *notice = arg;
	struct registrar *r = notice->registrar;
	const struct mailbox_settings *mailbox =
	    settings_mailbox(r->settings, row->mailbox);
	struct reply_head head;
	OWNED_BUF(mail, WIRE_MAX_REPLY);

	if (mailbox == NULL ||
	    !outbox_reaches(mailbox, row->reply_to, row->file) ||
	    (notice->answered != NULL &&
	    smime_same_mailbox(notice->answered, row->reply_to)))
		return 0;
	notice->result = -1;
	if (outbox_new_head(r, mailbox, row->language, &head,
	    notice->err) == -1)
		return 0;
	head.to = row->reply_to;
	head.file = row->file;
	head.in_reply_to = row->message_id;
	head.references = row->references;
	head.subject = row->subject;
	if (reply_compose_revocation(&head, notice->m, &mail,
	    notice->err) == 0)
		notice->result = outbox_add(r, mailbox, &head,
		    buf_bytes(&mail), row->submission, row->id, false,
		    notice->err);
	return 0;
}

/* By mail to the one who asked for it, if it came by mail. */
static int
tell_owner(struct registrar *r, const struct target *t,
    const struct revoking *how, struct err *err)
{
	enum crl_reason reason = how->reason;
	char hex[SERIAL_HEX_SIZE];
	struct reply_revocation m = { .what = REPLY_REVOKED, .serial = hex,
		.names_text = t->names, .reason = crl_reason_name(reason),
		.request = t->request };
	struct notice notice = { r, &m, how->answered, err, 0 };

	if (!t->has_mail || t->request == 0)
		return 0;
	serial_to_hex(&t->serial, hex);
	if (reason == CRL_CERTIFICATE_HOLD) {
		m.what = REPLY_ON_HOLD;
	} else if (reason == CRL_REMOVE_FROM_CRL) {
		m.what = REPLY_GOOD_AGAIN;
		m.reason = "";
	}
	if (store_find_request(r->store, t->request, write_notice, &notice,
	    err) == -1)
		return -1;
	return notice.result;
}

static int
write_audit(struct registrar *r, const struct target *t, const char *event,
    const struct revoking *how, struct err *err)
{
	char hex[SERIAL_HEX_SIZE], object[64];

	serial_to_hex(&t->serial, hex);
	snprintf(object, sizeof(object), "cert:%s", hex);
	return store_audit(r->store, how->now, event, how->who, object,
	    how->reason == CRL_REMOVE_FROM_CRL ? "" :
	    crl_reason_name(how->reason), err);
}

static bool
is_key_lost(const struct revoking *how)
{
	return how->reason == CRL_KEY_COMPROMISE || how->key_is_lost;
}

/* What is not in force (any more) is passed over. */
static int
revoke_one(struct registrar *r, struct target *t, const struct revoking *how,
    struct err *err)
{
	int changed = store_revoke(r->store, t->ca_id, &t->serial, how->now,
	    how->reason, how->invalidity, err);
	char why[64];

	if (changed != 0)
		return changed == 1 ? 0 : -1;
	if (t->has_key && is_key_lost(how)) {
		snprintf(why, sizeof(why), "revoked with %s",
		    crl_reason_name(how->reason));
		if (store_block_key(r->store, t->spki_sha256,
		    KEY_COMPROMISED, why, how->now, err) == -1)
			return -1;
		t->blocked = true;
	}
	if (store_find_status(r->store, t->ca_id, &t->serial, &t->status,
	    err) != 0 ||
	    write_audit(r, t, "cert.revoked", how, err) == -1 ||
	    tell_owner(r, t, how, err) == -1)
		return -1;
	t->done = true;
	return 0;
}

/* After the commit: CRLs, the signer's journal, CAs that end with it. */
static void
note_change(struct registrar *r, const struct target *t)
{
	struct authority *ca = authority_by_id(&r->authorities, t->ca_id);
	struct wire_revoked m = { .entry = { .serial = t->serial,
		.revoked_at = t->status.revoked_at,
		.reason = t->status.reason,
		.invalidity = t->status.invalidity } };
	struct err later;

	if (ca == NULL)
		return;
	publish_note_change(ca, t->status.shard);
	/* For a restore of an old backup; the store has it in any case. */
	snprintf(m.ca, sizeof(m.ca), "%s", ca->name);
	if (ca->settings != NULL &&
	    wire_send_revoked(r->signer, &m, &later) == -1)
		log_warn("journal.behind", STR("ca", ca->name),
		    STR("why", later.text));
}

void
acts_revoke_note(struct registrar *r, const struct target *items, size_t n)
{
	struct err later;

	for (size_t i = 0; i < n; i++)
		if (items[i].done) {
			note_change(r, &items[i]);
			if (items[i].blocked)
				registrar_tell_blocked(r,
				    items[i].spki_sha256, r->now);
		}
	if (authorities_note_revoked(&r->authorities, r->store, &later) == -1)
		log_warn("authority.unread", STR("why", later.text));
}

int
acts_revoke_inside(struct registrar *r, struct batch *batch,
    const struct revoking *how, struct err *err)
{
	if (is_key_lost(how) && add_siblings(batch, batch->n, err) == -1)
		return -1;
	for (size_t i = 0; i < batch->n; i++)
		if (revoke_one(r, &batch->items[i], how, err) == -1)
			return -1;
	return how->also != NULL && batch->items[0].done ?
	    how->also(r, how->arg, err) : 0;
}

int
acts_revoke_batch(struct registrar *r, struct batch *batch,
    const struct revoking *how, unsigned int *n, struct err *err)
{
	int result;

	if (batch->n == 0)
		return 0;
	if (store_begin(r->store, err) == -1)
		return -1;
	result = acts_revoke_inside(r, batch, how, err);
	if (result == 0)
		result = store_commit(r->store, err);
	if (result == -1) {
		store_rollback(r->store);
		return -1;
	}
	crash_point("registrar.after-revoke");
	for (size_t i = 0; i < batch->n; i++)
		if (batch->items[i].done)
			++*n;
	acts_revoke_note(r, batch->items, batch->n);
	return 0;
}

/* --- one certificate ------------------------------------------------------ */

int
registrar_revoke(struct registrar *r, int64_t ca_id,
    const struct serial *serial, enum crl_reason reason, time_t invalidity,
    const char *who, time_t now, struct err *err)
{
	return registrar_revoke_and(r, ca_id, serial, reason, invalidity, who,
	    now, NULL, NULL, NULL, err);
}

int
registrar_revoke_and(struct registrar *r, int64_t ca_id,
    const struct serial *serial, enum crl_reason reason, time_t invalidity,
    const char *who, time_t now, int (*also)(struct registrar *, void *,
    struct err *), void *arg, const char *answered, struct err *err)
{
	const struct revoking how = { reason, invalidity, who, now,
		crl_reason_is_compromise(reason), also, arg, answered };
	__attribute__((cleanup(acts_batch_free))) struct batch batch = {
		.registrar = r, .reason = reason, .cas_too = true };
	char hex[SERIAL_HEX_SIZE];
	unsigned int n = 0;

	if (authority_by_id(&r->authorities, ca_id) == NULL)
		return err_set(err, ERR_REJECT, "there is no such CA");
	if (store_find_certificate(r->store, ca_id, serial, acts_batch_add,
	    &batch, err) == -1)
		return -1;
	serial_to_hex(serial, hex);
	if (batch.n > 0 && acts_revoke_batch(r, &batch, &how, &n, err) == -1)
		return -1;
	if (batch.n == 0 || !batch.items[0].done)
		return err_set(err, ERR_REJECT,
		    "certificate %s is not in force: it cannot be revoked",
		    hex);
	return 0;
}

static int
release(struct registrar *r, struct target *t, const struct revoking *how,
    struct err *err)
{
	char hex[SERIAL_HEX_SIZE];
	int changed = store_release_hold(r->store, t->ca_id, &t->serial, how->now,
	    err);

	serial_to_hex(&t->serial, hex);
	if (changed == 1)
		return err_set(err, ERR_REJECT, "certificate %s is not on "
		    "hold: nothing can be lifted", hex);
	if (changed == -1 || store_find_status(r->store, t->ca_id, &t->serial,
	    &t->status, err) != 0)
		return -1;
	/* As the journal has it: RFC 5280, 5.3.1. */
	t->status.revoked_at = how->now;
	t->status.reason = CRL_REMOVE_FROM_CRL;
	t->done = true;
	return write_audit(r, t, "cert.released", how, err) == -1 ? -1 :
	    tell_owner(r, t, how, err);
}

int
registrar_release(struct registrar *r, int64_t ca_id,
    const struct serial *serial, const char *who, time_t now, struct err *err)
{
	const struct revoking how = { .reason = CRL_REMOVE_FROM_CRL,
		.who = who, .now = now };
	/* The reason is none that a row on hold would be passed over for. */
	__attribute__((cleanup(acts_batch_free))) struct batch batch = {
		.registrar = r, .reason = CRL_REMOVE_FROM_CRL,
		.cas_too = true };
	int result;

	if (store_find_certificate(r->store, ca_id, serial, acts_batch_add,
	    &batch, err) == -1)
		return -1;
	if (batch.n == 0)
		return err_set(err, ERR_REJECT, "it is not on hold");
	if (store_begin(r->store, err) == -1)
		return -1;
	result = release(r, &batch.items[0], &how, err);
	if (result == 0)
		result = store_commit(r->store, err);
	if (result == -1) {
		store_rollback(r->store);
		return -1;
	}
	acts_revoke_note(r, batch.items, 1);
	return 0;
}
