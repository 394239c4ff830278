#ifndef OCSPD_TLV_H
#define OCSPD_TLV_H

#include "common/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The few pieces of DER (X.690, 10) that OCSP needs on its hot path, where
 * OpenSSL's templates allocate for every element. Reads and writes octets
 * only; knows no OCSP. (common/der.h checks whole values; this one walks and
 * writes.)
 */
#define DER_INTEGER		0x02
#define DER_BIT_STRING		0x03
#define DER_OCTET_STRING	0x04
#define DER_NULL		0x05
#define DER_OID			0x06
#define DER_ENUMERATED		0x0a
#define DER_GENERALIZED_TIME	0x18
#define DER_SEQUENCE		0x30
#define DER_CONTEXT(n)		(0x80 | (n))	/* [n] IMPLICIT, primitive */
#define DER_EXPLICIT(n)		(0xa0 | (n))	/* [n], constructed */

/*
 * Take one element with that tag off the front of *in. False, and *in as it
 * was, when it has another tag, a length that is not minimal or not definite,
 * or more octets than there are. content is a view into *in.
 */
bool	tlv_take(struct bytes *in, uint8_t tag, struct bytes *content);
/* As tlv_take, but the view covers the whole element, tag and length too. */
bool	tlv_take_whole(struct bytes *in, uint8_t tag, struct bytes *element);
/* Does *in begin with this tag? */
bool	tlv_is(struct bytes in, uint8_t tag);

/*
 * Written from the end to the front, so that a length is known when its
 * header is written and nothing is ever moved. Failure (no room) is sticky.
 *
 *	size_t end = tlv_mark(&w);
 *	... contents, the last one first ...
 *	tlv_wrap(&w, DER_SEQUENCE, end);
 */
struct tlv {
	uint8_t		*data;	/* borrowed */
	size_t		 at;	/* what is written begins here */
	size_t		 cap;	/* and ends here */
	bool		 failed;
};
#define TLV(array)	((struct tlv){ (array), sizeof(array),		\
	    sizeof(array), false })

size_t	tlv_mark(const struct tlv *);	/* octets written so far */
void	tlv_put(struct tlv *, struct bytes);
void	tlv_put_octet(struct tlv *, uint8_t);
/* Put tag and length before all that was written since the mark. */
void	tlv_wrap(struct tlv *, uint8_t tag, size_t mark);
/* One primitive element. */
void	tlv_put_element(struct tlv *, uint8_t tag, struct bytes content);
/* YYYYMMDDHHMMSSZ, no fractions; Unix seconds up to the year 9999. */
void	tlv_put_time(struct tlv *, int64_t);
struct bytes tlv_bytes(const struct tlv *);

#endif
