#ifndef COMMON_CLOCK_H
#define COMMON_CLOCK_H

#include <stdint.h>
#include <time.h>

/*
 * The one clock. Only role loops and command-line verbs read it; everything
 * below them takes `time_t now`.
 */
time_t	clock_now(void);	/* Unix seconds, UTC */
int64_t	clock_monotonic_ms(void);	/* for deadlines only */
int64_t	clock_monotonic_us(void);	/* for how long something took */

/* Test builds shift clock_now by this much; others ignore it. */
void	clock_set_test_offset(int64_t seconds);

#endif
