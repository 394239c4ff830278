#include "csrmaild/ceremony_private.h"
#include "common/ca.h"
#include "common/crash.h"
#include "common/err.h"
#include "common/keystore.h"
#include "common/owned.h"
#include "common/privsep.h"
#include "csrmaild/ca_files.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A name with a serial, and ".crt". */
#define FILE_SIZE	(CA_FILE_SIZE + SERIAL_HEX_SIZE)

/* --- whose files ---------------------------------------------------------- */

int
ceremony_act_as(uid_t uid, gid_t gid, struct err *err)
{
	return getuid() != 0 ? 0 : privsep_act_as(uid, gid, err);
}

int
ceremony_act_as_self(struct err *err)
{
	return ceremony_act_as(0, 0, err);
}

static int
make_folder(const struct ceremony *c, const char *name, mode_t mode,
    uid_t uid, gid_t gid, struct err *err)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/%s", c->state_dir, name) >=
	    (int)sizeof(path))
		return err_set(err, ERR_FAULT, "state_dir is too long");
	if (mkdir(path, mode) < 0)
		return errno == EEXIST ? 0 :
		    err_errno(err, ERR_FAULT, "making a folder");
	if (chmod(path, mode) < 0 ||
	    (getuid() == 0 && lchown(path, uid, gid) < 0))
		return err_errno(err, ERR_FAULT, "making a folder");
	return 0;
}

void
folders_close(struct folders *f)
{
	fd_release(&f->keys);
	fd_release(&f->journal);
	fd_release(&f->published);
}

int
ceremony_open_folders(const struct ceremony *c, struct folders *f,
    struct err *err)
{
	if (make_folder(c, "keys", 0700, c->sign_uid, c->sign_gid, err) < 0 ||
	    make_folder(c, "journal", 0700, c->sign_uid, c->sign_gid,
	    err) < 0 || make_folder(c, "published", 0755, c->store_uid,
	    c->store_gid, err) < 0)
		return -1;
	if ((f->keys = ca_open_folder(c->state_dir, "keys", err)) < 0 ||
	    (f->journal = ca_open_folder(c->state_dir, "journal", err)) < 0 ||
	    (f->published = ca_open_folder(c->state_dir, "published",
	    err)) < 0)
		return -1;
	return 0;
}

/* --- keys and journals ---------------------------------------------------- */

static bool
has_file(int folder, const char *ca, const char *suffix)
{
	char file[CA_FILE_SIZE];

	ca_file_name(ca, suffix, file, sizeof(file));
	return faccessat(folder, file, F_OK,
	    AT_EACCESS | AT_SYMLINK_NOFOLLOW) == 0;
}

bool
ceremony_has_key(const struct folders *f, const char *ca)
{
	return has_file(f->keys, ca, ".key");
}

bool
ceremony_has_journal(const struct folders *f, const char *ca)
{
	return has_file(f->journal, ca, ".journal");
}

int
ceremony_obtain_key(const struct folders *f, const struct ceremony_ca *ca,
    EVP_PKEY **out, bool *left, struct err *err)
{
	char file[CA_FILE_SIZE];

	ca_file_name(ca->name, ".key", file, sizeof(file));
	*left = ceremony_has_key(f, ca->name);
	if (*left) {
		if (keystore_load(f->keys, file, ca->passphrase, out, err) < 0)
			return err_set(err, ERR_FAULT, "keys/%s is left from "
			    "a ceremony that was cut off, and this passphrase "
			    "does not open it: give the right one, or remove "
			    "the file", file);
		return 0;
	}
	if (keystore_create(f->keys, file, ca->key_kind, ca->key_bits,
	    ca->key_uri, ca->passphrase, out, err) < 0)
		return -1;
	crash_point("ceremony.after-key");
	return 0;
}

int
ceremony_open_journal(const struct folders *f, const char *ca, bool create,
    struct journal **out, struct err *err)
{
	char file[CA_FILE_SIZE];

	ca_file_name(ca, ".journal", file, sizeof(file));
	return journal_open(f->journal, file, ca, create, out, err);
}

int
ceremony_encode(X509 *cert, struct buf *der, struct err *err)
{
	unsigned char *octets = NULL;
	int len = i2d_X509(cert, &octets);

	if (len > 0)
		buf_append(der, octets, (size_t)len);
	OPENSSL_free(octets);
	if (len <= 0 || der->failed)
		return err_openssl(err, ERR_FAULT, "encoding a certificate");
	return 0;
}

/* A CA certificate has no order; its own digest stands for it. */
int
ceremony_record(struct journal *journal, X509 *cert, struct err *err)
{
	OWNED_BUF(der, JOURNAL_MAX_DER);
	struct journal_issued issued = { 0 };
	struct journal_issued before;
	unsigned char *tbs = NULL;
	int len, r;

	if (serial_from_asn1(X509_get0_serialNumber(cert), &issued.serial,
	    err) < 0)
		return -1;
	r = journal_find(journal, &issued.serial, &before, err);
	if (r <= 0)
		return r;	/* recorded by the ceremony that was cut off */
	len = i2d_re_X509_tbs(cert, &tbs);
	r = len > 0 && EVP_Digest(tbs, (size_t)len, issued.tbs_digest, NULL,
	    EVP_sha256(), NULL) == 1;
	OPENSSL_free(tbs);
	if (!r)
		return err_openssl(err, ERR_FAULT, "hashing a certificate");
	memcpy(issued.order_digest, issued.tbs_digest, 32);
	if (ceremony_encode(cert, &der, err) < 0)
		return -1;
	issued.der = buf_bytes(&der);
	crash_point("ceremony.before-journal");
	if (journal_append_issued(journal, &issued, err) < 0 ||
	    journal_sync(journal, err) < 0)
		return -1;
	crash_point("ceremony.after-journal");
	return 0;
}

