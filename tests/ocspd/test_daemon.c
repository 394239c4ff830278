/* ocspd as a whole, over sockets: what a client sees when things happen. */
#include "tests/support/fixtures.h"
#include "tests/support/ocsp_daemon.h"

#include <openssl/ocsp.h>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct ocsp_daemon d;

/* Until there is an answer: tryLater is one only when the machine is so loaded
 * that the responder misses its heartbeat. As daemon_ask. */
static int
ask_for(const char *serial_hex, const EVP_MD *md, bool nonce,
    struct ocsp_said *said)
{
	int64_t begun = daemon_now_ms();
	int got;

	while ((got = daemon_ask(&d, serial_hex, md, nonce, said)) ==
	    -OCSP_RESPONSE_STATUS_TRYLATER &&
	    daemon_now_ms() - begun < PATIENCE_MS)
		daemon_take_breath();
	return got;
}

static int
ask(const char *serial_hex, const EVP_MD *md, bool nonce)
{
	struct ocsp_said said;

	return ask_for(serial_hex, md, nonce, &said);
}

/* tryLater is an answer, too. */
static int
ask_once(const char *serial_hex)
{
	struct ocsp_said said;

	return daemon_ask(&d, serial_hex, EVP_sha1(), false, &said);
}

static void
await(const char *serial_hex, int want)
{
	daemon_await(&d, serial_hex, want);
}

static void
set_up(void)
{
	daemon_open(&d, "fronts = 2\n");
	daemon_start(&d, 0);
	daemon_certify(&d);
}

static void
tear_down(void)
{
	daemon_stop(&d);
	daemon_close(&d);
}

START_TEST(each_status_is_told_truly)
{
	ck_assert_int_eq(ask("1001", EVP_sha1(), true),
	    V_OCSP_CERTSTATUS_GOOD);
	ck_assert_int_eq(ask("1001", EVP_sha256(), false),
	    V_OCSP_CERTSTATUS_GOOD);
	ck_assert_int_eq(ask("FF02", EVP_sha256(), true),
	    V_OCSP_CERTSTATUS_GOOD);
	ck_assert_int_eq(ask("7777", EVP_sha1(), false),
	    V_OCSP_CERTSTATUS_UNKNOWN);
	ck_assert_int_eq(ask("7777", EVP_sha1(), true),
	    V_OCSP_CERTSTATUS_UNKNOWN);
	/* Another serial of the length that no certificate has. */
	ck_assert_int_eq(ask("7777777777777777777777777777777777777777777777",
	    EVP_sha1(), true), V_OCSP_CERTSTATUS_UNKNOWN);
}
END_TEST

/* As configured; what was issued is not touched by it. */
static const struct {
	const char	*word;
	int		 want;
} never_issued[] = {
	{ "unknown",		V_OCSP_CERTSTATUS_UNKNOWN },
	{ "unauthorized",	-OCSP_RESPONSE_STATUS_UNAUTHORIZED },
	{ "revoked",		V_OCSP_CERTSTATUS_REVOKED },
};
START_TEST(never_issued_is_answered_as_configured)
{
	char more[64];

	snprintf(more, sizeof(more), "fronts = 1\nnever_issued = \"%s\"\n",
	    never_issued[_i].word);
	daemon_open(&d, more);
	daemon_start(&d, 0);
	daemon_certify(&d);
	ck_assert_int_eq(ask("7777", EVP_sha1(), false),
	    never_issued[_i].want);
	ck_assert_int_eq(ask("7777", EVP_sha256(), true),
	    never_issued[_i].want);
	/* It was not held: issued, it is good at once. */
	X509_free(stand_issue(&d.stand, "7777"));
	ck_assert_int_eq(ask("7777", EVP_sha1(), false),
	    V_OCSP_CERTSTATUS_GOOD);
	ck_assert_int_eq(ask("1001", EVP_sha1(), false),
	    V_OCSP_CERTSTATUS_GOOD);
	daemon_stop(&d);
	daemon_close(&d);
}
END_TEST

static bool
ask_over(int fd)
{
	static const char text[] = "GET /none HTTP/1.1\r\nHost: a\r\n"
	    "Connection: close\r\n\r\n";
	char answer[1024] = "";
	ssize_t n = send(fd, text, sizeof(text) - 1, MSG_NOSIGNAL);

	if (n > 0)
		n = recv(fd, answer, sizeof(answer) - 1, 0);
	close(fd);
	return n > 0 && strncmp(answer, "HTTP/1.1 404 ", 13) == 0;
}

static bool
ask_unix(const struct sockaddr_un *at)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (connect(fd, (const struct sockaddr *)at, sizeof(*at)) == 0)
		return ask_over(fd);
	close(fd);
	return false;
}

