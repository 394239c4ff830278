#ifndef CSRMAILD_PUBLISH_H
#define CSRMAILD_PUBLISH_H

#include "csrmaild/wire.h"

struct err;
struct registrar;

/*
 * CRLs: when one is due (on schedule, or seconds after a revocation), its
 * number and dates are committed, the signer writes it, and it appears in the
 * published folder by rename. One at a time. A CRL equals what OCSP says at
 * the change number it was made at.
 */

/* At start: is a revocation on record that the last CRL does not have? */
int	publish_resume(struct registrar *, struct err *);
/* Start the next one that is due. */
void	publish_pump(struct registrar *);
void	publish_take_done(struct registrar *, const struct wire_crl_done *);
void	publish_take_refused(struct registrar *, const struct wire_refused *);

#endif
