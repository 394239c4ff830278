#include "csrmaild/carry_private.h"

#include "csrmaild/header.h"
#include "csrmaild/settings.h"

#include "common/clock.h"
#include "common/crash.h"
#include "common/err.h"
#include "common/log.h"

#include <openssl/evp.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Frame, fields, anchors and keys around the octets. */
#define EXAMINE_OVERHEAD	(64 + WIRE_MAX_ANCHORS + WIRE_MAX_DKIM_KEYS)
/* More than an envelope and a signature can have. */
#define ENVELOPE_OCTETS		(8192 + WIRE_MAX_SIGNER)

enum stage {
	TO_EXAMINE,		/* next_question says what for */
	EXAMINING,
	SUBMITTED,
	ON_RECORD,
	LEFT,			/* where it is: it comes again */
};

size_t
carry_parser_queue_octets(const struct mailbox_settings *mailbox)
{
	return 2 * ((size_t)mailbox->max_message_octets + EXAMINE_OVERHEAD);
}

/* --- to the registrar -------------------------------------------------------- */
static int
submit(struct carrier *c, struct arrival *a, struct findings *findings,
    struct err *err)
{
	int r;

	crash_point("intake.before-submit");
	a->stage = SUBMITTED;
	a->submit.findings = findings;	/* the frame copies them */
	r = wire_send_submit(c->registrar, &a->submit, err);
	a->submit.findings = NULL;
	return r;
}

/* A verdict on the message as a whole. */
static int
submit_verdict(struct carrier *c, struct arrival *a,
    enum findings_status status, const char *why, struct err *err)
{
	OWNED_STRUCT(findings) *findings = calloc(1, sizeof(*findings));

	if (findings == NULL)
		return err_set(err, ERR_FAULT, "out of memory");
	findings->id = a->submit.id;
	findings->status = status;
	snprintf(findings->text, sizeof(findings->text), "%s", why);
	return submit(c, a, findings, err);
}

static int
submit_too_large(struct carrier *c, struct arrival *a, struct err *err)
{
	char why[128];

	snprintf(why, sizeof(why),
	    "the message has %llu octets, allowed are %u",
	    (unsigned long long)a->octets, c->mailbox->max_message_octets);
	return submit_verdict(c, a, FINDINGS_REFUSED, why, err);
}

static bool
is_signed(const struct arrival *a)
{
	return !a->is_csr && header_is_signed(a->message);
}

/* First whether its domain signed it, then who did, then what is in it: each
 * is another child's to say. */
static enum examine_kind
next_question(const struct arrival *a)
{
	if (a->is_csr)
		return EXAMINE_CSR;
	if (a->dkim_keys.len > 0 && !a->asked_dkim)
		return EXAMINE_DKIM;
	return is_signed(a) && !a->asked_who ? EXAMINE_SIGNED : EXAMINE_MAIL;
}

static struct arrival *
find_arrival(struct arrival *arrivals, size_t n, uint64_t id,
    enum stage stage)
{
	for (size_t i = 0; i < n; i++) {
		if (arrivals[i].submit.id == id &&
		    arrivals[i].stage == (int)stage)
			return &arrivals[i];
	}
	return NULL;
}

/* --- frames that come in -------------------------------------------------------- */
static void
drop_descriptor(struct frame *frame)
{
	if (frame->fd >= 0)
		close(frame->fd);
	frame->fd = -1;
}

/* Who signed it is known: what that covers goes to be examined, alone. */
static int
take_signature(struct arrival *a, const struct findings *found,
    struct err *err)
{
	struct wire_submit *s = &a->submit;
	unsigned int len = sizeof(s->octets_digest);

