#ifndef CSRMAILD_REVOCATION_MAIL_H
#define CSRMAILD_REVOCATION_MAIL_H

#include <stdbool.h>
#include <stdint.h>

struct err;
struct mailbox_settings;
struct registrar;
struct vouching;
struct wire_submit;

/*
 * Mails that ask for revocations (csrmaild/wish.h): who may, and what becomes
 * of it.
 *
 * Only what a sound signature covers is heard. Either it is made with the
 * certificate's own key, and the certificate of the signature is on record
 * octet for octet: then From is of no interest, and one that is on hold or over
 * proves the key as well. Or it vouches for the From mailbox (EVIDENCE_SMIME),
 * which asks about a certificate of another key. In both cases the rules
 * decide (csrmaild/policy.h).
 *
 * Whoever reports a key as lost, and names a certificate of it that is over,
 * means the one in force as well.
 *
 * Out of reach: certificates of other CAs than the mailbox's (all its
 * generations), those of CAs and of OCSP responders, reasons that are for CAs,
 * and lifting a hold.
 */
struct revocation_plea {
	const struct wire_submit *submit;	/* borrowed, like the rest */
	const struct mailbox_settings *mailbox;
	const struct vouching *vouching;
	const char	*principal;
	const char	*reply_to;	/* who gets the answer; "" */
	int64_t		 submission;	/* its id */
};
struct revocation_count {
	unsigned int	 revoked, held, rejected;
};

/* Does the mail ask for one? */
bool	revocation_mail_asks(const struct wire_submit *);
/*
 * May the From mailbox hear what becomes of it, though nothing else vouches for
 * it? When the certificate that signed bears it, and asks for its own end.
 */
bool	revocation_mail_may_hear(const struct wire_submit *,
	    const struct vouching *);
/* Each is decided, done and put on record. Inside the caller's transaction;
 * registrar_tell_revoked follows its commit. */
int	revocation_mail_take(struct registrar *,
	    const struct revocation_plea *, struct revocation_count *,
	    struct err *);

#endif
