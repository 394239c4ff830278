#ifndef CSRMAILD_PART_H
#define CSRMAILD_PART_H

#include "common/bytes.h"

#include <stdbool.h>

struct err;
struct mailmime;

/*
 * One leaf of a mail (RFC 2045, 2.4): what it calls itself, and its octets
 * with the transfer encoding taken off.
 *
 * Opens no archive, fetches nothing, follows nothing. The file name is text
 * for people and for its ending, never a path.
 */
struct part {
	char		 type[64];	/* "application/pkcs10", lower case */
	char		 charset[32];	/* "" when not said */
	bool		 flowed, delsp;	/* text/plain of RFC 3676 */
	char		 name[128];	/* csrmaild/part_name.h */
	size_t		 octets;	/* as they came, encoded */
	struct buf	 body;		/* owned */
};

/* leaf: libetpan's, of kind MAILMIME_SINGLE; borrowed. max bounds the body.
 * ERR_REJECT when the encoding is broken (RFC 2045, 6.8: base64 strictly). */
int	part_read(const struct mailmime *leaf, size_t max, struct part *out,
	    struct err *);
void	part_free(struct part *);	/* what it holds; wiped first */
#define OWNED_PART __attribute__((cleanup(part_free))) struct part

bool	part_name_ends_in(const struct part *, const char *const *endings);

/*
 * The body as ASCII or UTF-8, for looking at lines: UTF-16 (by its byte order
 * mark, by charset, or by its looks) becomes ASCII with '?' for the rest; a
 * UTF-8 mark is left out; format=flowed is joined. Out borrows the body when
 * nothing has to change, else it is in room.
 */
struct bytes part_text(const struct part *, struct buf *room);

#endif
