#ifndef CSRMAILD_DETAIL_H
#define CSRMAILD_DETAIL_H

#include <stdbool.h>

struct bytes;

/*
 * Subaddresses (RFC 5233): "server" in ca+server@example.org. The sender
 * chooses it, so it says what is wished, never who asks.
 */
#define DETAIL_MAX	63

/* In the raw text of a field with addresses: the first one that is `own` with
 * a detail. Letters of any case, digits, ".", "-" and "_"; out gets them in
 * lower case and holds DETAIL_MAX + 1 octets. */
bool	detail_find(struct bytes field, const char *own, char *out);

#endif
