#include "csrmaild/api.h"

#include "csrmaild/wire.h"

#include "common/err.h"
#include "common/role.h"
#include "tests/support/fixtures.h"

#include <sys/socket.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * The role itself, in a process of its own behind its walls; the test is main
 * and registrar at once, and people at the other end of handed-over sockets.
 */
static struct {
	pid_t		 pid;
	struct channel	*control, *registrar;
	uint64_t	 last;
} api;

static void
start(void)
{
	int control[2], registrar[2];
	struct frame frame;
	struct err err;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, control), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, registrar), 0);
	api.pid = fork();
	if (api.pid == 0) {
		struct role role = { .program = "csrmaild", .name = "api" };

		close(control[0]);
		close(registrar[0]);
		role.control = channel_new(control[1], "main", 4096, 4096);
		strcpy(role.descriptors[0].name, "registrar");
		role.descriptors[0].fd = registrar[1];
		role.n_descriptors = 1;
		_exit(api_main(&role));
	}
	close(control[1]);
	close(registrar[1]);
	api.control = channel_new(control[0], "api", 4096, 4096);
	api.registrar = channel_new(registrar[0], "api",
	    WIRE_MAX_CALL + 1024, 2 * WIRE_MAX_RESULT);
	ck_assert_int_eq(channel_await(api.control, 5000, &frame, &err), 0);
}

static void
stop(void)
{
	int status;

	channel_free(api.control);
	waitpid(api.pid, &status, 0);
	channel_free(api.registrar);
}

/* A person connects: the number is api.last. Returns their end. */
static int
connect_somebody(bool may_upload)
{
	int pair[2];
	struct err err;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	ck_assert_int_eq(wire_send_connection(api.registrar, ++api.last,
	    may_upload, pair[1], &err), 0);
	return pair[0];
}

static int
connect_person(void)
{
	return connect_somebody(false);
}

static void
say(int fd, const char *text)
{
	ck_assert_int_eq(write(fd, text, strlen(text)),
	    (ssize_t)strlen(text));
}

/* What comes until `want` is in it; whole when it is. */
static const char *
hear(int fd, const char *want)
{
	static char text[8192];
	struct pollfd p = { fd, POLLIN, 0 };
	size_t len = 0;

	text[0] = '\0';
	while (strstr(text, want) == NULL && poll(&p, 1, 5000) == 1) {
		ssize_t n = read(fd, text + len, sizeof(text) - 1 - len);

		if (n <= 0)
			break;
		len += (size_t)n;
		text[len] = '\0';
	}
	ck_assert_msg(strstr(text, want) != NULL, "heard: %s", text);
	return text;
}

/* The next frame must be a call. */
static void
await_call(struct wire_call *call)
{
	struct frame frame;
	struct err err = { 0 };

	ck_assert_msg(channel_await(api.registrar, 5000, &frame, &err) == 0,
	    "%s", err.text);
	ck_assert_int_eq(frame.type, WIRE_CALL);
	ck_assert_int_eq(wire_get_call(&frame, call, &err), 0);
}

static void
await_closed(uint64_t want)
{
	struct frame frame;
	struct err err = { 0 };
	uint64_t connection;

	ck_assert_msg(channel_await(api.registrar, 5000, &frame, &err) == 0,
	    "%s", err.text);
	ck_assert_int_eq(frame.type, WIRE_CLOSED);
	ck_assert_int_eq(wire_get_closed(&frame, &connection, &err), 0);
	ck_assert_uint_eq(connection, want);
}

static void
answer(uint64_t connection, uint64_t call, uint16_t status, const char *json)
{
	struct wire_result result = { .connection = connection, .call = call,
		.status = status, .json = bytes_of(json) };
	struct err err;

	ck_assert_int_eq(wire_send_result(api.registrar, &result, &err), 0);
	ck_assert_int_eq(channel_flush(api.registrar, &err), 0);
}

static void
ck_json(const struct wire_call *call, const char *want)
{
	ck_assert_msg(bytes_equal(call->json, bytes_of(want)), "%.*s",
	    (int)call->json.len, (const char *)call->json.data);
}

START_TEST(a_get_becomes_a_call_and_its_result_the_answer)
{
	struct wire_call call;
	int fd = connect_person();

	say(fd, "GET /api/v1/requests?state=held&like=%20%C3%A4 HTTP/1.1\r\n"
	    "Host: x\r\n\r\n");
	await_call(&call);
	ck_assert_uint_eq(call.connection, api.last);
	ck_assert_str_eq(call.method, "GET");
	ck_assert_str_eq(call.path, "requests");
	ck_json(&call, "{\"like\":\" \xc3\xa4\",\"state\":\"held\"}");
	answer(call.connection, call.call, 200, "{\"items\":[]}");
	ck_assert_ptr_nonnull(strstr(hear(fd, "{\"items\":[]}"),
	    "HTTP/1.1 200"));
	close(fd);
	await_closed(api.last);
}
END_TEST

