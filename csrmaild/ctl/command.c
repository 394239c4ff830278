#include "csrmaild/ctl/command.h"

#include "common/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

const struct ctl_option ctl_global_options[] = {
	{ "config",	'c',	"FILE",	"csrmaild.conf" },
	{ "folder",	'd',	"DIR",	"work in this folder, without a daemon" },
	{ "socket",	's',	"PATH",	"csrmaild's socket" },
	{ "json",	0,	NULL,	"for programs" },
	{ "help",	'h',	NULL,	"say what a command does" },
	{ "version",	'V',	NULL,	"print the version" },
	{ 0 }
};

static const struct ctl_option no_options[] = { { 0 } };
static const struct ctl_option list_options[] = {
	{ "after",	0,	"ID",	"begin after this row" },
	{ "limit",	0,	"N",	"at most so many rows" },
	{ 0 }
};
#define PROTOCOL							\
	{ "protocol",	0,	"FILE",	"write the protocol there too" }
/* What a new CA shall be. */
#define KEY_TYPE							\
	{ "key-type",	0,	"KEY",	"p256, p384, p521, ed25519, or rsa2048 "\
					"to rsa8192" }
#define KEY_URI								\
	{ "key-uri",	0,	"URI",	"pkcs11:, for a key in a token" }
#define CA_TERMS							\
	{ "subject",	0,	"NAME",	"subject: \"O=Example, CN=Root\"" },	\
	{ "days",	0,	"N",	"how long it is valid" },	\
	KEY_TYPE,							\
	KEY_URI,							\
	{ "path-len",	0,	"N",	"CAs that may stand below it" }, \
	{ "permit",	0,	"TREES", "names it may certify: dns:example.org, " \
					"..." },			\
	{ "exclude",	0,	"TREES", "names it may not certify" },	\
	{ "policies",	0,	"OIDS",	"certificate policies" },	\
	{ "template",	0,	"FILE",	"where all this stands" },	\
	{ "passphrase-file", 0,	"FILE",	"the new key's passphrase" }
/* What the one above says of itself in the certificate. */
#define PARENT								\
	{ "parent-passphrase-file", 0, "FILE", "the parent key's" },	\
	{ "crl-url",	0,	"URL",	"the parent's CRLs; {ca} is its name" }, \
	{ "ca-url",	0,	"URL",	"the parent's certificate" },	\
	{ "ocsp-url",	0,	"URL",	"the parent's OCSP responder" }
