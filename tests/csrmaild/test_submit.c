#include "csrmaild/submit.h"

#include "common/err.h"
#include "common/role.h"
#include "csrmaild/settings.h"
#include "csrmaild/sasl.h"
#include "csrmaild/smtp.h"
#include "csrmaild/stream.h"
#include "csrmaild/wire.h"
#include "tests/support/fixtures.h"

#include <arpa/inet.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/*
 * A server that follows a script: what it replies to each command. NULL
 * closes the connection, "" says nothing more, "\b..." is cut off by its end.
 */
struct script {
	const char	*name;
	const char	*greeting, *ehlo, *auth, *mail, *rcpt, *data, *dot;
	const char	*user;		/* ours; "" for no authentication */
	enum tls_mode	 tls;
	enum sent_result want;
	uint16_t	 code;
	const char	*text;		/* stands in what we report */
	unsigned int	 bodies;	/* that came through */
};

struct server {
	pid_t		 pid;
	uint16_t	 port;
	/* Shared with the server's process. */
	volatile struct counts {
		unsigned int	sessions, mails, bodies;
	}		*counts;
};

static void
serve_one(const struct script *s, int fd, volatile struct counts *counts)
{
	FILE *in = fdopen(fd, "r");
	const char *reply = s->greeting;
	bool in_body = false, wanted = false;
	char line[2048];

	counts->sessions++;
	for (;;) {
		if (reply == NULL)
			break;
		if (reply[0] == '\b') {	/* and nothing behind it */
			dprintf(fd, "%s", reply + 1);
			break;
		}
		if (reply[0] != '\0')
			dprintf(fd, "%s\r\n", reply);
		if (fgets(line, sizeof(line), in) == NULL)
			break;
		reply = "";
		if (in_body && strcmp(line, ".\r\n") != 0)
			continue;
		if (in_body) {
			in_body = false;
			counts->bodies++;
			reply = s->dot;
		} else if (strncmp(line, "EHLO", 4) == 0) {
			reply = s->ehlo;
		} else if (strncmp(line, "AUTH", 4) == 0) {
			/* NUL ca NUL pass */
			reply = strcmp(line, "AUTH PLAIN AGNhAHBhc3M=\r\n") ==
			    0 ? s->auth : "535 5.7.8 not what we expected";
		} else if (strncmp(line, "MAIL", 4) == 0) {
			counts->mails++;
			wanted = false;
			reply = s->mail;
		} else if (strncmp(line, "RCPT", 4) == 0) {
			reply = strstr(line, "<nobody@") != NULL ?
			    "550 5.1.1 nobody of that name" :
			    strstr(line, "<later@") != NULL ?
			    "451 4.2.1 come again" : s->rcpt;
			wanted = wanted || reply == s->rcpt;
		} else if (strncmp(line, "DATA", 4) == 0) {
			reply = wanted ? s->data : "554 5.5.1 for nobody";
			in_body = reply != NULL && reply[0] == '3';
		} else if (strncmp(line, "STARTTLS", 8) == 0) {
			reply = "220 go on\r\n250 injected";
		} else if (strncmp(line, "QUIT", 4) == 0) {
			dprintf(fd, "221 bye\r\n");
			reply = NULL;
		} else {
			reply = "250 fine";
		}
	}
	fclose(in);
}

static struct server
start_server(const struct script *s)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct server server;

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	ck_assert_int_eq(listen(fd, 5), 0);
	getsockname(fd, (struct sockaddr *)&at, &len);
	server.port = ntohs(at.sin_port);
	server.counts = mmap(NULL, sizeof(*server.counts),
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	server.pid = fork();
	if (server.pid == 0) {
		signal(SIGPIPE, SIG_IGN);
		for (;;)
			serve_one(s, accept(fd, NULL, NULL), server.counts);
	}
	close(fd);
	return server;
}

