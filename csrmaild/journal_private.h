#ifndef CSRMAILD_JOURNAL_PRIVATE_H
#define CSRMAILD_JOURNAL_PRIVATE_H

#include "common/bytes.h"
#include "csrmaild/journal.h"
#include "csrmaild/journal_index.h"

/*
 * What the files of a journal share: journal.c (what the signer says and
 * asks), journal_file.c (groups of records on the disk) and journal_record.c.
 */
#define JOURNAL_GROUP_HEAD	8
#define JOURNAL_GROUP_TAIL	32
#define JOURNAL_GROUP_MAX	(4u << 20)
#define JOURNAL_GROUP_SIZE						\
	(JOURNAL_GROUP_HEAD + JOURNAL_GROUP_MAX + JOURNAL_GROUP_TAIL)

struct journal {
	int		 fd;
	char		 ca[64];
	uint64_t	 end;		/* octets of the file that are whole */
	uint8_t		 digest[32];	/* of its last group */
	struct buf	 group;		/* its head, then records */
	struct journal_index index;	/* certificates, by serial */
	struct journal_index blocked;	/* keys, by digest: the record that
					 * blocks one, or revokes its
					 * certificate for a compromise */
	struct crl_terms last_crl;	/* with what waits in the group */
	struct crl_terms synced_crl;	/* on disk */
	struct buf	 record;	/* the last one read back */
	bool		 broken;
};

/*
 * The records of a journal as octets. The format grows at its end: a new
 * kind, or fields behind those of a kind, so that what is old is still read.
 */
enum journal_kind {
	JOURNAL_HEADER = 1,
	JOURNAL_ISSUED,
	JOURNAL_REVOKED,
	JOURNAL_CRL,
	JOURNAL_BLOCKED,
};

/* The members of its kind only; views borrow the octets. */
struct journal_record {
	enum journal_kind	 kind;
	char			 ca[64];	/* of the header */
	struct journal_issued	 issued;
	struct crl_entry	 revoked;
	struct crl_terms	 crl;
	struct journal_blocked	 blocked;
};

/* Without the length in front. */
void	put_journal_record(struct buf *, const struct journal_record *);
/* -1: it is none. */
int	journal_record_decode(struct bytes, struct journal_record *out);

/* --- journal_file.c --- */
/* Into the group in memory; *at is where in the file it will be. */
int	journal_add_record(struct journal *, const struct journal_record *,
	    uint64_t *at, struct err *);
/* An empty group in memory: what was in it is forgotten. */
void	journal_start_group(struct journal *);
/* The record at `at`: in the file, or still in the group. Its views are good
 * until the next call. */
int	journal_read_record(struct journal *, uint64_t at,
	    struct journal_record *, struct err *);
/* -1, with the sentence that says where. */
int	journal_damaged(const struct journal *, uint64_t at, struct err *);

/* Called for each record of a whole group, at its place in the file. */
typedef int journal_record_fn(struct journal *, const struct journal_record *,
	    uint64_t at, void *, struct err *);
/* All whole groups; *end and digest say how far that went. */
int	journal_scan(struct journal *, uint64_t size, journal_record_fn *,
	    void *, uint64_t *end, uint8_t digest[32], struct err *);

#endif
