#ifndef CSRMAILD_TOKEN_H
#define CSRMAILD_TOKEN_H

#include "common/bytes.h"

#include <time.h>

struct err;

/*
 * Bearer tokens (RFC 6750) as a file or a command gives them: the token alone
 * in one line, or a JSON object as RFC 6749, 5.1 has it, of which
 * "access_token" and "expires_in" (seconds from now) are read and
 * "token_type", when it is there, must be Bearer. A secret: whoever holds one
 * wipes it.
 */
#define TOKEN_MAX	8192	/* octets of a token */
#define TOKEN_MAX_TEXT	65536	/* octets of what holds it */

struct token {
	char	text[TOKEN_MAX + 1];
	time_t	expires_at;		/* Unix seconds; 0: it does not say */
};

/* ERR_RETRY when there is none in it: whoever writes it may be about to. The
 * text of the error has nothing of what was read. */
int	token_read(struct bytes, time_t now, struct token *out, struct err *);

#endif
