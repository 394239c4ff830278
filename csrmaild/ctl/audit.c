#include "csrmaild/ctl/ctl.h"

#include "common/err.h"

static const struct column columns[] = {
	{ "ID",		"id",		0 },
	{ "AT",		"at",		0 },
	{ "EVENT",	"event",	0 },
	{ "WHO",	"principal",	40 },
	{ "OBJECT",	"object",	48 },
	{ "DETAIL",	"detail",	80 },
};

int
ctl_audit_list(struct ctl *ctl, struct err *err)
{
	json_t *args = json_object(), *rows = NULL;
	int r = client_list(ctl, "audit", args, &rows, err);

	if (r == 0)
		table_print(ctl, rows, columns,
		    sizeof(columns) / sizeof(columns[0]));
	json_decref(rows);
	json_decref(args);
	return r;
}

int
ctl_audit_verify(struct ctl *ctl, struct err *err)
{
	json_t *answer = NULL;
	bool intact;

	if (client_get(ctl, "audit/verify", NULL, &answer, err) != 0)
		return -1;
	intact = json_is_true(json_object_get(answer, "intact"));
	if (ctl->json) {
		table_print_json(answer);
	} else if (intact) {
		printf("the audit trail is intact: %lld rows\n", (long long)
		    json_integer_value(json_object_get(answer, "rows")));
	} else {
		fputs("THE AUDIT TRAIL IS BROKEN: ", stdout);
		table_put_text(stdout, json_is_string(json_object_get(answer,
		    "problem")) ? json_string_value(json_object_get(answer,
		    "problem")) : "nobody knows where", 0);
		putchar('\n');
	}
	json_decref(answer);
	ctl->exit_code = intact ? 0 : EX_DATAERR;
	return 0;
}
