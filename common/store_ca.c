#include "common/store_private.h"
#include "common/err.h"

static int
ignore_ca(const struct ca_row *row, void *arg)
{
	(void)row;
	(void)arg;
	return 0;
}

static int
add_certificate(struct store *store, int64_t ca, struct bytes cert,
    time_t not_before, time_t not_after, struct err *err)
{
	QUERY(q, store, Q_ADD_CA_CERTIFICATE);

	query_int(&q, ca);
	query_blob(&q, cert);
	query_int(&q, not_before);
	query_int(&q, not_after);
	return query_run(&q, NULL, err);
}

int
store_add_ca(struct store *store, const struct ca_row *row, int64_t *id,
    struct err *err)
{
	QUERY(q, store, Q_ADD_CA);
	uint64_t change;
	int64_t made;
	int r;

	if (store_check_writing(store, err) == -1)
		return -1;
	r = store_find_ca(store, row->name, ignore_ca, NULL, err);
	if (r != 1)
		return r == -1 ? -1 : err_set(err, ERR_FAULT,
		    "there is a CA named %s already", row->name);
	if (row->parent[0] != '\0') {
		r = store_find_ca(store, row->parent, ignore_ca, NULL, err);
		if (r != 0)
			return r == -1 ? -1 : err_set(err, ERR_FAULT,
			    "there is no CA named %s", row->parent);
	}
	if (store_next_change(store, &change, err) == -1)
		return -1;
	query_text(&q, row->name);
	query_text(&q, row->parent);
	query_blob(&q, row->cert);
	query_blob(&q, (struct bytes){ row->key_sha1, sizeof(row->key_sha1) });
	query_int(&q, row->not_before);
	query_int(&q, row->not_after);
	query_int(&q, (int64_t)change);
	if (query_run(&q, NULL, err) == -1)
		return -1;
	made = store_last_id(store);
	if (add_certificate(store, made, row->cert, row->not_before,
	    row->not_after, err) == -1)
		return -1;
	*id = made;
	return 0;
}

static int
read_ca(const struct query *q, struct ca_row *row)
{
	*row = (struct ca_row){
		.id = column_int(q, 0),
		.name = column_text(q, 1),
		.parent = column_text(q, 2),
		.cert = column_blob(q, 3),
		.not_before = column_int(q, 5),
		.not_after = column_int(q, 6),
		.crl_number = (uint64_t)column_int(q, 7),
		.crl_this_update = column_int(q, 8),
		.crl_next_update = column_int(q, 9),
		.crl_change = (uint64_t)column_int(q, 10),
	};
	return column_fixed(q, 4, row->key_sha1, sizeof(row->key_sha1)) ?
	    0 : -1;
}

int
store_each_ca(struct store *store, int (*fn)(const struct ca_row *, void *),
    void *arg, struct err *err)
{
	QUERY(q, store, Q_EACH_CA);
	struct ca_row row;

	return STORE_WALK(&q, &row, read_ca, fn, arg, err) == -1 ? -1 : 0;
}

int
store_find_ca(struct store *store, const char *name,
    int (*fn)(const struct ca_row *, void *), void *arg, struct err *err)
{
	QUERY(q, store, Q_FIND_CA);
	struct ca_row row;

	query_text(&q, name);
	return STORE_WALK(&q, &row, read_ca, fn, arg, err);
}

int
store_renew_ca(struct store *store, const struct ca_row *row, struct err *err)
{
	QUERY(q, store, Q_RENEW_CA);
	uint64_t change;
	int changed;

	if (store_check_writing(store, err) == -1 ||
	    store_next_change(store, &change, err) == -1)
		return -1;
	query_int(&q, row->id);
	query_text(&q, row->parent);
	query_blob(&q, row->cert);
	query_int(&q, row->not_before);
	query_int(&q, row->not_after);
	query_int(&q, (int64_t)change);
	query_blob(&q, (struct bytes){ row->key_sha1, sizeof(row->key_sha1) });
	if (query_run(&q, &changed, err) == -1)
		return -1;
	if (changed != 1)
		return err_set(err, ERR_FAULT, "there is no such CA, or it "
		    "has another key");
	return add_certificate(store, row->id, row->cert, row->not_before,
	    row->not_after, err);
}

static int
read_ca_certificate(const struct query *q, struct ca_certificate_row *row)
{
	*row = (struct ca_certificate_row){
		.ca_id = column_int(q, 0),
		.cert = column_blob(q, 1),
		.not_before = column_int(q, 2),
		.not_after = column_int(q, 3),
	};
	return 0;
}

int
store_each_ca_certificate(struct store *store, int64_t ca,
    int (*fn)(const struct ca_certificate_row *, void *), void *arg,
    struct err *err)
{
	QUERY(q, store, Q_EACH_CA_CERTIFICATE);
	struct ca_certificate_row row;

	query_int(&q, ca);
	return STORE_WALK(&q, &row, read_ca_certificate, fn, arg, err) == -1 ?
	    -1 : 0;
}
