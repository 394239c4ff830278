#ifndef CSRMAILD_CTL_KEY_FILE_H
#define CSRMAILD_CTL_KEY_FILE_H

#include <openssl/evp.h>

struct ctl;
struct err;

/*
 * A person's private key, in PEM or DER, encrypted or not. Its passphrase, if
 * it has one, is in the file that --OPTION names, or is asked for at the
 * terminal. Owned; what was read on the way is wiped. EX_NOINPUT, EX_DATAERR,
 * EX_NOPERM for a passphrase that does not fit.
 */
int	key_file_read(struct ctl *, const char *path, const char *option,
	    EVP_PKEY **out, struct err *);

#endif
