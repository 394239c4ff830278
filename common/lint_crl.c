#include "common/lint_private.h"

#include <stdlib.h>
#include <string.h>

/* CRLs, full, partitioned and delta (RFC 5280, 5). */

struct extensions {
	bool		 known[6];
	struct bytes	 number;	/* content of cRLNumber */
	struct bytes	 base;		/* content of BaseCRLNumber */
	bool		 delta, indirect;
};

enum { AKI, NUMBER, DELTA, POINT, FRESHEST, ISSUER_ALT, CRL_EXTENSIONS };
#define CE(n)	{ 0x55, 0x1d, (n) }
static const struct known {
	const char	*name;
	uint8_t		 oid[3];
	bool		 critical;
	const char	*section;
} known[CRL_EXTENSIONS] = {
	[AKI] = { "authorityKeyIdentifier", CE(35), false,
	    "RFC 5280, 5.2.1" },
	[NUMBER] = { "cRLNumber", CE(20), false, "RFC 5280, 5.2.3" },
	[DELTA] = { "deltaCRLIndicator", CE(27), true, "RFC 5280, 5.2.4" },
	[POINT] = { "issuingDistributionPoint", CE(28), true,
	    "RFC 5280, 5.2.5" },
	[FRESHEST] = { "freshestCRL", CE(46), false, "RFC 5280, 5.2.6" },
	[ISSUER_ALT] = { "issuerAltName", CE(18), false, "RFC 5280, 5.2.2" },
};

/* --- extensions of the list --- */

/* INTEGER of at most 20 octets, not negative. */
static bool
read_crl_number(struct bytes v, struct bytes *out)
{
	return der_take(&v, DER_INTEGER, out) && v.len == 0 && out->len > 0 &&
	    out->len <= 20 && (out->data[0] & 0x80) == 0;
}

/* IssuingDistributionPoint: something is in it, FALSE is not encoded, and
 * onlyContains... is true once at most. */
static void
lint_issuing_point(struct lint *l, struct bytes v, bool *indirect)
{
	struct bytes list, one;
	uint8_t tag, number, last = 0xff;
	unsigned int only = 0;
	bool fits = der_take(&v, DER_SEQUENCE, &list) && v.len == 0 &&
	    list.len > 0;

	while (fits && list.len > 0) {
		fits = der_next(&list, &tag, &one, NULL);
		if (!fits)
			break;
		number = tag & 0x1f;
		fits = (last == 0xff || number > last) && number <= 5 &&
		    one.len > 0 && tag == (number == 0 ? 0xa0 : 0x80 | number);
		last = number;
		if (number == 1 || number == 2 || number == 5)
			only++;
		if (number == 4)
			*indirect = true;
		/* BOOLEAN DEFAULT FALSE */
		if (fits && number != 0 && number != 3)
			fits = one.len == 1 && one.data[0] == 0xff;
	}
	if (!fits || only > 1)
		lint_found(l, LINT_CRL_POINT);
}

static void
lint_crl_extension(struct lint *l, struct extensions *x, size_t i,
    const struct lint_extension *e)
{
	switch (i) {
	case AKI:
		lint_authority_key_id(l, e);
		break;
	case NUMBER:
		if (!read_crl_number(e->value, &x->number)) {
			x->number.len = 0;
			lint_found(l, LINT_CRL_NUMBER);
		}
		break;
	case DELTA:
		x->delta = true;
		if (!read_crl_number(e->value, &x->base)) {
			x->base.len = 0;
			lint_found(l, LINT_CRL_DELTA_BASE);
		}
		break;
	case POINT:
		lint_issuing_point(l, e->value, &x->indirect);
		break;
	case FRESHEST:
		lint_freshest_crl(l, e);
		break;
	default:
		break;
	}
}

