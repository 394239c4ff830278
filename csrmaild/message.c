#include "csrmaild/message.h"

#include "common/csr.h"
#include "common/err.h"
#include "csrmaild/part.h"
#include "csrmaild/part_kind.h"
#include "csrmaild/pem.h"
#include "csrmaild/quote.h"
#include "csrmaild/wire.h"
#include "csrmaild/wish.h"

#include <libetpan/mailmime.h>
#include <openssl/sha.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

_Static_assert(WIRE_MAX_CANDIDATES <= 32, "sets of candidates are 32 bits");

struct message {
	struct findings	*found;		/* owned */
	size_t		 max_body;	/* octets of one decoded part */
	struct pem_leak	 leak;
	/* What the candidates' views look at, one for each. */
	struct csr	*csrs[WIRE_MAX_CANDIDATES];	/* owned; good ones */
	struct buf	 ders[WIRE_MAX_CANDIDATES];	/* the others */
	uint8_t		 digests[WIRE_MAX_CANDIDATES][32];
};

/* Which candidates stand in some part of the tree: one bit each. */
typedef uint32_t candidate_set;

void
message_free(struct message *msg)
{
	if (msg == NULL)
		return;
	for (size_t i = 0; i < WIRE_MAX_CANDIDATES; i++) {
		csr_free(msg->csrs[i]);
		buf_free(&msg->ders[i]);
	}
	findings_free(msg->found);
	free(msg);
}

struct findings *
message_findings(const struct message *msg)
{
	return msg->found;
}

static int
message_new(size_t max_body, struct message **out, struct err *err)
{
	OWNED_STRUCT(message) *msg = calloc(1, sizeof(*msg));

	if (msg == NULL)
		return err_set(err, ERR_FAULT, "out of memory");
	for (size_t i = 0; i < WIRE_MAX_CANDIDATES; i++)
		msg->ders[i] = BUF(CSR_MAX_OCTETS);
	msg->max_body = max_body;
	msg->found = calloc(1, sizeof(*msg->found));
	if (msg->found == NULL)
		return err_set(err, ERR_FAULT, "out of memory");
	msg->found->status = FINDINGS_OK;
	*out = TAKE(msg);
	return 0;
}

/* --- candidates ---------------------------------------------------------- */

/*
 * The candidate whose octets are these, a new one if there is none yet. One
 * that also stands outside a forwarded text was written by the sender.
 */
static int
take_slot(struct message *msg, struct bytes octets, bool forwarded,
    candidate_set *set, struct candidate **fresh, struct err *err)
{
	struct findings *found = msg->found;
	uint8_t digest[32];
	size_t i;

	*fresh = NULL;
	SHA256(octets.data, octets.len, digest);
	for (i = 0; i < found->n_candidates; i++)
		if (memcmp(msg->digests[i], digest, sizeof(digest)) == 0)
			break;
	if (i == WIRE_MAX_CANDIDATES)
		return err_set(err, ERR_REJECT,
		    "the mail holds more than %d requests",
		    WIRE_MAX_CANDIDATES);
	*set |= (candidate_set)1 << i;
	if (i < found->n_candidates) {
		found->candidates[i].forwarded &= forwarded;
		return 0;
	}
	memcpy(msg->digests[i], digest, sizeof(digest));
	found->n_candidates++;
	found->candidates[i].forwarded = forwarded;
	*fresh = &found->candidates[i];
	return 0;
}

