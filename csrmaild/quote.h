#ifndef CSRMAILD_QUOTE_H
#define CSRMAILD_QUOTE_H

#include "common/bytes.h"

/*
 * Where in a text somebody else's mail begins that was forwarded without
 * quotation marks: behind a line of dashes with words in it ("-----Original
 * Message-----", in any language) or a rule of underscores, when lines like
 * those of a header follow ("From: ...", "Betreff: ..."). A line of dashes
 * alone forwards nothing ("---- cut here ----").
 *
 * The offset of that header, or the length of the text. One linear pass; lines
 * end in LF, CRLF or CR.
 */
size_t	quote_find_forwarded(struct bytes text);

#endif
