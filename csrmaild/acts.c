#include "csrmaild/acts.h"

#include "common/crash.h"
#include "common/err.h"
#include "common/log.h"
#include "csrmaild/describe.h"
#include "csrmaild/problem.h"
#include "csrmaild/registry.h"
#include "csrmaild/submission.h"

#include <openssl/rand.h>

#include <stdio.h>
#include <string.h>

#define DAY_S	86400

struct acting {
	enum request_state state;
};

static int
note_request(const struct request_row *row, void *arg)
{
	struct acting *acting = arg;

	acting->state = row->state;
	return 0;
}

/* Held -> to, with the audit record. Inside the transaction. */
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
	changed = store_decide_request(r->store, request, REQUEST_HELD, to,
	    who, reason, now, err);
	if (changed == 1)
		return err_set(err, ERR_REJECT,
		    "request %lld is not held: it is %s", (long long)request,
		    request_state_name(acting.state));
	snprintf(object, sizeof(object), "request:%lld", (long long)request);
	return changed == -1 ? -1 : store_audit(r->store, now, event, who,
	    object, reason, err);
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

static int
revoke_certificate(struct registrar *r, int64_t ca, const struct crl_entry *entry,
    const char *who, struct err *err)
{
	char hex[SERIAL_HEX_SIZE], object[64];
	int changed = store_revoke(r->store, ca, &entry->serial,
	    entry->revoked_at, entry->reason, entry->invalidity, err);

	serial_to_hex(&entry->serial, hex);
	if (changed == 1)
		return err_set(err, ERR_REJECT,
		    "certificate %s is not in force: it cannot be revoked",
		    hex);
	snprintf(object, sizeof(object), "cert:%s", hex);
	return changed == -1 ? -1 : store_audit(r->store, entry->revoked_at,
	    "cert.revoked", who, object, crl_reason_name(entry->reason), err);
}

