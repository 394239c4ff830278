#include "common/keystore.h"
#include "common/err.h"
#include "common/keystore_uri.h"
#include "common/owned.h"
#include "tests/support/fixtures.h"

#include <openssl/pem.h>
#include <openssl/pkcs12.h>

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
	ck_assert_msg(load("k", strstr(broken[_i].text, "ENCRYPTED") == NULL ?
	    "" : "p", &err) == -1, "%s", broken[_i].name);
	ck_assert_int_eq(err.kind, ERR_FAULT);
}
END_TEST

START_TEST(a_passphrase_for_a_plain_key_is_refused)
{
	struct err err = { 0 };

	ck_assert_int_eq(keystore_save(dir, "k", key, bytes_of(""), &err), 0);
	ck_assert_int_eq(load("k", "p", &err), -1);
	ck_assert_int_eq(err.kind, ERR_FAULT);
	ck_assert_ptr_nonnull(strstr(err.text, "not encrypted"));
}
END_TEST

/* --- files of others ------------------------------------------------------------ */
enum function { PBKDF2, SCRYPT, OLD };

/* Work that is asked for, and whether it is done. What is refused is not
 * worked through here either: its octets are no key. */
static const struct {
	const char	*name;
	enum function	 function;
	uint64_t	 a, r, p;	/* iterations; N, r, p */
	bool		 real;		/* a true encryption stands behind */
	const char	*want;		/* "" opens; else part of the refusal */
} schemes[] = {
	{ "openssl's default", PBKDF2, 2048, 0, 0, true, "" },
	{ "one iteration", PBKDF2, 1, 0, 0, true, "" },
	{ "the most iterations", PBKDF2, 2000000, 0, 0, false,
	    "the passphrase does not open" },
	{ "one more", PBKDF2, 2000001, 0, 0, false, "PBKDF2" },
	{ "hours", PBKDF2, UINT32_MAX, 0, 0, false, "PBKDF2" },
	{ "beyond 64 bits", PBKDF2, UINT64_MAX, 0, 0, false, "PBKDF2" },
	{ "no iteration", PBKDF2, 0, 0, 0, false, "PBKDF2" },
	{ "our own", SCRYPT, 16384, 8, 4, true, "" },
	{ "openssl's own", SCRYPT, 16384, 8, 1, true, "" },
	{ "too much work", SCRYPT, 16384, 8, 33, false, "scrypt" },
	{ "too much memory", SCRYPT, 65536, 8, 1, false, "scrypt" },
	{ "gigabytes", SCRYPT, 1 << 24, 8, 1, false, "scrypt" },
	{ "hours", SCRYPT, 1024, 8, 1 << 29, false, "scrypt" },
	{ "a product that wraps", SCRYPT, (uint64_t)1 << 32,
	    (uint64_t)1 << 32, 1, false, "scrypt" },
	{ "PBES1", OLD, 2048, 0, 0, true, "PBES2" },
};

OWNED_BY(X509_SIG, X509_SIG_free)
OWNED_BY(PKCS8_PRIV_KEY_INFO, PKCS8_PRIV_KEY_INFO_free)

static X509_ALGOR *
easy_scheme(enum function function, uint64_t a, uint64_t r, uint64_t p)
{
	switch (function) {
	case PBKDF2:
		return PKCS5_pbe2_set_iv(EVP_aes_256_cbc(), (int)a, NULL, 0,
		    NULL, NID_hmacWithSHA256);
	case SCRYPT:
		return PKCS5_pbe2_set_scrypt(EVP_aes_256_cbc(), NULL, 0, NULL,
		    a, r, p);
	case OLD:
		return PKCS5_pbe_set(NID_pbe_WithSHA1And3_Key_TripleDES_CBC,
		    (int)a, NULL, 0);
	}
	return NULL;
}

