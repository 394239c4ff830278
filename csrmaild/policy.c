#include "csrmaild/policy.h"
#include "csrmaild/policy_match.h"
#include "csrmaild/secrets.h"
#include "csrmaild/wire.h"
#include "common/config.h"
#include "common/err.h"

#include <openssl/objects.h>

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define MAX_RULES	200
#define MAX_PATTERNS	500	/* in one list */
#define MAX_DAYS	36500

/* What a rule lists. The first two are about the mail, the others names. */
enum list {
	LIST_MAILBOX,
	LIST_DETAIL,
	LIST_SENDER,
	LIST_DNS,
	LIST_WILDCARD,
	LIST_EMAIL,
	LIST_IP,
	LIST_URI,
	LIST_CN,
	LIST_SUBJECT,
	N_LISTS
};
#define FIRST_NAME_LIST	LIST_DNS

static const struct {
	const char	*key;
	int		 kind;		/* enum pattern_kind; 0: a mailbox */
} lists[N_LISTS] = {
	[LIST_MAILBOX] = { "mailbox", 0 },
	[LIST_DETAIL] = { "detail", 0 },
	[LIST_SENDER] = { "sender", PATTERN_SENDER },
	[LIST_DNS] = { "dns", PATTERN_DNS },
	[LIST_WILDCARD] = { "wildcard", PATTERN_WILDCARD },
	[LIST_EMAIL] = { "email", PATTERN_EMAIL },
	[LIST_IP] = { "ip", PATTERN_IP },
	[LIST_URI] = { "uri", PATTERN_URI },
	[LIST_CN] = { "cn", PATTERN_CN },
	[LIST_SUBJECT] = { "subject", PATTERN_SUBJECT },
};

struct patterns {
	char		**texts;	/* owned */
	size_t		  n;
};

struct rule {
	char		 title[64];
	struct patterns	 lists[N_LISTS];
	uint8_t		 evidence;	/* any of these; 0: not asked */
	char		 challenge_file[256];	/* "": not asked */
	struct bytes	 secrets;	/* borrowed: what main read there */
	enum action	 action;
	char		 text[256];
	char		 profile[64];
	int64_t		 validity_s;
};

struct rules {
	char		 name[64];
	struct rule	*rules;		/* owned */
	size_t		 n;
};

/* --- reading ------------------------------------------------------------- */

static int
parse_list(cfg_t *section, enum list which, struct patterns *out,
    struct err *err)
{
	const char *key = lists[which].key;
	unsigned int n = cfg_size(section, key);

	if (n > MAX_PATTERNS)
		return config_fail(section, key, err,
		    "found %u patterns, allowed %d", n, MAX_PATTERNS);
	out->texts = calloc(n == 0 ? 1 : n, sizeof(*out->texts));
	for (unsigned int i = 0; out->texts != NULL && i < n; i++) {
		const char *text = cfg_getnstr(section, key, i);
		const char *wrong = lists[which].kind == 0 ? NULL :
		    pattern_check((enum pattern_kind)lists[which].kind, text);

		if (wrong != NULL)
			return config_fail(section, key, err,
			    "\"%.60s\" %s", text, wrong);
		out->texts[i] = strdup(text);
		if (out->texts[i] == NULL)
			break;
		out->n++;
	}
	return out->n == n && out->texts != NULL ? 0 :
	    err_set(err, ERR_RETRY, "reading rules: out of memory");
}

static int
parse_evidence(cfg_t *section, uint8_t *out, struct err *err)
{
	static const struct {
		const char	*word;
		uint8_t		 bit;
	} words[] = {
		{ "auth", EVIDENCE_AUTH }, { "dkim", EVIDENCE_DKIM },
		{ "smime", EVIDENCE_SMIME }, { "reply", EVIDENCE_REPLY },
	};

	for (unsigned int i = 0; i < cfg_size(section, "evidence"); i++) {
		const char *text = cfg_getnstr(section, "evidence", i);
		uint8_t bit = 0;

		for (size_t k = 0; k < sizeof(words) / sizeof(*words); k++)
			if (strcmp(words[k].word, text) == 0)
				bit = words[k].bit;
		if (bit == 0)
			return config_fail(section, "evidence", err,
			    "found \"%.60s\", allowed: auth, dkim, smime, "
			    "reply", text);
		*out |= bit;
	}
	return 0;
}

