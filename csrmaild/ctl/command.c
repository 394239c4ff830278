#include "csrmaild/ctl/command.h"

#include "common/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

const struct ctl_option ctl_global_options[] = {
	{ "config",	'c',	"FILE",	"csrmaild.conf" },
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
static const struct ctl_option create_options[] = {
	{ "subject",	0,	"NAME",	"subject: \"O=Example, CN=Root\"" },
	{ "days",	0,	"N",	"how long it is valid" },
	{ "key-type",	0,	"KEY",	"p256, p384, p521, ed25519, rsa3072, "
					"rsa4096" },
	{ "passphrase-file", 0,	"FILE",	"the new key's passphrase" },
	{ 0 }
};
static const struct ctl_option child_options[] = {
	{ "parent",	0,	"CA",	"who signs it" },
	{ "subject",	0,	"NAME",	"subject: \"O=Example, CN=Users\"" },
	{ "days",	0,	"N",	"how long it is valid" },
	{ "key-type",	0,	"KEY",	"p256, p384, p521, ed25519, rsa3072, "
					"rsa4096" },
	{ "passphrase-file", 0,	"FILE",	"the new key's passphrase" },
	{ "parent-passphrase-file", 0, "FILE", "the parent key's" },
	{ "path-len",	0,	"N",	"CAs that may stand below it; 0" },
	{ 0 }
};
static const struct ctl_option ca_export_options[] = {
	{ "chain",	0,	NULL,	"and those above it" },
	{ "output",	'o',	"FILE",	"instead of standard output" },
	{ 0 }
};
static const struct ctl_option approve_options[] = {
	{ "timeout",	0,	"S",	"wait so long for it (30); 0: do not" },
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
	{ 0 }
};
static const struct ctl_option cert_list_options[] = {
	{ "state",	0,	"STATE", "issued, revoked, ..." },
	{ "ca",		0,	"NAME",	"of this CA" },
	{ "like",	0,	"TEXT",	"with this in its names" },
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
	{ "output",	'o',	"FILE",	"instead of standard output" },
	{ 0 }
};
static const struct ctl_option revoke_options[] = {
	{ "reason",	0,	"REASON", "keyCompromise, superseded, ..." },
	{ "ca",		0,	"NAME",	"whose serial it is" },
	{ 0 }
};

static const struct ctl_option policy_test_options[] = {
	{ "mailbox",	0,	"TITLE", "as if it came here; the first" },
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
	{ "ca list",		"",		0, 0, NEEDS_API,
	    no_options,		ctl_ca_list,
	    "list CAs" },
	{ "ca show",		"NAME",		1, 1, NEEDS_API,
	    no_options,		ctl_ca_show,
	    "show a CA" },
	{ "ca export",		"NAME",		1, 1, NEEDS_API,
	    ca_export_options,	ctl_ca_export,
	    "write a CA's certificate" },
	{ "request list",	"[STATE|all]",	0, 1, NEEDS_API,
	    list_options,	ctl_request_list,
	    "list requests, those held if no state is given" },
	{ "request show",	"ID",		1, 1, NEEDS_API,
	    no_options,		ctl_request_show,
	    "show a request" },
	{ "request approve",	"ID",		1, 1, NEEDS_API,
	    approve_options,	ctl_request_approve,
	    "issue what policy held for a person" },
	{ "request reject",	"ID",		1, 1, NEEDS_API,
	    reject_options,	ctl_request_reject,
	    "refuse what policy held for a person" },
	{ "cert sign",		"FILE",		1, 1, NEEDS_API,
	    sign_options,	ctl_cert_sign,
	    "sign a request from a file" },
	{ "cert list",		"",		0, 0, NEEDS_API,
	    cert_list_options,	ctl_cert_list,
	    "list certificates" },
	{ "cert show",		"SERIAL",	1, 1, NEEDS_API,
	    cert_options,	ctl_cert_show,
	    "show a certificate" },
	{ "cert export",	"SERIAL",	1, 1, NEEDS_API,
	    cert_export_options, ctl_cert_export,
	    "write a certificate" },
	{ "cert revoke",	"SERIAL",	1, 1, NEEDS_API,
	    revoke_options,	ctl_cert_revoke,
	    "revoke a certificate, for good" },
	{ "crl update",		"CA",		1, 1, NEEDS_API,
	    no_options,		ctl_crl_update,
	    "publish a new CRL now" },
	{ "crl show",		"[CA]",		0, 1, NEEDS_API,
	    no_options,		ctl_crl_show,
	    "show which CRL is the last" },
	{ "policy check",	"",		0, 0, NEEDS_SETTINGS,
	    no_options,		ctl_policy_check,
	    "check configuration and policies" },
	{ "policy test",	"FILE",		1, 1, NEEDS_SETTINGS,
	    policy_test_options, ctl_policy_test,
	    "explain what would become of a mail" },
	{ "audit list",		"",		0, 0, NEEDS_API,
	    list_options,	ctl_audit_list,
	    "list who did what" },
	{ "audit verify",	"",		0, 0, NEEDS_API,
	    no_options,		ctl_audit_verify,
	    "check that no row was changed or removed" },
	{ "mail list",		"[queued|sent|failed]", 0, 1, NEEDS_API,
	    list_options,	ctl_mail_list,
	    "list mails that leave" },
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
