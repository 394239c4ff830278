#ifndef CSRMAILD_INTAKE_PRIVATE_H
#define CSRMAILD_INTAKE_PRIVATE_H

#include "csrmaild/carry.h"
#include "csrmaild/wire.h"

#include <openssl/ssl.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct carry_dkim;
struct channel;
struct err;
struct imap;
struct login;
struct mailbox_settings;
struct role;

/*
 * What a mailbox on a server (intake_imap.c), one that is a folder
 * (intake_drop.c) and what both need (intake.c) share.
 */
#define INTAKE_PEERS	3
#define INTAKE_BATCH_OCTETS	(8u << 20)	/* carried at one time, unless
						 * one message alone has more */
#define INTAKE_FIRST_BACKOFF_MS	1000
#define INTAKE_MAX_DELIVERIES	32	/* that wait; the registrar hands over
					 * no more at one time */
#define INTAKE_MAX_SKIPPED	64

struct intake {
	struct role	*role;
	const struct mailbox_settings *mailbox;
	struct carrier	 carrier;
	int		 event_fd;	/* wakes attend as well; -1: none */
	bool		 connected;	/* as last reported */
	time_t		 since;
	char		 said[256];
	char		 trouble[256], told[256];	/* with single messages, as
						 * it is and as last reported */
	bool		 lost_peer;	/* nothing to do without it: exit */
	int64_t		 backoff_ms;
	int64_t		 next_ms;	/* monotonic: when to try again */
	time_t		 next_attempt;	/* the same for people */

	/* What people handed in, until it can be carried. */
	struct handed_in {
		struct wire_deliver what;
		int	 fd;		/* owned */
	}		 deliveries[INTAKE_MAX_DELIVERIES];
	size_t		 n_deliveries;

	/* --- on a server --- */
	struct login	*login;		/* owned, as are the next */
	struct carry_dkim *dkim;
	SSL_CTX		*tls;
	struct imap	*imap;		/* NULL: not connected */
	/*
	 * Messages whose fetch alone ended the session. They are left out
	 * until one pass went through, so that they do not hold up the rest.
	 */
	bool		 one_by_one;
	bool		 amiss;		/* `trouble` is of this pass */
	uint32_t	 skipped[INTAKE_MAX_SKIPPED];
	size_t		 n_skipped;

	/* --- a folder --- */
	char		 out_trouble[256];	/* with the out folder; "" none */
};

/* --- intake.c --- */
/* What the server said, or the folder is like, for `csrmail status`. */
void	intake_report(struct intake *, bool connected, const char *text);
void	intake_peers(const struct intake *,
	    struct channel *channels[INTAKE_PEERS]);
/*
 * Wait up to timeout_ms, and do what the registrar asks for; what else comes
 * are answers that we gave up waiting for. False when we are to end.
 */
bool	intake_attend(struct intake *, int timeout_ms);
/* Until then, or to the end of the back-off. False when we are to end. */
bool	intake_sit_out(struct intake *, int64_t until_ms);
bool	intake_back_off(struct intake *);
/* With jitter: a server that comes back is not met by all its clients in the
 * same second. */
void	intake_plan_back_off(struct intake *);

/* --- intake_imap.c, intake_drop.c --- */
/* What must be had before the walls, and the walls. */
int	intake_imap_start(struct intake *, struct err *);
int	intake_drop_start(struct intake *, struct err *);
/* Until we are to end, or a peer is lost. */
void	intake_imap_run(struct intake *);
void	intake_drop_run(struct intake *);
void	intake_imap_end(struct intake *);
/* Write an answer into the out folder, and say how that went. */
int	intake_drop_answer(struct intake *, const struct frame *,
	    struct err *);

#endif
