#ifndef OCSPD_REQUESTOR_H
#define OCSPD_REQUESTOR_H

#include "common/bytes.h"
#include "common/owned.h"

#include <stdbool.h>
#include <time.h>

struct err;

/*
 * Who signed a request (RFC 6960, 4.1.2).
 *
 * A signature counts when it is by the key of a certificate with the name of
 * requestorName, sent along or not needed, that leads to one of the CAs of a
 * file, and when each certificate is in its time. Whether it was revoked is
 * not looked at: a front has no other source than ourselves.
 */
struct requestors;

/* The certificates of a PEM file, roots or not; fd is taken. */
int	requestors_new(int fd, struct requestors **out, struct err *);
void	requestors_free(struct requestors *);
OWNED_STRUCT_BY(requestors, requestors_free)

/* der is a request that request_read has read. */
bool	requestors_know(const struct requestors *, struct bytes der,
	    time_t now);

#endif