START_TEST(a_post_is_passed_on_as_canonical_json)
{
	struct wire_call call;
	int fd = connect_person();

	say(fd, "POST /api/v1/certificates/01%2F2/revoke HTTP/1.1\r\n"
	    "Host: x\r\nContent-Type: application/json\r\n"
	    "Content-Length: 37\r\n\r\n"
	    "{ \"reason\" : \"superseded\", \"a\":[1.0]");
	say(fd, "}");
	await_call(&call);
	ck_assert_str_eq(call.path, "certificates/01%2F2/revoke");
	ck_json(&call, "{\"a\":[1.0],\"reason\":\"superseded\"}");
	answer(call.connection, call.call, 409, "{\"status\":409}");
	ck_assert_ptr_nonnull(strstr(hear(fd, "{\"status\":409}"),
	    "application/problem+json"));
	/* The connection stays and takes the next. */
	say(fd, "GET /api/v1/status HTTP/1.1\r\nHost: x\r\n\r\n");
	await_call(&call);
	ck_json(&call, "{}");
	answer(call.connection, call.call, 200, "{}");
	hear(fd, "{}");
	close(fd);
}
END_TEST

START_TEST(answers_go_to_the_one_who_asked)
{
	int fds[3];
	struct wire_call calls[3];

	for (int i = 0; i < 3; i++) {
		fds[i] = connect_person();
		say(fds[i], "GET /api/v1/status HTTP/1.1\r\nHost: x\r\n\r\n");
		await_call(&calls[i]);
	}
	/* Neither a number nobody asked by, nor another's connection. */
	answer(calls[0].connection, calls[1].call + 100, 200, "{\"no\":1}");
	answer(calls[1].connection, calls[0].call, 200, "{\"no\":2}");
	for (int i = 2; i >= 0; i--) {
		char json[32];

		snprintf(json, sizeof(json), "{\"person\":%d}", i);
		answer(calls[i].connection, calls[i].call, 200, json);
		ck_assert_ptr_null(strstr(hear(fds[i], json), "\"no\""));
		close(fds[i]);
	}
}
END_TEST

static const struct {
	const char	*name;
	const char	*request;
	const char	*want;
} refused[] = {
	{ "another method",	"DELETE /api/v1/requests/1 HTTP/1.1\r\n"
	    "Host: x\r\n\r\n", " 405 " },
	{ "another place",	"GET /api/v2/status HTTP/1.1\r\n"
	    "Host: x\r\n\r\n", " 404 " },
	{ "the root",		"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
	    " 404 " },
	{ "an argument twice",	"GET /api/v1/cas?a=1&a=2 HTTP/1.1\r\n"
	    "Host: x\r\n\r\n", " 400 " },
	{ "a query that is not UTF-8", "GET /api/v1/cas?a=%FF HTTP/1.1\r\n"
	    "Host: x\r\n\r\n", " 400 " },
	{ "a form",		"POST /api/v1/reload HTTP/1.1\r\nHost: x\r\n"
	    "Content-Type: application/x-www-form-urlencoded\r\n"
	    "Content-Length: 3\r\n\r\na=1", " 415 " },
	{ "no type",		"POST /api/v1/reload HTTP/1.1\r\nHost: x\r\n"
	    "Content-Length: 2\r\n\r\n{}", " 415 " },
	{ "broken JSON",	"POST /api/v1/reload HTTP/1.1\r\nHost: x\r\n"
	    "Content-Type: application/json\r\n"
	    "Content-Length: 1\r\n\r\n{", " 400 " },
	{ "no object",		"POST /api/v1/reload HTTP/1.1\r\nHost: x\r\n"
	    "Content-Type: application/json\r\n"
	    "Content-Length: 2\r\n\r\n[]", " 400 " },
	{ "a key twice",	"POST /api/v1/reload HTTP/1.1\r\nHost: x\r\n"
	    "Content-Type: application/json\r\n"
	    "Content-Length: 13\r\n\r\n{\"a\":1,\"a\":2}", " 400 " },
	{ "nested too deeply",	"POST /api/v1/reload HTTP/1.1\r\nHost: x\r\n"
	    "Content-Type: application/json\r\n"
	    "Content-Length: 21\r\n\r\n{\"a\":[[[[[[[[]]]]]]]]}", " 400 " },
	{ "a NUL",		"POST /api/v1/reload HTTP/1.1\r\nHost: x\r\n"
	    "Content-Type: application/json\r\n"
	    "Content-Length: 14\r\n\r\n{\"a\":\"\\u0000\"}", " 400 " },
};

START_TEST(what_is_no_call_never_reaches_the_registrar)
{
	struct wire_call call;
	int fd = connect_person();

	say(fd, refused[_i].request);
	hear(fd, refused[_i].want);
	close(fd);
	await_closed(api.last);
	/* And api lives on. */
	fd = connect_person();
	say(fd, "GET /api/v1/cas HTTP/1.1\r\nHost: x\r\n\r\n");
	await_call(&call);
	ck_assert_str_eq(call.path, "cas");
	close(fd);
}
END_TEST

