#include "csrmaild/submission.h"

#include "common/err.h"
#include "common/log.h"
#include "common/store.h"
#include "csrmaild/answer.h"
#include "csrmaild/challenge.h"
#include "csrmaild/delivery.h"
#include "csrmaild/evidence.h"
#include "csrmaild/judge.h"
#include "csrmaild/key_check.h"
#include "csrmaild/origin.h"
#include "csrmaild/outbox.h"
#include "csrmaild/registry.h"
#include "csrmaild/reply.h"
#include "csrmaild/revocation_mail.h"
#include "csrmaild/status_mail.h"

#include <openssl/evp.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is decided about one mail, before anything is written. */
struct taking {
	const struct wire_submit *submit;
	const struct mailbox_settings *mailbox;
	struct vouching	 vouching;	/* for From */
	bool		 verified;	/* something does */
	bool		 asks_back;	/* a challenge may go to the sender */
	struct origin	 origin;
	const char	*principal;	/* of origin */
	const char	*file;		/* what answers are called after; "" */
	char		 evidence[32];
	const char	*reply_to;	/* "" for nobody */
	enum challenge_answer answered;
	int64_t		 submission;
	unsigned int	 n_rejected, n_held, n_approved, n_received;
	struct revocation_count revocations;
};

static int
compare_digests(const void *a, const void *b)
{
	return memcmp(a, b, 32);
}

/*
 * Two mails are the same submission when CA, sender, evidence, Message-ID and
 * CSRs are (in any order). Message-ID alone would let a stranger pre-empt a
 * victim's; the octets alone differ at every delivery, so they stand in,
 * without their trace fields, only where there is no Message-ID.
 * Whoever has seen a signed mail can send it again under any other header.
 */
static int
identify(const struct taking *t, uint8_t out[32], struct err *err)
{
	const struct wire_submit *m = t->submit;
	const struct findings *found = m->findings;
	bool signed_words = t->vouching.sound && revocation_mail_asks(m);
	uint8_t digests[WIRE_MAX_CANDIDATES][32] = { 0 };
	unsigned int len = 32;
	OWNED_BUF(all, 64u << 10);

	for (size_t i = 0; i < found->n_candidates; i++) {
		const struct candidate *c = &found->candidates[i];

		/* A bad one has octets, perhaps, but no digest yet. */
		if (c->good)
			memcpy(digests[i], c->digest, 32);
		else if (EVP_Digest(c->der.data, c->der.len, digests[i], &len,
		    EVP_sha256(), NULL) != 1)
			return err_openssl(err, ERR_FAULT, "hashing");
	}
	qsort(digests, found->n_candidates, 32, compare_digests);
	put_str(&all, t->mailbox->ca);
	/* A signature covers neither From nor Message-ID, and whoever sends
	 * the mail again brings other evidence: by whom it was made, over
	 * what, and when, tells one such mail from another. */
	if (signed_words || (t->vouching.evidence & EVIDENCE_SMIME) != 0) {
		put_bytes(&all, (struct bytes){ m->signature.serial.octets,
		    m->signature.serial.len });
		buf_append(&all, m->octets_digest, sizeof(m->octets_digest));
		put_time(&all, m->signature.signed_at);
	} else {
		put_str(&all, m->envelope.from);
		put_u8(&all, t->vouching.evidence);
		put_str(&all, m->envelope.message_id);
		if (m->envelope.message_id[0] == '\0')
			buf_append(&all, m->octets_digest,
			    sizeof(m->octets_digest));
	}
	buf_append(&all, digests, found->n_candidates * 32);
	if (all.failed || EVP_Digest(all.data, all.len, out, &len,
	    EVP_sha256(), NULL) != 1)
		return err_openssl(err, ERR_FAULT, "hashing");
	return 0;
}

