/* The rules of the linter, each by a document that breaks it: tests/data/lint,
 * made by tests/data/make-lint.py. */
#include "common/lint.h"

#include "common/err.h"
#include "tests/support/fixtures.h"

#include <openssl/x509v3.h>

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#define SAMPLES		TEST_DATA "/lint/"
#define MAX_FINDINGS	64

struct findings {
	size_t			 n;
	struct lint_finding	 all[MAX_FINDINGS];
};

static bool
keep(void *arg, const struct lint_finding *f)
{
	struct findings *found = arg;

	ck_assert_uint_lt(found->n, MAX_FINDINGS);
	found->all[found->n++] = *f;
	return true;
}

static void
read_file(const char *path, struct buf *out)
{
	FILE *f = fopen(path, "re");
	uint8_t piece[4096];
	size_t n;

	ck_assert_msg(f != NULL, "%s", path);
	while ((n = fread(piece, 1, sizeof(piece), f)) > 0)
		buf_append(out, piece, n);
	fclose(f);
}

/* --- what samples are compared with --- */

static uint8_t own_value[] = { 2, 1, 1 };
static const struct profile server = {
	.name = "server",
	.key_usage = KU_DIGITAL_SIGNATURE,
	.eku = "serverAuth",
	.sans = PROFILE_SAN_BIT(SAN_DNS) | PROFILE_SAN_BIT(SAN_IP),
	.san_required = true,
	.sans_required = PROFILE_SAN_BIT(SAN_DNS),
	.subject = "CN,O",
	.subject_required = "CN",
	.max_validity_s = 397 * DAY,
	.keys = 1u << KEY_P256,
	.min_rsa_bits = 2048,
	.signature_hash = "sha256",
	.aia = true,
	.cdp = true,
	.must_staple = true,
	.policy_oids = "1.2.3.4",
	.cps_url = "http://pki.example.test/cps",
	.path_len = -1,
	.extensions = { { "1.3.6.1.4.1.32473.1", false,
	    { own_value, sizeof(own_value) } } },
	.n_extensions = 1,
};
static const struct profile sub_ca = {
	.name = "sub-ca",
	.key_usage = KU_KEY_CERT_SIGN | KU_CRL_SIGN,
	.subject = "CN,O",
	.max_validity_s = 397 * DAY,
	.keys = 1u << KEY_P256,
	.ca = true,
	.path_len = 0,
};
static struct issuer issuer = {
	.ocsp_url = "http://ocsp.example.test/",
	.ca_url = "http://pki.example.test/issuing.crt",
	.crl_url = "http://pki.example.test/issuing.crl",
};

static const struct {
	const char		*folder;
	const struct issuer	*issuer;
	const struct profile	*profile;
} folders[] = {
	{ "plain",	NULL,		NULL },
	{ "issuer",	&issuer,	NULL },
	{ "profile",	&issuer,	&server },
	{ "ca-profile",	NULL,		&sub_ca },
};

static void
set_up(void)
{
	OWNED_BUF(der, 4096);
	const uint8_t *at;

	read_file(SAMPLES "issuer.der", &der);
	at = der.data;
	issuer.cert = d2i_X509(NULL, &at, (long)der.len);
	ck_assert_ptr_nonnull(issuer.cert);
}

static void
tear_down(void)
{
	X509_free(issuer.cert);
	issuer.cert = NULL;
}

static void
lint(struct bytes der, int folder, struct findings *found)
{
	struct lint_terms terms = { .issuer = folders[folder].issuer,
	    .profile = folders[folder].profile };
	struct err err = { 0 };
	enum lint_kind kind;

	found->n = 0;
	if (lint_kind_of(der, &kind) == -1)
		kind = LINT_CERTIFICATE;
	ck_assert_msg(lint_document(kind, der, &terms, keep, found, &err) == 0,
	    "%s", err.text);
}

/* Call fn for each sample of a folder, with the rule it is named for. */
static void
each_sample(int folder, void (*fn)(int folder, const char *file,
    const char *rule, struct bytes der))
{
	char path[512], rule[64];
	struct dirent *entry;
	DIR *dir;
	size_t n = 0;

	snprintf(path, sizeof(path), SAMPLES "%s", folders[folder].folder);
	dir = opendir(path);
	ck_assert_msg(dir != NULL, "%s", path);
	while ((entry = readdir(dir)) != NULL) {
		OWNED_BUF(der, 65536);

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), SAMPLES "%s/%s",
		    folders[folder].folder, entry->d_name);
		read_file(path, &der);
		snprintf(rule, sizeof(rule), "%.*s",
		    (int)strcspn(entry->d_name, "."), entry->d_name);
		fn(folder, entry->d_name, rule, buf_bytes(&der));
		n++;
	}
	closedir(dir);
	ck_assert_uint_gt(n, 3);
}

