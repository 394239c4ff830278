#include "common/key.h"

#include "common/der.h"
#include "common/err.h"
#include "common/owned.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include <string.h>

#define SPKI_MAX_OCTETS	2304	/* RSA-8192 with an exponent of 256 bits
				 * has 1,100; more is no key of ours */

static const uint8_t oid_rsa[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1,
	1 };
static const uint8_t oid_rsa_pss[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1,
	1, 10 };
static const uint8_t oid_ec[] = { 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1 };
static const uint8_t oid_p256[] = { 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7 };
static const uint8_t oid_p384[] = { 0x2b, 0x81, 0x04, 0x00, 0x22 };
static const uint8_t oid_p521[] = { 0x2b, 0x81, 0x04, 0x00, 0x23 };
static const uint8_t oid_ed25519[] = { 0x2b, 0x65, 0x70 };
static const uint8_t oid_ed448[] = { 0x2b, 0x65, 0x71 };
#define OID(array)	((struct bytes){ (array), sizeof(array) })

static const struct kind {
	enum key_kind	 kind;
	const char	*name;		/* OpenSSL's, and people's */
	uint16_t	 bits;
	size_t		 octets;	/* of a coordinate, or of the key */
	int		 nid;
} kinds[] = {
	{ KEY_RSA,	"RSA",		0,	0,	NID_undef },
	{ KEY_P256,	"P-256",	256,	32,
	    NID_X9_62_prime256v1 },
	{ KEY_P384,	"P-384",	384,	48,	NID_secp384r1 },
	{ KEY_P521,	"P-521",	521,	66,	NID_secp521r1 },
	{ KEY_ED25519,	"Ed25519",	256,	32,	NID_undef },
	{ KEY_ED448,	"Ed448",	456,	57,	NID_undef },
};
#define KINDS	(sizeof(kinds) / sizeof(kinds[0]))

static const struct kind *
kind_of(enum key_kind kind)
{
	for (size_t i = 0; i < KINDS; i++)
		if (kinds[i].kind == kind)
			return &kinds[i];
	return NULL;
}

const char *
key_kind_name(enum key_kind kind)
{
	const struct kind *k = kind_of(kind);

	return k == NULL ? "?" : k->name;
}

int
key_kind_from_name(const char *name, enum key_kind *out)
{
	for (size_t i = 0; i < KINDS; i++)
		if (bytes_equal_nocase(bytes_of(name), kinds[i].name)) {
			*out = kinds[i].kind;
			return 0;
		}
	return -1;
}

static int
refuse_key(struct err *err, const char *why)
{
	return err_set(err, ERR_REJECT, "the public key is not accepted: %s. "
	    "Make an RSA (2048 to 8192 bits), P-256, P-384, P-521, Ed25519 or "
	    "Ed448 key and send a new request", why);
}

/* Where the parts of a SubjectPublicKeyInfo lie (RFC 5280, 4.1.2.7). */
struct spki {
	struct bytes	oid, params;
	struct bytes	key;		/* what the BIT STRING holds */
};

static bool
split_spki(struct bytes in, struct spki *out)
{
	struct bytes sequence;

	if (!der_take(&in, DER_SEQUENCE, &sequence) || in.len > 0 ||
	    !der_take(&sequence, DER_SEQUENCE, &out->params) ||
	    !der_take(&out->params, DER_OID, &out->oid) ||
	    !der_take(&sequence, DER_BIT_STRING, &out->key) ||
	    sequence.len > 0 || out->key.len == 0 || out->key.data[0] != 0)
		return false;
	out->key = bytes_slice(out->key, 1, out->key.len);
	return true;
}

static bool
split_rsa(struct bytes key, struct bytes *n, struct bytes *e)
{
	struct bytes sequence;

	return der_take(&key, DER_SEQUENCE, &sequence) && key.len == 0 &&
	    der_take_unsigned(&sequence, n) &&
	    der_take_unsigned(&sequence, e) && sequence.len == 0;
}

/* RFC 3279, 2.3.1: parameters NULL; the key is SEQUENCE { n, e }. */
static int
examine_rsa(struct bytes params, struct bytes key, struct key_facts *facts,
    struct err *err)
{
	struct bytes null, n_octets, e_octets;
	OWNED(BIGNUM) *n = NULL;
	OWNED(BIGNUM) *e = NULL;

