/*
 * What the search for shared primes costs: time to take in N moduli, time for
 * a new one and for a batch of 25, memory; and beside it the plain way, one
 * GCD of OpenSSL's with each modulus, measured over a sample.
 *
 *	bench_primes [N]	(100000)
 *
 * Those on record are stand-ins, since 100,000 RSA keys would take hours to
 * make: products of two random odd numbers of 1,024 bits. What is measured
 * depends on their sizes, not on whether the factors are prime. The new ones
 * are products of real primes (stand-ins would share small factors with what
 * is on record), and one prime is put on record, which must be found.
 */
#include "common/shared_prime.h"

#include "common/err.h"

#include <openssl/bn.h>
#include <openssl/rand.h>

#include <sys/resource.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define OCTETS	256
#define BATCH	25
#define SAMPLE	2000
#define WEAK	17	/* of the batch: shares a prime */

static double
seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* KiB. */
static long
resident(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return u.ru_maxrss;
}

static void
die(const char *what)
{
	fprintf(stderr, "bench_primes: %s\n", what);
	exit(1);
}

/* A random odd number of 1,024 bits with its two top bits set. */
static void
draw_factor(BIGNUM *f)
{
	if (BN_rand(f, 1024, BN_RAND_TOP_TWO, BN_RAND_BOTTOM_ODD) != 1)
		die("no random numbers");
}

static void
draw_prime(BIGNUM *p)
{
	if (BN_generate_prime_ex(p, 1024, 0, NULL, NULL, NULL) != 1)
		die("no primes");
}

static void
multiply(const BIGNUM *p, const BIGNUM *q, uint8_t out[OCTETS])
{
	static BN_CTX *ctx;
	static BIGNUM *n;

	if (ctx == NULL) {
		ctx = BN_CTX_new();
		n = BN_new();
	}
	if (BN_mul(n, p, q, ctx) != 1 || BN_bn2binpad(n, out, OCTETS) != OCTETS)
		die("multiplying");
}

static void
naive(const uint8_t *moduli, size_t n)
{
	BN_CTX *ctx = BN_CTX_new();
	BIGNUM *a = BN_bin2bn(moduli, OCTETS, NULL), *b = BN_new();
	BIGNUM *g = BN_new();
	size_t sample = n < SAMPLE ? n : SAMPLE;
	double t = seconds();

	for (size_t i = 1; i < sample; i++)
		if (BN_bin2bn(moduli + i * OCTETS, OCTETS, b) == NULL ||
		    BN_gcd(g, a, b, ctx) != 1)
			die("a GCD");
	t = (seconds() - t) / (double)(sample - 1);
	printf("| BN_gcd with each, from %zu of them | %.1f us each: %.1f s "
	    "for a new one, %.0f s for %d |\n", sample - 1, t * 1e6,
	    t * (double)n, t * (double)n * BATCH, BATCH);
	BN_free(a);
	BN_free(b);
	BN_free(g);
	BN_CTX_free(ctx);
}

int
main(int argc, char **argv)
{
	size_t n = argc > 1 ? (size_t)atol(argv[1]) : 100000;
	static uint8_t fresh[BATCH][OCTETS];
	struct prime_question questions[BATCH];
	uint8_t *moduli = malloc(n * OCTETS);
	BIGNUM *p = BN_new(), *q = BN_new(), *shared = BN_new();
	OWNED_STRUCT(shared_prime) *s = NULL;
	struct err err;
	double t, most = 0, last;
	long before;

	if (n < 100 || moduli == NULL || shared_prime_new(&s, &err) == -1)
		die("out of memory");
	draw_prime(shared);
	for (size_t i = 0; i < n; i++) {
		draw_factor(p);
		draw_factor(q);
		multiply(i == n / 2 ? shared : p, q, moduli + i * OCTETS);
	}
	for (size_t i = 0; i < BATCH; i++) {
		draw_prime(p);
		draw_prime(q);
		multiply(i == WEAK ? shared : p, q, fresh[i]);
		questions[i].modulus = (struct bytes){ fresh[i], OCTETS };
		questions[i].self = 0;
	}
	before = resident();
	t = seconds();
	for (size_t i = 0; i < n; i++) {
		last = seconds();
		if (shared_prime_add(s, (int64_t)i + 1, (struct bytes){
		    moduli + i * OCTETS, OCTETS }, &err) == -1)
			die(err.text);
		last = seconds() - last;
		if (last > most)
			most = last;
	}
	t = seconds() - t;
	printf("| %zu moduli of 2,048 bits | |\n| --- | --- |\n", n);
	printf("| taking them in | %.2f s, %.1f us each, the longest %.1f ms "
	    "|\n", t, t / (double)n * 1e6, most * 1e3);
	printf("| memory | %.0f MiB |\n",
	    (double)(resident() - before) / 1024);
	t = seconds();
	for (int i = 0; i < 10; i++)
		if (shared_prime_find(s, questions + i, 1, &err) == -1)
			die(err.text);
	printf("| a new one | %.1f ms |\n", (seconds() - t) / 10 * 1e3);
	t = seconds();
	if (shared_prime_find(s, questions, BATCH, &err) == -1)
		die(err.text);
	printf("| a batch of %d | %.1f ms |\n", BATCH,
	    (seconds() - t) * 1e3);
	for (size_t i = 0; i < BATCH; i++)
		if (questions[i].found !=
		    (i == WEAK ? (int64_t)(n / 2 + 1) : 0))
			die("a wrong answer");
	naive(moduli, n);
	BN_free(p);
	BN_free(q);
	BN_free(shared);
	free(moduli);
	return 0;
}
