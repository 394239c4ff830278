#ifndef CSRMAILD_PASSPHRASE_H
#define CSRMAILD_PASSPHRASE_H

#include "common/bytes.h"

#include <stddef.h>

struct err;

/*
 * Where the passphrase of a CA's key comes from, before anybody is asked for
 * it (docs/guide/keys.md compares them): a systemd credential, the
 * environment, or a file. All generations of a CA have one source: names are
 * taken as their family's.
 *
 * The one who opens a source passes it on by its descriptor and need not read
 * it; passphrase_read is the reader's side.
 */
#define PASSPHRASE_NAME_SIZE	96	/* octets of a variable's name */

/* CSRMAIL_PASSPHRASE_ and the name in capitals; what is not A-Z or 0-9 then
 * becomes an underscore. out holds PASSPHRASE_NAME_SIZE. */
void	passphrase_variable(const char *ca, char *out);

/*
 * Take every CSRMAIL_PASSPHRASE_* out of the environment: the values move to
 * sealed descriptors of our own, the memory that held them is wiped (what
 * /proc/PID/environ shows), and no child inherits them. To be called first of
 * all. More than 32, or one beyond KEYSTORE_PASSPHRASE_MAX, is ERR_FAULT.
 */
int	passphrase_take_environment(struct err *);

/*
 * The CA's source: *fd is the caller's, *from a word for messages (borrowed).
 * file: passphrase_file of the configuration, or "". 1: there is none.
 * ERR_FAULT: there is one that cannot be used; text says which and why.
 */
int	passphrase_open(const char *ca, const char *file, int *fd,
	    const char **from, struct err *);
/* A file that holds a secret: nobody but its owner and a group may read it,
 * nobody but its owner write it, and it is no link. The caller's, or -1. */
int	passphrase_open_file(const char *path, struct err *);

/* The first line of fd without its end, at most KEYSTORE_PASSPHRASE_MAX
 * octets. */
int	passphrase_read(int fd, struct buf *out, struct err *);

#endif
