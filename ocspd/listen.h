#ifndef OCSPD_LISTEN_H
#define OCSPD_LISTEN_H

#include "ocspd/settings.h"

struct err;

/*
 * The listening sockets, one for each address and front (SO_REUSEPORT). main
 * opens and keeps them: when a front is replaced, its successor gets the same
 * sockets, and what has connected in between waits in their queues.
 */
struct listeners {
	char	*addresses[SETTINGS_MAX_LISTEN];	/* owned */
	size_t	 n_addresses;
	size_t	 n_fronts;
	int	*fds;		/* [address * n_fronts + front] */
	char	*health_address;	/* owned; NULL: none */
	int	 health_fd;	/* the monitor's; -1: none */
};

/* Those of `old` (NULL: none) that still fit are taken over by duplicate. */
int	listen_open(const struct settings *, const struct listeners *old,
	    struct listeners *out, struct err *);
void	listen_close(struct listeners *);
/* A duplicate, the caller's; -1 with err. */
int	listen_share(const struct listeners *, size_t address, size_t front,
	    struct err *);

int	listen_share_health(const struct listeners *, struct err *);

#endif
