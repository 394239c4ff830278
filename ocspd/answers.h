#ifndef OCSPD_ANSWERS_H
#define OCSPD_ANSWERS_H

#include "common/bytes.h"
#include "common/owned.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

/*
 * The table of signed answers: shared memory that the responder writes and
 * every front reads.
 *
 * The responder makes it anew at each start and sends fronts its descriptor,
 * sealed so that nobody can map it for writing any more. An answer is found
 * by the octets of its CertID, which are hash algorithm, issuer and serial.
 * It is kept in two parts: what is its own, and the certificate at its end,
 * which is stored once for all answers of one signer.
 *
 * One writer, any number of readers, no lock: each answer carries a sequence
 * number that is odd while it is written, and a reader copies it out and
 * looks again (docs/architecture.md). A reader never waits for the writer.
 *
 * Holds no secret; decides nothing about what is true.
 */
#define ANSWER_MAX_PART		576	/* an answer without its tail */
#define ANSWER_MAX_TAIL		4088
#define ANSWER_MAX		(ANSWER_MAX_PART + ANSWER_MAX_TAIL)
#define ANSWERS_HEARTBEAT_MS	500	/* older: the table is not served */

/* --- the responder's side ------------------------------------ */
struct answers;

/* Room for about n answers (rounded up). Memory is used as it fills. */
int	answers_new(size_t n, struct answers **out, struct err *);
void	answers_free(struct answers *);
OWNED_STRUCT_BY(answers, answers_free)
/* The descriptor for a front; the caller's. */
int	answers_share(const struct answers *, struct err *);
/* "All changes up to this moment are in the table." */
void	answers_beat(struct answers *, int64_t monotonic_ms);

struct answer {
	struct bytes	der;		/* the whole OCSPResponse */
	size_t		tail;		/* where the certificates begin */
	struct bytes	cert_id;	/* a view into der */
	struct bytes	serial;		/* content of the INTEGER, in der */
	int64_t		this_update, next_update;
	int64_t		tail_expires;	/* no answer with this tail is valid
					 * after that */
};
/* Hold an answer, in place of an older one with its CertID. False when it is
 * too large to be held: nothing is then changed. */
bool	answers_put(struct answers *, const struct answer *, int64_t now);
/* Forget every answer about this serial, of any issuer and algorithm. When
 * this returns, no front finds them any more. */
void	answers_forget(struct answers *, struct bytes serial);
void	answers_forget_all(struct answers *);
/*
 * Walk on through the table, over n places, and call fn with the CertID of
 * each answer held whose this_update is before `due`. fn may put and forget;
 * it returns false to stop for now.
 */
void	answers_each_older(struct answers *, size_t n, int64_t due,
	    bool (*fn)(struct bytes cert_id, void *), void *);

/* --- the front's side ------------------------------------ */
struct answers_view;

/* fd is taken. Refuses what cannot be a table, or could shrink under us. */
int	answers_open(int fd, struct answers_view **out, struct err *);
void	answers_close(struct answers_view *);
OWNED_STRUCT_BY(answers_view, answers_close)
/* Has the responder been there within ANSWERS_HEARTBEAT_MS? */
bool	answers_alive(const struct answers_view *, int64_t monotonic_ms);

struct held_answer {
	int64_t		this_update, next_update;
	uint8_t		digest[32];	/* SHA-256 of the whole */
	size_t		len;
};
/* Copy the answer about this CertID to out (ANSWER_MAX octets). False: it is
 * not held, or is past its next_update. */
bool	answers_find(const struct answers_view *, struct bytes cert_id,
	    struct bytes serial, int64_t now, struct held_answer *,
	    uint8_t *out);

#endif
