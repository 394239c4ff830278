#include "csrmaild/restore.h"
#include "common/err.h"
#include "common/store.h"
#include "tests/support/fixtures.h"
#include "tests/support/test_ca.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define REMOVE	CRL_REMOVE_FROM_CRL
#define HOLD	CRL_CERTIFICATE_HOLD
#define STOLEN	CRL_KEY_COMPROMISE

static char dir[64];
static int dir_fd;
static struct store *store;
static struct journal *journal;
static struct restore_ca ca;
static struct restore_counts counts;
static struct test_ca issuer;
static struct err err;

#define OK(call)							\
	ck_assert_msg((call) == 0, "%s: %s (%s)", #call, err.text,	\
	    err.detail)

static void
set_up(void)
{
	struct ca_row row = { .name = "users", .parent = "",
	    .cert = bytes_of("a certificate"), .key_sha1 = { 1 },
	    .not_before = NOON, .not_after = NOON + 3650 * DAY };
	char path[128];

	counts = (struct restore_counts){ 0 };
	strcpy(dir, "/tmp/test_restore.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY);
	snprintf(path, sizeof(path), "%s/store.db", dir);
	OK(store_open(path, STORE_READ_WRITE, &store, &err));
	OK(store_begin(store, &err));
	ca = (struct restore_ca){ .name = "users",
		.not_after = row.not_after };
	OK(store_add_ca(store, &row, &ca.id, &err));
	OK(journal_open(dir_fd, "users.journal", "users", true, &journal,
	    &err));
	test_ca_make(&issuer, KEY_P256);
}

static void
tear_down(void)
{
	static const char *const files[] = { "store.db", "store.db-wal",
		"store.db-shm", "copy.db", "users.journal" };

	test_ca_free(&issuer);
	journal_free(journal);
	store_free(store);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		unlinkat(dir_fd, files[i], 0);
	close(dir_fd);
	rmdir(dir);
}

static struct serial
serial(uint8_t n)
{
	return (struct serial){ .octets = { 0x10, n }, .len = 2 };
}

static struct cert_row
row_of(uint8_t n, enum cert_state state)
{
	return (struct cert_row){ .ca_id = ca.id, .serial = serial(n),
		.state = state, .not_before = NOON, .not_after = NOON + DAY,
		.order = bytes_of("an order"), .der = bytes_of("der"),
		.profile = "user", .names_text = "CN=x" };
}

/* reason -1: good. */
static void
add(uint8_t n, int reason, time_t at)
{
	struct cert_row row = row_of(n, reason < 0 ? CERT_ISSUED :
	    CERT_REVOKED);

	row.reason = reason < 0 ? CRL_UNSPECIFIED : (enum crl_reason)reason;
	row.revoked_at = reason < 0 ? 0 : at;
	OK(store_add_certificate(store, &row, &err));
}

/* The reason; -1 good; -2 unknown. */
static int
reason_of(uint8_t n)
{
	struct serial s = serial(n);
	struct status_row status;
	int r = store_find_status(store, ca.id, &s, &status, &err);

	ck_assert_int_ge(r, 0);
	return r == 1 ? -2 : status.state == STATUS_GOOD ? -1 :
	    (int)status.reason;
}

static struct crl_entry
entry(uint8_t n, int reason, time_t at)
{
	return (struct crl_entry){ .serial = serial(n), .revoked_at = at,
		.reason = (enum crl_reason)reason };
}

static void
merge_crl(const struct crl_terms *terms, struct crl_entry *entries, size_t n)
{
	struct crl_read crl = { .terms = *terms, .entries = entries, .n = n };

	OK(restore_merge_crl(store, &ca, &crl, &counts, &err));
}

static void
merge_journal(void)
{
	OK(journal_sync(journal, &err));
	OK(restore_merge_journal(store, &ca, journal, &counts, &err));
}

/* --- one serial, its old status, and what came after -------------------------- */

#define NONE	{ -9, 0 }
static const struct {
	const char	*name;
	int		 before;	/* in the backup, since NOON + 10 */
	struct { int reason; time_t at; } crl, journal[3];
	time_t		 crl_update;
	int		 want;
} stories[] = {
	{ "nothing happened", -1, NONE, { NONE, NONE, NONE }, 99, -1 },
	{ "the CRL has it", -1, { STOLEN, 20 }, { NONE, NONE, NONE }, 99,
	    STOLEN },
	{ "the journal has it", -1, NONE, { { STOLEN, 20 }, NONE, NONE }, 99,
	    STOLEN },
	{ "unknown, and on the CRL", -2, { 4, 20 }, { NONE, NONE, NONE }, 99,
	    4 },
	{ "unknown, and in the journal", -2, NONE, { { 4, 20 }, NONE, NONE },
	    99, 4 },
	{ "revoked stays what it is", 4, { STOLEN, 5 }, { NONE, NONE, NONE },
	    99, 4 },
	{ "revoked is not put on hold", STOLEN, { HOLD, 30 },
	    { { HOLD, 30 }, NONE, NONE }, 99, STOLEN },
	{ "revoked is not released", STOLEN, NONE, { { REMOVE, 30 }, NONE,
	    NONE }, 99, STOLEN },
	{ "a hold becomes final", HOLD, { STOLEN, 30 }, { NONE, NONE, NONE },
	    99, STOLEN },
	{ "a hold becomes final in the journal", HOLD, NONE,
	    { { STOLEN, 30 }, NONE, NONE }, 99, STOLEN },
	{ "a hold is lifted", HOLD, NONE, { { HOLD, 10 }, { REMOVE, 30 },
	    NONE }, 99, -1 },
	{ "a hold that is not on the CRL is not lifted by that", HOLD, NONE,
	    { NONE, NONE, NONE }, 99, HOLD },
	{ "lifted by a delta", HOLD, { REMOVE, 0 }, { NONE, NONE, NONE }, 30,
	    -1 },
	{ "a delta from before the hold", HOLD, { REMOVE, 0 },
	    { NONE, NONE, NONE }, 5, HOLD },
	{ "lifted once, and held again", HOLD, NONE,
	    { { HOLD, 2 }, { REMOVE, 5 }, NONE }, 99, HOLD },
	{ "held, lifted and held in the journal", -1, NONE,
	    { { HOLD, 20 }, { REMOVE, 30 }, { HOLD, 40 } }, 99, HOLD },
	{ "held, lifted and stolen", -1, NONE,
	    { { HOLD, 20 }, { REMOVE, 30 }, { STOLEN, 40 } }, 99, STOLEN },
	{ "on hold in the CRL, lifted since", -1, { HOLD, 20 },
	    { { HOLD, 20 }, { REMOVE, 30 }, NONE }, 25, -1 },
	{ "lifted long ago, held again in the CRL", -1, { HOLD, 40 },
	    { { HOLD, 20 }, { REMOVE, 30 }, NONE }, 50, HOLD },
	{ "a release of what nobody knows", -2, NONE, { { REMOVE, 30 }, NONE,
	    NONE }, 99, -2 },
};

START_TEST(an_old_status_learns_what_came_after)
{
	struct crl_terms terms = { .number = 3,
		.this_update = NOON + stories[_i].crl_update,
		.next_update = NOON + DAY };
	struct crl_entry e;

	if (stories[_i].before != -2)
		add(1, stories[_i].before, NOON + 10);
	if (stories[_i].crl.reason != -9) {
		e = entry(1, stories[_i].crl.reason, NOON +
		    stories[_i].crl.at);
		merge_crl(&terms, &e, 1);
	}
	for (size_t i = 0; i < 3; i++) {
		if (stories[_i].journal[i].reason == -9)
			continue;
		e = entry(1, stories[_i].journal[i].reason, NOON +
		    stories[_i].journal[i].at);
		OK(journal_append_revoked(journal, &e, &err));
	}
	merge_journal();
	ck_assert_msg(reason_of(1) == stories[_i].want, "%s: %d",
	    stories[_i].name, reason_of(1));
	/* And the same once more changes nothing. */
	merge_journal();
	ck_assert_msg(reason_of(1) == stories[_i].want, "%s, again: %d",
	    stories[_i].name, reason_of(1));
	ck_assert_uint_eq(counts.odd, 0);
	OK(store_commit(store, &err));
}
END_TEST

/* --- certificates of the journal ------------------------------------------------ */

/* Signed by the CA, for that key. */
static void
append_issued(uint8_t n, EVP_PKEY *key)
{
	OWNED(X509) *cert = X509_new();
	struct journal_issued issued = { .serial = serial(n) };
	uint8_t *der = NULL;
	int len;

	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 0x1000 + n);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN",
	    MBSTRING_ASC, (const unsigned char *)"late.example", -1, -1, 0);
	X509_set_issuer_name(cert, X509_get_subject_name(issuer.cert));
	ASN1_TIME_set(X509_getm_notBefore(cert), NOON);
	ASN1_TIME_set(X509_getm_notAfter(cert), NOON + DAY);
	X509_set_pubkey(cert, key);
	ck_assert_int_gt(X509_sign(cert, issuer.key, EVP_sha256()), 0);
	len = i2d_X509(cert, &der);
	issued.der = (struct bytes){ der, (size_t)len };
	OK(journal_append_issued(journal, &issued, &err));
	OPENSSL_free(der);
}

