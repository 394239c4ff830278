#include "csrmaild/stream.h"

#include "common/clock.h"
#include "common/err.h"
#include "tests/support/fake_server.h"
#include "tests/support/fixtures.h"

#include <sys/socket.h>

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SHORT_MS	150
#define LONG_MS		5000

static struct fake_server server;

static mailstream_low *
connect_to_fake(int64_t ms, int stop_fd)
{
	mailstream_low *low = NULL;
	struct err err = { 0 };

	ck_assert_msg(stream_connect("127.0.0.1", server.port,
	    clock_monotonic_ms() + ms, stop_fd, &low, &err) == 0, "%s",
	    err.text);
	stream_allow(low, clock_monotonic_ms() + ms, 1 << 20);
	return low;
}

static void
close_low(mailstream_low *low)
{
	mailstream_low_close(low);
	mailstream_low_free(low);
}

/* --- handshakes ------------------------------------------------------------------ */
static void
serve_tls(struct fake_server *s)
{
	if (fake_start_tls(s) && fake_say(s, "hello\r\n"))
		fake_wait_for_close(s);
}

static void
serve_nothing(struct fake_server *s)
{
	fake_wait_for_close(s);
}

static void
serve_junk(struct fake_server *s)
{
	fake_say(s, "220 this is no TLS at all, whatever you think\r\n");
	fake_wait_for_close(s);
}

static void
serve_close(struct fake_server *s)
{
	(void)s;
}

static const struct {
	const char	*name;
	void		(*script)(struct fake_server *);
	enum fake_certificate certificate;
	const char	*peer;		/* the name that we ask for */
	enum stream_fault want;
} handshakes[] = {
	{ "good", serve_tls, FAKE_GOOD, "localhost", STREAM_OK },
	{ "an address", serve_tls, FAKE_GOOD, "127.0.0.1", STREAM_OK },
	{ "wrong name", serve_tls, FAKE_GOOD, "mail.example.test",
	  STREAM_UNVERIFIED },
	{ "an address that is not in it", serve_tls, FAKE_GOOD, "127.0.0.2",
	  STREAM_UNVERIFIED },
	{ "another host's", serve_tls, FAKE_OTHER_NAME, "localhost",
	  STREAM_UNVERIFIED },
	{ "expired", serve_tls, FAKE_EXPIRED, "localhost",
	  STREAM_UNVERIFIED },
	{ "another CA's", serve_tls, FAKE_OTHER_CA, "localhost",
	  STREAM_UNVERIFIED },
	{ "TLS 1.1", serve_tls, FAKE_TLS_1_1, "localhost", STREAM_TLS },
	{ "no name", serve_tls, FAKE_GOOD, "", STREAM_TLS },
	{ "mute", serve_nothing, FAKE_GOOD, "localhost", STREAM_TIMEOUT },
	{ "no TLS", serve_junk, FAKE_GOOD, "localhost", STREAM_TLS },
	{ "closed", serve_close, FAKE_GOOD, "localhost", STREAM_CLOSED },
};

START_TEST(tls_is_verified_or_refused)
{
	SSL_CTX *tls = NULL;
	mailstream_low *low;
	struct err err = { 0 };
	enum stream_fault fault;
	int r;

	fake_start(&server, handshakes[_i].script,
	    handshakes[_i].certificate);
	ck_assert_int_eq(stream_tls_context(fake_ca_file(), &tls, &err), 0);
	low = connect_to_fake(handshakes[_i].want == STREAM_TIMEOUT ?
	    SHORT_MS : LONG_MS, -1);
	r = stream_start_tls(low, tls, handshakes[_i].peer, &err);
	fault = stream_fault(low, NULL);
	ck_assert_msg((r == 0) == (handshakes[_i].want == STREAM_OK),
	    "%s: %s", handshakes[_i].name, err.text);
	/* A reset may overtake the close. */
	if (fault == STREAM_IO)
		fault = STREAM_CLOSED;
	ck_assert_msg(fault == handshakes[_i].want, "%s: fault %d, %s",
	    handshakes[_i].name, (int)fault, err.text);
	close_low(low);
	SSL_CTX_free(tls);
	fake_finish(&server);
}
END_TEST

/* A server that wants to see a certificate, whoever made it, and says of whom
 * it is. */
static int
take_any(int good, X509_STORE_CTX *store)
{
	(void)good;
	(void)store;
	return 1;
}

