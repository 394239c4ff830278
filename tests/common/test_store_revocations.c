#include "common/err.h"
#include "common/store.h"
#include "tests/support/fixtures.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Revocations that mails ask for, and what somebody has asked for so far. */
static char dir[64];
static struct store *store;
static struct err err;
static int64_t submission, certificate;

#define OK(call)							\
	ck_assert_msg((call) == 0, "%s: %s (%s)", #call, err.text,	\
	    err.detail)

static int64_t
add_submission(uint8_t identity, const char *principal)
{
	const struct submission_row row = { .channel = "mail",
	    .mailbox = "users", .identity = { identity },
	    .principal = principal, .evidence = "smime",
	    .reply_to = "a@example.test", .message_id = "1@example.test",
	    .references = "", .subject = "revoke", .outcome = "held",
	    .received_at = NOON, .language = "de" };
	int64_t id;

	OK(store_add_submission(store, &row, &id, &err));
	return id;
}

static int
note_id(const struct cert_row *row, void *arg)
{
	*(int64_t *)arg = row->id;
	return 0;
}

static void
set_up(void)
{
	const struct ca_row ca = { .name = "users", .parent = "",
	    .cert = bytes_of("CERT"), .not_before = NOON,
	    .not_after = NOON + DAY };
	struct cert_row cert = { .state = CERT_ISSUED, .serial = { { 7 }, 1 },
	    .not_before = NOON, .not_after = NOON + DAY, .profile = "user",
	    .names_text = "CN=a", .der = bytes_of("DER") };
	char path[PATH_MAX];

	strcpy(dir, "/tmp/test_store.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/store.db", dir);
	OK(store_open(path, STORE_READ_WRITE, &store, &err));
	OK(store_begin(store, &err));
	OK(store_add_ca(store, &ca, &cert.ca_id, &err));
	OK(store_add_certificate(store, &cert, &err));
	OK(store_find_certificate(store, 0, &cert.serial, note_id,
	    &certificate, &err));
	submission = add_submission(1, "mail:a@example.test");
}

static void
tear_down(void)
{
	static const char *const ends[] = { "", "-wal", "-shm" };
	char file[PATH_MAX];

	store_rollback(store);
	store_free(store);
	for (size_t i = 0; i < 3; i++) {
		snprintf(file, sizeof(file), "%s/store.db%s", dir, ends[i]);
		unlink(file);
	}
	rmdir(dir);
}

static int64_t
add(int64_t of, int64_t cert, enum revocation_state state)
{
	const struct revocation_row row = { .submission = of,
	    .certificate = cert, .state = state, .serial_text = "07",
	    .reason = CRL_SUPERSEDED, .rule = "admins", .why = "because",
	    .decided_at = NOON, .decided_by = "" };
	int64_t id;

	OK(store_add_revocation(store, &row, &id, &err));
	return id;
}

struct seen {
	unsigned int	n;
	int64_t		ids[8];
	struct revocation_row last;
	char		why[64], by[64], ca[64], names[64], to[64], lang[16];
};

static int
see(const struct revocation_row *row, void *arg)
{
	struct seen *seen = arg;

	seen->ids[seen->n++] = row->id;
	seen->last = *row;
	snprintf(seen->why, sizeof(seen->why), "%s", row->why);
	snprintf(seen->by, sizeof(seen->by), "%s", row->decided_by);
	snprintf(seen->ca, sizeof(seen->ca), "%s", row->ca);
	snprintf(seen->names, sizeof(seen->names), "%s", row->names_text);
	snprintf(seen->to, sizeof(seen->to), "%s", row->reply_to);
	snprintf(seen->lang, sizeof(seen->lang), "%s", row->language);
	return 0;
}

START_TEST(a_revocation_comes_back_with_mail_and_certificate)
{
	int64_t id = add(submission, certificate, REVOCATION_HELD);
	struct seen seen = { 0 };

	OK(store_find_revocation(store, id, see, &seen, &err));
	ck_assert_int_eq(seen.last.state, REVOCATION_HELD);
	ck_assert_int_eq(seen.last.reason, CRL_SUPERSEDED);
	ck_assert_int_eq(seen.last.certificate, certificate);
	ck_assert_uint_eq(seen.last.serial.octets[0], 7);
	ck_assert_int_eq(seen.last.received_at, NOON);
	ck_assert_str_eq(seen.ca, "users");
	ck_assert_str_eq(seen.names, "CN=a");
	ck_assert_str_eq(seen.to, "a@example.test");
	ck_assert_str_eq(seen.lang, "de");
	ck_assert_int_eq(store_find_revocation(store, id + 1, see, &seen,
	    &err), 1);
}
END_TEST

START_TEST(one_about_no_certificate_has_none)
{
	struct seen seen = { 0 };

	add(submission, 0, REVOCATION_REJECTED);
	OK(store_each_revocation_of(store, submission, see, &seen, &err));
	ck_assert_uint_eq(seen.n, 1);
	ck_assert_uint_eq(seen.last.serial.len, 0);
	ck_assert_int_eq(seen.last.ca_id, 0);
	ck_assert_str_eq(seen.names, "");
}
END_TEST

