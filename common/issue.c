#include "common/issue_private.h"

#include "common/constraint_check.h"
#include "common/der.h"
#include "common/err.h"
#include "common/extension.h"

#include <openssl/objects.h>
#include <openssl/x509v3.h>

#include <string.h>

int
asn1_time_read(const ASN1_TIME *in, time_t *out, struct err *err)
{
	struct tm tm;

	if (in == NULL || ASN1_TIME_to_tm(in, &tm) != 1)
		return err_openssl(err, ERR_FAULT, "reading a date");
	*out = timegm(&tm);
	return 0;
}

/* Which digest goes with a CA's key: as strong as the key is. */
const EVP_MD *
issue_digest(const EVP_PKEY *key)
{
	int bits = EVP_PKEY_get_bits(key);

	switch (EVP_PKEY_get_base_id(key)) {
	case EVP_PKEY_ED25519:
	case EVP_PKEY_ED448:
		return NULL;
	case EVP_PKEY_EC:
		return bits > 384 ? EVP_sha512() :
		    bits > 256 ? EVP_sha384() : EVP_sha256();
	default:
		return EVP_sha256();
	}
}

/*
 * Both AlgorithmIdentifiers (RFC 5280, 4.1.1.2 and 4.1.2.3), before there is
 * a signature, so that what will be signed can be looked at as a whole.
 * OpenSSL has no way to set them but by signing: the two are its own, and
 * are reached through the pointers that it hands out for reading.
 */
int
issue_set_algorithms(X509 *cert, const struct issuer *issuer, struct err *err)
{
	int type = EVP_PKEY_get_base_id(issuer->key), nid = type;
	int param = type == EVP_PKEY_RSA ? V_ASN1_NULL : V_ASN1_UNDEF;
	const X509_ALGOR *outer;

	if (issuer->digest != NULL && OBJ_find_sigid_by_algs(&nid,
	    EVP_MD_get_type(issuer->digest), type) != 1)
		return err_openssl(err, ERR_FAULT,
		    "finding the CA key's signature algorithm");
	X509_get0_signature(NULL, &outer, cert);
	if (X509_ALGOR_set0((X509_ALGOR *)(uintptr_t)outer, OBJ_nid2obj(nid),
	    param, NULL) != 1 ||
	    X509_ALGOR_set0((X509_ALGOR *)(uintptr_t)X509_get0_tbs_sigalg(cert),
	    OBJ_nid2obj(nid), param, NULL) != 1)
		return err_openssl(err, ERR_FAULT,
		    "setting the signature algorithm");
	return 0;
}

/* The request's key as it stands, octet by octet, without loading it. */
static int
copy_key(X509 *cert, struct bytes spki, struct err *err)
{
	struct bytes in = spki, sequence, algorithm, key, content, oid, param;
	OWNED(ASN1_OBJECT) *object = NULL;
	ASN1_OBJECT *value = NULL;
	int type = V_ASN1_UNDEF;
	const uint8_t *at;
	uint8_t *copy;
	uint8_t tag;

	/* csr_read has looked at all of it. */
	if (!der_take(&in, DER_SEQUENCE, &sequence) ||
	    !der_take(&sequence, DER_SEQUENCE, &algorithm) ||
	    !der_take(&sequence, DER_BIT_STRING, &key) || key.len < 2 ||
	    !der_next(&algorithm, &tag, &content, &oid) || tag != DER_OID)
		return err_set(err, ERR_FAULT, "reading a public key");
	at = oid.data;
	object = d2i_ASN1_OBJECT(NULL, &at, (long)oid.len);
	if (der_next(&algorithm, &tag, &content, &param)) {
		type = tag == DER_OID ? V_ASN1_OBJECT : V_ASN1_NULL;
		at = param.data;
		if (type == V_ASN1_OBJECT)
			value = d2i_ASN1_OBJECT(NULL, &at, (long)param.len);
	}
	copy = OPENSSL_memdup(key.data + 1, key.len - 1);
	if (object == NULL || copy == NULL ||
	    (type == V_ASN1_OBJECT && value == NULL) ||
	    X509_PUBKEY_set0_param(X509_get_X509_PUBKEY(cert), object, type,
	    value, copy, (int)key.len - 1) != 1) {
		OPENSSL_free(copy);
		ASN1_OBJECT_free(value);
		return err_openssl(err, ERR_FAULT, "setting the public key");
	}
	(void)TAKE(object);
	return 0;
}

