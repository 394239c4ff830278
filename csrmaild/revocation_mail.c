#include "csrmaild/revocation_mail.h"

#include "common/ca.h"
#include "common/err.h"
#include "common/issue.h"
#include "common/owned.h"
#include "common/store.h"
#include "csrmaild/acts.h"
#include "csrmaild/evidence.h"
#include "csrmaild/policy.h"
#include "csrmaild/registry.h"
#include "csrmaild/smime.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MAX_SIBLINGS	10000	/* certificates of one key */

/* A certificate that may be meant, copied out of the store. */
struct sought {
	const struct registrar *registrar;
	const char	*ca;		/* the mailbox's */
	int64_t		 only;		/* this one; 0: any */
	unsigned int	 n;
	int64_t		 id, ca_id;
	struct serial	 serial;
	bool		 revoked;
	enum crl_reason	 reason;	/* of that */
	time_t		 not_after;
	bool		 out_of_reach;	/* a CA's, or a responder's */
	bool		 has_key;
	uint8_t		 spki_sha256[32];
	bool		 has_names;	/* as they were ordered */
	struct names	 names;		/* owned */
};

struct decision {
	enum revocation_state state;
	char		 rule[64], why[256];
	bool		 own;		/* the key itself has signed */
};

bool
revocation_mail_asks(const struct wire_submit *m)
{
	return findings_ask_for(m->findings, WISH_REVOKE);
}

static bool
means_signer(const struct wish *wish, const struct signature *s)
{
	return wish->kind == WISH_REVOKE && (wish->serial.len == 0 ||
	    serial_equal(&wish->serial, &s->serial));
}

bool
revocation_mail_may_hear(const struct wire_submit *m,
    const struct vouching *v)
{
	if (v->certificate == 0 ||
	    !signature_bears(&m->signature, m->envelope.from))
		return false;
	for (size_t i = 0; i < m->findings->n_wishes; i++)
		if (means_signer(&m->findings->wishes[i], &m->signature))
			return true;
	return false;
}

/* --- which one ----------------------------------------------------------- */

/* What it was ordered for is what stands in it. */
static void
read_names(struct bytes frozen, struct sought *out)
{
	struct order order;
	struct err ignored;

	if (frozen.len == 0 || order_decode(frozen, &order, &ignored) == -1)
		return;
	out->names = order.names;
	order.names = (struct names){ 0 };
	order_free_contents(&order);
	out->has_names = true;
}

static int
look(const struct cert_row *row, void *arg)
{
	struct sought *s = arg;

	if (!ca_is_of_family(row->ca, s->ca) ||
	    row->state == CERT_RESERVED || row->state == CERT_ABANDONED ||
	    (s->only != 0 && row->id != s->only) || s->n++ > 0)
		return 0;
	s->id = row->id;
	s->ca_id = row->ca_id;
	s->serial = row->serial;
	s->revoked = row->state == CERT_REVOKED;
	s->reason = row->reason;
	s->not_after = row->not_after;
	s->out_of_reach = registrar_is_of_ca(s->registrar, row) ||
	    strcmp(row->profile, profile_ocsp_responder()->name) == 0;
	s->has_key = row->spki_sha256 != NULL;
	if (s->has_key)
		memcpy(s->spki_sha256, row->spki_sha256, 32);
	read_names(row->order, s);
	return 0;
}

/* Others with the same key, which a compromise takes along. */
struct siblings {
	const struct registrar *registrar;
	const char	*ca;
	bool		 of_a_ca, elsewhere;
};

static int
look_at_sibling(const struct cert_row *row, void *arg)
{
	struct siblings *s = arg;

	s->of_a_ca |= registrar_is_of_ca(s->registrar, row);
	s->elsewhere |= !ca_is_of_family(row->ca, s->ca);
	return 0;
}

/* --- what becomes of it -------------------------------------------------- */

