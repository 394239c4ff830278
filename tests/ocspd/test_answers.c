#include "ocspd/answers.h"
#include "common/err.h"
#include "tests/support/fixtures.h"

#include <sys/mman.h>
#include <sys/wait.h>

#include <string.h>
#include <unistd.h>

#define MAX_PART	568	/* of this table */

static struct answers *table;
static struct answers_view *view;
static struct err err;

static void
set_up(void)
{
	ck_assert_int_eq(answers_new(1024, MAX_PART, &table, &err), 0);
	ck_assert_int_eq(answers_open(answers_share(table, &err), &view,
	    &err), 0);
}

static void
tear_down(void)
{
	answers_close(view);
	answers_free(table);
}

/* An answer of 300 octets, all of them `fill`, but for the CertID. */
static bool
put(uint8_t id, uint8_t fill, int64_t next_update)
{
	uint8_t der[300];
	struct answer a = { .der = { der, sizeof(der) }, .tail = 200,
		.cert_ids = { { der + 10, 4 } }, .n_ids = 1,
		.serial = { der + 12, 2 }, .is_default = true,
		.signature = SIGNATURE_ECDSA_SHA256,
		.this_update = NOON, .next_update = next_update,
		.tail_expires = NOON + DAY };

	memset(der, fill, sizeof(der));
	memcpy(der + 10, (uint8_t[]){ 1, 2, 3, id }, 4);
	return answers_put(table, &a, NOON);
}

static bool
find(uint8_t id, int64_t now, uint8_t *out)
{
	uint8_t cert_id[] = { 1, 2, 3, id };
	struct held_answer held;

	return answers_find(view, (struct bytes){ cert_id, 4 },
	    (struct bytes){ cert_id + 2, 2 }, SIGNATURE_ANY, now, &held,
	    out) &&
	    held.len == 300;
}

START_TEST(what_is_put_is_found_until_forgotten)
{
	uint8_t out[ANSWER_MAX];

	ck_assert(!find(7, NOON, out));
	ck_assert(put(7, 0x77, NOON + 100));
	ck_assert(find(7, NOON, out));
	ck_assert_int_eq(out[299], 0x77);
	ck_assert(!find(8, NOON, out));
	ck_assert(put(7, 0x78, NOON + 100));
	ck_assert(find(7, NOON, out));
	ck_assert_int_eq(out[299], 0x78);
	answers_forget(table, (struct bytes){ (uint8_t[]){ 3, 7 }, 2 });
	ck_assert(!find(7, NOON, out));
}
END_TEST

START_TEST(nothing_outlives_its_next_update)
{
	uint8_t out[ANSWER_MAX];

	put(7, 0x77, NOON + 100);
	ck_assert(find(7, NOON + 99, out));
	ck_assert(!find(7, NOON + 100, out));
}
END_TEST

START_TEST(forgetting_all_leaves_nothing)
{
	uint8_t out[ANSWER_MAX];

	for (int i = 0; i < 200; i++)
		put((uint8_t)i, 1, NOON + 100);
	answers_forget_all(table);
	for (int i = 0; i < 200; i++)
		ck_assert(!find((uint8_t)i, NOON, out));
}
END_TEST

START_TEST(the_table_cannot_be_written_by_who_reads_it)
{
	int fd = answers_share(table, &err);

	ck_assert_ptr_eq(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED,
	    fd, 0), MAP_FAILED);
	ck_assert_int_eq(write(fd, "x", 1), -1);
	ck_assert_int_eq(ftruncate(fd, 0), -1);
	close(fd);
}
END_TEST

START_TEST(another_file_is_no_table)
{
	struct answers_view *v = NULL;

	ck_assert_int_eq(answers_open(memfd_create("x", 0), &v, &err), -1);
	ck_assert_int_eq(answers_open(dup(0), &v, &err), -1);
}
END_TEST

START_TEST(a_heart_that_stops_is_noticed)
{
	answers_beat(table, 10000);
	ck_assert(answers_alive(view, 10000));
	ck_assert(answers_alive(view, 10000 + ANSWERS_HEARTBEAT_MS));
	ck_assert(!answers_alive(view, 10001 + ANSWERS_HEARTBEAT_MS));
}
END_TEST

/* Two processes read while one writes: no answer is ever a mixture. */
START_TEST(readers_never_see_half_an_answer)
{
	pid_t readers[2];
	int status;

	put(1, 0, NOON + 100);
	for (int r = 0; r < 2; r++) {
		readers[r] = fork();
		if (readers[r] != 0)
			continue;
		for (int i = 0; i < 200000; i++) {
			uint8_t out[ANSWER_MAX];

			if (!find(1, NOON, out))
				continue;
			for (int k = 14; k < 200; k++)
				if (out[k] != out[0])
					_exit(1);
		}
		_exit(0);
	}
	for (int i = 0; i < 100000; i++) {
		/* Two fills, so that the tails are few. */
		put(1, (uint8_t)(i & 1), NOON + 100);
		if (i % 16 == 0)
			answers_forget(table,
			    (struct bytes){ (uint8_t[]){ 3, 1 }, 2 });
	}
	for (int r = 0; r < 2; r++) {
		ck_assert_int_eq(waitpid(readers[r], &status, 0), readers[r]);
		ck_assert_int_eq(status, 0);
	}
}
END_TEST

