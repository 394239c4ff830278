#ifndef OCSPD_RATES_H
#define OCSPD_RATES_H

#include "common/owned.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * How many requests a client may make: a bucket of tokens for each of the
 * 65536 that clients are hashed to (ocspd/client.h). Full, it holds what comes
 * in a second; so a client may ask that often at once, and then as fast as the
 * rate. Pure but for its memory.
 */
struct rates;

/* NULL when there is no memory. per_s > 0. */
struct rates *rates_new(unsigned int per_s);
void	rates_free(struct rates *);
OWNED_STRUCT_BY(rates, rates_free)
/* Take one; false: there is none, ask again later. NULL: no limit. */
bool	rates_take(struct rates *, uint16_t bucket, int64_t now_ms);

#endif
