#include "ocspd/files.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define NAME_LEAST	5	/* "a.crl" */
#define NAME_MOST	120	/* "NAME.SERIAL.crt" */

static const struct {
	const char	*folder;
	const char	*suffix;
	const char	*kind;
	const char	*media_type;
} kinds[] = {
	{ "/crl/", ".crl",	"crl",	"application/pkix-crl" },
	{ "/crl/", ".crl.pem",	"crl",	"application/x-pem-file" },
	{ "/ca/", ".crt",	"ca",	"application/pkix-cert" },
	{ "/ca/", ".p7c",	"ca",
	  "application/pkcs7-mime; smime-type=certs-only" },
};

/* What ca_file_name makes, and nothing that means something to a path. */
static bool
is_plain_name(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._@~-";

	return name[0] != '.' && name[0] != '-' &&
	    strspn(name, allowed) == strlen(name);
}

/* "%40" for '@' and "%7e" for '~', which some clients encode; nothing else
 * needs it. */
static bool
copy_name(struct bytes in, char out[NAME_MOST + 1])
{
	size_t n = 0;

	for (size_t i = 0; i < in.len; i++) {
		char c = (char)in.data[i];

		if (c == '%' && in.len - i >= 3 &&
		    memcmp(in.data + i, "%40", 3) == 0) {
			c = '@';
			i += 2;
		} else if (c == '%' && in.len - i >= 3 &&
		    strncasecmp((const char *)in.data + i, "%7e", 3) == 0) {
			c = '~';
			i += 2;
		}
		if (n == NAME_MOST || c == '\0')
			return false;
		out[n++] = c;
	}
	out[n] = '\0';
	return n >= NAME_LEAST;
}

static int
open_regular(int dir_fd, const char *name, struct published *out)
{
	int fd = openat(dir_fd, name,
	    O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return errno == EMFILE || errno == ENFILE ||
		    errno == ENOMEM ? -1 : 1;
	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode)) {
		close(fd);
		return 1;
	}
	out->fd = fd;
	out->octets = (uint64_t)st.st_size;
	out->modified = st.st_mtime;
	snprintf(out->etag, sizeof(out->etag), "%llx-%llx-%llx",
	    (unsigned long long)st.st_ino, (unsigned long long)st.st_size,
	    (unsigned long long)st.st_mtim.tv_sec * 1000000000ull +
	    (unsigned long long)st.st_mtim.tv_nsec);
	return 0;
}

int
files_open(int dir_fd, struct bytes path, struct published *out)
{
	char name[NAME_MOST + 1];

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		size_t folder = strlen(kinds[i].folder);
		size_t suffix = strlen(kinds[i].suffix), len;

		if (dir_fd < 0 || path.len <= folder ||
		    memcmp(path.data, kinds[i].folder, folder) != 0 ||
		    !copy_name(bytes_slice(path, folder, path.len), name) ||
		    !is_plain_name(name))
			continue;
		len = strlen(name);
		if (len <= suffix ||
		    strcmp(name + len - suffix, kinds[i].suffix) != 0)
			continue;
		out->media_type = kinds[i].media_type;
		out->kind = kinds[i].kind;
		return open_regular(dir_fd, name, out);
	}
	return 1;
}
