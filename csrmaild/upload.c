#include "csrmaild/upload.h"

#include <sys/mman.h>

#include <fcntl.h>
#include <unistd.h>

bool
upload_is_open(const struct upload *upload)
{
	return upload->fd >= 0;
}

int
upload_append(struct upload *upload, const void *data, size_t len,
    size_t *total)
{
	const char *at = data;

	if (upload->fd < 0)
		upload->fd = memfd_create("upload", MFD_CLOEXEC |
		    MFD_ALLOW_SEALING);
	if (upload->fd < 0)
		return -1;
	while (len > 0) {
		ssize_t n = write(upload->fd, at, len);

		if (n <= 0)
			return -1;
		at += n;
		len -= (size_t)n;
		upload->len += (size_t)n;
		*total += (size_t)n;
	}
	return 0;
}

int
upload_seal(struct upload *upload, size_t *total)
{
	int fd = upload->fd;

	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW |
	    F_SEAL_WRITE | F_SEAL_SEAL) == -1) {
		upload_drop(upload, total);
		return -1;
	}
	*total -= upload->len;
	*upload = UPLOAD_NONE;
	return fd;
}

void
upload_drop(struct upload *upload, size_t *total)
{
	if (upload->fd >= 0)
		close(upload->fd);
	*total -= upload->len;
	*upload = UPLOAD_NONE;
}
