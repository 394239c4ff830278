#ifndef CSRMAILD_CA_FILES_H
#define CSRMAILD_CA_FILES_H

#include "common/bytes.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <stddef.h>
#include <stdint.h>

struct err;

/*
 * Where a CA's things lie below state_dir, by ca_file_name:
 *
 *	keys/NAME.key		PKCS#8 (common/keystore.h); the signer's
 *	journal/NAME.journal	csrmaild/journal.h; the signer's
 *	published/NAME.crt	the certificate, DER; for everybody
 *	published/NAME.pem	the same in PEM
 *	published/NAME.p7c	with those above it (csrmaild/publish_chain.h)
 */
#define CA_FILE_SIZE	96	/* a name with its suffix and a NUL */

/* A folder of state_dir, which may not be a symbolic link; -1 and err. */
int	ca_open_folder(const char *state_dir, const char *folder,
	    struct err *);
/* published/NAME.crt. 1: there is none. Owned. */
int	ca_load_certificate(int published_fd, const char *ca, X509 **out,
	    struct err *);
/* SHA-1 of the public key's BIT STRING content (RFC 5280, 4.2.1.2). */
int	ca_key_sha1(const X509 *, uint8_t out[20], struct err *);

#endif
