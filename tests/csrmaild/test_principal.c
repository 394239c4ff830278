#include "csrmaild/principal.h"

#include "common/err.h"
#include "tests/support/fixtures.h"

#include <sys/socket.h>

#include <string.h>
#include <unistd.h>

#define ADMIN		4001
#define SECURITY	4002
#define AUDIT		4003
#define NOBODY		((uid_t)-1)
#define DAEMON		5000

static const struct right_groups some = {
	.groups = { { RIGHT_ADMIN, ADMIN, true },
		{ RIGHT_SECURITY, SECURITY, true },
		{ RIGHT_AUDIT, AUDIT, true } },
	.own_uid = NOBODY,
};

static const struct {
	const char	*name;
	uid_t		 uid;
	gid_t		 gid;
	gid_t		 groups[4];
	size_t		 n;
	unsigned int	 want;
} rows[] = {
	{ "root has all",		0, 0, { 0 }, 0, RIGHT_ALL },
	{ "a stranger has none",	7777, 7777, { 7777, 100 }, 2, 0 },
	{ "by primary group",		7777, ADMIN, { 0 }, 0, RIGHT_ADMIN },
	{ "by another group",		7777, 100, { 100, AUDIT }, 2,
	    RIGHT_AUDIT },
	{ "by two groups",		7777, ADMIN, { SECURITY }, 1,
	    RIGHT_ADMIN | RIGHT_SECURITY },
	{ "the last group counts",	7777, 100, { 1, 2, 3, SECURITY }, 4,
	    RIGHT_SECURITY },
	{ "root's group is not root",	7777, 0, { 0 }, 1, 0 },
	{ "the daemon's uid is nobody, run by root", DAEMON, 100, { 0 }, 0,
	    0 },
};

START_TEST(rights_come_from_groups)
{
	struct principal who;

	principal_of_ids(rows[_i].uid, rows[_i].gid, rows[_i].groups,
	    rows[_i].n, &some, &who);
	ck_assert_msg(who.rights == rows[_i].want, "%s: %u", rows[_i].name,
	    who.rights);
}
END_TEST

START_TEST(unprivileged_the_own_user_has_all_rights)
{
	struct right_groups own = some;
	struct principal who;

	own.own_uid = DAEMON;
	principal_of_ids(DAEMON, 100, NULL, 0, &own, &who);
	ck_assert_uint_eq(who.rights, RIGHT_ALL);
	principal_of_ids(DAEMON + 1, 100, NULL, 0, &own, &who);
	ck_assert_uint_eq(who.rights, 0);
}
END_TEST

START_TEST(a_group_that_does_not_exist_gives_nothing)
{
	struct right_groups none = some;
	const gid_t zero = 0;
	struct principal who;

	/* What right_groups_read leaves for a name that it did not find. */
	for (size_t i = 0; i < 3; i++)
		none.groups[i].known = false, none.groups[i].gid = 0;
	principal_of_ids(7777, 0, &zero, 1, &none, &who);
	ck_assert_uint_eq(who.rights, 0);
}
END_TEST

START_TEST(a_user_without_name_is_a_number)
{
	struct principal who;
	char text[PRINCIPAL_TEXT_SIZE];

	principal_of_ids(3999999999u, 1, NULL, 0, &some, &who);
	principal_describe(&who, text, sizeof(text));
	ck_assert_str_eq(text, "unix:3999999999");
	principal_of_ids(0, 0, NULL, 0, &some, &who);
	principal_describe(&who, text, sizeof(text));
	ck_assert_str_eq(text, "unix:root");
}
END_TEST

START_TEST(the_kernel_says_who_connected)
{
	struct right_groups own;
	struct principal who;
	struct err err;
	int pair[2], plain[2];

	right_groups_read(&own, true);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	ck_assert_int_eq(principal_of_socket(pair[0], &own, &who, &err), 0);
	ck_assert_uint_eq(who.rights, RIGHT_ALL);
	close(pair[0]);
	close(pair[1]);
	/* What is no socket has no peer. */
	ck_assert_int_eq(pipe(plain), 0);
	ck_assert_int_eq(principal_of_socket(plain[0], &own, &who, &err), -1);
	ck_assert_int_eq(err.kind, ERR_FAULT);
	close(plain[0]);
	close(plain[1]);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("principal");
	TCase *tc = tcase_create("all");

	tcase_add_loop_test(tc, rights_come_from_groups, 0, ROWS(rows));
	tcase_add_test(tc, unprivileged_the_own_user_has_all_rights);
	tcase_add_test(tc, a_group_that_does_not_exist_gives_nothing);
	tcase_add_test(tc, a_user_without_name_is_a_number);
	tcase_add_test(tc, the_kernel_says_who_connected);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
