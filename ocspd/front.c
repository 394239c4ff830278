#include "ocspd/front.h"

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "ocspd/connection.h"
#include "ocspd/listen.h"
#include "ocspd/rates.h"

#include <openssl/rand.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MAX_EVENTS		256
#define ACCEPTS_A_TURN		64
#define SWEEP_MS		250
#define STOP_MS			5000	/* to finish what is in hand */
#define SPARE_DESCRIPTORS	64

/* What an epoll event is about: connections count from TOKEN_CONNECTION. */
enum token {
	TOKEN_SIGNAL,
	TOKEN_CONTROL,
	TOKEN_RESPONDER,
	TOKEN_LISTEN,		/* and LISTEN_MAX_SOCKETS - 1 more */
	TOKEN_CONNECTION = TOKEN_LISTEN + LISTEN_MAX_SOCKETS,
};

struct front {
	struct settings		*settings;
	struct service		*service;
	struct connection	*connections;
	uint32_t		*free_places;	/* a stack */
	size_t			 n_free, n_places;
	uint16_t		 clients[65536];	/* their connections */
	uint64_t		 client_seed[2];
	int			 epoll_fd;
	int			 listen_fds[LISTEN_MAX_SOCKETS];
	size_t			 n_listen;
	int64_t			 next_sweep_ms;
	bool			 some_again;
};

/* The place, and how often it was used: a late answer finds nobody. */
static uint64_t
connection_id(const struct front *f, const struct connection *c)
{
	return (uint64_t)c->turn << 32 | (uint64_t)(c - f->connections);
}

static void
end_connection(struct front *f, struct connection *c)
{
	f->clients[c->bucket]--;
	connection_close(c);
	counters_set(f->service->counters, COUNT_CONNECTIONS_OPEN,
	    f->n_places - f->n_free - 1);
	buf_clear(&f->service->out);
	f->free_places[f->n_free++] = (uint32_t)(c - f->connections);
}

/* After anything was done with it. */
static void
settle(struct front *f, struct connection *c, bool goes_on)
{
	if (!goes_on)
		end_connection(f, c);
	else if (c->again)
		f->some_again = true;
}

/* --- accepting ------------------------------------ */

static bool
has_too_many(const struct front *f, const struct client *client,
    uint16_t bucket)
{
	/* Behind a Unix socket stands a proxy, and many clients behind it. */
	return client->kind != CLIENT_LOCAL &&
	    f->clients[bucket] >= f->settings->max_connections_per_client;
}

/* A proxy has said for whom a connection is. */
static bool
recount(void *arg, struct connection *c, const struct client *client)
{
	struct front *f = arg;
	uint16_t bucket = client_bucket(client, f->client_seed);

	if (!client_equal(client, &c->client) &&
	    has_too_many(f, client, bucket)) {
		counters_add(f->service->counters, COUNT_REFUSED_CLIENT, 1);
		return false;
	}
	f->clients[c->bucket]--;
	f->clients[bucket]++;
	c->client = *client;
	c->bucket = bucket;
	return true;
}

/* A proxy's own address is not counted against its clients. */
static bool
is_proxy(const struct front *f, const struct client *client)
{
	for (size_t i = 0; i < f->settings->n_proxies; i++)
		if (client_equal(client, &f->settings->proxies[i]))
			return true;
	return false;
}

static void
take_client(struct front *f, int fd, const struct sockaddr_storage *from)
{
	struct connection *c;
	struct client client;
	uint16_t bucket;
	struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP |
		EPOLLET };
	int on = 1;

	client_from_socket(&client, from);
	bucket = client_bucket(&client, f->client_seed);
	if (f->n_free == 0 || (!is_proxy(f, &client) &&
	    has_too_many(f, &client, bucket))) {
		counters_add(f->service->counters, f->n_free == 0 ?
		    COUNT_REFUSED_FULL : COUNT_REFUSED_CLIENT, 1);
		close(fd);
		return;
	}
	c = &f->connections[f->free_places[f->n_free - 1]];
	ev.data.u64 = TOKEN_CONNECTION + (uint64_t)(c - f->connections);
	if (epoll_ctl(f->epoll_fd, EPOLL_CTL_ADD, fd, &ev) == -1) {
		close(fd);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	f->n_free--;
	f->clients[bucket]++;
	connection_open(c, fd, &client, bucket, f->service);
	counters_add(f->service->counters, COUNT_CONNECTIONS, 1);
	counters_set(f->service->counters, COUNT_CONNECTIONS_OPEN,
	    f->n_places - f->n_free);
}

