#include "csrmaild/imap_private.h"

#include "csrmaild/settings.h"

#include "common/clock.h"
#include "common/err.h"
#include "tests/support/fake_server.h"
#include "tests/support/fixtures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LONG_MS		20000

/* libetpan 1.9.4 drops 49 octets with each BYE greeting, and 87 with an OK to
 * NAMESPACE that no answer came with. */
const char *__lsan_default_suppressions(void);
const char *
__lsan_default_suppressions(void)
{
	return "leak:mailimap_greeting_new\nleak:mailimap_response_new\n";
}

static struct fake_server server;
static SSL_CTX *tls;

static void
set_up(void)
{
	struct err err;

	ck_assert_int_eq(stream_tls_context(fake_ca_file(), &tls, &err), 0);
}

static void
tear_down(void)
{
	SSL_CTX_free(tls);
	tls = NULL;
}

/* --- a server that behaves, but for one thing --------------------------------------- */
static enum misdeed {
	BEHAVES,
	NO_STARTTLS,		/* not in the capabilities: stripped */
	REFUSES_STARTTLS,
	INJECTS,		/* an answer in clear behind STARTTLS' OK */
	INJECTS_LATER,
	PREAUTH,
	BYE,
	NO_LOGIN,		/* LOGINDISABLED */
	REFUSES_LOGIN,
	REFUSES_SELECT,
	CLOSES_IN_LITERAL,
	RESETS_IN_LITERAL,
	DRIPS_IN_LITERAL,
	HUGE_LITERAL,
	FLOODS,
	TALKS_NONSENSE,
	NO_MOVE,		/* UIDPLUS only */
	NO_MOVE_NO_UIDPLUS,
	NO_FOLDER,		/* until it is created */
	NEWS_WITH_CONTINUE,	/* "+" and EXISTS in one write */
	NEWS_IN_LISTING,	/* EXISTS while we list */
	CLOSES_IN_IDLE,
	SAYS_MORE_THAN_ASKED,
	NO_UIDVALIDITY,
	OTHERS_DELETE,		/* neither MOVE nor UIDPLUS, and UID 9 is marked */
	HAS_NAMESPACES,		/* and answers `namespaces` */
} misdeed;
static const char *namespaces;

static const char *
capabilities(const struct fake_server *s)
{
	switch (misdeed) {
	case NO_STARTTLS:
		return "IMAP4rev1 IDLE UIDPLUS MOVE";
	case NO_LOGIN:
		return "IMAP4rev1 STARTTLS LOGINDISABLED";
	case NO_MOVE:
		return "IMAP4rev1 STARTTLS IDLE UIDPLUS";
	case NO_MOVE_NO_UIDPLUS:
	case OTHERS_DELETE:
		return "IMAP4rev1 STARTTLS IDLE";
	case HAS_NAMESPACES:
		return "IMAP4rev1 STARTTLS IDLE UIDPLUS MOVE NAMESPACE";
	default:
		/* What is said in clear must be forgotten after. */
		return s->ssl != NULL ? "IMAP4rev1 IDLE UIDPLUS MOVE" :
		    "IMAP4rev1 STARTTLS IDLE UIDPLUS MOVE";
	}
}

static bool
say_ok(struct fake_server *s)
{
	return fake_say(s, "%s OK done\r\n", s->tag);
}

static bool
answer_starttls(struct fake_server *s)
{
	if (misdeed == REFUSES_STARTTLS)
		return fake_say(s, "%s NO not today\r\n", s->tag);
	if (misdeed == INJECTS)
		fake_say(s, "%s OK go\r\n* OK injected\r\n", s->tag);
	else
		say_ok(s);
	if (misdeed == INJECTS_LATER)
		fake_say(s, "* OK injected\r\n* OK injected\r\n");
	return fake_start_tls(s);
}

static bool
answer_bodies(struct fake_server *s)
{
	switch (misdeed) {
	case CLOSES_IN_LITERAL:
		fake_say(s, "* 1 FETCH (UID 7 BODY[] {100}\r\nFrom:");
		return false;
	case RESETS_IN_LITERAL:
		fake_say(s, "* 1 FETCH (UID 7 BODY[] {100}\r\nFrom:");
		fake_reset(s);
		return false;
	case HUGE_LITERAL:
		fake_say(s, "* 1 FETCH (UID 7 BODY[] {4000000000}\r\n");
		while (fake_say(s, "%01000d", 0))
			continue;
		return false;
	case DRIPS_IN_LITERAL:
		fake_say(s, "* 1 FETCH (UID 7 BODY[] {100000}\r\n");
		while (fake_say(s, "x"))
			sched_yield();
		return false;
	case SAYS_MORE_THAN_ASKED:
		fake_say(s, "* 9 FETCH (UID 99 BODY[] {1}\r\nx)\r\n"
		    "* 1 FETCH (UID 7 BODY[] {3}\r\na\nb)\r\n"
		    "* 1 FETCH (UID 7 BODY[] {1}\r\nz)\r\n"
		    "* 2 FETCH (UID 8 BODY[] NIL)\r\n"
		    "* 2 FETCH (FLAGS (\\Seen))\r\n");
		return say_ok(s);
	default:
		fake_say(s, "* 1 FETCH (UID 7 BODY[] {5}\r\n");
		fake_write(s, "a\0\r\nb", 5);
		fake_say(s, ")\r\n* 2 FETCH (UID 8 BODY[] {0}\r\n)\r\n");
		return say_ok(s);
	}
}