static int
keep_row(const struct cert_row *row, void *arg)
{
	struct cert_row *out = arg;

	*out = *row;
	out->der.data = NULL;
	return 0;
}

static struct cert_row
find(uint8_t n)
{
	struct serial s = serial(n);
	struct cert_row row = { 0 };

	ck_assert_int_ge(store_find_certificate(store, ca.id, &s, keep_row,
	    &row, &err), 0);
	return row;
}

static int64_t
add_request(EVP_PKEY *key, enum request_state state)
{
	struct submission_row mail = { .channel = "cli", .mailbox = "",
	    .principal = "unix:root", .evidence = "", .reply_to = "",
	    .message_id = "", .references = "", .subject = "",
	    .outcome = "processed", .received_at = NOON };
	struct request_row row = { .state = state, .ca = "users",
	    .profile = "user", .csr = bytes_of("csr"),
	    .names = bytes_of("n"), .names_text = "", .key_text = "",
	    .rule = "", .reason = "", .ignored = "", .decided_by = "" };
	uint8_t spki[32], *der = NULL;
	static uint8_t next;
	int len = i2d_PUBKEY(key, &der);
	int64_t id;

	EVP_Digest(der, (size_t)len, spki, NULL, EVP_sha256(), NULL);
	OPENSSL_free(der);
	mail.identity[0] = ++next;
	row.spki_sha256 = spki;
	OK(store_add_submission(store, &mail, &row.submission, &err));
	OK(store_add_request(store, &row, &id, &err));
	return id;
}

