#include "common/clock.h"

static int64_t test_offset_s;

time_t
clock_now(void)
{
	return time(NULL) + (time_t)test_offset_s;
}

int64_t
clock_monotonic_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t
clock_monotonic_ms(void)
{
	return clock_monotonic_us() / 1000;
}

void
clock_set_test_offset(int64_t seconds)
{
#ifdef TEST_HOOKS
	test_offset_s = seconds;
#else
	(void)seconds;
#endif
}
