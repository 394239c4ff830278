#include "common/lint_private.h"

#include "common/err.h"
#include "common/owned.h"

#include <openssl/x509v3.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct lint_rule rules[LINT_N_RULES] = {
#define RULE(name, id, severity, refuses, section, text) \
	{ id, LINT_##severity, refuses, section, text },
	LINT_RULES(RULE)
#undef RULE
};

const struct lint_rule *
lint_rule(size_t i)
{
	return i < LINT_N_RULES ? &rules[i] : NULL;
}

void
lint_found_as(struct lint *l, enum lint_id id, const char *section,
    const char *fmt, ...)
{
	struct lint_finding f = { .rule = &rules[id] };
	va_list ap;

	if (l->stopped || l->told[id] == LINT_REPEATS)
		return;
	l->told[id]++;
	f.section = section == NULL ? f.rule->section : section;
	va_start(ap, fmt);
	vsnprintf(f.text, sizeof(f.text), fmt, ap);
	va_end(ap);
	l->stopped = !l->report(l->arg, &f);
}

void
lint_found(struct lint *l, enum lint_id id)
{
	lint_found_as(l, id, NULL, "%s", rules[id].text);
}

void
lint_oid_text(struct bytes oid, char *out, size_t size)
{
	OWNED(ASN1_OBJECT) *object = oid.len > 64 ? NULL :
	    ASN1_OBJECT_create(NID_undef, (uint8_t *)(uintptr_t)oid.data,
	    (int)oid.len, NULL, NULL);

	if (object == NULL || OBJ_obj2txt(out, (int)size, object, 1) <= 0)
		snprintf(out, size, "(too long)");
}

const char *
lint_kind_name(enum lint_kind kind)
{
	switch (kind) {
	case LINT_CERTIFICATE:
		return "certificate";
	case LINT_CSR:
		return "certificate request";
	case LINT_CRL:
		return "CRL";
	case LINT_OCSP_RESPONSE:
		return "OCSP response";
	}
	return "?";
}

int
lint_kind_of(struct bytes der, enum lint_kind *out)
{
	struct bytes whole, inner, v;
	uint8_t tags[4] = { 0 };

	if (!der_take(&der, DER_SEQUENCE, &whole) || whole.len == 0)
		return -1;
	if (whole.data[0] == LINT_ENUMERATED) {
		*out = LINT_OCSP_RESPONSE;
		return 0;
	}
	if (!der_take(&whole, DER_SEQUENCE, &inner))
		return -1;
	for (size_t i = 0; i < 4 && inner.len > 0; i++)
		if (!der_next(&inner, &tags[i], &v, NULL))
			return -1;
	if (tags[0] == 0xa0) {
		*out = LINT_CERTIFICATE;
		return 0;
	}
	if (tags[0] == DER_INTEGER) {	/* else a version is left out */
		memmove(tags, tags + 1, 3);
		/* algorithm, issuer, validity, subject: without a version */
		tags[3] = 0;
	}
	if (tags[0] != DER_SEQUENCE || tags[1] != DER_SEQUENCE)
		return -1;
	*out = tags[2] == LINT_UTC_TIME || tags[2] == LINT_GENERALIZED_TIME ?
	    LINT_CRL : tags[2] == DER_SEQUENCE ? LINT_CERTIFICATE : LINT_CSR;
	return 0;
}

/* What is compared with the issuer, from its certificate. */
static bool
read_issuer(struct lint *l)
{
	X509 *cert = l->issuer->cert;
	const ASN1_OCTET_STRING *id = X509_get0_subject_key_id(cert);
	const ASN1_TIME *from = X509_get0_notBefore(cert);
	const ASN1_TIME *until = X509_get0_notAfter(cert);
	const EVP_PKEY *key = X509_get0_pubkey(cert);
	const uint8_t *name;
	size_t len;

	if (X509_NAME_get0_der(X509_get_subject_name(cert), &name, &len) != 1)
		return false;
	l->has_issuer = true;
	l->issuer_name = (struct bytes){ name, len };
	if (id != NULL)
		l->issuer_key_id = (struct bytes){ ASN1_STRING_get0_data(id),
		    (size_t)ASN1_STRING_length(id) };
	l->issuer_path = X509_get_pathlen(cert);
	switch (key == NULL ? 0 : EVP_PKEY_get_base_id(key)) {
	case EVP_PKEY_RSA:
		l->issuer_kind = KEY_RSA;
		break;
	case EVP_PKEY_EC:
		l->issuer_kind = KEY_P256;	/* whichever curve */
		break;
	case EVP_PKEY_ED25519:
		l->issuer_kind = KEY_ED25519;
		break;
	case EVP_PKEY_ED448:
		l->issuer_kind = KEY_ED448;
		break;
	default:
		break;
	}
	return lint_read_time((uint8_t)ASN1_STRING_type(from),
	    (struct bytes){ ASN1_STRING_get0_data(from),
	    (size_t)ASN1_STRING_length(from) }, &l->issuer_from) &&
	    lint_read_time((uint8_t)ASN1_STRING_type(until),
	    (struct bytes){ ASN1_STRING_get0_data(until),
	    (size_t)ASN1_STRING_length(until) }, &l->issuer_until);
}

