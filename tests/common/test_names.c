#include "common/names.h"

#include "common/err.h"
#include "tests/support/fixtures.h"

#include <string.h>

#define L63 "a23456789012345678901234567890123456789012345678901234567890123"

static const struct {
	enum san_kind	 kind;
	const char	*text, *want;	/* NULL: refused */
} sans[] = {
	{ SAN_DNS, "WWW.Example.test",	"www.example.test" },
	{ SAN_DNS, "localhost",		"localhost" },
	{ SAN_DNS, "*.example.test",	"*.example.test" },
	{ SAN_DNS, "*.test",		NULL },
	{ SAN_DNS, "*",			NULL },
	{ SAN_DNS, "a.*.test",		NULL },
	{ SAN_DNS, "*a.example.test",	NULL },
	{ SAN_DNS, L63 ".test",		L63 ".test" },
	{ SAN_DNS, L63 "4.test",	NULL },
	{ SAN_DNS, L63 "." L63 "." L63 "." L63, NULL },
	{ SAN_DNS, "",			NULL },
	{ SAN_DNS, " ",			NULL },
	{ SAN_DNS, "a..b",		NULL },
	{ SAN_DNS, "a.b.",		NULL },
	{ SAN_DNS, "-a.b",		NULL },
	{ SAN_DNS, "a-.b",		NULL },
	{ SAN_DNS, "a_b.c",		NULL },
	{ SAN_DNS, "192.0.2.1",		NULL },
	{ SAN_DNS, "b\xc3\xbc" "cher.example", NULL },
	{ SAN_DNS, "xn--bcher-kva.example", "xn--bcher-kva.example" },
	{ SAN_DNS, "xn--.example",	NULL },
	{ SAN_DNS, "xn--a.example",	NULL },
	{ SAN_DNS, "xn--99999999999.example", NULL },
	{ SAN_DNS, "ab--c.example",	NULL },
	{ SAN_EMAIL, "User.Name+x@Example.TEST", "User.Name+x@example.test" },
	{ SAN_EMAIL, "a@b@c.test",	NULL },
	{ SAN_EMAIL, "@c.test",		NULL },
	{ SAN_EMAIL, "a@",		NULL },
	{ SAN_EMAIL, ".a@c.test",	NULL },
	{ SAN_EMAIL, "a b@c.test",	NULL },
	{ SAN_EMAIL, "a@*.c.test",	NULL },
	{ SAN_EMAIL, "j\xc3\xb6rg@c.test", NULL },
	{ SAN_SMTP_UTF8, "j\xc3\xb6rg@C.test", "j\xc3\xb6rg@c.test" },
	{ SAN_SMTP_UTF8, "jorg@c.test",	NULL },
	{ SAN_SMTP_UTF8, "j\xe2\x80\xaeg@c.test", NULL },
	{ SAN_SMTP_UTF8, "j\xc3@c.test", NULL },
	{ SAN_IP, "192.0.2.1",		"192.0.2.1" },
	{ SAN_IP, "2001:DB8:0::1",	"2001:db8::1" },
	{ SAN_IP, "192.0.2.256",	NULL },
	{ SAN_IP, "192.0.2.0/24",	NULL },
	{ SAN_URI, "https://a.test/x",	"https://a.test/x" },
	{ SAN_URI, "urn:uuid:1",	"urn:uuid:1" },
	{ SAN_URI, "/relative",		NULL },
	{ SAN_URI, "http://",		NULL },
	{ SAN_URI, "http:",		NULL },
	{ SAN_URI, "http://a b/",	NULL },
};

START_TEST(each_san_has_one_way_of_writing_or_none)
{
	struct names names = { 0 };
	struct err err = { 0 };
	int r = names_add_san(&names, sans[_i].kind, bytes_of(sans[_i].text),
	    &err);

	ck_assert_msg((r == 0) == (sans[_i].want != NULL), "%s: %s",
	    sans[_i].text, err.text);
	if (r == 0)
		ck_assert_str_eq(names.sans[0].text, sans[_i].want);
	else
		ck_assert_int_eq(err.kind, ERR_REJECT);
	names_free(&names);
}
END_TEST

static const struct {
	int		 nid;
	const char	*text;
	size_t		 len;
	int		 want;
} attributes[] = {
	{ NID_commonName,	"J\xc3\xb6rg",		5, 0 },
	{ NID_commonName,	"",			0, -1 },
	{ NID_commonName,	"a\0b",			3, -1 },
	{ NID_commonName,	"a\nb",			3, -1 },
	{ NID_commonName,	"a\x1b[1m",		5, -1 },
	{ NID_commonName,	"a\xe2\x80\xae" "b",	5, -1 },
	{ NID_commonName,	"a\xe2\x81\xa6" "b",	5, -1 },
	{ NID_commonName,	"\xc0\x80",		2, -1 },
	{ NID_commonName,	"\xed\xa0\x80",		3, -1 },
	{ NID_commonName,	"\xf0\x9f\x98\x80",	4, 0 },
	{ NID_commonName,	"\xff",			1, -1 },
	{ NID_commonName,	L63 "4",		64, 0 },
	{ NID_commonName,	L63 "45",		65, -1 },
	{ NID_countryName,	"DE",			2, 0 },
	{ NID_countryName,	"de",			2, -1 },
	{ NID_countryName,	"DEU",			3, -1 },
	{ NID_serialNumber,	"A-1",			3, 0 },
	{ NID_serialNumber,	"A_1",			3, -1 },
	{ NID_domainComponent,	"example",		7, 0 },
	{ NID_domainComponent,	"a.b",			3, -1 },
	{ NID_pkcs9_emailAddress, "a@b.test",		8, 0 },
	{ NID_pkcs9_emailAddress, "ab.test",		7, -1 },
	{ NID_dnQualifier,	"x",			1, -1 },
	{ NID_undef,		"x",			1, -1 },
};

