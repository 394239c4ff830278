#include "common/names.h"

#include "common/err.h"
#include "common/name_check.h"
#include "common/names_table.h"

#include <arpa/inet.h>

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const struct attribute_form forms[] = {
	/* nid				type			 most, check */
	{ NID_commonName,		V_ASN1_UTF8STRING,	 64, NULL },
	{ NID_surname,			V_ASN1_UTF8STRING,	 64, NULL },
	{ NID_givenName,		V_ASN1_UTF8STRING,	 64, NULL },
	{ NID_serialNumber,		V_ASN1_PRINTABLESTRING,	 64,
	    check_printable },
	{ NID_countryName,		V_ASN1_PRINTABLESTRING,	 2,
	    check_printable },
	{ NID_localityName,		V_ASN1_UTF8STRING,	 128, NULL },
	{ NID_stateOrProvinceName,	V_ASN1_UTF8STRING,	 128, NULL },
	{ NID_streetAddress,		V_ASN1_UTF8STRING,	 128, NULL },
	{ NID_organizationName,		V_ASN1_UTF8STRING,	 64, NULL },
	{ NID_organizationalUnitName,	V_ASN1_UTF8STRING,	 64, NULL },
	{ NID_title,			V_ASN1_UTF8STRING,	 64, NULL },
	{ NID_postalCode,		V_ASN1_UTF8STRING,	 40, NULL },
	{ NID_pseudonym,		V_ASN1_UTF8STRING,	 128, NULL },
	{ NID_userId,			V_ASN1_UTF8STRING,	 255, NULL },
	{ NID_organizationIdentifier,	V_ASN1_UTF8STRING,	 255, NULL },
	{ NID_domainComponent,		V_ASN1_IA5STRING,	 63, NULL },
	{ NID_pkcs9_emailAddress,	V_ASN1_IA5STRING,	 255,
	    check_email },
};

const struct attribute_form *
attribute_form_of(int nid)
{
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		if (forms[i].nid == nid)
			return &forms[i];
	return NULL;
}

const char *
san_kind_name(enum san_kind kind)
{
	switch (kind) {
	case SAN_DNS:
		return "DNS";
	case SAN_EMAIL:
		return "email";
	case SAN_IP:
		return "IP";
	case SAN_URI:
		return "URI";
	case SAN_SMTP_UTF8:
		return "SmtpUTF8";
	}
	return "?";
}

void
names_free(struct names *names)
{
	free(names->attributes);
	free(names->sans);
	*names = (struct names){ 0 };
}

/* Room for one more in an array whose capacity is n's next power of two. */
static int
grow(void *array, size_t n, size_t size, struct err *err)
{
	void *grown, **p = array;

	if ((n & (n - 1)) != 0)
		return 0;
	grown = realloc(*p, (n == 0 ? 1 : 2 * n) * size);
	if (grown == NULL)
		return err_set(err, ERR_RETRY, "out of memory");
	*p = grown;
	return 0;
}

/* For a refusal: the text cut, with what does not print made visible. */
static void
show(struct bytes text, char out[68])
{
	size_t n = text.len < 64 ? text.len : 64;

	for (size_t i = 0; i < n; i++)
		out[i] = isascii(text.data[i]) && isprint(text.data[i]) ?
		    (char)text.data[i] : '?';
	memcpy(out + n, text.len > n ? "..." : "", text.len > n ? 4 : 1);
}

int
names_add_attribute(struct names *names, int nid, struct bytes text,
    struct err *err)
{
	const struct attribute_form *form = attribute_form_of(nid);
	const char *why = NULL;
	char shown[68];
	size_t chars = 0;