static bool
answer_move(struct fake_server *s, bool *created)
{
	if (misdeed == NO_FOLDER && !*created)
		return fake_say(s, "%s NO [TRYCREATE] no such folder\r\n",
		    s->tag);
	return say_ok(s);
}

static bool
answer_idle(struct fake_server *s)
{
	if (misdeed == CLOSES_IN_IDLE) {
		fake_say(s, "+ idling\r\n");
		return false;
	}
	fake_say(s, misdeed == NEWS_WITH_CONTINUE ?
	    "+ idling\r\n* 3 EXISTS\r\n" : "+ idling\r\n");
	char tag[32];

	memcpy(tag, s->tag, sizeof(tag));
	return fake_read_line(s) && fake_was_asked(s, "DONE") &&
	    fake_say(s, "%s OK done\r\n", tag);
}

static bool
answer_select(struct fake_server *s)
{
	switch (misdeed) {
	case REFUSES_SELECT:
		return fake_say(s, "%s NO no such folder\r\n", s->tag);
	case FLOODS:
		while (fake_say(s, "* OK still here\r\n"))
			continue;
		return false;
	case TALKS_NONSENSE:
		return fake_say(s, "what do you want?\r\n");
	case NO_UIDVALIDITY:
		return fake_say(s, "* 2 EXISTS\r\n%s OK [READ-WRITE] x\r\n",
		    s->tag);
	default:
		return fake_say(s, "* 2 EXISTS\r\n* OK [UIDVALIDITY 42] x\r\n"
		    "* OK [UIDNEXT 9] x\r\n%s OK [READ-WRITE] x\r\n", s->tag);
	}
}

static bool
answer(struct fake_server *s, bool *created)
{
	if (fake_was_asked(s, "CAPABILITY"))
		return fake_say(s, "* CAPABILITY %s\r\n%s OK done\r\n",
		    capabilities(s), s->tag);
	if (fake_was_asked(s, "STARTTLS"))
		return answer_starttls(s);
	if (fake_was_asked(s, "LOGIN"))
		return misdeed == REFUSES_LOGIN ?
		    fake_say(s, "%s NO [AUTHENTICATIONFAILED] wrong\r\n",
		    s->tag) : say_ok(s);
	if (fake_was_asked(s, "NAMESPACE"))
		return fake_say(s, "%s%s OK done\r\n", namespaces, s->tag);
	if (fake_was_asked(s, "SELECT"))
		return answer_select(s);
	if (fake_was_asked(s, "RFC822.SIZE"))
		return fake_say(s, "* 1 FETCH (UID 7 RFC822.SIZE 5)\r\n"
		    "* 2 FETCH (UID 8 RFC822.SIZE 4000000000)\r\n"
		    "* 2 FETCH (FLAGS (\\Seen))\r\n%s%s OK done\r\n",
		    misdeed == NEWS_IN_LISTING ? "* 3 EXISTS\r\n" : "",
		    s->tag);
	if (fake_was_asked(s, "BODY.PEEK[HEADER]"))
		return fake_say(s, "* 1 FETCH (UID 7 BODY[HEADER]<0> {6}\r\n"
		    "A: b\r\n)\r\n%s OK done\r\n", s->tag);
	if (fake_was_asked(s, "BODY.PEEK[]"))
		return answer_bodies(s);
	if (fake_was_asked(s, "SEARCH"))
		return fake_say(s, "* SEARCH%s\r\n%s OK done\r\n",
		    misdeed == OTHERS_DELETE ? " 7 9" : " 7 8", s->tag);
	if (fake_was_asked(s, "CREATE")) {
		*created = true;
		return say_ok(s);
	}
	if (fake_was_asked(s, "MOVE") || fake_was_asked(s, "COPY"))
		return answer_move(s, created);
	if (fake_was_asked(s, "IDLE"))
		return answer_idle(s);
	if (fake_was_asked(s, "LOGOUT")) {
		fake_say(s, "* BYE\r\n%s OK done\r\n", s->tag);
		return false;
	}
	return say_ok(s);
}

