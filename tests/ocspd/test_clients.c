/* Clients that are slow, idle or many: none of them holds on for ever. */
#include "tests/support/fixtures.h"
#include "tests/support/ocsp_daemon.h"

#include <sys/socket.h>

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define SHORT		"idle_timeout_s = 1\nrequest_timeout_s = 1\n"
#define LONG_IDLE	"idle_timeout_s = 30\nrequest_timeout_s = 1\n"
#define A_GET		"GET /none HTTP/1.1\r\nHost: a\r\n\r\n"

static struct ocsp_daemon d;

static void
start(const char *more)
{
	daemon_open(&d, more);
	daemon_start(&d, 0);
	daemon_certify(&d);
}

static void
stop(void)
{
	daemon_stop(&d);
	daemon_close(&d);
}

/* Read to the end, while sending `drip` octet by octet. The end must come,
 * though we do not end it. What was read is in d.answer. */
static void
read_to_end(int fd, const char *drip)
{
	int64_t begun = daemon_now_ms();
	ssize_t n = 1;

	d.answer_len = 0;
	while (n > 0) {
		struct pollfd p = { fd, POLLIN, 0 };

		ck_assert_msg(daemon_now_ms() - begun < PATIENCE_MS,
		    "it goes on for ever");
		if (*drip != '\0')
			send(fd, drip++, 1, MSG_NOSIGNAL);
		if (poll(&p, 1, 100) != 1)
			continue;
		n = recv(fd, d.answer + d.answer_len,
		    sizeof(d.answer) - 1 - d.answer_len, 0);
		if (n > 0)
			d.answer_len += (size_t)n;
	}
	d.answer[d.answer_len] = '\0';
}

static bool
has_answer(const char *text)
{
	return strstr(d.answer, text) != NULL;
}

static const struct {
	const char	*name, *conf;
	const char	*first, *drip;	/* at once; then octet by octet */
	const char	*want;		/* in the answer; NULL: nothing comes */
} slow[] = {
	{ "says nothing", SHORT, "", "", NULL },
	{ "stops in a request", LONG_IDLE, "POST / HTTP/1.1\r\nHo", "",
	  "HTTP/1.1 408 " },
	{ "sends an octet now and then", LONG_IDLE, "", A_GET A_GET A_GET
	  A_GET A_GET A_GET, "HTTP/1.1 408 " },
	{ "stops in its second request", LONG_IDLE, A_GET "GET /",  "",
	  "HTTP/1.1 408 " },
	{ "stops after being told to continue", LONG_IDLE, "POST / HTTP/1.1\r\n"
	  "Host: a\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n", "",
	  "HTTP/1.1 408 " },
	{ "is idle between two requests", SHORT, A_GET, "",
	  "HTTP/1.1 404 " },
};

START_TEST(a_slow_client_is_let_go)
{
	int fd;

	start(slow[_i].conf);
	fd = daemon_dial(&d, 1);
	ck_assert_int_ge(fd, 0);
	send(fd, slow[_i].first, strlen(slow[_i].first), MSG_NOSIGNAL);
	read_to_end(fd, slow[_i].drip);
	close(fd);
	ck_assert_msg(slow[_i].want == NULL ? d.answer_len == 0 :
	    has_answer(slow[_i].want), "%s: %s", slow[_i].name, d.answer);
	stop();
}
END_TEST

/* Asks, but takes no answer: what waits for it is not kept for ever. */
START_TEST(a_client_that_does_not_read_is_let_go)
{
	int64_t begun;
	struct pollfd p;
	int fd;

	start(SHORT);
	fd = daemon_dial(&d, 1);
	ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	begun = daemon_now_ms();
	do {	/* nothing reads, so only the end of it changes anything */
		ck_assert_int_lt(daemon_now_ms() - begun, PATIENCE_MS);
		if (send(fd, A_GET, strlen(A_GET), MSG_NOSIGNAL) == -1)
			daemon_take_breath();
		p = (struct pollfd){ fd, 0, 0 };
		poll(&p, 1, 0);
	} while ((p.revents & (POLLERR | POLLHUP)) == 0);
	close(fd);
	stop();
}
END_TEST

/* One answer on a connection that then stays open. */
static bool
is_served(int fd)
{
	struct pollfd p = { fd, POLLIN, 0 };
	char octet;

	return fd >= 0 &&
	    send(fd, A_GET, strlen(A_GET), MSG_NOSIGNAL) > 0 &&
	    poll(&p, 1, PATIENCE_MS) == 1 && recv(fd, &octet, 1, 0) == 1;
}

