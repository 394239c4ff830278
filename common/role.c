#include "common/role.h"

#include "common/clock.h"
#include "common/crash.h"
#include "common/err.h"
#include "common/log.h"

#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONTROL_FD	3
#define MAX_CONTROL	(64u << 10)

/* Numbers shared with csrmaild/wire.h and ocspd/wire.h, which begin at 20. */
enum control_type {
	CONTROL_BOOT = 1,
	CONTROL_DESCRIPTOR,
	CONTROL_GO,
	CONTROL_READY,
	CONTROL_PROBED,
};

static int signal_fd = -1;
static bool stopping;
static struct channel *control;	/* for crash points */

/* --- main's side ------------------------------------------------------------- */

/* In the child, between fork and exec. */
static void
exec_role(const struct role_spec *spec, int exe, int control_end)
{
	char program[32];
	char *args[] = { program, (char *)(uintptr_t)spec->role,
		spec->instance[0] == '\0' ? NULL :
		(char *)(uintptr_t)spec->instance, NULL };
	char *const no_environment[] = { NULL };
	struct err err;
	sigset_t none;

	snprintf(program, sizeof(program), "%s:", spec->program);
	/* exe may sit where control must go. */
	exe = fcntl(exe, F_DUPFD_CLOEXEC, CONTROL_FD + 1);
	if (exe < 0 || dup2(control_end, CONTROL_FD) < 0)
		_exit(71);
	fcntl(CONTROL_FD, F_SETFD, 0);
	close_range(CONTROL_FD + 1, ~0u, CLOSE_RANGE_CLOEXEC);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (privsep_become(&spec->identity, &err) == -1) {
		log_error("role.failed", STR("role", spec->role),
		    STR("why", err.text), STR("detail", err.detail));
		_exit(71);
	}
	/* Started from root's home, say: libraries look for files of theirs
	 * beside us (libesmtp for STARTTLS), and give up where they may not. */
	if (access(".", X_OK) == -1 && chdir("/") == -1)
		_exit(71);
	fexecve(exe, args, no_environment);
	log_error("role.failed", STR("role", spec->role),
	    STR("why", "this program cannot be executed by the role's user"),
	    STR("detail", strerror(errno)));
	_exit(71);
}

static int
send_boot(const struct role_spec *spec, struct role_process *process,
    struct err *err)
{
	OWNED_BUF(boot, 4096);
	uint32_t n = 0;

	put_str(&boot, spec->program);
	put_str(&boot, spec->role);
	put_str(&boot, spec->instance);
	put_u64(&boot, (uint64_t)getpid());
	put_u8(&boot, (uint8_t)spec->log_level);
	put_u8(&boot, spec->probe ? 1 : 0);
	while (spec->probe_paths != NULL && n < ROLE_MAX_PROBES &&
	    spec->probe_paths[n] != NULL)
		n++;
	put_u32(&boot, n);
	for (uint32_t i = 0; i < n; i++)
		put_str(&boot, spec->probe_paths[i]);
	put_time(&boot, spec->test_clock_offset_s);
	put_str(&boot, spec->test_crash_at == NULL ? "" : spec->test_crash_at);
	if (boot.failed)
		return err_set(err, ERR_FAULT, "a boot frame too long");
	return channel_send(process->control, CONTROL_BOOT, buf_bytes(&boot),
	    -1, err);
}

int
role_spawn(const struct role_spec *spec, struct role_process *out,
    struct err *err)
{
	OWNED_FD exe = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct role_process process = { 0 };
	int pair[2];

	if (exe < 0)
		return err_errno(err, ERR_FAULT, "opening this program");
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1)
		return err_errno(err, ERR_FAULT, "socketpair");
	process.pid = fork();
	if (process.pid == 0)
		exec_role(spec, exe, pair[1]);
	close(pair[1]);
	if (process.pid < 0) {
		close(pair[0]);
		return err_errno(err, ERR_RETRY, "fork");
	}
	process.control = channel_new(pair[0], spec->role, MAX_CONTROL,
	    1u << 20);
	if (process.control == NULL ||
	    send_boot(spec, &process, err) == -1) {
		channel_free(process.control);
		kill(process.pid, SIGKILL);
		waitpid(process.pid, NULL, 0);
		return err_set(err, ERR_FAULT, "starting %s failed",
		    spec->role);
	}
	*out = process;
	return 0;
}

int
role_give(struct role_process *process, const char *name, int fd,
    struct err *err)
{
	OWNED_BUF(payload, 256);

	put_str(&payload, name);
	return channel_send(process->control, CONTROL_DESCRIPTOR,
	    buf_bytes(&payload), fd, err);
}

int
role_go(struct role_process *process, struct err *err)
{
	return channel_send(process->control, CONTROL_GO,
	    (struct bytes){ 0 }, -1, err);
}

enum role_news
role_news(const struct frame *frame)
{
	switch ((enum control_type)frame->type) {
	case CONTROL_READY:
		return ROLE_READY;
	case CONTROL_PROBED:
		return ROLE_PROBED;
	case CONTROL_BOOT:
	case CONTROL_DESCRIPTOR:
	case CONTROL_GO:
		return ROLE_BROKEN;
	}
	return frame->type == ROLE_CRASH_FRAME ? ROLE_CRASHED : ROLE_OTHER;
}

void
role_show_probe(const char *role, const char *instance, struct bytes report)
{
	printf("%s%s%s\n", role, instance[0] == '\0' ? "" : " ", instance);
	while (report.len > 0) {
		size_t line = bytes_find(report, bytes_of("\n"));

		if (line == (size_t)-1)
			line = report.len;
		printf("\t%.*s\n", (int)line, (const char *)report.data);
		report = bytes_slice(report, line + 1, report.len);
	}
}

