#ifndef COMMON_EXTENSION_H
#define COMMON_EXTENSION_H

#include "common/bytes.h"

#include <openssl/x509v3.h>

#include <stdbool.h>
#include <stdint.h>

struct err;

/*
 * One function for each extension that we put into certificates (RFC 5280,
 * 4.2), with the criticality that the RFC wants. Decides nothing: issue.c
 * says which there are. Each adds at the end; ERR_FAULT only.
 */
int	extension_add_subject_key_id(X509 *, const uint8_t key_sha1[20],
	    struct err *);					/* 4.2.1.2 */
/* id: the issuer's subjectKeyIdentifier. */
int	extension_add_authority_key_id(X509 *, struct bytes id,
	    struct err *);					/* 4.2.1.1 */
/* path_len -1: no limit; only with ca. */
int	extension_add_basic_constraints(X509 *, bool ca, int path_len,
	    struct err *);					/* 4.2.1.9 */
/* KU_* bits of OpenSSL. */
int	extension_add_key_usage(X509 *, uint32_t bits, struct err *);
/* Comma-separated short names or OIDs; none: no extension. 4.2.1.12.
 * Critical where it is for time stamping alone (RFC 3161, 2.3). */
int	extension_add_ext_key_usage(X509 *, const char *list, struct err *);
int	extension_add_subject_alt_name(X509 *, const GENERAL_NAMES *,
	    bool critical, struct err *);			/* 4.2.1.6 */
/* "" leaves one out; both: no extension. 4.2.2.1 */
int	extension_add_authority_info(X509 *, const char *ocsp_url,
	    const char *ca_url, struct err *);
int	extension_add_crl_point(X509 *, const char *url,
	    struct err *);					/* 4.2.1.13 */
/* Each of the comma-separated policies with the address of the practice
 * statement; "": without. 4.2.1.4 */
int	extension_add_policies(X509 *, const char *oids, const char *cps_url,
	    struct err *);
int	extension_add_ocsp_nocheck(X509 *, struct err *);	/* RFC 6960,
								 * 4.2.2.2.1 */
/* The feature status_request: whoever shows the certificate staples an answer
 * of OCSP. */
int	extension_add_must_staple(X509 *,
	    struct err *);				/* RFC 7633, 4 */
int	extension_add_no_rev_avail(X509 *,
	    struct err *);				/* RFC 9608, 2 */
/* Any other: its OID in digits, and the DER of extnValue's content. */
int	extension_add_der(X509 *, const char *oid, bool critical,
	    struct bytes value, struct err *);			/* 4.2 */

#endif
