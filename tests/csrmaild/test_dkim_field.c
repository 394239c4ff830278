#include "csrmaild/dkim_field.h"

#include "csrmaild/field.h"

#include "tests/support/fixtures.h"

#include <stdio.h>
#include <string.h>

#define FROM	"user@example.test"
#define REST	"; v=1; a=rsa-sha256; h=From; bh=x; b=x\r\n"
#define SIG	"DKIM-Signature: "
#define KEY	"s1._domainkey.example.test"

#define L63	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

/* Which keys a header makes us ask for, NTH:NAME and a space each. */
static const struct {
	const char	*name, *header, *want;
} headers[] = {
	{ "one",	SIG "d=example.test; s=s1" REST,	"0:" KEY " " },
	{ "none",	"Subject: d=example.test; s=s1\r\n",	"" },
	{ "in one line and without spaces",
	  SIG "v=1;d=example.test;s=s1;b=x\r\n",		"0:" KEY " " },
	{ "a last semicolon",
	  SIG "d=example.test; s=s1;\r\n",			"0:" KEY " " },
	{ "and white space behind it",
	  SIG "d=example.test; s=s1; \r\n\t\r\nX: y\r\n",	"" },
	{ "folded anywhere",
	  SIG "\r\n\td\r\n =\r\n example.test\r\n ;\r\n s = s1\r\n\t" REST,
	  "0:" KEY " " },
	{ "field name in any case",
	  "dkim-SIGNATURE: d=example.test; s=s1" REST,		"0:" KEY " " },
	{ "white space before the colon",
	  "DKIM-Signature : d=example.test; s=s1" REST,		"0:" KEY " " },
	{ "capitals in names",
	  SIG "d=Example.TEST; s=S1" REST,			"0:" KEY " " },
	{ "lines that end in LF",
	  SIG "d=example.test;\n s=s1\n",			"0:" KEY " " },
	{ "a selector with dots",
	  SIG "d=example.test; s=a.b-c.d1" REST,
	  "0:a.b-c.d1._domainkey.example.test " },
	{ "a domain above",
	  SIG "d=test; s=s1" REST SIG "d=example.test; s=s1" REST,
	  "1:" KEY " " },
	{ "another domain",	SIG "d=evil.test; s=s1" REST,	"" },
	{ "a domain that ends alike", SIG "d=xexample.test; s=s1" REST, "" },
	{ "a piece of the domain", SIG "d=ample.test; s=s1" REST, "" },
	{ "a domain below",	SIG "d=a.example.test; s=s1" REST, "" },
	{ "the top alone",	SIG "d=test; s=s1" REST,	"" },
	{ "a dot in front",	SIG "d=.example.test; s=s1" REST, "" },
	{ "a dot behind",	SIG "d=example.test.; s=s1" REST, "" },
	{ "no domain",		SIG "s=s1" REST,		"" },
	{ "an empty domain",	SIG "d=; s=s1" REST,		"" },
	{ "no selector",	SIG "d=example.test" REST,	"" },
	{ "an empty selector",	SIG "d=example.test; s=" REST,	"" },
	{ "two domains",
	  SIG "d=example.test; s=s1; d=example.test" REST,	"" },
	{ "two selectors",
	  SIG "d=example.test; s=s1; s=s1" REST,		"" },
	{ "two l=",
	  SIG "d=example.test; s=s1; l=1; l=2" REST,		"" },
	{ "two of a tag that nobody knows",
	  SIG "d=example.test; s=s1; zz=1; zz=2" REST,		"0:" KEY " " },
	{ "tags are told by case",
	  SIG "D=example.test; s=s1; d=evil.test" REST,		"" },
	{ "a tag without =",
	  SIG "d=example.test; s=s1; v" REST,			"" },
	{ "a tag without a name",
	  SIG "d=example.test; s=s1; =1" REST,			"" },
	{ "an empty tag in between",
	  SIG "d=example.test;; s=s1" REST,			"" },
	{ "a name that begins with a digit",
	  SIG "1d=x; d=example.test; s=s1" REST,		"" },
	{ "white space in a name",
	  SIG "d d=x; d=example.test; s=s1" REST,		"" },
	{ "a fold in the domain",
	  SIG "d=example.\r\n test; s=s1" REST,			"" },
	{ "a fold in the selector",
	  SIG "d=example.test; s=s\r\n 1" REST,			"" },
	{ "an underscore in the selector",
	  SIG "d=example.test; s=s_1" REST,			"" },
	{ "a slash in the selector",
	  SIG "d=example.test; s=../s1" REST,			"" },
	{ "a star in the selector",
	  SIG "d=example.test; s=*" REST,			"" },
	{ "a comment is none here",
	  SIG "d=example.test (x); s=s1" REST,			"" },
	{ "a comment that would hide a tag",
	  SIG "(d=evil.test;) d=example.test; s=s1" REST,	"" },
	{ "quotes are no part of a domain",
	  SIG "d=\"example.test\"; s=s1" REST,			"" },
	{ "octets beyond ASCII",
	  SIG "d=example.test; s=s1; i=\xc3\xa4" REST,		"" },
	{ "an octet beyond ASCII in a name",
	  SIG "\xe4=1; d=example.test; s=s1" REST,		"" },
	{ "a control character",
	  SIG "d=example.test; s=s1; i=\x01" REST,		"" },
	{ "a vertical tab is no white space",
	  SIG "d=example.test; s=s1; i=\v" REST,		"" },
	{ "a CR alone",
	  SIG "d=example.test; s=s1;\rx=1" REST,		"" },
	{ "a fold of white space alone",
	  SIG "d=example.test; s=s1;\r\n \r\n x=1" REST,	"" },
	{ "an empty field",	"DKIM-Signature:\r\n",		"" },
	{ "a longer field name",
	  "DKIM-Signature-X: d=example.test; s=s1" REST,	"" },
	{ "another kind of signature",
	  "ARC-Message-Signature: d=example.test; s=s1" REST,	"" },
	{ "behind the header",
	  "Subject: x\r\n\r\n" SIG "d=example.test; s=s1" REST,	"" },
	{ "a label of 63 octets",
	  SIG "d=example.test; s=" L63 REST,
	  "0:" L63 "._domainkey.example.test " },
	{ "a label of 64 octets",
	  SIG "d=example.test; s=" L63 "a" REST,		"" },
	{ "a name of 255 octets",
	  SIG "d=example.test; s=" L63 "." L63 "." L63 ".aaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaaaaaa" REST,				"" },
	{ "two keys",
	  SIG "d=example.test; s=s1" REST SIG "d=evil.test; s=s1" REST
	  SIG "d=example.test; s=s2" REST,
	  "0:" KEY " 2:s2._domainkey.example.test " },
	{ "four at most",
	  SIG "d=example.test; s=s1" REST SIG "d=example.test; s=s1" REST
	  SIG "d=example.test; s=s1" REST SIG "d=example.test; s=s1" REST
	  SIG "d=example.test; s=s1" REST,
	  "0:" KEY " 1:" KEY " 2:" KEY " 3:" KEY " " },
	{ "the eighth is looked at",
	  SIG "x\r\n" SIG "x\r\n" SIG "x\r\n" SIG "x\r\n" SIG "x\r\n"
	  SIG "x\r\n" SIG "x\r\n" SIG "d=example.test; s=s1" REST,
	  "7:" KEY " " },
	{ "the ninth is not",
	  SIG "x\r\n" SIG "x\r\n" SIG "x\r\n" SIG "x\r\n" SIG "x\r\n"
	  SIG "x\r\n" SIG "x\r\n" SIG "x\r\n" SIG "d=example.test; s=s1" REST,
	  "" },
};