START_TEST(what_is_too_large_is_not_held)
{
	static uint8_t der[MAX_PART + 1];
	struct answer a = { .der = { der, sizeof(der) },
		.tail = sizeof(der), .cert_ids = { { der, 4 } }, .n_ids = 1,
		.serial = { der, 2 }, .next_update = NOON + 1 };

	ck_assert(!answers_put(table, &a, NOON));
	a.tail = MAX_PART;
	ck_assert(answers_put(table, &a, NOON));
}
END_TEST

/* An answer with CertIDs a and b (0: none). */
static bool
put_as(uint8_t a, uint8_t b, enum signature_alg signature, bool is_default,
    uint8_t fill)
{
	uint8_t der[300];
	struct answer in = { .der = { der, sizeof(der) }, .tail = 200,
		.cert_ids = { { der + 10, 4 }, { der + 20, 4 } },
		.n_ids = b == 0 ? 1 : 2, .serial = { der + 30, 2 },
		.signature = signature, .is_default = is_default,
		.this_update = NOON, .next_update = NOON + 100,
		.tail_expires = NOON + DAY };

	memset(der, fill, sizeof(der));
	memcpy(der + 10, (uint8_t[]){ 1, 2, 3, a }, 4);
	memcpy(der + 20, (uint8_t[]){ 1, 2, 3, b }, 4);
	memcpy(der + 30, (uint8_t[]){ 5, 5 }, 2);
	return answers_put(table, &in, NOON);
}

/* What the answer was filled with; -1: none is found. */
static int
find_as(uint8_t id, enum signature_alg signature)
{
	static uint8_t out[ANSWER_MAX];
	uint8_t cert_id[] = { 1, 2, 3, id };
	struct held_answer held;
	const struct bytes serial = { (uint8_t[]){ 5, 5 }, 2 };

	ck_assert_int_eq(answers_has(table, (struct bytes){ cert_id, 4 },
	    serial, signature, NOON), answers_find(view,
	    (struct bytes){ cert_id, 4 }, serial, signature, NOON, &held,
	    out));
	return answers_find(view, (struct bytes){ cert_id, 4 }, serial,
	    signature, NOON, &held, out) ? out[299] : -1;
}

START_TEST(answers_by_different_keys_never_mix)
{
	put_as(1, 0, SIGNATURE_ECDSA_SHA256, true, 10);
	put_as(1, 0, SIGNATURE_RSA_SHA256, false, 20);
	ck_assert_int_eq(find_as(1, SIGNATURE_ANY), 10);
	ck_assert_int_eq(find_as(1, SIGNATURE_ECDSA_SHA256), 10);
	ck_assert_int_eq(find_as(1, SIGNATURE_RSA_SHA256), 20);
	ck_assert_int_eq(find_as(1, SIGNATURE_ED25519), -1);
	/* Each is replaced alone. */
	put_as(1, 0, SIGNATURE_RSA_SHA256, false, 21);
	ck_assert_int_eq(find_as(1, SIGNATURE_ANY), 10);
	ck_assert_int_eq(find_as(1, SIGNATURE_RSA_SHA256), 21);
	/* Another default: the one before is none any more. */
	put_as(1, 0, SIGNATURE_ED25519, true, 30);
	ck_assert_int_eq(find_as(1, SIGNATURE_ANY), 30);
	ck_assert_int_eq(find_as(1, SIGNATURE_ED25519), 30);
	ck_assert_int_eq(find_as(1, SIGNATURE_ECDSA_SHA256), -1);
	ck_assert_int_eq(find_as(1, SIGNATURE_RSA_SHA256), 21);
}
END_TEST

START_TEST(an_answer_with_two_cert_ids_is_found_by_each)
{
	put_as(1, 0, SIGNATURE_ECDSA_SHA256, true, 10);
	put_as(2, 0, SIGNATURE_ECDSA_SHA256, true, 20);
	put_as(1, 2, SIGNATURE_ECDSA_SHA256, true, 30);
	ck_assert_int_eq(find_as(1, SIGNATURE_ANY), 30);
	ck_assert_int_eq(find_as(2, SIGNATURE_ANY), 30);
	ck_assert_int_eq(find_as(3, SIGNATURE_ANY), -1);
	/* Neither of the two before is left over. */
	put_as(1, 2, SIGNATURE_ECDSA_SHA256, true, 40);
	ck_assert_int_eq(find_as(1, SIGNATURE_ANY), 40);
	ck_assert_int_eq(find_as(2, SIGNATURE_ANY), 40);
	answers_forget(table, (struct bytes){ (uint8_t[]){ 5, 5 }, 2 });
	ck_assert_int_eq(find_as(1, SIGNATURE_ANY), -1);
	ck_assert_int_eq(find_as(2, SIGNATURE_ANY), -1);
}
END_TEST

