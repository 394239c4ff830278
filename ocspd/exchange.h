#ifndef OCSPD_EXCHANGE_H
#define OCSPD_EXCHANGE_H

#include "ocspd/service.h"

/*
 * What one HTTP request gets: an answer out of the table, a file, a place in
 * the queue of the responder, or a refusal. The octets go to service->out and a
 * file to be sent into the connection; connection.c sees to both.
 */

/* A whole request. Afterwards the connection may be waiting, or ended. */
void	exchange_answer(struct connection *, struct service *,
	    struct http_request *, uint64_t id);
/* No request could be read: the status, and the connection ends. */
void	exchange_refuse(struct connection *, struct service *,
	    unsigned int status);
/* The responder's answer to the connection that waited for it. */
void	exchange_conclude(struct connection *, struct service *,
	    const struct wire_answer *);
/* It waits for the responder no more. */
void	exchange_stop_waiting(struct connection *, struct service *);

#endif
