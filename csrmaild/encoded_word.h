#ifndef CSRMAILD_ENCODED_WORD_H
#define CSRMAILD_ENCODED_WORD_H

#include <stdbool.h>

struct buf;
struct bytes;

/*
 * "=?charset?encoding?text?=" (RFC 2047, 2) at the front of *left: its octets
 * are appended to out, *charset views its name, both as they stand there.
 * False, and nothing is taken or appended, when there is none. Longer ones than
 * the RFC allows are read, too, since many are written.
 */
bool	encoded_word_take(struct bytes *left, struct bytes *charset,
	    struct buf *out);

#endif
