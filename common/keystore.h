#ifndef COMMON_KEYSTORE_H
#define COMMON_KEYSTORE_H

#include "common/bytes.h"

#include <openssl/evp.h>

struct err;

/*
 * Private keys at rest: PKCS#8, encrypted with scrypt and AES-256-CBC, one
 * file a key, mode 0600, written by rename and fsynced. The files belong to
 * the user who opens them; another owner, group or world access, or a
 * symbolic link is refused.
 */

/* dir_fd: the folder. Owned result. A wrong passphrase is ERR_FAULT and says
 * so. passphrase may be empty for a key that is not encrypted. */
int	keystore_load(int dir_fd, const char *file, struct bytes passphrase,
	    EVP_PKEY **out, struct err *);
/* Refuses to replace a file. An empty passphrase stores it unencrypted. */
int	keystore_save(int dir_fd, const char *file, EVP_PKEY *,
	    struct bytes passphrase, struct err *);

#endif
