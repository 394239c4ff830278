#include "ocspd/answers_private.h"

#include "common/err.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <sys/mman.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define GIVE_UP_LOOKS	8

/* What the writer knows and readers need not. */
struct tail_use {
	int64_t		expires;
	uint64_t	hash;
};
struct answers {
	int		 fd;
	size_t		 size;
	struct shape	 shape;
	struct tail_use	 tails[TAILS];
	size_t		 walked;	/* answers_each_older goes on here */
	/* Slots below n_used were used, those in `free` are not now. */
	uint32_t	*free;		/* owned; n_slots, a stack */
	uint32_t	*way_of;	/* owned; of each slot in use: its
					 * bucket * WAYS + way; else NO_WAY */
	uint64_t	 n_used, n_free;
	uint64_t	 hand;		/* where to look for one to give up */
};
#define NO_WAY		UINT32_MAX

int
answers_new(size_t n, size_t part, struct answers **out, struct err *err)
{
	OWNED_STRUCT(answers) *a = calloc(1, sizeof(*a));
	uint64_t buckets = 1;
	void *map;

	if (a == NULL)
		return err_set(err, ERR_FAULT, "out of memory");
	a->fd = -1;
	if (n > SLOTS_MAX)
		n = SLOTS_MAX;
	while (buckets * WAYS < n * WAYS_A_SLOT)
		buckets *= 2;
	if (part > ANSWER_MAX_PART)
		part = ANSWER_MAX_PART;
	a->shape.n_buckets = buckets;
	a->shape.n_slots = n;
	a->free = malloc(n * sizeof(a->free[0]));
	a->way_of = malloc(n * sizeof(a->way_of[0]));
	if (a->free == NULL || a->way_of == NULL)
		return err_set(err, ERR_FAULT, "out of memory");
	a->shape.slot_words = 1 + FACT_WORDS + (part + 7) / sizeof(word);
	a->size = answers_table_size(buckets, n, a->shape.slot_words);
	a->fd = memfd_create("ocspd answers", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (a->fd < 0 || ftruncate(a->fd, (off_t)a->size) == -1)
		return err_errno(err, ERR_FAULT, "the table of answers");
	map = mmap(NULL, a->size, PROT_READ | PROT_WRITE, MAP_SHARED, a->fd,
	    0);
	if (map == MAP_FAILED)
		return err_errno(err, ERR_FAULT, "mapping the table");
	a->shape.table = map;
	/* This mapping stays writable; there will be no other. */
	if (fcntl(a->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW |
	    F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) == -1)
		return err_errno(err, ERR_FAULT, "sealing the table");
	if (RAND_bytes((uint8_t *)&a->shape.seed,
	    sizeof(a->shape.seed)) != 1)
		return err_openssl(err, ERR_FAULT, "drawing a seed");
	a->shape.table->seed = a->shape.seed;
	a->shape.table->n_buckets = a->shape.n_buckets;
	a->shape.table->slot_words = a->shape.slot_words;
	a->shape.table->n_slots = a->shape.n_slots;
	a->shape.table->magic = MAGIC;
	*out = TAKE(a);
	return 0;
}

void
answers_free(struct answers *a)
{
	if (a == NULL)
		return;
	if (a->shape.table != NULL)
		munmap(a->shape.table, a->size);
	if (a->fd >= 0)
		close(a->fd);
	free(a->free);
	free(a->way_of);
	free(a);
}

int
answers_share(const struct answers *a, struct err *err)
{
	int fd = fcntl(a->fd, F_DUPFD_CLOEXEC, 0);

	return fd >= 0 ? fd : err_errno(err, ERR_FAULT, "sharing the table");
}

void
answers_beat(struct answers *a, int64_t ms)
{
	atomic_store_explicit(&a->shape.table->beat, (uint64_t)ms,
	    memory_order_release);
}

/* The tail is written once, before any slot that names it, and its place is
 * used again only when no answer with it can be valid. */
static int
find_tail(struct answers *a, struct bytes octets, int64_t expires,
    int64_t now)
{
	uint64_t hash = answers_hash(a->shape.seed, octets) | 1;
	uint64_t words[TAIL_WORDS - 1] = { 0 };
	struct tail *t;
	int at = -1;

	for (int i = 0; i < TAILS; i++) {
		if (a->tails[i].hash == hash && a->tails[i].expires == expires)
			return i;
		if (at < 0 && (a->tails[i].hash == 0 ||
		    a->tails[i].expires < now))
			at = i;
	}
	if (at < 0)
		return -1;
	t = &a->shape.table->tails[at];
	memcpy(words, octets.data, octets.len);
	for (size_t i = 0; i < TAIL_WORDS - 1; i++)
		atomic_store_explicit(&t->octets[i], words[i],
		    memory_order_relaxed);
	atomic_store_explicit(&t->len, octets.len, memory_order_release);
	a->tails[at].hash = hash;
	a->tails[at].expires = expires;
	return at;
}

/* --- slots ------------------------------------ */

static word *
way_at(struct answers *a, uint32_t way)
{
	return &answers_bucket_at(&a->shape, way / WAYS)->ways[way % WAYS];
}

/* Nobody finds it any more, and who had found it reads nothing. */
static void
give_up(struct answers *a, uint64_t slot)
{
	static const struct slot_content nothing;

	if (a->way_of[slot] == NO_WAY)
		return;
	atomic_store_explicit(way_at(a, a->way_of[slot]), 0,
	    memory_order_relaxed);
	answers_write_slot(answers_slot_at(&a->shape, slot), &nothing);
	a->way_of[slot] = NO_WAY;
	a->free[a->n_free++] = (uint32_t)slot;
}

/* All are in use: of some in turn, the one that is due to end first. */
static void
give_up_one(struct answers *a)
{
	uint64_t oldest = a->hand;
	int64_t ends = INT64_MAX;

	for (int i = 0; i < GIVE_UP_LOOKS; i++) {
		struct slot_content c;
		uint64_t at = a->hand;

		a->hand = (a->hand + 1) % a->shape.n_slots;
		if (answers_read_slot(&a->shape, answers_slot_at(&a->shape,
		    at), &c) && c.facts.next_update < ends) {
			ends = c.facts.next_update;
			oldest = at;
		}
	}
	give_up(a, oldest);
}

static uint64_t
take_slot(struct answers *a)
{
	if (a->n_free == 0 && a->n_used < a->shape.n_slots) {
		a->way_of[a->n_used] = NO_WAY;
		return a->n_used++;
	}
	if (a->n_free == 0)
		give_up_one(a);
	return a->free[--a->n_free];
}

/* --- putting ------------------------------------ */

/* Would the new answer be found where the old one is? */
static bool
takes_the_place_of(const struct answer *in, const struct slot_content *old)
{
	if (old->facts.signature != in->signature &&
	    !(old->facts.is_default && in->is_default))
		return false;
	for (size_t i = 0; i < in->n_ids; i++)
		if (answers_content_has(old, in->cert_ids[i]))
			return true;
	return false;
}

/*
 * A slot for the new answer: that of an older one, which is one only from now
 * on, or else a new one, and a way to it: an empty one, or that of the one in
 * the bucket that is due to end first.
 */
static uint64_t
choose_slot(struct answers *a, uint64_t bucket, const struct answer *in,
    uint32_t *way)
{
	uint64_t older = SLOTS_MAX, oldest = SLOTS_MAX, slot;
	unsigned int taken = 0;
	int64_t ends = INT64_MAX;
	uint32_t at = (uint32_t)(bucket * WAYS);

	for (unsigned int i = 0; i < WAYS; i++) {
		struct slot_content c;

		if (!answers_way_slot(&a->shape, atomic_load_explicit(
		    way_at(a, at + i), memory_order_relaxed), &slot))
			continue;
		taken++;
		if (!answers_read_slot(&a->shape, answers_slot_at(&a->shape,
		    slot), &c))
			continue;
		if (takes_the_place_of(in, &c)) {
			if (older == SLOTS_MAX)
				older = slot;
			else
				give_up(a, slot);
		} else if (c.facts.next_update <= ends) {
			ends = c.facts.next_update;
			oldest = slot;
		}
	}
	if (older != SLOTS_MAX) {
		*way = a->way_of[older];
		return older;
	}
	if (taken == WAYS)
		give_up(a, oldest);
	slot = take_slot(a);
	for (*way = at; atomic_load_explicit(way_at(a, *way),
	    memory_order_relaxed) != 0; (*way)++)
		;
	return slot;
}

static bool
is_within(struct bytes part, struct bytes view)
{
	return view.len > 0 && view.data >= part.data &&
	    view.data + view.len <= part.data + part.len;
}

bool
answers_put(struct answers *a, const struct answer *in, int64_t now)
{
	struct bytes part = bytes_slice(in->der, 0, in->tail);
	struct bytes rest = bytes_slice(in->der, in->tail, in->der.len);
	struct slot_content c = { .facts = { 0 } };
	uint64_t slot;
	uint32_t way;
	int tail;

	if (part.len > answers_max_part(&a->shape) ||
	    rest.len > ANSWER_MAX_TAIL ||
	    in->n_ids == 0 || in->n_ids > ANSWER_MAX_IDS)
		return false;
	for (size_t i = 0; i < in->n_ids; i++) {
		if (!is_within(part, in->cert_ids[i]))
			return false;
		c.facts.id_at[i] =
		    (uint16_t)(in->cert_ids[i].data - part.data);
		c.facts.id_len[i] = (uint16_t)in->cert_ids[i].len;
	}
	tail = find_tail(a, rest, in->tail_expires, now);
	if (tail < 0 || EVP_Digest(in->der.data, in->der.len, c.facts.digest,
	    NULL, EVP_sha256(), NULL) != 1)
		return false;
	c.facts.this_update = in->this_update;
	c.facts.next_update = in->next_update;
	c.facts.part_len = (uint16_t)part.len;
	c.facts.tail = (uint16_t)tail;
	c.facts.signature = (uint8_t)in->signature;
	c.facts.is_default = in->is_default;
	memcpy(c.part, part.data, part.len);
	slot = choose_slot(a, answers_bucket_of(&a->shape, in->serial), in,
	    &way);
	answers_write_slot(answers_slot_at(&a->shape, slot), &c);
	a->way_of[slot] = way;
	atomic_store_explicit(way_at(a, way), answers_way(answers_tag_of(
	    &a->shape, in->serial), slot), memory_order_release);
	return true;
}

bool
answers_has(const struct answers *a, struct bytes cert_id,
    struct bytes serial, enum signature_alg signature, int64_t now)
{
	struct slot_content c;

	return answers_find_slot(&a->shape, cert_id, serial, signature, now,
	    &c);
}

/* --- forgetting ------------------------------------ */

/* The whole bucket: others that share it are signed anew when asked for,
 * which is cheaper than to be wrong once about which are the serial's. */
void
answers_forget(struct answers *a, struct bytes serial)
{
	uint64_t bucket = answers_bucket_of(&a->shape, serial), slot;

	for (uint32_t i = 0; i < WAYS; i++)
		if (answers_way_slot(&a->shape, atomic_load_explicit(way_at(a,
		    (uint32_t)(bucket * WAYS) + i), memory_order_relaxed),
		    &slot))
			give_up(a, slot);
	/* Nothing that announces the change goes before it. */
	atomic_thread_fence(memory_order_seq_cst);
}

void
answers_forget_all(struct answers *a)
{
	for (uint64_t slot = 0; slot < a->n_used; slot++)
		give_up(a, slot);
	atomic_thread_fence(memory_order_seq_cst);
}

size_t
answers_places(const struct answers *a)
{
	return (size_t)a->n_used;
}

/* --- growing old ------------------------------------ */

/* Its own part of the eighth: fixed while it is held, unlike others'. */
static int64_t
jitter(const struct slot_content *c, int64_t age_s)
{
	uint64_t own;

	memcpy(&own, c->facts.digest, sizeof(own));
	return (int64_t)(own % (uint64_t)(age_s / 8 + 1));
}

size_t
answers_each_older(struct answers *a, size_t n, int64_t now, int64_t age_s,
    bool (*fn)(const struct aged_answer *, void *), void *arg)
{
	size_t all = answers_places(a), asked = n, done = 0;

	if (n == 0 || n > all)
		n = all;
	while (done++ < n) {
		uint64_t slot = a->walked % all;
		struct slot_content c;
		struct aged_answer aged;

		a->walked = slot + 1;
		if (a->way_of[slot] == NO_WAY ||
		    !answers_read_slot(&a->shape, answers_slot_at(&a->shape,
		    slot), &c) || now - c.facts.this_update <=
		    age_s - jitter(&c, age_s))
			continue;
		aged = (struct aged_answer){ answers_content_id(&c, 0),
		    (enum signature_alg)c.facts.signature,
		    c.facts.is_default, c.facts.this_update };
		if (!fn(&aged, arg))
			return done;
	}
	return asked > n ? asked : n;
}
