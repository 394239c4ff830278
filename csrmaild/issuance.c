#include "csrmaild/issuance.h"

#include "common/crash.h"
#include "common/err.h"
#include "common/log.h"
#include "common/owned.h"
#include "common/profile.h"
#include "common/store.h"
#include "csrmaild/acts.h"
#include "csrmaild/orders.h"
#include "csrmaild/registry.h"
#include "csrmaild/renewal.h"
#include "csrmaild/responders.h"
#include "csrmaild/same_key.h"
#include "csrmaild/answer.h"

#include <openssl/rand.h>

#include <openssl/x509v3.h>

#include <stdio.h>
#include <string.h>

#define RESEND_AFTER_S	10

/* --- who is told ------------------------------------------------------------------ */

struct decided {
	int64_t		 submission;
	bool		 by_a_person;
	int64_t		 renews;
};

static int
note_decision(const struct request_row *row, void *arg)
{
	struct decided *decided = arg;

	decided->submission = row->submission;
	decided->by_a_person = row->decided_by[0] != '\0';
	decided->renews = row->renews;
	return 0;
}

/* The reply goes out when all that policy signs of the mail is settled; what a
 * person decided later gets one of its own. */
static int
answer(struct registrar *r, int64_t request, const struct decided *decided,
    struct err *err)
{
	return decided->by_a_person ?
	    submission_answer_one(r, request, err) :
	    submission_answer(r, decided->submission, err);
}

/* An approved request ends otherwise: for a person to look at, or rejected. */
static int
end_otherwise(struct registrar *r, int64_t request, enum request_state to,
    const char *who, const char *why, struct err *err)
{
	struct decided decided = { 0 };
	char object[32];

	snprintf(object, sizeof(object), "request:%lld", (long long)request);
	if (store_find_request(r->store, request, note_decision, &decided,
	    err) == -1 ||
	    store_decide_request(r->store, request, REQUEST_APPROVED, to, "",
	    why, r->now, err) == -1 ||
	    store_audit(r->store, r->now, to == REQUEST_HELD ?
	    "request.held" : "request.rejected", who, object, why, err) == -1)
		return -1;
	return answer(r, request, &decided, err);
}

/* --- freezing ------------------------------------------------------------------------- */

/* Requests found in the store, to be frozen after the walk. */
struct found {
	struct registrar *registrar;
	int64_t		 ids[REGISTRAR_MAX_ORDERS];
	size_t		 n;
	int64_t		 last;
};

static int
note_request(const struct request_row *row, void *arg)
{
	struct found *found = arg;

	found->last = row->id;
	if (!orders_have(found->registrar, row->id) &&
	    found->n < REGISTRAR_MAX_ORDERS)
		found->ids[found->n++] = row->id;
	return 0;
}

struct making {
	struct registrar *registrar;
	struct order	 order;		/* csr is borrowed inside the walk */
	struct err	*err;
	int		 result;
};

/* notBefore and notAfter, within the CA's own. */
static int
choose_dates(const struct registrar *r, const struct profile *profile,
    int64_t wanted_s, const struct authority *ca, struct order *order,
    struct err *err)
{
	int64_t validity_s = wanted_s > 0 ? wanted_s : profile->validity_s;
	int64_t jitter_s = profile->jitter_s;
	uint64_t drawn;

	/* A rule may have asked for less than the jitter is: half is left. */
	if (jitter_s > validity_s / 2)
		jitter_s = validity_s / 2;
	if (RAND_bytes((unsigned char *)&drawn, sizeof(drawn)) != 1)
		return err_openssl(err, ERR_RETRY, "drawing a date");
	validity_s -= (int64_t)(drawn % (uint64_t)(jitter_s + 1));
	order->not_before = r->now - (time_t)profile->backdate_s;
	if (order->not_before < ca->not_before)
		order->not_before = ca->not_before;
	order->not_after = r->now + (time_t)validity_s;
	if (order->not_after > ca->not_after)
		order->not_after = ca->not_after;
	return 0;
}

/* The subject is the profile's to make of what was asked for. */
static int
choose_names(const struct profile *profile, struct bytes on_record,
    struct order *order, struct err *err)
{
	__attribute__((cleanup(names_free))) struct names asked = { 0 };
	struct cursor c = CURSOR(on_record);

	get_names(&c, &asked);
	if (!cursor_end(&c))
		return err_set(err, ERR_FAULT,
		    "the names on record are not readable");
	return profile_make_names(profile, &asked, &order->names, err);
}

