#include "csrmaild/challenge.h"

#include "common/bytes.h"
#include "common/err.h"
#include "common/log.h"
#include "common/store.h"
#include "csrmaild/outbox.h"
#include "csrmaild/policy.h"
#include "csrmaild/registry.h"
#include "csrmaild/reply.h"
#include "csrmaild/smime.h"
#include "csrmaild/answer.h"
#include "csrmaild/confirm_code.h"

#include <openssl/rand.h>

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define DAY_S		86400
#define HOUR_S		3600
#define PER_DAY		3	/* to one mailbox */
#define AT_ONCE		50	/* that lapse in one transaction */
#define LOOK_AGAIN_S	60

/* --- asking --------------------------------------------------------------------- */

static bool
is_ours(const struct settings *s, const char *address)
{
	for (size_t i = 0; i < s->n_mailboxes; i++)
		if (strcasecmp(s->mailboxes[i].address, address) == 0)
			return true;
	return false;
}

int
challenge_may_ask(struct registrar *r, const struct envelope *m, bool *out,
    struct err *err)
{
	unsigned int to_one, to_all;

	*out = false;
	if (m->from[0] == '\0' || m->automatic[0] != '\0' ||
	    is_ours(r->settings, m->from))
		return 0;
	if (store_count_challenges(r->store, m->from, r->now - DAY_S, &to_one,
	    err) == -1 || store_count_challenges(r->store, NULL,
	    r->now - HOUR_S, &to_all, err) == -1)
		return -1;
	*out = to_one < PER_DAY &&
	    to_all < r->settings->challenges_per_hour;
	return 0;
}

bool
challenge_is_worth(const struct verdict *now, const struct verdict *confirmed)
{
	/* In the order of enum action: sign, hold, reject. */
	return confirmed->action < now->action;
}

int
challenge_send(struct registrar *r, const struct mailbox_settings *mailbox,
    int64_t submission, const char *recipient, const char *language,
    struct err *err)
{
	struct challenge_row row = { .submission = submission,
		.mailbox = mailbox->title, .recipient = recipient,
		.created_at = r->now,
		.expires_at = r->now + mailbox->challenge_expires_s };
	uint8_t octets[CONFIRM_OCTETS];
	char token[2 * CONFIRM_OCTETS + 1], object[32];
	struct reply_head head;
	OWNED_BUF(mail, WIRE_MAX_REPLY);
	int64_t id;

	if (RAND_bytes(octets, sizeof(octets)) != 1)
		return err_openssl(err, ERR_RETRY, "drawing a token");
	hex_encode((struct bytes){ octets, sizeof(octets) }, token);
	if (confirm_code_digest(token, row.token_sha256) == -1)
		return err_openssl(err, ERR_FAULT, "hashing");
	if (store_add_challenge(r->store, &row, &id, err) == -1 ||
	    outbox_new_head(r, mailbox, language, &head, err) == -1)
		return -1;
	head.to = recipient;
	if (reply_compose_challenge(&head, token, row.expires_at, &mail,
	    err) == -1 || outbox_add(r, mailbox, &head, buf_bytes(&mail),
	    submission, 0, false, err) == -1)
		return -1;
	snprintf(object, sizeof(object), "submission:%lld",
	    (long long)submission);
	return store_audit(r->store, r->now, "challenge.sent", "", object,
	    recipient, err);
}

/* --- the answer ------------------------------------------------------------------ */

struct found {
	int64_t		 id, submission;
	time_t		 expires_at;
	char		 mailbox[64];
	char		 recipient[MAILBOX_MAX + 1];
};

static int
note(const struct challenge_row *row, void *arg)
{
	struct found *found = arg;

	found->id = row->id;
	found->submission = row->submission;
	found->expires_at = row->expires_at;
	snprintf(found->mailbox, sizeof(found->mailbox), "%s", row->mailbox);
	snprintf(found->recipient, sizeof(found->recipient), "%s",
	    row->recipient);
	return 1;
}

/* What one submission has waiting. */
struct waiting {
	size_t		 n;
	struct {
		int64_t	 id;
		enum request_state to;
	}		 requests[WIRE_MAX_CANDIDATES];
	char		 evidence[64];
};

static int
note_request(const struct request_row *row, void *arg)
{
	struct waiting *waiting = arg;

	snprintf(waiting->evidence, sizeof(waiting->evidence), "%s",
	    row->evidence);
	if (row->state != REQUEST_RECEIVED || (int)row->on_confirm == 0 ||
	    waiting->n == WIRE_MAX_CANDIDATES)
		return 0;
	waiting->requests[waiting->n].id = row->id;
	waiting->requests[waiting->n++].to = row->on_confirm;
	return 0;
}

