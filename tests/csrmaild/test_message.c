#include "csrmaild/message.h"

#include "common/err.h"
#include "csrmaild/hint.h"
#include "csrmaild/wire.h"
#include "tests/support/fixtures.h"

#include <openssl/sha.h>

#include <stdio.h>
#include <string.h>

static const struct prescan_limits limits = {
	.max_octets = 1u << 20, .max_header_octets = 64u << 10,
	.max_parts = 100, .max_depth = 10,
};

static void
read_file(const char *name, struct buf *out)
{
	char path[512];
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "%s/mail/%s", TEST_DATA, name);
	f = fopen(path, "rb");
	ck_assert_msg(f != NULL, "%s", path);
	while ((n = fread(buf_reserve(out, 4096), 1, 4096, f)) > 0)
		out->len += n;
	fclose(f);
}

static struct message *
examine(const char *name)
{
	static struct buf octets = BUF(1u << 20);
	struct message *msg = NULL;
	struct err err = { 0 };
	char file[80];

	buf_clear(&octets);
	snprintf(file, sizeof(file), "%s.eml", name);
	read_file(file, &octets);
	ck_assert_msg(message_examine(buf_bytes(&octets), &limits, &msg,
	    &err) == 0, "%s: %s", name, err.text);
	return msg;
}

/* What is found: "+" a good request of the sender's own, "f" a good one that
 * is forwarded, "-" one that is no good. */
static const struct {
	const char	*name;
	const char	*want;
} found[] = {
	{ "inline",			"+" },
	{ "inline-spaces",		"+" },
	{ "no-mime-header",		"+" },
	{ "attached-new",		"+" },
	{ "attached-der",		"+" },
	{ "attached-octets",		"+" },
	{ "attached-base64-only",	"+" },
	{ "utf16",			"+" },
	{ "utf16-big-no-mark",		"+" },
	{ "utf8-mark",			"+" },
	{ "quoted-printable",		"+" },
	{ "twice",			"+" },
	{ "two",			"++" },
	{ "alternative-same",		"+" },
	{ "alternative-none",		"+" },
	{ "html-only",			"" },
	{ "preamble-epilogue",		"" },
	{ "header-field",		"" },
	{ "delivery-status",		"" },
	{ "archive",			"" },
	{ "forwarded",			"f" },
	{ "forwarded-and-own",		"+" },
	{ "quoted",			"f" },
	{ "broken",			"-" },
	{ "cut-off",			"-" },
	{ "not-a-request",		"-" },
	{ "der-and-more",		"-" },
	{ "key-talk",			"+" },
	{ "pem-in-one-line",		"+" },
	{ "pem-no-line-breaks",		"+" },
	{ "pem-cr-only",		"+" },
	{ "pem-tabs",			"+" },
	{ "pem-after-separator",	"+" },
	{ "pem-other-end",		"-" },
	{ "quoted-deep",		"f" },
	{ "outlook-double-spaced",	"+" },
	{ "outlook-forwarded-inline",	"f" },
	{ "outlook-forwarded-rule",	"f" },
	{ "outlook-opaque",		"" },
	{ "gmail-forwarded",		"f" },
	{ "apple-mail-delsp",		"+" },
	{ "thunderbird-flowed-marker",	"+" },
	{ "thunderbird-flowed-reply",	"f" },
	{ "thunderbird-stuffed",	"+" },
	{ "thunderbird-forwarded-attached", "f" },
	{ "forwarded-and-another",	"+f" },
	{ "five-in-one-text",		"+++++" },
	{ "two-and-one-broken",		"+-" },
};

START_TEST(a_request_is_found_where_it_may_stand)
{
	OWNED_STRUCT(message) *msg = examine(found[_i].name);
	const struct findings *f = message_findings(msg);
	char got[WIRE_MAX_CANDIDATES + 1] = "";

	ck_assert_msg(f->status == FINDINGS_OK, "%s: %s", found[_i].name,
	    f->text);
	for (size_t i = 0; i < f->n_candidates; i++) {
		const struct candidate *c = &f->candidates[i];

		got[i] = c->good ? c->forwarded ? 'f' : '+' : '-';
		ck_assert_msg((c->text[0] == '\0') == c->good, "%s",
		    found[_i].name);
		if (c->good)
			ck_assert_uint_eq(c->names.n_sans, 1);
	}
	ck_assert_msg(strcmp(got, found[_i].want) == 0, "%s: %s",
	    found[_i].name, got);
}
END_TEST

