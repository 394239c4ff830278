#include "ocspd/monitor.h"

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/role.h"
#include "ocspd/health.h"
#include "ocspd/http.h"
#include "ocspd/settings.h"
#include "ocspd/wire.h"

#include <sys/socket.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ASKERS	16	/* for one more, the oldest has to go */
#define MAX_HEAD	8192
#define MAX_ANSWER	(4u << 20)
#define PATIENCE_MS	5000	/* for a request and its answer */

static const struct http_limits limits = { .max_head_octets = MAX_HEAD,
	.max_target_octets = 1024, .max_body_octets = 0 };

struct asker {
	int		 fd;		/* -1: this place is free */
	struct buf	 in, out;
	uint64_t	 turn;		/* the how manieth it was */
	int64_t		 deadline_ms;
};

struct monitor {
	struct settings		*settings;	/* owned */
	struct health_source	*sources;	/* owned, and their views */
	size_t			 n_sources;
	int			 listen_fd;	/* owned */
	struct asker		 askers[MAX_ASKERS];
	uint64_t		 accepted;
};

/* --- what is counted where ---------------------------------------------------- */

static int
take_frame(struct monitor *m, const struct frame *frame, struct err *err)
{
	struct counters_view *view = NULL;
	struct health_source *source;
	uint32_t place;

	if (wire_get_counters(frame, &place, err) == -1 ||
	    place >= m->n_sources) {
		if (frame->fd >= 0)
			close(frame->fd);
		return err_set(err, ERR_FAULT, "an unexpected frame");
	}
	/* What a broken role sent shows nothing, and is no reason to end. */
	if (frame->fd >= 0 && counters_open(frame->fd, &view, err) == -1)
		log_warn("counters.refused", STR("why", err->text));
	source = &m->sources[place];
	counters_close((struct counters_view *)(uintptr_t)source->view);
	source->view = view;
	return 0;
}

static int
take_control(struct monitor *m, struct role *role, struct err *err)
{
	struct frame frame;
	int n;

	while ((n = channel_next(role->control, &frame, err)) == 1)
		if (take_frame(m, &frame, err) == -1)
			return -1;
	return n;
}

/* --- asking and answering ------------------------------------------------------- */

static void
put_answer(struct asker *a, unsigned int status, const char *type,
    struct bytes body, bool head)
{
	buf_printf(&a->out, "HTTP/1.1 %u %s\r\nContent-Type: %s\r\n"
	    "Content-Length: %zu\r\nCache-Control: no-store\r\n%s"
	    "Connection: close\r\n\r\n", status, http_reason(status), type,
	    body.len, status == 405 ? "Allow: GET, HEAD\r\n" : "");
	if (!head)
		buf_append_bytes(&a->out, body);
}

static void
answer(const struct monitor *m, struct asker *a,
    const struct http_request *req)
{
	OWNED_BUF(body, MAX_ANSWER);
	const char *type = "text/plain; charset=utf-8";
	unsigned int status = 200;

	if (req->method != HTTP_GET && req->method != HTTP_HEAD) {
		status = 405;
		buf_append_str(&body, "only GET and HEAD\n");
	} else if (bytes_equal(req->path, bytes_of("/health"))) {
		type = "application/json";
		if (!health_put_json(&body, m->sources, m->n_sources,
		    clock_now()))
			status = 503;
	} else if (bytes_equal(req->path, bytes_of("/metrics"))) {
		type = "text/plain; version=0.0.4; charset=utf-8";
		health_put_metrics(&body, m->sources, m->n_sources,
		    clock_now());
	} else {
		status = 404;
		buf_append_str(&body, "/health or /metrics\n");
	}
	put_answer(a, status, type, buf_bytes(&body),
	    req->method == HTTP_HEAD);
}

/* Read what is there. False: it is gone, or says too much. */
static bool
hear(const struct monitor *m, struct asker *a)
{
	struct http_request req;
	unsigned int status;
	uint8_t *to = buf_reserve(&a->in, 4096);
	ssize_t n = to == NULL ? 0 : recv(a->fd, to, 4096, 0);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n == 0)
		return false;
	a->in.len += (size_t)n;
	switch (http_read(buf_bytes(&a->in), &limits, NULL, &req, &status)) {
	case HTTP_INCOMPLETE:
		return true;
	case HTTP_REFUSED:
		put_answer(a, status, "text/plain", bytes_of(""), false);
		return true;
	case HTTP_COMPLETE:
		answer(m, a, &req);
		return true;
	}
	return false;
}

/* False when all is said. */
static bool
tell(struct asker *a)
{
	while (a->out.len > 0) {
		ssize_t n = send(a->fd, a->out.data, a->out.len,
		    MSG_NOSIGNAL);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		buf_consume(&a->out, (size_t)n);
	}
	return false;
}

