#include "common/plain_file.h"
#include "common/err.h"
#include "common/owned.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>

int
plain_file_open(const char *path, struct err *err)
{
	/* Else the opening of a FIFO waits for one who writes to it. */
	OWNED_FD fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY |
	    O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) == -1)
		return err_set(err, ERR_REJECT, "%s: %s", path,
		    strerror(errno));
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_REJECT, "%s is no regular file: a "
		    "folder, a device or a pipe cannot be read here", path);
	return TAKE_FD(fd);
}
