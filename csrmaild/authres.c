#include "csrmaild/authres.h"

#include "csrmaild/field.h"
#include "csrmaild/wire.h"

#include <string.h>

#define MAX_RESULTS	100	/* resinfo of one field */

/* One resinfo of the field (RFC 8601, 2.2), as far as it concerns us. */
struct result {
	struct bytes	 method;
	struct bytes	 verdict;
	struct bytes	 header_d;	/* empty: none */
	struct bytes	 smtp_auth;
	bool		 twice;		/* one of them stood there twice */
};

/* [CFWS] "/" [CFWS] version: only the one that the RFC defines. */
static bool
lex_version(struct bytes *left)
{
	struct bytes version;

	if (!lex_octet(left, '/'))
		return true;
	return lex_cfws(left) && lex_token(left, &version) &&
	    bytes_equal(version, bytes_of("1")) && lex_cfws(left);
}

/* authserv-id [CFWS authres-version], up to the first ";" or the end. */
static bool
lex_authserv_id(struct bytes *left, struct bytes *id)
{
	struct bytes version;

	if (!lex_cfws(left) || !lex_value(left, id) || !lex_cfws(left))
		return false;
	if (lex_token(left, &version) &&
	    (!bytes_equal(version, bytes_of("1")) || !lex_cfws(left)))
		return false;
	return left->len == 0 || left->data[0] == ';';
}

/*
 * pvalue: a value, or an address or a bare domain after "@". Values that are
 * none of ours may hold octets that a token may not ("/", "=", ":" do occur);
 * they end at white space, ";" or a comment and are looked at no further.
 */
static bool
lex_pvalue(struct bytes *left, struct bytes *out)
{
	size_t n = 0;

	if (left->len > 0 && left->data[0] == '"')
		return lex_quoted(left, out);
	while (n < left->len && left->data[n] > ' ' && left->data[n] < 127 &&
	    strchr("();\"\\", left->data[n]) == NULL)
		n++;
	if (n == 0)
		return false;
	*out = bytes_slice(*left, 0, n);
	left->data += n;
	left->len -= n;
	return true;
}

static void
set_once(struct bytes *slot, struct bytes value, struct result *result)
{
	if (slot->len > 0)
		result->twice = true;
	*slot = value;
}

/* ptype [CFWS] "." [CFWS] property [CFWS] "=" pvalue, or reason "=" value. */
static bool
lex_property(struct bytes *left, struct result *result)
{
	struct bytes name, value;

	/* The token takes "ptype.property" in one. With white space around
	 * the dot, which no server writes, the whole field is refused. */
	if (!lex_token(left, &name) || !lex_cfws(left) ||
	    !lex_octet(left, '=') || !lex_cfws(left) ||
	    !lex_pvalue(left, &value) || !lex_cfws(left))
		return false;
	if (bytes_equal_nocase(name, "header.d"))
		set_once(&result->header_d, value, result);
	else if (bytes_equal_nocase(name, "smtp.auth"))
		set_once(&result->smtp_auth, value, result);
	return true;
}

/* method [version] "=" result, properties, up to ";" or the end. */
static bool
lex_result(struct bytes *left, struct result *result)
{
	*result = (struct result){ 0 };
	if (!lex_cfws(left) || !lex_token(left, &result->method) ||
	    !lex_cfws(left))
		return false;
	if (left->len == 0 || left->data[0] == ';')	/* "none" */
		return bytes_equal_nocase(result->method, "none");
	if (!lex_version(left) || !lex_octet(left, '=') || !lex_cfws(left) ||
	    !lex_token(left, &result->verdict) || !lex_cfws(left))
		return false;
	while (left->len > 0 && left->data[0] != ';') {
		if (!lex_property(left, result))
			return false;
	}
	return true;
}

static bool
octets_equal_nocase(struct bytes a, struct bytes b)
{
	char text[256];

	if (a.len != b.len || b.len >= sizeof(text))
		return false;
	memcpy(text, b.data, b.len);
	text[b.len] = '\0';
	return bytes_equal_nocase(a, text);
}

/* Is d the domain, or a domain above it? "test" is above everything in
 * .test, and no one person's: such a one must be equal. */
bool
authres_is_aligned(struct bytes d, struct bytes domain)
{
	size_t n;

	if (octets_equal_nocase(d, domain))
		return true;
	if (d.len == 0 || d.len >= domain.len ||
	    memchr(d.data, '.', d.len) == NULL || d.data[0] == '.')
		return false;
	n = domain.len - d.len;
	return domain.data[n - 1] == '.' &&
	    octets_equal_nocase(d, bytes_slice(domain, n, d.len));
}

static bool
mailbox_is(struct bytes value, const char *from)
{
	char mailbox[MAILBOX_MAX + 1];

	return lex_mailbox(&value, mailbox) && value.len == 0 &&
	    strcmp(mailbox, from) == 0;
}

/* The field's body after the authserv-id. */
static uint8_t
read_results(struct bytes left, const char *from)
{
	struct bytes domain = bytes_of(strchr(from, '@') + 1);
	uint8_t pass = 0, other = 0;
	unsigned int results = 0;

	while (lex_octet(&left, ';')) {
		struct result result;
		uint8_t kind = 0;
		struct bytes last = left;

		/* A ";" at the very end is not in the grammar, and harmless. */
		if (lex_cfws(&last) && last.len == 0)
			break;
		if (++results > MAX_RESULTS || !lex_result(&left, &result))
			return 0;
		if (bytes_equal_nocase(result.method, "auth"))
			kind = EVIDENCE_AUTH;
		else if (bytes_equal_nocase(result.method, "dkim"))
			kind = EVIDENCE_DKIM;
		/* Another domain's signature says nothing about this one;
		 * a message is submitted once and by one. */
		if (kind == EVIDENCE_DKIM && !result.twice &&
		    !authres_is_aligned(result.header_d, domain))
			kind = 0;
		if (bytes_equal_nocase(result.verdict, "pass") &&
		    !result.twice && (kind == EVIDENCE_DKIM ||
		    mailbox_is(result.smtp_auth, from)))
			pass |= kind;
		else
			other |= kind;
	}
	return pass & (uint8_t)~other;
}

uint8_t
authres_evidence(struct bytes block, const struct authres_rules *rules,
    const char *from)
{
	unsigned int received = 0;
	enum field_result r;
	struct field field;

	if (rules->authserv_id[0] == '\0')
		return 0;
	while ((r = field_next(&block, &field)) != FIELD_END) {
		struct bytes body = field.body;
		struct bytes id;

		if (r == FIELD_NOT_ONE)
			return 0;
		if (field_is(&field, "Received") &&
		    ++received > rules->trusted_received)
			return 0;
		if (!field_is(&field, "Authentication-Results"))
			continue;
		if (field.doubtful || !lex_authserv_id(&body, &id))
			return 0;
		if (bytes_equal(id, bytes_of(rules->authserv_id)))
			return read_results(body, from) &
			    (uint8_t)~rules->ignored;
		if (bytes_equal_nocase(id, rules->authserv_id))
			return 0;
	}
	return 0;
}
