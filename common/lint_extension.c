/*
 * The list of extensions (RFC 5280, 4.2): which are there, once, critical or
 * not. What each says is looked at in lint_usage.c, lint_constraint.c and
 * lint_address.c.
 */
#include "common/lint_private.h"

#include "common/err.h"
#include "common/owned.h"

#include <string.h>

#define MAX_EXTENSIONS	64	/* of one document; more is a finding */

int
lint_next_extension(struct lint *l, struct bytes *list, enum lint_id form,
    struct lint_extension *out)
{
	struct bytes one, flag;

	if (list->len == 0)
		return 0;
	*out = (struct lint_extension){ .critical = false };
	if (!der_take(list, DER_SEQUENCE, &one)) {
		list->len = 0;
		lint_found(l, form);
		return -1;
	}
	if (!der_take(&one, DER_OID, &out->oid)) {
		lint_found(l, form);
		return -1;
	}
	if (one.len > 0 && one.data[0] == DER_BOOLEAN) {
		if (!der_take(&one, DER_BOOLEAN, &flag) || flag.len != 1) {
			lint_found(l, form);
			return -1;
		}
		out->critical = flag.data[0] != 0;
		/* critical BOOLEAN DEFAULT FALSE (X.690, 11.5) */
		if (!out->critical)
			lint_found(l, LINT_EXTENSION_DEFAULT);
	}
	if (!der_take(&one, DER_OCTET_STRING, &out->value) || one.len > 0) {
		lint_found(l, form);
		return -1;
	}
	return 1;
}

/* --- which are there, as profile and issuer say ------------------------ */

enum presence { ABSENT, OPTIONAL, PRESENT };

static enum presence
always(const struct lint *l)
{
	(void)l;
	return PRESENT;
}

static enum presence
never(const struct lint *l)
{
	(void)l;
	return ABSENT;
}

static enum presence
in_a_ca(const struct lint *l)
{
	return l->role == LINT_CA ? OPTIONAL : ABSENT;
}

/* 4.2.1.1: a self-signed certificate may do without. */
static enum presence
unless_self_signed(const struct lint *l)
{
	return l->role == LINT_CA && l->issuer == NULL ? OPTIONAL : PRESENT;
}

static enum presence
with_eku(const struct lint *l)
{
	return l->profile == NULL ? OPTIONAL :
	    l->profile->eku[0] != '\0' ? PRESENT : ABSENT;
}

static enum presence
with_policies(const struct lint *l)
{
	return l->profile == NULL ? OPTIONAL :
	    l->profile->policy_oids[0] != '\0' ? PRESENT : ABSENT;
}

/* Whether an address is there is not known without the issuer's. */
static enum presence
with_url(const char *url)
{
	return url == NULL ? OPTIONAL : url[0] != '\0' ? PRESENT : ABSENT;
}

static enum presence
with_aia(const struct lint *l)
{
	const struct profile *p = l->profile;
	enum presence ocsp, ca;

	if (p != NULL && !p->aia)
		return ABSENT;
	if (l->issuer == NULL)
		return OPTIONAL;
	ocsp = p != NULL && p->no_rev_avail ? ABSENT :
	    with_url(l->issuer->ocsp_url);
	ca = with_url(l->issuer->ca_url);
	return ocsp > ca ? ocsp : ca;
}

static enum presence
with_cdp(const struct lint *l)
{
	if (l->profile != NULL && (!l->profile->cdp ||
	    l->profile->no_rev_avail))
		return ABSENT;
	return l->issuer == NULL ? OPTIONAL : with_url(l->issuer->crl_url);
}

static enum presence
with_nocheck(const struct lint *l)
{
	return l->profile != NULL && l->profile->ocsp_responder ? PRESENT :
	    ABSENT;
}

static enum presence
with_no_rev_avail(const struct lint *l)
{
	return l->profile != NULL && l->profile->no_rev_avail ? PRESENT :
	    ABSENT;
}

static enum presence
with_tls_feature(const struct lint *l)
{
	return l->profile != NULL && l->profile->must_staple ? PRESENT :
	    ABSENT;
}

