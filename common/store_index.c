/*
 * The index that ocspd takes along to where csrmaild is not: written row by
 * row through the questions that any store answers, so that it comes out the
 * same from another database.
 */
#include "common/store_private.h"

#include "common/err.h"
#include "common/index_seal.h"
#include "common/owned.h"

#include <fcntl.h>
#include <stdlib.h>

#define INDEX_APPLICATION_ID	1129534025	/* schema/index-1.sql */
#define INDEX_VERSION		1

struct export {
	struct store	*to;
	time_t		 now;
	struct store_index_facts facts;
	struct err	*err;
};

/* --- writing ------------------------------------------------------------- */

static int
exec(struct store *store, const char *text, struct err *err)
{
	if (sqlite3_exec(store->db, text, NULL, NULL, NULL) == SQLITE_OK)
		return 0;
	return store_fail(store->db, sqlite3_extended_errcode(store->db), err);
}

/* Nobody looks at the file before it is whole: it needs no journal. */
static int
create(const char *path, struct store **out, struct err *err)
{
	OWNED_STRUCT(store) *to = calloc(1, sizeof(*to));
	OWNED_FD fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW |
	    O_CLOEXEC, 0640);
	int rc;

	if (to == NULL || fd < 0)
		return err_errno(err, ERR_RETRY, "making an index");
	rc = sqlite3_open_v2(path, &to->db, SQLITE_OPEN_READWRITE |
	    SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW |
	    SQLITE_OPEN_EXRESCODE, NULL);
	if (rc != SQLITE_OK)
		return store_fail(to->db, rc, err);
	if (exec(to, "PRAGMA journal_mode = OFF", err) == -1 ||
	    exec(to, "PRAGMA synchronous = OFF", err) == -1 ||
	    exec(to, "PRAGMA locking_mode = EXCLUSIVE", err) == -1 ||
	    exec(to, "PRAGMA cache_size = -65536", err) == -1 ||
	    exec(to, store_index_schema(), err) == -1 ||
	    exec(to, "BEGIN", err) == -1)
		return -1;
	*out = TAKE(to);
	return 0;
}

static int
add_ca(const struct ca_row *row, void *arg)
{
	struct export *e = arg;
	QUERY(q, e->to, Q_INDEX_CA);

	query_int(&q, row->id);
	query_text(&q, row->name);
	query_blob(&q, row->cert);
	query_blob(&q, (struct bytes){ row->key_sha1, sizeof(row->key_sha1) });
	query_int(&q, row->not_before);
	query_int(&q, row->not_after);
	return query_run(&q, NULL, e->err);
}

/* Once all are there. */
static int
set_parent(const struct ca_row *row, void *arg)
{
	struct export *e = arg;
	QUERY(q, e->to, Q_INDEX_PARENT);

	query_int(&q, row->id);
	query_text(&q, row->parent);
	return row->parent[0] == '\0' ? 0 : query_run(&q, NULL, e->err);
}

static int
add_responder(const struct responder_row *row, void *arg)
{
	struct export *e = arg;
	QUERY(q, e->to, Q_INDEX_RESPONDER);

	if (row->not_after < e->now)
		return 0;
	query_int(&q, row->ca_id);
	query_blob(&q, (struct bytes){ row->key_sha1, sizeof(row->key_sha1) });
	query_blob(&q, row->cert);
	query_int(&q, row->not_before);
	query_int(&q, row->not_after);
	return query_run(&q, NULL, e->err);
}

static int
add_status(const struct status_row *row, void *arg)
{
	const bool revoked = row->state == STATUS_REVOKED;
	struct export *e = arg;
	QUERY(q, e->to, Q_INDEX_STATUS);

	query_int(&q, row->ca_id);
	query_serial(&q, &row->serial);
	query_int(&q, row->state);
	if (revoked) {
		query_int(&q, row->revoked_at);
		query_int(&q, row->reason);
	} else {
		query_int_or_null(&q, 0);
		query_int_or_null(&q, 0);
	}
	query_int_or_null(&q, row->invalidity);
	query_int(&q, row->not_after);
	query_int(&q, (int64_t)row->change);
	query_int(&q, row->shard);
	e->facts.statuses++;
	e->facts.revoked += revoked;
	return query_run(&q, NULL, e->err);
}

static int
add_statuses(struct store *from, struct export *e)
{
	struct status_row row;
	QUERY(q, from, Q_EACH_STATUS);

	return STORE_WALK(&q, &row, store_read_status, add_status, e,
	    e->err) == -1 ? -1 : 0;
}

static int
add_facts(struct export *e)
{
	QUERY(at, e->to, Q_INDEX_EXPORTED);
	QUERY(change, e->to, Q_INDEX_CHANGE);

	query_int(&at, e->facts.at);
	query_int(&change, (int64_t)e->facts.change);
	return query_run(&at, NULL, e->err) == -1 ||
	    query_run(&change, NULL, e->err) == -1 ? -1 : 0;
}

static int
add_all(struct store *from, struct export *e)
{
	return store_last_change(from, &e->facts.change, e->err) == -1 ||
	    add_facts(e) == -1 ||
	    store_each_ca(from, add_ca, e, e->err) == -1 ||
	    store_each_ca(from, set_parent, e, e->err) == -1 ||
	    store_each_responder(from, add_responder, e, e->err) == -1 ||
	    add_statuses(from, e) == -1 ||
	    exec(e->to, store_statement(Q_INDEX_BY_CHANGE), e->err) == -1 ||
	    exec(e->to, "COMMIT", e->err) == -1 ? -1 : 0;
}

static int
seal(const char *path, struct err *err)
{
	OWNED_FD fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? err_errno(err, ERR_RETRY, "sealing an index") :
	    index_seal_add(fd, err);
}

int
store_export_index(struct store *store, const char *path, time_t now,
    struct store_index_facts *out, struct err *err)
{
	struct export e = { .now = now, .facts = { .at = now }, .err = err };
	int r;

	if (create(path, &e.to, err) == -1)
		return -1;
	r = store_read_begin(store, err);
	if (r == 0) {
		r = add_all(store, &e);
		store_read_end(store);
	}
	store_free(e.to);
	if (r == 0)
		r = seal(path, err);
	if (r == 0)
		*out = e.facts;
	else
		unlink(path);
	return r;
}

/* --- reading ------------------------------------------------------------- */

int
store_check_index(struct store *store, struct err *err)
{
	int64_t application = 0, version = 0;

	if (store_ask(store, "PRAGMA application_id", &application,
	    err) == -1 || store_ask(store, "PRAGMA user_version", &version,
	    err) == -1)
		return -1;
	if (application != INDEX_APPLICATION_ID)
		return err_set(err, ERR_FAULT,
		    "this database is no index of csrmail");
	if (version != INDEX_VERSION)
		return err_set(err, ERR_FAULT, "the index has version %lld, "
		    "this program reads version %d: export it with the "
		    "csrmail of this program's version", (long long)version,
		    INDEX_VERSION);
	return 0;
}

int
store_index_time(struct store *store, time_t *out, struct err *err)
{
	QUERY(q, store, Q_EXPORTED);
	int r = query_step(&q, err);

	if (r != 0)
		return r == 1 ? store_corrupt(&q, err) : -1;
	*out = (time_t)column_int(&q, 0);
	return 0;
}
