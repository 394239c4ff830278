#include "ocspd/listen.h"

#include "common/err.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BACKLOG		4096	/* the kernel cuts it to somaxconn */

static int
open_one(const char *address, struct err *err)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV };
	struct addrinfo *ai = NULL;
	char host[64], port[8];
	OWNED_FD fd = -1;
	int on = 1, r = -1;

	if (!settings_split_listen(address, host, sizeof(host), port,
	    sizeof(port)) || getaddrinfo(host, port, &hints, &ai) != 0)
		return err_set(err, ERR_FAULT, "listen: %s is no address",
		    address);
	fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
	    0);
	if (fd >= 0) {
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
		if (ai->ai_family == AF_INET6)
			setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on,
			    sizeof(on));
		r = bind(fd, ai->ai_addr, ai->ai_addrlen);
		if (r == 0)
			r = listen(fd, BACKLOG);
	}
	freeaddrinfo(ai);
	if (r == -1) {
		err_set(err, ERR_FAULT, "cannot listen on %s: %s", address,
		    strerror(errno));
		return -1;
	}
	return TAKE_FD(fd);
}

/* The same socket again, so that nobody in its queue is refused. */
static int
find_old(const struct listeners *old, const char *address, size_t front)
{
	if (old == NULL || front >= old->n_fronts)
		return -1;
	for (size_t i = 0; i < old->n_addresses; i++)
		if (strcmp(old->addresses[i], address) == 0)
			return fcntl(old->fds[i * old->n_fronts + front],
			    F_DUPFD_CLOEXEC, 0);
	return -1;
}

/* The old one is taken along: the address stays bound. */
static int
open_health(const struct settings *s, const struct listeners *old,
    struct listeners *l, struct err *err)
{
	l->health_fd = -1;
	if (s->health_listen[0] == '\0')
		return 0;
	l->health_address = strdup(s->health_listen);
	if (l->health_address == NULL)
		return err_set(err, ERR_FAULT, "out of memory");
	if (old != NULL && old->health_fd >= 0 &&
	    strcmp(old->health_address, s->health_listen) == 0)
		l->health_fd = fcntl(old->health_fd, F_DUPFD_CLOEXEC, 0);
	if (l->health_fd < 0)
		l->health_fd = open_one(s->health_listen, err);
	return l->health_fd < 0 ? -1 : 0;
}

int
listen_open(const struct settings *s, const struct listeners *old,
    struct listeners *out, struct err *err)
{
	struct listeners l = { .n_fronts = s->fronts, .health_fd = -1 };
	size_t n = s->n_listen * s->fronts;

	l.fds = calloc(n, sizeof(l.fds[0]));
	if (l.fds == NULL)
		return err_set(err, ERR_FAULT, "out of memory");
	memset(l.fds, -1, n * sizeof(l.fds[0]));
	for (size_t i = 0; i < s->n_listen; i++) {
		l.addresses[i] = strdup(s->listen[i]);
		l.n_addresses++;
		for (size_t k = 0; k < s->fronts; k++) {
			int *fd = &l.fds[i * s->fronts + k];

			*fd = find_old(old, s->listen[i], k);
			if (*fd < 0)
				*fd = open_one(s->listen[i], err);
			if (*fd < 0 || l.addresses[i] == NULL) {
				listen_close(&l);
				return -1;
			}
		}
	}
	if (open_health(s, old, &l, err) == -1) {
		listen_close(&l);
		return -1;
	}
	*out = l;
	return 0;
}

void
listen_close(struct listeners *l)
{
	for (size_t i = 0; i < l->n_addresses * l->n_fronts; i++)
		if (l->fds[i] >= 0)
			close(l->fds[i]);
	for (size_t i = 0; i < l->n_addresses; i++)
		free(l->addresses[i]);
	free(l->fds);
	fd_release(&l->health_fd);
	free(l->health_address);
	memset(l, 0, sizeof(*l));
	l->health_fd = -1;
}

static int
share(int own, struct err *err)
{
	int fd = fcntl(own, F_DUPFD_CLOEXEC, 0);

	return fd >= 0 ? fd : err_errno(err, ERR_FAULT, "sharing a socket");
}

int
listen_share(const struct listeners *l, size_t address, size_t front,
    struct err *err)
{
	return share(l->fds[address * l->n_fronts + front], err);
}

int
listen_share_health(const struct listeners *l, struct err *err)
{
	return share(l->health_fd, err);
}
