#include "common/profile_private.h"

#include "common/der.h"
#include "common/err.h"
#include "common/names_table.h"

#include <openssl/evp.h>
#include <openssl/objects.h>

#include <stdlib.h>
#include <string.h>

#define DAY_S		86400
#define MAX_DAYS	36525	/* a hundred years */
#define MAX_TEMPLATE	4096	/* 16 words of a file */
#define MAX_EXTENSION	2048	/* octets of DER */

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

const struct purpose profile_purposes[] = {
	{ "serverAuth",		KU_DIGITAL_SIGNATURE | KU_KEY_ENCIPHERMENT |
	    KU_KEY_AGREEMENT },
	{ "clientAuth",		KU_DIGITAL_SIGNATURE | KU_KEY_AGREEMENT },
	{ "codeSigning",	KU_DIGITAL_SIGNATURE },
	{ "emailProtection",	KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION |
	    KU_KEY_ENCIPHERMENT | KU_KEY_AGREEMENT },
	{ "timeStamping",	KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION },
	{ "OCSPSigning",	KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION },
	{ NULL, 0 },
};

/* The file's order is that of policies/profiles/tls-server.conf. */
static cfg_opt_t extension_options[] = {
	CFG_BOOL("critical",		cfg_false,		CFGF_NONE),
	CFG_STR_LIST("value",		"{}",			CFGF_NONE),
	CFG_END()
};
static const cfg_opt_t options[] = {
	CFG_STR_LIST("key_usage",	"{digitalSignature}",	CFGF_NONE),
	CFG_STR_LIST("extended_key_usage", "{}",		CFGF_NONE),
	CFG_STR_LIST("san",		"{}",			CFGF_NONE),
	CFG_BOOL("san_required",	cfg_true,		CFGF_NONE),
	CFG_STR_LIST("san_required_forms", "{}",		CFGF_NONE),
	CFG_BOOL("wildcard",		cfg_false,		CFGF_NONE),
	CFG_STR_LIST("subject",		"{CN}",			CFGF_NONE),
	CFG_STR_LIST("subject_required", "{}",			CFGF_NONE),
	CFG_STR_LIST("subject_template", "{}",			CFGF_NONE),
	CFG_INT("validity_days",	90,			CFGF_NONE),
	CFG_INT("max_validity_days",	0,			CFGF_NONE),
	CFG_INT("backdate_s",		300,			CFGF_NONE),
	CFG_INT("jitter_s",		0,			CFGF_NONE),
	CFG_STR_LIST("keys", "{RSA,P-256,P-384,P-521,Ed25519,Ed448}",
	    CFGF_NONE),
	CFG_INT("min_rsa_bits",		2048,			CFGF_NONE),
	CFG_BOOL("same_key",		cfg_true,		CFGF_NONE),
	CFG_STR("signature_hash",	"",			CFGF_NONE),
	CFG_BOOL("ca",			cfg_false,		CFGF_NONE),
	CFG_INT("path_len",		-1,			CFGF_NONE),
	CFG_BOOL("aia",			cfg_true,		CFGF_NONE),
	CFG_BOOL("cdp",			cfg_true,		CFGF_NONE),
	CFG_BOOL("no_rev_avail",	cfg_false,		CFGF_NONE),
	CFG_BOOL("must_staple",		cfg_false,		CFGF_NONE),
	CFG_STR_LIST("policies",	"{}",			CFGF_NONE),
	CFG_STR("cps_url",		"",			CFGF_NONE),
	CFG_SEC("extension", extension_options,
	    CFGF_TITLE | CFGF_MULTI | CFGF_NO_TITLE_DUPES),
	CFG_END()
};

void
profile_free(struct profile *profile)
{
	if (profile == NULL)
		return;
	for (size_t i = 0; i < profile->n_extensions; i++)
		free((void *)(uintptr_t)profile->extensions[i].value.data);
	free(profile->subject_template);
	free(profile);
}

bool
profile_has_word(const char *list, const char *word)
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

