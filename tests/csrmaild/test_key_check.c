#include "csrmaild/key_check.h"

#include "csrmaild/acts.h"
#include "csrmaild/registry.h"
#include "csrmaild/responders.h"

#include "common/err.h"
#include "common/owned.h"
#include "tests/support/fixtures.h"

#include <openssl/bn.h>

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* What the registrar knows of keys, over a real store. */
static char dir[64];
static struct registrar registrar;
static int signer_fd;		/* its end of the channel; unread */
static struct err err;
static BIGNUM *primes[4];

#define OK(call)							\
	ck_assert_msg((call) == 0, "%s: %s (%s)", #call, err.text,	\
	    err.detail)

static void
set_up(void)
{
	char path[PATH_MAX];
	int pair[2];

	strcpy(dir, "/tmp/test_key_check.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/store.db", dir);
	registrar = (struct registrar){ .now = NOON };
	OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair));
	registrar.signer = channel_new(pair[0], "signer", 1 << 20, 1 << 20);
	signer_fd = pair[1];
	OK(store_open(path, STORE_READ_WRITE, &registrar.store, &err));
	OK(store_begin(registrar.store, &err));
	for (int i = 0; i < ROWS(primes); i++) {
		primes[i] = BN_new();
		BN_generate_prime_ex(primes[i], 1024, 0, NULL, NULL, NULL);
	}
}

static void
tear_down(void)
{
	static const char *const ends[] = { "", "-wal", "-shm" };
	char file[PATH_MAX];

	store_rollback(registrar.store);
	store_free(registrar.store);
	channel_free(registrar.signer);
	close(signer_fd);
	key_check_close(&registrar);
	for (int i = 0; i < ROWS(primes); i++)
		BN_free(primes[i]);
	for (size_t i = 0; i < 3; i++) {
		snprintf(file, sizeof(file), "%s/store.db%s", dir, ends[i]);
		unlink(file);
	}
	rmdir(dir);
}

/* An RSA key of two of the primes; key says which SubjectPublicKeyInfo. */
static void
make(struct candidate *c, uint8_t key, int p, int q, uint8_t octets[256])
{
	OWNED(BN_CTX) *ctx = BN_CTX_new();
	OWNED(BIGNUM) *n = BN_new();

	BN_mul(n, primes[p], primes[q], ctx);
	ck_assert_int_eq(BN_bn2binpad(n, octets, 256), 256);
	*c = (struct candidate){ .good = true, .modulus = { octets, 256 },
		.key = { .kind = KEY_RSA, .bits = 2048,
		.spki_sha256 = { key }, .key_sha1 = { key } } };
}

static int
note_audit(const struct audit_row *row, void *arg)
{
	if (strcmp(row->event, "key.shared-prime") == 0)
		snprintf(arg, 700, "%s %s %s", row->principal, row->object,
		    row->detail);
	return 0;
}

static const char *
last_audit(void)
{
	static char text[700];

	text[0] = '\0';
	OK(store_each_audit(registrar.store, 0, 100, note_audit, text, &err));
	return text;
}

static void
see(uint8_t key, int p, int q, const char *object)
{
	struct key_check found;
	uint8_t octets[256];
	struct candidate c;

	make(&c, key, p, q, octets);
	OK(key_check(&registrar, &c, &found, &err));
	OK(key_check_record(&registrar, &c, &found, "mail:b@example.test",
	    object, &err));
}

/* Whatever is taken in between: 0 nothing, 1 all, 2 the first only. */
START_TEST(a_key_that_shares_a_prime_is_refused_and_told_to_the_ca)
{
	struct key_check found;
	uint8_t octets[256];
	struct candidate c;

	see(1, 0, 1, "cert:0102");
	if (_i == 2)
		key_check_catch_up(&registrar);
	see(2, 2, 3, "request:3");
	if (_i == 1)
		key_check_catch_up(&registrar);
	ck_assert_str_eq(last_audit(), "");
	make(&c, 9, 1, 2, octets);
	OK(key_check(&registrar, &c, &found, &err));
	ck_assert(found.shared);
	ck_assert_ptr_nonnull(strstr(found.why, "Make a new key"));
	/* Whose the other one is, the requester is never told. */
	ck_assert_ptr_null(strstr(found.why, "cert:"));
	OK(key_check_record(&registrar, &c, &found, "mail:b@example.test",
	    "request:7", &err));
	ck_assert_ptr_nonnull(strstr(last_audit(),
	    "mail:b@example.test request:7 shares a prime with the key 01"));
	ck_assert_ptr_nonnull(strstr(last_audit(), "of cert:0102"));
	/* Once more: still refused, though it is on record now. */
	key_check_catch_up(&registrar);
	OK(key_check(&registrar, &c, &found, &err));
	ck_assert(found.shared);
	/* And so is the renewal of the one that it shares with. */
	make(&c, 1, 0, 1, octets);
	OK(key_check(&registrar, &c, &found, &err));
	ck_assert(found.shared);
}
END_TEST