static void
serve(struct fake_server *s)
{
	bool created = false;

	fake_say(s, misdeed == PREAUTH ? "* PREAUTH hi\r\n" :
	    misdeed == BYE ? "* BYE too busy\r\n" : "* OK hi\r\n");
	while (fake_read_line(s) && answer(s, &created))
		continue;
}

/* --- the client ----------------------------------------------------------------------- */
static char host[] = "127.0.0.1", none[] = "", user[] = "ca", name[] =
    "localhost";

static int
open_session(enum tls_mode mode, struct imap **imap, struct err *err)
{
	struct server_settings settings = {
		.host = host, .port = server.port, .tls = mode,
		.ca_file = none, .tls_name = name, .user = user,
		.timeout_s = 1,
	};

	return imap_open(&settings, tls, "secret", -1, imap, err);
}

/* Logged in, INBOX selected. */
static struct imap *
open_inbox(enum misdeed what)
{
	struct imap *imap = NULL;
	uint32_t uid_validity = 0;
	struct err err = { 0 };

	misdeed = what;
	fake_start(&server, serve, FAKE_GOOD);
	ck_assert_msg(open_session(TLS_STARTTLS, &imap, &err) == 0, "%s",
	    err.text);
	ck_assert_msg(imap_select(imap, "INBOX", &uid_validity, &err) == 0,
	    "%s", err.text);
	ck_assert_uint_eq(uid_validity, 42);
	return imap;
}

static void
finish(struct imap *imap)
{
	imap_free(imap);
	fake_finish(&server);
}

static const struct {
	const char	*name;
	enum misdeed	 what;
	enum tls_mode	 mode;
	enum fake_certificate certificate;
	bool		 want;
	bool		 may_log_in;	/* may the password have gone out? */
} openings[] = {
	{ "STARTTLS", BEHAVES, TLS_STARTTLS, FAKE_GOOD, true, true },
	{ "in clear, here", BEHAVES, TLS_NONE, FAKE_GOOD, true, true },
	{ "STARTTLS is stripped", NO_STARTTLS, TLS_STARTTLS, FAKE_GOOD,
	  false, false },
	{ "STARTTLS is refused", REFUSES_STARTTLS, TLS_STARTTLS, FAKE_GOOD,
	  false, false },
	{ "an answer is injected", INJECTS, TLS_STARTTLS, FAKE_GOOD, false,
	  false },
	{ "an answer is injected later", INJECTS_LATER, TLS_STARTTLS,
	  FAKE_GOOD, false, false },
	{ "PREAUTH before STARTTLS", PREAUTH, TLS_STARTTLS, FAKE_GOOD, false,
	  false },
	{ "PREAUTH in clear", PREAUTH, TLS_NONE, FAKE_GOOD, false, false },
	{ "BYE", BYE, TLS_STARTTLS, FAKE_GOOD, false, false },
	{ "LOGINDISABLED", NO_LOGIN, TLS_STARTTLS, FAKE_GOOD, false, false },
	{ "another name", BEHAVES, TLS_STARTTLS, FAKE_OTHER_NAME, false,
	  false },
	{ "another CA", BEHAVES, TLS_STARTTLS, FAKE_OTHER_CA, false, false },
	{ "expired", BEHAVES, TLS_STARTTLS, FAKE_EXPIRED, false, false },
	{ "TLS 1.1", BEHAVES, TLS_STARTTLS, FAKE_TLS_1_1, false, false },
	{ "a wrong password", REFUSES_LOGIN, TLS_STARTTLS, FAKE_GOOD, false,
	  true },
	{ "TLS to a server that speaks in clear", BEHAVES, TLS_IMPLICIT,
	  FAKE_GOOD, false, false },
};

START_TEST(the_password_goes_only_to_a_verified_server)
{
	struct imap *imap = NULL;
	struct err err = { 0 };
	int64_t start = clock_monotonic_ms();
	int r;

	misdeed = openings[_i].what;
	fake_start(&server, serve, openings[_i].certificate);
	r = open_session(openings[_i].mode, &imap, &err);
	ck_assert_msg((r == 0) == openings[_i].want, "%s: %s",
	    openings[_i].name, err.text);
	ck_assert_int_lt(clock_monotonic_ms(), start + LONG_MS);
	finish(imap);
	ck_assert_msg((strstr(server.seen, "secret") != NULL) ==
	    openings[_i].may_log_in, "%s: %s", openings[_i].name,
	    server.seen);
}
END_TEST

