/*
 * backup: everything that makes up the CA, in one file, while the daemon runs.
 * The store first and the signer's journals after it, so that the journal is
 * never older. Keys stay where they are unless they are asked for.
 */
#include "csrmaild/ctl/backup_file.h"
#include "csrmaild/ctl/ctl.h"
#include "csrmaild/ctl/key_copy.h"
#include "csrmaild/settings.h"

#include "common/clock.h"
#include "common/err.h"
#include "common/owned.h"
#include "common/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_SIZE_MAX	((off_t)1 << 40)

struct backing {
	struct ctl	*ctl;
	struct backup_writer *out;
	char		 work[PATH_MAX];	/* a folder of ours; "" */
	char		 part[PATH_MAX];	/* the file, not yet named */
	unsigned int	 keys;
	struct err	*err;
};

/* --- files and folders --------------------------------------------------- */

static int
add_path(struct backing *b, const char *path, const char *name, bool optional)
{
	OWNED_FD fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC |
	    O_NONBLOCK);
	struct stat st;

	if (fd < 0 && errno == ENOENT && optional)
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		return ctl_fail(b->ctl, errno == EACCES ? EX_NOPERM :
		    EX_NOINPUT, b->err, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode) || st.st_size > FILE_SIZE_MAX)
		return optional ? 0 : ctl_fail(b->ctl, EX_NOINPUT, b->err,
		    "%s is no file", path);
	return backup_add_file(b->out, name, fd, b->err);
}

typedef int each_fn(struct backing *, const char *folder, const char *file,
	    const char *name);

/* Every file of the folder whose name does not begin with a dot; a temporary
 * one that is gone by now is no loss. */
static int
each_file(struct backing *b, const char *folder, const char *prefix,
    each_fn *fn)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;
	char name[BACKUP_NAME_MAX + 1];
	int r = 0;

	if (dir == NULL && errno == ENOENT)
		return 0;
	if (dir == NULL)
		return ctl_fail(b->ctl, errno == EACCES ? EX_NOPERM :
		    EX_NOINPUT, b->err, "%s: %s", folder, strerror(errno));
	while (r == 0 && (entry = readdir(dir)) != NULL) {
		size_t len = strlen(entry->d_name);

		if (entry->d_name[0] == '.' ||
		    (len > 4 && strcmp(entry->d_name + len - 4,
		    ".new") == 0) || snprintf(name, sizeof(name), "%s/%s",
		    prefix, entry->d_name) >= (int)sizeof(name))
			continue;
		r = fn(b, folder, entry->d_name, name);
	}
	closedir(dir);
	return r;
}

static int
add_file(struct backing *b, const char *folder, const char *file,
    const char *name)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/%s", folder, file) >=
	    (int)sizeof(path))
		return err_set(b->err, ERR_FAULT, "%s: its path is too long",
		    name);
	return add_path(b, path, name, true);
}

static int
add_key(struct backing *b, const char *folder, const char *file,
    const char *name)
{
	__attribute__((cleanup(buf_wipe))) struct buf key =
	    BUF((size_t)64 * 1024);
	bool is_token;

	(void)folder;
	if (key_copy(b->ctl, file, "passphrase-file", &key, &is_token,
	    b->err) != 0)
		return -1;
	b->keys++;
	return backup_add_bytes(b->out, name, buf_bytes(&key), b->err);
}

/* --- what belongs to it -------------------------------------------------- */

static int
add_store(struct backing *b, uint64_t *change)
{
	OWNED_STRUCT(store) *store = NULL;
	OWNED_STRUCT(store) *copy = NULL;
	char path[PATH_MAX + 16];

	snprintf(path, sizeof(path), "%s/store.db",
	    b->ctl->settings->state_dir);
	if (store_open(path, STORE_READ_ONLY, &store, b->err) != 0)
		return -1;
	snprintf(path, sizeof(path), "%s/store.db", b->work);
	if (store_backup(store, path, b->err) != 0 ||
	    store_open(path, STORE_READ_ONLY, &copy, b->err) != 0 ||
	    store_last_change(copy, change, b->err) != 0)
		return -1;
	return add_path(b, path, "store.db", false);
}

/* The configuration, for people: restore does not put it into place. */
static int
add_configuration(struct backing *b)
{
	static const char *const folders[] = { "profiles", "rules" };
	const struct settings *s = b->ctl->settings;
	char path[PATH_MAX], prefix[64];
	OWNED_HEAP(char) *copy = strdup(s->path);

	if (copy == NULL)
		return err_set(b->err, ERR_RETRY, "out of memory");
	if (add_path(b, s->path, b->ctl->folder != NULL ?
	    "configuration/folder.conf" : "configuration/csrmaild.conf",
	    true) != 0)
		return -1;
	snprintf(path, sizeof(path), "%s/ocspd.conf", dirname(copy));
	if (b->ctl->folder == NULL &&
	    add_path(b, path, "configuration/ocspd.conf", true) != 0)
		return -1;
	for (size_t i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s", s->policies_dir,
		    folders[i]);
		snprintf(prefix, sizeof(prefix), "configuration/policies/%s",
		    folders[i]);
		if (each_file(b, path, prefix, add_file) != 0)
			return -1;
	}
	return 0;
}