static void
lint_one_extension(struct lint *l, struct extensions *x,
    const struct lint_extension *e)
{
	size_t i = 0;
	char name[80];

	while (i < CRL_EXTENSIONS &&
	    !bytes_equal(e->oid, LINT_OID(known[i].oid)))
		i++;
	if (i == CRL_EXTENSIONS) {
		lint_oid_text(e->oid, name, sizeof(name));
		if (e->critical)
			lint_found_as(l, LINT_EXTENSION_UNKNOWN,
			    "RFC 5280, 5.2", "its extension %s is critical "
			    "and not known here", name);
		return;
	}
	if (x->known[i]) {
		lint_found_as(l, LINT_EXTENSION_DOUBLED, "RFC 5280, 5.2",
		    "its %s is doubled", known[i].name);
		return;
	}
	x->known[i] = true;
	if (e->critical != known[i].critical)
		lint_found_as(l, known[i].critical ?
		    LINT_EXTENSION_NOT_CRITICAL : LINT_EXTENSION_CRITICAL,
		    known[i].section, "its %s is %scritical", known[i].name,
		    e->critical ? "" : "not ");
	lint_crl_extension(l, x, i, e);
}

/* Is this number below that one? Both without needless octets. */
static bool
is_below(struct bytes a, struct bytes b)
{
	return a.len != b.len ? a.len < b.len :
	    memcmp(a.data, b.data, a.len) < 0;
}

static void
lint_crl_extensions(struct lint *l, struct bytes list, struct extensions *x)
{
	struct lint_extension e;
	int r;

	if (list.len == 0)
		lint_found(l, LINT_EXTENSIONS_EMPTY);
	while ((r = lint_next_extension(l, &list, LINT_EXTENSION_FORM,
	    &e)) != 0)
		if (r == 1)
			lint_one_extension(l, x, &e);
	for (size_t i = AKI; i <= NUMBER; i++)
		if (!x->known[i])
			lint_found_as(l, LINT_EXTENSION_MISSING,
			    known[i].section, "its %s is missing",
			    known[i].name);
	if (x->delta && x->number.len > 0 && x->base.len > 0 &&
	    !is_below(x->base, x->number))
		lint_found(l, LINT_CRL_DELTA_BASE);
	if (x->delta && x->known[FRESHEST])
		lint_found(l, LINT_CRL_FRESHEST);
}

/* --- entries --- */

static void
lint_reason(struct lint *l, struct bytes v, bool delta)
{
	struct bytes reason;

	if (!der_take(&v, LINT_ENUMERATED, &reason) || v.len > 0 ||
	    reason.len != 1 || reason.data[0] == 7 || reason.data[0] > 10)
		lint_found(l, LINT_CRL_REASON);
	else if (reason.data[0] == 0)
		lint_found(l, LINT_CRL_REASON_UNSPECIFIED);
	else if (reason.data[0] == 8 && !delta)
		lint_found(l, LINT_CRL_REASON_REMOVE);
}

/* reasonCode and invalidityDate are not critical, certificateIssuer is and
 * belongs to indirect CRLs (5.3.1 to 5.3.3). */
static void
lint_entry_extensions(struct lint *l, struct bytes list,
    const struct extensions *x)
{
	static const uint8_t reason_code[] = CE(21), invalidity[] = CE(24),
	    certificate_issuer[] = CE(29);
	bool seen[3] = { false }, fits = list.len > 0;
	struct lint_extension e;
	struct bytes v;
	time_t when;
	uint8_t tag;
	int r;

	while ((r = lint_next_extension(l, &list, LINT_CRL_ENTRY_EXTENSION,
	    &e)) != 0) {
		size_t i = r == -1 ? 3 :
		    bytes_equal(e.oid, LINT_OID(reason_code)) ? 0 :
		    bytes_equal(e.oid, LINT_OID(invalidity)) ? 1 :
		    bytes_equal(e.oid, LINT_OID(certificate_issuer)) ? 2 : 3;

		if (i == 3) {
			if (r == 1 && e.critical)
				lint_found_as(l, LINT_EXTENSION_UNKNOWN,
				    "RFC 5280, 5.3", "an extension of an "
				    "entry is critical and not known here");
			continue;
		}
		fits = fits && !seen[i] && e.critical == (i == 2);
		seen[i] = true;
		v = e.value;
		if (i == 0)
			lint_reason(l, v, x->delta);
		else if (i == 1)
			fits = fits && der_next(&v, &tag, &e.value, NULL) &&
			    v.len == 0 &&
			    lint_read_generalized_time(tag, e.value, &when);
		else
			fits = fits && x->indirect;
	}
	if (!fits)
		lint_found(l, LINT_CRL_ENTRY_EXTENSION);
}

