#include "common/issue_private.h"

#include "common/constraints.h"
#include "common/err.h"
#include "common/extension.h"
#include "common/lint.h"

#include <openssl/x509v3.h>

#include <string.h>

/* What a renewed CA is bound to, and its renewal too: copied as it stands. */
static const int kept[] = { NID_name_constraints, NID_certificate_policies,
	NID_policy_mappings, NID_policy_constraints, NID_inhibit_any_policy,
	NID_ext_key_usage };

static int
copy_extension(X509 *cert, X509 *from, int nid, struct err *err)
{
	int at = X509_get_ext_by_NID(from, nid, -1);

	if (at >= 0 && X509_add_ext(cert, X509_get_ext(from, at), -1) != 1)
		return err_openssl(err, ERR_FAULT,
		    "copying an extension of the CA");
	return 0;
}

/* Is that the terms' to say, and not the old certificate's? */
static bool
is_told(const struct ca_terms *terms, unsigned int term)
{
	return terms->renews == NULL || (terms->instead & term) != 0;
}

static unsigned int
term_of(int nid)
{
	return nid == NID_name_constraints ? CA_TERM_CONSTRAINTS :
	    nid == NID_certificate_policies ? CA_TERM_POLICIES : 0;
}

static int
add_bounds(X509 *cert, const struct ca_terms *terms, struct err *err)
{
	if (is_told(terms, CA_TERM_POLICIES) && terms->policies != NULL &&
	    terms->policies[0] != '\0' &&
	    extension_add_policies(cert, terms->policies, "", err) == -1)
		return -1;
	if (is_told(terms, CA_TERM_CONSTRAINTS) &&
	    constraints_add_extension(cert, terms->constraints, err) == -1)
		return -1;
	for (size_t i = 0; terms->renews != NULL &&
	    i < sizeof(kept) / sizeof(kept[0]); i++)
		if (!is_told(terms, term_of(kept[i])) &&
		    copy_extension(cert, terms->renews, kept[i], err) == -1)
			return -1;
	return 0;
}

/* The identifier of a key does not change: certificates that it signed point
 * there (4.2.1.2). */
static int
add_subject_key_id(X509 *cert, const struct ca_terms *terms, struct err *err)
{
	uint8_t key_sha1[EVP_MAX_MD_SIZE];
	unsigned int len;

	if (terms->renews != NULL && issue_key_id(terms->renews).len > 0 &&
	    EVP_PKEY_eq(X509_get0_pubkey(terms->renews),
	    X509_get0_pubkey(cert)) == 1)
		return copy_extension(cert, terms->renews,
		    NID_subject_key_identifier, err);
	if (X509_pubkey_digest(cert, EVP_sha1(), key_sha1, &len) != 1)
		return err_openssl(err, ERR_FAULT, "hashing the CA's key");
	return extension_add_subject_key_id(cert, key_sha1, err);
}

static int
path_len_of(const struct ca_terms *terms)
{
	return is_told(terms, CA_TERM_PATH_LEN) ? terms->path_len :
	    (int)X509_get_pathlen(terms->renews);
}

/* A root points to itself. issue_key_id does not do here: OpenSSL would
 * remember the certificate as it is so far, without the other extensions. */
static int
add_authority_key_id(X509 *cert, const struct issuer *parent, struct err *err)
{
	OWNED(ASN1_OCTET_STRING) *own = NULL;

	if (parent != NULL)
		return extension_add_authority_key_id(cert,
		    issue_key_id(parent->cert), err);
	own = X509_get_ext_d2i(cert, NID_subject_key_identifier, NULL, NULL);
	if (own == NULL)
		return err_openssl(err, ERR_FAULT, "reading a key identifier");
	return extension_add_authority_key_id(cert, (struct bytes){
	    ASN1_STRING_get0_data(own), (size_t)ASN1_STRING_length(own) },
	    err);
}

static const char *
said(const char *url)
{
	return url == NULL ? "" : url;
}