/* The request's row, as it was decided; object: "request:12". */
static int
add_request(struct registrar *r, struct taking *t, const struct candidate *c,
    const struct verdict *v, bool asks_back, char object[32],
    struct err *err)
{
	static const enum request_state states[] = {
		[ACTION_SIGN] = REQUEST_APPROVED,
		[ACTION_HOLD] = REQUEST_HELD,
		[ACTION_REJECT] = REQUEST_REJECTED,
	};
	char names_text[512], key_text[32] = "";
	OWNED_BUF(names, 64u << 10);
	struct request_row row = { .submission = t->submission,
		.state = asks_back ? REQUEST_RECEIVED : states[v->action],
		.on_confirm = asks_back ? states[v->action] : 0,
		.ca = t->mailbox->ca,
		.profile = v->profile, .validity_s = v->validity_s,
		.csr = c->der, .names_text = names_text, .key_text = key_text,
		.rule = v->rule, .reason = v->text, .ignored = c->ignored,
		.decided_at = r->now, .decided_by = "" };
	uint8_t no_digest[32] = { 0 };
	bool goes_on = c->good && (asks_back || v->action != ACTION_REJECT);
	int64_t id;

	put_names(&names, &c->names);
	names_describe(&c->names, names_text, sizeof(names_text));
	row.names = buf_bytes(&names);
	row.csr_digest = c->good ? c->digest : no_digest;
	row.spki_sha256 = c->good ? c->key.spki_sha256 : NULL;
	if (c->good)
		snprintf(key_text, sizeof(key_text),
		    c->key.kind == KEY_RSA ? "%s %u" : "%s",
		    key_kind_name(c->key.kind), c->key.bits);
	if (names.failed)
		return err_set(err, ERR_FAULT, "names too long for the store");
	if ((goes_on && store_find_renewed(r->store, &row, t->principal,
	    r->now, &row.renews, err) == -1) ||
	    store_add_request(r->store, &row, &id, err) == -1)
		return -1;
	snprintf(object, 32, "request:%lld", (long long)id);
	if (asks_back) {
		t->n_received++;
		return store_audit(r->store, r->now, "request.received",
		    t->principal, object, v->rule, err);
	}
	switch (v->action) {
	case ACTION_SIGN:
		t->n_approved++;
		r->approvals = true;
		return store_audit(r->store, r->now, "request.approved",
		    t->principal, object, v->rule, err);
	case ACTION_HOLD:
		t->n_held++;
		return store_audit(r->store, r->now, "request.held",
		    t->principal, object, v->text, err);
	case ACTION_REJECT:
		t->n_rejected++;
		return store_audit(r->store, r->now, "request.rejected",
		    t->principal, object, v->text, err);
	}
	return 0;
}

/* What goes on record and to the signer are the octets: so is the digest that
 * requests are recognised by, whatever the parser said. */
static int
check_digest(const struct candidate *c, struct err *err)
{
	uint8_t digest[32];

	if (EVP_Digest(c->der.data, c->der.len, digest, NULL, EVP_sha256(),
	    NULL) != 1)
		return err_openssl(err, ERR_FAULT, "hashing");
	if (memcmp(digest, c->digest, sizeof(digest)) != 0)
		return err_set(err, ERR_FAULT,
		    "the parser's digest is not that of the request");
	return 0;
}

/* The rules' word. When they would do more for a sender who confirms, he is
 * asked to, and the verdict is what comes of it then. */
static int
judge_candidate(struct registrar *r, const struct taking *t,
    const struct candidate *c, struct verdict *v, bool *asks_back,
    struct err *err)
{
	struct plea plea = { .mailbox = t->mailbox,
		.principal = t->principal, .sender = t->submit->envelope.from,
		.evidence = t->vouching.evidence,
		.detail = t->submit->envelope.detail };
	struct verdict confirmed;

	if (judge_request(r, &plea, c, v, err) == -1)
		return -1;
	*asks_back = false;
	if (v->action == ACTION_SIGN || !t->asks_back)
		return 0;
	plea.evidence |= EVIDENCE_REPLY;
	if (judge_request(r, &plea, c, &confirmed, err) == -1)
		return -1;
	if (!challenge_is_worth(v, &confirmed))
		return 0;
	*asks_back = true;
	*v = confirmed;
	return 0;
}

/* Keys that no rule can let through come first, then the rules. */
static int
take_candidate(struct registrar *r, struct taking *t,
    const struct candidate *c, struct err *err)
{
	struct verdict v = { .action = ACTION_REJECT };
	struct key_check key = { 0 };
	bool asks_back = false;
	char object[32];

	if (c->good && (check_digest(c, err) == -1 ||
	    key_check(r, c, &key, err) == -1))
		return -1;
	snprintf(v.profile, sizeof(v.profile), "%s", t->mailbox->profile);
	if (!c->good)
		judge_say(&v, ACTION_REJECT, "request", "%s", c->text);
	else if (key.why[0] != '\0')
		judge_say(&v, ACTION_REJECT, "key", "%s", key.why);
	else if (judge_candidate(r, t, c, &v, &asks_back, err) == -1)
		return -1;
	if (add_request(r, t, c, &v, asks_back, object, err) == -1)
		return -1;
	return c->good ? key_check_record(r, c, &key, t->principal, object,
	    err) : 0;
}

