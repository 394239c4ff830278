#include "common/frame.h"
#include "tests/support/fixtures.h"

#include <string.h>

START_TEST(fields_come_back_as_they_went)
{
	OWNED_BUF(b, 1024);
	struct cursor c;
	char text[6];

	put_u8(&b, 7);
	put_u16(&b, 0xbeef);
	put_u32(&b, 0xdeadbeef);
	put_u64(&b, UINT64_MAX);
	put_time(&b, -5);
	put_str(&b, "hello");
	put_bytes(&b, bytes_of(""));
	c = CURSOR(buf_bytes(&b));
	ck_assert_uint_eq(get_u8(&c), 7);
	ck_assert_uint_eq(get_u16(&c), 0xbeef);
	ck_assert_uint_eq(get_u32(&c), 0xdeadbeef);
	ck_assert(get_u64(&c) == UINT64_MAX);
	ck_assert_int_eq(get_time(&c), -5);
	get_str(&c, text, sizeof(text));
	ck_assert_str_eq(text, "hello");
	ck_assert(!cursor_end(&c));		/* something is left */
	ck_assert_uint_eq(get_bytes(&c, 0).len, 0);
	ck_assert(cursor_end(&c));
}
END_TEST

START_TEST(a_short_payload_fails_for_good)
{
	OWNED_BUF(b, 64);
	struct cursor c;

	put_u16(&b, 1);
	c = CURSOR(buf_bytes(&b));
	ck_assert_uint_eq(get_u32(&c), 0);
	ck_assert(c.failed);
	ck_assert_uint_eq(get_u8(&c), 0);	/* sticky, although one is there */
	ck_assert(!cursor_end(&c));
}
END_TEST

static const struct {
	const char	*name;
	struct bytes	 payload;
} bad_strings[] = {
	{ "longer than the place",	{ (const uint8_t *)"\0\0\0\4abcd", 8 } },
	{ "longer than the payload",	{ (const uint8_t *)"\0\0\0\3ab", 6 } },
	{ "huge length",		{ (const uint8_t *)"\xff\xff\xff\xff", 4 } },
	{ "a NUL inside",		{ (const uint8_t *)"\0\0\0\3a\0c", 7 } },
};

START_TEST(a_bad_string_is_refused)
{
	struct cursor c = CURSOR(bad_strings[_i].payload);
	char text[4];

	get_str(&c, text, sizeof(text));
	ck_assert_msg(c.failed, "%s", bad_strings[_i].name);
	ck_assert_str_eq(text, "");
}
END_TEST

START_TEST(values_out_of_range_are_refused)
{
	struct cursor c = CURSOR(bytes_of("\x04"));
	ck_assert_uint_eq(get_enum(&c, 1, 3), 1);
	ck_assert(c.failed);
	c = CURSOR(bytes_of("\x02"));
	ck_assert(!get_bool(&c));
	ck_assert(c.failed);
	c = CURSOR(((struct bytes){ (const uint8_t *)"\0\0\0\5", 4 }));
	ck_assert_uint_eq(get_count(&c, 4), 0);
	ck_assert(c.failed);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("frame");
	TCase *tc = tcase_create("all");

	tcase_add_test(tc, fields_come_back_as_they_went);
	tcase_add_test(tc, a_short_payload_fails_for_good);
	tcase_add_loop_test(tc, a_bad_string_is_refused, 0, ROWS(bad_strings));
	tcase_add_test(tc, values_out_of_range_are_refused);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
