#include "csrmaild/outbox.h"

#include "csrmaild/registry.h"

#include "common/err.h"
#include "tests/support/fixtures.h"
#include "tests/support/mail_stand.h"

#include <sys/socket.h>

#include <stdio.h>
#include <string.h>

/* Mails on their way out, by way of the sealer where the mailbox signs. */
#define RULES	"rule \"all\" { evidence = { \"auth\" } email = { \"@sender\" }" \
		" action = hold }\n"

static struct channel *sealer, *session;	/* their ends */
static struct registrar *const r = &mail_stand;
static struct mailbox_settings *const mailbox = &mail_stand_mailbox;
static char certificate[] = "/certificate";
static struct err err;

#define OK(call)							\
	ck_assert_msg((call) == 0, "%s: %s (%s)", #call, err.text,	\
	    err.detail)

static void
connect_two(struct channel **ours, struct channel **theirs)
{
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0,
	    pair), 0);
	*ours = channel_new(pair[0], "peer", WIRE_MAX_MAIL + 1024, 8u << 20);
	*theirs = channel_new(pair[1], "registrar", WIRE_MAX_MAIL + 1024,
	    8u << 20);
}

static void
set_up(void)
{
	mail_stand_open(RULES);
	connect_two(&r->sealer, &sealer);
	connect_two(&r->submits[0].channel, &session);
	r->n_submits = 1;
	mailbox->smime_files[SEAL_CERTIFICATE] = certificate;
}

static void
tear_down(void)
{
	mailbox->smime_files[SEAL_CERTIFICATE] = NULL;
	channel_free(sealer);
	channel_free(session);
	channel_free(r->sealer);
	channel_free(r->submits[0].channel);
	mail_stand_close();
}

static uint64_t
queue(const char *text)
{
	static int number;
	char id[32];
	const struct outbox_row row = { .state = OUTBOX_QUEUED,
		.mailbox = mailbox->title, .sender = "ca@example.test",
		.recipient = "user@example.test", .message_id = id,
		.message = bytes_of(text), .next_attempt = NOON,
		.created_at = NOON };
	int64_t at;

	snprintf(id, sizeof(id), "%d@example.test", number++);
	OK(store_begin(r->store, &err));
	OK(store_add_outbox(r->store, &row, &at, &err));
	OK(store_commit(r->store, &err));
	return (uint64_t)at;
}

/* Nothing has come; else the frame. */
static bool
hears_nothing(struct channel *peer)
{
	struct frame frame;

	return channel_await(peer, 50, &frame, &err) == -1 &&
	    err.kind == ERR_RETRY;
}

static struct wire_seal
hear_seal(void)
{
	struct frame frame;
	struct wire_seal m;

	OK(channel_await(sealer, 1000, &frame, &err));
	OK(wire_get_seal(&frame, &m, &err));
	return m;
}

static struct wire_send
hear_send(void)
{
	struct frame frame;
	struct wire_send m;

	OK(channel_await(session, 1000, &frame, &err));
	OK(wire_get_send(&frame, &m, &err));
	return m;
}

struct seen {
	enum outbox_state state;
	unsigned int	 attempts;
	time_t		 next_attempt;
	char		 answer[256], message[64];
};

static int
note(const struct outbox_row *row, void *arg)
{
	struct seen *seen = arg;

	seen->state = row->state;
	seen->attempts = row->attempts;
	seen->next_attempt = row->next_attempt;
	snprintf(seen->answer, sizeof(seen->answer), "%s", row->last_answer);
	snprintf(seen->message, sizeof(seen->message), "%.*s",
	    (int)row->message.len, (const char *)row->message.data);
	return 1;
}

static struct seen
look(uint64_t id)
{
	struct seen seen = { 0 };

	OK(store_find_outbox(r->store, (int64_t)id, note, &seen, &err));
	return seen;
}

/* As csrmaild/work.c does it. */
static void
take_unsealed(uint64_t id, const char *why)
{
	struct wire_sealed m = { .id = id };

	snprintf(m.text, sizeof(m.text), "%s", why);
	OK(store_begin(r->store, &err));
	OK(outbox_take_unsealed(r, &m, &err));
	OK(store_commit(r->store, &err));
	outbox_forget(r, id);
}

static void
take_sent(uint64_t id, enum sent_result result)
{
	const struct wire_sent m = { .id = id, .result = result,
		.text = "said" };

	OK(store_begin(r->store, &err));
	OK(outbox_take_sent(r, &m, &err));
	OK(store_commit(r->store, &err));
	outbox_forget(r, id);
}

START_TEST(a_mail_goes_through_the_sealer_first)
{
	uint64_t id = queue("unsigned");
	struct wire_sealed sealed = { .id = id,
		.message = bytes_of("signed") };
	struct wire_seal asked;
	struct wire_send sent;

	outbox_pump(r);
	outbox_pump(r);		/* it is under way: not once more */
	asked = hear_seal();
	ck_assert_uint_eq(asked.id, id);
	ck_assert_str_eq(asked.mailbox, "users");
	ck_assert(bytes_equal(asked.message, bytes_of("unsigned")));
	ck_assert(hears_nothing(sealer) && hears_nothing(session));
	OK(outbox_send_sealed(r, &sealed, &err));
	sent = hear_send();
	ck_assert_uint_eq(sent.id, id);
	ck_assert_str_eq(sent.sender, "ca@example.test");
	ck_assert_str_eq(sent.recipient, "user@example.test");
	ck_assert(bytes_equal(sent.message, bytes_of("signed")));
	/* On record is what is signed anew, should it be sent once more. */
	ck_assert_str_eq(look(id).message, "unsigned");
	take_sent(id, SENT_ACCEPTED);
	ck_assert_int_eq(look(id).state, OUTBOX_SENT);
	ck_assert_uint_eq(r->n_mails, 0);
	ck_assert_uint_eq(r->submits[0].n_mails, 0);
}
END_TEST

