#include "csrmaild/drop.h"

#include "csrmaild/drop_name.h"
#include "csrmaild/settings.h"

#include "common/err.h"
#include "common/frame.h"
#include "common/log.h"

#include <sys/inotify.h>
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_NUMBER	10000	/* files of one name in one folder */

OWNED_BY(DIR, closedir)

/* A file that was looked at, and since when it has been as it is. */
struct seen {
	char		 name[DROP_MAX_NAME + 1];
	struct stat	 st;		/* st_ino 0: only heard of */
	int64_t		 since_ms;
	bool		 arrived;	/* renamed into its place */
	bool		 there;		/* at this look */
};

struct drop {
	int		 in;		/* owned, as are the next */
	int		 folders[5];	/* by enum outcome */
	int		 events;	/* inotify; -1: none */
	struct seen	 seen[DROP_MAX_SEEN];
	size_t		 n_seen;
	char		 refused[256];
};

/* --- opening ------------------------------------------------------------------ */
static int
open_folders(struct drop *drop, const struct mailbox_settings *m,
    struct err *err)
{
	for (int i = OUTCOME_PROCESSED; i <= OUTCOME_UNREADABLE; i++) {
		const char *name = m->folders[i];

		drop->folders[i] = openat(drop->in, name, O_RDONLY |
		    O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		/* Else nothing could ever leave the inbox. */
		if (drop->folders[i] < 0 || faccessat(drop->folders[i], ".",
		    W_OK | X_OK, AT_EACCESS) == -1)
			return err_set(err, ERR_RETRY, "%.150s/%.50s: %s",
			    m->inbox, name, strerror(errno));
	}
	return 0;
}

void
drop_prepare(const struct mailbox_settings *m)
{
	OWNED_FD in = open(m->inbox, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (int i = OUTCOME_PROCESSED; in >= 0 &&
	    i <= OUTCOME_UNREADABLE; i++)
		(void)!mkdirat(in, m->folders[i], 0750);
}

int
drop_open(const struct mailbox_settings *m, struct drop **out,
    struct err *err)
{
	OWNED_STRUCT(drop) *drop = calloc(1, sizeof(*drop));

	if (drop == NULL)
		return err_set(err, ERR_RETRY, "out of memory");
	drop->in = drop->events = -1;
	for (size_t i = 0; i < 5; i++)
		drop->folders[i] = -1;
	drop->in = open(m->inbox, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (drop->in < 0 ||
	    faccessat(drop->in, ".", W_OK | X_OK, AT_EACCESS) == -1)
		return err_set(err, ERR_RETRY, "%.150s: %s", m->inbox,
		    strerror(errno));
	if (open_folders(drop, m, err) == -1)
		return -1;
	drop->events = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (drop->events >= 0 && inotify_add_watch(drop->events, m->inbox,
	    IN_CREATE | IN_CLOSE_WRITE | IN_MOVED_TO | IN_ONLYDIR) == -1) {
		close(drop->events);
		drop->events = -1;
	}
	*out = TAKE(drop);
	return 0;
}

void
drop_free(struct drop *drop)
{
	if (drop == NULL)
		return;
	if (drop->in >= 0)
		close(drop->in);
	if (drop->events >= 0)
		close(drop->events);
	for (size_t i = 0; i < 5; i++)
		if (drop->folders[i] >= 0)
			close(drop->folders[i]);
	free(drop);
}

int
drop_fd(const struct drop *drop)
{
	return drop->events;
}

const char *
drop_refused(const struct drop *drop)
{
	return drop->refused;
}

/* --- what is there -------------------------------------------------------------- */
static bool
is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
	    a->st_size == b->st_size &&
	    a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	    a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* NULL: no room for one more. */
static struct seen *
find(struct drop *drop, const char *name)
{
	struct seen *seen;

	for (size_t i = 0; i < drop->n_seen; i++)
		if (strcmp(drop->seen[i].name, name) == 0)
			return &drop->seen[i];
	if (drop->n_seen == DROP_MAX_SEEN ||
	    strlen(name) > DROP_MAX_NAME)
		return NULL;
	seen = &drop->seen[drop->n_seen++];
	*seen = (struct seen){ 0 };
	memcpy(seen->name, name, strlen(name) + 1);
	return seen;
}

static void
forget_absent(struct drop *drop)
{
	size_t kept = 0;

	for (size_t i = 0; i < drop->n_seen; i++)
		if (drop->seen[i].there)
			drop->seen[kept++] = drop->seen[i];
	drop->n_seen = kept;
}

/* Which files came by a rename. What is lost, when too much happens, costs a
 * second look. */
static void
hear(struct drop *drop)
{
	_Alignas(struct inotify_event) char octets[8192];
	ssize_t n;

	while (drop->events >= 0 &&
	    (n = read(drop->events, octets, sizeof(octets))) > 0)
		for (ssize_t at = 0; at < n;) {
			const struct inotify_event *event =
			    (const void *)(octets + at);
			struct seen *seen;

			at += (ssize_t)(sizeof(*event) + event->len);
			if ((event->mask & IN_MOVED_TO) == 0 ||
			    event->len == 0 || drop_is_ignored(event->name))
				continue;
			seen = find(drop, event->name);
			if (seen != NULL)
				seen->arrived = true;
		}
}

static const char *
plain_of(const char *name, char out[WIRE_MAX_FILE + 1])
{
	drop_plain_name(name, out);
	return out;
}

static void
refuse(struct drop *drop, const char *name, const char *why)
{
	char plain[WIRE_MAX_FILE + 1];

	if (drop->refused[0] == '\0')
		snprintf(drop->refused, sizeof(drop->refused),
		    "%.150s is not taken: %s", plain_of(name, plain), why);
}

/* Why it is nothing that we read; NULL: it is. */
static const char *
unfit(const struct stat *st)
{
	if (S_ISLNK(st->st_mode))
		return "it is a symbolic link";
	if (!S_ISREG(st->st_mode))
		return "it is not a regular file";
	return st->st_nlink == 1 ? NULL :
	    "it has a second name (a hard link)";
}

/* 1: it is whole. */
static bool
is_whole(struct seen *seen, const struct stat *st, int64_t now_ms,
    bool *settling)
{
	bool settled = seen->st.st_ino != 0 && is_same(&seen->st, st) &&
	    now_ms - seen->since_ms >= DROP_SETTLE_MS;

	if (seen->arrived || settled) {
		seen->st = *st;
		return true;
	}
	if (seen->st.st_ino == 0 || !is_same(&seen->st, st)) {
		seen->st = *st;
		seen->since_ms = now_ms;
	}
	*settling = true;
	return false;
}

/* What one name is; *file when it is whole. */
static bool
look_at(struct drop *drop, const char *name, int64_t now_ms,
    struct drop_file *file, bool *settling)
{
	const char *why;
	struct seen *seen;
	struct stat st;

	if (drop_is_ignored(name) ||
	    fstatat(drop->in, name, &st, AT_SYMLINK_NOFOLLOW) == -1 ||
	    S_ISDIR(st.st_mode))
		return false;
	why = unfit(&st);
	if (why == NULL && faccessat(drop->in, name, R_OK,
	    AT_EACCESS | AT_SYMLINK_NOFOLLOW) == -1)
		why = "we may not read it";
	if (why != NULL) {
		refuse(drop, name, why);
		return false;
	}
	seen = find(drop, name);
	if (seen == NULL) {
		*settling = true;
		return false;
	}
	seen->there = true;
	if (!is_whole(seen, &st, now_ms, settling))
		return false;
	memcpy(file->name, seen->name, sizeof(file->name));
	file->st = st;
	return true;
}

static int
cannot_list(struct err *err)
{
	return err_set(err, ERR_RETRY, "listing the inbox: %s",
	    strerror(errno));
}

int
drop_look(struct drop *drop, int64_t now_ms, struct drop_file *files,
    size_t max, size_t *n, bool *settling, struct err *err)
{
	int fd = openat(drop->in, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	OWNED(DIR) *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (dir == NULL) {
		if (fd >= 0)
			close(fd);
		return cannot_list(err);
	}
	*n = 0;
	*settling = false;
	drop->refused[0] = '\0';
	hear(drop);
	for (size_t i = 0; i < drop->n_seen; i++)
		drop->seen[i].there = false;
	while (*n < max) {
		errno = 0;
		entry = readdir(dir);
		if (entry == NULL && errno != 0)
			return cannot_list(err);
		if (entry == NULL)
			break;
		if (look_at(drop, entry->d_name, now_ms, &files[*n], settling))
			(*n)++;
	}
	/* Of a list that was cut short, absence means nothing. */
	if (*n < max)
		forget_absent(drop);
	return 0;
}

/* --- one file --------------------------------------------------------------------- */
static void
look_again(struct drop *drop, const char *name)
{
	struct seen *seen = find(drop, name);

	if (seen == NULL)
		return;
	seen->st.st_ino = 0;
	seen->arrived = false;
}

static int
read_all(int fd, size_t limit, struct buf *out, struct err *err)
{
	uint8_t octets[16384];
	ssize_t n;

	while (limit > 0 && (n = read(fd, octets, limit < sizeof(octets) ?
	    limit : sizeof(octets))) != 0) {
		if (n < 0)
			return err_set(err, ERR_RETRY, "reading a file: %s",
			    strerror(errno));
		if (buf_append(out, octets, (size_t)n) == -1)
			return err_set(err, ERR_RETRY, "out of memory");
		limit -= (size_t)n;
	}
	return 0;
}

int
drop_read(struct drop *drop, const struct drop_file *file, size_t limit,
    struct buf *out, struct err *err)
{
	OWNED_FD fd = openat(drop->in, file->name, O_RDONLY | O_NOFOLLOW |
	    O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) == -1 || unfit(&st) != NULL ||
	    !is_same(&st, &file->st)) {
		look_again(drop, file->name);
		return 1;
	}
	if (read_all(fd, limit, out, err) == -1)
		return -1;
	if (fstat(fd, &st) == 0 && is_same(&st, &file->st) &&
	    (limit < (size_t)st.st_size || out->len == (size_t)st.st_size))
		return 0;
	look_again(drop, file->name);
	return 1;
}

void
drop_put_place(const struct drop_file *file, struct buf *out)
{
	put_str(out, file->name);
	put_time(out, file->st.st_ctim.tv_sec);
	put_u32(out, (uint32_t)file->st.st_ctim.tv_nsec);
}

int
drop_rename(int from, const char *name, int to, const char *new_name)
{
	struct stat st;

	if (renameat2(from, name, to, new_name, RENAME_NOREPLACE) == 0)
		return 0;
	/* A file system that cannot do it in one step. */
	if (errno != EINVAL)
		return -1;
	if (fstatat(to, new_name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		errno = EEXIST;
		return -1;
	}
	return errno == ENOENT ? renameat(from, name, to, new_name) : -1;
}

/* "name", "name.2", "name.3": as many octets of the name as fit. */
static void
numbered(const char *name, unsigned int number, char out[DROP_MAX_NAME + 1])
{
	char end[16] = "";

	if (number > 1)
		snprintf(end, sizeof(end), ".%u", number);
	snprintf(out, DROP_MAX_NAME + 1, "%.*s%s",
	    (int)(DROP_MAX_NAME - strlen(end)), name, end);
}

int
drop_move(struct drop *drop, const struct drop_file *file,
    enum outcome outcome, struct err *err)
{
	char to[DROP_MAX_NAME + 1], plain[WIRE_MAX_FILE + 1];
	struct stat st;

	if (fstatat(drop->in, file->name, &st, AT_SYMLINK_NOFOLLOW) == -1 ||
	    st.st_dev != file->st.st_dev || st.st_ino != file->st.st_ino) {
		look_again(drop, file->name);
		return 1;
	}
	for (unsigned int i = 1; i <= MAX_NUMBER; i++) {
		numbered(file->name, i, to);
		if (drop_rename(drop->in, file->name, drop->folders[outcome],
		    to) == 0)
			return 0;
		if (errno != EEXIST)
			return err_set(err, ERR_RETRY, "moving %.150s to %s: "
			    "%s", plain_of(file->name, plain),
			    outcome_name(outcome), strerror(errno));
	}
	return err_set(err, ERR_RETRY, "moving %.150s to %s: there are too "
	    "many of that name", plain_of(file->name, plain),
	    outcome_name(outcome));
}
