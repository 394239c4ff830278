#include "csrmaild/acts.h"
#include "common/err.h"
#include "common/key.h"
#include "tests/support/crl_stand.h"

#include <stdio.h>
#include <string.h>

static struct crl_stand s;
static struct err err;

#define OK(call)							\
	ck_assert_msg((call) == 0, "%s: %s (%s)", #call, err.text,	\
	    err.detail)
#define REJECTED(call) do {						\
	err = (struct err){ 0 };					\
	ck_assert_msg((call) == -1, "%s went well", #call);		\
	ck_assert_msg(err.kind == ERR_REJECT, "%s: %s", #call, err.text); \
} while (0)
#define WHO	"unix:root"

static void
set_up(void)
{
	crl_stand_open(&s);
}

static void
tear_down(void)
{
	crl_stand_close(&s);
}

static struct status_row
status_of(int64_t ca, unsigned int number)
{
	struct serial serial = crl_stand_serial(number);
	struct status_row row;

	OK(store_find_status(s.r.store, ca, &serial, &row, &err));
	return row;
}

static int
revoke_one(unsigned int number, enum crl_reason reason, time_t now)
{
	struct serial serial = crl_stand_serial(number);

	return registrar_revoke(&s.r, s.users_id, &serial, reason, 0, WHO,
	    now, &err);
}

static int
release(unsigned int number, time_t now)
{
	struct serial serial = crl_stand_serial(number);

	return registrar_release(&s.r, s.users_id, &serial, WHO, now, &err);
}

static int
count_event(const struct audit_row *row, void *arg)
{
	const char **want = arg;

	if (strcmp(row->event, want[0]) == 0)
		want[1]++;
	return 0;
}

/* How many audit records of that event there are. */
static long
audited(const char *event)
{
	const char *base = "";
	const char *count[2] = { event, base };

	OK(store_each_audit(s.r.store, 0, 1000, count_event, count, &err));
	return count[1] - base;
}

/* What the signer's journal was told so far. */
static void
hear(void)
{
	s.r.authorities.rows[0].key_open = false;
	authority_by_name(&s.r.authorities, "users")->key_open = false;
	crl_stand_turn(&s, s.r.now);
}

START_TEST(a_hold_can_be_lifted_and_nothing_else)
{
	crl_stand_issue_to(&s, 1, "users", 1, "CN=a", 0);
	crl_stand_issue_to(&s, 2, "users", 2, "CN=b", 0);
	OK(revoke_one(1, CRL_CERTIFICATE_HOLD, NOON));
	OK(revoke_one(2, CRL_SUPERSEDED, NOON));
	REJECTED(release(2, NOON + 9));
	REJECTED(release(3, NOON + 9));
	OK(release(1, NOON + 9));
	ck_assert_int_eq(status_of(s.users_id, 1).state, STATUS_GOOD);
	REJECTED(release(1, NOON + 10));
	ck_assert_int_eq(audited("cert.released"), 1);
	hear();
	ck_assert_uint_eq(s.n_revoked, 3);
	ck_assert_int_eq(s.revoked[0].reason, CRL_CERTIFICATE_HOLD);
	ck_assert_int_eq(s.revoked[2].reason, CRL_REMOVE_FROM_CRL);
	ck_assert_int_eq(s.revoked[2].revoked_at, NOON + 9);
}
END_TEST

/* The date of a revocation that began as a hold is that of the hold. */
START_TEST(a_hold_becomes_final_with_its_own_date)
{
	crl_stand_issue_to(&s, 1, "users", 1, "CN=a", 0);
	OK(revoke_one(1, CRL_CERTIFICATE_HOLD, NOON));
	REJECTED(revoke_one(1, CRL_CERTIFICATE_HOLD, NOON + 1));
	OK(revoke_one(1, CRL_KEY_COMPROMISE, NOON + 60));
	ck_assert_int_eq(status_of(s.users_id, 1).reason, CRL_KEY_COMPROMISE);
	ck_assert_int_eq(status_of(s.users_id, 1).revoked_at, NOON);
	REJECTED(revoke_one(1, CRL_SUPERSEDED, NOON + 61));
	REJECTED(release(1, NOON + 62));
	hear();
	ck_assert_int_eq(s.revoked[1].revoked_at, NOON);
}
END_TEST

START_TEST(a_lost_key_ends_all_certificates_with_it_and_comes_no_more)
{
	const uint8_t lost[32] = { 7 }, other[32] = { 8 };
	enum key_block_kind kind;

	crl_stand_issue_to(&s, 1, "users", 7, "CN=a", 0);
	crl_stand_issue_to(&s, 2, "top", 7, "CN=a elsewhere", 0);
	crl_stand_issue_to(&s, 3, "users", 8, "CN=b", 0);
	crl_stand_issue_to(&s, 4, "users", 7, "CN=a on hold", 0);
	OK(revoke_one(4, CRL_CERTIFICATE_HOLD, NOON - 60));
	OK(revoke_one(1, CRL_KEY_COMPROMISE, NOON));
	ck_assert_int_eq(status_of(s.top_id, 2).reason, CRL_KEY_COMPROMISE);
	ck_assert_int_eq(status_of(s.users_id, 4).reason, CRL_KEY_COMPROMISE);
	ck_assert_int_eq(status_of(s.users_id, 3).state, STATUS_GOOD);
	ck_assert_int_eq(audited("cert.revoked"), 4);
	OK(store_is_key_blocked(s.r.store, lost, &kind, &err));
	ck_assert_int_eq(kind, KEY_COMPROMISED);
	ck_assert_int_eq(store_is_key_blocked(s.r.store, other, &kind, &err),
	    1);
	/* The signer hears of the key, and of no other. */
	hear();
	ck_assert_uint_gt(s.n_blocked, 0);
	for (size_t i = 0; i < s.n_blocked; i++)
		ck_assert_mem_eq(s.blocked[i].spki_sha256, lost, 32);
}
END_TEST

START_TEST(a_key_that_is_blocked_goes_to_the_signer)
{
	static const uint8_t weak[32] = { 9 };
	uint8_t key[32] = { 7 };
	unsigned int n;

	OK(registrar_block_key(&s.r, key, false, "test", WHO, NOON, &n,
	    &err));
	key[0] = 8;
	OK(registrar_block_key(&s.r, key, true, "test", WHO, NOON + 1, &n,
	    &err));
	hear();
	ck_assert_uint_eq(s.n_blocked, 2);
	ck_assert_uint_eq(s.blocked[0].spki_sha256[0], 7);
	ck_assert_int_eq(s.blocked[0].at, NOON);
	ck_assert_uint_eq(s.blocked[1].spki_sha256[0], 8);
	/* All again at a start, whatever was lost; but no list. */
	OK(store_begin(s.r.store, &err));
	OK(store_block_key(s.r.store, weak, KEY_WEAK, "", NOON + 2, &err));
	OK(store_commit(s.r.store, &err));
	OK(registrar_tell_blocked_again(&s.r, &err));
	hear();
	ck_assert_uint_eq(s.n_blocked, 4);
	ck_assert_uint_eq(s.blocked[2].spki_sha256[0], 8);
	ck_assert_uint_eq(s.blocked[3].spki_sha256[0], 7);
	ck_assert_int_eq(s.blocked[3].at, NOON);
}
END_TEST

START_TEST(another_reason_leaves_the_key_alone)
{
	const uint8_t key[32] = { 7 };

	crl_stand_issue_to(&s, 1, "users", 7, "CN=a", 0);
	crl_stand_issue_to(&s, 2, "users", 7, "CN=a", 0);
	OK(revoke_one(1, CRL_SUPERSEDED, NOON));
	ck_assert_int_eq(status_of(s.users_id, 2).state, STATUS_GOOD);
	ck_assert_int_eq(store_is_key_blocked(s.r.store, key, NULL, &err), 1);
	hear();
	ck_assert_uint_eq(s.n_blocked, 0);
}
END_TEST

/* --- by name -------------------------------------------------------------- */

static const struct {
	const char	*pattern;
	const char	*names;
	bool		 want;
} patterns[] = {
	{ "www.example.test", "CN=www, DNS:www.example.test", true },
	{ "*.example.test", "CN=www, DNS:www.example.test", true },
	{ "WWW.Example.TEST", "DNS:www.example.test", true },
	{ "example.test", "DNS:www.example.test", false },
	{ "*.example.test", "DNS:www.example.test.evil.test", false },
	{ "DNS:*", "CN=a, DNS:b", true },
	{ "DNS:*", "CN=DNS, email:b@example.test", false },
	{ "CN=w*", "CN=www, DNS:b", true },
	{ "*@example.test", "CN=a, email:a@example.test", true },
	{ "a.test, b.test", "CN=a.test, DNS:b.test", false },
	{ "*", "", false },
	{ "w[vw]w.example.test", "DNS:www.example.test", true },
};

static int
count_row(const struct cert_row *row, void *arg)
{
	(void)row;
	++*(unsigned int *)arg;
	return 0;
}

START_TEST(a_pattern_is_about_one_whole_name)
{
	const struct cert_filter all = { .ca = NULL };
	unsigned int n = 0;

	crl_stand_issue_to(&s, 1, "users", 1, patterns[_i].names, 0);
	OK(registrar_each_matching(&s.r, &all, patterns[_i].pattern, 10,
	    count_row, &n, &err));
	ck_assert_msg(n == patterns[_i].want, "%s in %s: %u",
	    patterns[_i].pattern, patterns[_i].names, n);
}
END_TEST

static void
issue_hosts(unsigned int n)
{
	OK(store_begin(s.r.store, &err));
	for (unsigned int i = 1; i <= n; i++) {
		char names[64];

		snprintf(names, sizeof(names), "DNS:h%u.example.test", i);
		crl_stand_issue_to(&s, i, "users", (uint8_t)i, names, 0);
	}
	OK(store_commit(s.r.store, &err));
	crl_stand_issue_to(&s, 90000, "users", 0xff, "DNS:other.test", 0);
}

/* More than fit one transaction. */
START_TEST(all_that_match_are_revoked_if_it_is_the_number_that_was_seen)
{
	const struct cert_filter all = { .ca = NULL };
	unsigned int n = 0;

	issue_hosts(450);
	REJECTED(registrar_revoke_matching(&s.r, &all, "*.example.test", 449,
	    CRL_SUPERSEDED, 0, WHO, NOON, &n, &err));
	ck_assert_uint_eq(n, 0);
	ck_assert_int_eq(audited("cert.revoked"), 0);
	OK(registrar_revoke_matching(&s.r, &all, "*.example.test", 450,
	    CRL_SUPERSEDED, NOON - DAY, WHO, NOON, &n, &err));
	ck_assert_uint_eq(n, 450);
	ck_assert_int_eq(audited("cert.revoked"), 450);
	for (unsigned int i = 1; i <= 450; i += 149)
		ck_assert_int_eq(status_of(s.users_id, i).invalidity,
		    NOON - DAY);
	ck_assert_int_eq(status_of(s.users_id, 90000).state, STATUS_GOOD);
}
END_TEST

/* Keys repeat after 256: siblings stand far behind the batch they belong to,
 * and the last one has none of the names. */
START_TEST(siblings_leave_no_gap_in_what_matches)
{
	const struct cert_filter all = { .ca = NULL };
	unsigned int n = 0;

	issue_hosts(500);
	OK(registrar_revoke_matching(&s.r, &all, "*.example.test", 500,
	    CRL_KEY_COMPROMISE, 0, WHO, NOON, &n, &err));
	ck_assert_uint_eq(n, 501);
	for (unsigned int i = 1; i <= 500; i++)
		ck_assert_int_eq(status_of(s.users_id, i).state,
		    STATUS_REVOKED);
}
END_TEST

START_TEST(a_key_is_revoked_wherever_it_is)
{
	const uint8_t key[32] = { 7 };
	const struct cert_filter by_key = { .spki_sha256 = key };
	unsigned int n = 0;

	crl_stand_issue_to(&s, 1, "users", 7, "CN=a", 0);
	crl_stand_issue_to(&s, 2, "top", 7, "CN=b", 0);
	crl_stand_issue_to(&s, 3, "users", 8, "CN=c", 0);
	OK(registrar_revoke_all(&s.r, &by_key, CRL_UNSPECIFIED, 0, WHO, NOON,
	    &n, &err));
	ck_assert_uint_eq(n, 2);
	ck_assert_int_eq(status_of(s.users_id, 3).state, STATUS_GOOD);
}
END_TEST

START_TEST(a_pattern_takes_no_ca_away)
{
	const struct cert_filter all = { .ca = NULL };
	unsigned int n = 0;

	OK(registrar_each_matching(&s.r, &all, "Users", 10, count_row, &n,
	    &err));
	ck_assert_uint_eq(n, 0);
}
END_TEST

/* A CA has more certificates than its newest. */
START_TEST(a_certificate_is_a_cas_by_how_it_was_made)
{
	const struct authority *users = authority_by_name(&s.r.authorities,
	    "users");
	struct cert_row row = { .ca = "top", .profile = "ca",
		.serial = { { 9 }, 1 } };

	ck_assert(registrar_is_of_ca(&s.r, &row));
	row.request = 1;
	ck_assert(!registrar_is_of_ca(&s.r, &row));
	row.request = 0;
	row.profile = "";
	ck_assert(!registrar_is_of_ca(&s.r, &row));
	OK(serial_from_asn1(X509_get0_serialNumber(users->cert), &row.serial,
	    &err));
	ck_assert(registrar_is_of_ca(&s.r, &row));
	row.ca = "users";
	ck_assert(!registrar_is_of_ca(&s.r, &row));
	/* Nor is its newest always the one that was taken over. */
	crl_stand_renew_users(&s, "top", 3);
	row.ca = "top";
	ck_assert(registrar_is_of_ca(&s.r, &row));
	row.ca = "top~2";
	ck_assert(registrar_is_of_ca(&s.r, &row));
}
END_TEST

/* --- CAs ------------------------------------------------------------------ */

static int
revoke_ca(const char *name, enum crl_reason reason, unsigned int *n)
{
	return registrar_revoke_ca(&s.r, name, reason, 0, WHO, NOON, n, &err);
}

START_TEST(a_revoked_ca_takes_all_below_with_it)
{
	unsigned int n = 0;

	issue_hosts(3);
	crl_stand_issue_to(&s, 7, "top", 7, "CN=beside it", 0);
	OK(revoke_ca("users", CRL_CA_COMPROMISE, &n));
	ck_assert_uint_eq(n, 5);
	ck_assert_int_eq(status_of(s.users_id, 2).reason,
	    CRL_CESSATION_OF_OPERATION);
	ck_assert_int_eq(status_of(s.top_id, 7).state, STATUS_GOOD);
	ck_assert(authority_by_name(&s.r.authorities, "users")->revoked);
	ck_assert(!authority_by_name(&s.r.authorities, "top")->revoked);
	crl_stand_restart(&s);
	ck_assert(authority_by_name(&s.r.authorities, "users")->revoked);
	/* Its own list says so of what it signed. */
	crl_stand_run(&s, NOON);
	ck_assert_uint_eq(crl_stand_last(&s)->n, 4);
}
END_TEST

static const struct {
	const char	*said;
	bool		 first, second;
} meant[] = {
	{ "users",	true,	true },
	{ "users~1",	true,	false },
	{ "users~2",	false,	true },
};

START_TEST(a_ca_is_revoked_with_all_its_keys_or_the_one_that_is_named)
{
	int64_t second = crl_stand_add_ca(&s, "users~2", "top", 2);
	unsigned int n = 0;

	crl_stand_issue_to(&s, 1, "users", 1, "CN=a", 0);
	crl_stand_issue_to(&s, 2, "users~2", 2, "CN=b", 0);
	REJECTED(revoke_ca("users~3", CRL_SUPERSEDED, &n));
	OK(revoke_ca(meant[_i].said, CRL_SUPERSEDED, &n));
	ck_assert_uint_eq(n, 2u * (meant[_i].first + meant[_i].second));
	ck_assert_int_eq(status_of(s.users_id, 1).state == STATUS_REVOKED,
	    meant[_i].first);
	ck_assert_int_eq(status_of(second, 2).state == STATUS_REVOKED,
	    meant[_i].second);
	ck_assert_int_eq(authority_by_name(&s.r.authorities,
	    "users")->revoked, meant[_i].first);
	ck_assert_int_eq(authority_by_name(&s.r.authorities,
	    "users~2")->revoked, meant[_i].second);
	/* Once more there is nothing to do, and that is said. */
	REJECTED(revoke_ca(meant[_i].said, CRL_SUPERSEDED, &n));
	ck_assert_ptr_nonnull(strstr(err.text, "revoked already"));
	ck_assert_uint_eq(n, 0);
}
END_TEST

static struct status_row
status_of_ca_certificate(int64_t parent, uint8_t number)
{
	const struct serial serial = { { (uint8_t)(76 + number) }, 1 };
	struct status_row row;

	OK(store_find_status(s.r.store, parent, &serial, &row, &err));
	return row;
}

/* By its name, or by that of its one key: the certificate of before the
 * parent got a new key is in force as long as the new one. */
START_TEST(a_ca_is_revoked_under_each_key_of_its_parent)
{
	static const char *const said[] = { "users", "users~1" };
	int64_t top2 = crl_stand_add_ca(&s, "top~2", "", 2);
	unsigned int n = 0;

	crl_stand_renew_users(&s, "top~2", 3);
	crl_stand_issue_to(&s, 77, "top~2", 7, "CN=no CA", 0);
	OK(revoke_ca(said[_i], CRL_SUPERSEDED, &n));
	ck_assert_uint_eq(n, 2);
	ck_assert_int_eq(status_of_ca_certificate(top2, 3).state,
	    STATUS_REVOKED);
	ck_assert_int_eq(status_of_ca_certificate(s.top_id, 1).state,
	    STATUS_REVOKED);
	ck_assert_int_eq(status_of(top2, 77).state, STATUS_GOOD);
	REJECTED(revoke_ca(said[_i], CRL_SUPERSEDED, &n));
}
END_TEST

START_TEST(one_certificate_of_a_ca_ends_alone_unless_the_key_is_lost)
{
	static const struct {
		enum crl_reason	 reason;
		enum status_state other;
	} rows[] = {
		{ CRL_SUPERSEDED, STATUS_GOOD },
		{ CRL_CESSATION_OF_OPERATION, STATUS_GOOD },
		{ CRL_KEY_COMPROMISE, STATUS_REVOKED },
		{ CRL_CA_COMPROMISE, STATUS_REVOKED },
	};

	for (uint8_t i = 0; i < ROWS(rows); i++) {
		const uint8_t key[32] = { 100, i };
		struct cert_row row = { .ca_id = s.top_id,
			.state = CERT_ISSUED, .not_before = NOON - DAY,
			.not_after = NOON + DAY, .der = bytes_of("a CA"),
			.profile = "ca", .names_text = "CN=other",
			.spki_sha256 = key, .serial = { { 1, i }, 2 } };
		struct serial old = row.serial;

		OK(store_begin(s.r.store, &err));
		OK(store_add_certificate(s.r.store, &row, &err));
		row.serial.octets[0] = 2;
		OK(store_add_certificate(s.r.store, &row, &err));
		OK(store_commit(s.r.store, &err));
		OK(registrar_revoke(&s.r, s.top_id, &old, rows[i].reason, 0,
		    WHO, NOON, &err));
		struct status_row status;

		OK(store_find_status(s.r.store, s.top_id, &row.serial,
		    &status, &err));
		ck_assert_msg(status.state == rows[i].other, "%s",
		    crl_reason_name(rows[i].reason));
		ck_assert_int_eq(store_is_key_blocked(s.r.store, key, NULL,
		    &err), rows[i].other == STATUS_GOOD);
	}
}
END_TEST

/* Certificates with the CA's key that are on record without being known as
 * the CA's: one for it from an import, and one that is none of a CA. */
static const struct {
	enum crl_reason	 reason;
	enum status_state of_ca, of_leaf;
} by_key[] = {
	{ CRL_SUPERSEDED,	STATUS_REVOKED,	STATUS_GOOD },
	{ CRL_KEY_COMPROMISE,	STATUS_REVOKED,	STATUS_REVOKED },
	{ CRL_CA_COMPROMISE,	STATUS_REVOKED,	STATUS_REVOKED },
};

START_TEST(whatever_else_has_a_cas_key_ends_with_it)
{
	int64_t other = crl_stand_add_ca(&s, "other", "", 2);
	const struct authority *users = authority_by_name(&s.r.authorities,
	    "users");
	uint8_t key[32];
	struct cert_row row = { .ca_id = other, .state = CERT_ISSUED,
		.not_before = NOON - DAY, .not_after = NOON + DAY,
		.der = bytes_of("imported"), .profile = "ca",
		.names_text = "CN=Users", .spki_sha256 = key,
		.origin = "openssl" };
	unsigned int n = 0;

	OK(key_digest_certificate(users->cert, key, &err));
	OK(store_begin(s.r.store, &err));
	row.serial = crl_stand_serial(1);
	OK(store_add_certificate(s.r.store, &row, &err));
	row.serial = crl_stand_serial(2);
	row.profile = "";
	OK(store_add_certificate(s.r.store, &row, &err));
	OK(store_commit(s.r.store, &err));
	OK(revoke_ca("users", by_key[_i].reason, &n));
	ck_assert_int_eq(status_of(other, 1).state, by_key[_i].of_ca);
	ck_assert_int_eq(status_of(other, 2).state, by_key[_i].of_leaf);
}
END_TEST

START_TEST(what_cannot_be_said_of_a_ca_is_refused)
{
	unsigned int n = 0;

	REJECTED(revoke_ca("top", CRL_CA_COMPROMISE, &n));
	REJECTED(revoke_ca("none", CRL_CA_COMPROMISE, &n));
	REJECTED(revoke_ca("users", CRL_CERTIFICATE_HOLD, &n));
	ck_assert_uint_eq(n, 0);
	ck_assert(!authority_by_name(&s.r.authorities, "users")->revoked);
}
END_TEST

/* --- the owner ------------------------------------------------------------ */

static int64_t
request_by_mail(const char *mailbox)
{
	struct submission_row submission = { .channel = "mail",
		.mailbox = mailbox, .identity = { 5 }, .uid = 1,
		.uid_validity = 1, .principal = "mail:user@example.test",
		.evidence = "auth", .reply_to = "user@example.test",
		.message_id = "1@example.test", .references = "",
		.subject = "my request", .outcome = "processed",
		.received_at = NOON };
	struct request_row request = { .state = REQUEST_APPROVED,
		.ca = "users", .profile = "user", .csr = bytes_of("csr"),
		.names = bytes_of(""), .names_text = "CN=user",
		.key_text = "P-256", .rule = "", .reason = "", .ignored = "",
		.decided_by = "" };
	int64_t id;

	OK(store_begin(s.r.store, &err));
	OK(store_add_submission(s.r.store, &submission, &request.submission,
	    &err));
	OK(store_add_request(s.r.store, &request, &id, &err));
	OK(store_commit(s.r.store, &err));
	return id;
}

struct mails {
	unsigned int	 n;
	char		 recipient[64];
	char		 text[4096];
};

static int
note_mail(const struct outbox_row *row, void *arg)
{
	struct mails *mails = arg;

	mails->n++;
	snprintf(mails->recipient, sizeof(mails->recipient), "%s",
	    row->recipient);
	snprintf(mails->text, sizeof(mails->text), "%.*s",
	    (int)row->message.len, (const char *)row->message.data);
	return 0;
}

static struct mails
mails(void)
{
	struct mails found = { 0 };

	OK(store_each_outbox(s.r.store, (enum outbox_state)0, 0, 100,
	    note_mail, &found, &err));
	return found;
}

START_TEST(who_asked_by_mail_is_told_by_mail)
{
	int64_t request = request_by_mail("users");

	crl_stand_issue_to(&s, 1, "users", 1, "CN=user", request);
	OK(revoke_one(1, CRL_CERTIFICATE_HOLD, NOON));
	ck_assert_uint_eq(mails().n, 1);
	ck_assert_str_eq(mails().recipient, "user@example.test");
	ck_assert_ptr_nonnull(strstr(mails().text, "on hold"));
	ck_assert_ptr_nonnull(strstr(mails().text, "41000001"));
	ck_assert_ptr_nonnull(strstr(mails().text,
	    "In-Reply-To: <1@example.test>"));
	OK(release(1, NOON + 1));
	ck_assert_ptr_nonnull(strstr(mails().text, "is good"));
	OK(revoke_one(1, CRL_SUPERSEDED, NOON + 2));
	ck_assert_uint_eq(mails().n, 3);
	ck_assert_ptr_nonnull(strstr(mails().text, "superseded"));
	ck_assert_ptr_nonnull(strstr(mails().text, "CN=user"));
}
END_TEST

START_TEST(nobody_is_told_from_a_mailbox_that_is_gone)
{
	int64_t request = request_by_mail("gone");

	crl_stand_issue_to(&s, 1, "users", 1, "CN=user", request);
	OK(revoke_one(1, CRL_SUPERSEDED, NOON));
	ck_assert_uint_eq(mails().n, 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("acts_revoke");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_hold_can_be_lifted_and_nothing_else);
	tcase_add_test(tc, a_hold_becomes_final_with_its_own_date);
	tcase_add_test(tc,
	    a_lost_key_ends_all_certificates_with_it_and_comes_no_more);
	tcase_add_test(tc, a_key_that_is_blocked_goes_to_the_signer);
	tcase_add_test(tc, another_reason_leaves_the_key_alone);
	tcase_add_loop_test(tc, a_pattern_is_about_one_whole_name, 0,
	    ROWS(patterns));
	tcase_add_test(tc,
	    all_that_match_are_revoked_if_it_is_the_number_that_was_seen);
	tcase_add_test(tc, siblings_leave_no_gap_in_what_matches);
	tcase_add_test(tc, a_key_is_revoked_wherever_it_is);
	tcase_add_test(tc, a_pattern_takes_no_ca_away);
	tcase_add_test(tc, a_certificate_is_a_cas_by_how_it_was_made);
	tcase_add_test(tc, a_revoked_ca_takes_all_below_with_it);
	tcase_add_loop_test(tc,
	    a_ca_is_revoked_with_all_its_keys_or_the_one_that_is_named, 0,
	    ROWS(meant));
	tcase_add_loop_test(tc,
	    a_ca_is_revoked_under_each_key_of_its_parent, 0, 2);
	tcase_add_test(tc,
	    one_certificate_of_a_ca_ends_alone_unless_the_key_is_lost);
	tcase_add_loop_test(tc, whatever_else_has_a_cas_key_ends_with_it, 0,
	    ROWS(by_key));
	tcase_add_test(tc, what_cannot_be_said_of_a_ca_is_refused);
	tcase_add_test(tc, who_asked_by_mail_is_told_by_mail);
	tcase_add_test(tc, nobody_is_told_from_a_mailbox_that_is_gone);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
