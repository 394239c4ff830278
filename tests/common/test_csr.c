#include "common/csr.h"

#include "common/err.h"
#include "tests/support/fixtures.h"
#include "tests/support/test_ca.h"

#include <string.h>

static EVP_PKEY *key;

static void
set_up(void)
{
	struct err err;

	key = key_generate(KEY_P256, 0, &err);
}

static void
tear_down(void)
{
	EVP_PKEY_free(key);
}

static const struct {
	const char	*name;
	struct test_extension wanted[4];
	const char	*says;		/* NULL: accepted */
	const char	*ignored;
} requests[] = {
	{ "nothing asked",	{ { 0 } }, NULL, "" },
	{ "a name",	{ { "subjectAltName", "DNS:a.example" } }, NULL, "" },
	{ "usages are not copied",
	  { { "keyUsage", "digitalSignature" },
	    { "extendedKeyUsage", "serverAuth" },
	    { "basicConstraints", "CA:FALSE" } }, NULL,
	  "keyUsage, extendedKeyUsage, basicConstraints" },
	{ "an extension nobody knows",
	  { { "1.2.3.4", "DER:0500" } }, NULL, "1.2.3.4" },
	{ "a CA", { { "basicConstraints", "CA:TRUE" } }, "CA:TRUE", NULL },
	{ "signing certificates", { { "keyUsage", "keyCertSign" } },
	  "keyCertSign", NULL },
	{ "signing CRLs", { { "keyUsage", "digitalSignature,cRLSign" } },
	  "cRLSign", NULL },
	{ "an OCSP responder", { { "extendedKeyUsage",
	  "serverAuth,OCSPSigning" } }, "OCSPSigning", NULL },
	{ "the same extension twice",
	  { { "subjectAltName", "DNS:a.example" },
	    { "subjectAltName", "DNS:b.example" } }, "twice", NULL },
	{ "octets behind a value", { { "2.5.29.17", "DER:300382016161" } },
	  "not DER", NULL },
	{ "no names in a list of names", { { "2.5.29.17", "DER:3000" } },
	  "is empty", NULL },
	{ "a NUL in a name", { { "2.5.29.17", "DER:30058203610062" } },
	  "NUL", NULL },
	{ "a directory name", { { "2.5.29.17", "DER:3004a4023000" } },
	  "do not certify", NULL },
	{ "an address of five octets", { { "2.5.29.17",
	  "DER:300787050102030405" } }, "5 octets", NULL },
};

START_TEST(extensions_are_looked_at_and_never_copied)
{
	OWNED(X509_REQ) *req = test_req(key, "x", requests[_i].wanted,
	    EVP_sha256());
	OWNED_BUF(der, CSR_MAX_OCTETS);
	OWNED_STRUCT(csr) *csr = NULL;
	struct err err = { 0 };
	int r;

	test_req_der(req, &der);
	r = csr_read(buf_bytes(&der), &csr, &err);
	ck_assert_msg((r == 0) == (requests[_i].says == NULL), "%s: %s",
	    requests[_i].name, err.text);
	if (r == 0) {
		ck_assert_str_eq(csr->ignored, requests[_i].ignored);
		return;
	}
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_msg(strstr(err.text, requests[_i].says) != NULL, "%s: %s",
	    requests[_i].name, err.text);
}
END_TEST

START_TEST(no_octet_can_be_changed_cut_or_added)
{
	OWNED(X509_REQ) *req = test_req(key, "x", NULL, EVP_sha256());
	OWNED_BUF(der, CSR_MAX_OCTETS + 1);
	struct csr *csr = NULL;
	struct err err = { 0 };

	test_req_der(req, &der);
	for (size_t i = 0; i < der.len; i++) {
		der.data[i] ^= 1;
		ck_assert_msg(csr_read(buf_bytes(&der), &csr, &err) == -1,
		    "octet %zu", i);
		ck_assert_int_eq(err.kind, ERR_REJECT);
		der.data[i] ^= 1;
		ck_assert_int_eq(csr_read((struct bytes){ der.data, i }, &csr,
		    &err), -1);
	}
	buf_append(&der, "", 1);
	ck_assert_int_eq(csr_read(buf_bytes(&der), &csr, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "1 octets follow"));
}
END_TEST

START_TEST(an_oversized_request_is_not_read)
{
	OWNED_BUF(der, CSR_MAX_OCTETS + 1);
	struct csr *csr = NULL;
	struct err err = { 0 };

	memset(buf_reserve(&der, CSR_MAX_OCTETS + 1), 0, CSR_MAX_OCTETS + 1);
	der.len = CSR_MAX_OCTETS + 1;
	ck_assert_int_eq(csr_read(buf_bytes(&der), &csr, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "16384 is the most"));
}
END_TEST

