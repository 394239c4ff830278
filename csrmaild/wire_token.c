#include "csrmaild/wire_private.h"

#include "common/err.h"
#include "csrmaild/token.h"
#include "csrmaild/wire.h"

#include <unistd.h>

/* --- intake or submit, and main: the token's file ------------------------------ */

int
wire_send_token_file(struct channel *control, struct err *err)
{
	return channel_send(control, WIRE_TOKEN_FILE, (struct bytes){ 0 }, -1,
	    err);
}

int
wire_send_token_opened(struct channel *control, int fd, const char *text,
    struct err *err)
{
	OWNED_BUF(b, 512);

	put_str(&b, text);
	return wire_send_payload(control, WIRE_TOKEN_OPENED, &b, fd, err);
}

int
wire_get_token_opened(const struct frame *frame, char text[256],
    struct err *err)
{
	struct cursor c = CURSOR(frame->payload);

	get_str(&c, text, 256);
	if (wire_finish(frame, WIRE_TOKEN_OPENED, &c, err) == -1)
		return -1;
	if (frame->fd < 0 && text[0] == '\0')
		return err_set(err, ERR_FAULT, "no file and no reason");
	return 0;
}

/* --- intake or submit, and exec ---------------------------------------------------- */

int
wire_send_token_wanted(struct channel *ch, uint64_t id, struct err *err)
{
	OWNED_BUF(b, 16);

	put_u64(&b, id);
	return wire_send_payload(ch, WIRE_TOKEN_WANTED, &b, -1, err);
}

int
wire_get_token_wanted(const struct frame *frame, uint64_t *id,
    struct err *err)
{
	struct cursor c = CURSOR(frame->payload);

	*id = get_u64(&c);
	return wire_finish(frame, WIRE_TOKEN_WANTED, &c, err);
}

int
wire_send_token(struct channel *ch, const struct wire_token *m,
    struct err *err)
{
	__attribute__((cleanup(buf_wipe))) struct buf b = BUF(WIRE_MAX_TOKEN);

	if (buf_reserve(&b, WIRE_MAX_TOKEN) == NULL)
		return err_set(err, ERR_RETRY, "out of memory");
	put_u64(&b, m->id);
	put_str(&b, m->token.text);
	put_time(&b, m->token.expires_at);
	put_str(&b, m->text);
	return wire_send_payload(ch, WIRE_TOKEN, &b, -1, err);
}

int
wire_get_token(const struct frame *frame, struct wire_token *m,
    struct err *err)
{
	struct cursor c = CURSOR(frame->payload);

	m->id = get_u64(&c);
	get_str(&c, m->token.text, sizeof(m->token.text));
	m->token.expires_at = get_time(&c);
	get_str(&c, m->text, sizeof(m->text));
	if (wire_finish(frame, WIRE_TOKEN, &c, err) == -1)
		return -1;
	if (m->token.text[0] == '\0' && m->text[0] == '\0')
		return err_set(err, ERR_FAULT, "no token and no reason");
	return 0;
}
