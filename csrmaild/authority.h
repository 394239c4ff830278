#ifndef CSRMAILD_AUTHORITY_H
#define CSRMAILD_AUTHORITY_H

#include "common/crl.h"
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
#define CERTIFICATES_MAX 16	/* of one key */

/*
 * What one row of CRLs covers: one shard, or (shard 0) everything that the CA
 * issued, which those certificates need that name no shard.
 */
struct crl_scope {
	uint16_t	 shard;
	/* The last ones reserved; number 0: none. */
	struct crl_terms full, delta;
	uint64_t	 full_change, delta_change;	/* status they equal */
	bool		 full_is_published;
	struct crl_terms shown;		/* the full one that is published;
					 * number 0: not known */
	/* The full one before; deltas have it as their base, so that they fit
	 * whoever has either. Number 0: not known. */
	struct crl_terms previous;
	uint64_t	 previous_change;
	bool		 full_wanted, delta_wanted;
};

struct authority {
	int64_t		 id;
	char		 name[CA_NAME_MAX + 1];
	char		 parent[CA_NAME_MAX + 1];
	X509		*cert;		/* owned: the newest of its key */
	/* Owned: all of them, the oldest first. */
	X509		*certs[CERTIFICATES_MAX];
	size_t		 n_certs;
	uint8_t		 key_sha1[20];
	time_t		 not_before, not_after;
	const struct ca_settings *settings;	/* NULL: it does not sign here */

	bool		 key_open;
	char		 key_text[256];	/* why not */

	/* Its certificate, or that of a CA above it, is revoked or on hold: it
	 * issues nothing but CRLs and OCSP responder certificates. */
	bool		 revoked;

	struct crl_scope *scopes;	/* owned; by shard */
	size_t		 n_scopes;
	uint64_t	 crl_number;	/* last one reserved, of any scope */
	time_t		 crl_this_update;	/* and its date */
	bool		 crl_wanted;	/* for some scope: a revocation, or a
					 * person's wish */
	time_t		 crl_not_before;	/* back-off after a failure */
	char		 crl_text[128];	/* of the last failure; "" */
};

struct authorities {
	struct authority rows[AUTHORITIES_MAX];
	size_t		 n;
};

int	authorities_load(struct authorities *, struct store *,
	    const struct settings *, struct err *);
void	authorities_free_contents(struct authorities *);
/* Sets revoked in all, from the revocation index. */
int	authorities_note_revoked(struct authorities *, struct store *,
	    struct err *);
struct authority *authority_by_name(struct authorities *, const char *);
/* Which of a CA's generations (common/ca.h) signs now: the newest that has
 * begun and not ended and is not revoked; the newest of all when there is none. NULL: unknown. */
struct authority *authority_current(struct authorities *, const char *family,
	    time_t now);
/* The one that signs for a person who says that: one key ("users~1" is the
 * first), or by a CA's name authority_current. NULL: unknown. */
struct authority *authority_meant(struct authorities *, const char *said,
	    time_t now);
struct authority *authority_by_id(struct authorities *, int64_t id);
/* Of a CA's certificates the one that is valid now and ends last; the newest
 * when none is. Borrowed. */
X509	*authority_certificate(const struct authority *, time_t now);
/* Issuer first, root last; borrowed. Of each the certificate that is valid
 * now and ends last. Ends at a parent that is not on record, or after
 * CHAIN_MAX. Returns how many. */
size_t	authority_chain(struct authorities *, struct authority *,
	    time_t now, X509 *chain[CHAIN_MAX]);
/* Is this the key of one of our CAs? */
bool	authorities_have_key(const struct authorities *,
	    const uint8_t key_sha1[20]);

#endif
