#include "csrmaild/secrets.h"

#include "csrmaild/policy.h"
#include "csrmaild/wire.h"
#include "common/csr.h"
#include "common/err.h"
#include "tests/support/fixtures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64], path[80];
static struct err err;

static void
set_up(void)
{
	strcpy(dir, "/tmp/test_secrets.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/secrets", dir);
}

static void
tear_down(void)
{
	unlink(path);
	rmdir(dir);
}

static void
write_file(const char *text, mode_t mode)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
	ck_assert_int_eq(chmod(path, mode), 0);
}

static bool
is_one(struct bytes digests, const char *text)
{
	uint8_t challenge[32];

	ck_assert_int_eq(csr_digest_challenge(bytes_of(text), challenge,
	    &err), 0);
	return secrets_match(digests, challenge);
}

#define LONG	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X255	LONG LONG LONG LONG LONG

/* One row per promise about the file; says NULL: it is read. */
static const struct {
	const char	*name, *text;
	mode_t		 mode;
	const char	*says;
} files[] = {
	{ "as it should be",	"open sesame\n",	0600, NULL },
	{ "for reading only",	"open sesame\n",	0400, NULL },
	{ "no line end",	"open sesame",		0600, NULL },
	{ "eight octets",	"12345678\n",		0600, NULL },
	{ "255 octets",		X255 "\n",		0600, NULL },
	{ "seven octets",	"1234567\n",		0600, ":1: " },
	{ "256 octets",		"12345678\n" X255 "x\n", 0600, ":2: " },
	{ "nothing",		"",			0600, "no secret" },
	{ "empty lines",	"\n\n",			0600, "no secret" },
	{ "the group reads",	"open sesame\n",	0640, "chmod 600" },
	{ "the world reads",	"open sesame\n",	0604, "chmod 600" },
	{ "the group writes",	"open sesame\n",	0620, "chmod 600" },
	{ "the world runs",	"open sesame\n",	0601, "chmod 600" },
};

START_TEST(a_file_of_secrets_is_ours_alone)
{
	OWNED_BUF(digests, SECRETS_DIGESTS_MAX);
	int r;

	write_file(files[_i].text, files[_i].mode);
	r = secrets_read(path, &digests, &err);
	ck_assert_msg((r == 0) == (files[_i].says == NULL), "%s: %s",
	    files[_i].name, err.text);
	if (r == 0) {
		ck_assert(secrets_are_whole(buf_bytes(&digests)));
		return;
	}
	ck_assert_int_eq(err.kind, ERR_FAULT);
	ck_assert_msg(strstr(err.text, files[_i].says) != NULL, "%s: %s",
	    files[_i].name, err.text);
	/* What is told names the file, never what stands in it. */
	ck_assert_ptr_null(strstr(err.text, "1234567"));
	ck_assert_ptr_null(strstr(err.text, "sesame"));
}
END_TEST

START_TEST(no_link_and_no_folder_is_followed)
{
	OWNED_BUF(digests, SECRETS_DIGESTS_MAX);
	char link[90];

	write_file("open sesame\n", 0600);
	snprintf(link, sizeof(link), "%s/link", dir);
	ck_assert_int_eq(symlink(path, link), 0);
	ck_assert_int_eq(secrets_read(link, &digests, &err), -1);
	unlink(link);
	ck_assert_int_eq(secrets_read(dir, &digests, &err), -1);
	ck_assert_int_eq(secrets_read("/nowhere", &digests, &err), -1);
}
END_TEST

START_TEST(every_line_is_a_secret_and_nothing_else_is)
{
	OWNED_BUF(digests, SECRETS_DIGESTS_MAX);
	OWNED_BUF(again, SECRETS_DIGESTS_MAX);
	struct bytes all;

	write_file("the first one\r\n\n# is one\nthe last one", 0600);
	ck_assert_msg(secrets_read(path, &digests, &err) == 0, "%s",
	    err.text);
	all = buf_bytes(&digests);
	ck_assert_uint_eq(all.len, SECRETS_SALT + 3 * 32);
	ck_assert(is_one(all, "the first one"));
	ck_assert(is_one(all, "# is one"));
	ck_assert(is_one(all, "the last one"));
	ck_assert(!is_one(all, ""));
	ck_assert(!is_one(all, "the first one\r"));
	ck_assert(!is_one(all, "the first on"));
	ck_assert(!is_one(all, "The last one"));
	/* Neither the text nor an unsalted digest of it stands there. */
	ck_assert_uint_eq(bytes_find(all, bytes_of("one")), (size_t)-1);
	ck_assert_int_eq(secrets_read(path, &again, &err), 0);
	ck_assert_int_ne(memcmp(again.data + SECRETS_SALT,
	    digests.data + SECRETS_SALT, 32), 0);
	ck_assert(is_one(buf_bytes(&again), "the last one"));
}
END_TEST