static void
stop_server(struct server *server)
{
	kill(server->pid, SIGKILL);
	waitpid(server->pid, NULL, 0);
	munmap((void *)(uintptr_t)server->counts, sizeof(*server->counts));
}

/* With TLS 1.3 demanded it is mailsmtp, also where there is no TLS at all; else
 * libesmtp. */
enum { ESMTP, ETPAN, N_TRANSPORTS };
static int transport;
static const char *const transport_names[] = { "libesmtp", "mailsmtp" };

static struct server_settings
settings_for(uint16_t port, enum tls_mode tls, const char *user)
{
	static char nothing[] = "", host[] = "127.0.0.1";

	return (struct server_settings){ .host = host, .port = port,
	    .tls = tls, .ca_file = nothing, .tls_name = nothing,
	    .user = (char *)(uintptr_t)user, .password_file = nothing,
	    .tls_min = transport == ETPAN ? TLS_1_3 : TLS_1_2,
	    .timeout_s = 1 };
}

static void
count_settled(const struct letter *letter, void *arg)
{
	unsigned int *n = arg;

	ck_assert(letter->settled);
	(*n)++;
}

/* How many letters are settled before the session is told to end. */
static unsigned int stop_after = 1000;

static bool
until_stopped(void *arg)
{
	const unsigned int *n = arg;

	return *n < stop_after;
}

#define MAIL	"From: ca@example.test\r\nTo: user@example.test\r\n" \
	"Date: Thu, 01 Jan 2026 12:00:00 +0000\r\n" \
	"Message-ID: <1@example.test>\r\nSubject: x\r\n\r\nbody\r\n.dot\r\n"

static struct letter
letter_to(const char *recipient)
{
	struct letter letter = { .id = 1, .sender = "ca@example.test",
	    .message = bytes_of(MAIL) };

	snprintf(letter.recipient, sizeof(letter.recipient), "%s", recipient);
	return letter;
}

static const char *secret = "pass";
static bool login_was_refused;

static int
send_to(const struct server_settings *where, struct letter *letters,
    size_t n)
{
	OWNED_STRUCT(smtp) *smtp = NULL;
	SSL_CTX *tls = NULL;
	struct err err = { 0 };
	unsigned int settled = 0;
	int r;

	if (where->tls != TLS_NONE)
		ck_assert_int_eq(stream_tls_context("", &tls, &err), 0);
	ck_assert_msg(smtp_new(where, tls, -1, &smtp, &err) == 0, "%s",
	    err.text);
	r = smtp_send(smtp, secret, letters, n, count_settled, until_stopped,
	    &settled, &err);
	login_was_refused = smtp_login_was_refused(smtp);
	ck_assert_uint_eq(settled, n);
	return r;
}

#define FINE	"220 hello", "250-test\r\n250 AUTH LOGIN PLAIN CRAM-MD5", \
	"235 2.7.0 come in", "250 2.1.0 ok", "250 2.1.5 ok", "354 go on", \
	"250 2.0.0 queued"

