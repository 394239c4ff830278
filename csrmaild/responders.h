#ifndef CSRMAILD_RESPONDERS_H
#define CSRMAILD_RESPONDERS_H

#include "common/serial.h"
#include "csrmaild/wire.h"

#include <stdint.h>

struct err;
struct registrar;

/*
 * Certificates for ocspd's keys, without a person. ocspd writes CA.KEYID.p10
 * into its spool; this reads it (a plain file of its user, 4 KiB at most),
 * has it examined by the parser, and orders a certificate from the signer's
 * fixed profile: one pending key for each CA, a few a day. Certificates
 * return by the store.
 */
#define RESPONDERS_TOKEN	(UINT64_C(1) << 62)

int	responders_open(struct registrar *, struct err *);
void	responders_close(struct registrar *);
/* Look into the spools, every few seconds. */
void	responders_pump(struct registrar *);
/* The parser's findings for a token with RESPONDERS_TOKEN. */
void	responders_examined(struct registrar *, const struct findings *);
/* The signer would not: the next key may be looked at. */
void	responders_take_refused(struct registrar *, int64_t ca);
/* ERR_REJECT: the CA's responders have had enough certificates for a day, by
 * whatever way they were asked for. */
int	responders_check_day(struct registrar *, int64_t ca, time_t now,
	    struct err *);
/* Signed: on record for ocspd. Inside the caller's transaction. */
int	responders_take_issued(struct registrar *, int64_t ca, X509 *,
	    struct bytes der, struct err *);

#endif
