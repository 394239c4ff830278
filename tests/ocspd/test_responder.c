/*
 * The responder alone, in its process and behind its walls: this program is
 * executed as the role too, and the test is its main and its front. The role's
 * clock is moved by signals.
 */
#include "ocspd/responder.h"
#include "common/clock.h"
#include "common/err.h"
#include "ocspd/answers.h"
#include "ocspd/settings.h"
#include "ocspd/wire.h"
#include "tests/support/fixtures.h"
#include "tests/support/ocsp_daemon.h"

#include <openssl/ocsp.h>
#include <sqlite3.h>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VALIDITY	300
#define STEP		((int64_t)100)	/* less than half of that */

static struct stand stand;
static struct settings *settings;
static struct role_process role;
static struct channel *channel;
static struct answers_view *table;
static const char *more = "";	/* lines of the configuration */
static struct err err;

/* --- being main ------------------------------------ */

static void
write_conf(const char *path)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	fprintf(f, "state_dir = \"%s/state\"\nstore = \"%s/store.db\"\n"
	    "answer_validity_s = %d\nmax_age_s = 60\nheld_answers = 1024\n%s",
	    stand.dir, stand.dir, VALIDITY, more);
	fclose(f);
	ck_assert_msg(settings_read(path, &settings, &err) == 0, "%s",
	    err.text);
}

static void
give_folder(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/state/%s", stand.dir, name);
	mkdir(path, 0700);
	ck_assert_int_eq(role_give(&role, name, open(path, O_RDONLY |
	    O_DIRECTORY | O_CLOEXEC), &err), 0);
}

static void
start_role(void)
{
	struct role_spec spec = { .program = "ocspd", .role = "responder",
		.instance = "", .log_level = LOG_LEVEL_ERROR };
	struct frame frame;
	int pair[2];

	ck_assert_int_eq(privsep_find_identity("", &spec.identity, &err), 0);
	ck_assert_msg(role_spawn(&spec, &role, &err) == 0, "%s", err.text);
	ck_assert_int_eq(role_give(&role, "settings",
	    settings_fd(settings, &err), &err), 0);
	give_folder("keys");
	give_folder("spool");
	ck_assert_int_eq(role_go(&role, &err), 0);
	ck_assert_int_eq(channel_await(role.control, PATIENCE_MS, &frame,
	    &err), 0);
	ck_assert_int_eq(frame.type, WIRE_COUNTERS);
	ck_assert_int_ge(frame.fd, 0);
	close(frame.fd);
	ck_assert_int_eq(channel_await(role.control, PATIENCE_MS, &frame,
	    &err), 0);
	ck_assert_int_eq(role_news(&frame), ROLE_READY);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
	    pair), 0);
	ck_assert_int_eq(channel_send(role.control, WIRE_PEER,
	    (struct bytes){ 0 }, pair[1], &err), 0);
	channel = channel_new(pair[0], "responder", WIRE_MAX_ANSWER,
	    WIRE_MAX_QUEUED);
	ck_assert_int_eq(channel_await(channel, PATIENCE_MS, &frame, &err), 0);
	ck_assert_int_eq(frame.type, WIRE_TABLE);
	ck_assert_int_eq(answers_open(frame.fd, &table, &err), 0);
}

static void
set_up(void)
{
	char path[128];

	stand_open(&stand, "example.test/users");
	X509_free(stand_issue(&stand, "1001"));
	snprintf(path, sizeof(path), "%s/state", stand.dir);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/ocspd.conf", stand.dir);
	write_conf(path);
	start_role();
}

static void
tear_down(void)
{
	int status;

	kill(role.pid, SIGTERM);
	ck_assert_int_eq(waitpid(role.pid, &status, 0), role.pid);
	ck_assert_int_eq(status, 0);
	channel_free(role.control);
	channel_free(channel);
	answers_close(table);
	settings_free(settings);
	stand_close(&stand, false);
}

/* --- being a front ------------------------------------ */

/* The request for 1001, as the wire takes it; views last until the next. */
static const struct request *
request_1001(bool nonce)
{
	static struct request out;
	static uint8_t der[512];
	OCSP_REQUEST *req = OCSP_REQUEST_new();
	OWNED(ASN1_INTEGER) *serial = ASN1_INTEGER_new();
	uint8_t *p = der;
	int len;

	ASN1_INTEGER_set(serial, 0x1001);
	OCSP_request_add0_id(req, OCSP_cert_id_new(EVP_sha1(),
	    X509_get_subject_name(stand.ca),
	    X509_get0_pubkey_bitstr(stand.ca), serial));
	if (nonce)
		OCSP_request_add1_nonce(req, NULL, 32);
	len = i2d_OCSP_REQUEST(req, &p);
	OCSP_REQUEST_free(req);
	ck_assert_int_eq(request_read((struct bytes){ der, (size_t)len }, 1,
	    &out), OCSP_SUCCESSFUL);
	return &out;
}

