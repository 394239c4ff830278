#ifndef CSRMAILD_CTL_CERTFILE_H
#define CSRMAILD_CTL_CERTFILE_H

#include "common/bytes.h"

struct ctl;
struct err;

/* Certificates as the command line shows and writes them. */

/* "AB:CD:...", SHA-256 over the DER of the first certificate in pem. */
#define CERTFILE_PRINT_SIZE	96
int	certfile_fingerprint(const char *pem, char out[CERTFILE_PRINT_SIZE]);
/* -1: there is no certificate in it, or too long. */
int	certfile_to_der(const char *pem, struct buf *out);
/* A file that is DER becomes PEM text; PEM stays. -1: neither. */
int	certfile_from_request(struct buf *file);
/* The certificate of the CA and of those above it, root last. */
int	certfile_append_chain(struct ctl *, const char *ca, struct buf *out,
	    struct err *);

#endif
