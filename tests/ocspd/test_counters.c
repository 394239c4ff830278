#include "ocspd/counters.h"
#include "common/err.h"
#include "tests/support/fixtures.h"

#include <sys/mman.h>

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static struct counters *counters;
static struct counters_view *view;
static struct err err;

static void
set_up(void)
{
	ck_assert_int_eq(counters_new(&counters, &err), 0);
	ck_assert_int_eq(counters_open(counters_share(counters, &err), &view,
	    &err), 0);
}

static void
tear_down(void)
{
	counters_close(view);
	counters_free(counters);
}

START_TEST(what_is_counted_is_read)
{
	for (enum counter i = 0; i < N_COUNTERS; i++)
		ck_assert_uint_eq(counters_get(view, i), 0);
	counters_add(counters, COUNT_GET, 2);
	counters_add(counters, COUNT_GET, 3);
	counters_set(counters, COUNT_CONNECTIONS_OPEN, 7);
	counters_set(counters, COUNT_CONNECTIONS_OPEN, 4);
	ck_assert_uint_eq(counters_get(view, COUNT_GET), 5);
	ck_assert_uint_eq(counters_get(view, COUNT_CONNECTIONS_OPEN), 4);
	ck_assert_uint_eq(counters_get(view, COUNT_HEAD), 0);
	/* A status that is not counted, and nobody who counts. */
	counters_add(counters, counter_of_status(299), 1);
	counters_add(NULL, COUNT_GET, 1);
	counters_put_cas(NULL, NULL, 0);
	ck_assert_uint_eq(counters_get(view, COUNT_GET), 5);
}
END_TEST

START_TEST(every_counter_has_a_name_of_its_own)
{
	for (enum counter i = 0; i < N_COUNTERS; i++) {
		const struct counter_text *one = counter_text(i);

		ck_assert_msg(one->name != NULL && one->help != NULL,
		    "counter %d", (int)i);
		for (enum counter k = 0; k < i; k++)
			ck_assert_msg(strcmp(one->name,
			    counter_text(k)->name) != 0 || strcmp(one->labels,
			    counter_text(k)->labels) != 0, "%d and %d",
			    (int)i, (int)k);
	}
}
END_TEST

/* The monitor's descriptor reads, and no more. */
START_TEST(a_share_cannot_be_written)
{
	int fd = counters_share(counters, &err);

	ck_assert_int_ge(fd, 0);
	ck_assert_ptr_eq(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED,
	    fd, 0), MAP_FAILED);
	ck_assert_int_eq(write(fd, "x", 1), -1);
	ck_assert_int_eq(ftruncate(fd, 0), -1);
	close(fd);
}
END_TEST

START_TEST(cas_come_over_with_tame_names)
{
	struct counted_ca in[2] = { { "example.test/users", 1, 2 },
		{ "", 3, 4 } };
	struct counted_ca out[COUNTERS_MAX_CAS];

	ck_assert_uint_eq(counters_get_cas(view, out), 0);
	/* Not ended, and with what would break a line or a quotation. */
	memset(in[1].name, 'x', sizeof(in[1].name));
	memcpy(in[1].name, "a\"\n\\\xff", 5);
	counters_put_cas(counters, in, 2);
	ck_assert_uint_eq(counters_get_cas(view, out), 2);
	ck_assert_str_eq(out[0].name, "example.test/users");
	ck_assert_int_eq(out[0].not_before, 1);
	ck_assert_int_eq(out[0].not_after, 2);
	ck_assert_uint_eq(strlen(out[1].name), sizeof(out[1].name) - 1);
	ck_assert_int_eq(strncmp(out[1].name, "a____x", 6), 0);
	counters_put_cas(counters, in, 1);
	ck_assert_uint_eq(counters_get_cas(view, out), 1);
}
END_TEST

START_TEST(more_cas_than_there_is_room_for_are_left_out)
{
	static struct counted_ca in[COUNTERS_MAX_CAS + 1];
	struct counted_ca out[COUNTERS_MAX_CAS];

	counters_put_cas(counters, in, COUNTERS_MAX_CAS + 1);
	ck_assert_uint_eq(counters_get_cas(view, out), COUNTERS_MAX_CAS);
}
END_TEST

START_TEST(what_cannot_be_counters_is_refused)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct counters_view *none = NULL;

	/* It could shrink under the reader. */
	ck_assert_int_eq(ftruncate(fd, 1 << 20), 0);
	ck_assert_int_eq(counters_open(fcntl(fd, F_DUPFD_CLOEXEC, 0), &none,
	    &err), -1);
	/* Another size. */
	ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	ck_assert_int_eq(counters_open(fd, &none, &err), -1);
	ck_assert_int_eq(counters_open(-1, &none, &err), -1);
	ck_assert_ptr_null(none);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("counters");
	TCase *c = tcase_create("counters");

	tcase_add_checked_fixture(c, set_up, tear_down);
	tcase_add_test(c, what_is_counted_is_read);
	tcase_add_test(c, every_counter_has_a_name_of_its_own);
	tcase_add_test(c, a_share_cannot_be_written);
	tcase_add_test(c, cas_come_over_with_tame_names);
	tcase_add_test(c, more_cas_than_there_is_room_for_are_left_out);
	tcase_add_test(c, what_cannot_be_counters_is_refused);
	suite_add_tcase(s, c);
	return fixture_run(s);
}
