/*
 * What the keys of a profile say to each other: each refusal names the RFC
 * that they would contradict together. That each is within its own range,
 * profile.c has seen to.
 */
#include "common/profile_private.h"

#include "common/err.h"
#include "common/name_check.h"
#include "common/names_table.h"

#include <openssl/objects.h>

#include <string.h>

#define DAY_S	86400

static const enum key_kind kinds[] = { KEY_RSA, KEY_P256, KEY_P384, KEY_P521,
	KEY_ED25519, KEY_ED448 };
#define KINDS	(sizeof(kinds) / sizeof(kinds[0]))

/* --- usages and purposes ---------------------------------------------- */

static int
check_usages(cfg_t *cfg, const struct profile *p, struct err *err)
{
	uint32_t ku = p->key_usage;

	if (ku == 0)
		return config_fail(cfg, "key_usage", err, "found nothing, "
		    "allowed one usage or more (RFC 5280, 4.2.1.3)");
	if ((ku & (KU_ENCIPHER_ONLY | KU_DECIPHER_ONLY)) != 0 &&
	    (ku & KU_KEY_AGREEMENT) == 0)
		return config_fail(cfg, "key_usage", err, "found encipherOnly "
		    "or decipherOnly, allowed with keyAgreement only "
		    "(RFC 5280, 4.2.1.3)");
	if (p->ca && (ku & KU_KEY_CERT_SIGN) == 0)
		return config_fail(cfg, "key_usage", err, "found no "
		    "keyCertSign, but ca = yes (RFC 5280, 4.2.1.3)");
	if (!p->ca && (ku & (KU_KEY_CERT_SIGN | KU_CRL_SIGN)) != 0)
		return config_fail(cfg, "key_usage", err, "found keyCertSign "
		    "or cRLSign, allowed with ca = yes only "
		    "(RFC 5280, 4.2.1.9)");
	if (!p->ca && p->path_len != -1)
		return config_fail(cfg, "path_len", err, "found %d, allowed "
		    "with ca = yes only (RFC 5280, 4.2.1.9)", p->path_len);
	return 0;
}

/* Keys that the profile takes but that could do nothing of what it is for,
 * and usages that none of its keys could have. */
static int
check_keys(cfg_t *cfg, const struct profile *p, struct err *err)
{
	uint32_t possible = 0;

	if (p->keys == 0)
		return config_fail(cfg, "keys", err, "found nothing, allowed "
		    "one kind or more");
	for (size_t i = 0; i < KINDS; i++) {
		uint32_t usage = profile_key_usage(p, kinds[i]);

		if ((p->keys & 1u << kinds[i]) == 0)
			continue;
		if (usage == 0)
			return config_fail(cfg, "keys", err, "found %s, which "
			    "can do nothing of key_usage (RFC 5280, 4.2.1.3)",
			    key_kind_name(kinds[i]));
		possible |= usage;
	}
	if ((p->key_usage & ~possible) != 0)
		return config_fail(cfg, "key_usage", err, "found what none of "
		    "keys can do: RSA keys encipher, EC keys agree, Edwards "
		    "keys only sign (RFC 5280, 4.2.1.3; 8813, 3; 9295, 3)");
	return 0;
}

/* 4.2.1.12, for each kind of key with what is left of the usages for it. */
static int
check_consistent(cfg_t *cfg, const struct profile *p, struct err *err)
{
	for (const struct purpose *q = profile_purposes; q->word != NULL; q++)
		for (size_t i = 0; i < KINDS; i++)
			if (profile_has_word(p->eku, q->word) &&
			    (p->keys & 1u << kinds[i]) != 0 &&
			    (profile_key_usage(p, kinds[i]) &
			    q->consistent) == 0)
				return config_fail(cfg, "extended_key_usage",
				    err, "found %s, but no key_usage that "
				    "goes with it for %s keys "
				    "(RFC 5280, 4.2.1.12)", q->word,
				    key_kind_name(kinds[i]));
	return 0;
}

static int
check_purposes(cfg_t *cfg, const struct profile *p, struct err *err)
{
	if (profile_has_word(p->eku, "OCSPSigning"))
		return config_fail(cfg, "extended_key_usage", err, "found "
		    "OCSPSigning; responders have a profile of their own "
		    "that is built in (RFC 6960, 4.2.2.2)");
	if (p->ca && p->eku[0] != '\0')
		return config_fail(cfg, "extended_key_usage", err, "found a "
		    "purpose, but ca = yes: purposes are for end entities "
		    "(RFC 5280, 4.2.1.12)");
	if (profile_has_word(p->eku, "timeStamping")) {
		if (strcmp(p->eku, "timeStamping") != 0)
			return config_fail(cfg, "extended_key_usage", err,
			    "found timeStamping with others, allowed alone "
			    "(RFC 3161, 2.3)");
		if ((p->key_usage & ~(uint32_t)(KU_DIGITAL_SIGNATURE |
		    KU_NON_REPUDIATION)) != 0)
			return config_fail(cfg, "key_usage", err, "found more "
			    "than digitalSignature and nonRepudiation, which "
			    "go with timeStamping (RFC 5280, 4.2.1.12)");
	}
	return check_consistent(cfg, p, err);
}

