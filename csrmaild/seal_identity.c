#include "csrmaild/seal_identity.h"

#include "common/err.h"
#include "common/issue.h"
#include "common/key.h"
#include "common/keystore.h"
#include "csrmaild/smime.h"
#include "csrmaild/validity.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const keys[SEAL_FILES] = {
	[SEAL_CERTIFICATE] = "smime_certificate",
	[SEAL_KEY] = "smime_key_file",
	[SEAL_PASSPHRASE] = "smime_passphrase_file",
};

const char *
seal_file_key(enum seal_file file)
{
	return keys[file];
}

/* --- certificates ----------------------------------------------------------- */

/* A certificate that stands twice counts once: CMS takes no doubles. */
static bool
is_there(const struct seal_identity *id, const X509 *cert)
{
	bool found = id->cert != NULL && X509_cmp(id->cert, cert) == 0;

	for (int i = 0; i < sk_X509_num(id->chain); i++)
		found |= X509_cmp(sk_X509_value(id->chain, i), cert) == 0;
	return found;
}

static int
add_certificate(struct seal_identity *id, X509 *taken, struct err *err)
{
	OWNED(X509) *cert = taken;

	if (is_there(id, cert))
		return 0;
	if (sk_X509_num(id->chain) + 1 == SEAL_MAX_CERTIFICATES)
		return err_set(err, ERR_FAULT, "more than %d certificates",
		    SEAL_MAX_CERTIFICATES);
	if (id->cert == NULL)
		id->cert = TAKE(cert);
	else if (sk_X509_push(id->chain, cert) > 0)
		(void)TAKE(cert);
	else
		return err_set(err, ERR_RETRY, "out of memory");
	return 0;
}

static int
read_certificates(struct seal_identity *id, struct bytes pem,
    struct err *err)
{
	OWNED(BIO) *in = BIO_new_mem_buf(pem.data, (int)pem.len);
	X509 *cert;

	if (in == NULL)
		return err_openssl(err, ERR_RETRY, "reading a certificate");
	while ((cert = PEM_read_bio_X509(in, NULL, NULL, NULL)) != NULL)
		if (add_certificate(id, cert, err) == -1)
			return -1;
	/* The end of a PEM file is an error, too; any other is one. */
	if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE ||
	    id->cert == NULL) {
		ERR_clear_error();
		return err_set(err, ERR_FAULT, "found something else than "
		    "whole certificates in PEM");
	}
	ERR_clear_error();
	if (asn1_time_read(X509_get0_notBefore(id->cert), &id->not_before,
	    err) == -1)
		return -1;
	return asn1_time_read(X509_get0_notAfter(id->cert), &id->not_after,
	    err);
}

/* What every mail program can verify. */
static int
check_key_kind(const X509 *cert, struct err *err)
{
	struct key_facts facts;
	struct err why;

	if (key_examine(X509_get_X509_PUBKEY(cert), &facts, &why) == -1)
		return err_set(err, ERR_FAULT, "its key: %.200s", why.text);
	switch (facts.kind) {
	case KEY_RSA:
	case KEY_P256:
	case KEY_P384:
	case KEY_P521:
		return 0;
	case KEY_ED25519:
	case KEY_ED448:
		break;
	}
	return err_set(err, ERR_FAULT, "its key is of %s, which few mail "
	    "programs verify; allowed are RSA, P-256, P-384 and P-521",
	    key_kind_name(facts.kind));
}

/* RFC 8550, 3 and 4.4. */
static int
check_certificate(X509 *cert, const char *mailbox, struct err *err)
{
	if (check_key_kind(cert, err) == -1)
		return -1;
	if ((X509_get_extension_flags(cert) & EXFLAG_CA) != 0)
		return err_set(err, ERR_FAULT, "it is a CA's; the mailbox's "
		    "own comes first, then its chain");
	if (!smime_certificate_bears(cert, mailbox))
		return err_set(err, ERR_FAULT,
		    "it has no rfc822Name %s in its subjectAltName", mailbox);
	/* Where the extension is absent, all bits are set. */
	if ((X509_get_key_usage(cert) & KU_DIGITAL_SIGNATURE) == 0)
		return err_set(err, ERR_FAULT,
		    "its keyUsage has no digitalSignature");
	if ((X509_get_extended_key_usage(cert) & (XKU_SMIME |
	    XKU_ANYEKU)) == 0)
		return err_set(err, ERR_FAULT,
		    "its extKeyUsage has no emailProtection");
	return 0;
}

/* --- the key ------------------------------------------------------------------ */

static int
read_key(struct seal_identity *id, const struct bytes files[SEAL_FILES],
    enum seal_file *fault, struct err *err)
{
	bool has_passphrase = files[SEAL_PASSPHRASE].len > 0;

	*fault = SEAL_KEY;
	if (files[SEAL_KEY].len == 0)
		return err_set(err, ERR_FAULT, "found nothing in it");
	if (keystore_is_token(files[SEAL_KEY]))
		return err_set(err, ERR_FAULT, "found a pkcs11: URI; allowed "
		    "is a PKCS#8 key in PEM");
	if (keystore_open(files[SEAL_KEY], "the key",
	    files[SEAL_PASSPHRASE], &id->key, err) == -1) {
		/* Which of the two it is about, its text says. */
		*fault = has_passphrase ? SEAL_PASSPHRASE : SEAL_KEY;
		return -1;
	}
	if (X509_check_private_key(id->cert, id->key) != 1) {
		ERR_clear_error();
		return err_set(err, ERR_FAULT, "it is not the key of the "
		    "certificate; the mailbox's own comes first, then its "
		    "chain");
	}
	return 0;
}

/* --- all of it ------------------------------------------------------------------ */

int
seal_identity_read(const struct bytes files[SEAL_FILES], const char *mailbox,
    struct seal_identity **out, enum seal_file *fault, struct err *err)
{
	OWNED_STRUCT(seal_identity) *id = calloc(1, sizeof(*id));

	*fault = SEAL_CERTIFICATE;
	if (id == NULL || (id->chain = sk_X509_new_null()) == NULL ||
	    (id->mailbox = strdup(mailbox)) == NULL)
		return err_set(err, ERR_RETRY, "out of memory");
	if (read_certificates(id, files[SEAL_CERTIFICATE], err) == -1 ||
	    check_certificate(id->cert, mailbox, err) == -1 ||
	    read_key(id, files, fault, err) == -1)
		return -1;
	*out = TAKE(id);
	return 0;
}

void
seal_identity_free(struct seal_identity *id)
{
	if (id == NULL)
		return;
	X509_free(id->cert);
	sk_X509_pop_free(id->chain, X509_free);
	EVP_PKEY_free(id->key);
	free(id->mailbox);
	free(id);
}

bool
seal_identity_is_valid(const struct seal_identity *id, time_t now,
    char *text, size_t size)
{
	char day[VALIDITY_DAY_SIZE];

	text[0] = '\0';
	if (now < id->not_before)
		snprintf(text, size, "its signing certificate is not valid "
		    "before %s", validity_day(id->not_before, day));
	else if (now > id->not_after)
		snprintf(text, size, "its signing certificate has expired on "
		    "%s: put the next one in its place, and reload",
		    validity_day(id->not_after, day));
	else if (validity_ends_soon(id->not_before, id->not_after, now))
		snprintf(text, size, "its signing certificate ends on %s: "
		    "renew it", validity_day(id->not_after, day));
	return now >= id->not_before && now <= id->not_after;
}
