#include "tests/support/fake_server.h"

#include <check.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HOUR	3600

/* --- certificates -------------------------------------------------------------- */
struct pair {
	EVP_PKEY	*key;
	X509		*cert;
};

static void
add_extension(X509 *cert, int nid, const char *value)
{
	X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	ck_assert_ptr_nonnull(ext);
	X509_add_ext(cert, ext, -1);
	X509_EXTENSION_free(ext);
}

/* issuer NULL: a CA. */
static struct pair
make_pair(const char *name, const char *alt_name, long from, long to,
    const struct pair *issuer)
{
	struct pair p = { EVP_EC_gen("P-256"), X509_new() };
	static long serial;

	ck_assert(p.key != NULL && p.cert != NULL);
	X509_set_version(p.cert, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(p.cert), ++serial);
	X509_gmtime_adj(X509_getm_notBefore(p.cert), from);
	X509_gmtime_adj(X509_getm_notAfter(p.cert), to);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(p.cert), "CN",
	    MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(p.cert, X509_get_subject_name(
	    issuer != NULL ? issuer->cert : p.cert));
	X509_set_pubkey(p.cert, p.key);
	if (issuer == NULL)
		add_extension(p.cert, NID_basic_constraints,
		    "critical,CA:TRUE");
	else
		add_extension(p.cert, NID_subject_alt_name, alt_name);
	ck_assert(X509_sign(p.cert, issuer != NULL ? issuer->key : p.key,
	    EVP_sha256()) > 0);
	return p;
}

static void
free_pair(struct pair *p)
{
	EVP_PKEY_free(p->key);
	X509_free(p->cert);
}

static struct pair ca;
static char ca_path[] = "/tmp/fake-ca-XXXXXX";

static void
remove_ca_file(void)
{
	unlink(ca_path);
	free_pair(&ca);
}

const char *
fake_ca_file(void)
{
	FILE *file;
	int fd;

	if (ca.cert != NULL)
		return ca_path;
	ca = make_pair("Fake CA", NULL, -HOUR, HOUR, NULL);
	fd = mkstemp(ca_path);
	file = fd < 0 ? NULL : fdopen(fd, "w");
	ck_assert_ptr_nonnull(file);
	PEM_write_X509(file, ca.cert);
	fclose(file);
	atexit(remove_ca_file);
	return ca_path;
}

static SSL_CTX *
make_tls(enum fake_certificate which)
{
	SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
	const char *alt = which == FAKE_OTHER_NAME ?
	    "DNS:other.example.test" : "DNS:localhost,IP:127.0.0.1";
	struct pair other = { 0 }, leaf;

	fake_ca_file();
	if (which == FAKE_OTHER_CA)
		other = make_pair("Other CA", NULL, -HOUR, HOUR, NULL);
	leaf = make_pair("localhost", alt, -2 * HOUR,
	    which == FAKE_EXPIRED ? -HOUR : HOUR,
	    which == FAKE_OTHER_CA ? &other : &ca);
	ck_assert(SSL_CTX_use_certificate(tls, leaf.cert) == 1);
	ck_assert(SSL_CTX_use_PrivateKey(tls, leaf.key) == 1);
	if (which == FAKE_TLS_1_1) {
		SSL_CTX_set_security_level(tls, 0);
		SSL_CTX_set_min_proto_version(tls, TLS1_VERSION);
		SSL_CTX_set_max_proto_version(tls, TLS1_1_VERSION);
	}
	free_pair(&leaf);
	free_pair(&other);
	return tls;
}

/* --- the thread ------------------------------------------------------------------ */
static void *
serve(void *arg)
{
	struct fake_server *s = arg;
	struct timeval limit = { .tv_sec = 30 };

	s->fd = accept(s->listener, NULL, NULL);
	if (s->fd < 0)
		return NULL;
	setsockopt(s->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(s->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	s->script(s);
	SSL_free(s->ssl);
	if (s->fd >= 0)
		close(s->fd);
	return NULL;
}

void
fake_start(struct fake_server *s, void (*script)(struct fake_server *),
    enum fake_certificate which)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);

	signal(SIGPIPE, SIG_IGN);	/* of the fake's own writes */
	*s = (struct fake_server){ .script = script, .tls = make_tls(which) };
	s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(s->listener, (struct sockaddr *)&address, len),
	    0);
	ck_assert_int_eq(listen(s->listener, 1), 0);
	ck_assert_int_eq(getsockname(s->listener, (struct sockaddr *)&address,
	    &len), 0);
	s->port = ntohs(address.sin_port);
	ck_assert_int_eq(pthread_create(&s->thread, NULL, serve, s), 0);
}

void
fake_finish(struct fake_server *s)
{
	shutdown(s->listener, SHUT_RDWR);	/* if nobody ever came */
	pthread_join(s->thread, NULL);
	close(s->listener);
	SSL_CTX_free(s->tls);
}

/* --- for scripts --------------------------------------------------------------------- */
bool
fake_start_tls(struct fake_server *s)
{
	s->ssl = SSL_new(s->tls);
	SSL_set_fd(s->ssl, s->fd);
	return SSL_accept(s->ssl) == 1;
}

static bool
read_octet(struct fake_server *s, char *c)
{
	return s->ssl != NULL ? SSL_read(s->ssl, c, 1) == 1 :
	    recv(s->fd, c, 1, 0) == 1;
}

bool
fake_read_line(struct fake_server *s)
{
	size_t n = 0;
	char c;

	while (read_octet(s, &c) && c != '\n') {
		if (c != '\r' && n < sizeof(s->line) - 1)
			s->line[n++] = c;
	}
	s->line[n] = '\0';
	if (n == 0)
		return false;
	snprintf(s->tag, sizeof(s->tag), "%.*s",
	    (int)strcspn(s->line, " "), s->line);
	n = strlen(s->seen);
	snprintf(s->seen + n, sizeof(s->seen) - n, "%s|", s->line);
	return true;
}

bool
fake_write(struct fake_server *s, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = s->ssl != NULL ?
		    SSL_write(s->ssl, data, (int)len) :
		    send(s->fd, data, len, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		data += n;
		len -= (size_t)n;
	}
	return true;
}

bool
fake_say(struct fake_server *s, const char *fmt, ...)
{
	char text[4096];
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return fake_write(s, text, (size_t)n);
}

bool
fake_was_asked(const struct fake_server *s, const char *command)
{
	return strstr(s->line, command) != NULL;
}

void
fake_wait_for_close(struct fake_server *s)
{
	char octets[4096];

	while (recv(s->fd, octets, sizeof(octets), 0) > 0)
		continue;
}

void
fake_reset(struct fake_server *s)
{
	struct linger linger = { .l_onoff = 1 };

	setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(s->fd);
	s->fd = -1;
}
