#include "csrmaild/settings_private.h"

/* conf/csrmaild.conf, in the order of that file. Units are in the names. */
static cfg_opt_t imap_opts[] = {
	CFG_STR("host",			"",		CFGF_NONE),
	CFG_INT("port",			0,		CFGF_NONE),
	CFG_STR("tls",			"implicit",	CFGF_NONE),
	CFG_STR("tls_min",		"1.2",		CFGF_NONE),
	CFG_STR("ca_file",		"",		CFGF_NONE),
	CFG_STR("tls_name",		"",		CFGF_NONE),
	CFG_STR("client_certificate",	"",		CFGF_NONE),
	CFG_STR("client_key_file",	"",		CFGF_NONE),
	CFG_STR("auth",			"password",	CFGF_NONE),
	CFG_STR("user",			"",		CFGF_NONE),
	CFG_STR("password_file",	"",		CFGF_NONE),
	CFG_STR("token_file",		"",		CFGF_NONE),
	CFG_STR_LIST("token_command",	"{}",		CFGF_NONE),
	CFG_INT("timeout_s",		60,		CFGF_NONE),
	CFG_END()
};
static cfg_opt_t smtp_opts[] = {
	CFG_STR("host",			"",		CFGF_NONE),
	CFG_INT("port",			0,		CFGF_NONE),
	CFG_STR("tls",			"starttls",	CFGF_NONE),
	CFG_STR("tls_min",		"1.2",		CFGF_NONE),
	CFG_STR("ca_file",		"",		CFGF_NONE),
	CFG_STR("tls_name",		"",		CFGF_NONE),
	CFG_STR("client_certificate",	"",		CFGF_NONE),
	CFG_STR("client_key_file",	"",		CFGF_NONE),
	CFG_STR("auth",			"password",	CFGF_NONE),
	CFG_STR("user",			"",		CFGF_NONE),
	CFG_STR("password_file",	"",		CFGF_NONE),
	CFG_STR("token_file",		"",		CFGF_NONE),
	CFG_STR_LIST("token_command",	"{}",		CFGF_NONE),
	CFG_INT("timeout_s",		60,		CFGF_NONE),
	CFG_INT("sessions",		1,		CFGF_NONE),
	CFG_END()
};
static cfg_opt_t mailbox_opts[] = {
	CFG_STR("address",		"",		CFGF_NONE),
	CFG_STR("ca",			"",		CFGF_NONE),
	CFG_STR("profile",		"user",		CFGF_NONE),
	CFG_STR("rules",		"hold",		CFGF_NONE),
	CFG_SEC("imap",			imap_opts,	CFGF_NONE),
	CFG_STR("inbox",		"",		CFGF_NONE),
	CFG_STR("outbox",		"",		CFGF_NONE),
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
	CFG_STR("dkim",			"authserv",	CFGF_NONE),
	CFG_STR("resolver",		"",		CFGF_NONE),
	CFG_BOOL("answer_unverified",	cfg_false,	CFGF_NONE),
	CFG_STR("envelope_sender",	"",		CFGF_NONE),
	CFG_STR("language",		"en",		CFGF_NONE),
	CFG_STR("smime_anchors",	"",		CFGF_NONE),
	CFG_STR("smime_certificate",	"",		CFGF_NONE),
	CFG_STR("smime_key_file",	"",		CFGF_NONE),
	CFG_STR("smime_passphrase_file", "",		CFGF_NONE),
	CFG_INT("challenge_expires_s",	2 * DAY_S,	CFGF_NONE),
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
	CFG_STR_LIST("responder_spool",	"{}",		CFGF_NONE),
	CFG_END()
};
cfg_opt_t settings_opts[] = {
	CFG_STR("state_dir",	"/var/lib/csrmail",		CFGF_NONE),
	CFG_STR("run_dir",	"/run/csrmail",			CFGF_NONE),
	CFG_STR("policies_dir",	"/etc/csrmail/policies",	CFGF_NONE),
	CFG_STR("templates_dir", "",				CFGF_NONE),
	CFG_STR("log_level",	"info",				CFGF_NONE),
	CFG_BOOL("unprivileged", cfg_false,			CFGF_NONE),
	CFG_INT("replies_per_hour", 10,				CFGF_NONE),
	CFG_INT("challenges_per_hour", 60,			CFGF_NONE),
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