START_TEST(attributes_are_checked_as_text_and_by_kind)
{
	struct names names = { 0 };
	struct err err = { 0 };
	int r = names_add_attribute(&names, attributes[_i].nid,
	    (struct bytes){ (const uint8_t *)attributes[_i].text,
	    attributes[_i].len }, &err);

	ck_assert_msg(r == attributes[_i].want, "%s: %s", attributes[_i].text,
	    err.text);
	names_free(&names);
}
END_TEST

static void
fill(struct names *names)
{
	struct err err;

	names_add_attribute(names, NID_countryName, bytes_of("DE"), &err);
	names_add_attribute(names, NID_commonName, bytes_of("J\xc3\xb6rg"),
	    &err);
	names_add_attribute(names, NID_domainComponent, bytes_of("example"),
	    &err);
	names_add_san(names, SAN_DNS, bytes_of("a.test"), &err);
	names_add_san(names, SAN_DNS, bytes_of("A.test"), &err);
	names_add_san(names, SAN_IP, bytes_of("2001:db8::1"), &err);
	names_add_san(names, SAN_EMAIL, bytes_of("a@b.test"), &err);
	names_add_san(names, SAN_URI, bytes_of("urn:x"), &err);
	names_add_san(names, SAN_SMTP_UTF8, bytes_of("\xc3\xb6@b.test"), &err);
	ck_assert_uint_eq(names->n_attributes, 3);
	ck_assert_uint_eq(names->n_sans, 5);
}

START_TEST(names_survive_x509_and_frames)
{
	struct names names = { 0 }, back = { 0 }, again = { 0 };
	OWNED(X509_NAME) *subject = NULL;
	OWNED(GENERAL_NAMES) *general = NULL;
	OWNED_BUF(one, 4096);
	OWNED_BUF(two, 4096);
	struct cursor c;
	struct err err = { 0 };

	fill(&names);
	subject = names_to_subject(&names, &err);
	general = names_to_sans(&names, &err);
	ck_assert_msg(names_read(subject, general, &back, &err) == 0, "%s",
	    err.text);
	put_names(&one, &names);
	put_names(&two, &back);
	ck_assert(bytes_equal(buf_bytes(&one), buf_bytes(&two)));
	c = CURSOR(buf_bytes(&one));
	get_names(&c, &again);
	ck_assert(cursor_end(&c));
	ck_assert_uint_eq(again.n_sans, 5);
	names_free(&again);
	for (size_t n = 0; n < one.len; n++) {
		c = CURSOR(((struct bytes){ one.data, n }));
		get_names(&c, &again);
		ck_assert(c.failed);
		ck_assert_ptr_null(again.sans);
	}
	names_free(&names);
	names_free(&back);
}
END_TEST

START_TEST(a_description_is_cut_between_characters)
{
	struct names names = { 0 };
	char out[39];

	fill(&names);
	names_describe(&names, out, sizeof(out));
	ck_assert_str_eq(out, "C=DE, CN=J\xc3\xb6rg, DC=example, DNS:a.test");
	names_describe(&names, out, 12);	/* in the middle of the o */
	ck_assert_str_eq(out, "C=DE, CN=J");
	names_describe(&names, out, 1);
	ck_assert_str_eq(out, "");
	names_free(&names);
}
END_TEST

START_TEST(there_is_an_end_to_names)
{
	struct names names = { 0 };
	struct err err = { 0 };
	char text[32];

	for (int i = 0; i < NAMES_MAX_SANS; i++) {
		snprintf(text, sizeof(text), "h%d.test", i);
		ck_assert_int_eq(names_add_san(&names, SAN_DNS,
		    bytes_of(text), &err), 0);
	}
	ck_assert_int_eq(names_add_san(&names, SAN_DNS, bytes_of("x.test"),
	    &err), -1);
	ck_assert_int_eq(names_add_san(&names, SAN_DNS, bytes_of("h0.test"),
	    &err), 0);
	for (int i = 0; i < NAMES_MAX_ATTRIBUTES; i++)
		names_add_attribute(&names, NID_commonName, bytes_of("x"),
		    &err);
	ck_assert_int_eq(names_add_attribute(&names, NID_commonName,
	    bytes_of("x"), &err), -1);
	names_free(&names);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("names");
	TCase *tc = tcase_create("all");

	tcase_add_loop_test(tc, each_san_has_one_way_of_writing_or_none, 0,
	    ROWS(sans));
	tcase_add_loop_test(tc, attributes_are_checked_as_text_and_by_kind, 0,
	    ROWS(attributes));
	tcase_add_test(tc, names_survive_x509_and_frames);
	tcase_add_test(tc, a_description_is_cut_between_characters);
	tcase_add_test(tc, there_is_an_end_to_names);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
