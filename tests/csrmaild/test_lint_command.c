/* `csrmail lint`: what it reads, prints and exits with. The rules have tests
 * of their own in tests/common. */
#include "csrmaild/ctl/ctl.h"

#include "common/err.h"
#include "common/owned.h"
#include "tests/support/fixtures.h"

#include <string.h>
#include <unistd.h>

#define SAMPLES	TEST_DATA "/lint/"

static char folder[] = "/tmp/lint-XXXXXX";
static char path[128];
static char *printed;
static struct err err;

static void
set_up(void)
{
	strcpy(folder + sizeof(folder) - 7, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/file", folder);
}

static void
tear_down(void)
{
	unlink(path);
	rmdir(folder);
	free(printed);
	printed = NULL;
}

static void
read_sample(const char *name, struct buf *out)
{
	struct ctl ctl = { 0 };
	char at[256];

	snprintf(at, sizeof(at), SAMPLES "%s.der", name);
	ck_assert_msg(ctl_read_file(&ctl, at, out, &err) == 0, "%s",
	    err.text);
}

static void
put_pem(struct buf *out, const char *label, const char *sample)
{
	OWNED_BUF(der, 65536);

	read_sample(sample, &der);
	buf_printf(out, "-----BEGIN %s-----\n", label);
	base64_encode(buf_bytes(&der), 64, out);
	buf_printf(out, "\n-----END %s-----\n", label);
}

static void
write_file(const struct buf *text)
{
	FILE *f = fopen(path, "we");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(text->data, 1, text->len, f), text->len);
	ck_assert_int_eq(fclose(f), 0);
}

/* The exit code; what was printed is in printed. */
static int
run(struct ctl *ctl)
{
	FILE *old = stdout;
	size_t n;
	int r;

	free(printed);
	printed = NULL;
	stdout = open_memstream(&printed, &n);
	ck_assert_ptr_nonnull(stdout);
	r = ctl_lint(ctl, &err);
	fclose(stdout);
	stdout = old;
	return r == 0 ? ctl->exit_code : ctl->exit_code != 0 ?
	    ctl->exit_code : EX_SOFTWARE;
}

static int
run_on(const char *file)
{
	struct ctl ctl = { .args = { file } };

	return run(&ctl);
}

static const struct {
	const char	*file;
	int		 want;
	const char	*says;
} rows[] = {
	{ "plain/good.server.der", 0, "certificate: nothing found\n" },
	{ "plain/good.csr.der", 0, "certificate request: nothing found\n" },
	{ "plain/good.crl.der", 0, "CRL: nothing found\n" },
	{ "plain/good.ocsp.der", 0, "OCSP response: nothing found\n" },
	{ "plain/validity_order.equal.der", EX_DATAERR, "1 finding\n"
	    "  error    validity_order: notAfter is not after notBefore "
	    "(RFC 5280, 4.1.2.5)\n" },
	{ "plain/serial_short.der", EX_DATAERR, "  warning  serial_short: " },
	{ "plain/aki_names.der", 0, "  notice   aki_names: " },
};

START_TEST(findings_are_told_with_their_section_and_in_the_exit_code)
{
	char file[256];

	snprintf(file, sizeof(file), SAMPLES "%s", rows[_i].file);
	ck_assert_int_eq(run_on(file), rows[_i].want);
	ck_assert_msg(strstr(printed, rows[_i].says) != NULL, "%s", printed);
}
END_TEST

START_TEST(every_block_of_a_file_is_looked_at_and_keys_are_not)
{
	OWNED_BUF(text, 65536);

	buf_append_str(&text, "Some talk.\n");
	put_pem(&text, "CERTIFICATE", "plain/good.server");
	put_pem(&text, "PRIVATE KEY", "plain/good.server");
	put_pem(&text, "X509 CRL", "plain/crl_empty");
	put_pem(&text, "NEW CERTIFICATE REQUEST", "plain/good.csr");
	write_file(&text);
	ck_assert_int_eq(run_on(path), EX_DATAERR);
	ck_assert_ptr_nonnull(strstr(printed,
	    "block 1: certificate: nothing found\n"));
	ck_assert_ptr_null(strstr(printed, "block 2"));
	ck_assert_ptr_nonnull(strstr(printed, "block 3: CRL: 1 finding\n"));
	ck_assert_ptr_nonnull(strstr(printed,
	    "block 4: certificate request: nothing found\n"));
}
END_TEST

START_TEST(several_files_are_looked_at_and_one_bad_one_counts)
{
	struct ctl ctl = { .args = { SAMPLES "plain/san_form.empty.der",
	    SAMPLES "plain/good.server.der" } };

	ck_assert_int_eq(run(&ctl), EX_DATAERR);
	ck_assert_ptr_nonnull(strstr(printed, "san_form: "));
	ck_assert_ptr_nonnull(strstr(printed, "nothing found\n"));
}
END_TEST

