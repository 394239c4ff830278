#include "csrmaild/ceremony_offline.h"
#include "common/ca.h"
#include "common/csr.h"
#include "common/err.h"
#include "common/keystore.h"
#include "common/owned.h"
#include "csrmaild/ca_files.h"
#include "csrmaild/ceremony_private.h"

#include <openssl/err.h>

#include <stdio.h>
#include <string.h>

/* 4.2 of RFC 2986: version 1, subject, key, signature. */
static int
write_request(const X509_NAME *subject, EVP_PKEY *key, struct buf *der,
    struct err *err)
{
	OWNED(X509_REQ) *req = X509_REQ_new();
	unsigned char *octets = NULL;
	int len = -1;

	if (req != NULL && X509_REQ_set_version(req, 0) == 1 &&
	    X509_REQ_set_subject_name(req, subject) == 1 &&
	    X509_REQ_set_pubkey(req, key) == 1 &&
	    X509_REQ_sign(req, key, issue_digest(key)) > 0)
		len = i2d_X509_REQ(req, &octets);
	if (len > 0)
		buf_append(der, octets, (size_t)len);
	OPENSSL_free(octets);
	return len > 0 && !der->failed ? 0 :
	    err_openssl(err, ERR_FAULT, "writing a request");
}

static int
check_name(const struct ceremony *c, const char *name, struct err *err)
{
	OWNED_STANDING there = { 0 };
	int r;

	if (!ca_name_is_valid(name))
		return ceremony_refuse_name(err);
	r = ceremony_find(c, name, &there, err);
	return r == 0 ? err_set(err, ERR_REJECT, "the CA %s exists: with "
	    "--renew its next certificate is requested", name) :
	    r < 0 ? -1 : 0;
}

/* With a key that is made here, unless an earlier one left it. */
static int
request_with_new_key(const struct ceremony *c, const struct folders *f,
    const struct ceremony_ca *ca, const X509_NAME *subject, struct buf *der,
    struct err *err)
{
	OWNED_STRUCT(journal) *journal = NULL;
	OWNED(EVP_PKEY) *key = NULL;
	bool left;

	if (ceremony_obtain_key(f, ca, &key, &left, err) < 0 ||
	    ceremony_check_made_key(c, ca->name, key, NULL, err) < 0 ||
	    ceremony_open_journal(f, ca->name, true, &journal, err) < 0)
		return -1;
	return write_request(subject, key, der, err);
}

int
ceremony_request(const struct ceremony *c, const struct ceremony_ca *ca,
    struct buf *der, struct err *err)
{
	OWNED_FOLDERS f = { -1, -1, -1 };
	OWNED(X509_NAME) *subject = names_to_subject(ca->subject, err);
	struct err ignored;
	int r;

	if (subject == NULL || check_name(c, ca->name, err) < 0 ||
	    ceremony_open_folders(c, &f, err) < 0)
		return -1;
	r = ceremony_act_as(c->sign_uid, c->sign_gid, err);
	if (r == 0)
		r = request_with_new_key(c, &f, ca, subject, der, err);
	return ceremony_act_as_self(r == 0 ? err : &ignored) < 0 ? -1 : r;
}

/* --- for a CA on record -------------------------------------------------- */

/* The key there is signs the request, or shows that the passphrase opens the
 * next one too: the daemon has one source for both. */
static int
renewal_secret_part(const struct ceremony *c, const struct folders *f,
    const struct ceremony_ca *ca, const struct standing *now, bool new_key,
    struct buf *der, struct err *err)
{
	const X509_NAME *subject = X509_get_subject_name(now->cert);
	OWNED(EVP_PKEY) *key = NULL;
	char file[CA_FILE_SIZE];

	ca_file_name(now->name, ".key", file, sizeof(file));
	if (!ceremony_has_key(f, now->name))
		return err_set(err, ERR_REJECT, "the key of %s is not here: "
		    "do this where it is", now->name);
	if (keystore_load(f->keys, file, ca->passphrase, &key, err) < 0)
		return -1;
	if (X509_check_private_key(now->cert, key) != 1)
		return err_openssl(err, ERR_FAULT, "the key that is here is "
		    "not the CA's");
	return new_key ? request_with_new_key(c, f, ca, subject, der, err) :
	    write_request(subject, key, der, err);
}

int
ceremony_request_renewal(const struct ceremony *c,
    const struct ceremony_ca *asked, bool new_key, char made[CA_NAME_MAX + 1],
    struct buf *der, struct err *err)
{
	OWNED_FOLDERS f = { -1, -1, -1 };
	OWNED_STANDING now = { 0 };
	struct ceremony_ca ca = *asked;
	char next[CA_NAME_MAX + 1];
	struct err ignored;
	int r = ceremony_find(c, asked->name, &now, err);

