#include "csrmaild/prescan.h"

#include "common/clock.h"
#include "common/err.h"
#include "tests/support/fixtures.h"

#include <string.h>

static const struct prescan_limits limits = {
	.max_octets = 4u << 20, .max_header_octets = 64u << 10,
	.max_parts = 100, .max_depth = 10,
};

static int
scan(struct bytes mail, unsigned int *n)
{
	struct err err = { 0 };
	int r = prescan_message(mail, &limits, n, &err);

	/* A refusal is the sender's business, and has words for them. */
	ck_assert(r == 0 || (err.kind == ERR_REJECT && err.text[0] != '\0'));
	return r;
}

#define B70 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define MP "Content-Type: multipart/mixed; boundary="
#define TWO "\n\n--b\n\none\n--b\nContent-Type: text/html\n\ntwo\n--b--\n"

static const struct {
	const char	*name;
	const char	*mail;
	int		 want;	/* entities, or -1 */
} mails[] = {
	{ "empty",			"",				1 },
	{ "header only",		"A: b\r\n",			1 },
	{ "header and body",		"A: b\r\n\r\nbody\r\n",		1 },
	{ "no header",			"\r\nbody\r\n",			1 },
	{ "LF alone",			"A: b\n\nbody\n",		1 },
	{ "a body before any field",	"body\n",			-1 },
	{ "a field with a space",	"A : b\n\nbody\n",		-1 },
	{ "a bare CR in a field",	"A: b\rC: d\n\nbody\n",		-1 },
	{ "two parts",			MP "b" TWO,			3 },
	{ "quoted boundary",		MP "\"b\"" TWO,			3 },
	{ "boundary and parameters",	MP "b; x=\"y z\";" TWO,		3 },
	{ "comments",			MP "(a (b)) b (c)" TWO,		3 },
	{ "preamble and epilogue",
	    MP "b\n\npre\n--b\n\none\n--b--\nepi\n",			2 },
	{ "transport padding",
	    MP "b\n\n--b \t\n\none\n--b-- \n",				2 },
	{ "text that looks like it",
	    MP "b\n\n--b\n\n-- b\n --b\n-b\n--b--\n",			2 },
	{ "70 characters",
	    MP B70 "\n\n--" B70 "\n\none\n--" B70 "--\n",		2 },
	{ "71 characters",
	    MP B70 "a\n\n--" B70 "a\n\none\n--" B70 "a--\n",		-1 },
	{ "empty boundary",		MP "\"\"" TWO,			-1 },
	{ "a quote as boundary",	MP "\"\\\"\"" TWO,		-1 },
	{ "single quotes are fine",
	    MP "\"b'\"\n\n--b'\n\none\n--b'--\n",			2 },
	{ "boundary ends in a space",	MP "\"b \"" TWO,		-1 },
	{ "no boundary",		"Content-Type: multipart/mixed" TWO,
	    -1 },
	{ "two boundaries",		MP "b; boundary=c" TWO,		-1 },
	{ "the same boundary twice",	MP "b; boundary=b" TWO,		-1 },
	{ "RFC 2231 boundary",
	    "Content-Type: multipart/mixed; boundary*0=b" TWO,		-1 },
	{ "parameters that are none",	MP "b; x" TWO,			-1 },
	{ "open comment",		MP "b (" TWO,			-1 },
	{ "boundary does not occur",	MP "c" TWO,			-1 },
	{ "last boundary missing",	MP "b\n\n--b\n\none\n",		-1 },
	{ "only the last one",		MP "b\n\n--b--\n",		-1 },
	{ "a part after the last",
	    MP "b\n\n--b\n\none\n--b--\n--b\n\ntwo\n--b--\n",		-1 },
	{ "a boundary that goes on",
	    MP "b\n\n--b\n\none\n--bc\n\ntwo\n--b--\n",			-1 },
	{ "nested",
	    MP "b\n\n--b\n" MP "c\n\n--c\n\none\n--c--\n\n--b--\n",	3 },
	{ "nested, the same boundary",
	    MP "b\n\n--b\n" MP "b\n\n--b\n\none\n--b--\n\n--b--\n",	-1 },
	{ "nested, one begins the other",
	    MP "b\n\n--b\n" MP "bb\n\n--bb\n\none\n--bb--\n\n--b--\n",	-1 },
	{ "nested, the inner not closed",
	    MP "b\n\n--b\n" MP "c\n\n--c\n\none\n--b--\n",		-1 },
	{ "a message in it",
	    "Content-Type: message/rfc822\n\nA: b\n\nbody\n",		2 },
	{ "a digest's parts are messages",
	    "Content-Type: multipart/digest; boundary=b\n\n--b\n\nA: b\n\n"
	    "body\n--b--\n",						3 },
	{ "a report is no message",
	    "Content-Type: message/delivery-status\n\nA: b\n",		1 },
	{ "an encoded message",
	    "Content-Type: message/rfc822\n"
	    "Content-Transfer-Encoding: base64\n\nQQ==\n",		-1 },
	{ "an encoded multipart",
	    "Content-Transfer-Encoding: base64\n" MP "b" TWO,		-1 },
	{ "two types",
	    "Content-Type: text/plain\nContent-type: text/html\n\nx",	-1 },
	{ "two encodings",
	    "Content-Transfer-Encoding: 7bit\n"
	    "content-transfer-encoding: 7bit\n\nx",			-1 },
	{ "every encoding there is",
	    "Content-Transfer-Encoding: Quoted-Printable (x)\n\nx",	1 },
	{ "an encoding we do not know",
	    "Content-Transfer-Encoding: x-uuencode\n\nx",		-1 },
	{ "an empty encoding",	"Content-Transfer-Encoding: \n\nx",	-1 },
	{ "a type that is none",	"Content-Type: text\n\nx",	-1 },
	{ "odd parameters of a leaf",
	    "Content-Type: text/plain; name=a b.csr\n\nx",		1 },
};

