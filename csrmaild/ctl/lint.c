/*
 * `csrmail lint FILE...`: certificates, requests, CRLs and OCSP responses held
 * against the RFCs (docs/lint.md). Needs no daemon and no configuration, opens
 * no key and no store, and connects to nothing: what it reads is of strangers,
 * and it reads that as the user who calls it.
 */
#include "csrmaild/ctl/ctl.h"

#include "csrmaild/pem.h"

#include "common/err.h"
#include "common/lint.h"
#include "common/owned.h"

#include <string.h>

#define MAX_PROFILE	65536
#define MAX_ISSUER	65536

/* RFC 7468; the older names of OpenSSL beside. */
static const struct label {
	const char	*label;
	enum lint_kind	 kind;
} labels[] = {
	{ "CERTIFICATE",		LINT_CERTIFICATE },
	{ "X509 CERTIFICATE",		LINT_CERTIFICATE },
	{ "CERTIFICATE REQUEST",	LINT_CSR },
	{ "NEW CERTIFICATE REQUEST",	LINT_CSR },
	{ "X509 CRL",			LINT_CRL },
	{ "OCSP RESPONSE",		LINT_OCSP_RESPONSE },
};

static const struct label *
find_label(const char *label)
{
	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++)
		if (strcmp(labels[i].label, label) == 0)
			return &labels[i];
	return NULL;
}

static bool
is_der(const struct buf *file)
{
	return file->len > 0 && file->data[0] == 0x30;
}

/* --- one document --- */

static const char *
severity_name(enum lint_severity severity)
{
	switch (severity) {
	case LINT_NOTICE:
		return "notice";
	case LINT_WARNING:
		return "warning";
	case LINT_ERROR:
		return "error";
	}
	return "?";
}

static bool
keep(void *arg, const struct lint_finding *f)
{
	json_array_append_new(arg, json_pack("{s:s, s:s, s:s, s:s}",
	    "rule", f->rule->id, "severity", severity_name(f->rule->severity),
	    "section", f->section, "text", f->text));
	return true;
}

static const char *
text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text == NULL ? "" : text;
}

static void
print_document(const json_t *document)
{
	const json_t *findings = json_object_get(document, "findings"), *f;
	long long number = json_integer_value(json_object_get(document,
	    "number"));
	size_t i, n = json_array_size(findings);

	table_put_text(stdout, text_of(document, "file"), 0);
	if (number > 0)
		printf(", block %lld", number);
	printf(": %s: ", text_of(document, "kind"));
	if (n == 0)
		puts("nothing found");
	else
		printf("%zu finding%s\n", n, n == 1 ? "" : "s");
	json_array_foreach(findings, i, f) {
		printf("  %-7s  %s: ", text_of(f, "severity"),
		    text_of(f, "rule"));
		table_put_text(stdout, text_of(f, "text"), 0);
		printf(" (%s)\n", text_of(f, "section"));
	}
}

/* What is worse than a notice makes the command fail. */
static bool
is_clean(const json_t *findings)
{
	const json_t *f;
	size_t i;

	json_array_foreach(findings, i, f)
		if (strcmp(text_of(f, "severity"), "notice") != 0)
			return false;
	return true;
}

/* number: of the block in a PEM file, from 1; 0 in DER. */
static int
lint_one(struct ctl *ctl, const char *path, long long number,
    enum lint_kind kind, struct bytes der, const struct lint_terms *terms,
    json_t *out, struct err *err)
{
	json_t *findings = json_array();
	json_t *document = json_pack("{s:s%, s:I, s:s, s:o}", "file",
	    path, strlen(path), "number", (json_int_t)number, "kind",
	    lint_kind_name(kind), "findings", findings);

	/* A file name that is not UTF-8. */
	if (document == NULL) {
		findings = json_array();
		document = json_pack("{s:s, s:I, s:s, s:o}", "file", "?",
		    "number", (json_int_t)number, "kind",
		    lint_kind_name(kind), "findings", findings);
	}
	if (lint_document(kind, der, terms, keep, findings, err) == -1) {
		json_decref(document);
		return -1;
	}
	if (!is_clean(findings))
		ctl->exit_code = EX_DATAERR;
	if (!ctl->json)
		print_document(document);
	json_array_append_new(out, document);
	return 0;
}

/* --- files --- */

static int
lint_der(struct ctl *ctl, const char *path, struct bytes der,
    const struct lint_terms *terms, json_t *out, struct err *err)
{
	enum lint_kind kind;

	if (lint_kind_of(der, &kind) == -1)
		return ctl_fail(ctl, EX_DATAERR, err, "%s: this is no "
		    "certificate, request, CRL or OCSP response", path);
	return lint_one(ctl, path, 0, kind, der, terms, out, err);
}

