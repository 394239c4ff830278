#include "csrmaild/exec.h"

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/privsep.h"
#include "common/role.h"
#include "csrmaild/settings.h"
#include "csrmaild/token.h"
#include "csrmaild/wire.h"

#include <openssl/crypto.h>

#include <sys/resource.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define MAX_PEERS	32
#define ENDING_MS	20	/* how often to look whether it has ended */
#define MAX_MEMORY	(1u << 30)	/* of a command, octets of addresses */
#define MAX_FILE	(16u << 20)	/* octets of a file that it writes */
#define MAX_PATHS	(32 + MAX_PEERS * SETTINGS_MAX_COMMAND)

/* A server whose role may ask, and the command that runs for it. */
struct peer {
	struct channel	*channel;	/* owned */
	const struct server_settings *server;
	char		 name[96];	/* "intake:users", for the log */
	pid_t		 pid;		/* 0: nothing runs */
	int		 output;	/* our end of its standard output; -1:
					 * it is closed, or nothing runs */
	int64_t		 deadline_ms;
	uint64_t	 id;		/* of the question */
	struct buf	 said;
};

struct exec {
	struct role	*role;
	struct settings	*settings;	/* owned */
	char		 home[4200];
	struct peer	 peers[MAX_PEERS];
	size_t		 n;
};

/* --- one command ------------------------------------------------------------------ */
static void
set_limit(__rlimit_resource_t what, rlim_t value)
{
	struct rlimit limit = { value, value };

	setrlimit(what, &limit);
}

/* In the child; does not return. */
static void __attribute__((noreturn))
become_command(const struct exec *x, const struct peer *p, int output)
{
	static char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:"
	    "/usr/bin:/sbin:/bin", lang[] = "LANG=C.UTF-8";
	char home[sizeof(x->home) + 8], user[600], host[600];
	char *environment[] = { path, lang, home, user, host, NULL };
	char *words[SETTINGS_MAX_COMMAND + 1] = { NULL };
	int nothing = open("/dev/null", O_RDWR);
	sigset_t none;

	snprintf(home, sizeof(home), "HOME=%s", x->home);
	snprintf(user, sizeof(user), "CSRMAIL_USER=%s", p->server->user);
	snprintf(host, sizeof(host), "CSRMAIL_HOST=%s", p->server->host);
	for (size_t i = 0; i < p->server->n_token_command; i++)
		words[i] = p->server->token_command[i];
	if (nothing < 0 || dup2(nothing, STDIN_FILENO) < 0 ||
	    dup2(output, STDOUT_FILENO) < 0 ||
	    dup2(nothing, STDERR_FILENO) < 0 || setpgid(0, 0) < 0 ||
	    chdir(x->home) < 0)
		_exit(EX_OSERR);
	closefrom(STDERR_FILENO + 1);
	set_limit(RLIMIT_AS, MAX_MEMORY);
	set_limit(RLIMIT_FSIZE, MAX_FILE);
	set_limit(RLIMIT_CPU, p->server->timeout_s);
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execve(words[0], words, environment);
	_exit(errno == ENOENT ? 127 : 126);
}

static int
start_command(struct exec *x, struct peer *p, struct err *err)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) == -1)
		return err_errno(err, ERR_RETRY, "pipe");
	p->pid = fork();
	if (p->pid == 0)
		become_command(x, p, ends[1]);
	close(ends[1]);
	if (p->pid < 0) {
		p->pid = 0;
		close(ends[0]);
		return err_errno(err, ERR_RETRY, "fork");
	}
	setpgid(p->pid, p->pid);	/* whoever of us comes first */
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	p->output = ends[0];
	p->deadline_ms = clock_monotonic_ms() +
	    (int64_t)p->server->timeout_s * 1000;
	p->said = BUF(TOKEN_MAX_TEXT);
	if (buf_reserve(&p->said, TOKEN_MAX_TEXT) == NULL)
		return err_set(err, ERR_RETRY, "out of memory");
	return 0;
}

static void
close_output(struct peer *p)
{
	if (p->output >= 0)
		close(p->output);
	p->output = -1;
}

/* It has ended; what it left behind in its group ends too. */
static void
forget_command(struct peer *p)
{
	kill(-p->pid, SIGKILL);
	p->pid = 0;
	close_output(p);
}

/* With all that it started, and wait: SIGKILL does not fail to come. */
static void
kill_command(struct peer *p)
{
	if (p->pid == 0)
		return;
	kill(-p->pid, SIGKILL);
	while (waitpid(p->pid, NULL, 0) == -1 && errno == EINTR)
		continue;
	forget_command(p);
}

