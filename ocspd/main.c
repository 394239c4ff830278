/*
 * ocspd: answers OCSP requests (RFC 6960, RFC 9919) for the CAs of a csrmail
 * store. Starts as main, which opens sockets and folders and starts each role
 * as a process of its own:
 *
 *	clients <-> front.0 .. front.N-1 <-> responder <-> store (read only)
 *
 * A role that dies is replaced alone. On SIGHUP a whole new set takes over,
 * once it is ready, the sockets of the old one; on SIGUSR2 a whole new main.
 */
#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/notify.h"
#include "common/role.h"
#include "ocspd/activation.h"
#include "ocspd/front.h"
#include "ocspd/monitor.h"
#include "ocspd/responder.h"
#include "ocspd/set.h"
#include "ocspd/settings.h"
#include "ocspd/upgrade.h"

#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define DEFAULT_CONF	"/etc/csrmail/ocspd.conf"
#define FRONT_USER	"ocspd-net"
#define RESPONDER_USER	"ocspd"

#define STOP_MS		8000	/* for a role to finish */
#define START_MS	10000	/* for a new set to be ready */

struct daemon {
	const char		*conf;
	bool			 stopping;
	struct set_options	 options;
	struct set		*current;
	struct set		*next;	/* being started by a reload */
	struct set		*last;	/* being ended after one */
	bool			 again;	/* reload once that is done */
	char			**argv;	/* as main got it */
	struct upgrade		 upgrade;
};

/* The fronts inherit it: two for each connection (ocspd/places.h). Who may not
 * raise the hard limit keeps to it. */
static void
allow_descriptors(const struct settings *s)
{
	const rlim_t wanted = 2 * (rlim_t)s->max_connections + 1024;
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == -1)
		return;
	if (geteuid() == 0 && files.rlim_max < wanted)
		files.rlim_max = wanted;
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
}

static int
make_next(struct daemon *d, struct err *err)
{
	struct settings *settings;

	if (settings_read(d->conf, &settings, err) == -1)
		return -1;
	allow_descriptors(settings);
	return set_new(&d->options, settings, &d->current->listeners,
	    &d->next, err);
}

static void
reload(struct daemon *d)
{
	struct err err;

	/* One at a time; what was asked for meanwhile is one more. */
	d->again = d->next != NULL || d->last != NULL || d->upgrade.pid != 0;
	if (d->again)
		return;
	notify_reloading();
	if (make_next(d, &err) == -1) {
		log_error("reload.refused", STR("why", err.text));
		notify("READY=1");
		return;
	}
	set_start(d->next);
}

/* No longer needed: who ends now is not replaced. */
static void
dismiss(struct daemon *d, struct set *set, int64_t now_ms)
{
	d->last = set;
	set->ending = true;
	set->began_ms = now_ms;
	set_signal(set, SIGTERM);
}

/* A new set that is ready takes over; one that does not become it goes. */
static void
finish_reload(struct daemon *d, int64_t now_ms)
{
	if (d->next != NULL && set_is_ready(d->next)) {
		log_info("reload.done");
		dismiss(d, d->current, now_ms);
		d->current = TAKE(d->next);
		notify("READY=1");
	} else if (d->next != NULL &&
	    now_ms - d->next->began_ms > START_MS) {
		log_error("reload.refused", STR("why",
		    "the new processes did not become ready"));
		dismiss(d, TAKE(d->next), now_ms);
		notify("READY=1");
	}
	if (d->last != NULL && set_is_gone(d->last)) {
		set_free(d->last);
		d->last = NULL;
	} else if (d->last != NULL && now_ms - d->last->began_ms > STOP_MS) {
		set_signal(d->last, SIGKILL);
	}
	if (d->again && !d->stopping)
		reload(d);
}

/* --- the loop ------------------------------------ */

static void
bury(struct daemon *d)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (!set_bury(d->current, pid, status) &&
		    !set_bury(d->next, pid, status))
			set_bury(d->last, pid, status);
}

static void
stop(struct daemon *d)
{
	struct set *sets[] = { d->current, d->next };

	if (!d->stopping)
		notify("STOPPING=1");
	d->stopping = true;
	for (size_t i = 0; i < 2; i++) {
		if (sets[i] == NULL)
			continue;
		sets[i]->ending = true;
		set_signal(sets[i], SIGTERM);
	}
}

static void
begin_upgrade(struct daemon *d)
{
	struct err err;

	if (d->stopping || d->upgrade.pid != 0)
		return;
	if (d->next != NULL || d->last != NULL) {
		log_error("upgrade.refused", STR("why",
		    "a reload is not over; send SIGUSR2 again"));
		return;
	}
	if (upgrade_start(&d->upgrade, d->argv, &d->current->listeners,
	    clock_monotonic_ms(), &err) == -1)
		log_error("upgrade.refused", STR("why", err.text),
		    STR("detail", err.detail));
	else
		log_info("upgrade", NUM("pid", d->upgrade.pid));
}

