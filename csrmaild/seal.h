#ifndef CSRMAILD_SEAL_H
#define CSRMAILD_SEAL_H

#include "common/bytes.h"

#include <time.h>

struct err;
struct seal_identity;

/*
 * A mail of ours, signed with S/MIME as multipart/signed (RFC 8551, 3.5.3; RFC
 * 1847, 2.1). No clock, no store.
 *
 * Signs nothing but mails as csrmaild/reply.h writes them: the fields in the
 * order that they have there and no others, From the identity's mailbox alone,
 * Auto-Submitted, no octet beyond ASCII and no line beyond 998 (RFC 8551,
 * 3.1.3). What cannot be signed as it is, is not altered until it can:
 * ERR_REJECT.
 *
 * Content-Type and Content-Transfer-Encoding go into what is signed; all other
 * fields stay outside, where mail systems look for them, and are not covered.
 * The signature has the chain, the signing time and the
 * signer's certificate by its digest (RFC 5035), SHA-256 throughout, and no
 * SMIMECapabilities: nobody here can read encrypted mail.
 *
 * out gets at most WIRE_MAX_SEAL octets more than the mail has. ERR_RETRY
 * when memory is short.
 */
int	seal_message(const struct seal_identity *, struct bytes mail,
	    time_t now, struct buf *out, struct err *);

#endif
