#include "csrmaild/header.h"

#include "csrmaild/wire.h"

#include "common/err.h"
#include "tests/support/fixtures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ID	"mx.example.test"
#define USER	"user@example.test"

static const struct header_rules rules = {
	.own_address = "ca@example.test",
	.authres = { .authserv_id = ID, .trusted_received = 1 },
};

static struct envelope
scan(const char *text)
{
	struct envelope envelope;

	header_scan(bytes_of(text), &rules, &envelope);
	return envelope;
}

/* --- From ------------------------------------------------------------------ */
#define L64	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define P32	"(((((((((((((((((((((((((((((((("
#define Q32	"))))))))))))))))))))))))))))))))"
static const struct {
	const char	*name;
	const char	*header;
	const char	*want;
} froms[] = {
	{ "bare", "From: user@example.test\r\n", USER },
	{ "bare line feeds", "From: user@example.test\n", USER },
	{ "no line end at all", "From: user@example.test", USER },
	{ "angle", "From: <user@example.test>\r\n", USER },
	{ "name", "From: A User <user@example.test>\r\n", USER },
	{ "quoted name", "From: \"User, A.\" <user@example.test>\r\n", USER },
	{ "quoted address as a name",
	  "From: \"boss@example.test\" <user@example.test>\r\n", USER },
	{ "escaped quote in the name",
	  "From: \"a\\\" <boss@example.test>\" <user@example.test>\r\n", USER },
	{ "dot in the name", "From: A. User <user@example.test>\r\n", USER },
	{ "encoded word as a name",
	  "From: =?utf-8?Q?J=C3=B6rg?= <user@example.test>\r\n", USER },
	{ "encoded address as a name",
	  "From: =?utf-8?Q?boss=40example.test?= <user@example.test>\r\n",
	  USER },
	{ "UTF-8 in the name", "From: J\xc3\xb6rg <user@example.test>\r\n",
	  USER },
	{ "comment behind", "From: user@example.test (A User)\r\n", USER },
	{ "comment in front", "From: (x) user@example.test\r\n", USER },
	{ "address in a comment",
	  "From: user@example.test (boss@example.test)\r\n", USER },
	{ "comma in a comment",
	  "From: user@example.test (, boss@example.test)\r\n", USER },
	{ "nested comments", "From: (a(b)c) <user@example.test>\r\n", USER },
	{ "comments 32 deep", "From: " P32 "x" Q32 " <user@example.test>\r\n",
	  USER },
	{ "comments 33 deep",
	  "From: (" P32 "x" Q32 ") <user@example.test>\r\n", "" },
	{ "escaped parenthesis",
	  "From: (a\\)b) <user@example.test>\r\n", USER },
	{ "folded", "From: A\r\n User\r\n\t<user@example.test>\r\n", USER },
	{ "field name in capitals", "FROM:user@example.test\r\n", USER },
	{ "white space before the colon", "From : user@example.test\r\n",
	  USER },
	{ "domain in capitals", "From: user@EXAMPLE.Test\r\n", USER },
	{ "local part keeps its case", "From: User@example.test\r\n",
	  "User@example.test" },
	{ "subaddress is another identity", "From: user+x@example.test\r\n",
	  "user+x@example.test" },
	{ "local part of 64", "From: " L64 "@a.test\r\n", L64 "@a.test" },

	{ "local part of 65", "From: x" L64 "@a.test\r\n", "" },
	{ "label of 64", "From: a@" L64 ".test\r\n", "" },
	{ "none", "To: user@example.test\r\n", "" },
	{ "empty", "From:\r\n", "" },
	{ "two fields", "From: user@example.test\r\nFrom: b@example.test\r\n",
	  "" },
	{ "the same twice",
	  "From: user@example.test\r\nFROM : user@example.test\r\n", "" },
	{ "an unreadable second",
	  "From: user@example.test\r\nFrom: ,\r\n", "" },
	{ "two mailboxes", "From: user@example.test, b@example.test\r\n", "" },
	{ "two in angles", "From: <user@example.test> <b@example.test>\r\n",
	  "" },
	{ "nested angles", "From: <<user@example.test>>\r\n", "" },
	{ "trailing comma", "From: user@example.test,\r\n", "" },
	{ "leading comma", "From: ,user@example.test\r\n", "" },
	{ "group", "From: staff: user@example.test;\r\n", "" },
	{ "empty group", "From: staff:;\r\n", "" },
	{ "route", "From: <@a.test:user@example.test>\r\n", "" },
	{ "unquoted at in the name",
	  "From: boss@example.test <user@example.test>\r\n", "" },
	{ "text behind the angle", "From: <user@example.test> x\r\n", "" },
	{ "encoded address",
	  "From: =?utf-8?Q?user=40example.test?=\r\n", "" },
	{ "address in a comment only", "From: (user@example.test)\r\n", "" },
	{ "address in a quoted string only", "From: \"user@example.test\"\r\n",
	  "" },
	{ "comment in the address", "From: user(x)@example.test\r\n", "" },
	{ "comment in the domain", "From: user@example(x).test\r\n", "" },
	{ "comment in the angle", "From: <user@example.test(x)>\r\n", "" },
	{ "space in the angle", "From: <user@example.test >\r\n", "" },
	{ "fold in the address", "From: user@\r\n example.test\r\n", "" },
	{ "open comment", "From: (x user@example.test\r\n", "" },
	{ "open comment behind", "From: user@example.test (x\r\n", "" },
	{ "open quote", "From: \"x <user@example.test>\r\n", "" },
	{ "open angle", "From: <user@example.test\r\n", "" },
	{ "quoted local part", "From: \"user\"@example.test\r\n", "" },
	{ "address literal", "From: user@[127.0.0.1]\r\n", "" },
	{ "no domain", "From: user\r\n", "" },
	{ "no domain behind the at", "From: user@\r\n", "" },
	{ "no local part", "From: @example.test\r\n", "" },
	{ "two ats", "From: user@a@example.test\r\n", "" },
	{ "dots in a row", "From: us..er@example.test\r\n", "" },
	{ "dot in front", "From: .user@example.test\r\n", "" },
	{ "dot behind", "From: user.@example.test\r\n", "" },
	{ "empty label", "From: user@example..test\r\n", "" },
	{ "final dot", "From: user@example.test.\r\n", "" },
	{ "hyphen in front of a label", "From: user@-example.test\r\n", "" },
	{ "hyphen behind a label", "From: user@example-.test\r\n", "" },
	{ "underscore in the domain", "From: user@exa_mple.test\r\n", "" },
	{ "UTF-8 in the domain", "From: user@ex\xc3\xa4mple.test\r\n", "" },
	{ "UTF-8 in the local part", "From: us\xc3\xa9r@example.test\r\n", "" },
	{ "CR alone", "From: user@example.test\rFrom: b@a.test\r\n", "" },
	{ "continuation of white space only",
	  "From: user@example.test\r\n \r\n\t\r\n", "" },
	{ "a line that is no field",
	  "From: user@example.test\r\nno field\r\nX: y\r\n", "" },
	{ "continuation of nothing", " x\r\nFrom: user@example.test\r\n", "" },
	{ "below the empty line", "X: y\r\n\r\nFrom: user@example.test\r\n",
	  "" },
	{ "Sender is not From", "Sender: user@example.test\r\n", "" },
	{ "Resent-From is not From", "Resent-From: user@example.test\r\n",
	  "" },
	{ "Reply-To does not redirect",
	  "Reply-To: b@a.test\r\nFrom: user@example.test\r\n", USER },
};

