#include "common/key.h"

#include "common/der.h"
#include "common/err.h"
#include "common/owned.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>

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

/* RFC 3279, 2.3.1: parameters NULL; the key is SEQUENCE { n, e }. */
static int
examine_rsa(struct bytes params, struct bytes key, struct key_facts *facts,
    struct err *err)
{
	struct bytes null, sequence, n_octets, e_octets;
	OWNED(BIGNUM) *n = NULL;
	OWNED(BIGNUM) *e = NULL;

	if (!der_take(&params, DER_NULL, &null) || params.len > 0)
		return refuse_key(err, "its RSA parameters are not NULL");
	if (!der_take(&key, DER_SEQUENCE, &sequence) || key.len > 0 ||
	    !der_take_unsigned(&sequence, &n_octets) ||
	    !der_take_unsigned(&sequence, &e_octets) || sequence.len > 0)
		return refuse_key(err, "the RSA key cannot be read");
	n = BN_bin2bn(n_octets.data, (int)n_octets.len, NULL);
	e = BN_bin2bn(e_octets.data, (int)e_octets.len, NULL);
	if (n == NULL || e == NULL)
		return err_openssl(err, ERR_FAULT, "reading an RSA key");
	if (key_check_rsa_size(n, err) == -1 ||
	    key_check_rsa_exponent(e, err) == -1 ||
	    key_check_rsa_small_factors(n, err) == -1 ||
	    key_check_rsa_roca(n, err) == -1 ||
	    key_check_rsa_fermat(n, err) == -1)
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

/* RFC 5480, 2.1.1: a named curve. */
static int
examine_ec(struct bytes params, struct bytes key, struct key_facts *facts,
    struct err *err)
{
	struct bytes curve;

	if (!der_take(&params, DER_OID, &curve) || params.len > 0)
		return refuse_key(err, "its curve is not given by name");
	if (bytes_equal(curve, OID(oid_p256)))
		facts->kind = KEY_P256;
	else if (bytes_equal(curve, OID(oid_p384)))
		facts->kind = KEY_P384;
	else if (bytes_equal(curve, OID(oid_p521)))
		facts->kind = KEY_P521;
	else
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
	return 0;
}

int
key_examine_spki(struct bytes spki, struct key_facts *out, struct err *err)
{
	struct bytes in = spki, sequence, algorithm, oid, key;
	struct key_facts facts = { 0 };
	int r;

	if (spki.len > SPKI_MAX_OCTETS)
		return refuse_key(err, "it is too large");
	if (!der_take(&in, DER_SEQUENCE, &sequence) || in.len > 0 ||
	    !der_take(&sequence, DER_SEQUENCE, &algorithm) ||
	    !der_take(&algorithm, DER_OID, &oid) ||
	    !der_take(&sequence, DER_BIT_STRING, &key) || sequence.len > 0 ||
	    key.len == 0 || key.data[0] != 0)
		return refuse_key(err, "it cannot be read");
	key = bytes_slice(key, 1, key.len);
	if (bytes_equal(oid, OID(oid_rsa)))
		r = examine_rsa(algorithm, key, &facts, err);
	else if (bytes_equal(oid, OID(oid_ec)))
		r = examine_ec(algorithm, key, &facts, err);
	else if (bytes_equal(oid, OID(oid_ed25519)))
		r = examine_edwards(KEY_ED25519, algorithm, key, &facts, err);
	else if (bytes_equal(oid, OID(oid_ed448)))
		r = examine_edwards(KEY_ED448, algorithm, key, &facts, err);
	else if (bytes_equal(oid, OID(oid_rsa_pss)))
		r = refuse_key(err, "it is for RSA-PSS only");
	else
		r = refuse_key(err, "its algorithm is not known here");
	if (r == -1)
		return -1;
	if (EVP_Digest(spki.data, spki.len, facts.spki_sha256, NULL,
	    EVP_sha256(), NULL) != 1 ||
	    EVP_Digest(key.data, key.len, facts.key_sha1, NULL, EVP_sha1(),
	    NULL) != 1)
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