	if (!der_take(&params, DER_NULL, &null) || params.len > 0)
		return refuse_key(err, "its RSA parameters are not NULL");
	if (!split_rsa(key, &n_octets, &e_octets))
		return refuse_key(err, "the RSA key cannot be read");
	n = BN_bin2bn(n_octets.data, (int)n_octets.len, NULL);
	e = BN_bin2bn(e_octets.data, (int)e_octets.len, NULL);
	if (n == NULL || e == NULL)
		return err_openssl(err, ERR_FAULT, "reading an RSA key");
	if (key_check_rsa_size(n, err) == -1 ||
	    key_check_rsa_exponent(e, err) == -1 ||
	    key_check_rsa_small_factors(n, err) == -1 ||
	    key_check_rsa_roca(n, err) == -1 ||
	    key_check_rsa_fermat(n, err) == -1 ||
	    key_check_rsa_composite(n, err) == -1)
		return -1;
	facts->kind = KEY_RSA;
	facts->bits = (uint16_t)BN_num_bits(n);
	return 0;
}

/* Made once and kept for the life of the process. */
static const EC_GROUP *
group_of(const struct kind *kind)
{
	static EC_GROUP *groups[KINDS];
	size_t i = (size_t)(kind - kinds);

	if (groups[i] == NULL)
		groups[i] = EC_GROUP_new_by_curve_name(kind->nid);
	return groups[i];
}

OWNED_BY(EC_POINT, EC_POINT_free)

/* RFC 5480, 2.2: uncompressed or compressed; the cofactor is 1, so that on
 * the curve is in the group (SP 800-56A, 5.6.2.3.3). */
int
key_check_ec_point(struct bytes point, enum key_kind which, struct err *err)
{
	const struct kind *kind = kind_of(which);
	const EC_GROUP *group = group_of(kind);
	OWNED(EC_POINT) *p = group == NULL ? NULL : EC_POINT_new(group);
	uint8_t form = point.len == 0 ? 0 : point.data[0];

	if (form == 6 || form == 7)
		return refuse_key(err, "its point is in the hybrid form");
	if (!(form == 4 && point.len == 1 + 2 * kind->octets) &&
	    !((form == 2 || form == 3) && point.len == 1 + kind->octets))
		return refuse_key(err, "its point has a wrong form or length");
	if (p == NULL)
		return err_openssl(err, ERR_FAULT, "examining an EC key");
	if (EC_POINT_oct2point(group, p, point.data, point.len, NULL) != 1) {
		err_openssl(err, ERR_REJECT, "");
		return refuse_key(err, "its point is not on the curve");
	}
	return 0;
}

/* The curve that the parameters name; 0: none of ours. */
static enum key_kind
curve_of(struct bytes params)
{
	struct bytes curve;

	if (!der_take(&params, DER_OID, &curve) || params.len > 0)
		return 0;
	return bytes_equal(curve, OID(oid_p256)) ? KEY_P256 :
	    bytes_equal(curve, OID(oid_p384)) ? KEY_P384 :
	    bytes_equal(curve, OID(oid_p521)) ? KEY_P521 : 0;
}

/* RFC 5480, 2.1.1: a named curve. */
static int
examine_ec(struct bytes params, struct bytes key, struct key_facts *facts,
    struct err *err)
{
	struct bytes in = params, curve;

	if (!der_take(&in, DER_OID, &curve) || in.len > 0)
		return refuse_key(err, "its curve is not given by name");
	facts->kind = curve_of(params);
	if (facts->kind == 0)
		return refuse_key(err,
		    "its curve is none of P-256, P-384 and P-521");
	facts->bits = kind_of(facts->kind)->bits;
	return key_check_ec_point(key, facts->kind, err);
}

/* RFC 8410, 3 and 4: no parameters; the key is so many octets. */
static int
examine_edwards(enum key_kind which, struct bytes params, struct bytes key,
    struct key_facts *facts, struct err *err)
{
	const struct kind *kind = kind_of(which);

	if (params.len > 0)
		return refuse_key(err, "it has parameters (RFC 8410, 3)");
	if (key.len != kind->octets)
		return refuse_key(err, "its length is wrong");
	facts->kind = which;
	facts->bits = kind->bits;
	return key_check_edwards_point(key, which, err);
}

/* DER's head of so many octets. */
static void
put_head(struct buf *out, uint8_t tag, size_t len)
{
	uint8_t head[3] = { tag, len < 0x80 ? (uint8_t)len : 0x81,
		(uint8_t)len };

	buf_append(out, head, len < 0x80 ? 2 : 3);
}

