#include "csrmaild/ctl/restore_private.h"

#include "csrmaild/ctl/ctl.h"

#include "common/err.h"
#include "common/owned.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void
restore_path(char out[PATH_MAX], const char *folder, const char *name)
{
	snprintf(out, PATH_MAX, "%.3500s/%.500s", folder, name);
}

bool
restore_is_there(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

off_t
restore_size_of(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? st.st_size : -1;
}

bool
restore_is_crl(const char *name)
{
	const char *dot = strrchr(name, '.');

	/* NAME.crl, NAME.2.crl, NAME.delta.crl and the same in PEM. */
	return dot != NULL && (strcmp(dot, ".crl") == 0 ||
	    (strcmp(dot, ".pem") == 0 && strstr(name, ".crl.") != NULL));
}

/* --- copies -------------------------------------------------------------- */

/* mode counts whatever the umask is. A file that is there is refused. */
int
restore_copy_file(struct restoring *r, const char *from, const char *to,
    mode_t mode)
{
	OWNED_FD in = open(from, O_RDONLY | O_NOFOLLOW | O_CLOEXEC |
	    O_NONBLOCK);
	OWNED_FD out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW |
	    O_CLOEXEC, 0600);
	char octets[64 * 1024];
	struct stat st;
	ssize_t n = 0;

	if ((in < 0 && errno == ELOOP) ||
	    (in >= 0 && fstat(in, &st) == 0 && !S_ISREG(st.st_mode)))
		return ctl_fail(r->ctl, EX_NOINPUT, r->err,
		    "%s: it is no plain file", from);
	if (in < 0 || out < 0)
		return ctl_fail(r->ctl, in < 0 ? EX_NOINPUT : EX_CANTCREAT,
		    r->err, "%s: %s", in < 0 ? from : to, strerror(errno));
	while ((n = read(in, octets, sizeof(octets))) > 0)
		if (write(out, octets, (size_t)n) != n)
			return err_errno(r->err, ERR_RETRY, "copying a file");
	if (n < 0 || fchmod(out, mode) < 0 || fsync(out) < 0)
		return err_errno(r->err, ERR_RETRY, "copying a file");
	return 0;
}

int
restore_make_folder(struct restoring *r, const char *path)
{
	return mkdir(path, 0700) == 0 || errno == EEXIST ? 0 :
	    ctl_fail(r->ctl, EX_CANTCREAT, r->err, "%s: %s", path,
	    strerror(errno));
}

/* Depth three is all that a backup has. */
void
restore_remove_tree(const char *folder, int depth)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;
	char path[PATH_MAX];

	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 ||
		    strcmp(entry->d_name, "..") == 0)
			continue;
		restore_path(path, folder, entry->d_name);
		if (unlink(path) < 0 && depth > 0)
			restore_remove_tree(path, depth - 1);
	}
	if (dir != NULL)
		closedir(dir);
	rmdir(folder);
}

void
restore_remove_leftovers(const struct restoring *r)
{
	static const char begin[] = "restore.";
	DIR *dir = opendir(r->state);
	const struct dirent *entry;
	char path[PATH_MAX];
	struct stat st;

	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		const char *name = entry->d_name;

		/* As mkdtemp names them. */
		if (strncmp(name, begin, strlen(begin)) != 0 ||
		    strlen(name) != strlen(begin) + 6)
			continue;
		restore_path(path, r->state, name);
		if (lstat(path, &st) < 0 || !S_ISDIR(st.st_mode))
			continue;
		restore_remove_tree(path, 3);
		fprintf(r->ctl->json ? stderr : stdout, "%s removed: a restore "
		    "that was broken off has left it\n", path);
	}
	if (dir != NULL)
		closedir(dir);
}

/* --- into place ---------------------------------------------------------- */

struct owner {
	uid_t		 uid;
	gid_t		 gid;
};

