#ifndef CSRMAILD_CARRY_PRIVATE_H
#define CSRMAILD_CARRY_PRIVATE_H

#include "csrmaild/carry.h"

struct dkim_result;

/* What csrmaild/carry.c and carry_dkim.c share: the steps of a batch that have
 * to do with DKIM. */

/*
 * Once a batch's headers are scanned. Fills each arrival's dkim_keys with the
 * question for the fork, or leaves it empty; sets stays where the mail is to
 * stay. now_ms is clock_monotonic_ms().
 */
int	carry_dkim_fetch(struct carrier *, uint32_t uid_validity,
	    struct arrival *, size_t n, int64_t now_ms, struct err *);

/* The fork's answer; NULL: it died. */
void	carry_dkim_take(const struct carrier *, struct arrival *,
	    const struct dkim_result *);

#endif
