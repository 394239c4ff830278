#ifndef COMMON_KEYSTORE_H
#define COMMON_KEYSTORE_H

#include "common/bytes.h"
#include "common/key.h"

#include <openssl/evp.h>

#include <stdbool.h>

struct err;

/*
 * Private keys at rest. A key file is one of two things: PKCS#8 in PEM,
 * encrypted with AES-256-CBC and scrypt (RFC 7914); or one line of text, the
 * pkcs11: URI (RFC 7512) of a key in a token, which never leaves it
 * (common/keystore_token.h). One file a key, mode 0600, written by rename and
 * fsynced. The files belong to the user who opens them; another owner, group
 * or world access, or a symbolic link is refused.
 *
 * Files of others are read too when they are PBES2 with AES and PBKDF2 or
 * scrypt (RFC 8018), within limits on the work that they ask for: opening
 * one takes 32 MiB and a few seconds at most.
 *
 * What is read is wiped after use, and an opened key lies in OpenSSL's secure
 * heap where the process has one.
 */
#define KEYSTORE_FILE_MAX	(64 * 1024)	/* octets of a key file */
#define KEYSTORE_PASSPHRASE_MAX	1024		/* octets */

/*
 * For a process that opens keys; first of all, before OpenSSL has any memory.
 * From then on its secrets go to locked memory of heap_octets that no core and
 * no swap sees, and whatever else it gives back is wiped: its decoders leave
 * copies of a key behind. ERR_FAULT when one of the two cannot be had.
 */
int	keystore_guard_memory(size_t heap_octets, struct err *);

/* --- opening ---------------------------------------------------------------- */
/*
 * The octets of a key file, checked for owner and mode, not opened: a process
 * that raises walls keeps them for later. Secret when not encrypted:
 * buf_wipe. out: a ceiling of KEYSTORE_FILE_MAX.
 */
int	keystore_read(int dir_fd, const char *file, struct buf *out,
	    struct err *);
bool	keystore_is_token(struct bytes content);	/* a pkcs11: URI */
bool	keystore_is_plain(struct bytes content);	/* not encrypted */
/*
 * file: for messages. Owned result. A wrong passphrase is ERR_FAULT and says
 * so; a token that does not answer is ERR_RETRY. passphrase is a token's PIN,
 * and empty just for a key that is not encrypted: one that is stored without
 * encryption is not opened with a passphrase, since somebody thinks that it
 * protects.
 */
int	keystore_open(struct bytes content, const char *file,
	    struct bytes passphrase, EVP_PKEY **out, struct err *);
/* Both. dir_fd: the folder. */
int	keystore_load(int dir_fd, const char *file, struct bytes passphrase,
	    EVP_PKEY **out, struct err *);

/* --- making ----------------------------------------------------------------- */
/*
 * A new key. uri NULL: made here, and stored as keystore_save does. Else the
 * pair is found in the token, or made in it when nothing is there, and the
 * file gets the URI; passphrase is the PIN. Refuses to replace a file. Owned
 * result.
 */
int	keystore_create(int dir_fd, const char *file, enum key_kind,
	    unsigned int bits, const char *uri, struct bytes passphrase,
	    EVP_PKEY **out, struct err *);
/* Refuses to replace a file. An empty passphrase stores it unencrypted. */
int	keystore_save(int dir_fd, const char *file, EVP_PKEY *,
	    struct bytes passphrase, struct err *);
/*
 * The same key under another passphrase (empty: not encrypted), in one
 * rename: after a crash the file opens with one of the two. Refuses tokens,
 * whose PIN is the token's business.
 */
int	keystore_rekey(int dir_fd, const char *file,
	    struct bytes old_passphrase, struct bytes new_passphrase,
	    struct err *);

#endif