static const struct {
	const char	*text;
	const char	*says;
} others[] = {
	{ "", "there is no certificate" },
	{ "just text\n", "there is no certificate" },
	{ "0\x03\x02\x01\x05", "this is no certificate" },
	{ "-----BEGIN CERTIFICATE-----\n????\n-----END CERTIFICATE-----\n",
	  "block 1: the PEM is broken" },
	{ "-----BEGIN CERTIFICATE-----\nMAMCAQU=\n",
	  "block 1: the PEM is broken" },
	{ "-----BEGIN PRIVATE KEY-----\nMAMCAQU=\n-----END PRIVATE KEY-----\n",
	  "there is no certificate" },
};

START_TEST(what_is_no_such_document_is_an_error)
{
	OWNED_BUF(text, 4096);

	buf_append_str(&text, others[_i].text);
	write_file(&text);
	ck_assert_int_eq(run_on(path), EX_DATAERR);
	ck_assert_str_eq(printed, "");
	ck_assert_msg(strstr(err.text, others[_i].says) != NULL, "%s",
	    err.text);
}
END_TEST

START_TEST(a_file_that_is_not_there_is_an_error)
{
	ck_assert_int_eq(run_on("/nonexistent/file"), EX_NOINPUT);
}
END_TEST

START_TEST(an_issuer_is_compared_with)
{
	struct ctl ctl = { .args = { SAMPLES "issuer/aki_issuer.der" } };

	ck_assert_int_eq(run(&ctl), 0);
	ctl.options[ctl.n_options].name = "issuer";
	ctl.options[ctl.n_options++].value = SAMPLES "issuer.der";
	ck_assert_int_eq(run(&ctl), EX_DATAERR);
	ck_assert_ptr_nonnull(strstr(printed, "aki_issuer: "));
}
END_TEST

START_TEST(an_issuer_may_be_in_pem_and_must_be_a_certificate)
{
	struct ctl ctl = { .args = { SAMPLES "issuer/issuer_mismatch.der" },
	    .n_options = 1, .options = { { "issuer", path } } };
	OWNED_BUF(text, 65536);

	put_pem(&text, "CERTIFICATE", "issuer");
	write_file(&text);
	ck_assert_int_eq(run(&ctl), EX_DATAERR);
	ck_assert_ptr_nonnull(strstr(printed, "issuer_mismatch: "));
	buf_clear(&text);
	buf_append_str(&text, "nothing");
	write_file(&text);
	ck_assert_int_eq(run(&ctl), EX_DATAERR);
	ck_assert_ptr_nonnull(strstr(err.text, "no certificate in"));
}
END_TEST

START_TEST(a_profile_is_compared_with)
{
	struct ctl ctl = { .args = { SAMPLES "plain/good.server.der" },
	    .n_options = 1, .options = { { "profile", path } } };
	OWNED_BUF(text, 4096);

	buf_append_str(&text, "extended_key_usage = { \"clientAuth\" }\n"
	    "san = { \"dns\" }\nsubject = { \"CN\", \"O\" }\n");
	write_file(&text);
	ck_assert_int_eq(run(&ctl), EX_DATAERR);
	ck_assert_ptr_nonnull(strstr(printed, "1 finding\n"));
	ck_assert_ptr_nonnull(strstr(printed, "ext_key_usage_profile: "));
	buf_append_str(&text, "no_such_key = 1\n");
	write_file(&text);
	ck_assert_int_eq(run(&ctl), EX_CONFIG);
}
END_TEST

START_TEST(programs_get_an_object_for_each_document)
{
	struct ctl ctl = { .json = true, .args = {
	    SAMPLES "plain/good.crl.der", SAMPLES "plain/csr_version.der" } };
	json_t *all, *second, *finding;

	ck_assert_int_eq(run(&ctl), EX_DATAERR);
	all = json_loads(printed, 0, NULL);
	ck_assert_uint_eq(json_array_size(all), 2);
	ck_assert_uint_eq(json_array_size(json_object_get(json_array_get(all,
	    0), "findings")), 0);
	second = json_array_get(all, 1);
	ck_assert_str_eq(json_string_value(json_object_get(second, "kind")),
	    "certificate request");
	finding = json_array_get(json_object_get(second, "findings"), 0);
	ck_assert_str_eq(json_string_value(json_object_get(finding, "rule")),
	    "csr_version");
	ck_assert_str_eq(json_string_value(json_object_get(finding,
	    "section")), "RFC 2986, 4.1");
	json_decref(all);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("lint_command");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_loop_test(tc,
	    findings_are_told_with_their_section_and_in_the_exit_code, 0,
	    ROWS(rows));
	tcase_add_test(tc,
	    every_block_of_a_file_is_looked_at_and_keys_are_not);
	tcase_add_test(tc,
	    several_files_are_looked_at_and_one_bad_one_counts);
	tcase_add_loop_test(tc, what_is_no_such_document_is_an_error, 0,
	    ROWS(others));
	tcase_add_test(tc, a_file_that_is_not_there_is_an_error);
	tcase_add_test(tc, an_issuer_is_compared_with);
	tcase_add_test(tc,
	    an_issuer_may_be_in_pem_and_must_be_a_certificate);
	tcase_add_test(tc, a_profile_is_compared_with);
	tcase_add_test(tc, programs_get_an_object_for_each_document);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
