#ifndef CSRMAILD_RENEWAL_H
#define CSRMAILD_RENEWAL_H

#include <stdint.h>

struct err;
struct registrar;
struct serial;

/*
 * What time and renewals bring: the certificate that is replaced is revoked
 * once its successor is issued, and one whose notAfter has passed becomes
 * expired. Asking for a renewal is an act (csrmaild/acts.h).
 */

/* A request for a renewal of that certificate (its id) is issued. Inside the
 * caller's transaction. */
int	renewal_take_issued(struct registrar *, int64_t renews, int64_t ca,
	    const struct serial *, struct err *);
/* Each turn; outside a transaction. Never much at one time. */
void	renewal_pump(struct registrar *);
/* The second half of it alone, for who only reads. */
void	renewal_expire(struct registrar *);

#endif
