#include "csrmaild/settings.h"

#include "common/err.h"
#include "csrmaild/policy.h"
#include "csrmaild/wire.h"
#include "tests/support/fixtures.h"

#include <sys/stat.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char dir[] = "/tmp/test_settingsXXXXXX";
static char conf[64];

/* A shell command, with $D for the folder. */
static void
run(const char *command)
{
	ck_assert_int_eq(setenv("D", dir, 1), 0);
	ck_assert_msg(system(command) == 0, "%s", command);
}

static void
setup(void)
{
	strcpy(dir + sizeof(dir) - 7, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(conf, sizeof(conf), "%s/csrmaild.conf", dir);
	run("cp -r " SHIPPED_POLICIES " $D/ && chmod -R go-w $D");
}

static void
teardown(void)
{
	run("rm -r $D");
}

static void
write_conf(const char *text)
{
	FILE *f = fopen(conf, "w");

	ck_assert_ptr_nonnull(f);
	fprintf(f, "policies_dir = \"%s/policies\"\n%s", dir, text);
	fclose(f);
	chmod(conf, 0644);
}

#define SMTP	"smtp { host = \"127.0.0.1\" port = 25 tls = none }\n"
/* An SMTP server with more keys. */
#define SERVER(more)	"smtp { host = \"h\" port = 25 " more " }\n"
#define USERS	"ca \"example.org/users\" { }\n"
#define IMAP	"imap { host = \"h\" port = 993 user = \"u\" " \
		"password_file = \"/p\" }"
#define MAILBOX	"mailbox \"users\" { address = \"ca@example.org\" " \
		"ca = \"example.org/users\" " IMAP "}\n"

#define DROP(more)	"mailbox \"users\" { address = \"ca@example.org\" " \
			"ca = \"example.org/users\" " more " }\n"

/* No server is asked for where none is needed. */
START_TEST(a_folder_is_a_mailbox_without_servers)
{
	OWNED_STRUCT(settings) *s = NULL;
	struct err err = { 0 };

	write_conf(USERS DROP("inbox = \"dir:/srv/in/\" "
	    "outbox = \"dir:/srv/out\""));
	ck_assert_msg(settings_read(conf, &s, &err) == 0, "%s", err.text);
	ck_assert(settings_is_drop(&s->mailboxes[0]));
	ck_assert_str_eq(s->mailboxes[0].inbox, "/srv/in");
	ck_assert_str_eq(s->mailboxes[0].outbox, "/srv/out");
}
END_TEST

START_TEST(the_configuration_as_shipped_is_correct)
{
	OWNED_STRUCT(settings) *s = NULL;
	struct err err = { 0 };

	run("sed \"s|^#policies_dir.*|policies_dir = $D/policies|\" " SHIPPED_CONF
	    " > $D/csrmaild.conf");
	chmod(conf, 0644);
	ck_assert_msg(settings_read(conf, &s, &err) == 0, "%s", err.text);
	ck_assert_uint_eq(s->n_mailboxes, 1);
	ck_assert_str_eq(s->mailboxes[0].rules, "staff");
	ck_assert_str_eq(s->mailboxes[0].folders[OUTCOME_HELD], "Held");
	ck_assert_uint_eq(s->mailboxes[0].max_message_octets, 1048576);
	ck_assert_ptr_nonnull(settings_profile(s, "user"));
	ck_assert_ptr_nonnull(settings_profile(s, "tls-server"));
	ck_assert_ptr_nonnull(settings_rules(s, "hold"));
	ck_assert_ptr_null(settings_rules(s, "none"));
}
END_TEST

START_TEST(a_server_is_told_who_we_are_in_four_ways)
{
	OWNED_STRUCT(settings) *s = NULL;
	struct err err = { 0 };

	write_conf(SERVER("tls = implicit tls_min = 1.3 sessions = 8 "
	    "auth = xoauth2 user = \"u\" token_command = {\"/c\", \"a b\", "
	    "\"$x\"}") USERS "mailbox \"a\" { address = \"ca@example.org\" "
	    "ca = \"example.org/users\" imap { host = \"h\" port = 993 "
	    "auth = external user = \"u\" client_certificate = \"/c\" "
	    "client_key_file = \"/k\" } }\nmailbox \"b\" { address = "
	    "\"cb@example.org\" ca = \"example.org/users\" imap { "
	    "host = \"h\" port = 993 auth = xoauth2 user = \"u\" "
	    "token_file = \"/t\" } }\n");
	ck_assert_msg(settings_read(conf, &s, &err) == 0, "%s", err.text);
	ck_assert_int_eq(s->smtp.tls, TLS_IMPLICIT);
	ck_assert_int_eq(s->smtp.tls_min, TLS_1_3);
	ck_assert_uint_eq(s->smtp_sessions, 8);
	ck_assert_int_eq(s->smtp.auth, AUTH_XOAUTH2);
	ck_assert_uint_eq(s->smtp.n_token_command, 3);
	ck_assert_str_eq(s->smtp.token_command[1], "a b");
	ck_assert_int_eq(s->mailboxes[0].imap.auth, AUTH_EXTERNAL);
	ck_assert_str_eq(s->mailboxes[0].imap.client_key_file, "/k");
	ck_assert_int_eq(s->mailboxes[0].imap.tls_min, TLS_1_2);
	ck_assert_str_eq(s->mailboxes[1].imap.token_file, "/t");
	ck_assert_uint_eq(s->mailboxes[1].imap.n_token_command, 0);
}
END_TEST

START_TEST(roles_read_the_same_from_the_bundle)
{
	OWNED_STRUCT(settings) *s = NULL;
	OWNED_STRUCT(settings) *again = NULL;
	struct err err = { 0 };
	int fd;

	write_conf(SMTP USERS MAILBOX);
	ck_assert_msg(settings_read(conf, &s, &err) == 0, "%s", err.text);
	fd = settings_bundle_fd(s, &err);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, "x", 1), -1);	/* sealed */
	ck_assert_int_eq(settings_decode(fd, &again, &err), 0);
	ck_assert_str_eq(again->mailboxes[0].address, "ca@example.org");
	ck_assert_uint_eq(again->n_profiles, s->n_profiles);
	ck_assert_mem_eq(settings_profile(again, "user")->digest,
	    settings_profile(s, "user")->digest, 32);
}
END_TEST

