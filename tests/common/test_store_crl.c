#include "common/store.h"
#include "common/err.h"
#include "tests/support/fixtures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct store *store;
static struct err err;
static char dir[64], path[96];
static int64_t ca;

#define OK(call)							\
	ck_assert_msg((call) == 0, "%s: %s (%s)", #call, err.text,	\
	    err.detail)
#define FAR	(NOON + 365 * DAY)

static int64_t
add_ca(const char *name)
{
	struct ca_row row = { .name = name, .parent = "",
		.cert = bytes_of(name), .key_sha1 = { (uint8_t)name[0] },
		.not_before = NOON, .not_after = NOON + 3650 * DAY };
	int64_t id;

	OK(store_add_ca(store, &row, &id, &err));
	return id;
}

static void
set_up(void)
{
	strcpy(dir, "/tmp/test_store_crl.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/store.db", dir);
	OK(store_open(path, STORE_READ_WRITE, &store, &err));
	OK(store_begin(store, &err));
	ca = add_ca("users");
}

static void
tear_down(void)
{
	char command[96];

	store_free(store);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static struct serial
serial(uint8_t n)
{
	return (struct serial){ { 0x41, n }, 2 };
}

static void
issue(uint8_t n, uint16_t shard, time_t not_after)
{
	struct cert_row row = { .ca_id = ca, .serial = serial(n),
		.state = CERT_ISSUED, .not_before = NOON - DAY,
		.not_after = not_after, .der = bytes_of("x"), .profile = "",
		.names_text = "", .shard = shard };

	OK(store_add_certificate(store, &row, &err));
}

static int
revoke_one(uint8_t n, time_t at, enum crl_reason reason)
{
	struct serial s = serial(n);

	return store_revoke(store, ca, &s, at, reason, 0, &err);
}

static int
release(uint8_t n, time_t at)
{
	struct serial s = serial(n);

	return store_release_hold(store, ca, &s, at, &err);
}

static struct status_row
status(uint8_t n)
{
	struct serial s = serial(n);
	struct status_row row;

	OK(store_find_status(store, ca, &s, &row, &err));
	return row;
}

/* --- numbers -------------------------------------------------------------- */

/* One CA's CRLs in a row; a week each. */
static const struct {
	const char	*name;
	uint64_t	 number, base;
	uint16_t	 shard;
	time_t		 this_update;
	uint64_t	 change;
	int		 want;
} rows[] = {
	{ "the first",				1, 0, 0, NOON, 5, 0 },
	{ "the number again",			1, 0, 0, NOON, 5, -1 },
	{ "a date before",			2, 0, 0, NOON - 1, 5, -1 },
	{ "the same date",			2, 0, 0, NOON, 5, 0 },
	{ "another shard, the same sequence",	2, 0, 1, NOON + 1, 5, -1 },
	{ "a shard",				3, 0, 1, NOON + 1, 6, 0 },
	{ "no number",				0, 0, 1, NOON + 2, 6, -1 },
	{ "a gap",				9, 0, 1, NOON + 2, 6, 0 },
	{ "a delta of no base",			10, 8, 1, NOON + 3, 7, -1 },
	{ "a delta of another shard's base",	10, 2, 1, NOON + 3, 7, -1 },
	{ "a delta",				10, 9, 1, NOON + 3, 7, 0 },
	{ "a full one",				11, 0, 1, NOON + 4, 8, 0 },
	{ "its number for another shard",	11, 2, 0, NOON + 4, 8, -1 },
	{ "its number at another date",		11, 9, 1, NOON + 5, 8, -1 },
	{ "its number for another change",	11, 9, 1, NOON + 4, 9, -1 },
	{ "a delta that is made with it",	11, 9, 1, NOON + 4, 8, 0 },
	{ "and no second one",			11, 3, 1, NOON + 4, 8, -1 },
};

static int
reserve(int i)
{
	const struct crl_terms terms = { .number = rows[i].number,
		.base = rows[i].base, .shard = rows[i].shard,
		.this_update = rows[i].this_update,
		.next_update = rows[i].this_update + 7 * DAY };

	return store_reserve_crl(store, ca, &terms, rows[i].change, &err);
}

START_TEST(a_delta_may_have_the_number_of_its_full_one_only)
{
	for (int i = 0; i < ROWS(rows); i++) {
		err = (struct err){ 0 };
		ck_assert_msg(reserve(i) == rows[i].want, "%s: %s",
		    rows[i].name, err.text);
		ck_assert_int_eq(err.kind, rows[i].want == 0 ? 0 : ERR_FAULT);
	}
}
END_TEST

START_TEST(crl_numbers_grow_and_dates_do_not_go_back)
{
	const struct crl_terms backwards = { .number = 1, .this_update = NOON,
		.next_update = NOON };

	ck_assert_int_eq(store_reserve_crl(store, ca, &backwards, 0, &err),
	    -1);
	OK(reserve(0));
	for (int i = 1; i <= 2; i++)
		ck_assert_int_eq(reserve(i), -1);
	/* Another CA has a sequence of its own. */
	ca = add_ca("others");
	OK(reserve(0));
}
END_TEST

struct seen {
	unsigned int	 n;
	struct crl_row	 rows[8];
};

static int
note_crl(const struct crl_row *row, void *arg)
{
	struct seen *seen = arg;

	ck_assert_uint_lt(seen->n, 8);
	seen->rows[seen->n++] = *row;
	return 0;
}

START_TEST(the_last_of_each_kind_and_shard_are_known)
{
	const struct crl_terms eleven = { .number = 11, .base = 9,
		.shard = 1 };
	struct seen seen = { 0 };
	time_t regular;

	for (int i = 0; i < ROWS(rows); i++)
		(void)reserve(i);
	OK(store_set_crl_entries(store, ca, &eleven, 77, &err));
	OK(store_each_crl(store, note_crl, &seen, &err));
	ck_assert_uint_eq(seen.n, 3);
	ck_assert_uint_eq(seen.rows[0].terms.number, 2);
	ck_assert_uint_eq(seen.rows[0].terms.shard, 0);
	ck_assert_uint_eq(seen.rows[1].terms.number, 11);
	ck_assert_uint_eq(seen.rows[1].terms.base, 0);
	ck_assert_uint_eq(seen.rows[1].change, 8);
	ck_assert_uint_eq(seen.rows[1].entries, 0);
	ck_assert_uint_eq(seen.rows[2].terms.number, 11);
	ck_assert_uint_eq(seen.rows[2].terms.base, 9);
	ck_assert_uint_eq(seen.rows[2].entries, 77);
	OK(store_regular_crl(store, ca, 1, NOON + 3, &regular, &err));
	ck_assert_int_eq(regular, NOON + 2);
	OK(store_regular_crl(store, ca, 1, NOON + 4, &regular, &err));
	ck_assert_int_eq(regular, NOON + 4);
	OK(store_regular_crl(store, ca, 1, NOON, &regular, &err));
	ck_assert_int_eq(regular, 0);
}
END_TEST

START_TEST(a_ca_without_crls_is_listed_too)
{
	struct seen seen = { 0 };

	OK(store_each_crl(store, note_crl, &seen, &err));
	ck_assert_uint_eq(seen.n, 1);
	ck_assert_uint_eq(seen.rows[0].terms.number, 0);
	ck_assert_int_eq(seen.rows[0].ca_id, ca);
}
END_TEST

/* --- holds ---------------------------------------------------------------- */

START_TEST(a_hold_is_lifted_or_becomes_final_with_its_date)
{
	uint64_t change;

	issue(1, 0, FAR);
	OK(revoke_one(1, NOON, CRL_CERTIFICATE_HOLD));
	ck_assert_int_eq(revoke_one(1, NOON + 1, CRL_CERTIFICATE_HOLD), 1);
	change = status(1).change;
	OK(release(1, NOON + 2));
	ck_assert_int_eq(status(1).state, STATUS_GOOD);
	ck_assert_uint_eq(status(1).change, change + 1);
	ck_assert_int_eq(release(1, NOON + 3), 1);
	OK(revoke_one(1, NOON + 4, CRL_CERTIFICATE_HOLD));
	OK(revoke_one(1, NOON + 5, CRL_SUPERSEDED));
	ck_assert_int_eq(status(1).revoked_at, NOON + 4);
	ck_assert_int_eq(status(1).reason, CRL_SUPERSEDED);
	ck_assert_uint_eq(status(1).change, change + 3);
	ck_assert_int_eq(release(1, NOON + 6), 1);
	ck_assert_int_eq(revoke_one(1, NOON + 7, CRL_KEY_COMPROMISE), 1);
	ck_assert_int_eq(release(9, NOON), 1);
}
END_TEST

/* --- entries -------------------------------------------------------------- */

struct entries {
	unsigned int	 n;
	uint8_t		 serials[32];
	struct status_row last;
};

static int
note_entry(const struct status_row *row, void *arg)
{
	struct entries *e = arg;

	e->serials[e->n++] = row->serial.octets[1];
	e->last = *row;
	return 0;
}

START_TEST(pages_follow_each_other_over_all_shards)
{
	struct crl_page page = { .last_shard = CRL_MAX_SHARDS, .limit = 2 };
	static const uint8_t want[] = { 4, 1, 5, 3, 2 };
	struct entries e = { 0 };
	unsigned int before;

	issue(1, 1, FAR);
	issue(2, 1024, FAR);
	issue(3, 2, FAR);
	issue(4, 0, FAR);
	issue(5, 1, FAR);
	issue(6, 1, FAR);
	for (uint8_t n = 1; n <= 5; n++)
		OK(revoke_one(n, NOON, CRL_SUPERSEDED));
	do {
		before = e.n;
		OK(store_each_revoked(store, ca, &page, note_entry, &e, &err));
		ck_assert_uint_le(e.n - before, 2);
		page.after_shard = e.last.shard;
		page.after_change = e.last.change;
	} while (e.n > before);
	ck_assert_uint_eq(e.n, sizeof(want));
	ck_assert_mem_eq(e.serials, want, sizeof(want));

	e = (struct entries){ 0 };
	page = (struct crl_page){ .after_shard = 1, .last_shard = 1,
		.limit = 10 };
	OK(store_each_revoked(store, ca, &page, note_entry, &e, &err));
	ck_assert_uint_eq(e.n, 2);
}
END_TEST

START_TEST(a_delta_sees_what_changed_since_its_base)
{
	struct crl_page page = { .limit = 10 };
	struct entries e = { 0 };
	uint64_t base, last;

	for (uint8_t n = 1; n <= 4; n++)
		issue(n, 0, FAR);
	OK(revoke_one(1, NOON, CRL_SUPERSEDED));
	OK(revoke_one(2, NOON, CRL_CERTIFICATE_HOLD));
	OK(store_last_change(store, &base, &err));
	OK(revoke_one(3, NOON, CRL_SUPERSEDED));
	OK(release(2, NOON + 9));
	/* Held and released in between: RFC 5280, 5.2.4 wants it listed. */
	OK(revoke_one(4, NOON, CRL_CERTIFICATE_HOLD));
	OK(release(4, NOON + 10));
	OK(store_last_revocation(store, ca, 0, &last, &err));
	ck_assert_uint_eq(last, base + 4);
	page.since = page.after_change = base;
	OK(store_each_revoked(store, ca, &page, note_entry, &e, &err));
	ck_assert_uint_eq(e.n, 1);
	ck_assert_uint_eq(e.serials[0], 3);
	e = (struct entries){ 0 };
	OK(store_each_released(store, ca, &page, note_entry, &e, &err));
	ck_assert_uint_eq(e.n, 2);
	ck_assert_mem_eq(e.serials, ((uint8_t[]){ 2, 4 }), 2);
	ck_assert_int_eq(e.last.reason, CRL_REMOVE_FROM_CRL);
	ck_assert_int_eq(e.last.revoked_at, NOON + 10);
	/* Held once more: an entry, and no longer a removal. */
	OK(revoke_one(2, NOON + 11, CRL_CERTIFICATE_HOLD));
	e = (struct entries){ 0 };
	OK(store_each_released(store, ca, &page, note_entry, &e, &err));
	ck_assert_uint_eq(e.n, 1);
}
END_TEST

START_TEST(shards_that_certificates_have_are_known)
{
	uint16_t highest;
	bool unsharded;

	OK(store_find_shards(store, ca, &highest, &unsharded, &err));
	ck_assert_uint_eq(highest, 0);
	ck_assert(!unsharded);
	issue(1, 7, FAR);
	OK(store_find_shards(store, ca, &highest, &unsharded, &err));
	ck_assert_uint_eq(highest, 7);
	ck_assert(!unsharded);
	issue(2, 0, FAR);
	OK(store_find_shards(store, add_ca("others"), &highest, &unsharded,
	    &err));
	ck_assert_uint_eq(highest, 0);
	ck_assert(!unsharded);
	OK(store_find_shards(store, ca, &highest, &unsharded, &err));
	ck_assert(unsharded);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("store_crl");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, a_delta_may_have_the_number_of_its_full_one_only);
	tcase_add_test(tc, crl_numbers_grow_and_dates_do_not_go_back);
	tcase_add_test(tc, the_last_of_each_kind_and_shard_are_known);
	tcase_add_test(tc, a_ca_without_crls_is_listed_too);
	tcase_add_test(tc, a_hold_is_lifted_or_becomes_final_with_its_date);
	tcase_add_test(tc, pages_follow_each_other_over_all_shards);
	tcase_add_test(tc, a_delta_sees_what_changed_since_its_base);
	tcase_add_test(tc, shards_that_certificates_have_are_known);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
