#include "csrmaild/policy_private.h"
#include "csrmaild/policy_match.h"
#include "csrmaild/secrets.h"
#include "csrmaild/wire.h"

#include "common/crl.h"

#include <openssl/objects.h>

#include <stdio.h>
#include <string.h>

const char *
rules_name(const struct rules *rules)
{
	return rules->name;
}

const char *
rules_challenge_file(const struct rules *rules, size_t i)
{
	return i < rules->n ? rules->rules[i].challenge_file : NULL;
}

void
rules_set_secrets(struct rules *rules, const char *path,
    struct bytes digests)
{
	for (size_t i = 0; i < rules->n; i++)
		if (strcmp(rules->rules[i].challenge_file, path) == 0)
			rules->rules[i].secrets = digests;
}

/* --- names ---------------------------------------------------------------- */

/* A requested name, and which list may cover it; list -1: none ever does. */
struct name {
	int		 list;
	const char	*what;		/* "DNS", "CN", ... */
	const char	*text;
	char		 joined[32 + NAME_TEXT_MAX + 1];	/* "O=..." */
};

static void
name_of_san(const struct san *san, struct name *out)
{
	*out = (struct name){ .list = -1, .what = san_kind_name(san->kind),
	    .text = san->text };
	switch (san->kind) {
	case SAN_DNS:
		out->list = LIST_DNS;
		if (strncmp(san->text, "*.", 2) == 0) {
			out->list = LIST_WILDCARD;
			out->what = "DNS wildcard";
			out->text = san->text + 2;
		}
		break;
	case SAN_EMAIL:
		out->list = LIST_EMAIL;
		break;
	case SAN_IP:
		out->list = LIST_IP;
		break;
	case SAN_URI:
		out->list = LIST_URI;
		break;
	case SAN_SMTP_UTF8:
		break;
	}
}

static void
name_of_attribute(const struct attribute *attribute, struct name *out)
{
	const char *short_name = OBJ_nid2sn(attribute->nid);

	*out = (struct name){ .list = LIST_SUBJECT, .what = "subject" };
	out->text = out->joined;
	snprintf(out->joined, sizeof(out->joined), "%.31s=%s",
	    short_name == NULL ? "?" : short_name, attribute->text);
	if (attribute->nid == NID_commonName) {
		out->list = LIST_CN;
		out->what = "CN";
		out->text = attribute->text;
	} else if (attribute->nid == NID_pkcs9_emailAddress) {
		out->list = LIST_EMAIL;
		out->what = "emailAddress";
		out->text = attribute->text;
	}
}

static size_t
count_names(const struct names *names)
{
	return names->n_attributes + names->n_sans;
}

static void
nth_name(const struct names *names, size_t i, struct name *out)
{
	if (i < names->n_attributes)
		name_of_attribute(&names->attributes[i], out);
	else
		name_of_san(&names->sans[i - names->n_attributes], out);
}

static bool
is_a_san(const struct names *names, const char *text)
{
	for (size_t i = 0; i < names->n_sans; i++)
		if (strcmp(names->sans[i].text, text) == 0)
			return true;
	return false;
}

static bool
is_covered(const struct rule *rule, const struct petition *petition,
    const struct name *name)
{
	const struct patterns *p;

	if (name->list < 0)
		return false;
	p = &rule->lists[name->list];
	for (size_t i = 0; i < p->n; i++) {
		if (name->list == LIST_CN &&
		    strcmp(p->texts[i], "@san") == 0) {
			if (is_a_san(petition->names, name->text))
				return true;
		} else if (pattern_matches(
		    (enum pattern_kind)list_kind((enum list)name->list),
		    p->texts[i], name->text, petition->sender)) {
			return true;
		}
	}
	return false;
}

static bool
is_listed(const struct patterns *p, enum list which, const char *text)
{
	for (size_t i = 0; i < p->n; i++)
		if (list_kind(which) == 0 ? strcmp(p->texts[i], text) == 0 :
		    pattern_matches(PATTERN_SENDER, p->texts[i], text, ""))
			return true;
	return p->n == 0;
}

/* Signing: all that is asked for is allowed, and something is asked for. */
static bool
allows_all_names(const struct rule *rule, const struct petition *petition,
    struct buf *why)
{
	size_t n = count_names(petition->names);
	struct name name;

	for (size_t i = 0; i < n; i++) {
		nth_name(petition->names, i, &name);
		if (is_covered(rule, petition, &name))
			continue;
		if (why != NULL)
			buf_printf(why, "%s %s is not allowed", name.what,
			    name.text);
		return false;
	}
	if (n == 0 && why != NULL)
		buf_printf(why, "no name is asked for");
	return n > 0;
}

/* Holding, rejecting: one name on a list is enough; no list, no matter. */
static bool
meets_a_name(const struct rule *rule, const struct petition *petition,
    struct buf *why)
{
	struct name name;

	if (!rule->lists_names)
		return true;
	for (size_t i = 0; i < count_names(petition->names); i++) {
		nth_name(petition->names, i, &name);
		if (is_covered(rule, petition, &name))
			return true;
	}
	if (why != NULL)
		buf_printf(why, "none of the names is on its lists");
	return false;
}