#define RULE(title) "rule \"" title "\" { evidence = { \"auth\" } " \
	"email = { \"@sender\" } action = sign challenge_file = " \
	"\"%s/enrol.secrets\" }\n"

/* One in conf's format: a mailbox with the lines `more`. */
static void
write_with(const char *top, const char *more)
{
	char text[2048];

	snprintf(text, sizeof(text), "%s" SMTP USERS "mailbox \"users\" { "
	    "address = \"ca@example.org\" ca = \"example.org/users\" " IMAP
	    "\n%s\n}\n", top, more);
	write_conf(text);
}

START_TEST(anchors_and_words_reach_the_roles)
{
	OWNED_STRUCT(settings) *s = NULL;
	OWNED_STRUCT(settings) *role = NULL;
	char top[128], more[128];
	OWNED_BUF(said, 4096);
	struct err err = { 0 };
	int fd;

	run("openssl req -x509 -newkey ec -pkeyopt "
	    "ec_paramgen_curve:P-256 -nodes -keyout /dev/null -subj /CN=a "
	    "-out $D/anchors.pem 2>/dev/null");
	run("mkdir -p $D/words/fr && echo 'Demande {request}' > "
	    "$D/words/fr/held.txt && chmod -R go-w $D");
	snprintf(top, sizeof(top), "templates_dir = \"%s/words\"\n", dir);
	snprintf(more, sizeof(more), "smime_anchors = \"%s/anchors.pem\"\n"
	    "language = \"fr\"\n", dir);
	write_with(top, more);
	ck_assert_msg(settings_read(conf, &s, &err) == 0, "%s", err.text);
	ck_assert_msg(settings_read_secrets(s, &err) == 0, "%s", err.text);
	fd = settings_bundle_fd(s, &err);
	ck_assert_msg(settings_decode(fd, &role, &err) == 0, "%s", err.text);
	ck_assert_uint_ne(bytes_find(role->mailboxes[0].smime_anchors,
	    bytes_of("BEGIN CERTIFICATE")), (size_t)-1);
	wording_put(role->wordings, role->mailboxes[0].language, WORDING_HELD,
	    NULL, &said);
	ck_assert_str_eq(buf_str(&said), "Demande \r\n");
}
END_TEST

