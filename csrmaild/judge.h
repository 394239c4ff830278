#ifndef CSRMAILD_JUDGE_H
#define CSRMAILD_JUDGE_H

#include "csrmaild/policy.h"
#include "csrmaild/wire.h"

#include <stdint.h>

struct err;
struct mailbox_settings;
struct registrar;

/*
 * What becomes of one request: first the word of the rules (csrmaild/policy.h),
 * then what no rule can allow (the profile, a key that another has, a sender
 * that nothing vouches for). Writes nothing.
 */
struct plea {
	const struct mailbox_settings *mailbox;
	const char	*principal;	/* who asks, as on record */
	const char	*sender;	/* From mailbox; "": unknown */
	uint8_t		 evidence;	/* set of enum evidence */
	const char	*detail;	/* ca+DETAIL@; "" */
};
/* Always decides; v->profile is set. -1 is a fault of ours. */
int	judge_request(struct registrar *, const struct plea *,
	    const struct candidate *, struct verdict *, struct err *);
void	judge_say(struct verdict *, enum action, const char *rule,
	    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

#endif
