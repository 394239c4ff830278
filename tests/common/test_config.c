#include "common/config.h"

#include "common/err.h"
#include "tests/support/fixtures.h"

#include <sys/stat.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static cfg_opt_t imap_opts[] = {
	CFG_INT("port", 993, CFGF_NONE),
	CFG_STR("host", NULL, CFGF_NONE),
	CFG_STR_LIST("folders", "{}", CFGF_NONE),
	CFG_END()
};
static cfg_opt_t box_opts[] = {
	CFG_SEC("imap", imap_opts, CFGF_NONE),
	CFG_STR("address", NULL, CFGF_NONE),
	CFG_END()
};
static cfg_opt_t opts[] = {
	CFG_SEC("mailbox", box_opts, CFGF_TITLE | CFGF_MULTI |
	    CFGF_NO_TITLE_DUPES),
	CFG_STR("state_dir", "/var", CFGF_NONE),
	CFG_END()
};

static const struct {
	const char	*name;
	const char	*text;
	const char	*want;	/* NULL: accepted; else begins the message */
} files[] = {
	{ "empty", "", NULL },
	{ "comments of all kinds",
	    "# a { b\n// } \n/* { \n */ state_dir = \"/a\" # x\n", NULL },
	{ "sections and lists",
	    "mailbox \"a\" { imap { port = 10 host=h folders = {\"x\", y} } }\n"
	    "mailbox b { address = 'q{'\n}", NULL },
	{ "ends inside a section", "\nmailbox \"a\" {\n imap {\n}\n",
	    "f:2: section mailbox is never closed" },
	{ "one brace too many", "state_dir = x\n}\n", "f:2: '}'" },
	{ "an option twice", "state_dir = a\n\nstate_dir = b\n",
	    "f:3: state_dir is given twice; the first is in line 1" },
	{ "a section twice", "mailbox a { imap { }\n imap { } }",
	    "f:2: imap is given twice" },
	{ "a title twice", "mailbox a { }\nmailbox \"a\" { }",
	    "f:2: mailbox is given twice" },
	{ "the same option in two sections",
	    "mailbox a { address = x }\nmailbox b { address = y }", NULL },
	{ "octal", "mailbox a {\nimap { port = 010 } }",
	    "f:2: 010: write the number without" },
	{ "a zero is a zero", "mailbox a { imap { port = 0 } }", NULL },
	{ "the environment", "state_dir = \"${HOME}\"", "f:1: ${...}" },
	{ "an unknown option", "\nstate_dri = \"/a\"", "f:2: " },
	{ "an unclosed string", "\nstate_dir = \"/a\n\n", "f:2: this quot" },
	{ "an unclosed list", "mailbox a { imap { folders = { a, b\n",
	    "f:1: this list" },
	{ "an unclosed comment", "/* \n", "f:1: this comment" },
	{ "text where a number should be",
	    "mailbox a {\n imap {\n port = many } }", "f:3: " },
	{ "no value", "state_dir = }", "f:1: a value is missing" },
};

START_TEST(a_file_is_read_or_refused_with_its_line)
{
	OWNED(cfg_t) *cfg = NULL;
	struct err err = { 0 };
	int r = config_parse("f", bytes_of(files[_i].text), opts, &cfg, &err);

	if (files[_i].want == NULL) {
		ck_assert_msg(r == 0, "%s: %s", files[_i].name, err.text);
		return;
	}
	ck_assert_msg(r == -1, "%s", files[_i].name);
	ck_assert_int_eq(err.kind, ERR_FAULT);
	ck_assert_msg(strncmp(err.text, files[_i].want,
	    strlen(files[_i].want)) == 0, "%s: %s", files[_i].name, err.text);
}
END_TEST

START_TEST(a_refused_value_names_file_line_and_key)
{
	static const char text[] = "mailbox a {\n\n imap {\n  port = 70000\n"
	    "  }\n}\n";
	OWNED(cfg_t) *cfg = NULL;
	struct err err = { 0 };
	cfg_t *imap;

	ck_assert_int_eq(config_parse("etc/f.conf", bytes_of(text), opts, &cfg,
	    &err), 0);
	imap = cfg_getsec(cfg_gettsec(cfg, "mailbox", "a"), "imap");
	ck_assert_int_eq(config_check_range(imap, "port", 1, 65535, &err), -1);
	ck_assert_str_eq(err.text,
	    "etc/f.conf:4: port: found 70000, allowed 1 to 65535");
	ck_assert_int_eq(config_check_range(imap, "port", 1, 70000, &err), 0);
	/* One that is not there is blamed on its section's first line. */
	ck_assert_int_eq(config_check_given(imap, "host", &err), -1);
	ck_assert_str_eq(err.text, "etc/f.conf:3: host: must be given");
}
END_TEST

START_TEST(a_file_that_others_can_write_is_refused)
{
	char dir[] = "/tmp/test_configXXXXXX", path[64], link[64];
	OWNED_BUF(text, 100);
	struct err err = { 0 };
	FILE *f;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/f", dir);
	snprintf(link, sizeof(link), "%s/l", dir);
	f = fopen(path, "w");
	fputs("state_dir = x", f);
	fclose(f);
	chmod(path, 0640);
	ck_assert_int_eq(symlink(path, link), 0);
	ck_assert_int_eq(config_read_file(path, 100, &text, &err), 0);
	ck_assert_str_eq(buf_str(&text), "state_dir = x");
	ck_assert_int_eq(config_read_file(path, 12, &text, &err), -1);
	ck_assert_int_eq(config_read_file(link, 100, &text, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "symbolic link"));
	/* Only root can give it away, and only then is it another's. */
	if (chown(path, 65534, (gid_t)-1) == 0) {
		ck_assert_int_eq(config_read_file(path, 100, &text, &err), -1);
		ck_assert_ptr_nonnull(strstr(err.text, "another user"));
	}
	chmod(path, 0660);
	ck_assert_int_eq(config_read_file(path, 100, &text, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "chmod go-w"));
	ck_assert_int_eq(config_read_file(dir, 100, &text, &err), -1);
	unlink(link);
	unlink(path);
	rmdir(dir);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("config");
	TCase *tc = tcase_create("all");

	tcase_add_loop_test(tc, a_file_is_read_or_refused_with_its_line, 0,
	    ROWS(files));
	tcase_add_test(tc, a_refused_value_names_file_line_and_key);
	tcase_add_test(tc, a_file_that_others_can_write_is_refused);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
