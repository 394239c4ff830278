#include "csrmaild/dkim_check.h"

#include "csrmaild/parser.h"
#include "csrmaild/wire.h"

#include "common/err.h"
#include "common/owned.h"
#include "tests/support/dkim_signer.h"
#include "tests/support/fixtures.h"

#include <stdio.h>
#include <string.h>

/* Mails signed in many ways, and what is said of them. */
#define FROM	"From: User <user@example.test>\r\n"
#define ID	"Message-ID: <1@example.test>\r\n"
#define TYPE	"Content-Type: text/plain\r\n"
#define SUBJECT	"Subject:  my\t request\r\n  please\r\n"
#define HEADER	FROM SUBJECT ID TYPE
#define BODY	"Hello  there \r\n\r\nbye\r\n\r\n\r\n"
#define ALL	"From:Subject:Message-ID:Content-Type"

static void
check_message(struct bytes mail, unsigned int nth, const char *record,
    struct dkim_result *out)
{
	OWNED_BUF(keys, WIRE_MAX_DKIM_KEYS);
	struct err err = { 0 };

	dkim_keys_put(&keys, nth, bytes_of(record));
	ck_assert_msg(dkim_check(mail, buf_bytes(&keys), NOON, out,
	    &err) == 0, "%s", err.text);
}

static const char *
rsa_record(const char *key, const char *tags)
{
	static char record[1200];

	snprintf(record, sizeof(record), "v=DKIM1; k=%s; %sp=%s",
	    strcmp(key, "ed25519") == 0 ? "ed25519" : "rsa", tags,
	    dkim_signer_public(key));
	return record;
}

