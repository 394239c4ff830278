#include "common/keystore.h"
#include "common/err.h"
#include "common/owned.h"

#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_FILE_MAX	(64 * 1024)

/*
 * scrypt (RFC 7914): 128 * N * r = 16 MiB of memory, which is what OpenSSL
 * allows when it reads such a file (32 MiB in all), so cost comes from p.
 */
#define SCRYPT_N	16384
#define SCRYPT_R	8
#define SCRYPT_P	4

OWNED_BY(X509_SIG, X509_SIG_free)
OWNED_BY(PKCS8_PRIV_KEY_INFO, PKCS8_PRIV_KEY_INFO_free)
OWNED_BY(X509_ALGOR, X509_ALGOR_free)

static int
check_file(int fd, const char *file, size_t *size, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_errno(err, ERR_RETRY, "looking at a key file");
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_FAULT, "%s is not a regular file",
		    file);
	if (st.st_uid != geteuid())
		return err_set(err, ERR_FAULT,
		    "%s belongs to user %u, not to us (%u)", file,
		    (unsigned int)st.st_uid, (unsigned int)geteuid());
	if ((st.st_mode & 077) != 0)
		return err_set(err, ERR_FAULT,
		    "%s has mode %04o; others may have no access: chmod 600",
		    file, (unsigned int)st.st_mode & 07777);
	if (st.st_size > KEY_FILE_MAX)
		return err_set(err, ERR_FAULT, "%s is too long for a key",
		    file);
	*size = (size_t)st.st_size;
	return 0;
}