static const struct ctl_option key_block_options[] = {
	{ "compromised", 0,	NULL,	"revoke its certificates as well" },
	{ "reason",	0,	"TEXT",	"why, for the list" },
	{ 0 }
};
static const struct ctl_option create_options[] = {
	CA_TERMS,
	PROTOCOL,
	{ 0 }
};
static const struct ctl_option child_options[] = {
	{ "parent",	0,	"CA",	"who signs it" },
	CA_TERMS,
	PARENT,
	PROTOCOL,
	{ 0 }
};
static const struct ctl_option renew_options[] = {
	{ "days",	0,	"N",	"how long it is valid; as long as before" },
	{ "new-key",	0,	NULL,	"with a new key, beside the old one" },
	KEY_TYPE,
	KEY_URI,
	{ "passphrase-file", 0,	"FILE",	"the CA's passphrase" },
	PARENT,
	PROTOCOL,
	{ 0 }
};
static const struct ctl_option ca_request_options[] = {
	{ "subject",	0,	"NAME",	"subject: \"O=Example, CN=Users\"" },
	{ "renew",	0,	NULL,	"the next certificate of a CA that is "
					"here" },
	{ "new-key",	0,	NULL,	"with a new key, beside the old one" },
	{ "key-type",	0,	"KEY",	"p256, p384, p521, ed25519, rsa3072, "
					"rsa4096" },
	KEY_URI,
	{ "passphrase-file", 0,	"FILE",	"the key's passphrase" },
	{ "output",	'o',	"FILE",	"the request: NAME.p10" },
	PROTOCOL,
	{ 0 }
};
static const struct ctl_option ca_sign_options[] = {
	{ "parent",	0,	"CA",	"who signs it" },
	{ "name",	0,	"NAME",	"what the CA is called; as the file" },
	{ "days",	0,	"N",	"how long it is valid; a CA's next "
					"certificate: as long as before" },
	{ "path-len",	0,	"N",	"CAs that may stand below it; 0, or "
					"as before" },
	{ "permit",	0,	"TREES", "names it may certify: dns:example.org, "
					"..." },
	{ "exclude",	0,	"TREES", "names it may not certify" },
	{ "policies",	0,	"OIDS",	"certificate policies" },
	{ "parent-passphrase-file", 0, "FILE", "the parent key's" },
	{ "output",	'o',	"FILE",	"the certificate, with its chain: "
					"NAME.p7c" },
	{ "yes",	0,	NULL,	"do not ask" },
	PROTOCOL,
	{ 0 }
};
static const struct ctl_option ca_install_options[] = {
	{ "root-fingerprint", 0, "HEX",	"the root's SHA-256" },
	{ "root-name",	0,	"NAME",	"what the root is called here; root" },
	{ "passphrase-file", 0,	"FILE",	"the key's passphrase" },
	{ "yes",	0,	NULL,	"do not ask about the root" },
	PROTOCOL,
	{ 0 }
};
static const struct ctl_option request_new_options[] = {
	{ "subject",	0,	"NAME",	"subject: \"O=Example, CN=www\"" },
	{ "dns",	0,	"HOSTS", "a list, with commas" },
	{ "email",	0,	"ADDRESSES", "a list, with commas" },
	{ "ip",		0,	"ADDRESSES", "a list, with commas" },
	{ "key-type",	0,	"KEY",	"p256, p384, p521, ed25519, rsa3072, "
					"rsa4096" },
	{ "name",	0,	"NAME",	"of the files, without their end" },
	{ "out-dir",	0,	"DIR",	"where they go; here" },
	{ "passphrase-file", 0,	"FILE",	"the key's passphrase" },
	{ "no-passphrase", 0,	NULL,	"store the key without" },
	{ 0 }
};
static const struct ctl_option crl_update_options[] = {
	{ "days",	0,	"N",	"good so long; with --folder" },
	{ "output",	'o',	"FILE",	"write it there too, without a daemon" },
	{ "passphrase-file", 0,	"FILE",	"the CA key's, without a daemon" },
	PROTOCOL,
	{ 0 }
};
static const struct ctl_option crl_install_options[] = {
	PROTOCOL,
	{ 0 }
};
static const struct ctl_option unlock_options[] = {
	{ "passphrase-file", 0,	"FILE",	"instead of asking; -: standard input" },
	{ 0 }
};
static const struct ctl_option rekey_options[] = {
	{ "passphrase-file", 0,	"FILE",	"the one that opens it now" },
	{ "new-passphrase-file", 0, "FILE", "the one that shall" },
	{ 0 }
};
static const struct ctl_option ca_export_options[] = {
	{ "chain",	0,	NULL,	"and those above it" },
	{ "output",	'o',	"FILE",	"instead of standard output" },
	{ "openssl",	0,	"DIR",	"all it has issued, as openssl ca "
					"keeps it" },
	{ "with-key",	0,	NULL,	"and the key, encrypted; with --openssl" },
	{ "key-passphrase-file", 0, "FILE", "for a key that is not encrypted "
					"here" },
	{ 0 }
};
static const struct ctl_option ca_import_options[] = {
	{ "cert",	0,	"FILE",	"the CA's certificate" },
	{ "key",	0,	"FILE",	"its key, in PEM" },
	{ "key-passphrase-file", 0, "FILE", "what opens it; asked otherwise" },
	{ "without-key", 0,	NULL,	"it goes on signing elsewhere" },
	{ "passphrase-file", 0,	"FILE",	"the key's passphrase from now on" },
	{ "parent",	0,	"CA",	"who signed it, when that is here" },
	{ "rows",	0,	"FILE",	"statuses as JSON, a row a line" },
	{ "report",	0,	"FILE",	"everything that is odd, a line each" },
	{ "accept-unreadable", 0, NULL,
	    "go on without lines that may be revocations" },
	{ "dry-run",	0,	NULL,	"say what there is, and change nothing" },
	{ 0 }
};
static const struct ctl_option backup_options[] = {
	{ "with-keys",	0,	NULL,	"the keys too, encrypted" },
	{ "passphrase-file", 0,	"FILE",	"for those not encrypted here" },
	{ 0 }
};
static const struct ctl_option restore_options[] = {
	{ "crl",	0,	"PATH",	"the latest CRL, or a folder of them" },
	{ "without-crl", 0,	NULL,	"there is none any more" },
	{ "journal",	0,	"DIR",	"where the newest journals are" },
	{ "replace",	0,	NULL,	"move a store that is there aside" },
	{ "configuration", 0,	"DIR",	"only write the configuration there" },
	{ "dry-run",	0,	NULL,	"say what it would learn" },
	{ 0 }
};
static const struct ctl_option mail_submit_options[] = {
	{ "mailbox",	0,	"TITLE", "where it would have come; the only one" },
	{ "timeout",	0,	"S",	"wait so long for certificates (30)" },
	{ 0 }
};
static const struct ctl_option approve_options[] = {
	{ "timeout",	0,	"S",	"wait so long for it (30); 0: do not" },
	{ "passphrase-file", 0,	"FILE",	"the CA key's, without a daemon" },
	{ 0 }
};
static const struct ctl_option reject_options[] = {
	{ "reason",	0,	"TEXT",	"for the one who asked" },
	{ 0 }
};
static const struct ctl_option sign_options[] = {
	{ "ca",		0,	"NAME",	"who signs" },
	{ "profile",	0,	"NAME",	"what it may be" },
	{ "days",	0,	"N",	"valid so long" },
	{ "output",	'o',	"FILE",	"instead of standard output" },
	{ "chain",	0,	NULL,	"and the CAs above it" },
	{ "der",	0,	NULL,	"DER instead of PEM" },
	{ "timeout",	0,	"S",	"wait so long for it (30)" },
	{ "passphrase-file", 0,	"FILE",	"the CA key's, without a daemon" },
	{ 0 }
};
static const struct ctl_option cert_list_options[] = {
	{ "state",	0,	"STATE", "issued, revoked, ..." },
	{ "ca",		0,	"NAME",	"of this CA" },
	{ "like",	0,	"TEXT",	"with this in its names" },
	{ "match",	0,	"PATTERN", "with such a name: \"*.example\"" },
	{ "key",	0,	"FILE",	"with the key in this file" },
	{ "expiring",	0,	"DAYS",	"in force, over within so many days, "
					"and not superseded" },
	{ "superseded",	0,	NULL,	"those that have a renewal" },
	{ "after",	0,	"ID",	"begin after this row" },
	{ "limit",	0,	"N",	"at most so many rows" },
	{ 0 }
};
static const struct ctl_option cert_options[] = {
	{ "ca",		0,	"NAME",	"whose serial it is" },
	{ 0 }
};
static const struct ctl_option cert_export_options[] = {
	{ "ca",		0,	"NAME",	"whose serial it is" },
	{ "chain",	0,	NULL,	"and the CAs above it" },
	{ "der",	0,	NULL,	"DER instead of PEM" },
	{ "p7c",	0,	NULL,	"with its chain as certs-only CMS" },
	{ "p12",	0,	NULL,	"with its chain and --key as PKCS#12" },
	{ "zip",	0,	NULL,	"all of these, and how to use them" },
	{ "key",	0,	"FILE",	"the private key, for --p12, --zip" },
	{ "key-passphrase-file", 0, "FILE", "what opens it; asked otherwise" },
	{ "p12-passphrase-file", 0, "FILE", "of the new file; asked otherwise" },
	{ "legacy",	0,	NULL,	"PKCS#12 for old macOS and Android" },
	{ "name",	0,	"TEXT",	"what the device calls it" },
	{ "output",	'o',	"FILE",	"instead of standard output" },
	{ 0 }
};
#define RENEWAL								\
	{ "ca",		0,	"NAME",	"whose serial it is" },		\
	{ "days",	0,	"N",	"valid so long; as the old one" }, \
	{ "no-mail",	0,	NULL,	"do not mail it to its owner" }, \
	{ "output",	'o',	"FILE",	"instead of standard output" },	\
	{ "chain",	0,	NULL,	"and the CAs above it" },	\
	{ "der",	0,	NULL,	"DER instead of PEM" },		\
	{ "timeout",	0,	"S",	"wait so long for it (30)" },	\
	{ "passphrase-file", 0,	"FILE",	"the CA key's, without a daemon" }
