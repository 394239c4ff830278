#ifndef CSRMAILD_CEREMONY_H
#define CSRMAILD_CEREMONY_H

#include "common/bytes.h"
#include "common/key.h"
#include "common/names.h"

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
 * certificate for it, published or in the journal of the one that signed it. A CA on record is never touched
 * (ERR_REJECT).
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
};

struct ceremony_ca {
	const char	*name;		/* ca_name_is_valid */
	const struct names *subject;	/* attributes only */
	enum key_kind	 key_kind;
	unsigned int	 key_bits;	/* RSA only */
	struct bytes	 passphrase;	/* empty: the key is not encrypted */
	int64_t		 validity_s;	/* cut to the parent's end */
	int		 path_len;	/* -1: no limit */
};

int	ceremony_create_root(const struct ceremony *,
	    const struct ceremony_ca *, struct err *);

struct ceremony_parent {
	const char	*name;
	struct bytes	 passphrase;
	const char	*ocsp_url, *ca_url, *crl_url;	/* "" leaves it out */
};
int	ceremony_create_child(const struct ceremony *,
	    const struct ceremony_ca *, const struct ceremony_parent *,
	    struct err *);

#endif