static int
copy_text(cfg_t *section, const char *key, char *out, size_t size,
    struct err *err)
{
	const char *text = cfg_getstr(section, key);
	size_t n = text == NULL ? 0 : strlen(text);

	if (n >= size)
		return config_fail(section, key, err,
		    "found %zu octets, allowed %zu", n, size - 1);
	/* It stands in mails, tables and logs. */
	for (size_t i = 0; i < n; i++)
		if (iscntrl((unsigned char)text[i]))
			return config_fail(section, key, err,
			    "has a control character");
	memcpy(out, text == NULL ? "" : text, n + 1);
	return 0;
}

static int
parse_rule(cfg_t *section, struct rule *rule, struct err *err)
{
	static const char *const actions[] = { "sign", "hold", "reject",
	    NULL };
	const char *title = cfg_title(section);
	bool names_listed = false;
	size_t action;

	if (title == NULL || title[0] == '\0' ||
	    strlen(title) >= sizeof(rule->title) ||
	    strcmp(title, "default") == 0)
		return config_fail(section, "action", err, "a rule's title "
		    "has 1 to 63 octets and is not \"default\"");
	memcpy(rule->title, title, strlen(title) + 1);
	if (config_check_given(section, "action", err) == -1 ||
	    config_check_word(section, "action", actions, &action, err) == -1)
		return -1;
	rule->action = (enum action)(ACTION_SIGN + action);
	for (int i = 0; i < N_LISTS; i++) {
		if (parse_list(section, (enum list)i, &rule->lists[i],
		    err) == -1)
			return -1;
		names_listed |= i >= FIRST_NAME_LIST && rule->lists[i].n > 0;
	}
	if (parse_evidence(section, &rule->evidence, err) == -1 ||
	    copy_text(section, "challenge_file", rule->challenge_file,
	    sizeof(rule->challenge_file), err) == -1 ||
	    copy_text(section, "text", rule->text, sizeof(rule->text),
	    err) == -1 ||
	    copy_text(section, "profile", rule->profile,
	    sizeof(rule->profile), err) == -1 ||
	    config_check_range(section, "days", 0, MAX_DAYS, err) == -1)
		return -1;
	if (rule->challenge_file[0] != '\0' && rule->challenge_file[0] != '/')
		return config_fail(section, "challenge_file", err,
		    "found \"%.60s\", allowed is a path that begins with /",
		    rule->challenge_file);
	rule->validity_s = (int64_t)cfg_getint(section, "days") * 86400;
	if (rule->action != ACTION_SIGN)
		return 0;
	/* From is easily forged: nothing is signed on its word alone. */
	if (rule->evidence == 0)
		return config_fail(section, "evidence", err, "a rule that "
		    "signs must name evidence: auth, dkim, smime, reply");
	if (!names_listed)
		return config_fail(section, "action", err, "a rule that signs "
		    "must list the names that it allows");
	return 0;
}

int
rules_parse(const char *name, const char *path, struct bytes text,
    struct rules **out, struct err *err)
{
	cfg_opt_t rule_opts[] = {
		CFG_STR_LIST("mailbox",		NULL,	CFGF_NONE),
		CFG_STR_LIST("detail",		NULL,	CFGF_NONE),
		CFG_STR_LIST("sender",		NULL,	CFGF_NONE),
		CFG_STR_LIST("evidence",	NULL,	CFGF_NONE),
		CFG_STR_LIST("dns",		NULL,	CFGF_NONE),
		CFG_STR_LIST("wildcard",	NULL,	CFGF_NONE),
		CFG_STR_LIST("email",		NULL,	CFGF_NONE),
		CFG_STR_LIST("ip",		NULL,	CFGF_NONE),
		CFG_STR_LIST("uri",		NULL,	CFGF_NONE),
		CFG_STR_LIST("cn",		NULL,	CFGF_NONE),
		CFG_STR_LIST("subject",		NULL,	CFGF_NONE),
		CFG_STR("profile",		NULL,	CFGF_NONE),
		CFG_INT("days",			0,	CFGF_NONE),
		CFG_STR("challenge_file",	NULL,	CFGF_NONE),
		CFG_STR("action",		NULL,	CFGF_NONE),
		CFG_STR("text",			NULL,	CFGF_NONE),
		CFG_END()
	};
	cfg_opt_t opts[] = {
		CFG_SEC("rule", rule_opts,
		    CFGF_TITLE | CFGF_MULTI | CFGF_NO_TITLE_DUPES),
		CFG_END()
	};
	OWNED_STRUCT(rules) *rules = calloc(1, sizeof(*rules));
	OWNED(cfg_t) *cfg = NULL;
	unsigned int n;

