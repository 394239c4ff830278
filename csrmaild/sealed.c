#include "csrmaild/sealed.h"
#include "common/err.h"
#include "common/frame.h"
#include "common/privsep.h"

#include <openssl/evp.h>

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILD_USER	"csrmail-parse"
#define NOBODY		65534
#define MAX_MEMORY	((size_t)4 << 30)	/* a CRL of a million entries */

/* Who runs csrmaild's parser, or nobody where there is no such user. */
static int
become_small(struct err *err)
{
	struct identity id = { .uid = NOBODY, .gid = NOBODY };
	const struct passwd *pw;

	if (geteuid() != 0)
		return 0;
	pw = getpwnam(CHILD_USER);
	if (pw != NULL) {
		id.uid = pw->pw_uid;
		id.gid = pw->pw_gid;
	}
	return privsep_become(&id, err);
}

static _Noreturn void
live(int (*fn)(int, void *), void *arg, int fd, unsigned int allow)
{
	const struct sandbox box = { .allow = allow,
		.max_memory = MAX_MEMORY };
	struct err err;

	/* Its end as descriptor 3, and nothing behind that. */
	if (fd != 3 && dup2(fd, 3) < 0)
		_exit(1);
	if (close_range(4, ~0u, 0) < 0 || become_small(&err) < 0 ||
	    privsep_raise_walls(&box, &err) < 0)
		_exit(1);
	close(STDIN_FILENO);
	close(STDOUT_FILENO);
	_exit(fn(3, arg));
}

int
sealed_start(int (*fn)(int, void *), void *arg, unsigned int allow,
    struct sealed *out, struct err *err)
{
	int ends[2];
	pid_t pid;

	/* Algorithms are loaded now: behind the walls there are no files. */
	EVP_MD_free(EVP_MD_fetch(NULL, "SHA2-256", NULL));
	fflush(NULL);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return err_errno(err, ERR_RETRY, "starting a child");
	pid = fork();
	if (pid == 0)
		live(fn, arg, ends[1], allow);
	close(ends[1]);
	if (pid < 0) {
		close(ends[0]);
		return err_errno(err, ERR_RETRY, "starting a child");
	}
	*out = (struct sealed){ pid, ends[0] };
	return 0;
}

int
sealed_end(struct sealed *s)
{
	int status = -1;

	if (s->pid < 0)
		return 0;
	close(s->fd);
	while (waitpid(s->pid, &status, 0) < 0 && errno == EINTR)
		continue;
	*s = SEALED_NONE;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

static int
send_all(int fd, struct bytes octets, struct err *err)
{
	while (octets.len > 0) {
		ssize_t n = send(fd, octets.data, octets.len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_errno(err, ERR_FAULT,
			    "speaking with a child");
		octets = bytes_slice(octets, (size_t)n, octets.len);
	}
	return 0;
}

int
sealed_send(int fd, struct bytes octets, struct err *err)
{
	uint8_t head[4];

	if (octets.len > UINT32_MAX)
		return err_set(err, ERR_FAULT, "a frame is too long");
	for (size_t i = 0; i < 4; i++)
		head[i] = (uint8_t)(octets.len >> (24 - 8 * i));
	if (send_all(fd, (struct bytes){ head, 4 }, err) < 0)
		return -1;
	return send_all(fd, octets, err);
}

static int
receive_all(int fd, uint8_t *to, size_t len, struct err *err)
{
	while (len > 0) {
		ssize_t n = read(fd, to, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(err, ERR_FAULT,
			    "listening to a child");
		if (n == 0)
			return err_set(err, ERR_FAULT,
			    "a child that reads files has ended");
		to += n;
		len -= (size_t)n;
	}
	return 0;
}

int
sealed_receive(int fd, struct buf *to, struct err *err)
{
	uint8_t head[4], *room;
	struct cursor c = CURSOR(((struct bytes){ head, sizeof(head) }));
	uint32_t len;

	if (receive_all(fd, head, sizeof(head), err) < 0)
		return -1;
	len = get_u32(&c);
	buf_clear(to);
	if (len > to->max || (room = buf_reserve(to, len)) == NULL)
		return err_set(err, ERR_FAULT,
		    "a child says more than it may");
	if (receive_all(fd, room, len, err) < 0)
		return -1;
	to->len = len;
	return 0;
}
