/* Lines, quotes and PEM: what people and their programs make of a text. */
#include "csrmaild/pem.h"
#include "csrmaild/quote.h"
#include "csrmaild/text_line.h"

#include "common/err.h"
#include "tests/support/fixtures.h"

#include <string.h>

static const struct {
	const char	*name, *text;
	const char	*lines[4];
} lines[] = {
	{ "LF",			"a\nb\n",	{ "a\n", "b\n" } },
	{ "CRLF",		"a\r\nb",	{ "a\r\n", "b" } },
	{ "CR alone",		"a\rb\r",	{ "a\r", "b\r" } },
	{ "empty lines",	"\n\r\n\r",	{ "\n", "\r\n", "\r" } },
};

START_TEST(a_line_ends_in_any_way)
{
	struct bytes left = bytes_of(lines[_i].text);

	for (int i = 0; i < 4 && lines[_i].lines[i] != NULL; i++)
		ck_assert_msg(bytes_equal(text_line_take(&left),
		    bytes_of(lines[_i].lines[i])), "%s: line %d",
		    lines[_i].name, i);
	ck_assert_uint_eq(left.len, 0);
}
END_TEST

static const struct {
	const char	*line, *want;
	bool		 quoted;
} stripped[] = {
	{ " \tx y\t \r\n",		"x y",	false },
	{ "\xc2\xa0 x\xc2\xa0\n",	"x",	false },
	{ "> > x",			"x",	true },
	{ ">| x",			"x",	true },
	{ "x > y",			"x > y", false },
	{ " \n",			"",	false },
	{ "\xc2",			"\xc2",	false },
};

START_TEST(blanks_and_quotes_are_taken_away)
{
	struct bytes line = bytes_of(stripped[_i].line);
	bool quoted = false;

	ck_assert(bytes_equal(text_line_strip(line, &quoted),
	    bytes_of(stripped[_i].want)));
	ck_assert(quoted == stripped[_i].quoted);
}
END_TEST

/* RFC 3676, 4.1 to 4.5. */
static const struct {
	const char	*name, *text, *want;
	bool		 delsp;
} flowed[] = {
	{ "a fixed line",	"a\nb\n",		"a\nb",		false },
	{ "a soft break",	"a \r\nb\r\n",		"a b",		false },
	{ "delsp",		"a \nb\n",		"ab",		true },
	{ "stuffed",		" a\n >b\n",		"a\n>b",	false },
	{ "a quote flows",	">a \n>b\n",		">a b",		false },
	{ "quotes of two depths", ">a \n>>b\n",		">a \n>>b",	false },
	{ "a signature does not", "-- \nme\n",		"-- \nme",	false },
	{ "dashes begin a line", "see \n-----BEGIN X-----\n",
	    "see \n-----BEGIN X-----",					false },
	{ "a broken marker",	"-----BEGIN A \nB-----\n",
	    "-----BEGIN A B-----",					false },
	{ "nothing",		"",			"",		false },
};

START_TEST(flowed_text_is_joined)
{
	OWNED_BUF(room, 0);
	struct bytes got = text_unflow(bytes_of(flowed[_i].text),
	    flowed[_i].delsp, &room);

	ck_assert_msg(bytes_equal(got, bytes_of(flowed[_i].want)),
	    "%s: \"%.*s\"", flowed[_i].name, (int)got.len, got.data);
	ck_assert(!room.failed);
}
END_TEST

#define HEADER	"From: x@example.org\nSubject: y\n"

static const struct {
	const char	*name, *text;
	bool		 forwarded;
} forwards[] = {
	{ "Outlook", "hi\n-----Original Message-----\n" HEADER,		true },
	{ "Gmail", "---------- Forwarded message ---------\n" HEADER,	true },
	{ "another language",
	    "-------- Weitergeleitete Nachricht --------\nBetreff: \tx\n", true },
	{ "a rule", "____________________\nVon: x\n",			true },
	{ "an empty line between", "-----Original-----\n\n" HEADER,	true },
	{ "HTML's bold", "-----Original-----\n*From:* x\n",		true },
	{ "no header follows", "----- cut here -----\nMIIB\n",		false },
	{ "PEM", "-----BEGIN CERTIFICATE REQUEST-----\nProc-Type: x\n",	false },
	{ "its end", "-----END CERTIFICATE REQUEST-----\nName: x\n",	false },
	{ "dashes alone", "--------------------\nName: x\n",		false },
	{ "header far below", "--- a ---\n\n\n\n" HEADER,		false },
	{ "a header alone", HEADER,					false },
	{ "an answer of Outlook", "Yes.\n\nFrom: Mallory <m@evil.test>\n"
	  "Sent: Monday, November 16, 2026 3:12 PM\nTo: x\nSubject: y\n\nz",
									true },
	{ "the same in German", "Ja.\r\n\r\nVon: M [mailto:m@evil.test] \r\n"
	  "Gesendet: Montag, 16. November 2026 15:12\r\nAn: x\r\n",	true },
	{ "a wide colon", "\xe5\x8f\x91\xe4\xbb\xb6\xe4\xba\xba\xef\xbc\x9a"
	  "m@evil.test\n\xe6\x97\xb6\xef\xbc\x9a 15:12\n"
	  "\xe4\xb8\xbb\xef\xbc\x9ax\n",				true },
	{ "Yahoo", "Yes\n  On Monday, November 16, 2026 at 03:12:00 PM, "
	  "M <m@evil.test> wrote:  \n \n hello\n",			true },
	{ "on two lines", "Yes\n\nOn Mon, Nov 16, 2026 at 3:12 PM M\n"
	  "<m@evil.test> wrote:\n\nhello\n",				true },
	{ "with marks, and an answer below", "On Nov 16 at 3:12 PM "
	  "m@evil.test wrote:\n> hello\n\nhere it is\n",		false },
	{ "who it is", "Name: A\nMail: a@example.test\nHost: www\n",	false },
	{ "when it was made", "Name: A\nDate: 2026-11-16 15:12\nHost: w\n",
									false },
	{ "what openssl prints", "Certificate Request:\n    Data:\n"
	  "        Version: 1 (0x0)\n"
	  "        Subject: CN = user@example.test\n"
	  "        Subject Public Key Info:\n"
	  "            Public Key Algorithm: id-ecPublicKey\n",	false },
	{ "an announcement", "The request of a@example.test:\nhere\n",	false },
	{ "nothing", "",						false },
};

