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
	uint8_t		spki_sha256[32];	/* key_digest_spki */
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
int	key_check_rsa_composite(const BIGNUM *n, struct err *);
int	key_check_ec_point(struct bytes point, enum key_kind, struct err *);
int	key_check_edwards_point(struct bytes point, enum key_kind,
	    struct err *);

/*
 * The key of a SubjectPublicKeyInfo that was examined, for verifying with it.
 * Made without OpenSSL's decoders, which cost twice as much as a signature.
 * NULL: ERR_REJECT or ERR_FAULT. Owned.
 */
EVP_PKEY *key_load(struct bytes spki, const struct key_facts *, struct err *);
/*
 * SHA-256 of a SubjectPublicKeyInfo, by which a key is known here. A
 * compressed point counts as the uncompressed one that it stands for, so that
 * no key has two names. Also for keys that are not fit to be certified.
 */
int	key_digest_spki(struct bytes spki, uint8_t out[32], struct err *);
/* The same for the key of a certificate. */
int	key_digest_certificate(const X509 *, uint8_t out[32], struct err *);
/* The modulus of one that was examined and is of RSA: big-endian, without
 * zeros in front. Borrows from it; empty for other kinds. */
struct bytes key_rsa_modulus(struct bytes spki);

/* A fresh key pair of that kind; bits for RSA only. Owned. */
EVP_PKEY *key_generate(enum key_kind, unsigned int bits, struct err *);
/*
 * An RSA key pair, which can take seconds, for who cannot be away so long: fn
 * is called every few milliseconds meanwhile. It returns false to give up:
 * then there is no key, ERR_RETRY.
 */
EVP_PKEY *key_generate_while(unsigned int bits, bool (*fn)(void *), void *,
	    struct err *);

#endif
