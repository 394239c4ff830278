#ifndef CSRMAILD_PUBLISH_H
#define CSRMAILD_PUBLISH_H

#include "csrmaild/wire.h"

#include <jansson.h>

#include <stdbool.h>

struct authority;
struct err;
struct registrar;

/*
 * CRLs: when one is due (on schedule, or seconds after a revocation), its
 * number and dates are committed, the signer writes it, and it appears in the
 * published folder by rename, as DER and PEM. One at a time.
 *
 * A CRL equals what OCSP says at the change number it was made at: all its
 * entries are read from one snapshot of the store, taken right after the
 * commit. It is sent, and copied, a slice in each turn of the registrar's
 * loop, which goes on with everything else meanwhile.
 *
 * Full ones come on schedule. With deltas, a revocation makes a delta, and a
 * full one comes with a delta of its number (RFC 5280, 5.2.3 and 5.2.4).
 */

/* At start: the scopes of every CA, and what the last CRLs do not have. */
int	publish_resume(struct registrar *, struct err *);
/* The next slice of what is in hand, or the next one that is due. */
void	publish_pump(struct registrar *);
/* Is there a slice that waits for nothing but its turn? */
bool	publish_is_busy(const struct registrar *);
void	publish_take_done(struct registrar *, const struct wire_crl_done *);
void	publish_take_refused(struct registrar *, const struct wire_refused *);
/* Give up what is in hand; at the end of all. */
void	publish_close(struct registrar *);

/* A revocation or release in that shard was committed. */
void	publish_note_change(struct authority *, uint16_t shard);
/* A person wants new full ones. */
void	publish_want_all(struct authority *);
/*
 * The full list of a CA on record that signs elsewhere. Who brought it has
 * verified it: terms and entries are what stands in its octets. ERR_REJECT
 * when the CA signs here, or the list is not newer than the one that is here.
 */
int	publish_install(struct registrar *, const char *ca,
	    const struct crl_terms *, const struct crl_entry *, size_t n,
	    struct bytes der, const char *who, struct err *);
/* Sentences on lists that are late or ended, to a status's "trouble". */
void	publish_describe_trouble(const struct registrar *, json_t *trouble);

#endif