static int
keep_state(const struct request_row *row, void *arg)
{
	*(enum request_state *)arg = row->state;
	return 0;
}

static enum request_state
state_of(int64_t request)
{
	enum request_state state = REQUEST_LAPSED;

	OK(store_find_request(store, request, keep_state, &state, &err));
	return state;
}

START_TEST(certificates_of_the_journal_are_issued_with_their_requests)
{
	OWNED(EVP_PKEY) *key = EVP_EC_gen("P-256");
	OWNED(EVP_PKEY) *stranger = EVP_EC_gen("P-256");
	OWNED(EVP_PKEY) *third = EVP_EC_gen("P-256");
	int64_t held = add_request(key, REQUEST_HELD),
	    rejected = add_request(third, REQUEST_REJECTED);
	struct cert_row reserved = row_of(3, CERT_RESERVED);

	reserved.request = add_request(third, REQUEST_APPROVED);
	OK(store_reserve(store, &reserved, &err));
	append_issued(1, key);
	append_issued(2, stranger);
	append_issued(3, third);
	merge_journal();
	ck_assert_uint_eq(counts.issued, 3);
	ck_assert_uint_eq(counts.requests, 2);
	for (uint8_t n = 1; n <= 3; n++) {
		ck_assert_int_eq(find(n).state, CERT_ISSUED);
		ck_assert_int_eq(reason_of(n), -1);
		ck_assert_uint_gt(find(n).der.len, 0);
	}
	ck_assert_int_eq(find(1).request, held);
	ck_assert_int_eq(find(2).request, 0);
	ck_assert_int_eq(state_of(held), REQUEST_ISSUED);
	ck_assert_int_eq(state_of(rejected), REQUEST_REJECTED);
	ck_assert_int_eq(state_of(reserved.request), REQUEST_ISSUED);
	/* No serial of these can be reserved again. */
	reserved.request = 0;
	ck_assert_int_eq(store_reserve(store, &reserved, &err), 1);
}
END_TEST

