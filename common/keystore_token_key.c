/* OpenSSL 3.0 has no other way to let somebody else sign, short of a provider
 * (docs/decisions/0007-tokens.md). */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "common/keystore_token_private.h"

#include "common/err.h"
#include "common/owned.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

#include <stdlib.h>
#include <string.h>

#define ATTRIBUTE_MAX	2048	/* octets: a modulus of 16384 bits */

OWNED_BY(RSA, RSA_free)
OWNED_BY(EC_KEY, EC_KEY_free)
OWNED_BY(EC_GROUP, EC_GROUP_free)
OWNED_BY(EC_POINT, EC_POINT_free)
OWNED_BY(ECDSA_SIG, ECDSA_SIG_free)

static RSA_METHOD *rsa_method;
static EC_KEY_METHOD *ec_method;
static int rsa_index = -1, ec_index = -1;

/* --- signing ---------------------------------------------------------------- */
static int
sign(struct token_key *key, CK_MECHANISM_TYPE type, const uint8_t *in,
    size_t in_len, uint8_t *out, CK_ULONG *out_len)
{
	CK_MECHANISM how = { type, NULL, 0 };
	CK_RV rv;

	if (key == NULL)
		return 0;
	rv = key->module->C_SignInit(key->session, &how, key->object);
	if (rv == CKR_OK)
		rv = key->module->C_Sign(key->session,
		    (CK_BYTE *)(uintptr_t)in, in_len, out, out_len);
	if (rv == CKR_OK)
		return 1;
	token_key_fail(key, rv);
	ERR_raise_data(ERR_LIB_USER, ERR_R_INTERNAL_ERROR, "the token: %s",
	    token_reason(rv));
	return 0;
}

/* in: a DigestInfo (RFC 8017, 9.2); the token puts the padding around it. */
static int
rsa_sign(int in_len, const unsigned char *in, unsigned char *out, RSA *rsa,
    int padding)
{
	CK_ULONG len = (CK_ULONG)RSA_size(rsa);

	if (padding != RSA_PKCS1_PADDING || in_len < 0)
		return -1;
	return sign(RSA_get_ex_data(rsa, rsa_index), CKM_RSA_PKCS, in,
	    (size_t)in_len, out, &len) == 1 ? (int)len : -1;
}

static ECDSA_SIG *
ec_sign_sig(const unsigned char *digest, int len, const BIGNUM *kinv,
    const BIGNUM *rp, EC_KEY *ec)
{
	/* Cryptoki 2.40, 2.3.1: r and s, each as long as the order. */
	size_t half = ((size_t)EC_GROUP_order_bits(EC_KEY_get0_group(ec)) +
	    7) / 8;
	OWNED(ECDSA_SIG) *sig = ECDSA_SIG_new();
	uint8_t raw[2 * 66];
	CK_ULONG raw_len = sizeof(raw);
	BIGNUM *r, *s;

	(void)kinv, (void)rp;
	if (sig == NULL || len < 0 || 2 * half > sizeof(raw))
		return NULL;
	/* What is longer than the order is cut: FIPS 186-4, 6.4. */
	if ((size_t)len > half)
		len = (int)half;
	if (sign(EC_KEY_get_ex_data(ec, ec_index), CKM_ECDSA, digest,
	    (size_t)len, raw, &raw_len) != 1 || raw_len != 2 * half)
		return NULL;
	r = BN_bin2bn(raw, (int)half, NULL);
	s = BN_bin2bn(raw + half, (int)half, NULL);
	if (r == NULL || s == NULL || ECDSA_SIG_set0(sig, r, s) != 1) {
		BN_free(r);
		BN_free(s);
		return NULL;
	}
	return TAKE(sig);
}

static int
ec_sign(int type, const unsigned char *digest, int len, unsigned char *out,
    unsigned int *out_len, const BIGNUM *kinv, const BIGNUM *r, EC_KEY *ec)
{
	OWNED(ECDSA_SIG) *sig = ec_sign_sig(digest, len, kinv, r, ec);
	int n;

	(void)type;
	n = sig == NULL ? -1 : i2d_ECDSA_SIG(sig, &out);
	*out_len = n < 0 ? 0 : (unsigned int)n;
	return n > 0;
}

