#include "common/store.h"

#include "common/err.h"
#include "tests/support/fixtures.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char dir[64], path[PATH_MAX];
static struct store *store;
static struct err err;

static const uint8_t key[32] = { 1 }, other_key[32] = { 2 };

#define OK(call)							\
	ck_assert_msg((call) == 0, "%s: %s (%s)", #call, err.text,	\
	    err.detail)

static void
set_up(void)
{
	strcpy(dir, "/tmp/test_store_keys.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/store.db", dir);
	OK(store_open(path, STORE_READ_WRITE, &store, &err));
	OK(store_begin(store, &err));
}

static void
tear_down(void)
{
	static const char *const ends[] = { "", "-wal", "-shm" };
	char file[PATH_MAX + 8];

	store_rollback(store);
	store_free(store);
	for (size_t i = 0; i < 3; i++) {
		snprintf(file, sizeof(file), "%s%s", path, ends[i]);
		unlink(file);
	}
	rmdir(dir);
}

/* Blocked as `first`, then as `then`: what is it now, and why? */
static const struct {
	enum key_block_kind first, then, now;
	const char	*why;
} twice[] = {
	{ KEY_BLOCKED,	   KEY_BLOCKED,	    KEY_BLOCKED,     "first" },
	{ KEY_BLOCKED,	   KEY_WEAK,	    KEY_BLOCKED,     "first" },
	{ KEY_BLOCKED,	   KEY_COMPROMISED, KEY_COMPROMISED, "then" },
	{ KEY_WEAK,	   KEY_BLOCKED,	    KEY_WEAK,	     "first" },
	{ KEY_WEAK,	   KEY_COMPROMISED, KEY_COMPROMISED, "then" },
	{ KEY_COMPROMISED, KEY_BLOCKED,	    KEY_COMPROMISED, "first" },
	{ KEY_COMPROMISED, KEY_WEAK,	    KEY_COMPROMISED, "first" },
	{ KEY_COMPROMISED, KEY_COMPROMISED, KEY_COMPROMISED, "first" },
};

static int
check_block(const struct key_block_row *row, void *arg)
{
	int i = *(int *)arg;

	ck_assert_mem_eq(row->spki_sha256, key, 32);
	ck_assert_int_eq(row->kind, twice[i].now);
	ck_assert_str_eq(row->why, twice[i].why);
	ck_assert_int_eq(row->at,
	    strcmp(row->why, "first") == 0 ? NOON : NOON + 1);
	*(int *)arg = -1;
	return 0;
}

START_TEST(a_blocked_key_stays_blocked)
{
	enum key_block_kind kind = KEY_WEAK;
	int row = _i;

	ck_assert_int_eq(store_is_key_blocked(store, key, &kind, &err), 1);
	ck_assert_int_eq(kind, KEY_WEAK);
	OK(store_block_key(store, key, twice[_i].first, "first", NOON, &err));
	OK(store_block_key(store, key, twice[_i].then, "then", NOON + 1,
	    &err));
	OK(store_is_key_blocked(store, key, &kind, &err));
	OK(store_is_key_blocked(store, key, NULL, &err));
	ck_assert_int_eq(kind, twice[_i].now);
	ck_assert_int_eq(store_is_key_blocked(store, other_key, &kind, &err),
	    1);
	OK(store_each_blocked_key(store, 0, 10, check_block, &row, &err));
	ck_assert_int_eq(row, -1);
}
END_TEST

struct seen {
	int64_t		 ids[16];
	size_t		 n;
};

static int
note_block(const struct key_block_row *row, void *arg)
{
	struct seen *seen = arg;

	seen->ids[seen->n++] = row->id;
	return 0;
}

START_TEST(blocked_keys_come_in_pages)
{
	struct seen seen = { 0 };
	uint8_t k[32] = { 0 };

	for (uint8_t i = 0; i < 7; i++) {
		k[0] = i;
		OK(store_block_key(store, k, KEY_BLOCKED, "", NOON, &err));
	}
	for (int page = 0; page < 4; page++)
		OK(store_each_blocked_key(store, seen.n == 0 ? 0 :
		    seen.ids[seen.n - 1], 3, note_block, &seen, &err));
	ck_assert_uint_eq(seen.n, 7);
	for (size_t i = 1; i < seen.n; i++)
		ck_assert_int_gt(seen.ids[i], seen.ids[i - 1]);
}
END_TEST

