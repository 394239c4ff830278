#include "csrmaild/ceremony.h"
#include "common/ca.h"
#include "common/err.h"
#include "common/issue.h"
#include "common/keystore.h"
#include "common/owned.h"
#include "common/store.h"
#include "csrmaild/ca_files.h"
#include "csrmaild/journal.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BACKDATE_S	3600	/* clocks of others may be behind */

/* --- whose files ---------------------------------------------------------- */
/*
 * Keys and journals belong to the signer, published files to the registrar.
 * Root makes them by being that user for the time of it: then no file is ever
 * there with a wrong owner, and the key store's own checks hold.
 */
static int
act_as(uid_t uid, gid_t gid, struct err *err)
{
	if (getuid() != 0)
		return 0;
	if (seteuid(0) < 0 || setegid(gid) < 0 || seteuid(uid) < 0)
		return err_errno(err, ERR_FAULT, "becoming a file's owner");
	return 0;
}

static int
act_as_self(struct err *err)
{
	return act_as(0, 0, err);
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

struct folders {
	int	keys, journal, published;
};

static void
close_folders(struct folders *f)
{
	fd_release(&f->keys);
	fd_release(&f->journal);
	fd_release(&f->published);
}
#define OWNED_FOLDERS	__attribute__((cleanup(close_folders))) struct folders

static int
open_folders(const struct ceremony *c, struct folders *f, struct err *err)
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

/* --- keys and journals ------------------------------------------------------ */
/* The key that a ceremony cut off left behind, or a new one. */
static int
obtain_key(const struct folders *f, const struct ceremony_ca *ca,
    EVP_PKEY **out, bool *left, struct err *err)
{
	OWNED(EVP_PKEY) *key = NULL;
	char file[CA_FILE_SIZE];

	ca_file_name(ca->name, ".key", file, sizeof(file));
	*left = faccessat(f->keys, file, F_OK,
	    AT_EACCESS | AT_SYMLINK_NOFOLLOW) == 0;
	if (*left) {
		if (keystore_load(f->keys, file, ca->passphrase, out, err) < 0)
			return err_set(err, ERR_FAULT, "keys/%s is left from "
			    "a ceremony that was cut off, and this passphrase "
			    "does not open it: give the right one, or remove "
			    "the file", file);
		return 0;
	}
	key = key_generate(ca->key_kind, ca->key_bits, err);
	if (key == NULL ||
	    keystore_save(f->keys, file, key, ca->passphrase, err) < 0)
		return -1;
	*out = TAKE(key);
	return 0;
}

static int
open_journal(const struct folders *f, const char *ca, bool create,
    struct journal **out, struct err *err)
{
	char file[CA_FILE_SIZE];

	ca_file_name(ca, ".journal", file, sizeof(file));
	return journal_open(f->journal, file, ca, create, out, err);
}

static int
encode(X509 *cert, struct buf *der, struct err *err)
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
static int
record(struct journal *journal, X509 *cert, struct err *err)
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
	if (encode(cert, &der, err) < 0)
		return -1;
	issued.der = buf_bytes(&der);
	if (journal_append_issued(journal, &issued, err) < 0)
		return -1;
	return journal_sync(journal, err);
}

/* --- certificates ------------------------------------------------------------- */
static int
write_file(int dir_fd, const char *file, struct bytes octets,
    struct err *err)
{
	char temporary[CA_FILE_SIZE + 8];
	OWNED_FD fd = -1;

