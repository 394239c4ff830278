#include "csrmaild/ctl/ctl.h"
#include "csrmaild/ctl/init.h"

#include "common/ca.h"
#include "common/err.h"

#include <sys/stat.h>

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const struct ctl_option ctl_init_options[] = {
	{ "name",	0, "NAME",	"the organisation, as in the subject" },
	{ "address",	0, "MAILBOX",	"the CA's mail address" },
	{ "imap-host",	0, "HOST",	"where its mail arrives" },
	{ "imap-port",	0, "PORT",	"993, or 143 for STARTTLS" },
	{ "imap-tls",	0, "MODE",	"implicit, starttls or none" },
	{ "smtp-host",	0, "HOST",	"where its mail leaves" },
	{ "smtp-port",	0, "PORT",	"587" },
	{ "smtp-tls",	0, "MODE",	"starttls or none" },
	{ "user",	0, "USER",	"login at both; the address" },
	{ "password-file", 0, "FILE",	"password at both" },
	{ "imap-user",	0, "USER",	"login at the IMAP server" },
	{ "imap-password-file", 0, "FILE", "password at the IMAP server" },
	{ "smtp-user",	0, "USER",	"login at the SMTP server" },
	{ "smtp-password-file", 0, "FILE", "password at the SMTP server" },
	{ "ca-file",	0, "FILE",	"CAs of the mail servers, PEM" },
	{ "folder",	0, "FOLDER",	"that is read; INBOX" },
	{ "authserv-id", 0, "NAME",	"whose Authentication-Results count" },
	{ "trusted-received", 0, "N",	"Received fields above them; 1" },
	{ "staff",	0, "PATTERN",	"senders to sign for; *@DOMAIN" },
	{ "ocsp-url",	0, "URL",	"where ocspd is reached from outside" },
	{ "ocsp-listen", 0, "ADDRESS:PORT", "where it listens" },
	{ "health-listen", 0, "ADDRESS:PORT", "where it tells how it does" },
	{ "root",	0, "CA",	"name of the root CA; root" },
	{ "issuer",	0, "CA",	"name of the CA that signs; users" },
	{ "root-key",	0, "KEY",	"its key; p384" },
	{ "issuer-key",	0, "KEY",	"its key; p256" },
	{ "request",	0, "FILE",	"the root is elsewhere: what it is to "
					"sign" },
	{ "conf-dir",	0, "DIR",	"/etc/csrmail" },
	{ "state-dir",	0, "DIR",	"/var/lib/csrmail" },
	{ "run-dir",	0, "DIR",	"/run/csrmail" },
	{ "ocspd-dir",	0, "DIR",	"the state folder with -ocspd" },
	{ "unprivileged", 0, NULL,	"all roles as the user who runs this" },
	{ "yes",	'y', NULL,	"ask nothing" },
	{ 0 }
};

/*
 * One choice a line, in the order in which they are asked. A default that
 * begins with "=" is the value of another choice. What has no question is
 * told by option or stays at its default.
 */
