#include "common/lint.h"

#include "common/err.h"
#include "tests/support/fixtures.h"
#include "tests/support/test_ca.h"

#include <openssl/x509v3.h>

#include <string.h>

static const struct test_extension www[] = {
	{ "subjectAltName", "DNS:www.example.test" }, { 0 },
};

static struct test_ca ca;
static EVP_PKEY *key;
static struct profile *profile;
static struct csr *csr;
static struct order order;
static X509 *cert;

static void
set_up(void)
{
	struct err err;

	test_ca_make(&ca, KEY_P256);
	key = key_generate(KEY_P256, 0, &err);
	profile = test_profile("tls-server");
	csr = test_csr(key, "www.example.test", www);
	test_order(&order, csr, profile, &ca);
	ck_assert_int_eq(issue_build(&order, csr, profile, &ca.issuer, &cert,
	    &err), 0);
}

static void
tear_down(void)
{
	X509_free(cert);
	cert = NULL;
	names_free(&order.names);
	csr_free(csr);
	profile_free(profile);
	EVP_PKEY_free(key);
	test_ca_free(&ca);
}

START_TEST(what_the_builder_makes_has_no_finding)
{
	struct err err = { 0 };

	ck_assert_msg(lint_certificate(cert, profile, &ca.issuer, &err) == 0,
	    "%s", err.text);
}
END_TEST

/* Replace an extension (or add one) by what openssl.cnf syntax says; value
 * NULL takes it away. */
static void
set_extension(const char *name, const char *value)
{
	int nid = OBJ_txt2nid(name), at;
	X509V3_CTX ctx;
	X509_EXTENSION *e;

	at = X509_get_ext_by_NID(cert, nid, -1);
	if (at >= 0)
		X509_EXTENSION_free(X509_delete_ext(cert, at));
	if (value == NULL)
		return;
	X509V3_set_ctx(&ctx, NULL, NULL, NULL, NULL, 0);
	e = X509V3_EXT_nconf(NULL, &ctx, name, value);
	ck_assert_msg(e != NULL, "%s=%s", name, value);
	X509_add_ext(cert, e, -1);
	X509_EXTENSION_free(e);
}