START_TEST(connections_of_one_client_are_bounded)
{
	int64_t begun;
	int fds[3], more;

	start("fronts = 1\nmax_connections_per_client = 3\n");
	for (int i = 0; i < ROWS(fds); i++) {
		/* The tests' own earlier ones may still be ending. */
		begun = daemon_now_ms();
		while (!is_served(fds[i] = daemon_dial(&d, 1))) {
			close(fds[i]);
			ck_assert_int_lt(daemon_now_ms() - begun, PATIENCE_MS);
			daemon_take_breath();
		}
	}
	more = daemon_dial(&d, 1);
	ck_assert(!is_served(more));
	close(more);
	/* Others are served, and so is this one when it has let go. */
	more = daemon_dial(&d, 2);
	ck_assert(is_served(more));
	close(more);
	close(fds[0]);
	begun = daemon_now_ms();
	while (!is_served(fds[0] = daemon_dial(&d, 1))) {
		close(fds[0]);
		ck_assert_int_lt(daemon_now_ms() - begun, PATIENCE_MS);
		daemon_take_breath();
	}
	for (int i = 0; i < ROWS(fds); i++)
		close(fds[i]);
	stop();
}
END_TEST

/* The answer to one request, until the end of the connection or of its head. */
static const char *
hear_from(int fd)
{
	struct pollfd p = { fd, POLLIN, 0 };

	d.answer_len = 0;
	d.answer[0] = '\0';
	while (strstr(d.answer, "\r\n\r\n") == NULL) {
		ssize_t n;

		ck_assert_int_eq(poll(&p, 1, PATIENCE_MS), 1);
		n = recv(fd, d.answer + d.answer_len,
		    sizeof(d.answer) - 1 - d.answer_len, 0);
		if (n <= 0)
			break;
		d.answer_len += (size_t)n;
		d.answer[d.answer_len] = '\0';
	}
	return d.answer;
}

/* max_connections is 16: all of them with a request that has begun. */
START_TEST(when_all_places_are_taken_it_is_told)
{
	struct pollfd ended = { .events = POLLIN };
	int busy[16], more;
	int64_t begun = daemon_now_ms();

	start("fronts = 1\nmax_connections = 16\n");
	for (int i = 0; i < ROWS(busy); i++) {
		ck_assert_int_ge(busy[i] = daemon_dial(&d, 1), 0);
		ck_assert_int_eq(send(busy[i], A_GET, 10, MSG_NOSIGNAL), 10);
	}
	more = daemon_dial(&d, 2);
	ck_assert_int_eq(send(more, A_GET, strlen(A_GET), MSG_NOSIGNAL),
	    (ssize_t)strlen(A_GET));
	hear_from(more);
	ck_assert_msg(has_answer("HTTP/1.1 503 ") &&
	    has_answer("\r\nRetry-After: ") &&
	    has_answer("\r\nConnection: close\r\n"), "%s", d.answer);
	close(more);
	/* One of them becomes idle, and gives way after a second. */
	ck_assert_int_eq(send(busy[0], &A_GET[10], strlen(A_GET) - 10,
	    MSG_NOSIGNAL), (ssize_t)strlen(A_GET) - 10);
	ck_assert_ptr_nonnull(strstr(hear_from(busy[0]), "HTTP/1.1 404 "));
	for (;;) {
		ck_assert_int_lt(daemon_now_ms() - begun, PATIENCE_MS);
		ck_assert_int_ge(more = daemon_dial(&d, 2), 0);
		send(more, A_GET, strlen(A_GET), MSG_NOSIGNAL);
		if (strstr(hear_from(more), "HTTP/1.1 404 ") != NULL)
			break;
		close(more);
		daemon_take_breath();
	}
	/* At once: by itself it would be ended later than this waits. */
	ended.fd = busy[0];
	ck_assert_int_eq(poll(&ended, 1, PATIENCE_MS), 1);
	ck_assert_int_eq(recv(busy[0], d.answer, 1, 0), 0);
	close(more);
	for (int i = 0; i < ROWS(busy); i++)
		close(busy[i]);
	stop();
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("clients");
	TCase *c = tcase_create("clients");

	tcase_set_timeout(c, 90);
	tcase_add_loop_test(c, a_slow_client_is_let_go, 0, ROWS(slow));
	tcase_add_test(c, a_client_that_does_not_read_is_let_go);
	tcase_add_test(c, connections_of_one_client_are_bounded);
	tcase_add_test(c, when_all_places_are_taken_it_is_told);
	suite_add_tcase(s, c);
	return fixture_run(s);
}
