#include "common/err.h"
#include "common/index_seal.h"
#include "common/store.h"
#include "tests/support/fixtures.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct store *store, *index_;
static struct store_index_facts facts;
static struct err err;
static char dir[64], path[96], file[96];
static int64_t root, users;

#define OK(call)							\
	ck_assert_msg((call) == 0, "%s: %s (%s)", #call, err.text,	\
	    err.detail)

static int64_t
add_ca(const char *name, const char *parent)
{
	struct ca_row row = { .name = name, .parent = parent,
		.cert = bytes_of(name), .key_sha1 = { (uint8_t)name[0] },
		.not_before = NOON, .not_after = NOON + 3650 * DAY };
	int64_t id;

	OK(store_add_ca(store, &row, &id, &err));
	return id;
}

static struct serial
serial(uint8_t n)
{
	return (struct serial){ { 0x41, n }, 2 };
}

static void
issue(int64_t ca, uint8_t n)
{
	struct cert_row row = { .ca_id = ca, .serial = serial(n),
		.state = CERT_ISSUED, .not_before = NOON - DAY,
		.not_after = NOON + 90 * DAY, .der = bytes_of("x"),
		.profile = "", .names_text = "", .shard = n };

	OK(store_add_certificate(store, &row, &err));
}

static void
add_responder(uint8_t n, time_t not_after)
{
	const struct responder_row row = { .ca_id = users, .key_sha1 = { n },
		.cert = bytes_of("responder"), .not_before = NOON - 2 * DAY,
		.not_after = not_after };

	OK(store_add_responder(store, &row, &err));
}

static void
revoke_one(uint8_t n)
{
	struct serial s = serial(n);

	OK(store_revoke(store, users, &s, NOON - 5, CRL_KEY_COMPROMISE,
	    NOON - 9, &err));
}

static int
export(void)
{
	return store_export_index(store, file, NOON, &facts, &err);
}

/* Two CAs, the root first in id and last by name; 1 and 2 of users, 2 revoked;
 * 1 of the root, too. */
static void
set_up(void)
{
	strcpy(dir, "/tmp/test_store_index.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/store.db", dir);
	snprintf(file, sizeof(file), "%s/index", dir);
	OK(store_open(path, STORE_READ_WRITE, &store, &err));
	OK(store_begin(store, &err));
	root = add_ca("the root", "");
	users = add_ca("example/users", "the root");
	issue(users, 1);
	issue(users, 2);
	issue(root, 1);
	revoke_one(2);
	add_responder(7, NOON - 1);
	add_responder(8, NOON);
	OK(store_commit(store, &err));
}

