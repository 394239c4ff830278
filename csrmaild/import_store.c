#include "csrmaild/import.h"
#include "common/err.h"
#include "common/store.h"

#include <string.h>

#define BATCH		10000

/* --- batches ------------------------------------------------------------- */

static int
step(struct import_writer *w, struct err *err)
{
	if (w->waiting == 0 && store_begin(w->store, err) < 0)
		return -1;
	if (++w->waiting < BATCH)
		return 0;
	w->waiting = 0;
	if (import_primes_flush(&w->primes, w, err) < 0 ||
	    store_commit(w->store, err) < 0)
		return -1;
	w->waiting = 1;
	return store_begin(w->store, err);
}

int
import_writer_end(struct import_writer *w, struct err *err)
{
	bool open = w->waiting > 0;

	if (open && import_primes_flush(&w->primes, w, err) < 0)
		return -1;
	w->waiting = 0;
	return open ? store_commit(w->store, err) : 0;
}

/* --- rows ---------------------------------------------------------------- */

struct found {
	bool		 is_revoked;
	enum crl_reason	 reason;
	bool		 is_whole;	/* with its certificate */
	bool		 has_key;
	uint8_t		 spki_sha256[32];
};

static int
keep(const struct cert_row *row, void *arg)
{
	struct found *found = arg;

	found->is_revoked = row->state == CERT_REVOKED;
	found->reason = row->reason;
	found->is_whole = row->der.len > 0;
	found->has_key = row->spki_sha256 != NULL;
	if (found->has_key)
		memcpy(found->spki_sha256, row->spki_sha256, 32);
	return 0;
}

/* A key that fell into wrong hands is never certified again. */
static int
block(struct import_writer *w, const uint8_t spki_sha256[32], struct err *err)
{
	return store_block_key(w->store, spki_sha256, KEY_COMPROMISED,
	    "revoked by the CA before it was imported", w->now, err);
}

static void
describe(const struct import_writer *w, const struct import_entry *e,
    struct cert_row *row)
{
	static const enum cert_state states[] = {
		[IMPORT_VALID] = CERT_ISSUED,
		[IMPORT_REVOKED] = CERT_REVOKED,
		[IMPORT_EXPIRED] = CERT_EXPIRED,
	};
	bool has_key = e->der.len > 0;

	*row = (struct cert_row){
		.ca_id = w->ca,
		.serial = e->serial,
		.state = states[e->state],
		.not_before = e->not_before,
		.not_after = e->not_after > e->not_before ? e->not_after :
		    w->ca_not_after,
		.der = e->der,
		/* For those who decide about CAs (registrar_is_of_ca). */
		.profile = e->is_ca ? "ca" : "",
		.names_text = has_key ? e->names : e->subject,
		.revoked_at = e->revoked_at,
		.reason = e->reason,
		.invalidity = e->invalidity,
		.spki_sha256 = has_key ? e->spki_sha256 : NULL,
		.origin = w->origin,
	};
}

static int
add(struct import_writer *w, const struct import_entry *e, struct err *err)
{
	bool has_key = e->der.len > 0;
	struct cert_row row;

	describe(w, e, &row);
	if (store_add_certificate(w->store, &row, err) < 0)
		return -1;
	w->added++;
	if (import_primes_take(&w->primes, w, e, err) < 0)
		return -1;
	return has_key && e->state == IMPORT_REVOKED &&
	    e->reason == CRL_KEY_COMPROMISE ?
	    block(w, e->spki_sha256, err) : 0;
}

/* Known by its serial until now. */
static int
complete(struct import_writer *w, const struct import_entry *e,
    struct found *found, struct err *err)
{
	struct cert_row row;

	describe(w, e, &row);
	if (store_complete_certificate(w->store, &row, err) != 0)
		return -1;
	w->completed++;
	found->has_key = true;
	memcpy(found->spki_sha256, e->spki_sha256, 32);
	if (import_primes_take(&w->primes, w, e, err) < 0)
		return -1;
	return found->is_revoked && found->reason == CRL_KEY_COMPROMISE ?
	    block(w, e->spki_sha256, err) : 0;
}

int
import_writer_take(const struct import_entry *e, void *arg, struct err *err)
{
	struct import_writer *w = arg;
	struct found found = { 0 };
	int r;

	if (step(w, err) < 0)
		return -1;
	r = store_find_certificate(w->store, w->ca, &e->serial, keep, &found,
	    err);
	if (r < 0)
		return -1;
	if (r > 0)
		return add(w, e, err);
	if (!found.is_whole && e->der.len > 0 &&
	    complete(w, e, &found, err) < 0)
		return -1;
	/* There already. Only ever towards revoked. */
	if (e->state != IMPORT_REVOKED || (found.is_revoked &&
	    (found.reason != CRL_CERTIFICATE_HOLD ||
	    e->reason == CRL_CERTIFICATE_HOLD))) {
		w->known++;
		return 0;
	}
	r = store_revoke(w->store, w->ca, &e->serial, e->revoked_at,
	    e->reason, e->invalidity, err);
	if (r == 0)
		w->changed++;
	if (r == 0 && found.has_key && e->reason == CRL_KEY_COMPROMISE)
		r = block(w, found.spki_sha256, err);
	return r < 0 ? -1 : 0;
}

/* --- the number of CRLs -------------------------------------------------- */

static int
keep_number(const struct ca_row *row, void *arg)
{
	struct ca_row *out = arg;

	if (row->id == out->id) {
		out->crl_number = row->crl_number;
		out->crl_this_update = row->crl_this_update;
	}
	return 0;
}

int
import_writer_crl_number(struct import_writer *w, uint64_t number,
    struct err *err)
{
	struct ca_row ca = { .id = w->ca };
	/* Not one of ours: it says the number only, and that one of ours is
	 * due at once. */
	struct crl_terms terms = { .number = number,
		.this_update = w->now - 1, .next_update = w->now };

	if (store_each_ca(w->store, keep_number, &ca, err) < 0)
		return -1;
	if (number <= ca.crl_number)
		return 0;
	if (terms.this_update < ca.crl_this_update) {
		terms.this_update = ca.crl_this_update;
		terms.next_update = ca.crl_this_update + 1;
	}
	if (store_begin(w->store, err) == 0 &&
	    store_reserve_crl(w->store, w->ca, &terms, 0, err) == 0 &&
	    store_commit(w->store, err) == 0)
		return 0;
	store_rollback(w->store);
	return -1;
}
