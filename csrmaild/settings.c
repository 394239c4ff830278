#include "csrmaild/settings.h"

#include "common/ca.h"
#include "common/config.h"
#include "common/crl.h"
#include "common/err.h"
#include "common/frame.h"
#include "common/keystore_token.h"
#include "csrmaild/bundle.h"
#include "csrmaild/policy.h"
#include "csrmaild/secrets.h"
#include "csrmaild/wire.h"

#include <arpa/inet.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DAY_S			86400

/* conf/csrmaild.conf, in the order of that file. Units are in the names. */
static cfg_opt_t imap_opts[] = {
	CFG_STR("host",			"",		CFGF_NONE),
	CFG_INT("port",			0,		CFGF_NONE),
	CFG_STR("tls",			"implicit",	CFGF_NONE),
	CFG_STR("ca_file",		"",		CFGF_NONE),
	CFG_STR("tls_name",		"",		CFGF_NONE),
	CFG_STR("user",			"",		CFGF_NONE),
	CFG_STR("password_file",	"",		CFGF_NONE),
	CFG_INT("timeout_s",		60,		CFGF_NONE),
	CFG_END()
};
static cfg_opt_t smtp_opts[] = {
	CFG_STR("host",			"",		CFGF_NONE),
	CFG_INT("port",			0,		CFGF_NONE),
	CFG_STR("tls",			"starttls",	CFGF_NONE),
	CFG_STR("ca_file",		"",		CFGF_NONE),
	CFG_STR("tls_name",		"",		CFGF_NONE),
	CFG_STR("user",			"",		CFGF_NONE),
	CFG_STR("password_file",	"",		CFGF_NONE),
	CFG_INT("timeout_s",		60,		CFGF_NONE),
	CFG_END()
};
static cfg_opt_t mailbox_opts[] = {
	CFG_STR("address",		"",		CFGF_NONE),
	CFG_STR("ca",			"",		CFGF_NONE),
	CFG_STR("profile",		"user",		CFGF_NONE),
	CFG_STR("rules",		"hold",		CFGF_NONE),
	CFG_SEC("imap",			imap_opts,	CFGF_NONE),
	CFG_STR("folder",		"INBOX",	CFGF_NONE),
	CFG_STR("processed",		"Processed",	CFGF_NONE),
	CFG_STR("held",			"Held",		CFGF_NONE),
	CFG_STR("rejected",		"Rejected",	CFGF_NONE),
	CFG_STR("unreadable",		"Unreadable",	CFGF_NONE),
	CFG_INT("poll_interval_s",	60,		CFGF_NONE),
	CFG_INT("batch",		25,		CFGF_NONE),
	CFG_INT("max_message_octets",	1048576,	CFGF_NONE),
	CFG_INT("max_header_octets",	65536,		CFGF_NONE),
	CFG_INT("max_parts",		100,		CFGF_NONE),
	CFG_INT("max_depth",		10,		CFGF_NONE),
	CFG_STR("authserv_id",		"",		CFGF_NONE),
	CFG_INT("trusted_received",	1,		CFGF_NONE),
	CFG_BOOL("answer_unverified",	cfg_false,	CFGF_NONE),
	CFG_STR("envelope_sender",	"",		CFGF_NONE),
	CFG_END()
};
static cfg_opt_t ca_opts[] = {
	CFG_STR("passphrase_file",	"",		CFGF_NONE),
	CFG_STR("ocsp_url",		"",		CFGF_NONE),
	CFG_STR("crl_url",		"",		CFGF_NONE),
	CFG_STR("ca_url",		"",		CFGF_NONE),
	CFG_INT("crl_validity_s",	7 * DAY_S,	CFGF_NONE),
	CFG_INT("crl_interval_s",	DAY_S,		CFGF_NONE),
	CFG_INT("crl_shards",		1,		CFGF_NONE),
	CFG_INT("delta_interval_s",	0,		CFGF_NONE),
	CFG_STR("responder_spool",	"",		CFGF_NONE),
	CFG_END()
};
static cfg_opt_t settings_opts[] = {
	CFG_STR("state_dir",	"/var/lib/csrmail",		CFGF_NONE),
	CFG_STR("run_dir",	"/run/csrmail",			CFGF_NONE),
	CFG_STR("policies_dir",	"/etc/csrmail/policies",	CFGF_NONE),
	CFG_STR("log_level",	"info",				CFGF_NONE),
	CFG_BOOL("unprivileged", cfg_false,			CFGF_NONE),
	CFG_INT("replies_per_hour", 10,				CFGF_NONE),
	CFG_STR("ocspd_health", "",				CFGF_NONE),
	CFG_STR("pkcs11_module", "",				CFGF_NONE),
	CFG_STR_LIST("pkcs11_environment", "{}",		CFGF_NONE),
	CFG_STR_LIST("pkcs11_paths", "{}",			CFGF_NONE),
	CFG_BOOL("pkcs11_network", cfg_false,			CFGF_NONE),
	CFG_SEC("smtp",		smtp_opts,			CFGF_NONE),
	CFG_SEC("mailbox",	mailbox_opts,			CFGF_TITLE |
	    CFGF_MULTI | CFGF_NO_TITLE_DUPES),
	CFG_SEC("ca",		ca_opts,			CFGF_TITLE |
	    CFGF_MULTI | CFGF_NO_TITLE_DUPES),
	CFG_END()
};

