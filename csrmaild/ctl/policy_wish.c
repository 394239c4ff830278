#include "csrmaild/ctl/policy_wish.h"
#include "csrmaild/ctl/ctl.h"

#include "csrmaild/policy.h"
#include "csrmaild/settings.h"
#include "csrmaild/wire.h"

static json_t *
decide(const struct wish_asked *asked, const struct wish *wish, bool own)
{
	static const char *const actions[] = { [ACTION_REVOKE] = "revoke",
		[ACTION_HOLD] = "hold", [ACTION_REJECT] = "reject" };
	const struct petition petition = { .revocation = true, .own = own,
		.reason = wish->reason, .mailbox = asked->mailbox->title,
		.detail = asked->detail, .sender = asked->from,
		.evidence = asked->evidence };
	struct verdict verdict;

	policy_decide(asked->rules, &petition, &verdict, NULL);
	return json_sprintf("%s, by the rule \"%s\"",
	    actions[verdict.action], verdict.rule);
}

json_t *
policy_wish_judge(const struct wish_asked *asked, const struct wish *wish)
{
	char serial[SERIAL_HEX_SIZE];
	json_t *out = json_object();

	if (wish->serial.len > 0)
		serial_to_hex(&wish->serial, serial);
	json_object_set_new(out, "serial", json_string(wish->serial.len > 0 ?
	    serial : "that of the one that signed"));
	json_object_set_new(out, "reason",
	    json_string(crl_reason_name(wish->reason)));
	if (!asked->sound) {
		json_object_set_new(out, "refused", json_string(
		    "the mail is not signed, or not well"));
		return out;
	}
	json_object_set_new(out, "own", decide(asked, wish, true));
	json_object_set_new(out, "other",
	    (asked->evidence & EVIDENCE_SMIME) != 0 ?
	    decide(asked, wish, false) : json_string("reject, unless csrmaild "
	    "knows the certificate of the signature"));
	return out;
}

void
policy_wish_print(const struct ctl *ctl, const json_t *wish, size_t n)
{
	static const struct column columns[] = {
		{ "serial",		"serial",	0 },
		{ "reason",		"reason",	0 },
		{ "refused",		"refused",	0 },
		{ "by its own key",	"own",		0 },
		{ "by another's",	"other",	0 },
	};

	printf("\nrevocation %zu\n", n);
	table_print_object(ctl, wish, columns,
	    sizeof(columns) / sizeof(columns[0]));
}
