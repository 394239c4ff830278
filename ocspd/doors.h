#ifndef OCSPD_DOORS_H
#define OCSPD_DOORS_H

#include "ocspd/answers.h"
#include "ocspd/listen.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct role;

/*
 * The listening sockets of one front, and when it accepts from them: not before
 * there are answers. Until then clients wait in the queue of the kernel, or are
 * served by the fronts that a reload replaces, rather than hear tryLater. If
 * there are none for a while, they have to hear it.
 */
struct doors {
	int	 fds[LISTEN_MAX_OF_FRONT];	/* owned */
	size_t	 n;
	bool	 opened;
	int64_t	 open_at_ms;	/* at the latest */
};
#define DOORS_LOOK_MS	10	/* how often, until they are open */

/* "listen.0" and so on; closed as yet. */
int	doors_take(struct doors *, struct role *, int64_t now_ms,
	    struct err *);
/* table NULL: there is none. Their events are first_token and up. */
void	doors_open(struct doors *, const struct answers_view *table,
	    int epoll_fd, uint64_t first_token, int64_t now_ms);
/* For good. */
void	doors_close(struct doors *, int epoll_fd);

#endif