static int
add_all(struct backing *b, uint64_t *change)
{
	static const struct {
		const char	*folder;
		each_fn		*fn;
		const char	*option;	/* only with that; NULL */
	} folders[] = {
		/* Behind the store: what was signed since is in them. */
		{ "journal",	add_file,	NULL },
		{ "published",	add_file,	NULL },
		{ "keys",	add_key,	"with-keys" },
	};
	char path[PATH_MAX];

	if (add_store(b, change) != 0)
		return -1;
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		if (folders[i].option != NULL &&
		    ctl_option(b->ctl, folders[i].option) == NULL)
			continue;
		snprintf(path, sizeof(path), "%s/%s",
		    b->ctl->settings->state_dir, folders[i].folder);
		if (each_file(b, path, folders[i].folder, folders[i].fn) != 0)
			return -1;
	}
	return add_configuration(b);
}

/* --- the file ------------------------------------------------------------ */

/* Beside the file, so that the copy of the store is on the same disk. */
static int
make_work(struct backing *b, const char *path)
{
	const char *tmp = getenv("TMPDIR");
	OWNED_HEAP(char) *copy = strdup(path);

	if (copy == NULL)
		return err_set(b->err, ERR_RETRY, "out of memory");
	snprintf(b->work, sizeof(b->work), "%s/.csrmail-backup.XXXXXX",
	    strcmp(path, "-") != 0 ? dirname(copy) :
	    tmp != NULL ? tmp : "/tmp");
	if (mkdtemp(b->work) != NULL)
		return 0;
	b->work[0] = '\0';
	return ctl_fail(b->ctl, EX_CANTCREAT, b->err, "%s: %s", path,
	    strerror(errno));
}

static void
clean_up(struct backing *b)
{
	char path[PATH_MAX + 32];

	backup_free(b->out);
	if (b->part[0] != '\0')
		unlink(b->part);
	if (b->work[0] == '\0')
		return;
	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/store.db%s", b->work,
		    ((const char *[]){ "", "-wal", "-shm" })[i]);
		unlink(path);
	}
	rmdir(b->work);
}

static int
open_part(struct backing *b, const char *path, int *out)
{
	if (strcmp(path, "-") == 0) {
		*out = dup(STDOUT_FILENO);
		return *out < 0 ? err_errno(b->err, ERR_FAULT,
		    "writing the backup") : 0;
	}
	if (access(path, F_OK) == 0)
		return ctl_fail(b->ctl, EX_CANTCREAT, b->err,
		    "%s is there already, and is not replaced", path);
	snprintf(b->part, sizeof(b->part), "%.4000s/backup", b->work);
	*out = open(b->part, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW |
	    O_CLOEXEC, 0600);
	return *out >= 0 ? 0 : ctl_fail(b->ctl, EX_CANTCREAT, b->err,
	    "%s: %s", path, strerror(errno));
}

static int
give_name(struct backing *b, int fd, const char *path)
{
	if (b->part[0] == '\0')
		return 0;
	if (fsync(fd) < 0 || renameat2(AT_FDCWD, b->part, AT_FDCWD, path,
	    RENAME_NOREPLACE) < 0)
		return ctl_fail(b->ctl, EX_CANTCREAT, b->err, "%s: %s", path,
		    strerror(errno));
	b->part[0] = '\0';
	return 0;
}

static int
back_up(struct backing *b, const char *path)
{
	OWNED_FD fd = -1;
	uint64_t change = 0;

	if (!b->ctl->settings->unprivileged && geteuid() != 0)
		return ctl_fail(b->ctl, EX_NOPERM, b->err, "a backup is made "
		    "by root here, or by the one user of an unprivileged "
		    "system");
	if (make_work(b, path) != 0 || open_part(b, path, &fd) != 0 ||
	    backup_create(fd, &b->out, b->err) != 0 ||
	    add_all(b, &change) != 0 ||
	    backup_close(b->out, clock_now(), change, b->err) != 0 ||
	    give_name(b, fd, path) != 0)
		return -1;
	if (strcmp(path, "-") != 0 && !b->ctl->json)
		printf("%s is the CA as of change %llu, %s\n", path,
		    (unsigned long long)change, b->keys > 0 ?
		    "with its keys" : "without its keys");
	return 0;
}

int
ctl_backup(struct ctl *ctl, struct err *err)
{
	struct backing b = { .ctl = ctl, .err = err };
	int r = back_up(&b, ctl->args[0]);

	clean_up(&b);
	return r;
}

int
ctl_backup_verify(struct ctl *ctl, struct err *err)
{
	const char *path = ctl->args[0];
	OWNED_FD fd = ctl_open_file(ctl, path, err);
	struct backup_facts facts;
	char when[32] = "";
	struct tm tm;

	if (fd < 0)
		return -1;
	if (backup_read(fd, NULL, &facts, err) != 0)
		return -1;
	if (gmtime_r(&facts.time, &tm) != NULL)
		strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
	if (ctl->json) {
		json_t *o = json_pack("{ss,sI,si,sI,ss}", "time", when,
		    "change", (json_int_t)facts.change, "files",
		    (int)facts.members, "octets", (json_int_t)facts.octets,
		    "program", facts.program);

		table_print_json(o);
		json_decref(o);
	} else
		printf("%s is whole: made %s by csrmail %s, as of change "
		    "%llu, %u files\n", path, when, facts.program,
		    (unsigned long long)facts.change, facts.members);
	return 0;
}
