#include "csrmaild/acts_private.h"

#include "common/ca.h"
#include "common/err.h"
#include "common/log.h"
#include "csrmaild/describe.h"
#include "csrmaild/key_check.h"
#include "csrmaild/problem.h"
#include "csrmaild/publish.h"
#include "csrmaild/registry.h"
#include "csrmaild/responders.h"
#include "csrmaild/same_key.h"
#include "csrmaild/answer.h"

#include <openssl/rand.h>

#include <stdio.h>
#include <string.h>

#define DAY_S	86400

struct acting {
	enum request_state state;
	int64_t		 submission;
	char		 evidence[64];
	char		 unanswered[MAILBOX_MAX + 1];	/* From mailbox that
						 * would get no reply; "" */
};

static int
note_request(const struct request_row *row, void *arg)
{
	struct acting *acting = arg;

	acting->state = row->state;
	acting->submission = row->submission;
	snprintf(acting->evidence, sizeof(acting->evidence), "%s",
	    row->evidence);
	if (row->reply_to[0] == '\0' && strncmp(row->principal, "mail:", 5) ==
	    0 && !row->no_mail)
		snprintf(acting->unanswered, sizeof(acting->unanswered), "%s",
		    row->principal + 5);
	return 0;
}

/* Who approves vouches for the sender, who is shown with the evidence: the
 * certificate goes there. */
static int
vouch(struct registrar *r, const struct acting *acting, struct err *err)
{
	return acting->unanswered[0] == '\0' ? 0 : store_vouch(r->store,
	    acting->submission, acting->evidence, acting->unanswered, err);
}

/* Held, or received -> to, with the audit record. Inside the transaction. */
static int
decide(struct registrar *r, int64_t request, enum request_state to,
    const char *event, const char *reason, const char *who, time_t now,
    struct err *err)
{
	struct acting acting = { 0 };
	char object[32];
	int found = store_find_request(r->store, request, note_request,
	    &acting, err);
	int changed;

	if (found == -1)
		return -1;
	if (found == 1)
		return err_set(err, ERR_REJECT, "there is no request %lld",
		    (long long)request);
	/* Nobody need wait for a sender who was asked to confirm. */
	changed = store_decide_request(r->store, request,
	    acting.state == REQUEST_RECEIVED ? REQUEST_RECEIVED :
	    REQUEST_HELD, to, who, reason, now, err);
	if (changed == 1)
		return err_set(err, ERR_REJECT,
		    "request %lld is not held: it is %s", (long long)request,
		    request_state_name(acting.state));
	snprintf(object, sizeof(object), "request:%lld", (long long)request);
	if (changed == -1 || (to == REQUEST_APPROVED &&
	    vouch(r, &acting, err) == -1))
		return -1;
	return store_audit(r->store, now, event, who, object, reason, err);
}

static int
commit(struct registrar *r, int result, struct err *err)
{
	if (result == 0)
		result = store_commit(r->store, err);
	if (result == -1)
		store_rollback(r->store);
	return result;
}

int
registrar_approve(struct registrar *r, int64_t request, const char *who,
    time_t now, struct err *err)
{
	if (store_begin(r->store, err) == -1 ||
	    commit(r, decide(r, request, REQUEST_APPROVED, "request.approved",
	    "", who, now, err), err) == -1)
		return -1;
	r->approvals = true;
	return 0;
}

int
registrar_reject(struct registrar *r, int64_t request, const char *reason,
    const char *who, time_t now, struct err *err)
{
	int result;

	if (store_begin(r->store, err) == -1)
		return -1;
	result = decide(r, request, REQUEST_REJECTED, "request.rejected",
	    reason, who, now, err);
	if (result == 0)
		result = submission_answer_one(r, request, err);
	return commit(r, result, err);
}

int
registrar_examine_csr(struct registrar *r, struct bytes octets,
    uint64_t token, struct err *err)
{
	const struct wire_examine m = { .id = token, .kind = EXAMINE_CSR,
		.max_depth = 1, .max_parts = 1, .max_header_octets = 1024,
		.octets = octets };

	return wire_send_examine(r->parser, &m, err);
}

