#include "csrmaild/acts_revoke_private.h"

#include "common/ca.h"
#include "common/key.h"
#include "common/owned.h"
#include "csrmaild/registry.h"

#include <string.h>

#define MAX_DEPTH	16	/* of CAs below one that is revoked */

/* Its own, of one key. */
struct own_certificates {
	struct batch	 batch;
	const struct authority *ca;
	struct bytes	 cert;		/* the one that is looked for */
	struct err	*err;
};

/* Under whichever key of its parent it is on record. */
static int
add_own(const struct cert_row *row, void *arg)
{
	struct own_certificates *own = arg;

	return bytes_equal(row->der, own->cert) ||
	    strcmp(row->ca, own->ca->parent) == 0 ?
	    acts_batch_add(row, &own->batch) : 0;
}

static int
note_own(const struct ca_certificate_row *row, void *arg)
{
	struct own_certificates *own = arg;
	const uint8_t *at = row->cert.data;
	OWNED(X509) *cert = d2i_X509(NULL, &at, (long)row->cert.len);
	struct serial serial;

	if (cert == NULL || serial_from_asn1(X509_get0_serialNumber(cert),
	    &serial, own->err) == -1)
		return err_openssl(own->err, ERR_FAULT,
		    "reading a CA's certificate");
	own->cert = row->cert;
	return store_find_certificate(own->batch.registrar->store, 0,
	    &serial, add_own, own, own->err) == -1 ? -1 : 0;
}

static int
add_of_key(const struct cert_row *row, void *arg)
{
	struct own_certificates *own = arg;

	return crl_reason_is_compromise(own->batch.reason) ||
	    registrar_is_of_ca(own->batch.registrar, row) ?
	    acts_batch_add(row, &own->batch) : 0;
}

/* What the ceremonies recorded for it, and what else is on record with its
 * key: imported with another CA, or about a root's new key. */
static int
gather_own(struct own_certificates *own, struct err *err)
{
	static const enum cert_state states[] = { CERT_ISSUED, CERT_REVOKED };
	struct store *store = own->batch.registrar->store;
	uint8_t key[32];

	if (store_each_ca_certificate(store, own->ca->id, note_own, own,
	    err) == -1 ||
	    key_digest_certificate(own->ca->cert, key, err) == -1)
		return -1;
	for (size_t i = 0; i < 2; i++) {
		const struct cert_filter filter = { .state = states[i],
			.spki_sha256 = key, .limit = ACTS_MAX_BATCH };

		if (store_each_certificate(store, &filter, add_of_key, own,
		    err) == -1)
			return -1;
	}
	return own->batch.full ? err_set(err, ERR_REJECT,
	    "too many certificates have the key of %s", own->ca->name) : 0;
}

static int
revoke_below(struct registrar *r, const struct authority *ca,
    const struct revoking *how, int depth, unsigned int *n, struct err *err)
{
	const struct cert_filter filter = { .ca = ca->name };
	struct revoking others = *how;

	if (depth == MAX_DEPTH)
		return err_set(err, ERR_FAULT, "the CAs go round in a circle");
	if (others.reason == CRL_CA_COMPROMISE ||
	    others.reason == CRL_KEY_COMPROMISE)
		others.reason = CRL_CESSATION_OF_OPERATION;
	if (acts_revoke_filtered(r, &filter, NULL, false, &others, n, err) == -1)
		return -1;
	/* What is left under it are CAs. */
	if (acts_revoke_filtered(r, &filter, NULL, true, how, n, err) == -1)
		return -1;
	for (size_t i = 0; i < r->authorities.n; i++)
		if (strcmp(r->authorities.rows[i].parent, ca->name) == 0 &&
		    revoke_below(r, &r->authorities.rows[i], how, depth + 1,
		    n, err) == -1)
			return -1;
	return 0;
}

/* One key of a CA. */
static int
revoke_generation(struct registrar *r, const struct authority *ca,
    const struct revoking *how, unsigned int *n, struct err *err)
{
	struct own_certificates own = { .batch = { .registrar = r,
		.reason = how->reason, .cas_too = true }, .ca = ca,
		.err = err };
	struct revoking this_one = *how;
	int result = gather_own(&own, err);

	/* Of this CA; those below have keys of their own. */
	this_one.key_is_lost = crl_reason_is_compromise(how->reason);
	if (result == 0)
		result = acts_revoke_batch(r, &own.batch, &this_one, n, err);
	acts_batch_free(&own.batch);
	if (result == 0)
		result = revoke_below(r, ca, how, 0, n, err);
	return result;
}

/* Before anything is done: all that are meant can be revoked. */
static int
check_meant(struct registrar *r, const char *name, struct err *err)
{
	bool known = false;

	for (size_t i = 0; i < r->authorities.n; i++) {
		const struct authority *ca = &r->authorities.rows[i];

		if (!ca_is_meant(name, ca->name))
			continue;
		known = true;
		if (authority_by_name(&r->authorities, ca->parent) == NULL)
			return err_set(err, ERR_REJECT, "%s has no parent on "
			    "record that could revoke it: take it out of the "
			    "trust stores", ca->name);
	}
	return known ? 0 : err_set(err, ERR_REJECT, "there is no CA %s", name);
}

int
registrar_revoke_ca(struct registrar *r, const char *name,
    enum crl_reason reason, time_t invalidity, const char *who, time_t now,
    unsigned int *n, struct err *err)
{
	const struct revoking how = { .reason = reason,
		.invalidity = invalidity, .who = who, .now = now };

	*n = 0;
	if (reason == CRL_CERTIFICATE_HOLD)
		return err_set(err, ERR_REJECT, "a CA is not put on hold: "
		    "whatever it signed meanwhile would be good again");
	if (check_meant(r, name, err) == -1)
		return -1;
	for (size_t i = 0; i < r->authorities.n; i++)
		if (ca_is_meant(name, r->authorities.rows[i].name) &&
		    revoke_generation(r, &r->authorities.rows[i], &how, n,
		    err) == -1)
			return -1;
	return *n > 0 ? 0 : err_set(err, ERR_REJECT, "nothing of %s is in "
	    "force: it is revoked already, and everything below it", name);
}
