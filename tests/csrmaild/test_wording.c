#include "csrmaild/wording.h"

#include "common/err.h"
#include "tests/support/fixtures.h"

#include <string.h>

/* Words of a site's own, with places for strangers' values. */
static struct wordings *words;
static struct err err;

static void
set_up(void)
{
	ck_assert_int_eq(wordings_new(&words, &err), 0);
}

static void
tear_down(void)
{
	wordings_free(words);
}

static const struct wording_value held[] = {
	{ "request", "7", 10, NULL, 0 },
	{ "names", "CN=\033[2Ja\r\nBcc: x", 100, NULL, 0 },
	{ "reason", "", 100, NULL, 0 },
	{ 0 }
};

static const struct {
	const char	*text, *want;
} fillings[] = {
	{ "No. {request}.\n", "No. 7.\r\n" },
	{ "No. {request}", "No. 7\r\n" },
	{ "a\r\nb\n", "a\r\nb\r\n" },
	/* Neither line ends nor escapes come out of a value. */
	{ "{names}\n", "CN=?[2Ja??Bcc: x\r\n" },
	{ "  <{names}>\n", "  <CN=?[2Ja??Bcc: x>\r\n" },
	/* A line that asks for a value stands only with it. */
	{ "{?reason}Why: {reason}\nend\n", "end\r\n" },
	{ "{?request}No.\n", "No.\r\n" },
	{ "{?request}{?reason}No.\nend\n", "end\r\n" },
	{ "{{request}\n", "{request}\r\n" },
	/* A value is no text: what looks like a place in it stays. */
	{ "\n", "\r\n" },
};

START_TEST(places_are_filled)
{
	OWNED_BUF(out, 4096);

	ck_assert_msg(wordings_add(words, "xx/held", "x",
	    bytes_of(fillings[_i].text), &err) == 0, "%s", err.text);
	wording_put(words, "xx", WORDING_HELD, held, &out);
	ck_assert_str_eq(buf_str(&out), fillings[_i].want);
}
END_TEST

START_TEST(what_a_value_says_is_not_filled_again)
{
	static const struct wording_value values[] = {
		{ "names", "{request} {?reason}", 100, NULL, 0 },
		{ "request", "7", 10, NULL, 0 }, { 0 } };
	OWNED_BUF(out, 4096);

	ck_assert_int_eq(wordings_add(words, "xx/held", "x",
	    bytes_of("[{names}]\n"), &err), 0);
	wording_put(words, "xx", WORDING_HELD, values, &out);
	ck_assert_str_eq(buf_str(&out), "[{request} {?reason}]\r\n");
}
END_TEST

static const struct {
	const char	*name, *text, *why;
} mistakes[] = {
	{ "xx/held", "a\n{serial}\n", "x:2: a place that this text does not" },
	{ "xx/held", "{request\n", "x:1: \"{\" without" },
	{ "xx/held", "why {?reason}\n", "x:1: \"{?...}\" stands at" },
	{ "xx/held", "\033[2J\n", "x:1: a control character" },
	{ "xx/heldd", "", "no text of this name" },
	{ "held", "", "no text of this name" },
	{ "XX/held", "", "no language" },
	{ "/held", "", "no language" },
};

START_TEST(mistakes_are_told_with_their_line)
{
	ck_assert_int_eq(wordings_add(words, mistakes[_i].name, "x",
	    bytes_of(mistakes[_i].text), &err), -1);
	ck_assert_msg(strstr(err.text, mistakes[_i].why) != NULL, "%s",
	    err.text);
}
END_TEST

static const struct {
	const char	*wished, *otherwise, *want;
} wishes[] = {
	{ "de", "en", "de" }, { "de-at", "en", "de" }, { "fr", "de", "de" },
	{ "", "de", "de" }, { "fr", "fr", "en" }, { "", "", "en" },
	{ "d", "en", "en" }, { "de-", "en", "de" },
};

START_TEST(a_language_is_found_or_the_next_best)
{
	ck_assert_str_eq(wordings_language(words, wishes[_i].wished,
	    wishes[_i].otherwise), wishes[_i].want);
}
END_TEST

START_TEST(what_a_language_lacks_is_said_in_english)
{
	OWNED_BUF(out, 4096);

	ck_assert_int_eq(wordings_add(words, "fr/held", "x",
	    bytes_of("Demande {request}\n"), &err), 0);
	wording_put(words, "fr", WORDING_HELD, held, &out);
	ck_assert_str_eq(buf_str(&out), "Demande 7\r\n");
	buf_clear(&out);
	wording_put(words, "fr", WORDING_REJECTED, held, &out);
	ck_assert_ptr_nonnull(strstr(buf_str(&out), "was rejected"));
}
END_TEST

/* Each language that is built in has all texts, in its own words. */
START_TEST(what_is_built_in_is_whole)
{
	for (int which = 0; which < N_WORDINGS; which++) {
		OWNED_BUF(en, 65536);
		OWNED_BUF(de, 65536);

		wording_put(words, "en", (enum wording)which, held, &en);
		wording_put(words, "de", (enum wording)which, held, &de);
		ck_assert(!en.failed && !de.failed);
		ck_assert_uint_gt(en.len, 0);
		ck_assert_str_ne(buf_str(&en), buf_str(&de));
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("wording");
	TCase *t = tcase_create("all");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_loop_test(t, places_are_filled, 0, ROWS(fillings));
	tcase_add_test(t, what_a_value_says_is_not_filled_again);
	tcase_add_loop_test(t, mistakes_are_told_with_their_line, 0,
	    ROWS(mistakes));
	tcase_add_loop_test(t, a_language_is_found_or_the_next_best, 0,
	    ROWS(wishes));
	tcase_add_test(t, what_a_language_lacks_is_said_in_english);
	tcase_add_test(t, what_is_built_in_is_whole);
	suite_add_tcase(s, t);
	return fixture_run(s);
}
