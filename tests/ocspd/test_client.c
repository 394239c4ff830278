#include "ocspd/client.h"
#include "ocspd/rates.h"
#include "tests/support/fixtures.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <string.h>

static const uint64_t seed[2] = { 1, 2 };

static uint16_t
bucket(const char *text)
{
	struct client c;

	ck_assert_msg(client_from_text(&c, text), "%s", text);
	return client_bucket(&c, seed);
}

START_TEST(addresses_are_read_and_written)
{
	static const char *const texts[] = { "192.0.2.1", "2001:db8::1", "::1",
		"unix" };
	char text[CLIENT_TEXT_SIZE];
	struct client c;

	for (size_t i = 0; i < 4; i++) {
		ck_assert(client_from_text(&c, texts[i]));
		client_to_text(&c, text);
		ck_assert_str_eq(text, texts[i]);
	}
	ck_assert(!client_from_text(&c, ""));
	ck_assert(!client_from_text(&c, "192.0.2"));
	ck_assert(!client_from_text(&c, "localhost"));
	ck_assert(!client_from_text(&c, "192.0.2.0/24"));
}
END_TEST

START_TEST(ipv4_within_ipv6_is_ipv4)
{
	struct sockaddr_storage from = { 0 };
	struct sockaddr_in6 *six = (void *)&from;
	struct client c, four;

	six->sin6_family = AF_INET6;
	memcpy(six->sin6_addr.s6_addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff"
	    "\xc0\x00\x02\x01", 16);
	client_from_socket(&c, &from);
	ck_assert(client_from_text(&four, "192.0.2.1"));
	ck_assert(client_equal(&c, &four));
	memset(&from, 0, sizeof(from));
	from.ss_family = AF_UNIX;
	client_from_socket(&c, &from);
	ck_assert_int_eq(c.kind, CLIENT_LOCAL);
}
END_TEST

START_TEST(a_64_of_ipv6_is_one_client)
{
	ck_assert_uint_eq(bucket("2001:db8:0:1::1"),
	    bucket("2001:db8:0:1:ffff::2"));
	ck_assert_uint_ne(bucket("2001:db8:0:1::1"), bucket("2001:db8:0:2::1"));
	ck_assert_uint_ne(bucket("192.0.2.1"), bucket("192.0.2.2"));
}
END_TEST

/* Two a second: two at once, and one more each half second. */
START_TEST(a_rate_is_kept_over_time)
{
	struct rates *r = rates_new(2);

	ck_assert_ptr_nonnull(r);
	ck_assert(rates_take(r, 7, 10000));
	ck_assert(rates_take(r, 7, 10000));
	ck_assert(!rates_take(r, 7, 10000));
	ck_assert(rates_take(r, 8, 10000));	/* somebody else */
	ck_assert(!rates_take(r, 7, 10499));
	ck_assert(rates_take(r, 7, 10500));
	ck_assert(!rates_take(r, 7, 10500));
	/* Nothing is saved beyond a second's worth. */
	ck_assert(rates_take(r, 7, 90000));
	ck_assert(rates_take(r, 7, 90000));
	ck_assert(!rates_take(r, 7, 90000));
	/* The clock of milliseconds wraps after 49 days. */
	ck_assert(rates_take(r, 9, 4294967295));
	ck_assert(rates_take(r, 9, 4294967295));
	ck_assert(!rates_take(r, 9, 4294967296));
	ck_assert(rates_take(r, 9, 4294967296 + 500));
	rates_free(r);
	ck_assert(rates_take(NULL, 7, 0));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("client");
	TCase *c = tcase_create("client");

	tcase_add_test(c, addresses_are_read_and_written);
	tcase_add_test(c, ipv4_within_ipv6_is_ipv4);
	tcase_add_test(c, a_64_of_ipv6_is_one_client);
	tcase_add_test(c, a_rate_is_kept_over_time);
	suite_add_tcase(s, c);
	return fixture_run(s);
}
