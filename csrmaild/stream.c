#include "csrmaild/stream_private.h"

#include "common/clock.h"
#include "common/err.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_OTHERS	8

struct stream *
stream_of(mailstream_low *low)
{
	return low->data;
}

int
stream_set_fault(struct stream *s, enum stream_fault fault, const char *text)
{
	if (s->fault == STREAM_OK) {
		s->fault = fault;
		snprintf(s->text, sizeof(s->text), "%s", text);
	}
	return -1;
}

int
stream_set_errno(struct stream *s)
{
	return stream_set_fault(s, STREAM_IO, strerror(errno));
}

enum stream_fault
stream_fault(mailstream_low *low, const char **text)
{
	struct stream *s = stream_of(low);

	if (text != NULL)
		*text = s->text;
	return s->fault;
}

void
stream_give_up(mailstream_low *low, const char *why)
{
	stream_set_fault(stream_of(low), STREAM_IO, why);
}

void
stream_allow(mailstream_low *low, int64_t deadline_ms, size_t octets)
{
	struct stream *s = stream_of(low);

	s->deadline_ms = deadline_ms;
	s->allowed = octets;
}

/* --- waiting --------------------------------------------------------------- */
static int
poll_ms(int64_t left)
{
	return left > INT_MAX ? INT_MAX : (int)left;
}

/* Asked before every read and write, not only where poll would block: who
 * drips always has something ready. */
int
stream_check_deadline(struct stream *s)
{
	if (clock_monotonic_ms() >= s->deadline_ms)
		return stream_set_fault(s, STREAM_TIMEOUT, "no answer in time");
	return 0;
}

int
stream_wait_for(struct stream *s, short events)
{
	for (;;) {
		struct pollfd fds[2] = {
			{ .fd = s->fd, .events = events },
			{ .fd = s->stop_fd, .events = POLLIN },
		};
		int n;

		if (stream_check_deadline(s) < 0)
			return -1;
		n = poll(fds, 2,
		    poll_ms(s->deadline_ms - clock_monotonic_ms()));
		if (n < 0 && errno != EINTR)
			return stream_set_errno(s);
		if (n > 0 && fds[1].revents != 0)
			return stream_set_fault(s, STREAM_STOPPED, "stopping");
		if (n > 0)	/* errors: the next read or write tells */
			return 0;
	}
}

/* --- the driver ---------------------------------------------------------------- */
/* Returns octets, or -1 with the fault set; 0 only to try again. */
static ssize_t
read_some(struct stream *s, void *data, size_t len)
{
	ssize_t n;

	if (s->ssl != NULL)
		return stream_tls_read(s, data, len);
	n = recv(s->fd, data, len, 0);
	if (n > 0)
		return n;
	if (n == 0)
		return stream_set_fault(s, STREAM_CLOSED, "connection closed");
	if (errno == EAGAIN)
		return stream_wait_for(s, POLLIN);
	return errno == EINTR ? 0 : stream_set_errno(s);
}

static void
keep_last(struct stream *s, const char *octets, size_t n)
{
	size_t kept = s->n_last;

	if (n > sizeof(s->last)) {
		octets += n - sizeof(s->last);
		n = sizeof(s->last);
	}
	if (kept > sizeof(s->last) - n)
		kept = sizeof(s->last) - n;
	memmove(s->last, s->last + s->n_last - kept, kept);
	memcpy(s->last + kept, octets, n);
	s->n_last = kept + n;
}

void
stream_last_line(mailstream_low *low, char *out, size_t size)
{
	const struct stream *s = stream_of(low);
	size_t end = s->n_last, start, n = 0;

	while (end > 0 && s->last[end - 1] != '\n')
		end--;
	while (end > 0 && (s->last[end - 1] == '\n' ||
	    s->last[end - 1] == '\r'))
		end--;
	for (start = end; start > 0 && s->last[start - 1] != '\n'; start--)
		continue;
	for (; start < end && n + 1 < size; start++)
		out[n++] = s->last[start] >= ' ' && s->last[start] < 127 ?
		    s->last[start] : '?';
	out[n] = '\0';
}

