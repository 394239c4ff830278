#include "ocspd/answers_private.h"

#include <string.h>

#define READ_TRIES	8

size_t
answers_table_size(uint64_t n_buckets, uint64_t n_slots, uint64_t slot_words)
{
	return sizeof(struct table) +
	    (size_t)n_buckets * sizeof(struct bucket) +
	    (size_t)n_slots * (size_t)slot_words * sizeof(word);
}

struct bucket *
answers_bucket_at(const struct shape *t, uint64_t n)
{
	return (struct bucket *)(t->table + 1) + n;
}

struct slot *
answers_slot_at(const struct shape *t, uint64_t n)
{
	return (struct slot *)(void *)((word *)(void *)answers_bucket_at(t,
	    t->n_buckets) + n * t->slot_words);
}

uint64_t
answers_way(uint32_t tag, uint64_t slot)
{
	return (uint64_t)tag << 32 | (slot + 1);
}

bool
answers_way_slot(const struct shape *t, uint64_t way, uint64_t *slot)
{
	uint64_t n = way & UINT32_MAX;

	if (n == 0 || n > t->n_slots)
		return false;
	*slot = n - 1;
	return true;
}

size_t
answers_max_part(const struct shape *t)
{
	return (t->slot_words - 1 - FACT_WORDS) * sizeof(word);
}

uint64_t
answers_hash(uint64_t seed, struct bytes v)
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

uint64_t
answers_bucket_of(const struct shape *t, struct bytes serial)
{
	return answers_hash(t->seed, serial) & (t->n_buckets - 1);
}

uint32_t
answers_tag_of(const struct shape *t, struct bytes serial)
{
	return (uint32_t)(answers_hash(~t->seed, serial) >> 32);
}

void
answers_write_slot(struct slot *s, const struct slot_content *content)
{
	size_t n = FACT_WORDS + (content->facts.part_len + 7u) / sizeof(word);
	uint64_t seq = atomic_load_explicit(&s->sequence,
	    memory_order_relaxed);
	uint64_t words[FACT_WORDS + PART_WORDS];

	memcpy(words, content, n * sizeof(word));
	atomic_store_explicit(&s->sequence, seq + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	for (size_t i = 0; i < n; i++)
		atomic_store_explicit(&s->content[i], words[i],
		    memory_order_relaxed);
	atomic_store_explicit(&s->sequence, seq + 2, memory_order_release);
}

static bool
facts_are_sane(const struct shape *t, const struct slot_facts *f)
{
	return f->part_len > 0 && f->part_len <= answers_max_part(t) &&
	    f->tail < TAILS && f->id_len[0] > 0 &&
	    (size_t)f->id_at[0] + f->id_len[0] <= f->part_len &&
	    (size_t)f->id_at[1] + f->id_len[1] <= f->part_len;
}

bool
answers_read_slot(const struct shape *t, struct slot *s,
    struct slot_content *out)
{
	uint64_t words[FACT_WORDS + PART_WORDS];

	for (int i = 0; i < READ_TRIES; i++) {
		uint64_t seq = atomic_load_explicit(&s->sequence,
		    memory_order_acquire);
		size_t n = FACT_WORDS;

		if ((seq & 1) != 0)
			continue;
		for (size_t w = 0; w < n; w++)
			words[w] = atomic_load_explicit(&s->content[w],
			    memory_order_relaxed);
		memcpy(&out->facts, words, sizeof(out->facts));
		/* Torn facts can say anything, but not read beyond a slot. */
		if (out->facts.part_len <= answers_max_part(t))
			n += (out->facts.part_len + 7u) / sizeof(word);
		for (size_t w = FACT_WORDS; w < n; w++)
			words[w] = atomic_load_explicit(&s->content[w],
			    memory_order_relaxed);
		atomic_thread_fence(memory_order_acquire);
		if (atomic_load_explicit(&s->sequence,
		    memory_order_relaxed) != seq)
			continue;
		memcpy(out->part, words + FACT_WORDS,
		    (n - FACT_WORDS) * sizeof(word));
		return facts_are_sane(t, &out->facts);
	}
	return false;
}

struct bytes
answers_content_id(const struct slot_content *c, size_t i)
{
	return (struct bytes){ c->part + c->facts.id_at[i],
	    c->facts.id_len[i] };
}

bool
answers_content_has(const struct slot_content *c, struct bytes cert_id)
{
	return bytes_equal(answers_content_id(c, 0), cert_id) ||
	    bytes_equal(answers_content_id(c, 1), cert_id);
}

static bool
is_signed_by(const struct slot_content *c, enum signature_alg wanted)
{
	return wanted == SIGNATURE_ANY ? c->facts.is_default :
	    c->facts.signature == wanted;
}

bool
answers_find_slot(const struct shape *t, struct bytes cert_id,
    struct bytes serial, enum signature_alg signature, int64_t now,
    struct slot_content *out)
{
	struct bucket *b = answers_bucket_at(t, answers_bucket_of(t, serial));
	uint32_t tag = answers_tag_of(t, serial);
	uint64_t way, slot;

	/* The tag is only a hint: the CertID decides, also when the slot has
	 * got another answer meanwhile. */
	for (unsigned int i = 0; i < WAYS; i++)
		if ((way = atomic_load_explicit(&b->ways[i],
		    memory_order_acquire)) >> 32 == tag &&
		    answers_way_slot(t, way, &slot) &&
		    answers_read_slot(t, answers_slot_at(t, slot), out) &&
		    answers_content_has(out, cert_id) &&
		    is_signed_by(out, signature) &&
		    out->facts.next_update > now)
			return true;
	return false;
}
