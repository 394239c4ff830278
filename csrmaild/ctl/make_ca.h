#ifndef CSRMAILD_CTL_MAKE_CA_H
#define CSRMAILD_CTL_MAKE_CA_H

#include "common/bytes.h"
#include "common/names.h"

#include <stdbool.h>

struct ctl;
struct err;

/*
 * A ceremony as the command line holds it: takes the store's lock, which a
 * running daemon has (EX_TEMPFAIL), opens the store, finds the users whose
 * files they become, and calls csrmaild/ceremony.h. All borrowed.
 */
struct make_ca {
	const char	*state_dir;
	bool		 unprivileged;	/* the files stay ours */
	const char	*name;
	const char	*parent;	/* NULL: a root */
	const struct names *subject;
	const char	*key;		/* "p256", "rsa3072"; EX_USAGE */
	long		 days;
	int		 path_len;	/* -1: no limit */
	struct bytes	 passphrase;	/* empty: the key is not encrypted */
	struct bytes	 parent_passphrase;
	bool		 keep;		/* one on record is no error */
	const char	*ocsp_url, *ca_url, *crl_url;	/* the parent's; "" */
};
int	make_ca(struct ctl *, const struct make_ca *, struct err *);

/* "O=Example, CN=Root"; a value has no comma. EX_USAGE. */
int	make_ca_subject(struct ctl *, const char *text, struct names *out,
	    struct err *);
/* The first line of a file, without its end. Secret: buf_wipe it. */
int	make_ca_passphrase(struct ctl *, const char *path, struct buf *out,
	    struct err *);

#endif
