#ifndef CSRMAILD_POLICY_H
#define CSRMAILD_POLICY_H

#include "common/bytes.h"
#include "common/key.h"
#include "common/names.h"
#include "common/owned.h"

#include <stdbool.h>
#include <stdint.h>

struct err;

/*
 * Rule sets: who may have what. One file per set under policies/rules, rules
 * in order, the first match decides. No clock, no store: what a rule may look
 * at is in struct petition.
 *
 *	rule "staff" {
 *		mailbox  = { "users" }
 *		sender   = { "*@example.org" }
 *		evidence = { "auth", "dkim" }	any one of these
 *		dns      = { "*.example.org" }	every SAN must match its kind's
 *		email    = { "@sender" }	list; a kind without a list
 *		cn       = { "@sender", ... }	matches nothing
 *		profile  = "user"		else the mailbox's
 *		days     = 365			else the profile's
 *		action   = sign | hold | reject
 *		text     = "for the answer"
 *	}
 *
 * A rule that signs must name evidence; a set that does not say what happens
 * otherwise holds. Patterns: "*" stands for any run of octets within the
 * labels it covers (label boundaries in DNS names), "@sender" for the From
 * mailbox, "@sender-domain" for its domain.
 */
enum action {
	ACTION_SIGN = 1,
	ACTION_HOLD,
	ACTION_REJECT,
};

/* One request as policy sees it. Borrowed. */
struct petition {
	const char	*mailbox;
	const char	*sender;	/* From mailbox, "" unknown */
	uint8_t		 evidence;	/* set of enum evidence (wire.h) */
	bool		 forwarded;	/* found in a forwarded mail: b3 */
	const struct names *names;
	const struct key_facts *key;
};

struct verdict {
	enum action	 action;
	char		 rule[64];	/* title of the rule; "default" */
	char		 text[256];
	char		 profile[64];	/* "" for the mailbox's */
	int64_t		 validity_s;	/* 0 for the profile's */
};

struct rules;
int	rules_parse(const char *name, const char *path, struct bytes text,
	    struct rules **out, struct err *);
void	rules_free(struct rules *);
OWNED_STRUCT_BY(rules, rules_free)
const char *rules_name(const struct rules *);

/* Always decides. `why`, when not NULL, gets one line for each rule looked
 * at: its title and what did not match ("csrmail policy test"). */
void	policy_decide(const struct rules *, const struct petition *,
	    struct verdict *, struct buf *why);

#endif
