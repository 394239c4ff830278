#include "csrmaild/challenge.h"

#include "csrmaild/acts.h"
#include "csrmaild/confirm_code.h"
#include "csrmaild/reply.h"
#include "csrmaild/wish.h"

#include "common/err.h"
#include "common/owned.h"
#include "tests/support/fixtures.h"
#include "tests/support/mail_stand.h"

#include <string.h>

/* Who is asked to confirm, and what counts as an answer, over a real store and
 * rules. */
#define USER	"user@example.test"
#define OK(call)							\
	ck_assert_msg((call) == 0, "%s: %s (%s)", #call, err.text,	\
	    err.detail)

static struct err err;

static const char rule_text[] =
    "rule \"confirmed\" {\n"
    "	sender = { \"*@example.test\" }\n"
    "	evidence = { \"reply\" }\n"
    "	email = { \"@sender\" }\n"
    "	cn = { \"@sender\" }\n"
    "	action = sign\n"
    "}\n";

static void
set_up(void)
{
	mail_stand_open(rule_text);
}

/* A mail that nothing vouches for; what became of its request. */
static struct stand_request
ask(const char *who)
{
	OWNED(EVP_PKEY) *fresh = key_generate(KEY_P256, 0, &err);
	OWNED_STRUCT(csr) *own = mail_stand_csr(fresh, who);
	struct wire_submit m;

	mail_stand_fill(&m, own, who);
	strcpy(m.envelope.subject, "reflect me");
	mail_stand_take(&m);
	return mail_stand_request();
}

/* The token of the challenge that was queued last. */
static void
token_of_last(uint8_t out[32])
{
	OWNED_BUF(mail, 65536);

	mail_stand_mail(&mail, NULL);
	ck_assert(confirm_code_find(buf_bytes(&mail), out));
}

/* text: of the answer, as the parser reads it. */
static enum outcome
say(const char *who, const uint8_t token[32], const char *automatic,
    struct bytes text)
{
	struct wire_submit m;

	mail_stand_fill(&m, NULL, who);
	OK(wish_find(text, m.findings, &err));
	strcpy(m.envelope.subject, "Re: Please confirm [csrmail:code]");
	m.envelope.has_token = true;
	memcpy(m.envelope.token, token, 32);
	strcpy(m.envelope.automatic, automatic);
	return mail_stand_take(&m);
}

static enum outcome
answer(const char *who, const uint8_t token[32], const char *automatic)
{
	return say(who, token, automatic, bytes_of("CONFIRM\r\n"));
}

START_TEST(a_sender_who_answers_is_believed)
{
	struct stand_request seen = ask(USER);
	OWNED_BUF(mail, 65536);
	uint8_t token[32];
	unsigned int n;

	ck_assert_int_eq(seen.state, REQUEST_RECEIVED);
	ck_assert_str_eq(seen.rule, "confirmed");
	ck_assert_str_eq(seen.reply_to, "");
	ck_assert_str_eq(mail_stand_mail(&mail, &n), USER);
	ck_assert_uint_eq(n, 1);
	/* It reflects nothing of a mail that may be anybody's. */
	ck_assert_uint_eq(bytes_find(buf_bytes(&mail),
	    bytes_of("reflect me")), (size_t)-1);
	ck_assert_uint_eq(bytes_find(buf_bytes(&mail),
	    bytes_of("In-Reply-To")), (size_t)-1);
	ck_assert_uint_ne(bytes_find(buf_bytes(&mail),
	    bytes_of("Auto-Submitted: auto-generated")), (size_t)-1);
	ck_assert_uint_ne(bytes_find(buf_bytes(&mail),
	    bytes_of("X-Auto-Response-Suppress: All")), (size_t)-1);
	token_of_last(token);
	ck_assert_int_eq(answer(USER, token, ""), OUTCOME_PROCESSED);
	seen = mail_stand_request();
	ck_assert_int_eq(seen.state, REQUEST_APPROVED);
	ck_assert_str_eq(seen.evidence, "reply");
	ck_assert_str_eq(seen.reply_to, USER);
}
END_TEST

/* Who else might try. */
static const struct {
	const char	*name, *who, *automatic;
	int		 later_s;
	bool		 wrong;		/* another token */
} misuses[] = {
	{ "somebody else", "other@example.test", "", 0, false },
	{ "a vacation program", USER, "Auto-Submitted", 0, false },
	{ "too late", USER, "", 3601, false },
	{ "a guess", USER, "", 0, true },
};

