#include "csrmaild/passphrase.h"
#include "common/err.h"
#include "common/keystore.h"
#include "common/owned.h"
#include "tests/support/fixtures.h"

#include <sys/stat.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/test_passphrase.XXXXXX";

static void
set_up(void)
{
	strcpy(folder + sizeof(folder) - 7, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	unsetenv("CREDENTIALS_DIRECTORY");
}

static void
tear_down(void)
{
	static const char *const files[] = { "csrmail.a@b", "file", "link" };
	char path[128];

	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, files[i]);
		unlink(path);
	}
	rmdir(folder);
}

static const char *
write_file(const char *name, const char *text, size_t len, mode_t mode)
{
	static char path[128];
	OWNED_FD fd = -1;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	ck_assert_int_eq(write(fd, text, len), (ssize_t)len);
	ck_assert_int_eq(fchmod(fd, mode), 0);
	return path;
}

static const struct {
	const char	*ca, *want;
} variables[] = {
	{ "users", "CSRMAIL_PASSPHRASE_USERS" },
	{ "example.com/users", "CSRMAIL_PASSPHRASE_EXAMPLE_COM_USERS" },
	{ "a-b_C.9", "CSRMAIL_PASSPHRASE_A_B_C_9" },
	{ "users~2", "CSRMAIL_PASSPHRASE_USERS" },
	{ "users~99", "CSRMAIL_PASSPHRASE_USERS" },
};

START_TEST(a_variable_is_named_for_its_ca)
{
	char name[PASSPHRASE_NAME_SIZE];

	passphrase_variable(variables[_i].ca, name);
	ck_assert_str_eq(name, variables[_i].want);
}
END_TEST

static char most[KEYSTORE_PASSPHRASE_MAX + 2];

static const struct {
	const char	*name;
	const char	*text;
	size_t		 len;		/* 0: strlen */
	const char	*want;		/* NULL: refused */
} lines[] = {
	{ "a line", "secret\n", 0, "secret" },
	{ "without its end", "secret", 0, "secret" },
	{ "only the first", "secret\nnot this\n", 0, "secret" },
	{ "blanks are its own", " se cret \n", 0, " se cret " },
	{ "empty", "", 0, "" },
	{ "an empty line", "\n", 0, "" },
	{ "the longest", most, KEYSTORE_PASSPHRASE_MAX, most },
	{ "one longer", most, KEYSTORE_PASSPHRASE_MAX + 1, NULL },
};

START_TEST(a_passphrase_is_the_first_line)
{
	__attribute__((cleanup(buf_wipe))) struct buf got =
	    BUF(KEYSTORE_PASSPHRASE_MAX + 2);
	size_t len = lines[_i].len;
	OWNED_FD fd = -1;
	struct err err;
	int r;

	memset(most, 'x', KEYSTORE_PASSPHRASE_MAX + 1);
	fd = open(write_file("file", lines[_i].text, len == 0 ?
	    strlen(lines[_i].text) : len, 0600), O_RDONLY);
	r = passphrase_read(fd, &got, &err);
	if (lines[_i].want == NULL) {
		ck_assert_int_eq(r, -1);
		ck_assert_uint_eq(got.len, 0);
		return;
	}
	ck_assert_msg(r == 0, "%s: %s", lines[_i].name, err.text);
	ck_assert_uint_eq(got.len, len == 0 ? strlen(lines[_i].want) : len);
	ck_assert_mem_eq(buf_str(&got), lines[_i].want, got.len);
}
END_TEST

static const mode_t bad_modes[] = { 0604, 0602, 0601, 0620, 0666 };

START_TEST(a_file_that_others_reach_is_refused)
{
	const char *path = write_file("file", "x\n", 2, bad_modes[_i]);
	struct err err;
	int fd;

	ck_assert_int_eq(passphrase_open_file(path, &err), -1);
	ck_assert_int_eq(err.kind, ERR_FAULT);
	fd = passphrase_open_file(write_file("file", "x\n", 2, 0640), &err);
	ck_assert_int_ge(fd, 0);
	close(fd);
}
END_TEST

