#include "ocspd/set.h"

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "ocspd/wire.h"

#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIRST_DELAY_MS	100	/* before a role that died is replaced */
#define LAST_DELAY_MS	30000
#define LONG_LIFE_MS	5000	/* after that, a death is the first again */

/* --- who is who ------------------------------------ */

enum kind { RESPONDER, FRONT, MONITOR };

static enum kind
kind_of(const struct set *set, size_t i)
{
	return i == 0 ? RESPONDER :
	    i <= set->settings->fronts ? FRONT : MONITOR;
}

static const char *
role_of(const struct set *set, size_t i)
{
	static const char *const names[] = { "responder", "front",
		"monitor" };

	return names[kind_of(set, i)];
}

/* "" but for fronts, which are numbered from 0. */
static void
put_instance(const struct set *set, size_t i, char out[24])
{
	out[0] = '\0';
	if (kind_of(set, i) == FRONT)
		snprintf(out, 24, "%zu", i - 1);
}

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

/* The CAs whose signatures on requests count; a front opens no file. */
static int
give_anchors(struct set *set, struct role_process *p, struct err *err)
{
	const char *path = set->settings->request_anchors;
	int fd;

	if (set->settings->signed_requests == SIGNED_REQUESTS_IGNORE)
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, ERR_FAULT, "request_anchors: %s: %s", path,
		    strerror(errno));
	return role_give(p, "request_anchors", fd, err);
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
	if (give_anchors(set, p, err) == -1)
		return -1;
	for (size_t i = 0; i < listen_count(&set->listeners, front); i++) {
		int fd = listen_share(&set->listeners, front, i, err);

		snprintf(name, sizeof(name), "listen.%zu", i);
		if (fd == -1 || role_give(p, name, fd, err) == -1)
			return -1;
	}
	return 0;
}

static int
give(struct set *set, size_t i, struct role_process *p, struct err *err)
{
	int fd;

	switch (kind_of(set, i)) {
	case RESPONDER:
		return give_responder(set, p, err);
	case FRONT:
		return give_front(set, i - 1, p, err);
	case MONITOR:
		fd = listen_share_health(&set->listeners, err);
		return fd == -1 ? -1 : role_give(p, "listen", fd, err);
	}
	return -1;
}

static int
start_role(struct set *set, size_t i, struct role_process *out,
    struct err *err)
{
	const struct set_options *options = set->options;
	char instance[24], store_keys[4200], own_keys[4200];
	const char *const probes[] = { store_keys, set->settings->store,
		own_keys, "/etc/shadow", NULL };
	struct role_spec spec = { .program = "ocspd",
		.role = role_of(set, i), .instance = instance,
		.identity = i == 0 ? options->responder : options->front,
		.log_level = set->settings->log_level,
		.probe = options->probe,
		.probe_paths = options->probe ? probes : NULL,
		.test_clock_offset_s = options->test_clock_offset_s };
	const char *slash = strrchr(set->settings->store, '/');
	struct role_process p;
	int fd;

