#include "ocspd/wire.h"

#include "common/err.h"

#include <string.h>

static int
broken(struct err *err, const char *what)
{
	return err_set(err, ERR_FAULT, "a broken %s frame", what);
}

int
wire_queue_ask(struct channel *ch, const struct wire_ask *ask,
    struct err *err)
{
	const struct request *r = ask->request;
	OWNED_BUF(out, WIRE_MAX_ASK);

	put_u64(&out, ask->id);
	put_u8(&out, r->has_nonce);
	put_bytes(&out, (struct bytes){ r->nonce, r->nonce_len });
	put_u32(&out, (uint32_t)r->n_preferred);
	for (size_t i = 0; i < r->n_preferred; i++)
		put_u8(&out, (uint8_t)r->preferred[i]);
	put_u32(&out, (uint32_t)r->n_ids);
	for (size_t i = 0; i < r->n_ids; i++) {
		put_u8(&out, (uint8_t)r->ids[i].hash);
		put_u8(&out, r->ids[i].null_params);
		put_bytes(&out, r->ids[i].name_hash);
		put_bytes(&out, r->ids[i].key_hash);
		put_bytes(&out, r->ids[i].serial);
	}
	if (out.failed)
		return err_set(err, ERR_RETRY, "a request too long to ask");
	return channel_queue(ch, WIRE_ASK, buf_bytes(&out), -1, err);
}

int
wire_get_ask(const struct frame *frame, struct wire_ask *ask,
    struct err *err)
{
	struct cursor c = CURSOR(frame->payload);
	struct request *r = ask->request;
	struct bytes nonce;

	ask->id = get_u64(&c);
	r->has_nonce = get_bool(&c);
	nonce = get_bytes(&c, REQUEST_MAX_NONCE);
	r->nonce_len = nonce.len;
	if (nonce.len > 0)
		memcpy(r->nonce, nonce.data, nonce.len);
	r->n_preferred = get_count(&c, SIGNATURES);
	for (size_t i = 0; i < r->n_preferred; i++)
		r->preferred[i] = (enum signature_alg)get_enum(&c, 1,
		    SIGNATURES);
	r->n_ids = get_count(&c, REQUEST_MAX_CERT_IDS);
	r->is_signed = false;
	r->why = "";
	if (c.failed || r->n_ids == 0 || r->has_nonce != (nonce.len > 0))
		return broken(err, "ask");
	for (size_t i = 0; i < r->n_ids; i++) {
		struct cert_id *id = &r->ids[i];

		id->hash = (enum cert_hash)get_enum(&c, CERT_HASH_SHA1,
		    CERT_HASH_SHA512);
		id->null_params = get_bool(&c);
		id->name_hash = get_bytes(&c, cert_hash_octets(id->hash));
		id->key_hash = get_bytes(&c, cert_hash_octets(id->hash));
		id->serial = get_bytes(&c, REQUEST_MAX_SERIAL);
		id->der = (struct bytes){ 0 };
		if (id->name_hash.len != cert_hash_octets(id->hash) ||
		    id->key_hash.len != cert_hash_octets(id->hash) ||
		    id->serial.len == 0)
			return broken(err, "ask");
	}
	return cursor_end(&c) ? 0 : broken(err, "ask");
}

int
wire_queue_answer(struct channel *ch, const struct wire_answer *a,
    struct err *err)
{
	OWNED_BUF(out, WIRE_MAX_ANSWER);

	put_u64(&out, a->id);
	put_u8(&out, (uint8_t)a->status);
	put_u8(&out, a->cacheable);
	put_time(&out, a->this_update);
	put_time(&out, a->next_update);
	put_bytes(&out, a->der);
	if (out.failed)
		return err_set(err, ERR_FAULT, "an answer too long to send");
	return channel_queue(ch, WIRE_ANSWER, buf_bytes(&out), -1, err);
}

int
wire_get_answer(const struct frame *frame, struct wire_answer *a,
    struct err *err)
{
	struct cursor c = CURSOR(frame->payload);

	a->id = get_u64(&c);
	a->status = (enum ocsp_status)get_enum(&c, OCSP_SUCCESSFUL,
	    OCSP_UNAUTHORIZED);
	a->cacheable = get_bool(&c);
	a->this_update = get_time(&c);
	a->next_update = get_time(&c);
	a->der = get_bytes(&c, WIRE_MAX_ANSWER);
	if (!cursor_end(&c) ||
	    (a->status == OCSP_SUCCESSFUL) != (a->der.len > 0))
		return broken(err, "answer");
	return 0;
}

int
wire_send_counters(struct channel *ch, uint32_t place, int fd,
    struct err *err)
{
	OWNED_BUF(out, 16);

	put_u32(&out, place);
	return channel_send(ch, WIRE_COUNTERS, buf_bytes(&out), fd, err);
}

int
wire_get_counters(const struct frame *frame, uint32_t *place,
    struct err *err)
{
	struct cursor c = CURSOR(frame->payload);

	*place = get_u32(&c);
	return frame->type == WIRE_COUNTERS && cursor_end(&c) ? 0 :
	    broken(err, "counters");
}
