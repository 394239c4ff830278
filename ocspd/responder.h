#ifndef OCSPD_RESPONDER_H
#define OCSPD_RESPONDER_H

#include "common/role.h"

struct err;

/*
 * The role that knows and signs: reads the store, keeps ocspd's own keys,
 * fills the table of answers, answers what the fronts ask. Sees no HTTP and
 * no octet of a client that a front has not taken apart first.
 *
 * Every 100 ms it reads the store anew. What has changed is forgotten from
 * the table before anything else is said; then the table's heartbeat goes on.
 * So a front that sees a heartbeat serves nothing older than that.
 *
 * Returns 0 when told to stop, -1 when it cannot go on: main starts it anew.
 */
int	responder_run(struct role *, struct err *);

#endif