static enum ocsp_status
ask(bool nonce, struct wire_answer *out)
{
	const struct wire_ask a = { .id = 1,
		.request = (struct request *)(uintptr_t)request_1001(nonce) };
	struct frame frame;

	ck_assert_int_eq(wire_queue_ask(channel, &a, &err), 0);
	ck_assert_int_eq(channel_flush(channel, &err), 0);
	ck_assert_msg(channel_await(channel, PATIENCE_MS, &frame, &err) == 0,
	    "%s", err.text);
	ck_assert_int_eq(wire_get_answer(&frame, out, &err), 0);
	return out->status;
}

/* thisUpdate of the answer held about 1001, -1: none is. */
static int64_t
held_since(void)
{
	const struct request *r = request_1001(false);
	static uint8_t octets[ANSWER_MAX];
	struct held_answer held;

	return answers_find(table, r->ids[0].der, r->ids[0].serial,
	    SIGNATURE_ANY, 0, &held,
	    octets) ? held.this_update : -1;
}

/* Certify the responder's key until then, and ask until it answers. */
static struct wire_answer
first_answer(time_t not_after)
{
	int64_t begun = daemon_now_ms();
	struct wire_answer a;

	while (stand_certify_spool_for(&stand, time(NULL) - 3600,
	    not_after) == 0) {
		ck_assert_int_lt(daemon_now_ms() - begun, PATIENCE_MS);
		daemon_take_breath();
	}
	while (ask(false, &a) != OCSP_SUCCESSFUL) {
		ck_assert_int_lt(daemon_now_ms() - begun, PATIENCE_MS);
		daemon_take_breath();
	}
	return a;
}

/* --- promises ------------------------------------ */

#ifdef TEST_HOOKS
/* RFC 9919, 7.1. Without anybody asking again, and never without one. */
START_TEST(held_answers_are_renewed_at_half_of_their_validity)
{
	struct wire_answer a = first_answer(time(NULL) + DAY);
	int64_t first = a.this_update, begun = daemon_now_ms(), since;

	ck_assert_int_eq(a.next_update, first + VALIDITY);
	ck_assert_int_eq(held_since(), first);
	/* Each reading of the store is followed by a look at the table; a
	 * nonce, since that answer is not held. */
	kill(role.pid, SIGUSR1);
	while (ask(true, &a) != OCSP_SUCCESSFUL ||
	    a.this_update < first + STEP) {
		ck_assert_int_lt(daemon_now_ms() - begun, PATIENCE_MS);
		daemon_take_breath();
	}
	ck_assert_int_eq(held_since(), first);
	kill(role.pid, SIGUSR1);
	while ((since = held_since()) == first) {
		ck_assert_int_lt(daemon_now_ms() - begun, PATIENCE_MS);
		daemon_take_breath();
	}
	ck_assert_int_ge(since, first + 2 * STEP);
}
END_TEST

START_TEST(this_update_never_goes_back)
{
	struct wire_answer a = first_answer(time(NULL) + DAY);
	int64_t first = a.this_update, begun = daemon_now_ms();

	kill(role.pid, SIGUSR2);
	/* tryLater, when the machine is loaded. */
	while (ask(true, &a) != OCSP_SUCCESSFUL)
		ck_assert_int_lt(daemon_now_ms() - begun, PATIENCE_MS);
	ck_assert_int_ge(a.this_update, first);
	ck_assert_int_lt(a.this_update, first + STEP);
}
END_TEST

/* Ask until this_update has come that far; nothing but answers meanwhile.
 * (tryLater, when the machine is loaded.) */
static struct wire_answer
ask_through(int64_t until)
{
	int64_t begun = daemon_now_ms();
	struct wire_answer a = { 0 };

	for (int turn = 0; a.this_update < until; turn++) {
		enum ocsp_status s = ask(turn % 2 == 1, &a);

		ck_assert_int_lt(daemon_now_ms() - begun, PATIENCE_MS);
		ck_assert(s == OCSP_SUCCESSFUL || s == OCSP_TRY_LATER);
		ck_assert(s == OCSP_TRY_LATER ||
		    a.next_update > a.this_update);
	}
	return a;
}

/* RFC 6960, 4.2.2.2. The old key's certificate is past half of its life at the
 * beginning, and ends in the fifth step; the new one comes in the second. */
