#include "csrmaild/reply.h"
#include "csrmaild/reply_text.h"
#include "common/err.h"
#include "common/owned.h"
#include "csrmaild/hint.h"
#include "tests/support/fixtures.h"

#include <openssl/pem.h>
#include <openssl/pkcs7.h>
#include <openssl/x509v3.h>

#include <stdio.h>
#include <string.h>

#define MAX_MAIL	(1u << 20)

static struct err err;

/* --- a small CA ---------------------------------------------------------- */

static X509 *root, *issuer, *leaf;
static EVP_PKEY *pkey;

static X509 *
make_cert(const char *cn, X509 *from, long number)
{
	X509 *cert = X509_new();
	X509_NAME *name = X509_NAME_new();

	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), number);
	ASN1_TIME_set(X509_getm_notBefore(cert), NOON);
	ASN1_TIME_set(X509_getm_notAfter(cert), NOON + 365 * DAY);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
	    (const unsigned char *)cn, -1, -1, 0);
	X509_set_subject_name(cert, name);
	X509_set_issuer_name(cert, from == NULL ? name :
	    X509_get_subject_name(from));
	X509_set_pubkey(cert, pkey);
	X509_NAME_free(name);
	ck_assert_int_gt(X509_sign(cert, pkey, EVP_sha256()), 0);
	return cert;
}

static void
set_up(void)
{
	pkey = EVP_EC_gen("P-256");
	ck_assert_ptr_nonnull(pkey);
	root = make_cert("Root", NULL, 1);
	issuer = make_cert("Users", root, 2);
	leaf = make_cert("user@example.test", issuer, 0x7f01);
}

static void
tear_down(void)
{
	X509_free(root);
	X509_free(issuer);
	X509_free(leaf);
	EVP_PKEY_free(pkey);
}

/* --- mails --------------------------------------------------------------- */

static struct reply_head
head(void)
{
	return (struct reply_head){ .from = "ca@example.test",
	    .to = "user@example.test", .message_id = "42.abc@example.test",
	    .in_reply_to = "1@mua.test", .references = "<0@mua.test>",
	    .subject = "Re: my request", .date = NOON };
}

static struct reply_item
issued(int64_t request)
{
	static X509 *chain[2];

	chain[0] = issuer;
	chain[1] = root;
	return (struct reply_item){ .fate = REPLY_ISSUED, .request = request,
	    .names_text = "CN=user@example.test, email:user@example.test",
	    .reason = "", .ignored = "keyUsage, 1.2.3.4", .cert = leaf,
	    .chain = chain, .n_chain = 2,
	    .ocsp_url = "http://ocsp.example.test/",
	    .crl_url = "http://crl.example.test/users.crl" };
}

static struct reply_item
refused(int64_t request, bool held, const char *reason)
{
	struct reply_item item = { .request = request,
	    .names_text = "CN=x", .reason = reason, .ignored = "",
	    .ocsp_url = "", .crl_url = "" };

	if (held)
		item.fate = REPLY_HELD;
	else
		item.fate = REPLY_REJECTED;
	return item;
}

/* What every mail of ours keeps, whatever went into it. */
static void
check_octets(const struct buf *mail)
{
	size_t column = 0;

	for (size_t i = 0; i < mail->len; i++) {
		uint8_t c = mail->data[i];

		ck_assert_msg(c == '\r' || c == '\n' || (c >= 0x20 &&
		    c < 0x7f), "octet %02x at %zu", c, i);
		if (c == '\r')
			ck_assert_int_eq(mail->data[i + 1], '\n');
		if (c == '\n')
			ck_assert(i > 0 && mail->data[i - 1] == '\r');
		column = c == '\n' ? 0 : column + 1;
		ck_assert_uint_le(column, 999);	/* RFC 5322, 2.1.1: with CR */
	}
	ck_assert(mail->len > 2 && mail->data[mail->len - 1] == '\n');
}

static void
compose(const struct reply_head *h, const struct reply_item *items, size_t n,
    struct buf *out)
{
	err.text[0] = '\0';
	ck_assert_msg(reply_compose(h, items, n, NULL, 0, out, &err) == 0, "%s",
	    err.text);
	check_octets(out);
}

static size_t
count(const char *hay, const char *needle)
{
	size_t n = 0;

	for (; (hay = strstr(hay, needle)) != NULL; hay++)
		n++;
	return n;
}

