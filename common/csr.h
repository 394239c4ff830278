#ifndef COMMON_CSR_H
#define COMMON_CSR_H

#include "common/bytes.h"
#include "common/key.h"
#include "common/names.h"
#include "common/owned.h"

#include <stdbool.h>

struct err;

/*
 * Certificate signing requests (PKCS#10, RFC 2986).
 *
 * csr_read checks in this order: size, strict DER (it could be encoded in no
 * other way, and nothing follows), version, key, proof of possession (the
 * signature), attributes, names. It decides nothing about who may have what:
 * that is policy.
 *
 * Runs in the parser (on untrusted octets, without keys) and once more in
 * the signer before it signs.
 */
#define CSR_MAX_OCTETS		16384

struct csr {
	struct bytes		 der;	/* owned */
	uint8_t			 digest[32];	/* SHA-256 of der */
	struct key_facts	 key;
	struct names		 names;
	/* Requested extensions that no certificate of ours will copy, by
	 * name, for the answer: "keyUsage, 1.2.3.4". */
	char			 ignored[256];
	/* challengePassword (RFC 2985, 5.4.1). Its text stands in der alone;
	 * what may be compared is csr_digest_challenge of it. */
	bool			 has_challenge;
	uint8_t			 challenge[32];
	struct bytes		 spki;	/* a view into der */
};

/* SHA-256 over a fixed label and the text in UTF-8. Not 0: out of memory. */
int	csr_digest_challenge(struct bytes text, uint8_t out[32],
	    struct err *);

/* ERR_REJECT with the reason in plain words; on success *out is owned. */
int	csr_read(struct bytes der, struct csr **out, struct err *);
void	csr_free(struct csr *);
OWNED_STRUCT_BY(csr, csr_free)

#endif