static int
copy_str(cfg_t *section, const char *key, char **out, struct err *err)
{
	*out = strdup(cfg_getstr(section, key));
	return *out == NULL ? err_set(err, ERR_FAULT, "out of memory") : 0;
}

static int
check_path(cfg_t *section, const char *key, struct err *err)
{
	const char *path = cfg_getstr(section, key);

	if (path[0] == '\0' || path[0] == '/')
		return 0;
	return config_fail(section, key, err,
	    "found \"%s\", allowed is a path that begins with /", path);
}

static bool
is_loopback(const char *host)
{
	struct in_addr a4;
	struct in6_addr a6;

	if (inet_pton(AF_INET, host, &a4) == 1)
		return (ntohl(a4.s_addr) >> 24) == 127;
	return inet_pton(AF_INET6, host, &a6) == 1 &&
	    IN6_IS_ADDR_LOOPBACK(&a6);
}

static int
read_server(cfg_t *section, bool login_required, struct server_settings *out,
    struct err *err)
{
	static const char *const modes[] = { "implicit", "starttls", "none",
		NULL };
	size_t mode = 0;

	if (config_check_given(section, "host", err) == -1 ||
	    config_check_range(section, "port", 1, 65535, err) == -1 ||
	    config_check_range(section, "timeout_s", 1, 600, err) == -1 ||
	    config_check_word(section, "tls", modes, &mode, err) == -1 ||
	    check_path(section, "ca_file", err) == -1 ||
	    check_path(section, "password_file", err) == -1)
		return -1;
	if (login_required && config_check_given(section, "user", err) == -1)
		return -1;
	if (cfg_getstr(section, "user")[0] != '\0' &&
	    config_check_given(section, "password_file", err) == -1)
		return -1;
	out->port = (uint16_t)cfg_getint(section, "port");
	out->timeout_s = (unsigned int)cfg_getint(section, "timeout_s");
	out->tls = (enum tls_mode)(mode + TLS_IMPLICIT);
	if (out->tls == TLS_NONE && !is_loopback(cfg_getstr(section, "host")))
		return config_fail(section, "tls", err,
		    "\"none\" is allowed only for a loopback address "
		    "(127.0.0.1, ::1)");
	if (copy_str(section, "host", &out->host, err) == -1 ||
	    copy_str(section, "ca_file", &out->ca_file, err) == -1 ||
	    copy_str(section, "tls_name", &out->tls_name, err) == -1 ||
	    copy_str(section, "user", &out->user, err) == -1)
		return -1;
	return copy_str(section, "password_file", &out->password_file, err);
}