	if (rules == NULL)
		return err_set(err, ERR_RETRY, "%s: out of memory", path);
	if (strlen(name) >= sizeof(rules->name))
		return err_set(err, ERR_FAULT, "%s: the name is too long",
		    path);
	memcpy(rules->name, name, strlen(name) + 1);
	if (config_parse(path, text, opts, &cfg, err) == -1)
		return -1;
	n = cfg_size(cfg, "rule");
	if (n > MAX_RULES)
		return err_set(err, ERR_FAULT, "%s: found %u rules, allowed "
		    "%d", path, n, MAX_RULES);
	rules->rules = calloc(n == 0 ? 1 : n, sizeof(*rules->rules));
	if (rules->rules == NULL)
		return err_set(err, ERR_RETRY, "%s: out of memory", path);
	for (; rules->n < n; ) {
		struct rule *rule = &rules->rules[rules->n++];

		if (parse_rule(cfg_getnsec(cfg, "rule",
		    (unsigned int)rules->n - 1), rule, err) == -1)
			return -1;
	}
	*out = TAKE(rules);
	return 0;
}

void
rules_free(struct rules *rules)
{
	if (rules == NULL)
		return;
	for (size_t i = 0; i < rules->n; i++)
		for (size_t k = 0; k < N_LISTS; k++) {
			struct patterns *p = &rules->rules[i].lists[k];

			for (size_t j = 0; j < p->n; j++)
				free(p->texts[j]);
			free(p->texts);
		}
	free(rules->rules);
	free(rules);
}

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

/* --- deciding ------------------------------------------------------------ */

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
		    (enum pattern_kind)lists[name->list].kind, p->texts[i],
		    name->text, petition->sender)) {
			return true;
		}
	}
	return false;
}

static bool
is_listed(const struct patterns *p, enum list which, const char *text)
{
	for (size_t i = 0; i < p->n; i++)
		if (lists[which].kind == 0 ? strcmp(p->texts[i], text) == 0 :
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
	bool listed = false;
	struct name name;

	for (int i = FIRST_NAME_LIST; i < N_LISTS; i++)
		listed |= rule->lists[i].n > 0;
	if (!listed)
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

static bool
rule_matches(const struct rule *rule, const struct petition *petition,
    struct buf *why)
{
	const char *miss = NULL;

	if (!is_listed(&rule->lists[LIST_MAILBOX], LIST_MAILBOX,
	    petition->mailbox))
		miss = "another mailbox";
	else if (!is_listed(&rule->lists[LIST_DETAIL], LIST_DETAIL,
	    petition->detail == NULL ? "" : petition->detail))
		miss = "sent to another address of the mailbox";
	else if (!is_listed(&rule->lists[LIST_SENDER], LIST_SENDER,
	    petition->sender))
		miss = "another sender";
	else if (rule->evidence != 0 &&
	    (rule->evidence & petition->evidence) == 0)
		miss = "the evidence it asks for is not there";
	else if (rule->action == ACTION_SIGN && petition->sender[0] == '\0')
		miss = "the sender is not known";
	else
		miss = misses_challenge(rule, petition);
	if (miss != NULL) {
		if (why != NULL)
			buf_append_str(why, miss);
		return false;
	}
	return rule->action == ACTION_SIGN ?
	    allows_all_names(rule, petition, why) :
	    meets_a_name(rule, petition, why);
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
