#ifndef CSRMAILD_SMIME_H
#define CSRMAILD_SMIME_H

#include "common/bytes.h"

#include <openssl/x509.h>

#include <stdbool.h>
#include <stdint.h>

struct err;
struct signature;

/*
 * Who signed a mail (RFC 8551), said by OpenSSL's CMS over its raw octets.
 *
 * Runs in a child of the parser of its own, which looks for nothing else; the
 * one that looks for requests gets what the signature covers afterwards, and
 * so can speak for nobody. Only a message that is signed as a whole counts,
 * multipart/signed or application/pkcs7-mime, and by one signer: a signed part
 * deeper down may be anybody's. Whether its certificate is for signing
 * mail, by key usage and extended key usage, is said: one for code or a client
 * may bear the mailbox of whoever answers for it. Encrypted mail is not opened.
 *
 * Does not know which certificates are revoked or whose they are; that the
 * registrar finds out (csrmaild/evidence.h).
 */

/*
 * anchors: certificates in PEM that chains may end in; may be empty. What is
 * covered, a MIME entity, goes to content, and only when the signature is good.
 * signature->der borrows from der. -1 is a fault of ours: what is wrong with
 * the mail stands in signature->text.
 */
int	smime_examine(struct bytes message, struct bytes anchors, int64_t now,
	    struct signature *, struct buf *der, struct buf *content,
	    struct err *);

/* Is the mailbox one of its certificate's? Local part octet for octet, domain
 * in any case. */
bool	signature_bears(const struct signature *, const char *mailbox);
bool	smime_same_mailbox(const char *, const char *);
/* The same of a certificate: one of its first WIRE_MAX_ADDRESSES rfc822Names. */
bool	smime_certificate_bears(X509 *, const char *mailbox);

/* Is this the form of a certificate list that smime_examine can use as
 * anchors? For the one who reads the configuration. */
bool	smime_anchors_are_whole(struct bytes anchors, unsigned int *n);

#endif