START_TEST(a_request_with_another_certificate_in_the_making_is_left_alone)
{
	OWNED(EVP_PKEY) *key = EVP_EC_gen("P-256");
	struct cert_row reserved = row_of(9, CERT_RESERVED);

	reserved.request = add_request(key, REQUEST_APPROVED);
	OK(store_reserve(store, &reserved, &err));
	append_issued(1, key);
	merge_journal();
	ck_assert_int_eq(find(1).state, CERT_ISSUED);
	ck_assert_int_eq(find(1).request, 0);
	ck_assert_int_eq(state_of(reserved.request), REQUEST_APPROVED);
}
END_TEST

START_TEST(reserved_serials_are_given_up_without_the_newest_journal)
{
	for (uint8_t n = 1; n <= 3; n++) {
		struct cert_row row = row_of(n, CERT_RESERVED);

		OK(store_reserve(store, &row, &err));
	}
	add(4, -1, 0);
	OK(restore_abandon_reserved(store, &ca, &counts, &err));
	ck_assert_uint_eq(counts.abandoned, 3);
	for (uint8_t n = 1; n <= 3; n++)
		ck_assert_int_eq(find(n).state, CERT_ABANDONED);
	ck_assert_int_eq(find(4).state, CERT_ISSUED);
}
END_TEST

START_TEST(a_reserved_serial_on_a_crl_is_revoked)
{
	struct crl_terms terms = { .number = 3, .this_update = NOON,
		.next_update = NOON + DAY };
	struct crl_entry e = entry(1, STOLEN, NOON);
	struct cert_row row = row_of(1, CERT_RESERVED);

	OK(store_reserve(store, &row, &err));
	merge_crl(&terms, &e, 1);
	ck_assert_int_eq(reason_of(1), STOLEN);
	OK(restore_abandon_reserved(store, &ca, &counts, &err));
	ck_assert_uint_eq(counts.abandoned, 0);
}
END_TEST

static int
note_reason(const struct request_row *row, void *out)
{
	snprintf(out, 128, "%s", row->reason);
	return 0;
}

/* It had been signed: an approved request would be signed once more at the
 * next start, behind the back of whoever revoked it. */
static const struct {
	const char	*name;
	bool		 abandoned;	/* the serial, before the CRL comes */
	bool		 another;	/* is in the making for the request */
	bool		 journal;	/* has the certificate */
	enum request_state request, want;
} settled[] = {
	{ "reserved", false, false, false, REQUEST_APPROVED, REQUEST_ISSUED },
	{ "given up", true, false, false, REQUEST_APPROVED, REQUEST_ISSUED },
	{ "in the journal", false, false, true, REQUEST_APPROVED,
	    REQUEST_ISSUED },
	{ "drawn twice", true, true, false, REQUEST_APPROVED,
	    REQUEST_APPROVED },
	{ "held since", true, false, false, REQUEST_HELD, REQUEST_HELD },
	{ "rejected since", true, false, false, REQUEST_REJECTED,
	    REQUEST_REJECTED },
};

START_TEST(what_was_revoked_is_not_signed_once_more)
{
	struct crl_terms terms = { .number = 3, .this_update = NOON,
		.next_update = NOON + DAY };
	struct crl_entry e = entry(1, CRL_SUPERSEDED, NOON);
	struct cert_row row = row_of(1, CERT_RESERVED);
	OWNED(EVP_PKEY) *key = EVP_EC_gen("P-256");
	char reason[128] = "";

	row.request = add_request(key, settled[_i].request);
	OK(store_reserve(store, &row, &err));
	if (settled[_i].abandoned)
		OK(store_abandon(store, ca.id, &row.serial, &err));
	if (settled[_i].another) {
		struct cert_row next = row_of(2, CERT_RESERVED);

		next.request = row.request;
		OK(store_reserve(store, &next, &err));
	}
	if (settled[_i].journal)
		append_issued(1, key);
	merge_crl(&terms, &e, 1);
	if (settled[_i].journal)
		merge_journal();
	ck_assert_int_eq(find(1).state, CERT_REVOKED);
	ck_assert_int_eq(reason_of(1), CRL_SUPERSEDED);
	ck_assert_msg(state_of(row.request) == settled[_i].want, "%s: %s",
	    settled[_i].name, request_state_name(state_of(row.request)));
	OK(store_find_request(store, row.request, note_reason, reason, &err));
	ck_assert_msg((strstr(reason, "was revoked before") != NULL) ==
	    (settled[_i].want == REQUEST_ISSUED), "%s: %s", settled[_i].name,
	    reason);
}
END_TEST

