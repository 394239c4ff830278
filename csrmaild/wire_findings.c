#include "csrmaild/wire_private.h"

#include "common/err.h"
#include "csrmaild/hint.h"
#include "csrmaild/wire.h"

#include <stdlib.h>
#include <string.h>

/* Octets of an RSA modulus. */
#define MIN_MODULUS	256
#define MAX_MODULUS	1024

static void
put_key_facts(struct buf *b, const struct key_facts *key)
{
	put_u8(b, (uint8_t)key->kind);
	put_u16(b, key->bits);
	wire_put_octets(b, key->spki_sha256, sizeof(key->spki_sha256));
	wire_put_octets(b, key->key_sha1, sizeof(key->key_sha1));
}

static void
get_key_facts(struct cursor *c, struct key_facts *key)
{
	key->kind = (enum key_kind)get_enum(c, KEY_RSA, KEY_ED448);
	key->bits = get_u16(c);
	wire_get_octets(c, key->spki_sha256, sizeof(key->spki_sha256));
	wire_get_octets(c, key->key_sha1, sizeof(key->key_sha1));
}

int
wire_send_examine(struct channel *ch, const struct wire_examine *m,
    struct err *err)
{
	OWNED_BUF(b, WIRE_MAX_EXAMINE);

	put_u64(&b, m->id);
	put_u8(&b, (uint8_t)m->kind);
	put_u32(&b, m->max_depth);
	put_u32(&b, m->max_parts);
	put_u32(&b, m->max_header_octets);
	put_bytes(&b, m->octets);
	put_bytes(&b, m->anchors);
	put_bytes(&b, m->dkim_keys);
	return wire_send_payload(ch, WIRE_EXAMINE, &b, -1, err);
}

int
wire_get_examine(const struct frame *frame, struct wire_examine *m,
    struct err *err)
{
	struct cursor c = CURSOR(frame->payload);

	m->id = get_u64(&c);
	m->kind = (enum examine_kind)get_enum(&c, EXAMINE_MAIL,
	    EXAMINE_DKIM);
	m->max_depth = get_u32(&c);
	m->max_parts = get_u32(&c);
	m->max_header_octets = get_u32(&c);
	m->octets = get_bytes(&c, WIRE_MAX_MESSAGE);
	m->anchors = get_bytes(&c, WIRE_MAX_ANCHORS);
	m->dkim_keys = get_bytes(&c, WIRE_MAX_DKIM_KEYS);
	return wire_finish(frame, WIRE_EXAMINE, &c, err);
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
	wire_put_octets(b, m->digest, sizeof(m->digest));
	put_key_facts(b, &m->key);
	put_bytes(b, m->modulus);
	put_names(b, &m->names);
	put_str(b, m->ignored);
	put_u8(b, m->has_challenge);
	wire_put_octets(b, m->challenge, sizeof(m->challenge));
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
	wire_get_octets(c, m->digest, sizeof(m->digest));
	get_key_facts(c, &m->key);
	m->modulus = get_bytes(c, MAX_MODULUS);
	if (!modulus_fits(m->modulus, &m->key))
		c->failed = true;
	get_names(c, &m->names);
	get_str(c, m->ignored, sizeof(m->ignored));
	m->has_challenge = get_bool(c);
	wire_get_octets(c, m->challenge, sizeof(m->challenge));
}

static void
put_wish(struct buf *b, const struct wish *m)
{
	put_u8(b, (uint8_t)m->kind);
	wire_put_serial(b, &m->serial);
	put_u8(b, (uint8_t)m->reason);
	put_u64(b, m->request);
}

static void
get_wish(struct cursor *c, struct wish *m)
{
	m->kind = (enum wish_kind)get_enum(c, WISH_REVOKE, WISH_CONFIRM);
	wire_get_serial(c, &m->serial);
	m->reason = (enum crl_reason)get_enum(c, CRL_UNSPECIFIED,
	    CRL_AA_COMPROMISE);
	m->request = get_u64(c);
	if (crl_reason_name(m->reason) == NULL || m->request > INT64_MAX)
		c->failed = true;
}

void
wire_put_signature(struct buf *b, const struct signature *m)
{
	put_u8(b, m->good);
	put_str(b, m->text);
	put_bytes(b, m->der);
	wire_put_serial(b, &m->serial);
	put_u8(b, m->for_mail);
	put_u8(b, m->anchored);
	put_u32(b, (uint32_t)m->n_addresses);
	for (size_t i = 0; i < m->n_addresses; i++)
		put_str(b, m->addresses[i]);
	put_time(b, m->signed_at);
}

