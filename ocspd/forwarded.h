#ifndef OCSPD_FORWARDED_H
#define OCSPD_FORWARDED_H

#include "common/bytes.h"
#include "ocspd/client.h"

#include <stddef.h>

/*
 * For whom a proxy of ours asks, as it says in a field of the request:
 * Forwarded (RFC 7239), or X-Forwarded-For, a list of addresses. Only the
 * caller knows whether the request came from such a proxy; from anybody else
 * the field means nothing and is not read.
 *
 * Each proxy adds itself at the end of the list, so that the last element is
 * what ours saw, and what stands before it anybody may have written. When the
 * last one is again a proxy of ours, the one before it counts, and so on.
 *
 * Strict: the whole list must be as its definition says, also what is then not
 * used. Pure: no socket, no clock, no memory.
 */
enum forwarded_result {
	FORWARDED_CLIENT,	/* *out is the client */
	FORWARDED_NOBODY,	/* no address: hidden, "unknown", no "for" */
	FORWARDED_BROKEN,	/* not of that form: 400 */
};

/* The value of the field; *out is untouched unless there is a client. */
enum forwarded_result forwarded_read(struct bytes value,
    const struct client *proxies, size_t n_proxies, struct client *out);
/* The same of X-Forwarded-For. */
enum forwarded_result forwarded_read_x(struct bytes value,
    const struct client *proxies, size_t n_proxies, struct client *out);

#endif
