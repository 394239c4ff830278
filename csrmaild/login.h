#ifndef CSRMAILD_LOGIN_H
#define CSRMAILD_LOGIN_H

#include "common/owned.h"

#include <openssl/ssl.h>

struct err;
struct role;
struct server_settings;

/*
 * What we show a mail server: the password, or a bearer token that is fetched
 * anew before it ends, and a client certificate. For intake and submit alike;
 * knows neither IMAP nor SMTP.
 *
 * A token comes from a file, which main opens anew each time it is wanted (a
 * role cannot: the file is root's), or from the role exec, which runs the
 * command. It is used again until a minute before its end; five minutes when
 * it does not say its end.
 */
struct login;

/*
 * Take what main handed over: descriptors "password", "client_certificate" and
 * "client_key_file", as the settings ask for, and the peer "exec". role and
 * server are borrowed. ERR_FAULT.
 */
int	login_new(struct role *, const struct server_settings *,
	    struct login **out, struct err *);
void	login_free(struct login *);
OWNED_STRUCT_BY(login, login_free)

/* The context of all sessions with this server (csrmaild/stream.h); NULL for
 * TLS_NONE. *out is owned: SSL_CTX_free. ERR_FAULT. */
int	login_tls(const struct login *, SSL_CTX **out, struct err *);

/*
 * The password or token for the next session; borrowed until the next call.
 * "" when the settings ask for none. May wait for exec, for as long as the
 * server's timeout_s and a little more, and ends early at SIGTERM. ERR_RETRY
 * when there is none now; ERR_FAULT when main or exec is gone.
 */
int	login_secret(struct login *, const char **out, struct err *);
/* The server did not take it: the next call fetches another. */
void	login_refused(struct login *);

#endif