void
wire_get_signature(struct cursor *c, struct signature *m)
{
	size_t n;

	memset(m, 0, sizeof(*m));
	m->good = get_bool(c);
	get_str(c, m->text, sizeof(m->text));
	m->der = get_bytes(c, WIRE_MAX_SIGNER);
	wire_get_serial(c, &m->serial);
	m->for_mail = get_bool(c);
	m->anchored = get_bool(c);
	n = get_count(c, WIRE_MAX_ADDRESSES);
	while (m->n_addresses < n && !c->failed)
		get_str(c, m->addresses[m->n_addresses++],
		    sizeof(m->addresses[0]));
	m->signed_at = get_time(c);
	/* Nobody signs without a certificate. */
	if (m->good && m->der.len == 0)
		c->failed = true;
}

/* Which of the two it has, its length tells. */
static void
put_covered(struct buf *b, const struct findings *m)
{
	put_u8(b, m->is_signed);
	if (!m->is_signed)
		return;
	wire_put_signature(b, &m->signature);
	put_u32(b, m->covered_at);
	put_u32(b, m->covered_len);
	put_bytes(b, m->content);
}

static void
get_covered(struct cursor *c, struct findings *m)
{
	m->is_signed = get_bool(c);
	if (!m->is_signed)
		return;
	wire_get_signature(c, &m->signature);
	m->covered_at = get_u32(c);
	m->covered_len = get_u32(c);
	m->content = get_bytes(c, WIRE_MAX_FINDINGS);
	if (m->covered_len > WIRE_MAX_MESSAGE ||
	    m->covered_at > WIRE_MAX_MESSAGE ||
	    (m->covered_len > 0 && m->content.len > 0))
		c->failed = true;
}

static void
put_dkim(struct buf *b, const struct findings *m)
{
	put_u8(b, m->is_dkim);
	if (!m->is_dkim)
		return;
	put_u8(b, m->dkim.good);
	put_u8(b, (uint8_t)m->dkim.nth);
	put_str(b, m->dkim.text);
}

static void
get_dkim(struct cursor *c, struct findings *m)
{
	m->is_dkim = get_bool(c);
	if (!m->is_dkim)
		return;
	m->dkim.good = get_bool(c);
	m->dkim.nth = get_u8(c);
	get_str(c, m->dkim.text, sizeof(m->dkim.text));
}

void
put_findings(struct buf *b, const struct findings *m)
{
	put_u64(b, m->id);
	put_u8(b, (uint8_t)m->status);
	put_str(b, m->text);
	put_u8(b, m->private_key);
	put_u8(b, m->has_burnt);
	wire_put_octets(b, m->burnt_spki_sha256, sizeof(m->burnt_spki_sha256));
	put_u32(b, (uint32_t)m->n_candidates);
	for (size_t i = 0; i < m->n_candidates; i++)
		put_candidate(b, &m->candidates[i]);
	put_u32(b, (uint32_t)m->n_parts);
	for (size_t i = 0; i < m->n_parts; i++)
		put_str(b, m->parts[i]);
	put_u32(b, m->hints);
	put_u32(b, (uint32_t)m->n_wishes);
	for (size_t i = 0; i < m->n_wishes; i++)
		put_wish(b, &m->wishes[i]);
	put_str(b, m->bounced_id);
	put_str(b, m->bounce);
	put_covered(b, m);
	put_dkim(b, m);
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
	wire_get_octets(c, m->burnt_spki_sha256, sizeof(m->burnt_spki_sha256));
	/* Counted as they are read, so that freeing sees only what is there. */
	n = get_count(c, WIRE_MAX_CANDIDATES);
	while (m->n_candidates < n && !c->failed)
		get_candidate(c, &m->candidates[m->n_candidates++]);
	n = get_count(c, WIRE_MAX_PARTS);
	while (m->n_parts < n && !c->failed) {
		get_str(c, m->parts[m->n_parts], sizeof(m->parts[0]));
		m->n_parts++;
	}
	m->hints = get_u32(c);
	if ((m->hints & ~HINT_ALL) != 0)
		c->failed = true;
	n = get_count(c, WIRE_MAX_WISHES);
	while (m->n_wishes < n && !c->failed)
		get_wish(c, &m->wishes[m->n_wishes++]);
	get_str(c, m->bounced_id, sizeof(m->bounced_id));
	get_str(c, m->bounce, sizeof(m->bounce));
	get_covered(c, m);
	get_dkim(c, m);
	if (!c->failed)
		*out = TAKE(m);
}

bool
findings_answer(const struct findings *m, enum examine_kind kind)
{
	return m->status != FINDINGS_OK ||
	    (m->is_signed == (kind == EXAMINE_SIGNED) &&
	    m->is_dkim == (kind == EXAMINE_DKIM));
}

bool
findings_ask_for(const struct findings *m, enum wish_kind kind)
{
	for (size_t i = 0; i < m->n_wishes; i++)
		if (m->wishes[i].kind == kind)
			return true;
	return false;
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
