#include "csrmaild/policy.h"
#include "csrmaild/policy_match.h"
#include "csrmaild/wire.h"
#include "common/err.h"
#include "tests/support/fixtures.h"

#include <stdio.h>
#include <string.h>

#define USER	"user@example.org"

/* --- patterns ------------------------------------------------------------ */

static const struct {
	enum pattern_kind kind;
	const char	*pattern, *text;
	bool		 want;
} matches[] = {
	{ PATTERN_DNS, "www.example.org",	"www.example.org",	true },
	{ PATTERN_DNS, "WWW.example.ORG",	"www.example.org",	true },
	{ PATTERN_DNS, "www.example.org",	"wwww.example.org",	false },
	{ PATTERN_DNS, "www.example.org",	"example.org",		false },
	{ PATTERN_DNS, "*.example.org",		"www.example.org",	true },
	{ PATTERN_DNS, "*.example.org",		"a.b.c.example.org",	true },
	{ PATTERN_DNS, "*.example.org",		"example.org",		false },
	{ PATTERN_DNS, "*.example.org",		"evilexample.org",	false },
	{ PATTERN_DNS, "*.example.org",		"www.example.org.evil",	false },
	{ PATTERN_DNS, "*.example.org",		".example.org",		false },
	{ PATTERN_DNS, "web*.example.org",	"web1.example.org",	true },
	{ PATTERN_DNS, "web*.example.org",	"web.example.org",	true },
	{ PATTERN_DNS, "web*.example.org",	"web.a.example.org",	false },
	{ PATTERN_DNS, "a.*.example.org",	"a.b.example.org",	true },
	{ PATTERN_DNS, "a.*.example.org",	"a.b.c.example.org",	false },
	{ PATTERN_DNS, "@sender-domain",	"example.org",		true },
	{ PATTERN_DNS, "@sender-domain",	"www.example.org",	false },
	{ PATTERN_DNS, "*.@sender-domain",	"www.example.org",	true },
	{ PATTERN_DNS, "*.@sender-domain",	"example.org",		false },
	{ PATTERN_DNS, "*.@sender-domain",	"evilexample.org",	false },

	{ PATTERN_EMAIL, "@sender",		USER,			true },
	{ PATTERN_EMAIL, "@sender",		"user@EXAMPLE.org",	true },
	{ PATTERN_EMAIL, "@sender",		"User@example.org",	false },
	{ PATTERN_EMAIL, "@sender",		"user+x@example.org",	false },
	{ PATTERN_EMAIL, "@sender",		"user@example.org.x",	false },
	{ PATTERN_EMAIL, "@sender-domain",	"else@example.org",	true },
	{ PATTERN_EMAIL, "@sender-domain",	"user@a.example.org",	false },
	{ PATTERN_EMAIL, "*@example.org",	"any.one@example.org",	true },
	{ PATTERN_EMAIL, "*@example.org",	"a@b@example.org",	false },
	{ PATTERN_EMAIL, "*@example.org",	"a@x.example.org",	false },
	{ PATTERN_EMAIL, "*@*.example.org",	"a@x.y.example.org",	true },
	{ PATTERN_EMAIL, "user+*@example.org",	"user+tag@example.org",	true },
	{ PATTERN_EMAIL, "user+*@example.org",	USER,			false },
	{ PATTERN_EMAIL, "*@example.org",	"example.org",		false },
	{ PATTERN_SENDER, "*@example.org",	"",			false },

	{ PATTERN_IP, "192.0.2.0/24",		"192.0.2.255",		true },
	{ PATTERN_IP, "192.0.2.0/24",		"192.0.3.0",		false },
	{ PATTERN_IP, "192.0.2.1",		"192.0.2.1",		true },
	{ PATTERN_IP, "192.0.2.1",		"192.0.2.10",		false },
	{ PATTERN_IP, "192.0.2.128/25",		"192.0.2.127",		false },
	{ PATTERN_IP, "0.0.0.0/0",		"::1",			false },
	{ PATTERN_IP, "2001:db8::/32",		"2001:db8:ffff::1",	true },
	{ PATTERN_IP, "2001:db8::/32",		"2001:db9::1",		false },

	{ PATTERN_URI, "https://example.org/*",	"https://example.org/a", true },
	{ PATTERN_URI, "https://example.org/*",	"https://example.org/a/b",
	    false },
	{ PATTERN_URI, "https://*.example.org",
	    "https://evil@x.example.org",	false },

	{ PATTERN_CN, "*",			"Anna Example",		true },
	{ PATTERN_CN, "*",			"www.example.org",	false },
	{ PATTERN_CN, "*",			"root@example",		false },
	{ PATTERN_CN, "@sender",		USER,			true },
	{ PATTERN_CN, "@sender",		"Anna Example",		false },
	{ PATTERN_CN, "@sender-domain",		"example.org",		true },

	{ PATTERN_SUBJECT, "O=Example",		"O=Example",		true },
	{ PATTERN_SUBJECT, "O=Example",		"OU=Example",		false },
	{ PATTERN_SUBJECT, "O=Example",		"O=Example Bank",	false },
	{ PATTERN_SUBJECT, "OU=*",		"OU=Sales",		true },
	{ PATTERN_SUBJECT, "OU=*",		"O=Sales",		false },
};

