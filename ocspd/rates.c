#include "ocspd/rates.h"

#include <stdlib.h>

#define BUCKETS		65536
#define WHOLE		1000	/* thousandths of a token: one a ms at 1/s */

struct bucket {
	uint32_t	 used;		/* thousandths that are missing */
	uint32_t	 at_ms;		/* when that was so; wraps */
};

struct rates {
	unsigned int	 per_s;
	struct bucket	 buckets[BUCKETS];
};

struct rates *
rates_new(unsigned int per_s)
{
	struct rates *r = calloc(1, sizeof(*r));

	if (r != NULL)
		r->per_s = per_s;
	return r;
}

void
rates_free(struct rates *r)
{
	free(r);
}

bool
rates_take(struct rates *r, uint16_t bucket, int64_t now_ms)
{
	struct bucket *b;
	uint32_t now = (uint32_t)now_ms;
	uint64_t back;

	if (r == NULL)
		return true;
	b = &r->buckets[bucket];
	back = (uint64_t)(now - b->at_ms) * r->per_s;
	b->used = back >= b->used ? 0 : b->used - (uint32_t)back;
	b->at_ms = now;
	if (b->used + WHOLE > (uint64_t)r->per_s * WHOLE)
		return false;
	b->used += WHOLE;
	return true;
}