static const struct {
	const char	*name;
	const char	*why;	/* in the text */
} refused[] = {
	{ "alternative-different",	"different requests" },
	{ "alternative-subset",		"different requests" },
	{ "base64-tail",		"base64" },
	{ "crash-boundary",		"boundary" },
	{ "key",			"burnt" },
	{ "key-html",			"burnt" },
	{ "key-preamble",		"burnt" },
	{ "key-der",			"burnt" },
	{ "key-openssh",		"burnt" },
	{ "key-pgp",			"burnt" },
	{ "key-putty",			"burnt" },
	{ "key-pkcs12",			"burnt" },
	{ "key-utf16",			"burnt" },
	{ "alternative-nested",		"different requests" },
	{ "thirty-three",		"more than 32" },
};

START_TEST(what_can_be_read_in_two_ways_is_refused)
{
	OWNED_STRUCT(message) *msg = examine(refused[_i].name);
	const struct findings *f = message_findings(msg);

	ck_assert_int_eq(f->status, FINDINGS_REFUSED);
	ck_assert_uint_eq(f->n_candidates, 0);
	ck_assert_msg(strstr(f->text, refused[_i].why) != NULL, "%s: %s",
	    refused[_i].name, f->text);
}
END_TEST

START_TEST(a_mailed_private_key_is_named_by_its_public_half)
{
	static const struct {
		const char	*name;
		bool		 found, readable;
	} mails[] = {
		{ "key",		true,	true },
		{ "key-preamble",	true,	true },
		{ "key-der",		true,	true },
		{ "key-html",		true,	false },
		{ "key-talk",		false,	false },
		{ "inline",		false,	false },
	};
	OWNED_BUF(spki, 4096 * 2);
	uint8_t want[32];

	read_file("key.spki", &spki);
	SHA256(spki.data, spki.len, want);
	for (int i = 0; i < ROWS(mails); i++) {
		OWNED_STRUCT(message) *msg = examine(mails[i].name);
		const struct findings *f = message_findings(msg);

		ck_assert_msg(f->private_key == mails[i].found, "%s",
		    mails[i].name);
		ck_assert_msg(f->has_burnt == mails[i].readable, "%s",
		    mails[i].name);
		if (f->has_burnt)
			ck_assert_mem_eq(f->burnt_spki_sha256, want, 32);
	}
}
END_TEST

START_TEST(parts_are_named_for_people)
{
	OWNED_STRUCT(message) *zip = examine("archive");
	OWNED_STRUCT(message) *der = examine("attached-der");

	ck_assert_uint_eq(message_findings(zip)->n_parts, 3);
	ck_assert_str_eq(message_findings(zip)->parts[0], "text/plain");
	ck_assert_str_eq(message_findings(zip)->parts[1],
	    "application/zip \"a.zip\": an archive, not opened");
	ck_assert_ptr_nonnull(strstr(message_findings(zip)->parts[2],
	    "not opened"));
	ck_assert_str_eq(message_findings(der)->parts[1],
	    "application/pkcs10 \"my request.p10\"");
}
END_TEST

static const struct {
	const char	*mail, *name;
} named[] = {
	{ "name-rfc2231",		"\"Gr\u00fc\u00dfe.zip\"" },
	{ "name-rfc2231-pieces",	"\"one two three.zip\"" },
	{ "name-rfc2231-out-of-order",	"\"a\u00fc.zip\"" },
	{ "name-rfc2047",		"\"Antrag-\u00fc.zip\"" },
	{ "name-rfc2047-q",		"\"Antrag-\u00fc 1.zip\"" },
	{ "name-8bit",			"\"\u00fc.zip\"" },
	{ "name-unquoted",		"\"my.zip\"" },
	{ "path-as-name",		"\"../../etc/passwd.zip\"" },
};

START_TEST(a_parts_name_is_decoded)
{
	OWNED_STRUCT(message) *msg = examine(named[_i].mail);

	ck_assert_msg(strstr(message_findings(msg)->parts[1],
	    named[_i].name) != NULL, "%s: %s", named[_i].mail,
	    message_findings(msg)->parts[1]);
}
END_TEST

