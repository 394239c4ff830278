#include "csrmaild/ctl/ctl.h"

#include "common/err.h"
#include "common/owned.h"
#include "common/plain_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int
ctl_open_file(struct ctl *ctl, const char *path, struct err *err)
{
	int fd = strcmp(path, "-") != 0 ? plain_file_open(path, err) :
	    fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);

	if (fd < 0) {
		ctl->exit_code = EX_NOINPUT;
		if (strcmp(path, "-") == 0)
			err_errno(err, ERR_REJECT, "standard input");
	}
	return fd;
}

int
ctl_read_file(struct ctl *ctl, const char *path, struct buf *out,
    struct err *err)
{
	OWNED_FD fd = ctl_open_file(ctl, path, err);
	char piece[4096];
	ssize_t n;

	if (fd < 0)
		return -1;
	while ((n = read(fd, piece, sizeof(piece))) > 0)
		if (buf_append(out, piece, (size_t)n) != 0)
			return ctl_fail(ctl, EX_DATAERR, err,
			    "%s: more than %zu octets", path, out->max);
	if (n < 0)
		return ctl_fail(ctl, EX_NOINPUT, err, "%s: %s", path,
		    strerror(errno));
	return 0;
}

int
ctl_write_output(struct ctl *ctl, struct bytes out, struct err *err)
{
	const char *path = ctl_option(ctl, "output");
	FILE *f = path == NULL || strcmp(path, "-") == 0 ? stdout :
	    fopen(path, "we");
	bool written;

	if (f == NULL)
		return ctl_fail(ctl, EX_CANTCREAT, err, "%s: %s", path,
		    strerror(errno));
	written = fwrite(out.data, 1, out.len, f) == out.len &&
	    fflush(f) == 0;
	if (f != stdout && fclose(f) != 0)
		written = false;
	return written ? 0 : ctl_fail(ctl, EX_IOERR, err, "%s: %s",
	    path == NULL ? "standard output" : path, strerror(errno));
}
