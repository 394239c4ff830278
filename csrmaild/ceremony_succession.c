#include "csrmaild/ceremony_offline.h"
#include "common/ca.h"
#include "common/csr.h"
#include "common/err.h"
#include "common/key.h"
#include "common/keystore.h"
#include "common/owned.h"
#include "common/store.h"
#include "csrmaild/ca_files.h"
#include "csrmaild/ceremony_private.h"

#include <openssl/err.h>

#include <stdio.h>
#include <string.h>

/* New, the same key, or the next one: what a file is about. */

void
succession_free(struct succession *s)
{
	X509_free(s->before);
	s->before = NULL;
}

static int
must_find(const struct ceremony *c, const char *name, struct standing *out,
    struct err *err)
{
	int r = ceremony_find_exactly(c, name, out, err);

	return r <= 0 ? r : err_set(err, ERR_FAULT, "%s is not on record",
	    name);
}

/* The CA's present certificate and the name of the key after it. */
static int
set_next(const struct ceremony *c, const char *family, struct succession *out,
    struct err *err)
{
	struct ceremony_ca ca = { .key_kind = KEY_RSA };	/* no matter */
	OWNED_STANDING now = { 0 };

	if (ceremony_find(c, family, &now, err) < 0 || now.cert == NULL ||
	    ceremony_plan_key(c, &now, out->name, &ca, err) < 0)
		return -1;
	out->kind = SUCCESSION_NEW_KEY;
	out->before = TAKE(now.cert);
	return 0;
}

static void
set_same(struct standing *now, struct succession *out)
{
	out->kind = SUCCESSION_SAME_KEY;
	snprintf(out->name, sizeof(out->name), "%s", now->name);
	out->before = TAKE(now->cert);
}

static int
set_none(const struct ceremony *c, const char *name, struct succession *out,
    struct err *err)
{
	OWNED_STANDING there = { 0 };
	int r;

	if (!ca_name_is_valid(name))
		return ceremony_refuse_name(err);
	r = ceremony_find(c, name, &there, err);
	if (r <= 0)
		return r < 0 ? -1 : err_set(err, ERR_REJECT, "the CA %s "
		    "exists, with another subject or another parent", name);
	out->kind = SUCCESSION_NONE;
	snprintf(out->name, sizeof(out->name), "%s", name);
	return 0;
}

/* --- a search through the CAs --------------------------------------------- */
struct search {
	const uint8_t	*spki_sha256;
	const X509_NAME	*subject;
	char		 said[CA_NAME_MAX + 1];		/* families */
	char		 parent[CA_NAME_MAX + 1];
	char		 by_key[CA_NAME_MAX + 1];	/* found; "" */
	char		 by_subject[CA_NAME_MAX + 1];	/* its family */
};

static int
compare(const struct ca_row *row, void *arg)
{
	struct search *s = arg;
	uint8_t spki_sha256[32];
	struct err ignored;
	const uint8_t *at = row->cert.data;
	OWNED(X509) *cert = d2i_X509(NULL, &at, (long)row->cert.len);

	if (cert != NULL && key_digest_certificate(cert, spki_sha256,
	    &ignored) == 0 && memcmp(spki_sha256, s->spki_sha256,
	    sizeof(spki_sha256)) == 0)
		snprintf(s->by_key, sizeof(s->by_key), "%s", row->name);
	/* Should two have one subject, the name decides. */
	if (cert != NULL && ca_is_of_family(row->parent, s->parent) &&
	    strcmp(s->by_subject, s->said) != 0 && X509_NAME_cmp(s->subject,
	    X509_get_subject_name(cert)) == 0)
		ca_family(row->name, s->by_subject, sizeof(s->by_subject));
	ERR_clear_error();
	return 0;
}

/* --- a request, where it is signed --------------------------------------- */
int
ceremony_judge_request(const struct ceremony *c, const char *name, bool told,
    const struct csr *csr, const char *parent, struct succession *out,
    struct err *err)
{
	struct search s = { .spki_sha256 = csr->key.spki_sha256 };
	OWNED(X509_NAME) *subject = NULL;
	OWNED_STANDING now = { 0 };

	if (csr->names.n_attributes == 0 || csr->names.n_sans > 0)
		return err_set(err, ERR_REJECT, "the request is not for a CA: "
		    "a CA has a subject, and no subjectAltNames");
	if ((subject = names_to_subject(&csr->names, err)) == NULL)
		return -1;
	s.subject = subject;
	ca_family(name, s.said, sizeof(s.said));
	ca_family(parent, s.parent, sizeof(s.parent));
	if (store_each_ca(c->store, compare, &s, err) < 0)
		return -1;
	if (s.by_key[0] != '\0') {
		if (must_find(c, s.by_key, &now, err) < 0)
			return -1;
		if (!ca_is_of_family(now.parent, s.parent) || X509_NAME_cmp(
		    subject, X509_get_subject_name(now.cert)) != 0 ||
		    (told && !ca_is_meant(name, now.name)))
			return err_set(err, ERR_REJECT, "the request's key is "
			    "that of the CA %s, which is on record under "
			    "another name, subject or parent", s.by_key);
		if (ceremony_check_in_force(c, &now, err) < 0)
			return -1;
		set_same(&now, out);
		return 0;
	}
	if (s.by_subject[0] == '\0') {
		int r = ceremony_find(c, parent, &now, err);

		if (r < 0 || (r == 0 && ceremony_check_above(&now, subject,
		    err) < 0))
			return -1;
		return set_none(c, s.said, out, err);
	}
	if (told && strcmp(s.said, s.by_subject) != 0)
		return err_set(err, ERR_REJECT, "the request's subject is "
		    "that of the CA %s: another CA needs another one",
		    s.by_subject);
	return set_next(c, s.by_subject, out, err);
}