static int
begin_reply(struct registrar *r, const struct taking *t,
    struct reply_head *head, struct err *err)
{
	if (outbox_new_head(r, t->mailbox,
	    t->submit->envelope.language, head, err) == -1)
		return -1;
	head->to = t->reply_to;
	head->file = t->file;
	head->in_reply_to = t->submit->envelope.message_id;
	head->references = t->submit->envelope.references;
	head->subject = t->submit->envelope.subject;
	return 0;
}

/* The reply to a mail without any request in it. */
static int
answer_nothing(struct registrar *r, const struct taking *t, const char *why,
    struct err *err)
{
	const struct findings *found = t->submit->findings;
	const char *parts[WIRE_MAX_PARTS];
	struct reply_head head;
	OWNED_BUF(mail, WIRE_MAX_REPLY);

	if (!outbox_reaches(t->mailbox, t->reply_to, t->file))
		return 0;
	for (size_t i = 0; i < found->n_parts; i++)
		parts[i] = found->parts[i];
	if (begin_reply(r, t, &head, err) == -1)
		return -1;
	if (reply_compose_nothing(&head, why, parts, found->n_parts,
	    found->hints, &mail, err) == -1)
		return -1;
	return outbox_add(r, t->mailbox, &head, buf_bytes(&mail),
	    t->submission, 0, false, err);
}

/* Who was asked to confirm and says something else. The token came back from
 * the mailbox that it was sent to: that hears of it whatever else vouches. */
static int
answer_unconfirmed(struct registrar *r, const struct taking *t,
    struct err *err)
{
	struct reply_head head;
	OWNED_BUF(mail, WIRE_MAX_REPLY);

	if (begin_reply(r, t, &head, err) == -1)
		return -1;
	head.to = t->submit->envelope.from;
	if (reply_compose_unconfirmed(&head, &mail, err) == -1)
		return -1;
	return outbox_add(r, t->mailbox, &head, buf_bytes(&mail),
	    t->submission, 0, false, err);
}

/* STATUS counts in a mail that asks for nothing else, and whose sender is
 * known. */
static bool
asks_status(const struct taking *t)
{
	const struct findings *found = t->submit->findings;

	return t->verified && found->n_candidates == 0 &&
	    findings_ask_for(found, WISH_STATUS) &&
	    !revocation_mail_asks(t->submit);
}

static int
answer_status(struct registrar *r, const struct taking *t, struct err *err)
{
	OWNED_HEAP(struct status_lines) *status = malloc(sizeof(*status));
	struct reply_head head;
	OWNED_BUF(mail, WIRE_MAX_REPLY);

	if (status == NULL)
		return err_set(err, ERR_RETRY, "out of memory");
	if (status_mail_gather(r, t->mailbox, t->submit, t->principal, status,
	    err) == -1 || begin_reply(r, t, &head, err) == -1 ||
	    reply_compose_status(&head, status->lines, status->n, &mail,
	    err) == -1)
		return -1;
	return outbox_add(r, t->mailbox, &head, buf_bytes(&mail),
	    t->submission, 0, false, err);
}

/* A mail that is not looked into request by request: why, or NULL. */
static const char *
refusal_as_a_whole(const struct taking *t, enum outcome *outcome)
{
	const struct wire_submit *m = t->submit;

	*outcome = OUTCOME_REJECTED;
	if (m->envelope.automatic[0] != '\0')
		return m->envelope.automatic;
	if (m->findings->private_key)
		return "There is a private key in this mail. A key that was "
		    "mailed is known to others: it is blocked here and must "
		    "not be used. Make a new key, keep it where it is, and "
		    "send only the request.";
	switch (m->findings->status) {
	case FINDINGS_UNREADABLE:
		*outcome = OUTCOME_UNREADABLE;
		return m->findings->text;
	case FINDINGS_REFUSED:
		return m->findings->text;
	case FINDINGS_OK:
		break;
	}
	if (m->findings->n_candidates > 0 || revocation_mail_asks(m) ||
	    asks_status(t))
		return NULL;
	if (t->answered == CHALLENGE_WAITS)
		return "It has the code of a mail that asks to confirm, and "
		    "no line CONFIRM: nothing is confirmed.";
	if (m->envelope.has_token)
		return "The code in its subject is not one that can be used "
		    "now: it was used before, it has expired, or it was sent "
		    "to somebody else. Send the request anew.";
	return findings_ask_for(m->findings, WISH_CONFIRM) ? "CONFIRM counts "
	    "in an answer to the mail that asks to confirm, with the code in "
	    "its subject." :
	    "No certificate signing request was found in it.";
}

