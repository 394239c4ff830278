#ifndef CSRMAILD_DESK_H
#define CSRMAILD_DESK_H

#include "common/bytes.h"
#include "common/owned.h"

#include <stdint.h>

struct err;
struct settings;

/*
 * The daemon's work at a desk: an offline root, or a system whose daemon is
 * stopped. The registrar's own parts and the signer's own parts, in one
 * process of the one who calls, so that every verb of the API
 * (csrmaild/verbs.h) does the same as with a daemon, in the same order of
 * writes (docs/architecture.md). The store's lock is held meanwhile.
 *
 * What is different: registrar and signer are one process, that of the caller,
 * and no wall stands between them. A request is still read in a child without
 * keys, store, files or network (csrmaild/parser.h), and before any key is
 * opened. Keys lie in locked memory, out of every core, wiped at the end; a key
 * is opened when something is to be signed with it, and not before.
 *
 * No mail is fetched or sent, no responder's spool is read, no CRL is made but
 * that of a CA to which a verb has done something.
 */
struct desk;

/* The passphrase of the key of that CA; out is the desk's, and wiped. */
typedef int desk_passphrase(void *arg, const char *ca, struct buf *out,
	    struct err *);

/* settings are borrowed. ERR_RETRY while a daemon has the store. */
int	desk_open(struct settings *, desk_passphrase *, void *arg,
	    struct desk **out, struct err *);
void	desk_free(struct desk *);
OWNED_STRUCT_BY(desk, desk_free)

/*
 * One call of the API, path below /api/v1/, args its arguments as one JSON
 * object; then whatever follows from it: certificates are signed, CRLs made.
 * 0: status (HTTP) and answer (JSON), refusals too. -1: it could not be done,
 * or was done and something that follows from it was not; err says which.
 */
int	desk_call(struct desk *, const char *method, const char *path,
	    struct bytes args, uint16_t *status, struct buf *answer,
	    struct err *);

#endif
