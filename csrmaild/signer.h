#ifndef CSRMAILD_SIGNER_H
#define CSRMAILD_SIGNER_H

#include "common/bytes.h"
#include "common/crl.h"
#include "common/issue.h"
#include "common/issuer.h"
#include "common/owned.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct channel;
struct err;
struct journal;
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
	char		 why_not[256];	/* "" when all is open */
};

struct signer {
	const struct settings *settings;	/* borrowed */
	int		 keys_fd, journal_fd, published_fd;	/* owned */
	struct signer_ca *cas;	/* owned */
	size_t		 n_cas;
};

/* Opens the folders and makes a row for each CA of the settings; no key. */
int	signer_init(struct signer *, const struct settings *, struct err *);
/* The certificate, key and journal of one CA; -1 also fills why_not. */
int	signer_open_ca(struct signer *, struct signer_ca *,
	    struct bytes passphrase, struct err *);
void	signer_close_folders(struct signer *);	/* keys and published */
void	signer_free_contents(struct signer *);
/* NULL: none of that name. */
struct signer_ca *signer_ca_by_name(struct signer *, const char *name);
/* NULL and err when there is none, or its key is not open. */
struct signer_ca *signer_find_ca(struct signer *, const char *name,
	    struct err *);

/*
 * Carry out one order, up to the journal's memory: the caller syncs the
 * journal before it gives *der away.
 *
 * The same order again gives the recorded certificate; another order with a
 * serial that was used is ERR_FAULT. ERR_REJECT: the request or its names
 * are not what the profile allows.
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

#endif
