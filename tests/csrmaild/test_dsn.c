#include "csrmaild/dsn.h"

#include "common/err.h"
#include "tests/support/fixtures.h"
#include "tests/support/mail_stand.h"

#include <string.h>

/* Mails of ours that come back (RFC 3464). */
#define HEAD	"From: mailer-daemon@example.test\r\nContent-Type: "	\
		"multipart/report; report-type=delivery-status; "	\
		"boundary=x\r\n\r\n--x\r\nContent-Type: text/plain\r\n\r\n" \
		"I am sorry.\r\n--x\r\n"				\
		"Content-Type: message/delivery-status\r\n\r\n"
#define FINAL	"Final-Recipient: rfc822; user@example.test\r\n"
#define FAILED	"Action: failed\r\nStatus: 5.1.1\r\n"
#define BACK	"--x\r\nContent-Type: text/rfc822-headers\r\n\r\n"	\
		"Subject: Re: x\r\nMessage-ID: <1@ca.test>\r\n--x--\r\n"

static const struct {
	const char	*name, *mail, *id, *text;
} reports[] = {
	{ "failed", HEAD FINAL FAILED "Diagnostic-Code: smtp; 550 no such "
	  "user\r\n" BACK, "1@ca.test",
	  "user@example.test: 550 no such user" },
	{ "only a status", HEAD FINAL FAILED BACK, "1@ca.test",
	  "user@example.test: 5.1.1" },
	{ "nothing else", HEAD "action: FAILED\r\n" BACK, "1@ca.test",
	  "not delivered" },
	{ "an escape in it", HEAD FAILED "Diagnostic-Code: smtp; \033[2J\r\n"
	  BACK, "1@ca.test", "?[2J" },
	{ "delayed", HEAD FINAL "Action: delayed\r\nStatus: 4.4.1\r\n" BACK,
	  "", "" },
	{ "delivered", HEAD FINAL "Action: delivered\r\n" BACK, "", "" },
	{ "which mail?", HEAD FINAL FAILED "--x--\r\n", "", "" },
	{ "an id of two words", HEAD FAILED "Message-ID: <1 2@ca.test>\r\n",
	  "", "" },
	{ "no report", "Content-Type: text/plain\r\n\r\n" FAILED BACK, "", "" },
	{ "nothing", "", "", "" },
};

START_TEST(a_report_names_the_mail_and_the_reason)
{
	char id[64], text[128];

	ck_assert_msg(dsn_read(bytes_of(reports[_i].mail), id, sizeof(id),
	    text, sizeof(text)) == (reports[_i].id[0] != '\0'), "%s",
	    reports[_i].name);
	ck_assert_str_eq(id, reports[_i].id);
	ck_assert_str_eq(text, reports[_i].text);
}
END_TEST

/* --- on record ------------------------------------------------------------- */

static struct err err;
#define OK(call)							\
	ck_assert_msg((call) == 0, "%s: %s (%s)", #call, err.text,	\
	    err.detail)

static void
set_up(void)
{
	mail_stand_open("rule \"all\" { action = hold }\n");
}

static int64_t
add_sent(void)
{
	struct outbox_row row = { .mailbox = "users", .sender = "",
		.recipient = "user@example.test", .message_id = "1@ca.test",
		.message = bytes_of("x"), .created_at = NOON };
	int64_t id;

	OK(store_begin(mail_stand.store, &err));
	OK(store_add_outbox(mail_stand.store, &row, &id, &err));
	OK(store_set_outbox(mail_stand.store, id, OUTBOX_SENT, "250", NOON,
	    NOON, &err));
	OK(store_commit(mail_stand.store, &err));
	return id;
}

static void
bounce(const char *id)
{
	struct wire_submit m;

	mail_stand_fill(&m, NULL, "mailer-daemon@example.test");
	strcpy(m.envelope.automatic, "multipart/report");
	strcpy(m.findings->bounced_id, id);
	strcpy(m.findings->bounce, "no such user");
	ck_assert_int_eq(mail_stand_take(&m), OUTCOME_REJECTED);
}

static int
note(const struct outbox_row *row, void *arg)
{
	ck_assert_str_eq(row->bounce, "no such user");
	ck_assert_int_eq(row->bounced_at, NOON);
	++*(unsigned int *)arg;
	return 0;
}

static unsigned int
n_bounced(void)
{
	unsigned int n = 0;

	OK(store_each_bounced(mail_stand.store, 0, 100, note, &n, &err));
	return n;
}

START_TEST(what_came_back_is_known_and_can_go_again)
{
	int64_t id = add_sent();
	unsigned int n;

	bounce("2@elsewhere.test");
	ck_assert_uint_eq(n_bounced(), 0);
	bounce("1@ca.test");
	ck_assert_uint_eq(n_bounced(), 1);
	/* Nobody answers a bounce. */
	mail_stand_mail(NULL, &n);
	ck_assert_uint_eq(n, 0);
	OK(store_begin(mail_stand.store, &err));
	OK(store_retry_outbox(mail_stand.store, id, NOON + 1, &err));
	ck_assert_int_eq(store_retry_outbox(mail_stand.store, id + 1, NOON,
	    &err), 1);
	OK(store_commit(mail_stand.store, &err));
	ck_assert_uint_eq(n_bounced(), 0);
	mail_stand_mail(NULL, &n);
	ck_assert_uint_eq(n, 1);
}
END_TEST

/* Sent, and nothing heard since: it is not sent twice. */
START_TEST(what_arrived_is_not_sent_again)
{
	int64_t id = add_sent();

	OK(store_begin(mail_stand.store, &err));
	ck_assert_int_eq(store_retry_outbox(mail_stand.store, id, NOON, &err),
	    1);
	store_rollback(mail_stand.store);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("dsn");
	TCase *t = tcase_create("reports");
	TCase *record = tcase_create("record");

	tcase_add_loop_test(t, a_report_names_the_mail_and_the_reason, 0,
	    ROWS(reports));
	suite_add_tcase(s, t);
	tcase_add_checked_fixture(record, set_up, mail_stand_close);
	tcase_add_test(record, what_came_back_is_known_and_can_go_again);
	tcase_add_test(record, what_arrived_is_not_sent_again);
	suite_add_tcase(s, record);
	return fixture_run(s);
}
