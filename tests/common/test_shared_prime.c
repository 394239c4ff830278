#include "common/shared_prime.h"

#include "common/err.h"
#include "tests/support/fixtures.h"

#include <openssl/bn.h>

#include <string.h>

/* Moduli are products of two: what matters is which. */
static BIGNUM *primes[8];
static struct err err;

static void
set_up(void)
{
	for (int i = 0; i < ROWS(primes); i++) {
		primes[i] = BN_new();
		ck_assert_int_eq(BN_generate_prime_ex(primes[i], 512, 0, NULL,
		    NULL, NULL), 1);
	}
}

static void
tear_down(void)
{
	for (int i = 0; i < ROWS(primes); i++)
		BN_free(primes[i]);
}

/* 1,024 bits each; out holds SHARED_PRIME_MIN_OCTETS. */
static struct bytes
product(int p, int q, uint8_t *out)
{
	OWNED(BN_CTX) *ctx = BN_CTX_new();
	OWNED(BIGNUM) *n = BN_new();

	BN_mul(n, primes[p], primes[q], ctx);
	/* OpenSSL sets the two top bits, so no octet is lost. */
	ck_assert_int_eq(BN_bn2binpad(n, out, 128), 128);
	ck_assert_uint_ne(out[0], 0);
	return (struct bytes){ out, 128 };
}

static void
add(struct shared_prime *s, int64_t id, int p, int q)
{
	uint8_t n[128];

	ck_assert_msg(shared_prime_add(s, id, product(p, q, n), &err) == 0,
	    "%s", err.text);
}

static int64_t
ask(const struct shared_prime *s, int64_t self, int p, int q)
{
	uint8_t n[128];
	struct prime_question question = { .modulus = product(p, q, n),
		.self = self, .found = -1 };

	ck_assert_int_eq(shared_prime_find(s, &question, 1, &err), 0);
	return question.found;
}

static const struct {
	const char	*name;
	int		 p, q;
	int64_t		 self, found;
} questions[] = {
	{ "nothing shared",		 6, 7, 0, 0 },
	{ "the first prime",		 0, 7, 0, 10 },
	{ "the second prime",		 7, 1, 0, 10 },
	{ "a prime of the last",	 5, 7, 0, 30 },
	{ "primes of two",		 0, 2, 0, 10 },
	{ "the same modulus of another key", 0, 1, 0, 10 },
	{ "the same key again",		 0, 1, 10, 0 },
	{ "the same key, the last",	 4, 5, 30, 0 },
	{ "an id that is not held",	 0, 1, 11, 10 },
};

START_TEST(a_shared_prime_is_found_and_the_same_key_is_not_one)
{
	OWNED_STRUCT(shared_prime) *s = NULL;

	ck_assert_int_eq(shared_prime_new(&s, &err), 0);
	ck_assert_int_eq(ask(s, 0, 0, 1), 0);
	add(s, 10, 0, 1);
	add(s, 20, 2, 3);
	add(s, 30, 4, 5);
	ck_assert_msg(ask(s, questions[_i].self, questions[_i].p,
	    questions[_i].q) == questions[_i].found, "%s",
	    questions[_i].name);
}
END_TEST

START_TEST(a_renewal_does_not_hide_the_key_that_shares_with_it)
{
	OWNED_STRUCT(shared_prime) *s = NULL;

	ck_assert_int_eq(shared_prime_new(&s, &err), 0);
	add(s, 1, 0, 1);
	add(s, 2, 1, 2);
	add(s, 3, 3, 4);
	/* In its own block, in that of its like, and between both. */
	ck_assert_int_eq(ask(s, 1, 0, 1), 2);
	ck_assert_int_eq(ask(s, 2, 1, 2), 1);
	ck_assert_int_eq(ask(s, 3, 3, 4), 0);
	/* Two records with one modulus are two keys. */
	add(s, 4, 3, 4);
	ck_assert_int_eq(ask(s, 3, 3, 4), 4);
	ck_assert_int_eq(ask(s, 4, 3, 4), 3);
}
END_TEST

/* Odd numbers of 1,024 bits without a factor of ours, in order. */
static struct bytes
filler(unsigned int i, uint8_t *out)
{
	memset(out, 0, 128);
	out[0] = 0x80;
	out[1] = (uint8_t)(i >> 16);
	out[2] = (uint8_t)(i >> 8);
	out[3] = (uint8_t)i;
	out[127] = 1;
	return (struct bytes){ out, 128 };
}

/* Around the sizes at which blocks become one, and where they no longer do. */
static const unsigned int sizes[] = { 1, 2, 3, 4, 63, 64, 65, 4096, 4097,
	8200 };

