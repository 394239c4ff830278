#include "csrmaild/submission.h"

#include "common/err.h"
#include "common/log.h"
#include "common/profile.h"
#include "common/store.h"
#include "csrmaild/key_check.h"
#include "csrmaild/outbox.h"
#include "csrmaild/policy.h"
#include "csrmaild/registry.h"
#include "csrmaild/reply.h"
#include "csrmaild/same_key.h"

#include <openssl/evp.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is decided about one mail, before anything is written. */
struct taking {
	const struct wire_submit *submit;
	const struct mailbox_settings *mailbox;
	bool		 verified;	/* something vouches for From */
	char		 principal[MAILBOX_MAX + 8];
	char		 evidence[32];
	const char	*reply_to;	/* "" for nobody */
	int64_t		 submission;
	unsigned int	 n_rejected, n_held, n_approved;
};

static void
describe_evidence(uint8_t evidence, char *out, size_t size)
{
	static const struct {
		enum evidence	 bit;
		const char	*name;
	} names[] = {
		{ EVIDENCE_AUTH, "auth" }, { EVIDENCE_DKIM, "dkim" },
		{ EVIDENCE_SMIME, "smime" }, { EVIDENCE_REPLY, "reply" },
	};

	out[0] = '\0';
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if ((evidence & names[i].bit) != 0)
			snprintf(out + strlen(out), size - strlen(out), "%s%s",
			    out[0] == '\0' ? "" : ",", names[i].name);
}

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
 */
static int
identify(const struct taking *t, uint8_t out[32], struct err *err)
{
	const struct wire_submit *m = t->submit;
	const struct findings *found = m->findings;
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
	put_str(&all, m->envelope.from);
	put_u8(&all, m->envelope.evidence);
	put_str(&all, m->envelope.message_id);
	if (m->envelope.message_id[0] == '\0')
		buf_append(&all, m->octets_digest, sizeof(m->octets_digest));
	buf_append(&all, digests, found->n_candidates * 32);
	if (all.failed || EVP_Digest(all.data, all.len, out, &len,
	    EVP_sha256(), NULL) != 1)
		return err_openssl(err, ERR_FAULT, "hashing");
	return 0;
}

/* The same key that somebody else has a certificate or a request for. */
struct key_holder {
	const char	*principal;
	bool		 another;
};

static int
look_at_holder(const struct request_row *row, void *arg)
{
	struct key_holder *holder = arg;

	holder->another = strcmp(row->principal, holder->principal) != 0;
	return 0;
}

