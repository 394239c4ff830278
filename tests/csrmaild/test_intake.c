#include "csrmaild/intake.h"

#include "csrmaild/settings.h"
#include "csrmaild/wire.h"

#include "common/err.h"
#include "common/role.h"
#include "tests/support/fake_server.h"
#include "tests/support/fixtures.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * The role as a whole, behind its walls (where it still must resolve a name
 * and verify a certificate), between a fake IMAP server and this test, which
 * plays main, the parser and the registrar.
 */
#define PATIENCE_MS	20000
#define MAIL		"From: user@example.test\r\n\r\nbody\r\n"

static struct fake_server server;
static char dir[] = "/tmp/intake-test-XXXXXX";
static char conf[64], password_file[64];
static struct settings *settings;

/* --- an IMAP server with one message ----------------------------------------------- */
static bool
answer(struct fake_server *s, bool *moved)
{
	if (fake_was_asked(s, "CAPABILITY"))
		return fake_say(s, "* CAPABILITY IMAP4rev1 IDLE MOVE UIDPLUS"
		    "\r\n%s OK done\r\n", s->tag);
	if (fake_was_asked(s, "SELECT"))
		return fake_say(s, "* %d EXISTS\r\n* OK [UIDVALIDITY 42] x\r\n"
		    "%s OK [READ-WRITE] selected\r\n", *moved ? 0 : 1, s->tag);
	if (fake_was_asked(s, "RFC822.SIZE"))
		return fake_say(s, "* 1 FETCH (UID 7 RFC822.SIZE %zu)\r\n"
		    "%s OK done\r\n", strlen(MAIL), s->tag);
	if (fake_was_asked(s, "BODY.PEEK[]"))
		return fake_say(s, "* 1 FETCH (UID 7 BODY[] {%zu}\r\n%s)\r\n"
		    "%s OK done\r\n", strlen(MAIL), MAIL, s->tag);
	if (fake_was_asked(s, "MOVE"))
		*moved = true;
	if (fake_was_asked(s, "LOGOUT")) {
		fake_say(s, "* BYE\r\n%s OK done\r\n", s->tag);
		return false;
	}
	if (fake_was_asked(s, "IDLE")) {
		char tag[sizeof(s->tag)];

		memcpy(tag, s->tag, sizeof(tag));
		return fake_say(s, "+ idling\r\n") && fake_read_line(s) &&
		    fake_say(s, "%s OK done\r\n", tag);
	}
	return fake_say(s, "%s OK done\r\n", s->tag);
}

static void
serve(struct fake_server *s)
{
	bool moved = false;

	if (!fake_start_tls(s))
		return;
	fake_say(s, "* OK hi\r\n");
	while (fake_read_line(s) && answer(s, &moved))
		continue;
}

/* --- the configuration ---------------------------------------------------------------- */
static void
write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	fclose(file);
	ck_assert_int_eq(chmod(path, 0600), 0);
}

static void
set_up(void)
{
	char text[2000];
	struct err err = { 0 };

	strcpy(dir, "/tmp/intake-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(conf, sizeof(conf), "%s/csrmaild.conf", dir);
	snprintf(password_file, sizeof(password_file), "%s/password", dir);
	write_file(password_file, "secret\r\n");
	fake_start(&server, serve, FAKE_GOOD);
	snprintf(text, sizeof(text),
	    "state_dir = \"%s\"\nrun_dir = \"%s\"\n"
	    "policies_dir = \"" TEST_DATA "/../../policies\"\n"
	    "unprivileged = true\n"
	    "smtp {\nhost = \"127.0.0.1\"\nport = 25\ntls = none\n}\n"
	    "mailbox \"users\" {\naddress = \"ca@example.test\"\n"
	    "ca = \"users\"\nrules = \"hold\"\nheld = \"Put Aside\"\n"
	    "imap {\nhost = \"localhost\"\nport = %u\nca_file = \"%s\"\n"
	    "user = \"ca\"\npassword_file = \"%s\"\ntimeout_s = 5\n}\n}\n"
	    "ca \"users\" {\n}\n", dir, dir, server.port, fake_ca_file(),
	    password_file);
	write_file(conf, text);
	ck_assert_msg(settings_read(conf, &settings, &err) == 0, "%s",
	    err.text);
}

static void
tear_down(void)
{
	fake_finish(&server);
	settings_free(settings);
	unlink(conf);
	unlink(password_file);
	rmdir(dir);
}

/* --- main, the parser, the registrar ------------------------------------------------------ */
static struct {
	pid_t		 pid;
	struct channel	*control, *parser, *registrar;
} peers;

static void
add_descriptor(struct role *role, const char *name, int fd)
{
	ck_assert_int_ge(fd, 0);
	snprintf(role->descriptors[role->n_descriptors].name,
	    sizeof(role->descriptors[0].name), "%s", name);
	role->descriptors[role->n_descriptors++].fd = fd;
}

static struct channel *
add_peer(int ours, const char *name)
{
	return channel_new(ours, name, WIRE_MAX_MESSAGE, 1u << 20);
}

static void
start_intake(void)
{
	int control[2], parser[2], registrar[2];
	struct err err;
	int bundle = settings_bundle_fd(settings, &err);
	FILE *password = fopen(password_file, "r");

	ck_assert_ptr_nonnull(password);
	socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, control);
	socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, parser);
	socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, registrar);
	peers.pid = fork();
	ck_assert_int_ge(peers.pid, 0);
	if (peers.pid == 0) {
		struct role role = { .program = "csrmaild", .name = "intake",
		    .instance = "users", .main_pid = getppid() };

		close(control[0]);
		close(parser[0]);
		close(registrar[0]);
		role.control = add_peer(control[1], "main");
		add_descriptor(&role, "settings", bundle);
		add_descriptor(&role, "password", dup(fileno(password)));
		add_descriptor(&role, "parser", parser[1]);
		add_descriptor(&role, "registrar", registrar[1]);
		_exit(intake_main(&role));
	}
	close(control[1]);
	close(parser[1]);
	close(registrar[1]);
	close(bundle);
	fclose(password);
	peers.control = add_peer(control[0], "intake");
	peers.parser = add_peer(parser[0], "intake");
	peers.registrar = add_peer(registrar[0], "intake");
}

