#include "common/issue.h"

#include "common/constraints.h"
#include "common/err.h"
#include "common/lint.h"
#include "tests/support/fixtures.h"
#include "tests/support/test_ca.h"

#include <openssl/x509v3.h>

#include <string.h>

static const struct test_extension www[] = {
	{ "subjectAltName", "DNS:www.example.test, IP:192.0.2.1" }, { 0 },
};

static struct test_ca ca;
static EVP_PKEY *key;
static struct profile *profile;
static struct csr *csr;
static struct order order;

static void
set_up(void)
{
	struct err err;

	test_ca_make(&ca, KEY_P256);
	key = key_generate(KEY_P256, 0, &err);
	profile = test_profile("tls-server");
	csr = test_csr(key, "www.example.test", www);
	test_order(&order, csr, profile, &ca);
}

static void
tear_down(void)
{
	names_free(&order.names);
	csr_free(csr);
	profile_free(profile);
	EVP_PKEY_free(key);
	test_ca_free(&ca);
}

static X509 *
issue(const struct issuer *issuer)
{
	X509 *cert = NULL;
	struct err err = { 0 };

	ck_assert_msg(issue_build(&order, csr, profile, issuer, &cert,
	    &err) == 0, "%s: %s", err.text, err.detail);
	ck_assert_msg(lint_certificate(cert, profile, issuer, &err) == 0,
	    "%s: %s", err.text, err.detail);
	ck_assert_msg(issue_sign(cert, issuer, &err) == 0, "%s: %s", err.text,
	    err.detail);
	return cert;
}

/* As a client sees it: from its octets. */
static X509 *
reread(X509 *cert)
{
	uint8_t *der = NULL;
	const uint8_t *at;
	int len = i2d_X509(cert, &der);
	X509 *again;

	at = der;
	again = d2i_X509(NULL, &at, len);
	OPENSSL_free(der);
	ck_assert_ptr_nonnull(again);
	return again;
}

static bool
verifies(X509 *cert, X509 *root, int purpose)
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	bool ok;

	X509_STORE_add_cert(store, root);
	X509_STORE_CTX_init(ctx, store, cert, NULL);
	X509_STORE_CTX_set_purpose(ctx, purpose);
	X509_STORE_CTX_set_flags(ctx, X509_V_FLAG_X509_STRICT);
	X509_STORE_CTX_set_time(ctx, 0, NOON + DAY);
	ok = X509_verify_cert(ctx) == 1;
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	return ok;
}

START_TEST(a_certificate_verifies_strictly_for_its_purpose)
{
	OWNED(X509) *cert = issue(&ca.issuer);
	OWNED(X509) *again = reread(cert);

	ck_assert(verifies(again, ca.cert, X509_PURPOSE_SSL_SERVER));
	ck_assert(!verifies(again, ca.cert, X509_PURPOSE_SMIME_SIGN));
	ck_assert_int_eq(X509_check_host(again, "www.example.test", 0, 0,
	    NULL), 1);
	ck_assert_int_eq(X509_check_ip_asc(again, "192.0.2.1", 0), 1);
	ck_assert_int_eq(EVP_PKEY_eq(X509_get0_pubkey(again), key), 1);
	ck_assert_int_eq(X509_check_ca(again), 0);
}
END_TEST

static const enum key_kind kinds[] = { KEY_RSA, KEY_P256, KEY_P384, KEY_P521,
	KEY_ED25519, KEY_ED448 };

START_TEST(every_kind_of_ca_key_signs_what_verifies)
{
	struct test_ca other;
	X509 *again;
	X509 *cert;

	test_ca_make(&other, kinds[_i]);
	names_free(&order.names);
	test_order(&order, csr, profile, &other);
	cert = issue(&other.issuer);
	again = reread(cert);
	ck_assert(verifies(again, other.cert, X509_PURPOSE_SSL_SERVER));
	X509_free(again);
	X509_free(cert);
	test_ca_free(&other);
}
END_TEST

