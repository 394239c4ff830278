#include "ocspd/connection.h"

#include "common/err.h"
#include "common/log.h"
#include "ocspd/exchange.h"
#include "ocspd/proxy.h"

#include <sys/sendfile.h>
#include <sys/socket.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define DRAIN_MS		2000
#define REQUESTS_A_TURN		64	/* pipelined; then others first */
#define OUT_A_TURN		(256u << 10)
#define FILE_OCTETS_PER_MS	16	/* slowest reader of a CRL */

void
connection_open(struct connection *c, int fd, const struct client *client,
    uint16_t bucket, const struct service *s)
{
	uint32_t turn = c->turn + 1;

	*c = (struct connection){ .fd = fd, .turn = turn, .client = *client,
		.bucket = bucket, .readable = true, .file_fd = -1 };
	c->trusted = client_is_one_of(client, s->settings->proxies,
	    s->settings->n_proxies);
	c->proxied = c->trusted &&
	    s->settings->proxies_say == PROXIES_SAY_HEADER;
	c->in = BUF(s->limits.max_head_octets + s->limits.max_body_octets +
	    2 * CONNECTION_SCRATCH);
	c->out = BUF(OUT_A_TURN + CONNECTION_SCRATCH * 2);
	c->deadline_ms = s->now_ms + s->settings->idle_timeout_s * 1000;
}

void
connection_close(struct connection *c, struct service *s)
{
	exchange_stop_waiting(c, s);
	if (c->file_fd >= 0)
		close(c->file_fd);
	close(c->fd);
	buf_free(&c->in);
	buf_free(&c->out);
	c->fd = -1;
	c->file_fd = -1;
}

static bool
has_nothing_in_hand(const struct connection *c)
{
	return !c->waiting && c->in.len == 0 && c->out.len == 0 &&
	    c->file_fd < 0;
}

bool
connection_is_idle(const struct connection *c)
{
	return c->served && has_nothing_in_hand(c);
}

int64_t
connection_idle_ms(const struct connection *c, const struct service *s)
{
	if (c->ended || !has_nothing_in_hand(c))
		return -1;
	return s->now_ms - (c->deadline_ms -
	    s->settings->idle_timeout_s * 1000);
}

/* --- out ------------------------------------ */

static void
set_deadline(struct connection *c, const struct service *s, int64_t ms)
{
	c->deadline_ms = s->now_ms + ms;
}

/* False when the client is gone. */
static bool
send_octets(struct connection *c, struct bytes octets, size_t *sent)
{
	ssize_t n;

	*sent = 0;
	while (*sent < octets.len) {
		n = send(c->fd, octets.data + *sent, octets.len - *sent,
		    MSG_NOSIGNAL | (c->file_fd >= 0 ? MSG_MORE : 0));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN || errno == EWOULDBLOCK;
		*sent += (size_t)n;
	}
	return true;
}

static bool
send_file(struct connection *c)
{
	while (c->file_fd >= 0 && c->file_left > 0) {
		off_t at = (off_t)c->file_at;
		size_t want = c->file_left < (1u << 20) ?
		    (size_t)c->file_left : 1u << 20;
		ssize_t n = sendfile(c->fd, c->file_fd, &at, want);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN;
		if (n == 0)	/* shorter than it was: the length is wrong */
			return false;
		c->file_at += n;
		c->file_left -= (uint64_t)n;
	}
	if (c->file_fd >= 0) {
		close(c->file_fd);
		c->file_fd = -1;
	}
	return true;
}

/* What an earlier turn could not send. */
static bool
flush_old(struct connection *c)
{
	size_t sent;

	if (c->out.len > 0) {
		if (!send_octets(c, buf_bytes(&c->out), &sent))
			return false;
		buf_consume(&c->out, sent);
		if (c->out.len > 0)
			return true;
		buf_free(&c->out);
	}
	return send_file(c);
}

static bool
is_blocked(const struct connection *c)
{
	return c->out.len > 0 || c->file_fd >= 0;
}

/* What this turn made: sent at once where it fits. */
static bool
flush_new(struct connection *c, struct service *s)
{
	unsigned int limit_s = s->settings->idle_timeout_s;
	size_t sent;

	if (s->out.len == 0)
		return true;
	counters_add(s->counters, COUNT_OCTETS_OUT, s->out.len);
	if (!send_octets(c, buf_bytes(&s->out), &sent))
		return false;
	if (sent < s->out.len && buf_append(&c->out, s->out.data + sent,
	    s->out.len - sent) == -1)
		return false;
	buf_clear(&s->out);
	/* The beginning of the next request is there: its clock runs. */
	if (c->in.len > 0 && !is_blocked(c))
		limit_s = s->settings->request_timeout_s;
	set_deadline(c, s, limit_s * 1000 +
	    (int64_t)(c->file_left / FILE_OCTETS_PER_MS));
	return c->out.len > 0 || send_file(c);
}

/* --- in ------------------------------------ */

/* Octets used; 0 also when it is not whole. A broken one ends it: without a
 * word, since it is no HTTP client that is there. */
static size_t
take_proxy_header(struct connection *c, struct service *s, struct bytes in)
{
	struct client client = c->client;
	size_t used = 0;

	switch (proxy_read(in, &client, &used)) {
	case PROXY_INCOMPLETE:
		return 0;
	case PROXY_BROKEN:
		log_warn("proxy.broken");
		c->ended = true;
		return 0;
	case PROXY_COMPLETE:
		break;
	}
	c->proxied = false;
	if (!s->recount(s->front, c, &client))
		c->ended = true;
	return used;
}