static int
add_der(struct message *msg, struct bytes der, bool forwarded,
    candidate_set *set, struct err *err)
{
	struct candidate *c;
	struct csr *csr = NULL;
	struct err why;
	size_t i;

	if (take_slot(msg, der, forwarded, set, &c, err) == -1)
		return -1;
	if (c == NULL)
		return 0;
	i = (size_t)(c - msg->found->candidates);
	if (csr_read(der, &csr, &why) == -1) {
		if (why.kind != ERR_REJECT) {
			*err = why;
			return -1;
		}
		snprintf(c->text, sizeof(c->text), "%s", why.text);
		if (der.len <= CSR_MAX_OCTETS &&
		    buf_append_bytes(&msg->ders[i], der) == 0)
			c->der = buf_bytes(&msg->ders[i]);
		return 0;
	}
	msg->csrs[i] = csr;
	c->good = true;
	c->der = csr->der;
	c->key = csr->key;
	if (csr->key.kind == KEY_RSA)
		c->modulus = key_rsa_modulus(csr->spki);
	c->has_challenge = csr->has_challenge;
	memcpy(c->challenge, csr->challenge, sizeof(c->challenge));
	c->names = csr->names;	/* the findings own them from now on */
	csr->names = (struct names){ 0 };
	memcpy(c->digest, csr->digest, sizeof(c->digest));
	memcpy(c->ignored, csr->ignored, sizeof(c->ignored));
	return 0;
}

/* Something that was meant to be a CSR, and has no DER in it. */
static int
add_broken(struct message *msg, struct bytes octets, const char *why,
    bool forwarded, candidate_set *set, struct err *err)
{
	struct candidate *c;

	if (take_slot(msg, octets, forwarded, set, &c, err) == -1)
		return -1;
	if (c != NULL)
		snprintf(c->text, sizeof(c->text), "%s", why);
	return 0;
}

static int
add_block(struct message *msg, const struct pem_block *block, bool forwarded,
    candidate_set *set, struct err *err)
{
	OWNED_BUF(der, msg->max_body);
	struct err why;

	if (block->quoted)
		forwarded = true;
	if (pem_decode(block, &der, &why) == 0)
		return add_der(msg, buf_bytes(&der), forwarded, set, err);
	if (why.kind == ERR_REJECT)
		return add_broken(msg, block->body, why.text, forwarded, set,
		    err);
	*err = why;
	return -1;
}

static int
add_blocks(struct message *msg, struct bytes text, bool forwarded,
    candidate_set *set, struct err *err)
{
	size_t end = text.len, quote = quote_find_forwarded(text);
	struct pem_block block;

	while (pem_next(&text, &block))
		if (pem_is_csr(&block) && add_block(msg, &block, forwarded ||
		    end - text.len > quote, set, err) == -1)
			return -1;
	return 0;
}

/*
 * CertificationRequest ::= SEQUENCE { SEQUENCE { INTEGER, SEQUENCE ... (RFC
 * 2986, 4). A certificate has its version in [0], or an AlgorithmIdentifier
 * behind a serial number: such a one is named as what it is by csr_read.
 */
static bool
looks_like_csr(struct bytes der)
{
	size_t at = 0;

	for (int level = 0; level < 2; level++) {
		if (at + 2 > der.len || der.data[at] != 0x30)
			return false;
		at += 2 + (der.data[at + 1] > 0x80 ?
		    (size_t)(der.data[at + 1] & 0x7f) : 0);
	}
	return at + 4 <= der.len && der.data[at] == 0x02 &&
	    der.data[at + 1] == 0x01 && der.data[at + 3] == 0x30;
}

/* A part without a PEM block, that says it is a CSR or looks like one. */
static int
add_bare(struct message *msg, const struct part *part, struct bytes text,
    bool forwarded, candidate_set *set, struct err *err)
{
	/* RFC 5967, 2.1 asks for .p10; people write the others. */
	static const char *const endings[] = { ".p10", ".csr", ".req", NULL };
	struct bytes body = buf_bytes(&part->body);
	OWNED_BUF(der, msg->max_body);

	if (looks_like_csr(body))
		return add_der(msg, body, forwarded, set, err);
	if (strcmp(part->type, "application/pkcs10") != 0 &&
	    strcmp(part->type, "application/x-pkcs10") != 0 &&
	    !part_name_ends_in(part, endings))
		return 0;
	if (body.len > 0 && body.data[0] == 0x30)
		return add_der(msg, body, forwarded, set, err);
	/* The base64 alone, its BEGIN and END lines lost. */
	if (base64_decode(text, &der) == 0 && der.len > 0 &&
	    der.data[0] == 0x30)
		return add_der(msg, buf_bytes(&der), forwarded, set, err);
	return add_broken(msg, body.len == 0 ? bytes_of("") : body,
	    "an attachment that should be a certificate request is neither "
	    "PEM nor DER", forwarded, set, err);
}

