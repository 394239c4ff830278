#ifndef OCSPD_ANSWERS_PRIVATE_H
#define OCSPD_ANSWERS_PRIVATE_H

#include "ocspd/answers.h"

#include <stdatomic.h>

/*
 * How the table of answers lies in memory, for the files of ocspd/answers.h
 * and nobody else: buckets that say where answers are, slots with a sequence
 * lock, tails.
 *
 * There are three to six ways in buckets for each slot, so that hardly a bucket
 * is ever full, and slots are used one behind the other: n answers need memory
 * for n slots, wherever their serials fall.
 */
#define MAGIC		UINT64_C(0x6f637370642d3033)
#define WAYS		8		/* answers whose serials may collide */
#define TAILS		512
#define TAIL_WORDS	512

typedef _Atomic uint64_t word;

/* What a slot says beside the octets; copied as a whole. */
struct slot_facts {
	int64_t		this_update, next_update;
	uint8_t		digest[32];
	uint16_t	part_len;	/* 0: nothing is held here */
	uint16_t	tail;		/* which */
	uint16_t	id_at[ANSWER_MAX_IDS];	/* CertIDs within the part */
	uint16_t	id_len[ANSWER_MAX_IDS];	/* 0: no second one */
	uint8_t		signature, is_default;
	uint8_t		unused[2];
};
#define FACT_WORDS	8
_Static_assert(sizeof(struct slot_facts) == FACT_WORDS * 8, "whole words");
#define PART_WORDS	(ANSWER_MAX_PART / 8)
struct slot_content {
	struct slot_facts facts;
	uint8_t		part[ANSWER_MAX_PART];
};

/* As long as the longest part of this table wants: shape.slot_words. */
struct slot {
	word		sequence;	/* odd: being written */
	word		content[];
};
struct tail {
	word		len;
	word		octets[TAIL_WORDS - 1];
};
/* One cache line. 0: nothing; else a tag, which saves looking into other
 * slots, above the number of the slot plus 1. */
struct bucket {
	word		ways[WAYS];
};
#define WAYS_A_SLOT	3
struct table {
	uint64_t	magic;
	uint64_t	n_buckets;	/* a power of two */
	uint64_t	seed;
	word		beat;		/* monotonic, ms */
	uint64_t	slot_words;
	uint64_t	n_slots;
	uint64_t	reserved[2];
	struct tail	tails[TAILS];
	/* then n_buckets buckets, then n_slots slots */
};
/* A table as it was when it was checked: what a reader believes of it. */
struct shape {
	struct table	*table;
	uint64_t	 n_buckets, n_slots, seed;
	size_t		 slot_words;
};
#define SLOTS_MAX	(UINT64_C(1) << 28)

size_t	answers_table_size(uint64_t n_buckets, uint64_t n_slots,
	    uint64_t slot_words);
struct bucket *answers_bucket_at(const struct shape *, uint64_t n);
/* n below n_slots. */
struct slot *answers_slot_at(const struct shape *, uint64_t n);
/* What stands in a way for an answer in that slot, and back: false when it is
 * nothing, or beyond the table. */
uint64_t answers_way(uint32_t tag, uint64_t slot);
bool	answers_way_slot(const struct shape *, uint64_t way, uint64_t *slot);
/* Octets that a slot's part can have. */
size_t	answers_max_part(const struct shape *);

/* Not cryptographic, but seeded: who asks cannot choose which bucket is
 * crowded without knowing the seed, and what is held are serials of ours. */
uint64_t answers_hash(uint64_t seed, struct bytes);
uint64_t answers_bucket_of(const struct shape *, struct bytes serial);
/* By the serial, which is that of all CertIDs of an answer. */
uint32_t answers_tag_of(const struct shape *, struct bytes serial);

/* The writer's half of the sequence lock. */
void	answers_write_slot(struct slot *, const struct slot_content *);
/* The reader's half: false when it was being written each time, or when the
 * slot holds nothing that makes sense. */
bool	answers_read_slot(const struct shape *, struct slot *,
	    struct slot_content *out);
/* i below ANSWER_MAX_IDS; empty when it has no second one. */
struct bytes answers_content_id(const struct slot_content *, size_t i);
bool	answers_content_has(const struct slot_content *, struct bytes cert_id);
bool	answers_find_slot(const struct shape *, struct bytes cert_id,
	    struct bytes serial, enum signature_alg, int64_t now,
	    struct slot_content *out);

#endif
