/* How ocspd tells how it does, seen over its health listener. */
#include "tests/support/fixtures.h"
#include "tests/support/ocsp_daemon.h"

#include <openssl/ocsp.h>

#include <sys/socket.h>

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct ocsp_daemon d;
static uint16_t port;

static void
set_up(void)
{
	char more[128];

	port = daemon_free_port();
	snprintf(more, sizeof(more), "fronts = 1\n"
	    "health_listen = \"127.0.0.1:%u\"\n", port);
	daemon_open(&d, more);
	daemon_start(&d, 0);
	daemon_certify(&d);
}

static void
tear_down(void)
{
	daemon_stop(&d);
	daemon_close(&d);
}

/* Ask until the answer has these words. */
static void
await(const char *path, const char *words)
{
	int64_t begun = daemon_now_ms();
	char request[128];

	snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: a\r\n\r\n",
	    path);
	while (!daemon_exchange_at(&d, port, bytes_of(request)) ||
	    strstr(d.answer, words) == NULL) {
		ck_assert_msg(daemon_now_ms() - begun < PATIENCE_MS,
		    "%s: not \"%s\" but \"%s\"", path, words, d.answer);
		daemon_take_breath();
	}
}

/* The last answer's number after these words. */
static long
number(const char *words)
{
	const char *at;

	await("/metrics", words);
	at = strstr(d.answer, words) + strlen(words);
	return strtol(at, NULL, 10);
}

#define POSTS	"csrmail_ocspd_http_requests_total{process=\"front.0\","	\
		"method=\"POST\"} "
#define FOREIGN(field)							\
	"csrmail_ocspd_foreign_requests_total{process=\"responder\","	\
	"field=\"" field "\"} "

/* About an issuer with another key, and with another name too. */
static void
ask_about_a_stranger(bool same_name)
{
	OCSP_REQUEST *req = OCSP_REQUEST_new();
	OWNED(X509_NAME) *name = same_name ?
	    X509_NAME_dup(X509_get_subject_name(d.stand.ca)) : X509_NAME_new();
	OWNED(ASN1_INTEGER) *serial = ASN1_INTEGER_new();
	ASN1_BIT_STRING *key = ASN1_BIT_STRING_new();
	OWNED_BUF(out, 4096);
	uint8_t der[512], *p = der;
	int len;

	OCSP_request_add0_id(req, OCSP_cert_id_new(EVP_sha1(), name, key,
	    serial));
	len = i2d_OCSP_REQUEST(req, &p);
	buf_printf(&out, "POST / HTTP/1.1\r\nHost: a\r\nConnection: close"
	    "\r\nContent-Length: %d\r\n\r\n", len);
	buf_append(&out, der, (size_t)len);
	ck_assert(daemon_exchange(&d, buf_bytes(&out)));
	ASN1_BIT_STRING_free(key);
	OCSP_REQUEST_free(req);
}

START_TEST(health_is_told_and_requests_are_counted)
{
	struct ocsp_said said;
	long before;

	await("/health", "200 OK\r\n");
	ck_assert_ptr_nonnull(strstr(d.answer, "{\"status\": \"ok\""));
	ck_assert_ptr_nonnull(strstr(d.answer, "application/json"));
	before = number(POSTS);
	ck_assert_int_eq(daemon_ask(&d, "1001", EVP_sha1(), true, &said),
	    V_OCSP_CERTSTATUS_GOOD);
	ck_assert_int_eq(number(POSTS), before + 1);
	ck_assert_int_ge(number("csrmail_ocspd_signatures_total"
	    "{process=\"responder\"} "), 1);
	ck_assert_int_eq(number(FOREIGN("issuerNameHash")), 0);
	ask_about_a_stranger(false);
	ck_assert_int_eq(number(FOREIGN("issuerNameHash")), 1);
	ck_assert_int_eq(number(FOREIGN("issuerKeyHash")), 0);
	ask_about_a_stranger(true);
	ck_assert_int_eq(number(FOREIGN("issuerNameHash")), 1);
	ck_assert_int_eq(number(FOREIGN("issuerKeyHash")), 1);
	ck_assert_int_eq(number("csrmail_ocspd_responses_total{process="
	    "\"front.0\",status=\"unauthorized\",from=\"\"} "), 2);
	ck_assert_int_gt(number("csrmail_ocspd_store_read_timestamp_seconds"
	    "{process=\"responder\"} "), 1700000000);
}
END_TEST

