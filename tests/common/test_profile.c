#include "common/profile.h"

#include "common/err.h"
#include "tests/support/fixtures.h"
#include "tests/support/test_ca.h"

#include <string.h>

static const char *const shipped[] = { "tls-server", "tls-client", "user",
	"vpn-gateway", "vpn-host", "code-signing", "time-stamping", "sub-ca",
	"short-lived", "must-staple" };

START_TEST(the_shipped_profiles_are_good)
{
	OWNED_STRUCT(profile) *p = test_profile(shipped[_i]);

	ck_assert_str_eq(p->name, shipped[_i]);
	ck_assert_int_eq(p->ca, strcmp(shipped[_i], "sub-ca") == 0);
	ck_assert_int_eq(p->no_rev_avail,
	    strcmp(shipped[_i], "short-lived") == 0);
	ck_assert_int_eq(p->cdp, !p->no_rev_avail);
	ck_assert_int_eq(p->must_staple,
	    strcmp(shipped[_i], "must-staple") == 0);
	ck_assert(p->aia);
}
END_TEST

/* One row for each refusal; the rows that are accepted are its boundary. */
#define NO_SAN	"san_required = no\n"
#define SERVER	"san = { \"dns\" }\nextended_key_usage = { \"serverAuth\" }\n"
#define CA	NO_SAN "ca = yes\n"					\
	"key_usage = { \"keyCertSign\", \"cRLSign\" }\n"
