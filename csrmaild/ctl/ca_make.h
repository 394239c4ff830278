#ifndef CSRMAILD_CTL_CA_MAKE_H
#define CSRMAILD_CTL_CA_MAKE_H

#include "common/bytes.h"

#include <stdbool.h>

struct ca_plan;
struct ctl;
struct err;
struct hold;

/* A ceremony as the command line holds it. All borrowed. */
struct make_ca {
	const char	*name;
	const char	*parent;	/* NULL: a root */
	const struct ca_plan *plan;
	const char	*key_uri;	/* pkcs11:; NULL: the key is a file */
	struct bytes	 passphrase;	/* empty: the key is not encrypted */
	struct bytes	 parent_passphrase;
	bool		 keep;		/* one on record is no error */
	const char	*ocsp_url, *ca_url, *crl_url;	/* the parent's; "" */
};
int	make_ca(struct hold *, const struct make_ca *, struct err *);

/* Have the addresses of the CA's section a place for its next key's name?
 * EX_CONFIG; a CA without a section has none. */
int	make_ca_check_places(struct ctl *, const char *family, struct err *);

#endif
