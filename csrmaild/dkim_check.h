#ifndef CSRMAILD_DKIM_CHECK_H
#define CSRMAILD_DKIM_CHECK_H

#include "common/bytes.h"

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct dkim_result;
struct err;

/*
 * Is one of these DKIM signatures good (RFC 6376), and does it say enough?
 * Canonical forms, hashes and keys are libopendkim's; the keys are given, it
 * asks no DNS and opens no file.
 *
 * Runs in a child of the parser of its own, which looks for nothing else, and
 * gets signatures that intake found aligned with the From mailbox. Good is one
 *	by rsa-sha256 with a key of 2048 bits at least, or ed25519-sha256
 *	(RFC 8301, 8463);
 *	over the whole body: no l=;
 *	over From, Message-ID and Content-Type, the last also where the message
 *	has none: h= names it. And over each Subject, Content-Transfer-Encoding
 *	and Content-Disposition there is. Unsigned, the same body could be read
 *	as something else, or be sent again as new;
 *	not expired, not of a testing key (t=y), and not of one that is revoked.
 *
 * The header's lines must end in CRLF, so that libopendkim and we see the same
 * fields.
 */

/* The question: for each signature which one, and its key's record. */
#define DKIM_RECORD_MAX		1024	/* octets, what libopendkim takes */
void	dkim_keys_put(struct buf *, unsigned int nth, struct bytes record);

/* -1 is a fault of ours; what is wrong with the mail stands in out->text. */
int	dkim_check(struct bytes message, struct bytes keys, time_t now,
	    struct dkim_result *out, struct err *);

#endif