START_TEST(what_is_cut_off_matches_nothing)
{
	OWNED_BUF(digests, SECRETS_DIGESTS_MAX);

	write_file("open sesame\n", 0600);
	ck_assert_int_eq(secrets_read(path, &digests, &err), 0);
	for (size_t n = 0; n < digests.len; n++) {
		struct bytes cut = { digests.data, n };

		ck_assert(!secrets_are_whole(cut));
		ck_assert(!is_one(cut, "open sesame"));
	}
}
END_TEST

static const char text[] =
    "rule \"enrol\" {\n"
    "	evidence = { \"auth\" }\n"
    "	email = { \"@sender\" }\n"
    "	challenge_file = \"/etc/csrmail/enrol.secrets\"\n"
    "	action = sign\n"
    "}\n";

/* challenge NULL: none in the request. read: main has read the file. */
static const struct {
	const char	*name, *challenge;
	bool		 read;
	enum action	 action;
	const char	*why;
} challenges[] = {
	{ "the right one", "open sesame", true, ACTION_SIGN, "matches" },
	{ "the other right one", "open barley", true, ACTION_SIGN,
	    "matches" },
	{ "a wrong one", "open wheat", true, ACTION_HOLD, "none of its" },
	{ "none", NULL, true, ACTION_HOLD, "has no challengePassword" },
	{ "the right one, unread", "open sesame", false, ACTION_HOLD,
	    "was not read" },
};

START_TEST(a_rule_with_secrets_matches_only_with_one_of_them)
{
	OWNED_BUF(digests, SECRETS_DIGESTS_MAX);
	OWNED_STRUCT(rules) *rules = NULL;
	struct san san = { .kind = SAN_EMAIL, .text = "a@example.test" };
	struct names names = { .sans = &san, .n_sans = 1 };
	struct key_facts key = { .kind = KEY_P256 };
	struct petition petition = { .mailbox = "users",
		.sender = "a@example.test", .evidence = EVIDENCE_AUTH,
		.names = &names, .key = &key };
	struct verdict verdict;
	uint8_t challenge[32];
	OWNED_BUF(why, 4096);

	write_file("open barley\nopen sesame\n", 0600);
	ck_assert_int_eq(secrets_read(path, &digests, &err), 0);
	ck_assert_msg(rules_parse("r", "r.conf", bytes_of(text), &rules,
	    &err) == 0, "%s", err.text);
	ck_assert_str_eq(rules_challenge_file(rules, 0),
	    "/etc/csrmail/enrol.secrets");
	ck_assert_ptr_null(rules_challenge_file(rules, 1));
	rules_set_secrets(rules, challenges[_i].read ?
	    "/etc/csrmail/enrol.secrets" : "/etc/csrmail/other.secrets",
	    buf_bytes(&digests));
	if (challenges[_i].challenge != NULL) {
		csr_digest_challenge(bytes_of(challenges[_i].challenge),
		    challenge, &err);
		petition.challenge = challenge;
	}
	policy_decide(rules, &petition, &verdict, &why);
	ck_assert_msg(verdict.action == challenges[_i].action, "%s: %s",
	    challenges[_i].name, buf_str(&why));
	ck_assert_msg(strstr(buf_str(&why), challenges[_i].why) != NULL,
	    "%s: %s", challenges[_i].name, buf_str(&why));
}
END_TEST

START_TEST(a_challenge_file_is_an_absolute_path)
{
	struct rules *rules = NULL;

	ck_assert_int_eq(rules_parse("r", "r.conf", bytes_of("rule \"a\" {\n"
	    "challenge_file = \"enrol.secrets\"\naction = hold\n}\n"), &rules,
	    &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "challenge_file: found"));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("secrets");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_loop_test(tc, a_file_of_secrets_is_ours_alone, 0,
	    ROWS(files));
	tcase_add_test(tc, no_link_and_no_folder_is_followed);
	tcase_add_test(tc, every_line_is_a_secret_and_nothing_else_is);
	tcase_add_test(tc, what_is_cut_off_matches_nothing);
	tcase_add_loop_test(tc,
	    a_rule_with_secrets_matches_only_with_one_of_them, 0,
	    ROWS(challenges));
	tcase_add_test(tc, a_challenge_file_is_an_absolute_path);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
