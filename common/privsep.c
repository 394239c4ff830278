#include "common/privsep.h"

#include "common/err.h"
#include "common/log.h"
#include "common/owned.h"

#include <linux/landlock.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Address-space limits and the sanitizers' shadow memory do not go together. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* Newer than Debian 12's headers; the kernel is asked what it knows. */
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE	(1ULL << 14)
#endif

void
privsep_harden_process(void)
{
	static const struct rlimit no_core = { 0, 0 };

	setrlimit(RLIMIT_CORE, &no_core);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	umask(027);
	signal(SIGPIPE, SIG_IGN);
}

int
privsep_find_identity(const char *user, struct identity *out, struct err *err)
{
	struct identity id = { .n_groups = 16 };
	struct passwd *pw;

	if (user[0] == '\0') {
		id.uid = geteuid();
		id.gid = getegid();
		id.n_groups = 0;
		*out = id;
		return 0;
	}
	pw = getpwnam(user);
	if (pw == NULL)
		return err_set(err, ERR_FAULT,
		    "there is no user %s: create the users with `csrmail "
		    "init` or systemd-sysusers, or set unprivileged = true",
		    user);
	id.uid = pw->pw_uid;
	id.gid = pw->pw_gid;
	if (getgrouplist(user, pw->pw_gid, id.groups, &id.n_groups) == -1)
		return err_set(err, ERR_FAULT,
		    "user %s is in more than 16 groups", user);
	*out = id;
	return 0;
}

int
privsep_become(const struct identity *id, struct err *err)
{
	if (geteuid() != 0) {
		if (id->uid == geteuid())
			return 0;
		return err_set(err, ERR_FAULT,
		    "only root can start a role as another user");
	}
	if (id->uid == 0)
		return 0;	/* root that was asked for no users at all */
	if (setgroups((size_t)id->n_groups, id->groups) == -1 ||
	    setresgid(id->gid, id->gid, id->gid) == -1 ||
	    setresuid(id->uid, id->uid, id->uid) == -1)
		return err_errno(err, ERR_FAULT, "becoming the role's user");
	if (setuid(0) != -1)
		return err_set(err, ERR_FAULT, "root could be taken back");
	return 0;
}

int
privsep_act_as(uid_t uid, gid_t gid, struct err *err)
{
	if (seteuid(0) == -1 || setegid(gid) == -1 || seteuid(uid) == -1)
		return err_errno(err, ERR_FAULT, "becoming a file's owner");
	return 0;
}

static int
limit(int what, rlim_t value, struct err *err)
{
	struct rlimit old, now = { value, value };

	if (getrlimit((__rlimit_resource_t)what, &old) == -1)
		return err_errno(err, ERR_FAULT, "reading a limit");
	if (old.rlim_max != RLIM_INFINITY && old.rlim_max < value)
		now.rlim_cur = now.rlim_max = old.rlim_max;
	if (setrlimit((__rlimit_resource_t)what, &now) == -1)
		return err_errno(err, ERR_FAULT, "setting a limit");
	return 0;
}

/* --- Landlock: files ---------------------------------------------------- */

#define READ_ACCESS	(LANDLOCK_ACCESS_FS_READ_FILE |			\
			LANDLOCK_ACCESS_FS_READ_DIR)
#define WRITE_ACCESS	(LANDLOCK_ACCESS_FS_WRITE_FILE |		\
			LANDLOCK_ACCESS_FS_REMOVE_FILE |		\
			LANDLOCK_ACCESS_FS_MAKE_REG |			\
			LANDLOCK_ACCESS_FS_MAKE_SOCK)
#define FILE_ACCESS	(LANDLOCK_ACCESS_FS_READ_FILE |			\
			LANDLOCK_ACCESS_FS_EXECUTE |			\
			LANDLOCK_ACCESS_FS_WRITE_FILE |			\
			LANDLOCK_ACCESS_FS_TRUNCATE)
#define EVERY_ACCESS	(READ_ACCESS | WRITE_ACCESS |			\
			LANDLOCK_ACCESS_FS_EXECUTE |			\
			LANDLOCK_ACCESS_FS_REMOVE_DIR |			\
			LANDLOCK_ACCESS_FS_MAKE_CHAR |			\
			LANDLOCK_ACCESS_FS_MAKE_DIR |			\
			LANDLOCK_ACCESS_FS_MAKE_FIFO |			\
			LANDLOCK_ACCESS_FS_MAKE_BLOCK |			\
			LANDLOCK_ACCESS_FS_MAKE_SYM)

static int
landlock_allow(int ruleset, const struct sandbox_path *path, uint64_t known,
    struct err *err)
{
	OWNED_FD fd = open(path->path, O_PATH | O_CLOEXEC);
	struct landlock_path_beneath_attr beneath = {
		.allowed_access = READ_ACCESS, .parent_fd = fd };
	struct stat st;

