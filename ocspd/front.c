#include "ocspd/front.h"

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "ocspd/connection.h"
#include "ocspd/doors.h"
#include "ocspd/places.h"
#include "ocspd/rates.h"

#include <openssl/rand.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MAX_EVENTS		256
#define ACCEPTS_A_TURN		64
#define SWEEP_MS		250
#define STOP_MS			5000	/* to finish what is in hand */
#define IDLE_GRACE_MS		1000	/* to ask once more, before that */

/* What an epoll event is about: connections' are their id and this. */
enum token {
	TOKEN_SIGNAL,
	TOKEN_CONTROL,
	TOKEN_RESPONDER,
	TOKEN_LISTEN,		/* and LISTEN_MAX_OF_FRONT - 1 more */
	TOKEN_CONNECTION = TOKEN_LISTEN + LISTEN_MAX_OF_FRONT,
};

struct front {
	struct settings		*settings;
	struct service		*service;
	struct requestors	*requestors;	/* NULL: none configured */
	struct places		 places;
	int			 epoll_fd;
	struct doors		 doors;
	int64_t			 next_sweep_ms;
	int64_t			 idle_until_ms;	/* when stopping */
	bool			 some_again;
};

static void
count_open(struct front *f)
{
	counters_set(f->service->counters, COUNT_CONNECTIONS_OPEN,
	    places_taken(&f->places));
}

static void
end_connection(struct front *f, struct connection *c)
{
	places_give_back(&f->places, c, f->service);
	count_open(f);
	buf_clear(&f->service->out);
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
	    f->places.clients[bucket] >=
	    f->settings->max_connections_per_client;
}

static void
refuse_client(struct front *f, const struct client *client)
{
	counters_add(f->service->counters, COUNT_REFUSED_CLIENT, 1);
	limit_met(&f->service->limit_log, LIMIT_CLIENT_CONNECTIONS, client,
	    f->service->now_ms);
}

/* A proxy has said for whom a connection is. */
static bool
recount(void *arg, struct connection *c, const struct client *client)
{
	struct front *f = arg;
	uint16_t bucket = client_bucket(client, f->service->client_seed);

	if (!client_equal(client, &c->client) &&
	    has_too_many(f, client, bucket)) {
		refuse_client(f, client);
		return false;
	}
	f->places.clients[c->bucket]--;
	f->places.clients[bucket]++;
	c->client = *client;
	c->bucket = bucket;
	return true;
}

/* All places are taken: an idle one gives way. */
static bool
make_room(struct front *f, const struct client *client)
{
	struct service *s = f->service;
	struct connection *idle = places_find_idle(&f->places, s);

	limit_met(&s->limit_log, LIMIT_CONNECTIONS, client, s->now_ms);
	if (idle == NULL) {
		counters_add(s->counters, COUNT_REFUSED_FULL, 1);
		return false;
	}
	counters_add(s->counters, COUNT_GAVE_WAY, 1);
	end_connection(f, idle);
	return true;
}

/* Not even a place in the lobby. Who has sent its request already may see a
 * reset instead of this. */
static void
send_away(struct front *f, int fd)
{
	static const char text[] = "HTTP/1.1 503 Service Unavailable\r\n"
	    "Retry-After: 2\r\nConnection: close\r\n"
	    "Content-Length: 0\r\n\r\n";

	if (send(fd, text, sizeof(text) - 1, MSG_NOSIGNAL) > 0)
		counters_add(f->service->counters, COUNT_HTTP_503, 1);
	close(fd);
}

static struct connection *
take_place(struct front *f, int fd, const struct client *client,
    uint16_t bucket)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP |
		EPOLLET };
	struct connection *c = places_take(&f->places);
	int on = 1;

	if (c == NULL)
		return NULL;
	connection_open(c, fd, client, bucket, f->service);
	f->places.clients[bucket]++;
	ev.data.u64 = TOKEN_CONNECTION + places_id(&f->places, c);
	if (epoll_ctl(f->epoll_fd, EPOLL_CTL_ADD, fd, &ev) == -1)
		log_error("connection.unwatched",
		    STR("why", strerror(errno)));	/* its deadline ends it */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	counters_add(f->service->counters, COUNT_CONNECTIONS, 1);
	count_open(f);
	return c;
}

