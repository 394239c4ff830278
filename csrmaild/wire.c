#include "csrmaild/wire.h"

#include "common/err.h"

#include <stdlib.h>
#include <string.h>

/* Octets of an RSA modulus. */
#define MIN_MODULUS	256
#define MAX_MODULUS	1024

/* Every send ends here: a payload that did not fit its ceiling is our bug. */
static int
send_payload(struct channel *ch, uint16_t type, const struct buf *payload,
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
static int
finish(const struct frame *frame, enum wire_type want, const struct cursor *c,
    struct err *err)
{
	if (frame->type == want && cursor_end(c))
		return 0;
	return err_set(err, ERR_FAULT, "a broken frame (type %u)",
	    frame->type);
}

static void
put_octets(struct buf *b, const uint8_t *octets, size_t n)
{
	buf_append(b, octets, n);
}

static void
get_octets(struct cursor *c, uint8_t *out, size_t n)
{
	for (size_t i = 0; i < n; i++)
		out[i] = get_u8(c);
}

static void
put_serial(struct buf *b, const struct serial *serial)
{
	put_bytes(b, (struct bytes){ serial->octets, serial->len });
}

/* An empty one (len 0) is allowed: some frames are about no certificate. */
static void
get_serial(struct cursor *c, struct serial *out)
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

static void
put_key_facts(struct buf *b, const struct key_facts *key)
{
	put_u8(b, (uint8_t)key->kind);
	put_u16(b, key->bits);
	put_octets(b, key->spki_sha256, sizeof(key->spki_sha256));
	put_octets(b, key->key_sha1, sizeof(key->key_sha1));
}

static void
get_key_facts(struct cursor *c, struct key_facts *key)
{
	key->kind = (enum key_kind)get_enum(c, KEY_RSA, KEY_ED448);
	key->bits = get_u16(c);
	get_octets(c, key->spki_sha256, sizeof(key->spki_sha256));
	get_octets(c, key->key_sha1, sizeof(key->key_sha1));
}

/* --- parser ---------------------------------------------------------------- */

int
wire_send_examine(struct channel *ch, const struct wire_examine *m,
    struct err *err)
{
	OWNED_BUF(b, WIRE_MAX_MESSAGE + 64);

	put_u64(&b, m->id);
	put_u8(&b, (uint8_t)m->kind);
	put_u32(&b, m->max_depth);
	put_u32(&b, m->max_parts);
	put_u32(&b, m->max_header_octets);
	put_bytes(&b, m->octets);
	return send_payload(ch, WIRE_EXAMINE, &b, -1, err);
}

int
wire_get_examine(const struct frame *frame, struct wire_examine *m,
    struct err *err)
{
	struct cursor c = CURSOR(frame->payload);

	m->id = get_u64(&c);
	m->kind = (enum examine_kind)get_enum(&c, EXAMINE_MAIL, EXAMINE_CSR);
	m->max_depth = get_u32(&c);
	m->max_parts = get_u32(&c);
	m->max_header_octets = get_u32(&c);
	m->octets = get_bytes(&c, WIRE_MAX_MESSAGE);
	return finish(frame, WIRE_EXAMINE, &c, err);
}

/* 2048 to 8192 bits, as many as the facts say, and odd; of RSA only. It is
 * compared with every other one, which must never fail. */
static bool
modulus_fits(struct bytes n, const struct key_facts *key)
{
	size_t bits = n.len * 8;

	if (key->kind != KEY_RSA)
		return n.len == 0;
	if (n.len < MIN_MODULUS || n.data[0] == 0 ||
	    (n.data[n.len - 1] & 1) == 0)
		return false;
	for (uint8_t top = n.data[0]; (top & 0x80) == 0;
	    top = (uint8_t)(top << 1))
		bits--;
	return bits == key->bits && bits >= MIN_MODULUS * 8;
}

static void
put_candidate(struct buf *b, const struct candidate *m)
{
	put_u8(b, m->forwarded);
	put_u8(b, m->good);
	put_str(b, m->text);
	put_bytes(b, m->der);
	if (!m->good)
		return;
	put_octets(b, m->digest, sizeof(m->digest));
	put_key_facts(b, &m->key);
	put_bytes(b, m->modulus);
	put_names(b, &m->names);
	put_str(b, m->ignored);
	put_u8(b, m->has_challenge);
	put_octets(b, m->challenge, sizeof(m->challenge));
}

static void
get_candidate(struct cursor *c, struct candidate *m)
{
	m->forwarded = get_bool(c);
	m->good = get_bool(c);
	get_str(c, m->text, sizeof(m->text));
	m->der = get_bytes(c, CSR_MAX_OCTETS);
	if (!m->good)
		return;
	/* An order without a request would end the signer, again and again. */
	if (m->der.len == 0)
		c->failed = true;
	get_octets(c, m->digest, sizeof(m->digest));
	get_key_facts(c, &m->key);
	m->modulus = get_bytes(c, MAX_MODULUS);
	if (!modulus_fits(m->modulus, &m->key))
		c->failed = true;
	get_names(c, &m->names);
	get_str(c, m->ignored, sizeof(m->ignored));
	m->has_challenge = get_bool(c);
	get_octets(c, m->challenge, sizeof(m->challenge));
}

void
put_findings(struct buf *b, const struct findings *m)
{
	put_u64(b, m->id);
	put_u8(b, (uint8_t)m->status);
	put_str(b, m->text);
	put_u8(b, m->private_key);
	put_u8(b, m->has_burnt);
	put_octets(b, m->burnt_spki_sha256, sizeof(m->burnt_spki_sha256));
	put_u32(b, (uint32_t)m->n_candidates);
	for (size_t i = 0; i < m->n_candidates; i++)
		put_candidate(b, &m->candidates[i]);
	put_u32(b, (uint32_t)m->n_parts);
	for (size_t i = 0; i < m->n_parts; i++)
		put_str(b, m->parts[i]);
}

void
get_findings(struct cursor *c, struct findings **out)
{
	OWNED_STRUCT(findings) *m = calloc(1, sizeof(*m));
	size_t n;

	if (m == NULL) {
		c->failed = true;
		return;
	}
	m->id = get_u64(c);
	m->status = (enum findings_status)get_enum(c, FINDINGS_OK,
	    FINDINGS_UNREADABLE);
	get_str(c, m->text, sizeof(m->text));
	m->private_key = get_bool(c);
	m->has_burnt = get_bool(c);
	get_octets(c, m->burnt_spki_sha256, sizeof(m->burnt_spki_sha256));
	/* Counted as they are read, so that freeing sees only what is there. */
	n = get_count(c, WIRE_MAX_CANDIDATES);
	while (m->n_candidates < n && !c->failed)
		get_candidate(c, &m->candidates[m->n_candidates++]);
	n = get_count(c, WIRE_MAX_PARTS);
	while (m->n_parts < n && !c->failed) {
		get_str(c, m->parts[m->n_parts], sizeof(m->parts[0]));
		m->n_parts++;
	}
	if (!c->failed)
		*out = TAKE(m);
}

void
findings_free(struct findings *m)
{
	if (m == NULL)
		return;
	for (size_t i = 0; i < m->n_candidates; i++)
		names_free(&m->candidates[i].names);
	free(m);
}

/* --- intake ------------------------------------------------------------------ */

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
	put_octets(&b, m->octets_digest, sizeof(m->octets_digest));
	put_envelope(&b, &m->envelope);
	put_findings(&b, m->findings);
	return send_payload(ch, WIRE_SUBMIT, &b, -1, err);
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
	get_octets(&c, m->octets_digest, sizeof(m->octets_digest));
	get_envelope(&c, &m->envelope);
	get_findings(&c, &m->findings);
	if (finish(frame, WIRE_SUBMIT, &c, err) == 0)
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
	return send_payload(ch, WIRE_OUTCOME, &b, -1, err);
}

