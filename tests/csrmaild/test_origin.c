#include "tests/support/mail_stand.h"

#include "csrmaild/answer.h"
#include "csrmaild/answer_files.h"
#include "csrmaild/submission.h"
#include "csrmaild/work.h"

#include "common/err.h"
#include "common/key.h"
#include "tests/support/fixtures.h"

#include <sys/socket.h>

#include <stdio.h>
#include <string.h>

/* What lies in a folder, and what people hand in, over a real store and
 * rules. */
static struct err err;
static EVP_PKEY *key;
static char inbox[] = "/in", outbox[] = "/out";

#define OK(call)							\
	ck_assert_msg((call) == 0, "%s: %s (%s)", #call, err.text,	\
	    err.detail)

static const char rule_text[] =
    "rule \"dropped\" {\n"
    "	evidence = { \"file\" }\n"
    "	email = { \"*@example.test\" }\n"
    "	cn = { \"@san\" }\n"
    "	action = sign\n"
    "}\n"
    "rule \"mailed\" {\n"
    "	evidence = { \"auth\", \"reply\" }\n"
    "	email = { \"*@example.org\", \"@sender\" }\n"
    "	cn = { \"@san\" }\n"
    "	action = sign\n"
    "}\n";

static void
set_up(void)
{
	mail_stand_open(rule_text);
	mail_stand_mailbox.inbox = inbox;
	mail_stand_mailbox.outbox = outbox;
	key = key_generate(KEY_P256, 0, &err);
	ck_assert_ptr_nonnull(key);
}

static void
tear_down(void)
{
	mail_stand_mailbox.inbox = mail_stand_mailbox.outbox = NULL;
	mail_stand_close();
	EVP_PKEY_free(key);
}

/* As intake would send it: no sender, no UID. */
static void
fill_file(struct wire_submit *m, const struct csr *csr, const char *name,
    uint8_t digest)
{
	mail_stand_fill(m, csr, "");
	m->channel = CHANNEL_FILE;
	m->uid = m->uid_validity = 0;
	m->envelope.message_id[0] = '\0';
	m->octets_digest[0] = digest;
	snprintf(m->file, sizeof(m->file), "%s", name);
}

struct origin_seen {
	char	principal[300], channel[16], evidence[64], file[256];
	unsigned int n;
};

static int
note(const struct request_row *row, void *arg)
{
	struct origin_seen *seen = arg;

	seen->n++;
	snprintf(seen->principal, sizeof(seen->principal), "%s",
	    row->principal);
	snprintf(seen->channel, sizeof(seen->channel), "%s", row->channel);
	snprintf(seen->evidence, sizeof(seen->evidence), "%s", row->evidence);
	snprintf(seen->file, sizeof(seen->file), "%s", row->file);
	return 0;
}

static struct origin_seen
last(void)
{
	struct origin_seen seen = { 0 };

	OK(store_each_request(mail_stand.store, (enum request_state)0, 0, 100,
	    note, &seen, &err));
	return seen;
}

START_TEST(a_file_is_signed_for_by_the_rule_of_its_folder)
{
	OWNED_STRUCT(csr) *csr = mail_stand_csr(key, "a@example.test");
	struct stand_request request;
	struct origin_seen seen;
	struct wire_submit m;

	fill_file(&m, csr, "www.p10", 1);
	ck_assert_int_eq(mail_stand_take(&m), OUTCOME_PROCESSED);
	request = mail_stand_request();
	ck_assert_msg(request.state == REQUEST_APPROVED, "%s",
	    request.reason);
	ck_assert_str_eq(request.rule, "dropped");
	ck_assert_str_eq(request.reply_to, "");
	seen = last();
	ck_assert_str_eq(seen.principal, "file:root");
	ck_assert_str_eq(seen.channel, "file");
	ck_assert_str_eq(seen.evidence, "file");
	ck_assert_str_eq(seen.file, "www.p10");
}
END_TEST

START_TEST(an_owner_without_a_name_is_a_number)
{
	OWNED_STRUCT(csr) *csr = mail_stand_csr(key, "a@example.test");
	struct wire_submit m;

	fill_file(&m, csr, "www.p10", 1);
	m.owner = 3999999999u;
	mail_stand_take(&m);
	ck_assert_str_eq(last().principal, "file:3999999999");
}
END_TEST