static const struct {
	const char	*make;		/* a command */
	const char	*top, *more;	/* %s is the folder */
	const char	*says;
} bad_files[] = {
	{ "echo nothing > $D/a.pem", "", "smime_anchors = \"%s/a.pem\"",
	  "whole certificates" },
	{ "true", "", "smime_anchors = \"%s/none\"", "No such file" },
	{ "mkdir -p $D/w/fr; echo '{serial}' > $D/w/fr/held.txt",
	  "templates_dir = \"%s/w\"", "", "held.txt:1: a place" },
	{ "true", "templates_dir = \"%s/none\"", "", "No such file" },
	{ "mkdir -p $D/w/fr; touch $D/w/fr/held.txt; "
	  "chmod a+w $D/w/fr/held.txt", "templates_dir = \"%s/w\"", "",
	  "held.txt" },
};

/* "%s" is the folder, once. */
static void
fill(char *out, size_t size, const char *pattern)
{
	const char *place = strstr(pattern, "%s");

	snprintf(out, size, "%.*s%s%s", place == NULL ? (int)strlen(pattern) :
	    (int)(place - pattern), pattern, place == NULL ? "" : dir,
	    place == NULL ? "" : place + 2);
}

START_TEST(anchors_and_words_that_are_wrong_are_told)
{
	OWNED_STRUCT(settings) *s = NULL;
	char top[128], more[128];
	struct err err = { 0 };

	run(bad_files[_i].make);
	fill(top, sizeof(top), bad_files[_i].top);
	strcat(top, "\n");
	fill(more, sizeof(more), bad_files[_i].more);
	write_with(top, more);
	ck_assert_int_eq(settings_read(conf, &s, &err) == 0 &&
	    settings_read_secrets(s, &err) == 0, 0);
	ck_assert_msg(strstr(err.text, bad_files[_i].says) != NULL, "%s",
	    err.text);
}
END_TEST

START_TEST(who_verifies_dkim_reaches_the_roles)
{
	OWNED_STRUCT(settings) *s = NULL;
	OWNED_STRUCT(settings) *role = NULL;
	struct err err = { 0 };
	int fd;

	write_with("", "dkim = verify\nresolver = \"[::1]:5353\"");
	ck_assert_msg(settings_read(conf, &s, &err) == 0, "%s", err.text);
	fd = settings_bundle_fd(s, &err);
	ck_assert_msg(settings_decode(fd, &role, &err) == 0, "%s", err.text);
	ck_assert(role->mailboxes[0].verify_dkim);
	ck_assert_str_eq(role->mailboxes[0].resolver, "[::1]:5353");
	settings_free(TAKE(s));
	write_with("", "");
	ck_assert_msg(settings_read(conf, &s, &err) == 0, "%s", err.text);
	ck_assert(!s->mailboxes[0].verify_dkim);
}
END_TEST

START_TEST(secrets_reach_the_roles_as_digests_only)
{
	OWNED_STRUCT(settings) *s = NULL;
	OWNED_STRUCT(settings) *again = NULL;
	struct err err = { 0 };
	char rules[600];
	FILE *f;
	int fd;

	write_conf(SMTP USERS MAILBOX);
	snprintf(rules, sizeof(rules), "%s/policies/rules/enrol.conf", dir);
	f = fopen(rules, "w");
	ck_assert_ptr_nonnull(f);
	fprintf(f, RULE("a") RULE("b"), dir, dir);
	fclose(f);
	run("chmod 644 $D/policies/rules/enrol.conf;"
	    "echo open sesame > $D/enrol.secrets; chmod 600 $D/enrol.secrets");
	ck_assert_msg(settings_read(conf, &s, &err) == 0, "%s", err.text);
	ck_assert_msg(settings_read_secrets(s, &err) == 0, "%s", err.text);
	ck_assert_uint_eq(bytes_find(s->bundle, bytes_of("open sesame")),
	    (size_t)-1);
	fd = settings_bundle_fd(s, &err);
	ck_assert_msg(settings_decode(fd, &again, &err) == 0, "%s", err.text);
	/* One entry for both rules, and it is the same there. */
	ck_assert(bytes_equal(s->bundle, again->bundle));
	ck_assert_ptr_nonnull(strstr(rules_challenge_file(
	    settings_rules(again, "enrol"), 1), "/enrol.secrets"));
	run("chmod 640 $D/enrol.secrets");
	ck_assert_int_eq(settings_read_secrets(s, &err), 0);	/* once */
	settings_free(TAKE(s));
	ck_assert_int_eq(settings_read(conf, &s, &err), 0);
	ck_assert_int_eq(settings_read_secrets(s, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "chmod 600"));
}
END_TEST

