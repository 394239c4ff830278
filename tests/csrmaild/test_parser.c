#include "csrmaild/parser.h"

#include "common/clock.h"
#include "common/err.h"
#include "common/role.h"
#include "csrmaild/dkim_check.h"
#include "csrmaild/wire.h"
#include "tests/support/dkim_signer.h"
#include "tests/support/fixtures.h"

#include <openssl/cms.h>
#include <openssl/ec.h>
#include <openssl/pem.h>

#include <sys/socket.h>
#include <sys/wait.h>

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The role as a process of its own, as main would start it; we are two
 * intakes. */
struct rig {
	pid_t		 pid;
	struct channel	*control, *a, *b;
};

static struct rig rig;

static void
give(struct role *role, const char *name, int fd)
{
	size_t n = role->n_descriptors++;

	snprintf(role->descriptors[n].name, sizeof(role->descriptors[n].name),
	    "%s", name);
	role->descriptors[n].fd = fd;
}

static void
start(void)
{
	int control[2], a[2], b[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, control), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, a), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, b), 0);
	rig.pid = fork();
	if (rig.pid == 0) {
		struct role role = { .program = "csrmaild", .name = "parser",
		    .control = channel_new(control[1], "main", 65536, 65536) };

		close(control[0]);
		close(a[0]);
		close(b[0]);
		give(&role, "intake:a", a[1]);
		give(&role, "intake:b", b[1]);
		_exit(parser_main(&role));
	}
	close(control[1]);
	close(a[1]);
	close(b[1]);
	rig.control = channel_new(control[0], "parser", 65536, 65536);
	rig.a = channel_new(a[0], "parser", WIRE_MAX_FINDINGS, 8u << 20);
	rig.b = channel_new(b[0], "parser", WIRE_MAX_FINDINGS, 8u << 20);
}

