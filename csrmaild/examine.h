#ifndef CSRMAILD_EXAMINE_H
#define CSRMAILD_EXAMINE_H

#include "common/bytes.h"

#include "csrmaild/wire.h"

struct err;

/* SUBMIT carries the findings and an envelope within its own limit. */
#define EXAMINE_MAX_FINDINGS	(WIRE_MAX_FINDINGS - (16u << 10))

/*
 * What a child of the parser does with its one question: look for requests
 * (EXAMINE_MAIL, EXAMINE_CSR), or for who signed the message (EXAMINE_SIGNED,
 * EXAMINE_DKIM) and then for nothing else, so that what a mail does to the one
 * can speak for nobody.
 *
 * The findings, as payload, go to out, which holds EXAMINE_MAX_FINDINGS. What
 * is wrong with the octets stands in them; -1 is a fault of ours.
 */
int	examine(const struct wire_examine *, struct buf *out, struct err *);

#endif
