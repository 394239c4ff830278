#include "csrmaild/renewal.h"

#include "common/err.h"
#include "common/profile.h"
#include "csrmaild/acts.h"
#include "csrmaild/answer.h"
#include "tests/support/crl_stand.h"

#include <stdio.h>
#include <string.h>

/* Certificates with the request that made them, signed anew. */
static struct crl_stand s;
static struct profile *profile;
static struct err err;

#define OK(call)							\
	ck_assert_msg((call) == 0, "%s: %s (%s)", #call, err.text,	\
	    err.detail)
#define REFUSED(call, want, words) do {					\
	err = (struct err){ 0 };					\
	ck_assert_msg((call) == -1, "%s went well", #call);		\
	ck_assert_msg(err.kind == (want), "%s: %s", #call, err.text);	\
	ck_assert_msg(strstr(err.text, words) != NULL, "%s", err.text);	\
} while (0)
#define WHO	"unix:root"

static void
use(const char *text)
{
	profile_free(profile);
	profile = NULL;
	OK(profile_parse("p", "p.conf", bytes_of(text), &profile, &err));
	s.settings.profiles = &profile;
	s.settings.n_profiles = 1;
}

static void
set_up(void)
{
	crl_stand_open(&s);
	use("san_required = no\nvalidity_days = 10\nmax_validity_days = 20");
}

static void
tear_down(void)
{
	profile_free(profile);
	profile = NULL;
	crl_stand_close(&s);
}

/* --- what is on record -------------------------------------------------- */

/* A request that came by mail, of that key; its state is approved. */
static int64_t
ask(uint8_t key, int64_t validity_s)
{
	static uint32_t uid;
	const uint8_t spki[32] = { key }, digest[32] = { key, 1 };
	struct submission_row submission = { .channel = "mail",
		.mailbox = "users", .uid = ++uid, .uid_validity = 1,
		.principal = "mail:user@example.test", .evidence = "auth",
		.reply_to = "user@example.test",
		.message_id = "1@example.test", .references = "<0@x.test>",
		.subject = "my request", .outcome = "processed",
		.received_at = NOON };
	struct request_row row = { .state = REQUEST_APPROVED, .ca = "users",
		.profile = "p", .validity_s = validity_s,
		.csr = bytes_of("a request"), .csr_digest = digest,
		.spki_sha256 = spki, .names = bytes_of(""),
		.names_text = "CN=user", .key_text = "P-256", .rule = "",
		.reason = "", .ignored = "", .decided_by = "" };
	int64_t id;

	submission.identity[0] = (uint8_t)uid;
	OK(store_begin(s.r.store, &err));
	OK(store_add_submission(s.r.store, &submission, &row.submission,
	    &err));
	OK(store_add_request(s.r.store, &row, &id, &err));
	OK(store_commit(s.r.store, &err));
	return id;
}

static void
issue(unsigned int number, uint8_t key, int64_t validity_s)
{
	crl_stand_issue_to(&s, number, "users", key, "CN=user",
	    ask(key, validity_s));
}

static struct renewal
of(unsigned int number)
{
	return (struct renewal){ .ca = s.users_id,
		.serial = crl_stand_serial(number) };
}

static int
renew(const struct renewal *renewal, uint8_t key, int64_t *id)
{
	struct candidate c = { .good = true, .der = bytes_of("a request"),
		.digest = { key, 1 }, .key = { .kind = KEY_P256, .bits = 256,
		    .spki_sha256 = { key } } };
	int r;

	ck_assert_int_eq(names_add_attribute(&c.names, NID_commonName,
	    bytes_of("user"), &err), 0);
	r = registrar_renew(&s.r, renewal, &c, WHO, NOON, id, &err);
	names_free(&c.names);
	return r;
}

struct seen {
	struct request_row row;
	char		 principal[64], reply_to[64], mailbox[64], who[64],
			 message_id[64], rule[64], channel[16];
};

static int
note_request(const struct request_row *row, void *arg)
{
	struct seen *seen = arg;

	seen->row = *row;
#define KEEP(field, from)						\
	snprintf(seen->field, sizeof(seen->field), "%s", row->from)
	KEEP(principal, principal);
	KEEP(reply_to, reply_to);
	KEEP(mailbox, mailbox);
	KEEP(message_id, message_id);
	KEEP(who, decided_by);
	KEEP(rule, rule);
	KEEP(channel, channel);
	return 0;
}

static struct seen
request_of(int64_t id)
{
	struct seen seen = { .channel = "" };

	OK(store_find_request(s.r.store, id, note_request, &seen, &err));
	return seen;
}

struct cert {
	int64_t		 id, superseded_by;
	enum cert_state	 state;
	struct serial	 successor, renews;
};

static int
note_cert(const struct cert_row *row, void *arg)
{
	struct cert *cert = arg;

	cert->id = row->id;
	cert->superseded_by = row->superseded_by;
	cert->state = row->state;
	cert->successor = row->successor;
	cert->renews = row->renews;
	return 0;
}

static struct cert
cert_of(unsigned int number)
{
	struct serial serial = crl_stand_serial(number);
	struct cert cert = { .id = 0 };

	OK(store_find_certificate(s.r.store, s.users_id, &serial, note_cert,
	    &cert, &err));
	return cert;
}

static struct status_row
status_of(unsigned int number)
{
	struct serial serial = crl_stand_serial(number);
	struct status_row row;

	OK(store_find_status(s.r.store, s.users_id, &serial, &row, &err));
	return row;
}

static unsigned int
n_requests(void)
{
	unsigned int n = 0;

	for (struct seen seen; store_find_request(s.r.store, n + 1,
	    note_request, &seen, &err) == 0;)
		n++;
	return n;
}

/* As issuance does when the signer has answered. */
static void
issue_renewal(unsigned int old, unsigned int number, int64_t request)
{
	struct serial serial = crl_stand_serial(number);
	const struct cert_row row = { .ca_id = s.users_id, .serial = serial,
		.request = request, .not_before = NOON,
		.not_after = NOON + 10 * DAY, .profile = "p",
		.names_text = "CN=user" };

	OK(store_begin(s.r.store, &err));
	OK(store_reserve(s.r.store, &row, &err));
	OK(store_issue(s.r.store, s.users_id, &serial, bytes_of("DER"),
	    &err));
	OK(renewal_take_issued(&s.r, cert_of(old).id, s.users_id, &serial,
	    &err));
	OK(store_commit(s.r.store, &err));
}

/* --- renew -------------------------------------------------------------- */

START_TEST(a_renewal_is_for_whoever_has_the_key)
{
	struct renewal renewal = of(1);
	OWNED_BUF(csr, 100);
	struct seen seen;
	int64_t id;

	issue(1, 7, 5 * DAY);
	s.r.approvals = false;
	OK(registrar_find_renewable(&s.r, &renewal, NOON, &csr, &err));
	ck_assert_str_eq(buf_str(&csr), "a request");
	OK(renew(&renewal, 7, &id));
	seen = request_of(id);
	ck_assert_int_eq(seen.row.state, REQUEST_APPROVED);
	ck_assert(s.r.approvals);
	ck_assert_int_eq(seen.row.renews, cert_of(1).id);
	ck_assert_int_eq(seen.row.validity_s, 5 * DAY);
	ck_assert(!seen.row.no_mail && !seen.row.revoke_old);
	ck_assert_str_eq(seen.principal, "mail:user@example.test");
	ck_assert_str_eq(seen.reply_to, "user@example.test");
	ck_assert_str_eq(seen.mailbox, "users");
	ck_assert_str_eq(seen.message_id, "1@example.test");
	ck_assert_str_eq(seen.who, WHO);
	ck_assert_str_eq(seen.rule, "renewal");
	ck_assert_str_eq(seen.channel, "cli");
	ck_assert_int_eq(status_of(1).state, STATUS_GOOD);
	/* And not twice. */
	REFUSED(renew(&renewal, 7, &id), ERR_REJECT, "renews certificate "
	    "41000001 already");
}
END_TEST

/* Of the profile as it is now: 10 days by default, 20 at most. */
static const struct {
	int64_t		 on_record, asked;
	int64_t		 want;		/* -1: refused */
} validities[] = {
	{ 0, 0, 0 },
	{ 20 * DAY, 0, 20 * DAY },
	{ 20 * DAY + 1, 0, 20 * DAY },
	{ 400 * DAY, 3 * DAY, 3 * DAY },
	{ 0, 20 * DAY, 20 * DAY },
	{ 0, 21 * DAY, -1 },
};

START_TEST(a_renewal_has_dates_of_the_profile_as_it_is_now)
{
	struct renewal renewal = of(1);
	int64_t id;

	issue(1, 7, validities[_i].on_record);
	renewal.validity_s = validities[_i].asked;
	if (validities[_i].want == -1) {
		REFUSED(renew(&renewal, 7, &id), ERR_REJECT, "20 days at");
		return;
	}
	OK(renew(&renewal, 7, &id));
	ck_assert_int_eq(request_of(id).row.validity_s, validities[_i].want);
}
END_TEST

START_TEST(without_its_request_nothing_is_renewed)
{
	struct renewal imported = of(5), responder = of(6), none = of(9);
	struct cert_row row = { .ca_id = s.users_id, .state = CERT_ISSUED,
		.serial = imported.serial, .not_before = NOON,
		.not_after = NOON + DAY, .profile = "", .names_text = "CN=a",
		.der = bytes_of("DER"), .origin = "openssl" };
	int64_t id;

	OK(store_begin(s.r.store, &err));
	OK(store_add_certificate(s.r.store, &row, &err));
	row.serial = responder.serial;
	row.origin = "";
	OK(store_add_certificate(s.r.store, &row, &err));
	OK(store_commit(s.r.store, &err));
	REFUSED(renew(&imported, 7, &id), ERR_REJECT,
	    "taken over (openssl) without its request");
	REFUSED(renew(&responder, 7, &id), ERR_REJECT, "no request on record");
	REFUSED(renew(&none, 7, &id), ERR_REJECT, "no such certificate");
}
END_TEST

START_TEST(what_was_examined_must_be_what_is_on_record)
{
	struct renewal renewal = of(1);
	int64_t id;

	issue(1, 7, 0);
	REFUSED(renew(&renewal, 8, &id), ERR_FAULT, "not the request");
	ck_assert_uint_eq(n_requests(), 1);
}
END_TEST

START_TEST(a_key_that_is_blocked_is_not_certified_again)
{
	const uint8_t spki[32] = { 7 };
	struct renewal renewal = of(1);
	int64_t id;

	issue(1, 7, 0);
	OK(store_begin(s.r.store, &err));
	OK(store_block_key(s.r.store, spki, KEY_BLOCKED, "", NOON, &err));
	OK(store_commit(s.r.store, &err));
	REFUSED(renew(&renewal, 7, &id), ERR_REJECT, "this key is blocked");
	renewal.reissue = true;
	renewal.reason = CRL_SUPERSEDED;
	REFUSED(renew(&renewal, 7, &id), ERR_REJECT, "this key is blocked");
	/* Both or neither: the old one is good still. */
	ck_assert_int_eq(status_of(1).state, STATUS_GOOD);
	ck_assert_uint_eq(n_requests(), 1);
}
END_TEST

START_TEST(a_key_for_one_certificate_is_renewed_only_when_that_is_revoked)
{
	struct renewal renewal = of(1);
	int64_t id;

	use("san_required = no\nsame_key = no");
	issue(1, 7, 0);
	REFUSED(renew(&renewal, 7, &id), ERR_REJECT, "wants a new key");
	renewal.reissue = true;
	renewal.reason = CRL_SUPERSEDED;
	OK(renew(&renewal, 7, &id));
	ck_assert_int_eq(status_of(1).reason, CRL_SUPERSEDED);
	ck_assert_int_eq(request_of(id).row.renews, cert_of(1).id);
}
END_TEST

START_TEST(nothing_is_revoked_while_nothing_can_be_signed)
{
	struct authority *users = authority_by_name(&s.r.authorities, "users");
	struct renewal renewal = of(1);
	int64_t id;

	issue(1, 7, 0);
	renewal.reissue = true;
	renewal.reason = CRL_SUPERSEDED;
	users->key_open = false;
	REFUSED(renew(&renewal, 7, &id), ERR_RETRY, "is not open");
	users->key_open = true;
	users->revoked = true;
	REFUSED(renew(&renewal, 7, &id), ERR_REJECT, "signs no more");
	ck_assert_int_eq(status_of(1).state, STATUS_GOOD);
	users->revoked = false;
	OK(renew(&renewal, 7, &id));
}
END_TEST

static const struct {
	enum crl_reason	reason;
	const char	*words;		/* NULL: allowed */
} reasons[] = {
	{ CRL_UNSPECIFIED,		NULL },
	{ CRL_KEY_COMPROMISE,		"not certified again" },
	{ CRL_CA_COMPROMISE,		"not certified again" },
	{ CRL_AA_COMPROMISE,		"not certified again" },
	{ CRL_CERTIFICATE_HOLD,		"not put on hold" },
	{ CRL_AFFILIATION_CHANGED,	NULL },
	{ CRL_CESSATION_OF_OPERATION,	NULL },
};

START_TEST(a_reissue_is_no_way_around_a_lost_key)
{
	struct renewal renewal = of(1);
	int64_t id;

	issue(1, 7, 0);
	renewal.reissue = true;
	renewal.reason = reasons[_i].reason;
	if (reasons[_i].words == NULL) {
		OK(renew(&renewal, 7, &id));
		ck_assert_int_eq(status_of(1).reason, reasons[_i].reason);
		return;
	}
	REFUSED(renew(&renewal, 7, &id), ERR_REJECT, reasons[_i].words);
	ck_assert_int_eq(status_of(1).state, STATUS_GOOD);
}
END_TEST

/* --- once it is issued -------------------------------------------------- */

START_TEST(each_knows_of_the_other_and_the_first_successor_stays)
{
	struct renewal renewal = of(1);
	struct serial two = crl_stand_serial(2), one = crl_stand_serial(1);
	struct cert old, new;
	int64_t id;

	issue(1, 7, 0);
	OK(renew(&renewal, 7, &id));
	issue_renewal(1, 2, id);
	old = cert_of(1);
	new = cert_of(2);
	ck_assert_int_eq(old.superseded_by, new.id);
	ck_assert(serial_equal(&old.successor, &two));
	ck_assert(serial_equal(&new.renews, &one));
	ck_assert_uint_eq(new.successor.len, 0);
	REFUSED(renew(&renewal, 7, &id), ERR_REJECT,
	    "superseded by 41000002: renew that");
	crl_stand_issue_to(&s, 3, "users", 7, "CN=user", 0);
	two = crl_stand_serial(3);
	OK(store_begin(s.r.store, &err));
	OK(store_supersede(s.r.store, cert_of(1).id, s.users_id, &two, &err));
	OK(store_commit(s.r.store, &err));
	ck_assert_int_eq(cert_of(1).superseded_by, new.id);
}
END_TEST

/* Also when the daemon ended in between: what is to be done is on record. */
START_TEST(the_old_one_is_revoked_when_the_new_one_is_there)
{
	struct renewal renewal = of(1);
	int64_t id;

	issue(1, 7, 0);
	renewal.revoke_old = true;
	OK(renew(&renewal, 7, &id));
	renewal_pump(&s.r);
	ck_assert_int_eq(status_of(1).state, STATUS_GOOD);
	issue_renewal(1, 2, id);
	ck_assert_int_eq(status_of(1).state, STATUS_GOOD);
	renewal_pump(&s.r);
	ck_assert_int_eq(status_of(1).reason, CRL_SUPERSEDED);
	ck_assert_int_eq(status_of(2).state, STATUS_GOOD);
	ck_assert(!request_of(id).row.revoke_old);
}
END_TEST

START_TEST(one_that_was_revoked_meanwhile_stays_as_it_is)
{
	struct renewal renewal = of(1);
	int64_t id;

	issue(1, 7, 0);
	renewal.revoke_old = true;
	OK(renew(&renewal, 7, &id));
	crl_stand_revoke(&s, 1, CRL_PRIVILEGE_WITHDRAWN);
	issue_renewal(1, 2, id);
	renewal_pump(&s.r);
	ck_assert_int_eq(status_of(1).reason, CRL_PRIVILEGE_WITHDRAWN);
	ck_assert(!request_of(id).row.revoke_old);
	ck_assert_int_eq(s.r.replaced_not_before, INT64_MAX);
}
END_TEST

static int
count_mail(const struct outbox_row *row, void *arg)
{
	(void)row;
	++*(unsigned int *)arg;
	return 0;
}

static unsigned int
n_mails(void)
{
	unsigned int n = 0;

	OK(store_each_outbox(s.r.store, (enum outbox_state)0, 0, 100,
	    count_mail, &n, &err));
	return n;
}

START_TEST(no_mail_is_about_the_certificate_alone)
{
	struct serial serial = crl_stand_serial(2);
	struct renewal renewal = of(1);
	int64_t id;

	issue(1, 7, 0);
	renewal.no_mail = true;
	OK(renew(&renewal, 7, &id));
	issue_renewal(1, 2, id);
	OK(store_begin(s.r.store, &err));
	OK(submission_answer_one(&s.r, id, &err));
	OK(store_commit(s.r.store, &err));
	ck_assert_uint_eq(n_mails(), 0);
	/* Of its end its owner hears all the same. */
	OK(registrar_revoke(&s.r, s.users_id, &serial, CRL_SUPERSEDED, 0, WHO,
	    NOON, &err));
	ck_assert_uint_eq(n_mails(), 1);
}
END_TEST

/* --- over --------------------------------------------------------------- */

static const struct {
	time_t		 now;		/* notAfter is NOON + 90 days */
	enum cert_state	 want;
} moments[] = {
	{ NOON + 90 * DAY,	CERT_ISSUED },	/* RFC 5280, 4.1.2.5 */
	{ NOON + 90 * DAY + 1,	CERT_EXPIRED },
};

START_TEST(what_is_over_becomes_expired_and_its_status_does_not_change)
{
	uint64_t before, after;

	issue(1, 7, 0);
	issue(2, 8, 0);
	crl_stand_revoke(&s, 2, CRL_SUPERSEDED);
	OK(store_last_change(s.r.store, &before, &err));
	s.r.now = moments[_i].now;
	renewal_pump(&s.r);
	ck_assert_int_eq(cert_of(1).state, moments[_i].want);
	ck_assert_int_eq(cert_of(2).state, CERT_REVOKED);
	ck_assert_int_eq(status_of(1).state, STATUS_GOOD);
	OK(store_last_change(s.r.store, &after, &err));
	ck_assert_uint_eq(before, after);
}
END_TEST

START_TEST(not_all_that_is_over_is_looked_at_in_one_turn)
{
	unsigned int n = 0;

	for (unsigned int i = 1; i <= 501; i++)
		crl_stand_issue(&s, i, 0, NOON + (time_t)i);
	s.r.now = NOON + 10 * DAY;
	renewal_pump(&s.r);
	ck_assert_int_eq(cert_of(500).state, CERT_EXPIRED);
	ck_assert_int_eq(cert_of(501).state, CERT_ISSUED);
	renewal_pump(&s.r);
	ck_assert_int_eq(cert_of(501).state, CERT_EXPIRED);
	/* Then not before a minute has passed. */
	crl_stand_issue(&s, 600, 0, NOON);
	renewal_pump(&s.r);
	ck_assert_int_eq(cert_of(600).state, CERT_ISSUED);
	s.r.now += 60;
	renewal_pump(&s.r);
	ck_assert_int_eq(cert_of(600).state, CERT_EXPIRED);
	OK(store_begin(s.r.store, &err));
	OK(store_expire(s.r.store, s.r.now, 10, &n, &err));
	OK(store_commit(s.r.store, &err));
	ck_assert_uint_eq(n, 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("renewal");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_renewal_is_for_whoever_has_the_key);
	tcase_add_loop_test(tc,
	    a_renewal_has_dates_of_the_profile_as_it_is_now, 0,
	    ROWS(validities));
	tcase_add_test(tc, without_its_request_nothing_is_renewed);
	tcase_add_test(tc, what_was_examined_must_be_what_is_on_record);
	tcase_add_test(tc, a_key_that_is_blocked_is_not_certified_again);
	tcase_add_test(tc,
	    a_key_for_one_certificate_is_renewed_only_when_that_is_revoked);
	tcase_add_test(tc, nothing_is_revoked_while_nothing_can_be_signed);
	tcase_add_loop_test(tc, a_reissue_is_no_way_around_a_lost_key, 0,
	    ROWS(reasons));
	tcase_add_test(tc,
	    each_knows_of_the_other_and_the_first_successor_stays);
	tcase_add_test(tc, the_old_one_is_revoked_when_the_new_one_is_there);
	tcase_add_test(tc, one_that_was_revoked_meanwhile_stays_as_it_is);
	tcase_add_test(tc, no_mail_is_about_the_certificate_alone);
	tcase_add_loop_test(tc,
	    what_is_over_becomes_expired_and_its_status_does_not_change, 0,
	    ROWS(moments));
	tcase_add_test(tc, not_all_that_is_over_is_looked_at_in_one_turn);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