	snprintf(store_keys, sizeof(store_keys), "%.*s/keys",
	    slash == NULL ? 0 : (int)(slash - set->settings->store),
	    set->settings->store);
	snprintf(own_keys, sizeof(own_keys), "%s/keys",
	    set->settings->state_dir);
	put_instance(set, i, instance);
	if (role_spawn(&spec, &p, err) == -1)
		return -1;
	fd = settings_fd(set->settings, err);
	if (fd == -1 || role_give(&p, "settings", fd, err) == -1 ||
	    give(set, i, &p, err) == -1 || role_go(&p, err) == -1) {
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

/* What member i counts, to the monitor; nothing when it counts nothing. */
static void
tell_monitor(struct set *set, size_t i)
{
	struct member *monitor = &set->members[set->n - 1];
	struct err err;
	int fd = -1;

	if (kind_of(set, set->n - 1) != MONITOR || i == set->n - 1 ||
	    monitor->process.pid == 0 || monitor->deaf)
		return;
	if (set->members[i].counters_fd >= 0)
		fd = fcntl(set->members[i].counters_fd, F_DUPFD_CLOEXEC, 0);
	if (wire_send_counters(monitor->process.control, (uint32_t)i, fd,
	    &err) == -1)
		log_warn("monitor.unconnected", STR("why", err.text));
}

static void
start_member(struct set *set, size_t i)
{
	struct member *m = &set->members[i];
	int64_t now_ms = clock_monotonic_ms();
	struct err err;

	m->started_ms = now_ms;
	m->ready = false;
	m->deaf = false;
	if (start_role(set, i, &m->process, &err) == -1) {
		log_error("role.unstartable", STR("why", err.text),
		    STR("detail", err.detail));
		m->process.pid = 0;
		back_off(m, now_ms);
		return;
	}
	m->start_at_ms = 0;
	for (size_t k = 1; k < set->n; k++) {
		if (kind_of(set, k) == FRONT && (i == 0 || i == k))
			connect_peers(set, k);
	}
	for (size_t k = 0; kind_of(set, i) == MONITOR && k < i; k++)
		tell_monitor(set, k);
}

/* --- sets ------------------------------------ */

void
set_free(struct set *set)
{
	if (set == NULL)
		return;
	for (size_t i = 0; set->members != NULL && i < set->n; i++) {
		if (set->members[i].process.pid != 0)
			channel_free(set->members[i].process.control);
		if (set->members[i].counters_fd >= 0)
			close(set->members[i].counters_fd);
	}
	free(set->members);
	listen_close(&set->listeners);
	settings_free(set->settings);
	free(set);
}
int
set_new(const struct set_options *options, struct settings *settings,
    const struct listeners *old, struct set **out, struct err *err)
{
	OWNED_STRUCT(set) *set = calloc(1, sizeof(*set));

	if (set == NULL) {
		settings_free(settings);
		return err_set(err, ERR_FAULT, "out of memory");
	}
	set->options = options;
	set->settings = settings;
	if (listen_open(settings, old, &set->listeners, err) == -1)
		return -1;
	set->n = settings->fronts + 1 + (settings->health_listen[0] != '\0');
	set->members = calloc(set->n, sizeof(set->members[0]));
	if (set->members == NULL)
		return err_set(err, ERR_FAULT, "out of memory");
	for (size_t i = 0; i < set->n; i++)
		set->members[i].counters_fd = -1;
	*out = TAKE(set);
	return 0;
}

void
set_start(struct set *set)
{
	set->began_ms = clock_monotonic_ms();
	for (size_t i = 0; i < set->n; i++)
		start_member(set, i);
}

void
set_signal(struct set *set, int sig)
{
	for (size_t i = 0; set != NULL && i < set->n; i++)
		if (set->members[i].process.pid != 0)
			kill(set->members[i].process.pid, sig);
}

bool
set_is_ready(const struct set *set)
{
	for (size_t i = 0; set != NULL && i < set->n; i++)
		if (!set->members[i].ready)
			return false;
	return true;
}

bool
set_is_gone(const struct set *set)
{
	for (size_t i = 0; set != NULL && i < set->n; i++)
		if (set->members[i].process.pid != 0)
			return false;
	return true;
}

/* --- life and death ------------------------------------ */

/* fd is taken; -1: it has ended. */
static void
keep_counters(struct set *set, size_t i, int fd)
{
	struct member *m = &set->members[i];

	if (m->counters_fd >= 0)
		close(m->counters_fd);
	m->counters_fd = fd;
	tell_monitor(set, i);
}

bool
set_bury(struct set *set, pid_t pid, int status)
{
	for (size_t i = 0; set != NULL && i < set->n; i++) {
		struct member *m = &set->members[i];

		if (m->process.pid != pid)
			continue;
		channel_free(m->process.control);
		memset(&m->process, 0, sizeof(m->process));
		keep_counters(set, i, -1);
		if (set->ending || set->options->probe)
			return true;
		m->ready = false;
		log_error("role.died", STR("role", role_of(set, i)),
		    NUM("status", WIFEXITED(status) ? WEXITSTATUS(status) : 0),
		    NUM("signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0));
		back_off(m, clock_monotonic_ms());
		return true;
	}
	return false;
}

/* False: a crash point was met. */
static bool
hear_frame(struct set *set, size_t i, const struct frame *frame)
{
	struct member *m = &set->members[i];
	char instance[24];

	if (frame->type == WIRE_COUNTERS && frame->fd >= 0) {
		keep_counters(set, i, frame->fd);
		return true;
	}
	if (frame->fd >= 0)
		close(frame->fd);
	switch (role_news(frame)) {
	case ROLE_READY:
		m->ready = true;
		break;
	case ROLE_PROBED:
		put_instance(set, i, instance);
		role_show_probe(role_of(set, i), instance, frame->payload);
		m->ready = true;
		break;
	case ROLE_CRASHED:
		return false;
	case ROLE_OTHER:
	case ROLE_BROKEN:
		log_error("role.broken", NUM("frame", frame->type));
		kill(m->process.pid, SIGKILL);
	}
	return true;
}

static bool
hear_member(struct set *set, size_t i)
{
	struct member *m = &set->members[i];
	struct frame frame;
	struct err err;

	if (channel_flush(m->process.control, &err) == -1 ||
	    channel_read(m->process.control, &err) == -1) {
		/* In good order: its death follows as SIGCHLD. */
		m->deaf = true;
		if (err.kind != ERR_RETRY)
			kill(m->process.pid, SIGKILL);
		return true;
	}
	while (channel_next(m->process.control, &frame, &err) == 1)
		if (!hear_frame(set, i, &frame))
			return false;
	return true;
}

size_t
set_poll(const struct set *set, struct pollfd *p)
{
	size_t n = 0;

	for (; set != NULL && n < set->n; n++) {
		const struct member *m = &set->members[n];
		bool runs = m->process.pid != 0 && !m->deaf;

		p[n] = (struct pollfd){
		    runs ? channel_fd(m->process.control) : -1,
		    runs ? channel_events(m->process.control) : (short)0, 0 };
	}
	return n;
}

bool
set_hear(struct set *set, const struct pollfd *p)
{
	for (size_t i = 0; set != NULL && i < set->n; i++)
		if (p[i].revents != 0 && set->members[i].process.pid != 0 &&
		    !hear_member(set, i))
			return false;
	return true;
}

int64_t
set_start_due(struct set *set, int64_t now_ms)
{
	int64_t next = INT64_MAX;

	for (size_t i = 0; set != NULL && !set->ending && i < set->n; i++) {
		struct member *m = &set->members[i];

		if (m->process.pid != 0 || m->start_at_ms == 0)
			continue;
		if (m->start_at_ms <= now_ms)
			start_member(set, i);
		if (m->start_at_ms != 0 && m->start_at_ms < next)
			next = m->start_at_ms;
	}
	return next;
}

/* The folder that was not there at start: the fronts are replaced when it
 * comes. */
void
set_look_for_published(struct set *set)
{
	if (!set->unpublished || set->ending ||
	    access(set->settings->published_dir, R_OK | X_OK) == -1)
		return;
	set->unpublished = false;
	for (size_t i = 1; i <= set->settings->fronts; i++)
		if (set->members[i].process.pid != 0)
			kill(set->members[i].process.pid, SIGTERM);
}
