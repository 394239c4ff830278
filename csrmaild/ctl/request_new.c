#include "csrmaild/ctl/ctl.h"
#include "csrmaild/ctl/make_ca.h"
#include "csrmaild/ctl/passphrase.h"

#include "common/csr.h"
#include "common/err.h"
#include "common/issue.h"
#include "common/keystore.h"
#include "common/names.h"
#include "common/owned.h"

#include <openssl/x509v3.h>

#include <arpa/inet.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/*
 * A key and a request for a system or a person. The key is written to a folder
 * and never leaves it; the request is looked at as our own CA will look at it.
 * Needs neither daemon nor configuration.
 */
#define MAX_COMMON_NAME	64	/* RFC 5280, A.1 */
#define MAX_FILE_NAME	200

/* --- names --------------------------------------------------------------- */
static enum san_kind
kind_of(const char *name)
{
	uint8_t octets[16];

	if (strchr(name, '@') != NULL)
		return SAN_EMAIL;
	if (inet_pton(AF_INET, name, octets) == 1 ||
	    inet_pton(AF_INET6, name, octets) == 1)
		return SAN_IP;
	return SAN_DNS;
}

static int
add_list(struct ctl *ctl, const char *option, enum san_kind kind,
    struct names *out, struct err *err)
{
	const char *at = ctl_option(ctl, option);

	while (at != NULL && *at != '\0') {
		size_t n = strcspn(at, ",");

		if (names_add_san(out, kind, (struct bytes){
		    (const uint8_t *)at, n }, err) != 0)
			return -1;
		at += n;
		at += strspn(at, ", ");
	}
	return 0;
}

static int
collect_names(struct ctl *ctl, struct names *out, struct err *err)
{
	const char *subject = ctl_option(ctl, "subject");

	if (subject != NULL && make_ca_subject(ctl, subject, out, err) != 0)
		return -1;
	for (size_t i = 0; i < CTL_MAX_ARGS && ctl->args[i] != NULL; i++)
		if (names_add_san(out, kind_of(ctl->args[i]),
		    bytes_of(ctl->args[i]), err) != 0)
			return -1;
	if (add_list(ctl, "dns", SAN_DNS, out, err) != 0 ||
	    add_list(ctl, "email", SAN_EMAIL, out, err) != 0 ||
	    add_list(ctl, "ip", SAN_IP, out, err) != 0)
		return -1;
	if (out->n_attributes == 0 && out->n_sans == 0)
		return ctl_fail(ctl, EX_USAGE, err, "for whom? Give a host, an "
		    "address of mail, or --subject");
	/* A subject to be recognised by; where the name is too long for one,
	 * the subjectAltName alone has it (RFC 5280, 4.2.1.6). */
	if (out->n_attributes > 0 ||
	    strlen(out->sans[0].text) > MAX_COMMON_NAME)
		return 0;
	return names_add_attribute(out, NID_commonName,
	    bytes_of(out->sans[0].text), err);
}

/* --- files --------------------------------------------------------------- */
/* "*.example.org" is no name for a file, nor is what begins with a dot. */
static int
file_name(struct ctl *ctl, const struct names *names, const char *suffix,
    char *out, size_t size, struct err *err)
{
	const char *name = ctl_option(ctl, "name");

	if (name == NULL)
		name = names->n_sans > 0 ? names->sans[0].text :
		    names_common_name(names);
	if (name == NULL || *name == '\0' || strlen(name) > MAX_FILE_NAME)
		return ctl_fail(ctl, EX_USAGE, err, "how shall the files be "
		    "called? --name");
	snprintf(out, size, "%s%s", name, suffix);
	for (char *p = out; *p != '\0'; p++)
		if ((unsigned char)*p <= ' ' || *p == '/' || *p == '*' ||
		    *p == ':' || (p == out && *p == '.'))
			*p = '_';
	return 0;
}

static int
write_request_file(struct ctl *ctl, int dir, const char *file,
    struct bytes der, struct err *err)
{
	OWNED_FD fd = openat(dir, file, O_WRONLY | O_CREAT | O_EXCL |
	    O_NOFOLLOW | O_CLOEXEC, 0644);

	if (fd >= 0 && write(fd, der.data, der.len) == (ssize_t)der.len &&
	    fsync(fd) == 0)
		return 0;
	if (fd >= 0)
		unlinkat(dir, file, 0);
	return ctl_fail(ctl, EX_CANTCREAT, err, "%s: %s", file,
	    strerror(errno));
}

/* --- the request --------------------------------------------------------- */
static int
add_sans(X509_REQ *req, const struct names *names, struct err *err)
{
	STACK_OF(X509_EXTENSION) *list = NULL;
	OWNED(GENERAL_NAMES) *sans = NULL;
	int ok;

	if (names->n_sans == 0)
		return 0;
	sans = names_to_sans(names, err);
	if (sans == NULL)
		return -1;
	ok = X509V3_add1_i2d(&list, NID_subject_alt_name, sans, 0,
	    X509V3_ADD_DEFAULT) == 1 &&
	    X509_REQ_add_extensions(req, list) == 1;
	sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
	return ok ? 0 : err_openssl(err, ERR_FAULT, "writing the names");
}

