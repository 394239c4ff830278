#include "ocspd/presign.h"

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"

#define WALK_A_LOOK	256	/* places of the table */
#define TICKS_A_SECOND	10

/* --- renewing what is held ------------------------------------ */

void
presign_tick(struct presign *p)
{
	/* Once through the table within the part of its validity by which
	 * renewals are spread. */
	size_t ticks = (size_t)p->settings->answer_validity_s / 16 *
	    TICKS_A_SECOND;

	p->left_us = PRESIGN_SHARE_US;
	p->places = answers_places(p->answers) / ticks + WALK_A_LOOK;
}

static bool
renew(const struct aged_answer *old, void *arg)
{
	struct presign *p = arg;
	struct request *req = &p->request;
	struct made made;

	/* As before, if the store was not read since. */
	if (old->this_update >= p->answering->snapshot->read_at ||
	    !cert_id_read(old->cert_id, &req->ids[0]))
		return true;
	req->n_ids = 1;
	req->n_preferred = old->is_default ? 0 : 1;
	req->preferred[0] = old->signature;
	/* What is no longer known is held no longer (see answering_make); nor
	 * is what nobody signs like that any more. */
	if (answering_make(p->answering, req, &made) != OCSP_SUCCESSFUL ||
	    made.never_issued ||
	    (!old->is_default && made.signature != old->signature))
		answers_forget(p->answers, req->ids[0].serial);
	else
		counters_add(p->counters, COUNT_SIGNATURES_AHEAD, 1);
	return false;
}

/* --- signing what was issued ------------------------------------ */

static int
take_row(const struct status_row *row, void *arg)
{
	struct presign *p = arg;

	p->rows[p->n_rows++] = *row;
	return p->n_rows == PRESIGN_ROWS;
}

/* From the first certificate on, when it may be answered otherwise now, or
 * by a key that was not there. What is held is not signed again. */
static void
begin(struct presign *p)
{
	const struct snapshot *s = p->answering->snapshot;

	p->signers = s->signers;
	p->from = 0;
	p->to = s->change;
	p->filled = 0;
	p->n_rows = p->row = 0;
}

/* False: there are no more. */
static bool
read_rows(struct presign *p)
{
	const struct snapshot *s = p->answering->snapshot;
	struct err err;

	if (p->signers != s->signers || s->change < p->from)
		begin(p);
	/* What came to be since is signed in any case. */
	if (p->filled >= p->settings->held_answers && p->from < p->to)
		p->from = p->to;
	if (p->from >= s->change)
		return false;
	p->n_rows = p->row = 0;
	if (store_changes_since(s->store, p->from, take_row, p, &err) == -1) {
		log_warn("presign.failed", STR("why", err.text),
		    STR("detail", err.detail));
		return false;
	}
	/* The last changes may be none of certificates. */
	p->from = p->n_rows == PRESIGN_ROWS ?
	    p->rows[p->n_rows - 1].change : s->change;
	return true;
}

static void
sign_one(struct presign *p, const struct authority *a, enum cert_hash hash,
    struct bytes serial)
{
	struct request *req = &p->request;
	uint8_t room[CERT_ID_MAX];
	struct made made;

	authority_name(a, hash, serial, &req->ids[0]);
	req->n_ids = 1;
	req->n_preferred = 0;
	if (!answers_has(p->answers, cert_id_write(&req->ids[0], room), serial,
	    SIGNATURE_ANY, p->answering->snapshot->now) &&
	    answering_make(p->answering, req, &made) == OCSP_SUCCESSFUL)
		counters_add(p->counters, COUNT_SIGNATURES_AHEAD, 1);
	p->filled++;
}

static void
sign_row(struct presign *p, const struct status_row *row)
{
	const struct snapshot *s = p->answering->snapshot;
	struct authority *a = snapshot_authority(s, row->ca_id);
	uint8_t room[SERIAL_CONTENT_MAX];
	struct bytes serial = serial_content(&row->serial, room);

	/* Nobody asks about what has ended; and a root has often nobody to
	 * sign for it. */
	if (a == NULL || row->not_after < s->now ||
	    authority_default_signer(a, p->answering->places, s->now) == NULL)
		return;
	sign_one(p, a, CERT_HASH_SHA256, serial);
	/* Held already when the one before named both. */
	if (p->settings->sha1_cert_ids && !p->settings->dual_cert_ids)
		sign_one(p, a, CERT_HASH_SHA1, serial);
}

/* --- slices ------------------------------------ */

/* One look, one signature or so. False: nothing is left for this tick. */
static bool
step(struct presign *p)
{
	size_t n = p->places < WALK_A_LOOK ? p->places : WALK_A_LOOK;

	if (p->settings->presign == PRESIGN_NO ||
	    !snapshot_is_fresh(p->answering->snapshot))
		return false;
	if (n > 0) {
		p->places -= answers_each_older(p->answers, n,
		    p->answering->snapshot->now,
		    p->settings->answer_validity_s / 2, renew, p);
		return true;
	}
	if (p->settings->presign != PRESIGN_ALL ||
	    (p->row == p->n_rows && !read_rows(p)))
		return false;
	if (p->row < p->n_rows)
		sign_row(p, &p->rows[p->row++]);
	return true;
}

bool
presign_work(struct presign *p)
{
	int64_t begun = clock_monotonic_us(), took = 0;
	bool more = p->left_us > 0;

	while (more && took < PRESIGN_SLICE_US) {
		more = step(p);
		took = clock_monotonic_us() - begun;
	}
	p->left_us -= took;
	return more && p->left_us > 0;
}