START_TEST(an_answer_of_another_kind_changes_nothing)
{
	struct stand_request seen = ask(USER);
	uint8_t token[32];

	ck_assert_int_eq(seen.state, REQUEST_RECEIVED);
	token_of_last(token);
	if (misuses[_i].wrong)
		token[5] ^= 1;
	mail_stand.now += misuses[_i].later_s;
	ck_assert_int_eq(answer(misuses[_i].who, token,
	    misuses[_i].automatic), OUTCOME_REJECTED);
	seen = mail_stand_request();
	ck_assert_msg(seen.state == REQUEST_RECEIVED, "%s", misuses[_i].name);
	ck_assert_str_eq(seen.evidence, "");
}
END_TEST

/* Who never asked for anything, and says so, has confirmed nothing. */
static const struct {
	const char	*name, *text;
	bool		 confirms;
} words[] = {
	{ "the word", "CONFIRM\r\n", true },
	{ "with a greeting", "Hello,\r\n\r\n  confirm\r\n\r\nYours\r\n",
	  true },
	{ "with other wishes", "STATUS\r\nREVOKE 4f\r\nCONFIRM\r\n", true },
	{ "above what is quoted", "Confirm\r\n\r\n> Please confirm\r\n",
	  true },
	{ "no text, as in HTML alone", "", false },
	{ "who did not ask", "No, that was not me!\r\n", false },
	{ "a question", "What is this?\r\n", false },
	{ "another word", "YES\r\n", false },
	{ "in a sentence", "I can not confirm\r\nthis, nor CONFIRM.\r\n",
	  false },
	{ "quoted", "What is this?\r\n\r\n> CONFIRM\r\n", false },
	{ "in the signature", "What is this?\r\n-- \r\nCONFIRM\r\n", false },
	{ "forwarded", "What is this?\r\n-----Original Message-----\r\n"
	  "From: a@b\r\nSubject: x\r\n\r\nCONFIRM\r\n", false },
};

START_TEST(an_answer_confirms_by_the_word)
{
	struct stand_request seen = ask(USER);
	OWNED_BUF(mail, 65536);
	uint8_t token[32];
	unsigned int n;

	token_of_last(token);
	ck_assert_msg(say(USER, token, "", bytes_of(words[_i].text)) ==
	    (words[_i].confirms ? OUTCOME_PROCESSED : OUTCOME_REJECTED), "%s",
	    words[_i].name);
	seen = mail_stand_request();
	mail_stand_mail(NULL, &n);
	if (words[_i].confirms) {
		ck_assert_int_eq(seen.state, REQUEST_APPROVED);
		ck_assert_uint_eq(n, 1);	/* the challenge */
		return;
	}
	ck_assert_msg(seen.state == REQUEST_RECEIVED, "%s", words[_i].name);
	ck_assert_str_eq(seen.evidence, "");
	/* One reply, to nobody else, without the code, and to no robot. */
	ck_assert_uint_eq(n, 2);
	ck_assert_str_eq(mail_stand_mail(&mail, NULL), USER);
	ck_assert_uint_eq(bytes_find(buf_bytes(&mail), bytes_of("[csrmail")),
	    (size_t)-1);
	ck_assert_uint_ne(bytes_find(buf_bytes(&mail),
	    bytes_of("Subject: Re: Please confirm\r\n")), (size_t)-1);
	ck_assert_uint_ne(bytes_find(buf_bytes(&mail),
	    bytes_of("Auto-Submitted: auto-replied")), (size_t)-1);
	/* The code is as good as before. */
	ck_assert_int_eq(answer(USER, token, ""), OUTCOME_PROCESSED);
	ck_assert_int_eq(mail_stand_request().state, REQUEST_APPROVED);
}
END_TEST

/* Some mail programs mark no quotation: what we wrote comes back as it was. */
START_TEST(what_we_write_confirms_nothing)
{
	const struct reply_head head = { .from = "ca@example.test",
		.to = USER, .message_id = "1@example.test",
		.in_reply_to = "", .references = "", .subject = "",
		.language = _i % 2 == 0 ? "en" : "de", .date = NOON };
	OWNED_BUF(mail, 65536);
	uint8_t token[32];

	ask(USER);
	token_of_last(token);
	if (_i < 2)
		OK(reply_compose_challenge(&head, "00", NOON, &mail, &err));
	else
		OK(reply_compose_unconfirmed(&head, &mail, &err));
	ck_assert_uint_ne(bytes_find(buf_bytes(&mail), bytes_of("CONFIRM")),
	    (size_t)-1);
	/* Its header would show that it is somebody else's. */
	ck_assert_int_eq(say(USER, token, "", bytes_slice(buf_bytes(&mail),
	    bytes_find(buf_bytes(&mail), bytes_of("\r\n\r\n")), mail.len)),
	    OUTCOME_REJECTED);
	ck_assert_int_eq(mail_stand_request().state, REQUEST_RECEIVED);
}
END_TEST

