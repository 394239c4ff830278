#include "csrmaild/certs_only.h"

#include "common/err.h"
#include "common/owned.h"
#include "tests/support/fixtures.h"
#include "tests/support/test_ca.h"

#include <string.h>

static struct test_ca ca;
static X509 *many[CERTS_ONLY_MAX + 1];

static void
set_up(void)
{
	test_ca_make(&ca, KEY_P256);
	for (size_t i = 0; i <= CERTS_ONLY_MAX; i++)
		many[i] = ca.cert;
}

static void
tear_down(void)
{
	test_ca_free(&ca);
}

static int
write_n(size_t n, struct buf *out)
{
	struct err err;

	return certs_only_write(many, n, out, &err);
}

static void
free_all(X509 **certs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		X509_free(certs[i]);
}

START_TEST(what_is_written_is_read)
{
	OWNED_BUF(file, 1u << 20);
	X509 *certs[CERTS_ONLY_MAX];
	size_t n = 0;
	struct err err = { 0 };

	ck_assert_int_eq(write_n((size_t)_i, &file), 0);
	ck_assert_msg(certs_only_read(buf_bytes(&file), certs, &n, &err) == 0,
	    "%s", err.text);
	ck_assert_uint_eq(n, (size_t)_i);
	for (size_t i = 0; i < n; i++)
		ck_assert_int_eq(X509_cmp(certs[i], ca.cert), 0);
	free_all(certs, n);
}
END_TEST

/* None, and one more than there may be. */
static const size_t counts[] = { 0, CERTS_ONLY_MAX + 1 };

START_TEST(their_number_is_bounded)
{
	OWNED_BUF(file, 1u << 20);
	X509 *certs[CERTS_ONLY_MAX];
	size_t n = 77;
	struct err err = { 0 };

	ck_assert_int_eq(write_n(counts[_i], &file), 0);
	ck_assert_int_eq(certs_only_read(buf_bytes(&file), certs, &n, &err),
	    -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_uint_eq(n, 77);
}
END_TEST

START_TEST(every_file_that_is_cut_is_refused)
{
	OWNED_BUF(file, 1u << 20);
	X509 *certs[CERTS_ONLY_MAX];
	size_t n;
	struct err err;

	ck_assert_int_eq(write_n(1, &file), 0);
	for (size_t len = 0; len < file.len; len++)
		ck_assert_msg(certs_only_read((struct bytes){ file.data, len },
		    certs, &n, &err) == -1, "%zu octets", len);
}
END_TEST

START_TEST(nothing_may_follow)
{
	OWNED_BUF(file, 1u << 20);
	X509 *certs[CERTS_ONLY_MAX];
	size_t n;
	struct err err = { 0 };

	ck_assert_int_eq(write_n(1, &file), 0);
	ck_assert_int_eq(buf_append(&file, "", 1), 0);
	ck_assert_int_eq(certs_only_read(buf_bytes(&file), certs, &n, &err),
	    -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
}
END_TEST

START_TEST(another_content_is_refused)
{
	/* ContentInfo of type data with an empty OCTET STRING. */
	static const uint8_t data[] = { 0x30, 0x0f, 0x06, 0x09, 0x2a, 0x86,
		0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01, 0xa0, 0x02, 0x04,
		0x00 };
	X509 *certs[CERTS_ONLY_MAX];
	size_t n;
	struct err err = { 0 };

	ck_assert_int_eq(certs_only_read((struct bytes){ data, sizeof(data) },
	    certs, &n, &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("certs_only");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_loop_test(tc, what_is_written_is_read, 1,
	    CERTS_ONLY_MAX + 1);
	tcase_add_loop_test(tc, their_number_is_bounded, 0, ROWS(counts));
	tcase_add_test(tc, every_file_that_is_cut_is_refused);
	tcase_add_test(tc, nothing_may_follow);
	tcase_add_test(tc, another_content_is_refused);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
