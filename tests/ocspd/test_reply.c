/* What caches are told (RFC 9919, 6 and 7.2; RFC 9110, 13; RFC 9111). */
#include "ocspd/reply.h"
#include "tests/support/fixtures.h"

#include <stdio.h>
#include <string.h>

#define VALIDITY	1000
#define NEXT		(NOON + VALIDITY)
#define ETAG		"abababababababababababababababab"	\
			"abababababababababababababababab"
#define OTHER_ETAG	"\"0123\""

static struct buf out;
static const uint8_t digest[32] = {
	0xab, 0xab, 0xab, 0xab, 0xab, 0xab, 0xab, 0xab, 0xab, 0xab, 0xab,
	0xab, 0xab, 0xab, 0xab, 0xab, 0xab, 0xab, 0xab, 0xab, 0xab, 0xab,
	0xab, 0xab, 0xab, 0xab, 0xab, 0xab, 0xab, 0xab, 0xab, 0xab };

static void
set_up(void)
{
	out = BUF(65536);
}

static void
tear_down(void)
{
	buf_free(&out);
}

/* "Name: value" as a whole line of the head. */
static bool
has_field(const char *name, const char *value)
{
	char line[256];

	snprintf(line, sizeof(line), "\r\n%s: %s\r\n", name, value);
	return strstr(buf_str(&out), line) != NULL;
}

static bool
has_date(const char *name, int64_t t)
{
	char date[HTTP_DATE_OCTETS + 1] = "";

	http_put_date(t, date);
	return has_field(name, date);
}

static bool
has_any(const char *text)
{
	return strstr(buf_str(&out), text) != NULL;
}

static bool
has_status(unsigned int status)
{
	char line[32];

	snprintf(line, sizeof(line), "HTTP/1.1 %u ", status);
	return strncmp(buf_str(&out), line, strlen(line)) == 0;
}

static void
give(int64_t now, int64_t max_age_s, const struct http_request *req)
{
	const struct reply r = { .out = &out, .now = now, .keep_alive = true };
	const struct reply_facts f = { NOON, NEXT, digest, max_age_s };

	reply_signed(&r, &f, bytes_of("signed"), req);
}

/* max-age ends before nextUpdate does. */
static const struct {
	const char	*name;
	int64_t		 now, max_age_s;
	const char	*want;
} ages[] = {
	{ "young", NOON, 300, "300" },
	{ "the last moment of all of it", NEXT - 301, 300, "300" },
	{ "cut to below nextUpdate", NEXT - 300, 300, "299" },
	{ "longer than the answer", NOON, 5000, "999" },
	{ "not at all, by configuration", NOON, 0, "0" },
	{ "a second left", NEXT - 1, 300, "0" },
	{ "at nextUpdate", NEXT, 300, "0" },
	{ "past it", NEXT + 5, 300, "0" },
};

START_TEST(a_signed_answer_tells_caches_how_long)
{
	char cache[128];

	give(ages[_i].now, ages[_i].max_age_s, NULL);
	snprintf(cache, sizeof(cache), "max-age=%s, public, no-transform, "
	    "must-revalidate", ages[_i].want);
	ck_assert_msg(has_field("Cache-Control", cache), "%s: %s",
	    ages[_i].name, buf_str(&out));
	ck_assert(has_status(200));
	ck_assert(has_date("Date", ages[_i].now));
	ck_assert(has_date("Expires", NEXT));
	ck_assert(has_field("ETag", "\"" ETAG "\""));
	ck_assert(has_field("Content-Type", "application/ocsp-response"));
	ck_assert(has_field("Content-Length", "6"));
	ck_assert(has_any("\r\n\r\nsigned"));
}
END_TEST

START_TEST(last_modified_is_this_update)
{
	give(NOON + 77, 300, NULL);
	ck_assert(has_date("Last-Modified", NOON));
}
END_TEST