START_TEST(every_kind_of_key_is_certified_for_a_user)
{
	static const struct test_extension mail[] = {
		{ "subjectAltName", "email:user@example.test" }, { 0 },
	};
	OWNED(EVP_PKEY) *user = NULL;
	OWNED(X509) *cert = NULL;
	OWNED(X509) *again = NULL;
	struct err err;

	tear_down();
	test_ca_make(&ca, KEY_P256);
	user = key_generate(kinds[_i], 2048, &err);
	key = NULL;
	profile = test_profile("user");
	csr = test_csr(user, "A User", mail);
	test_order(&order, csr, profile, &ca);
	cert = issue(&ca.issuer);
	again = reread(cert);
	ck_assert(verifies(again, ca.cert, X509_PURPOSE_SMIME_SIGN));
	ck_assert_int_eq(EVP_PKEY_eq(X509_get0_pubkey(again), user), 1);
}
END_TEST

START_TEST(the_same_order_gives_the_same_octets)
{
	uint8_t *one = NULL, *two = NULL;
	OWNED(X509) *a = issue(&ca.issuer);
	OWNED(X509) *b = issue(&ca.issuer);
	int n = i2d_re_X509_tbs(a, &one), m = i2d_re_X509_tbs(b, &two);

	ck_assert_int_eq(n, m);
	ck_assert_mem_eq(one, two, (size_t)n);
	OPENSSL_free(one);
	OPENSSL_free(two);
}
END_TEST

START_TEST(an_order_survives_encoding_and_no_octet_less)
{
	OWNED_BUF(out, 65536);
	OWNED_BUF(again, 65536);
	struct order back = { 0 };
	struct err err;

	ck_assert_int_eq(order_encode(&order, &out), 0);
	ck_assert_int_eq(order_decode(buf_bytes(&out), &back, &err), 0);
	ck_assert_int_eq(order_encode(&back, &again), 0);
	ck_assert(bytes_equal(buf_bytes(&out), buf_bytes(&again)));
	order_free_contents(&back);
	for (size_t n = 0; n < out.len; n++)
		ck_assert_int_eq(order_decode((struct bytes){ out.data, n },
		    &back, &err), -1);
}
END_TEST

enum harm { H_DIGEST, H_PROFILE, H_ISSUER, H_CSR, H_ORDER_OF_DATES, H_LONG,
	H_BEFORE_CA, H_AFTER_CA, H_EMAIL, H_CN, H_CA_KEY };
static const struct {
	const char	*name;
	enum harm	 harm;
	const char	*says;
} refusals[] = {
	{ "another version of the profile", H_DIGEST,	"another version" },
	{ "another profile",		H_PROFILE,	"another version" },
	{ "another CA key",		H_ISSUER,	"another CA key" },
	{ "another request",		H_CSR,		"another request" },
	{ "dates backwards",		H_ORDER_OF_DATES, "must be after" },
	{ "longer than the profile",	H_LONG,		"longer than" },
	{ "before the CA's time",	H_BEFORE_CA,	"beyond its CA" },
	{ "after the CA's time",	H_AFTER_CA,	"beyond its CA" },
	{ "a form the profile has not",	H_EMAIL,	"email:a@example" },
	{ "a common name of its own",	H_CN,		"none of the subj" },
	{ "the CA's own key",		H_CA_KEY,	"CA's own" },
};

START_TEST(an_order_that_does_not_fit_is_refused)
{
	OWNED(X509) *cert = NULL;
	struct err err = { 0 };
	uint8_t other[] = { 0x30, 0 };

	switch (refusals[_i].harm) {
	case H_DIGEST:
		order.profile_digest[31] ^= 1;
		break;
	case H_PROFILE:
		order.profile[0] = 'x';
		break;
	case H_ISSUER:
		order.issuer_key[0] ^= 1;
		break;
	case H_CSR:
		order.csr = (struct bytes){ other, 2 };
		break;
	case H_ORDER_OF_DATES:
		order.not_after = order.not_before;
		break;
	case H_LONG:
		order.not_after = order.not_before + profile->max_validity_s +
		    profile->backdate_s + 1;
		break;
	case H_BEFORE_CA:
		order.not_before = NOON - DAY - 1;
		break;
	case H_AFTER_CA:
		order.not_before = NOON + 3640 * DAY;
		order.not_after = NOON + 3650 * DAY + 1;
		break;
	case H_EMAIL:
		names_add_san(&order.names, SAN_EMAIL,
		    bytes_of("a@example.test"), &err);
		break;
	case H_CN:
		names_add_attribute(&order.names, NID_commonName,
		    bytes_of("bank.example"), &err);
		break;
	case H_CA_KEY:
		names_free(&order.names);
		csr_free(csr);
		csr = test_csr(ca.key, "www.example.test", www);
		test_order(&order, csr, profile, &ca);
		break;
	}
	ck_assert_int_eq(issue_build(&order, csr, profile, &ca.issuer, &cert,
	    &err), -1);
	ck_assert_msg(strstr(err.text, refusals[_i].says) != NULL, "%s: %s",
	    refusals[_i].name, err.text);
}
END_TEST

