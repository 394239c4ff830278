/* Where things are found, and what servers must do: RFC 5280, 4.2.1.13,
 * 4.2.1.15 and 4.2.2.1; RFC 7633. */
#include "common/lint_private.h"

#include <string.h>

/* --- CRL distribution points --- */

/* fullName: each name a URI where clients look; *only is the URI when it
 * stands alone. */
static bool
lint_full_name(struct lint *l, struct bytes names, struct bytes *only)
{
	struct bytes name;
	size_t n = 0;
	uint8_t tag;

	for (; names.len > 0; n++) {
		if (!der_next(&names, &tag, &name, NULL))
			return false;
		if (tag != 0x86 || !lint_is_address(name))
			lint_found(l, LINT_CRL_POINT_URI);
		*only = name;
	}
	if (n != 1)
		only->len = 0;
	return n > 0;
}

/* DistributionPoint: reasons alone are not enough. */
static bool
lint_point(struct lint *l, struct bytes point, struct bytes *only)
{
	struct bytes name, full, v;
	uint8_t last = 0, tag;
	bool somewhere = false;

	while (point.len > 0) {
		if (!der_next(&point, &tag, &v, NULL) || tag <= last)
			return false;
		last = tag;
		switch (tag) {
		case 0xa0:	/* distributionPoint */
			name = v;
			if (!der_next(&name, &tag, &full, NULL) ||
			    name.len > 0 || (tag != 0xa0 && tag != 0xa1) ||
			    full.len == 0 ||
			    (tag == 0xa0 && !lint_full_name(l, full, only)))
				return false;
			somewhere = true;
			break;
		case 0x81:	/* reasons: not the only CRL */
			only->len = 0;
			last = 0xa1;
			break;
		case 0xa2:	/* cRLIssuer */
			if (v.len == 0)
				return false;
			only->len = 0;
			somewhere = true;
			break;
		default:
			return false;
		}
	}
	return somewhere;
}

/* *only is the one URI when there is no other place. */
static void
lint_points(struct lint *l, struct bytes v, struct bytes *only)
{
	struct bytes points, point;
	size_t n = 0;

	if (!der_take(&v, DER_SEQUENCE, &points) || v.len > 0 ||
	    points.len == 0) {
		lint_found(l, LINT_CRL_POINT_FORM);
		return;
	}
	for (; points.len > 0; n++)
		if (!der_take(&points, DER_SEQUENCE, &point) ||
		    !lint_point(l, point, only)) {
			lint_found(l, LINT_CRL_POINT_FORM);
			only->len = 0;
			return;
		}
	if (n != 1)
		only->len = 0;
}

void
lint_crl_points(struct lint *l, const struct lint_extension *e)
{
	struct bytes only = { NULL, 0 };

	l->tells_revocation = true;
	lint_points(l, e->value, &only);
	if (l->issuer != NULL && l->issuer->crl_url != NULL &&
	    (l->signing || l->profile != NULL) &&
	    !bytes_equal(only, bytes_of(l->issuer->crl_url)))
		lint_found(l, LINT_CRL_POINT_ISSUER);
}

void
lint_freshest_crl(struct lint *l, const struct lint_extension *e)
{
	struct bytes only = { NULL, 0 };

	l->tells_revocation = true;
	lint_points(l, e->value, &only);
}

/* --- authorityInfoAccess --- */

/* Last arcs of id-ad. */
#define AD_OCSP		1
#define AD_CA_ISSUERS	2

/* Does the list hold just what the issuer has, in this order? */
static bool
is_issuers_info(const struct lint *l, struct bytes list)
{
	bool no_ocsp = l->profile != NULL && l->profile->no_rev_avail;
	const char *urls[] = { no_ocsp ? "" : l->issuer->ocsp_url,
		l->issuer->ca_url };
	struct bytes one, oid, uri;

	for (uint8_t i = 0; i < 2; i++) {
		const uint8_t method[] = { 0x2b, 6, 1, 5, 5, 7, 0x30,
			i == 0 ? AD_OCSP : AD_CA_ISSUERS };

		if (urls[i][0] != '\0' &&
		    (!der_take(&list, DER_SEQUENCE, &one) ||
		    !der_take(&one, DER_OID, &oid) ||
		    !bytes_equal(oid, LINT_OID(method)) ||
		    !der_take(&one, 0x86, &uri) || one.len > 0 ||
		    !bytes_equal(uri, bytes_of(urls[i]))))
			return false;
	}
	return list.len == 0;
}

void
lint_authority_info(struct lint *l, const struct lint_extension *e)
{
	static const uint8_t ocsp[] = { 0x2b, 6, 1, 5, 5, 7, 0x30, AD_OCSP };
	struct bytes v = e->value, list, all, one, oid, where;
	uint8_t tag;

	if (!der_take(&v, DER_SEQUENCE, &list) || v.len > 0 ||
	    list.len == 0) {
		lint_found(l, LINT_AUTHORITY_INFO_FORM);
		return;
	}
	all = list;
	while (list.len > 0) {
		if (!der_take(&list, DER_SEQUENCE, &one) ||
		    !der_take(&one, DER_OID, &oid) ||
		    !der_next(&one, &tag, &where, NULL) || one.len > 0) {
			lint_found(l, LINT_AUTHORITY_INFO_FORM);
			return;
		}
		if (bytes_equal(oid, LINT_OID(ocsp)))
			l->tells_revocation = true;
		if (tag != 0x86 || !lint_is_address(where))
			lint_found(l, LINT_AUTHORITY_INFO_URI);
	}
	if (l->issuer != NULL && l->issuer->ocsp_url != NULL &&
	    l->issuer->ca_url != NULL && (l->signing || l->profile != NULL) &&
	    !is_issuers_info(l, all))
		lint_found(l, LINT_AUTHORITY_INFO_ISSUER);
}

/* --- TLS feature --- */

void
lint_tls_feature(struct lint *l, const struct lint_extension *e)
{
	static const uint8_t status_request[] = { DER_INTEGER, 1, 5 };
	struct bytes v = e->value, list, all, number;
	uint32_t feature;

	if (!der_take(&v, DER_SEQUENCE, &list) || v.len > 0 ||
	    list.len == 0) {
		lint_found(l, LINT_TLS_FEATURE_FORM);
		return;
	}
	for (all = list; list.len > 0;)
		if (!der_take(&list, DER_INTEGER, &number) ||
		    !lint_read_number(number, &feature) || feature > 65535) {
			lint_found(l, LINT_TLS_FEATURE_FORM);
			return;
		}
	if (l->profile != NULL && !bytes_equal(all, LINT_OID(status_request)))
		lint_found(l, LINT_TLS_FEATURE_PROFILE);
}
