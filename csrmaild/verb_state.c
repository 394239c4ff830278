#include "csrmaild/verb.h"

#include "csrmaild/describe.h"
#include "csrmaild/problem.h"
#include "csrmaild/acts.h"
#include "csrmaild/registry.h"
#include "csrmaild/settings.h"
#include "csrmaild/validity.h"

#include "common/ca.h"
#include "common/err.h"
#include "common/store.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* How the CA does: the audit trail, status, reload. */

/* A mail that has waited so long is trouble, not weather. */
#define QUEUED_TROUBLE_S	900

static int
list_audit(const struct audit_row *row, void *page)
{
	char hash[65];
	json_t *out = json_object();

	hex_encode((struct bytes){ row->hash, 32 }, hash);
	describe_number(out, "id", row->id);
	describe_time(out, "at", row->at);
	describe_text(out, "event", row->event);
	describe_text(out, "principal", row->principal);
	describe_text(out, "object", row->object);
	describe_text(out, "detail", row->detail);
	describe_text(out, "hash", hash);
	verb_page_add(page, out, row->id);
	return 0;
}

int
verb_audit_list(struct verb_call *vc)
{
	struct verb_page page;
	struct err err;

	verb_page_open(&page, vc);
	if (store_each_audit(vc->registrar->store, verb_number(vc, "after", 0),
	    page.limit, list_audit, &page, &err) != 0)
		return verb_fail(vc, &err);
	return 0;
}

/* A broken chain is an answer, not a failure of the call. */
int
verb_audit_verify(struct verb_call *vc)
{
	uint64_t rows = 0;
	struct err err;
	int r = store_verify_audit(vc->registrar->store, &rows, &err);

	if (r != 0 && err.kind == ERR_RETRY)
		return verb_fail(vc, &err);
	json_object_set_new(vc->answer, "intact", json_boolean(r == 0));
	describe_number(vc->answer, "rows", (int64_t)rows);
	if (r != 0)
		describe_text(vc->answer, "problem", err.text);
	return 0;
}

