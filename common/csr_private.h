#ifndef COMMON_CSR_PRIVATE_H
#define COMMON_CSR_PRIVATE_H

#include "common/bytes.h"
#include "common/key.h"

struct err;

/* What csr.c shares with csr_signature.c. */

/* Parts of a request, each a whole element in DER. */
struct csr_proof {
	struct bytes	info;		/* CertificationRequestInfo: signed */
	struct bytes	spki;		/* in it, examined */
	struct bytes	algorithm;	/* AlgorithmIdentifier's content */
	struct bytes	signature;	/* BIT STRING's content */
};
/* Proof of possession (RFC 2986, 3): is the request signed with its own key,
 * by an algorithm that still proves something? */
int	csr_check_possession(const struct csr_proof *,
	    const struct key_facts *, struct err *);

#endif
