#include "common/profile.h"

#include "common/config.h"
#include "common/err.h"
#include "common/names_table.h"

#include <openssl/evp.h>
#include <openssl/objects.h>

#include <stdlib.h>
#include <string.h>

#define HOUR_S		3600
#define DAY_S		86400
#define MAX_DAYS	36525	/* a hundred years */
#define ALL_KEYS	(1u << KEY_RSA | 1u << KEY_P256 | 1u << KEY_P384 | \
			1u << KEY_P521 | 1u << KEY_ED25519 | 1u << KEY_ED448)

/* KeyUsage (RFC 5280, 4.2.1.3) */
static const struct word {
	const char	*word;
	uint32_t	 bit;
} key_usages[] = {
	{ "digitalSignature",	KU_DIGITAL_SIGNATURE },
	{ "nonRepudiation",	KU_NON_REPUDIATION },
	{ "keyEncipherment",	KU_KEY_ENCIPHERMENT },
	{ "dataEncipherment",	KU_DATA_ENCIPHERMENT },
	{ "keyAgreement",	KU_KEY_AGREEMENT },
	{ "keyCertSign",	KU_KEY_CERT_SIGN },
	{ "cRLSign",		KU_CRL_SIGN },
	{ "encipherOnly",	KU_ENCIPHER_ONLY },
	{ "decipherOnly",	KU_DECIPHER_ONLY },
	{ NULL, 0 },
}, san_forms[] = {
	{ "dns",		PROFILE_SAN_BIT(SAN_DNS) },
	{ "email",		PROFILE_SAN_BIT(SAN_EMAIL) },
	{ "ip",			PROFILE_SAN_BIT(SAN_IP) },
	{ "uri",		PROFILE_SAN_BIT(SAN_URI) },
	{ "smtp_utf8",		PROFILE_SAN_BIT(SAN_SMTP_UTF8) },
	{ NULL, 0 },
}, key_names[] = {
	{ "RSA",		1u << KEY_RSA },
	{ "P-256",		1u << KEY_P256 },
	{ "P-384",		1u << KEY_P384 },
	{ "P-521",		1u << KEY_P521 },
	{ "Ed25519",		1u << KEY_ED25519 },
	{ "Ed448",		1u << KEY_ED448 },
	{ NULL, 0 },
};

/* RFC 5280, 4.2.1.12: each purpose is consistent with these usages only. */
static const struct purpose {
	int		nid;
	uint32_t	consistent;
} purposes[] = {
	{ NID_server_auth,	KU_DIGITAL_SIGNATURE | KU_KEY_ENCIPHERMENT |
	    KU_KEY_AGREEMENT },
	{ NID_client_auth,	KU_DIGITAL_SIGNATURE | KU_KEY_AGREEMENT },
	{ NID_code_sign,	KU_DIGITAL_SIGNATURE },
	{ NID_email_protect,	KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION |
	    KU_KEY_ENCIPHERMENT | KU_KEY_AGREEMENT },
	{ NID_time_stamp,	KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION },
};

static const cfg_opt_t options[] = {
	CFG_STR_LIST("key_usage",	"{digitalSignature}",	CFGF_NONE),
	CFG_STR_LIST("extended_key_usage", "{}",		CFGF_NONE),
	CFG_STR_LIST("san",		"{}",			CFGF_NONE),
	CFG_BOOL("san_required",	cfg_true,		CFGF_NONE),
	CFG_BOOL("wildcard",		cfg_false,		CFGF_NONE),
	CFG_STR_LIST("subject",		"{CN}",			CFGF_NONE),
	CFG_INT("validity_days",	90,			CFGF_NONE),
	CFG_INT("max_validity_days",	0,			CFGF_NONE),
	CFG_INT("backdate_s",		300,			CFGF_NONE),
	CFG_STR_LIST("keys", "{RSA,P-256,P-384,P-521,Ed25519,Ed448}",
	    CFGF_NONE),
	CFG_INT("min_rsa_bits",		2048,			CFGF_NONE),
	CFG_BOOL("ca",			cfg_false,		CFGF_NONE),
	CFG_BOOL("aia",			cfg_true,		CFGF_NONE),
	CFG_BOOL("cdp",			cfg_true,		CFGF_NONE),
	CFG_STR_LIST("policies",	"{}",			CFGF_NONE),
	CFG_END()
};

void
profile_free(struct profile *profile)
{
	free(profile);
}

/* Words of a list as a set of bits; none twice. */
static int
read_set(cfg_t *cfg, const char *key, const struct word *words, uint32_t *out,
    struct err *err)
{
	uint32_t bits = 0;