	if (r != 0)
		return r < 0 ? -1 : err_set(err, ERR_REJECT,
		    "there is no CA %s", asked->name);
	if (X509_check_issued(now.cert, now.cert) == X509_V_OK)
		return err_set(err, ERR_REJECT, "%s is a root, which renews "
		    "itself: csrmail ca renew", asked->name);
	ERR_clear_error();
	snprintf(next, sizeof(next), "%s", now.name);
	if ((new_key ? ceremony_plan_key(c, &now, next, &ca, err) :
	    ceremony_check_in_force(c, &now, err)) < 0 ||
	    ceremony_open_folders(c, &f, err) < 0)
		return -1;
	r = ceremony_act_as(c->sign_uid, c->sign_gid, err);
	if (r == 0)
		r = renewal_secret_part(c, &f, &ca, &now, new_key, der, err);
	if (ceremony_act_as_self(r == 0 ? err : &ignored) < 0 || r < 0)
		return -1;
	memcpy(made, next, sizeof(next));
	return 0;
}

/* --- signing one --------------------------------------------------------- */

static int
sign_secret_part(const struct ceremony *c, const struct folders *f,
    const struct ceremony_ca *wish, EVP_PKEY *key, X509 *before,
    const struct ceremony_parent *parent, const struct standing *above,
    X509 **out, struct err *err)
{
	OWNED_SIGNATORY by = { 0 };
	OWNED(X509) *cert = NULL;

	if (signatory_open(f, parent, above, &by, err) < 0 ||
	    ceremony_obtain_certificate(c, f, wish, key, true, before,
	    &by.issuer, by.journal, &cert, err) < 0 ||
	    ceremony_record(by.journal, cert, err) < 0)
		return -1;
	*out = TAKE(cert);
	return 0;
}

/* A key that the store does not have yet. */
static int
sign_new_key(const struct ceremony *c, const struct succession *s,
    const struct ceremony_ca *wish, const struct csr *csr,
    const struct ceremony_parent *parent, struct err *err)
{
	OWNED_FOLDERS f = { -1, -1, -1 };
	OWNED_STANDING by = { 0 };
	OWNED_STANDING now = { 0 };
	OWNED(X509) *cert = NULL;
	const uint8_t *at = csr->spki.data;
	OWNED(EVP_PKEY) *key = d2i_PUBKEY(NULL, &at, (long)csr->spki.len);
	char family[CA_NAME_MAX + 1];
	struct err ignored;
	int r;

	if (key == NULL)
		return err_openssl(err, ERR_FAULT, "reading the key");
	r = ceremony_find(c, parent->name, &by, err);
	if (r != 0)
		return r < 0 ? -1 : err_set(err, ERR_REJECT,
		    "there is no CA %s", parent->name);
	if (ceremony_check_signs(c, &by, err) < 0 || ceremony_check_key(c,
	    s->name, csr->key.spki_sha256, err) < 0)
		return -1;
	ca_family(s->name, family, sizeof(family));
	if (s->before != NULL && (ceremony_find(c, family, &now, err) != 0 ||
	    ceremony_check_addresses(&now, &by, parent, err) < 0))
		return -1;
	if (ceremony_open_folders(c, &f, err) < 0)
		return -1;
	r = ceremony_act_as(c->sign_uid, c->sign_gid, err);
	if (r == 0)
		r = sign_secret_part(c, &f, wish, key, s->before, parent, &by,
		    &cert, err);
	if (ceremony_act_as_self(r == 0 ? err : &ignored) < 0 || r < 0)
		return -1;
	return ceremony_adopt(c, s->name, parent->name, cert, NULL,
	    (struct bytes){ 0 }, "signed", err);
}

int
ceremony_sign_request(const struct ceremony *c, const struct succession *s,
    const struct ceremony_ca *asked, const struct csr *csr,
    const struct ceremony_parent *parent, struct err *err)
{
	char exact[CA_NAME_MAX + 3];
	struct ceremony_ca wish = *asked;

	wish.name = s->name;
	wish.subject = &csr->names;
	if (s->kind != SUCCESSION_SAME_KEY)
		return s->kind == SUCCESSION_NONE && wish.validity_s <= 0 ?
		    err_set(err, ERR_REJECT,
		    "a CA must be valid for some time") :
		    sign_new_key(c, s, &wish, csr, parent, err);
	/* The renewal of this key, whatever other ones the CA has. */
	snprintf(exact, sizeof(exact), "%s%s", s->name,
	    strchr(s->name, '~') == NULL ? "~1" : "");
	wish.name = exact;
	return ceremony_renew(c, &wish, false, parent, err);
}
