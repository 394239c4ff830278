#include "common/lint_private.h"

#include "common/name_check.h"

#include <ctype.h>
#include <string.h>

#define PRINTABLE_STRING	0x13
#define TELETEX_STRING		0x14
#define IA5_STRING		0x16
#define UNIVERSAL_STRING	0x1c
#define BMP_STRING		0x1e
#define UTF8_STRING		0x0c

/* --- distinguished names --- */

enum spelling { DIRECTORY_STRING, PRINTABLE, IA5 };
#define X520(n)		{ 0x55, 4, (n) }, 3
#define PILOT(n)	{ 0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, \
			(n) }, 10

/* RFC 5280, A.1; where that has no upper bound, X.520's. */
static const struct attribute_rule {
	const char	*name;		/* as profiles have it */
	uint8_t		 oid[10];
	size_t		 oid_len;
	enum spelling	 spelling;
	size_t		 most;		/* characters */
} attributes[] = {
	{ "CN",			X520(3),	DIRECTORY_STRING, 64 },
	{ "O",			X520(10),	DIRECTORY_STRING, 64 },
	{ "OU",			X520(11),	DIRECTORY_STRING, 64 },
	{ "C",			X520(6),	PRINTABLE,	2 },
	{ "L",			X520(7),	DIRECTORY_STRING, 128 },
	{ "ST",			X520(8),	DIRECTORY_STRING, 128 },
	{ "SN",			X520(4),	DIRECTORY_STRING, 32768 },
	{ "serialNumber",	X520(5),	PRINTABLE,	64 },
	{ "street",		X520(9),	DIRECTORY_STRING, 128 },
	{ "title",		X520(12),	DIRECTORY_STRING, 64 },
	{ "postalCode",		X520(17),	DIRECTORY_STRING, 40 },
	{ "name",		X520(41),	DIRECTORY_STRING, 32768 },
	{ "GN",			X520(42),	DIRECTORY_STRING, 32768 },
	{ "initials",		X520(43),	DIRECTORY_STRING, 32768 },
	{ "generationQualifier", X520(44),	DIRECTORY_STRING, 32768 },
	{ "dnQualifier",	X520(46),	PRINTABLE,	32768 },
	{ "pseudonym",		X520(65),	DIRECTORY_STRING, 128 },
	{ "organizationIdentifier", X520(97),	DIRECTORY_STRING, 256 },
	{ "UID",		PILOT(1),	DIRECTORY_STRING, 256 },
	{ "DC",			PILOT(25),	IA5,		63 },
	{ "emailAddress", { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1 }, 9,
						IA5,		255 },
};
#define ATTRIBUTES	(sizeof(attributes) / sizeof(attributes[0]))
#define MAX_ATTRIBUTES	64	/* of a name: looked at for doubles */

static const struct attribute_rule *
find_attribute(struct bytes oid)
{
	for (size_t i = 0; i < ATTRIBUTES; i++)
		if (bytes_equal(oid, (struct bytes){ attributes[i].oid,
		    attributes[i].oid_len }))
			return &attributes[i];
	return NULL;
}

static bool
is_spelled(enum spelling how, uint8_t tag)
{
	switch (how) {
	case DIRECTORY_STRING:
		return tag == UTF8_STRING || tag == PRINTABLE_STRING;
	case PRINTABLE:
		return tag == PRINTABLE_STRING;
	case IA5:
		return tag == IA5_STRING;
	}
	return false;
}

/* RFC 3629, 4: no overlong form, no surrogate, nothing above 10FFFF. */
static bool
is_utf8(struct bytes v, size_t *chars)
{
	static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
	size_t n = 0;

	for (size_t i = 0; i < v.len; n++) {
		uint8_t first = v.data[i++];
		size_t more = first < 0x80 ? 0 : first < 0xc0 ? 4 :
		    first < 0xe0 ? 1 : first < 0xf0 ? 2 : first < 0xf8 ? 3 : 4;
		uint32_t c = more == 0 ? first : first & (0x3fu >> more);

		if (more == 4 || more > v.len - i)
			return false;
		for (size_t k = 0; k < more; k++, i++) {
			if ((v.data[i] & 0xc0) != 0x80)
				return false;
			c = c << 6 | (v.data[i] & 0x3fu);
		}
		if (c < least[more] || c > 0x10ffff ||
		    (c >= 0xd800 && c <= 0xdfff))
			return false;
	}
	*chars = n;
	return true;
}

