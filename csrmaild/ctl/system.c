#include "csrmaild/ctl/system.h"

#include "csrmaild/ctl/ctl.h"

#include "common/err.h"
#include "common/owned.h"

#include <sys/stat.h>
#include <sys/wait.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* docs/architecture.md has the table of roles and their users. */
static const char *const groups[] = { "csrmail-admin", "csrmail-security",
	"csrmail-audit" };
static const struct {
	const char	*name;
	const char	*group;		/* a further one, or NULL */
	const char	*what;
} users[] = {
	{ "csrmail",		NULL,		"csrmail registrar" },
	{ "csrmail-imap",	NULL,		"csrmail intake" },
	{ "csrmail-parse",	NULL,		"csrmail parser" },
	{ "csrmail-sign",	NULL,		"csrmail signer" },
	{ "csrmail-smtp",	NULL,		"csrmail submit" },
	{ "csrmail-api",	NULL,		"csrmail api" },
	{ "csrmail-exec",	NULL,		"csrmail exec" },
	{ "csrmail-seal",	NULL,		"csrmail sealer" },
	/* Reads the store, and its spool is read by the registrar. */
	{ "ocspd",		"csrmail",	"ocspd responder" },
	{ "ocspd-net",		NULL,		"ocspd front" },
};

static int
run(struct ctl *ctl, char *const *argv, struct err *err)
{
	char *const environment[] = {
		(char[]){ "PATH=/usr/sbin:/usr/bin:/sbin:/bin" }, NULL };
	pid_t pid;
	int status = -1;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		execvpe(argv[0], argv, environment);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return err_errno(err, ERR_RETRY, "starting a program");
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	return ctl_fail(ctl, EX_OSERR, err, "%s failed: make the user or "
	    "group %s by hand", argv[0], argv[1]);
}

int
system_make_users(struct ctl *ctl, unsigned int *made, struct err *err)
{
	*made = 0;
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		char *const argv[] = { (char[]){ "groupadd" },
			(char *)(uintptr_t)groups[i],
			(char[]){ "--system" }, NULL };

		if (getgrnam(groups[i]) != NULL)
			continue;
		if (run(ctl, argv, err) != 0)
			return -1;
		++*made;
	}
	for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++) {
		char *const argv[] = { (char[]){ "useradd" },
			(char *)(uintptr_t)users[i].name,
			(char[]){ "--system" }, (char[]){ "--user-group" },
			(char[]){ "--no-create-home" },
			(char[]){ "--home-dir" }, (char[]){ "/nonexistent" },
			(char[]){ "--shell" },
			(char[]){ "/usr/sbin/nologin" },
			(char[]){ "--comment" },
			(char *)(uintptr_t)users[i].what,
			(char[]){ "--groups" },
			(char *)(uintptr_t)(users[i].group == NULL ? "" :
			users[i].group), NULL };

		if (getpwnam(users[i].name) != NULL)
			continue;
		if (run(ctl, argv, err) != 0)
			return -1;
		++*made;
	}
	return 0;
}

/* The numbers of a user and a group; (uid_t)-1 leaves one as it is. */
static int
find_owner(const char *user, const char *group, uid_t *uid, gid_t *gid,
    struct err *err)
{
	const struct passwd *pw = *user == '\0' ? NULL : getpwnam(user);
	const struct group *gr = *group == '\0' ? NULL : getgrnam(group);

	*uid = pw == NULL ? (uid_t)-1 : pw->pw_uid;
	*gid = gr == NULL ? (gid_t)-1 : gr->gr_gid;
	if ((*user != '\0' && pw == NULL) || (*group != '\0' && gr == NULL))
		return err_set(err, ERR_FAULT, "there is no user or group "
		    "%s", pw == NULL ? user : group);
	return 0;
}

static int
make_parents(const char *path, struct err *err)
{
	OWNED_HEAP(char) *copy = strdup(path);

	for (char *p = copy == NULL ? NULL : strchr(copy + 1, '/'); p != NULL;
	    p = strchr(p + 1, '/')) {
		*p = '\0';
		if (mkdir(copy, 0755) == 0 && chmod(copy, 0755) != 0)
			return err_errno(err, ERR_FAULT, copy);
		if (errno != EEXIST && access(copy, F_OK) != 0)
			return err_errno(err, ERR_FAULT, copy);
		*p = '/';
	}
	return copy == NULL ? err_set(err, ERR_FAULT, "out of memory") : 0;
}

int
system_make_folder(struct ctl *ctl, const char *path, const char *user,
    const char *group, mode_t mode, struct err *err)
{
	OWNED_FD fd = -1;
	uid_t uid;
	gid_t gid;

	if (find_owner(user, group, &uid, &gid, err) != 0 ||
	    make_parents(path, err) != 0)
		return -1;
	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return ctl_fail(ctl, EX_CANTCREAT, err, "%s: %s", path,
		    strerror(errno));
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	/* chown(2) clears setgid, so the mode comes after. */
	if (fd < 0 || fchown(fd, uid, gid) != 0 || fchmod(fd, mode) != 0)
		return ctl_fail(ctl, EX_CANTCREAT, err, "%s: %s", path,
		    strerror(errno));
	return 0;
}

static bool
holds_just_this(const char *path, struct bytes text)
{
	OWNED_FD fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	OWNED_HEAP(uint8_t) *found = malloc(text.len + 1);

	return fd >= 0 && found != NULL &&
	    read(fd, found, text.len + 1) == (ssize_t)text.len &&
	    memcmp(found, text.data, text.len) == 0;
}

int
system_make_file(struct ctl *ctl, const char *path, struct bytes text,
    mode_t mode, struct err *err)
{
	OWNED_FD fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
	    0600);

	if (fd < 0 && errno == EEXIST && holds_just_this(path, text))
		return 0;
	if (fd < 0)
		return ctl_fail(ctl, EX_CANTCREAT, err, "%s: %s", path,
		    strerror(errno));
	if (write(fd, text.data, text.len) != (ssize_t)text.len ||
	    fchmod(fd, mode) != 0 || fsync(fd) != 0) {
		int saved = errno;

		unlink(path);
		return ctl_fail(ctl, EX_IOERR, err, "%s: %s", path,
		    strerror(saved));
	}
	return 0;
}

int
system_give_files(struct ctl *ctl, const char *folder, const char *prefix,
    const char *user, const char *group, struct err *err)
{
	const struct dirent *entry;
	DIR *dir = opendir(folder);
	uid_t uid;
	gid_t gid;
	int r = 0;

	if (dir == NULL)
		return ctl_fail(ctl, EX_IOERR, err, "%s: %s", folder,
		    strerror(errno));
	r = find_owner(user, group, &uid, &gid, err);
	while (r == 0 && (entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 ||
		    strcmp(entry->d_name, "..") == 0 ||
		    strncmp(entry->d_name, prefix, strlen(prefix)) != 0)
			continue;
		if (fchownat(dirfd(dir), entry->d_name, uid, gid,
		    AT_SYMLINK_NOFOLLOW) != 0)
			r = ctl_fail(ctl, EX_IOERR, err, "%s/%s: %s", folder,
			    entry->d_name, strerror(errno));
	}
	closedir(dir);
	return r;
}
