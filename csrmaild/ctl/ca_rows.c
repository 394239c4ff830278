#include "csrmaild/ctl/ca_rows.h"

#include "csrmaild/ctl/ctl.h"
#include "csrmaild/settings.h"
#include "csrmaild/describe.h"

#include "common/err.h"
#include "common/store.h"

#include <string.h>

static int
add_row(const struct ca_row *row, void *rows)
{
	json_array_append_new(rows, describe_ca(row));
	return 0;
}

static int
read_store(struct ctl *ctl, json_t **out, struct err *err)
{
	OWNED_STRUCT(store) *store = NULL;
	OWNED_BUF(path, 4096);
	json_t *rows;

	if (ctl_need_settings(ctl, err) != 0)
		return -1;
	buf_printf(&path, "%s/store.db", ctl->settings->state_dir);
	if (store_open(buf_str(&path), STORE_READ_ONLY, &store, err) != 0)
		return -1;
	rows = json_array();
	if (store_each_ca(store, add_row, rows, err) != 0) {
		json_decref(rows);
		return -1;
	}
	*out = rows;
	return 0;
}

int
ca_rows_read(struct ctl *ctl, json_t **out, struct err *err)
{
	json_t *answer = NULL;
	struct err other;

	if (client_get(ctl, "cas", NULL, &answer, err) == 0) {
		*out = json_incref(json_object_get(answer, "items"));
		json_decref(answer);
		return 0;
	}
	if (ctl->exit_code != EX_UNAVAILABLE || ctl->socket != NULL ||
	    read_store(ctl, out, &other) != 0)
		return -1;
	ctl->exit_code = 0;
	return 0;
}

const json_t *
ca_rows_find(const json_t *rows, const char *name)
{
	const json_t *row;
	size_t i;

	json_array_foreach((json_t *)(uintptr_t)rows, i, row) {
		const char *is = json_string_value(
		    json_object_get(row, "name"));

		if (is != NULL && strcmp(is, name) == 0)
			return row;
	}
	return NULL;
}