	show(text, shown);
	if (form == NULL)
		return err_set(err, ERR_REJECT, "the subject's attribute "
		    "\"%s\" is none that we certify; leave it out",
		    nid == NID_undef ? "?" : OBJ_nid2sn(nid));
	if (names->n_attributes == NAMES_MAX_ATTRIBUTES)
		return err_set(err, ERR_REJECT, "the subject has more than "
		    "%d attributes", NAMES_MAX_ATTRIBUTES);
	if (text.len > NAME_TEXT_MAX)
		why = "it is longer than 255 octets";
	if (why == NULL)
		why = check_text(text, &chars);
	/* RFC 5280, A.1: the upper bounds count characters. */
	if (why == NULL && chars > form->most)
		why = "it is too long for this attribute (RFC 5280, A.1)";
	if (why == NULL && nid == NID_countryName && (text.len != 2 ||
	    !isupper(text.data[0]) || !isupper(text.data[1])))
		why = "a country is two capital letters (ISO 3166)";
	if (why == NULL && nid == NID_domainComponent &&
	    bytes_find(text, bytes_of(".")) != (size_t)-1)
		why = "a domain component is one label";
	if (why == NULL && nid == NID_domainComponent &&
	    !isdigit(text.data[text.len - 1]))
		why = check_dns(text, false);
	if (why == NULL && form->check != NULL)
		why = form->check(text);
	if (why == NULL && form->type != V_ASN1_UTF8STRING && chars != text.len)
		why = "it has a character outside ASCII";
	if (why != NULL)
		return err_set(err, ERR_REJECT, "the subject's %s \"%s\" is "
		    "refused: %s", OBJ_nid2sn(nid), shown, why);

	if (grow(&names->attributes, names->n_attributes,
	    sizeof(*names->attributes), err) == -1)
		return -1;
	names->attributes[names->n_attributes].nid = nid;
	memcpy(names->attributes[names->n_attributes].text, text.data,
	    text.len);
	names->attributes[names->n_attributes++].text[text.len] = '\0';
	return 0;
}

static void
lower(char *text)
{
	for (; *text != '\0'; text++)
		*text = (char)tolower((unsigned char)*text);
}

/* Into the one way of writing it: out holds NAME_TEXT_MAX + 1 octets. */
static const char *
normalise_san(enum san_kind kind, struct bytes in, char *out)
{
	uint8_t address[16];
	const char *why = NULL;
	int family;

	if (in.len == 0)
		return "it is empty";
	if (in.len > NAME_TEXT_MAX)
		return "it is longer than 255 octets";
	if (memchr(in.data, 0, in.len) != NULL)
		return "it has a NUL character";
	memcpy(out, in.data, in.len);
	out[in.len] = '\0';
	switch (kind) {
	case SAN_DNS:
		why = check_dns(in, true);
		if (why == NULL)
			lower(out);
		return why;
	case SAN_EMAIL:
	case SAN_SMTP_UTF8:
		why = kind == SAN_EMAIL ? check_email(in) :
		    check_smtp_utf8(in);
		if (why == NULL)
			lower(strrchr(out, '@'));
		return why;
	case SAN_IP:
		family = strchr(out, ':') == NULL ? AF_INET : AF_INET6;
		if (inet_pton(family, out, address) != 1)
			return "it is no IP address";
		inet_ntop(family, address, out, NAME_TEXT_MAX + 1);
		return NULL;
	case SAN_URI:
		return check_uri(in);
	}
	return "its form is unknown";
}

int
names_add_san(struct names *names, enum san_kind kind, struct bytes text,
    struct err *err)
{
	char normal[NAME_TEXT_MAX + 1], shown[68];
	const char *why = normalise_san(kind, text, normal);

	if (why != NULL) {
		show(text, shown);
		return err_set(err, ERR_REJECT, "the subjectAltName %s \"%s\" "
		    "is refused: %s", san_kind_name(kind), shown, why);
	}
	for (size_t i = 0; i < names->n_sans; i++)
		if (names->sans[i].kind == kind &&
		    strcmp(names->sans[i].text, normal) == 0)
			return 0;
	if (names->n_sans == NAMES_MAX_SANS)
		return err_set(err, ERR_REJECT, "there are more than %d "
		    "subjectAltNames; spread them over several requests",
		    NAMES_MAX_SANS);
	if (grow(&names->sans, names->n_sans, sizeof(*names->sans), err) == -1)
		return -1;
	names->sans[names->n_sans].kind = kind;
	memcpy(names->sans[names->n_sans++].text, normal, strlen(normal) + 1);
	return 0;
}