static const struct script scripts[] = {
	{ "accepted", FINE, "", TLS_NONE, SENT_ACCEPTED, 250, "queued", 1 },
	{ "accepted, authenticated", FINE, "ca", TLS_NONE, SENT_ACCEPTED, 250,
	    "queued", 1 },
	{ "unwelcome", "554 5.3.2 go away", NULL, NULL, NULL, NULL, NULL, NULL,
	    "", TLS_NONE, SENT_DEFERRED, 0, "go away", 0 },
	{ "busy", "421 4.3.2 too busy", NULL, NULL, NULL, NULL, NULL, NULL,
	    "", TLS_NONE, SENT_DEFERRED, 0, "too busy", 0 },
	{ "mute", "", NULL, NULL, NULL, NULL, NULL, NULL,
	    "", TLS_NONE, SENT_DEFERRED, 0, "", 0 },
	{ "sender refused", "220 hi", "250 test", NULL, "550 5.7.1 not you",
	    "250 ok", "354 go on", "250 queued",
	    "", TLS_NONE, SENT_REFUSED, 550, "not you", 0 },
	{ "authentication wanted", "220 hi", "250 test", NULL,
	    "530 5.7.0 authenticate first", "250 ok", "354 go on",
	    "250 queued", "", TLS_NONE, SENT_DEFERRED, 530, "authenticate",
	    0 },
	{ "recipient refused", "220 hi", "250 test", NULL, "250 ok",
	    "550 5.1.1 nobody", "554 no valid recipients", "250 queued",
	    "", TLS_NONE, SENT_REFUSED, 550, "nobody", 0 },
	{ "recipient deferred", "220 hi", "250 test", NULL, "250 ok",
	    "450 4.2.1 greylisted", "554 no valid recipients", "250 queued",
	    "", TLS_NONE, SENT_DEFERRED, 450, "greylisted", 0 },
	{ "message refused", "220 hi", "250 test", NULL, "250 ok",
	    "250 ok", "354 go on", "554 5.6.0 spam", "", TLS_NONE,
	    SENT_REFUSED, 554, "spam", 1 },
	{ "message deferred", "220 hi", "250 test", NULL, "250 ok",
	    "250 ok", "354 go on", "452 4.3.1 disk full", "", TLS_NONE,
	    SENT_DEFERRED, 452, "disk full", 1 },
	{ "closed after the message", "220 hi", "250 test", NULL, "250 ok",
	    "250 ok", "354 go on", NULL, "", TLS_NONE, SENT_DEFERRED, 0,
	    "ended before", 1 },
	{ "silent after the message", "220 hi", "250 test", NULL, "250 ok",
	    "250 ok", "354 go on", "", "", TLS_NONE, SENT_DEFERRED, 0,
	    "ended before", 1 },
	{ "half a reply after the message", "220 hi", "250 test", NULL,
	    "250 ok", "250 ok", "354 go on", "250-2.0.0 queued", "", TLS_NONE,
	    SENT_DEFERRED, 0, "ended before", 1 },
	{ "half a line after the message", "220 hi", "250 test", NULL,
	    "250 ok", "250 ok", "354 go on", "\b250 2.0.0 que", "", TLS_NONE,
	    SENT_DEFERRED, 0, "ended before", 1 },
	{ "250 to DATA, before the message", "220 hi", "250 test", NULL,
	    "250 ok", "250 ok", "250 why not", "250 queued", "", TLS_NONE,
	    SENT_DEFERRED, 0, "", 0 },
	/* Never without authentication where it is configured. */
	{ "wrong password", "220 hi", "250-x\r\n250 AUTH PLAIN",
	    "535 5.7.8 wrong password", "250 ok", "250 ok", "354 go on",
	    "250 queued", "ca", TLS_NONE, SENT_DEFERRED, 0, "wrong password",
	    0 },
	{ "a server that repeats it", "220 hi", "250-x\r\n250 AUTH PLAIN",
	    "500 5.5.1 Command unrecognized: \"AUTH PLAIN AGNhAHBhc3M=\"",
	    "250 ok", "250 ok", "354 go on", "250 queued", "ca", TLS_NONE,
	    SENT_DEFERRED, 0, "repeats our secret", 0 },
	{ "authentication not offered", "220 hi", "250 test", NULL, "250 ok",
	    "250 ok", "354 go on", "250 queued", "ca", TLS_NONE,
	    SENT_DEFERRED, 0, "AUTH PLAIN", 0 },
	{ "only mechanisms we do not have", "220 hi",
	    "250-x\r\n250 AUTH XOAUTH2", NULL, "250 ok", "250 ok",
	    "354 go on", "250 queued", "ca", TLS_NONE, SENT_DEFERRED, 0,
	    "AUTH PLAIN", 0 },
	/* Never in clear where TLS is configured. */
	{ "STARTTLS stripped", FINE, "ca", TLS_STARTTLS, SENT_DEFERRED, 0,
	    "STARTTLS", 0 },
	{ "octets behind STARTTLS", "220 hi", "250-x\r\n250 STARTTLS", NULL,
	    "250 ok", "250 ok", "354 go on", "250 queued", "", TLS_STARTTLS,
	    SENT_DEFERRED, 0, "in clear", 0 },
};

