#ifndef CSRMAILD_HEADER_H
#define CSRMAILD_HEADER_H

#include "csrmaild/authres.h"

#include "common/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct envelope;
struct err;

/*
 * The header of a message, read by intake from the raw octets: who sent it,
 * what our mail server vouches for, whether a machine wrote it, and what a
 * reply needs (RFC 5322, 8601, 3834).
 *
 * A linear scan; no MIME library sees these fields, so a parser that a mail
 * has taken over cannot speak for anybody. What is not there or not well
 * formed is empty in the envelope, never guessed and never an error.
 *
 * The From mailbox is one only when there is one From field with one mailbox
 * (RFC 5322, 3.4): a display name, comments and folds around it are fine. Two
 * fields, two mailboxes, a group, a route, anything but a dot-atom before
 * and a domain name after the "@" (so quoted local parts, address literals
 * and addresses outside ASCII too), comments inside the address, or a header
 * block with a line that is no field: no identity, and with it no evidence.
 */
struct header_rules {
	const char	*own_address;	/* mail from here is automatic */
	struct authres_rules authres;
};
void	header_scan(struct bytes message, const struct header_rules *,
	    struct envelope *out);

/* Does it claim to be S/MIME as a whole (RFC 8551, 3.4)? True for the type of
 * its one Content-Type field alone; nothing is verified here. */
bool	header_is_signed(struct bytes message);

/* Octets of the header block, its empty line included. */
size_t	header_block_octets(struct bytes message);

/*
 * SHA-256 of the message without the fields that differ at each delivery of
 * the same message: Return-Path, Delivered-To, X-Original-To, Envelope-To,
 * Received and Received-SPF, Authentication-Results, ARC-*, and
 * DKIM-Signature, which carries the time of a submission.
 */
int	header_digest(struct bytes message, uint8_t out[32], struct err *);

#endif
