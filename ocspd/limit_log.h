#ifndef OCSPD_LIMIT_LOG_H
#define OCSPD_LIMIT_LOG_H

#include "ocspd/client.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Tells in the log which of our limits was met, by whom, and how often since it
 * was told last (RFC 9919, 8.4): at once, and then once a minute for each limit,
 * so that nobody fills a disk with it. The counters have every single one.
 */
enum limit {
	LIMIT_CONNECTIONS,
	LIMIT_CLIENT_CONNECTIONS,
	LIMIT_CLIENT_REQUESTS,
	LIMIT_WAITING,
	LIMIT_REQUEST_OCTETS,
	LIMIT_CERT_IDS,
	N_LIMITS
};

/* All zero at first. */
struct limit_log {
	struct {
		int64_t		 silent_until_ms;
		uint64_t	 times;		/* not told yet */
	} each[N_LIMITS];
};

/* The key in ocspd.conf that sets it. */
const char *limit_name(enum limit);
/* Returns whether it was told. */
bool	limit_met(struct limit_log *, enum limit, const struct client *,
	    int64_t now_ms);

#endif