/* Version 3, serial, issuer, dates and subject (RFC 5280, 4.1.2). */
int
issue_set_fields(X509 *cert, const struct serial *number, const X509_NAME *issuer,
    time_t from, time_t until, const X509_NAME *subject, struct err *err)
{
	OWNED(ASN1_INTEGER) *serial = serial_to_asn1(number);
	/* 4.1.2.5: UTCTime through 2049, GeneralizedTime after. */
	OWNED(ASN1_TIME) *not_before = ASN1_TIME_set(NULL, from);
	OWNED(ASN1_TIME) *not_after = ASN1_TIME_set(NULL, until);

	if (cert == NULL || serial == NULL || not_before == NULL ||
	    not_after == NULL ||
	    X509_set_version(cert, X509_VERSION_3) != 1 ||
	    X509_set_serialNumber(cert, serial) != 1 ||
	    X509_set_issuer_name(cert, issuer) != 1 ||
	    X509_set1_notBefore(cert, not_before) != 1 ||
	    X509_set1_notAfter(cert, not_after) != 1 ||
	    X509_set_subject_name(cert, subject) != 1)
		return err_openssl(err, ERR_FAULT, "building a certificate");
	return 0;
}

int
issue_check_dates(time_t from, time_t until, X509 *issuer, struct err *err)
{
	time_t issuer_from, issuer_until;

	if (until <= from)
		return err_set(err, ERR_FAULT, "notAfter must be after "
		    "notBefore (RFC 5280, 4.1.2.5)");
	if (asn1_time_read(X509_get0_notBefore(issuer), &issuer_from,
	    err) == -1 ||
	    asn1_time_read(X509_get0_notAfter(issuer), &issuer_until,
	    err) == -1)
		return -1;
	if (from < issuer_from || until > issuer_until)
		return err_set(err, ERR_FAULT, "the certificate would be "
		    "valid beyond its CA's own validity");
	return 0;
}

/* A CA's subjectKeyIdentifier; empty when it has none. */
struct bytes
issue_key_id(X509 *ca)
{
	const ASN1_OCTET_STRING *id = X509_get0_subject_key_id(ca);

	if (id == NULL)
		return (struct bytes){ NULL, 0 };
	return (struct bytes){ ASN1_STRING_get0_data(id),
	    (size_t)ASN1_STRING_length(id) };
}

/* What this certificate is signed with: the profile may name a digest where
 * the CA's key leaves the choice. */
static const EVP_MD *
digest_for(const struct profile *profile, const struct issuer *issuer)
{
	if (issuer->digest == NULL || profile->signature_hash[0] == '\0')
		return issuer->digest;
	return EVP_get_digestbyname(profile->signature_hash);
}

/* The subject is the profile's to make, not the registrar's. */
static int
check_subject(const struct order *order, const struct csr *csr,
    const struct profile *profile, struct err *err)
{
	__attribute__((cleanup(names_free))) struct names made = { 0 };
	bool same;

	if (profile->subject_template == NULL)
		return 0;
	if (profile_make_names(profile, &csr->names, &made, err) == -1)
		return -1;
	same = made.n_attributes == order->names.n_attributes;
	for (size_t i = 0; i < made.n_attributes && same; i++)
		same = made.attributes[i].nid ==
		    order->names.attributes[i].nid &&
		    strcmp(made.attributes[i].text,
		    order->names.attributes[i].text) == 0;
	return same ? 0 : err_set(err, ERR_FAULT, "the order's subject is not "
	    "what the profile \"%s\" makes of the request's",
	    profile->name);
}

