#include "common/key.h"

#include "common/err.h"
#include "common/owned.h"

#include <openssl/bn.h>

#define MIN_BITS		2048
#define MAX_BITS		8192
#define FERMAT_ROUNDS		100
#define LARGEST_SMALL_PRIME	751

int
key_check_rsa_size(const BIGNUM *n, struct err *err)
{
	int bits = BN_num_bits(n);

	if (bits >= MIN_BITS && bits <= MAX_BITS)
		return 0;
	return err_set(err, ERR_REJECT, "the RSA key has %d bits; make one of "
	    "%d to %d bits and send a new request", bits, MIN_BITS, MAX_BITS);
}

/* FIPS 186-5, A.1.1: odd, and 2^16 < e < 2^256. */
int
key_check_rsa_exponent(const BIGNUM *e, struct err *err)
{
	if (BN_is_odd(e) && BN_num_bits(e) <= 256 && BN_num_bits(e) >= 17)
		return 0;
	return err_set(err, ERR_REJECT, "the RSA key's public exponent is not "
	    "safe; make a new key with the exponent 65537 and send a new "
	    "request");
}

static int
refuse_weak(struct err *err, const char *why)
{
	return err_set(err, ERR_REJECT, "the RSA key is weak: %s. Do not use "
	    "it any more; make a new key with up-to-date software and send a "
	    "new request", why);
}

/* The odd primes up to limit, in order; returns how many. */
static size_t
list_primes(uint32_t *primes, uint32_t limit)
{
	size_t n = 0;

	for (uint32_t c = 3; c <= limit; c += 2) {
		bool prime = true;

		for (size_t i = 0; i < n && primes[i] * primes[i] <= c; i++)
			prime = prime && c % primes[i] != 0;
		if (prime)
			primes[n++] = c;
	}
	return n;
}

/*
 * As many primes at a time as a word takes: the modulus is divided by their
 * product once, and only the remainder by each.
 */
int
key_check_rsa_small_factors(const BIGNUM *n, struct err *err)
{
	uint32_t primes[LARGEST_SMALL_PRIME / 2];
	size_t count = list_primes(primes, LARGEST_SMALL_PRIME), next;

	if (!BN_is_odd(n))
		return refuse_weak(err, "its modulus is even");
	for (size_t i = 0; i < count; i = next) {
		uint64_t product = 1, rest;

		for (next = i; next < count &&
		    product <= UINT64_MAX / primes[next]; next++)
			product *= primes[next];
		rest = BN_mod_word(n, product);
		for (; i < next; i++)
			if (rest % primes[i] == 0)
				return refuse_weak(err,
				    "its modulus has a small factor");
	}
	return 0;
}

/* The largest integer whose square is at most n, by Newton's method. */
static bool
square_root(BIGNUM *root, const BIGNUM *n, BN_CTX *ctx)
{
	BIGNUM *x, *y;
	bool ok;

	BN_CTX_start(ctx);
	x = BN_CTX_get(ctx);
	y = BN_CTX_get(ctx);
	/* Begin above the root; the sequence then falls until it is found. */
	ok = y != NULL && BN_one(x) == 1 &&
	    BN_lshift(x, x, (BN_num_bits(n) + 1) / 2) == 1;
	while (ok) {
		ok = BN_div(y, NULL, n, x, ctx) == 1 &&
		    BN_add(y, y, x) == 1 && BN_rshift1(y, y) == 1;
		if (!ok || BN_cmp(y, x) >= 0)
			break;
		ok = BN_copy(x, y) != NULL;
	}
	ok = ok && BN_copy(root, x) != NULL;
	BN_CTX_end(ctx);
	return ok;
}