/* --- lists ------------------------------------------------------------ */

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

/* An OID in digits, written in the one way; out gets what it stands for in
 * our lists. */
static bool
normal_oid(const char *word, char out[64])
{
	OWNED(ASN1_OBJECT) *object = OBJ_txt2obj(word, 1);
	char digits[64];

	if (object == NULL || OBJ_obj2txt(digits, sizeof(digits), object, 1) >=
	    (int)sizeof(digits) || strcmp(digits, word) != 0)
		return false;
	memcpy(out, digits, sizeof(digits));
	return true;
}

/* A purpose goes by its name where it has one, so that no rule overlooks the
 * one that is written in digits. */
static bool
normal_purpose(const char *word, char out[64])
{
	int nid;

	for (const struct purpose *p = profile_purposes; p->word != NULL; p++)
		if (strcmp(p->word, word) == 0) {
			snprintf(out, 64, "%s", word);
			return true;
		}
	if (!normal_oid(word, out))
		return false;
	nid = OBJ_txt2nid(word);
	for (const struct purpose *p = profile_purposes; p->word != NULL; p++)
		if (nid == OBJ_sn2nid(p->word))
			snprintf(out, 64, "%s", p->word);
	return true;
}

static bool
normal_attribute(const char *word, char out[64])
{
	snprintf(out, 64, "%s", word);
	return attribute_form_of(OBJ_sn2nid(word)) != NULL;
}

/* A list of words, each made normal, as "a,b,c". */
static int
read_words(cfg_t *cfg, const char *key, bool (*normal)(const char *, char *),
    const char *allowed, char *out, size_t size, struct err *err)
{
	size_t used = 0;

	out[0] = '\0';
	for (unsigned int i = 0; i < cfg_size(cfg, key); i++) {
		const char *found = cfg_getnstr(cfg, key, i);
		char word[64];
		int n;

		if (!normal(found, word))
			return config_fail(cfg, key, err,
			    "found \"%s\", allowed %s", found, allowed);
		if (profile_has_word(out, word))
			return config_fail(cfg, key, err,
			    "found \"%s\" twice", found);
		n = snprintf(out + used, size - used, "%s%s",
		    i == 0 ? "" : ",", word);
		if (n < 0 || (size_t)n >= size - used)
			return config_fail(cfg, key, err,
			    "found a list longer than %zu octets", size - 1);
		used += (size_t)n;
	}
	return 0;
}

/* Entries one a line: no text of a name has a line break. */
static int
read_template(cfg_t *cfg, struct profile *p, struct err *err)
{
	static const char key[] = "subject_template";
	OWNED_BUF(all, MAX_TEMPLATE);

	for (unsigned int i = 0; i < cfg_size(cfg, key); i++) {
		const char *found = cfg_getnstr(cfg, key, i);

		if (found[0] == '\0' || strchr(found, '\n') != NULL ||
		    i == NAMES_MAX_ATTRIBUTES)
			return config_fail(cfg, key, err, "found \"%s\", "
			    "allowed up to %d entries of one line", found,
			    NAMES_MAX_ATTRIBUTES);
		buf_printf(&all, "%s%s", i == 0 ? "" : "\n", found);
	}
	if (all.len == 0)
		return 0;
	p->subject_template = all.failed ? NULL : strdup(buf_str(&all));
	return p->subject_template != NULL ? 0 :
	    err_set(err, ERR_RETRY, "out of memory");
}

/* --- extensions of the site's own ------------------------------------- */

/* Those that follow from other keys of a profile, from the CA, or that would
 * undo what they say. 2.5.29 (id-ce) is so as a whole. */
static bool
is_governed(const char *oid)
{
	static const char *const others[] = {
		"1.3.6.1.5.5.7.1.1",		/* authorityInfoAccess */
		"1.3.6.1.5.5.7.1.11",		/* subjectInfoAccess */
		"1.3.6.1.5.5.7.1.14",		/* proxyCertInfo */
		"1.3.6.1.5.5.7.1.24",		/* TLS feature */
		"1.3.6.1.5.5.7.48.1.5",		/* ocsp-nocheck */
		"2.16.840.1.113730.1.1",	/* netscape-cert-type */
		"1.3.6.1.4.1.11129.2.4.3",	/* CT's poison */
	};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (strcmp(others[i], oid) == 0)
			return true;
	return strncmp(oid, "2.5.29.", 7) == 0;
}