	a->asked_who = true;
	a->stage = TO_EXAMINE;
	s->is_signed = true;
	s->signature = found->signature;
	buf_append_bytes(&a->signer, found->signature.der);
	s->signature.der = buf_bytes(&a->signer);
	if (s->signature.good) {
		buf_append_bytes(&a->covered, found->content);
		/* The header around it is not signed: anybody may send the
		 * same again under another. */
		if (EVP_Digest(found->content.data, found->content.len,
		    s->octets_digest, &len, EVP_sha256(), NULL) != 1)
			return err_openssl(err, ERR_FAULT, "hashing");
	}
	if (a->signer.failed || a->covered.failed)
		return err_set(err, ERR_FAULT, "out of memory");
	return 0;
}

/* Findings for a message that we gave up on come late, and are dropped. */
static int
take_findings(struct carrier *c, struct arrival *arrivals, size_t n,
    struct frame *frame, struct err *err)
{
	OWNED_STRUCT(findings) *findings = NULL;
	struct cursor cursor = CURSOR(frame->payload);
	enum examine_kind kind;
	struct arrival *a;

	drop_descriptor(frame);
	get_findings(&cursor, &findings);
	if (frame->type != WIRE_FINDINGS || findings == NULL ||
	    !cursor_end(&cursor))
		return err_set(err, ERR_FAULT, "parser: a broken frame");
	a = find_arrival(arrivals, n, findings->id, EXAMINING);
	if (a == NULL)
		return 0;
	kind = next_question(a);
	if (!findings_answer(findings, kind))
		return err_set(err, ERR_FAULT,
		    "parser: an answer to another question");
	if (kind == EXAMINE_DKIM) {
		/* What it died of is no verdict on the mail: that has the
		 * child to say that reads it. */
		carry_dkim_take(c, a, findings->status == FINDINGS_OK ?
		    &findings->dkim : NULL);
		a->asked_dkim = true;
		a->stage = TO_EXAMINE;
		return 0;
	}
	if (findings->is_signed)
		return take_signature(a, findings, err);
	/* With the envelope they would not fit the next frame. */
	if (frame->payload.len > WIRE_MAX_SUBMIT - ENVELOPE_OCTETS)
		return submit_verdict(c, a, FINDINGS_REFUSED,
		    "the message holds too much to be examined", err);
	return submit(c, a, findings, err);
}

static int
take_outcome(struct carrier *c, struct arrival *arrivals, size_t n,
    struct frame *frame, struct err *err)
{
	struct wire_outcome outcome;
	struct arrival *a;

	if (frame->type != WIRE_OUTCOME && c->on_other != NULL)
		return c->on_other(c->arg, frame, err);
	drop_descriptor(frame);
	if (wire_get_outcome(frame, &outcome, err) < 0)
		return -1;
	a = find_arrival(arrivals, n, outcome.id, SUBMITTED);
	if (a != NULL) {
		a->stage = ON_RECORD;
		a->outcome = (int)outcome.outcome;
	}
	return 0;
}

/* No new work for the registrar while it does not keep up. */
static bool
registrar_has_room(const struct carrier *c)
{
	return channel_queued(c->registrar) <
	    CARRY_REGISTRAR_QUEUE_OCTETS - 2 * WIRE_MAX_SUBMIT;
}

/* All whole frames that are here. Returns their number, or -1. */
static int
take_frames(struct carrier *c, struct arrival *arrivals, size_t n,
    struct err *err)
{
	struct frame frame;
	int taken = 0, r = 0;

	while (registrar_has_room(c) &&
	    (r = channel_next(c->parser, &frame, err)) == 1) {
		if (take_findings(c, arrivals, n, &frame, err) < 0)
			return -1;
		taken++;
	}
	if (r < 0)
		return -1;
	while ((r = channel_next(c->registrar, &frame, err)) == 1) {
		if (take_outcome(c, arrivals, n, &frame, err) < 0)
			return -1;
		taken++;
	}
	return r < 0 ? -1 : taken;
}

/* --- the batch --------------------------------------------------------------------- */
/* Of a CSR in a file: nothing in it says who sent it, and each such file is a
 * request of its own. */
