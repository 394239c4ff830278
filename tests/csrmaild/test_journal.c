#include "csrmaild/journal.h"
#include "common/err.h"
#include "tests/support/fixtures.h"

#include <openssl/x509.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/test_journal.XXXXXX";
static int dir = -1;

static void
set_up(void)
{
	strcpy(folder + sizeof(folder) - 7, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	dir = open(folder, O_RDONLY | O_DIRECTORY);
}

static void
tear_down(void)
{
	unlinkat(dir, "j", 0);
	unlinkat(dir, "link", 0);
	close(dir);
	rmdir(folder);
}

static struct journal *
open_journal(void)
{
	struct journal *j = NULL;
	struct err err = { 0 };

	ck_assert_msg(journal_open(dir, "j", "ca/users", true, &j, &err) == 0,
	    "%s (%s)", err.text, err.detail);
	return j;
}

static struct journal_issued
issued(uint32_t n)
{
	static uint8_t der[256];
	struct journal_issued i = { .serial = { .len = 16 } };

	memset(i.serial.octets, 0x11, 16);
	memcpy(i.serial.octets + 12, &n, 4);
	memset(i.order_digest, (int)(n & 255), 32);
	memset(i.tbs_digest, (int)(n >> 8 & 255), 32);
	memset(der, (int)(n % 251), sizeof(der));
	i.der = (struct bytes){ der, 16 + n % 200 };
	return i;
}

static void
add(struct journal *j, uint32_t n)
{
	struct journal_issued i = issued(n);
	struct err err = { 0 };

	ck_assert_msg(journal_append_issued(j, &i, &err) == 0, "%s",
	    err.text);
}

static void
sync_it(struct journal *j)
{
	struct err err = { 0 };

	ck_assert_msg(journal_sync(j, &err) == 0, "%s", err.text);
	ck_assert(!journal_is_dirty(j));
}

static void
assert_has(struct journal *j, uint32_t n)
{
	struct journal_issued want = issued(n), got;
	struct err err = { 0 };

	ck_assert_int_eq(journal_find(j, &want.serial, &got, &err), 0);
	ck_assert(serial_equal(&got.serial, &want.serial));
	ck_assert_mem_eq(got.order_digest, want.order_digest, 32);
	ck_assert_mem_eq(got.tbs_digest, want.tbs_digest, 32);
	ck_assert(bytes_equal(got.der, want.der));
}

static void
assert_lacks(struct journal *j, uint32_t n)
{
	struct journal_issued want = issued(n), got;
	struct err err = { 0 };

	ck_assert_int_eq(journal_find(j, &want.serial, &got, &err), 1);
}

static off_t
size_of_file(void)
{
	struct stat st;

	ck_assert_int_eq(fstatat(dir, "j", &st, 0), 0);
	return st.st_size;
}

START_TEST(what_was_synced_is_there_after_opening_again)
{
	struct journal *j = open_journal();

	/* Past several sizes of the index, in groups of different sizes. */
	for (uint32_t n = 0; n < 3000; n++) {
		add(j, n);
		ck_assert(journal_is_dirty(j));
		if (n % 7 == 0 || n % 100 > 50)
			sync_it(j);
	}
	sync_it(j);
	for (uint32_t n = 0; n < 3000; n++)
		assert_has(j, n);
	journal_free(j);
	j = open_journal();
	for (uint32_t n = 0; n < 3000; n++)
		assert_has(j, n);
	assert_lacks(j, 3000);
	journal_free(j);
}
END_TEST

START_TEST(a_record_is_found_before_it_is_synced_and_gone_if_it_never_is)
{
	struct journal *j = open_journal();

	add(j, 1);
	sync_it(j);
	add(j, 2);
	add(j, 3);
	assert_has(j, 1);
	assert_has(j, 2);
	assert_has(j, 3);
	journal_free(j);
	j = open_journal();
	assert_has(j, 1);
	assert_lacks(j, 2);
	journal_free(j);
}
END_TEST

START_TEST(a_serial_is_recorded_once)
{
	struct journal *j = open_journal();
	struct journal_issued again = issued(5);
	struct err err = { 0 };

	add(j, 5);
	ck_assert_int_eq(journal_append_issued(j, &again, &err), -1);
	ck_assert_int_eq(err.kind, ERR_FAULT);
	sync_it(j);
	ck_assert_int_eq(journal_append_issued(j, &again, &err), -1);
	journal_free(j);
}
END_TEST

/* A crash can cut the last group anywhere. */
START_TEST(a_last_group_cut_short_is_cut_off)
{
	struct journal *j = open_journal();
	off_t whole, longer;
	OWNED_HEAP(uint8_t) *octets = NULL;

	add(j, 1);
	sync_it(j);
	whole = size_of_file();
	add(j, 2);
	add(j, 3);
	sync_it(j);
	longer = size_of_file();
	journal_free(j);
	octets = malloc((size_t)longer);
	OWNED_FD fd = openat(dir, "j", O_RDWR);
	ck_assert_int_eq(pread(fd, octets, (size_t)longer, 0), longer);

	for (off_t cut = whole; cut < longer; cut++) {
		ck_assert_int_eq(pwrite(fd, octets, (size_t)longer, 0),
		    longer);
		ck_assert_int_eq(ftruncate(fd, cut), 0);
		j = open_journal();
		ck_assert_int_eq(size_of_file(), whole);
		assert_has(j, 1);
		assert_lacks(j, 2);
		/* And the next group fits. */
		add(j, 4);
		sync_it(j);
		journal_free(j);
		j = open_journal();
		assert_has(j, 4);
		journal_free(j);
	}
}
END_TEST

START_TEST(a_file_made_longer_but_not_filled_is_cut_off)
{
	struct journal *j = open_journal();
	off_t whole;
	OWNED_FD fd = -1;

	add(j, 1);
	sync_it(j);
	whole = size_of_file();
	journal_free(j);
	fd = openat(dir, "j", O_RDWR);
	ck_assert_int_eq(ftruncate(fd, whole + 4096), 0);
	j = open_journal();
	ck_assert_int_eq(size_of_file(), whole);
	assert_has(j, 1);
	journal_free(j);
}
END_TEST

/* Any one octet changed in what was synced is noticed. */
START_TEST(any_other_damage_is_a_fault)
{
	struct journal *j = open_journal();
	off_t size;
	OWNED_FD fd = -1;

	for (uint32_t n = 0; n < 3; n++) {
		add(j, n);
		sync_it(j);
	}
	size = size_of_file();
	journal_free(j);
	fd = openat(dir, "j", O_RDWR);
	for (off_t at = 0; at < size; at++) {
		struct err err = { 0 };
		uint8_t was, bad;

		ck_assert_int_eq(pread(fd, &was, 1, at), 1);
		bad = was ^ 0x40;
		ck_assert_int_eq(pwrite(fd, &bad, 1, at), 1);
		j = NULL;
		ck_assert_int_eq(journal_open(dir, "j", "ca/users", true, &j,
		    &err), -1);
		ck_assert_int_eq(err.kind, ERR_FAULT);
		ck_assert_int_eq(size_of_file(), size);
		ck_assert_int_eq(pwrite(fd, &was, 1, at), 1);
	}
}
END_TEST

START_TEST(a_group_taken_out_is_a_fault)
{
	struct journal *j = open_journal();
	OWNED_HEAP(uint8_t) *octets = malloc(65536);
	off_t one, two, three;
	struct err err = { 0 };
	OWNED_FD fd = -1;

	one = size_of_file();
	add(j, 1);
	sync_it(j);
	two = size_of_file();
	add(j, 2);
	sync_it(j);
	three = size_of_file();
	journal_free(j);
	fd = openat(dir, "j", O_RDWR);
	ck_assert_int_eq(pread(fd, octets, (size_t)three, 0), three);
	ck_assert_int_eq(pwrite(fd, octets + two, (size_t)(three - two), one),
	    three - two);
	ck_assert_int_eq(ftruncate(fd, one + three - two), 0);
	j = NULL;
	ck_assert_int_eq(journal_open(dir, "j", "ca/users", true, &j, &err),
	    -1);
	ck_assert_int_eq(err.kind, ERR_FAULT);
}
END_TEST

START_TEST(crl_numbers_only_rise_and_time_does_not_go_back)
{
	static const struct {
		struct crl_terms	terms;
		int			want;
		enum err_kind		kind;
	} rows[] = {
		{ { .number = 1, .this_update = NOON,
		    .next_update = NOON + DAY }, 0, 0 },
		{ { .number = 1, .this_update = NOON + 1,
		    .next_update = NOON + DAY }, -1, ERR_FAULT },
		{ { .number = 3, .this_update = NOON,
		    .next_update = NOON + DAY }, 0, 0 },
		{ { .number = 2, .this_update = NOON,
		    .next_update = NOON + DAY }, -1, ERR_FAULT },
		{ { .number = 4, .this_update = NOON - 1,
		    .next_update = NOON + DAY }, -1, ERR_RETRY },
		{ { .number = 4, .this_update = NOON,
		    .next_update = NOON + DAY, .shard = 2 }, 0, 0 },
		/* A delta of that shard, made in that moment; and no other. */
		{ { .number = 4, .this_update = NOON, .base = 3,
		    .next_update = NOON + DAY, .shard = 1 }, -1, ERR_FAULT },
		{ { .number = 4, .this_update = NOON + 1, .base = 3,
		    .next_update = NOON + DAY, .shard = 2 }, -1, ERR_FAULT },
		{ { .number = 4, .this_update = NOON,
		    .next_update = NOON + DAY, .shard = 2 }, -1, ERR_FAULT },
		{ { .number = 4, .this_update = NOON, .base = 3,
		    .next_update = NOON + DAY, .shard = 2 }, 0, 0 },
		{ { .number = 4, .this_update = NOON, .base = 3,
		    .next_update = NOON + DAY, .shard = 2 }, -1, ERR_FAULT },
	};
	struct journal *j = open_journal();

	for (int i = 0; i < ROWS(rows); i++) {
		struct err err = { 0 };

		ck_assert_int_eq(journal_append_crl(j, &rows[i].terms, &err),
		    rows[i].want);
		ck_assert_int_eq(err.kind, rows[i].kind);
	}
	sync_it(j);
	journal_free(j);
	j = open_journal();
	ck_assert_uint_eq(journal_last_crl(j).number, 4);
	ck_assert_int_eq(journal_last_crl(j).this_update, NOON);
	ck_assert_uint_eq(journal_last_crl(j).base, 3);
	ck_assert_uint_eq(journal_last_crl(j).shard, 2);
	journal_free(j);
}
END_TEST

static int
collect(const struct journal_issued *i, const struct crl_entry *revoked,
    const struct crl_terms *crl, const struct journal_blocked *blocked,
    void *arg)
{
	char *out = arg;

	if (i != NULL)
		strcat(out, "i");
	if (revoked != NULL) {
		ck_assert_int_eq(revoked->reason, CRL_KEY_COMPROMISE);
		ck_assert_int_eq(revoked->revoked_at, NOON);
		ck_assert_int_eq(revoked->invalidity, NOON - DAY);
		strcat(out, "r");
	}
	if (crl != NULL)
		strcat(out, "c");
	if (blocked != NULL) {
		ck_assert_uint_eq(blocked->spki_sha256[31], 7);
		ck_assert_int_eq(blocked->at, NOON);
		strcat(out, "b");
	}
	return 0;
}

START_TEST(every_record_can_be_read_back_in_order)
{
	struct journal *j = open_journal();
	struct crl_entry revoked = { issued(1).serial, NOON,
		CRL_KEY_COMPROMISE, NOON - DAY };
	struct crl_terms crl = { .number = 1, .this_update = NOON,
		.next_update = NOON + DAY };
	struct journal_blocked blocked = { { [31] = 7 }, NOON };
	char seen[16] = "";
	struct err err = { 0 };

	add(j, 1);
	ck_assert_int_eq(journal_append_revoked(j, &revoked, &err), 0);
	ck_assert_int_eq(journal_append_blocked(j, &blocked, &err), 0);
	sync_it(j);
	ck_assert_int_eq(journal_append_crl(j, &crl, &err), 0);
	add(j, 2);
	sync_it(j);
	ck_assert_int_eq(journal_each(j, collect, seen, &err), 0);
	ck_assert_str_eq(seen, "irbci");
	journal_free(j);
}
END_TEST

/* --- keys that are blocked ------------------------------------------------ */

static int
is_blocked(struct journal *j, const uint8_t key[32])
{
	struct err err = { 0 };

	return journal_is_blocked(j, key, &err);
}

static void
block(struct journal *j, uint8_t n)
{
	struct journal_blocked key = { { [0] = n, [31] = 7 }, NOON };
	struct err err = { 0 };

	ck_assert_msg(journal_append_blocked(j, &key, &err) == 0, "%s",
	    err.text);
}

START_TEST(a_blocked_key_stays_blocked_and_is_written_once)
{
	struct journal *j = open_journal();
	uint8_t key[32] = { [31] = 7 };
	off_t size;

	for (int n = 0; n < 256; n++)
		block(j, (uint8_t)n);
	ck_assert_int_eq(is_blocked(j, key), 0);	/* not synced yet */
	sync_it(j);
	size = size_of_file();
	for (int n = 0; n < 256; n++)
		block(j, (uint8_t)n);
	ck_assert(!journal_is_dirty(j));
	journal_free(j);
	j = open_journal();
	for (int n = 0; n < 256; n++) {
		key[0] = (uint8_t)n;
		ck_assert_int_eq(is_blocked(j, key), 0);
		block(j, (uint8_t)n);
	}
	ck_assert(!journal_is_dirty(j));
	ck_assert_int_eq(size_of_file(), size);
	key[31] = 8;
	ck_assert_int_eq(is_blocked(j, key), 1);
	journal_free(j);
}
END_TEST

/* Only key and serial matter here. */
static void
add_certificate(struct journal *j, uint32_t n, EVP_PKEY *key)
{
	struct journal_issued i = issued(n);
	X509 *cert = X509_new();
	struct err err = { 0 };
	uint8_t *der = NULL;
	int len;

	ASN1_INTEGER_set(X509_get_serialNumber(cert), n);
	X509_set_pubkey(cert, key);
	ASN1_TIME_set(X509_getm_notBefore(cert), NOON);
	ASN1_TIME_set(X509_getm_notAfter(cert), NOON + DAY);
	ck_assert_int_gt(X509_sign(cert, key, EVP_sha256()), 0);
	len = i2d_X509(cert, &der);
	ck_assert_int_gt(len, 0);
	i.der = (struct bytes){ der, (size_t)len };
	ck_assert_int_eq(journal_append_issued(j, &i, &err), 0);
	OPENSSL_free(der);
	X509_free(cert);
}

static const struct {
	enum crl_reason	 reason;
	int		 want;		/* of journal_is_blocked */
} compromises[] = {
	{ CRL_UNSPECIFIED, 1 },
	{ CRL_KEY_COMPROMISE, 0 },
	{ CRL_CA_COMPROMISE, 0 },
	{ CRL_AFFILIATION_CHANGED, 1 },
	{ CRL_SUPERSEDED, 1 },
	{ CRL_CESSATION_OF_OPERATION, 1 },
	{ CRL_CERTIFICATE_HOLD, 1 },
	{ CRL_REMOVE_FROM_CRL, 1 },
	{ CRL_PRIVILEGE_WITHDRAWN, 1 },
	{ CRL_AA_COMPROMISE, 1 },
};

START_TEST(a_compromise_blocks_the_key_of_the_certificate)
{
	struct journal *j = open_journal();
	EVP_PKEY *key = EVP_EC_gen("P-256"), *other = EVP_EC_gen("P-256");
	struct crl_entry e = { issued(2).serial, NOON,
		compromises[_i].reason, 0 };
	uint8_t digest[32], others[32], *der = NULL;
	struct err err = { 0 };
	int len = i2d_PUBKEY(key, &der);

	EVP_Digest(der, (size_t)len, digest, NULL, EVP_sha256(), NULL);
	OPENSSL_free(der);
	der = NULL;
	len = i2d_PUBKEY(other, &der);
	EVP_Digest(der, (size_t)len, others, NULL, EVP_sha256(), NULL);
	OPENSSL_free(der);
	add_certificate(j, 1, other);
	add_certificate(j, 2, key);
	ck_assert_int_eq(is_blocked(j, digest), 1);
	ck_assert_int_eq(journal_append_revoked(j, &e, &err), 0);
	ck_assert_int_eq(is_blocked(j, digest), compromises[_i].want);
	e.serial = issued(99).serial;	/* not of ours */
	ck_assert_int_eq(journal_append_revoked(j, &e, &err), 0);
	sync_it(j);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(is_blocked(j, digest),
		    compromises[_i].want);
		ck_assert_int_eq(is_blocked(j, others), 1);
		journal_free(j);
		j = open_journal();
	}
	journal_free(j);
	EVP_PKEY_free(key);
	EVP_PKEY_free(other);
}
END_TEST

