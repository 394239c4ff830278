#include "csrmaild/ctl/ctl.h"

#include "csrmaild/settings.h"

#include "common/err.h"
#include "common/owned.h"
#include "common/store.h"
#include "tests/support/fixtures.h"

#include <sys/stat.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* `csrmail init --unprivileged`, in a folder of its own. */
static char folder[64];
static char paths[8][128];
static struct ctl ctl;
static int old_stdout;

static const char *
below(const char *name)
{
	static unsigned int turn;
	char *path = paths[turn++ % 8];

	snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
	return path;
}

static void
set_option(const char *name, const char *value)
{
	for (size_t i = 0; i < ctl.n_options; i++)
		if (strcmp(ctl.options[i].name, name) == 0) {
			ctl.options[i].value = value;
			return;
		}
	ctl.options[ctl.n_options].name = name;
	ctl.options[ctl.n_options++].value = value;
}

static void
set_up(void)
{
	static char places[4][128];
	static const char *const dirs[] = { "conf-dir", "state-dir",
		"run-dir", "password-file" };
	FILE *f;

	strcpy(folder, "/tmp/test_init.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	umask(0022);
	ctl = (struct ctl){ .json = true };
	for (size_t i = 0; i < 4; i++) {
		snprintf(places[i], sizeof(places[i]), "%s/%s", folder,
		    dirs[i]);
		set_option(dirs[i], places[i]);
	}
	f = fopen(places[3], "w");
	ck_assert_ptr_nonnull(f);
	fputs("secret\n", f);
	fclose(f);
	ck_assert_int_eq(chmod(places[3], 0600), 0);
	set_option("unprivileged", "");
	set_option("yes", "");
	set_option("name", "Example");
	set_option("address", "ca@example.test");
	set_option("imap-host", "127.0.0.1");
	set_option("imap-tls", "none");
	set_option("smtp-tls", "none");
	set_option("ocsp-url", "http://ocsp.example.test//");
	/* What the command prints is not the test's output. */
	fflush(stdout);
	old_stdout = dup(STDOUT_FILENO);
	ck_assert_ptr_nonnull(freopen(below("out"), "w", stdout));
}

static void
tear_down(void)
{
	char command[96];

	fflush(stdout);
	dup2(old_stdout, STDOUT_FILENO);
	close(old_stdout);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	ck_assert_int_eq(system(command), 0);
}

static int
init(struct err *err)
{
	*err = (struct err){ 0 };
	ctl.exit_code = 0;
	return ctl_init(&ctl, err);
}

static mode_t
mode_of(const char *path)
{
	struct stat st;

	ck_assert_msg(stat(path, &st) == 0, "%s", path);
	return st.st_mode & 07777;
}

static int
count_ca(const struct ca_row *row, void *n)
{
	(void)row;
	++*(int *)n;
	return 0;
}

static int
count_cas(void)
{
	OWNED_STRUCT(store) *store = NULL;
	struct err err;
	int n = 0;

	ck_assert_int_eq(store_open(below("state-dir/store.db"),
	    STORE_READ_ONLY, &store, &err), 0);
	ck_assert_int_eq(store_each_ca(store, count_ca, &n, &err), 0);
	return n;
}

START_TEST(one_command_makes_a_whole_ca)
{
	OWNED_STRUCT(settings) *settings = NULL;
	struct err err;

	ck_assert_msg(init(&err) == 0, "%s: %s", err.text, err.detail);
	ck_assert_int_eq(count_cas(), 2);
	ck_assert_msg(settings_read(below("conf-dir/csrmaild.conf"),
	    &settings, &err) == 0, "%s", err.text);
	ck_assert(settings->unprivileged);
	ck_assert_str_eq(settings->state_dir, below("state-dir"));
	ck_assert_uint_eq(settings->mailboxes[0].imap.port, 143);
	ck_assert_str_eq(settings->mailboxes[0].imap.user, "ca@example.test");
	ck_assert_str_eq(settings->smtp.host, "127.0.0.1");
	ck_assert_str_eq(settings->cas[0].name, "users");
	ck_assert_str_eq(settings->cas[0].ocsp_url,
	    "http://ocsp.example.test/");
	ck_assert_str_eq(settings->cas[0].crl_url,
	    "http://ocsp.example.test/crl/{ca}.crl");
	ck_assert_uint_eq(mode_of(below("state-dir/keys")), 0700);
	ck_assert_uint_eq(mode_of(below("state-dir/keys/root.key")), 0600);
	ck_assert_uint_eq(mode_of(below("state-dir/store.db")), 0640);
	ck_assert_uint_eq(mode_of(below("conf-dir/users.passphrase")), 0600);
	ck_assert_uint_eq(mode_of(below("conf-dir/csrmaild.conf")), 0644);
}
END_TEST

static FILE *
published(const char *file)
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "state-dir/published/%s", file);
	f = fopen(below(path), "r");
	ck_assert_msg(f != NULL, "%s", file);
	return f;
}