/* The n-th part of a multipart mail: its octets behind the empty line. */
static void
part(const struct buf *mail, size_t n, struct buf *fields, struct buf *body)
{
	const char *at = strstr(buf_str(mail), "boundary=\"");
	char delimiter[80];
	const char *end, *split;

	ck_assert_ptr_nonnull(at);
	snprintf(delimiter, sizeof(delimiter), "\r\n--%.*s",
	    (int)strcspn(at + 10, "\""), at + 10);
	for (size_t i = 0; i <= n; i++) {
		at = strstr(at, delimiter);
		ck_assert_ptr_nonnull(at);
		at += strlen(delimiter);
	}
	ck_assert(strncmp(at, "\r\n", 2) == 0);
	end = strstr(at, delimiter);
	ck_assert_ptr_nonnull(end);
	split = strstr(at, "\r\n\r\n");
	ck_assert(split != NULL && split < end);
	buf_clear(fields);
	buf_clear(body);
	buf_append(fields, at + 2, (size_t)(split - at));
	buf_append(body, split + 4, (size_t)(end - split - 4));
}

START_TEST(an_issued_certificate_comes_as_text_pem_and_chain)
{
	struct reply_head h = head();
	struct reply_item item = issued(12);
	OWNED_BUF(mail, MAX_MAIL);
	OWNED_BUF(fields, MAX_MAIL);
	OWNED_BUF(body, MAX_MAIL);
	OWNED_BUF(der, MAX_MAIL);

	compose(&h, &item, 1, &mail);
	part(&mail, 0, &fields, &body);
	ck_assert_ptr_nonnull(strstr(buf_str(&fields), "text/plain"));
	ck_assert_ptr_nonnull(strstr(buf_str(&body), "Request 12"));
	ck_assert_ptr_nonnull(strstr(buf_str(&body), "7f01\r\n"));
	ck_assert_ptr_nonnull(strstr(buf_str(&body),
	    "2026-01-01 12:00:00 UTC"));
	ck_assert_ptr_nonnull(strstr(buf_str(&body), "keyUsage, 1.2.3.4"));
	ck_assert_ptr_nonnull(strstr(buf_str(&body),
	    "-url http://ocsp.example.test/"));
	ck_assert_ptr_nonnull(strstr(buf_str(&body), "openssl verify"));
	ck_assert_ptr_null(strstr(buf_str(&body), "In place of"));

	part(&mail, 1, &fields, &body);
	ck_assert_ptr_nonnull(strstr(buf_str(&fields),
	    "application/x-pem-file; name=\"certificate.pem\""));
	OWNED(BIO) *in = BIO_new_mem_buf(body.data, (int)body.len);
	OWNED(X509) *back = PEM_read_bio_X509(in, NULL, NULL, NULL);
	ck_assert_ptr_nonnull(back);
	ck_assert_int_eq(X509_cmp(back, leaf), 0);

	part(&mail, 2, &fields, &body);
	ck_assert_ptr_nonnull(strstr(buf_str(&fields), "application/"
	    "pkcs7-mime; smime-type=certs-only;\r\n name=\"chain.p7c\""));
	ck_assert_int_eq(base64_decode(buf_bytes(&body), &der), 0);
	const uint8_t *at = der.data;
	PKCS7 *p7 = d2i_PKCS7(NULL, &at, (long)der.len);
	ck_assert_ptr_nonnull(p7);
	ck_assert_ptr_eq(at, der.data + der.len);
	ck_assert(PKCS7_type_is_signed(p7));
	ck_assert_int_eq(sk_PKCS7_SIGNER_INFO_num(p7->d.sign->signer_info) > 0,
	    0);
	ck_assert_int_eq(sk_X509_num(p7->d.sign->cert), 3);
	ck_assert_int_eq(X509_cmp(sk_X509_value(p7->d.sign->cert, 0), leaf),
	    0);
	ck_assert_int_eq(X509_cmp(sk_X509_value(p7->d.sign->cert, 1), issuer),
	    0);
	ck_assert_int_eq(X509_cmp(sk_X509_value(p7->d.sign->cert, 2), root),
	    0);
	PKCS7_free(p7);
}
END_TEST