static int
read_value(cfg_t *section, struct profile_extension *e, struct err *err)
{
	OWNED_BUF(hex, 2 * MAX_EXTENSION);
	OWNED_HEAP(uint8_t) *der = malloc(MAX_EXTENSION);
	struct err why;
	int n = -1;

	if (der == NULL)
		return err_set(err, ERR_RETRY, "out of memory");
	for (unsigned int i = 0; i < cfg_size(section, "value"); i++)
		buf_append_str(&hex, cfg_getnstr(section, "value", i));
	if (!hex.failed)
		n = hex_decode(buf_str(&hex), der, MAX_EXTENSION);
	if (n <= 0)
		return config_fail(section, "value", err, "found no "
		    "hexadecimal digits, allowed 1 to %d octets",
		    MAX_EXTENSION);
	e->value = (struct bytes){ der, (size_t)n };
	if (der_check(e->value, &why) == -1) {
		e->value = (struct bytes){ NULL, 0 };
		return config_fail(section, "value", err,
		    "%s (RFC 5280, 4.1.2.9)", why.text);
	}
	TAKE(der);
	return 0;
}

static int
read_extension(cfg_t *section, struct profile *p, struct err *err)
{
	struct profile_extension e = {
		.critical = cfg_getbool(section, "critical") };
	const char *why = NULL, *oid = cfg_title(section);

	if (!normal_oid(oid, e.oid))
		why = "is no OID in digits";
	else if (is_governed(e.oid))
		why = "is governed by other keys of the profile or by the CA";
	else if (p->n_extensions == PROFILE_MAX_EXTENSIONS)
		why = "is one more than a profile may have";
	if (why != NULL)
		return err_set(err, ERR_FAULT, "%s:%d: extension \"%.64s\" %s "
		    "(RFC 5280, 4.2)", section->filename, section->line, oid,
		    why);
	if (read_value(section, &e, err) == -1)
		return -1;
	p->extensions[p->n_extensions++] = e;
	return 0;
}

/* --- the file --------------------------------------------------------- */

static int
read_hash(cfg_t *cfg, struct profile *p, struct err *err)
{
	static const char *const hashes[] = { "", "sha256", "sha384",
		"sha512" };
	const char *found = cfg_getstr(cfg, "signature_hash");

	for (size_t i = 0; i < sizeof(hashes) / sizeof(hashes[0]); i++)
		if (strcmp(found, hashes[i]) == 0) {
			snprintf(p->signature_hash, sizeof(p->signature_hash),
			    "%s", found);
			return 0;
		}
	return config_fail(cfg, "signature_hash", err, "found \"%s\", allowed "
	    "sha256, sha384, sha512, or \"\" for what fits the CA's key",
	    found);
}

static int
read_names(cfg_t *cfg, struct profile *p, struct err *err)
{
	static const char attributes[] = "CN, C, O, OU, L, ST, street, "
	    "serialNumber, SN, GN, title, UID, DC, emailAddress, postalCode, "
	    "pseudonym, organizationIdentifier";

	p->san_required = cfg_getbool(cfg, "san_required");
	p->wildcard = cfg_getbool(cfg, "wildcard");
	if (read_set(cfg, "san", san_forms, &p->sans, err) == -1 ||
	    read_set(cfg, "san_required_forms", san_forms, &p->sans_required,
	    err) == -1 ||
	    read_words(cfg, "subject", normal_attribute, attributes,
	    p->subject, sizeof(p->subject), err) == -1 ||
	    read_words(cfg, "subject_required", normal_attribute, attributes,
	    p->subject_required, sizeof(p->subject_required), err) == -1)
		return -1;
	return read_template(cfg, p, err);
}