START_TEST(the_structure_is_counted_or_refused)
{
	unsigned int n = 0;
	int r = scan(bytes_of(mails[_i].mail), &n);

	ck_assert_msg((r == 0 ? (int)n : -1) == mails[_i].want, "%s: %d",
	    mails[_i].name, r == 0 ? (int)n : -1);
}
END_TEST

static void
repeat(struct buf *b, const char *text, size_t n)
{
	while (n-- > 0)
		buf_append_str(b, text);
}

START_TEST(comments_may_be_nested_32_deep)
{
	OWNED_BUF(b, 1u << 20);
	unsigned int n;

	for (size_t depth = 31; depth <= 33; depth++) {
		buf_clear(&b);
		buf_append_str(&b, "Received: ");
		repeat(&b, "(", depth);
		repeat(&b, ")", depth);
		buf_append_str(&b, "\r\n\r\n");
		ck_assert_int_eq(scan(buf_bytes(&b), &n),
		    depth <= 32 ? 0 : -1);
	}
	/* Many that are not nested are what antispam fields look like. */
	buf_clear(&b);
	buf_append_str(&b, "X-Report: ");
	repeat(&b, "(13230028)", 1000);
	buf_append_str(&b, "\r\n\r\n");
	ck_assert_int_eq(scan(buf_bytes(&b), &n), 0);
	/* A quoted closing one closes nothing. */
	buf_clear(&b);
	buf_append_str(&b, "A: ");
	repeat(&b, "(\\)", 33);
	buf_append_str(&b, "\r\n\r\n");
	ck_assert_int_eq(scan(buf_bytes(&b), &n), -1);
}
END_TEST

START_TEST(a_header_has_a_ceiling)
{
	OWNED_BUF(b, 1u << 20);
	unsigned int n;

	for (size_t over = 0; over <= 1; over++) {
		buf_clear(&b);
		buf_append_str(&b, "Content-Type: message/rfc822\n\nA: ");
		repeat(&b, "x", limits.max_header_octets - 4 + over);
		buf_append_str(&b, "\n\nbody");
		ck_assert_int_eq(scan(buf_bytes(&b), &n),
		    over == 0 ? 0 : -1);
	}
}
END_TEST

