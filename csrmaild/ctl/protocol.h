#ifndef CSRMAILD_CTL_PROTOCOL_H
#define CSRMAILD_CTL_PROTOCOL_H

#include "common/bytes.h"
#include "common/key.h"
#include "common/names.h"

#include <openssl/x509.h>

#include <jansson.h>

struct ctl;
struct err;

/*
 * The protocol of a ceremony: what was done, when, by whom, with what came of
 * it, in plain text to be printed, signed by hand and filed. It holds no
 * secret: the command line has none (passphrases come from files and
 * terminals).
 */
struct protocol {
	struct ctl	*ctl;
	struct buf	 text;		/* owned */
};

/* Before anything is done: a --protocol that could not be written then. A file
 * that is there is somebody's record, and is left alone. EX_CANTCREAT. */
int	protocol_check(struct ctl *, struct err *);
/* what: "a root CA was made". */
void	protocol_begin(struct protocol *, struct ctl *, const char *what);
/* One line; a value of others is shown without control characters. */
void	protocol_put(struct protocol *, const char *label, const char *value);
/* Subject, issuer, serial, validity, path length, key, fingerprints. */
void	protocol_put_cert(struct protocol *, const char *label, X509 *);
void	protocol_put_names(struct protocol *, const char *label,
	    const struct names *);
void	protocol_put_facts(struct protocol *, const struct key_facts *);
/* Issuer, number, dates, and how many stand on it: rows of the API, of its CA
 * and of the list. */
void	protocol_put_crl(struct protocol *, const json_t *ca,
	    const json_t *crl);
/* Its name and the SHA-256 of what is in it now. */
void	protocol_put_file(struct protocol *, const char *path);
/*
 * The lines to sign on; then to standard output (with --json, or where that
 * has the document itself, to nobody), and to --protocol. Frees it.
 * EX_CANTCREAT: what was done is done all the same.
 */
int	protocol_end(struct protocol *, struct err *);

#endif