START_TEST(from_is_exactly_one_mailbox_or_nobody)
{
	struct envelope envelope = scan(froms[_i].header);

	ck_assert_msg(strcmp(envelope.from, froms[_i].want) == 0,
	    "%s: \"%s\"", froms[_i].name, envelope.from);
}
END_TEST

START_TEST(a_nul_yields_nobody)
{
	static const char text[] = "From: user@example.test\0 (x)\r\n";
	struct envelope envelope;

	header_scan((struct bytes){ (const uint8_t *)text, sizeof(text) - 1 },
	    &rules, &envelope);
	ck_assert_str_eq(envelope.from, "");
}
END_TEST

/* --- Authentication-Results -------------------------------------------------- */
#define AR	"Authentication-Results: "
#define FROM	"From: user@example.test\r\n"
#define AUTH	"auth=pass smtp.auth=user@example.test"
#define DKIM	"dkim=pass header.d=example.test"

static const struct {
	const char	*name;
	const char	*header;
	uint8_t		 want;
} results[] = {
	{ "auth", AR ID "; " AUTH "\r\n" FROM, EVIDENCE_AUTH },
	{ "dkim", AR ID "; " DKIM "\r\n" FROM, EVIDENCE_DKIM },
	{ "both", AR ID "; " AUTH "; " DKIM "\r\n" FROM,
	  EVIDENCE_AUTH | EVIDENCE_DKIM },
	{ "a final semicolon", AR ID "; " AUTH ";\r\n" FROM, EVIDENCE_AUTH },
	{ "as OpenDKIM writes it",
	  AR ID ";\r\n\tdkim=pass (2048-bit key; unprotected)"
	  " header.d=example.test header.i=@example.test header.a=rsa-sha256"
	  " header.s=s1 header.b=\"Ab/c=\";\r\n\tdkim-atps=neutral\r\n" FROM,
	  EVIDENCE_DKIM },
	{ "with a version", AR ID " 1; " AUTH "\r\n" FROM, EVIDENCE_AUTH },
	{ "method with a version",
	  AR ID "; auth/1=pass smtp.auth=" USER "\r\n" FROM, EVIDENCE_AUTH },
	{ "methods in capitals",
	  AR ID "; AUTH=Pass SMTP.Auth=" USER "\r\n" FROM, EVIDENCE_AUTH },
	{ "folded and commented",
	  AR "(x) " ID "\r\n ; (y) auth = (z) pass\r\n\tsmtp.auth= " USER
	  " (w)\r\n" FROM, EVIDENCE_AUTH },
	{ "a quoted value", AR ID "; auth=pass smtp.auth=\"" USER "\"\r\n"
	  FROM, EVIDENCE_AUTH },
	{ "a quoted authserv-id", AR "\"" ID "\"; " AUTH "\r\n" FROM,
	  EVIDENCE_AUTH },
	{ "other results beside it", AR ID "; spf=fail smtp.mailfrom=a@b.c; "
	  "arc=none; iprev=pass policy.iprev=192.0.2.1; " AUTH "\r\n" FROM,
	  EVIDENCE_AUTH },
	{ "smtp.auth with its domain in capitals",
	  AR ID "; auth=pass smtp.auth=user@EXAMPLE.TEST\r\n" FROM,
	  EVIDENCE_AUTH },
	{ "below our own Received",
	  "Received: by " ID "\r\n" AR ID "; " AUTH "\r\n" FROM,
	  EVIDENCE_AUTH },
	{ "below another server's field",
	  AR "other.test; " AUTH "\r\n" AR ID "; " DKIM "\r\n" FROM,
	  EVIDENCE_DKIM },
	{ "below fields of final delivery",
	  "Return-Path: <x@y.test>\r\nDelivered-To: a@b.test\r\n"
	  AR ID "; " AUTH "\r\n" FROM, EVIDENCE_AUTH },
	{ "From above it", FROM AR ID "; " AUTH "\r\n", EVIDENCE_AUTH },
	{ "another domain's signature fails beside ours",
	  AR ID "; dkim=fail header.d=list.test; " DKIM "\r\n" FROM,
	  EVIDENCE_DKIM },

	{ "none", FROM, 0 },
	{ "no results", AR ID "; none\r\n" FROM, 0 },
	{ "no results at all", AR ID "\r\n" FROM, 0 },
	{ "another server's", AR "other.test; " AUTH "\r\n" FROM, 0 },
	{ "a longer authserv-id", AR ID ".evil.test; " AUTH "\r\n" FROM, 0 },
	{ "an authserv-id with a prefix", AR "evil-" ID "; " AUTH "\r\n" FROM,
	  0 },
	{ "a shorter authserv-id", AR "example.test; " AUTH "\r\n" FROM, 0 },
	{ "another spelling of it", AR "MX.example.test; " AUTH "\r\n" FROM,
	  0 },
	{ "another spelling above it",
	  AR "MX.example.test; none\r\n" AR ID "; " AUTH "\r\n" FROM, 0 },
	{ "another version", AR ID " 2; " AUTH "\r\n" FROM, 0 },
	{ "another version of the method",
	  AR ID "; auth/2=pass smtp.auth=" USER "\r\n" FROM, 0 },
	{ "a lower copy",
	  AR ID "; auth=fail\r\n" AR ID "; " AUTH "\r\n" FROM, 0 },
	{ "a lower copy below an empty one",
	  AR ID "; none\r\n" AR ID "; " DKIM "\r\n" FROM, 0 },
	{ "below one Received too many",
	  "Received: by " ID "\r\nReceived: from evil\r\n" AR ID "; " AUTH
	  "\r\n" FROM, 0 },
	{ "in the body", FROM "\r\n" AR ID "; " AUTH "\r\n", 0 },
	{ "in a comment", AR ID "; auth=fail (" AUTH ")\r\n" FROM, 0 },
	{ "in a comment with its own semicolon",
	  AR ID "; auth=fail (; " AUTH ")\r\n" FROM, 0 },
	{ "in a nested comment", AR ID "; spf=none (a (b) ; " DKIM ")\r\n"
	  FROM, 0 },
	{ "in a quoted string",
	  AR ID "; spf=none reason=\"; " DKIM " \"\r\n" FROM, 0 },
	{ "in a quoted string with an escape",
	  AR ID "; spf=none reason=\"\\\"; " DKIM " \"\r\n" FROM, 0 },
	{ "the authserv-id in a comment", AR "(" ID ") other.test; " AUTH
	  "\r\n" FROM, 0 },
	{ "the whole field in a comment", AR "(" ID "; " AUTH ")\r\n" FROM,
	  0 },
	{ "an open comment", AR ID "; " AUTH " (\r\n" FROM, 0 },
	{ "an open quote", AR ID "; " AUTH "; spf=none reason=\"\r\n" FROM,
	  0 },
	{ "a broken result behind", AR ID "; " AUTH "; =\r\n" FROM, 0 },
	{ "auth without smtp.auth", AR ID "; auth=pass\r\n" FROM, 0 },
	{ "auth of somebody else",
	  AR ID "; auth=pass smtp.auth=evil@example.test\r\n" FROM, 0 },
	{ "auth of a longer name",
	  AR ID "; auth=pass smtp.auth=xuser@example.test\r\n" FROM, 0 },
	{ "auth of a user name alone", AR ID "; auth=pass smtp.auth=user\r\n"
	  FROM, 0 },
	{ "local part in another case",
	  AR ID "; auth=pass smtp.auth=User@example.test\r\n" FROM, 0 },
	{ "smtp.mailfrom is not smtp.auth",
	  AR ID "; auth=pass smtp.mailfrom=" USER "\r\n" FROM, 0 },
	{ "smtp.auth twice", AR ID "; auth=pass smtp.auth=evil@a.test"
	  " smtp.auth=" USER "\r\n" FROM, 0 },
	{ "auth says two things", AR ID "; " AUTH "; auth=fail\r\n" FROM, 0 },
	{ "smtp.auth under another method",
	  AR ID "; auth=fail; spf=pass smtp.auth=" USER "\r\n" FROM, 0 },
	{ "a result that begins with pass",
	  AR ID "; auth=passed smtp.auth=" USER "\r\n" FROM, 0 },
	{ "a method that ends in auth",
	  AR ID "; xauth=pass smtp.auth=" USER "\r\n" FROM, 0 },
	{ "dkim without header.d", AR ID "; dkim=pass\r\n" FROM, 0 },
	{ "dkim of another domain", AR ID "; dkim=pass header.d=evil.test\r\n"
	  FROM, 0 },
	{ "dkim of a domain that ends alike",
	  AR ID "; dkim=pass header.d=ample.test\r\n" FROM, 0 },
	{ "dkim of a domain below", AR ID "; dkim=pass"
	  " header.d=mail.example.test\r\n" FROM, 0 },
	{ "dkim of the top", AR ID "; dkim=pass header.d=test\r\n" FROM, 0 },
	{ "dkim of nothing and a dot", AR ID "; dkim=pass header.d=.test\r\n"
	  FROM, 0 },
	{ "header.i is not header.d", AR ID "; dkim=pass"
	  " header.i=@example.test\r\n" FROM, 0 },
	{ "header.d twice", AR ID "; dkim=pass header.d=evil.test"
	  " header.d=example.test\r\n" FROM, 0 },
	{ "our domain's signature fails beside one that passes",
	  AR ID "; dkim=fail header.d=example.test; " DKIM "\r\n" FROM, 0 },
	{ "no From", AR ID "; " AUTH "\r\n", 0 },
	{ "two From fields", AR ID "; " AUTH "\r\n" FROM FROM, 0 },
	{ "two From mailboxes", AR ID "; " AUTH "\r\nFrom: " USER ", " USER
	  "\r\n", 0 },
};