	if (fd < 0 && (errno == ENOENT || errno == EACCES))
		return 0;	/* what is not there cannot be reached */
	if (fd < 0 || fstat(fd, &st) == -1)
		return err_errno(err, ERR_FAULT, path->path);
	if (path->writable == SANDBOX_RUN)
		beneath.allowed_access |= LANDLOCK_ACCESS_FS_EXECUTE;
	else if (path->writable)
		beneath.allowed_access |= WRITE_ACCESS |
		    LANDLOCK_ACCESS_FS_TRUNCATE | LANDLOCK_ACCESS_FS_REFER;
	if (!S_ISDIR(st.st_mode))
		beneath.allowed_access &= FILE_ACCESS;
	beneath.allowed_access &= known;
	if (syscall(SYS_landlock_add_rule, ruleset,
	    LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) == -1)
		return err_errno(err, ERR_FAULT, path->path);
	return 0;
}

static int
raise_landlock(const struct sandbox *box, struct err *err)
{
	struct landlock_ruleset_attr attr = { EVERY_ACCESS };
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0,
	    LANDLOCK_CREATE_RULESET_VERSION);
	OWNED_FD ruleset = -1;

	if (abi < 1) {
		log_info("sandbox.no-landlock", STR("why", strerror(errno)));
		return 0;	/* users and seccomp still hold */
	}
	if (abi >= 2)
		attr.handled_access_fs |= LANDLOCK_ACCESS_FS_REFER;
	if (abi >= 3)
		attr.handled_access_fs |= LANDLOCK_ACCESS_FS_TRUNCATE;
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr,
	    sizeof(attr), 0);
	if (ruleset < 0)
		return err_errno(err, ERR_FAULT, "landlock");
	if ((box->allow & SANDBOX_OPEN) != 0)
		for (size_t i = 0; i < box->n_paths; i++)
			if (landlock_allow(ruleset, &box->paths[i],
			    attr.handled_access_fs, err) == -1)
				return -1;
	if (syscall(SYS_landlock_restrict_self, ruleset, 0) == -1)
		return err_errno(err, ERR_FAULT, "landlock");
	return 0;
}

/* --- seccomp: system calls ------------------------------------------------- */

/* Nothing that any role does. */
static const int never[] = {
	SCMP_SYS(ptrace),
	SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev),
	SCMP_SYS(pidfd_getfd), SCMP_SYS(kcmp), SCMP_SYS(bpf),
	SCMP_SYS(perf_event_open), SCMP_SYS(userfaultfd),
	SCMP_SYS(io_uring_setup), SCMP_SYS(io_uring_enter),
	SCMP_SYS(io_uring_register), SCMP_SYS(open_by_handle_at),
	SCMP_SYS(name_to_handle_at), SCMP_SYS(mount), SCMP_SYS(umount2),
	SCMP_SYS(move_mount), SCMP_SYS(open_tree), SCMP_SYS(fsopen),
	SCMP_SYS(pivot_root), SCMP_SYS(chroot), SCMP_SYS(unshare),
	SCMP_SYS(setns), SCMP_SYS(add_key), SCMP_SYS(request_key),
	SCMP_SYS(keyctl), SCMP_SYS(init_module), SCMP_SYS(finit_module),
	SCMP_SYS(delete_module), SCMP_SYS(kexec_load),
	SCMP_SYS(kexec_file_load), SCMP_SYS(reboot), SCMP_SYS(swapon),
	SCMP_SYS(swapoff), SCMP_SYS(acct), SCMP_SYS(settimeofday),
	SCMP_SYS(clock_settime), SCMP_SYS(clock_adjtime),
	SCMP_SYS(adjtimex), SCMP_SYS(quotactl), SCMP_SYS(syslog),
	SCMP_SYS(iopl), SCMP_SYS(ioperm), SCMP_SYS(mknod),
	SCMP_SYS(mknodat), SCMP_SYS(setuid), SCMP_SYS(setgid),
	SCMP_SYS(setresuid), SCMP_SYS(setresgid), SCMP_SYS(setgroups),
};
static const int opening[] = {
	SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(openat2), SCMP_SYS(creat),
	SCMP_SYS(truncate), SCMP_SYS(rename), SCMP_SYS(renameat),
	SCMP_SYS(renameat2), SCMP_SYS(link), SCMP_SYS(linkat),
	SCMP_SYS(symlink), SCMP_SYS(symlinkat), SCMP_SYS(unlink),
	SCMP_SYS(unlinkat), SCMP_SYS(mkdir), SCMP_SYS(mkdirat),
	SCMP_SYS(chmod), SCMP_SYS(fchmodat), SCMP_SYS(chown),
	SCMP_SYS(fchownat),
};
static const int listening[] = { SCMP_SYS(bind), SCMP_SYS(listen) };
static const int executing[] = { SCMP_SYS(execve), SCMP_SYS(execveat) };
static const int forking[] = { SCMP_SYS(fork), SCMP_SYS(vfork) };

static int
forbid(scmp_filter_ctx ctx, const int *calls, size_t n)
{
	for (size_t i = 0; i < n; i++)
		/* Calls that this architecture lacks are skipped (-EDOM). */
		if (calls[i] >= 0 && seccomp_rule_add(ctx,
		    SCMP_ACT_ERRNO(EPERM), calls[i], 0) < 0)
			return -1;
	return 0;
}
#define FORBID(ctx, list) forbid(ctx, list, sizeof(list) / sizeof((list)[0]))

