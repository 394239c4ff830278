#include "csrmaild/verb.h"

#include "csrmaild/publish.h"
#include "csrmaild/registry.h"

#include "common/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * The list of a CA that signs elsewhere. Who calls has read it and checked its
 * signature (csrmail crl install): its dates and entries come as arguments, and
 * the octets are published as they are, since nobody here reads what others
 * wrote.
 */
#define MAX_OCTETS	(96u << 10)
#define MAX_ENTRIES	2000

/* "SERIAL SECONDS REASON\n", once for each entry. */
static int
read_entries(const char *text, struct crl_entry *out, size_t *n)
{
	struct err ignored;

	for (*n = 0; *text != '\0'; (*n)++) {
		char hex[SERIAL_HEX_SIZE], reason[32];
		long long at;
		int used = 0;

		if (*n == MAX_ENTRIES || sscanf(text, "%40[0-9a-f] %lld "
		    "%31[A-Za-z]%n", hex, &at, reason, &used) != 3 ||
		    text[used] != '\n' || at <= 0 ||
		    serial_from_hex(hex, &out[*n].serial, &ignored) != 0 ||
		    crl_reason_from_name(reason, &out[*n].reason) != 0)
			return -1;
		out[*n].revoked_at = (time_t)at;
		out[*n].invalidity = 0;
		text += used + 1;
	}
	return 0;
}

int
verb_crl_install(struct verb_call *vc)
{
	const char *revoked = verb_text(vc, "revoked");
	struct crl_terms terms = {
		.number = (uint64_t)verb_number(vc, "number", 0),
		.this_update = (time_t)verb_number(vc, "this_update", 0),
		.next_update = (time_t)verb_number(vc, "next_update", 0) };
	OWNED_HEAP(struct crl_entry) *entries = calloc(MAX_ENTRIES,
	    sizeof(*entries));
	OWNED_BUF(der, MAX_OCTETS);
	struct err err;
	size_t n = 0;

	if (entries == NULL)
		return verb_refuse(vc, 503, "out of memory");
	if (terms.this_update > vc->now || terms.next_update <= vc->now ||
	    terms.next_update <= terms.this_update)
		return verb_refuse(vc, 422, "the list is not in force now");
	if (base64_decode(bytes_of(verb_text(vc, "crl")), &der) != 0 ||
	    der.len == 0 ||
	    read_entries(revoked == NULL ? "" : revoked, entries, &n) != 0)
		return verb_refuse(vc, 400, "crl: base64 of DER; revoked: "
		    "lines of serial, seconds and reason");
	if (publish_install(vc->registrar, vc->part, &terms, entries, n,
	    buf_bytes(&der), vc->who, &err) != 0)
		return verb_fail(vc, &err);
	return 0;
}
