#include "ocspd/activation.h"

#include "common/err.h"

#include <sys/socket.h>

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIRST_FD	3	/* SD_LISTEN_FDS_START */
#define MAX_SOCKETS	16
#define MAX_NAME	64

static struct {
	size_t	n;
	char	names[MAX_SOCKETS][MAX_NAME];
} given;

static bool
is_listening(int fd)
{
	int listening = 0, type = 0;
	socklen_t len = sizeof(listening);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening,
	    &len) == 0 && listening != 0 &&
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
	    type == SOCK_STREAM;
}

/* Names stand in the order of the sockets, with colons between. */
static void
take_names(const char *names)
{
	for (size_t i = 0; names != NULL && i < given.n; i++) {
		size_t len = strcspn(names, ":");

		snprintf(given.names[i], MAX_NAME, "%.*s", (int)len, names);
		names += len;
		if (*names == ':')
			names++;
	}
}

int
activation_take(struct err *err)
{
	const char *pid = getenv("LISTEN_PID"), *n = getenv("LISTEN_FDS");
	unsigned long count;

	if (pid == NULL || n == NULL || atol(pid) != (long)getpid())
		return 0;
	count = strtoul(n, NULL, 10);
	if (count > MAX_SOCKETS)
		return err_set(err, ERR_FAULT, "systemd hands over %lu "
		    "sockets, at most %d are taken", count, MAX_SOCKETS);
	for (int fd = FIRST_FD; fd < FIRST_FD + (int)count; fd++)
		if (!is_listening(fd) ||
		    fcntl(fd, F_SETFD, FD_CLOEXEC) == -1 ||
		    fcntl(fd, F_SETFL, O_NONBLOCK) == -1)
			return err_set(err, ERR_FAULT, "descriptor %d of "
			    "systemd is no listening stream socket: see the "
			    ".socket unit", fd);
	given.n = count;
	take_names(getenv("LISTEN_FDNAMES"));
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return 0;
}

int
activation_find(const char *name, size_t n)
{
	for (size_t i = 0; i < given.n; i++)
		if ((name[0] == '\0' || strcmp(name, given.names[i]) == 0) &&
		    n-- == 0)
			return FIRST_FD + (int)i;
	return -1;
}

int
activation_hand_over(void)
{
	char number[32], names[MAX_SOCKETS * (MAX_NAME + 1)] = "";

	if (given.n == 0)
		return 0;
	for (size_t i = 0; i < given.n; i++) {
		fcntl(FIRST_FD + (int)i, F_SETFD, 0);
		snprintf(names + strlen(names), sizeof(names) - strlen(names),
		    "%s%s", i == 0 ? "" : ":", given.names[i]);
	}
	snprintf(number, sizeof(number), "%ld", (long)getpid());
	if (setenv("LISTEN_PID", number, 1) == -1 ||
	    setenv("LISTEN_FDNAMES", names, 1) == -1)
		return -1;
	snprintf(number, sizeof(number), "%zu", given.n);
	return setenv("LISTEN_FDS", number, 1);
}