START_TEST(one_process_at_a_time)
{
	struct journal *j = open_journal(), *second = NULL;
	struct err err = { 0 };

	ck_assert_int_eq(journal_open(dir, "j", "ca/users", false, &second,
	    &err), -1);
	ck_assert_int_eq(err.kind, ERR_RETRY);
	journal_free(j);
	journal_free(open_journal());
}
END_TEST

START_TEST(another_cas_journal_is_refused)
{
	struct journal *j = NULL;
	struct err err = { 0 };

	journal_free(open_journal());
	ck_assert_int_eq(journal_open(dir, "j", "ca/other", true, &j, &err),
	    -1);
	ck_assert_int_eq(err.kind, ERR_FAULT);
}
END_TEST

START_TEST(a_journal_that_is_gone_is_not_made_silently)
{
	struct journal *j = NULL;
	struct err err = { 0 };

	ck_assert_int_eq(journal_open(dir, "j", "ca/users", false, &j, &err),
	    -1);
	ck_assert_int_eq(err.kind, ERR_FAULT);
	/* An empty file is somebody's decision. */
	close(openat(dir, "j", O_WRONLY | O_CREAT, 0600));
	ck_assert_int_eq(journal_open(dir, "j", "ca/users", false, &j, &err),
	    0);
	journal_free(j);
}
END_TEST

