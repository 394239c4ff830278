#ifndef CSRMAILD_CTL_CA_PLAN_H
#define CSRMAILD_CTL_CA_PLAN_H

#include "common/constraints.h"
#include "common/key.h"
#include "common/names.h"

#include <stdint.h>

struct ctl;
struct err;

/*
 * What a new CA shall be. Each thing is said by the first of these that says
 * it:
 *
 *	an option		--subject, --days, --key-type, --path-len,
 *				--permit, --exclude, --policies
 *	the template		the file of --template, with the same words
 *				(docs/examples/ca-template.conf)
 *	for a child, the profile sub-ca, which also bounds days and keys
 *	defaults		a root: 20 years, P-384, no path length;
 *				a child: 10 years, P-256, path length 0
 */
enum ca_kind {
	CA_ROOT = 1,
	CA_CHILD,
};
struct ca_plan {
	struct names	 subject;	/* owned */
	int64_t		 validity_s;
	enum key_kind	 key_kind;
	unsigned int	 key_bits;	/* RSA only */
	int		 path_len;	/* -1: no limit */
	NAME_CONSTRAINTS *constraints;	/* owned; NULL: none */
	char		 policies[512];	/* OIDs, comma-separated; "" none */
};
/* Reads ctl's options; EX_USAGE, EX_NOINPUT or EX_CONFIG with what is wrong.
 * An option that the command does not have is not there. */
int	ca_plan_read(struct ctl *, enum ca_kind, struct ca_plan *,
	    struct err *);
void	ca_plan_free(struct ca_plan *);

#endif