/* Of a full table the ones that end first make room, and most stay. */
START_TEST(more_than_there_is_room_for)
{
	struct answers *small;
	struct answers_view *of_small;
	uint8_t out[ANSWER_MAX];
	int held = 0;

	ck_assert_int_eq(answers_new(64, MAX_PART, &small, &err), 0);
	ck_assert_int_eq(answers_open(answers_share(small, &err), &of_small,
	    &err), 0);
	for (int i = 0; i < 200; i++) {
		uint8_t der[300] = { 0 };
		struct answer a = { .der = { der, sizeof(der) }, .tail = 200,
			.cert_ids = { { der + 10, 4 } }, .n_ids = 1,
			.serial = { der + 12, 2 }, .is_default = true,
			.this_update = NOON, .next_update = NOON + 100 + i,
			.tail_expires = NOON + DAY };

		memcpy(der + 10, (uint8_t[]){ 1, 2, 3, (uint8_t)i }, 4);
		ck_assert(answers_put(small, &a, NOON));
	}
	for (int i = 0; i < 200; i++) {
		uint8_t cert_id[] = { 1, 2, 3, (uint8_t)i };
		struct held_answer one;
		bool is = answers_find(of_small, (struct bytes){ cert_id, 4 },
		    (struct bytes){ cert_id + 2, 2 }, SIGNATURE_ANY, NOON,
		    &one, out);

		held += is;
		ck_assert(!is || out[13] == i);
		ck_assert(i > 0 || !is);
		ck_assert(i < 199 || is);
	}
	ck_assert_int_gt(held, 50);
	ck_assert_int_le(held, 64);
	answers_close(of_small);
	answers_free(small);
}
END_TEST

/* What is forgotten leaves its place to others. */
START_TEST(places_are_used_again)
{
	uint8_t out[ANSWER_MAX];

	for (int round = 0; round < 50; round++)
		for (int i = 0; i < 100; i++) {
			ck_assert(put((uint8_t)i, 1, NOON + 100));
			ck_assert(find((uint8_t)i, NOON, out));
			answers_forget(table, (struct bytes){
			    (uint8_t[]){ 3, (uint8_t)i }, 2 });
			ck_assert(!find((uint8_t)i, NOON, out));
		}
	ck_assert_uint_le(answers_places(table), 1);
	/* Who walks where little is comes to an end all the same. */
	ck_assert_uint_eq(answers_each_older(table, 256, NOON, 100, NULL,
	    NULL), 256);
}
END_TEST

static bool
note_due(const struct aged_answer *a, void *arg)
{
	bool *due = arg;

	due[a->cert_id.data[3]] = true;
	return true;
}

/* RFC 9919, 7.1: nobody before seven eighths, everybody after the whole, and
 * in between not all in one moment. */
START_TEST(what_was_signed_together_is_not_renewed_together)
{
	bool due[256];
	int n = 0;

	for (int i = 0; i < 200; i++)
		put((uint8_t)i, (uint8_t)i, NOON + 100000);
	memset(due, 0, sizeof(due));
	answers_each_older(table, 0, NOON + 7000, 8000, note_due, due);
	for (int i = 0; i < 200; i++)
		ck_assert(!due[i]);
	answers_each_older(table, 0, NOON + 7500, 8000, note_due, due);
	for (int i = 0; i < 200; i++)
		n += due[i];
	ck_assert_int_gt(n, 50);
	ck_assert_int_lt(n, 150);
	answers_each_older(table, 0, NOON + 8001, 8000, note_due, due);
	for (int i = 0; i < 200; i++)
		ck_assert(due[i]);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("answers");
	TCase *c = tcase_create("answers");

	tcase_add_checked_fixture(c, set_up, tear_down);
	tcase_set_timeout(c, 60);
	tcase_add_test(c, what_is_put_is_found_until_forgotten);
	tcase_add_test(c, nothing_outlives_its_next_update);
	tcase_add_test(c, forgetting_all_leaves_nothing);
	tcase_add_test(c, the_table_cannot_be_written_by_who_reads_it);
	tcase_add_test(c, another_file_is_no_table);
	tcase_add_test(c, a_heart_that_stops_is_noticed);
	tcase_add_test(c, readers_never_see_half_an_answer);
	tcase_add_test(c, what_is_too_large_is_not_held);
	tcase_add_test(c, answers_by_different_keys_never_mix);
	tcase_add_test(c, an_answer_with_two_cert_ids_is_found_by_each);
	tcase_add_test(c, more_than_there_is_room_for);
	tcase_add_test(c, places_are_used_again);
	tcase_add_test(c, what_was_signed_together_is_not_renewed_together);
	suite_add_tcase(s, c);
	return fixture_run(s);
}