static const struct ctl_option cert_renew_options[] = {
	RENEWAL,
	{ "revoke-old",	0,	NULL,	"revoke the old one when it is there" },
	{ 0 }
};
static const struct ctl_option cert_reissue_options[] = {
	RENEWAL,
	{ "reason",	0,	"REASON", "superseded; affiliationChanged" },
	{ 0 }
};
static const struct ctl_option revoke_options[] = {
	{ "reason",	0,	"REASON", "keyCompromise, superseded, ..." },
	{ "ca",		0,	"NAME",	"whose serial it is; only of this CA" },
	{ "match",	0,	"PATTERN", "all with such a name: \"*.example\"" },
	{ "key",	0,	"FILE",	"all with the key in this file" },
	{ "invalidity",	0,	"TIME",	"not to be trusted since: "
					"2026-01-31T12:00:00Z" },
	{ "max",	0,	"N",	"refuse when more match (100)" },
	{ "yes",	0,	NULL,	"do not ask" },
	{ "passphrase-file", 0,	"FILE",	"the CA key's, without a daemon" },
	{ 0 }
};
static const struct ctl_option revoke_ca_options[] = {
	{ "reason",	0,	"REASON", "cACompromise, superseded, ..." },
	{ "invalidity",	0,	"TIME",	"not to be trusted since: "
					"2026-01-31T12:00:00Z" },
	{ "yes",	0,	NULL,	"do not ask" },
	{ "passphrase-file", 0,	"FILE",	"the CA key's, without a daemon" },
	{ 0 }
};

