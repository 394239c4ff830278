#include "common/keystore.h"
#include "common/err.h"
#include "common/keystore_token.h"
#include "common/keystore_uri.h"
#include "common/owned.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEALED_BEGIN	"-----BEGIN ENCRYPTED PRIVATE KEY-----"
#define PLAIN_BEGIN	"-----BEGIN PRIVATE KEY-----"
#define URI_BEGIN	"pkcs11:"

/*
 * scrypt (RFC 7914): 128 * N * r = 16 MiB of memory, which is what OpenSSL
 * allows when it reads such a file (32 MiB in all), so cost comes from p.
 */
#define SCRYPT_N	16384
#define SCRYPT_R	8
#define SCRYPT_P	4

/*
 * What a file of others may ask for. It is read by whoever imports it, as root
 * perhaps: it must not take gigabytes or hours. OpenSSL's own limit on memory
 * is 32 MiB.
 */
#define SCRYPT_MAX_WORK	(((uint64_t)512 << 20) / 128)	/* N * r * p */
#define SCRYPT_MAX_SPACE (((uint64_t)32 << 20) / 128)	/* N * r */
#define PBKDF2_MAX_ITERATIONS	2000000

OWNED_BY(X509_SIG, X509_SIG_free)
OWNED_BY(PBE2PARAM, PBE2PARAM_free)
OWNED_BY(PBKDF2PARAM, PBKDF2PARAM_free)
OWNED_BY(SCRYPT_PARAMS, SCRYPT_PARAMS_free)
OWNED_BY(PKCS8_PRIV_KEY_INFO, PKCS8_PRIV_KEY_INFO_free)
OWNED_BY(X509_ALGOR, X509_ALGOR_free)

/* --- memory ------------------------------------------------------------------- */
static void *
take(size_t size, const char *file, int line)
{
	(void)file, (void)line;
	return malloc(size);
}

static void
give_back(void *p, const char *file, int line)
{
	(void)file, (void)line;
	if (p != NULL)
		explicit_bzero(p, malloc_usable_size(p));
	free(p);
}

static void *
move(void *p, size_t size, const char *file, int line)
{
	size_t had = p == NULL ? 0 : malloc_usable_size(p);
	void *to;

	if (size != 0 && size <= had)
		return p;
	to = size == 0 ? NULL : malloc(size);
	if (to != NULL && p != NULL)
		memcpy(to, p, had);
	if (to != NULL || size == 0)
		give_back(p, file, line);
	return to;
}

int
keystore_guard_memory(size_t heap_octets, struct err *err)
{
	if (CRYPTO_set_mem_functions(take, move, give_back) != 1)
		return err_set(err, ERR_FAULT,
		    "memory of keys cannot be wiped: OpenSSL has some already");
	if (CRYPTO_secure_malloc_init(heap_octets, 32) != 1)
		return err_set(err, ERR_FAULT,
		    "memory for keys cannot be locked: see RLIMIT_MEMLOCK");
	return 0;
}

/* --- files -------------------------------------------------------------------- */
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
	if (st.st_size > KEYSTORE_FILE_MAX)
		return err_set(err, ERR_FAULT, "%s is too long for a key",
		    file);
	*size = (size_t)st.st_size;
	return 0;
}

