#ifndef CSRMAILD_WORK_H
#define CSRMAILD_WORK_H

#include "common/channel.h"
#include "common/frame.h"
#include "common/owned.h"

#include <stdbool.h>

struct err;
struct registrar;

/*
 * Frames that end in the store. All that arrived together are committed
 * together, each within a savepoint of its own; only after the commit does
 * anybody hear of it. What could not be committed stays here and is tried
 * again: nothing is lost while the store is locked or the disk is full.
 *
 * Knows nothing of descriptors and of waiting: the loop (csrmaild/registrar.c)
 * reads frames and says when to commit.
 */
struct work_queue;

/* owned by the caller; NULL when out of memory. */
struct work_queue *work_queue_new(void);
void	work_queue_free(struct work_queue *);	/* what waits is forgotten */
OWNED_STRUCT_BY(work_queue, work_queue_free)

/* A full queue takes on nothing more: do not read frames for it. */
bool	work_is_full(const struct work_queue *);
/* Something is in it, such as after a commit that failed. */
bool	work_is_waiting(const struct work_queue *);

/*
 * Keep a copy of the frame: SUBMIT, ISSUED, REFUSED, KEYS or SENT. `from` is
 * borrowed until the commit: it gets the OUTCOME. The queue must not be full.
 */
int	work_add(struct work_queue *, struct channel *from,
	    const struct frame *, struct err *);

/*
 * Commit all of it, and say what the commit allows to be said. A piece that
 * fails for good is logged and left out; a store that cannot be written now
 * leaves the queue, and the registrar, as they were, for a try a second later
 * (r->now_ms), and r->trouble says why.
 */
void	work_commit(struct registrar *, struct work_queue *);

#endif
