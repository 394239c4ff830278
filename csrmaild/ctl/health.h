#ifndef CSRMAILD_CTL_HEALTH_H
#define CSRMAILD_CTL_HEALTH_H

#include <jansson.h>

/*
 * How ocspd does, asked of its own health listener (health_listen in
 * ocspd.conf), since the two daemons never meet: adds "ocspd" to the status,
 * and to its list "trouble" what ocspd says is wrong, or that it does not
 * answer. Never fails.
 */
void	health_add(const char *address, json_t *status);

#endif
