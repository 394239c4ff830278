#ifndef CSRMAILD_DESK_PRIVATE_H
#define CSRMAILD_DESK_PRIVATE_H

#include "csrmaild/desk.h"

#include "common/err.h"
#include "common/privsep.h"
#include "csrmaild/registry.h"
#include "csrmaild/signer.h"

#include <stdbool.h>

/* What desk.c (calls, and what follows from them) and desk_open.c (start, end,
 * whose files) share. Nobody else includes this. */
#define DESK_NEVER	INT64_MAX	/* crl_not_before: none of it */

struct desk {
	struct registrar *registrar;	/* owned */
	struct signer	 signer;
	struct signer_desk *signer_desk;	/* owned */
	/* The other ends of what the registrar talks to. */
	struct channel	*signer_end, *parser_end, *api_end;	/* owned */
	int		 lock;		/* owned */
	/* As root: whose files they are. */
	bool		 switches;
	struct identity	 sign, store;
	desk_passphrase	*passphrase;
	void		*arg;
	struct principal who;
	uint64_t	 calls;
	struct err	 refused;	/* what the signer said last; kind 0:
					 * nothing */
};

/* --- desk_open.c --- */
/* Every file is made by the user whose it is. */
int	desk_become_signer(const struct desk *, struct err *);
int	desk_become_registrar(const struct desk *, struct err *);
int	desk_become_self(const struct desk *, struct err *);
/* r as it is, unless the way back to ourselves fails. */
int	desk_come_back(const struct desk *, int r, struct err *);

#endif