/* Whether a SAN is there is the order's choice, within the profile. */
static enum presence
with_san(const struct lint *l)
{
	if (l->subject_empty)
		return PRESENT;
	if (l->profile == NULL)
		return l->role == LINT_CA ? ABSENT : OPTIONAL;
	return l->profile->san_required || l->profile->sans_required != 0 ?
	    PRESENT : OPTIONAL;
}

/* --- the table ---------------------------------------------------------- */

static void
lint_nocheck(struct lint *l, const struct lint_extension *e)
{
	struct bytes v = e->value, null;

	l->has_nocheck = true;
	if (!der_take(&v, DER_NULL, &null) || v.len > 0)
		lint_found(l, LINT_NOCHECK_FORM);
}

static void
lint_no_rev_avail(struct lint *l, const struct lint_extension *e)
{
	struct bytes v = e->value, null;

	l->has_no_rev_avail = true;
	if (!der_take(&v, DER_NULL, &null) || v.len > 0)
		lint_found(l, LINT_NO_REV_AVAIL_FORM);
	if (l->is_ca)
		lint_found(l, LINT_NO_REV_AVAIL_CA);
}

/* What the RFC says of critical: MUST, SHOULD, nothing. SAN and EKU are told
 * apart in the code. */
enum critical { MUST, MUST_NOT, SHOULD, SHOULD_NOT, MAY };

enum {
	IS_BASIC_CONSTRAINTS, IS_SKI, IS_AKI, IS_KEY_USAGE, IS_POLICIES,
	IS_POLICY_MAPPINGS, IS_SAN, IS_ISSUER_ALT_NAME,
	IS_DIRECTORY_ATTRIBUTES, IS_NAME_CONSTRAINTS, IS_POLICY_CONSTRAINTS,
	IS_EXT_KEY_USAGE, IS_CRL_POINTS, IS_INHIBIT_ANY, IS_FRESHEST_CRL,
	IS_AUTHORITY_INFO, IS_SUBJECT_INFO, IS_NO_REV_AVAIL, IS_TLS_FEATURE,
	IS_NOCHECK, KNOWN
};
#define CE(n)	{ 0x55, 0x1d, (n) }, 3
#define PE(n)	{ 0x2b, 6, 1, 5, 5, 7, 1, (n) }, 8
static const struct known {
	const char	*name;
	uint8_t		 oid[9];
	uint8_t		 oid_len;
	enum critical	 critical;
	bool		 of_ca_only;
	enum presence	 (*presence)(const struct lint *);
	void		 (*check)(struct lint *, const struct lint_extension *);
	const char	*section;
} known[KNOWN] = {
	/* Looked at first: is it a CA's? */
	[IS_BASIC_CONSTRAINTS] = { "basicConstraints", CE(19),
	    MUST, false, always, NULL, "RFC 5280, 4.2.1.9" },
	[IS_SKI] = { "subjectKeyIdentifier", CE(14),
	    MUST_NOT, false, always, lint_subject_key_id,
	    "RFC 5280, 4.2.1.2" },
	[IS_AKI] = { "authorityKeyIdentifier", CE(35),
	    MUST_NOT, false, unless_self_signed, lint_authority_key_id,
	    "RFC 5280, 4.2.1.1" },
	[IS_KEY_USAGE] = { "keyUsage", CE(15),
	    SHOULD, false, always, lint_key_usage, "RFC 5280, 4.2.1.3" },
	[IS_POLICIES] = { "certificatePolicies", CE(32),
	    MAY, false, with_policies, lint_policies, "RFC 5280, 4.2.1.4" },
	[IS_POLICY_MAPPINGS] = { "policyMappings", CE(33),
	    SHOULD, true, in_a_ca, lint_policy_mappings,
	    "RFC 5280, 4.2.1.5" },
	[IS_SAN] = { "subjectAltName", CE(17),
	    SHOULD_NOT, false, with_san, lint_subject_alt_name,
	    "RFC 5280, 4.2.1.6" },
	[IS_ISSUER_ALT_NAME] = { "issuerAltName", CE(18),
	    SHOULD_NOT, false, never, NULL, "RFC 5280, 4.2.1.7" },
	[IS_DIRECTORY_ATTRIBUTES] = { "subjectDirectoryAttributes", CE(9),
	    MUST_NOT, false, never, NULL, "RFC 5280, 4.2.1.8" },
	[IS_NAME_CONSTRAINTS] = { "nameConstraints", CE(30),
	    MUST, true, in_a_ca, lint_name_constraints,
	    "RFC 5280, 4.2.1.10" },
	[IS_POLICY_CONSTRAINTS] = { "policyConstraints", CE(36),
	    MUST, true, in_a_ca, lint_policy_constraints,
	    "RFC 5280, 4.2.1.11" },
	[IS_EXT_KEY_USAGE] = { "extendedKeyUsage", CE(37),
	    MAY, false, with_eku, lint_ext_key_usage, "RFC 5280, 4.2.1.12" },
	[IS_CRL_POINTS] = { "cRLDistributionPoints", CE(31),
	    SHOULD_NOT, false, with_cdp, lint_crl_points,
	    "RFC 5280, 4.2.1.13" },
	[IS_INHIBIT_ANY] = { "inhibitAnyPolicy", CE(54),
	    MUST, true, in_a_ca, lint_inhibit_any, "RFC 5280, 4.2.1.14" },
	[IS_FRESHEST_CRL] = { "freshestCRL", CE(46),
	    MUST_NOT, false, never, lint_freshest_crl, "RFC 5280, 4.2.1.15" },
	[IS_AUTHORITY_INFO] = { "authorityInfoAccess", PE(1),
	    MUST_NOT, false, with_aia, lint_authority_info,
	    "RFC 5280, 4.2.2.1" },
	[IS_SUBJECT_INFO] = { "subjectInfoAccess", PE(11),
	    MUST_NOT, false, never, NULL, "RFC 5280, 4.2.2.2" },
	[IS_NO_REV_AVAIL] = { "noRevAvail", CE(56),
	    MUST_NOT, false, with_no_rev_avail, lint_no_rev_avail,
	    "RFC 9608, 2" },
	[IS_TLS_FEATURE] = { "TLS feature", PE(24),
	    SHOULD_NOT, false, with_tls_feature, lint_tls_feature,
	    "RFC 7633, 4" },
	[IS_NOCHECK] = { "id-pkix-ocsp-nocheck",
	    { 0x2b, 6, 1, 5, 5, 7, 0x30, 1, 5 }, 9,
	    SHOULD_NOT, false, with_nocheck, lint_nocheck,
	    "RFC 6960, 4.2.2.2.1" },
};

