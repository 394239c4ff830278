#include "csrmaild/secrets.h"

#include "common/csr.h"
#include "common/err.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MAX_FILE	(SECRETS_MAX * (SECRETS_MAX_OCTETS + 2))

static int
fail(const char *path, const char *why, struct err *err)
{
	return err_set(err, ERR_FAULT, "%s: %s", path, why);
}

static int
read_file(const char *path, struct buf *out, struct err *err)
{
	OWNED_FD fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC |
	    O_NONBLOCK);
	struct stat st;
	uint8_t *to;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) == -1)
		return fail(path, strerror(errno), err);
	if (!S_ISREG(st.st_mode))
		return fail(path, "not a file", err);
	if ((st.st_mode & 077) != 0 ||
	    (st.st_uid != 0 && st.st_uid != geteuid()))
		return fail(path, "it holds secrets: it must be ours, and "
		    "nobody else may read or write it (chmod 600)", err);
	if (st.st_size > MAX_FILE)
		return fail(path, "it is too long", err);
	to = buf_reserve(out, (size_t)st.st_size + 1);
	n = to == NULL ? -1 : pread(fd, to, (size_t)st.st_size, 0);
	if (n < 0)
		return fail(path, "it cannot be read", err);
	out->len += (size_t)n;
	return 0;
}

static int
salted(const uint8_t salt[SECRETS_SALT], const uint8_t challenge[32],
    uint8_t out[32])
{
	uint8_t both[SECRETS_SALT + 32];

	memcpy(both, salt, SECRETS_SALT);
	memcpy(both + SECRETS_SALT, challenge, 32);
	return EVP_Digest(both, sizeof(both), out, NULL, EVP_sha256(),
	    NULL) == 1 ? 0 : -1;
}

static int
add_secret(const char *path, unsigned int line, struct bytes secret,
    struct buf *digests, struct err *err)
{
	uint8_t challenge[32], digest[32];

	if (secret.len < SECRETS_MIN_OCTETS || secret.len > SECRETS_MAX_OCTETS)
		return err_set(err, ERR_FAULT, "%s:%u: a secret has %d to %d "
		    "octets", path, line, SECRETS_MIN_OCTETS,
		    SECRETS_MAX_OCTETS);
	if (csr_digest_challenge(secret, challenge, err) == -1)
		return -1;
	if (salted(digests->data, challenge, digest) == -1)
		return err_openssl(err, ERR_FAULT, "hashing a secret");
	buf_append(digests, digest, sizeof(digest));
	OPENSSL_cleanse(challenge, sizeof(challenge));
	return 0;
}

static int
add_secrets(const char *path, struct bytes in, struct buf *digests,
    struct err *err)
{
	unsigned int n = 0;

	for (unsigned int line = 1; in.len > 0; line++) {
		size_t end = bytes_find(in, bytes_of("\n"));
		struct bytes secret = bytes_slice(in, 0, end);

		in = bytes_slice(in, secret.len + 1, in.len);
		if (secret.len > 0 && secret.data[secret.len - 1] == '\r')
			secret.len--;
		if (secret.len == 0)
			continue;
		if (n++ == SECRETS_MAX)
			return fail(path, "it has more than 1000 secrets",
			    err);
		if (add_secret(path, line, secret, digests, err) == -1)
			return -1;
	}
	return n > 0 ? 0 : fail(path, "there is no secret in it", err);
}

int
secrets_read(const char *path, struct buf *digests, struct err *err)
{
	__attribute__((cleanup(buf_wipe))) struct buf text =
	    BUF(MAX_FILE + 1);
	uint8_t salt[SECRETS_SALT];

	if (read_file(path, &text, err) == -1)
		return -1;
	if (RAND_bytes(salt, sizeof(salt)) != 1)
		return err_openssl(err, ERR_RETRY, "drawing a salt");
	buf_clear(digests);
	buf_append(digests, salt, sizeof(salt));
	if (digests->failed)
		return err_set(err, ERR_RETRY, "out of memory");
	if (add_secrets(path, buf_bytes(&text), digests, err) == -1)
		return -1;
	return digests->failed ? err_set(err, ERR_RETRY, "out of memory") : 0;
}

bool
secrets_are_whole(struct bytes digests)
{
	return digests.len >= SECRETS_SALT + 32 &&
	    digests.len <= SECRETS_DIGESTS_MAX &&
	    (digests.len - SECRETS_SALT) % 32 == 0;
}

bool
secrets_match(struct bytes digests, const uint8_t challenge[32])
{
	uint8_t digest[32];
	unsigned int same = 0;

	if (!secrets_are_whole(digests) ||
	    salted(digests.data, challenge, digest) == -1)
		return false;
	/* No early end: how long it takes says nothing of which one it is. */
	for (size_t at = SECRETS_SALT; at < digests.len; at += 32)
		same |= CRYPTO_memcmp(digests.data + at, digest, 32) == 0;
	return same != 0;
}