static int	say(struct decision *, enum revocation_state, const char *rule,
		    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* Returns 1: it is decided. */
static int
say(struct decision *d, enum revocation_state state, const char *rule,
    const char *fmt, ...)
{
	va_list ap;

	d->state = state;
	snprintf(d->rule, sizeof(d->rule), "%s", rule);
	va_start(ap, fmt);
	vsnprintf(d->why, sizeof(d->why), fmt, ap);
	va_end(ap);
	return 1;
}

#define REFUSE(d, ...)	say(d, REVOCATION_REJECTED, "revocation", __VA_ARGS__)

/* What is refused before anything is looked for. */
static int
check_wish(const struct revocation_plea *p, const struct wish *wish,
    struct decision *d)
{
	if (!p->submit->is_signed)
		return REFUSE(d, "the mail is not signed (S/MIME); nothing is "
		    "revoked by one that is not");
	if (!p->vouching->sound)
		return REFUSE(d, "%s", p->vouching->doubt);
	switch (wish->reason) {
	case CRL_REMOVE_FROM_CRL:
		return REFUSE(d, "a hold is not lifted by mail");
	case CRL_CA_COMPROMISE:
	case CRL_AA_COMPROMISE:
		return REFUSE(d, "%s is a reason for certificates of "
		    "authorities", crl_reason_name(wish->reason));
	case CRL_UNSPECIFIED:
	case CRL_KEY_COMPROMISE:
	case CRL_AFFILIATION_CHANGED:
	case CRL_SUPERSEDED:
	case CRL_CESSATION_OF_OPERATION:
	case CRL_CERTIFICATE_HOLD:
	case CRL_PRIVILEGE_WITHDRAWN:
		break;
	}
	if (wish->serial.len == 0 && p->vouching->certificate == 0)
		return REFUSE(d, "the certificate of the signature is not "
		    "from here: name the serial number of the one that is to "
		    "be revoked");
	return 0;
}

static int
find(struct registrar *r, const struct revocation_plea *p,
    const struct wish *wish, struct sought *s, struct decision *d,
    struct err *err)
{
	const struct serial *serial = wish->serial.len == 0 ?
	    &p->submit->signature.serial : &wish->serial;

	s->registrar = r;
	s->ca = p->mailbox->ca;
	s->only = wish->serial.len == 0 ? p->vouching->certificate : 0;
	if (store_find_certificate(r->store, 0, serial, look, s, err) == -1)
		return -1;
	if (s->n == 0)
		return REFUSE(d, "the CA of this mailbox has issued no "
		    "certificate with this serial number");
	if (s->n > 1)
		return REFUSE(d, "several certificates have this serial "
		    "number; sign with the key of the one that is meant, and "
		    "name none");
	return 0;
}

/* May the one who signed ask this at all? */
static int
check_right(const struct revocation_plea *p, const struct sought *s,
    struct decision *d)
{
	const struct vouching *v = p->vouching;

	d->own = v->certificate != 0 && (v->certificate == s->id ||
	    (v->has_key && s->has_key &&
	    memcmp(v->spki_sha256, s->spki_sha256, 32) == 0));
	if (!d->own && (v->evidence & EVIDENCE_SMIME) == 0)
		return REFUSE(d, "the signature is not made with the key of "
		    "that certificate; and %s", v->doubt);
	return s->out_of_reach ? REFUSE(d, "certificates of this kind are not "
	    "revoked by mail") : 0;
}

static int
check_state(const struct registrar *r, const struct wish *wish,
    const struct sought *s, struct decision *d)
{
	if (s->revoked && (s->reason != CRL_CERTIFICATE_HOLD ||
	    wish->reason == CRL_CERTIFICATE_HOLD))
		return say(d, REVOCATION_REVOKED, "revocation",
		    s->reason == CRL_CERTIFICATE_HOLD ?
		    "it was on hold already" : "it was revoked already");
	return s->not_after < r->now ? REFUSE(d, "the certificate has ended: "
	    "nobody accepts it any more") : 0;
}

/*
 * Who has lost a key, and names a certificate of it that is over, means the one
 * that is in force as well, or at least that the key is not certified again.
 */
static int
follow_lost_key(struct registrar *r, const struct revocation_plea *p,
    const struct wish *wish, struct sought *s, struct decision *d,
    struct err *err)
{
	struct sought other = { .registrar = r, .ca = p->mailbox->ca };
	bool over = s->not_after < r->now || (s->revoked &&
	    s->reason != CRL_CERTIFICATE_HOLD);

	if (!d->own || !over || !s->has_key ||
	    !crl_reason_is_compromise(wish->reason))
		return 0;
	if (store_find_key_in_use(r->store, s->spki_sha256, r->now, look,
	    &other, err) == -1)
		return -1;
	if (other.n > 0) {
		names_free(&s->names);
		*s = other;
		return check_right(p, s, d);
	}
	if (store_block_key(r->store, s->spki_sha256, KEY_COMPROMISED,
	    "its owner reported it by mail", r->now, err) == -1)
		return -1;
	return say(d, REVOCATION_REVOKED, "revocation", "the certificate was "
	    "over already; its key is blocked now");
}

/* A lost key: what else would go with it. */
static int
check_key(struct registrar *r, const struct revocation_plea *p,
    const struct wish *wish, const struct sought *s, struct decision *d,
    struct err *err)
{
	const struct cert_filter filter = { .spki_sha256 = s->spki_sha256,
		.limit = MAX_SIBLINGS };
	struct siblings siblings = { .registrar = r, .ca = p->mailbox->ca };

	if (!s->has_key || !crl_reason_is_compromise(wish->reason))
		return 0;
	if (store_each_certificate(r->store, &filter, look_at_sibling,
	    &siblings, err) == -1)
		return -1;
	if (siblings.of_a_ca)
		return say(d, REVOCATION_HELD, "revocation", "a CA has the "
		    "same key; a person will look at it");
	if (siblings.elsewhere && !d->own)
		return say(d, REVOCATION_HELD, "revocation", "the key has "
		    "certificates of other CAs; a person will look at it");
	return 0;
}

static void
ask_rules(struct registrar *r, const struct revocation_plea *p,
    const struct wish *wish, const struct sought *s, struct decision *d)
{
	static const enum revocation_state states[] = {
		[ACTION_REVOKE] = REVOCATION_REVOKED,
		[ACTION_HOLD] = REVOCATION_HELD,
		[ACTION_REJECT] = REVOCATION_REJECTED,
	};
	const struct petition petition = { .revocation = true,
		.mailbox = p->mailbox->title,
		.detail = p->submit->envelope.detail,
		.sender = p->submit->envelope.from,
		.evidence = p->vouching->evidence,
		.names = s->has_names ? &s->names : NULL,
		.own = d->own, .reason = wish->reason };
	struct verdict v;

	policy_decide(settings_rules(r->settings, p->mailbox->rules),
	    &petition, &v, NULL);
	say(d, states[v.action], v.rule, "%s",
	    v.action == ACTION_REVOKE ? "" : v.text);
}

/* 0: it is to be done; 1: it is decided otherwise; -1. */
static int
decide(struct registrar *r, const struct revocation_plea *p,
    const struct wish *wish, struct sought *s, struct decision *d,
    struct err *err)
{
	int decided = check_wish(p, wish, d);

	if (decided == 0)
		decided = find(r, p, wish, s, d, err);
	if (decided == 0)
		decided = check_right(p, s, d);
	if (decided == 0)
		decided = follow_lost_key(r, p, wish, s, d, err);
	if (decided == 0)
		decided = check_state(r, wish, s, d);
	if (decided == 0)
		decided = check_key(r, p, wish, s, d, err);
	if (decided != 0)
		return decided;
	ask_rules(r, p, wish, s, d);
	return d->state == REVOCATION_REVOKED ? 0 : 1;
}

/* --- on record ----------------------------------------------------------- */

static int
record(struct registrar *r, const struct revocation_plea *p,
    const struct wish *wish, const struct sought *s, const struct decision *d,
    const char *who, struct err *err)
{
	static const char *const events[] = {
		[REVOCATION_HELD] = "revocation.held",
		[REVOCATION_REJECTED] = "revocation.rejected",
		[REVOCATION_REVOKED] = "revocation.granted",
	};
	char hex[SERIAL_HEX_SIZE] = "", object[40];
	struct revocation_row row = { .submission = p->submission,
		.certificate = s->id, .state = d->state, .serial_text = hex,
		/* removeFromCRL is no reason to revoke. */
		.reason = wish->reason == CRL_REMOVE_FROM_CRL ?
		    CRL_UNSPECIFIED : wish->reason,
		.rule = d->rule, .why = d->why, .decided_at = r->now,
		.decided_by = "" };
	int64_t id;

	if (wish->serial.len > 0)
		serial_to_hex(&wish->serial, hex);
	if (store_add_revocation(r->store, &row, &id, err) == -1)
		return -1;
	snprintf(object, sizeof(object), "revocation:%lld", (long long)id);
	return store_audit(r->store, r->now, events[d->state], who, object,
	    d->why[0] == '\0' ? d->rule : d->why, err);
}

/* Who acts: the mailbox, or where only the key is proved, that. */
static void
name_actor(const struct revocation_plea *p, const struct decision *d,
    char out[MAILBOX_MAX + 8])
{
	char hex[SERIAL_HEX_SIZE];

	if (!d->own || (p->vouching->evidence & EVIDENCE_SMIME) != 0) {
		snprintf(out, MAILBOX_MAX + 8, "%s", p->principal);
		return;
	}
	serial_to_hex(&p->submit->signature.serial, hex);
	snprintf(out, MAILBOX_MAX + 8, "cert:%s", hex);
}

static int
take_one(struct registrar *r, const struct revocation_plea *p,
    const struct wish *wish, struct sought *s, struct decision *d,
    struct err *err)
{
	int decided = decide(r, p, wish, s, d, err);
	char who[MAILBOX_MAX + 8];

	if (decided == -1)
		return -1;
	name_actor(p, d, who);
	if (decided == 0) {
		int done = registrar_revoke_within(r, s->ca_id, &s->serial,
		    wish->reason, who, p->reply_to[0] == '\0' ? NULL :
		    p->reply_to, err);

		if (done == -1)
			return -1;
		if (done == 1)
			REFUSE(d, "it is not in force");
	}
	return record(r, p, wish, s, d, who, err);
}

int
revocation_mail_take(struct registrar *r, const struct revocation_plea *p,
    struct revocation_count *count, struct err *err)
{
	const struct findings *found = p->submit->findings;

	for (size_t i = 0; i < found->n_wishes; i++) {
		struct sought sought = { 0 };
		struct decision d = { 0 };
		int result;

		if (found->wishes[i].kind != WISH_REVOKE)
			continue;
		result = take_one(r, p, &found->wishes[i], &sought, &d, err);
		names_free(&sought.names);
		if (result == -1)
			return -1;
		count->revoked += d.state == REVOCATION_REVOKED;
		count->held += d.state == REVOCATION_HELD;
		count->rejected += d.state == REVOCATION_REJECTED;
	}
	return 0;
}