static void
serve_who_shows_a_certificate(struct fake_server *s)
{
	char name[100] = "";

	SSL_CTX_set_verify(s->tls, SSL_VERIFY_PEER |
	    SSL_VERIFY_FAIL_IF_NO_PEER_CERT, take_any);
	if (!fake_start_tls(s))
		return;
	X509_NAME_get_text_by_NID(X509_get_subject_name(
	    SSL_get0_peer_certificate(s->ssl)), NID_commonName, name,
	    sizeof(name));
	if (fake_say(s, "hello, %s\r\n", name))
		fake_wait_for_close(s);
}

static struct buf
read_pem(const char *path)
{
	struct buf out = BUF(1 << 16);
	FILE *f = fopen(path, "r");
	char octets[1024];
	size_t n;

	ck_assert_ptr_nonnull(f);
	while ((n = fread(octets, 1, sizeof(octets), f)) > 0)
		buf_append(&out, octets, n);
	fclose(f);
	return out;
}

#define MAKE(name) "openssl req -x509 -newkey ec -pkeyopt " \
	"ec_paramgen_curve:P-256 -nodes -subj /CN=" name " -keyout " name \
	".key -out " name ".crt 2>/dev/null; "

START_TEST(a_server_that_asks_sees_our_certificate)
{
	char dir[] = "/tmp/stream-test-XXXXXX", octets[64] = "";
	SSL_CTX *tls = NULL;
	mailstream_low *low;
	struct err err = { 0 };

	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chdir(dir), 0);
	ck_assert_int_eq(system(MAKE("ours") MAKE("other")), 0);
	struct buf crt = read_pem("ours.crt"), key = read_pem("ours.key"),
	    other = read_pem("other.key");

	ck_assert_int_eq(system("rm ours.* other.*"), 0);
	ck_assert_int_eq(chdir("/"), 0);
	ck_assert_int_eq(rmdir(dir), 0);
	ck_assert_int_eq(stream_tls_context(fake_ca_file(), &tls, &err), 0);
	/* Not by another's key, nor out of the wrong file. */
	ck_assert_int_eq(stream_tls_identify(tls, buf_bytes(&crt),
	    buf_bytes(&other), &err), -1);
	ck_assert_int_eq(err.kind, ERR_FAULT);
	ck_assert_int_eq(stream_tls_identify(tls, buf_bytes(&key),
	    buf_bytes(&key), &err), -1);
	ck_assert_int_eq(stream_tls_identify(tls, buf_bytes(&crt),
	    buf_bytes(&crt), &err), -1);
	ck_assert_msg(stream_tls_identify(tls, buf_bytes(&crt),
	    buf_bytes(&key), &err) == 0, "%s", err.text);
	fake_start(&server, serve_who_shows_a_certificate, FAKE_GOOD);
	low = connect_to_fake(LONG_MS, -1);
	ck_assert_msg(stream_start_tls(low, tls, "localhost", &err) == 0,
	    "%s", err.text);
	ck_assert_int_gt(mailstream_low_read(low, octets,
	    sizeof(octets) - 1), 0);
	ck_assert_str_eq(octets, "hello, ours\r\n");
	close_low(low);
	SSL_CTX_free(tls);
	fake_finish(&server);
	buf_free(&crt);
	buf_free(&key);
	buf_free(&other);
}
END_TEST

START_TEST(an_unreadable_trust_store_is_our_fault)
{
	SSL_CTX *tls = NULL;
	struct err err = { 0 };

	ck_assert_int_eq(stream_tls_context("/nonexistent", &tls, &err), -1);
	ck_assert_int_eq(err.kind, ERR_FAULT);
	ck_assert_ptr_null(tls);
}
END_TEST

START_TEST(no_one_there_is_said_at_once)
{
	mailstream_low *low = NULL;
	struct err err = { 0 };
	int64_t start = clock_monotonic_ms();

	fake_start(&server, serve_close, FAKE_GOOD);
	fake_finish(&server);
	ck_assert_int_eq(stream_connect("127.0.0.1", server.port,
	    start + LONG_MS, -1, &low, &err), -1);
	ck_assert_int_eq(err.kind, ERR_RETRY);
	ck_assert(clock_monotonic_ms() < start + LONG_MS);
}
END_TEST

/* --- reading ------------------------------------------------------------------------ */
static void
serve_drip(struct fake_server *s)
{
	while (fake_write(s, "x", 1))
		usleep(1000);
}

