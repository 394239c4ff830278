#include "csrmaild/ctl/ca_rows.h"
#include "csrmaild/ctl/ctl.h"
#include "csrmaild/ctl/protocol.h"
#include "csrmaild/settings.h"

#include "common/ca.h"
#include "common/err.h"
#include "common/issue.h"

#include <string.h>

#define MAX_CRL_OCTETS	((size_t)512 << 20)

static const struct column columns[] = {
	{ "CA",			"ca",		0 },
	{ "SHARD",		"shard",	0 },
	{ "KIND",		"kind",		0 },
	{ "NUMBER",		"number",	0 },
	{ "BASE",		"base",		0 },
	{ "ENTRIES",		"entries",	0 },
	{ "THIS UPDATE",	"this_update",	0 },
	{ "NEXT UPDATE",	"next_update",	0 },
};

int
ctl_crl_show(struct ctl *ctl, struct err *err)
{
	json_t *rows = NULL;

	if (ca_rows_read_crls(ctl, ctl->args[0], &rows, err) != 0)
		return -1;
	table_print(ctl, rows, columns, sizeof(columns) / sizeof(columns[0]));
	json_decref(rows);
	return 0;
}

/* Without a daemon: how long the one that is made now is to be good. */
static int
set_validity(struct ctl *ctl, struct err *err)
{
	struct settings *settings;
	char family[CA_NAME_MAX + 1];
	long days;

	if (ctl_option(ctl, "days") == NULL)
		return 0;
	if (ctl->folder == NULL)
		return ctl_fail(ctl, EX_USAGE, err, "--days is for --folder; "
		    "a daemon goes by crl_validity_s in %s", ctl->conf);
	if (ctl_number(ctl, "days", 1, 400, 0, &days, err) != 0 ||
	    ctl_need_settings(ctl, err) != 0)
		return -1;
	settings = ctl->settings;
	ca_family(ctl->args[0], family, sizeof(family));
	for (size_t i = 0; i < settings->n_cas; i++)
		if (strcmp(settings->cas[i].name, family) == 0)
			settings->cas[i].crl_validity_s =
			    (int64_t)days * 86400;
	return 0;
}

/* The list is read as a whole only to be written elsewhere. */
static int
copy_to_output(struct ctl *ctl, const char *path, struct err *err)
{
	OWNED_BUF(crl, MAX_CRL_OCTETS);

	if (ctl_option(ctl, "output") == NULL)
		return 0;
	return ctl_read_file(ctl, path, &crl, err) != 0 ? -1 :
	    ctl_write_output(ctl, buf_bytes(&crl), err);
}

/* Each key of a CA has a list, and a file holds one of them: whoever carries
 * one file must not be left to think that it is all. */
static int
check_output(struct ctl *ctl, struct err *err)
{
	const json_t *row;
	json_t *cas = NULL;
	size_t i, n = 0;

	if (ctl_option(ctl, "output") == NULL)
		return 0;
	if (ca_rows_read(ctl, &cas, err) != 0)
		return -1;
	json_array_foreach(cas, i, row) {
		const char *name = json_string_value(
		    json_object_get(row, "name"));

		n += name != NULL && ca_is_meant(ctl->args[0], name);
	}
	json_decref(cas);
	return n < 2 ? 0 : ctl_fail(ctl, EX_USAGE, err, "%s has %zu keys, and "
	    "each has a list: name one (%s~1), or leave out --output and "
	    "carry all from the folder published", ctl->args[0], n,
	    ctl->args[0]);
}

struct publishing {
	struct ctl	*ctl;
	const char	*since;		/* RFC 3339 in UTC, which sorts as text */
	const json_t	*lists;		/* borrowed */
	struct protocol	 protocol;
};

/* The list of one key, if it was made by now. */
static int
show_one(struct publishing *pub, const json_t *ca, struct err *err)
{
	const char *name = json_string_value(json_object_get(ca, "name"));
	const json_t *list = ca_rows_full_crl(pub->lists, name);
	const char *at = json_string_value(json_object_get(list,
	    "this_update"));
	const char *output = ctl_option(pub->ctl, "output");
	char file[CA_NAME_MAX + 8];
	OWNED_BUF(path, 4200);

	if (at == NULL || strcmp(at, pub->since) < 0)
		return 0;
	ca_file_name(name, ".crl", file, sizeof(file));
	buf_printf(&path, "%s/published/%s", pub->ctl->settings->state_dir,
	    file);
	if (copy_to_output(pub->ctl, buf_str(&path), err) != 0)
		return -1;
	protocol_put_crl(&pub->protocol, ca, list);
	protocol_put_file(&pub->protocol, output == NULL ? buf_str(&path) :
	    output);
	return 0;
}

/* What a desk of our own has published by now. */
static int
show_published(struct ctl *ctl, const char *since, struct err *err)
{
	struct publishing pub = { .ctl = ctl, .since = since };
	json_t *cas = NULL, *lists = NULL;
	const json_t *ca;
	size_t i;
	int r;

	if (ca_rows_read(ctl, &cas, err) != 0)
		return -1;
	r = ca_rows_read_crls(ctl, ctl->args[0], &lists, err);
	pub.lists = lists;
	protocol_begin(&pub.protocol, ctl,
	    "a certificate revocation list was signed");
	protocol_put(&pub.protocol, "CA", ctl->args[0]);
	if (r == 0)
		json_array_foreach(cas, i, ca)
			if (r == 0)
				r = show_one(&pub, ca, err);
	json_decref(lists);
	json_decref(cas);
	if (r == 0)
		return protocol_end(&pub.protocol, err);
	buf_free(&pub.protocol.text);
	return -1;
}

int
ctl_crl_update(struct ctl *ctl, struct err *err)
{
	OWNED_BUF(path, 512);
	char since[CA_ROWS_TIME_SIZE];
	json_t *answer = NULL;

	ca_rows_now(since);
	if (set_validity(ctl, err) != 0 || check_output(ctl, err) != 0)
		return -1;
	client_path(&path, "crls/", ctl->args[0], "/update");
	if (client_post(ctl, buf_str(&path), NULL, &answer, err) != 0)
		return -1;
	if (ctl->json)
		table_print_json(answer);
	else if (ctl->desk == NULL)
		printf("a new CRL of %s will be published in a moment\n",
		    ctl->args[0]);
	json_decref(answer);
	if (ctl->desk != NULL)
		return show_published(ctl, since, err);
	return ctl_option(ctl, "output") == NULL ? 0 : ctl_fail(ctl, EX_USAGE,
	    err, "it is asked for; --output is for a CA without a daemon, "
	    "which publishes it in its folder");
}