static const struct choice {
	const char	*option;
	size_t		 place;		/* in struct plan */
	const char	*question;	/* NULL: never asked */
	const char	*otherwise;	/* NULL: it must be told */
} choices[] = {
#define CHOICE(o, field, q, d)	{ o, offsetof(struct plan, field), q, d }
	CHOICE("name", name, "Name of your organisation", NULL),
	CHOICE("address", address, "Mail address of the CA", NULL),
	CHOICE("imap-host", imap_host, "IMAP server", NULL),
	CHOICE("imap-tls", imap_tls, NULL, "implicit"),
	CHOICE("imap-port", imap_port, NULL, NULL),
	CHOICE("smtp-host", smtp_host, "SMTP server", "=imap-host"),
	CHOICE("smtp-tls", smtp_tls, NULL, "starttls"),
	CHOICE("smtp-port", smtp_port, NULL, "587"),
	CHOICE("imap-user", imap_user, "Login at the IMAP server", NULL),
	CHOICE("imap-password-file", imap_password_file,
	    "File with its password", NULL),
	CHOICE("smtp-user", smtp_user, "Login at the SMTP server",
	    "=imap-user"),
	CHOICE("smtp-password-file", smtp_password_file,
	    "File with its password", "=imap-password-file"),
	CHOICE("ca-file", ca_file, NULL, ""),
	CHOICE("folder", folder, NULL, "INBOX"),
	CHOICE("authserv-id", authserv_id, "Name of the server whose "
	    "Authentication-Results are believed (empty: nobody's)", ""),
	CHOICE("trusted-received", trusted_received, NULL, "1"),
	CHOICE("staff", staff, "Senders who get certificates at once", NULL),
	CHOICE("ocsp-url", ocsp_url, "URL of the OCSP responder "
	    "(empty: none in certificates)", ""),
	CHOICE("ocsp-listen", ocsp_listen, NULL, NULL),
	CHOICE("health-listen", health_listen, NULL, "127.0.0.1:9180"),
	CHOICE("root", root, NULL, "root"),
	CHOICE("issuer", issuer, NULL, "users"),
	CHOICE("root-key", root_key, NULL, "p384"),
	CHOICE("issuer-key", issuer_key, NULL, "p256"),
	CHOICE("conf-dir", conf_dir, NULL, "/etc/csrmail"),
	CHOICE("state-dir", state_dir, NULL, "/var/lib/csrmail"),
	CHOICE("run-dir", run_dir, NULL, "/run/csrmail"),
	CHOICE("ocspd-dir", ocspd_dir, NULL, NULL),
#undef CHOICE
};
#define N_CHOICES	(sizeof(choices) / sizeof(choices[0]))

static char **
place_of(struct plan *plan, const struct choice *choice)
{
	return (char **)(void *)((char *)plan + choice->place);
}

static const char *
chosen(struct plan *plan, const char *option)
{
	for (size_t i = 0; i < N_CHOICES; i++)
		if (strcmp(choices[i].option, option) == 0)
			return *place_of(plan, &choices[i]);
	return NULL;
}

/* Defaults that follow from earlier choices. NULL: there is none. */
static const char *
default_of(struct ctl *ctl, struct plan *plan, const struct choice *choice,
    struct buf *scratch)
{
	const char *option = choice->option;

	if (choice->otherwise != NULL && choice->otherwise[0] == '=')
		return chosen(plan, choice->otherwise + 1);
	if (choice->otherwise != NULL)
		return choice->otherwise;
	buf_clear(scratch);
	if (strcmp(option, "imap-port") == 0)
		return strcmp(plan->imap_tls, "implicit") == 0 ? "993" :
		    "143";
	if (strcmp(option, "imap-user") == 0)
		return plan->address;
	if (strcmp(option, "ocsp-listen") == 0)
		return plan->unprivileged ? "0.0.0.0:8080" : "0.0.0.0:80";
	if (strcmp(option, "staff") == 0 &&
	    strchr(plan->address, '@') != NULL)
		buf_printf(scratch, "*%s", strchr(plan->address, '@'));
	else if (strcmp(option, "ocspd-dir") == 0)
		buf_printf(scratch, "%s-ocspd", plan->state_dir);
	(void)ctl;
	return scratch->len == 0 ? NULL : buf_str(scratch);
}

/* --user and --password-file stand for both servers. */
static const char *
told(const struct ctl *ctl, const char *option)
{
	const char *value = ctl_option(ctl, option);

	if (value == NULL && (strcmp(option, "imap-user") == 0 ||
	    strcmp(option, "smtp-user") == 0))
		value = ctl_option(ctl, "user");
	if (value == NULL && (strcmp(option, "imap-password-file") == 0 ||
	    strcmp(option, "smtp-password-file") == 0))
		value = ctl_option(ctl, "password-file");
	return value;
}

/* A line from the terminal; "" takes the default. */
static int
ask(struct ctl *ctl, const char *question, const char *otherwise,
    struct buf *out, struct err *err)
{
	char line[512];

	printf("%s%s%s%s: ", question, otherwise == NULL ? "" : " [",
	    otherwise == NULL ? "" : otherwise, otherwise == NULL ? "" : "]");
	fflush(stdout);
	if (fgets(line, sizeof(line), stdin) == NULL)
		return ctl_fail(ctl, EX_USAGE, err, "no answer");
	line[strcspn(line, "\n")] = '\0';
	buf_clear(out);
	return buf_append_str(out, line);
}

