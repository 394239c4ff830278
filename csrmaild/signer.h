#ifndef CSRMAILD_SIGNER_H
#define CSRMAILD_SIGNER_H

#include "common/bytes.h"
#include "common/crl.h"
#include "common/issue.h"
#include "common/issuer.h"
#include "common/owned.h"
#include "csrmaild/principal.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct channel;
struct err;
struct journal;
struct journal_blocked;
struct role;
struct settings;

/*
 * The only process with CA keys. It builds each document itself from parts
 * that it checks again, and believes the registrar nothing that it can see
 * for itself: the request and its signature, the profile, the names and the
 * dates. It never makes a CA certificate (that is a ceremony), never signs
 * the same serial twice, and tells nobody of a certificate before it is in
 * the journal on disk.
 *
 * Does not read the clock, the store or the configuration's files, and has no
 * network. It reads PKCS#10 and nothing else that a stranger wrote.
 */
int	signer_main(struct role *);

/* --- the parts, for signer_main and the tests --------------------------- */
struct signer_ca {
	char		 name[CA_NAME_MAX + 1];
	X509		*cert;		/* owned; NULL: not there */
	EVP_PKEY	*key;		/* owned; NULL: not open */
	uint8_t		 key_sha1[20];	/* when there is a certificate */
	struct issuer	 issuer;	/* borrows the above and settings */
	struct journal	*journal;	/* owned; NULL: not open */
	bool		 revoked;	/* by its parent, or what is above:
					 * it signs CRLs and responders only */
	struct buf	 sealed;	/* the key file, encrypted or a URI, for
					 * `ca unlock` behind the walls */
	char		 why_not[256];	/* "" when all is open */
	bool		 news;		/* the registrar is to be told */
	char		 who[PRINCIPAL_TEXT_SIZE];	/* and who did it; "" */
};

struct signer {
	const struct settings *settings;	/* borrowed */
	int		 keys_fd, journal_fd, published_fd;	/* owned */
	struct signer_ca *cas;	/* owned */
	size_t		 n_cas;
};

/* Opens the folders and makes a row for each key of the settings' CAs: their
 * generations (common/ca.h) that are published. Opens no key. */
int	signer_init(struct signer *, const struct settings *, struct err *);
/*
 * The certificate, key and journal of one CA; -1 also fills why_not. The first
 * call reads the files, so that later ones, with the passphrase, need none;
 * the first for a key in a token also starts the token's module.
 */
int	signer_open_ca(struct signer *, struct signer_ca *,
	    struct bytes passphrase, struct err *);
/* The key is wiped; signer_open_ca opens it again. ERR_REJECT: it is not
 * encrypted, so there is nothing to lock. */
int	signer_close_ca(struct signer_ca *, const char *why, struct err *);
/* After a signature with that CA's key failed: when it was the token that did,
 * all keys in it are closed, and *err becomes ERR_RETRY. */
void	signer_check_token(struct signer *, const struct signer_ca *,
	    struct err *);
bool	signer_has_token(const struct signer *);
void	signer_close_folders(struct signer *);	/* keys and published */
void	signer_free_contents(struct signer *);
/* NULL: none of that name. */
struct signer_ca *signer_ca_by_name(struct signer *, const char *name);
/* NULL and err when there is none, or its key is not open. */
struct signer_ca *signer_find_ca(struct signer *, const char *name,
	    struct err *);

/* Mark the CA with that certificate as revoked, or (removeFromCRL) not, and
 * all below it. From WIRE_REVOKED, and from the journals at start. */
void	signer_note_revoked(struct signer *, const struct signer_ca *issuer,
	    const struct crl_entry *);
/* What the journals say of the CAs; once those are open. */
int	signer_recall_revoked(struct signer *, struct err *);

/* Into the journals that are open: from WIRE_BLOCKED. One that is not learns
 * it when the registrar starts again. */
void	signer_note_blocked(struct signer *, const struct journal_blocked *);
/* ERR_REJECT for a key that the journal of any CA here calls blocked. */
int	signer_check_blocked(struct signer *, const uint8_t spki_sha256[32],
	    struct err *);

/* Addresses of the configuration with the CA and the shard in place of
 * "{ca}" (common/ca.h), as they go into certificates and CRLs. */
#define SIGNER_URL_SIZE	(CRL_URL_MAX + 1)
struct signer_addresses {
	char		 ocsp[SIGNER_URL_SIZE], ca[SIGNER_URL_SIZE],
			 crl[SIGNER_URL_SIZE], delta[SIGNER_URL_SIZE];
};
/* The issuer of a certificate in that shard; out borrows addresses. */
int	signer_issuer(const struct signer_ca *, uint16_t shard,
	    struct signer_addresses *, struct issuer *out, struct err *);
/* Sets point and freshest of the terms; they borrow addresses. */
int	signer_crl_addresses(const struct signer *, const struct signer_ca *,
	    struct crl_terms *, struct signer_addresses *, struct err *);

/*
 * Carry out one order, up to the journal's memory: the caller syncs the
 * journal before it gives *der away.
 *
 * The same order again gives the recorded certificate, also when its key was
 * blocked since: it exists, and is there to be revoked. Another order with a
 * serial that was used is ERR_FAULT. ERR_REJECT: the key is blocked, or the
 * request or its names are not what the profile allows.
 *
 * octets	the order as it came: what the journal remembers it by.
 * der		on success owned: free(3).
 */
int	signer_issue(struct signer *, const struct order *,
	    struct bytes octets, struct bytes *der, struct err *);

/*
 * Answer the registrar: read what is there, carry it out, and answer once the
 * journals are on disk, in one go for all that was waiting. -1: the registrar
 * broke the rules or a journal failed, and the signer must end.
 */
struct signer_desk;
int	signer_desk_new(struct signer *, struct channel *registrar,
	    struct signer_desk **out, struct err *);
void	signer_desk_free(struct signer_desk *);
OWNED_STRUCT_BY(signer_desk, signer_desk_free)
int	signer_desk_serve(struct signer_desk *, struct err *);
/* No CRL is in the making, which borrows its CA's key. */
bool	signer_desk_is_idle(const struct signer_desk *);

#endif
