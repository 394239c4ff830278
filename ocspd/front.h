#ifndef OCSPD_FRONT_H
#define OCSPD_FRONT_H

#include "common/role.h"

struct err;

/*
 * The role that speaks with clients: one process per core, each with a
 * listening socket of its own for the same address (SO_REUSEPORT), one epoll
 * loop. Parses HTTP and OCSP requests; has neither key nor store. Serves what
 * the table of answers holds, and asks the responder for the rest.
 *
 * Without a responder, or when its heartbeat in the table is older than
 * ANSWERS_HEARTBEAT_MS, every answer is tryLater.
 *
 * Returns 0 when told to stop, -1 when it cannot go on: main starts it anew.
 */
int	front_run(struct role *, struct err *);

#endif