START_TEST(the_longest_validity_is_allowed_to_the_second)
{
	OWNED(X509) *cert = NULL;

	order.not_after = order.not_before + profile->max_validity_s +
	    profile->backdate_s;
	cert = issue(&ca.issuer);
	ck_assert_ptr_nonnull(cert);
}
END_TEST

START_TEST(a_responder_certificate_has_nocheck_and_no_addresses)
{
	OWNED(X509) *cert = NULL;
	OWNED(X509) *again = NULL;
	struct err err;

	tear_down();
	test_ca_make(&ca, KEY_P256);
	key = key_generate(KEY_P256, 0, &err);
	profile = NULL;
	csr = test_csr(key, NULL, NULL);
	test_order(&order, csr, profile_ocsp_responder(), &ca);
	order.not_after = order.not_before + 14 * DAY;
	names_add_attribute(&order.names, NID_commonName,
	    bytes_of("OCSP responder"), &err);
	ck_assert_msg(issue_build(&order, csr, profile_ocsp_responder(),
	    &ca.issuer, &cert, &err) == 0, "%s", err.text);
	ck_assert_msg(lint_certificate(cert, profile_ocsp_responder(),
	    &ca.issuer, &err) == 0, "%s", err.text);
	ck_assert_int_eq(issue_sign(cert, &ca.issuer, &err), 0);
	again = reread(cert);
	ck_assert(verifies(again, ca.cert, X509_PURPOSE_OCSP_HELPER));
	ck_assert_int_ge(X509_get_ext_by_NID(again, NID_id_pkix_OCSP_noCheck,
	    -1), 0);
	ck_assert_int_eq(X509_get_ext_by_NID(again, NID_info_access, -1), -1);
	ck_assert_int_eq(X509_get_ext_by_NID(again,
	    NID_crl_distribution_points, -1), -1);
}
END_TEST

START_TEST(a_certificate_that_is_changed_before_signing_is_noticed_by_lint)
{
	OWNED(X509) *cert = NULL;
	struct err err = { 0 };

	ck_assert_int_eq(issue_build(&order, csr, profile, &ca.issuer, &cert,
	    &err), 0);
	X509_set_version(cert, X509_VERSION_1);
	ck_assert_int_eq(lint_certificate(cert, profile, &ca.issuer, &err),
	    -1);
}
END_TEST

START_TEST(signing_with_a_key_that_is_not_the_cas_is_noticed)
{
	struct issuer wrong = ca.issuer;
	OWNED(X509) *cert = NULL;
	struct err err = { 0 };

	wrong.key = key;
	ck_assert_int_eq(issue_build(&order, csr, profile, &ca.issuer, &cert,
	    &err), 0);
	ck_assert_int_eq(issue_sign(cert, &wrong, &err), -1);
	ck_assert_int_eq(err.kind, ERR_FAULT);
}
END_TEST

/* --- what a profile may say ------------------------------------------- */

/* Another profile and a request for it, in place of set_up's. */
static void
use(const char *text, const char *cn, const char *sans)
{
	const struct test_extension wanted[] = {
		{ "subjectAltName", sans }, { 0 },
	};
	struct err err = { 0 };

	names_free(&order.names);
	csr_free(csr);
	profile_free(profile);
	profile = NULL;
	ck_assert_msg(profile_parse("p", "p.conf", bytes_of(text), &profile,
	    &err) == 0, "%s", err.text);
	csr = test_csr(key, cn, sans == NULL ? NULL : wanted);
	test_order(&order, csr, profile, &ca);
	names_free(&order.names);
	ck_assert_msg(profile_make_names(profile, &csr->names, &order.names,
	    &err) == 0, "%s", err.text);
}

