#include "common/lint.h"

#include "common/der.h"
#include "common/err.h"
#include "common/key.h"
#include "common/name_check.h"
#include "common/owned.h"

#include <openssl/x509v3.h>

#include <ctype.h>
#include <string.h>

/* What is being looked at. Views into the to-be-signed octets. */
struct lint {
	const struct profile	*profile;
	const struct issuer	*issuer;
	struct bytes		 issuer_key_id;
	struct key_facts	 key;
	bool			 subject_empty;
	struct err		*err;
};

static int
found(const struct lint *l, const char *what, const char *section)
{
	return err_set(l->err, ERR_FAULT, "the certificate is not signed: %s "
	    "(RFC 5280, %s)", what, section);
}

/* --- extensions ------------------------------------------------------- */

static int
lint_subject_key_id(const struct lint *l, struct bytes value)
{
	struct bytes id;

	if (!der_take(&value, DER_OCTET_STRING, &id) || value.len > 0 ||
	    !bytes_equal(id, (struct bytes){ l->key.key_sha1,
	    sizeof(l->key.key_sha1) }))
		return found(l, "its subjectKeyIdentifier is not that of its "
		    "key", "4.2.1.2");
	return 0;
}

static int
lint_authority_key_id(const struct lint *l, struct bytes value)
{
	struct bytes sequence, id;

	if (!der_take(&value, DER_SEQUENCE, &sequence) || value.len > 0 ||
	    !der_take(&sequence, 0x80, &id) || sequence.len > 0 ||
	    !bytes_equal(id, l->issuer_key_id))
		return found(l, "its authorityKeyIdentifier is not that of "
		    "its issuer", "4.2.1.1");
	return 0;
}

static int
lint_basic_constraints(const struct lint *l, struct bytes value)
{
	struct bytes sequence;

	if (!der_take(&value, DER_SEQUENCE, &sequence) || value.len > 0 ||
	    sequence.len > 0)
		return found(l, "its basicConstraints are not those of an end "
		    "entity", "4.2.1.9");
	return 0;
}

/* Bit n of the profile's set is bit n of the BIT STRING. */
static int
lint_key_usage(const struct lint *l, struct bytes value)
{
	static const uint32_t order[] = { KU_DIGITAL_SIGNATURE,
		KU_NON_REPUDIATION, KU_KEY_ENCIPHERMENT, KU_DATA_ENCIPHERMENT,
		KU_KEY_AGREEMENT, KU_KEY_CERT_SIGN, KU_CRL_SIGN,
		KU_ENCIPHER_ONLY, KU_DECIPHER_ONLY };
	bool rsa = l->key.kind == KEY_RSA;
	bool ec = l->key.kind == KEY_P256 || l->key.kind == KEY_P384 ||
	    l->key.kind == KEY_P521;
	bool any = false;
	struct bytes bits;

	if (!der_take(&value, DER_BIT_STRING, &bits) || value.len > 0 ||
	    bits.len < 2 || bits.len > 3)
		return found(l, "its keyUsage is empty or malformed",
		    "4.2.1.3");
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		bool is = 1 + i / 8 < bits.len &&
		    (bits.data[1 + i / 8] & (0x80u >> i % 8)) != 0;
		bool want = (l->profile->key_usage & order[i]) != 0;

		if (i == 2 || i == 3)		/* encipherment */
			want = want && rsa;
		if (i == 4 || i == 7 || i == 8)	/* agreement */
			want = want && ec;
		if (is != want)
			return found(l, "its keyUsage is not the profile's",
			    "4.2.1.3");
		any = any || is;
	}
	/* A named bit list has no zero bits at its end (X.690, 11.2.2). */
	if (!any || (bits.data[bits.len - 1] & 1u << bits.data[0]) == 0)
		return found(l, "its keyUsage is empty or malformed",
		    "4.2.1.3");
	return 0;
}

/* Does this sequence of OIDs say what the comma-separated words say? */
static bool
same_oids(struct bytes oids, const char *words)
{
	while (oids.len > 0) {
		struct bytes content, whole;
		const uint8_t *at;
		char word[256];
		size_t n = strcspn(words, ",");
		uint8_t tag;
		OWNED(ASN1_OBJECT) *is = NULL;
		OWNED(ASN1_OBJECT) *want = NULL;

		if (!der_next(&oids, &tag, &content, &whole) ||
		    tag != DER_OID || n == 0 || n >= sizeof(word))
			return false;
		at = whole.data;
		is = d2i_ASN1_OBJECT(NULL, &at, (long)whole.len);
		memcpy(word, words, n);
		word[n] = '\0';
		want = OBJ_txt2obj(word, 0);
		if (is == NULL || want == NULL || OBJ_cmp(is, want) != 0)
			return false;
		words += n + (words[n] == ',');
	}
	return words[0] == '\0';
}

