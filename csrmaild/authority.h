#ifndef CSRMAILD_AUTHORITY_H
#define CSRMAILD_AUTHORITY_H

#include "common/issue.h"

#include <openssl/x509.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct ca_settings;
struct err;
struct settings;
struct store;

/*
 * The CAs on record, as the registrar keeps them in memory: names, public
 * certificates, chains, and what the signer says of their keys. No key.
 */
#define AUTHORITIES_MAX	64
#define CHAIN_MAX	8

struct authority {
	int64_t		 id;
	char		 name[CA_NAME_MAX + 1];
	char		 parent[CA_NAME_MAX + 1];
	X509		*cert;		/* owned */
	uint8_t		 key_sha1[20];
	time_t		 not_before, not_after;
	const struct ca_settings *settings;	/* NULL: it does not sign here */

	bool		 key_open;
	char		 key_text[256];	/* why not */

	uint64_t	 crl_number;	/* last one reserved */
	time_t		 crl_this_update, crl_next_update;
	uint64_t	 crl_change;	/* what it covers, at start */
	bool		 crl_wanted;	/* a revocation, or a person's wish */
	time_t		 crl_not_before;	/* back-off after a failure */
};

struct authorities {
	struct authority rows[AUTHORITIES_MAX];
	size_t		 n;
};

int	authorities_load(struct authorities *, struct store *,
	    const struct settings *, struct err *);
void	authorities_free_contents(struct authorities *);
struct authority *authority_by_name(struct authorities *, const char *);
/* Which of a CA's generations (common/ca.h) signs now: the newest that has
 * begun and not ended; the newest of all when there is none. NULL: unknown. */
struct authority *authority_current(struct authorities *, const char *family,
	    time_t now);
struct authority *authority_by_id(struct authorities *, int64_t id);
/* Issuer first, root last; borrowed. Ends at a parent that is not on record,
 * or after CHAIN_MAX. Returns how many. */
size_t	authority_chain(struct authorities *, struct authority *,
	    X509 *chain[CHAIN_MAX]);
/* Is this the key of one of our CAs? */
bool	authorities_have_key(const struct authorities *,
	    const uint8_t key_sha1[20]);

#endif