static const struct {
	const char	*name, *extension, *value, *says;
} extensions[] = {
	{ "no SKI", "subjectKeyIdentifier", NULL,
	  "subjectKeyIdentifier is missing (RFC 5280, 4.2.1.2)" },
	{ "another SKI", "subjectKeyIdentifier", "DER:04020102",
	  "subjectKeyIdentifier is not that of its key" },
	{ "no AKI", "authorityKeyIdentifier", NULL,
	  "authorityKeyIdentifier is missing (RFC 5280, 4.2.1.1)" },
	{ "another AKI", "authorityKeyIdentifier", "DER:300480020102",
	  "authorityKeyIdentifier is not that of its issuer" },
	{ "no KU", "keyUsage", NULL, "keyUsage is missing" },
	{ "KU not critical", "keyUsage", "digitalSignature",
	  "keyUsage is not critical (RFC 5280, 4.2.1.3)" },
	{ "more KU", "keyUsage", "critical,digitalSignature,keyAgreement",
	  "keyUsage is not the profile's" },
	{ "a CA's KU", "keyUsage", "critical,digitalSignature,keyCertSign",
	  "keyUsage is not the profile's" },
	{ "empty KU", "keyUsage", "critical,DER:030100", "keyUsage is empty" },
	{ "a CA", "basicConstraints", "critical,CA:TRUE",
	  "basicConstraints are not those of an end entity (RFC 5280, 4.2.1.9" },
	{ "no BC", "basicConstraints", NULL, "basicConstraints is missing" },
	{ "BC not critical", "basicConstraints", "CA:FALSE",
	  "basicConstraints is not critical" },
	{ "no EKU", "extendedKeyUsage", NULL, "extendedKeyUsage is missing" },
	{ "another EKU", "extendedKeyUsage", "clientAuth",
	  "extendedKeyUsage is not the profile's (RFC 5280, 4.2.1.12)" },
	{ "more EKU", "extendedKeyUsage", "serverAuth,clientAuth",
	  "extendedKeyUsage is not the profile's" },
	{ "critical EKU", "extendedKeyUsage", "critical,serverAuth",
	  "extendedKeyUsage is critical" },
	{ "no SAN", "subjectAltName", NULL, "subjectAltName is missing" },
	{ "critical SAN", "subjectAltName", "critical,DNS:a.example",
	  "subjectAltName is critical (RFC 5280, 4.2.1.6)" },
	{ "a SAN of another form", "subjectAltName", "email:a@b.example",
	  "form that the profile does not have" },
	{ "a wildcard", "subjectAltName", "DNS:*.b.example", "is malformed" },
	{ "capitals", "subjectAltName", "DNS:B.example", "is malformed" },
	{ "an empty SAN", "subjectAltName", "DER:3000", "is empty" },
	{ "an unknown form", "subjectAltName", "RID:1.2.3", "is unknown" },
	{ "a short address", "subjectAltName", "DER:30058703010203",
	  "is malformed" },
	{ "no AIA", "authorityInfoAccess", NULL,
	  "authorityInfoAccess is missing (RFC 5280, 4.2.2.1)" },
	{ "another AIA", "authorityInfoAccess", "OCSP;URI:http://evil.test/",
	  "authorityInfoAccess is not the issuer's" },
	{ "no CDP", "crlDistributionPoints", NULL,
	  "cRLDistributionPoints is missing (RFC 5280, 4.2.1.13)" },
	{ "another CDP", "crlDistributionPoints", "URI:http://evil.test/",
	  "cRLDistributionPoints are not the issuer's" },
	{ "policies", "certificatePolicies", "DER:3006300406022a03",
	  "certificatePolicies must not be there" },
	{ "nocheck", "noCheck", "ignored", "nocheck must not be there" },
	{ "an unknown extension", "1.2.3.4", "DER:0500",
	  "an extension that no profile has" },
	{ "octets behind a value", "subjectAltName", "DER:3003820161ff",
	  "subjectAltName is empty or malformed" },
};

START_TEST(each_fault_in_an_extension_is_its_own_finding)
{
	struct err err = { 0 };

	set_extension(extensions[_i].extension, extensions[_i].value);
	ck_assert_msg(lint_certificate(cert, profile, &ca.issuer, &err) == -1,
	    "%s", extensions[_i].name);
	ck_assert_int_eq(err.kind, ERR_FAULT);
	ck_assert_msg(strstr(err.text, extensions[_i].says) != NULL, "%s: %s",
	    extensions[_i].name, err.text);
}
END_TEST

START_TEST(each_extension_stands_there_once)
{
	struct err err = { 0 };

	for (int i = 0; i < X509_get_ext_count(cert); i++) {
		X509_add_ext(cert, X509_get_ext(cert, i), -1);
		ck_assert_int_eq(lint_certificate(cert, profile, &ca.issuer,
		    &err), -1);
		ck_assert_msg(strstr(err.text, "is doubled (RFC 5280, 4.2)") !=
		    NULL, "%s", err.text);
		X509_EXTENSION_free(X509_delete_ext(cert,
		    X509_get_ext_count(cert) - 1));
	}
	ck_assert_int_eq(lint_certificate(cert, profile, &ca.issuer, &err), 0);
}
END_TEST

static void
set_serial(const char *hex)
{
	BIGNUM *n = NULL;
	ASN1_INTEGER *serial;

	BN_hex2bn(&n, hex);
	serial = BN_to_ASN1_INTEGER(n, NULL);
	X509_set_serialNumber(cert, serial);
	ASN1_INTEGER_free(serial);
	BN_free(n);
}