/* The same key with its point uncompressed; nothing when it is no such one. */
static void
uncompress(const struct spki *in, struct buf *out)
{
	enum key_kind which = bytes_equal(in->oid, OID(oid_ec)) ?
	    curve_of(in->params) : 0;
	const EC_GROUP *group = which == 0 ? NULL : group_of(kind_of(which));
	OWNED(EC_POINT) *p = group == NULL ? NULL : EC_POINT_new(group);
	uint8_t point[1 + 2 * 66];
	size_t len, algorithm;

	if (p == NULL || in->key.len == 0 ||
	    (in->key.data[0] != 2 && in->key.data[0] != 3) ||
	    EC_POINT_oct2point(group, p, in->key.data, in->key.len,
	    NULL) != 1)
		return;
	len = EC_POINT_point2oct(group, p, POINT_CONVERSION_UNCOMPRESSED,
	    point, sizeof(point), NULL);
	algorithm = 2 + in->oid.len + in->params.len;
	put_head(out, DER_SEQUENCE, 2 + algorithm + (len < 0x7f ? 3 : 4) +
	    len);
	put_head(out, DER_SEQUENCE, algorithm);
	put_head(out, DER_OID, in->oid.len);
	buf_append_bytes(out, in->oid);
	buf_append_bytes(out, in->params);
	put_head(out, DER_BIT_STRING, 1 + len);
	buf_append(out, "", 1);
	buf_append(out, point, len);
}

int
key_digest_spki(struct bytes spki, uint8_t out[32], struct err *err)
{
	OWNED_BUF(other, 256);
	struct spki in;

	if (!split_spki(spki, &in))
		return refuse_key(err, "it cannot be read");
	uncompress(&in, &other);
	ERR_clear_error();
	if (other.len > 0)
		spki = buf_bytes(&other);
	if (other.failed || EVP_Digest(spki.data, spki.len, out, NULL,
	    EVP_sha256(), NULL) != 1)
		return err_openssl(err, ERR_FAULT, "hashing a public key");
	return 0;
}

int
key_examine_spki(struct bytes spki, struct key_facts *out, struct err *err)
{
	struct key_facts facts = { 0 };
	struct spki in;
	int r;

	if (spki.len > SPKI_MAX_OCTETS)
		return refuse_key(err, "it is too large");
	if (!split_spki(spki, &in))
		return refuse_key(err, "it cannot be read");
	if (bytes_equal(in.oid, OID(oid_rsa)))
		r = examine_rsa(in.params, in.key, &facts, err);
	else if (bytes_equal(in.oid, OID(oid_ec)))
		r = examine_ec(in.params, in.key, &facts, err);
	else if (bytes_equal(in.oid, OID(oid_ed25519)))
		r = examine_edwards(KEY_ED25519, in.params, in.key, &facts,
		    err);
	else if (bytes_equal(in.oid, OID(oid_ed448)))
		r = examine_edwards(KEY_ED448, in.params, in.key, &facts, err);
	else if (bytes_equal(in.oid, OID(oid_rsa_pss)))
		r = refuse_key(err, "it is for RSA-PSS only");
	else
		r = refuse_key(err, "its algorithm is not known here");
	if (r == -1)
		return -1;
	if (key_digest_spki(spki, facts.spki_sha256, err) == -1)
		return -1;
	if (EVP_Digest(in.key.data, in.key.len, facts.key_sha1, NULL,
	    EVP_sha1(), NULL) != 1)
		return err_openssl(err, ERR_FAULT, "hashing a public key");
	*out = facts;
	return 0;
}

int
key_examine(const X509_PUBKEY *pubkey, struct key_facts *out, struct err *err)
{
	uint8_t *der = NULL;
	int len = i2d_X509_PUBKEY(pubkey, &der), r;

	if (len <= 0)
		return err_openssl(err, ERR_FAULT, "encoding a public key");
	r = key_examine_spki((struct bytes){ der, (size_t)len }, out, err);
	OPENSSL_free(der);
	return r;
}

int
key_digest_certificate(const X509 *cert, uint8_t out[32], struct err *err)
{
	uint8_t *der = NULL;
	int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der), r;

	if (len <= 0)
		return err_openssl(err, ERR_FAULT, "encoding a public key");
	r = key_digest_spki((struct bytes){ der, (size_t)len }, out, err);
	OPENSSL_free(der);
	return r;
}

struct bytes
key_rsa_modulus(struct bytes spki)
{
	struct bytes n, e;
	struct spki in;

	if (!split_spki(spki, &in) || !bytes_equal(in.oid, OID(oid_rsa)) ||
	    !split_rsa(in.key, &n, &e))
		return (struct bytes){ NULL, 0 };
	return n;
}

OWNED_BY(OSSL_PARAM_BLD, OSSL_PARAM_BLD_free)
OWNED_BY(OSSL_PARAM, OSSL_PARAM_free)

