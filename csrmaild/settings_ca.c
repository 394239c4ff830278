#include "csrmaild/settings_private.h"

#include "common/ca.h"
#include "common/crl.h"
#include "common/err.h"

#include <stdlib.h>
#include <string.h>

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
	return settings_copy_str(s, "crl_url", &out->crl_url, err);
}

/* One folder, or a list of them; "" is none. */
static int
read_spools(cfg_t *s, struct ca_settings *out, struct err *err)
{
	unsigned int n = cfg_size(s, "responder_spool");

	if (n > SETTINGS_MAX_SPOOLS)
		return config_fail(s, "responder_spool", err,
		    "found %u folders, allowed 0 to %d", n,
		    SETTINGS_MAX_SPOOLS);
	for (unsigned int i = 0; i < n; i++) {
		const char *path = cfg_getnstr(s, "responder_spool", i);

		if (path[0] == '\0')
			continue;
		if (path[0] != '/')
			return config_fail(s, "responder_spool", err,
			    "found \"%s\", allowed is a path that begins "
			    "with /", path);
		out->responder_spools[out->n_responder_spools] = strdup(path);
		if (out->responder_spools[out->n_responder_spools] == NULL)
			return err_set(err, ERR_FAULT, "out of memory");
		out->n_responder_spools++;
	}
	return 0;
}

int
settings_read_ca(cfg_t *s, struct ca_settings *out, struct err *err)
{
	out->name = strdup(cfg_title(s));
	if (out->name == NULL)
		return err_set(err, ERR_FAULT, "out of memory");
	if (!ca_name_is_valid(out->name))
		return config_fail(s, "passphrase_file", err,
		    "\"%s\" is no name for a CA: letters, digits, '.', '-', "
		    "'_' and one '/'", out->name);
	if (settings_check_path(s, "passphrase_file", err) == -1 ||
	    read_spools(s, out, err) == -1 ||
	    read_ca_crls(s, out, err) == -1)
		return -1;
	if (settings_copy_str(s, "passphrase_file", &out->passphrase_file,
	    err) == -1 ||
	    settings_copy_str(s, "ocsp_url", &out->ocsp_url, err) == -1)
		return -1;
	return settings_copy_str(s, "ca_url", &out->ca_url, err);
}

void
settings_free_ca(struct ca_settings *ca)
{
	free(ca->name);
	free(ca->passphrase_file);
	free(ca->ocsp_url);
	free(ca->crl_url);
	free(ca->ca_url);
	for (size_t i = 0; i < ca->n_responder_spools; i++)
		free(ca->responder_spools[i]);
}