/* A mailbox with more keys. */
#define SIGNS(more)	"mailbox \"users\" { address = \"ca@example.org\" " \
			"ca = \"example.org/users\" " IMAP "\n" more " }\n"

/* Each is refused with file, line and what is wrong; want is in the text. */
static const struct {
	const char	*name;
	const char	*text;
	const char	*want;
} wrong[] = {
	{ "an unknown key", "\nstate = \"/x\"\n" SMTP, "csrmaild.conf:3: " },
	{ "a port out of range", "smtp { host = \"127.0.0.1\"\nport = 0\n"
	    "tls = none }\n" USERS MAILBOX,
	    "csrmaild.conf:3: port: found 0, allowed 1 to 65535" },
	{ "no TLS beyond loopback", "smtp { host = \"mail.example.org\" "
	    "port = 25\ntls = none }\n" USERS MAILBOX,
	    "csrmaild.conf:3: tls: \"none\" is allowed only for a loopback" },
	{ "no TLS to a name that may be anything", "smtp { host = "
	    "\"localhost\" port = 25 tls = none }\n" USERS MAILBOX,
	    "tls: \"none\" is allowed only for a loopback" },
	{ "another word for TLS", "smtp { host = \"h\" port = 25 "
	    "tls = maybe }\n" USERS MAILBOX,
	    "tls: found \"maybe\", allowed: implicit, starttls, none" },
	{ "no such CA", SMTP MAILBOX,
	    "csrmaild.conf:3: ca: found \"example.org/users\", but there is "
	    "no section" },
	{ "no such profile", SMTP USERS "mailbox \"users\" { address = "
	    "\"ca@example.org\" ca = \"example.org/users\" profile = \"x\" "
	    IMAP " }", "csrmaild.conf:4: profile: found \"x\"" },
	{ "no such rule set", SMTP USERS "mailbox \"users\" { address = "
	    "\"ca@example.org\" ca = \"example.org/users\" rules = \"x\" "
	    IMAP " }", "csrmaild.conf:4: rules: found \"x\"" },
	{ "an address with a line break", SMTP USERS "mailbox \"users\" { "
	    "address = \"ca@example.org\\nBcc: x@y\" ca = "
	    "\"example.org/users\" " IMAP " }", "address: found" },
	{ "a mailbox without an address", SMTP USERS "mailbox \"users\" { "
	    "ca = \"example.org/users\" " IMAP " }",
	    "address: found \"\", allowed" },
	{ "a folder and a server", SMTP USERS DROP("inbox = \"dir:/i\" "
	    "outbox = \"dir:/o\" " IMAP),
	    "csrmaild.conf:4: inbox: there is a section imap" },
	{ "a folder without dir:", USERS DROP("inbox = \"/i\" "
	    "outbox = \"dir:/o\""), "csrmaild.conf:3: inbox: found \"/i\"" },
	{ "a folder that depends on where we are", USERS
	    DROP("inbox = \"dir:i\" outbox = \"dir:/o\""),
	    "csrmaild.conf:3: inbox: found \"dir:i\"" },
	{ "a folder without another for answers", USERS
	    DROP("inbox = \"dir:/i\""),
	    "csrmaild.conf:3: outbox: must be given" },
	{ "a folder for answers alone", SMTP USERS
	    DROP("outbox = \"dir:/o\" " IMAP),
	    "csrmaild.conf:4: outbox: it belongs to a folder" },
	{ "another word for who verifies DKIM", SMTP USERS
	    SIGNS("dkim = maybe"),
	    "dkim: found \"maybe\", allowed: authserv, verify" },
	{ "a name server by name", SMTP USERS
	    SIGNS("dkim = verify\nresolver = \"dns.example.org\""),
	    "resolver: found \"dns.example.org\", allowed is an address" },
	{ "a name server for nothing", SMTP USERS
	    SIGNS("resolver = \"127.0.0.1\""),
	    "resolver: it is for dkim = verify" },
	{ "our own verification of files", USERS
	    DROP("inbox = \"dir:/i\" outbox = \"dir:/o\" dkim = verify"),
	    "dkim: found \"verify\", which is for a mailbox on a server" },
	{ "answers that would be read as requests", USERS
	    DROP("inbox = \"dir:/i\" outbox = \"dir:/i/out/\""),
	    "csrmaild.conf:3: outbox: /i/out is also the inbox" },
	{ "two mailboxes in one folder", USERS
	    DROP("inbox = \"dir:/i\" outbox = \"dir:/o\"")
	    "mailbox \"two\" { address = \"ca@example.org\" ca = "
	    "\"example.org/users\" inbox = \"dir:/i\" "
	    "outbox = \"dir:/p\" }", "inbox: /i is also the inbox" },
	{ "a folder below somewhere else", USERS
	    DROP("inbox = \"dir:/i\" outbox = \"dir:/o\" "
	    "held = \"../h\""), "csrmaild.conf:3: held: found \"../h\"" },
	{ "mails without a server that sends them", USERS MAILBOX,
	    "host" },
	{ "a user without a password", "smtp { host = \"h\" port = 25 "
	    "tls = starttls user = \"u\" }\n" USERS MAILBOX,
	    "password_file: must be given" },
	{ "a token without xoauth2", SERVER("user = \"u\" "
	    "password_file = \"/p\" token_file = \"/t\"") USERS MAILBOX,
	    "token_file: it is for auth = xoauth2" },
	{ "xoauth2 without a token", SERVER("auth = xoauth2 user = \"u\"")
	    USERS MAILBOX, "needs token_file or token_command" },
	{ "two tokens", SERVER("auth = xoauth2 user = \"u\" "
	    "token_file = \"/t\" token_command = {\"/c\"}") USERS MAILBOX,
	    "only one of them" },
	{ "xoauth2 without a user", SERVER("auth = xoauth2 "
	    "token_file = \"/t\"") USERS MAILBOX, "user: must be given" },
	{ "xoauth2 and a password", SERVER("auth = xoauth2 user = \"u\" "
	    "token_file = \"/t\" password_file = \"/p\"") USERS MAILBOX,
	    "password_file: it is for auth = password" },
	{ "a command by its name alone", SERVER("auth = xoauth2 "
	    "user = \"u\" token_command = {\"curl\"}") USERS MAILBOX,
	    "absolute path" },
	{ "a certificate without its key", SERVER("client_certificate = "
	    "\"/c\"") USERS MAILBOX, "client_key_file: must be given" },
	{ "a key without its certificate", SERVER("client_key_file = "
	    "\"/k\"") USERS MAILBOX, "client_certificate: must be given" },
	{ "external without a certificate", SERVER("auth = external "
	    "user = \"u\"") USERS MAILBOX,
	    "client_certificate: must be given" },
	{ "a certificate that nobody sees", "smtp { host = \"127.0.0.1\" "
	    "port = 25 tls = none client_certificate = \"/c\" "
	    "client_key_file = \"/k\" }\n" USERS MAILBOX,
	    "without TLS nobody sees it" },
	{ "a certificate to sign with, and no key", SMTP USERS SIGNS(
	    "smime_certificate = \"/c\""), "smime_key_file: must be given" },
	{ "a key to sign with, and no certificate", SMTP USERS SIGNS(
	    "smime_key_file = \"/k\""), "smime_certificate: must be given" },
	{ "a passphrase for no key", SMTP USERS SIGNS(
	    "smime_passphrase_file = \"/p\""),
	    "smime_certificate: must be given" },
	{ "a key to sign with, by a relative path", SMTP USERS SIGNS(
	    "smime_certificate = \"/c\"\nsmime_key_file = \"k\""),
	    "csrmaild.conf:6: smime_key_file: found \"k\"" },
	{ "an old TLS", SERVER("tls_min = 1.1") USERS MAILBOX,
	    "tls_min: found \"1.1\", allowed: 1.2, 1.3" },
	{ "too many sessions", SERVER("sessions = 9") USERS MAILBOX,
	    "sessions: found 9, allowed 1 to 8" },
	{ "a name of a CA that is a path", SMTP "ca \"../x\" { }\n",
	    "\"../x\" is no name for a CA" },
	{ "a relative path", "state_dir = \"x\"\n" SMTP,
	    "csrmaild.conf:2: state_dir: found \"x\"" },
	{ "a CRL that lapses before the next", SMTP "ca \"a\" { "
	    "crl_validity_s = 3600 crl_interval_s = 3600 }",
	    "crl_interval_s: found 3600, allowed 60 to 3599" },
	{ "no shard at all", SMTP "ca \"a\" { crl_shards = 0 }",
	    "crl_shards: found 0, allowed 1 to 1024" },
	{ "too many shards", SMTP "ca \"a\" { crl_shards = 1025 crl_url = "
	    "\"http://a/{ca}\" }", "crl_shards: found 1025" },
	{ "shards at one address", SMTP "ca \"a\" {\n"
	    "crl_url = \"http://a/a.crl\"\ncrl_shards = 2\n}",
	    "csrmaild.conf:5: crl_shards: there are several CRLs then, and "
	    "crl_url must have \"{ca}\"" },
	{ "shards without an address", SMTP "ca \"a\" { crl_shards = 2 }",
	    "crl_url must have" },
	{ "deltas at one address", SMTP "ca \"a\" { crl_url = "
	    "\"http://a/a.crl\" delta_interval_s = 3600 }",
	    "delta_interval_s: there are several" },
	{ "deltas as rare as full ones", SMTP "ca \"a\" { crl_url = "
	    "\"http://a/{ca}.crl\" delta_interval_s = 86400 }",
	    "delta_interval_s: found 86400, allowed 60 to 86399" },
	{ "deltas all the time", SMTP "ca \"a\" { crl_url = "
	    "\"http://a/{ca}.crl\" delta_interval_s = 59 }",
	    "delta_interval_s: found 59" },
};