/* Dates that cannot be read are no bounds; without them nothing is within. */
static void
know_issuer(struct lint *l)
{
	if (l->issuer != NULL && !read_issuer(l)) {
		l->issuer_from = 1;
		l->issuer_until = 0;
	}
}

int
lint_document(enum lint_kind kind, struct bytes der,
    const struct lint_terms *terms, lint_report *report, void *arg,
    struct err *err)
{
	struct lint l = { .profile = terms->profile, .issuer = terms->issuer,
		.issuer_path = -1, .report = report, .arg = arg };
	struct err why = { 0 };

	if (der.len > LINT_MAX_OCTETS)
		return err_set(err, ERR_REJECT, "it has more than %zu octets",
		    LINT_MAX_OCTETS);
	if (der_check(der, &why) == -1) {
		/* der_check says "it is not DER: ..." */
		lint_found_as(&l, LINT_DER, NULL, "%s", why.text);
		return 0;
	}
	know_issuer(&l);
	if (kind != LINT_CERTIFICATE)
		l.profile = NULL;
	if (l.profile != NULL)
		l.role = l.profile->ca ? LINT_CA : LINT_END_ENTITY;
	switch (kind) {
	case LINT_CERTIFICATE:
		lint_whole_certificate(&l, der);
		break;
	case LINT_CSR:
		lint_csr(&l, der);
		break;
	case LINT_CRL:
		lint_crl(&l, der);
		break;
	case LINT_OCSP_RESPONSE:
		lint_ocsp_response(&l, der);
		break;
	}
	return l.no_memory ? err_set(err, ERR_RETRY, "there is not enough "
	    "memory to look for doubles in it") : 0;
}

/* --- before signing --- */

static bool
refuse(void *arg, const struct lint_finding *f)
{
	if (!f->rule->refuses)
		return true;
	err_set(arg, ERR_FAULT, "the certificate is not signed: %s (%s)",
	    f->text, f->section);
	return false;
}

/* The octets that will be signed, and the algorithm beside them. */
static int
lint_before_signing(struct lint *l, X509 *cert, struct err *err)
{
	const X509_ALGOR *algorithm;
	uint8_t *der = NULL, *outer = NULL;
	struct err why = { 0 };
	int len, outer_len;

	X509_get0_signature(NULL, &algorithm, cert);
	len = i2d_re_X509_tbs(cert, &der);
	outer_len = i2d_X509_ALGOR(algorithm, &outer);
	l->signing = true;
	l->report = refuse;
	l->arg = err;
	know_issuer(l);
	if (len > 0 && outer_len > 0) {
		struct bytes tbs = { der, (size_t)len };

		if (der_check(tbs, &why) == -1)
			lint_found_as(l, LINT_DER, NULL, "%s", why.text);
		else
			lint_tbs_certificate(l, tbs, (struct bytes){ outer,
			    (size_t)outer_len });
	}
	OPENSSL_free(der);
	OPENSSL_free(outer);
	if (len <= 0 || outer_len <= 0)
		return err_openssl(err, ERR_FAULT, "encoding a certificate");
	return l->stopped ? -1 : 0;
}

int
lint_certificate(X509 *cert, const struct profile *profile,
    const struct issuer *issuer, struct err *err)
{
	struct lint l = { .profile = profile, .issuer = issuer,
		.issuer_path = -1, .role = LINT_END_ENTITY };

	return lint_before_signing(&l, cert, err);
}

int
lint_ca_certificate(X509 *cert, const struct issuer *issuer, struct err *err)
{
	struct lint l = { .issuer = issuer, .issuer_path = -1,
		.role = LINT_CA };

	return lint_before_signing(&l, cert, err);
}
