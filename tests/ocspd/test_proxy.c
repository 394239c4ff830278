#include "ocspd/proxy.h"
#include "tests/support/fixtures.h"

#include <stdlib.h>
#include <string.h>

#define SIGN	"\r\n\r\n\0\r\nQUIT\n"
#define TCP4	SIGN "\x21\x11\x00\x0c" "\xc0\x00\x02\x01" "\x0a\x00\x00\x01"	\
		"\x30\x39\x00\x50"
#define V6	"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
#define TCP6	SIGN "\x21\x21\x00\x24" V6 V6 "\x30\x39\x00\x50"
#define ROW(name, in, want, used, client)				\
	{ name, in, sizeof(in) - 1, want, used, client }

static const struct {
	const char	*name;
	const char	*in;
	size_t		 len;
	enum proxy_result want;
	size_t		 used;
	const char	*client;
} rows[] = {
	ROW("IPv4", TCP4, PROXY_COMPLETE, 28, "192.0.2.1"),
	ROW("IPv4 with a request behind", TCP4 "GET / HT", PROXY_COMPLETE, 28,
	    "192.0.2.1"),
	ROW("IPv6", TCP6, PROXY_COMPLETE, 52, "2001:db8::1"),
	ROW("TLVs are skipped", SIGN "\x21\x11\x00\x0f" "\xc0\x00\x02\x01"
	    "\x0a\x00\x00\x01" "\x30\x39\x00\x50" "\x04\0\0" "G",
	    PROXY_COMPLETE, 31, "192.0.2.1"),
	ROW("the proxy itself", SIGN "\x20\x00\x00\x00" "GET", PROXY_COMPLETE,
	    16, "127.0.0.1"),
	ROW("LOCAL with an address that does not count", SIGN
	    "\x20\x11\x00\x0c" "\xc0\x00\x02\x01" "\x0a\x00\x00\x01"
	    "\x30\x39\x00\x50", PROXY_COMPLETE, 28, "127.0.0.1"),
	ROW("an unknown family", SIGN "\x21\x00\x00\x00", PROXY_COMPLETE, 16,
	    "127.0.0.1"),
	ROW("nothing yet", "", PROXY_INCOMPLETE, 0, NULL),
	ROW("half of the signature", "\r\n\r\n\0\r", PROXY_INCOMPLETE, 0,
	    NULL),
	ROW("no length yet", SIGN "\x21\x11\x00", PROXY_INCOMPLETE, 0, NULL),
	ROW("half of the address", SIGN "\x21\x11\x00\x0c\xc0\x00",
	    PROXY_INCOMPLETE, 0, NULL),
	ROW("a request", "GET / HTTP/1.1\r\n", PROXY_BROKEN, 0, NULL),
	ROW("version 1", "PROXY TCP4 192.0.2.1 10.0.0.1 1 2\r\n",
	    PROXY_BROKEN, 0, NULL),
	ROW("version 3", SIGN "\x31", PROXY_BROKEN, 0, NULL),
	ROW("an unknown command", SIGN "\x22", PROXY_BROKEN, 0, NULL),
	ROW("too short for IPv4", SIGN "\x21\x11\x00\x0b" "\xc0\x00\x02\x01"
	    "\x0a\x00\x00\x01" "\x30\x39\x00", PROXY_BROKEN, 0, NULL),
	ROW("too short for IPv6", SIGN "\x21\x21\x00\x0c" "\xc0\x00\x02\x01"
	    "\x0a\x00\x00\x01" "\x30\x39\x00\x50", PROXY_BROKEN, 0, NULL),
	ROW("longer than any", SIGN "\x21\x11\x04\x00", PROXY_BROKEN, 0,
	    NULL),
};

START_TEST(a_header_is_read_as_its_definition_says)
{
	struct client client;
	char text[CLIENT_TEXT_SIZE];
	size_t used = 0;
	uint8_t *copy = malloc(rows[_i].len == 0 ? 1 : rows[_i].len);

	ck_assert(client_from_text(&client, "127.0.0.1"));
	memcpy(copy, rows[_i].in, rows[_i].len);
	ck_assert_msg(proxy_read((struct bytes){ copy, rows[_i].len },
	    &client, &used) == rows[_i].want, "%s", rows[_i].name);
	free(copy);
	if (rows[_i].want != PROXY_COMPLETE)
		return;
	client_to_text(&client, text);
	ck_assert_msg(used == rows[_i].used && strcmp(text,
	    rows[_i].client) == 0, "%s: %zu %s", rows[_i].name, used, text);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("proxy");
	TCase *c = tcase_create("proxy");

	tcase_add_loop_test(c, a_header_is_read_as_its_definition_says, 0,
	    ROWS(rows));
	suite_add_tcase(s, c);
	return fixture_run(s);
}
