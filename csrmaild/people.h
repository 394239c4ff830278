#ifndef CSRMAILD_PEOPLE_H
#define CSRMAILD_PEOPLE_H

#include "csrmaild/wire.h"

struct registrar;

/*
 * People on the API socket. The registrar accepts, asks the kernel who it is,
 * and hands the descriptor to api under a number; what api sends names only
 * that number, so a broken api is nobody.
 */
void	people_accept(struct registrar *);
void	people_take_call(struct registrar *, const struct wire_call *);
void	people_take_closed(struct registrar *, uint64_t connection);

#endif