/* Nor does it ask for anything else, whoever is known. */
START_TEST(the_word_without_the_code_confirms_nothing)
{
	OWNED_BUF(mail, 65536);
	struct wire_submit m;

	ask(USER);
	mail_stand_fill(&m, NULL, USER);
	m.envelope.evidence = EVIDENCE_AUTH;
	OK(wish_find(bytes_of("CONFIRM\n"), m.findings, &err));
	ck_assert_int_eq(mail_stand_take(&m), OUTCOME_REJECTED);
	ck_assert_int_eq(mail_stand_request().state, REQUEST_RECEIVED);
	mail_stand_mail(&mail, NULL);
	ck_assert_uint_ne(bytes_find(buf_bytes(&mail),
	    bytes_of("CONFIRM counts")), (size_t)-1);
}
END_TEST

/* What is more urgent than the word that is missing. */
START_TEST(who_answers_with_a_private_key_hears_of_that)
{
	OWNED_BUF(mail, 65536);
	uint8_t token[32];
	struct wire_submit m;

	ask(USER);
	token_of_last(token);
	mail_stand_fill(&m, NULL, USER);
	m.envelope.evidence = EVIDENCE_AUTH;
	m.envelope.has_token = true;
	memcpy(m.envelope.token, token, 32);
	m.findings->status = FINDINGS_REFUSED;
	m.findings->private_key = true;
	ck_assert_int_eq(mail_stand_take(&m), OUTCOME_REJECTED);
	ck_assert_int_eq(mail_stand_request().state, REQUEST_RECEIVED);
	mail_stand_mail(&mail, NULL);
	ck_assert_uint_ne(bytes_find(buf_bytes(&mail),
	    bytes_of("private key")), (size_t)-1);
}
END_TEST

/* It is a mail like any other then: a request of its own, asked about anew. */
START_TEST(a_request_in_an_answer_is_not_lost)
{
	OWNED(EVP_PKEY) *fresh = key_generate(KEY_P256, 0, &err);
	OWNED_STRUCT(csr) *own = mail_stand_csr(fresh, USER);
	const struct stand_request first = ask(USER);
	uint8_t token[32];
	struct wire_submit m;
	unsigned int n;

	token_of_last(token);
	mail_stand_fill(&m, own, USER);
	m.envelope.has_token = true;
	memcpy(m.envelope.token, token, 32);
	ck_assert_int_eq(mail_stand_take(&m), OUTCOME_HELD);
	ck_assert_int_eq(mail_stand_request().id, first.id + 1);
	ck_assert_int_eq(mail_stand_request().state, REQUEST_RECEIVED);
	mail_stand_mail(NULL, &n);
	ck_assert_uint_eq(n, 2);	/* two challenges */
	/* The first code is for the first request still. */
	ck_assert_int_eq(answer(USER, token, ""), OUTCOME_PROCESSED);
	ck_assert_int_eq(mail_stand_request().state, REQUEST_RECEIVED);
}
END_TEST

START_TEST(robots_and_strangers_who_confirm_nothing_hear_nothing)
{
	const struct bytes none = bytes_of("What is this?\n");
	uint8_t token[32];
	unsigned int n;

	ask(USER);
	token_of_last(token);
	ck_assert_int_eq(say(USER, token, "Auto-Submitted", none),
	    OUTCOME_REJECTED);
	ck_assert_int_eq(say("other@example.test", token, "", none),
	    OUTCOME_REJECTED);
	mail_stand_mail(NULL, &n);
	ck_assert_uint_eq(n, 1);	/* the challenge */
}
END_TEST

START_TEST(an_answer_counts_once)
{
	uint8_t token[32];

	ask(USER);
	token_of_last(token);
	ck_assert_int_eq(answer(USER, token, ""), OUTCOME_PROCESSED);
	ck_assert_int_eq(answer(USER, token, ""), OUTCOME_REJECTED);
}
END_TEST

START_TEST(without_an_answer_a_request_lapses)
{
	struct stand_request seen = ask(USER);
	uint8_t token[32];

	token_of_last(token);
	mail_stand.now += 3599;
	challenge_pump(&mail_stand);
	ck_assert_int_eq(mail_stand_request().state, REQUEST_RECEIVED);
	mail_stand.now += 120;
	challenge_pump(&mail_stand);
	seen = mail_stand_request();
	ck_assert_int_eq(seen.state, REQUEST_LAPSED);
	ck_assert_ptr_nonnull(strstr(seen.reason, "did not"));
	ck_assert_int_eq(answer(USER, token, ""), OUTCOME_REJECTED);
}
END_TEST

