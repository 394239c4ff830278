#ifndef CSRMAILD_SEAL_IDENTITY_H
#define CSRMAILD_SEAL_IDENTITY_H

#include "common/bytes.h"
#include "common/owned.h"

#include <openssl/x509.h>

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

struct err;

/*
 * Who a mailbox is when it signs its replies (S/MIME, RFC 8550): a
 * certificate with its chain, and the private key.
 *
 * Reads octets, never files, and no clock. Whether the certificate is revoked
 * or whose CA it is from does not matter here: who reads the mails decides
 * whom to trust.
 */
#define SEAL_FILE_MAX		(64u << 10)	/* octets of one file; all of its
						 * certificates go into each
						 * mail: WIRE_MAX_SEAL */
#define SEAL_MAX_CERTIFICATES	10	/* its own and the chain */

/* The files, by the keys of the configuration. */
enum seal_file {
	SEAL_CERTIFICATE = 0,	/* PEM: its own first, then the chain */
	SEAL_KEY,		/* PKCS#8 in PEM */
	SEAL_PASSPHRASE,	/* empty: the key is not encrypted */
	SEAL_FILES,
};
const char *seal_file_key(enum seal_file);	/* "smime_certificate", ... */

struct seal_identity {
	X509		*cert;		/* owned */
	STACK_OF(X509)	*chain;		/* owned; may be empty */
	EVP_PKEY	*key;		/* owned */
	time_t		 not_before, not_after;	/* Unix seconds, inclusive */
	char		*mailbox;	/* owned */
};

/*
 * Fails with ERR_FAULT when the files do not fit each other, the mailbox (an
 * rfc822Name of the certificate: RFC 8550, 3), or what they are for
 * (digitalSignature and emailProtection, RFC 8550, 4.4), and says in *fault
 * which one is wrong. An SmtpUTF8Mailbox does not count: it has a local part
 * beyond ASCII (RFC 9598, 3), which no mailbox here can have. Keys of RSA (2048
 * to 8192 bits), P-256, P-384 and P-521; keys in a token are not for this.
 *
 * A certificate that has expired or is not yet valid is read all the same.
 */
int	seal_identity_read(const struct bytes files[SEAL_FILES],
	    const char *mailbox, struct seal_identity **out,
	    enum seal_file *fault, struct err *);
void	seal_identity_free(struct seal_identity *);
OWNED_STRUCT_BY(seal_identity, seal_identity_free)

/*
 * Is its certificate valid now? If not, text says why not; if it is, text says
 * that it ends soon, or is empty.
 */
bool	seal_identity_is_valid(const struct seal_identity *, time_t now,
	    char *text, size_t size);

#endif