START_TEST(a_key_that_the_journal_blocks_is_blocked_again)
{
	static const uint8_t stolen[32] = { 2 }, other[32] = { 3 };
	struct journal_blocked key = { { 1 }, NOON + 20 };
	enum key_block_kind kind;

	OK(store_block_key(store, stolen, KEY_COMPROMISED, "", NOON, &err));
	OK(journal_append_blocked(journal, &key, &err));
	memcpy(key.spki_sha256, stolen, 32);
	OK(journal_append_blocked(journal, &key, &err));
	merge_journal();
	merge_journal();
	key.spki_sha256[0] = 1;
	OK(store_is_key_blocked(store, key.spki_sha256, &kind, &err));
	ck_assert_int_eq(kind, KEY_BLOCKED);
	/* What the backup knew better stays. */
	OK(store_is_key_blocked(store, stolen, &kind, &err));
	ck_assert_int_eq(kind, KEY_COMPROMISED);
	ck_assert_int_eq(store_is_key_blocked(store, other, NULL, &err), 1);
}
END_TEST

static const struct {
	const char	*name;
	enum cert_state	 state;		/* in the backup */
	int		 reason;	/* on the CRL, or in the journal */
	bool		 blocked;
} compromises[] = {
	{ "stolen",			CERT_ISSUED,	STOLEN, true },
	{ "stolen from a CA",		CERT_ISSUED,	CRL_CA_COMPROMISE,
	    true },
	{ "stolen while it was signed",	CERT_RESERVED,	STOLEN, true },
	{ "given up",			CERT_ISSUED,	CRL_SUPERSEDED,
	    false },
};

/* Also where the newest journal is lost, which would tell the signer. */
START_TEST(a_key_whose_certificate_was_compromised_is_blocked)
{
	struct crl_terms terms = { .number = 3, .this_update = NOON + 30,
		.next_update = NOON + DAY };
	struct crl_entry e = entry(1, compromises[_i].reason, NOON + 20);
	struct cert_row row = row_of(1, compromises[_i].state);
	static const uint8_t key[32] = { 7 };
	enum key_block_kind kind = KEY_WEAK;

	row.spki_sha256 = key;
	OK(row.state == CERT_RESERVED ? store_reserve(store, &row, &err) :
	    store_add_certificate(store, &row, &err));
	merge_crl(&terms, &e, 1);
	ck_assert_msg(store_is_key_blocked(store, key, &kind, &err) ==
	    (compromises[_i].blocked ? 0 : 1), "%s", compromises[_i].name);
	if (compromises[_i].blocked)
		ck_assert_int_eq(kind, KEY_COMPROMISED);
}
END_TEST

/* A list and the journal know more than the backup: of the list alone, the
 * serial is known, and of the journal the key. */
START_TEST(a_stolen_key_that_only_the_journal_has_is_blocked)
{
	struct crl_terms terms = { .number = 3, .this_update = NOON + 30,
		.next_update = NOON + DAY };
	struct crl_entry e = entry(1, compromises[_i].reason, NOON + 20);
	OWNED(EVP_PKEY) *key = EVP_EC_gen("P-256");
	struct cert_row reserved = row_of(1, CERT_RESERVED);
	enum key_block_kind kind = KEY_WEAK;
	uint8_t spki[32], *der = NULL;
	int len = i2d_PUBKEY(key, &der);

	EVP_Digest(der, (size_t)len, spki, NULL, EVP_sha256(), NULL);
	OPENSSL_free(der);
	if (compromises[_i].state == CERT_RESERVED) {
		reserved.request = add_request(key, REQUEST_APPROVED);
		OK(store_reserve(store, &reserved, &err));
	}
	append_issued(1, key);
	merge_crl(&terms, &e, 1);
	merge_journal();
	ck_assert_msg(store_is_key_blocked(store, spki, &kind, &err) ==
	    (compromises[_i].blocked ? 0 : 1), "%s", compromises[_i].name);
	if (compromises[_i].blocked)
		ck_assert_int_eq(kind, KEY_COMPROMISED);
	ck_assert_int_eq(reason_of(1), compromises[_i].reason);
	ck_assert_int_eq(find(1).state, CERT_REVOKED);
	ck_assert_uint_gt(find(1).der.len, 0);
	ck_assert_int_eq(find(1).not_after, NOON + DAY);
	ck_assert_uint_eq(counts.issued, 1);
	/* And the same once more changes nothing. */
	merge_journal();
	ck_assert_uint_eq(counts.issued, 1);
}
END_TEST