static void
serve_flood(struct fake_server *s)
{
	static const char block[65536];

	while (fake_write(s, block, sizeof(block)))
		continue;
}

static void
serve_hello(struct fake_server *s)
{
	fake_say(s, "hello");
}

static void
serve_reset(struct fake_server *s)
{
	fake_read_line(s);	/* else connecting itself may fail */
	fake_reset(s);
}

/* Read until it fails. */
static size_t
drain(mailstream_low *low)
{
	char octets[4096];
	ssize_t n;
	size_t all = 0;

	while ((n = mailstream_low_read(low, octets, sizeof(octets))) != -1) {
		ck_assert_int_gt(n, 0);	/* libetpan loops on 0 */
		all += (size_t)n;
	}
	/* The first fault stays, whatever the socket has to say. */
	ck_assert_int_eq(mailstream_low_read(low, octets, 1), -1);
	ck_assert_int_eq(mailstream_low_write(low, "x", 1), -1);
	return all;
}

static const struct {
	const char	*name;
	void		(*script)(struct fake_server *);
	int64_t		 ms;
	enum stream_fault want;
	size_t		 octets;	/* (size_t)-1: any number */
} readings[] = {
	{ "closed", serve_hello, LONG_MS, STREAM_CLOSED, 5 },
	{ "reset", serve_reset, LONG_MS, STREAM_IO, 0 },
	{ "silent", serve_nothing, SHORT_MS, STREAM_TIMEOUT, 0 },
	{ "dripping", serve_drip, SHORT_MS, STREAM_TIMEOUT, (size_t)-1 },
	{ "flooding", serve_flood, LONG_MS, STREAM_TOO_MUCH, 1 << 20 },
};

START_TEST(a_bad_server_ends_at_its_deadline_or_its_ceiling)
{
	int64_t start = clock_monotonic_ms();
	mailstream_low *low;
	size_t n;

	fake_start(&server, readings[_i].script, FAKE_GOOD);
	low = connect_to_fake(readings[_i].ms, -1);
	if (readings[_i].script == serve_reset)
		ck_assert_int_eq(mailstream_low_write(low, "x\n", 2), 2);
	n = drain(low);
	ck_assert_msg(stream_fault(low, NULL) == readings[_i].want, "%s: %d",
	    readings[_i].name, (int)stream_fault(low, NULL));
	if (readings[_i].octets != (size_t)-1)
		ck_assert_uint_eq(n, readings[_i].octets);
	ck_assert_int_lt(clock_monotonic_ms(), start + LONG_MS);
	close_low(low);
	fake_finish(&server);
}
END_TEST

/* Who drips always has an octet ready when we ask. */
START_TEST(a_deadline_also_counts_when_something_can_be_read)
{
	mailstream_low *low;
	struct pollfd p = { .events = POLLIN };
	char c;

	fake_start(&server, serve_hello, FAKE_GOOD);
	low = connect_to_fake(LONG_MS, -1);
	p.fd = mailstream_low_get_fd(low);
	ck_assert_int_eq(poll(&p, 1, LONG_MS), 1);
	ck_assert_int_eq(mailstream_low_read(low, &c, 1), 1);
	stream_allow(low, clock_monotonic_ms(), 100);
	ck_assert_int_eq(mailstream_low_read(low, &c, 1), -1);
	ck_assert_int_eq(stream_fault(low, NULL), STREAM_TIMEOUT);
	close_low(low);
	fake_finish(&server);
}
END_TEST

START_TEST(a_server_that_does_not_read_ends_at_the_deadline)
{
	static const char block[65536];
	mailstream_low *low;

	fake_start(&server, serve_drip, FAKE_GOOD);
	low = connect_to_fake(SHORT_MS, -1);
	while (mailstream_low_write(low, block, sizeof(block)) > 0)
		continue;
	ck_assert_int_eq(stream_fault(low, NULL), STREAM_TIMEOUT);
	close_low(low);
	fake_finish(&server);
}
END_TEST

