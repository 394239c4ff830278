#include "csrmaild/wire_private.h"

#include "common/err.h"
#include "csrmaild/wire.h"

int
wire_send_seal(struct channel *ch, const struct wire_seal *m, struct err *err)
{
	OWNED_BUF(b, WIRE_MAX_MAIL + 1024);

	put_u64(&b, m->id);
	put_str(&b, m->mailbox);
	put_bytes(&b, m->message);
	return wire_send_payload(ch, WIRE_SEAL, &b, -1, err);
}

int
wire_get_seal(const struct frame *frame, struct wire_seal *m, struct err *err)
{
	struct cursor c = CURSOR(frame->payload);

	m->id = get_u64(&c);
	get_str(&c, m->mailbox, sizeof(m->mailbox));
	m->message = get_bytes(&c, WIRE_MAX_MAIL);
	return wire_finish(frame, WIRE_SEAL, &c, err);
}

int
wire_send_sealed(struct channel *ch, const struct wire_sealed *m,
    struct err *err)
{
	OWNED_BUF(b, WIRE_MAX_MAIL + 1024);

	put_u64(&b, m->id);
	put_bytes(&b, m->message);
	put_str(&b, m->text);
	return wire_send_payload(ch, WIRE_SEALED, &b, -1, err);
}

int
wire_get_sealed(const struct frame *frame, struct wire_sealed *m,
    struct err *err)
{
	struct cursor c = CURSOR(frame->payload);

	m->id = get_u64(&c);
	m->message = get_bytes(&c, WIRE_MAX_MAIL);
	get_str(&c, m->text, sizeof(m->text));
	if (wire_finish(frame, WIRE_SEALED, &c, err) == -1)
		return -1;
	if ((m->message.len > 0) == (m->text[0] != '\0'))
		return err_set(err, ERR_FAULT,
		    "not one of a signed mail and a reason");
	return 0;
}

int
wire_send_seals(struct channel *ch, const struct wire_seals *m,
    struct err *err)
{
	OWNED_BUF(b, 1024);

	put_str(&b, m->mailbox);
	put_u8(&b, m->able);
	put_str(&b, m->text);
	return wire_send_payload(ch, WIRE_SEALS, &b, -1, err);
}

int
wire_get_seals(const struct frame *frame, struct wire_seals *m,
    struct err *err)
{
	struct cursor c = CURSOR(frame->payload);

	get_str(&c, m->mailbox, sizeof(m->mailbox));
	m->able = get_bool(&c);
	get_str(&c, m->text, sizeof(m->text));
	return wire_finish(frame, WIRE_SEALS, &c, err);
}