START_TEST(a_renewal_says_what_it_renews)
{
	struct reply_head h = head();
	struct reply_item item = issued(12);
	OWNED_BUF(mail, MAX_MAIL);
	OWNED_BUF(fields, MAX_MAIL);
	OWNED_BUF(body, MAX_MAIL);

	item.renews = "7e99";
	compose(&h, &item, 1, &mail);
	part(&mail, 0, &fields, &body);
	ck_assert_ptr_nonnull(strstr(buf_str(&body), "In place of: 7e99,"));
}
END_TEST

START_TEST(the_fingerprint_is_the_certificates)
{
	struct reply_head h = head();
	struct reply_item item = issued(12);
	uint8_t digest[32];
	char line[64] = "    ";
	OWNED_BUF(mail, MAX_MAIL);

	compose(&h, &item, 1, &mail);
	X509_digest(leaf, EVP_sha256(), digest, NULL);
	for (int half = 0; half < 2; half++) {
		for (int i = 0; i < 16; i++)
			sprintf(line + 4 + 3 * i, "%02X:",
			    digest[16 * half + i]);
		if (half == 1)
			line[4 + 3 * 16 - 1] = '\0';
		ck_assert_ptr_nonnull(strstr(buf_str(&mail), line));
	}
}
END_TEST

START_TEST(the_header_threads_and_stops_robots)
{
	static const char want[] = "From: ca@example.test\r\n"
	    "To: user@example.test\r\n"
	    "Subject: Re: my request\r\n"
	    "Date: Thu, 1 Jan 2026 12:00:00 +0000\r\n"
	    "Message-ID: <42.abc@example.test>\r\n"
	    "In-Reply-To: <1@mua.test>\r\n"
	    "References: <0@mua.test>\r\n <1@mua.test>\r\n"
	    "Auto-Submitted: auto-replied\r\n"
	    "MIME-Version: 1.0\r\n"
	    "Content-Type: multipart/mixed;\r\n"
	    " boundary=\"=_";
	struct reply_head h = head();
	struct reply_item item = issued(12);
	OWNED_BUF(mail, MAX_MAIL);

	compose(&h, &item, 1, &mail);
	ck_assert(strncmp(buf_str(&mail), want, sizeof(want) - 1) == 0);
	h.in_reply_to = h.references = "";
	buf_clear(&mail);
	compose(&h, &item, 1, &mail);
	ck_assert_ptr_null(strstr(buf_str(&mail), "In-Reply-To"));
	ck_assert_ptr_null(strstr(buf_str(&mail), "References"));
	/* The parent is there already: once is enough. */
	h.in_reply_to = "0@mua.test";
	h.references = "<9@mua.test> <0@mua.test>";
	buf_clear(&mail);
	compose(&h, &item, 1, &mail);
	ck_assert_ptr_nonnull(strstr(buf_str(&mail), "References: "
	    "<9@mua.test>\r\n <0@mua.test>\r\nAuto"));
}
END_TEST

START_TEST(the_same_arguments_give_the_same_octets)
{
	struct reply_head h = head();
	struct reply_item item = issued(12);
	OWNED_BUF(one, MAX_MAIL);
	OWNED_BUF(two, MAX_MAIL);

	compose(&h, &item, 1, &one);
	compose(&h, &item, 1, &two);
	ck_assert(bytes_equal(buf_bytes(&one), buf_bytes(&two)));
	h.message_id = "43.abc@example.test";
	buf_clear(&two);
	compose(&h, &item, 1, &two);
	ck_assert_ptr_null(strstr(buf_str(&two), strstr(buf_str(&one),
	    "boundary=\"")));
}
END_TEST

static const struct {
	const char	*name;
	const char	*from, *to, *message_id, *in_reply_to, *references;
} injections[] = {
	{ "from with a line", "a@b\r\nBcc: x@y", "u@b", "1@b", "", "" },
	{ "from with a name", "CA <a@b>", "u@b", "1@b", "", "" },
	{ "to with a line", "a@b", "u@b\nBcc: x@y", "1@b", "", "" },
	{ "two recipients", "a@b", "u@b,v@b", "1@b", "", "" },
	{ "two at", "a@b", "u@b@c", "1@b", "", "" },
	{ "no mailbox", "a@b", "user", "1@b", "", "" },
	{ "nobody", "a@b", "", "1@b", "", "" },
	{ "a blank", "a@b", "u @b", "1@b", "", "" },
	{ "octets beyond ASCII", "a@b", "\xc3\xbc@b", "1@b", "", "" },
	{ "no id", "a@b", "u@b", "", "", "" },
	{ "id with a bracket", "a@b", "u@b", "1>@b", "", "" },
	{ "id with a line", "a@b", "u@b", "1\r\nX: y@b", "", "" },
	{ "parent with a line", "a@b", "u@b", "1@b", "2\r\nX: y@b", "" },
	{ "parent with a blank", "a@b", "u@b", "1@b", "2 @b", "" },
	{ "references with a line", "a@b", "u@b", "1@b", "", "<1@b>\r\nX: y" },
	{ "references unclosed", "a@b", "u@b", "1@b", "", "<1@b" },
	{ "references empty", "a@b", "u@b", "1@b", "", "<>" },
	{ "references bare", "a@b", "u@b", "1@b", "", "1@b>" },
};