static int
place_file(struct restoring *r, const char *from, const char *to,
    mode_t mode, struct owner owner)
{
	char part[PATH_MAX];

	restore_path(part, r->work, "part");
	unlink(part);
	if (restore_copy_file(r, from, part, mode) != 0)
		return -1;
	if ((geteuid() == 0 && lchown(part, owner.uid, owner.gid) < 0) ||
	    rename(part, to) < 0)
		return ctl_fail(r->ctl, EX_CANTCREAT, r->err, "%s: %s", to,
		    strerror(errno));
	return 0;
}

static int
place_folder(struct restoring *r, const char *name, mode_t folder_mode,
    mode_t mode, struct owner owner)
{
	char from[PATH_MAX], to[PATH_MAX], a[PATH_MAX], b[PATH_MAX];
	const struct dirent *entry;
	DIR *dir;
	int n = 0;

	restore_path(from, r->work, name);
	restore_path(to, r->state, name);
	if (!restore_is_there(to)) {
		if (mkdir(to, 0700) < 0 || (geteuid() == 0 &&
		    lchown(to, owner.uid, owner.gid) < 0) ||
		    chmod(to, folder_mode) < 0)
			return ctl_fail(r->ctl, EX_CANTCREAT, r->err,
			    "%s: %s", to, strerror(errno));
	}
	dir = opendir(from);
	while (n == 0 && dir != NULL && (entry = readdir(dir)) != NULL) {
		bool is_journal = strcmp(name, "journal") == 0;

		if (entry->d_name[0] == '.')
			continue;
		restore_path(a, from, entry->d_name);
		restore_path(b, to, entry->d_name);
		/* What is there stays, but for a journal that is shorter. A
		 * CRL of the backup is an old one: the next start makes a
		 * new one. */
		if (restore_is_crl(entry->d_name) || (restore_is_there(b) &&
		    (!is_journal || restore_size_of(b) >= restore_size_of(a))))
			continue;
		n = place_file(r, a, b, mode, owner);
	}
	if (dir != NULL)
		closedir(dir);
	return n;
}

/* NAME.before-restore, or with a number behind it. */
static int
move_aside(struct restoring *r)
{
	static const char *const ends[] = { "", "-wal", "-shm" };
	char from[PATH_MAX], to[PATH_MAX], name[64];

	for (int i = 1; i < 100; i++) {
		snprintf(name, sizeof(name), i == 1 ?
		    "store.db.before-restore" : "store.db.before-restore.%d",
		    i);
		restore_path(to, r->state, name);
		if (restore_is_there(to))
			continue;
		for (size_t k = 0; k < 3; k++) {
			char whole[PATH_MAX + 8];

			snprintf(whole, sizeof(whole), "%s%s", to, ends[k]);
			snprintf(name, sizeof(name), "store.db%s", ends[k]);
			restore_path(from, r->state, name);
			if (restore_is_there(from) && rename(from, whole) < 0)
				return ctl_fail(r->ctl, EX_CANTCREAT, r->err,
				    "%s: %s", whole, strerror(errno));
		}
		return 0;
	}
	return ctl_fail(r->ctl, EX_CANTCREAT, r->err,
	    "there are a hundred stores from before a restore in %s",
	    r->state);
}

int
restore_put_into_place(struct restoring *r, const struct hold *hold)
{
	struct owner signer = { hold->ceremony.sign_uid,
		hold->ceremony.sign_gid };
	struct owner registrar = { hold->ceremony.store_uid,
		hold->ceremony.store_gid };
	char from[PATH_MAX], to[PATH_MAX];
	OWNED_FD fd = -1;

	if (place_folder(r, "journal", 0700, 0600, signer) != 0 ||
	    place_folder(r, "keys", 0700, 0600, signer) != 0 ||
	    place_folder(r, "published", 0755, 0644, registrar) != 0)
		return -1;
	restore_path(from, r->work, "merged.db");
	restore_path(to, r->state, "store.db");
	if (restore_is_there(to) && move_aside(r) != 0)
		return -1;
	if (place_file(r, from, to, 0640, registrar) != 0)
		return -1;
	fd = open(r->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd >= 0 && fsync(fd) == 0 ? 0 :
	    err_errno(r->err, ERR_RETRY, "writing the folder");
}
