#ifndef OCSPD_ANSWERS_H
#define OCSPD_ANSWERS_H

#include "common/bytes.h"
#include "common/owned.h"
#include "ocspd/request.h"

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
 * by the octets of its CertID, which are hash algorithm, issuer and serial,
 * and by who is to have signed: the kind of key that the client prefers, or
 * the one that answers who prefers none. One answer may have two CertIDs of
 * its certificate (RFC 9919, 3.2.1) and is found by each.
 * It is kept in two parts: what is its own, and the certificate at its end,
 * which is stored once for all answers of one signer.
 *
 * One writer, any number of readers, no lock: each answer carries a sequence
 * number that is odd while it is written, and a reader copies it out and
 * looks again (docs/architecture.md). A reader never waits for the writer.
 *
 * Holds no secret; decides nothing about what is true.
 */
#define ANSWER_MAX_PART		1472	/* an answer without its tail */
#define ANSWER_MAX_IDS		2
#define ANSWER_MAX_TAIL		4088
#define ANSWER_MAX		(ANSWER_MAX_PART + ANSWER_MAX_TAIL)
#define ANSWERS_HEARTBEAT_MS	500	/* older: the table is not served */

/* --- the responder's side ------------------------------------ */
struct answers;

/* Room for n answers (1 or more) that have up to max_part octets
 * (ANSWER_MAX_PART at most) before their tails. Memory is used as it fills. */
int	answers_new(size_t n, size_t max_part, struct answers **out,
	    struct err *);
void	answers_free(struct answers *);
OWNED_STRUCT_BY(answers, answers_free)
/* The descriptor for a front; the caller's. */
int	answers_share(const struct answers *, struct err *);
/* "All changes up to this moment are in the table." */
void	answers_beat(struct answers *, int64_t monotonic_ms);

struct answer {
	struct bytes	der;		/* the whole OCSPResponse */
	size_t		tail;		/* where the certificates begin */
	struct bytes	cert_ids[ANSWER_MAX_IDS];	/* views into der */
	size_t		n_ids;
	struct bytes	serial;		/* content of the INTEGER */
	enum signature_alg signature;	/* by which it is signed */
	bool		is_default;	/* also for who prefers nothing */
	int64_t		this_update, next_update;
	int64_t		tail_expires;	/* no answer with this tail is valid
					 * after that */
};
/* Hold an answer, in place of older ones with a CertID of its that it is asked
 * for instead of. False when it is too large to be held: nothing is then
 * changed. */
bool	answers_put(struct answers *, const struct answer *, int64_t now);
/* As answers_find, without the answer. */
bool	answers_has(const struct answers *, struct bytes cert_id,
	    struct bytes serial, enum signature_alg, int64_t now);
/* Forget every answer about this serial, of any issuer and algorithm. When
 * this returns, no front finds them any more. */
void	answers_forget(struct answers *, struct bytes serial);
void	answers_forget_all(struct answers *);
/*
 * Walk on through the table, over n places (0: all; the next call goes on
 * there), and call fn for each answer held that is older than age_s, or by up
 * to an eighth less: each has its own part of that, so that what was signed
 * together is not renewed together. fn may put and forget; it returns false to
 * stop for now. Returns how many places it walked over, n when there are no
 * more than that.
 */
struct aged_answer {
	struct bytes	cert_id;	/* its first; gone after fn */
	enum signature_alg signature;
	bool		is_default;
	int64_t		this_update;
};
size_t	answers_each_older(struct answers *, size_t n, int64_t now,
	    int64_t age_s, bool (*fn)(const struct aged_answer *, void *),
	    void *);
size_t	answers_places(const struct answers *);

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
/* Copy the answer about this CertID, signed by that algorithm (SIGNATURE_ANY:
 * the one for who prefers nothing), to out (ANSWER_MAX octets). False: it is
 * not held, or is past its next_update. */
bool	answers_find(const struct answers_view *, struct bytes cert_id,
	    struct bytes serial, enum signature_alg, int64_t now,
	    struct held_answer *, uint8_t *out);

#endif