START_TEST(no_line_is_smuggled_into_a_header)
{
	struct reply_head h = { .from = injections[_i].from,
	    .to = injections[_i].to, .message_id = injections[_i].message_id,
	    .in_reply_to = injections[_i].in_reply_to,
	    .references = injections[_i].references, .subject = "x",
	    .date = NOON };
	struct reply_item item = issued(12);
	OWNED_BUF(mail, MAX_MAIL);

	err.kind = 0;
	ck_assert_msg(reply_compose(&h, &item, 1, NULL, 0, &mail, &err) == -1, "%s",
	    injections[_i].name);
	ck_assert_int_eq(err.kind, ERR_FAULT);
	ck_assert_uint_eq(mail.len, 0);		/* untouched */
	ck_assert_int_eq(reply_compose_nothing(&h, "why", NULL, 0, 0, &mail,
	    &err), -1);
}
END_TEST

#define TEN	"0123456789"
#define FIFTY	TEN TEN TEN TEN TEN
static const struct {
	const char	*raw, *want;
} subjects[] = {
	{ "",				"Re: your certificate request" },
	{ "  ",				"Re: your certificate request" },
	{ "hello",			"Re: hello" },
	{ "RE: re: Re:hello",		"Re: hello" },
	{ "Request: mine",		"Re: Request: mine" },
	{ "a\r\nBcc: x@y",		"Re: a??Bcc: x@y" },
	{ "\xc3\xbc",			"Re: =?UTF-8?B?w7w=?=" },
	{ "\xff\x1b[2J",		"Re: ??[2J" },
	{ "\xe2\x80\xaegnp",		"Re: ?gnp" },
	{ "=?utf-8?Q?=C3=BC?= x",	"Re: =?utf-8?Q?=C3=BC?= x" },
	{ "=?utf-8?Q?=C3=BC",		"Re:" },
	{ "=?a?X?b?= x",		"Re: x" },
	{ "a=?utf-8?Q?b?= x",		"Re: x" },
	{ FIFTY " " FIFTY,		"Re: " FIFTY "\r\n " FIFTY },
	{ FIFTY FIFTY,			"Re:\r\n"
	  " =?UTF-8?B?MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4"
	  "OTAxMjM0?=\r\n"
	  " =?UTF-8?B?NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"
	  "NDU2Nzg5?=\r\n"
	  " =?UTF-8?B?MDEyMzQ1Njc4OQ==?=" },
};

START_TEST(a_subject_is_reflected_encoded)
{
	OWNED_BUF(out, 4096);

	text_subject(subjects[_i].raw, &out);
	ck_assert(!out.failed);
	ck_assert_str_eq(buf_str(&out), subjects[_i].want);
}
END_TEST

START_TEST(a_long_subject_is_cut_at_200_characters)
{
	char raw[2001];
	OWNED_BUF(out, 4096);

	for (size_t i = 0; i < sizeof(raw) - 1; i += 2)
		memcpy(raw + i, "x ", 2);
	raw[sizeof(raw) - 1] = '\0';
	text_subject(raw, &out);
	ck_assert_uint_eq(count(buf_str(&out), "x"), 100);
	ck_assert_uint_lt(out.len, 230);
}
END_TEST

static const struct {
	const char	*in, *want;
} reflections[] = {
	{ "plain, text",		"plain, text" },
	{ "a\nb\tc\r",			"a?b?c?" },
	{ "\x1b[31m\x7f",		"?[31m?" },
	{ "gr\xc3\xbc\xc3\x9f",		"gr\xc3\xbc\xc3\x9f" },
	{ "\xc2\x9b",			"?" },		/* CSI of C1 */
	{ "\xe2\x80\xae" "a",		"?a" },		/* right to left */
	{ "\xe2\x81\xa6" "a",		"?a" },
	{ "\xc0\x80",			"??" },		/* overlong NUL */
	{ "\xed\xa0\x80",		"???" },	/* a surrogate */
	{ "\xf4\x90\x80\x80",		"????" },	/* beyond Unicode */
	{ "\xe2\x82",			"??" },		/* cut short */
	{ "0123456789abcdefX",		"0123456789abcdef..." },
};

