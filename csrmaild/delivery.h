#ifndef CSRMAILD_DELIVERY_H
#define CSRMAILD_DELIVERY_H

#include "csrmaild/wire.h"

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct registrar;

/*
 * What people hand in by `csrmail mail submit`, from the call to the outcome.
 *
 * Its octets lie in a sealed memfd that the registrar passes on to the intake
 * of that mailbox and never reads; it comes back as a SUBMIT, on the very path
 * of a mail that was fetched, with the number of the delivery. Who handed it
 * in stands here alone, and no intake can say it.
 */

/* The principal; NULL: nothing is on its way to that mailbox under this id. */
const char *delivery_who(uint64_t id, const char *mailbox);
/* In the transaction that puts it on record (or finds it there). why: what is
 * wrong with it as a whole; "". */
void	delivery_note(uint64_t id, int64_t submission, bool again,
	    const char *why);
/* After the commit: whoever waits is told. */
void	delivery_answer(struct registrar *, uint64_t id, enum outcome);

/* Nobody waits on that connection any more. */
void	delivery_closed(uint64_t connection);
/* Answer what has waited too long; it may still be taken. */
void	delivery_expire(struct registrar *, time_t now);

#endif
