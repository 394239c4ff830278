#include "csrmaild/authority.h"

#include "common/ca.h"
#include "common/err.h"
#include "common/store.h"
#include "csrmaild/settings.h"

#include <stdio.h>
#include <string.h>

struct loading {
	struct authorities *authorities;
	const struct settings *settings;
	bool		 failed;
};

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
	a->crl_this_update = row->crl_this_update;
	a->crl_next_update = row->crl_next_update;
	a->crl_change = row->crl_change;
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
	return 0;
}

void
authorities_free_contents(struct authorities *all)
{
	for (size_t i = 0; i < all->n; i++)
		X509_free(all->rows[i].cert);
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
		bool valid = a->not_before <= now && now < a->not_after;

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
authority_by_id(struct authorities *all, int64_t id)
{
	for (size_t i = 0; i < all->n; i++)
		if (all->rows[i].id == id)
			return &all->rows[i];
	return NULL;
}

size_t
authority_chain(struct authorities *all, struct authority *a,
    X509 *chain[CHAIN_MAX])
{
	size_t n = 0;

	while (a != NULL && n < CHAIN_MAX) {
		chain[n++] = a->cert;
		a = a->parent[0] == '\0' ? NULL :
		    authority_by_name(all, a->parent);
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