/* The characters of a string, and how many there are. */
static void
lint_characters(struct lint *l, uint8_t tag, struct bytes v,
    const char *whose, size_t *chars)
{
	bool fits = true;

	*chars = v.len;
	if (tag == UTF8_STRING)
		fits = is_utf8(v, chars);
	else if (tag == PRINTABLE_STRING)
		fits = check_printable(v) == NULL;
	else if (tag == IA5_STRING)
		for (size_t i = 0; i < v.len; i++)
			fits = fits && v.data[i] < 0x80;
	if (!fits)
		lint_found_as(l, LINT_NAME_CHARACTERS, NULL, "an attribute of "
		    "its %s has characters that are not of its kind of string",
		    whose);
	else if (check_text(v, NULL) != NULL)
		lint_found_as(l, LINT_NAME_HIDDEN, NULL, "an attribute of its "
		    "%s has control or invisible characters", whose);
}

static void
lint_attribute(struct lint *l, struct bytes oid, uint8_t tag, struct bytes v,
    const char *whose)
{
	const struct attribute_rule *a = find_attribute(oid);
	enum spelling spelling = a == NULL ? DIRECTORY_STRING : a->spelling;
	size_t chars;

	/* Only for names that were so before: those of CAs that are renewed. */
	if (spelling == DIRECTORY_STRING && (tag == TELETEX_STRING ||
	    tag == BMP_STRING || tag == UNIVERSAL_STRING)) {
		if (!l->signing || l->role != LINT_CA)
			lint_found_as(l, LINT_NAME_OLD_STRING, NULL, "an "
			    "attribute of its %s is not written as it must "
			    "be: in an old kind of string", whose);
		return;
	}
	/* Nothing is known of the form of other attributes. */
	if (!is_spelled(spelling, tag) && (a != NULL || l->signing)) {
		lint_found_as(l, LINT_NAME_STRING, NULL, "an attribute of its "
		    "%s%s%s is not written as it must be", whose,
		    a == NULL ? "" : ", ", a == NULL ? "" : a->name);
		return;
	}
	if (v.len == 0) {
		lint_found_as(l, LINT_NAME_LENGTH, NULL, "an attribute of its "
		    "%s is empty", whose);
		return;
	}
	lint_characters(l, tag, v, whose, &chars);
	if (a == NULL)
		return;
	if (strcmp(a->name, "C") == 0) {
		if (v.len != 2 || !isupper(v.data[0]) || !isupper(v.data[1]))
			lint_found(l, LINT_NAME_COUNTRY);
	} else if (chars > a->most) {
		lint_found_as(l, LINT_NAME_LENGTH, NULL, "%s of its %s has "
		    "%zu characters, above the bound of %zu", a->name, whose,
		    chars, a->most);
	}
}

/* The octets of an AttributeTypeAndValue, held against those before. */
static void
lint_doubled_attribute(struct lint *l, struct bytes one, struct bytes *seen,
    size_t *n, const char *whose)
{
	for (size_t i = 0; i < *n; i++)
		if (bytes_equal(seen[i], one)) {
			lint_found_as(l, LINT_NAME_DOUBLED, NULL, "the same "
			    "attribute with the same value stands in its %s "
			    "twice", whose);
			return;
		}
	if (*n < MAX_ATTRIBUTES)
		seen[(*n)++] = one;
}

void
lint_name(struct lint *l, struct bytes name, const char *whose)
{
	struct bytes seen[MAX_ATTRIBUTES], rdn, one, oid, v;
	size_t n_seen = 0;
	uint8_t tag;

	while (name.len > 0) {
		if (!der_take(&name, DER_SET, &rdn) || rdn.len == 0) {
			lint_found_as(l, LINT_NAME_FORM, NULL,
			    "its %s is malformed", whose);
			return;
		}
		for (bool first = true; rdn.len > 0; first = false) {
			if (!der_take(&rdn, DER_SEQUENCE, &one)) {
				lint_found_as(l, LINT_NAME_FORM, NULL,
				    "its %s is malformed", whose);
				return;
			}
			if (!first)
				lint_found_as(l, LINT_NAME_MULTIVALUED, NULL,
				    "a part of its %s has several attributes",
				    whose);
			lint_doubled_attribute(l, one, seen, &n_seen, whose);
			if (!der_take(&one, DER_OID, &oid) ||
			    !der_next(&one, &tag, &v, NULL) || one.len > 0) {
				lint_found_as(l, LINT_NAME_FORM, NULL,
				    "its %s is malformed", whose);
				return;
			}
			lint_attribute(l, oid, tag, v, whose);
		}
	}
}

/* Is this word among the comma-separated ones? */
static bool
has_word(const char *words, const char *word)
{
	size_t n = strlen(word);

	while (words[0] != '\0') {
		size_t len = strcspn(words, ",");

		if (len == n && memcmp(words, word, n) == 0)
			return true;
		words += len + (words[len] == ',');
	}
	return false;
}