START_TEST(a_stop_ends_every_wait)
{
	mailstream_low *low;
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	fake_start(&server, serve_nothing, FAKE_GOOD);
	low = connect_to_fake(LONG_MS, ends[0]);
	ck_assert_int_eq(write(ends[1], "x", 1), 1);
	ck_assert_uint_eq(drain(low), 0);
	ck_assert_int_eq(stream_fault(low, NULL), STREAM_STOPPED);
	close_low(low);
	fake_finish(&server);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

/* --- waiting and STARTTLS ------------------------------------------------------------- */
START_TEST(waiting_sees_the_buffer_the_socket_and_the_others)
{
	mailstream_low *low;
	mailstream *stream;
	int ends[2];
	char c;

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	fake_start(&server, serve_tls, FAKE_GOOD);
	{
		SSL_CTX *tls = NULL;
		struct err err;

		ck_assert_int_eq(stream_tls_context(fake_ca_file(), &tls,
		    &err), 0);
		low = connect_to_fake(LONG_MS, -1);
		ck_assert_int_eq(stream_start_tls(low, tls, "localhost",
		    &err), 0);
		SSL_CTX_free(tls);
	}
	stream = mailstream_new(low, 4);
	/* On the socket, then in libetpan's buffer, then in OpenSSL's. */
	for (size_t i = 0; i < 7; i++) {
		ck_assert_int_eq(stream_wait(stream,
		    clock_monotonic_ms() + LONG_MS, NULL, 0),
		    STREAM_EVENT_DATA);
		ck_assert_int_eq(mailstream_read(stream, &c, 1), 1);
	}
	ck_assert_int_eq(stream_wait(stream, clock_monotonic_ms() + 20,
	    ends, 1), STREAM_EVENT_NONE);
	ck_assert_int_eq(write(ends[1], "x", 1), 1);
	ck_assert_int_eq(stream_wait(stream, clock_monotonic_ms() + LONG_MS,
	    ends, 1), STREAM_EVENT_OTHER);
	shutdown(server.fd, SHUT_RDWR);
	ck_assert_int_eq(stream_wait(stream, clock_monotonic_ms() + LONG_MS,
	    NULL, 0), STREAM_EVENT_FAULT);
	ck_assert_int_eq(stream_fault(low, NULL), STREAM_CLOSED);
	mailstream_close(stream);
	fake_finish(&server);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

START_TEST(octets_in_clear_before_the_handshake_are_refused)
{
	SSL_CTX *tls = NULL;
	mailstream *stream;
	struct err err;
	char c;

	fake_start(&server, serve_hello, FAKE_GOOD);
	ck_assert_int_eq(stream_tls_context(fake_ca_file(), &tls, &err), 0);
	stream = mailstream_new(connect_to_fake(LONG_MS, -1), 100);
	ck_assert_int_eq(mailstream_read(stream, &c, 1), 1);
	ck_assert_int_eq(stream_upgrade(stream, tls, "localhost", &err), -1);
	ck_assert_int_eq(stream_fault(stream->low, NULL), STREAM_INJECTED);
	mailstream_close(stream);
	SSL_CTX_free(tls);
	fake_finish(&server);
}
END_TEST

START_TEST(only_this_machine_is_loopback)
{
	mailstream_low *low;
	int pair[2];

	fake_start(&server, serve_nothing, FAKE_GOOD);
	low = connect_to_fake(LONG_MS, -1);
	ck_assert(stream_is_loopback(low));
	close_low(low);
	fake_finish(&server);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	low = stream_adopt(pair[0], -1);
	ck_assert(!stream_is_loopback(low));
	close_low(low);
	close(pair[1]);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("stream");
	TCase *tc = tcase_create("all");

	tcase_set_timeout(tc, 30);
	tcase_add_loop_test(tc, tls_is_verified_or_refused, 0,
	    ROWS(handshakes));
	tcase_add_test(tc, a_server_that_asks_sees_our_certificate);
	tcase_add_test(tc, an_unreadable_trust_store_is_our_fault);
	tcase_add_test(tc, no_one_there_is_said_at_once);
	tcase_add_loop_test(tc,
	    a_bad_server_ends_at_its_deadline_or_its_ceiling, 0,
	    ROWS(readings));
	tcase_add_test(tc,
	    a_deadline_also_counts_when_something_can_be_read);
	tcase_add_test(tc, a_server_that_does_not_read_ends_at_the_deadline);
	tcase_add_test(tc, a_stop_ends_every_wait);
	tcase_add_test(tc,
	    waiting_sees_the_buffer_the_socket_and_the_others);
	tcase_add_test(tc, octets_in_clear_before_the_handshake_are_refused);
	tcase_add_test(tc, only_this_machine_is_loopback);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
