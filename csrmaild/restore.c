#include "csrmaild/restore.h"
#include "common/ca.h"
#include "common/err.h"
#include "common/issue.h"
#include "common/key.h"
#include "common/names.h"
#include "common/owned.h"
#include "common/profile.h"
#include "common/store.h"

#include <openssl/err.h>

#include <stdio.h>
#include <string.h>

struct merge {
	struct store	*store;
	struct restore_ca *ca;
	struct restore_counts *counts;
	struct err	*err;
};

/* --- revocations --------------------------------------------------------- */

/* A serial that is revoked, and of which nothing else is known. It stays on
 * CRLs as long as the CA lasts. */
static int
add_serial(struct merge *m, const struct crl_entry *e, const char *origin)
{
	struct cert_row row = { .ca_id = m->ca->id, .serial = e->serial,
		.state = CERT_REVOKED,
		.not_after = m->ca->not_after, .profile = "",
		.names_text = "", .revoked_at = e->revoked_at,
		.reason = e->reason, .invalidity = e->invalidity,
		.origin = origin };
	int r = store_revoke_unissued(m->store, m->ca->id, &e->serial,
	    e->revoked_at, e->reason, e->invalidity, origin, m->err);

	m->counts->serials++;
	return r <= 0 ? r : store_add_certificate(m->store, &row, m->err);
}

/* Whoever has the key gets no certificate for it, also where the journal that
 * would tell the signer is lost. */
static int
block_key(struct merge *m, const struct crl_entry *e)
{
	return !crl_reason_is_compromise(e->reason) ? 0 :
	    store_block_key_of(m->store, m->ca->id, &e->serial,
	    "its certificate was revoked for a compromise", e->revoked_at,
	    m->err);
}

/*
 * 8, removeFromCRL, takes back a hold that began before (RFC 5280, 5.3.1);
 * everything else only makes a status worse.
 */
static int
merge_status(struct merge *m, const struct crl_entry *e, const char *origin)
{
	struct status_row status;
	bool lifts = e->reason == CRL_REMOVE_FROM_CRL;
	int r = store_find_status(m->store, m->ca->id, &e->serial, &status,
	    m->err);

	if (r < 0)
		return -1;
	if (r == 1)
		return lifts ? 0 : add_serial(m, e, origin);
	if (status.state == STATUS_REVOKED) {
		if (status.reason != CRL_CERTIFICATE_HOLD ||
		    e->reason == CRL_CERTIFICATE_HOLD)
			return 0;
		if (lifts && e->revoked_at < status.revoked_at)
			return 0;	/* another hold came after it */
	} else if (lifts)
		return 0;
	r = lifts ? store_release_hold(m->store, m->ca->id, &e->serial,
	    e->revoked_at, m->err) : store_revoke(m->store, m->ca->id,
	    &e->serial, e->revoked_at, e->reason, e->invalidity, m->err);
	if (r == 0)
		++*(lifts ? &m->counts->released : &m->counts->revoked);
	else if (r > 0)
		m->counts->odd++;
	return r < 0 ? -1 : 0;
}

static int
merge_revocation(struct merge *m, const struct crl_entry *e,
    const char *origin)
{
	return merge_status(m, e, origin) < 0 ? -1 : block_key(m, e);
}

static void
note_crl(struct restore_ca *ca, const struct crl_terms *terms)
{
	if (terms->number > ca->last.number) {
		ca->last.number = terms->number;
		ca->last.next_update = terms->next_update;
	}
	if (terms->this_update > ca->last.this_update)
		ca->last.this_update = terms->this_update;
}

int
restore_merge_crl(struct store *store, struct restore_ca *ca,
    const struct crl_read *crl, struct restore_counts *counts,
    struct err *err)
{
	struct merge m = { store, ca, counts, err };

	for (size_t i = 0; i < crl->n; i++) {
		struct crl_entry e = crl->entries[i];

		/* In a delta it is as old as the delta (RFC 5280, 5.2.4). */
		if (e.reason == CRL_REMOVE_FROM_CRL)
			e.revoked_at = crl->terms.this_update;
		if (merge_revocation(&m, &e, "crl") < 0)
			return -1;
	}
	note_crl(ca, &crl->terms);
	return 0;
}

/* --- certificates -------------------------------------------------------- */

struct pending {
	int64_t		 id;		/* 0: none */
	const char	*family;
};

