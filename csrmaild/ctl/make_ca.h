#ifndef CSRMAILD_CTL_MAKE_CA_H
#define CSRMAILD_CTL_MAKE_CA_H

#include "common/bytes.h"
#include "common/key.h"
#include "common/names.h"

struct ctl;
struct err;

/* What a new CA shall be, as people type it. */

/* "p256", "ed25519", "rsa3072" (a multiple of 1024 from 2048 to 8192): a word
 * of --key-type. EX_USAGE. */
int	make_ca_key(struct ctl *, const char *word, enum key_kind *,
	    unsigned int *bits, struct err *);
/* "O=Example, CN=Root"; a value has no comma. EX_USAGE. */
int	make_ca_subject(struct ctl *, const char *text, struct names *out,
	    struct err *);
/* The first line of a file, without its end. Secret: buf_wipe it. */
int	make_ca_passphrase(struct ctl *, const char *path, struct buf *out,
	    struct err *);

#endif
