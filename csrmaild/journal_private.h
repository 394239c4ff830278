#ifndef CSRMAILD_JOURNAL_PRIVATE_H
#define CSRMAILD_JOURNAL_PRIVATE_H

#include "common/bytes.h"
#include "csrmaild/journal.h"

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

#endif