static const struct ctl_option policy_test_options[] = {
	{ "mailbox",	0,	"TITLE", "as if it came here; the first" },
	{ 0 }
};
static const struct ctl_option lint_options[] = {
	{ "issuer",	0,	"FILE",	"compare with this CA's certificate" },
	{ "profile",	0,	"FILE",	"compare with this profile" },
	{ 0 }
};

const struct command ctl_commands[] = {
	{ "init",		"",		0, 0, NEEDS_NOTHING,
	    ctl_init_options,	ctl_init,
	    "make a CA that is ready to work" },
	{ "ca create-root",	"NAME",		1, 1, NEEDS_SETTINGS,
	    create_options,	ctl_ca_create_root,
	    "make a root CA, without the daemon" },
	{ "ca create-child",	"NAME",		1, 1, NEEDS_SETTINGS,
	    child_options,	ctl_ca_create_child,
	    "make a CA below another, without the daemon" },
	{ "ca request",		"NAME",		1, 1, NEEDS_SETTINGS,
	    ca_request_options,	ctl_ca_request,
	    "ask a CA elsewhere for a CA's certificate, as a file" },
	{ "ca sign",		"FILE",		1, 1, NEEDS_SETTINGS,
	    ca_sign_options,	ctl_ca_sign,
	    "sign the CA that a request asks for" },
	{ "ca install",		"NAME FILE",	2, 2, NEEDS_SETTINGS,
	    ca_install_options,	ctl_ca_install,
	    "put on record what a CA elsewhere has signed" },
	{ "ca import",		"NAME [FOLDER|FILE]", 1, 2, NEEDS_SETTINGS,
	    ca_import_options,	ctl_ca_import,
	    "take over a CA from another program" },
	{ "ca renew",		"NAME",		1, 1, NEEDS_SETTINGS,
	    renew_options,	ctl_ca_renew,
	    "give a CA a new certificate, without the daemon" },
	{ "ca list",		"",		0, 0, NEEDS_API,
	    no_options,		ctl_ca_list,
	    "list CAs" },
	{ "ca show",		"NAME",		1, 1, NEEDS_API,
	    no_options,		ctl_ca_show,
	    "show a CA" },
	{ "ca export",		"NAME",		1, 1, NEEDS_API,
	    ca_export_options,	ctl_ca_export,
	    "write a CA's certificate" },
	{ "ca unlock",		"NAME",		1, 1, NEEDS_API,
	    unlock_options,	ctl_ca_unlock,
	    "open a CA's key: the passphrase goes to the signer alone" },
	{ "ca lock",		"NAME",		1, 1, NEEDS_API,
	    no_options,		ctl_ca_lock,
	    "close a CA's key until it is unlocked" },
	{ "ca rekey-passphrase", "NAME",	1, 1, NEEDS_SETTINGS,
	    rekey_options,	ctl_ca_rekey_passphrase,
	    "give a CA's key another passphrase, without the daemon" },
	{ "request new",	"[NAME...]",	0, CTL_MAX_ARGS, NEEDS_NOTHING,
	    request_new_options, ctl_request_new,
	    "make a key and a request, for a system or a person" },
	{ "request list",	"[STATE|all]",	0, 1, NEEDS_DESK,
	    list_options,	ctl_request_list,
	    "list requests, those held if no state is given" },
	{ "request show",	"ID",		1, 1, NEEDS_DESK,
	    no_options,		ctl_request_show,
	    "show a request" },
	{ "request approve",	"ID",		1, 1, NEEDS_DESK,
	    approve_options,	ctl_request_approve,
	    "issue what policy held for a person" },
	{ "request reject",	"ID",		1, 1, NEEDS_DESK,
	    reject_options,	ctl_request_reject,
	    "refuse what policy held for a person" },
	{ "revocation list",	"[STATE|all]",	0, 1, NEEDS_DESK,
	    list_options,	ctl_revocation_list,
	    "list what mails ask to be revoked, held if no state is given" },
	{ "revocation show",	"ID",		1, 1, NEEDS_DESK,
	    no_options,		ctl_revocation_show,
	    "show one" },
	{ "revocation approve",	"ID",		1, 1, NEEDS_DESK,
	    no_options,		ctl_revocation_approve,
	    "revoke as a held mail asks" },
	{ "revocation reject",	"ID",		1, 1, NEEDS_DESK,
	    reject_options,	ctl_revocation_reject,
	    "refuse what a held mail asks to be revoked" },
	{ "key block",		"FILE|SHA-256",	1, 1, NEEDS_DESK,
	    key_block_options,	ctl_key_block,
	    "never certify this key again" },
	{ "key list",		"",		0, 0, NEEDS_DESK,
	    list_options,	ctl_key_list,
	    "list keys that are never certified again" },
	{ "key import",		"FILE",		1, 1, NEEDS_DESK,
	    no_options,		ctl_key_import,
	    "take in a list of weak keys" },
	{ "cert sign",		"FILE",		1, 1, NEEDS_DESK,
	    sign_options,	ctl_cert_sign,
	    "sign a request from a file" },
	{ "cert list",		"",		0, 0, NEEDS_DESK,
	    cert_list_options,	ctl_cert_list,
	    "list certificates" },
	{ "cert show",		"SERIAL",	1, 1, NEEDS_DESK,
	    cert_options,	ctl_cert_show,
	    "show a certificate" },
	{ "cert export",	"SERIAL",	1, 1, NEEDS_DESK,
	    cert_export_options, ctl_cert_export,
	    "write a certificate" },
	{ "cert renew",		"SERIAL",	1, 1, NEEDS_DESK,
	    cert_renew_options,	ctl_cert_renew,
	    "sign the same request anew, before the certificate ends" },
	{ "cert reissue",	"SERIAL",	1, 1, NEEDS_DESK,
	    cert_reissue_options, ctl_cert_reissue,
	    "revoke a certificate and sign its request anew" },
	{ "cert revoke",	"[SERIAL]",	0, 1, NEEDS_DESK,
	    revoke_options,	ctl_cert_revoke,
	    "revoke certificates, or put them on hold" },
	{ "cert unhold",	"SERIAL",	1, 1, NEEDS_DESK,
	    cert_options,	ctl_cert_unhold,
	    "lift a hold: the certificate is good again" },
	{ "ca revoke",		"NAME",		1, 1, NEEDS_DESK,
	    revoke_ca_options,	ctl_ca_revoke,
	    "revoke a CA and everything below it" },
	{ "crl update",		"CA",		1, 1, NEEDS_DESK,
	    crl_update_options,	ctl_crl_update,
	    "publish a new CRL now" },
	{ "crl install",	"FILE",		1, 1, NEEDS_DESK,
	    crl_install_options, ctl_crl_install,
	    "publish the list of a CA that signs elsewhere" },
	{ "crl show",		"[CA]",		0, 1, NEEDS_DESK,
	    no_options,		ctl_crl_show,
	    "show which CRL is the last" },
	{ "backup verify",	"FILE",		1, 1, NEEDS_NOTHING,
	    no_options,		ctl_backup_verify,
	    "see whether a backup is whole" },
	{ "backup",		"FILE",		1, 1, NEEDS_SETTINGS,
	    backup_options,	ctl_backup,
	    "write everything into one file, also while the daemon runs" },
	{ "export index",	"FILE",		1, 1, NEEDS_SETTINGS,
	    no_options,		ctl_export_index,
	    "write what ocspd needs on another machine, in one file" },
	{ "restore",		"FILE",		1, 1, NEEDS_NOTHING,
	    restore_options,	ctl_restore,
	    "begin anew from a backup" },
	{ "policy check",	"",		0, 0, NEEDS_SETTINGS,
	    no_options,		ctl_policy_check,
	    "check configuration and policies" },
	{ "policy test",	"FILE",		1, 1, NEEDS_SETTINGS,
	    policy_test_options, ctl_policy_test,
	    "explain what would become of a mail" },
	{ "lint",		"FILE [FILE...]", 1, CTL_MAX_ARGS, NEEDS_NOTHING,
	    lint_options,	ctl_lint,
	    "check certificates, requests, CRLs and OCSP responses" },
	{ "audit list",		"",		0, 0, NEEDS_DESK,
	    list_options,	ctl_audit_list,
	    "list who did what" },
	{ "audit verify",	"",		0, 0, NEEDS_DESK,
	    no_options,		ctl_audit_verify,
	    "check that no row was changed or removed" },
	{ "mail list",		"[queued|sent|failed|bounced]", 0, 1, NEEDS_API,
	    list_options,	ctl_mail_list,
	    "list mails that leave, or that came back" },
	{ "mail show",		"ID",		1, 1, NEEDS_API,
	    no_options,		ctl_mail_show,
	    "show one, with all its words" },
	{ "mail retry",		"ID",		1, 1, NEEDS_API,
	    no_options,		ctl_mail_retry,
	    "send one now, that waits, has failed or came back" },
	{ "mail submit",	"FILE",		1, 1, NEEDS_API,
	    mail_submit_options, ctl_mail_submit,
	    "take in a mail, or a request, as if it lay in the mailbox" },
	{ "status",		"",		0, 0, NEEDS_API,
	    no_options,		ctl_status,
	    "say how the CA does; exits with 1 in trouble" },
	{ "reload",		"",		0, 0, NEEDS_API,
	    no_options,		ctl_reload,
	    "start anew with a changed configuration" },
	{ 0 }
};