START_TEST(a_pattern_ends_where_its_part_ends)
{
	ck_assert_msg(pattern_check(matches[_i].kind,
	    matches[_i].pattern) == NULL, "%s", matches[_i].pattern);
	ck_assert_msg(pattern_matches(matches[_i].kind, matches[_i].pattern,
	    matches[_i].text, USER) == matches[_i].want, "%s and %s",
	    matches[_i].pattern, matches[_i].text);
}
END_TEST

START_TEST(the_sender_covers_nothing_when_unknown)
{
	ck_assert(!pattern_matches(PATTERN_EMAIL, "@sender", "", ""));
	ck_assert(!pattern_matches(PATTERN_EMAIL, "@sender", USER, ""));
	ck_assert(!pattern_matches(PATTERN_EMAIL, "@sender-domain", USER, ""));
	ck_assert(!pattern_matches(PATTERN_DNS, "@sender-domain", "", ""));
	ck_assert(!pattern_matches(PATTERN_DNS, "*.@sender-domain", "a.", ""));
	ck_assert(!pattern_matches(PATTERN_CN, "@sender", "", ""));
	ck_assert(!pattern_matches(PATTERN_CN, "@sender-domain", "", ""));
}
END_TEST

static const struct {
	enum pattern_kind kind;
	const char	*pattern;
} wrong_patterns[] = {
	{ PATTERN_DNS, "" }, { PATTERN_DNS, "*" }, { PATTERN_DNS, "a..b" },
	{ PATTERN_DNS, ".example.org" }, { PATTERN_DNS, "example.org." },
	{ PATTERN_DNS, "a**.example.org" }, { PATTERN_DNS, "@sender" },
	{ PATTERN_DNS, "b\xc3\xbc.example.org" }, { PATTERN_DNS, "*." },
	{ PATTERN_EMAIL, "example.org" }, { PATTERN_EMAIL, "@example.org" },
	{ PATTERN_EMAIL, "*@sender" }, { PATTERN_EMAIL, "*@sender-domain" },
	{ PATTERN_EMAIL, "a*b*c@example.org" }, { PATTERN_EMAIL, "a@b@c.d" },
	{ PATTERN_SENDER, "@sender" }, { PATTERN_SENDER, "@sender-domain" },
	{ PATTERN_IP, "192.0.2" }, { PATTERN_IP, "192.0.2.0/33" },
	{ PATTERN_IP, "192.0.2.0/" }, { PATTERN_IP, "::1/129" },
	{ PATTERN_IP, "192.0.2.0/-1" }, { PATTERN_IP, "*" },
	{ PATTERN_CN, "@everybody" }, { PATTERN_CN, "**" },
	{ PATTERN_SUBJECT, "Example" }, { PATTERN_SUBJECT, "CN=x" },
	{ PATTERN_SUBJECT, "noSuchAttribute=x" },
};

