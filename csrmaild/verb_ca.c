#include "csrmaild/verb.h"

#include "csrmaild/describe.h"
#include "csrmaild/acts.h"
#include "csrmaild/registry.h"

#include "common/ca.h"
#include "common/err.h"
#include "common/store.h"

#include <string.h>

/* CAs and their revocation lists. */

/* What only the registrar knows: whether its key is open, and which of its
 * generations signs. */
static void
add_state(struct verb_call *vc, json_t *out, const char *name)
{
	struct authorities *all = &vc->registrar->authorities;
	const struct authority *ca = authority_by_name(all, name);
	char family[CA_NAME_MAX + 1];

	if (ca == NULL || ca->settings == NULL)
		return;
	ca_family(name, family, sizeof(family));
	json_object_set_new(out, "signs", json_boolean(
	    authority_current(all, family, vc->now) == ca && !ca->revoked));
	json_object_set_new(out, "key_open", json_boolean(ca->key_open));
	if (!ca->key_open)
		describe_text(out, "key_why", ca->key_text);
}

struct describing {
	struct verb_call *vc;
	json_t		*items;		/* NULL: the answer itself */
	struct err	*err;
};

static int
describe_one(const struct ca_row *row, void *arg)
{
	struct describing *d = arg;
	json_t *ca;

	if (describe_ca(d->vc->registrar->store, row, d->vc->now, &ca,
	    d->err) != 0)
		return -1;
	add_state(d->vc, ca, row->name);
	if (d->items != NULL) {
		json_array_append_new(d->items, ca);
	} else {
		json_decref(d->vc->answer);
		d->vc->answer = ca;
	}
	return 0;
}

int
verb_ca_list(struct verb_call *vc)
{
	struct err err;
	struct describing d = { vc, json_array(), &err };

	json_object_set_new(vc->answer, "items", d.items);
	if (store_each_ca(vc->registrar->store, describe_one, &d, &err) != 0)
		return verb_fail(vc, &err);
	return 0;
}

/* By a CA's name the generation that signs now is meant; "users~1" is the
 * first one. -1 when there is none, and refused. */
static int
find_ca(struct verb_call *vc, int (*fn)(const struct ca_row *, void *),
    void *arg, struct err *err)
{
	const struct authority *ca = strchr(vc->part, '~') != NULL ? NULL :
	    authority_current(&vc->registrar->authorities, vc->part, vc->now);
	char first[CA_NAME_MAX + 1];

	ca_family(vc->part, first, sizeof(first));
	switch (store_find_ca(vc->registrar->store, ca != NULL ? ca->name :
	    ca_is_meant(vc->part, first) ? first : vc->part, fn, arg, err)) {
	case 0:
		return 0;
	case 1:
		verb_refuse(vc, 404, "there is no CA %.80s", vc->part);
		return -1;
	}
	verb_fail(vc, err);
	return -1;
}

int
verb_ca_show(struct verb_call *vc)
{
	struct err err;
	struct describing d = { vc, NULL, &err };

	find_ca(vc, describe_one, &d, &err);
	return 0;
}

static void
add_once(json_t *object, const char *key, const char *text)
{
	json_t *list = json_object_get(object, key);
	const json_t *one;
	size_t i;

	if (list == NULL) {
		list = json_array();
		json_object_set_new(object, key, list);
	}
	json_array_foreach(list, i, one)
		if (strcmp(json_string_value(one), text) == 0)
			return;
	json_array_append_new(list, json_string(text));
}

void
verb_tell_list(struct verb_call *vc, const char *issuer)
{
	const struct authority *ca = authority_by_name(
	    &vc->registrar->authorities, issuer);
	char family[CA_NAME_MAX + 1];

	if (ca == NULL)
		return;
	ca_family(issuer, family, sizeof(family));
	if (ca->settings != NULL)
		add_once(vc->answer, "lists", ca->name);
	else
		add_once(vc->answer, "carried", family);
}

/* Is it what the name means, or below that? */
static bool
is_reached(struct authorities *all, const char *name,
    const struct authority *ca)
{
	for (size_t depth = 0; ca != NULL && depth < all->n; depth++) {
		if (ca_is_meant(name, ca->name))
			return true;
		ca = authority_by_name(all, ca->parent);
	}
	return false;
}

/* Whoever signed them, and those that sign here themselves. */
static void
tell_lists(struct verb_call *vc)
{
	struct authorities *all = &vc->registrar->authorities;

	for (size_t i = 0; i < all->n; i++)
		if (is_reached(all, vc->part, &all->rows[i])) {
			verb_tell_list(vc, all->rows[i].parent);
			if (all->rows[i].settings != NULL)
				verb_tell_list(vc, all->rows[i].name);
		}
}

/* Of all its keys, by its name; and all below. */
int
verb_ca_revoke(struct verb_call *vc)
{
	enum crl_reason reason;
	time_t invalidity;
	unsigned int n = 0;
	struct err err;
	struct describing d = { vc, NULL, &err };

	if (verb_revocation(vc, &reason, &invalidity) != 0 ||
	    find_ca(vc, describe_one, &d, &err) != 0)
		return 0;
	if (registrar_revoke_ca(vc->registrar, vc->part, reason, invalidity,
	    vc->who, vc->now, &n, &err) != 0)
		return verb_fail(vc, &err);
	describe_number(vc->answer, "revoked", n);
	tell_lists(vc);
	return 0;
}

struct crl_list {
	json_t		*items;		/* borrowed */
	const char	*ca;		/* NULL: of all */
};

static int
list_one_crl(const struct crl_row *row, void *arg)
{
	struct crl_list *list = arg;
	json_t *out;

	if (list->ca != NULL && !ca_is_meant(list->ca, row->ca))
		return 0;
	out = json_object();
	describe_text(out, "ca", row->ca);
	describe_number(out, "shard", row->terms.shard);
	describe_text(out, "kind", row->terms.base == 0 ? "full" : "delta");
	describe_number(out, "number", (int64_t)row->terms.number);
	if (row->terms.base != 0)
		describe_number(out, "base", (int64_t)row->terms.base);
	describe_time(out, "this_update", row->terms.this_update);
	describe_time(out, "next_update", row->terms.next_update);
	describe_number(out, "entries", (int64_t)row->entries);
	describe_number(out, "change", (int64_t)row->change);
	json_array_append_new(list->items, out);
	return 0;
}

static int
list_crls(struct verb_call *vc, const char *ca)
{
	struct crl_list list = { json_array(), ca };
	struct err err;

	json_object_set_new(vc->answer, "items", list.items);
	if (store_each_crl(vc->registrar->store, list_one_crl, &list,
	    &err) != 0)
		return verb_fail(vc, &err);
	return 0;
}

int
verb_crl_list(struct verb_call *vc)
{
	return list_crls(vc, NULL);
}

static int
ignore_ca(const struct ca_row *row, void *arg)
{
	(void)row;
	(void)arg;
	return 0;
}

/* 202: the signer makes the list, it appears a moment later. */
int
verb_crl_update(struct verb_call *vc)
{
	struct err err;

	if (find_ca(vc, ignore_ca, NULL, &err) != 0)
		return 0;
	if (registrar_publish_crl(vc->registrar, vc->part, &err) != 0)
		return verb_fail(vc, &err);
	vc->status = 202;
	return list_crls(vc, vc->part);
}