/* RFC 9110, 13.2.2. The date is that of Last-Modified plus so many seconds. */
static const struct {
	const char	*name;
	enum http_method method;
	const char	*etag;	/* NULL: not asked */
	int		 since;	/* NEVER: not asked */
	unsigned int	 want;
} conditions[] = {
#define NEVER	(-9999)
	{ "none", HTTP_GET, NULL, NEVER, 200 },
	{ "this tag", HTTP_GET, "\"" ETAG "\"", NEVER, 304 },
	{ "this tag, weakly", HTTP_GET, "W/\"" ETAG "\"", NEVER, 304 },
	{ "this tag, to HEAD", HTTP_HEAD, "\"" ETAG "\"", NEVER, 304 },
	{ "another tag", HTTP_GET, OTHER_ETAG, NEVER, 200 },
	{ "another tag, though not modified", HTTP_GET, OTHER_ETAG, 0, 200 },
	{ "this tag, though modified", HTTP_GET, "\"" ETAG "\"", -1, 304 },
	{ "modified since", HTTP_GET, NULL, -1, 200 },
	/* An answer of the same second may be another one. */
	{ "modified just then", HTTP_GET, NULL, 0, 200 },
	{ "not modified since", HTTP_GET, NULL, 1, 304 },
	{ "POST has no conditions", HTTP_POST, "\"" ETAG "\"", 0, 200 },
};

START_TEST(a_condition_spares_the_body_and_nothing_else)
{
	char date[HTTP_DATE_OCTETS + 1] = "";
	struct http_request req = { .method = conditions[_i].method };
	bool spared = conditions[_i].want == 304;

	if (conditions[_i].etag != NULL)
		req.if_none_match = bytes_of(conditions[_i].etag);
	if (conditions[_i].since != NEVER) {
		http_put_date(NOON + conditions[_i].since, date);
		req.if_modified_since = bytes_of(date);
	}
	give(NOON + 5, 300, &req);
	ck_assert_msg(has_status(conditions[_i].want), "%s: %s",
	    conditions[_i].name, buf_str(&out));
	ck_assert(has_field("ETag", "\"" ETAG "\""));
	ck_assert(has_date("Last-Modified", NOON));
	ck_assert(has_date("Expires", NEXT));
	ck_assert(has_any("\r\nCache-Control: max-age=300, public"));
	ck_assert_int_eq(has_any("\r\n\r\nsigned"), !spared);
	ck_assert_int_eq(has_any("Content-Length"), !spared);
}
END_TEST

static void
give_private(const struct reply *r)
{
	reply_private(r, bytes_of("signed"));
}
static void
give_malformed(const struct reply *r)
{
	reply_ocsp_error(r, OCSP_MALFORMED_REQUEST);
}
static void
give_try_later(const struct reply *r)
{
	reply_ocsp_error(r, OCSP_TRY_LATER);
}
static void
give_unauthorized(const struct reply *r)
{
	reply_ocsp_error(r, OCSP_UNAUTHORIZED);
}
static void
give_404(const struct reply *r)
{
	reply_status(r, 404);
}

static const struct {
	const char	*name;
	void		(*give)(const struct reply *);
	unsigned int	 status;
} uncached[] = {
	{ "an answer with a nonce",	give_private,		200 },
	{ "malformedRequest",		give_malformed,		200 },
	{ "tryLater",			give_try_later,		200 },
	{ "unauthorized",		give_unauthorized,	200 },
	{ "an HTTP error",		give_404,		404 },
};

START_TEST(errors_and_nonces_are_not_for_caches)
{
	static const char *const fields[] = { "ETag", "Last-Modified",
		"Expires", "max-age", "public" };
	const struct reply r = { .out = &out, .now = NOON };

	uncached[_i].give(&r);
	ck_assert_msg(has_status(uncached[_i].status), "%s",
	    uncached[_i].name);
	ck_assert(has_field("Cache-Control", "no-store"));
	for (int i = 0; i < ROWS(fields); i++)
		ck_assert_msg(!has_any(fields[i]), "%s has %s",
		    uncached[_i].name, fields[i]);
}
END_TEST

/* --- files ------------------------------------ */

#define FILE_ETAG	"1-6-2"
#define FILE_OCTETS	1000