/* One hint for each kind of thing that is no request. */
static const struct {
	const char	*mail;
	uint32_t	 want;
} hints[] = {
	{ "hello",			0 },
	{ "html-only",			HINT_BIT(HINT_HTML) },
	{ "outlook-winmail",		HINT_BIT(HINT_TNEF) },
	{ "exchange-winmail-octets",	HINT_BIT(HINT_TNEF) },
	{ "exchange-winmail-unnamed",	HINT_BIT(HINT_TNEF) },
	{ "zip",			HINT_BIT(HINT_ARCHIVE) },
	{ "zip-renamed",		HINT_BIT(HINT_ARCHIVE) },
	{ "outlook-saved-eml",		HINT_BIT(HINT_SAVED_MAIL) },
	{ "screenshot",			HINT_BIT(HINT_DOCUMENT) },
	{ "docx",			HINT_BIT(HINT_DOCUMENT) },
	{ "partial",			HINT_BIT(HINT_PARTIAL) },
	{ "external-body",		HINT_BIT(HINT_EXTERNAL) },
	{ "outlook-encrypted",		HINT_BIT(HINT_ENCRYPTED) },
	{ "thunderbird-openpgp-encrypted", HINT_BIT(HINT_ENCRYPTED) },
	{ "outlook-opaque",		HINT_BIT(HINT_OPAQUE) },
	{ "cmc-full",			HINT_BIT(HINT_CMC) },
	{ "certificate-der",		HINT_BIT(HINT_CERTIFICATE) },
	{ "certificate-pem",		HINT_BIT(HINT_CERTIFICATE) },
	{ "certificates-p7b",		HINT_BIT(HINT_CERTIFICATE) },
	{ "public-key",			HINT_BIT(HINT_PUBLIC_KEY) },
	{ "ssh-key",			HINT_BIT(HINT_PUBLIC_KEY) },
	{ "pgp-key",			HINT_BIT(HINT_PUBLIC_KEY) },
	{ "keystore",			HINT_BIT(HINT_KEY_STORE) },
	{ "spkac",			HINT_BIT(HINT_SPKAC) },
	{ "mailx-uuencode",		HINT_BIT(HINT_UUENCODE) },
	{ "ios-dashes",			HINT_BIT(HINT_MARKERS) },
	{ "pem-missing-begin",		HINT_BIT(HINT_MARKERS) },
	{ "revoke-in-a-sentence",	HINT_BIT(HINT_REVOKE) },
	{ "archive",	HINT_BIT(HINT_TNEF) | HINT_BIT(HINT_ARCHIVE) },
};

START_TEST(what_to_do_is_said_by_what_was_found)
{
	OWNED_STRUCT(message) *msg = examine(hints[_i].mail);

	ck_assert_msg(message_findings(msg)->hints == hints[_i].want,
	    "%s: %x", hints[_i].mail, message_findings(msg)->hints);
}
END_TEST

START_TEST(each_hint_has_its_row)
{
	uint32_t all = 0;

	for (int i = 0; i < ROWS(hints); i++)
		all |= hints[i].want;
	ck_assert_uint_eq(all, HINT_ALL);
}
END_TEST

/* A reply shows 300 characters of each. */
START_TEST(each_hint_has_words)
{
	for (int i = 0; i < HINT_END; i++) {
		const char *english = hint_text((enum hint)i, NULL);
		const char *german = hint_text((enum hint)i, "de");

		ck_assert(strlen(english) > 20 && strlen(english) < 300);
		ck_assert(strlen(german) > 20 && strlen(german) < 300);
		ck_assert_str_ne(english, german);
		ck_assert_str_eq(hint_text((enum hint)i, "fr"), english);
	}
}
END_TEST

START_TEST(a_file_may_hold_several_requests)
{
	static const struct {
		const char	*name;
		size_t		 want;
		bool		 good;
	} files[] = {
		{ "two.pem",	2,	true },
		{ "one.der",	1,	true },
		{ "key.spki",	1,	false },	/* DER, but no CSR */
	};

	for (int i = 0; i < ROWS(files); i++) {
		OWNED_BUF(octets, 65536);
		OWNED_STRUCT(message) *msg = NULL;
		const struct findings *f;
		struct err err = { 0 };

		read_file(files[i].name, &octets);
		ck_assert_int_eq(message_examine_file(buf_bytes(&octets),
		    &msg, &err), 0);
		f = message_findings(msg);
		ck_assert_int_eq(f->status, FINDINGS_OK);
		ck_assert_uint_eq(f->n_candidates, files[i].want);
		for (size_t n = 0; n < f->n_candidates; n++)
			ck_assert(f->candidates[n].good == files[i].good);
	}
}
END_TEST

