#ifndef CSRMAILD_CTL_CTL_H
#define CSRMAILD_CTL_CTL_H

#include "common/bytes.h"

#include <jansson.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sysexits.h>

struct desk;
struct err;
struct settings;

/*
 * csrmail(1): NOUN VERB, one file a noun. main.c has the table of commands;
 * this header is what the nouns share. A command gets its arguments and
 * options checked by the table, prints to standard output, and returns 0, or
 * -1 with an err that main prints to standard error.
 */
#define CTL_MAX_ARGS	16
#define CTL_MAX_OPTIONS	48

struct ctl {
	int		 argc;		/* the command line, as it was typed */
	char		*const *argv;
	const char	*conf;		/* csrmaild.conf */
	const char	*folder;	/* work in it alone; NULL: do not */
	const char	*socket;	/* NULL: as the configuration says */
	bool		 json;		/* for programs, not for people */
	struct settings	*settings;	/* owned; NULL unless asked for */
	bool		 may_be_alone;	/* NEEDS_DESK: a daemon is not needed */
	struct desk	*desk;		/* owned; NULL unless we are alone */
	const char	*args[CTL_MAX_ARGS];	/* NULL beyond the last */
	struct {
		const char *name, *value;
	}		 options[CTL_MAX_OPTIONS];
	size_t		 n_options;
	/* 0, or what main exits with (sysexits.h): set by a command that
	 * knows better than the kind of its err, or that ran well and found
	 * trouble. */
	int		 exit_code;
};

/* What stands in the table of main.c. */
struct ctl_option {
	const char	*name;		/* without "--"; NULL ends the list */
	char		 letter;	/* 0: none */
	const char	*arg;		/* NULL: takes none */
	const char	*help;
};
typedef int ctl_command(struct ctl *, struct err *);

ctl_command ctl_init;
ctl_command ctl_ca_create_root, ctl_ca_create_child, ctl_ca_list,
    ctl_ca_show, ctl_ca_export, ctl_ca_renew;
ctl_command ctl_ca_request, ctl_ca_sign, ctl_ca_install, ctl_crl_install;
ctl_command ctl_request_new;
ctl_command ctl_ca_unlock, ctl_ca_lock, ctl_ca_rekey_passphrase;
ctl_command ctl_request_list, ctl_request_show, ctl_request_approve,
    ctl_request_reject;
ctl_command ctl_cert_sign, ctl_cert_list, ctl_cert_show, ctl_cert_export,
    ctl_cert_revoke, ctl_cert_unhold, ctl_cert_renew, ctl_cert_reissue;
ctl_command ctl_ca_revoke;
ctl_command ctl_crl_update, ctl_crl_show;
ctl_command ctl_ca_import, ctl_ca_export_openssl;
ctl_command ctl_backup, ctl_backup_verify, ctl_restore, ctl_export_index;
ctl_command ctl_revocation_list, ctl_revocation_show,
    ctl_revocation_approve, ctl_revocation_reject;
ctl_command ctl_key_block, ctl_key_list, ctl_key_import;
ctl_command ctl_policy_check, ctl_policy_test;
ctl_command ctl_lint;
ctl_command ctl_audit_list, ctl_audit_verify;
ctl_command ctl_mail_list, ctl_mail_show, ctl_mail_retry, ctl_mail_submit,
    ctl_status, ctl_reload;
extern const struct ctl_option ctl_init_options[];

/* The option's value ("" when it takes none), or NULL when not given. */
const char *ctl_option(const struct ctl *, const char *name);
/* A whole number in lo..hi; otherwise when not given. */
int	ctl_number(struct ctl *, const char *name, long lo, long hi,
	    long otherwise, long *out, struct err *);
/* Reads the configuration once; with --folder, what the folder has (folder.c).
 * EX_CONFIG. */
int	ctl_need_settings(struct ctl *, struct err *);
/* A person says yes at the terminal, or --yes has. EX_USAGE: nobody to ask;
 * EX_NOPERM: no. */
int	ctl_confirm(struct ctl *, const char *question, struct err *);
/* err_set and the exit code at once; returns -1. */
int	ctl_fail(struct ctl *, int exit_code, struct err *, const char *fmt,
	    ...) __attribute__((format(printf, 4, 5)));

/* --- client.c: the API over the Unix socket --- */
/*
 * path below /api/v1/, its parts encoded by client_part; args NULL or an
 * object, the query of a GET and the body of a POST. *out is the caller's to
 * json_decref. A problem document becomes err and exit code; EX_UNAVAILABLE
 * when there is no daemon.
 */
int	client_get(struct ctl *, const char *path, const json_t *args,
	    json_t **out, struct err *);
int	client_post(struct ctl *, const char *path, const json_t *args,
	    json_t **out, struct err *);
/* The same to the daemon alone, with octets as the body and args as query. */
int	client_post_octets(struct ctl *, const char *path, const json_t *args,
	    struct bytes octets, json_t **out, struct err *);
/* All pages of a list (or --limit rows after --after) as one array. */
int	client_list(struct ctl *, const char *path, json_t *args,
	    json_t **out, struct err *);
/* prefix, text percent-encoded as one part of a path, suffix. */
int	client_path(struct buf *, const char *prefix, const char *text,
	    const char *suffix);

/* --- table.c: for people and for programs --- */
struct column {
	const char	*title;
	const char	*key;		/* of the row's object */
	unsigned int	 max;		/* characters; 0: no limit */
};
/* Text of others never reaches the terminal raw: control and bidi
 * characters are shown escaped. */
void	table_put_text(FILE *, const char *, unsigned int max);
/* --json: the array itself. */
void	table_print(const struct ctl *, const json_t *rows,
	    const struct column *, size_t n);
/* One object, a line a key: title is what people read. */
void	table_print_object(const struct ctl *, const json_t *object,
	    const struct column *, size_t n);
void	table_print_json(const json_t *);

/* --- rows.c: list and show --- */
/* The rows below path in the state that was named, or in `otherwise`. */
int	rows_list_states(struct ctl *, const char *path,
	    const char *otherwise, const struct column *, size_t n,
	    struct err *);
/* The one that was named; prefix: "requests/". */
int	rows_show(struct ctl *, const char *prefix, const struct column *,
	    size_t n, struct err *);

/* --- files --- */
/* A file that a person named, to be read ("-": standard input, whatever that
 * is): the descriptor (owned), -1. It must be a regular one
 * (common/plain_file.h). EX_NOINPUT. */
int	ctl_open_file(struct ctl *, const char *path, struct err *);
/* All of it, at most out->max octets. EX_NOINPUT. */
int	ctl_read_file(struct ctl *, const char *path, struct buf *out,
	    struct err *);
/* To --output, or to standard output. EX_CANTCREAT. */
int	ctl_write_output(struct ctl *, struct bytes, struct err *);

#endif