static int
lint_ext_key_usage(const struct lint *l, struct bytes value)
{
	struct bytes oids;

	if (!der_take(&value, DER_SEQUENCE, &oids) || value.len > 0 ||
	    oids.len == 0 || !same_oids(oids, l->profile->eku))
		return found(l, "its extendedKeyUsage is not the profile's",
		    "4.2.1.12");
	return 0;
}

static int
lint_policies(const struct lint *l, struct bytes value)
{
	struct bytes policies, one, whole, content;
	OWNED_BUF(oids, 1024);
	uint8_t tag;

	if (!der_take(&value, DER_SEQUENCE, &policies) || value.len > 0)
		return found(l, "its certificatePolicies are malformed",
		    "4.2.1.4");
	while (policies.len > 0) {
		if (!der_take(&policies, DER_SEQUENCE, &one) ||
		    !der_next(&one, &tag, &content, &whole) || one.len > 0)
			return found(l, "its certificatePolicies are "
			    "malformed", "4.2.1.4");
		buf_append_bytes(&oids, whole);
	}
	if (oids.failed || oids.len == 0 ||
	    !same_oids(buf_bytes(&oids), l->profile->policy_oids))
		return found(l, "its certificatePolicies are not the "
		    "profile's", "4.2.1.4");
	return 0;
}

static int
lint_san(const struct lint *l, uint8_t tag, struct bytes name)
{
	static const uint8_t smtp_utf8[] = { 0x2b, 6, 1, 5, 5, 7, 8, 9 };
	struct bytes oid, text;
	enum san_kind kind;
	const char *why = NULL;

	switch (tag) {
	case 0x81:
		kind = SAN_EMAIL;
		why = check_email(name);
		break;
	case 0x82:
		kind = SAN_DNS;
		why = check_dns(name, l->profile->wildcard);
		for (size_t i = 0; i < name.len && why == NULL; i++)
			if (isupper(name.data[i]))
				why = "it has capitals";
		break;
	case 0x86:
		kind = SAN_URI;
		why = check_uri(name);
		break;
	case 0x87:
		kind = SAN_IP;
		why = name.len == 4 || name.len == 16 ? NULL : "its length";
		break;
	case 0xa0:	/* otherName { OID, [0] EXPLICIT UTF8String } */
		kind = SAN_SMTP_UTF8;
		if (!der_take(&name, DER_OID, &oid) ||
		    !bytes_equal(oid, (struct bytes){ smtp_utf8,
		    sizeof(smtp_utf8) }) || !der_take(&name, 0xa0, &text) ||
		    name.len > 0 || !der_take(&text, 0x0c, &name) ||
		    text.len > 0)
			why = "its form";
		else
			why = check_smtp_utf8(name);
		break;
	default:
		return found(l, "a subjectAltName is of a form that is "
		    "unknown", "4.2.1.6");
	}
	if (why != NULL)
		return found(l, "a subjectAltName is malformed", "4.2.1.6");
	if ((l->profile->sans & PROFILE_SAN_BIT(kind)) == 0)
		return found(l, "a subjectAltName is of a form that the "
		    "profile does not have", "4.2.1.6");
	return 0;
}

static int
lint_subject_alt_name(const struct lint *l, struct bytes value)
{
	struct bytes names, name;
	uint8_t tag;

	if (!der_take(&value, DER_SEQUENCE, &names) || value.len > 0 ||
	    names.len == 0)
		return found(l, "its subjectAltName is empty or malformed",
		    "4.2.1.6");
	while (names.len > 0) {
		if (!der_next(&names, &tag, &name, NULL))
			return found(l, "its subjectAltName is malformed",
			    "4.2.1.6");
		if (lint_san(l, tag, name) == -1)
			return -1;
	}
	return 0;
}