void
lint_subject_profile(struct lint *l, struct bytes subject)
{
	const struct profile *p = l->profile;
	const char *words = p->subject_required;
	struct bytes rdn, one, oid;
	bool seen[ATTRIBUTES] = { false };

	while (der_take(&subject, DER_SET, &rdn))
		while (der_take(&rdn, DER_SEQUENCE, &one)) {
			const struct attribute_rule *a =
			    der_take(&one, DER_OID, &oid) ?
			    find_attribute(oid) : NULL;

			if (a == NULL || !has_word(p->subject, a->name))
				lint_found(l, LINT_SUBJECT_PROFILE);
			else
				seen[a - attributes] = true;
		}
	while (words[0] != '\0') {
		size_t n = strcspn(words, ","), i = 0;

		while (i < ATTRIBUTES && (strlen(attributes[i].name) != n ||
		    memcmp(words, attributes[i].name, n) != 0))
			i++;
		if (i == ATTRIBUTES || !seen[i])
			lint_found_as(l, LINT_SUBJECT_REQUIRED, NULL, "its "
			    "subject lacks %.*s, which the profile requires",
			    (int)n, words);
		words += n + (words[n] == ',');
	}
}

/* --- general names --- */

bool
lint_is_address(struct bytes uri)
{
	static const char *const schemes[] = { "http://", "https://",
		"ldap://", "ldaps://" };

	if (check_uri(uri) != NULL)
		return false;
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (bytes_equal_nocase(bytes_slice(uri, 0,
		    strlen(schemes[i])), schemes[i]))
			return true;
	return false;
}

/* otherName { OID, [0] EXPLICIT UTF8String } (RFC 9598, 3) */
static bool
read_smtp_utf8(struct bytes name, struct bytes *mailbox)
{
	struct bytes text;

	return der_take(&name, 0xa0, &text) && name.len == 0 &&
	    der_take(&text, UTF8_STRING, mailbox) && text.len == 0;
}

static void
lint_other_name(struct lint *l, struct bytes name, uint32_t *kinds)
{
	static const uint8_t smtp_utf8[] = { 0x2b, 6, 1, 5, 5, 7, 8, 9 };
	struct bytes oid, mailbox;

	if (!der_take(&name, DER_OID, &oid)) {
		lint_found(l, LINT_SAN_FORM);
		return;
	}
	if (!bytes_equal(oid, LINT_OID(smtp_utf8))) {
		lint_found(l, LINT_SAN_UNKNOWN);
		return;
	}
	*kinds |= PROFILE_SAN_BIT(SAN_SMTP_UTF8);
	if (!read_smtp_utf8(name, &mailbox) ||
	    check_smtp_utf8(mailbox) != NULL)
		lint_found(l, LINT_SAN_SMTP_UTF8);
}

static void
lint_dns_name(struct lint *l, struct bytes name)
{
	if (check_dns(name, l->profile == NULL || l->profile->wildcard) !=
	    NULL) {
		lint_found(l, LINT_SAN_DNS);
		return;
	}
	for (size_t i = 0; i < name.len; i++)
		if (isupper(name.data[i])) {
			lint_found(l, LINT_SAN_DNS_CASE);
			return;
		}
}

void
lint_general_name(struct lint *l, uint8_t tag, struct bytes name,
    uint32_t *kinds)
{
	switch (tag) {
	case 0xa0:
		lint_other_name(l, name, kinds);
		break;
	case 0x81:
		*kinds |= PROFILE_SAN_BIT(SAN_EMAIL);
		if (check_email(name) != NULL)
			lint_found(l, LINT_SAN_EMAIL);
		break;
	case 0x82:
		*kinds |= PROFILE_SAN_BIT(SAN_DNS);
		lint_dns_name(l, name);
		break;
	case 0x86:
		*kinds |= PROFILE_SAN_BIT(SAN_URI);
		if (check_uri(name) != NULL)
			lint_found(l, LINT_SAN_URI);
		break;
	case 0x87:
		*kinds |= PROFILE_SAN_BIT(SAN_IP);
		if (name.len != 4 && name.len != 16)
			lint_found(l, LINT_SAN_IP);
		break;
	case 0xa3: case 0xa4: case 0xa5: case 0x88:
		/* x400Address, directoryName, ediPartyName, registeredID */
		lint_found(l, LINT_SAN_UNKNOWN);
		break;
	default:
		lint_found(l, LINT_SAN_FORM);
		break;
	}
}
