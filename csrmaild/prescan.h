#ifndef CSRMAILD_PRESCAN_H
#define CSRMAILD_PRESCAN_H

#include "common/bytes.h"

#include <stddef.h>

struct err;

/*
 * A look at a mail's octets before any MIME library sees them.
 *
 * libetpan writes out of bounds on a quoted quote as boundary, overflows its
 * stack on deep comments and nested messages, and needs quadratic time for
 * nested multiparts. So the structure is walked here first: linear in the
 * octets, recursion no deeper than max_depth, no copy, nothing decoded. What
 * is too big, too deep, or readable in two ways is refused with ERR_REJECT
 * and a reason that can be mailed.
 *
 * It finds no CSR and repairs nothing; csrmaild/message.h does the reading,
 * and compares what the library made of the mail with the count from here.
 */
struct prescan_limits {
	size_t		max_octets;	/* the whole message */
	size_t		max_header_octets;	/* of each entity (RFC 2045,
						 * 2.4) */
	unsigned int	max_parts;	/* entities of every kind; the message
					 * itself is the first */
	unsigned int	max_depth;	/* multiparts and messages around an
					 * entity; at most 32 counts */
};

/*
 * n_entities	the message, the parts of its multiparts, and the messages in
 *		message/rfc822 parts.
 */
int	prescan_message(struct bytes message, const struct prescan_limits *,
	    unsigned int *n_entities, struct err *);

#endif