START_TEST(deltas_and_shards_are_read_at_their_bounds)
{
	OWNED_STRUCT(settings) *s = NULL;
	struct err err = { 0 };

	write_conf(SMTP "ca \"a\" { crl_url = \"http://a/{ca}.crl\" "
	    "crl_shards = 1024 delta_interval_s = 86399 }\n"
	    "ca \"b\" { }");
	ck_assert_msg(settings_read(conf, &s, &err) == 0, "%s", err.text);
	ck_assert_uint_eq(s->cas[0].crl_shards, 1024);
	ck_assert_int_eq(s->cas[0].delta_interval_s, 86399);
	ck_assert_uint_eq(s->cas[1].crl_shards, 1);
	ck_assert_int_eq(s->cas[1].delta_interval_s, 0);
}
END_TEST

START_TEST(a_wrong_configuration_says_where_and_what)
{
	OWNED_STRUCT(settings) *s = NULL;
	struct err err = { 0 };

	write_conf(wrong[_i].text);
	ck_assert_msg(settings_read(conf, &s, &err) == -1, "%s",
	    wrong[_i].name);
	ck_assert_msg(strstr(err.text, wrong[_i].want) != NULL, "%s: %s",
	    wrong[_i].name, err.text);
	ck_assert_ptr_null(s);
}
END_TEST

