#include "csrmaild/drop.h"

#include "csrmaild/answer_files.h"
#include "csrmaild/drop_answer.h"
#include "csrmaild/drop_name.h"
#include "csrmaild/settings.h"
#include "csrmaild/wire.h"

#include "common/err.h"
#include "tests/support/fixtures.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LATER	DROP_SETTLE_MS
#define MAX	8

static char dir[] = "/tmp/drop-test-XXXXXX";
static char inbox[64], outbox[64];
static char processed[] = "Processed", held[] = "Held",
    rejected[] = "Rejected", unreadable[] = "Unreadable";
static struct mailbox_settings mailbox = {
	.inbox = inbox, .outbox = outbox,
	.folders = { NULL, processed, held, rejected, unreadable },
};
static struct drop *drop;
static struct drop_file found[MAX];
static size_t n;
static bool settling;

/* A shell command, in the folder. */
static void
run(const char *command)
{
	char text[600];

	snprintf(text, sizeof(text), "cd %s && { %s; }", dir, command);
	ck_assert_msg(system(text) == 0, "%s", command);
}

static void
set_up(void)
{
	struct err err = { 0 };

	strcpy(dir, "/tmp/drop-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(inbox, sizeof(inbox), "%s/in", dir);
	snprintf(outbox, sizeof(outbox), "%s/out", dir);
	run("mkdir in out");
	drop_prepare(&mailbox);
	ck_assert_msg(drop_open(&mailbox, &drop, &err) == 0, "%s", err.text);
}

static void
tear_down(void)
{
	drop_free(drop);
	drop = NULL;
	run("chmod -R u+rwx . && rm -rf in out");
	rmdir(dir);
}

static void
look(int64_t now_ms)
{
	struct err err = { 0 };

	ck_assert_msg(drop_look(drop, now_ms, found, MAX, &n, &settling,
	    &err) == 0, "%s", err.text);
}

static int
read_file(const struct drop_file *file, size_t limit, struct buf *out)
{
	struct err err = { 0 };
	int r = drop_read(drop, file, limit, out, &err);

	ck_assert_msg(r >= 0, "%s", err.text);
	return r;
}

static void
expect_file(const char *path, const char *content)
{
	char name[300], octets[4096] = "";
	FILE *file;

	snprintf(name, sizeof(name), "%s/%s", dir, path);
	file = fopen(name, "r");
	ck_assert_msg(file != NULL, "%s: %s", path, strerror(errno));
	octets[fread(octets, 1, sizeof(octets) - 1, file)] = '\0';
	fclose(file);
	ck_assert_str_eq(octets, content);
}

/* --- what is whole ------------------------------------------------------------- */
START_TEST(a_file_is_taken_when_two_looks_see_the_same)
{
	run("echo a > in/a.p10");
	look(0);
	ck_assert_uint_eq(n, 0);
	ck_assert(settling);
	look(LATER - 1);
	ck_assert_uint_eq(n, 0);
	look(LATER);
	ck_assert_uint_eq(n, 1);
	ck_assert_str_eq(found[0].name, "a.p10");
}
END_TEST

START_TEST(a_file_that_grows_is_not_taken)
{
	run("echo a > in/a.p10");
	look(0);
	for (int64_t now = LATER; now < 5 * LATER; now += LATER) {
		run("echo more >> in/a.p10");
		look(now);
		ck_assert_uint_eq(n, 0);
		ck_assert(settling);
	}
	look(5 * LATER);
	ck_assert_uint_eq(n, 1);
}
END_TEST

START_TEST(a_file_that_is_renamed_into_place_is_taken_at_once)
{
	run("echo a > in/.a && mv in/.a in/a.p10 && echo b > in/b.p10");
	look(0);
	ck_assert_uint_eq(n, 1);
	ck_assert_str_eq(found[0].name, "a.p10");
	ck_assert(settling);
}
END_TEST

static const struct {
	const char	*name, *make, *why;
} unfit[] = {
	{ "a symbolic link", "echo a > x; ln -s ../x in/a.p10",
	    "a symbolic link" },
	{ "a link to nothing", "ln -s nothing in/a.p10", "a symbolic link" },
	{ "a link to a folder", "ln -s / in/a.p10", "a symbolic link" },
	{ "a pipe", "mkfifo in/a.p10", "not a regular file" },
	{ "a second name", "echo a > x; ln x in/a.p10", "a hard link" },
	{ "a device", "mknod in/a.p10 c 1 5 2>/dev/null || mkfifo in/a.p10",
	    "not a regular file" },
};

START_TEST(what_is_no_file_of_its_own_stays)
{
	run(unfit[_i].make);
	look(0);
	look(LATER);
	ck_assert_msg(n == 0, "%s", unfit[_i].name);
	ck_assert(!settling);
	ck_assert_msg(strstr(drop_refused(drop), unfit[_i].why) != NULL,
	    "%s: %s", unfit[_i].name, drop_refused(drop));
	run("rm in/a.p10");
	look(2 * LATER);
	ck_assert_str_eq(drop_refused(drop), "");
}
END_TEST

START_TEST(what_is_hidden_or_unfinished_is_not_looked_at)
{
	run("cd in && touch .a .b.p10 c.tmp d.PART e.p10.part && mkdir f.p10");
	look(0);
	look(LATER);
	ck_assert_uint_eq(n, 0);
	ck_assert(!settling);
	ck_assert_str_eq(drop_refused(drop), "");
}
END_TEST

START_TEST(more_files_than_are_asked_for_have_their_turn)
{
	run("for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo $i > in/$i.p10; "
	    "done");
	look(0);
	look(LATER);
	ck_assert_uint_eq(n, MAX);
	for (size_t i = 0; i < n; i++) {
		struct err err;

		ck_assert_int_eq(drop_move(drop, &found[i],
		    OUTCOME_PROCESSED, &err), 0);
	}
	look(LATER);
	ck_assert_uint_eq(n, 12 - MAX);
}
END_TEST

/* --- reading, moving -------------------------------------------------------------- */
static void
take_one(const char *make)
{
	run(make);
	look(0);
	look(LATER);
	ck_assert_uint_eq(n, 1);
}

START_TEST(a_file_is_read_to_its_end_or_to_the_limit)
{
	OWNED_BUF(whole, 100);
	OWNED_BUF(front, 100);

	take_one("printf 0123456789 > in/a.p10");
	ck_assert_int_eq(read_file(&found[0], 100, &whole), 0);
	ck_assert_str_eq(buf_str(&whole), "0123456789");
	ck_assert_int_eq(read_file(&found[0], 4, &front), 0);
	ck_assert_str_eq(buf_str(&front), "0123");
	ck_assert_int_eq(found[0].st.st_size, 10);
}
END_TEST

static const char *const changes[] = {
	"echo other >> in/a.p10",
	"rm in/a.p10",
	"rm in/a.p10 && ln -s /etc/passwd in/a.p10",
	"rm in/a.p10 && mkfifo in/a.p10",
	"ln in/a.p10 in/b.p10",
	"touch -d 2001-01-01 in/a.p10",
	"cp -p in/a.p10 x && echo >> in/a.p10 && touch -r x in/a.p10 && rm x",
};

START_TEST(a_file_that_changed_after_the_look_is_not_read)
{
	OWNED_BUF(octets, 100);

	take_one("echo a > in/a.p10");
	run(changes[_i]);
	ck_assert_msg(read_file(&found[0], 100, &octets) == 1, "%s",
	    changes[_i]);
	/* And is looked at anew: not whole at once. */
	look(LATER);
	ck_assert_uint_eq(n, 0);
}
END_TEST

START_TEST(another_file_of_the_same_name_is_not_moved)
{
	struct err err;

	take_one("echo a > in/a.p10");
	run("echo b > in/b && mv in/b in/a.p10");
	ck_assert_int_eq(drop_move(drop, &found[0], OUTCOME_PROCESSED,
	    &err), 1);
	expect_file("in/a.p10", "b\n");
}
END_TEST

START_TEST(what_is_moved_replaces_nothing)
{
	struct err err;

	for (int i = 0; i < 3; i++) {
		take_one("echo new > in/a.p10");
		ck_assert_int_eq(drop_move(drop, &found[0], OUTCOME_HELD,
		    &err), 0);
		look(0);
	}
	run("test $(ls in/Held | tr '\\n' ' ' | tr -d ' ') = "
	    "a.p10a.p10.2a.p10.3");
}
END_TEST

START_TEST(the_longest_and_oddest_names_are_moved)
{
	OWNED_BUF(place, 600);
	struct err err = { 0 };

	for (int i = 0; i < 2; i++) {
		take_one("touch in/\"$(printf 'a\\n\\377 %%s%0240d.p10' 7)\"");
		ck_assert_msg(drop_move(drop, &found[0], OUTCOME_REJECTED,
		    &err) == 0, "%s", err.text);
		drop_put_place(&found[0], &place);
		ck_assert(!place.failed);
		look(0);
	}
	run("test $(find in/Rejected -type f -printf x) = xx");
}
END_TEST

START_TEST(a_later_file_of_the_same_name_has_another_place)
{
	OWNED_BUF(first, 600);
	OWNED_BUF(second, 600);
	struct err err;

	take_one("echo a > in/a.p10; touch -d 2001-01-01 in/a.p10");
	drop_put_place(&found[0], &first);
	ck_assert_int_eq(drop_move(drop, &found[0], OUTCOME_HELD, &err), 0);
	look(0);
	take_one("echo a > in/a.p10; touch -d 2001-01-01 in/a.p10");
	drop_put_place(&found[0], &second);
	ck_assert(!bytes_equal(buf_bytes(&first), buf_bytes(&second)));
	/* And one that only lies there keeps its own. */
	buf_clear(&first);
	look(2 * LATER);
	drop_put_place(&found[0], &first);
	ck_assert(bytes_equal(buf_bytes(&first), buf_bytes(&second)));
}
END_TEST

/* --- names -------------------------------------------------------------------------- */
static const struct {
	const char	*name, *plain, *stem;
	bool		 is_csr;
} names[] = {
	{ "www.p10", "www.p10", "www", true },
	{ "www.CRQ", "www.CRQ", "www", true },
	{ "a.b.req", "a.b.req", "a.b", true },
	{ "mail.eml", "mail.eml", "mail", false },
	{ "mail", "mail", "mail", false },
	{ "m\xc3\xbcller.pem", "m\xc3\xbcller.pem", "m\xc3\xbcller", true },
	{ "a/b.csr", "a_b.csr", "a_b", true },
	{ "a\nb\xff.der", "a_b_.der", "a_b_", true },
	{ "..p10", "_.p10", "_", true },
	{ ".p10", "_p10", "_p10", false },
	{ "a\xe2\x80\xae" "b.p10", "a_b.p10", "a_b", true },
};

START_TEST(a_name_is_made_fit_for_answers)
{
	char plain[WIRE_MAX_FILE + 1], stem[WIRE_MAX_FILE + 1];

	drop_plain_name(names[_i].name, plain);
	ck_assert_str_eq(plain, names[_i].plain);
	drop_stem(plain, stem);
	ck_assert_str_eq(stem, names[_i].stem);
	ck_assert(drop_is_csr(names[_i].name) == names[_i].is_csr);
}
END_TEST

START_TEST(a_long_name_is_cut_between_characters)
{
	char name[256], plain[WIRE_MAX_FILE + 1];

	for (size_t i = 0; i < 250; i += 2)
		memcpy(name + i, "\xc3\xbc", 2);
	strcpy(name + 250, ".p10");
	drop_plain_name(name, plain);
	ck_assert_uint_le(strlen(plain), WIRE_MAX_FILE);
	ck_assert_str_eq(plain + strlen(plain) - 5, "\xbc.p10");
}
END_TEST

/* --- answers -------------------------------------------------------------------------- */
static int
answer(uint64_t id, const char *to, int64_t request, const char *pem,
    const char *text, struct err *err)
{
	struct wire_send m = { .id = id };
	OWNED_BUF(files, 4096);

	answer_files_begin(&files);
	if (pem != NULL) {
		answer_files_add(&files, &(struct answer_file){
		    .ending = ".pem", .request = request,
		    .octets = bytes_of(pem) });
		answer_files_add(&files, &(struct answer_file){
		    .ending = ".p7c", .request = request,
		    .octets = bytes_of("chain") });
	}
	answer_files_add(&files, &(struct answer_file){ .ending = ".txt",
	    .request = request, .octets = bytes_of(text) });
	snprintf(m.recipient, sizeof(m.recipient), "file:%s", to);
	m.message = buf_bytes(&files);
	return drop_answer_write(outbox, &m, err);
}

START_TEST(an_answer_is_written_once_and_replaces_nothing)
{
	struct err err = { 0 };

	/* Twice the same: after a crash. */
	for (int i = 0; i < 2; i++)
		ck_assert_msg(answer(7, "www.p10", 12, "one", "first\n",
		    &err) == 0, "%s", err.text);
	ck_assert_int_eq(answer(8, "www.p10", 13, "two", "second\n", &err), 0);
	/* The same request once more, as after a revocation. */
	ck_assert_int_eq(answer(9, "www.p10", 13, NULL, "third\n", &err), 0);
	expect_file("out/www.pem", "one");
	expect_file("out/www.txt", "first\n");
	expect_file("out/www.13.pem", "two");
	expect_file("out/www.13.txt", "www.pem is called www.13.pem here, "
	    "since another file had that name.\nwww.p7c is called www.13.p7c "
	    "here, since another file had that name.\n\nsecond\n");
	expect_file("out/www.13.9.txt", "third\n");
	run("test $(ls -A out | wc -l) = 7");
}
END_TEST

START_TEST(what_was_written_in_part_is_completed)
{
	struct err err = { 0 };

	/* The same chain, and what a crash leaves. */
	run("printf one > out/www.pem; printf half > out/.csrmail.tmp");
	ck_assert_int_eq(answer(7, "www.p10", 12, "one", "first\n", &err), 0);
	run("test $(ls -A out | wc -l) = 3");
	expect_file("out/www.p7c", "chain");
}
END_TEST

START_TEST(a_link_in_the_out_folder_is_not_followed)
{
	struct err err = { 0 };

	run("echo mine > x; ln -s ../x out/www.pem; ln -s ../y out/www.txt");
	ck_assert_msg(answer(7, "www.p10", 12, "one", "first\n", &err) == 0,
	    "%s", err.text);
	expect_file("x", "mine\n");
	expect_file("out/www.12.pem", "one");
	run("test ! -e y");
}
END_TEST

START_TEST(a_mail_is_answered_with_a_mail)
{
	struct wire_send m = { .id = 7, .recipient = "file:mail.eml",
		.message = bytes_of("From: ca@example.test\r\n\r\nwords\r\n") };
	struct err err = { 0 };

	for (int i = 0; i < 2; i++)
		ck_assert_msg(drop_answer_write(outbox, &m, &err) == 0, "%s",
		    err.text);
	m.id = 8;
	m.message = bytes_of("another");
	ck_assert_int_eq(drop_answer_write(outbox, &m, &err), 0);
	expect_file("out/mail.eml", "From: ca@example.test\r\n\r\nwords\r\n");
	expect_file("out/mail.8.eml", "another");
}
END_TEST

static const struct {
	const char	*name, *to;
	enum err_kind	 kind;
} bad_recipients[] = {
	{ "a mailbox", "u@example.test", ERR_FAULT },
	{ "a path", "file:../x.p10", ERR_FAULT },
	{ "a hidden file", "file:.x.p10", ERR_FAULT },
	{ "nothing", "file:", ERR_FAULT },
};

START_TEST(an_answer_to_no_file_is_refused)
{
	struct wire_send m = { .id = 7, .message = bytes_of("x") };
	struct err err = { 0 };

	snprintf(m.recipient, sizeof(m.recipient), "%s",
	    bad_recipients[_i].to);
	ck_assert_int_eq(drop_answer_write(outbox, &m, &err), -1);
	ck_assert_int_eq(err.kind, bad_recipients[_i].kind);
	run("test -z \"$(ls -A out)\"");
}
END_TEST

/* Whoever reads the folder later finds all of it or nothing under a name. */
START_TEST(without_an_out_folder_the_answer_waits)
{
	struct err err = { 0 };

	run("mv out away");
	ck_assert_int_eq(answer(7, "www.p10", 12, "one", "t\n", &err), -1);
	ck_assert_int_eq(err.kind, ERR_RETRY);
	ck_assert_ptr_nonnull(strstr(err.text, "out folder"));
	run("mv away out");
	ck_assert_int_eq(answer(7, "www.p10", 12, "one", "t\n", &err), 0);
}
END_TEST

/* A disk that is full in the middle of a file: no half of it has the name. */
START_TEST(what_cannot_be_written_whole_is_not_written)
{
	struct rlimit before, small = { 2, RLIM_INFINITY };
	struct err err = { 0 };
	int r;

	getrlimit(RLIMIT_FSIZE, &before);
	small.rlim_max = before.rlim_max;
	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
	r = answer(7, "www.p10", 12, "one", "t\n", &err);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
	ck_assert_int_eq(r, -1);
	ck_assert_int_eq(err.kind, ERR_RETRY);
	run("test -z \"$(ls -A out)\"");
	ck_assert_int_eq(answer(7, "www.p10", 12, "one", "t\n", &err), 0);
	expect_file("out/www.pem", "one");
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("drop");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, a_file_is_taken_when_two_looks_see_the_same);
	tcase_add_test(tc, a_file_that_grows_is_not_taken);
	tcase_add_test(tc, a_file_that_is_renamed_into_place_is_taken_at_once);
	tcase_add_loop_test(tc, what_is_no_file_of_its_own_stays, 0,
	    ROWS(unfit));
	tcase_add_test(tc, what_is_hidden_or_unfinished_is_not_looked_at);
	tcase_add_test(tc, more_files_than_are_asked_for_have_their_turn);
	tcase_add_test(tc, a_file_is_read_to_its_end_or_to_the_limit);
	tcase_add_loop_test(tc, a_file_that_changed_after_the_look_is_not_read,
	    0, ROWS(changes));
	tcase_add_test(tc, another_file_of_the_same_name_is_not_moved);
	tcase_add_test(tc, what_is_moved_replaces_nothing);
	tcase_add_test(tc, the_longest_and_oddest_names_are_moved);
	tcase_add_test(tc, a_later_file_of_the_same_name_has_another_place);
	tcase_add_loop_test(tc, a_name_is_made_fit_for_answers, 0,
	    ROWS(names));
	tcase_add_test(tc, a_long_name_is_cut_between_characters);
	tcase_add_test(tc, an_answer_is_written_once_and_replaces_nothing);
	tcase_add_test(tc, what_was_written_in_part_is_completed);
	tcase_add_test(tc, a_link_in_the_out_folder_is_not_followed);
	tcase_add_test(tc, a_mail_is_answered_with_a_mail);
	tcase_add_loop_test(tc, an_answer_to_no_file_is_refused, 0,
	    ROWS(bad_recipients));
	tcase_add_test(tc, without_an_out_folder_the_answer_waits);
	tcase_add_test(tc, what_cannot_be_written_whole_is_not_written);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
