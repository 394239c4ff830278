#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/notify.h"
#include "common/owned.h"
#include "common/role.h"
#include "csrmaild/api.h"
#include "csrmaild/crew.h"
#include "csrmaild/exec.h"
#include "csrmaild/intake.h"
#include "csrmaild/parser.h"
#include "csrmaild/passphrase.h"
#include "csrmaild/registrar.h"
#include "csrmaild/seal_files.h"
#include "csrmaild/sealer.h"
#include "csrmaild/settings.h"
#include "csrmaild/signer.h"
#include "csrmaild/state_lock.h"
#include "csrmaild/submit.h"
#include "csrmaild/wire.h"

#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

/*
 * main starts the roles, watches them, and touches nothing else: no mail, no
 * store, no key. docs/architecture.md has this table with the reasons. They end
 * in the reverse order: first what takes work in, last what others need.
 */
static const struct crew_role roles[] = {
	{ "parser",	"csrmail-parse", CREW_ONE,		parser_main },
	{ "signer",	"csrmail-sign",	CREW_ONE,		signer_main },
	{ "sealer",	"csrmail-seal",	CREW_WITH_SEALS,	sealer_main },
	{ "api",	"csrmail-api",	CREW_ONE,		api_main },
	{ "exec",	"csrmail-exec",	CREW_WITH_COMMANDS,	exec_main },
	{ "registrar",	"csrmail",	CREW_ONE,		registrar_main },
	{ "submit",	"csrmail-smtp",	CREW_PER_SESSION,	submit_main },
	{ "intake",	"csrmail-imap",	CREW_PER_MAILBOX,	intake_main },
};

/* Who talks with whom. Nobody else can. */
static const struct crew_edge edges[] = {
	{ "intake",	"parser" },
	{ "intake",	"registrar" },
	{ "intake",	"exec" },
	{ "registrar",	"parser" },
	{ "registrar",	"signer" },
	{ "registrar",	"sealer" },
	{ "registrar",	"submit" },
	{ "registrar",	"api" },
	{ "submit",	"exec" },
};

#define SECURITY_GROUP	"csrmail-security"
#define GRACE_MS	10000	/* for the step in hand, at SIGTERM */
#define READY_MS	30000
#define FIRST_PAUSE_MS	500
#define LONGEST_PAUSE_MS 60000
#define CALM_MS		60000	/* a set that lived this long was healthy */

struct daemon {
	const char	*conf;
	struct settings	*settings;
	struct crew	 crew;
	struct crew_options options;
	int		 signals;
	int		 pause_ms;
	int64_t		 started_ms;
	bool		 announced;
	bool		 stopping;
};

static void
usage(FILE *f)
{
	fputs("usage: csrmaild [-c FILE] [-t | -W | -V]\n"
	    "\n"
	    "Take certificate requests out of a mailbox, and mail the "
	    "certificates back.\n"
	    "Runs in the foreground; see csrmaild(8).\n"
	    "\n"
	    "  -c FILE  configuration (/etc/csrmail/csrmaild.conf)\n"
	    "  -t       check the configuration and exit\n"
	    "  -W       start each role, try what its walls forbid, tell, "
	    "exit\n"
	    "  -V       print the version\n", f);
}

/* --- what only main may open ------------------------------------------------ */

/* All that can be checked before a role is started. *out may be set on
 * failure, too. */
static int
read_settings(const char *conf, struct settings **out, struct err *err)
{
	if (settings_read(conf, out, err) == -1 ||
	    settings_read_secrets(*out, err) == -1)
		return -1;
	return seal_files_check(*out, err);
}

static void
log_waiting(const char *state_dir, const char *holder)
{
	log_info("lock.waiting", STR("state_dir", state_dir),
	    STR("for", holder));
}

/* One set of roles for a store, and no ceremony of the command line beside
 * it: one that works here has some seconds to end. */
static int
take_lock(const struct settings *s, struct err *err)
{
	char holder[STATE_LOCK_HOLDER_SIZE];
	int fd = state_lock_take(s->state_dir, STATE_LOCK_PATIENCE_MS,
	    log_waiting, holder, err);

	return fd >= 0 || err->kind != ERR_RETRY ? fd : err_set(err,
	    ERR_RETRY, "%s/lock: another csrmaild or a ceremony works here "
	    "(%s)", s->state_dir, holder);
}

