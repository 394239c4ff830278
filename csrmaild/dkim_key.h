#ifndef CSRMAILD_DKIM_KEY_H
#define CSRMAILD_DKIM_KEY_H

#include "common/bytes.h"
#include "common/owned.h"

#include <stddef.h>
#include <stdint.h>

struct err;

/*
 * DKIM keys from the DNS (RFC 6376, 3.6.2), by c-ares, over UDP and, where an
 * answer is cut, TCP. Knows the text of a record and nothing of what it means.
 * DNSSEC is the resolver's: whoever can forge its answers can forge keys.
 *
 * Answers are kept for a minute, whatever their TTL, so that mails that come
 * together cost one question. A question without an answer is not asked again
 * for half a minute, then for twice as long each time up to four.
 */
struct dkim_keys;

/* resolver: "ADDRESS", "ADDRESS:PORT" or "[ADDRESS]:PORT"; "" for those of
 * /etc/resolv.conf, which is read at each round of questions. */
int	dkim_keys_new(const char *resolver, struct dkim_keys **out,
	    struct err *);
void	dkim_keys_free(struct dkim_keys *);
OWNED_STRUCT_BY(dkim_keys, dkim_keys_free)

/* Is it of one of these forms? For the one who reads the configuration. */
int	dkim_keys_check_resolver(const char *);

/*
 * Ask for all of these names that are not known, and wait, some seconds
 * at most; less when one of the descriptors stop[0], stop[1] (-1: none) can be
 * read. now_ms is clock_monotonic_ms().
 */
#define DKIM_KEYS_WAIT_MS	5000
#define DKIM_KEYS_MAX_NAMES	250	/* of one round; the rest come later */
void	dkim_keys_ask(struct dkim_keys *, const char *const *names, size_t n,
	    const int stop[2], int64_t now_ms);

enum dkim_key {
	DKIM_KEY_FOUND = 1,	/* record: one TXT record's text, borrowed until
				 * the next round */
	DKIM_KEY_NONE,		/* no such name, no TXT, more than one TXT, or
				 * one that is too long */
	DKIM_KEY_LATER,		/* no answer, or the server failed; retry_ms
				 * says when it will be asked again */
};
enum dkim_key dkim_keys_get(const struct dkim_keys *, const char *name,
	    struct bytes *record, int64_t *retry_ms);

#endif