START_TEST(a_refusal_carries_the_servers_words)
{
	struct imap *imap = NULL;
	struct err err = { 0 };

	misdeed = REFUSES_LOGIN;
	fake_start(&server, serve, FAKE_GOOD);
	ck_assert_int_eq(open_session(TLS_STARTTLS, &imap, &err), -1);
	ck_assert_int_eq(err.kind, ERR_RETRY);
	ck_assert_msg(strstr(err.text, "wrong") != NULL, "%s", err.text);
	finish(imap);
}
END_TEST

START_TEST(a_line_end_in_the_password_never_leaves)
{
	struct server_settings settings = {
		.host = host, .tls = TLS_NONE, .ca_file = none,
		.tls_name = none, .user = user, .timeout_s = 1,
	};
	struct imap *imap = NULL;
	struct err err = { 0 };

	misdeed = BEHAVES;
	fake_start(&server, serve, FAKE_GOOD);
	settings.port = server.port;
	ck_assert_int_eq(imap_open(&settings, NULL, "a\r\nx DELETE INBOX", -1,
	    &imap, &err), -1);
	ck_assert_int_eq(err.kind, ERR_FAULT);
	finish(imap);
	ck_assert_ptr_null(strstr(server.seen, "DELETE"));
}
END_TEST

START_TEST(a_password_arrives_as_it_is)
{
	struct server_settings settings = {
		.host = host, .tls = TLS_NONE, .ca_file = none,
		.tls_name = none, .user = user, .timeout_s = 1,
	};
	struct imap *imap = NULL;
	struct err err = { 0 };

	misdeed = BEHAVES;
	fake_start(&server, serve, FAKE_GOOD);
	settings.port = server.port;
	ck_assert_int_eq(imap_open(&settings, NULL, "a\"b\\c d{1}", -1, &imap,
	    &err), 0);
	finish(imap);
	ck_assert_msg(strstr(server.seen, "\"a\\\"b\\\\c d{1}\"") != NULL,
	    "%s", server.seen);
}
END_TEST

static const struct {
	const char	*name;
	enum misdeed	 what;
	bool		 broken;
} selections[] = {
	{ "no such folder", REFUSES_SELECT, false },
	{ "a flood", FLOODS, true },
	{ "nonsense", TALKS_NONSENSE, true },
};

START_TEST(a_folder_that_does_not_open_is_said)
{
	struct imap *imap = NULL;
	uint32_t uid_validity;
	struct err err = { 0 };

	misdeed = selections[_i].what;
	fake_start(&server, serve, FAKE_GOOD);
	ck_assert_int_eq(open_session(TLS_NONE, &imap, &err), 0);
	ck_assert_int_eq(imap_select(imap, "INBOX", &uid_validity, &err), -1);
	ck_assert_msg(imap_is_broken(imap) == selections[_i].broken, "%s: %s",
	    selections[_i].name, err.text);
	finish(imap);
}
END_TEST

START_TEST(sizes_come_for_every_message)
{
	struct imap *imap = open_inbox(BEHAVES);
	struct imap_size *sizes = NULL;
	struct err err;
	size_t n;

	ck_assert_int_eq(imap_list_sizes(imap, &sizes, &n, &err), 0);
	ck_assert_uint_eq(n, 2);
	ck_assert_uint_eq(sizes[0].uid, 7);
	ck_assert_uint_eq(sizes[0].octets, 5);
	ck_assert_uint_eq(sizes[1].octets, 4000000000);
	free(sizes);
	finish(imap);
}
END_TEST

static const struct imap_size asked[] = { { 7, 5 }, { 8, 5 } };

START_TEST(octets_come_as_they_are)
{
	struct imap *imap = open_inbox(BEHAVES);
	struct imap_batch *batch = NULL;
	struct err err;

	ck_assert_int_eq(imap_fetch(imap, asked, 2, &batch, &err), 0);
	ck_assert_uint_eq(batch->n, 2);
	ck_assert(bytes_equal(batch->messages[0].octets,
	    (struct bytes){ (const uint8_t *)"a\0\r\nb", 5 }));
	ck_assert_uint_eq(batch->messages[1].octets.len, 0);
	imap_batch_free(batch);
	ck_assert_int_eq(imap_fetch_header(imap, 7, 100, &batch, &err), 0);
	ck_assert_uint_eq(batch->n, 1);
	ck_assert_uint_eq(batch->messages[0].octets.len, 6);
	imap_batch_free(batch);
	finish(imap);
	ck_assert_ptr_nonnull(strstr(server.seen, "BODY.PEEK[HEADER]<0.100>"));
	ck_assert_ptr_null(strstr(server.seen, "BODYSTRUCTURE"));
}
END_TEST

