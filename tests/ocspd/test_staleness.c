/* ocspd and a store that is busy, away, or late: what clients are told, what is
 * said of it, and that all is well again when the store is. */
#include "tests/support/fixtures.h"
#include "tests/support/ocsp_daemon.h"

#include <openssl/ocsp.h>

#include <sqlite3.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LATER	(-OCSP_RESPONSE_STATUS_TRYLATER)
#define FAILURES	"csrmail_ocspd_store_failures_total"	\
			"{process=\"responder\"} "

static struct ocsp_daemon d;
static uint16_t health;
static char store[200], away[220];

static void
open_with(const char *more)
{
	char lines[256];

	health = daemon_free_port();
	snprintf(lines, sizeof(lines), "fronts = 1\nhealth_listen = "
	    "\"127.0.0.1:%u\"\n%s", health, more);
	daemon_open(&d, lines);
	snprintf(store, sizeof(store), "%s/store.db", d.stand.dir);
	snprintf(away, sizeof(away), "%s.away", store);
}

static void
start(const char *more)
{
	open_with(more);
	daemon_start(&d, 0);
	daemon_certify(&d);
}

static void
stop(void)
{
	daemon_stop(&d);
	daemon_close(&d);
}

static int
ask(const char *serial, bool nonce)
{
	struct ocsp_said said;

	return daemon_ask(&d, serial, EVP_sha1(), nonce, &said);
}

static void
await_nonce(const char *serial, int want)
{
	int64_t begun = daemon_now_ms();
	int got;

	while ((got = ask(serial, true)) != want) {
		ck_assert_msg(daemon_now_ms() - begun < PATIENCE_MS,
		    "%s: still %d, not %d", serial, got, want);
		daemon_take_breath();
	}
}

/* What the health listener says of path, once these words are in it. */
static const char *
await_said(const char *path, const char *words)
{
	int64_t begun = daemon_now_ms();
	char request[128];

	snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: a\r\n\r\n",
	    path);
	while (!daemon_exchange_at(&d, health, bytes_of(request)) ||
	    strstr(d.answer, words) == NULL) {
		ck_assert_msg(daemon_now_ms() - begun < PATIENCE_MS,
		    "%s: not \"%s\" but \"%s\"", path, words, d.answer);
		daemon_take_breath();
	}
	return strstr(d.answer, words) + strlen(words);
}

static void
await_failures(long n)
{
	int64_t begun = daemon_now_ms();

	while (strtol(await_said("/metrics", FAILURES), NULL, 10) < n) {
		ck_assert_int_lt(daemon_now_ms() - begun, PATIENCE_MS);
		daemon_take_breath();
	}
}

static const char *const begins[] = { "BEGIN IMMEDIATE", "BEGIN EXCLUSIVE" };

START_TEST(a_long_transaction_of_the_writer_holds_up_no_answer)
{
	sqlite3 *writer;

	start("");
	X509_free(stand_issue(&d.stand, "2001"));
	ck_assert_int_eq(sqlite3_open(store, &writer), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(writer, begins[_i], NULL, NULL, NULL),
	    SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(writer, "UPDATE ca SET name = name",
	    NULL, NULL, NULL), SQLITE_OK);
	/* It goes on until all of these are there. */
	for (int i = 0; i < 20; i++) {
		await_nonce("1001", V_OCSP_CERTSTATUS_GOOD);
		daemon_await(&d, "1001", V_OCSP_CERTSTATUS_GOOD);
	}
	daemon_await(&d, "2001", V_OCSP_CERTSTATUS_GOOD);
	await_nonce("7777", V_OCSP_CERTSTATUS_UNKNOWN);
	await_said("/health", "200 OK\r\n");
	ck_assert_int_eq(strtol(await_said("/metrics", FAILURES), NULL, 10),
	    0);
	ck_assert_int_eq(sqlite3_exec(writer, "COMMIT", NULL, NULL, NULL),
	    SQLITE_OK);
	sqlite3_close(writer);
	stand_revoke(&d.stand, "1001", CRL_SUPERSEDED, 0);
	daemon_await(&d, "1001", V_OCSP_CERTSTATUS_REVOKED);
	stop();
}
END_TEST

START_TEST(held_answers_outlast_a_store_that_is_away_for_a_while)
{
	start("max_staleness_s = 3600\n");
	ck_assert_int_eq(rename(store, away), 0);
	/* For longer than a heart may stand still. */
	await_failures(10);
	daemon_await(&d, "1001", V_OCSP_CERTSTATUS_GOOD);
	ck_assert_int_eq(ask("1001", true), LATER);
	/* It was not asked for yet, so nobody knows. */
	ck_assert_int_eq(ask("FF02", false), LATER);
	await_said("/health", "the store was last read at ");
	await_said("/health", "503 Service Unavailable\r\n");
	ck_assert_int_eq(rename(away, store), 0);
	await_nonce("FF02", V_OCSP_CERTSTATUS_GOOD);
	await_said("/health", "200 OK\r\n");
	stand_revoke(&d.stand, "1001", CRL_SUPERSEDED, 0);
	daemon_await(&d, "1001", V_OCSP_CERTSTATUS_REVOKED);
	stop();
}
END_TEST

START_TEST(when_it_is_away_for_too_long_all_is_try_later)
{
	start("max_staleness_s = 1\n");
	ck_assert_int_eq(rename(store, away), 0);
	daemon_await(&d, "1001", LATER);
	/* By its word, not because it has ended, which it will do. */
	await_said("/metrics", "csrmail_ocspd_store_failures_total");
	ck_assert_ptr_nonnull(strstr(d.answer,
	    "csrmail_ocspd_up{process=\"responder\"} 1\n"));
	for (int i = 0; i < 20; i++) {
		ck_assert_int_eq(ask("1001", false), LATER);
		daemon_take_breath();
	}
	await_said("/health", "503 Service Unavailable\r\n");
	ck_assert_int_eq(rename(away, store), 0);
	daemon_await(&d, "1001", V_OCSP_CERTSTATUS_GOOD);
	await_said("/health", "200 OK\r\n");
	stop();
}
END_TEST

/* A process that begins anew finds no store, and waits for it. */
START_TEST(a_store_that_comes_late_is_served_then)
{
	start("");
	ck_assert_int_eq(rename(store, away), 0);
	ck_assert_int_eq(daemon_kill_role(&d, "respon"), 1);
	daemon_await(&d, "1001", LATER);
	await_said("/health", "responder does not run");
	ck_assert_int_eq(rename(away, store), 0);
	daemon_await(&d, "1001", V_OCSP_CERTSTATUS_GOOD);
	await_said("/health", "200 OK\r\n");
	stop();
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("staleness");
	TCase *c = tcase_create("staleness");

	tcase_set_timeout(c, 120);
	tcase_add_loop_test(c,
	    a_long_transaction_of_the_writer_holds_up_no_answer, 0,
	    ROWS(begins));
	tcase_add_test(c,
	    held_answers_outlast_a_store_that_is_away_for_a_while);
	tcase_add_test(c, when_it_is_away_for_too_long_all_is_try_later);
	tcase_add_test(c, a_store_that_comes_late_is_served_then);
	suite_add_tcase(s, c);
	return fixture_run(s);
}