static void
accept_clients(struct front *f, int listen_fd)
{
	for (int i = 0; i < ACCEPTS_A_TURN; i++) {
		struct sockaddr_storage from = { 0 };
		socklen_t len = sizeof(from);
		int fd = accept4(listen_fd, (struct sockaddr *)&from, &len,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0)
			return;	/* none left, or it is gone already */
		take_client(f, fd, &from);
	}
}

/* --- the responder ------------------------------------ */

static void
drop_responder(struct front *f, const char *why)
{
	static const struct wire_answer none = { .status = OCSP_TRY_LATER };
	struct service *s = f->service;

	if (s->responder == NULL)
		return;
	log_warn("responder.gone", STR("why", why));
	channel_free(s->responder);
	s->responder = NULL;
	answers_close(s->table);
	s->table = NULL;
	for (size_t i = 0; i < f->n_places; i++) {
		struct connection *c = &f->connections[i];

		if (c->fd >= 0 && c->waiting)
			settle(f, c, connection_answer(c, s,
			    connection_id(f, c), &none));
	}
}

static void
take_responder(struct front *f, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN,
		.data.u64 = TOKEN_RESPONDER };

	drop_responder(f, "replaced");
	f->service->responder = channel_new(fd, "responder",
	    WIRE_MAX_ANSWER, WIRE_MAX_QUEUED);
	if (f->service->responder != NULL)
		epoll_ctl(f->epoll_fd, EPOLL_CTL_ADD, fd, &ev);
}

static int
take_frame(struct front *f, const struct frame *frame, struct err *err)
{
	struct service *s = f->service;
	struct wire_answer a;
	struct connection *c;
	uint32_t place;

	if (frame->type == WIRE_TABLE && frame->fd >= 0 && s->table == NULL)
		return answers_open(frame->fd, &s->table, err);
	if (frame->fd >= 0)
		close(frame->fd);
	if (frame->type != WIRE_ANSWER)
		return err_set(err, ERR_FAULT, "an unexpected frame");
	if (wire_get_answer(frame, &a, err) == -1)
		return -1;
	place = (uint32_t)a.id;
	if (place >= f->n_places)
		return err_set(err, ERR_FAULT, "an answer to nobody");
	c = &f->connections[place];
	if (c->fd >= 0 && c->waiting && connection_id(f, c) == a.id)
		settle(f, c, connection_answer(c, s, a.id, &a));
	return 0;
}

static void
serve_responder(struct front *f)
{
	struct frame frame;
	struct err err;
	int n;

	if (f->service->responder == NULL)
		return;
	if (channel_read(f->service->responder, &err) == -1) {
		drop_responder(f, err.text);
		return;
	}
	while ((n = channel_next(f->service->responder, &frame, &err)) == 1)
		if (take_frame(f, &frame, &err) == -1) {
			n = -1;
			break;
		}
	if (n == -1)
		drop_responder(f, err.text);
}

/* What the socket to the responder did not take at once. */
static void
flush_responder(struct front *f)
{
	struct err err;

	if (f->service->responder != NULL &&
	    channel_queued(f->service->responder) > 0 &&
	    channel_flush(f->service->responder, &err) == -1)
		drop_responder(f, err.text);
}

/* Once before the first wait, too: what main sent right after GO has been
 * read along with it. */
static int
take_control(struct front *f, struct role *role, struct err *err)
{
	struct frame frame;
	int n;

	while ((n = channel_next(role->control, &frame, err)) == 1) {
		if (frame.type == WIRE_PEER && frame.fd >= 0)
			take_responder(f, frame.fd);
		else if (frame.fd >= 0)
			close(frame.fd);
	}
	return n;
}

/* --- the loop ------------------------------------ */

static void
work(struct front *f, struct connection *c)
{
	settle(f, c, connection_work(c, f->service, connection_id(f, c)));
}

static void
sweep(struct front *f)
{
	struct service *s = f->service;

	if (s->now_ms < f->next_sweep_ms)
		return;
	f->next_sweep_ms = s->now_ms + SWEEP_MS;
	for (size_t i = 0; i < f->n_places; i++) {
		struct connection *c = &f->connections[i];

		if (c->fd < 0)
			continue;
		if (s->now_ms >= c->deadline_ms)
			settle(f, c, connection_expire(c, s,
			    connection_id(f, c)));
		else if (s->stopping && connection_is_idle(c))
			end_connection(f, c);
	}
}

