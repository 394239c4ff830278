#include "common/store.h"
#include "common/err.h"
#include "common/store_private.h"
#include "tests/support/fixtures.h"

#include <sqlite3.h>

#include <grp.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* A folder and a store of its own for each test. */
static char dir[64], path[PATH_MAX];
static struct store *store;
static struct err err;
static int64_t ca;

#define OK(call)							\
	ck_assert_msg((call) == 0, "%s: %s (%s)", #call, err.text,	\
	    err.detail)
#define FAILS(call, want) do {						\
	err.kind = 0;							\
	ck_assert_int_eq((call), -1);					\
	ck_assert_msg(err.kind == (want), "%s: %s (%s)", #call,		\
	    err.text, err.detail);					\
} while (0)

static int64_t
add_ca(const char *name, const char *parent)
{
	struct ca_row row = { .name = name, .parent = parent,
	    .cert = bytes_of("a certificate"), .key_sha1 = { 1, 2, 3 },
	    .not_before = NOON, .not_after = NOON + 3650 * DAY };
	int64_t id;

	OK(store_add_ca(store, &row, &id, &err));
	return id;
}

static void
set_up(void)
{
	strcpy(dir, "/tmp/test_store.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/store.db", dir);
	OK(store_open(path, STORE_READ_WRITE, &store, &err));
	OK(store_begin(store, &err));
	ca = add_ca("users", "");
	OK(store_commit(store, &err));
}

static void
tear_down(void)
{
	char name[PATH_MAX + 8];

	store_free(store);
	store = NULL;
	for (size_t i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "%s%s", path,
		    ((const char *[]){ "", "-wal", "-shm" })[i]);
		unlink(name);
	}
	rmdir(dir);
}

/* Someone with an editor and the rights of the registrar. */
static void
tamper(const char *text)
{
	sqlite3 *db;

	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_msg(sqlite3_exec(db, text, NULL, NULL, NULL) == SQLITE_OK,
	    "%s", sqlite3_errmsg(db));
	sqlite3_close(db);
}

/* Not even they may do this. */
static void
fails_sql(const char *text)
{
	sqlite3 *db;

	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_msg(sqlite3_exec(db, text, NULL, NULL, NULL) ==
	    SQLITE_CONSTRAINT, "allowed: %s", text);
	sqlite3_close(db);
}

static struct submission_row
mail(uint8_t identity, uint32_t uid)
{
	return (struct submission_row){ .channel = "mail",
	    .mailbox = "users", .uid_validity = 7, .uid = uid,
	    .identity = { identity }, .principal = "mail:user@example.test",
	    .evidence = "auth", .reply_to = "user@example.test",
	    .message_id = "1@example.test", .references = "<0@example.test>",
	    .subject = "my request", .outcome = "held", .received_at = NOON };
}

static int64_t
add_submission(uint8_t identity, uint32_t uid)
{
	struct submission_row row = mail(identity, uid);
	int64_t id;

	OK(store_add_submission(store, &row, &id, &err));
	return id;
}

static const uint8_t digest[32] = { 0xd1 }, key[32] = { 0xce },
    other_key[32] = { 0xcf };

static struct request_row
request_of(int64_t submission, enum request_state state)
{
	return (struct request_row){ .submission = submission, .state = state,
	    .ca = "users", .profile = "user", .validity_s = 365 * DAY,
	    .csr = bytes_of("a request"), .csr_digest = digest,
	    .spki_sha256 = key, .names = bytes_of("names"),
	    .names_text = "CN=user", .key_text = "P-256", .rule = "staff",
	    .reason = "because", .ignored = "keyUsage", .decided_at = NOON,
	    .decided_by = "" };
}

static int64_t
add_request(int64_t submission, enum request_state state)
{
	struct request_row row = request_of(submission, state);
	int64_t id;

	OK(store_add_request(store, &row, &id, &err));
	return id;
}

static struct serial
serial(uint8_t last)
{
	return (struct serial){ .octets = { 0x7f, last }, .len = 2 };
}

static struct cert_row
cert_of(uint8_t last, int64_t request)
{
	return (struct cert_row){ .ca_id = ca, .ca = "users",
	    .serial = serial(last), .request = request, .state = CERT_ISSUED,
	    .not_before = NOON, .not_after = NOON + 365 * DAY,
	    .order = bytes_of("an order"), .der = bytes_of("a certificate"),
	    .profile = "user", .names_text = "CN=User, email:u@example.test",
	    .reply_to = "" };
}

static void
issue(uint8_t last, int64_t request)
{
	struct cert_row row = cert_of(last, request);

	OK(store_reserve(store, &row, &err));
	OK(store_issue(store, ca, &row.serial, row.der, &err));
}

static int
count(const void *row, void *n)
{
	(void)row;
	++*(int *)n;
	return 0;
}
/* Callbacks that only count, one for each kind of row. */
#define COUNTER(kind)							\
static int								\
count_##kind(const struct kind##_row *row, void *n)			\
{									\
	return count(row, n);						\
}
COUNTER(ca)
COUNTER(request)
COUNTER(cert)
COUNTER(status)
COUNTER(responder)
COUNTER(outbox)
COUNTER(audit)

/* --- opening ------------------------------------------------------------- */

START_TEST(a_new_store_is_for_its_group_to_read_and_nobody_else)
{
	static const char *const files[] = { "", "-wal", "-shm" };

	store_free(store);
	store = NULL;
	for (size_t i = 0; i < 3; i++) {
		char name[PATH_MAX + 8];
		struct stat st;

		/* Also after the writer has left in good order. */
		snprintf(name, sizeof(name), "%s%s", path, files[i]);
		ck_assert_msg(stat(name, &st) == 0, "%s", name);
		ck_assert_msg((st.st_mode & 07777) == 0640, "%s is %o", name,
		    st.st_mode & 07777);
	}
}
END_TEST

START_TEST(what_was_committed_is_there_again)
{
	int n = 0;

	store_free(store);
	store = NULL;
	OK(store_open(path, STORE_READ_WRITE, &store, &err));
	OK(store_each_ca(store, count_ca, &n, &err));
	ck_assert_int_eq(n, 1);
}
END_TEST

START_TEST(a_newer_store_is_refused_in_plain_words)
{
	struct store *second = NULL;

	tamper("PRAGMA user_version = 999");
	FAILS(store_open(path, STORE_READ_WRITE, &second, &err), ERR_FAULT);
	ck_assert_ptr_nonnull(strstr(err.text, "999"));
	FAILS(store_open(path, STORE_READ_ONLY, &second, &err), ERR_FAULT);
	ck_assert_ptr_null(second);
}
END_TEST

/* A store as the first version of the program left it, a row in each table
 * and a certificate in each state. */
static const char first_version[] =
    "INSERT INTO ca VALUES (1, 'root', NULL, x'01', zeroblob(20), 1, 9, 1),"
    " (2, 'users', 1, x'02', zeroblob(20), 1, 9, 2);"
    "INSERT INTO crl VALUES (2, 5, 1, 2, 3), (2, 6, 2, 3, 4);"
    "INSERT INTO submission VALUES (1, 'mail', 'users', zeroblob(32),"
    " 'mail:u@example.test', 'auth', 'u@example.test', '1@example.test', '',"
    " 'subject', 'processed', 1);"
    "INSERT INTO submission_place VALUES ('users', 7, 1, 1);"
    "INSERT INTO request (id, submission_id, state, ca, profile, validity_s,"
    " csr, csr_digest, spki_sha256, names, names_text, key_text, rule, reason,"
    " ignored, decided_by) VALUES (1, 1, 'approved', 'users', 'user', 0,"
    " x'30', zeroblob(32), x'" /* the key of the issued one */
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',"
    " x'00', 'CN=u', 'P-256', 'r', '', '', ''),"
    " (2, 1, 'held', 'users', 'user', 0, x'30', NULL, NULL, x'00', 'CN=v',"
    " 'P-256', 'r', 'why', '', '');"
    "INSERT INTO certificate VALUES"
    " (1, 2, x'0a', 1, 'issued', 1, 9, x'', x'30', 'user', 'CN=u'),"
    " (2, 2, x'0b', NULL, 'revoked', 1, 9, x'', x'30', 'user', 'CN=v'),"
    " (3, 2, x'0c', 2, 'reserved', 1, 9, x'11', NULL, 'user', 'CN=w'),"
    " (4, 2, x'0d', NULL, 'abandoned', 1, 9, x'', NULL, 'user', 'CN=x'),"
    " (5, 1, x'0e', NULL, 'issued', 1, 9, x'', x'02', 'ca', 'CN=users');"
    "UPDATE request SET state = 'issued', certificate_id = 1 WHERE id = 1;"
    "INSERT INTO status VALUES (2, x'0a', 1, NULL, NULL, NULL, 9, 3),"
    " (2, x'0b', 2, 4, 1, 3, 9, 4), (1, x'0e', 1, NULL, NULL, NULL, 9, 5);"
    "INSERT INTO responder VALUES (1, 2, zeroblob(20), x'30', 1, 9, 6);"
    "INSERT INTO outbox VALUES (1, 1, 1, 'queued', 'users', '',"
    " 'u@example.test', 'm@example.test', x'41', 0, 1, '', 1, NULL);"
    "INSERT INTO audit VALUES (1, 1, 'ca.created', 'unix:root', 'ca:users',"
    " '', zeroblob(32));"
    "INSERT INTO key_block VALUES (zeroblob(32), 'seen', 1);"
    "UPDATE change_counter SET last = 6;";

