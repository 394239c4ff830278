#include "csrmaild/publish_private.h"

#include "common/crash.h"
#include "common/err.h"
#include "common/log.h"
#include "common/owned.h"
#include "common/store.h"
#include "csrmaild/problem.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COALESCE_S	2	/* revocations close together share a CRL */
#define RETRY_S		5
#define LATE_S		3600	/* behind its schedule: a person should know */

/* --- when ----------------------------------------------------------------- */

static time_t
newest(const struct crl_scope *scope)
{
	return scope->delta.this_update > scope->full.this_update ?
	    scope->delta.this_update : scope->full.this_update;
}

/* Seconds after the last one; the clock may have gone back meanwhile. */
static bool
is_settled(const struct registrar *r, const struct crl_scope *scope)
{
	time_t last = newest(scope);

	return r->now < last || r->now - last >= COALESCE_S;
}

static bool
full_is_due(const struct registrar *r, const struct authority *ca,
    const struct crl_scope *scope)
{
	return scope->full.number == 0 ||
	    (scope->full_wanted && is_settled(r, scope)) ||
	    r->now >= scope->full.this_update +
	    (time_t)ca->settings->crl_interval_s;
}

static bool
delta_is_due(const struct registrar *r, const struct authority *ca,
    const struct crl_scope *scope)
{
	if (!publish_has_deltas(ca) || !scope->full_is_published)
		return false;
	return ((scope->delta_wanted || scope->delta.number == 0) &&
	    is_settled(r, scope)) || r->now >= newest(scope) +
	    (time_t)ca->settings->delta_interval_s;
}

/* --- making one ----------------------------------------------------------- */

static time_t
end_of(const struct authority *ca, const struct crl_terms *terms)
{
	/* A delta lives for two of its intervals. */
	time_t end = terms->this_update + (time_t)(terms->base == 0 ?
	    ca->settings->crl_validity_s : 2 * ca->settings->delta_interval_s);

	return end > ca->not_after ? ca->not_after : end;
}

/* Number, dates and change number are on record before anything is signed. */
static int
reserve(struct registrar *r, const struct authority *ca,
    const struct crl_terms *terms, uint64_t *change, struct err *err)
{
	if (store_begin(r->store, err) == 0 &&
	    (*change != 0 ||
	    store_last_change(r->store, change, err) == 0) &&
	    store_reserve_crl(r->store, ca->id, terms, *change, err) == 0 &&
	    store_commit(r->store, err) == 0)
		return 0;
	store_rollback(r->store);
	return -1;
}

static void
note_reserved(struct publication *p)
{
	struct crl_scope *scope = p->scope;

	p->ca->crl_number = p->terms.number;
	p->ca->crl_this_update = p->terms.this_update;
	if (p->terms.base != 0) {
		scope->delta = p->terms;
		scope->delta_change = p->change;
		scope->delta_wanted = false;
		return;
	}
	/* A base must have been published (RFC 5280, 5.2.4). */
	if (scope->full_is_published) {
		scope->previous = scope->full;
		scope->previous_change = scope->full_change;
	}
	scope->full = p->terms;
	scope->full_change = p->change;
	scope->full_is_published = false;
	scope->full_wanted = scope->delta_wanted = false;
}

/* With the terms set: on record, opened with the signer. */
static int
begin(struct registrar *r, struct publication *p, struct err *err)
{
	struct wire_crl_open open_it = { .terms = p->terms };
	int for_signer;

	if (publication_create_files(r, p, err) == -1)
		return -1;
	for_signer = fcntl(p->der_fd, F_DUPFD_CLOEXEC, 0);
	if (for_signer < 0)
		return err_errno(err, ERR_RETRY, "a place for the CRL");
	if (reserve(r, p->ca, &p->terms, &p->change, err) == -1) {
		close(for_signer);
		return -1;
	}
	note_reserved(p);
	crash_point("registrar.after-crl-reserve");
	snprintf(open_it.ca, sizeof(open_it.ca), "%s", p->ca->name);
	p->releases = false;
	p->n_entries = 0;
	p->failed[0] = '\0';
	if (publication_open(r, p, err) == -1) {
		close(for_signer);
		return -1;
	}
	if (wire_send_crl_open(r->signer, &open_it, for_signer, err) == -1)
		return -1;
	p->stage = PUBLISH_ENTRIES;
	return 0;
}

static void
put_away(struct registrar *r)
{
	struct publication *p = r->publication;

	if (p != NULL) {
		p->ca->crl_wanted = false;
		for (size_t i = 0; i < p->ca->n_scopes; i++)
			if (p->ca->scopes[i].full_wanted ||
			    p->ca->scopes[i].delta_wanted)
				p->ca->crl_wanted = true;
		publication_close_files(p);
		store_free(p->snapshot);
		free(p);
	}
	r->crl_in_hand = NULL;
	r->publication = NULL;
}