const struct command *
command_find(int argc, char *const *argv, int *used)
{
	for (const struct command *c = ctl_commands; c->name != NULL; c++) {
		const char *space = strchr(c->name, ' ');
		size_t noun = space == NULL ? strlen(c->name) :
		    (size_t)(space - c->name);

		if (argc < (space == NULL ? 1 : 2) ||
		    strlen(argv[0]) != noun ||
		    strncmp(argv[0], c->name, noun) != 0 ||
		    (space != NULL && strcmp(argv[1], space + 1) != 0))
			continue;
		*used = space == NULL ? 1 : 2;
		return c;
	}
	return NULL;
}

static const struct ctl_option *
find_option(const struct ctl_option *options, const char *word, size_t len)
{
	for (; options->name != NULL; options++) {
		if (word[0] == '-' && word[1] == '-' &&
		    strlen(options->name) == len - 2 &&
		    strncmp(options->name, word + 2, len - 2) == 0)
			return options;
		if (word[1] != '-' && len == 2 && options->letter == word[1])
			return options;
	}
	return NULL;
}

static int
add_option(struct ctl *ctl, const struct ctl_option *option,
    const char *value, struct err *err)
{
	if (ctl_option(ctl, option->name) != NULL)
		return ctl_fail(ctl, EX_USAGE, err, "--%s is given twice",
		    option->name);
	if (ctl->n_options == CTL_MAX_OPTIONS)
		return ctl_fail(ctl, EX_USAGE, err, "too many options");
	ctl->options[ctl->n_options].name = option->name;
	ctl->options[ctl->n_options++].value = value;
	return 0;
}

