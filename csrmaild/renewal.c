#include "csrmaild/renewal.h"

#include "common/err.h"
#include "common/log.h"
#include "common/store.h"
#include "csrmaild/acts.h"
#include "csrmaild/principal.h"
#include "csrmaild/registry.h"

#include <stdio.h>

#define RETRY_AFTER_S	10
#define EXPIRY_EVERY_S	60
#define EXPIRY_BATCH	500

int
renewal_take_issued(struct registrar *r, int64_t renews, int64_t ca,
    const struct serial *serial, struct err *err)
{
	/* Looked for after the commit: whether it is to be revoked stands in
	 * the store, so a crash forgets nothing. */
	r->replaced_not_before = 0;
	return store_supersede(r->store, renews, ca, serial, err);
}

/* --- revoked because the new one is there ------------------------------- */

struct replaced {
	int64_t		 request, ca;
	struct serial	 serial;
	char		 who[PRINCIPAL_TEXT_SIZE];
};

static int
note_replaced(const struct replaced_row *row, void *arg)
{
	struct replaced *out = arg;

	out->request = row->request;
	out->ca = row->ca_id;
	out->serial = row->serial;
	snprintf(out->who, sizeof(out->who), "%s", row->decided_by);
	return 0;
}

static int
settle(struct registrar *r, void *arg, struct err *err)
{
	const struct replaced *replaced = arg;

	return store_settle_replaced(r->store, replaced->request, err);
}

/* Revoked meanwhile, or over: nothing is left to do. */
static int
settle_alone(struct registrar *r, struct replaced *replaced, struct err *err)
{
	if (store_begin(r->store, err) == 0 &&
	    settle(r, replaced, err) == 0 && store_commit(r->store, err) == 0)
		return 0;
	store_rollback(r->store);
	return -1;
}

static int
revoke_replaced(struct registrar *r, struct err *err)
{
	for (;;) {
		struct replaced one = { 0 };

		if (store_each_replaced(r->store, 1, note_replaced, &one,
		    err) == -1)
			return -1;
		if (one.request == 0)
			return 0;
		if (registrar_revoke_and(r, one.ca, &one.serial,
		    CRL_SUPERSEDED, 0, one.who, r->now, settle, &one, NULL,
		    err) == 0)
			continue;
		if (err->kind != ERR_REJECT ||
		    settle_alone(r, &one, err) == -1)
			return -1;
	}
}

/* --- over --------------------------------------------------------------- */

static int
expire_some(struct registrar *r, struct err *err)
{
	unsigned int n = 0;

	if (store_begin(r->store, err) == -1 ||
	    store_expire(r->store, r->now, EXPIRY_BATCH, &n, err) == -1 ||
	    store_commit(r->store, err) == -1) {
		store_rollback(r->store);
		return -1;
	}
	if (n > 0)
		log_info("certificates.expired", NUM("n", n));
	/* More at once only after the others had their turn. */
	if (n < EXPIRY_BATCH)
		r->expiry_not_before = r->now + EXPIRY_EVERY_S;
	return 0;
}

void
renewal_expire(struct registrar *r)
{
	struct err err;

	if (r->expiry_not_before > r->now || expire_some(r, &err) == 0)
		return;
	r->expiry_not_before = r->now + RETRY_AFTER_S;
	log_warn("renewal.not-expired", STR("why", err.text),
	    STR("detail", err.detail));
}

void
renewal_pump(struct registrar *r)
{
	struct err err;

	if (r->replaced_not_before <= r->now) {
		r->replaced_not_before = INT64_MAX;
		if (revoke_replaced(r, &err) == -1) {
			r->replaced_not_before = r->now + RETRY_AFTER_S;
			log_warn("renewal.not-revoked", STR("why", err.text),
			    STR("detail", err.detail));
		}
	}
	renewal_expire(r);
}
