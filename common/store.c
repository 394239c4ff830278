#include "common/store_private.h"

#include "common/err.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

int
store_fail(sqlite3 *db, int rc, struct err *err)
{
	const char *detail = db == NULL ? sqlite3_errstr(rc) :
	    sqlite3_errmsg(db);

	switch (rc & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		err_set(err, ERR_RETRY, "the store is locked");
		break;
	case SQLITE_FULL:
		err_set(err, ERR_RETRY, "the disk of the store is full");
		break;
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
	case SQLITE_PROTOCOL:
	case SQLITE_NOMEM:
	case SQLITE_INTERRUPT:
	case SQLITE_ABORT:
		err_set(err, ERR_RETRY, "the store cannot be read or written");
		break;
	case SQLITE_READONLY:
		/* The extended codes are about a log that only a writer can
		 * mend; the next writer does. */
		err_set(err, rc == SQLITE_READONLY ? ERR_FAULT : ERR_RETRY,
		    "the store is open for reading only");
		break;
	case SQLITE_CONSTRAINT:
		err_set(err, ERR_FAULT, "the store refuses the row");
		break;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		err_set(err, ERR_FAULT, "the store is corrupt");
		break;
	default:
		err_set(err, ERR_FAULT, "the store failed");
		break;
	}
	snprintf(err->detail, sizeof(err->detail), "%s", detail);
	return -1;
}

int
store_corrupt(const struct query *q, struct err *err)
{
	err_set(err, ERR_FAULT, "the store is corrupt");
	snprintf(err->detail, sizeof(err->detail), "in a row of: %.400s",
	    store_statement(q->which));
	return -1;
}

/* --- one use of a statement ---------------------------------------------- */

struct query
query_begin(struct store *store, enum statement which)
{
	struct query q = { .store = store, .which = which };
	sqlite3_stmt **cached = &store->stmts[which];

	if (*cached == NULL)
		q.rc = sqlite3_prepare_v3(store->db, store_statement(which),
		    -1, SQLITE_PREPARE_PERSISTENT, cached, NULL);
	q.stmt = *cached;
	/* A callback that asks again what is just being walked through. */
	if (q.rc == SQLITE_OK && sqlite3_stmt_busy(q.stmt)) {
		q.ours = true;
		q.stmt = NULL;
		q.rc = sqlite3_prepare_v2(store->db, store_statement(which),
		    -1, &q.stmt, NULL);
	}
	return q;
}

void
query_end(struct query *q)
{
	if (q->stmt == NULL)
		return;
	if (q->ours) {
		sqlite3_finalize(q->stmt);
		return;
	}
	sqlite3_reset(q->stmt);
	sqlite3_clear_bindings(q->stmt);	/* they borrow */
}

static void
bound(struct query *q, int rc)
{
	if (q->rc == SQLITE_OK)
		q->rc = rc;
}

void
query_int(struct query *q, int64_t v)
{
	bound(q, sqlite3_bind_int64(q->stmt, ++q->bound, v));
}

void
query_int_or_null(struct query *q, int64_t v)
{
	if (v == 0)
		bound(q, sqlite3_bind_null(q->stmt, ++q->bound));
	else
		query_int(q, v);
}

void
query_text_cut(struct query *q, const char *s, size_t max)
{
	size_t n = s == NULL ? 0 : strlen(s);

	if (n > max) {
		/* Not within a UTF-8 sequence. */
		for (n = max; n > 0 && (s[n] & 0xc0) == 0x80; n--)
			;
	}
	bound(q, sqlite3_bind_text64(q->stmt, ++q->bound,
	    s == NULL ? "" : s, n, SQLITE_STATIC, SQLITE_UTF8));
}

void
query_text(struct query *q, const char *s)
{
	query_text_cut(q, s, INT_MAX);
}

void
query_blob(struct query *q, struct bytes v)
{
	/* A NULL pointer would bind NULL, not the empty blob. */
	bound(q, sqlite3_bind_blob64(q->stmt, ++q->bound,
	    v.len == 0 ? (const void *)"" : v.data, v.len, SQLITE_STATIC));
}

void
query_blob_or_null(struct query *q, const uint8_t *data, size_t len)
{
	if (data == NULL)
		bound(q, sqlite3_bind_null(q->stmt, ++q->bound));
	else
		query_blob(q, (struct bytes){ data, len });
}

void
query_serial(struct query *q, const struct serial *serial)
{
	query_blob(q, (struct bytes){ serial->octets, serial->len });
}

int
query_step(struct query *q, struct err *err)
{
	int rc = q->rc == SQLITE_OK ? sqlite3_step(q->stmt) : q->rc;

	if (rc == SQLITE_ROW)
		return 0;
	if (rc == SQLITE_DONE)
		return 1;
	return store_fail(q->store->db, sqlite3_extended_errcode(q->store->db), err);
}

