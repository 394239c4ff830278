#include "ocspd/answers.h"

#include "common/err.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <sys/mman.h>
#include <sys/stat.h>

#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC		UINT64_C(0x6f637370642d3031)
#define WAYS		8		/* answers whose serials may collide */
#define TAILS		512
#define SLOT_WORDS	80
#define TAIL_WORDS	512
#define READ_TRIES	8

typedef _Atomic uint64_t word;

/* What a slot says beside the octets; copied as a whole. */
struct slot_facts {
	int64_t		this_update, next_update;
	uint8_t		digest[32];
	uint16_t	part_len;	/* 0: nothing is held here */
	uint16_t	tail;		/* which */
	uint16_t	id_at, id_len;	/* the CertID within the part */
};
struct slot_content {
	struct slot_facts facts;
	uint8_t		part[ANSWER_MAX_PART];
};
_Static_assert(sizeof(struct slot_content) == (SLOT_WORDS - 1) * 8,
    "a slot is a sequence number and its content");

struct slot {
	word		sequence;	/* odd: being written */
	word		content[SLOT_WORDS - 1];
};
struct tail {
	word		len;
	word		octets[TAIL_WORDS - 1];
};
/* Tags save looking into seven other slots: one cache line a bucket. */
struct bucket {
	word		tags[WAYS];	/* 0: empty */
};
struct table {
	uint64_t	magic;
	uint64_t	n_buckets;	/* a power of two */
	uint64_t	seed;
	word		beat;		/* monotonic, ms */
	uint64_t	reserved[4];
	struct tail	tails[TAILS];
	/* then n_buckets buckets, then n_buckets * WAYS slots */
};

/* What the writer knows and readers need not. */
struct tail_use {
	int64_t		expires;
	uint64_t	hash;
};
struct answers {
	int		 fd;
	size_t		 size;
	struct table	*table;
	struct tail_use	 tails[TAILS];
	size_t		 walked;	/* answers_each_older goes on here */
};
struct answers_view {
	size_t		 size;
	const struct table *table;
};

static size_t
table_size(uint64_t n_buckets)
{
	return sizeof(struct table) + (size_t)n_buckets *
	    (sizeof(struct bucket) + WAYS * sizeof(struct slot));
}

/* Pointers that a reader only loads through: its mapping is read-only. */
static struct bucket *
bucket_at(const struct table *t, uint64_t n)
{
	return (struct bucket *)(uintptr_t)(t + 1) + n;
}

static struct slot *
slot_at(const struct table *t, uint64_t bucket, unsigned int way)
{
	return (struct slot *)(void *)bucket_at(t, t->n_buckets) +
	    bucket * WAYS + way;
}

/*
 * Not cryptographic, but seeded: who asks cannot choose which bucket is
 * crowded without knowing the seed, and what is held are serials of ours.
 */
static uint64_t
hash_octets(uint64_t seed, struct bytes v)
{
	uint64_t h = seed ^ (v.len * UINT64_C(0x9e3779b97f4a7c15));

	while (v.len > 0) {
		uint64_t w = 0;
		size_t n = v.len < 8 ? v.len : 8;

		memcpy(&w, v.data, n);
		h = (h ^ w) * UINT64_C(0xff51afd7ed558ccd);
		h ^= h >> 32;
		v = bytes_slice(v, n, v.len);
	}
	h *= UINT64_C(0xc4ceb9fe1a85ec53);
	return h ^ h >> 29;
}

static uint64_t
bucket_of(const struct table *t, struct bytes serial)
{
	return hash_octets(t->seed, serial) & (t->n_buckets - 1);
}

static uint64_t
tag_of(const struct table *t, struct bytes cert_id)
{
	return hash_octets(~t->seed, cert_id) | 1;
}