/* --- the methods ------------------------------------------------------------ */
static void
forget(void *parent, void *data, CRYPTO_EX_DATA *ad, int index, long argl,
    void *argp)
{
	(void)parent, (void)ad, (void)index, (void)argl, (void)argp;
	if (data != NULL)
		token_key_close(data);
}

/* A session has one owner: a copy of the key gets none, and signs nothing. */
static int
not_copied(CRYPTO_EX_DATA *to, const CRYPTO_EX_DATA *from, void **data,
    int index, long argl, void *argp)
{
	(void)to, (void)from, (void)index, (void)argl, (void)argp;
	*data = NULL;
	return 1;
}

static int
make_methods(struct err *err)
{
	if (rsa_method == NULL) {
		rsa_method = RSA_meth_dup(RSA_PKCS1_OpenSSL());
		rsa_index = RSA_get_ex_new_index(0, NULL, NULL, not_copied,
		    forget);
	}
	if (ec_method == NULL) {
		ec_method = EC_KEY_METHOD_new(EC_KEY_OpenSSL());
		ec_index = EC_KEY_get_ex_new_index(0, NULL, NULL, not_copied,
		    forget);
	}
	if (rsa_method == NULL || ec_method == NULL || rsa_index < 0 ||
	    ec_index < 0 || RSA_meth_set_priv_enc(rsa_method, rsa_sign) != 1 ||
	    RSA_meth_set_priv_dec(rsa_method, NULL) != 1 ||
	    RSA_meth_set_flags(rsa_method, RSA_FLAG_EXT_PKEY |
	    RSA_METHOD_FLAG_NO_CHECK) != 1)
		return err_openssl(err, ERR_FAULT, "preparing for a token");
	EC_KEY_METHOD_set_sign(ec_method, ec_sign, NULL, ec_sign_sig);
	return 0;
}

/* --- the public half ---------------------------------------------------------- */
/* One attribute; -1 when the object does not have it. */
static int
get_attribute(const struct token_key *key, CK_OBJECT_HANDLE object,
    CK_ATTRIBUTE_TYPE type, uint8_t out[ATTRIBUTE_MAX], size_t *len)
{
	CK_ATTRIBUTE attribute = { type, out, ATTRIBUTE_MAX };

	if (object == 0 || key->module->C_GetAttributeValue(key->session,
	    object, &attribute, 1) != CKR_OK ||
	    attribute.ulValueLen == 0 ||
	    attribute.ulValueLen > ATTRIBUTE_MAX)
		return -1;
	*len = attribute.ulValueLen;
	return 0;
}

static int
incomplete(struct err *err)
{
	err_openssl(err, ERR_FAULT, "");
	snprintf(err->text, sizeof(err->text), "the token does not show the "
	    "public half of the key; store its public key object too");
	return -1;
}

static int
wrap_rsa(struct token_key *key, EVP_PKEY **out, struct err *err)
{
	uint8_t n[ATTRIBUTE_MAX], e[ATTRIBUTE_MAX];
	size_t n_len, e_len;
	OWNED(RSA) *rsa = RSA_new();
	OWNED(EVP_PKEY) *wrapped = EVP_PKEY_new();
	BIGNUM *modulus, *exponent;

	if (get_attribute(key, key->object, CKA_MODULUS, n, &n_len) < 0 ||
	    get_attribute(key, key->object, CKA_PUBLIC_EXPONENT, e,
	    &e_len) < 0)
		return incomplete(err);
	modulus = BN_bin2bn(n, (int)n_len, NULL);
	exponent = BN_bin2bn(e, (int)e_len, NULL);
	if (rsa == NULL || wrapped == NULL || modulus == NULL ||
	    exponent == NULL || RSA_set_method(rsa, rsa_method) != 1 ||
	    RSA_set0_key(rsa, modulus, exponent, NULL) != 1) {
		BN_free(modulus);
		BN_free(exponent);
		return incomplete(err);
	}
	if (EVP_PKEY_assign_RSA(wrapped, rsa) != 1)
		return incomplete(err);
	if (RSA_set_ex_data(rsa, rsa_index, key) != 1) {
		TAKE(rsa);	/* it is part of wrapped now */
		return incomplete(err);
	}
	TAKE(rsa);
	*out = TAKE(wrapped);
	return 0;
}