/* One row, one request for a file of 1000 octets that was changed at NOON. */
static const struct {
	const char	*name;
	enum http_method method;
	const char	*range, *if_range;	/* NULL: not asked */
	const char	*if_match, *if_none_match;
	int		 unmodified_since;	/* to NOON; NEVER */
	unsigned int	 want;
	const char	*content_range;
	unsigned int	 at, octets;	/* sent after the fields; 0: nothing */
} parts[] = {
#define GET_	HTTP_GET
#define HEAD_	HTTP_HEAD
	{ "all of it", GET_, NULL, NULL, NULL, NULL, NEVER, 200, NULL, 0,
	  1000 },
	{ "the fields alone", HEAD_, NULL, NULL, NULL, NULL, NEVER, 200, NULL,
	  0, 0 },
	{ "the first octets", GET_, "bytes=0-9", NULL, NULL, NULL, NEVER, 206,
	  "bytes 0-9/1000", 0, 10 },
	{ "from there on", GET_, "bytes=990-", NULL, NULL, NULL, NEVER, 206,
	  "bytes 990-999/1000", 990, 10 },
	{ "the last ones", GET_, "bytes=-1", NULL, NULL, NULL, NEVER, 206,
	  "bytes 999-999/1000", 999, 1 },
	{ "none of it", GET_, "bytes=1000-", NULL, NULL, NULL, NEVER, 416,
	  "bytes */1000", 0, 0 },
	{ "of HEAD there is no part", HEAD_, "bytes=0-9", NULL, NULL, NULL,
	  NEVER, 200, NULL, 0, 0 },
	{ "a part of this one", GET_, "bytes=0-9", "\"" FILE_ETAG "\"", NULL,
	  NULL, NEVER, 206, "bytes 0-9/1000", 0, 10 },
	{ "a part of another one: all", GET_, "bytes=0-9", "\"1-6-3\"", NULL,
	  NULL, NEVER, 200, NULL, 0, 1000 },
	{ "a weak tag is none", GET_, "bytes=0-9", "W/\"" FILE_ETAG "\"",
	  NULL, NULL, NEVER, 200, NULL, 0, 1000 },
	{ "a part by its date", GET_, "bytes=0-9",
	  "Thu, 01 Jan 2026 12:00:00 GMT", NULL, NULL, NEVER, 206,
	  "bytes 0-9/1000", 0, 10 },
	{ "a part by an earlier date: all", GET_, "bytes=0-9",
	  "Thu, 01 Jan 2026 11:59:59 GMT", NULL, NULL, NEVER, 200, NULL, 0,
	  1000 },
	{ "a later date is no match either", GET_, "bytes=0-9",
	  "Thu, 01 Jan 2026 12:00:01 GMT", NULL, NULL, NEVER, 200, NULL, 0,
	  1000 },
	{ "known already, whatever part", GET_, "bytes=0-9", NULL, NULL,
	  "\"" FILE_ETAG "\"", NEVER, 304, NULL, 0, 0 },
	{ "only this one, and it is", GET_, NULL, NULL, "\"" FILE_ETAG "\"",
	  NULL, NEVER, 200, NULL, 0, 1000 },
	{ "only any", GET_, NULL, NULL, "*", NULL, NEVER, 200, NULL, 0, 1000 },
	{ "only another", GET_, NULL, NULL, "\"1-6-3\"", NULL, NEVER, 412,
	  NULL, 0, 0 },
	{ "only this one, weakly", GET_, NULL, NULL, "W/\"" FILE_ETAG "\"",
	  NULL, NEVER, 412, NULL, 0, 0 },
	{ "as it was", GET_, NULL, NULL, NULL, NULL, 0, 200, NULL, 0, 1000 },
	{ "as it was before", GET_, NULL, NULL, NULL, NULL, -1, 412, NULL, 0,
	  0 },
	{ "a tag stands before a date", GET_, NULL, NULL,
	  "\"" FILE_ETAG "\"", NULL, -1, 200, NULL, 0, 1000 },
};

static struct bytes
given(const char *text)
{
	return text == NULL ? (struct bytes){ 0 } :
	    (struct bytes){ (const uint8_t *)text, strlen(text) };
}