static void
stop(void)
{
	int status;

	channel_free(rig.a);
	channel_free(rig.b);
	/* The end of the control channel is the order to stop. */
	channel_free(rig.control);
	ck_assert_int_eq(waitpid(rig.pid, &status, 0), rig.pid);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void
ask(struct channel *ch, uint64_t id, enum examine_kind kind,
    struct bytes octets)
{
	struct wire_examine m = { .id = id, .kind = kind, .max_depth = 10,
	    .max_parts = 100, .max_header_octets = 65536, .octets = octets };
	struct err err = { 0 };

	ck_assert_msg(wire_send_examine(ch, &m, &err) == 0, "%s", err.text);
}

static void
ask_text(struct channel *ch, uint64_t id, const char *mail)
{
	ask(ch, id, EXAMINE_MAIL, bytes_of(mail));
}

static struct findings *
answer(struct channel *ch)
{
	struct frame frame;
	struct findings *f = NULL;
	struct cursor c;
	struct err err = { 0 };

	ck_assert_msg(channel_await(ch, 30000, &frame, &err) == 0, "%s",
	    err.text);
	ck_assert_int_eq(frame.type, WIRE_FINDINGS);
	c = CURSOR(frame.payload);
	get_findings(&c, &f);
	ck_assert(cursor_end(&c));
	return f;
}

#define PLAIN "Subject: hello\r\n\r\nno request here\r\n"

START_TEST(a_mail_is_examined)
{
	OWNED_STRUCT(findings) *f = NULL;

	start();
	ask_text(rig.a, 7, PLAIN);
	f = answer(rig.a);
	ck_assert_uint_eq(f->id, 7);
	ck_assert_int_eq(f->status, FINDINGS_OK);
	ck_assert_uint_eq(f->n_candidates, 0);
	ck_assert_uint_eq(f->n_parts, 1);
	stop();
}
END_TEST

/* The child has let go of the channel by then. */
START_TEST(what_comes_with_a_question_reaches_the_child)
{
	static const struct dkim_signer signer = { "rsa2048", "rsa-sha256",
	    "", "From:Message-ID:Content-Type:Subject", true };
	OWNED_BUF(mail, 65536);
	OWNED_BUF(keys, WIRE_MAX_DKIM_KEYS);
	OWNED_STRUCT(findings) *f = NULL;
	struct wire_examine m = { .id = 9, .kind = EXAMINE_DKIM };
	char record[1024];
	struct err err = { 0 };

	dkim_signer_sign(&signer, "From: a@example.test\r\n"
	    "Message-ID: <1@b>\r\nSubject: hello\r\n", "no request here\r\n",
	    &mail);
	snprintf(record, sizeof(record), "p=%s",
	    dkim_signer_public("rsa2048"));
	dkim_keys_put(&keys, 0, bytes_of(record));
	m.octets = buf_bytes(&mail);
	m.dkim_keys = buf_bytes(&keys);
	start();
	ck_assert_int_eq(wire_send_examine(rig.a, &m, &err), 0);
	f = answer(rig.a);
	ck_assert_uint_eq(f->id, 9);
	ck_assert_msg(f->is_dkim && f->dkim.good, "%s", f->dkim.text);
	stop();
}
END_TEST

START_TEST(a_request_comes_back_checked)
{
	static const struct {
		const char	*name;
		enum examine_kind kind;
		size_t		 want;
		const char	*common_name;	/* of the first */
	} files[] = {
		{ "attached-der.eml",	EXAMINE_MAIL,	1,
		  "guest-attached-der@example.test" },
		{ "two.pem",		EXAMINE_CSR,	2, "a@example.test" },
	};

	start();
	for (int i = 0; i < ROWS(files); i++) {
		OWNED_STRUCT(findings) *f = NULL;
		OWNED_BUF(octets, 65536);
		char path[512];
		FILE *file;

		snprintf(path, sizeof(path), "%s/mail/%s", TEST_DATA,
		    files[i].name);
		file = fopen(path, "rb");
		ck_assert_ptr_nonnull(file);
		octets.len = fread(buf_reserve(&octets, 65000), 1, 65000,
		    file);
		fclose(file);
		ask(rig.b, 1, files[i].kind, buf_bytes(&octets));
		f = answer(rig.b);
		ck_assert_int_eq(f->status, FINDINGS_OK);
		ck_assert_uint_eq(f->n_candidates, files[i].want);
		ck_assert(f->candidates[0].good);
		ck_assert_str_eq(names_common_name(&f->candidates[0].names),
		    files[i].common_name);
	}
	stop();
}
END_TEST

/* Whatever a child does that was taken over, or falls over. */
static const struct {
	const char	*name;
	const char	*mail;
} deaths[] = {
	{ "dies",		"X-Parser-Test: abort\r\n\r\n" },
	{ "spins",		"X-Parser-Test: spin\r\n\r\n" },
	{ "says nothing",	"X-Parser-Test: hang\r\n\r\n" },
	{ "says too much",	"X-Parser-Test: flood\r\n\r\n" },
	{ "answers another",	"X-Parser-Test: other\r\n\r\n" },
	{ "speaks of signers",	"X-Parser-Test: signed\r\n\r\n" },
};

/* A mail signed by one who is an anchor himself, and that anchor. */
static void
sign(struct buf *mail, struct buf *anchors)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	BIO *in = BIO_new_mem_buf(PLAIN, -1), *out = BIO_new(BIO_s_mem()),
	    *pem = BIO_new(BIO_s_mem());
	CMS_ContentInfo *cms;
	char *data;
	long n;

	X509_set_version(cert, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_time_adj_ex(X509_getm_notBefore(cert), -1, 0, NULL);
	X509_time_adj_ex(X509_getm_notAfter(cert), 1, 0, NULL);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN",
	    MBSTRING_ASC, (const unsigned char *)"a", -1, -1, 0);
	X509_set_issuer_name(cert, X509_get_subject_name(cert));
	X509_set_pubkey(cert, key);
	ck_assert_int_gt(X509_sign(cert, key, EVP_sha256()), 0);
	cms = CMS_sign(cert, key, NULL, in, CMS_BINARY);
	ck_assert_int_eq(SMIME_write_CMS(out, cms, NULL, CMS_BINARY), 1);
	n = BIO_get_mem_data(out, &data);
	buf_append(mail, data, (size_t)n);
	PEM_write_bio_X509(pem, cert);
	n = BIO_get_mem_data(pem, &data);
	buf_append(anchors, data, (size_t)n);
	CMS_ContentInfo_free(cms);
	BIO_free(in);
	BIO_free(out);
	BIO_free(pem);
	X509_free(cert);
	EVP_PKEY_free(key);
}

START_TEST(who_signed_it_is_checked_by_the_anchors)
{
	OWNED_STRUCT(findings) *f = NULL;
	OWNED_BUF(mail, 65536);
	OWNED_BUF(anchors, 65536);
	struct wire_examine m = { .id = 3, .kind = EXAMINE_SIGNED,
		.max_depth = 10, .max_parts = 100, .max_header_octets = 65536 };
	struct err err = { 0 };

	sign(&mail, &anchors);
	m.octets = buf_bytes(&mail);
	m.anchors = buf_bytes(&anchors);
	start();
	ck_assert_int_eq(wire_send_examine(rig.a, &m, &err), 0);
	f = answer(rig.a);
	ck_assert(f->is_signed);
	ck_assert_msg(f->signature.good, "%s", f->signature.text);
	ck_assert(f->signature.anchored);
	stop();
}
END_TEST

START_TEST(a_child_that_fails_is_a_verdict)
{
	OWNED_STRUCT(findings) *f = NULL;
	OWNED_STRUCT(findings) *next = NULL;

	start();
	ask_text(rig.a, 11, deaths[_i].mail);
	f = answer(rig.a);
	ck_assert_uint_eq(f->id, 11);
	ck_assert_int_eq(f->status, FINDINGS_UNREADABLE);
	ck_assert_uint_eq(f->n_candidates, 0);
	ck_assert_str_ne(f->text, "");
	/* And the role lives on. */
	ask_text(rig.a, 12, PLAIN);
	next = answer(rig.a);
	ck_assert_uint_eq(next->id, 12);
	ck_assert_int_eq(next->status, FINDINGS_OK);
	stop();
}
END_TEST

