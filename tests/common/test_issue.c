#include "common/issue.h"

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
	tcase_add_loop_test(tc, a_child_ca_stays_within_its_parent, 0,
	    ROWS(children));
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
