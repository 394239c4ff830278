#include "common/store_private.h"
#include "common/err.h"

/* CRLs: which there were, and what stands on the next. */

int
store_reserve_crl(struct store *store, int64_t ca,
    const struct crl_terms *terms, uint64_t change, struct err *err)
{
	QUERY(q, store, Q_ADD_CRL);
	int changed;

	if (store_check_writing(store, err) == -1)
		return -1;
	query_int(&q, ca);
	query_int(&q, (int64_t)terms->number);
	query_int(&q, terms->this_update);
	query_int(&q, terms->next_update);
	query_int(&q, (int64_t)change);
	query_int(&q, terms->shard);
	query_int(&q, (int64_t)terms->base);
	if (query_run(&q, &changed, err) == -1)
		return -1;
	return changed == 1 ? 0 : err_set(err, ERR_FAULT,
	    "a CRL's number must grow and its date not go back, and a delta's "
	    "base must be on record");
}

int
store_set_crl_entries(struct store *store, int64_t ca,
    const struct crl_terms *terms, uint64_t entries, struct err *err)
{
	QUERY(q, store, Q_SET_CRL_ENTRIES);

	if (store_check_writing(store, err) == -1)
		return -1;
	query_int(&q, (int64_t)entries);
	query_int(&q, ca);
	query_int(&q, (int64_t)terms->number);
	query_int(&q, (int64_t)terms->base);
	query_int(&q, terms->shard);
	return query_run(&q, NULL, err);
}

static int
read_crl(const struct query *q, struct crl_row *row)
{
	*row = (struct crl_row){
		.ca_id = column_int(q, 0),
		.terms = {
			.shard = (uint16_t)column_int(q, 1),
			.number = (uint64_t)column_int(q, 2),
			.base = (uint64_t)column_int(q, 3),
			.this_update = column_int(q, 4),
			.next_update = column_int(q, 5),
		},
		.change = (uint64_t)column_int(q, 6),
		.entries = (uint64_t)column_int(q, 7),
		.ca = column_text(q, 8),
	};
	return 0;
}

int
store_each_crl(struct store *store, int (*fn)(const struct crl_row *, void *),
    void *arg, struct err *err)
{
	QUERY(q, store, Q_EACH_CRL);
	struct crl_row row;

	return STORE_WALK(&q, &row, read_crl, fn, arg, err) == -1 ? -1 : 0;
}

/* A statement that yields one number: 0, 1 when there is no row, -1. */
static int
read_number(struct query *q, int64_t *out, struct err *err)
{
	int r = query_step(q, err);

	if (r == 0)
		*out = column_int(q, 0);
	return r;
}

int
store_regular_crl(struct store *store, int64_t ca, uint16_t shard,
    time_t latest, time_t *out, struct err *err)
{
	QUERY(q, store, Q_REGULAR_CRL);
	int64_t found = 0;

	query_int(&q, ca);
	query_int(&q, shard);
	query_int(&q, latest);
	if (read_number(&q, &found, err) == -1)
		return -1;
	*out = (time_t)found;
	return 0;
}

int
store_find_shards(struct store *store, int64_t ca, uint16_t *highest,
    bool *has_unsharded, struct err *err)
{
	QUERY(q, store, Q_MAX_SHARD);
	QUERY(unsharded, store, Q_HAS_UNSHARDED);
	int64_t shard = 0, one = 0;

	query_int(&q, ca);
	query_int(&unsharded, ca);
	if (read_number(&q, &shard, err) == -1 ||
	    read_number(&unsharded, &one, err) == -1)
		return -1;
	*highest = (uint16_t)shard;
	*has_unsharded = one != 0;
	return 0;
}

/* Of the million rows of a list no column is read that it does not need. */
static int
read_listed(const struct query *q, struct status_row *row)
{
	row->revoked_at = column_int(q, 1);
	row->reason = (enum crl_reason)column_int(q, 2);
	row->invalidity = column_int(q, 3);
	row->change = (uint64_t)column_int(q, 4);
	row->shard = (uint16_t)column_int(q, 5);
	return column_serial(q, 0, &row->serial) ? 0 : -1;
}

static int
walk(struct store *store, enum statement which, int64_t ca,
    const struct crl_page *page, int (*fn)(const struct status_row *, void *),
    void *arg, struct err *err)
{
	QUERY(q, store, which);
	struct status_row row = { .ca_id = ca, .state = STATUS_REVOKED };

	query_int(&q, ca);
	query_int(&q, page->after_shard);
	query_int(&q, (int64_t)page->after_change);
	query_int(&q, page->last_shard);
	query_int(&q, (int64_t)page->since);
	query_int(&q, page->expired_before);
	query_int(&q, page->limit);
	return STORE_WALK(&q, &row, read_listed, fn, arg, err) == -1 ? -1 : 0;
}

int
store_each_revoked(struct store *store, int64_t ca,
    const struct crl_page *page, int (*fn)(const struct status_row *, void *),
    void *arg, struct err *err)
{
	return walk(store, Q_EACH_REVOKED, ca, page, fn, arg, err);
}

int
store_each_released(struct store *store, int64_t ca,
    const struct crl_page *page, int (*fn)(const struct status_row *, void *),
    void *arg, struct err *err)
{
	return walk(store, Q_EACH_RELEASED, ca, page, fn, arg, err);
}

int
store_last_revocation(struct store *store, int64_t ca, uint16_t shard,
    uint64_t *out, struct err *err)
{
	QUERY(q, store, Q_LAST_REVOCATION);
	int64_t change = 0;

	query_int(&q, ca);
	query_int(&q, shard);
	if (read_number(&q, &change, err) == -1)
		return -1;
	*out = (uint64_t)change;
	return 0;
}
