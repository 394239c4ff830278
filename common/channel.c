#include "common/channel.h"

#include "common/clock.h"
#include "common/err.h"

#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_WAITING_FDS	64

/*
 * Descriptors in the order of their frames. `at` is the place in the stream
 * of the frame's first octet, with which the descriptor must go out; where
 * it came in does not matter, the frame's header says that it has one.
 */
struct fd_queue {
	struct {
		int		fd;
		uint64_t	at;
	}		slots[MAX_WAITING_FDS];
	size_t		n;
};

struct channel {
	int		 fd;
	char		 peer[32];
	size_t		 max_in;
	struct buf	 in;		/* read, not yet taken */
	size_t		 taken;		/* octets of in that a frame covers */
	struct buf	 out;
	uint64_t	 out_at;	/* stream place of out.data[0] */
	struct fd_queue	 in_fds, out_fds;
	bool		 broken;
};

struct channel *
channel_new(int fd, const char *peer, size_t max_in, size_t max_out)
{
	struct channel *ch = calloc(1, sizeof(*ch));

	if (ch == NULL) {
		close(fd);
		return NULL;
	}
	ch->fd = fd;
	snprintf(ch->peer, sizeof(ch->peer), "%s", peer);
	ch->max_in = max_in;
	/* Room for one largest frame and what recv brings along behind it. */
	ch->in = BUF(FRAME_HEADER_OCTETS + max_in + 128 * 1024);
	ch->out = BUF(max_out);
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	return ch;
}

static void
fd_queue_close(struct fd_queue *q)
{
	for (size_t i = 0; i < q->n; i++)
		close(q->slots[i].fd);
	q->n = 0;
}

/* False when the queue is full; the descriptor is then still the caller's. */
static bool
fd_queue_push(struct fd_queue *q, int fd, uint64_t at)
{
	if (q->n == MAX_WAITING_FDS)
		return false;
	q->slots[q->n].fd = fd;
	q->slots[q->n++].at = at;
	return true;
}

static int
fd_queue_pop(struct fd_queue *q)
{
	int fd;

	if (q->n == 0)
		return -1;
	fd = q->slots[0].fd;
	q->n--;
	memmove(q->slots, q->slots + 1, q->n * sizeof(q->slots[0]));
	return fd;
}

void
channel_free(struct channel *ch)
{
	if (ch == NULL)
		return;
	close(ch->fd);
	fd_queue_close(&ch->in_fds);
	fd_queue_close(&ch->out_fds);
	buf_wipe(&ch->in);
	buf_wipe(&ch->out);
	free(ch);
}

int
channel_fd(const struct channel *ch)
{
	return ch->fd;
}

const char *
channel_peer(const struct channel *ch)
{
	return ch->peer;
}

short
channel_events(const struct channel *ch)
{
	return (short)(POLLIN | (ch->out.len > 0 ? POLLOUT : 0));
}

size_t
channel_queued(const struct channel *ch)
{
	return ch->out.len;
}

static int
broken(struct channel *ch, struct err *err, const char *why)
{
	ch->broken = true;
	return err_set(err, ERR_FAULT, "%s: %s", ch->peer, why);
}

int
channel_queue(struct channel *ch, uint16_t type, struct bytes payload, int fd,
    struct err *err)
{
	uint64_t at = ch->out_at + ch->out.len;

	if (ch->broken) {
		if (fd >= 0)
			close(fd);
		return broken(ch, err, "the channel is broken");
	}
	if (payload.len > UINT32_MAX ||
	    ch->out.len + FRAME_HEADER_OCTETS + payload.len > ch->out.max ||
	    (fd >= 0 && ch->out_fds.n == MAX_WAITING_FDS)) {
		if (fd >= 0)
			close(fd);
		return err_set(err, ERR_RETRY, "%s does not keep up",
		    ch->peer);
	}
	put_u32(&ch->out, (uint32_t)payload.len);
	put_u16(&ch->out, type);
	put_u8(&ch->out, FRAME_VERSION);
	put_u8(&ch->out, fd >= 0 ? 1 : 0);
	buf_append_bytes(&ch->out, payload);
	if (fd >= 0)
		fd_queue_push(&ch->out_fds, fd, at);
	if (ch->out.failed)
		return broken(ch, err, "out of memory");
	return 0;
}

int
channel_send(struct channel *ch, uint16_t type, struct bytes payload, int fd,
    struct err *err)
{
	if (channel_queue(ch, type, payload, fd, err) == -1)
		return -1;
	return channel_flush(ch, err);
}

/*
 * One sendmsg. A descriptor goes out with the first octet of its frame, so
 * what is written ends where the next descriptor's frame begins.
 */
