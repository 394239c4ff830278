#include "csrmaild/acts_private.h"

#include "common/ca.h"
#include "common/err.h"
#include "common/profile.h"
#include "csrmaild/key_check.h"
#include "csrmaild/registry.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The certificate that is to be renewed, copied out of the store. */
struct old {
	int64_t		 id, request;
	enum cert_state	 state;
	enum crl_reason	 reason;
	bool		 is_over;
	char		 hex[SERIAL_HEX_SIZE];
	char		 successor[SERIAL_HEX_SIZE];	/* "": none */
	char		 origin[65];
	time_t		 now;
	/* Its request. */
	char		 ca[CA_NAME_MAX + 1];
	char		 profile[PROFILE_NAME_MAX + 1];
	int64_t		 validity_s;
	uint8_t		 csr_digest[32];
	struct buf	*csr;
};

static int
note_certificate(const struct cert_row *row, void *arg)
{
	struct old *old = arg;

	old->id = row->id;
	old->request = row->request;
	old->state = row->state;
	old->reason = row->reason;
	/* notAfter is inclusive (RFC 5280, 4.1.2.5). */
	old->is_over = row->not_after < old->now;
	snprintf(old->origin, sizeof(old->origin), "%s", row->origin);
	serial_to_hex(&row->serial, old->hex);
	if (row->successor.len > 0)
		serial_to_hex(&row->successor, old->successor);
	return 0;
}

static int
note_request(const struct request_row *row, void *arg)
{
	struct old *old = arg;

	/* Whichever key was asked for: the one that signs now will. */
	ca_family(row->ca, old->ca, sizeof(old->ca));
	snprintf(old->profile, sizeof(old->profile), "%s", row->profile);
	old->validity_s = row->validity_s;
	if (row->csr_digest != NULL)
		memcpy(old->csr_digest, row->csr_digest, 32);
	if (old->csr == NULL)
		return 0;
	return buf_append_bytes(old->csr, row->csr);
}

static int
note_pending(const struct request_row *row, void *arg)
{
	*(int64_t *)arg = row->id;
	return 0;
}

/* --- can it be? --------------------------------------------------------- */

/* The request that made it is there, and nobody has lost the key. */
static int
check_record(const struct old *old, struct err *err)
{
	if (old->request == 0 && old->origin[0] != '\0')
		return err_set(err, ERR_REJECT, "certificate %s was taken over "
		    "(%.20s) without its request: have a new request sent by "
		    "mail, or hand one in with csrmail cert sign", old->hex,
		    old->origin);
	if (old->request == 0)
		return err_set(err, ERR_REJECT, "there is no request on record "
		    "for certificate %s: CAs are renewed by csrmail ca renew, "
		    "OCSP responders renew theirs", old->hex);
	if (old->state == CERT_REVOKED &&
	    crl_reason_is_compromise(old->reason))
		return err_set(err, ERR_REJECT, "the key of certificate %s is "
		    "compromised and is not certified again: have a new "
		    "request with a new key sent", old->hex);
	return 0;
}

static int
check_state(const struct old *old, bool reissue, struct err *err)
{
	bool on_hold = old->state == CERT_REVOKED &&
	    old->reason == CRL_CERTIFICATE_HOLD;

	if (old->state == CERT_RESERVED || old->state == CERT_ABANDONED)
		return err_set(err, ERR_REJECT, "nothing is issued under "
		    "serial %s", old->hex);
	if (old->state == CERT_REVOKED && (!reissue || !on_hold))
		return err_set(err, ERR_REJECT, "certificate %s is %s: %s",
		    old->hex, on_hold ? "on hold" : "revoked", on_hold ?
		    "lift that (csrmail cert unhold), or csrmail cert reissue "
		    "it" : "if its key may be trusted still, hand its request "
		    "in anew (csrmail request show, csrmail cert sign)");
	if (reissue && old->is_over)
		return err_set(err, ERR_REJECT, "certificate %s is over: there "
		    "is nothing to revoke; csrmail cert renew makes a new one",
		    old->hex);
	if (old->successor[0] != '\0' && !reissue)
		return err_set(err, ERR_REJECT, "certificate %s is superseded "
		    "by %s: renew that", old->hex, old->successor);
	return 0;
}

static int
check_reason(const struct renewal *renewal, struct err *err)
{
	if (!renewal->reissue)
		return 0;
	if (crl_reason_is_compromise(renewal->reason) ||
	    renewal->reason == CRL_AA_COMPROMISE)
		return err_set(err, ERR_REJECT, "a compromised key is not "
		    "certified again: revoke it (csrmail cert revoke --reason "
		    "%s), and have a new request with a new key sent",
		    crl_reason_name(renewal->reason));
	if (renewal->reason == CRL_CERTIFICATE_HOLD)
		return err_set(err, ERR_REJECT, "what is reissued is revoked "
		    "for good, not put on hold");
	return 0;
}

static int
check_authority(struct registrar *r, const struct old *old, struct err *err)
{
	const struct authority *ca = authority_current(&r->authorities,
	    old->ca, old->now);

	if (ca == NULL || ca->settings == NULL)
		return err_set(err, ERR_REJECT, "CA %s does not sign here",
		    old->ca);
	if (ca->revoked)
		return err_set(err, ERR_REJECT, "CA %s is revoked: it signs "
		    "no more", ca->name);
	return 0;
}

