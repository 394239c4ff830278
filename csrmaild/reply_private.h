#ifndef CSRMAILD_REPLY_PRIVATE_H
#define CSRMAILD_REPLY_PRIVATE_H

#include "csrmaild/reply.h"
#include "csrmaild/wording.h"

#define REPLY_MAX_TEXT	(64u << 10)	/* without certificates */

/*
 * What the mails of csrmaild/reply.h have in common.
 */

/* Everything up to the content fields. */
int	reply_put_head(const struct reply_head *, struct buf *out,
	    struct err *);
/* Text as a MIME entity: its fields, an empty line, the body; 7 bit. */
void	reply_put_text(const struct buf *text, struct buf *out);
/* The whole mail, or ERR_FAULT and nothing. */
int	reply_finish(const struct buf *mail, struct buf *out, struct err *);
/* An answer of files: this text, in lines that end in LF, behind those that
 * are in it already. */
bool	reply_is_files(const struct reply_head *);
void	reply_put_file_text(const struct buf *text, int64_t request,
	    struct buf *out);
/* What a reply says of each request and wish, and of what to do with
 * certificates; no footer. n_issued: of the items. */
int	reply_put_items(const struct reply_head *, const struct reply_item *,
	    size_t n, size_t n_issued, const struct reply_wish *,
	    size_t n_wishes, struct buf *text, struct err *);
int	reply_put_pem(X509 *, struct buf *out, struct err *);
/* Of an issued item: its certificate and chain, certs-only. */
int	reply_put_chain(const struct reply_item *, struct buf *out,
	    struct err *);
#define REPLY_MAX_PEM	(32u << 10)	/* one certificate */
#define REPLY_MAX_CHAIN	10

/* --- an answer of files (reply_files.c) --- */
bool	reply_is_files(const struct reply_head *);
int	reply_compose_files(const struct reply_head *,
	    const struct reply_item *, size_t n, size_t n_issued,
	    const struct reply_wish *, size_t n_wishes, struct buf *out,
	    struct err *);
/* One that is nothing but a text; its lines will end in LF. */
int	reply_finish_text(const struct buf *text, struct buf *out,
	    struct err *);

/* One text in the language of the reply. */
void	reply_say(const struct reply_head *, enum wording,
	    const struct wording_value *, struct buf *text);
/* What became of revocations, and, where one was rejected, how it is done. */
void	reply_say_wishes(const struct reply_head *, const struct reply_wish *,
	    size_t n, struct buf *text);
/* A whole mail of one text and the footer. */
int	reply_put_words(const struct reply_head *, enum wording,
	    const struct wording_value *, struct buf *out, struct err *);

#endif
