#ifndef CSRMAILD_REGISTRAR_H
#define CSRMAILD_REGISTRAR_H

#include "common/crl.h"
#include "common/serial.h"
#include "common/store.h"
#include "csrmaild/authority.h"
#include "csrmaild/principal.h"
#include "csrmaild/settings.h"
#include "csrmaild/wire.h"

#include <jansson.h>

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct err;
struct role;

/*
 * The registrar: the one role with the store open for writing. It takes what
 * the others report, decides by policy, and commits before anything leaves.
 * docs/architecture.md tells the order of writes.
 *
 * Its parts, one file each: submission (a mail becomes requests), issuance
 * (an approved request becomes a certificate), outbox (a reply becomes a
 * mail), publish (CRLs), responders (ocspd's certificates), people (the API
 * socket). This header is what they and the verbs share.
 */
int	registrar_main(struct role *);

#define REGISTRAR_MAX_MAILBOXES	16
#define REGISTRAR_MAX_ORDERS	64	/* with the signer at one time */
#define REGISTRAR_MAX_MAILS	64	/* with submit at one time */
#define REGISTRAR_MAX_PEOPLE	64	/* connections to the API socket */

/* One mailbox's intake. */
struct intake_peer {
	struct channel	*channel;	/* owned */
	bool		 closed;	/* it ended in good order: we are next */
	struct wire_mailbox state;
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
	struct channel	*signer, *parser, *submit, *api;	/* owned */
	struct intake_peer intakes[REGISTRAR_MAX_MAILBOXES];
	size_t		 n_intakes;
	struct authorities authorities;
	time_t		 now;		/* of this turn of the loop */
	int64_t		 now_ms;	/* monotonic */
	int		 published_fd;	/* owned: the folder of CRLs */

	struct pending_order orders[REGISTRAR_MAX_ORDERS];
	size_t		 n_orders;
	bool		 approvals;	/* look for approved requests */

	int64_t		 mails[REGISTRAR_MAX_MAILS];	/* outbox rows */
	size_t		 n_mails;
	struct wire_mailbox smtp;	/* how the SMTP server does */

	struct authority *crl_in_hand;	/* NULL: none */
	struct crl_terms crl_terms;
	int		 crl_fd;	/* owned while one is in hand */

	struct responder_desk *responders;	/* owned by responders.c */

	int		 listen_fd;	/* owned: the API socket */
	struct right_groups groups;
	struct person	 people[REGISTRAR_MAX_PEOPLE];
	uint64_t	 last_connection;

	char		 trouble[256];	/* the store's last failure, or "" */
};

/* --- what people may do (csrmaild/verbs.h) -------------------------------- */
/* Each is one transaction. who: "unix:root". ERR_REJECT when it makes no
 * sense (any more), with a text for the one who asked. */
int	registrar_approve(struct registrar *, int64_t request,
	    const char *who, time_t now, struct err *);
int	registrar_reject(struct registrar *, int64_t request,
	    const char *reason, const char *who, time_t now, struct err *);
int	registrar_revoke(struct registrar *, int64_t ca,
	    const struct serial *, enum crl_reason, time_t invalidity,
	    const char *who, time_t now, struct err *);
/* Have a file examined; verbs_examined gets the findings with that token. */
int	registrar_examine_csr(struct registrar *, struct bytes octets,
	    uint64_t token, struct err *);
/* A request by an admin, approved by handing it in. */
int	registrar_add_cli_request(struct registrar *,
	    const struct candidate *, const char *ca, const char *profile,
	    int64_t validity_s, const char *who, time_t now,
	    int64_t *request, struct err *);
/* A new CRL soon. */
int	registrar_publish_crl(struct registrar *, const char *ca,
	    struct err *);
/* Have main check the configuration and start everything anew. */
int	registrar_reload(struct registrar *, const char *who, time_t now,
	    struct err *);
/* Adds "mailboxes", "smtp", "keys" and, to the array "trouble", sentences. */
void	registrar_describe_status(struct registrar *, json_t *out);

#endif
