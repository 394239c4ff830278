#ifndef CSRMAILD_CEREMONY_H
#define CSRMAILD_CEREMONY_H

#include "common/bytes.h"
#include "common/key.h"
#include "common/names.h"

#include <openssl/x509v3.h>

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

struct err;
struct store;

/*
 * The making of CAs: on the folder itself, with no daemon in between, by root
 * or the one user of an unprivileged system.
 *
 * The order of writes: key, journal, published certificate, and last, as the
 * commit, the row in the store with its audit record. A ceremony that was cut
 * off shows nothing to anybody, and the same command again completes it: a key
 * that is there already is opened with the passphrase and used, and so is a
 * certificate for it, published or in the journal of the one that signed it. A
 * CA on record is never touched (ERR_REJECT).
 *
 * For the time of a child's ceremony the parent's journal is held: while a
 * running signer has it, that is ERR_RETRY and the daemon must be stopped.
 */
struct ceremony {
	const char	*state_dir;	/* folders in it are made as needed */
	struct store	*store;		/* read-write, no transaction open */
	const char	*principal;	/* "unix:root", for the audit */
	time_t		 now;
	/* As root: whose files they become. Ignored by others. */
	uid_t		 sign_uid;	/* keys and journals */
	gid_t		 sign_gid;
	uid_t		 store_uid;	/* published */
	gid_t		 store_gid;
	/* What a person should know before they rely on the CA: that two CAs
	 * end together. It goes into the audit trail too. NULL: nobody. */
	void		(*warn)(void *arg, const char *text);
	void		*warn_arg;
};

struct ceremony_ca {
	const char	*name;		/* ca_name_is_valid */
	const struct names *subject;	/* attributes only */
	enum key_kind	 key_kind;
	unsigned int	 key_bits;	/* RSA only */
	struct bytes	 passphrase;	/* empty: the key is not encrypted */
	const char	*key_uri;	/* pkcs11:, for a key in a token, whose
					 * PIN is the passphrase; NULL: a file */
	int64_t		 validity_s;	/* cut to the parent's end */
	int		 path_len;	/* -1: no limit */
	const NAME_CONSTRAINTS *constraints;	/* common/constraints.h; NULL */
	const char	*policies;	/* OIDs, comma-separated; NULL: none */
	/* Of a renewal: which of the last three count (common/issue.h:
	 * CA_TERM_*), the others being the certificate's before. */
	unsigned int	 instead;
};

int	ceremony_create_root(const struct ceremony *,
	    const struct ceremony_ca *, struct err *);

/* By its name the generation (common/ca.h) that signs now is meant. */
struct ceremony_parent {
	const char	*name;
	struct bytes	 passphrase;
	/* Where its things are found, in the child's certificate; "{ca}" as in
	 * the configuration; "" leaves it out. */
	const char	*ocsp_url, *ca_url, *crl_url;
};
int	ceremony_create_child(const struct ceremony *,
	    const struct ceremony_ca *, const struct ceremony_parent *,
	    struct err *);

/*
 * A new certificate for a CA on record, by its family's name: the generation
 * that signs now. Subject, path length, constraints and policies stay, but
 * for what `instead` says.
 *
 * same key	takes the place of the certificate before, which stays beside
 *		it as published/NAME.SERIAL.crt. What the key signed fits both.
 * new key	a new generation, which signs from now on, beside the old one.
 *		For a root also published/NAME.cross.crt: the new key certified
 *		by the old one, for who trusts only that (RFC 4210, 4.4).
 *
 * ca		name; passphrase: of a root's key, and of the new key; it must
 *		open the key there is. validity_s 0: as long as before.
 *		key_kind 0: as before; the rest is of no account.
 * parent	NULL for a root, and only then. Addresses that are NULL are
 *		those of the certificate before.
 *
 * Cut off, the same command completes it. ERR_REJECT: not on record, or the
 * parent is not the one on record.
 */
int	ceremony_renew(const struct ceremony *, const struct ceremony_ca *,
	    bool new_key, const struct ceremony_parent *, struct err *);

/*
 * The same keys under another passphrase (empty: not encrypted): all that are
 * in keys/ of a CA's generations, since they have one source. Cut off, the
 * same command completes it. *n: how many.
 */
int	ceremony_rekey(const struct ceremony *, const char *name,
	    struct bytes old_passphrase, struct bytes new_passphrase,
	    unsigned int *n, struct err *);

/*
 * The first CRL of a CA that signs elsewhere from now on, an offline root:
 * empty, in published/, on record and in the journal. One that has a CRL is
 * left as it is; ERR_REJECT when it has revoked something by now.
 */
int	ceremony_first_crl(const struct ceremony *, const char *name,
	    struct bytes passphrase, int64_t validity_s, struct err *);

/*
 * Put a CA on record that was made elsewhere: files, rows and the audit
 * event "ca.HOW" ("imported", "installed").
 *
 * name		a CA's, or a new generation's of a CA on record ("users~2").
 * parent	on record; of its generations the one whose signature the
 *		certificate bears. "" for a root, or when the parent is none of
 *		ours: then a signature can be checked only if it is its own.
 * key		borrowed; it is written to keys/ under the passphrase. NULL:
 *		keys/NAME.key where it is there, which must fit; otherwise the
 *		CA is known here and signs elsewhere.
 *
 * ERR_REJECT: the name is taken or bad, another CA on record has that key, or
 * the certificate is none of a CA, does not fit the key or the parent.
 */
int	ceremony_adopt(const struct ceremony *, const char *name,
	    const char *parent, X509 *cert, EVP_PKEY *key,
	    struct bytes passphrase, const char *how, struct err *);

/*
 * The last step of an adoption that had no key yet: it begins to sign here.
 * A key that is there already must fit the certificate. ERR_REJECT when this
 * one does not.
 */
int	ceremony_place_key(const struct ceremony *, const char *name, X509 *,
	    EVP_PKEY *key, struct bytes passphrase, struct err *);
/* What that would refuse, for before the CA is on record; nothing is
 * written. */
int	ceremony_check_place_key(const struct ceremony *, const char *name,
	    X509 *, EVP_PKEY *key, struct bytes passphrase, struct err *);

#endif