/* Only rules that name "file" look at it; nobody is asked to confirm. */
START_TEST(a_rule_for_mail_holds_a_file_and_is_answered_in_the_folder)
{
	OWNED_STRUCT(csr) *csr = mail_stand_csr(key, "a@example.org");
	OWNED_BUF(octets, WIRE_MAX_MAIL);
	struct answer_file file;
	struct wire_submit m;
	struct cursor c;
	unsigned int n;

	fill_file(&m, csr, "www.p10", 1);
	ck_assert_int_eq(mail_stand_take(&m), OUTCOME_HELD);
	ck_assert_int_eq(mail_stand_request().state, REQUEST_HELD);
	ck_assert_str_eq(mail_stand_mail(&octets, &n), "file:www.p10");
	ck_assert_uint_eq(n, 1);
	ck_assert(answer_files_are(buf_bytes(&octets)));
	c = answer_files_open(buf_bytes(&octets));
	ck_assert_int_eq(answer_files_next(&c, &file, &err), 1);
	ck_assert_str_eq(file.ending, ".txt");
	ck_assert_int_eq(file.request, mail_stand_request().id);
	ck_assert_uint_ne(bytes_find(file.octets,
	    bytes_of("waits for a person")), (size_t)-1);
	ck_assert_uint_eq(bytes_find(file.octets, bytes_of("\r")),
	    (size_t)-1);
	ck_assert_int_eq(answer_files_next(&c, &file, &err), 0);
}
END_TEST

START_TEST(a_mail_in_a_file_has_its_sender_and_a_mail_as_answer)
{
	OWNED_STRUCT(csr) *csr = mail_stand_csr(key, "a@example.org");
	OWNED_BUF(octets, WIRE_MAX_MAIL);
	struct wire_submit m;

	mail_stand_fill(&m, csr, "b@example.test");
	m.channel = CHANNEL_FILE;
	m.uid = m.uid_validity = 0;
	strcpy(m.file, "letter.eml");
	/* "reply" would have it signed; but nobody answers by mail here. */
	ck_assert_int_eq(mail_stand_take(&m), OUTCOME_HELD);
	ck_assert_str_eq(last().principal, "mail:b@example.test");
	ck_assert_str_eq(last().evidence, "file");
	ck_assert_str_eq(mail_stand_mail(&octets, NULL), "file:letter.eml");
	ck_assert(!answer_files_are(buf_bytes(&octets)));
	ck_assert_uint_ne(bytes_find(buf_bytes(&octets),
	    bytes_of("To: b@example.test\r\n")), (size_t)-1);
}
END_TEST

START_TEST(a_file_is_known_again_and_another_one_is_new)
{
	OWNED_STRUCT(csr) *csr = mail_stand_csr(key, "a@example.test");
	struct wire_submit m;

	for (int i = 0; i < 2; i++) {	/* before and after a crash */
		fill_file(&m, csr, "www.p10", 1);
		ck_assert_int_eq(mail_stand_take(&m), OUTCOME_PROCESSED);
	}
	ck_assert_uint_eq(last().n, 1);
	fill_file(&m, csr, "www.p10", 2);	/* dropped anew */
	ck_assert_int_eq(mail_stand_take(&m), OUTCOME_PROCESSED);
	ck_assert_uint_eq(last().n, 2);
}
END_TEST

static const struct {
	const char	*name;
	bool		 drop;
	enum channel_kind channel;
	uint64_t	 delivery;
} lies[] = {
	{ "a file in a mailbox on a server", false, CHANNEL_FILE, 0 },
	{ "a mail in a folder", true, CHANNEL_MAIL, 0 },
	{ "what nobody handed in", true, CHANNEL_CLI, 77 },
	{ "what nobody handed in, to a server", false, CHANNEL_CLI, 0 },
};

START_TEST(an_intake_is_believed_only_what_its_mailbox_can_have)
{
	OWNED_STRUCT(csr) *csr = mail_stand_csr(key, "a@example.test");
	enum outcome outcome;
	struct wire_submit m;

	if (!lies[_i].drop)
		mail_stand_mailbox.inbox = NULL;
	fill_file(&m, csr, "www.p10", 1);
	m.channel = lies[_i].channel;
	m.delivery = lies[_i].delivery;
	OK(store_begin(mail_stand.store, &err));
	ck_assert_msg(submission_take(&mail_stand, &m, &outcome, &err) == -1,
	    "%s", lies[_i].name);
	ck_assert_int_eq(err.kind, ERR_FAULT);
	store_rollback(mail_stand.store);
	wire_submit_free_contents(&m);
}
END_TEST