int
keystore_read(int dir_fd, const char *file, struct buf *out, struct err *err)
{
	OWNED_FD fd = openat(dir_fd, file,
	    O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	size_t size = 0;
	uint8_t *to;

	if (fd < 0 && errno == ELOOP)
		return err_set(err, ERR_FAULT, "%s is a symbolic link", file);
	if (fd < 0) {
		bool forbidden = errno == EACCES;
		int r = err_errno(err, ERR_FAULT, "");

		snprintf(err->text, sizeof(err->text), forbidden ?
		    "cannot open the key file %s, which belongs to another "
		    "user than its folder" : "cannot open the key file %s",
		    file);
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

static bool
begins_with(struct bytes content, const char *text)
{
	return bytes_equal(bytes_slice(content, 0, strlen(text)),
	    bytes_of(text));
}

/* --- encryption of others ----------------------------------------------------- */
static int
check_pbkdf2(const ASN1_TYPE *parameter, struct err *err)
{
	OWNED(PBKDF2PARAM) *p = ASN1_TYPE_unpack_sequence(
	    ASN1_ITEM_rptr(PBKDF2PARAM), parameter);
	int64_t n;

	if (p == NULL || ASN1_INTEGER_get_int64(&n, p->iter) != 1 || n < 1 ||
	    n > PBKDF2_MAX_ITERATIONS)
		return err_set(err, ERR_FAULT, "its PBKDF2 parameters are not "
		    "ones that we work through: 1 to %d iterations",
		    PBKDF2_MAX_ITERATIONS);
	return 0;
}

static int
check_scrypt(const ASN1_TYPE *parameter, struct err *err)
{
	OWNED(SCRYPT_PARAMS) *s = ASN1_TYPE_unpack_sequence(
	    ASN1_ITEM_rptr(SCRYPT_PARAMS), parameter);
	uint64_t n, r, p;

	/* Each one on its own first, so that the products are true. */
	if (s == NULL || ASN1_INTEGER_get_uint64(&n, s->costParameter) != 1 ||
	    ASN1_INTEGER_get_uint64(&r, s->blockSize) != 1 ||
	    ASN1_INTEGER_get_uint64(&p, s->parallelizationParameter) != 1 ||
	    n > SCRYPT_MAX_WORK || r > SCRYPT_MAX_WORK ||
	    p > SCRYPT_MAX_WORK || n * r > SCRYPT_MAX_SPACE ||
	    n * r * p > SCRYPT_MAX_WORK)
		return err_set(err, ERR_FAULT, "its scrypt parameters are not "
		    "ones that we work through: 32 MiB of memory, and 512 MiB "
		    "of work");
	return 0;
}

/* PBES2 (RFC 8018, 6.2) with AES-CBC: nothing older is opened. */
static int
check_scheme(const X509_ALGOR *scheme, struct err *err)
{
	const ASN1_OBJECT *what, *function;
	const void *parameter;
	OWNED(PBE2PARAM) *p = NULL;
	int type;

	X509_ALGOR_get0(&what, &type, &parameter, scheme);
	if (OBJ_obj2nid(what) == NID_pbes2)
		p = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBE2PARAM),
		    scheme->parameter);
	if (p == NULL)
		return err_set(err, ERR_FAULT,
		    "it is not encrypted by PBES2 (RFC 8018, 6.2)");
	switch (OBJ_obj2nid(p->encryption->algorithm)) {
	case NID_aes_128_cbc:
	case NID_aes_192_cbc:
	case NID_aes_256_cbc:
		break;
	default:
		return err_set(err, ERR_FAULT,
		    "it is encrypted by something else than AES-CBC");
	}
	X509_ALGOR_get0(&function, NULL, NULL, p->keyfunc);
	switch (OBJ_obj2nid(function)) {
	case NID_id_pbkdf2:
		return check_pbkdf2(p->keyfunc->parameter, err);
	case NID_id_scrypt:
		return check_scrypt(p->keyfunc->parameter, err);
	default:
		return err_set(err, ERR_FAULT, "its passphrase goes through "
		    "neither PBKDF2 nor scrypt");
	}
}

static int
check_work(const X509_SIG *sealed, const char *file, struct err *err)
{
	const X509_ALGOR *scheme;
	struct err why;

	X509_SIG_get0(sealed, &scheme, NULL);
	if (check_scheme(scheme, &why) == 0)
		return 0;
	ERR_clear_error();
	return err_set(err, ERR_FAULT, "%s is not opened: %s; "
	    "`openssl pkcs8 -topk8 -scrypt` makes it one that is", file,
	    why.text);
}

/* --- opening ------------------------------------------------------------------ */
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
	if (check_work(sealed, file, err) < 0)
		return NULL;
	info = PKCS8_decrypt(sealed, (const char *)passphrase.data,
	    (int)passphrase.len);
	if (info == NULL) {
		err_openssl(err, ERR_FAULT, "");
		snprintf(err->text, sizeof(err->text),
		    "the passphrase does not open %s", file);
	}
	return info;
}

bool
keystore_is_token(struct bytes content)
{
	return begins_with(content, URI_BEGIN);
}

bool
keystore_is_plain(struct bytes content)
{
	return begins_with(content, PLAIN_BEGIN);
}

/* The one line of a token's key file. */
static int
read_uri(struct bytes content, const char *file, struct bytes *uri,
    struct err *err)
{
	size_t end = bytes_find(content, bytes_of("\n"));

	if (end != (size_t)-1 && end + 1 != content.len)
		return err_set(err, ERR_FAULT,
		    "%s is a pkcs11: URI with something behind it", file);
	*uri = bytes_slice(content, 0, end == (size_t)-1 ? content.len : end);
	return 0;
}

static int
open_in_token(struct bytes content, const char *file, struct bytes pin,
    EVP_PKEY **out, struct err *err)
{
	struct bytes uri;

	if (read_uri(content, file, &uri, err) < 0)
		return -1;
	if (pin.len == 0)
		return err_set(err, ERR_FAULT,
		    "%s names a key in a token and no PIN was given", file);
	return token_open_key(uri, pin, out, err);
}

int
keystore_open(struct bytes content, const char *file,
    struct bytes passphrase, EVP_PKEY **out, struct err *err)
{
	OWNED(PKCS8_PRIV_KEY_INFO) *info = NULL;
	OWNED(BIO) *in = NULL;
	EVP_PKEY *key;

