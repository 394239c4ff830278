#include "common/issue_private.h"

#include "common/err.h"
#include "common/extension.h"

#include <openssl/x509v3.h>

#include <string.h>

/* The extensions of a CA (RFC 5280, 4.2.1.1 to 4.2.1.9). */
static int
add_ca_extensions(X509 *cert, const struct ca_terms *terms,
    const struct issuer *parent, struct err *err)
{
	uint8_t key_sha1[EVP_MAX_MD_SIZE];
	struct bytes authority;
	unsigned int len;

	if (X509_pubkey_digest(cert, EVP_sha1(), key_sha1, &len) != 1)
		return err_openssl(err, ERR_FAULT, "hashing the CA's key");
	authority = parent == NULL ? (struct bytes){ key_sha1, len } :
	    issue_key_id(parent->cert);
	if (extension_add_subject_key_id(cert, key_sha1, err) == -1 ||
	    extension_add_authority_key_id(cert, authority, err) == -1 ||
	    extension_add_basic_constraints(cert, true, terms->path_len,
	    err) == -1 ||
	    extension_add_key_usage(cert, KU_KEY_CERT_SIGN | KU_CRL_SIGN,
	    err) == -1)
		return -1;
	if (parent == NULL)
		return 0;
	if (extension_add_authority_info(cert, parent->ocsp_url,
	    parent->ca_url, err) == -1)
		return -1;
	return extension_add_crl_point(cert, parent->crl_url, err);
}

/* 4.2.1.9: a CA under a limited path has a shorter one. */
static int
check_path(const struct ca_terms *terms, const struct issuer *parent,
    struct err *err)
{
	long limit;

	if (X509_check_ca(parent->cert) != 1)
		return err_set(err, ERR_FAULT, "the parent is no CA");
	if (issue_key_id(parent->cert).len == 0)
		return err_set(err, ERR_FAULT, "the parent has no "
		    "subjectKeyIdentifier (RFC 5280, 4.2.1.2)");
	limit = X509_get_pathlen(parent->cert);
	if (limit >= 0 && (terms->path_len < 0 || terms->path_len >= limit))
		return err_set(err, ERR_FAULT, "the path length must be below "
		    "the parent's, which is %ld (RFC 5280, 4.2.1.9)", limit);
	return issue_check_dates(terms->not_before, terms->not_after, parent->cert,
	    err);
}

int
issue_ca(const struct ca_terms *terms, EVP_PKEY *key,
    const struct issuer *parent, X509 **out, struct err *err)
{
	OWNED(X509) *cert = X509_new();
	OWNED(X509_NAME) *subject = NULL;
	struct issuer self;

	if (terms->subject.n_attributes == 0 || terms->subject.n_sans > 0)
		return err_set(err, ERR_FAULT, "a CA has a subject, and no "
		    "subjectAltNames (RFC 5280, 4.1.2.6)");
	if (terms->not_after <= terms->not_before)
		return err_set(err, ERR_FAULT, "notAfter must be after "
		    "notBefore (RFC 5280, 4.1.2.5)");
	if (parent != NULL && check_path(terms, parent, err) == -1)
		return -1;
	subject = names_to_subject(&terms->subject, err);
	if (subject == NULL)
		return -1;
	if (issue_set_fields(cert, &terms->serial, parent == NULL ? subject :
	    X509_get_subject_name(parent->cert), terms->not_before,
	    terms->not_after, subject, err) == -1)
		return -1;
	if (X509_set_pubkey(cert, key) != 1)
		return err_openssl(err, ERR_FAULT, "setting the CA's key");
	if (add_ca_extensions(cert, terms, parent, err) == -1)
		return -1;
	self = (struct issuer){ .cert = cert, .key = key,
		.digest = issue_digest(key) };
	if (parent == NULL)
		parent = &self;
	if (issue_set_algorithms(cert, parent, err) == -1 ||
	    issue_sign(cert, parent, err) == -1)
		return -1;
	*out = TAKE(cert);
	return 0;
}