/* A request that waited when the backup was made. */
static int
keep_pending(const struct request_row *row, void *arg)
{
	struct pending *pending = arg;

	if ((row->state == REQUEST_RECEIVED || row->state == REQUEST_HELD ||
	    row->state == REQUEST_APPROVED) &&
	    ca_is_of_family(row->ca, pending->family))
		pending->id = row->id;
	return 0;
}

/* 1: the request has another certificate in the making. */
static int
add_issued(struct merge *m, struct cert_row *row, int64_t request)
{
	int r;

	row->request = request;
	if (store_savepoint(m->store, m->err) < 0)
		return -1;
	r = store_reserve(m->store, row, m->err);
	if (r == 0)
		r = store_issue(m->store, row->ca_id, &row->serial, row->der,
		    m->err);
	if (r == 0)
		return store_release_savepoint(m->store, m->err);
	store_rollback_to_savepoint(m->store);
	return r < 0 && request != 0 && m->err->kind == ERR_FAULT ? 1 : -1;
}

/* What the signer made, as it wrote it down itself: no stranger's octets. */
static int
describe(X509 *cert, struct cert_row *row, char *text, size_t size,
    uint8_t spki[32], struct err *err)
{
	__attribute__((cleanup(names_free))) struct names names = { 0 };
	OWNED(GENERAL_NAMES) *sans = X509_get_ext_d2i(cert,
	    NID_subject_alt_name, NULL, NULL);

	if (asn1_time_read(X509_get0_notBefore(cert), &row->not_before,
	    err) < 0 || asn1_time_read(X509_get0_notAfter(cert),
	    &row->not_after, err) < 0 ||
	    key_digest_certificate(cert, spki, err) < 0)
		return -1;
	if (names_read(X509_get_subject_name(cert), sans, &names, err) == 0)
		names_describe(&names, text, size);
	else
		X509_NAME_oneline(X509_get_subject_name(cert), text,
		    (int)size);
	row->names_text = text;
	row->spki_sha256 = spki;
	return 0;
}

/* What a certificate of the journal says of itself. */
struct description {
	char		 names[1024];
	uint8_t		 spki_sha256[32];
};

/* Into the row, which borrows. 1: a root, which is not among those that it
 * issued. */
static int
read_issued(struct merge *m, const struct journal_issued *issued,
    struct cert_row *row, struct description *out)
{
	const uint8_t *at = issued->der.data;
	OWNED(X509) *cert = d2i_X509(NULL, &at, (long)issued->der.len);

	ERR_clear_error();
	if (cert == NULL)
		return err_set(m->err, ERR_FAULT, "a certificate in the "
		    "journal of %s cannot be read", m->ca->name);
	if (X509_NAME_cmp(X509_get_subject_name(cert),
	    X509_get_issuer_name(cert)) == 0)
		return 1;
	row->ca_id = m->ca->id;
	row->serial = issued->serial;
	row->der = issued->der;
	return describe(cert, row, out->names, sizeof(out->names),
	    out->spki_sha256, m->err);
}

static int
merge_unknown(struct merge *m, const struct journal_issued *issued)
{
	char family[CA_NAME_MAX + 1];
	struct cert_row row = { .state = CERT_RESERVED, .profile = "" };
	struct pending pending = { .family = family };
	struct description text;
	int r = read_issued(m, issued, &row, &text);

	if (r != 0)
		return r < 0 ? -1 : 0;
	ca_family(m->ca->name, family, sizeof(family));
	if (store_find_key(m->store, row.spki_sha256, keep_pending, &pending,
	    m->err) < 0)
		return -1;
	r = add_issued(m, &row, pending.id);
	if (r == 1) {
		pending.id = 0;
		r = add_issued(m, &row, 0);
	}
	if (r == 0) {
		m->counts->issued++;
		m->counts->requests += pending.id != 0;
	}
	return r;
}

/* A list told of the serial alone: now its certificate is known, and whether
 * its key is lost. */
static int
merge_certificate(struct merge *m, const struct journal_issued *issued,
    const char *profile)
{
	struct cert_row row = { .profile = profile };
	struct description text;
	struct status_row status;
	struct crl_entry e = { .serial = issued->serial };
	int r = read_issued(m, issued, &row, &text);

	if (r == 0)
		r = store_complete_certificate(m->store, &row, m->err);
	if (r != 0)
		return r < 0 ? -1 : 0;
	if (store_find_status(m->store, m->ca->id, &issued->serial, &status,
	    m->err) != 0)
		return -1;
	m->counts->issued++;
	e.reason = status.reason;
	e.revoked_at = status.revoked_at;
	return block_key(m, &e);
}

