#include "common/crl_private.h"
#include "common/err.h"

#include <stdio.h>
#include <string.h>

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

/* RFC 5280, 4.1.2.5.2: always GeneralizedTime where the ASN.1 says so. */
static int
put_generalized_time(struct buf *b, time_t t, struct err *err)
{
	char text[32];
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL || tm.tm_year < 50 ||
	    tm.tm_year > 9999 - 1900)
		return err_set(err, ERR_FAULT,
		    "a date in a CRL lies outside 1950 to 9999");
	strftime(text, sizeof(text), "%Y%m%d%H%M%SZ", &tm);
	crl_put_tlv(b, DER_GENERALIZED_TIME, bytes_of(text));
	return 0;
}

/* RFC 5280, 5.1.2.4 to 5.1.2.6: UTCTime through 2049, then the other. */
int
crl_put_time(struct buf *b, time_t t, struct err *err)
{
	char text[32];
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL || tm.tm_year < 50 || tm.tm_year > 149)
		return put_generalized_time(b, t, err);
	strftime(text, sizeof(text), "%y%m%d%H%M%SZ", &tm);
	crl_put_tlv(b, DER_UTC_TIME, bytes_of(text));
	return 0;
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

static int
put_entry_extensions(struct buf *b, const struct crl_entry *entry,
    struct err *err)
{
	OWNED_BUF(value, CRL_ENTRY_MAX);

	/* 5.3.1: the extension SHOULD be absent for unspecified. */
	if (entry->reason != CRL_UNSPECIFIED) {
		uint8_t code = (uint8_t)entry->reason;

		crl_put_tlv(&value, DER_ENUMERATED, (struct bytes){ &code, 1 });
		crl_put_extension(b, 21, false, buf_bytes(&value));
		buf_clear(&value);
	}
	if (entry->invalidity != 0) {
		if (put_generalized_time(&value, entry->invalidity, err) < 0)
			return -1;
		crl_put_extension(b, 24, false, buf_bytes(&value));
	}
	return 0;
}

int
crl_put_entry(struct buf *b, const struct crl_entry *entry, bool delta,
    struct err *err)
{
	OWNED_BUF(fields, CRL_ENTRY_MAX);
	OWNED_BUF(extensions, CRL_ENTRY_MAX);

	/* 5.3.1: removeFromCRL is for delta CRLs only. */
	if (entry->serial.len < 1 || entry->serial.len > 20 ||
	    crl_reason_name(entry->reason) == NULL ||
	    (entry->reason == CRL_REMOVE_FROM_CRL && !delta))
		return err_set(err, ERR_FAULT,
		    "a CRL entry has a bad serial or reason");
	crl_put_positive(&fields, entry->serial.octets, entry->serial.len);
	if (crl_put_time(&fields, entry->revoked_at, err) < 0 ||
	    put_entry_extensions(&extensions, entry, err) < 0)
		return -1;
	if (extensions.len > 0)
		crl_put_tlv(&fields, DER_SEQUENCE, buf_bytes(&extensions));
	crl_put_tlv(b, DER_SEQUENCE, buf_bytes(&fields));
	if (fields.failed || extensions.failed || b->failed)
		return err_set(err, ERR_RETRY, "out of memory for a CRL");
	return 0;
}
