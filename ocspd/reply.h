#ifndef OCSPD_REPLY_H
#define OCSPD_REPLY_H

#include "common/bytes.h"
#include "ocspd/counters.h"
#include "ocspd/files.h"
#include "ocspd/http.h"
#include "ocspd/request.h"

#include <stdint.h>

/*
 * HTTP answers as octets, appended to a buffer: status line, fields, body.
 * The caching fields are those of RFC 9919, 6 and 7.2.
 */
struct reply {
	struct buf	*out;
	struct counters	*counters;	/* NULL: nobody counts */
	unsigned int	*status;	/* what was said; NULL: not asked */
	int64_t		 now;		/* Unix seconds */
	bool		 keep_alive;
	bool		 old;		/* to HTTP/1.0: keep-alive is said */
	bool		 head;		/* fields only */
};

/* What may be cached of a signed answer. */
struct reply_facts {
	int64_t		 this_update, next_update;
	const uint8_t	*digest;	/* SHA-256 of der: the entity tag */
	int64_t		 max_age_s;	/* cut to what is left */
};
/* A signed answer; to a conditional GET perhaps 304 without it. req NULL: not
 * conditional. */
void	reply_signed(const struct reply *, const struct reply_facts *,
	    struct bytes der, const struct http_request *req);
/* A signed answer for one client alone (a nonce): not to be cached. */
void	reply_private(const struct reply *, struct bytes der);
/* An unsigned OCSP error, as HTTP 200 (RFC 6960, A.2). */
void	reply_ocsp_error(const struct reply *, enum ocsp_status);
/* An HTTP error with its reason as text. */
void	reply_status(const struct reply *, unsigned int status);
/* The fields before a file, or before a part of it (RFC 9110, 14), which is
 * then *part. False: send nothing of it; all is said. */
struct file_part {
	uint64_t	 at, octets;
};
bool	reply_file(const struct reply *, const struct published *,
	    const struct http_request *, struct file_part *part);

#endif