/* One AccessDescription: the last arc of id-ad, and where. */
static bool
is_access(struct bytes *list, uint8_t arc, const char *url)
{
	const uint8_t method[] = { 0x2b, 6, 1, 5, 5, 7, 0x30, arc };
	struct bytes one, oid, uri;

	if (url[0] == '\0')
		return true;
	return der_take(list, DER_SEQUENCE, &one) &&
	    der_take(&one, DER_OID, &oid) &&
	    bytes_equal(oid, (struct bytes){ method, sizeof(method) }) &&
	    der_take(&one, 0x86, &uri) && one.len == 0 &&
	    bytes_equal(uri, bytes_of(url));
}

static int
lint_authority_info(const struct lint *l, struct bytes value)
{
	struct bytes list;

	if (!der_take(&value, DER_SEQUENCE, &list) || value.len > 0 ||
	    list.len == 0 || !is_access(&list, 1, l->issuer->ocsp_url) ||
	    !is_access(&list, 2, l->issuer->ca_url) || list.len > 0)
		return found(l, "its authorityInfoAccess is not the issuer's",
		    "4.2.2.1");
	return 0;
}

static int
lint_crl_point(const struct lint *l, struct bytes value)
{
	struct bytes points, point, name, full, uri;

	if (!der_take(&value, DER_SEQUENCE, &points) || value.len > 0 ||
	    !der_take(&points, DER_SEQUENCE, &point) || points.len > 0 ||
	    !der_take(&point, 0xa0, &name) || point.len > 0 ||
	    !der_take(&name, 0xa0, &full) || name.len > 0 ||
	    !der_take(&full, 0x86, &uri) || full.len > 0 ||
	    !bytes_equal(uri, bytes_of(l->issuer->crl_url)))
		return found(l, "its cRLDistributionPoints are not the "
		    "issuer's", "4.2.1.13");
	return 0;
}

static int
lint_nocheck(const struct lint *l, struct bytes value)
{
	struct bytes null;

	if (!der_take(&value, DER_NULL, &null) || value.len > 0)
		return found(l, "its id-pkix-ocsp-nocheck is malformed",
		    "4.2; RFC 6960, 4.2.2.2.1");
	return 0;
}

enum presence { ABSENT, PRESENT };
static enum presence
always(const struct lint *l)
{
	(void)l;
	return PRESENT;
}

static enum presence
with_eku(const struct lint *l)
{
	return l->profile->eku[0] != '\0' ? PRESENT : ABSENT;
}

static enum presence
with_policies(const struct lint *l)
{
	return l->profile->policy_oids[0] != '\0' ? PRESENT : ABSENT;
}

static enum presence
with_aia(const struct lint *l)
{
	return l->profile->aia && (l->issuer->ocsp_url[0] != '\0' ||
	    l->issuer->ca_url[0] != '\0') ? PRESENT : ABSENT;
}

static enum presence
with_cdp(const struct lint *l)
{
	return l->profile->cdp && l->issuer->crl_url[0] != '\0' ? PRESENT :
	    ABSENT;
}

static enum presence
with_nocheck(const struct lint *l)
{
	return l->profile->ocsp_responder ? PRESENT : ABSENT;
}

/* Whether a SAN is there is the order's choice, within the profile. */
static enum presence
with_san(const struct lint *l)
{
	return l->profile->san_required || l->subject_empty ? PRESENT : ABSENT;
}