/* All that wait become what `to` says, or what was decided for this case. */
static int
settle_requests(struct registrar *r, const struct waiting *waiting,
    enum request_state to, const char *by, const char *event,
    const char *why, struct err *err)
{
	char object[32];

	for (size_t i = 0; i < waiting->n; i++) {
		enum request_state state = (int)to != 0 ? to :
		    waiting->requests[i].to;

		if (store_decide_request(r->store, waiting->requests[i].id,
		    REQUEST_RECEIVED, state, "", why, r->now, err) == -1)
			return -1;
		r->approvals |= state == REQUEST_APPROVED;
		snprintf(object, sizeof(object), "request:%lld",
		    (long long)waiting->requests[i].id);
		if (store_audit(r->store, r->now, event, by, object, why,
		    err) == -1)
			return -1;
	}
	return 0;
}

static int
confirm(struct registrar *r, const struct found *found, struct err *err)
{
	struct waiting waiting = { 0 };
	char evidence[80], by[MAILBOX_MAX + 8];

	if (store_settle_challenge(r->store, found->id, true, r->now,
	    err) == -1 || store_each_of_submission(r->store,
	    found->submission, note_request, &waiting, err) == -1)
		return -1;
	snprintf(evidence, sizeof(evidence), "%s%sreply", waiting.evidence,
	    waiting.evidence[0] == '\0' ? "" : ",");
	snprintf(by, sizeof(by), "mail:%s", found->recipient);
	if (store_vouch(r->store, found->submission, evidence,
	    found->recipient, err) == -1 ||
	    settle_requests(r, &waiting, (enum request_state)0, by,
	    "request.confirmed", "", err) == -1)
		return -1;
	/* Does nothing while one of them is with the signer. */
	return submission_answer(r, found->submission, err);
}

int
challenge_answer(struct registrar *r, const struct mailbox_settings *mailbox,
    const struct wire_submit *m, enum challenge_answer *out, struct err *err)
{
	const char *from = m->envelope.from;
	struct found found;
	int missing = store_find_challenge(r->store, m->envelope.token, note,
	    &found, err);

	*out = CHALLENGE_UNKNOWN;
	if (missing != 0)
		return missing == -1 ? -1 : 0;
	if (r->now > found.expires_at ||
	    strcmp(found.mailbox, mailbox->title) != 0 ||
	    !smime_same_mailbox(found.recipient, from)) {
		log_warn("challenge.misused", NUM("challenge", found.id),
		    STR("from", from));
		return 0;
	}
	*out = findings_ask_for(m->findings, WISH_CONFIRM) ?
	    CHALLENGE_CONFIRMED : CHALLENGE_WAITS;
	return *out == CHALLENGE_CONFIRMED ? confirm(r, &found, err) : 0;
}

/* --- what is over ------------------------------------------------------------------ */

struct expired {
	size_t		 n;
	struct found	 rows[AT_ONCE];
};

static int
note_expired(const struct challenge_row *row, void *arg)
{
	struct expired *expired = arg;

	if (expired->n < AT_ONCE)
		note(row, &expired->rows[expired->n++]);
	return 0;
}

static int
lapse(struct registrar *r, const struct found *found, struct err *err)
{
	struct waiting waiting = { 0 };

	if (store_settle_challenge(r->store, found->id, false, r->now,
	    err) == -1 || store_each_of_submission(r->store,
	    found->submission, note_request, &waiting, err) == -1 ||
	    settle_requests(r, &waiting, REQUEST_LAPSED, "", "request.lapsed",
	    "the sender was asked to confirm, and did not", err) == -1)
		return -1;
	/* What a person decided meanwhile was answered then. */
	return waiting.n == 0 ? 0 :
	    submission_answer(r, found->submission, err);
}

static int
lapse_all(struct registrar *r, const struct expired *expired, struct err *err)
{
	if (store_begin(r->store, err) == -1)
		return -1;
	for (size_t i = 0; i < expired->n; i++)
		if (lapse(r, &expired->rows[i], err) == -1) {
			store_rollback(r->store);
			return -1;
		}
	return store_commit(r->store, err);
}

void
challenge_pump(struct registrar *r)
{
	struct expired expired = { 0 };
	struct err err;

	if (r->now < r->challenges_not_before)
		return;
	r->challenges_not_before = r->now + LOOK_AGAIN_S;
	if (store_each_expired_challenge(r->store, r->now, AT_ONCE,
	    note_expired, &expired, &err) == 0 && (expired.n == 0 ||
	    lapse_all(r, &expired, &err) == 0)) {
		if (expired.n == AT_ONCE)
			r->challenges_not_before = 0;
		return;
	}
	log_warn("challenge.unreadable", STR("why", err.text),
	    STR("detail", err.detail));
}
