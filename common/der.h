#ifndef COMMON_DER_H
#define COMMON_DER_H

#include "common/bytes.h"

#include <stdbool.h>

struct err;

/*
 * DER (X.690), as little of it as is needed to look at untrusted octets
 * before a library does. Views only, nothing is allocated.
 */
enum der_tag {
	DER_BOOLEAN		= 0x01,
	DER_INTEGER		= 0x02,
	DER_BIT_STRING		= 0x03,
	DER_OCTET_STRING	= 0x04,
	DER_NULL		= 0x05,
	DER_OID			= 0x06,
	DER_SEQUENCE		= 0x30,
	DER_SET			= 0x31,
};

/*
 * Take one element off the front of in: its tag octet, its content, and (when
 * whole is not NULL) all of it. False when there is none, when it is cut off,
 * or when its length is indefinite or not in the shortest form.
 */
bool	der_next(struct bytes *in, uint8_t *tag, struct bytes *content,
	    struct bytes *whole);
/* As der_next, for an element that must have this tag. */
bool	der_take(struct bytes *in, uint8_t tag, struct bytes *content);
/* The content of a positive INTEGER without its sign octet. */
bool	der_take_unsigned(struct bytes *in, struct bytes *out);

/* X.690, 11.6: may a stand in front of b in a SET OF? */
bool	der_in_order(struct bytes a, struct bytes b);

/*
 * Is this one element in DER, and nothing behind it? Looks into constructed
 * elements, not into strings: lengths, tags, booleans, integers, OIDs,
 * primitive strings, unused bits, the order of SETs (X.690, 8, 10 and 11).
 * What depends on the type (DEFAULT values) it cannot see.
 */
int	der_check(struct bytes, struct err *);

#endif