START_TEST(more_requests_than_we_take_are_refused)
{
	OWNED_BUF(octets, 1u << 20);
	OWNED_STRUCT(message) *msg = NULL;
	struct err err = { 0 };

	buf_append_str(&octets, "Subject: many\r\n\r\n");
	for (int i = 0; i <= WIRE_MAX_CANDIDATES; i++)
		buf_printf(&octets, "-----BEGIN CERTIFICATE REQUEST-----\r\n"
		    "MII%04d=\r\n-----END CERTIFICATE REQUEST-----\r\n", i);
	ck_assert_int_eq(message_examine(buf_bytes(&octets), &limits, &msg,
	    &err), 0);
	ck_assert_int_eq(message_findings(msg)->status, FINDINGS_REFUSED);
	ck_assert_uint_eq(message_findings(msg)->n_candidates, 0);
}
END_TEST

/* Where a wish may stand: in what the sender wrote to us, as plain text. */
static const struct {
	const char	*name, *mail;
	size_t		 n;
} wishes[] = {
	{ "no MIME", "Subject: REVOKE 1\r\n\r\nREVOKE 2a\r\n", 1 },
	{ "what a signature covers", "Content-Type: text/plain\r\n\r\n"
	  "REVOKE 2a\r\n", 1 },
	{ "quoted-printable", "Content-Type: text/plain\r\n"
	  "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
	  "REVOKE =32a=\r\n superseded\r\n", 1 },
	{ "base64", "Content-Type: text/plain\r\n"
	  "Content-Transfer-Encoding: base64\r\n\r\nUkVWT0tFIDJhDQo=\r\n",
	  1 },
	{ "UTF-16", "Content-Type: text/plain; charset=utf-16le\r\n"
	  "Content-Transfer-Encoding: base64\r\n\r\n"
	  "UgBFAFYATwBLAEUAIAAyAGEACgA=\r\n", 1 },
	{ "flowed", "Content-Type: text/plain; format=flowed\r\n\r\n"
	  "REVOKE 2a \r\nsuperseded\r\n", 1 },
	{ "beside HTML", "Content-Type: multipart/alternative; boundary=b\r\n"
	  "\r\n--b\r\nContent-Type: text/plain\r\n\r\nREVOKE 2a\r\n--b\r\n"
	  "Content-Type: text/html\r\n\r\n<p>REVOKE 2b</p>\r\n--b--\r\n", 1 },
	{ "two parts", "Content-Type: multipart/mixed; boundary=b\r\n"
	  "\r\n--b\r\n\r\nREVOKE 2a\r\n--b\r\n\r\nREVOKE 2b\r\n--b--\r\n",
	  2 },
	{ "HTML alone", "Content-Type: text/html\r\n\r\nREVOKE 2a\r\n", 0 },
	{ "attached", "Content-Type: text/plain; name=\"a.txt\"\r\n\r\n"
	  "REVOKE 2a\r\n", 0 },
	{ "another type", "Content-Type: text/x-log\r\n\r\nREVOKE 2a\r\n",
	  0 },
	{ "a mail in the mail", "Content-Type: message/rfc822\r\n\r\n"
	  "Subject: x\r\n\r\nREVOKE 2a\r\n", 0 },
	{ "before the first part", "Content-Type: multipart/mixed; "
	  "boundary=b\r\n\r\nREVOKE 2a\r\n--b\r\n\r\nx\r\n--b--\r\n"
	  "REVOKE 2b\r\n", 0 },
	{ "with a private key", "Subject: x\r\n\r\nREVOKE 2a\r\n"
	  "-----BEGIN PRIVATE KEY-----\r\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49"
	  "AwEHBG0wawIBAQQg\r\n"
	  "-----END PRIVATE KEY-----\r\n", 0 },
};

START_TEST(a_wish_is_read_where_it_may_stand)
{
	OWNED_STRUCT(message) *msg = NULL;
	struct err err = { 0 };

	ck_assert_int_eq(message_examine(bytes_of(wishes[_i].mail), &limits,
	    &msg, &err), 0);
	ck_assert_msg(message_findings(msg)->n_wishes == wishes[_i].n,
	    "%s: %zu", wishes[_i].name, message_findings(msg)->n_wishes);
	for (size_t i = 0; i < wishes[_i].n; i++)
		ck_assert_uint_eq(message_findings(msg)->wishes[i].serial
		    .octets[0], 0x2a + i);
}
END_TEST

#define MP	"Content-Type: multipart/mixed; boundary=b\r\n\r\n"