START_TEST(whose_key_is_asked_for)
{
	struct dkim_candidate found[DKIM_MAX_CANDIDATES];
	size_t n = dkim_candidates(bytes_of(headers[_i].header), FROM, found);
	char text[2048] = "";
	size_t at = 0;

	for (size_t i = 0; i < n; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%u:%s ",
		    found[i].nth, found[i].name);
	ck_assert_msg(strcmp(text, headers[_i].want) == 0, "%s: %s",
	    headers[_i].name, text);
}
END_TEST

START_TEST(a_domain_above_speaks_for_those_below)
{
	struct dkim_candidate found[DKIM_MAX_CANDIDATES];
	struct bytes header = bytes_of(SIG "d=example.test; s=s1" REST);

	ck_assert_uint_eq(dkim_candidates(header, "a@mail.example.test",
	    found), 1);
	ck_assert_str_eq(found[0].name, KEY);
	ck_assert_uint_eq(dkim_candidates(header, "a@xexample.test", found),
	    0);
}
END_TEST

/* Of h=: how often it names a field. */
static const struct {
	const char	*h, *name;
	size_t		 want;
} coverage[] = {
	{ "h=From",			"From",		1 },
	{ "h=from:FROM:From",		"From",		3 },
	{ "h= From :\r\n\tSubject ",	"Subject",	1 },
	{ "h=Fromm:XFrom:Fr om",	"From",		0 },
	{ "h=",				"From",		0 },
	{ "b=From",			"From",		0 },
	{ "h=::From::",			"From",		1 },
	{ "h=Content-Type",		"content-type",	1 },
};

START_TEST(what_h_names_is_counted)
{
	struct dkim_tags tags;

	ck_assert(dkim_tags_read(bytes_of(coverage[_i].h), &tags));
	ck_assert_uint_eq(dkim_tags_count_signed(&tags,
	    bytes_of(coverage[_i].name)), coverage[_i].want);
}
END_TEST

START_TEST(the_nth_field_is_found_or_none)
{
	struct bytes header = bytes_of(SIG "a=1\r\nX: y\r\n" SIG "a=2\r\n"
	    SIG "a=\r3\r\n\r\n" SIG "a=4\r\n");
	struct field field;
	struct dkim_tags tags;

	ck_assert(dkim_field_find(header, 1, &field));
	ck_assert(dkim_tags_read(field.body, &tags));
	ck_assert(bytes_equal(tags.value[DKIM_TAG_A], bytes_of("2")));
	ck_assert(!dkim_field_find(header, 2, &field));	/* doubtful */
	ck_assert(!dkim_field_find(header, 3, &field));	/* in the body */
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("dkim_field");
	TCase *tc = tcase_create("dkim_field");

	tcase_add_loop_test(tc, whose_key_is_asked_for, 0, ROWS(headers));
	tcase_add_test(tc, a_domain_above_speaks_for_those_below);
	tcase_add_loop_test(tc, what_h_names_is_counted, 0, ROWS(coverage));
	tcase_add_test(tc, the_nth_field_is_found_or_none);
	suite_add_tcase(s, tc);
	return fixture_run(s);
}