/* --- the tree ------------------------------------------------------------ */

/* *set is that of this part alone. */
static int
take_requests(struct message *msg, const struct part *part,
    struct bytes text, bool forwarded, candidate_set *set, struct err *err)
{
	if (add_blocks(msg, text, forwarded, set, err) == -1)
		return -1;
	return *set != 0 ? 0 :
	    add_bare(msg, part, text, forwarded, set, err);
}

static int
look_into(struct message *msg, const struct part *part, bool forwarded,
    candidate_set *set, struct err *err)
{
	OWNED_BUF(room, 0);
	struct bytes text = part_text(part, &room);

	pem_find_leak(text, &msg->leak);
	pem_find_der_leak(buf_bytes(&part->body), &msg->leak);
	if (part_is_source(part) && take_requests(msg, part, text, forwarded,
	    set, err) == -1)
		return -1;
	msg->found->hints |= part_hints(part, text, *set != 0);
	/* What was written to us: no attachment, and no mail in the mail. */
	return !forwarded && part->name[0] == '\0' &&
	    strcmp(part->type, "text/plain") == 0 ?
	    wish_find(text, msg->found, err) : 0;
}

static int
read_leaf(struct message *msg, const struct mailmime *leaf, bool forwarded,
    candidate_set *set, struct err *err)
{
	OWNED_PART part = { .body = BUF(0) };
	struct findings *found = msg->found;

	if (part_read(leaf, msg->max_body, &part, err) == -1)
		return -1;
	if (found->n_parts < WIRE_MAX_PARTS) {
		part_describe(&part, found->parts[found->n_parts],
		    sizeof(found->parts[0]));
		found->n_parts++;
	}
	return look_into(msg, &part, forwarded, set, err);
}

static int	read_tree(struct message *, const struct mailmime *,
		    bool forwarded, candidate_set *, struct err *);

/*
 * The parts of an alternative are the same thing in several forms (RFC 2046,
 * 5.1.4): which one would be signed must not depend on the reader. A part
 * without a CSR says nothing.
 */
static int
read_multipart(struct message *msg, const struct mailmime *multi,
    bool forwarded, candidate_set *set, struct err *err)
{
	bool alternative = strcasecmp(multi->mm_content_type->ct_subtype,
	    "alternative") == 0;
	candidate_set first = 0;

	for (clistiter *i = clist_begin(multi->mm_data.mm_multipart.mm_mp_list);
	    i != NULL; i = clist_next(i)) {
		candidate_set here = 0;

		if (read_tree(msg, clist_content(i), forwarded, &here,
		    err) == -1)
			return -1;
		*set |= here;
		if (!alternative || here == 0)
			continue;
		if (first != 0 && here != first)
			return err_set(err, ERR_REJECT, "the mail's "
			    "alternative forms (plain text and others) hold "
			    "different requests");
		first = here;
	}
	return 0;
}

/* The pre-scan bounds the depth. */
static int
read_tree(struct message *msg, const struct mailmime *node, bool forwarded,
    candidate_set *set, struct err *err)
{
	const struct mailmime *inner;

	switch (node->mm_type) {
	case MAILMIME_SINGLE:
		return read_leaf(msg, node, forwarded, set, err);
	case MAILMIME_MULTIPLE:
		return read_multipart(msg, node, forwarded, set, err);
	case MAILMIME_MESSAGE:
		inner = node->mm_data.mm_message.mm_msg_mime;
		return inner == NULL ? 0 :
		    read_tree(msg, inner, true, set, err);
	}
	return err_set(err, ERR_REJECT, "a part cannot be read");
}

static unsigned int
count_entities(const struct mailmime *node)
{
	const struct mailmime *inner;
	unsigned int n = 1;

	switch (node->mm_type) {
	case MAILMIME_MULTIPLE:
		for (clistiter *i = clist_begin(
		    node->mm_data.mm_multipart.mm_mp_list); i != NULL;
		    i = clist_next(i))
			n += count_entities(clist_content(i));
		break;
	case MAILMIME_MESSAGE:
		inner = node->mm_data.mm_message.mm_msg_mime;
		if (inner != NULL)
			n += count_entities(inner);
		break;
	}
	return n;
}