static void
take_client(struct front *f, int fd, const struct sockaddr_storage *from)
{
	struct connection *c;
	struct client client;
	uint16_t bucket;
	bool has_room;

	client_from_socket(&client, from);
	bucket = client_bucket(&client, f->service->client_seed);
	/* A proxy's own address is not counted against its clients. */
	if (!client_is_one_of(&client, f->settings->proxies,
	    f->settings->n_proxies) && has_too_many(f, &client, bucket)) {
		refuse_client(f, &client);
		close(fd);
		return;
	}
	has_room = !places_are_full(&f->places) || make_room(f, &client);
	c = take_place(f, fd, &client, bucket);
	if (c == NULL)
		send_away(f, fd);
	else if (!has_room)
		settle(f, c, connection_turn_away(c, f->service,
		    places_id(&f->places, c)));
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
	for (size_t i = 0; i < f->places.n; i++) {
		struct connection *c = &f->places.each[i];

		if (c->fd >= 0 && c->waiting)
			settle(f, c, connection_answer(c, s,
			    places_id(&f->places, c), &none));
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

	if (frame->type == WIRE_TABLE && frame->fd >= 0 && s->table == NULL)
		return answers_open(frame->fd, &s->table, err);
	if (frame->fd >= 0)
		close(frame->fd);
	if (frame->type != WIRE_ANSWER)
		return err_set(err, ERR_FAULT, "an unexpected frame");
	if (wire_get_answer(frame, &a, err) == -1)
		return -1;
	if ((uint32_t)a.id >= f->places.n)
		return err_set(err, ERR_FAULT, "an answer to nobody");
	c = places_find(&f->places, a.id);
	if (c != NULL && c->waiting)
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
	settle(f, c, connection_work(c, f->service,
	    places_id(&f->places, c)));
}

static void
sweep(struct front *f)
{
	struct service *s = f->service;

	if (s->now_ms < f->next_sweep_ms)
		return;
	f->next_sweep_ms = s->now_ms + SWEEP_MS;
	for (size_t i = 0; i < f->places.n; i++) {
		struct connection *c = &f->places.each[i];

		if (c->fd < 0)
			continue;
		if (s->now_ms >= c->deadline_ms)
			settle(f, c, connection_expire(c, s,
			    places_id(&f->places, c)));
		else if (s->stopping && s->now_ms >= f->idle_until_ms &&
		    connection_is_idle(c))
			end_connection(f, c);
	}
}

static void
work_again(struct front *f)
{
	if (!f->some_again)
		return;
	f->some_again = false;
	for (size_t i = 0; i < f->places.n; i++)
		if (f->places.each[i].fd >= 0 && f->places.each[i].again)
			work(f, &f->places.each[i]);
}

static void
serve_connection(struct front *f, const struct epoll_event *ev)
{
	struct connection *c = places_find(&f->places,
	    ev->data.u64 - TOKEN_CONNECTION);

	if (c == NULL)	/* it was ended earlier in this turn */
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
	/* Who waits there would be refused, if it is the last socket of its
	 * address. */
	for (size_t i = 0; i < f->doors.n; i++)
		accept_clients(f, f->doors.fds[i]);
	doors_close(&f->doors, f->epoll_fd);
	f->service->stopping = true;
	f->idle_until_ms = f->service->now_ms + IDLE_GRACE_MS;
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
		    f->doors.n)
			accept_clients(f,
			    f->doors.fds[token - TOKEN_LISTEN]);
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
		int n;

		if (!f->doors.opened && wait > DOORS_LOOK_MS)
			wait = DOORS_LOOK_MS;
		n = epoll_wait(f->epoll_fd, events, MAX_EVENTS,
		    f->some_again || wait < 0 ? 0 : (int)wait);

		s->now = clock_now();
		s->now_ms = clock_monotonic_ms();
		if (n > 0 && serve_events(f, role, events, n) == -1)
			return;	/* main is gone */
		work_again(f);
		flush_responder(f);
		doors_open(&f->doors, s->table, f->epoll_fd, TOKEN_LISTEN,
		    s->now_ms);
		sweep(f);
		if (stop_at == INT64_MAX && role_is_stopping()) {
			stop_listening(f);
			sweep(f);
			stop_at = s->now_ms + STOP_MS;
		}
		if (s->stopping && (places_taken(&f->places) == 0 ||
		    s->now_ms >= stop_at))
			return;
	}
}

/* --- beginning ------------------------------------ */

static int
watch(struct front *f, int fd, uint64_t token, struct err *err)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = token };

	if (epoll_ctl(f->epoll_fd, EPOLL_CTL_ADD, fd, &ev) == -1)
		return err_errno(err, ERR_FAULT, "epoll_ctl");
	return 0;
}

static int
make_places(struct front *f, struct err *err)
{
	struct service *s = f->service;

	if (places_open(&f->places, f->settings->max_connections, err) == -1)
		return -1;
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
take_requestors(struct front *f, struct role *role, struct err *err)
{
	if (f->settings->signed_requests == SIGNED_REQUESTS_IGNORE)
		return 0;
	if (requestors_new(role_take(role, "request_anchors"), &f->requestors,
	    err) == -1)
		return -1;
	f->service->requestors = f->requestors;
	return 0;
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
	if (RAND_bytes((unsigned char *)f->service->client_seed,
	    sizeof(f->service->client_seed)) != 1)
		return err_openssl(err, ERR_FAULT, "drawing a seed");
	f->service->published_fd = role_take(role, "published");
	/* By descriptor: this user need not reach the folders above it. */
	snprintf(published, sizeof(published), "/proc/self/fd/%d",
	    f->service->published_fd);
	if (make_places(f, err) == -1 || count(f, role, err) == -1 ||
	    watch(f, role_signal_fd(), TOKEN_SIGNAL, err) == -1 ||
	    watch(f, channel_fd(role->control), TOKEN_CONTROL, err) == -1 ||
	    doors_take(&f->doors, role, f->service->now_ms, err) == -1 ||
	    take_requestors(f, role, err) == -1 ||
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
	places_close(&f->places, f->service);
	channel_free(f->service->responder);
	answers_close(f->service->table);
	free(f->service->body);
	counters_free(f->service->counters);
	rates_free(f->service->rates);
	requestors_free(f->requestors);
	buf_free(&f->service->out);
	buf_free(&f->service->der);
	free(f->service);
	settings_free(f->settings);
	return result;
}
