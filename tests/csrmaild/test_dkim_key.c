#include "csrmaild/dkim_key.h"

#include "csrmaild/dkim_check.h"

#include "common/clock.h"
#include "common/err.h"
#include "tests/support/dns_stand.h"
#include "tests/support/fixtures.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const int no_stop[2] = { -1, -1 };

static struct dkim_keys *
keys_of(const char *resolver)
{
	struct dkim_keys *k = NULL;
	struct err err = { 0 };

	ck_assert_msg(dkim_keys_new(resolver, &k, &err) == 0, "%s", err.text);
	return k;
}

static enum dkim_key
ask(struct dkim_keys *k, const char *name, int64_t now_ms,
    struct bytes *record)
{
	int64_t retry_ms;

	dkim_keys_ask(k, &name, 1, no_stop, now_ms);
	return dkim_keys_get(k, name, record, &retry_ms);
}

#define K255	"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk" \
	"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"	\
	"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"	\
	"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"
#define K1020	K255 K255 K255 K255

static const struct {
	const char	*name, *zone;
	enum dkim_key	 want;
	const char	*record;
} answers[] = {
	{ "a record",	"a.test txt v=DKIM1; p=x\n", DKIM_KEY_FOUND,
	  "v=DKIM1; p=x" },
	{ "in several strings", "a.test txt " K255 "xyz\n", DKIM_KEY_FOUND,
	  K255 "xyz" },
	{ "cut, and then by TCP", "a.test cut " K255 K255 "\n",
	  DKIM_KEY_FOUND, K255 K255 },
	{ "of another name", "a.test alias b.test\nb.test txt p=b\n",
	  DKIM_KEY_FOUND, "p=b" },
	{ "the longest", "a.test cut " K1020 "1234\n", DKIM_KEY_FOUND,
	  K1020 "1234" },
	{ "too long",	"a.test cut " K1020 "12345\n", DKIM_KEY_NONE, "" },
	{ "two records", "a.test two v=DKIM1; p=x\n", DKIM_KEY_NONE, "" },
	{ "no record",	"a.test nodata\n", DKIM_KEY_NONE, "" },
	{ "no name",	"", DKIM_KEY_NONE, "" },
	{ "SERVFAIL",	"a.test servfail\n", DKIM_KEY_LATER, "" },
	{ "junk",	"a.test junk\n", DKIM_KEY_LATER, "" },
	{ "silence",	"a.test silent\n", DKIM_KEY_LATER, "" },
};

START_TEST(what_a_name_server_says)
{
	OWNED_STRUCT(dkim_keys) *k = keys_of(dns_stand.resolver);
	struct bytes record;
	enum dkim_key got;

	dns_stand_set(answers[_i].zone);
	got = ask(k, "a.test", clock_monotonic_ms(), &record);
	ck_assert_msg(got == answers[_i].want && bytes_equal(record,
	    bytes_of(answers[_i].record)), "%s: %d, %zu octets",
	    answers[_i].name, got, record.len);
}
END_TEST

START_TEST(all_are_asked_at_once)
{
	OWNED_STRUCT(dkim_keys) *k = keys_of(dns_stand.resolver);
	const char *names[] = { "s1.test", "a.test", "s2.test", "a.test",
		"s3.test", "s4.test" };
	struct bytes record;
	int64_t retry_ms;

	dns_stand_set("a.test txt p=a\n* silent\n");
	dkim_keys_ask(k, names, 6, no_stop, clock_monotonic_ms());
	/* One after the other, there were no time for the last. */
	ck_assert_int_ge(dns_stand_count(), 5);
	ck_assert(dns_stand_has_seen("s4.test"));
	ck_assert_int_eq(dkim_keys_get(k, "a.test", &record, &retry_ms),
	    DKIM_KEY_FOUND);
	ck_assert_int_eq(dkim_keys_get(k, "s4.test", &record, &retry_ms),
	    DKIM_KEY_LATER);
}
END_TEST

START_TEST(an_answer_is_kept_for_a_minute)
{
	OWNED_STRUCT(dkim_keys) *k = keys_of(dns_stand.resolver);
	struct bytes record;
	int64_t now = clock_monotonic_ms();

	dns_stand_set("a.test txt p=a\n");
	ck_assert_int_eq(ask(k, "a.test", now, &record), DKIM_KEY_FOUND);
	ck_assert_int_eq(ask(k, "b.test", now, &record), DKIM_KEY_NONE);
	dns_stand_set("b.test txt p=b\n");
	ck_assert_int_eq(ask(k, "a.test", now, &record), DKIM_KEY_FOUND);
	ck_assert_int_eq(ask(k, "b.test", now, &record), DKIM_KEY_NONE);
	ck_assert_int_eq(dns_stand_count(), 2);
	/* Some seconds may have gone by. */
	now = clock_monotonic_ms() + 60001;
	ck_assert_int_eq(ask(k, "a.test", now, &record), DKIM_KEY_NONE);
	ck_assert_int_eq(ask(k, "b.test", now, &record), DKIM_KEY_FOUND);
}
END_TEST

/* Nobody listens there: each try fails at once. */
START_TEST(a_server_that_fails_is_left_alone_for_longer_each_time)
{
	static const int64_t waits[] = { 30000, 60000, 120000, 240000, 240000 };
	OWNED_STRUCT(dkim_keys) *k = NULL;
	const char *name = "a.test";
	struct bytes record;
	int64_t now = 1000000;

	dns_stand_stop();
	k = keys_of(dns_stand.resolver);
	for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
		int64_t retry_ms, slack = clock_monotonic_ms();

		now = slack + (int64_t)i * 1000000;
		dkim_keys_ask(k, &name, 1, no_stop, now);
		ck_assert_int_eq(dkim_keys_get(k, name, &record, &retry_ms),
		    DKIM_KEY_LATER);
		slack = clock_monotonic_ms();
		ck_assert_int_ge(retry_ms, slack - 25000 + waits[i]);
		ck_assert_int_le(retry_ms, slack + waits[i]);
	}
	dns_stand_start();
}
END_TEST

