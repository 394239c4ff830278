#include "tests/support/test_ca.h"

#include "common/err.h"
#include "tests/support/fixtures.h"

#include <openssl/x509v3.h>

#include <stdio.h>
#include <string.h>

static const struct serial one = { .octets = { 1 }, .len = 1 };

void
test_ca_make(struct test_ca *ca, enum key_kind kind)
{
	struct ca_terms terms = { .serial = one, .not_before = NOON - DAY,
		.not_after = NOON + 3650 * DAY, .path_len = -1 };
	struct err err = { 0 };

	ca->key = key_generate(kind, 2048, &err);
	ck_assert_ptr_nonnull(ca->key);
	ck_assert_int_eq(names_add_attribute(&terms.subject, NID_commonName,
	    bytes_of("Test CA"), &err), 0);
	ck_assert_msg(issue_ca(&terms, ca->key, NULL, &ca->cert, &err) == 0,
	    "%s: %s", err.text, err.detail);
	names_free(&terms.subject);
	ca->issuer = (struct issuer){ .cert = ca->cert, .key = ca->key,
		.digest = kind == KEY_ED25519 || kind == KEY_ED448 ? NULL :
		    EVP_sha256(),
		.ocsp_url = "http://ocsp.example.test/",
		.ca_url = "http://ca.example.test/ca.cer",
		.crl_url = "http://ca.example.test/ca.crl" };
}

void
test_ca_free(struct test_ca *ca)
{
	X509_free(ca->cert);
	EVP_PKEY_free(ca->key);
}

static X509_EXTENSION *
extension_from(const struct test_extension *e)
{
	X509V3_CTX ctx;
	X509_EXTENSION *extension;

	X509V3_set_ctx(&ctx, NULL, NULL, NULL, NULL, 0);
	extension = X509V3_EXT_nconf(NULL, &ctx, e->name, e->value);
	ck_assert_msg(extension != NULL, "%s=%s", e->name, e->value);
	return extension;
}

X509_REQ *
test_req(EVP_PKEY *key, const char *cn, const struct test_extension *wanted,
    const EVP_MD *digest)
{
	X509_REQ *req = X509_REQ_new();
	STACK_OF(X509_EXTENSION) *list = sk_X509_EXTENSION_new_null();

	ck_assert_int_eq(X509_REQ_set_version(req, 0), 1);
	if (cn != NULL)
		X509_NAME_add_entry_by_NID(X509_REQ_get_subject_name(req),
		    NID_commonName, V_ASN1_UTF8STRING, (const uint8_t *)cn,
		    -1, -1, 0);
	for (; wanted != NULL && wanted->name != NULL; wanted++)
		sk_X509_EXTENSION_push(list, extension_from(wanted));
	if (sk_X509_EXTENSION_num(list) > 0)
		X509_REQ_add_extensions(req, list);
	sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
	ck_assert_int_eq(X509_REQ_set_pubkey(req, key), 1);
	ck_assert_int_gt(X509_REQ_sign(req, key, digest), 0);
	return req;
}

void
test_req_der(X509_REQ *req, struct buf *out)
{
	uint8_t *der = NULL;
	int len = i2d_X509_REQ(req, &der);

	ck_assert_int_gt(len, 0);
	ck_assert_int_eq(buf_append(out, der, (size_t)len), 0);
	OPENSSL_free(der);
}

struct csr *
test_csr(EVP_PKEY *key, const char *cn, const struct test_extension *wanted)
{
	int type = EVP_PKEY_get_base_id(key);
	OWNED(X509_REQ) *req = test_req(key, cn, wanted,
	    type == EVP_PKEY_ED25519 || type == EVP_PKEY_ED448 ? NULL :
	    EVP_sha256());
	OWNED_BUF(der, CSR_MAX_OCTETS);
	struct err err = { 0 };
	struct csr *csr = NULL;

	test_req_der(req, &der);
	ck_assert_msg(csr_read(buf_bytes(&der), &csr, &err) == 0, "%s: %s",
	    err.text, err.detail);
	return csr;
}

void
test_order(struct order *order, const struct csr *csr,
    const struct profile *profile, const struct test_ca *ca)
{
	unsigned int len;
	struct err err;

	*order = (struct order){ .request_id = 7, .ca = "test",
		.serial = { .octets = { 0x55, 1, 2, 3 }, .len = 4 },
		.not_before = NOON, .not_after = NOON + 30 * DAY,
		.csr = csr->der };
	snprintf(order->profile, sizeof(order->profile), "%s", profile->name);
	memcpy(order->profile_digest, profile->digest, 32);
	/* Bounded so that X509_pubkey_digest has room. */
	uint8_t digest[EVP_MAX_MD_SIZE];
	ck_assert_int_eq(X509_pubkey_digest(ca->cert, EVP_sha1(), digest,
	    &len), 1);
	memcpy(order->issuer_key, digest, sizeof(order->issuer_key));
	ck_assert_int_eq(names_copy(&csr->names, &order->names, &err), 0);
}

/* Whatever the umask of who made the checkout: config_read_file would refuse
 * what a group can write. */
static void
read_shipped(const char *path, struct buf *out)
{
	FILE *f = fopen(path, "re");
	char piece[4096];
	size_t n;

	ck_assert_msg(f != NULL, "%s", path);
	while ((n = fread(piece, 1, sizeof(piece), f)) > 0)
		ck_assert_int_eq(buf_append(out, piece, n), 0);
	ck_assert_int_eq(ferror(f), 0);
	fclose(f);
}

struct profile *
test_profile(const char *name)
{
	char path[512];
	OWNED_BUF(text, 65536);
	struct profile *profile = NULL;
	struct err err = { 0 };

	snprintf(path, sizeof(path), "%s/../../policies/profiles/%s.conf",
	    TEST_DATA, name);
	read_shipped(path, &text);
	ck_assert_msg(profile_parse(name, path, buf_bytes(&text), &profile,
	    &err) == 0, "%s: %s", err.text, err.detail);
	return profile;
}
