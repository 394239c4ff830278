#include "common/store_private.h"
#include "common/err.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#define BUSY_TRIES	100
#define BUSY_WAIT_MS	50

/*
 * All pages in one step: a snapshot, and the writer goes on meanwhile (WAL).
 * Page by page it would begin anew with each write of others.
 */
static int
copy_pages(sqlite3_backup *job)
{
	const struct timespec wait = { .tv_nsec = BUSY_WAIT_MS * 1000000L };
	int rc = SQLITE_BUSY;

	for (int i = 0; i < BUSY_TRIES && (rc == SQLITE_BUSY ||
	    rc == SQLITE_LOCKED); i++) {
		if (i > 0)
			nanosleep(&wait, NULL);
		rc = sqlite3_backup_step(job, -1);
	}
	return rc;
}

static int
copy(sqlite3 *from, const char *path)
{
	sqlite3 *to = NULL;
	sqlite3_backup *job;
	int rc = sqlite3_open_v2(path, &to, SQLITE_OPEN_READWRITE |
	    SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW, NULL);

	if (rc == SQLITE_OK) {
		job = sqlite3_backup_init(to, "main", from, "main");
		rc = job == NULL ? sqlite3_errcode(to) : copy_pages(job);
		if (job != NULL)
			sqlite3_backup_finish(job);
	}
	/* One file that needs none beside it. */
	if (rc == SQLITE_DONE)
		rc = sqlite3_exec(to, "PRAGMA journal_mode = DELETE", NULL,
		    NULL, NULL);
	sqlite3_close(to);
	return rc;
}

int
store_backup(struct store *store, const char *path, struct err *err)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW |
	    O_CLOEXEC, 0600);
	int rc;

	if (fd == -1)
		return err_errno(err, ERR_RETRY, "making a copy of the store");
	close(fd);
	rc = copy(store_database(store), path);
	if (rc == SQLITE_OK)
		return 0;
	unlink(path);
	err_set(err, rc == SQLITE_CORRUPT || rc == SQLITE_NOTADB ? ERR_FAULT :
	    ERR_RETRY, "the store cannot be copied: %s", sqlite3_errstr(rc));
	return -1;
}
