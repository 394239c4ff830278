#include "common/crash.h"

#ifdef TEST_HOOKS
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char chosen[64];
static long passes_left;
static void (*die)(void);

void
crash_choose(const char *name, void (*die_)(void))
{
	char *colon;

	snprintf(chosen, sizeof(chosen), "%s", name);
	passes_left = 1;
	die = die_;
	colon = strchr(chosen, ':');
	if (colon != NULL) {
		*colon = '\0';
		passes_left = strtol(colon + 1, NULL, 10);
	}
}

void
crash_point(const char *name)
{
	if (chosen[0] == '\0' || strcmp(name, chosen) != 0)
		return;
	if (--passes_left > 0)
		return;
	die();
	for (;;)
		pause();
}
#else
/* ISO C wants at least one declaration in a file. */
typedef int crash_points_are_for_test_builds;
#endif
