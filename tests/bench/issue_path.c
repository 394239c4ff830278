/*
 * A request through the library alone, in one process, one thread and without
 * a disk: read and checked (as the parser does), decided by rules, read and
 * checked again (as the signer does), made into a certificate, linted, signed
 * and verified.
 *
 *	bench_issue PROFILE-FILE RULES-FILE [REQUESTS]
 *
 * Makes a P-256 CA and that many requests with P-256 keys of their own (10000
 * when not told), and only then starts the clock. Prints one JSON object: the
 * number, seconds, and microseconds for each step of one request.
 */
#include "common/csr.h"
#include "common/err.h"
#include "common/issue.h"
#include "common/lint.h"
#include "common/owned.h"
#include "common/profile.h"
#include "csrmaild/policy.h"
#include "csrmaild/wire.h"

#include <openssl/x509v3.h>

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NOT_BEFORE	((time_t)1767268800)	/* 2026-01-01T12:00:00Z */
#define YEAR		((time_t)31536000)

enum step { READ, DECIDE, READ_AGAIN, BUILD, LINT, SIGN, N_STEPS };
static const char *const step_names[N_STEPS] = {
	"read_and_check", "policy", "read_again", "build", "lint", "sign_and_verify",
};

struct stand {
	EVP_PKEY	*key;
	X509		*cert;
	struct issuer	 issuer;
	struct profile	*profile;
	struct rules	*rules;
	size_t		 n;
	struct bytes	*csrs;
	double		 spent_s[N_STEPS];
};

static double
now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
read_file(const char *path, struct buf *out)
{
	FILE *f = fopen(path, "r");
	char octets[4096];
	size_t n;

	if (f == NULL)
		err(1, "%s", path);
	while ((n = fread(octets, 1, sizeof(octets), f)) > 0)
		buf_append(out, octets, n);
	fclose(f);
}

static void
sender_of(size_t i, char *out, size_t size)
{
	snprintf(out, size, "user%zu@example.org", i);
}

static void
make_ca(struct stand *s)
{
	struct ca_terms terms = { .not_before = NOT_BEFORE,
		.not_after = NOT_BEFORE + 10 * YEAR, .path_len = 0 };
	struct err why;

	s->key = key_generate(KEY_P256, 0, &why);
	if (s->key == NULL || serial_generate(&terms.serial, &why) != 0 ||
	    names_add_attribute(&terms.subject, NID_commonName,
	    bytes_of("Bench CA"), &why) != 0 ||
	    issue_ca(&terms, s->key, NULL, &s->cert, &why) != 0)
		errx(1, "the CA: %s (%s)", why.text, why.detail);
	names_free(&terms.subject);
	s->issuer = (struct issuer){ .cert = s->cert, .key = s->key,
		.digest = issue_digest(s->key),
		.ocsp_url = "http://ocsp.example.org/",
		.ca_url = "http://ocsp.example.org/ca/bench.crt",
		.crl_url = "http://ocsp.example.org/crl/bench.crl" };
}

/* A person's request: common name and rfc822Name are the mailbox. */
static void
make_csr(size_t i, struct bytes *out)
{
	X509_REQ *req = X509_REQ_new();
	STACK_OF(X509_EXTENSION) *extensions = NULL;
	char sender[64], san[80];
	unsigned char *der = NULL;
	struct err why;
	EVP_PKEY *key = key_generate(KEY_P256, 0, &why);
	X509_EXTENSION *extension;
	int len;

	sender_of(i, sender, sizeof(sender));
	snprintf(san, sizeof(san), "email:%s", sender);
	extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, san);
	if (req == NULL || key == NULL || extension == NULL ||
	    X509v3_add_ext(&extensions, extension, -1) == NULL ||
	    X509_NAME_add_entry_by_NID(X509_REQ_get_subject_name(req),
	    NID_commonName, MBSTRING_UTF8, (unsigned char *)sender, -1, -1,
	    0) != 1 ||
	    X509_REQ_add_extensions(req, extensions) != 1 ||
	    X509_REQ_set_pubkey(req, key) != 1 ||
	    X509_REQ_sign(req, key, EVP_sha256()) <= 0 ||
	    (len = i2d_X509_REQ(req, &der)) <= 0)
		errx(1, "a request cannot be made");
	*out = (struct bytes){ der, (size_t)len };
	sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
	X509_EXTENSION_free(extension);
	EVP_PKEY_free(key);
	X509_REQ_free(req);
}