static int
check_order(const struct order *order, const struct csr *csr,
    const struct profile *profile, const struct issuer *issuer,
    struct err *err)
{
	uint8_t issuer_key[EVP_MAX_MD_SIZE];
	unsigned int len = 0;

	if (X509_pubkey_digest(issuer->cert, EVP_sha1(), issuer_key,
	    &len) != 1 || len != sizeof(order->issuer_key))
		return err_openssl(err, ERR_FAULT, "hashing the CA's key");
	if (memcmp(order->issuer_key, issuer_key, len) != 0)
		return err_set(err, ERR_FAULT,
		    "the order is for another CA key");
	if (issue_key_id(issuer->cert).len == 0)
		return err_set(err, ERR_FAULT, "the CA's certificate has no "
		    "subjectKeyIdentifier (RFC 5280, 4.2.1.2)");
	if (memcmp(order->profile_digest, profile->digest,
	    sizeof(profile->digest)) != 0 ||
	    strcmp(order->profile, profile->name) != 0)
		return err_set(err, ERR_FAULT, "the order is for another "
		    "version of the profile \"%s\"", order->profile);
	if (!bytes_equal(order->csr, csr->der))
		return err_set(err, ERR_FAULT,
		    "the order is for another request");
	if (memcmp(csr->key.key_sha1, issuer_key, len) == 0)
		return err_set(err, ERR_REJECT, "the request's key is our "
		    "CA's own; make a key of your own");
	if (profile->ca)
		return err_set(err, ERR_FAULT, "the profile \"%s\" is for CAs, "
		    "which are made in ceremonies only", profile->name);
	/* First, so that the difference of the two is within bounds. */
	if (issue_check_dates(order->not_before, order->not_after, issuer->cert,
	    err) == -1)
		return -1;
	if (order->not_after - order->not_before >
	    profile->max_validity_s + profile->backdate_s)
		return err_set(err, ERR_FAULT, "the order's validity is "
		    "longer than the profile \"%s\" allows", profile->name);
	if (profile->must_staple && issuer->ocsp_url[0] == '\0')
		return err_set(err, ERR_FAULT, "the profile \"%s\" asks "
		    "servers to staple, but the CA has no ocsp_url "
		    "(RFC 7633, 4)", profile->name);
	if (check_subject(order, csr, profile, err) == -1)
		return -1;
	return profile_check(profile, &order->names, &csr->key, err);
}

/* What a client needs to find out about the certificate's status. */
static int
add_status_extensions(X509 *cert, const struct profile *profile,
    const struct issuer *issuer, struct err *err)
{
	if (profile->ocsp_responder &&
	    extension_add_ocsp_nocheck(cert, err) == -1)
		return -1;
	if (profile->must_staple && extension_add_must_staple(cert, err) == -1)
		return -1;
	/* RFC 9608, 3: nothing of OCSP where there is nothing to ask. */
	if (profile->aia && extension_add_authority_info(cert,
	    profile->no_rev_avail ? "" : issuer->ocsp_url, issuer->ca_url,
	    err) == -1)
		return -1;
	if (profile->cdp &&
	    extension_add_crl_point(cert, issuer->crl_url, err) == -1)
		return -1;
	return profile->no_rev_avail ?
	    extension_add_no_rev_avail(cert, err) : 0;
}

/* Always in this order, the profile's own ones last. */
static int
add_extensions(X509 *cert, const struct order *order, const struct csr *csr,
    const struct profile *profile, const struct issuer *issuer,
    struct err *err)
{
	OWNED(GENERAL_NAMES) *sans = NULL;