START_TEST(a_file_is_sent_in_parts_and_on_conditions)
{
	char date[HTTP_DATE_OCTETS + 1] = "", length[24];
	const struct http_request req = { .method = parts[_i].method,
		.range = given(parts[_i].range),
		.if_range = given(parts[_i].if_range),
		.if_match = given(parts[_i].if_match),
		.if_none_match = given(parts[_i].if_none_match),
		.if_unmodified_since = parts[_i].unmodified_since == NEVER ?
		    (struct bytes){ 0 } : (struct bytes){
		    (const uint8_t *)date, HTTP_DATE_OCTETS } };
	const struct reply r = { .out = &out, .now = NOON + 5,
		.head = parts[_i].method == HTTP_HEAD };
	const struct published file = { .octets = FILE_OCTETS,
		.modified = NOON, .media_type = "application/pkix-crl",
		.etag = FILE_ETAG };
	struct file_part part;
	bool sent;

	if (parts[_i].unmodified_since != NEVER)
		http_put_date(NOON + parts[_i].unmodified_since, date);
	sent = reply_file(&r, &file, &req, &part);
	ck_assert_msg(has_status(parts[_i].want), "%s: %s", parts[_i].name,
	    buf_str(&out));
	ck_assert_int_eq(sent, parts[_i].octets > 0);
	if (sent) {
		ck_assert_uint_eq(part.at, parts[_i].at);
		ck_assert_uint_eq(part.octets, parts[_i].octets);
		snprintf(length, sizeof(length), "%u", parts[_i].octets);
		ck_assert(has_field("Content-Length", length));
	}
	if (parts[_i].content_range != NULL)
		ck_assert(has_field("Content-Range",
		    parts[_i].content_range));
	else
		ck_assert(!has_any("Content-Range"));
	if (parts[_i].want < 400) {
		ck_assert(has_field("ETag", "\"" FILE_ETAG "\""));
		ck_assert(has_date("Last-Modified", NOON));
		ck_assert(has_field("Cache-Control", "max-age=300, public"));
		ck_assert(has_field("Accept-Ranges", "bytes"));
	}
	ck_assert_int_eq(has_field("Content-Type", "application/pkix-crl"),
	    parts[_i].want == 200 || parts[_i].want == 206);
	ck_assert_str_eq(strstr(buf_str(&out), "\r\n\r\n") + 4,
	    parts[_i].want == 412 ? "Precondition Failed\n" : "");
}
END_TEST

/* In the second in which it changed, it may change again. */
START_TEST(a_date_of_now_tells_no_two_files_apart)
{
	const struct http_request req = { .method = HTTP_GET,
		.range = bytes_of("bytes=0-9"),
		.if_range = bytes_of("Thu, 01 Jan 2026 12:00:00 GMT") };
	const struct reply r = { .out = &out, .now = NOON };
	const struct published file = { .octets = FILE_OCTETS,
		.modified = NOON, .media_type = "application/pkix-crl",
		.etag = FILE_ETAG };
	struct file_part part;

	ck_assert(reply_file(&r, &file, &req, &part));
	ck_assert(has_status(200));
	ck_assert_uint_eq(part.octets, FILE_OCTETS);
}
END_TEST

START_TEST(an_overloaded_server_says_when_to_come_back)
{
	const struct reply r = { .out = &out, .now = NOON };

	reply_status(&r, 503);
	ck_assert(has_status(503));
	ck_assert(has_field("Retry-After", "2"));
	ck_assert(has_field("Cache-Control", "no-store"));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("reply");
	TCase *c = tcase_create("reply");

	tcase_add_checked_fixture(c, set_up, tear_down);
	tcase_add_loop_test(c, a_signed_answer_tells_caches_how_long, 0,
	    ROWS(ages));
	tcase_add_test(c, last_modified_is_this_update);
	tcase_add_loop_test(c, a_condition_spares_the_body_and_nothing_else,
	    0, ROWS(conditions));
	tcase_add_loop_test(c, errors_and_nonces_are_not_for_caches, 0,
	    ROWS(uncached));
	tcase_add_loop_test(c, a_file_is_sent_in_parts_and_on_conditions, 0,
	    ROWS(parts));
	tcase_add_test(c, a_date_of_now_tells_no_two_files_apart);
	tcase_add_test(c, an_overloaded_server_says_when_to_come_back);
	suite_add_tcase(s, c);
	return fixture_run(s);
}