#define STAMP	NO_SAN "extended_key_usage = { \"timeStamping\" }\n"
static const struct {
	const char	*text, *says;	/* NULL: accepted */
} files[] = {
	{ "san = { \"dns\" }", NULL },
	{ NO_SAN, NULL },
	{ "", "p.conf:1: san_required: found yes" },

	/* the file */
	{ "san = { \"dns\" }\nwhat = 1\n", "p.conf:2" },
	{ "san = { \"dns\" }\nsan = { \"ip\" }", "p.conf:2: san is given twice" },
	{ "san = { \"dns\"", "p.conf:1" },
	{ "x {\n", "p.conf:1" },

	/* key_usage */
	{ NO_SAN "key_usage = { }", "p.conf:2: key_usage: found nothing" },
	{ NO_SAN "key_usage = { \"encipherOnly\" }", "4.2.1.3" },
	{ NO_SAN "key_usage = { \"decipherOnly\", \"digitalSignature\" }",
	  "keyAgreement only" },
	{ NO_SAN "key_usage = { \"keyAgreement\", \"encipherOnly\" }\n"
	  "keys = { \"P-256\" }", NULL },
	{ NO_SAN "key_usage = { \"keyCertSign\" }", "4.2.1.9" },
	{ NO_SAN "key_usage = { \"cRLSign\" }", "4.2.1.9" },
	{ NO_SAN "ca = yes", "keyCertSign" },
	{ NO_SAN "ca = yes\nkey_usage = { \"cRLSign\" }", "no keyCertSign" },
	{ CA, NULL },

	/* extended_key_usage */
	{ NO_SAN "key_usage = { \"keyEncipherment\" }\n"
	  "keys = { \"RSA\" }\nextended_key_usage = { \"clientAuth\" }",
	  "p.conf:4: extended_key_usage: found clientAuth" },
	{ "san = { \"dns\" }\nkey_usage = { \"keyEncipherment\", "
	  "\"nonRepudiation\" }\nkeys = { \"RSA\", \"P-256\" }\n"
	  "extended_key_usage = { \"serverAuth\" }",
	  "p.conf:4: extended_key_usage: found serverAuth, but no key_usage "
	  "that goes with it for P-256 keys" },
	{ NO_SAN "extended_key_usage = { \"OCSPSigning\" }", "6960, 4.2.2.2" },
	{ NO_SAN "extended_key_usage = { \"1.3.6.1.5.5.7.3.9\" }",
	  "found OCSPSigning" },
	{ NO_SAN "extended_key_usage = { \"1.2.3\" }", NULL },
	{ NO_SAN "extended_key_usage = { \"1.2.03\" }", "allowed serverAuth" },
	{ NO_SAN "extended_key_usage = { \"cheese\" }", "allowed serverAuth" },
	{ NO_SAN "extended_key_usage = { \"clientAuth\", "
	  "\"1.3.6.1.5.5.7.3.2\" }", "found \"1.3.6.1.5.5.7.3.2\" twice" },
	{ STAMP, NULL },
	{ STAMP "key_usage = { \"nonRepudiation\" }", NULL },
	{ NO_SAN "extended_key_usage = { \"timeStamping\", \"codeSigning\" }",
	  "p.conf:2: extended_key_usage: found timeStamping with others, "
	  "allowed alone (RFC 3161, 2.3)" },
	{ NO_SAN "extended_key_usage = { \"1.2.3\", \"1.3.6.1.5.5.7.3.8\" }",
	  "RFC 3161, 2.3" },
	{ STAMP "keys = { \"RSA\" }\nkey_usage = { \"digitalSignature\", "
	  "\"keyEncipherment\" }", "p.conf:4: key_usage: found more than" },
	{ CA "extended_key_usage = { \"serverAuth\" }",
	  "p.conf:4: extended_key_usage: found a purpose, but ca = yes" },

	/* san */
	{ "\nsan = { \"cheese\" }",
	  "p.conf:2: san: found \"cheese\", allowed dns, email" },
	{ "san = { \"dns\", \"dns\" }", "twice" },
	{ NO_SAN "wildcard = yes", "p.conf:2: wildcard: found yes" },
	{ "san = { \"dns\", \"email\" }\nsan_required_forms = { \"email\" }",
	  NULL },
	{ "san = { \"dns\" }\nsan_required_forms = { \"smtp_utf8\" }",
	  "p.conf:2: san_required_forms: found a form that san" },
	{ NO_SAN "san = { \"dns\" }\nsan_required_forms = { \"dns\" }",
	  "p.conf:1: san_required: found no, but san_required_forms" },
	{ SERVER, NULL },
	{ SERVER NO_SAN, "p.conf:3: san_required: found no, but clients know "
	  "a server (serverAuth) by its subjectAltName only (RFC 9525, 4.1)" },
	{ "san = { \"email\" }\nextended_key_usage = { \"serverAuth\" }",
	  "p.conf:1: san: found neither dns, ip nor uri" },
	{ "san = { \"dns\" }\nextended_key_usage = { \"1.3.6.1.5.5.7.3.1\" }\n"
	  NO_SAN, "RFC 9525" },
	{ CA "san = { \"dns\" }", "p.conf:4: san: found a form, but a CA" },

	/* subject */
	{ NO_SAN "subject = { }", "4.1.2.6" },
	{ "san = { \"dns\" }\nsubject = { }", NULL },
	{ CA "subject = { }", "a CA has a subject" },
	{ NO_SAN "subject = { \"XY\" }", "found \"XY\"" },
	{ NO_SAN "subject = { \"CN\", \"CN\" }", "found \"CN\" twice" },
	{ NO_SAN "subject_required = { \"CN\" }", NULL },
	{ NO_SAN "subject_required = { \"O\" }",
	  "p.conf:2: subject_required: found O, which subject" },
	{ NO_SAN "subject_required = { \"XY\" }", "found \"XY\"" },

	/* subject_template */
	{ NO_SAN "subject = { \"O\", \"CN\" }\n"
	  "subject_template = { \"O=Example {CN} Ltd\", \"CN={CN}\" }", NULL },
	{ NO_SAN "subject_template = { \"O=Example\" }",
	  "p.conf:2: subject_template: found an entry that is no" },
	{ NO_SAN "subject_template = { \"CN\" }", "is no \"TYPE=text\"" },
	{ NO_SAN "subject_template = { \"XY=a\" }", "is no \"TYPE=text\"" },
	{ NO_SAN "subject_template = { \"\" }", "found \"\"" },
	{ NO_SAN "subject_template = { \"CN={O}\" }", "found {O}" },
	{ NO_SAN "subject_template = { \"CN={SAN}\" }", "found {SAN}" },
	{ "san = { \"dns\" }\nsubject_template = { \"CN={SAN}\" }", NULL },
	{ NO_SAN "subject_template = { \"CN={CN\" }", "brace" },
	{ NO_SAN "subject_template = { \"CN=CN}\" }", "brace" },
	{ NO_SAN "subject_template = { \"CN={C{N}\" }", "brace" },
	{ NO_SAN "subject_template = { \"CN={}\" }", "found {}" },
	{ NO_SAN "subject = { \"C\" }\nsubject_template = { \"C=Germany\" }",
	  "subject's C \"Germany\" is refused" },
	{ NO_SAN "subject = { \"C\", \"CN\" }\nsubject_required = { \"CN\" }\n"
	  "subject_template = { \"C=DE\" }",
	  "p.conf:3: subject_required: found CN, which subject_template" },
	{ CA "subject_template = { \"CN=a\" }", "a CA's subject is given" },

	/* dates */
	{ NO_SAN "validity_days = 0", "found 0, allowed 1 to" },
	{ NO_SAN "validity_days = 36525", NULL },
	{ NO_SAN "validity_days = 36526", "allowed 1 to 36525" },
	{ NO_SAN "validity_days = 9\nmax_validity_days = 9", NULL },
	{ NO_SAN "validity_days = 9\nmax_validity_days = 8",
	  "p.conf:3: max_validity_days: found 8, allowed 9" },
	{ NO_SAN "backdate_s = 604800", NULL },
	{ NO_SAN "backdate_s = 604801", "allowed 0 to 604800" },
	{ NO_SAN "validity_days = 1\njitter_s = 86399", NULL },
	{ NO_SAN "validity_days = 1\njitter_s = 86400",
	  "p.conf:3: jitter_s: found 86400" },
	{ NO_SAN "jitter_s = -1", "allowed 0 to 31622400" },

	/* keys */
	{ NO_SAN "keys = { }", "found nothing" },
	{ NO_SAN "keys = { \"DSA\" }", "found \"DSA\"" },
	{ NO_SAN "key_usage = { \"keyEncipherment\" }\n"
	  "keys = { \"P-256\" }", "found P-256" },
	{ NO_SAN "key_usage = { \"digitalSignature\", \"keyEncipherment\" }\n"
	  "keys = { \"P-256\", \"Ed448\" }",
	  "p.conf:2: key_usage: found what none of keys can do" },
	{ NO_SAN "key_usage = { \"digitalSignature\", \"keyAgreement\" }\n"
	  "keys = { \"RSA\", \"Ed25519\" }", "what none of keys can do" },
	{ NO_SAN "key_usage = { \"digitalSignature\", \"keyAgreement\" }\n"
	  "keys = { \"RSA\", \"P-521\" }", NULL },
	{ NO_SAN "min_rsa_bits = 2047", "allowed 2048 to 8192" },
	{ NO_SAN "min_rsa_bits = 8192", NULL },
	{ NO_SAN "min_rsa_bits = 8193", "allowed 2048 to 8192" },
	{ NO_SAN "signature_hash = \"sha384\"", NULL },
	{ NO_SAN "signature_hash = \"sha1\"",
	  "p.conf:2: signature_hash: found \"sha1\"" },

	/* CAs */
	{ CA "path_len = 0", NULL },
	{ CA "path_len = 11", "allowed -1 to 10" },
	{ NO_SAN "path_len = 0", "p.conf:2: path_len: found 0, allowed with "
	  "ca = yes only (RFC 5280, 4.2.1.9)" },

	/* status */
	{ NO_SAN "no_rev_avail = yes\ncdp = no", NULL },
	{ NO_SAN "no_rev_avail = yes", "p.conf:2: no_rev_avail: found yes, "
	  "but cdp = yes says where a CRL is (RFC 9608, 3)" },
	{ CA "no_rev_avail = yes\ncdp = no", "RFC 9608, 2" },
	{ SERVER "no_rev_avail = yes\ncdp = no\nmust_staple = yes",
	  "must_staple = yes wants" },
	{ SERVER "must_staple = yes", NULL },
	{ SERVER "must_staple = yes\naia = no",
	  "p.conf:3: must_staple: found yes, but with aia = no" },
	{ NO_SAN "must_staple = yes", "only a TLS server" },

	/* policies */
	{ NO_SAN "policies = { \"1.2.3\", \"1.2.4\" }\n"
	  "cps_url = \"https://example.test/cps\"", NULL },
	{ NO_SAN "policies = { \"x\" }", "found \"x\"" },
#define LONG(last) "\"2.25.111111111111111111111111111111111111" last "\""
	{ NO_SAN "policies = { " LONG("1") ", " LONG("2") ", " LONG("3") ", "
	  LONG("4") ", " LONG("5") ", " LONG("6") " }",
	  "found a list longer than 255 octets" },
	{ NO_SAN "policies = { " LONG("1") ", " LONG("2") ", " LONG("3") ", "
	  LONG("4") ", " LONG("5") " }", NULL },
	{ NO_SAN "policies = { \"1.2.3\", \"1.2.3\" }", "twice" },
	{ NO_SAN "cps_url = \"https://example.test/cps\"",
	  "p.conf:2: cps_url: found one, but policies has none" },
	{ NO_SAN "policies = { \"1.2.3\" }\ncps_url = \"cps\"",
	  "p.conf:3: cps_url: " },

	/* extensions */
#define EXTENSION(oid, value) NO_SAN "extension \"" oid "\" {\n" \
	"critical = yes\nvalue = " value "\n}"
	{ EXTENSION("1.2.3", "\"0500\""), NULL },
	{ EXTENSION("1.2.3", "{ \"30\", \"020500\" }"), NULL },
	{ EXTENSION("1.2.3", "\"3003020101\""), NULL },
	{ EXTENSION("1.2.3", "\"\""), "p.conf:4: value: found no hexa" },
	{ EXTENSION("1.2.3", "\"05\""), "p.conf:4: value: it is not DER" },
	{ EXTENSION("1.2.3", "\"050\""), "found no hexadecimal" },
	{ EXTENSION("1.2.3", "\"xx\""), "found no hexadecimal" },
	{ EXTENSION("1.2.3", "\"05000500\""), "2 octets follow its end" },
	{ EXTENSION("1.2.3", "\"3080020500\""), "it is not DER" },
	{ EXTENSION("1.2.3", "\"010101\""), "it is not DER" },
	{ EXTENSION("cheese", "\"0500\""),
	  "p.conf:2: extension \"cheese\" is no OID" },
	{ EXTENSION("keyUsage", "\"0500\""), "is no OID" },
	{ EXTENSION("01.2.3", "\"0500\""), "is no OID" },
	{ EXTENSION("2.5.29.19", "\"30030101ff\""),
	  "p.conf:2: extension \"2.5.29.19\" is governed by" },
	{ EXTENSION("2.5.29.56", "\"0500\""), "is governed by" },
	{ EXTENSION("1.3.6.1.5.5.7.1.1", "\"3000\""), "is governed by" },
	{ EXTENSION("1.3.6.1.5.5.7.1.11", "\"3000\""), "is governed by" },
	{ EXTENSION("1.3.6.1.5.5.7.1.24", "\"3000\""), "is governed by" },
	{ EXTENSION("1.3.6.1.5.5.7.48.1.5", "\"0500\""), "is governed by" },
	{ EXTENSION("1.3.6.1.5.5.7.1.14", "\"3000\""), "is governed by" },
	{ EXTENSION("2.16.840.1.113730.1.1", "\"03020780\""),
	  "is governed by" },
	{ EXTENSION("1.3.6.1.4.1.11129.2.4.3", "\"0500\""),
	  "is governed by" },
	{ EXTENSION("1.3.6.1.5.5.7.1.3", "\"3000\""), NULL },
	{ EXTENSION("1.2.3", "\"0500\"") "\nextension \"1.2.3\" { }",
	  "given twice" },
	{ CA "extension \"1.2.3\" { value = \"0500\" }", "a CA gets none" },
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
	{ "a CN in capitals", "A.test", "a.test", SAN_DNS, KEY_P256, 256,
	  NULL },
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

START_TEST(the_ninth_extension_is_refused)
{
	OWNED_STRUCT(profile) *p = NULL;
	OWNED_BUF(text, 4096);
	struct err err = { 0 };

	buf_append_str(&text, NO_SAN);
	for (int i = 0; i < PROFILE_MAX_EXTENSIONS; i++)
		buf_printf(&text, "extension \"1.2.%d\" { value = \"0500\" }\n",
		    i);
	ck_assert_msg(profile_parse("p", "p.conf", buf_bytes(&text), &p,
	    &err) == 0, "%s", err.text);
	ck_assert_uint_eq(p->n_extensions, PROFILE_MAX_EXTENSIONS);
	ck_assert_str_eq(p->extensions[7].oid, "1.2.7");
	profile_free(p);
	p = NULL;
	buf_append_str(&text, "extension \"1.2.99\" { value = \"0500\" }\n");
	ck_assert_int_eq(profile_parse("p", "p.conf", buf_bytes(&text), &p,
	    &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "one more than"));
}
END_TEST

/* 2.5.29 is refused as a whole, whatever is behind it. */
START_TEST(an_extension_of_id_ce_is_never_a_sites_own)
{
	for (int arc = 1; arc < 128; arc++) {
		OWNED_STRUCT(profile) *p = NULL;
		OWNED_BUF(text, 256);
		struct err err = { 0 };

		buf_printf(&text, NO_SAN "extension \"2.5.29.%d\" "
		    "{ value = \"0500\" }", arc);
		ck_assert_int_eq(profile_parse("p", "p.conf",
		    buf_bytes(&text), &p, &err), -1);
		ck_assert_ptr_nonnull(strstr(err.text, "governed"));
	}
}
END_TEST

START_TEST(everything_in_the_file_is_in_the_profile)
{
	static const char text[] =
	    "key_usage = { \"digitalSignature\" }\n"
	    "extended_key_usage = { \"1.3.6.1.5.5.7.3.1\", \"1.2.3\" }\n"
	    "san = { \"dns\", \"ip\" }\n"
	    "san_required_forms = { \"dns\" }\n"
	    "subject = { \"CN\", \"O\" }\nsubject_required = { \"O\" }\n"
	    "subject_template = { \"O=Example\", \"CN={SAN}\" }\n"
	    "validity_days = 2\nmax_validity_days = 3\nbackdate_s = 4\n"
	    "jitter_s = 5\nkeys = { \"Ed448\" }\nmin_rsa_bits = 4096\n"
	    "same_key = no\nsignature_hash = \"sha512\"\n"
	    "must_staple = yes\ncdp = no\npolicies = { \"1.2\", \"1.3\" }\n"
	    "cps_url = \"https://a.test/\"\n"
	    "extension \"1.2.4\" { critical = yes value = \"0500\" }\n";
	OWNED_STRUCT(profile) *p = NULL;
	struct err err = { 0 };

	ck_assert_msg(profile_parse("p", "p.conf", bytes_of(text), &p,
	    &err) == 0, "%s", err.text);
	ck_assert_str_eq(p->eku, "serverAuth,1.2.3");
	ck_assert_uint_eq(p->sans_required, PROFILE_SAN_BIT(SAN_DNS));
	ck_assert_str_eq(p->subject_required, "O");
	ck_assert_str_eq(p->subject_template, "O=Example\nCN={SAN}");
	ck_assert_int_eq(p->validity_s, 2 * DAY);
	ck_assert_int_eq(p->max_validity_s, 3 * DAY);
	ck_assert_int_eq(p->backdate_s, 4);
	ck_assert_int_eq(p->jitter_s, 5);
	ck_assert_uint_eq(p->keys, 1u << KEY_ED448);
	ck_assert_uint_eq(p->min_rsa_bits, 4096);
	ck_assert(!p->same_key && p->must_staple && !p->cdp && p->aia);
	ck_assert_str_eq(p->signature_hash, "sha512");
	ck_assert_str_eq(p->policy_oids, "1.2,1.3");
	ck_assert_str_eq(p->cps_url, "https://a.test/");
	ck_assert_int_eq(p->path_len, -1);
	ck_assert_uint_eq(p->n_extensions, 1);
	ck_assert(p->extensions[0].critical);
	ck_assert_uint_eq(p->extensions[0].value.len, 2);
}
END_TEST

START_TEST(the_profile_of_responders_is_no_file)
{
	OWNED_STRUCT(profile) *p = NULL;
	struct err err = { 0 };

	ck_assert_int_eq(profile_parse("ocsp-responder", "o.conf",
	    bytes_of(NO_SAN), &p, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "o.conf:1: "));
	ck_assert_ptr_nonnull(strstr(err.text, "RFC 6960, 4.2.2.2"));
}
END_TEST

/* --- templates, required forms and attributes --- */

static const struct {
	const char	*name, *template;
	const char	*cn, *o, *dns;	/* of the request; NULL: none */
	const char	*want;		/* names_describe; NULL: refused */
	const char	*says;
} made[] = {
	{ "fixed text", "\"O=Example\", \"CN={CN}\"", "a", "Evil", "x.test",
	  "O=Example, CN=a, DNS:x.test", NULL },
	{ "in the template's order", "\"CN={CN}\", \"O={O}\"", "a", "b",
	  "x.test", "CN=a, O=b, DNS:x.test", NULL },
	{ "a part is missing", "\"O={O}\", \"CN={CN}\"", "a", NULL, "x.test",
	  "CN=a, DNS:x.test", NULL },
	{ "one of two parts is missing", "\"CN={CN} of {O}\"", "a", NULL,
	  "x.test", "DNS:x.test", NULL },
	{ "two parts", "\"CN={CN} of {O}\"", "a", "b", "x.test",
	  "CN=a of b, DNS:x.test", NULL },
	{ "the first SAN", "\"CN={SAN}\"", "a", NULL, "x.test",
	  "CN=x.test, DNS:x.test", NULL },
	{ "a SAN that is not there", "\"CN={SAN}\"", "a", NULL, NULL, NULL,
	  "no subjectAltName" },
	{ "too long when put together", "\"CN={CN}{CN}\"",
	  "a23456789b123456789c123456789d123", NULL, "x.test", NULL,
	  "too long for this attribute" },
	{ "as long as it may be", "\"CN={CN}{CN}\"",
	  "a23456789b123456789c123456789d12", NULL, "x.test",
	  "CN=a23456789b123456789c123456789d12a23456789b123456789c123456789d12"
	  ", DNS:x.test", NULL },
	{ "no template", "", "a", "b", "x.test", "CN=a, O=b, DNS:x.test",
	  NULL },
	{ "an attribute that is not allowed", NULL, "a", "b", "x.test", NULL,
	  "the subject's O \"b\"" },
};

START_TEST(a_template_makes_the_subject)
{
	OWNED_STRUCT(profile) *p = NULL;
	struct key_facts key = { .kind = KEY_P256, .bits = 256 };
	struct names asked = { 0 }, names = { 0 };
	OWNED_BUF(text, 1024);
	char said[256];
	struct err err = { 0 };
	int r;

	buf_printf(&text, "san = { \"dns\" }\nsubject = { \"CN\"%s }\n",
	    made[_i].template == NULL ? "" : ", \"O\"");
	if (made[_i].template != NULL)
		buf_printf(&text, "subject_template = { %s }\n",
		    made[_i].template);
	ck_assert_msg(profile_parse("p", "p.conf", buf_bytes(&text), &p,
	    &err) == 0, "%s", err.text);
	if (made[_i].cn != NULL)
		names_add_attribute(&asked, NID_commonName,
		    bytes_of(made[_i].cn), &err);
	if (made[_i].o != NULL)
		names_add_attribute(&asked, NID_organizationName,
		    bytes_of(made[_i].o), &err);
	if (made[_i].dns != NULL)
		names_add_san(&asked, SAN_DNS, bytes_of(made[_i].dns), &err);
	r = profile_check_request(p, &asked, &key, &err);
	ck_assert_msg((r == 0) == (made[_i].want != NULL), "%s: %s",
	    made[_i].name, err.text);
	if (r == 0) {
		ck_assert_int_eq(profile_make_names(p, &asked, &names, &err),
		    0);
		names_describe(&names, said, sizeof(said));
		ck_assert_str_eq(said, made[_i].want);
	} else {
		ck_assert_int_eq(err.kind, ERR_REJECT);
		ck_assert_msg(strstr(err.text, made[_i].says) != NULL,
		    "%s: %s", made[_i].name, err.text);
	}
	names_free(&asked);
	names_free(&names);
}
END_TEST

START_TEST(a_template_does_not_hide_what_is_not_allowed)
{
	OWNED_STRUCT(profile) *p = NULL;
	struct names asked = { 0 }, names = { 0 };
	struct err err = { 0 };

	ck_assert_msg(profile_parse("p", "p.conf", bytes_of(NO_SAN
	    "subject_template = { \"CN={CN}\" }"), &p, &err) == 0, "%s",
	    err.text);
	names_add_attribute(&asked, NID_commonName, bytes_of("a"), &err);
	names_add_attribute(&asked, NID_organizationName, bytes_of("b"), &err);
	ck_assert_int_eq(profile_make_names(p, &asked, &names, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "the subject's O \"b\""));
	names_free(&asked);
}
END_TEST

START_TEST(a_certificate_names_somebody)
{
	OWNED_STRUCT(profile) *p = NULL;
	struct key_facts key = { .kind = KEY_P256, .bits = 256 };
	struct names none = { 0 };
	struct err err = { 0 };

	ck_assert_msg(profile_parse("p", "p.conf", bytes_of(NO_SAN), &p,
	    &err) == 0, "%s", err.text);
	ck_assert_int_eq(profile_check(p, &none, &key, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "names nobody"));
}
END_TEST

static const struct {
	size_t		 octets;
	int		 want;
} name_lengths[] = { { 0, -1 }, { 1, 0 }, { 63, 0 }, { 64, -1 } };

START_TEST(the_name_of_a_profile_has_its_length)
{
	OWNED_STRUCT(profile) *p = NULL;
	char name[65] = "";
	struct err err = { 0 };

	memset(name, 'a', name_lengths[_i].octets);
	ck_assert_int_eq(profile_parse(name, "p.conf", bytes_of(NO_SAN), &p,
	    &err), name_lengths[_i].want);
}
END_TEST

START_TEST(what_is_required_is_there_or_refused)
{
	static const char text[] = "san = { \"dns\", \"email\" }\n"
	    "san_required_forms = { \"dns\", \"email\" }\n"
	    "subject = { \"CN\", \"O\" }\nsubject_required = { \"O\" }\n";
	OWNED_STRUCT(profile) *p = NULL;
	struct key_facts key = { .kind = KEY_P256, .bits = 256 };
	struct names names = { 0 };
	struct err err = { 0 };

	ck_assert_msg(profile_parse("p", "p.conf", bytes_of(text), &p,
	    &err) == 0, "%s", err.text);
	names_add_attribute(&names, NID_commonName, bytes_of("a"), &err);
	names_add_san(&names, SAN_DNS, bytes_of("a.test"), &err);
	ck_assert_int_eq(profile_check(p, &names, &key, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "the subject has no O, "));
	names_add_attribute(&names, NID_organizationName, bytes_of("b"), &err);
	ck_assert_int_eq(profile_check(p, &names, &key, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "of the form email"));
	names_add_san(&names, SAN_EMAIL, bytes_of("a@b.test"), &err);
	ck_assert_int_eq(profile_check(p, &names, &key, &err), 0);
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
	tcase_add_test(tc, the_ninth_extension_is_refused);
	tcase_add_test(tc, an_extension_of_id_ce_is_never_a_sites_own);
	tcase_add_test(tc, everything_in_the_file_is_in_the_profile);
	tcase_add_test(tc, the_profile_of_responders_is_no_file);
	tcase_add_loop_test(tc, a_template_makes_the_subject, 0, ROWS(made));
	tcase_add_test(tc, a_template_does_not_hide_what_is_not_allowed);
	tcase_add_test(tc, a_certificate_names_somebody);
	tcase_add_loop_test(tc, the_name_of_a_profile_has_its_length, 0,
	    ROWS(name_lengths));
	tcase_add_test(tc, what_is_required_is_there_or_refused);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
