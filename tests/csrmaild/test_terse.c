#include "csrmaild/ctl/terse.h"

#include "common/err.h"
#include "tests/support/fixtures.h"

#include <string.h>

/* What each form is in the words of the ordinary commands. */
static const struct {
	const char	*typed[10];
	const char	*want;
} rows[] = {
	{ { "-r", "root" }, "ca create-root root --subject CN=root" },
	{ { "-r", "root", "-v", "30" },
	    "ca create-root root --days 30 --subject CN=root" },
	{ { "-r", "root", "--subject", "O=X" },
	    "ca create-root root --subject O=X" },
	{ { "-r", "root", "--subject=O=X" },
	    "ca create-root root --subject=O=X" },
	{ { "-p", "root", "-c", "a/b", "-v", "9" }, "ca create-child a/b "
	    "--parent root --days 9 --subject CN=a/b" },
	{ { "-R", "www.example.org" },
	    "request new www.example.org --name www.example.org" },
	{ { "-R", "/srv/www.example.org" }, "request new www.example.org "
	    "--name www.example.org --out-dir /srv" },
	{ { "-R", "/www.example.org" }, "request new www.example.org "
	    "--name www.example.org --out-dir /" },
	{ { "-R", "d/ann@example.org", "--no-passphrase" }, "request new "
	    "ann@example.org --name ann@example.org --out-dir d "
	    "--no-passphrase" },
	{ { "-R", "ann" }, "request new --subject CN=ann --name ann" },
	{ { "-p", "ca", "-s", "x", "-o", "y", "-v", "3", "--profile", "z" },
	    "cert sign x --ca ca --output y --days 3 --profile z" },
	{ { "-p", "ca", "-s", "x", "--profile", "z" },
	    "cert sign x --ca ca --profile z" },
	{ { "-p", "ca", "-x", "ann" }, "ca ann" },
};

static int
translate(const char *const typed[10], struct terse *out, struct ctl *ctl,
    struct err *err)
{
	char *argv[10];
	int argc = 0;

	while (argc < 10 && typed[argc] != NULL) {
		argv[argc] = (char *)(uintptr_t)typed[argc];
		argc++;
	}
	return terse_translate(ctl, argc, argv, out, err);
}

START_TEST(a_form_becomes_a_command)
{
	struct ctl ctl = { .json = false };
	struct terse terse;
	OWNED_BUF(got, 1024);
	struct err err = { 0 };
	int used;

	ck_assert(terse_begins(rows[_i].typed[0]));
	ck_assert_msg(translate(rows[_i].typed, &terse, &ctl, &err) == 0,
	    "%s: %s", rows[_i].want, err.text);
	for (int i = 0; i < terse.argc; i++)
		buf_printf(&got, "%s%s", i == 0 ? "" : " ", terse.argv[i]);
	ck_assert_str_eq(buf_str(&got), rows[_i].want);
	/* And it is one that there is, with options that it takes. */
	if (terse.command == NULL) {
		terse.command = command_find(terse.argc, terse.argv, &used);
		ck_assert_ptr_nonnull(terse.command);
	} else {
		used = 0;
	}
	ck_assert_msg(command_read_args(terse.command, terse.argc - used,
	    terse.argv + used, &ctl, &err) == 0, "%s: %s", rows[_i].want,
	    err.text);
	terse_free_contents(&terse);
}
END_TEST

static const char *const wrong[][10] = {
	{ "-r" },
	{ "-r", "a", "-r", "b" },
	{ "-r", "a", "-c", "b" },
	{ "-r", "a", "b" },
	{ "-p", "a" },
	{ "-p", "a", "-c" },
	{ "-p", "a", "-c", "b", "-o", "c" },
	{ "-p", "a", "-s", "b", "-x", "c" },
	{ "-p", "a", "-x", "b", "-v", "3" },
	{ "-R", "a", "-v", "3" },
	{ "-r", "a", "-z", "b" },
	{ "-r", "a", "-vv", "b" },
};

START_TEST(what_does_not_belong_together_is_refused)
{
	struct ctl ctl = { .json = false };
	struct terse terse;
	struct err err = { 0 };

	ck_assert_int_eq(translate(wrong[_i], &terse, &ctl, &err), -1);
	ck_assert_int_eq(ctl.exit_code, EX_USAGE);
	terse_free_contents(&terse);
}
END_TEST

START_TEST(more_words_than_there_is_room_for_are_refused)
{
	struct ctl ctl = { .json = false };
	char *argv[TERSE_MAX + 4];
	struct terse terse;
	struct err err = { 0 };

	for (int i = 0; i < TERSE_MAX + 4; i++)
		argv[i] = (char *)(uintptr_t)(i == 0 ? "-r" : i == 1 ? "a" :
		    "--yes");
	ck_assert_int_eq(terse_translate(&ctl, TERSE_MAX + 4, argv, &terse,
	    &err), -1);
	ck_assert_int_eq(ctl.exit_code, EX_USAGE);
	terse_free_contents(&terse);
}
END_TEST

START_TEST(other_words_begin_none)
{
	static const char *const words[] = { "", "-", "-c", "-d", "-s", "-rx",
		"--r", "ca", "-x" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		ck_assert_msg(!terse_begins(words[i]), "%s", words[i]);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("terse");
	TCase *tc = tcase_create("all");

	tcase_add_loop_test(tc, a_form_becomes_a_command, 0, ROWS(rows));
	tcase_add_loop_test(tc, what_does_not_belong_together_is_refused, 0,
	    ROWS(wrong));
	tcase_add_test(tc, more_words_than_there_is_room_for_are_refused);
	tcase_add_test(tc, other_words_begin_none);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
