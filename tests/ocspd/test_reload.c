/* SIGHUP: what changes, what stays, and who notices nothing. */
#include "tests/support/fixtures.h"
#include "tests/support/ocsp_daemon.h"

#include <openssl/ocsp.h>

#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define A_GET	"GET /none HTTP/1.1\r\nHost: a\r\n\r\n"

static struct ocsp_daemon d;
static FILE *log_file;
static struct ocsp_said said;

/* With its log in a file. */
static void
start(const char *more)
{
	int own = dup(STDERR_FILENO);

	log_file = tmpfile();
	ck_assert_ptr_nonnull(log_file);
	daemon_open(&d, more);
	dup2(fileno(log_file), STDERR_FILENO);
	daemon_start(&d, 0);
	dup2(own, STDERR_FILENO);
	close(own);
	daemon_certify(&d);
}

static void
stop(void)
{
	daemon_stop(&d);
	daemon_close(&d);
	fclose(log_file);
}

static const char *
read_log(void)
{
	static char text[65536];
	ssize_t n = pread(fileno(log_file), text, sizeof(text) - 1, 0);

	text[n < 0 ? 0 : n] = '\0';
	return text;
}

static void
await_log(const char *words)
{
	int64_t begun = daemon_now_ms();

	while (strstr(read_log(), words) == NULL) {
		ck_assert_msg(daemon_now_ms() - begun < PATIENCE_MS,
		    "not \"%s\" in: %s", words, read_log());
		daemon_take_breath();
	}
}

/* The configuration with a line more; how many it has then. */
static int
add_line(const char *line)
{
	FILE *f = fopen(d.conf, "r+");
	int lines = 0, c;

	ck_assert_ptr_nonnull(f);
	while ((c = getc(f)) != EOF)
		lines += c == '\n';
	fprintf(f, "%s\n", line);
	fclose(f);
	return lines + 1;
}

/* One answer on a connection that is kept: how it begins. */
static const char *
exchange(int fd)
{
	static char text[4096];
	struct pollfd p = { fd, POLLIN, 0 };
	ssize_t n;

	ck_assert_int_eq(send(fd, A_GET, strlen(A_GET), MSG_NOSIGNAL),
	    (ssize_t)strlen(A_GET));
	ck_assert_int_eq(poll(&p, 1, PATIENCE_MS), 1);
	n = recv(fd, text, sizeof(text) - 1, 0);
	text[n < 0 ? 0 : n] = '\0';
	return text;
}

static const char *const bad_lines[] = { "no_such_key = 1",
	"fronts = many", "max_age_s = 86400" };

START_TEST(a_wrong_configuration_changes_nothing_and_is_named)
{
	char where[200];
	int fd;

	start("fronts = 1\n");
	fd = daemon_dial(&d, 1);
	exchange(fd);
	snprintf(where, sizeof(where), "%s:%d: ", d.conf,
	    add_line(bad_lines[_i]));
	kill(d.pid, SIGHUP);
	await_log("event=reload.refused");
	ck_assert_msg(strstr(read_log(), where) != NULL, "not \"%s\" in: %s",
	    where, read_log());
	/* The very same process goes on with the connection. */
	ck_assert_ptr_nonnull(strstr(exchange(fd), "HTTP/1.1 404 "));
	ck_assert_ptr_null(strstr(exchange(fd), "Connection: close"));
	close(fd);
	daemon_await(&d, "1001", V_OCSP_CERTSTATUS_GOOD);
	stop();
}
END_TEST