int
wire_get_outcome(const struct frame *frame, struct wire_outcome *m,
    struct err *err)
{
	struct cursor c = CURSOR(frame->payload);

	m->id = get_u64(&c);
	m->outcome = (enum outcome)get_enum(&c, OUTCOME_PROCESSED,
	    OUTCOME_UNREADABLE);
	return finish(frame, WIRE_OUTCOME, &c, err);
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
	return send_payload(ch, WIRE_MAILBOX, &b, -1, err);
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
	return finish(frame, WIRE_MAILBOX, &c, err);
}

/* --- signer ------------------------------------------------------------------ */

int
wire_send_issued(struct channel *ch, const struct wire_issued *m,
    struct err *err)
{
	OWNED_BUF(b, WIRE_MAX_ISSUE);

	put_str(&b, m->ca);
	put_serial(&b, &m->serial);
	put_bytes(&b, m->der);
	return send_payload(ch, WIRE_ISSUED, &b, -1, err);
}

int
wire_get_issued(const struct frame *frame, struct wire_issued *m,
    struct err *err)
{
	struct cursor c = CURSOR(frame->payload);

	get_str(&c, m->ca, sizeof(m->ca));
	get_serial(&c, &m->serial);
	m->der = get_bytes(&c, WIRE_MAX_ISSUE);
	return finish(frame, WIRE_ISSUED, &c, err);
}

