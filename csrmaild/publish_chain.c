#include "csrmaild/publish_chain.h"

#include "common/ca.h"
#include "common/err.h"
#include "common/log.h"
#include "common/owned.h"
#include "csrmaild/ca_files.h"
#include "csrmaild/certs_only.h"
#include "csrmaild/registry.h"

#include <sys/stat.h>

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define MAX_OCTETS	(CHAIN_MAX * 65536u)

static bool
is_there(const struct registrar *r, const char *file, struct bytes want)
{
	OWNED_FD fd = openat(r->published_fd, file, O_RDONLY | O_CLOEXEC |
	    O_NOFOLLOW);
	OWNED_BUF(have, MAX_OCTETS + 1);
	uint8_t *room = buf_reserve(&have, want.len + 1);
	ssize_t n;

	if (fd < 0 || room == NULL)
		return false;
	n = read(fd, room, want.len + 1);
	have.len = n < 0 ? 0 : (size_t)n;
	return bytes_equal(buf_bytes(&have), want);
}

static int
put(const struct registrar *r, const char *file, const char *temporary,
    struct bytes octets, struct err *err)
{
	OWNED_FD fd = openat(r->published_fd, temporary, O_WRONLY | O_CREAT |
	    O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);

	if (fd < 0 || fchmod(fd, 0644) == -1 ||
	    write(fd, octets.data, octets.len) != (ssize_t)octets.len ||
	    fsync(fd) == -1 || renameat(r->published_fd, temporary,
	    r->published_fd, file) == -1)
		return err_errno(err, ERR_RETRY, file);
	return 0;
}

static int
publish_one(struct registrar *r, struct authority *ca, struct err *err)
{
	char file[CA_FILE_SIZE], temporary[CA_FILE_SIZE];
	X509 *chain[CHAIN_MAX];
	size_t n = authority_chain(&r->authorities, ca, r->now, chain);
	OWNED_BUF(p7c, MAX_OCTETS);

	ca_file_name(ca->name, ".p7c", file, sizeof(file));
	ca_file_name(ca->name, ".p7c.new", temporary, sizeof(temporary));
	if (n == 0)
		return 0;
	if (certs_only_write(chain, n, &p7c, err) == -1)
		return -1;
	return is_there(r, file, buf_bytes(&p7c)) ? 0 :
	    put(r, file, temporary, buf_bytes(&p7c), err);
}

void
publish_chains(struct registrar *r)
{
	struct err err;

	for (size_t i = 0; i < r->authorities.n; i++)
		if (publish_one(r, &r->authorities.rows[i], &err) == -1)
			log_warn("chain.not-published",
			    STR("ca", r->authorities.rows[i].name),
			    STR("why", err.text));
}
