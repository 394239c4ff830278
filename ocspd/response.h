#ifndef OCSPD_RESPONSE_H
#define OCSPD_RESPONSE_H

#include "common/bytes.h"
#include "common/crl.h"
#include "common/owned.h"
#include "ocspd/request.h"

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct err;

/*
 * OCSP responses (RFC 6960, 4.2), built and signed.
 *
 * Written as DER by hand, from the end to the front, and signed with a kept
 * context: OpenSSL's OCSP_basic_sign costs as much again as the signature.
 * Reads no clock and no store; every statement is a parameter.
 */

/* The delegated signer of one CA: a key, its certificate, and all that is
 * the same in each of its answers. */
struct ocsp_signer;

/* The one algorithm that answers are signed by with such a key; SIGNATURE_ANY:
 * there is none (RSA, P-256, P-384, P-521 and Ed25519 have one). */
enum signature_alg ocsp_signature_of(EVP_PKEY *key);

/* key and cert are borrowed: copied or referenced. Fails for kinds of key
 * that have no algorithm. */
int	ocsp_signer_new(EVP_PKEY *key, X509 *cert, struct ocsp_signer **out,
	    struct err *);
void	ocsp_signer_free(struct ocsp_signer *);
OWNED_STRUCT_BY(ocsp_signer, ocsp_signer_free)

enum single_state {
	SINGLE_GOOD = 1,
	SINGLE_REVOKED,
	SINGLE_UNKNOWN,
};
/* One statement about one certificate. */
struct single {
	struct cert_id	 id;		/* views; echoed as it was asked */
	enum single_state state;
	time_t		 revoked_at;
	enum crl_reason	 reason;	/* left out when unspecified */
	time_t		 invalidity;	/* 0: none */
	bool		 never_issued;	/* our word for it, revoked or unknown:
					 * anybody can ask for such serials */
};

struct response_terms {
	time_t		 this_update;	/* also producedAt: when the store was
					 * read (RFC 9919, 6) */
	time_t		 next_update;
	time_t		 archive_cutoff;	/* of what is issued: since
						 * when statuses are kept
						 * (4.4.4); 0: not said */
	struct bytes	 nonce;		/* echoed; empty: none asked */
};

/* The least that a status can say of a serial that was never issued, when it
 * is to be revoked (2.2 and 4.4.8): with it the answer says that revoked is
 * used in this wider sense. */
void	response_revoke_never_issued(struct single *);

/* 100 SingleResponses of the longest kind, and a certificate. */
#define RESPONSE_MAX	(48u << 10)
#define RESPONSE_MAX_VIEWS	2

struct response {
	struct bytes	 der;		/* a view into the room given */
	size_t		 tail;		/* where the certificates begin */
	/* Of the first ones, views into der: */
	struct bytes	 cert_ids[RESPONSE_MAX_VIEWS];
	size_t		 n_cert_ids;
};
/* Build and sign in room (RESPONSE_MAX octets, the caller's). */
int	response_build(struct ocsp_signer *, const struct single *, size_t n,
	    const struct response_terms *, uint8_t *room,
	    struct response *out, struct err *);

/* A CertID by itself, at the end of room. Empty: no room. */
#define CERT_ID_MAX	256
struct bytes cert_id_write(const struct cert_id *,
	    uint8_t room[CERT_ID_MAX]);

/* An unsigned answer that says only why there is no other: five octets. */
#define RESPONSE_ERROR_OCTETS	5
void	response_error(enum ocsp_status, uint8_t out[RESPONSE_ERROR_OCTETS]);

#endif
