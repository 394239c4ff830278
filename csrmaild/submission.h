#ifndef CSRMAILD_SUBMISSION_H
#define CSRMAILD_SUBMISSION_H

#include "csrmaild/wire.h"

#include <stdint.h>

struct err;
struct registrar;

/*
 * A mail becomes a submission: recognised if it is one that we know, else put
 * on record with one request for each CSR, its verdict, and the reply that
 * the verdict calls for.
 *
 * Runs inside the caller's transaction and sends nothing: the outcome may go
 * to intake only after the commit.
 */
int	submission_take(struct registrar *, const struct wire_submit *,
	    enum outcome *, struct err *);

/*
 * After submission_take failed for a reason of ours: put the mail on record
 * as unreadable, without a reply, for an administrator to look at.
 */
int	submission_give_up(struct registrar *, const struct wire_submit *,
	    enum outcome *, struct err *);

/*
 * The reply to a mail, once all its requests that policy signs are issued.
 * Does nothing while one of them is still with the signer, or when nobody is
 * to be answered. Inside the caller's transaction.
 */
int	submission_answer(struct registrar *, int64_t submission,
	    struct err *);
/* The reply about one request that was decided later. */
int	submission_answer_one(struct registrar *, int64_t request,
	    struct err *);

#endif