START_TEST(they_are_listed_by_state_and_by_mail_and_counted)
{
	int64_t other = add_submission(2, "mail:b@example.test");
	int64_t held = add(submission, certificate, REVOCATION_HELD);
	int64_t done = add(submission, certificate, REVOCATION_REVOKED);
	int64_t last = add(other, certificate, REVOCATION_HELD);
	struct store_counts counts;
	struct seen seen = { 0 };

	OK(store_each_revocation(store, REVOCATION_HELD, 0, 10, see, &seen,
	    &err));
	ck_assert_uint_eq(seen.n, 2);
	ck_assert_int_eq(seen.ids[0], held);
	ck_assert_int_eq(seen.ids[1], last);
	seen.n = 0;
	OK(store_each_revocation(store, (enum revocation_state)0, held, 1, see,
	    &seen, &err));
	ck_assert_uint_eq(seen.n, 1);
	ck_assert_int_eq(seen.ids[0], done);
	seen.n = 0;
	OK(store_each_revocation_of(store, submission, see, &seen, &err));
	ck_assert_uint_eq(seen.n, 2);
	OK(store_count(store, &counts, &err));
	ck_assert_uint_eq(counts.held_revocations, 2);
}
END_TEST

START_TEST(only_what_is_held_is_decided)
{
	int64_t id = add(submission, certificate, REVOCATION_HELD);
	struct seen seen = { 0 };

	OK(store_settle_revocation(store, id, REVOCATION_REVOKED, "unix:boss",
	    "", NOON + 5, &err));
	ck_assert_int_eq(store_settle_revocation(store, id,
	    REVOCATION_REJECTED, "unix:boss", "no", NOON + 6, &err), 1);
	ck_assert_int_eq(store_settle_revocation(store, 99,
	    REVOCATION_REJECTED, "unix:boss", "no", NOON + 6, &err), 1);
	OK(store_find_revocation(store, id, see, &seen, &err));
	ck_assert_int_eq(seen.last.state, REVOCATION_REVOKED);
	ck_assert_int_eq(seen.last.decided_at, NOON + 5);
	ck_assert_str_eq(seen.by, "unix:boss");
}
END_TEST

START_TEST(words_for_people_are_cut_and_reasons_checked)
{
	char longer[600];
	struct revocation_row row = { .submission = submission,
	    .state = REVOCATION_REJECTED, .serial_text = longer,
	    .rule = longer, .why = longer, .decided_by = "" };
	int64_t id;

	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	OK(store_add_revocation(store, &row, &id, &err));
	row.reason = CRL_REMOVE_FROM_CRL;
	ck_assert_int_eq(store_add_revocation(store, &row, &id, &err), -1);
	ck_assert_int_eq(err.kind, ERR_FAULT);
}
END_TEST

static int
count_request(const struct request_row *row, void *arg)
{
	int64_t *ids = arg;

	for (int i = 0; i < 8; i++)
		if (ids[i] == 0) {
			ids[i] = row->id;
			break;
		}
	return 0;
}

START_TEST(requests_of_one_who_asks_come_newest_first_and_no_others)
{
	struct request_row row = { .state = REQUEST_HELD, .ca = "users",
	    .profile = "user", .csr = bytes_of("CSR"),
	    .names = bytes_of("names"), .names_text = "CN=a",
	    .key_text = "", .rule = "", .reason = "", .ignored = "",
	    .decided_by = "" };
	int64_t ids[8] = { 0 }, added[3];

	for (int i = 0; i < 3; i++) {
		row.submission = add_submission((uint8_t)(10 + i), i == 1 ?
		    "mail:b@example.test" : "mail:c@example.test");
		OK(store_add_request(store, &row, &added[i], &err));
	}
	OK(store_each_request_of(store, "mail:c@example.test", 8,
	    count_request, ids, &err));
	ck_assert_int_eq(ids[0], added[2]);
	ck_assert_int_eq(ids[1], added[0]);
	ck_assert_int_eq(ids[2], 0);
	memset(ids, 0, sizeof(ids));
	OK(store_each_request_of(store, "mail:c@example.test", 1,
	    count_request, ids, &err));
	ck_assert_int_eq(ids[0], added[2]);
	ck_assert_int_eq(ids[1], 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("store revocations");
	TCase *t = tcase_create("all");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, a_revocation_comes_back_with_mail_and_certificate);
	tcase_add_test(t, one_about_no_certificate_has_none);
	tcase_add_test(t, they_are_listed_by_state_and_by_mail_and_counted);
	tcase_add_test(t, only_what_is_held_is_decided);
	tcase_add_test(t, words_for_people_are_cut_and_reasons_checked);
	tcase_add_test(t,
	    requests_of_one_who_asks_come_newest_first_and_no_others);
	suite_add_tcase(s, t);
	return fixture_run(s);
}
