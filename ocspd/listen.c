#include "ocspd/listen.h"

#include "common/err.h"
#include "ocspd/activation.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BACKLOG		4096	/* the kernel cuts it to somaxconn */

/* --- one socket ------------------------------------ */

/* by_several: each front has one of its own for the same address. */
static int
open_inet(const char *address, bool by_several, struct err *err)
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
		if (by_several)
			setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on,
			    sizeof(on));
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

/* A socket that a former run left there; not one that somebody serves. */
static void
remove_stale(const struct sockaddr_un *at)
{
	OWNED_FD fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct stat st;

	if (fd >= 0 && lstat(at->sun_path, &st) == 0 && S_ISSOCK(st.st_mode) &&
	    connect(fd, (const struct sockaddr *)at, sizeof(*at)) == -1 &&
	    errno == ECONNREFUSED)
		unlink(at->sun_path);
}

static int
open_unix(const char *path, struct err *err)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	OWNED_FD fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK |
	    SOCK_CLOEXEC, 0);

	if (fd < 0 || strlen(path) >= sizeof(at.sun_path))
		return err_set(err, ERR_FAULT, "cannot listen on %s", path);
	memcpy(at.sun_path, path, strlen(path) + 1);
	remove_stale(&at);
	if (bind(fd, (const struct sockaddr *)&at, sizeof(at)) == -1 ||
	    chmod(path, 0666) == -1 || listen(fd, BACKLOG) == -1)
		return err_set(err, ERR_FAULT, "cannot listen on %s: %s",
		    path, strerror(errno));
	return TAKE_FD(fd);
}

/* --- all of one address ------------------------------------ */

static const struct listener *
find_old(const struct listeners *old, const char *address)
{
	for (size_t i = 0; old != NULL && i < old->n; i++)
		if (strcmp(old->each[i].address, address) == 0)
			return &old->each[i];
	return NULL;
}

/* The same socket again, so that nobody in its queue is refused. */
static int
share_old(const struct listener *old, size_t which)
{
	return old == NULL || which >= old->n ? -1 :
	    fcntl(old->fds[which], F_DUPFD_CLOEXEC, 0);
}

/* Room for one more of so many sockets; its fds are -1. */
static struct listener *
add(struct listeners *l, const char *address, size_t n, struct err *err)
{
	struct listener *one = &l->each[l->n];

	if (l->n == LISTEN_MAX_SOCKETS) {
		err_set(err, ERR_FAULT, "too many sockets to listen on");
		return NULL;
	}
	one->address = strdup(address);
	one->fds = calloc(n, sizeof(one->fds[0]));
	if (one->address == NULL || one->fds == NULL) {
		free(one->address);
		free(one->fds);
		err_set(err, ERR_FAULT, "out of memory");
		return NULL;
	}
	memset(one->fds, -1, n * sizeof(one->fds[0]));
	one->n = n;
	l->n++;
	return one;
}

/*
 * As many as there are fronts, and the old ones that are more than that: front
 * k gets the kth, and each that is n_fronts further on. (What is too much for
 * a front is closed, once the old one has accepted who waits there.)
 */
static size_t
count_inet(const struct listeners *l, const struct listener *old,
    size_t n_addresses)
{
	size_t most = LISTEN_MAX_OF_FRONT / (n_addresses + LISTEN_SPARE) *
	    l->n_fronts;
	size_t n = old != NULL && old->n > l->n_fronts ? old->n : l->n_fronts;

	return n > most ? most : n;
}

static int
add_inet(struct listeners *l, const struct listener *old,
    const char *address, size_t n_addresses, struct err *err)
{
	struct listener *one = add(l, address,
	    count_inet(l, old, n_addresses), err);

	for (size_t k = 0; one != NULL && k < one->n; k++) {
		one->fds[k] = share_old(old, k);
		if (one->fds[k] < 0)
			one->fds[k] = open_inet(address, true, err);
		if (one->fds[k] < 0)
			return -1;
	}
	return one == NULL ? -1 : 0;
}

/* fd is taken; each front gets a duplicate. */
static int
add_shared(struct listeners *l, const char *address, int fd, struct err *err)
{
	OWNED_FD own = fd;
	struct listener *one = own < 0 ? NULL :
	    add(l, address, l->n_fronts, err);

	for (size_t k = 0; one != NULL && k < l->n_fronts; k++) {
		one->fds[k] = fcntl(own, F_DUPFD_CLOEXEC, 0);
		if (one->fds[k] < 0)
			return err_errno(err, ERR_FAULT, "sharing a socket");
	}
	return one == NULL ? -1 : 0;
}

static int
add_unix(struct listeners *l, const struct listeners *old,
    const char *address, struct err *err)
{
	int fd = share_old(find_old(old, address), 0);

	if (fd < 0)
		fd = open_unix(address + strlen(LISTEN_UNIX), err);
	return add_shared(l, address, fd, err);
}

static int
add_systemd(struct listeners *l, const char *address, struct err *err)
{
	const char *colon = strchr(address, ':');
	const char *name = colon == NULL ? "" : colon + 1;
	int fd = activation_find(name, 0);

	if (fd < 0)
		return err_set(err, ERR_FAULT, "cannot listen on %s: systemd "
		    "has handed over no such socket (ocspd.socket)", address);
	for (size_t i = 0; (fd = activation_find(name, i)) >= 0; i++)
		if (add_shared(l, address, fcntl(fd, F_DUPFD_CLOEXEC, 0),
		    err) == -1)
			return -1;
	return 0;
}

