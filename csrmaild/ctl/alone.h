#ifndef CSRMAILD_CTL_ALONE_H
#define CSRMAILD_CTL_ALONE_H

#include "common/bytes.h"

#include <jansson.h>

#include <stdbool.h>
#include <stdint.h>

struct ctl;
struct err;

/*
 * Commands without a daemon: what client.c would send over the socket goes to
 * a desk of our own (csrmaild/desk.h), which is opened with the first call and
 * stays until alone_end. Keys are opened with the passphrases that
 * csrmaild/ctl/passphrase.h finds.
 */
/* No daemon has answered: may the command do its work here, and is the folder
 * ours to work in? */
bool	alone_is_fit(struct ctl *);
int	alone_call(struct ctl *, const char *method, const char *path,
	    const json_t *args, uint16_t *status, struct buf *answer,
	    struct err *);
void	alone_end(struct ctl *);

#endif
