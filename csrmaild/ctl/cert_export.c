#include "csrmaild/ctl/cert.h"

#include "csrmaild/ctl/certfile.h"
#include "csrmaild/ctl/ctl.h"
#include "csrmaild/ctl/device_zip.h"
#include "csrmaild/ctl/key_file.h"
#include "csrmaild/ctl/passphrase.h"
#include "csrmaild/ctl/pkcs12.h"

#include "csrmaild/certs_only.h"

#include "common/clock.h"
#include "common/err.h"
#include "common/keystore.h"
#include "common/owned.h"

#include <openssl/pem.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* One certificate in every form that programs and devices want it in. */

#define MAX_OCTETS	(1u << 20)

#define WIPED_BUF(name, ceiling)					\
	__attribute__((cleanup(buf_wipe))) struct buf name = BUF(ceiling)

/* What is exported: the certificate, and the CAs above it, root last. */
struct bundle {
	const char	*pem;		/* borrowed */
	struct buf	 chain;		/* owned; PEM, without the first */
	X509		*certs[CERTS_ONLY_MAX];	/* owned */
	size_t		 n;
};

static void
bundle_free(struct bundle *b)
{
	buf_free(&b->chain);
	for (size_t i = 0; i < b->n; i++)
		X509_free(b->certs[i]);
}
#define OWNED_BUNDLE	__attribute__((cleanup(bundle_free))) struct bundle

static int
add_certificates(struct bundle *b, const char *pem)
{
	OWNED(BIO) *bio = BIO_new_mem_buf(pem, -1);
	X509 *cert;

	while (bio != NULL && b->n < CERTS_ONLY_MAX && (cert =
	    PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL)
		b->certs[b->n++] = cert;
	return b->n > 0 ? 0 : -1;
}

static int
bundle_load(struct ctl *ctl, const json_t *cert, struct bundle *b,
    struct err *err)
{
	const char *ca = json_string_value(json_object_get(cert, "ca"));

	if (certfile_append_chain(ctl, ca, &b->chain, err) != 0)
		return -1;
	return add_certificates(b, b->pem) == 0 &&
	    add_certificates(b, buf_str(&b->chain)) == 0 ? 0 :
	    ctl_fail(ctl, EX_SOFTWARE, err, "the certificate or its chain "
	    "cannot be read");
}

/* --- PKCS#12 ------------------------------------------------------------ */

static int
obtain_passphrase(struct ctl *ctl, struct buf *out, struct err *err)
{
	const char *path = ctl_option(ctl, "p12-passphrase-file");
	WIPED_BUF(again, KEYSTORE_PASSPHRASE_MAX + 2);

	if (path != NULL)
		return passphrase_from_file(ctl, path, out, err);
	if (passphrase_ask(ctl, "New passphrase, for the PKCS#12 file: ", out,
	    err) != 0 ||
	    passphrase_ask(ctl, "The same again: ", &again, err) != 0)
		return -1;
	return bytes_equal(buf_bytes(out), buf_bytes(&again)) ? 0 :
	    ctl_fail(ctl, EX_USAGE, err, "the two passphrases differ");
}

/* What a person knows it by: the subject's CN, or the first of its names. */
static const char *
friendly_name(struct ctl *ctl, const json_t *cert, X509 *x, char *out,
    size_t size)
{
	const char *given = ctl_option(ctl, "name");
	const char *names = json_string_value(json_object_get(cert, "names"));

	if (given != NULL)
		return given;
	if (X509_NAME_get_text_by_NID(X509_get_subject_name(x),
	    NID_commonName, out, (int)size) > 0)
		return out;
	snprintf(out, size, "%.*s", names == NULL ? 0 :
	    (int)strcspn(names, ","), names == NULL ? "" : names);
	return out;
}

static int
make_p12(struct ctl *ctl, const json_t *cert, const struct bundle *b,
    struct buf *out, struct err *err)
{
	OWNED(EVP_PKEY) *key = NULL;
	WIPED_BUF(passphrase, KEYSTORE_PASSPHRASE_MAX + 2);
	struct pkcs12_parts parts = { .cert = b->certs[0],
		.chain = b->certs + 1, .n_chain = b->n - 1 };
	char name[128];

	if (key_file_read(ctl, ctl_option(ctl, "key"), "key-passphrase-file",
	    &key, err) != 0)
		return -1;
	/* Before anything is asked that would be of no use. */
	if (X509_check_private_key(b->certs[0], key) == 1 &&
	    obtain_passphrase(ctl, &passphrase, err) != 0)
		return -1;
	parts.key = key;
	parts.name = friendly_name(ctl, cert, b->certs[0], name,
	    sizeof(name));
	return pkcs12_write(&parts, buf_bytes(&passphrase),
	    ctl_option(ctl, "legacy") != NULL, out, err);
}

/* --- the file ----------------------------------------------------------- */

/* With a key in it: for its owner's eyes, and in place of nothing. */
static int
write_private(struct ctl *ctl, const struct buf *out, struct err *err)
{
	const char *path = ctl_option(ctl, "output");
	OWNED_FD fd = -1;
	size_t done = 0;
	ssize_t n = 0;

	if (strcmp(path, "-") == 0)
		return ctl_write_output(ctl, buf_bytes(out), err);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
	    0600);
	if (fd < 0)
		return ctl_fail(ctl, EX_CANTCREAT, err, "%s: %s", path,
		    errno == EEXIST ? "it is there already, and is not "
		    "replaced" : strerror(errno));
	while (done < out->len && (n = write(fd, out->data + done,
	    out->len - done)) > 0)
		done += (size_t)n;
	if (done == out->len && fsync(fd) == 0)
		return 0;
	ctl_fail(ctl, EX_IOERR, err, "%s: %s", path, strerror(errno));
	unlink(path);
	return -1;
}

