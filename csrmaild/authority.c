#include "csrmaild/authority.h"

#include "common/ca.h"
#include "common/err.h"
#include "common/store.h"
#include "csrmaild/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct loading {
	struct authorities *authorities;
	const struct settings *settings;
	bool		 failed;
};

static int
load_certificate(const struct ca_certificate_row *row, void *arg)
{
	struct authority *a = arg;
	const uint8_t *at = row->cert.data;
	X509 *cert = d2i_X509(NULL, &at, (long)row->cert.len);

	if (cert == NULL)
		return 1;
	/* More than any CA has: then the oldest goes. */
	if (a->n_certs == CERTIFICATES_MAX) {
		X509_free(a->certs[0]);
		memmove(a->certs, a->certs + 1,
		    --a->n_certs * sizeof(a->certs[0]));
	}
	a->certs[a->n_certs++] = cert;
	return 0;
}

static int
load_one(const struct ca_row *row, void *arg)
{
	struct loading *loading = arg;
	struct authorities *all = loading->authorities;
	const uint8_t *at = row->cert.data;
	struct authority *a;

	if (all->n == AUTHORITIES_MAX) {
		loading->failed = true;
		return 1;
	}
	a = &all->rows[all->n];
	memset(a, 0, sizeof(*a));
	a->cert = d2i_X509(NULL, &at, (long)row->cert.len);
	if (a->cert == NULL || at != row->cert.data + row->cert.len) {
		X509_free(a->cert);
		loading->failed = true;
		return 1;
	}
	all->n++;
	a->id = row->id;
	snprintf(a->name, sizeof(a->name), "%s", row->name);
	snprintf(a->parent, sizeof(a->parent), "%s", row->parent);
	memcpy(a->key_sha1, row->key_sha1, sizeof(a->key_sha1));
	a->not_before = row->not_before;
	a->not_after = row->not_after;
	a->settings = settings_ca(loading->settings, row->name);
	a->crl_number = row->crl_number;
	snprintf(a->key_text, sizeof(a->key_text),
	    "the signer has not spoken of it");
	return 0;
}

int
authorities_load(struct authorities *out, struct store *store,
    const struct settings *settings, struct err *err)
{
	struct loading loading = { out, settings, false };

	out->n = 0;
	if (store_each_ca(store, load_one, &loading, err) == -1)
		return -1;
	for (size_t i = 0; i < out->n; i++)
		if (store_each_ca_certificate(store, out->rows[i].id,
		    load_certificate, &out->rows[i], err) == -1)
			return -1;
	if (loading.failed)
		return err_set(err, ERR_FAULT,
		    "a CA on record is not readable, or there are more than "
		    "%d", AUTHORITIES_MAX);
	for (size_t i = 0; i < settings->n_cas; i++)
		if (authority_by_name(out, settings->cas[i].name) == NULL)
			return err_set(err, ERR_FAULT,
			    "%s: there is no CA \"%s\" on record: make it "
			    "with `csrmail ca create-root` or `create-child`",
			    settings->path, settings->cas[i].name);
	return authorities_note_revoked(out, store, err);
}

static int
is_revoked(struct authorities *all, struct store *store,
    const struct authority *a, struct err *err)
{
	const struct authority *parent = authority_by_name(all, a->parent);
	struct status_row status;
	struct serial serial;
	int r;

	if (parent == NULL)
		return 0;
	if (serial_from_asn1(X509_get0_serialNumber(a->cert), &serial,
	    err) == -1)
		return -1;
	r = store_find_status(store, parent->id, &serial, &status, err);
	return r == -1 ? -1 : r == 0 && status.state == STATUS_REVOKED;
}

int
authorities_note_revoked(struct authorities *all, struct store *store,
    struct err *err)
{
	for (size_t i = 0; i < all->n; i++) {
		int r = is_revoked(all, store, &all->rows[i], err);

		if (r == -1)
			return -1;
		all->rows[i].revoked = r == 1;
	}
	/* Downwards: as often as a chain may be long. */
	for (int depth = 0; depth < CHAIN_MAX; depth++)
		for (size_t i = 0; i < all->n; i++) {
			const struct authority *parent =
			    authority_by_name(all, all->rows[i].parent);

			if (parent != NULL && parent->revoked)
				all->rows[i].revoked = true;
		}
	return 0;
}