/* More than one client address may have, and also when what is left of a
 * former run is in the way. */
/* RFC 6960, 2.7: by revoking its certificate for that reason, not another. */
START_TEST(a_compromised_ca_takes_along_what_it_signed)
{
	struct stand root, child;

	daemon_open(&d, "fronts = 1\n");
	root = d.stand;
	stand_open_child(&root, &child, "example.test/child");
	X509_free(stand_issue(&child, "5001"));
	X509_free(stand_issue(&child, "5002"));
	daemon_start(&d, 0);
	daemon_certify(&d);
	d.stand = child;	/* whom we ask about now */
	for (int64_t begun = daemon_now_ms();
	    stand_certify_spool(&child) == 0; daemon_take_breath())
		ck_assert_int_lt(daemon_now_ms() - begun, PATIENCE_MS);
	await("5001", V_OCSP_CERTSTATUS_GOOD);
	stand_revoke(&child, "5002", CRL_SUPERSEDED, 0);
	await("5002", V_OCSP_CERTSTATUS_REVOKED);
	ck_assert_int_eq(ask("5001", EVP_sha256(), false),
	    V_OCSP_CERTSTATUS_GOOD);
	stand_revoke(&root, "c0ffee", CRL_CA_COMPROMISE, 0);
	await("5001", V_OCSP_CERTSTATUS_REVOKED);
	ck_assert_int_eq(ask("5001", EVP_sha256(), true),
	    V_OCSP_CERTSTATUS_REVOKED);
	/* What was never issued is no certificate of it. */
	ck_assert_int_eq(ask("5003", EVP_sha1(), false),
	    V_OCSP_CERTSTATUS_UNKNOWN);
	d.stand = root;
	ck_assert_int_eq(ask("1001", EVP_sha1(), false),
	    V_OCSP_CERTSTATUS_GOOD);
	daemon_stop(&d);
	stand_close_child(&child);
	daemon_close(&d);
}
END_TEST

START_TEST(a_ca_that_ceased_takes_nothing_along)
{
	struct stand root, child;

	daemon_open(&d, "fronts = 1\n");
	root = d.stand;
	stand_open_child(&root, &child, "example.test/child");
	X509_free(stand_issue(&child, "5001"));
	stand_revoke(&root, "c0ffee", CRL_CESSATION_OF_OPERATION, 0);
	daemon_start(&d, 0);
	daemon_certify(&d);
	d.stand = child;
	for (int64_t begun = daemon_now_ms();
	    stand_certify_spool(&child) == 0; daemon_take_breath())
		ck_assert_int_lt(daemon_now_ms() - begun, PATIENCE_MS);
	await("5001", V_OCSP_CERTSTATUS_GOOD);
	d.stand = root;
	daemon_stop(&d);
	stand_close_child(&child);
	daemon_close(&d);
}
END_TEST

START_TEST(a_unix_socket_is_served_also_after_a_reload)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fds[20];

	snprintf(at.sun_path, sizeof(at.sun_path), "/tmp/test_ocspd.%d.sock",
	    (int)getpid());
	snprintf(d.listen_too, sizeof(d.listen_too), "unix:%s", at.sun_path);
	daemon_open(&d, "fronts = 2\nmax_connections_per_client = 4\n");
	for (int run = 0; run < 2; run++) {
		daemon_start(&d, 0);
		await("1001", run == 0 ? -OCSP_RESPONSE_STATUS_INTERNALERROR :
		    V_OCSP_CERTSTATUS_GOOD);
		for (int i = 0; i < 20; i++) {
			fds[i] = socket(AF_UNIX, SOCK_STREAM, 0);
			ck_assert_int_eq(connect(fds[i], (struct sockaddr *)
			    &at, sizeof(at)), 0);
		}
		for (int i = 0; i < 20; i++)
			ck_assert(ask_over(fds[i]));
		kill(d.pid, SIGHUP);
		for (int i = 0; i < 20; i++)
			ck_assert(ask_unix(&at));
		if (run == 0)
			daemon_certify(&d);
		daemon_stop(&d);
	}
	d.listen_too[0] = '\0';
	unlink(at.sun_path);
	daemon_close(&d);
}
END_TEST