/* One mailbox and nothing else: what may stand in a header and an envelope. */
static int
check_address(cfg_t *section, const char *key, struct err *err)
{
	const char *v = cfg_getstr(section, key), *at = strrchr(v, '@');

	if (at == NULL || at == v || at[1] == '\0' ||
	    strlen(v) > MAILBOX_MAX)
		return config_fail(section, key, err,
		    "found \"%s\", allowed is an address like ca@example.org",
		    v);
	for (const char *p = v; *p != '\0'; p++)
		if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f ||
		    strchr("<>()[]\\,;:\"", *p) != NULL)
			return config_fail(section, key, err,
			    "found \"%s\": an octet that an address cannot "
			    "have here", v);
	return 0;
}

static int
read_mailbox_limits(cfg_t *s, struct mailbox_settings *out, struct err *err)
{
	static const struct {
		const char	*key;
		long		 lo, hi;
	} ranges[] = {
		{ "poll_interval_s",	1,	3600 },
		{ "batch",		1,	50 },
		{ "max_message_octets",	1024,	WIRE_MAX_MESSAGE },
		{ "max_header_octets",	1024,	1 << 20 },
		{ "max_parts",		1,	WIRE_MAX_PARTS },
		{ "max_depth",		1,	50 },
		{ "trusted_received",	0,	10 },
	};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (config_check_range(s, ranges[i].key, ranges[i].lo,
		    ranges[i].hi, err) == -1)
			return -1;
	out->poll_interval_s = (unsigned int)cfg_getint(s, "poll_interval_s");
	out->batch = (unsigned int)cfg_getint(s, "batch");
	out->max_message_octets =
	    (uint32_t)cfg_getint(s, "max_message_octets");
	out->max_header_octets = (uint32_t)cfg_getint(s, "max_header_octets");
	out->max_parts = (unsigned int)cfg_getint(s, "max_parts");
	out->max_depth = (unsigned int)cfg_getint(s, "max_depth");
	out->trusted_received =
	    (unsigned int)cfg_getint(s, "trusted_received");
	out->answer_unverified = cfg_getbool(s, "answer_unverified");
	return 0;
}

static int
read_mailbox(cfg_t *s, struct mailbox_settings *out, struct err *err)
{
	const struct {
		const char	*key;
		char		**to;
	} strings[] = {
		{ "address", &out->address }, { "ca", &out->ca },
		{ "profile", &out->profile }, { "rules", &out->rules },
		{ "folder", &out->folder },
		{ "processed", &out->folders[OUTCOME_PROCESSED] },
		{ "held", &out->folders[OUTCOME_HELD] },
		{ "rejected", &out->folders[OUTCOME_REJECTED] },
		{ "unreadable", &out->folders[OUTCOME_UNREADABLE] },
		{ "authserv_id", &out->authserv_id },
		{ "envelope_sender", &out->envelope_sender },
	};

	out->title = strdup(cfg_title(s));
	if (out->title == NULL)
		return err_set(err, ERR_FAULT, "out of memory");
	if (strlen(out->title) > 63)
		return config_fail(s, "address", err,
		    "the mailbox's title is longer than 63 octets");
	for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++)
		if (copy_str(s, strings[i].key, strings[i].to, err) == -1)
			return -1;
	if (check_address(s, "address", err) == -1 ||
	    read_mailbox_limits(s, out, err) == -1 ||
	    config_check_given(s, "ca", err) == -1 ||
	    config_check_given(s, "folder", err) == -1 ||
	    config_check_given(s, "processed", err) == -1 ||
	    config_check_given(s, "held", err) == -1 ||
	    config_check_given(s, "rejected", err) == -1 ||
	    config_check_given(s, "unreadable", err) == -1)
		return -1;
	if (out->envelope_sender[0] != '\0' &&
	    strcmp(out->envelope_sender, "<>") != 0 &&
	    check_address(s, "envelope_sender", err) == -1)
		return -1;
	return read_server(cfg_getsec(s, "imap"), true, &out->imap, err);
}