START_TEST(a_pattern_that_means_nothing_is_refused)
{
	ck_assert_msg(pattern_check(wrong_patterns[_i].kind,
	    wrong_patterns[_i].pattern) != NULL, "%s",
	    wrong_patterns[_i].pattern);
}
END_TEST

/* --- rule sets ----------------------------------------------------------- */

static struct rules *
parse(const char *text)
{
	struct rules *rules = NULL;
	struct err err = { 0 };

	ck_assert_msg(rules_parse("test", "rules/test.conf", bytes_of(text),
	    &rules, &err) == 0, "%s", err.text);
	return rules;
}

static const struct {
	const char	*text;
	const char	*says;	/* in the error: line and key */
} wrong_rules[] = {
	{ "rule \"a\" {\n action = sign\n email = { \"@sender\" }\n}\n",
	  "test.conf:1: evidence" },
	{ "rule \"a\" {\n action = sign\n evidence = {}\n dns = { \"a.b\" }\n"
	  "}\n", "test.conf:3: evidence" },
	{ "rule \"a\" {\n action = sign\n evidence = { \"auth\" }\n}\n",
	  "test.conf:2: action" },
	{ "rule \"a\" {\n evidence = { \"auth\" }\n}\n", "action" },
	{ "rule \"a\" {\n action = maybe\n}\n", "test.conf:2: action" },
	{ "rule \"a\" {\n action = hold\n evidence = { \"none\" }\n}\n",
	  "test.conf:3: evidence" },
	{ "rule \"a\" {\n action = hold\n\n dns = { \"*\" }\n}\n",
	  "test.conf:4: dns" },
	{ "rule \"a\" {\n action = hold\n days = -1\n}\n",
	  "test.conf:3: days" },
	{ "rule \"a\" {\n action = hold\n text = \"a\nb\"\n}\n",
	  "test.conf:3: text" },
	{ "rule \"a\" {\n action = hold\n colour = red\n}\n", "colour" },
	{ "rule \"a\" {\n action = hold\n", "never closed" },
	{ "rule \"a\" {\n action = hold\n}\nrule \"a\" {\n action = hold\n}\n",
	  "test.conf:4" },
	{ "rule \"default\" {\n action = hold\n}\n", "title" },
	{ "rule {\n action = hold\n}\n", "test.conf:1" },
	/* Each kind of rule has its own words. */
	{ "rule \"a\" {\n for = \"everything\"\n action = hold\n}\n",
	  "test.conf:2: for" },
	{ "rule \"a\" {\n action = revoke\n}\n", "test.conf:2: action" },
	{ "rule \"a\" {\n for = revocation\n action = sign\n}\n",
	  "test.conf:3: action" },
	{ "rule \"a\" {\n action = hold\n own = true\n}\n",
	  "test.conf:3: own" },
	{ "rule \"a\" {\n action = hold\n reason = { \"superseded\" }\n}\n",
	  "test.conf:3: reason" },
	{ "rule \"a\" {\n for = revocation\n action = hold\n days = 9\n}\n",
	  "test.conf:4: days" },
	{ "rule \"a\" {\n for = revocation\n action = hold\n"
	  " profile = \"user\"\n}\n", "test.conf:4: profile" },
	{ "rule \"a\" {\n for = revocation\n action = hold\n"
	  " challenge_file = \"/a\"\n}\n", "test.conf:4: challenge_file" },
	{ "rule \"a\" {\n for = revocation\n own = true\n action = revoke\n"
	  " reason = { \"bored\" }\n}\n", "test.conf:5: reason" },
	{ "rule \"a\" {\n for = revocation\n own = true\n action = revoke\n"
	  " reason = { \"removeFromCRL\" }\n}\n", "test.conf:5: reason" },
	/* Nothing but a signature revokes. */
	{ "rule \"a\" {\n for = revocation\n action = hold\n"
	  " evidence = { \"smime\", \"dkim\" }\n}\n",
	  "test.conf:4: evidence" },
	{ "rule \"a\" {\n for = revocation\n action = revoke\n}\n",
	  "test.conf:3: action" },
	{ "rule \"a\" {\n for = revocation\n action = revoke\n"
	  " evidence = { \"smime\" }\n}\n", "test.conf:3: action" },
	{ "rule \"a\" {\n for = revocation\n action = revoke\n"
	  " sender = { \"a@b.c\" }\n}\n", "test.conf:3: action" },
};

