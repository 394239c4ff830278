#ifndef CSRMAILD_QUOTE_H
#define CSRMAILD_QUOTE_H

#include "common/bytes.h"

/*
 * Where in a text somebody else's mail begins that was forwarded without
 * quotation marks: behind a line of dashes with words in it ("-----Original
 * Message-----", in any language) or a rule of underscores, when lines like
 * those of a header follow ("From: ...", "Betreff: ..."). A line of dashes
 * alone forwards nothing ("---- cut here ----"). Without any separator: three
 * lines of a header with an address and a time in them, as Outlook puts them
 * into an answer, or a line with both that ends in a colon ("... wrote:") and
 * has no quotation mark below it.
 *
 * The offset of that header, or the length of the text. One linear pass; lines
 * end in LF, CRLF or CR.
 */
size_t	quote_find_forwarded(struct bytes text);

#endif
