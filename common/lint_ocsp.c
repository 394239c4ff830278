#include "common/lint_private.h"

#include "common/err.h"

#include <string.h>

/* OCSP responses (RFC 6960, 4.2.1; RFC 9919; RFC 9654). */

static const uint8_t id_ocsp[] = { 0x2b, 6, 1, 5, 5, 7, 0x30, 1 };
#define BASIC		1	/* last arcs */
#define NONCE		2
#define EXTENDED_REVOKE	9

/* --- extensions --- */

static bool
is_ocsp_oid(struct bytes oid, uint8_t arc)
{
	return oid.len == sizeof(id_ocsp) + 1 &&
	    memcmp(oid.data, id_ocsp, sizeof(id_ocsp)) == 0 &&
	    oid.data[sizeof(id_ocsp)] == arc;
}

static void
lint_nonce(struct lint *l, struct bytes v)
{
	struct bytes nonce;

	if (!der_take(&v, DER_OCTET_STRING, &nonce) || v.len > 0 ||
	    nonce.len == 0 || nonce.len > 128)
		lint_found(l, LINT_OCSP_NONCE);
	else if (nonce.len < 32)
		lint_found(l, LINT_OCSP_NONCE_SHORT);
}

/* Of the response, or of one answer in it. */
static void
lint_ocsp_extensions(struct lint *l, struct bytes list, bool of_one)
{
	struct bytes seen[32], null;
	struct lint_extension e;
	char name[80];
	size_t n = 0;
	int r;

	if (list.len == 0)
		lint_found(l, LINT_EXTENSIONS_EMPTY);
	while ((r = lint_next_extension(l, &list, LINT_OCSP_EXTENSION,
	    &e)) != 0) {
		if (r == -1)
			continue;
		for (size_t i = 0; i < n; i++)
			if (bytes_equal(seen[i], e.oid))
				lint_found(l, LINT_OCSP_EXTENSION);
		if (n < sizeof(seen) / sizeof(seen[0]))
			seen[n++] = e.oid;
		lint_oid_text(e.oid, name, sizeof(name));
		if (is_ocsp_oid(e.oid, NONCE))
			lint_nonce(l, e.value);
		else if (is_ocsp_oid(e.oid, EXTENDED_REVOKE) && (of_one ||
		    !der_take(&e.value, DER_NULL, &null) || e.value.len > 0))
			lint_found(l, LINT_OCSP_EXTENSION);
		/* Those of 4.4 are for clients who know them. */
		if (e.critical && e.oid.len == sizeof(id_ocsp) + 1 &&
		    memcmp(e.oid.data, id_ocsp, sizeof(id_ocsp)) == 0)
			lint_found_as(l, LINT_EXTENSION_CRITICAL,
			    "RFC 6960, 4.4", "its extension %s is critical",
			    name);
		else if (e.critical)
			lint_found_as(l, LINT_EXTENSION_UNKNOWN,
			    "RFC 6960, 4.4", "its extension %s is critical "
			    "and not known here", name);
	}
}

/* --- one answer --- */

static void
lint_cert_id(struct lint *l, struct bytes id)
{
	static const uint8_t sha1[] = { 0x2b, 0x0e, 3, 2, 0x1a };
	static const uint8_t sha2[] = { 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2 };
	struct bytes algorithm, oid, name, key, serial, null;
	size_t len = 0;

	if (!der_take(&id, DER_SEQUENCE, &algorithm) ||
	    !der_take(&algorithm, DER_OID, &oid) || (algorithm.len > 0 &&
	    (!der_take(&algorithm, DER_NULL, &null) || algorithm.len > 0)) ||
	    !der_take(&id, DER_OCTET_STRING, &name) ||
	    !der_take(&id, DER_OCTET_STRING, &key) ||
	    !der_take(&id, DER_INTEGER, &serial) || id.len > 0) {
		lint_found(l, LINT_OCSP_FORM);
		return;
	}
	if (bytes_equal(oid, LINT_OID(sha1)))
		len = 20;
	else if (oid.len == sizeof(sha2) + 1 &&
	    memcmp(oid.data, sha2, sizeof(sha2)) == 0)
		len = oid.data[sizeof(sha2)] == 1 ? 32 :
		    oid.data[sizeof(sha2)] == 2 ? 48 :
		    oid.data[sizeof(sha2)] == 3 ? 64 : 0;
	if (len == 0)
		lint_found(l, LINT_OCSP_HASH);
	else if (name.len != len || key.len != len)
		lint_found(l, LINT_OCSP_CERT_ID);
}