/* --- numbers --------------------------------------------------------------------- */

static int
keep_number(const struct ca_row *row, void *arg)
{
	*(uint64_t *)arg = row->crl_number;
	return 0;
}

START_TEST(the_next_crl_number_is_above_all_that_were_seen)
{
	struct crl_terms crl = { .number = 40, .this_update = NOON + 5,
		.next_update = NOON + DAY };
	struct crl_terms signed_last = { .number = 41,
		.this_update = NOON + 4, .next_update = NOON + DAY };
	uint64_t number = 0;

	merge_crl(&crl, NULL, 0);
	OK(journal_append_crl(journal, &signed_last, &err));
	merge_journal();
	OK(restore_crl_number(store, &ca, &err));
	OK(store_find_ca(store, "users", keep_number, &number, &err));
	ck_assert_uint_eq(number, 41);
	OK(restore_crl_number(store, &ca, &err));	/* harmless */
}
END_TEST

/* --- the copy ----------------------------------------------------------------------- */

START_TEST(a_copy_of_the_store_is_whole_and_stands_alone)
{
	struct store *copy = NULL;
	char path[128];
	struct stat st;
	uint64_t number = 1;

	struct store *reader = NULL;
	struct serial first = serial(1), second = serial(2);
	struct status_row status;

	add(1, -1, 0);
	OK(store_commit(store, &err));
	snprintf(path, sizeof(path), "%s/store.db", dir);
	OK(store_open(path, STORE_READ_ONLY, &reader, &err));
	/* In the midst of a write of the daemon. */
	OK(store_begin(store, &err));
	add(2, -1, 0);
	snprintf(path, sizeof(path), "%s/copy.db", dir);
	OK(store_backup(reader, path, &err));
	OK(store_commit(store, &err));
	OK(stat(path, &st));
	ck_assert_int_eq(st.st_mode & 0777, 0600);
	ck_assert_int_eq(store_backup(reader, path, &err), -1);
	store_free(reader);
	OK(store_open(path, STORE_READ_ONLY, &copy, &err));
	OK(store_find_ca(copy, "users", keep_number, &number, &err));
	ck_assert_uint_eq(number, 0);
	OK(store_find_status(copy, ca.id, &first, &status, &err));
	ck_assert_int_eq(store_find_status(copy, ca.id, &second, &status,
	    &err), 1);
	store_free(copy);
	ck_assert_int_eq(faccessat(dir_fd, "copy.db-wal", F_OK, 0), -1);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("restore");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_loop_test(tc, an_old_status_learns_what_came_after, 0,
	    ROWS(stories));
	tcase_add_test(tc,
	    certificates_of_the_journal_are_issued_with_their_requests);
	tcase_add_test(tc,
	    a_request_with_another_certificate_in_the_making_is_left_alone);
	tcase_add_test(tc,
	    reserved_serials_are_given_up_without_the_newest_journal);
	tcase_add_test(tc, a_reserved_serial_on_a_crl_is_revoked);
	tcase_add_loop_test(tc, what_was_revoked_is_not_signed_once_more, 0,
	    ROWS(settled));
	tcase_add_test(tc, a_key_that_the_journal_blocks_is_blocked_again);
	tcase_add_loop_test(tc,
	    a_key_whose_certificate_was_compromised_is_blocked, 0,
	    ROWS(compromises));
	tcase_add_loop_test(tc,
	    a_stolen_key_that_only_the_journal_has_is_blocked, 0,
	    ROWS(compromises));
	tcase_add_test(tc, the_next_crl_number_is_above_all_that_were_seen);
	tcase_add_test(tc, a_copy_of_the_store_is_whole_and_stands_alone);
	suite_add_tcase(s, tc);
	return fixture_run(s);
}