/* --- the role's side ----------------------------------------------------------- */

static void
ask_for_the_crash(void)
{
	struct err err;

	channel_send(control, ROLE_CRASH_FRAME, (struct bytes){ 0 }, -1, &err);
}

static int
read_boot(const struct frame *frame, struct role *role, struct err *err)
{
	struct cursor c = CURSOR(frame->payload);
	char crash_at[64], title[16];
	enum log_level level;
	int64_t offset;

	if (frame->type != CONTROL_BOOT)
		return err_set(err, ERR_FAULT, "started without a boot frame");
	get_str(&c, role->program, sizeof(role->program));
	get_str(&c, role->name, sizeof(role->name));
	get_str(&c, role->instance, sizeof(role->instance));
	role->main_pid = (pid_t)get_u64(&c);
	level = (enum log_level)get_enum(&c, LOG_LEVEL_DEBUG, LOG_LEVEL_ERROR);
	role->probe = get_bool(&c);
	role->n_probe_paths = get_count(&c, ROLE_MAX_PROBES);
	for (size_t i = 0; i < role->n_probe_paths; i++)
		get_str(&c, role->probe_paths[i],
		    sizeof(role->probe_paths[0]));
	offset = get_time(&c);
	get_str(&c, crash_at, sizeof(crash_at));
	if (!cursor_end(&c))
		return err_set(err, ERR_FAULT, "a broken boot frame");
	role->log_level = level;
	clock_set_test_offset(offset);
	if (crash_at[0] != '\0')
		crash_choose(crash_at, ask_for_the_crash);
	snprintf(title, sizeof(title), "%.8s:%.6s", role->program, role->name);
	prctl(PR_SET_NAME, title, 0, 0, 0);
	return 0;
}

static int
read_descriptors(struct role *role, struct err *err)
{
	struct frame frame;

	for (;;) {
		struct cursor c;

		if (channel_await(role->control, 10000, &frame, err) == -1)
			return -1;
		if (frame.type == CONTROL_GO)
			return 0;
		if (frame.type != CONTROL_DESCRIPTOR || frame.fd < 0 ||
		    role->n_descriptors == ROLE_MAX_DESCRIPTORS)
			return err_set(err, ERR_FAULT,
			    "an unexpected frame at start");
		c = CURSOR(frame.payload);
		get_str(&c, role->descriptors[role->n_descriptors].name,
		    sizeof(role->descriptors[0].name));
		role->descriptors[role->n_descriptors].fd = frame.fd;
		role->n_descriptors++;
		if (!cursor_end(&c))
			return err_set(err, ERR_FAULT,
			    "a broken descriptor frame");
	}
}

/* SIGTERM is waited for, never handled in the middle of a step. SIGINT and
 * SIGHUP of a terminal are main's business. */
static int
take_signals(struct err *err)
{
	sigset_t set;

	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signal_fd < 0)
		return err_errno(err, ERR_FAULT, "signalfd");
	return 0;
}

int
role_enter(int argc, char **argv, struct role *out, bool *is_role,
    struct err *err)
{
	struct role role = { 0 };
	struct frame frame;
	size_t len = argc > 0 ? strlen(argv[0]) : 0;

	*is_role = argc >= 2 && len > 1 && argv[0][len - 1] == ':';
	if (!*is_role)
		return 0;
	privsep_harden_process();
	/* Nothing of ours is left half done by a power failure; so neither
	 * by the death of main. */
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	role.control = channel_new(CONTROL_FD, "main", MAX_CONTROL, 1u << 20);
	if (role.control == NULL)
		return err_set(err, ERR_FAULT, "out of memory");
	if (channel_await(role.control, 10000, &frame, err) == -1 ||
	    read_boot(&frame, &role, err) == -1 ||
	    read_descriptors(&role, err) == -1 || take_signals(err) == -1) {
		channel_free(role.control);
		return -1;
	}
	control = role.control;
	*out = role;
	log_open(out->program, out->name, out->log_level);
	return 0;
}

int
role_take(struct role *role, const char *name)
{
	for (size_t i = 0; i < role->n_descriptors; i++)
		if (strcmp(role->descriptors[i].name, name) == 0) {
			int fd = role->descriptors[i].fd;

			role->descriptors[i] =
			    role->descriptors[--role->n_descriptors];
			return fd;
		}
	return -1;
}

struct channel *
role_take_peer(struct role *role, const char *name, size_t max_in,
    size_t max_out)
{
	int fd = role_take(role, name);

	return fd < 0 ? NULL : channel_new(fd, name, max_in, max_out);
}

int
role_ready(struct role *role, const struct sandbox *box, struct err *err)
{
	const char *paths[ROLE_MAX_PROBES];
	OWNED_BUF(found, MAX_CONTROL);
	struct pollfd p = { channel_fd(role->control), POLLOUT, 0 };

	if (privsep_raise_walls(box, err) == -1)
		return -1;
	if (!role->probe)
		return channel_send(role->control, CONTROL_READY,
		    (struct bytes){ 0 }, -1, err);
	for (size_t i = 0; i < role->n_probe_paths; i++)
		paths[i] = role->probe_paths[i];
	privsep_probe(paths, role->n_probe_paths, role->main_pid, &found);
	if (channel_send(role->control, CONTROL_PROBED, buf_bytes(&found), -1,
	    err) == -1)
		return -1;
	while (channel_queued(role->control) > 0 &&
	    poll(&p, 1, 1000) == 1 &&
	    channel_flush(role->control, err) == 0)
		continue;
	_exit(0);
}

int
role_signal_fd(void)
{
	return signal_fd;
}

bool
role_is_stopping(void)
{
	struct signalfd_siginfo info;

	if (!stopping && signal_fd >= 0 &&
	    read(signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		stopping = true;
	return stopping;
}
