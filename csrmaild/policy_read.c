#include "csrmaild/policy_private.h"

#include "common/config.h"
#include "common/crl.h"
#include "common/err.h"
#include "csrmaild/policy_match.h"
#include "csrmaild/wire.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_RULES	200
#define MAX_PATTERNS	500	/* in one list */
#define MAX_DAYS	36500

#define EVIDENCE_WORDS	"auth, dkim, smime, reply, file"

static const struct {
	const char	*key;
	int		 kind;		/* enum pattern_kind; 0: a word */
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

int
list_kind(enum list which)
{
	return lists[which].kind;
}

/* --- one rule ------------------------------------------------------------- */

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
		{ "file", EVIDENCE_FILE },
	};

	for (unsigned int i = 0; i < cfg_size(section, "evidence"); i++) {
		const char *text = cfg_getnstr(section, "evidence", i);
		uint8_t bit = 0;

		for (size_t k = 0; k < sizeof(words) / sizeof(*words); k++)
			if (strcmp(words[k].word, text) == 0)
				bit = words[k].bit;
		if (bit == 0)
			return config_fail(section, "evidence", err,
			    "found \"%.60s\", allowed: " EVIDENCE_WORDS,
			    text);
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

/* RFC 5280's words; removeFromCRL is none. */
static int
parse_reasons(cfg_t *section, uint16_t *out, struct err *err)
{
	for (unsigned int i = 0; i < cfg_size(section, "reason"); i++) {
		const char *text = cfg_getnstr(section, "reason", i);
		enum crl_reason reason;

		if (crl_reason_from_name(text, &reason) == -1)
			return config_fail(section, "reason", err,
			    "found \"%.60s\", allowed are the words of RFC "
			    "5280, 5.3.1, such as keyCompromise", text);
		*out |= (uint16_t)(1u << reason);
	}
	return 0;
}

/* Title, what it is about, and what becomes of that. */
static int
parse_head(cfg_t *section, struct rule *rule, struct err *err)
{
	static const char *const about[] = { "certificate", "revocation",
		NULL };
	static const char *const actions[][4] = {
		{ "sign", "hold", "reject", NULL },
		{ "revoke", "hold", "reject", NULL } };
	const char *title = cfg_title(section);
	size_t kind, action;

	if (title == NULL || title[0] == '\0' ||
	    strlen(title) >= sizeof(rule->title) ||
	    strcmp(title, "default") == 0)
		return config_fail(section, "action", err, "a rule's title "
		    "has 1 to 63 octets and is not \"default\"");
	memcpy(rule->title, title, strlen(title) + 1);
	if (config_check_word(section, "for", about, &kind, err) == -1 ||
	    config_check_given(section, "action", err) == -1 ||
	    config_check_word(section, "action", actions[kind], &action,
	    err) == -1)
		return -1;
	rule->revocation = kind == 1;
	rule->action = (enum action)(ACTION_SIGN + action);
	return 0;
}

static int
parse_body(cfg_t *section, struct rule *rule, struct err *err)
{
	for (int i = 0; i < N_LISTS; i++) {
		if (parse_list(section, (enum list)i, &rule->lists[i],
		    err) == -1)
			return -1;
		rule->lists_names |= i >= FIRST_NAME_LIST &&
		    rule->lists[i].n > 0;
	}
	if (parse_evidence(section, &rule->evidence, err) == -1 ||
	    parse_reasons(section, &rule->reasons, err) == -1 ||
	    copy_text(section, "challenge_file", rule->challenge_file,
	    sizeof(rule->challenge_file), err) == -1 ||
	    copy_text(section, "text", rule->text, sizeof(rule->text),
	    err) == -1 ||
	    copy_text(section, "profile", rule->profile,
	    sizeof(rule->profile), err) == -1 ||
	    config_check_range(section, "days", 0, MAX_DAYS, err) == -1)
		return -1;
	rule->own = cfg_getbool(section, "own") == cfg_true;
	rule->validity_s = (int64_t)cfg_getint(section, "days") * 86400;
	return 0;
}

static int
check_certificate_rule(cfg_t *section, const struct rule *rule,
    struct err *err)
{
	if (rule->own || rule->reasons != 0)
		return config_fail(section, rule->own ? "own" : "reason", err,
		    "is only for revocations (for = \"revocation\")");
	if (rule->challenge_file[0] != '\0' && rule->challenge_file[0] != '/')
		return config_fail(section, "challenge_file", err,
		    "found \"%.60s\", allowed is a path that begins with /",
		    rule->challenge_file);
	if (rule->action != ACTION_SIGN)
		return 0;
	/* From is easily forged: nothing is signed on its word alone. */
	if (rule->evidence == 0)
		return config_fail(section, "evidence", err, "a rule that "
		    "signs must name evidence: " EVIDENCE_WORDS);
	if (!rule->lists_names)
		return config_fail(section, "action", err, "a rule that signs "
		    "must list the names that it allows");
	return 0;
}

/* An unsigned mail revokes nothing, whatever else vouches for it. */
static int
check_revocation_rule(cfg_t *section, const struct rule *rule,
    struct err *err)
{
	if (rule->challenge_file[0] != '\0' || rule->profile[0] != '\0' ||
	    rule->validity_s != 0)
		return config_fail(section, rule->profile[0] != '\0' ?
		    "profile" : rule->validity_s != 0 ? "days" :
		    "challenge_file", err, "is only for certificates");
	if ((rule->evidence & ~(unsigned int)EVIDENCE_SMIME) != 0)
		return config_fail(section, "evidence", err, "a revocation "
		    "takes a signature: allowed is smime alone");
	if (rule->action == ACTION_REVOKE && !rule->own &&
	    (rule->evidence == 0 || rule->lists[LIST_SENDER].n == 0))
		return config_fail(section, "action", err, "a rule that "
		    "revokes must have own = true, or sender and "
		    "evidence = { \"smime\" }");
	return 0;
}

static int
parse_rule(cfg_t *section, struct rule *rule, struct err *err)
{
	if (parse_head(section, rule, err) == -1 ||
	    parse_body(section, rule, err) == -1)
		return -1;
	return rule->revocation ? check_revocation_rule(section, rule, err) :
	    check_certificate_rule(section, rule, err);
}

/* --- the set ------------------------------------------------------------- */

int
rules_parse(const char *name, const char *path, struct bytes text,
    struct rules **out, struct err *err)
{
	cfg_opt_t rule_opts[] = {
		CFG_STR("for",			"certificate",	CFGF_NONE),
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
		CFG_BOOL("own",			cfg_false,	CFGF_NONE),
		CFG_STR_LIST("reason",		NULL,	CFGF_NONE),
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