/* Several CRLs of one CA need several addresses. */
static int
read_ca_crls(cfg_t *s, struct ca_settings *out, struct err *err)
{
	const char *url = cfg_getstr(s, "crl_url");

	if (config_check_range(s, "crl_validity_s", 3600, 400 * DAY_S,
	    err) == -1 ||
	    config_check_range(s, "crl_interval_s", 60,
	    cfg_getint(s, "crl_validity_s") - 1, err) == -1 ||
	    config_check_range(s, "crl_shards", 1, CRL_MAX_SHARDS,
	    err) == -1 ||
	    (cfg_getint(s, "delta_interval_s") != 0 &&
	    config_check_range(s, "delta_interval_s", 60,
	    cfg_getint(s, "crl_interval_s") - 1, err) == -1))
		return -1;
	out->crl_validity_s = cfg_getint(s, "crl_validity_s");
	out->crl_interval_s = cfg_getint(s, "crl_interval_s");
	out->crl_shards = (unsigned int)cfg_getint(s, "crl_shards");
	out->delta_interval_s = cfg_getint(s, "delta_interval_s");
	if ((out->crl_shards > 1 || out->delta_interval_s != 0) &&
	    !ca_url_has_place(url))
		return config_fail(s, out->crl_shards > 1 ? "crl_shards" :
		    "delta_interval_s", err, "there are several CRLs then, "
		    "and crl_url must have \"{ca}\" in it: found \"%.100s\"",
		    url);
	return copy_str(s, "crl_url", &out->crl_url, err);
}

static int
read_ca(cfg_t *s, struct ca_settings *out, struct err *err)
{
	out->name = strdup(cfg_title(s));
	if (out->name == NULL)
		return err_set(err, ERR_FAULT, "out of memory");
	if (!ca_name_is_valid(out->name))
		return config_fail(s, "passphrase_file", err,
		    "\"%s\" is no name for a CA: letters, digits, '.', '-', "
		    "'_' and one '/'", out->name);
	if (check_path(s, "passphrase_file", err) == -1 ||
	    check_path(s, "responder_spool", err) == -1 ||
	    read_ca_crls(s, out, err) == -1)
		return -1;
	if (copy_str(s, "passphrase_file", &out->passphrase_file, err) == -1 ||
	    copy_str(s, "ocsp_url", &out->ocsp_url, err) == -1 ||
	    copy_str(s, "ca_url", &out->ca_url, err) == -1)
		return -1;
	return copy_str(s, "responder_spool", &out->responder_spool, err);
}

static int
read_sections(cfg_t *cfg, struct settings *out, struct err *err)
{
	size_t n_mailboxes = cfg_size(cfg, "mailbox");
	size_t n_cas = cfg_size(cfg, "ca");

	out->mailboxes = calloc(n_mailboxes + 1, sizeof(*out->mailboxes));
	out->cas = calloc(n_cas + 1, sizeof(*out->cas));
	if (out->mailboxes == NULL || out->cas == NULL)
		return err_set(err, ERR_FAULT, "out of memory");
	if (n_mailboxes > 16)
		return err_set(err, ERR_FAULT, "%s: more than 16 mailboxes",
		    out->path);
	/* Counted first, so that freeing sees one that was read in part. */
	for (size_t i = 0; i < n_cas; i++) {
		out->n_cas++;
		if (read_ca(cfg_getnsec(cfg, "ca", (unsigned int)i),
		    &out->cas[i], err) == -1)
			return -1;
	}
	for (size_t i = 0; i < n_mailboxes; i++) {
		out->n_mailboxes++;
		if (read_mailbox(cfg_getnsec(cfg, "mailbox",
		    (unsigned int)i), &out->mailboxes[i], err) == -1)
			return -1;
	}
	return 0;
}

