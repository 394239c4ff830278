#include "csrmaild/ctl/protocol.h"

#include "csrmaild/ctl/ctl.h"
#include "csrmaild/principal.h"
#include "csrmaild/settings.h"

#include "common/clock.h"
#include "common/err.h"
#include "common/issue.h"
#include "common/key.h"
#include "common/owned.h"
#include "common/serial.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MAX_OCTETS	(64u << 10)
#define LINE		"______________________________"
#define SHORT_LINE	"______________"

void
protocol_put(struct protocol *p, const char *label, const char *value)
{
	char *shown = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&shown, &size);

	if (f == NULL)
		return;
	table_put_text(f, value, 0);
	fclose(f);
	buf_printf(&p->text, "%-16s%s\n", label, shown);
	free(shown);
}

static void
put_moment(struct protocol *p, const char *label, time_t t)
{
	char text[32];
	struct tm tm;

	if (gmtime_r(&t, &tm) != NULL && strftime(text, sizeof(text),
	    "%Y-%m-%dT%H:%M:%SZ", &tm) > 0)
		protocol_put(p, label, text);
}

static void
put_who(struct protocol *p)
{
	struct right_groups nobody = { .own_uid = (uid_t)-1 };
	char text[PRINCIPAL_TEXT_SIZE], host[256] = "";
	const char *sudo = getenv("SUDO_USER");
	struct principal who;

	principal_of_ids(getuid(), getgid(), NULL, 0, &nobody, &who);
	principal_describe(&who, text, sizeof(text));
	protocol_put(p, "by", text);
	if (sudo != NULL && *sudo != '\0')
		protocol_put(p, "  for", sudo);
	if (gethostname(host, sizeof(host) - 1) == 0)
		protocol_put(p, "on", host);
}

/* As a shell takes it. */
static void
put_word(struct buf *line, const char *word)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789@%+=:,./_-";
	bool quoted = *word == '\0' || word[strspn(word, plain)] != '\0';

	if (!quoted) {
		buf_append_str(line, word);
		return;
	}
	buf_append_str(line, "'");
	for (; *word != '\0'; word++)
		buf_printf(line, *word == '\'' ? "'\\%c'" : "%c", *word);
	buf_append_str(line, "'");
}

static void
put_command(struct protocol *p)
{
	OWNED_BUF(line, 8192);

	for (int i = 0; i < p->ctl->argc; i++) {
		if (i > 0)
			buf_append_str(&line, " ");
		put_word(&line, p->ctl->argv[i]);
	}
	if (line.len > 0)
		protocol_put(p, "command", buf_str(&line));
}

void
protocol_begin(struct protocol *p, struct ctl *ctl, const char *what)
{
	*p = (struct protocol){ ctl, BUF(MAX_OCTETS) };
	buf_printf(&p->text, "Protocol: %s\n\n", what);
	put_moment(p, "at", clock_now());
	put_who(p);
	protocol_put(p, "with", "csrmail " CSRMAIL_VERSION);
	put_command(p);
	if (ctl->settings != NULL)
		protocol_put(p, "folder", ctl->settings->state_dir);
}

