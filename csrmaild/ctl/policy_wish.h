#ifndef CSRMAILD_CTL_POLICY_WISH_H
#define CSRMAILD_CTL_POLICY_WISH_H

#include <jansson.h>

#include <stdbool.h>
#include <stdint.h>

struct ctl;
struct mailbox_settings;
struct rules;
struct wish;

/*
 * `csrmail policy test`: what the rules say of a revocation that a mail asks
 * for, once if it is signed with the certificate's own key, and once if not.
 * Which it is, and the names of that certificate, only csrmaild knows: they
 * count as not known.
 */
struct wish_asked {
	const struct mailbox_settings *mailbox;
	const struct rules *rules;
	const char	*from, *detail;
	uint8_t		 evidence;
	bool		 sound;		/* its signature is good */
};
/* Owned. */
json_t	*policy_wish_judge(const struct wish_asked *, const struct wish *);
/* What that returned, for people; n: the how manyth. */
void	policy_wish_print(const struct ctl *, const json_t *, size_t n);

#endif