/* Numbers that OpenSSL would not write itself: in the place of good ones. */
static void
set_numbers(X509_ALGOR *scheme, enum function function, uint64_t a,
    uint64_t r, uint64_t p)
{
	PBE2PARAM *pbe2 = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBE2PARAM),
	    scheme->parameter);
	ASN1_TYPE **at = &pbe2->keyfunc->parameter;

	if (function == PBKDF2) {
		PBKDF2PARAM *f = ASN1_TYPE_unpack_sequence(
		    ASN1_ITEM_rptr(PBKDF2PARAM), *at);

		ASN1_INTEGER_set_uint64(f->iter, a);
		ASN1_TYPE_pack_sequence(ASN1_ITEM_rptr(PBKDF2PARAM), f, at);
		PBKDF2PARAM_free(f);
	} else {
		SCRYPT_PARAMS *f = ASN1_TYPE_unpack_sequence(
		    ASN1_ITEM_rptr(SCRYPT_PARAMS), *at);

		ASN1_INTEGER_set_uint64(f->costParameter, a);
		ASN1_INTEGER_set_uint64(f->blockSize, r);
		ASN1_INTEGER_set_uint64(f->parallelizationParameter, p);
		ASN1_TYPE_pack_sequence(ASN1_ITEM_rptr(SCRYPT_PARAMS), f, at);
		SCRYPT_PARAMS_free(f);
	}
	ASN1_TYPE_pack_sequence(ASN1_ITEM_rptr(PBE2PARAM), pbe2,
	    &scheme->parameter);
	PBE2PARAM_free(pbe2);
}

static void
write_sealed(const char *file, int i)
{
	OWNED(PKCS8_PRIV_KEY_INFO) *info = EVP_PKEY2PKCS8(key);
	bool real = schemes[i].real;
	X509_ALGOR *scheme = real ? easy_scheme(schemes[i].function,
	    schemes[i].a, schemes[i].r, schemes[i].p) :
	    easy_scheme(schemes[i].function, 1024, 8, 1);
	OWNED(X509_SIG) *sealed = PKCS8_set0_pbe("p", 1, info, scheme);
	X509_ALGOR *inside;
	FILE *f = fdopen(openat(dir, file, O_WRONLY | O_CREAT, 0600), "w");

	ck_assert_ptr_nonnull(sealed);
	X509_SIG_getm(sealed, &inside, NULL);
	if (!real)
		set_numbers(inside, schemes[i].function, schemes[i].a,
		    schemes[i].r, schemes[i].p);
	ck_assert_int_eq(PEM_write_PKCS8(f, sealed), 1);
	fclose(f);
}

START_TEST(work_that_a_file_asks_for_has_a_limit)
{
	struct err err = { 0 };
	int r;

	write_sealed("k", _i);
	r = load("k", "p", &err);
	ck_assert_msg(r == (schemes[_i].want[0] == '\0' ? 0 : -1), "%s: %s",
	    schemes[_i].name, err.text);
	ck_assert_msg(strstr(err.text, schemes[_i].want) != NULL, "%s: %s",
	    schemes[_i].name, err.text);
	if (r != 0)
		ck_assert_int_eq(err.kind, ERR_FAULT);
}
END_TEST

START_TEST(only_aes_is_opened)
{
	OWNED(PKCS8_PRIV_KEY_INFO) *info = EVP_PKEY2PKCS8(key);
	OWNED(X509_SIG) *sealed = PKCS8_set0_pbe("p", 1, info,
	    PKCS5_pbe2_set_iv(EVP_des_ede3_cbc(), 2048, NULL, 0, NULL,
	    NID_hmacWithSHA256));
	FILE *f = fdopen(openat(dir, "k", O_WRONLY | O_CREAT, 0600), "w");
	struct err err = { 0 };

	ck_assert_int_eq(PEM_write_PKCS8(f, sealed), 1);
	fclose(f);
	ck_assert_int_eq(load("k", "p", &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "AES"));
}
END_TEST