START_TEST(only_what_was_asked_for_is_taken_and_once)
{
	struct imap *imap = open_inbox(SAYS_MORE_THAN_ASKED);
	struct imap_batch *batch = NULL;
	struct err err;

	ck_assert_int_eq(imap_fetch(imap, asked, 2, &batch, &err), 0);
	ck_assert_uint_eq(batch->n, 1);
	ck_assert_uint_eq(batch->messages[0].uid, 7);
	ck_assert_uint_eq(batch->messages[0].octets.len, 3);
	imap_batch_free(batch);
	finish(imap);
}
END_TEST

static const struct {
	const char	*name;
	enum misdeed	 what;
} literals[] = {
	{ "closed", CLOSES_IN_LITERAL },
	{ "reset", RESETS_IN_LITERAL },
	{ "dripped", DRIPS_IN_LITERAL },
	{ "of 4 GB", HUGE_LITERAL },
};

START_TEST(a_literal_that_goes_wrong_ends_the_session_in_time)
{
	struct imap *imap = open_inbox(literals[_i].what);
	struct imap_batch *batch = NULL;
	struct err err;
	int64_t start = clock_monotonic_ms();

	ck_assert_int_eq(imap_fetch(imap, asked, 2, &batch, &err), -1);
	ck_assert_int_eq(err.kind, ERR_RETRY);
	ck_assert_msg(imap_is_broken(imap), "%s", literals[_i].name);
	ck_assert_int_lt(clock_monotonic_ms(), start + LONG_MS);
	ck_assert_ptr_null(batch);
	finish(imap);
}
END_TEST

static const struct {
	const char	*name;
	enum misdeed	 what;
	int		 want;
	const char	*seen[3];	/* commands that it takes */
} moves[] = {
	{ "MOVE", BEHAVES, 0, { "UID MOVE 7:8", NULL, NULL } },
	{ "COPY", NO_MOVE, 0, { "UID COPY 7:8", "STORE 7:8 +FLAGS.SILENT",
	  "UID EXPUNGE 7:8" } },
	{ "neither", NO_MOVE_NO_UIDPLUS, 0, { "UID COPY 7:8",
	  "UID SEARCH DELETED", "EXPUNGE" } },
	{ "no folder", NO_FOLDER, 0, { "CREATE", "UID MOVE", NULL } },
};

START_TEST(messages_are_filed_by_move_or_its_like)
{
	struct imap *imap = open_inbox(moves[_i].what);
	static const uint32_t uids[] = { 7, 8 };
	struct err err = { 0 };
	char seen[sizeof(server.seen)];

	ck_assert_msg(imap_move(imap, uids, 2, "Held", &err) ==
	    moves[_i].want, "%s: %s", moves[_i].name, err.text);
	ck_assert(!imap_is_broken(imap));
	finish(imap);
	/* A set may be written 7:8 or 7,8. */
	memcpy(seen, server.seen, sizeof(seen));
	for (char *c = seen; (c = strstr(c, "7,8")) != NULL; c++)
		c[1] = ':';
	for (size_t i = 0; i < 3 && moves[_i].seen[i] != NULL; i++)
		ck_assert_msg(strstr(seen, moves[_i].seen[i]) != NULL,
		    "%s: %s", moves[_i].name, server.seen);
}
END_TEST

START_TEST(what_others_marked_is_not_expunged)
{
	struct imap *imap = open_inbox(OTHERS_DELETE);
	static const uint32_t uids[] = { 7 };
	OWNED_HEAP(struct imap_size) *sizes = NULL;
	struct err err = { 0 };
	size_t n;

	ck_assert_msg(imap_move(imap, uids, 1, "Held", &err) == 0, "%s",
	    err.text);
	/* And what had to stay is not there for us any more. */
	ck_assert_int_eq(imap_list_sizes(imap, &sizes, &n, &err), 0);
	ck_assert_uint_eq(n, 1);
	ck_assert_uint_eq(sizes[0].uid, 8);
	finish(imap);
	ck_assert_msg(strstr(server.seen, "EXPUNGE") == NULL, "%s",
	    server.seen);
}
END_TEST

/* Names of folders (RFC 3501, 5.1.3); examples of the RFC among them. */
static const struct {
	const char	*utf8, *wire;	/* NULL: refused */
} folders[] = {
	{ "INBOX", "INBOX" },
	{ "Put Aside", "\"Put Aside\"" },
	{ "A&B", "\"A&-B\"" },
	{ "~peter/mail/台北/日本語", "\"~peter/mail/&U,BTFw-/&ZeVnLIqe-\"" },
	{ "Erledigt/Bücher", "\"Erledigt/B&APw-cher\"" },
	{ "\xf0\x9f\x93\xab", "\"&2D3c6w-\"" },
	{ "é", "\"&AOk-\"" },
	{ "éé-é", "\"&AOkA6Q--&AOk-\"" },
	{ "\xc3", NULL }, { "\xc0\xaf", NULL }, { "\xed\xa0\x80", NULL },
	{ "a\r\nb", NULL }, { "", NULL },
};

