#ifndef CSRMAILD_SMTP_PRIVATE_H
#define CSRMAILD_SMTP_PRIVATE_H

#include "csrmaild/smtp.h"

struct err;

/*
 * What the two transports behind csrmaild/smtp.h share: smtp.c chooses one,
 * looks at addresses, and settles what a transport leaves over.
 */
struct smtp_run {			/* one call of smtp_send */
	struct smtp	*smtp;
	const char	*secret;
	smtp_settled_fn	 settled;
	smtp_go_on_fn	 go_on;
	void		*arg;
	char		 text[200];	/* why it went wrong, or what the
					 * server said last */
};

struct smtp_transport {
	/* Once; may change the context. */
	int	(*prepare)(struct smtp *, struct err *);
	/* As smtp_send, but for letters that are settled already. May leave
	 * letters unsettled: they are deferred, with what err or run->text
	 * says. */
	int	(*send)(struct smtp_run *, struct letter *, size_t n,
		    struct err *);
};
extern const struct smtp_transport smtp_esmtp, smtp_etpan;

struct smtp {
	const struct server_settings *server;
	const struct smtp_transport *transport;
	SSL_CTX		*tls;		/* owned; NULL for TLS_NONE */
	int		 stop_fd;
	bool		 login_refused;
	char		 hostname[256];	/* for EHLO */
};

/* The name that the server's certificate must bear. */
const char *smtp_tls_name(const struct smtp *);
/* The first line of it, printable. */
void	smtp_keep_text(char *out, size_t size, const char *in, size_t len);
/* Once for each letter; later calls do nothing. */
void	smtp_settle(struct smtp_run *, struct letter *, enum sent_result,
	    int code, const char *text);
/*
 * RFC 5321, 4.2.1: did the server refuse, in this reply, for now or for good?
 * Then the letter is settled by it. A refusal that is about us, not about the
 * mail, defers it. 354 is no answer to a message.
 */
bool	smtp_settle_by_refusal(struct smtp_run *, struct letter *, int code,
	    const char *text);
/* Refusals of us (RFC 4954, 6; RFC 3207, 4), not of this mail. */
bool	smtp_is_about_session(int code);

#endif