int
names_copy(const struct names *names, struct names *out, struct err *err)
{
	struct names copy = { 0 };

	for (size_t i = 0; i < names->n_attributes; i++) {
		if (grow(&copy.attributes, copy.n_attributes,
		    sizeof(*copy.attributes), err) == -1) {
			names_free(&copy);
			return -1;
		}
		copy.attributes[copy.n_attributes++] = names->attributes[i];
	}
	for (size_t i = 0; i < names->n_sans; i++) {
		if (grow(&copy.sans, copy.n_sans, sizeof(*copy.sans),
		    err) == -1) {
			names_free(&copy);
			return -1;
		}
		copy.sans[copy.n_sans++] = names->sans[i];
	}
	*out = copy;
	return 0;
}

const char *
names_common_name(const struct names *names)
{
	for (size_t i = 0; i < names->n_attributes; i++)
		if (names->attributes[i].nid == NID_commonName)
			return names->attributes[i].text;
	return NULL;
}

static void
describe_one(char *out, size_t size, size_t *used, const char *kind, char sep,
    const char *text)
{
	int n;

	if (*used >= size)
		return;
	n = snprintf(out + *used, size - *used, "%s%s%c%s",
	    *used == 0 ? "" : ", ", kind, sep, text);
	*used = n < 0 || (size_t)n >= size - *used ? size : *used + (size_t)n;
}

void
names_describe(const struct names *names, char *out, size_t size)
{
	size_t used = 0;

	if (size == 0)
		return;
	out[0] = '\0';
	for (size_t i = 0; i < names->n_attributes; i++)
		describe_one(out, size, &used,
		    OBJ_nid2sn(names->attributes[i].nid), '=',
		    names->attributes[i].text);
	for (size_t i = 0; i < names->n_sans; i++)
		describe_one(out, size, &used,
		    san_kind_name(names->sans[i].kind), ':',
		    names->sans[i].text);
	/* A cut goes between characters, never through one. */
	if (used == size) {
		size_t end = strlen(out), start = end;

		while (start > 0 && ((uint8_t)out[start - 1] & 0xc0) == 0x80)
			start--;
		if (start > 0 && ((uint8_t)out[start - 1] & 0x80) != 0)
			start--;
		if (start < end && check_text((struct bytes){
		    (const uint8_t *)out + start, end - start }, NULL) != NULL)
			out[start] = '\0';
	}
}

/*
 *	count u32, then for each attribute its short name and text,
 *	count u32, then for each SAN its kind u8 and text.
 */
void
put_names(struct buf *b, const struct names *names)
{
	put_u32(b, (uint32_t)names->n_attributes);
	for (size_t i = 0; i < names->n_attributes; i++) {
		put_str(b, OBJ_nid2sn(names->attributes[i].nid));
		put_str(b, names->attributes[i].text);
	}
	put_u32(b, (uint32_t)names->n_sans);
	for (size_t i = 0; i < names->n_sans; i++) {
		put_u8(b, (uint8_t)names->sans[i].kind);
		put_str(b, names->sans[i].text);
	}
}

/* Text is checked again, and must stand there as put_names writes it. */
void
get_names(struct cursor *c, struct names *out)
{
	struct names names = { 0 };
	struct err err;
	char sn[64];
	uint32_t n;

	n = get_count(c, NAMES_MAX_ATTRIBUTES);
	for (uint32_t i = 0; i < n && !c->failed; i++) {
		struct bytes text;

		get_str(c, sn, sizeof(sn));
		text = get_bytes(c, NAME_TEXT_MAX);
		if (!c->failed && names_add_attribute(&names, OBJ_sn2nid(sn),
		    text, &err) == -1)
			c->failed = true;
	}
	n = get_count(c, NAMES_MAX_SANS);
	for (uint32_t i = 0; i < n && !c->failed; i++) {
		enum san_kind kind = get_enum(c, SAN_DNS, SAN_SMTP_UTF8);
		struct bytes text = get_bytes(c, NAME_TEXT_MAX);

		if (!c->failed && (names_add_san(&names, kind, text,
		    &err) == -1 || names.n_sans != i + 1 ||
		    !bytes_equal(text, bytes_of(names.sans[i].text))))
			c->failed = true;
	}
	if (c->failed) {
		names_free(&names);
		names = (struct names){ 0 };
	}
	*out = names;
}
