#ifndef CSRMAILD_CERTS_ONLY_H
#define CSRMAILD_CERTS_ONLY_H

#include "common/bytes.h"

#include <openssl/x509.h>

#include <stddef.h>

struct err;

/*
 * Certificates as one file: SignedData without signers and without content
 * (RFC 8551, 3.8), called .p7c. DER, but that the certificates stand in the
 * order given instead of sorted. It says nothing of which certificate is whose
 * and proves nothing: who reads one checks the certificates.
 */
#define CERTS_ONLY_MAX	16	/* certificates in one that we read */

int	certs_only_write(X509 *const *certs, size_t n, struct buf *out,
	    struct err *);
/* All octets are one such DER; ERR_REJECT. certs: owned from then on, *n of
 * them, at least one. */
int	certs_only_read(struct bytes, X509 *certs[CERTS_ONLY_MAX], size_t *n,
	    struct err *);

#endif
