#ifndef TESTS_SUPPORT_DKIM_SIGNER_H
#define TESTS_SUPPORT_DKIM_SIGNER_H

#include "common/bytes.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * DKIM signatures for tests, after RFC 6376 and by OpenSSL alone, so that what
 * libopendkim says of them is another program's word.
 */
struct dkim_signer {
	const char	*key;		/* "rsa2048", "rsa1024", "ed25519" */
	const char	*algorithm;	/* a=; "rsa-sha1" hashes with SHA-1 */
	const char	*tags;		/* further tags, "l=5; "; "" none */
	const char	*h;		/* h= */
	bool		 relaxed;	/* else simple, header and body */
};

/* The message with a DKIM-Signature of d=example.test, s=s1 on top. header
 * lines end in CRLF, the last one included; fields of one name at most. */
void	dkim_signer_sign(const struct dkim_signer *, const char *header,
	    const char *body, struct buf *out);

/* p= of that key: made once in a process, and the same from then on. */
const char *dkim_signer_public(const char *key);

#endif
