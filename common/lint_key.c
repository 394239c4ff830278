#include "common/lint_private.h"

#include "common/err.h"

#include <openssl/evp.h>

#include <string.h>

/* SubjectPublicKeyInfo (RFC 5280, 4.1.2.7; RFC 3279, 2.3.1; RFC 5480, 2;
 * RFC 8410, 3). */

static const uint8_t oid_rsa[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1,
	1 };
static const uint8_t oid_ec[] = { 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1 };
static const uint8_t oid_ed25519[] = { 0x2b, 0x65, 0x70 };
static const uint8_t oid_ed448[] = { 0x2b, 0x65, 0x71 };

static const struct curve {
	enum key_kind	kind;
	uint8_t		oid[8];
	size_t		oid_len;
} curves[] = {
	{ KEY_P256, { 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7 }, 8 },
	{ KEY_P384, { 0x2b, 0x81, 0x04, 0x00, 0x22 }, 5 },
	{ KEY_P521, { 0x2b, 0x81, 0x04, 0x00, 0x23 }, 5 },
};

/* Bits of a number without its sign octet; the first is not zero. */
static unsigned int
bits_of(struct bytes n)
{
	unsigned int bits = (unsigned int)n.len * 8;

	for (uint8_t top = 0x80; n.len > 0 && (n.data[0] & top) == 0;
	    top >>= 1)
		bits--;
	return bits;
}

/* SEQUENCE { n, e }, both odd; n of 2048 to 8192 bits, e from 65537 on. */
static const char *
read_rsa(struct bytes parameters, struct bytes key, struct key_facts *facts)
{
	struct bytes v, n, e;

	if (!der_take(&parameters, DER_NULL, &v) || parameters.len > 0)
		return "its RSA parameters are not NULL";
	if (!der_take(&key, DER_SEQUENCE, &v) || key.len > 0 ||
	    !der_take_unsigned(&v, &n) || !der_take_unsigned(&v, &e) ||
	    v.len > 0 || n.len == 0 || e.len == 0)
		return "the RSA key cannot be read";
	if (bits_of(n) < 2048 || bits_of(n) > 8192 ||
	    (n.data[n.len - 1] & 1) == 0)
		return "its modulus does not have 2048 to 8192 bits, or is "
		    "even";
	if (bits_of(e) < 17 || bits_of(e) > 256 ||
	    (e.data[e.len - 1] & 1) == 0)
		return "its exponent is even, below 65537 or above 256 bits";
	facts->kind = KEY_RSA;
	facts->bits = (uint16_t)bits_of(n);
	return NULL;
}

static const char *
read_ec(struct bytes parameters, struct bytes key, struct key_facts *facts)
{
	struct err why = { 0 };
	struct bytes oid;

	if (!der_take(&parameters, DER_OID, &oid) || parameters.len > 0)
		return "its curve is not given by name";
	for (size_t i = 0; i < sizeof(curves) / sizeof(curves[0]); i++)
		if (bytes_equal(oid, (struct bytes){ curves[i].oid,
		    curves[i].oid_len })) {
			facts->kind = curves[i].kind;
			return key_check_ec_point(key, facts->kind,
			    &why) == 0 ? NULL :
			    "its point is not one of the curve";
		}
	return "its curve is none of P-256, P-384 and P-521";
}

static const char *
read_edwards(enum key_kind kind, size_t len, struct bytes parameters,
    struct bytes key, struct key_facts *facts)
{
	facts->kind = kind;
	return parameters.len > 0 ? "it has parameters" :
	    key.len != len ? "its length is wrong" : NULL;
}

static const char *
read_key(struct bytes spki, struct key_facts *facts)
{
	struct bytes sequence, algorithm, oid, key;
	const char *why;

	if (!der_take(&spki, DER_SEQUENCE, &sequence) || spki.len > 0 ||
	    !der_take(&sequence, DER_SEQUENCE, &algorithm) ||
	    !der_take(&algorithm, DER_OID, &oid) ||
	    !der_take(&sequence, DER_BIT_STRING, &key) || sequence.len > 0 ||
	    key.len == 0 || key.data[0] != 0)
		return "it cannot be read";
	key = bytes_slice(key, 1, key.len);
	why = bytes_equal(oid, LINT_OID(oid_rsa)) ?
	    read_rsa(algorithm, key, facts) :
	    bytes_equal(oid, LINT_OID(oid_ec)) ?
	    read_ec(algorithm, key, facts) :
	    bytes_equal(oid, LINT_OID(oid_ed25519)) ?
	    read_edwards(KEY_ED25519, 32, algorithm, key, facts) :
	    bytes_equal(oid, LINT_OID(oid_ed448)) ?
	    read_edwards(KEY_ED448, 57, algorithm, key, facts) :
	    "its algorithm is not known here";
	if (why == NULL && EVP_Digest(key.data, key.len, facts->key_sha1,
	    NULL, EVP_sha1(), NULL) != 1)
		why = "it cannot be hashed";
	return why;
}

void
lint_key(struct lint *l, struct bytes spki)
{
	const struct profile *p = l->profile;
	struct key_facts facts;
	struct err err = { 0 };
	const char *why = read_key(spki, &l->key);

	/* Weak primes take a millisecond to look for. The signer has just done
	 * so, when it read the request. */
	if (why == NULL && !(l->signing && l->role == LINT_END_ENTITY) &&
	    key_examine_spki(spki, &facts, &err) == -1)
		why = err.text;
	if (why != NULL) {
		/* The advice behind is for who asks, not for readers. */
		lint_found_as(l, LINT_KEY_UNFIT, NULL, "its key is not fit: "
		    "%.*s", (int)strcspn(why, ".;"), why);
		return;
	}
	l->has_key = true;
	if (p != NULL && ((p->keys & 1u << l->key.kind) == 0 ||
	    (l->key.kind == KEY_RSA && l->key.bits < p->min_rsa_bits)))
		lint_found(l, LINT_KEY_PROFILE);
}
