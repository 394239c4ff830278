#include "csrmaild/ctl/ca_plan.h"

#include "csrmaild/ctl/ctl.h"
#include "csrmaild/ctl/make_ca.h"
#include "csrmaild/settings.h"

#include "common/config.h"
#include "common/err.h"
#include "common/profile.h"

#include <stdio.h>
#include <string.h>

#define DAY_S			86400
#define ROOT_DAYS		7300
#define CHILD_DAYS		3650
#define MAX_DAYS		36500
#define MAX_PATH_LEN		10
#define MAX_TEMPLATE_OCTETS	65536

/* docs/examples/ca-template.conf, in the order of that file. */
static cfg_opt_t template_opts[] = {
	CFG_STR("subject",	"",	CFGF_NONE),
	CFG_INT("days",		0,	CFGF_NONE),	/* 1..36500; 0 unsaid */
	CFG_STR("key_type",	"",	CFGF_NONE),
	CFG_INT("path_len",	-2,	CFGF_NONE),	/* -1..10; -2 unsaid */
	CFG_STR_LIST("permit",	"{}",	CFGF_NONE),
	CFG_STR_LIST("exclude",	"{}",	CFGF_NONE),
	CFG_STR_LIST("policies", "{}",	CFGF_NONE),
	CFG_END()
};

void
ca_plan_free(struct ca_plan *plan)
{
	names_free(&plan->subject);
	NAME_CONSTRAINTS_free(plan->constraints);
	plan->constraints = NULL;
}

/* What was wrong was typed, or stands in the template. */
static int
usage(struct ctl *ctl, int r)
{
	if (r != 0)
		ctl->exit_code = EX_USAGE;
	return r == 0 ? 0 : -1;
}

/* NULL: no --template. */
static int
read_template(struct ctl *ctl, cfg_t **out, struct err *err)
{
	const char *path = ctl_option(ctl, "template");
	OWNED_BUF(text, MAX_TEMPLATE_OCTETS);
	OWNED(cfg_t) *cfg = NULL;

	if (path == NULL)
		return 0;
	if (ctl_read_file(ctl, path, &text, err) != 0)
		return -1;
	if (config_parse(path, buf_bytes(&text), template_opts, &cfg,
	    err) != 0 || config_check_range(cfg, "days", 0, MAX_DAYS,
	    err) != 0 || config_check_range(cfg, "path_len", -2, MAX_PATH_LEN,
	    err) != 0) {
		ctl->exit_code = EX_CONFIG;
		return -1;
	}
	*out = TAKE(cfg);
	return 0;
}

/* The option, else the template's word; "" when neither says it. */
static const char *
text_of(const struct ctl *ctl, const char *option, cfg_t *cfg,
    const char *key)
{
	const char *value = ctl_option(ctl, option);

	if (value == NULL && cfg != NULL)
		value = cfg_getstr(cfg, key);
	return value == NULL ? "" : value;
}

static int
read_subject(struct ctl *ctl, cfg_t *cfg, struct ca_plan *plan,
    struct err *err)
{
	const char *text = text_of(ctl, "subject", cfg, "subject");

	if (text[0] == '\0')
		return ctl_fail(ctl, EX_USAGE, err, "--subject is needed: "
		    "\"O=Example, CN=Root\"");
	return usage(ctl, names_add_typed(&plan->subject, text, err));
}

static int
read_days(struct ctl *ctl, enum ca_kind kind, cfg_t *cfg,
    const struct profile *profile, struct ca_plan *plan, struct err *err)
{
	long days = kind == CA_ROOT ? ROOT_DAYS : CHILD_DAYS;
	long most = MAX_DAYS;

	if (profile != NULL) {
		days = (long)(profile->validity_s / DAY_S);
		most = (long)(profile->max_validity_s / DAY_S);
	}
	if (cfg != NULL && cfg_getint(cfg, "days") > 0)
		days = cfg_getint(cfg, "days");
	if (ctl_number(ctl, "days", 1, MAX_DAYS, days, &days, err) != 0)
		return -1;
	if (days > most)
		return ctl_fail(ctl, EX_USAGE, err, "%ld days are more than "
		    "the %ld that the profile sub-ca allows", days, most);
	plan->validity_s = (int64_t)days * DAY_S;
	return 0;
}

