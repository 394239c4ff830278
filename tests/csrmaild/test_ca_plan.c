#include "csrmaild/ctl/ca_plan.h"
#include "common/bytes.h"
#include "common/err.h"
#include "common/profile.h"
#include "csrmaild/ctl/ctl.h"
#include "csrmaild/settings.h"
#include "tests/support/fixtures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct ctl ctl;
static struct ca_plan plan;
static struct settings settings;
static struct profile *profiles[1];
static char template_path[64];

static void
set_up(void)
{
	static const char text[] = "key_usage = { \"keyCertSign\" }\n"
	    "ca = yes\nsan_required = no\npath_len = 2\nvalidity_days = 100\n"
	    "max_validity_days = 200\nkeys = { \"RSA\", \"P-256\" }\n"
	    "min_rsa_bits = 3072\npolicies = { \"1.2.3.4\" }\n";
	struct err err = { 0 };

	ctl = (struct ctl){ 0 };
	plan = (struct ca_plan){ 0 };
	ck_assert_msg(profile_parse("sub-ca", "sub-ca", bytes_of(text),
	    &profiles[0], &err) == 0, "%s", err.text);
	settings = (struct settings){ .profiles = profiles };
	ctl.settings = &settings;
	template_path[0] = '\0';
}

static void
tear_down(void)
{
	ca_plan_free(&plan);
	profile_free(profiles[0]);
	if (template_path[0] != '\0')
		unlink(template_path);
}

static void
give(const char *name, const char *value)
{
	ctl.options[ctl.n_options].name = name;
	ctl.options[ctl.n_options++].value = value;
}

static void
give_template(const char *text)
{
	int fd;

	strcpy(template_path, "/tmp/test_ca_plan.XXXXXX");
	fd = mkstemp(template_path);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	give("template", template_path);
}

START_TEST(a_root_has_defaults)
{
	struct err err = { 0 };

	give("subject", "O=Example, CN=Root");
	ck_assert_int_eq(ca_plan_read(&ctl, CA_ROOT, &plan, &err), 0);
	ck_assert_int_eq(plan.validity_s, 7300 * DAY);
	ck_assert_int_eq(plan.key_kind, KEY_P384);
	ck_assert_int_eq(plan.path_len, -1);
	ck_assert_ptr_null(plan.constraints);
	ck_assert_str_eq(plan.policies, "");
}
END_TEST

START_TEST(a_childs_defaults_are_the_profiles)
{
	struct err err = { 0 };

	settings.n_profiles = _i == 0 ? 1 : 0;
	give("subject", "CN=Users");
	ck_assert_int_eq(ca_plan_read(&ctl, CA_CHILD, &plan, &err), 0);
	ck_assert_int_eq(plan.validity_s, (_i == 0 ? 100 : 3650) * DAY);
	ck_assert_int_eq(plan.path_len, _i == 0 ? 2 : 0);
	ck_assert_str_eq(plan.policies, _i == 0 ? "1.2.3.4" : "");
	ck_assert_int_eq(plan.key_kind, KEY_P256);
}
END_TEST

START_TEST(a_template_goes_before_the_profile_and_an_option_before_it)
{
	struct err err = { 0 };

	settings.n_profiles = 1;
	give_template("subject = \"CN=Template\"\ndays = 150\n"
	    "key_type = \"rsa4096\"\npath_len = 1\n"
	    "permit = { \"dns:a.test\" }\nexclude = { \"dns:b.a.test\" }\n"
	    "policies = { \"1.2.3.5\", \"1.2.3.6\" }\n");
	if (_i == 1) {
		give("days", "160");
		give("key-type", "rsa3072");
		give("path-len", "0");
		give("permit", "dns:c.test,dns:d.test");
		give("policies", "1.2.3.7");
	}
	ck_assert_msg(ca_plan_read(&ctl, CA_CHILD, &plan, &err) == 0, "%s",
	    err.text);
	ck_assert_str_eq(plan.subject.attributes[0].text, "Template");
	ck_assert_int_eq(plan.validity_s, (_i == 1 ? 160 : 150) * DAY);
	ck_assert_uint_eq(plan.key_bits, _i == 1 ? 3072 : 4096);
	ck_assert_int_eq(plan.path_len, _i == 1 ? 0 : 1);
	ck_assert_str_eq(plan.policies, _i == 1 ? "1.2.3.7" :
	    "1.2.3.5,1.2.3.6");
	ck_assert_int_eq(sk_GENERAL_SUBTREE_num(
	    plan.constraints->permittedSubtrees), _i == 1 ? 2 : 1);
	ck_assert_int_eq(sk_GENERAL_SUBTREE_num(
	    plan.constraints->excludedSubtrees), 1);
}
END_TEST