START_TEST(a_wrong_rule_is_refused_with_its_line_and_key)
{
	struct rules *rules = NULL;
	struct err err = { 0 };

	ck_assert_msg(rules_parse("test", "rules/test.conf",
	    bytes_of(wrong_rules[_i].text), &rules, &err) == -1, "%s",
	    wrong_rules[_i].text);
	ck_assert_ptr_null(rules);
	ck_assert_int_eq(err.kind, ERR_FAULT);
	ck_assert_msg(strstr(err.text, wrong_rules[_i].says) != NULL,
	    "%s: %s", wrong_rules[_i].text, err.text);
}
END_TEST

/* What is asked for, by the words of names_describe: "email:a, O=b". */
static void
read_names(const char *text, struct names *out)
{
	static const struct {
		const char	*word;
		int		 nid;
		enum san_kind	 kind;
	} forms[] = {
		{ "CN=", NID_commonName, 0 },
		{ "O=", NID_organizationName, 0 },
		{ "emailAddress=", NID_pkcs9_emailAddress, 0 },
		{ "DNS:", 0, SAN_DNS }, { "email:", 0, SAN_EMAIL },
		{ "IP:", 0, SAN_IP }, { "URI:", 0, SAN_URI },
		{ "SmtpUTF8:", 0, SAN_SMTP_UTF8 },
	};
	static struct attribute attributes[8];
	static struct san sans[8];
	char copy[256], *save, *item;

	/* By hand: policy must not depend on what names_add_* lets through. */
	*out = (struct names){ .attributes = attributes, .sans = sans };
	snprintf(copy, sizeof(copy), "%s", text);
	for (item = strtok_r(copy, ", ", &save); item != NULL;
	    item = strtok_r(NULL, ", ", &save))
		for (int i = 0; i < ROWS(forms); i++) {
			size_t n = strlen(forms[i].word);

			if (strncmp(item, forms[i].word, n) != 0)
				continue;
			if (forms[i].nid != 0) {
				attributes[out->n_attributes].nid =
				    forms[i].nid;
				strcpy(attributes[out->n_attributes++].text,
				    item + n);
			} else {
				sans[out->n_sans].kind = forms[i].kind;
				strcpy(sans[out->n_sans++].text, item + n);
			}
		}
}

static struct verdict
decide(const struct rules *rules, const char *sender, uint8_t evidence,
    const char *asked)
{
	struct names names;
	struct key_facts key = { .kind = KEY_P256 };
	struct petition petition = { .mailbox = "users", .sender = sender,
	    .evidence = evidence, .names = &names, .key = &key };
	struct verdict verdict;

	read_names(asked, &names);
	policy_decide(rules, &petition, &verdict, NULL);
	return verdict;
}

static const char staff[] =
    "rule \"blocked\" {\n"
    "	dns = { \"*.secret.example.org\" }\n"
    "	action = reject\n"
    "	text = \"never by mail\"\n"
    "}\n"
    "rule \"staff\" {\n"
    "	mailbox = { \"users\", \"others\" }\n"
    "	sender = { \"*@example.org\" }\n"
    "	evidence = { \"auth\", \"dkim\" }\n"
    "	email = { \"@sender\" }\n"
    "	dns = { \"*.@sender-domain\" }\n"
    "	wildcard = { \"apps.example.org\" }\n"
    "	ip = { \"192.0.2.0/24\" }\n"
    "	cn = { \"@sender\", \"@san\" }\n"
    "	subject = { \"O=Example\" }\n"
    "	profile = \"user\"\n"
    "	days = 90\n"
    "	action = sign\n"
    "}\n";