	for (unsigned int i = 0; i < cfg_size(cfg, key); i++) {
		const char *found = cfg_getnstr(cfg, key, i);
		const struct word *w = words;

		while (w->word != NULL && strcmp(w->word, found) != 0)
			w++;
		if (w->word == NULL) {
			OWNED_BUF(allowed, 256);

			for (w = words; w->word != NULL; w++)
				buf_printf(&allowed, "%s%s",
				    w == words ? "" : ", ", w->word);
			return config_fail(cfg, key, err,
			    "found \"%s\", allowed %s", found,
			    buf_str(&allowed));
		}
		if ((bits & w->bit) != 0)
			return config_fail(cfg, key, err,
			    "found \"%s\" twice", found);
		bits |= w->bit;
	}
	*out = bits;
	return 0;
}

static bool
list_has(cfg_t *cfg, const char *key, unsigned int before, const char *word)
{
	for (unsigned int i = 0; i < before; i++)
		if (strcmp(cfg_getnstr(cfg, key, i), word) == 0)
			return true;
	return false;
}

/* A list of words, each checked by ok, as "a,b,c". */
static int
read_words(cfg_t *cfg, const char *key, bool (*ok)(const char *),
    const char *allowed, char *out, size_t size, struct err *err)
{
	size_t used = 0;

	out[0] = '\0';
	for (unsigned int i = 0; i < cfg_size(cfg, key); i++) {
		const char *found = cfg_getnstr(cfg, key, i);
		int n;

		if (!ok(found))
			return config_fail(cfg, key, err,
			    "found \"%s\", allowed %s", found, allowed);
		if (list_has(cfg, key, i, found))
			return config_fail(cfg, key, err,
			    "found \"%s\" twice", found);
		n = snprintf(out + used, size - used, "%s%s",
		    i == 0 ? "" : ",", found);
		if (n < 0 || (size_t)n >= size - used)
			return config_fail(cfg, key, err,
			    "found a list longer than %zu octets", size - 1);
		used += (size_t)n;
	}
	return 0;
}

static bool
is_oid(const char *word)
{
	OWNED(ASN1_OBJECT) *object = OBJ_txt2obj(word, 1);

	return object != NULL;
}

static bool
is_purpose(const char *word)
{
	int nid = OBJ_sn2nid(word);

	for (size_t i = 0; i < sizeof(purposes) / sizeof(purposes[0]); i++)
		if (purposes[i].nid == nid)
			return true;
	return is_oid(word);
}

static bool
is_attribute(const char *word)
{
	return attribute_form_of(OBJ_sn2nid(word)) != NULL;
}

/* One of the comma-separated words? */
static bool
has_word(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = list; *at != '\0';) {
		size_t n = strcspn(at, ",");

		if (n == len && memcmp(at, word, n) == 0)
			return true;
		at += n + (at[n] == ',');
	}
	return false;
}

/* RFC 5280 on what the extensions say to each other. */
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
	for (size_t i = 0; i < sizeof(purposes) / sizeof(purposes[0]); i++)
		if (has_word(p->eku, OBJ_nid2sn(purposes[i].nid)) && !p->ca &&
		    (ku & purposes[i].consistent) == 0)
			return config_fail(cfg, "extended_key_usage", err,
			    "found %s, but no key_usage that goes with it "
			    "(RFC 5280, 4.2.1.12)",
			    OBJ_nid2sn(purposes[i].nid));
	if (has_word(p->eku, "OCSPSigning") ||
	    has_word(p->eku, "1.3.6.1.5.5.7.3.9"))
		return config_fail(cfg, "extended_key_usage", err, "found "
		    "OCSPSigning; responders have a profile of their own "
		    "that is built in");
	return 0;
}

static int
check_names(cfg_t *cfg, const struct profile *p, struct err *err)
{
	if (p->san_required && p->sans == 0)
		return config_fail(cfg, "san_required", err, "found yes, but "
		    "san allows no form (RFC 5280, 4.2.1.6)");
	if (!p->san_required && p->subject[0] == '\0')
		return config_fail(cfg, "subject", err, "found nothing; "
		    "without a subject, san_required must be yes "
		    "(RFC 5280, 4.1.2.6)");
	if (p->ca && p->subject[0] == '\0')
		return config_fail(cfg, "subject", err, "found nothing; a CA "
		    "has a subject (RFC 5280, 4.1.2.6)");
	if (p->wildcard && (p->sans & PROFILE_SAN_BIT(SAN_DNS)) == 0)
		return config_fail(cfg, "wildcard", err, "found yes, but san "
		    "does not allow dns (RFC 5280, 4.2.1.6)");
	return 0;
}

