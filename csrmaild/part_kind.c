#include "csrmaild/part_kind.h"

#include "csrmaild/hint.h"
#include "csrmaild/part.h"
#include "csrmaild/part_name.h"
#include "csrmaild/text_line.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define HEAD_OCTETS	128	/* of DER, in which its object identifiers
				 * stand */

/* --- by type, ending and first octets ------------------------------------ */

/* The first that matches counts. A type that ends in "/" stands for all that
 * begin so. */
static const struct kind {
	enum hint	 hint;
	bool		 is_source;
	const char	*seen;		/* in the list of parts */
	const char	*types[8], *endings[10], *names[2];
	struct {
		const char	*octets;
		size_t		 n;
	}		 begins[8];
} kinds[] = {
	{ HINT_HTML, false, "HTML, not read", .types = { "text/html" } },
	{ HINT_PARTIAL, false, "a piece of a mail, not read",
	    .types = { "message/partial" } },
	{ HINT_EXTERNAL, false, "not fetched",
	    .types = { "message/external-body" } },
	/* Fields, reports and pieces are no text that the sender wrote. */
	{ HINT_END, false, "not read",
	    .types = { "message/", "text/rfc822-headers" } },
	{ HINT_SAVED_MAIL, false, "a saved mail, not opened",
	    .types = { "application/vnd.ms-outlook" },
	    .endings = { ".msg", ".eml" } },
	{ HINT_TNEF, false, "Outlook's own format, not opened",
	    .types = { "application/ms-tnef", "application/vnd.ms-tnef" },
	    .names = { "winmail.dat" },
	    .begins = { { "\x78\x9f\x3e\x22", 4 } } },
	{ HINT_DOCUMENT, true, "a picture or document",
	    .types = { "image/", "audio/", "video/", "application/pdf",
	    "application/msword", "application/rtf",
	    "application/vnd.openxmlformats-officedocument.",
	    "application/vnd.oasis.opendocument." },
	    .endings = { ".pdf", ".doc", ".docx", ".odt", ".rtf", ".png",
	    ".jpg", ".jpeg", ".heic" },
	    .begins = { { "%PDF-", 5 }, { "\x89PNG", 4 },
	    { "\xff\xd8\xff", 3 } } },
	{ HINT_ARCHIVE, false, "an archive, not opened",
	    .types = { "application/zip", "application/x-zip-compressed",
	    "application/gzip", "application/x-gzip", "application/x-tar",
	    "application/x-7z-compressed", "application/vnd.rar",
	    "application/x-rar-compressed" },
	    .endings = { ".zip", ".gz", ".tgz", ".tar", ".7z", ".rar",
	    ".bz2", ".xz" },
	    .begins = { { "PK\3\4", 4 }, { "7z\xbc\xaf\x27\x1c", 6 },
	    { "Rar!\x1a\7", 6 }, { "\x1f\x8b", 2 }, { "BZh", 3 },
	    { "\xfd" "7zXZ", 5 } } },
	{ HINT_KEY_STORE, true, "a key store",
	    .types = { "application/x-pkcs12", "application/pkcs12",
	    "application/x-java-keystore" },
	    .endings = { ".p12", ".pfx", ".jks", ".keystore" },
	    .begins = { { "\xfe\xed\xfe\xed", 4 } } },
	{ HINT_PUBLIC_KEY, true, "public keys",
	    .types = { "application/pgp-keys" }, .endings = { ".pub" } },
	{ HINT_ENCRYPTED, true, "encrypted",
	    .types = { "application/pgp-encrypted" } },
	{ HINT_SPKAC, true, "SPKAC", .endings = { ".spkac" } },
	{ HINT_CERTIFICATE, true, "certificates",
	    .types = { "application/x-x509-ca-cert",
	    "application/x-x509-user-cert", "application/pkix-cert",
	    "application/x-pkcs7-certificates" },
	    .endings = { ".cer", ".crt", ".p7b", ".p7c" } },
};

static bool
is_type(const char *type, const char *pattern)
{
	size_t n = strlen(pattern);

	return pattern[n - 1] == '/' || pattern[n - 1] == '.' ?
	    strncmp(type, pattern, n) == 0 : strcmp(type, pattern) == 0;
}

