#include "csrmaild/login.h"

#include "common/clock.h"
#include "common/err.h"
#include "common/role.h"
#include "csrmaild/settings.h"
#include "csrmaild/token.h"
#include "csrmaild/wire.h"
#include "tests/support/fixtures.h"

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NOW	1000000

/* --- what holds a token ---------------------------------------------------- */

static const struct {
	const char	*name, *text;
	const char	*token;		/* NULL: refused */
	time_t		 expires_at;
} texts[] = {
	{ "alone", "abc.DEF-_~+/=", "abc.DEF-_~+/=", 0 },
	{ "a line", " abc\r\n", "abc", 0 },
	{ "JSON", "{\"access_token\": \"abc\"}", "abc", 0 },
	{ "with its end", "{\"access_token\":\"abc\",\"expires_in\":3600,"
	    "\"token_type\":\"bearer\",\"scope\":[\"x\"]}\n", "abc",
	    NOW + 3600 },
	{ "seconds as a text", "{\"access_token\":\"abc\","
	    "\"expires_in\":\"60\"}", "abc", NOW + 60 },
	{ "empty", " \n", NULL, 0 },
	{ "two lines", "abc\ndef", NULL, 0 },
	{ "an octet that is none", "abc\001", NULL, 0 },
	{ "no token", "{\"expires_in\":3600}", NULL, 0 },
	{ "an empty one", "{\"access_token\":\"\"}", NULL, 0 },
	{ "a number", "{\"access_token\":7}", NULL, 0 },
	{ "another type", "{\"access_token\":\"abc\",\"token_type\":\"mac\"}",
	    NULL, 0 },
	{ "over already", "{\"access_token\":\"abc\",\"expires_in\":0}",
	    NULL, 0 },
	{ "for ever", "{\"access_token\":\"abc\",\"expires_in\":1e12}",
	    NULL, 0 },
	{ "twice", "{\"access_token\":\"abc\",\"access_token\":\"abd\"}",
	    NULL, 0 },
	{ "an error", "{\"error\":\"invalid_grant\"}", NULL, 0 },
	{ "cut off", "{\"access_token\":\"abc", NULL, 0 },
	{ "a page", "<html><title>Sign in</title>", NULL, 0 },
};

START_TEST(a_token_is_read_alone_or_from_json)
{
	static struct token token;
	struct err err = { 0 };
	int r = token_read(bytes_of(texts[_i].text), NOW, &token, &err);

	if (texts[_i].token == NULL) {
		ck_assert_msg(r == -1, "%s", texts[_i].name);
		ck_assert_int_eq(err.kind, ERR_RETRY);
		ck_assert_msg(strstr(err.text, "abc") == NULL, "%s",
		    err.text);
		return;
	}
	ck_assert_msg(r == 0, "%s: %s", texts[_i].name, err.text);
	ck_assert_str_eq(token.text, texts[_i].token);
	ck_assert_int_eq(token.expires_at, texts[_i].expires_at);
}
END_TEST

START_TEST(a_long_token_fits_and_one_too_long_is_refused)
{
	static char text[TOKEN_MAX + 2];
	static struct token token;
	struct err err = { 0 };

	memset(text, 't', TOKEN_MAX + 1);
	ck_assert_int_eq(token_read((struct bytes){ (const uint8_t *)text,
	    TOKEN_MAX }, NOW, &token, &err), 0);
	ck_assert_uint_eq(strlen(token.text), TOKEN_MAX);
	ck_assert_int_eq(token_read((struct bytes){ (const uint8_t *)text,
	    TOKEN_MAX + 1 }, NOW, &token, &err), -1);
}
END_TEST

/* --- login, with this test as main and exec -------------------------------- */

static char nothing[] = "", user[] = "ca", host[] = "127.0.0.1",
    file[] = "/token", command[] = "/command";

static struct server_settings
settings_for(enum auth_method auth)
{
	return (struct server_settings){ .host = host, .ca_file = nothing,
	    .tls_name = nothing, .client_certificate = nothing,
	    .client_key_file = nothing, .user = user,
	    .password_file = nothing, .token_file = nothing, .auth = auth,
	    .tls = TLS_NONE, .timeout_s = 1 };
}

static int
file_with(const char *text)
{
	int fd = memfd_create("text", MFD_CLOEXEC);

	ck_assert_int_eq(write(fd, text, strlen(text)),
	    (ssize_t)strlen(text));
	lseek(fd, 0, SEEK_SET);
	return fd;
}

/* The peer's end answers from a child: one text for each question; "" is a
 * refusal. */
