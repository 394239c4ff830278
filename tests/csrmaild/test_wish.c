#include "csrmaild/wish.h"

#include "common/err.h"
#include "csrmaild/hint.h"
#include "csrmaild/wire.h"
#include "tests/support/fixtures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One line each: what it asks for. */
enum { NOTHING, REVOKE = WISH_REVOKE, STATUS = WISH_STATUS,
    CONFIRM = WISH_CONFIRM };

static const struct {
	const char	*line;
	int		 kind;
	const char	*serial;	/* in hex; "" none */
	enum crl_reason	 reason;
	uint64_t	 request;
} lines[] = {
	{ "REVOKE",				REVOKE, "", 0, 0 },
	{ "revoke",				REVOKE, "", 0, 0 },
	{ "  Revoke \t\r\n",			REVOKE, "", 0, 0 },
	{ "REVOKE\xc2\xa0",			REVOKE, "", 0, 0 },
	{ "REVOKE 4f",				REVOKE, "4f", 0, 0 },
	{ "REVOKE 04F",				REVOKE, "4f", 0, 0 },
	{ "REVOKE 0x4F2b",			REVOKE, "4f2b", 0, 0 },
	{ "REVOKE 4f:2B:00:01",			REVOKE, "4f2b0001", 0, 0 },
	{ "REVOKE 4f 2b 00 01",			REVOKE, "4f2b0001", 0, 0 },
	{ "REVOKE\t4f\t2b",			REVOKE, "4f2b", 0, 0 },
	{ "REVOKE serial=4F2B",			REVOKE, "4f2b", 0, 0 },
	{ "REVOKE Serial=4F2B superseded",	REVOKE, "4f2b",
	  CRL_SUPERSEDED, 0 },
	{ "REVOKE keyCompromise",		REVOKE, "",
	  CRL_KEY_COMPROMISE, 0 },
	{ "revoke KEYCOMPROMISE",		REVOKE, "",
	  CRL_KEY_COMPROMISE, 0 },
	{ "REVOKE key-compromise",		REVOKE, "",
	  CRL_KEY_COMPROMISE, 0 },
	{ "REVOKE key_compromise",		REVOKE, "",
	  CRL_KEY_COMPROMISE, 0 },
	{ "REVOKE 4f superseded",		REVOKE, "4f",
	  CRL_SUPERSEDED, 0 },
	{ "REVOKE 4f:2b cessationOfOperation  ", REVOKE, "4f2b",
	  CRL_CESSATION_OF_OPERATION, 0 },
	{ "REVOKE 4f affiliationChanged",	REVOKE, "4f",
	  CRL_AFFILIATION_CHANGED, 0 },
	{ "REVOKE 4f privilegeWithdrawn",	REVOKE, "4f",
	  CRL_PRIVILEGE_WITHDRAWN, 0 },
	{ "REVOKE 4f unspecified",		REVOKE, "4f", 0, 0 },
	{ "REVOKE certificateHold",		REVOKE, "",
	  CRL_CERTIFICATE_HOLD, 0 },
	/* Read, to be refused with a word about it. */
	{ "REVOKE 4f removeFromCRL",		REVOKE, "4f",
	  CRL_REMOVE_FROM_CRL, 0 },
	{ "REVOKE 4f cACompromise",		REVOKE, "4f",
	  CRL_CA_COMPROMISE, 0 },
	{ "REVOKE 4f aACompromise",		REVOKE, "4f",
	  CRL_AA_COMPROMISE, 0 },
	/* 20 octets are the most. */
	{ "REVOKE 7fffffffffffffffffffffffffffffffffffffff", REVOKE,
	  "7fffffffffffffffffffffffffffffffffffffff", 0, 0 },
	{ "REVOKE 017fffffffffffffffffffffffffffffffffffffff", NOTHING, "",
	  0, 0 },
	/* Not a wish, or more than one may guess. */
	{ "",					NOTHING, "", 0, 0 },
	{ "REVOKED",				NOTHING, "", 0, 0 },
	{ "REVOKE:",				NOTHING, "", 0, 0 },
	{ "REVOKE: 4f",				NOTHING, "", 0, 0 },
	{ "please REVOKE 4f",			NOTHING, "", 0, 0 },
	{ "Revoke my certificate, please.",	NOTHING, "", 0, 0 },
	{ "REVOKE 0",				NOTHING, "", 0, 0 },
	{ "REVOKE 00:00",			NOTHING, "", 0, 0 },
	{ "REVOKE 4g",				NOTHING, "", 0, 0 },
	{ "REVOKE 4f; superseded",		NOTHING, "", 0, 0 },
	{ "REVOKE 4f.",				NOTHING, "", 0, 0 },
	{ "REVOKE 4f because it is old",	NOTHING, "", 0, 0 },
	{ "REVOKE superseded 4f",		NOTHING, "", 0, 0 },
	{ "REVOKE keyCompromised",		NOTHING, "", 0, 0 },
	{ "REVOKE key compromise",		NOTHING, "", 0, 0 },
	{ "REVOKE -",				NOTHING, "", 0, 0 },
	{ "REVOKE 4f -_-",			NOTHING, "", 0, 0 },
	{ "REVOKE *",				NOTHING, "", 0, 0 },
	{ "REVOKE --all",			NOTHING, "", 0, 0 },
	{ "REVOKE %s%n",			NOTHING, "", 0, 0 },
	{ "REVOKE \xff\xfe",			NOTHING, "", 0, 0 },
	{ "> REVOKE 4f",			NOTHING, "", 0, 0 },
	{ "*REVOKE* 4f",			NOTHING, "", 0, 0 },
	{ "R E V O K E",			NOTHING, "", 0, 0 },
	/* Cyrillic letters that look alike. */
	{ "R\xd0\x95VOKE 4f",			NOTHING, "", 0, 0 },
	{ "UNREVOKE 4f",			NOTHING, "", 0, 0 },
	{ "STATUS",				STATUS, "", 0, 0 },
	{ "status",				STATUS, "", 0, 0 },
	{ "STATUS 12",				STATUS, "", 0, 12 },
	{ "STATUS #12",				STATUS, "", 0, 12 },
	{ "STATUS 999999999999999999",		STATUS, "", 0,
	  999999999999999999 },
	{ "STATUS 0x12",			STATUS, "12", 0, 0 },
	{ "STATUS 12:34",			STATUS, "1234", 0, 0 },
	{ "STATUS 1234567890123456789",		STATUS,
	  "01234567890123456789", 0, 0 },
	{ "STATUS 4f2b",			STATUS, "4f2b", 0, 0 },
	{ "STATUS 0",				NOTHING, "", 0, 0 },
	{ "STATUS -1",				NOTHING, "", 0, 0 },
	{ "STATUS of the server: up",		NOTHING, "", 0, 0 },
	{ "STATUS superseded",			NOTHING, "", 0, 0 },
	{ "CONFIRM",				CONFIRM, "", 0, 0 },
	{ "\t confirm \r\n",			CONFIRM, "", 0, 0 },
	{ "Confirm\xc2\xa0",			CONFIRM, "", 0, 0 },
	{ "> CONFIRM",				NOTHING, "", 0, 0 },
	{ "CONFIRM 12",				NOTHING, "", 0, 0 },
	{ "CONFIRM it was not me",		NOTHING, "", 0, 0 },
	{ "I do not CONFIRM",			NOTHING, "", 0, 0 },
	{ "CONFIRM?",				NOTHING, "", 0, 0 },
	{ "CONFIRMED",				NOTHING, "", 0, 0 },
	{ "UNCONFIRM",				NOTHING, "", 0, 0 },
	/* A Cyrillic letter that looks alike. */
	{ "C\xd0\x9eNFIRM",			NOTHING, "", 0, 0 },
};

