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

int
settings_read_server(cfg_t *section, bool login_required, struct server_settings *out,
    struct err *err)
{
	static const char *const modes[] = { "implicit", "starttls", "none",
		NULL };
	size_t mode = 0;

	if (config_check_given(section, "host", err) == -1 ||
	    config_check_range(section, "port", 1, 65535, err) == -1 ||
	    config_check_range(section, "timeout_s", 1, 600, err) == -1 ||
	    config_check_word(section, "tls", modes, &mode, err) == -1 ||
	    settings_check_path(section, "ca_file", err) == -1 ||
	    settings_check_path(section, "password_file", err) == -1)
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
	if (settings_copy_str(section, "host", &out->host, err) == -1 ||
	    settings_copy_str(section, "ca_file", &out->ca_file, err) == -1 ||
	    settings_copy_str(section, "tls_name", &out->tls_name, err) == -1 ||
	    settings_copy_str(section, "user", &out->user, err) == -1)
		return -1;
	return settings_copy_str(section, "password_file", &out->password_file, err);
}

/* Without a mailbox (a CA for the command line alone) it may be missing. */
int
settings_read_smtp(cfg_t *cfg, struct server_settings *out, struct err *err)
{
	cfg_t *section = cfg_getsec(cfg, "smtp");

	if (cfg_size(cfg, "mailbox") == 0 &&
	    cfg_getstr(section, "host")[0] == '\0')
		return 0;
	if (settings_read_server(section, false, out, err) == -1)
		return -1;
	if (out->tls == TLS_IMPLICIT)
		return config_fail(section, "tls", err,
		    "found \"implicit\", allowed: starttls, none");
	return 0;
}

void
settings_free_server(struct server_settings *s)
{
	free(s->host);
	free(s->ca_file);
	free(s->tls_name);
	free(s->user);
	free(s->password_file);
}
