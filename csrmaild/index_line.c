#include "csrmaild/index_line.h"
#include "common/err.h"
#include "csrmaild/import_time.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum field {
	FIELD_STATE, FIELD_END, FIELD_REVOKED, FIELD_SERIAL, FIELD_FILE,
	FIELD_SUBJECT, N_FIELDS
};

/* OpenSSL's words; those that it has no word for are RFC 5280's. */
static const struct {
	const char	*word;
	enum crl_reason	 reason;
	bool		 takes_date;	/* behind another comma: invalidity */
} reasons[] = {
	{ "unspecified",		CRL_UNSPECIFIED,	false },
	{ "keyCompromise",		CRL_KEY_COMPROMISE,	false },
	{ "keyTime",			CRL_KEY_COMPROMISE,	true },
	{ "CACompromise",		CRL_CA_COMPROMISE,	false },
	{ "CAkeyTime",			CRL_CA_COMPROMISE,	true },
	{ "affiliationChanged",		CRL_AFFILIATION_CHANGED, false },
	{ "superseded",			CRL_SUPERSEDED,		false },
	{ "cessationOfOperation",	CRL_CESSATION_OF_OPERATION, false },
	{ "certificateHold",		CRL_CERTIFICATE_HOLD,	false },
	{ "holdInstruction",		CRL_CERTIFICATE_HOLD,	false },
	{ "privilegeWithdrawn",		CRL_PRIVILEGE_WITHDRAWN, false },
	{ "AACompromise",		CRL_AA_COMPROMISE,	false },
};
#define N_REASONS	(sizeof(reasons) / sizeof(reasons[0]))

/* Into text, the backslashes before tabs taken away. How many there are;
 * N_FIELDS + 1: more. -1: no memory. */
static int
split(struct bytes line, struct buf *text, struct bytes fields[N_FIELDS])
{
	size_t start = 0;
	int n = 0;
	uint8_t *to = buf_reserve(text, line.len + 1);

	if (to == NULL)
		return -1;
	for (size_t i = 0; i <= line.len; i++) {
		if (i == line.len || (line.data[i] == '\t' &&
		    !(text->len > start && to[text->len - 1] == '\\'))) {
			if (n == N_FIELDS)
				return N_FIELDS + 1;
			fields[n++] = (struct bytes){ to + start,
				text->len - start };
			start = text->len;
		} else if (line.data[i] == '\t') {
			to[text->len - 1] = '\t';
		} else {
			to[text->len++] = line.data[i];
		}
	}
	return n;
}

/* Up to the next comma; *left goes on behind it. */
static struct bytes
next_part(struct bytes *left)
{
	size_t comma = bytes_find(*left, bytes_of(","));
	struct bytes part = bytes_slice(*left, 0, comma);

	*left = comma == (size_t)-1 ? (struct bytes){ left->data, 0 } :
	    bytes_slice(*left, comma + 1, left->len);
	return part;
}

static int
read_revocation(struct bytes field, struct import_entry *out,
    unsigned int *oddities)
{
	struct bytes date = next_part(&field), word = next_part(&field);

	if (import_time_asn1(date, &out->revoked_at) < 0)
		return -1;
	out->reason = CRL_UNSPECIFIED;
	if (word.len == 0)
		return 0;
	for (size_t i = 0; i < N_REASONS; i++) {
		if (!bytes_equal_nocase(word, reasons[i].word))
			continue;
		out->reason = reasons[i].reason;
		if (reasons[i].takes_date && import_time_asn1(field,
		    &out->invalidity) < 0)
			*oddities |= INDEX_REASON_UNKNOWN;
		return 0;
	}
	*oddities |= INDEX_REASON_UNKNOWN;
	return 0;
}

static int
read_serial(struct bytes field, struct serial *out, char why[160])
{
	char digits[128];
	struct err err;

	if (field.len >= sizeof(digits) ||
	    memchr(field.data, '\0', field.len) != NULL) {
		snprintf(why, 160, "its serial is too long");
		return -1;
	}
	memcpy(digits, field.data, field.len);
	digits[field.len] = '\0';
	if (serial_from_hex(digits, out, &err) == 0)
		return 0;
	snprintf(why, 160, "%.150s", err.text);
	return -1;
}

static void
keep_subject(struct bytes field, char out[IMPORT_TEXT_MAX])
{
	size_t len = field.len < IMPORT_TEXT_MAX ? field.len :
	    IMPORT_TEXT_MAX - 1;

	/* OpenSSL writes printable ASCII there, and \xHH for the rest. */
	for (size_t i = 0; i < len; i++)
		out[i] = field.data[i] < ' ' || field.data[i] > '~' ? '?' :
		    (char)field.data[i];
	out[len] = '\0';
}

static bool
is_hex(struct bytes field)
{
	for (size_t i = 0; i < field.len; i++)
		if (!isxdigit(field.data[i]))
			return false;
	return field.len > 0;
}

/*
 * What cannot be read may have said that something is revoked. A serial in its
 * place, whole octets as OpenSSL writes them, and no other behind which it may
 * have slipped, is taken for revoked.
 */