static int
read_file(int dir_fd, const char *file, struct buf *out, struct err *err)
{
	OWNED_FD fd = openat(dir_fd, file,
	    O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	size_t size = 0;
	uint8_t *to;

	if (fd < 0 && errno == ELOOP)
		return err_set(err, ERR_FAULT, "%s is a symbolic link", file);
	if (fd < 0) {
		int r = err_errno(err, ERR_FAULT, "");

		snprintf(err->text, sizeof(err->text),
		    "cannot open the key file %s", file);
		return r;
	}
	if (check_file(fd, file, &size, err) < 0)
		return -1;
	/* One room for all of it, so that growing leaves no copies behind. */
	to = buf_reserve(out, size);
	if (to == NULL)
		return err_set(err, ERR_RETRY, "out of memory for a key");
	while (out->len < size) {
		ssize_t n = read(fd, to + out->len, size - out->len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(err, ERR_RETRY, "reading a key file");
		if (n == 0)
			break;
		out->len += (size_t)n;
	}
	return 0;
}

static PKCS8_PRIV_KEY_INFO *
decrypt(BIO *in, const char *file, struct bytes passphrase, struct err *err)
{
	OWNED(X509_SIG) *sealed = PEM_read_bio_PKCS8(in, NULL, NULL, NULL);
	PKCS8_PRIV_KEY_INFO *info;

	if (sealed == NULL) {
		err_openssl(err, ERR_FAULT, "reading a key file");
		return NULL;
	}
	if (passphrase.len == 0) {
		err_set(err, ERR_FAULT,
		    "%s is encrypted and no passphrase was given", file);
		return NULL;
	}
	info = PKCS8_decrypt(sealed, (const char *)passphrase.data,
	    (int)passphrase.len);
	if (info == NULL) {
		err_openssl(err, ERR_FAULT, "");
		snprintf(err->text, sizeof(err->text),
		    "the passphrase does not open %s", file);
	}
	return info;
}

int
keystore_load(int dir_fd, const char *file, struct bytes passphrase,
    EVP_PKEY **out, struct err *err)
{
	static const char encrypted[] = "-----BEGIN ENCRYPTED PRIVATE KEY-----";
	static const char plain[] = "-----BEGIN PRIVATE KEY-----";
	__attribute__((cleanup(buf_wipe))) struct buf text =
	    BUF(KEY_FILE_MAX);
	OWNED(BIO) *in = NULL;
	OWNED(PKCS8_PRIV_KEY_INFO) *info = NULL;
	EVP_PKEY *key;

	if (passphrase.len > INT_MAX)
		return err_set(err, ERR_FAULT, "the passphrase is too long");
	if (read_file(dir_fd, file, &text, err) < 0)
		return -1;
	in = BIO_new_mem_buf(text.data, (int)text.len);
	if (in == NULL)
		return err_openssl(err, ERR_RETRY, "reading a key file");
	if (strncmp(buf_str(&text), encrypted, strlen(encrypted)) == 0) {
		info = decrypt(in, file, passphrase, err);
		if (info == NULL)
			return -1;
	} else if (strncmp(buf_str(&text), plain, strlen(plain)) == 0) {
		info = PEM_read_bio_PKCS8_PRIV_KEY_INFO(in, NULL, NULL, NULL);
	} else {
		return err_set(err, ERR_FAULT,
		    "%s does not begin like a PKCS#8 key in PEM", file);
	}
	key = info == NULL ? NULL : EVP_PKCS82PKEY(info);
	if (key == NULL) {
		err_openssl(err, ERR_FAULT, "");
		snprintf(err->text, sizeof(err->text),
		    "%s holds no usable private key", file);
		return -1;
	}
	*out = key;
	return 0;
}

static int
put_encrypted(BIO *out, PKCS8_PRIV_KEY_INFO *info, struct bytes passphrase,
    struct err *err)
{
	OWNED(X509_ALGOR) *scheme = PKCS5_pbe2_set_scrypt(EVP_aes_256_cbc(),
	    NULL, 0, NULL, SCRYPT_N, SCRYPT_R, SCRYPT_P);
	OWNED(X509_SIG) *sealed = NULL;

	if (scheme != NULL)
		sealed = PKCS8_set0_pbe((const char *)passphrase.data,
		    (int)passphrase.len, info, scheme);
	if (sealed == NULL)
		return err_openssl(err, ERR_FAULT, "encrypting a key");
	TAKE(scheme);	/* it is part of sealed now */
	if (PEM_write_bio_PKCS8(out, sealed) != 1)
		return err_openssl(err, ERR_RETRY, "encrypting a key");
	return 0;
}

static int
write_and_sync(int fd, struct bytes octets, struct err *err)
{
	while (octets.len > 0) {
		ssize_t n = write(fd, octets.data, octets.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_errno(err, ERR_RETRY, "writing a key file");
		octets = bytes_slice(octets, (size_t)n, octets.len);
	}
	if (fsync(fd) < 0)
		return err_errno(err, ERR_RETRY, "writing a key file");
	return 0;
}

/* Under another name first: a crash leaves the key whole or not at all. */
static int
store_file(int dir_fd, const char *file, struct bytes octets,
    struct err *err)
{
	char temporary[NAME_MAX + 1];
	OWNED_FD fd = -1;

	if (snprintf(temporary, sizeof(temporary), ".%s.new", file) >=
	    (int)sizeof(temporary))
		return err_set(err, ERR_FAULT, "the file name is too long");
	unlinkat(dir_fd, temporary, 0);	/* left by a crash */
	fd = openat(dir_fd, temporary,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_errno(err, ERR_RETRY, "making a key file");
	if (write_and_sync(fd, octets, err) < 0) {
		unlinkat(dir_fd, temporary, 0);
		return -1;
	}
	if (renameat2(dir_fd, temporary, dir_fd, file, RENAME_NOREPLACE) < 0) {
		bool exists = errno == EEXIST;
		int r = err_errno(err, exists ? ERR_FAULT : ERR_RETRY,
		    "naming a key file");

		if (exists)
			snprintf(err->text, sizeof(err->text),
			    "the key file %s exists and is not replaced",
			    file);
		unlinkat(dir_fd, temporary, 0);
		return r;
	}
	if (fsync(dir_fd) < 0)
		return err_errno(err, ERR_RETRY, "writing a key file");
	return 0;
}

int
keystore_save(int dir_fd, const char *file, EVP_PKEY *key,
    struct bytes passphrase, struct err *err)
{
	/* In locked memory: without a passphrase this is the key itself. */
	OWNED(BIO) *out = BIO_new(BIO_s_secmem());
	OWNED(PKCS8_PRIV_KEY_INFO) *info = EVP_PKEY2PKCS8(key);
	const uint8_t *data;
	long len;

	if (out == NULL || info == NULL || passphrase.len > INT_MAX)
		return err_openssl(err, ERR_FAULT, "encoding a key");
	if (passphrase.len > 0) {
		if (put_encrypted(out, info, passphrase, err) < 0)
			return -1;
	} else if (PEM_write_bio_PKCS8_PRIV_KEY_INFO(out, info) != 1) {
		return err_openssl(err, ERR_FAULT, "encoding a key");
	}
	len = BIO_get_mem_data(out, &data);
	if (len <= 0)
		return err_openssl(err, ERR_FAULT, "encoding a key");
	return store_file(dir_fd, file, (struct bytes){ data, (size_t)len },
	    err);
}