/* Never returns 0: libetpan would ask again for ever. */
static ssize_t
driver_read(mailstream_low *low, void *data, size_t len)
{
	struct stream *s = stream_of(low);
	ssize_t n = 0;

	if (s->fault != STREAM_OK || len == 0)
		return -1;
	if (s->allowed == 0)
		return stream_set_fault(s, STREAM_TOO_MUCH,
		    "the answer is larger than it can be");
	if (len > s->allowed)
		len = s->allowed;
	while (n == 0) {
		if (stream_check_deadline(s) < 0)
			return -1;
		n = read_some(s, data, len);
	}
	if (n > 0) {
		s->allowed -= (size_t)n;
		keep_last(s, data, (size_t)n);
	}
	return n;
}

static ssize_t
write_some(struct stream *s, const void *data, size_t len)
{
	ssize_t n;

	if (s->ssl != NULL)
		return stream_tls_write(s, data, len);
	n = send(s->fd, data, len, MSG_NOSIGNAL);
	if (n >= 0)
		return n;
	if (errno == EAGAIN)
		return stream_wait_for(s, POLLOUT);
	return errno == EINTR ? 0 : stream_set_errno(s);
}

static ssize_t
driver_write(mailstream_low *low, const void *data, size_t len)
{
	struct stream *s = stream_of(low);
	ssize_t n = 0;

	if (s->fault != STREAM_OK || len == 0)
		return -1;
	while (n == 0) {
		if (stream_check_deadline(s) < 0)
			return -1;
		n = write_some(s, data, len);
	}
	return n;
}

static int
driver_close(mailstream_low *low)
{
	struct stream *s = stream_of(low);

	stream_tls_close(s);
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	return 0;
}

static int
driver_get_fd(mailstream_low *low)
{
	return stream_of(low)->fd;
}

static void
driver_free(mailstream_low *low)
{
	driver_close(low);
	free(low->data);
	free(low);
}

static mailstream_low_driver driver = {
	.mailstream_read = driver_read,
	.mailstream_write = driver_write,
	.mailstream_close = driver_close,
	.mailstream_get_fd = driver_get_fd,
	.mailstream_free = driver_free,
};

/* --- opening --------------------------------------------------------------------- */
mailstream_low *
stream_adopt(int fd, int stop_fd)
{
	struct stream *s = calloc(1, sizeof(*s));
	mailstream_low *low = NULL;
	int flags = fcntl(fd, F_GETFL);

	if (s != NULL && flags >= 0 &&
	    fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0)
		low = mailstream_low_new(s, &driver);
	if (low == NULL) {
		free(s);
		close(fd);
		return NULL;
	}
	s->fd = fd;
	s->stop_fd = stop_fd;
	return low;
}

void
stream_free(mailstream_low *low)
{
	if (low != NULL)
		mailstream_low_free(low);	/* which cannot take NULL */
}

/* One address. 0 connected, 1 this one does not answer, -1 give up. */
static int
connect_to(struct stream *s, const struct addrinfo *address)
{
	int error = 0, one = 1;
	socklen_t len = sizeof(error);

	s->fd = socket(address->ai_family,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd < 0)
		return 1;
	if (connect(s->fd, address->ai_addr, address->ai_addrlen) < 0) {
		error = errno;
		if (error == EINPROGRESS) {
			if (stream_wait_for(s, POLLOUT) < 0)
				return -1;
			if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error,
			    &len) < 0)
				error = errno;
		}
	}
	if (error == 0) {
		setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		return 0;
	}
	close(s->fd);
	s->fd = -1;
	errno = error;
	return 1;
}

