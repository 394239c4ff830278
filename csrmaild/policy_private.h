#ifndef CSRMAILD_POLICY_PRIVATE_H
#define CSRMAILD_POLICY_PRIVATE_H

#include "csrmaild/policy.h"

#include <stddef.h>

/*
 * A rule set in memory: policy_read.c makes it, policy.c decides by it.
 */

/* What a rule lists. The first three are about the mail, the others names. */
enum list {
	LIST_MAILBOX,
	LIST_DETAIL,
	LIST_SENDER,
	LIST_DNS,
	LIST_WILDCARD,
	LIST_EMAIL,
	LIST_IP,
	LIST_URI,
	LIST_CN,
	LIST_SUBJECT,
	N_LISTS
};
#define FIRST_NAME_LIST	LIST_DNS

struct patterns {
	char		**texts;	/* owned */
	size_t		  n;
};

struct rule {
	char		 title[64];
	bool		 revocation;	/* else for certificates */
	struct patterns	 lists[N_LISTS];
	bool		 lists_names;	/* one of those for names */
	uint8_t		 evidence;	/* any of these; 0: not asked */
	enum action	 action;
	char		 text[256];
	/* Certificates. */
	char		 challenge_file[256];	/* "": not asked */
	struct bytes	 secrets;	/* borrowed: what main read there */
	char		 profile[64];
	int64_t		 validity_s;
	/* Revocations. */
	bool		 own;		/* the certificate's key has signed */
	uint16_t	 reasons;	/* set of 1 << enum crl_reason; 0: not
					 * asked */
};

struct rules {
	char		 name[64];
	struct rule	*rules;		/* owned */
	size_t		 n;
};

/* Of the patterns in a list: enum pattern_kind (policy_match.h); 0: words that
 * are compared as they are. */
int	list_kind(enum list);

#endif
