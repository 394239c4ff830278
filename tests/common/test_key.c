#include "common/key.h"

#include "common/err.h"
#include "common/owned.h"
#include "tests/support/fixtures.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>

#include <string.h>

/* bits and how the number ends: 2^(bits - 1) + low. */
static BIGNUM *
number(int bits, unsigned long low)
{
	BIGNUM *n = BN_new();

	BN_set_bit(n, bits - 1);
	BN_add_word(n, low);
	return n;
}

static const struct {
	int	bits, want;
} sizes[] = { { 512, -1 }, { 2047, -1 }, { 2048, 0 }, { 8192, 0 },
	{ 8193, -1 }, { 16384, -1 } };

START_TEST(rsa_has_2048_to_8192_bits)
{
	OWNED(BIGNUM) *n = number(sizes[_i].bits, 1);
	struct err err;

	ck_assert_int_eq(key_check_rsa_size(n, &err), sizes[_i].want);
}
END_TEST

static const struct {
	const char	*hex;
	int		 want;
} exponents[] = {
	{ "1", -1 }, { "3", -1 }, { "FFFF", -1 }, { "10000", -1 },
	{ "10001", 0 }, { "10002", -1 },
	{ "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF",
	  0 },
	{ "10000000000000000000000000000000000000000000000000000000000000001",
	  -1 },
};

START_TEST(rsa_exponents_are_odd_and_between)
{
	OWNED(BIGNUM) *e = NULL;
	struct err err;

	BN_hex2bn(&e, exponents[_i].hex);
	ck_assert_int_eq(key_check_rsa_exponent(e, &err), exponents[_i].want);
}
END_TEST

static const unsigned long factors[] = { 2, 3, 5, 7, 337, 743, 751 };

START_TEST(a_small_factor_is_found)
{
	OWNED(BIGNUM) *n = BN_new();
	struct err err;

	BN_generate_prime_ex(n, 512, 0, NULL, NULL, NULL);
	ck_assert_int_eq(key_check_rsa_small_factors(n, &err), 0);
	BN_mul_word(n, factors[_i]);
	ck_assert_int_eq(key_check_rsa_small_factors(n, &err), -1);
}
END_TEST

START_TEST(primes_from_757_on_are_not_looked_for)
{
	OWNED(BIGNUM) *n = BN_new();
	struct err err;

	BN_generate_prime_ex(n, 512, 0, NULL, NULL, NULL);
	BN_mul_word(n, 757);
	ck_assert_int_eq(key_check_rsa_small_factors(n, &err), 0);
}
END_TEST

/* (a - b)(a + b) = a^2 - b^2 is found after as many rounds as a is above the
 * root: b^2 / 2a. */
START_TEST(close_primes_are_found_and_distant_ones_are_not)
{
	OWNED(BN_CTX) *ctx = BN_CTX_new();
	OWNED(BIGNUM) *p = BN_new();
	OWNED(BIGNUM) *q = BN_new();
	OWNED(BIGNUM) *n = BN_new();
	struct err err;

	BN_generate_prime_ex(p, 1024, 0, NULL, NULL, NULL);
	BN_copy(q, p);
	BN_add_word(q, 2 * 12345678);
	BN_mul(n, p, q, ctx);
	ck_assert_int_eq(key_check_rsa_fermat(n, &err), -1);
	BN_sqr(n, p, ctx);
	ck_assert_int_eq(key_check_rsa_fermat(n, &err), -1);
	BN_generate_prime_ex(q, 1024, 0, NULL, NULL, NULL);
	BN_mul(n, p, q, ctx);
	ck_assert_int_eq(key_check_rsa_fermat(n, &err), 0);
}
END_TEST

/* n = (a + d)(a - d), with d such that it is found in round r or next. */
START_TEST(fermat_goes_a_hundred_rounds)
{
	static const int rounds[] = { 1, 99, 100, 101, 102 };
	OWNED(BN_CTX) *ctx = BN_CTX_new();
	struct err err;

	for (size_t i = 0; i < 5; i++) {
		OWNED(BIGNUM) *root = number(1000, 0);
		OWNED(BIGNUM) *a = BN_new();
		OWNED(BIGNUM) *b = number(505, 0);
		OWNED(BIGNUM) *n = BN_new();
		OWNED(BIGNUM) *t = BN_new();

		/* b = sqrt(2 root (r - 1/2)), so that a = ceil + r - 1 */
		BN_copy(t, root);
		BN_mul_word(t, (BN_ULONG)(2 * rounds[i] - 1));
		for (int bit = 504; bit >= 0; bit--) {
			if (bit == 504)
				BN_zero(b);
			BN_set_bit(b, bit);
			BN_sqr(n, b, ctx);
			if (BN_cmp(n, t) > 0)
				BN_clear_bit(b, bit);
		}
		BN_copy(a, root);
		BN_sqr(n, a, ctx);
		BN_sqr(t, b, ctx);
		BN_sub(n, n, t);
		ck_assert_msg((key_check_rsa_fermat(n, &err) == -1) ==
		    (rounds[i] <= 100), "round %d", rounds[i]);
	}
}
END_TEST

