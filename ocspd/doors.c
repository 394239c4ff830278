#include "ocspd/doors.h"

#include "common/err.h"
#include "common/log.h"
#include "common/role.h"

#include <sys/epoll.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define OPEN_MS	2000	/* at the latest, after the start */

int
doors_take(struct doors *d, struct role *role, int64_t now_ms,
    struct err *err)
{
	char name[32];

	d->open_at_ms = now_ms + OPEN_MS;
	for (;;) {
		int fd;

		snprintf(name, sizeof(name), "listen.%zu", d->n);
		if (d->n == LISTEN_MAX_OF_FRONT ||
		    (fd = role_take(role, name)) < 0)
			break;
		d->fds[d->n++] = fd;
	}
	return d->n > 0 ? 0 :
	    err_set(err, ERR_FAULT, "started without a socket to listen on");
}

void
doors_open(struct doors *d, const struct answers_view *table, int epoll_fd,
    uint64_t first_token, int64_t now_ms)
{
	if (d->opened || (now_ms < d->open_at_ms &&
	    (table == NULL || !answers_alive(table, now_ms))))
		return;
	d->opened = true;
	for (size_t i = 0; i < d->n; i++) {
		/* Of a socket that all fronts share, one is woken. */
		struct epoll_event ev = { .events = EPOLLIN | EPOLLEXCLUSIVE,
			.data.u64 = first_token + i };

		if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, d->fds[i], &ev) == -1)
			log_error("listener.unwatched",
			    STR("why", strerror(errno)));
	}
}

void
doors_close(struct doors *d, int epoll_fd)
{
	d->opened = true;
	for (size_t i = 0; i < d->n; i++) {
		epoll_ctl(epoll_fd, EPOLL_CTL_DEL, d->fds[i], NULL);
		close(d->fds[i]);
	}
	d->n = 0;
}
