#include "common/crl_private.h"
#include "common/err.h"

#include <string.h>

#define DAY_S		86400
#define FIRST_SECOND	INT64_C(-631152000)	/* 1950-01-01T00:00:00Z */
#define LAST_SECOND	INT64_C(253402300799)	/* 9999-12-31T23:59:59Z */

/* X.690, 8.1.2 and 10.1: a tag and the shortest form of the length. */
void
crl_put_head(struct buf *b, uint8_t tag, uint64_t len)
{
	uint8_t head[2 + sizeof(len)] = { tag };
	size_t n = 0;

	if (len < 0x80) {
		head[1] = (uint8_t)len;
		buf_append(b, head, 2);
		return;
	}
	for (uint64_t rest = len; rest != 0; rest >>= 8)
		n++;
	head[1] = (uint8_t)(0x80 | n);
	for (size_t i = 0; i < n; i++)
		head[2 + i] = (uint8_t)(len >> (8 * (n - 1 - i)));
	buf_append(b, head, 2 + n);
}

void
crl_put_tlv(struct buf *b, uint8_t tag, struct bytes content)
{
	crl_put_head(b, tag, content.len);
	buf_append_bytes(b, content);
}

/* Positive, in two's complement: a zero octet in front of a high bit. */
void
crl_put_positive(struct buf *b, const uint8_t *octets, size_t len)
{
	bool high = (octets[0] & 0x80) != 0;

	crl_put_head(b, DER_INTEGER, len + high);
	if (high)
		buf_append(b, "", 1);
	buf_append(b, octets, len);
}

void
crl_put_extension(struct buf *b, uint8_t id_ce, bool critical,
    struct bytes value)
{
	const uint8_t oid[] = { DER_OID, 3, 0x55, 0x1d, id_ce };
	static const uint8_t yes[] = { DER_BOOLEAN, 1, 0xff };
	OWNED_BUF(octets, CRL_EXTENSION_MAX);

	crl_put_tlv(&octets, DER_OCTET_STRING, value);
	crl_put_head(b, DER_SEQUENCE, sizeof(oid) +
	    (critical ? sizeof(yes) : 0) + octets.len);
	buf_append(b, oid, sizeof(oid));
	/* The DEFAULT, FALSE, is not encoded (X.690, 11.5). */
	if (critical)
		buf_append(b, yes, sizeof(yes));
	buf_append_bytes(b, buf_bytes(&octets));
	b->failed |= octets.failed;
}

/* --- dates ----------------------------------------------------------------- */

/* A million of them in one list: so no locale and no time zone is asked. */
static void
put_two(uint8_t *to, int value)
{
	to[0] = (uint8_t)('0' + value / 10);
	to[1] = (uint8_t)('0' + value % 10);
}

/* The civil date of a day counted from 1970-01-01, by eras of 400 years that
 * begin in March, so that the leap day is the last. */
static void
find_date(int64_t day, int *year, int *month, int *mday)
{
	int64_t from_0000 = day + 719468, era = from_0000 / 146097;
	int day_of_era = (int)(from_0000 - era * 146097);
	int year_of_era = (day_of_era - day_of_era / 1460 +
	    day_of_era / 36524 - day_of_era / 146096) / 365;
	int day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 -
	    year_of_era / 100);
	int from_march = (5 * day_of_year + 2) / 153;

	*mday = day_of_year - (153 * from_march + 2) / 5 + 1;
	*month = from_march < 10 ? from_march + 3 : from_march - 9;
	*year = (int)era * 400 + year_of_era + (*month <= 2);
}

/* One of the two forms; returns what lies behind it, NULL outside 1950 to
 * 9999. */