static void
put_name(struct protocol *p, const char *label, const X509_NAME *name)
{
	OWNED(BIO) *bio = BIO_new(BIO_s_mem());
	char text[1024];
	int n;

	/* The order of the RDNs as it is, not RFC 2253's reverse. */
	if (bio == NULL || X509_NAME_print_ex(bio, name, 0,
	    XN_FLAG_ONELINE & ~ASN1_STRFLGS_ESC_MSB) < 0)
		return;
	n = BIO_read(bio, text, (int)sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	protocol_put(p, label, text);
}

void
protocol_put_names(struct protocol *p, const char *label,
    const struct names *names)
{
	char text[1024];

	names_describe(names, text, sizeof(text));
	protocol_put(p, label, text);
}

void
protocol_put_facts(struct protocol *p, const struct key_facts *facts)
{
	char print[96], kind[48];

	snprintf(kind, sizeof(kind), facts->kind == KEY_RSA ? "%s %u" : "%s",
	    key_kind_name(facts->kind), facts->bits);
	protocol_put(p, "  key", kind);
	hex_encode_colons((struct bytes){ facts->spki_sha256, 32 }, print);
	protocol_put(p, "  key SHA-256", print);
}

void
protocol_put_cert(struct protocol *p, const char *label, X509 *cert)
{
	char hex[SERIAL_HEX_SIZE], number[32], print[96];
	uint8_t digest[32];
	struct key_facts facts;
	struct serial serial;
	struct err ignored;
	time_t t;

	buf_printf(&p->text, "\n%s\n", label);
	put_name(p, "  subject", X509_get_subject_name(cert));
	put_name(p, "  issuer", X509_get_issuer_name(cert));
	if (serial_from_asn1(X509_get0_serialNumber(cert), &serial,
	    &ignored) == 0) {
		serial_to_hex(&serial, hex);
		protocol_put(p, "  serial", hex);
	}
	if (asn1_time_read(X509_get0_notBefore(cert), &t, &ignored) == 0)
		put_moment(p, "  valid from", t);
	if (asn1_time_read(X509_get0_notAfter(cert), &t, &ignored) == 0)
		put_moment(p, "  until", t);
	if (X509_check_ca(cert) == 1) {
		long limit = X509_get_pathlen(cert);

		snprintf(number, sizeof(number), limit < 0 ? "no limit" :
		    "%ld", limit);
		protocol_put(p, "  path length", number);
	}
	if (key_examine(X509_get_X509_PUBKEY(cert), &facts, &ignored) == 0)
		protocol_put_facts(p, &facts);
	if (X509_digest(cert, EVP_sha256(), digest, NULL) == 1) {
		hex_encode_colons((struct bytes){ digest, 32 }, print);
		protocol_put(p, "  SHA-256", print);
	}
	ERR_clear_error();
}

static void
put_number(struct protocol *p, const char *label, const json_t *value)
{
	char text[32];

	snprintf(text, sizeof(text), "%lld",
	    (long long)json_integer_value(value));
	protocol_put(p, label, text);
}

static void
put_text(struct protocol *p, const char *label, const json_t *value)
{
	protocol_put(p, label, json_is_string(value) ?
	    json_string_value(value) : "");
}

void
protocol_put_crl(struct protocol *p, const json_t *ca, const json_t *crl)
{
	const char *pem = json_string_value(json_object_get(ca, "pem"));
	OWNED(BIO) *bio = pem == NULL ? NULL : BIO_new_mem_buf(pem, -1);
	OWNED(X509) *cert = bio == NULL ? NULL :
	    PEM_read_bio_X509(bio, NULL, NULL, NULL);
	int base = (int)json_integer_value(json_object_get(crl, "base"));
	int shard = (int)json_integer_value(json_object_get(crl, "shard"));

	buf_append_str(&p->text, "\nlist\n");
	if (cert != NULL)
		put_name(p, "  issuer", X509_get_subject_name(cert));
	ERR_clear_error();
	put_number(p, "  number", json_object_get(crl, "number"));
	if (shard != 0)
		put_number(p, "  shard", json_object_get(crl, "shard"));
	if (base != 0)
		put_number(p, "  delta of", json_object_get(crl, "base"));
	put_text(p, "  this update", json_object_get(crl, "this_update"));
	put_text(p, "  next update", json_object_get(crl, "next_update"));
	put_number(p, "  entries", json_object_get(crl, "entries"));
}

/* Piece by piece: a list may have a million entries. */
static int
digest_file(const char *path, uint8_t out[32])
{
	OWNED_FD fd = open(path, O_RDONLY | O_CLOEXEC);
	OWNED(EVP_MD_CTX) *ctx = EVP_MD_CTX_new();
	uint8_t piece[16384];
	ssize_t n = -1;

	if (fd < 0 || ctx == NULL ||
	    EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1)
		return -1;
	while ((n = read(fd, piece, sizeof(piece))) > 0)
		if (EVP_DigestUpdate(ctx, piece, (size_t)n) != 1)
			return -1;
	return n == 0 && EVP_DigestFinal_ex(ctx, out, NULL) == 1 ? 0 : -1;
}

void
protocol_put_file(struct protocol *p, const char *path)
{
	char print[96], whole[PATH_MAX];
	uint8_t digest[32];

	buf_append_str(&p->text, "\n");
	protocol_put(p, "file", realpath(path, whole) == NULL ? path :
	    whole);
	if (digest_file(path, digest) != 0)
		return;
	hex_encode_colons((struct bytes){ digest, 32 }, print);
	protocol_put(p, "  SHA-256", print);
}

int
protocol_check(struct ctl *ctl, struct err *err)
{
	const char *path = ctl_option(ctl, "protocol");
	OWNED_FD fd = -1;

	if (path == NULL)
		return 0;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd >= 0) {
		unlink(path);
		return 0;
	}
	return errno == EEXIST ? ctl_fail(ctl, EX_CANTCREAT, err, "%s is "
	    "there already: name a new file for the protocol", path) :
	    ctl_fail(ctl, EX_CANTCREAT, err, "the protocol, %s: %s", path,
	    strerror(errno));
}

static int
write_file(struct protocol *p, const char *path, struct err *err)
{
	OWNED_FD fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
	    0644);

	if (fd < 0 || write(fd, p->text.data, p->text.len) !=
	    (ssize_t)p->text.len || fsync(fd) != 0)
		return ctl_fail(p->ctl, EX_CANTCREAT, err, "it is done, but "
		    "its protocol cannot be written: %s: %s", path,
		    strerror(errno));
	return 0;
}

int
protocol_end(struct protocol *p, struct err *err)
{
	const char *path = ctl_option(p->ctl, "protocol");
	const char *output = ctl_option(p->ctl, "output");
	bool shown = !p->ctl->json &&
	    (output == NULL || strcmp(output, "-") != 0);
	int r = 0;

	buf_printf(&p->text, "\n\n\ndone by   %s   date %s\n\n\n"
	    "witness   %s   date %s\n", LINE, SHORT_LINE, LINE, SHORT_LINE);
	if (shown)
		fwrite(p->text.data, 1, p->text.len, stdout);
	if (path != NULL)
		r = write_file(p, path, err);
	buf_free(&p->text);
	return r;
}