/* One option at argv[0]; *used is the words that it takes. */
static int
read_option(const struct command *command, int argc, char *const *argv,
    int *used, struct ctl *ctl, struct err *err)
{
	const char *word = argv[0], *equals = strchr(word, '=');
	size_t len = equals == NULL ? strlen(word) : (size_t)(equals - word);
	const struct ctl_option *option = NULL;

	if (command != NULL)
		option = find_option(command->options, word, len);
	if (option == NULL)
		option = find_option(ctl_global_options, word, len);
	if (option == NULL)
		return ctl_fail(ctl, EX_USAGE, err, "unknown option: %.*s",
		    (int)len, word);
	*used = 1;
	if (option->arg == NULL)
		return equals == NULL ? add_option(ctl, option, "", err) :
		    ctl_fail(ctl, EX_USAGE, err, "--%s takes no value",
		    option->name);
	if (equals != NULL)
		return add_option(ctl, option, equals + 1, err);
	if (argc < 2)
		return ctl_fail(ctl, EX_USAGE, err, "--%s needs %s",
		    option->name, option->arg);
	*used = 2;
	return add_option(ctl, option, argv[1], err);
}

int
command_read_args(const struct command *command, int argc, char *const *argv,
    struct ctl *ctl, struct err *err)
{
	bool options = true;
	int n = 0;