/*
 * What a key of that kind can do at all: EC keys do not encipher (RFC 8813,
 * 3), Edwards keys only sign (RFC 9295, 3), RSA keys do not agree.
 */
uint32_t
profile_key_usage(const struct profile *p, enum key_kind kind)
{
	uint32_t agree = KU_KEY_AGREEMENT | KU_ENCIPHER_ONLY |
	    KU_DECIPHER_ONLY;
	uint32_t encipher = KU_KEY_ENCIPHERMENT | KU_DATA_ENCIPHERMENT;

	switch (kind) {
	case KEY_RSA:
		return p->key_usage & ~agree;
	case KEY_P256:
	case KEY_P384:
	case KEY_P521:
		return p->key_usage & ~encipher;
	case KEY_ED25519:
	case KEY_ED448:
		return p->key_usage & ~(encipher | agree);
	}
	return 0;
}

static int
check_keys(cfg_t *cfg, const struct profile *p, struct err *err)
{
	if (p->keys == 0)
		return config_fail(cfg, "keys", err, "found nothing, allowed "
		    "one kind or more");
	for (const struct word *w = key_names; w->word != NULL; w++) {
		enum key_kind kind;

		if ((p->keys & w->bit) != 0 &&
		    key_kind_from_name(w->word, &kind) == 0 &&
		    profile_key_usage(p, kind) == 0)
			return config_fail(cfg, "keys", err, "found %s, which "
			    "can do nothing of key_usage (RFC 5280, 4.2.1.3)",
			    w->word);
	}
	return 0;
}

static int
read_profile(cfg_t *cfg, struct profile *p, struct err *err)
{
	if (read_set(cfg, "key_usage", key_usages, &p->key_usage, err) == -1 ||
	    read_words(cfg, "extended_key_usage", is_purpose, "serverAuth, "
	    "clientAuth, codeSigning, emailProtection, timeStamping or an OID",
	    p->eku, sizeof(p->eku), err) == -1 ||
	    read_set(cfg, "san", san_forms, &p->sans, err) == -1 ||
	    read_words(cfg, "subject", is_attribute, "CN, C, O, OU, L, ST, "
	    "street, serialNumber, SN, GN, title, UID, DC, emailAddress, "
	    "postalCode, pseudonym, organizationIdentifier",
	    p->subject, sizeof(p->subject), err) == -1 ||
	    config_check_range(cfg, "validity_days", 1, MAX_DAYS, err) == -1 ||
	    config_check_range(cfg, "max_validity_days", 0, MAX_DAYS,
	    err) == -1 ||
	    config_check_range(cfg, "backdate_s", 0, 7 * DAY_S, err) == -1 ||
	    read_set(cfg, "keys", key_names, &p->keys, err) == -1 ||
	    config_check_range(cfg, "min_rsa_bits", 2048, 8192, err) == -1 ||
	    read_words(cfg, "policies", is_oid, "OIDs like \"2.23.140.1\"",
	    p->policy_oids, sizeof(p->policy_oids), err) == -1)
		return -1;
	p->san_required = cfg_getbool(cfg, "san_required");
	p->wildcard = cfg_getbool(cfg, "wildcard");
	p->validity_s = (int64_t)cfg_getint(cfg, "validity_days") * DAY_S;
	p->max_validity_s = (int64_t)cfg_getint(cfg, "max_validity_days") *
	    DAY_S;
	if (p->max_validity_s == 0)
		p->max_validity_s = p->validity_s;
	p->backdate_s = cfg_getint(cfg, "backdate_s");
	p->min_rsa_bits = (uint16_t)cfg_getint(cfg, "min_rsa_bits");
	p->ca = cfg_getbool(cfg, "ca");
	p->aia = cfg_getbool(cfg, "aia");
	p->cdp = cfg_getbool(cfg, "cdp");
	if (p->max_validity_s < p->validity_s)
		return config_fail(cfg, "max_validity_days", err,
		    "found %ld, allowed %ld (validity_days) or more",
		    cfg_getint(cfg, "max_validity_days"),
		    cfg_getint(cfg, "validity_days"));
	if (check_usages(cfg, p, err) == -1 || check_names(cfg, p, err) == -1)
		return -1;
	return check_keys(cfg, p, err);
}

int
profile_parse(const char *name, const char *path, struct bytes text,
    struct profile **out, struct err *err)
{
	OWNED_STRUCT(profile) *p = calloc(1, sizeof(*p));
	OWNED(cfg_t) *cfg = NULL;
	cfg_opt_t opts[sizeof(options) / sizeof(options[0])];

