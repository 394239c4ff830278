#ifndef OCSPD_CHUNKED_H
#define OCSPD_CHUNKED_H

#include "common/bytes.h"

#include <stddef.h>
#include <stdint.h>

/*
 * A body in chunks (RFC 9112, 7.1), taken together. Strict: sizes are
 * hexadecimal digits and nothing else, CRLF ends every line, what follows a
 * chunk's data is CRLF. Chunk extensions and trailer fields are read over;
 * nothing is taken from them. Pure: no socket, no clock.
 */

/* What sizes, extensions and trailers may add to a body, octets. Honest
 * clients need a few dozen. */
#define CHUNKED_MAX_FRAMING	4096u

enum chunked_result {
	CHUNKED_INCOMPLETE,
	CHUNKED_COMPLETE,
	CHUNKED_BROKEN,		/* 400 */
	CHUNKED_TOO_LONG,	/* 413 */
};
/*
 * in	begins with the first chunk's size.
 * room	takes the body, at most max octets; *len of them, also when incomplete.
 * used	of in, when complete.
 */
enum chunked_result chunked_read(struct bytes in, uint8_t *room, size_t max,
	    size_t *len, size_t *used);

#endif