/* Its exit code, once it ended. */
static int
wait_for_intake(void)
{
	int status;

	ck_assert_int_eq(waitpid(peers.pid, &status, 0), peers.pid);
	channel_free(peers.control);
	channel_free(peers.parser);
	channel_free(peers.registrar);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* One message through the parser; the SUBMIT that comes of it. */
static struct wire_submit
carry_one(void)
{
	OWNED_BUF(payload, WIRE_MAX_FINDINGS);
	struct wire_examine examine;
	struct wire_submit submit;
	struct findings *findings = calloc(1, sizeof(*findings));
	struct frame frame;
	struct err err = { 0 };

	ck_assert_msg(channel_await(peers.parser, PATIENCE_MS, &frame,
	    &err) == 0, "%s", err.text);
	ck_assert_int_eq(wire_get_examine(&frame, &examine, &err), 0);
	ck_assert(bytes_equal(examine.octets, bytes_of(MAIL)));
	findings->id = examine.id;
	findings->status = FINDINGS_OK;
	put_findings(&payload, findings);
	free(findings);
	ck_assert_int_eq(channel_send(peers.parser, WIRE_FINDINGS,
	    buf_bytes(&payload), -1, &err), 0);
	/* The state of the connection comes first. */
	do
		ck_assert_int_eq(channel_await(peers.registrar, PATIENCE_MS,
		    &frame, &err), 0);
	while (frame.type == WIRE_MAILBOX);
	ck_assert_int_eq(wire_get_submit(&frame, &submit, &err), 0);
	wire_submit_free_contents(&submit);
	return submit;
}

START_TEST(a_message_is_filed_where_the_registrar_says)
{
	struct wire_outcome outcome = { .outcome = OUTCOME_HELD };
	struct wire_submit submit;
	struct frame frame;
	struct err err;

	start_intake();
	submit = carry_one();
	ck_assert_uint_eq(submit.uid, 7);
	ck_assert_uint_eq(submit.uid_validity, 42);
	ck_assert_str_eq(submit.envelope.from, "user@example.test");
	ck_assert_uint_eq(submit.envelope.evidence, 0);
	outcome.id = submit.id;
	ck_assert_int_eq(wire_send_outcome(peers.registrar, &outcome, &err),
	    0);
	/* It is READY by now; that main goes is its word to stop. The test
	 * must not be faster than the move, which IDLE comes after. */
	while (strstr((const char *)server.seen, "IDLE") == NULL)
		channel_await(peers.parser, 10, &frame, &err);
	shutdown(channel_fd(peers.control), SHUT_RDWR);
	ck_assert_int_eq(wait_for_intake(), EXIT_SUCCESS);
	ck_assert_msg(strstr(server.seen, "UID MOVE 7 \"Put Aside\"") != NULL,
	    "%s", server.seen);
	/* The line end of the file is not part of it; quotes may be. */
	ck_assert_msg(strstr(server.seen, "LOGIN ca secret|") != NULL ||
	    strstr(server.seen, "LOGIN \"ca\" \"secret\"|") != NULL, "%s",
	    server.seen);
}
END_TEST

START_TEST(without_the_registrars_word_nothing_is_moved)
{
	start_intake();
	carry_one();
	/* The registrar dies: intake has nothing to go on with. */
	shutdown(channel_fd(peers.registrar), SHUT_RDWR);
	ck_assert_int_eq(wait_for_intake(), EXIT_FAILURE);
	ck_assert_ptr_null(strstr(server.seen, "MOVE"));
	ck_assert_ptr_null(strstr(server.seen, "COPY"));
	ck_assert_ptr_null(strstr(server.seen, "STORE"));
}
END_TEST

START_TEST(a_password_that_is_too_long_or_holds_a_nul_is_refused)
{
	char text[4200];
	FILE *file;

	memset(text, 'x', sizeof(text));
	file = fopen(password_file, "w");
	fwrite(text, 1, _i == 0 ? 4097 : 3, file);
	if (_i == 1)
		fwrite("\0y", 1, 2, file);
	fclose(file);
	start_intake();
	ck_assert_int_eq(wait_for_intake(), EXIT_FAILURE);
	ck_assert_str_eq(server.seen, "");
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("intake");
	TCase *tc = tcase_create("all");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, a_message_is_filed_where_the_registrar_says);
	tcase_add_test(tc, without_the_registrars_word_nothing_is_moved);
	tcase_add_loop_test(tc,
	    a_password_that_is_too_long_or_holds_a_nul_is_refused, 0, 2);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
