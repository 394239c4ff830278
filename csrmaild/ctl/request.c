#include "csrmaild/ctl/ctl.h"
#include "csrmaild/ctl/wait.h"

#include "common/err.h"

#include <string.h>

static const struct column list_columns[] = {
	{ "ID",		"id",		0 },
	{ "STATE",	"state",	0 },
	{ "RECEIVED",	"received_at",	0 },
	{ "FROM",	"principal",	40 },
	{ "EVIDENCE",	"evidence",	0 },
	{ "CA",		"ca",		24 },
	{ "NAMES",	"names",	60 },
	{ "REASON",	"reason",	60 },
};

static const struct column show_columns[] = {
	{ "request",	"id",		0 },
	{ "state",	"state",	0 },
	{ "received",	"received_at",	0 },
	{ "from",	"principal",	0 },
	{ "channel",	"channel",	0 },
	{ "evidence",	"evidence",	0 },
	{ "goes to",	"reply_to",	0 },
	{ "subject",	"subject",	0 },
	{ "CA",		"ca",		0 },
	{ "profile",	"profile",	0 },
	{ "names",	"names",	0 },
	{ "key",	"key",		0 },
	{ "rule",	"rule",		0 },
	{ "reason",	"reason",	0 },
	{ "not copied",	"ignored",	0 },
	{ "decided",	"decided_at",	0 },
	{ "by",		"decided_by",	0 },
	{ "serial",	"serial",	0 },
};

#define N(columns)	(sizeof(columns) / sizeof((columns)[0]))

int
ctl_request_list(struct ctl *ctl, struct err *err)
{
	return rows_list_states(ctl, "requests", "held", list_columns,
	    N(list_columns), err);
}

int
ctl_request_show(struct ctl *ctl, struct err *err)
{
	return rows_show(ctl, "requests/", show_columns, N(show_columns), err);
}

int
ctl_request_approve(struct ctl *ctl, struct err *err)
{
	OWNED_BUF(path, 512);
	json_t *request = NULL;
	long timeout;

	if (ctl_number(ctl, "timeout", 0, 3600, 30, &timeout, err) != 0)
		return -1;
	client_path(&path, "requests/", ctl->args[0], "/approve");
	if (client_post(ctl, buf_str(&path), NULL, &request, err) != 0)
		return -1;
	json_decref(request);
	if (wait_until_issued(ctl, ctl->args[0], timeout, &request, err) != 0)
		return -1;
	if (ctl->json)
		table_print_json(request);
	else if (json_object_get(request, "serial") == NULL)
		printf("request %s is approved\n", ctl->args[0]);
	else
		printf("request %s is issued, serial %s\n", ctl->args[0],
		    json_string_value(json_object_get(request, "serial")));
	json_decref(request);
	return 0;
}

int
ctl_request_reject(struct ctl *ctl, struct err *err)
{
	const char *reason = ctl_option(ctl, "reason");
	OWNED_BUF(path, 512);
	json_t *args = json_pack("{s:s}", "reason",
	    reason == NULL ? "" : reason);
	json_t *request = NULL;
	int r;

	if (args == NULL)
		return ctl_fail(ctl, EX_USAGE, err, "the reason must be UTF-8");
	client_path(&path, "requests/", ctl->args[0], "/reject");
	r = client_post(ctl, buf_str(&path), args, &request, err);
	if (r == 0 && ctl->json)
		table_print_json(request);
	else if (r == 0)
		printf("request %s is rejected\n", ctl->args[0]);
	json_decref(request);
	json_decref(args);
	return r;
}