int
answers_new(size_t n, struct answers **out, struct err *err)
{
	OWNED_STRUCT(answers) *a = calloc(1, sizeof(*a));
	uint64_t buckets = 1;
	void *map;

	if (a == NULL)
		return err_set(err, ERR_FAULT, "out of memory");
	a->fd = -1;
	while (buckets * WAYS < n)
		buckets *= 2;
	a->size = table_size(buckets);
	a->fd = memfd_create("ocspd answers", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (a->fd < 0 || ftruncate(a->fd, (off_t)a->size) == -1)
		return err_errno(err, ERR_FAULT, "the table of answers");
	map = mmap(NULL, a->size, PROT_READ | PROT_WRITE, MAP_SHARED, a->fd,
	    0);
	if (map == MAP_FAILED)
		return err_errno(err, ERR_FAULT, "mapping the table");
	a->table = map;
	/* This mapping stays writable; there will be no other. */
	if (fcntl(a->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW |
	    F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) == -1)
		return err_errno(err, ERR_FAULT, "sealing the table");
	if (RAND_bytes((uint8_t *)&a->table->seed,
	    sizeof(a->table->seed)) != 1)
		return err_openssl(err, ERR_FAULT, "drawing a seed");
	a->table->n_buckets = buckets;
	a->table->magic = MAGIC;
	*out = TAKE(a);
	return 0;
}

void
answers_free(struct answers *a)
{
	if (a == NULL)
		return;
	if (a->table != NULL)
		munmap(a->table, a->size);
	if (a->fd >= 0)
		close(a->fd);
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
	atomic_store_explicit(&a->table->beat, (uint64_t)ms,
	    memory_order_release);
}

/* The writer's half of the sequence lock. */
static void
write_slot(struct slot *s, const struct slot_content *content)
{
	uint64_t seq = atomic_load_explicit(&s->sequence,
	    memory_order_relaxed);
	uint64_t words[SLOT_WORDS - 1];

	memcpy(words, content, sizeof(words));
	atomic_store_explicit(&s->sequence, seq + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	for (size_t i = 0; i < SLOT_WORDS - 1; i++)
		atomic_store_explicit(&s->content[i], words[i],
		    memory_order_relaxed);
	atomic_store_explicit(&s->sequence, seq + 2, memory_order_release);
}

/* The reader's half: false when it was being written each time. */
static bool
read_slot(struct slot *s, struct slot_content *out)
{
	uint64_t words[SLOT_WORDS - 1];

	for (int i = 0; i < READ_TRIES; i++) {
		uint64_t seq = atomic_load_explicit(&s->sequence,
		    memory_order_acquire);

		if ((seq & 1) != 0)
			continue;
		for (size_t w = 0; w < SLOT_WORDS - 1; w++)
			words[w] = atomic_load_explicit(&s->content[w],
			    memory_order_relaxed);
		atomic_thread_fence(memory_order_acquire);
		if (atomic_load_explicit(&s->sequence,
		    memory_order_relaxed) != seq)
			continue;
		memcpy(out, words, sizeof(words));
		return true;
	}
	return false;
}

static bool
facts_are_sane(const struct slot_facts *f)
{
	return f->part_len > 0 && f->part_len <= ANSWER_MAX_PART &&
	    f->tail < TAILS && (size_t)f->id_at + f->id_len <= f->part_len;
}

static struct bytes
content_cert_id(const struct slot_content *c)
{
	return (struct bytes){ c->part + c->facts.id_at, c->facts.id_len };
}

/* The tail is written once, before any slot that names it, and its place is
 * used again only when no answer with it can be valid. */
static int
find_tail(struct answers *a, struct bytes octets, int64_t expires,
    int64_t now)
{
	uint64_t hash = hash_octets(a->table->seed, octets) | 1;
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
	t = &a->table->tails[at];
	memcpy(words, octets.data, octets.len);
	for (size_t i = 0; i < TAIL_WORDS - 1; i++)
		atomic_store_explicit(&t->octets[i], words[i],
		    memory_order_relaxed);
	atomic_store_explicit(&t->len, octets.len, memory_order_release);
	a->tails[at].hash = hash;
	a->tails[at].expires = expires;
	return at;
}

/* Its own old place, an empty one, or the one that is due to end first. */
static unsigned int
choose_way(const struct table *t, uint64_t bucket, uint64_t tag)
{
	struct bucket *b = bucket_at(t, bucket);
	unsigned int empty = WAYS, oldest = 0;
	int64_t ends = INT64_MAX;

	for (unsigned int i = 0; i < WAYS; i++) {
		uint64_t have = atomic_load_explicit(&b->tags[i],
		    memory_order_relaxed);
		struct slot_content c;

		if (have == tag)
			return i;
		if (have == 0 && empty == WAYS)
			empty = i;
		if (have == 0 || !read_slot(slot_at(t, bucket, i), &c))
			continue;
		if (c.facts.next_update < ends) {
			ends = c.facts.next_update;
			oldest = i;
		}
	}
	return empty < WAYS ? empty : oldest;
}

bool
answers_put(struct answers *a, const struct answer *in, int64_t now)
{
	struct bytes part = bytes_slice(in->der, 0, in->tail);
	struct bytes rest = bytes_slice(in->der, in->tail, in->der.len);
	struct slot_content c = { 0 };
	uint64_t bucket, tag;
	unsigned int way;
	int tail;

	if (part.len > ANSWER_MAX_PART || rest.len > ANSWER_MAX_TAIL ||
	    in->cert_id.data < part.data ||
	    in->cert_id.data + in->cert_id.len > part.data + part.len)
		return false;
	tail = find_tail(a, rest, in->tail_expires, now);
	if (tail < 0 || EVP_Digest(in->der.data, in->der.len, c.facts.digest,
	    NULL, EVP_sha256(), NULL) != 1)
		return false;
	c.facts.this_update = in->this_update;
	c.facts.next_update = in->next_update;
	c.facts.part_len = (uint16_t)part.len;
	c.facts.tail = (uint16_t)tail;
	c.facts.id_at = (uint16_t)(in->cert_id.data - part.data);
	c.facts.id_len = (uint16_t)in->cert_id.len;
	memcpy(c.part, part.data, part.len);
	bucket = bucket_of(a->table, in->serial);
	tag = tag_of(a->table, in->cert_id);
	way = choose_way(a->table, bucket, tag);
	write_slot(slot_at(a->table, bucket, way), &c);
	atomic_store_explicit(&bucket_at(a->table, bucket)->tags[way], tag,
	    memory_order_release);
	return true;
}

static void
empty_slot(struct answers *a, uint64_t bucket, unsigned int way)
{
	static const struct slot_content nothing;

	atomic_store_explicit(&bucket_at(a->table, bucket)->tags[way], 0,
	    memory_order_relaxed);
	write_slot(slot_at(a->table, bucket, way), &nothing);
}

/* The whole bucket: others that share it are signed anew when asked for,
 * which is cheaper than to be wrong once about which are the serial's. */
void
answers_forget(struct answers *a, struct bytes serial)
{
	uint64_t bucket = bucket_of(a->table, serial);

	for (unsigned int i = 0; i < WAYS; i++)
		if (atomic_load_explicit(&bucket_at(a->table, bucket)->tags[i],
		    memory_order_relaxed) != 0)
			empty_slot(a, bucket, i);
	/* Nothing that announces the change goes before it. */
	atomic_thread_fence(memory_order_seq_cst);
}

void
answers_forget_all(struct answers *a)
{
	for (uint64_t b = 0; b < a->table->n_buckets; b++)
		for (unsigned int i = 0; i < WAYS; i++)
			if (atomic_load_explicit(&bucket_at(a->table,
			    b)->tags[i], memory_order_relaxed) != 0)
				empty_slot(a, b, i);
	atomic_thread_fence(memory_order_seq_cst);
}

void
answers_each_older(struct answers *a, size_t n, int64_t due,
    bool (*fn)(struct bytes, void *), void *arg)
{
	size_t all = (size_t)a->table->n_buckets * WAYS;

	for (n = n < all ? n : all; n > 0; n--) {
		uint64_t bucket = a->walked / WAYS;
		unsigned int way = (unsigned int)(a->walked % WAYS);
		struct slot_content c;

		a->walked = (a->walked + 1) % all;
		if (atomic_load_explicit(&bucket_at(a->table, bucket)->
		    tags[way], memory_order_relaxed) == 0 ||
		    !read_slot(slot_at(a->table, bucket, way), &c) ||
		    !facts_are_sane(&c.facts) || c.facts.this_update >= due)
			continue;
		if (!fn(content_cert_id(&c), arg))
			return;
	}
}

/* --- the front's side ------------------------------------ */

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
	v->table = map;
	if (v->table->magic != MAGIC || v->table->n_buckets == 0 ||
	    v->table->n_buckets > (UINT64_C(1) << 32) ||
	    (v->table->n_buckets & (v->table->n_buckets - 1)) != 0 ||
	    table_size(v->table->n_buckets) != v->size)
		return err_set(err, ERR_FAULT, "this is no table of answers");
	*out = TAKE(v);
	return 0;
}

void
answers_close(struct answers_view *v)
{
	if (v == NULL)
		return;
	if (v->table != NULL)
		munmap((void *)(uintptr_t)v->table, v->size);
	free(v);
}

bool
answers_alive(const struct answers_view *v, int64_t ms)
{
	uint64_t beat = atomic_load_explicit(&v->table->beat,
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
    struct bytes serial, int64_t now, struct held_answer *out, uint8_t *octets)
{
	const struct table *t = v->table;
	uint64_t bucket = bucket_of(t, serial), tag = tag_of(t, cert_id);
	struct bucket *b = bucket_at(t, bucket);

	for (unsigned int i = 0; i < WAYS; i++) {
		struct slot_content c;

		/* Only a hint: the CertID below decides. */
		if (atomic_load_explicit(&b->tags[i],
		    memory_order_acquire) != tag)
			continue;
		if (!read_slot(slot_at(t, bucket, i), &c) ||
		    !facts_are_sane(&c.facts) ||
		    !bytes_equal(content_cert_id(&c), cert_id) ||
		    c.facts.next_update <= now)
			continue;
		memcpy(octets, c.part, c.facts.part_len);
		out->len = c.facts.part_len + copy_tail(t, c.facts.tail,
		    octets + c.facts.part_len);
		out->this_update = c.facts.this_update;
		out->next_update = c.facts.next_update;
		memcpy(out->digest, c.facts.digest, 32);
		return true;
	}
	return false;
}