static int
open_socket(const struct settings *s, const char *name, gid_t group,
    mode_t mode, int backlog, struct err *err)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	OWNED_FD fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC |
	    SOCK_NONBLOCK, 0);

	if (fd < 0)
		return err_errno(err, ERR_FAULT, "socket");
	if (mkdir(s->run_dir, 0755) == 0)
		(void)!chmod(s->run_dir, 0755);
	snprintf(at.sun_path, sizeof(at.sun_path), "%s/%s", s->run_dir, name);
	/* We hold the lock: whose socket this was is gone. */
	unlink(at.sun_path);
	if (bind(fd, (const struct sockaddr *)&at, sizeof(at)) == -1 ||
	    (group != (gid_t)-1 &&
	    chown(at.sun_path, (uid_t)-1, group) == -1) ||
	    chmod(at.sun_path, mode) == -1 || listen(fd, backlog) == -1)
		return err_set(err, ERR_FAULT, "%s: %s", at.sun_path,
		    strerror(errno));
	return TAKE_FD(fd);
}

/* Who comes while we end need not ask us. */
static void
remove_socket(const struct settings *s, const char *name)
{
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];

	snprintf(path, sizeof(path), "%s/%s", s->run_dir, name);
	unlink(path);
}

/* Anybody may connect: who may do what, the registrar decides by asking the
 * kernel who it is. */
static int
open_api_socket(const struct settings *s, struct err *err)
{
	return open_socket(s, "api.sock", (gid_t)-1, 0666, 64, err);
}

/* Where passphrases are typed in. The signer asks the kernel who it is, too;
 * but whoever may not do it cannot even take its time. */
static int
open_unlock_socket(const struct settings *s, struct err *err)
{
	const struct group *group = s->unprivileged ? NULL :
	    getgrnam(SECURITY_GROUP);

	return open_socket(s, "unlock.sock", group == NULL ? (gid_t)-1 :
	    group->gr_gid, group == NULL ? 0600 : 0660, 8, err);
}

static int
take_signals(struct err *err)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? err_errno(err, ERR_FAULT, "signalfd") : fd;
}

/* --- watching ------------------------------------------------------------------ */

static void
start(struct daemon *d)
{
	struct err err;

	d->started_ms = clock_monotonic_ms();
	d->options.settings = d->settings;
	if (crew_start(&d->crew, &d->options, &err) == -1)
		log_error("start.failed", STR("why", err.text),
		    STR("detail", err.detail));
}

/* After a death: the set ends and comes back, later each time that it does
 * not live. */
static void
start_anew(struct daemon *d)
{
	crew_stop(&d->crew, GRACE_MS);
	if (clock_monotonic_ms() - d->started_ms > CALM_MS)
		d->pause_ms = FIRST_PAUSE_MS;
	log_warn("roles.restart", NUM("after_ms", d->pause_ms));
	poll(NULL, 0, d->pause_ms);
	d->pause_ms *= 2;
	if (d->pause_ms > LONGEST_PAUSE_MS)
		d->pause_ms = LONGEST_PAUSE_MS;
	start(d);
}

/* The new configuration is checked whole before the old one ends. */
static int
reload(struct daemon *d, struct err *err)
{
	struct settings *fresh = NULL;

	if (read_settings(d->conf, &fresh, err) == -1) {
		settings_free(fresh);
		log_error("reload.refused", STR("why", err->text));
		return -1;
	}
	if (strcmp(fresh->state_dir, d->settings->state_dir) != 0 ||
	    strcmp(fresh->run_dir, d->settings->run_dir) != 0 ||
	    fresh->unprivileged != d->settings->unprivileged) {
		settings_free(fresh);
		err_set(err, ERR_FAULT, "state_dir, run_dir and unprivileged "
		    "change only by a restart");
		log_error("reload.refused", STR("why", err->text));
		return -1;
	}
	notify_reloading();
	log_info("reload", STR("file", d->conf));
	crew_stop(&d->crew, GRACE_MS);
	settings_free(d->settings);
	d->settings = fresh;
	d->announced = false;
	start(d);
	return 0;
}

static void
handle_signal(struct daemon *d)
{
	struct signalfd_siginfo info;
	struct err err;
	bool died = false;

	while (read(d->signals, &info, sizeof(info)) ==
	    (ssize_t)sizeof(info))
		switch (info.ssi_signo) {
		case SIGTERM:
		case SIGINT:
			d->stopping = true;
			break;
		case SIGHUP:
			reload(d, &err);
			break;
		case SIGCHLD:
			died = crew_reap(&d->crew) || died;
			break;
		}
	if (died && !d->stopping)
		start_anew(d);
}