	if (p == NULL)
		return err_set(err, ERR_RETRY, "out of memory");
	if (strlen(name) > PROFILE_NAME_MAX || name[0] == '\0')
		return err_set(err, ERR_FAULT, "%s: the profile's name has "
		    "1 to %d octets", path, PROFILE_NAME_MAX);
	memcpy(p->name, name, strlen(name) + 1);
	memcpy(opts, options, sizeof(opts));
	if (EVP_Digest(text.data, text.len, p->digest, NULL, EVP_sha256(),
	    NULL) != 1)
		return err_openssl(err, ERR_FAULT, "hashing a profile");
	if (config_parse(path, text, opts, &cfg, err) == -1 ||
	    read_profile(cfg, p, err) == -1)
		return -1;
	*out = TAKE(p);
	return 0;
}

static int
check_sans(const struct profile *p, const struct names *names, struct err *err)
{
	for (size_t i = 0; i < names->n_sans; i++) {
		const struct san *san = &names->sans[i];

		if ((p->sans & PROFILE_SAN_BIT(san->kind)) == 0)
			return err_set(err, ERR_REJECT, "%s:%.100s: the "
			    "profile \"%s\" has no names of this form; leave "
			    "it out", san_kind_name(san->kind), san->text,
			    p->name);
		if (san->kind == SAN_DNS && !p->wildcard &&
		    strncmp(san->text, "*.", 2) == 0)
			return err_set(err, ERR_REJECT, "DNS:%.100s: the "
			    "profile \"%s\" has no wildcards; name the hosts",
			    san->text, p->name);
	}
	if (p->san_required && names->n_sans == 0)
		return err_set(err, ERR_REJECT, "the request has no "
		    "subjectAltName, which the profile \"%s\" needs; name "
		    "there what the certificate is for", p->name);
	return 0;
}

/* Browsers look at the SANs; a common name that is none of them would be
 * certified without having been looked at. */
static int
check_server_name(const struct profile *p, const struct names *names,
    struct err *err)
{
	if (!has_word(p->eku, "serverAuth"))
		return 0;
	for (size_t i = 0; i < names->n_attributes; i++) {
		const char *cn = names->attributes[i].text;
		bool found = names->attributes[i].nid != NID_commonName;

		for (size_t k = 0; k < names->n_sans && !found; k++)
			found = (names->sans[k].kind == SAN_DNS ||
			    names->sans[k].kind == SAN_IP) &&
			    strcasecmp(names->sans[k].text, cn) == 0;
		if (!found)
			return err_set(err, ERR_REJECT, "the common name "
			    "\"%.100s\" is none of the subjectAltNames; add it "
			    "there, or leave it out", cn);
	}
	return 0;
}

int
profile_check(const struct profile *p, const struct names *names,
    const struct key_facts *key, struct err *err)
{
	if ((p->keys & 1u << key->kind) == 0)
		return err_set(err, ERR_REJECT, "the profile \"%s\" does not "
		    "take %s keys; make another key and send a new request",
		    p->name, key_kind_name(key->kind));
	if (key->kind == KEY_RSA && key->bits < p->min_rsa_bits)
		return err_set(err, ERR_REJECT, "the RSA key has %u bits; the "
		    "profile \"%s\" needs %u or more; make a new key and send "
		    "a new request", key->bits, p->name, p->min_rsa_bits);
	for (size_t i = 0; i < names->n_attributes; i++) {
		const char *sn = OBJ_nid2sn(names->attributes[i].nid);

		if (!has_word(p->subject, sn))
			return err_set(err, ERR_REJECT, "the subject's %s "
			    "\"%.80s\": the profile \"%s\" has no such "
			    "attribute; leave it out", sn,
			    names->attributes[i].text, p->name);
	}
	if (check_sans(p, names, err) == -1 ||
	    check_server_name(p, names, err) == -1)
		return -1;
	if (names->n_attributes == 0 && (names->n_sans == 0 || p->ca))
		return err_set(err, ERR_REJECT, "the request names nobody: "
		    "it has neither a subject nor a subjectAltName");
	return 0;
}

const struct profile *
profile_ocsp_responder(void)
{
	static const struct profile responder = {
		.name = "ocsp-responder",
		.key_usage = KU_DIGITAL_SIGNATURE,
		.eku = "OCSPSigning",
		.subject = "CN,O,OU,C",
		/* 14 days with the hour that it is backdated. */
		.validity_s = 14 * DAY_S - HOUR_S,
		.max_validity_s = 14 * DAY_S - HOUR_S,
		.backdate_s = HOUR_S,
		.keys = ALL_KEYS,
		.min_rsa_bits = 2048,
		.ocsp_responder = true,
	};

	return &responder;
}
