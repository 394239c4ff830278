#include "csrmaild/unlock.h"

#include "common/frame.h"
#include "common/owned.h"

#include <stdio.h>
#include <string.h>

static int
put_frame(enum unlock_verb verb, const struct buf *payload, struct buf *out,
    struct err *err)
{
	put_u32(out, (uint32_t)payload->len);
	put_u16(out, (uint16_t)verb);
	put_u8(out, FRAME_VERSION);
	put_u8(out, 0);
	buf_append(out, payload->data, payload->len);
	return payload->failed || out->failed ? err_set(err, ERR_FAULT,
	    "this does not fit a frame of unlock.sock") : 0;
}

/* 0: the payload of a whole frame; 1: there is more to come. */
static int
get_frame(struct bytes in, size_t max, uint16_t lo, uint16_t hi,
    uint16_t *verb, struct bytes *payload, struct err *err)
{
	struct cursor c = CURSOR(bytes_slice(in, 0, FRAME_HEADER_OCTETS));
	uint32_t len;
	uint8_t version, fds;

	if (in.len < FRAME_HEADER_OCTETS)
		return 1;
	len = get_u32(&c);
	*verb = get_u16(&c);
	version = get_u8(&c);
	fds = get_u8(&c);
	/* Before anybody waits for the octets that are promised. */
	if (len > max - FRAME_HEADER_OCTETS || version != FRAME_VERSION ||
	    fds != 0 || *verb < lo || *verb > hi ||
	    in.len > FRAME_HEADER_OCTETS + (size_t)len)
		return err_set(err, ERR_FAULT, "a broken frame");
	if (in.len < FRAME_HEADER_OCTETS + (size_t)len)
		return 1;
	*payload = bytes_slice(in, FRAME_HEADER_OCTETS, len);
	return 0;
}

int
unlock_put_request(const struct unlock_request *request, struct buf *out,
    struct err *err)
{
	__attribute__((cleanup(buf_wipe))) struct buf payload =
	    BUF(UNLOCK_MAX_REQUEST);

	/* At once, so that growing leaves no copies behind. */
	if (buf_reserve(&payload, UNLOCK_MAX_REQUEST) == NULL ||
	    buf_reserve(out, UNLOCK_MAX_REQUEST) == NULL)
		return err_set(err, ERR_RETRY, "out of memory");
	put_str(&payload, request->ca);
	put_bytes(&payload, request->passphrase);
	return put_frame(request->verb, &payload, out, err);
}

int
unlock_get_request(struct bytes in, struct unlock_request *out,
    struct err *err)
{
	struct unlock_request request = { 0 };
	struct bytes payload;
	struct cursor c;
	uint16_t verb;
	int r = get_frame(in, UNLOCK_MAX_REQUEST, UNLOCK_OPEN, UNLOCK_CLOSE,
	    &verb, &payload, err);

	if (r != 0)
		return r;
	c = CURSOR(payload);
	request.verb = (enum unlock_verb)verb;
	get_str(&c, request.ca, sizeof(request.ca));
	request.passphrase = get_bytes(&c, KEYSTORE_PASSPHRASE_MAX);
	if (!cursor_end(&c))
		return err_set(err, ERR_FAULT, "a broken frame");
	*out = request;
	return 0;
}

int
unlock_put_answer(const struct unlock_answer *answer, struct buf *out,
    struct err *err)
{
	OWNED_BUF(payload, UNLOCK_MAX_ANSWER);

	put_u8(&payload, answer->done);
	put_u8(&payload, answer->done ? 0 : (uint8_t)answer->kind);
	put_str(&payload, answer->text);
	return put_frame(UNLOCK_ANSWER, &payload, out, err);
}

int
unlock_get_answer(struct bytes in, struct unlock_answer *out,
    struct err *err)
{
	struct unlock_answer answer = { 0 };
	struct bytes payload;
	struct cursor c;
	uint16_t verb;
	int r = get_frame(in, UNLOCK_MAX_ANSWER, UNLOCK_ANSWER, UNLOCK_ANSWER,
	    &verb, &payload, err);

	if (r != 0)
		return r;
	c = CURSOR(payload);
	answer.done = get_bool(&c);
	if (answer.done)
		(void)get_enum(&c, 0, 0);
	else
		answer.kind = (enum err_kind)get_enum(&c, ERR_REJECT,
		    ERR_FAULT);
	get_str(&c, answer.text, sizeof(answer.text));
	if (!cursor_end(&c))
		return err_set(err, ERR_FAULT, "a broken frame");
	*out = answer;
	return 0;
}