START_TEST(what_a_person_decided_is_answered_once)
{
	struct stand_request seen;
	unsigned int n;

	mail_stand_mailbox.answer_unverified = true;
	seen = ask(USER);
	ck_assert_int_eq(seen.state, REQUEST_RECEIVED);
	OK(registrar_reject(&mail_stand, seen.id, "no", "unix:boss", NOON,
	    &err));
	mail_stand_mail(NULL, &n);
	ck_assert_uint_eq(n, 2);	/* the challenge, the answer */
	mail_stand.now += 3601;
	challenge_pump(&mail_stand);
	ck_assert_int_eq(mail_stand_request().state, REQUEST_REJECTED);
	mail_stand_mail(NULL, &n);
	ck_assert_uint_eq(n, 2);
	mail_stand_mailbox.answer_unverified = false;
}
END_TEST

/* Held or not yet confirmed: who approves it vouches for the sender. */
START_TEST(a_person_who_approves_vouches_for_the_sender)
{
	const char *who = _i == 0 ? USER : "a@elsewhere.test";
	struct stand_request seen = ask(who);

	ck_assert_int_eq(seen.state, _i == 0 ? REQUEST_RECEIVED :
	    REQUEST_HELD);
	ck_assert_str_eq(seen.reply_to, "");
	OK(registrar_approve(&mail_stand, seen.id, "unix:boss", NOON, &err));
	seen = mail_stand_request();
	ck_assert_int_eq(seen.state, REQUEST_APPROVED);
	ck_assert_str_eq(seen.reply_to, who);
	ck_assert_str_eq(seen.evidence, "");
}
END_TEST

START_TEST(who_is_rejected_by_a_person_hears_nothing_unless_known)
{
	struct stand_request seen = ask("a@elsewhere.test");

	OK(registrar_reject(&mail_stand, seen.id, "no", "unix:boss", NOON,
	    &err));
	seen = mail_stand_request();
	ck_assert_int_eq(seen.state, REQUEST_REJECTED);
	ck_assert_str_eq(seen.reply_to, "");
	ck_assert_str_eq(mail_stand_mail(NULL, NULL), "");
}
END_TEST

/* A forger makes us send mail: not much of it, and not to everybody. */
START_TEST(few_are_asked)
{
	unsigned int n;

	for (int i = 0; i < 4; i++)
		ask(i == 0 ? "User@example.test" : USER);
	mail_stand_mail(NULL, &n);
	ck_assert_uint_eq(n, 3);
	ck_assert_int_eq(mail_stand_request().state, REQUEST_HELD);
	/* Our own mailbox, and where no rule would do more. */
	ck_assert_int_eq(ask("ca@example.test").state, REQUEST_HELD);
	ck_assert_int_eq(ask("a@elsewhere.test").state, REQUEST_HELD);
	/* Five in an hour, to all together. */
	ask("b@example.test");
	ask("c@example.test");
	ck_assert_int_eq(ask("d@example.test").state, REQUEST_HELD);
	mail_stand_mail(NULL, &n);
	ck_assert_uint_eq(n, 5);
	mail_stand.now += 3601;
	ck_assert_int_eq(ask("d@example.test").state, REQUEST_RECEIVED);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("challenge");
	TCase *t = tcase_create("all");

	tcase_add_checked_fixture(t, set_up, mail_stand_close);
	tcase_add_test(t, a_sender_who_answers_is_believed);
	tcase_add_loop_test(t, an_answer_of_another_kind_changes_nothing, 0,
	    ROWS(misuses));
	tcase_add_loop_test(t, an_answer_confirms_by_the_word, 0, ROWS(words));
	tcase_add_loop_test(t, what_we_write_confirms_nothing, 0, 4);
	tcase_add_test(t, the_word_without_the_code_confirms_nothing);
	tcase_add_test(t, who_answers_with_a_private_key_hears_of_that);
	tcase_add_test(t, a_request_in_an_answer_is_not_lost);
	tcase_add_test(t, robots_and_strangers_who_confirm_nothing_hear_nothing);
	tcase_add_test(t, an_answer_counts_once);
	tcase_add_test(t, without_an_answer_a_request_lapses);
	tcase_add_test(t, what_a_person_decided_is_answered_once);
	tcase_add_loop_test(t, a_person_who_approves_vouches_for_the_sender, 0,
	    2);
	tcase_add_test(t,
	    who_is_rejected_by_a_person_hears_nothing_unless_known);
	tcase_add_test(t, few_are_asked);
	suite_add_tcase(s, t);
	return fixture_run(s);
}
