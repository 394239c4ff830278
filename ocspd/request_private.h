#ifndef OCSPD_REQUEST_PRIVATE_H
#define OCSPD_REQUEST_PRIVATE_H

#include "ocspd/request.h"

#include <openssl/ocsp.h>

/* Shared by the files of ocspd/request.h, and by nobody else. */

/* Nothing is asked for, and why. Returns status. */
enum ocsp_status request_refuse(struct request *, enum ocsp_status status,
	    const char *why);
/* The value of a nonce extension (RFC 9654, 2.1); false: it is none. */
bool	request_take_nonce(struct bytes value, struct request *);
/* requestExtensions (RFC 6960, 4.4) of a request that is DER. */
enum ocsp_status request_read_extensions(OCSP_REQUEST *, struct request *);

#endif
