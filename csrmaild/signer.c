#include "csrmaild/signer.h"
#include "common/crash.h"
#include "common/err.h"
#include "common/log.h"
#include "csrmaild/journal.h"
#include "csrmaild/settings.h"
#include "csrmaild/wire.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_WAITING	256	/* answers that share one fsync */

/* One order, carried out; told when the journal is on disk. */
struct waiting {
	struct signer_ca	*ca;	/* NULL when refused */
	struct bytes		 der;	/* owned */
	struct wire_refused	 refused;	/* names CA and serial always */
};

struct signer_desk {
	struct signer		*signer;
	struct channel		*registrar;	/* borrowed */
	struct waiting		 waiting[MAX_WAITING];
	size_t			 n_waiting;
	/* The one CRL in the making; writer NULL when it already failed. */
	bool			 crl_open;
	struct wire_crl_open	 crl;
	struct signer_ca	*crl_ca;
	struct signer_addresses	 crl_addresses;	/* the terms borrow them */
	struct crl_writer	*crl_writer;
	int			 crl_fd;
	struct err		 crl_err;	/* why it failed */
};

int
signer_desk_new(struct signer *signer, struct channel *registrar,
    struct signer_desk **out, struct err *err)
{
	struct signer_desk *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return err_errno(err, ERR_RETRY, "starting the signer");
	d->signer = signer;
	d->registrar = registrar;
	d->crl_fd = -1;
	*out = d;
	return 0;
}

static void
crl_forget(struct signer_desk *d)
{
	crl_free(d->crl_writer);
	d->crl_writer = NULL;
	if (d->crl_fd >= 0)
		close(d->crl_fd);
	d->crl_fd = -1;
	d->crl_open = false;
}

void
signer_desk_free(struct signer_desk *d)
{
	if (d == NULL)
		return;
	crl_forget(d);
	for (size_t i = 0; i < d->n_waiting; i++)
		free((void *)(uintptr_t)d->waiting[i].der.data);
	free(d);
}

bool
signer_desk_is_idle(const struct signer_desk *d)
{
	return !d->crl_open;
}

static void
refuse(struct wire_refused *refused, const struct err *why)
{
	refused->kind = (uint8_t)why->kind;
	snprintf(refused->text, sizeof(refused->text), "%s", why->text);
	log_warn("signer.refused", STR("ca", refused->ca),
	    STR("why", why->text), STR("detail", why->detail));
}

/* --- certificates ------------------------------------------------------- */
static int
answer_issue(struct signer_desk *d, struct frame *frame, struct err *err)
{
	struct waiting *w = &d->waiting[d->n_waiting];
	struct order order;
	struct err why;

	if (order_decode(frame->payload, &order, err) < 0)
		return -1;	/* the registrar does not write such orders */
	*w = (struct waiting){ .refused.serial = order.serial };
	snprintf(w->refused.ca, sizeof(w->refused.ca), "%s", order.ca);
	if (signer_issue(d->signer, &order, frame->payload, &w->der,
	    &why) == 0)
		w->ca = signer_find_ca(d->signer, order.ca, &why);
	else
		refuse(&w->refused, &why);
	order_free_contents(&order);
	d->n_waiting++;
	return 0;
}

static int
tell(struct signer_desk *d, const struct waiting *w, struct err *err)
{
	struct wire_issued issued = { .serial = w->refused.serial,
		.der = w->der };

	if (w->ca == NULL)
		return wire_send_refused(d->registrar, &w->refused, err);
	snprintf(issued.ca, sizeof(issued.ca), "%s", w->ca->name);
	return wire_send_issued(d->registrar, &issued, err);
}

static int
sync_journal(struct signer_desk *d, struct signer_ca *ca, struct err *err)
{
	struct err why;

	if (ca->journal == NULL || !journal_is_dirty(ca->journal) ||
	    journal_sync(ca->journal, &why) == 0)
		return 0;
	if (why.kind != ERR_RETRY) {
		*err = why;
		return -1;
	}
	/* The disk is full: as if nothing had been signed. */
	for (size_t i = 0; i < d->n_waiting; i++) {
		if (d->waiting[i].ca == ca) {
			d->waiting[i].ca = NULL;
			refuse(&d->waiting[i].refused, &why);
		}
	}
	return 0;
}

/* All journals to disk, then everybody is told. */
static int
settle(struct signer_desk *d, struct err *err)
{
	size_t n = d->n_waiting;
	int r = 0;

	if (n > 0)
		crash_point("signer.before-journal");
	for (size_t i = 0; i < d->signer->n_cas; i++) {
		if (sync_journal(d, &d->signer->cas[i], err) < 0)
			return -1;
	}
	if (n > 0)
		crash_point("signer.after-journal");
	for (size_t i = 0; i < n; i++) {
		if (r == 0)
			r = tell(d, &d->waiting[i], err);
		free((void *)(uintptr_t)d->waiting[i].der.data);
	}
	d->n_waiting = 0;
	return r;
}

/* --- revocations and CRLs ------------------------------------------------- */
static int
answer_revoked(struct signer_desk *d, struct frame *frame, struct err *err)
{
	struct wire_revoked m;
	struct signer_ca *ca;
	struct err why = { .text = "its journal is not open" };

	if (wire_get_revoked(frame, &m, err) < 0)
		return -1;
	ca = signer_ca_by_name(d->signer, m.ca);
	if (ca == NULL || ca->journal == NULL ||
	    journal_append_revoked(ca->journal, &m.entry, &why) < 0)
		log_error("signer.revocation-not-in-journal",
		    STR("ca", m.ca), STR("why", why.text),
		    STR("detail", why.detail));
	if (ca != NULL)
		signer_note_revoked(d->signer, ca, &m.entry);
	return 0;
}

