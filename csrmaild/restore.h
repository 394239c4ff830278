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
/* --- restore_reach.c: whether the lists at hand are new enough ----------- */
/* The shard in the name of its distribution point (RFC 5280, 5.2.5), as we
 * write it: behind the CA's file name. 0: it has no such name; -1: another's. */
int	restore_shard_of(const char *point, const char *ca);

/* How far somebody has heard of the revocations of a shard, in numbers of
 * CRLs. 0: not at all. */
struct restore_reach {
	uint64_t	full;		/* the newest full one */
	uint64_t	any;		/* that, or a delta to it */
};
/* Of the CRLs with that issuer. In any order, each counts for its own shard; a
 * delta counts when a full one goes back to its base. */
struct restore_reach restore_reach_of(const struct crl_read *crls, size_t n,
	    size_t issuer, const char *ca, uint16_t shard);

/* The next CRL gets a number above all that were seen. */
int	restore_crl_number(struct store *, const struct restore_ca *,
	    struct err *);

#endif
