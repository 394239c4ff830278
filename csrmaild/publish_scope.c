#include "csrmaild/publish_private.h"

#include "common/err.h"
#include "common/store.h"

#include <stdlib.h>

bool
publish_has_deltas(const struct authority *ca)
{
	return ca->settings != NULL && ca->settings->delta_interval_s != 0;
}

static struct crl_scope *
find_scope(struct authority *ca, uint16_t shard)
{
	for (size_t i = 0; i < ca->n_scopes; i++)
		if (ca->scopes[i].shard == shard)
			return &ca->scopes[i];
	return NULL;
}

static void
want(struct authority *ca, struct crl_scope *scope, bool full)
{
	if (full || !publish_has_deltas(ca) || scope->full.number == 0)
		scope->full_wanted = true;
	else
		scope->delta_wanted = true;
	ca->crl_wanted = true;
}

void
publish_note_change(struct authority *ca, uint16_t shard)
{
	struct crl_scope *all = find_scope(ca, 0);
	struct crl_scope *one = shard == 0 ? NULL : find_scope(ca, shard);

	if (all != NULL)
		want(ca, all, false);
	if (one != NULL)
		want(ca, one, false);
}

void
publish_want_all(struct authority *ca)
{
	for (size_t i = 0; i < ca->n_scopes; i++)
		want(ca, &ca->scopes[i], true);
}

/*
 * The shards of the configuration, and those that certificates or CRLs have
 * from earlier ones: a shard is fixed when a certificate is issued. Shard 0
 * where certificates have none, or will have none.
 */
static int
make_scopes(struct registrar *r, struct authority *ca, struct err *err)
{
	unsigned int configured = ca->settings == NULL ? 1 :
	    ca->settings->crl_shards;
	uint16_t highest = 0;
	bool unsharded = false;

	if (store_find_shards(r->store, ca->id, &highest, &unsharded,
	    err) == -1)
		return -1;
	unsharded = unsharded || configured <= 1;
	if (configured > 1 && configured > highest)
		highest = (uint16_t)configured;
	ca->scopes = calloc((size_t)highest + 1, sizeof(*ca->scopes));
	if (ca->scopes == NULL)
		return err_set(err, ERR_RETRY, "out of memory");
	ca->n_scopes = 0;
	if (unsharded)
		ca->n_scopes++;
	for (uint16_t shard = 1; shard <= highest; shard++)
		ca->scopes[ca->n_scopes++].shard = shard;
	return 0;
}

static int
note_crl(const struct crl_row *row, void *arg)
{
	struct registrar *r = arg;
	struct authority *ca = authority_by_id(&r->authorities, row->ca_id);
	struct crl_scope *scope = ca == NULL ? NULL :
	    find_scope(ca, row->terms.shard);

	if (ca == NULL || row->terms.number == 0)
		return 0;
	if (row->terms.this_update > ca->crl_this_update)
		ca->crl_this_update = row->terms.this_update;
	if (scope == NULL)
		return 0;
	if (row->terms.base == 0) {
		scope->full = row->terms;
		scope->full_change = row->change;
	} else {
		scope->delta = row->terms;
		scope->delta_change = row->change;
	}
	return 0;
}

/* The newest change that the scope's lists must show. */
static int
last_change(struct registrar *r, const struct authority *ca,
    const struct crl_scope *scope, uint64_t *out, struct err *err)
{
	uint16_t last = scope->shard != 0 ? scope->shard :
	    ca->scopes[ca->n_scopes - 1].shard;

	*out = 0;
	for (uint16_t shard = scope->shard; shard <= last; shard++) {
		uint64_t change = 0;

		if (store_last_revocation(r->store, ca->id, shard, &change,
		    err) == -1)
			return -1;
		if (change > *out)
			*out = change;
	}
	return 0;
}

static int
resume_scope(struct registrar *r, struct authority *ca,
    struct crl_scope *scope, struct err *err)
{
	bool deltas = publish_has_deltas(ca);
	uint64_t change = 0, covered = scope->full_change;

	scope->full_is_published = scope->full.number != 0 &&
	    publication_is_there(r, ca->name, &scope->full);
	if (scope->full_is_published)
		scope->shown = scope->full;
	else
		want(ca, scope, true);
	if (deltas && scope->delta_change > covered)
		covered = scope->delta_change;
	if (last_change(r, ca, scope, &change, err) == -1)
		return -1;
	if (change > covered || (deltas && scope->delta.number != 0 &&
	    !publication_is_there(r, ca->name, &scope->delta)))
		want(ca, scope, false);
	return 0;
}

int
publish_resume(struct registrar *r, struct err *err)
{
	r->crl_in_hand = NULL;
	r->publication = NULL;
	for (size_t i = 0; i < r->authorities.n; i++)
		if (make_scopes(r, &r->authorities.rows[i], err) == -1)
			return -1;
	if (store_each_crl(r->store, note_crl, r, err) == -1)
		return -1;
	for (size_t i = 0; i < r->authorities.n; i++) {
		struct authority *ca = &r->authorities.rows[i];

		for (size_t j = 0; j < ca->n_scopes; j++)
			if (resume_scope(r, ca, &ca->scopes[j], err) == -1)
				return -1;
	}
	return 0;
}
