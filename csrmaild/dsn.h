#ifndef CSRMAILD_DSN_H
#define CSRMAILD_DSN_H

#include "common/bytes.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * A delivery status notification (RFC 3464): which mail of ours came back, and
 * why. Runs in the parser's child, on octets that anybody may have sent; what
 * it says is for people to read and decides nothing.
 */

/*
 * Of a multipart/report: the Message-ID that the returned message or its
 * header has, and "Final-Recipient: Diagnostic-Code" or Status, in ASCII. A
 * line scan of the whole, without transfer encodings, which RFC 3464, 2.1
 * rules out. False when it is none, or names no message.
 */
bool	dsn_read(struct bytes message, char *message_id, size_t id_size,
	    char *text, size_t text_size);

#endif