/* --- samples --- */

static void
check_sample(int folder, const char *file, const char *rule,
    struct bytes der)
{
	struct findings found;
	bool good = strcmp(rule, "good") == 0;

	lint(der, folder, &found);
	ck_assert_msg(good || found.n > 0, "%s/%s: nothing is found",
	    folders[folder].folder, file);
	for (size_t i = 0; i < found.n; i++)
		ck_assert_msg(strcmp(found.all[i].rule->id, rule) == 0,
		    "%s/%s: %s: %s (%s)", folders[folder].folder, file,
		    found.all[i].rule->id, found.all[i].text,
		    found.all[i].section);
}

START_TEST(each_sample_breaks_its_rule_and_no_other)
{
	each_sample(_i, check_sample);
}
END_TEST

static char seen[16384];

static void
note_rule(int folder, const char *file, const char *rule, struct bytes der)
{
	size_t n = strlen(seen);

	(void)folder;
	(void)file;
	(void)der;
	snprintf(seen + n, sizeof(seen) - n, " %s ", rule);
}

START_TEST(each_rule_has_a_sample)
{
	char word[80];

	seen[0] = '\0';
	for (int i = 0; i < ROWS(folders); i++)
		each_sample(i, note_rule);
	for (size_t i = 0; lint_rule(i) != NULL; i++) {
		snprintf(word, sizeof(word), " %s ", lint_rule(i)->id);
		ck_assert_msg(strstr(seen, word) != NULL,
		    "no sample breaks %s", lint_rule(i)->id);
	}
}
END_TEST

/* What is cut off or changed is looked at without a crash, and what is cut
 * off is never in order. */
static void
damage(int folder, const char *file, const char *rule, struct bytes der)
{
	struct findings found;
	OWNED_BUF(copy, 65536);

	if (strcmp(rule, "good") != 0)
		return;
	for (size_t i = 0; i < der.len; i++) {
		/* On the heap, and exactly so long. */
		buf_free(&copy);
		buf_append(&copy, der.data, i);
		lint(buf_bytes(&copy), folder, &found);
		ck_assert_msg(found.n > 0, "%s/%s cut at %zu",
		    folders[folder].folder, file, i);
	}
	buf_clear(&copy);
	buf_append_bytes(&copy, der);
	for (size_t i = 0; i < der.len; i++) {
		copy.data[i] ^= 0x01;
		lint(buf_bytes(&copy), folder, &found);
		copy.data[i] ^= 0x81;
		lint(buf_bytes(&copy), folder, &found);
		copy.data[i] ^= 0x80;
	}
}

START_TEST(damaged_documents_are_looked_at_without_harm)
{
	each_sample(_i, damage);
}
END_TEST

static const struct {
	const char	*file;
	enum lint_kind	 kind;
} kinds[] = {
	{ "good.server",	LINT_CERTIFICATE },
	{ "good.root",		LINT_CERTIFICATE },
	{ "version.1",		LINT_CERTIFICATE },
	{ "good.csr",		LINT_CSR },
	{ "csr_form",		LINT_CSR },
	{ "good.crl",		LINT_CRL },
	{ "good.empty-crl",	LINT_CRL },
	{ "crl_version.1",	LINT_CRL },
	{ "good.ocsp",		LINT_OCSP_RESPONSE },
	{ "ocsp_error",		LINT_OCSP_RESPONSE },
};

START_TEST(a_document_is_known_by_its_first_elements)
{
	char path[256];
	OWNED_BUF(der, 65536);
	enum lint_kind kind = 0;

	snprintf(path, sizeof(path), SAMPLES "plain/%s.der", kinds[_i].file);
	read_file(path, &der);
	ck_assert_int_eq(lint_kind_of(buf_bytes(&der), &kind), 0);
	ck_assert_msg(kind == kinds[_i].kind, "%s is taken for a %s",
	    kinds[_i].file, lint_kind_name(kind));
}
END_TEST

START_TEST(what_is_none_of_them_is_not_known)
{
	static const char *const others[] = { "", "0", "0\x03\x02\x01\x05",
		"0\x02\x31x", "-----BEGIN", "\x02\x01\x05" };
	enum lint_kind kind;

	for (int i = 0; i < ROWS(others); i++)
		ck_assert_msg(lint_kind_of(bytes_of(others[i]), &kind) == -1,
		    "%d", i);
}
END_TEST

/* --- bounds --- */

static void
put_head(struct buf *b, uint8_t tag, size_t len)
{
	const uint8_t head[] = { tag, 0x83, (uint8_t)(len >> 16),
		(uint8_t)(len >> 8), (uint8_t)len };

	buf_append(b, head, sizeof(head));
}