static void
finish_upgrade(struct daemon *d, int64_t now_ms)
{
	char main_pid[40];

	switch (upgrade_look(&d->upgrade, now_ms)) {
	case UPGRADE_WAITING:
		return;
	case UPGRADE_FAILED:
		log_error("upgrade.refused", STR("why",
		    "the successor did not become ready; its own words "
		    "are above"));
		if (d->again)
			reload(d);
		return;
	case UPGRADE_DONE:
		log_info("upgrade.done", NUM("pid", d->upgrade.pid));
		snprintf(main_pid, sizeof(main_pid), "MAINPID=%ld",
		    (long)d->upgrade.pid);
		notify(main_pid);
		d->upgrade.pid = 0;
		stop(d);
	}
}

static void
take_signals(struct daemon *d, int signals)
{
	struct signalfd_siginfo info;

	while (read(signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		switch (info.ssi_signo) {
		case SIGHUP:
			if (!d->stopping)
				reload(d);
			break;
		case SIGUSR2:
			begin_upgrade(d);
			break;
		case SIGTERM:
		case SIGINT:
			stop(d);
			break;
		}
	}
	bury(d);
}

static int64_t
earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Sets do not change while one round's polls are looked at: reload and
 * finish_reload come after. */
static void
one_round(struct daemon *d, int signals, struct pollfd *p)
{
	struct set *const sets[] = { d->current, d->next, d->last };
	int64_t now_ms = clock_monotonic_ms(), next;
	size_t n = 1;

	next = earlier(set_start_due(d->current, now_ms),
	    set_start_due(d->next, now_ms));
	p[0] = (struct pollfd){ signals, POLLIN, 0 };
	for (size_t i = 0; i < 3; i++)
		n += set_poll(sets[i], p + n);
	if (d->next != NULL || d->last != NULL || d->stopping ||
	    d->upgrade.pid != 0)
		next = earlier(next, now_ms + 200);
	if (d->current->unpublished)
		next = earlier(next, now_ms + 1000);
	if (poll(p, n, next == INT64_MAX ? -1 :
	    next <= now_ms ? 0 : (int)(next - now_ms)) <= 0)
		return;
	for (size_t i = 0, at = 1; i < 3; at += sets[i] == NULL ? 0 :
	    sets[i]->n, i++)
		if (!set_hear(sets[i], p + at)) {
			set_signal(d->current, SIGKILL);
			set_signal(d->next, SIGKILL);
			_exit(EX_SOFTWARE);
		}
	if (p[0].revents != 0)
		take_signals(d, signals);
}

static int
run(struct daemon *d, int signals)
{
	struct pollfd p[1 + 3 * SET_MAX_MEMBERS];
	int64_t stop_at = INT64_MAX;
	bool told = false;

	set_start(d->current);
	for (;;) {
		one_round(d, signals, p);
		finish_reload(d, clock_monotonic_ms());
		finish_upgrade(d, clock_monotonic_ms());
		set_look_for_published(d->current);
		if (!told && set_is_ready(d->current)) {
			told = true;
			log_info("ready", NUM("fronts",
			    d->current->settings->fronts));
			notify("READY=1");
			upgrade_tell();
		}
		if (d->options.probe && set_is_ready(d->current))
			d->stopping = true;
		if (!d->stopping)
			continue;
		if (stop_at == INT64_MAX)
			stop_at = clock_monotonic_ms() + STOP_MS;
		if (clock_monotonic_ms() > stop_at) {
			set_signal(d->current, SIGKILL);
			set_signal(d->next, SIGKILL);
			set_signal(d->last, SIGKILL);
		}
		if (set_is_gone(d->current) &&
		    (d->next == NULL || set_is_gone(d->next)) &&
		    (d->last == NULL || set_is_gone(d->last)))
			return EX_OK;
	}
}

/* --- beginning ------------------------------------ */

static int
make_folder(const char *dir, const char *sub, mode_t mode, uid_t uid,
    gid_t gid, struct err *err)
{
	char path[4200];

	snprintf(path, sizeof(path), "%s%s", dir, sub);
	if (mkdir(path, 0700) == -1 && errno != EEXIST)
		return err_set(err, ERR_FAULT, "%s: %s", path,
		    strerror(errno));
	if (geteuid() == 0 && chown(path, uid, gid) == -1)
		return err_set(err, ERR_FAULT, "%s: chown: %s", path,
		    strerror(errno));
	if (chmod(path, mode) == -1)
		return err_set(err, ERR_FAULT, "%s: chmod: %s", path,
		    strerror(errno));
	return 0;
}

/* keys/ is the responder's alone; the spool's group may read, and what is
 * written there belongs to it (setgid). */
static int
prepare(struct daemon *d, const struct settings *s, struct err *err)
{
	const bool as_root = geteuid() == 0 && !s->unprivileged;
	const char *front = as_root ? FRONT_USER : "";
	const char *responder = as_root ? RESPONDER_USER : "";
	const struct group *group = NULL;
	const struct identity *own = &d->options.responder;
	gid_t gid;

	if (privsep_find_identity(front, &d->options.front, err) == -1 ||
	    privsep_find_identity(responder, &d->options.responder,
	    err) == -1)
		return -1;
	gid = own->gid;
	if (as_root && s->spool_group[0] != '\0') {
		group = getgrnam(s->spool_group);
		if (group == NULL)
			return err_set(err, ERR_FAULT, "spool_group: there is "
			    "no group %s", s->spool_group);
		gid = group->gr_gid;
	}
	if (make_folder(s->state_dir, "", 0750, own->uid, gid, err) == -1 ||
	    make_folder(s->state_dir, "/keys", 0700, own->uid, own->gid,
	    err) == -1 || make_folder(s->state_dir, "/spool", 02750, own->uid,
	    gid, err) == -1)
		return -1;
	allow_descriptors(s);
	return 0;
}

static int
take_over_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR2);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int
complain(const struct err *err)
{
	fprintf(stderr, "ocspd: %s%s%s\n", err->text,
	    err->detail[0] == '\0' ? "" : ": ", err->detail);
	return err->kind == ERR_FAULT ? EX_CONFIG : EX_TEMPFAIL;
}