START_TEST(only_our_servers_topmost_word_is_evidence)
{
	struct envelope envelope = scan(results[_i].header);

	ck_assert_msg(envelope.evidence == results[_i].want, "%s: %u",
	    results[_i].name, envelope.evidence);
}
END_TEST

START_TEST(a_signature_of_a_domain_above_is_aligned)
{
	struct envelope envelope = scan(AR ID "; " DKIM "\r\n"
	    "From: user@a.b.Example.test\r\n");

	ck_assert_uint_eq(envelope.evidence, EVIDENCE_DKIM);
	envelope = scan(AR ID "; " DKIM "\r\nFrom: user@xexample.test\r\n");
	ck_assert_uint_eq(envelope.evidence, 0);
}
END_TEST

START_TEST(without_an_authserv_id_there_is_no_evidence)
{
	struct header_rules none = rules;
	struct envelope envelope;

	none.authres.authserv_id = "";
	header_scan(bytes_of(AR "\"\"; " AUTH "\r\n" FROM), &none, &envelope);
	ck_assert_str_eq(envelope.from, USER);
	ck_assert_uint_eq(envelope.evidence, 0);
}
END_TEST

START_TEST(no_trusted_received_means_none_above)
{
	struct header_rules strict = rules;
	struct envelope envelope;

	strict.authres.trusted_received = 0;
	header_scan(bytes_of("Received: x\r\n" AR ID "; " AUTH "\r\n" FROM),
	    &strict, &envelope);
	ck_assert_uint_eq(envelope.evidence, 0);
	header_scan(bytes_of(AR ID "; " AUTH "\r\nReceived: x\r\n" FROM),
	    &strict, &envelope);
	ck_assert_uint_eq(envelope.evidence, EVIDENCE_AUTH);
}
END_TEST