START_TEST(the_last_blocked_keys_come_first_and_weak_ones_never)
{
	static const enum key_block_kind kind_of[] = { KEY_BLOCKED, KEY_WEAK,
		KEY_COMPROMISED, KEY_WEAK };
	struct seen seen = { 0 };
	uint8_t k[32] = { 0 };

	for (uint8_t i = 0; i < 4; i++) {
		k[0] = i;
		OK(store_block_key(store, k, kind_of[i], "", NOON + i, &err));
	}
	/* One of a list is reported; it is the newest now. */
	k[0] = 1;
	OK(store_block_key(store, k, KEY_COMPROMISED, "", NOON + 9, &err));
	OK(store_each_last_blocked_key(store, 10, note_block, &seen, &err));
	ck_assert_uint_eq(seen.n, 3);
	ck_assert_int_eq(seen.ids[0], 2);
	ck_assert_int_eq(seen.ids[1], 3);
	ck_assert_int_eq(seen.ids[2], 1);
	seen.n = 0;
	OK(store_each_last_blocked_key(store, 2, note_block, &seen, &err));
	ck_assert_uint_eq(seen.n, 2);
	ck_assert_int_eq(seen.ids[0], 2);
}
END_TEST

START_TEST(a_weak_modulus_is_listed_once)
{
	static const uint8_t digest[WEAK_MODULUS_OCTETS] = { 9, 8, 7 };
	static const uint8_t other[WEAK_MODULUS_OCTETS] = { 9, 8, 6 };

	ck_assert_int_eq(store_is_modulus_weak(store, digest, &err), 1);
	OK(store_add_weak_modulus(store, digest, &err));
	ck_assert_int_eq(store_add_weak_modulus(store, digest, &err), 1);
	OK(store_is_modulus_weak(store, digest, &err));
	ck_assert_int_eq(store_is_modulus_weak(store, other, &err), 1);
}
END_TEST

static int
note_modulus(const struct modulus_row *row, void *arg)
{
	struct seen *seen = arg;

	ck_assert_uint_ge(row->modulus.len, 128);
	ck_assert_uint_eq(row->modulus.data[127], 0x77);
	ck_assert_str_eq(row->owner, row->spki_sha256[0] == 1 ? "request:1" :
	    "cert:02");
	seen->ids[seen->n++] = row->id;
	return 0;
}

START_TEST(a_modulus_keeps_its_first_owner)
{
	static uint8_t octets[1024];
	struct modulus_row a = { .spki_sha256 = key,
		.modulus = { octets, 128 }, .owner = "request:1" };
	struct modulus_row b = { .spki_sha256 = other_key,
		.modulus = { octets, 1024 }, .owner = "cert:02" };
	struct seen seen = { 0 };
	int64_t id = 0;

	octets[0] = 0x80;
	octets[127] = 0x77;
	OK(store_add_modulus(store, &a, &id, &err));
	OK(store_add_modulus(store, &b, NULL, &err));
	ck_assert_int_gt(id, 0);
	a.owner = "request:3";
	ck_assert_int_eq(store_add_modulus(store, &a, &id, &err), 1);
	OK(store_each_modulus(store, 0, 1, note_modulus, &seen, &err));
	ck_assert_uint_eq(seen.n, 1);
	ck_assert_int_eq(seen.ids[0], id);
	OK(store_each_modulus(store, id, 10, note_modulus, &seen, &err));
	ck_assert_uint_eq(seen.n, 2);
	OK(store_find_modulus(store, other_key, note_modulus, &seen, &err));
	ck_assert_int_eq(seen.ids[2], seen.ids[1]);
	ck_assert_int_eq(store_find_modulus(store, (uint8_t[32]){ 3 },
	    note_modulus, &seen, &err), 1);
}
END_TEST

static const size_t bad_lengths[] = { 0, 127, 1025 };

START_TEST(a_modulus_has_its_bounds)
{
	static const uint8_t octets[1025] = { 0x80 };
	struct modulus_row row = { .spki_sha256 = key,
		.modulus = { octets, bad_lengths[_i] }, .owner = "" };

	ck_assert_int_eq(store_add_modulus(store, &row, NULL, &err), -1);
	ck_assert_int_eq(err.kind, ERR_FAULT);
}
END_TEST

START_TEST(nothing_is_written_outside_a_transaction)
{
	static const uint8_t octets[128] = { 0x80 };
	struct modulus_row row = { .spki_sha256 = key,
		.modulus = { octets, 128 }, .owner = "" };

	OK(store_commit(store, &err));
	ck_assert_int_eq(store_block_key(store, key, KEY_BLOCKED, "", NOON,
	    &err), -1);
	ck_assert_int_eq(store_add_modulus(store, &row, NULL, &err), -1);
	ck_assert_int_eq(store_add_weak_modulus(store, key, &err), -1);
	ck_assert_int_eq(err.kind, ERR_FAULT);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("store_keys");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_loop_test(tc, a_blocked_key_stays_blocked, 0, ROWS(twice));
	tcase_add_test(tc, blocked_keys_come_in_pages);
	tcase_add_test(tc,
	    the_last_blocked_keys_come_first_and_weak_ones_never);
	tcase_add_test(tc, a_weak_modulus_is_listed_once);
	tcase_add_test(tc, a_modulus_keeps_its_first_owner);
	tcase_add_loop_test(tc, a_modulus_has_its_bounds, 0,
	    ROWS(bad_lengths));
	tcase_add_test(tc, nothing_is_written_outside_a_transaction);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
