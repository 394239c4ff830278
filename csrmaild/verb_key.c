#include "csrmaild/verb.h"

#include "csrmaild/acts.h"
#include "csrmaild/describe.h"
#include "csrmaild/problem.h"
#include "csrmaild/registry.h"

#include "common/err.h"
#include "common/store.h"

/* Keys that are never certified again. */

static int
list_key(const struct key_block_row *row, void *page)
{
	json_t *out = json_object();
	char hex[65];

	hex_encode((struct bytes){ row->spki_sha256, 32 }, hex);
	describe_number(out, "id", row->id);
	describe_text(out, "spki_sha256", hex);
	describe_text(out, "kind", key_block_kind_name(row->kind));
	describe_text(out, "reason", row->why);
	describe_time(out, "at", row->at);
	verb_page_add(page, out, row->id);
	return 0;
}

int
verb_key_list(struct verb_call *vc)
{
	struct verb_page page;
	struct err err;

	verb_page_open(&page, vc);
	if (store_each_blocked_key(vc->registrar->store,
	    verb_number(vc, "after", 0), page.limit, list_key, &page,
	    &err) != 0)
		return verb_fail(vc, &err);
	return 0;
}

int
verb_key_block(struct verb_call *vc)
{
	const char *why = verb_text(vc, "reason");
	const char *key = verb_text(vc, "key");
	bool compromised = verb_number(vc, "compromised", 0) != 0;
	unsigned int revoked;
	uint8_t digest[32];
	struct err err;

	if (hex_decode(key, digest, sizeof(digest)) != sizeof(digest))
		return verb_refuse(vc, 400, "key: not 64 hexadecimal digits");
	if (compromised && verb_check_key(vc, digest) != 0)
		return 0;
	if (registrar_block_key(vc->registrar, digest, compromised,
	    why == NULL ? "" : why, vc->who, vc->now, &revoked, &err) != 0)
		return verb_fail(vc, &err);
	describe_text(vc->answer, "spki_sha256", key);
	describe_text(vc->answer, "kind", compromised ? "compromised" :
	    "blocked");
	describe_number(vc->answer, "revoked", revoked);
	return 0;
}

int
verb_key_import(struct verb_call *vc)
{
	const char *why = verb_text(vc, "reason");
	struct key_import import;
	struct err err;

	if (registrar_import_keys(vc->registrar, verb_text(vc, "lines"),
	    why == NULL ? "" : why, vc->who, vc->now, &import, &err) != 0)
		return verb_fail(vc, &err);
	describe_number(vc->answer, "lines", import.n_lines);
	describe_number(vc->answer, "new", import.n_new);
	return 0;
}
