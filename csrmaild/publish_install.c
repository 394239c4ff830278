#include "csrmaild/publish_private.h"

#include "common/err.h"
#include "common/log.h"
#include "common/serial.h"
#include "common/store.h"
#include "csrmaild/problem.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ENDS_SOON_S	(14 * 86400)	/* a list that is carried by hand */

/* Its one scope: such lists are whole. */
static struct crl_scope *
scope_of(const struct authority *a)
{
	for (size_t i = 0; i < a->n_scopes; i++)
		if (a->scopes[i].shard == 0)
			return &a->scopes[i];
	return NULL;
}

void
publication_describe_installed(const struct registrar *r,
    const struct authority *a, json_t *trouble)
{
	const struct crl_scope *scope = scope_of(a);
	char sentence[400];
	time_t left;

	if (scope == NULL || scope->full.number == 0)
		return;
	left = scope->full.next_update - r->now;
	if (left >= ENDS_SOON_S)
		return;
	if (left <= 0)
		snprintf(sentence, sizeof(sentence), "the CRL of %s has "
		    "expired: bring a new one (csrmail crl install)", a->name);
	else
		snprintf(sentence, sizeof(sentence), "the CRL of %s ends in "
		    "%lld days: bring a new one (csrmail crl install)",
		    a->name, (long long)left / 86400);
	json_array_append_new(trouble, json_text(sentence));
}

static int
check(const struct registrar *r, const struct authority *a, const char *ca,
    const struct crl_terms *terms, struct err *err)
{
	if (a == NULL)
		return err_set(err, ERR_REJECT, "there is no CA %.80s", ca);
	if (a->settings != NULL)
		return err_set(err, ERR_REJECT, "the CA %s signs here, and "
		    "makes its lists itself", a->name);
	/* RFC 5280, 5.2.3: numbers rise; and an old list is how a revocation
	 * would be hidden again. */
	if (terms->number <= a->crl_number ||
	    terms->this_update < a->crl_this_update)
		return err_set(err, ERR_REJECT, "the list of %s that is here "
		    "has the number %llu and is not older", a->name,
		    (unsigned long long)a->crl_number);
	if (r->crl_in_hand != NULL)
		return err_set(err, ERR_RETRY,
		    "another list is being published: again in a moment");
	return 0;
}

/* From memory into the folder, as if it had been made here. */
static int
place(struct registrar *r, struct authority *a, const struct crl_terms *terms,
    struct bytes der, struct err *err)
{
	struct publication p = { .ca = a, .terms = *terms, .der_fd = -1,
		.pem_fd = -1 };
	int done = publication_create_files(r, &p, err);

	if (done == 0 && write(p.der_fd, der.data, der.len) !=
	    (ssize_t)der.len)
		done = err_errno(err, ERR_RETRY, "writing the CRL");
	while (done == 0)
		done = publication_write(r, &p, err);
	publication_close_files(&p);
	return done < 0 ? -1 : 0;
}

/* One that is on record here, if only as a serial that was drawn. */
static int
revoke_entry(struct registrar *r, const struct authority *a,
    const struct crl_entry *e, struct err *err)
{
	int done = store_revoke(r->store, a->id, &e->serial, e->revoked_at,
	    e->reason, e->invalidity, err);

	return done != 1 ? done : store_revoke_unissued(r->store, a->id,
	    &e->serial, e->revoked_at, e->reason, e->invalidity,
	    "an installed list", err);
}

/* What it says of certificates that are on record here. */
static int
record(struct registrar *r, const struct authority *a,
    const struct crl_terms *terms, const struct crl_entry *entries, size_t n,
    const char *who, struct err *err)
{
	char object[CA_NAME_MAX + 8], detail[64];
	uint64_t change = 0;

	for (size_t i = 0; i < n; i++)
		if (revoke_entry(r, a, &entries[i], err) == -1 ||
		    (crl_reason_is_compromise(entries[i].reason) &&
		    store_block_key_of(r->store, a->id, &entries[i].serial,
		    "on an installed list, for a compromise",
		    entries[i].revoked_at, err) == -1))
			return -1;
	snprintf(object, sizeof(object), "crl:%s", a->name);
	snprintf(detail, sizeof(detail), "number:%llu, entries:%zu",
	    (unsigned long long)terms->number, n);
	if (store_last_change(r->store, &change, err) == -1 ||
	    store_reserve_crl(r->store, a->id, terms, change, err) == -1 ||
	    store_set_crl_entries(r->store, a->id, terms, n, err) == -1)
		return -1;
	return store_audit(r->store, r->now, "crl.installed", who, object,
	    detail, err);
}

int
publish_install(struct registrar *r, const char *ca,
    const struct crl_terms *terms, const struct crl_entry *entries, size_t n,
    struct bytes der, const char *who, struct err *err)
{
	struct authority *a = authority_by_name(&r->authorities, ca);

	/* The file first: what is cut off before the commit comes again. */
	if (check(r, a, ca, terms, err) == -1 ||
	    place(r, a, terms, der, err) == -1)
		return -1;
	if (store_begin(r->store, err) == -1 ||
	    record(r, a, terms, entries, n, who, err) == -1 ||
	    store_commit(r->store, err) == -1) {
		store_rollback(r->store);
		return -1;
	}
	if (scope_of(a) != NULL)
		scope_of(a)->full = *terms;
	a->crl_number = terms->number;
	a->crl_this_update = terms->this_update;
	log_info("crl.installed", STR("ca", a->name),
	    NUM("number", terms->number));
	return authorities_note_revoked(&r->authorities, r->store, err);
}