static void
assert_refused(enum err_kind kind, const char *says)
{
	OWNED(X509) *cert = NULL;
	struct err err = { 0 };

	ck_assert_int_eq(issue_build(&order, csr, profile, &ca.issuer, &cert,
	    &err), -1);
	ck_assert_msg(strstr(err.text, says) != NULL, "%s", err.text);
	ck_assert_int_eq(err.kind, kind);
}

/* The extension's content in hexadecimal; "-" when there is none. */
static const char *
content_of(X509 *cert, const char *oid, bool *critical)
{
	static char hex[1024];
	OWNED(ASN1_OBJECT) *object = OBJ_txt2obj(oid, 1);
	int at = X509_get_ext_by_OBJ(cert, object, -1);
	const ASN1_OCTET_STRING *value;

	*critical = false;
	if (at < 0)
		return "-";
	*critical = X509_EXTENSION_get_critical(X509_get_ext(cert, at)) == 1;
	value = X509_EXTENSION_get_data(X509_get_ext(cert, at));
	hex_encode((struct bytes){ ASN1_STRING_get0_data(value),
	    (size_t)ASN1_STRING_length(value) }, hex);
	return hex;
}

#define SERVER	"san = { \"dns\" }\nextended_key_usage = { \"serverAuth\" }\n"
#define ID_AD	"2b06010505073001"
static const struct {
	const char	*name, *text, *oid;
	bool		 critical;
	const char	*want;		/* "-": no such extension */
} said[] = {
	{ "time stamping alone is critical", "san_required = no\n"
	  "extended_key_usage = { \"timeStamping\" }", "2.5.29.37", true,
	  "300a06082b06010505070308" },
	{ "other purposes are not", SERVER, "2.5.29.37", false,
	  "300a06082b06010505070301" },
	{ "TLS feature", SERVER "must_staple = yes", "1.3.6.1.5.5.7.1.24",
	  false, "3003020105" },
	{ "no TLS feature", SERVER, "1.3.6.1.5.5.7.1.24", false, "-" },
	{ "noRevAvail", SERVER "no_rev_avail = yes\ncdp = no", "2.5.29.56",
	  false, "0500" },
	{ "no noRevAvail", SERVER "cdp = no", "2.5.29.56", false, "-" },
	{ "with it, no CRL", SERVER "no_rev_avail = yes\ncdp = no",
	  "2.5.29.31", false, "-" },
	{ "with it, caIssuers alone", SERVER "no_rev_avail = yes\ncdp = no",
	  "1.3.6.1.5.5.7.1.1", false, "302b302906082b06010505073002861d"
	  "687474703a2f2f63612e6578616d706c652e746573742f63612e636572" },
	{ "policies with a practice statement", SERVER
	  "policies = { \"1.2.3\", \"1.2.4\" }\ncps_url = \"http://a.b/\"",
	  "2.5.29.32", false, "3042"
	  "301f06022a033019301706082b06010505070201160b"
	  "687474703a2f2f612e622f" "301f06022a0430193017"
	  "06082b06010505070201160b687474703a2f2f612e622f" },
	{ "policies without", SERVER "policies = { \"1.2.3\" }", "2.5.29.32",
	  false, "3006300406022a03" },
	{ "one's own", SERVER "extension \"1.2.3.4\" { value = \"0500\" }",
	  "1.2.3.4", false, "0500" },
	{ "one's own, critical", SERVER
	  "extension \"1.2.3.4\" { critical = yes value = \"020107\" }",
	  "1.2.3.4", true, "020107" },
};

START_TEST(what_the_profile_says_is_in_the_certificate)
{
	OWNED(X509) *cert = NULL;
	OWNED(X509) *again = NULL;
	const char *is;
	bool critical;

	use(said[_i].text, "www.example.test", strstr(said[_i].text,
	    "serverAuth") == NULL ? NULL : "DNS:www.example.test");
	cert = issue(&ca.issuer);
	again = reread(cert);
	is = content_of(again, said[_i].oid, &critical);
	ck_assert_msg(strcmp(is, said[_i].want) == 0, "%s: %s",
	    said[_i].name, is);
	ck_assert_msg(critical == said[_i].critical, "%s", said[_i].name);
}
END_TEST