/* good [0], revoked [1] { when, reason [0] OPTIONAL }, unknown [2] */
static void
lint_cert_status(struct lint *l, uint8_t tag, struct bytes v)
{
	struct bytes when, wrapped, reason;
	uint8_t time_tag;
	time_t t;

	if (tag == 0x80 || tag == 0x82) {
		if (v.len > 0)
			lint_found(l, LINT_OCSP_CERT_STATUS);
		return;
	}
	if (tag != 0xa1 || !der_next(&v, &time_tag, &when, NULL)) {
		lint_found(l, LINT_OCSP_CERT_STATUS);
		return;
	}
	if (!lint_read_generalized_time(time_tag, when, &t))
		lint_found(l, LINT_OCSP_TIME);
	if (v.len == 0)
		return;
	if (!der_take(&v, 0xa0, &wrapped) || v.len > 0 ||
	    !der_take(&wrapped, LINT_ENUMERATED, &reason) ||
	    wrapped.len > 0 || reason.len != 1)
		lint_found(l, LINT_OCSP_CERT_STATUS);
	else if (reason.data[0] == 7 || reason.data[0] > 10)
		lint_found(l, LINT_OCSP_REASON);
}

/* The content of EXPLICIT [0]: a date. */
static bool
read_wrapped_time(struct bytes v, time_t *out)
{
	struct bytes when;
	uint8_t tag;

	return der_next(&v, &tag, &when, NULL) && v.len == 0 &&
	    lint_read_generalized_time(tag, when, out);
}

static void
lint_single(struct lint *l, struct bytes one, const time_t *produced)
{
	struct bytes id, status, v, list;
	time_t this_update, next_update;
	uint8_t status_tag, tag;
	bool dated;

	if (!der_take(&one, DER_SEQUENCE, &id) ||
	    !der_next(&one, &status_tag, &status, NULL) ||
	    !der_next(&one, &tag, &v, NULL)) {
		lint_found(l, LINT_OCSP_FORM);
		return;
	}
	lint_cert_id(l, id);
	lint_cert_status(l, status_tag, status);
	dated = lint_read_generalized_time(tag, v, &this_update);
	if (!dated)
		lint_found(l, LINT_OCSP_TIME);
	else if (produced != NULL && this_update > *produced)
		lint_found(l, LINT_OCSP_ORDER);
	if (one.len > 0 && one.data[0] == 0xa0) {
		der_take(&one, 0xa0, &v);
		if (!read_wrapped_time(v, &next_update))
			lint_found(l, LINT_OCSP_TIME);
		else if ((dated && next_update <= this_update) ||
		    (produced != NULL && next_update < *produced))
			lint_found(l, LINT_OCSP_ORDER);
	} else {
		lint_found(l, LINT_OCSP_NEXT_UPDATE);
	}
	if (one.len == 0)
		return;
	if (!der_take(&one, 0xa1, &v) || one.len > 0 ||
	    !der_take(&v, DER_SEQUENCE, &list) || v.len > 0)
		lint_found(l, LINT_OCSP_FORM);
	else
		lint_ocsp_extensions(l, list, true);
}

/* --- who signs --- */

struct responder {
	struct bytes	 name;		/* Name, whole; len 0: by key */
	struct bytes	 key_sha1;
};

static bool
lint_responder(struct lint *l, struct bytes *data, struct responder *out)
{
	struct bytes v, inner, whole;
	uint8_t tag, inner_tag;

	if (!der_next(data, &tag, &v, NULL) ||
	    !der_next(&v, &inner_tag, &inner, &whole) || v.len > 0)
		return false;
	if (tag == 0xa1 && inner_tag == DER_SEQUENCE) {
		lint_found(l, LINT_OCSP_BY_NAME);
		out->name = whole;
		return true;
	}
	if (tag != 0xa2 || inner_tag != DER_OCTET_STRING)
		return false;
	if (inner.len != 20)
		lint_found(l, LINT_OCSP_RESPONDER);
	out->key_sha1 = inner;
	return true;
}

static bool
ignore(void *arg, const struct lint_finding *f)
{
	(void)arg;
	(void)f;
	return true;
}

/* Is it this certificate? What it says is left in its own lint. */
static bool
is_signer(const struct responder *responder, struct bytes der,
    struct lint *cert)
{
	*cert = (struct lint){ .issuer_path = -1, .report = ignore };
	lint_whole_certificate(cert, der);
	if (responder->name.len > 0)
		return bytes_equal(responder->name, cert->subject);
	return cert->has_key && bytes_equal(responder->key_sha1,
	    LINT_OID(cert->key.key_sha1));
}

