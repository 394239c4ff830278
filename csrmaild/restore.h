#ifndef CSRMAILD_RESTORE_H
#define CSRMAILD_RESTORE_H

#include "csrmaild/crl_read.h"
#include "csrmaild/journal.h"

#include <openssl/x509.h>

#include <stdint.h>
#include <time.h>

struct err;
struct store;

/*
 * An old store learns what happened after it: from the CRLs that were
 * published, and from the signer's journal. Only what makes it know more, and
 * never what would make a revoked certificate good: a hold is lifted only when
 * the journal or a delta CRL says so, and not before it began.
 *
 * CRLs first, the journal after them: it says what was lifted since. All in
 * the caller's transaction.
 */
struct restore_counts {
	uint64_t	issued;		/* certificates of the journal */
	uint64_t	requests;	/* of these, with their request */
	uint64_t	revoked;
	uint64_t	released;	/* holds that were lifted */
	uint64_t	abandoned;	/* reserved serials */
	uint64_t	serials;	/* revoked ones without a certificate */
	uint64_t	odd;		/* what contradicts: left as it is */
};

struct restore_ca {
	int64_t		 id;
	char		 name[64];	/* CA_NAME_MAX and a NUL */
	struct buf	 der;		/* its certificate, owned */
	time_t		 not_after;
	struct crl_terms last;		/* CRL with the highest number seen */
};

int	restore_merge_crl(struct store *, struct restore_ca *,
	    const struct crl_read *, struct restore_counts *, struct err *);
int	restore_merge_journal(struct store *, struct restore_ca *,
	    struct journal *, struct restore_counts *, struct err *);
/* Serials that were drawn and not yet signed. Without the newest journal
 * nobody knows whether they were, after the backup: none is used. */
int	restore_abandon_reserved(struct store *, const struct restore_ca *,
	    struct restore_counts *, struct err *);
/* The next CRL gets a number above all that were seen. */
int	restore_crl_number(struct store *, const struct restore_ca *,
	    struct err *);

#endif