/* Two certificates of one profile differ only in what they say. */
START_TEST(extensions_stand_in_a_fixed_order)
{
	static const char *const order_of[] = { "2.5.29.35", "2.5.29.14",
		"2.5.29.19", "2.5.29.15", "2.5.29.37", "2.5.29.17",
		"2.5.29.32", "1.3.6.1.5.5.7.1.24", "1.3.6.1.5.5.7.1.1",
		"2.5.29.31", "1.2.3.5", "1.2.3.4" };
	OWNED(X509) *cert = NULL;

	use(SERVER "must_staple = yes\npolicies = { \"1.2.3\" }\n"
	    "extension \"1.2.3.5\" { value = \"0500\" }\n"
	    "extension \"1.2.3.4\" { value = \"0500\" }\n",
	    "www.example.test", "DNS:www.example.test");
	cert = issue(&ca.issuer);
	ck_assert_int_eq(X509_get_ext_count(cert), ROWS(order_of));
	for (int i = 0; i < ROWS(order_of); i++) {
		char oid[64];

		OBJ_obj2txt(oid, sizeof(oid), X509_EXTENSION_get_object(
		    X509_get_ext(cert, i)), 1);
		ck_assert_str_eq(oid, order_of[i]);
	}
}
END_TEST

static const struct {
	enum key_kind	 ca;
	const char	*text;
	int		 want;		/* NID of the signature algorithm */
} hashes[] = {
	{ KEY_P256, "", NID_ecdsa_with_SHA256 },
	{ KEY_P256, "signature_hash = \"sha512\"\n", NID_ecdsa_with_SHA512 },
	{ KEY_P521, "signature_hash = \"sha384\"\n", NID_ecdsa_with_SHA384 },
	{ KEY_RSA, "", NID_sha256WithRSAEncryption },
	{ KEY_RSA, "signature_hash = \"sha384\"\n",
	  NID_sha384WithRSAEncryption },
	{ KEY_ED25519, "signature_hash = \"sha384\"\n", NID_ED25519 },
};

START_TEST(the_profile_may_choose_the_hash_of_the_signature)
{
	OWNED(X509) *cert = NULL;
	OWNED(X509) *again = NULL;
	OWNED_BUF(text, 512);

	test_ca_free(&ca);
	test_ca_make(&ca, hashes[_i].ca);
	buf_printf(&text, SERVER "%s", hashes[_i].text);
	use(buf_str(&text), "www.example.test", "DNS:www.example.test");
	cert = issue(&ca.issuer);
	again = reread(cert);
	ck_assert_int_eq(X509_get_signature_nid(again), hashes[_i].want);
	ck_assert(verifies(again, ca.cert, X509_PURPOSE_SSL_SERVER));
}
END_TEST

/* GeneralNames { otherName { SmtpUTF8Mailbox } }: a local part with an umlaut,
 * at example.test and at other.test */
#define UTF8_BOX	"DER:3022a02006082b06010505070809a0140c1262c3bc726f40" \
	"6578616d706c652e74657374"
#define UTF8_OTHER	"DER:3020a01e06082b06010505070809a0120c1062c3bc726f40" \
	"6f746865722e74657374"
START_TEST(a_mailbox_with_any_letters_is_certified)
{
	OWNED(X509) *cert = NULL;
	OWNED(X509) *again = NULL;
	OWNED(GENERAL_NAMES) *sans = NULL;
	struct names names = { 0 };
	struct err err = { 0 };

	tear_down();
	test_ca_make(&ca, KEY_P256);
	key = key_generate(KEY_P256, 0, &err);
	profile = test_profile("user");
	csr = test_csr(key, "B", (const struct test_extension[]){
	    { "subjectAltName", UTF8_BOX }, { 0 } });
	test_order(&order, csr, profile, &ca);
	cert = issue(&ca.issuer);
	again = reread(cert);
	sans = X509_get_ext_d2i(again, NID_subject_alt_name, NULL, NULL);
	ck_assert_int_eq(names_read(X509_get_subject_name(again), sans,
	    &names, &err), 0);
	ck_assert_uint_eq(names.n_sans, 1);
	ck_assert_int_eq(names.sans[0].kind, SAN_SMTP_UTF8);
	ck_assert_str_eq(names.sans[0].text, "b\xc3\xbcro@example.test");
	ck_assert(verifies(again, ca.cert, X509_PURPOSE_SMIME_SIGN));
	names_free(&names);
}
END_TEST

