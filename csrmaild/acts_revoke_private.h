#ifndef CSRMAILD_ACTS_REVOKE_PRIVATE_H
#define CSRMAILD_ACTS_REVOKE_PRIVATE_H

#include "csrmaild/acts.h"

#include "common/err.h"
#include "common/serial.h"
#include "common/store.h"

/*
 * What acts_revoke*.c share: certificates that are gathered in a batch and
 * revoked in one transaction.
 */
#define ACTS_BATCH	200	/* certificates a transaction, and their
				 * siblings */
#define ACTS_MAX_BATCH	10000

/* How everything of one call is revoked. */
struct revoking {
	enum crl_reason	 reason;
	time_t		 invalidity;
	const char	*who;
	time_t		 now;
	bool		 key_is_lost;	/* with cACompromise too: all that has
					 * the key ends, and it is blocked */
	/* NULL, or what is written in the same transaction; not done at all
	 * when the first of the batch cannot be revoked. */
	int		(*also)(struct registrar *, void *, struct err *);
	void		*arg;
	/* This mailbox hears of it by another mail; NULL: none does. */
	const char	*answered;
};

/* One that is to be revoked, copied out of the store. */
struct target {
	int64_t		 ca_id, request;
	struct serial	 serial;
	char		 names[512];
	bool		 has_mail;	/* somebody is to be told */
	bool		 has_key;
	uint8_t		 spki_sha256[32];
	struct status_row status;	/* afterwards */
	bool		 blocked;	/* the key, with it */
	bool		 done;
};

struct batch {
	struct registrar *registrar;
	const char	*match;		/* NULL: all */
	bool		 cas_too;
	enum crl_reason	 reason;
	struct target	*items;		/* owned */
	size_t		 n, size;
	int64_t		 last;		/* row seen */
	size_t		 n_seen;
	bool		 full;
};

/* --- csrmaild/acts_revoke.c --- */
/* What it holds, not the batch itself. */
void	acts_batch_free(struct batch *);
/* Is the row to be revoked: in force, or on hold and not to be put on hold
 * once more; matched; a CA's only with cas_too? */
bool	acts_batch_wants(const struct batch *, const struct cert_row *);
/* For store_each_certificate; arg: the batch. Takes those that it wants. Stops
 * with full set when there is no room for more. */
int	acts_batch_add(const struct cert_row *, void *arg);
/*
 * All of the batch in one transaction, and with a compromise all that has one
 * of its keys. What is not in force any more is passed over. n goes up by how
 * many are revoked. CRLs, the journal and the signer are told after the commit.
 */
int	acts_revoke_batch(struct registrar *, struct batch *,
	    const struct revoking *, unsigned int *n, struct err *);
/* Its two halves: what the caller's transaction does, */
int	acts_revoke_inside(struct registrar *, struct batch *,
	    const struct revoking *, struct err *);
/* and what others are told after its commit. */
void	acts_revoke_note(struct registrar *, const struct target *, size_t n);

/* --- csrmaild/acts_revoke_many.c --- */
/* What the filter and the pattern find, batch by batch. n goes up, also when
 * it fails half-way. */
int	acts_revoke_filtered(struct registrar *, const struct cert_filter *,
	    const char *match, bool cas_too, const struct revoking *,
	    unsigned int *n, struct err *);

#endif
