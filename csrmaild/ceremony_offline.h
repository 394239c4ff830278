#ifndef CSRMAILD_CEREMONY_OFFLINE_H
#define CSRMAILD_CEREMONY_OFFLINE_H

#include "csrmaild/ceremony.h"
#include "common/issue.h"

struct csr;

/*
 * A CA whose parent is elsewhere: the request leaves as a file, the
 * certificate comes back as one, and no key ever travels (RFC 10003, section
 * 4: .p10 and .p7c). Three steps, on two machines:
 *
 *	ceremony_request	here: a key, and a request for it
 *	ceremony_sign_request	there: the certificate
 *	ceremony_install	here: on record
 *
 * The same for a CA that is on record at both, when its time is over: a
 * certificate for the key it has, or for the next one. Then the first step is
 * ceremony_request_renewal, and the others find out what they have before
 * them. The order of writes is that of all ceremonies.
 */

/* What a request or a certificate is to the CAs on record. */
enum succession_kind {
	SUCCESSION_NONE = 1,	/* a CA that is not on record */
	SUCCESSION_KNOWN,	/* the very certificate is; no request */
	SUCCESSION_SAME_KEY,	/* of a CA on record and its key */
	SUCCESSION_NEW_KEY,	/* the next generation of one */
};
struct succession {
	enum succession_kind	 kind;
	char		 name[CA_NAME_MAX + 1];	/* of the generation */
	X509		*before;	/* owned: what the CA has now; NULL */
};
void	succession_free(struct succession *);
#define OWNED_SUCCESSION	__attribute__((cleanup(succession_free))) \
	struct succession

/* Key and journal of a CA to be, and its request in DER: the subject, the
 * key, and no extension, since what the CA may be is its parent's to say. The
 * same again finds the key and writes a request for it again. ERR_REJECT when
 * the CA is on record. */
int	ceremony_request(const struct ceremony *, const struct ceremony_ca *,
	    struct buf *der, struct err *);
/*
 * The same for a CA on record that has its key here: a request with its
 * subject, for that key or for the next one, which is made, with its journal.
 * Of ca the name, the passphrase, which opens the key there is, and what the
 * new key shall be count (key_kind 0: as before). Nothing on record changes.
 * ERR_REJECT: not on record, no key here, or a root, which renews itself.
 *
 * made		the name of the generation that the request is for.
 */
int	ceremony_request_renewal(const struct ceremony *,
	    const struct ceremony_ca *, bool new_key,
	    char made[CA_NAME_MAX + 1], struct buf *der, struct err *);

/*
 * What does a request ask parent for? Its key tells, or else its subject.
 *
 * name		of a CA not on record yet; told: a person said so, and of one
 *		on record it must be the name.
 *
 * ERR_REJECT: no request of a CA, a key on record with another subject or
 * under another parent, a name that is taken, or a renewal of a certificate
 * that was revoked.
 */
int	ceremony_judge_request(const struct ceremony *, const char *name,
	    bool told, const struct csr *, const char *parent,
	    struct succession *, struct err *);
/*
 * Sign the CA that a request asks for, as it was judged. Of the wish validity,
 * path length, constraints and policies count, the last three of a CA on
 * record where `instead` says so; subject and key are the request's. The same
 * request again, after a ceremony that was cut off, gets the certificate that
 * the parent's journal has.
 */
int	ceremony_sign_request(const struct ceremony *,
	    const struct succession *, const struct ceremony_ca *,
	    const struct csr *, const struct ceremony_parent *, struct err *);

/*
 * What is a certificate that came back for the CA `name`? Before anything is
 * written: keys/NAME.key, or the next one's, must be the certificate's.
 * ERR_REJECT too when it is on record already, begins before the one on
 * record, or has another subject or issuer.
 */
int	ceremony_judge_certificate(const struct ceremony *, const char *name,
	    X509 *, struct bytes passphrase, struct succession *,
	    struct err *);
/* The same of one above it, which signs elsewhere; name: what it is called if
 * it is not on record. */
int	ceremony_judge_above(const struct ceremony *, const char *name,
	    X509 *, struct succession *, struct err *);
/*
 * Put it on record: ceremony_adopt, or in the place of the certificate before,
 * as ceremony_renew does. parent: by its name on record; "" for a root.
 */
int	ceremony_install(const struct ceremony *, const struct succession *,
	    const char *parent, X509 *, struct bytes passphrase,
	    struct err *);

#endif
