#include "csrmaild/settings_private.h"

#include "common/err.h"
#include "common/keystore_token.h"

#include <stdlib.h>
#include <string.h>

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

int
settings_read_token(cfg_t *cfg, struct token_settings *out, struct err *err)
{
	if (settings_check_path(cfg, "pkcs11_module", err) == -1 ||
	    settings_copy_str(cfg, "pkcs11_module", &out->module, err) == -1 ||
	    read_list(cfg, "pkcs11_environment", is_variable,
	    "NAME=VALUE, and not LD_*", out->environment, &out->n_environment,
	    err) == -1)
		return -1;
	out->network = cfg_getbool(cfg, "pkcs11_network");
	return read_list(cfg, "pkcs11_paths", is_absolute,
	    "a path that begins with /", out->paths, &out->n_paths, err);
}

void
settings_free_token(struct token_settings *t)
{
	free(t->module);
	while (t->n_environment > 0)
		free(t->environment[--t->n_environment]);
	while (t->n_paths > 0)
		free(t->paths[--t->n_paths]);
}
