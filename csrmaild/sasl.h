#ifndef CSRMAILD_SASL_H
#define CSRMAILD_SASL_H

#include "common/bytes.h"

struct err;
struct server_settings;

/*
 * What a client says first in a SASL exchange (RFC 4422), for the mechanisms
 * that we have. All of them say it at once and then wait for the verdict; an
 * extra question of the server (XOAUTH2's report of what is wrong) is answered
 * with nothing. Knows neither IMAP nor SMTP.
 */
#define SASL_MAX_SECRET	16384	/* octets: long tokens are some thousand */
#define SASL_MAX_LINE	(2 * SASL_MAX_SECRET)	/* of a response in base64 */

/* "PLAIN", "XOAUTH2", "EXTERNAL": by the server's auth. */
const char *sasl_mechanism(const struct server_settings *);

/*
 * The initial response, in base64, into out (a ceiling of SASL_MAX_LINE; wipe
 * it). secret is the password or the token. ERR_FAULT when user or secret has
 * an octet that the mechanism cannot carry, or is too long.
 */
int	sasl_response(const struct server_settings *, const char *secret,
	    struct buf *out, struct err *);

/*
 * Some servers repeat what they do not understand. Where text, an answer that
 * people and logs will see, has the secret in clear or in base64, all of it is
 * replaced. Its size is that of the longest sentence here, 64, at least.
 */
void	sasl_censor(char *text, size_t size, const char *secret);

#endif
