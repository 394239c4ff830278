#ifndef COMMON_ISSUE_PRIVATE_H
#define COMMON_ISSUE_PRIVATE_H

#include "common/issue.h"

/* What issue.c (certificates by request) and issue_ca.c (CAs) share. Nobody
 * else includes this. */

/* Version 3, serial, issuer, dates and subject (RFC 5280, 4.1.2). */
int	issue_set_fields(X509 *, const struct serial *,
	    const X509_NAME *issuer, time_t from, time_t until,
	    const X509_NAME *subject, struct err *);
/* Both AlgorithmIdentifiers, before there is a signature. */
int	issue_set_algorithms(X509 *, const struct issuer *, struct err *);
/* In order, and within the issuer's own validity. */
int	issue_check_dates(time_t from, time_t until, X509 *issuer,
	    struct err *);
/* A CA's subjectKeyIdentifier; empty when it has none. */
struct bytes issue_key_id(X509 *ca);

#endif