/* Cryptoki wants the point in an OCTET STRING; some tokens give it bare. */
static int
set_point(EC_KEY *ec, const uint8_t *octets, size_t len)
{
	const EC_GROUP *group = EC_KEY_get0_group(ec);
	OWNED(EC_POINT) *point = EC_POINT_new(group);
	const uint8_t *at = octets;
	OWNED(ASN1_OCTET_STRING) *inner = d2i_ASN1_OCTET_STRING(NULL, &at,
	    (long)len);

	if (inner != NULL && at == octets + len) {
		octets = ASN1_STRING_get0_data(inner);
		len = (size_t)ASN1_STRING_length(inner);
	}
	ERR_clear_error();
	return point != NULL && EC_POINT_oct2point(group, point, octets, len,
	    NULL) == 1 && EC_KEY_set_public_key(ec, point) == 1 ? 0 : -1;
}

static int
wrap_ec(struct token_key *key, CK_OBJECT_HANDLE public_object, EVP_PKEY **out,
    struct err *err)
{
	uint8_t parameters[ATTRIBUTE_MAX], point[ATTRIBUTE_MAX];
	size_t parameters_len, point_len;
	const uint8_t *at = parameters;
	OWNED(EC_GROUP) *group = NULL;
	OWNED(EC_KEY) *ec = EC_KEY_new();
	OWNED(EVP_PKEY) *wrapped = EVP_PKEY_new();

	if (get_attribute(key, key->object, CKA_EC_PARAMS, parameters,
	    &parameters_len) < 0 ||
	    (get_attribute(key, public_object, CKA_EC_POINT, point,
	    &point_len) < 0 && get_attribute(key, key->object, CKA_EC_POINT,
	    point, &point_len) < 0))
		return incomplete(err);
	group = d2i_ECPKParameters(NULL, &at, (long)parameters_len);
	if (group == NULL || EC_GROUP_get_curve_name(group) == NID_undef ||
	    ec == NULL || wrapped == NULL ||
	    EC_KEY_set_method(ec, ec_method) != 1 ||
	    EC_KEY_set_group(ec, group) != 1 ||
	    set_point(ec, point, point_len) < 0 ||
	    EVP_PKEY_assign_EC_KEY(wrapped, ec) != 1)
		return incomplete(err);
	if (EC_KEY_set_ex_data(ec, ec_index, key) != 1) {
		TAKE(ec);	/* it is part of wrapped now */
		return incomplete(err);
	}
	TAKE(ec);
	*out = TAKE(wrapped);
	return 0;
}

int
token_key_wrap(struct token_key *key, CK_OBJECT_HANDLE public_object,
    EVP_PKEY **out, struct err *err)
{
	CK_KEY_TYPE type = 0;
	CK_ATTRIBUTE attribute = { CKA_KEY_TYPE, &type, sizeof(type) };
	CK_RV rv = key->module->C_GetAttributeValue(key->session, key->object,
	    &attribute, 1);

	if (rv != CKR_OK)
		return err_set(err, ERR_RETRY, "the token failed at showing a "
		    "key: %s", token_reason(rv));
	if (make_methods(err) < 0)
		return -1;
	switch (type) {
	case CKK_RSA:
		return wrap_rsa(key, out, err);
	case CKK_EC:
		return wrap_ec(key, public_object, out, err);
	default:
		return err_set(err, ERR_FAULT,
		    "the token's key is neither RSA nor EC");
	}
}

bool
token_key_is_lost(const EVP_PKEY *pkey, const char **why)
{
	const struct token_key *key = NULL;

	/* Other keys' methods are not ours, and these are never asked. */
	if (rsa_index >= 0 && EVP_PKEY_get_base_id(pkey) == EVP_PKEY_RSA &&
	    EVP_PKEY_get0_provider(pkey) == NULL)
		key = RSA_get_ex_data(EVP_PKEY_get0_RSA(pkey), rsa_index);
	else if (ec_index >= 0 && EVP_PKEY_get_base_id(pkey) == EVP_PKEY_EC &&
	    EVP_PKEY_get0_provider(pkey) == NULL)
		key = EC_KEY_get_ex_data(EVP_PKEY_get0_EC_KEY(pkey), ec_index);
	if (key == NULL || token_key_failure(key) == CKR_OK)
		return false;
	*why = token_reason(token_key_failure(key));
	return true;
}