START_TEST(the_subject_is_the_templates_and_no_other)
{
	OWNED(X509) *cert = NULL;
	struct err err;

	use(SERVER "subject = { \"CN\", \"O\" }\n"
	    "subject_template = { \"O=Example\", \"CN={SAN}\" }",
	    "www.example.test", "DNS:www.example.test");
	cert = issue(&ca.issuer);
	ck_assert_int_eq(X509_NAME_entry_count(X509_get_subject_name(cert)),
	    2);
	/* The registrar cannot have another one signed. */
	strcpy(order.names.attributes[0].text, "Evil");
	assert_refused(ERR_FAULT, "not what the profile \"p\" makes");
	strcpy(order.names.attributes[0].text, "Example");
	ck_assert_int_eq(names_add_attribute(&order.names, NID_commonName,
	    bytes_of("www.example.test"), &err), 0);
	assert_refused(ERR_FAULT, "not what the profile \"p\" makes");
	names_free(&order.names);
	ck_assert_int_eq(names_copy(&csr->names, &order.names, &err), 0);
	assert_refused(ERR_FAULT, "not what the profile \"p\" makes");
}
END_TEST

START_TEST(a_server_is_not_asked_to_staple_what_it_cannot_get)
{
	use(SERVER "must_staple = yes", "www.example.test",
	    "DNS:www.example.test");
	ca.issuer.ocsp_url = "";
	assert_refused(ERR_FAULT, "no ocsp_url");
}
END_TEST

/* --- name constraints (RFC 5280, 4.2.1.10) ---------------------------- */

/* set_up's CA again, with constraints. */
static X509 *
constrained(const char *permits, const char *excludes)
{
	struct ca_terms terms = { .serial = { { 1 }, 1 },
		.not_before = NOON - DAY, .not_after = NOON + 3650 * DAY,
		.path_len = -1 };
	NAME_CONSTRAINTS *nc = NULL;
	X509 *cert = NULL;
	struct err err = { 0 };

	ck_assert_int_eq(names_add_attribute(&terms.subject, NID_commonName,
	    bytes_of("Test CA"), &err), 0);
	if (permits != NULL)
		ck_assert_msg(constraints_add(&nc, true, permits, &err) == 0,
		    "%s", err.text);
	if (excludes != NULL)
		ck_assert_msg(constraints_add(&nc, false, excludes,
		    &err) == 0, "%s", err.text);
	terms.constraints = nc;
	ck_assert_msg(issue_ca(&terms, ca.key, NULL, &cert, &err) == 0, "%s",
	    err.text);
	NAME_CONSTRAINTS_free(nc);
	names_free(&terms.subject);
	return cert;
}

#define ANY	"san = { \"dns\", \"email\", \"ip\", \"uri\", "		\
	"\"smtp_utf8\" }\nsan_required = no\n"				\
	"subject = { \"CN\", \"emailAddress\" }\n"
