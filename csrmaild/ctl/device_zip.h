#ifndef CSRMAILD_CTL_DEVICE_ZIP_H
#define CSRMAILD_CTL_DEVICE_ZIP_H

#include "common/bytes.h"

#include <jansson.h>
#include <openssl/x509.h>

#include <stddef.h>
#include <time.h>

struct err;

/*
 * All that a person needs for one certificate in one zip: the certificate
 * alone, with its chain, as certs-only CMS and, if there is one, as PKCS#12,
 * the root that others are to trust, and a README.txt that says what goes
 * where. The zip itself is not encrypted; the PKCS#12 in it is.
 */
struct device_files {
	X509		*const *certs;	/* leaf first, root last */
	size_t		 n;
	struct bytes	 certificate, chain;	/* PEM: the first; the rest */
	struct bytes	 p7c;
	struct bytes	 p12;		/* empty: none */
	const json_t	*cert;		/* as the API describes it */
	time_t		 now;		/* of the files */
};
int	device_zip_write(const struct device_files *, struct buf *out,
	    struct err *);

/* The README's text, lines ended by CRLF (device_text.c). */
int	device_text_write(const struct device_files *, struct buf *out);

#endif
