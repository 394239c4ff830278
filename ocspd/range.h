#ifndef OCSPD_RANGE_H
#define OCSPD_RANGE_H

#include "common/bytes.h"

#include <stdint.h>

/*
 * Which octets of a file a client wants: the field Range (RFC 9110, 14.2), with
 * one range of bytes. Several, another unit, and what is no range are ignored,
 * as a server may: the client then gets the whole file. Pure.
 */
enum range_result {
	RANGE_ALL,
	RANGE_PART,
	RANGE_BEYOND,		/* the file has none of them */
};

/* octets: of the file. *at and *n are filled with a part, which is not empty,
 * and untouched else. */
enum range_result range_read(struct bytes field, uint64_t octets,
    uint64_t *at, uint64_t *n);
/* The status to answer with: 200, 206 or 416. */
unsigned int range_status(enum range_result);

#endif
