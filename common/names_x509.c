#include "common/names.h"

#include "common/err.h"
#include "common/names_table.h"

#include <arpa/inet.h>

#include <string.h>

static struct bytes
octets_of(const ASN1_STRING *s)
{
	return (struct bytes){ ASN1_STRING_get0_data(s),
	    (size_t)ASN1_STRING_length(s) };
}

static int
read_attribute(const X509_NAME_ENTRY *entry, struct names *names,
    struct err *err)
{
	const ASN1_STRING *value = X509_NAME_ENTRY_get_data(entry);
	int nid = OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry));
	uint8_t *utf8 = NULL;
	int len, r;

	switch (ASN1_STRING_type(value)) {
	case V_ASN1_UTF8STRING:
	case V_ASN1_PRINTABLESTRING:
	case V_ASN1_IA5STRING:
		return names_add_attribute(names, nid, octets_of(value), err);
	case V_ASN1_BMPSTRING:
		break;
	default:	/* TeletexString has no one meaning (RFC 5280, A.1) */
		return err_set(err, ERR_REJECT, "the subject's %s is written "
		    "as a kind of string that is not used any more; "
		    "write UTF8String", OBJ_nid2sn(nid));
	}
	len = ASN1_STRING_to_UTF8(&utf8, value);
	if (len < 0)
		return err_openssl(err, ERR_REJECT,
		    "the subject has a BMPString that cannot be read");
	r = names_add_attribute(names, nid,
	    (struct bytes){ utf8, (size_t)len }, err);
	OPENSSL_free(utf8);
	return r;
}

static int
read_ip(const ASN1_OCTET_STRING *ip, struct names *names, struct err *err)
{
	struct bytes octets = octets_of(ip);
	char text[INET6_ADDRSTRLEN];

	if (octets.len != 4 && octets.len != 16)
		return err_set(err, ERR_REJECT, "a subjectAltName IP address "
		    "has %zu octets; it has 4 or 16 (RFC 5280, 4.2.1.6)",
		    octets.len);
	inet_ntop(octets.len == 4 ? AF_INET : AF_INET6, octets.data, text,
	    sizeof(text));
	return names_add_san(names, SAN_IP, bytes_of(text), err);
}

static int
read_san(const GENERAL_NAME *san, struct names *names, struct err *err)
{
	switch (san->type) {
	case GEN_DNS:
		return names_add_san(names, SAN_DNS, octets_of(san->d.dNSName),
		    err);
	case GEN_EMAIL:
		return names_add_san(names, SAN_EMAIL,
		    octets_of(san->d.rfc822Name), err);
	case GEN_URI:
		return names_add_san(names, SAN_URI,
		    octets_of(san->d.uniformResourceIdentifier), err);
	case GEN_IPADD:
		return read_ip(san->d.iPAddress, names, err);
	case GEN_OTHERNAME:
		if (OBJ_obj2nid(san->d.otherName->type_id) ==
		    NID_id_on_SmtpUTF8Mailbox &&
		    san->d.otherName->value->type == V_ASN1_UTF8STRING)
			return names_add_san(names, SAN_SMTP_UTF8, octets_of(
			    san->d.otherName->value->value.utf8string), err);
		break;
	default:
		break;
	}
	return err_set(err, ERR_REJECT, "a subjectAltName has a form that we "
	    "do not certify; DNS names, mail addresses, IP addresses and URIs "
	    "are understood");
}

int
names_read(const X509_NAME *subject, const GENERAL_NAMES *sans,
    struct names *out, struct err *err)
{
	struct names names = { 0 };
	int entries = X509_NAME_entry_count(subject), r = 0, last = -1;

	for (int i = 0; i < entries && r == 0; i++) {
		X509_NAME_ENTRY *entry = X509_NAME_get_entry(subject, i);

		if (X509_NAME_ENTRY_set(entry) == last)
			r = err_set(err, ERR_REJECT, "the subject has several "
			    "attributes in one relative distinguished name; "
			    "write them one after the other");
		else
			r = read_attribute(entry, &names, err);
		last = X509_NAME_ENTRY_set(entry);
	}
	for (int i = 0; sans != NULL && i < sk_GENERAL_NAME_num(sans) &&
	    r == 0; i++)
		r = read_san(sk_GENERAL_NAME_value(sans, i), &names, err);
	if (r == -1) {
		names_free(&names);
		return -1;
	}
	*out = names;
	return 0;
}