START_TEST(delivered_is_only_what_the_server_took)
{
	const struct script *s = &scripts[_i / N_TRANSPORTS];
	struct server server = start_server(s);
	transport = _i % N_TRANSPORTS;
	struct server_settings where = settings_for(server.port, s->tls,
	    s->user);
	const char *by = transport_names[transport];
	struct letter letter = letter_to("user@example.test");
	int r = send_to(&where, &letter, 1);

	ck_assert_msg(letter.result == s->want, "%s, %s: %d %s", s->name, by,
	    letter.result, letter.text);
	ck_assert_msg(letter.code == s->code, "%s, %s: %d %s", s->name, by,
	    letter.code, letter.text);
	ck_assert_msg(strstr(letter.text, s->text) != NULL,
	    "%s, %s: %s", s->name, by, letter.text);
	ck_assert_msg(login_was_refused == (s->auth != NULL &&
	    s->auth[0] == '5'), "%s, %s", s->name, by);
	ck_assert_msg(letter.result == SENT_ACCEPTED || letter.text[0] != '\0',
	    "%s: nothing is said", s->name);
	ck_assert_msg(server.counts->bodies == s->bodies, "%s: %u", s->name,
	    server.counts->bodies);
	if (s->want == SENT_ACCEPTED)
		ck_assert_int_eq(r, 0);
	stop_server(&server);
}
END_TEST

START_TEST(several_letters_go_in_one_session_each_with_its_fate)
{
	static const struct script fine = { "", FINE, "ca", TLS_NONE,
	    SENT_ACCEPTED, 250, "", 0 };
	struct server server = start_server(&fine);
	transport = _i;
	struct server_settings where = settings_for(server.port, TLS_NONE,
	    "ca");
	struct letter letters[] = {
		letter_to("user@example.test"),
		letter_to("nobody@example.test"),
		letter_to("later@example.test"),
		letter_to("evil@example.test>\r\nDATA"),
		letter_to(""),
		letter_to("user@example.test"),
	};
	static const enum sent_result want[] = { SENT_ACCEPTED, SENT_REFUSED,
		SENT_DEFERRED, SENT_REFUSED, SENT_REFUSED, SENT_ACCEPTED };

	ck_assert_int_eq(send_to(&where, letters, ROWS(letters)), 0);
	for (int i = 0; i < ROWS(letters); i++)
		ck_assert_msg(letters[i].result == want[i], "%d: %s", i,
		    letters[i].text);
	ck_assert_uint_eq(server.counts->sessions, 1);
	ck_assert_uint_eq(server.counts->mails, 4);
	ck_assert_uint_eq(server.counts->bodies, 2);
	stop_server(&server);
}
END_TEST

START_TEST(a_session_ends_between_two_letters)
{
	static const struct script fine = { "", FINE, "ca", TLS_NONE,
	    SENT_ACCEPTED, 250, "", 0 };
	struct server server = start_server(&fine);
	transport = _i;
	struct server_settings where = settings_for(server.port, TLS_NONE,
	    "ca");
	struct letter letters[] = {
		letter_to("user@example.test"),
		letter_to("user@example.test"),
		letter_to("user@example.test"),
	};

	stop_after = 1;
	send_to(&where, letters, ROWS(letters));
	ck_assert_int_eq(letters[0].result, SENT_ACCEPTED);
	ck_assert_int_eq(letters[1].result, SENT_DEFERRED);
	ck_assert_int_eq(letters[2].result, SENT_DEFERRED);
	ck_assert_uint_eq(server.counts->bodies, 1);
	stop_after = 1000;
	stop_server(&server);
}
END_TEST

