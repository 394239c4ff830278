#ifndef OCSPD_WIRE_H
#define OCSPD_WIRE_H

#include "common/channel.h"
#include "common/frame.h"
#include "ocspd/request.h"

#include <stdbool.h>
#include <stdint.h>

struct err;

/*
 * What the roles of ocspd say to each other (docs/wire.md). A decoder checks
 * every length, count and range; -1 means that the peer is broken and must be
 * ended. Views in decoded structs borrow from the frame.
 */
enum wire_type {
	/* main -> role, over the control channel: one end of a new channel to
	 * a peer that was replaced. Empty payload, a descriptor. */
	WIRE_PEER = 20,

	/* responder -> front, first of all: the table. Empty payload, a
	 * descriptor. */
	WIRE_TABLE,
	/* front -> responder, and back */
	WIRE_ASK,
	WIRE_ANSWER,

	/* front, responder -> main, over the control channel: what they count
	 * (ocspd/counters.h). Empty payload, a descriptor. main -> monitor:
	 * whose they are; without a descriptor that process has ended. */
	WIRE_COUNTERS,
};

#define WIRE_MAX_ASK		(32u << 10)
#define WIRE_MAX_ANSWER		(64u << 10)
#define WIRE_MAX_QUEUED		(1u << 20)

/* The request as it was read; no octet of it goes along unparsed. */
struct wire_ask {
	uint64_t	 id;		/* comes back in the answer */
	struct request	*request;
};
/* Queued only: the caller flushes the channel once for all that it has read. */
int	wire_queue_ask(struct channel *, const struct wire_ask *,
	    struct err *);
/* request is the caller's room; der of its CertIDs is left empty. */
int	wire_get_ask(const struct frame *, struct wire_ask *, struct err *);

struct wire_answer {
	uint64_t	 id;
	enum ocsp_status status;
	bool		 cacheable;	/* signed, without a nonce */
	int64_t		 this_update, next_update;
	struct bytes	 der;		/* borrowed; empty unless successful */
};
/* Queued only: the caller flushes the channel after a few. */
int	wire_queue_answer(struct channel *, const struct wire_answer *,
	    struct err *);
int	wire_get_answer(const struct frame *, struct wire_answer *,
	    struct err *);

/* place: 0 is the responder, then come the fronts. fd is taken; -1: none. */
int	wire_send_counters(struct channel *, uint32_t place, int fd,
	    struct err *);
int	wire_get_counters(const struct frame *, uint32_t *place,
	    struct err *);

#endif