START_TEST(a_process_that_comes_back_is_counted_anew)
{
	await("/health", "200 OK\r\n");
	ck_assert_int_eq(daemon_kill_role(&d, "front"), 1);
	daemon_await(&d, "1001", V_OCSP_CERTSTATUS_GOOD);
	await("/health", "200 OK\r\n");
	ck_assert_int_eq(daemon_kill_role(&d, "respon"), 1);
	daemon_await(&d, "1001", V_OCSP_CERTSTATUS_GOOD);
	await("/health", "200 OK\r\n");
	/* And so is the one that tells. */
	ck_assert_int_eq(daemon_kill_role(&d, "monito"), 1);
	await("/health", "200 OK\r\n");
	ck_assert_int_ge(number(POSTS), 1);
}
END_TEST

START_TEST(a_store_that_is_gone_is_said)
{
	char store[200], away[220];

	await("/health", "200 OK\r\n");
	snprintf(store, sizeof(store), "%s/store.db", d.stand.dir);
	snprintf(away, sizeof(away), "%s.away", store);
	ck_assert_int_eq(rename(store, away), 0);
	ck_assert_int_eq(daemon_kill_role(&d, "respon"), 1);
	await("/health", "503 Service Unavailable\r\n");
	ck_assert_ptr_nonnull(strstr(d.answer, "responder does not run"));
	ck_assert_int_eq(rename(away, store), 0);
	await("/health", "200 OK\r\n");
}
END_TEST

/* Its key is away; one below it that signs here is another matter. */
START_TEST(a_root_that_never_certified_us_is_no_trouble)
{
	struct stand child;
	char more[128];

	port = daemon_free_port();
	snprintf(more, sizeof(more), "fronts = 1\n"
	    "health_listen = \"127.0.0.1:%u\"\n", port);
	daemon_open(&d, more);
	stand_open_child(&d.stand, &child, "example.test/child");
	daemon_start(&d, 0);
	await("/health", "[\"example.test/child: no valid responder "
	    "certificate");
	for (int64_t begun = daemon_now_ms();
	    stand_certify_spool(&child) == 0; daemon_take_breath())
		ck_assert_int_lt(daemon_now_ms() - begun, PATIENCE_MS);
	await("/health", "200 OK\r\n");
	ck_assert_ptr_null(strstr(d.answer, "example.test/users"));
	daemon_stop(&d);
	stand_close_child(&child);
	daemon_close(&d);
}
END_TEST

/* Nothing but the two, and nobody stalls it. */
START_TEST(others_are_refused_and_slow_ones_wait_alone)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int slow[40];

	for (int i = 0; i < 40; i++) {
		slow[i] = socket(AF_INET, SOCK_STREAM, 0);
		ck_assert_int_eq(connect(slow[i], (struct sockaddr *)&to,
		    sizeof(to)), 0);
		ck_assert_int_eq(send(slow[i], "GET /h", 6, 0), 6);
	}
	ck_assert(daemon_exchange_at(&d, port, bytes_of(
	    "GET /etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n")));
	ck_assert_ptr_nonnull(strstr(d.answer, "HTTP/1.1 404 "));
	ck_assert(daemon_exchange_at(&d, port, bytes_of(
	    "POST /health HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")));
	ck_assert_ptr_nonnull(strstr(d.answer, "HTTP/1.1 405 "));
	ck_assert(daemon_exchange_at(&d, port, bytes_of("nonsense\r\n\r\n")));
	ck_assert_ptr_nonnull(strstr(d.answer, "HTTP/1.1 400 "));
	ck_assert(daemon_exchange_at(&d, port, bytes_of(
	    "HEAD /metrics HTTP/1.1\r\nHost: a\r\n\r\n")));
	ck_assert_ptr_nonnull(strstr(d.answer, "version=0.0.4"));
	ck_assert_ptr_null(strstr(d.answer, "# HELP"));
	for (int i = 0; i < 40; i++)
		close(slow[i]);
}
END_TEST

START_TEST(a_reload_takes_it_along)
{
	await("/health", "200 OK\r\n");
	kill(d.pid, SIGHUP);
	daemon_await(&d, "1001", V_OCSP_CERTSTATUS_GOOD);
	await("/health", "200 OK\r\n");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("monitor");
	TCase *c = tcase_create("monitor");

	tcase_add_checked_fixture(c, set_up, tear_down);
	tcase_set_timeout(c, 120);
	tcase_add_test(c, health_is_told_and_requests_are_counted);
	tcase_add_test(c, a_process_that_comes_back_is_counted_anew);
	tcase_add_test(c, a_store_that_is_gone_is_said);
	tcase_add_test(c, others_are_refused_and_slow_ones_wait_alone);
	tcase_add_test(c, a_reload_takes_it_along);
	suite_add_tcase(s, c);
	c = tcase_create("root");
	tcase_set_timeout(c, 120);
	tcase_add_test(c, a_root_that_never_certified_us_is_no_trouble);
	suite_add_tcase(s, c);
	return fixture_run(s);
}
