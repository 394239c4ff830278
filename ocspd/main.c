/*
 * ocspd: answers OCSP requests (RFC 6960, RFC 9919) for the CAs of a csrmail
 * store. Starts as main, which opens sockets and folders and starts each role
 * as a process of its own:
 *
 *	clients <-> front.0 .. front.N-1 <-> responder <-> store (read only)
 *
 * A role that dies is replaced alone. On SIGHUP a whole new set takes over,
 * once it is ready, the sockets of the old one.
 */
#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/notify.h"
#include "common/role.h"
#include "ocspd/front.h"
#include "ocspd/listen.h"
#include "ocspd/responder.h"
#include "ocspd/settings.h"
#include "ocspd/wire.h"

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

#define FIRST_DELAY_MS	100	/* before a role that died is replaced */
#define LAST_DELAY_MS	30000
#define LONG_LIFE_MS	60000	/* after that, a death is the first again */
#define STOP_MS		8000	/* for a role to finish */
#define START_MS	10000	/* for a new set to be ready */

struct member {
	struct role_process	 process;	/* pid 0: not running */
	bool			 ready;
	bool			 deaf;	/* closed its channel: it is ending */
	int64_t			 started_ms;
	int64_t			 start_at_ms;	/* when to start it (again) */
	int64_t			 delay_ms;
};

/* One configuration with its processes. members[0] is the responder, the
 * others are fronts. */
struct set {
	struct settings		*settings;
	struct listeners	 listeners;
	struct member		*members;
	size_t			 n;
	int64_t			 began_ms;
	bool			 unpublished;	/* published_dir is not there */
};

struct daemon {
	const char		*conf;
	bool			 probe;
	bool			 stopping;
	int64_t			 test_clock_offset_s;
	struct identity		 front_identity, responder_identity;
	struct set		*current;
	struct set		*next;	/* being started by a reload */
	struct set		*last;	/* being ended after one */
};

/* --- starting one role ------------------------------------ */

static int
give_folder(struct role_process *p, const char *name, const char *dir,
    const char *sub, struct err *err)
{
	char path[4200];
	int fd;

	snprintf(path, sizeof(path), "%s%s", dir, sub);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, ERR_FAULT, "%s: %s", path,
		    strerror(errno));
	return role_give(p, name, fd, err);
}

static int
give_responder(struct set *set, struct role_process *p, struct err *err)
{
	const char *dir = set->settings->state_dir;

	return give_folder(p, "keys", dir, "/keys", err) == -1 ||
	    give_folder(p, "spool", dir, "/spool", err) == -1 ? -1 : 0;
}

static int
give_front(struct set *set, size_t front, struct role_process *p,
    struct err *err)
{
	struct err none;
	char name[32];

	/* Without that folder there is nothing to serve from it, no more. */
	if (give_folder(p, "published", set->settings->published_dir, "",
	    &none) == -1) {
		log_warn("published.missing", STR("why", none.text));
		set->unpublished = true;
	}
	for (size_t i = 0; i < set->listeners.n_addresses; i++) {
		int fd = listen_share(&set->listeners, i, front, err);

		snprintf(name, sizeof(name), "listen.%zu", i);
		if (fd == -1 || role_give(p, name, fd, err) == -1)
			return -1;
	}
	return 0;
}

static int
start_role(struct daemon *d, struct set *set, size_t i,
    struct role_process *out, struct err *err)
{
	char instance[24] = "", store_keys[4200], own_keys[4200];
	const char *const probes[] = { store_keys, set->settings->store,
		own_keys, "/etc/shadow", NULL };
	struct role_spec spec = { .program = "ocspd",
		.role = i == 0 ? "responder" : "front", .instance = instance,
		.identity = i == 0 ? d->responder_identity :
		    d->front_identity,
		.log_level = set->settings->log_level, .probe = d->probe,
		.probe_paths = d->probe ? probes : NULL,
		.test_clock_offset_s = d->test_clock_offset_s };
	const char *slash = strrchr(set->settings->store, '/');
	struct role_process p;
	int fd;

	snprintf(store_keys, sizeof(store_keys), "%.*s/keys",
	    slash == NULL ? 0 : (int)(slash - set->settings->store),
	    set->settings->store);
	snprintf(own_keys, sizeof(own_keys), "%s/keys",
	    set->settings->state_dir);

