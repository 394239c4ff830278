#ifndef COMMON_NAMES_H
#define COMMON_NAMES_H

#include "common/frame.h"
#include "common/owned.h"

#include <openssl/x509.h>

#include <stddef.h>

struct err;

/*
 * What a certificate is for: a subject and subjectAltNames, as text.
 *
 * Text here is always checked: no NUL, no control and no bidi character, at
 * most NAME_TEXT_MAX octets of UTF-8 (RFC 5280, 4.2.1.6).
 */
#define NAME_TEXT_MAX		255
#define NAMES_MAX_ATTRIBUTES	16
#define NAMES_MAX_SANS		100

enum san_kind {
	SAN_DNS = 1,	/* A-labels, lower case; may begin with "*." */
	SAN_EMAIL,	/* rfc822Name, ASCII; domain lower case */
	SAN_IP,		/* as inet_ntop writes it */
	SAN_URI,
	SAN_SMTP_UTF8,	/* SmtpUTF8Mailbox (RFC 9598) */
};

struct attribute {
	int		nid;		/* NID_commonName, ...: OpenSSL's */
	char		text[NAME_TEXT_MAX + 1];
};

struct san {
	enum san_kind	kind;
	char		text[NAME_TEXT_MAX + 1];
};

struct names {
	struct attribute *attributes;	/* owned, in the order of the RDNs */
	size_t		 n_attributes;
	struct san	*sans;		/* owned, without doubles */
	size_t		 n_sans;
};

void	names_free(struct names *);	/* what it holds; safe to repeat */
/* Text is checked by kind; ERR_REJECT says which name and why. A repeated
 * SAN is dropped silently. */
int	names_add_attribute(struct names *, int nid, struct bytes,
	    struct err *);
int	names_add_san(struct names *, enum san_kind, struct bytes,
	    struct err *);
/* The attributes of a subject as people type it: "O=Example, CN=Root". A
 * value has no comma. ERR_REJECT. */
int	names_add_typed(struct names *, const char *text, struct err *);
int	names_copy(const struct names *, struct names *out, struct err *);
/* The first common name, or NULL. */
const char *names_common_name(const struct names *);
/* "CN=a, DNS:b, email:c", for people and logs; cut to size. */
void	names_describe(const struct names *, char *out, size_t size);
const char *san_kind_name(enum san_kind);	/* "DNS", "email", "IP", ... */

/* From a certificate or request. Unknown name forms (otherName but
 * SmtpUTF8Mailbox, directoryName, ...) are ERR_REJECT. sans may be NULL. */
int	names_read(const X509_NAME *subject, const GENERAL_NAMES *sans,
	    struct names *out, struct err *);
/* Owned results. PrintableString for C and serialNumber, UTF8String for the
 * rest, IA5String for emailAddress and DC (RFC 5280, 4.1.2.4 and A.1). */
X509_NAME *names_to_subject(const struct names *, struct err *);
/* NULL without error when there are no SANs: check n_sans first. */
GENERAL_NAMES *names_to_sans(const struct names *, struct err *);

/* Both directions of the one encoding (frames, orders, the store). */
void	put_names(struct buf *, const struct names *);
/* On failure the cursor has failed and out holds nothing. */
void	get_names(struct cursor *, struct names *out);

#endif