static const struct rule {
	const char	*name;
	uint8_t		 oid[9];
	uint8_t		 oid_len;
	bool		 critical;	/* but for subjectAltName */
	bool		 optional;	/* may be there when not PRESENT */
	enum presence	 (*presence)(const struct lint *);
	int		 (*check)(const struct lint *, struct bytes);
	const char	*section;
} rules[] = {
	{ "authorityKeyIdentifier", { 0x55, 0x1d, 35 }, 3, false, false,
	  always, lint_authority_key_id, "4.2.1.1" },
	{ "subjectKeyIdentifier", { 0x55, 0x1d, 14 }, 3, false, false,
	  always, lint_subject_key_id, "4.2.1.2" },
	{ "keyUsage", { 0x55, 0x1d, 15 }, 3, true, false,
	  always, lint_key_usage, "4.2.1.3" },
	{ "certificatePolicies", { 0x55, 0x1d, 32 }, 3, false, false,
	  with_policies, lint_policies, "4.2.1.4" },
#define RULE_SAN	4
	{ "subjectAltName", { 0x55, 0x1d, 17 }, 3, false, true,
	  with_san, lint_subject_alt_name, "4.2.1.6" },
	{ "basicConstraints", { 0x55, 0x1d, 19 }, 3, true, false,
	  always, lint_basic_constraints, "4.2.1.9" },
	{ "extendedKeyUsage", { 0x55, 0x1d, 37 }, 3, false, false,
	  with_eku, lint_ext_key_usage, "4.2.1.12" },
	{ "cRLDistributionPoints", { 0x55, 0x1d, 31 }, 3, false, false,
	  with_cdp, lint_crl_point, "4.2.1.13" },
	{ "authorityInfoAccess", { 0x2b, 6, 1, 5, 5, 7, 1, 1 }, 8, false,
	  false, with_aia, lint_authority_info, "4.2.2.1" },
	{ "id-pkix-ocsp-nocheck", { 0x2b, 6, 1, 5, 5, 7, 0x30, 1, 5 }, 9,
	  false, false, with_nocheck, lint_nocheck,
	  "4.2; RFC 6960, 4.2.2.2.1" },
};
#define RULES	(sizeof(rules) / sizeof(rules[0]))

static int
found_in(const struct lint *l, size_t rule, const char *what)
{
	return err_set(l->err, ERR_FAULT, "the certificate is not signed: its "
	    "%s %s (RFC 5280, %s)", rules[rule].name, what,
	    rules[rule].section);
}

static int
lint_extension(const struct lint *l, struct bytes one, bool *seen)
{
	struct bytes oid, flag, value;
	bool critical = false, want;
	size_t i = 0;

	if (!der_take(&one, DER_OID, &oid))
		return found(l, "an extension is malformed", "4.1");
	if (one.len > 0 && one.data[0] == DER_BOOLEAN) {
		if (!der_take(&one, DER_BOOLEAN, &flag) || flag.len != 1 ||
		    flag.data[0] != 0xff)
			return found(l, "an extension is malformed", "4.1");
		critical = true;
	}
	if (!der_take(&one, DER_OCTET_STRING, &value) || one.len > 0)
		return found(l, "an extension is malformed", "4.1");
	while (i < RULES && !bytes_equal(oid,
	    (struct bytes){ rules[i].oid, rules[i].oid_len }))
		i++;
	if (i == RULES)
		return found(l, "it has an extension that no profile has",
		    "4.2");
	if (seen[i])
		return err_set(l->err, ERR_FAULT, "the certificate is not "
		    "signed: its %s is doubled (RFC 5280, 4.2)",
		    rules[i].name);
	seen[i] = true;
	if (!rules[i].optional && rules[i].presence(l) == ABSENT)
		return found_in(l, i, "must not be there");
	want = i == RULE_SAN ? l->subject_empty : rules[i].critical;
	if (critical != want)
		return found_in(l, i, want ? "is not critical" : "is critical");
	return rules[i].check(l, value);
}

static int
lint_extensions(const struct lint *l, struct bytes list)
{
	bool seen[RULES] = { false };
	struct bytes one;

	while (list.len > 0)
		if (!der_take(&list, DER_SEQUENCE, &one))
			return found(l, "its extensions are malformed", "4.1");
		else if (lint_extension(l, one, seen) == -1)
			return -1;
	for (size_t i = 0; i < RULES; i++)
		if (!seen[i] && rules[i].presence(l) == PRESENT)
			return found_in(l, i, "is missing");
	return 0;
}

/* --- the fields ------------------------------------------------------- */