/* The parser's or the front's word is not enough. */
START_TEST(a_mail_never_has_the_evidence_of_a_file)
{
	OWNED_STRUCT(csr) *csr = mail_stand_csr(key, "a@example.test");
	struct wire_submit m;

	mail_stand_mailbox.inbox = NULL;
	mail_stand_fill(&m, csr, "a@example.test");
	m.envelope.evidence = EVIDENCE_FILE;
	mail_stand_take(&m);
	ck_assert_int_ne(mail_stand_request().state, REQUEST_APPROVED);
	ck_assert_str_eq(last().evidence, "");
}
END_TEST

/* What an intake sends, to the registrar's queue and the store. Returns how
 * many outcomes came back. */
static unsigned int
commit_from(const struct mailbox_settings *whose, struct wire_submit *m)
{
	OWNED_STRUCT(work_queue) *q = work_queue_new();
	OWNED_STRUCT(channel) *intake = NULL;
	OWNED_STRUCT(channel) *peer = NULL;
	struct frame frame;
	unsigned int n = 0;
	int pair[2];

	OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair));
	intake = channel_new(pair[0], "registrar", WIRE_MAX_SUBMIT, 1 << 20);
	peer = channel_new(pair[1], "intake", WIRE_MAX_SUBMIT, 1 << 20);
	mail_stand.intakes[0] = (struct intake_peer){ .channel = peer,
		.mailbox = whose };
	mail_stand.n_intakes = 1;
	OK(wire_send_submit(intake, m, &err));
	wire_submit_free_contents(m);
	OK(channel_await(peer, 5000, &frame, &err));
	OK(work_add(q, peer, &frame, &err));
	work_commit(&mail_stand, q);
	mail_stand.n_intakes = 0;
	if (channel_await(intake, 100, &frame, &err) == 0 &&
	    frame.type == WIRE_OUTCOME)
		n++;
	return n;
}

START_TEST(an_intake_speaks_for_its_own_mailbox_alone)
{
	OWNED_STRUCT(csr) *csr = mail_stand_csr(key, "a@example.test");
	static char title[] = "on a server";
	struct mailbox_settings other = { .title = title };
	struct wire_submit m;

	fill_file(&m, csr, "www.p10", 1);
	ck_assert_uint_eq(commit_from(&other, &m), 0);
	ck_assert_uint_eq(last().n, 0);
	fill_file(&m, csr, "www.p10", 1);
	ck_assert_uint_eq(commit_from(&mail_stand_mailbox, &m), 1);
	ck_assert_uint_eq(last().n, 1);
}
END_TEST

/* A folder that became a mailbox on a server has nobody to answer. */
START_TEST(without_its_folder_a_file_is_not_answered)
{
	OWNED_STRUCT(csr) *csr = mail_stand_csr(key, "a@example.org");
	struct wire_submit m;
	unsigned int n;

	fill_file(&m, csr, "www.p10", 1);
	mail_stand_take(&m);
	mail_stand_mailbox.inbox = NULL;
	OK(store_begin(mail_stand.store, &err));
	OK(submission_answer_one(&mail_stand, mail_stand_request().id, &err));
	OK(store_commit(mail_stand.store, &err));
	mail_stand_mail(NULL, &n);
	ck_assert_uint_eq(n, 1);	/* the one of before */
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("origin");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, a_file_is_signed_for_by_the_rule_of_its_folder);
	tcase_add_test(tc, an_owner_without_a_name_is_a_number);
	tcase_add_test(tc,
	    a_rule_for_mail_holds_a_file_and_is_answered_in_the_folder);
	tcase_add_test(tc,
	    a_mail_in_a_file_has_its_sender_and_a_mail_as_answer);
	tcase_add_test(tc, a_file_is_known_again_and_another_one_is_new);
	tcase_add_loop_test(tc,
	    an_intake_is_believed_only_what_its_mailbox_can_have, 0,
	    ROWS(lies));
	tcase_add_test(tc, a_mail_never_has_the_evidence_of_a_file);
	tcase_add_test(tc, an_intake_speaks_for_its_own_mailbox_alone);
	tcase_add_test(tc, without_its_folder_a_file_is_not_answered);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
