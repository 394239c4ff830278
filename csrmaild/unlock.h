#ifndef CSRMAILD_UNLOCK_H
#define CSRMAILD_UNLOCK_H

#include "common/bytes.h"
#include "common/err.h"
#include "common/issue.h"
#include "common/keystore.h"

#include <stdbool.h>

/*
 * What `csrmail ca unlock|lock` and the signer say to each other on
 * unlock.sock (docs/wire.md): one request, one answer, and the connection
 * ends. Frames have the header of common/frame.h and no descriptors; this is
 * not a channel, since a passphrase must not stay in a buffer that grows.
 */
enum unlock_verb {
	UNLOCK_OPEN = 1,
	UNLOCK_CLOSE,
	UNLOCK_ANSWER,		/* the other way */
};

struct unlock_request {
	enum unlock_verb verb;		/* OPEN or CLOSE */
	char		 ca[CA_NAME_MAX + 1];
	struct bytes	 passphrase;	/* borrowed; empty for CLOSE */
};
#define UNLOCK_MAX_REQUEST	(8 + 4 + CA_NAME_MAX + 4 + \
				KEYSTORE_PASSPHRASE_MAX)	/* octets */
/* out: a ceiling of UNLOCK_MAX_REQUEST; it holds a secret: buf_wipe. */
int	unlock_put_request(const struct unlock_request *, struct buf *out,
	    struct err *);
/* 0; 1: in is the beginning of one; -1: of none. Views borrow from in. */
int	unlock_get_request(struct bytes in, struct unlock_request *out,
	    struct err *);

struct unlock_answer {
	bool		 done;
	enum err_kind	 kind;		/* when not done */
	char		 text[256];	/* for the person */
};
#define UNLOCK_MAX_ANSWER	(8 + 2 + 4 + 255)
int	unlock_put_answer(const struct unlock_answer *, struct buf *out,
	    struct err *);
int	unlock_get_answer(struct bytes in, struct unlock_answer *out,
	    struct err *);

#endif
