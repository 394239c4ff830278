#include "common/index_seal.h"

#include "common/bytes.h"
#include "common/err.h"

#include <sys/stat.h>

#include <errno.h>
#include <stdint.h>
#include <string.h>

#define MAGIC		"csrmail index 1\n"
#define MAGIC_OCTETS	16
#define DIGEST_OCTETS	32
#define PIECE		((size_t)64 * 1024)

struct index_check {
	int		 fd;		/* borrowed */
	EVP_MD_CTX	*digest;	/* owned */
	uint64_t	 done, all;	/* octets before the seal */
	uint8_t		 wanted[DIGEST_OCTETS];
	uint8_t		 piece[PIECE];
};

static int
start(int fd, uint64_t all, struct index_check **out, struct err *err)
{
	OWNED_STRUCT(index_check) *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return err_set(err, ERR_RETRY, "out of memory");
	c->fd = fd;
	c->all = all;
	c->digest = EVP_MD_CTX_new();
	if (c->digest == NULL ||
	    EVP_DigestInit_ex(c->digest, EVP_sha256(), NULL) != 1)
		return err_openssl(err, ERR_RETRY, "starting a digest");
	*out = TAKE(c);
	return 0;
}

void
index_check_free(struct index_check *c)
{
	if (c == NULL)
		return;
	EVP_MD_CTX_free(c->digest);
	free(c);
}

/* 0 at the end, 1 before it. */
static int
digest_on(struct index_check *c, size_t octets, struct err *err)
{
	while (c->done < c->all && octets > 0) {
		size_t want = c->all - c->done < PIECE ?
		    (size_t)(c->all - c->done) : PIECE;
		ssize_t n = pread(c->fd, c->piece, want, (off_t)c->done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(err, ERR_RETRY, "reading an index");
		if (n == 0)
			return err_set(err, ERR_FAULT,
			    "the index became shorter while it was read");
		if (EVP_DigestUpdate(c->digest, c->piece, (size_t)n) != 1)
			return err_openssl(err, ERR_RETRY, "a digest");
		c->done += (size_t)n;
		octets -= (size_t)n < octets ? (size_t)n : octets;
	}
	return c->done < c->all;
}

static int
end(struct index_check *c, uint8_t out[DIGEST_OCTETS], struct err *err)
{
	return EVP_DigestFinal_ex(c->digest, out, NULL) == 1 ? 0 :
	    err_openssl(err, ERR_RETRY, "a digest");
}

int
index_seal_add(int fd, struct err *err)
{
	OWNED_STRUCT(index_check) *c = NULL;
	uint8_t seal[INDEX_SEAL_OCTETS];
	struct stat st;

	if (fstat(fd, &st) == -1)
		return err_errno(err, ERR_RETRY, "sealing an index");
	if (start(fd, (uint64_t)st.st_size, &c, err) == -1 ||
	    digest_on(c, SIZE_MAX, err) == -1)
		return -1;
	memcpy(seal, MAGIC, MAGIC_OCTETS);
	for (int i = 0; i < 8; i++)
		seal[MAGIC_OCTETS + i] = (uint8_t)(c->all >> (56 - 8 * i));
	if (end(c, seal + MAGIC_OCTETS + 8, err) == -1)
		return -1;
	if (pwrite(fd, seal, sizeof(seal), st.st_size) !=
	    (ssize_t)sizeof(seal) || fsync(fd) == -1)
		return err_errno(err, ERR_RETRY, "sealing an index");
	return 0;
}

int
index_check_new(int fd, struct index_check **out, struct err *err)
{
	uint8_t seal[INDEX_SEAL_OCTETS];
	uint64_t said = 0;
	struct stat st;
	off_t all;

	if (fstat(fd, &st) == -1)
		return err_errno(err, ERR_RETRY, "reading an index");
	all = st.st_size - INDEX_SEAL_OCTETS;
	if (!S_ISREG(st.st_mode) || all <= 0 ||
	    pread(fd, seal, sizeof(seal), all) != (ssize_t)sizeof(seal) ||
	    memcmp(seal, MAGIC, MAGIC_OCTETS) != 0)
		return err_set(err, ERR_FAULT, "this is no file of `csrmail "
		    "export index`, or not all of one");
	for (int i = 0; i < 8; i++)
		said = said << 8 | seal[MAGIC_OCTETS + i];
	if (said != (uint64_t)all)
		return err_set(err, ERR_FAULT, "the index has %lld octets, "
		    "its seal says %llu: copy it again", (long long)all,
		    (unsigned long long)said);
	if (start(fd, said, out, err) == -1)
		return -1;
	memcpy((*out)->wanted, seal + MAGIC_OCTETS + 8, DIGEST_OCTETS);
	return 0;
}

int
index_check_go_on(struct index_check *c, size_t octets, struct err *err)
{
	uint8_t found[DIGEST_OCTETS];
	int r = digest_on(c, octets, err);

	if (r != 0)
		return r;
	if (end(c, found, err) == -1)
		return -1;
	if (memcmp(found, c->wanted, DIGEST_OCTETS) != 0)
		return err_set(err, ERR_FAULT,
		    "the index is not as it was written: copy it again");
	return 0;
}
