#include "csrmaild/journal_private.h"
#include "common/frame.h"

#include <string.h>

static const char format[] = "csrmail journal 1";

static void
put_digest(struct buf *b, const uint8_t digest[32])
{
	put_bytes(b, (struct bytes){ digest, 32 });
}

static void
put_serial(struct buf *b, const struct serial *serial)
{
	put_bytes(b, (struct bytes){ serial->octets, serial->len });
}

static void
get_serial(struct cursor *c, struct serial *out)
{
	struct bytes octets = get_bytes(c, sizeof(out->octets));

	*out = (struct serial){ 0 };
	if (octets.len == 0) {
		c->failed = true;
		return;
	}
	memcpy(out->octets, octets.data, octets.len);
	out->len = (uint8_t)octets.len;
}

static void
get_digest(struct cursor *c, uint8_t out[32])
{
	struct bytes octets = get_bytes(c, 32);

	if (octets.len == 32)
		memcpy(out, octets.data, 32);
	else
		c->failed = true;
}

void
put_journal_record(struct buf *b, const struct journal_record *r)
{
	put_u8(b, (uint8_t)r->kind);
	switch (r->kind) {
	case JOURNAL_HEADER:
		put_str(b, format);
		put_str(b, r->ca);
		return;
	case JOURNAL_ISSUED:
		put_serial(b, &r->issued.serial);
		put_digest(b, r->issued.order_digest);
		put_digest(b, r->issued.tbs_digest);
		put_bytes(b, r->issued.der);
		return;
	case JOURNAL_REVOKED:
		put_serial(b, &r->revoked.serial);
		put_time(b, r->revoked.revoked_at);
		put_u8(b, (uint8_t)r->revoked.reason);
		put_time(b, r->revoked.invalidity);
		return;
	case JOURNAL_CRL:
		put_u64(b, r->crl.number);
		put_time(b, r->crl.this_update);
		put_time(b, r->crl.next_update);
		put_u64(b, r->crl.base);
		put_u16(b, r->crl.shard);
		return;
	case JOURNAL_BLOCKED:
		put_digest(b, r->blocked.spki_sha256);
		put_time(b, r->blocked.at);
		return;
	}
}

int
journal_record_decode(struct bytes octets, struct journal_record *out)
{
	struct cursor c = CURSOR(octets);
	char text[sizeof(format)] = "";

	*out = (struct journal_record){ 0 };
	out->kind = (enum journal_kind)get_enum(&c, JOURNAL_HEADER,
	    JOURNAL_BLOCKED);
	switch (out->kind) {
	case JOURNAL_HEADER:
		get_str(&c, text, sizeof(text));
		get_str(&c, out->ca, sizeof(out->ca));
		if (strcmp(text, format) != 0)
			return -1;
		break;
	case JOURNAL_ISSUED:
		get_serial(&c, &out->issued.serial);
		get_digest(&c, out->issued.order_digest);
		get_digest(&c, out->issued.tbs_digest);
		out->issued.der = get_bytes(&c, JOURNAL_MAX_DER);
		break;
	case JOURNAL_REVOKED:
		get_serial(&c, &out->revoked.serial);
		out->revoked.revoked_at = get_time(&c);
		out->revoked.reason = (enum crl_reason)get_enum(&c, 0, 10);
		out->revoked.invalidity = get_time(&c);
		break;
	case JOURNAL_CRL:
		out->crl.number = get_u64(&c);
		out->crl.this_update = get_time(&c);
		out->crl.next_update = get_time(&c);
		if (c.left.len == 0)	/* before there were deltas */
			break;
		out->crl.base = get_u64(&c);
		out->crl.shard = get_u16(&c);
		break;
	case JOURNAL_BLOCKED:
		get_digest(&c, out->blocked.spki_sha256);
		out->blocked.at = get_time(&c);
		break;
	}
	return cursor_end(&c) ? 0 : -1;
}
