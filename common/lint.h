#ifndef COMMON_LINT_H
#define COMMON_LINT_H

#include "common/issuer.h"
#include "common/profile.h"

#include <openssl/x509.h>

#include <stdbool.h>

struct err;

/*
 * A second opinion on certificates before the CA key touches them (RFC 5280,
 * section 4), and on certificates, requests, CRLs and OCSP responses in
 * files. Reads the octets themselves and shares no code with what builds
 * them, so that one mistake has to be made twice.
 *
 * Looks at form and content: encodings, dates, names, keys, algorithms,
 * extensions, and what the profile and the issuer say. Verifies no signature
 * and no chain, decides nothing about who may have a name, reads no clock.
 */
enum lint_severity {
	LINT_NOTICE = 1,	/* odd, and allowed */
	LINT_WARNING,		/* against a SHOULD */
	LINT_ERROR,		/* against a MUST */
};

/* docs/lint.md lists them all; an id never changes its meaning. */
struct lint_rule {
	const char		*id;		/* "validity_order" */
	enum lint_severity	 severity;
	bool			 refuses;	/* nothing with it is signed */
	const char		*section;	/* "RFC 5280, 4.1.2.5" */
	const char		*text;		/* "its version is not 3" */
};
/* The rule of that index; NULL behind the last. */
const struct lint_rule *lint_rule(size_t);

struct lint_finding {
	const struct lint_rule	*rule;
	const char		*section;	/* the rule's, or nearer */
	char			 text[192];	/* ASCII */
};
/* False: enough, nothing more is told. */
typedef bool lint_report(void *arg, const struct lint_finding *);

enum lint_kind {
	LINT_CERTIFICATE = 1,
	LINT_CSR,
	LINT_CRL,
	LINT_OCSP_RESPONSE,
};
const char *lint_kind_name(enum lint_kind);
/* By its first elements, or -1. Says nothing about the rest. */
int	lint_kind_of(struct bytes der, enum lint_kind *);

/* What a document is compared with, besides the RFCs. */
struct lint_terms {
	const struct profile	*profile;	/* of certificates; or NULL */
	/* NULL: not known. Only cert and the addresses are looked at; of
	 * these, NULL is not compared. */
	const struct issuer	*issuer;
};

/*
 * All findings of a document. A rule is told LINT_REPEATS times at most, so
 * that a bad list of a million entries does not drown the rest. Memory: 16
 * octets for each entry of a CRL, to find doubles; ERR_RETRY when it is not
 * to be had. ERR_REJECT for more than LINT_MAX_OCTETS.
 */
#define LINT_REPEATS		8
#define LINT_MAX_OCTETS		((size_t)256 << 20)
int	lint_document(enum lint_kind, struct bytes der,
	    const struct lint_terms *, lint_report *, void *arg,
	    struct err *);

/*
 * Before it is signed: ERR_FAULT with the first finding that refuses, and its
 * section. The first is for what is issued by request, and compares with
 * profile and issuer throughout; the second for CA certificates (issuer NULL:
 * self-signed). The first does not look for weak primes, which csr_read has
 * done and which takes a millisecond; all else looks for them.
 */
int	lint_certificate(X509 *tbs, const struct profile *,
	    const struct issuer *, struct err *);
int	lint_ca_certificate(X509 *tbs, const struct issuer *, struct err *);

#endif
