#ifndef CSRMAILD_AUTHRES_H
#define CSRMAILD_AUTHRES_H

#include "common/bytes.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Authentication-Results (RFC 8601, 2.2): what our own mail server vouches
 * for.
 *
 * Believes one field only: the topmost that bears the configured
 * authserv-id, and only while no more than `trusted_received` Received
 * fields, those of our own servers, stand above it. A lower copy was there
 * when the message came and may be anybody's. Believes nothing when that
 * field cannot be read as a whole, or speaks with two tongues.
 */
struct authres_rules {
	const char	*authserv_id;	/* "": no evidence at all; octet for
					 * octet, since a server strips forged
					 * copies by its own spelling */
	unsigned int	 trusted_received;
	uint8_t		 ignored;	/* set of enum evidence that this field
					 * cannot give */
};

/*
 * The evidence (set of enum evidence, csrmaild/wire.h) for this From mailbox,
 * which must not be empty, in the header block `block`.
 *
 * EVIDENCE_DKIM: dkim=pass whose header.d is the From domain or a domain
 * above it (at least two labels unless equal). EVIDENCE_AUTH: auth=pass
 * whose smtp.auth is the From mailbox, the local part octet for octet.
 */
uint8_t	authres_evidence(struct bytes block, const struct authres_rules *,
	    const char *from);

/* Does the signing domain d speak for a mailbox in this domain, as above? */
bool	authres_is_aligned(struct bytes d, struct bytes domain);

#endif
