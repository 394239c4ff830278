#include "csrmaild/verb.h"

#include "csrmaild/acts.h"
#include "csrmaild/describe.h"
#include "csrmaild/registry.h"

#include "common/err.h"
#include "common/store.h"

#include <string.h>

/* Revocations that mails ask for: what stands in the store, and a person's
 * decision. */

static json_t *
describe(const struct revocation_row *row)
{
	char serial[SERIAL_HEX_SIZE];
	json_t *out = json_object();

	describe_number(out, "id", row->id);
	describe_text(out, "state", revocation_state_name(row->state));
	describe_time(out, "received_at", row->received_at);
	describe_text(out, "principal", row->principal);
	describe_text(out, "evidence", row->evidence);
	describe_text(out, "reply_to", row->reply_to);
	describe_text(out, "subject", row->subject);
	describe_text(out, "asked", row->serial_text);
	if (row->serial.len > 0) {
		serial_to_hex(&row->serial, serial);
		describe_text(out, "serial", serial);
	}
	describe_text(out, "ca", row->ca);
	describe_text(out, "names", row->names_text);
	describe_text(out, "reason", crl_reason_name(row->reason));
	describe_text(out, "rule", row->rule);
	describe_text(out, "why", row->why);
	describe_time(out, "decided_at", row->decided_at);
	describe_text(out, "decided_by", row->decided_by);
	return out;
}

static int
list_one(const struct revocation_row *row, void *page)
{
	verb_page_add(page, describe(row), row->id);
	return 0;
}

int
verb_revocation_list(struct verb_call *vc)
{
	const char *name = verb_text(vc, "state");
	enum revocation_state state = 0;
	struct verb_page page;
	struct err err;

	if (name != NULL && strcmp(name, "all") != 0 &&
	    revocation_state_from_name(name, &state) != 0)
		return verb_refuse(vc, 400, "state: %s is none: held, "
		    "rejected, revoked or all", name);
	verb_page_open(&page, vc);
	if (store_each_revocation(vc->registrar->store, state,
	    verb_number(vc, "after", 0), page.limit, list_one, &page,
	    &err) != 0)
		return verb_fail(vc, &err);
	return 0;
}

static int
show_one(const struct revocation_row *row, void *arg)
{
	struct verb_call *vc = arg;

	json_decref(vc->answer);
	vc->answer = describe(row);
	return 0;
}

int
verb_revocation_show(struct verb_call *vc)
{
	struct err err;

	switch (store_find_revocation(vc->registrar->store, verb_id(vc),
	    show_one, vc, &err)) {
	case 0:
		return 0;
	case 1:
		return verb_refuse(vc, 404, "there is no revocation %.40s",
		    vc->part);
	}
	return verb_fail(vc, &err);
}

struct key_watch {
	struct verb_call *vc;
	bool		 refused;
};

/* A lost key takes along whatever else has it. */
static int
watch_key(const struct cert_row *row, void *arg)
{
	struct key_watch *watch = arg;

	watch->refused |= row->spki_sha256 != NULL &&
	    verb_check_key(watch->vc, row->spki_sha256) != 0;
	return 0;
}

static int
check_key(const struct revocation_row *row, void *arg)
{
	struct key_watch *watch = arg;
	struct err err;

	if (crl_reason_is_compromise(row->reason) && row->serial.len > 0 &&
	    store_find_certificate(watch->vc->registrar->store, row->ca_id,
	    &row->serial, watch_key, watch, &err) == -1) {
		verb_fail(watch->vc, &err);
		watch->refused = true;
	}
	return 0;
}

/* First, so that an unknown number is 404; then whether the caller may. */
static bool
may_decide(struct verb_call *vc)
{
	struct key_watch watch = { .vc = vc };
	struct err err;

	verb_revocation_show(vc);
	if (vc->problem[0] != '\0')
		return false;
	if (store_find_revocation(vc->registrar->store, verb_id(vc), check_key,
	    &watch, &err) != 0) {
		verb_fail(vc, &err);
		return false;
	}
	return !watch.refused;
}

int
verb_revocation_approve(struct verb_call *vc)
{
	struct err err;

	if (!may_decide(vc))
		return 0;
	return registrar_approve_revocation(vc->registrar, verb_id(vc),
	    vc->who, vc->now, &err) == 0 ? verb_revocation_show(vc) :
	    verb_fail(vc, &err);
}

int
verb_revocation_reject(struct verb_call *vc)
{
	const char *reason = verb_text(vc, "reason");
	struct err err;

	verb_revocation_show(vc);
	if (vc->problem[0] != '\0')
		return 0;
	return registrar_reject_revocation(vc->registrar, verb_id(vc),
	    reason == NULL ? "" : reason, vc->who, vc->now, &err) == 0 ?
	    verb_revocation_show(vc) : verb_fail(vc, &err);
}