/* Whoever gets broken findings ends: no mail may make the parser send some. */
START_TEST(broken_findings_are_a_verdict_too)
{
	OWNED_STRUCT(findings) *f = NULL;

	start();
	/* What this one writes bears the number of the question, and is cut. */
	ask_text(rig.a, 77, "X-Parser-Test: other\r\n\r\n");
	f = answer(rig.a);
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(f->id, 77);
	ck_assert_int_eq(f->status, FINDINGS_UNREADABLE);
	stop();
}
END_TEST

/* The child tries, and dies when something works. */
START_TEST(a_child_can_reach_nothing)
{
	OWNED_STRUCT(findings) *f = NULL;

	start();
	ask_text(rig.a, 1, "X-Parser-Test: escape\r\n\r\n");
	f = answer(rig.a);
	ck_assert_int_eq(f->status, FINDINGS_OK);
	stop();
}
END_TEST

START_TEST(a_slow_mail_holds_up_no_other)
{
	OWNED_STRUCT(findings) *quick = NULL;
	OWNED_STRUCT(findings) *slow = NULL;
	int64_t from;

	start();
	from = clock_monotonic_ms();
	ask_text(rig.a, 1, "X-Parser-Test: spin\r\n\r\n");
	ask_text(rig.b, 2, PLAIN);
	quick = answer(rig.b);
	ck_assert_int_eq(quick->status, FINDINGS_OK);
	slow = answer(rig.a);
	ck_assert_int_eq(slow->status, FINDINGS_UNREADABLE);
	/* Two seconds of processor, five of the clock; and some slack. */
	ck_assert_int_lt(clock_monotonic_ms() - from, 10000);
	stop();
}
END_TEST

START_TEST(more_questions_than_children_wait)
{
	uint64_t seen = 0;

	start();
	for (uint64_t id = 0; id < 20; id++)
		ask_text(rig.a, id, PLAIN);
	for (int i = 0; i < 20; i++) {
		OWNED_STRUCT(findings) *f = answer(rig.a);

		ck_assert_int_eq(f->status, FINDINGS_OK);
		seen |= (uint64_t)1 << f->id;
	}
	ck_assert_uint_eq(seen, ((uint64_t)1 << 20) - 1);
	stop();
}
END_TEST

START_TEST(a_peer_that_breaks_the_rules_is_dropped_alone)
{
	OWNED_STRUCT(findings) *f = NULL;
	struct frame frame;
	struct err err;

	start();
	ck_assert_int_eq(channel_send(rig.a, WIRE_ISSUE, bytes_of("x"), -1,
	    &err), 0);
	ck_assert_int_eq(channel_await(rig.a, 30000, &frame, &err), -1);
	ask_text(rig.b, 3, PLAIN);
	f = answer(rig.b);
	ck_assert_uint_eq(f->id, 3);
	stop();
}
END_TEST

START_TEST(mails_that_crash_libetpan_are_refused)
{
	OWNED_STRUCT(findings) *quote = NULL;
	OWNED_STRUCT(findings) *nested = NULL;
	OWNED_BUF(b, 2u << 20);

	start();
	ask_text(rig.a, 1, "Content-Type: multipart/mixed; boundary=\"\\\"\""
	    "\r\n\r\n--\"\r\n\r\nx\r\n--\"--\r\n");
	quote = answer(rig.a);
	ck_assert_int_eq(quote->status, FINDINGS_REFUSED);
	for (int i = 0; i < 30000; i++)
		buf_append_str(&b, "Content-Type: message/rfc822\r\n\r\n");
	ask(rig.a, 2, EXAMINE_MAIL, buf_bytes(&b));
	nested = answer(rig.a);
	ck_assert_int_eq(nested->status, FINDINGS_REFUSED);
	stop();
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("parser");
	TCase *tc = tcase_create("all");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_mail_is_examined);
	tcase_add_test(tc, what_comes_with_a_question_reaches_the_child);
	tcase_add_test(tc, a_request_comes_back_checked);
	tcase_add_test(tc, who_signed_it_is_checked_by_the_anchors);
	tcase_add_test(tc, broken_findings_are_a_verdict_too);
	tcase_add_loop_test(tc, a_child_that_fails_is_a_verdict, 0,
	    ROWS(deaths));
	tcase_add_test(tc, a_child_can_reach_nothing);
	tcase_add_test(tc, a_slow_mail_holds_up_no_other);
	tcase_add_test(tc, more_questions_than_children_wait);
	tcase_add_test(tc, a_peer_that_breaks_the_rules_is_dropped_alone);
	tcase_add_test(tc, mails_that_crash_libetpan_are_refused);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