/* Without a mailbox (a CA for the command line alone) it may be missing. */
static int
read_smtp(cfg_t *cfg, struct server_settings *out, struct err *err)
{
	cfg_t *section = cfg_getsec(cfg, "smtp");

	if (cfg_size(cfg, "mailbox") == 0 &&
	    cfg_getstr(section, "host")[0] == '\0')
		return 0;
	if (read_server(section, false, out, err) == -1)
		return -1;
	if (out->tls == TLS_IMPLICIT)
		return config_fail(section, "tls", err,
		    "found \"implicit\", allowed: starttls, none");
	return 0;
}

/* what: the form that each value must have. */
static int
read_list(cfg_t *cfg, const char *key, bool (*is_good)(const char *),
    const char *what, char *out[SETTINGS_MAX_TOKEN_LIST], size_t *n,
    struct err *err)
{
	unsigned int size = cfg_size(cfg, key);

	if (size > SETTINGS_MAX_TOKEN_LIST)
		return config_fail(cfg, key, err, "found %u values, allowed "
		    "are %d", size, SETTINGS_MAX_TOKEN_LIST);
	for (unsigned int i = 0; i < size; i++) {
		const char *value = cfg_getnstr(cfg, key, i);

		if (!is_good(value))
			return config_fail(cfg, key, err,
			    "found \"%s\", allowed is %s", value, what);
		out[*n] = strdup(value);
		if (out[*n] == NULL)
			return err_set(err, ERR_FAULT, "out of memory");
		++*n;
	}
	return 0;
}

static bool
is_absolute(const char *path)
{
	return path[0] == '/' && path[1] != '\0';
}

/* A variable that changes which code is loaded is not the module's alone. */
static bool
is_variable(const char *text)
{
	size_t len = strspn(text,
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	    "0123456789_");

	return len > 0 && text[len] == '=' && strncmp(text, "LD_", 3) != 0;
}

static int
read_token(cfg_t *cfg, struct token_settings *out, struct err *err)
{
	if (check_path(cfg, "pkcs11_module", err) == -1 ||
	    copy_str(cfg, "pkcs11_module", &out->module, err) == -1 ||
	    read_list(cfg, "pkcs11_environment", is_variable,
	    "NAME=VALUE, and not LD_*", out->environment, &out->n_environment,
	    err) == -1)
		return -1;
	out->network = cfg_getbool(cfg, "pkcs11_network");
	return read_list(cfg, "pkcs11_paths", is_absolute,
	    "a path that begins with /", out->paths, &out->n_paths, err);
}

static int
read_settings(cfg_t *cfg, struct settings *out, struct err *err)
{
	static const char *const levels[] = { "debug", "info", "warn", "error",
		NULL };
	size_t level;

	if (config_check_given(cfg, "state_dir", err) == -1 ||
	    config_check_given(cfg, "run_dir", err) == -1 ||
	    config_check_given(cfg, "policies_dir", err) == -1 ||
	    check_path(cfg, "state_dir", err) == -1 ||
	    check_path(cfg, "run_dir", err) == -1 ||
	    check_path(cfg, "policies_dir", err) == -1 ||
	    config_check_word(cfg, "log_level", levels, &level, err) == -1 ||
	    config_check_range(cfg, "replies_per_hour", 1, 100000, err) == -1)
		return -1;
	/* Two names are longer than a socket's address takes: find out now. */
	if (strlen(cfg_getstr(cfg, "run_dir")) > 90)
		return config_fail(cfg, "run_dir", err,
		    "longer than 90 octets: a socket is made in it");
	out->unprivileged = cfg_getbool(cfg, "unprivileged");
	out->ocspd_health = strdup(cfg_getstr(cfg, "ocspd_health"));
	if (out->ocspd_health == NULL)
		return err_set(err, ERR_FAULT, "out of memory");
	if (strpbrk(out->ocspd_health, "/@ ") != NULL)
		return config_fail(cfg, "ocspd_health", err, "found \"%s\", "
		    "allowed ADDRESS:PORT, as ocspd.conf's health_listen",
		    out->ocspd_health);
	out->replies_per_hour =
	    (unsigned int)cfg_getint(cfg, "replies_per_hour");
	if (copy_str(cfg, "state_dir", &out->state_dir, err) == -1 ||
	    copy_str(cfg, "run_dir", &out->run_dir, err) == -1 ||
	    copy_str(cfg, "policies_dir", &out->policies_dir, err) == -1 ||
	    copy_str(cfg, "log_level", &out->log_level, err) == -1)
		return -1;
	if (read_token(cfg, &out->token, err) == -1 ||
	    read_smtp(cfg, &out->smtp, err) == -1)
		return -1;
	return read_sections(cfg, out, err);
}

