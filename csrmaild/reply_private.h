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
/* One text in the language of the reply. */
void	reply_say(const struct reply_head *, enum wording,
	    const struct wording_value *, struct buf *text);
/* A whole mail of one text and the footer. */
int	reply_put_words(const struct reply_head *, enum wording,
	    const struct wording_value *, struct buf *out, struct err *);

#endif
