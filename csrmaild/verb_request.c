#include "csrmaild/verb.h"

#include "csrmaild/describe.h"
#include "csrmaild/problem.h"
#include "csrmaild/acts.h"
#include "csrmaild/registry.h"
#include "csrmaild/settings.h"
#include "csrmaild/verbs.h"
#include "csrmaild/wire.h"

#include "common/ca.h"
#include "common/csr.h"
#include "common/err.h"
#include "common/log.h"
#include "common/store.h"

#include <stdio.h>
#include <string.h>

/*
 * Requests: what stands in the store, a person's decision, and a file that an
 * administrator brings, or one on record that is to be signed anew. The octets
 * go to the parser first; until its findings come the call waits here, so many
 * at once and no more.
 */
#define MAX_WAITING	32
#define MAX_WAIT_S	20

static struct waiting {
	uint64_t	token;		/* 0: free */
	uint64_t	connection, call;
	time_t		since;
	char		who[PRINCIPAL_TEXT_SIZE];
	char		ca[64];
	char		profile[PROFILE_NAME_MAX + 1];
	int64_t		validity_s;
	bool		renews;		/* a certificate, of which only this
					 * is said: */
	struct renewal	renewal;
} waiting[MAX_WAITING];

static json_t *
describe(const struct request_row *row)
{
	char serial[SERIAL_HEX_SIZE];
	json_t *out = json_object();

	describe_number(out, "id", row->id);
	describe_text(out, "state", request_state_name(row->state));
	describe_text(out, "ca", row->ca);
	describe_text(out, "profile", row->profile);
	describe_text(out, "names", row->names_text);
	describe_text(out, "key", row->key_text);
	describe_text(out, "channel", row->channel);
	describe_text(out, "principal", row->principal);
	describe_text(out, "evidence", row->evidence);
	describe_text(out, "reply_to", row->reply_to);
	describe_text(out, "subject", row->subject);
	describe_text(out, "rule", row->rule);
	describe_text(out, "reason", row->reason);
	describe_text(out, "ignored", row->ignored);
	describe_text(out, "decided_by", row->decided_by);
	describe_time(out, "received_at", row->received_at);
	describe_time(out, "decided_at", row->decided_at);
	if (row->serial.len > 0) {
		serial_to_hex(&row->serial, serial);
		describe_text(out, "serial", serial);
	}
	return out;
}

static int
list_one(const struct request_row *row, void *page)
{
	verb_page_add(page, describe(row), row->id);
	return 0;
}

int
verb_request_list(struct verb_call *vc)
{
	const char *name = verb_text(vc, "state");
	enum request_state state = 0;
	struct verb_page page;
	struct err err;

	if (name != NULL && strcmp(name, "all") != 0 &&
	    request_state_from_name(name, &state) != 0)
		return verb_refuse(vc, 400, "state: %s is none: received, "
		    "rejected, held, approved, issued, lapsed, withdrawn or "
		    "all", name);
	verb_page_open(&page, vc);
	if (store_each_request(vc->registrar->store, state,
	    verb_number(vc, "after", 0), page.limit, list_one, &page,
	    &err) != 0)
		return verb_fail(vc, &err);
	return 0;
}

int
verb_submission_requests(struct verb_call *vc)
{
	struct verb_page page;
	struct err err;

	verb_page_open(&page, vc);
	page.limit = WIRE_MAX_CANDIDATES + 1;	/* never cut */
	if (store_each_of_submission(vc->registrar->store, verb_id(vc),
	    list_one, &page, &err) != 0)
		return verb_fail(vc, &err);
	return 0;
}

static int
show_one(const struct request_row *row, void *arg)
{
	struct verb_call *vc = arg;

	json_decref(vc->answer);
	vc->answer = describe(row);
	describe_number(vc->answer, "validity_s", row->validity_s);
	describe_pem(vc->answer, "csr", "CERTIFICATE REQUEST", row->csr);
	return 0;
}

int
verb_request_show(struct verb_call *vc)
{
	struct err err;

	switch (store_find_request(vc->registrar->store, verb_id(vc), show_one,
	    vc, &err)) {
	case 0:
		return 0;
	case 1:
		return verb_refuse(vc, 404, "there is no request %.40s",
		    vc->part);
	}
	return verb_fail(vc, &err);
}

/* After a decision: the request as it stands now. */
static int
decided(struct verb_call *vc, int r, const struct err *err)
{
	return r == 0 ? verb_request_show(vc) : verb_fail(vc, err);
}

int
verb_request_approve(struct verb_call *vc)
{
	struct err err;

	/* First, so that an unknown number is 404. */
	verb_request_show(vc);
	if (vc->problem[0] != '\0')
		return 0;
	return decided(vc, registrar_approve(vc->registrar, verb_id(vc),
	    vc->who, vc->now, &err), &err);
}

int
verb_request_reject(struct verb_call *vc)
{
	const char *reason = verb_text(vc, "reason");
	struct err err;

	verb_request_show(vc);
	if (vc->problem[0] != '\0')
		return 0;
	return decided(vc, registrar_reject(vc->registrar, verb_id(vc),
	    reason == NULL ? "" : reason, vc->who, vc->now, &err), &err);
}

/* Have the octets examined for what `what` says, and wait. */
static int
wait_for_parser(struct verb_call *vc, const struct waiting *what,
    struct bytes octets)
{
	static uint64_t last;
	struct waiting *w = waiting;
	struct err err;