	if (i > 0)
		snprintf(instance, sizeof(instance), "%zu", i - 1);
	if (role_spawn(&spec, &p, err) == -1)
		return -1;
	fd = settings_fd(set->settings, err);
	if (fd == -1 || role_give(&p, "settings", fd, err) == -1 ||
	    (i == 0 ? give_responder(set, &p, err) :
	    give_front(set, i - 1, &p, err)) == -1 ||
	    role_go(&p, err) == -1) {
		kill(p.pid, SIGKILL);
		waitpid(p.pid, NULL, 0);
		channel_free(p.control);
		return -1;
	}
	*out = p;
	return 0;
}

/* A new channel between the responder and front i, when both run. */
static void
connect_peers(struct set *set, size_t i)
{
	struct member *responder = &set->members[0];
	struct member *front = &set->members[i];
	struct err err;
	int pair[2];

	if (responder->process.pid == 0 || front->process.pid == 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1)
		return;
	/* A failure here is that role's end, which is seen there. */
	if (channel_send(front->process.control, WIRE_PEER,
	    (struct bytes){ 0 }, pair[0], &err) == -1 ||
	    channel_send(responder->process.control, WIRE_PEER,
	    (struct bytes){ 0 }, pair[1], &err) == -1)
		log_warn("peers.unconnected", STR("why", err.text));
}

static void
back_off(struct member *m, int64_t now_ms)
{
	if (now_ms - m->started_ms > LONG_LIFE_MS || m->delay_ms == 0)
		m->delay_ms = FIRST_DELAY_MS;
	else if (m->delay_ms * 2 <= LAST_DELAY_MS)
		m->delay_ms *= 2;
	m->start_at_ms = now_ms + m->delay_ms;
}

static void
start_member(struct daemon *d, struct set *set, size_t i)
{
	struct member *m = &set->members[i];
	int64_t now_ms = clock_monotonic_ms();
	struct err err;

	m->started_ms = now_ms;
	m->ready = false;
	m->deaf = false;
	if (start_role(d, set, i, &m->process, &err) == -1) {
		log_error("role.unstartable", STR("why", err.text),
		    STR("detail", err.detail));
		m->process.pid = 0;
		back_off(m, now_ms);
		return;
	}
	m->start_at_ms = 0;
	if (i > 0)
		connect_peers(set, i);
	else
		for (size_t k = 1; k < set->n; k++)
			connect_peers(set, k);
}

/* --- sets ------------------------------------ */

static void
set_free(struct set *set)
{
	if (set == NULL)
		return;
	for (size_t i = 0; i < set->n; i++)
		if (set->members[i].process.pid != 0)
			channel_free(set->members[i].process.control);
	free(set->members);
	listen_close(&set->listeners);
	settings_free(set->settings);
	free(set);
}
OWNED_STRUCT_BY(set, set_free)

/* settings is taken. */
static int
set_new(struct settings *settings, const struct listeners *old,
    struct set **out, struct err *err)
{
	OWNED_STRUCT(set) *set = calloc(1, sizeof(*set));

	if (set == NULL) {
		settings_free(settings);
		return err_set(err, ERR_FAULT, "out of memory");
	}
	set->settings = settings;
	if (listen_open(settings, old, &set->listeners, err) == -1)
		return -1;
	set->n = settings->fronts + 1;
	set->members = calloc(set->n, sizeof(set->members[0]));
	if (set->members == NULL)
		return err_set(err, ERR_FAULT, "out of memory");
	*out = TAKE(set);
	return 0;
}

static void
set_start(struct daemon *d, struct set *set)
{
	set->began_ms = clock_monotonic_ms();
	for (size_t i = 0; i < set->n; i++)
		start_member(d, set, i);
}

static void
set_signal(struct set *set, int sig)
{
	for (size_t i = 0; set != NULL && i < set->n; i++)
		if (set->members[i].process.pid != 0)
			kill(set->members[i].process.pid, sig);
}

static bool
set_is_ready(const struct set *set)
{
	for (size_t i = 0; i < set->n; i++)
		if (!set->members[i].ready)
			return false;
	return true;
}

static bool
set_is_gone(const struct set *set)
{
	for (size_t i = 0; i < set->n; i++)
		if (set->members[i].process.pid != 0)
			return false;
	return true;
}

/* --- life and death ------------------------------------ */