static int
choose(struct ctl *ctl, struct plan *plan, const struct choice *choice,
    bool may_ask, struct err *err)
{
	const char *value = told(ctl, choice->option);
	OWNED_BUF(scratch, 4096);
	OWNED_BUF(answer, 512);

	if (value == NULL) {
		value = default_of(ctl, plan, choice, &scratch);
		if (choice->question != NULL && may_ask) {
			if (ask(ctl, choice->question, value, &answer,
			    err) != 0)
				return -1;
			if (answer.len > 0)
				value = buf_str(&answer);
		}
	}
	if (value == NULL)
		return ctl_fail(ctl, EX_USAGE, err, "--%s is needed",
		    choice->option);
	if (strcmp(choice->option, "address") == 0 &&
	    strchr(value, '@') == NULL)
		return ctl_fail(ctl, EX_USAGE, err, "--address: found \"%s\", "
		    "needed is an address like ca@example.org", value);
	*place_of(plan, choice) = strdup(value);
	return *place_of(plan, choice) == NULL ?
	    err_set(err, ERR_FAULT, "out of memory") : 0;
}

/* As main will want it when the daemon starts. */
static int
check_file(struct ctl *ctl, const char *path, bool secret, struct err *err)
{
	struct stat st;

	if (*path == '\0')
		return 0;
	if (*path != '/' || access(path, R_OK) != 0 || stat(path, &st) != 0)
		return ctl_fail(ctl, EX_NOINPUT, err, "%s: cannot be read; "
		    "the full path of a file is needed", path);
	if (secret && (st.st_mode & (S_IWGRP | S_IRWXO)) != 0)
		return ctl_fail(ctl, EX_NOPERM, err, "%s: it holds a secret "
		    "and others can reach it: chmod 600", path);
	return 0;
}

static int
check(struct ctl *ctl, const struct plan *plan, struct err *err)
{
	const char *const folders[] = { plan->conf_dir, plan->state_dir,
		plan->run_dir, plan->ocspd_dir };

	for (size_t i = 0; i < 4; i++)
		if (folders[i][0] != '/')
			return ctl_fail(ctl, EX_USAGE, err, "%s: a folder "
			    "must be given by its full path", folders[i]);
	if (check_file(ctl, plan->imap_password_file, true, err) != 0 ||
	    check_file(ctl, plan->smtp_password_file, true, err) != 0 ||
	    check_file(ctl, plan->ca_file, false, err) != 0)
		return -1;
	if (!ca_name_is_valid(plan->root) ||
	    !ca_name_is_valid(plan->issuer) ||
	    strcmp(plan->root, plan->issuer) == 0)
		return ctl_fail(ctl, EX_USAGE, err, "--root and --issuer need "
		    "two names like example.org/users");
	if (plan->ocsp_url[0] != '\0' &&
	    strncmp(plan->ocsp_url, "http://", 7) != 0)
		return ctl_fail(ctl, EX_USAGE, err, "--ocsp-url must begin "
		    "with http:// (RFC 5019, 5: clients could not check https "
		    "without it)");
	if (!plan->unprivileged && geteuid() != 0)
		return ctl_fail(ctl, EX_NOPERM, err, "run this as root, or "
		    "with --unprivileged for one user and one folder");
	return 0;
}

int
plan_make(struct ctl *ctl, struct plan *plan, struct err *err)
{
	bool may_ask = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) &&
	    ctl_option(ctl, "yes") == NULL;

	*plan = (struct plan){
		.unprivileged = ctl_option(ctl, "unprivileged") != NULL };
	for (size_t i = 0; i < N_CHOICES; i++)
		if (choose(ctl, plan, &choices[i], may_ask, err) != 0)
			return -1;
	return check(ctl, plan, err);
}

void
plan_free_contents(struct plan *plan)
{
	for (size_t i = 0; i < N_CHOICES; i++)
		free(*place_of(plan, &choices[i]));
}
