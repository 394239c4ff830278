#include "csrmaild/ceremony_offline.h"
#include "common/csr.h"
#include "common/err.h"
#include "common/owned.h"
#include "tests/support/ca_folder.h"
#include "tests/support/fixtures.h"

#include <stdio.h>
#include <string.h>

/* A CA whose parent is in another folder gets its next certificate: there and
 * back. tests/offline.py has the same with the command line. */
#define LATER	(NOON + 3000 * DAY)

static struct ca_folder root, issue;
static const struct bytes no_passphrase = { NULL, 0 };

/* What travels back: the CA's certificate as the root has it published. */
static X509 *
signed_cert(const char *name)
{
	char file[64];

	snprintf(file, sizeof(file), "published/%s.crt", name);
	return ca_folder_cert(&root, file);
}

/* A step in either folder, as one argument for ca_folder_crash. */
struct step {
	const struct csr	*csr;	/* sign */
	X509			*cert;	/* install */
};

static int
sign(const struct ceremony *c, void *arg, struct err *err)
{
	const struct step *step = arg;
	const struct ceremony_parent by = ca_folder_parent("root");
	const struct ceremony_ca wish = { .validity_s = 3650 * DAY,
		.path_len = 0 };
	OWNED_SUCCESSION s = { 0 };

	return ceremony_judge_request(c, "users", false, step->csr, "root",
	    &s, err) < 0 ? -1 : ceremony_sign_request(c, &s, &wish, step->csr,
	    &by, err);
}

static int
install(const struct ceremony *c, void *arg, struct err *err)
{
	const struct step *step = arg;
	OWNED_SUCCESSION s = { 0 };

	return ceremony_judge_certificate(c, "users", step->cert,
	    no_passphrase, &s, err) < 0 ? -1 : ceremony_install(c, &s, "root",
	    step->cert, no_passphrase, err);
}

static struct csr *
request(const char *name, bool renew, bool new_key)
{
	struct ceremony_ca ca = ca_folder_wish(&issue, name);
	OWNED_BUF(der, CSR_MAX_OCTETS);
	struct csr *csr = NULL;
	char made[CA_NAME_MAX + 1];
	struct err err = { 0 };

	ck_assert_msg((renew ? ceremony_request_renewal(&issue.ceremony, &ca,
	    new_key, made, &der, &err) : ceremony_request(&issue.ceremony,
	    &ca, &der, &err)) == 0, "%s (%s)", err.text, err.detail);
	ck_assert_int_eq(csr_read(buf_bytes(&der), &csr, &err), 0);
	return csr;
}

static void
must_sign(const struct csr *csr)
{
	struct step step = { .csr = csr };
	struct err err = { 0 };

	ck_assert_msg(sign(&root.ceremony, &step, &err) == 0, "%s (%s)",
	    err.text, err.detail);
}

static int
try_install(X509 *cert, struct err *err)
{
	struct step step = { .cert = cert };

	return install(&issue.ceremony, &step, err);
}

static void
set_up(void)
{
	OWNED_STRUCT(csr) *csr = NULL;
	OWNED(X509) *above = NULL;
	OWNED(X509) *cert = NULL;
	OWNED_SUCCESSION s = { 0 };
	struct err err = { 0 };

	ca_folder_make(&root);
	ca_folder_make(&issue);
	ca_folder_root(&root, "root");
	csr = request("users", false, false);
	must_sign(csr);
	above = signed_cert("root");
	cert = signed_cert("users");
	ck_assert_int_eq(ceremony_judge_above(&issue.ceremony, "root", above,
	    &s, &err), 0);
	ck_assert_int_eq(ceremony_install(&issue.ceremony, &s, "", above,
	    no_passphrase, &err), 0);
	ck_assert_msg(try_install(cert, &err) == 0, "%s", err.text);
	root.ceremony.now = issue.ceremony.now = LATER;
}

static void
tear_down(void)
{
	ca_folder_remove(&root);
	ca_folder_remove(&issue);
}

/* --- what there and back come to ------------------------------------------ */

static const char *const names[] = { "users", "users~2" };

START_TEST(both_folders_have_the_same_successor)
{
	bool new_key = _i == 1;
	OWNED_STRUCT(csr) *csr = request("users", true, new_key);
	OWNED(X509) *old = signed_cert("users");
	OWNED(X509) *there = NULL;
	OWNED(X509) *here = NULL;
	char file[64];
	struct err err = { 0 };

	must_sign(csr);
	there = signed_cert(names[_i]);
	ck_assert_msg(try_install(there, &err) == 0, "%s", err.text);
	snprintf(file, sizeof(file), "published/%s.crt", names[_i]);
	here = ca_folder_cert(&issue, file);
	ck_assert_int_eq(X509_cmp(here, there), 0);
	ck_assert_int_ne(X509_cmp(here, old), 0);
	ck_assert_int_eq(EVP_PKEY_eq(X509_get0_pubkey(old),
	    X509_get0_pubkey(here)), new_key ? 0 : 1);
	ck_assert_int_eq(X509_get_pathlen(here), X509_get_pathlen(old));
	ck_assert_int_eq(ca_folder_count(&issue, "ca.renewed"),
	    new_key ? 0 : 1);
	ck_assert(!ca_folder_has(&root, "keys/users.key"));
	ck_assert(!ca_folder_has(&root, "keys/users~2.key"));
}
END_TEST