static const struct {
	const char	*sender;
	uint8_t		 evidence;
	const char	*names;
	enum action	 want;
} cases[] = {
	{ USER, EVIDENCE_AUTH,	"email:" USER,		ACTION_SIGN },
	{ USER, EVIDENCE_DKIM,	"email:" USER,		ACTION_SIGN },
	{ USER, EVIDENCE_ALL,	"email:" USER,		ACTION_SIGN },
	{ USER, EVIDENCE_SMIME | EVIDENCE_REPLY, "email:" USER, ACTION_HOLD },
	{ USER, 0,		"email:" USER,		ACTION_HOLD },
	{ "", EVIDENCE_ALL,	"email:" USER,		ACTION_HOLD },
	{ "user@example.com", EVIDENCE_ALL, "email:user@example.com",
	  ACTION_HOLD },
	{ "user@example.org.evil", EVIDENCE_ALL,
	  "email:user@example.org.evil",		ACTION_HOLD },
	{ USER, EVIDENCE_AUTH,	"email:other@example.org", ACTION_HOLD },
	{ USER, EVIDENCE_AUTH,	"CN=" USER,		ACTION_SIGN },
	{ USER, EVIDENCE_AUTH,	"CN=boss, email:" USER,	ACTION_HOLD },
	{ USER, EVIDENCE_AUTH,	"CN=a.example.org, DNS:a.example.org",
	  ACTION_SIGN },
	{ USER, EVIDENCE_AUTH,	"CN=b.example.org, DNS:a.example.org",
	  ACTION_HOLD },
	{ USER, EVIDENCE_AUTH,	"O=Example, email:" USER, ACTION_SIGN },
	{ USER, EVIDENCE_AUTH,	"O=Bank, email:" USER,	ACTION_HOLD },
	{ USER, EVIDENCE_AUTH,	"emailAddress=" USER,	ACTION_SIGN },
	{ USER, EVIDENCE_AUTH,	"emailAddress=x@y.z, email:" USER,
	  ACTION_HOLD },
	/* One name too many, and nothing is signed. */
	{ USER, EVIDENCE_AUTH,	"email:" USER ", DNS:a.example.org",
	  ACTION_SIGN },
	{ USER, EVIDENCE_AUTH,	"email:" USER ", DNS:a.example.com",
	  ACTION_HOLD },
	/* Kinds that must be allowed on their own. */
	{ USER, EVIDENCE_AUTH,	"DNS:*.example.org",	ACTION_HOLD },
	{ USER, EVIDENCE_AUTH,	"DNS:*.a.example.org",	ACTION_HOLD },
	{ USER, EVIDENCE_AUTH,	"DNS:*.apps.example.org", ACTION_SIGN },
	{ USER, EVIDENCE_AUTH,	"DNS:*.x.apps.example.org", ACTION_HOLD },
	{ USER, EVIDENCE_AUTH,	"IP:192.0.2.7",		ACTION_SIGN },
	{ USER, EVIDENCE_AUTH,	"IP:192.0.3.7",		ACTION_HOLD },
	{ USER, EVIDENCE_AUTH,	"URI:urn:x",		ACTION_HOLD },
	{ USER, EVIDENCE_AUTH,	"SmtpUTF8:" USER,	ACTION_HOLD },
	/* Nothing asked for is nothing granted. */
	{ USER, EVIDENCE_AUTH,	"",			ACTION_HOLD },
	/* For refusing, one name is enough. */
	{ USER, EVIDENCE_AUTH,	"DNS:a.secret.example.org", ACTION_REJECT },
	{ USER, EVIDENCE_AUTH,	"email:" USER ", DNS:a.secret.example.org",
	  ACTION_REJECT },
};

START_TEST(signing_takes_evidence_and_a_list_for_every_name)
{
	OWNED_STRUCT(rules) *rules = parse(staff);
	struct verdict v = decide(rules, cases[_i].sender, cases[_i].evidence,
	    cases[_i].names);

	ck_assert_msg(v.action == cases[_i].want, "%s (%x) for %s: %d by %s",
	    cases[_i].sender, cases[_i].evidence, cases[_i].names, v.action,
	    v.rule);
}
END_TEST

