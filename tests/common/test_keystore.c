#include "common/keystore.h"
#include "common/err.h"
#include "common/owned.h"
#include "tests/support/fixtures.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/test_keystore.XXXXXX";
static int dir = -1;
static EVP_PKEY *key;

static void
set_up(void)
{
	strcpy(folder + sizeof(folder) - 7, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	dir = open(folder, O_RDONLY | O_DIRECTORY);
	key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
}

static unsigned int
empty_folder(bool remove_them)
{
	DIR *d = opendir(folder);
	struct dirent *e;
	unsigned int n = 0;

	while ((e = readdir(d)) != NULL) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		n++;
		if (remove_them)
			unlinkat(dir, e->d_name, 0);
	}
	closedir(d);
	return n;
}

static void
tear_down(void)
{
	empty_folder(true);
	close(dir);
	rmdir(folder);
	EVP_PKEY_free(key);
}

/* What the file holds, as text. */
static void
read_text(const char *file, char *out, size_t size)
{
	OWNED_FD fd = openat(dir, file, O_RDONLY);
	ssize_t n = read(fd, out, size - 1);

	ck_assert_int_gt(n, 0);
	out[n] = '\0';
}

static int
load(const char *file, const char *passphrase, struct err *err)
{
	OWNED(EVP_PKEY) *got = NULL;
	int r = keystore_load(dir, file, bytes_of(passphrase), &got, err);

	if (r == 0)
		ck_assert_int_eq(EVP_PKEY_eq(got, key), 1);
	else
		ck_assert_ptr_null(got);
	return r;
}

static const struct {
	const char	*passphrase;
	const char	*first_line;
} forms[] = {
	{ "correct horse", "-----BEGIN ENCRYPTED PRIVATE KEY-----\n" },
	{ "", "-----BEGIN PRIVATE KEY-----\n" },
};

