#ifndef CSRMAILD_STREAM_H
#define CSRMAILD_STREAM_H

#include "common/bytes.h"
#include "common/owned.h"

#include <libetpan/libetpan.h>
#include <openssl/ssl.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

/*
 * The ground under IMAP and SMTP: TCP, and TLS by OpenSSL, as a driver for
 * libetpan's streams. Knows no protocol.
 *
 * Why not libetpan's own: Debian's verifies no certificate, spins for ever
 * on a connection that is cut inside a literal, lets a server that drips
 * reset the clock with each octet, and reads without bound.
 *
 * Before each command the caller says until when and how many octets it may
 * read (stream_allow). The first fault is sticky: every later call fails at
 * once, and the session must be dropped. Nothing raises SIGPIPE.
 */
enum stream_fault {
	STREAM_OK = 0,
	STREAM_TIMEOUT,		/* the deadline passed */
	STREAM_CLOSED,		/* by the peer, in whatever way */
	STREAM_IO,		/* the system's answer */
	STREAM_TLS,		/* no common version, a broken record, ... */
	STREAM_UNVERIFIED,	/* chain, name or dates of the certificate */
	STREAM_INJECTED,	/* octets in clear after STARTTLS was agreed */
	STREAM_TOO_MUCH,	/* more octets than the command may read */
	STREAM_STOPPED,		/* stop_fd became readable: we shall end */
};

/*
 * TLS 1.2 and later, chain and name verified, no renegotiation. ca_file ""
 * for the system's store. ERR_FAULT when the store cannot be read. *out is
 * owned: SSL_CTX_free.
 */
int	stream_tls_context(const char *ca_file, SSL_CTX **out, struct err *);
/* Show this certificate (PEM, its chain behind it) to servers that ask for
 * one; key is PEM without a passphrase. ERR_FAULT. */
int	stream_tls_identify(SSL_CTX *, struct bytes certificates,
	    struct bytes key, struct err *);

/*
 * Connect to host (name or address; every address is tried) before the
 * deadline (clock_monotonic_ms). Resolving names blocks for as long as the
 * resolver is configured to. stop_fd -1, or a descriptor that ends every
 * wait of this stream once it is readable (borrowed). On success *out is
 * owned until a mailstream takes it. ERR_RETRY.
 */
int	stream_connect(const char *host, uint16_t port, int64_t deadline_ms,
	    int stop_fd, mailstream_low **out, struct err *);
/* The same over a socket that is connected already (taken, also on failure);
 * NULL: no memory. */
mailstream_low *stream_adopt(int fd, int stop_fd);
/* Close and free; only while no mailstream has taken it. NULL is fine. */
void	stream_free(mailstream_low *);
OWNED_BY(mailstream_low, stream_free)

/* Is the peer on this machine? Only then may a password go in clear. */
bool	stream_is_loopback(mailstream_low *);

/* Shake hands; name (host name or address) is verified. ERR_RETRY. */
int	stream_start_tls(mailstream_low *, SSL_CTX *, const char *name,
	    struct err *);
/* The same after the server agreed to STARTTLS: refuses when octets in clear
 * are left in the stream's buffers, since they would pass for protected. */
int	stream_upgrade(mailstream *, SSL_CTX *, const char *name,
	    struct err *);

/* For the next command. */
void	stream_allow(mailstream_low *, int64_t deadline_ms, size_t octets);

/* The sticky fault, and its text when text is not NULL. */
enum stream_fault stream_fault(mailstream_low *, const char **text);
/* The server's last whole line, printable and without its end, for people; ""
 * when there is none. */
void	stream_last_line(mailstream_low *, char *out, size_t size);
/* The session is out of step: every later call fails at once. */
void	stream_give_up(mailstream_low *, const char *why);

enum stream_event {
	STREAM_EVENT_FAULT = -1,	/* stream_fault says which */
	STREAM_EVENT_NONE,		/* until_ms came; the stream is well */
	STREAM_EVENT_DATA,		/* something can be read */
	STREAM_EVENT_OTHER,		/* one of the descriptors of `others` */
};
/*
 * Wait for octets of the server in all three places where they can be
 * (libetpan's buffer, OpenSSL's, the socket) or for one of n other
 * descriptors (n <= 8) to become readable. Reads nothing.
 */
enum stream_event stream_wait(mailstream *, int64_t until_ms,
	    const int *others, size_t n);

#endif