static int64_t
number(const char *question)
{
	sqlite3_stmt *stmt = NULL;
	sqlite3 *db;
	int64_t answer;

	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_msg(sqlite3_prepare_v2(db, question, -1, &stmt, NULL) ==
	    SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW, "%s: %s", question,
	    sqlite3_errmsg(db));
	answer = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	return answer;
}

static void
make_first_version(void)
{
	char name[PATH_MAX + 8];

	store_free(store);
	store = NULL;
	for (size_t i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "%s%s", path,
		    ((const char *[]){ "", "-wal", "-shm" })[i]);
		unlink(name);
	}
	tamper(store_schema_step(1));
	tamper(first_version);
	ck_assert_int_eq(number("PRAGMA user_version"), 1);
}

/* Each a question whose answer is 1. */
static const char *const kept[] = {
	"SELECT count(*) = 2 FROM ca",
	"SELECT count(*) = 2 FROM ca_certificate",
	"SELECT count(*) = 2 AND sum(shard) = 0 AND sum(base) = 0"
	    " AND max(number) = 6 FROM crl WHERE issuer_id = 2",
	"SELECT count(*) = 5 AND group_concat(state) ="
	    " 'issued,revoked,reserved,abandoned,issued'"
	    " FROM (SELECT state FROM certificate ORDER BY id)",
	"SELECT sum(origin = '') = 5 AND sum(shard) = 0"
	    " AND count(superseded_by) = 0 FROM certificate",
	"SELECT request_id = 1 AND der = x'30' AND hex(spki_sha256) LIKE 'AAAA%'"
	    " FROM certificate WHERE id = 1",
	"SELECT request_id = 2 AND issue_order = x'11' FROM certificate"
	    " WHERE id = 3",
	"SELECT count(*) = 3 AND sum(state = 2) = 1 AND sum(shard) = 0"
	    " FROM status",
	"SELECT revoked_at = 4 AND reason = 1 AND invalidity = 3"
	    " AND change = 4 FROM status WHERE serial = x'0b'",
	"SELECT state = 'issued' AND certificate_id = 1 AND renews IS NULL"
	    " FROM request WHERE id = 1",
	"SELECT state = 'held' FROM request WHERE id = 2",
	"SELECT count(*) = 1 FROM submission_place",
	"SELECT count(*) = 1 FROM responder",
	"SELECT count(*) = 1 FROM outbox WHERE state = 'queued'",
	"SELECT count(*) = 1 FROM audit",
	"SELECT count(*) = 1 AND min(kind) = 'blocked' FROM key_block",
	"SELECT last = 6 FROM change_counter",
	"SELECT count(*) = 0 FROM pragma_foreign_key_check",
	/* As the first step made them, and the new ones. */
	"SELECT count(*) = 5 FROM sqlite_schema WHERE type = 'trigger'",
	"SELECT count(*) = 5 FROM sqlite_schema WHERE type = 'index'"
	    " AND tbl_name = 'certificate' AND sql IS NOT NULL",
	"SELECT count(*) = 3 FROM sqlite_schema WHERE type = 'index'"
	    " AND tbl_name = 'status' AND sql IS NOT NULL",
	"SELECT count(*) = 0 FROM sqlite_schema WHERE type = 'table'"
	    " AND name GLOB '*_2'",
	"SELECT integrity_check = 'ok' FROM pragma_integrity_check",
};

START_TEST(a_store_of_schema_1_is_brought_up_to_date)
{
	struct status_row status;
	struct serial good = { .octets = { 0x0a }, .len = 1 },
	    bad = { .octets = { 0x0b }, .len = 1 },
	    reserved = { .octets = { 0x0c }, .len = 1 };
	int n = 0;

	make_first_version();
	OK(store_open(path, STORE_READ_WRITE, &store, &err));
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		ck_assert_msg(number(kept[i]) == 1, "not so: %s", kept[i]);
	OK(store_find_status(store, 2, &good, &status, &err));
	ck_assert_int_eq(status.state, STATUS_GOOD);
	OK(store_find_status(store, 2, &bad, &status, &err));
	ck_assert_int_eq(status.state, STATUS_REVOKED);
	ck_assert_int_eq(status.reason, CRL_KEY_COMPROMISE);
	OK(store_find_request(store, 1, count_request, &n, &err));
	ck_assert_int_eq(n, 1);
	/* What was reserved is issued, and what is known is not forgotten. */
	OK(store_begin(store, &err));
	OK(store_issue(store, 2, &reserved, bytes_of("der"), &err));
	OK(store_commit(store, &err));
	ck_assert_int_eq(number("SELECT state = 'issued' FROM request"
	    " WHERE id = 2"), 1);
	fails_sql("DELETE FROM certificate");
	fails_sql("DELETE FROM status");
	fails_sql("UPDATE audit SET detail = 'x'");
	fails_sql("UPDATE request SET state = 'held', certificate_id = NULL"
	    " WHERE id = 1");
}
END_TEST

START_TEST(a_broken_store_of_schema_1_is_refused_without_harm)
{
	make_first_version();
	/* A status without its certificate. */
	tamper("PRAGMA foreign_keys = OFF; INSERT INTO status VALUES"
	    " (2, x'77', 1, NULL, NULL, NULL, 9, 66)");
	FAILS(store_open(path, STORE_READ_WRITE, &store, &err), ERR_FAULT);
	ck_assert_ptr_nonnull(strstr(err.text, "refer to nothing"));
	ck_assert_ptr_null(store);
	ck_assert_int_eq(number("PRAGMA user_version"), 1);
	ck_assert_int_eq(number("SELECT count(*) FROM certificate"), 5);
	ck_assert_int_eq(number("SELECT count(*) FROM sqlite_schema"
	    " WHERE name IN ('modulus', 'ca_certificate', 'crl_2')"), 0);
	/* And once it is mended, it goes. */
	tamper("DROP TRIGGER status_is_never_deleted;"
	    "DELETE FROM status WHERE serial = x'77';"
	    "CREATE TRIGGER status_is_never_deleted BEFORE DELETE ON status"
	    " BEGIN SELECT RAISE(ABORT, 'a serial is never forgotten'); END");
	OK(store_open(path, STORE_READ_WRITE, &store, &err));
	ck_assert_int_eq(number("PRAGMA user_version"), STORE_SCHEMA_STEPS);
}
END_TEST

START_TEST(a_foreign_file_is_refused_and_left_alone)
{
	struct store *second = NULL;

	tamper("PRAGMA application_id = 1");
	FAILS(store_open(path, STORE_READ_WRITE, &second, &err), ERR_FAULT);
	store_free(store);
	store = NULL;
	FILE *f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	for (int i = 0; i < 1000; i++)
		fputs("this is no database ", f);
	fclose(f);
	FAILS(store_open(path, STORE_READ_WRITE, &second, &err), ERR_FAULT);
}
END_TEST

START_TEST(a_missing_store_is_made_only_by_a_writer)
{
	char elsewhere[PATH_MAX + 8];
	struct store *second = NULL;

	snprintf(elsewhere, sizeof(elsewhere), "%s.none", path);
	FAILS(store_open(elsewhere, STORE_READ_ONLY, &second, &err),
	    ERR_RETRY);
	ck_assert_int_eq(access(elsewhere, F_OK), -1);
}
END_TEST

START_TEST(a_link_in_place_of_the_store_is_refused)
{
	char link[PATH_MAX + 8];
	struct store *second = NULL;

	snprintf(link, sizeof(link), "%s.link", path);
	ck_assert_int_eq(symlink(path, link), 0);
	ck_assert_int_eq(store_open(link, STORE_READ_WRITE, &second, &err),
	    -1);
	ck_assert_int_eq(store_open(link, STORE_READ_ONLY, &second, &err),
	    -1);
	unlink(link);
}
END_TEST

/* --- transactions -------------------------------------------------------- */