static int
add_submission(struct registrar *r, struct taking *t,
    const struct submission_row *row, const char *whole, struct err *err)
{
	char object[32];
	const struct findings *found = t->submit->findings;

	if (store_add_submission(r->store, row, &t->submission, err) == -1)
		return -1;
	snprintf(object, sizeof(object), "submission:%lld",
	    (long long)t->submission);
	if (found->has_burnt && store_block_key(r->store,
	    found->burnt_spki_sha256, KEY_BLOCKED,
	    "its private half came by mail", r->now, err) == -1)
		return -1;
	if (t->submit->delivery != 0)
		delivery_note(t->submit->delivery, t->submission, false,
		    whole == NULL ? "" : whole);
	/* Who brought it: a mail in a file has a sender of its own. */
	return store_audit(r->store, r->now, whole == NULL ?
	    "submission.taken" : "submission.refused", t->principal, object,
	    whole == NULL ? t->origin.by : whole, err);
}

/* One of our mails came back: for people to see. Anybody who has seen its
 * Message-ID can say so, and nothing is decided by it. */
static int
note_bounce(struct registrar *r, const struct findings *found, struct err *err)
{
	int known = store_set_bounced(r->store, found->bounced_id,
	    found->bounce, r->now, err);

	if (known != 0)
		return known == 1 ? 0 : -1;
	log_warn("mail.bounced", STR("message_id", found->bounced_id),
	    STR("why", found->bounce));
	return store_audit(r->store, r->now, "mail.bounced", "", "",
	    found->bounce, err);
}

static int
take_status(struct registrar *r, struct taking *t, enum outcome *outcome,
    struct err *err)
{
	*outcome = OUTCOME_PROCESSED;
	return store_set_outcome(r->store, t->submission,
	    outcome_name(*outcome), err) == -1 ? -1 :
	    answer_status(r, t, err);
}

static enum outcome
outcome_of(const struct taking *t)
{
	if (t->n_held + t->n_received + t->revocations.held > 0)
		return OUTCOME_HELD;
	return t->n_approved + t->revocations.revoked > 0 ?
	    OUTCOME_PROCESSED : OUTCOME_REJECTED;
}

/* Request by request, and revocation by revocation. */
static int
take_requests(struct registrar *r, struct taking *t, enum outcome *outcome,
    struct err *err)
{
	const struct wire_submit *m = t->submit;
	const struct revocation_plea plea = { .submit = m,
		.mailbox = t->mailbox, .vouching = &t->vouching,
		.principal = t->principal, .reply_to = t->reply_to,
		.submission = t->submission };

	for (size_t i = 0; i < m->findings->n_candidates; i++)
		if (take_candidate(r, t, &m->findings->candidates[i],
		    err) == -1)
			return -1;
	if (revocation_mail_take(r, &plea, &t->revocations, err) == -1)
		return -1;
	if (t->n_received > 0 && challenge_send(r, t->mailbox,
	    t->submission, m->envelope.from, m->envelope.language, err) == -1)
		return -1;
	*outcome = outcome_of(t);
	if (store_set_outcome(r->store, t->submission, outcome_name(*outcome),
	    err) == -1)
		return -1;
	return t->n_approved + t->n_received > 0 ? 0 :
	    submission_answer(r, t->submission, err);
}

static int
take_new(struct registrar *r, struct taking *t, struct submission_row *row,
    enum outcome *outcome, struct err *err)
{
	const struct wire_submit *m = t->submit;
	const char *whole;