static int
digest_file(const struct arrival *a, uint8_t out[32], struct err *err)
{
	OWNED(EVP_MD_CTX) *md = EVP_MD_CTX_new();

	if (md == NULL || EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1 ||
	    EVP_DigestUpdate(md, a->place.data, a->place.len) != 1 ||
	    EVP_DigestUpdate(md, a->message.data, a->message.len) != 1 ||
	    EVP_DigestFinal_ex(md, out, NULL) != 1)
		return err_openssl(err, ERR_FAULT, "hashing");
	return 0;
}

/* What the scanner says of each. */
static int
prepare(struct carrier *c, uint32_t uid_validity, struct arrival *a,
    struct err *err)
{
	const struct mailbox_settings *mailbox = c->mailbox;
	struct header_rules rules = {
		.own_address = mailbox->address,
		.authres = { mailbox->authserv_id, mailbox->trusted_received,
		    mailbox->verify_dkim ? EVIDENCE_DKIM : 0 },
	};
	struct wire_submit *s = &a->submit;

	*s = (struct wire_submit){ .id = c->next_id++, .uid = a->uid,
	    .uid_validity = uid_validity, .octets = a->octets,
	    .channel = (int)a->channel == 0 ? CHANNEL_MAIL : a->channel,
	    .owner = a->owner, .delivery = a->delivery };
	snprintf(s->mailbox, sizeof(s->mailbox), "%s", mailbox->title);
	snprintf(s->file, sizeof(s->file), "%s", a->file == NULL ? "" :
	    a->file);
	a->stage = TO_EXAMINE;
	a->stays = a->asked_dkim = a->asked_who = false;
	a->dkim_keys = BUF(WIRE_MAX_DKIM_KEYS);
	a->signer = BUF(WIRE_MAX_SIGNER);
	a->covered = BUF(WIRE_MAX_FINDINGS);
	a->outcome = 0;
	if (a->is_csr)
		return digest_file(a, s->octets_digest, err);
	header_scan(a->message, &rules, &s->envelope);
	/* Part of a header block: a second From field may be in the rest. */
	if (a->too_large && a->message.len > mailbox->max_header_octets) {
		s->envelope.from[0] = '\0';
		s->envelope.evidence = 0;
	}
	return header_digest(a->message, s->octets_digest, err);
}

/* As many as fit the parser's queue. */
static int
send_examines(struct carrier *c, struct arrival *arrivals, size_t n,
    struct err *err)
{
	size_t room = carry_parser_queue_octets(c->mailbox);

	for (size_t i = 0; i < n; i++) {
		struct arrival *a = &arrivals[i];
		enum examine_kind kind = next_question(a);
		struct wire_examine examine = {
			.id = a->submit.id,
			.kind = kind,
			.max_depth = c->mailbox->max_depth,
			.max_parts = c->mailbox->max_parts,
			.max_header_octets = c->mailbox->max_header_octets,
			/* Nothing but that, even when it is nothing. */
			.octets = a->submit.signature.good ?
			    buf_bytes(&a->covered) : a->message,
			.anchors = kind == EXAMINE_SIGNED ?
			    c->mailbox->smime_anchors : (struct bytes){ 0 },
			.dkim_keys = kind == EXAMINE_DKIM ?
			    buf_bytes(&a->dkim_keys) : (struct bytes){ 0 },
		};

		if (a->stage != TO_EXAMINE)
			continue;
		if (a->too_large) {
			if (submit_too_large(c, a, err) < 0)
				return -1;
			continue;
		}
		if (channel_queued(c->parser) + examine.octets.len +
		    EXAMINE_OVERHEAD > room)
			return 0;
		if (wire_send_examine(c->parser, &examine, err) < 0)
			return -1;
		a->stage = EXAMINING;
	}
	return 0;
}

static struct arrival *
first_in_stage(struct arrival *arrivals, size_t n, enum stage stage)
{
	for (size_t i = 0; i < n; i++) {
		if (arrivals[i].stage == (int)stage)
			return &arrivals[i];
	}
	return NULL;
}

