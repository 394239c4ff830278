#include "csrmaild/journal_index.h"
#include "common/err.h"

#include <stdlib.h>

/* Open addressing, linear probing. Names are random, so that the octets of
 * a cheap digest tell them apart. */
static uint64_t
tag_of(struct bytes name)
{
	uint64_t tag = 0xcbf29ce484222325u;	/* FNV-1a */

	for (size_t i = 0; i < name.len; i++)
		tag = (tag ^ name.data[i]) * 0x100000001b3u;
	return tag;
}

static void
put(struct journal_slot *slots, size_t n_slots, struct journal_slot slot)
{
	size_t i = (size_t)slot.tag & (n_slots - 1);

	while (slots[i].at != 0)
		i = (i + 1) & (n_slots - 1);
	slots[i] = slot;
}

/* Into n slots, what lies before `end`. */
static int
move(struct journal_index *index, size_t n, uint64_t end)
{
	struct journal_slot *slots = calloc(n, sizeof(*slots));
	size_t used = 0;

	if (slots == NULL)
		return -1;
	for (size_t i = 0; i < index->n_slots; i++)
		if (index->slots[i].at != 0 && index->slots[i].at < end) {
			put(slots, n, index->slots[i]);
			used++;
		}
	free(index->slots);
	*index = (struct journal_index){ slots, n, used };
	return 0;
}

int
journal_index_add(struct journal_index *index, struct bytes name,
    uint64_t at, struct err *err)
{
	if (index->n_used * 2 >= index->n_slots && move(index,
	    index->n_slots == 0 ? 1024 : index->n_slots * 2, UINT64_MAX) < 0)
		return err_errno(err, ERR_RETRY,
		    "growing the journal's index");
	put(index->slots, index->n_slots,
	    (struct journal_slot){ tag_of(name), at });
	index->n_used++;
	return 0;
}

/* Rare: after a full disk. */
int
journal_index_forget_from(struct journal_index *index, uint64_t at)
{
	return index->n_slots == 0 ? 0 : move(index, index->n_slots, at);
}

void
journal_index_free(struct journal_index *index)
{
	free(index->slots);
	*index = (struct journal_index){ 0 };
}

struct journal_walk
journal_index_walk(const struct journal_index *index, struct bytes name)
{
	uint64_t tag = tag_of(name);

	return (struct journal_walk){ index, tag,
	    index->n_slots == 0 ? 0 : (size_t)tag & (index->n_slots - 1) };
}

bool
journal_walk_next(struct journal_walk *w, uint64_t *at)
{
	const struct journal_slot *slot;

	if (w->index->n_slots == 0)
		return false;
	while ((slot = &w->index->slots[w->i])->at != 0) {
		w->i = (w->i + 1) & (w->index->n_slots - 1);
		if (slot->tag == w->tag) {
			*at = slot->at;
			return true;
		}
	}
	return false;
}
