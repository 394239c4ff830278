/* That a limit was met is told at once, and then not too often. */
#include "ocspd/limit_log.h"
#include "tests/support/fixtures.h"

#include <string.h>

static const struct client who = { .kind = CLIENT_IPV4,
	.address = { 192, 0, 2, 1 } };

START_TEST(a_limit_is_told_once_a_minute)
{
	struct limit_log l = { 0 };

	ck_assert(limit_met(&l, LIMIT_WAITING, &who, 1000));
	ck_assert(!limit_met(&l, LIMIT_WAITING, &who, 1000));
	ck_assert(!limit_met(&l, LIMIT_WAITING, &who, 60999));
	ck_assert_uint_eq(l.each[LIMIT_WAITING].times, 2);
	/* Each for itself. */
	ck_assert(limit_met(&l, LIMIT_CERT_IDS, &who, 2000));
	ck_assert(limit_met(&l, LIMIT_WAITING, &who, 61000));
	ck_assert_uint_eq(l.each[LIMIT_WAITING].times, 0);
}
END_TEST

START_TEST(each_limit_is_called_as_its_key)
{
	const char *name = limit_name((enum limit)_i);

	ck_assert_ptr_nonnull(name);
	ck_assert_ptr_eq(strstr(name, "max_"), name);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("limit_log");
	TCase *c = tcase_create("limit_log");

	tcase_add_test(c, a_limit_is_told_once_a_minute);
	tcase_add_loop_test(c, each_limit_is_called_as_its_key, 0, N_LIMITS);
	suite_add_tcase(s, c);
	return fixture_run(s);
}