START_TEST(a_key_is_rolled_over_without_a_gap)
{
	time_t now = time(NULL), end = now + 5 * STEP;
	struct wire_answer a;
	int64_t first, begun = daemon_now_ms();

	while (stand_certify_spool_for(&stand, now - 5 * STEP - 1, end) == 0)
		daemon_take_breath();
	while (ask(false, &a) != OCSP_SUCCESSFUL) {
		ck_assert_int_lt(daemon_now_ms() - begun, PATIENCE_MS);
		daemon_take_breath();
	}
	first = a.this_update;
	for (int step = 1; step <= 7; step++) {
		if (step == 2)
			while (stand_certify_spool(&stand) == 0) {
				ck_assert_int_lt(daemon_now_ms() - begun,
				    PATIENCE_MS);
				daemon_take_breath();
			}
		kill(role.pid, SIGUSR1);
		a = ask_through(first + step * STEP);
		ck_assert(step >= 2 || a.next_update <= end);
		/* The new one signs at once, long before the old one ends. */
		ck_assert(step < 4 || a.next_update > end);
	}
	/* Held as well: nothing of the old key's is left to be found. */
	ck_assert_int_gt(held_since(), end - VALIDITY);
}
END_TEST
#endif

/* The store and questions do not wait for an RSA key. (An answer that says
 * that there is no key yet speaks of a store just read.) */
START_TEST(questions_are_answered_while_a_key_is_made)
{
	int64_t begun = daemon_now_ms();
	struct wire_answer a;
	int n = 0;

	while (stand_count_spool(&stand) == 0) {
		enum ocsp_status s = ask(false, &a);

		ck_assert_int_lt(daemon_now_ms() - begun, PATIENCE_MS);
		n += s == OCSP_INTERNAL_ERROR &&
		    stand_count_spool(&stand) == 0;
	}
	ck_assert_int_gt(n, 0);
	first_answer(time(NULL) + DAY);
}
END_TEST

static void
set_up_rsa(void)
{
	more = "responder_key = {\"RSA-3072\"}\n";
	set_up();
}

/* By hand: csrmaild never forgets a CA, but a store may be mended. */
static void
remove_ca(void)
{
	char path[128];
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/store.db", stand.dir);
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	sqlite3_busy_timeout(db, PATIENCE_MS);
	ck_assert_msg(sqlite3_exec(db, "PRAGMA foreign_keys = OFF; BEGIN;"
	    "DELETE FROM responder; DELETE FROM ca;"
	    "UPDATE change_counter SET last = last + 1; COMMIT", NULL, NULL,
	    NULL) == SQLITE_OK, "%s", sqlite3_errmsg(db));
	sqlite3_close(db);
}

START_TEST(a_ca_that_is_gone_is_answered_for_no_more)
{
	int64_t begun = daemon_now_ms();
	struct wire_answer a = first_answer(time(NULL) + DAY);

	ck_assert_int_ge(held_since(), 0);
	remove_ca();
	while (ask(false, &a) != OCSP_UNAUTHORIZED) {
		ck_assert_int_lt(daemon_now_ms() - begun, PATIENCE_MS);
		daemon_take_breath();
	}
	ck_assert_int_eq(held_since(), -1);
	ck_assert_int_eq(ask(true, &a), OCSP_UNAUTHORIZED);
}
END_TEST

/* RFC 6960, 4.2.2.2. */
START_TEST(no_answer_outlives_its_signer)
{
	time_t not_after = time(NULL) + VALIDITY - 100;
	struct wire_answer a = first_answer(not_after);

	ck_assert_int_eq(a.next_update, not_after);
	ck_assert_int_eq(held_since(), a.this_update);
}
END_TEST

static volatile sig_atomic_t steps;

static void
move_clock(int sig)
{
	steps += sig == SIGUSR1 ? 1 : -1;
	clock_set_test_offset(steps * STEP);
}

int
main(int argc, char **argv)
{
	static struct role self;
	bool is_role = false;
	Suite *s;
	TCase *c;

	signal(SIGUSR1, move_clock);
	signal(SIGUSR2, move_clock);
	if (role_enter(argc, argv, &self, &is_role, &err) == -1)
		return EXIT_FAILURE;
	if (is_role)
		_exit(responder_run(&self, &err) == 0 ? 0 : 1);
	s = suite_create("responder");
	c = tcase_create("responder");
	tcase_add_checked_fixture(c, set_up, tear_down);
	tcase_set_timeout(c, 90);
#ifdef TEST_HOOKS
	tcase_add_test(c, held_answers_are_renewed_at_half_of_their_validity);
	tcase_add_test(c, this_update_never_goes_back);
	tcase_add_test(c, a_key_is_rolled_over_without_a_gap);
#endif
	tcase_add_test(c, no_answer_outlives_its_signer);
	tcase_add_test(c, a_ca_that_is_gone_is_answered_for_no_more);
	suite_add_tcase(s, c);
	c = tcase_create("rsa");
	tcase_add_checked_fixture(c, set_up_rsa, tear_down);
	tcase_set_timeout(c, 90);
	tcase_add_test(c, questions_are_answered_while_a_key_is_made);
	suite_add_tcase(s, c);
	return fixture_run(s);
}
