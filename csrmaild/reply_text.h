#ifndef CSRMAILD_REPLY_TEXT_H
#define CSRMAILD_REPLY_TEXT_H

#include "common/bytes.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * Text of strangers, made fit to stand in a mail of ours. Failure is the
 * buffer's: check out->failed once at the end.
 */

/*
 * Copy UTF-8 and put "?" for what must not reach a reader's terminal: control
 * and bidi characters, line breaks, octets that are not UTF-8. Cut at max
 * characters, "..." behind what was cut.
 */
void	text_reflect(const char *in, size_t max, struct buf *out);
/*
 * Words of in, filled into lines of up to 72 columns, each after indent and
 * ended by CRLF. A word longer than a line has a line of its own, in pieces
 * of at most 300 octets.
 */
void	text_wrap(const char *indent, const char *in, struct buf *out);
/*
 * The value of a Subject field that answers one with this raw text: "Re: ",
 * folded, ASCII. Encoded-words of the text stay when they are well-formed and
 * go when not; other octets than ASCII become encoded-words (RFC 2047, 2).
 */
void	text_subject(const char *raw, struct buf *out);
/* RFC 2045, 2.7: ASCII without NUL, lines of at most 998 octets, each ended by
 * CRLF, and no CR or LF elsewhere. */
bool	text_is_7bit(struct bytes);
/* And nothing that a gateway on the way might alter, and a signature would not
 * survive: blanks at the end of a line, "From " at its beginning. */
bool	text_travels(struct bytes);
/* RFC 2045, 6.7, for text with CRLF line ends; what comes out travels. */
void	text_quoted_printable(struct bytes in, struct buf *out);

#endif