START_TEST(without_a_server_everything_waits)
{
	static const struct script fine = { "", FINE, "", TLS_NONE,
	    SENT_ACCEPTED, 250, "", 0 };
	struct server server = start_server(&fine);
	transport = _i;
	struct server_settings where = settings_for(server.port, TLS_NONE,
	    "");
	struct letter letter = letter_to("user@example.test");

	stop_server(&server);
	ck_assert_int_eq(send_to(&where, &letter, 1), -1);
	ck_assert_int_eq(letter.result, SENT_DEFERRED);
	ck_assert_ptr_nonnull(strstr(letter.text, "refused"));
}
END_TEST

/* --- logins ---------------------------------------------------------------- */

/* What EHLO offers, the method of the settings, and what then is said. */
static const struct {
	const char	*name, *offers;
	enum auth_method method;
	size_t		 token;		/* octets of it; 0: "pass" */
	const char	*said;		/* stands in the server's record */
} logins[] = {
	{ "PLAIN", "PLAIN LOGIN", AUTH_PASSWORD, 0,
	    "AUTH PLAIN AGNhAHBhc3M=|" },
	{ "LOGIN alone", "LOGIN", AUTH_PASSWORD, 0,
	    "AUTH LOGIN|Y2E=|cGFzcw==|" },
	{ "a short token", "XOAUTH2", AUTH_XOAUTH2, 0, "AUTH XOAUTH2 dXNlcj1"
	    "jYQFhdXRoPUJlYXJlciBwYXNzAQE=|" },
	{ "a long token", "PLAIN XOAUTH2", AUTH_XOAUTH2, 4096,
	    "AUTH XOAUTH2|dXNlcj1jYQFhdXRoPUJlYXJlciB0dHR0" },
	{ "the client certificate", "EXTERNAL", AUTH_EXTERNAL, 0,
	    "AUTH EXTERNAL Y2E=|" },
};
static const struct {
	const char	*name, *offers;
	enum auth_method method;
	const char	*token;
	const char	*text;
} unwilling[] = {
	{ "a token is no password", "PLAIN LOGIN", AUTH_XOAUTH2, "t",
	    "AUTH XOAUTH2" },
	{ "a password is no token", "XOAUTH2", AUTH_PASSWORD, "p",
	    "AUTH PLAIN" },
	{ "nothing offered", "", AUTH_XOAUTH2, "t", "AUTH XOAUTH2" },
	{ "one mechanism's name within another's", "XOAUTH25", AUTH_XOAUTH2,
	    "t", "AUTH XOAUTH2" },
	{ "a token that would be two lines", "XOAUTH2", AUTH_XOAUTH2,
	    "t\r\nMAIL", "octets" },
	{ "a token that the server refuses", "XOAUTH2", AUTH_XOAUTH2,
	    "wrong", "535" },
};

struct record {
	char	text[65536];
	bool	long_line;
};

/* Takes every login but a token "wrong", whose refusal has two steps. */
static void
serve_login(int fd, const char *offered, struct record *record)
{
	FILE *in = fdopen(fd, "r");
	static char line[32768];
	int questions = 0;

	dprintf(fd, "220 hello\r\n");
	while (fgets(line, sizeof(line), in) != NULL) {
		const char *reply = "250 fine";

		line[strcspn(line, "\r\n")] = '\0';
		record->long_line |= strlen(line) > 510 &&
		    strncmp(line, "AUTH", 4) == 0;
		strcat(record->text, line);
		strcat(record->text, "|");
		if (strncmp(line, "EHLO", 4) == 0) {
			dprintf(fd, "250-fake\r\n250 AUTH %s\r\n", offered);
			continue;
		} else if (strcmp(line, "AUTH LOGIN") == 0) {
			questions = 2;
			reply = "334 VXNlcm5hbWU6";
		} else if (strcmp(line, "AUTH XOAUTH2") == 0) {
			questions = 1;
			reply = "334 ";
		} else if (strstr(line, "B3cm9uZwEB") != NULL) {
			/* " wrong", in base64 */
			reply = "334 eyJzdGF0dXMiOiI0MDEifQ==";
		} else if (line[0] == '\0') {
			reply = "535 5.7.8 not accepted";
		} else if (questions > 0) {
			reply = --questions > 0 ? "334 UGFzc3dvcmQ6" :
			    "235 welcome";
		} else if (strncmp(line, "AUTH", 4) == 0) {
			reply = "235 welcome";
		} else if (strcmp(line, "DATA") == 0) {
			dprintf(fd, "354 go on\r\n");
			while (fgets(line, sizeof(line), in) != NULL &&
			    strcmp(line, ".\r\n") != 0)
				continue;
		}
		dprintf(fd, "%s\r\n", reply);
		if (strcmp(line, "QUIT") == 0)
			break;
	}
	fclose(in);
}

