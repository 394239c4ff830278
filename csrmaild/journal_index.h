#ifndef CSRMAILD_JOURNAL_INDEX_H
#define CSRMAILD_JOURNAL_INDEX_H

#include "common/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

/*
 * Where in a journal the certificate with a serial is, or what blocks a key.
 * In memory only, made anew each time the journal is opened: 16 octets an
 * entry, at most half full.
 *
 * Holds digests of the names (a serial, a key's SHA-256), not the names: what
 * a walk yields is a place worth reading, and the reader looks whether it is
 * the right one.
 */
struct journal_slot {
	uint64_t	tag;
	uint64_t	at;	/* of the record in the file; 0: empty */
};

struct journal_index {
	struct journal_slot *slots;	/* owned */
	size_t		 n_slots;	/* a power of two */
	size_t		 n_used;
};

int	journal_index_add(struct journal_index *, struct bytes name,
	    uint64_t at, struct err *);
/* Take out all that lies at or behind `at`. -1: out of memory, unchanged. */
int	journal_index_forget_from(struct journal_index *, uint64_t at);
void	journal_index_free(struct journal_index *);	/* what it holds */

/*
 *	struct journal_walk w = journal_index_walk(&index, name);
 *	while (journal_walk_next(&w, &at))
 */
struct journal_walk {
	const struct journal_index *index;
	uint64_t	 tag;
	size_t		 i;
};
struct journal_walk journal_index_walk(const struct journal_index *,
	    struct bytes name);
bool	journal_walk_next(struct journal_walk *, uint64_t *at);

#endif