static bool
bury_in(struct daemon *d, struct set *set, pid_t pid, int status)
{
	for (size_t i = 0; set != NULL && i < set->n; i++) {
		struct member *m = &set->members[i];

		if (m->process.pid != pid)
			continue;
		channel_free(m->process.control);
		memset(&m->process, 0, sizeof(m->process));
		if (d->stopping || set == d->last || d->probe)
			return true;
		m->ready = false;
		log_error("role.died", STR("role", i == 0 ? "responder" :
		    "front"), NUM("status", WIFEXITED(status) ?
		    WEXITSTATUS(status) : 0), NUM("signal",
		    WIFSIGNALED(status) ? WTERMSIG(status) : 0));
		back_off(m, clock_monotonic_ms());
		return true;
	}
	return false;
}

static void
bury(struct daemon *d)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (!bury_in(d, d->current, pid, status) &&
		    !bury_in(d, d->next, pid, status))
			bury_in(d, d->last, pid, status);
}

static void
hear_member(struct daemon *d, struct set *set, size_t i)
{
	struct member *m = &set->members[i];
	struct frame frame;
	char front[24];
	struct err err;

	if (channel_flush(m->process.control, &err) == -1 ||
	    channel_read(m->process.control, &err) == -1) {
		/* In good order: its death follows as SIGCHLD. */
		m->deaf = true;
		if (err.kind != ERR_RETRY)
			kill(m->process.pid, SIGKILL);
		return;
	}
	while (channel_next(m->process.control, &frame, &err) == 1) {
		if (frame.fd >= 0)
			close(frame.fd);
		switch (role_news(&frame)) {
		case ROLE_READY:
			m->ready = true;
			break;
		case ROLE_PROBED:
			snprintf(front, sizeof(front), "%zu", i == 0 ? 0 : i - 1);
			role_show_probe(i == 0 ? "responder" : "front",
			    i == 0 ? "" : front, frame.payload);
			m->ready = true;
			break;
		case ROLE_CRASHED:
			set_signal(d->current, SIGKILL);
			set_signal(d->next, SIGKILL);
			_exit(EX_SOFTWARE);
		case ROLE_OTHER:
		case ROLE_BROKEN:
			log_error("role.broken", NUM("frame", frame.type));
			kill(m->process.pid, SIGKILL);
		}
	}
}

/* The time of the next thing to do, or INT64_MAX. */
static int64_t
start_due(struct daemon *d, struct set *set, int64_t now_ms)
{
	int64_t next = INT64_MAX;

	for (size_t i = 0; set != NULL && !d->stopping && i < set->n; i++) {
		struct member *m = &set->members[i];

		if (m->process.pid != 0 || m->start_at_ms == 0)
			continue;
		if (m->start_at_ms <= now_ms)
			start_member(d, set, i);
		if (m->start_at_ms != 0 && m->start_at_ms < next)
			next = m->start_at_ms;
	}
	return next;
}

static void
reload(struct daemon *d)
{
	struct settings *settings;
	struct err err;

	if (d->next != NULL || d->last != NULL) {
		log_warn("reload.refused", STR("why", "one is under way"));
		return;
	}
	notify_reloading();
	if (settings_read(d->conf, &settings, &err) == -1 ||
	    set_new(settings, &d->current->listeners, &d->next, &err) == -1) {
		log_error("reload.refused", STR("why", err.text));
		notify("READY=1");
		return;
	}
	set_start(d, d->next);
}

/* The folder that was not there at start: the fronts' walls were built
 * without it, so they are replaced when it comes. */
static void
look_for_published(struct daemon *d)
{
	struct set *set = d->current;

	if (!set->unpublished || d->stopping ||
	    access(set->settings->published_dir, R_OK | X_OK) == -1)
		return;
	set->unpublished = false;
	for (size_t i = 1; i < set->n; i++)
		if (set->members[i].process.pid != 0)
			kill(set->members[i].process.pid, SIGTERM);
}