/* One session with such a server; what the letter became. */
static struct letter
send_logged_in(const char *offered, enum auth_method method,
    const char *what, struct record *out)
{
	struct record *record = mmap(NULL, sizeof(*record),
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct letter letter = letter_to("user@example.test");
	struct server_settings where;
	struct sockaddr_in at = { .sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	pid_t pid;

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	ck_assert_int_eq(listen(fd, 5), 0);
	getsockname(fd, (struct sockaddr *)&at, &len);
	pid = fork();
	if (pid == 0) {
		serve_login(accept(fd, NULL, NULL), offered, record);
		_exit(0);
	}
	close(fd);
	transport = ETPAN;
	where = settings_for(ntohs(at.sin_port), TLS_NONE, "ca");
	where.auth = method;
	secret = what;
	send_to(&where, &letter, 1);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	*out = *record;
	munmap(record, sizeof(*record));
	return letter;
}

START_TEST(a_login_says_what_its_mechanism_wants)
{
	static struct record record;
	static char token[8192];
	struct letter letter;

	memset(token, 't', logins[_i].token);
	token[logins[_i].token] = '\0';
	letter = send_logged_in(logins[_i].offers, logins[_i].method,
	    logins[_i].token == 0 ? "pass" : token, &record);
	ck_assert_msg(letter.result == SENT_ACCEPTED, "%s: %s",
	    logins[_i].name, letter.text);
	ck_assert_msg(strstr(record.text, logins[_i].said) != NULL, "%s: %s",
	    logins[_i].name, record.text);
	ck_assert_msg(!record.long_line, "%s", logins[_i].name);
}
END_TEST

START_TEST(no_mail_without_the_login_that_is_configured)
{
	static struct record record;
	struct letter letter = send_logged_in(unwilling[_i].offers,
	    unwilling[_i].method, unwilling[_i].token, &record);

	ck_assert_msg(letter.result == SENT_DEFERRED, "%s",
	    unwilling[_i].name);
	ck_assert_msg(strstr(letter.text, unwilling[_i].text) != NULL,
	    "%s: %s", unwilling[_i].name, letter.text);
	ck_assert_msg(strstr(record.text, "MAIL") == NULL, "%s: %s",
	    unwilling[_i].name, record.text);
}
END_TEST

/* --- the role ------------------------------------------------------------ */

static int
make_settings(uint16_t port, struct err *err)
{
	OWNED_STRUCT(settings) *s = NULL;
	char dir[] = "/tmp/csrmail-test-XXXXXX", path[64];
	static const char *const folders[] = { "/profiles", "/rules", "" };
	FILE *f;
	int fd;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s%s", dir, folders[i]);
		ck_assert_int_eq(mkdir(path, 0700), 0);
	}
	snprintf(path, sizeof(path), "%s/csrmaild.conf", dir);
	f = fopen(path, "w");
	fprintf(f, "state_dir = \"%s\"\nrun_dir = \"%s\"\n"
	    "policies_dir = \"%s\"\nsmtp {\n\thost = \"127.0.0.1\"\n"
	    "\tport = %u\n\ttls = none\n\ttimeout_s = 5\n}\n", dir, dir, dir,
	    port);
	fclose(f);
	fd = settings_read(path, &s, err) == -1 ? -1 :
	    settings_bundle_fd(s, err);
	unlink(path);
	for (int i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s%s", dir, folders[i]);
		rmdir(path);
	}
	return fd;
}

START_TEST(the_role_answers_each_mail_and_tells_its_state)
{
	static const struct script fine = { "", FINE, "", TLS_NONE,
	    SENT_ACCEPTED, 250, "", 0 };
	struct server server = start_server(&fine);
	struct wire_send send = { .sender = "ca@example.test",
	    .message = bytes_of(MAIL) };
	struct err err = { 0 };
	int control[2], registrar[2], settings = make_settings(server.port,
	    &err), status;
	struct channel *main_end, *reg;
	unsigned int accepted = 0, refused = 0, states = 0;
	pid_t pid;

	ck_assert_msg(settings >= 0, "%s", err.text);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, control), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, registrar), 0);
	pid = fork();
	if (pid == 0) {
		struct role role = { .program = "csrmaild", .name = "submit",
		    .control = channel_new(control[1], "main", 65536, 65536),
		    .descriptors = { { "settings", settings },
			{ "registrar", registrar[1] } },
		    .n_descriptors = 2 };

		close(control[0]);
		close(registrar[0]);
		_exit(submit_main(&role));
	}
	close(control[1]);
	close(registrar[1]);
	close(settings);
	main_end = channel_new(control[0], "submit", 65536, 65536);
	reg = channel_new(registrar[0], "submit", 65536, 4u << 20);
	for (send.id = 1; send.id <= 100; send.id++) {
		snprintf(send.recipient, sizeof(send.recipient), "%s",
		    send.id % 10 == 0 ? "nobody@example.test" :
		    "user@example.test");
		ck_assert_int_eq(wire_send_send(reg, &send, &err), 0);
	}
	while (accepted + refused < 100 || states == 0) {
		struct wire_mailbox state;
		struct wire_sent sent;
		struct frame frame;

		ck_assert_msg(channel_await(reg, 30000, &frame, &err) == 0,
		    "%s", err.text);
		if (frame.type == WIRE_MAILBOX) {
			ck_assert_int_eq(wire_get_mailbox(&frame, &state,
			    &err), 0);
			ck_assert_str_eq(state.mailbox, "smtp");
			ck_assert(state.connected);
			states++;
			continue;
		}
		ck_assert_int_eq(wire_get_sent(&frame, &sent, &err), 0);
		ck_assert_int_eq(sent.result, sent.id % 10 == 0 ?
		    SENT_REFUSED : SENT_ACCEPTED);
		accepted += sent.result == SENT_ACCEPTED;
		refused += sent.result == SENT_REFUSED;
	}
	ck_assert_uint_eq(accepted, 90);
	ck_assert_uint_eq(states, 1);
	ck_assert_uint_eq(server.counts->bodies, 90);
	channel_free(main_end);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	channel_free(reg);
	stop_server(&server);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("submit");
	TCase *tc = tcase_create("all");

	signal(SIGPIPE, SIG_IGN);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, delivered_is_only_what_the_server_took, 0,
	    N_TRANSPORTS * ROWS(scripts));
	tcase_add_loop_test(tc,
	    several_letters_go_in_one_session_each_with_its_fate, 0,
	    N_TRANSPORTS);
	tcase_add_loop_test(tc, a_session_ends_between_two_letters, 0,
	    N_TRANSPORTS);
	tcase_add_loop_test(tc, without_a_server_everything_waits, 0,
	    N_TRANSPORTS);
	tcase_add_loop_test(tc, a_login_says_what_its_mechanism_wants, 0,
	    ROWS(logins));
	tcase_add_loop_test(tc, no_mail_without_the_login_that_is_configured,
	    0, ROWS(unwilling));
	tcase_add_test(tc, the_role_answers_each_mail_and_tells_its_state);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
