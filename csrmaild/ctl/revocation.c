#include "csrmaild/ctl/ctl.h"

#include "common/err.h"

/* `csrmail revocation`: what mails ask to be revoked. */
static const struct column list_columns[] = {
	{ "ID",		"id",		0 },
	{ "STATE",	"state",	0 },
	{ "RECEIVED",	"received_at",	0 },
	{ "FROM",	"principal",	40 },
	{ "EVIDENCE",	"evidence",	0 },
	{ "SERIAL",	"serial",	0 },
	{ "REASON",	"reason",	0 },
	{ "NAMES",	"names",	60 },
	{ "WHY",	"why",		60 },
};
static const struct column show_columns[] = {
	{ "revocation",	"id",		0 },
	{ "state",	"state",	0 },
	{ "received",	"received_at",	0 },
	{ "from",	"principal",	0 },
	{ "evidence",	"evidence",	0 },
	{ "goes to",	"reply_to",	0 },
	{ "subject",	"subject",	0 },
	{ "asked for",	"asked",	0 },
	{ "serial",	"serial",	0 },
	{ "CA",		"ca",		0 },
	{ "names",	"names",	0 },
	{ "reason",	"reason",	0 },
	{ "rule",	"rule",		0 },
	{ "why",	"why",		0 },
	{ "decided",	"decided_at",	0 },
	{ "by",		"decided_by",	0 },
};
#define N(columns)	(sizeof(columns) / sizeof((columns)[0]))

int
ctl_revocation_list(struct ctl *ctl, struct err *err)
{
	return rows_list_states(ctl, "revocations", "held", list_columns,
	    N(list_columns), err);
}

int
ctl_revocation_show(struct ctl *ctl, struct err *err)
{
	return rows_show(ctl, "revocations/", show_columns, N(show_columns), err);
}

/* args may be NULL. */
static int
decide(struct ctl *ctl, const char *verb, json_t *args, const char *done,
    struct err *err)
{
	OWNED_BUF(path, 512);
	json_t *revocation = NULL;

	client_path(&path, "revocations/", ctl->args[0], verb);
	if (client_post(ctl, buf_str(&path), args, &revocation, err) != 0)
		return -1;
	if (ctl->json)
		table_print_json(revocation);
	else
		printf("revocation %s is %s\n", ctl->args[0], done);
	json_decref(revocation);
	return 0;
}

int
ctl_revocation_approve(struct ctl *ctl, struct err *err)
{
	return decide(ctl, "/approve", NULL, "carried out", err);
}

int
ctl_revocation_reject(struct ctl *ctl, struct err *err)
{
	const char *reason = ctl_option(ctl, "reason");
	json_t *args = json_pack("{s:s}", "reason",
	    reason == NULL ? "" : reason);
	int r;

	if (args == NULL)
		return ctl_fail(ctl, EX_USAGE, err, "the reason must be UTF-8");
	r = decide(ctl, "/reject", args, "rejected", err);
	json_decref(args);
	return r;
}