START_TEST(a_body_too_long_is_refused)
{
	char piece[8192];
	int fd = connect_person();

	memset(piece, ' ', sizeof(piece));
	say(fd, "POST /api/v1/requests HTTP/1.1\r\nHost: x\r\n"
	    "Content-Type: application/json\r\nContent-Length: 81920\r\n\r\n");
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(write(fd, piece, sizeof(piece)),
		    (ssize_t)sizeof(piece));
	hear(fd, " 413 ");
	close(fd);
	await_closed(api.last);
}
END_TEST

#define UPLOAD	"POST /api/v1/submissions?name=a.eml HTTP/1.1\r\nHost: x\r\n" \
		"Content-Type: application/octet-stream\r\n"

/* Any octets, none of them read: they come sealed, with the query as JSON. */
START_TEST(octets_are_passed_on_in_a_sealed_file)
{
	static const char body[] = "{\"a\": [[[[[[[[[[[ \0\xff\r\n";
	char octets[64] = "", length[64];
	struct wire_call call;
	int fd = connect_somebody(true), seals;
	ssize_t rest = sizeof(body) - 10;

	snprintf(length, sizeof(length), "Content-Length: %zu\r\n\r\n",
	    sizeof(body));
	say(fd, UPLOAD);
	say(fd, length);
	ck_assert_int_eq(write(fd, body, 10), 10);
	ck_assert_int_eq(write(fd, body + 10, (size_t)rest), rest);
	await_call(&call);
	ck_assert_str_eq(call.path, "submissions");
	ck_assert(bytes_equal(call.json, bytes_of("{\"name\":\"a.eml\"}")));
	ck_assert(call.has_octets);
	ck_assert_int_eq(pread(call.octets, octets, sizeof(octets), 0),
	    sizeof(body));
	ck_assert_int_eq(memcmp(octets, body, sizeof(body)), 0);
	seals = fcntl(call.octets, F_GET_SEALS);
	ck_assert_int_eq(seals & (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK),
	    F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK);
	close(call.octets);
	answer(call.connection, call.call, 201, "{}");
	hear(fd, " 201 ");
	close(fd);
	await_closed(api.last);
}
END_TEST

START_TEST(octets_of_who_may_not_send_them_are_refused)
{
	int fd = connect_somebody(false);

	say(fd, UPLOAD "Content-Length: 2\r\n\r\n{}");
	hear(fd, " 415 ");
	close(fd);
	await_closed(api.last);
}
END_TEST

START_TEST(all_octets_together_have_a_limit)
{
	static char piece[1 << 20];
	struct wire_call call;
	int fd = connect_somebody(true);

	say(fd, UPLOAD "Content-Length: 68157440\r\n\r\n");
	for (int i = 0; i < 65; i++)
		for (size_t at = 0; at < sizeof(piece);) {
			ssize_t n = write(fd, piece + at, sizeof(piece) - at);

			ck_assert_int_gt(n, 0);
			at += (size_t)n;
		}
	hear(fd, " 413 ");
	/* And then there is room again. */
	say(fd, UPLOAD "Content-Length: 2\r\n\r\nok");
	await_call(&call);
	ck_assert(call.has_octets);
	close(call.octets);
	answer(call.connection, call.call, 201, "{}");
	hear(fd, " 201 ");
	close(fd);
	await_closed(api.last);
}
END_TEST

START_TEST(who_leaves_while_waiting_is_forgotten)
{
	struct wire_call call;
	int fd = connect_person();

	say(fd, "GET /api/v1/status HTTP/1.1\r\nHost: x\r\n\r\n");
	await_call(&call);
	close(fd);
	answer(call.connection, call.call, 200, "{}");
	await_closed(api.last);
}
END_TEST

START_TEST(more_people_than_places_are_turned_away)
{
	int fds[65];

	for (int i = 0; i < 65; i++)
		fds[i] = connect_person();
	await_closed(api.last);
	for (int i = 0; i < 65; i++)
		close(fds[i]);
}
END_TEST

START_TEST(a_broken_registrar_ends_the_role)
{
	struct err err;
	int status;

	ck_assert_int_eq(channel_send(api.registrar, WIRE_ISSUE,
	    (struct bytes){ 0 }, -1, &err), 0);
	ck_assert_int_eq(waitpid(api.pid, &status, 0), api.pid);
	ck_assert_int_eq(WEXITSTATUS(status), EXIT_FAILURE);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("api");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, start, stop);
	tcase_add_test(tc, a_get_becomes_a_call_and_its_result_the_answer);
	tcase_add_test(tc, a_post_is_passed_on_as_canonical_json);
	tcase_add_test(tc, answers_go_to_the_one_who_asked);
	tcase_add_loop_test(tc, what_is_no_call_never_reaches_the_registrar,
	    0, ROWS(refused));
	tcase_add_test(tc, a_body_too_long_is_refused);
	tcase_add_test(tc, octets_are_passed_on_in_a_sealed_file);
	tcase_add_test(tc, octets_of_who_may_not_send_them_are_refused);
	tcase_add_test(tc, all_octets_together_have_a_limit);
	tcase_add_test(tc, who_leaves_while_waiting_is_forgotten);
	tcase_add_test(tc, more_people_than_places_are_turned_away);
	tcase_add_test(tc, a_broken_registrar_ends_the_role);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
