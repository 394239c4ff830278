#ifndef COMMON_KEY_H
#define COMMON_KEY_H

#include "common/bytes.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <stdint.h>

struct err;

/*
 * Public keys: what kind, and whether they are fit to be certified.
 *
 * OpenSSL verifies signatures of RSA-512, of e = 1, of keys with factors of
 * 3, of close primes, ROCA keys and RSA-16384; the checks are ours and come
 * before any signature is verified. Each refuses with
 * ERR_REJECT and says what to do instead.
 */
enum key_kind {
	KEY_RSA = 1,
	KEY_P256,
	KEY_P384,
	KEY_P521,
	KEY_ED25519,
	KEY_ED448,
};

struct key_facts {
	enum key_kind	kind;
	uint16_t	bits;		/* of the modulus or the field */
	uint8_t		spki_sha256[32];	/* of the SubjectPublicKeyInfo */
	uint8_t		key_sha1[20];	/* of the BIT STRING's content: SKI,
					 * OCSP byKey (RFC 6960, 4.2.1) */
};

const char *key_kind_name(enum key_kind);	/* "RSA", "P-256", ... */
/* "rsa:2048..8192"-like configuration words: 0, or -1 when unknown. */
int	key_kind_from_name(const char *, enum key_kind *);
/*
 * Examine a SubjectPublicKeyInfo before anything is computed with it: size
 * first, then algorithm, form and strength. Does not need the key loaded.
 */
int	key_examine(const X509_PUBKEY *, struct key_facts *, struct err *);
/* The same for its DER: nothing of it is loaded by a library before. */
int	key_examine_spki(struct bytes, struct key_facts *, struct err *);
/* Refusing checks, named for their rule. */
int	key_check_rsa_size(const BIGNUM *n, struct err *);	/* 2048..8192 */
int	key_check_rsa_exponent(const BIGNUM *e, struct err *);
int	key_check_rsa_small_factors(const BIGNUM *n, struct err *);
int	key_check_rsa_fermat(const BIGNUM *n, struct err *);
int	key_check_rsa_roca(const BIGNUM *n, struct err *);
int	key_check_ec_point(struct bytes point, enum key_kind, struct err *);

/* A fresh key pair of that kind; bits for RSA only. Owned. */
EVP_PKEY *key_generate(enum key_kind, unsigned int bits, struct err *);

#endif
