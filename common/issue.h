#ifndef COMMON_ISSUE_H
#define COMMON_ISSUE_H

#include "common/csr.h"
#include "common/issuer.h"
#include "common/profile.h"
#include "common/serial.h"

#include <time.h>

struct err;

/*
 * The making of certificates (RFC 5280, section 4).
 *
 * An order says everything that ends up in the certificate but the key,
 * which comes from the request. It is frozen before it is signed: the same
 * order gives the same to-be-signed octets.
 */
#define CA_NAME_MAX	63

struct order {
	uint64_t	 request_id;	/* 0: for a CA's own needs */
	char		 ca[CA_NAME_MAX + 1];
	char		 profile[PROFILE_NAME_MAX + 1];
	uint8_t		 profile_digest[32];
	uint8_t		 issuer_key[20];	/* key_sha1 of the CA key */
	struct serial	 serial;
	uint16_t	 shard;		/* which CRL it names; 0: the only one */
	time_t		 not_before, not_after;	/* Unix seconds, inclusive */
	struct names	 names;		/* owned */
	struct bytes	 csr;		/* DER; owned after order_decode */
};

void	order_free_contents(struct order *);
/* Deterministic, both ways; kept in the store and sent to the signer. */
int	order_encode(const struct order *, struct buf *out);
int	order_decode(struct bytes, struct order *out, struct err *);

/*
 * Build the certificate, unsigned but with the algorithm set.
 * Checks the order against the profile, the request and the issuer (validity
 * within the issuer's, names allowed, key allowed, the subject as the
 * profile's template makes it, names within the constraints of the CAs):
 * ERR_REJECT or ERR_FAULT.
 */
int	issue_build(const struct order *, const struct csr *,
	    const struct profile *, const struct issuer *, X509 **out,
	    struct err *);
/* Sign what issue_build made with the algorithm that it names, then verify it
 * against the issuer. */
int	issue_sign(X509 *, const struct issuer *, struct err *);

/* What a CA signs with: as strong as its key; NULL where the key fixes it. */
const EVP_MD *issue_digest(const EVP_PKEY *);
/* notBefore and the like as Unix seconds, UTC. */
int	asn1_time_read(const ASN1_TIME *, time_t *out, struct err *);

/*
 * CA certificates, for ceremonies only. parent NULL: self-signed.
 *
 * What may not be (RFC 5280: 4.2.1.9 path lengths, 4.2.1.10 name constraints
 * beyond the parent's, dates beyond the parent's) is refused: ERR_REJECT.
 */
struct ca_terms {
	struct names	 subject;	/* attributes only; borrowed */
	struct serial	 serial;
	time_t		 not_before, not_after;
	int		 path_len;	/* -1: no limit */
	const NAME_CONSTRAINTS *constraints;	/* borrowed; NULL: none */
	const char	*policies;	/* OIDs, comma-separated; NULL or "" */
	/* A renewal of this certificate, borrowed; or NULL. Then subject, path
	 * length, constraints and policies are its own, octet by octet,
	 * whatever stands above; and with the same key its key identifier.
	 * Addresses that are NULL in the parent are its own too. */
	X509		*renews;
	unsigned int	 instead;	/* but for these: as above (CA_TERM_*) */
};
#define CA_TERM_PATH_LEN	1u
#define CA_TERM_CONSTRAINTS	2u
#define CA_TERM_POLICIES	4u
int	issue_ca(const struct ca_terms *, EVP_PKEY *key,
	    const struct issuer *parent, X509 **out, struct err *);

#endif