START_TEST(a_forward_without_marks_is_known_by_its_header)
{
	struct bytes text = bytes_of(forwards[_i].text);

	ck_assert_msg((quote_find_forwarded(text) < text.len) ==
	    forwards[_i].forwarded, "%s", forwards[_i].name);
}
END_TEST

/* Labels found, "!" behind one without its END, "q" behind a quoted one. */
static const struct {
	const char	*text, *want;
} blocks[] = {
	{ "-----BEGIN A-----\nMII\n-----END A-----\n",		"A" },
	{ "-----BEGIN A-----MII-----END A-----",		"A" },
	{ "-----BEGIN A----- MII -----END A----- -----BEGIN B-----\nx"
	  "-----END B-----",					"A B" },
	{ "x -----BEGIN A-----\nMII\n-----END A-----\n",	"" },
	{ "> -----BEGIN A-----\n> MII\n> -----END A-----\n",	"Aq" },
	{ "-----BEGIN A-----\nMII\n-----BEGIN B-----\nx\n-----END B-----\n",
	  "A! B" },
	{ "-----BEGIN A-----\nMII\n-----END B-----\n",		"A!" },
	{ "-----BEGIN A-----\nMII\n",				"A!" },
	{ "-----BEGIN -----\nMII\n-----END -----\n",		"" },
	{ "-----BEGIN A----\nMII\n-----END A----\n",		"" },
	{ "-----BEGIN A-B-----\n",				"" },
};

START_TEST(blocks_are_found_by_their_markers)
{
	struct bytes left = bytes_of(blocks[_i].text);
	struct pem_block block;
	OWNED_BUF(got, 1000);

	while (pem_next(&left, &block))
		buf_printf(&got, "%s%s%s%s", got.len > 0 ? " " : "",
		    block.label, block.ended ? "" : "!",
		    block.quoted ? "q" : "");
	ck_assert_str_eq(buf_str(&got), blocks[_i].want);
}
END_TEST

#define B64	"MC4CAQAwBQYDK2VwBCIEIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

/* What would take hours if any octet were looked at for every other one; the
 * test's own limit is the clock. */
START_TEST(a_long_text_is_one_pass)
{
	static const char *const units[] = { "-----BEGIN A-----\n",
		"-----BEGIN A-----", "-", "-----", "> ", "a \n", "\r",
		"---a---\n", "-----END A-----", "\xc2\xa0",
		"-----BEGIN PRIVATE KEY-----\n" B64 "\n" };

	for (int i = 0; i < ROWS(units); i++) {
		OWNED_BUF(text, 4u << 20);
		OWNED_BUF(room, 0);
		struct pem_leak leak = { 0 };
		struct pem_block block;
		struct bytes left;

		while (text.len < 1u << 20)
			buf_append_str(&text, units[i]);
		left = text_unflow(buf_bytes(&text), false, &room);
		quote_find_forwarded(left);
		pem_find_leak(left, &leak);
		while (pem_next(&left, &block))
			continue;
		ck_assert(leak.found == (strstr(units[i], "KEY") != NULL));
	}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("text");
	TCase *tc = tcase_create("all");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, a_line_ends_in_any_way, 0, ROWS(lines));
	tcase_add_loop_test(tc, blanks_and_quotes_are_taken_away, 0,
	    ROWS(stripped));
	tcase_add_loop_test(tc, flowed_text_is_joined, 0, ROWS(flowed));
	tcase_add_loop_test(tc, a_forward_without_marks_is_known_by_its_header,
	    0, ROWS(forwards));
	tcase_add_loop_test(tc, blocks_are_found_by_their_markers, 0,
	    ROWS(blocks));
	tcase_add_test(tc, a_long_text_is_one_pass);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