/* One entry; its serial, or nothing when it cannot be read. */
static struct bytes
lint_entry(struct lint *l, struct bytes entry, time_t this_update,
    const struct extensions *x)
{
	struct bytes serial, v, list;
	time_t when;
	uint8_t tag;

	if (!der_take(&entry, DER_INTEGER, &serial) ||
	    !der_next(&entry, &tag, &v, NULL) || (entry.len > 0 &&
	    (!der_take(&entry, DER_SEQUENCE, &list) || entry.len > 0))) {
		lint_found(l, LINT_CRL_ENTRY_FORM);
		return (struct bytes){ NULL, 0 };
	}
	if (!lint_is_serial(serial))
		lint_found(l, LINT_CRL_ENTRY_SERIAL);
	if (!lint_read_time(tag, v, &when))
		lint_found_as(l, LINT_TIME_FORM, "RFC 5280, 5.1.2.6",
		    "the date of an entry is not written as it must be");
	else if (when > this_update)
		lint_found(l, LINT_CRL_ENTRY_LATE);
	if (entry.data != v.data + v.len)
		lint_entry_extensions(l, list, x);
	return serial;
}

static int
compare_serials(const void *a, const void *b)
{
	const struct bytes *x = a, *y = b;

	if (x->len != y->len || x->len == 0)
		return x->len == y->len ? 0 : x->len < y->len ? -1 : 1;
	return memcmp(x->data, y->data, x->len);
}

/* An indirect CRL has serials of several issuers: not compared. */
static void
lint_doubles(struct lint *l, struct bytes *serials, size_t n)
{
	char hex[2 * 20 + 1];

	qsort(serials, n, sizeof(*serials), compare_serials);
	for (size_t i = 1; i < n; i++)
		if (serials[i].len > 0 && serials[i].len <= 20 &&
		    compare_serials(&serials[i - 1], &serials[i]) == 0) {
			hex_encode(serials[i], hex);
			lint_found_as(l, LINT_CRL_ENTRY_DOUBLED, NULL,
			    "the serial number %s stands there twice", hex);
		}
}

static void
lint_entries(struct lint *l, struct bytes list, time_t this_update,
    const struct extensions *x)
{
	struct bytes entry, left = list, *serials;
	size_t n = 0, kept = 0;

	if (list.len == 0)
		lint_found(l, LINT_CRL_EMPTY);
	while (left.len > 0 && der_take(&left, DER_SEQUENCE, &entry))
		n++;
	if (left.len > 0)
		lint_found(l, LINT_CRL_ENTRY_FORM);
	serials = x->indirect || n == 0 ? NULL : calloc(n, sizeof(*serials));
	l->no_memory = serials == NULL && n > 0 && !x->indirect;
	while (list.len > 0 && der_take(&list, DER_SEQUENCE, &entry)) {
		struct bytes serial = lint_entry(l, entry, this_update, x);

		if (serials != NULL)
			serials[kept++] = serial;
	}
	if (serials != NULL)
		lint_doubles(l, serials, kept);
	free(serials);
}

/* --- the list --- */