/* 0, or -1 and why. Only how it ended is told, nothing that it printed. */
static int
judge(const struct peer *p, int status, struct token *out, struct err *err)
{
	const char *name = p->server->token_command[0];
	struct err e;

	if (WIFSIGNALED(status))
		return err_set(err, ERR_RETRY, "%s was ended by signal %d "
		    "(its limits are in csrmaild.conf(5))", name,
		    WTERMSIG(status));
	if (WEXITSTATUS(status) == 127 || WEXITSTATUS(status) == 126)
		return err_set(err, ERR_RETRY, "%s cannot be run by "
		    "csrmail-exec, or is not there", name);
	if (WEXITSTATUS(status) != 0)
		return err_set(err, ERR_RETRY, "%s ended with exit status %d: "
		    "run it by hand as csrmail-exec", name,
		    WEXITSTATUS(status));
	if (token_read(buf_bytes(&p->said), clock_now(), out, &e) == -1)
		return err_set(err, ERR_RETRY, "%s printed no token: %.150s",
		    name, e.text);
	return 0;
}

/* r: 0 when token holds one, else err says why not. False: the peer is gone. */
static bool
answer(struct peer *p, int r, const struct token *token,
    const struct err *err)
{
	struct wire_token m = { .id = p->id };
	struct err e;
	bool sent;

	if (r == 0)
		m.token = *token;
	else
		snprintf(m.text, sizeof(m.text), "%s", err->text);
	if (r == 0)
		log_info("token.fetched", STR("for", p->name),
		    NUM("expires_at", token->expires_at));
	else
		log_warn("token.failed", STR("for", p->name),
		    STR("why", m.text));
	sent = wire_send_token(p->channel, &m, &e) == 0;
	OPENSSL_cleanse(&m, sizeof(m));
	buf_wipe(&p->said);
	return sent;
}

/* Whatever it does: no token comes of it. */
static bool
abandon(struct peer *p, const char *why)
{
	struct err err;

	kill_command(p);
	err_set(&err, ERR_RETRY, "%s %s", p->server->token_command[0], why);
	return answer(p, -1, NULL, &err);
}

/* Its output has ended. It itself may take a moment more, until its deadline
 * at most. */
static bool
finish(struct peer *p)
{
	struct token token = { 0 };
	struct err err;
	int status, r;
	bool sent;

	close_output(p);
	if (waitpid(p->pid, &status, WNOHANG) != p->pid)
		return true;
	forget_command(p);
	r = judge(p, status, &token, &err);
	sent = answer(p, r, &token, &err);
	OPENSSL_cleanse(&token, sizeof(token));
	return sent;
}

static bool
read_output(struct peer *p)
{
	ssize_t n = read(p->output, p->said.data + p->said.len,
	    TOKEN_MAX_TEXT - p->said.len);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? true :
		    abandon(p, "cannot be read");
	if (n == 0)
		return finish(p);
	p->said.len += (size_t)n;
	return p->said.len < TOKEN_MAX_TEXT ? true :
	    abandon(p, "printed too much");
}

/* --- the peers ----------------------------------------------------------------------- */
static bool
hear(struct exec *x, struct peer *p)
{
	struct frame frame;
	struct err err;
	uint64_t id;
	int r;

	while ((r = channel_next(p->channel, &frame, &err)) == 1) {
		if (frame.fd >= 0)
			close(frame.fd);
		if (wire_get_token_wanted(&frame, &id, &err) == -1)
			return false;
		p->id = id;	/* while one runs, it answers the newest */
		if (p->pid == 0 && start_command(x, p, &err) == -1) {
			kill_command(p);
			if (!answer(p, -1, NULL, &err))
				return false;
		}
	}
	return r == 0;
}

static int
poll_ms(const struct exec *x)
{
	int64_t soonest = INT64_MAX, left;

	for (size_t i = 0; i < x->n; i++) {
		const struct peer *p = &x->peers[i];

		if (p->pid != 0 && p->output < 0)	/* about to end */
			return ENDING_MS;
		if (p->pid != 0 && p->deadline_ms < soonest)
			soonest = p->deadline_ms;
	}
	if (soonest == INT64_MAX)
		return -1;
	left = soonest - clock_monotonic_ms();
	return left < 0 ? 0 : (int)left;
}

/* One round for one peer; false when it is gone. */
static bool
attend_peer(struct exec *x, struct peer *p, short on_channel, short on_output)
{
	struct err err;

	if (p->pid != 0 && p->output < 0 && !finish(p))
		return false;
	if (p->pid != 0 && on_output != 0 && !read_output(p))
		return false;
	if (p->pid != 0 && clock_monotonic_ms() >= p->deadline_ms &&
	    !abandon(p, "had no answer in time"))
		return false;
	if ((on_channel & POLLOUT) != 0 &&
	    channel_flush(p->channel, &err) == -1)
		return false;
	if ((on_channel & ~POLLOUT) == 0)
		return true;
	return channel_read(p->channel, &err) == 0 && hear(x, p);
}

/* False when it is time to go: told so, or a peer has gone. */
static bool
attend(struct exec *x)
{
	struct pollfd p[2 + 2 * MAX_PEERS] = {
		{ role_signal_fd(), POLLIN, 0 },
		{ channel_fd(x->role->control), POLLIN, 0 },
	};

	for (size_t i = 0; i < x->n; i++) {
		const struct peer *peer = &x->peers[i];

		p[2 + 2 * i] = (struct pollfd){ channel_fd(peer->channel),
		    channel_events(peer->channel), 0 };
		p[3 + 2 * i] = (struct pollfd){ peer->output, POLLIN, 0 };
	}
	if (poll(p, 2 + 2 * x->n, poll_ms(x)) == -1 && errno != EINTR)
		return false;
	if (role_is_stopping() || p[1].revents != 0)
		return false;
	for (size_t i = 0; i < x->n; i++)
		if (!attend_peer(x, &x->peers[i], p[2 + 2 * i].revents,
		    p[3 + 2 * i].revents))
			return false;
	return true;
}

