#include "csrmaild/wire_private.h"

#include "common/err.h"
#include "csrmaild/wire.h"

#include <string.h>

static void
put_envelope(struct buf *b, const struct envelope *m)
{
	put_str(b, m->from);
	put_u8(b, m->evidence);
	put_str(b, m->automatic);
	put_str(b, m->message_id);
	put_str(b, m->references);
	put_str(b, m->subject);
	put_time(b, m->date);
	put_str(b, m->detail);
	put_str(b, m->language);
	put_u8(b, m->has_token);
	wire_put_octets(b, m->token, sizeof(m->token));
}

static void
get_envelope(struct cursor *c, struct envelope *m)
{
	get_str(c, m->from, sizeof(m->from));
	m->evidence = get_enum(c, 0, EVIDENCE_ALL);
	get_str(c, m->automatic, sizeof(m->automatic));
	get_str(c, m->message_id, sizeof(m->message_id));
	get_str(c, m->references, sizeof(m->references));
	get_str(c, m->subject, sizeof(m->subject));
	m->date = get_time(c);
	get_str(c, m->detail, sizeof(m->detail));
	get_str(c, m->language, sizeof(m->language));
	m->has_token = get_bool(c);
	wire_get_octets(c, m->token, sizeof(m->token));
}

const char *
channel_kind_name(enum channel_kind kind)
{
	static const char *const names[] = { [CHANNEL_MAIL] = "mail",
		[CHANNEL_FILE] = "file", [CHANNEL_CLI] = "cli" };

	return names[kind];
}

int
wire_send_submit(struct channel *ch, const struct wire_submit *m,
    struct err *err)
{
	OWNED_BUF(b, WIRE_MAX_SUBMIT);

	put_u64(&b, m->id);
	put_str(&b, m->mailbox);
	put_u32(&b, m->uid_validity);
	put_u32(&b, m->uid);
	put_u64(&b, m->octets);
	wire_put_octets(&b, m->octets_digest, sizeof(m->octets_digest));
	put_u8(&b, (uint8_t)m->channel);
	put_str(&b, m->file);
	put_u32(&b, m->owner);
	put_u64(&b, m->delivery);
	put_envelope(&b, &m->envelope);
	put_u8(&b, m->is_signed);
	if (m->is_signed)
		wire_put_signature(&b, &m->signature);
	put_findings(&b, m->findings);
	return wire_send_payload(ch, WIRE_SUBMIT, &b, -1, err);
}

int
wire_get_submit(const struct frame *frame, struct wire_submit *m,
    struct err *err)
{
	struct cursor c = CURSOR(frame->payload);

	m->findings = NULL;
	m->id = get_u64(&c);
	get_str(&c, m->mailbox, sizeof(m->mailbox));
	m->uid_validity = get_u32(&c);
	m->uid = get_u32(&c);
	m->octets = get_u64(&c);
	wire_get_octets(&c, m->octets_digest, sizeof(m->octets_digest));
	m->channel = (enum channel_kind)get_enum(&c, CHANNEL_MAIL,
	    CHANNEL_CLI);
	get_str(&c, m->file, sizeof(m->file));
	m->owner = get_u32(&c);
	m->delivery = get_u64(&c);
	get_envelope(&c, &m->envelope);
	m->is_signed = get_bool(&c);
	memset(&m->signature, 0, sizeof(m->signature));
	if (m->is_signed)
		wire_get_signature(&c, &m->signature);
	get_findings(&c, &m->findings);
	if (wire_finish(frame, WIRE_SUBMIT, &c, err) == 0)
		return 0;
	wire_submit_free_contents(m);
	return -1;
}

void
wire_submit_free_contents(struct wire_submit *m)
{
	findings_free(m->findings);
	m->findings = NULL;
}

static const char *const outcome_names[] = {
	[OUTCOME_PROCESSED] = "processed",
	[OUTCOME_HELD] = "held",
	[OUTCOME_REJECTED] = "rejected",
	[OUTCOME_UNREADABLE] = "unreadable",
};

const char *
outcome_name(enum outcome outcome)
{
	return outcome_names[outcome];
}

int
outcome_from_name(const char *name, enum outcome *out)
{
	for (int i = OUTCOME_PROCESSED; i <= OUTCOME_UNREADABLE; i++)
		if (strcmp(name, outcome_names[i]) == 0) {
			*out = (enum outcome)i;
			return 0;
		}
	return -1;
}

