#include "csrmaild/publish_private.h"

#include "common/ca.h"
#include "common/crash.h"
#include "common/err.h"
#include "common/owned.h"

#include <openssl/evp.h>

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE		48		/* octets of a line of PEM */
#define CHUNK		(LINE * 1024)
#define CHUNKS_A_TURN	64		/* 3 MiB */
#define NAME_SIZE	160

static const char pem_begin[] = "-----BEGIN X509 CRL-----\n";
static const char pem_end[] = "-----END X509 CRL-----\n";

/* "NAME.crl", "NAME.2.crl", "NAME.2.delta.crl", and the suffix. */
static void
file_name(const char *ca, const struct crl_terms *terms, const char *suffix,
    char out[NAME_SIZE])
{
	char infix[CA_INFIX_SIZE], end[64];

	ca_crl_infix(terms->shard, terms->base != 0, infix, sizeof(infix));
	snprintf(end, sizeof(end), "%s%s.crl%s", infix[0] == '\0' ? "" : ".",
	    infix, suffix);
	ca_file_name(ca, end, out, NAME_SIZE);
}

bool
publication_is_there(const struct registrar *r, const char *ca,
    const struct crl_terms *terms)
{
	struct stat st;
	char file[NAME_SIZE];

	file_name(ca, terms, "", file);
	return fstatat(r->published_fd, file, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    st.st_mtime == terms->this_update;
}

static int
create(struct registrar *r, const struct publication *p, const char *suffix,
    int *out, struct err *err)
{
	char file[NAME_SIZE];

	file_name(p->ca->name, &p->terms, suffix, file);
	*out = openat(r->published_fd, file, O_RDWR | O_CREAT | O_TRUNC |
	    O_CLOEXEC | O_NOFOLLOW, 0644);
	if (*out < 0 || fchmod(*out, 0644) == -1)
		return err_errno(err, ERR_RETRY, "writing the CRL");
	return 0;
}

static int
write_all(int fd, const void *data, size_t len, struct err *err)
{
	const char *at = data;

	while (len > 0) {
		ssize_t n = write(fd, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_errno(err, ERR_RETRY, "writing the CRL");
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

/* RFC 7468, 2: 64 characters a line. */
static int
write_pem(int fd, const uint8_t *octets, size_t len, struct err *err)
{
	static char text[CHUNK / LINE * 65 + 1];
	size_t n = 0;

	for (size_t at = 0; at < len; at += LINE) {
		n += (size_t)EVP_EncodeBlock((unsigned char *)text + n,
		    octets + at, (int)(len - at < LINE ? len - at : LINE));
		text[n++] = '\n';
	}
	return write_all(fd, text, n, err);
}

/* The disk may begin with it while we go on: the wait at the end is shorter. */
static void
write_soon(int fd, off_t at, off_t len)
{
	(void)!sync_file_range(fd, at, len, SYNC_FILE_RANGE_WRITE);
}

/* Chunks are whole lines of PEM, but for the last. 1 at the end. */
static int
encode_chunk(struct publication *p, struct err *err)
{
	static uint8_t octets[CHUNK];
	size_t len = 0;
	ssize_t n = 1;

	while (len < sizeof(octets) && (n = pread(p->der_fd, octets + len,
	    sizeof(octets) - len, p->encoded + (off_t)len)) > 0)
		len += (size_t)n;
	if (n < 0)
		return err_errno(err, ERR_RETRY, "reading the CRL");
	if (write_pem(p->pem_fd, octets, len, err) == -1)
		return -1;
	p->encoded += (off_t)len;
	return len < sizeof(octets);
}

/* On disk and dated, then under its name. */
static int
settle(struct registrar *r, struct publication *p, int fd, const char *suffix,
    struct err *err)
{
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT },
		{ .tv_sec = p->terms.this_update } };
	char temporary[NAME_SIZE], file[NAME_SIZE], new[16];

	snprintf(new, sizeof(new), "%s.new", suffix);
	file_name(p->ca->name, &p->terms, new, temporary);
	file_name(p->ca->name, &p->terms, suffix, file);
	if (fsync(fd) == -1 || futimens(fd, times) == -1)
		return err_errno(err, ERR_RETRY, "writing the CRL");
	if (suffix[0] == '\0')
		crash_point("registrar.before-crl-rename");
	if (renameat(r->published_fd, temporary, r->published_fd, file) == -1)
		return err_errno(err, ERR_RETRY, "publishing the CRL");
	return 0;
}

/* The DER comes last: it is what publication_is_there goes by. */
static int
finish(struct registrar *r, struct publication *p, struct err *err)
{
	if (write_all(p->pem_fd, pem_end, strlen(pem_end), err) == -1 ||
	    settle(r, p, p->pem_fd, ".pem", err) == -1 ||
	    settle(r, p, p->der_fd, "", err) == -1)
		return -1;
	if (fsync(r->published_fd) == -1)
		return err_errno(err, ERR_RETRY, "publishing the CRL");
	return 1;
}

int
publication_create_files(struct registrar *r, struct publication *p,
    struct err *err)
{
	publication_close_files(p);
	if (create(r, p, ".new", &p->der_fd, err) == -1 ||
	    create(r, p, ".pem.new", &p->pem_fd, err) == -1)
		return -1;
	return write_all(p->pem_fd, pem_begin, strlen(pem_begin), err);
}

int
publication_write(struct registrar *r, struct publication *p, struct err *err)
{
	int last = 0;

	if (p->encoded == 0)
		write_soon(p->der_fd, 0, 0);
	for (int i = 0; i < CHUNKS_A_TURN && last == 0; i++)
		last = encode_chunk(p, err);
	if (last == 0)
		write_soon(p->pem_fd, 0, 0);
	return last == 1 ? finish(r, p, err) : last;
}

void
publication_close_files(struct publication *p)
{
	if (p->der_fd >= 0)
		close(p->der_fd);
	if (p->pem_fd >= 0)
		close(p->pem_fd);
	p->der_fd = p->pem_fd = -1;
	p->encoded = 0;
}