	snprintf(temporary, sizeof(temporary), ".%s.new", file);
	unlinkat(dir_fd, temporary, 0);
	fd = openat(dir_fd, temporary,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_errno(err, ERR_RETRY, "publishing a certificate");
	while (octets.len > 0) {
		ssize_t n = write(fd, octets.data, octets.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_errno(err, ERR_RETRY,
			    "publishing a certificate");
		octets = bytes_slice(octets, (size_t)n, octets.len);
	}
	/* Whatever the umask: the world may read what is published. */
	if (fchmod(fd, 0644) < 0 || fsync(fd) < 0 ||
	    renameat(dir_fd, temporary, dir_fd, file) < 0 ||
	    fsync(dir_fd) < 0)
		return err_errno(err, ERR_RETRY, "publishing a certificate");
	return 0;
}

/* PEM first: the ceremony goes by the .crt, which is there last. */
static int
publish(const struct folders *f, const char *ca, X509 *cert, struct err *err)
{
	OWNED(BIO) *pem = BIO_new(BIO_s_mem());
	OWNED_BUF(der, JOURNAL_MAX_DER);
	char file[CA_FILE_SIZE];
	const uint8_t *text;
	long len;

	if (pem == NULL || PEM_write_bio_X509(pem, cert) != 1 ||
	    (len = BIO_get_mem_data(pem, &text)) <= 0)
		return err_openssl(err, ERR_FAULT, "encoding a certificate");
	if (encode(cert, &der, err) < 0)
		return -1;
	ca_file_name(ca, ".pem", file, sizeof(file));
	if (write_file(f->published, file,
	    (struct bytes){ text, (size_t)len }, err) < 0)
		return -1;
	ca_file_name(ca, ".crt", file, sizeof(file));
	return write_file(f->published, file, buf_bytes(&der), err);
}

/* The certificate by the CA's own key or its parent's, checked as a stranger
 * would check it. */
static int
check(X509 *cert, EVP_PKEY *key, const struct issuer *parent,
    struct err *err)
{
	X509 *issuer = parent == NULL ? cert : parent->cert;

	if (X509_check_private_key(cert, key) != 1 ||
	    X509_check_ca(cert) != 1 ||
	    X509_check_issued(issuer, cert) != X509_V_OK ||
	    X509_verify(cert, X509_get0_pubkey(issuer)) != 1)
		return err_openssl(err, ERR_FAULT,
		    "the CA certificate fails our own check");
	return 0;
}

static time_t
unix_time(const ASN1_TIME *t)
{
	struct tm tm;

	return ASN1_TIME_to_tm(t, &tm) == 1 ? timegm(&tm) : 0;
}

static int
make_certificate(const struct ceremony *c, const struct ceremony_ca *ca,
    EVP_PKEY *key, const struct issuer *parent, X509 **out, struct err *err)
{
	struct ca_terms terms = {
		.subject = *ca->subject,
		.not_before = c->now - BACKDATE_S,
		.not_after = c->now + ca->validity_s,
		.path_len = ca->path_len,
	};

	if (parent != NULL) {
		time_t begin = unix_time(X509_get0_notBefore(parent->cert));
		time_t end = unix_time(X509_get0_notAfter(parent->cert));

		if (end <= c->now)
			return err_set(err, ERR_REJECT,
			    "the parent's certificate has expired");
		if (terms.not_before < begin)
			terms.not_before = begin;
		if (terms.not_after > end)
			terms.not_after = end;
	}
	if (serial_generate(&terms.serial, err) < 0)
		return -1;
	return issue_ca(&terms, key, parent, out, err);
}

struct search {
	EVP_PKEY	*key;
	X509		*found;		/* owned */
};

static int
match_key(const struct journal_issued *issued, const struct crl_entry *revoked,
    const struct crl_terms *crl, void *arg)
{
	struct search *search = arg;
	OWNED(X509) *cert = NULL;
	const uint8_t *at;

	(void)revoked, (void)crl;
	if (issued == NULL || search->found != NULL)
		return 0;
	at = issued->der.data;
	cert = d2i_X509(NULL, &at, (long)issued->der.len);
	if (cert != NULL && X509_check_private_key(cert, search->key) == 1)
		search->found = TAKE(cert);
	ERR_clear_error();
	return 0;
}

/* 1: nothing was signed for that key. */
static int
find_recorded(struct journal *journal, EVP_PKEY *key, X509 **out,
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

/*
 * What a ceremony that was cut off published, or at least signed, or a new
 * one. journal: the issuer's; left: the key is not from today.
 */
static int
obtain_certificate(const struct ceremony *c, const struct folders *f,
    const struct ceremony_ca *ca, EVP_PKEY *key, bool left,
    const struct issuer *parent, struct journal *journal, X509 **out,
    struct err *err)
{
	OWNED(X509) *cert = NULL;
	int r = ca_load_certificate(f->published, ca->name, &cert, err);

	if (r > 0 && left)
		r = find_recorded(journal, key, &cert, err);
	if (r < 0)
		return -1;
	if (r > 0 &&
	    make_certificate(c, ca, key, parent, &cert, err) < 0)
		return -1;
	if (check(cert, key, parent, err) < 0) {
		if (r == 0)
			err_set(err, ERR_FAULT, "a certificate of %s is "
			    "published that fits neither its key nor its "
			    "parent; it is not on record: remove it",
			    ca->name);
		return -1;
	}
	*out = TAKE(cert);
	return 0;
}

/* --- the store ------------------------------------------------------------------ */
static int
keep_id(const struct ca_row *row, void *arg)
{
	*(int64_t *)arg = row->id;
	return 0;
}

/* 1: not on record. */
static int
find_ca(const struct ceremony *c, const char *name, int64_t *id,
    struct err *err)
{
	return store_find_ca(c->store, name, keep_id, id, err);
}

static int
add_rows(const struct ceremony *c, const char *name, const char *parent,
    int64_t parent_id, X509 *cert, struct err *err)
{
	OWNED_BUF(der, JOURNAL_MAX_DER);
	char object[CA_NAME_MAX + 4], detail[160], hex[SERIAL_HEX_SIZE];
	__attribute__((cleanup(names_free))) struct names names = { 0 };
	char text[256];
	struct serial serial;
	struct ca_row ca = { .name = name, .parent = parent,
		.not_before = unix_time(X509_get0_notBefore(cert)),
		.not_after = unix_time(X509_get0_notAfter(cert)) };
	struct cert_row row = { .ca_id = parent_id, .state = CERT_ISSUED,
		.not_before = ca.not_before, .not_after = ca.not_after,
		.profile = "ca", .reply_to = "" };
	int64_t id;

	if (encode(cert, &der, err) < 0 ||
	    ca_key_sha1(cert, ca.key_sha1, err) < 0 ||
	    serial_from_asn1(X509_get0_serialNumber(cert), &serial, err) < 0 ||
	    names_read(X509_get_subject_name(cert), NULL, &names, err) < 0)
		return -1;
	ca.cert = buf_bytes(&der);
	if (store_add_ca(c->store, &ca, &id, err) < 0)
		return -1;
	names_describe(&names, text, sizeof(text));
	row.serial = serial;
	row.der = buf_bytes(&der);
	row.names_text = text;
	row.ca = parent;
	/* Under the one that issued it, which may have to revoke it. */
	if (parent_id != 0 &&
	    store_add_certificate(c->store, &row, err) < 0)
		return -1;
	serial_to_hex(&serial, hex);
	snprintf(object, sizeof(object), "ca:%s", name);
	snprintf(detail, sizeof(detail), "serial %s, parent %s", hex,
	    parent[0] == '\0' ? "none" : parent);
	return store_audit(c->store, c->now, "ca.created", c->principal,
	    object, detail, err);
}

static int
commit(const struct ceremony *c, const char *name, const char *parent,
    int64_t parent_id, X509 *cert, struct err *err)
{
	if (store_begin(c->store, err) < 0)
		return -1;
	if (add_rows(c, name, parent, parent_id, cert, err) < 0) {
		store_rollback(c->store);
		return -1;
	}
	return store_commit(c->store, err);
}

/* --- the ceremonies ---------------------------------------------------------------- */
static int
check_wish(const struct ceremony *c, const struct ceremony_ca *ca,
    struct err *err)
{
	int64_t id;
	int r;

	if (!ca_name_is_valid(ca->name))
		return err_set(err, ERR_REJECT, "a CA's name has letters, "
		    "digits, '.', '-' and '_', one '/' at most, and begins "
		    "with a letter or digit");
	if (ca->validity_s <= 0)
		return err_set(err, ERR_REJECT,
		    "a CA must be valid for some time");
	r = find_ca(c, ca->name, &id, err);
	if (r == 0)
		return err_set(err, ERR_REJECT, "the CA %s exists", ca->name);
	return r < 0 ? -1 : 0;
}

/* All that the signer's user does. parent NULL: a root. */
static int
make_secret_part(const struct ceremony *c, const struct folders *f,
    const struct ceremony_ca *ca, const struct ceremony_parent *parent,
    X509 **out, struct err *err)
{
	OWNED_STRUCT(journal) *journal = NULL;
	OWNED_STRUCT(journal) *parent_journal = NULL;
	OWNED(EVP_PKEY) *key = NULL;
	OWNED(EVP_PKEY) *parent_key = NULL;
	OWNED(X509) *parent_cert = NULL;
	OWNED(X509) *cert = NULL;
	struct issuer issuer = { 0 };
	char file[CA_FILE_SIZE];
	bool left;

	if (parent != NULL) {
		if (ca_load_certificate(f->published, parent->name,
		    &parent_cert, err) != 0)
			return err_set(err, ERR_FAULT,
			    "the certificate of %s is not in published/",
			    parent->name);
		if (X509_get_pathlen(parent_cert) == 0)
			return err_set(err, ERR_REJECT, "%s may have no CA "
			    "below it: its path length is 0", parent->name);
		ca_file_name(parent->name, ".key", file, sizeof(file));
		if (keystore_load(f->keys, file, parent->passphrase,
		    &parent_key, err) < 0 || open_journal(f, parent->name,
		    false, &parent_journal, err) < 0)
			return -1;
		issuer = (struct issuer){ parent_cert, parent_key,
			issue_digest(parent_key), parent->ocsp_url,
			parent->ca_url, parent->crl_url };
	}
	if (obtain_key(f, ca, &key, &left, err) < 0 ||
	    open_journal(f, ca->name, true, &journal, err) < 0 ||
	    obtain_certificate(c, f, ca, key, left,
	    parent == NULL ? NULL : &issuer,
	    parent == NULL ? journal : parent_journal, &cert, err) < 0 ||
	    record(parent == NULL ? journal : parent_journal, cert, err) < 0)
		return -1;
	*out = TAKE(cert);
	return 0;
}

static int
create(const struct ceremony *c, const struct ceremony_ca *ca,
    const struct ceremony_parent *parent, int64_t parent_id,
    struct err *err)
{
	OWNED_FOLDERS f = { -1, -1, -1 };
	OWNED(X509) *cert = NULL;
	struct err ignored;
	int r;

	if (check_wish(c, ca, err) < 0 || open_folders(c, &f, err) < 0)
		return -1;
	r = act_as(c->sign_uid, c->sign_gid, err);
	if (r == 0)
		r = make_secret_part(c, &f, ca, parent, &cert, err);
	if (r == 0)
		r = act_as(c->store_uid, c->store_gid, err);
	if (r == 0)
		r = publish(&f, ca->name, cert, err);
	if (act_as_self(r == 0 ? err : &ignored) < 0 || r < 0)
		return -1;
	return commit(c, ca->name, parent == NULL ? "" : parent->name,
	    parent_id, cert, err);
}

int
ceremony_create_root(const struct ceremony *c, const struct ceremony_ca *ca,
    struct err *err)
{
	return create(c, ca, NULL, 0, err);
}

int
ceremony_create_child(const struct ceremony *c, const struct ceremony_ca *ca,
    const struct ceremony_parent *parent, struct err *err)
{
	int64_t parent_id;
	int r = find_ca(c, parent->name, &parent_id, err);

	if (r > 0)
		return err_set(err, ERR_REJECT, "there is no CA %s",
		    parent->name);
	return r < 0 ? -1 : create(c, ca, parent, parent_id, err);
}