void
publish_close(struct registrar *r)
{
	put_away(r);
}

/* Later, once more, with a number of its own. */
static void
fail(struct registrar *r, const char *why, const char *detail)
{
	struct publication *p = r->publication;
	struct authority *ca = p->ca;

	log_error("crl.failed", STR("ca", ca->name),
	    NUM("shard", p->terms.shard), STR("why", why),
	    STR("detail", detail));
	snprintf(ca->crl_text, sizeof(ca->crl_text), "%s", why);
	ca->crl_not_before = r->now + RETRY_S;
	if (p->terms.base == 0)
		p->scope->full_wanted = true;
	else
		p->scope->delta_wanted = true;
	put_away(r);
}

static void
start(struct registrar *r, struct authority *ca, struct crl_scope *scope,
    bool full)
{
	struct publication *p = calloc(1, sizeof(*p));
	struct err err;

	if (p == NULL)
		return;		/* the next turn tries again */
	p->ca = ca;
	p->scope = scope;
	p->der_fd = p->pem_fd = -1;
	p->terms.shard = scope->shard;
	p->terms.number = ca->crl_number + 1;
	if (!full)
		p->terms.base = scope->previous.number != 0 ?
		    scope->previous.number : scope->full.number;
	/* The clock may have gone back; thisUpdate never does. */
	p->terms.this_update = r->now;
	if (p->terms.this_update <= newest(scope))
		p->terms.this_update = newest(scope) + 1;
	if (p->terms.this_update < ca->crl_this_update)
		p->terms.this_update = ca->crl_this_update;
	p->terms.next_update = end_of(ca, &p->terms);
	r->publication = p;
	r->crl_in_hand = ca;
	ca->crl_wanted = true;		/* until it is put away */
	if (begin(r, p, &err) == -1)
		fail(r, err.text, err.detail);
}

/* The delta that comes with a full one: the same moment, the same number, and
 * the same snapshot. */
static bool
start_delta(struct registrar *r, struct publication *p)
{
	struct err err;

	if (!publish_has_deltas(p->ca) || p->terms.base != 0 ||
	    p->scope->previous.number == 0)
		return false;
	p->terms.base = p->scope->previous.number;
	p->terms.next_update = end_of(p->ca, &p->terms);
	if (begin(r, p, &err) == -1)
		fail(r, err.text, err.detail);
	return true;
}

static void
send_entries(struct registrar *r, struct publication *p)
{
	struct err err;
	int last = publication_send(r, p, &err);

	if (last == 0)
		return;
	/* The signer has half of it: it must end before another begins. */
	if (last == -1)
		snprintf(p->failed, sizeof(p->failed), "%.199s", err.text);
	p->stage = PUBLISH_SIGNING;
	if (wire_send_crl_close(r->signer, &err) == -1)
		fail(r, err.text, err.detail);
}

static void
write_audit(struct registrar *r, const struct publication *p)
{
	char object[96], detail[160];
	struct err err;

	snprintf(object, sizeof(object), "crl:%s", p->ca->name);
	snprintf(detail, sizeof(detail), "number:%llu shard:%u base:%llu "
	    "entries:%llu", (unsigned long long)p->terms.number,
	    p->terms.shard, (unsigned long long)p->terms.base,
	    (unsigned long long)p->n_entries);
	if (store_begin(r->store, &err) == 0 &&
	    store_set_crl_entries(r->store, p->ca->id, &p->terms,
	    p->n_entries, &err) == 0 &&
	    store_audit(r->store, r->now, "crl.published", "registrar",
	    object, detail, &err) == 0 && store_commit(r->store, &err) == 0)
		return;
	store_rollback(r->store);
	log_warn("audit.deferred", STR("why", err.text));
}

static void
note_published(struct registrar *r, struct publication *p)
{
	struct authority *ca = p->ca;

	log_info("crl.published", STR("ca", ca->name),
	    NUM("number", p->terms.number), NUM("shard", p->terms.shard),
	    NUM("base", p->terms.base), NUM("entries", p->n_entries));
	if (p->terms.base == 0) {
		p->scope->full_is_published = true;
		p->scope->shown = p->terms;
	}
	ca->crl_text[0] = '\0';
	publication_close_files(p);
	write_audit(r, p);
}