START_TEST(links_and_files_open_to_others_are_refused)
{
	struct journal *j = NULL;
	struct err err = { 0 };

	journal_free(open_journal());
	ck_assert_int_eq(symlinkat("j", dir, "link"), 0);
	ck_assert_int_eq(journal_open(dir, "link", "ca/users", true, &j,
	    &err), -1);
	ck_assert_int_eq(fchmodat(dir, "j", 0640, 0), 0);
	ck_assert_int_eq(journal_open(dir, "j", "ca/users", true, &j, &err),
	    -1);
}
END_TEST

/* A limit on file sizes stands in for a full disk. */
START_TEST(after_a_full_disk_it_is_as_if_nothing_had_been_appended)
{
	struct journal *j = open_journal();
	struct rlimit limit, was;
	const uint8_t key[32] = { [0] = 4, [31] = 7 };
	struct err err = { 0 };

	add(j, 1);
	sync_it(j);
	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &was), 0);
	limit = (struct rlimit){ (rlim_t)size_of_file() + 100, was.rlim_max };
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	add(j, 2);
	add(j, 3);
	block(j, 4);
	ck_assert_int_eq(journal_sync(j, &err), -1);
	ck_assert_int_eq(err.kind, ERR_RETRY);
	ck_assert_int_eq(is_blocked(j, key), 1);
	assert_has(j, 1);
	assert_lacks(j, 2);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &was), 0);
	add(j, 2);
	sync_it(j);
	journal_free(j);
	j = open_journal();
	assert_has(j, 1);
	assert_has(j, 2);
	assert_lacks(j, 3);
	journal_free(j);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("journal");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, what_was_synced_is_there_after_opening_again);
	tcase_add_test(tc,
	    a_record_is_found_before_it_is_synced_and_gone_if_it_never_is);
	tcase_add_test(tc, a_serial_is_recorded_once);
	tcase_add_test(tc, a_last_group_cut_short_is_cut_off);
	tcase_add_test(tc, a_file_made_longer_but_not_filled_is_cut_off);
	tcase_add_test(tc, any_other_damage_is_a_fault);
	tcase_add_test(tc, a_group_taken_out_is_a_fault);
	tcase_add_test(tc, crl_numbers_only_rise_and_time_does_not_go_back);
	tcase_add_test(tc, every_record_can_be_read_back_in_order);
	tcase_add_test(tc, a_blocked_key_stays_blocked_and_is_written_once);
	tcase_add_loop_test(tc, a_compromise_blocks_the_key_of_the_certificate,
	    0, sizeof(compromises) / sizeof(compromises[0]));
	tcase_add_test(tc, one_process_at_a_time);
	tcase_add_test(tc, another_cas_journal_is_refused);
	tcase_add_test(tc, a_journal_that_is_gone_is_not_made_silently);
	tcase_add_test(tc, links_and_files_open_to_others_are_refused);
	tcase_add_test(tc,
	    after_a_full_disk_it_is_as_if_nothing_had_been_appended);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
