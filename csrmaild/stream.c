#include "csrmaild/stream.h"

#include "common/clock.h"
#include "common/err.h"
#include "common/owned.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_OTHERS	8

OWNED_BY(SSL_CTX, SSL_CTX_free)

struct stream {
	int		 fd;
	int		 stop_fd;
	SSL		*ssl;		/* NULL while in clear */
	int64_t		 deadline_ms;
	size_t		 allowed;	/* octets this command may still read */
	enum stream_fault fault;	/* the first; sticky */
	char		 text[200];
};

static struct stream *
stream_of(mailstream_low *low)
{
	return low->data;
}

/* Keeps the first fault only. Returns -1. */
static int
set_fault(struct stream *s, enum stream_fault fault, const char *text)
{
	if (s->fault == STREAM_OK) {
		s->fault = fault;
		snprintf(s->text, sizeof(s->text), "%s", text);
	}
	return -1;
}

static int
set_errno_fault(struct stream *s)
{
	return set_fault(s, STREAM_IO, strerror(errno));
}

static int
fault_err(struct stream *s, const char *doing, struct err *err)
{
	return err_set(err, ERR_RETRY, "%s: %s", doing, s->text);
}

enum stream_fault
stream_fault(mailstream_low *low, const char **text)
{
	struct stream *s = stream_of(low);

	if (text != NULL)
		*text = s->text;
	return s->fault;
}

void
stream_give_up(mailstream_low *low, const char *why)
{
	set_fault(stream_of(low), STREAM_IO, why);
}

void
stream_allow(mailstream_low *low, int64_t deadline_ms, size_t octets)
{
	struct stream *s = stream_of(low);

	s->deadline_ms = deadline_ms;
	s->allowed = octets;
}

/* --- waiting --------------------------------------------------------------- */
static int
poll_ms(int64_t left)
{
	return left > INT_MAX ? INT_MAX : (int)left;
}

/* Asked before every read and write, not only where poll would block: who
 * drips always has something ready. */
static int
check_deadline(struct stream *s)
{
	if (clock_monotonic_ms() >= s->deadline_ms)
		return set_fault(s, STREAM_TIMEOUT, "no answer in time");
	return 0;
}

static int
wait_for(struct stream *s, short events)
{
	for (;;) {
		struct pollfd fds[2] = {
			{ .fd = s->fd, .events = events },
			{ .fd = s->stop_fd, .events = POLLIN },
		};
		int n;

		if (check_deadline(s) < 0)
			return -1;
		n = poll(fds, 2,
		    poll_ms(s->deadline_ms - clock_monotonic_ms()));
		if (n < 0 && errno != EINTR)
			return set_errno_fault(s);
		if (n > 0 && fds[1].revents != 0)
			return set_fault(s, STREAM_STOPPED, "stopping");
		if (n > 0)	/* errors: the next read or write tells */
			return 0;
	}
}

/* --- TLS over our socket ----------------------------------------------------- */
/* A BIO of our own, since OpenSSL's writes by write(2) and raises SIGPIPE. */
static int
bio_write(BIO *bio, const char *data, int len)
{
	struct stream *s = BIO_get_data(bio);
	ssize_t n = send(s->fd, data, (size_t)len, MSG_NOSIGNAL);

	BIO_clear_retry_flags(bio);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		BIO_set_retry_write(bio);
	return (int)n;
}

static int
bio_read(BIO *bio, char *data, int len)
{
	struct stream *s = BIO_get_data(bio);
	ssize_t n = recv(s->fd, data, (size_t)len, 0);

	BIO_clear_retry_flags(bio);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		BIO_set_retry_read(bio);
	if (n == 0)
		BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
	return (int)n;
}

static long
bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
	(void)number;
	(void)pointer;
	if (command == BIO_CTRL_FLUSH)
		return 1;
	if (command == BIO_CTRL_EOF)
		return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
	return 0;
}

static int
bio_create(BIO *bio)
{
	BIO_set_init(bio, 1);
	return 1;
}

/* Made once and kept for the life of the process. */
static BIO_METHOD *
bio_method(void)
{
	static BIO_METHOD *method;

	if (method != NULL)
		return method;
	method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK,
	    "csrmail stream");
	if (method != NULL) {
		BIO_meth_set_write(method, bio_write);
		BIO_meth_set_read(method, bio_read);
		BIO_meth_set_ctrl(method, bio_ctrl);
		BIO_meth_set_create(method, bio_create);
	}
	return method;
}

