#include "csrmaild/issuance.h"

#include "common/channel.h"
#include "common/err.h"
#include "common/issue.h"
#include "common/profile.h"
#include "csrmaild/acts.h"
#include "tests/support/crl_stand.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

/* Approved requests, and the orders that the signer gets for them. */
static struct crl_stand s;
static struct profile *profile;
static struct err err;
static uint8_t next;		/* makes submissions differ */

#define OK(call)							\
	ck_assert_msg((call) == 0, "%s: %s (%s)", #call, err.text,	\
	    err.detail)
#define NO_SAN	"san_required = no\n"

static void
set_up(void)
{
	crl_stand_open(&s);
	next = 0;
}

static void
tear_down(void)
{
	profile_free(profile);
	profile = NULL;
	crl_stand_close(&s);
}

static void
use(const char *text)
{
	OK(profile_parse("p", "p.conf", bytes_of(text), &profile, &err));
	s.settings.profiles = &profile;
	s.settings.n_profiles = 1;
}

/* An approved request for CN=cn with that key. */
static int64_t
ask(const char *cn, uint8_t key, int64_t validity_s)
{
	const uint8_t digest[32] = { 1 }, spki[32] = { key };
	struct submission_row submission = { .channel = "cli",
		.mailbox = "", .identity = { ++next }, .principal = "unix:root",
		.evidence = "", .reply_to = "", .message_id = "",
		.references = "", .subject = "", .outcome = "processed",
		.received_at = NOON };
	OWNED_BUF(encoded, 4096);
	struct request_row row = { .state = REQUEST_APPROVED, .ca = "users",
		.profile = "p", .validity_s = validity_s,
		.csr = bytes_of("a request"), .csr_digest = digest,
		.spki_sha256 = spki, .names_text = "CN=a",
		.key_text = "P-256", .rule = "", .reason = "", .ignored = "",
		.decided_at = NOON, .decided_by = "unix:root" };
	struct names names = { 0 };
	int64_t id;

	OK(names_add_attribute(&names, NID_commonName, bytes_of(cn), &err));
	put_names(&encoded, &names);
	names_free(&names);
	row.names = buf_bytes(&encoded);
	OK(store_begin(s.r.store, &err));
	OK(store_add_submission(s.r.store, &submission, &row.submission,
	    &err));
	OK(store_add_request(s.r.store, &row, &id, &err));
	OK(store_commit(s.r.store, &err));
	s.r.approvals = true;
	return id;
}

/* One turn; then the next order that the signer got, to be freed. 1: none. */
static int
next_order(struct order *out)
{
	struct pollfd p = { .fd = channel_fd(s.signer), .events = POLLIN };
	struct frame frame;

	issuance_pump(&s.r);
	if (poll(&p, 1, 0) == 1)
		OK(channel_read(s.signer, &err));
	if (channel_next(s.signer, &frame, &err) != 1)
		return 1;
	ck_assert_int_eq(frame.type, WIRE_ISSUE);
	OK(order_decode(frame.payload, out, &err));
	return 0;
}

static int
note_state(const struct request_row *row, void *arg)
{
	*(enum request_state *)arg = row->state;
	snprintf(err.text, sizeof(err.text), "%s", row->reason);
	return 0;
}

/* Its reason is left in err.text. */
static enum request_state
state_of(int64_t request)
{
	enum request_state state = 0;

	OK(store_find_request(s.r.store, request, note_state, &state, &err));
	return state;
}

START_TEST(without_jitter_the_dates_are_to_the_second)
{
	struct order order;

	use(NO_SAN "validity_days = 10\nbackdate_s = 60");
	ask("a", 1, 0);
	ck_assert_int_eq(next_order(&order), 0);
	ck_assert_int_eq(order.not_before, NOON - 60);
	ck_assert_int_eq(order.not_after, NOON + 10 * DAY);
	order_free_contents(&order);
}
END_TEST

/* Asked for seconds; jitter of 3600 or what half of that is. */
static const struct {
	int64_t		 validity_s;	/* 0: the profile's, a day */
	time_t		 shortest, longest;
} jitters[] = {
	{ 0,	86400 - 3600,	86400 },
	{ 7200,	3600,		7200 },
	{ 600,	300,		600 },
};

