#include "csrmaild/ctl/command.h"
#include "csrmaild/ctl/certfile.h"
#include "csrmaild/ctl/make_ca.h"
#include "csrmaild/ctl/template.h"

#include "common/err.h"
#include "tests/support/fixtures.h"

#include <stdlib.h>
#include <string.h>

/* --- the table of commands --- */

static char *
read_man_page(void)
{
	static char text[65536];
	FILE *f = fopen(MAN, "r");
	size_t n;

	ck_assert_ptr_nonnull(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = '\0';
	return text;
}

START_TEST(every_command_is_in_the_manual)
{
	const char *man = read_man_page();

	for (const struct command *c = ctl_commands; c->name != NULL; c++) {
		char item[64];

		snprintf(item, sizeof(item), "\n.It Cm %s", c->name);
		ck_assert_msg(strstr(man, item) != NULL, "%s", c->name);
		for (const struct ctl_option *o = c->options; o->name != NULL;
		    o++) {
			char letter[8] = { 'F', 'l', ' ', o->letter };

			snprintf(item, sizeof(item), "Fl \\-%s", o->name);
			ck_assert_msg(strstr(man, item) != NULL ||
			    (o->letter != 0 && strstr(man, letter) != NULL),
			    "%s --%s", c->name, o->name);
		}
	}
}
END_TEST

START_TEST(every_command_is_whole_and_found_by_its_name)
{
	for (const struct command *c = ctl_commands; c->name != NULL; c++) {
		char name[32], *argv[3] = { name };
		char *space;
		int used = 0;

		snprintf(name, sizeof(name), "%s", c->name);
		space = strchr(name, ' ');
		if (space != NULL) {
			*space = '\0';
			argv[1] = space + 1;
		}
		ck_assert_ptr_eq(command_find(space == NULL ? 1 : 2, argv,
		    &used), c);
		ck_assert_int_eq(used, space == NULL ? 1 : 2);
		ck_assert_ptr_nonnull(c->run);
		ck_assert_ptr_nonnull(c->options);
		ck_assert_int_le(c->max_args, CTL_MAX_ARGS);
		ck_assert_int_le(c->min_args, c->max_args);
		ck_assert_msg((c->max_args > 0) == (c->args[0] != '\0'), "%s",
		    c->name);
		ck_assert_msg((c->min_args < c->max_args) ==
		    (strchr(c->args, '[') != NULL), "%s", c->name);
	}
}
END_TEST

static const struct {
	const char	*name;
	const char	*words[8];	/* the command is "cert sign" */
	int		 want;
} lines[] = {
	{ "an argument",	{ "a.csr" }, 0 },
	{ "an option's value",	{ "--ca", "users", "a.csr" }, 0 },
	{ "with equals",	{ "--ca=users", "a.csr" }, 0 },
	{ "options behind",	{ "a.csr", "--ca", "users" }, 0 },
	{ "a letter",		{ "-o", "out", "a.csr" }, 0 },
	{ "global options",	{ "a.csr", "--json", "-c", "x" }, 0 },
	{ "standard input",	{ "-" }, 0 },
	{ "behind --",		{ "--", "--ca" }, 0 },
	{ "nothing",		{ NULL }, -1 },
	{ "two arguments",	{ "a.csr", "b.csr" }, -1 },
	{ "unknown option",	{ "a.csr", "--what" }, -1 },
	{ "another's option",	{ "a.csr", "--reason", "x" }, -1 },
	{ "an option's beginning", { "a.csr", "--out", "x" }, -1 },
	{ "no value",		{ "a.csr", "--ca" }, -1 },
	{ "a value too many",	{ "a.csr", "--der=x" }, -1 },
	{ "twice",		{ "a.csr", "--ca", "a", "--ca", "b" }, -1 },
	{ "an unknown letter",	{ "a.csr", "-z" }, -1 },
	{ "help needs no argument", { "--help" }, 0 },
};

START_TEST(a_command_line_is_read_by_the_table)
{
	char *const name[] = { (char[]){ "cert" }, (char[]){ "sign" } };
	char *argv[8];
	struct ctl ctl = { 0 };
	struct err err = { 0 };
	int used, argc = 0, r;

	for (; argc < 8 && lines[_i].words[argc] != NULL; argc++)
		argv[argc] = (char *)(uintptr_t)lines[_i].words[argc];
	r = command_read_args(command_find(2, name, &used), argc, argv, &ctl,
	    &err);
	ck_assert_msg(r == lines[_i].want, "%s: %s", lines[_i].name,
	    err.text);
	if (r != 0)
		ck_assert_int_eq(ctl.exit_code, EX_USAGE);
}
END_TEST

START_TEST(options_reach_the_command)
{
	char *const name[] = { (char[]){ "cert" }, (char[]){ "sign" } };
	char *const argv[] = { (char[]){ "--ca=a=b" }, (char[]){ "--days" },
		(char[]){ "007" }, (char[]){ "x" }, (char[]){ "--der" } };
	struct ctl ctl = { 0 };
	struct err err;
	long n;
	int used;

	ck_assert_int_eq(command_read_args(command_find(2, name, &used), 5,
	    argv, &ctl, &err), 0);
	ck_assert_str_eq(ctl_option(&ctl, "ca"), "a=b");
	ck_assert_str_eq(ctl_option(&ctl, "der"), "");
	ck_assert_ptr_null(ctl_option(&ctl, "chain"));
	ck_assert_str_eq(ctl.args[0], "x");
	ck_assert_ptr_null(ctl.args[1]);
	ck_assert_int_eq(ctl_number(&ctl, "days", 1, 7, 0, &n, &err), 0);
	ck_assert_int_eq(n, 7);
	ck_assert_int_eq(ctl_number(&ctl, "days", 1, 6, 0, &n, &err), -1);
	ck_assert_int_eq(ctl_number(&ctl, "ca", 0, 9, 0, &n, &err), -1);
	ck_assert_int_eq(ctl_number(&ctl, "timeout", 1, 9, 5, &n, &err), 0);
	ck_assert_int_eq(n, 5);
}
END_TEST

/* --- what reaches the terminal --- */

static const struct {
	const char	*in;
	unsigned int	 max;
	const char	*want;
} texts[] = {
	{ "plain",			0, "plain" },
	{ "M\xc3\xbcller",		0, "M\xc3\xbcller" },
	{ "\xe2\x82\xac \xf0\x9f\x94\x91", 0, "\xe2\x82\xac \xf0\x9f\x94\x91" },
	{ "\x1b[2J",			0, "\\x1b[2J" },
	{ "a\rb\nc\td",			0, "a\\x0db\\x0ac\\x09d" },
	{ "\x7f",			0, "\\x7f" },
	{ "\xc2\x9b" "31m",		0, "\\x9b31m" },	/* C1 CSI */
	{ "\xe2\x80\xae" "exe",		0, "\\u202eexe" },	/* RLO */
	{ "\xe2\x80\x8b",		0, "\\u200b" },	/* zero width */
	{ "\xef\xbb\xbf",		0, "\\ufeff" },
	{ "\xff\xfe",			0, "\\xff\\xfe" },
	{ "\xe2\x82",			0, "\\xe2\\x82" },	/* cut off */
	{ "12345",			5, "12345" },
	{ "123456",			5, "1234~" },
	{ "1234\x1b",			5, "1234~" },
	{ "",				5, "" },
};

START_TEST(terminals_see_no_control_characters)
{
	char *out = NULL;
	size_t len;
	FILE *f = open_memstream(&out, &len);

	table_put_text(f, texts[_i].in, texts[_i].max);
	fclose(f);
	ck_assert_str_eq(out, texts[_i].want);
	free(out);
}
END_TEST

/* --- configuration from templates --- */

#define TEMPLATE							\
	"# dir = no\n"							\
	"#dir = \"/x\"\n"						\
	"imap {\n"							\
	"\thost = \"old\"\n"						\
	"\t#port = 993\n"						\
	"\tinner {\n"							\
	"\t\thost = \"other\"\n"					\
	"\t}\n"								\
	"}\n"								\
	"box \"title\" {\n"						\
	"\thost = \"third\"\n"						\
	"}\n"

static const struct {
	const char	*name;
	struct fill	 fill;
	const char	*want;		/* a line; NULL: refused */
} fills[] = {
	{ "a comment becomes a value", { "", "dir", "/y", true },
	    "\ndir = \"/y\"\nimap" },
	{ "a number", { "imap", "port", "143", false },
	    "\n\tport = 143\n" },
	{ "in its own section", { "imap", "host", "new", true },
	    "imap {\n\thost = \"new\"\n" },
	{ "in an inner section", { "imap.inner", "host", "new", true },
	    "\n\t\thost = \"new\"\n" },
	{ "after an inner section", { "box", "host", "new", true },
	    "\n\thost = \"new\"\n}" },
	{ "a title", { "box", NULL, "new", true }, "\nbox \"new\" {\n" },
	{ "empty text", { "imap", "host", "", true }, "\thost = \"\"\n" },
	{ "none: as it was", { "imap", "nothing", NULL, true },
	    "\thost = \"old\"\n" },
	{ "unknown key", { "imap", "nothing", "x", true }, NULL },
	{ "unknown section", { "smtp", "host", "x", true }, NULL },
	{ "a quote", { "imap", "host", "a\"b", true }, NULL },
	{ "a backslash", { "imap", "host", "a\\b", true }, NULL },
	{ "the environment", { "imap", "host", "${HOME}", true }, NULL },
	{ "a line end", { "imap", "host", "a\nb", true }, NULL },
	{ "more than a word", { "imap", "port", "1 }", false }, NULL },
	{ "no number", { "imap", "port", "", false }, NULL },
};

START_TEST(a_template_takes_values)
{
	OWNED_BUF(out, 4096);
	struct err err = { 0 };
	int r = template_fill(bytes_of(TEMPLATE), &fills[_i].fill, 1, &out,
	    &err);

	ck_assert_msg((r == 0) == (fills[_i].want != NULL), "%s: %s",
	    fills[_i].name, err.text);
	if (r == 0) {
		ck_assert_msg(strstr(buf_str(&out), fills[_i].want) != NULL,
		    "%s: %s", fills[_i].name, buf_str(&out));
		/* And nothing else has changed. */
		ck_assert_ptr_nonnull(strstr(buf_str(&out), "# dir = no\n"));
	}
}
END_TEST

START_TEST(what_is_shipped_is_embedded)
{
	struct bytes conf = template_find("conf/csrmaild.conf");

	ck_assert_uint_gt(conf.len, 1000);
	ck_assert_uint_gt(template_find("policies/rules/staff.conf").len, 100);
	ck_assert_uint_eq(template_find("policies/rules/none.conf").len, 0);
}
END_TEST

START_TEST(every_place_is_replaced)
{
	OWNED_BUF(out, 100);
	struct err err;

	ck_assert_int_eq(template_replace(bytes_of("ab xx ab"), "ab", "c",
	    &out, &err), 0);
	ck_assert_str_eq(buf_str(&out), "c xx c");
}
END_TEST

/* --- subjects and requests --- */

static const struct {
	const char	*text;
	size_t		 want;		/* attributes; 0: refused */
} subjects[] = {
	{ "CN=Root",			1 },
	{ "O=Example, CN=Root CA",	2 },
	{ "C=DE,O=Example,CN=x=y",	3 },
	{ "",				0 },
	{ "Root",			0 },
	{ "=Root",			0 },
	{ "XX=Root",			0 },
	{ "CN=",			0 },
	{ "CN=a\tb",			0 },
};

START_TEST(a_subject_is_read)
{
	struct names names = { 0 };
	struct ctl ctl = { 0 };
	struct err err;
	int r = make_ca_subject(&ctl, subjects[_i].text, &names, &err);

	ck_assert_msg((r == 0) == (subjects[_i].want > 0), "%s",
	    subjects[_i].text);
	if (r == 0)
		ck_assert_uint_eq(names.n_attributes, subjects[_i].want);
	names_free(&names);
}
END_TEST

START_TEST(der_becomes_pem_and_pem_stays)
{
	OWNED_BUF(der, 65536);
	OWNED_BUF(pem, 65536);
	OWNED_BUF(empty, 10);

	buf_append(&der, "\x30\x03\x02\x01\x00", 5);
	ck_assert_int_eq(certfile_from_request(&der), 0);
	ck_assert_ptr_nonnull(strstr(buf_str(&der), "MAMCAQA="));
	buf_append_str(&pem, "-----BEGIN");
	ck_assert_int_eq(certfile_from_request(&pem), 0);
	ck_assert_str_eq(buf_str(&pem), "-----BEGIN");
	buf_append(&pem, "\0", 1);
	ck_assert_int_eq(certfile_from_request(&pem), -1);
	ck_assert_int_eq(certfile_from_request(&empty), -1);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("ctl");
	TCase *tc = tcase_create("all");

	tcase_add_test(tc, every_command_is_in_the_manual);
	tcase_add_test(tc, every_command_is_whole_and_found_by_its_name);
	tcase_add_loop_test(tc, a_command_line_is_read_by_the_table, 0,
	    ROWS(lines));
	tcase_add_test(tc, options_reach_the_command);
	tcase_add_loop_test(tc, terminals_see_no_control_characters, 0,
	    ROWS(texts));
	tcase_add_loop_test(tc, a_template_takes_values, 0, ROWS(fills));
	tcase_add_test(tc, what_is_shipped_is_embedded);
	tcase_add_test(tc, every_place_is_replaced);
	tcase_add_loop_test(tc, a_subject_is_read, 0, ROWS(subjects));
	tcase_add_test(tc, der_becomes_pem_and_pem_stays);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
