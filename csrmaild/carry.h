#ifndef CSRMAILD_CARRY_H
#define CSRMAILD_CARRY_H

#include "common/bytes.h"

#include "csrmaild/wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct mailbox_settings;

/*
 * A batch of fetched messages on its way: to the parser and back, to the
 * registrar, and the registrar's word where each is to be filed. Step 1 of
 * the order of writes (docs/architecture.md). Knows nothing of IMAP.
 *
 * What happens when
 *	the parser does not answer	that message is "unreadable", on record
 *	the registrar does not answer	no outcome: the message stays where it
 *					is, and is carried again later
 *	a peer's channel ends		-1; it says nothing about a message
 */
#define CARRY_PATIENCE_MS	60000

struct carrier {
	const struct mailbox_settings *mailbox;	/* borrowed, like the rest */
	struct channel	*parser, *registrar;
	int		 stop_fd;	/* readable: return with what there is;
					 * -1 for none */
	int		 control_fd;	/* readable: the same */
	int		 patience_ms;	/* CARRY_PATIENCE_MS */
	uint64_t	 next_id;	/* of the frames; begins anywhere */
};

struct arrival {
	uint32_t	 uid;
	uint64_t	 octets;	/* of the whole message */
	struct bytes	 message;	/* borrowed; the header block only when
					 * the message is too large */
	bool		 too_large;
	int		 outcome;	/* out: enum outcome, 0 for none yet */
	/* For carry alone. */
	int		 stage;
	bool		 asked_who;	/* its signature has been looked at */
	struct buf	 signer;	/* its certificate */
	struct buf	 covered;	/* what it covers; else the message is
					 * examined */
	struct wire_submit submit;
};

/* 0 also when some have no outcome. ERR_FAULT: a peer is gone or broken. */
int	carry(struct carrier *, uint32_t uid_validity, struct arrival *,
	    size_t n, struct err *);

/* What each channel must be able to hold. */
size_t	carry_parser_queue_octets(const struct mailbox_settings *);
#define CARRY_REGISTRAR_QUEUE_OCTETS	(4u * WIRE_MAX_SUBMIT)

#endif