/* --- making and changing ---------------------------------------------------------- */
START_TEST(a_key_is_made_and_stored)
{
	OWNED(EVP_PKEY) *made = NULL;
	OWNED(EVP_PKEY) *again = NULL;
	struct err err = { 0 };

	ck_assert_msg(keystore_create(dir, "k", KEY_P256, 0, NULL,
	    bytes_of("p"), &made, &err) == 0, "%s", err.text);
	ck_assert_int_eq(keystore_load(dir, "k", bytes_of("p"), &again, &err),
	    0);
	ck_assert_int_eq(EVP_PKEY_eq(made, again), 1);
	ck_assert_int_eq(keystore_create(dir, "k", KEY_P256, 0, NULL,
	    bytes_of("p"), &made, &err), -1);
}
END_TEST

static const struct {
	const char	*before, *after;
} changes[] = { { "old", "new" }, { "old", "" }, { "", "new" } };

START_TEST(after_a_change_only_the_new_passphrase_opens)
{
	struct err err = { 0 };

	ck_assert_int_eq(keystore_save(dir, "k", key,
	    bytes_of(changes[_i].before), &err), 0);
	ck_assert_msg(keystore_rekey(dir, "k", bytes_of(changes[_i].before),
	    bytes_of(changes[_i].after), &err) == 0, "%s", err.text);
	ck_assert_int_eq(load("k", changes[_i].after, &err), 0);
	ck_assert_int_eq(load("k", changes[_i].before, &err), -1);
	ck_assert_uint_eq(empty_folder(false), 1);
}
END_TEST

START_TEST(a_change_with_the_wrong_passphrase_changes_nothing)
{
	struct err err = { 0 };

	ck_assert_int_eq(keystore_save(dir, "k", key, bytes_of("old"), &err),
	    0);
	ck_assert_int_eq(keystore_rekey(dir, "k", bytes_of("wrong"),
	    bytes_of("new"), &err), -1);
	ck_assert_int_eq(load("k", "old", &err), 0);
}
END_TEST

START_TEST(what_is_read_early_opens_late)
{
	__attribute__((cleanup(buf_wipe))) struct buf content =
	    BUF(KEYSTORE_FILE_MAX);
	OWNED(EVP_PKEY) *got = NULL;
	struct err err = { 0 };

	ck_assert_int_eq(keystore_save(dir, "k", key, bytes_of("p"), &err), 0);
	ck_assert_int_eq(keystore_read(dir, "k", &content, &err), 0);
	ck_assert_int_eq(unlinkat(dir, "k", 0), 0);
	ck_assert_int_eq(keystore_open(buf_bytes(&content), "k",
	    bytes_of("p"), &got, &err), 0);
	ck_assert_int_eq(EVP_PKEY_eq(got, key), 1);
	ck_assert(!keystore_is_token(buf_bytes(&content)));
	ck_assert(!keystore_is_plain(buf_bytes(&content)));
}
END_TEST