START_TEST(a_key_comes_back)
{
	char text[4096];
	struct err err = { 0 };
	struct stat st;

	ck_assert_msg(keystore_save(dir, "k", key,
	    bytes_of(forms[_i].passphrase), &err) == 0, "%s", err.text);
	ck_assert_msg(load("k", forms[_i].passphrase, &err) == 0, "%s",
	    err.text);
	read_text("k", text, sizeof(text));
	ck_assert_int_eq(strncmp(text, forms[_i].first_line,
	    strlen(forms[_i].first_line)), 0);
	ck_assert_int_eq(fstatat(dir, "k", &st, 0), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_uint_eq(empty_folder(false), 1);	/* nothing else left */
}
END_TEST

START_TEST(a_wrong_passphrase_is_said)
{
	struct err err = { 0 };

	ck_assert_int_eq(keystore_save(dir, "k", key, bytes_of("right"), &err),
	    0);
	ck_assert_int_eq(load("k", "wrong", &err), -1);
	ck_assert_int_eq(err.kind, ERR_FAULT);
	ck_assert_ptr_nonnull(strstr(err.text, "passphrase"));
	ck_assert_int_eq(load("k", "", &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "encrypted"));
}
END_TEST

START_TEST(no_file_is_replaced)
{
	OWNED(EVP_PKEY) *other = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	struct err err = { 0 };

	ck_assert_int_eq(keystore_save(dir, "k", key, bytes_of("p"), &err), 0);
	ck_assert_int_eq(keystore_save(dir, "k", other, bytes_of("p"), &err),
	    -1);
	ck_assert_int_eq(err.kind, ERR_FAULT);
	ck_assert_int_eq(load("k", "p", &err), 0);
	ck_assert_uint_eq(empty_folder(false), 1);
}
END_TEST

START_TEST(what_a_crash_left_is_no_obstacle)
{
	struct err err = { 0 };
	int fd = openat(dir, ".k.new", O_WRONLY | O_CREAT, 0600);

	ck_assert_int_eq(write(fd, "half", 4), 4);
	close(fd);
	ck_assert_int_eq(keystore_save(dir, "k", key, bytes_of("p"), &err), 0);
	ck_assert_int_eq(load("k", "p", &err), 0);
	ck_assert_uint_eq(empty_folder(false), 1);
}
END_TEST

static const mode_t bad_modes[] = { 0640, 0604, 0610, 0601, 0660, 0666 };

START_TEST(a_file_open_to_others_is_refused)
{
	struct err err = { 0 };

	ck_assert_int_eq(keystore_save(dir, "k", key, bytes_of("p"), &err), 0);
	ck_assert_int_eq(fchmodat(dir, "k", bad_modes[_i], 0), 0);
	ck_assert_int_eq(load("k", "p", &err), -1);
	ck_assert_int_eq(err.kind, ERR_FAULT);
	ck_assert_int_eq(fchmodat(dir, "k", 0400, 0), 0);
	ck_assert_int_eq(load("k", "p", &err), 0);
}
END_TEST

START_TEST(another_owner_is_refused)
{
	struct err err = { 0 };

	if (geteuid() != 0)
		return;		/* only root can give a file away */
	ck_assert_int_eq(keystore_save(dir, "k", key, bytes_of("p"), &err), 0);
	ck_assert_int_eq(fchownat(dir, "k", 65534, 65534, 0), 0);
	ck_assert_int_eq(load("k", "p", &err), -1);
	ck_assert_int_eq(err.kind, ERR_FAULT);
}
END_TEST

START_TEST(links_and_other_kinds_of_file_are_refused)
{
	struct err err = { 0 };

	ck_assert_int_eq(keystore_save(dir, "k", key, bytes_of("p"), &err), 0);
	ck_assert_int_eq(symlinkat("k", dir, "link"), 0);
	ck_assert_int_eq(load("link", "p", &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "symbolic link"));
	ck_assert_int_eq(mkfifoat(dir, "pipe", 0600), 0);
	ck_assert_int_eq(load("pipe", "p", &err), -1);
	ck_assert_int_eq(load("missing", "p", &err), -1);
}
END_TEST

static const struct {
	const char	*name;
	const char	*text;
} broken[] = {
	{ "empty", "" },
	{ "another form", "-----BEGIN EC PRIVATE KEY-----\nAAAA\n"
	    "-----END EC PRIVATE KEY-----\n" },
	{ "no base64", "-----BEGIN ENCRYPTED PRIVATE KEY-----\n???\n"
	    "-----END ENCRYPTED PRIVATE KEY-----\n" },
	{ "no DER", "-----BEGIN PRIVATE KEY-----\nAAAA\n"
	    "-----END PRIVATE KEY-----\n" },
	{ "cut off", "-----BEGIN PRIVATE KEY-----\nMIGHAgEA" },
};

START_TEST(a_broken_file_is_refused)
{
	struct err err = { 0 };
	int fd = openat(dir, "k", O_WRONLY | O_CREAT, 0600);
	size_t len = strlen(broken[_i].text);

	ck_assert_int_eq(write(fd, broken[_i].text, len), (ssize_t)len);
	close(fd);
	ck_assert_msg(load("k", "p", &err) == -1, "%s", broken[_i].name);
	ck_assert_int_eq(err.kind, ERR_FAULT);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("keystore");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_loop_test(tc, a_key_comes_back, 0, ROWS(forms));
	tcase_add_test(tc, a_wrong_passphrase_is_said);
	tcase_add_test(tc, no_file_is_replaced);
	tcase_add_test(tc, what_a_crash_left_is_no_obstacle);
	tcase_add_loop_test(tc, a_file_open_to_others_is_refused, 0,
	    ROWS(bad_modes));
	tcase_add_test(tc, another_owner_is_refused);
	tcase_add_test(tc, links_and_other_kinds_of_file_are_refused);
	tcase_add_loop_test(tc, a_broken_file_is_refused, 0, ROWS(broken));
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