/* Sockets of every family but those allowed: one rule for each, since a
 * filter's comparisons within one rule are joined by "and". */
static int
forbid_families(scmp_filter_ctx ctx, unsigned int allow)
{
	for (unsigned int family = 0; family < AF_MAX; family++) {
		if (family == AF_UNIX && (allow & SANDBOX_UNIX) != 0)
			continue;
		if ((family == AF_INET || family == AF_INET6) &&
		    (allow & SANDBOX_INET) != 0)
			continue;
		/* The resolver asks which addresses the host has. */
		if (family == AF_NETLINK && (allow & SANDBOX_INET) != 0)
			continue;
		if (seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM),
		    SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, family, 0)) < 0)
			return -1;
	}
	/* Compared in 64 bits, so a family with high bits set ends here too. */
	return seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket),
	    1, SCMP_A0(SCMP_CMP_GE, AF_MAX, 0));
}

static int
forbid_forks(scmp_filter_ctx ctx)
{
	/* A thread is no process. clone3 hides its flags in memory: glibc
	 * takes "not there" and calls clone. */
	if (FORBID(ctx, forking) == -1 ||
	    seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3),
	    0) < 0)
		return -1;
	return seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
	    SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0));
}

static int
raise_seccomp(const struct sandbox *box, struct err *err)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int r;

	if (ctx == NULL)
		return err_set(err, ERR_FAULT, "seccomp: out of memory");
	r = FORBID(ctx, never);
	if (r == 0)
		r = forbid_families(ctx, box->allow);
	if (r == 0 && (box->allow & SANDBOX_OPEN) == 0)
		r = FORBID(ctx, opening);
	if (r == 0 && (box->allow & (SANDBOX_INET_LISTEN | SANDBOX_UNIX)) == 0)
		r = FORBID(ctx, listening);
	if (r == 0 && (box->allow & SANDBOX_EXEC) == 0)
		r = FORBID(ctx, executing);
	if (r == 0 && (box->allow & SANDBOX_FORK) == 0)
		r = forbid_forks(ctx);
	if (r == 0)	/* what privsep_harden_process did stays done */
		r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM),
		    SCMP_SYS(prctl), 2,
		    SCMP_A0(SCMP_CMP_MASKED_EQ, 0xffffffff, PR_SET_DUMPABLE),
		    SCMP_A1(SCMP_CMP_NE, 0, 0));
	if (r == 0)
		r = seccomp_load(ctx);
	seccomp_release(ctx);
	if (r < 0)
		return err_set(err, ERR_FAULT,
		    "seccomp: the filter was not accepted");
	return 0;
}

int
privsep_raise_walls(const struct sandbox *box, struct err *err)
{
	privsep_harden_process();
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		return err_errno(err, ERR_FAULT, "no_new_privs");
	if (box->max_cpu_s != 0 &&
	    limit(RLIMIT_CPU, box->max_cpu_s, err) == -1)
		return -1;
	if (box->max_memory != 0 && !SANITIZED &&
	    limit(RLIMIT_AS, box->max_memory, err) == -1)
		return -1;
	if (raise_landlock(box, err) == -1)
		return -1;
	return raise_seccomp(box, err);
}

/* --- the probe --------------------------------------------------------------- */

static void
note(struct buf *out, const char *what, const char *which, long result)
{
	buf_printf(out, "%s%s%s: %s\n", what, which[0] == '\0' ? "" : " ",
	    which, result == -1 ? strerrorname_np(errno) : "reached");
}

static void
probe_socket(struct buf *out, const char *name, int family, int type)
{
	OWNED_FD fd = socket(family, type, 0);

	note(out, "socket", name, fd);
}

static void
probe_open(struct buf *out, const char *path)
{
	OWNED_FD fd = open(path, O_RDONLY | O_CLOEXEC);

	note(out, "open", path, fd);
}

void
privsep_probe(const char *const *paths, size_t n, pid_t other,
    struct buf *out)
{
	/* The filter answers before the kernel looks whether it exists. */
	static char nowhere[] = "/nonexistent";
	char *const args[] = { nowhere, NULL };
	char memory[32];

	for (size_t i = 0; i < n; i++)
		probe_open(out, paths[i]);
	probe_socket(out, "inet", AF_INET, SOCK_STREAM);
	probe_socket(out, "unix", AF_UNIX, SOCK_STREAM);
	probe_socket(out, "packet", AF_PACKET, SOCK_RAW);
	probe_socket(out, "vsock", AF_VSOCK, SOCK_STREAM);
	if (execve(nowhere, args, args + 1) == -1 && errno == ENOENT)
		buf_printf(out, "exec: reached\n");
	else
		note(out, "exec", "", -1);
	note(out, "ptrace", "", ptrace(PTRACE_ATTACH, other, NULL, NULL));
	snprintf(memory, sizeof(memory), "/proc/%d/mem", (int)other);
	errno = 0;
	OWNED_FD fd = open(memory, O_RDONLY | O_CLOEXEC);
	note(out, "memory of main", "", fd);
	note(out, "dumpable", "", prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
}
