#include "csrmaild/judge.h"

#include "common/err.h"
#include "common/profile.h"
#include "common/store.h"
#include "csrmaild/registry.h"
#include "csrmaild/same_key.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* The same key that somebody else has a certificate or a request for. */
struct key_holder {
	const char	*principal;
	bool		 another;
};

static int
look_at_holder(const struct request_row *row, void *arg)
{
	struct key_holder *holder = arg;

	holder->another = strcmp(row->principal, holder->principal) != 0;
	return 0;
}

void
judge_say(struct verdict *v, enum action action, const char *rule,
    const char *fmt, ...)
{
	va_list ap;

	v->action = action;
	snprintf(v->rule, sizeof(v->rule), "%s", rule);
	va_start(ap, fmt);
	vsnprintf(v->text, sizeof(v->text), fmt, ap);
	va_end(ap);
}

/* The same key again: for the profile to allow, for others never unseen. */
static int
check_same_key(struct registrar *r, const struct plea *plea,
    const struct candidate *c, struct verdict *v, struct err *err)
{
	const struct profile *profile =
	    settings_profile(r->settings, v->profile);
	struct key_holder holder = { plea->principal, false };

	if (profile != NULL && same_key_check(r->store, profile,
	    c->key.spki_sha256, r->now, err) == -1) {
		if (err->kind != ERR_REJECT)
			return -1;
		judge_say(v, ACTION_REJECT, "key", "%s", err->text);
		return 0;
	}
	if (store_find_key(r->store, c->key.spki_sha256, look_at_holder,
	    &holder, err) == -1)
		return -1;
	if (holder.another && v->action == ACTION_SIGN)
		judge_say(v, ACTION_HOLD, "key",
		    "a certificate for this key was asked for under another "
		    "identity");
	return 0;
}

/* The profile's word: what it forbids, no rule allows. */
static void
check_profile(const struct profile *profile, const struct candidate *c,
    struct verdict *v)
{
	struct err why;

	if (profile == NULL)
		judge_say(v, ACTION_HOLD, v->rule,
		    "the rule names a profile that does not exist");
	else if (profile->ca || profile->ocsp_responder)
		judge_say(v, ACTION_REJECT, v->rule,
		    "certificates of this kind are not issued by mail");
	else if (profile_check_request(profile, &c->names, &c->key,
	    &why) == -1)
		judge_say(v, ACTION_REJECT, v->rule, "%s", why.text);
	else if (v->validity_s > profile->max_validity_s)
		v->validity_s = profile->max_validity_s;
}

int
judge_request(struct registrar *r, const struct plea *plea,
    const struct candidate *c, struct verdict *v, struct err *err)
{
	const struct petition petition = { .mailbox = plea->mailbox->title,
		.detail = plea->detail,
		.sender = plea->sender, .evidence = plea->evidence,
		.forwarded = c->forwarded, .names = &c->names, .key = &c->key,
		.challenge = c->has_challenge ? c->challenge : NULL };

	policy_decide(settings_rules(r->settings, plea->mailbox->rules),
	    &petition, v, NULL);
	if (v->profile[0] == '\0')
		snprintf(v->profile, sizeof(v->profile), "%s",
		    plea->mailbox->profile);
	if (v->action != ACTION_REJECT)
		check_profile(settings_profile(r->settings, v->profile), c, v);
	/* A rule alone never signs for a sender that nothing vouches for. */
	if (v->action == ACTION_SIGN && (plea->evidence == 0 ||
	    (plea->sender[0] == '\0' &&
	    (plea->evidence & EVIDENCE_FILE) == 0)))
		judge_say(v, ACTION_HOLD, v->rule,
		    "nothing vouches for the sender");
	if (v->action == ACTION_REJECT)
		return 0;
	return check_same_key(r, plea, c, v, err);
}