static const struct {
	const char	*option, *value;
	const char	*want;		/* in the message; NULL: it is taken */
} options[] = {
	{ "key-type",	"rsa3072",	NULL },
	{ "key-type",	"rsa8192",	NULL },
	{ "key-type",	"p256",		NULL },
	{ "key-type",	"rsa2048",	"does not allow" },
	{ "key-type",	"p384",		"does not allow" },
	{ "key-type",	"rsa1024",	"no kind of key" },
	{ "key-type",	"rsa9216",	"no kind of key" },
	{ "key-type",	"rsa3000",	"no kind of key" },
	{ "key-type",	"rsa03072",	"no kind of key" },
	{ "key-type",	"rsa3072x",	"no kind of key" },
	{ "key-type",	"dsa",		"no kind of key" },
	{ "days",	"200",		NULL },
	{ "days",	"201",		"more than the 200" },
	{ "days",	"0",		"--days" },
	{ "path-len",	"10",		NULL },
	{ "path-len",	"11",		"--path-len" },
	{ "permit",	"a.test",	"must stand in front" },
	{ "exclude",	"dns:.a.test",	"without the first dot" },
	{ "policies",	"x",		"no OID" },
	{ "policies",	"1.2.3, 1.2.4",	NULL },
	{ "subject",	"Users",	"no attribute" },
	{ "subject",	"XX=Users",	"nothing is called XX" },
	{ "template",	"/nowhere",	"/nowhere" },
};

START_TEST(each_option_has_its_bounds)
{
	struct err err = { 0 };
	int r;

	settings.n_profiles = 1;
	if (strcmp(options[_i].option, "subject") != 0)
		give("subject", "CN=Users");
	give(options[_i].option, options[_i].value);
	r = ca_plan_read(&ctl, CA_CHILD, &plan, &err);
	ck_assert_msg((r == 0) == (options[_i].want == NULL), "%s %s: %s",
	    options[_i].option, options[_i].value, err.text);
	if (r == 0)
		return;
	ck_assert_int_ne(ctl.exit_code, 0);
	ck_assert_msg(strstr(err.text, options[_i].want) != NULL, "%s",
	    err.text);
}
END_TEST

static const struct {
	const char	*text, *want;
} templates[] = {
	{ "days = 36501\n",		"days" },
	{ "path_len = 11\n",		"path_len" },
	{ "colour = \"blue\"\n",	"colour" },
	{ "permit = { \"x\" }\n",	"must stand in front" },
	{ "key_type = \"dsa\"\n",	"no kind of key" },
};

START_TEST(a_wrong_template_is_refused)
{
	struct err err = { 0 };

	give("subject", "CN=Users");
	give_template(templates[_i].text);
	ck_assert_int_eq(ca_plan_read(&ctl, CA_CHILD, &plan, &err), -1);
	ck_assert_int_ne(ctl.exit_code, 0);
	ck_assert_msg(strstr(err.text, templates[_i].want) != NULL, "%s",
	    err.text);
}
END_TEST

/* The one that the manual page points to. */
START_TEST(the_example_is_right)
{
	struct err err = { 0 };

	give("template", TEST_DATA "/../../docs/examples/ca-template.conf");
	ck_assert_msg(ca_plan_read(&ctl, CA_CHILD, &plan, &err) == 0, "%s",
	    err.text);
	ck_assert_int_eq(plan.key_kind, KEY_P384);
	ck_assert_ptr_nonnull(plan.constraints);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("ca_plan");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, a_root_has_defaults);
	tcase_add_loop_test(tc, a_childs_defaults_are_the_profiles, 0, 2);
	tcase_add_loop_test(tc,
	    a_template_goes_before_the_profile_and_an_option_before_it, 0, 2);
	tcase_add_loop_test(tc, each_option_has_its_bounds, 0, ROWS(options));
	tcase_add_loop_test(tc, a_wrong_template_is_refused, 0,
	    ROWS(templates));
	tcase_add_test(tc, the_example_is_right);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