START_TEST(it_is_found_at_every_place_of_every_block)
{
	OWNED_STRUCT(shared_prime) *s = NULL;
	unsigned int n = sizes[_i];
	unsigned int places[] = { 0, n / 3, n / 2, n - 1,
		n > 63 ? 63 : 0, n > 64 ? 64 : 0, n > 127 ? 127 : 0 };
	uint8_t octets[128];

	for (int k = 0; k < ROWS(places); k++) {
		ck_assert_int_eq(shared_prime_new(&s, &err), 0);
		for (unsigned int i = 0; i < n; i++) {
			if (i == places[k])
				add(s, i + 1, 0, 1);
			else
				ck_assert_int_eq(shared_prime_add(s, i + 1,
				    filler(i, octets), &err), 0);
		}
		ck_assert_uint_eq(shared_prime_held(s), n);
		ck_assert_int_eq(shared_prime_last(s), n);
		ck_assert_int_eq(ask(s, 0, 1, 2), places[k] + 1);
		ck_assert_int_eq(ask(s, places[k] + 1, 0, 1), 0);
		ck_assert_int_eq(ask(s, 0, 2, 3), 0);
		shared_prime_free(TAKE(s));
	}
}
END_TEST

/* More than are asked at one time. */
START_TEST(many_questions_get_their_own_answers)
{
	OWNED_STRUCT(shared_prime) *s = NULL;
	struct prime_question many[70];
	static uint8_t octets[70][128];

	ck_assert_int_eq(shared_prime_new(&s, &err), 0);
	add(s, 1, 0, 1);
	add(s, 2, 2, 3);
	for (unsigned int i = 0; i < 70; i++)
		many[i] = (struct prime_question){ .modulus =
		    i == 31 ? product(1, 4, octets[i]) :
		    i == 32 ? product(5, 2, octets[i]) :
		    filler(i, octets[i]), .found = -1 };
	ck_assert_int_eq(shared_prime_find(s, many, 70, &err), 0);
	for (int i = 0; i < 70; i++)
		ck_assert_int_eq(many[i].found, i == 31 ? 1 : i == 32 ? 2 : 0);
}
END_TEST

START_TEST(what_is_no_modulus_is_not_held)
{
	static const struct {
		size_t	len;
		uint8_t	first, last;
	} bad[] = { { 127, 0x80, 1 }, { 1025, 0x80, 1 }, { 128, 0, 1 },
		{ 128, 0x80, 2 }, { 0, 0, 0 } };
	OWNED_STRUCT(shared_prime) *s = NULL;
	uint8_t octets[1025] = { 0 };

	ck_assert_int_eq(shared_prime_new(&s, &err), 0);
	for (int i = 0; i < ROWS(bad); i++) {
		struct prime_question q = {
			.modulus = { octets, bad[i].len } };

		memset(octets, 0, sizeof(octets));
		octets[0] = bad[i].first;
		if (bad[i].len > 0)
			octets[bad[i].len - 1] |= bad[i].last;
		ck_assert_int_eq(shared_prime_add(s, 1, q.modulus, &err), -1);
		ck_assert_int_eq(err.kind, ERR_FAULT);
		ck_assert_int_eq(shared_prime_find(s, &q, 1, &err), -1);
	}
	octets[0] = 0x80;
	octets[1023] = 1;
	ck_assert_int_eq(shared_prime_add(s, 5,
	    (struct bytes){ octets, 1024 }, &err), 0);
	/* Ids rise. */
	ck_assert_int_eq(shared_prime_add(s, 5,
	    (struct bytes){ octets, 1024 }, &err), -1);
	ck_assert_uint_eq(shared_prime_held(s), 1);
}
END_TEST

START_TEST(two_alone_can_be_compared)
{
	uint8_t a[128], b[128];

	ck_assert(shared_prime_between(product(0, 1, a), product(1, 2, b)));
	ck_assert(shared_prime_between(product(0, 1, a), product(0, 1, b)));
	ck_assert(!shared_prime_between(product(0, 1, a), product(2, 3, b)));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("shared_prime");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_loop_test(tc,
	    a_shared_prime_is_found_and_the_same_key_is_not_one, 0,
	    ROWS(questions));
	tcase_add_test(tc,
	    a_renewal_does_not_hide_the_key_that_shares_with_it);
	tcase_add_loop_test(tc, it_is_found_at_every_place_of_every_block, 0,
	    ROWS(sizes));
	tcase_add_test(tc, many_questions_get_their_own_answers);
	tcase_add_test(tc, what_is_no_modulus_is_not_held);
	tcase_add_test(tc, two_alone_can_be_compared);
	tcase_set_timeout(tc, 120);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
