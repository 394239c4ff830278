#ifndef COMMON_CHANNEL_H
#define COMMON_CHANNEL_H

#include "common/frame.h"
#include "common/owned.h"

#include <stddef.h>
#include <stdint.h>

struct err;

/*
 * A stream socket between two roles that carries frames.
 *
 * Never blocks on write: what the peer does not take at once waits in a
 * queue with a ceiling, and the role's poll loop flushes it. So two roles
 * that write to each other at once do not wait for each other for ever.
 *
 * A frame longer than max_in, of another version, or cut off by the peer's
 * end makes the channel broken: every later call fails, and the role closes
 * it. Descriptors travel with their frame (SCM_RIGHTS), one at most.
 */
struct channel;

/* fd is taken. peer is copied, for the log ("signer"). Ceilings in octets;
 * max_in bounds one payload, max_out all that is queued. NULL: no memory. */
struct channel *channel_new(int fd, const char *peer, size_t max_in,
	    size_t max_out);
void	channel_free(struct channel *);	/* closes the descriptor */
OWNED_STRUCT_BY(channel, channel_free)

int	channel_fd(const struct channel *);
const char *channel_peer(const struct channel *);
/* POLLIN, and POLLOUT while something is queued. */
short	channel_events(const struct channel *);
/* Octets still queued: where a role stops taking on work for this peer. */
size_t	channel_queued(const struct channel *);

/*
 * Queue one frame and try to write. fd is -1 or a descriptor to hand over
 * (taken, also on failure). ERR_RETRY when the queue is full, ERR_FAULT when
 * the peer is gone.
 */
int	channel_send(struct channel *, uint16_t type, struct bytes payload,
	    int fd, struct err *);
/* The same without writing: for many frames that one channel_flush sends. */
int	channel_queue(struct channel *, uint16_t type, struct bytes payload,
	    int fd, struct err *);
/* Write what is queued; after POLLOUT. */
int	channel_flush(struct channel *, struct err *);
/*
 * Read what is there; after POLLIN. -1 with ERR_RETRY when the peer closed
 * in good order, with ERR_FAULT when it broke off or broke the rules.
 */
int	channel_read(struct channel *, struct err *);
/*
 * The next whole frame that was read: 1, or 0 when there is none, -1 when
 * the channel is broken. The payload is valid until the next call on this
 * channel; frame->fd is the caller's.
 */
int	channel_next(struct channel *, struct frame *, struct err *);

/*
 * For a role that has nothing else to do: flush, then wait for one frame.
 * ERR_RETRY when timeout_ms passed (-1: no limit) or the peer closed.
 */
int	channel_await(struct channel *, int timeout_ms, struct frame *,
	    struct err *);

#endif