/* The old front answers whoever it has, once more, and says good-bye. */
START_TEST(a_right_one_takes_over_and_the_old_connections_are_finished)
{
	int64_t begun;
	int fd, begins;

	start("fronts = 2\n");
	ck_assert_int_eq(daemon_ask(&d, "1001", EVP_sha1(), false, &said),
	    V_OCSP_CERTSTATUS_GOOD);
	ck_assert_ptr_nonnull(strstr(d.answer, "max-age=3600,"));
	fd = daemon_dial(&d, 1);
	exchange(fd);
	begins = daemon_dial(&d, 1);
	ck_assert_int_eq(send(begins, A_GET, 10, MSG_NOSIGNAL), 10);
	daemon_take_breath();
	add_line("max_age_s = 50");
	kill(d.pid, SIGHUP);
	begun = daemon_now_ms();
	do {
		ck_assert_int_lt(daemon_now_ms() - begun, PATIENCE_MS);
		daemon_await(&d, "1001", V_OCSP_CERTSTATUS_GOOD);
	} while (strstr(d.answer, "max-age=50,") == NULL);
	ck_assert_ptr_nonnull(strstr(exchange(fd), "\r\nConnection: close\r\n"));
	close(fd);
	/* The rest of a request that was begun before. */
	ck_assert_int_eq(send(begins, &A_GET[10], strlen(A_GET) - 10,
	    MSG_NOSIGNAL), (ssize_t)strlen(A_GET) - 10);
	ck_assert_int_eq(recv(begins, d.answer, 12, MSG_WAITALL), 12);
	ck_assert_int_eq(memcmp(d.answer, "HTTP/1.1 404", 12), 0);
	close(begins);
	stop();
}
END_TEST

/* --- SIGUSR2: another program ------------------------------------------------ */

/* Is it a main? Roles have names of their own instead of arguments. */
static bool
is_main(pid_t pid)
{
	char path[64], line[256];
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "/proc/%ld/cmdline", (long)pid);
	f = fopen(path, "r");
	if (f == NULL)
		return false;
	n = fread(line, 1, sizeof(line) - 1, f);
	line[n] = '\0';
	fclose(f);
	return n > strlen(line) + 1 && strcmp(line + strlen(line) + 1,
	    "-c") == 0;
}

/* The child of main that is one, too; 0: there is none. */
static pid_t
find_successor(pid_t of)
{
	char path[64];
	pid_t found = 0;
	FILE *f;
	int pid;

	snprintf(path, sizeof(path), "/proc/%ld/task/%ld/children", (long)of,
	    (long)of);
	f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	while (found == 0 && fscanf(f, "%d", &pid) == 1)
		if (is_main(pid))
			found = pid;
	fclose(f);
	return found;
}

static pid_t
await_successor(pid_t of)
{
	int64_t begun = daemon_now_ms();
	pid_t found;

	while ((found = find_successor(of)) == 0) {
		ck_assert(daemon_now_ms() - begun < PATIENCE_MS);
		daemon_take_breath();
	}
	return found;
}

START_TEST(a_successor_takes_over_and_nobody_is_refused)
{
	pid_t old, new;
	int status;

	ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	start("");
	old = d.pid;
	ck_assert_int_eq(kill(old, SIGUSR2), 0);
	new = await_successor(old);
	/* All the time, until the first is gone. */
	while (waitpid(old, &status, WNOHANG) == 0)
		ck_assert_int_eq(daemon_ask(&d, "1001", EVP_sha256(), false,
		    &said), V_OCSP_CERTSTATUS_GOOD);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(daemon_ask(&d, "1001", EVP_sha256(), true,
		    &said), V_OCSP_CERTSTATUS_GOOD);
	/* And it can be followed in turn. */
	d.pid = new;
	ck_assert_int_eq(kill(new, 0), 0);
	stop();
}
END_TEST

START_TEST(a_successor_that_fails_changes_nothing)
{
	start("");
	add_line("nonsense = 1");
	ck_assert_int_eq(kill(d.pid, SIGUSR2), 0);
	await_log("event=upgrade.refused");
	ck_assert_int_eq(daemon_ask(&d, "1001", EVP_sha256(), false, &said),
	    V_OCSP_CERTSTATUS_GOOD);
	stop();
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("reload");
	TCase *c = tcase_create("reload");

	tcase_set_timeout(c, 90);
	tcase_add_loop_test(c,
	    a_wrong_configuration_changes_nothing_and_is_named, 0,
	    ROWS(bad_lines));
	tcase_add_test(c,
	    a_right_one_takes_over_and_the_old_connections_are_finished);
	tcase_add_test(c, a_successor_takes_over_and_nobody_is_refused);
	tcase_add_test(c, a_successor_that_fails_changes_nothing);
	suite_add_tcase(s, c);
	return fixture_run(s);
}
