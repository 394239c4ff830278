#include "csrmaild/wire_private.h"

#include "common/err.h"
#include "csrmaild/wire.h"

#include <string.h>
#include <unistd.h>

/* Every send ends here: a payload that did not fit its ceiling is our bug. */
int
wire_send_payload(struct channel *ch, uint16_t type, const struct buf *payload,
    int fd, struct err *err)
{
	if (payload->failed) {
		if (fd >= 0)
			close(fd);
		return err_set(err, ERR_FAULT,
		    "a message to %s is longer than it may be",
		    channel_peer(ch));
	}
	return channel_send(ch, type, buf_bytes(payload), fd, err);
}

/* Every decoder ends here. A descriptor that no one expects is closed. */
int
wire_finish(const struct frame *frame, enum wire_type want, const struct cursor *c,
    struct err *err)
{
	if (frame->type == want && cursor_end(c))
		return 0;
	return err_set(err, ERR_FAULT, "a broken frame (type %u)",
	    frame->type);
}

void
wire_put_octets(struct buf *b, const uint8_t *octets, size_t n)
{
	buf_append(b, octets, n);
}

void
wire_get_octets(struct cursor *c, uint8_t *out, size_t n)
{
	for (size_t i = 0; i < n; i++)
		out[i] = get_u8(c);
}

void
wire_put_serial(struct buf *b, const struct serial *serial)
{
	put_bytes(b, (struct bytes){ serial->octets, serial->len });
}

/* An empty one (len 0) is allowed: some frames are about no certificate. */
void
wire_get_serial(struct cursor *c, struct serial *out)
{
	struct bytes v = get_bytes(c, sizeof(out->octets));

	memset(out, 0, sizeof(*out));
	if (v.len == 0)
		return;
	if (v.data[0] == 0) {
		c->failed = true;
		return;
	}
	memcpy(out->octets, v.data, v.len);
	out->len = (uint8_t)v.len;
}