static const struct {
	const char	*hex;
	int		 want;
} serials[] = {
	{ "1", 0 }, { "0", -1 }, { "-1", -1 },
	{ "7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF", 0 },
	{ "80000000000000000000000000000000000000FF", -1 },
};

START_TEST(a_serial_is_positive_and_short)
{
	struct err err = { 0 };

	set_serial(serials[_i].hex);
	ck_assert_msg(lint_certificate(cert, profile, &ca.issuer, &err) ==
	    serials[_i].want, "%s", serials[_i].hex);
	if (serials[_i].want == -1)
		ck_assert_ptr_nonnull(strstr(err.text, "4.1.2.2"));
}
END_TEST

static const struct {
	const char	*name;
	int		 type;
	const char	*from, *until;
	const char	*says;		/* NULL: no finding */
} dates[] = {
	{ "as it should be", V_ASN1_UTCTIME, "260101120000Z", "260201120000Z",
	  NULL },
	{ "equal", V_ASN1_UTCTIME, "260101120000Z", "260101120000Z",
	  "not after notBefore" },
	{ "backwards", V_ASN1_UTCTIME, "260102120000Z", "260101120000Z",
	  "not after notBefore" },
	{ "no seconds", V_ASN1_UTCTIME, "2601011200Z", "260201120000Z",
	  "not written" },
	{ "no Z", V_ASN1_UTCTIME, "260101120000+0000", "260201120000Z",
	  "not written" },
	{ "month 13", V_ASN1_UTCTIME, "261301120000Z", "260201120000Z",
	  "not written" },
	{ "30 February", V_ASN1_UTCTIME, "260101120000Z", "260230120000Z",
	  "not written" },
	{ "GeneralizedTime before 2050", V_ASN1_GENERALIZEDTIME,
	  "20260101120000Z", "20260201120000Z", "not written" },
	{ "before the issuer", V_ASN1_UTCTIME, "251231115959Z",
	  "260201120000Z", "beyond its issuer" },
	{ "after the issuer", V_ASN1_UTCTIME, "351201120000Z",
	  "360101120000Z", "beyond its issuer" },
	{ "too long", V_ASN1_UTCTIME, "260101120000Z", "270202120501Z",
	  "for longer" },
	{ "as long as may be", V_ASN1_UTCTIME, "260101120000Z",
	  "270202120500Z", NULL },
};

START_TEST(dates_are_in_order_within_and_well_written)
{
	ASN1_TIME *from = ASN1_STRING_type_new(dates[_i].type);
	ASN1_TIME *until = ASN1_STRING_type_new(dates[_i].type);
	struct err err = { 0 };
	int r;

	ASN1_STRING_set(from, dates[_i].from, -1);
	ASN1_STRING_set(until, dates[_i].until, -1);
	X509_set1_notBefore(cert, from);
	X509_set1_notAfter(cert, until);
	ASN1_TIME_free(from);
	ASN1_TIME_free(until);
	r = lint_certificate(cert, profile, &ca.issuer, &err);
	ck_assert_msg((r == 0) == (dates[_i].says == NULL), "%s: %s",
	    dates[_i].name, err.text);
	if (r == -1)
		ck_assert_msg(strstr(err.text, dates[_i].says) != NULL,
		    "%s: %s", dates[_i].name, err.text);
}
END_TEST

static const struct {
	const char	*attribute;
	int		 type;
	const char	*says;
} subjects[] = {
	{ "C", V_ASN1_PRINTABLESTRING, NULL },
	{ "C", V_ASN1_UTF8STRING, "not written as it must be (RFC 5280, 4.1.2.4" },
	{ "O", V_ASN1_UTF8STRING, NULL },
	{ "O", V_ASN1_T61STRING, "not written" },
	{ "title", V_ASN1_UTF8STRING, "attribute that the profile" },
};