static const struct {
	const char	*name, *permits, *excludes, *cn, *sans;
	const char	*says;		/* NULL: within */
} constraints[] = {
	{ "no trees of that form", "dns:example.test", NULL, "a",
	  "email:a@b.test", NULL },
	{ "a host within", "dns:example.test", NULL, "a",
	  "DNS:www.example.test", NULL },
	{ "the top of the tree", "dns:example.test", NULL, "a",
	  "DNS:example.test", NULL },
	{ "one outside", "dns:example.test", NULL, "a",
	  "DNS:www.example.test,DNS:www.other.test",
	  "DNS:www.other.test is outside of what the CA may certify: it "
	  "permits dns:example.test (RFC 5280, 4.2.1.10)" },
	{ "not at a label", "dns:example.test", NULL, "a",
	  "DNS:badexample.test", "DNS:badexample.test is outside" },
	{ "a host excluded", NULL, "dns:secret.test", "a",
	  "DNS:www.secret.test", "excludes dns:secret.test" },
	{ "excluded within what is permitted", "dns:example.test",
	  "dns:secret.example.test", "a", "DNS:a.secret.example.test",
	  "DNS:a.secret.example.test is outside" },
	{ "a mailbox within", "email:example.test", NULL, "a",
	  "email:a@example.test", NULL },
	{ "a mailbox outside", "email:example.test", NULL, "a",
	  "email:a@www.example.test", "email:a@www.example.test is outside" },
	{ "a mailbox in the subject", "email:example.test", NULL,
	  "/emailAddress=a@other.test", NULL,
	  "emailAddress=a@other.test is outside" },
	{ "a mailbox of any letters within", "email:example.test", NULL, "a",
	  UTF8_BOX, NULL },
	{ "a mailbox of any letters outside", "email:example.test", NULL, "a",
	  UTF8_OTHER, "@other.test is outside" },
	{ "an address within", "ip:192.0.2.0/24", NULL, "a",
	  "IP:192.0.2.255", NULL },
	{ "an address outside", "ip:192.0.2.0/24", NULL, "a",
	  "IP:192.0.3.0", "IP:192.0.3.0 is outside" },
	{ "another family", "ip:192.0.2.0/24", NULL, "a",
	  "IP:2001:db8::1", "2001:db8::1 is outside" },
	{ "a URI within", "uri:.example.test", NULL, "a",
	  "URI:https://www.example.test/x", NULL },
	{ "a URI outside", "uri:.example.test", NULL, "a",
	  "URI:https://example.org/x", "URI:https://example.org/x is out" },
	{ "a common name that is a host's, without a SAN", "dns:example.test",
	  NULL, "www.other.test", NULL, "CN=www.other.test is outside" },
	{ "one within", "dns:example.test", NULL, "www.example.test", NULL,
	  NULL },
	{ "one that no client looks at", "dns:example.test", NULL,
	  "www.other.test", "DNS:www.example.test", NULL },
	{ "one that reads like none", "dns:example.test", NULL, "A User",
	  NULL, NULL },
	{ "a subject within", "dirname:CN=a", NULL, "a", NULL, NULL },
	{ "a subject outside", "dirname:CN=b", NULL, "a", NULL,
	  "CN=a is outside" },
};

/* "/emailAddress=X" stands for a subject of that attribute alone. */
static void
use_names(const char *cn, const char *sans)
{
	struct err err = { 0 };

	if (cn[0] != '/') {
		use(ANY, cn, sans);
		return;
	}
	use(ANY, "a", sans);
	names_free(&order.names);
	ck_assert_msg(names_add_attribute(&order.names,
	    NID_pkcs9_emailAddress, bytes_of(strchr(cn, '=') + 1),
	    &err) == 0, "%s", err.text);
}

START_TEST(names_are_within_the_constraints_of_the_ca)
{
	X509 *unbound = ca.cert;
	OWNED(X509) *bound = constrained(constraints[_i].permits,
	    constraints[_i].excludes);
	OWNED(X509) *cert = NULL;
	OWNED(X509) *again = NULL;
	struct err err = { 0 };
	int r;

	ca.cert = bound;
	use_names(constraints[_i].cn, constraints[_i].sans);
	ca.cert = unbound;
	ca.issuer.cert = bound;
	r = issue_build(&order, csr, profile, &ca.issuer, &cert, &err);
	ck_assert_msg((r == 0) == (constraints[_i].says == NULL), "%s: %s",
	    constraints[_i].name, err.text);
	if (r == -1) {
		ck_assert_int_eq(err.kind, ERR_REJECT);
		ck_assert_msg(strstr(err.text, constraints[_i].says) != NULL,
		    "%s: %s", constraints[_i].name, err.text);
		/* What was refused, a client would have refused. */
		ca.issuer.cert = unbound;
		ck_assert_int_eq(issue_build(&order, csr, profile, &ca.issuer,
		    &cert, &err), 0);
	}
	ck_assert_int_eq(issue_sign(cert, &ca.issuer, &err), 0);
	again = reread(cert);
	ck_assert_msg(verifies(again, bound, X509_PURPOSE_ANY) ==
	    (constraints[_i].says == NULL), "%s", constraints[_i].name);
}
END_TEST

START_TEST(the_constraints_of_cas_above_hold_too)
{
	OWNED(X509) *bound = constrained("dns:other.test", NULL);
	X509 *above[] = { ca.cert, bound };

	ca.issuer.above = above;
	ca.issuer.n_above = 1;
	X509_free(issue(&ca.issuer));
	ca.issuer.n_above = 2;
	assert_refused(ERR_REJECT, "DNS:www.example.test is outside");
}
END_TEST

/* --- CAs -------------------------------------------------------------- */