START_TEST(text_of_strangers_is_harmless)
{
	OWNED_BUF(out, 100);

	text_reflect(reflections[_i].in, 16, &out);
	ck_assert_str_eq(buf_str(&out), reflections[_i].want);
}
END_TEST

START_TEST(a_mail_stays_seven_bit_and_in_its_lines)
{
	char word[4000];
	struct reply_head h = head();
	struct reply_item item = refused(3, false, word);
	OWNED_BUF(mail, MAX_MAIL);

	/* One word without a blank. */
	memset(word, 'w', sizeof(word) - 1);
	word[sizeof(word) - 1] = '\0';
	item.names_text = word;
	compose(&h, &item, 1, &mail);
	/* The same outside ASCII, and with what looks like a boundary. */
	for (size_t i = 0; i + 1 < sizeof(word); i++)
		word[i] = i % 2 == 0 ? '\xc3' : '\xbc';
	word[sizeof(word) - 2] = '\0';
	item.reason = "\r\n--=_00\r\nContent-Type: text/html\r\n\r\n= =\r\n";
	buf_clear(&mail);
	compose(&h, &item, 1, &mail);
	ck_assert_ptr_nonnull(strstr(buf_str(&mail), "quoted-printable"));
	ck_assert_ptr_null(strstr(buf_str(&mail), "\r\n--=_00\r\n"));
	ck_assert_ptr_null(strstr(buf_str(&mail), "\r\nContent-Type: text/h"));
	ck_assert_uint_eq(count(buf_str(&mail), "\r\n--"), 2);
}
END_TEST

START_TEST(quoted_printable_is_undone_exactly)
{
	static const char text[] = "a=b \r\n\xc3\xbc " FIFTY FIFTY " \r\n";
	OWNED_BUF(out, 4096);
	OWNED_BUF(back, 4096);

	text_quoted_printable((struct bytes){ (const uint8_t *)text,
	    sizeof(text) - 1 }, &out);
	for (size_t i = 0, column = 0; i < out.len; i++) {
		unsigned int octet;

		column = out.data[i] == '\n' ? 0 : column + 1;
		ck_assert_uint_le(column, 77);	/* 76 and the CR */
		if (out.data[i] == ' ')
			ck_assert_int_ne(out.data[i + 1], '\r');
		if (out.data[i] != '=') {
			buf_append(&back, &out.data[i], 1);
		} else if (out.data[i + 1] == '\r') {
			i += 2;
			column = 0;
		} else {
			ck_assert_int_eq(sscanf((char *)&out.data[i + 1],
			    "%2X", &octet), 1);
			buf_append(&back, &(uint8_t){ (uint8_t)octet }, 1);
			i += 2;
			column += 2;
		}
	}
	ck_assert_str_eq(buf_str(&back), text);
}
END_TEST

START_TEST(held_and_rejected_are_told_apart)
{
	struct reply_head h = head();
	struct reply_item item = refused(3, true, "no rule for it");
	OWNED_BUF(mail, MAX_MAIL);

	compose(&h, &item, 1, &mail);
	ck_assert_ptr_nonnull(strstr(buf_str(&mail),
	    "Request 3: waits for a person."));
	ck_assert_ptr_nonnull(strstr(buf_str(&mail), "    no rule for it"));
	ck_assert_ptr_null(strstr(buf_str(&mail), "BEGIN CERTIFICATE"));
	ck_assert_ptr_null(strstr(buf_str(&mail), "How to install"));
	item = refused(4, false, "RSA of 1024 bits is too small");
	buf_clear(&mail);
	compose(&h, &item, 1, &mail);
	ck_assert_ptr_nonnull(strstr(buf_str(&mail),
	    "Request 4: was rejected."));
	ck_assert_ptr_nonnull(strstr(buf_str(&mail),
	    "    RSA of 1024 bits is too small"));
}
END_TEST