static void
lap(struct stand *s, enum step step, double *since)
{
	double t = now_s();

	s->spent_s[step] += t - *since;
	*since = t;
}

static int
run_one(struct stand *s, size_t i, struct err *why)
{
	OWNED_STRUCT(csr) *csr = NULL;
	OWNED_STRUCT(csr) *again = NULL;
	OWNED(X509) *cert = NULL;
	struct verdict verdict;
	char sender[64];
	struct petition petition = { .mailbox = "users", .sender = sender,
		.evidence = EVIDENCE_DKIM };
	struct order order = { .request_id = i + 1, .ca = "bench",
		.not_before = NOT_BEFORE, .csr = s->csrs[i],
		.not_after = NOT_BEFORE + (time_t)s->profile->validity_s };
	unsigned int len;
	double t = now_s();

	sender_of(i, sender, sizeof(sender));
	if (csr_read(s->csrs[i], &csr, why) != 0)
		return -1;
	lap(s, READ, &t);
	petition.names = &csr->names;
	petition.key = &csr->key;
	policy_decide(s->rules, &petition, &verdict, NULL);
	if (verdict.action != ACTION_SIGN)
		return err_set(why, ERR_FAULT, "rule %s: %s", verdict.rule,
		    verdict.text);
	lap(s, DECIDE, &t);
	if (csr_read(s->csrs[i], &again, why) != 0)
		return -1;
	lap(s, READ_AGAIN, &t);
	snprintf(order.profile, sizeof(order.profile), "%s", s->profile->name);
	memcpy(order.profile_digest, s->profile->digest, 32);
	order.names = csr->names;	/* borrowed */
	X509_pubkey_digest(s->cert, EVP_sha1(), order.issuer_key, &len);
	if (serial_generate(&order.serial, why) != 0 ||
	    issue_build(&order, again, s->profile, &s->issuer, &cert,
	    why) != 0)
		return -1;
	lap(s, BUILD, &t);
	if (lint_certificate(cert, s->profile, &s->issuer, why) != 0)
		return -1;
	lap(s, LINT, &t);
	if (issue_sign(cert, &s->issuer, why) != 0)
		return -1;
	lap(s, SIGN, &t);
	return 0;
}

static void
print(const struct stand *s, double seconds)
{
	printf("{\"requests\": %zu, \"seconds\": %.3f", s->n, seconds);
	for (size_t i = 0; i < N_STEPS; i++)
		printf(", \"%s_us\": %.1f", step_names[i],
		    s->spent_s[i] * 1e6 / (double)s->n);
	printf("}\n");
}

int
main(int argc, char **argv)
{
	struct stand s = { .n = argc > 3 ? strtoul(argv[3], NULL, 10) : 10000 };
	OWNED_BUF(profile, 1u << 20);
	OWNED_BUF(rules, 1u << 20);
	struct err why;
	double began;

	if (argc < 3 || s.n == 0)
		errx(64, "bench_issue PROFILE-FILE RULES-FILE [REQUESTS]");
	read_file(argv[1], &profile);
	read_file(argv[2], &rules);
	if (profile_parse("user", argv[1], buf_bytes(&profile), &s.profile,
	    &why) != 0 || rules_parse("staff", argv[2], buf_bytes(&rules),
	    &s.rules, &why) != 0)
		errx(1, "%s", why.text);
	make_ca(&s);
	s.csrs = calloc(s.n, sizeof(*s.csrs));
	if (s.csrs == NULL)
		err(1, "requests");
	for (size_t i = 0; i < s.n; i++)
		make_csr(i, &s.csrs[i]);
	began = now_s();
	for (size_t i = 0; i < s.n; i++)
		if (run_one(&s, i, &why) != 0)
			errx(1, "request %zu: %s (%s)", i, why.text,
			    why.detail);
	print(&s, now_s() - began);
	return 0;
}