static int
make_request(const struct names *names, EVP_PKEY *key, struct buf *der,
    struct err *err)
{
	OWNED(X509_REQ) *req = X509_REQ_new();
	OWNED(X509_NAME) *subject = names_to_subject(names, err);
	OWNED_STRUCT(csr) *csr = NULL;
	unsigned char *octets = NULL;
	int len = -1;

	if (subject == NULL || req == NULL || add_sans(req, names, err) != 0)
		return -1;
	if (X509_REQ_set_version(req, 0) == 1 &&
	    X509_REQ_set_subject_name(req, subject) == 1 &&
	    X509_REQ_set_pubkey(req, key) == 1 &&
	    X509_REQ_sign(req, key, issue_digest(key)) > 0)
		len = i2d_X509_REQ(req, &octets);
	if (len > 0)
		buf_append(der, octets, (size_t)len);
	OPENSSL_free(octets);
	if (len <= 0 || der->failed)
		return err_openssl(err, ERR_FAULT, "writing the request");
	return csr_read(buf_bytes(der), &csr, err);
}

/* --- the passphrase ------------------------------------------------------ */
static int
obtain(struct ctl *ctl, struct buf *out, struct err *err)
{
	__attribute__((cleanup(buf_wipe))) struct buf again =
	    BUF(KEYSTORE_PASSPHRASE_MAX + 2);
	const char *file = ctl_option(ctl, "passphrase-file");

	if (ctl_option(ctl, "no-passphrase") != NULL)
		return file == NULL ? 0 : ctl_fail(ctl, EX_USAGE, err,
		    "--passphrase-file and --no-passphrase: which?");
	if (file != NULL) {
		if (make_ca_passphrase(ctl, file, out, err) != 0)
			return -1;
	} else {
		if (passphrase_ask(ctl, "New passphrase for the key: ", out,
		    err) != 0 ||
		    passphrase_ask(ctl, "The same again: ", &again, err) != 0)
			return -1;
		if (!bytes_equal(buf_bytes(out), buf_bytes(&again)))
			return ctl_fail(ctl, EX_USAGE, err,
			    "the two passphrases differ");
	}
	return out->len > 0 ? 0 : ctl_fail(ctl, EX_USAGE, err, "an empty "
	    "passphrase: --no-passphrase says that the key is to be stored "
	    "without");
}

static int
write_files(struct ctl *ctl, int dir, const struct names *names,
    EVP_PKEY *key, const char *key_file, const char *request_file,
    struct err *err)
{
	__attribute__((cleanup(buf_wipe))) struct buf passphrase =
	    BUF(KEYSTORE_PASSPHRASE_MAX + 2);
	OWNED_BUF(der, CSR_MAX_OCTETS);

	if (make_request(names, key, &der, err) != 0 ||
	    obtain(ctl, &passphrase, err) != 0 ||
	    keystore_save(dir, key_file, key, buf_bytes(&passphrase),
	    err) != 0)
		return -1;
	if (write_request_file(ctl, dir, request_file, buf_bytes(&der),
	    err) == 0)
		return 0;
	unlinkat(dir, key_file, 0);
	return -1;
}

int
ctl_request_new(struct ctl *ctl, struct err *err)
{
	const char *folder = ctl_option(ctl, "out-dir");
	const char *word = ctl_option(ctl, "key-type");
	__attribute__((cleanup(names_free))) struct names names = { 0 };
	char key_file[MAX_FILE_NAME + 8], request_file[MAX_FILE_NAME + 8];
	OWNED(EVP_PKEY) *key = NULL;
	OWNED_FD dir = -1;
	enum key_kind kind;
	unsigned int bits;
	struct stat st;

	if (folder == NULL)
		folder = ".";
	if (collect_names(ctl, &names, err) != 0 ||
	    make_ca_key(ctl, word == NULL ? "p256" : word, &kind, &bits,
	    err) != 0 ||
	    file_name(ctl, &names, ".key", key_file, sizeof(key_file),
	    err) != 0 ||
	    file_name(ctl, &names, ".p10", request_file, sizeof(request_file),
	    err) != 0)
		return -1;
	dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return ctl_fail(ctl, EX_CANTCREAT, err, "%s: %s", folder,
		    strerror(errno));
	if (fstatat(dir, key_file, &st, AT_SYMLINK_NOFOLLOW) == 0 ||
	    fstatat(dir, request_file, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return ctl_fail(ctl, EX_CANTCREAT, err, "%s/%s or its request "
		    "is there already, and is not replaced", folder, key_file);
	key = key_generate(kind, bits, err);
	if (key == NULL || write_files(ctl, dir, &names, key, key_file,
	    request_file, err) != 0)
		return -1;
	if (!ctl->json)
		printf("%s/%s\tthe key: it stays here, and goes to nobody\n"
		    "%s/%s\tthe request: mail it to the CA, or hand it to its "
		    "administrator\n", folder, key_file, folder, request_file);
	return 0;
}
