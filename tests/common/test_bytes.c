#include "common/bytes.h"
#include "tests/support/fixtures.h"

#include <string.h>

static const struct {
	const char	*name;
	const char	*in;
	const char	*want;	/* NULL: refused */
} base64s[] = {
	{ "empty is empty",			"",		"" },
	{ "one octet",				"Zg==",		"f" },
	{ "two octets",				"Zm8=",		"fo" },
	{ "three octets",			"Zm9v",		"foo" },
	{ "white space is skipped",		" Zm\r\n9v\t",	"foo" },
	{ "padding is required",		"Zg",		NULL },
	{ "half the padding",			"Zg=",		NULL },
	{ "too much padding",			"Zg===",	NULL },
	{ "padding alone",			"====",		NULL },
	{ "octets after the padding",		"Zg==Zg==",	NULL },
	{ "left-over bits are not zero",	"Zh==",		NULL },
	{ "left-over bits are not zero, two",	"Zm9=",		NULL },
	{ "another alphabet",			"Zm9-",		NULL },
	{ "one letter",				"Z",		NULL },
};

START_TEST(base64_decodes_strictly)
{
	OWNED_BUF(out, 64);
	int r = base64_decode(bytes_of(base64s[_i].in), &out);

	ck_assert_msg((r == 0) == (base64s[_i].want != NULL), "%s",
	    base64s[_i].name);
	if (r == 0)
		ck_assert_str_eq(buf_str(&out), base64s[_i].want);
}
END_TEST

START_TEST(base64_of_every_length_comes_back)
{
	uint8_t octets[70];

	for (size_t n = 0; n <= sizeof(octets); n++) {
		OWNED_BUF(text, 200);
		OWNED_BUF(back, 200);

		memset(octets, (int)(255 - n), sizeof(octets));
		ck_assert_int_eq(base64_encode((struct bytes){ octets, n }, 64,
		    &text), 0);
		ck_assert_int_eq(base64_decode(buf_bytes(&text), &back), 0);
		ck_assert(bytes_equal(buf_bytes(&back),
		    (struct bytes){ octets, n }));
	}
}
END_TEST

START_TEST(a_buffer_never_passes_its_ceiling)
{
	OWNED_BUF(b, 10);

	ck_assert_int_eq(buf_append_str(&b, "0123456789"), 0);
	ck_assert_int_eq(buf_append(&b, "x", 1), -1);
	ck_assert(b.failed);
	ck_assert_int_eq(buf_append(&b, "", 0), -1);	/* sticky */
	ck_assert_str_eq(buf_str(&b), "0123456789");
	buf_clear(&b);
	ck_assert_int_eq(buf_printf(&b, "%d", 1234567890), 0);
	ck_assert_int_eq(buf_printf(&b, "%d", 1), -1);
	buf_clear(&b);
	ck_assert_int_eq(buf_printf(&b, "%s", "longer than ten"), -1);
	ck_assert_uint_eq(b.len, 0);
}
END_TEST

START_TEST(a_buffer_gives_up_octets_from_its_front)
{
	OWNED_BUF(b, 1000);

	buf_append_str(&b, "abcdef");
	buf_consume(&b, 2);
	ck_assert_str_eq(buf_str(&b), "cdef");
	buf_consume(&b, 99);
	ck_assert_str_eq(buf_str(&b), "");
}
END_TEST

START_TEST(hex_goes_both_ways_and_refuses_the_rest)
{
	uint8_t out[4];
	char text[9];

	ck_assert_int_eq(hex_decode("00fFa0", out, sizeof(out)), 3);
	hex_encode((struct bytes){ out, 3 }, text);
	ck_assert_str_eq(text, "00ffa0");
	hex_encode_colons((struct bytes){ out, 3 }, text);
	ck_assert_str_eq(text, "00:FF:A0");
	hex_encode_colons((struct bytes){ out, 0 }, text);
	ck_assert_str_eq(text, "");
	ck_assert_int_eq(hex_decode("0", out, sizeof(out)), -1);
	ck_assert_int_eq(hex_decode("0g", out, sizeof(out)), -1);
	ck_assert_int_eq(hex_decode("0011223344", out, sizeof(out)), -1);
}
END_TEST

START_TEST(finding_and_slicing_stay_inside)
{
	struct bytes hay = bytes_of("needle in hay");

	ck_assert_uint_eq(bytes_find(hay, bytes_of("in")), 7);
	ck_assert_uint_eq(bytes_find(hay, bytes_of("")), (size_t)-1);
	ck_assert_uint_eq(bytes_find(hay, bytes_of("hayx")), (size_t)-1);
	ck_assert_uint_eq(bytes_slice(hay, 10, 99).len, 3);
	ck_assert_uint_eq(bytes_slice(hay, 99, 1).len, 0);
	ck_assert(bytes_equal_nocase(bytes_of("NEEDLE"), "needle"));
	ck_assert(!bytes_equal_nocase(bytes_of("NEEDL"), "needle"));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("bytes");
	TCase *tc = tcase_create("all");

	tcase_add_loop_test(tc, base64_decodes_strictly, 0, ROWS(base64s));
	tcase_add_test(tc, base64_of_every_length_comes_back);
	tcase_add_test(tc, a_buffer_never_passes_its_ceiling);
	tcase_add_test(tc, a_buffer_gives_up_octets_from_its_front);
	tcase_add_test(tc, hex_goes_both_ways_and_refuses_the_rest);
	tcase_add_test(tc, finding_and_slicing_stay_inside);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