int
stream_connect(const char *host, uint16_t port, int64_t deadline_ms,
    int stop_fd, mailstream_low **out, struct err *err)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
	    .ai_flags = AI_NUMERICSERV };
	struct stream s = { .fd = -1, .stop_fd = stop_fd,
	    .deadline_ms = deadline_ms };
	struct addrinfo *list = NULL;
	char service[8];
	int r;

	snprintf(service, sizeof(service), "%u", port);
	r = getaddrinfo(host, service, &hints, &list);
	if (r != 0)
		return err_set(err, ERR_RETRY, "%s: %s", host,
		    r == EAI_SYSTEM ? strerror(errno) : gai_strerror(r));
	r = 1;
	for (const struct addrinfo *a = list; a != NULL && r == 1;
	    a = a->ai_next)
		r = connect_to(&s, a);
	freeaddrinfo(list);
	if (r == 1)
		return err_set(err, ERR_RETRY, "%s port %u: %s", host, port,
		    strerror(errno));
	if (r < 0) {
		if (s.fd >= 0)
			close(s.fd);
		return err_set(err, ERR_RETRY, "%s port %u: %s", host, port,
		    s.text);
	}
	*out = stream_adopt(s.fd, stop_fd);
	if (*out == NULL)
		return err_set(err, ERR_RETRY, "out of memory");
	stream_of(*out)->deadline_ms = deadline_ms;
	return 0;
}

bool
stream_is_loopback(mailstream_low *low)
{
	union {
		struct sockaddr		any;
		struct sockaddr_in	v4;
		struct sockaddr_in6	v6;
	} peer = { 0 };
	socklen_t len = sizeof(peer);

	if (getpeername(stream_of(low)->fd, &peer.any, &len) < 0)
		return false;
	switch (peer.any.sa_family) {
	case AF_INET:
		return ntohl(peer.v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	case AF_INET6:
		return IN6_IS_ADDR_LOOPBACK(&peer.v6.sin6_addr) ||
		    (IN6_IS_ADDR_V4MAPPED(&peer.v6.sin6_addr) &&
		    peer.v6.sin6_addr.s6_addr[12] == IN_LOOPBACKNET);
	default:
		return false;
	}
}

/* --- waiting for the server to speak ------------------------------------------------ */
/* 1 when something can be read, 0 when not, *events to poll for; -1 fault. */
static int
peek(struct stream *s, short *events)
{
	uint8_t octet;
	ssize_t n;

	if (s->ssl != NULL)
		return stream_tls_peek(s, events);
	*events = POLLIN;
	n = recv(s->fd, &octet, 1, MSG_PEEK);
	if (n > 0)
		return 1;
	if (n == 0)
		return stream_set_fault(s, STREAM_CLOSED, "connection closed");
	return errno == EAGAIN || errno == EINTR ? 0 : stream_set_errno(s);
}

enum stream_event
stream_wait(mailstream *stream, int64_t until_ms, const int *others, size_t n)
{
	struct stream *s = stream_of(stream->low);
	struct pollfd fds[2 + MAX_OTHERS];

	if (n > MAX_OTHERS)
		n = MAX_OTHERS;
	for (;;) {
		int64_t left;
		short events;
		int r;

		if (s->fault != STREAM_OK)
			return STREAM_EVENT_FAULT;
		if (stream->read_buffer_len > 0)
			return STREAM_EVENT_DATA;
		r = peek(s, &events);
		if (r != 0)
			return r > 0 ? STREAM_EVENT_DATA : STREAM_EVENT_FAULT;
		left = until_ms - clock_monotonic_ms();
		if (left <= 0)
			return STREAM_EVENT_NONE;
		fds[0] = (struct pollfd){ .fd = s->fd, .events = events };
		fds[1] = (struct pollfd){ .fd = s->stop_fd,
		    .events = POLLIN };
		for (size_t i = 0; i < n; i++)
			fds[2 + i] = (struct pollfd){ .fd = others[i],
			    .events = POLLIN };
		r = poll(fds, 2 + n, poll_ms(left));
		if (r < 0 && errno != EINTR) {
			stream_set_errno(s);
			return STREAM_EVENT_FAULT;
		}
		if (r <= 0)
			continue;
		for (size_t i = 1; i < 2 + n; i++) {
			if (fds[i].revents != 0)
				return STREAM_EVENT_OTHER;
		}
	}
}