	if (extension_add_authority_key_id(cert, issue_key_id(issuer->cert),
	    err) == -1 ||
	    extension_add_subject_key_id(cert, csr->key.key_sha1, err) == -1 ||
	    extension_add_basic_constraints(cert, false, -1, err) == -1 ||
	    extension_add_key_usage(cert, profile_key_usage(profile,
	    csr->key.kind), err) == -1 ||
	    extension_add_ext_key_usage(cert, profile->eku, err) == -1)
		return -1;
	if (order->names.n_sans > 0) {
		sans = names_to_sans(&order->names, err);
		/* 4.2.1.6: critical when the subject is empty. */
		if (sans == NULL || extension_add_subject_alt_name(cert, sans,
		    order->names.n_attributes == 0, err) == -1)
			return -1;
	}
	if (extension_add_policies(cert, profile->policy_oids,
	    profile->cps_url, err) == -1 ||
	    add_status_extensions(cert, profile, issuer, err) == -1)
		return -1;
	for (size_t i = 0; i < profile->n_extensions; i++) {
		const struct profile_extension *e = &profile->extensions[i];

		if (extension_add_der(cert, e->oid, e->critical, e->value,
		    err) == -1)
			return -1;
	}
	return 0;
}

/* 4.2.1.10, for the CA that signs and for all that stand above it. */
static int
check_constraints(const X509 *cert, const struct issuer *issuer,
    struct err *err)
{
	if (constraint_check(cert, issuer->cert, err) == -1)
		return -1;
	for (size_t i = 0; i < issuer->n_above; i++)
		if (constraint_check(cert, issuer->above[i], err) == -1)
			return -1;
	return 0;
}

int
issue_build(const struct order *order, const struct csr *csr,
    const struct profile *profile, const struct issuer *issuer, X509 **out,
    struct err *err)
{
	OWNED(X509) *cert = NULL;
	OWNED(X509_NAME) *subject = NULL;
	struct issuer signing = *issuer;

	signing.digest = digest_for(profile, issuer);
	if (check_order(order, csr, profile, issuer, err) == -1)
		return -1;
	cert = X509_new();
	subject = names_to_subject(&order->names, err);
	if (subject == NULL)
		return -1;
	if (issue_set_fields(cert, &order->serial,
	    X509_get_subject_name(issuer->cert), order->not_before,
	    order->not_after, subject, err) == -1 ||
	    copy_key(cert, csr->spki, err) == -1 ||
	    add_extensions(cert, order, csr, profile, issuer, err) == -1 ||
	    issue_set_algorithms(cert, &signing, err) == -1 ||
	    check_constraints(cert, issuer, err) == -1)
		return -1;
	*out = TAKE(cert);
	return 0;
}

/* The digest of the algorithm that the certificate names; NULL: its own. */
static int
named_digest(const X509 *cert, const EVP_MD **out)
{
	int digest, nid = X509_get_signature_nid(cert);

	*out = NULL;
	if (nid == NID_ED25519 || nid == NID_ED448)
		return 0;
	if (OBJ_find_sigid_algs(nid, &digest, NULL) != 1)
		return -1;
	*out = EVP_get_digestbynid(digest);
	return *out == NULL ? -1 : 0;
}

int
issue_sign(X509 *cert, const struct issuer *issuer, struct err *err)
{
	uint8_t *before = NULL, *after = NULL;
	int before_len = i2d_re_X509_tbs(cert, &before), after_len;
	EVP_PKEY *key = X509_get0_pubkey(issuer->cert);
	const EVP_MD *digest;
	bool same;

	if (before_len <= 0 || key == NULL ||
	    named_digest(cert, &digest) == -1 ||
	    X509_sign(cert, issuer->key, digest) <= 0) {
		OPENSSL_free(before);
		return err_openssl(err, ERR_FAULT, "signing a certificate");
	}
	after_len = i2d_re_X509_tbs(cert, &after);
	same = after_len == before_len &&
	    memcmp(before, after, (size_t)after_len) == 0;
	OPENSSL_free(before);
	OPENSSL_free(after);
	if (!same)
		return err_set(err, ERR_FAULT,
		    "what was signed is not what was built");
	if (X509_verify(cert, key) != 1)
		return err_openssl(err, ERR_FAULT, "the signature just made "
		    "does not verify with the CA's certificate");
	return 0;
}
