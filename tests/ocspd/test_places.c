/* Who gets a place at a front, and who has to give way. */
#include "ocspd/places.h"
#include "common/err.h"
#include "tests/support/fixtures.h"

#include <sys/socket.h>

#include <string.h>
#include <unistd.h>

#define PLACES		2
#define IDLE_TIMEOUT_S	30

static struct settings settings;
static struct service *service;
static struct places *places;
static int ends[8];	/* the clients' */
static struct err err;

static void
set_up(void)
{
	memset(ends, -1, sizeof(ends));
	settings = (struct settings){ .idle_timeout_s = IDLE_TIMEOUT_S,
		.request_timeout_s = 10, .max_waiting = 2 };
	service = calloc(1, sizeof(*service));
	*service = (struct service){ .settings = &settings, .now_ms = 1000000,
		.limits = { 8192, 4096, 4096 }, .published_fd = -1,
		.out = BUF(1u << 20), .der = BUF(8192) };
	places = calloc(1, sizeof(*places));
	ck_assert_int_eq(places_open(places, PLACES, &err), 0);
}

static void
tear_down(void)
{
	places_close(places, service);
	for (int i = 0; i < ROWS(ends); i++)
		if (ends[i] >= 0)
			close(ends[i]);
	buf_free(&service->out);
	buf_free(&service->der);
	free(places);
	free(service);
}

/* The nth client comes. */
static struct connection *
come(int nth)
{
	static const struct client who = { .kind = CLIENT_IPV4,
		.address = { 192, 0, 2, 1 } };
	struct connection *c = places_take(places);
	int pair[2];

	if (c == NULL)
		return NULL;
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0,
	    pair), 0);
	connection_open(c, pair[0], &who, 7, service);
	places->clients[7]++;
	ends[nth] = pair[1];
	return c;
}

static void
say(int nth, struct connection *c, const char *text)
{
	ck_assert_int_eq(send(ends[nth], text, strlen(text), 0),
	    (ssize_t)strlen(text));
	c->readable = true;
	ck_assert(connection_work(c, service, places_id(places, c)));
}

START_TEST(there_are_so_many_places_and_a_lobby)
{
	struct connection *c;
	size_t n = 0;

	ck_assert(!places_are_full(places));
	c = come(0);
	ck_assert(!places_are_full(places));
	come(1);
	ck_assert(places_are_full(places));
	ck_assert_uint_eq(places_taken(places), PLACES);
	places_give_back(places, c, service);
	ck_assert(!places_are_full(places));
	ck_assert_uint_eq(places->clients[7], 1);
	while ((c = places_take(places)) != NULL) {
		c->fd = -1;	/* free, as far as closing is concerned */
		n++;
	}
	ck_assert_uint_eq(n, 1 + PLACES_LOBBY);
}
END_TEST

START_TEST(the_one_that_was_idle_longest_gives_way)
{
	struct connection *a = come(0), *b;

	service->now_ms += 500;
	b = come(1);
	/* Who has only just come is about to ask. */
	ck_assert_ptr_null(places_find_idle(places, service));
	service->now_ms += 600;
	ck_assert_ptr_eq(places_find_idle(places, service), a);
	/* An answer, and it begins anew; the other is now the longest. */
	say(0, a, "GET /none HTTP/1.1\r\nHost: a\r\n\r\n");
	service->now_ms += 1000;
	ck_assert_ptr_eq(places_find_idle(places, service), b);
	places_give_back(places, b, service);
	ck_assert_ptr_eq(places_find_idle(places, service), a);
}
END_TEST

START_TEST(who_has_something_in_hand_does_not_give_way)
{
	struct connection *a = come(0), *b = come(1);

	say(0, a, "GET /no");
	b->waiting = true;
	service->waiting = 1;
	service->now_ms += 9000;
	ck_assert_ptr_null(places_find_idle(places, service));
	say(0, a, "ne HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
	service->now_ms += 1000;
	ck_assert_ptr_null(places_find_idle(places, service));
}
END_TEST

START_TEST(a_place_used_again_has_another_name)
{
	struct connection *a = come(0), *b;
	uint64_t id = places_id(places, a);

	ck_assert_ptr_eq(places_find(places, id), a);
	ck_assert_ptr_null(places_find(places, id + 1));
	ck_assert_ptr_null(places_find(places, PLACES + PLACES_LOBBY));
	places_give_back(places, a, service);
	ck_assert_ptr_null(places_find(places, id));
	b = come(1);
	ck_assert_ptr_eq(a, b);
	ck_assert_ptr_null(places_find(places, id));
	ck_assert_ptr_eq(places_find(places, places_id(places, b)), b);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("places");
	TCase *c = tcase_create("places");

	tcase_add_checked_fixture(c, set_up, tear_down);
	tcase_add_test(c, there_are_so_many_places_and_a_lobby);
	tcase_add_test(c, the_one_that_was_idle_longest_gives_way);
	tcase_add_test(c, who_has_something_in_hand_does_not_give_way);
	tcase_add_test(c, a_place_used_again_has_another_name);
	suite_add_tcase(s, c);
	return fixture_run(s);
}