/* RFC 5280, 4.1.2.5: with seconds and Z; years through 2049 as UTCTime. */
static bool
read_time(uint8_t tag, struct bytes v, time_t *out)
{
	unsigned int digits[14];
	size_t n = tag == V_ASN1_UTCTIME ? 12 : 14, off = 14 - n;
	struct tm tm = { 0 };
	int year;

	if ((tag != V_ASN1_UTCTIME && tag != V_ASN1_GENERALIZEDTIME) ||
	    v.len != n + 1 || v.data[n] != 'Z')
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!isdigit(v.data[i]))
			return false;
		digits[off + i] = v.data[i] - (unsigned int)'0';
	}
	if (tag == V_ASN1_UTCTIME) {
		digits[0] = digits[2] >= 5 ? 1 : 2;
		digits[1] = digits[2] >= 5 ? 9 : 0;
	}
	year = (int)(digits[0] * 1000 + digits[1] * 100 + digits[2] * 10 +
	    digits[3]);
	if (tag == V_ASN1_GENERALIZEDTIME && year < 2050)
		return false;
	tm.tm_year = year - 1900;
	tm.tm_mon = (int)(digits[4] * 10 + digits[5]) - 1;
	tm.tm_mday = (int)(digits[6] * 10 + digits[7]);
	tm.tm_hour = (int)(digits[8] * 10 + digits[9]);
	tm.tm_min = (int)(digits[10] * 10 + digits[11]);
	tm.tm_sec = (int)(digits[12] * 10 + digits[13]);
	*out = timegm(&tm);
	/* timegm carries over what is out of range: then a field changed. */
	return tm.tm_mon == (int)(digits[4] * 10 + digits[5]) - 1 &&
	    tm.tm_mday == (int)(digits[6] * 10 + digits[7]) &&
	    tm.tm_sec == (int)(digits[12] * 10 + digits[13]);
}

static bool
read_issuer_time(const ASN1_TIME *t, time_t *out)
{
	return read_time((uint8_t)ASN1_STRING_type(t),
	    (struct bytes){ ASN1_STRING_get0_data(t),
	    (size_t)ASN1_STRING_length(t) }, out);
}

static int
lint_validity(const struct lint *l, struct bytes validity)
{
	time_t from, until, issuer_from, issuer_until;
	struct bytes v;
	uint8_t tag;

	if (!der_next(&validity, &tag, &v, NULL) ||
	    !read_time(tag, v, &from) ||
	    !der_next(&validity, &tag, &v, NULL) ||
	    !read_time(tag, v, &until) || validity.len > 0)
		return found(l, "a date is not written as it must be",
		    "4.1.2.5");
	if (until <= from)
		return found(l, "notAfter is not after notBefore", "4.1.2.5");
	if (!read_issuer_time(X509_get0_notBefore(l->issuer->cert),
	    &issuer_from) ||
	    !read_issuer_time(X509_get0_notAfter(l->issuer->cert),
	    &issuer_until) || from < issuer_from || until > issuer_until)
		return found(l, "it is valid beyond its issuer", "4.1.2.5");
	if (until - from > l->profile->max_validity_s + l->profile->backdate_s)
		return found(l, "it is valid for longer than the profile says",
		    "4.1.2.5");
	return 0;
}

/* RFC 5280, 4.1.2.4 and A.1: which kind of string for which attribute. */
static bool
is_string_for(struct bytes oid, uint8_t tag)
{
	static const uint8_t email[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d,
		1, 9, 1 };
	static const uint8_t dc[] = { 0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c,
		0x64, 1, 25 };
	bool x520 = oid.len == 3 && oid.data[0] == 0x55 && oid.data[1] == 4;

	if (x520 && (oid.data[2] == 6 || oid.data[2] == 5))
		return tag == V_ASN1_PRINTABLESTRING;	/* C, serialNumber */
	if (bytes_equal(oid, (struct bytes){ email, sizeof(email) }) ||
	    bytes_equal(oid, (struct bytes){ dc, sizeof(dc) }))
		return tag == V_ASN1_IA5STRING;
	return tag == V_ASN1_UTF8STRING || tag == V_ASN1_PRINTABLESTRING;
}

static bool
profile_has_attribute(const struct profile *p, struct bytes oid_whole)
{
	const uint8_t *at = oid_whole.data;
	OWNED(ASN1_OBJECT) *oid = d2i_ASN1_OBJECT(NULL, &at,
	    (long)oid_whole.len);
	const char *sn = oid == NULL ? NULL : OBJ_nid2sn(OBJ_obj2nid(oid));
	size_t n = sn == NULL ? 0 : strlen(sn);

	for (const char *word = p->subject; sn != NULL; word++) {
		if (strncmp(word, sn, n) == 0 &&
		    (word[n] == ',' || word[n] == '\0'))
			return true;
		word = strchr(word, ',');
		if (word == NULL)
			break;
	}
	return false;
}