/* --- automatic mail ------------------------------------------------------------ */
static const struct {
	const char	*name;
	const char	*header;
	bool		 want;
} automatics[] = {
	{ "a person", FROM "Return-Path: <user@example.test>\r\n", false },
	{ "Auto-Submitted: no", FROM "Auto-Submitted: no\r\n", false },
	{ "with a comment", FROM "Auto-Submitted: (x) No (y)\r\n", false },
	{ "X-Autoreply", FROM "X-Autoreply: yes\r\n", true },
	{ "X-Autorespond", FROM "x-autorespond: away\r\n", true },
	{ "auto_reply", FROM "Precedence: auto_reply\r\n", true },
	{ "auto-replied", FROM "Auto-Submitted: auto-replied\r\n", true },
	{ "auto-generated; x", FROM "Auto-Submitted: auto-generated; x=y\r\n",
	  true },
	{ "no, and then yes",
	  FROM "Auto-Submitted: no\r\nAuto-Submitted: auto-replied\r\n", true },
	{ "empty Auto-Submitted", FROM "Auto-Submitted:\r\n", true },
	{ "nonsense", FROM "Auto-Submitted: nobody\r\n", true },
	{ "null return path", "Return-Path: <>\r\n" FROM, true },
	{ "null return path, spaced", "Return-Path: < >\r\n" FROM, true },
	{ "a lower return path",
	  "Return-Path: <a@b.test>\r\nReturn-Path: <>\r\n" FROM, false },
	{ "a list", "List-Id: <x.example.test>\r\n" FROM, true },
	{ "bulk", "Precedence: bulk\r\n" FROM, true },
	{ "list", "Precedence: LIST\r\n" FROM, true },
	{ "junk", "Precedence: junk\r\n" FROM, true },
	{ "first-class", "Precedence: first-class\r\n" FROM, false },
	{ "a DSN", "Content-Type: multipart/report; report-type="
	  "delivery-status; boundary=x\r\n" FROM, true },
	{ "spelled oddly", "Content-Type: (x) Multipart / REPORT\r\n" FROM,
	  true },
	{ "multipart/mixed", "Content-Type: multipart/mixed; boundary=x\r\n"
	  FROM, false },
	{ "our own address", "From: CA@Example.Test\r\n", true },
	{ "an address like ours", "From: ca+x@example.test\r\n", false },
};

