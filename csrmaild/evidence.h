#ifndef CSRMAILD_EVIDENCE_H
#define CSRMAILD_EVIDENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct registrar;
struct wire_submit;

/*
 * What vouches for a sender in the end: what intake read in the header, and
 * what a signature is worth.
 *
 * EVIDENCE_SMIME when the signature is good, was made within the last days,
 * its certificate is for signing mail (RFC 8550, 4.4.2 and 4.4.4), bears the
 * From mailbox as rfc822Name, and is either one of ours, octet for octet as it
 * stands on record, issued and in force; or has a chain to an anchor of the mailbox (RFC 8550). A certificate
 * of ours that is revoked, expired or on hold is none, whatever the anchors
 * say, and neither is another form of it.
 *
 * EVIDENCE_FILE for what came by CHANNEL_FILE, which the caller has checked
 * against the kind of the mailbox; with it, nobody need be in From.
 */
struct vouching {
	uint8_t		 evidence;	/* set of enum evidence */
	int64_t		 signer;	/* id of our certificate; 0: none */
	char		 doubt[256];	/* why a signature did not count; "" */
	/* Good, and made within the last days: then its key has signed,
	 * whoever sent it. */
	bool		 sound;
	/* The certificate of a sound one, when it is ours octet for octet,
	 * whatever became of it since; 0: it is none. */
	int64_t		 certificate;
	bool		 has_key;
	uint8_t		 spki_sha256[32];	/* of it */
};
int	evidence_weigh(struct registrar *, const struct wire_submit *,
	    struct vouching *out, struct err *);

/* "auth,dkim", as it stands on record; size 32 does. */
void	evidence_describe(uint8_t evidence, char *out, size_t size);

#endif
