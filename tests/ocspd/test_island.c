/* ocspd where csrmaild is not: what it makes of an index that is carried. */
#include "common/err.h"
#include "common/owned.h"
#include "tests/support/fixtures.h"
#include "tests/support/ocsp_daemon.h"

#include <openssl/ocsp.h>
#include <sqlite3.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct ocsp_daemon d;
static char aside[160], place[160];

#define MAX_AGE_S	600
#define GOOD		V_OCSP_CERTSTATUS_GOOD
#define REVOKED		V_OCSP_CERTSTATUS_REVOKED
#define UNKNOWN		V_OCSP_CERTSTATUS_UNKNOWN
#define TRY_LATER	(-OCSP_RESPONSE_STATUS_TRYLATER)

/* --- the carrier ------------------------------------------------------------- */

/* Beside the place, as of then. */
static void
export_of(const struct stand *stand, time_t at)
{
	struct store_index_facts facts;
	struct err err = { 0 };

	ck_assert_msg(store_export_index(stand->store, aside, at, &facts,
	    &err) == 0, "%s (%s)", err.text, err.detail);
}

static void
put_in_place(void)
{
	ck_assert_int_eq(rename(aside, place), 0);
}

static void
carry(time_t at)
{
	export_of(&d.stand, at);
	put_in_place();
}

/* The same stand, with the index instead of the store. */
static void
configure(int max_age_s)
{
	FILE *f = fopen(d.conf, "w");

	ck_assert_ptr_nonnull(f);
	fprintf(f, "state_dir = \"%s/state\"\nstore = \"%s\"\n"
	    "max_index_age_s = %d\npublished_dir = \"%s/published\"\n"
	    "spool_group = \"\"\nlisten = {\"127.0.0.1:%u\"}\n"
	    "unprivileged = true\nlog_level = \"error\"\nfronts = 2\n",
	    d.stand.dir, place, max_age_s, d.stand.dir, d.port);
	fclose(f);
}

/* Its request is carried to the CA, the certificate back with an index. */
static void
certify(time_t at)
{
	int64_t begun = daemon_now_ms();

	while (stand_certify_spool(&d.stand) == 0) {
		ck_assert_int_lt(daemon_now_ms() - begun, PATIENCE_MS);
		daemon_take_breath();
	}
	carry(at);
}

static void
begin(int max_age_s)
{
	char folder[128];

	daemon_open(&d, "");
	snprintf(folder, sizeof(folder), "%s/island", d.stand.dir);
	ck_assert_int_eq(mkdir(folder, 0750), 0);
	snprintf(place, sizeof(place), "%s/index", folder);
	snprintf(aside, sizeof(aside), "%s/index.new", folder);
	configure(max_age_s);
}

/* 1001 good, ff02 revoked; everything carried. */
static void
set_up(void)
{
	time_t now = time(NULL);

	begin(MAX_AGE_S);
	stand_revoke(&d.stand, "ff02", CRL_KEY_COMPROMISE, 0);
	carry(now - 60);
	daemon_start(&d, 0);
	certify(now - 50);
	daemon_await(&d, "1001", GOOD);
}

static void
tear_down(void)
{
	daemon_stop(&d);
	daemon_close(&d);
}

static int
ask(const char *serial_hex, bool nonce, struct ocsp_said *said)
{
	struct ocsp_said none;

	return daemon_ask(&d, serial_hex, EVP_sha1(), nonce,
	    said == NULL ? &none : said);
}

/* Never another answer, for ten looks of the responder; but tryLater, when the
 * machine is so loaded that it misses its heartbeat. */
static void
stays(const char *serial_hex, int want)
{
	int seen = 0, got;

	for (int64_t begun = daemon_now_ms(); daemon_now_ms() - begun <
	    (seen > 0 ? 1000 : PATIENCE_MS); daemon_take_breath()) {
		got = ask(serial_hex, false, NULL);
		ck_assert_msg(got == want || got == TRY_LATER,
		    "%d, not %d", got, want);
		seen += got == want;
	}
	ck_assert_int_gt(seen, 0);
}

/* --- its answers ---------------------------------------------------------------- */

START_TEST(each_status_is_told)
{
	for (int nonce = 0; nonce < 2; nonce++) {
		ck_assert_int_eq(ask("1001", nonce == 1, NULL), GOOD);
		ck_assert_int_eq(ask("ff02", nonce == 1, NULL), REVOKED);
		ck_assert_int_eq(ask("7777", nonce == 1, NULL), UNKNOWN);
	}
}
END_TEST

