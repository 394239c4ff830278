#include "common/store_private.h"

#include "common/err.h"
#include "common/owned.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define APPLICATION_ID		1129534029	/* schema/0001-store.sql */
#define BUSY_TIMEOUT_MS		300	/* a longer wait is the role loop's */
#define WAL_LIMIT_OCTETS	"16777216"

static int
exec(struct store *store, const char *text, struct err *err)
{
	if (sqlite3_exec(store->db, text, NULL, NULL, NULL) == SQLITE_OK)
		return 0;
	return store_fail(store->db, sqlite3_extended_errcode(store->db), err);
}

int
store_ask(struct store *store, const char *text, int64_t *out, struct err *err)
{
	sqlite3_stmt *stmt;
	int rc = sqlite3_prepare_v2(store->db, text, -1, &stmt, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		*out = sqlite3_column_int64(stmt, 0);
	else
		store_fail(store->db, sqlite3_extended_errcode(store->db), err);
	sqlite3_finalize(stmt);
	return rc == SQLITE_ROW ? 0 : -1;
}

static int
check_version(struct store *store, int64_t *version, struct err *err)
{
	int64_t application, tables;

	if (store_ask(store, "PRAGMA user_version", version, err) == -1 ||
	    store_ask(store, "PRAGMA application_id", &application, err) == -1 ||
	    store_ask(store, "SELECT count(*) FROM sqlite_schema", &tables,
	    err) == -1)
		return -1;
	if (*version > STORE_SCHEMA_STEPS)
		return err_set(err, ERR_FAULT, "the store has schema %lld, "
		    "this program knows up to %u: run the newer csrmail",
		    (long long)*version, STORE_SCHEMA_STEPS);
	if (*version < 0 || (tables > 0 && application != APPLICATION_ID))
		return err_set(err, ERR_FAULT,
		    "this database is not a store of csrmail");
	return 0;
}

static int
check_references(struct store *store, struct err *err)
{
	int64_t broken;

	if (store_ask(store, "SELECT count(*) FROM pragma_foreign_key_check",
	    &broken, err) == -1)
		return -1;
	return broken == 0 ? 0 : err_set(err, ERR_FAULT, "the store has %lld "
	    "rows that refer to nothing: it is corrupt", (long long)broken);
}

/* All steps that are missing, in one transaction. */
static int
bring_up_to_date(struct store *store, struct err *err)
{
	int64_t version;

	if (check_version(store, &version, err) == -1)
		return -1;
	if (version == STORE_SCHEMA_STEPS)
		return 0;
	/* A step may build a table anew, to which others refer. */
	if (exec(store, "PRAGMA foreign_keys = OFF", err) == -1 ||
	    exec(store, "BEGIN EXCLUSIVE", err) == -1)
		return -1;
	/* Again, now that nobody else can be doing the same. */
	if (check_version(store, &version, err) == -1) {
		store_rollback(store);
		return -1;
	}
	for (unsigned int v = (unsigned int)version + 1;
	    v <= STORE_SCHEMA_STEPS; v++)
		if (exec(store, store_schema_step(v), err) == -1) {
			store_rollback(store);
			return -1;
		}
	if (check_references(store, err) == -1 ||
	    exec(store, "COMMIT", err) == -1) {
		store_rollback(store);
		return -1;
	}
	return 0;
}

static int
set_up_writer(struct store *store, struct err *err)
{
	int keep = 1;

	/*
	 * Who may only read the folder cannot make the two files beside the
	 * database, so they must stay when the last writer leaves.
	 */
	if (sqlite3_file_control(store->db, NULL, SQLITE_FCNTL_PERSIST_WAL,
	    &keep) != SQLITE_OK)
		return err_set(err, ERR_FAULT, "the store has no WAL");
	if (exec(store, "PRAGMA journal_mode = WAL", err) == -1 ||
	    exec(store, "PRAGMA synchronous = FULL", err) == -1 ||
	    exec(store, "PRAGMA journal_size_limit = " WAL_LIMIT_OCTETS,
	    err) == -1 ||
	    bring_up_to_date(store, err) == -1)
		return -1;
	return exec(store, "PRAGMA foreign_keys = ON", err);
}

static int
set_up_reader(struct store *store, struct err *err)
{
	int64_t version;

	if (exec(store, "PRAGMA query_only = ON", err) == -1 ||
	    check_version(store, &version, err) == -1)
		return -1;
	if (version < STORE_SCHEMA_STEPS)
		return err_set(err, ERR_RETRY, "the store has schema %lld, "
		    "this program needs %u: start csrmaild first",
		    (long long)version, STORE_SCHEMA_STEPS);
	return 0;
}

/* 0640 whatever the umask; the files beside it take the same from SQLite. */
static int
create_file(const char *path, struct err *err)
{
	OWNED_FD fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC |
	    O_NOFOLLOW, 0640);

	if (fd == -1 && errno == EEXIST)
		return 0;
	if (fd == -1 || fchmod(fd, 0640) == -1) {
		err_errno(err, ERR_RETRY, "creating the store");
		return -1;
	}
	return 0;
}

int
store_open(const char *path, enum store_mode mode, struct store **out,
    struct err *err)
{
	OWNED_STRUCT(store) *store = calloc(1, sizeof(*store));
	int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW |
	    SQLITE_OPEN_EXRESCODE;
	int rc;

	if (store == NULL)
		return err_errno(err, ERR_RETRY, "opening the store");
	store->read_only = mode != STORE_READ_WRITE;
	if (!store->read_only && create_file(path, err) == -1)
		return -1;
	flags |= store->read_only ? SQLITE_OPEN_READONLY :
	    SQLITE_OPEN_READWRITE;
	rc = sqlite3_open_v2(path, &store->db, flags, NULL);
	if (rc != SQLITE_OK)
		return store_fail(store->db, rc, err);
	sqlite3_busy_timeout(store->db, BUSY_TIMEOUT_MS);
	sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(store->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(store->db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
	sqlite3_db_config(store->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
	/* No temporary files: roles may write nowhere else. */
	if (exec(store, "PRAGMA temp_store = MEMORY", err) == -1)
		return -1;
	if ((mode == STORE_INDEX ? store_check_index(store, err) :
	    store->read_only ? set_up_reader(store, err) :
	    set_up_writer(store, err)) == -1)
		return -1;
	*out = TAKE(store);
	return 0;
}

bool
store_file(const char *path, unsigned int i, char *out, size_t size)
{
	static const char *const ends[] = { "", "-wal", "-shm" };

	if (i >= sizeof(ends) / sizeof(ends[0]))
		return false;
	snprintf(out, size, "%s%s", path, ends[i]);
	return true;
}

void
store_free(struct store *store)
{
	if (store == NULL)
		return;
	store_rollback(store);
	for (size_t i = 0; i < N_STATEMENTS; i++)
		sqlite3_finalize(store->stmts[i]);
	sqlite3_close(store->db);
	free(store);
}
