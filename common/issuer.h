#ifndef COMMON_ISSUER_H
#define COMMON_ISSUER_H

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <stddef.h>

/* The CA that signs. All borrowed from the signer for its lifetime. */
struct issuer {
	X509		*cert;
	EVP_PKEY	*key;
	const EVP_MD	*digest;	/* NULL where the key fixes it (Ed25519) */
	/* Where clients find things; "" leaves the extension out. */
	const char	*ocsp_url;	/* AIA id-ad-ocsp */
	const char	*ca_url;	/* AIA caIssuers */
	const char	*crl_url;	/* CRL distribution point */
	/* The CAs above this one, nearest first, as far as they are known here:
	 * their name constraints hold too (RFC 5280, 6.1.4). */
	X509		*const *above;
	size_t		 n_above;
};

#endif
