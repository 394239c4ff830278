#include "csrmaild/settings_private.h"

#include "common/err.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

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

/* What goes together: a login method and what it shows. */
static int
check_login(cfg_t *section, bool login_required, const struct server_settings *s,
    struct err *err)
{
	bool has_user = cfg_getstr(section, "user")[0] != '\0';
	bool has_password = cfg_getstr(section, "password_file")[0] != '\0';
	bool has_file = cfg_getstr(section, "token_file")[0] != '\0';
	bool has_command = cfg_size(section, "token_command") > 0;

	if (login_required && config_check_given(section, "user", err) == -1)
		return -1;
	if (s->auth != AUTH_PASSWORD &&
	    config_check_given(section, "user", err) == -1)
		return -1;
	switch (s->auth) {
	case AUTH_PASSWORD:
		if (has_file || has_command)
			return config_fail(section, has_file ? "token_file" :
			    "token_command", err, "it is for auth = xoauth2");
		return has_user ? config_check_given(section,
		    "password_file", err) : 0;
	case AUTH_XOAUTH2:
		if (has_file == has_command)
			return config_fail(section, "auth", err,
			    "xoauth2 needs token_file or token_command, and "
			    "only one of them");
		break;
	case AUTH_EXTERNAL:
		if (has_file || has_command)
			return config_fail(section, "auth", err,
			    "external needs no token");
		if (config_check_given(section, "client_certificate",
		    err) == -1)
			return -1;
		break;
	}
	/* It would stand in the file and be used for nothing. */
	if (has_password)
		return config_fail(section, "password_file", err,
		    "it is for auth = password");
	return 0;
}

static int
check_certificate(cfg_t *section, enum tls_mode tls, struct err *err)
{
	bool has_certificate =
	    cfg_getstr(section, "client_certificate")[0] != '\0';

	if (settings_check_path(section, "client_certificate", err) == -1 ||
	    settings_check_path(section, "client_key_file", err) == -1)
		return -1;
	if (has_certificate && config_check_given(section, "client_key_file",
	    err) == -1)
		return -1;
	if (!has_certificate && cfg_getstr(section, "client_key_file")[0] !=
	    '\0' && config_check_given(section, "client_certificate",
	    err) == -1)
		return -1;
	if (has_certificate && tls == TLS_NONE)
		return config_fail(section, "client_certificate", err,
		    "without TLS nobody sees it");
	return 0;
}

static int
read_command(cfg_t *section, struct server_settings *out, struct err *err)
{
	unsigned int n = cfg_size(section, "token_command");

	if (n > SETTINGS_MAX_COMMAND - 1)
		return config_fail(section, "token_command", err,
		    "found %u words, allowed are %d", n,
		    SETTINGS_MAX_COMMAND - 1);
	if (n > 0 && cfg_getnstr(section, "token_command", 0)[0] != '/')
		return config_fail(section, "token_command", err,
		    "found \"%s\", allowed is an absolute path and its "
		    "arguments, word by word",
		    cfg_getnstr(section, "token_command", 0));
	for (unsigned int i = 0; i < n; i++) {
		out->token_command[i] = strdup(cfg_getnstr(section,
		    "token_command", i));
		if (out->token_command[i] == NULL)
			return err_set(err, ERR_FAULT, "out of memory");
		out->n_token_command++;
	}
	return 0;
}

static int
copy_strings(cfg_t *section, struct server_settings *out, struct err *err)
{
	const struct {
		const char	*key;
		char		**to;
	} strings[] = {
		{ "host", &out->host }, { "ca_file", &out->ca_file },
		{ "tls_name", &out->tls_name },
		{ "client_certificate", &out->client_certificate },
		{ "client_key_file", &out->client_key_file },
		{ "user", &out->user },
		{ "password_file", &out->password_file },
		{ "token_file", &out->token_file },
	};

	for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++)
		if (settings_copy_str(section, strings[i].key, strings[i].to,
		    err) == -1)
			return -1;
	return read_command(section, out, err);
}

int
settings_read_server(cfg_t *section, bool login_required, struct server_settings *out,
    struct err *err)
{
	static const char *const modes[] = { "implicit", "starttls", "none",
		NULL };
	static const char *const versions[] = { "1.2", "1.3", NULL };
	static const char *const methods[] = { "password", "xoauth2",
		"external", NULL };
	size_t mode = 0, version = 0, method = 0;

	if (config_check_given(section, "host", err) == -1 ||
	    config_check_range(section, "port", 1, 65535, err) == -1 ||
	    config_check_range(section, "timeout_s", 1, 600, err) == -1 ||
	    config_check_word(section, "tls", modes, &mode, err) == -1 ||
	    config_check_word(section, "tls_min", versions, &version,
	    err) == -1 ||
	    config_check_word(section, "auth", methods, &method, err) == -1 ||
	    settings_check_path(section, "ca_file", err) == -1 ||
	    settings_check_path(section, "password_file", err) == -1 ||
	    settings_check_path(section, "token_file", err) == -1)
		return -1;
	out->port = (uint16_t)cfg_getint(section, "port");
	out->timeout_s = (unsigned int)cfg_getint(section, "timeout_s");
	out->tls = (enum tls_mode)(mode + TLS_IMPLICIT);
	out->tls_min = (enum tls_version)version;
	out->auth = (enum auth_method)method;
	if (out->tls == TLS_NONE && !is_loopback(cfg_getstr(section, "host")))
		return config_fail(section, "tls", err,
		    "\"none\" is allowed only for a loopback address "
		    "(127.0.0.1, ::1)");
	if (check_login(section, login_required, out, err) == -1 ||
	    check_certificate(section, out->tls, err) == -1)
		return -1;
	return copy_strings(section, out, err);
}

/* Is there a mailbox whose answers are mails? */
static bool
answers_by_mail(cfg_t *cfg)
{
	for (unsigned int i = 0; i < cfg_size(cfg, "mailbox"); i++)
		if (cfg_getstr(cfg_getnsec(cfg, "mailbox", i),
		    "inbox")[0] == '\0')
			return true;
	return false;
}

/* Where no answer is a mail (folders; a CA for the command line alone) it may
 * be missing. */
int
settings_read_smtp(cfg_t *cfg, struct server_settings *out,
    unsigned int *sessions, struct err *err)
{
	cfg_t *section = cfg_getsec(cfg, "smtp");

	*sessions = 1;
	if (!answers_by_mail(cfg) &&
	    cfg_getstr(section, "host")[0] == '\0')
		return 0;
	if (config_check_range(section, "sessions", 1, 8, err) == -1)
		return -1;
	*sessions = (unsigned int)cfg_getint(section, "sessions");
	return settings_read_server(section, false, out, err);
}

void
settings_free_server(struct server_settings *s)
{
	free(s->host);
	free(s->ca_file);
	free(s->tls_name);
	free(s->client_certificate);
	free(s->client_key_file);
	free(s->user);
	free(s->password_file);
	free(s->token_file);
	for (size_t i = 0; i < s->n_token_command; i++)
		free(s->token_command[i]);
}
