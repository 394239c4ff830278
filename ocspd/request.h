#ifndef OCSPD_REQUEST_H
#define OCSPD_REQUEST_H

#include "common/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * OCSP requests (RFC 6960, 4.1), read from untrusted octets in the front.
 *
 * Says what is asked, not what is so. The request that nearly every client
 * sends (one CertID, and a nonce or nothing else) is read at fixed structure
 * without an allocation; all others go through OpenSSL's OCSP API, and what
 * the two paths yield is the same. A signature on a request is left to
 * ocspd/requestor.h, and a requestorName without one is ignored (RFC 9919,
 * 3.1.2).
 */

/* OCSPResponseStatus (RFC 6960, 4.2.1); its values are those of the RFC. */
enum ocsp_status {
	OCSP_SUCCESSFUL		= 0,
	OCSP_MALFORMED_REQUEST	= 1,
	OCSP_INTERNAL_ERROR	= 2,
	OCSP_TRY_LATER		= 3,
	OCSP_SIG_REQUIRED	= 5,
	OCSP_UNAUTHORIZED	= 6,
};

/* Which digest the hashes of a CertID are. */
enum cert_hash {
	CERT_HASH_SHA1 = 1,
	CERT_HASH_SHA256,
	CERT_HASH_SHA384,
	CERT_HASH_SHA512,
};
#define CERT_HASHES		4
size_t	cert_hash_octets(enum cert_hash);
/* The content octets of its OBJECT IDENTIFIER. */
struct bytes cert_hash_oid(enum cert_hash);

/*
 * The signature algorithms that an answer can have, one for each kind of
 * responder key. This is the whole policy (RFC 6960, 4.4.7.2): nothing that
 * is not named here is ever signed with, and SHA-1 is not.
 */
enum signature_alg {
	SIGNATURE_ANY = 0,		/* nothing is preferred */
	SIGNATURE_ECDSA_SHA256,		/* with P-256 */
	SIGNATURE_ECDSA_SHA384,		/* with P-384 */
	SIGNATURE_ECDSA_SHA512,		/* with P-521 */
	SIGNATURE_RSA_SHA256,
	SIGNATURE_ED25519,
};
#define SIGNATURES		5
/* The content octets of its OBJECT IDENTIFIER. */
struct bytes signature_oid(enum signature_alg);

#define REQUEST_MAX_CERT_IDS	100
#define REQUEST_MAX_NONCE	128	/* RFC 9654, 2.1 */
#define REQUEST_MAX_SERIAL	64	/* longer than any serial can be */

struct cert_id {
	enum cert_hash	 hash;
	bool		 null_params;	/* NULL given in AlgorithmIdentifier */
	struct bytes	 name_hash;	/* views into the request */
	struct bytes	 key_hash;
	struct bytes	 serial;	/* content of the INTEGER; may be one
					 * that no certificate has */
	struct bytes	 der;		/* the whole CertID */
};

struct request {
	size_t		 n_ids;
	struct cert_id	 ids[REQUEST_MAX_CERT_IDS];
	bool		 has_nonce;
	uint8_t		 nonce[REQUEST_MAX_NONCE];
	size_t		 nonce_len;
	/* What the client would have signed with, the first before all; those
	 * that we do not know are left out (RFC 6960, 4.4.7). */
	size_t		 n_preferred;
	enum signature_alg preferred[SIGNATURES];
	bool		 is_signed;	/* by whom is not looked at here */
	const char	*why;		/* when refused: for the log */
	bool		 too_many;	/* refused: more than max_cert_ids */
};

/*
 * Read a request. Views borrow from der. Anything but OCSP_SUCCESSFUL is the
 * unsigned answer to give: malformedRequest, or unauthorized for a hash
 * algorithm by which we know no issuer.
 *
 * Extensions: the nonce (RFC 9654) and preferred-signature-algorithms are
 * understood, each once; acceptable-responses must name id-pkix-ocsp-basic,
 * the one type there is, or nothing that we could answer would be read: that
 * is malformedRequest, since 2.3 has no word for it. Another extension is
 * ignored, and refused as malformedRequest when it is critical (4.4).
 */
enum ocsp_status request_read(struct bytes der, size_t max_cert_ids,
	    struct request *out);
/* Is any of its CertIDs by that algorithm? */
bool	request_has_hash(const struct request *, enum cert_hash);

/* A CertID alone; views borrow from der. False when it is none, or none by a
 * hash algorithm that we know. */
bool	cert_id_read(struct bytes der, struct cert_id *out);

/* The two ways in it, apart for the test that holds them against each other:
 * the first says false for whatever it does not read. */
bool	request_read_common(struct bytes der, struct request *out);
enum ocsp_status request_read_general(struct bytes der, size_t max_cert_ids,
	    struct request *out);

/*
 * The request in the path of a GET (RFC 6960, A.1; RFC 9919, 6): base64 after
 * any prefix, percent-encoded or not, standard or base64url alphabet, padded
 * or not. '//' is not collapsed: it may stand inside base64.
 *
 * 1 and the DER in out (cleared first); 0 when nothing in the path looks like
 * a request; -1 when something does, and is none.
 */
int	request_from_path(struct bytes path, struct buf *out);

#endif