/* --- tokens ------------------------------------------------------------------------ */
static const struct {
	const char	*text;
	const char	*want;		/* "": good */
} uris[] = {
	{ "pkcs11:token=ca;object=users", "" },
	{ "pkcs11:object=users;type=private", "" },
	{ "pkcs11:id=%01%ff;serial=0042", "" },
	{ "pkcs11:model=SoftHSM%20v2;manufacturer=x;id=%00", "" },
	{ "pkcs11:token=ca", "object or id" },
	{ "pkcs11:", "object or id" },
	{ "PKCS11:object=a", "begins with" },
	{ "file:/etc/passwd", "begins with" },
	{ "pkcs11:object=a?pin-value=1234", "query" },
	{ "pkcs11:object=a?pin-source=/etc/pin", "query" },
	{ "pkcs11:object=a?module-path=/tmp/evil.so", "query" },
	{ "pkcs11:object=a;pin-value=1234", "pin-value" },
	{ "pkcs11:object=a;slot-id=1", "slot-id" },
	{ "pkcs11:object=a;type=public", "type=private" },
	{ "pkcs11:object=a;object=b", "object" },
	{ "pkcs11:object=", "object" },
	{ "pkcs11:object=a%2", "object" },
	{ "pkcs11:object=a%zz", "object" },
	{ "pkcs11:object=a b", "object" },
	{ "pkcs11:object", "object" },
	{ "pkcs11:object=a;;token=b", "names \"\"" },
	/* 64 octets, and one more. */
	{ "pkcs11:object=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	    "aaaaaaaaaa", "" },
	{ "pkcs11:object=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	    "aaaaaaaaaaa", "object" },
};

START_TEST(a_uri_names_a_key_and_nothing_else)
{
	struct keystore_uri uri;
	struct err err = { 0 };
	int r = keystore_uri_read(bytes_of(uris[_i].text), &uri, &err);

	ck_assert_msg(r == (uris[_i].want[0] == '\0' ? 0 : -1), "%s: %s",
	    uris[_i].text, err.text);
	ck_assert_msg(strstr(err.text, uris[_i].want) != NULL, "%s: %s",
	    uris[_i].text, err.text);
	/* A PIN that somebody wrote down is not repeated into the log. */
	ck_assert_ptr_null(strstr(err.text, "1234"));
}
END_TEST

START_TEST(a_uri_is_decoded)
{
	static const char text[] = "pkcs11:token=my%20ca;id=%00%Ff";
	struct keystore_uri uri;
	struct err err = { 0 };

	ck_assert_int_eq(keystore_uri_read(bytes_of(text), &uri, &err), 0);
	ck_assert_uint_eq(uri.token.len, 5);
	ck_assert_mem_eq(uri.token.data, "my ca", 5);
	ck_assert_uint_eq(uri.id.len, 2);
	ck_assert_mem_eq(uri.id.data, "\0\377", 2);
	ck_assert_uint_eq(uri.object.len, 0);
}
END_TEST

static void
write_text(const char *file, const char *text)
{
	int fd = openat(dir, file, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

START_TEST(a_token_needs_a_pin_and_a_module)
{
	struct err err = { 0 };

	write_text("k", "pkcs11:object=a\n");
	ck_assert_int_eq(load("k", "", &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "PIN"));
	ck_assert_int_eq(load("k", "1234", &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "pkcs11_module"));
	write_text("k", "pkcs11:object=a\npkcs11:object=b\n");
	ck_assert_int_eq(load("k", "1234", &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "behind it"));
	ck_assert_int_eq(keystore_rekey(dir, "k", bytes_of("1234"),
	    bytes_of("2345"), &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "token"));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("keystore");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	/* One row does all the work that is allowed. */
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, a_key_comes_back, 0, ROWS(forms));
	tcase_add_test(tc, a_wrong_passphrase_is_said);
	tcase_add_test(tc, no_file_is_replaced);
	tcase_add_test(tc, what_a_crash_left_is_no_obstacle);
	tcase_add_loop_test(tc, a_file_open_to_others_is_refused, 0,
	    ROWS(bad_modes));
	tcase_add_test(tc, another_owner_is_refused);
	tcase_add_test(tc, links_and_other_kinds_of_file_are_refused);
	tcase_add_loop_test(tc, a_broken_file_is_refused, 0, ROWS(broken));
	tcase_add_test(tc, a_passphrase_for_a_plain_key_is_refused);
	tcase_add_loop_test(tc, work_that_a_file_asks_for_has_a_limit, 0,
	    ROWS(schemes));
	tcase_add_test(tc, only_aes_is_opened);
	tcase_add_test(tc, a_key_is_made_and_stored);
	tcase_add_loop_test(tc, after_a_change_only_the_new_passphrase_opens,
	    0, ROWS(changes));
	tcase_add_test(tc, a_change_with_the_wrong_passphrase_changes_nothing);
	tcase_add_test(tc, what_is_read_early_opens_late);
	tcase_add_loop_test(tc, a_uri_names_a_key_and_nothing_else, 0,
	    ROWS(uris));
	tcase_add_test(tc, a_uri_is_decoded);
	tcase_add_test(tc, a_token_needs_a_pin_and_a_module);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
