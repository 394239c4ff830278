#include "csrmaild/exec.h"

#include "common/clock.h"
#include "common/err.h"
#include "common/role.h"
#include "csrmaild/settings.h"
#include "csrmaild/wire.h"
#include "tests/support/fixtures.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/*
 * The role behind its walls, with this test as main, and as the intake that
 * wants tokens. The command is a script that each test writes.
 */
static char dir[] = "/tmp/exec-test-XXXXXX";
static char script[64], conf[64];

static void
set_up(void)
{
	char home[64];

	strcpy(dir, "/tmp/exec-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(script, sizeof(script), "%s/get token", dir);
	snprintf(conf, sizeof(conf), "%s/csrmaild.conf", dir);
	snprintf(home, sizeof(home), "%s/exec", dir);
	ck_assert_int_eq(mkdir(home, 0700), 0);
}

static void
tear_down(void)
{
	char command[100];

	snprintf(command, sizeof(command), "rm -r %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static void
write_file(const char *path, const char *text, mode_t mode)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
	ck_assert_int_eq(chmod(path, mode), 0);
}

static int
make_settings(void)
{
	OWNED_STRUCT(settings) *settings = NULL;
	struct err err = { 0 };
	char text[2000];

	snprintf(text, sizeof(text),
	    "state_dir = \"%s\"\nrun_dir = \"%s\"\n"
	    "policies_dir = \"" TEST_DATA "/../../policies\"\n"
	    "unprivileged = true\n"
	    "smtp {\nhost = \"127.0.0.1\"\nport = 25\ntls = none\n}\n"
	    "mailbox \"users\" {\naddress = \"ca@example.test\"\n"
	    "ca = \"users\"\nrules = \"hold\"\n"
	    "imap {\nhost = \"localhost\"\nport = 993\n"
	    "auth = xoauth2\nuser = \"ca@example.test\"\n"
	    "token_command = {\"%s\", \"two words\", \"$HOME\"}\n"
	    "timeout_s = 2\n}\n}\n"
	    "ca \"users\" {\n}\n", dir, dir, script);
	write_file(conf, text, 0600);
	ck_assert_msg(settings_read(conf, &settings, &err) == 0, "%s",
	    err.text);
	return settings_bundle_fd(settings, &err);
}

struct scene {
	struct channel	*main_end, *intake;
	pid_t		 pid;
};

static void
start_role(struct scene *s)
{
	int control[2], intake[2], settings = make_settings();

	ck_assert_int_ge(settings, 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
	    control), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
	    intake), 0);
	s->pid = fork();
	if (s->pid == 0) {
		struct role role = { .program = "csrmaild", .name = "exec",
		    .control = channel_new(control[1], "main", 65536, 65536),
		    .descriptors = { { "settings", settings },
			{ "intake:users", intake[1] } },
		    .n_descriptors = 2 };

		close(control[0]);
		close(intake[0]);
		_exit(exec_main(&role));
	}
	close(control[1]);
	close(intake[1]);
	close(settings);
	s->main_end = channel_new(control[0], "exec", 65536, 65536);
	s->intake = channel_new(intake[0], "exec", 65536, 65536);
}

static void
ask(struct scene *s, uint64_t id, struct wire_token *out)
{
	struct frame frame;
	struct err err = { 0 };

	ck_assert_int_eq(wire_send_token_wanted(s->intake, id, &err), 0);
	ck_assert_msg(channel_await(s->intake, 20000, &frame, &err) == 0,
	    "%s", err.text);
	ck_assert_int_eq(wire_get_token(&frame, out, &err), 0);
	ck_assert_uint_eq(out->id, id);
}

static void
end_role(struct scene *s)
{
	int status;

	channel_free(s->main_end);
	ck_assert_int_eq(waitpid(s->pid, &status, 0), s->pid);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	channel_free(s->intake);
}

