#include "common/channel.h"
#include "common/err.h"
#include "tests/support/fixtures.h"

#include <sys/mman.h>
#include <sys/socket.h>

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int pair[2];
static struct channel *here;

static void
setup(void)
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	here = channel_new(pair[0], "peer", 1000, 1 << 20);
	ck_assert_ptr_nonnull(here);
}

static void
teardown(void)
{
	channel_free(here);
	close(pair[1]);
}

START_TEST(frames_arrive_whole_and_in_order_one_octet_at_a_time)
{
	static const uint8_t stream[] = { 0, 0, 0, 2, 0, 9, FRAME_VERSION, 0,
		'h', 'i', 0, 0, 0, 0, 0, 10, FRAME_VERSION, 0 };
	struct frame frame;
	struct err err;
	int seen = 0;

	for (size_t i = 0; i < sizeof(stream); i++) {
		ck_assert_int_eq(write(pair[1], &stream[i], 1), 1);
		ck_assert_int_eq(channel_read(here, &err), 0);
		while (channel_next(here, &frame, &err) == 1) {
			ck_assert_uint_eq(frame.type, seen == 0 ? 9 : 10);
			ck_assert_uint_eq(frame.payload.len, seen == 0 ? 2 : 0);
			ck_assert_int_eq(frame.fd, -1);
			seen++;
		}
	}
	ck_assert_int_eq(seen, 2);
}
END_TEST

static const struct {
	const char	*name;
	uint8_t		 header[8];
} bad_headers[] = {
	{ "longer than allowed",  { 0, 0, 3, 0xe9, 0, 1, FRAME_VERSION, 0 } },
	{ "another version",	  { 0, 0, 0, 0, 0, 1, FRAME_VERSION + 1, 0 } },
	{ "several descriptors",  { 0, 0, 0, 0, 0, 1, FRAME_VERSION, 2 } },
	{ "a descriptor missing", { 0, 0, 0, 0, 0, 1, FRAME_VERSION, 1 } },
};

START_TEST(a_broken_frame_ends_the_peer)
{
	struct frame frame;
	struct err err;

	ck_assert_int_eq(write(pair[1], bad_headers[_i].header, 8), 8);
	ck_assert_int_eq(channel_read(here, &err), 0);
	ck_assert_msg(channel_next(here, &frame, &err) == -1, "%s",
	    bad_headers[_i].name);
	ck_assert_int_eq(err.kind, ERR_FAULT);
	ck_assert_int_eq(channel_next(here, &frame, &err), -1);
	ck_assert_int_eq(channel_send(here, 1, bytes_of(""), -1, &err), -1);
}
END_TEST

START_TEST(an_end_inside_a_frame_is_a_fault_and_between_frames_is_none)
{
	struct err err;

	if (_i == 1)
		ck_assert_int_eq(write(pair[1], "\0\0", 2), 2);
	shutdown(pair[1], SHUT_WR);
	if (_i == 1)
		ck_assert_int_eq(channel_read(here, &err), 0);
	ck_assert_int_eq(channel_read(here, &err), -1);
	ck_assert_int_eq(err.kind, _i == 1 ? ERR_FAULT : ERR_RETRY);
}
END_TEST

/* Many frames, some with descriptors, through a socket that fills up. */
START_TEST(descriptors_stay_with_their_frames)
{
	struct channel *there = channel_new(dup(pair[1]), "other", 1000, 1 << 20);
	uint8_t payload[900];
	struct frame frame;
	struct err err;
	int got = 0, r;

	for (int i = 0; i < 600; i++) {
		int fd = -1;

		memset(payload, i, sizeof(payload));
		if (i % 50 == 0) {
			fd = memfd_create("t", 0);
			ck_assert_int_eq(write(fd, &i, sizeof(i)), sizeof(i));
		}
		ck_assert_int_eq(channel_send(here, (uint16_t)i,
		    (struct bytes){ payload, (size_t)i }, fd, &err), 0);
	}
	ck_assert_uint_gt(channel_queued(here), 0);
	while (got < 600) {
		ck_assert_int_eq(channel_flush(here, &err), 0);
		ck_assert_int_eq(channel_read(there, &err), 0);
		while ((r = channel_next(there, &frame, &err)) == 1) {
			int inside = -1;

			ck_assert_uint_eq(frame.type, (unsigned int)got);
			ck_assert_uint_eq(frame.payload.len, (size_t)got);
			ck_assert_int_eq(frame.fd >= 0, got % 50 == 0);
			if (frame.fd >= 0) {
				ck_assert_int_eq(pread(frame.fd, &inside,
				    sizeof(inside), 0), sizeof(inside));
				ck_assert_int_eq(inside, got);
				close(frame.fd);
			}
			got++;
		}
		ck_assert_int_eq(r, 0);
	}
	ck_assert_uint_eq(channel_queued(here), 0);
	channel_free(there);
}
END_TEST

START_TEST(a_full_queue_says_retry_and_stays_usable)
{
	struct channel *small = channel_new(dup(pair[0]), "slow", 1000, 4096);
	uint8_t payload[1000] = { 0 };
	struct err err = { 0 };
	int r = 0;

	for (int i = 0; i < 2000 && r == 0; i++)
		r = channel_send(small, 1, (struct bytes){ payload, 1000 }, -1,
		    &err);
	ck_assert_int_eq(r, -1);
	ck_assert_int_eq(err.kind, ERR_RETRY);
	ck_assert_int_eq(channel_flush(small, &err), 0);
	channel_free(small);
}
END_TEST

START_TEST(waiting_ends_with_a_frame_or_at_the_time)
{
	struct frame frame;
	struct err err;

	ck_assert_int_eq(channel_await(here, 10, &frame, &err), -1);
	ck_assert_int_eq(err.kind, ERR_RETRY);
	ck_assert_int_eq(write(pair[1], "\0\0\0\0\0\3\1\0", 8), 8);
	ck_assert_int_eq(channel_await(here, 1000, &frame, &err), 0);
	ck_assert_uint_eq(frame.type, 3);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("channel");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc,
	    frames_arrive_whole_and_in_order_one_octet_at_a_time);
	tcase_add_loop_test(tc, a_broken_frame_ends_the_peer, 0,
	    ROWS(bad_headers));
	tcase_add_loop_test(tc,
	    an_end_inside_a_frame_is_a_fault_and_between_frames_is_none, 0, 2);
	tcase_add_test(tc, descriptors_stay_with_their_frames);
	tcase_add_test(tc, a_full_queue_says_retry_and_stays_usable);
	tcase_add_test(tc, waiting_ends_with_a_frame_or_at_the_time);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
