#ifndef CSRMAILD_SETTINGS_H
#define CSRMAILD_SETTINGS_H

#include "common/bytes.h"
#include "common/owned.h"
#include "common/profile.h"
#include "csrmaild/seal_identity.h"
#include "csrmaild/wording.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct rules;

/*
 * csrmaild.conf and policies/, read and checked once. A wrong configuration
 * never starts half a system: settings_read fails with file, line, key, what
 * was found and what is allowed.
 *
 * main reads the files (its permissions, its refusal of writable or linked
 * ones) and hands every role the same octets in one sealed descriptor, the
 * bundle; the roles decode that and open no configuration themselves.
 */
enum tls_mode {
	TLS_IMPLICIT = 1,	/* RFC 8314, 3 */
	TLS_STARTTLS,		/* required, never opportunistic */
	TLS_NONE,		/* loopback addresses only */
};

enum tls_version {
	TLS_1_2 = 0,
	TLS_1_3,
};

/* How a server is told who we are. */
enum auth_method {
	AUTH_PASSWORD = 0,	/* IMAP LOGIN, SASL PLAIN (RFC 4616), LOGIN */
	AUTH_XOAUTH2,		/* a bearer token */
	AUTH_EXTERNAL,		/* the client certificate (RFC 4422, A) */
};

/* Words of token_command. */
#define SETTINGS_MAX_COMMAND	16

struct server_settings {
	char		*host;		/* name or address */
	uint16_t	 port;
	enum tls_mode	 tls;
	enum tls_version tls_min;
	char		*ca_file;	/* "" for the system's */
	char		*tls_name;	/* verified; "" for host */
	char		*client_certificate;	/* "" none; these two files
						 * are opened by main, their
						 * descriptors have their
						 * names */
	char		*client_key_file;
	enum auth_method auth;
	char		*user;		/* "": no authentication (SMTP only) */
	char		*password_file;	/* opened by main; descriptor "password" */
	char		*token_file;	/* opened by main, each time anew */
	char		*token_command[SETTINGS_MAX_COMMAND];	/* run by exec */
	size_t		 n_token_command;
	unsigned int	 timeout_s;	/* one command */
};

struct mailbox_settings {
	char		*title;		/* mailbox "users" { */
	char		*address;	/* ca@example.org: From of replies */
	struct server_settings imap;	/* of a folder: nothing is set */
	char		*inbox, *outbox;	/* the folders of one without a
						 * server, absolute; "" else */
	char		*language;	/* of replies, where the sender's mail
					 * names none that we have */
	char		*folder;	/* INBOX */
	char		*folders[5];	/* by enum outcome; [0] unused; below
					 * inbox, where there is one */
	unsigned int	 poll_interval_s;
	unsigned int	 batch;		/* messages a fetch, 1..50 */
	uint32_t	 max_message_octets;
	uint32_t	 max_header_octets;
	unsigned int	 max_parts, max_depth;
	char		*authserv_id;	/* "": our mail server vouches for
						 * nobody */
	unsigned int	 trusted_received;	/* Received fields of ours above
						 * Authentication-Results */
	bool		 verify_dkim;	/* ourselves; what the mail server says
					 * of it is not looked at */
	char		*resolver;	/* for that (csrmaild/dkim_key.h); ""
					 * the system's */
	char		*ca;		/* which CA answers here */
	char		*profile;	/* unless a rule names another */
	char		*rules;		/* rule set, policies/rules/NAME.conf */
	bool		 answer_unverified;	/* default false */
	char		*envelope_sender;	/* "" is address; "<>" null */
	int64_t		 challenge_expires_s;	/* 2 days */
	char		*smime_anchors_file;	/* "" for our own CAs alone */
	struct bytes	 smime_anchors;	/* of it, PEM; borrows from the bundle */
	/* What signs its replies, by enum seal_file (csrmaild/seal_identity.h);
	 * opened by main, "" none. All empty: they are not signed. */
	char		*smime_files[SEAL_FILES];
};

