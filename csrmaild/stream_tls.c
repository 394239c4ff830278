#include "csrmaild/stream_private.h"

#include "common/err.h"
#include "common/owned.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <arpa/inet.h>
#include <sys/socket.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

OWNED_BY(SSL_CTX, SSL_CTX_free)

static int
fault_err(struct stream *s, const char *doing, struct err *err)
{
	return err_set(err, ERR_RETRY, "%s: %s", doing, s->text);
}

/* --- OpenSSL over our socket ------------------------------------------------- */
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
		return stream_set_fault(s, STREAM_UNVERIFIED,
		    X509_verify_cert_error_string(verify));
	if (ssl_error == SSL_ERROR_ZERO_RETURN)
		return stream_set_fault(s, STREAM_CLOSED, "connection closed");
	if (ssl_error == SSL_ERROR_SSL &&
	    ERR_GET_REASON(queued) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
		return stream_set_fault(s, STREAM_CLOSED,
		    "connection closed without TLS close_notify");
	if (ssl_error == SSL_ERROR_SYSCALL && queued == 0) {
		errno = saved_errno;
		return saved_errno != 0 ? stream_set_errno(s) :
		    stream_set_fault(s, STREAM_CLOSED, "connection closed");
	}
	ERR_error_string_n(queued, text, sizeof(text));
	return stream_set_fault(s, STREAM_TLS, text);
}

/* After an SSL call that did not succeed: 0 to try again, -1 for good. */
static int
wait_for_ssl(struct stream *s, int result)
{
	int saved_errno = errno;
	int error = SSL_get_error(s->ssl, result);

	switch (error) {
	case SSL_ERROR_WANT_READ:
		return stream_wait_for(s, POLLIN);
	case SSL_ERROR_WANT_WRITE:
		return stream_wait_for(s, POLLOUT);
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

/* The first certificate is ours, the rest its chain. */
static int
use_certificates(SSL_CTX *ctx, BIO *pem)
{
	OWNED(X509) *own = PEM_read_bio_X509(pem, NULL, NULL, NULL);
	X509 *next;

	if (own == NULL || SSL_CTX_use_certificate(ctx, own) != 1)
		return -1;
	while ((next = PEM_read_bio_X509(pem, NULL, NULL, NULL)) != NULL) {
		if (SSL_CTX_add0_chain_cert(ctx, next) != 1) {
			X509_free(next);
			return -1;
		}
	}
	ERR_clear_error();	/* the end of the file */
	return 0;
}

/* No passphrase is asked for: a role has no terminal. */
static int
no_passphrase(char *out, int size, int writing, void *arg)
{
	(void)out;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

int
stream_tls_identify(SSL_CTX *ctx, struct bytes certificates, struct bytes key,
    struct err *err)
{
	OWNED(BIO) *chain = BIO_new_mem_buf(certificates.data,
	    (int)certificates.len);
	OWNED(BIO) *secret = BIO_new_mem_buf(key.data, (int)key.len);
	OWNED(EVP_PKEY) *private_key = NULL;

	if (chain == NULL || secret == NULL)
		return err_set(err, ERR_FAULT, "out of memory");
	if (use_certificates(ctx, chain) < 0)
		return err_openssl(err, ERR_FAULT, "client_certificate is no "
		    "certificate in PEM");
	private_key = PEM_read_bio_PrivateKey(secret, NULL, no_passphrase,
	    NULL);
	if (private_key == NULL)
		return err_openssl(err, ERR_FAULT, "client_key_file is no "
		    "private key in PEM, without a passphrase");
	if (SSL_CTX_use_PrivateKey(ctx, private_key) != 1 ||
	    SSL_CTX_check_private_key(ctx) != 1)
		return err_openssl(err, ERR_FAULT, "client_key_file is not "
		    "the key of client_certificate");
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
		if (stream_check_deadline(s) < 0)
			return -1;
		before_ssl();
		result = SSL_connect(s->ssl);
	} while (result != 1 && wait_for_ssl(s, result) == 0);
	if (result != 1)
		return -1;
	/* SSL_VERIFY_PEER has seen to both; a mistake there would be silent. */
	if (SSL_get_verify_result(s->ssl) != X509_V_OK ||
	    SSL_get0_peer_certificate(s->ssl) == NULL)
		return stream_set_fault(s, STREAM_UNVERIFIED,
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
		stream_set_fault(s, STREAM_TLS, "cannot set up the session");
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
		stream_set_fault(s, STREAM_INJECTED,
		    "octets in clear after STARTTLS was agreed");
		return fault_err(s, "TLS", err);
	}
	return stream_start_tls(stream->low, ctx, name, err);
}

/* --- octets -------------------------------------------------------------------- */
ssize_t
stream_tls_read(struct stream *s, void *data, size_t len)
{
	size_t got = 0;
	int result;

	before_ssl();
	result = SSL_read_ex(s->ssl, data, len, &got);
	return result == 1 ? (ssize_t)got : wait_for_ssl(s, result);
}

ssize_t
stream_tls_write(struct stream *s, const void *data, size_t len)
{
	size_t put = 0;
	int result;

	before_ssl();
	result = SSL_write_ex(s->ssl, data, len, &put);
	return result == 1 ? (ssize_t)put : wait_for_ssl(s, result);
}

/* SSL_peek rather than SSL_pending: it also works off the records that carry
 * no data, such as session tickets. */
int
stream_tls_peek(struct stream *s, short *events)
{
	uint8_t octet;
	int n, saved_errno, error;

	before_ssl();
	n = SSL_peek(s->ssl, &octet, 1);
	saved_errno = errno;
	*events = POLLIN;
	if (n > 0)
		return 1;
	error = SSL_get_error(s->ssl, n);
	if (error == SSL_ERROR_WANT_WRITE)
		*events = POLLOUT;
	else if (error != SSL_ERROR_WANT_READ)
		return set_ssl_fault(s, error, saved_errno);
	return 0;
}

void
stream_tls_close(struct stream *s)
{
	/* After a fatal error SSL_shutdown must not be called. */
	if (s->ssl != NULL && s->fault == STREAM_OK) {
		before_ssl();
		SSL_shutdown(s->ssl);
	}
	SSL_free(s->ssl);
	s->ssl = NULL;
}