static int
set_ssl_fault(struct stream *s, int ssl_error, int saved_errno)
{
	unsigned long queued = ERR_peek_last_error();
	long verify = SSL_get_verify_result(s->ssl);
	char text[200];

	if (verify != X509_V_OK)
		return set_fault(s, STREAM_UNVERIFIED,
		    X509_verify_cert_error_string(verify));
	if (ssl_error == SSL_ERROR_ZERO_RETURN)
		return set_fault(s, STREAM_CLOSED, "connection closed");
	if (ssl_error == SSL_ERROR_SSL &&
	    ERR_GET_REASON(queued) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
		return set_fault(s, STREAM_CLOSED,
		    "connection closed without TLS close_notify");
	if (ssl_error == SSL_ERROR_SYSCALL && queued == 0) {
		errno = saved_errno;
		return saved_errno != 0 ? set_errno_fault(s) :
		    set_fault(s, STREAM_CLOSED, "connection closed");
	}
	ERR_error_string_n(queued, text, sizeof(text));
	return set_fault(s, STREAM_TLS, text);
}

/* After an SSL call that did not succeed: 0 to try again, -1 for good. */
static int
wait_for_ssl(struct stream *s, int result)
{
	int saved_errno = errno;
	int error = SSL_get_error(s->ssl, result);

	switch (error) {
	case SSL_ERROR_WANT_READ:
		return wait_for(s, POLLIN);
	case SSL_ERROR_WANT_WRITE:
		return wait_for(s, POLLOUT);
	default:
		return set_ssl_fault(s, error, saved_errno);
	}
}

/* The error queue and errno are looked at after the call: empty them. */
static void
before_ssl(void)
{
	ERR_clear_error();
	errno = 0;
}

int
stream_tls_context(const char *ca_file, SSL_CTX **out, struct err *err)
{
	OWNED(SSL_CTX) *ctx = SSL_CTX_new(TLS_client_method());
	int loaded;

	if (ctx == NULL || bio_method() == NULL)
		return err_openssl(err, ERR_FAULT, "setting up TLS");
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION |
	    SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
	    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_AUTO_RETRY);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	loaded = ca_file[0] == '\0' ? SSL_CTX_set_default_verify_paths(ctx) :
	    SSL_CTX_load_verify_locations(ctx, ca_file, NULL);
	if (loaded != 1)
		return err_openssl(err, ERR_FAULT,
		    "reading the trusted certificates");
	*out = TAKE(ctx);
	return 0;
}

/* The name that the certificate must bear; an address goes without SNI (RFC
 * 6066, 3). */
static bool
set_peer_name(SSL *ssl, const char *name)
{
	uint8_t address[16];

	if (inet_pton(AF_INET, name, address) == 1 ||
	    inet_pton(AF_INET6, name, address) == 1)
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl),
		    name) == 1;
	/* RFC 9525, 6.3: no names from the subject, no "f*.example.org". */
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
	    X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	return SSL_set1_host(ssl, name) == 1 &&
	    SSL_set_tlsext_host_name(ssl, name) == 1;
}

static int
shake_hands(struct stream *s)
{
	int result;

	do {
		if (check_deadline(s) < 0)
			return -1;
		before_ssl();
		result = SSL_connect(s->ssl);
	} while (result != 1 && wait_for_ssl(s, result) == 0);
	if (result != 1)
		return -1;
	/* SSL_VERIFY_PEER has seen to both; a mistake there would be silent. */
	if (SSL_get_verify_result(s->ssl) != X509_V_OK ||
	    SSL_get0_peer_certificate(s->ssl) == NULL)
		return set_fault(s, STREAM_UNVERIFIED,
		    "no verified certificate");
	return 0;
}

int
stream_start_tls(mailstream_low *low, SSL_CTX *ctx, const char *name,
    struct err *err)
{
	struct stream *s = stream_of(low);
	BIO *bio;

	if (s->fault != STREAM_OK)
		return fault_err(s, "TLS", err);
	s->ssl = SSL_new(ctx);
	bio = BIO_new(bio_method());
	if (s->ssl == NULL || bio == NULL || name[0] == '\0' ||
	    !set_peer_name(s->ssl, name)) {
		BIO_free(bio);
		set_fault(s, STREAM_TLS, "cannot set up the session");
		return fault_err(s, "TLS", err);
	}
	BIO_set_data(bio, s);
	SSL_set_bio(s->ssl, bio, bio);
	if (shake_hands(s) < 0)
		return fault_err(s, "TLS", err);
	return 0;
}

int
stream_upgrade(mailstream *stream, SSL_CTX *ctx, const char *name,
    struct err *err)
{
	struct stream *s = stream_of(stream->low);

	/* RFC 3207, 6 and its like: what came in clear must not be taken for
	 * an answer under TLS. */
	if (stream->read_buffer_len > 0 || stream->write_buffer_len > 0) {
		set_fault(s, STREAM_INJECTED,
		    "octets in clear after STARTTLS was agreed");
		return fault_err(s, "TLS", err);
	}
	return stream_start_tls(stream->low, ctx, name, err);
}