static int
lint_subject(const struct lint *l, struct bytes subject)
{
	struct bytes rdn, one, oid, whole, text;
	uint8_t tag, oid_tag;

	while (subject.len > 0) {
		if (!der_take(&subject, DER_SET, &rdn) ||
		    !der_take(&rdn, DER_SEQUENCE, &one) || rdn.len > 0 ||
		    !der_next(&one, &oid_tag, &oid, &whole) ||
		    !der_next(&one, &tag, &text, NULL) || one.len > 0)
			return found(l, "its subject is malformed", "4.1.2.6");
		if (!is_string_for(oid, tag) || check_text(text, NULL) != NULL)
			return found(l, "an attribute of its subject is not "
			    "written as it must be", "4.1.2.4");
		if (!profile_has_attribute(l->profile, whole))
			return found(l, "its subject has an attribute that "
			    "the profile does not have", "4.1.2.6");
	}
	return 0;
}

static int
lint_issuer(const struct lint *l, struct bytes issuer)
{
	const uint8_t *der;
	size_t len;

	if (X509_NAME_get0_der(X509_get_subject_name(l->issuer->cert), &der,
	    &len) != 1 || !bytes_equal(issuer, (struct bytes){ der, len }))
		return found(l, "its issuer is not the CA's subject",
		    "4.1.2.4");
	return 0;
}

static int
lint_fields(struct lint *l, struct bytes tbs)
{
	struct bytes version, serial, algorithm, validity, subject, content,
	    issuer, spki, extensions, list;
	uint8_t tag;

	if (!der_take(&tbs, 0xa0, &content) ||
	    !der_take(&content, DER_INTEGER, &version) || content.len > 0 ||
	    version.len != 1 || version.data[0] != 2)
		return found(l, "its version is not 3", "4.1.2.1");
	if (!der_take(&tbs, DER_INTEGER, &serial) || serial.len == 0 ||
	    serial.len > 20 || (serial.data[0] & 0x80) != 0 ||
	    (serial.len == 1 && serial.data[0] == 0))
		return found(l, "its serial number is not positive or longer "
		    "than 20 octets", "4.1.2.2");
	if (!der_take(&tbs, DER_SEQUENCE, &algorithm) ||
	    !der_next(&tbs, &tag, &content, &issuer) ||
	    !der_take(&tbs, DER_SEQUENCE, &validity) ||
	    !der_take(&tbs, DER_SEQUENCE, &subject) ||
	    !der_next(&tbs, &tag, &content, &spki) ||
	    !der_take(&tbs, 0xa3, &extensions) || tbs.len > 0 ||
	    !der_take(&extensions, DER_SEQUENCE, &list) || extensions.len > 0)
		return found(l, "its fields are not those of a certificate",
		    "4.1");
	if (lint_issuer(l, issuer) == -1 || lint_validity(l, validity) == -1 ||
	    lint_subject(l, subject) == -1)
		return -1;
	if (key_examine_spki(spki, &l->key, l->err) == -1)
		return found(l, "its key is not fit", "4.1.2.7");
	if ((l->profile->keys & 1u << l->key.kind) == 0 ||
	    (l->key.kind == KEY_RSA && l->key.bits < l->profile->min_rsa_bits))
		return found(l, "its key is none that the profile has",
		    "4.1.2.7");
	l->subject_empty = subject.len == 0;
	return lint_extensions(l, list);
}

int
lint_certificate(X509 *cert, const struct profile *profile,
    const struct issuer *issuer, struct err *err)
{
	struct lint l = { .profile = profile, .issuer = issuer, .err = err };
	const ASN1_OCTET_STRING *id = X509_get0_subject_key_id(issuer->cert);
	const X509_ALGOR *outer;
	uint8_t *der = NULL;
	struct bytes whole, tbs;
	struct err inner;
	int len, r;

	if (id != NULL)
		l.issuer_key_id = (struct bytes){ ASN1_STRING_get0_data(id),
		    (size_t)ASN1_STRING_length(id) };
	X509_get0_signature(NULL, &outer, cert);
	if (X509_ALGOR_cmp(outer, X509_get0_tbs_sigalg(cert)) != 0)
		return found(&l, "its two signature algorithms differ",
		    "4.1.1.2");
	len = i2d_re_X509_tbs(cert, &der);
	if (len <= 0)
		return err_openssl(err, ERR_FAULT, "encoding a certificate");
	whole = (struct bytes){ der, (size_t)len };
	if (der_check(whole, &inner) == -1 ||
	    !der_take(&whole, DER_SEQUENCE, &tbs))
		r = found(&l, "it is not DER", "4.1");
	else
		r = lint_fields(&l, tbs);
	OPENSSL_free(der);
	return r;
}