/* Returns false when the set is no longer the one that the frame came from. */
static bool
handle_frame(struct daemon *d, struct crew_member *member,
    const struct frame *frame)
{
	struct err err;

	switch (role_news(frame)) {
	case ROLE_READY:
		member->ready = true;
		return true;
	case ROLE_CRASHED:
		/* A test pulls the plug: everything at once. */
		for (size_t i = 0; i < d->crew.n; i++)
			kill(d->crew.members[i].process.pid, SIGKILL);
		kill(getpid(), SIGKILL);
		return false;
	case ROLE_OTHER:
		if (frame->type == WIRE_RELOAD &&
		    strcmp(member->role->name, "registrar") == 0) {
			if (reload(d, &err) == 0)
				return false;
			channel_send(member->process.control, WIRE_RELOADED,
			    (struct bytes){ (const uint8_t *)err.text,
			    strlen(err.text) + 1 }, -1, &err);
			return true;
		}
		if (frame->type == WIRE_TOKEN_FILE &&
		    (strcmp(member->role->name, "intake") == 0 ||
		    strcmp(member->role->name, "submit") == 0)) {
			crew_give_token(member, d->settings);
			return true;
		}
		break;
	case ROLE_PROBED:
	case ROLE_BROKEN:
		break;
	}
	log_error("role.broken", STR("role", member->role->name),
	    NUM("frame", frame->type));
	kill(member->process.pid, SIGKILL);	/* and SIGCHLD comes */
	return true;
}

static void
handle_member(struct daemon *d, struct crew_member *member)
{
	struct frame frame;
	struct err err;

	if (channel_read(member->process.control, &err) == -1)
		return;		/* its death will be told by SIGCHLD */
	while (channel_next(member->process.control, &frame, &err) == 1) {
		if (frame.fd >= 0)
			close(frame.fd);
		if (!handle_frame(d, member, &frame))
			return;
	}
}

static void
watch(struct daemon *d)
{
	struct pollfd fds[CREW_MAX + 1] = { { d->signals, POLLIN, 0 } };
	size_t n = d->crew.n;

	for (size_t i = 0; i < n; i++)
		fds[i + 1] = (struct pollfd){
			channel_fd(d->crew.members[i].process.control),
			POLLIN, 0 };
	if (poll(fds, n + 1, 1000) < 0 && errno != EINTR)
		return;
	for (size_t i = 0; i < n && d->crew.n == n; i++)
		if ((fds[i + 1].revents & POLLIN) != 0)
			handle_member(d, &d->crew.members[i]);
	handle_signal(d);
	if (!d->announced && d->crew.n > 0 && crew_is_ready(&d->crew)) {
		d->announced = true;
		log_info("ready", STR("state_dir", d->settings->state_dir));
		notify("READY=1");
	}
	/* A set that could not be started, or hangs while it starts. */
	if (!d->stopping && (d->crew.n == 0 || (!crew_is_ready(&d->crew) &&
	    clock_monotonic_ms() - d->started_ms > READY_MS)))
		start_anew(d);
}

static int
run(struct daemon *d)
{
	struct err err;

	d->pause_ms = FIRST_PAUSE_MS;
	d->signals = take_signals(&err);
	if (d->signals < 0) {
		log_error("start.failed", STR("why", err.text));
		return EX_OSERR;
	}
	start(d);
	if (d->crew.n == 0)
		return EX_CONFIG;
	while (!d->stopping)
		watch(d);
	notify("STOPPING=1");
	log_info("stopping");
	remove_socket(d->settings, "api.sock");
	remove_socket(d->settings, "unlock.sock");
	crew_stop(&d->crew, GRACE_MS);
	return EX_OK;
}

/* --- the walls, tried from inside ------------------------------------------------ */

static int
show_walls(struct daemon *d)
{
	struct err err;
	int result = EX_OK;

	d->options.settings = d->settings;
	d->options.probe = true;
	if (crew_start(&d->crew, &d->options, &err) == -1) {
		fprintf(stderr, "csrmaild: %s\n", err.text);
		return EX_CONFIG;
	}
	for (size_t i = 0; i < d->crew.n; i++) {
		struct crew_member *m = &d->crew.members[i];
		struct frame frame;

		if (channel_await(m->process.control, READY_MS, &frame,
		    &err) == 0 && role_news(&frame) == ROLE_PROBED) {
			role_show_probe(m->role->name, m->instance,
			    frame.payload);
		} else {
			role_show_probe(m->role->name, m->instance,
			    bytes_of("died before it could tell"));
			result = EX_SOFTWARE;
		}
	}
	crew_stop(&d->crew, GRACE_MS);
	return result;
}