/* --- the driver ---------------------------------------------------------------- */
/* Returns octets, or -1 with the fault set; 0 only to try again. */
static ssize_t
read_some(struct stream *s, void *data, size_t len)
{
	ssize_t n;

	if (s->ssl != NULL) {
		size_t got = 0;
		int result;

		before_ssl();
		result = SSL_read_ex(s->ssl, data, len, &got);
		if (result == 1)
			return (ssize_t)got;
		return wait_for_ssl(s, result);
	}
	n = recv(s->fd, data, len, 0);
	if (n > 0)
		return n;
	if (n == 0)
		return set_fault(s, STREAM_CLOSED, "connection closed");
	if (errno == EAGAIN)
		return wait_for(s, POLLIN);
	return errno == EINTR ? 0 : set_errno_fault(s);
}

/* Never returns 0: libetpan would ask again for ever. */
static ssize_t
driver_read(mailstream_low *low, void *data, size_t len)
{
	struct stream *s = stream_of(low);
	ssize_t n = 0;

	if (s->fault != STREAM_OK || len == 0)
		return -1;
	if (s->allowed == 0)
		return set_fault(s, STREAM_TOO_MUCH,
		    "the answer is larger than it can be");
	if (len > s->allowed)
		len = s->allowed;
	while (n == 0) {
		if (check_deadline(s) < 0)
			return -1;
		n = read_some(s, data, len);
	}
	if (n > 0)
		s->allowed -= (size_t)n;
	return n;
}

static ssize_t
write_some(struct stream *s, const void *data, size_t len)
{
	ssize_t n;

	if (s->ssl != NULL) {
		size_t put = 0;
		int result;

		before_ssl();
		result = SSL_write_ex(s->ssl, data, len, &put);
		if (result == 1)
			return (ssize_t)put;
		return wait_for_ssl(s, result);
	}
	n = send(s->fd, data, len, MSG_NOSIGNAL);
	if (n >= 0)
		return n;
	if (errno == EAGAIN)
		return wait_for(s, POLLOUT);
	return errno == EINTR ? 0 : set_errno_fault(s);
}

static ssize_t
driver_write(mailstream_low *low, const void *data, size_t len)
{
	struct stream *s = stream_of(low);
	ssize_t n = 0;

	if (s->fault != STREAM_OK || len == 0)
		return -1;
	while (n == 0) {
		if (check_deadline(s) < 0)
			return -1;
		n = write_some(s, data, len);
	}
	return n;
}

static int
driver_close(mailstream_low *low)
{
	struct stream *s = stream_of(low);

	/* After a fatal error SSL_shutdown must not be called. */
	if (s->ssl != NULL && s->fault == STREAM_OK) {
		before_ssl();
		SSL_shutdown(s->ssl);
	}
	SSL_free(s->ssl);
	s->ssl = NULL;
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	return 0;
}

static int
driver_get_fd(mailstream_low *low)
{
	return stream_of(low)->fd;
}

static void
driver_free(mailstream_low *low)
{
	driver_close(low);
	free(low->data);
	free(low);
}

static mailstream_low_driver driver = {
	.mailstream_read = driver_read,
	.mailstream_write = driver_write,
	.mailstream_close = driver_close,
	.mailstream_get_fd = driver_get_fd,
	.mailstream_free = driver_free,
};

/* --- opening --------------------------------------------------------------------- */
mailstream_low *
stream_adopt(int fd, int stop_fd)
{
	struct stream *s = calloc(1, sizeof(*s));
	mailstream_low *low = NULL;
	int flags = fcntl(fd, F_GETFL);

	if (s != NULL && flags >= 0 &&
	    fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0)
		low = mailstream_low_new(s, &driver);
	if (low == NULL) {
		free(s);
		close(fd);
		return NULL;
	}
	s->fd = fd;
	s->stop_fd = stop_fd;
	return low;
}

void
stream_free(mailstream_low *low)
{
	if (low != NULL)
		mailstream_low_free(low);	/* which cannot take NULL */
}

/* One address. 0 connected, 1 this one does not answer, -1 give up. */
static int
connect_to(struct stream *s, const struct addrinfo *address)
{
	int error = 0, one = 1;
	socklen_t len = sizeof(error);

	s->fd = socket(address->ai_family,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd < 0)
		return 1;
	if (connect(s->fd, address->ai_addr, address->ai_addrlen) < 0) {
		error = errno;
		if (error == EINPROGRESS) {
			if (wait_for(s, POLLOUT) < 0)
				return -1;
			if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error,
			    &len) < 0)
				error = errno;
		}
	}
	if (error == 0) {
		setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		return 0;
	}
	close(s->fd);
	s->fd = -1;
	errno = error;
	return 1;
}

