#ifndef CSRMAILD_SEALED_H
#define CSRMAILD_SEALED_H

#include "common/bytes.h"

#include <stddef.h>
#include <sys/types.h>

struct err;

/*
 * A child for octets that others wrote, for the command line: another user
 * where we are root, no descriptor but its end of a socket pair, no files, no
 * network (common/privsep.h). Start it before a key, a passphrase or the
 * store is open: a fork inherits memory.
 *
 * What it says is a frame: u32 length, octets. The reader checks them.
 */
struct sealed {
	pid_t		 pid;
	int		 fd;		/* our end */
};
#define SEALED_NONE	((struct sealed){ -1, -1 })

/* allow: of enum sandbox_allow. fn's value is the child's exit status. */
int	sealed_start(int (*fn)(int fd, void *arg), void *arg,
	    unsigned int allow, struct sealed *out, struct err *);
/* Close our end, and wait. 0: it ended by itself, and well. */
int	sealed_end(struct sealed *);

int	sealed_send(int fd, struct bytes, struct err *);
/* Replaces what `to` held. ERR_FAULT at the end of the stream, or when the
 * frame is longer than to->max. */
int	sealed_receive(int fd, struct buf *to, struct err *);

#endif
