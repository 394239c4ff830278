#ifndef CSRMAILD_ANSWER_H
#define CSRMAILD_ANSWER_H

#include <stdint.h>

struct err;
struct registrar;

/*
 * The reply to a mail, once all its requests that policy signs are issued; with
 * what became of the revocations that it asks for.
 * Does nothing while one of them is still with the signer, or waits for its
 * sender, or when nobody is to be answered. Inside the caller's transaction.
 */
int	submission_answer(struct registrar *, int64_t submission,
	    struct err *);
/* The reply about one request that was decided later. */
int	submission_answer_one(struct registrar *, int64_t request,
	    struct err *);
/* And about one revocation. */
int	submission_answer_revocation(struct registrar *, int64_t revocation,
	    struct err *);

#endif