int
query_run(struct query *q, int *changed, struct err *err)
{
	if (query_step(q, err) == -1)
		return -1;
	if (changed != NULL)
		*changed = sqlite3_changes(q->store->db);
	return 0;
}

int64_t
column_int(const struct query *q, int i)
{
	return sqlite3_column_int64(q->stmt, i);
}

const char *
column_text(const struct query *q, int i)
{
	const unsigned char *s = sqlite3_column_text(q->stmt, i);

	return s == NULL ? "" : (const char *)s;
}

struct bytes
column_blob(const struct query *q, int i)
{
	const uint8_t *data = sqlite3_column_blob(q->stmt, i);

	return (struct bytes){ data,
	    (size_t)sqlite3_column_bytes(q->stmt, i) };
}

bool
column_fixed(const struct query *q, int i, uint8_t *out, size_t len)
{
	struct bytes b = column_blob(q, i);

	if (b.len != len)
		return false;
	memcpy(out, b.data, len);
	return true;
}

bool
column_serial(const struct query *q, int i, struct serial *out)
{
	struct bytes b = column_blob(q, i);

	*out = (struct serial){ 0 };
	if (b.len < 1 || b.len > sizeof(out->octets))
		return false;
	memcpy(out->octets, b.data, b.len);
	out->len = (uint8_t)b.len;
	return true;
}

/* --- transactions -------------------------------------------------------- */

static int
run(struct store *store, enum statement which, struct err *err)
{
	QUERY(q, store, which);

	return query_run(&q, NULL, err);
}

int
store_begin(struct store *store, struct err *err)
{
	if (store->read_only || store->writing || store->reading)
		return err_set(err, ERR_FAULT, store->read_only ?
		    "the store is open for reading only" :
		    "a transaction is open already");
	if (run(store, Q_BEGIN, err) == -1)
		return -1;
	store->writing = true;
	return 0;
}

int
store_check_writing(const struct store *store, struct err *err)
{
	if (!store->writing)
		return err_set(err, ERR_FAULT,
		    "the store is written outside a transaction");
	/* A full disk or an I/O error may take back everything. */
	if (sqlite3_get_autocommit(store->db) != 0)
		return err_set(err, ERR_RETRY,
		    "the store took the transaction back");
	return 0;
}

int
store_commit(struct store *store, struct err *err)
{
	if (store_check_writing(store, err) == -1 ||
	    run(store, Q_COMMIT, err) == -1) {
		store_rollback(store);
		return -1;
	}
	store->writing = false;
	return 0;
}

void
store_rollback(struct store *store)
{
	struct err ignored;

	if (store->db != NULL && sqlite3_get_autocommit(store->db) == 0)
		(void)run(store, Q_ROLLBACK, &ignored);
	store->writing = false;
	store->reading = false;
}

int
store_savepoint(struct store *store, struct err *err)
{
	return store_check_writing(store, err) == -1 ? -1 :
	    run(store, Q_SAVEPOINT, err);
}

int
store_release_savepoint(struct store *store, struct err *err)
{
	return store_check_writing(store, err) == -1 ? -1 :
	    run(store, Q_RELEASE, err);
}

void
store_rollback_to_savepoint(struct store *store)
{
	struct err ignored;

	/* ROLLBACK TO undoes and keeps the savepoint open: end it too. */
	if (store_check_writing(store, &ignored) == 0 &&
	    run(store, Q_ROLLBACK_TO, &ignored) == 0)
		(void)run(store, Q_RELEASE, &ignored);
}

int
store_read_begin(struct store *store, struct err *err)
{
	uint64_t now;

	if (store->writing || store->reading)
		return err_set(err, ERR_FAULT,
		    "a transaction is open already");
	if (run(store, Q_READ_BEGIN, err) == -1)
		return -1;
	store->reading = true;
	/* BEGIN alone waits for the first look: take the snapshot now. */
	if (store_last_change(store, &now, err) == -1) {
		store_read_end(store);
		return -1;
	}
	return 0;
}

void
store_read_end(struct store *store)
{
	if (store->reading)
		store_rollback(store);
}

int
store_next_change(struct store *store, uint64_t *out, struct err *err)
{
	QUERY(q, store, Q_NEXT_CHANGE);
	int r = query_step(&q, err);

	if (r != 0)
		return r == 1 ? store_corrupt(&q, err) : -1;
	*out = (uint64_t)column_int(&q, 0);
	return 0;
}

int
store_last_change(struct store *store, uint64_t *out, struct err *err)
{
	QUERY(q, store, Q_LAST_CHANGE);
	int r = query_step(&q, err);

	if (r != 0)
		return r == 1 ? store_corrupt(&q, err) : -1;
	*out = (uint64_t)column_int(&q, 0);
	return 0;
}

int64_t
store_last_id(const struct store *store)
{
	return sqlite3_last_insert_rowid(store->db);
}

sqlite3 *
store_database(struct store *store)
{
	return store->db;
}
