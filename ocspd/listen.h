#ifndef OCSPD_LISTEN_H
#define OCSPD_LISTEN_H

#include "common/bytes.h"
#include "ocspd/settings.h"

struct err;

/*
 * The listening sockets. main opens and keeps them: when a front is replaced,
 * its successor gets the same ones, and what has connected in between waits in
 * their queues.
 *
 *	ADDRESS:PORT	one for each front (SO_REUSEPORT)
 *	unix:PATH	one for all fronts; mode 0666
 *	systemd[:NAME]	those of systemd (ocspd/activation.h), for all fronts
 */
#define LISTEN_SPARE		8	/* of systemd, by one name */
#define LISTEN_MAX_SOCKETS	(SETTINGS_MAX_LISTEN + LISTEN_SPARE)
/* At one front. It has several of one address after a reload with fewer fronts:
 * a socket that is closed takes along who waits in its queue, so none is. */
#define LISTEN_MAX_OF_FRONT	72

struct listener {
	char	*address;	/* owned: as configured */
	int	*fds;		/* owned, one for each front, or more */
	size_t	 n;
};
struct listeners {
	struct listener	 each[LISTEN_MAX_SOCKETS];
	size_t		 n;
	size_t		 n_fronts;
	char		*health_address;	/* owned; NULL: none */
	int		 health_fd;	/* the monitor's; -1: none */
};

/* Those of `old` (NULL: none) that still fit are taken over by duplicate. */
int	listen_open(const struct settings *, const struct listeners *old,
	    struct listeners *out, struct err *);
void	listen_close(struct listeners *);
/* How many sockets that front has. */
size_t	listen_count(const struct listeners *, size_t front);
/* A duplicate of one of them, the caller's; -1 with err. */
int	listen_share(const struct listeners *, size_t front, size_t which,
	    struct err *);
int	listen_share_health(const struct listeners *, struct err *);

/*
 * For a successor (ocspd/upgrade.h): "ADDRESS=FD,FD" a line, the monitor's
 * behind a "*". each is called for every descriptor. What is read again must be
 * listening sockets; those of systemd are not among them.
 */
void	listen_describe(const struct listeners *, struct buf *,
	    void (*each)(int fd));
int	listen_from_description(const char *, struct listeners *out,
	    struct err *);

#endif