/* openssl verify -crl_check, with what init leaves. */
START_TEST(the_issuers_certificate_can_be_checked_for_revocation)
{
	OWNED(X509) *root = NULL;
	OWNED(X509) *users = NULL;
	OWNED(X509_CRL) *crl = NULL;
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	CRL_DIST_POINTS *points;
	struct err err;
	FILE *f;

	ck_assert_msg(init(&err) == 0, "%s: %s", err.text, err.detail);
	f = published("root.crt");
	root = d2i_X509_fp(f, NULL);
	fclose(f);
	f = published("users.crt");
	users = d2i_X509_fp(f, NULL);
	fclose(f);
	f = published("root.crl");
	crl = d2i_X509_CRL_fp(f, NULL);
	fclose(f);
	points = X509_get_ext_d2i(users, NID_crl_distribution_points, NULL,
	    NULL);
	ck_assert_ptr_nonnull(points);
	ck_assert_str_eq((const char *)ASN1_STRING_get0_data(
	    sk_GENERAL_NAME_value(sk_DIST_POINT_value(points, 0)->distpoint->
	    name.fullname, 0)->d.uniformResourceIdentifier),
	    "http://ocsp.example.test/crl/root.crl");
	CRL_DIST_POINTS_free(points);
	ck_assert_int_ge(X509_get_ext_by_NID(users, NID_info_access, -1), 0);
	X509_STORE_add_cert(store, root);
	X509_STORE_add_crl(store, crl);
	X509_STORE_CTX_init(ctx, store, users, NULL);
	X509_STORE_CTX_set_flags(ctx, X509_V_FLAG_CRL_CHECK |
	    X509_V_FLAG_X509_STRICT);
	ck_assert_msg(X509_verify_cert(ctx) == 1, "%s",
	    X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
}
END_TEST

START_TEST(a_ca_that_is_there_is_not_touched)
{
	struct err err;

	ck_assert_int_eq(init(&err), 0);
	ck_assert_int_eq(init(&err), -1);
	ck_assert_int_eq(ctl.exit_code, EX_CANTCREAT);
	ck_assert_int_eq(count_cas(), 2);
}
END_TEST

START_TEST(a_run_that_was_cut_off_is_completed)
{
	struct err err;

	ck_assert_int_eq(init(&err), 0);
	/* As if it had ended before the last step. */
	ck_assert_int_eq(rename(below("conf-dir/csrmaild.conf"),
	    below("conf-dir/csrmaild.conf.new")), 0);
	ck_assert_msg(init(&err) == 0, "%s: %s", err.text, err.detail);
	ck_assert_int_eq(count_cas(), 2);
	ck_assert_int_eq(access(below("conf-dir/csrmaild.conf"), F_OK), 0);
}
END_TEST

START_TEST(a_folder_of_others_is_not_taken)
{
	struct err err;

	ck_assert_int_eq(mkdir(below("state-dir"), 0755), 0);
	ck_assert_int_eq(mkdir(below("state-dir/dpkg"), 0755), 0);
	ck_assert_int_eq(init(&err), -1);
	ck_assert_int_eq(ctl.exit_code, EX_CANTCREAT);
	ck_assert_uint_eq(mode_of(below("state-dir")), 0755);
	ck_assert_int_eq(access(below("conf-dir"), F_OK), -1);
}
END_TEST

static const struct {
	const char	*option, *value;
	int		 exit_code;
} wrongs[] = {
	{ "conf-dir",		"relative",		EX_USAGE },
	{ "imap-port",		"70000",		EX_CONFIG },
	{ "imap-tls",		"maybe",		EX_CONFIG },
	{ "address",		"nobody",		EX_USAGE },
	{ "root",		"users",		EX_USAGE },
	{ "issuer",		"../users",		EX_USAGE },
	{ "ocsp-url",		"https://x/",		EX_USAGE },
	{ "ocsp-listen",	"\"} x = {\"",		EX_USAGE },
	{ "staff",		"a\"b",			EX_USAGE },
	{ "ca-file",		"/nonexistent",		EX_NOINPUT },
	{ "password-file",	"/nonexistent",		EX_NOINPUT },
};

START_TEST(a_wrong_choice_makes_no_ca)
{
	struct err err;

	set_option(wrongs[_i].option, wrongs[_i].value);
	ck_assert_int_eq(init(&err), -1);
	ck_assert_msg(ctl.exit_code == wrongs[_i].exit_code, "%s: %d %s",
	    wrongs[_i].option, ctl.exit_code, err.text);
	ck_assert_int_eq(access(below("state-dir"), F_OK), -1);
}
END_TEST

START_TEST(a_password_that_others_read_is_refused)
{
	struct err err;

	ck_assert_int_eq(chmod(below("password-file"), 0644), 0);
	ck_assert_int_eq(init(&err), -1);
	ck_assert_int_eq(ctl.exit_code, EX_NOPERM);
	ck_assert_int_eq(access(below("state-dir"), F_OK), -1);
}
END_TEST

/* --- policy test, on that CA --- */

static const struct {
	const char	*mail;
	size_t		 requests;
	const char	*refused;	/* in the text; NULL: it is not */
} mails[] = {
	{ "inline.eml",		1, NULL },
	{ "attached-der.eml",	1, NULL },
	{ "two.eml",		2, NULL },
	{ "forwarded.eml",	1, NULL },
	{ "key.eml",		0, "private key" },
	{ "not-a-request.eml",	1, NULL },	/* rejected */
	{ "html-only.eml",	0, "no request" },
	{ "crash-boundary.eml",	0, "" },
};

START_TEST(a_mail_is_explained_and_nothing_changed)
{
	json_t *out, *requests, *request;
	char mail[256];
	struct err err = { 0 };
	struct stat before, after;
	size_t i;

	ck_assert_int_eq(init(&err), 0);
	ctl.conf = below("conf-dir/csrmaild.conf");
	ck_assert_int_eq(ctl_need_settings(&ctl, &err), 0);
	ck_assert_int_eq(stat(below("state-dir/store.db"), &before), 0);
	snprintf(mail, sizeof(mail), "%s/mail/%s", TEST_DATA, mails[_i].mail);
	ctl.args[0] = mail;
	ck_assert_ptr_nonnull(freopen(below("out"), "w", stdout));
	ck_assert_msg(ctl_policy_test(&ctl, &err) == 0, "%s: %s", mail,
	    err.text);
	fflush(stdout);
	out = json_load_file(below("out"), 0, NULL);
	ck_assert_ptr_nonnull(out);
	requests = json_object_get(out, "requests");
	ck_assert_msg(json_array_size(requests) == mails[_i].requests,
	    "%s: %zu", mail, json_array_size(requests));
	/* Nobody vouches for these. */
	json_array_foreach(requests, i, request)
		ck_assert_str_ne(json_string_value(json_object_get(request,
		    "action")), "sign");
	ck_assert((json_object_get(out, "refused") != NULL) ==
	    (mails[_i].refused != NULL));
	if (mails[_i].refused != NULL)
		ck_assert_ptr_nonnull(strstr(json_string_value(
		    json_object_get(out, "refused")), mails[_i].refused));
	json_decref(out);
	settings_free(ctl.settings);
	ck_assert_int_eq(stat(below("state-dir/store.db"), &after), 0);
	ck_assert_int_eq(before.st_mtime, after.st_mtime);
	ck_assert_int_eq(before.st_size, after.st_size);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("init");
	TCase *tc = tcase_create("all");

	tcase_set_timeout(tc, 20);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, one_command_makes_a_whole_ca);
	tcase_add_test(tc,
	    the_issuers_certificate_can_be_checked_for_revocation);
	tcase_add_test(tc, a_ca_that_is_there_is_not_touched);
	tcase_add_test(tc, a_run_that_was_cut_off_is_completed);
	tcase_add_test(tc, a_folder_of_others_is_not_taken);
	tcase_add_loop_test(tc, a_wrong_choice_makes_no_ca, 0, ROWS(wrongs));
	tcase_add_test(tc, a_password_that_others_read_is_refused);
	tcase_add_loop_test(tc, a_mail_is_explained_and_nothing_changed, 0,
	    ROWS(mails));
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