static int
read_times(cfg_t *cfg, struct profile *p, struct err *err)
{
	if (config_check_range(cfg, "validity_days", 1, MAX_DAYS, err) == -1 ||
	    config_check_range(cfg, "max_validity_days", 0, MAX_DAYS,
	    err) == -1 ||
	    config_check_range(cfg, "backdate_s", 0, 7 * DAY_S, err) == -1 ||
	    config_check_range(cfg, "jitter_s", 0, 366 * DAY_S, err) == -1)
		return -1;
	p->validity_s = (int64_t)cfg_getint(cfg, "validity_days") * DAY_S;
	p->max_validity_s = (int64_t)cfg_getint(cfg, "max_validity_days") *
	    DAY_S;
	if (p->max_validity_s == 0)
		p->max_validity_s = p->validity_s;
	p->backdate_s = cfg_getint(cfg, "backdate_s");
	p->jitter_s = cfg_getint(cfg, "jitter_s");
	return 0;
}

static int
read_keys(cfg_t *cfg, struct profile *p, struct err *err)
{
	if (read_set(cfg, "keys", key_names, &p->keys, err) == -1 ||
	    config_check_range(cfg, "min_rsa_bits", 2048, 8192, err) == -1)
		return -1;
	p->min_rsa_bits = (uint16_t)cfg_getint(cfg, "min_rsa_bits");
	p->same_key = cfg_getbool(cfg, "same_key");
	return read_hash(cfg, p, err);
}

static int
read_extensions(cfg_t *cfg, struct profile *p, struct err *err)
{
	const char *url = cfg_getstr(cfg, "cps_url");

	if (read_set(cfg, "key_usage", key_usages, &p->key_usage, err) == -1 ||
	    read_words(cfg, "extended_key_usage", normal_purpose,
	    "serverAuth, clientAuth, codeSigning, emailProtection, "
	    "timeStamping or an OID", p->eku, sizeof(p->eku), err) == -1 ||
	    config_check_range(cfg, "path_len", -1, 10, err) == -1 ||
	    read_words(cfg, "policies", normal_oid,
	    "OIDs like \"2.23.140.1\"", p->policy_oids,
	    sizeof(p->policy_oids), err) == -1)
		return -1;
	/* No word of a file is longer (common/config.c). */
	snprintf(p->cps_url, sizeof(p->cps_url), "%s", url);
	p->ca = cfg_getbool(cfg, "ca");
	p->path_len = (int)cfg_getint(cfg, "path_len");
	p->aia = cfg_getbool(cfg, "aia");
	p->cdp = cfg_getbool(cfg, "cdp");
	p->no_rev_avail = cfg_getbool(cfg, "no_rev_avail");
	p->must_staple = cfg_getbool(cfg, "must_staple");
	for (unsigned int i = 0; i < cfg_size(cfg, "extension"); i++)
		if (read_extension(cfg_getnsec(cfg, "extension", i), p,
		    err) == -1)
			return -1;
	return 0;
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
	if (strcmp(name, profile_ocsp_responder()->name) == 0)
		return err_set(err, ERR_FAULT, "%s:1: this profile is built "
		    "in, since who holds such a certificate speaks for the CA "
		    "(RFC 6960, 4.2.2.2); remove the file", path);
	memcpy(p->name, name, strlen(name) + 1);
	memcpy(opts, options, sizeof(opts));
	if (EVP_Digest(text.data, text.len, p->digest, NULL, EVP_sha256(),
	    NULL) != 1)
		return err_openssl(err, ERR_FAULT, "hashing a profile");
	if (config_parse(path, text, opts, &cfg, err) == -1 ||
	    read_extensions(cfg, p, err) == -1 ||
	    read_names(cfg, p, err) == -1 ||
	    read_times(cfg, p, err) == -1 ||
	    read_keys(cfg, p, err) == -1 ||
	    profile_check_rules(cfg, p, err) == -1)
		return -1;
	*out = TAKE(p);
	return 0;
}