START_TEST(nothing_is_written_outside_a_transaction)
{
	struct submission_row row = mail(1, 1);
	struct serial s = serial(1);
	struct cert_row cert = cert_of(1, 0);
	struct ca_row ca_row = { .name = "x", .parent = "" };
	struct crl_terms terms = { .number = 1, .this_update = NOON,
		.next_update = NOON + DAY };
	struct request_row request = request_of(1, REQUEST_HELD);
	struct outbox_row out = { .mailbox = "" };
	struct responder_row responder = { .ca_id = ca };
	char outcome[16];
	int64_t id;

	FAILS(store_add_ca(store, &ca_row, &id, &err), ERR_FAULT);
	FAILS(store_reserve_crl(store, ca, &terms, 0, &err), ERR_FAULT);
	FAILS(store_find_submission(store, &row, &id, outcome,
	    sizeof(outcome), &err), ERR_FAULT);
	FAILS(store_add_submission(store, &row, &id, &err), ERR_FAULT);
	FAILS(store_set_outcome(store, 1, "held", &err), ERR_FAULT);
	FAILS(store_add_request(store, &request, &id, &err), ERR_FAULT);
	FAILS(store_decide_request(store, 1, REQUEST_HELD, REQUEST_APPROVED,
	    "", "", NOON, &err), ERR_FAULT);
	FAILS(store_reserve(store, &cert, &err), ERR_FAULT);
	FAILS(store_issue(store, ca, &s, cert.der, &err), ERR_FAULT);
	FAILS(store_abandon(store, ca, &s, &err), ERR_FAULT);
	FAILS(store_add_certificate(store, &cert, &err), ERR_FAULT);
	FAILS(store_revoke(store, ca, &s, NOON, 0, 0, &err), ERR_FAULT);
	FAILS(store_add_responder(store, &responder, &err), ERR_FAULT);
	FAILS(store_add_outbox(store, &out, &id, &err), ERR_FAULT);
	FAILS(store_set_outbox(store, 1, OUTBOX_SENT, "", 0, 0, &err),
	    ERR_FAULT);
	FAILS(store_audit(store, NOON, "e", "", "", "", &err), ERR_FAULT);
	FAILS(store_block_key(store, key, KEY_BLOCKED, "", NOON, &err),
	    ERR_FAULT);
	FAILS(store_savepoint(store, &err), ERR_FAULT);
	FAILS(store_release_savepoint(store, &err), ERR_FAULT);
	FAILS(store_commit(store, &err), ERR_FAULT);
	store_rollback(store);
	store_rollback_to_savepoint(store);
}
END_TEST

START_TEST(a_crash_in_the_middle_leaves_nothing)
{
	int status, n = 0;
	pid_t pid = fork();

	ck_assert_int_ne(pid, -1);
	if (pid == 0) {
		/* No handle crosses a fork: the child opens its own. */
		struct store *own;
		struct submission_row row = mail(1, 1);
		struct err e;
		int64_t id;

		if (store_open(path, STORE_READ_WRITE, &own, &e) == -1 ||
		    store_begin(own, &e) == -1 ||
		    store_add_submission(own, &row, &id, &e) == -1)
			_exit(1);
		_exit(0);	/* as by SIGKILL: nothing is closed */
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	OK(store_begin(store, &err));
	struct submission_row row = mail(1, 1);
	char outcome[16];
	int64_t id;
	ck_assert_int_eq(store_find_submission(store, &row, &id, outcome,
	    sizeof(outcome), &err), 1);
	add_request(add_submission(1, 1), REQUEST_HELD);
	store_rollback(store);
	OK(store_each_request(store, 0, 0, 10, count_request, &n, &err));
	ck_assert_int_eq(n, 0);
}
END_TEST

START_TEST(one_part_of_a_shared_commit_is_taken_back_alone)
{
	int n = 0;

	OK(store_begin(store, &err));
	OK(store_savepoint(store, &err));
	add_request(add_submission(1, 1), REQUEST_HELD);
	OK(store_release_savepoint(store, &err));
	OK(store_savepoint(store, &err));
	add_request(add_submission(2, 2), REQUEST_HELD);
	store_rollback_to_savepoint(store);
	OK(store_savepoint(store, &err));
	add_request(add_submission(3, 3), REQUEST_HELD);
	OK(store_release_savepoint(store, &err));
	OK(store_commit(store, &err));
	OK(store_each_request(store, 0, 0, 10, count_request, &n, &err));
	ck_assert_int_eq(n, 2);
}
END_TEST

START_TEST(a_full_disk_loses_the_transaction_and_nothing_else)
{
	static uint8_t message[600000];
	struct outbox_row row = { .mailbox = "users", .sender = "",
	    .recipient = "user@example.test", .message_id = "1@ca",
	    .message = { message, sizeof(message) } };
	struct rlimit before, full;
	int64_t id;
	int n = 0;

	/* As good as a full disk: no file grows beyond this. */
	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
	full = before;
	full.rlim_cur = 300000;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &full), 0);
	OK(store_begin(store, &err));
	add_request(add_submission(1, 1), REQUEST_HELD);
	OK(store_add_outbox(store, &row, &id, &err));
	FAILS(store_commit(store, &err), ERR_RETRY);
	FAILS(store_commit(store, &err), ERR_FAULT);	/* over already */
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
	OK(store_each_request(store, 0, 0, 9, count_request, &n, &err));
	ck_assert_int_eq(n, 0);
	OK(store_begin(store, &err));
	OK(store_add_outbox(store, &row, &id, &err));
	OK(store_commit(store, &err));
}
END_TEST

START_TEST(a_second_writer_is_asked_to_come_again)
{
	OWNED_STRUCT(store) *second = NULL;

	OK(store_open(path, STORE_READ_WRITE, &second, &err));
	OK(store_begin(store, &err));
	FAILS(store_begin(second, &err), ERR_RETRY);
	OK(store_commit(store, &err));
	OK(store_begin(second, &err));
	FAILS(store_begin(second, &err), ERR_FAULT);	/* twice */
}
END_TEST

/* --- readers ------------------------------------------------------------- */

START_TEST(a_reader_sees_commits_at_its_next_read_transaction)
{
	OWNED_STRUCT(store) *reader = NULL;
	uint64_t before, after;

	OK(store_open(path, STORE_READ_ONLY, &reader, &err));
	OK(store_read_begin(reader, &err));
	OK(store_last_change(reader, &before, &err));
	OK(store_begin(store, &err));
	issue(1, 0);
	OK(store_last_change(reader, &after, &err));
	ck_assert_uint_eq(after, before);
	OK(store_commit(store, &err));
	OK(store_last_change(reader, &after, &err));
	ck_assert_uint_eq(after, before);	/* its snapshot */
	store_read_end(reader);
	OK(store_read_begin(reader, &err));
	OK(store_last_change(reader, &after, &err));
	ck_assert_uint_eq(after, before + 1);
	store_read_end(reader);
	FAILS(store_begin(reader, &err), ERR_FAULT);
}
END_TEST

/*
 * Another user with no more than group read. How the writer stands when the
 * reader comes: 0 open, 1 gone in good order, 2 killed.
 */
START_TEST(group_read_is_enough_for_a_reader)
{
	enum { THEIR_UID = 54321, THEIR_GID = 54322 };
	static const char *const files[] = { "", "-wal", "-shm" };
	char name[PATH_MAX + 8];
	int status;

	if (getuid() != 0)
		return;
	OK(store_begin(store, &err));
	issue(1, 0);
	OK(store_commit(store, &err));
	if (_i == 1) {
		store_free(store);
		store = NULL;
	} else if (_i == 2) {
		pid_t pid;

		store_free(store);
		store = NULL;
		pid = fork();
		if (pid == 0) {
			struct serial s = serial(2);
			struct cert_row row = cert_of(2, 0);

			if (store_open(path, STORE_READ_WRITE, &store,
			    &err) == -1 || store_begin(store, &err) == -1 ||
			    store_reserve(store, &row, &err) == -1 ||
			    store_issue(store, ca, &s, row.der, &err) == -1 ||
			    store_commit(store, &err) == -1)
				_exit(1);
			_exit(0);
		}
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert_int_eq(status, 0);
	}
	ck_assert_int_eq(chown(dir, 0, THEIR_GID), 0);
	ck_assert_int_eq(chmod(dir, 02750), 0);
	for (size_t i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "%s%s", path, files[i]);
		ck_assert_int_eq(chown(name, 0, THEIR_GID), 0);
	}
	pid_t pid = fork();
	if (pid == 0) {
		struct store *reader;
		struct status_row row;
		struct serial s = serial(_i == 2 ? 2 : 1);

		if (setgroups(0, NULL) == -1 || setgid(THEIR_GID) == -1 ||
		    setuid(THEIR_UID) == -1 || access(path, W_OK) == 0)
			_exit(1);
		if (store_open(path, STORE_READ_ONLY, &reader, &err) == -1 ||
		    store_read_begin(reader, &err) == -1 ||
		    store_find_status(reader, ca, &s, &row, &err) != 0) {
			fprintf(stderr, "%s: %s\n", err.text, err.detail);
			_exit(2);
		}
		store_free(reader);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(status == 0, "case %d: %d", _i, status >> 8);
	/* The writer comes back, and nothing is wrong. */
	if (store == NULL)
		OK(store_open(path, STORE_READ_WRITE, &store, &err));
	OK(store_begin(store, &err));
	issue(9, 0);
	OK(store_commit(store, &err));
}
END_TEST

