#include "ocspd/answers.h"
#include "common/err.h"
#include "tests/support/fixtures.h"

#include <sys/mman.h>
#include <sys/wait.h>

#include <string.h>
#include <unistd.h>

static struct answers *table;
static struct answers_view *view;
static struct err err;

static void
set_up(void)
{
	ck_assert_int_eq(answers_new(1024, &table, &err), 0);
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
		.cert_id = { der + 10, 4 }, .serial = { der + 12, 2 },
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
	    (struct bytes){ cert_id + 2, 2 }, now, &held, out) &&
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
	static uint8_t der[ANSWER_MAX_PART + 1];
	struct answer a = { .der = { der, sizeof(der) },
		.tail = sizeof(der), .cert_id = { der, 4 },
		.serial = { der, 2 }, .next_update = NOON + 1 };

	ck_assert(!answers_put(table, &a, NOON));
	a.tail = ANSWER_MAX_PART;
	ck_assert(answers_put(table, &a, NOON));
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
	suite_add_tcase(s, c);
	return fixture_run(s);
}