static void
trouble(struct verb_call *vc, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void
trouble(struct verb_call *vc, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	json_array_append_new(json_object_get(vc->answer, "trouble"),
	    json_text(text));
}

/* What a mailbox gives would be valid longer, were it not for the CA. */
static void
look_for_cuts(struct verb_call *vc, const struct authority *ca)
{
	const struct settings *settings = vc->registrar->settings;
	char day[VALIDITY_DAY_SIZE];

	for (size_t i = 0; i < settings->n_mailboxes; i++) {
		const struct mailbox_settings *m = &settings->mailboxes[i];
		const struct profile *profile = settings_profile(settings,
		    m->profile);

		if (profile == NULL || !ca_is_of_family(ca->name, m->ca) ||
		    vc->now + (time_t)profile->validity_s <= ca->not_after)
			continue;
		trouble(vc, "certificates of mailbox %s are cut short: %s, "
		    "which signs them, ends on %s; renew it", m->title,
		    ca->name, validity_day(ca->not_after, day));
	}
}

/* A key that another has followed may end in peace. */
static void
look_at_end(struct verb_call *vc, const struct ca_row *row)
{
	char family[CA_NAME_MAX + 1], day[VALIDITY_DAY_SIZE];
	const struct authority *current;

	ca_family(row->name, family, sizeof(family));
	current = authority_current(&vc->registrar->authorities, family,
	    vc->now);
	if (current != NULL && current->id != row->id)
		return;
	if (row->not_after < vc->now)
		trouble(vc, "the certificate of %s has expired", row->name);
	else if (validity_ends_soon(row->not_before, row->not_after, vc->now))
		trouble(vc, "the certificate of %s ends on %s: renew it "
		    "(csrmail ca renew)", row->name, validity_day(
		    row->not_after, day));
	if (current != NULL && current->settings != NULL)
		look_for_cuts(vc, current);
}

static bool
is_revoked_since(struct verb_call *vc, const struct ca_row *by, X509 *cert)
{
	struct status_row status;
	struct serial serial;
	struct err ignored;

	return serial_from_asn1(X509_get0_serialNumber(cert), &serial,
	    &ignored) == 0 && store_find_status(vc->registrar->store, by->id,
	    &serial, &status, &ignored) == 0 &&
	    status.state == STATUS_REVOKED &&
	    status.revoked_at > by->crl_this_update;
}

/* Who reads CRLs goes on trusting it. */
static void
look_for_unlisted(struct verb_call *vc, const struct ca_row *row)
{
	const struct authorities *all = &vc->registrar->authorities;

	for (size_t i = 0; i < all->n; i++) {
		const struct authority *ca = &all->rows[i];
		bool unlisted = false;

		if (strcmp(ca->parent, row->name) != 0)
			continue;
		for (size_t c = 0; c < ca->n_certs; c++)
			unlisted |= is_revoked_since(vc, row, ca->certs[c]);
		if (unlisted)
			trouble(vc, "the CRL of %s does not say yet that %s is "
			    "revoked: make the next one where its key is",
			    row->name, ca->name);
	}
}

/* An offline root makes its list elsewhere: somebody has to carry it. */
static void
look_at_carried_crl(struct verb_call *vc, const struct ca_row *row)
{
	char day[VALIDITY_DAY_SIZE];

	if (row->crl_number == 0 || row->not_after < vc->now)
		return;
	if (row->crl_next_update < vc->now)
		trouble(vc, "the CRL of %s has expired", row->name);
	else if (validity_ends_soon(row->crl_this_update, row->crl_next_update,
	    vc->now))
		trouble(vc, "the CRL of %s ends on %s: make the next one "
		    "where its key is", row->name, validity_day(
		    row->crl_next_update, day));
	look_for_unlisted(vc, row);
}

static int
look_at_ca(const struct ca_row *row, void *arg)
{
	struct verb_call *vc = arg;

	look_at_end(vc, row);
	if (settings_ca(vc->registrar->settings, row->name) == NULL) {
		look_at_carried_crl(vc, row);
		return 0;
	}
	if (row->crl_number == 0)
		trouble(vc, "%s has no CRL yet", row->name);
	return 0;
}

/* What the sealer says of the mailboxes that sign their replies. */
static void
look_at_seals(struct verb_call *vc)
{
	const struct registrar *r = vc->registrar;

	for (size_t i = 0; i < r->n_seals; i++) {
		const struct wire_seals *m = &r->seals[i];

		if (!m->able)
			trouble(vc, "mailbox %s cannot sign its replies, and "
			    "they wait: %s", m->mailbox, m->text);
		else if (m->text[0] != '\0')
			trouble(vc, "mailbox %s: %s", m->mailbox, m->text);
	}
}

/*
 * "trouble" lists what needs a person; empty is well. The registrar adds
 * what only it knows: mailboxes, mail server, keys, alarms.
 */
int
verb_status(struct verb_call *vc)
{
	struct store_counts counts;
	json_t *numbers = json_object();
	struct err err;

	json_object_set_new(vc->answer, "trouble", json_array());
	json_object_set_new(vc->answer, "counts", numbers);
	describe_time(vc->answer, "now", vc->now);
	if (store_count(vc->registrar->store, &counts, &err) != 0)
		return verb_fail(vc, &err);
	describe_number(numbers, "held", (int64_t)counts.held);
	describe_number(numbers, "held_revocations",
	    (int64_t)counts.held_revocations);
	describe_number(numbers, "approved", (int64_t)counts.approved);
	describe_number(numbers, "issued", (int64_t)counts.issued);
	describe_number(numbers, "revoked", (int64_t)counts.revoked);
	describe_number(numbers, "queued", (int64_t)counts.queued);
	describe_number(numbers, "failed", (int64_t)counts.failed);
	if (counts.failed > 0)
		trouble(vc, "%llu mails were refused for good",
		    (unsigned long long)counts.failed);
	if (counts.oldest_queued != 0 &&
	    vc->now - counts.oldest_queued > QUEUED_TROUBLE_S)
		trouble(vc, "a mail has waited for %lld minutes",
		    (long long)(vc->now - counts.oldest_queued) / 60);
	if (store_each_ca(vc->registrar->store, look_at_ca, vc, &err) != 0)
		return verb_fail(vc, &err);
	look_at_seals(vc);
	registrar_describe_status(vc->registrar, vc->answer);
	return 0;
}

int
verb_reload(struct verb_call *vc)
{
	struct err err;

	if (registrar_reload(vc->registrar, vc->who, vc->now, &err) != 0)
		return verb_fail(vc, &err);
	vc->status = 202;
	return 0;
}