/* RFC 6960, 2.4: when it was known to be right; from the table, too. */
START_TEST(this_update_is_the_moment_of_the_index)
{
	struct ocsp_said said;
	time_t at = time(NULL) - 40;

	carry(at);
	daemon_await(&d, "1001", GOOD);
	for (int i = 0; i < 3; i++) {
		int64_t begun = daemon_now_ms();

		do {
			ck_assert_int_lt(daemon_now_ms() - begun, PATIENCE_MS);
			daemon_take_breath();
			ck_assert_int_eq(ask("ff02", true, &said), REVOKED);
		} while (said.this_update != at);
		ck_assert_int_eq(said.produced_at, at);
	}
}
END_TEST

START_TEST(a_revocation_is_carried)
{
	daemon_await(&d, "1001", GOOD);		/* held from now on */
	stand_revoke(&d.stand, "1001", CRL_SUPERSEDED, 0);
	stays("1001", GOOD);
	carry(time(NULL));
	daemon_await(&d, "1001", REVOKED);
	stays("1001", REVOKED);
}
END_TEST

START_TEST(a_certificate_issued_since_is_carried)
{
	X509_free(stand_issue(&d.stand, "2002"));
	ck_assert_int_eq(ask("2002", false, NULL), UNKNOWN);
	carry(time(NULL));
	daemon_await(&d, "2002", GOOD);
}
END_TEST

/* What was restored from a backup has another past: a revocation in it may have
 * a lower number than what was carried before. */
START_TEST(a_revocation_of_another_past_is_carried)
{
	char file[160], change[160];
	sqlite3 *db = NULL;

	daemon_await(&d, "1001", GOOD);		/* held from now on */
	snprintf(file, sizeof(file), "%s/store.db", d.stand.dir);
	snprintf(change, sizeof(change), "UPDATE status SET state = 2,"
	    " revoked_at = %lld, reason = 1 WHERE serial = x'1001'",
	    (long long)time(NULL));
	ck_assert_int_eq(sqlite3_open(file, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_busy_timeout(db, 5000), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, change, NULL, NULL, NULL),
	    SQLITE_OK);
	ck_assert_int_eq(sqlite3_changes(db), 1);
	sqlite3_close(db);
	X509_free(stand_issue(&d.stand, "2002"));
	carry(time(NULL));
	daemon_await(&d, "2002", GOOD);
	ck_assert_int_eq(ask("1001", false, NULL), REVOKED);
}
END_TEST

/* --- what is not taken -------------------------------------------------------------- */

static void
cut_short(void)
{
	struct stat st;

	export_of(&d.stand, time(NULL));
	ck_assert_int_eq(stat(aside, &st), 0);
	ck_assert_int_eq(truncate(aside, st.st_size / 2), 0);
}

static void
change_an_octet(void)
{
	OWNED_FD fd = -1;
	struct stat st;
	uint8_t octet;

	export_of(&d.stand, time(NULL));
	fd = open(aside, O_RDWR);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_int_eq(pread(fd, &octet, 1, st.st_size / 2), 1);
	octet ^= 1;
	ck_assert_int_eq(pwrite(fd, &octet, 1, st.st_size / 2), 1);
}

static void
make_older(void)
{
	export_of(&d.stand, time(NULL) - 300);
}

static void
make_from_the_future(void)
{
	export_of(&d.stand, time(NULL) + 3600);
}

/* Of another CA of the same name. */
static void
make_foreign(void)
{
	struct stand other;

	stand_open(&other, "example.test/users");
	X509_free(stand_issue(&other, "1001"));
	stand_revoke(&other, "1001", CRL_SUPERSEDED, 0);
	export_of(&other, time(NULL));
	stand_close(&other, false);
}

static void
put_a_store(void)
{
	char command[400];

	snprintf(command, sizeof(command), "cp %s/store.db %s", d.stand.dir,
	    aside);
	ck_assert_int_eq(system(command), 0);
}

static void
put_nothing(void)
{
	OWNED_FD fd = open(aside, O_WRONLY | O_CREAT | O_TRUNC, 0640);

	ck_assert_int_ge(fd, 0);
}