static void
tear_down(void)
{
	char command[96];

	store_free(index_);
	index_ = NULL;
	store_free(store);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static void
open_index(void)
{
	OK(export());
	OK(store_open(file, STORE_INDEX, &index_, &err));
}

static int
find(struct store *in, int64_t ca, uint8_t n, struct status_row *out)
{
	struct serial s = serial(n);

	return store_find_status(in, ca, &s, out, &err);
}

/* --- what is in it ----------------------------------------------------------- */

START_TEST(each_status_is_the_same_in_both)
{
	struct status_row a, b;

	open_index();
	for (uint8_t n = 0; n < 4; n++)
		for (int i = 0; i < 2; i++) {
			int64_t ca = i == 0 ? root : users;
			int want = find(store, ca, n, &a);

			ck_assert_int_eq(find(index_, ca, n, &b), want);
			if (want != 0)
				continue;
			ck_assert_int_eq(a.state, b.state);
			ck_assert_int_eq(a.revoked_at, b.revoked_at);
			ck_assert_int_eq(a.reason, b.reason);
			ck_assert_int_eq(a.invalidity, b.invalidity);
			ck_assert_int_eq(a.not_after, b.not_after);
			ck_assert_uint_eq(a.change, b.change);
			ck_assert_uint_eq(a.shard, b.shard);
		}
	ck_assert_int_eq(find(index_, users, 2, &b), 0);
	ck_assert_int_eq(b.state, STATUS_REVOKED);
}
END_TEST

START_TEST(it_knows_its_moment)
{
	uint64_t change;
	time_t at;

	open_index();
	ck_assert_int_eq(facts.at, NOON);
	ck_assert_uint_eq(facts.statuses, 3);
	ck_assert_uint_eq(facts.revoked, 1);
	OK(store_index_time(index_, &at, &err));
	ck_assert_int_eq(at, NOON);
	OK(store_last_change(store, &change, &err));
	ck_assert_uint_eq(facts.change, change);
	OK(store_last_change(index_, &change, &err));
	ck_assert_uint_eq(facts.change, change);
}
END_TEST

static char seen[256];

static int
see_ca(const struct ca_row *row, void *arg)
{
	(void)arg;
	snprintf(seen + strlen(seen), sizeof(seen) - strlen(seen),
	    "%lld %s<%s %.*s %02x; ", (long long)row->id, row->name,
	    row->parent, (int)row->cert.len, (const char *)row->cert.data,
	    row->key_sha1[0]);
	return 0;
}

START_TEST(cas_keep_their_ids_and_parents)
{
	char want[256];

	open_index();
	seen[0] = '\0';
	OK(store_each_ca(store, see_ca, NULL, &err));
	snprintf(want, sizeof(want), "%s", seen);
	seen[0] = '\0';
	OK(store_each_ca(index_, see_ca, NULL, &err));
	ck_assert_str_eq(seen, want);
	ck_assert_ptr_nonnull(strstr(seen, "example/users<the root"));
}
END_TEST

static int
see_responder(const struct responder_row *row, void *arg)
{
	int *n = arg;

	ck_assert_int_eq(row->key_sha1[0], 8);
	ck_assert_str_eq(row->ca, "example/users");
	ck_assert_int_eq(row->not_after, NOON);
	(*n)++;
	return 0;
}

/* notAfter is inclusive. */
START_TEST(responder_certificates_that_are_over_stay_behind)
{
	int n = 0;

	open_index();
	OK(store_each_responder(index_, see_responder, &n, &err));
	ck_assert_int_eq(n, 1);
}
END_TEST

static int
see_change(const struct status_row *row, void *arg)
{
	uint64_t *last = arg;

	ck_assert_uint_gt(row->change, *last);
	*last = row->change;
	return 0;
}

START_TEST(changes_come_in_their_order)
{
	uint64_t last = 0;

	open_index();
	OK(store_changes_since(index_, 0, see_change, &last, &err));
	ck_assert_uint_gt(last, 0);
	ck_assert_uint_le(last, facts.change);
}
END_TEST

/* Nothing of a person, a request or a name leaves with it. */
START_TEST(it_has_nothing_else)
{
	static char octets[1 << 20];
	FILE *f;
	size_t n;

	OK(export());
	f = fopen(file, "r");
	n = fread(octets, 1, sizeof(octets), f);
	fclose(f);
	ck_assert_uint_gt(n, 4096);
	for (int i = 0; i < 4; i++) {
		const char *const words[] = { "submission", "request",
			"names_text", "audit" };

		ck_assert_ptr_null(memmem(octets, n, words[i],
		    strlen(words[i])));
	}
}
END_TEST

/* --- when it is written --------------------------------------------------------- */

START_TEST(a_writer_goes_on_and_is_not_in_it)
{
	struct store *reader;
	struct status_row row = { 0 };

	OK(store_open(path, STORE_READ_ONLY, &reader, &err));
	OK(store_begin(store, &err));
	revoke_one(1);
	OK(store_export_index(reader, file, NOON, &facts, &err));
	OK(store_commit(store, &err));
	store_free(reader);
	OK(store_open(file, STORE_INDEX, &index_, &err));
	ck_assert_int_eq(find(index_, users, 1, &row), 0);
	ck_assert_int_eq(row.state, STATUS_GOOD);
	ck_assert_int_eq(find(store, users, 1, &row), 0);
	ck_assert_int_eq(row.state, STATUS_REVOKED);
}
END_TEST

START_TEST(a_file_that_is_there_stays)
{
	struct stat before, after;

	OK(export());
	ck_assert_int_eq(stat(file, &before), 0);
	ck_assert_int_eq(export(), -1);
	ck_assert_int_eq(stat(file, &after), 0);
	ck_assert_uint_eq(before.st_ino, after.st_ino);
	ck_assert_int_eq(before.st_size, after.st_size);
	ck_assert_uint_eq(after.st_mode & 07777, 0640);
}
END_TEST

START_TEST(it_is_no_store_and_a_store_is_no_index)
{
	OK(export());
	ck_assert_int_eq(store_open(file, STORE_READ_ONLY, &index_, &err), -1);
	ck_assert_int_eq(store_open(file, STORE_READ_WRITE, &index_, &err),
	    -1);
	ck_assert_int_eq(store_open(path, STORE_INDEX, &index_, &err), -1);
	ck_assert_int_eq(err.kind, ERR_FAULT);
}
END_TEST

START_TEST(it_cannot_be_written)
{
	open_index();
	ck_assert_int_eq(store_begin(index_, &err), -1);
}
END_TEST

/* --- its seal --------------------------------------------------------------------- */

/* Piece by piece to the end: 0 whole, -1 not. */
static int
check(size_t piece)
{
	OWNED_STRUCT(index_check) *c = NULL;
	OWNED_FD fd = open(file, O_RDONLY);
	int r = index_check_new(fd, &c, &err) == -1 ? -1 : 1;

	while (r == 1)
		r = index_check_go_on(c, piece, &err);
	return r;
}

START_TEST(whole_in_pieces_of_any_size)
{
	const size_t pieces[] = { 1, 4096, 65536, 65537, 1 << 24 };

	OK(export());
	ck_assert_int_eq(check(pieces[_i]), 0);
}
END_TEST

static off_t
size_of_file(void)
{
	struct stat st;

	ck_assert_int_eq(stat(file, &st), 0);
	return st.st_size;
}

static void
flip(off_t at)
{
	OWNED_FD fd = open(file, O_RDWR);
	uint8_t octet;

	ck_assert_int_eq(pread(fd, &octet, 1, at), 1);
	octet ^= 0x20;
	ck_assert_int_eq(pwrite(fd, &octet, 1, at), 1);
}

START_TEST(no_octet_can_be_another)
{
	off_t size;

	OK(export());
	size = size_of_file();
	for (off_t at = 0; at < size; at += at < size - 60 ? 509 : 1) {
		flip(at);
		ck_assert_msg(check(1 << 24) == -1, "octet %lld", (long long)at);
		flip(at);
	}
	ck_assert_int_eq(check(1 << 24), 0);
}
END_TEST

START_TEST(no_octet_can_be_missing_or_too_many)
{
	off_t size;

	OK(export());
	size = size_of_file();
	for (int i = 0; i < 6; i++) {
		const off_t sizes[] = { size + 1, size + 4096, size - 1,
			size - INDEX_SEAL_OCTETS, size / 2, 0 };

		ck_assert_int_eq(truncate(file, sizes[i]), 0);
		ck_assert_int_eq(check(1 << 24), -1);
		ck_assert_int_eq(err.kind, ERR_FAULT);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("store_index");
	TCase *t = tcase_create("index");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, each_status_is_the_same_in_both);
	tcase_add_test(t, it_knows_its_moment);
	tcase_add_test(t, cas_keep_their_ids_and_parents);
	tcase_add_test(t, responder_certificates_that_are_over_stay_behind);
	tcase_add_test(t, changes_come_in_their_order);
	tcase_add_test(t, it_has_nothing_else);
	tcase_add_test(t, a_writer_goes_on_and_is_not_in_it);
	tcase_add_test(t, a_file_that_is_there_stays);
	tcase_add_test(t, it_is_no_store_and_a_store_is_no_index);
	tcase_add_test(t, it_cannot_be_written);
	tcase_add_loop_test(t, whole_in_pieces_of_any_size, 0, 5);
	tcase_add_test(t, no_octet_can_be_another);
	tcase_add_test(t, no_octet_can_be_missing_or_too_many);
	suite_add_tcase(s, t);
	return fixture_run(s);
}