START_TEST(a_policy_file_that_others_can_write_is_refused)
{
	OWNED_STRUCT(settings) *s = NULL;
	struct err err = { 0 };

	write_conf(SMTP USERS MAILBOX);
	run("chmod g+w $D/policies/rules/hold.conf");
	ck_assert_int_eq(settings_read(conf, &s, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "hold.conf"));
	run("rm $D/policies/rules/hold.conf");
	run("ln -s /etc/passwd $D/policies/rules/hold.conf");
	ck_assert_int_eq(settings_read(conf, &s, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "symbolic link"));
}
END_TEST

START_TEST(a_broken_profile_is_named)
{
	OWNED_STRUCT(settings) *s = NULL;
	struct err err = { 0 };

	write_conf(SMTP USERS MAILBOX);
	run("echo 'nonsense {' > $D/policies/profiles/zzz.conf");
	run("chmod 644 $D/policies/profiles/zzz.conf");
	ck_assert_int_eq(settings_read(conf, &s, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "zzz.conf:1: "));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("settings");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, the_configuration_as_shipped_is_correct);
	tcase_add_test(tc, a_folder_is_a_mailbox_without_servers);
	tcase_add_test(tc, a_server_is_told_who_we_are_in_four_ways);
	tcase_add_test(tc, roles_read_the_same_from_the_bundle);
	tcase_add_test(tc, who_verifies_dkim_reaches_the_roles);
	tcase_add_test(tc, secrets_reach_the_roles_as_digests_only);
	tcase_add_test(tc, anchors_and_words_reach_the_roles);
	tcase_add_loop_test(tc, anchors_and_words_that_are_wrong_are_told, 0,
	    ROWS(bad_files));
	tcase_add_test(tc, deltas_and_shards_are_read_at_their_bounds);
	tcase_add_loop_test(tc, a_wrong_configuration_says_where_and_what, 0,
	    ROWS(wrong));
	tcase_add_test(tc, a_policy_file_that_others_can_write_is_refused);
	tcase_add_test(tc, a_broken_profile_is_named);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