/*
 * One round of waiting. 1: something may have come, 0: patience is over, -1
 * with kind ERR_RETRY: we are to stop, with ERR_FAULT: a peer is gone.
 */
static int
wait_for_peers(struct carrier *c, int64_t until_ms, struct err *err)
{
	int64_t left = until_ms - clock_monotonic_ms();
	struct pollfd fds[] = {
		{ .fd = channel_fd(c->parser),
		  .events = (short)(channel_events(c->parser) &
		  (registrar_has_room(c) ? ~0 : ~POLLIN)) },
		{ .fd = channel_fd(c->registrar),
		  .events = channel_events(c->registrar) },
		{ .fd = c->stop_fd, .events = POLLIN },
		{ .fd = c->control_fd, .events = POLLIN },
	};
	struct channel *peers[] = { c->parser, c->registrar };
	int r = poll(fds, 4, left > 0 ? (int)left : 0);

	if (r == 0)
		return 0;
	if (r < 0)
		return errno == EINTR ? 1 : err_errno(err, ERR_FAULT, "poll");
	if (fds[2].revents != 0 || fds[3].revents != 0)
		return err_set(err, ERR_RETRY, "stopping");
	for (size_t i = 0; i < 2; i++) {
		if ((fds[i].revents & POLLOUT) != 0 &&
		    channel_flush(peers[i], err) < 0)
			r = -1;
		if ((fds[i].revents & ~POLLOUT) != 0 &&
		    channel_read(peers[i], err) < 0)
			r = -1;
	}
	if (r < 0) {
		err->kind = ERR_FAULT;	/* whichever way the peer ended */
		return -1;
	}
	return 1;
}

/* 1: go on, 0: no use to wait any longer. */
static int
lose_patience(struct carrier *c, struct arrival *arrivals, size_t n,
    struct err *err)
{
	/* The parser works in the order of sending, so it is the first. */
	struct arrival *a = first_in_stage(arrivals, n, EXAMINING);

	if (a == NULL) {
		log_warn("registrar.silent", STR("mailbox", c->mailbox->title));
		return 0;
	}
	log_warn("parser.silent", STR("mailbox", c->mailbox->title),
	    NUM("uid", a->uid));
	return submit_verdict(c, a, FINDINGS_UNREADABLE,
	    "the message could not be read in time", err) < 0 ? -1 : 1;
}

static bool
all_done(const struct arrival *arrivals, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (arrivals[i].stage < ON_RECORD)
			return false;
	return true;
}

static int
carry_all(struct carrier *c, struct arrival *arrivals, size_t n,
    struct err *err)
{
	int64_t until = clock_monotonic_ms() + c->patience_ms;

	while (!all_done(arrivals, n)) {
		int r;

		if (send_examines(c, arrivals, n, err) < 0)
			return -1;
		r = wait_for_peers(c, until, err);
		if (r < 0)
			return err->kind == ERR_RETRY ? 0 : -1;
		if (r == 0) {
			r = lose_patience(c, arrivals, n, err);
			if (r <= 0)
				return r;
			until = clock_monotonic_ms() + c->patience_ms;
		}
		r = take_frames(c, arrivals, n, err);
		if (r < 0)
			return -1;
		if (r > 0)
			until = clock_monotonic_ms() + c->patience_ms;
	}
	return 0;
}

int
carry(struct carrier *c, uint32_t uid_validity, struct arrival *arrivals,
    size_t n, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++)
		r = prepare(c, uid_validity, &arrivals[i], err);
	if (r == 0)
		r = carry_dkim_fetch(c, uid_validity, arrivals, n,
		    clock_monotonic_ms(), err);
	for (size_t i = 0; i < n; i++)
		if (arrivals[i].stays)
			arrivals[i].stage = LEFT;
	if (r == 0)
		r = carry_all(c, arrivals, n, err);
	for (size_t i = 0; i < n; i++) {
		buf_free(&arrivals[i].dkim_keys);
		buf_wipe(&arrivals[i].signer);
		buf_wipe(&arrivals[i].covered);
	}
	return r;
}