START_TEST(automatic_mail_is_told_from_a_persons)
{
	struct envelope envelope = scan(automatics[_i].header);

	ck_assert_msg((envelope.automatic[0] != '\0') == automatics[_i].want,
	    "%s: \"%s\"", automatics[_i].name, envelope.automatic);
}
END_TEST

START_TEST(more_than_100_received_are_a_loop)
{
	OWNED_BUF(text, 10000);

	buf_append_str(&text, FROM);
	for (int i = 0; i < 100; i++)
		buf_append_str(&text, "Received: by a\r\n");
	ck_assert_str_eq(scan(buf_str(&text)).automatic, "");
	buf_append_str(&text, "Received: by a\r\n");
	ck_assert_str_ne(scan(buf_str(&text)).automatic, "");
}
END_TEST

/* --- what a reply needs ----------------------------------------------------------- */
static const struct {
	const char	*name;
	const char	*header;
	const char	*message_id;
	const char	*references;
} threads[] = {
	{ "alone", "Message-ID: <a@b>\r\n", "a@b", "<a@b>" },
	{ "none", "X: y\r\n", "", "" },
	{ "References, then it",
	  "References: <1@x>\r\n <2@x>\r\nMessage-ID: <a@b>\r\n", "a@b",
	  "<1@x> <2@x> <a@b>" },
	{ "In-Reply-To stands in",
	  "In-Reply-To: <1@x>\r\nMessage-ID: <a@b>\r\n", "a@b", "<1@x> <a@b>" },
	{ "In-Reply-To of two does not",
	  "In-Reply-To: <1@x> <2@x>\r\nMessage-ID: <a@b>\r\n", "a@b", "<a@b>" },
	{ "References win over it",
	  "In-Reply-To: <9@x>\r\nReferences: <1@x>\r\nMessage-ID: <a@b>\r\n",
	  "a@b", "<1@x> <a@b>" },
	{ "junk between the ids",
	  "References: x <1@x>, \"y\" <nonsense> <2@x\r\n"
	  "Message-ID: <a@b>\r\n", "a@b", "<1@x> <a@b>" },
	{ "comment around it", "Message-ID: (x) <a@b> (y)\r\n", "a@b",
	  "<a@b>" },
	{ "two fields", "Message-ID: <a@b>\r\nMessage-ID: <c@d>\r\n", "", "" },
	{ "no brackets", "Message-ID: a@b\r\n", "", "" },
	{ "no at", "Message-ID: <ab>\r\n", "", "" },
	{ "nothing before the at", "Message-ID: <@b>\r\n", "", "" },
	{ "nothing behind the at", "Message-ID: <a@>\r\n", "", "" },
	{ "a space inside", "Message-ID: <a @b>\r\n", "", "" },
	{ "a fold inside", "Message-ID: <a\r\n @b>\r\n", "", "" },
	{ "text behind", "Message-ID: <a@b> x\r\n", "", "" },
	{ "CR alone", "Message-ID: <a@b>\rX: y\r\n", "", "" },
};

