#include "common/extension.h"

#include "common/err.h"
#include "common/owned.h"

#include <openssl/x509v3.h>

#include <string.h>

OWNED_BY(AUTHORITY_KEYID, AUTHORITY_KEYID_free)
OWNED_BY(BASIC_CONSTRAINTS, BASIC_CONSTRAINTS_free)
OWNED_BY(EXTENDED_KEY_USAGE, EXTENDED_KEY_USAGE_free)
OWNED_BY(AUTHORITY_INFO_ACCESS, AUTHORITY_INFO_ACCESS_free)
OWNED_BY(CRL_DIST_POINTS, CRL_DIST_POINTS_free)
OWNED_BY(CERTIFICATEPOLICIES, CERTIFICATEPOLICIES_free)
OWNED_BY(ASN1_BIT_STRING, ASN1_BIT_STRING_free)
OWNED_BY(ASN1_NULL, ASN1_NULL_free)

static int
add(X509 *cert, int nid, void *value, bool critical, struct err *err)
{
	if (value != NULL && X509_add1_ext_i2d(cert, nid, value, critical,
	    X509V3_ADD_APPEND) == 1)
		return 0;
	return err_openssl(err, ERR_FAULT, "building an extension");
}

int
extension_add_subject_key_id(X509 *cert, const uint8_t key_sha1[20],
    struct err *err)
{
	OWNED(ASN1_OCTET_STRING) *id = ASN1_OCTET_STRING_new();

	if (id == NULL || ASN1_OCTET_STRING_set(id, key_sha1, 20) != 1)
		return err_openssl(err, ERR_FAULT, "building an extension");
	return add(cert, NID_subject_key_identifier, id, false, err);
}

int
extension_add_authority_key_id(X509 *cert, struct bytes key_id,
    struct err *err)
{
	OWNED(AUTHORITY_KEYID) *id = AUTHORITY_KEYID_new();

	if (id != NULL)
		id->keyid = ASN1_OCTET_STRING_new();
	if (id == NULL || id->keyid == NULL || ASN1_OCTET_STRING_set(id->keyid,
	    key_id.data, (int)key_id.len) != 1)
		return err_openssl(err, ERR_FAULT, "building an extension");
	return add(cert, NID_authority_key_identifier, id, false, err);
}

int
extension_add_basic_constraints(X509 *cert, bool ca, int path_len,
    struct err *err)
{
	OWNED(BASIC_CONSTRAINTS) *bc = BASIC_CONSTRAINTS_new();

	if (bc == NULL)
		return err_openssl(err, ERR_FAULT, "building an extension");
	bc->ca = ca ? 0xff : 0;
	if (ca && path_len >= 0) {
		bc->pathlen = ASN1_INTEGER_new();
		if (bc->pathlen == NULL ||
		    ASN1_INTEGER_set(bc->pathlen, path_len) != 1)
			return err_openssl(err, ERR_FAULT,
			    "building an extension");
	}
	return add(cert, NID_basic_constraints, bc, true, err);
}

int
extension_add_key_usage(X509 *cert, uint32_t bits, struct err *err)
{
	OWNED(ASN1_BIT_STRING) *ku = ASN1_BIT_STRING_new();

	/* OpenSSL's bits are the octets of the BIT STRING, low octet first:
	 * digitalSignature is 0x80, decipherOnly, bit 8, is 0x8000. */
	for (int bit = 0; ku != NULL && bit <= 8; bit++) {
		uint32_t mask = bit < 8 ? 0x80u >> bit : 0x8000u;

		if ((bits & mask) != 0 &&
		    ASN1_BIT_STRING_set_bit(ku, bit, 1) != 1)
			return err_openssl(err, ERR_FAULT,
			    "building an extension");
	}
	return add(cert, NID_key_usage, ku, true, err);
}