static const struct {
	const char	*name;
	void		(*make)(void);
} bad[] = {
	{ "torn: half of it",		cut_short },
	{ "torn: an octet is wrong",	change_an_octet },
	{ "older than the last",	make_older },
	{ "from the future",		make_from_the_future },
	{ "another CA's",		make_foreign },
	{ "a store, no index",		put_a_store },
	{ "empty",			put_nothing },
};

/* In each of them 1001 would be revoked, if they had it. */
START_TEST(what_is_not_fit_is_not_taken_and_the_last_stays)
{
	stand_revoke(&d.stand, "1001", CRL_SUPERSEDED, 0);
	bad[_i].make();
	put_in_place();
	stays("1001", GOOD);
	/* And what is fit is, afterwards. */
	carry(time(NULL));
	daemon_await(&d, "1001", REVOKED);
}
END_TEST

START_TEST(when_the_file_is_gone_the_last_stays)
{
	ck_assert_int_eq(unlink(place), 0);
	stays("1001", GOOD);
	stand_revoke(&d.stand, "1001", CRL_SUPERSEDED, 0);
	carry(time(NULL));
	daemon_await(&d, "1001", REVOKED);
}
END_TEST

/* Copied over instead of renamed: what we have open is not what it was. */
START_TEST(written_over_in_place_nothing_of_it_is_believed)
{
	char command[400];

	daemon_await(&d, "1001", GOOD);		/* held from now on */
	snprintf(command, sizeof(command),
	    "head -c 3000 /dev/zero | dd conv=notrunc bs=1 seek=4096 "
	    "status=none of=%s", place);
	ck_assert_int_eq(system(command), 0);
	daemon_await(&d, "1001", TRY_LATER);
	stays("1001", TRY_LATER);
	carry(time(NULL));
	daemon_await(&d, "1001", GOOD);
}
END_TEST

/* --- its age ------------------------------------------------------------------------ */

START_TEST(too_old_is_try_later_also_from_the_table)
{
	time_t now = time(NULL);

	begin(5);
	carry(now);
	daemon_start(&d, 0);
	certify(now);
	daemon_await(&d, "1001", GOOD);
	daemon_await(&d, "1001", GOOD);		/* held from now on */
	daemon_await(&d, "1001", TRY_LATER);
	ck_assert_int_ge(time(NULL), now + 5);
	ck_assert_int_eq(ask("ff02", true, NULL), TRY_LATER);
	/* It goes on with the next, by itself. */
	carry(time(NULL));
	daemon_await(&d, "1001", GOOD);
	tear_down();
}
END_TEST

START_TEST(too_old_at_the_start_is_try_later)
{
	time_t now = time(NULL);

	begin(MAX_AGE_S);
	carry(now - MAX_AGE_S - 60);
	daemon_start(&d, 0);
	certify(now - MAX_AGE_S - 50);
	daemon_await(&d, "1001", TRY_LATER);
	stays("1001", TRY_LATER);
	carry(time(NULL));
	daemon_await(&d, "1001", GOOD);
	tear_down();
}
END_TEST

/* It may run before anything was carried. */
START_TEST(without_an_index_it_waits_for_one)
{
	begin(MAX_AGE_S);
	daemon_start(&d, 0);
	daemon_await(&d, "1001", TRY_LATER);
	carry(time(NULL));
	certify(time(NULL));
	daemon_await(&d, "1001", GOOD);
	tear_down();
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("island");
	TCase *t = tcase_create("carried"), *u = tcase_create("age");

	tcase_set_timeout(t, 60);
	tcase_set_timeout(u, 60);
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, each_status_is_told);
	tcase_add_test(t, this_update_is_the_moment_of_the_index);
	tcase_add_test(t, a_revocation_is_carried);
	tcase_add_test(t, a_certificate_issued_since_is_carried);
	tcase_add_test(t, a_revocation_of_another_past_is_carried);
	tcase_add_loop_test(t,
	    what_is_not_fit_is_not_taken_and_the_last_stays, 0, ROWS(bad));
	tcase_add_test(t, when_the_file_is_gone_the_last_stays);
	tcase_add_test(t, written_over_in_place_nothing_of_it_is_believed);
	tcase_add_test(u, too_old_is_try_later_also_from_the_table);
	tcase_add_test(u, too_old_at_the_start_is_try_later);
	tcase_add_test(u, without_an_index_it_waits_for_one);
	suite_add_tcase(s, t);
	suite_add_tcase(s, u);
	return fixture_run(s);
}