START_TEST(several_fates_share_one_mail)
{
	struct reply_head h = head();
	struct reply_item items[] = { issued(1), refused(2, true, "h"),
	    issued(3), refused(4, false, "r") };
	OWNED_BUF(mail, MAX_MAIL);
	OWNED_BUF(fields, MAX_MAIL);
	OWNED_BUF(body, MAX_MAIL);
	static const char *const names[] = { "certificate-1.pem",
	    "chain-1.p7c", "certificate-3.pem", "chain-3.p7c" };

	compose(&h, items, 4, &mail);
	part(&mail, 0, &fields, &body);
	for (int i = 1; i <= 4; i++) {
		char want[16];

		snprintf(want, sizeof(want), "Request %d:", i);
		ck_assert_ptr_nonnull(strstr(buf_str(&body), want));
	}
	for (size_t i = 0; i < 4; i++) {
		part(&mail, 1 + i, &fields, &body);
		ck_assert_ptr_nonnull(strstr(buf_str(&fields), names[i]));
	}
	ck_assert_int_eq(reply_compose(&h, items, 0, NULL, 0, &mail, &err), -1);
}
END_TEST

START_TEST(nothing_found_says_what_was_seen_and_how_to_ask)
{
	static const char *const parts[] = { "text/html, 312 octets",
	    "image/png \"\x1b]0;x\x07.png\"" };
	struct reply_head h = head();
	OWNED_BUF(mail, MAX_MAIL);

	ck_assert_int_eq(reply_compose_nothing(&h,
	    "there is no certificate signing request in it", parts, 2,
	    HINT_BIT(HINT_HTML) | HINT_BIT(HINT_MARKERS), &mail, &err), 0);
	check_octets(&mail);
	ck_assert_ptr_nonnull(strstr(buf_str(&mail),
	    "Auto-Submitted: auto-replied\r\n"));
	ck_assert_ptr_nonnull(strstr(buf_str(&mail), "no certificate signing "
	    "request"));
	ck_assert_ptr_nonnull(strstr(buf_str(&mail), "    text/html, 312"));
	ck_assert_ptr_nonnull(strstr(buf_str(&mail), "\"?]0;x?.png\""));
	ck_assert_ptr_nonnull(strstr(buf_str(&mail), "What to do:\r\n"
	    "    HTML is not read: "));
	ck_assert_ptr_nonnull(strstr(buf_str(&mail), "    The line -----BEGIN"));
	ck_assert_ptr_null(strstr(buf_str(&mail), "winmail.dat"));
	ck_assert_ptr_nonnull(strstr(buf_str(&mail), "openssl req -new"));
}
END_TEST

START_TEST(a_mail_beyond_its_ceiling_is_refused_whole)
{
	struct reply_head h = head();
	struct reply_item item = issued(1);
	OWNED_BUF(small, 3000);

	err.kind = 0;
	ck_assert_int_eq(reply_compose(&h, &item, 1, NULL, 0, &small, &err), -1);
	ck_assert_int_eq(err.kind, ERR_FAULT);
	ck_assert_uint_eq(small.len, 0);
	item.cert = NULL;
	ck_assert_int_eq(reply_compose(&h, &item, 1, NULL, 0, &small, &err), -1);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("reply");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, an_issued_certificate_comes_as_text_pem_and_chain);
	tcase_add_test(tc, a_renewal_says_what_it_renews);
	tcase_add_test(tc, the_fingerprint_is_the_certificates);
	tcase_add_test(tc, the_header_threads_and_stops_robots);
	tcase_add_test(tc, the_same_arguments_give_the_same_octets);
	tcase_add_loop_test(tc, no_line_is_smuggled_into_a_header, 0,
	    ROWS(injections));
	tcase_add_loop_test(tc, a_subject_is_reflected_encoded, 0,
	    ROWS(subjects));
	tcase_add_test(tc, a_long_subject_is_cut_at_200_characters);
	tcase_add_loop_test(tc, text_of_strangers_is_harmless, 0,
	    ROWS(reflections));
	tcase_add_test(tc, a_mail_stays_seven_bit_and_in_its_lines);
	tcase_add_test(tc, quoted_printable_is_undone_exactly);
	tcase_add_test(tc, held_and_rejected_are_told_apart);
	tcase_add_test(tc, several_fates_share_one_mail);
	tcase_add_test(tc, nothing_found_says_what_was_seen_and_how_to_ask);
	tcase_add_test(tc, a_mail_beyond_its_ceiling_is_refused_whole);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