/* want: what the text holds; "": the signature is good. */
static const struct {
	const char	*name;
	struct dkim_signer signer;
	const char	*header, *body;
	const char	*key_tags;
	const char	*want;
} mails[] = {
	{ "relaxed", { "rsa2048", "rsa-sha256", "", ALL, true }, HEADER, BODY,
	  "", "" },
	{ "simple", { "rsa2048", "rsa-sha256", "", ALL, false }, HEADER, BODY,
	  "", "" },
	{ "Ed25519", { "ed25519", "ed25519-sha256", "", ALL, true }, HEADER,
	  BODY, "", "" },
	{ "an empty body", { "rsa2048", "rsa-sha256", "", ALL, true }, HEADER,
	  "", "", "" },
	{ "names twice, against doubled fields", { "rsa2048", "rsa-sha256",
	  "", ALL ":From:Subject:Message-ID:Content-Type", true }, HEADER,
	  BODY, "", "" },
	{ "names that are not there", { "rsa2048", "rsa-sha256", "",
	  ALL ":Cc:Content-Transfer-Encoding", true }, HEADER, BODY, "", "" },
	{ "no Content-Type, and signed as none", { "rsa2048", "rsa-sha256",
	  "", ALL, true }, FROM SUBJECT ID, BODY, "", "" },
	{ "from a minute ago, until 2100", { "rsa2048", "rsa-sha256",
	  "t=1767268740; x=4102444800; ", ALL, true }, HEADER, BODY, "", "" },
	{ "i= below d=", { "rsa2048", "rsa-sha256", "i=@a.example.test; ",
	  ALL, true }, HEADER, BODY, "", "" },

	{ "rsa-sha1", { "rsa2048", "rsa-sha1", "", ALL, true }, HEADER, BODY,
	  "", "algorithm" },
	{ "1024 bits", { "rsa1024", "rsa-sha256", "", ALL, true }, HEADER,
	  BODY, "", "2048" },
	{ "l= of the whole body", { "rsa2048", "rsa-sha256", "l=20; ", ALL,
	  true }, HEADER, BODY, "", "l=" },
	{ "l=0", { "rsa2048", "rsa-sha256", "l=0; ", ALL, true }, HEADER,
	  BODY, "", "l=" },
	{ "expired", { "rsa2048", "rsa-sha256", "t=1; x=1767268799; ", ALL,
	  true }, HEADER, BODY, "", "expired" },
	{ "expires now", { "rsa2048", "rsa-sha256", "x=1767268800; ", ALL,
	  true }, HEADER, BODY, "", "expired" },
	{ "x= is no number", { "rsa2048", "rsa-sha256", "x=never; ", ALL,
	  true }, HEADER, BODY, "", "expired" },
	{ "x= that wraps", { "rsa2048", "rsa-sha256",
	  "x=18446744073709551999; ", ALL, true }, HEADER, BODY, "",
	  "expired" },
	{ "from tomorrow", { "rsa2048", "rsa-sha256", "t=1767355200; ", ALL,
	  true }, HEADER, BODY, "", "future" },
	{ "i= elsewhere", { "rsa2048", "rsa-sha256", "i=@evil.test; ", ALL,
	  true }, HEADER, BODY, "", "domain" },
	{ "From is not covered", { "rsa2048", "rsa-sha256", "",
	  "Subject:Message-ID:Content-Type", true }, HEADER, BODY, "",
	  "cover From" },
	{ "Message-ID is not covered", { "rsa2048", "rsa-sha256", "",
	  "From:Subject:Content-Type", true }, HEADER, BODY, "",
	  "cover Message-ID" },
	{ "there is no Message-ID", { "rsa2048", "rsa-sha256", "", ALL,
	  true }, FROM SUBJECT TYPE, BODY, "", "no Message-ID" },
	{ "Content-Type is not covered", { "rsa2048", "rsa-sha256", "",
	  "From:Subject:Message-ID", true }, HEADER, BODY, "",
	  "cover Content-Type" },
	{ "nor is that there is none", { "rsa2048", "rsa-sha256", "",
	  "From:Subject:Message-ID", true }, FROM SUBJECT ID, BODY, "",
	  "cover Content-Type" },
	{ "Subject is not covered", { "rsa2048", "rsa-sha256", "",
	  "From:Message-ID:Content-Type", true }, HEADER, BODY, "",
	  "cover Subject" },
	{ "an encoding is not covered", { "rsa2048", "rsa-sha256", "", ALL,
	  true }, HEADER "Content-Transfer-Encoding: base64\r\n", BODY, "",
	  "cover Content-Transfer-Encoding" },
	{ "a file name is not covered", { "rsa2048", "rsa-sha256", "", ALL,
	  true }, HEADER "Content-Disposition: attachment\r\n", BODY, "",
	  "cover Content-Disposition" },
	{ "a testing key", { "rsa2048", "rsa-sha256", "", ALL, true }, HEADER,
	  BODY, "t=y; ", "testing" },
	{ "a testing key among flags", { "rsa2048", "rsa-sha256", "", ALL,
	  true }, HEADER, BODY, "t=s:y; ", "testing" },
	{ "a key for SHA-1", { "rsa2048", "rsa-sha256", "", ALL, true },
	  HEADER, BODY, "h=sha1; ", "hash" },
	{ "a key for something else", { "rsa2048", "rsa-sha256", "", ALL,
	  true }, HEADER, BODY, "s=other; ", "mail" },
	{ "a key of its domain alone", { "rsa2048", "rsa-sha256",
	  "i=@a.example.test; ", ALL, true }, HEADER, BODY, "t=s; ",
	  "domain" },
	{ "another version of q=", { "rsa2048", "rsa-sha256", "q=none; ", ALL,
	  true }, HEADER, BODY, "", "" },
};

START_TEST(a_signature_is_as_good_as_what_it_says)
{
	OWNED_BUF(mail, 65536);
	struct dkim_result got;

	dkim_signer_sign(&mails[_i].signer, mails[_i].header, mails[_i].body,
	    &mail);
	check_message(buf_bytes(&mail), 0, rsa_record(mails[_i].signer.key,
	    mails[_i].key_tags), &got);
	ck_assert_msg(got.good == (mails[_i].want[0] == '\0') &&
	    strstr(got.text, mails[_i].want) != NULL, "%s: %d %s",
	    mails[_i].name, got.good, got.text);
}
END_TEST

static const struct dkim_signer plain = { "rsa2048", "rsa-sha256", "", ALL,
	true };

/* What may happen to a signed mail on its way. */
static const struct {
	const char	*name, *from, *to;
	bool		 good;
} changes[] = {
	{ "nothing",			"Hello",	"Hello",	true },
	{ "white space, relaxed",	"Hello  there", "Hello there",	true },
	{ "a field that it does not cover", FROM,	FROM "X-A: b\r\n", true },
	{ "a field on top",		"DKIM-S",	"X: y\r\nDKIM-S", true },
	{ "the body",			"Hello",	"Jello",	false },
	{ "more body",			"bye",		"bye\r\n-----BEGIN",
	  false },
	{ "From",			"user@",	"root@",	false },
	{ "Message-ID",			"<1@",		"<2@",		false },
	{ "the type",			"text/plain",	"text/html",	false },
	{ "a second From",		FROM,		FROM FROM,	false },
	{ "a second type",		TYPE,	TYPE "Content-Type: a/b\r\n",
	  false },
	{ "a second type above",	FROM,	"Content-Type: a/b\r\n" FROM,
	  false },
	{ "no type any more",		TYPE,		"",		false },
	{ "an encoding",		TYPE,
	  TYPE "Content-Transfer-Encoding: base64\r\n", false },
	{ "its own tags",		"; s=s1",	"; s=s2",	false },
	{ "its domain",			"d=example.test", "d=a.example.test",
	  false },
	{ "a tag of its own",		"; s=s1",	"; s=s1; l=1",	false },
	{ "a line that ends in LF",	SUBJECT,	"Subject:  my\t request"
	  "\n  please\r\n", false },
	{ "a line that is no field",	FROM,		FROM "junk\r\n", false },
};