START_TEST(another_version_is_refused)
{
	OWNED(X509_REQ) *req = test_req(key, "x", NULL, EVP_sha256());
	OWNED_BUF(der, CSR_MAX_OCTETS);
	struct csr *csr = NULL;
	struct err err = { 0 };

	X509_REQ_set_version(req, 1);
	X509_REQ_sign(req, key, EVP_sha256());
	test_req_der(req, &der);
	ck_assert_int_eq(csr_read(buf_bytes(&der), &csr, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "version"));
}
END_TEST

START_TEST(an_old_digest_is_refused)
{
	OWNED(X509_REQ) *req = test_req(key, "x", NULL, EVP_sha1());
	OWNED_BUF(der, CSR_MAX_OCTETS);
	struct csr *csr = NULL;
	struct err err = { 0 };

	test_req_der(req, &der);
	ck_assert_int_eq(csr_read(buf_bytes(&der), &csr, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "sign it with SHA-256"));
}
END_TEST

START_TEST(a_short_rsa_key_is_told_what_to_do)
{
	OWNED(EVP_PKEY) *rsa = EVP_PKEY_Q_keygen(NULL, NULL, "RSA",
	    (size_t)1024);
	OWNED(X509_REQ) *req = test_req(rsa, "x", NULL, EVP_sha256());
	OWNED_BUF(der, CSR_MAX_OCTETS);
	struct csr *csr = NULL;
	struct err err = { 0 };

	test_req_der(req, &der);
	ck_assert_int_eq(csr_read(buf_bytes(&der), &csr, &err), -1);
	ck_assert_str_eq(err.text, "the RSA key has 1024 bits; make one of "
	    "2048 to 8192 bits and send a new request");
}
END_TEST

START_TEST(a_challenge_password_is_noticed_and_attributes_come_once)
{
	OWNED(X509_REQ) *req = test_req(key, "x", NULL, EVP_sha256());
	OWNED_BUF(der, CSR_MAX_OCTETS);
	OWNED_BUF(twice, CSR_MAX_OCTETS);
	OWNED_STRUCT(csr) *csr = NULL;
	struct csr *none = NULL;
	struct err err = { 0 };

	X509_REQ_add1_attr_by_NID(req, NID_pkcs9_challengePassword,
	    MBSTRING_ASC, (const uint8_t *)"one", -1);
	X509_REQ_sign(req, key, EVP_sha256());
	test_req_der(req, &der);
	ck_assert_int_eq(csr_read(buf_bytes(&der), &csr, &err), 0);
	ck_assert(csr->has_challenge);
	X509_REQ_add1_attr_by_NID(req, NID_pkcs9_unstructuredName,
	    MBSTRING_ASC, (const uint8_t *)"two", -1);
	X509_ATTRIBUTE_set1_object(X509_REQ_get_attr(req,
	    X509_REQ_get_attr_by_NID(req, NID_pkcs9_unstructuredName, -1)),
	    OBJ_nid2obj(NID_pkcs9_challengePassword));
	X509_REQ_sign(req, key, EVP_sha256());
	test_req_der(req, &twice);
	ck_assert_int_eq(csr_read(buf_bytes(&twice), &none, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "same attribute"));
}
END_TEST

START_TEST(what_was_read_is_what_was_asked)
{
	static const struct test_extension names[] = {
		{ "subjectAltName", "DNS:WWW.Example.test,email:a@B.example,"
		  "IP:2001:db8::1,URI:https://x.example/,"
		  "DNS:www.example.test" }, { 0 },
	};
	OWNED_STRUCT(csr) *csr = test_csr(key, "x", names);
	char text[200];

	names_describe(&csr->names, text, sizeof(text));
	ck_assert_str_eq(text, "CN=x, DNS:www.example.test, "
	    "email:a@b.example, IP:2001:db8::1, URI:https://x.example/");
	ck_assert_int_eq(csr->key.kind, KEY_P256);
	ck_assert(!csr->has_challenge);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("csr");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_loop_test(tc, extensions_are_looked_at_and_never_copied, 0,
	    ROWS(requests));
	tcase_add_test(tc, no_octet_can_be_changed_cut_or_added);
	tcase_add_test(tc, an_oversized_request_is_not_read);
	tcase_add_test(tc, another_version_is_refused);
	tcase_add_test(tc, an_old_digest_is_refused);
	tcase_add_test(tc, a_short_rsa_key_is_told_what_to_do);
	tcase_add_test(tc,
	    a_challenge_password_is_noticed_and_attributes_come_once);
	tcase_add_test(tc, what_was_read_is_what_was_asked);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
