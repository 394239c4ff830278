#ifndef CSRMAILD_SECRETS_H
#define CSRMAILD_SECRETS_H

#include "common/bytes.h"

#include <stdbool.h>
#include <stdint.h>

struct err;

/*
 * Enrolment secrets: what a request may hold as its challengePassword (RFC
 * 2985, 5.4.1) so that a rule with challenge_file lets it through.
 *
 * The file is read by main alone, one secret a line. Everybody else gets a
 * salt and, for each secret, SHA-256 over the salt and csr_digest_challenge of
 * it: enough to compare, too little to read.
 */
#define SECRETS_MAX		1000
#define SECRETS_MIN_OCTETS	8	/* of one */
#define SECRETS_MAX_OCTETS	255
#define SECRETS_SALT		16
#define SECRETS_DIGESTS_MAX	(SECRETS_SALT + 32 * SECRETS_MAX)

/*
 * Salt and digests of the secrets in the file. ERR_FAULT for a link, for a
 * file that others than its owner can read or write or that is another
 * user's, and for a secret of a wrong length; no secret stands in err.
 */
int	secrets_read(const char *path, struct buf *digests, struct err *);
/* Is this a salt and digests? */
bool	secrets_are_whole(struct bytes digests);
/* Compares with all of them, and each in constant time. */
bool	secrets_match(struct bytes digests, const uint8_t challenge[32]);

#endif