/* The next word of a comma-separated list, as an object. Owned. */
static ASN1_OBJECT *
next_object(const char **list)
{
	char word[256];
	size_t n = strcspn(*list, ",");

	if (n >= sizeof(word))
		return NULL;
	memcpy(word, *list, n);
	word[n] = '\0';
	*list += n + ((*list)[n] == ',');
	return OBJ_txt2obj(word, 0);
}

int
extension_add_ext_key_usage(X509 *cert, const char *list, struct err *err)
{
	OWNED(EXTENDED_KEY_USAGE) *eku = NULL;
	bool critical = strcmp(list, SN_time_stamp) == 0;

	if (list[0] == '\0')
		return 0;
	eku = EXTENDED_KEY_USAGE_new();
	while (list[0] != '\0') {
		ASN1_OBJECT *purpose = next_object(&list);

		if (eku == NULL || purpose == NULL ||
		    sk_ASN1_OBJECT_push(eku, purpose) == 0) {
			ASN1_OBJECT_free(purpose);
			return err_openssl(err, ERR_FAULT,
			    "building an extension");
		}
	}
	return add(cert, NID_ext_key_usage, eku, critical, err);
}

int
extension_add_subject_alt_name(X509 *cert, const GENERAL_NAMES *sans,
    bool critical, struct err *err)
{
	return add(cert, NID_subject_alt_name, (void *)(uintptr_t)sans,
	    critical, err);
}

/* A URI, into a GENERAL_NAME that is there. */
static bool
set_uri(GENERAL_NAME *name, const char *url)
{
	ASN1_IA5STRING *uri = ASN1_IA5STRING_new();

	if (uri == NULL || ASN1_STRING_set(uri, url, -1) != 1) {
		ASN1_IA5STRING_free(uri);
		return false;
	}
	GENERAL_NAME_set0_value(name, GEN_URI, uri);
	return true;
}

static bool
push_access(AUTHORITY_INFO_ACCESS *aia, int method, const char *url)
{
	ACCESS_DESCRIPTION *one;

	if (url[0] == '\0')
		return true;
	one = ACCESS_DESCRIPTION_new();
	if (one == NULL || !set_uri(one->location, url) ||
	    sk_ACCESS_DESCRIPTION_push(aia, one) == 0) {
		ACCESS_DESCRIPTION_free(one);
		return false;
	}
	ASN1_OBJECT_free(one->method);
	one->method = OBJ_nid2obj(method);
	return true;
}

int
extension_add_authority_info(X509 *cert, const char *ocsp_url,
    const char *ca_url, struct err *err)
{
	OWNED(AUTHORITY_INFO_ACCESS) *aia = NULL;

	if (ocsp_url[0] == '\0' && ca_url[0] == '\0')
		return 0;
	aia = AUTHORITY_INFO_ACCESS_new();
	if (aia == NULL || !push_access(aia, NID_ad_OCSP, ocsp_url) ||
	    !push_access(aia, NID_ad_ca_issuers, ca_url))
		return err_openssl(err, ERR_FAULT, "building an extension");
	return add(cert, NID_info_access, aia, false, err);
}

/* DistributionPoint { distributionPoint fullName [ URI ] } */
static DIST_POINT *
point_at(const char *url)
{
	DIST_POINT *point = DIST_POINT_new();
	GENERAL_NAME *name = GENERAL_NAME_new();

	if (point != NULL && name != NULL && set_uri(name, url) &&
	    (point->distpoint = DIST_POINT_NAME_new()) != NULL &&
	    (point->distpoint->name.fullname = GENERAL_NAMES_new()) != NULL &&
	    sk_GENERAL_NAME_push(point->distpoint->name.fullname, name) != 0) {
		point->distpoint->type = 0;
		return point;
	}
	GENERAL_NAME_free(name);
	DIST_POINT_free(point);
	return NULL;
}