static int
answer_blocked(struct signer_desk *d, struct frame *frame, struct err *err)
{
	struct journal_blocked key = { 0 };
	struct wire_blocked m;

	if (wire_get_blocked(frame, &m, err) < 0)
		return -1;
	memcpy(key.spki_sha256, m.spki_sha256, sizeof(key.spki_sha256));
	key.at = m.at;
	signer_note_blocked(d->signer, &key);
	return 0;
}

/* A file without a name where the journals are, so that the entries of a
 * large CRL take no memory; where that cannot be, memory does. */
static void
use_disk(struct signer_desk *d)
{
	int fd = openat(d->signer->journal_fd, ".",
	    O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0)
		crl_use_scratch(d->crl_writer, fd);
}

static int
answer_crl_open(struct signer_desk *d, struct frame *frame, struct err *err)
{
	if (d->crl_open)
		return err_set(err, ERR_FAULT, "a CRL within a CRL");
	if (wire_get_crl_open(frame, &d->crl, err) < 0)
		return -1;
	d->crl_fd = frame->fd;
	frame->fd = -1;
	d->crl_open = true;
	d->crl_ca = signer_find_ca(d->signer, d->crl.ca, &d->crl_err);
	if (d->crl_ca != NULL && signer_crl_addresses(d->signer, d->crl_ca,
	    &d->crl.terms, &d->crl_addresses, &d->crl_err) == 0 && crl_open(&d->crl_ca->issuer, &d->crl.terms,
	    &d->crl_writer, &d->crl_err) == 0)
		use_disk(d);
	return 0;
}

static int
answer_crl_entries(struct signer_desk *d, struct frame *frame,
    struct err *err)
{
	struct crl_entry entries[WIRE_MAX_CRL_ENTRIES];
	size_t n;

	if (wire_get_crl_entries(frame, entries, &n, err) < 0)
		return -1;
	if (!d->crl_open)
		return err_set(err, ERR_FAULT, "entries without a CRL");
	if (d->crl_writer != NULL &&
	    crl_add(d->crl_writer, entries, n, &d->crl_err) < 0) {
		crl_free(d->crl_writer);
		d->crl_writer = NULL;
	}
	return 0;
}

/* The number is spent before the list exists (RFC 5280, 5.2.3). */
static int
finish_crl(struct signer_desk *d, struct err *err)
{
	struct journal *journal = d->crl_ca->journal;

	if (journal_append_crl(journal, &d->crl.terms, err) < 0 ||
	    journal_sync(journal, err) < 0)
		return -1;
	return crl_close(d->crl_writer, d->crl_fd, err);
}

static int
answer_crl_close(struct signer_desk *d, struct frame *frame, struct err *err)
{
	struct wire_crl_done done = { .number = d->crl.terms.number };
	struct wire_refused refused = { 0 };
	bool made;

	if (frame->payload.len != 0 || !d->crl_open)
		return err_set(err, ERR_FAULT, "the end of no CRL");
	/* What else waits for the journal is synced and told first. */
	if (settle(d, err) < 0)
		return -1;
	made = d->crl_writer != NULL && finish_crl(d, &d->crl_err) == 0;
	crl_forget(d);
	if (!made && d->crl_ca != NULL)
		signer_check_token(d->signer, d->crl_ca, &d->crl_err);
	if (made) {
		snprintf(done.ca, sizeof(done.ca), "%s", d->crl.ca);
		return wire_send_crl_done(d->registrar, &done, err);
	}
	snprintf(refused.ca, sizeof(refused.ca), "%s", d->crl.ca);
	refuse(&refused, &d->crl_err);
	return wire_send_refused(d->registrar, &refused, err);
}

/* --- the table --------------------------------------------------------------- */
/*
 * All that the registrar can ask of the CA keys. There is no "sign these
 * octets": each verb names a document that we build ourselves, from parts
 * that we check again.
 */
static const struct verb {
	enum wire_type	 type;
	size_t		 max_len;	/* payload octets; more, and we exit */
	int		(*answer)(struct signer_desk *, struct frame *,
			    struct err *);
} verbs[] = {
	{ WIRE_ISSUE,		WIRE_MAX_ISSUE,	answer_issue },
	{ WIRE_REVOKED,		1024,		answer_revoked },
	{ WIRE_BLOCKED,		40,		answer_blocked },
	{ WIRE_CRL_OPEN,	1024,		answer_crl_open },
	{ WIRE_CRL_ENTRIES,	64 * 1024,	answer_crl_entries },
	{ WIRE_CRL_CLOSE,	0,		answer_crl_close },
};
#define N_VERBS	(sizeof(verbs) / sizeof(verbs[0]))

static int
dispatch(struct signer_desk *d, struct frame *frame, struct err *err)
{
	for (size_t i = 0; i < N_VERBS; i++) {
		if (frame->type != verbs[i].type)
			continue;
		if (frame->payload.len > verbs[i].max_len)
			break;
		return verbs[i].answer(d, frame, err);
	}
	return err_set(err, ERR_FAULT,
	    "the registrar sent a frame of type %u with %zu octets",
	    (unsigned int)frame->type, frame->payload.len);
}

int
signer_desk_serve(struct signer_desk *d, struct err *err)
{
	struct frame frame;
	int r;

	if (channel_read(d->registrar, err) < 0)
		return -1;
	while ((r = channel_next(d->registrar, &frame, err)) > 0) {
		r = dispatch(d, &frame, err);
		if (frame.fd >= 0)
			close(frame.fd);
		if (r < 0 || (d->n_waiting == MAX_WAITING &&
		    settle(d, err) < 0))
			return -1;
	}
	return r < 0 ? -1 : settle(d, err);
}