static const struct known *
find_known(struct bytes oid)
{
	for (size_t i = 0; i < KNOWN; i++)
		if (bytes_equal(oid, (struct bytes){ known[i].oid,
		    known[i].oid_len }))
			return &known[i];
	return NULL;
}

/* Profiles and ceremonies say for each extension whether it is critical. */
static bool
is_strict(const struct lint *l)
{
	return l->signing || l->profile != NULL;
}

static bool
has_time_stamping(const struct lint *l)
{
	return l->profile != NULL &&
	    (strstr(l->profile->eku, "timeStamping") != NULL ||
	    strstr(l->profile->eku, "1.3.6.1.5.5.7.3.8") != NULL);
}

/* Where the RFC leaves a choice, certificates by profile have one answer; a
 * CA that is renewed keeps what it had. */
static void
lint_criticality(struct lint *l, const struct known *k, bool critical)
{
	enum critical rule = k->critical;
	bool want;

	if (k == &known[IS_SAN] && l->subject_empty)
		rule = MUST;
	if (k == &known[IS_BASIC_CONSTRAINTS] && !l->is_ca && !is_strict(l))
		rule = MAY;
	if (k == &known[IS_KEY_USAGE] && is_strict(l))
		rule = MUST;
	if (l->profile != NULL) {
		want = rule == MUST || rule == SHOULD;
		if (k == &known[IS_EXT_KEY_USAGE])
			want = has_time_stamping(l);
		rule = want ? MUST : MUST_NOT;
	}
	want = rule == MUST || rule == SHOULD;
	if (rule == MAY || critical == want)
		return;
	if (rule == MUST)
		lint_found_as(l, LINT_EXTENSION_NOT_CRITICAL, k->section,
		    "its %s is not critical", k->name);
	else if (rule == MUST_NOT)
		lint_found_as(l, LINT_EXTENSION_CRITICAL, k->section,
		    "its %s is critical", k->name);
	else
		lint_found_as(l, LINT_EXTENSION_CRITICALITY, k->section,
		    "its %s is %scritical, and should%s be", k->name,
		    critical ? "" : "not ", critical ? " not" : "");
}

