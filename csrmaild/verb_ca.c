#include "csrmaild/verb.h"

#include "csrmaild/describe.h"
#include "csrmaild/acts.h"
#include "csrmaild/registry.h"

#include "common/err.h"
#include "common/store.h"

/* CAs and their revocation lists. */

static int
list_one(const struct ca_row *row, void *items)
{
	json_array_append_new(items, describe_ca(row));
	return 0;
}

int
verb_ca_list(struct verb_call *vc)
{
	json_t *items = json_array();
	struct err err;

	json_object_set_new(vc->answer, "items", items);
	if (store_each_ca(vc->registrar->store, list_one, items, &err) != 0)
		return verb_fail(vc, &err);
	return 0;
}

static int
show_one(const struct ca_row *row, void *arg)
{
	struct verb_call *vc = arg;

	json_decref(vc->answer);
	vc->answer = describe_ca(row);
	return 0;
}

int
verb_ca_show(struct verb_call *vc)
{
	struct err err;

	switch (store_find_ca(vc->registrar->store, vc->part, show_one, vc,
	    &err)) {
	case 0:
		return 0;
	case 1:
		return verb_refuse(vc, 404, "there is no CA %.80s", vc->part);
	}
	return verb_fail(vc, &err);
}

static json_t *
describe_crl(const struct ca_row *row)
{
	json_t *out = json_object();

	describe_text(out, "ca", row->name);
	describe_number(out, "number", (int64_t)row->crl_number);
	describe_time(out, "this_update", row->crl_this_update);
	describe_time(out, "next_update", row->crl_next_update);
	describe_number(out, "change", (int64_t)row->crl_change);
	return out;
}

static int
list_one_crl(const struct ca_row *row, void *items)
{
	json_array_append_new(items, describe_crl(row));
	return 0;
}

int
verb_crl_list(struct verb_call *vc)
{
	json_t *items = json_array();
	struct err err;

	json_object_set_new(vc->answer, "items", items);
	if (store_each_ca(vc->registrar->store, list_one_crl, items,
	    &err) != 0)
		return verb_fail(vc, &err);
	return 0;
}

static int
show_one_crl(const struct ca_row *row, void *arg)
{
	struct verb_call *vc = arg;

	json_decref(vc->answer);
	vc->answer = describe_crl(row);
	return 0;
}

/* 202: the signer makes the list, it appears a moment later. */
int
verb_crl_update(struct verb_call *vc)
{
	struct err err;

	switch (store_find_ca(vc->registrar->store, vc->part, show_one_crl, vc,
	    &err)) {
	case 0:
		break;
	case 1:
		return verb_refuse(vc, 404, "there is no CA %.80s", vc->part);
	default:
		return verb_fail(vc, &err);
	}
	if (registrar_publish_crl(vc->registrar, vc->part, &err) != 0)
		return verb_fail(vc, &err);
	vc->status = 202;
	return 0;
}