/* A key that shares a prime is worth a record, also when no request is. */
static int
record_refused(struct registrar *r, const struct candidate *c,
    const struct key_check *key, const char *who, struct err *err)
{
	char hex[65], object[80];

	hex_encode((struct bytes){ c->key.spki_sha256, 32 }, hex);
	snprintf(object, sizeof(object), "key:%s", hex);
	return store_begin(r->store, err) == -1 ? -1 :
	    commit(r, key_check_record(r, c, key, who, object, err), err);
}

static int
add_rows(struct registrar *r, struct request_row *row,
    const struct submission_row *submission, const struct candidate *c,
    const char *why, struct err *err)
{
	static const struct key_check good = { 0 };
	char object[32];

	if (store_add_submission(r->store, submission, &row->submission,
	    err) == -1 || store_add_request(r->store, row, &row->id, err) == -1)
		return -1;
	snprintf(object, sizeof(object), "request:%lld", (long long)row->id);
	if (key_check_record(r, c, &good, row->decided_by, object, err) == -1)
		return -1;
	return store_audit(r->store, row->decided_at, "request.approved",
	    row->decided_by, object, why, err);
}

int
acts_add_request(struct registrar *r, const struct candidate *c,
    const struct asking *asking, int64_t *request, struct err *err)
{
	const struct request_row *from = asking->from;
	char names_text[512], key_text[32];
	OWNED_BUF(names, 64u << 10);
	struct submission_row submission = { .channel = "cli", .mailbox = "",
		.principal = asking->who, .evidence = "", .reply_to = "",
		.message_id = "", .references = "", .subject = "",
		.outcome = outcome_name(OUTCOME_PROCESSED),
		.received_at = asking->now };
	struct request_row row = { .state = REQUEST_APPROVED, .ca = asking->ca,
		.profile = asking->profile, .validity_s = asking->validity_s,
		.csr = c->der, .csr_digest = c->digest,
		.spki_sha256 = c->key.spki_sha256, .names_text = names_text,
		.key_text = key_text, .rule = asking->rule, .reason = "",
		.ignored = c->ignored, .decided_at = asking->now,
		.decided_by = asking->who, .renews = asking->renews,
		.no_mail = asking->no_mail, .revoke_old = asking->revoke_old };

	/* Whoever has the key keeps it, and hears of it. */
	if (from != NULL) {
		submission.principal = from->principal;
		submission.mailbox = from->mailbox;
		submission.reply_to = from->reply_to;
		submission.message_id = from->message_id;
		submission.references = from->references;
		submission.subject = from->subject;
		submission.file = from->file;
	}
	/* Handing a file in twice is asking twice. */
	if (RAND_bytes(submission.identity, sizeof(submission.identity)) != 1)
		return err_openssl(err, ERR_RETRY, "drawing an identity");
	put_names(&names, &c->names);
	names_describe(&c->names, names_text, sizeof(names_text));
	row.names = buf_bytes(&names);
	snprintf(key_text, sizeof(key_text), c->key.kind == KEY_RSA ?
	    "%s %u" : "%s", key_kind_name(c->key.kind), c->key.bits);
	if (add_rows(r, &row, &submission, c, asking->why, err) == -1)
		return -1;
	*request = row.id;
	return 0;
}

const struct profile *
registrar_profile(const struct registrar *r, const char *name)
{
	const struct profile *responder = profile_ocsp_responder();

	return strcmp(name, responder->name) == 0 ? responder :
	    settings_profile(r->settings, name);
}

/* What holds for administrators too: profile, blocked keys, keys of CAs. */
int
acts_check_request(struct registrar *r, const struct candidate *c,
    const char *profile_name, int64_t validity_s, time_t now,
    struct key_check *key, struct err *err)
{
	const struct profile *profile =
	    registrar_profile(r, profile_name);