/* Else two mails would be one, by and by. */
START_TEST(a_server_without_uidvalidity_is_of_no_use)
{
	struct imap *imap = NULL;
	uint32_t uid_validity;
	struct err err = { 0 };

	misdeed = NO_UIDVALIDITY;
	fake_start(&server, serve, FAKE_GOOD);
	ck_assert_int_eq(open_session(TLS_STARTTLS, &imap, &err), 0);
	ck_assert_int_eq(imap_select(imap, "INBOX", &uid_validity, &err), -1);
	ck_assert_int_eq(err.kind, ERR_RETRY);
	ck_assert_ptr_nonnull(strstr(err.text, "UIDVALIDITY"));
	finish(imap);
}
END_TEST

START_TEST(names_of_folders_are_modified_utf_7_on_the_wire)
{
	struct imap *imap = open_inbox(BEHAVES);
	uint32_t uid_validity;
	struct err err = { 0 };
	char want[100];
	int r = imap_select(imap, folders[_i].utf8, &uid_validity, &err);

	ck_assert_int_eq(r, folders[_i].wire == NULL ? -1 : 0);
	ck_assert(!imap_is_broken(imap));
	finish(imap);
	if (folders[_i].wire == NULL) {
		ck_assert_int_eq(err.kind, ERR_FAULT);
		return;
	}
	snprintf(want, sizeof(want), "SELECT %s|", folders[_i].wire);
	ck_assert_msg(strstr(server.seen, want) != NULL, "%s: %s", want,
	    server.seen);
}
END_TEST

/* The same among namespaces (RFC 2342); the first two are answers of Cyrus. */
#define INBOX_DOT	"* NAMESPACE ((\"INBOX.\" \".\")) ((\"user.\" \".\")) " \
			"((\"\" \".\"))\r\n"
#define NO_PREFIX	"* NAMESPACE ((\"\" \"/\")) ((\"Other Users/\" \"/\")) " \
			"NIL\r\n"
static const struct {
	const char	*says, *folder, *wire;
} places[] = {
	{ INBOX_DOT, "INBOX", "INBOX" },
	{ INBOX_DOT, "inbox", "inbox" },
	{ INBOX_DOT, "Held", "\"INBOX.Held\"" },
	{ INBOX_DOT, "INBOX.Held", "\"INBOX.Held\"" },
	{ INBOX_DOT, "INBOX/Held", "\"INBOX.Held\"" },
	{ INBOX_DOT, "CA/Zurück", "\"INBOX.CA.Zur&APw-ck\"" },
	{ INBOX_DOT, "user.bob.Held", "\"user.bob.Held\"" },
	{ NO_PREFIX, "CA/Held", "\"CA/Held\"" },
	{ NO_PREFIX, "Other Users/bob", "\"Other Users/bob\"" },
	{ "* NAMESPACE ((\"INBOX.\" \".\")) NIL ((\"#shared.\" \".\")"
	  "(\"shared.\" \".\"))\r\n", "shared.Held", "\"shared.Held\"" },
	{ "* NAMESPACE ((\"Mine\" NIL)) NIL NIL\r\n", "A/B", "\"MineA/B\"" },
	{ "* NAMESPACE NIL NIL ((\"Public.\" \".\"))\r\n", "A/B", "\"A/B\"" },
	{ "", "A/B", "\"A/B\"" },	/* OK, and no answer */
};

START_TEST(folders_stand_where_the_server_has_the_users_own)
{
	struct imap *imap;
	uint32_t uid_validity;
	struct err err = { 0 };
	char want[100];

	namespaces = places[_i].says;
	imap = open_inbox(HAS_NAMESPACES);
	ck_assert_msg(imap_select(imap, places[_i].folder, &uid_validity,
	    &err) == 0, "%s: %s", places[_i].folder, err.text);
	finish(imap);
	snprintf(want, sizeof(want), "SELECT %s|", places[_i].wire);
	ck_assert_msg(strstr(server.seen, want) != NULL, "%s: %s", want,
	    server.seen);
}
END_TEST

/* --- logins ------------------------------------------------------------------- */
static const char *offered;
static bool refuses, repeats;

