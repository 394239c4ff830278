#ifndef CSRMAILD_CTL_HOLD_H
#define CSRMAILD_CTL_HOLD_H

#include "csrmaild/ceremony.h"
#include "csrmaild/principal.h"

struct ctl;
struct err;
struct store;

/*
 * The folder of the CAs in our hands, for a ceremony: the lock, the store, who
 * we are, and whose the files are to be. ctl has its settings. EX_TEMPFAIL
 * while a daemon, or another csrmail, has the lock.
 */
struct hold {
	struct ceremony	 ceremony;	/* what csrmaild/ceremony.h wants */
	char		 who[PRINCIPAL_TEXT_SIZE];
	struct store	*store;		/* owned */
	int		 lock;		/* owned */
	struct ctl	*ctl;
};
/* HOLDING hold = HOLD; is closed when its scope ends. */
#define HOLD	{ .lock = -1 }
#define HOLDING	__attribute__((cleanup(hold_close))) struct hold

int	hold_open(struct ctl *, struct hold *, struct err *);
/* All of it but the store, which is not touched. */
int	hold_take(struct ctl *, struct hold *, struct err *);
/* The store's files go to whose they are. Harmless when open failed. */
void	hold_close(struct hold *);

#endif