START_TEST(sockets_of_systemd_are_served)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM, 0), client;

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, len), 0);
	ck_assert_int_eq(listen(fd, 16), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	strcpy(d.listen_too, "systemd:ocsp");
	d.activated_fd = fd;
	daemon_open(&d, "fronts = 2\n");
	daemon_start(&d, 0);
	await("1001", -OCSP_RESPONSE_STATUS_INTERNALERROR);
	for (int i = 0; i < 10; i++) {
		client = socket(AF_INET, SOCK_STREAM, 0);
		ck_assert_int_eq(connect(client, (struct sockaddr *)&at,
		    len), 0);
		ck_assert(ask_over(client));
	}
	daemon_stop(&d);
	d.listen_too[0] = '\0';
	d.activated_fd = 0;
	close(fd);
	daemon_close(&d);
}
END_TEST

START_TEST(a_revocation_shows_for_all_askers)
{
	/* On a warm table, for both algorithms and a first-bit-set serial.
	 * How soon, the journey's test measures. */
	ck_assert_int_eq(ask("FF02", EVP_sha1(), false),
	    V_OCSP_CERTSTATUS_GOOD);
	ck_assert_int_eq(ask("FF02", EVP_sha256(), false),
	    V_OCSP_CERTSTATUS_GOOD);
	stand_revoke(&d.stand, "ff02", CRL_KEY_COMPROMISE, 0);
	await("FF02", V_OCSP_CERTSTATUS_REVOKED);
	ck_assert_int_eq(ask("FF02", EVP_sha256(), false),
	    V_OCSP_CERTSTATUS_REVOKED);
	ck_assert_int_eq(ask("FF02", EVP_sha256(), true),
	    V_OCSP_CERTSTATUS_REVOKED);
	ck_assert_int_eq(ask("1001", EVP_sha1(), false),
	    V_OCSP_CERTSTATUS_GOOD);
}
END_TEST

START_TEST(a_lifted_hold_shows_for_all_askers)
{
	stand_revoke(&d.stand, "ff02", CRL_CERTIFICATE_HOLD, 0);
	await("FF02", V_OCSP_CERTSTATUS_REVOKED);
	ck_assert_int_eq(ask("FF02", EVP_sha256(), false),
	    V_OCSP_CERTSTATUS_REVOKED);
	stand_release(&d.stand, "ff02");
	await("FF02", V_OCSP_CERTSTATUS_GOOD);
	ck_assert_int_eq(ask("FF02", EVP_sha256(), false),
	    V_OCSP_CERTSTATUS_GOOD);
	ck_assert_int_eq(ask("FF02", EVP_sha256(), true),
	    V_OCSP_CERTSTATUS_GOOD);
}
END_TEST

START_TEST(a_certificate_just_issued_is_good_at_once)
{
	/* Several, so that one falls between two looks into the store. */
	for (int i = 0; i < 10; i++) {
		char serial[8];

		snprintf(serial, sizeof(serial), "20%02d", i);
		X509_free(stand_issue(&d.stand, serial));
		ck_assert_int_eq(ask(serial, EVP_sha1(), false),
		    V_OCSP_CERTSTATUS_GOOD);
	}
}
END_TEST

START_TEST(roles_are_replaced_singly)
{
	ck_assert_int_eq(daemon_kill_role(&d, "front"), 2);
	await("1001", V_OCSP_CERTSTATUS_GOOD);
	ck_assert_int_eq(daemon_kill_role(&d, "respon"), 1);
	/* While it is gone: tryLater, or already good again; never else. */
	stand_revoke(&d.stand, "ff02", CRL_SUPERSEDED, 0);
	for (int i = 0; i < 50; i++) {
		int got = ask_once("FF02");

		ck_assert_msg(got == -OCSP_RESPONSE_STATUS_TRYLATER ||
		    got == V_OCSP_CERTSTATUS_REVOKED, "%d", got);
	}
	await("FF02", V_OCSP_CERTSTATUS_REVOKED);
	await("1001", V_OCSP_CERTSTATUS_GOOD);
}
END_TEST

START_TEST(a_reload_refuses_nobody)
{
	int64_t start = daemon_now_ms();

	kill(d.pid, SIGHUP);
	while (daemon_now_ms() - start < 2000) {
		int got = ask_once("1001");

		ck_assert_msg(got == V_OCSP_CERTSTATUS_GOOD ||
		    got == -OCSP_RESPONSE_STATUS_TRYLATER, "%d", got);
	}
	await("1001", V_OCSP_CERTSTATUS_GOOD);
}
END_TEST