static EVP_PKEY *
load_rsa(struct bytes key)
{
	static EVP_PKEY_CTX *ctx;	/* kept for the life of the process */
	struct bytes n_octets = { NULL, 0 }, e_octets = { NULL, 0 };
	OWNED(OSSL_PARAM_BLD) *build = OSSL_PARAM_BLD_new();
	OWNED(OSSL_PARAM) *params = NULL;
	OWNED(BIGNUM) *n = NULL;
	OWNED(BIGNUM) *e = NULL;
	EVP_PKEY *out = NULL;

	if (ctx == NULL)
		ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	if (ctx == NULL || build == NULL ||
	    !split_rsa(key, &n_octets, &e_octets) ||
	    (n = BN_bin2bn(n_octets.data, (int)n_octets.len, NULL)) == NULL ||
	    (e = BN_bin2bn(e_octets.data, (int)e_octets.len, NULL)) == NULL ||
	    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) != 1 ||
	    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e) != 1 ||
	    (params = OSSL_PARAM_BLD_to_param(build)) == NULL ||
	    EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &out, EVP_PKEY_PUBLIC_KEY, params) != 1)
		return NULL;
	return out;
}

/* A copy of a key without a point (parameters are looked up once for each
 * curve), which then gets it. */
static EVP_PKEY *
load_ec(enum key_kind which, struct bytes key)
{
	static EVP_PKEY *empty[KINDS];
	const struct kind *kind = kind_of(which);
	EVP_PKEY **e = &empty[kind - kinds];
	EVP_PKEY *out;

	if (*e == NULL) {
		OWNED(EVP_PKEY_CTX) *ctx = EVP_PKEY_CTX_new_from_name(NULL,
		    "EC", NULL);

		if (ctx == NULL || EVP_PKEY_paramgen_init(ctx) != 1 ||
		    EVP_PKEY_CTX_set_group_name(ctx, kind->name) != 1 ||
		    EVP_PKEY_paramgen(ctx, e) != 1)
			return NULL;
	}
	out = EVP_PKEY_dup(*e);
	if (out == NULL || EVP_PKEY_set1_encoded_public_key(out, key.data,
	    key.len) != 1) {
		EVP_PKEY_free(out);
		return NULL;
	}
	return out;
}

EVP_PKEY *
key_load(struct bytes spki, const struct key_facts *facts, struct err *err)
{
	EVP_PKEY *key = NULL;
	struct spki in;

	if (split_spki(spki, &in)) {
		switch (facts->kind) {
		case KEY_RSA:
			key = load_rsa(in.key);
			break;
		case KEY_P256:
		case KEY_P384:
		case KEY_P521:
			key = load_ec(facts->kind, in.key);
			break;
		case KEY_ED25519:
		case KEY_ED448:
			key = EVP_PKEY_new_raw_public_key_ex(NULL,
			    kind_of(facts->kind)->name, NULL, in.key.data,
			    in.key.len);
			break;
		}
	}
	if (key == NULL)
		err_openssl(err, ERR_REJECT, "the public key is not accepted: "
		    "it cannot be used");
	return key;
}

EVP_PKEY *
key_generate(enum key_kind which, unsigned int bits, struct err *err)
{
	EVP_PKEY *key = NULL;

	switch (which) {
	case KEY_RSA:
		if (bits < 2048 || bits > 8192) {
			err_set(err, ERR_FAULT, "an RSA key has 2048 to 8192 "
			    "bits, not %u", bits);
			return NULL;
		}
		key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)bits);
		break;
	case KEY_P256:
	case KEY_P384:
	case KEY_P521:
		key = EVP_PKEY_Q_keygen(NULL, NULL, "EC",
		    key_kind_name(which));
		break;
	case KEY_ED25519:
		key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
		break;
	case KEY_ED448:
		key = EVP_PKEY_Q_keygen(NULL, NULL, "ED448");
		break;
	}
	if (key == NULL)
		err_openssl(err, ERR_FAULT, "making a key");
	return key;
}

struct meanwhile {
	bool	(*fn)(void *);
	void	*arg;
	bool	 given_up;
};

static int
go_on(EVP_PKEY_CTX *ctx)
{
	struct meanwhile *m = EVP_PKEY_CTX_get_app_data(ctx);

	m->given_up = m->given_up || !m->fn(m->arg);
	return !m->given_up;
}

EVP_PKEY *
key_generate_while(unsigned int bits, bool (*fn)(void *), void *arg,
    struct err *err)
{
	OWNED(EVP_PKEY_CTX) *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA",
	    NULL);
	struct meanwhile m = { fn, arg, false };
	EVP_PKEY *key = NULL;

	if (bits < 2048 || bits > 8192) {
		err_set(err, ERR_FAULT, "an RSA key has 2048 to 8192 bits, "
		    "not %u", bits);
		return NULL;
	}
	if (ctx != NULL && EVP_PKEY_keygen_init(ctx) == 1 &&
	    EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, (int)bits) == 1) {
		EVP_PKEY_CTX_set_app_data(ctx, &m);
		EVP_PKEY_CTX_set_cb(ctx, go_on);
		if (EVP_PKEY_keygen(ctx, &key) == 1)
			return key;
	}
	err_openssl(err, m.given_up ? ERR_RETRY : ERR_FAULT, "making a key");
	return NULL;
}
