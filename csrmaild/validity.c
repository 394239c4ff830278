#include "csrmaild/validity.h"

#include <stdio.h>

#define SOON_S	((time_t)30 * 86400)

bool
validity_ends_soon(time_t from, time_t until, time_t now)
{
	time_t tenth = (until - from) / 10;

	return until - now < (tenth < SOON_S ? tenth : SOON_S);
}

const char *
validity_day(time_t t, char out[VALIDITY_DAY_SIZE])
{
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL ||
	    strftime(out, VALIDITY_DAY_SIZE, "%Y-%m-%d", &tm) == 0)
		snprintf(out, VALIDITY_DAY_SIZE, "?");
	return out;
}