START_TEST(a_request_says_whose_it_is)
{
	OWNED_STRUCT(csr) *same = request("users", true, false);
	OWNED_STRUCT(csr) *next = request("users", true, true);
	OWNED_STRUCT(csr) *again = request("users", true, true);
	OWNED_SUCCESSION a = { 0 };
	OWNED_SUCCESSION b = { 0 };
	struct err err = { 0 };

	ck_assert(bytes_equal(next->spki, again->spki));
	ck_assert(!bytes_equal(next->spki, same->spki));
	/* Whatever the file is called. */
	ck_assert_int_eq(ceremony_judge_request(&root.ceremony, "letter",
	    false, same, "root", &a, &err), 0);
	ck_assert_int_eq(a.kind, SUCCESSION_SAME_KEY);
	ck_assert_str_eq(a.name, "users");
	ck_assert_int_eq(ceremony_judge_request(&root.ceremony, "letter",
	    false, next, "root", &b, &err), 0);
	ck_assert_int_eq(b.kind, SUCCESSION_NEW_KEY);
	ck_assert_str_eq(b.name, "users~2");
}
END_TEST

/* --- refusals ------------------------------------------------------------- */

START_TEST(one_that_is_older_or_there_already_is_refused)
{
	OWNED_STRUCT(csr) *csr = request("users", true, false);
	OWNED(X509) *first = NULL;
	OWNED(X509) *second = NULL;
	OWNED(X509) *now = NULL;
	struct err err = { 0 };

	must_sign(csr);
	first = signed_cert("users");
	root.ceremony.now = LATER + DAY;
	must_sign(csr);
	second = signed_cert("users");
	ck_assert_int_ne(X509_cmp(first, second), 0);
	ck_assert_int_eq(try_install(second, &err), 0);
	ck_assert_int_eq(try_install(first, &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_msg(strstr(err.text, "older") != NULL, "%s", err.text);
	ck_assert_int_eq(try_install(second, &err), -1);
	ck_assert_msg(strstr(err.text, "exists") != NULL, "%s", err.text);
	now = ca_folder_cert(&issue, "published/users.crt");
	ck_assert_int_eq(X509_cmp(now, second), 0);
}
END_TEST

/* The same key and subject, but another CA above. */
START_TEST(another_issuer_is_refused)
{
	OWNED_STRUCT(csr) *csr = request("users", true, false);
	const struct ceremony_parent by = ca_folder_parent("far");
	const struct ceremony_ca wish = { .validity_s = 100 * DAY };
	OWNED_SUCCESSION s = { 0 };
	OWNED(X509) *cert = NULL;
	struct ca_folder far;
	struct err err = { 0 };

	ca_folder_make(&far);
	far.ceremony.now = LATER;
	ca_folder_root(&far, "far");
	ck_assert_int_eq(ceremony_judge_request(&far.ceremony, "users", false,
	    csr, "far", &s, &err), 0);
	ck_assert_int_eq(s.kind, SUCCESSION_NONE);
	ck_assert_msg(ceremony_sign_request(&far.ceremony, &s, &wish, csr,
	    &by, &err) == 0, "%s", err.text);
	cert = ca_folder_cert(&far, "published/users.crt");
	ca_folder_remove(&far);
	ck_assert_int_eq(try_install(cert, &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_msg(strstr(err.text, "another issuer") != NULL, "%s",
	    err.text);
}
END_TEST

/* --- cut off -------------------------------------------------------------- */

static const char *const points[] = { "ceremony.before-journal",
	"ceremony.after-journal", "ceremony.before-commit" };

START_TEST(steps_that_were_cut_off_are_completed)
{
	bool new_key = _i >= ROWS(points);
	const char *point = points[_i % ROWS(points)];
	const char *name = names[new_key ? 1 : 0];
	OWNED_STRUCT(csr) *csr = request("users", true, new_key);
	OWNED(X509) *first = NULL;
	OWNED(X509) *cert = NULL;
	OWNED(X509) *here = NULL;
	struct step step = { .csr = csr };
	char file[64];
	struct err err = { 0 };

	snprintf(file, sizeof(file), "published/%s.crt", name);
	ck_assert(ca_folder_crash(&root, point, sign, &step));
	ck_assert_int_eq(ca_folder_count(&root, "ca.renewed"), 0);
	ck_assert_int_eq(ca_folder_count(&root, "ca.signed"), 1);
	if (strcmp(point, "ceremony.before-commit") == 0)
		first = signed_cert(name);
	must_sign(csr);
	cert = signed_cert(name);
	if (first != NULL)	/* nothing is signed twice */
		ck_assert_int_eq(X509_cmp(first, cert), 0);
	ck_assert_int_eq(ca_folder_count(&root, "ca.renewed"),
	    new_key ? 0 : 1);
	step.cert = cert;
	ck_assert(ca_folder_crash(&issue, "ceremony.before-commit", install,
	    &step));
	ck_assert_int_eq(ca_folder_count(&issue, "ca.renewed"), 0);
	ck_assert_msg(try_install(cert, &err) == 0, "%s: %s", point,
	    err.text);
	here = ca_folder_cert(&issue, file);
	ck_assert_int_eq(X509_cmp(here, cert), 0);
	ck_assert_int_eq(ca_folder_count(&issue, "ca.renewed"),
	    new_key ? 0 : 1);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("ceremony_offline");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, both_folders_have_the_same_successor, 0, 2);
	tcase_add_test(tc, a_request_says_whose_it_is);
	tcase_add_test(tc, one_that_is_older_or_there_already_is_refused);
	tcase_add_test(tc, another_issuer_is_refused);
	tcase_add_loop_test(tc, steps_that_were_cut_off_are_completed, 0,
	    2 * ROWS(points));
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
