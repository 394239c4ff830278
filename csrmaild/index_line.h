#ifndef CSRMAILD_INDEX_LINE_H
#define CSRMAILD_INDEX_LINE_H

#include "common/bytes.h"
#include "csrmaild/import_child.h"

#include <stdint.h>

/*
 * One line of an `openssl ca` database (index.txt), both ways:
 *
 *	state TAB notAfter TAB revocation TAB serial TAB file TAB subject
 *
 * state is V, R or E. revocation is empty unless R: a date, and behind commas
 * a reason and what belongs to it (an OID or a date). A tab within a field
 * has a backslash in front.
 */
#define INDEX_LINE_MAX	8192

/* What was odd about a line that could be read. */
enum index_oddity {
	INDEX_REASON_UNKNOWN	= 1 << 0,	/* taken as unspecified */
	INDEX_NO_END		= 1 << 1,	/* notAfter cannot be read: 0 */
	INDEX_NO_DATE		= 1 << 2,	/* revoked, and nobody can tell
						 * when: revoked_at is 0 */
};

/*
 * line: without its end. 0 and an entry without a certificate; 1: cannot be
 * read, why (160 octets) says what, and of the entry only the state is set:
 * revoked unless V or E clearly stands there; 2: nothing stands there (empty, a
 * comment); 3: cannot be read, and has a serial that may be a revoked one: the
 * entry is revoked, with the date where that can be read, and why is set.
 */
int	index_line_read(struct bytes line, struct import_entry *out,
	    unsigned int *oddities, char why[160]);
/*
 * With its end. A reason that OpenSSL has no word for is left out; so is an
 * invalidity date unless the key was compromised.
 */
int	index_line_write(const struct import_entry *, struct buf *out);

#endif
