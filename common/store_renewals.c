#include "common/store_private.h"
#include "common/err.h"

int
store_find_renewal(struct store *store, int64_t certificate,
    int (*fn)(const struct request_row *, void *), void *arg, struct err *err)
{
	QUERY(q, store, Q_FIND_RENEWAL);
	struct request_row row;

	query_int(&q, certificate);
	return STORE_WALK(&q, &row, store_read_request, fn, arg, err);
}

int
store_find_renewed(struct store *store, const struct request_row *row,
    const char *principal, time_t now, int64_t *out, struct err *err)
{
	QUERY(q, store, Q_FIND_RENEWED);
	int r;

	*out = 0;
	query_blob(&q, (struct bytes){ row->spki_sha256, 32 });
	query_int(&q, now);
	query_text(&q, row->ca);
	query_text(&q, row->profile);
	query_blob(&q, row->names);
	query_text(&q, principal);
	r = query_step(&q, err);
	if (r == 0)
		*out = column_int(&q, 0);
	return r == -1 ? -1 : 0;
}

int
store_supersede(struct store *store, int64_t old, int64_t ca,
    const struct serial *serial, struct err *err)
{
	QUERY(q, store, Q_SUPERSEDE);
	int changed;

	if (store_check_writing(store, err) == -1)
		return -1;
	query_int(&q, ca);
	query_serial(&q, serial);
	query_int(&q, old);
	if (query_run(&q, &changed, err) == -1)
		return -1;
	return changed == 1 ? 0 :
	    err_set(err, ERR_FAULT, "the store has no such certificate");
}

static int
read_replaced(const struct query *q, struct replaced_row *row)
{
	*row = (struct replaced_row){
		.request = column_int(q, 0),
		.decided_by = column_text(q, 1),
		.ca_id = column_int(q, 2),
	};
	return column_serial(q, 3, &row->serial) ? 0 : -1;
}

int
store_each_replaced(struct store *store, unsigned int limit,
    int (*fn)(const struct replaced_row *, void *), void *arg,
    struct err *err)
{
	QUERY(q, store, Q_EACH_REPLACED);
	struct replaced_row row;

	query_int(&q, limit);
	return STORE_WALK(&q, &row, read_replaced, fn, arg, err) == -1 ?
	    -1 : 0;
}

int
store_settle_replaced(struct store *store, int64_t request, struct err *err)
{
	QUERY(q, store, Q_SETTLE_REPLACED);

	if (store_check_writing(store, err) == -1)
		return -1;
	query_int(&q, request);
	return query_run(&q, NULL, err);
}

int
store_expire(struct store *store, time_t now, unsigned int limit,
    unsigned int *n, struct err *err)
{
	QUERY(q, store, Q_EXPIRE);
	int changed;

	if (store_check_writing(store, err) == -1)
		return -1;
	query_int(&q, now);
	query_int(&q, limit);
	if (query_run(&q, &changed, err) == -1)
		return -1;
	*n = (unsigned int)changed;
	return 0;
}