	for (int i = 0, used = 1; i < argc; i += used) {
		used = 1;
		if (options && strcmp(argv[i], "--") == 0) {
			options = false;
		} else if (options && argv[i][0] == '-' &&
		    argv[i][1] != '\0') {
			if (read_option(command, argc - i, argv + i, &used,
			    ctl, err) != 0)
				return -1;
		} else if (command == NULL || n == command->max_args ||
		    n == CTL_MAX_ARGS) {
			return ctl_fail(ctl, EX_USAGE, err,
			    "one argument too many: %s", argv[i]);
		} else {
			ctl->args[n++] = argv[i];
		}
	}
	if (command != NULL && n < command->min_args &&
	    ctl_option(ctl, "help") == NULL)
		return ctl_fail(ctl, EX_USAGE, err, "%s is missing",
		    command->args);
	return 0;
}

static void
put_options(FILE *f, const struct ctl_option *options)
{
	for (; options->name != NULL; options++) {
		char left[48];

		snprintf(left, sizeof(left), "--%s%s%s", options->name,
		    options->arg == NULL ? "" : " ",
		    options->arg == NULL ? "" : options->arg);
		fprintf(f, "  %c%c%s%-28s %s\n",
		    options->letter == 0 ? ' ' : '-',
		    options->letter == 0 ? ' ' : options->letter,
		    options->letter == 0 ? "  " : ", ", left, options->help);
	}
}

void
command_usage(FILE *f, const struct command *one, const char *noun)
{
	if (one != NULL) {
		fprintf(f, "usage: csrmail %s [options]%s%s\n%s\n", one->name,
		    one->args[0] == '\0' ? "" : " ", one->args, one->help);
		put_options(f, one->options);
	} else {
		fputs("usage: csrmail [options] NOUN VERB [arguments]\n", f);
		for (one = ctl_commands; one->name != NULL; one++) {
			char left[48];

			if (strncmp(one->name, noun, strlen(noun)) != 0)
				continue;
			snprintf(left, sizeof(left), "%s %s", one->name,
			    one->args);
			fprintf(f, "  %-32s %s\n", left, one->help);
		}
	}
	fputs("everywhere:\n", f);
	put_options(f, ctl_global_options);
}