/* Why the challengePassword is not what the rule asks for; NULL: it is. */
static const char *
misses_challenge(const struct rule *rule, const struct petition *petition)
{
	if (rule->challenge_file[0] == '\0')
		return NULL;
	if (petition->challenge == NULL)
		return "the request has no challengePassword";
	if (rule->secrets.len == 0)
		return "its challenge_file was not read";
	return secrets_match(rule->secrets, petition->challenge) ? NULL :
	    "the challengePassword is none of its challenge_file";
}

/* About the mail; NULL, or what does not fit. */
static const char *
misses_mail(const struct rule *rule, const struct petition *petition)
{
	if (!is_listed(&rule->lists[LIST_MAILBOX], LIST_MAILBOX,
	    petition->mailbox))
		return "another mailbox";
	if (!is_listed(&rule->lists[LIST_DETAIL], LIST_DETAIL,
	    petition->detail == NULL ? "" : petition->detail))
		return "sent to another address of the mailbox";
	if (!is_listed(&rule->lists[LIST_SENDER], LIST_SENDER,
	    petition->sender))
		return "another sender";
	if (rule->evidence != 0 && (rule->evidence & petition->evidence) == 0)
		return "the evidence it asks for is not there";
	return NULL;
}

/* A hold can be lifted again, and others may wonder: it is named, or not
 * meant by a rule that revokes. */
static const char *
misses_revocation(const struct rule *rule, const struct petition *petition)
{
	if (rule->own && !petition->own)
		return "not signed with the certificate's own key";
	if (rule->reasons != 0)
		return (rule->reasons >> petition->reason & 1) != 0 ? NULL :
		    "another reason";
	return rule->action == ACTION_REVOKE &&
	    petition->reason == CRL_CERTIFICATE_HOLD ?
	    "it does not name the reason certificateHold" : NULL;
}

static bool
names_match(const struct rule *rule, const struct petition *petition,
    struct buf *why)
{
	if (rule->revocation && !rule->lists_names)
		return true;
	/* Names that are not known are on no list that grants something, and
	 * on each of the others. */
	if (petition->names == NULL) {
		if (rule->action == ACTION_REVOKE && why != NULL)
			buf_append_str(why, "the names are not known");
		return rule->action != ACTION_REVOKE;
	}
	return rule->action == ACTION_SIGN ?
	    allows_all_names(rule, petition, why) :
	    meets_a_name(rule, petition, why);
}

static bool
rule_matches(const struct rule *rule, const struct petition *petition,
    struct buf *why)
{
	const char *miss = misses_mail(rule, petition);

	if (miss == NULL && rule->revocation)
		miss = misses_revocation(rule, petition);
	else if (miss == NULL && rule->action == ACTION_SIGN &&
	    petition->sender[0] == '\0' &&
	    (petition->evidence & EVIDENCE_FILE) == 0)
		miss = "the sender is not known";
	else if (miss == NULL)
		miss = misses_challenge(rule, petition);
	if (miss == NULL)
		return names_match(rule, petition, why);
	if (why != NULL)
		buf_append_str(why, miss);
	return false;
}

static void
set_verdict(struct verdict *out, const struct rule *rule)
{
	static const char *const texts[] = {
		[ACTION_SIGN] = "",
		[ACTION_HOLD] = "a person will look at it",
		[ACTION_REJECT] = "the rules of this CA do not allow it",
	};

	*out = (struct verdict){ .action = rule->action,
	    .validity_s = rule->validity_s };
	memcpy(out->rule, rule->title, sizeof(out->rule));
	memcpy(out->profile, rule->profile, sizeof(out->profile));
	snprintf(out->text, sizeof(out->text), "%s", rule->text[0] != '\0' ?
	    rule->text : texts[rule->action]);
}

void
policy_decide(const struct rules *rules, const struct petition *petition,
    struct verdict *out, struct buf *why)
{
	static const struct rule otherwise = { .title = "default",
	    .action = ACTION_HOLD,
	    .text = "no rule decides about it; a person will look at it" };
	const struct rule *chosen = NULL;

	for (size_t i = 0; i < rules->n && chosen == NULL; i++) {
		const struct rule *rule = &rules->rules[i];

		if (rule->revocation != petition->revocation)
			continue;
		if (why != NULL)
			buf_printf(why, "%s: ", rule->title);
		if (rule_matches(rule, petition, why))
			chosen = rule;
		if (why != NULL)
			buf_append_str(why, chosen == NULL ? "\n" :
			    "matches\n");
	}
	if (chosen == NULL && why != NULL)
		buf_append_str(why, "default: held\n");
	set_verdict(out, chosen == NULL ? &otherwise : chosen);
	/* Who forwards a request does not vouch for it. */
	if (petition->forwarded && out->action == ACTION_SIGN) {
		out->action = ACTION_HOLD;
		snprintf(out->text, sizeof(out->text), "it came in a "
		    "forwarded or quoted mail; a person will look at it");
	}
}