static bool
answer_login(struct fake_server *s)
{
	char tag[sizeof(s->tag)];

	if (fake_was_asked(s, "CAPABILITY"))
		return fake_say(s, "* CAPABILITY IMAP4rev1 %s\r\n%s OK done"
		    "\r\n", offered, s->tag);
	if (repeats)
		return fake_say(s, "%s NO what is: %s\r\n", s->tag,
		    s->line);
	if (!fake_was_asked(s, "AUTHENTICATE"))
		return say_ok(s);
	memcpy(tag, s->tag, sizeof(tag));
	if (strstr(offered, "SASL-IR") == NULL &&
	    (!fake_say(s, "+ \r\n") || !fake_read_line(s)))
		return false;
	if (!refuses)
		return fake_say(s, "* CAPABILITY x\r\n%s OK in\r\n", tag);
	/* {"status":"401"}; what comes back must be an empty line. */
	fake_say(s, "+ eyJzdGF0dXMiOiI0MDEifQ==\r\n");
	fake_read_line(s);
	strcat(s->seen, s->line[0] == '\0' ? "EMPTY|" : "MORE|");
	return fake_say(s, "%s NO [AUTHENTICATIONFAILED] expired\r\n", tag);
}

static void
serve_login(struct fake_server *s)
{
	fake_say(s, "* OK hi\r\n");
	while (fake_read_line(s) && answer_login(s))
		continue;
}

static const struct {
	const char	*name, *offers;
	enum auth_method method;
	bool		 refuses;
	int		 want;
	const char	*seen;		/* NULL: no secret in any form */
} logins[] = {
	{ "PLAIN at once", "SASL-IR AUTH=PLAIN", AUTH_PASSWORD, false, 0,
	  "AUTHENTICATE PLAIN AGNhAHNlY3JldA==|" },
	{ "PLAIN when asked", "AUTH=PLAIN LOGINDISABLED", AUTH_PASSWORD,
	  false, 0, "AUTHENTICATE PLAIN|AGNhAHNlY3JldA==|" },
	{ "LOGIN", "", AUTH_PASSWORD, false, 0, "LOGIN ca secret|" },
	{ "neither", "LOGINDISABLED", AUTH_PASSWORD, false, -1, NULL },
	{ "a token", "SASL-IR AUTH=XOAUTH2", AUTH_XOAUTH2, false, 0,
	  "AUTHENTICATE XOAUTH2 dXNlcj1jYQFhdXRoPUJlYXJlciBzZWNyZXQBAQ==|" },
	{ "a token when asked", "AUTH=XOAUTH2", AUTH_XOAUTH2, false, 0,
	  "XOAUTH2|dXNlcj1jYQFhdXRoPUJlYXJlciBzZWNyZXQBAQ==|" },
	{ "a refused token", "SASL-IR AUTH=XOAUTH2 AUTH=PLAIN", AUTH_XOAUTH2,
	  true, -1, "EMPTY|" },
	{ "a token is no password", "SASL-IR AUTH=PLAIN", AUTH_XOAUTH2,
	  false, -1, NULL },
	{ "the client certificate", "SASL-IR AUTH=EXTERNAL", AUTH_EXTERNAL,
	  false, 0, "AUTHENTICATE EXTERNAL Y2E=|" },
};

START_TEST(a_login_uses_the_mechanism_of_the_settings_only)
{
	struct server_settings settings = {
		.host = host, .tls = TLS_NONE, .ca_file = none,
		.tls_name = none, .user = user, .timeout_s = 1,
		.auth = logins[_i].method,
	};
	struct imap *imap = NULL;
	struct err err = { 0 };
	int r;

	offered = logins[_i].offers;
	refuses = logins[_i].refuses;
	fake_start(&server, serve_login, FAKE_GOOD);
	settings.port = server.port;
	r = imap_open(&settings, NULL, "secret", -1, &imap, &err);
	ck_assert_msg(r == logins[_i].want, "%s: %s", logins[_i].name,
	    err.text);
	if (refuses)
		ck_assert_msg(strstr(err.text, "expired") != NULL, "%s",
		    err.text);
	finish(imap);
	if (logins[_i].seen != NULL)
		ck_assert_msg(strstr(server.seen, logins[_i].seen) != NULL,
		    "%s: %s", logins[_i].name, server.seen);
	else
		ck_assert_msg(strstr(server.seen, "secret") == NULL &&
		    strstr(server.seen, "AUTHENTICATE") == NULL, "%s: %s",
		    logins[_i].name, server.seen);
}
END_TEST

/* What it says stands in logs and in `csrmail status`. */
START_TEST(a_server_that_repeats_the_secret_is_not_quoted)
{
	static const char *const offers[] = { "", "SASL-IR AUTH=PLAIN",
		"SASL-IR AUTH=XOAUTH2" };
	struct server_settings settings = {
		.host = host, .tls = TLS_NONE, .ca_file = none,
		.tls_name = none, .user = user, .timeout_s = 1,
		.auth = _i == 2 ? AUTH_XOAUTH2 : AUTH_PASSWORD,
	};
	struct imap *imap = NULL;
	struct err err = { 0 };

	offered = offers[_i];
	repeats = true;
	fake_start(&server, serve_login, FAKE_GOOD);
	settings.port = server.port;
	ck_assert_int_eq(imap_open(&settings, NULL, "secrettoken", -1, &imap,
	    &err), -1);
	finish(imap);
	ck_assert_msg(strstr(err.text, "repeats") != NULL, "%s", err.text);
	ck_assert_ptr_null(strstr(err.text, "what is"));
}
END_TEST

