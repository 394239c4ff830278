#include "csrmaild/wire_private.h"

#include "common/err.h"
#include "csrmaild/wire.h"

#include <string.h>

int
wire_send_issued(struct channel *ch, const struct wire_issued *m,
    struct err *err)
{
	OWNED_BUF(b, WIRE_MAX_ISSUE);

	put_str(&b, m->ca);
	wire_put_serial(&b, &m->serial);
	put_bytes(&b, m->der);
	return wire_send_payload(ch, WIRE_ISSUED, &b, -1, err);
}

int
wire_get_issued(const struct frame *frame, struct wire_issued *m,
    struct err *err)
{
	struct cursor c = CURSOR(frame->payload);

	get_str(&c, m->ca, sizeof(m->ca));
	wire_get_serial(&c, &m->serial);
	m->der = get_bytes(&c, WIRE_MAX_ISSUE);
	return wire_finish(frame, WIRE_ISSUED, &c, err);
}

int
wire_send_refused(struct channel *ch, const struct wire_refused *m,
    struct err *err)
{
	OWNED_BUF(b, 1024);

	put_str(&b, m->ca);
	wire_put_serial(&b, &m->serial);
	put_u8(&b, m->kind);
	put_str(&b, m->text);
	return wire_send_payload(ch, WIRE_REFUSED, &b, -1, err);
}

int
wire_get_refused(const struct frame *frame, struct wire_refused *m,
    struct err *err)
{
	struct cursor c = CURSOR(frame->payload);

	get_str(&c, m->ca, sizeof(m->ca));
	wire_get_serial(&c, &m->serial);
	m->kind = get_enum(&c, ERR_REJECT, ERR_FAULT);
	get_str(&c, m->text, sizeof(m->text));
	return wire_finish(frame, WIRE_REFUSED, &c, err);
}

int
wire_send_crl_open(struct channel *ch, const struct wire_crl_open *m, int fd,
    struct err *err)
{
	OWNED_BUF(b, 256);

	put_str(&b, m->ca);
	put_u64(&b, m->terms.number);
	put_time(&b, m->terms.this_update);
	put_time(&b, m->terms.next_update);
	put_u64(&b, m->terms.base);
	put_u16(&b, m->terms.shard);
	return wire_send_payload(ch, WIRE_CRL_OPEN, &b, fd, err);
}

int
wire_get_crl_open(const struct frame *frame, struct wire_crl_open *m,
    struct err *err)
{
	struct cursor c = CURSOR(frame->payload);

	*m = (struct wire_crl_open){ 0 };
	get_str(&c, m->ca, sizeof(m->ca));
	m->terms.number = get_u64(&c);
	m->terms.this_update = get_time(&c);
	m->terms.next_update = get_time(&c);
	m->terms.base = get_u64(&c);
	m->terms.shard = get_u16(&c);
	if (m->terms.shard > CRL_MAX_SHARDS)
		c.failed = true;
	if (wire_finish(frame, WIRE_CRL_OPEN, &c, err) == -1)
		return -1;
	if (frame->fd < 0)
		return err_set(err, ERR_FAULT, "a CRL without a descriptor");
	return 0;
}

static void
put_crl_entry(struct buf *b, const struct crl_entry *m)
{
	wire_put_serial(b, &m->serial);
	put_time(b, m->revoked_at);
	put_u8(b, (uint8_t)m->reason);
	put_time(b, m->invalidity);
}

static void
get_crl_entry(struct cursor *c, struct crl_entry *m)
{
	wire_get_serial(c, &m->serial);
	m->revoked_at = get_time(c);
	m->reason = (enum crl_reason)get_u8(c);
	m->invalidity = get_time(c);
	if (m->serial.len == 0 || crl_reason_name(m->reason) == NULL)
		c->failed = true;
}

int
wire_send_crl_entries(struct channel *ch, const struct crl_entry *entries,
    size_t n, struct err *err)
{
	OWNED_BUF(b, 64u << 10);

	put_u32(&b, (uint32_t)n);
	for (size_t i = 0; i < n; i++)
		put_crl_entry(&b, &entries[i]);
	return wire_send_payload(ch, WIRE_CRL_ENTRIES, &b, -1, err);
}

int
wire_get_crl_entries(const struct frame *frame, struct crl_entry *out,
    size_t *n, struct err *err)
{
	struct cursor c = CURSOR(frame->payload);

	*n = get_count(&c, WIRE_MAX_CRL_ENTRIES);
	for (size_t i = 0; i < *n; i++)
		get_crl_entry(&c, &out[i]);
	return wire_finish(frame, WIRE_CRL_ENTRIES, &c, err);
}

int
wire_send_crl_close(struct channel *ch, struct err *err)
{
	return channel_send(ch, WIRE_CRL_CLOSE, (struct bytes){ 0 }, -1, err);
}

int
wire_send_crl_done(struct channel *ch, const struct wire_crl_done *m,
    struct err *err)
{
	OWNED_BUF(b, 256);

	put_str(&b, m->ca);
	put_u64(&b, m->number);
	return wire_send_payload(ch, WIRE_CRL_DONE, &b, -1, err);
}

int
wire_get_crl_done(const struct frame *frame, struct wire_crl_done *m,
    struct err *err)
{
	struct cursor c = CURSOR(frame->payload);

	get_str(&c, m->ca, sizeof(m->ca));
	m->number = get_u64(&c);
	return wire_finish(frame, WIRE_CRL_DONE, &c, err);
}

int
wire_send_revoked(struct channel *ch, const struct wire_revoked *m,
    struct err *err)
{
	OWNED_BUF(b, 256);

	put_str(&b, m->ca);
	put_crl_entry(&b, &m->entry);
	return wire_send_payload(ch, WIRE_REVOKED, &b, -1, err);
}

int
wire_get_revoked(const struct frame *frame, struct wire_revoked *m,
    struct err *err)
{
	struct cursor c = CURSOR(frame->payload);

	get_str(&c, m->ca, sizeof(m->ca));
	get_crl_entry(&c, &m->entry);
	return wire_finish(frame, WIRE_REVOKED, &c, err);
}

int
wire_send_blocked(struct channel *ch, const struct wire_blocked *m,
    struct err *err)
{
	OWNED_BUF(b, 64);

	wire_put_octets(&b, m->spki_sha256, sizeof(m->spki_sha256));
	put_time(&b, m->at);
	return wire_send_payload(ch, WIRE_BLOCKED, &b, -1, err);
}

int
wire_get_blocked(const struct frame *frame, struct wire_blocked *m,
    struct err *err)
{
	struct cursor c = CURSOR(frame->payload);

	wire_get_octets(&c, m->spki_sha256, sizeof(m->spki_sha256));
	m->at = get_time(&c);
	return wire_finish(frame, WIRE_BLOCKED, &c, err);
}

int
wire_send_keys(struct channel *ch, const struct wire_keys *m, struct err *err)
{
	OWNED_BUF(b, 1024);

	put_str(&b, m->ca);
	put_u8(&b, m->open);
	put_str(&b, m->text);
	put_str(&b, m->who);
	return wire_send_payload(ch, WIRE_KEYS, &b, -1, err);
}

int
wire_get_keys(const struct frame *frame, struct wire_keys *m, struct err *err)
{
	struct cursor c = CURSOR(frame->payload);

	get_str(&c, m->ca, sizeof(m->ca));
	m->open = get_bool(&c);
	get_str(&c, m->text, sizeof(m->text));
	get_str(&c, m->who, sizeof(m->who));
	return wire_finish(frame, WIRE_KEYS, &c, err);
}
