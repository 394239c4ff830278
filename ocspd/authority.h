#ifndef OCSPD_AUTHORITY_H
#define OCSPD_AUTHORITY_H

#include "common/issue.h"
#include "common/owned.h"
#include "common/store.h"
#include "ocspd/response.h"
#include "ocspd/settings.h"

#include <stdbool.h>
#include <time.h>

struct err;

/*
 * One CA that we answer for, and our own keys to do so: each answers for one
 * CA only (RFC 6960, 4.2.2.2).
 *
 * A key's life: made here and kept in state_dir/keys; asked for in
 * state_dir/spool as CA.KEYID.p10, from where csrmaild fetches it; its
 * certificate comes back through the store; it signs; at half the life of its
 * certificate the next key is made, which takes over when certified; at the
 * end its file is removed. No step needs a person. So it is for each kind of
 * key that is configured.
 */
#define AUTHORITY_MAX_KEYS	(4 * SIGNATURES)

struct responder_key {
	EVP_PKEY		*key;		/* owned */
	enum signature_alg	 signature;	/* what it signs by */
	uint8_t			 key_sha1[20];
	X509			*cert;		/* owned; NULL: asked for */
	time_t			 not_before, not_after;
	struct ocsp_signer	*signer;	/* owned; NULL as cert is */
};

struct authority {
	int64_t			 id;		/* in the store */
	char			 name[CA_NAME_MAX + 1];
	char			 parent[CA_NAME_MAX + 1];	/* "": a root */
	struct serial		 serial;	/* of cert, under the parent */
	/* Its own certificate was revoked because its key is known to others:
	 * since then nothing that it signed is worth anything. 0: no. */
	time_t			 compromised_at;
	X509			*cert;		/* owned */
	uint8_t			 name_hash[CERT_HASHES + 1][64];
	uint8_t			 key_hash[CERT_HASHES + 1][64];
	struct responder_key	 keys[AUTHORITY_MAX_KEYS];
	size_t			 n_keys;
	time_t			 retry_at;	/* making a key failed */
	time_t			 alarmed_at;	/* that there is no signer */
	bool			 listed;	/* in the store, as read last */
	struct authority	*next;		/* of those that are not */
};

/*
 * Where keys and requests live, both borrowed, open folders; the kinds of key
 * to have, borrowed, the first for who prefers none; and keys in stock. An RSA
 * key takes long to make: one that is wanted is made by who has the time
 * (ocspd/responder.c), and waits here.
 */
struct key_places {
	int			 keys_fd, spool_fd;
	const struct responder_kind *kinds;
	size_t			 n_kinds;
	bool			 wanted[SIGNATURES];	/* by place in kinds */
	EVP_PKEY		*stock[SIGNATURES];	/* owned; NULL: none */
};
void	key_places_close(struct key_places *);

/* Takes the CA's certificate from the row, and our keys for it from disk. */
int	authority_new(const struct ca_row *, const struct key_places *,
	    struct authority **out, struct err *);
void	authority_free(struct authority *);
OWNED_STRUCT_BY(authority, authority_free)

/* Is this the issuer meant? Name hash and key hash both (RFC 6960, 4.1.2). */
bool	authority_matches(const struct authority *, const struct cert_id *);
/* The CertID of a certificate of this CA; views of it and of serial (content
 * of the INTEGER). With NULL parameters, as nearly all clients have them; der
 * is left empty. */
void	authority_name(const struct authority *, enum cert_hash,
	    struct bytes serial, struct cert_id *out);
/* The name alone: a client that asks so has another key in mind. */
bool	authority_has_name(const struct authority *, const struct cert_id *);
/*
 * A responder certificate of this CA from the store: taken for our key that
 * it certifies, when it is sound: true. Else nothing happens, and a
 * certificate that is unsound is named in the log.
 */
bool	authority_offer(struct authority *, const struct responder_row *,
	    const struct key_places *);
/* Once a second or so: make, or want; ask; retire. Failures are logged and
 * tried again later. */
void	authority_keep_keys(struct authority *, struct key_places *,
	    time_t now);
/* The key that signs by that algorithm now: certified, valid, the one that
 * ends last. NULL when there is none. */
struct responder_key *authority_signer(struct authority *, enum signature_alg,
	    time_t now);
/* The one that answers who prefers nothing: of the first kind that has one, or
 * of a kind that is not made any more. NULL when nobody can sign. */
struct responder_key *authority_default_signer(struct authority *,
	    const struct key_places *, time_t now);
/*
 * The one for a request: of the first kind that the client prefers and that
 * signs now (RFC 6960, 4.4.7.2.1), or else the default.
 */
struct responder_key *authority_choose_signer(struct authority *,
	    const struct key_places *, const struct request *, time_t now);

#endif
