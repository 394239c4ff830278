#ifndef CSRMAILD_ISSUANCE_H
#define CSRMAILD_ISSUANCE_H

#include "csrmaild/wire.h"

struct err;
struct registrar;

/*
 * An approved request becomes a certificate: a serial is reserved and the
 * whole order frozen and committed, then the signer gets it, then the
 * certificate is committed with everything that follows from it.
 */

/* At start: orders that a crash left behind go to the signer again. */
int	issuance_resume(struct registrar *, struct err *);
/* Freeze orders for approved requests (one transaction for all) and send
 * what waits. Failures are logged and tried again later. */
void	issuance_pump(struct registrar *);
/* The signer's answers. Inside the caller's transaction. */
int	issuance_take_issued(struct registrar *, const struct wire_issued *,
	    struct err *);
int	issuance_take_refused(struct registrar *, const struct wire_refused *,
	    struct err *);

#endif