static int
lint_pem(struct ctl *ctl, const char *path, struct bytes text,
    const struct lint_terms *terms, json_t *out, struct err *err)
{
	struct pem_block block;
	long long number = 0, known = 0;

	while (pem_next(&text, &block)) {
		const struct label *label = find_label(block.label);
		OWNED_BUF(der, LINT_MAX_OCTETS);

		number++;
		if (label == NULL) {
			/* A key beside its certificate, often. */
			fputs("csrmail: ", stderr);
			table_put_text(stderr, path, 0);
			fprintf(stderr, ", block %lld: ", number);
			table_put_text(stderr, block.label, 0);
			fputs(": not looked at\n", stderr);
			continue;
		}
		known++;
		if (!block.ended || pem_decode(&block, &der, err) == -1)
			return ctl_fail(ctl, EX_DATAERR, err, "%s, block "
			    "%lld: the PEM is broken", path, number);
		if (lint_one(ctl, path, number, label->kind, buf_bytes(&der),
		    terms, out, err) == -1)
			return -1;
	}
	if (known == 0)
		return ctl_fail(ctl, EX_DATAERR, err, "%s: there is no "
		    "certificate, request, CRL or OCSP response in it, "
		    "neither PEM nor DER", path);
	return 0;
}

static int
lint_file(struct ctl *ctl, const char *path, const struct lint_terms *terms,
    json_t *out, struct err *err)
{
	OWNED_BUF(file, LINT_MAX_OCTETS);

	if (ctl_read_file(ctl, path, &file, err) != 0)
		return -1;
	return is_der(&file) ?
	    lint_der(ctl, path, buf_bytes(&file), terms, out, err) :
	    lint_pem(ctl, path, buf_bytes(&file), terms, out, err);
}

/* --- what they are compared with --- */

/* The first certificate of --issuer. Owned. */
static int
read_issuer(struct ctl *ctl, const char *path, X509 **out, struct err *err)
{
	OWNED_BUF(file, MAX_ISSUER);
	OWNED_BUF(der, MAX_ISSUER);
	struct pem_block block;
	struct bytes text, octets;
	const uint8_t *at;

	if (ctl_read_file(ctl, path, &file, err) != 0)
		return -1;
	text = octets = buf_bytes(&file);
	if (!is_der(&file)) {
		while (pem_next(&text, &block))
			if (strcmp(block.label, "CERTIFICATE") == 0 &&
			    block.ended &&
			    pem_decode(&block, &der, err) == 0)
				break;
		octets = buf_bytes(&der);
	}
	at = octets.data;
	*out = octets.len == 0 ? NULL :
	    d2i_X509(NULL, &at, (long)octets.len);
	if (*out == NULL || at != octets.data + octets.len) {
		X509_free(*out);
		*out = NULL;
		return ctl_fail(ctl, EX_DATAERR, err,
		    "--issuer: there is no certificate in %s", path);
	}
	return 0;
}

static int
read_profile(struct ctl *ctl, const char *path, struct profile **out,
    struct err *err)
{
	OWNED_BUF(file, MAX_PROFILE);
	const char *base = strrchr(path, '/');
	char name[PROFILE_NAME_MAX + 1];

	base = base == NULL ? path : base + 1;
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(base, "."), base);
	if (ctl_read_file(ctl, path, &file, err) != 0)
		return -1;
	if (profile_parse(name, path, buf_bytes(&file), out, err) == -1) {
		ctl->exit_code = EX_CONFIG;
		return -1;
	}
	return 0;
}

int
ctl_lint(struct ctl *ctl, struct err *err)
{
	const char *issuer_path = ctl_option(ctl, "issuer");
	const char *profile_path = ctl_option(ctl, "profile");
	OWNED_STRUCT(profile) *profile = NULL;
	OWNED(X509) *cert = NULL;
	struct issuer issuer = { 0 };
	struct lint_terms terms = { 0 };
	json_t *out;
	int r = 0;

	if (issuer_path != NULL) {
		if (read_issuer(ctl, issuer_path, &cert, err) != 0)
			return -1;
		issuer.cert = cert;	/* its addresses are not known */
		terms.issuer = &issuer;
	}
	if (profile_path != NULL) {
		if (read_profile(ctl, profile_path, &profile, err) != 0)
			return -1;
		terms.profile = profile;
	}
	out = json_array();
	for (int i = 0; r == 0 && i < CTL_MAX_ARGS && ctl->args[i] != NULL;
	    i++)
		r = lint_file(ctl, ctl->args[i], &terms, out, err);
	if (r == 0 && ctl->json)
		table_print_json(out);
	json_decref(out);
	return r;
}