/* --- names ------------------------------------------------------------ */

static int
check_sans(cfg_t *cfg, const struct profile *p, struct err *err)
{
	bool server = profile_has_word(p->eku, "serverAuth");

	if (p->ca && p->sans != 0)
		return config_fail(cfg, "san", err, "found a form, but a CA is "
		    "known by its subject (RFC 5280, 4.1.2.6)");
	if (p->san_required && p->sans == 0)
		return config_fail(cfg, "san_required", err, "found yes, but "
		    "san allows no form (RFC 5280, 4.2.1.6)");
	if ((p->sans_required & ~p->sans) != 0)
		return config_fail(cfg, "san_required_forms", err, "found a "
		    "form that san does not allow (RFC 5280, 4.2.1.6)");
	if (p->sans_required != 0 && !p->san_required)
		return config_fail(cfg, "san_required", err, "found no, but "
		    "san_required_forms names some (RFC 5280, 4.2.1.6)");
	if (p->wildcard && (p->sans & PROFILE_SAN_BIT(SAN_DNS)) == 0)
		return config_fail(cfg, "wildcard", err, "found yes, but san "
		    "does not allow dns (RFC 5280, 4.2.1.6)");
	if (server && !p->san_required)
		return config_fail(cfg, "san_required", err, "found no, but "
		    "clients know a server (serverAuth) by its subjectAltName "
		    "only (RFC 9525, 4.1)");
	if (server && (p->sans & (PROFILE_SAN_BIT(SAN_DNS) |
	    PROFILE_SAN_BIT(SAN_IP) | PROFILE_SAN_BIT(SAN_URI))) == 0)
		return config_fail(cfg, "san", err, "found neither dns, ip nor "
		    "uri, but a server (serverAuth) is known by one of them "
		    "(RFC 9525, 4.1)");
	return 0;
}

static int
check_subject(cfg_t *cfg, const struct profile *p, struct err *err)
{
	char word[64];

	if (p->subject[0] == '\0' && p->ca)
		return config_fail(cfg, "subject", err, "found nothing; a CA "
		    "has a subject (RFC 5280, 4.1.2.6)");
	if (p->subject[0] == '\0' && !p->san_required)
		return config_fail(cfg, "subject", err, "found nothing; "
		    "without a subject, san_required must be yes "
		    "(RFC 5280, 4.1.2.6)");
	for (const char *at = p->subject_required; *at != '\0';) {
		size_t n = strcspn(at, ",");

		snprintf(word, sizeof(word), "%.*s", (int)n, at);
		if (!profile_has_word(p->subject, word))
			return config_fail(cfg, "subject_required", err,
			    "found %s, which subject does not allow "
			    "(RFC 5280, 4.1.2.6)", word);
		at += n + (at[n] == ',');
	}
	return 0;
}

/* --- the template ----------------------------------------------------- */

/* {NAME}: an attribute that a request may have, or the first SAN. */
static bool
is_placeholder(const struct profile *p, struct bytes name)
{
	char word[64];

	snprintf(word, sizeof(word), "%.*s", (int)name.len,
	    (const char *)name.data);
	if (strcmp(word, "SAN") == 0)
		return p->sans != 0;
	return profile_has_word(p->subject, word);
}

static int
check_entry(cfg_t *cfg, const struct profile *p,
    const struct template_entry *entry, struct err *err)
{
	__attribute__((cleanup(names_free))) struct names names = { 0 };
	struct bytes text = entry->text, piece;
	bool fixed = true;
	struct err why;
	int kind;

	if (entry->nid == NID_undef ||
	    !profile_has_word(p->subject, OBJ_nid2sn(entry->nid)))
		return config_fail(cfg, "subject_template", err, "found an "
		    "entry that is no \"TYPE=text\" with a TYPE of subject "
		    "(RFC 5280, 4.1.2.6)");
	while ((kind = profile_next_piece(&text, &piece)) > 0) {
		fixed = fixed && kind == 1;
		if (kind == 2 && !is_placeholder(p, piece))
			return config_fail(cfg, "subject_template", err,
			    "found {%.*s}, allowed {SAN} when there is a san, "
			    "and attributes of subject (RFC 5280, 4.1.2.6)",
			    (int)(piece.len < 40 ? piece.len : 40),
			    (const char *)piece.data);
	}
	if (kind == -1)
		return config_fail(cfg, "subject_template", err, "found a "
		    "brace without its other");
	if (fixed && names_add_attribute(&names, entry->nid, entry->text,
	    &why) == -1)
		return config_fail(cfg, "subject_template", err, "%s",
		    why.text);
	return 0;
}