static void
work_again(struct front *f)
{
	if (!f->some_again)
		return;
	f->some_again = false;
	for (size_t i = 0; i < f->n_places; i++)
		if (f->connections[i].fd >= 0 && f->connections[i].again)
			work(f, &f->connections[i]);
}

static void
serve_connection(struct front *f, const struct epoll_event *ev)
{
	struct connection *c =
	    &f->connections[ev->data.u64 - TOKEN_CONNECTION];

	if (c->fd < 0)
		return;
	if ((ev->events & (EPOLLERR | EPOLLHUP)) != 0 && !c->waiting &&
	    (ev->events & EPOLLIN) == 0) {
		end_connection(f, c);
		return;
	}
	if ((ev->events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP)) != 0)
		c->readable = true;
	work(f, c);
}

static void
stop_listening(struct front *f)
{
	for (size_t i = 0; i < f->n_listen; i++) {
		epoll_ctl(f->epoll_fd, EPOLL_CTL_DEL, f->listen_fds[i], NULL);
		close(f->listen_fds[i]);
	}
	f->n_listen = 0;
	f->service->stopping = true;
	f->next_sweep_ms = 0;
}

static int
serve_events(struct front *f, struct role *role,
    const struct epoll_event *events, int n)
{
	struct err err;

	for (int i = 0; i < n; i++) {
		uint64_t token = events[i].data.u64;

		if (token >= TOKEN_CONNECTION)
			serve_connection(f, &events[i]);
		else if (token >= TOKEN_LISTEN && token - TOKEN_LISTEN <
		    f->n_listen)
			accept_clients(f,
			    f->listen_fds[token - TOKEN_LISTEN]);
		else if (token == TOKEN_RESPONDER)
			serve_responder(f);
		else if (token == TOKEN_CONTROL &&
		    (channel_read(role->control, &err) == -1 ||
		    take_control(f, role, &err) == -1))
			return -1;
		/* TOKEN_SIGNAL only wakes us. */
	}
	return 0;
}

static void
loop(struct front *f, struct role *role)
{
	struct epoll_event events[MAX_EVENTS];
	struct service *s = f->service;
	int64_t stop_at = INT64_MAX;

	for (;;) {
		int64_t wait = f->next_sweep_ms - clock_monotonic_ms();
		int n = epoll_wait(f->epoll_fd, events, MAX_EVENTS,
		    f->some_again || wait < 0 ? 0 : (int)wait);

		s->now = clock_now();
		s->now_ms = clock_monotonic_ms();
		if (n > 0 && serve_events(f, role, events, n) == -1)
			return;	/* main is gone */
		work_again(f);
		flush_responder(f);
		sweep(f);
		if (stop_at == INT64_MAX && role_is_stopping()) {
			stop_listening(f);
			sweep(f);
			stop_at = s->now_ms + STOP_MS;
		}
		if (s->stopping && (f->n_free == f->n_places ||
		    s->now_ms >= stop_at))
			return;
	}
}

/* --- beginning ------------------------------------ */

static int
watch(struct front *f, int fd, uint64_t token, struct err *err)
{
	/* Of a socket that all fronts share, one is woken. */
	struct epoll_event ev = { .events = token >= TOKEN_LISTEN ?
		EPOLLIN | EPOLLEXCLUSIVE : EPOLLIN, .data.u64 = token };

	if (epoll_ctl(f->epoll_fd, EPOLL_CTL_ADD, fd, &ev) == -1)
		return err_errno(err, ERR_FAULT, "epoll_ctl");
	return 0;
}

static int
take_listeners(struct front *f, struct role *role, struct err *err)
{
	char name[32];

	for (;;) {
		int fd;

		snprintf(name, sizeof(name), "listen.%zu", f->n_listen);
		if (f->n_listen == LISTEN_MAX_SOCKETS ||
		    (fd = role_take(role, name)) < 0)
			break;
		if (watch(f, fd, TOKEN_LISTEN + f->n_listen, err) == -1)
			return -1;
		f->listen_fds[f->n_listen++] = fd;
	}
	return f->n_listen > 0 ? 0 :
	    err_set(err, ERR_FAULT, "started without a socket to listen on");
}

