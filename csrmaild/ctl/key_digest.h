#ifndef CSRMAILD_CTL_KEY_DIGEST_H
#define CSRMAILD_CTL_KEY_DIGEST_H

struct ctl;
struct err;

/*
 * A key as the daemon knows keys (common/key.h, key_digest_spki), in hex: from
 * a certificate, a request or a public key in a file, PEM or DER, or those 64
 * digits themselves. What is in a file is looked for by its form alone; only
 * the digest travels. A private key is refused. EX_DATAERR.
 */
#define KEY_DIGEST_HEX_SIZE	65
int	key_digest_obtain(struct ctl *, const char *name,
	    char out[KEY_DIGEST_HEX_SIZE], struct err *);

#endif