static int
export_p12(struct ctl *ctl, const json_t *cert, struct bundle *b,
    struct err *err)
{
	OWNED_BUF(out, MAX_OCTETS);

	return make_p12(ctl, cert, b, &out, err) != 0 ? -1 :
	    write_private(ctl, &out, err);
}

static int
export_p7c(struct ctl *ctl, const json_t *cert, struct bundle *b,
    struct err *err)
{
	OWNED_BUF(out, MAX_OCTETS);

	(void)cert;
	return certs_only_write(b->certs, b->n, &out, err) != 0 ? -1 :
	    ctl_write_output(ctl, buf_bytes(&out), err);
}

static int
export_zip(struct ctl *ctl, const json_t *cert, struct bundle *b,
    struct err *err)
{
	OWNED_BUF(p7c, MAX_OCTETS);
	OWNED_BUF(p12, MAX_OCTETS);
	OWNED_BUF(out, 4 * MAX_OCTETS);
	struct device_files files = { .certs = b->certs, .n = b->n,
		.certificate = bytes_of(b->pem),
		.chain = buf_bytes(&b->chain), .cert = cert,
		.now = clock_now() };

	if (certs_only_write(b->certs, b->n, &p7c, err) != 0 ||
	    (ctl_option(ctl, "key") != NULL &&
	    make_p12(ctl, cert, b, &p12, err) != 0))
		return -1;
	files.p7c = buf_bytes(&p7c);
	files.p12 = buf_bytes(&p12);
	return device_zip_write(&files, &out, err) != 0 ? -1 :
	    write_private(ctl, &out, err);
}

static int
export_chain(struct ctl *ctl, const json_t *cert, struct bundle *b,
    struct err *err)
{
	OWNED_BUF(out, MAX_OCTETS);

	(void)cert;
	buf_append_str(&out, b->pem);
	buf_append_bytes(&out, buf_bytes(&b->chain));
	return ctl_write_output(ctl, buf_bytes(&out), err);
}

static int
export_der(struct ctl *ctl, const json_t *cert, struct bundle *b,
    struct err *err)
{
	OWNED_BUF(out, MAX_OCTETS);

	(void)cert;
	return certfile_to_der(b->pem, &out) == 0 ?
	    ctl_write_output(ctl, buf_bytes(&out), err) :
	    ctl_fail(ctl, EX_SOFTWARE, err, "the certificate cannot be read");
}

static int
export_pem(struct ctl *ctl, const json_t *cert, struct bundle *b,
    struct err *err)
{
	(void)cert;
	return ctl_write_output(ctl, bytes_of(b->pem), err);
}

static const struct form {
	const char	*option;	/* NULL: when no other is given */
	bool		 needs_chain, needs_file, needs_key;
	int		(*run)(struct ctl *, const json_t *, struct bundle *,
			    struct err *);
} forms[] = {
	{ "der",	false, false, false, export_der },
	{ "p7c",	true,  false, false, export_p7c },
	{ "p12",	true,  true,  true,  export_p12 },
	{ "zip",	true,  true,  false, export_zip },
	{ "chain",	true,  false, false, export_chain },
	{ NULL,		false, false, false, export_pem },
};

static int
choose(struct ctl *ctl, const struct form **out, struct err *err)
{
	const struct form *form = forms;

	while (form->option != NULL && ctl_option(ctl, form->option) == NULL)
		form++;
	for (const struct form *other = form; form->option != NULL &&
	    (++other)->option != NULL;)
		if (ctl_option(ctl, other->option) != NULL)
			return ctl_fail(ctl, EX_USAGE, err, "--%s and --%s: "
			    "one of the two", form->option, other->option);
	if (form->needs_file && ctl_option(ctl, "output") == NULL)
		return ctl_fail(ctl, EX_USAGE, err, "--%s needs --output FILE",
		    form->option);
	if (form->needs_key && ctl_option(ctl, "key") == NULL)
		return ctl_fail(ctl, EX_USAGE, err, "--%s needs --key FILE: "
		    "the private key is yours, not the CA's", form->option);
	if (!form->needs_file && ctl_option(ctl, "key") != NULL)
		return ctl_fail(ctl, EX_USAGE, err, "--key goes with --p12 "
		    "and --zip only");
	*out = form;
	return 0;
}

int
cert_check_form(struct ctl *ctl, struct err *err)
{
	const struct form *form;

	return choose(ctl, &form, err);
}

int
cert_export(struct ctl *ctl, const json_t *cert, struct err *err)
{
	OWNED_BUNDLE b = { .chain = BUF(MAX_OCTETS) };
	const struct form *form = NULL;

	b.pem = json_string_value(json_object_get(cert, "pem"));
	if (choose(ctl, &form, err) != 0)
		return -1;
	if (b.pem == NULL)
		return ctl_fail(ctl, EX_DATAERR, err, "the serial is reserved "
		    "and nothing is issued under it, or its certificate was "
		    "not imported");
	if (form->needs_chain && bundle_load(ctl, cert, &b, err) != 0)
		return -1;
	return form->run(ctl, cert, &b, err);
}