START_TEST(roca_has_its_fingerprint_and_others_do_not)
{
	OWNED(BN_CTX) *ctx = BN_CTX_new();
	OWNED(BIGNUM) *m = number(1, 0);
	OWNED(BIGNUM) *n = BN_new();
	OWNED(BIGNUM) *e = BN_new();
	OWNED(BIGNUM) *g = BN_new();
	OWNED(BIGNUM) *k = number(1000, 77);
	struct err err;

	for (BN_ULONG p = 2; p <= 167; p++) {
		bool prime = true;

		for (BN_ULONG q = 2; q < p; q++)
			prime = prime && p % q != 0;
		if (prime)
			BN_mul_word(m, p);
	}
	BN_set_word(g, 65537);
	BN_set_word(e, 1234567);
	BN_mod_exp(n, g, e, m, ctx);
	BN_mul(k, k, m, ctx);
	BN_add(n, n, k);
	ck_assert_int_eq(key_check_rsa_roca(n, &err), -1);
	BN_add_word(n, 2);
	ck_assert_int_eq(key_check_rsa_roca(n, &err), 0);
}
END_TEST

START_TEST(a_prime_is_no_modulus)
{
	OWNED(BIGNUM) *p = BN_new();
	OWNED(BIGNUM) *q = BN_new();
	OWNED(BIGNUM) *n = BN_new();
	OWNED(BN_CTX) *ctx = BN_CTX_new();
	struct err err;

	BN_generate_prime_ex(p, 1024, 0, NULL, NULL, NULL);
	BN_generate_prime_ex(q, 1024, 0, NULL, NULL, NULL);
	BN_mul(n, p, q, ctx);
	ck_assert_int_eq(key_check_rsa_composite(n, &err), 0);
	ck_assert_int_eq(key_check_rsa_composite(p, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "its modulus is a prime"));
}
END_TEST

/* y, in hexadecimal and little-endian; the rest is filled with `fill`, and
 * the last octet is as given. */
static const struct {
	const char	*name;
	enum key_kind	 kind;
	uint8_t		 first, fill, last;
	size_t		 len;
	const char	*says;		/* NULL: accepted */
} points[] = {
	{ "y = 0",	KEY_ED25519, 0x00, 0x00, 0x00, 32, "small order" },
	{ "y = 0, sign", KEY_ED25519, 0x00, 0x00, 0x80, 32, "small order" },
	{ "y = 1",	KEY_ED25519, 0x01, 0x00, 0x00, 32, "small order" },
	{ "y = 1, sign", KEY_ED25519, 0x01, 0x00, 0x80, 32, "small order" },
	{ "y = 2",	KEY_ED25519, 0x02, 0x00, 0x00, 32, NULL },
	{ "y = -2",	KEY_ED25519, 0xeb, 0xff, 0x7f, 32, NULL },
	{ "y = -1",	KEY_ED25519, 0xec, 0xff, 0x7f, 32, "small order" },
	{ "y = -1, sign", KEY_ED25519, 0xec, 0xff, 0xff, 32, "small order" },
	{ "y = p",	KEY_ED25519, 0xed, 0xff, 0x7f, 32, "one form" },
	{ "y = p + 1",	KEY_ED25519, 0xee, 0xff, 0x7f, 32, "one form" },
	{ "y = 2^255 - 1", KEY_ED25519, 0xff, 0xff, 0xff, 32, "one form" },
	{ "31 octets",	KEY_ED25519, 0x02, 0x00, 0x00, 31, "length" },
	{ "33 octets",	KEY_ED25519, 0x02, 0x00, 0x00, 33, "length" },
	{ "y = 0",	KEY_ED448, 0x00, 0x00, 0x00, 57, "small order" },
	{ "y = 1, sign", KEY_ED448, 0x01, 0x00, 0x80, 57, "small order" },
	{ "y = 2",	KEY_ED448, 0x02, 0x00, 0x00, 57, NULL },
	{ "y = 2^448",	KEY_ED448, 0x00, 0x00, 0x01, 57, "one form" },
	{ "y = 2^448 - 1", KEY_ED448, 0xff, 0xff, 0x00, 57, "one form" },
	{ "56 octets",	KEY_ED448, 0x02, 0x00, 0x00, 56, "length" },
};