#define SETTINGS_MAX_SPOOLS	8
struct ca_settings {
	char		*name;
	char		*passphrase_file;	/* "" when not encrypted, or
						 * unlocked by hand; descriptor
						 * "passphrase:NAME" */
	char		*ocsp_url, *crl_url, *ca_url;	/* "" leaves it out */
	int64_t		 crl_validity_s;	/* 7 days */
	int64_t		 crl_interval_s;	/* 1 day */
	int64_t		 delta_interval_s;	/* 0: no delta CRLs */
	unsigned int	 crl_shards;	/* 1..CRL_MAX_SHARDS; 1: not split */
	char		*responder_spools[SETTINGS_MAX_SPOOLS];	/* a folder of
						 * each ocspd */
	size_t		 n_responder_spools;
};

/* How keys in tokens are reached (common/keystore_token.h). */
#define SETTINGS_MAX_TOKEN_LIST	16
struct token_settings {
	char		*module;	/* "": none */
	char		*environment[SETTINGS_MAX_TOKEN_LIST];	/* NAME=VALUE */
	size_t		 n_environment;
	char		*paths[SETTINGS_MAX_TOKEN_LIST];	/* what it writes */
	size_t		 n_paths;
	bool		 network;	/* it reaches its token over IP */
};

struct settings {
	char		*path;		/* of csrmaild.conf */
	char		*state_dir;	/* /var/lib/csrmail */
	char		*run_dir;	/* /run/csrmail: api.sock */
	char		*policies_dir;
	char		*log_level;
	bool		 unprivileged;	/* all roles as the one who starts us */
	struct server_settings smtp;
	unsigned int	 smtp_sessions;	/* at one time, 1..8 */
	unsigned int	 replies_per_hour;	/* to one sender: 10 */
	unsigned int	 challenges_per_hour;	/* to anybody: 60 */
	char		*ocspd_health;	/* "127.0.0.1:9180": where `csrmail
					 * status` asks ocspd; "" nowhere */
	struct token_settings token;
	struct mailbox_settings *mailboxes;
	size_t		 n_mailboxes;
	struct ca_settings *cas;
	size_t		 n_cas;
	struct wordings	*wordings;	/* built in, and of templates_dir */
	struct profile	**profiles;
	size_t		 n_profiles;
	struct rules	**rules;
	size_t		 n_rules;
	struct bytes	 bundle;	/* owned: what settings_decode reads */
};

/* Read the files at path and below its policies_dir, and check everything.
 * err->text is whole: "FILE:LINE: KEY: found X, allowed Y". */
int	settings_read(const char *path, struct settings **out, struct err *);
/* main's part, and that of who tries rules: reads the files of secrets that
 * rules name, and puts their digests into the bundle. Once. */
int	settings_read_secrets(struct settings *, struct err *);
/* The same from the bundle in descriptor fd (taken). */
int	settings_decode(int fd, struct settings **out, struct err *);
/* A sealed memfd with the bundle; the caller's. */
int	settings_bundle_fd(const struct settings *, struct err *);
void	settings_free(struct settings *);
/* Tell this process's key store by which module tokens are reached. */
int	settings_use_token(const struct settings *, struct err *);
OWNED_STRUCT_BY(settings, settings_free)

const struct mailbox_settings *settings_mailbox(const struct settings *,
	    const char *title);
/* A drop folder instead of a mail server. */
bool	settings_is_drop(const struct mailbox_settings *);
/* By the name of the CA or of one of its generations. */
const struct ca_settings *settings_ca(const struct settings *,
	    const char *name);
/* Are its replies signed? */
bool	settings_signs(const struct mailbox_settings *);
/* Refuse the value of a key of that mailbox: file, line and key, ERR_FAULT. */
int	settings_refuse(const struct settings *, const char *title,
	    const char *key, const char *why, struct err *);
const struct profile *settings_profile(const struct settings *,
	    const char *name);
const struct rules *settings_rules(const struct settings *,
	    const char *name);

#endif
