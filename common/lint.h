#ifndef COMMON_LINT_H
#define COMMON_LINT_H

#include "common/issuer.h"
#include "common/profile.h"

#include <openssl/x509.h>

struct err;

/*
 * A second opinion on a certificate before the CA key touches it (RFC 5280,
 * section 4): reads the to-be-signed octets themselves, and shares no code
 * with what built them, so that one mistake has to be made twice.
 *
 * Looks at: version, serial, algorithms, issuer, dates and how they are
 * written, subject, key, and each extension: known, not doubled, critical
 * where it must be, and saying what the profile and the issuer say. Does not
 * look at what a requester may have: that is policy. Not for CA certificates.
 *
 * ERR_FAULT with the first finding and its section, after which nothing must
 * be signed.
 */
int	lint_certificate(X509 *tbs, const struct profile *,
	    const struct issuer *, struct err *);

#endif