int
registrar_revoke(struct registrar *r, int64_t ca_id,
    const struct serial *serial, enum crl_reason reason, time_t invalidity,
    const char *who, time_t now, struct err *err)
{
	struct authority *ca = authority_by_id(&r->authorities, ca_id);
	struct wire_revoked m = { .entry = { .serial = *serial,
		.revoked_at = now, .reason = reason,
		.invalidity = invalidity } };
	struct err later;

	if (ca == NULL)
		return err_set(err, ERR_REJECT, "there is no such CA");
	if (store_begin(r->store, err) == -1 ||
	    commit(r, revoke_certificate(r, ca_id, &m.entry, who, err),
	    err) == -1)
		return -1;
	crash_point("registrar.after-revoke");
	ca->crl_wanted = true;
	/* For a restore of an old backup; the store has it in any case. */
	snprintf(m.ca, sizeof(m.ca), "%s", ca->name);
	if (ca->settings != NULL &&
	    wire_send_revoked(r->signer, &m, &later) == -1)
		log_warn("journal.behind", STR("ca", ca->name),
		    STR("why", later.text));
	return 0;
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

static int
add_cli_request(struct registrar *r, struct request_row *row,
    const struct submission_row *submission, struct err *err)
{
	char object[32];

	if (store_add_submission(r->store, submission, &row->submission,
	    err) == -1 || store_add_request(r->store, row, &row->id, err) == -1)
		return -1;
	snprintf(object, sizeof(object), "request:%lld", (long long)row->id);
	return store_audit(r->store, row->decided_at, "request.approved",
	    submission->principal, object, "handed in by an administrator",
	    err);
}

/* What holds for administrators too: profile, blocked keys, keys of CAs. */
static int
check(struct registrar *r, const struct candidate *c, const char *profile_name,
    int64_t validity_s, struct err *err)
{
	const struct profile *profile =
	    settings_profile(r->settings, profile_name);
	int blocked;

	if (profile == NULL)
		return err_set(err, ERR_REJECT, "there is no profile %s",
		    profile_name);
	if (profile->ca || profile->ocsp_responder)
		return err_set(err, ERR_REJECT,
		    "profile %s is not for requests", profile_name);
	if (validity_s > profile->max_validity_s)
		return err_set(err, ERR_REJECT,
		    "profile %s allows %lld days at most", profile_name,
		    (long long)(profile->max_validity_s / DAY_S));
	if (profile_check(profile, &c->names, &c->key, err) == -1)
		return -1;
	if (authorities_have_key(&r->authorities, c->key.key_sha1))
		return err_set(err, ERR_REJECT,
		    "this is the key of one of our CAs");
	blocked = store_is_key_blocked(r->store, c->key.spki_sha256, err);
	if (blocked == 0)
		return err_set(err, ERR_REJECT, "this key is blocked");
	return blocked == -1 ? -1 : 0;
}

int
registrar_add_cli_request(struct registrar *r, const struct candidate *c,
    const char *ca_name, const char *profile, int64_t validity_s,
    const char *who, time_t now, int64_t *request, struct err *err)
{
	const struct authority *ca = authority_by_name(&r->authorities,
	    ca_name);
	char names_text[512], key_text[32];
	OWNED_BUF(names, 64u << 10);
	struct submission_row submission = { .channel = "cli", .mailbox = "",
		.principal = who, .evidence = "", .reply_to = "",
		.message_id = "", .references = "", .subject = "",
		.outcome = outcome_name(OUTCOME_PROCESSED),
		.received_at = now };
	struct request_row row = { .state = REQUEST_APPROVED, .ca = ca_name,
		.profile = profile, .validity_s = validity_s, .csr = c->der,
		.csr_digest = c->digest, .spki_sha256 = c->key.spki_sha256,
		.names_text = names_text, .key_text = key_text,
		.rule = "administrator", .reason = "",
		.ignored = c->ignored, .decided_at = now,
		.decided_by = who };

	if (ca == NULL || ca->settings == NULL)
		return err_set(err, ERR_REJECT, "CA %s does not sign here",
		    ca_name);
	if (check(r, c, profile, validity_s, err) == -1)
		return -1;
	/* Handing a file in twice is asking twice. */
	if (RAND_bytes(submission.identity, sizeof(submission.identity)) != 1)
		return err_openssl(err, ERR_RETRY, "drawing an identity");
	put_names(&names, &c->names);
	names_describe(&c->names, names_text, sizeof(names_text));
	row.names = buf_bytes(&names);
	snprintf(key_text, sizeof(key_text), c->key.kind == KEY_RSA ?
	    "%s %u" : "%s", key_kind_name(c->key.kind), c->key.bits);
	if (store_begin(r->store, err) == -1 ||
	    commit(r, add_cli_request(r, &row, &submission, err),
	    err) == -1)
		return -1;
	r->approvals = true;
	*request = row.id;
	return 0;
}

int
registrar_publish_crl(struct registrar *r, const char *name, struct err *err)
{
	struct authority *ca = authority_by_name(&r->authorities, name);

	if (ca == NULL || ca->settings == NULL)
		return err_set(err, ERR_REJECT,
		    "CA %s does not sign here: its CRLs are made where its "
		    "key is", name);
	if (!ca->key_open)
		return err_set(err, ERR_RETRY, "the key of %s is not open: %s",
		    name, ca->key_text);
	ca->crl_wanted = true;
	return 0;
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
	char sentence[400];

	json_object_set_new(object, "connected", json_boolean(m->connected));
	json_object_set_new(object, "answer", json_text(m->text));
	describe_time(object, "since", m->since);
	if (m->connected || m->since == 0)
		return;
	snprintf(sentence, sizeof(sentence), "%s %s: %s", what, m->mailbox,
	    m->text);
	json_array_append_new(trouble, json_text(sentence));
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
		if (ca->key_open)
			continue;
		snprintf(sentence, sizeof(sentence),
		    "the key of %s is not open: %s", ca->name, ca->key_text);
		json_array_append_new(trouble, json_text(sentence));
	}
	if (r->trouble[0] != '\0')
		json_array_append_new(trouble, json_text(r->trouble));
	json_object_set_new(out, "mailboxes", mailboxes);
	json_object_set_new(out, "smtp", smtp);
	json_object_set_new(out, "keys", keys);
}