int
stream_connect(const char *host, uint16_t port, int64_t deadline_ms,
    int stop_fd, mailstream_low **out, struct err *err)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
	    .ai_flags = AI_NUMERICSERV };
	struct stream s = { .fd = -1, .stop_fd = stop_fd,
	    .deadline_ms = deadline_ms };
	struct addrinfo *list = NULL;
	char service[8];
	int r;

	snprintf(service, sizeof(service), "%u", port);
	r = getaddrinfo(host, service, &hints, &list);
	if (r != 0)
		return err_set(err, ERR_RETRY, "%s: %s", host,
		    r == EAI_SYSTEM ? strerror(errno) : gai_strerror(r));
	r = 1;
	for (const struct addrinfo *a = list; a != NULL && r == 1;
	    a = a->ai_next)
		r = connect_to(&s, a);
	freeaddrinfo(list);
	if (r == 1)
		return err_set(err, ERR_RETRY, "%s port %u: %s", host, port,
		    strerror(errno));
	if (r < 0) {
		if (s.fd >= 0)
			close(s.fd);
		return err_set(err, ERR_RETRY, "%s port %u: %s", host, port,
		    s.text);
	}
	*out = stream_adopt(s.fd, stop_fd);
	if (*out == NULL)
		return err_set(err, ERR_RETRY, "out of memory");
	stream_of(*out)->deadline_ms = deadline_ms;
	return 0;
}

bool
stream_is_loopback(mailstream_low *low)
{
	union {
		struct sockaddr		any;
		struct sockaddr_in	v4;
		struct sockaddr_in6	v6;
	} peer = { 0 };
	socklen_t len = sizeof(peer);

	if (getpeername(stream_of(low)->fd, &peer.any, &len) < 0)
		return false;
	switch (peer.any.sa_family) {
	case AF_INET:
		return ntohl(peer.v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	case AF_INET6:
		return IN6_IS_ADDR_LOOPBACK(&peer.v6.sin6_addr) ||
		    (IN6_IS_ADDR_V4MAPPED(&peer.v6.sin6_addr) &&
		    peer.v6.sin6_addr.s6_addr[12] == IN_LOOPBACKNET);
	default:
		return false;
	}
}

/* --- waiting for the server to speak ------------------------------------------------ */
/* 1 when something can be read, 0 when not, *events to poll for; -1 fault. */
static int
peek(struct stream *s, short *events)
{
	uint8_t octet;
	int saved_errno, error;
	ssize_t n;

	*events = POLLIN;
	if (s->ssl == NULL) {
		n = recv(s->fd, &octet, 1, MSG_PEEK);
		if (n > 0)
			return 1;
		if (n == 0)
			return set_fault(s, STREAM_CLOSED,
			    "connection closed");
		return errno == EAGAIN || errno == EINTR ? 0 :
		    set_errno_fault(s);
	}
	/* SSL_peek rather than SSL_pending: it also works off the records
	 * that carry no data, such as session tickets. */
	before_ssl();
	n = SSL_peek(s->ssl, &octet, 1);
	saved_errno = errno;
	if (n > 0)
		return 1;
	error = SSL_get_error(s->ssl, (int)n);
	if (error == SSL_ERROR_WANT_WRITE)
		*events = POLLOUT;
	else if (error != SSL_ERROR_WANT_READ)
		return set_ssl_fault(s, error, saved_errno);
	return 0;
}

enum stream_event
stream_wait(mailstream *stream, int64_t until_ms, const int *others, size_t n)
{
	struct stream *s = stream_of(stream->low);
	struct pollfd fds[2 + MAX_OTHERS];

	if (n > MAX_OTHERS)
		n = MAX_OTHERS;
	for (;;) {
		int64_t left;
		short events;
		int r;

		if (s->fault != STREAM_OK)
			return STREAM_EVENT_FAULT;
		if (stream->read_buffer_len > 0)
			return STREAM_EVENT_DATA;
		r = peek(s, &events);
		if (r != 0)
			return r > 0 ? STREAM_EVENT_DATA : STREAM_EVENT_FAULT;
		left = until_ms - clock_monotonic_ms();
		if (left <= 0)
			return STREAM_EVENT_NONE;
		fds[0] = (struct pollfd){ .fd = s->fd, .events = events };
		fds[1] = (struct pollfd){ .fd = s->stop_fd,
		    .events = POLLIN };
		for (size_t i = 0; i < n; i++)
			fds[2 + i] = (struct pollfd){ .fd = others[i],
			    .events = POLLIN };
		r = poll(fds, 2 + n, poll_ms(left));
		if (r < 0 && errno != EINTR) {
			set_errno_fault(s);
			return STREAM_EVENT_FAULT;
		}
		if (r <= 0)
			continue;
		for (size_t i = 1; i < 2 + n; i++) {
			if (fds[i].revents != 0)
				return STREAM_EVENT_OTHER;
		}
	}
}