/* --- a certificate, where it is installed ------------------------------- */

/* It takes the place of what there is, or stands beside it. */
static int
check_successor(const struct succession *s, X509 *cert, struct err *err)
{
	time_t before, begin;

	if (X509_check_ca(cert) != 1)
		return err_set(err, ERR_REJECT, "the certificate is not one "
		    "of a CA (RFC 5280, 4.2.1.9)");
	if (X509_NAME_cmp(X509_get_subject_name(cert),
	    X509_get_subject_name(s->before)) != 0)
		return err_set(err, ERR_REJECT, "the certificate has another "
		    "subject than the CA has, for which it would be %s",
		    s->name);
	if (X509_NAME_cmp(X509_get_issuer_name(cert),
	    X509_get_issuer_name(s->before)) != 0)
		return err_set(err, ERR_REJECT, "the certificate has another "
		    "issuer than the CA has, for which it would be %s",
		    s->name);
	if (asn1_time_read(X509_get0_notBefore(s->before), &before,
	    err) < 0 || asn1_time_read(X509_get0_notBefore(cert), &begin,
	    err) < 0)
		return -1;
	return begin >= before ? 0 : err_set(err, ERR_REJECT, "the "
	    "certificate is older than the one of %s on record", s->name);
}

static int
judge(const struct ceremony *c, const char *name, X509 *cert,
    struct succession *out, struct err *err)
{
	uint8_t spki_sha256[32];
	struct search s = { .spki_sha256 = spki_sha256,
		.subject = X509_get_subject_name(cert) };
	OWNED_STANDING now = { 0 };
	unsigned int newest;
	bool known;

	ca_family(name, s.said, sizeof(s.said));
	if (!ca_name_is_valid(s.said))
		return ceremony_refuse_name(err);
	if (key_digest_certificate(cert, spki_sha256, err) < 0 ||
	    store_each_ca(c->store, compare, &s, err) < 0 ||
	    ceremony_newest(c, s.said, &newest, err) < 0)
		return -1;
	if (s.by_key[0] != '\0') {
		if (must_find(c, s.by_key, &now, err) < 0 ||
		    ceremony_is_on_record(c, now.id, cert, &known, err) < 0)
			return -1;
		set_same(&now, out);
		if (known)
			out->kind = SUCCESSION_KNOWN;
		return known ? 0 : check_successor(out, cert, err);
	}
	if (newest == 0)
		return set_none(c, name, out, err);
	return set_next(c, s.said, out, err) < 0 ? -1 :
	    check_successor(out, cert, err);
}

int
ceremony_judge_above(const struct ceremony *c, const char *name, X509 *cert,
    struct succession *out, struct err *err)
{
	return judge(c, name, cert, out, err);
}

/* The key that is here, opened as the signer's user. */
static int
check_key(const struct ceremony *c, const struct succession *s, X509 *cert,
    struct bytes passphrase, struct err *err)
{
	OWNED_FOLDERS f = { -1, -1, -1 };
	OWNED(EVP_PKEY) *key = NULL;
	char file[CA_FILE_SIZE];
	struct err ignored;
	int r;

	ca_file_name(s->name, ".key", file, sizeof(file));
	if (ceremony_open_folders(c, &f, err) < 0)
		return -1;
	r = ceremony_act_as(c->sign_uid, c->sign_gid, err);
	if (r == 0 && !ceremony_has_key(&f, s->name))
		r = err_set(err, ERR_REJECT, "there is no keys/%s: the request "
		    "was made elsewhere, or for another name", file);
	if (r == 0)
		r = keystore_load(f.keys, file, passphrase, &key, err);
	if (ceremony_act_as_self(r == 0 ? err : &ignored) < 0 || r < 0)
		return -1;
	return X509_check_private_key(cert, key) == 1 ? 0 :
	    err_openssl(err, ERR_REJECT, "the certificate is for another key "
	    "than the one that is here");
}

int
ceremony_judge_certificate(const struct ceremony *c, const char *name,
    X509 *cert, struct bytes passphrase, struct succession *out,
    struct err *err)
{
	if (judge(c, name, cert, out, err) < 0)
		return -1;
	if (out->kind != SUCCESSION_NONE && out->kind != SUCCESSION_NEW_KEY &&
	    !ca_is_meant(name, out->name))
		return err_set(err, ERR_REJECT, "the certificate is for the "
		    "key of the CA %s", out->name);
	if (out->kind == SUCCESSION_KNOWN)
		return err_set(err, ERR_REJECT, "the CA %s exists with this "
		    "certificate: nothing is to be done", out->name);
	return check_key(c, out, cert, passphrase, err);
}
