#ifndef OCSPD_ACCESS_H
#define OCSPD_ACCESS_H

#include "ocspd/client.h"
#include "ocspd/http.h"

#include <stdint.h>

/*
 * One line of the access log (event http.access): who asked how for what, and
 * what came of it. The target is not told: it is a request in base64, or a
 * file's name that stands in files_total; nor is any octet of a body or field.
 */
struct access {
	struct client	 client;
	enum http_method method;	/* HTTP_OTHER: no request was read */
	const char	*kind;		/* "ocsp", "crl", "ca", "-" */
	unsigned int	 status;
	uint64_t	 octets;	/* of the whole answer */
	int64_t		 began_us;	/* monotonic; when it was read */
};

void	access_tell(const struct access *, int64_t now_us);

#endif