START_TEST(who_is_to_stop_does_not_wait)
{
	OWNED_STRUCT(dkim_keys) *k = keys_of(dns_stand.resolver);
	const char *name = "a.test";
	int ends[2], stops[2] = { -1, -1 };
	struct bytes record;
	int64_t retry_ms;

	dns_stand_set("a.test silent\n");
	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_eq(write(ends[1], "x", 1), 1);
	stops[_i] = ends[0];
	dkim_keys_ask(k, &name, 1, stops, clock_monotonic_ms());
	ck_assert_int_eq(dkim_keys_get(k, name, &record, &retry_ms),
	    DKIM_KEY_LATER);
	/* It did not even wait for the second try. */
	ck_assert_int_le(dns_stand_count(), 1);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

/* However many names strangers choose, memory stays, and so does the one
 * that is asked for. */
START_TEST(there_is_an_end_to_what_is_kept)
{
	OWNED_STRUCT(dkim_keys) *k = keys_of(dns_stand.resolver);
	char text[600][16];
	const char *names[600];
	struct bytes record;
	int64_t retry_ms;
	int known = 0;

	dns_stand_set("* txt p=x\n");
	for (size_t i = 0; i < 600; i++) {
		snprintf(text[i], sizeof(text[i]), "n%zu.test", i);
		names[i] = text[i];
	}
	for (size_t i = 0; i < 600; i += 200)
		dkim_keys_ask(k, names + i, 200, no_stop,
		    clock_monotonic_ms());
	for (size_t i = 400; i < 600; i++)
		ck_assert_int_eq(dkim_keys_get(k, names[i], &record,
		    &retry_ms), DKIM_KEY_FOUND);
	for (size_t i = 0; i < 600; i++)
		known += dkim_keys_get(k, names[i], &record, &retry_ms) ==
		    DKIM_KEY_FOUND;
	ck_assert_int_lt(known, 300);
}
END_TEST

/* Neither the number of a question nor the port it comes from repeats. */
START_TEST(questions_cannot_be_foreseen)
{
	OWNED_STRUCT(dkim_keys) *k = keys_of(dns_stand.resolver);
	struct bytes record;
	int numbers[8], ports[8];
	FILE *f;

	dns_stand_set("* txt p=x\n");
	for (int i = 0; i < 8; i++) {
		char name[] = "a0.test";

		name[1] = (char)('0' + i);
		ck_assert_int_eq(ask(k, name, clock_monotonic_ms(), &record),
		    DKIM_KEY_FOUND);
	}
	f = fopen(dns_stand.log, "r");
	for (int i = 0; i < 8; i++) {
		ck_assert_int_eq(fscanf(f, "udp %*s %d %d ", &numbers[i],
		    &ports[i]), 2);
		for (int j = 0; j < i; j++)
			ck_assert(numbers[j] != numbers[i] ||
			    ports[j] != ports[i]);
	}
	fclose(f);
	ck_assert(numbers[0] != numbers[1] || numbers[1] != numbers[2]);
	ck_assert(ports[0] != ports[1] || ports[1] != ports[2]);
}
END_TEST

static const struct {
	const char	*text;
	int		 want;
} resolvers[] = {
	{ "127.0.0.1",		0 },
	{ "127.0.0.1:53",	0 },
	{ "::1",		0 },
	{ "[::1]",		0 },
	{ "[::1]:5353",		0 },
	{ "[fe80::1]:65535",	0 },
	{ "",			-1 },
	{ "localhost",		-1 },
	{ "127.0.0.1:",		-1 },
	{ "127.0.0.1:0",	-1 },
	{ "127.0.0.1:65536",	-1 },
	{ "127.0.0.1:5x",	-1 },
	{ "127.0.0.1:99999999999", -1 },
	{ "127.0.0.1,8.8.8.8",	-1 },
	{ "[127.0.0.1]:53",	-1 },
	{ "[::1",		-1 },
	{ "::1:53 ",		-1 },
	{ "[::1]53",		-1 },
};

START_TEST(a_resolver_is_an_address)
{
	ck_assert_msg(dkim_keys_check_resolver(resolvers[_i].text) ==
	    resolvers[_i].want, "%s", resolvers[_i].text);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("dkim_key");
	TCase *tc = tcase_create("dkim_key");
	TCase *words = tcase_create("resolver");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, dns_stand_start, dns_stand_stop);
	tcase_add_loop_test(tc, what_a_name_server_says, 0, ROWS(answers));
	tcase_add_test(tc, all_are_asked_at_once);
	tcase_add_test(tc, an_answer_is_kept_for_a_minute);
	tcase_add_test(tc,
	    a_server_that_fails_is_left_alone_for_longer_each_time);
	tcase_add_loop_test(tc, who_is_to_stop_does_not_wait, 0, 2);
	tcase_add_test(tc, there_is_an_end_to_what_is_kept);
	tcase_add_test(tc, questions_cannot_be_foreseen);
	tcase_add_loop_test(words, a_resolver_is_an_address, 0,
	    ROWS(resolvers));
	suite_add_tcase(s, tc);
	suite_add_tcase(s, words);
	return fixture_run(s);
}