int
wire_send_refused(struct channel *ch, const struct wire_refused *m,
    struct err *err)
{
	OWNED_BUF(b, 1024);

	put_str(&b, m->ca);
	put_serial(&b, &m->serial);
	put_u8(&b, m->kind);
	put_str(&b, m->text);
	return send_payload(ch, WIRE_REFUSED, &b, -1, err);
}

int
wire_get_refused(const struct frame *frame, struct wire_refused *m,
    struct err *err)
{
	struct cursor c = CURSOR(frame->payload);

	get_str(&c, m->ca, sizeof(m->ca));
	get_serial(&c, &m->serial);
	m->kind = get_enum(&c, ERR_REJECT, ERR_FAULT);
	get_str(&c, m->text, sizeof(m->text));
	return finish(frame, WIRE_REFUSED, &c, err);
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
	return send_payload(ch, WIRE_CRL_OPEN, &b, fd, err);
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
	if (finish(frame, WIRE_CRL_OPEN, &c, err) == -1)
		return -1;
	if (frame->fd < 0)
		return err_set(err, ERR_FAULT, "a CRL without a descriptor");
	return 0;
}

static void
put_crl_entry(struct buf *b, const struct crl_entry *m)
{
	put_serial(b, &m->serial);
	put_time(b, m->revoked_at);
	put_u8(b, (uint8_t)m->reason);
	put_time(b, m->invalidity);
}

static void
get_crl_entry(struct cursor *c, struct crl_entry *m)
{
	get_serial(c, &m->serial);
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
	return send_payload(ch, WIRE_CRL_ENTRIES, &b, -1, err);
}

int
wire_get_crl_entries(const struct frame *frame, struct crl_entry *out,
    size_t *n, struct err *err)
{
	struct cursor c = CURSOR(frame->payload);

	*n = get_count(&c, WIRE_MAX_CRL_ENTRIES);
	for (size_t i = 0; i < *n; i++)
		get_crl_entry(&c, &out[i]);
	return finish(frame, WIRE_CRL_ENTRIES, &c, err);
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
	return send_payload(ch, WIRE_CRL_DONE, &b, -1, err);
}

int
wire_get_crl_done(const struct frame *frame, struct wire_crl_done *m,
    struct err *err)
{
	struct cursor c = CURSOR(frame->payload);

	get_str(&c, m->ca, sizeof(m->ca));
	m->number = get_u64(&c);
	return finish(frame, WIRE_CRL_DONE, &c, err);
}

int
wire_send_revoked(struct channel *ch, const struct wire_revoked *m,
    struct err *err)
{
	OWNED_BUF(b, 256);

	put_str(&b, m->ca);
	put_crl_entry(&b, &m->entry);
	return send_payload(ch, WIRE_REVOKED, &b, -1, err);
}

int
wire_get_revoked(const struct frame *frame, struct wire_revoked *m,
    struct err *err)
{
	struct cursor c = CURSOR(frame->payload);

	get_str(&c, m->ca, sizeof(m->ca));
	get_crl_entry(&c, &m->entry);
	return finish(frame, WIRE_REVOKED, &c, err);
}

int
wire_send_blocked(struct channel *ch, const struct wire_blocked *m,
    struct err *err)
{
	OWNED_BUF(b, 64);

