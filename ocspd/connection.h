#ifndef OCSPD_CONNECTION_H
#define OCSPD_CONNECTION_H

#include "common/channel.h"
#include "ocspd/answers.h"
#include "ocspd/client.h"
#include "ocspd/counters.h"
#include "ocspd/http.h"
#include "ocspd/settings.h"
#include "ocspd/wire.h"

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
#define CONNECTION_SCRATCH	(64u << 10)

struct connection;
struct rates;

/* What all connections of a front share. */
struct service {
	const struct settings	*settings;
	struct http_limits	 limits;
	struct answers_view	*table;		/* NULL: no responder */
	struct channel		*responder;	/* NULL: none */
	struct counters		*counters;	/* NULL: nobody counts */
	struct rates		*rates;		/* NULL: no limit */
	/* The front's: a connection is for another client than it came from.
	 * False: that one has too many. */
	bool			(*recount)(void *front, struct connection *,
				    const struct client *);
	void			*front;
	unsigned int		 status;	/* of the answer just made */
	uint64_t		 since_logged;	/* answers */
	int			 published_fd;
	int64_t			 now;		/* Unix seconds */
	int64_t			 now_ms;	/* monotonic */
	bool			 stopping;	/* no answer keeps alive */
	uint64_t		 answered;
	struct request		 request;	/* the one in hand */
	uint8_t			*body;		/* room for one in chunks */
	struct buf		 out;		/* answers of this turn */
	struct buf		 der;		/* decoded from a path */
	uint8_t			 scratch[CONNECTION_SCRATCH];
	uint8_t			 held[ANSWER_MAX];
};

struct connection {
	int		 fd;		/* -1: this place is free */
	uint32_t	 turn;		/* how often the place was used */
	struct client	 client;
	uint16_t	 bucket;	/* of the client, for limits */
	bool		 proxied;	/* a PROXY header comes first */
	bool		 readable;	/* until recv says otherwise */
	bool		 again;		/* has more to do, but others wait */
	bool		 served;	/* a request was taken: may be idle */
	bool		 ended;		/* no further request is read */
	bool		 draining;	/* answer sent; reading to the end */
	bool		 continued;	/* 100 was sent for this request */
	bool		 waiting;	/* for the responder */
	bool		 asked_head, asked_old, asked_keep;
	int64_t		 deadline_ms;
	struct buf	 in, out;
	int		 file_fd;	/* -1: none being sent */
	int64_t		 file_at;
	uint64_t	 file_left;
};

/* bucket: of client_bucket. */
void	connection_open(struct connection *, int fd, const struct client *,
	    uint16_t bucket, const struct service *);
/* Closes the socket; the place may be used again. */
void	connection_close(struct connection *);
/* Do what can be done now. id names the connection to the responder. False:
 * it is over, close it. */
bool	connection_work(struct connection *, struct service *, uint64_t id);
/* The responder's answer has come. */
bool	connection_answer(struct connection *, struct service *, uint64_t id,
	    const struct wire_answer *);
/* Its deadline has passed. As connection_work. */
bool	connection_expire(struct connection *, struct service *, uint64_t id);
/* Nothing in hand: may be closed when we stop. One that has not sent its first
 * request has only just come, and would take the end for a refusal. */
bool	connection_is_idle(const struct connection *);

#endif
