#include "ocspd/answering.h"

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"

#include <string.h>

#define ALARM_INTERVAL_S	60

/* Content of an INTEGER to a serial that a certificate can have. */
static bool
usable_serial(struct bytes in, struct serial *out)
{
	struct err err;

	if (in.len > 1 && in.data[0] == 0)
		in = bytes_slice(in, 1, in.len);
	else if ((in.data[0] & 0x80) != 0)
		return false;	/* negative: never issued */
	return serial_from_octets(in, out, &err) == 0;
}

static enum ocsp_status
say_never_issued(const struct answering *o, struct single *out)
{
	out->never_issued = true;
	switch (o->settings->never_issued) {
	case NEVER_ISSUED_UNKNOWN:
		out->state = SINGLE_UNKNOWN;
		return OCSP_SUCCESSFUL;
	case NEVER_ISSUED_UNAUTHORIZED:
		return OCSP_UNAUTHORIZED;
	case NEVER_ISSUED_REVOKED:
		response_revoke_never_issued(out);
		return OCSP_SUCCESSFUL;
	}
	return OCSP_INTERNAL_ERROR;
}

static enum ocsp_status
look_up(struct answering *o, const struct authority *a,
    const struct cert_id *id, struct single *out)
{
	struct status_row row;
	struct serial serial;
	struct err err;
	int found = 1;

	*out = (struct single){ .id = *id, .state = SINGLE_UNKNOWN };
	if (usable_serial(id->serial, &serial))
		found = snapshot_find(o->snapshot, a->id, &serial, &row, &err);
	if (found == -1) {
		log_error("store.failed", STR("why", err.text),
		    STR("detail", err.detail));
		return err.kind == ERR_RETRY ? OCSP_TRY_LATER :
		    OCSP_INTERNAL_ERROR;
	}
	if (found == 1)
		return say_never_issued(o, out);
	switch (row.state) {
	case STATUS_GOOD:
		out->state = SINGLE_GOOD;
		if (a->compromised_at != 0) {
			out->state = SINGLE_REVOKED;
			out->revoked_at = a->compromised_at;
			out->reason = CRL_CA_COMPROMISE;
		}
		return OCSP_SUCCESSFUL;
	case STATUS_REVOKED:
		out->state = SINGLE_REVOKED;
		out->revoked_at = row.revoked_at;
		out->reason = row.reason;
		out->invalidity = row.invalidity;
		return OCSP_SUCCESSFUL;
	}
	return OCSP_INTERNAL_ERROR;
}

/* For who wonders why a client gets no answer: which field is wrong. */
static void
note_foreign(struct answering *o, const struct cert_id *id)
{
	bool named = false;

	for (size_t i = 0; i < o->snapshot->n_authorities; i++)
		named |= authority_has_name(o->snapshot->authorities[i], id);
	counters_add(o->counters, named ? COUNT_FOREIGN_KEY :
	    COUNT_FOREIGN_NAME, 1);
	/* Strangers choose what they ask: one line a second is enough. */
	if (o->snapshot->now == o->foreign_told_at)
		return;
	o->foreign_told_at = o->snapshot->now;
	log_info("request.foreign", STR("wrong", named ? "issuerKeyHash" :
	    "issuerNameHash"), STR("why", named ? "a CA of that name has "
	    "another key here" : "no CA of that name is here"));
}

static void
alarm_no_signer(struct authority *a, time_t now)
{
	if (now - a->alarmed_at < ALARM_INTERVAL_S)
		return;
	a->alarmed_at = now;
	log_error("responder.uncertified", STR("ca", a->name),
	    STR("why", "no valid certificate for our key; see the spool"));
}

static void
hold(struct answering *o, const struct responder_key *key, bool is_default,
    const struct made *made, struct bytes serial)
{
	const struct response *r = &made->response;
	struct answer answer = { .der = r->der, .tail = r->tail,
		.n_ids = r->n_cert_ids, .serial = serial,
		.this_update = made->this_update,
		.next_update = made->next_update,
		.tail_expires = key->not_after,
		.signature = key->signature, .is_default = is_default };

	for (size_t i = 0; i < r->n_cert_ids; i++)
		answer.cert_ids[i] = r->cert_ids[i];
	answers_put(o->answers, &answer, o->snapshot->now);
}

/*
 * The same certificate by SHA-1 and by SHA-256: one signature for both (RFC
 * 9919, 3.2.1). For CertIDs as nearly all clients write them; what others
 * write is answered as it was written, and alone.
 */
