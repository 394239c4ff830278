#include "csrmaild/restore.h"
#include "tests/support/fixtures.h"

/* Which lists are new enough. */

static const struct {
	const char	*point;
	const char	*ca;
	int		 want;
} points[] = {
	{ "", "users", 0 },
	{ "?", "users", -1 },
	{ "http://a.example/users.1.crl", "users", 1 },
	{ "http://a.example/users.1024.crl", "users", 1024 },
	{ "http://a.example/users.2", "users", 2 },
	{ "http://users.7.example/users.2.crl", "users", 2 },
	{ "http://a.example/users.0.crl", "users", -1 },
	{ "http://a.example/users.1025.crl", "users", -1 },
	{ "http://a.example/users.crl", "users", -1 },
	{ "http://a.example/users.2x.crl", "users", -1 },
	{ "http://a.example/others.2.crl", "users", -1 },
	{ "http://a.example/myusers.2.crl", "users", -1 },
};

START_TEST(a_list_names_its_shard_by_its_distribution_point)
{
	ck_assert_msg(restore_shard_of(points[_i].point, points[_i].ca) ==
	    points[_i].want, "%s: %d", points[_i].point,
	    restore_shard_of(points[_i].point, points[_i].ca));
}
END_TEST

#define FULL(n)		{ .terms = { .number = (n) } }
#define DELTA(n, b)	{ .terms = { .number = (n), .base = (b) } }
#define SHARD(n)	{ .terms = { .number = (n) },			\
	    .point = "http://a.example/users.1.crl" }
static const struct {
	const char	*name;
	struct crl_read	 lists[3];
	uint16_t	 shard;
	struct restore_reach want;
} reaches[] = {
	{ "one", { FULL(3) }, 0, { 3, 3 } },
	{ "the newest of several, in any order", { FULL(2), FULL(5), FULL(4) },
	    0, { 5, 5 } },
	{ "those of a shard are no others'", { SHARD(9), FULL(3), SHARD(8) },
	    0, { 3, 3 } },
	{ "nor the other way round", { SHARD(2), FULL(3) }, 1, { 2, 2 } },
	{ "two of one shard are not two shards", { SHARD(2), SHARD(3) }, 0,
	    { 0, 0 } },
	{ "a delta goes on from its base", { DELTA(7, 3), FULL(3) }, 0,
	    { 3, 7 } },
	{ "a delta to a newer one says nothing", { DELTA(7, 4), FULL(3) }, 0,
	    { 3, 3 } },
	{ "a delta alone says nothing", { DELTA(7, 3) }, 0, { 0, 0 } },
	{ "another CA's", { { .issuer = 1, .terms = { .number = 9 } } }, 0,
	    { 0, 0 } },
};

START_TEST(lists_reach_as_far_as_the_newest_of_their_shard)
{
	struct restore_reach reach = restore_reach_of(reaches[_i].lists, 3, 0,
	    "users", reaches[_i].shard);

	ck_assert_msg(reach.full == reaches[_i].want.full &&
	    reach.any == reaches[_i].want.any, "%s: %d, %d",
	    reaches[_i].name, (int)reach.full, (int)reach.any);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("restore_reach");
	TCase *tc = tcase_create("all");

	tcase_add_loop_test(tc,
	    a_list_names_its_shard_by_its_distribution_point, 0,
	    ROWS(points));
	tcase_add_loop_test(tc,
	    lists_reach_as_far_as_the_newest_of_their_shard, 0,
	    ROWS(reaches));
	suite_add_tcase(s, tc);
	return fixture_run(s);
}