/* Nothing is revoked now for a certificate that comes some day. */
static int
check_key_open(struct registrar *r, const struct old *old, struct err *err)
{
	const struct authority *ca = authority_current(&r->authorities,
	    old->ca, old->now);

	return ca->key_open ? 0 : err_set(err, ERR_RETRY, "the key of %s is "
	    "not open, so nothing is revoked yet: %.150s", ca->name,
	    ca->key_text);
}

static int
find_old(struct registrar *r, const struct renewal *renewal, time_t now,
    struct old *old, struct err *err)
{
	int64_t pending = 0;
	int known;

	old->now = now;
	known = store_find_certificate(r->store, renewal->ca,
	    &renewal->serial, note_certificate, old, err);
	if (known == 1)
		return err_set(err, ERR_REJECT, "there is no such certificate");
	if (known == -1 || check_record(old, err) == -1 ||
	    check_state(old, renewal->reissue, err) == -1 ||
	    store_find_renewal(r->store, old->id, note_pending, &pending,
	    err) == -1)
		return -1;
	if (pending != 0)
		return err_set(err, ERR_REJECT, "request %" PRId64 " renews "
		    "certificate %s already: see csrmail request show",
		    pending, old->hex);
	known = store_find_request(r->store, old->request, note_request, old,
	    err);
	if (known == 1)
		return err_set(err, ERR_FAULT, "the store has no request "
		    "%" PRId64, old->request);
	return known == -1 ? -1 : check_authority(r, old, err);
}

int
registrar_find_renewable(struct registrar *r, const struct renewal *renewal,
    time_t now, struct buf *csr, struct err *err)
{
	struct old old = { .csr = csr };

	if (check_reason(renewal, err) == -1)
		return -1;
	return find_old(r, renewal, now, &old, err);
}

/* --- the new request ---------------------------------------------------- */

struct renewing {
	struct registrar *registrar;
	const struct renewal *renewal;
	const struct old *old;
	const struct candidate *candidate;
	struct asking	 asking;
	int64_t		*request;
	struct err	*err;
	int		 result;
};

static int
add_from(const struct request_row *row, void *arg)
{
	struct renewing *re = arg;

	re->asking.from = row;
	re->result = acts_add_request(re->registrar, re->candidate,
	    &re->asking, re->request, re->err);
	return 0;
}

/* Inside the transaction, in which a reissue has revoked the old one. */
static int
add(struct registrar *r, void *arg, struct err *err)
{
	struct renewing *re = arg;
	struct key_check key;

	re->err = err;
	re->result = -1;
	if (acts_check_request(r, re->candidate, re->asking.profile,
	    re->asking.validity_s, re->asking.now, &key, err) == -1 ||
	    store_find_request(r->store, re->old->request, add_from, re,
	    err) == -1)
		return -1;
	return re->result;
}

static int
renew(struct registrar *r, struct renewing *re, struct err *err)
{
	if (store_begin(r->store, err) == -1)
		return -1;
	if (add(r, re, err) == 0 && store_commit(r->store, err) == 0)
		return 0;
	store_rollback(r->store);
	return -1;
}

int
registrar_renew(struct registrar *r, const struct renewal *renewal,
    const struct candidate *given, const char *who, time_t now,
    int64_t *request, struct err *err)
{
	struct candidate own = *given;	/* borrows */
	struct old old = { 0 };
	char why[SERIAL_HEX_SIZE + 32];
	struct renewing re = { .registrar = r, .renewal = renewal,
		.old = &old, .candidate = &own, .request = request };
	const struct profile *profile;
	int result;

	if (check_reason(renewal, err) == -1 ||
	    find_old(r, renewal, now, &old, err) == -1 ||
	    (renewal->reissue && check_key_open(r, &old, err) == -1))
		return -1;
	if (memcmp(given->digest, old.csr_digest, 32) != 0)
		return err_set(err, ERR_FAULT,
		    "what was examined is not the request on record");
	profile = registrar_profile(r, old.profile);
	if (profile == profile_ocsp_responder())
		own.names = (struct names){ 0 };
	/* What the old one was given, but no more than there is now. */
	if (renewal->validity_s == 0 && profile != NULL &&
	    old.validity_s > profile->max_validity_s)
		old.validity_s = profile->max_validity_s;
	snprintf(why, sizeof(why), "%s %s", renewal->reissue ?
	    "reissues certificate" : "renews certificate", old.hex);
	re.asking = (struct asking){ .ca = old.ca, .profile = old.profile,
		.validity_s = renewal->validity_s != 0 ?
		renewal->validity_s : old.validity_s, .who = who, .now = now,
		.rule = renewal->reissue ? "reissue" : "renewal", .why = why,
		.renews = old.id, .no_mail = renewal->no_mail,
		.revoke_old = renewal->revoke_old && !renewal->reissue &&
		!old.is_over };
	result = renewal->reissue ?
	    registrar_revoke_and(r, renewal->ca, &renewal->serial,
	    renewal->reason, 0, who, now, add, &re, NULL, err) :
	    renew(r, &re, err);
	if (result == 0)
		r->approvals = true;
	return result;
}