static int
check_template(cfg_t *cfg, const struct profile *p, struct err *err)
{
	const char *at = p->subject_template;
	struct template_entry entry;
	OWNED_BUF(made, 1024);

	if (at == NULL)
		return 0;
	if (p->ca)
		return config_fail(cfg, "subject_template", err, "found an "
		    "entry; a CA's subject is given when it is made");
	while (profile_next_entry(&at, &entry)) {
		if (check_entry(cfg, p, &entry, err) == -1)
			return -1;
		buf_printf(&made, "%s,", OBJ_nid2sn(entry.nid));
	}
	for (at = p->subject_required; *at != '\0';) {
		char word[64];
		size_t n = strcspn(at, ",");

		snprintf(word, sizeof(word), "%.*s", (int)n, at);
		if (!profile_has_word(buf_str(&made), word))
			return config_fail(cfg, "subject_required", err,
			    "found %s, which subject_template never makes "
			    "(RFC 5280, 4.1.2.6)", word);
		at += n + (at[n] == ',');
	}
	return 0;
}

/* --- dates ------------------------------------------------------------ */

static int
check_dates(cfg_t *cfg, const struct profile *p, struct err *err)
{
	if (p->max_validity_s < p->validity_s)
		return config_fail(cfg, "max_validity_days", err,
		    "found %lld, allowed %lld (validity_days) or more",
		    (long long)(p->max_validity_s / DAY_S),
		    (long long)(p->validity_s / DAY_S));
	if (p->jitter_s >= p->validity_s)
		return config_fail(cfg, "jitter_s", err, "found %lld, allowed "
		    "less than validity_days: notAfter is after notBefore "
		    "(RFC 5280, 4.1.2.5)", (long long)p->jitter_s);
	return 0;
}

/* --- extensions ------------------------------------------------------- */

static int
check_revocation(cfg_t *cfg, const struct profile *p, struct err *err)
{
	if (p->no_rev_avail && p->ca)
		return config_fail(cfg, "no_rev_avail", err, "found yes, but "
		    "ca = yes (RFC 9608, 2)");
	if (p->no_rev_avail && p->cdp)
		return config_fail(cfg, "no_rev_avail", err, "found yes, but "
		    "cdp = yes says where a CRL is (RFC 9608, 3)");
	if (p->no_rev_avail && p->must_staple)
		return config_fail(cfg, "no_rev_avail", err, "found yes, but "
		    "must_staple = yes wants an answer of OCSP "
		    "(RFC 9608, 3)");
	if (p->must_staple && !p->aia)
		return config_fail(cfg, "must_staple", err, "found yes, but "
		    "with aia = no a server cannot know where to get what it "
		    "staples (RFC 7633, 4; 5280, 4.2.2.1)");
	if (p->must_staple && !profile_has_word(p->eku, "serverAuth"))
		return config_fail(cfg, "must_staple", err, "found yes, but "
		    "only a TLS server (serverAuth) staples (RFC 7633, 4)");
	return 0;
}

static int
check_extensions(cfg_t *cfg, const struct profile *p, struct err *err)
{
	const char *why;

	if (p->cps_url[0] != '\0' && p->policy_oids[0] == '\0')
		return config_fail(cfg, "cps_url", err, "found one, but "
		    "policies has none that it could qualify "
		    "(RFC 5280, 4.2.1.4)");
	why = p->cps_url[0] == '\0' ? NULL : check_uri(bytes_of(p->cps_url));
	if (why != NULL)
		return config_fail(cfg, "cps_url", err, "%s "
		    "(RFC 5280, 4.2.1.4)", why);
	if (p->ca && p->n_extensions > 0)
		return err_set(err, ERR_FAULT, "%s:1: found an extension "
		    "\"%s\", but a CA gets none but those of RFC 5280, 4.2.1",
		    cfg->filename, p->extensions[0].oid);
	return check_revocation(cfg, p, err);
}

int
profile_check_rules(cfg_t *cfg, const struct profile *p, struct err *err)
{
	if (check_usages(cfg, p, err) == -1 ||
	    check_keys(cfg, p, err) == -1 ||
	    check_purposes(cfg, p, err) == -1 ||
	    check_sans(cfg, p, err) == -1 ||
	    check_subject(cfg, p, err) == -1 ||
	    check_template(cfg, p, err) == -1 ||
	    check_dates(cfg, p, err) == -1)
		return -1;
	return check_extensions(cfg, p, err);
}
