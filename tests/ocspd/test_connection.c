/* One connection over a socket pair, by a clock of our own; the other end of
 * the channel to the responder is the test's. */
#include "ocspd/connection.h"
#include "common/err.h"
#include "common/owned.h"
#include "tests/support/fixtures.h"

#include <openssl/ocsp.h>

#include <sys/socket.h>

#include <poll.h>
#include <string.h>

#define ID	((uint64_t)7)

static struct settings settings;
static struct service *service;
static uint8_t room[4096];
static struct connection connection;
static struct answers *table;
static struct channel *responder;
static int client;
static char answer[65536];
static struct err err;

static void
make_pair(int pair[2], int flags)
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | flags, 0, pair), 0);
}

static void
set_up(void)
{
	int pair[2], peers[2];

	settings = (struct settings){ .idle_timeout_s = 30,
		.request_timeout_s = 10, .max_cert_ids = 100 };
	service = calloc(1, sizeof(*service));
	*service = (struct service){ .settings = &settings, .now = NOON,
		.limits = { 8192, 4096, 4096 }, .published_fd = -1,
		.now_ms = 1000000, .out = BUF(1u << 20), .der = BUF(8192),
		.body = room };
	ck_assert_int_eq(answers_new(1024, &table, &err), 0);
	answers_beat(table, service->now_ms);
	ck_assert_int_eq(answers_open(answers_share(table, &err),
	    &service->table, &err), 0);
	make_pair(peers, 0);
	service->responder = channel_new(peers[0], "responder",
	    WIRE_MAX_ANSWER, WIRE_MAX_QUEUED);
	responder = channel_new(peers[1], "front", WIRE_MAX_ASK,
	    WIRE_MAX_QUEUED);
	make_pair(pair, SOCK_NONBLOCK);
	connection = (struct connection){ .fd = -1 };
	connection_open(&connection, pair[0], 0, service);
	client = pair[1];
}

static void
tear_down(void)
{
	if (connection.fd >= 0)
		connection_close(&connection);
	close(client);
	channel_free(service->responder);
	channel_free(responder);
	answers_close(service->table);
	answers_free(table);
	buf_free(&service->out);
	buf_free(&service->der);
	free(service);
}

/* Send, let it work; does it go on? */
static bool
say(struct bytes octets)
{
	ck_assert_int_eq(send(client, octets.data, octets.len, MSG_NOSIGNAL),
	    (ssize_t)octets.len);
	connection.readable = true;
	return connection_work(&connection, service, ID);
}

/* What has come back until now, as text. */
static const char *
hear(void)
{
	ssize_t n = recv(client, answer, sizeof(answer) - 1, 0);

	answer[n < 0 ? 0 : n] = '\0';
	return answer;
}

/* A request that only the responder can answer. */
static void
say_request(bool chunked)
{
	OCSP_REQUEST *req = OCSP_REQUEST_new();
	OWNED(X509_NAME) *name = X509_NAME_new();
	OWNED(ASN1_INTEGER) *serial = ASN1_INTEGER_new();
	ASN1_BIT_STRING *key = ASN1_BIT_STRING_new();
	OWNED_BUF(out, 4096);
	uint8_t der[512], *p = der;
	int len;

	OCSP_request_add0_id(req, OCSP_cert_id_new(EVP_sha1(), name, key,
	    serial));
	len = i2d_OCSP_REQUEST(req, &p);
	buf_append_str(&out, "POST / HTTP/1.1\r\nHost: a\r\n");
	if (chunked)	/* the first octet alone */
		buf_printf(&out, "Transfer-Encoding: chunked\r\n\r\n"
		    "1\r\n%c\r\n%x\r\n", der[0], len - 1);
	else
		buf_printf(&out, "Content-Length: %d\r\n\r\n", len);
	buf_append(&out, der + chunked, (size_t)len - chunked);
	if (chunked)
		buf_append_str(&out, "\r\n0\r\n\r\n");
	ck_assert(say(buf_bytes(&out)));
	ck_assert(connection.waiting);
	ASN1_BIT_STRING_free(key);
	OCSP_REQUEST_free(req);
}

START_TEST(an_answer_goes_to_who_asked)
{
	static const struct wire_answer a = { .id = ID,
		.status = OCSP_UNAUTHORIZED };
	struct frame frame;

	say_request(_i == 1);
	ck_assert_int_eq(channel_await(responder, 10000, &frame, &err), 0);
	ck_assert_int_eq(frame.type, WIRE_ASK);
	ck_assert(connection_answer(&connection, service, ID, &a));
	ck_assert_ptr_nonnull(strstr(hear(), "HTTP/1.1 200 OK\r\n"));
	ck_assert_ptr_null(strstr(answer, "Connection: close"));
	ck_assert(!connection.waiting && !connection.ended);
}
END_TEST

/* The late one must not become the answer to what is asked next. */
START_TEST(an_answer_too_late_ends_the_connection)
{
	say_request(false);
	service->now_ms = connection.deadline_ms;
	ck_assert(connection_expire(&connection, service, ID));
	ck_assert_ptr_nonnull(strstr(hear(), "\r\nConnection: close\r\n"));
	ck_assert(connection.ended && !connection.waiting);
	say(bytes_of("GET /none HTTP/1.1\r\nHost: a\r\n\r\n"));
	ck_assert_str_eq(hear(), "");
}
END_TEST

/* RFC 9919, 8.4: milliseconds from the last octets to the end. */
static const struct {
	const char	*name, *text;
	int64_t		 want_ms;
} deadlines[] = {
	{ "nothing yet", "", 30000 },
	{ "a request has begun", "GET", 10000 },
	{ "all answered", "GET /none HTTP/1.1\r\nHost: a\r\n\r\n", 30000 },
	{ "answered, and the next has begun",
	  "GET /none HTTP/1.1\r\nHost: a\r\n\r\nGET", 10000 },
	{ "told to continue", "POST / HTTP/1.1\r\nHost: a\r\n"
	  "Expect: 100-continue\r\nContent-Length: 9\r\n\r\n", 10000 },
};

START_TEST(each_step_has_its_deadline)
{
	if (deadlines[_i].text[0] != '\0')
		ck_assert(say(bytes_of(deadlines[_i].text)));
	ck_assert_msg(connection.deadline_ms - service->now_ms ==
	    deadlines[_i].want_ms, "%s: %lld", deadlines[_i].name,
	    (long long)(connection.deadline_ms - service->now_ms));
}
END_TEST

START_TEST(more_octets_of_a_request_gain_no_time)
{
	int64_t deadline;

	ck_assert(say(bytes_of("GET ")));
	deadline = connection.deadline_ms;
	service->now_ms += 5000;
	ck_assert(say(bytes_of("/none HTTP/1.1\r\n")));
	ck_assert_int_eq(connection.deadline_ms, deadline);
	service->now_ms = deadline;
	ck_assert(connection_expire(&connection, service, ID));
	ck_assert_ptr_nonnull(strstr(hear(), "HTTP/1.1 408 "));
	ck_assert(connection.ended);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("connection");
	TCase *c = tcase_create("connection");

	tcase_add_checked_fixture(c, set_up, tear_down);
	/* With its length, and in chunks. */
	tcase_add_loop_test(c, an_answer_goes_to_who_asked, 0, 2);
	tcase_add_test(c, an_answer_too_late_ends_the_connection);
	tcase_add_loop_test(c, each_step_has_its_deadline, 0,
	    ROWS(deadlines));
	tcase_add_test(c, more_octets_of_a_request_gain_no_time);
	suite_add_tcase(s, c);
	return fixture_run(s);
}