/* A new set that is ready takes over; one that does not become it goes. */
static void
finish_reload(struct daemon *d, int64_t now_ms)
{
	if (d->next != NULL && set_is_ready(d->next)) {
		log_info("reload.done");
		d->last = d->current;
		d->current = TAKE(d->next);
		d->last->began_ms = now_ms;
		set_signal(d->last, SIGTERM);
		notify("READY=1");
	} else if (d->next != NULL &&
	    now_ms - d->next->began_ms > START_MS) {
		log_error("reload.refused", STR("why",
		    "the new processes did not become ready"));
		d->last = TAKE(d->next);
		d->last->began_ms = now_ms;
		set_signal(d->last, SIGTERM);
		notify("READY=1");
	}
	if (d->last != NULL && set_is_gone(d->last)) {
		set_free(d->last);
		d->last = NULL;
	} else if (d->last != NULL && now_ms - d->last->began_ms > STOP_MS) {
		set_signal(d->last, SIGKILL);
	}
}

/* --- the loop ------------------------------------ */

static size_t
add_polls(struct set *set, struct pollfd *p, size_t n)
{
	for (size_t i = 0; set != NULL && i < set->n; i++) {
		const struct member *m = &set->members[i];
		bool runs = m->process.pid != 0 && !m->deaf;

		p[n++] = (struct pollfd){
		    runs ? channel_fd(m->process.control) : -1,
		    runs ? channel_events(m->process.control) : (short)0, 0 };
	}
	return n;
}

static size_t
hear_set(struct daemon *d, struct set *set, const struct pollfd *p, size_t n)
{
	for (size_t i = 0; set != NULL && i < set->n; i++, n++)
		if (p[n].revents != 0 && set->members[i].process.pid != 0)
			hear_member(d, set, i);
	return n;
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
		case SIGTERM:
		case SIGINT:
			if (!d->stopping)
				notify("STOPPING=1");
			d->stopping = true;
			set_signal(d->current, SIGTERM);
			set_signal(d->next, SIGTERM);
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
	int64_t now_ms = clock_monotonic_ms(), next;
	size_t n = 1;

	next = earlier(start_due(d, d->current, now_ms),
	    start_due(d, d->next, now_ms));
	p[0] = (struct pollfd){ signals, POLLIN, 0 };
	n = add_polls(d->current, p, n);
	n = add_polls(d->next, p, n);
	n = add_polls(d->last, p, n);
	if (d->next != NULL || d->last != NULL || d->stopping)
		next = earlier(next, now_ms + 200);
	if (d->current->unpublished)
		next = earlier(next, now_ms + 1000);
	if (poll(p, n, next == INT64_MAX ? -1 :
	    next <= now_ms ? 0 : (int)(next - now_ms)) <= 0)
		return;
	n = hear_set(d, d->current, p, 1);
	n = hear_set(d, d->next, p, n);
	hear_set(d, d->last, p, n);
	if (p[0].revents != 0)
		take_signals(d, signals);
}

static int
run(struct daemon *d, int signals)
{
	struct pollfd p[1 + 3 * 257];
	int64_t stop_at = INT64_MAX;
	bool told = false;

	set_start(d, d->current);
	for (;;) {
		one_round(d, signals, p);
		finish_reload(d, clock_monotonic_ms());
		look_for_published(d);
		if (!told && set_is_ready(d->current)) {
			told = true;
			log_info("ready", NUM("fronts", d->current->n - 1));
			notify("READY=1");
		}
		if (d->probe && set_is_ready(d->current))
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
	const struct identity *own = &d->responder_identity;
	struct rlimit files;
	gid_t gid;

	if (privsep_find_identity(front, &d->front_identity, err) == -1 ||
	    privsep_find_identity(responder, &d->responder_identity,
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
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		if (geteuid() == 0 &&
		    files.rlim_max < s->max_connections + 1024)
			files.rlim_max = s->max_connections + 1024;
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	return 0;
}

static int
take_over_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGHUP);
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
		d->test_clock_offset_s = strtoll(offset, NULL, 10);
	clock_set_test_offset(d->test_clock_offset_s);
}
#endif

static int
run_as_role(struct role *role)
{
	struct err err = { 0 };
	int r = strcmp(role->name, "front") == 0 ? front_run(role, &err) :
	    strcmp(role->name, "responder") == 0 ?
	    responder_run(role, &err) :
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
	struct err err = { 0 };
	int signals, status;

	if (settings_read(d->conf, &settings, &err) == -1)
		return complain(&err);
	log_open("ocspd", "", settings->log_level);
	if (prepare(d, settings, &err) == -1 ||
	    set_new(TAKE(settings), NULL, &d->current, &err) == -1)
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
	struct daemon d = { .conf = DEFAULT_CONF };
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
			d.probe = true;
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