static ssize_t
write_some(struct channel *ch)
{
	union {
		struct cmsghdr	align;
		char		room[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { ch->out.data, ch->out.len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct fd_queue *q = &ch->out_fds;
	bool with_fd = q->n > 0 && q->slots[0].at == ch->out_at;
	size_t next = with_fd ? 1 : 0;
	ssize_t n;

	if (q->n > next && q->slots[next].at - ch->out_at < iov.iov_len)
		iov.iov_len = (size_t)(q->slots[next].at - ch->out_at);
	if (with_fd) {
		memset(&control, 0, sizeof(control));
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.align), &q->slots[0].fd,
		    sizeof(int));
	}
	n = sendmsg(ch->fd, &msg, MSG_NOSIGNAL);
	if (n > 0 && with_fd)
		close(fd_queue_pop(q));
	return n;
}

int
channel_flush(struct channel *ch, struct err *err)
{
	while (ch->out.len > 0) {
		ssize_t n = write_some(ch);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return 0;
		if (n < 0)
			return broken(ch, err, strerror(errno));
		buf_consume(&ch->out, (size_t)n);
		ch->out_at += (uint64_t)n;
	}
	return 0;
}

static void
keep_fds(struct channel *ch, struct msghdr *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL;
	    c = CMSG_NXTHDR(msg, c)) {
		size_t n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int),
			    sizeof(int));
			if (!fd_queue_push(&ch->in_fds, fd, 0))
				close(fd);
		}
	}
}

static void
drop_taken(struct channel *ch)
{
	if (ch->taken == 0)
		return;
	buf_consume(&ch->in, ch->taken);
	ch->taken = 0;
}

int
channel_read(struct channel *ch, struct err *err)
{
	union {
		struct cmsghdr	align;
		char		room[CMSG_SPACE(4 * sizeof(int))];
	} control;
	struct iovec iov = { .iov_len = 64 * 1024 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control) };
	ssize_t n;

	if (ch->broken)
		return broken(ch, err, "the channel is broken");
	drop_taken(ch);
	if (iov.iov_len > ch->in.max - ch->in.len)
		iov.iov_len = ch->in.max - ch->in.len;
	if (iov.iov_len == 0)
		return 0;	/* whole frames wait: take them first */
	iov.iov_base = buf_reserve(&ch->in, iov.iov_len);
	if (iov.iov_base == NULL)
		return broken(ch, err, "out of memory");
	do
		n = recvmsg(ch->fd, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return 0;
	if (n < 0)
		return broken(ch, err, strerror(errno));
	if (n == 0) {
		ch->broken = true;
		return err_set(err, ch->in.len == 0 ? ERR_RETRY : ERR_FAULT,
		    "%s closed the channel", ch->peer);
	}
	keep_fds(ch, &msg);
	ch->in.len += (size_t)n;
	return 0;
}

int
channel_next(struct channel *ch, struct frame *frame, struct err *err)
{
	struct cursor c;
	uint32_t len;
	uint16_t type;
	uint8_t version, fds;

	if (ch->broken && ch->in.len == ch->taken)
		return broken(ch, err, "the channel is broken");
	drop_taken(ch);
	if (ch->in.len < FRAME_HEADER_OCTETS)
		return 0;
	c = CURSOR(buf_bytes(&ch->in));
	len = get_u32(&c);
	type = get_u16(&c);
	version = get_u8(&c);
	fds = get_u8(&c);
	if (version != FRAME_VERSION)
		return broken(ch, err, "a frame of another version");
	if (fds > 1)
		return broken(ch, err, "a frame with several descriptors");
	if (len > ch->max_in)
		return broken(ch, err, "a frame longer than we allow");
	if (c.left.len < len)
		return 0;
	frame->type = type;
	frame->payload = bytes_slice(c.left, 0, len);
	frame->fd = fds == 1 ? fd_queue_pop(&ch->in_fds) : -1;
	if (fds == 1 && frame->fd == -1)
		return broken(ch, err, "a frame without its descriptor");
	ch->taken = FRAME_HEADER_OCTETS + len;
	return 1;
}

int
channel_await(struct channel *ch, int timeout_ms, struct frame *frame,
    struct err *err)
{
	int64_t until = clock_monotonic_ms() + timeout_ms;

	for (;;) {
		struct pollfd p = { ch->fd, channel_events(ch), 0 };
		int64_t left = timeout_ms < 0 ? -1 :
		    until - clock_monotonic_ms();
		int r = channel_next(ch, frame, err);

		if (r != 0)
			return r == 1 ? 0 : -1;
		if (timeout_ms >= 0 && left <= 0)
			return err_set(err, ERR_RETRY,
			    "%s did not answer in time", ch->peer);
		r = poll(&p, 1, (int)left);
		if (r < 0 && errno != EINTR)
			return err_errno(err, ERR_FAULT, "poll");
		if (r <= 0)
			continue;
		if ((p.revents & POLLOUT) != 0 && channel_flush(ch, err) == -1)
			return -1;
		if ((p.revents & ~POLLOUT) != 0 && channel_read(ch, err) == -1)
			return -1;
	}
}
