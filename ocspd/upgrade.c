#include "ocspd/upgrade.h"

#include "common/bytes.h"
#include "common/err.h"
#include "common/owned.h"
#include "ocspd/activation.h"

#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SOCKETS		"OCSPD_SOCKETS"
#define READY		"OCSPD_READY"
#define PATIENCE_MS	15000	/* for the successor to be at work */
#define EX_NOT_STARTED	127

static char program[PATH_MAX];

void
upgrade_note_program(void)
{
	ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);

	program[n < 0 ? 0 : n] = '\0';
}

/* --- the predecessor ------------------------------------ */

static void
keep_open(int fd)
{
	fcntl(fd, F_SETFD, 0);
}

/* In the child, between fork and exec: one thread, and nothing but ours. */
static void
become_successor(char *const argv[], const struct listeners *l, int ready_fd)
{
	OWNED_BUF(sockets, 65536);
	char number[16];
	sigset_t none;

	listen_describe(l, &sockets, keep_open);
	keep_open(ready_fd);
	snprintf(number, sizeof(number), "%d", ready_fd);
	sigemptyset(&none);
	if (sockets.failed || setenv(SOCKETS, buf_str(&sockets), 1) == -1 ||
	    setenv(READY, number, 1) == -1 || activation_hand_over() == -1 ||
	    sigprocmask(SIG_SETMASK, &none, NULL) == -1)
		_exit(EX_NOT_STARTED);
	execv(program, argv);
	_exit(EX_NOT_STARTED);
}

int
upgrade_start(struct upgrade *u, char *const argv[],
    const struct listeners *l, int64_t now_ms, struct err *err)
{
	int ends[2];
	pid_t pid;

	if (access(program, X_OK) == -1)
		return err_set(err, ERR_FAULT, "%s: %s", program,
		    strerror(errno));
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) == -1)
		return err_errno(err, ERR_RETRY, "starting a successor");
	pid = fork();
	if (pid == 0)
		become_successor(argv, l, ends[1]);
	close(ends[1]);
	if (pid == -1) {
		close(ends[0]);
		return err_errno(err, ERR_RETRY, "starting a successor");
	}
	*u = (struct upgrade){ .pid = pid, .ready_fd = ends[0],
		.began_ms = now_ms };
	return 0;
}

enum upgrade_news
upgrade_look(struct upgrade *u, int64_t now_ms)
{
	bool late = now_ms - u->began_ms > PATIENCE_MS;
	char word;
	ssize_t n;

	if (u->pid == 0)
		return UPGRADE_WAITING;
	n = read(u->ready_fd, &word, 1);
	if (n < 0 && (errno == EAGAIN || errno == EINTR) && !late)
		return UPGRADE_WAITING;
	if (n != 1)
		kill(u->pid, SIGKILL);	/* whoever ends is buried by main */
	fd_release(&u->ready_fd);
	u->pid = n == 1 ? u->pid : 0;
	return n == 1 ? UPGRADE_DONE : UPGRADE_FAILED;
}

/* --- the successor ------------------------------------ */

static int ready_fd = -1;

int
upgrade_inherit(struct listeners *out, struct err *err)
{
	const char *sockets = getenv(SOCKETS), *ready = getenv(READY);
	int r = 0;

	memset(out, 0, sizeof(*out));
	out->health_fd = -1;
	if (sockets == NULL || ready == NULL)
		return 0;
	ready_fd = atoi(ready);
	if (fcntl(ready_fd, F_SETFD, FD_CLOEXEC) == -1)
		ready_fd = -1;
	r = listen_from_description(sockets, out, err);
	unsetenv(SOCKETS);
	unsetenv(READY);
	return r;
}

void
upgrade_tell(void)
{
	if (ready_fd >= 0 && write(ready_fd, "r", 1) != 1)
		return;		/* it has given up on us */
	fd_release(&ready_fd);
}