int
extension_add_crl_point(X509 *cert, const char *url, struct err *err)
{
	OWNED(CRL_DIST_POINTS) *points = NULL;
	DIST_POINT *point;

	if (url[0] == '\0')
		return 0;
	points = CRL_DIST_POINTS_new();
	point = point_at(url);
	if (points == NULL || point == NULL ||
	    sk_DIST_POINT_push(points, point) == 0) {
		DIST_POINT_free(point);
		return err_openssl(err, ERR_FAULT, "building an extension");
	}
	return add(cert, NID_crl_distribution_points, points, false, err);
}

/* PolicyQualifierInfo { id-qt-cps, CPSuri } */
static bool
push_practice(POLICYINFO *policy, const char *url)
{
	POLICYQUALINFO *one;

	if (url[0] == '\0')
		return true;
	one = POLICYQUALINFO_new();
	if (policy->qualifiers == NULL)
		policy->qualifiers = sk_POLICYQUALINFO_new_null();
	if (one != NULL) {
		ASN1_OBJECT_free(one->pqualid);
		one->pqualid = OBJ_nid2obj(NID_id_qt_cps);
		one->d.cpsuri = ASN1_IA5STRING_new();
	}
	if (one == NULL || policy->qualifiers == NULL ||
	    one->d.cpsuri == NULL ||
	    ASN1_STRING_set(one->d.cpsuri, url, -1) != 1 ||
	    sk_POLICYQUALINFO_push(policy->qualifiers, one) == 0) {
		POLICYQUALINFO_free(one);
		return false;
	}
	return true;
}

int
extension_add_policies(X509 *cert, const char *oids, const char *cps_url,
    struct err *err)
{
	OWNED(CERTIFICATEPOLICIES) *policies = NULL;

	if (oids[0] == '\0')
		return 0;
	policies = CERTIFICATEPOLICIES_new();
	while (oids[0] != '\0') {
		POLICYINFO *one = POLICYINFO_new();
		ASN1_OBJECT *oid = next_object(&oids);

		if (one != NULL && oid != NULL) {
			ASN1_OBJECT_free(one->policyid);
			one->policyid = oid;
		}
		if (policies == NULL || one == NULL || oid == NULL ||
		    !push_practice(one, cps_url) ||
		    sk_POLICYINFO_push(policies, one) == 0) {
			POLICYINFO_free(one);
			return err_openssl(err, ERR_FAULT,
			    "building an extension");
		}
	}
	return add(cert, NID_certificate_policies, policies, false, err);
}

int
extension_add_ocsp_nocheck(X509 *cert, struct err *err)
{
	OWNED(ASN1_NULL) *null = ASN1_NULL_new();

	return add(cert, NID_id_pkix_OCSP_noCheck, null, false, err);
}

int
extension_add_der(X509 *cert, const char *oid, bool critical,
    struct bytes value, struct err *err)
{
	OWNED(ASN1_OCTET_STRING) *octets = ASN1_OCTET_STRING_new();
	OWNED(ASN1_OBJECT) *object = OBJ_txt2obj(oid, 1);
	OWNED(X509_EXTENSION) *extension = NULL;

	if (octets != NULL && object != NULL &&
	    ASN1_OCTET_STRING_set(octets, value.data, (int)value.len) == 1)
		extension = X509_EXTENSION_create_by_OBJ(NULL, object,
		    critical, octets);
	if (extension == NULL || X509_add_ext(cert, extension, -1) != 1)
		return err_openssl(err, ERR_FAULT, "building an extension");
	return 0;
}

int
extension_add_must_staple(X509 *cert, struct err *err)
{
	/* Features ::= SEQUENCE OF INTEGER: status_request (RFC 6066, 8) */
	static const uint8_t features[] = { 0x30, 3, 2, 1, 5 };

	return extension_add_der(cert, "1.3.6.1.5.5.7.1.24", false,
	    (struct bytes){ features, sizeof(features) }, err);
}

int
extension_add_no_rev_avail(X509 *cert, struct err *err)
{
	static const uint8_t null[] = { 5, 0 };

	return extension_add_der(cert, "2.5.29.56", false,
	    (struct bytes){ null, sizeof(null) }, err);
}
