#ifndef OCSPD_FILES_H
#define OCSPD_FILES_H

#include "common/bytes.h"

#include <stdint.h>
#include <time.h>

/*
 * CRLs and CA certificates from the published folder (RFC 5280, 4.2.1.13 and
 * 4.2.2.1; media types RFC 2585, 4, and RFC 8551): /crl/NAME.crl
 * (and NAME.SHARD.crl, NAME.delta.crl, and .pem behind each),
 * /ca/NAME.crt and /ca/NAME.p7c, where NAME is a CA's file name
 * (common/ca.h). Looked up by name in one folder: there is no path to walk.
 */
struct published {
	int		 fd;		/* the caller's */
	uint64_t	 octets;
	time_t		 modified;
	const char	*media_type;
	const char	*kind;		/* "crl" or "ca" */
	char		 etag[64];	/* new with every rename into place */
};

/* 0 opened; 1 when there is no such file, or path names none of ours; -1 when
 * it cannot be opened for now, for want of descriptors or memory. */
int	files_open(int dir_fd, struct bytes path, struct published *out);

#endif
