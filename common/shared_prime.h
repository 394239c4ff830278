#ifndef COMMON_SHARED_PRIME_H
#define COMMON_SHARED_PRIME_H

#include "common/bytes.h"
#include "common/owned.h"

#include <stddef.h>
#include <stdint.h>

struct err;

/*
 * RSA moduli that share a prime. Whoever has two such moduli has both private
 * keys: one greatest common divisor gives the prime away. It happens where
 * keys are made with too little randomness.
 *
 * Holds every modulus that is on record, and their products in blocks. A new
 * modulus n costs one division of each product by n and one GCD with what is
 * left: one reading of what is held, where a GCD with each modulus takes some
 * thirty times as long (docs/benchmarks.md). Adding one multiplies blocks of
 * equal size with each other, as a binary counter carries, up to a size that
 * holds nobody up.
 *
 * Not here: the store that the moduli come from, and who owns them. Numbers
 * are big-endian octets without zeros in front. Memory: twice the octets of
 * the moduli. libgmp ends the process when there is no more.
 */
#define SHARED_PRIME_MIN_OCTETS	128	/* of a modulus */
#define SHARED_PRIME_MAX_OCTETS	1024
#define SHARED_PRIME_MAX_HELD	1000000

struct shared_prime;
int	shared_prime_new(struct shared_prime **out, struct err *);
void	shared_prime_free(struct shared_prime *);
OWNED_STRUCT_BY(shared_prime, shared_prime_free)

/*
 * Hold one more. id: the caller's, above every id before. ERR_FAULT for an
 * even number or one of another size, ERR_RETRY when as many are held as may
 * be.
 */
int	shared_prime_add(struct shared_prime *, int64_t id,
	    struct bytes modulus, struct err *);
/* The id that was added last; 0: none. */
int64_t	shared_prime_last(const struct shared_prime *);
size_t	shared_prime_held(const struct shared_prime *);

struct prime_question {
	struct bytes	 modulus;	/* borrowed; odd */
	int64_t		 self;		/* id of this same key among those
					 * held, which is no finding; 0: it
					 * is not held */
	int64_t		 found;		/* out: the first one held that shares
					 * a prime, or all of them; 0: none */
};
/* Ask about n moduli at one time. They are not compared with each other. */
int	shared_prime_find(const struct shared_prime *,
	    struct prime_question *, size_t n, struct err *);
/* Only these two: for a modulus that is not held yet. */
bool	shared_prime_between(struct bytes, struct bytes);

#endif
