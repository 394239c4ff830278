#include "common/lint_private.h"

/* The fields of a certificate (RFC 5280, 4.1). */

static void
lint_serial(struct lint *l, struct bytes serial)
{
	if (!lint_is_serial(serial))
		lint_found(l, LINT_SERIAL_FORM);
	else if (serial.len < 8)
		lint_found(l, LINT_SERIAL_SHORT);
}

static void
lint_validity(struct lint *l, struct bytes validity)
{
	const struct profile *p = l->profile;
	time_t from, until;
	struct bytes v;
	uint8_t tag;

	if (!der_next(&validity, &tag, &v, NULL) ||
	    !lint_read_time(tag, v, &from) ||
	    !der_next(&validity, &tag, &v, NULL) ||
	    !lint_read_time(tag, v, &until) || validity.len > 0) {
		lint_found(l, LINT_TIME_FORM);
		return;
	}
	if (until <= from) {
		lint_found(l, LINT_VALIDITY_ORDER);
		return;
	}
	if (l->has_issuer &&
	    (from < l->issuer_from || until > l->issuer_until))
		lint_found(l, LINT_VALIDITY_ISSUER);
	if (p != NULL && until - from > p->max_validity_s + p->backdate_s)
		lint_found(l, LINT_VALIDITY_PROFILE);
}

static void
lint_names(struct lint *l, struct bytes issuer, struct bytes issuer_whole,
    struct bytes subject, struct bytes subject_whole)
{
	l->subject = subject_whole;
	l->subject_empty = subject.len == 0;
	l->self_issued = bytes_equal(issuer_whole, subject_whole);
	if (issuer.len == 0)
		lint_found(l, LINT_ISSUER_EMPTY);
	/* To be self-signed, when there is no issuer. */
	if (l->has_issuer ? !bytes_equal(issuer_whole, l->issuer_name) :
	    l->signing && !l->self_issued)
		lint_found(l, LINT_ISSUER_MISMATCH);
	/* A known issuer's name is what it is. */
	if (!l->self_issued && !l->has_issuer)
		lint_name(l, issuer, "issuer");
	lint_name(l, subject, "subject");
	if (l->profile != NULL)
		lint_subject_profile(l, subject);
}

/* [1] and [2], which no CA makes (4.1.2.8); then the extensions. */
static void
lint_optional_fields(struct lint *l, struct bytes tbs)
{
	struct bytes content, list;
	uint8_t tag;

	while (tbs.len > 0 && (tbs.data[0] == 0x81 || tbs.data[0] == 0x82) &&
	    der_next(&tbs, &tag, &content, NULL))
		lint_found(l, LINT_UNIQUE_ID);
	if (tbs.len == 0) {
		/* There are none in versions 1 and 2; ours has some. */
		if (l->signing || l->profile != NULL)
			lint_found(l, LINT_CERTIFICATE_FORM);
		return;
	}
	if (!der_take(&tbs, 0xa3, &content) || tbs.len > 0 ||
	    !der_take(&content, DER_SEQUENCE, &list) || content.len > 0) {
		lint_found(l, LINT_CERTIFICATE_FORM);
		return;
	}
	lint_extensions(l, list);
}

/* 4.1.2.1: version 3; 2 is only what has no extensions. */
static bool
lint_version(struct lint *l, struct bytes *tbs)
{
	struct bytes content, version;

	if (tbs->len > 0 && tbs->data[0] == DER_INTEGER) {
		lint_found(l, LINT_VERSION);
		return true;
	}
	if (!der_take(tbs, 0xa0, &content)) {
		lint_found(l, LINT_CERTIFICATE_FORM);
		return false;
	}
	if (!der_take(&content, DER_INTEGER, &version) || content.len > 0 ||
	    version.len != 1 || version.data[0] != 2)
		lint_found(l, LINT_VERSION);
	return true;
}

void
lint_tbs_certificate(struct lint *l, struct bytes whole, struct bytes outer)
{
	struct bytes tbs, serial, algorithm, algorithm_whole, issuer,
	    issuer_whole, validity, subject, subject_whole, spki, content;
	uint8_t tags[4];

	if (!der_take(&whole, DER_SEQUENCE, &tbs) || whole.len > 0) {
		lint_found(l, LINT_CERTIFICATE_FORM);
		return;
	}
	if (!lint_version(l, &tbs))
		return;
	if (!der_take(&tbs, DER_INTEGER, &serial) ||
	    !der_next(&tbs, &tags[0], &algorithm, &algorithm_whole) ||
	    !der_next(&tbs, &tags[1], &issuer, &issuer_whole) ||
	    !der_take(&tbs, DER_SEQUENCE, &validity) ||
	    !der_next(&tbs, &tags[2], &subject, &subject_whole) ||
	    !der_next(&tbs, &tags[3], &content, &spki) ||
	    tags[0] != DER_SEQUENCE || tags[1] != DER_SEQUENCE ||
	    tags[2] != DER_SEQUENCE || tags[3] != DER_SEQUENCE) {
		lint_found(l, LINT_CERTIFICATE_FORM);
		return;
	}
	lint_serial(l, serial);
	if (!bytes_equal(algorithm_whole, outer))
		lint_found(l, LINT_ALGORITHM_MISMATCH);
	lint_names(l, issuer, issuer_whole, subject, subject_whole);
	lint_validity(l, validity);
	lint_key(l, spki);
	/* A self-signed certificate is signed by the key that it has. */
	lint_algorithm(l, algorithm, l->has_issuer ? l->issuer_kind :
	    l->self_issued && l->has_key ? l->key.kind : 0,
	    LINT_ALGORITHM_ISSUER);
	lint_optional_fields(l, tbs);
	if (l->is_ca && l->subject_empty)
		lint_found(l, LINT_SUBJECT_EMPTY);
}

void
lint_whole_certificate(struct lint *l, struct bytes der)
{
	struct bytes whole, tbs, algorithm, content, signature;
	uint8_t tag;

	if (!der_take(&der, DER_SEQUENCE, &whole) ||
	    !der_next(&whole, &tag, &content, &tbs) ||
	    !der_next(&whole, &tag, &content, &algorithm) ||
	    !der_take(&whole, DER_BIT_STRING, &signature) || whole.len > 0) {
		lint_found(l, LINT_CERTIFICATE_FORM);
		return;
	}
	lint_signature(l, signature);
	lint_tbs_certificate(l, tbs, algorithm);
}
