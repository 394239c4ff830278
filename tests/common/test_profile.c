#include "common/profile.h"

#include "common/err.h"
#include "tests/support/fixtures.h"
#include "tests/support/test_ca.h"

#include <string.h>

static const char *const shipped[] = { "tls-server", "tls-client", "user" };

START_TEST(the_shipped_profiles_are_good)
{
	OWNED_STRUCT(profile) *p = test_profile(shipped[_i]);

	ck_assert_str_eq(p->name, shipped[_i]);
	ck_assert(!p->ca);
	ck_assert(p->aia && p->cdp);
}
END_TEST

static const struct {
	const char	*text, *says;	/* NULL: accepted */
} files[] = {
	{ "san = { \"dns\" }", NULL },
	{ "san_required = no", NULL },
	{ "", "p.conf:1: san_required: found yes" },
	{ "san = { \"dns\" }\nwhat = 1\n", "p.conf:2" },
	{ "san = { \"dns\" }\nsan = { \"ip\" }", "p.conf:2: san is given twice" },
	{ "san = { \"dns\"", "p.conf:1" },
	{ "x {\n", "p.conf:1" },
	{ "\nsan = { \"cheese\" }",
	  "p.conf:2: san: found \"cheese\", allowed dns, email" },
	{ "san = { \"dns\", \"dns\" }", "twice" },
	{ "san_required = no\nkey_usage = { }", "4.2.1.3" },
	{ "san_required = no\nkey_usage = { \"encipherOnly\" }", "4.2.1.3" },
	{ "san_required = no\nkey_usage = { \"keyCertSign\" }", "4.2.1.9" },
	{ "san_required = no\nca = yes", "keyCertSign" },
	{ "san_required = no\nca = yes\n"
	  "key_usage = { \"keyCertSign\", \"cRLSign\" }", NULL },
	{ "san_required = no\nkey_usage = { \"keyEncipherment\" }\n"
	  "keys = { \"RSA\" }\nextended_key_usage = { \"clientAuth\" }",
	  "p.conf:4: extended_key_usage: found clientAuth" },
	{ "san_required = no\nextended_key_usage = { \"OCSPSigning\" }",
	  "allowed serverAuth" },
	{ "san_required = no\nextended_key_usage = { \"1.3.6.1.5.5.7.3.9\" }",
	  "built in" },
	{ "san_required = no\nextended_key_usage = { \"1.2.3\" }", NULL },
	{ "san_required = no\nsubject = { }", "4.1.2.6" },
	{ "san_required = no\nsubject = { \"XY\" }", "found \"XY\"" },
	{ "san_required = no\nwildcard = yes", "4.2.1.6" },
	{ "san_required = no\nkeys = { }", "found nothing" },
	{ "san_required = no\nkeys = { \"DSA\" }", "found \"DSA\"" },
	{ "san_required = no\nkey_usage = { \"keyEncipherment\" }\n"
	  "keys = { \"P-256\" }", "found P-256" },
	{ "san_required = no\nvalidity_days = 0", "found 0, allowed 1 to" },
	{ "san_required = no\nvalidity_days = 36526", "allowed 1 to 36525" },
	{ "san_required = no\nvalidity_days = 9\nmax_validity_days = 8",
	  "found 8, allowed 9" },
	{ "san_required = no\nmin_rsa_bits = 2047", "allowed 2048 to 8192" },
	{ "san_required = no\npolicies = { \"x\" }", "found \"x\"" },
};

START_TEST(a_profile_that_contradicts_is_refused_with_its_line)
{
	OWNED_STRUCT(profile) *p = NULL;
	struct err err = { 0 };
	int r = profile_parse("p", "p.conf", bytes_of(files[_i].text), &p,
	    &err);

	ck_assert_msg((r == 0) == (files[_i].says == NULL), "%s: %s",
	    files[_i].text, err.text);
	if (r == -1) {
		ck_assert_int_eq(err.kind, ERR_FAULT);
		ck_assert_msg(strstr(err.text, files[_i].says) != NULL,
		    "%s: %s", files[_i].text, err.text);
	}
}
END_TEST

static const struct {
	const char	*name, *cn, *san;
	enum san_kind	 kind;
	enum key_kind	 key;
	uint16_t	 bits;
	const char	*says;		/* NULL: allowed */
} checks[] = {
	{ "a server", "a.test", "a.test", SAN_DNS, KEY_P256, 256, NULL },
	{ "its name alone", NULL, "a.test", SAN_DNS, KEY_P256, 256, NULL },
	{ "RSA", NULL, "a.test", SAN_DNS, KEY_RSA, 2048, NULL },
	{ "short RSA", NULL, "a.test", SAN_DNS, KEY_RSA, 2047, "2047 bits" },
	{ "Ed448", NULL, "a.test", SAN_DNS, KEY_ED448, 456, "Ed448" },
	{ "mail", NULL, "a@b.test", SAN_EMAIL, KEY_P256, 256, "leave it out" },
	{ "a wildcard", NULL, "*.b.test", SAN_DNS, KEY_P256, 256, "wildcard" },
	{ "no SAN", "a.test", NULL, SAN_DNS, KEY_P256, 256, "no subjectAlt" },
	{ "another CN", "b.test", "a.test", SAN_DNS, KEY_P256, 256,
	  "none of the" },
};

START_TEST(a_request_is_held_against_its_profile)
{
	OWNED_STRUCT(profile) *p = test_profile("tls-server");
	struct key_facts key = { .kind = checks[_i].key,
		.bits = checks[_i].bits };
	struct names names = { 0 };
	struct err err = { 0 };
	int r;

	if (checks[_i].cn != NULL)
		names_add_attribute(&names, NID_commonName,
		    bytes_of(checks[_i].cn), &err);
	if (checks[_i].san != NULL)
		names_add_san(&names, checks[_i].kind,
		    bytes_of(checks[_i].san), &err);
	r = profile_check(p, &names, &key, &err);
	ck_assert_msg((r == 0) == (checks[_i].says == NULL), "%s: %s",
	    checks[_i].name, err.text);
	if (r == -1)
		ck_assert_msg(strstr(err.text, checks[_i].says) != NULL,
		    "%s: %s", checks[_i].name, err.text);
	names_free(&names);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("profile");
	TCase *tc = tcase_create("all");

	tcase_add_loop_test(tc, the_shipped_profiles_are_good, 0,
	    ROWS(shipped));
	tcase_add_loop_test(tc,
	    a_profile_that_contradicts_is_refused_with_its_line, 0,
	    ROWS(files));
	tcase_add_loop_test(tc, a_request_is_held_against_its_profile, 0,
	    ROWS(checks));
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