static bool
matches(const struct kind *kind, const struct part *part)
{
	for (size_t i = 0; i < 8 && kind->types[i] != NULL; i++)
		if (is_type(part->type, kind->types[i]))
			return true;
	for (size_t i = 0; i < 2 && kind->names[i] != NULL; i++)
		if (strcasecmp(part->name, kind->names[i]) == 0)
			return true;
	for (size_t i = 0; i < 8 && kind->begins[i].octets != NULL; i++)
		if (part->body.len >= kind->begins[i].n &&
		    memcmp(part->body.data, kind->begins[i].octets,
		    kind->begins[i].n) == 0)
			return true;
	return kind->endings[0] != NULL &&
	    part_name_ends_in(part, kind->endings);
}

/* NULL: nothing of note. */
static const struct kind *
kind_of(const struct part *part)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (matches(&kinds[i], part))
			return &kinds[i];
	return NULL;
}

/* --- DER ----------------------------------------------------------------- */

#define OID_SIGNED	"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02"
#define OID_ENVELOPED	"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03"
#define OID_AUTH_ENV	"\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x17"
#define OID_PKI_DATA	"\x06\x08\x2b\x06\x01\x05\x05\x07\x0c\x02"

/* Objects of CMS by the identifiers that they begin with (RFC 5652, 3 and 5;
 * RFC 10002, 3.2). The first that is there counts. */
static const struct {
	const char	*oid;
	enum hint	 hint;
} cms_kinds[] = {
	{ OID_PKI_DATA,		HINT_CMC },
	{ OID_ENVELOPED,	HINT_ENCRYPTED },
	{ OID_AUTH_ENV,		HINT_ENCRYPTED },
	{ OID_SIGNED,		HINT_OPAQUE },
};

#define HINT_OF_CMS	(HINT_BIT(HINT_CMC) | HINT_BIT(HINT_ENCRYPTED) | \
			HINT_BIT(HINT_OPAQUE))

/* Certificate ::= SEQUENCE { SEQUENCE { [0] version ... (RFC 5280, 4.1). */
static bool
is_certificate(struct bytes der)
{
	size_t at = 0;

	for (int level = 0; level < 2; level++) {
		if (at + 2 > der.len || der.data[at] != 0x30)
			return false;
		at += 2 + (der.data[at + 1] > 0x80 ?
		    (size_t)(der.data[at + 1] & 0x7f) : 0);
	}
	return at < der.len && der.data[at] == 0xa0;
}

static uint32_t
hints_of_der(struct bytes body)
{
	struct bytes head = bytes_slice(body, 0, HEAD_OCTETS);

	if (head.len == 0 || head.data[0] != 0x30)
		return 0;
	if (is_certificate(head))
		return HINT_BIT(HINT_CERTIFICATE);
	for (size_t i = 0; i < sizeof(cms_kinds) / sizeof(cms_kinds[0]); i++)
		if (bytes_find(head, bytes_of(cms_kinds[i].oid)) != (size_t)-1)
			return HINT_BIT(cms_kinds[i].hint);
	return 0;
}

/* --- what is told --------------------------------------------------------- */

bool
part_is_source(const struct part *part)
{
	const struct kind *kind = kind_of(part);

	/* What CMS wraps is for the one who verifies or opens it. */
	return (kind == NULL || kind->is_source) &&
	    (hints_of_der(buf_bytes(&part->body)) & HINT_OF_CMS) == 0;
}

void
part_describe(const struct part *part, char *out, size_t size)
{
	const struct kind *kind = kind_of(part);
	const char *seen = kind == NULL ? "" : kind->seen;
	const char *colon = kind == NULL ? "" : ": ";
	size_t type = part_name_fit(part->type, part->name[0] == '\0' ?
	    40 : 28);
	size_t rest = strlen("' ''") + type + strlen(colon) + strlen(seen);

	if (part->name[0] == '\0')
		snprintf(out, size, "%.*s%s%s", (int)type, part->type, colon,
		    seen);
	else
		snprintf(out, size, "%.*s \"%.*s\"%s%s", (int)type, part->type,
		    (int)part_name_fit(part->name, size > rest ? size - rest :
		    0), part->name, colon, seen);
}