	put_octets(&b, m->spki_sha256, sizeof(m->spki_sha256));
	put_time(&b, m->at);
	return send_payload(ch, WIRE_BLOCKED, &b, -1, err);
}

int
wire_get_blocked(const struct frame *frame, struct wire_blocked *m,
    struct err *err)
{
	struct cursor c = CURSOR(frame->payload);

	get_octets(&c, m->spki_sha256, sizeof(m->spki_sha256));
	m->at = get_time(&c);
	return finish(frame, WIRE_BLOCKED, &c, err);
}

int
wire_send_keys(struct channel *ch, const struct wire_keys *m, struct err *err)
{
	OWNED_BUF(b, 1024);

	put_str(&b, m->ca);
	put_u8(&b, m->open);
	put_str(&b, m->text);
	put_str(&b, m->who);
	return send_payload(ch, WIRE_KEYS, &b, -1, err);
}

int
wire_get_keys(const struct frame *frame, struct wire_keys *m, struct err *err)
{
	struct cursor c = CURSOR(frame->payload);

	get_str(&c, m->ca, sizeof(m->ca));
	m->open = get_bool(&c);
	get_str(&c, m->text, sizeof(m->text));
	get_str(&c, m->who, sizeof(m->who));
	return finish(frame, WIRE_KEYS, &c, err);
}

/* --- submit ------------------------------------------------------------------ */

int
wire_send_send(struct channel *ch, const struct wire_send *m, struct err *err)
{
	OWNED_BUF(b, WIRE_MAX_MAIL + 1024);

	put_u64(&b, m->id);
	put_str(&b, m->sender);
	put_str(&b, m->recipient);
	put_bytes(&b, m->message);
	return send_payload(ch, WIRE_SEND, &b, -1, err);
}

int
wire_get_send(const struct frame *frame, struct wire_send *m, struct err *err)
{
	struct cursor c = CURSOR(frame->payload);

	m->id = get_u64(&c);
	get_str(&c, m->sender, sizeof(m->sender));
	get_str(&c, m->recipient, sizeof(m->recipient));
	m->message = get_bytes(&c, WIRE_MAX_MAIL);
	return finish(frame, WIRE_SEND, &c, err);
}

int
wire_send_sent(struct channel *ch, const struct wire_sent *m, struct err *err)
{
	OWNED_BUF(b, 1024);

	put_u64(&b, m->id);
	put_u8(&b, (uint8_t)m->result);
	put_u16(&b, m->code);
	put_str(&b, m->text);
	return send_payload(ch, WIRE_SENT, &b, -1, err);
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
	return finish(frame, WIRE_SENT, &c, err);
}

/* --- api --------------------------------------------------------------------- */

static int
send_number(struct channel *ch, enum wire_type type, uint64_t number, int fd,
    struct err *err)
{
	OWNED_BUF(b, 16);

	put_u64(&b, number);
	return send_payload(ch, (uint16_t)type, &b, fd, err);
}

int
wire_send_connection(struct channel *ch, uint64_t connection, int fd,
    struct err *err)
{
	return send_number(ch, WIRE_CONNECTION, connection, fd, err);
}

int
wire_get_connection(const struct frame *frame, uint64_t *connection,
    struct err *err)
{
	struct cursor c = CURSOR(frame->payload);

	*connection = get_u64(&c);
	if (finish(frame, WIRE_CONNECTION, &c, err) == -1)
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
	return send_payload(ch, WIRE_CALL, &b, -1, err);
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
	return finish(frame, WIRE_CALL, &c, err);
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
	return send_payload(ch, WIRE_RESULT, &b, -1, err);
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
	return finish(frame, WIRE_RESULT, &c, err);
}

int
wire_send_closed(struct channel *ch, uint64_t connection, struct err *err)
{
	return send_number(ch, WIRE_CLOSED, connection, -1, err);
}

int
wire_get_closed(const struct frame *frame, uint64_t *connection,
    struct err *err)
{
	struct cursor c = CURSOR(frame->payload);

	*connection = get_u64(&c);
	return finish(frame, WIRE_CLOSED, &c, err);
}