/* Returns the kind of the key that signs; 0 when it is not known. */
static enum key_kind
lint_signer(struct lint *l, struct bytes certs,
    const struct responder *responder)
{
	struct bytes one, whole;
	struct lint cert;
	uint8_t tag;

	while (certs.len > 0 && der_next(&certs, &tag, &one, &whole)) {
		if (!is_signer(responder, whole, &cert))
			continue;
		/* A CA needs no word of its own to answer for itself. */
		if (!cert.is_ca && !cert.signs_ocsp)
			lint_found(l, LINT_OCSP_SIGNER_PURPOSE);
		else if (!cert.is_ca && !cert.has_nocheck)
			lint_found(l, LINT_OCSP_SIGNER_NOCHECK);
		return cert.has_key ? cert.key.kind : 0;
	}
	lint_found(l, LINT_OCSP_SIGNER);
	return 0;
}

/* --- the response --- */

static void
lint_answers(struct lint *l, struct bytes list, const time_t *produced)
{
	struct bytes one;

	if (list.len == 0)
		lint_found(l, LINT_OCSP_EMPTY);
	while (list.len > 0)
		if (der_take(&list, DER_SEQUENCE, &one)) {
			lint_single(l, one, produced);
		} else {
			lint_found(l, LINT_OCSP_FORM);
			return;
		}
}

static bool
lint_response_data(struct lint *l, struct bytes data,
    struct responder *responder)
{
	struct bytes v, list;
	time_t produced;
	bool dated;
	uint8_t tag;

	if (data.len > 0 && data.data[0] == 0xa0) {
		if (!der_take(&data, 0xa0, &v))
			return false;
		lint_found(l, LINT_OCSP_VERSION);
	}
	if (!lint_responder(l, &data, responder) ||
	    !der_next(&data, &tag, &v, NULL))
		return false;
	dated = lint_read_generalized_time(tag, v, &produced);
	if (!dated)
		lint_found(l, LINT_OCSP_TIME);
	if (!der_take(&data, DER_SEQUENCE, &list))
		return false;
	lint_answers(l, list, dated ? &produced : NULL);
	if (data.len == 0)
		return true;
	if (!der_take(&data, 0xa1, &v) || data.len > 0 ||
	    !der_take(&v, DER_SEQUENCE, &list) || v.len > 0)
		return false;
	lint_ocsp_extensions(l, list, false);
	return true;
}

static void
lint_basic(struct lint *l, struct bytes der)
{
	struct bytes whole, data, algorithm, signature, wrapped,
	    certs = { NULL, 0 };
	struct responder responder = { .name = { NULL, 0 } };
	struct err why = { 0 };
	enum key_kind kind = 0;

	if (der_check(der, &why) == -1) {
		lint_found_as(l, LINT_DER, "RFC 6960, 4.2.1", "%s", why.text);
		return;
	}
	if (!der_take(&der, DER_SEQUENCE, &whole) ||
	    !der_take(&whole, DER_SEQUENCE, &data) ||
	    !der_take(&whole, DER_SEQUENCE, &algorithm) ||
	    !der_take(&whole, DER_BIT_STRING, &signature) ||
	    (whole.len > 0 && (!der_take(&whole, 0xa0, &wrapped) ||
	    whole.len > 0 || !der_take(&wrapped, DER_SEQUENCE, &certs) ||
	    wrapped.len > 0)) ||
	    !lint_response_data(l, data, &responder)) {
		lint_found(l, LINT_OCSP_FORM);
		return;
	}
	lint_signature(l, signature);
	if (certs.len > 0 && (responder.name.len > 0 ||
	    responder.key_sha1.len == 20))
		kind = lint_signer(l, certs, &responder);
	else if (certs.len == 0)
		lint_found(l, LINT_OCSP_SIGNER_NONE);
	lint_algorithm(l, algorithm, kind, LINT_ALGORITHM_ISSUER);
}

void
lint_ocsp_response(struct lint *l, struct bytes der)
{
	struct bytes whole, status, wrapped, bytes, type, basic;
	bool has_answer;

	if (!der_take(&der, DER_SEQUENCE, &whole) ||
	    !der_take(&whole, LINT_ENUMERATED, &status) ||
	    status.len != 1) {
		lint_found(l, LINT_OCSP_FORM);
		return;
	}
	has_answer = whole.len > 0;
	/* 4 is not used; an answer goes with 0, successful, and only there. */
	if (status.data[0] > 6 || status.data[0] == 4 ||
	    has_answer != (status.data[0] == 0)) {
		lint_found(l, LINT_OCSP_STATUS);
		return;
	}
	if (!has_answer) {
		lint_found(l, LINT_OCSP_ERROR);
		return;
	}
	if (!der_take(&whole, 0xa0, &wrapped) || whole.len > 0 ||
	    !der_take(&wrapped, DER_SEQUENCE, &bytes) || wrapped.len > 0 ||
	    !der_take(&bytes, DER_OID, &type) || !is_ocsp_oid(type, BASIC) ||
	    !der_take(&bytes, DER_OCTET_STRING, &basic) || bytes.len > 0) {
		lint_found(l, LINT_OCSP_FORM);
		return;
	}
	lint_basic(l, basic);
}