/* --- start --------------------------------------------------------------------------- */
static int
add_peer(struct exec *x, const char *name,
    const struct server_settings *server, struct err *err)
{
	struct peer *p = &x->peers[x->n];

	if (server->n_token_command == 0)
		return 0;
	if (x->n == MAX_PEERS)
		return err_set(err, ERR_FAULT, "more than %d servers with a "
		    "token_command", MAX_PEERS);
	*p = (struct peer){ .server = server, .output = -1 };
	snprintf(p->name, sizeof(p->name), "%s", name);
	p->channel = role_take_peer(x->role, name, 64, 4 * WIRE_MAX_TOKEN);
	if (p->channel == NULL)
		return err_set(err, ERR_FAULT, "no %s", name);
	x->n++;
	return 0;
}

static int
start(struct exec *x, struct err *err)
{
	int fd = role_take(x->role, "settings");
	char name[96];

	if (fd < 0 || settings_decode(fd, &x->settings, err) == -1)
		return fd < 0 ? err_set(err, ERR_FAULT, "no settings") : -1;
	snprintf(x->home, sizeof(x->home), "%s/exec",
	    x->settings->state_dir);
	for (unsigned int i = 1; i <= x->settings->smtp_sessions; i++) {
		snprintf(name, sizeof(name), i == 1 ? "submit" : "submit:%u",
		    i);
		if (add_peer(x, name, &x->settings->smtp, err) == -1)
			return -1;
	}
	for (size_t i = 0; i < x->settings->n_mailboxes; i++) {
		snprintf(name, sizeof(name), "intake:%s",
		    x->settings->mailboxes[i].title);
		if (add_peer(x, name, &x->settings->mailboxes[i].imap,
		    err) == -1)
			return -1;
	}
	return 0;
}

/* What programs need to run at all, the home, and the files that the commands
 * name. */
static size_t
list_paths(const struct exec *x, struct sandbox_path *out)
{
	static const struct sandbox_path common[] = {
		{ "/usr", SANDBOX_RUN }, { "/bin", SANDBOX_RUN },
		{ "/sbin", SANDBOX_RUN }, { "/lib", SANDBOX_RUN },
		{ "/lib64", SANDBOX_RUN }, { "/opt", SANDBOX_RUN },
		{ "/dev/null", 1 }, { "/dev/urandom", 0 },
		{ "/etc/resolv.conf", 0 }, { "/etc/hosts", 0 },
		{ "/etc/nsswitch.conf", 0 }, { "/etc/host.conf", 0 },
		{ "/etc/gai.conf", 0 }, { "/etc/services", 0 },
		{ "/run/systemd/resolve", 0 }, { "/etc/ssl", 0 },
		{ "/etc/passwd", 0 }, { "/etc/group", 0 },
		{ "/etc/ld.so.cache", 0 }, { "/etc/localtime", 0 },
		{ "/etc/alternatives", 0 }, { "/etc/ca-certificates", 0 },
	};
	size_t n = sizeof(common) / sizeof(common[0]);

	memcpy(out, common, sizeof(common));
	out[n++] = (struct sandbox_path){ x->home, 1 };
	for (size_t i = 0; i < x->n; i++) {
		const struct server_settings *s = x->peers[i].server;

		for (size_t w = 0; w < s->n_token_command; w++)
			if (s->token_command[w][0] == '/')
				out[n++] = (struct sandbox_path){
				    s->token_command[w],
				    w == 0 ? SANDBOX_RUN : 0 };
	}
	return n;
}

static void
end(struct exec *x)
{
	for (size_t i = 0; i < x->n; i++) {
		kill_command(&x->peers[i]);
		channel_free(x->peers[i].channel);
		buf_wipe(&x->peers[i].said);
	}
	settings_free(x->settings);
	free(x);
}

int
exec_main(struct role *role)
{
	static struct sandbox_path paths[MAX_PATHS];
	struct exec *x = calloc(1, sizeof(*x));
	struct sandbox box = { .allow = SANDBOX_INET | SANDBOX_OPEN |
		SANDBOX_FORK | SANDBOX_EXEC, .paths = paths };
	struct err err = { 0 };
	int code = 0;

	if (x == NULL)
		return EX_OSERR;
	x->role = role;
	if (start(x, &err) == 0) {
		box.n_paths = list_paths(x, paths);
		code = role_ready(role, &box, &err) == 0 ? 0 : EX_OSERR;
	} else {
		code = EX_CONFIG;
	}
	if (code != 0)
		log_error("role.failed", STR("why", err.text),
		    STR("detail", err.detail));
	while (code == 0 && attend(x))
		continue;
	end(x);
	return code;
}
