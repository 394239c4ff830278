#ifndef COMMON_CRL_H
#define COMMON_CRL_H

#include "common/issuer.h"
#include "common/owned.h"
#include "common/serial.h"

#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct err;

/* CRLReason (RFC 5280, 5.3.1). Value 7 is not used; 8 is for delta CRLs. */
enum crl_reason {
	CRL_UNSPECIFIED			= 0,	/* the extension is left out */
	CRL_KEY_COMPROMISE		= 1,
	CRL_CA_COMPROMISE		= 2,
	CRL_AFFILIATION_CHANGED		= 3,
	CRL_SUPERSEDED			= 4,
	CRL_CESSATION_OF_OPERATION	= 5,
	CRL_CERTIFICATE_HOLD		= 6,
	CRL_PRIVILEGE_WITHDRAWN		= 9,
	CRL_AA_COMPROMISE		= 10,
};
/* RFC 5280's words ("keyCompromise"); NULL or -1 for others. */
const char *crl_reason_name(enum crl_reason);
int	crl_reason_from_name(const char *, enum crl_reason *);

/*
 * Certificate revocation lists (RFC 5280, section 5), full ones.
 *
 * Streamed: opened with its terms, fed entries in chunks, closed into a
 * descriptor, so that a million entries cost constant memory. Reads no clock
 * and no store. Entries go to a scratch file first, since DER puts lengths
 * in front; at close the list is hashed, signed and written.
 */
struct crl_entry {
	struct serial	serial;
	time_t		revoked_at;	/* revocationDate: Unix seconds, UTC */
	enum crl_reason	reason;
	time_t		invalidity;	/* invalidityDate; 0: none */
};

struct crl_terms {
	uint64_t	number;		/* cRLNumber (5.2.3): above every number
					 * this issuer has used before */
	time_t		this_update;	/* Unix seconds, UTC */
	time_t		next_update;	/* Unix seconds, UTC; > this_update */
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