struct search {
	EVP_PKEY	*key;
	X509		*found;		/* owned */
};

static int
match_key(const struct journal_issued *issued, const struct crl_entry *revoked,
    const struct crl_terms *crl, const struct journal_blocked *blocked,
    void *arg)
{
	struct search *search = arg;
	OWNED(X509) *cert = NULL;
	const uint8_t *at;

	(void)revoked, (void)crl, (void)blocked;
	if (issued == NULL)
		return 0;
	at = issued->der.data;
	cert = d2i_X509(NULL, &at, (long)issued->der.len);
	if (cert != NULL && X509_check_ca(cert) == 1 && EVP_PKEY_eq(X509_get0_pubkey(cert),
	    search->key) == 1) {
		X509_free(search->found);
		search->found = TAKE(cert);
	}
	ERR_clear_error();
	return 0;
}

int
ceremony_find_recorded(struct journal *journal, EVP_PKEY *key, X509 **out,
    struct err *err)
{
	struct search search = { key, NULL };

	if (journal_each(journal, match_key, &search, err) < 0) {
		X509_free(search.found);
		return -1;
	}
	*out = search.found;
	return search.found == NULL ? 1 : 0;
}

/* --- what is published ---------------------------------------------------- */

/* modified: the file's time; 0: now. */
static int
write_file(int dir_fd, const char *file, struct bytes octets,
    time_t modified, struct err *err)
{
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT },
		{ .tv_sec = modified, .tv_nsec = modified == 0 ? UTIME_OMIT :
		0 } };
	char temporary[FILE_SIZE + 8];
	OWNED_FD fd = -1;

	snprintf(temporary, sizeof(temporary), ".%s.new", file);
	unlinkat(dir_fd, temporary, 0);
	fd = openat(dir_fd, temporary,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_errno(err, ERR_RETRY, "publishing a file");
	while (octets.len > 0) {
		ssize_t n = write(fd, octets.data, octets.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_errno(err, ERR_RETRY,
			    "publishing a file");
		octets = bytes_slice(octets, (size_t)n, octets.len);
	}
	/* Whatever the umask: the world may read what is published. */
	if (fchmod(fd, 0644) < 0 || futimens(fd, times) < 0 || fsync(fd) < 0 ||
	    renameat(dir_fd, temporary, dir_fd, file) < 0 ||
	    fsync(dir_fd) < 0)
		return err_errno(err, ERR_RETRY, "publishing a file");
	return 0;
}

int
ceremony_publish(const struct folders *f, const char *ca, const char *infix,
    X509 *cert, struct err *err)
{
	OWNED(BIO) *pem = BIO_new(BIO_s_mem());
	OWNED_BUF(der, JOURNAL_MAX_DER);
	char file[FILE_SIZE], suffix[32];
	const uint8_t *text;
	long len;

	if (pem == NULL || PEM_write_bio_X509(pem, cert) != 1 ||
	    (len = BIO_get_mem_data(pem, &text)) <= 0)
		return err_openssl(err, ERR_FAULT, "encoding a certificate");
	if (ceremony_encode(cert, &der, err) < 0)
		return -1;
	snprintf(suffix, sizeof(suffix), "%s.pem", infix);
	ca_file_name(ca, suffix, file, sizeof(file));
	if (write_file(f->published, file,
	    (struct bytes){ text, (size_t)len }, 0, err) < 0)
		return -1;
	snprintf(suffix, sizeof(suffix), "%s.crt", infix);
	ca_file_name(ca, suffix, file, sizeof(file));
	return write_file(f->published, file, buf_bytes(&der), 0, err);
}

int
ceremony_keep(const struct folders *f, const char *ca, X509 *cert,
    struct err *err)
{
	OWNED_BUF(der, JOURNAL_MAX_DER);
	char file[FILE_SIZE], suffix[SERIAL_HEX_SIZE + 8];
	char hex[SERIAL_HEX_SIZE];
	struct serial serial;

	if (serial_from_asn1(X509_get0_serialNumber(cert), &serial,
	    err) < 0 || ceremony_encode(cert, &der, err) < 0)
		return -1;
	serial_to_hex(&serial, hex);
	snprintf(suffix, sizeof(suffix), ".%s.crt", hex);
	ca_file_name(ca, suffix, file, sizeof(file));
	return write_file(f->published, file, buf_bytes(&der), 0, err);
}

bool
ceremony_has_crl(const struct folders *f, const char *ca)
{
	return has_file(f->published, ca, ".crl");
}

int
ceremony_publish_crl(const struct folders *f, const char *ca,
    struct bytes der, time_t this_update, struct err *err)
{
	const uint8_t *at = der.data, *text;
	OWNED(X509_CRL) *crl = d2i_X509_CRL(NULL, &at, (long)der.len);
	OWNED(BIO) *pem = BIO_new(BIO_s_mem());
	char file[FILE_SIZE];
	long len;

	if (crl == NULL || pem == NULL || PEM_write_bio_X509_CRL(pem,
	    crl) != 1 || (len = BIO_get_mem_data(pem, &text)) <= 0)
		return err_openssl(err, ERR_FAULT, "encoding a CRL");
	ca_file_name(ca, ".crl.pem", file, sizeof(file));
	if (write_file(f->published, file, (struct bytes){ text, (size_t)len },
	    this_update, err) < 0)
		return -1;
	ca_file_name(ca, ".crl", file, sizeof(file));
	return write_file(f->published, file, der, this_update, err);
}