	if (m->envelope.has_token && m->envelope.automatic[0] == '\0' &&
	    challenge_answer(r, t->mailbox, m, &t->answered, err) == -1)
		return -1;
	/* What else is in it is of no interest then. */
	if (t->answered == CHALLENGE_CONFIRMED) {
		*outcome = OUTCOME_PROCESSED;
		row->outcome = outcome_name(*outcome);
		return add_submission(r, t, row, NULL, err);
	}
	whole = refusal_as_a_whole(t, outcome);
	row->outcome = outcome_name(*outcome);
	if (add_submission(r, t, row, whole, err) == -1)
		return -1;
	if (m->findings->bounced_id[0] != '\0' &&
	    note_bounce(r, m->findings, err) == -1)
		return -1;
	/* Automatic mail is never answered (RFC 3834, 2). */
	if (whole != NULL && m->envelope.automatic[0] != '\0')
		return 0;
	/* Who mailed a private key hears of that. */
	if (whole != NULL && t->answered == CHALLENGE_WAITS &&
	    !m->findings->private_key)
		return answer_unconfirmed(r, t, err);
	if (whole != NULL)
		return answer_nothing(r, t, whole, err);
	return asks_status(t) ? take_status(r, t, outcome, err) :
	    take_requests(r, t, outcome, err);
}

/* Who sent it, by what evidence, and whom we would answer. */
static int
prepare(struct registrar *r, const struct wire_submit *m, struct taking *t,
    struct submission_row *row, struct err *err)
{
	t->submit = m;
	t->mailbox = settings_mailbox(r->settings, m->mailbox);
	if (t->mailbox == NULL)
		return err_set(err, ERR_FAULT, "a mailbox that we do not have");
	t->file = "";
	if (origin_find(m, t->mailbox, &t->origin, err) == -1 ||
	    evidence_weigh(r, m, &t->vouching, err) == -1 ||
	    challenge_may_ask(r, &m->envelope, &t->asks_back,
	    err) == -1)
		return -1;
	/* Nobody answers a challenge where answers are files. */
	if (settings_is_drop(t->mailbox)) {
		t->asks_back = false;
		t->file = m->file;
	}
	t->verified = m->envelope.from[0] != '\0' && t->vouching.evidence != 0;
	t->reply_to = m->envelope.automatic[0] == '\0' &&
	    (t->verified || t->mailbox->answer_unverified ||
	    revocation_mail_may_hear(m, &t->vouching)) ?
	    m->envelope.from : "";
	t->principal = t->origin.principal;
	evidence_describe(t->vouching.evidence, t->evidence,
	    sizeof(t->evidence));
	*row = (struct submission_row){
		.channel = channel_kind_name(m->channel),
		.signer = t->vouching.signer, .detail = m->envelope.detail,
		.language = m->envelope.language,
		.mailbox = m->mailbox, .uid_validity = m->uid_validity,
		.uid = m->uid, .principal = t->principal,
		.evidence = t->evidence, .reply_to = t->reply_to,
		.message_id = m->envelope.message_id,
		.references = m->envelope.references,
		.subject = m->envelope.subject, .file = t->file,
		.received_at = r->now };
	return identify(t, row->identity, err);
}

int
submission_take(struct registrar *r, const struct wire_submit *m,
    enum outcome *outcome, struct err *err)
{
	struct submission_row row;
	struct taking t = { 0 };
	char known[32];
	int64_t id;
	int seen;

	if (prepare(r, m, &t, &row, err) == -1)
		return -1;
	seen = store_find_submission(r->store, &row, &id, known,
	    sizeof(known), err);
	if (seen == -1)
		return -1;
	if (seen == 1)
		return take_new(r, &t, &row, outcome, err);
	log_info("submission.again", NUM("submission", id), NUM("uid", m->uid));
	if (m->delivery != 0)
		delivery_note(m->delivery, id, true, "");
	if (outcome_from_name(known, outcome) == -1)
		return err_set(err, ERR_FAULT, "an outcome that we do not know");
	return 0;
}

int
submission_give_up(struct registrar *r, const struct wire_submit *m,
    enum outcome *outcome, struct err *err)
{
	struct submission_row row;
	struct taking t = { 0 };

	if (prepare(r, m, &t, &row, err) == -1)
		return -1;
	*outcome = OUTCOME_UNREADABLE;
	row.outcome = outcome_name(*outcome);
	row.reply_to = row.file = "";
	return add_submission(r, &t, &row,
	    "it could not be processed; see the log", err);
}
