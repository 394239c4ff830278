#ifndef CSRMAILD_PEM_H
#define CSRMAILD_PEM_H

#include "common/bytes.h"

#include <stdbool.h>
#include <stdint.h>

struct err;

/*
 * PEM (RFC 7468) as it arrives by mail: between lines of talk, with blanks
 * around, any line end or all in one line, and behind the ">" of a quoted
 * reply. BEGIN stands at the beginning of a line.
 *
 * One linear pass over text that is already decoded and in ASCII or UTF-8.
 * Decides nothing about what is in a block.
 */
#define PEM_LABEL_MAX	63

struct pem_block {
	char		 label[PEM_LABEL_MAX + 1];	/* "PRIVATE KEY" */
	bool		 quoted;	/* its BEGIN line stands behind ">" */
	bool		 ended;		/* its END line is there */
	struct bytes	 body;		/* what is between, as it stands */
};

/* The next block; *left goes on behind it. False when there is none. */
bool	pem_next(struct bytes *left, struct pem_block *);
/* CERTIFICATE REQUEST (RFC 7468, 7) or its older name with NEW before. */
bool	pem_is_csr(const struct pem_block *);
/* The octets of the block; strict base64, no header fields (RFC 7468, 2). */
int	pem_decode(const struct pem_block *, struct buf *out, struct err *);

/*
 * A private key that somebody mailed: any "... PRIVATE KEY" block, also one
 * that does not stand alone on its lines (HTML, a preamble), of OpenPGP and
 * SSH too.
 */
struct pem_leak {
	bool		 found;
	bool		 has_public;	/* and it could be read: */
	uint8_t		 spki_sha256[32];	/* of its public half */
	unsigned int	 n_read;	/* keys that were tried, which is dear */
};
/* Adds to *leak; a key that was readable stays the one that is named. Leaves
 * no copy of the key behind. */
void	pem_find_leak(struct bytes text, struct pem_leak *);
/* The same for a key in DER: PKCS#8, PKCS#1, RFC 5915, and PKCS#12, which is
 * not opened: that there is a key in it shows outside (RFC 7292, 4.2). */
void	pem_find_der_leak(struct bytes der, struct pem_leak *);

#endif
