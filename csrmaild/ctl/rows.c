#include "csrmaild/ctl/ctl.h"

#include "common/err.h"

/* What list and show of every noun have in common. */

int
rows_list_states(struct ctl *ctl, const char *path, const char *otherwise,
    const struct column *columns, size_t n, struct err *err)
{
	const char *state = ctl->args[0] == NULL ? otherwise : ctl->args[0];
	json_t *args = json_pack("{s:s}", "state", state), *rows = NULL;
	int r;

	if (args == NULL)
		return ctl_fail(ctl, EX_USAGE, err, "unknown state");
	r = client_list(ctl, path, args, &rows, err);
	if (r == 0)
		table_print(ctl, rows, columns, n);
	json_decref(rows);
	json_decref(args);
	return r;
}

int
rows_show(struct ctl *ctl, const char *prefix, const struct column *columns,
    size_t n, struct err *err)
{
	OWNED_BUF(path, 512);
	json_t *row = NULL;

	client_path(&path, prefix, ctl->args[0], "");
	if (client_get(ctl, buf_str(&path), NULL, &row, err) != 0)
		return -1;
	table_print_object(ctl, row, columns, n);
	json_decref(row);
	return 0;
}
