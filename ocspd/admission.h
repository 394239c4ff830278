#ifndef OCSPD_ADMISSION_H
#define OCSPD_ADMISSION_H

#include "ocspd/counters.h"
#include "ocspd/request.h"
#include "ocspd/requestor.h"
#include "ocspd/settings.h"

#include <time.h>

/*
 * Whether a request that was read is one that we answer, as it is configured:
 * by which hash its CertIDs are, and who has signed it. Knows nothing of what
 * is asked for.
 */
struct admission {
	const struct settings	*settings;	/* borrowed, all of them */
	const struct requestors	*requestors;	/* NULL: none configured */
	struct counters		*counters;
};

/*
 * OCSP_SUCCESSFUL, or the unsigned answer to give, with req->why:
 * unauthorized for SHA-1 where it is switched off, and for a signature of
 * nobody known; sigRequired where there must be one (RFC 6960, 2.3).
 */
enum ocsp_status admission_check(const struct admission *, struct bytes der,
	    struct request *req, time_t now);
/* By which signature algorithm the answer is looked for in the table: of the
 * kinds of key that we have, the client's first one. */
enum signature_alg admission_signature(const struct admission *,
	    const struct request *);

#endif
