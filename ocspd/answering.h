#ifndef OCSPD_ANSWERING_H
#define OCSPD_ANSWERING_H

#include "ocspd/answers.h"
#include "ocspd/counters.h"
#include "ocspd/request.h"
#include "ocspd/response.h"
#include "ocspd/settings.h"
#include "ocspd/snapshot.h"

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/*
 * From a request to its signed answer: which CA is meant, what is known of
 * each certificate, who signs, and whether the answer is held in the table.
 * Reads no octet of a client, only requests that a front took apart.
 */
struct answering {
	const struct settings	*settings;	/* borrowed, all of them */
	struct snapshot		*snapshot;
	const struct key_places	*places;
	struct answers		*answers;
	struct counters		*counters;
	time_t			 foreign_told_at;
	uint8_t			 room[RESPONSE_MAX];
	struct single		 singles[REQUEST_MAX_CERT_IDS];
};

struct made {
	struct response	response;	/* views into room */
	int64_t		this_update, next_update;
	enum signature_alg signature;
	bool		never_issued;	/* some of what was asked for */
};

/* For answers_new: octets before the tail of whatever may be held. */
size_t	answering_max_part(const struct settings *);

/*
 * Answer a request; an answer that others may ask for in the same words is
 * held. Anything but OCSP_SUCCESSFUL is the unsigned answer to give, and
 * nothing is then in out.
 */
enum ocsp_status answering_make(struct answering *, const struct request *,
	    struct made *out);

#endif