X509_NAME *
names_to_subject(const struct names *names, struct err *err)
{
	OWNED(X509_NAME) *subject = X509_NAME_new();

	for (size_t i = 0; subject != NULL && i < names->n_attributes; i++) {
		const struct attribute *a = &names->attributes[i];
		const struct attribute_form *form = attribute_form_of(a->nid);

		if (form == NULL || X509_NAME_add_entry_by_NID(subject, a->nid,
		    form->type, (const uint8_t *)a->text, -1, -1, 0) != 1) {
			err_openssl(err, ERR_FAULT, "building the subject");
			return NULL;
		}
	}
	if (subject == NULL)
		err_openssl(err, ERR_RETRY, "building the subject");
	return TAKE(subject);
}

/* An ASN1_STRING of that type; NULL when out of memory. */
static ASN1_STRING *
string_of(int type, const void *data, size_t len)
{
	ASN1_STRING *s = ASN1_STRING_type_new(type);

	if (s != NULL && ASN1_STRING_set(s, data, (int)len) != 1) {
		ASN1_STRING_free(s);
		return NULL;
	}
	return s;
}

static bool
set_smtp_utf8(GENERAL_NAME *name, const char *text)
{
	ASN1_TYPE *value = ASN1_TYPE_new();
	ASN1_STRING *s = string_of(V_ASN1_UTF8STRING, text, strlen(text));

	if (value == NULL || s == NULL) {
		ASN1_TYPE_free(value);
		ASN1_STRING_free(s);
		return false;
	}
	ASN1_TYPE_set(value, V_ASN1_UTF8STRING, s);
	if (GENERAL_NAME_set0_othername(name,
	    OBJ_nid2obj(NID_id_on_SmtpUTF8Mailbox), value) != 1) {
		ASN1_TYPE_free(value);
		return false;
	}
	return true;
}

/* False when out of memory. */
static bool
set_san(GENERAL_NAME *name, const struct san *san)
{
	uint8_t address[16];
	ASN1_STRING *s = NULL;
	int type = GEN_OTHERNAME;

	switch (san->kind) {
	case SAN_DNS:
	case SAN_EMAIL:
	case SAN_URI:
		type = san->kind == SAN_DNS ? GEN_DNS :
		    san->kind == SAN_EMAIL ? GEN_EMAIL : GEN_URI;
		s = string_of(V_ASN1_IA5STRING, san->text, strlen(san->text));
		break;
	case SAN_IP:
		type = GEN_IPADD;
		if (inet_pton(AF_INET, san->text, address) == 1)
			s = string_of(V_ASN1_OCTET_STRING, address, 4);
		else if (inet_pton(AF_INET6, san->text, address) == 1)
			s = string_of(V_ASN1_OCTET_STRING, address, 16);
		break;
	case SAN_SMTP_UTF8:
		return set_smtp_utf8(name, san->text);
	}
	if (s == NULL)
		return false;
	GENERAL_NAME_set0_value(name, type, s);
	return true;
}

GENERAL_NAMES *
names_to_sans(const struct names *names, struct err *err)
{
	OWNED(GENERAL_NAMES) *sans = NULL;

	if (names->n_sans == 0)
		return NULL;
	sans = GENERAL_NAMES_new();
	for (size_t i = 0; i < names->n_sans; i++) {
		GENERAL_NAME *name = GENERAL_NAME_new();

		if (sans == NULL || name == NULL ||
		    !set_san(name, &names->sans[i]) ||
		    sk_GENERAL_NAME_push(sans, name) == 0) {
			GENERAL_NAME_free(name);
			err_openssl(err, ERR_FAULT,
			    "building the subjectAltName");
			return NULL;
		}
	}
	return TAKE(sans);
}
