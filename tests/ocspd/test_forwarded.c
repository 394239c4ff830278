/* For whom a proxy says that it asks: one row, one field (RFC 7239, 4 to 6). */
#include "ocspd/forwarded.h"
#include "tests/support/fixtures.h"

#include <string.h>

#define NOBODY	"nobody"
#define BROKEN	"broken"
#define P10	"pppppppppp"

/* 10.0.0.1 and 2001:db8::1 are proxies of ours. */
static const struct {
	const char	*field;
	const char	*want;
} rows[] = {
	{ "for=192.0.2.60", "192.0.2.60" },
	{ "For=192.0.2.60;proto=http;by=203.0.113.43", "192.0.2.60" },
	{ "proto=http;for=\"192.0.2.60:47011\"", "192.0.2.60" },
	{ "for=\"192.0.2.60:_port\"", "192.0.2.60" },
	{ "for=\"[2001:db8:cafe::17]\"", "2001:db8:cafe::17" },
	{ "for=\"[2001:db8:cafe::17]:4711\"", "2001:db8:cafe::17" },
	{ "for=\"[::ffff:192.0.2.60]\"", "192.0.2.60" },
	{ "for=\"192\\.0.2.60\"", "192.0.2.60" },
	/* The last one is what our proxy saw. */
	{ "for=192.0.2.43, for=198.51.100.17", "198.51.100.17" },
	{ "for=192.0.2.43,for=198.51.100.17;by=_x", "198.51.100.17" },
	{ "for=192.0.2.43,, ,for=198.51.100.17,", "198.51.100.17" },
	{ "by=\"a, for=1.2.3.4\", for=192.0.2.43", "192.0.2.43" },
	{ "for=192.0.2.43;by=\"x,for=1.2.3.4\"", "192.0.2.43" },
	/* Proxies of ours stand behind each other. */
	{ "for=192.0.2.43, for=10.0.0.1", "192.0.2.43" },
	{ "for=9.9.9.9, for=192.0.2.43, for=10.0.0.1, for=\"[2001:db8::1]\"",
	  "192.0.2.43" },
	{ "for=10.0.0.1", "10.0.0.1" },
	{ "for=10.0.0.1, for=\"[2001:db8::1]\"", "10.0.0.1" },
	{ "for=192.0.2.43, for=unknown, for=10.0.0.1", NOBODY },
	/* No address. */
	{ "", NOBODY },
	{ " ", NOBODY },
	{ "for=unknown", NOBODY },
	{ "for=UNKNOWN", NOBODY },
	{ "for=_hidden, for=_SEVKISEK", NOBODY },
	{ "for=\"_hidden:_port\"", NOBODY },
	{ "proto=http", NOBODY },
	{ "for=192.0.2.43, proto=http", NOBODY },
	{ "for=192.0.2.43, ;", NOBODY },
	/* Not of that form. */
	{ "for", BROKEN },
	{ "for=", BROKEN },
	{ "for =192.0.2.60", BROKEN },
	{ "for= 192.0.2.60", BROKEN },
	{ "for=192.0.2.60 for=192.0.2.61", BROKEN },
	{ "for=192.0.2.60;for=192.0.2.61", BROKEN },
	{ "for=192.0.2.60:80", BROKEN },	/* a colon wants quotes */
	{ "for=[2001:db8::1]", BROKEN },
	{ "for=\"2001:db8::1\"", BROKEN },
	{ "for=\"[2001:db8::1\"", BROKEN },
	{ "for=\"[2001:db8::1]x\"", BROKEN },
	{ "for=\"[192.0.2.60]\"", BROKEN },
	{ "for=\"192.0.2.60:\"", BROKEN },
	{ "for=\"192.0.2.60:123456\"", BROKEN },
	{ "for=\"192.0.2.60", BROKEN },
	{ "for=\"192.0.2.60\\", BROKEN },
	{ "for=\"192.0.2.60\"x", BROKEN },
	{ "for=192.0.2.256", BROKEN },
	{ "for=192.0.2", BROKEN },
	{ "for=unix", BROKEN },
	{ "for=_", BROKEN },
	{ "for=host.example", BROKEN },
	{ "for=\"" P10 P10 P10 P10 P10 P10 P10 "\"", BROKEN },
	{ "for=_" P10 P10 P10 P10 P10 P10 P10, BROKEN },
	{ "garbage, for=192.0.2.60", BROKEN },
	/* Who would hide what comes after a mark is refused. */
	{ "for=\", for=192.0.2.60", BROKEN },
}, x_rows[] = {
	{ "192.0.2.60", "192.0.2.60" },
	{ "192.0.2.60:4711", "192.0.2.60" },
	{ "2001:db8:cafe::17", "2001:db8:cafe::17" },
	{ "[2001:db8:cafe::17]:80", "2001:db8:cafe::17" },
	{ "::ffff:192.0.2.60", "192.0.2.60" },
	{ "1.2.3.4, 192.0.2.60", "192.0.2.60" },
	{ "1.2.3.4,192.0.2.60 , 10.0.0.1", "192.0.2.60" },
	{ "1.2.3.4, unknown", NOBODY },
	{ "", NOBODY },
	{ ",", NOBODY },
	{ "1.2.3.4 192.0.2.60", BROKEN },
	{ "garbage, 192.0.2.60", BROKEN },
	{ "for=192.0.2.60", BROKEN },
	{ "unix", BROKEN },
	{ P10 P10 P10 P10 P10 P10 P10, BROKEN },
};

static void
check(const char *field, const char *want, enum forwarded_result
    read_field(struct bytes, const struct client *, size_t, struct client *))
{
	char got[CLIENT_TEXT_SIZE];
	struct client proxies[2], client;
	const struct bytes value = { (const uint8_t *)field, strlen(field) };

	ck_assert(client_from_text(&proxies[0], "10.0.0.1"));
	ck_assert(client_from_text(&proxies[1], "2001:db8::1"));
	switch (read_field(value, proxies, 2, &client)) {
	case FORWARDED_CLIENT:
		client_to_text(&client, got);
		break;
	case FORWARDED_NOBODY:
		strcpy(got, NOBODY);
		break;
	case FORWARDED_BROKEN:
		strcpy(got, BROKEN);
		break;
	}
	ck_assert_msg(strcmp(got, want) == 0, "%s: %s, not %s", field, got,
	    want);
}

START_TEST(forwarded_is_read_as_its_definition_says)
{
	check(rows[_i].field, rows[_i].want, forwarded_read);
}
END_TEST

START_TEST(x_forwarded_for_is_a_list_of_addresses)
{
	check(x_rows[_i].field, x_rows[_i].want, forwarded_read_x);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("forwarded");
	TCase *c = tcase_create("forwarded");

	tcase_add_loop_test(c, forwarded_is_read_as_its_definition_says, 0,
	    ROWS(rows));
	tcase_add_loop_test(c, x_forwarded_for_is_a_list_of_addresses, 0,
	    ROWS(x_rows));
	suite_add_tcase(s, c);
	return fixture_run(s);
}
