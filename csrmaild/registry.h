#ifndef CSRMAILD_REGISTRY_H
#define CSRMAILD_REGISTRY_H

#include "common/crl.h"
#include "common/serial.h"
#include "common/store.h"
#include "csrmaild/authority.h"
#include "csrmaild/principal.h"
#include "csrmaild/settings.h"
#include "csrmaild/wire.h"

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/*
 * The registrar's desk: what its parts share (submission, issuance, outbox,
 * publish, responders, people, acts). One process, one loop
 * (csrmaild/registrar.c), no locks.
 */
#define REGISTRAR_MAX_MAILBOXES	16
#define REGISTRAR_MAX_ORDERS	64	/* with the signer at one time */
#define REGISTRAR_MAX_MAILS	64	/* with sealer and submit at one time */
#define REGISTRAR_MAX_SESSIONS	8	/* smtp.sessions */
#define REGISTRAR_MAX_PEOPLE	64	/* connections to the API socket */

/* One mailbox's intake. */
struct intake_peer {
	struct channel	*channel;	/* owned */
	const struct mailbox_settings *mailbox;	/* whatever it says */
	bool		 closed;	/* it ended in good order: we are next */
	size_t		 n_answers;	/* for its folder, not written yet */
	struct wire_mailbox state;
};

/* One session with the SMTP server. */
struct submit_peer {
	struct channel	*channel;	/* owned */
	bool		 closed;	/* as intake_peer.closed */
	size_t		 n_mails;	/* that it has not answered yet */
	struct wire_mailbox state;
};

/* A mail that the sealer, a session or an intake has not answered yet. */
struct pending_mail {
	int64_t		 id;		/* outbox row */
	bool		 sealing;	/* with the sealer; else: */
	struct intake_peer *folder;	/* whose folder it goes to; or NULL and: */
	size_t		 session;	/* index of the submit_peer */
};

/* A frozen order that the signer has not answered yet. */
struct pending_order {
	int64_t		 request;	/* 0: a responder certificate */
	int64_t		 ca;
	struct serial	 serial;
	bool		 sent;
	time_t		 not_before;	/* back-off: send again from then on */
};

struct person {
	uint64_t	 connection;	/* 0: the slot is free */
	struct principal principal;
};

struct registrar {
	struct store	*store;		/* owned */
	struct settings	*settings;	/* owned */
	struct channel	*control;	/* borrowed from the role */
	struct channel	*signer, *parser, *api;	/* owned */
	struct channel	*sealer;	/* owned; NULL: no mailbox signs */
	struct wire_seals seals[REGISTRAR_MAX_MAILBOXES];	/* how they do */
	size_t		 n_seals;
	struct submit_peer submits[REGISTRAR_MAX_SESSIONS];
	size_t		 n_submits;
	struct intake_peer intakes[REGISTRAR_MAX_MAILBOXES];
	size_t		 n_intakes;
	struct authorities authorities;
	time_t		 now;		/* of this turn of the loop */
	int64_t		 now_ms;	/* monotonic */
	int		 published_fd;	/* owned: the folder of CRLs */

	struct pending_order orders[REGISTRAR_MAX_ORDERS];
	size_t		 n_orders;
	bool		 approvals;	/* look for approved requests */
	/* csrmaild/renewal.h: when to look again for what is replaced, and
	 * for what is over. */
	time_t		 replaced_not_before, expiry_not_before;
	time_t		 challenges_not_before;	/* csrmaild/challenge.h */

	/* Revoked in the transaction that is open (csrmaild/acts.h). */
	struct target	*revoked;	/* owned */
	size_t		 n_revoked;

	struct pending_mail mails[REGISTRAR_MAX_MAILS];
	size_t		 n_mails;
	struct wire_mailbox smtp;	/* how the SMTP server does: what a
					 * session said that has none, else the
					 * first */

	struct authority *crl_in_hand;	/* NULL: none */
	struct publication *publication;	/* owned by publish.c, while
						 * one is in hand */
	size_t		 crl_turn;	/* whose scope is looked at first */

	struct responder_desk *responders;	/* owned by responders.c */
	struct shared_prime *primes;	/* owned by key_check.c */

	int		 listen_fd;	/* owned: the API socket */
	struct right_groups groups;
	struct person	 people[REGISTRAR_MAX_PEOPLE];
	uint64_t	 last_connection;

	char		 trouble[256];	/* the store's last failure, or "" */
};

#endif