START_TEST(a_reply_threads_under_its_request)
{
	struct envelope envelope = scan(threads[_i].header);

	ck_assert_msg(strcmp(envelope.message_id, threads[_i].message_id) == 0,
	    "%s: \"%s\"", threads[_i].name, envelope.message_id);
	ck_assert_msg(strcmp(envelope.references, threads[_i].references) == 0,
	    "%s: \"%s\"", threads[_i].name, envelope.references);
}
END_TEST

START_TEST(long_references_keep_the_root_and_the_last)
{
	OWNED_BUF(text, 100000);
	struct envelope envelope;
	size_t len;

	buf_append_str(&text, "References: <root@x>");
	for (int i = 0; i < 3000; i++)
		buf_printf(&text, " <%d@x>", i);
	buf_append_str(&text, "\r\nMessage-ID: <a@b>\r\n");
	envelope = scan(buf_str(&text));
	len = strlen(envelope.references);
	ck_assert_int_eq(strncmp(envelope.references, "<root@x> <", 10), 0);
	ck_assert_str_eq(envelope.references + len - 15,
	    " <2999@x> <a@b>");
	ck_assert_uint_gt(len, 900);
}
END_TEST

START_TEST(a_message_id_has_its_ceiling)
{
	char text[400];
	size_t at = (size_t)sprintf(text, "Message-ID: <");

	memset(text + at, 'x', 248);
	strcpy(text + at + 248, "@b>\r\n");
	ck_assert_uint_eq(strlen(scan(text).message_id), 250);
	memset(text + at, 'x', 249);
	strcpy(text + at + 249, "@b>\r\n");
	ck_assert_str_eq(scan(text).message_id, "");
	ck_assert_str_eq(scan(text).references, "");
}
END_TEST

#define CODE	"00112233445566778899aabbccddeeff"

START_TEST(a_subject_is_unfolded_tamed_and_cut)
{
	OWNED_BUF(text, 1000);
	struct envelope envelope = scan("Subject: a\r\n b\tc\x1b[1m\r\n");

	ck_assert_str_eq(envelope.subject, "a b c [1m");
	/* What confirms is for nobody to read. */
	envelope = scan("Subject: Re: [csrmail:" CODE "]\r\n");
	ck_assert(envelope.has_token);
	ck_assert_str_eq(envelope.subject, "");
	buf_append_str(&text, "Subject: x");
	for (int i = 0; i < 150; i++)
		buf_append_str(&text, "\xc3\xb6");
	buf_append_str(&text, "\r\n");
	envelope = scan(buf_str(&text));
	ck_assert_uint_eq(strlen(envelope.subject), 199);
}
END_TEST

static const struct {
	const char	*text;
	int64_t		 want;
} dates[] = {
	{ "Thu, 01 Jan 2026 12:00:00 +0000",	NOON },
	{ "Thu, 1 Jan 2026 13:30:00 +0130",	NOON },
	{ "1 Jan 2026 07:00:00 -0500 (EST)",	NOON },
	{ "Thu, 01 Jan 2026 12:00 GMT",		NOON },
	{ "Thu, 01 jan 26 07:00:00 EST",	NOON },
	{ "Thu,\r\n 01 Jan 2026 12:00:00 +0000", NOON },
	{ "Thu, 01 Jan 2026 12:00:00",		0 },
	{ "Thu, 00 Jan 2026 12:00:00 +0000",	0 },
	{ "Thu, 01 Foo 2026 12:00:00 +0000",	0 },
	{ "Thu, 01 Anf 2026 12:00:00 +0000",	0 },
	{ "Thu, 01 Jan 2026 25:00:00 +0000",	0 },
	{ "2026-01-01T12:00:00Z",		0 },
	{ "",					0 },
};