static const struct {
	const char	*name;
	int		 parent_len, child_len;
	time_t		 child_until;
	int		 want;
} children[] = {
	{ "no limits",			-1, -1,	NOON + DAY,	 0 },
	{ "a limit under none",		-1, 0,	NOON + DAY,	 0 },
	{ "shorter",			1, 0,	NOON + DAY,	 0 },
	{ "as long",			1, 1,	NOON + DAY,	-1 },
	{ "none under a limit",		1, -1,	NOON + DAY,	-1 },
	{ "none may follow",		0, 0,	NOON + DAY,	-1 },
	{ "as long as the parent",	-1, -1,	NOON + 10 * DAY, 0 },
	{ "outlives the parent",	-1, -1,	NOON + 10 * DAY + 1, -1 },
	{ "ends as it begins",		-1, -1,	NOON,		-1 },
};

START_TEST(a_child_ca_stays_within_its_parent)
{
	struct ca_terms root = { .serial = { { 1 }, 1 }, .not_before = NOON,
		.not_after = NOON + 10 * DAY,
		.path_len = children[_i].parent_len };
	struct ca_terms child = { .serial = { { 2 }, 1 }, .not_before = NOON,
		.not_after = children[_i].child_until,
		.path_len = children[_i].child_len };
	OWNED(X509) *root_cert = NULL;
	OWNED(X509) *child_cert = NULL;
	struct issuer parent = ca.issuer;
	struct err err = { 0 };

	names_add_attribute(&root.subject, NID_commonName, bytes_of("Root"),
	    &err);
	names_add_attribute(&child.subject, NID_commonName, bytes_of("Child"),
	    &err);
	ck_assert_int_eq(issue_ca(&root, ca.key, NULL, &root_cert, &err), 0);
	parent.cert = root_cert;
	ck_assert_msg(issue_ca(&child, key, &parent, &child_cert, &err) ==
	    children[_i].want, "%s: %s", children[_i].name, err.text);
	if (child_cert != NULL) {
		ck_assert_int_eq(X509_check_ca(child_cert), 1);
		ck_assert_int_ge(X509_get_ext_by_NID(child_cert,
		    NID_info_access, -1), 0);
		ck_assert(children[_i].child_until < NOON + 2 * DAY ||
		    verifies(child_cert, root_cert, X509_PURPOSE_ANY));
	}
	names_free(&root.subject);
	names_free(&child.subject);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("issue");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, a_certificate_verifies_strictly_for_its_purpose);
	tcase_add_loop_test(tc, every_kind_of_ca_key_signs_what_verifies, 0,
	    ROWS(kinds));
	tcase_add_loop_test(tc, every_kind_of_key_is_certified_for_a_user, 0,
	    ROWS(kinds));
	tcase_add_test(tc, the_same_order_gives_the_same_octets);
	tcase_add_test(tc, an_order_survives_encoding_and_no_octet_less);
	tcase_add_loop_test(tc, an_order_that_does_not_fit_is_refused, 0,
	    ROWS(refusals));
	tcase_add_test(tc, the_longest_validity_is_allowed_to_the_second);
	tcase_add_test(tc, a_responder_certificate_has_nocheck_and_no_addresses);
	tcase_add_test(tc,
	    a_certificate_that_is_changed_before_signing_is_noticed_by_lint);
	tcase_add_test(tc, signing_with_a_key_that_is_not_the_cas_is_noticed);
	tcase_add_loop_test(tc, what_the_profile_says_is_in_the_certificate, 0,
	    ROWS(said));
	tcase_add_test(tc, extensions_stand_in_a_fixed_order);
	tcase_add_loop_test(tc,
	    the_profile_may_choose_the_hash_of_the_signature, 0, ROWS(hashes));
	tcase_add_test(tc, a_mailbox_with_any_letters_is_certified);
	tcase_add_test(tc, the_subject_is_the_templates_and_no_other);
	tcase_add_test(tc, a_server_is_not_asked_to_staple_what_it_cannot_get);
	tcase_add_loop_test(tc, names_are_within_the_constraints_of_the_ca, 0,
	    ROWS(constraints));
	tcase_add_test(tc, the_constraints_of_cas_above_hold_too);
	tcase_add_loop_test(tc, a_child_ca_stays_within_its_parent, 0,
	    ROWS(children));
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
