#ifndef OCSPD_CONNECTION_H
#define OCSPD_CONNECTION_H

#include "ocspd/service.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * One client's connection to a front: octets in, requests taken apart and
 * answered in their order, octets out. Never blocks. A request that only the
 * responder can answer holds up its own connection and no other.
 *
 * The front owns the socket's place in epoll (edge-triggered) and calls
 * connection_work whenever something may have moved.
 */

/* bucket: of client_bucket. */
void	connection_open(struct connection *, int fd, const struct client *,
	    uint16_t bucket, const struct service *);
/* Closes the socket; the place may be used again. */
void	connection_close(struct connection *, struct service *);
/* Do what can be done now. id names the connection to the responder. False:
 * it is over, close it. */
bool	connection_work(struct connection *, struct service *, uint64_t id);
/* The responder's answer has come. */
bool	connection_answer(struct connection *, struct service *, uint64_t id,
	    const struct wire_answer *);
/* Its deadline has passed. As connection_work. */
bool	connection_expire(struct connection *, struct service *, uint64_t id);
/* There is no place for it: says so, and ends. As connection_work. */
bool	connection_turn_away(struct connection *, struct service *,
	    uint64_t id);
/* For how long it has nothing in hand, whether it asked before or not; -1: it
 * has. */
int64_t	connection_idle_ms(const struct connection *, const struct service *);
/* Nothing in hand: may be closed when we stop. One that has not sent its first
 * request has only just come, and would take the end for a refusal. */
bool	connection_is_idle(const struct connection *);

#endif