START_TEST(jitter_shortens_within_its_bounds_and_not_all_alike)
{
	time_t first = 0;
	bool differ = false;

	use(NO_SAN "validity_days = 1\njitter_s = 3600");
	for (uint8_t i = 0; i < REGISTRAR_MAX_ORDERS; i++)
		ask("a", i, jitters[_i].validity_s);
	for (int i = 0; i < REGISTRAR_MAX_ORDERS; i++) {
		struct order order;

		ck_assert_int_eq(next_order(&order), 0);
		ck_assert_int_ge(order.not_after,
		    NOON + jitters[_i].shortest);
		ck_assert_int_le(order.not_after, NOON + jitters[_i].longest);
		differ = differ || (i > 0 && order.not_after != first);
		first = order.not_after;
		order_free_contents(&order);
	}
	ck_assert(differ);
}
END_TEST

/* What is frozen is drawn once: a crash draws no other end. */
START_TEST(an_order_that_is_sent_again_is_the_same)
{
	struct order order, again;

	use(NO_SAN "validity_days = 100\njitter_s = 8000000");
	ask("a", 1, 0);
	ck_assert_int_eq(next_order(&order), 0);
	OK(issuance_resume(&s.r, &err));
	ck_assert_int_eq(next_order(&again), 0);
	ck_assert_int_eq(order.not_after, again.not_after);
	ck_assert(serial_equal(&order.serial, &again.serial));
	ck_assert_int_eq(next_order(&again), 1);
	order_free_contents(&order);
	order_free_contents(&again);
}
END_TEST

START_TEST(the_subject_of_an_order_is_the_templates)
{
	struct order order;
	char said[256];

	use(NO_SAN "subject = { \"CN\", \"O\" }\n"
	    "subject_template = { \"O=Example\", \"CN=Mx. {CN}\" }");
	ask("a", 1, 0);
	ck_assert_int_eq(next_order(&order), 0);
	names_describe(&order.names, said, sizeof(said));
	ck_assert_str_eq(said, "O=Example, CN=Mx. a");
	order_free_contents(&order);
}
END_TEST

START_TEST(a_subject_that_the_template_cannot_make_is_held)
{
	struct order order;
	int64_t id;

	use(NO_SAN "subject_template = { \"CN={CN}{CN}\" }");
	id = ask("a23456789b123456789c123456789d123", 1, 0);
	ck_assert_int_eq(next_order(&order), 1);
	ck_assert_int_eq(state_of(id), REQUEST_HELD);
	ck_assert_msg(strstr(err.text, "too long") != NULL, "%s", err.text);
}
END_TEST

START_TEST(two_requests_for_a_key_that_may_be_certified_once)
{
	struct order order;
	int64_t one, two;

	use(NO_SAN "same_key = no");
	one = ask("a", 1, 0);
	two = ask("b", 1, 0);
	ask("c", 2, 0);
	ck_assert_int_eq(next_order(&order), 0);
	ck_assert_uint_eq(order.request_id, (uint64_t)one);
	order_free_contents(&order);
	ck_assert_int_eq(next_order(&order), 0);
	ck_assert_uint_eq(order.request_id, (uint64_t)two + 1);
	order_free_contents(&order);
	ck_assert_int_eq(next_order(&order), 1);
	ck_assert_int_eq(state_of(two), REQUEST_HELD);
	ck_assert_msg(strstr(err.text, "wants a new key for each") != NULL,
	    "%s", err.text);
}
END_TEST

START_TEST(two_requests_for_a_key_that_may_be_certified_again)
{
	struct order order;

	use(NO_SAN);
	ask("a", 1, 0);
	ask("b", 1, 0);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(next_order(&order), 0);
		order_free_contents(&order);
	}
}
END_TEST