static void
decide(struct verdict *v, enum action action, const char *rule,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

static void
decide(struct verdict *v, enum action action, const char *rule,
    const char *fmt, ...)
{
	va_list ap;

	v->action = action;
	snprintf(v->rule, sizeof(v->rule), "%s", rule);
	va_start(ap, fmt);
	vsnprintf(v->text, sizeof(v->text), fmt, ap);
	va_end(ap);
}

/* The same key again: for the profile to allow, for others never unseen. */
static int
check_same_key(struct registrar *r, const struct taking *t,
    const struct candidate *c, struct verdict *v, struct err *err)
{
	const struct profile *profile =
	    settings_profile(r->settings, v->profile);
	struct key_holder holder = { t->principal, false };

	if (profile != NULL && same_key_check(r->store, profile,
	    c->key.spki_sha256, r->now, err) == -1) {
		if (err->kind != ERR_REJECT)
			return -1;
		decide(v, ACTION_REJECT, "key", "%s", err->text);
		return 0;
	}
	if (store_find_key(r->store, c->key.spki_sha256, look_at_holder,
	    &holder, err) == -1)
		return -1;
	if (holder.another && v->action == ACTION_SIGN)
		decide(v, ACTION_HOLD, "key",
		    "a certificate for this key was asked for under another "
		    "identity");
	return 0;
}

/* The profile's word: what it forbids, no rule allows. */
static void
check_profile(const struct profile *profile, const struct candidate *c,
    struct verdict *v)
{
	struct err why;

	if (profile == NULL)
		decide(v, ACTION_HOLD, v->rule,
		    "the rule names a profile that does not exist");
	else if (profile->ca || profile->ocsp_responder)
		decide(v, ACTION_REJECT, v->rule,
		    "certificates of this kind are not issued by mail");
	else if (profile_check_request(profile, &c->names, &c->key,
	    &why) == -1)
		decide(v, ACTION_REJECT, v->rule, "%s", why.text);
	else if (v->validity_s > profile->max_validity_s)
		v->validity_s = profile->max_validity_s;
}

static int
judge(struct registrar *r, const struct taking *t, const struct candidate *c,
    struct verdict *v, struct err *err)
{
	const struct petition petition = { .mailbox = t->mailbox->title,
		.sender = t->submit->envelope.from,
		.evidence = t->submit->envelope.evidence,
		.forwarded = c->forwarded, .names = &c->names, .key = &c->key,
		.challenge = c->has_challenge ? c->challenge : NULL };

	policy_decide(settings_rules(r->settings, t->mailbox->rules),
	    &petition, v, NULL);
	if (v->profile[0] == '\0')
		snprintf(v->profile, sizeof(v->profile), "%s",
		    t->mailbox->profile);
	if (v->action != ACTION_REJECT)
		check_profile(settings_profile(r->settings, v->profile), c, v);
	/* A rule alone never signs for a sender that nothing vouches for. */
	if (v->action == ACTION_SIGN && !t->verified)
		decide(v, ACTION_HOLD, v->rule,
		    "nothing vouches for the sender");
	if (v->action == ACTION_REJECT)
		return 0;
	return check_same_key(r, t, c, v, err);
}

/* The request's row, as it was decided; object: "request:12". */
static int
add_request(struct registrar *r, struct taking *t, const struct candidate *c,
    const struct verdict *v, char object[32], struct err *err)
{
	static const enum request_state states[] = {
		[ACTION_SIGN] = REQUEST_APPROVED,
		[ACTION_HOLD] = REQUEST_HELD,
		[ACTION_REJECT] = REQUEST_REJECTED,
	};
	char names_text[512], key_text[32] = "";
	OWNED_BUF(names, 64u << 10);
	struct request_row row = { .submission = t->submission,
		.state = states[v->action], .ca = t->mailbox->ca,
		.profile = v->profile, .validity_s = v->validity_s,
		.csr = c->der, .names_text = names_text, .key_text = key_text,
		.rule = v->rule, .reason = v->text, .ignored = c->ignored,
		.decided_at = r->now, .decided_by = "" };
	uint8_t no_digest[32] = { 0 };
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
	if (store_add_request(r->store, &row, &id, err) == -1)
		return -1;
	snprintf(object, 32, "request:%lld", (long long)id);
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

/* Keys that no rule can let through come first, then the rules. */
static int
take_candidate(struct registrar *r, struct taking *t,
    const struct candidate *c, struct err *err)
{
	struct verdict v = { .action = ACTION_REJECT };
	struct key_check key = { 0 };
	char object[32];

	if (c->good && (check_digest(c, err) == -1 ||
	    key_check(r, c, &key, err) == -1))
		return -1;
	snprintf(v.profile, sizeof(v.profile), "%s", t->mailbox->profile);
	if (!c->good)
		decide(&v, ACTION_REJECT, "request", "%s", c->text);
	else if (key.why[0] != '\0')
		decide(&v, ACTION_REJECT, "key", "%s", key.why);
	else if (judge(r, t, c, &v, err) == -1)
		return -1;
	if (add_request(r, t, c, &v, object, err) == -1)
		return -1;
	return c->good ? key_check_record(r, c, &key, t->principal, object,
	    err) : 0;
}

/* The reply to a mail without any request in it. */
static int
answer_nothing(struct registrar *r, const struct taking *t, const char *why,
    struct err *err)
{
	const struct findings *found = t->submit->findings;
	const char *parts[WIRE_MAX_PARTS];
	struct reply_head head;
	OWNED_BUF(mail, WIRE_MAX_MAIL);

	if (t->reply_to[0] == '\0')
		return 0;
	for (size_t i = 0; i < found->n_parts; i++)
		parts[i] = found->parts[i];
	if (outbox_new_head(r, t->mailbox, &head, err) == -1)
		return -1;
	head.to = t->reply_to;
	head.in_reply_to = t->submit->envelope.message_id;
	head.references = t->submit->envelope.references;
	head.subject = t->submit->envelope.subject;
	if (reply_compose_nothing(&head, why, parts, found->n_parts, &mail,
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
	if (m->findings->n_candidates == 0)
		return "No certificate signing request was found in it.";
	return NULL;
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
	return store_audit(r->store, r->now, whole == NULL ?
	    "submission.taken" : "submission.refused", t->principal, object,
	    whole == NULL ? "" : whole, err);
}

static int
take_new(struct registrar *r, struct taking *t, struct submission_row *row,
    enum outcome *outcome, struct err *err)
{
	const struct wire_submit *m = t->submit;
	const char *whole = refusal_as_a_whole(t, outcome);

	row->outcome = outcome_name(*outcome);
	if (add_submission(r, t, row, whole, err) == -1)
		return -1;
	if (whole != NULL)
		/* Automatic mail is never answered (RFC 3834, 2). */
		return m->envelope.automatic[0] != '\0' ? 0 :
		    answer_nothing(r, t, whole, err);
	for (size_t i = 0; i < m->findings->n_candidates; i++)
		if (take_candidate(r, t, &m->findings->candidates[i],
		    err) == -1)
			return -1;
	*outcome = t->n_held > 0 ? OUTCOME_HELD :
	    t->n_approved > 0 ? OUTCOME_PROCESSED : OUTCOME_REJECTED;
	if (store_set_outcome(r->store, t->submission, outcome_name(*outcome),
	    err) == -1)
		return -1;
	return t->n_approved > 0 ? 0 :
	    submission_answer(r, t->submission, err);
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
	t->verified = m->envelope.from[0] != '\0' && m->envelope.evidence != 0;
	t->reply_to = m->envelope.automatic[0] == '\0' &&
	    (t->verified || t->mailbox->answer_unverified) ?
	    m->envelope.from : "";
	snprintf(t->principal, sizeof(t->principal), "mail:%s",
	    m->envelope.from);
	describe_evidence(m->envelope.evidence, t->evidence,
	    sizeof(t->evidence));
	*row = (struct submission_row){ .channel = "mail",
		.mailbox = m->mailbox, .uid_validity = m->uid_validity,
		.uid = m->uid, .principal = t->principal,
		.evidence = t->evidence, .reply_to = t->reply_to,
		.message_id = m->envelope.message_id,
		.references = m->envelope.references,
		.subject = m->envelope.subject, .received_at = r->now };
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
	row.reply_to = "";
	return add_submission(r, &t, &row,
	    "it could not be processed; see the log", err);
}