static void
dismiss(struct asker *a)
{
	close(a->fd);
	a->fd = -1;
	buf_free(&a->in);
	buf_free(&a->out);
}

static void
serve(const struct monitor *m, struct asker *a, short events, int64_t now_ms)
{
	bool goes_on = now_ms < a->deadline_ms;

	if (goes_on && events != 0 && a->out.len == 0)
		goes_on = hear(m, a);
	if (goes_on && a->out.len > 0)
		goes_on = tell(a);
	if (!goes_on)
		dismiss(a);
}

/* A free one, or that of the one who has been here longest: who asks nothing
 * keeps nobody out. */
static struct asker *
find_place(struct monitor *m)
{
	struct asker *oldest = &m->askers[0];

	for (size_t i = 0; i < MAX_ASKERS; i++) {
		if (m->askers[i].fd < 0)
			return &m->askers[i];
		if (m->askers[i].turn < oldest->turn)
			oldest = &m->askers[i];
	}
	dismiss(oldest);
	return oldest;
}

static void
accept_askers(struct monitor *m, int64_t now_ms)
{
	for (int i = 0; i < MAX_ASKERS; i++) {
		int fd = accept4(m->listen_fd, NULL, NULL, SOCK_NONBLOCK |
		    SOCK_CLOEXEC);
		struct asker *a = fd < 0 ? NULL : find_place(m);

		if (a == NULL)
			return;
		a->fd = fd;
		a->in = BUF(2 * MAX_HEAD);
		a->out = BUF(MAX_ANSWER + 1024);
		a->turn = m->accepted++;
		a->deadline_ms = now_ms + PATIENCE_MS;
	}
}

/* --- the loop ------------------------------------------------------------------------ */

static int
loop(struct monitor *m, struct role *role, struct err *err)
{
	struct pollfd p[MAX_ASKERS + 3];
	struct err end;

	if (take_control(m, role, err) == -1)
		return -1;
	while (!role_is_stopping()) {
		int64_t now_ms;

		p[0] = (struct pollfd){ role_signal_fd(), POLLIN, 0 };
		p[1] = (struct pollfd){ channel_fd(role->control),
		    channel_events(role->control), 0 };
		p[2] = (struct pollfd){ m->listen_fd, POLLIN, 0 };
		for (size_t i = 0; i < MAX_ASKERS; i++)
			p[i + 3] = (struct pollfd){ m->askers[i].fd,
			    m->askers[i].out.len > 0 ? POLLOUT : POLLIN, 0 };
		if (poll(p, MAX_ASKERS + 3, 1000) < 0)
			continue;
		now_ms = clock_monotonic_ms();
		for (size_t i = 0; i < MAX_ASKERS; i++)
			if (m->askers[i].fd >= 0)
				serve(m, &m->askers[i], p[i + 3].revents,
				    now_ms);
		if (p[2].revents != 0)
			accept_askers(m, now_ms);
		if (p[1].revents != 0 &&
		    (channel_read(role->control, &end) == -1 ||
		    take_control(m, role, &end) == -1))
			return 0;	/* main is gone */
	}
	return 0;
}

static int
run(struct monitor *m, struct role *role, struct err *err)
{
	const struct sandbox box = { 0 };

	m->listen_fd = role_take(role, "listen");
	if (m->listen_fd < 0)
		return err_set(err, ERR_FAULT,
		    "started without a socket to listen on");
	m->n_sources = m->settings->fronts + 1;
	m->sources = calloc(m->n_sources, sizeof(m->sources[0]));
	if (m->sources == NULL)
		return err_set(err, ERR_FAULT, "out of memory");
	for (size_t i = 0; i < m->n_sources; i++)
		snprintf(m->sources[i].name, sizeof(m->sources[i].name),
		    i == 0 ? "responder" : "front.%zu", i - 1);
	if (role_ready(role, &box, err) == -1)
		return -1;
	return loop(m, role, err);
}

int
monitor_run(struct role *role, struct err *err)
{
	struct monitor m = { .listen_fd = -1 };
	int result;

	for (size_t i = 0; i < MAX_ASKERS; i++)
		m.askers[i].fd = -1;
	if (settings_decode(role_take(role, "settings"), &m.settings,
	    err) == -1)
		return -1;
	result = run(&m, role, err);
	for (size_t i = 0; i < MAX_ASKERS; i++)
		if (m.askers[i].fd >= 0)
			dismiss(&m.askers[i]);
	for (size_t i = 0; m.sources != NULL && i < m.n_sources; i++)
		counters_close((struct counters_view *)(uintptr_t)
		    m.sources[i].view);
	free(m.sources);
	if (m.listen_fd >= 0)
		close(m.listen_fd);
	settings_free(m.settings);
	return result;
}