static void
write_files(struct registrar *r, struct publication *p)
{
	struct err err;
	int last = publication_write(r, p, &err);

	if (last == -1) {
		fail(r, err.text, err.detail);
	} else if (last == 1) {
		note_published(r, p);
		if (!start_delta(r, p))
			put_away(r);
	}
}

static bool
start_one(struct registrar *r, struct authority *ca, struct crl_scope *scope)
{
	bool full;

	if (ca->settings == NULL || !ca->key_open ||
	    ca->crl_not_before > r->now || ca->not_after <= r->now)
		return false;
	full = full_is_due(r, ca, scope);
	if (!full && !delta_is_due(r, ca, scope))
		return false;
	start(r, ca, scope, full);
	return true;
}

/* One at a time; with several due, none waits for the same others again. */
static void
start_next(struct registrar *r)
{
	size_t n = 0, turn = 0;

	for (size_t i = 0; i < r->authorities.n; i++)
		n += r->authorities.rows[i].n_scopes;
	for (size_t tried = 0; tried < n; tried++) {
		size_t at = (r->crl_turn + tried) % n, i = 0;

		while (at >= r->authorities.rows[i].n_scopes)
			at -= r->authorities.rows[i++].n_scopes;
		turn = r->crl_turn + tried + 1;
		if (start_one(r, &r->authorities.rows[i],
		    &r->authorities.rows[i].scopes[at]))
			break;
	}
	r->crl_turn = n == 0 ? 0 : turn % n;
}

void
publish_pump(struct registrar *r)
{
	struct publication *p = r->publication;

	if (p == NULL) {
		start_next(r);
		p = r->publication;
		if (p == NULL)
			return;
	}
	switch (p->stage) {
	case PUBLISH_ENTRIES:
		send_entries(r, p);
		break;
	case PUBLISH_SIGNING:
		break;
	case PUBLISH_WRITING:
		write_files(r, p);
		break;
	}
}

bool
publish_is_busy(const struct registrar *r)
{
	const struct publication *p = r->publication;

	/* With octets in the signer's queue, its socket wakes us. */
	return p != NULL && (p->stage == PUBLISH_WRITING ||
	    (p->stage == PUBLISH_ENTRIES && channel_queued(r->signer) == 0));
}

void
publish_take_done(struct registrar *r, const struct wire_crl_done *m)
{
	struct publication *p = r->publication;

	if (p == NULL || p->stage != PUBLISH_SIGNING ||
	    strcmp(p->ca->name, m->ca) != 0 || m->number != p->terms.number) {
		log_error("crl.unasked", STR("ca", m->ca));
		return;
	}
	if (p->failed[0] != '\0') {
		fail(r, p->failed, "");
		return;
	}
	p->stage = PUBLISH_WRITING;
	write_files(r, p);
}

void
publish_take_refused(struct registrar *r, const struct wire_refused *m)
{
	if (r->publication != NULL)
		fail(r, m->text, "");
}

/* --- status --------------------------------------------------------------- */

static void
describe_scope(const struct registrar *r, const struct authority *ca,
    const struct crl_scope *scope, json_t *trouble)
{
	char which[128], sentence[400];
	const char *why = ca->crl_text[0] != '\0' ? ca->crl_text :
	    ca->key_open ? "the log says why" : "its key is not open";
	time_t due = scope->shown.this_update +
	    (time_t)ca->settings->crl_interval_s;

	snprintf(which, sizeof(which), scope->shard == 0 ? "the CRL of %s" :
	    "the CRL of %s, shard %u,", ca->name, scope->shard);
	if (scope->shown.number == 0) {
		if (ca->crl_text[0] == '\0')
			return;		/* it is only just being made */
		snprintf(sentence, sizeof(sentence),
		    "%s is not published: %s", which, why);
	} else if (scope->shown.next_update <= r->now)
		snprintf(sentence, sizeof(sentence), "%s has expired: %s",
		    which, why);
	else if (r->now > due + LATE_S)
		snprintf(sentence, sizeof(sentence), "%s is late, and ends "
		    "in %lld hours: %s", which, (long long)
		    (scope->shown.next_update - r->now) / 3600, why);
	else
		return;
	json_array_append_new(trouble, json_text(sentence));
}

void
publish_describe_trouble(const struct registrar *r, json_t *trouble)
{
	for (size_t i = 0; i < r->authorities.n; i++) {
		const struct authority *ca = &r->authorities.rows[i];

		if (ca->not_after <= r->now)
			continue;
		if (ca->settings == NULL)
			publication_describe_installed(r, ca, trouble);
		for (size_t j = 0; ca->settings != NULL &&
		    j < ca->n_scopes; j++)
			describe_scope(r, ca, &ca->scopes[j], trouble);
	}
}