START_TEST(attributes_are_the_profiles_and_well_written)
{
	X509_NAME *name = X509_NAME_dup(X509_get_subject_name(cert));
	struct err err = { 0 };
	int r;

	X509_NAME_add_entry_by_txt(name, subjects[_i].attribute,
	    subjects[_i].type, (const uint8_t *)"DE", 2, -1, 0);
	X509_set_subject_name(cert, name);
	X509_NAME_free(name);
	r = lint_certificate(cert, profile, &ca.issuer, &err);
	ck_assert_msg((r == 0) == (subjects[_i].says == NULL), "%s",
	    err.text);
	if (r == -1)
		ck_assert_msg(strstr(err.text, subjects[_i].says) != NULL,
		    "%s", err.text);
}
END_TEST

START_TEST(an_empty_subject_wants_a_critical_san)
{
	X509_NAME *none = X509_NAME_new();
	struct err err = { 0 };

	X509_set_subject_name(cert, none);
	X509_NAME_free(none);
	ck_assert_int_eq(lint_certificate(cert, profile, &ca.issuer, &err),
	    -1);
	ck_assert_ptr_nonnull(strstr(err.text, "is not critical"));
	set_extension("subjectAltName", "critical,DNS:a.example");
	ck_assert_msg(lint_certificate(cert, profile, &ca.issuer, &err) == 0,
	    "%s", err.text);
}
END_TEST

START_TEST(issuer_version_algorithm_and_key_are_looked_at)
{
	const X509_ALGOR *outer;
	struct err err = { 0 };

	X509_set_version(cert, X509_VERSION_1);
	ck_assert_int_eq(lint_certificate(cert, profile, &ca.issuer, &err),
	    -1);
	ck_assert_ptr_nonnull(strstr(err.text, "4.1.2.1"));
	X509_set_version(cert, X509_VERSION_3);

	X509_set_issuer_name(cert, X509_get_subject_name(cert));
	ck_assert_int_eq(lint_certificate(cert, profile, &ca.issuer, &err),
	    -1);
	ck_assert_ptr_nonnull(strstr(err.text, "not the CA's subject"));
	X509_set_issuer_name(cert, X509_get_subject_name(ca.cert));

	X509_set_pubkey(cert, ca.key);
	ck_assert_int_eq(lint_certificate(cert, profile, &ca.issuer, &err),
	    -1);
	ck_assert_ptr_nonnull(strstr(err.text, "subjectKeyIdentifier"));
	X509_set_pubkey(cert, key);
	profile->keys = 1u << KEY_RSA;
	ck_assert_int_eq(lint_certificate(cert, profile, &ca.issuer, &err),
	    -1);
	ck_assert_ptr_nonnull(strstr(err.text, "4.1.2.7"));

	X509_get0_signature(NULL, &outer, cert);
	X509_ALGOR_set0((X509_ALGOR *)(uintptr_t)outer,
	    OBJ_nid2obj(NID_ED25519), V_ASN1_UNDEF, NULL);
	ck_assert_int_eq(lint_certificate(cert, profile, &ca.issuer, &err),
	    -1);
	ck_assert_ptr_nonnull(strstr(err.text, "4.1.1.2"));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("lint");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, what_the_builder_makes_has_no_finding);
	tcase_add_loop_test(tc, each_fault_in_an_extension_is_its_own_finding,
	    0, ROWS(extensions));
	tcase_add_test(tc, each_extension_stands_there_once);
	tcase_add_loop_test(tc, a_serial_is_positive_and_short, 0,
	    ROWS(serials));
	tcase_add_loop_test(tc, dates_are_in_order_within_and_well_written, 0,
	    ROWS(dates));
	tcase_add_loop_test(tc, attributes_are_the_profiles_and_well_written,
	    0, ROWS(subjects));
	tcase_add_test(tc, an_empty_subject_wants_a_critical_san);
	tcase_add_test(tc, issuer_version_algorithm_and_key_are_looked_at);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