	if (profile == NULL)
		return err_set(err, ERR_REJECT, "there is no profile %s",
		    profile_name);
	if (profile->ca || (profile->ocsp_responder &&
	    profile != profile_ocsp_responder()))
		return err_set(err, ERR_REJECT,
		    "profile %s is not for requests", profile_name);
	if (validity_s > profile->max_validity_s)
		return err_set(err, ERR_REJECT,
		    "profile %s allows %lld days at most", profile_name,
		    (long long)(profile->max_validity_s / DAY_S));
	if ((profile != profile_ocsp_responder() &&
	    profile_check_request(profile, &c->names, &c->key, err) == -1) ||
	    key_check(r, c, key, err) == -1)
		return -1;
	if (key->why[0] != '\0')
		return err_set(err, ERR_REJECT, "%s", key->why);
	return same_key_check(r->store, profile,
	    c->key.spki_sha256, now, err);
}

int
registrar_add_cli_request(struct registrar *r, const struct candidate *asked,
    const char *ca_name, const char *profile, int64_t validity_s,
    const char *who, time_t now, int64_t *request, struct err *err)
{
	struct candidate own = *asked;	/* borrows */
	const struct authority *ca = authority_meant(&r->authorities,
	    ca_name, now);
	const bool responder =
	    registrar_profile(r, profile) == profile_ocsp_responder();
	const struct asking asking = { .ca = ca_name, .profile = profile,
		.validity_s = validity_s, .who = who, .now = now,
		.rule = "administrator",
		.why = "handed in by an administrator" };
	struct key_check key = { 0 };
	struct err later;

	if (ca == NULL || ca->settings == NULL)
		return err_set(err, ERR_REJECT, "CA %s does not sign here",
		    ca_name);
	/* Nothing is recorded that could not be signed. */
	if (ca->revoked && !responder)
		return err_set(err, ERR_REJECT, "CA %s is revoked: it signs "
		    "no more", ca->name);
	/* A responder is called after its CA, whatever it asked for. */
	if (responder) {
		if (responders_check_day(r, ca->id, now, err) == -1)
			return -1;
		own.names = (struct names){ 0 };
	}
	if (acts_check_request(r, &own, profile, validity_s, now, &key,
	    err) == -1) {
		if (key.shared && record_refused(r, &own, &key, who,
		    &later) == -1)
			log_warn("key.not-recorded", STR("why", later.text));
		return -1;
	}
	if (store_begin(r->store, err) == -1 ||
	    commit(r, acts_add_request(r, &own, &asking, request, err),
	    err) == -1)
		return -1;
	r->approvals = true;
	return 0;
}

/* One that has ended has nothing in force that a list would be about. */
static bool
makes_lists(const struct registrar *r, const struct authority *ca,
    const char *name)
{
	return ca->settings != NULL && ca->not_after > r->now &&
	    ca_is_meant(name, ca->name);
}

int
registrar_publish_crl(struct registrar *r, const char *name, struct err *err)
{
	const struct authority *shut = NULL;
	bool open = false;

	/* By a CA's name all its keys are meant: each has CRLs. */
	for (size_t i = 0; i < r->authorities.n; i++) {
		const struct authority *ca = &r->authorities.rows[i];

		if (!makes_lists(r, ca, name))
			continue;
		if (ca->key_open)
			open = true;
		else
			shut = ca;
	}
	/* One that is shut makes its own when it is opened. */
	for (size_t i = 0; open && i < r->authorities.n; i++)
		if (makes_lists(r, &r->authorities.rows[i], name))
			publish_want_all(&r->authorities.rows[i]);
	if (open)
		return 0;
	if (shut == NULL)
		return err_set(err, ERR_REJECT,
		    "CA %s does not sign here, or has ended: its CRLs are "
		    "made where its key is (if that is here by now: while "
		    "csrmaild.conf has a section ca \"%s\")", name, name);
	return err_set(err, ERR_RETRY, "the key of %s is not open: %s",
	    shut->name, shut->key_text);
}

