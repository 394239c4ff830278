#ifndef TESTS_SUPPORT_FIXTURES_H
#define TESTS_SUPPORT_FIXTURES_H

#include <check.h>
#include <time.h>

#define DAY	((time_t)86400)
#define NOON	((time_t)1767268800)	/* 2026-01-01T12:00:00Z */

/* Rows of a table, for loop tests. */
#define ROWS(table)	((int)(sizeof(table) / sizeof((table)[0])))

/* Run the suite and return main's exit code. The suite is taken. */
int	fixture_run(Suite *);

#endif
