#include "csrmaild/acts.h"

#include "common/err.h"
#include "common/log.h"
#include "csrmaild/registry.h"

#include <stdio.h>
#include <string.h>

#define SPKI_DIGITS	64	/* SHA-256 of a SubjectPublicKeyInfo */
#define MODULUS_DIGITS	(2 * WEAK_MODULUS_OCTETS)

static int
commit(struct registrar *r, int result, struct err *err)
{
	if (result == 0)
		result = store_commit(r->store, err);
	if (result == -1)
		store_rollback(r->store);
	return result;
}

static int
block(struct registrar *r, const uint8_t spki_sha256[32],
    enum key_block_kind kind, const char *why, const char *who, time_t now,
    struct err *err)
{
	char hex[SPKI_DIGITS + 1], object[sizeof(hex) + 8], detail[320];

	hex_encode((struct bytes){ spki_sha256, 32 }, hex);
	snprintf(object, sizeof(object), "key:%s", hex);
	snprintf(detail, sizeof(detail), "%s: %.250s",
	    key_block_kind_name(kind), why);
	return store_block_key(r->store, spki_sha256, kind, why, now,
	    err) == -1 ? -1 : store_audit(r->store, now, "key.blocked", who,
	    object, detail, err);
}

void
registrar_tell_blocked(struct registrar *r, const uint8_t spki_sha256[32],
    time_t at)
{
	struct wire_blocked m = { .at = at };
	struct err later;

	memcpy(m.spki_sha256, spki_sha256, sizeof(m.spki_sha256));
	if (wire_send_blocked(r->signer, &m, &later) == -1)
		log_warn("journal.behind", STR("why", later.text));
}

static int
tell_again(const struct key_block_row *row, void *arg)
{
	registrar_tell_blocked(arg, row->spki_sha256, row->at);
	return 0;
}

int
registrar_tell_blocked_again(struct registrar *r, struct err *err)
{
	return store_each_last_blocked_key(r->store,
	    REGISTRAR_MAX_BLOCKED_AGAIN, tell_again, r, err);
}

int
registrar_block_key(struct registrar *r, const uint8_t spki_sha256[32],
    bool compromised, const char *why, const char *who, time_t now,
    unsigned int *revoked, struct err *err)
{
	const struct cert_filter filter = { .spki_sha256 = spki_sha256 };

	*revoked = 0;
	if (store_begin(r->store, err) == -1 ||
	    commit(r, block(r, spki_sha256, compromised ? KEY_COMPROMISED :
	    KEY_BLOCKED, why, who, now, err), err) == -1)
		return -1;
	registrar_tell_blocked(r, spki_sha256, now);
	if (!compromised)
		return 0;
	/* What is blocked stays so, should this fail half-way. */
	return registrar_revoke_all(r, &filter, CRL_KEY_COMPROMISE, 0, who,
	    now, revoked, err);
}

/* One line of a list: 0 new, 1 known before, -1. */
static int
add_line(struct registrar *r, const char *line, size_t digits,
    const char *why, time_t now, struct err *err)
{
	char hex[SPKI_DIGITS + 1];
	uint8_t octets[SPKI_DIGITS / 2];
	int known;

	memcpy(hex, line, digits);
	hex[digits] = '\0';
	if (hex_decode(hex, octets, sizeof(octets)) != (int)digits / 2)
		return err_set(err, ERR_REJECT, "\"%s\" is not hexadecimal",
		    hex);
	if (digits == MODULUS_DIGITS)
		return store_add_weak_modulus(r->store, octets, err);
	known = store_is_key_blocked(r->store, octets, NULL, err);
	if (known != 1)
		return known == 0 ? 1 : -1;
	return store_block_key(r->store, octets, KEY_WEAK, why, now, err);
}

static int
add_lines(struct registrar *r, const char *lines, const char *why, time_t now,
    struct key_import *out, struct err *err)
{
	for (const char *at = lines; *at != '\0';) {
		size_t digits = strcspn(at, "\n");
		int known;

		if (digits != SPKI_DIGITS && digits != MODULUS_DIGITS)
			return err_set(err, ERR_REJECT, "a line has %zu "
			    "characters; it has %d (SHA-256 of a "
			    "SubjectPublicKeyInfo) or %d (the end of SHA-1 "
			    "over a modulus) hexadecimal digits", digits,
			    SPKI_DIGITS, MODULUS_DIGITS);
		known = add_line(r, at, digits, why, now, err);
		if (known == -1)
			return -1;
		out->n_lines++;
		out->n_new += known == 0;
		at += digits + (at[digits] == '\n');
	}
	return 0;
}

int
registrar_import_keys(struct registrar *r, const char *lines, const char *why,
    const char *who, time_t now, struct key_import *out, struct err *err)
{
	struct key_import import = { 0 };
	char detail[320];
	int result;

	if (store_begin(r->store, err) == -1)
		return -1;
	result = add_lines(r, lines, why, now, &import, err);
	snprintf(detail, sizeof(detail), "%u of %u are new: %.200s",
	    import.n_new, import.n_lines, why);
	if (result == 0)
		result = store_audit(r->store, now, "key.imported", who,
		    "keys", detail, err);
	if (commit(r, result, err) == -1)
		return -1;
	*out = import;
	return 0;
}
