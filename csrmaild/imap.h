#ifndef CSRMAILD_IMAP_H
#define CSRMAILD_IMAP_H

#include "csrmaild/stream.h"

#include "common/bytes.h"
#include "common/owned.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct server_settings;

/*
 * One session with an IMAP server (RFC 9051, and RFC 3501 servers), over
 * libetpan and our own stream. Knows folders, UIDs and octets, not what is in
 * a message; never asks for BODYSTRUCTURE or ENVELOPE, which the server would
 * have made from a sender's octets, and never sets \Seen.
 *
 * Every command has the server's timeout_s as one deadline and a ceiling on
 * what it may read. After a fault of the stream or of the protocol the
 * session is of no more use (imap_is_broken): free it and open another.
 *
 * Errors are ERR_RETRY, with the server's own words where it spoke, but for
 * ERR_FAULT where the configuration asks for what we do not do.
 */
struct imap;

#define IMAP_MAX_BATCH		50
#define IMAP_MAX_LISTED		200000

/*
 * Connect, agree on TLS as the settings say, and log in: by AUTHENTICATE
 * with the mechanism of the settings (csrmaild/sasl.h), with a password also
 * by LOGIN where PLAIN is not offered. In clear (TLS_NONE) to loopback
 * addresses only. A server that greets with PREAUTH, does not offer STARTTLS
 * where it must, or none of our mechanisms is refused before any credential
 * goes out. secret is the password or the token. stop_fd as in stream_connect; tls may be
 * NULL for TLS_NONE, and is borrowed until imap_free.
 */
int	imap_open(const struct server_settings *, SSL_CTX *tls,
	    const char *secret, int stop_fd, struct imap **out,
	    struct err *);
/* Logs out, within two seconds, if the session is still good for that. */
void	imap_free(struct imap *);
OWNED_STRUCT_BY(imap, imap_free)

bool	imap_is_broken(const struct imap *);
/* What the server said last, for people; never NULL. */
const char *imap_answer(const struct imap *);

/*
 * Names of folders are UTF-8, here and below; on the wire modified UTF-7 (RFC
 * 3501, 5.1.3). "/" parts levels, whatever the server parts them with, and a
 * name stands among the user's own folders, also where those begin with
 * "INBOX." (RFC 2342); one that is written as the server has it is left alone.
 *
 * Opens the folder, or opens it anew: the count of messages is then fresh.
 * *uid_validity is never 0 (RFC 9051, 2.3.1.1).
 */
int	imap_select(struct imap *, const char *folder,
	    uint32_t *uid_validity, struct err *);

struct imap_size {
	uint32_t	uid;
	uint32_t	octets;		/* RFC822.SIZE: the server's word */
};
/* All messages of the selected folder, at most IMAP_MAX_LISTED. *out is
 * owned: free(3). */
int	imap_list_sizes(struct imap *, struct imap_size **out, size_t *n,
	    struct err *);

struct imap_message {
	uint32_t	 uid;
	struct bytes	 octets;
};
struct imap_batch {
	struct imap_message messages[IMAP_MAX_BATCH];
	size_t		 n;
	clist		*list;		/* owns the octets */
};
/*
 * The octets of up to IMAP_MAX_BATCH messages, by BODY.PEEK[]. Those that
 * have left the folder are left out; none comes twice. *out is owned.
 */
int	imap_fetch(struct imap *, const struct imap_size *, size_t n,
	    struct imap_batch **out, struct err *);
/* The header block of one message, at most max octets of it; may yield no
 * message, when it has left the folder. */
int	imap_fetch_header(struct imap *, uint32_t uid, uint32_t max,
	    struct imap_batch **out, struct err *);
void	imap_batch_free(struct imap_batch *);
OWNED_STRUCT_BY(imap_batch, imap_batch_free)

/*
 * File n messages in another folder, which is created when it is missing. By
 * MOVE (RFC 6851), else COPY, \Deleted and UID EXPUNGE (RFC 4315). On a server
 * that has neither, by EXPUNGE while nobody else has marked messages; else they
 * stay marked, and imap_list_sizes leaves them out.
 */
int	imap_move(struct imap *, const uint32_t *uids, size_t n,
	    const char *folder, struct err *);

/*
 * Wait until the server has something new, at most until until_ms, or until
 * one of the other descriptors is readable: by IDLE (RFC 2177) where it is
 * offered, else in silence. Only with a folder selected. Returning says
 * nothing more than "look again".
 */
int	imap_wait(struct imap *, int64_t until_ms, const int *others,
	    size_t n, struct err *);

#endif
