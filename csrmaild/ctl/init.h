#ifndef CSRMAILD_CTL_INIT_H
#define CSRMAILD_CTL_INIT_H

#include "common/bytes.h"

#include <stdbool.h>

struct ctl;
struct err;

/*
 * What `csrmail init` will make: every choice, told by an option, answered
 * on the terminal, or by default. choices.c makes it, init.c does it.
 */
struct plan {
	/* Owned; "" where there is none, never NULL. */
	char	*conf_dir, *state_dir, *run_dir, *ocspd_dir;
	char	*name;			/* of the organisation */
	char	*root, *issuer;		/* names of the CAs */
	char	*root_key, *issuer_key;	/* "p384" */
	char	*address, *folder;
	char	*imap_host, *imap_port, *imap_tls, *imap_user,
		*imap_password_file;
	char	*smtp_host, *smtp_port, *smtp_tls, *smtp_user,
		*smtp_password_file;
	char	*ca_file;
	char	*authserv_id, *trusted_received;
	char	*staff;			/* senders that the rule signs for */
	char	*ocsp_url, *ocsp_listen, *health_listen;
	bool	 unprivileged;
};

/* EX_USAGE when something is missing and there is nobody to ask. */
int	plan_make(struct ctl *, struct plan *, struct err *);
void	plan_free_contents(struct plan *);

/* configure.c: the files of conf_dir, csrmaild.conf under that path. */
int	plan_write_configuration(struct ctl *, const struct plan *,
	    const char *path, struct err *);
/* BASE/FOLDER/{ca}SUFFIX, as ocspd serves it; folder NULL: BASE itself. Empty
 * without a base. */
void	plan_address(const struct plan *, const char *folder,
	    const char *suffix, struct buf *out);
/* conf_dir/CA.passphrase */
void	plan_passphrase_file(const struct plan *, const char *ca,
	    struct buf *out);

#endif