START_TEST(a_line_is_a_wish_or_none)
{
	struct wish wish = { 0 };
	char hex[SERIAL_HEX_SIZE] = "";
	bool read = wish_read(bytes_of(lines[_i].line), &wish);

	ck_assert_msg(read == (lines[_i].kind != NOTHING), "%s",
	    lines[_i].line);
	if (!read)
		return;
	ck_assert_msg((int)wish.kind == lines[_i].kind, "%s", lines[_i].line);
	if (wish.serial.len > 0)
		serial_to_hex(&wish.serial, hex);
	ck_assert_msg(strcmp(hex, lines[_i].serial) == 0, "%s: %s",
	    lines[_i].line, hex);
	ck_assert_msg(wish.reason == lines[_i].reason, "%s", lines[_i].line);
	ck_assert_uint_eq(wish.request, lines[_i].request);
}
END_TEST

START_TEST(octets_in_a_line_end_no_string)
{
	static const uint8_t line[] = "REVOKE 4f\0 superseded";
	struct wish wish;

	ck_assert(!wish_read((struct bytes){ line, sizeof(line) - 1 }, &wish));
}
END_TEST

START_TEST(a_long_line_is_no_wish)
{
	char line[400] = "REVOKE ";
	struct wish wish;

	memset(line + 7, ' ', 150);
	strcpy(line + 157, "4f");
	ck_assert(wish_read(bytes_of(line), &wish));	/* blanks alone */
	memset(line + 7, '4', 150);
	ck_assert(!wish_read(bytes_of(line), &wish));
	memset(line + 7, ':', 150);
	ck_assert(!wish_read(bytes_of(line), &wish));
}
END_TEST

