#ifndef OCSPD_PROXY_H
#define OCSPD_PROXY_H

#include "common/bytes.h"
#include "ocspd/client.h"

#include <stddef.h>

/*
 * The header that a proxy of ours puts before a connection, to say for whom it
 * is: PROXY protocol, version 2 (the binary form; haproxy's proxy-protocol.txt,
 * 2.2). Only connections from the addresses in `proxies` have one, and they
 * must. Pure.
 */
#define PROXY_MAX_OCTETS	1024	/* with its TLVs, which are skipped */

enum proxy_result {
	PROXY_INCOMPLETE,
	PROXY_COMPLETE,
	PROXY_BROKEN,		/* no such header: end the connection */
};
/* *client is filled when it is complete and says one; for LOCAL (the proxy's
 * own health checks) and unknown families it stays as it was. */
enum proxy_result proxy_read(struct bytes in, struct client *,
	    size_t *used);

#endif
