#ifndef OCSPD_SERVICE_H
#define OCSPD_SERVICE_H

#include "common/channel.h"
#include "ocspd/access.h"
#include "ocspd/admission.h"
#include "ocspd/answers.h"
#include "ocspd/client.h"
#include "ocspd/counters.h"
#include "ocspd/http.h"
#include "ocspd/limit_log.h"
#include "ocspd/settings.h"
#include "ocspd/wire.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * What the connections of a front share, and what each of them is: the state
 * that connection.c (octets in and out) and exchange.c (requests and what they
 * get) work on.
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
	const struct requestors	*requestors;	/* NULL: none configured */
	struct limit_log	 limit_log;
	uint64_t		 client_seed[2];	/* of client_bucket */
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
	size_t			 waiting;	/* for the responder */
	uint64_t		 answered;
	struct request		 request;	/* the one in hand */
	uint8_t			*body;		/* room for one in chunks */
	struct buf		 out;		/* answers of this turn */
	struct buf		 der;		/* decoded from a path */
	uint8_t			 scratch[CONNECTION_SCRATCH];
	uint8_t			 held[ANSWER_MAX];
};

/* One client's connection: ocspd/connection.h. */
struct connection {
	int		 fd;		/* -1: this place is free */
	uint32_t	 turn;		/* how often the place was used */
	struct client	 client;
	uint16_t	 bucket;	/* of the client, for limits */
	bool		 trusted;	/* from a proxy of ours */
	bool		 proxied;	/* a PROXY header comes first */
	bool		 readable;	/* until recv says otherwise */
	bool		 again;		/* has more to do, but others wait */
	bool		 served;	/* a request was taken: may be idle */
	bool		 ended;		/* no further request is read */
	bool		 draining;	/* answer sent; reading to the end */
	bool		 continued;	/* 100 was sent for this request */
	bool		 waiting;	/* for the responder */
	bool		 asked_head, asked_old, asked_keep;
	struct access	 access;	/* of the request in hand */
	int64_t		 deadline_ms;
	struct buf	 in, out;
	int		 file_fd;	/* -1: none being sent */
	int64_t		 file_at;
	uint64_t	 file_left;
};

#endif