/* The CRL of that sample with n entries of one serial in it. */
static void
make_crl(size_t n, struct buf *out)
{
	static const uint8_t algorithm[] = { 0x30, 10, 6, 8, 0x2a, 0x86, 0x48,
		0xce, 0x3d, 4, 3, 2 };
	static const uint8_t entry[] = { 0x30, 18, 2, 1, 5, 0x17, 13, '2', '6',
		'0', '1', '0', '1', '1', '1', '0', '0', '0', '0', 'Z' };
	static const uint8_t before[] = { 0x30, 11, 0x31, 9, 0x30, 7, 6, 3,
		0x55, 4, 10, 0x0c, 0, 0x17, 13, '2', '6', '0', '1', '0', '1',
		'1', '2', '0', '0', '0', '0', 'Z', 0x17, 13, '2', '6', '0',
		'1', '0', '8', '1', '2', '0', '0', '0', '0', 'Z' };
	static const uint8_t after[] = { 0xa0, 2, 0x30, 0 };
	static const uint8_t signature[] = { 3, 2, 0, 1 };
	size_t entries = n * sizeof(entry), tbs = 3 + sizeof(algorithm) +
	    sizeof(before) + 5 + entries + sizeof(after);

	put_head(out, 0x30, 5 + tbs + sizeof(algorithm) + sizeof(signature));
	put_head(out, 0x30, tbs);
	buf_append(out, "\x02\x01\x01", 3);
	buf_append(out, algorithm, sizeof(algorithm));
	buf_append(out, before, sizeof(before));
	put_head(out, 0x30, entries);
	for (size_t i = 0; i < n; i++)
		buf_append(out, entry, sizeof(entry));
	buf_append(out, after, sizeof(after));
	buf_append(out, algorithm, sizeof(algorithm));
	buf_append(out, signature, sizeof(signature));
	ck_assert(!out->failed);
}

START_TEST(a_rule_is_told_a_few_times_however_often_it_is_broken)
{
	struct findings found;
	OWNED_BUF(der, 1 << 22);
	size_t doubled = 0;

	make_crl(50000, &der);
	lint(buf_bytes(&der), 0, &found);
	for (size_t i = 0; i < found.n; i++)
		doubled += strcmp(found.all[i].rule->id,
		    "crl_entry_doubled") == 0;
	ck_assert_uint_eq(doubled, LINT_REPEATS);
}
END_TEST

/* --- before a certificate is signed --- */

static void
sign_sample(int folder, const char *file, const char *rule, struct bytes der)
{
	const uint8_t *at = der.data;
	OWNED(X509) *cert = d2i_X509(NULL, &at, (long)der.len);
	struct err err = { 0 };
	int r;

	ck_assert_msg(cert != NULL, "%s", file);
	r = lint_certificate(cert, folders[folder].profile,
	    folders[folder].issuer, &err);
	ck_assert_msg((r == 0) == (strcmp(rule, "good") == 0), "%s: %s", file,
	    err.text);
	ck_assert_int_eq(err.kind, r == 0 ? 0 : ERR_FAULT);
}

START_TEST(what_profile_or_issuer_do_not_say_is_not_signed)
{
	ck_assert_str_eq(folders[2].folder, "profile");
	each_sample(2, sign_sample);
}
END_TEST

/* --- before a CA's certificate is signed --- */

static const struct {
	const char	*sample;	/* of plain/ */
	const char	*says;		/* NULL: nothing */
} cas[] = {
	{ "good.root",			NULL },
	{ "good.root-with-aki",		NULL },
	{ "aki_issuer.self",		"authorityKeyIdentifier is not that "
	    "of its issuer (RFC 5280, 4.2.1.1)" },
	{ "algorithm_issuer.self",	"4.1.1.2" },
	/* Not self-signed, and no issuer is given. */
	{ "good.ca",			"its issuer is not the CA's subject" },
};

static X509 *
read_certificate(const char *folder, const char *sample)
{
	OWNED_BUF(der, 65536);
	char path[256];
	const uint8_t *at;
	X509 *cert;

	snprintf(path, sizeof(path), SAMPLES "%s/%s.der", folder, sample);
	read_file(path, &der);
	at = der.data;
	cert = d2i_X509(NULL, &at, (long)der.len);
	ck_assert_msg(cert != NULL, "%s", path);
	return cert;
}

START_TEST(a_root_is_looked_at_before_it_is_signed)
{
	OWNED(X509) *cert = read_certificate("plain", cas[_i].sample);
	struct err err = { 0 };
	int r = lint_ca_certificate(cert, NULL, &err);

	ck_assert_msg((r == 0) == (cas[_i].says == NULL), "%s: %s",
	    cas[_i].sample, err.text);
	if (r == -1) {
		ck_assert_int_eq(err.kind, ERR_FAULT);
		ck_assert_msg(strstr(err.text, cas[_i].says) != NULL, "%s: %s",
		    cas[_i].sample, err.text);
	}
}
END_TEST