static int
freeze_row(const struct request_row *row, void *arg)
{
	struct making *making = arg;
	struct registrar *r = making->registrar;
	struct order *order = &making->order;
	const struct profile *profile = registrar_profile(r, row->profile);
	const struct authority *ca =
	    authority_meant(&r->authorities, row->ca, r->now);

	if (profile == NULL || ca == NULL || ca->settings == NULL) {
		making->result = err_set(making->err, ERR_REJECT,
		    "the CA or the profile is no longer configured");
		return 0;
	}
	order->request_id = (uint64_t)row->id;
	/* The generation that signs now, whoever it was when this came; unless
	 * a person has asked for one. */
	snprintf(order->ca, sizeof(order->ca), "%s", ca->name);
	snprintf(order->profile, sizeof(order->profile), "%s", row->profile);
	memcpy(order->profile_digest, profile->digest, 32);
	order->csr = row->csr;
	making->result = -1;
	/* The key once more: another of its requests may have come first. */
	if (same_key_check(r->store, profile, row->spki_sha256, r->now,
	    making->err) == 0 &&
	    choose_dates(r, profile, row->validity_s, ca, order,
	    making->err) == 0 &&
	    choose_names(profile, row->names, order, making->err) == 0)
		making->result = orders_freeze(r, order, row->spki_sha256,
		    making->err);
	names_free(&order->names);
	return 0;
}

static int
freeze_all(struct registrar *r, const struct found *found, struct err *err)
{
	for (size_t i = 0; i < found->n &&
	    r->n_orders < REGISTRAR_MAX_ORDERS; i++) {
		struct making making = { .registrar = r, .err = err };
		int known = store_find_request(r->store, found->ids[i],
		    freeze_row, &making, err);

		if (known == -1)
			return -1;
		if (making.result == 0)
			continue;
		if (err->kind == ERR_RETRY ||
		    end_otherwise(r, found->ids[i], REQUEST_HELD, "registrar",
		    err->text, err) == -1)
			return -1;
	}
	return 0;
}

static int
freeze_approved(struct registrar *r, struct err *err)
{
	struct found found = { .registrar = r };
	size_t before = r->n_orders;

	/* Requests with a pending order are approved still: look past them. */
	if (store_each_request(r->store, REQUEST_APPROVED, 0,
	    2 * REGISTRAR_MAX_ORDERS, note_request, &found, err) == -1)
		return -1;
	r->approvals = found.n > REGISTRAR_MAX_ORDERS - before;
	if (found.n == 0)
		return 0;
	if (store_begin(r->store, err) == 0 &&
	    freeze_all(r, &found, err) == 0 &&
	    store_commit(r->store, err) == 0) {
		crash_point("registrar.after-reserve");
		return 0;
	}
	store_rollback(r->store);
	r->n_orders = before;
	r->approvals = true;
	return -1;
}

/* --- sending ---------------------------------------------------------------------- */

static int
send_row(const struct cert_row *row, void *arg)
{
	struct making *making = arg;

	making->result = channel_send(making->registrar->signer, WIRE_ISSUE,
	    row->order, -1, making->err);
	return 0;
}

static void
send_orders(struct registrar *r)
{
	for (size_t i = 0; i < r->n_orders; i++) {
		struct pending_order *order = &r->orders[i];
		struct err err;
		struct making making = { .registrar = r, .err = &err,
			.result = -1 };

		if (order->sent || order->not_before > r->now)
			continue;
		if (store_find_certificate(r->store, order->ca,
		    &order->serial, send_row, &making, &err) != 0 ||
		    making.result == -1) {
			order->not_before = r->now + 1;
			continue;
		}
		order->sent = true;
	}
}

void
issuance_pump(struct registrar *r)
{
	struct err err;

	if (r->approvals && r->n_orders < REGISTRAR_MAX_ORDERS &&
	    freeze_approved(r, &err) == -1) {
		snprintf(r->trouble, sizeof(r->trouble), "%s", err.text);
		log_warn("issuance.deferred", STR("why", err.text),
		    STR("detail", err.detail));
	}
	send_orders(r);
}

static int
resume_one(const struct cert_row *row, void *arg)
{
	struct registrar *r = arg;

	if (r->n_orders == REGISTRAR_MAX_ORDERS)
		return 1;
	r->orders[r->n_orders++] = (struct pending_order){
		.request = row->request, .ca = row->ca_id,
		.serial = row->serial };
	return 0;
}