/* 4.2.2.1 and 4.2.1.13. */
static int
add_addresses(X509 *cert, const struct ca_terms *terms,
    const struct issuer *parent, struct err *err)
{
	bool old = terms->renews != NULL;
	int r;

	if (old && parent->ocsp_url == NULL && parent->ca_url == NULL)
		r = copy_extension(cert, terms->renews, NID_info_access, err);
	else
		r = extension_add_authority_info(cert, said(parent->ocsp_url),
		    said(parent->ca_url), err);
	if (r == -1)
		return -1;
	return old && parent->crl_url == NULL ? copy_extension(cert,
	    terms->renews, NID_crl_distribution_points, err) :
	    extension_add_crl_point(cert, said(parent->crl_url), err);
}

/* The extensions of a CA (RFC 5280, 4.2.1.1 to 4.2.1.10). */
static int
add_ca_extensions(X509 *cert, const struct ca_terms *terms,
    const struct issuer *parent, struct err *err)
{
	if (add_subject_key_id(cert, terms, err) == -1 ||
	    add_authority_key_id(cert, parent, err) == -1 ||
	    extension_add_basic_constraints(cert, true, path_len_of(terms),
	    err) == -1 ||
	    extension_add_key_usage(cert, KU_KEY_CERT_SIGN | KU_CRL_SIGN,
	    err) == -1 || add_bounds(cert, terms, err) == -1)
		return -1;
	if (parent == NULL)
		return 0;
	return add_addresses(cert, terms, parent, err);
}

/* One key of a CA certifies the next: such a certificate does not count in
 * the path (4.2.1.9) and stands under the constraints of both (4.2.1.10). */
static bool
is_self_issued(const struct ca_terms *terms, X509 *parent)
{
	return terms->renews != NULL && X509_NAME_cmp(X509_get_subject_name(
	    terms->renews), X509_get_subject_name(parent)) == 0;
}

/* 4.2.1.9: a CA under a limited path has a shorter one. 4.2.1.10: its trees
 * lie within its parent's. */
static int
check_parent(const struct ca_terms *terms, const struct issuer *parent,
    struct err *err)
{
	long limit, path_len = path_len_of(terms);
	OWNED(NAME_CONSTRAINTS) *renewed = terms->renews == NULL ? NULL :
	    X509_get_ext_d2i(terms->renews, NID_name_constraints, NULL, NULL);
	const NAME_CONSTRAINTS *trees = renewed;

	if (X509_check_ca(parent->cert) != 1)
		return err_set(err, ERR_FAULT, "the parent is no CA");
	if (issue_key_id(parent->cert).len == 0)
		return err_set(err, ERR_FAULT, "the parent has no "
		    "subjectKeyIdentifier (RFC 5280, 4.2.1.2)");
	limit = X509_get_pathlen(parent->cert);
	if (limit >= 0 && is_self_issued(terms, parent->cert))
		limit++;
	if (limit >= 0 && (path_len < 0 || path_len >= limit))
		return err_set(err, ERR_REJECT, "the path length must be "
		    "below the parent's, which is %ld (RFC 5280, 4.2.1.9)",
		    limit);
	if (is_told(terms, CA_TERM_CONSTRAINTS))
		trees = terms->constraints;
	if (constraints_check_child(parent->cert, trees, err) == -1)
		return -1;
	for (size_t i = 0; i < parent->n_above; i++)
		if (constraints_check_child(parent->above[i], trees,
		    err) == -1)
			return -1;
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

	if (terms->renews == NULL && (terms->subject.n_attributes == 0 ||
	    terms->subject.n_sans > 0))
		return err_set(err, ERR_FAULT, "a CA has a subject, and no "
		    "subjectAltNames (RFC 5280, 4.1.2.6)");
	if (terms->not_after <= terms->not_before)
		return err_set(err, ERR_FAULT, "notAfter must be after "
		    "notBefore (RFC 5280, 4.1.2.5)");
	if (parent != NULL && check_parent(terms, parent, err) == -1)
		return -1;
	subject = terms->renews == NULL ?
	    names_to_subject(&terms->subject, err) :
	    X509_NAME_dup(X509_get_subject_name(terms->renews));
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
	if (issue_set_algorithms(cert, parent == NULL ? &self : parent,
	    err) == -1 || lint_ca_certificate(cert, parent, err) == -1 ||
	    issue_sign(cert, parent == NULL ? &self : parent, err) == -1)
		return -1;
	*out = TAKE(cert);
	return 0;
}
