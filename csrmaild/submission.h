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

#endif