static size_t
count_places(const struct settings *settings)
{
	struct rlimit limit;
	size_t n = settings->max_connections;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
		if (limit.rlim_max < 2 * SPARE_DESCRIPTORS)
			return SPARE_DESCRIPTORS;
		if (n > limit.rlim_max - SPARE_DESCRIPTORS)
			n = limit.rlim_max - SPARE_DESCRIPTORS;
	}
	return n;
}

static int
make_places(struct front *f, struct err *err)
{
	struct service *s = f->service;

	f->n_places = count_places(f->settings);
	f->connections = calloc(f->n_places, sizeof(f->connections[0]));
	f->free_places = calloc(f->n_places, sizeof(f->free_places[0]));
	if (f->connections == NULL || f->free_places == NULL)
		return err_set(err, ERR_FAULT, "out of memory");
	for (size_t i = f->n_places; i > 0; i--) {
		f->connections[i - 1].fd = -1;
		f->free_places[f->n_free++] = (uint32_t)(i - 1);
	}
	s->settings = f->settings;
	s->recount = recount;
	s->front = f;
	if (f->settings->max_requests_per_client_s > 0 &&
	    (s->rates = rates_new(f->settings->max_requests_per_client_s)) ==
	    NULL)
		return err_set(err, ERR_FAULT, "out of memory");
	s->limits.max_target_octets =
	    f->settings->max_request_octets * 4 + 1024;
	s->limits.max_head_octets = s->limits.max_target_octets + 16384;
	s->limits.max_body_octets = f->settings->max_request_octets;
	s->body = malloc(s->limits.max_body_octets);
	if (s->body == NULL)
		return err_set(err, ERR_FAULT, "out of memory");
	s->out = BUF(1u << 20);
	s->der = BUF(128u << 10);
	s->now = clock_now();
	s->now_ms = clock_monotonic_ms();
	return 0;
}

static int
count(struct front *f, struct role *role, struct err *err)
{
	int fd;

	if (counters_new(&f->service->counters, err) == -1)
		return -1;
	fd = counters_share(f->service->counters, err);
	return fd == -1 ? -1 : wire_send_counters(role->control, 0, fd, err);
}

static int
run(struct front *f, struct role *role, struct err *err)
{
	char published[64];
	const struct sandbox_path paths[] = { { published, 0 } };
	const struct sandbox box = { .allow = SANDBOX_OPEN,
		.paths = paths, .n_paths = 1 };

	f->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (f->epoll_fd < 0)
		return err_errno(err, ERR_FAULT, "epoll_create1");
	if (RAND_bytes((unsigned char *)f->client_seed,
	    sizeof(f->client_seed)) != 1)
		return err_openssl(err, ERR_FAULT, "drawing a seed");
	f->service->published_fd = role_take(role, "published");
	/* By descriptor: this user need not reach the folders above it. */
	snprintf(published, sizeof(published), "/proc/self/fd/%d",
	    f->service->published_fd);
	if (make_places(f, err) == -1 || count(f, role, err) == -1 ||
	    watch(f, role_signal_fd(), TOKEN_SIGNAL, err) == -1 ||
	    watch(f, channel_fd(role->control), TOKEN_CONTROL, err) == -1 ||
	    take_listeners(f, role, err) == -1 ||
	    role_ready(role, &box, err) == -1)
		return -1;
	if (take_control(f, role, err) == -1)
		return -1;
	loop(f, role);
	return 0;
}

int
front_run(struct role *role, struct err *err)
{
	OWNED_HEAP(struct front) *f = calloc(1, sizeof(*f));
	int result;

	if (f == NULL || (f->service = calloc(1, sizeof(*f->service))) == NULL)
		return err_set(err, ERR_FAULT, "out of memory");
	if (settings_decode(role_take(role, "settings"), &f->settings,
	    err) == -1) {
		free(f->service);
		return -1;
	}
	result = run(f, role, err);
	for (size_t i = 0; i < f->n_places; i++)
		if (f->connections != NULL && f->connections[i].fd >= 0)
			connection_close(&f->connections[i]);
	free(f->connections);
	free(f->free_places);
	channel_free(f->service->responder);
	answers_close(f->service->table);
	free(f->service->body);
	counters_free(f->service->counters);
	rates_free(f->service->rates);
	buf_free(&f->service->out);
	buf_free(&f->service->der);
	free(f->service);
	settings_free(f->settings);
	return result;
}
