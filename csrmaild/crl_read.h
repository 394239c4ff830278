#ifndef CSRMAILD_CRL_READ_H
#define CSRMAILD_CRL_READ_H

#include "common/bytes.h"
#include "common/crl.h"

#include <stddef.h>
#include <stdint.h>

struct err;

/*
 * A CRL as it was published (RFC 5280, section 5), in PEM or DER: read and
 * verified by a child behind walls (sealed.h), since until its signature is
 * verified it is anybody's octets. Call it before keys or the store are open.
 */
#define CRL_READ_MAX	((size_t)512 << 20)	/* octets of a file */

struct crl_read {
	size_t		 issuer;	/* which of the certificates */
	struct crl_terms terms;		/* number 0: it has none */
	char		 point[CRL_URL_MAX + 1];	/* the name in its
					 * issuingDistributionPoint; "?": one
					 * without an address, "": none */
	uint16_t	 n_odd;		/* entries that cannot be kept, at most
					 * 65535 */
	struct crl_entry *entries;	/* owned */
	size_t		 n;
};
/*
 * certs	the CAs it may be of, in DER; borrowed.
 *
 * 1: it is of none of them, its signature is wrong, or it is no CRL: why (160
 * octets) says which.
 */
int	crl_read_file(const char *path, const struct bytes *certs,
	    size_t n_certs, struct crl_read *out, char why[160], struct err *);
void	crl_read_free(struct crl_read *);	/* what it holds */

#endif