void
authorities_free_contents(struct authorities *all)
{
	for (size_t i = 0; i < all->n; i++) {
		for (size_t j = 0; j < all->rows[i].n_certs; j++)
			X509_free(all->rows[i].certs[j]);
		X509_free(all->rows[i].cert);
		for (size_t j = 0; j < all->rows[i].n_certs; j++)
			X509_free(all->rows[i].certs[j]);
		free(all->rows[i].scopes);
	}
	all->n = 0;
}

struct authority *
authority_by_name(struct authorities *all, const char *name)
{
	for (size_t i = 0; i < all->n; i++)
		if (strcmp(all->rows[i].name, name) == 0)
			return &all->rows[i];
	return NULL;
}

struct authority *
authority_current(struct authorities *all, const char *family, time_t now)
{
	struct authority *best = NULL;
	bool best_is_valid = false;

	for (size_t i = 0; i < all->n; i++) {
		struct authority *a = &all->rows[i];
		bool valid = !a->revoked && a->not_before <= now &&
		    now < a->not_after;

		if (!ca_is_of_family(a->name, family) ||
		    (best_is_valid && !valid))
			continue;
		if (best == NULL || (valid && !best_is_valid) ||
		    ca_generation(a->name) > ca_generation(best->name)) {
			best = a;
			best_is_valid = valid;
		}
	}
	return best;
}

struct authority *
authority_meant(struct authorities *all, const char *said, time_t now)
{
	if (strchr(said, '~') == NULL)
		return authority_current(all, said, now);
	for (size_t i = 0; i < all->n; i++)
		if (ca_is_meant(said, all->rows[i].name))
			return &all->rows[i];
	return NULL;
}

struct authority *
authority_by_id(struct authorities *all, int64_t id)
{
	for (size_t i = 0; i < all->n; i++)
		if (all->rows[i].id == id)
			return &all->rows[i];
	return NULL;
}

X509 *
authority_certificate(const struct authority *a, time_t now)
{
	time_t at = now;
	X509 *best = NULL;

	for (size_t i = 0; i < a->n_certs; i++) {
		X509 *cert = a->certs[i];

		if (X509_cmp_time(X509_get0_notBefore(cert), &at) <= 0 &&
		    X509_cmp_time(X509_get0_notAfter(cert), &at) >= 0 &&
		    (best == NULL || ASN1_TIME_compare(
		    X509_get0_notAfter(cert), X509_get0_notAfter(best)) >= 0))
			best = cert;
	}
	return best == NULL ? a->cert : best;
}

/* Who signed that certificate: the parent on record, or another of its
 * generations, where the certificate is older than the parent's key. */
static struct authority *
find_issuer(struct authorities *all, const struct authority *a, X509 *cert)
{
	struct authority *issuer = a->parent[0] == '\0' ? NULL :
	    authority_by_name(all, a->parent);

	if (X509_check_issued(cert, cert) == X509_V_OK)
		return NULL;
	if (issuer != NULL &&
	    X509_check_issued(issuer->cert, cert) == X509_V_OK)
		return issuer;
	for (size_t i = 0; i < all->n; i++)
		if (X509_check_issued(all->rows[i].cert, cert) == X509_V_OK)
			return &all->rows[i];
	return NULL;
}

size_t
authority_chain(struct authorities *all, struct authority *a, time_t now,
    X509 *chain[CHAIN_MAX])
{
	size_t n = 0;

	while (a != NULL && n < CHAIN_MAX) {
		chain[n] = authority_certificate(a, now);
		a = find_issuer(all, a, chain[n++]);
	}
	return n;
}

bool
authorities_have_key(const struct authorities *all,
    const uint8_t key_sha1[20])
{
	for (size_t i = 0; i < all->n; i++)
		if (memcmp(all->rows[i].key_sha1, key_sha1, 20) == 0)
			return true;
	return false;
}