START_TEST(a_link_is_refused)
{
	char target[128], link_path[128];
	struct err err;

	snprintf(target, sizeof(target), "%s",
	    write_file("file", "x\n", 2, 0600));
	snprintf(link_path, sizeof(link_path), "%s/link", folder);
	ck_assert_int_eq(symlink(target, link_path), 0);
	ck_assert_int_eq(passphrase_open_file(link_path, &err), -1);
}
END_TEST

/* What the CA a/b gets, and from where. */
static void
check_source(const char *file, const char *from, const char *want)
{
	__attribute__((cleanup(buf_wipe))) struct buf got =
	    BUF(KEYSTORE_PASSPHRASE_MAX + 2);
	const char *found = "";
	OWNED_FD fd = -1;
	struct err err = { 0 };

	ck_assert_msg(passphrase_open("a/b~2", file, &fd, &found, &err) == 0,
	    "%s", err.text);
	ck_assert_str_eq(found, from);
	ck_assert_int_eq(passphrase_read(fd, &got, &err), 0);
	ck_assert_str_eq(buf_str(&got), want);
}

/* In one test, since what was taken out of the environment stays taken. */
START_TEST(sources_have_an_order_and_the_environment_is_emptied)
{
	char file[128];
	const char *from, *value;
	size_t len;
	struct err err;
	int fd = -1;

	ck_assert_int_eq(passphrase_open("a/b", "", &fd, &from, &err), 1);
	snprintf(file, sizeof(file), "%s",
	    write_file("file", "of the file\n", 12, 0600));
	check_source(file, "file", "of the file");

	/* As exec leaves it: octets that /proc/PID/environ shows. */
	ck_assert_int_eq(setenv("CSRMAIL_PASSPHRASE_A_B", "of the variable",
	    1), 0);
	value = getenv("CSRMAIL_PASSPHRASE_A_B");
	len = strlen(value);
	ck_assert_int_eq(passphrase_take_environment(&err), 0);
	ck_assert_ptr_null(getenv("CSRMAIL_PASSPHRASE_A_B"));
	for (size_t i = 0; i < len; i++)
		ck_assert_int_eq(value[i], '\0');
	ck_assert_ptr_nonnull(getenv("PATH"));	/* others stay */
	check_source(file, "environment", "of the variable");
	/* A set of roles that starts anew finds it again. */
	check_source(file, "environment", "of the variable");

	ck_assert_int_eq(setenv("CREDENTIALS_DIRECTORY", folder, 1), 0);
	check_source(file, "environment", "of the variable");
	write_file("csrmail.a@b", "of systemd\n", 11, 0400);
	check_source(file, "credential", "of systemd");
	ck_assert_int_eq(passphrase_open("a/c", "", &fd, &from, &err), 1);
	ck_assert_int_eq(passphrase_open("a/c", "/nonexistent", &fd, &from,
	    &err), -1);
}
END_TEST

START_TEST(a_variable_too_long_is_refused_and_wiped_all_the_same)
{
	struct err err;

	memset(most, 'x', KEYSTORE_PASSPHRASE_MAX + 1);
	most[KEYSTORE_PASSPHRASE_MAX + 1] = '\0';
	ck_assert_int_eq(setenv("CSRMAIL_PASSPHRASE_LONG", most, 1), 0);
	ck_assert_int_eq(passphrase_take_environment(&err), -1);
	ck_assert_int_eq(err.kind, ERR_FAULT);
	ck_assert_ptr_nonnull(strstr(err.text, "CSRMAIL_PASSPHRASE_LONG"));
	ck_assert_ptr_null(strstr(err.text, "xxx"));
	ck_assert_ptr_null(getenv("CSRMAIL_PASSPHRASE_LONG"));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("passphrase");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_loop_test(tc, a_variable_is_named_for_its_ca, 0,
	    ROWS(variables));
	tcase_add_loop_test(tc, a_passphrase_is_the_first_line, 0,
	    ROWS(lines));
	tcase_add_loop_test(tc, a_file_that_others_reach_is_refused, 0,
	    ROWS(bad_modes));
	tcase_add_test(tc, a_link_is_refused);
	tcase_add_test(tc,
	    sources_have_an_order_and_the_environment_is_emptied);
	tcase_add_test(tc,
	    a_variable_too_long_is_refused_and_wiped_all_the_same);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