START_TEST(a_person_is_told_of_the_certificate_that_has_the_key)
{
	struct candidate c = { .good = true, .der = bytes_of("a request"),
		.key = { .kind = KEY_P256, .bits = 256,
		    .spki_sha256 = { 7 } } };
	int64_t id;

	use(NO_SAN "same_key = no");
	OK(names_add_attribute(&c.names, NID_commonName, bytes_of("a"),
	    &err));
	crl_stand_issue_to(&s, 1, "top", 7, "CN=a", 0);
	ck_assert_int_eq(registrar_add_cli_request(&s.r, &c, "users", "p", 0,
	    "unix:root", NOON, &id, &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_msg(strstr(err.text, "certificate 41000001 until "
	    "2026-04-01") != NULL, "%s", err.text);
	/* Over, it counts no more. */
	OK(registrar_add_cli_request(&s.r, &c, "users", "p", 0, "unix:root",
	    NOON + 90 * DAY + 1, &id, &err));
	names_free(&c.names);
}
END_TEST

static void
hand_in(struct candidate *c)
{
	*c = (struct candidate){ .good = true, .der = bytes_of("a request"),
		.key = { .kind = KEY_P256, .bits = 256,
		    .spki_sha256 = { 7 } } };
	OK(names_add_attribute(&c->names, NID_commonName, bytes_of("a"),
	    &err));
}

static const struct {
	const char	*said, *signs;
} generations[] = {
	{ "users",	"users~2" },
	{ "users~1",	"users" },
	{ "users~2",	"users~2" },
};

START_TEST(the_newest_key_signs_unless_one_is_named)
{
	struct candidate c;
	struct order order;
	int64_t id;

	use(NO_SAN);
	hand_in(&c);
	crl_stand_add_ca(&s, "users~2", "top", 2);
	ck_assert_int_eq(registrar_add_cli_request(&s.r, &c, "users~3", "p",
	    0, "unix:root", NOON, &id, &err), -1);
	OK(registrar_add_cli_request(&s.r, &c, generations[_i].said, "p", 0,
	    "unix:root", NOON, &id, &err));
	ck_assert_int_eq(next_order(&order), 0);
	ck_assert_str_eq(order.ca, generations[_i].signs);
	order_free_contents(&order);
	names_free(&c.names);
}
END_TEST

START_TEST(nothing_is_recorded_for_a_ca_that_is_revoked)
{
	struct candidate c;
	int64_t id = 0;
	unsigned int n;

	use(NO_SAN);
	hand_in(&c);
	OK(registrar_revoke_ca(&s.r, "users", CRL_SUPERSEDED, 0, "unix:root",
	    NOON, &n, &err));
	ck_assert_int_eq(registrar_add_cli_request(&s.r, &c, "users", "p", 0,
	    "unix:root", NOON, &id, &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_msg(strstr(err.text, "is revoked") != NULL, "%s", err.text);
	ck_assert_int_eq(store_find_request(s.r.store, 1, note_state,
	    &(enum request_state){ 0 }, &err), 1);
	ck_assert(!s.r.approvals);
	/* It says of its certificates that they are revoked. */
	OK(registrar_add_cli_request(&s.r, &c, "users", "ocsp-responder", 0,
	    "unix:root", NOON, &id, &err));
	names_free(&c.names);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("issuance");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, without_jitter_the_dates_are_to_the_second);
	tcase_add_loop_test(tc,
	    jitter_shortens_within_its_bounds_and_not_all_alike, 0,
	    ROWS(jitters));
	tcase_add_test(tc, an_order_that_is_sent_again_is_the_same);
	tcase_add_test(tc, the_subject_of_an_order_is_the_templates);
	tcase_add_test(tc, a_subject_that_the_template_cannot_make_is_held);
	tcase_add_test(tc, two_requests_for_a_key_that_may_be_certified_once);
	tcase_add_test(tc, two_requests_for_a_key_that_may_be_certified_again);
	tcase_add_test(tc,
	    a_person_is_told_of_the_certificate_that_has_the_key);
	tcase_add_loop_test(tc, the_newest_key_signs_unless_one_is_named, 0,
	    ROWS(generations));
	tcase_add_test(tc, nothing_is_recorded_for_a_ca_that_is_revoked);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