/* Each whole request on one connection gets its own answer, in order. */
START_TEST(pipelined_requests_are_answered_in_order)
{
	const char *text = "GET /none HTTP/1.1\r\nHost: a\r\n\r\n"
	    "HEAD /none HTTP/1.1\r\nHost: a\r\n\r\n"
	    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
	    "DELETE / HTTP/1.1\r\nHost: a\r\n\r\n";
	const char *p = d.answer;

	ck_assert(daemon_exchange(&d, bytes_of(text)));
	ck_assert_ptr_nonnull(p = strstr(p, "HTTP/1.1 404"));
	ck_assert_ptr_nonnull(p = strstr(p + 1, "HTTP/1.1 404"));
	ck_assert_ptr_nonnull(p = strstr(p + 1, "HTTP/1.1 200"));
	/* malformedRequest holds no NUL before the last octet. */
	ck_assert_ptr_nonnull(p = strstr(p + 1, "HTTP/1.1 405"));
	ck_assert_ptr_nonnull(strstr(p, "Allow: GET, HEAD, POST\r\n"));
}
END_TEST

#ifdef TEST_HOOKS
static void
start_again(int64_t clock_offset_s)
{
	daemon_stop(&d);
	daemon_start(&d, clock_offset_s);
	await("1001", V_OCSP_CERTSTATUS_GOOD);
}

/* RFC 9919, 6: one moment, said three times; signed just now, and held. */
START_TEST(an_answer_has_the_date_of_the_store_it_read)
{
	int64_t offset = 7200, first;
	struct ocsp_said said;

	start_again(offset);
	/* What was last read may be half a second old. */
	first = time(NULL) + offset - 1;
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(ask_for("FF02", EVP_sha1(), false,
		    &said), V_OCSP_CERTSTATUS_GOOD);
		ck_assert_int_ge(said.this_update, first);
		ck_assert_int_le(said.this_update, time(NULL) + offset);
		ck_assert_int_eq(said.produced_at, said.this_update);
		ck_assert_int_eq(said.last_modified, said.this_update);
	}
}
END_TEST

/* Certificates last two weeks. */
START_TEST(the_next_key_comes_at_half_life_while_the_old_one_serves)
{
	int64_t begun, offset = 8 * DAY;
	time_t from = time(NULL) + offset - 3600;
	struct ocsp_said first, said;

	ck_assert_int_eq(stand_count_spool(&d.stand), 0);
	ck_assert_int_eq(ask_for("1001", EVP_sha1(), true, &first),
	    V_OCSP_CERTSTATUS_GOOD);
	start_again(offset);
	begun = daemon_now_ms();
	while (stand_count_spool(&d.stand) == 0) {
		ck_assert_int_lt(daemon_now_ms() - begun, PATIENCE_MS);
		daemon_take_breath();
	}
	ck_assert_int_eq(ask_for("1001", EVP_sha1(), true, &said),
	    V_OCSP_CERTSTATUS_GOOD);
	ck_assert_mem_eq(said.signer, first.signer, sizeof(said.signer));
	ck_assert_int_eq(stand_certify_spool_for(&d.stand, from,
	    from + 14 * DAY), 1);
	/* From now on the new one, and in between nothing but answers. */
	do {
		ck_assert_int_lt(daemon_now_ms() - begun, PATIENCE_MS);
		ck_assert_int_eq(ask_for("1001", EVP_sha1(), true,
		    &said), V_OCSP_CERTSTATUS_GOOD);
	} while (memcmp(said.signer, first.signer, sizeof(said.signer)) == 0);
}
END_TEST
#endif

int
main(void)
{
	Suite *s = suite_create("daemon");
	TCase *c = tcase_create("daemon");

	tcase_add_checked_fixture(c, set_up, tear_down);
	tcase_set_timeout(c, 90);
	tcase_add_test(c, each_status_is_told_truly);
	tcase_add_test(c, a_revocation_shows_for_all_askers);
	tcase_add_test(c, a_lifted_hold_shows_for_all_askers);
	tcase_add_test(c, a_certificate_just_issued_is_good_at_once);
	tcase_add_test(c, roles_are_replaced_singly);
	tcase_add_test(c, a_reload_refuses_nobody);
	tcase_add_test(c, pipelined_requests_are_answered_in_order);
#ifdef TEST_HOOKS
	tcase_add_test(c, an_answer_has_the_date_of_the_store_it_read);
	tcase_add_test(c,
	    the_next_key_comes_at_half_life_while_the_old_one_serves);
#endif
	suite_add_tcase(s, c);
	c = tcase_create("configured");
	tcase_set_timeout(c, 90);
	tcase_add_loop_test(c, never_issued_is_answered_as_configured, 0,
	    ROWS(never_issued));
	tcase_add_test(c, a_compromised_ca_takes_along_what_it_signed);
	tcase_add_test(c, a_ca_that_ceased_takes_nothing_along);
	tcase_add_test(c, a_unix_socket_is_served_also_after_a_reload);
	tcase_add_test(c, sockets_of_systemd_are_served);
	suite_add_tcase(s, c);
	return fixture_run(s);
}
