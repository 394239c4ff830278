#ifndef CSRMAILD_SMTP_H
#define CSRMAILD_SMTP_H

#include "common/bytes.h"
#include "csrmaild/wire.h"

#include <openssl/ssl.h>

struct err;
struct server_settings;

/*
 * Handing mails to an SMTP server. Two transports stand behind this, and
 * whoever sends does not notice which: libesmtp for STARTTLS, or clear on
 * loopback, with a password or none (smtp_esmtp.c); libetpan's mailsmtp over
 * csrmaild/stream.h for what libesmtp has not: implicit TLS, bearer tokens,
 * client certificates, TLS 1.3 and later only (smtp_etpan.c).
 *
 * Delivered means 250 for the message and 2xx for its recipient, on a session
 * that is authenticated where it should be; what the libraries say of success
 * is not used.
 *
 * Calls block, for a few times the server's timeout at most, and for as long
 * as the system's connect(2) and resolver take.
 */
struct smtp;

/*
 * server is borrowed; tls, of login_tls, is taken, also on failure, and NULL
 * for TLS_NONE. stop_fd -1, or a descriptor that ends waits once it is readable
 * (borrowed). Opens the files that are needed later (libesmtp's plug-in), so
 * that walls may be raised after. ERR_FAULT.
 */
int	smtp_new(const struct server_settings *server, SSL_CTX *tls,
	    int stop_fd, struct smtp **out, struct err *);
void	smtp_free(struct smtp *);
OWNED_STRUCT_BY(smtp, smtp_free)

/* One mail, and what became of it. */
struct letter {
	uint64_t	 id;		/* the caller's */
	char		 sender[MAILBOX_MAX + 1];	/* "" is <> */
	char		 recipient[MAILBOX_MAX + 1];
	struct bytes	 message;	/* borrowed; lines end in CRLF */
	/* Set by smtp_send: */
	bool		 settled;
	enum sent_result result;
	uint16_t	 code;		/* SMTP reply code; 0: none came */
	char		 text[256];
};

/* Called for each letter as soon as its fate is known: what was accepted
 * must be on record before the next one is sent. */
typedef void (*smtp_settled_fn)(const struct letter *, void *arg);
/* Asked before each letter: false ends the session, the rest is deferred. */
typedef bool (*smtp_go_on_fn)(void *arg);

/*
 * Try all of them in one session, with this password or token. Afterwards
 * every letter is settled. -1 (ERR_RETRY) when there was no session worth the
 * name: could not connect, no TLS, not authenticated; err says what the server
 * said.
 */
int	smtp_send(struct smtp *, const char *secret, struct letter *, size_t n,
	    smtp_settled_fn, smtp_go_on_fn, void *arg, struct err *);
/* Did the last session end because the server refused our login? */
bool	smtp_login_was_refused(const struct smtp *);

#endif