/* --- the files together --------------------------------------------------------- */

/* Behind all rules in the bundle. */
static int
set_secrets(struct settings *s, const struct bundle_file *file,
    struct err *err)
{
	if (!secrets_are_whole(file->text))
		return err_set(err, ERR_FAULT,
		    "the configuration bundle is broken");
	for (size_t i = 0; i < s->n_rules; i++)
		rules_set_secrets(s->rules[i], file->path, file->text);
	return 0;
}

static int
parse_file(struct settings *s, const struct bundle_file *file, struct err *err)
{
	switch (file->kind) {
	case BUNDLE_CONF:
		return err_set(err, ERR_FAULT, "two configurations");
	case BUNDLE_PROFILE:
		if (s->n_profiles == BUNDLE_MAX_FILES)
			return err_set(err, ERR_FAULT, "too many profiles");
		if (profile_parse(file->name, file->path, file->text,
		    &s->profiles[s->n_profiles], err) == -1)
			return -1;
		s->n_profiles++;
		return 0;
	case BUNDLE_RULES:
		if (s->n_rules == BUNDLE_MAX_FILES)
			return err_set(err, ERR_FAULT, "too many rule sets");
		if (rules_parse(file->name, file->path, file->text,
		    &s->rules[s->n_rules], err) == -1)
			return -1;
		s->n_rules++;
		return 0;
	case BUNDLE_SECRETS:
		return set_secrets(s, file, err);
	}
	return -1;
}

/* What one file says of another. */
static int
check_references(cfg_t *cfg, const struct settings *s, struct err *err)
{
	for (size_t i = 0; i < s->n_mailboxes; i++) {
		const struct mailbox_settings *m = &s->mailboxes[i];
		cfg_t *section = cfg_getnsec(cfg, "mailbox", (unsigned int)i);

		if (settings_ca(s, m->ca) == NULL)
			return config_fail(section, "ca", err,
			    "found \"%s\", but there is no section ca \"%s\"",
			    m->ca, m->ca);
		if (settings_profile(s, m->profile) == NULL)
			return config_fail(section, "profile", err,
			    "found \"%s\", but there is no %s/profiles/%s.conf",
			    m->profile, s->policies_dir, m->profile);
		if (settings_rules(s, m->rules) == NULL)
			return config_fail(section, "rules", err,
			    "found \"%s\", but there is no %s/rules/%s.conf",
			    m->rules, s->policies_dir, m->rules);
	}
	return 0;
}

static int
parse_bundle(struct settings *s, struct err *err)
{
	struct cursor c = CURSOR(s->bundle);
	OWNED(cfg_t) *cfg = NULL;
	struct bundle_file file;

	s->profiles = calloc(BUNDLE_MAX_FILES, sizeof(*s->profiles));
	s->rules = calloc(BUNDLE_MAX_FILES, sizeof(*s->rules));
	if (s->profiles == NULL || s->rules == NULL)
		return err_set(err, ERR_FAULT, "out of memory");
	if (bundle_next(&c, &file, err) == -1)
		return -1;
	s->path = strdup(file.path);
	if (file.kind != BUNDLE_CONF || s->path == NULL)
		return err_set(err, ERR_FAULT,
		    "the configuration bundle is broken");
	if (config_parse(file.path, file.text, settings_opts, &cfg, err) ==
	    -1 || read_settings(cfg, s, err) == -1)
		return -1;
	while (c.left.len > 0)
		if (bundle_next(&c, &file, err) == -1 ||
		    parse_file(s, &file, err) == -1)
			return -1;
	return check_references(cfg, s, err);
}