START_TEST(what_is_changed_is_not_signed)
{
	OWNED_BUF(mail, 65536);
	OWNED_BUF(changed, 65536);
	struct bytes whole;
	struct dkim_result got;
	size_t at;

	dkim_signer_sign(&plain, HEADER, BODY, &mail);
	whole = buf_bytes(&mail);
	at = bytes_find(whole, bytes_of(changes[_i].from));
	ck_assert_uint_ne(at, (size_t)-1);
	buf_append_bytes(&changed, bytes_slice(whole, 0, at));
	buf_append_str(&changed, changes[_i].to);
	buf_append_bytes(&changed, bytes_slice(whole,
	    at + strlen(changes[_i].from), whole.len));
	check_message(buf_bytes(&changed), 0, rsa_record("rsa2048", ""), &got);
	ck_assert_msg(got.good == changes[_i].good, "%s: %s",
	    changes[_i].name, got.text);
}
END_TEST

/* Records that are no key, or another one. */
static const struct {
	const char	*record, *want;
} records[] = {
	{ "v=DKIM1; k=rsa; p=",			"revoked" },
	{ "v=DKIM1; k=rsa",			"" },
	{ "v=DKIM1; k=rsa; p=AAAA",		"" },
	{ "v=DKIM1; k=rsa; p=!!!!",		"" },
	{ "v=DKIM2; k=rsa; p=AAAA",		"version" },
	{ "v=DKIM1; k=dsa; p=AAAA",		"key type" },
	{ "v=DKIM1; k=ed25519; p=AAAA",		"" },
	{ "v=spf1 -all",			"" },
	{ "",					"" },
	{ ";;;;",				"" },
	{ "\x01",				"" },
};

START_TEST(what_is_no_key_verifies_nothing)
{
	OWNED_BUF(mail, 65536);
	struct dkim_result got;

	dkim_signer_sign(&plain, HEADER, BODY, &mail);
	check_message(buf_bytes(&mail), 0, records[_i].record, &got);
	ck_assert_msg(!got.good && got.text[0] != '\0' &&
	    strstr(got.text, records[_i].want) != NULL, "%s: %s",
	    records[_i].record, got.text);
}
END_TEST

START_TEST(a_record_of_another_key_does_not_fit)
{
	OWNED_BUF(mail, 65536);
	struct dkim_result got;

	dkim_signer_sign(&plain, HEADER, BODY, &mail);
	check_message(buf_bytes(&mail), 0, rsa_record("ed25519", ""), &got);
	ck_assert(!got.good);
	check_message(buf_bytes(&mail), 0, rsa_record("rsa1024", ""), &got);
	ck_assert(!got.good);
}
END_TEST

/* Only the named fields count, and one good one is enough. */
START_TEST(each_signature_stands_for_itself)
{
	static const char junk[] = "DKIM-Signature: v=1; a=rsa-sha256; "
	    "d=example.test; s=s0; h=From:Message-ID:Content-Type:Subject; "
	    "bh=AAAA; b=AAAA\r\n";
	OWNED_BUF(mail, 65536);
	OWNED_BUF(keys, WIRE_MAX_DKIM_KEYS);
	struct dkim_result got;
	struct err err = { 0 };

	buf_append_str(&mail, junk);
	dkim_signer_sign(&plain, HEADER, BODY, &mail);
	check_message(buf_bytes(&mail), 0, rsa_record("rsa2048", ""), &got);
	ck_assert(!got.good);
	check_message(buf_bytes(&mail), 1, rsa_record("rsa2048", ""), &got);
	ck_assert(got.good);
	check_message(buf_bytes(&mail), 2, rsa_record("rsa2048", ""), &got);
	ck_assert(!got.good);
	dkim_keys_put(&keys, 0, bytes_of("v=DKIM1; p="));
	dkim_keys_put(&keys, 1, bytes_of(rsa_record("rsa2048", "")));
	ck_assert_int_eq(dkim_check(buf_bytes(&mail), buf_bytes(&keys), NOON,
	    &got, &err), 0);
	ck_assert(got.good && got.nth == 1 && got.text[0] == '\0');
}
END_TEST

