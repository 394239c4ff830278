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
	put_envelope(&b, &m->envelope);
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
	get_envelope(&c, &m->envelope);
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
wire_send_mailbox(struct channel *ch, const struct wire_mailbox *m,
    struct err *err)
{
	OWNED_BUF(b, 1024);

	put_str(&b, m->mailbox);
	put_u8(&b, m->connected);
	put_str(&b, m->text);
	put_time(&b, m->since);
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
	m->since = get_time(&c);
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