static size_t
name_twice(struct answering *o, const struct authority *a,
    const struct cert_id *asked)
{
	static const enum cert_hash both[] = { CERT_HASH_SHA1,
		CERT_HASH_SHA256 };

	if (!o->settings->dual_cert_ids || !asked->null_params ||
	    o->singles[0].never_issued || (asked->hash != both[0] &&
	    asked->hash != both[1]))
		return 1;
	o->singles[1] = o->singles[0];
	for (size_t i = 0; i < 2; i++)
		authority_name(a, both[i], asked->serial,
		    &o->singles[i].id);
	return 2;
}

/* One signer answers for one CA, and so for one CA in a request; and for a CA
 * that is not ours, nobody (RFC 6960, 2.3). */
static struct authority *
choose_authority(struct answering *o, const struct request *req)
{
	struct authority *a = snapshot_match(o->snapshot, &req->ids[0]);

	for (size_t i = 0; i < req->n_ids; i++)
		if (a == NULL || !authority_matches(a, &req->ids[i])) {
			if (snapshot_match(o->snapshot, &req->ids[i]) == NULL)
				note_foreign(o, &req->ids[i]);
			return NULL;
		}
	return a;
}

static void
set_dates(const struct answering *o, const struct responder_key *key,
    struct response_terms *terms)
{
	time_t read_at = o->snapshot->read_at;

	terms->this_update = read_at;
	terms->next_update = read_at + o->settings->answer_validity_s;
	/* RFC 6960, 4.2.2.2: nothing outlives the signer's certificate. */
	if (terms->next_update > key->not_after)
		terms->next_update = key->not_after;
	if (o->settings->archive_retention_s > 0)
		terms->archive_cutoff = read_at -
		    o->settings->archive_retention_s;
}

static int
sign(struct answering *o, const struct responder_key *key, size_t n,
    const struct response_terms *terms, struct made *out)
{
	struct err err;

	if (response_build(key->signer, o->singles, n, terms, o->room,
	    &out->response, &err) == -1) {
		counters_add(o->counters, COUNT_SIGNATURES_FAILED, 1);
		log_error("signing.failed", STR("why", err.text),
		    STR("detail", err.detail));
		return -1;
	}
	counters_add(o->counters, COUNT_SIGNATURES, 1);
	out->this_update = terms->this_update;
	out->next_update = terms->next_update;
	out->signature = key->signature;
	return 0;
}

enum ocsp_status
answering_make(struct answering *o, const struct request *req, struct made *out)
{
	struct response_terms terms = { 0 };
	struct responder_key *key;
	struct authority *a;
	bool alone = req->n_ids == 1 && !req->has_nonce;
	size_t n = req->n_ids;

	if (!snapshot_is_fresh(o->snapshot))
		return OCSP_TRY_LATER;
	a = choose_authority(o, req);
	if (a == NULL)
		return OCSP_UNAUTHORIZED;
	key = authority_choose_signer(a, o->places, req, o->snapshot->now);
	if (key == NULL) {
		alarm_no_signer(a, o->snapshot->now);
		return OCSP_INTERNAL_ERROR;
	}
	out->never_issued = false;
	for (size_t i = 0; i < req->n_ids; i++) {
		enum ocsp_status s = look_up(o, a, &req->ids[i],
		    &o->singles[i]);

		if (s != OCSP_SUCCESSFUL)
			return s;
		out->never_issued |= o->singles[i].never_issued;
	}
	/* The look has shown that it is another CA now, or none of ours. */
	if (!a->listed)
		return OCSP_TRY_LATER;
	if (alone)
		n = name_twice(o, a, &req->ids[0]);
	set_dates(o, key, &terms);
	if (req->has_nonce)
		terms.nonce = (struct bytes){ req->nonce, req->nonce_len };
	if (sign(o, key, n, &terms, out) == -1)
		return OCSP_INTERNAL_ERROR;
	/* Anybody can ask for serials that do not exist; they are not held. */
	if (alone && !out->never_issued)
		hold(o, key, key == authority_default_signer(a, o->places,
		    o->snapshot->now), out, req->ids[0].serial);
	return OCSP_SUCCESSFUL;
}

size_t
answering_max_part(const struct settings *s)
{
	size_t signature = 128, alike = 440, second = 240;

	for (size_t i = 0; i < s->n_responder_keys; i++)
		if (s->responder_keys[i].bits / 8 > signature)
			signature = s->responder_keys[i].bits / 8;
	return alike + signature + (s->dual_cert_ids ? second : 0);
}