START_TEST(the_verdict_says_which_rule_and_what)
{
	OWNED_STRUCT(rules) *rules = parse(staff);
	struct verdict v = decide(rules, USER, EVIDENCE_AUTH, "email:" USER);

	ck_assert_str_eq(rules_name(rules), "test");
	ck_assert_str_eq(v.rule, "staff");
	ck_assert_str_eq(v.profile, "user");
	ck_assert_int_eq(v.validity_s, 90 * DAY);
	ck_assert_str_eq(v.text, "");
	v = decide(rules, USER, EVIDENCE_AUTH, "DNS:a.secret.example.org");
	ck_assert_str_eq(v.rule, "blocked");
	ck_assert_str_eq(v.text, "never by mail");
	v = decide(rules, USER, 0, "email:" USER);
	ck_assert_str_eq(v.rule, "default");
	ck_assert_int_eq(v.action, ACTION_HOLD);
	ck_assert_str_ne(v.text, "");
}
END_TEST

START_TEST(a_forwarded_request_is_never_signed)
{
	OWNED_STRUCT(rules) *rules = parse(staff);
	struct key_facts key = { .kind = KEY_P256 };
	struct names names;
	struct petition petition = { .mailbox = "users", .sender = USER,
	    .evidence = EVIDENCE_ALL, .forwarded = true, .names = &names,
	    .key = &key };
	struct verdict v;

	read_names("email:" USER, &names);
	policy_decide(rules, &petition, &v, NULL);
	ck_assert_int_eq(v.action, ACTION_HOLD);
	ck_assert_ptr_nonnull(strstr(v.text, "forwarded"));
	petition.forwarded = false;
	policy_decide(rules, &petition, &v, NULL);
	ck_assert_int_eq(v.action, ACTION_SIGN);
	petition.mailbox = "elsewhere";
	policy_decide(rules, &petition, &v, NULL);
	ck_assert_int_eq(v.action, ACTION_HOLD);
	read_names("DNS:a.secret.example.org", &names);
	petition.forwarded = true;
	policy_decide(rules, &petition, &v, NULL);
	ck_assert_int_eq(v.action, ACTION_REJECT);
}
END_TEST

/* --- revocations --------------------------------------------------------- */

static struct verdict
decide_revocation(const struct rules *rules, const char *sender,
    uint8_t evidence, bool own, enum crl_reason reason, const char *bears)
{
	struct names names;
	struct petition petition = { .revocation = true, .mailbox = "users",
	    .sender = sender, .evidence = evidence, .own = own,
	    .reason = reason, .names = bears == NULL ? NULL : &names };
	struct verdict verdict;

	if (bears != NULL)
		read_names(bears, &names);
	policy_decide(rules, &petition, &verdict, NULL);
	return verdict;
}

static const char revoking[] =
    "rule \"of requests\" {\n"
    "	action = reject\n"
    "}\n"
    "rule \"never\" {\n"
    "	for = \"revocation\"\n"
    "	dns = { \"*.secret.example.org\" }\n"
    "	action = reject\n"
    "}\n"
    "rule \"own\" {\n"
    "	for = \"revocation\"\n"
    "	own = true\n"
    "	action = revoke\n"
    "}\n"
    "rule \"admin\" {\n"
    "	for = \"revocation\"\n"
    "	mailbox = { \"users\" }\n"
    "	sender = { \"" USER "\" }\n"
    "	evidence = { \"smime\" }\n"
    "	dns = { \"*.example.org\" }\n"
    "	cn = { \"@san\" }\n"
    "	reason = { \"superseded\", \"certificateHold\" }\n"
    "	action = revoke\n"
    "}\n"
    "rule \"lost\" {\n"
    "	for = \"revocation\"\n"
    "	reason = { \"keyCompromise\" }\n"
    "	action = hold\n"
    "	text = \"call us\"\n"
    "}\n";