static void
mime_release(struct mailmime **mime)
{
	if (*mime != NULL)
		mailmime_free(*mime);
}

static int
read_mail(struct message *msg, struct bytes octets,
    const struct prescan_limits *limits, struct err *err)
{
	__attribute__((cleanup(mime_release))) struct mailmime *mime = NULL;
	const struct mailmime *root;
	candidate_set all = 0;
	unsigned int n_entities;
	size_t at = 0;

	if (prescan_message(octets, limits, &n_entities, err) == -1)
		return -1;
	if (mailmime_parse((const char *)octets.data, octets.len, &at,
	    &mime) != MAILIMF_NO_ERROR || mime->mm_type != MAILMIME_MESSAGE)
		return err_set(err, ERR_REJECT, "the mail cannot be read");
	root = mime->mm_data.mm_message.mm_msg_mime;
	if (root == NULL || count_entities(root) != n_entities)
		return err_set(err, ERR_REJECT,
		    "the mail's parts can be read in two ways");
	return read_tree(msg, root, false, &all, err);
}

/* --- the whole ----------------------------------------------------------- */

static void
forget_candidates(struct findings *found)
{
	for (size_t i = 0; i < found->n_candidates; i++)
		names_free(&found->candidates[i].names);
	memset(found->candidates, 0, sizeof(found->candidates));
	found->n_candidates = 0;
}

static void
refuse(struct message *msg, const char *why)
{
	forget_candidates(msg->found);
	msg->found->n_wishes = 0;
	msg->found->hints = 0;	/* the reason is another one */
	msg->found->status = FINDINGS_REFUSED;
	snprintf(msg->found->text, sizeof(msg->found->text), "%s", why);
}

/* Whatever else there is: who mailed a private key must hear of that. */
static void
judge_leak(struct message *msg)
{
	if (!msg->leak.found)
		return;
	refuse(msg, "the mail contains a private key. Whoever can read mail "
	    "on its way may have it now: the key is burnt and will not be "
	    "certified. Make a new key, keep it, and send only the request");
	msg->found->private_key = true;
	msg->found->has_burnt = msg->leak.has_public;
	memcpy(msg->found->burnt_spki_sha256, msg->leak.spki_sha256,
	    sizeof(msg->leak.spki_sha256));
}

static int
conclude(struct message *msg, int result, struct err *err)
{
	if (result == -1 && err->kind != ERR_REJECT)
		return -1;
	if (result == -1)
		refuse(msg, err->text);
	judge_leak(msg);
	return 0;
}

int
message_examine(struct bytes octets, const struct prescan_limits *limits,
    struct message **out, struct err *err)
{
	OWNED_STRUCT(message) *msg = NULL;
	struct err why;

	if (message_new(octets.len, &msg, &why) == -1 ||
	    conclude(msg, read_mail(msg, octets, limits, &why), &why) == -1) {
		*err = why;
		return -1;
	}
	/* Places that are no source may hold a key all the same. */
	if (!msg->leak.has_public) {
		pem_find_leak(octets, &msg->leak);
		judge_leak(msg);
	}
	*out = TAKE(msg);
	return 0;
}

int
message_examine_file(struct bytes octets, struct message **out,
    struct err *err)
{
	OWNED_PART part = { .type = "application/pkcs10",
	    .octets = octets.len, .body = BUF(octets.len) };
	OWNED_STRUCT(message) *msg = NULL;
	candidate_set all = 0;
	struct err why;

	if (message_new(octets.len, &msg, &why) == -1 ||
	    (buf_append_bytes(&part.body, octets) == -1 &&
	    err_set(&why, ERR_FAULT, "out of memory") == -1) ||
	    conclude(msg, look_into(msg, &part, false, &all, &why),
	    &why) == -1) {
		*err = why;
		return -1;
	}
	*out = TAKE(msg);
	return 0;
}
