#include "common/key.h"

#include "common/err.h"

#include <string.h>

/*
 * Points of the Edwards curves (RFC 8032, 5.1 and 5.2): y in little-endian
 * octets and the sign of x in the last bit. With a point of small order, one
 * signature verifies for many messages and nobody had to know a private key.
 */

/* The octets of p, from the lowest: the last one without the sign. */
static void
put_prime(enum key_kind kind, uint8_t *p, size_t len)
{
	memset(p, 0xff, len);
	if (kind == KEY_ED25519) {	/* 2^255 - 19 */
		p[0] = 0xed;
		p[31] = 0x7f;
	} else {			/* 2^448 - 2^224 - 1 */
		p[28] = 0xfe;
		p[56] = 0;
	}
}

static bool
is_below(const uint8_t *a, const uint8_t *b, size_t len)
{
	for (size_t i = len; i-- > 0;)
		if (a[i] != b[i])
			return a[i] < b[i];
	return false;
}

static bool
is_number(const uint8_t *y, size_t len, uint8_t number)
{
	if (y[0] != number)
		return false;
	for (size_t i = 1; i < len; i++)
		if (y[i] != 0)
			return false;
	return true;
}

/* Orders 1 and 2 have y = 1 and y = -1, order 4 has y = 0; only Ed25519, with
 * cofactor 8, has points of order 8. */
static bool
has_small_order(const uint8_t *y, uint8_t *p, size_t len)
{
	static const uint8_t order_8[][32] = {
		{ 0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3,
		  0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05,
		  0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
		  0xfc, 0x05 },
		{ 0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c,
		  0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa,
		  0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
		  0x03, 0x7a },
	};

	p[0]--;				/* -1; neither p ends in a zero */
	return is_number(y, len, 0) || is_number(y, len, 1) ||
	    memcmp(y, p, len) == 0 ||
	    (len == 32 && (memcmp(y, order_8[0], len) == 0 ||
	    memcmp(y, order_8[1], len) == 0));
}

int
key_check_edwards_point(struct bytes point, enum key_kind kind,
    struct err *err)
{
	size_t len = kind == KEY_ED25519 ? 32 : 57;
	uint8_t y[57], p[57];

	if (point.len != len)
		return err_set(err, ERR_REJECT, "the public key is not "
		    "accepted: its length is wrong; make a new key and send a "
		    "new request");
	memcpy(y, point.data, len);
	y[len - 1] &= 0x7f;
	put_prime(kind, p, len);
	/* RFC 8032, 5.1.3 and 5.2.3, step 1. */
	if (!is_below(y, p, len))
		return err_set(err, ERR_REJECT, "the public key is not "
		    "accepted: its point is not written in its one form; make "
		    "a new key and send a new request");
	if (has_small_order(y, p, len))
		return err_set(err, ERR_REJECT, "the public key is weak: its "
		    "point has a small order, so that anybody can sign with "
		    "it; make a new key and send a new request");
	return 0;
}
