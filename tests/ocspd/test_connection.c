/* One connection over a socket pair, by a clock of our own; the other end of
 * the channel to the responder is the test's. */
#include "ocspd/connection.h"
#include "ocspd/rates.h"
#include "common/err.h"
#include "common/log.h"
#include "common/owned.h"
#include "tests/support/fixtures.h"

#include <openssl/ocsp.h>

#include <sys/mman.h>
#include <sys/socket.h>

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ID	((uint64_t)7)

static struct settings settings;
static struct service *service;
static uint8_t room[4096];
static const struct client somebody = { .kind = CLIENT_IPV4,
	.address = { 192, 0, 2, 1 } };
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
		.request_timeout_s = 10, .max_cert_ids = 100,
		.max_waiting = 2, .sha1_cert_ids = true };
	service = calloc(1, sizeof(*service));
	*service = (struct service){ .settings = &settings, .now = NOON,
		.limits = { 8192, 4096, 4096 }, .published_fd = -1,
		.now_ms = 1000000, .out = BUF(1u << 20), .der = BUF(8192),
		.body = room };
	ck_assert_int_eq(answers_new(1024, ANSWER_MAX_PART, &table, &err), 0);
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
	connection_open(&connection, pair[0], &somebody, 7, service);
	client = pair[1];
}

static void
tear_down(void)
{
	if (connection.fd >= 0)
		connection_close(&connection, service);
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
send_request(bool chunked)
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
	ASN1_BIT_STRING_free(key);
	OCSP_REQUEST_free(req);
}

static void
say_request(bool chunked)
{
	send_request(chunked);
	ck_assert(connection.waiting);
}

