#ifndef COMMON_KEYSTORE_TOKEN_H
#define COMMON_KEYSTORE_TOKEN_H

#include "common/bytes.h"
#include "common/key.h"

#include <openssl/evp.h>

#include <stdbool.h>
#include <stddef.h>

struct err;

/*
 * Keys in a token: PKCS#11 (Cryptoki 2.40), through the module that the
 * configuration names. RSA, P-256, P-384 and P-521. What comes out is an
 * EVP_PKEY with the public half, whose signatures the token makes; the private
 * half is never in our memory (but in that of a module that is all software,
 * as SoftHSM is).
 *
 * Why no library stands in between: docs/decisions/0007-tokens.md.
 *
 * One module a process. The PIN is not kept: when a token went away, its keys
 * must be opened again with it.
 */

/*
 * Which module, for the whole process; nothing is loaded yet. environment:
 * "NAME=VALUE" for the module alone, set when it is loaded. Both are copied.
 */
int	token_use_module(const char *path, const char *const *environment,
	    size_t n, struct err *);
/*
 * Load and initialise it, unless that has been done: before walls rise, since
 * it opens files and sockets and may start threads. ERR_FAULT.
 */
int	token_start(struct err *);

/* uri as keystore_uri_read takes it. Starts the module when it must. ERR_RETRY:
 * no such token is there now. ERR_FAULT: no such key in it, or a wrong PIN. */
int	token_open_key(struct bytes uri, struct bytes pin, EVP_PKEY **out,
	    struct err *);
/* The key that is there, which must be of this kind; or a new one, made in the
 * token, that it does not give away. bits: RSA only. */
int	token_obtain_key(struct bytes uri, enum key_kind, unsigned int bits,
	    struct bytes pin, EVP_PKEY **out, struct err *);

/*
 * Did a signature with a key of its token fail? Then *why says how, and none
 * of them is of more use: free them all, and open them anew. false for keys
 * of files.
 */
bool	token_key_is_lost(const EVP_PKEY *, const char **why);

#endif