START_TEST(nothing_to_ask_is_nothing_good)
{
	struct dkim_result got;
	struct err err = { 0 };

	ck_assert_int_eq(dkim_check(bytes_of(HEADER "\r\n"), bytes_of(""),
	    NOON, &got, &err), 0);
	ck_assert(!got.good);
	check_message(bytes_of(""), 0, "v=DKIM1; p=AAAA", &got);
	ck_assert(!got.good);
	ck_assert_int_eq(dkim_check(bytes_of(HEADER "\r\n"), bytes_of("xyz"),
	    NOON, &got, &err), -1);
}
END_TEST

/* The mail of RFC 8463, A.3, both signatures, and the records of A.2; its RSA
 * key has 1024 bits. */
#define RFC_MAIL							\
"DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n"		\
" d=football.example.com; i=@football.example.com;\r\n"			\
" q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n"		\
" subject : date : message-id : from : subject : date;\r\n"		\
" bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"		\
" b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus\r\n"	\
" Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==\r\n"					\
"From: Joe SixPack <joe@football.example.com>\r\n"			\
"To: Suzie Q <suzie@shopping.example.net>\r\n"				\
"Subject: Is dinner ready?\r\n"						\
"Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n"			\
"Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n"	\
"\r\n"									\
"Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n"

START_TEST(the_mail_of_rfc_8463_lacks_only_its_type)
{
	struct dkim_result got;

	check_message(bytes_of(RFC_MAIL), 0, "v=DKIM1; k=ed25519; "
	    "p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", &got);
	ck_assert_str_eq(got.text, "it does not cover Content-Type");
}
END_TEST

/* In the child of the parser, behind its walls. */
START_TEST(the_child_that_verifies_needs_nothing)
{
	OWNED_BUF(mail, 65536);
	OWNED_BUF(keys, WIRE_MAX_DKIM_KEYS);
	OWNED_BUF(answer, WIRE_MAX_FINDINGS);
	OWNED_STRUCT(findings) *f = NULL;
	struct wire_examine m = { .id = 5, .kind = EXAMINE_DKIM };
	struct cursor c;
	struct err err = { 0 };

	dkim_signer_sign(&plain, HEADER, BODY, &mail);
	dkim_keys_put(&keys, 0, bytes_of(rsa_record("rsa2048", "")));
	m.octets = buf_bytes(&mail);
	m.dkim_keys = buf_bytes(&keys);
	ck_assert_int_eq(parser_examine(&m, &answer, &err), 0);
	c = CURSOR(buf_bytes(&answer));
	get_findings(&c, &f);
	ck_assert(cursor_end(&c));
	ck_assert_uint_eq(f->id, 5);
	ck_assert_int_eq(f->status, FINDINGS_OK);
	ck_assert_msg(f->is_dkim && f->dkim.good, "%s", f->dkim.text);
}
END_TEST

/* Once, before each test gets a process of its own. */
static void
make_keys(void)
{
	dkim_signer_public("rsa2048");
	dkim_signer_public("rsa1024");
	dkim_signer_public("ed25519");
}

int
main(void)
{
	Suite *s = suite_create("dkim_check");
	TCase *tc = tcase_create("dkim_check");

	tcase_set_timeout(tc, 60);
	tcase_add_unchecked_fixture(tc, make_keys, NULL);
	tcase_add_loop_test(tc, a_signature_is_as_good_as_what_it_says, 0,
	    ROWS(mails));
	tcase_add_loop_test(tc, what_is_changed_is_not_signed, 0,
	    ROWS(changes));
	tcase_add_loop_test(tc, what_is_no_key_verifies_nothing, 0,
	    ROWS(records));
	tcase_add_test(tc, a_record_of_another_key_does_not_fit);
	tcase_add_test(tc, each_signature_stands_for_itself);
	tcase_add_test(tc, nothing_to_ask_is_nothing_good);
	tcase_add_test(tc, the_mail_of_rfc_8463_lacks_only_its_type);
	tcase_add_test(tc, the_child_that_verifies_needs_nothing);
	suite_add_tcase(s, tc);
	return fixture_run(s);
}