	if (passphrase.len > KEYSTORE_PASSPHRASE_MAX)
		return err_set(err, ERR_FAULT, "the passphrase is too long");
	if (keystore_is_token(content))
		return open_in_token(content, file, passphrase, out, err);
	in = BIO_new_mem_buf(content.data, (int)content.len);
	if (in == NULL)
		return err_openssl(err, ERR_RETRY, "reading a key file");
	if (begins_with(content, SEALED_BEGIN)) {
		info = decrypt(in, file, passphrase, err);
		if (info == NULL)
			return -1;
	} else if (keystore_is_plain(content)) {
		if (passphrase.len > 0)
			return err_set(err, ERR_FAULT, "%s is not encrypted, "
			    "though there is a passphrase for it", file);
		info = PEM_read_bio_PKCS8_PRIV_KEY_INFO(in, NULL, NULL, NULL);
	} else {
		return err_set(err, ERR_FAULT,
		    "%s is neither a PKCS#8 key in PEM nor a pkcs11: URI",
		    file);
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

int
keystore_load(int dir_fd, const char *file, struct bytes passphrase,
    EVP_PKEY **out, struct err *err)
{
	__attribute__((cleanup(buf_wipe))) struct buf content =
	    BUF(KEYSTORE_FILE_MAX);

	if (keystore_read(dir_fd, file, &content, err) < 0)
		return -1;
	return keystore_open(buf_bytes(&content), file, passphrase, out, err);
}

/* --- making ------------------------------------------------------------------- */
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

/* Under another name first: a crash leaves the old file or the new one, whole.
 * flags: RENAME_NOREPLACE, or 0. */
static int
store_file(int dir_fd, const char *file, struct bytes octets,
    unsigned int flags, struct err *err)
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
	if (renameat2(dir_fd, temporary, dir_fd, file, flags) < 0) {
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

static int
save(int dir_fd, const char *file, EVP_PKEY *key, struct bytes passphrase,
    unsigned int flags, struct err *err)
{
	/* In locked memory: without a passphrase this is the key itself. */
	OWNED(BIO) *out = BIO_new(BIO_s_secmem());
	OWNED(PKCS8_PRIV_KEY_INFO) *info = EVP_PKEY2PKCS8(key);
	const uint8_t *data;
	long len;

	if (passphrase.len > KEYSTORE_PASSPHRASE_MAX)
		return err_set(err, ERR_FAULT, "the passphrase is too long");
	if (out == NULL || info == NULL)
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
	    flags, err);
}

int
keystore_save(int dir_fd, const char *file, EVP_PKEY *key,
    struct bytes passphrase, struct err *err)
{
	return save(dir_fd, file, key, passphrase, RENAME_NOREPLACE, err);
}

static int
create_in_token(int dir_fd, const char *file, enum key_kind kind,
    unsigned int bits, const char *uri, struct bytes pin, EVP_PKEY **out,
    struct err *err)
{
	OWNED(EVP_PKEY) *key = NULL;
	OWNED_BUF(line, KEYSTORE_URI_MAX + 1);

	buf_printf(&line, "%s\n", uri);
	if (line.failed)
		return err_set(err, ERR_REJECT, "the key's URI is too long");
	if (pin.len == 0)
		return err_set(err, ERR_REJECT, "a token needs its PIN");
	if (token_obtain_key(bytes_of(uri), kind, bits, pin, &key, err) < 0 ||
	    store_file(dir_fd, file, buf_bytes(&line), RENAME_NOREPLACE,
	    err) < 0)
		return -1;
	*out = TAKE(key);
	return 0;
}

int
keystore_create(int dir_fd, const char *file, enum key_kind kind,
    unsigned int bits, const char *uri, struct bytes passphrase,
    EVP_PKEY **out, struct err *err)
{
	OWNED(EVP_PKEY) *key = NULL;

	if (uri != NULL)
		return create_in_token(dir_fd, file, kind, bits, uri,
		    passphrase, out, err);
	key = key_generate(kind, bits, err);
	if (key == NULL ||
	    keystore_save(dir_fd, file, key, passphrase, err) < 0)
		return -1;
	*out = TAKE(key);
	return 0;
}

int
keystore_rekey(int dir_fd, const char *file, struct bytes old_passphrase,
    struct bytes new_passphrase, struct err *err)
{
	__attribute__((cleanup(buf_wipe))) struct buf content =
	    BUF(KEYSTORE_FILE_MAX);
	OWNED(EVP_PKEY) *key = NULL;

	if (keystore_read(dir_fd, file, &content, err) < 0)
		return -1;
	if (keystore_is_token(buf_bytes(&content)))
		return err_set(err, ERR_REJECT, "%s names a key in a token: "
		    "change the PIN with the token's own tool", file);
	if (keystore_open(buf_bytes(&content), file, old_passphrase, &key,
	    err) < 0)
		return -1;
	return save(dir_fd, file, key, new_passphrase, 0, err);
}
