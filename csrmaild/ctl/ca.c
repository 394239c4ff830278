#include "csrmaild/ctl/ca_rows.h"
#include "csrmaild/ctl/certfile.h"
#include "csrmaild/ctl/ctl.h"
#include "csrmaild/ctl/make_ca.h"
#include "csrmaild/settings.h"

#include "common/err.h"
#include "common/owned.h"

#include <string.h>

#define ROOT_DAYS	7300
#define CHILD_DAYS	3650
#define MAX_PASSPHRASE	1024

static const struct column list_columns[] = {
	{ "NAME",	"name",		0 },
	{ "PARENT",	"parent",	0 },
	{ "NOT BEFORE",	"not_before",	0 },
	{ "NOT AFTER",	"not_after",	0 },
};

static const struct column show_columns[] = {
	{ "name",	"name",		0 },
	{ "parent",	"parent",	0 },
	{ "not before",	"not_before",	0 },
	{ "not after",	"not_after",	0 },
	{ "SHA-256",	"sha256",	0 },
};

int
ctl_ca_list(struct ctl *ctl, struct err *err)
{
	json_t *rows = NULL;

	if (ca_rows_read(ctl, &rows, err) != 0)
		return -1;
	table_print(ctl, rows, list_columns,
	    sizeof(list_columns) / sizeof(list_columns[0]));
	json_decref(rows);
	return 0;
}

/* A reference of its own; NULL and EX_NOINPUT when there is none. */
static json_t *
find(struct ctl *ctl, struct err *err)
{
	json_t *rows = NULL, *found;

	if (ca_rows_read(ctl, &rows, err) != 0)
		return NULL;
	found = json_deep_copy(ca_rows_find(rows, ctl->args[0]));
	json_decref(rows);
	if (found == NULL)
		ctl_fail(ctl, EX_NOINPUT, err, "there is no CA %s",
		    ctl->args[0]);
	return found;
}

int
ctl_ca_show(struct ctl *ctl, struct err *err)
{
	json_t *ca = find(ctl, err);
	char print[CERTFILE_PRINT_SIZE];
	const char *pem;

	if (ca == NULL)
		return -1;
	pem = json_string_value(json_object_get(ca, "pem"));
	if (certfile_fingerprint(pem, print) == 0)
		json_object_set_new(ca, "sha256", json_string(print));
	table_print_object(ctl, ca, show_columns,
	    sizeof(show_columns) / sizeof(show_columns[0]));
	if (!ctl->json && pem != NULL)
		printf("\n%s", pem);
	json_decref(ca);
	return 0;
}

int
ctl_ca_export(struct ctl *ctl, struct err *err)
{
	OWNED_BUF(out, 1u << 20);
	json_t *ca = find(ctl, err);
	const char *parent;
	int r = 0;

	if (ca == NULL)
		return -1;
	parent = json_string_value(json_object_get(ca, "parent"));
	buf_append_str(&out, json_string_value(json_object_get(ca, "pem")));
	if (ctl_option(ctl, "chain") != NULL)
		r = certfile_append_chain(ctl, parent, &out, err);
	json_decref(ca);
	return r == 0 ? ctl_write_output(ctl, buf_bytes(&out), err) : -1;
}

/* What both ceremonies take from the options. */
static int
create(struct ctl *ctl, struct make_ca *in, long days, struct err *err)
{
	const char *subject = ctl_option(ctl, "subject");
	const char *file = ctl_option(ctl, "passphrase-file");
	__attribute__((cleanup(names_free))) struct names names = { 0 };
	__attribute__((cleanup(buf_wipe))) struct buf passphrase =
	    BUF(MAX_PASSPHRASE);

	if (subject == NULL || file == NULL)
		return ctl_fail(ctl, EX_USAGE, err, "--subject and "
		    "--passphrase-file are needed");
	if (make_ca_subject(ctl, subject, &names, err) != 0 ||
	    ctl_number(ctl, "days", 1, 36500, days, &in->days, err) != 0 ||
	    make_ca_passphrase(ctl, file, &passphrase, err) != 0)
		return -1;
	in->name = ctl->args[0];
	in->state_dir = ctl->settings->state_dir;
	in->unprivileged = ctl->settings->unprivileged;
	in->subject = &names;
	in->passphrase = buf_bytes(&passphrase);
	in->key = ctl_option(ctl, "key-type");
	if (in->key == NULL)
		in->key = in->parent == NULL ? "p384" : "p256";
	if (make_ca(ctl, in, err) != 0)
		return -1;
	if (!ctl->json)
		printf("the CA %s is made; to let it sign here, add a section "
		    "ca \"%s\" to %s\n", in->name, in->name, ctl->conf);
	return 0;
}

int
ctl_ca_create_root(struct ctl *ctl, struct err *err)
{
	struct make_ca in = { .path_len = -1, .ocsp_url = "", .ca_url = "",
		.crl_url = "" };

	return create(ctl, &in, ROOT_DAYS, err);
}

int
ctl_ca_create_child(struct ctl *ctl, struct err *err)
{
	const char *file = ctl_option(ctl, "parent-passphrase-file");
	const struct ca_settings *parent;
	__attribute__((cleanup(buf_wipe))) struct buf passphrase =
	    BUF(MAX_PASSPHRASE);
	struct make_ca in = { .parent = ctl_option(ctl, "parent"),
		.ocsp_url = "", .ca_url = "", .crl_url = "" };
	long path_len;

	if (in.parent == NULL)
		return ctl_fail(ctl, EX_USAGE, err, "--parent is needed");
	if (ctl_number(ctl, "path-len", 0, 10, 0, &path_len, err) != 0)
		return -1;
	in.path_len = (int)path_len;
	parent = settings_ca(ctl->settings, in.parent);
	if (parent != NULL) {
		in.ocsp_url = parent->ocsp_url;
		in.ca_url = parent->ca_url;
		in.crl_url = parent->crl_url;
		if (file == NULL && parent->passphrase_file[0] != '\0')
			file = parent->passphrase_file;
	}
	if (file != NULL &&
	    make_ca_passphrase(ctl, file, &passphrase, err) != 0)
		return -1;
	in.parent_passphrase = buf_bytes(&passphrase);
	return create(ctl, &in, CHILD_DAYS, err);
}
