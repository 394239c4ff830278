#ifndef CSRMAILD_CTL_CHAIN_H
#define CSRMAILD_CTL_CHAIN_H

#include "csrmaild/certs_only.h"

#include "common/issue.h"

struct err;
struct store;

/* A CA's certificate and those above it, root last. */
struct chain {
	X509		*certs[CERTS_ONLY_MAX];	/* owned */
	size_t		 n;
	char		 parent[CA_NAME_MAX + 1];	/* of the last */
};
void	chain_free(struct chain *);
#define OWNED_CHAIN	__attribute__((cleanup(chain_free))) struct chain

/* As it is on record. */
int	chain_load(struct store *, const char *name, struct chain *out,
	    struct err *);
/* In its order, whatever order a file had. ERR_REJECT: it is none. */
int	chain_sort(struct chain *, struct err *);
/* As a stranger would verify it, to the root that is in it, now (RFC 5280,
 * 6). ERR_REJECT. Whether that root is to be trusted is another question. */
int	chain_verify(const struct chain *, struct err *);

#endif
