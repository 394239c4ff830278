#ifndef CSRMAILD_POLICY_MATCH_H
#define CSRMAILD_POLICY_MATCH_H

#include <stdbool.h>

/*
 * The patterns of rule sets: csrmaild/policy.h says what they mean. Names
 * have been checked by common/names.h; patterns by pattern_check, when the
 * rules are read.
 */
enum pattern_kind {
	PATTERN_DNS = 1,
	PATTERN_WILDCARD,	/* what follows "*." in the requested name */
	PATTERN_EMAIL,
	PATTERN_SENDER,		/* as EMAIL, but without "@sender" */
	PATTERN_IP,
	PATTERN_URI,
	PATTERN_CN,
	PATTERN_SUBJECT,	/* "O=Example*": other attributes */
};

/* NULL, or what is wrong with the pattern. */
const char *pattern_check(enum pattern_kind, const char *pattern);
/*
 * Does the pattern cover the text? sender is the From mailbox, "" when it is
 * unknown, and then "@sender" covers nothing. "@san" is the caller's.
 */
bool	pattern_matches(enum pattern_kind, const char *pattern,
	    const char *text, const char *sender);

#endif