START_TEST(a_mailbox_that_does_not_sign_has_nothing_to_do_with_it)
{
	uint64_t id = queue("unsigned");

	mailbox->smime_files[SEAL_CERTIFICATE] = NULL;
	outbox_pump(r);
	ck_assert_uint_eq(hear_send().id, id);
	ck_assert(hears_nothing(sealer));
}
END_TEST

/* However long, and without an end. */
START_TEST(what_cannot_be_signed_waits)
{
	uint64_t id = queue("unsigned");

	for (int day = 0; day < 10; day++) {
		r->now = NOON + day * DAY;
		outbox_pump(r);
		ck_assert_uint_eq(hear_seal().id, id);
		take_unsealed(id, "the certificate has expired");
		ck_assert_int_eq(look(id).state, OUTBOX_QUEUED);
		ck_assert_str_eq(look(id).answer,
		    "the certificate has expired");
		ck_assert_uint_eq(look(id).attempts, 0);
		ck_assert_int_eq(look(id).next_attempt, r->now + 60);
	}
	outbox_pump(r);		/* not before it is due */
	ck_assert(hears_nothing(sealer) && hears_nothing(session));
	ck_assert_uint_eq(r->n_mails, 0);
	/* Once it is signed, an hour of a busy mail server does not end it. */
	r->now += 60;
	outbox_pump(r);
	hear_seal();
	OK(outbox_send_sealed(r, &(struct wire_sealed){ .id = id,
	    .message = bytes_of("signed") }, &err));
	hear_send();
	take_sent(id, SENT_DEFERRED);
	ck_assert_int_eq(look(id).state, OUTBOX_QUEUED);
	ck_assert_int_eq(look(id).next_attempt, r->now + 10);
}
END_TEST

START_TEST(after_five_days_of_trying_a_mail_has_failed)
{
	uint64_t id = queue("unsigned");
	unsigned int attempts = 0;

	mailbox->smime_files[SEAL_CERTIFICATE] = NULL;
	while (look(id).state == OUTBOX_QUEUED) {
		r->now = look(id).next_attempt;
		outbox_pump(r);
		hear_send();
		take_sent(id, SENT_DEFERRED);
		ck_assert_uint_lt(attempts++, 1000);
	}
	ck_assert_int_eq(look(id).state, OUTBOX_FAILED);
	ck_assert_int_gt(r->now, NOON + 5 * DAY);
	ck_assert_int_lt(r->now, NOON + 5 * DAY + DAY / 12);
}
END_TEST

START_TEST(no_session_is_there_for_a_signed_one)
{
	uint64_t id = queue("unsigned");

	outbox_pump(r);
	hear_seal();
	r->submits[0].closed = true;
	OK(outbox_send_sealed(r, &(struct wire_sealed){ .id = id,
	    .message = bytes_of("signed") }, &err));
	ck_assert_uint_eq(r->n_mails, 0);	/* the next turn */
	r->submits[0].closed = false;
	outbox_pump(r);
	ck_assert_uint_eq(hear_seal().id, id);
}
END_TEST

START_TEST(answers_to_what_was_not_asked_end_the_peer)
{
	uint64_t id = queue("unsigned");
	const struct wire_sealed sealed = { .id = id,
		.message = bytes_of("signed") }, refused = { .id = id,
		.text = "no" };
	const struct wire_sent sent = { .id = id, .result = SENT_ACCEPTED };

	/* With nobody. */
	ck_assert_int_eq(outbox_send_sealed(r, &sealed, &err), -1);
	ck_assert_int_eq(outbox_take_unsealed(r, &refused, &err), -1);
	/* With the sealer: no session knows of it. */
	outbox_pump(r);
	OK(store_begin(r->store, &err));
	ck_assert_int_eq(outbox_take_sent(r, &sent, &err), -1);
	ck_assert_str_eq(err.text, "submit answers what was not asked");
	OK(store_commit(r->store, &err));
	/* With a session: the sealer has said what it has to say. */
	OK(outbox_send_sealed(r, &sealed, &err));
	ck_assert_int_eq(outbox_send_sealed(r, &sealed, &err), -1);
	ck_assert_int_eq(outbox_take_unsealed(r, &refused, &err), -1);
	ck_assert_int_eq(err.kind, ERR_FAULT);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("outbox");
	TCase *t = tcase_create("mails");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, a_mail_goes_through_the_sealer_first);
	tcase_add_test(t,
	    a_mailbox_that_does_not_sign_has_nothing_to_do_with_it);
	tcase_add_test(t, what_cannot_be_signed_waits);
	tcase_add_test(t, after_five_days_of_trying_a_mail_has_failed);
	tcase_add_test(t, no_session_is_there_for_a_signed_one);
	tcase_add_test(t, answers_to_what_was_not_asked_end_the_peer);
	suite_add_tcase(s, t);
	return fixture_run(s);
}