START_TEST(the_same_key_again_is_no_finding)
{
	struct key_check found;
	uint8_t octets[256];
	struct candidate c;

	see(1, 0, 1, "request:1");
	if (_i == 1)
		key_check_catch_up(&registrar);
	make(&c, 1, 0, 1, octets);
	OK(key_check(&registrar, &c, &found, &err));
	ck_assert_str_eq(found.why, "");
	/* With another exponent it is another key. */
	make(&c, 2, 0, 1, octets);
	OK(key_check(&registrar, &c, &found, &err));
	ck_assert(found.shared);
	/* No other kind of key has a modulus. */
	c = (struct candidate){ .good = true, .key = { .kind = KEY_P256 } };
	OK(key_check(&registrar, &c, &found, &err));
	OK(key_check_record(&registrar, &c, &found, "x", "request:2", &err));
	ck_assert_str_eq(found.why, "");
}
END_TEST

START_TEST(what_was_rolled_back_was_never_seen)
{
	struct key_check found;
	uint8_t octets[256];
	struct candidate c;

	OK(store_commit(registrar.store, &err));
	OK(store_begin(registrar.store, &err));
	see(1, 0, 1, "request:1");
	see(2, 2, 3, "request:2");
	store_rollback(registrar.store);
	key_check_catch_up(&registrar);
	OK(store_begin(registrar.store, &err));
	make(&c, 3, 0, 2, octets);
	OK(key_check(&registrar, &c, &found, &err));
	ck_assert(!found.shared);
	OK(key_check_record(&registrar, &c, &found, "x", "request:3", &err));
	make(&c, 4, 0, 3, octets);
	OK(key_check(&registrar, &c, &found, &err));
	ck_assert(found.shared);
}
END_TEST

static const struct {
	enum key_block_kind kind;
	bool		 compromised;
	const char	*says;
} blocked[] = {
	{ KEY_BLOCKED,	   false, "blocked" },
	{ KEY_COMPROMISED, true,  "compromised" },
};

START_TEST(a_blocked_key_is_refused_and_told_what_to_do)
{
	const struct candidate c = { .good = true, .key = { .kind = KEY_P256,
		.spki_sha256 = { 5 } } };
	unsigned int revoked;
	struct key_check found;

	OK(store_commit(registrar.store, &err));
	OK(registrar_block_key(&registrar, c.key.spki_sha256,
	    blocked[_i].compromised, "test", "unix:boss", NOON, &revoked,
	    &err));
	ck_assert_uint_eq(revoked, 0);
	OK(key_check(&registrar, &c, &found, &err));
	ck_assert_ptr_nonnull(strstr(found.why, blocked[_i].says));
	ck_assert_ptr_nonnull(strstr(found.why, "make a new key"));
	ck_assert(!found.shared);
}
END_TEST

START_TEST(the_key_of_a_ca_is_refused)
{
	const struct candidate c = { .good = true, .key = { .kind = KEY_P256,
		.key_sha1 = { 7 } } };
	struct key_check found;

	OK(key_check(&registrar, &c, &found, &err));
	ck_assert_str_eq(found.why, "");
	registrar.authorities.n = 1;
	registrar.authorities.rows[0].key_sha1[0] = 7;
	OK(key_check(&registrar, &c, &found, &err));
	ck_assert_ptr_nonnull(strstr(found.why, "one of our CAs"));
}
END_TEST

/* The lines of a list, and how many of them are taken as new; -1: none is. */
static const struct {
	const char	*lines;
	int		 n, n_new;
} lists[] = {
	{ "5aa2a9e8d2b6f8e5a1c0\n", 1, 1 },
	{ "5aa2a9e8d2b6f8e5a1c0\n5AA2A9E8D2B6F8E5A1C0\n", 2, 1 },
	{ "00000000000000000000000000000000"
	  "0000000000000000000000000000000a", 1, 1 },
	{ "5aa2a9e8d2b6f8e5a1c0\nzz\n", -1, 0 },
	{ "5aa2a9e8d2b6f8e5a1c\n", -1, 0 },
	{ "5aa2a9e8d2b6f8e5a1cg\n", -1, 0 },
	{ "\n", -1, 0 },
};

START_TEST(a_list_is_taken_whole_or_not_at_all)
{
	const uint8_t digest[WEAK_MODULUS_OCTETS] = { 0x5a, 0xa2, 0xa9, 0xe8,
		0xd2, 0xb6, 0xf8, 0xe5, 0xa1, 0xc0 };
	struct key_import import = { 0 };
	int r;

	OK(store_commit(registrar.store, &err));
	r = registrar_import_keys(&registrar, lists[_i].lines, "list",
	    "unix:boss", NOON, &import, &err);
	if (lists[_i].n == -1) {
		ck_assert_int_eq(r, -1);
		ck_assert_int_eq(err.kind, ERR_REJECT);
		ck_assert_int_eq(store_is_modulus_weak(registrar.store,
		    digest, &err), 1);
		return;
	}
	ck_assert_msg(r == 0, "%s", err.text);
	ck_assert_int_eq(import.n_lines, lists[_i].n);
	ck_assert_int_eq(import.n_new, lists[_i].n_new);
}
END_TEST

