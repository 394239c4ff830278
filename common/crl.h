#ifndef COMMON_CRL_H
#define COMMON_CRL_H

#include "common/issuer.h"
#include "common/owned.h"
#include "common/serial.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct err;

/* CRLReason (RFC 5280, 5.3.1). Value 7 is not used. */
enum crl_reason {
	CRL_UNSPECIFIED			= 0,	/* the extension is left out */
	CRL_KEY_COMPROMISE		= 1,
	CRL_CA_COMPROMISE		= 2,
	CRL_AFFILIATION_CHANGED		= 3,
	CRL_SUPERSEDED			= 4,
	CRL_CESSATION_OF_OPERATION	= 5,
	CRL_CERTIFICATE_HOLD		= 6,
	CRL_REMOVE_FROM_CRL		= 8,	/* a hold was lifted: in delta
						 * CRLs and the journal only */
	CRL_PRIVILEGE_WITHDRAWN		= 9,
	CRL_AA_COMPROMISE		= 10,
};
/* RFC 5280's words ("keyCompromise"); NULL or -1 for others. removeFromCRL
 * has one too, but is no reason to revoke. */
const char *crl_reason_name(enum crl_reason);
int	crl_reason_from_name(const char *, enum crl_reason *);
/* keyCompromise and cACompromise: the private key is in other hands. */
bool	crl_reason_is_compromise(enum crl_reason);

/*
 * Certificate revocation lists (RFC 5280, section 5): full ones, deltas and
 * shards.
 *
 * Streamed: opened with its terms, fed entries in chunks, closed into a
 * descriptor, so that a million entries cost constant memory. Reads no clock
 * and no store. Entries go to a scratch file first, since DER puts lengths
 * in front; at close the list is hashed, signed and written.
 */
struct crl_entry {
	struct serial	serial;
	time_t		revoked_at;	/* revocationDate: Unix seconds, UTC;
					 * when a hold was lifted, of that */
	enum crl_reason	reason;
	time_t		invalidity;	/* invalidityDate; 0: none */
};

#define CRL_MAX_SHARDS	1024
#define CRL_URL_MAX	1000	/* octets of an address */

struct crl_terms {
	uint64_t	number;		/* cRLNumber (5.2.3): above every number
					 * this issuer has used before, but that
					 * of the full one which a delta is made
					 * with */
	time_t		this_update;	/* Unix seconds, UTC */
	time_t		next_update;	/* Unix seconds, UTC; > this_update */
	uint64_t	base;		/* BaseCRLNumber of a delta (5.2.4),
					 * below number; 0: a full one */
	uint16_t	shard;		/* 0: the only one. For those who keep
					 * terms; it does not show in a CRL */
	/* Borrowed like the rest; NULL or "": none. Printable ASCII. */
	const char	*point;		/* the name in the critical
					 * issuingDistributionPoint (5.2.5) */
	const char	*freshest;	/* where deltas are (5.2.6); not in a
					 * delta */
};

struct crl_writer;

/* issuer and terms are borrowed until close or free. The key must be the
 * certificate's, and the dates in order. */
int	crl_open(const struct issuer *, const struct crl_terms *,
	    struct crl_writer **out, struct err *);
/* Before the first entry: a file of ours, open for reading and writing, in
 * place of the memory file that crl_open made. fd is taken. */
void	crl_use_scratch(struct crl_writer *, int fd);
/* Any order of serials; the caller gives each serial once. ERR_RETRY when
 * the scratch file cannot grow. */
int	crl_add(struct crl_writer *, const struct crl_entry *, size_t n,
	    struct err *);
/*
 * Sign, verify the signature with the issuer's certificate, and write the DER
 * to fd (borrowed, at its current place). Once only; on failure what was
 * written to fd is worthless.
 */
int	crl_close(struct crl_writer *, int fd, struct err *);
void	crl_free(struct crl_writer *);
OWNED_STRUCT_BY(crl_writer, crl_free)

#endif
