#ifndef CSRMAILD_VERBS_H
#define CSRMAILD_VERBS_H

#include "common/bytes.h"

#include <stdint.h>
#include <time.h>

struct findings;
struct principal;
struct registrar;
struct wire_call;

/*
 * What people may ask of the registrar: the one table of verbs, each with
 * its method, path, rights and arguments. api carries calls here and decides
 * nothing; who calls is known by the socket (csrmaild/principal.h).
 *
 * Not here: HTTP, JSON syntax and limits (csrmaild/api.c), and what a verb
 * does to the store (csrmaild/acts.h).
 */

/*
 * Answer a call. 0: *status (HTTP) and json are the answer, json cleared
 * first. 1: the answer follows by wire_send_result, from verbs_examined or
 * verbs_expire. Never fails: what goes wrong is an answer too (RFC 9457).
 */
int	verbs_call(struct registrar *, const struct principal *,
	    const struct wire_call *, uint16_t *status, struct buf *json);

/* Tokens given to registrar_examine_csr have this bit, so that they meet no
 * number that the registrar draws itself. */
#define VERBS_TOKEN		(UINT64_C(1) << 63)
/* The parser has examined the file of a `POST requests`. findings borrowed;
 * NULL when the parser is gone. An unknown token is ignored. */
void	verbs_examined(struct registrar *, uint64_t token,
	    const struct findings *);
/* The connection has ended: nobody waits for its answers any more. */
void	verbs_closed(uint64_t connection);
/* Answer what has waited too long; from the registrar's tick. */
void	verbs_expire(struct registrar *, time_t now);

#endif
