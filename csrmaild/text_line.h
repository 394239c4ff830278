#ifndef CSRMAILD_TEXT_LINE_H
#define CSRMAILD_TEXT_LINE_H

#include "common/bytes.h"

#include <stdbool.h>

/*
 * Lines of decoded text, as people and their programs write them. Each is
 * looked at once: nothing here is more than linear.
 */

/* The first line with its end (LF, CRLF, or CR alone as old Macs have it);
 * *left goes on behind it. */
struct bytes text_line_take(struct bytes *left);
/*
 * Without white space before and behind (also the no-break space of UTF-8,
 * which HTML becomes), and without the marks before it that quote another
 * mail, ">" and "|"; *quoted becomes true when there is one. quoted may be
 * NULL: the marks stay then.
 */
struct bytes text_line_strip(struct bytes line, bool *quoted);
/* The same at the front only, of a text that need not end with the line. */
struct bytes text_line_front(struct bytes text, bool *quoted);

/*
 * format=flowed (RFC 3676): soft breaks joined, space-stuffing taken away,
 * quotes kept; delsp is its parameter. A line that begins with dashes is never
 * joined to the one before: PEM in such a text begins its own line. The
 * result is in room.
 */
struct bytes text_unflow(struct bytes text, bool delsp, struct buf *room);

#endif
