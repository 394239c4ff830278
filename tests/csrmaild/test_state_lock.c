#include "csrmaild/state_lock.h"
#include "common/err.h"
#include "tests/support/fixtures.h"

#include <sys/file.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char dir[] = "/tmp/state-lock-XXXXXX";
static char holder[STATE_LOCK_HOLDER_SIZE];
static struct err err;
static pid_t other;
static unsigned int told;
static char who[STATE_LOCK_HOLDER_SIZE];

static void
set_up(void)
{
	strcpy(dir + sizeof(dir) - 7, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	other = 0;
	told = 0;
}

static void
end_other(void)
{
	if (other == 0)
		return;
	ck_assert_int_eq(kill(other, SIGKILL), 0);
	ck_assert_int_eq(waitpid(other, NULL, 0), other);
	other = 0;
}

static void
tear_down(void)
{
	char path[64];

	end_other();
	snprintf(path, sizeof(path), "%s/lock", dir);
	unlink(path);
	ck_assert_int_eq(rmdir(dir), 0);
}

/* Another process has the lock, until it is killed. */
static void
hold(void)
{
	char path[64], octet;
	int ready[2];

	ck_assert_int_eq(pipe(ready), 0);
	other = fork();
	ck_assert_int_ge(other, 0);
	if (other == 0) {
		int fd;

		snprintf(path, sizeof(path), "%s/lock", dir);
		fd = open(path, O_RDWR | O_CREAT, 0640);
		if (fd < 0 || flock(fd, LOCK_EX) != 0 ||
		    write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	ck_assert_int_eq(read(ready[0], &octet, 1), 1);
	close(ready[0]);
	close(ready[1]);
}

static void
waiting(const char *state_dir, const char *by)
{
	ck_assert_str_eq(state_dir, dir);
	snprintf(who, sizeof(who), "%s", by);
	told++;
	end_other();
}

START_TEST(a_free_lock_is_taken_and_kept)
{
	int fd = state_lock_take(dir, 0, waiting, holder, &err);

	ck_assert_msg(fd >= 0, "%s", err.text);
	ck_assert_int_eq(state_lock_take(dir, 0, waiting, holder, &err), -1);
	ck_assert_int_eq(err.kind, ERR_RETRY);
	close(fd);
	fd = state_lock_take(dir, 0, waiting, holder, &err);
	ck_assert_int_ge(fd, 0);
	close(fd);
	ck_assert_uint_eq(told, 0);
}
END_TEST

START_TEST(whoever_has_it_is_waited_for_and_named)
{
	char want[64];
	int fd;

	hold();
	snprintf(want, sizeof(want), ", process %ld", (long)other);
	fd = state_lock_take(dir, 60000, waiting, holder, &err);
	ck_assert_msg(fd >= 0, "%s", err.text);
	close(fd);
	ck_assert_uint_eq(told, 1);
	ck_assert_msg(strstr(who, want) != NULL, "%s", who);
}
END_TEST

START_TEST(patience_ends)
{
	char want[64];

	hold();
	snprintf(want, sizeof(want), "process %ld", (long)other);
	ck_assert_int_eq(state_lock_take(dir, 100, waiting, holder, &err),
	    -1);
	ck_assert_int_eq(err.kind, ERR_RETRY);
	ck_assert_ptr_nonnull(strstr(holder, want));
	ck_assert_ptr_nonnull(strstr(err.text, want));
	ck_assert_uint_eq(told, 0);
}
END_TEST

START_TEST(a_folder_that_is_not_there_is_no_matter_of_waiting)
{
	ck_assert_int_eq(state_lock_take("/nowhere", 60000, waiting, holder,
	    &err), -1);
	ck_assert_int_eq(err.kind, ERR_FAULT);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("state_lock");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_free_lock_is_taken_and_kept);
	tcase_add_test(tc, whoever_has_it_is_waited_for_and_named);
	tcase_add_test(tc, patience_ends);
	tcase_add_test(tc,
	    a_folder_that_is_not_there_is_no_matter_of_waiting);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