/* The old one is taken along: the address stays bound. */
static int
open_health(const struct settings *s, const struct listeners *old,
    struct listeners *l, struct err *err)
{
	if (s->health_listen[0] == '\0')
		return 0;
	l->health_address = strdup(s->health_listen);
	if (l->health_address == NULL)
		return err_set(err, ERR_FAULT, "out of memory");
	if (old != NULL && old->health_fd >= 0 &&
	    strcmp(old->health_address, s->health_listen) == 0)
		l->health_fd = fcntl(old->health_fd, F_DUPFD_CLOEXEC, 0);
	if (l->health_fd < 0)
		l->health_fd = open_inet(s->health_listen, false, err);
	return l->health_fd < 0 ? -1 : 0;
}

int
listen_open(const struct settings *s, const struct listeners *old,
    struct listeners *out, struct err *err)
{
	struct listeners l = { .n_fronts = s->fronts, .health_fd = -1 };
	int r = 0;

	for (size_t i = 0; r == 0 && i < s->n_listen; i++) {
		const char *address = s->listen[i];

		switch (settings_listen_kind(address)) {
		case LISTEN_KIND_INET:
			r = add_inet(&l, find_old(old, address), address,
			    s->n_listen, err);
			break;
		case LISTEN_KIND_UNIX:
			r = add_unix(&l, old, address, err);
			break;
		case LISTEN_KIND_SYSTEMD:
			r = add_systemd(&l, address, err);
			break;
		case LISTEN_KIND_NONE:
			r = err_set(err, ERR_FAULT, "%s is no address",
			    address);
		}
	}
	if (r == 0)
		r = open_health(s, old, &l, err);
	if (r == -1) {
		listen_close(&l);
		return -1;
	}
	*out = l;
	return 0;
}

void
listen_close(struct listeners *l)
{
	for (size_t i = 0; i < l->n; i++) {
		for (size_t k = 0; k < l->each[i].n; k++)
			fd_release(&l->each[i].fds[k]);
		free(l->each[i].address);
		free(l->each[i].fds);
	}
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

size_t
listen_count(const struct listeners *l, size_t front)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		for (size_t k = front; k < l->each[i].n; k += l->n_fronts)
			n++;
	return n;
}

int
listen_share(const struct listeners *l, size_t front, size_t which,
    struct err *err)
{
	for (size_t i = 0; i < l->n; i++)
		for (size_t k = front; k < l->each[i].n; k += l->n_fronts)
			if (which-- == 0)
				return share(l->each[i].fds[k], err);
	return err_set(err, ERR_FAULT, "there is no such socket");
}

int
listen_share_health(const struct listeners *l, struct err *err)
{
	return share(l->health_fd, err);
}

/* --- for a successor ------------------------------------ */

void
listen_describe(const struct listeners *l, struct buf *out,
    void (*each)(int fd))
{
	for (size_t i = 0; i < l->n; i++) {
		if (settings_listen_kind(l->each[i].address) ==
		    LISTEN_KIND_SYSTEMD)
			continue;
		buf_printf(out, "%s=", l->each[i].address);
		for (size_t k = 0; k < l->each[i].n; k++) {
			buf_printf(out, "%d,", l->each[i].fds[k]);
			each(l->each[i].fds[k]);
		}
		buf_append_str(out, "\n");
	}
	if (l->health_fd < 0)
		return;
	buf_printf(out, "*%s=%d,\n", l->health_address, l->health_fd);
	each(l->health_fd);
}

static bool
is_listening(int fd)
{
	int listening = 0;
	socklen_t len = sizeof(listening);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening,
	    &len) == 0 && listening != 0 &&
	    fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

/* "3,4,5,": into fds, when that is not NULL; how many, or -1. */
static int
read_numbers(const char *text, size_t len, int *fds)
{
	const char *end = text + len;
	char *next;
	int n = 0;

	for (; text < end; text = next + 1, n++) {
		long fd = strtol(text, &next, 10);

		if (next == text || next >= end || *next != ',' || fd < 3 ||
		    fd > INT_MAX || !is_listening((int)fd))
			return -1;
		if (fds != NULL)
			fds[n] = (int)fd;
	}
	return n;
}

static int
read_line(const char *line, size_t len, struct listeners *out,
    struct err *err)
{
	const char *equals = memchr(line, '=', len);
	size_t rest = equals == NULL ? 0 : len - (size_t)(equals + 1 - line);
	int n = equals == NULL ? -1 : read_numbers(equals + 1, rest, NULL);
	OWNED_HEAP(char) *address = equals == NULL ? NULL :
	    strndup(line, (size_t)(equals - line));
	struct listener *one;

	if (n < 1 || address == NULL)
		return err_set(err, ERR_FAULT,
		    "the sockets of the predecessor are not what they seem");
	if (address[0] == '*') {
		out->health_address = strdup(address + 1);
		if (out->health_address != NULL)
			read_numbers(equals + 1, rest, &out->health_fd);
		return n == 1 && out->health_address != NULL ? 0 :
		    err_set(err, ERR_FAULT, "out of memory");
	}
	one = add(out, address, (size_t)n, err);
	if (one == NULL)
		return -1;
	read_numbers(equals + 1, rest, one->fds);
	return 0;
}

int
listen_from_description(const char *text, struct listeners *out,
    struct err *err)
{
	struct listeners l = { .health_fd = -1 };
	size_t len;

	for (; *text != '\0'; text += len + (text[len] == '\n')) {
		len = strcspn(text, "\n");
		if (read_line(text, len, &l, err) == -1) {
			listen_close(&l);
			return -1;
		}
	}
	*out = l;
	return 0;
}