START_TEST(a_date_is_read_or_absent)
{
	char text[200];

	snprintf(text, sizeof(text), "Date: %s\r\n", dates[_i].text);
	ck_assert_msg(scan(text).date == dates[_i].want, "%s: %lld",
	    dates[_i].text, (long long)scan(text).date);
}
END_TEST

/* --- the digest ---------------------------------------------------------------------- */
static bool
same_digest(const char *a, const char *b)
{
	uint8_t one[32], two[32];
	struct err err;

	ck_assert_int_eq(header_digest(bytes_of(a), one, &err), 0);
	ck_assert_int_eq(header_digest(bytes_of(b), two, &err), 0);
	return memcmp(one, two, sizeof(one)) == 0;
}

START_TEST(two_deliveries_of_a_message_have_one_digest)
{
	ck_assert(same_digest(FROM "\r\nbody",
	    "Return-Path: <x@y>\r\nReceived: a\r\n b\r\nDelivered-To: c\r\n"
	    AR ID ";\r\n\tnone\r\nDKIM-Signature: t=1\r\nARC-Seal: i=1\r\n"
	    FROM "\r\nbody"));
	ck_assert(!same_digest(FROM "\r\nbody", FROM "\r\nBody"));
	ck_assert(!same_digest(FROM "\r\nx", FROM "Subject: y\r\n\r\nx"));
	/* What looks like a trace field in the body is body. */
	ck_assert(!same_digest(FROM "\r\nReceived: a\r\n", FROM "\r\n"));
}
END_TEST

START_TEST(the_header_block_ends_with_its_empty_line)
{
	ck_assert_uint_eq(header_block_octets(bytes_of("A: b\r\n\r\nx")), 8);
	ck_assert_uint_eq(header_block_octets(bytes_of("A: b\n\nx")), 6);
	ck_assert_uint_eq(header_block_octets(bytes_of("A: b\r\n")), 6);
	ck_assert_uint_eq(header_block_octets(bytes_of("\r\nx")), 2);
	ck_assert_uint_eq(header_block_octets(bytes_of("")), 0);
}
END_TEST

/* --- hostile sizes ------------------------------------------------------------------- */
/* Each of these is a million octets and must be done in a blink; the test's
 * own time limit (four seconds) would catch anything quadratic. */
static const struct {
	const char	*name;
	const char	*head, *unit, *tail;
} heavy[] = {
	{ "parentheses", "From: ", "(", "x@y.test\r\n" },
	{ "closed parentheses", "From: ", "()", "x@y.test\r\n" },
	{ "quotes", "From: ", "\"\"", "<x@y.test>\r\n" },
	{ "commas", "From: x@y.test", ",", "\r\n" },
	{ "angles", "From: ", "<", "\r\n" },
	{ "backslashes", "From: \"", "\\\\", "\" <x@y.test>\r\n" },
	{ "fields", "", "X:y\r\n", "From: x@y.test\r\n" },
	{ "From fields", "", "From:x@y.test\r\n", "" },
	{ "no fields", "", "x\r\n", "" },
	{ "folds", "From: x", "\r\n x", "\r\n" },
	{ "results", FROM AR ID, ";a=b c.d=e", "\r\n" },
	{ "properties", FROM AR ID "; a=b", " c.d=e", "\r\n" },
	{ "comments in results", FROM AR ID "; a=b", "(", "\r\n" },
	{ "many results fields", FROM, AR "x; a=b\r\n", "" },
	{ "ids", "References: ", "<a@b>", "\r\n" },
	{ "open ids", "References: ", "<", "\r\n" },
	{ "open long ids", "References: ", "<aaaaaaaaaaaaaaaaaaaa", "\r\n" },
};

START_TEST(a_million_octets_of_anything_cost_little)
{
	OWNED_BUF(text, 1100000);
	struct envelope envelope;
	uint8_t digest[32];
	struct err err;

	buf_append_str(&text, heavy[_i].head);
	while (text.len < 1000000)
		buf_append_str(&text, heavy[_i].unit);
	buf_append_str(&text, heavy[_i].tail);
	header_scan(buf_bytes(&text), &rules, &envelope);
	ck_assert_int_eq(header_digest(buf_bytes(&text), digest, &err), 0);
}
END_TEST