#ifdef TEST_HOOKS
static void
read_test_hooks(struct crew_options *options)
{
	const char *offset = getenv("CSRMAIL_TEST_CLOCK_OFFSET_S");

	options->test_crash_at = getenv("CSRMAIL_TEST_CRASH_AT");
	if (offset != NULL)
		options->test_clock_offset_s = strtoll(offset, NULL, 10);
	clock_set_test_offset(options->test_clock_offset_s);
}
#endif

static int
run_role(struct role *role)
{
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
		if (strcmp(roles[i].name, role->name) == 0)
			return roles[i].run(role);
	return EX_SOFTWARE;
}

static int
open_what_is_ours(struct daemon *d, struct err *err)
{
	if (read_settings(d->conf, &d->settings, err) == -1)
		return EX_CONFIG;
	if (!d->settings->unprivileged && geteuid() != 0) {
		err_set(err, ERR_FAULT, "%s: start it as root, or set "
		    "unprivileged = true", d->conf);
		return EX_NOPERM;
	}
	d->options.lock_fd = take_lock(d->settings, err);
	if (d->options.lock_fd < 0)
		return err->kind == ERR_RETRY ? EX_TEMPFAIL : EX_CANTCREAT;
	d->options.api_fd = open_api_socket(d->settings, err);
	if (d->options.api_fd < 0)
		return EX_CANTCREAT;
	d->options.unlock_fd = open_unlock_socket(d->settings, err);
	return d->options.unlock_fd < 0 ? EX_CANTCREAT : EX_OK;
}

struct arguments {
	bool	check, walls;
	int	done;		/* >= 0: exit with this now */
};

static void
read_arguments(int argc, char **argv, struct daemon *d,
    struct arguments *out)
{
	int c;

	while ((c = getopt(argc, argv, "c:tWVh")) != -1)
		switch (c) {
		case 'c':
			d->conf = optarg;
			break;
		case 't':
			out->check = true;
			break;
		case 'W':
			out->walls = true;
			break;
		case 'V':
			puts("csrmaild " CSRMAIL_VERSION);
			out->done = EX_OK;
			return;
		case 'h':
			usage(stdout);
			out->done = EX_OK;
			return;
		default:
			usage(stderr);
			out->done = EX_USAGE;
			return;
		}
	if (optind < argc) {
		usage(stderr);
		out->done = EX_USAGE;
	}
}

static int
check_only(struct daemon *d)
{
	struct err err;

	if (read_settings(d->conf, &d->settings, &err) == 0) {
		printf("%s: correct\n", d->conf);
		return EX_OK;
	}
	fprintf(stderr, "csrmaild: %s\n", err.text);
	return EX_CONFIG;
}

static int
run_as_main(struct daemon *d, bool walls)
{
	struct err err;
	int r = open_what_is_ours(d, &err);

	if (r != EX_OK) {
		fprintf(stderr, "csrmaild: %s\n", err.text);
		return r;
	}
#ifdef TEST_HOOKS
	read_test_hooks(&d->options);
#endif
	return walls ? show_walls(d) : run(d);
}

int
main(int argc, char **argv)
{
	struct daemon d = { .conf = "/etc/csrmail/csrmaild.conf",
		.crew = { .roles = roles,
		.n_roles = sizeof(roles) / sizeof(roles[0]), .edges = edges,
		.n_edges = sizeof(edges) / sizeof(edges[0]) } };
	struct arguments arguments = { .done = -1 };
	struct err err = { 0 };
	struct role role;
	bool is_role;

	if (role_enter(argc, argv, &role, &is_role, &err) == -1) {
		log_error("role.failed", STR("why", err.text));
		return EX_SOFTWARE;
	}
	/* _exit: what a process leaves in memory needs no tidying. */
	if (is_role)
		_exit(run_role(&role));
	privsep_harden_process();
	if (passphrase_take_environment(&err) == -1) {
		fprintf(stderr, "csrmaild: %s\n", err.text);
		_exit(EX_CONFIG);
	}
	log_open("csrmaild", "", LOG_LEVEL_INFO);
	notify_open();
	read_arguments(argc, argv, &d, &arguments);
	if (arguments.done == -1)
		arguments.done = arguments.check ? check_only(&d) :
		    run_as_main(&d, arguments.walls);
	fflush(stdout);
	_exit(arguments.done);
}