static uint8_t *
write_time(uint8_t *to, time_t t, bool generalized)
{
	int year, month, mday, second;

	if (t < (time_t)FIRST_SECOND || t > (time_t)LAST_SECOND)
		return NULL;
	second = (int)(((int64_t)t % DAY_S + DAY_S) % DAY_S);
	find_date(((int64_t)t - second) / DAY_S, &year, &month, &mday);
	generalized = generalized || year > 2049;
	*to++ = generalized ? DER_GENERALIZED_TIME : DER_UTC_TIME;
	*to++ = generalized ? 15 : 13;
	if (generalized) {
		put_two(to, year / 100);
		to += 2;
	}
	put_two(to, year % 100);
	put_two(to + 2, month);
	put_two(to + 4, mday);
	put_two(to + 6, second / 3600);
	put_two(to + 8, second / 60 % 60);
	put_two(to + 10, second % 60);
	to[12] = 'Z';
	return to + 13;
}

static int
fail_date(struct err *err)
{
	return err_set(err, ERR_FAULT,
	    "a date in a CRL lies outside 1950 to 9999");
}

int
crl_put_time(struct buf *b, time_t t, struct err *err)
{
	uint8_t octets[CRL_TIME_MAX], *end = write_time(octets, t, false);

	if (end == NULL)
		return fail_date(err);
	buf_append(b, octets, (size_t)(end - octets));
	return 0;
}

/* --- an entry -------------------------------------------------------------- */

/* Nothing in an entry is longer than 127 octets: a length is one octet, put
 * in when what it is of has been written (X.690, 8.1.3.4). */
static uint8_t *
begin(uint8_t *at, uint8_t tag)
{
	at[0] = tag;
	return at + 2;
}

static void
end(uint8_t *content, const uint8_t *at)
{
	content[-1] = (uint8_t)(at - content);
}

static uint8_t *
write_octets(uint8_t *at, const void *octets, size_t len)
{
	memcpy(at, octets, len);
	return at + len;
}

static uint8_t *
write_serial(uint8_t *at, const struct serial *serial)
{
	uint8_t *integer = begin(at, DER_INTEGER);

	at = integer;
	if ((serial->octets[0] & 0x80) != 0)
		*at++ = 0;
	at = write_octets(at, serial->octets, serial->len);
	end(integer, at);
	return at;
}

/* 5.3.1: cRLReason; it SHOULD be absent for unspecified. */
static uint8_t *
write_reason(uint8_t *at, enum crl_reason reason)
{
	static const uint8_t front[] = { DER_SEQUENCE, 10, DER_OID, 3, 0x55,
		0x1d, 21, DER_OCTET_STRING, 3, DER_ENUMERATED, 1 };

	if (reason == CRL_UNSPECIFIED)
		return at;
	at = write_octets(at, front, sizeof(front));
	*at++ = (uint8_t)reason;
	return at;
}

/* 5.3.2: invalidityDate, always GeneralizedTime. */
static uint8_t *
write_invalidity(uint8_t *at, time_t invalidity)
{
	static const uint8_t front[] = { DER_SEQUENCE, 24, DER_OID, 3, 0x55,
		0x1d, 24, DER_OCTET_STRING, 17 };

	if (invalidity == 0)
		return at;
	return write_time(write_octets(at, front, sizeof(front)), invalidity,
	    true);
}

int
crl_write_entry(uint8_t out[CRL_ENTRY_MAX], size_t *len,
    const struct crl_entry *entry, bool delta, struct err *err)
{
	uint8_t *fields = begin(out, DER_SEQUENCE), *extensions, *at;

	/* 5.3.1: removeFromCRL is for delta CRLs only. */
	if (entry->serial.len < 1 || entry->serial.len > 20 ||
	    crl_reason_name(entry->reason) == NULL ||
	    (entry->reason == CRL_REMOVE_FROM_CRL && !delta))
		return err_set(err, ERR_FAULT,
		    "a CRL entry has a bad serial or reason");
	at = write_time(write_serial(fields, &entry->serial),
	    entry->revoked_at, false);
	if (at == NULL)
		return fail_date(err);
	extensions = begin(at, DER_SEQUENCE);
	at = write_invalidity(write_reason(extensions, entry->reason),
	    entry->invalidity);
	if (at == NULL)
		return fail_date(err);
	if (at == extensions)
		at -= 2;
	else
		end(extensions, at);
	end(fields, at);
	*len = (size_t)(at - out);
	return 0;
}