static const struct {
	const char	*name;
	enum misdeed	 what;
	int64_t		 ms;
	int		 want;
	bool		 at_once;
} waits[] = {
	{ "nothing", BEHAVES, 50, 0, false },
	{ "news together with +", NEWS_WITH_CONTINUE, LONG_MS, 0, true },
	{ "news while we listed", NEWS_IN_LISTING, LONG_MS, 0, true },
	{ "the end", CLOSES_IN_IDLE, LONG_MS, -1, true },
};

START_TEST(waiting_ends_with_news_or_in_time)
{
	struct imap *imap = open_inbox(waits[_i].what);
	struct imap_size *sizes = NULL;
	struct imap_batch *batch = NULL;
	int64_t start;
	struct err err = { 0 };
	size_t n;

	ck_assert_int_eq(imap_list_sizes(imap, &sizes, &n, &err), 0);
	free(sizes);
	start = clock_monotonic_ms();
	ck_assert_msg(imap_wait(imap, start + waits[_i].ms, NULL, 0, &err) ==
	    waits[_i].want, "%s: %s", waits[_i].name, err.text);
	ck_assert_msg((clock_monotonic_ms() < start + waits[_i].ms) ==
	    waits[_i].at_once, "%s", waits[_i].name);
	/* The session goes on after IDLE. */
	if (waits[_i].want == 0) {
		ck_assert_int_eq(imap_fetch(imap, asked, 2, &batch, &err), 0);
		imap_batch_free(batch);
	}
	finish(imap);
}
END_TEST

/* RFC 2177, 3: a server may take one who says nothing for 30 minutes for gone.
 * However seldom we would look by ourselves, IDLE is said anew before that. */
START_TEST(idle_is_ended_and_said_again_before_the_server_gives_up)
{
	struct imap *imap = open_inbox(BEHAVES);
	struct err err = { 0 };
	const char *seen = server.seen;
	unsigned int n = 0;

	ck_assert_int_eq(imap->longest_wait_ms, 29 * 60 * 1000);
	imap->longest_wait_ms = 10;	/* what stands for that here */
	imap->listed = 2;
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(imap_wait(imap, clock_monotonic_ms() +
		    3600 * 1000, NULL, 0, &err), 0);
	finish(imap);
	while ((seen = strstr(seen, "IDLE|DONE|")) != NULL) {
		n++;
		seen++;
	}
	ck_assert_msg(n == 3, "%s", server.seen);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("imap");
	TCase *tc = tcase_create("all");

	tcase_set_timeout(tc, 30);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_loop_test(tc, the_password_goes_only_to_a_verified_server,
	    0, ROWS(openings));
	tcase_add_test(tc, a_refusal_carries_the_servers_words);
	tcase_add_test(tc, a_line_end_in_the_password_never_leaves);
	tcase_add_test(tc, a_password_arrives_as_it_is);
	tcase_add_loop_test(tc, a_folder_that_does_not_open_is_said, 0,
	    ROWS(selections));
	tcase_add_test(tc, a_server_without_uidvalidity_is_of_no_use);
	tcase_add_test(tc, sizes_come_for_every_message);
	tcase_add_test(tc, octets_come_as_they_are);
	tcase_add_test(tc, only_what_was_asked_for_is_taken_and_once);
	tcase_add_loop_test(tc,
	    a_literal_that_goes_wrong_ends_the_session_in_time, 0,
	    ROWS(literals));
	tcase_add_loop_test(tc, messages_are_filed_by_move_or_its_like, 0,
	    ROWS(moves));
	tcase_add_test(tc, what_others_marked_is_not_expunged);
	tcase_add_loop_test(tc,
	    names_of_folders_are_modified_utf_7_on_the_wire, 0,
	    ROWS(folders));
	tcase_add_loop_test(tc,
	    folders_stand_where_the_server_has_the_users_own, 0,
	    ROWS(places));
	tcase_add_loop_test(tc,
	    a_login_uses_the_mechanism_of_the_settings_only, 0,
	    ROWS(logins));
	tcase_add_loop_test(tc,
	    a_server_that_repeats_the_secret_is_not_quoted, 0, 3);
	tcase_add_loop_test(tc, waiting_ends_with_news_or_in_time, 0,
	    ROWS(waits));
	tcase_add_test(tc,
	    idle_is_ended_and_said_again_before_the_server_gives_up);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