/* --- extensions of the profile's own ------------------------------------ */

static const struct profile_extension *
find_custom(const struct lint *l, struct bytes oid)
{
	char text[80];

	if (l->profile == NULL || l->profile->n_extensions == 0)
		return NULL;
	lint_oid_text(oid, text, sizeof(text));
	for (size_t i = 0; i < l->profile->n_extensions; i++)
		if (strcmp(l->profile->extensions[i].oid, text) == 0)
			return &l->profile->extensions[i];
	return NULL;
}

static void
lint_custom(struct lint *l, const struct profile_extension *want,
    const struct lint_extension *e)
{
	if (e->critical != want->critical)
		lint_found_as(l, want->critical ? LINT_EXTENSION_NOT_CRITICAL :
		    LINT_EXTENSION_CRITICAL, NULL, "its extension %s is %s",
		    want->oid, e->critical ? "critical" : "not critical");
	if (!bytes_equal(e->value, want->value))
		lint_found_as(l, LINT_EXTENSION_VALUE, NULL, "its extension "
		    "%s does not have the value of the profile", want->oid);
}

/* --- all of a certificate ----------------------------------------------- */

struct list {
	size_t			 n;
	struct lint_extension	 all[MAX_EXTENSIONS];
	const struct known	*known[MAX_EXTENSIONS];
	bool			 fit[MAX_EXTENSIONS];	/* its value is DER */
	const struct lint_extension *of[KNOWN];	/* by the table; NULL: none */
};

static void
put_name(const struct known *k, struct bytes oid, char *out, size_t size)
{
	if (k == NULL)
		lint_oid_text(oid, out, size);
	else
		snprintf(out, size, "%s", k->name);
}

/* One more; doubled and unreadable ones are told here. */
static void
keep(struct lint *l, struct list *list, const struct lint_extension *e)
{
	const struct known *k = find_known(e->oid);
	size_t at = list->n;
	struct err why = { 0 };
	char name[80];

	if (at == MAX_EXTENSIONS) {
		lint_found(l, LINT_EXTENSION_FORM);
		return;
	}
	for (size_t i = 0; i < at; i++)
		if (bytes_equal(list->all[i].oid, e->oid)) {
			put_name(k, e->oid, name, sizeof(name));
			lint_found_as(l, LINT_EXTENSION_DOUBLED, NULL,
			    "its %s is doubled", name);
			return;
		}
	list->all[at] = *e;
	list->known[at] = k;
	list->fit[at] = der_check(e->value, &why) == 0;
	if (!list->fit[at]) {
		put_name(k, e->oid, name, sizeof(name));
		lint_found_as(l, LINT_EXTENSION_FORM, k == NULL ? NULL :
		    k->section, "its %s is empty or malformed: %s", name,
		    why.text);
	}
	if (k != NULL)
		list->of[k - known] = &list->all[at];
	list->n++;
}

static void
lint_one(struct lint *l, const struct list *list, size_t i)
{
	const struct lint_extension *e = &list->all[i];
	const struct known *k = list->known[i];
	const struct profile_extension *custom = find_custom(l, e->oid);
	char name[80];

	if (custom != NULL) {
		lint_custom(l, custom, e);
	} else if (k == NULL) {
		lint_oid_text(e->oid, name, sizeof(name));
		if (is_strict(l))
			lint_found_as(l, LINT_EXTENSION_PROFILE, NULL,
			    "it has an extension that no profile has: %s",
			    name);
		else if (e->critical)
			lint_found_as(l, LINT_EXTENSION_UNKNOWN, NULL,
			    "its extension %s is critical and not known here",
			    name);
	} else if (is_strict(l) ? k->presence(l) == ABSENT :
	    k->of_ca_only && !l->is_ca) {
		lint_found_as(l, LINT_EXTENSION_UNEXPECTED, k->section,
		    "its %s must not be there", k->name);
	} else {
		lint_criticality(l, k, e->critical);
		if (k->check != NULL && list->fit[i])
			k->check(l, e);
	}
}