/* As ocspd runs: another user, who stays while the writer goes on. */
START_TEST(a_reader_of_another_user_follows_the_writer)
{
	enum { THEIR_UID = 54321, ROUNDS = 40 };
	int go[2], done[2], status;
	char octet = 0;
	pid_t pid;

	if (getuid() != 0)
		return;
	ck_assert_int_eq(pipe(go), 0);
	ck_assert_int_eq(pipe(done), 0);
	ck_assert_int_eq(chown(dir, 0, THEIR_UID), 0);
	ck_assert_int_eq(chmod(dir, 02750), 0);
	for (int i = 0; i < 3; i++) {
		char name[PATH_MAX + 8];

		snprintf(name, sizeof(name), "%s%s", path,
		    ((const char *[]){ "", "-wal", "-shm" })[i]);
		ck_assert_int_eq(chown(name, 0, THEIR_UID), 0);
	}
	pid = fork();
	if (pid == 0) {
		struct store *reader;
		struct status_row row;
		uint64_t last;

		close(go[1]);
		if (setgroups(0, NULL) == -1 || setgid(THEIR_UID) == -1 ||
		    setuid(THEIR_UID) == -1 ||
		    store_open(path, STORE_READ_ONLY, &reader, &err) == -1)
			_exit(1);
		while (read(go[0], &octet, 1) == 1) {
			struct serial s = serial((uint8_t)octet);

			store_read_end(reader);
			if (store_read_begin(reader, &err) == -1 ||
			    store_last_change(reader, &last, &err) == -1 ||
			    store_find_status(reader, ca, &s, &row,
			    &err) != 0 || row.change != last ||
			    write(done[1], "", 1) != 1)
				_exit(2);
		}
		store_free(reader);
		_exit(0);
	}
	close(go[0]);
	close(done[1]);
	for (int i = 0; i < ROUNDS; i++) {
		octet = (char)i;
		OK(store_begin(store, &err));
		issue((uint8_t)i, 0);
		OK(store_commit(store, &err));
		ck_assert_int_eq(write(go[1], &octet, 1), 1);
		ck_assert_int_eq(read(done[0], &octet, 1), 1);
		if (i == ROUNDS / 2) {	/* a restart in between */
			store_free(store);
			store = NULL;
			OK(store_open(path, STORE_READ_WRITE, &store, &err));
		}
	}
	close(go[1]);
	close(done[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

/* --- CAs ----------------------------------------------------------------- */

static int
check_child(const struct ca_row *row, void *seen)
{
	ck_assert_str_eq(row->name, "child");
	ck_assert_str_eq(row->parent, "users");
	ck_assert(bytes_equal(row->cert, bytes_of("a certificate")));
	ck_assert_uint_eq(row->key_sha1[2], 3);
	ck_assert_int_eq(row->not_after, NOON + 3650 * DAY);
	*(uint64_t *)seen = row->crl_number * 1000 + row->crl_change;
	return 0;
}

START_TEST(a_ca_stands_under_one_that_is_known)
{
	struct ca_row orphan = { .name = "orphan", .parent = "nobody",
	    .cert = bytes_of("c"), .not_before = NOON,
	    .not_after = NOON + DAY };
	uint64_t crl;
	int64_t id;

	OK(store_begin(store, &err));
	add_ca("child", "users");
	FAILS(store_add_ca(store, &orphan, &id, &err), ERR_FAULT);
	orphan.parent = "";
	orphan.name = "child";	/* a name twice */
	FAILS(store_add_ca(store, &orphan, &id, &err), ERR_FAULT);
	orphan.name = "backwards";
	orphan.not_after = NOON;
	FAILS(store_add_ca(store, &orphan, &id, &err), ERR_FAULT);
	OK(store_find_ca(store, "child", check_child, &crl, &err));
	ck_assert_uint_eq(crl, 0);
	ck_assert_int_eq(store_find_ca(store, "none", check_child, &crl,
	    &err), 1);
}
END_TEST

START_TEST(crl_numbers_grow_and_dates_do_not_go_back)
{
	static const struct {
		struct crl_terms terms;
		int		 want;
	} rows[] = {
		{ { .number = 1, .this_update = NOON,
		    .next_update = NOON + DAY }, 0 },
		{ { .number = 1, .this_update = NOON,
		    .next_update = NOON + DAY }, -1 },
		{ { .number = 2, .this_update = NOON - 1,
		    .next_update = NOON + DAY }, -1 },
		{ { .number = 2, .this_update = NOON,
		    .next_update = NOON }, -1 },
		{ { .number = 2, .this_update = NOON,
		    .next_update = NOON + 1 }, 0 },
		{ { .number = 0, .this_update = NOON + 9,
		    .next_update = NOON + DAY }, -1 },
		{ { .number = 7, .this_update = NOON + 9,
		    .next_update = NOON + DAY }, 0 },
	};
	uint64_t crl, before, after;
	int64_t child;

	OK(store_begin(store, &err));
	child = add_ca("child", "users");
	OK(store_last_change(store, &before, &err));
	for (int i = 0; i < ROWS(rows); i++) {
		err.kind = ERR_FAULT;
		ck_assert_msg(store_reserve_crl(store, child, &rows[i].terms,
		    40, &err) == rows[i].want, "row %d: %s", i, err.text);
		ck_assert_int_eq(err.kind, ERR_FAULT);
	}
	OK(store_find_ca(store, "child", check_child, &crl, &err));
	ck_assert_uint_eq(crl, 7040);
	OK(store_last_change(store, &after, &err));
	ck_assert_uint_eq(after, before);
	FAILS(store_reserve_crl(store, 999, &rows[6].terms, 0, &err),
	    ERR_FAULT);
}
END_TEST

/* --- submissions --------------------------------------------------------- */

static int
find(struct submission_row row, int64_t *id)
{
	char outcome[16] = "";
	int r = store_find_submission(store, &row, id, outcome,
	    sizeof(outcome), &err);

	if (r == 0)
		ck_assert_str_eq(outcome, "held");
	return r;
}

START_TEST(the_same_mail_is_known_by_its_place_or_its_identity)
{
	int64_t first, second, id = 0;

	OK(store_begin(store, &err));
	first = add_submission(1, 10);
	second = add_submission(2, 11);
	OK(find(mail(1, 10), &id));
	ck_assert_int_eq(id, first);
	/* Delivered once more: known, and so is the new place from now on. */
	OK(find(mail(1, 12), &id));
	ck_assert_int_eq(id, first);
	OK(find(mail(99, 12), &id));
	ck_assert_int_eq(id, first);
	/* The same place is the same mail, whatever it looks like now. */
	OK(find(mail(2, 10), &id));
	ck_assert_int_eq(id, first);
	OK(find(mail(2, 11), &id));
	ck_assert_int_eq(id, second);
	ck_assert_int_eq(find(mail(3, 13), &id), 1);
	/* Another UIDVALIDITY is another place. */
	struct submission_row again = mail(3, 10);
	again.uid_validity = 8;
	ck_assert_int_eq(find(again, &id), 1);
	again = mail(1, 10);
	again.uid_validity = 8;
	OK(find(again, &id));
	ck_assert_int_eq(id, first);
	/* Without a mailbox there is only the identity. */
	struct submission_row file = mail(4, 0);
	file.channel = "file";
	file.mailbox = "";
	ck_assert_int_eq(find(file, &id), 1);
	OK(store_add_submission(store, &file, &id, &err));
	OK(find(file, &id));
}
END_TEST

START_TEST(a_submission_is_refused_when_it_is_there_or_out_of_bounds)
{
	struct submission_row row = mail(1, 10);
	char long_text[2000];
	int64_t id;

	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	OK(store_begin(store, &err));
	OK(store_add_submission(store, &row, &id, &err));
	FAILS(store_add_submission(store, &row, &id, &err), ERR_FAULT);
	row = mail(2, 20);
	row.subject = long_text;	/* for people: cut */
	OK(store_add_submission(store, &row, &id, &err));
	row = mail(3, 30);
	row.reply_to = long_text;
	FAILS(store_add_submission(store, &row, &id, &err), ERR_FAULT);
	row = mail(3, 30);
	row.channel = "pigeon";
	FAILS(store_add_submission(store, &row, &id, &err), ERR_FAULT);
	OK(store_set_outcome(store, id, "processed", &err));
	FAILS(store_set_outcome(store, id, "lost", &err), ERR_FAULT);
	FAILS(store_set_outcome(store, 999, "held", &err), ERR_FAULT);
}
END_TEST

/* --- requests ------------------------------------------------------------ */

static int
check_request(const struct request_row *row, void *state)
{
	ck_assert_int_eq(row->state, *(enum request_state *)state);
	ck_assert_str_eq(row->ca, "users");
	ck_assert_str_eq(row->profile, "user");
	ck_assert_int_eq(row->validity_s, 365 * DAY);
	ck_assert(bytes_equal(row->csr, bytes_of("a request")));
	ck_assert_mem_eq(row->csr_digest, digest, 32);
	ck_assert_mem_eq(row->spki_sha256, key, 32);
	ck_assert(bytes_equal(row->names, bytes_of("names")));
	ck_assert_str_eq(row->names_text, "CN=user");
	ck_assert_str_eq(row->key_text, "P-256");
	ck_assert_str_eq(row->rule, "staff");
	ck_assert_str_eq(row->ignored, "keyUsage");
	ck_assert_str_eq(row->principal, "mail:user@example.test");
	ck_assert_str_eq(row->evidence, "auth");
	ck_assert_str_eq(row->reply_to, "user@example.test");
	ck_assert_str_eq(row->channel, "mail");
	ck_assert_str_eq(row->message_id, "1@example.test");
	ck_assert_str_eq(row->references, "<0@example.test>");
	ck_assert_str_eq(row->subject, "my request");
	ck_assert_int_eq(row->received_at, NOON);
	ck_assert_int_eq(row->serial.len, row->state == REQUEST_ISSUED ?
	    2 : 0);
	return 0;
}

START_TEST(a_request_is_decided_once)
{
	enum request_state state = REQUEST_HELD;
	int64_t id;

	OK(store_begin(store, &err));
	id = add_request(add_submission(1, 1), REQUEST_HELD);
	OK(store_find_request(store, id, check_request, &state, &err));
	OK(store_decide_request(store, id, REQUEST_HELD, REQUEST_APPROVED,
	    "unix:root", "known to us", NOON + 5, &err));
	ck_assert_int_eq(store_decide_request(store, id, REQUEST_HELD,
	    REQUEST_REJECTED, "unix:eve", "", NOON + 6, &err), 1);
	ck_assert_int_eq(store_decide_request(store, 999, REQUEST_HELD,
	    REQUEST_REJECTED, "unix:eve", "", NOON + 6, &err), 1);
	state = REQUEST_APPROVED;
	OK(store_find_request(store, id, check_request, &state, &err));
	issue(1, id);
	state = REQUEST_ISSUED;
	OK(store_find_request(store, id, check_request, &state, &err));
	/* What is issued stays issued, and issued is nobody's decision. */
	FAILS(store_decide_request(store, id, REQUEST_ISSUED, REQUEST_HELD,
	    "", "", NOON, &err), ERR_FAULT);
	id = add_request(add_submission(2, 2), REQUEST_HELD);
	FAILS(store_decide_request(store, id, REQUEST_HELD, REQUEST_ISSUED,
	    "", "", NOON, &err), ERR_FAULT);
	ck_assert_int_eq(store_find_request(store, 999, check_request, &state,
	    &err), 1);
}
END_TEST

START_TEST(a_refused_request_too_large_to_keep_is_kept_without_its_octets)
{
	static uint8_t big[20000];
	struct request_row row;
	int64_t id;

	OK(store_begin(store, &err));
	row = request_of(add_submission(1, 1), REQUEST_REJECTED);
	row.csr = (struct bytes){ big, sizeof(big) };
	row.spki_sha256 = NULL;
	OK(store_add_request(store, &row, &id, &err));
	row.state = REQUEST_HELD;
	FAILS(store_add_request(store, &row, &id, &err), ERR_FAULT);
	row.csr.len = 0;
	row.submission = 999;
	FAILS(store_add_request(store, &row, &id, &err), ERR_FAULT);
}
END_TEST

struct page {
	int64_t		 last;
	int		 n;
};

static int
turn_request(const struct request_row *row, void *arg)
{
	struct page *page = arg;

	ck_assert_int_gt(row->id, page->last);
	page->last = row->id;
	page->n++;
	return 0;
}

static int
turn_cert(const struct cert_row *row, void *arg)
{
	struct page *page = arg;

	ck_assert_int_gt(row->id, page->last);
	page->last = row->id;
	page->n++;
	return 0;
}

START_TEST(requests_come_in_pages)
{
	struct page page = { 0 };
	int64_t submission;

	OK(store_begin(store, &err));
	submission = add_submission(1, 1);
	for (int i = 0; i < 25; i++)
		add_request(submission, i % 5 == 0 ? REQUEST_HELD :
		    REQUEST_REJECTED);
	OK(store_commit(store, &err));
	for (int before = -1; before != page.n;) {
		before = page.n;
		OK(store_each_request(store, 0, page.last, 10, turn_request,
		    &page, &err));
		ck_assert_int_le(page.n - before, 10);
	}
	ck_assert_int_eq(page.n, 25);
	page = (struct page){ 0 };
	OK(store_each_request(store, REQUEST_HELD, 0, 3, turn_request, &page,
	    &err));
	ck_assert_int_eq(page.n, 3);
	OK(store_each_request(store, REQUEST_HELD, page.last, 9, turn_request,
	    &page, &err));
	ck_assert_int_eq(page.n, 5);
}
END_TEST

static int
give_up(const struct request_row *row, void *arg)
{
	(void)row;
	++((struct page *)arg)->n;
	return ((struct page *)arg)->n == 2 ? (int)((struct page *)arg)->last :
	    0;
}

START_TEST(the_requests_of_one_mail_come_in_its_order)
{
	struct page page = { 0 };
	int64_t one, two;

	OK(store_begin(store, &err));
	one = add_submission(1, 1);
	two = add_submission(2, 2);
	for (int i = 0; i < 3; i++) {
		add_request(one, REQUEST_HELD);
		add_request(two, REQUEST_REJECTED);
	}
	OK(store_each_of_submission(store, one, turn_request, &page, &err));
	ck_assert_int_eq(page.n, 3);
	OK(store_each_of_submission(store, 999, turn_request, &page, &err));
	ck_assert_int_eq(page.n, 3);
}
END_TEST

START_TEST(a_callback_ends_the_walk)
{
	struct page quietly = { .last = 1 }, loudly = { .last = -1 };
	int64_t submission;

	OK(store_begin(store, &err));
	submission = add_submission(1, 1);
	for (int i = 0; i < 5; i++)
		add_request(submission, REQUEST_HELD);
	OK(store_each_request(store, 0, 0, 9, give_up, &quietly, &err));
	ck_assert_int_eq(quietly.n, 2);
	ck_assert_int_eq(store_each_request(store, 0, 0, 9, give_up, &loudly,
	    &err), -1);
	ck_assert_int_eq(loudly.n, 2);
}
END_TEST

static int
look_again(const struct request_row *row, void *n)
{
	enum request_state state = REQUEST_HELD;

	OK(store_each_request(store, state, 0, 9, count_request, n, &err));
	OK(store_find_request(store, row->id, check_request, &state, &err));
	return check_request(row, &state);
}

START_TEST(a_callback_may_ask_what_is_being_walked_through)
{
	int64_t submission;
	int n = 0;

	OK(store_begin(store, &err));
	submission = add_submission(1, 1);
	for (int i = 0; i < 3; i++)
		add_request(submission, REQUEST_HELD);
	OK(store_each_request(store, REQUEST_HELD, 0, 9, look_again, &n,
	    &err));
	ck_assert_int_eq(n, 9);
}
END_TEST

static int
note_id(const struct request_row *row, void *id)
{
	*(int64_t *)id = row->id;
	return 0;
}

START_TEST(the_newest_live_request_of_a_key_is_found)
{
	int64_t submission, held, id = 0;

	OK(store_begin(store, &err));
	submission = add_submission(1, 1);
	ck_assert_int_eq(store_find_key(store, key, note_id, &id, &err), 1);
	add_request(submission, REQUEST_HELD);
	held = add_request(submission, REQUEST_HELD);
	add_request(submission, REQUEST_REJECTED);
	OK(store_find_key(store, key, note_id, &id, &err));
	ck_assert_int_eq(id, held);
	ck_assert_int_eq(store_find_key(store, other_key, note_id, &id, &err),
	    1);
}
END_TEST

/* --- certificates -------------------------------------------------------- */

static int
check_cert(const struct cert_row *row, void *state)
{
	ck_assert_int_eq(row->state, *(enum cert_state *)state);
	ck_assert_int_eq(row->ca_id, ca);
	ck_assert_str_eq(row->ca, "users");
	ck_assert(bytes_equal(row->order, bytes_of("an order")));
	ck_assert_uint_eq(row->der.len, row->state == CERT_RESERVED ||
	    row->state == CERT_ABANDONED ? 0 : 13);
	ck_assert_str_eq(row->reply_to, row->request == 0 ? "" :
	    "user@example.test");
	ck_assert_int_eq(row->revoked_at, row->state == CERT_REVOKED ?
	    NOON + 7 : 0);
	ck_assert_int_eq(row->reason, row->state == CERT_REVOKED ?
	    CRL_SUPERSEDED : 0);
	return 0;
}

START_TEST(a_certificate_lives_from_reserved_to_revoked)
{
	enum cert_state state = CERT_RESERVED;
	struct serial s = serial(1);
	struct status_row status;
	struct cert_row row;
	int64_t request;

	OK(store_begin(store, &err));
	request = add_request(add_submission(1, 1), REQUEST_APPROVED);
	row = cert_of(1, request);
	OK(store_reserve(store, &row, &err));
	ck_assert_int_eq(store_reserve(store, &row, &err), 1);	/* taken */
	OK(store_find_certificate(store, ca, &s, check_cert, &state, &err));
	/* Reserved counts as never issued, and cannot be revoked. */
	ck_assert_int_eq(store_find_status(store, ca, &s, &status, &err), 1);
	ck_assert_int_eq(store_revoke(store, ca, &s, NOON, 0, 0, &err), 1);
	OK(store_issue(store, ca, &s, row.der, &err));
	FAILS(store_issue(store, ca, &s, row.der, &err), ERR_FAULT);
	FAILS(store_abandon(store, ca, &s, &err), ERR_FAULT);
	state = CERT_ISSUED;
	OK(store_find_certificate(store, 0, &s, check_cert, &state, &err));
	OK(store_find_status(store, ca, &s, &status, &err));
	ck_assert_int_eq(status.state, STATUS_GOOD);
	ck_assert_int_eq(status.not_after, NOON + 365 * DAY);
	OK(store_revoke(store, ca, &s, NOON + 7, CRL_SUPERSEDED, NOON - 9,
	    &err));
	ck_assert_int_eq(store_revoke(store, ca, &s, NOON + 8,
	    CRL_KEY_COMPROMISE, 0, &err), 1);
	state = CERT_REVOKED;
	OK(store_find_certificate(store, ca, &s, check_cert, &state, &err));
	OK(store_find_status(store, ca, &s, &status, &err));
	ck_assert_int_eq(status.state, STATUS_REVOKED);
	ck_assert_int_eq(status.revoked_at, NOON + 7);
	ck_assert_int_eq(status.reason, CRL_SUPERSEDED);
	ck_assert_int_eq(status.invalidity, NOON - 9);
	s = serial(77);
	FAILS(store_issue(store, ca, &s, row.der, &err), ERR_FAULT);
	ck_assert_int_eq(store_find_certificate(store, 0, &s, check_cert,
	    &state, &err), 1);
}
END_TEST

START_TEST(a_request_never_has_two_certificates)
{
	struct cert_row first, second;
	int64_t request;

	OK(store_begin(store, &err));
	request = add_request(add_submission(1, 1), REQUEST_APPROVED);
	first = cert_of(1, request);
	second = cert_of(2, request);
	OK(store_reserve(store, &first, &err));
	FAILS(store_reserve(store, &second, &err), ERR_FAULT);
	OK(store_abandon(store, ca, &first.serial, &err));
	ck_assert_int_eq(store_reserve(store, &first, &err), 1);
	OK(store_reserve(store, &second, &err));
}
END_TEST

/* RFC 5280, 4.1.2.2: one row per promise about what may be a serial. */
static const struct {
	const char	*name;
	struct serial	 serial;
	int		 want;
} serials[] = {
	{ "one octet",			{ { 1 }, 1 },		 0 },
	{ "twenty octets",		{ { 0x7f, 1 }, 20 },	 0 },
	{ "none",			{ { 0 }, 0 },		-1 },
	{ "a leading zero octet",	{ { 0, 1 }, 2 },	-1 },
};

START_TEST(a_serial_keeps_its_bounds)
{
	struct cert_row row = cert_of(1, 0);

	row.serial = serials[_i].serial;
	OK(store_begin(store, &err));
	ck_assert_msg(store_reserve(store, &row, &err) == serials[_i].want,
	    "%s", serials[_i].name);
}
END_TEST

START_TEST(the_same_serial_under_two_cas_is_two_certificates)
{
	struct serial s = serial(1);
	struct cert_row row = cert_of(1, 0);
	int n = 0;

	OK(store_begin(store, &err));
	issue(1, 0);
	row.ca_id = add_ca("servers", "");
	OK(store_reserve(store, &row, &err));
	OK(store_find_certificate(store, 0, &s, count_cert, &n, &err));
	ck_assert_int_eq(n, 2);
	OK(store_find_certificate(store, ca, &s, count_cert, &n, &err));
	ck_assert_int_eq(n, 3);
	row.ca_id = 999;
	FAILS(store_reserve(store, &row, &err), ERR_FAULT);
}
END_TEST

START_TEST(a_certificate_made_elsewhere_is_added_whole)
{
	struct cert_row row = cert_of(1, 0);
	struct status_row status;

	OK(store_begin(store, &err));
	OK(store_add_certificate(store, &row, &err));
	FAILS(store_add_certificate(store, &row, &err), ERR_FAULT);
	OK(store_find_status(store, ca, &row.serial, &status, &err));
	ck_assert_int_eq(status.state, STATUS_GOOD);
	row = cert_of(2, 0);
	row.state = CERT_REVOKED;
	row.revoked_at = NOON;
	row.reason = CRL_UNSPECIFIED;
	OK(store_add_certificate(store, &row, &err));
	OK(store_find_status(store, ca, &row.serial, &status, &err));
	ck_assert_int_eq(status.state, STATUS_REVOKED);
	row = cert_of(3, 0);
	row.state = CERT_RESERVED;
	FAILS(store_add_certificate(store, &row, &err), ERR_FAULT);
	row.state = CERT_ISSUED;
	row.der.len = 0;
	FAILS(store_add_certificate(store, &row, &err), ERR_FAULT);
}
END_TEST

START_TEST(certificates_are_filtered_and_paged)
{
	static const struct {
		struct cert_filter filter;
		int	want;
	} rows[] = {
		{ { .limit = 100 },				12 },
		{ { .limit = 5 },				 5 },
		{ { .limit = 100, .state = CERT_REVOKED },	 1 },
		{ { .limit = 100, .state = CERT_ISSUED },	11 },
		{ { .limit = 100, .ca = "users" },		12 },
		{ { .limit = 100, .ca = "servers" },		 0 },
		{ { .limit = 100, .like = "U@EXAMPLE" },	12 },
		{ { .limit = 100, .like = "%" },		 0 },
		{ { .limit = 100, .expires_before = NOON + 365 * DAY },	 0 },
		{ { .limit = 100, .expires_before = NOON + 366 * DAY },	12 },
	};
	struct serial s = serial(3);
	struct page page = { 0 };

	OK(store_begin(store, &err));
	for (uint8_t i = 0; i < 12; i++)
		issue(i, 0);
	OK(store_revoke(store, ca, &s, NOON, 0, 0, &err));
	OK(store_commit(store, &err));
	for (int i = 0; i < ROWS(rows); i++) {
		page = (struct page){ 0 };
		OK(store_each_certificate(store, &rows[i].filter, turn_cert,
		    &page, &err));
		ck_assert_msg(page.n == rows[i].want, "row %d: %d", i, page.n);
	}
	page = (struct page){ 0 };
	for (int i = 0; i < 4; i++)
		OK(store_each_certificate(store, &(struct cert_filter){
		    .limit = 5, .after = page.last }, turn_cert, &page, &err));
	ck_assert_int_eq(page.n, 12);
}
END_TEST

/* --- the revocation index ------------------------------------------------ */

struct changes {
	uint64_t	last;
	int		n;
	uint8_t		serials[16];
};

static int
note_change(const struct status_row *row, void *arg)
{
	struct changes *changes = arg;

	ck_assert_uint_gt(row->change, changes->last);
	changes->last = row->change;
	changes->serials[changes->n++] = row->serial.octets[1];
	return 0;
}

/* 0: in use. */
static int
in_use(time_t now)
{
	int n = 0, r = store_find_key_in_use(store, key, now, count_cert, &n,
	    &err);

	ck_assert_int_eq(n, r == 0 ? 1 : 0);
	return r;
}

START_TEST(a_key_is_in_use_while_a_certificate_of_it_is)
{
	const time_t end = NOON + 365 * DAY;
	struct cert_row row = cert_of(1, 0);

	OK(store_begin(store, &err));
	ck_assert_int_eq(in_use(NOON), 1);
	row.spki_sha256 = other_key;
	OK(store_reserve(store, &row, &err));
	ck_assert_int_eq(in_use(NOON), 1);
	row = cert_of(2, 0);
	row.spki_sha256 = key;
	OK(store_reserve(store, &row, &err));
	ck_assert_int_eq(in_use(NOON), 0);
	OK(store_abandon(store, ca, &row.serial, &err));
	ck_assert_int_eq(in_use(NOON), 1);

	row.serial = serial(3);
	OK(store_reserve(store, &row, &err));
	OK(store_issue(store, ca, &row.serial, row.der, &err));
	ck_assert_int_eq(in_use(end), 0);
	ck_assert_int_eq(in_use(end + 1), 1);
	OK(store_revoke(store, ca, &row.serial, NOON, CRL_CERTIFICATE_HOLD, 0,
	    &err));
	ck_assert_int_eq(in_use(NOON), 0);
	OK(store_revoke(store, ca, &row.serial, NOON, CRL_SUPERSEDED, 0,
	    &err));
	ck_assert_int_eq(in_use(NOON), 1);
	store_rollback(store);
}
END_TEST

START_TEST(changes_come_in_the_order_of_their_numbers)
{
	struct changes changes = { 0 };
	struct serial two = serial(2);
	uint64_t start, last, revoked;

	OK(store_begin(store, &err));
	OK(store_last_change(store, &start, &err));
	OK(store_last_revocation(store, ca, 0, &revoked, &err));
	ck_assert_uint_eq(revoked, 0);
	issue(3, 0);
	issue(2, 0);
	issue(1, 0);
	OK(store_revoke(store, ca, &two, NOON, 0, 0, &err));
	OK(store_last_change(store, &last, &err));
	ck_assert_uint_eq(last, start + 4);
	OK(store_last_revocation(store, ca, 0, &revoked, &err));
	ck_assert_uint_eq(revoked, last);
	OK(store_changes_since(store, start, note_change, &changes, &err));
	ck_assert_int_eq(changes.n, 3);		/* rows, not changes */
	ck_assert_mem_eq(changes.serials, ((uint8_t[]){ 3, 1, 2 }), 3);
	ck_assert_uint_eq(changes.last, last);
	changes = (struct changes){ 0 };
	OK(store_changes_since(store, last, note_change, &changes, &err));
	ck_assert_int_eq(changes.n, 0);
	/* What is rolled back leaves no number behind. */
	OK(store_commit(store, &err));
	OK(store_begin(store, &err));
	issue(4, 0);
	store_rollback(store);
	OK(store_last_change(store, &start, &err));
	ck_assert_uint_eq(start, last);
}
END_TEST

START_TEST(a_crl_gets_what_is_revoked_and_not_long_expired)
{
	struct crl_page page = { .limit = 100,
		.expired_before = NOON + 365 * DAY };
	struct serial s;
	int n = 0;

	OK(store_begin(store, &err));
	for (uint8_t i = 1; i <= 5; i++)
		issue(i, 0);
	for (uint8_t i = 1; i <= 3; i++) {
		s = serial(i);
		OK(store_revoke(store, ca, &s, NOON, CRL_KEY_COMPROMISE, 0,
		    &err));
	}
	OK(store_each_revoked(store, ca, &page, count_status, &n, &err));
	ck_assert_int_eq(n, 3);
	page.expired_before++;
	OK(store_each_revoked(store, ca, &page, count_status, &n, &err));
	ck_assert_int_eq(n, 3);
	page.expired_before = 0;
	OK(store_each_revoked(store, add_ca("other", ""), &page, count_status,
	    &n, &err));
	ck_assert_int_eq(n, 3);
	FAILS(store_revoke(store, ca, &(struct serial){ { 0x7f, 4 }, 2 },
	    NOON, (enum crl_reason)7, 0, &err), ERR_FAULT);
}
END_TEST

START_TEST(responders_are_listed_and_counted)
{
	struct responder_row row = { .ca_id = ca, .key_sha1 = { 9 },
	    .cert = bytes_of("c"), .not_before = NOON,
	    .not_after = NOON + 14 * DAY };
	uint64_t before, after;
	unsigned int n;
	int listed = 0;

	OK(store_begin(store, &err));
	OK(store_last_change(store, &before, &err));
	OK(store_add_responder(store, &row, &err));
	OK(store_last_change(store, &after, &err));
	ck_assert_uint_eq(after, before + 1);
	OK(store_count_responders(store, ca, NOON, &n, &err));
	ck_assert_uint_eq(n, 1);
	OK(store_count_responders(store, ca, NOON + 1, &n, &err));
	ck_assert_uint_eq(n, 0);
	OK(store_each_responder(store, count_responder, &listed, &err));
	ck_assert_int_eq(listed, 1);
	row.not_after = NOON;
	FAILS(store_add_responder(store, &row, &err), ERR_FAULT);
}
END_TEST

/* --- outbox -------------------------------------------------------------- */

static int64_t
queue(const char *message_id, int64_t request, time_t due)
{
	struct outbox_row row = { .request = request, .mailbox = "users",
	    .sender = "ca@example.test", .recipient = "user@example.test",
	    .message_id = message_id, .message = bytes_of("To: you\r\n\r\n"),
	    .next_attempt = due, .created_at = NOON };
	int64_t id;

	OK(store_add_outbox(store, &row, &id, &err));
	return id;
}

static int
check_mail(const struct outbox_row *row, void *arg)
{
	ck_assert_str_eq(row->message_id, arg);
	ck_assert_str_eq(row->recipient, "user@example.test");
	ck_assert(bytes_equal(row->message, bytes_of("To: you\r\n\r\n")));
	return 0;
}

static int
check_deferred(const struct outbox_row *row, void *arg)
{
	(void)arg;
	ck_assert_int_eq(row->state, OUTBOX_QUEUED);
	ck_assert_uint_eq(row->attempts, 0);
	ck_assert_str_eq(row->last_answer, "no signature");
	ck_assert_int_eq(row->next_attempt, NOON + 60);
	return 1;
}

/* What was not tried is no attempt. */
START_TEST(a_mail_is_deferred_until_then)
{
	int64_t one, two;
	int n = 0;

	OK(store_begin(store, &err));
	one = queue("1@ca", 0, NOON);
	two = queue("2@ca", 0, NOON);
	OK(store_set_outbox(store, two, OUTBOX_SENT, "250 ok", 0, NOON,
	    &err));
	OK(store_defer_outbox(store, one, "no signature", NOON + 60, &err));
	OK(store_find_outbox(store, one, check_deferred, NULL, &err));
	OK(store_each_due(store, NOON + 59, 0, 9, count_outbox, &n, &err));
	ck_assert_int_eq(n, 0);
	/* Neither one that has left nor one that is not there. */
	ck_assert_int_eq(store_defer_outbox(store, two, "x", 0, &err), 1);
	ck_assert_int_eq(store_defer_outbox(store, 999, "x", 0, &err), 1);
}
END_TEST

START_TEST(a_mail_is_due_until_it_is_sent)
{
	int64_t one, two;
	time_t due;
	int n = 0;

	OK(store_begin(store, &err));
	OK(store_next_due(store, &due, &err));
	ck_assert_int_eq(due, 0);
	one = queue("1@ca", 0, NOON);
	two = queue("2@ca", 0, NOON + 60);
	OK(store_each_due(store, NOON - 1, 0, 9, count_outbox, &n, &err));
	ck_assert_int_eq(n, 0);
	OK(store_each_due(store, NOON, 0, 9, check_mail, "1@ca", &err));
	OK(store_each_due(store, NOON + 60, one, 9, check_mail, "2@ca",
	    &err));
	OK(store_set_outbox(store, one, OUTBOX_QUEUED, "451 later",
	    NOON + 600, NOON, &err));
	OK(store_next_due(store, &due, &err));
	ck_assert_int_eq(due, NOON + 60);
	OK(store_set_outbox(store, one, OUTBOX_SENT, "250 ok", 0, NOON + 9,
	    &err));
	ck_assert_int_eq(store_set_outbox(store, one, OUTBOX_QUEUED, "", 0,
	    NOON, &err), 1);
	ck_assert_int_eq(store_set_outbox(store, 999, OUTBOX_SENT, "", 0,
	    NOON, &err), 1);
	OK(store_set_outbox(store, two, OUTBOX_FAILED, "550 no", 0, NOON,
	    &err));
	OK(store_each_due(store, NOON + 999, 0, 9, count_outbox, &n, &err));
	ck_assert_int_eq(n, 0);
	OK(store_each_outbox(store, OUTBOX_SENT, 0, 9, check_mail, "1@ca",
	    &err));
	OK(store_each_outbox(store, 0, 0, 9, count_outbox, &n, &err));
	ck_assert_int_eq(n, 2);
}
END_TEST

START_TEST(a_message_id_is_queued_once)
{
	struct outbox_row row = { .mailbox = "users", .sender = "",
	    .recipient = "user@example.test", .message_id = "1@ca",
	    .message = bytes_of("x"), .created_at = NOON };
	int64_t id;

	OK(store_begin(store, &err));
	queue("1@ca", 0, NOON);
	FAILS(store_add_outbox(store, &row, &id, &err), ERR_FAULT);
	row.message_id = "2@ca";
	row.recipient = "";
	FAILS(store_add_outbox(store, &row, &id, &err), ERR_FAULT);
}
END_TEST

START_TEST(certificates_do_not_count_as_replies)
{
	int64_t submission, held, issued;
	unsigned int n;

	OK(store_begin(store, &err));
	submission = add_submission(1, 1);
	held = add_request(submission, REQUEST_HELD);
	issued = add_request(submission, REQUEST_APPROVED);
	issue(1, issued);
	queue("1@ca", 0, NOON);
	queue("2@ca", held, NOON);
	queue("3@ca", issued, NOON);
	/* One mail for the whole submission, with a certificate in it. */
	struct outbox_row whole = { .submission = submission,
	    .mailbox = "users", .sender = "", .recipient =
	    "user@example.test", .message_id = "4@ca",
	    .message = bytes_of("x"), .created_at = NOON };
	OK(store_add_outbox(store, &whole, &submission, &err));
	OK(store_count_replies(store, "user@example.test", NOON, &n, &err));
	ck_assert_uint_eq(n, 2);
	OK(store_count_replies(store, "user@example.test", NOON + 1, &n,
	    &err));
	ck_assert_uint_eq(n, 0);
	OK(store_count_replies(store, "else@example.test", NOON, &n, &err));
	ck_assert_uint_eq(n, 0);
}
END_TEST

/* --- audit --------------------------------------------------------------- */

static void
write_trail(void)
{
	char *long_text = malloc(6000);

	ck_assert_ptr_nonnull(long_text);
	memset(long_text, 'x', 5999);
	long_text[5999] = '\0';
	OK(store_begin(store, &err));
	OK(store_audit(store, NOON, "request.held", "", "request:1", "why",
	    &err));
	OK(store_audit(store, NOON, "request.approved", "unix:root",
	    "request:1", "", &err));
	OK(store_audit(store, NOON + 1, "cert.issued", "unix:root",
	    "cert:7f01", long_text, &err));
	OK(store_commit(store, &err));
	free(long_text);
}

START_TEST(an_untouched_trail_verifies)
{
	uint64_t rows = 99;
	int n = 0;

	OK(store_verify_audit(store, &rows, &err));
	ck_assert_uint_eq(rows, 0);
	write_trail();
	OK(store_verify_audit(store, &rows, &err));
	ck_assert_uint_eq(rows, 3);
	OK(store_each_audit(store, 1, 9, count_audit, &n, &err));
	ck_assert_int_eq(n, 2);
	OK(store_begin(store, &err));
	FAILS(store_audit(store, NOON, "", "", "", "", &err), ERR_FAULT);
}
END_TEST

START_TEST(the_trail_cannot_be_rewritten)
{
	sqlite3 *db;

	write_trail();
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, "UPDATE audit SET detail = 'no'",
	    NULL, NULL, NULL), SQLITE_CONSTRAINT);
	ck_assert_int_eq(sqlite3_exec(db, "DELETE FROM audit", NULL, NULL,
	    NULL), SQLITE_CONSTRAINT);
	sqlite3_close(db);
}
END_TEST

static const struct {
	const char	*edit;
	const char	*first;	/* the record that does not fit */
} edits[] = {
	{ "UPDATE audit SET detail = 'whim' WHERE id = 1",	"record 1 " },
	{ "UPDATE audit SET at = at + 1 WHERE id = 2",		"record 2 " },
	{ "UPDATE audit SET principal = object, object = principal"
	  " WHERE id = 2",					"record 2 " },
	{ "UPDATE audit SET hash = zeroblob(32) WHERE id = 3",	"record 3 " },
	{ "DELETE FROM audit WHERE id = 1",			"record 2 " },
	{ "DELETE FROM audit WHERE id = 2",			"record 3 " },
	{ "DELETE FROM audit WHERE id = 2;"
	  "UPDATE audit SET id = 2 WHERE id = 3",		"record 2 " },
	{ "UPDATE audit SET id = 9 WHERE id = 1;"
	  "UPDATE audit SET id = 1 WHERE id = 2;"
	  "UPDATE audit SET id = 2 WHERE id = 9",		"record 1 " },
};

START_TEST(a_trail_that_was_tampered_with_is_found_out)
{
	uint64_t rows;

	write_trail();
	tamper("DROP TRIGGER audit_is_never_changed;"
	    "DROP TRIGGER audit_is_never_shortened");
	tamper(edits[_i].edit);
	FAILS(store_verify_audit(store, &rows, &err), ERR_FAULT);
	ck_assert_msg(strstr(err.text, edits[_i].first) != NULL, "%s: %s",
	    edits[_i].edit, err.text);
}
END_TEST

/* --- the rest ------------------------------------------------------------ */

START_TEST(the_counts_add_up)
{
	struct serial s = serial(1);
	struct store_counts counts;
	int64_t submission;

	OK(store_begin(store, &err));
	submission = add_submission(1, 1);
	add_request(submission, REQUEST_HELD);
	add_request(submission, REQUEST_APPROVED);
	issue(1, 0);
	issue(2, 0);
	issue(3, 0);
	OK(store_revoke(store, ca, &s, NOON, 0, 0, &err));
	queue("1@ca", 0, NOON + 60);
	OK(store_set_outbox(store, queue("2@ca", 0, NOON), OUTBOX_FAILED, "",
	    0, 0, &err));
	OK(store_count(store, &counts, &err));
	ck_assert_uint_eq(counts.held, 1);
	ck_assert_uint_eq(counts.approved, 1);
	ck_assert_uint_eq(counts.issued, 2);
	ck_assert_uint_eq(counts.revoked, 1);
	ck_assert_uint_eq(counts.queued, 1);
	ck_assert_uint_eq(counts.failed, 1);
	ck_assert_int_eq(counts.oldest_queued, NOON);
}
END_TEST

START_TEST(states_have_names_both_ways)
{
	for (int s = REQUEST_RECEIVED; s <= REQUEST_WITHDRAWN; s++) {
		enum request_state back;

		OK(request_state_from_name(request_state_name(
		    (enum request_state)s), &back));
		ck_assert_int_eq((int)back, s);
	}
	for (int s = CERT_RESERVED; s <= CERT_ARCHIVED; s++) {
		enum cert_state back;

		OK(cert_state_from_name(cert_state_name((enum cert_state)s),
		    &back));
		ck_assert_int_eq((int)back, s);
	}
	ck_assert_int_eq(request_state_from_name("lost",
	    &(enum request_state){ 0 }), -1);
	ck_assert_int_eq(cert_state_from_name("", &(enum cert_state){ 0 }),
	    -1);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("store");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc,
	    a_new_store_is_for_its_group_to_read_and_nobody_else);
	tcase_add_test(tc, what_was_committed_is_there_again);
	tcase_add_test(tc, a_newer_store_is_refused_in_plain_words);
	tcase_add_test(tc, a_store_of_schema_1_is_brought_up_to_date);
	tcase_add_test(tc,
	    a_broken_store_of_schema_1_is_refused_without_harm);
	tcase_add_test(tc, a_foreign_file_is_refused_and_left_alone);
	tcase_add_test(tc, a_missing_store_is_made_only_by_a_writer);
	tcase_add_test(tc, a_link_in_place_of_the_store_is_refused);
	tcase_add_test(tc, nothing_is_written_outside_a_transaction);
	tcase_add_test(tc, a_crash_in_the_middle_leaves_nothing);
	tcase_add_test(tc, one_part_of_a_shared_commit_is_taken_back_alone);
	tcase_add_test(tc, a_full_disk_loses_the_transaction_and_nothing_else);
	tcase_add_test(tc, a_second_writer_is_asked_to_come_again);
	tcase_add_test(tc, a_reader_sees_commits_at_its_next_read_transaction);
	tcase_add_loop_test(tc, group_read_is_enough_for_a_reader, 0, 3);
	tcase_add_test(tc, a_reader_of_another_user_follows_the_writer);
	tcase_add_test(tc, a_ca_stands_under_one_that_is_known);
	tcase_add_test(tc, crl_numbers_grow_and_dates_do_not_go_back);
	tcase_add_test(tc,
	    the_same_mail_is_known_by_its_place_or_its_identity);
	tcase_add_test(tc,
	    a_submission_is_refused_when_it_is_there_or_out_of_bounds);
	tcase_add_test(tc, a_request_is_decided_once);
	tcase_add_test(tc,
	    a_refused_request_too_large_to_keep_is_kept_without_its_octets);
	tcase_add_test(tc, requests_come_in_pages);
	tcase_add_test(tc, the_requests_of_one_mail_come_in_its_order);
	tcase_add_test(tc, a_callback_ends_the_walk);
	tcase_add_test(tc, a_callback_may_ask_what_is_being_walked_through);
	tcase_add_test(tc, the_newest_live_request_of_a_key_is_found);
	tcase_add_test(tc, a_certificate_lives_from_reserved_to_revoked);
	tcase_add_test(tc, a_request_never_has_two_certificates);
	tcase_add_loop_test(tc, a_serial_keeps_its_bounds, 0, ROWS(serials));
	tcase_add_test(tc,
	    the_same_serial_under_two_cas_is_two_certificates);
	tcase_add_test(tc, a_certificate_made_elsewhere_is_added_whole);
	tcase_add_test(tc, certificates_are_filtered_and_paged);
	tcase_add_test(tc, a_key_is_in_use_while_a_certificate_of_it_is);
	tcase_add_test(tc, changes_come_in_the_order_of_their_numbers);
	tcase_add_test(tc, a_crl_gets_what_is_revoked_and_not_long_expired);
	tcase_add_test(tc, responders_are_listed_and_counted);
	tcase_add_test(tc, a_mail_is_deferred_until_then);
	tcase_add_test(tc, a_mail_is_due_until_it_is_sent);
	tcase_add_test(tc, a_message_id_is_queued_once);
	tcase_add_test(tc, certificates_do_not_count_as_replies);
	tcase_add_test(tc, an_untouched_trail_verifies);
	tcase_add_test(tc, the_trail_cannot_be_rewritten);
	tcase_add_loop_test(tc, a_trail_that_was_tampered_with_is_found_out, 0,
	    ROWS(edits));
	tcase_add_test(tc, the_counts_add_up);
	tcase_add_test(tc, states_have_names_both_ways);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
