#ifndef CSRMAILD_ACTS_PRIVATE_H
#define CSRMAILD_ACTS_PRIVATE_H

#include "csrmaild/acts.h"

struct key_check;
struct request_row;

/*
 * What acts.c and acts_renew.c share: a request that an administrator
 * approves by asking for it.
 */
struct asking {
	const char	*ca;		/* as it is said: authority_meant */
	const char	*profile;
	int64_t		 validity_s;	/* 0: the profile's */
	const char	*who;
	time_t		 now;
	const char	*rule;
	const char	*why;		/* for the audit trail */
	/* A renewal: the request of the one before (NULL: none); the id of
	 * that certificate; struct renewal has the others. */
	const struct request_row *from;
	int64_t		 renews;
	bool		 no_mail, revoke_old;
};

/* What holds for administrators too: profile, blocked keys, keys of CAs. key
 * also tells of a shared prime, when it is refused. */
int	acts_check_request(struct registrar *, const struct candidate *,
	    const char *profile, int64_t validity_s, time_t now,
	    struct key_check *key, struct err *);
/* Inside the transaction; registrar.approvals is the caller's to set after
 * the commit. */
int	acts_add_request(struct registrar *, const struct candidate *,
	    const struct asking *, int64_t *request, struct err *);

#endif