START_TEST(edwards_points_are_canonical_and_of_large_order)
{
	uint8_t octets[57];
	struct err err = { 0 };
	int r;

	memset(octets, points[_i].fill, sizeof(octets));
	octets[0] = points[_i].first;
	octets[points[_i].len - 1] = points[_i].last;
	r = key_check_edwards_point((struct bytes){ octets, points[_i].len },
	    points[_i].kind, &err);
	ck_assert_msg((r == 0) == (points[_i].says == NULL), "%s: %s",
	    points[_i].name, err.text);
	if (r == -1)
		ck_assert_msg(strstr(err.text, points[_i].says) != NULL,
		    "%s: %s", points[_i].name, err.text);
}
END_TEST

/* -1 of Ed448 has a hole: 2^448 - 2^224 - 2. */
START_TEST(the_point_of_order_2_of_ed448_is_refused)
{
	uint8_t octets[57];
	struct err err;

	memset(octets, 0xff, sizeof(octets));
	octets[0] = 0xfe;
	octets[28] = 0xfe;
	octets[56] = 0;
	ck_assert_int_eq(key_check_edwards_point((struct bytes){ octets, 57 },
	    KEY_ED448, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "small order"));
	octets[0] = 0xfd;
	ck_assert_int_eq(key_check_edwards_point((struct bytes){ octets, 57 },
	    KEY_ED448, &err), 0);
}
END_TEST

static const enum key_kind ec_kinds[] = { KEY_P256, KEY_P384, KEY_P521 };

/* Blocked in one form, it is blocked in the other. */
START_TEST(a_key_has_one_digest_in_both_forms)
{
	struct err err = { 0 };
	OWNED(EVP_PKEY) *key = key_generate(ec_kinds[_i], 0, &err);
	struct key_facts facts[2];
	static const char *const forms[] = { "uncompressed", "compressed" };
	int lens[2];

	for (int i = 0; i < 2; i++) {
		uint8_t *der = NULL;

		EVP_PKEY_set_utf8_string_param(key,
		    OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, forms[i]);
		lens[i] = i2d_PUBKEY(key, &der);
		ck_assert_msg(key_examine_spki((struct bytes){ der,
		    (size_t)lens[i] }, &facts[i], &err) == 0, "%s", err.text);
		OPENSSL_free(der);
	}
	ck_assert_int_lt(lens[1], lens[0]);
	ck_assert_mem_eq(facts[0].spki_sha256, facts[1].spki_sha256, 32);
	ck_assert_mem_ne(facts[0].key_sha1, facts[1].key_sha1, 20);
}
END_TEST

static const enum key_kind kinds[] = { KEY_RSA, KEY_P256, KEY_P384, KEY_P521,
	KEY_ED25519, KEY_ED448 };

START_TEST(a_key_we_make_is_one_we_take)
{
	struct err err = { 0 };
	OWNED(EVP_PKEY) *key = key_generate(kinds[_i], 2048, &err);
	OWNED(X509_PUBKEY) *pub = NULL;
	OWNED(EVP_PKEY) *loaded = NULL;
	struct key_facts facts;
	enum key_kind back;
	uint8_t *der = NULL;
	struct bytes n;
	int len;

	ck_assert_int_eq(X509_PUBKEY_set(&pub, key), 1);
	ck_assert_msg(key_examine(pub, &facts, &err) == 0, "%s", err.text);
	ck_assert_int_eq(facts.kind, kinds[_i]);
	ck_assert_int_eq(facts.bits, EVP_PKEY_get_bits(key) == 253 ? 256 :
	    EVP_PKEY_get_bits(key));
	ck_assert_int_eq(key_kind_from_name(key_kind_name(kinds[_i]), &back),
	    0);
	ck_assert_int_eq(back, kinds[_i]);
	len = i2d_PUBKEY(key, &der);
	loaded = key_load((struct bytes){ der, (size_t)len }, &facts, &err);
	ck_assert_msg(loaded != NULL && EVP_PKEY_eq(loaded, key) == 1, "%s",
	    err.detail);
	n = key_rsa_modulus((struct bytes){ der, (size_t)len });
	ck_assert_uint_eq(n.len, kinds[_i] == KEY_RSA ? 256 : 0);
	OPENSSL_free(der);
}
END_TEST

