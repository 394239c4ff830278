#ifndef CSRMAILD_SIGNER_UNLOCK_H
#define CSRMAILD_SIGNER_UNLOCK_H

#include "common/owned.h"
#include "csrmaild/principal.h"

#include <poll.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct signer;

/*
 * The signer's side of unlock.sock: opens and closes keys for those with
 * RIGHT_SECURITY, which it asks the kernel about for each connection.
 *
 * Nobody can hold up what is signed: every read is of what is there, five
 * visitors at most are in at one time, each for ten seconds, and one passphrase
 * a second is tried, whoever brings it. Passphrases lie in the secure heap and
 * are wiped with their visitor.
 *
 * Tells nobody: it marks the CA's row (struct signer_ca, news and who).
 */
#define UNLOCK_MAX_VISITORS	5
#define UNLOCK_DEADLINE_MS	10000
#define UNLOCK_PAUSE_MS		1000
#define UNLOCK_MAX_POLL		(UNLOCK_MAX_VISITORS + 1)

struct unlock_desk;
/* listen_fd is taken; -1: nobody can come. */
int	unlock_desk_new(struct signer *, int listen_fd,
	    const struct right_groups *, struct unlock_desk **out,
	    struct err *);
void	unlock_desk_free(struct unlock_desk *);
OWNED_STRUCT_BY(unlock_desk, unlock_desk_free)

/* Fills UNLOCK_MAX_POLL rows (-1 where there is nothing to wait for) and
 * returns after how many milliseconds serve is due anyhow; -1: never. */
int	unlock_desk_prepare(const struct unlock_desk *, struct pollfd *,
	    int64_t now_ms);
/* What poll found, and what the clock makes due. */
void	unlock_desk_serve(struct unlock_desk *, const struct pollfd *,
	    int64_t now_ms);

#endif
