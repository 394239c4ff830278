#include "csrmaild/wire_private.h"

#include "common/err.h"
#include "csrmaild/wire.h"

#include <string.h>
#include <unistd.h>

int
wire_send_connection(struct channel *ch, uint64_t connection,
    bool may_upload, int fd, struct err *err)
{
	OWNED_BUF(b, 16);

	put_u64(&b, connection);
	put_u8(&b, may_upload);
	return wire_send_payload(ch, WIRE_CONNECTION, &b, fd, err);
}

int
wire_get_connection(const struct frame *frame, uint64_t *connection,
    bool *may_upload, struct err *err)
{
	struct cursor c = CURSOR(frame->payload);

	*connection = get_u64(&c);
	*may_upload = get_bool(&c);
	if (wire_finish(frame, WIRE_CONNECTION, &c, err) == -1)
		return -1;
	if (frame->fd < 0)
		return err_set(err, ERR_FAULT,
		    "a connection without a descriptor");
	return 0;
}

int
wire_send_call(struct channel *ch, const struct wire_call *m, struct err *err)
{
	OWNED_BUF(b, WIRE_MAX_CALL + 1024);

	put_u64(&b, m->connection);
	put_u64(&b, m->call);
	put_str(&b, m->method);
	put_str(&b, m->path);
	put_bytes(&b, m->json);
	return wire_send_payload(ch, WIRE_CALL, &b,
	    m->has_octets ? m->octets : -1, err);
}

int
wire_get_call(const struct frame *frame, struct wire_call *m, struct err *err)
{
	struct cursor c = CURSOR(frame->payload);

	m->connection = get_u64(&c);
	m->call = get_u64(&c);
	get_str(&c, m->method, sizeof(m->method));
	get_str(&c, m->path, sizeof(m->path));
	m->json = get_bytes(&c, WIRE_MAX_CALL);
	m->has_octets = frame->fd >= 0;
	m->octets = frame->fd;
	return wire_finish(frame, WIRE_CALL, &c, err);
}

int
wire_send_result(struct channel *ch, const struct wire_result *m,
    struct err *err)
{
	OWNED_BUF(b, WIRE_MAX_RESULT + 64);

	put_u64(&b, m->connection);
	put_u64(&b, m->call);
	put_u16(&b, m->status);
	put_bytes(&b, m->json);
	return wire_send_payload(ch, WIRE_RESULT, &b, -1, err);
}

int
wire_get_result(const struct frame *frame, struct wire_result *m,
    struct err *err)
{
	struct cursor c = CURSOR(frame->payload);

	m->connection = get_u64(&c);
	m->call = get_u64(&c);
	m->status = get_u16(&c);
	m->json = get_bytes(&c, WIRE_MAX_RESULT);
	return wire_finish(frame, WIRE_RESULT, &c, err);
}

int
wire_send_closed(struct channel *ch, uint64_t connection, struct err *err)
{
	OWNED_BUF(b, 16);

	put_u64(&b, connection);
	return wire_send_payload(ch, WIRE_CLOSED, &b, -1, err);
}

int
wire_get_closed(const struct frame *frame, uint64_t *connection,
    struct err *err)
{
	struct cursor c = CURSOR(frame->payload);

	*connection = get_u64(&c);
	return wire_finish(frame, WIRE_CLOSED, &c, err);
}
