#include "common/shared_prime.h"

#include "common/err.h"

#include <gmp.h>

#include <stdlib.h>

/* So many moduli make the largest product: of RSA-2048, a mebioctet. */
#define BLOCK_MAX	4096
/* So many questions are answered with one division of each product. */
#define BATCH_MAX	32
/* So many moduli are multiplied before one GCD, where one of them is it. */
#define CHUNK		64

struct held {
	int64_t		 id;
	mpz_t		 n;
};

/* The product of held[first .. first + n). */
struct block {
	size_t		 first, n;
	mpz_t		 product;
};

struct shared_prime {
	struct held	*held;		/* owned, by id */
	size_t		 n_held, cap_held;
	struct block	*blocks;	/* owned, in the order of held */
	size_t		 n_blocks, cap_blocks;
};

int
shared_prime_new(struct shared_prime **out, struct err *err)
{
	*out = calloc(1, sizeof(**out));
	return *out == NULL ? err_set(err, ERR_RETRY, "out of memory") : 0;
}

void
shared_prime_free(struct shared_prime *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->n_held; i++)
		mpz_clear(s->held[i].n);
	for (size_t i = 0; i < s->n_blocks; i++)
		mpz_clear(s->blocks[i].product);
	free(s->held);
	free(s->blocks);
	free(s);
}

int64_t
shared_prime_last(const struct shared_prime *s)
{
	return s->n_held == 0 ? 0 : s->held[s->n_held - 1].id;
}

size_t
shared_prime_held(const struct shared_prime *s)
{
	return s->n_held;
}

/* Room for one more behind n items of that size. */
static int
grow(void **items, size_t *cap, size_t n, size_t size, struct err *err)
{
	size_t more = *cap == 0 ? 64 : *cap + *cap / 2;
	void *p;

	if (n < *cap)
		return 0;
	p = realloc(*items, more * size);
	if (p == NULL)
		return err_set(err, ERR_RETRY, "out of memory");
	*items = p;
	*cap = more;
	return 0;
}

static bool
is_modulus(struct bytes n)
{
	return n.len >= SHARED_PRIME_MIN_OCTETS &&
	    n.len <= SHARED_PRIME_MAX_OCTETS && n.data[0] != 0 &&
	    (n.data[n.len - 1] & 1) != 0;
}

static void
import(mpz_t out, struct bytes in)
{
	mpz_import(out, in.len, 1, 1, 1, 0, in.data);
}

/* As a binary counter carries: blocks of equal size become one. */
static void
carry(struct shared_prime *s)
{
	while (s->n_blocks > 1) {
		struct block *low = &s->blocks[s->n_blocks - 2];
		struct block *high = &s->blocks[s->n_blocks - 1];

		if (low->n != high->n || low->n == BLOCK_MAX)
			return;
		mpz_mul(low->product, low->product, high->product);
		low->n += high->n;
		mpz_clear(high->product);
		s->n_blocks--;
	}
}

int
shared_prime_add(struct shared_prime *s, int64_t id, struct bytes modulus,
    struct err *err)
{
	struct held *held;
	struct block *block;

	if (!is_modulus(modulus) || id <= shared_prime_last(s))
		return err_set(err, ERR_FAULT,
		    "that is no modulus of an RSA key on record");
	if (s->n_held == SHARED_PRIME_MAX_HELD)
		return err_set(err, ERR_RETRY, "more than %d moduli are on "
		    "record", SHARED_PRIME_MAX_HELD);
	if (grow((void **)&s->held, &s->cap_held, s->n_held,
	    sizeof(*s->held), err) == -1 ||
	    grow((void **)&s->blocks, &s->cap_blocks, s->n_blocks,
	    sizeof(*s->blocks), err) == -1)
		return -1;
	held = &s->held[s->n_held];
	held->id = id;
	mpz_init2(held->n, modulus.len * 8);
	import(held->n, modulus);
	block = &s->blocks[s->n_blocks++];
	block->first = s->n_held++;
	block->n = 1;
	mpz_init_set(block->product, held->n);
	carry(s);
	return 0;
}

bool
shared_prime_between(struct bytes a, struct bytes b)
{
	mpz_t x, y;
	bool shared;

	mpz_inits(x, y, NULL);
	import(x, a);
	import(y, b);
	mpz_gcd(x, x, y);
	shared = mpz_cmp_ui(x, 1) > 0;
	mpz_clears(x, y, NULL);
	return shared;
}

/* --- asking --------------------------------------------------------------- */

/* The first modulus of the block that has a factor of g; 0: none but self. */
static int64_t
find_in_block(const struct shared_prime *s, const struct block *block,
    const mpz_t g, int64_t self)
{
	size_t end = block->first + block->n;
	int64_t found = 0;
	mpz_t product, rest;

	mpz_inits(product, rest, NULL);
	for (size_t at = block->first; at < end && found == 0; at += CHUNK) {
		size_t next = at + CHUNK < end ? at + CHUNK : end;

		mpz_set_ui(product, 1);
		for (size_t i = at; i < next; i++) {
			mpz_mul(product, product, s->held[i].n);
			mpz_mod(product, product, g);
		}
		mpz_gcd(rest, product, g);
		for (size_t i = at; mpz_cmp_ui(rest, 1) > 0 && i < next &&
		    found == 0; i++) {
			mpz_gcd(product, s->held[i].n, g);
			if (s->held[i].id != self &&
			    mpz_cmp_ui(product, 1) > 0)
				found = s->held[i].id;
		}
	}
	mpz_clears(product, rest, NULL);
	return found;
}

/* One question and one block. rest: the product modulo a multiple of n. */
static void
ask_block(const struct shared_prime *s, const struct block *block,
    const mpz_t rest, const mpz_t n, struct prime_question *q)
{
	mpz_t g;

	mpz_init(g);
	mpz_mod(g, rest, n);
	mpz_gcd(g, g, n);
	/* Always so where its own record is: then the others are looked at. */
	if (mpz_cmp_ui(g, 1) > 0)
		q->found = find_in_block(s, block, g, q->self);
	mpz_clear(g);
}

/* At most BATCH_MAX of them. */
static void
ask(const struct shared_prime *s, struct prime_question *questions, size_t n)
{
	mpz_t moduli[BATCH_MAX], all, rest;

	mpz_inits(all, rest, NULL);
	mpz_set_ui(all, 1);
	for (size_t i = 0; i < n; i++) {
		mpz_init(moduli[i]);
		import(moduli[i], questions[i].modulus);
		mpz_mul(all, all, moduli[i]);
		questions[i].found = 0;
	}
	for (size_t b = 0; b < s->n_blocks; b++) {
		mpz_mod(rest, s->blocks[b].product, all);
		for (size_t i = 0; i < n; i++)
			if (questions[i].found == 0)
				ask_block(s, &s->blocks[b], rest, moduli[i],
				    &questions[i]);
	}
	for (size_t i = 0; i < n; i++)
		mpz_clear(moduli[i]);
	mpz_clears(all, rest, NULL);
}

int
shared_prime_find(const struct shared_prime *s,
    struct prime_question *questions, size_t n, struct err *err)
{
	for (size_t i = 0; i < n; i++)
		if (!is_modulus(questions[i].modulus))
			return err_set(err, ERR_FAULT,
			    "that is no modulus of an RSA key");
	for (size_t i = 0; i < n; i += BATCH_MAX)
		ask(s, questions + i, n - i < BATCH_MAX ? n - i : BATCH_MAX);
	return 0;
}