/* What mail programs really send is not taken for a trick. */
static const struct {
	const char	*name;
	const char	*mail;
} ordinary[] = {
	{ "an empty text part",
	    MP "--b\r\nContent-Type: text/plain\r\n\r\n\r\n--b\r\n"
	    "Content-Type: text/plain\r\n\r\nx\r\n--b--\r\n" },
	{ "an empty part without its own line",
	    MP "--b\r\nContent-Type: text/plain\r\n\r\n--b\r\n"
	    "Content-Type: text/plain\r\n\r\nx\r\n--b--\r\n" },
	{ "a part without header",
	    MP "--b\r\n\r\nx\r\n--b--\r\n" },
	{ "no line end after the last boundary",
	    MP "--b\r\n\r\nx\r\n--b--" },
	{ "a preamble and blank lines",
	    MP "This is MIME.\r\n\r\n--b\r\n\r\nx\r\n\r\n--b--\r\n\r\n" },
	{ "nested",
	    MP "--b\r\nContent-Type: multipart/alternative;\r\n"
	    "\tboundary=\"c d\"\r\n\r\n--c d\r\n\r\nx\r\n--c d--\r\n"
	    "\r\n--b\r\n\r\ny\r\n--b--\r\n" },
	{ "an empty message", "Subject: x\r\n\r\n" },
	{ "no body at all", "Subject: x\r\n" },
	{ "a forwarded mail without body",
	    MP "--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: x\r\n"
	    "\r\n--b--\r\n" },
	{ "UTF-8 in a header", "Subject: gr\xc3\xbc\xc3\x9f" "e\r\n\r\nx" },
	{ "an attachment's name unquoted",
	    MP "--b\r\nContent-Type: text/plain; name=a b.csr\r\n\r\nx\r\n"
	    "--b--\r\n" },
	{ "LF alone", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx"
	    "\n--b\n\ny\n--b--\n" },
};

START_TEST(an_ordinary_mail_is_read)
{
	OWNED_STRUCT(message) *msg = NULL;
	struct err err = { 0 };

	ck_assert_int_eq(message_examine(bytes_of(ordinary[_i].mail), &limits,
	    &msg, &err), 0);
	ck_assert_msg(message_findings(msg)->status == FINDINGS_OK, "%s: %s",
	    ordinary[_i].name, message_findings(msg)->text);
}
END_TEST

/* Every prefix, and every octet replaced: nothing may fall over. */
START_TEST(a_damaged_mail_does_no_harm)
{
	static const char *const names[] = { "attached-der", "forwarded",
		"alternative-same", "quoted-printable", "key-preamble" };
	OWNED_BUF(octets, 1u << 20);
	struct err err = { 0 };
	char file[80];

	snprintf(file, sizeof(file), "%s.eml", names[_i]);
	read_file(file, &octets);
	for (size_t i = 0; i < octets.len; i += 7) {
		OWNED_STRUCT(message) *cut = NULL;
		OWNED_STRUCT(message) *changed = NULL;
		uint8_t was = octets.data[i];

		ck_assert_int_eq(message_examine(bytes_slice(
		    buf_bytes(&octets), 0, i), &limits, &cut, &err), 0);
		octets.data[i] = (uint8_t)"\0\r\n\"(;-=\xff"[i % 9];
		ck_assert_int_eq(message_examine(buf_bytes(&octets), &limits,
		    &changed, &err), 0);
		octets.data[i] = was;
	}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("message");
	TCase *tc = tcase_create("all");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, a_request_is_found_where_it_may_stand, 0,
	    ROWS(found));
	tcase_add_loop_test(tc, what_can_be_read_in_two_ways_is_refused, 0,
	    ROWS(refused));
	tcase_add_test(tc, a_mailed_private_key_is_named_by_its_public_half);
	tcase_add_test(tc, parts_are_named_for_people);
	tcase_add_loop_test(tc, a_parts_name_is_decoded, 0, ROWS(named));
	tcase_add_loop_test(tc, what_to_do_is_said_by_what_was_found, 0,
	    ROWS(hints));
	tcase_add_test(tc, each_hint_has_its_row);
	tcase_add_test(tc, each_hint_has_words);
	tcase_add_test(tc, a_file_may_hold_several_requests);
	tcase_add_test(tc, more_requests_than_we_take_are_refused);
	tcase_add_loop_test(tc, an_ordinary_mail_is_read, 0, ROWS(ordinary));
	tcase_add_loop_test(tc, a_damaged_mail_does_no_harm, 0, 5);
	tcase_add_loop_test(tc, a_wish_is_read_where_it_may_stand, 0,
	    ROWS(wishes));
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
