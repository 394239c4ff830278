#include "csrmaild/verb.h"

#include "csrmaild/acts.h"
#include "csrmaild/registry.h"

#include "common/err.h"
#include "tests/support/fixtures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * What is said of CAs: which one signs, and whose lists a revocation waits for.
 * "root" signs elsewhere; "users" and, below it, "team" sign here.
 */
static struct registrar registrar;
static struct ca_settings here;
static char folder[32];

int
registrar_revoke_ca(struct registrar *r, const char *ca,
    enum crl_reason reason, time_t invalidity, const char *who, time_t now,
    unsigned int *n, struct err *err)
{
	(void)r;
	(void)ca;
	(void)reason;
	(void)invalidity;
	(void)who;
	(void)now;
	(void)err;
	*n = 2;
	return 0;
}

static void
add_ca(const char *name, const char *parent, struct ca_settings *settings)
{
	struct authorities *all = &registrar.authorities;
	struct authority *a = &all->rows[all->n++];
	struct ca_row row = { .name = name, .parent = parent,
		.cert = bytes_of("CERT"), .not_before = NOON,
		.not_after = NOON + 3650 * DAY,
		.key_sha1 = { (uint8_t)all->n } };
	struct err err = { 0 };

	ck_assert_msg(store_add_ca(registrar.store, &row, &a->id, &err) == 0,
	    "%s %s", err.text, err.detail);
	snprintf(a->name, sizeof(a->name), "%s", name);
	snprintf(a->parent, sizeof(a->parent), "%s", parent);
	a->not_before = row.not_before;
	a->not_after = row.not_after;
	a->settings = settings;
	a->key_open = settings != NULL;
}

static void
set_up(void)
{
	char path[64];
	struct err err = { 0 };

	strcpy(folder, "/tmp/test_verb_ca.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/store.db", folder);
	memset(&registrar, 0, sizeof(registrar));
	ck_assert_int_eq(store_open(path, STORE_READ_WRITE, &registrar.store,
	    &err), 0);
	ck_assert_int_eq(store_begin(registrar.store, &err), 0);
	add_ca("root", "", NULL);
	add_ca("users", "root", &here);
	add_ca("team", "users", &here);
	add_ca("others", "root", &here);
	ck_assert_int_eq(store_commit(registrar.store, &err), 0);
}

static void
tear_down(void)
{
	char command[64];

	store_free(registrar.store);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	ck_assert_int_eq(system(command), 0);
}

/* The answer; the caller's. */
static json_t *
call(verb_handler *handler, const char *part, const char *args)
{
	json_t *given = json_loads(args, 0, NULL);
	struct verb_call vc = { .registrar = &registrar,
		.rights = RIGHT_ALL, .who = "unix:boss", .args = given,
		.now = NOON + DAY, .status = 200, .answer = json_object() };

	snprintf(vc.part, sizeof(vc.part), "%s", part);
	ck_assert_int_eq(handler(&vc), 0);
	ck_assert_msg(vc.problem[0] == '\0', "%s", vc.problem);
	json_decref(given);
	return vc.answer;
}

/* -1: it is not said. */
static int
signs(const char *name)
{
	json_t *answer = call(verb_ca_list, "", "{}");
	const json_t *ca, *said = NULL;
	size_t i;
	int yes;

	json_array_foreach(json_object_get(answer, "items"), i, ca)
		if (strcmp(json_string_value(json_object_get(ca, "name")),
		    name) == 0)
			said = json_object_get(ca, "signs");
	yes = said == NULL ? -1 : json_is_true(said);
	json_decref(answer);
	return yes;
}

START_TEST(a_revoked_ca_signs_no_more)
{
	ck_assert_int_eq(signs("root"), -1);
	ck_assert_int_eq(signs("users"), 1);
	ck_assert_int_eq(signs("team"), 1);
	authority_by_name(&registrar.authorities, "users")->revoked = true;
	ck_assert_int_eq(signs("users"), 0);
	ck_assert_int_eq(signs("others"), 1);
}
END_TEST

/* Its next key does: a revoked one does not come back by its name. */
START_TEST(of_two_keys_the_one_that_is_good_signs)
{
	struct err err = { 0 };

	ck_assert_int_eq(store_begin(registrar.store, &err), 0);
	add_ca("users~2", "root", &here);
	ck_assert_int_eq(store_commit(registrar.store, &err), 0);
	ck_assert_int_eq(signs("users"), 0);
	ck_assert_int_eq(signs("users~2"), 1);
	authority_by_name(&registrar.authorities, "users~2")->revoked = true;
	ck_assert_int_eq(signs("users"), 1);
	ck_assert_int_eq(signs("users~2"), 0);
	authority_by_name(&registrar.authorities, "users")->revoked = true;
	ck_assert_int_eq(signs("users"), 0);
	ck_assert_int_eq(signs("users~2"), 0);
}
END_TEST

static const struct {
	const char	*ca, *carried, *lists;
} revocations[] = {
	{ "users",	"[\"root\"]",	"[\"users\",\"team\"]" },
	{ "users~1",	"[\"root\"]",	"[\"users\",\"team\"]" },
	{ "others",	"[\"root\"]",	"[\"others\"]" },
	{ "team",	"null",		"[\"users\",\"team\"]" },
};

static void
check_list(const json_t *answer, const char *key, const char *want)
{
	const json_t *list = json_object_get(answer, key);
	char *text = list == NULL ? strdup("null") :
	    json_dumps(list, JSON_COMPACT);

	ck_assert_msg(strcmp(text, want) == 0, "%s: %s, not %s", key, text,
	    want);
	free(text);
}

START_TEST(a_revocation_says_whose_lists_it_waits_for)
{
	json_t *answer = call(verb_ca_revoke, revocations[_i].ca,
	    "{\"reason\":\"superseded\"}");

	check_list(answer, "carried", revocations[_i].carried);
	check_list(answer, "lists", revocations[_i].lists);
	json_decref(answer);
}
END_TEST

/* However many keys the root has, it is one place where it has to be told. */
START_TEST(a_place_is_named_once)
{
	struct err err = { 0 };
	json_t *answer;

	ck_assert_int_eq(store_begin(registrar.store, &err), 0);
	add_ca("root~2", "", NULL);
	add_ca("users~2", "root~2", &here);
	ck_assert_int_eq(store_commit(registrar.store, &err), 0);
	answer = call(verb_ca_revoke, "users", "{\"reason\":\"superseded\"}");
	check_list(answer, "carried", "[\"root\"]");
	check_list(answer, "lists", "[\"users\",\"team\",\"users~2\"]");
	json_decref(answer);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("verb_ca");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, a_revoked_ca_signs_no_more);
	tcase_add_test(tc, of_two_keys_the_one_that_is_good_signs);
	tcase_add_loop_test(tc, a_revocation_says_whose_lists_it_waits_for, 0,
	    ROWS(revocations));
	tcase_add_test(tc, a_place_is_named_once);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