START_TEST(an_answer_goes_to_who_asked)
{
	static const struct wire_answer a = { .id = ID,
		.status = OCSP_UNAUTHORIZED };
	struct frame frame;

	say_request(_i == 1);
	/* As the front does after each turn. */
	ck_assert_int_eq(channel_flush(service->responder, &err), 0);
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

/* Those that no octets of a client bring about alone. */
START_TEST(each_other_state_has_its_deadline_too)
{
	say_request(false);
	ck_assert_int_eq(connection.deadline_ms - service->now_ms, 2000);
	service->now_ms += 1500;
	ck_assert(connection_answer(&connection, service, ID,
	    &(struct wire_answer){ .id = ID, .status = OCSP_UNAUTHORIZED }));
	ck_assert_int_eq(connection.deadline_ms - service->now_ms, 30000);
	ck_assert(connection_turn_away(&connection, service, ID));
	ck_assert(connection.draining);
	ck_assert_int_eq(connection.deadline_ms - service->now_ms, 2000);
}
END_TEST

START_TEST(a_large_file_gives_no_time_beyond_its_end)
{
	const size_t octets = 4u << 20;

	connection.file_fd = memfd_create("file", MFD_CLOEXEC);
	ck_assert_int_eq(ftruncate(connection.file_fd, (off_t)octets), 0);
	connection.file_left = octets;
	connection.served = true;
	connection.deadline_ms = service->now_ms + 300000;
	ck_assert(connection_work(&connection, service, ID));
	ck_assert_int_ge(connection.file_fd, 0);	/* nobody reads */
	ck_assert_int_eq(connection.deadline_ms - service->now_ms, 300000);
	do {
		ck_assert_int_gt(recv(client, answer, sizeof(answer), 0), 0);
		ck_assert(connection_work(&connection, service, ID));
	} while (connection.file_fd >= 0);
	ck_assert_int_eq(connection.deadline_ms - service->now_ms, 30000);
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

#define PROXY_HEAD	"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c"		\
			"\xc6\x33\x64\x07" "\x0a\x00\x00\x01" "\x30\x39\x00\x50"
#define REQUEST		"GET /none HTTP/1.1\r\nHost: a\r\n\r\n"

static bool recount_allows;

static bool
recount(void *arg, struct connection *c, const struct client *who)
{
	ck_assert_ptr_eq(arg, service);
	c->client = *who;
	return recount_allows;
}

/* One of ours stands before it: it says for whom, once, and first. */
static void
come_through_proxy(void)
{
	settings.proxies[0] = somebody;
	settings.n_proxies = 1;
	service->recount = recount;
	service->front = service;
	recount_allows = true;
	connection.proxied = true;
}

START_TEST(a_proxy_says_for_whom_it_is)
{
	static const char both[] = PROXY_HEAD REQUEST;
	const struct bytes all = { (const uint8_t *)both, sizeof(both) - 1 };
	char text[CLIENT_TEXT_SIZE];
	size_t cut = (size_t)_i;

	come_through_proxy();
	/* However it comes apart. */
	ck_assert(say(bytes_slice(all, 0, cut)));
	ck_assert(say(bytes_slice(all, cut, all.len)));
	ck_assert_ptr_nonnull(strstr(hear(), "HTTP/1.1 404 "));
	client_to_text(&connection.client, text);
	ck_assert_str_eq(text, "198.51.100.7");
	/* Not a second time. */
	ck_assert(say(bytes_of("GET /none HTTP/1.1\r\nHost: a\r\n\r\n")));
	ck_assert_ptr_nonnull(strstr(hear(), "HTTP/1.1 404 "));
}
END_TEST

START_TEST(a_proxy_header_has_a_deadline)
{
	static const char both[] = PROXY_HEAD REQUEST;

	come_through_proxy();
	ck_assert(say((struct bytes){ (const uint8_t *)both, 5 }));
	ck_assert_int_eq(connection.deadline_ms - service->now_ms, 10000);
}
END_TEST

START_TEST(who_should_be_a_proxy_and_is_none_gets_no_answer)
{
	come_through_proxy();
	say(bytes_of(REQUEST));
	ck_assert_str_eq(hear(), "");
	ck_assert(connection.ended);
}
END_TEST

START_TEST(a_client_behind_a_proxy_is_counted_too)
{
	static const char both[] = PROXY_HEAD REQUEST;

	come_through_proxy();
	recount_allows = false;
	say((struct bytes){ (const uint8_t *)both, sizeof(both) - 1 });
	ck_assert_str_eq(hear(), "");
	ck_assert(connection.ended);
}
END_TEST

START_TEST(a_client_that_asks_too_much_is_told_to_wait)
{
	service->rates = rates_new(2);
	for (int i = 0; i < 2; i++) {
		ck_assert(say(bytes_of(REQUEST)));
		ck_assert_ptr_nonnull(strstr(hear(), "HTTP/1.1 404 "));
	}
	ck_assert(say(bytes_of(REQUEST)));
	ck_assert_ptr_nonnull(strstr(hear(), "HTTP/1.1 429 "));
	ck_assert_ptr_nonnull(strstr(answer, "Retry-After: 1\r\n"));
	service->now_ms += 500;
	ck_assert(say(bytes_of(REQUEST)));
	ck_assert_ptr_nonnull(strstr(hear(), "HTTP/1.1 404 "));
	rates_free(service->rates);
	service->rates = NULL;
}
END_TEST

/* The request that comes through this field is the named client's, by rate. */
static bool
is_served_as(const char *field)
{
	char text[256];

	snprintf(text, sizeof(text), "GET /none HTTP/1.1\r\nHost: a\r\n%s\r\n",
	    field);
	ck_assert(say(bytes_of(text)));
	hear();
	ck_assert_ptr_nonnull(strstr(answer, "HTTP/1.1 4"));
	return strstr(answer, "HTTP/1.1 404 ") != NULL;
}

static const struct {
	enum proxies_say say;
	const char	*one, *other, *none, *broken;
} fields[] = {
	{ PROXIES_SAY_FORWARDED, "Forwarded: for=198.51.100.7\r\n",
	  "forwarded: for=9.9.9.9, for=\"[2001:db8::7]:80\"\r\n",
	  "X-Forwarded-For: 198.51.100.9\r\n", "Forwarded: for\r\n" },
	{ PROXIES_SAY_X_FORWARDED_FOR, "X-Forwarded-For: 198.51.100.7\r\n",
	  "x-forwarded-for: 9.9.9.9, 2001:db8::7\r\n",
	  "Forwarded: for=198.51.100.9\r\n", "X-Forwarded-For: a\r\n" },
};

START_TEST(a_proxy_may_say_it_in_a_field_of_each_request)
{
	settings.proxies_say = fields[_i].say;
	settings.proxies[0] = somebody;
	settings.n_proxies = 1;
	connection.trusted = true;
	service->rates = rates_new(1);
	ck_assert(is_served_as(fields[_i].one));
	ck_assert(is_served_as(fields[_i].other));
	ck_assert(!is_served_as(fields[_i].one));
	ck_assert(!is_served_as(fields[_i].other));
	/* Without that field it is the proxy's own, once. */
	ck_assert(is_served_as(""));
	ck_assert(!is_served_as(fields[_i].none));
	/* A broken one is refused; the proxy's connection goes on. */
	ck_assert(!is_served_as(fields[_i].broken));
	ck_assert_ptr_nonnull(strstr(answer, "HTTP/1.1 400 "));
	ck_assert_ptr_null(strstr(answer, "Connection: close"));
	rates_free(service->rates);
	service->rates = NULL;
}
END_TEST

START_TEST(from_others_such_a_field_means_nothing)
{
	settings.proxies_say = fields[_i].say;
	service->rates = rates_new(2);
	ck_assert(is_served_as(fields[_i].one));
	ck_assert(is_served_as(fields[_i].broken));
	ck_assert(!is_served_as(fields[_i].other));
	rates_free(service->rates);
	service->rates = NULL;
}
END_TEST

START_TEST(too_many_questions_are_refused_at_once)
{
	static const struct wire_answer a = { .id = ID,
		.status = OCSP_UNAUTHORIZED };

	service->waiting = settings.max_waiting;
	send_request(false);
	ck_assert(!connection.waiting);
	ck_assert_ptr_nonnull(strstr(hear(), "HTTP/1.1 503 "));
	ck_assert_ptr_nonnull(strstr(answer, "\r\nRetry-After: 2\r\n"));
	ck_assert_ptr_null(strstr(answer, "Connection: close"));
	/* One less, and the next is asked; then nothing is counted twice. */
	service->waiting = settings.max_waiting - 1;
	say_request(false);
	ck_assert_uint_eq(service->waiting, settings.max_waiting);
	ck_assert(connection_answer(&connection, service, ID, &a));
	ck_assert_uint_eq(service->waiting, settings.max_waiting - 1);
	say_request(false);
	connection_close(&connection, service);
	ck_assert_uint_eq(service->waiting, settings.max_waiting - 1);
}
END_TEST

START_TEST(who_finds_no_place_is_told_so)
{
	ck_assert(connection_turn_away(&connection, service, ID));
	ck_assert_ptr_nonnull(strstr(hear(), "HTTP/1.1 503 "));
	ck_assert_ptr_nonnull(strstr(answer, "\r\nRetry-After: 2\r\n"));
	ck_assert_ptr_nonnull(strstr(answer, "\r\nConnection: close\r\n"));
	/* What it asks then is read, lest a reset takes our word away, and
	 * not answered. */
	ck_assert(say(bytes_of(REQUEST)));
	ck_assert_str_eq(hear(), "");
	service->now_ms = connection.deadline_ms;
	ck_assert(!connection_expire(&connection, service, ID));
}
END_TEST

/* What the log says while fn runs. */
static const char *
listen_to_log(void (*fn)(void))
{
	static char said[4096];
	FILE *file = tmpfile();
	int before = dup(STDERR_FILENO);
	ssize_t n;

	log_open("ocspd", "front", LOG_LEVEL_INFO);
	dup2(fileno(file), STDERR_FILENO);
	fn();
	dup2(before, STDERR_FILENO);
	close(before);
	n = pread(fileno(file), said, sizeof(said) - 1, 0);
	said[n < 0 ? 0 : n] = '\0';
	fclose(file);
	return said;
}

static void
ask_for_nothing(void)
{
	ck_assert(say(bytes_of("HEAD /none?secret HTTP/1.1\r\nHost: hidden"
	    "\r\nAuthorization: hidden\r\n\r\n")));
	hear();
}

static void
ask_the_responder(void)
{
	static const struct wire_answer a = { .id = ID,
		.status = OCSP_UNAUTHORIZED };

	say_request(false);
	ck_assert(connection_answer(&connection, service, ID, &a));
	hear();
}

START_TEST(the_access_log_says_who_asked_what_and_what_came_of_it)
{
	const char *said;
	char octets[32];

	settings.access_log_every = 1;
	said = listen_to_log(ask_for_nothing);
	snprintf(octets, sizeof(octets), "octets=%zu", strlen(answer));
	ck_assert_msg(strstr(said, "http.access") != NULL &&
	    strstr(said, "client=\"192.0.2.1\"") != NULL &&
	    strstr(said, "method=\"HEAD\"") != NULL &&
	    strstr(said, "kind=\"-\"") != NULL &&
	    strstr(said, "status=404") != NULL &&
	    strstr(said, octets) != NULL &&
	    strstr(said, " us=") != NULL, "%s", said);
	ck_assert_ptr_null(strstr(said, "secret"));
	ck_assert_ptr_null(strstr(said, "hidden"));
	said = listen_to_log(ask_the_responder);
	ck_assert_msg(strstr(said, "method=\"POST\"") != NULL &&
	    strstr(said, "kind=\"ocsp\"") != NULL &&
	    strstr(said, "status=200") != NULL, "%s", said);
	/* One in two. */
	settings.access_log_every = 2;
	ck_assert_str_eq(listen_to_log(ask_for_nothing), "");
	ck_assert_str_ne(listen_to_log(ask_for_nothing), "");
	settings.access_log_every = 0;
	ck_assert_str_eq(listen_to_log(ask_for_nothing), "");
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
	tcase_add_test(c, each_other_state_has_its_deadline_too);
	tcase_add_test(c, a_proxy_header_has_a_deadline);
	tcase_add_test(c, a_large_file_gives_no_time_beyond_its_end);
	tcase_add_test(c, more_octets_of_a_request_gain_no_time);
	/* Cut after each octet of the header, and a little beyond it. */
	tcase_add_loop_test(c, a_proxy_says_for_whom_it_is, 1, 32);
	tcase_add_test(c,
	    who_should_be_a_proxy_and_is_none_gets_no_answer);
	tcase_add_test(c, a_client_behind_a_proxy_is_counted_too);
	tcase_add_test(c, a_client_that_asks_too_much_is_told_to_wait);
	tcase_add_loop_test(c, a_proxy_may_say_it_in_a_field_of_each_request,
	    0, ROWS(fields));
	tcase_add_loop_test(c, from_others_such_a_field_means_nothing, 0,
	    ROWS(fields));
	tcase_add_test(c, too_many_questions_are_refused_at_once);
	tcase_add_test(c, who_finds_no_place_is_told_so);
	tcase_add_test(c,
	    the_access_log_says_who_asked_what_and_what_came_of_it);
	suite_add_tcase(s, c);
	return fixture_run(s);
}