/* --- text ---------------------------------------------------------------- */

/* What gives a text away, each looked for once. */
static const struct {
	const char	*words;
	enum hint	 hint;
} telling[] = {
	{ "-----BEGIN CERTIFICATE-----",	HINT_CERTIFICATE },
	{ "-----BEGIN X509 CERTIFICATE-----",	HINT_CERTIFICATE },
	{ "-----BEGIN TRUSTED CERTIFICATE-----", HINT_CERTIFICATE },
	{ "-----BEGIN PKCS7-----",		HINT_CERTIFICATE },
	{ "-----BEGIN CMS-----",		HINT_OPAQUE },
	{ "-----BEGIN PUBLIC KEY-----",		HINT_PUBLIC_KEY },
	{ "-----BEGIN RSA PUBLIC KEY-----",	HINT_PUBLIC_KEY },
	{ "-----BEGIN PGP PUBLIC KEY BLOCK-----", HINT_PUBLIC_KEY },
	{ "---- BEGIN SSH2 PUBLIC KEY ----",	HINT_PUBLIC_KEY },
	{ "ssh-rsa AAAA",			HINT_PUBLIC_KEY },
	{ "ssh-ed25519 AAAA",			HINT_PUBLIC_KEY },
	{ "ecdsa-sha2-nistp",			HINT_PUBLIC_KEY },
	{ "-----BEGIN PGP MESSAGE-----",	HINT_ENCRYPTED },
	{ "SPKAC=",				HINT_SPKAC },
};

/* uuencode(1) writes "begin MODE NAME", the mode in octal. */
static bool
is_uuencode_begin(struct bytes line)
{
	size_t n = 6, digits = 0;

	if (line.len < n || memcmp(line.data, "begin ", n) != 0)
		return false;
	for (; n < line.len && line.data[n] >= '0' && line.data[n] <= '7'; n++)
		digits++;
	return (digits == 3 || digits == 4) && n + 1 < line.len &&
	    line.data[n] == ' ';
}

/* A BEGIN or END line of a request, whatever became of its dashes. */
static bool
is_damaged_marker(struct bytes line)
{
	static const char *const words[] = { "BEGIN CERTIFICATE REQUEST",
		"BEGIN NEW CERTIFICATE REQUEST", "END CERTIFICATE REQUEST",
		"END NEW CERTIFICATE REQUEST" };

	/* Dashes of whatever kind, three octets each in UTF-8, around it. */
	for (size_t at = 0; at < line.len && at < 24; at++)
		for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
			size_t n = strlen(words[i]);

			if (bytes_equal_nocase(bytes_slice(line, at, n),
			    words[i]))
				return true;
		}
	return false;
}

static uint32_t
hints_of_lines(struct bytes text)
{
	uint32_t hints = 0;

	while (text.len > 0) {
		bool quoted = false;
		struct bytes line = text_line_strip(text_line_take(&text),
		    &quoted);

		if (is_uuencode_begin(line))
			hints |= HINT_BIT(HINT_UUENCODE);
		if (is_damaged_marker(line))
			hints |= HINT_BIT(HINT_MARKERS);
	}
	return hints;
}

uint32_t
part_hints(const struct part *part, struct bytes text, bool has_request)
{
	const struct kind *kind = kind_of(part);
	uint32_t hints = kind == NULL || kind->hint == HINT_END ? 0 :
	    HINT_BIT(kind->hint);

	/* Certificates in CMS look like a signed mail. */
	if (hints != HINT_BIT(HINT_CERTIFICATE))
		hints |= hints_of_der(buf_bytes(&part->body));
	if (has_request || !part_is_source(part))
		return hints;
	for (size_t i = 0; i < sizeof(telling) / sizeof(telling[0]); i++)
		if (bytes_find(text, bytes_of(telling[i].words)) !=
		    (size_t)-1)
			hints |= HINT_BIT(telling[i].hint);
	return hints | hints_of_lines(text);
}
