#ifndef CSRMAILD_SETTINGS_PRIVATE_H
#define CSRMAILD_SETTINGS_PRIVATE_H

#include "common/config.h"
#include "csrmaild/settings.h"

/*
 * What the files of csrmaild/settings.h share; one for each section of
 * csrmaild.conf. Readers fail with file, line and key. What a reader has
 * filled in part, its free function takes.
 */
#define DAY_S		86400

/* All of csrmaild.conf: keys and defaults. */
extern cfg_opt_t	 settings_opts[];

int	settings_copy_str(cfg_t *, const char *key, char **out,
	    struct err *);
/* Absolute, or empty. */
int	settings_check_path(cfg_t *, const char *key, struct err *);

int	settings_read_server(cfg_t *, bool login_required,
	    struct server_settings *out, struct err *);
void	settings_free_server(struct server_settings *);
/* Of the whole file: without a mailbox on a server smtp may be missing. */
int	settings_read_smtp(cfg_t *, struct server_settings *out,
	    unsigned int *sessions, struct err *);
int	settings_read_mailbox(cfg_t *, struct mailbox_settings *out,
	    struct err *);
void	settings_free_mailbox(struct mailbox_settings *);
/* No two mailboxes share a folder, and none reads what one writes. */
int	settings_check_drops(cfg_t *, const struct settings *, struct err *);
int	settings_read_ca(cfg_t *, struct ca_settings *out, struct err *);
void	settings_free_ca(struct ca_settings *);
int	settings_read_token(cfg_t *, struct token_settings *out,
	    struct err *);
void	settings_free_token(struct token_settings *);

#endif
