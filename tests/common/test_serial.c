#include "common/serial.h"

#include "common/ca.h"
#include "common/err.h"
#include "tests/support/fixtures.h"

#include <string.h>

static const struct {
	const char	*text, *want;	/* NULL: refused */
} hexes[] = {
	{ "1", "01" }, { "0x1F", "1f" }, { "12:34:56", "123456" },
	{ "12 34", "1234" }, { "0012", "12" }, { "f00", "0f00" },
	{ "0123456789abcdef0123456789abcdef01234567",
	  "0123456789abcdef0123456789abcdef01234567" },
	{ "ffffffffffffffffffffffffffffffffffffffff",
	  "ffffffffffffffffffffffffffffffffffffffff" },
	{ "1ffffffffffffffffffffffffffffffffffffffff", NULL },
	{ "", NULL }, { "0", NULL }, { "00:00", NULL }, { "-1", NULL },
	{ "12g", NULL }, { "0x", NULL },
};

START_TEST(serials_are_read_as_people_type_them)
{
	struct serial s;
	struct err err;
	char text[SERIAL_HEX_SIZE];
	int r = serial_from_hex(hexes[_i].text, &s, &err);

	ck_assert_msg((r == 0) == (hexes[_i].want != NULL), "%s",
	    hexes[_i].text);
	if (r == -1)
		return;
	serial_to_hex(&s, text);
	ck_assert_str_eq(text, hexes[_i].want);
}
END_TEST

START_TEST(a_fresh_serial_is_positive_and_comes_back_from_asn1)
{
	for (int i = 0; i < 1000; i++) {
		struct serial s, back;
		struct err err;
		ASN1_INTEGER *n;

		ck_assert_int_eq(serial_generate(&s, &err), 0);
		ck_assert_uint_eq(s.len, 16);
		ck_assert(s.octets[0] != 0 && s.octets[0] < 0x80);
		n = serial_to_asn1(&s);
		ck_assert_int_eq(serial_from_asn1(n, &back, &err), 0);
		ck_assert(serial_equal(&s, &back));
		ASN1_INTEGER_free(n);
	}
}
END_TEST

START_TEST(zero_negative_and_long_serials_are_refused)
{
	ASN1_INTEGER *n = ASN1_INTEGER_new();
	uint8_t octets[21] = { 1 };
	struct serial s;
	struct err err;

	ASN1_INTEGER_set(n, 0);
	ck_assert_int_eq(serial_from_asn1(n, &s, &err), -1);
	ASN1_INTEGER_set(n, -5);
	ck_assert_int_eq(serial_from_asn1(n, &s, &err), -1);
	ASN1_INTEGER_free(n);
	ck_assert_int_eq(serial_from_octets((struct bytes){ octets, 20 }, &s,
	    &err), 0);
	ck_assert_int_eq(serial_from_octets((struct bytes){ octets, 21 }, &s,
	    &err), -1);
	ck_assert_int_eq(serial_from_octets((struct bytes){ octets + 1, 2 },
	    &s, &err), -1);
}
END_TEST

static const struct {
	const char	*name;
	bool		 valid;
} names[] = {
	{ "users", true }, { "example.com/users", true }, { "a/b/c", false },
	{ "", false }, { "/a", false }, { "a/", false }, { "..", false },
	{ "a/..", false }, { "a//b", false }, { "a@b", false },
	{ "-a", false }, { "a b", false },
	{ "a23456789012345678901234567890123456789012345678901234567890123",
	  true },
	{ "a234567890123456789012345678901234567890123456789012345678901234",
	  false },
};

START_TEST(names_of_cas_make_safe_files)
{
	char file[80];

	ck_assert_msg(ca_name_is_valid(names[_i].name) == names[_i].valid,
	    "%s", names[_i].name);
	ca_file_name(names[_i].name, ".key", file, sizeof(file));
	ck_assert_ptr_null(strchr(file, '/'));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("serial");
	TCase *tc = tcase_create("all");

	tcase_add_loop_test(tc, serials_are_read_as_people_type_them, 0,
	    ROWS(hexes));
	tcase_add_test(tc, a_fresh_serial_is_positive_and_comes_back_from_asn1);
	tcase_add_test(tc, zero_negative_and_long_serials_are_refused);
	tcase_add_loop_test(tc, names_of_cas_make_safe_files, 0, ROWS(names));
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