#ifdef TEST_HOOKS
static void
read_test_hooks(struct daemon *d)
{
	const char *offset = getenv("CSRMAIL_TEST_CLOCK_OFFSET_S");

	if (offset != NULL)
		d->options.test_clock_offset_s = strtoll(offset, NULL, 10);
	clock_set_test_offset(d->options.test_clock_offset_s);
}
#endif

static int
run_as_role(struct role *role)
{
	struct err err = { 0 };
	int r = strcmp(role->name, "front") == 0 ? front_run(role, &err) :
	    strcmp(role->name, "responder") == 0 ?
	    responder_run(role, &err) :
	    strcmp(role->name, "monitor") == 0 ? monitor_run(role, &err) :
	    err_set(&err, ERR_FAULT, "there is no such role");

	channel_free(role->control);
	if (r == 0)
		return EX_OK;
	log_error("role.failed", STR("why", err.text),
	    STR("detail", err.detail));
	return EX_SOFTWARE;
}

static int
run_as_main(struct daemon *d)
{
	OWNED_STRUCT(settings) *settings = NULL;
	struct listeners inherited;
	struct err err = { 0 };
	int signals, status;

	if (settings_read(d->conf, &settings, &err) == -1 ||
	    upgrade_inherit(&inherited, &err) == -1)
		return complain(&err);
	log_open("ocspd", "", settings->log_level);
	status = prepare(d, settings, &err) == -1 ? -1 :
	    set_new(&d->options, TAKE(settings), &inherited, &d->current,
	    &err);
	listen_close(&inherited);
	if (status == -1)
		return complain(&err);
	signals = take_over_signals();
	if (signals < 0)
		return EX_OSERR;
	status = run(d, signals);
	set_free(d->current);
	set_free(d->next);
	set_free(d->last);
	close(signals);
	return status;
}

static int
usage(void)
{
	fprintf(stderr, "usage: ocspd [-tVW] [-c FILE]\n");
	return EX_USAGE;
}

static int
check_only(const char *conf)
{
	OWNED_STRUCT(settings) *settings = NULL;
	struct err err = { 0 };

	if (settings_read(conf, &settings, &err) == -1)
		return complain(&err);
	printf("%s: correct\n", conf);
	return EX_OK;
}

int
main(int argc, char **argv)
{
	struct daemon d = { .conf = DEFAULT_CONF, .argv = argv };
	struct role role;
	struct err err = { 0 };
	bool is_role = false, check = false;
	int c;

	if (role_enter(argc, argv, &role, &is_role, &err) == -1)
		return complain(&err);
	/* _exit: what a role leaves in memory needs no tidying. */
	if (is_role)
		_exit(run_as_role(&role));
	privsep_harden_process();
	upgrade_note_program();
	if (activation_take(&err) == -1)
		return complain(&err);
	notify_open();
#ifdef TEST_HOOKS
	read_test_hooks(&d);
#endif
	while ((c = getopt(argc, argv, "c:tVW")) != -1) {
		switch (c) {
		case 'c':
			d.conf = optarg;
			break;
		case 't':
			check = true;
			break;
		case 'V':
			printf("ocspd %s\n", CSRMAIL_VERSION);
			return EX_OK;
		case 'W':
			d.options.probe = true;
			break;
		default:
			return usage();
		}
	}
	if (optind != argc)
		return usage();
	c = check ? check_only(d.conf) : run_as_main(&d);
	fflush(stdout);
	_exit(c);
}
