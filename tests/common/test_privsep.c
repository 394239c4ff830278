#include "common/privsep.h"

#include "common/bytes.h"
#include "common/err.h"
#include "common/owned.h"
#include "tests/support/fixtures.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Walls never come down again, so each try happens in a child, which writes
 * the probe's text to memory that both see. */
static char *shared;
static char dir[] = "/tmp/test_privsepXXXXXX";
static char key[64], open_file[64];

static void
setup(void)
{
	shared = mmap(NULL, 65536, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(shared, MAP_FAILED);
	strcpy(dir + sizeof(dir) - 7, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(key, sizeof(key), "%s/key", dir);
	snprintf(open_file, sizeof(open_file), "%s/open", dir);
	close(creat(key, 0600));
	close(creat(open_file, 0600));
}

static void
teardown(void)
{
	munmap(shared, 65536);
	unlink(key);
	unlink(open_file);
	rmdir(dir);
}

static int
in_child(void (*act)(const struct sandbox *), const struct sandbox *box)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct err err;

		if (privsep_raise_walls(box, &err) == -1) {
			snprintf(shared, 65536, "%s: %s", err.text,
			    err.detail);
			_exit(99);
		}
		act(box);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) != 99, "%s",
	    shared);
	return WEXITSTATUS(status);
}

static void
probe(const struct sandbox *box)
{
	const char *paths[] = { key, open_file };
	OWNED_BUF(out, 4096);

	(void)box;
	privsep_probe(paths, 2, getppid(), &out);
	snprintf(shared, 65536, "%s", buf_str(&out));
}

static void
expect(const char *what, bool reached)
{
	char line[128];

	snprintf(line, sizeof(line), "%s: reached\n", what);
	ck_assert_msg((strstr(shared, line) != NULL) == reached,
	    "%s should %sbe reached:\n%s", what, reached ? "" : "not ",
	    shared);
}

static void
expect_open(const char *path, bool reached)
{
	char what[96];

	snprintf(what, sizeof(what), "open %s", path);
	expect(what, reached);
}

START_TEST(behind_the_highest_walls_nothing_is_reached)
{
	in_child(probe, &(struct sandbox){ .allow = 0 });
	ck_assert_ptr_null(strstr(shared, "reached"));
	ck_assert_ptr_nonnull(strstr(shared, "exec"));
}
END_TEST

START_TEST(only_what_is_allowed_is_reached)
{
	const struct sandbox_path paths[] = { { open_file, 0 },
		{ "/nonexistent/at/all", 1 } };

	in_child(probe, &(struct sandbox){ .allow = SANDBOX_INET |
	    SANDBOX_OPEN, .paths = paths, .n_paths = 2 });
	expect_open(open_file, true);
	expect_open(key, false);
	expect("socket inet", true);
	expect("socket unix", false);
	expect("socket packet", false);
	expect("socket vsock", false);
	expect("exec", false);
	expect("ptrace", false);
	expect("memory of main", false);
	expect("dumpable", false);
}
END_TEST

/* A first argument with high bits set names the same call to the kernel. */
static void
set_dumpable_oddly(const struct sandbox *box)
{
	(void)box;
	if (syscall(157, 0x100000004UL, 1UL, 0UL, 0UL, 0UL) == 0 &&
	    prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0)
		_exit(1);
	if (syscall(41, 0x100000002UL, 1UL, 0UL) >= 0)
		_exit(2);
}

START_TEST(high_bits_do_not_slip_through)
{
#ifdef __x86_64__
	ck_assert_int_eq(in_child(set_dumpable_oddly,
	    &(struct sandbox){ .allow = 0 }), 0);
#endif
}
END_TEST

static void
fork_and_write(const struct sandbox *box)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	if ((pid > 0) != ((box->allow & SANDBOX_FORK) != 0))
		_exit(1);
	if (open(open_file, O_WRONLY | O_CLOEXEC) >= 0)
		_exit(2);
}

START_TEST(forks_and_writes_need_to_be_allowed)
{
	const struct sandbox_path paths[] = { { open_file, 0 } };

	ck_assert_int_eq(in_child(fork_and_write, &(struct sandbox){
	    .allow = SANDBOX_OPEN | (_i == 1 ? SANDBOX_FORK : 0),
	    .paths = paths, .n_paths = 1 }), 0);
}
END_TEST

static void
look_at_limits(const struct sandbox *box)
{
	struct rlimit core;

	(void)box;
	if (getrlimit(RLIMIT_CORE, &core) == -1 || core.rlim_max != 0)
		_exit(1);
	if (prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0)
		_exit(2);
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		_exit(3);
}

START_TEST(no_core_no_dump_no_new_privileges)
{
	ck_assert_int_eq(in_child(look_at_limits,
	    &(struct sandbox){ .allow = SANDBOX_OPEN }), 0);
}
END_TEST

START_TEST(an_unknown_user_is_a_clear_error)
{
	struct identity id;
	struct err err;

	ck_assert_int_eq(privsep_find_identity("no-such-user", &id, &err), -1);
	ck_assert_int_eq(err.kind, ERR_FAULT);
	ck_assert_ptr_nonnull(strstr(err.text, "no-such-user"));
	ck_assert_int_eq(privsep_find_identity("", &id, &err), 0);
	ck_assert_uint_eq(id.uid, geteuid());
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("privsep");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, behind_the_highest_walls_nothing_is_reached);
	tcase_add_test(tc, only_what_is_allowed_is_reached);
	tcase_add_test(tc, high_bits_do_not_slip_through);
	tcase_add_loop_test(tc, forks_and_writes_need_to_be_allowed, 0, 2);
	tcase_add_test(tc, no_core_no_dump_no_new_privileges);
	tcase_add_test(tc, an_unknown_user_is_a_clear_error);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