/* Whole texts: the serials that are to be revoked, in their order. */
static const struct {
	const char	*name, *text, *serials;
	bool		 hint;
} texts[] = {
	{ "alone", "REVOKE 1a\r\n", "1a ", false },
	{ "without an end", "REVOKE 1a", "1a ", false },
	{ "with a greeting", "Hello,\r\n\r\nREVOKE 1a\r\nREVOKE 2b\r\n\r\n"
	  "Yours\r\n", "1a 2b ", false },
	{ "old Mac", "REVOKE 1a\rREVOKE 2b\r", "1a 2b ", false },
	{ "twice", "REVOKE 1a\nrevoke 1A\nREVOKE 1a superseded\n", "1a 1a ",
	  false },
	{ "quoted", "> REVOKE 1a\r\n>> REVOKE 2b\r\n| REVOKE 3c\r\n", "",
	  false },
	{ "answering what was quoted", "> REVOKE 1a\r\nREVOKE 2b\r\n", "2b ",
	  false },
	{ "below the separator", "REVOKE 1a\r\n-- \r\nREVOKE 2b\r\n", "1a ",
	  false },
	{ "a separator that lost its blank", "REVOKE 1a\n--\nREVOKE 2b\n",
	  "1a ", false },
	{ "other dashes", "---\nREVOKE 1a\n", "1a ", false },
	{ "forwarded", "See below.\n\n-----Original Message-----\nFrom: a@b\n"
	  "Subject: x\n\nREVOKE 1a\n", "", false },
	{ "wrapped", "REVOKE\n1a:2b superseded\nREVOKE 3c\n", "1a2b 3c ", false },
	{ "no end of it", "REVOKE\n\n1a\n", " ", false },
	{ "a name below", "REVOKE 1a\nBea\n", "1a ", false },
	{ "the next word below", "REVOKE\nREVOKE 1a\n", " 1a ", false },
	{ "quoted below", "REVOKE\n> 1a\n", " ", false },
	{ "two serials, or one that was wrapped", "REVOKE 1a 2b\n3c 4d\n", "",
	  true },
	{ "a reason, and then a serial", "REVOKE superseded\n1a\n", "", true },
	{ "asked in a sentence", "Please revoke my certificate.\n", "", true },
	{ "in German", "Bitte um Widerruf meines Zertifikats\n", "", true },
	{ "not understood", "REVOKE 12xy\n", "", true },
	{ "spoken of in the signature alone", "Hello\n-- \nRevocation desk\n",
	  "", false },
	{ "nothing of the kind", "Hello\nREV OKE\n", "", false },
};

START_TEST(a_text_is_read_as_its_sender_meant_it)
{
	OWNED_STRUCT(findings) *found = calloc(1, sizeof(*found));
	char serials[256] = "";
	struct err err;

	ck_assert_int_eq(wish_find(bytes_of(texts[_i].text), found, &err), 0);
	for (size_t i = 0; i < found->n_wishes; i++) {
		char hex[SERIAL_HEX_SIZE] = "";

		if (found->wishes[i].serial.len > 0)
			serial_to_hex(&found->wishes[i].serial, hex);
		strcat(strcat(serials, hex), " ");
	}
	ck_assert_msg(strcmp(serials, texts[_i].serials) == 0, "%s: %s",
	    texts[_i].name, serials);
	ck_assert_msg(found->hints == (texts[_i].hint ?
	    HINT_BIT(HINT_REVOKE) : 0), "%s", texts[_i].name);
}
END_TEST

/* A reason that is lost makes a lost key a mere replacement. */
START_TEST(a_wrapped_reason_is_not_lost)
{
	static const char *const wrapped[] = { "REVOKE 1a\nkeyCompromise\n",
		"REVOKE\r\n1a keyCompromise\r\n",
		"REVOKE\nkeyCompromise\n" };
	OWNED_STRUCT(findings) *found = calloc(1, sizeof(*found));
	struct err err;

	ck_assert_int_eq(wish_find(bytes_of(wrapped[_i]), found, &err), 0);
	ck_assert_uint_eq(found->n_wishes, 1);
	ck_assert_int_eq(found->wishes[0].reason, CRL_KEY_COMPROMISE);
	ck_assert_uint_eq(found->wishes[0].serial.len, _i == 2 ? 0 : 1);
}
END_TEST

START_TEST(sixteen_are_the_most)
{
	OWNED_STRUCT(findings) *found = calloc(1, sizeof(*found));
	OWNED_BUF(text, 65536);
	struct err err;

	for (int i = 1; i <= WIRE_MAX_WISHES; i++)
		buf_printf(&text, "REVOKE %x\nREVOKE %x\n", i, i);
	ck_assert_int_eq(wish_find(buf_bytes(&text), found, &err), 0);
	ck_assert_uint_eq(found->n_wishes, WIRE_MAX_WISHES);
	buf_append_str(&text, "REVOKE ff\n");
	ck_assert_int_eq(wish_find(buf_bytes(&text), found, &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_uint_eq(found->n_wishes, WIRE_MAX_WISHES);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("wish");
	TCase *t = tcase_create("all");

	tcase_add_loop_test(t, a_line_is_a_wish_or_none, 0, ROWS(lines));
	tcase_add_test(t, octets_in_a_line_end_no_string);
	tcase_add_test(t, a_long_line_is_no_wish);
	tcase_add_loop_test(t, a_text_is_read_as_its_sender_meant_it, 0,
	    ROWS(texts));
	tcase_add_loop_test(t, a_wrapped_reason_is_not_lost, 0, 3);
	tcase_add_test(t, sixteen_are_the_most);
	suite_add_tcase(s, t);
	return fixture_run(s);
}
