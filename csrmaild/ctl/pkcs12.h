#ifndef CSRMAILD_CTL_PKCS12_H
#define CSRMAILD_CTL_PKCS12_H

#include "common/bytes.h"

#include <openssl/x509.h>

#include <stdbool.h>
#include <stddef.h>

struct err;

/*
 * Key, certificate and chain in one file (RFC 7292), as devices import them.
 *
 * Key and certificates are encrypted with AES-256-CBC under a key by PBKDF2
 * with HMAC-SHA-256 (RFC 8018), and the file has an HMAC-SHA-256. legacy, for
 * software that knows no other: three-key Triple DES and HMAC-SHA-1, the
 * strongest of RFC 7292, appendix C; not the 40-bit RC2 that is usual for
 * certificates there.
 */
#define PKCS12_ITERATIONS	100000	/* thrice in a file; .NET takes no
					 * more than 600,000 in all */
#define PKCS12_LEGACY_ITERATIONS 2048

struct pkcs12_parts {
	EVP_PKEY	*key;		/* borrowed, all of them */
	X509		*cert;
	X509		*const *chain;	/* issuer first */
	size_t		 n_chain;
	const char	*name;		/* friendlyName, in UTF-8 */
};
/*
 * passphrase: UTF-8, 1 octet at least and no NUL. ERR_REJECT: the key is not
 * that of the certificate.
 */
int	pkcs12_write(const struct pkcs12_parts *, struct bytes passphrase,
	    bool legacy, struct buf *out, struct err *);

#endif