/* 4.2.1.1 to 4.2.1.6: what the RFC wants, whoever made it. */
static bool
is_wanted_by_rfc(const struct lint *l, size_t i)
{
	switch (i) {
	case IS_AKI:
		return !l->self_issued;
	case IS_SKI:
	case IS_KEY_USAGE:
		return l->is_ca;
	case IS_SAN:
		return l->subject_empty;
	default:
		return false;
	}
}

static void
lint_missing(struct lint *l, const struct list *list)
{
	for (size_t i = 0; i < KNOWN; i++)
		if (list->of[i] == NULL && (is_strict(l) ?
		    known[i].presence(l) == PRESENT : is_wanted_by_rfc(l, i)))
			lint_found_as(l, LINT_EXTENSION_MISSING,
			    known[i].section, "its %s is missing",
			    known[i].name);
	if (list->of[IS_SKI] == NULL && !is_strict(l) && !l->is_ca)
		lint_found(l, LINT_SKI_RECOMMENDED);
	for (size_t c = 0; l->profile != NULL &&
	    c < l->profile->n_extensions; c++) {
		size_t i = 0;

		while (i < list->n && find_custom(l, list->all[i].oid) !=
		    &l->profile->extensions[c])
			i++;
		if (i == list->n)
			lint_found_as(l, LINT_EXTENSION_MISSING, NULL,
			    "its extension %s is missing",
			    l->profile->extensions[c].oid);
	}
}

/* A self-signed certificate is its own authority (4.2.1.1). */
static void
know_self(struct lint *l, const struct list *list)
{
	struct bytes v;

	if (l->has_issuer || !l->self_issued || list->of[IS_SKI] == NULL)
		return;
	v = list->of[IS_SKI]->value;
	if (!der_take(&v, DER_OCTET_STRING, &l->issuer_key_id))
		l->issuer_key_id.len = 0;
}

void
lint_extensions(struct lint *l, struct bytes in)
{
	struct list list = { .n = 0 };
	struct lint_extension e;
	int r;

	if (in.len == 0)
		lint_found(l, LINT_EXTENSIONS_EMPTY);
	while ((r = lint_next_extension(l, &in, LINT_EXTENSION_FORM, &e)) != 0)
		if (r == 1)
			keep(l, &list, &e);
	know_self(l, &list);
	/* The order of the list says nothing; this one is first. */
	for (size_t i = 0; i < list.n; i++)
		if (list.known[i] == &known[IS_BASIC_CONSTRAINTS] &&
		    list.fit[i])
			lint_basic_constraints(l, &list.all[i]);
	for (size_t i = 0; i < list.n; i++)
		lint_one(l, &list, i);
	lint_missing(l, &list);
	lint_usage_together(l);
}

void
lint_requested_extensions(struct lint *l, struct bytes in)
{
	struct list list = { .n = 0 };
	struct lint_extension e;
	int r;

	if (in.len == 0)
		lint_found(l, LINT_EXTENSIONS_EMPTY);
	while ((r = lint_next_extension(l, &in, LINT_EXTENSION_FORM, &e)) != 0)
		if (r == 1)
			keep(l, &list, &e);
	for (size_t i = 0; i < list.n; i++) {
		const struct known *k = list.known[i];

		if (!list.fit[i] || k == NULL)
			continue;
		if (k == &known[IS_SAN])
			lint_subject_alt_name(l, &list.all[i]);
		else if (k == &known[IS_BASIC_CONSTRAINTS])
			lint_basic_constraints(l, &list.all[i]);
		else if (k == &known[IS_KEY_USAGE])
			lint_key_usage(l, &list.all[i]);
		else if (k == &known[IS_EXT_KEY_USAGE])
			lint_ext_key_usage(l, &list.all[i]);
	}
	if (l->is_ca || (l->usage & 1u << 5) != 0)
		lint_found(l, LINT_CSR_ASKS_CA);
}