int
registrar_reload(struct registrar *r, const char *who, time_t now,
    struct err *err)
{
	if (store_begin(r->store, err) == -1 ||
	    commit(r, store_audit(r->store, now, "daemon.reload", who,
	    "csrmaild", "", err), err) == -1)
		return -1;
	return channel_send(r->control, WIRE_RELOAD, (struct bytes){ 0 }, -1,
	    err);
}

/* --- status --------------------------------------------------------------------- */

static void
describe_server(const struct wire_mailbox *m, const char *what,
    json_t *object, json_t *trouble)
{
	char sentence[600];

	json_object_set_new(object, "connected", json_boolean(m->connected));
	json_object_set_new(object, "answer", json_text(m->text));
	if (m->trouble[0] != '\0') {
		json_object_set_new(object, "trouble", json_text(m->trouble));
		snprintf(sentence, sizeof(sentence), "%s %s: %s", what,
		    m->mailbox, m->trouble);
		json_array_append_new(trouble, json_text(sentence));
	}
	describe_time(object, "since", m->since);
	describe_time(object, "next_attempt", m->next_attempt);
	if (m->connected || m->since == 0)
		return;
	snprintf(sentence, sizeof(sentence), "%s %s: %s", what, m->mailbox,
	    m->text);
	json_array_append_new(trouble, json_text(sentence));
}

/* "smtp" is the one that is worst off; where those that were at work do not
 * fare alike, each is told. */
static void
describe_sessions(const struct registrar *r, json_t *out)
{
	const struct wire_mailbox *first = NULL;
	json_t *sessions = json_array(), *unused = json_array();
	bool differ = false;

	for (size_t i = 0; i < r->n_submits; i++) {
		const struct wire_mailbox *m = &r->submits[i].state;
		json_t *one;

		if (m->since == 0)
			continue;
		if (first == NULL)
			first = m;
		differ = differ || m->connected != first->connected ||
		    strcmp(m->text, first->text) != 0;
		one = json_object();
		describe_server(m, "session", one, unused);
		json_array_append_new(sessions, one);
	}
	if (differ)
		json_object_set(out, "smtp_sessions", sessions);
	json_decref(sessions);
	json_decref(unused);
}

void
registrar_describe_status(struct registrar *r, json_t *out)
{
	json_t *mailboxes = json_object(), *smtp = json_object();
	json_t *keys = json_object();
	json_t *trouble = json_object_get(out, "trouble");

	for (size_t i = 0; i < r->n_intakes; i++) {
		json_t *one = json_object();

		describe_server(&r->intakes[i].state, "mailbox", one, trouble);
		json_object_set_new(mailboxes, r->intakes[i].state.mailbox,
		    one);
	}
	describe_server(&r->smtp, "mail server", smtp, trouble);
	for (size_t i = 0; i < r->authorities.n; i++) {
		const struct authority *ca = &r->authorities.rows[i];
		char sentence[400];

		if (ca->settings == NULL)
			continue;
		json_object_set_new(keys, ca->name,
		    json_boolean(ca->key_open));
		if (ca->revoked && ca->not_after > r->now) {
			snprintf(sentence, sizeof(sentence),
			    "%s is revoked: it signs no more", ca->name);
			json_array_append_new(trouble, json_text(sentence));
		}
		/* Nothing is left to do for a key that is over. */
		if (ca->key_open || ca->not_after < r->now)
			continue;
		snprintf(sentence, sizeof(sentence),
		    "the key of %s is not open: %s", ca->name, ca->key_text);
		json_array_append_new(trouble, json_text(sentence));
	}
	publish_describe_trouble(r, trouble);
	key_check_describe_trouble(r, trouble);
	if (r->trouble[0] != '\0')
		json_array_append_new(trouble, json_text(r->trouble));
	json_object_set_new(out, "mailboxes", mailboxes);
	json_object_set_new(out, "smtp", smtp);
	describe_sessions(r, out);
	json_object_set_new(out, "keys", keys);
}
