#ifndef CSRMAILD_DKIM_FIELD_H
#define CSRMAILD_DKIM_FIELD_H

#include "common/bytes.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * DKIM-Signature fields as they stand (RFC 6376, 3.5). Says whose signature a
 * field claims to be, and nothing about whether it is good: that is
 * csrmaild/dkim_check.h. Strict and linear; a field that is not in the RFC's
 * grammar, or has a tag twice, is no signature.
 *
 * Intake reads them to know which keys to ask for, the fork that verifies to
 * know what the signature covers: the same reading in both.
 */
enum dkim_tag {
	DKIM_TAG_A, DKIM_TAG_B, DKIM_TAG_BH, DKIM_TAG_C, DKIM_TAG_D,
	DKIM_TAG_H, DKIM_TAG_I, DKIM_TAG_L, DKIM_TAG_Q, DKIM_TAG_S,
	DKIM_TAG_T, DKIM_TAG_V, DKIM_TAG_X,
	DKIM_N_TAGS,
};
struct dkim_tags {
	/* Without white space around them, with that inside; data is NULL for
	 * a tag that is not there. Borrowed. */
	struct bytes	 value[DKIM_N_TAGS];
};
/* body is a field's. Unknown tags are ignored (3.2). */
bool	dkim_tags_read(struct bytes body, struct dkim_tags *);

/* How many times does h= name this field, in any case? */
size_t	dkim_tags_count_signed(const struct dkim_tags *, struct bytes name);

#define DKIM_MAX_FIELDS		8	/* of a message are looked at */
#define DKIM_MAX_CANDIDATES	4	/* of them are worth a question */
#define DKIM_NAME_MAX		253	/* RFC 1035, 2.3.4 */

struct dkim_candidate {
	unsigned int	 nth;	/* of the DKIM-Signature fields, from 0 */
	char		 name[DKIM_NAME_MAX + 1];	/* where its key stands,
					 * s._domainkey.d (3.6.2.1), in lower
					 * case */
};
/*
 * The signatures that would vouch for this From mailbox if they were good: d=
 * aligned as in csrmaild/authres.h, d= and s= domain names of RFC 5321. In the
 * order of the header; out has DKIM_MAX_CANDIDATES places.
 */
size_t	dkim_candidates(struct bytes block, const char *from,
	    struct dkim_candidate *out);

struct field;
/* The nth DKIM-Signature field of the header block; false: there is none, or
 * it is doubtful. */
bool	dkim_field_find(struct bytes block, unsigned int nth, struct field *);

#endif
