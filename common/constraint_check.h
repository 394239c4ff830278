#ifndef COMMON_CONSTRAINT_CHECK_H
#define COMMON_CONSTRAINT_CHECK_H

#include <openssl/x509.h>

struct err;

/*
 * Are the names of a certificate within the name constraints of a CA
 * (RFC 5280, 4.2.1.10)? Clients refuse one that is outside; so it is never
 * signed. Looks at the subject, its emailAddress, every subjectAltName and,
 * where none is a dNSName, at a common name that reads like one: clients that
 * would take it for a host's name do the same.
 *
 * ERR_REJECT names the first that is outside, and the trees. ERR_FAULT when
 * the constraints themselves cannot be read.
 */
int	constraint_check(const X509 *cert, const X509 *ca, struct err *);

#endif
