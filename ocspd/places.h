#ifndef OCSPD_PLACES_H
#define OCSPD_PLACES_H

#include "ocspd/client.h"
#include "ocspd/connection.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

/*
 * The places for connections of one front: so many as it may hold, and a few
 * more, the lobby, for whom is only told that there is no place. Counts also
 * how many each client has.
 *
 * When all are taken, the longest idle of some gives way to who comes: all of
 * them are looked at in turn, a few each time, so that a flood costs little.
 */
#define PLACES_LOBBY	64

struct places {
	struct connection	*each;		/* fd -1: free */
	size_t			 n;		/* with the lobby */
	uint32_t		*free;		/* a stack */
	size_t			 n_free;
	size_t			 hand;		/* where to look next */
	uint16_t		 clients[65536];	/* by client_bucket */
};

/* n, or as many as the limit on descriptors allows, which is raised as far as
 * it may be: two for each, since one may be getting a file. */
int	places_open(struct places *, size_t n, struct err *);
void	places_close(struct places *, struct service *);

/* NULL: not even in the lobby. Put a connection there with connection_open,
 * and count its client. */
struct connection *places_take(struct places *);
/* Closes the connection. */
void	places_give_back(struct places *, struct connection *,
	    struct service *);
bool	places_are_full(const struct places *);
size_t	places_taken(const struct places *);
/* One that may give way, since it is idle for a second or more; NULL: none of
 * those looked at. */
struct connection *places_find_idle(struct places *, const struct service *);

/* A name for the connection that no later one at its place has. */
uint64_t places_id(const struct places *, const struct connection *);
/* NULL: it is gone. */
struct connection *places_find(const struct places *, uint64_t id);

#endif
