/* Which octets of a file: one row, one field (RFC 9110, 14.1.2 and 14.2). */
#include "ocspd/range.h"
#include "tests/support/fixtures.h"

#include <string.h>

static const struct {
	const char	*field;
	uint64_t	 octets;
	enum range_result want;
	uint64_t	 at, n;
} rows[] = {
	{ "bytes=0-0", 10, RANGE_PART, 0, 1 },
	{ "bytes=0-9", 10, RANGE_PART, 0, 10 },
	{ "bytes=0-10", 10, RANGE_PART, 0, 10 },
	{ "bytes=9-", 10, RANGE_PART, 9, 1 },
	{ "bytes=9-9", 10, RANGE_PART, 9, 1 },
	{ "bytes=3-4", 10, RANGE_PART, 3, 2 },
	{ "bytes=-3", 10, RANGE_PART, 7, 3 },
	{ "bytes=-10", 10, RANGE_PART, 0, 10 },
	{ "bytes=-11", 10, RANGE_PART, 0, 10 },
	{ "BYTES=0-0", 10, RANGE_PART, 0, 1 },
	{ "bytes=5-99999999999999999999999999", 10, RANGE_PART, 5, 5 },
	{ "bytes=-99999999999999999999999999", 10, RANGE_PART, 0, 10 },
	{ "bytes=10-", 10, RANGE_BEYOND, 0, 0 },
	{ "bytes=10-11", 10, RANGE_BEYOND, 0, 0 },
	{ "bytes=18446744073709551615-", 10, RANGE_BEYOND, 0, 0 },
	{ "bytes=99999999999999999999999999-", 10, RANGE_BEYOND, 0, 0 },
	{ "bytes=-0", 10, RANGE_BEYOND, 0, 0 },
	{ "bytes=0-", 0, RANGE_BEYOND, 0, 0 },
	{ "bytes=-1", 0, RANGE_BEYOND, 0, 0 },
	/* Ignored, as a server may. */
	{ "bytes=0-0,2-2", 10, RANGE_ALL, 0, 0 },
	{ "bytes=4-3", 10, RANGE_ALL, 0, 0 },
	{ "bytes=-", 10, RANGE_ALL, 0, 0 },
	{ "bytes=", 10, RANGE_ALL, 0, 0 },
	{ "bytes", 10, RANGE_ALL, 0, 0 },
	{ "bytes=0", 10, RANGE_ALL, 0, 0 },
	{ "bytes=0-1x", 10, RANGE_ALL, 0, 0 },
	{ "bytes= 0-1", 10, RANGE_ALL, 0, 0 },
	{ "bytes=+0-1", 10, RANGE_ALL, 0, 0 },
	{ "items=0-1", 10, RANGE_ALL, 0, 0 },
	{ "", 10, RANGE_ALL, 0, 0 },
};

START_TEST(one_range_of_octets_is_understood)
{
	const struct bytes field = { (const uint8_t *)rows[_i].field,
		strlen(rows[_i].field) };
	uint64_t at = 0, n = 0;

	ck_assert_msg(range_read(field, rows[_i].octets, &at, &n) ==
	    rows[_i].want, "%s", rows[_i].field);
	ck_assert_msg(at == rows[_i].at && n == rows[_i].n, "%s: %llu, %llu",
	    rows[_i].field, (unsigned long long)at, (unsigned long long)n);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("range");
	TCase *c = tcase_create("range");

	tcase_add_loop_test(c, one_range_of_octets_is_understood, 0,
	    ROWS(rows));
	suite_add_tcase(s, c);
	return fixture_run(s);
}