static int
read_key(struct ctl *ctl, enum ca_kind kind, cfg_t *cfg,
    const struct profile *profile, struct ca_plan *plan, struct err *err)
{
	const char *word = text_of(ctl, "key-type", cfg, "key_type");

	if (word[0] == '\0')
		word = kind == CA_ROOT ? "p384" : "p256";
	if (make_ca_key(ctl, word, &plan->key_kind, &plan->key_bits,
	    err) != 0)
		return -1;
	if (profile != NULL &&
	    ((profile->keys & (1u << plan->key_kind)) == 0 ||
	    (plan->key_kind == KEY_RSA &&
	    plan->key_bits < profile->min_rsa_bits)))
		return ctl_fail(ctl, EX_USAGE, err,
		    "the profile sub-ca does not allow a key %s", word);
	return 0;
}

static int
read_path_len(struct ctl *ctl, enum ca_kind kind, cfg_t *cfg,
    const struct profile *profile, struct ca_plan *plan, struct err *err)
{
	long n = kind == CA_ROOT ? -1 : profile == NULL ? 0 :
	    profile->path_len;

	if (cfg != NULL && cfg_getint(cfg, "path_len") > -2)
		n = cfg_getint(cfg, "path_len");
	if (ctl_number(ctl, "path-len", -1, MAX_PATH_LEN, n, &n, err) != 0)
		return -1;
	plan->path_len = (int)n;
	return 0;
}

/* An option takes the place of the template's list. */
static int
read_trees(struct ctl *ctl, const char *option, cfg_t *cfg, bool permit,
    struct ca_plan *plan, struct err *err)
{
	const char *trees = ctl_option(ctl, option);

	if (trees != NULL)
		return usage(ctl, constraints_add(&plan->constraints, permit,
		    trees, err));
	for (unsigned int i = 0; cfg != NULL && i < cfg_size(cfg, option);
	    i++)
		if (constraints_add(&plan->constraints, permit,
		    cfg_getnstr(cfg, option, i), err) != 0)
			return usage(ctl, -1);
	return 0;
}

static int
add_policy(struct ctl *ctl, struct ca_plan *plan, const char *list,
    struct err *err)
{
	while (*(list += strspn(list, ", ")) != '\0') {
		size_t len = strcspn(list, ", "), used = strlen(plan->policies);
		char oid[128];
		OWNED(ASN1_OBJECT) *object = NULL;

		snprintf(oid, sizeof(oid), "%.*s", (int)(len < sizeof(oid) ?
		    len : sizeof(oid) - 1), list);
		object = OBJ_txt2obj(oid, 1);
		if (object == NULL || len >= sizeof(oid))
			return ctl_fail(ctl, EX_USAGE, err, "policies: %s is "
			    "no OID like 1.3.6.1.4.1.99999.1", oid);
		if (used + len + 2 > sizeof(plan->policies))
			return ctl_fail(ctl, EX_USAGE, err,
			    "too many policies");
		snprintf(plan->policies + used, sizeof(plan->policies) - used,
		    "%s%s", used == 0 ? "" : ",", oid);
		list += len;
	}
	return 0;
}

static int
read_policies(struct ctl *ctl, cfg_t *cfg, const struct profile *profile,
    struct ca_plan *plan, struct err *err)
{
	const char *list = ctl_option(ctl, "policies");

	if (list != NULL)
		return add_policy(ctl, plan, list, err);
	if (cfg != NULL && cfg_size(cfg, "policies") > 0) {
		for (unsigned int i = 0; i < cfg_size(cfg, "policies"); i++)
			if (add_policy(ctl, plan, cfg_getnstr(cfg, "policies",
			    i), err) != 0)
				return -1;
		return 0;
	}
	return profile == NULL ? 0 :
	    add_policy(ctl, plan, profile->policy_oids, err);
}

int
ca_plan_read(struct ctl *ctl, enum ca_kind kind, struct ca_plan *out,
    struct err *err)
{
	const struct profile *profile = kind == CA_ROOT ||
	    ctl->settings == NULL ? NULL :
	    settings_profile(ctl->settings, "sub-ca");
	__attribute__((cleanup(ca_plan_free))) struct ca_plan plan = { 0 };
	OWNED(cfg_t) *cfg = NULL;

	if (read_template(ctl, &cfg, err) != 0 ||
	    read_subject(ctl, cfg, &plan, err) != 0 ||
	    read_days(ctl, kind, cfg, profile, &plan, err) != 0 ||
	    read_key(ctl, kind, cfg, profile, &plan, err) != 0 ||
	    read_path_len(ctl, kind, cfg, profile, &plan, err) != 0 ||
	    read_trees(ctl, "permit", cfg, true, &plan, err) != 0 ||
	    read_trees(ctl, "exclude", cfg, false, &plan, err) != 0 ||
	    read_policies(ctl, cfg, profile, &plan, err) != 0)
		return -1;
	*out = plan;
	plan = (struct ca_plan){ 0 };
	return 0;
}
