#include "ocspd/http.h"
#include "tests/support/fixtures.h"

#include <string.h>

static const struct http_limits limits = { .max_head_octets = 1024,
	.max_target_octets = 128, .max_body_octets = 64 };
static uint8_t room[64];

#define H	"Host: a\r\n"
#define CHUNKED	"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n"
#define T64	"tttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt"

/* want 0: complete; 1: incomplete; else the status it is refused with. */
static const struct {
	const char	*name;
	const char	*in;
	unsigned int	 want;
	bool		 keep_alive;
	const char	*path;
	const char	*body;
} requests[] = {
	{ "a GET", "GET /a HTTP/1.1\r\n" H "\r\n", 0, true, "/a", "" },
	{ "an empty line before", "\r\nGET /a HTTP/1.1\r\n" H "\r\n", 0, true,
	  "/a", "" },
	{ "close is heard", "GET / HTTP/1.1\r\n" H "Connection: x, Close\r\n"
	  "\r\n", 0, false, "/", "" },
	{ "HTTP/1.0 closes", "GET / HTTP/1.0\r\n\r\n", 0, false, "/", "" },
	{ "HTTP/1.0 keeps alive when asked", "GET / HTTP/1.0\r\n"
	  "Connection: keep-alive\r\n\r\n", 0, true, "/", "" },
	{ "absolute form", "GET http://h/p?q HTTP/1.1\r\n" H "\r\n", 0, true,
	  "/p", "" },
	{ "absolute form without a path", "GET http://h HTTP/1.1\r\n" H
	  "\r\n", 0, true, "/", "" },
	{ "a POST", "POST / HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\nabcGET",
	  0, true, "/", "abc" },
	{ "a body not all there", "POST / HTTP/1.1\r\n" H
	  "Content-Length: 4\r\n\r\nabc", 1, false, NULL, NULL },
	{ "a head not all there", "GET / HTTP/1.1\r\n" H, 1, false, NULL,
	  NULL },
	{ "a bare line feed", "GET / HTTP/1.1\n" H "\r\n", 400, 0, 0, 0 },
	{ "a bare carriage return", "GET / HTTP/1.1\r\nA: b\rc\r\n" H "\r\n",
	  400, 0, 0, 0 },
	{ "no Host", "GET / HTTP/1.1\r\n\r\n", 400, 0, 0, 0 },
	{ "two Hosts", "GET / HTTP/1.1\r\n" H H "\r\n", 400, 0, 0, 0 },
	{ "a space before the colon", "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
	  400, 0, 0, 0 },
	{ "a folded line", "GET / HTTP/1.1\r\n" H " b\r\n\r\n", 400, 0, 0, 0 },
	{ "a NUL-like control", "GET / HTTP/1.1\r\n" H "A: \x01\r\n\r\n", 400,
	  0, 0, 0 },
	{ "two spaces", "GET  / HTTP/1.1\r\n" H "\r\n", 400, 0, 0, 0 },
	{ "no version", "GET /\r\n\r\n", 400, 0, 0, 0 },
	{ "a method alone", "GET \r\n\r\n", 400, 0, 0, 0 },
	{ "another protocol", "GET / HTPT/1.1\r\n" H "\r\n", 400, 0, 0, 0 },
	{ "asterisk form", "GET * HTTP/1.1\r\n" H "\r\n", 400, 0, 0, 0 },
	{ "HTTP/2", "GET / HTTP/2.0\r\n" H "\r\n", 505, 0, 0, 0 },
	{ "another method", "PUT / HTTP/1.1\r\n" H "\r\n", 405, 0, 0, 0 },
	{ "methods have a case", "get / HTTP/1.1\r\n" H "\r\n", 405, 0, 0, 0 },
	{ "two equal lengths", "POST / HTTP/1.1\r\n" H "Content-Length: 1\r\n"
	  "Content-Length: 1\r\n\r\na", 400, 0, 0, 0 },
	{ "a list of lengths", "POST / HTTP/1.1\r\n" H
	  "Content-Length: 1, 1\r\n\r\na", 400, 0, 0, 0 },
	{ "a signed length", "POST / HTTP/1.1\r\n" H "Content-Length: +1\r\n"
	  "\r\na", 400, 0, 0, 0 },
	{ "a length past 64 bits", "POST / HTTP/1.1\r\n" H
	  "Content-Length: 99999999999999999999\r\n\r\na", 400, 0, 0, 0 },
	{ "length and coding", "POST / HTTP/1.1\r\n" H "Content-Length: 1\r\n"
	  "Transfer-Encoding: chunked\r\n\r\na", 400, 0, 0, 0 },
	{ "an empty body in chunks", CHUNKED "0\r\n\r\n", 0, true, "/", "" },
	{ "two chunks", CHUNKED "2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", 0, true,
	  "/", "abc" },
	{ "chunks with zeros in front, extensions and a trailer", CHUNKED
	  "0002;a=b\r\nab\r\n000 ;c\r\nA: b\r\n\r\n", 0, true, "/", "ab" },
	{ "hexadecimal sizes in both cases", CHUNKED "a\r\n0123456789\r\n"
	  "A\r\nabcdefghij\r\n0\r\n\r\n", 0, true, "/",
	  "0123456789abcdefghij" },
	{ "the longest body in chunks", CHUNKED "40\r\n" T64 "\r\n0\r\n\r\n",
	  0, true, "/", T64 },
	{ "a longer body in chunks", CHUNKED "41\r\n", 413, 0, 0, 0 },
	{ "a body that grows too long", CHUNKED "40\r\n" T64 "\r\n1\r\n", 413,
	  0, 0, 0 },
	{ "chunks without their last", CHUNKED "1\r\na\r\n", 1, 0, 0, 0 },
	{ "a trailer without its end", CHUNKED "0\r\nA: b\r\n", 1, 0, 0, 0 },
	{ "a size with a sign", CHUNKED "+1\r\na\r\n0\r\n\r\n", 400, 0, 0, 0 },
	{ "a size with a prefix", CHUNKED "0x1\r\na\r\n0\r\n\r\n", 400, 0, 0,
	  0 },
	{ "no size", CHUNKED "\r\n", 400, 0, 0, 0 },
	{ "a size of nine digits", CHUNKED "000000001\r\n", 400, 0, 0, 0 },
	{ "a chunk longer than its size", CHUNKED "1\r\nab\r\n0\r\n\r\n", 400,
	  0, 0, 0 },
	{ "a chunk that a line feed ends", CHUNKED "1\r\na\n0\r\n\r\n", 400, 0,
	  0, 0 },
	{ "a size line that a line feed ends", CHUNKED "1\na\r\n", 400, 0, 0,
	  0 },
	{ "a trailer that is none", CHUNKED "0\r\nab\r\n\r\n", 400, 0, 0, 0 },
	{ "chunks of HTTP/1.0", "POST / HTTP/1.0\r\n" H
	  "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, 0, 0, 0 },
	{ "two codings", "POST / HTTP/1.1\r\n" H
	  "Transfer-Encoding: gzip, chunked\r\n\r\n", 501, 0, 0, 0 },
	{ "an unknown coding", "POST / HTTP/1.1\r\n" H
	  "Transfer-Encoding: gzip\r\n\r\n", 501, 0, 0, 0 },
	{ "a POST without a length", "POST / HTTP/1.1\r\n" H "\r\n", 411, 0, 0,
	  0 },
	{ "the longest body", "POST / HTTP/1.1\r\n" H "Content-Length: 64\r\n"
	  "\r\n" T64, 0, true, "/", T64 },
	{ "a longer body", "POST / HTTP/1.1\r\n" H "Content-Length: 65\r\n"
	  "\r\n", 413, 0, 0, 0 },
	{ "a long target", "GET /" T64 T64 " HTTP/1.1\r\n" H "\r\n", 414, 0, 0,
	  0 },
	{ "a target without end", "GET /" T64 T64 T64, 414, 0, 0, 0 },
	{ "a long head", "GET / HTTP/1.1\r\n" H "A: " T64 T64 T64 T64 "\r\nA: "
	  T64 T64 T64 T64 "\r\nA: " T64 T64 T64 T64 "\r\nA: " T64 T64 T64 T64,
	  431, 0, 0, 0 },
	{ "another expectation", "POST / HTTP/1.1\r\n" H "Expect: tea\r\n"
	  "Content-Length: 1\r\n\r\na", 417, 0, 0, 0 },
};

START_TEST(requests_are_read_strictly)
{
	struct bytes in = bytes_of(requests[_i].in);
	struct http_request r;
	unsigned int status = 0, want = requests[_i].want;
	enum http_result got = http_read(in, &limits, room, &r, &status);

	ck_assert_msg(got == (want == 0 ? HTTP_COMPLETE : want == 1 ?
	    HTTP_INCOMPLETE : HTTP_REFUSED) && (want < 2 || status == want),
	    "%s: %d %u", requests[_i].name, (int)got, status);
	if (want != 0)
		return;
	ck_assert_int_eq(r.keep_alive, requests[_i].keep_alive);
	ck_assert(bytes_equal(r.path, bytes_of(requests[_i].path)));
	ck_assert(bytes_equal(r.body, bytes_of(requests[_i].body)));
}
END_TEST

/* However the octets arrive, the answer is the same, and never earlier. */
START_TEST(one_octet_at_a_time_changes_nothing)
{
	struct bytes in = bytes_of(requests[_i].in);
	struct http_request r;
	unsigned int status;

	for (size_t n = 0; n <= in.len; n++) {
		enum http_result got = http_read(bytes_slice(in, 0, n),
		    &limits, room, &r, &status);

		if (got == HTTP_REFUSED) {
			ck_assert_msg(status == requests[_i].want, "%s",
			    requests[_i].name);
			return;
		}
		if (got == HTTP_COMPLETE) {
			ck_assert_msg(requests[_i].want == 0 &&
			    r.octets == n, "%s", requests[_i].name);
			return;
		}
	}
	ck_assert_msg(requests[_i].want == 1, "%s", requests[_i].name);
}
END_TEST

START_TEST(a_request_ends_where_the_next_begins)
{
	struct bytes in = bytes_of("POST / HTTP/1.1\r\n" H
	    "Content-Length: 2\r\n\r\nabHEAD /x HTTP/1.1\r\n" H "\r\n");
	struct http_request r;
	unsigned int status;

	ck_assert_int_eq(http_read(in, &limits, room, &r, &status), HTTP_COMPLETE);
	in = bytes_slice(in, r.octets, in.len);
	ck_assert_int_eq(http_read(in, &limits, room, &r, &status), HTTP_COMPLETE);
	ck_assert_int_eq(r.method, HTTP_HEAD);
	ck_assert_uint_eq(r.octets, in.len);
}
END_TEST

/* Sizes, extensions and trailers are not a way around the limits. */
START_TEST(framing_of_chunks_is_limited)
{
	OWNED_BUF(in, 1u << 20);
	struct http_request r;
	unsigned int status;

	buf_append_str(&in, CHUNKED "0\r\nA: ");
	for (int i = 0; i < 4096 - 9; i++)
		buf_append_str(&in, "x");
	buf_append_str(&in, "\r\n\r\n");
	ck_assert_int_eq(http_read(buf_bytes(&in), &limits, room, &r,
	    &status), HTTP_REFUSED);
	ck_assert_uint_eq(status, 413);
	/* Two octets less, and it is what may be. */
	buf_clear(&in);
	buf_append_str(&in, CHUNKED "0\r\nA: ");
	for (int i = 0; i < 4096 - 10; i++)
		buf_append_str(&in, "x");
	buf_append_str(&in, "\r\n\r\n");
	ck_assert_int_eq(http_read(buf_bytes(&in), &limits, room, &r,
	    &status), HTTP_COMPLETE);
	ck_assert_uint_eq(r.octets, in.len);
	/* One that never ends is refused before it fills memory. */
	buf_clear(&in);
	buf_append_str(&in, CHUNKED "1;");
	for (int i = 0; i < 5000; i++)
		buf_append_str(&in, "x");
	ck_assert_int_eq(http_read(buf_bytes(&in), &limits, room, &r,
	    &status), HTTP_REFUSED);
	ck_assert_uint_eq(status, 413);
}
END_TEST

/* By name, whatever its case, and the last of several. */
static const struct {
	const char	*field;
	size_t		 at;
} used[] = {
#define USED(name, member)	{ name, offsetof(struct http_request, member) }
	USED("Content-Type", content_type),
	USED("If-Match", if_match),
	USED("If-None-Match", if_none_match),
	USED("If-Modified-Since", if_modified_since),
	USED("If-Unmodified-Since", if_unmodified_since),
	USED("Range", range),
	USED("If-Range", if_range),
	USED("Forwarded", forwarded),
	USED("x-forwarded-for", x_forwarded_for),
};

START_TEST(fields_are_found_by_their_names)
{
	OWNED_BUF(text, 1024);
	struct http_request r;
	unsigned int status;
	const struct bytes *value;

	buf_printf(&text, "GET / HTTP/1.1\r\n" H "%s: before\r\n%s: \t this one "
	    "\r\n%sx: not this\r\n\r\n", used[_i].field, used[_i].field,
	    used[_i].field);
	ck_assert_int_eq(http_read(buf_bytes(&text), &limits, room, &r,
	    &status), HTTP_COMPLETE);
	for (int i = 0; i < ROWS(used); i++) {
		value = (const void *)((const char *)&r + used[i].at);
		ck_assert_msg(bytes_equal(*value, bytes_of(i == _i ?
		    "this one" : "")), "%s", used[i].field);
	}
}
END_TEST

START_TEST(continue_is_wanted_only_by_http_1_1)
{
	struct http_request r;
	unsigned int status;

	ck_assert_int_eq(http_read(bytes_of("POST / HTTP/1.1\r\n" H
	    "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\n"), &limits, room, &r,
	    &status), HTTP_INCOMPLETE);
	ck_assert(r.wants_continue && r.head_octets > 0);
	ck_assert_int_eq(http_read(bytes_of("POST / HTTP/1.0\r\n"
	    "Expect: 100-continue\r\nContent-Length: 1\r\n\r\n"), &limits, room, &r,
	    &status), HTTP_INCOMPLETE);
	ck_assert(!r.wants_continue);
}
END_TEST

static const struct {
	const char	*text;
	int64_t		 t;	/* -1: not understood */
} dates[] = {
	{ "Thu, 01 Jan 1970 00:00:00 GMT", 0 },
	{ "Sun, 06 Nov 1994 08:49:37 GMT", 784111777 },
	{ "Thu, 29 Feb 2024 23:59:59 GMT", 1709251199 },
	{ "Fri, 31 Dec 9999 23:59:59 GMT", 253402300799 },
	{ "Mon, 06 Nov 1994 08:49:37 GMT", -1 },	/* was a Sunday */
	{ "Thu, 30 Feb 2024 00:00:00 GMT", -1 },
	{ "Sun, 06 Nov 1994 08:49:37 UTC", -1 },
	{ "Sunday, 06-Nov-94 08:49:37 GMT", -1 },
};

START_TEST(dates_are_imf_fixdate_both_ways)
{
	char out[HTTP_DATE_OCTETS];

	ck_assert_int_eq(http_get_date(bytes_of(dates[_i].text)), dates[_i].t);
	if (dates[_i].t < 0)
		return;
	http_put_date(dates[_i].t, out);
	ck_assert_mem_eq(out, dates[_i].text, HTTP_DATE_OCTETS);
}
END_TEST

START_TEST(an_entity_tag_matches_weakly_and_wholly)
{
	struct bytes tag = bytes_of("abc");

	ck_assert(http_etag_matches(bytes_of("\"abc\""), tag));
	ck_assert(http_etag_matches(bytes_of("\"x\", W/\"abc\""), tag));
	ck_assert(http_etag_matches(bytes_of("*"), tag));
	ck_assert(!http_etag_matches(bytes_of("\"abcd\""), tag));
	ck_assert(!http_etag_matches(bytes_of("abc"), tag));
	ck_assert(!http_etag_matches(bytes_of(""), tag));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("http");
	TCase *c = tcase_create("http");

	tcase_add_loop_test(c, requests_are_read_strictly, 0, ROWS(requests));
	tcase_add_loop_test(c, one_octet_at_a_time_changes_nothing, 0,
	    ROWS(requests));
	tcase_add_test(c, a_request_ends_where_the_next_begins);
	tcase_add_test(c, framing_of_chunks_is_limited);
	tcase_add_loop_test(c, fields_are_found_by_their_names, 0,
	    ROWS(used));
	tcase_add_test(c, continue_is_wanted_only_by_http_1_1);
	tcase_add_loop_test(c, dates_are_imf_fixdate_both_ways, 0,
	    ROWS(dates));
	tcase_add_test(c, an_entity_tag_matches_weakly_and_wholly);
	suite_add_tcase(s, c);
	return fixture_run(s);
}
