#ifndef OCSPD_ISLAND_H
#define OCSPD_ISLAND_H

#include "common/owned.h"
#include "common/store.h"

#include <stdbool.h>
#include <time.h>

struct err;

/*
 * A machine without csrmaild: the index that `csrmail export index` wrote, and
 * that somebody carries here again and again.
 *
 * Looks for another file in the index's place, reads it from end to end, a
 * piece at each look, and opens it when it is whole. What is no index, is torn
 * or was read from the store before the last one is named in the log, and the
 * last one stays. Knows nothing of CAs and answers.
 */
struct island;

/* path is borrowed. Looks at nothing yet. */
int	island_new(const char *path, struct island **out, struct err *);
void	island_free(struct island *);
OWNED_STRUCT_BY(island, island_free)

enum island_news {
	ISLAND_SAME,	/* nothing new, or not read to its end yet */
	ISLAND_NEW,	/* *store and *at are another index */
	ISLAND_SPOILT,	/* the last one was written over: it is to be forgotten
			 * at once, for nothing in it can be believed */
};
/*
 * Look, once a tick; takes some 20 ms at most. A new store is the caller's;
 * with it comes when it was read from csrmaild's.
 */
enum island_news island_look(struct island *, struct store **store,
	    time_t *at);
/* What the caller makes of it: it is served from now on, or it is not. */
void	island_keep(struct island *, time_t at);
void	island_refuse(struct island *, const struct err *why);

#endif
