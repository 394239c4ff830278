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
	{ "modified just then", HTTP_GET, NULL, 0, 304 },
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
	suite_add_tcase(s, c);
	return fixture_run(s);
}