START_TEST(every_cut_of_a_header_is_survived)
{
	static const char text[] = "Received: a\r\n" AR ID "; " AUTH
	    " (x\\)y) reason=\"a\\\"b\"; " DKIM "\r\nFrom: \"A \\\" B\" (c(d))"
	    " <user@example.test>\r\nMessage-ID: <a@b>\r\nReferences: <1@x>\r\n"
	    "Subject: \xc3\xb6\r\nDate: Thu, 01 Jan 2026 12:00:00 +0000\r\n\r\n";

	for (size_t n = 0; n < sizeof(text); n++) {
		char *copy = malloc(n + 1);	/* for the sanitizer's eyes */
		struct envelope envelope;

		memcpy(copy, text, n);
		header_scan((struct bytes){ (uint8_t *)copy, n }, &rules,
		    &envelope);
		header_block_octets((struct bytes){ (uint8_t *)copy, n });
		free(copy);
	}
}
END_TEST

/* --- what the sender wishes ---------------------------------------------------- */
static const struct {
	const char	*header;
	const char	*detail, *language;
} wishes[] = {
	{ "To: ca+Server@example.test\r\n", "server", "" },
	{ "To: The CA <CA+server@EXAMPLE.TEST>\r\n", "server", "" },
	{ "To: x@example.test, ca+web.1_a-b@example.test\r\n", "web.1_a-b", "" },
	{ "Cc: ca+server@example.test\r\n", "server", "" },
	/* What the server delivered by comes first. */
	{ "Delivered-To: ca+a@example.test\r\nTo: ca+b@example.test\r\n", "a",
	  "" },
	{ "To: ca@example.test\r\n", "", "" },
	{ "To: ca+@example.test\r\n", "", "" },
	{ "To: ca+server@example.test.evil.test\r\n", "", "" },
	{ "To: ca+server@example.tests\r\n", "", "" },
	{ "To: xca+server@example.test\r\n", "", "" },
	{ "To: x.ca+server@example.test\r\n", "", "" },
	{ "To: ca+ser ver@example.test\r\n", "", "" },
	{ "To: ca+" L64 "@example.test\r\n", "", "" },
	{ "Content-Language: de-AT, en\r\n", "", "de-at" },
	{ "Content-Language: (x) EN\r\n", "", "en" },
	{ "Content-Language: ../../x\r\n", "", "" },
	{ "Content-Language: " L64 "\r\n", "", "" },
	{ "Content-Language:\r\n", "", "" },
};

START_TEST(a_sender_may_wish_for_a_profile_and_a_language)
{
	struct envelope envelope = scan(wishes[_i].header);

	ck_assert_msg(strcmp(envelope.detail, wishes[_i].detail) == 0,
	    "%s: \"%s\"", wishes[_i].header, envelope.detail);
	ck_assert_msg(strcmp(envelope.language, wishes[_i].language) == 0,
	    "%s: \"%s\"", wishes[_i].header, envelope.language);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("header");
	TCase *tc = tcase_create("all");

	tcase_add_loop_test(tc, from_is_exactly_one_mailbox_or_nobody, 0,
	    ROWS(froms));
	tcase_add_test(tc, a_nul_yields_nobody);
	tcase_add_loop_test(tc, only_our_servers_topmost_word_is_evidence, 0,
	    ROWS(results));
	tcase_add_test(tc, a_signature_of_a_domain_above_is_aligned);
	tcase_add_test(tc, without_an_authserv_id_there_is_no_evidence);
	tcase_add_test(tc, no_trusted_received_means_none_above);
	tcase_add_loop_test(tc, automatic_mail_is_told_from_a_persons, 0,
	    ROWS(automatics));
	tcase_add_test(tc, more_than_100_received_are_a_loop);
	tcase_add_loop_test(tc, a_reply_threads_under_its_request, 0,
	    ROWS(threads));
	tcase_add_test(tc, long_references_keep_the_root_and_the_last);
	tcase_add_loop_test(tc,
	    a_sender_may_wish_for_a_profile_and_a_language, 0, ROWS(wishes));
	tcase_add_test(tc, a_message_id_has_its_ceiling);
	tcase_add_test(tc, a_subject_is_unfolded_tamed_and_cut);
	tcase_add_loop_test(tc, a_date_is_read_or_absent, 0, ROWS(dates));
	tcase_add_test(tc, two_deliveries_of_a_message_have_one_digest);
	tcase_add_test(tc, the_header_block_ends_with_its_empty_line);
	tcase_add_loop_test(tc, a_million_octets_of_anything_cost_little, 0,
	    ROWS(heavy));
	tcase_add_test(tc, every_cut_of_a_header_is_survived);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