/* 1 when n is a square, 0 when not, -1 without memory. */
static int
is_square(const BIGNUM *n, BN_CTX *ctx)
{
	/* Squares leave few remainders: one in a hundred numbers passes. */
	static const uint8_t odds[] = { 63, 65, 11, 17, 19, 23 };
	BIGNUM *root;
	int r = -1;
	uint64_t rest, low;

	low = BN_mod_word(n, 64);
	if (low % 4 > 1)
		return 0;
	rest = BN_mod_word(n, 63ull * 65 * 11 * 17 * 19 * 23);
	for (size_t i = 0; i < sizeof(odds); i++) {
		bool square = false;

		for (uint64_t k = 0; k < odds[i] && !square; k++)
			square = k * k % odds[i] == rest % odds[i];
		if (!square)
			return 0;
	}
	BN_CTX_start(ctx);
	root = BN_CTX_get(ctx);
	if (root != NULL && square_root(root, n, ctx) &&
	    BN_sqr(root, root, ctx) == 1)
		r = BN_cmp(root, n) == 0;
	BN_CTX_end(ctx);
	return r;
}

/*
 * Fermat's method: primes that are close to each other are found near the
 * square root, since n = a^2 - b^2 with a small b (CVE-2022-26320).
 */
int
key_check_rsa_fermat(const BIGNUM *n, struct err *err)
{
	OWNED(BN_CTX) *ctx = BN_CTX_new();
	OWNED(BIGNUM) *a = BN_new();
	OWNED(BIGNUM) *b2 = BN_new();
	OWNED(BIGNUM) *step = BN_new();
	int square;

	if (ctx == NULL || a == NULL || b2 == NULL || step == NULL ||
	    !square_root(a, n, ctx) || BN_sqr(b2, a, ctx) != 1 ||
	    BN_sub(b2, b2, n) != 1)
		return err_openssl(err, ERR_FAULT, "examining an RSA key");
	if (BN_is_zero(b2))
		return refuse_weak(err, "its modulus is a square");
	/* From a to a + 1, a^2 grows by 2 a + 1. */
	for (int i = 0; i < FERMAT_ROUNDS; i++) {
		if (BN_lshift1(step, a) != 1 || BN_add_word(step, 1) != 1 ||
		    BN_add(b2, b2, step) != 1 || BN_add_word(a, 1) != 1)
			return err_openssl(err, ERR_FAULT,
			    "examining an RSA key");
		square = is_square(b2, ctx);
		if (square == -1)
			return err_openssl(err, ERR_FAULT,
			    "examining an RSA key");
		if (square == 1)
			return refuse_weak(err,
			    "its primes are close to each other");
	}
	return 0;
}

/*
 * CVE-2017-15361: the primes of that library are k * M + (65537^a mod M), M
 * the product of the first primes. So modulo each of these primes the modulus
 * is a power of 65537; other keys pass all 38 once in 2^27 times.
 */
int
key_check_rsa_roca(const BIGNUM *n, struct err *err)
{
	uint32_t primes[167 / 2];
	size_t count = list_primes(primes, 167);

	for (size_t i = 0; i < count; i++) {
		uint64_t rest = BN_mod_word(n, primes[i]), power = 1;

		do {
			power = power * 65537 % primes[i];
		} while (power != rest && power != 1);
		if (power != rest)
			return 0;
	}
	return refuse_weak(err,
	    "it comes from faulty smart-card software (ROCA)");
}

OWNED_BY(BN_MONT_CTX, BN_MONT_CTX_free)

/*
 * With a prime modulus, whoever sees the key has its private half. Fermat's
 * little theorem: 2^(n-1) leaves 1 when n is a prime; a product of two random
 * primes as good as never does.
 */
int
key_check_rsa_composite(const BIGNUM *n, struct err *err)
{
	OWNED(BN_CTX) *ctx = BN_CTX_new();
	OWNED(BN_MONT_CTX) *mont = BN_MONT_CTX_new();
	OWNED(BIGNUM) *r = BN_new();
	OWNED(BIGNUM) *less = BN_dup(n);

	if (ctx == NULL || mont == NULL || r == NULL || less == NULL ||
	    BN_MONT_CTX_set(mont, n, ctx) != 1 || BN_sub_word(less, 1) != 1 ||
	    BN_mod_exp_mont_word(r, 2, less, n, ctx, mont) != 1)
		return err_openssl(err, ERR_FAULT, "examining an RSA key");
	if (BN_is_one(r))
		return refuse_weak(err, "its modulus is a prime");
	return 0;
}
