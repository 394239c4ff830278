#include "csrmaild/verb.h"

#include "csrmaild/describe.h"
#include "csrmaild/acts.h"
#include "csrmaild/name_pattern.h"
#include "csrmaild/registry.h"

#include "common/ca.h"
#include "common/err.h"
#include "common/profile.h"
#include "common/serial.h"
#include "common/store.h"

#include <string.h>

/* Certificates: lists, one by its serial, and revocation. */

static void
describe_serial(json_t *out, const char *key, const struct serial *serial)
{
	char hex[SERIAL_HEX_SIZE];

	if (serial->len == 0)
		return;
	serial_to_hex(serial, hex);
	describe_text(out, key, hex);
}

static json_t *
describe(const struct cert_row *row, time_t now)
{
	char key[65];
	json_t *out = json_object();

	describe_serial(out, "serial", &row->serial);
	describe_text(out, "ca", row->ca);
	/* Over is over, also before the store is told. */
	describe_text(out, "state", cert_state_name(
	    row->state == CERT_ISSUED && row->not_after < now ?
	    CERT_EXPIRED : row->state));
	describe_text(out, "profile", row->profile);
	describe_text(out, "names", row->names_text);
	describe_time(out, "not_before", row->not_before);
	describe_time(out, "not_after", row->not_after);
	describe_text(out, "origin", row->origin);
	describe_serial(out, "superseded_by", &row->successor);
	describe_serial(out, "renews", &row->renews);
	if (row->shard != 0)
		describe_number(out, "shard", row->shard);
	if (row->spki_sha256 != NULL) {
		hex_encode((struct bytes){ row->spki_sha256, 32 }, key);
		describe_text(out, "key_sha256", key);
	}
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

/* One page of those that match; the store cannot look for a pattern. */
struct listing {
	struct verb_call *vc;
	struct verb_page page;
	const char	*match;		/* NULL: all */
	bool		 expiring;	/* only those that somebody renews */
	unsigned int	 n_seen;
	int64_t		 last;
};
#define MAX_SEEN	20000		/* rows a call, found or not */

static int
list_one(const struct cert_row *row, void *arg)
{
	struct listing *list = arg;

	if (list->page.n == list->page.limit)
		return 1;
	list->last = row->id;
	list->n_seen++;
	if (list->expiring && strcmp(row->profile,
	    profile_ocsp_responder()->name) == 0)
		return 0;
	if (list->match == NULL ||
	    name_pattern_matches(list->match, row->names_text))
		verb_page_add(&list->page, describe(row, list->vc->now),
		    row->id);
	return 0;
}

/* The state that is asked for, as it is now. */
static int
choose_state(struct verb_call *vc, struct cert_filter *filter)
{
	const char *state = verb_text(vc, "state");
	int64_t days = verb_number(vc, "expiring", 0);

	if (state != NULL && strcmp(state, "all") != 0 &&
	    cert_state_from_name(state, &filter->state) != 0) {
		verb_refuse(vc, 400, "state: %s is none: reserved, "
		    "abandoned, issued, revoked, expired, archived or all",
		    state);
		return -1;
	}
	if (days > 0 && state != NULL && filter->state != CERT_ISSUED) {
		verb_refuse(vc, 400, "expiring: only what is issued expires");
		return -1;
	}
	if (days > 0) {
		filter->state = CERT_ISSUED;
		filter->expires_before = vc->now + days * 86400 + 1;
		filter->superseded = -1;
	}
	if (filter->state == CERT_ISSUED)
		filter->expires_after = vc->now;
	return 0;
}

int
verb_cert_list(struct verb_call *vc)
{
	const char *key = verb_text(vc, "key");
	struct cert_filter filter = { .ca = verb_text(vc, "ca"),
		.family = true, .like = verb_text(vc, "like"),
		.expires_before = (time_t)verb_number(vc, "expires_before", 0),
		.after = verb_number(vc, "after", 0),
		.superseded = (int)verb_number(vc, "superseded", 0) };
	struct listing list = { .vc = vc, .match = verb_text(vc, "match") };
	char literal[256];
	uint8_t spki[32];
	struct err err;

	if (choose_state(vc, &filter) != 0)
		return 0;
	if (key != NULL && hex_decode(key, spki, sizeof(spki)) !=
	    sizeof(spki))
		return verb_refuse(vc, 400, "key: 64 hex digits are expected, "
		    "the SHA-256 of a SubjectPublicKeyInfo");
	filter.spki_sha256 = key == NULL ? NULL : spki;
	verb_page_open(&list.page, vc);
	filter.limit = list.page.limit;
	list.expiring = verb_number(vc, "expiring", 0) > 0;
	if (list.match != NULL || list.expiring)
		filter.limit = MAX_SEEN;
	if (list.match != NULL) {
		name_pattern_literal(list.match, literal, sizeof(literal));
		if (filter.like == NULL && literal[0] != '\0')
			filter.like = literal;
	}
	if (store_each_certificate(vc->registrar->store, &filter, list_one,
	    &list, &err) != 0)
		return verb_fail(vc, &err);
	/* Not full, and yet there may be more. */
	if (list.n_seen == MAX_SEEN)
		describe_number(vc->answer, "next", list.last);
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

	if (search->ca != NULL && !ca_is_meant(search->ca, row->ca))
		return 0;
	if (search->n++ > 0)
		return 0;
	search->ca_id = row->ca_id;
	search->found = describe(row, search->vc->now);
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

struct ca_watch {
	const struct registrar *registrar;
	bool		 seen;
};

static int
watch_for_ca(const struct cert_row *row, void *arg)
{
	struct ca_watch *watch = arg;

	watch->seen = watch->seen ||
	    registrar_is_of_ca(watch->registrar, row);
	return 0;
}

static int
refuse_ca(struct verb_call *vc, const char *what)
{
	verb_refuse(vc, 403, "%s is a CA's: %s may not decide about CAs, only "
	    "members of csrmail-security may", what, vc->who);
	return -1;
}

/* As find; refused too when it is a CA's, or none of a CA, and so not for the
 * caller. */
static int
find_to_change(struct verb_call *vc, struct serial *serial, int64_t *ca_id)
{
	struct ca_watch watch = { .registrar = vc->registrar };
	struct err err;

	if (find(vc, serial, ca_id) != 0)
		return -1;
	if (store_find_certificate(vc->registrar->store, *ca_id, serial,
	    watch_for_ca, &watch, &err) != 0) {
		verb_fail(vc, &err);
		return -1;
	}
	if (watch.seen)
		return (vc->rights & RIGHT_SECURITY) != 0 ? 0 :
		    refuse_ca(vc, "this certificate");
	if ((vc->rights & RIGHT_ADMIN) != 0)
		return 0;
	verb_refuse(vc, 403, "this certificate is none of a CA: %s may not "
	    "decide about it, only members of csrmail-admin may", vc->who);
	return -1;
}

int
verb_check_key(struct verb_call *vc, const uint8_t spki_sha256[32])
{
	const struct cert_filter filter = { .spki_sha256 = spki_sha256,
		.limit = INT32_MAX };
	struct ca_watch watch = { .registrar = vc->registrar };
	struct err err;

	if ((vc->rights & RIGHT_SECURITY) != 0)
		return 0;
	if (store_each_certificate(vc->registrar->store, &filter,
	    watch_for_ca, &watch, &err) != 0) {
		verb_fail(vc, &err);
		return -1;
	}
	return watch.seen ? refuse_ca(vc, "this key") : 0;
}

/* A lost key takes along whatever else has it. */
static int
check_lost_key(struct verb_call *vc, enum crl_reason reason,
    const uint8_t *spki_sha256)
{
	return spki_sha256 != NULL && crl_reason_is_compromise(reason) ?
	    verb_check_key(vc, spki_sha256) : 0;
}

/* Of the certificate that find has put into the answer. */
static int
check_lost_key_found(struct verb_call *vc, enum crl_reason reason)
{
	const char *hex = json_string_value(json_object_get(vc->answer,
	    "key_sha256"));
	uint8_t spki[32];

	return hex == NULL || hex_decode(hex, spki, sizeof(spki)) !=
	    sizeof(spki) ? 0 : check_lost_key(vc, reason, spki);
}

int
verb_cert_revoke(struct verb_call *vc)
{
	enum crl_reason reason;
	time_t invalidity;
	struct serial serial;
	int64_t ca_id;
	struct err err;

	if (verb_revocation(vc, &reason, &invalidity) != 0 ||
	    find_to_change(vc, &serial, &ca_id) != 0 ||
	    check_lost_key_found(vc, reason) != 0)
		return 0;
	if (registrar_revoke(vc->registrar, ca_id, &serial, reason, invalidity,
	    vc->who, vc->now, &err) != 0)
		return verb_fail(vc, &err);
	if (find(vc, &serial, &ca_id) == 0)
		verb_tell_list(vc, json_string_value(json_object_get(
		    vc->answer, "ca")));
	return 0;
}

int
verb_cert_unhold(struct verb_call *vc)
{
	struct serial serial;
	int64_t ca_id;
	struct err err;

	if (find_to_change(vc, &serial, &ca_id) != 0)
		return 0;
	if (registrar_release(vc->registrar, ca_id, &serial, vc->who, vc->now,
	    &err) != 0)
		return verb_fail(vc, &err);
	find(vc, &serial, &ca_id);
	return 0;
}

static int
renew(struct verb_call *vc, struct renewal *renewal)
{
	if (find(vc, &renewal->serial, &renewal->ca) != 0 ||
	    verb_check_profile(vc, json_string_value(json_object_get(
	    vc->answer, "profile"))) != 0)
		return 0;
	renewal->validity_s = verb_number(vc, "days", 0) * 86400;
	renewal->no_mail = verb_number(vc, "no_mail", 0) != 0;
	return verb_request_renew(vc, renewal);
}

int
verb_cert_renew(struct verb_call *vc)
{
	struct renewal renewal = {
		.revoke_old = verb_number(vc, "revoke_old", 0) != 0 };

	return renew(vc, &renewal);
}

int
verb_cert_reissue(struct verb_call *vc)
{
	struct renewal renewal = { .reissue = true,
		.reason = CRL_SUPERSEDED };
	time_t invalidity;

	return verb_revocation(vc, &renewal.reason, &invalidity) != 0 ? 0 :
	    renew(vc, &renewal);
}

struct matches {
	json_t		*items;		/* borrowed */
	time_t		 now;
};

static int
list_match(const struct cert_row *row, void *arg)
{
	struct matches *matches = arg;

	json_array_append_new(matches->items, describe(row, matches->now));
	return 0;
}

static int
tell_list(const struct cert_row *row, void *call)
{
	verb_tell_list(call, row->ca);
	return 0;
}

struct key_watch {
	struct verb_call *vc;
	enum crl_reason	 reason;
};

static int
watch_key(const struct cert_row *row, void *arg)
{
	struct key_watch *watch = arg;

	return check_lost_key(watch->vc, watch->reason, row->spki_sha256) ==
	    0 ? 0 : 1;
}

/* -1 and refused: one of them has a key that the caller may not decide
 * about. */
static int
check_lost_keys(struct verb_call *vc, const struct cert_filter *filter,
    const char *match, enum crl_reason reason)
{
	struct key_watch watch = { vc, reason };
	struct err err;

	if (!crl_reason_is_compromise(reason) ||
	    (vc->rights & RIGHT_SECURITY) != 0)
		return 0;
	if (registrar_each_matching(vc->registrar, filter, match, INT32_MAX,
	    watch_key, &watch, &err) < 0)
		verb_fail(vc, &err);
	return vc->problem[0] == '\0' ? 0 : -1;
}

/*
 * Without "expected": which certificates match, at most "max", and one more
 * when there are more. With it: revoke them, if it is that many still.
 */
int
verb_cert_revoke_matching(struct verb_call *vc)
{
	const char *match = verb_text(vc, "match");
	const char *key = verb_text(vc, "key");
	struct cert_filter filter = { .ca = verb_text(vc, "ca"),
		.family = true };
	unsigned int expected = (unsigned int)verb_number(vc, "expected", 0);
	unsigned int max = (unsigned int)verb_number(vc, "max", 100), n = 0;
	struct matches matches = { json_array(), vc->now };
	enum crl_reason reason;
	uint8_t spki[32];
	time_t invalidity;
	struct err err;

	json_object_set_new(vc->answer, "items", matches.items);
	if ((match == NULL) == (key == NULL))
		return verb_refuse(vc, 400, "match or key: one of the two");
	if (key != NULL && (strlen(key) != 64 ||
	    hex_decode(key, spki, sizeof(spki)) != sizeof(spki)))
		return verb_refuse(vc, 400, "key: 64 hex digits are expected, "
		    "the SHA-256 of a SubjectPublicKeyInfo");
	filter.spki_sha256 = key == NULL ? NULL : spki;
	if (verb_revocation(vc, &reason, &invalidity) != 0 ||
	    (key != NULL && verb_check_key(vc, spki) != 0) ||
	    check_lost_keys(vc, &filter, match, reason) != 0)
		return 0;
	if (expected == 0) {
		if (registrar_each_matching(vc->registrar, &filter, match,
		    max + 1, list_match, &matches, &err) != 0)
			return verb_fail(vc, &err);
		return 0;
	}
	if (registrar_each_matching(vc->registrar, &filter, match, INT32_MAX,
	    tell_list, vc, &err) != 0 ||
	    registrar_revoke_matching(vc->registrar, &filter, match, expected,
	    reason, invalidity, vc->who, vc->now, &n, &err) != 0)
		return verb_fail(vc, &err);
	describe_number(vc->answer, "revoked", n);
	return 0;
}