static pid_t
answer_from(int fd, uint16_t asked, const char *const *texts_given)
{
	pid_t pid = fork();
	struct channel *ch;
	struct err err;

	if (pid != 0)
		return pid;
	ch = channel_new(fd, "role", 65536, 1 << 20);
	for (; *texts_given != NULL; texts_given++) {
		struct wire_token m = { 0 };
		struct frame frame;

		if (channel_await(ch, 30000, &frame, &err) == -1 ||
		    frame.type != asked)
			_exit(1);
		if (asked == WIRE_TOKEN_FILE) {
			wire_send_token_opened(ch, **texts_given == '\0' ?
			    -1 : file_with(*texts_given),
			    **texts_given == '\0' ? "not there" : "", &err);
			continue;
		}
		if (wire_get_token_wanted(&frame, &m.id, &err) == -1)
			_exit(2);
		if (**texts_given == '\0')
			strcpy(m.text, "not there");
		else if (token_read(bytes_of(*texts_given), clock_now(),
		    &m.token, &err) == -1)
			_exit(3);
		wire_send_token(ch, &m, &err);
	}
	/* Until the other end is closed. */
	if (channel_await(ch, 30000, &(struct frame){ 0 }, &err) != -1)
		_exit(4);
	_exit(0);
}

struct scene {
	struct role	 role;
	int		 ours;		/* descriptors of the pair */
	pid_t		 pid;
};

static struct login *
open_login(struct scene *scene, struct server_settings *server,
    const char *const *texts_given)
{
	struct login *login = NULL;
	struct err err = { 0 };
	int pair[2];
	bool by_exec = server->n_token_command > 0;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
	    pair), 0);
	scene->pid = fork();
	ck_assert_int_ge(scene->pid, 0);
	if (scene->pid == 0) {
		int status;
		pid_t pid;

		close(pair[0]);
		pid = answer_from(pair[1], by_exec ? WIRE_TOKEN_WANTED :
		    WIRE_TOKEN_FILE, texts_given);
		close(pair[1]);
		waitpid(pid, &status, 0);
		_exit(WEXITSTATUS(status));
	}
	close(pair[1]);
	scene->role = (struct role){ .program = "csrmaild",
	    .name = "intake" };
	if (by_exec) {
		strcpy(scene->role.descriptors[0].name, "exec");
		scene->role.descriptors[0].fd = pair[0];
		scene->role.n_descriptors = 1;
	} else {
		scene->role.control = channel_new(pair[0], "main", 65536,
		    65536);
	}
	ck_assert_msg(login_new(&scene->role, server, &login, &err) == 0,
	    "%s", err.text);
	return login;
}

static void
close_login(struct scene *scene, struct login *login)
{
	int status;

	login_free(login);
	channel_free(scene->role.control);
	ck_assert_int_eq(waitpid(scene->pid, &status, 0), scene->pid);
	ck_assert_int_eq(WEXITSTATUS(status), 0);
}

START_TEST(the_first_line_of_the_password_file_is_the_password)
{
	static const struct {
		const char	*text, *want;	/* NULL: refused */
	} files[] = {
		{ "secret\n", "secret" }, { "secret\r\nnote\n", "secret" },
		{ "pass word", "pass word" }, { "", NULL }, { "\n", NULL },
	};

	for (int i = 0; i < ROWS(files); i++) {
		struct server_settings server = settings_for(AUTH_PASSWORD);
		OWNED_STRUCT(login) *login = NULL;
		struct role role = { .name = "intake",
		    .descriptors = { { "password",
		    file_with(files[i].text) } }, .n_descriptors = 1 };
		const char *secret = NULL;
		struct err err = { 0 };
		int r = login_new(&role, &server, &login, &err);

		if (files[i].want == NULL) {
			ck_assert_int_eq(r, -1);
			ck_assert_int_eq(err.kind, ERR_FAULT);
			continue;
		}
		ck_assert_int_eq(r, 0);
		ck_assert_int_eq(login_secret(login, &secret, &err), 0);
		ck_assert_str_eq(secret, files[i].want);
	}
}
END_TEST

START_TEST(a_token_file_is_read_anew_for_each_session)
{
	static const char *const given[] = { "first",
		"{\"access_token\":\"second\",\"expires_in\":3600}", "",
		"third", NULL };
	static const char *const want[] = { "first", "second", NULL,
		"third" };
	struct server_settings server = settings_for(AUTH_XOAUTH2);
	struct scene scene;
	struct login *login;

	server.token_file = file;
	login = open_login(&scene, &server, given);
	for (int i = 0; i < ROWS(want); i++) {
		const char *secret = NULL;
		struct err err = { 0 };
		int r = login_secret(login, &secret, &err);

		if (want[i] == NULL) {
			ck_assert_int_eq(r, -1);
			ck_assert_int_eq(err.kind, ERR_RETRY);
			ck_assert_ptr_nonnull(strstr(err.text, "not there"));
			continue;
		}
		ck_assert_msg(r == 0, "%s", err.text);
		ck_assert_str_eq(secret, want[i]);
	}
	close_login(&scene, login);
}
END_TEST