/* A script's end: what token, or what is said of it. */
static const struct {
	const char	*name, *body;
	const char	*token;		/* NULL: none, and text says */
	const char	*text;
} scripts[] = {
	{ "a token", "echo abc", "abc", "" },
	{ "JSON", "echo '{\"access_token\": \"abc\", \"expires_in\": 60}'",
	    "abc", "" },
	{ "words as they stand", "test \"$#\" = 2 && test \"$1\" = "
	    "'two words' && test \"$2\" = '$HOME' && echo abc", "abc", "" },
	{ "its environment", "test \"$CSRMAIL_USER\" = ca@example.test && "
	    "test \"$CSRMAIL_HOST\" = localhost && cd \"$HOME\" && "
	    "echo x >kept && test \"$(cat kept)\" = x && echo abc", "abc",
	    "" },
	{ "nothing else in it", "test -z \"$ASAN_OPTIONS$TEST_MARK\" && "
	    "echo abc", "abc", "" },
	{ "nothing to read", "cat && echo abc", "abc", "" },
	{ "a failure", "echo abc; exit 3", NULL, "exit status 3" },
	{ "nothing", "true", NULL, "printed no token" },
	{ "an error of the server", "echo '{\"error\":\"invalid_grant\"}'",
	    NULL, "access_token" },
	{ "what it says to standard error", "echo secret >&2; exit 1", NULL,
	    "exit status 1" },
	{ "far too much", "while :; do echo aaaaaaaaaaaaaaaaaaaaaaaa; done",
	    NULL, "printed too much" },
	{ "for ever", "sleep 1000", NULL, "in time" },
	{ "for ever, and its output closed", "exec >/dev/null; sleep 1000",
	    NULL, "in time" },
	{ "all of the processor", "while :; do :; done", NULL, "" },
	{ "other people's files", "cd / && { cat \"$(dirname \"$0\")/"
	    "csrmaild.conf\" || cat /etc/shadow || ls /root; } >$HOME/it "
	    "&& echo abc", NULL, "exit status" },
	{ "it ends after its output", "echo abc; exec >/dev/null; sleep 1",
	    "abc", "" },
	{ "a file where it may not", "echo abc >../new && echo abc", NULL,
	    "exit status" },
};

START_TEST(a_command_gives_a_token_or_what_went_wrong)
{
	struct wire_token answer = { 0 };
	struct scene scene;
	char text[2000];

	ck_assert_int_eq(setenv("TEST_MARK", "seen", 1), 0);
	snprintf(text, sizeof(text), "#!/bin/sh\n%s\n", scripts[_i].body);
	write_file(script, text, 0700);
	start_role(&scene);
	ask(&scene, 7, &answer);
	if (scripts[_i].token != NULL)
		ck_assert_msg(strcmp(answer.token.text,
		    scripts[_i].token) == 0, "%s: %s", scripts[_i].name,
		    answer.text);
	else
		ck_assert_msg(answer.token.text[0] == '\0' &&
		    strstr(answer.text, scripts[_i].text) != NULL, "%s: %s",
		    scripts[_i].name, answer.text);
	ck_assert_msg(strstr(answer.text, "secret") == NULL, "%s",
	    answer.text);
	/* And it serves on. */
	write_file(script, "#!/bin/sh\necho again\n", 0700);
	ask(&scene, 8, &answer);
	ck_assert_msg(strcmp(answer.token.text, "again") == 0, "%s: %s",
	    scripts[_i].name, answer.text);
	end_role(&scene);
}
END_TEST

START_TEST(a_command_that_is_not_there_is_said)
{
	struct wire_token answer = { 0 };
	struct scene scene;

	write_file(script, "", 0600);
	start_role(&scene);
	ask(&scene, 1, &answer);
	ck_assert_ptr_nonnull(strstr(answer.text, "cannot be run"));
	end_role(&scene);
}
END_TEST

/* The role's end does not wait for the command's, and leaves none behind. */
START_TEST(what_runs_ends_with_the_role)
{
	struct scene scene;
	struct err err;
	char text[600], path[100];
	int64_t until = clock_monotonic_ms() + 20000;
	long pid = 0;

	snprintf(path, sizeof(path), "%s/exec/pid", dir);
	snprintf(text, sizeof(text), "#!/bin/sh\necho $$ >%s.new\n"
	    "mv %s.new %s\nexec sleep 1000\n", path, path, path);
	write_file(script, text, 0700);
	start_role(&scene);
	ck_assert_int_eq(wire_send_token_wanted(scene.intake, 1, &err), 0);
	while (pid == 0 && clock_monotonic_ms() < until) {
		FILE *f = fopen(path, "r");

		if (f != NULL) {
			ck_assert_int_eq(fscanf(f, "%ld", &pid), 1);
			fclose(f);
		}
		usleep(5000);
	}
	ck_assert_int_gt(pid, 0);
	end_role(&scene);
	ck_assert_int_eq(kill((pid_t)pid, 0), -1);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("exec");
	TCase *tc = tcase_create("all");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_loop_test(tc, a_command_gives_a_token_or_what_went_wrong,
	    0, ROWS(scripts));
	tcase_add_test(tc, a_command_that_is_not_there_is_said);
	tcase_add_test(tc, what_runs_ends_with_the_role);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
