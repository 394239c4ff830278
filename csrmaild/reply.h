#ifndef CSRMAILD_REPLY_H
#define CSRMAILD_REPLY_H

#include "common/bytes.h"

#include <openssl/x509.h>

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

struct err;

/*
 * The mails we write. Fixed header fields; what comes from a mail is
 * reflected only encoded and cut. One recipient. RFC 3834:
 * Auto-Submitted: auto-replied, In-Reply-To, References.
 *
 * To a file of which no sender is known (`file` set and `to` empty) each of
 * them is an answer of files instead (csrmaild/answer_files.h), with the same
 * words.
 *
 * No clock, no store, no randomness: the same arguments give the same octets,
 * boundaries included (they are made from the Message-ID).
 */
struct reply_head {
	const char	*from;		/* the CA's mailbox */
	const char	*to;		/* the verified mailbox */
	const char	*message_id;	/* without <>, fixed for ever */
	const char	*in_reply_to;	/* without <>; "" for none */
	const char	*references;	/* "<a> <b>"; "" for none */
	const char	*subject;	/* of the request, raw; "" */
	const char	*own_subject;	/* instead, for a mail that answers
					 * none; ASCII; or NULL */
	const char	*file;		/* what is answered lay in a drop folder
					 * under that plain name; NULL, "": it
					 * came by mail */
	time_t		 date;
	const struct wordings *wordings;	/* NULL: those built in */
	const char	*language;	/* NULL: English */
};

/* One CSR's fate, in the order of the mail. */
struct reply_item {
	enum { REPLY_ISSUED = 1, REPLY_HELD, REPLY_REJECTED } fate;
	int64_t		 request;	/* number people can quote */
	const char	*names_text;
	const char	*reason;	/* held, rejected; "" */
	const char	*ignored;	/* extensions not copied; "" */
	X509		*cert;		/* issued only; borrowed */
	const char	*renews;	/* serial of the one before; NULL, "" */
	X509		*const *chain;	/* issuer first, root last; borrowed */
	size_t		 n_chain;
	const char	*ocsp_url, *crl_url;	/* "" */
};

/* A revocation that the mail asked for. */
struct reply_wish {
	enum { REPLY_WISH_DONE = 1, REPLY_WISH_HELD, REPLY_WISH_REJECTED } fate;
	int64_t		 number;	/* of it, for people to quote */
	const char	*serial;	/* in hex; "" */
	const char	*names_text;	/* "" */
	const char	*reason;	/* RFC 5280's word; "" */
	const char	*why;		/* "" */
};

/*
 * Text first, then for each issued item certificate.pem (application/
 * x-pem-file is blocked nowhere) and one certs-only .p7c with the chain (RFC
 * 10003, 5). At most 64 KiB plus certificates. With several issued items the
 * files are called certificate-REQUEST.pem and chain-REQUEST.p7c.
 *
 * ERR_FAULT, and nothing in out, when a mailbox is not dot-atom@domain or an
 * id is not printable ASCII without brackets: nothing is smuggled into the
 * header. A Subject cannot fail: it is cut and encoded.
 */
int	reply_compose(const struct reply_head *, const struct reply_item *,
	    size_t n, const struct reply_wish *, size_t n_wishes,
	    struct buf *out, struct err *);
/* The answer to STATUS: lines for people, newest first; may be none. */
int	reply_compose_status(const struct reply_head *,
	    const char *const *lines, size_t n, struct buf *out,
	    struct err *);
/* A certificate was revoked, put on hold, or is good again. serial: in hex. */
struct reply_revocation {
	enum { REPLY_REVOKED = 1, REPLY_ON_HOLD, REPLY_GOOD_AGAIN } what;
	const char	*serial;
	const char	*names_text;
	const char	*reason;	/* RFC 5280's word; "" */
	int64_t		 request;
};
int	reply_compose_revocation(const struct reply_head *,
	    const struct reply_revocation *, struct buf *out, struct err *);
/* No request was found, or the message as a whole was refused. parts: what
 * was seen, one line each; hints: HINT_BIT of csrmaild/hint.h. */
int	reply_compose_nothing(const struct reply_head *, const char *why,
	    const char *const *parts, size_t n_parts, uint32_t hints,
	    struct buf *out,
	    struct err *);

/* Asks a sender to confirm (csrmaild/challenge.h). token is put into the
 * Subject; head->subject and its ids are not used: nothing is reflected. */
int	reply_compose_challenge(const struct reply_head *, const char *token,
	    time_t expires_at, struct buf *out, struct err *);
/* To an answer to that which confirms nothing: how it is done. head->subject is
 * not used, since the token is in it. */
int	reply_compose_unconfirmed(const struct reply_head *, struct buf *out,
	    struct err *);

#endif