struct known {
	enum cert_state	 state;
	bool		 has_certificate;
	char		 profile[PROFILE_NAME_MAX + 1];
};

static int
note_known(const struct cert_row *row, void *arg)
{
	struct known *known = arg;

	known->state = row->state;
	known->has_certificate = row->der.len > 0;
	snprintf(known->profile, sizeof(known->profile), "%s", row->profile);
	return 0;
}

static int
merge_issued(struct merge *m, const struct journal_issued *issued)
{
	struct known known = { .state = CERT_RESERVED };
	int r = store_find_certificate(m->store, m->ca->id, &issued->serial,
	    note_known, &known, m->err);

	if (r < 0)
		return -1;
	if (r == 1)
		return merge_unknown(m, issued);
	switch (known.state) {
	case CERT_RESERVED:
		m->counts->issued++;
		m->counts->requests++;
		return store_issue(m->store, m->ca->id, &issued->serial,
		    issued->der, m->err);
	case CERT_ABANDONED:
		m->counts->odd++;
		return 0;
	case CERT_REVOKED:
		return known.has_certificate ? 0 :
		    merge_certificate(m, issued, known.profile);
	case CERT_ISSUED:
	case CERT_EXPIRED:
	case CERT_ARCHIVED:
		break;
	}
	return 0;
}

static int
merge_record(const struct journal_issued *issued,
    const struct crl_entry *revoked, const struct crl_terms *crl,
    const struct journal_blocked *blocked, void *arg)
{
	struct merge *m = arg;

	if (issued != NULL)
		return merge_issued(m, issued);
	if (revoked != NULL)
		return merge_revocation(m, revoked, "journal");
	if (blocked != NULL)
		return store_block_key(m->store, blocked->spki_sha256,
		    KEY_BLOCKED, "blocked in the signer's journal",
		    blocked->at, m->err);
	note_crl(m->ca, crl);
	return 0;
}

int
restore_merge_journal(struct store *store, struct restore_ca *ca,
    struct journal *journal, struct restore_counts *counts, struct err *err)
{
	struct err why = { 0 };
	struct merge m = { store, ca, counts, &why };

	if (journal_each(journal, merge_record, &m, err) == 0)
		return 0;
	if (why.text[0] != '\0')
		*err = why;
	return -1;
}

/* --- reservations -------------------------------------------------------- */

struct page {
	struct merge	*m;
	int64_t		 last;
	unsigned int	 n;
};

static int
abandon(const struct cert_row *row, void *arg)
{
	struct page *page = arg;

	page->last = row->id;
	page->n++;
	page->m->counts->abandoned++;
	return store_abandon(page->m->store, row->ca_id, &row->serial,
	    page->m->err);
}

int
restore_abandon_reserved(struct store *store, const struct restore_ca *ca,
    struct restore_counts *counts, struct err *err)
{
	struct merge m = { .store = store, .counts = counts, .err = err };
	struct page page = { .m = &m };
	struct cert_filter filter = { .state = CERT_RESERVED,
		.ca = ca->name, .limit = 1000 };

	do {
		page.n = 0;
		filter.after = page.last;
		if (store_each_certificate(store, &filter, abandon, &page,
		    err) < 0)
			return -1;
	} while (page.n == filter.limit);
	return 0;
}

/* --- the number of CRLs -------------------------------------------------- */

static int
keep_crl(const struct ca_row *row, void *arg)
{
	struct ca_row *out = arg;

	out->crl_number = row->crl_number;
	out->crl_this_update = row->crl_this_update;
	return 0;
}

int
restore_crl_number(struct store *store, const struct restore_ca *ca,
    struct err *err)
{
	struct crl_terms terms = ca->last;
	struct ca_row row = { 0 };

	if (store_find_ca(store, ca->name, keep_crl, &row, err) != 0)
		return -1;
	if (terms.number <= row.crl_number)
		return 0;
	terms.base = 0;		/* it says the number, and is none itself */
	terms.shard = 0;
	if (terms.this_update < row.crl_this_update)
		terms.this_update = row.crl_this_update;
	if (terms.next_update <= terms.this_update)
		terms.next_update = terms.this_update + 1;
	return store_reserve_crl(store, ca->id, &terms, 0, err);
}