/* The modulus 2^2047 + 1; `printf 'Modulus=80..01\n' | sha1sum | tail -c 23`
 * gives the line. */
START_TEST(a_modulus_of_the_list_is_refused)
{
	static uint8_t octets[256] = { [0] = 0x80, [255] = 1 };
	const struct candidate c = { .good = true, .modulus = { octets, 256 },
		.key = { .kind = KEY_RSA, .bits = 2048 } };
	struct key_import import;
	struct key_check found;

	OK(key_check(&registrar, &c, &found, &err));
	ck_assert_str_eq(found.why, "");
	OK(store_commit(registrar.store, &err));
	OK(registrar_import_keys(&registrar, "8ea792e1bab21748033f", "list",
	    "unix:boss", NOON, &import, &err));
	OK(key_check(&registrar, &c, &found, &err));
	ck_assert_ptr_nonnull(strstr(found.why, "list of weak keys"));
}
END_TEST

/* --- keys of OCSP responders ---------------------------------------------- */

/* A request in the spool, with the findings of the parser about it. */
static void
ask_for_responder(const struct candidate *key)
{
	static char name[] = "users", none[] = "";
	struct ca_settings ca = { .name = name, .ocsp_url = none,
		.crl_url = none, .ca_url = none, .passphrase_file = none,
		.responder_spools = { dir }, .n_responder_spools = 1 };
	struct authority *users = &registrar.authorities.rows[0];
	struct findings found = { .status = FINDINGS_OK,
		.n_candidates = 1 };
	char hex[41], path[PATH_MAX];
	int pair[2], fd;

	found.candidates[0] = *key;
	found.candidates[0].der = bytes_of("a request");
	hex_encode((struct bytes){ key->key.key_sha1, 20 }, hex);
	snprintf(path, sizeof(path), "%s/users.%s.p10", dir, hex);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	ck_assert_int_eq(write(fd, "a request", 9), 9);
	close(fd);
	OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair));
	registrar.parser = channel_new(pair[0], "parser", 1 << 20, 1 << 20);
	*users = (struct authority){ .id = 1, .name = "users",
		.settings = &ca, .key_open = true, .not_before = NOON - DAY,
		.not_after = NOON + 3650 * DAY };
	registrar.authorities.n = 1;
	OK(responders_open(&registrar, &err));
	responders_pump(&registrar);
	found.id = RESPONDERS_TOKEN;
	responders_examined(&registrar, &found);
	responders_close(&registrar);
	registrar.authorities.n = 0;
	channel_free(registrar.parser);
	close(pair[1]);
	unlink(path);
}

static int64_t
add_users(void)
{
	struct ca_row row = { .name = "users", .parent = "",
		.cert = bytes_of("DER"), .not_before = NOON - DAY,
		.not_after = NOON + 3650 * DAY };
	int64_t id;

	OK(store_add_ca(registrar.store, &row, &id, &err));
	return id;
}

START_TEST(a_responders_key_is_compared_and_goes_on_record)
{
	uint8_t octets[256], others[256];
	struct candidate first, second;

	ck_assert_int_eq(add_users(), 1);
	OK(store_commit(registrar.store, &err));
	make(&first, 1, 0, 1, octets);
	ask_for_responder(&first);
	/* It is one of those that others are compared with. */
	key_check_catch_up(&registrar);
	make(&second, 2, 2, 1, others);
	ask_for_responder(&second);
	ck_assert_msg(strstr(last_audit(), "registrar responder:users shares "
	    "a prime") != NULL, "%s", last_audit());
	ck_assert_ptr_nonnull(strstr(last_audit(), "of responder:users"));
	ck_assert_uint_eq(registrar.n_orders, 1);
	OK(store_begin(registrar.store, &err));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("key_check");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_loop_test(tc,
	    a_key_that_shares_a_prime_is_refused_and_told_to_the_ca, 0, 3);
	tcase_add_loop_test(tc, the_same_key_again_is_no_finding, 0, 2);
	tcase_add_test(tc, what_was_rolled_back_was_never_seen);
	tcase_add_loop_test(tc, a_blocked_key_is_refused_and_told_what_to_do,
	    0, ROWS(blocked));
	tcase_add_test(tc, the_key_of_a_ca_is_refused);
	tcase_add_loop_test(tc, a_list_is_taken_whole_or_not_at_all, 0,
	    ROWS(lists));
	tcase_add_test(tc, a_modulus_of_the_list_is_refused);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc,
	    a_responders_key_is_compared_and_goes_on_record);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
