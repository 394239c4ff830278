#include "ocspd/answers_private.h"

#include "common/err.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct answers_view {
	size_t		 size;
	struct shape	 shape;		/* mapped for reading only */
};

int
answers_open(int fd, struct answers_view **out, struct err *err)
{
	OWNED_FD own = fd;
	OWNED_STRUCT(answers_view) *v = calloc(1, sizeof(*v));
	struct stat st;
	void *map;

	if (v == NULL)
		return err_set(err, ERR_FAULT, "out of memory");
	if (fstat(own, &st) == -1 ||
	    (fcntl(own, F_GET_SEALS) & F_SEAL_SHRINK) == 0 ||
	    (size_t)st.st_size < sizeof(struct table))
		return err_set(err, ERR_FAULT, "this is no table of answers");
	v->size = (size_t)st.st_size;
	map = mmap(NULL, v->size, PROT_READ, MAP_SHARED, own, 0);
	if (map == MAP_FAILED)
		return err_errno(err, ERR_FAULT, "mapping the table");
	v->shape.table = map;
	v->shape.n_buckets = v->shape.table->n_buckets;
	v->shape.seed = v->shape.table->seed;
	v->shape.slot_words = v->shape.table->slot_words;
	v->shape.n_slots = v->shape.table->n_slots;
	if (v->shape.table->magic != MAGIC || v->shape.n_buckets == 0 ||
	    v->shape.n_buckets > (UINT64_C(1) << 32) ||
	    (v->shape.n_buckets & (v->shape.n_buckets - 1)) != 0 ||
	    v->shape.slot_words <= 1 + FACT_WORDS ||
	    v->shape.slot_words > 1 + FACT_WORDS + PART_WORDS ||
	    v->shape.n_slots == 0 || v->shape.n_slots > SLOTS_MAX ||
	    answers_table_size(v->shape.n_buckets, v->shape.n_slots,
	    v->shape.slot_words) != v->size)
		return err_set(err, ERR_FAULT, "this is no table of answers");
	*out = TAKE(v);
	return 0;
}

void
answers_close(struct answers_view *v)
{
	if (v == NULL)
		return;
	if (v->shape.table != NULL)
		munmap(v->shape.table, v->size);
	free(v);
}

bool
answers_alive(const struct answers_view *v, int64_t ms)
{
	uint64_t beat = atomic_load_explicit(&v->shape.table->beat,
	    memory_order_acquire);

	return ms - (int64_t)beat <= ANSWERS_HEARTBEAT_MS;
}

static size_t
copy_tail(const struct table *t, unsigned int n, uint8_t *out)
{
	const struct tail *tail = &t->tails[n];
	size_t len = (size_t)atomic_load_explicit(&tail->len,
	    memory_order_acquire);

	if (len > ANSWER_MAX_TAIL)
		return 0;
	for (size_t i = 0; i * 8 < len; i++) {
		uint64_t w = atomic_load_explicit(&tail->octets[i],
		    memory_order_relaxed);

		memcpy(out + i * 8, &w, len - i * 8 < 8 ? len - i * 8 : 8);
	}
	return len;
}

bool
answers_find(const struct answers_view *v, struct bytes cert_id,
    struct bytes serial, enum signature_alg signature, int64_t now,
    struct held_answer *out, uint8_t *octets)
{
	struct slot_content c;

	if (!answers_find_slot(&v->shape, cert_id, serial, signature, now, &c))
		return false;
	memcpy(octets, c.part, c.facts.part_len);
	out->len = c.facts.part_len + copy_tail(v->shape.table, c.facts.tail,
	    octets + c.facts.part_len);
	out->this_update = c.facts.this_update;
	out->next_update = c.facts.next_update;
	memcpy(out->digest, c.facts.digest, 32);
	return true;
}