static const struct {
	const char	*sender;
	uint8_t		 evidence;
	bool		 own;
	enum crl_reason	 reason;
	const char	*names;		/* of the certificate; NULL: unknown */
	enum action	 want;
	const char	*rule;
} revocations[] = {
	{ "", 0, true, CRL_UNSPECIFIED, "DNS:a.b", ACTION_REVOKE, "own" },
	{ "", 0, true, CRL_KEY_COMPROMISE, "DNS:a.b", ACTION_REVOKE, "own" },
	{ "", 0, true, CRL_CERTIFICATE_HOLD, "DNS:a.b", ACTION_HOLD,
	  "default" },
	{ "", 0, true, CRL_UNSPECIFIED, "DNS:a.secret.example.org",
	  ACTION_REJECT, "never" },
	{ "", 0, true, CRL_UNSPECIFIED, "", ACTION_REVOKE, "own" },
	{ "", 0, false, CRL_UNSPECIFIED, "DNS:a.b", ACTION_HOLD, "default" },
	{ USER, EVIDENCE_SMIME, false, CRL_SUPERSEDED, "DNS:a.example.org",
	  ACTION_REVOKE, "admin" },
	{ USER, EVIDENCE_SMIME, false, CRL_CERTIFICATE_HOLD,
	  "CN=a.example.org, DNS:a.example.org", ACTION_REVOKE, "admin" },
	{ USER, EVIDENCE_SMIME, false, CRL_UNSPECIFIED, "DNS:a.example.org",
	  ACTION_HOLD, "default" },
	{ USER, EVIDENCE_SMIME, false, CRL_KEY_COMPROMISE,
	  "DNS:a.example.org", ACTION_HOLD, "lost" },
	/* One name that is not on a list, and none at all. */
	{ USER, EVIDENCE_SMIME, false, CRL_SUPERSEDED,
	  "DNS:a.example.org, DNS:a.b", ACTION_HOLD, "default" },
	{ USER, EVIDENCE_SMIME, false, CRL_SUPERSEDED, "", ACTION_HOLD,
	  "default" },
	{ USER, EVIDENCE_SMIME, false, CRL_SUPERSEDED, NULL, ACTION_REJECT,
	  "never" },
	{ USER, EVIDENCE_AUTH | EVIDENCE_DKIM | EVIDENCE_REPLY, false,
	  CRL_SUPERSEDED, "DNS:a.example.org", ACTION_HOLD, "default" },
	{ "x@example.org", EVIDENCE_SMIME, false, CRL_SUPERSEDED,
	  "DNS:a.example.org", ACTION_HOLD, "default" },
};

START_TEST(a_revocation_takes_its_own_key_or_a_rule_for_the_sender)
{
	OWNED_STRUCT(rules) *rules = parse(revoking);
	struct verdict v = decide_revocation(rules, revocations[_i].sender,
	    revocations[_i].evidence, revocations[_i].own,
	    revocations[_i].reason, revocations[_i].names);

	ck_assert_msg(v.action == revocations[_i].want, "row %d: %d by %s",
	    _i, v.action, v.rule);
	ck_assert_msg(strcmp(v.rule, revocations[_i].rule) == 0,
	    "row %d: %s", _i, v.rule);
}
END_TEST

/* Neither kind of rule says anything about the other. */
START_TEST(rules_are_about_one_thing)
{
	OWNED_STRUCT(rules) *rules = parse(revoking);
	OWNED_STRUCT(rules) *sets = parse(staff);

	ck_assert_str_eq(decide(rules, USER, EVIDENCE_SMIME,
	    "DNS:a.example.org").rule, "of requests");
	ck_assert_str_eq(decide_revocation(sets, USER, EVIDENCE_ALL, true,
	    CRL_SUPERSEDED, "email:" USER).rule, "default");
}
END_TEST

START_TEST(the_first_match_decides)
{
	OWNED_STRUCT(rules) *rules = parse(
	    "rule \"one\" { sender = { \"a@*.org\" } action = hold }\n"
	    "rule \"two\" { action = reject }\n"
	    "rule \"three\" { action = hold }\n");

	ck_assert_str_eq(decide(rules, "a@b.org", 0, "").rule, "one");
	ck_assert_str_eq(decide(rules, "a@b.net", 0, "DNS:a.b").rule, "two");
}
END_TEST

START_TEST(an_empty_set_holds)
{
	OWNED_STRUCT(rules) *rules = parse("");

	ck_assert_int_eq(decide(rules, USER, EVIDENCE_ALL,
	    "email:" USER).action, ACTION_HOLD);
}
END_TEST