	while (w < waiting + MAX_WAITING && w->token != 0)
		w++;
	if (w == waiting + MAX_WAITING)
		return verb_refuse(vc, 503, "too many files wait to be read");
	*w = *what;
	w->connection = vc->connection;
	w->call = vc->call;
	w->since = vc->now;
	snprintf(w->who, sizeof(w->who), "%s", vc->who);
	/* On record before it is sent: the findings may come at once. */
	w->token = VERBS_TOKEN | ++last;
	if (registrar_examine_csr(vc->registrar, octets, w->token,
	    &err) != 0) {
		w->token = 0;
		return verb_fail(vc, &err);
	}
	return 1;
}

int
verb_check_profile(struct verb_call *vc, const char *profile)
{
	if ((vc->rights & RIGHT_SECURITY) != 0 ||
	    strcmp(profile, profile_ocsp_responder()->name) != 0)
		return 0;
	verb_refuse(vc, 403, "who has a certificate of profile %s speaks for "
	    "the CA: %s may not have one made, only members of "
	    "csrmail-security may", profile, vc->who);
	return -1;
}

int
verb_request_add(struct verb_call *vc)
{
	const char *ca = verb_text(vc, "ca");
	const char *profile = verb_text(vc, "profile");
	struct waiting what = {
		.validity_s = verb_number(vc, "days", 0) * 86400 };
	char family[CA_NAME_MAX + 1];

	/* "users~1" is no name on record; which key it is, and whether there
	 * is one, is looked at once the file is read. */
	ca_family(ca, family, sizeof(family));
	if (settings_ca(vc->registrar->settings, family) == NULL)
		return verb_refuse(vc, 422, "there is no CA %s", ca);
	if (verb_check_profile(vc, profile) != 0)
		return 0;
	if (registrar_profile(vc->registrar, profile) == NULL)
		return verb_refuse(vc, 422, "there is no profile %s", profile);
	snprintf(what.ca, sizeof(what.ca), "%s", ca);
	snprintf(what.profile, sizeof(what.profile), "%s", profile);
	return wait_for_parser(vc, &what, bytes_of(verb_text(vc, "csr")));
}

int
verb_request_renew(struct verb_call *vc, const struct renewal *renewal)
{
	const struct waiting what = { .renews = true, .renewal = *renewal };
	OWNED_BUF(csr, CSR_MAX_OCTETS);
	struct err err;

	if (registrar_find_renewable(vc->registrar, renewal, vc->now, &csr,
	    &err) != 0)
		return verb_fail(vc, &err);
	return wait_for_parser(vc, &what, buf_bytes(&csr));
}

static void
answer(struct registrar *registrar, const struct waiting *w, uint16_t status,
    const struct buf *json)
{
	struct wire_result result = { .connection = w->connection,
		.call = w->call, .status = status, .json = buf_bytes(json) };
	struct err err;

	if (wire_send_result(registrar->api, &result, &err) != 0)
		log_warn("api.answer.lost", STR("why", err.text),
		    STR("detail", err.detail));
}

static void
answer_problem(struct registrar *registrar, const struct waiting *w,
    uint16_t status, const char *detail)
{
	OWNED_BUF(json, 4096);

	problem_write(status, detail, &json);
	answer(registrar, w, status, &json);
}

/* The one good candidate, or NULL and why not. */
static const struct candidate *
choose(const struct findings *found, const char **why)
{
	if (found->private_key)
		*why = "the file holds a private key: it is known to others "
		    "now and must not be used; make a new key and send only "
		    "the request";
	else if (found->status != FINDINGS_OK)
		*why = found->text;
	else if (found->n_candidates == 0)
		*why = "the file holds no certificate signing request";
	else if (found->n_candidates > 1)
		*why = "the file holds more than one request";
	else if (!found->candidates[0].good)
		*why = found->candidates[0].text;
	else
		return &found->candidates[0];
	return NULL;
}

static int
ask(struct registrar *registrar, const struct waiting *w,
    const struct candidate *csr, int64_t *request, struct err *err)
{
	return w->renews ?
	    registrar_renew(registrar, &w->renewal, csr, w->who, w->since,
	    request, err) :
	    registrar_add_cli_request(registrar, csr, w->ca, w->profile,
	    w->validity_s, w->who, w->since, request, err);
}

void
verb_request_examined(struct registrar *registrar, uint64_t token,
    const struct findings *found)
{
	struct waiting w = { 0 };
	const struct candidate *csr;
	const char *why = "";
	OWNED_BUF(json, 256);
	int64_t request;
	struct err err;

	for (size_t i = 0; i < MAX_WAITING && w.token == 0; i++)
		if (waiting[i].token == token) {
			w = waiting[i];
			waiting[i].token = 0;
		}
	if (w.token == 0)
		return;
	if (found == NULL) {
		answer_problem(registrar, &w, 503,
		    "the file could not be examined now");
		return;
	}
	csr = choose(found, &why);
	if (csr == NULL) {
		answer_problem(registrar, &w, 422, why);
	} else if (ask(registrar, &w, csr, &request, &err) != 0) {
		answer_problem(registrar, &w, verb_status_of(&err), err.text);
	} else {
		buf_printf(&json, "{\"id\":%lld}", (long long)request);
		answer(registrar, &w, 201, &json);
	}
}

void
verb_request_closed(uint64_t connection)
{
	for (size_t i = 0; i < MAX_WAITING; i++)
		if (waiting[i].connection == connection)
			waiting[i].token = 0;
}

void
verb_request_expire(struct registrar *registrar, time_t now)
{
	for (size_t i = 0; i < MAX_WAITING; i++) {
		if (waiting[i].token == 0 ||
		    now - waiting[i].since < MAX_WAIT_S)
			continue;
		answer_problem(registrar, &waiting[i], 503,
		    "examining the file takes too long");
		waiting[i].token = 0;
	}
}