START_TEST(a_commands_token_is_kept_until_a_minute_before_its_end)
{
	static const char *const given[] = {
		"{\"access_token\":\"hour\",\"expires_in\":3600}",
		"{\"access_token\":\"minute\",\"expires_in\":60}",
		"unsaid", "", "last", NULL };
	struct server_settings server = settings_for(AUTH_XOAUTH2);
	const char *secret = NULL;
	struct err err = { 0 };
	struct scene scene;
	struct login *login;

	server.token_command[0] = command;
	server.n_token_command = 1;
	login = open_login(&scene, &server, given);
	for (int i = 0; i < 3; i++) {
		ck_assert_msg(login_secret(login, &secret, &err) == 0, "%s",
		    err.text);
		ck_assert_str_eq(secret, "hour");
	}
	/* The server did not want it any more. */
	login_refused(login);
	ck_assert_int_eq(login_secret(login, &secret, &err), 0);
	ck_assert_str_eq(secret, "minute");
	/* Which ends too soon to be used again. */
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(login_secret(login, &secret, &err), 0);
		ck_assert_str_eq(secret, "unsaid");
	}
	login_refused(login);
	ck_assert_int_eq(login_secret(login, &secret, &err), -1);
	ck_assert_int_eq(err.kind, ERR_RETRY);
	ck_assert_int_eq(login_secret(login, &secret, &err), 0);
	ck_assert_str_eq(secret, "last");
	close_login(&scene, login);
}
END_TEST

#ifdef TEST_HOOKS
/* A session may last for days, in IDLE: the login after it needs a token that is
 * good then, without having tried the old one. */
START_TEST(a_token_is_fetched_anew_after_a_long_session)
{
	static const char *const given[] = {
		"{\"access_token\":\"hour\",\"expires_in\":3600}",
		"{\"access_token\":\"next\",\"expires_in\":3600}", NULL };
	static const struct {
		int64_t		 later_s;
		const char	*want;
	} sessions[] = { { 0, "hour" }, { 3530, "hour" }, { 3541, "next" } };
	struct server_settings server = settings_for(AUTH_XOAUTH2);
	struct err err = { 0 };
	struct scene scene;
	struct login *login;

	server.token_command[0] = command;
	server.n_token_command = 1;
	login = open_login(&scene, &server, given);
	for (int i = 0; i < ROWS(sessions); i++) {
		const char *secret = NULL;

		clock_set_test_offset(sessions[i].later_s);
		ck_assert_msg(login_secret(login, &secret, &err) == 0, "%s",
		    err.text);
		ck_assert_str_eq(secret, sessions[i].want);
	}
	clock_set_test_offset(0);
	close_login(&scene, login);
}
END_TEST
#endif

START_TEST(exec_that_is_gone_is_a_fault)
{
	static const char *const given[] = { NULL };
	struct server_settings server = settings_for(AUTH_XOAUTH2);
	const char *secret = NULL;
	struct err err = { 0 };
	struct scene scene;
	struct login *login;

	server.token_command[0] = command;
	server.n_token_command = 1;
	login = open_login(&scene, &server, given);
	/* It waits for the end, hears a question, and leaves with 4. */
	ck_assert_int_eq(login_secret(login, &secret, &err), -1);
	ck_assert_int_eq(err.kind, ERR_FAULT);
	login_free(login);
	waitpid(scene.pid, NULL, 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("login");
	TCase *tc = tcase_create("all");

	tcase_add_loop_test(tc, a_token_is_read_alone_or_from_json, 0,
	    ROWS(texts));
	tcase_add_test(tc, a_long_token_fits_and_one_too_long_is_refused);
	tcase_add_test(tc,
	    the_first_line_of_the_password_file_is_the_password);
	tcase_add_test(tc, a_token_file_is_read_anew_for_each_session);
	tcase_add_test(tc,
	    a_commands_token_is_kept_until_a_minute_before_its_end);
#ifdef TEST_HOOKS
	tcase_add_test(tc, a_token_is_fetched_anew_after_a_long_session);
#endif
	tcase_add_test(tc, exec_that_is_gone_is_a_fault);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