/* thisUpdate and nextUpdate, off the front. */
static void
lint_updates(struct lint *l, struct bytes *tbs, time_t *this_update)
{
	struct bytes v;
	time_t next;
	uint8_t tag;
	bool fits = der_next(tbs, &tag, &v, NULL) &&
	    lint_read_time(tag, v, this_update);

	if (!fits)
		lint_found_as(l, LINT_TIME_FORM, "RFC 5280, 5.1.2.4",
		    "its thisUpdate is not written as it must be");
	if (tbs->len == 0 || (tbs->data[0] != LINT_UTC_TIME &&
	    tbs->data[0] != LINT_GENERALIZED_TIME)) {
		lint_found(l, LINT_CRL_NEXT_UPDATE);
		return;
	}
	if (!der_next(tbs, &tag, &v, NULL) || !lint_read_time(tag, v, &next))
		lint_found_as(l, LINT_TIME_FORM, "RFC 5280, 5.1.2.5",
		    "its nextUpdate is not written as it must be");
	else if (fits && next <= *this_update)
		lint_found(l, LINT_CRL_ORDER);
}

static void
lint_tbs_crl(struct lint *l, struct bytes tbs, struct bytes outer)
{
	struct bytes version, algorithm, algorithm_whole, issuer,
	    issuer_whole, entries = { NULL, 0 }, content, list = { NULL, 0 };
	struct extensions x = { .delta = false };
	time_t this_update = 0;
	bool has_entries;
	uint8_t tags[2];

	if (tbs.len > 0 && tbs.data[0] == DER_SEQUENCE)
		lint_found(l, LINT_CRL_VERSION);	/* 1 */
	else if (!der_take(&tbs, DER_INTEGER, &version) ||
	    version.len != 1 || version.data[0] != 1)
		lint_found(l, LINT_CRL_VERSION);
	if (!der_next(&tbs, &tags[0], &algorithm, &algorithm_whole) ||
	    !der_next(&tbs, &tags[1], &issuer, &issuer_whole) ||
	    tags[0] != DER_SEQUENCE || tags[1] != DER_SEQUENCE) {
		lint_found(l, LINT_CRL_FORM);
		return;
	}
	if (!bytes_equal(algorithm_whole, outer))
		lint_found_as(l, LINT_ALGORITHM_MISMATCH, "RFC 5280, 5.1.1.2",
		    "its two signature algorithms differ");
	lint_algorithm(l, algorithm, l->issuer_kind, LINT_ALGORITHM_ISSUER);
	if (issuer.len == 0)
		lint_found(l, LINT_ISSUER_EMPTY);
	if (l->has_issuer && !bytes_equal(issuer_whole, l->issuer_name))
		lint_found(l, LINT_ISSUER_MISMATCH);
	lint_name(l, issuer, "issuer");
	lint_updates(l, &tbs, &this_update);
	has_entries = tbs.len > 0 && tbs.data[0] == DER_SEQUENCE;
	if ((has_entries && !der_take(&tbs, DER_SEQUENCE, &entries)) ||
	    (tbs.len > 0 && (!der_take(&tbs, 0xa0, &content) ||
	    tbs.len > 0 || !der_take(&content, DER_SEQUENCE, &list) ||
	    content.len > 0))) {
		lint_found(l, LINT_CRL_FORM);
		return;
	}
	/* First, since they say what entries may hold. */
	if (list.data != NULL)
		lint_crl_extensions(l, list, &x);
	else
		for (size_t i = AKI; i <= NUMBER; i++)
			lint_found_as(l, LINT_EXTENSION_MISSING,
			    known[i].section, "its %s is missing",
			    known[i].name);
	if (has_entries)
		lint_entries(l, entries, this_update, &x);
}

void
lint_crl(struct lint *l, struct bytes der)
{
	struct bytes whole, tbs, content, algorithm, signature;
	uint8_t tag;

	if (!der_take(&der, DER_SEQUENCE, &whole) ||
	    !der_take(&whole, DER_SEQUENCE, &tbs) ||
	    !der_next(&whole, &tag, &content, &algorithm) ||
	    !der_take(&whole, DER_BIT_STRING, &signature) || whole.len > 0) {
		lint_found(l, LINT_CRL_FORM);
		return;
	}
	lint_signature(l, signature);
	lint_tbs_crl(l, tbs, algorithm);
}