/* Take requests off the front of in; returns the octets used. */
static size_t
take_requests(struct connection *c, struct service *s, struct bytes in,
    uint64_t id)
{
	size_t used = 0;

	if (c->proxied) {
		used = take_proxy_header(c, s, in);
		if (c->ended)
			return in.len;
	}
	for (int n = 0; used < in.len && !c->proxied; n++) {
		struct http_request req;
		unsigned int status;

		if (c->waiting || c->ended || c->file_fd >= 0)
			break;
		if (n == REQUESTS_A_TURN || s->out.len > OUT_A_TURN) {
			c->again = true;
			break;
		}
		switch (http_read(bytes_slice(in, used, in.len), &s->limits,
		    s->body, &req, &status)) {
		case HTTP_REFUSED:
			exchange_refuse(c, s, status);
			return in.len;
		case HTTP_INCOMPLETE:
			if (req.head_octets > 0 && req.wants_continue &&
			    !c->continued) {
				c->continued = true;
				buf_append_str(&s->out,
				    "HTTP/1.1 100 Continue\r\n\r\n");
			}
			return used;
		case HTTP_COMPLETE:
			c->continued = false;
			exchange_answer(c, s, &req, id);
			used += req.octets;
			break;
		}
	}
	return used;
}

/* The first octets of a request start its clock; later ones do not. */
static void
keep_rest(struct connection *c, struct service *s, struct bytes rest)
{
	if (rest.len == 0)
		return;
	buf_append_bytes(&c->in, rest);
	if (!c->waiting && !is_blocked(c))
		set_deadline(c, s, s->settings->request_timeout_s * 1000);
}

enum read_result { READ_SOME, READ_NOTHING, READ_OVER };

/* One recv. What is whole is answered from where it lies; only the rest of a
 * request that is not is kept. */
static enum read_result
read_once(struct connection *c, struct service *s, uint64_t id)
{
	uint8_t *to = s->scratch;
	size_t used, room = sizeof(s->scratch);
	ssize_t n;

	if (c->in.len > 0) {
		to = buf_reserve(&c->in, room);
		if (to == NULL)
			return READ_OVER;
	}
	do
		n = recv(c->fd, to, room, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
		c->readable = false;
		return READ_NOTHING;
	}
	if (n <= 0)
		return READ_OVER;
	if ((size_t)n < room)
		c->readable = false;	/* epoll(7), Q9: it was all */
	if (c->draining)
		return READ_SOME;
	if (to == s->scratch) {
		struct bytes in = { to, (size_t)n };

		used = take_requests(c, s, in, id);
		keep_rest(c, s, bytes_slice(in, used, in.len));
	} else {
		c->in.len += (size_t)n;
		used = take_requests(c, s, buf_bytes(&c->in), id);
		buf_consume(&c->in, used);
		if (used > 0)
			set_deadline(c, s,
			    s->settings->request_timeout_s * 1000);
	}
	if (c->in.len == 0)
		buf_free(&c->in);
	return READ_SOME;
}

/* All is answered and sent, and nothing more is read. */
static bool
finish(struct connection *c, struct service *s)
{
	if (!c->draining) {
		/* A close with octets unread would reset the connection and
		 * perhaps our answer with it (RFC 9112, 9.6). */
		c->draining = true;
		shutdown(c->fd, SHUT_WR);
		set_deadline(c, s, DRAIN_MS);
		buf_free(&c->in);
		c->readable = true;
	}
	while (c->readable)
		if (read_once(c, s, 0) == READ_OVER)
			return false;
	return true;
}

bool
connection_work(struct connection *c, struct service *s, uint64_t id)
{
	bool blocked = is_blocked(c);

	c->again = false;
	if (!flush_old(c))
		return false;
	/* The time that a large file was given ends with it. */
	if (blocked && !is_blocked(c))
		set_deadline(c, s, c->in.len > 0 ?
		    s->settings->request_timeout_s * 1000 :
		    s->settings->idle_timeout_s * 1000);
	/* Left over from a turn that was cut short, or held up. */
	if (!is_blocked(c) && !c->waiting && !c->ended && c->in.len > 0) {
		size_t used = take_requests(c, s, buf_bytes(&c->in), id);

		buf_consume(&c->in, used);
		if (!flush_new(c, s))
			return false;
	}
	while (c->readable && !c->again && !is_blocked(c) && !c->waiting &&
	    !c->ended) {
		enum read_result r = read_once(c, s, id);

		if (!flush_new(c, s) || r == READ_OVER)
			return false;
	}
	if (c->ended && !is_blocked(c) && !c->waiting)
		return finish(c, s);
	return true;
}

bool
connection_answer(struct connection *c, struct service *s, uint64_t id,
    const struct wire_answer *a)
{
	exchange_conclude(c, s, a);
	return flush_new(c, s) && connection_work(c, s, id);
}

bool
connection_turn_away(struct connection *c, struct service *s, uint64_t id)
{
	exchange_refuse(c, s, 503);
	return flush_new(c, s) && connection_work(c, s, id);
}

bool
connection_expire(struct connection *c, struct service *s, uint64_t id)
{
	static const struct wire_answer late = { .status = OCSP_TRY_LATER };

	if (c->waiting) {
		/* The answer may yet come, and the next request on this
		 * connection would take it for its own: there is none. */
		c->asked_keep = false;
		c->ended = true;
		return connection_answer(c, s, id, &late);
	}
	if (c->draining || is_blocked(c) || c->in.len == 0)
		return false;
	exchange_refuse(c, s, 408);
	buf_free(&c->in);
	return flush_new(c, s) && connection_work(c, s, id);
}