static const struct {
	const char	*folder, *sample;
	const char	*says;		/* NULL: nothing */
} children[] = {
	/* Those of issuer/ are below issuer.der, whose path length is 0. */
	{ "issuer",	"path_issuer.none",	"below its issuer's, which "
	    "is 0 (RFC 5280, 4.2.1.9)" },
	{ "issuer",	"good.server",
	    "not those of a CA (RFC 5280, 4.2.1.9)" },
	{ "plain",	"subject_empty",
	    "subject is empty (RFC 5280, 4.1.2.6)" },
	{ "plain",	"name_constraints_form.empty",
	    "nameConstraints are empty or malformed (RFC 5280, 4.2.1.10)" },
	{ "plain",	"name_constraints_ip.no-mask",	"4.2.1.10" },
	{ "plain",	"extension_not_critical.constraints",
	    "nameConstraints is not critical (RFC 5280, 4.2.1.10)" },
	{ "plain",	"extension_not_critical.ca",
	    "basicConstraints is not critical" },
	{ "plain",	"extension_missing.ca-key-usage",
	    "keyUsage is missing" },
	{ "plain",	"ca_key_usage.no-crl",	"4.2.1.3" },
	{ "plain",	"no_rev_avail_ca",	"noRevAvail must not be" },
	{ "plain",	"good.ca",		NULL },
	{ "plain",	"good.constrained-ca",	NULL },
};

START_TEST(a_ca_below_another_is_looked_at_before_it_is_signed)
{
	OWNED(X509) *cert = read_certificate(children[_i].folder,
	    children[_i].sample);
	OWNED(X509) *root = read_certificate("plain", "good.root-unlimited");
	struct issuer bare = { .cert =
	    strcmp(children[_i].folder, "issuer") == 0 ? issuer.cert : root,
	    .ocsp_url = "", .ca_url = "", .crl_url = "" };
	struct err err = { 0 };

	ck_assert_msg((lint_ca_certificate(cert, &bare, &err) == -1) ==
	    (children[_i].says != NULL), "%s: %s", children[_i].sample,
	    err.text);
	if (children[_i].says == NULL)
		return;
	ck_assert_msg(strstr(err.text, children[_i].says) != NULL, "%s: %s",
	    children[_i].sample, err.text);
}
END_TEST

/* --- docs/lint.md --- */

static const char *
severity_name(const struct lint_rule *rule)
{
	return rule->severity == LINT_ERROR ? "error" :
	    rule->severity == LINT_WARNING ? "warning" : "notice";
}

/* The table's line for a rule. */
static void
put_row(const struct lint_rule *rule, char *out, size_t size)
{
	snprintf(out, size, "| `%s` | %s | %s | %s | %s |", rule->id,
	    severity_name(rule), rule->refuses ? "yes" : "–", rule->section,
	    rule->text);
}

START_TEST(the_document_has_each_rule_as_it_is_and_no_other)
{
	OWNED_BUF(doc, 1 << 20);
	char row[512];
	const char *at;
	size_t rows = 0, n = 0;

	read_file(LINT_DOC, &doc);
	for (; lint_rule(n) != NULL; n++) {
		put_row(lint_rule(n), row, sizeof(row));
		ck_assert_msg(strstr(buf_str(&doc), row) != NULL,
		    LINT_DOC " has no line\n%s", row);
	}
	for (at = buf_str(&doc); (at = strstr(at, "\n| `")) != NULL; at++)
		rows++;
	ck_assert_uint_eq(rows, n);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("lint_rules");
	TCase *tc = tcase_create("all");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_loop_test(tc, each_sample_breaks_its_rule_and_no_other, 0,
	    ROWS(folders));
	tcase_add_test(tc, each_rule_has_a_sample);
	tcase_add_loop_test(tc, damaged_documents_are_looked_at_without_harm,
	    0, ROWS(folders));
	tcase_add_loop_test(tc, a_document_is_known_by_its_first_elements, 0,
	    ROWS(kinds));
	tcase_add_test(tc, what_is_none_of_them_is_not_known);
	tcase_add_test(tc,
	    a_rule_is_told_a_few_times_however_often_it_is_broken);
	tcase_add_test(tc, what_profile_or_issuer_do_not_say_is_not_signed);
	tcase_add_loop_test(tc, a_root_is_looked_at_before_it_is_signed, 0,
	    ROWS(cas));
	tcase_add_loop_test(tc,
	    a_ca_below_another_is_looked_at_before_it_is_signed, 0,
	    ROWS(children));
	tcase_add_test(tc,
	    the_document_has_each_rule_as_it_is_and_no_other);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
