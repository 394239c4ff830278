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
static struct err err;

/* --- being main ------------------------------------ */

static void
write_conf(const char *path)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	fprintf(f, "state_dir = \"%s/state\"\nstore = \"%s/store.db\"\n"
	    "answer_validity_s = %d\nmax_age_s = 60\nheld_answers = 1024\n",
	    stand.dir, stand.dir, VALIDITY);
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

	ck_assert_int_eq(wire_send_ask(channel, &a, &err), 0);
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

	return answers_find(table, r->ids[0].der, r->ids[0].serial, 0, &held,
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
#endif

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
#endif
	tcase_add_test(c, no_answer_outlives_its_signer);
	suite_add_tcase(s, c);
	return fixture_run(s);
}