int
issuance_resume(struct registrar *r, struct err *err)
{
	const struct cert_filter reserved = { .state = CERT_RESERVED,
		.limit = REGISTRAR_MAX_ORDERS };

	r->n_orders = 0;
	r->approvals = true;
	return store_each_certificate(r->store, &reserved, resume_one, r,
	    err);
}

/* --- the signer's answers ------------------------------------------------------------ */

/* What the signer sends is looked at once more before it is on record. */
static int
check_certificate(const struct authority *ca, const struct serial *serial,
    struct bytes der, X509 **out, struct err *err)
{
	const uint8_t *at = der.data;
	OWNED(X509) *cert = d2i_X509(NULL, &at, (long)der.len);
	struct serial inside;

	if (cert == NULL || at != der.data + der.len)
		return err_openssl(err, ERR_FAULT,
		    "the signer sent something that is no certificate");
	if (serial_from_asn1(X509_get0_serialNumber(cert), &inside,
	    err) == -1 || !serial_equal(&inside, serial) ||
	    X509_check_issued(ca->cert, cert) != X509_V_OK ||
	    X509_verify(cert, X509_get0_pubkey(ca->cert)) != 1)
		return err_openssl(err, ERR_FAULT,
		    "the signer sent a certificate that was not ordered");
	*out = TAKE(cert);
	return 0;
}

int
issuance_take_issued(struct registrar *r, const struct wire_issued *m,
    struct err *err)
{
	struct authority *ca = authority_by_name(&r->authorities, m->ca);
	struct pending_order *order = ca == NULL ? NULL :
	    orders_find(r, ca->id, &m->serial);
	char hex[SERIAL_HEX_SIZE], object[64], detail[64];
	OWNED(X509) *cert = NULL;
	struct decided decided = { 0 };
	int64_t request;

	if (order == NULL)
		return err_set(err, ERR_FAULT,
		    "the signer answers what was not asked");
	request = order->request;
	if (check_certificate(ca, &m->serial, m->der, &cert, err) == -1 ||
	    store_issue(r->store, ca->id, &m->serial, m->der, err) == -1)
		return -1;
	serial_to_hex(&m->serial, hex);
	snprintf(object, sizeof(object), "cert:%s", hex);
	snprintf(detail, sizeof(detail), "request:%lld", (long long)request);
	if (store_audit(r->store, r->now, "cert.issued", "signer", object,
	    detail, err) == -1)
		return -1;
	/* Out of a spool, or by hand: ocspd finds it all the same. */
	if ((X509_get_extension_flags(cert) & EXFLAG_XKUSAGE) != 0 &&
	    (X509_get_extended_key_usage(cert) & XKU_OCSP_SIGN) != 0 &&
	    responders_take_issued(r, ca->id, cert, m->der, err) == -1)
		return -1;
	if (request != 0 && store_find_request(r->store, request,
	    note_decision, &decided, err) == -1)
		return -1;
	if (decided.renews != 0 && renewal_take_issued(r, decided.renews,
	    ca->id, &m->serial, err) == -1)
		return -1;
	if (request != 0 && answer(r, request, &decided, err) == -1)
		return -1;
	log_info("cert.issued", STR("ca", ca->name), STR("serial", hex),
	    NUM("request", request));
	orders_forget(r, order);
	return 0;
}

int
issuance_take_refused(struct registrar *r, const struct wire_refused *m,
    struct err *err)
{
	struct authority *ca = authority_by_name(&r->authorities, m->ca);
	struct pending_order *order = ca == NULL ? NULL :
	    orders_find(r, ca->id, &m->serial);
	int64_t request;

	if (order == NULL)
		return err_set(err, ERR_FAULT,
		    "the signer answers what was not asked");
	log_warn("order.refused", NUM("request", order->request),
	    STR("why", m->text));
	if (m->kind == ERR_RETRY) {
		order->sent = false;
		order->not_before = r->now + RESEND_AFTER_S;
		return 0;
	}
	/* The reservation ends with its serial. */
	request = order->request;
	if (store_abandon(r->store, ca->id, &m->serial, err) == -1)
		return -1;
	if (request == 0)
		responders_take_refused(r, ca->id);
	else if (end_otherwise(r, request, m->kind == ERR_REJECT ?
	    REQUEST_REJECTED : REQUEST_HELD, "signer", m->text, err) == -1)
		return -1;
	orders_forget(r, order);
	return 0;
}