static int
salvage(struct bytes line, struct import_entry *out)
{
	OWNED_BUF(text, INDEX_LINE_MAX + 1);
	struct bytes fields[N_FIELDS], serial;
	struct import_entry e = { .state = IMPORT_REVOKED };
	unsigned int ignored;
	char other[160];

	out->state = line.len > 1 && line.data[1] == '\t' &&
	    (line.data[0] == 'V' || line.data[0] == 'E') ?
	    IMPORT_VALID : IMPORT_REVOKED;
	if (out->state == IMPORT_VALID || split(bytes_slice(line, 0,
	    INDEX_LINE_MAX), &text, fields) <= FIELD_SERIAL)
		return 1;
	serial = fields[FIELD_SERIAL];
	if (!is_hex(serial) || serial.len % 2 != 0 ||
	    is_hex(fields[FIELD_REVOKED]) ||
	    read_serial(serial, &e.serial, other) < 0)
		return 1;
	if (import_time_asn1(fields[FIELD_END], &e.not_after) < 0)
		e.not_after = 0;
	read_revocation(fields[FIELD_REVOKED], &e, &ignored);
	e.reason = CRL_UNSPECIFIED;
	e.invalidity = 0;
	*out = e;
	return 3;
}

int
index_line_read(struct bytes line, struct import_entry *out,
    unsigned int *oddities, char why[160])
{
	OWNED_BUF(text, INDEX_LINE_MAX + 1);
	struct bytes fields[N_FIELDS], end;
	struct import_entry e = { 0 };

	*oddities = 0;
	if (line.len > 0 && line.data[line.len - 1] == '\r')
		line.len--;
	if (line.len == 0 || line.data[0] == '#')
		return 2;
	if (line.len > INDEX_LINE_MAX) {
		snprintf(why, 160, "it is too long");
		return salvage(line, out);
	}
	if (split(line, &text, fields) != N_FIELDS) {
		snprintf(why, 160, "it does not have six fields with tabs "
		    "between");
		return salvage(line, out);
	}
	if (bytes_equal(fields[FIELD_STATE], bytes_of("V")))
		e.state = IMPORT_VALID;
	else if (bytes_equal(fields[FIELD_STATE], bytes_of("R")))
		e.state = IMPORT_REVOKED;
	else if (bytes_equal(fields[FIELD_STATE], bytes_of("E")))
		e.state = IMPORT_EXPIRED;
	else {
		snprintf(why, 160, "its state is not V, R or E");
		return salvage(line, out);
	}
	if (read_serial(fields[FIELD_SERIAL], &e.serial, why) < 0)
		return salvage(line, out);
	end = fields[FIELD_END];
	if (import_time_asn1(end, &e.not_after) < 0)
		*oddities |= INDEX_NO_END;
	if (e.state == IMPORT_REVOKED && read_revocation(
	    fields[FIELD_REVOKED], &e, oddities) < 0)
		*oddities |= INDEX_NO_DATE;
	keep_subject(fields[FIELD_SUBJECT], e.subject);
	*out = e;
	return 0;
}

static void
put_date(struct buf *out, const char *form, time_t t)
{
	struct tm tm;
	char text[32] = "";

	if (gmtime_r(&t, &tm) != NULL)
		strftime(text, sizeof(text), form, &tm);
	buf_append_str(out, text);
}
#define UTC_TIME	"%y%m%d%H%M%SZ"
#define GENERALIZED	"%Y%m%d%H%M%SZ"
#define YEAR_1950	((time_t)-631152000)
#define YEAR_2050	((time_t)2524608000)

static void
put_revocation(struct buf *out, const struct import_entry *e)
{
	/* OpenSSL reads no other form here, so that nothing is later. */
	put_date(out, UTC_TIME, e->revoked_at < YEAR_2050 ? e->revoked_at :
	    YEAR_2050 - 1);
	switch (e->reason) {
	case CRL_KEY_COMPROMISE:
	case CRL_CA_COMPROMISE:
		if (e->invalidity == 0)
			break;
		buf_append_str(out, e->reason == CRL_KEY_COMPROMISE ?
		    ",keyTime," : ",CAkeyTime,");
		put_date(out, GENERALIZED, e->invalidity);
		return;
	case CRL_UNSPECIFIED:
	case CRL_REMOVE_FROM_CRL:
	case CRL_PRIVILEGE_WITHDRAWN:	/* it makes no CRL with these */
	case CRL_AA_COMPROMISE:
		return;
	case CRL_AFFILIATION_CHANGED:
	case CRL_SUPERSEDED:
	case CRL_CESSATION_OF_OPERATION:
	case CRL_CERTIFICATE_HOLD:
		break;
	}
	for (size_t i = 0; i < N_REASONS; i++)
		if (reasons[i].reason == e->reason) {
			buf_printf(out, ",%s", reasons[i].word);
			return;
		}
}

int
index_line_write(const struct import_entry *e, struct buf *out)
{
	static const char states[] = "?VRE";
	char hex[SERIAL_HEX_SIZE];

	serial_to_hex(&e->serial, hex);
	for (char *p = hex; *p != '\0'; p++)
		if (*p >= 'a')
			*p = (char)(*p - 'a' + 'A');
	buf_printf(out, "%c\t", states[e->state]);
	/* UTCTime until 2049 (RFC 5280, 4.1.2.5). */
	put_date(out, e->not_after >= YEAR_1950 && e->not_after < YEAR_2050 ?
	    UTC_TIME : GENERALIZED, e->not_after);
	buf_append_str(out, "\t");
	if (e->state == IMPORT_REVOKED)
		put_revocation(out, e);
	buf_printf(out, "\t%s\tunknown\t", hex);
	for (const char *p = e->subject; *p != '\0'; p++)
		buf_printf(out, "%s%c", *p == '\t' ? "\\" : "", *p);
	buf_append_str(out, "\n");
	return out->failed ? -1 : 0;
}
