#ifndef CSRMAILD_VALIDITY_H
#define CSRMAILD_VALIDITY_H

#include <stdbool.h>
#include <time.h>

/*
 * How people are told that something ends. Times are Unix seconds, UTC.
 */

/* Of something that is valid from then until then: its last tenth, but no
 * more than 30 days. True also when it is over. */
bool	validity_ends_soon(time_t from, time_t until, time_t now);

/* "2026-12-31"; returns out. */
#define VALIDITY_DAY_SIZE	16
const char *validity_day(time_t, char out[VALIDITY_DAY_SIZE]);

#endif
