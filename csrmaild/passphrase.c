#include "csrmaild/passphrase.h"

#include "common/ca.h"
#include "common/err.h"
#include "common/issue.h"
#include "common/keystore.h"
#include "common/owned.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PREFIX		"CSRMAIL_PASSPHRASE_"
#define MAX_VARIABLES	32

/* What the environment held, for as long as this process lives: a set of
 * roles that starts again needs it again. */
static struct {
	char	name[PASSPHRASE_NAME_SIZE];
	int	fd;
} taken[MAX_VARIABLES];
static size_t n_taken;

extern char **environ;

void
passphrase_variable(const char *ca, char *out)
{
	char family[CA_NAME_MAX + 1];
	char *at = out + strlen(PREFIX);

	ca_family(ca, family, sizeof(family));
	snprintf(out, PASSPHRASE_NAME_SIZE, "%s%s", PREFIX, family);
	for (; *at != '\0'; at++)
		*at = isascii((unsigned char)*at) &&
		    isalnum((unsigned char)*at) ?
		    (char)toupper((unsigned char)*at) : '_';
}

/* In kernel memory and not mapped anywhere: our own core would not have it. */
static int
seal(const char *value, size_t len, struct err *err)
{
	OWNED_FD fd = memfd_create("passphrase",
	    MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || write(fd, value, len) != (ssize_t)len ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW |
	    F_SEAL_WRITE | F_SEAL_SEAL) == -1)
		return err_errno(err, ERR_FAULT, "keeping a passphrase");
	return TAKE_FD(fd);
}

static int
take_one(const char *variable, char *value, struct err *err)
{
	size_t name_len = (size_t)(value - 1 - variable);

	if (n_taken == MAX_VARIABLES)
		return err_set(err, ERR_FAULT, "more than %d variables "
		    PREFIX "*", MAX_VARIABLES);
	if (name_len >= sizeof(taken[0].name) ||
	    strlen(value) > KEYSTORE_PASSPHRASE_MAX)
		return err_set(err, ERR_FAULT,
		    "%.*s in the environment is too long", (int)name_len,
		    variable);
	taken[n_taken].fd = seal(value, strlen(value), err);
	if (taken[n_taken].fd < 0)
		return -1;
	snprintf(taken[n_taken++].name, sizeof(taken[0].name), "%.*s",
	    (int)name_len, variable);
	return 0;
}

int
passphrase_take_environment(struct err *err)
{
	char **to = environ;
	int r = 0;

	if (environ == NULL)
		return 0;
	for (char **at = environ; *at != NULL; at++) {
		char *value = strchr(*at, '=');

		if (strncmp(*at, PREFIX, strlen(PREFIX)) != 0 ||
		    value == NULL) {
			*to++ = *at;
			continue;
		}
		if (r == 0)
			r = take_one(*at, value + 1, err);
		explicit_bzero(value + 1, strlen(value + 1));
	}
	*to = NULL;
	return r;
}

int
passphrase_open_file(const char *path, struct err *err)
{
	OWNED_FD fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC |
	    O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) == -1)
		return err_set(err, ERR_FAULT, "%s: %s", path,
		    strerror(errno));
	if (!S_ISREG(st.st_mode) ||
	    (st.st_mode & (S_IWGRP | S_IRWXO)) != 0)
		return err_set(err, ERR_FAULT,
		    "%s: it holds a secret and others can reach it: "
		    "chmod 600", path);
	return TAKE_FD(fd);
}

/* systemd.exec(5), LoadCredential=: a folder that only this service sees. 1:
 * it gave us none. */
static int
open_credential(const char *family, int *fd, struct err *err)
{
	const char *folder = getenv("CREDENTIALS_DIRECTORY");
	char path[PATH_MAX], file[CA_NAME_MAX + 16];

	if (folder == NULL || folder[0] != '/')
		return 1;
	ca_file_name(family, "", file, sizeof(file));
	if (snprintf(path, sizeof(path), "%s/csrmail.%s", folder, file) >=
	    (int)sizeof(path))
		return 1;
	if (access(path, F_OK) != 0)
		return 1;
	*fd = passphrase_open_file(path, err);
	return *fd < 0 ? -1 : 0;
}

static int
open_variable(const char *family, int *fd, struct err *err)
{
	char name[PASSPHRASE_NAME_SIZE];

	passphrase_variable(family, name);
	for (size_t i = 0; i < n_taken; i++) {
		if (strcmp(taken[i].name, name) != 0)
			continue;
		*fd = fcntl(taken[i].fd, F_DUPFD_CLOEXEC, 0);
		return *fd < 0 ? err_errno(err, ERR_FAULT,
		    "opening a passphrase of the environment") : 0;
	}
	return 1;
}

int
passphrase_open(const char *ca, const char *file, int *fd, const char **from,
    struct err *err)
{
	char family[CA_NAME_MAX + 1];
	int r;

	ca_family(ca, family, sizeof(family));
	*from = "credential";
	r = open_credential(family, fd, err);
	if (r != 1)
		return r;
	*from = "environment";
	r = open_variable(family, fd, err);
	if (r != 1 || file[0] == '\0')
		return r;
	*from = "file";
	*fd = passphrase_open_file(file, err);
	return *fd < 0 ? -1 : 0;
}

/* What is at that place, also of a descriptor that others have read from; a
 * pipe or a terminal has no places. */
static ssize_t
read_at(int fd, uint8_t *to, size_t len, size_t at)
{
	ssize_t n = pread(fd, to, len, (off_t)at);

	return n < 0 && errno == ESPIPE ? read(fd, to, len) : n;
}

int
passphrase_read(int fd, struct buf *out, struct err *err)
{
	uint8_t *to = buf_reserve(out, KEYSTORE_PASSPHRASE_MAX + 2);
	const uint8_t *end;
	size_t n = 0;

	if (to == NULL)
		return err_set(err, ERR_RETRY, "out of memory");
	while (n < KEYSTORE_PASSPHRASE_MAX + 2) {
		ssize_t got = read_at(fd, to + n,
		    KEYSTORE_PASSPHRASE_MAX + 2 - n, n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			explicit_bzero(to, n);
			return err_errno(err, ERR_FAULT,
			    "reading a passphrase");
		}
		if (got == 0)
			break;
		n += (size_t)got;
	}
	end = n == 0 ? NULL : memchr(to, '\n', n);
	if (end != NULL) {
		size_t line = (size_t)(end - to);

		explicit_bzero(to + line, n - line);
		n = line;
	}
	if (n > KEYSTORE_PASSPHRASE_MAX) {
		explicit_bzero(to, n);
		return err_set(err, ERR_FAULT,
		    "a passphrase has at most %d octets",
		    KEYSTORE_PASSPHRASE_MAX);
	}
	out->len += n;
	return 0;
}