START_TEST(points_are_on_the_curve_and_not_hybrid)
{
	struct err err = { 0 };
	OWNED(EVP_PKEY) *key = key_generate(KEY_P256, 0, &err);
	uint8_t *octets = NULL;
	uint8_t p[65];

	ck_assert_uint_eq(EVP_PKEY_get1_encoded_public_key(key, &octets), 65);
	memcpy(p, octets, 65);
	OPENSSL_free(octets);
	ck_assert_int_eq(key_check_ec_point((struct bytes){ p, 65 }, KEY_P256,
	    &err), 0);
	ck_assert_int_eq(key_check_ec_point((struct bytes){ p, 64 }, KEY_P256,
	    &err), -1);
	ck_assert_int_eq(key_check_ec_point((struct bytes){ p, 65 }, KEY_P384,
	    &err), -1);
	p[0] = 6 + (p[64] & 1);
	ck_assert_int_eq(key_check_ec_point((struct bytes){ p, 65 }, KEY_P256,
	    &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "hybrid"));
	p[0] = (uint8_t)(2 + (p[64] & 1));
	ck_assert_int_eq(key_check_ec_point((struct bytes){ p, 33 }, KEY_P256,
	    &err), 0);
	p[0] = 4;
	p[64] ^= 1;
	ck_assert_int_eq(key_check_ec_point((struct bytes){ p, 65 }, KEY_P256,
	    &err), -1);
	ck_assert_int_eq(key_check_ec_point((struct bytes){ (uint8_t[]){ 0 },
	    1 }, KEY_P256, &err), -1);
}
END_TEST

static const struct {
	const char	*type, *group;
} others[] = { { "EC", "secp256k1" }, { "EC", "P-224" }, { "X25519", NULL },
	{ "RSA-PSS", NULL } };

START_TEST(other_algorithms_and_curves_are_refused)
{
	OWNED(EVP_PKEY_CTX) *ctx = EVP_PKEY_CTX_new_from_name(NULL,
	    others[_i].type, NULL);
	OWNED(EVP_PKEY) *key = NULL;
	OWNED(X509_PUBKEY) *pub = NULL;
	struct key_facts facts;
	struct err err = { 0 };

	EVP_PKEY_keygen_init(ctx);
	if (others[_i].group != NULL)
		EVP_PKEY_CTX_set_group_name(ctx, others[_i].group);
	EVP_PKEY_generate(ctx, &key);
	ck_assert_int_eq(X509_PUBKEY_set(&pub, key), 1);
	ck_assert_int_eq(key_examine(pub, &facts, &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("key");
	TCase *tc = tcase_create("all");

	tcase_add_loop_test(tc, rsa_has_2048_to_8192_bits, 0, ROWS(sizes));
	tcase_add_loop_test(tc, rsa_exponents_are_odd_and_between, 0,
	    ROWS(exponents));
	tcase_add_loop_test(tc, a_small_factor_is_found, 0, ROWS(factors));
	tcase_add_test(tc, primes_from_757_on_are_not_looked_for);
	tcase_add_test(tc, close_primes_are_found_and_distant_ones_are_not);
	tcase_add_test(tc, fermat_goes_a_hundred_rounds);
	tcase_add_test(tc, roca_has_its_fingerprint_and_others_do_not);
	tcase_add_test(tc, a_prime_is_no_modulus);
	tcase_add_loop_test(tc,
	    edwards_points_are_canonical_and_of_large_order, 0, ROWS(points));
	tcase_add_test(tc, the_point_of_order_2_of_ed448_is_refused);
	tcase_add_loop_test(tc, a_key_has_one_digest_in_both_forms, 0,
	    ROWS(ec_kinds));
	tcase_add_loop_test(tc, a_key_we_make_is_one_we_take, 0, ROWS(kinds));
	tcase_add_test(tc, points_are_on_the_curve_and_not_hybrid);
	tcase_add_loop_test(tc, other_algorithms_and_curves_are_refused, 0,
	    ROWS(others));
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