static void
make_parts(struct buf *b, size_t n)
{
	buf_clear(b);
	buf_append_str(b, MP "b\n\n");
	repeat(b, "--b\n\nx\n", n);
	buf_append_str(b, "--b--\n");
}

START_TEST(parts_and_nesting_have_ceilings)
{
	OWNED_BUF(b, 4u << 20);
	unsigned int n;

	make_parts(&b, 99);
	ck_assert_int_eq(scan(buf_bytes(&b), &n), 0);
	ck_assert_uint_eq(n, 100);
	make_parts(&b, 100);
	ck_assert_int_eq(scan(buf_bytes(&b), &n), -1);
	for (size_t depth = 10; depth <= 11; depth++) {
		buf_clear(&b);
		repeat(&b, "Content-Type: message/rfc822\n\n", depth);
		buf_append_str(&b, "A: b\n\nx");
		ck_assert_int_eq(scan(buf_bytes(&b), &n),
		    depth <= 10 ? 0 : -1);
	}
}
END_TEST

/* What overflows libetpan's stack, or keeps it busy for seconds. */
START_TEST(hostile_mails_are_refused_at_once)
{
	OWNED_BUF(b, 4u << 20);
	int64_t start = clock_monotonic_ms();
	unsigned int n;

	buf_append_str(&b, "Content-Type: text/plain ");
	repeat(&b, "(", 120000);
	buf_append_str(&b, "\r\n\r\n");
	ck_assert_int_eq(scan(buf_bytes(&b), &n), -1);
	buf_clear(&b);
	buf_append_str(&b, "From: ");
	repeat(&b, "(", 1000000);
	ck_assert_int_eq(scan(buf_bytes(&b), &n), -1);
	buf_clear(&b);
	repeat(&b, "Content-Type: message/rfc822\n\n", 30000);
	ck_assert_int_eq(scan(buf_bytes(&b), &n), -1);
	buf_clear(&b);
	for (int i = 0; i < 10000; i++)
		buf_printf(&b, MP "%d-\n\n--%d-\n", i, i);
	ck_assert_int_eq(scan(buf_bytes(&b), &n), -1);
	buf_clear(&b);
	repeat(&b, "A: b\n", 100000);
	ck_assert_int_eq(scan(buf_bytes(&b), &n), -1);
	buf_clear(&b);
	repeat(&b, "\n", (4u << 20) - 1);
	ck_assert_int_eq(scan(buf_bytes(&b), &n), 0);
	ck_assert(!b.failed);
	ck_assert_int_lt(clock_monotonic_ms() - start, 5000);
}
END_TEST

START_TEST(a_mail_longer_than_allowed_is_refused)
{
	const struct prescan_limits few = { .max_octets = 10,
	    .max_header_octets = 10, .max_parts = 1, .max_depth = 1 };
	struct err err = { 0 };
	unsigned int n;

	ck_assert_int_eq(prescan_message(bytes_of("A: b\r\n\r\nxy"), &few, &n,
	    &err), 0);
	ck_assert_int_eq(prescan_message(bytes_of("A: b\r\n\r\nxyz"), &few,
	    &n, &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("prescan");
	TCase *tc = tcase_create("all");

	tcase_set_timeout(tc, 30);
	tcase_add_loop_test(tc, the_structure_is_counted_or_refused, 0,
	    ROWS(mails));
	tcase_add_test(tc, comments_may_be_nested_32_deep);
	tcase_add_test(tc, a_header_has_a_ceiling);
	tcase_add_test(tc, parts_and_nesting_have_ceilings);
	tcase_add_test(tc, hostile_mails_are_refused_at_once);
	tcase_add_test(tc, a_mail_longer_than_allowed_is_refused);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