/* The folder of the policies stands in the file itself: a first look. */
static int
find_policies_dir(const char *path, struct bytes bundle, char *dir,
    size_t size, struct err *err)
{
	struct cursor c = CURSOR(bundle);
	OWNED(cfg_t) *cfg = NULL;
	struct bundle_file file;

	if (bundle_next(&c, &file, err) == -1 ||
	    config_parse(path, file.text, settings_opts, &cfg, err) == -1)
		return -1;
	snprintf(dir, size, "%s", cfg_getstr(cfg, "policies_dir"));
	return 0;
}

int
settings_read(const char *path, struct settings **out, struct err *err)
{
	OWNED_STRUCT(settings) *s = calloc(1, sizeof(*s));
	OWNED_BUF(bundle, BUNDLE_MAX_OCTETS);
	char dir[PATH_MAX];

	if (s == NULL)
		return err_set(err, ERR_FAULT, "out of memory");
	if (bundle_add_file(&bundle, BUNDLE_CONF, "", path, err) == -1 ||
	    find_policies_dir(path, buf_bytes(&bundle), dir, sizeof(dir),
	    err) == -1 ||
	    bundle_add_folder(&bundle, BUNDLE_PROFILE, dir, "profiles",
	    err) == -1 ||
	    bundle_add_folder(&bundle, BUNDLE_RULES, dir, "rules", err) == -1)
		return -1;
	s->bundle = buf_bytes(&bundle);
	bundle = BUF(0);	/* the settings own the octets now */
	if (parse_bundle(s, err) == -1)
		return -1;
	*out = TAKE(s);
	return 0;
}

int
settings_decode(int fd, struct settings **out, struct err *err)
{
	OWNED_STRUCT(settings) *s = calloc(1, sizeof(*s));
	OWNED_BUF(bundle, BUNDLE_MAX_OCTETS);

	if (s == NULL) {
		close(fd);
		return err_set(err, ERR_FAULT, "out of memory");
	}
	if (bundle_from_fd(fd, &bundle, err) == -1)
		return -1;
	s->bundle = buf_bytes(&bundle);
	bundle = BUF(0);
	if (parse_bundle(s, err) == -1)
		return -1;
	*out = TAKE(s);
	return 0;
}

/* Is it in the bundle already, for another rule? */
static bool
has_secrets(struct bytes bundle, const char *path)
{
	struct cursor c = CURSOR(bundle);
	struct bundle_file file;
	struct err err;

	while (c.left.len > 0 && bundle_next(&c, &file, &err) == 0)
		if (file.kind == BUNDLE_SECRETS &&
		    strcmp(file.path, path) == 0)
			return true;
	return false;
}

static int
add_secrets(const struct rules *rules, struct buf *bundle, struct err *err)
{
	OWNED_BUF(digests, SECRETS_DIGESTS_MAX);
	const char *path;

	for (size_t i = 0; (path = rules_challenge_file(rules, i)) != NULL;
	    i++) {
		if (path[0] == '\0' || has_secrets(buf_bytes(bundle), path))
			continue;
		if (secrets_read(path, &digests, err) == -1 ||
		    bundle_add_text(bundle, BUNDLE_SECRETS, "", path,
		    buf_bytes(&digests), err) == -1)
			return -1;
	}
	return 0;
}