int
wire_send_outcome(struct channel *ch, const struct wire_outcome *m,
    struct err *err)
{
	OWNED_BUF(b, 64);

	put_u64(&b, m->id);
	put_u8(&b, (uint8_t)m->outcome);
	return wire_send_payload(ch, WIRE_OUTCOME, &b, -1, err);
}

int
wire_get_outcome(const struct frame *frame, struct wire_outcome *m,
    struct err *err)
{
	struct cursor c = CURSOR(frame->payload);

	m->id = get_u64(&c);
	m->outcome = (enum outcome)get_enum(&c, OUTCOME_PROCESSED,
	    OUTCOME_UNREADABLE);
	return wire_finish(frame, WIRE_OUTCOME, &c, err);
}

int
wire_send_deliver(struct channel *ch, const struct wire_deliver *m, int fd,
    struct err *err)
{
	OWNED_BUF(b, 512);

	put_u64(&b, m->id);
	put_str(&b, m->file);
	return wire_send_payload(ch, WIRE_DELIVER, &b, fd, err);
}

int
wire_get_deliver(const struct frame *frame, struct wire_deliver *m,
    struct err *err)
{
	struct cursor c = CURSOR(frame->payload);

	m->id = get_u64(&c);
	get_str(&c, m->file, sizeof(m->file));
	if (wire_finish(frame, WIRE_DELIVER, &c, err) == -1)
		return -1;
	return frame->fd >= 0 && m->id != 0 ? 0 : err_set(err, ERR_FAULT,
	    "a delivery without its octets, or without a number");
}

int
wire_send_mailbox(struct channel *ch, const struct wire_mailbox *m,
    struct err *err)
{
	OWNED_BUF(b, 1024);

	put_str(&b, m->mailbox);
	put_u8(&b, m->connected);
	put_str(&b, m->text);
	put_str(&b, m->trouble);
	put_time(&b, m->since);
	put_time(&b, m->next_attempt);
	return wire_send_payload(ch, WIRE_MAILBOX, &b, -1, err);
}

int
wire_get_mailbox(const struct frame *frame, struct wire_mailbox *m,
    struct err *err)
{
	struct cursor c = CURSOR(frame->payload);

	get_str(&c, m->mailbox, sizeof(m->mailbox));
	m->connected = get_bool(&c);
	get_str(&c, m->text, sizeof(m->text));
	get_str(&c, m->trouble, sizeof(m->trouble));
	m->since = get_time(&c);
	m->next_attempt = get_time(&c);
	return wire_finish(frame, WIRE_MAILBOX, &c, err);
}

/* --- submit ---------------------------------------------------- */

int
wire_send_send(struct channel *ch, const struct wire_send *m, struct err *err)
{
	OWNED_BUF(b, WIRE_MAX_MAIL + 1024);

	put_u64(&b, m->id);
	put_str(&b, m->sender);
	put_str(&b, m->recipient);
	put_bytes(&b, m->message);
	return wire_send_payload(ch, WIRE_SEND, &b, -1, err);
}

int
wire_get_send(const struct frame *frame, struct wire_send *m, struct err *err)
{
	struct cursor c = CURSOR(frame->payload);

	m->id = get_u64(&c);
	get_str(&c, m->sender, sizeof(m->sender));
	get_str(&c, m->recipient, sizeof(m->recipient));
	m->message = get_bytes(&c, WIRE_MAX_MAIL);
	return wire_finish(frame, WIRE_SEND, &c, err);
}

int
wire_send_sent(struct channel *ch, const struct wire_sent *m, struct err *err)
{
	OWNED_BUF(b, 1024);

	put_u64(&b, m->id);
	put_u8(&b, (uint8_t)m->result);
	put_u16(&b, m->code);
	put_str(&b, m->text);
	return wire_send_payload(ch, WIRE_SENT, &b, -1, err);
}

int
wire_get_sent(const struct frame *frame, struct wire_sent *m, struct err *err)
{
	struct cursor c = CURSOR(frame->payload);

	m->id = get_u64(&c);
	m->result = (enum sent_result)get_enum(&c, SENT_ACCEPTED,
	    SENT_REFUSED);
	m->code = get_u16(&c);
	get_str(&c, m->text, sizeof(m->text));
	return wire_finish(frame, WIRE_SENT, &c, err);
}
