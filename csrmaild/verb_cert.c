#include "csrmaild/verb.h"

#include "csrmaild/describe.h"
#include "csrmaild/acts.h"
#include "csrmaild/registry.h"

#include "common/err.h"
#include "common/serial.h"
#include "common/store.h"

#include <string.h>

/* Certificates: lists, one by its serial, and revocation. */

static json_t *
describe(const struct cert_row *row)
{
	char serial[SERIAL_HEX_SIZE];
	json_t *out = json_object();

	serial_to_hex(&row->serial, serial);
	describe_text(out, "serial", serial);
	describe_text(out, "ca", row->ca);
	describe_text(out, "state", cert_state_name(row->state));
	describe_text(out, "profile", row->profile);
	describe_text(out, "names", row->names_text);
	describe_time(out, "not_before", row->not_before);
	describe_time(out, "not_after", row->not_after);
	if (row->request != 0)
		describe_number(out, "request", row->request);
	if (row->revoked_at != 0) {
		describe_time(out, "revoked_at", row->revoked_at);
		describe_text(out, "reason", crl_reason_name(row->reason));
	}
	if (row->invalidity != 0)
		describe_time(out, "invalidity", row->invalidity);
	return out;
}

static int
list_one(const struct cert_row *row, void *page)
{
	verb_page_add(page, describe(row), row->id);
	return 0;
}

int
verb_cert_list(struct verb_call *vc)
{
	const char *state = verb_text(vc, "state");
	struct cert_filter filter = { .ca = verb_text(vc, "ca"),
		.like = verb_text(vc, "like"),
		.expires_before = (time_t)verb_number(vc, "expires_before", 0),
		.after = verb_number(vc, "after", 0) };
	struct verb_page page;
	struct err err;

	if (state != NULL && strcmp(state, "all") != 0 &&
	    cert_state_from_name(state, &filter.state) != 0)
		return verb_refuse(vc, 400, "state: %s is none: reserved, "
		    "abandoned, issued, revoked, expired, archived or all",
		    state);
	verb_page_open(&page, vc);
	filter.limit = page.limit;
	if (store_each_certificate(vc->registrar->store, &filter, list_one,
	    &page, &err) != 0)
		return verb_fail(vc, &err);
	return 0;
}

/* A serial is unique under its CA only: count what the name left out. */
struct search {
	struct verb_call *vc;
	const char	*ca;		/* NULL: any */
	unsigned int	 n;
	int64_t		 ca_id;
	json_t		*found;		/* owned; the first */
};

static int
see_one(const struct cert_row *row, void *arg)
{
	struct search *search = arg;

	if (search->ca != NULL && strcmp(search->ca, row->ca) != 0)
		return 0;
	if (search->n++ > 0)
		return 0;
	search->ca_id = row->ca_id;
	search->found = describe(row);
	describe_pem(search->found, "pem", "CERTIFICATE", row->der);
	return 0;
}

/* 0 and the certificate as the answer; -1 when there is not exactly one. */
static int
find(struct verb_call *vc, struct serial *serial, int64_t *ca_id)
{
	struct search search = { .vc = vc, .ca = verb_text(vc, "ca") };
	struct err err;
	int r;

	if (serial_from_hex(vc->part, serial, &err) != 0) {
		verb_refuse(vc, 400, "%.80s is no serial number", vc->part);
		return -1;
	}
	r = store_find_certificate(vc->registrar->store, 0, serial, see_one,
	    &search, &err);
	if (r == 0 && search.n == 1) {
		json_decref(vc->answer);
		vc->answer = search.found;
		*ca_id = search.ca_id;
		return 0;
	}
	json_decref(search.found);
	if (r < 0)
		verb_fail(vc, &err);
	else if (search.n > 1)
		verb_refuse(vc, 409, "several CAs have used this serial: "
		    "name the CA");
	else
		verb_refuse(vc, 404, "there is no certificate %.80s",
		    vc->part);
	return -1;
}

int
verb_cert_show(struct verb_call *vc)
{
	struct serial serial;
	int64_t ca_id;

	find(vc, &serial, &ca_id);
	return 0;
}

int
verb_cert_revoke(struct verb_call *vc)
{
	const char *name = verb_text(vc, "reason");
	time_t invalidity = (time_t)verb_number(vc, "invalidity", 0);
	enum crl_reason reason;
	struct serial serial;
	int64_t ca_id;
	struct err err;

	/* A CA certificate's reasons and a hold are not for this verb. */
	if (crl_reason_from_name(name, &reason) != 0 ||
	    reason == CRL_CERTIFICATE_HOLD || reason == CRL_CA_COMPROMISE ||
	    reason == CRL_AA_COMPROMISE)
		return verb_refuse(vc, 400, "reason: %s is none: unspecified, "
		    "keyCompromise, affiliationChanged, superseded, "
		    "cessationOfOperation or privilegeWithdrawn", name);
	if (invalidity > vc->now)
		return verb_refuse(vc, 400, "invalidity lies in the future");
	if (find(vc, &serial, &ca_id) != 0)
		return 0;
	if (registrar_revoke(vc->registrar, ca_id, &serial, reason, invalidity,
	    vc->who, vc->now, &err) != 0)
		return verb_fail(vc, &err);
	find(vc, &serial, &ca_id);
	return 0;
}