int
settings_read_secrets(struct settings *s, struct err *err)
{
	OWNED_BUF(bundle, BUNDLE_MAX_OCTETS);
	struct bundle_file file;
	struct cursor c;

	buf_append_bytes(&bundle, s->bundle);
	for (size_t i = 0; i < s->n_rules; i++)
		if (add_secrets(s->rules[i], &bundle, err) == -1)
			return -1;
	if (bundle.failed)
		return err_set(err, ERR_RETRY, "out of memory");
	free((void *)(uintptr_t)s->bundle.data);
	s->bundle = buf_bytes(&bundle);
	bundle = BUF(0);	/* the settings own the octets now */
	/* What parse_bundle does for the roles. */
	c = CURSOR(s->bundle);
	while (c.left.len > 0)
		if (bundle_next(&c, &file, err) == -1 ||
		    (file.kind == BUNDLE_SECRETS &&
		    set_secrets(s, &file, err) == -1))
			return -1;
	return 0;
}

int
settings_bundle_fd(const struct settings *s, struct err *err)
{
	return bundle_to_fd(s->bundle, err);
}

static void
free_server(struct server_settings *s)
{
	free(s->host);
	free(s->ca_file);
	free(s->tls_name);
	free(s->user);
	free(s->password_file);
}

static void
free_mailbox(struct mailbox_settings *m)
{
	free(m->title);
	free(m->address);
	free_server(&m->imap);
	free(m->folder);
	for (size_t i = 0; i < sizeof(m->folders) / sizeof(m->folders[0]); i++)
		free(m->folders[i]);
	free(m->authserv_id);
	free(m->ca);
	free(m->profile);
	free(m->rules);
	free(m->envelope_sender);
}

static void
free_ca(struct ca_settings *ca)
{
	free(ca->name);
	free(ca->passphrase_file);
	free(ca->ocsp_url);
	free(ca->crl_url);
	free(ca->ca_url);
	free(ca->responder_spool);
}

static void
free_token(struct token_settings *t)
{
	free(t->module);
	while (t->n_environment > 0)
		free(t->environment[--t->n_environment]);
	while (t->n_paths > 0)
		free(t->paths[--t->n_paths]);
}

void
settings_free(struct settings *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->n_mailboxes; i++)
		free_mailbox(&s->mailboxes[i]);
	for (size_t i = 0; i < s->n_cas; i++)
		free_ca(&s->cas[i]);
	for (size_t i = 0; i < s->n_profiles; i++)
		profile_free(s->profiles[i]);
	for (size_t i = 0; i < s->n_rules; i++)
		rules_free(s->rules[i]);
	free(s->mailboxes);
	free(s->cas);
	free(s->profiles);
	free(s->rules);
	free_server(&s->smtp);
	free_token(&s->token);
	free(s->path);
	free(s->state_dir);
	free(s->run_dir);
	free(s->policies_dir);
	free(s->log_level);
	free(s->ocspd_health);
	free((void *)(uintptr_t)s->bundle.data);
	free(s);
}

int
settings_use_token(const struct settings *s, struct err *err)
{
	const struct token_settings *t = &s->token;

	return token_use_module(t->module == NULL ? "" : t->module,
	    (const char *const *)t->environment, t->n_environment, err);
}

const struct mailbox_settings *
settings_mailbox(const struct settings *s, const char *title)
{
	for (size_t i = 0; i < s->n_mailboxes; i++)
		if (strcmp(s->mailboxes[i].title, title) == 0)
			return &s->mailboxes[i];
	return NULL;
}

const struct ca_settings *
settings_ca(const struct settings *s, const char *name)
{
	for (size_t i = 0; i < s->n_cas; i++)
		if (ca_is_of_family(name, s->cas[i].name))
			return &s->cas[i];
	return NULL;
}

const struct profile *
settings_profile(const struct settings *s, const char *name)
{
	for (size_t i = 0; i < s->n_profiles; i++)
		if (strcmp(s->profiles[i]->name, name) == 0)
			return s->profiles[i];
	return NULL;
}

const struct rules *
settings_rules(const struct settings *s, const char *name)
{
	for (size_t i = 0; i < s->n_rules; i++)
		if (strcmp(rules_name(s->rules[i]), name) == 0)
			return s->rules[i];
	return NULL;
}
