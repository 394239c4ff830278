#include "csrmaild/ctl/ctl.h"

#include "common/err.h"

#include <string.h>

static const struct column columns[] = {
	{ "CA",			"ca",		0 },
	{ "NUMBER",		"number",	0 },
	{ "THIS UPDATE",	"this_update",	0 },
	{ "NEXT UPDATE",	"next_update",	0 },
};

/* The rows of all CAs, or of the one that is named. */
static int
read_rows(struct ctl *ctl, const char *ca, json_t **out, struct err *err)
{
	json_t *answer = NULL, *rows, *row;
	size_t i;

	if (client_get(ctl, "crls", NULL, &answer, err) != 0)
		return -1;
	rows = json_array();
	json_array_foreach(json_object_get(answer, "items"), i, row) {
		const char *name = json_string_value(
		    json_object_get(row, "ca"));

		if (ca == NULL || (name != NULL && strcmp(name, ca) == 0))
			json_array_append(rows, row);
	}
	json_decref(answer);
	if (ca != NULL && json_array_size(rows) == 0) {
		json_decref(rows);
		return ctl_fail(ctl, EX_NOINPUT, err, "there is no CA %s", ca);
	}
	*out = rows;
	return 0;
}

int
ctl_crl_show(struct ctl *ctl, struct err *err)
{
	json_t *rows = NULL;

	if (read_rows(ctl, ctl->args[0], &rows, err) != 0)
		return -1;
	table_print(ctl, rows, columns, sizeof(columns) / sizeof(columns[0]));
	json_decref(rows);
	return 0;
}

int
ctl_crl_update(struct ctl *ctl, struct err *err)
{
	OWNED_BUF(path, 512);
	json_t *answer = NULL;

	client_path(&path, "crls/", ctl->args[0], "/update");
	if (client_post(ctl, buf_str(&path), NULL, &answer, err) != 0)
		return -1;
	if (ctl->json)
		table_print_json(answer);
	else
		printf("a new CRL of %s will be published in a moment\n",
		    ctl->args[0]);
	json_decref(answer);
	return 0;
}