START_TEST(why_names_every_rule_that_was_looked_at)
{
	OWNED_STRUCT(rules) *rules = parse(staff);
	struct key_facts key = { .kind = KEY_P256 };
	struct names names;
	struct petition petition = { .mailbox = "users", .sender = USER,
	    .evidence = EVIDENCE_AUTH, .names = &names, .key = &key };
	struct verdict v;
	OWNED_BUF(why, 4096);

	read_names("email:" USER ", DNS:a.example.com", &names);
	policy_decide(rules, &petition, &v, &why);
	ck_assert_str_eq(buf_str(&why),
	    "blocked: none of the names is on its lists\n"
	    "staff: DNS a.example.com is not allowed\n"
	    "default: held\n");
	buf_clear(&why);
	petition.evidence = 0;
	policy_decide(rules, &petition, &v, &why);
	ck_assert_ptr_nonnull(strstr(buf_str(&why), "staff: the evidence"));
	buf_clear(&why);
	petition.evidence = EVIDENCE_AUTH;
	read_names("email:" USER, &names);
	policy_decide(rules, &petition, &v, &why);
	ck_assert_ptr_nonnull(strstr(buf_str(&why), "staff: matches\n"));
}
END_TEST

/* The sets that we ship parse, and do what their first lines say. */
START_TEST(the_shipped_sets_do_what_they_say)
{
	static const char *const files[] = {
	    SHIPPED_POLICIES "/rules/staff.conf",
	    SHIPPED_POLICIES "/rules/hold.conf" };

	for (int i = 0; i < ROWS(files); i++) {
		OWNED_STRUCT(rules) *rules = NULL;
		char text[8192];
		FILE *f = fopen(files[i], "r");
		size_t n;

		ck_assert_ptr_nonnull(f);
		n = fread(text, 1, sizeof(text) - 1, f);
		fclose(f);
		text[n] = '\0';
		rules = parse(text);
		ck_assert_int_eq(decide(rules, USER, EVIDENCE_DKIM, "CN=" USER
		    ", email:" USER).action, i == 0 ? ACTION_SIGN :
		    ACTION_HOLD);
		ck_assert_int_eq(decide(rules, USER, EVIDENCE_DKIM,
		    "DNS:www.example.org").action, ACTION_HOLD);
		ck_assert_int_eq(decide(rules, USER, 0, "email:" USER).action,
		    ACTION_HOLD);
		ck_assert_int_eq(decide(rules, "a@example.com", EVIDENCE_ALL,
		    "email:a@example.com").action, ACTION_HOLD);
		ck_assert_int_eq(decide_revocation(rules, "", 0, true,
		    CRL_KEY_COMPROMISE, "DNS:a.b").action, ACTION_REVOKE);
		ck_assert_int_eq(decide_revocation(rules, USER, EVIDENCE_ALL,
		    false, CRL_KEY_COMPROMISE, "email:" USER).action,
		    ACTION_HOLD);
	}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("policy");
	TCase *tc = tcase_create("all");

	tcase_add_loop_test(tc, a_pattern_ends_where_its_part_ends, 0,
	    ROWS(matches));
	tcase_add_test(tc, the_sender_covers_nothing_when_unknown);
	tcase_add_loop_test(tc, a_pattern_that_means_nothing_is_refused, 0,
	    ROWS(wrong_patterns));
	tcase_add_loop_test(tc, a_wrong_rule_is_refused_with_its_line_and_key,
	    0, ROWS(wrong_rules));
	tcase_add_loop_test(tc,
	    signing_takes_evidence_and_a_list_for_every_name, 0, ROWS(cases));
	tcase_add_test(tc, the_verdict_says_which_rule_and_what);
	tcase_add_test(tc, a_forwarded_request_is_never_signed);
	tcase_add_loop_test(tc,
	    a_revocation_takes_its_own_key_or_a_rule_for_the_sender, 0,
	    ROWS(revocations));
	tcase_add_test(tc, rules_are_about_one_thing);
	tcase_add_test(tc, the_first_match_decides);
	tcase_add_test(tc, an_empty_set_holds);
	tcase_add_test(tc, why_names_every_rule_that_was_looked_at);
	tcase_add_test(tc, the_shipped_sets_do_what_they_say);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
