#ifndef CSRMAILD_CARRY_H
#define CSRMAILD_CARRY_H

#include "common/bytes.h"
#include "common/owned.h"

#include "csrmaild/wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct carry_dkim;
struct err;
struct mailbox_settings;

/*
 * A batch of messages on its way: to the parser and back, to the
 * registrar, and the registrar's word where each is to be filed. Step 1 of
 * the order of writes (docs/architecture.md). Knows nothing of IMAP and of
 * folders: fetched, found as a file or handed in by a person, from here on it
 * is one path.
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
	struct carry_dkim *dkim;	/* NULL: the mail server verifies */
	/* What else the registrar says meanwhile: to be kept or done at once,
	 * without carrying anything. The descriptor is taken. -1: the peer is
	 * broken. NULL: nothing else is expected. */
	int		(*on_other)(void *arg, struct frame *, struct err *);
	void		*arg;
};

struct arrival {
	uint32_t	 uid;
	uint64_t	 octets;	/* of the whole message */
	struct bytes	 message;	/* borrowed; the header block only when
					 * the message is too large */
	bool		 too_large;
	enum channel_kind channel;	/* 0 is CHANNEL_MAIL */
	bool		 is_csr;	/* a CSR in a file of its own, no message */
	const char	*file;		/* its name (wire_submit); NULL: none */
	uint32_t	 owner;
	uint64_t	 delivery;
	struct bytes	 place;		/* borrowed; what tells this file from a
					 * later one with the same CSR */
	int		 outcome;	/* out: enum outcome, 0 for none yet */
	/* For carry alone. */
	int		 stage;
	bool		 stays;		/* where it is, for another pass */
	struct buf	 dkim_keys;	/* of its DKIM signatures; empty: there
					 * is nothing to be verified */
	bool		 asked_dkim;	/* they have been looked at */
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

/*
 * Our own verification of DKIM, intake's part (dkim = "verify"): which mails
 * have a signature that is aligned with their From mailbox, its key, and what
 * becomes of a mail whose key cannot be had now. Whether the signature is good,
 * a fork of the parser says (csrmaild/dkim_check.h).
 *
 * A mail of which every key is a matter of "later" stays where it is, and is
 * carried again at retry_ms, until CARRY_DKIM_PATIENCE_MS are over since it was
 * first seen; then it goes on without this evidence. The same when more than
 * MAX_WAITING wait: somebody else's mail can delay one, never keep it.
 */
#define CARRY_DKIM_PATIENCE_MS	900000
#define CARRY_DKIM_MAX_WAITING	256

/* *out is NULL when this mailbox believes its mail server. */
int	carry_dkim_new(const struct mailbox_settings *,
	    struct carry_dkim **out, struct err *);
void	carry_dkim_free(struct carry_dkim *);
OWNED_STRUCT_BY(carry_dkim, carry_dkim_free)
/* Everything that is there is about to be carried: what stays, that will tell.
 * NULL is fine here and below. */
void	carry_dkim_begin(struct carry_dkim *);
/* When what stays should be carried again; INT64_MAX: nothing does. */
int64_t	carry_dkim_retry_ms(const struct carry_dkim *);

#endif
