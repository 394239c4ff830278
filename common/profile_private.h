#ifndef COMMON_PROFILE_PRIVATE_H
#define COMMON_PROFILE_PRIVATE_H

#include "common/config.h"
#include "common/profile.h"

/* What profile.c (a file's keys), profile_rules.c (what they say together) and
 * profile_check.c (a request held against them) share. Nobody else includes
 * this. */

/* Keys of all kinds, bits of profile.keys. */
#define PROFILE_ALL_KEYS	(1u << KEY_RSA | 1u << KEY_P256 | \
			1u << KEY_P384 | 1u << KEY_P521 | \
			1u << KEY_ED25519 | 1u << KEY_ED448)

/* One of the comma-separated words? */
bool	profile_has_word(const char *list, const char *word);

/* ExtendedKeyUsage (RFC 5280, 4.2.1.12): the purposes that have a name in a
 * profile, and the usages with which each is consistent. Ends with NULL. */
struct purpose {
	const char	*word;		/* OpenSSL's short name */
	uint32_t	 consistent;	/* KU_* */
};
extern const struct purpose profile_purposes[];

/* Does what the keys say together contradict an RFC? cfg is for the line. */
int	profile_check_rules(cfg_t *, const struct profile *, struct err *);

/* One line of a template: "TYPE=text". */
struct template_entry {
	int		 nid;
	struct bytes	 text;		/* borrowed */
};
/* The next one; false at the end. TYPE is unknown: nid is NID_undef. */
bool	profile_next_entry(const char **template, struct template_entry *);
/* The next piece of an entry's text: octets as they stand, or a {NAME}. -1: a
 * brace without its other. 0: the end. 1: octets. 2: a name. */
int	profile_next_piece(struct bytes *text, struct bytes *piece);

#endif
