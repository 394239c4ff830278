#include "tests/support/mail_stand.h"

#include "csrmaild/acts.h"
#include "csrmaild/answer.h"
#include "csrmaild/key_check.h"
#include "csrmaild/renewal.h"

#include "common/err.h"
#include "tests/support/fixtures.h"
#include "tests/support/test_ca.h"

#include <openssl/bn.h>
#include <openssl/param_build.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Mails with a request become verdicts, over a real store and rules. */
#define registrar	mail_stand
static struct err err;
static EVP_PKEY *key;

#define OK(call)							\
	ck_assert_msg((call) == 0, "%s: %s (%s)", #call, err.text,	\
	    err.detail)

static const char rule_text[] =
    "rule \"enrol\" {\n"
    "	evidence = { \"auth\" }\n"
    "	email = { \"@sender\" }\n"
    "	cn = { \"@sender\" }\n"
    "	action = sign\n"
    "}\n";

static void
set_up(void)
{
	mail_stand_open(rule_text);
	key = key_generate(KEY_P256, 0, &err);
	ck_assert_ptr_nonnull(key);
}

static void
tear_down(void)
{
	mail_stand_close();
	EVP_PKEY_free(key);
}

/* A mail from `who` with a request for that address; what became of it. */
static struct stand_request
send_csr(const struct csr *csr, const char *who)
{
	struct wire_submit m;

	mail_stand_fill(&m, csr, who);
	m.envelope.evidence = EVIDENCE_AUTH;
	mail_stand_take(&m);
	return mail_stand_request();
}

START_TEST(a_key_nobody_knows_is_for_the_rules)
{
	OWNED_STRUCT(csr) *csr = mail_stand_csr(key, "a@example.test");
	struct stand_request seen = send_csr(csr, "a@example.test");

	ck_assert_msg(seen.state == REQUEST_APPROVED, "%s", seen.reason);
	ck_assert_str_eq(seen.rule, "enrol");
	/* Once more by the same person: a renewal. */
	seen = send_csr(csr, "a@example.test");
	ck_assert_msg(seen.state == REQUEST_APPROVED, "%s", seen.reason);
}
END_TEST

START_TEST(the_same_key_under_another_identity_is_held)
{
	OWNED_STRUCT(csr) *a = mail_stand_csr(key, "a@example.test");
	OWNED_STRUCT(csr) *b = mail_stand_csr(key, "b@example.test");
	struct stand_request seen = send_csr(a, "a@example.test");

	ck_assert_int_eq(seen.state, REQUEST_APPROVED);
	seen = send_csr(b, "b@example.test");
	ck_assert_msg(seen.state == REQUEST_HELD, "%s", seen.reason);
	ck_assert_ptr_nonnull(strstr(seen.reason, "another identity"));
}
END_TEST

START_TEST(the_key_of_a_ca_is_refused)
{
	OWNED_STRUCT(csr) *csr = mail_stand_csr(key, "a@example.test");
	struct stand_request seen;

	registrar.authorities.n = 1;
	memcpy(registrar.authorities.rows[0].key_sha1, csr->key.key_sha1, 20);
	seen = send_csr(csr, "a@example.test");
	ck_assert_int_eq(seen.state, REQUEST_REJECTED);
	ck_assert_ptr_nonnull(strstr(seen.reason, "one of our CAs"));
}
END_TEST

static const struct {
	bool		 compromised;
	bool		 compressed;	/* the request's point */
	const char	*says;
} blocks[] = {
	{ false, false, "is blocked" },
	{ true,	 false, "is compromised" },
	/* Another way of writing a key is no way around a block. */
	{ false, true,  "is blocked" },
};

START_TEST(a_blocked_key_is_refused_before_any_rule)
{
	OWNED_STRUCT(csr) *first = mail_stand_csr(key, "a@example.test");
	OWNED_STRUCT(csr) *csr = NULL;
	unsigned int revoked;
	struct stand_request seen;

	OK(registrar_block_key(&registrar, first->key.spki_sha256,
	    blocks[_i].compromised, "test", "unix:boss", NOON, &revoked,
	    &err));
	if (blocks[_i].compressed)
		EVP_PKEY_set_utf8_string_param(key, "point-format",
		    "compressed");
	csr = mail_stand_csr(key, "a@example.test");
	seen = send_csr(csr, "a@example.test");
	ck_assert_int_eq(seen.state, REQUEST_REJECTED);
	ck_assert_str_eq(seen.rule, "key");
	ck_assert_msg(strstr(seen.reason, blocks[_i].says) != NULL, "%s",
	    seen.reason);
	ck_assert_ptr_nonnull(strstr(seen.reason, "make a new key"));
	/* By no administrator either. */
	registrar.authorities.n = 1;
	strcpy(registrar.authorities.rows[0].name, "users");
	registrar.authorities.rows[0].settings = registrar.settings->cas;
	registrar.authorities.rows[0].not_before = NOON - DAY;
	registrar.authorities.rows[0].not_after = NOON + DAY;
	{
		const struct candidate c = { .good = true, .der = csr->der,
			.key = csr->key, .names = csr->names };
		int64_t id;

		ck_assert_int_eq(registrar_add_cli_request(&registrar, &c,
		    "users", "user", 0, "unix:boss", NOON, &id, &err), -1);
		ck_assert_int_eq(err.kind, ERR_REJECT);
		ck_assert_msg(strstr(err.text, blocks[_i].says) != NULL,
		    "%s", err.text);
	}
}
END_TEST

static int
note_event(const struct audit_row *row, void *arg)
{
	if (strcmp(row->event, "key.shared-prime") == 0)
		snprintf(arg, 300, "%s", row->detail);
	return 0;
}

/* Two RSA keys with a prime in common, both with real signatures. */
static EVP_PKEY *
make_rsa(const BIGNUM *p, const BIGNUM *q)
{
	OWNED(BN_CTX) *ctx = BN_CTX_new();
	OWNED(BIGNUM) *n = BN_new();
	OWNED(BIGNUM) *e = BN_new();
	OWNED(BIGNUM) *d = BN_new();
	OWNED(BIGNUM) *phi = BN_new();
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	OSSL_PARAM *params;
	EVP_PKEY_CTX *make = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	EVP_PKEY *out = NULL;

	BN_set_word(e, 65537);
	BN_mul(n, p, q, ctx);
	BN_sub(phi, n, p);
	BN_sub(phi, phi, q);
	BN_add_word(phi, 1);
	ck_assert_ptr_nonnull(BN_mod_inverse(d, e, phi, ctx));
	OSSL_PARAM_BLD_push_BN(build, "n", n);
	OSSL_PARAM_BLD_push_BN(build, "e", e);
	OSSL_PARAM_BLD_push_BN(build, "d", d);
	params = OSSL_PARAM_BLD_to_param(build);
	EVP_PKEY_fromdata_init(make);
	ck_assert_int_eq(EVP_PKEY_fromdata(make, &out, EVP_PKEY_KEYPAIR,
	    params), 1);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(build);
	EVP_PKEY_CTX_free(make);
	return out;
}

static void
certify(const uint8_t spki_sha256[32])
{
	const struct ca_row ca = { .name = "users", .parent = "",
		.cert = bytes_of("CERT"), .not_before = NOON,
		.not_after = NOON + DAY };
	struct cert_row row = { .state = CERT_ISSUED,
		.serial = { { 1 }, 1 }, .not_before = NOON,
		.not_after = NOON + DAY, .profile = "user",
		.names_text = "CN=a", .der = bytes_of("DER"),
		.reply_to = "", .spki_sha256 = spki_sha256 };

	OK(store_begin(registrar.store, &err));
	OK(store_add_ca(registrar.store, &ca, &row.ca_id, &err));
	OK(store_add_certificate(registrar.store, &row, &err));
	OK(store_commit(registrar.store, &err));
}

/* How many sentences `csrmail status` gets; the first has these words, and
 * the command that names this key. */
static size_t
n_troubles(const char *words, const uint8_t *spki_sha256)
{
	json_t *trouble = json_array();
	const char *first;
	char hex[65];
	size_t n;

	key_check_describe_trouble(&registrar, trouble);
	n = json_array_size(trouble);
	if (spki_sha256 != NULL && n > 0) {
		first = json_string_value(json_array_get(trouble, 0));
		hex_encode((struct bytes){ spki_sha256, 32 }, hex);
		ck_assert_msg(strstr(first, words) != NULL, "%s", first);
		ck_assert_msg(strstr(first, hex) != NULL, "%s", first);
	}
	json_decref(trouble);
	return n;
}

START_TEST(a_key_that_shares_a_prime_is_refused_and_its_kin_named)
{
	OWNED(BIGNUM) *p = BN_new();
	OWNED(BIGNUM) *q = BN_new();
	OWNED(BIGNUM) *r = BN_new();
	OWNED(EVP_PKEY) *one = NULL;
	OWNED(EVP_PKEY) *two = NULL;
	OWNED_STRUCT(csr) *a = NULL;
	OWNED_STRUCT(csr) *b = NULL;
	char detail[300] = "";
	struct stand_request seen;

	BN_generate_prime_ex(p, 1024, 0, NULL, NULL, NULL);
	BN_generate_prime_ex(q, 1024, 0, NULL, NULL, NULL);
	BN_generate_prime_ex(r, 1024, 0, NULL, NULL, NULL);
	one = make_rsa(p, q);
	two = make_rsa(q, r);
	a = mail_stand_csr(one, "a@example.test");
	b = mail_stand_csr(two, "b@example.test");
	seen = send_csr(a, "a@example.test");
	ck_assert_msg(seen.state == REQUEST_APPROVED, "%s", seen.reason);
	seen = send_csr(b, "b@example.test");
	ck_assert_int_eq(seen.state, REQUEST_REJECTED);
	ck_assert_ptr_nonnull(strstr(seen.reason, "shares a prime"));
	ck_assert_ptr_null(strstr(seen.reason, "a@example.test"));
	OK(store_each_audit(registrar.store, 0, 100, note_event, detail,
	    &err));
	ck_assert_ptr_nonnull(strstr(detail,
	    "of request:1, mail:a@example.test"));
	/* Nothing is certified yet, so nothing is to be done. */
	ck_assert_uint_eq(n_troubles("", NULL), 0);
	certify(a->key.spki_sha256);
	ck_assert_uint_eq(n_troubles("request:1 shares a prime",
	    a->key.spki_sha256), 1);
	/* The first one again, too: its private half is as good as known. */
	seen = send_csr(a, "a@example.test");
	ck_assert_int_eq(seen.state, REQUEST_REJECTED);
}
END_TEST

/* --- the same request again -------------------------------------------------- */

static int
note_id(const struct cert_row *row, void *arg)
{
	*(int64_t *)arg = row->id;
	return 0;
}

static int
note_renews(const struct request_row *row, void *arg)
{
	*(int64_t *)arg = row->renews;
	return 0;
}

/* What that request renews. */
static int64_t
renewed_by(int64_t request)
{
	int64_t id = -1;

	OK(store_find_request(registrar.store, request, note_renews, &id,
	    &err));
	return id;
}

static int
note_submission(const struct request_row *row, void *arg)
{
	*(int64_t *)arg = row->submission;
	return 0;
}

static int64_t
submission_of(int64_t request)
{
	int64_t id = 0;

	OK(store_find_request(registrar.store, request, note_submission, &id,
	    &err));
	return id;
}

static int64_t
add_ca(void)
{
	const struct ca_row ca = { .name = "users", .parent = "",
		.cert = bytes_of("CERT"), .not_before = NOON - DAY,
		.not_after = NOON + 3650 * DAY };
	int64_t id;

	OK(store_begin(registrar.store, &err));
	OK(store_add_ca(registrar.store, &ca, &id, &err));
	OK(store_commit(registrar.store, &err));
	return id;
}

/* The request gets a certificate with that serial, over in that time. */
static int64_t
certify_request(int64_t ca, const struct request_row *request, uint8_t n,
    struct bytes der, time_t over)
{
	struct cert_row row = { .ca_id = ca, .serial = { { 0x77, n }, 2 },
		.request = request->id, .state = CERT_RESERVED,
		.not_before = NOON - DAY, .not_after = NOON + over,
		.order = bytes_of("ORDER"), .profile = request->profile,
		.names_text = "", .spki_sha256 = request->spki_sha256 };
	int64_t id = 0;

	OK(store_begin(registrar.store, &err));
	OK(store_reserve(registrar.store, &row, &err));
	OK(store_issue(registrar.store, ca, &row.serial, der, &err));
	if (request->renews != 0)
		OK(renewal_take_issued(&registrar, request->renews, ca,
		    &row.serial, &err));
	OK(store_find_certificate(registrar.store, ca, &row.serial, note_id,
	    &id, &err));
	OK(store_commit(registrar.store, &err));
	return id;
}

static const struct old {
	const char	*name;
	const char	*ca, *profile, *principal;	/* of the old one */
	bool		 other_names, other_key;
	time_t		 over;		/* that long from now */
	int		 reason;	/* 0: it is not revoked */
	bool		 blocked;	/* the key: the request is refused */
	bool		 want;
} olds[] = {
	{ "the same",		"users", "user", "mail:a@example.test",
	    false, false, DAY, 0, false, true },
	{ "another CA",		"staff", "user", "mail:a@example.test",
	    false, false, DAY, 0, false, false },
	{ "another profile",	"users", "host", "mail:a@example.test",
	    false, false, DAY, 0, false, false },
	{ "another person's",	"users", "user", "mail:b@example.test",
	    false, false, DAY, 0, false, false },
	{ "other names",	"users", "user", "mail:a@example.test",
	    true, false, DAY, 0, false, false },
	{ "another key",	"users", "user", "mail:a@example.test",
	    false, true, DAY, 0, false, false },
	{ "over",		"users", "user", "mail:a@example.test",
	    false, false, -1, 0, false, false },
	{ "over now",		"users", "user", "mail:a@example.test",
	    false, false, 0, 0, false, true },
	{ "revoked",		"users", "user", "mail:a@example.test",
	    false, false, DAY, CRL_SUPERSEDED, false, false },
	{ "on hold",		"users", "user", "mail:a@example.test",
	    false, false, DAY, CRL_CERTIFICATE_HOLD, false, false },
	{ "refused",		"users", "user", "mail:a@example.test",
	    false, false, DAY, 0, true, false },
};

/* The request from which the old one was made; the caller's row borrows. */
static void
add_old(const struct old *old, const struct csr *csr,
    struct request_row *row, struct buf *names)
{
	static const uint8_t other[32] = { 9 };
	struct submission_row mail = { .channel = "mail", .mailbox = "users",
		.principal = old->principal, .evidence = "auth",
		.reply_to = "", .message_id = "", .references = "",
		.subject = "", .outcome = "processed", .received_at = NOON };

	put_names(names, &csr->names);
	*row = (struct request_row){ .state = REQUEST_APPROVED,
		.ca = old->ca, .profile = old->profile,
		.csr = csr->der, .names = old->other_names ?
		bytes_of("others") : buf_bytes(names), .names_text = "",
		.key_text = "", .rule = "", .reason = "", .ignored = "",
		.decided_by = "", .spki_sha256 = old->other_key ?
		other : csr->key.spki_sha256 };
	mail.identity[0] = 1;
	OK(store_begin(registrar.store, &err));
	OK(store_add_submission(registrar.store, &mail, &row->submission,
	    &err));
	OK(store_add_request(registrar.store, row, &row->id, &err));
	OK(store_commit(registrar.store, &err));
}

START_TEST(the_same_request_again_renews_what_is_in_force)
{
	OWNED_STRUCT(csr) *csr = mail_stand_csr(key, "a@example.test");
	const struct old *old = &olds[_i];
	int64_t ca = add_ca(), id, wanted;
	const struct serial serial = { { 0x77, 1 }, 2 };
	struct request_row row;
	OWNED_BUF(names, 4096);
	unsigned int revoked;
	struct stand_request seen;

	add_old(old, csr, &row, &names);
	id = certify_request(ca, &row, 1, bytes_of("DER"), old->over);
	if (old->reason != 0) {
		OK(store_begin(registrar.store, &err));
		OK(store_revoke(registrar.store, ca, &serial, NOON,
		    (enum crl_reason)old->reason, 0, &err));
		OK(store_commit(registrar.store, &err));
	}
	if (old->blocked)
		OK(registrar_block_key(&registrar, csr->key.spki_sha256,
		    false, "test", "unix:boss", NOON, &revoked, &err));
	seen = send_csr(csr, "a@example.test");
	ck_assert_int_eq(seen.state == REQUEST_REJECTED, old->blocked);
	wanted = old->want ? id : 0;
	ck_assert_msg(renewed_by(seen.id) == wanted, "%s: %d", old->name,
	    (int)renewed_by(seen.id));
}
END_TEST

/* Its answer says so, and the one after it renews the newest. */
START_TEST(a_renewal_by_mail_is_told_what_it_is_in_place_of)
{
	OWNED_STRUCT(csr) *csr = mail_stand_csr(key, "a@example.test");
	struct test_ca issuer;
	struct request_row row;
	OWNED_BUF(names, 4096);
	OWNED_BUF(mail, 1u << 20);
	uint8_t *der = NULL;
	struct bytes cert;
	int64_t ca = add_ca(), first, second;
	struct stand_request seen;

	test_ca_make(&issuer, KEY_P256);
	cert.len = (size_t)i2d_X509(issuer.cert, &der);
	cert.data = der;
	add_old(&olds[0], csr, &row, &names);
	first = certify_request(ca, &row, 1, cert, DAY);
	row.id = send_csr(csr, "a@example.test").id;
	row.renews = renewed_by(row.id);
	ck_assert_int_eq(row.renews, first);
	second = certify_request(ca, &row, 2, cert, DAY);
	OK(store_begin(registrar.store, &err));
	OK(submission_answer(&registrar, submission_of(row.id), &err));
	OK(store_commit(registrar.store, &err));
	ck_assert_str_eq(mail_stand_mail(&mail, NULL), "a@example.test");
	ck_assert_msg(strstr(buf_str(&mail), "In place of: 7701,") != NULL,
	    "%s", buf_str(&mail));
	seen = send_csr(csr, "a@example.test");
	ck_assert_int_eq(renewed_by(seen.id), second);
	OPENSSL_free(der);
	test_ca_free(&issuer);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("submission");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, a_key_nobody_knows_is_for_the_rules);
	tcase_add_test(tc, the_same_key_under_another_identity_is_held);
	tcase_add_test(tc, the_key_of_a_ca_is_refused);
	tcase_add_loop_test(tc, a_blocked_key_is_refused_before_any_rule, 0,
	    ROWS(blocks));
	tcase_add_test(tc,
	    a_key_that_shares_a_prime_is_refused_and_its_kin_named);
	tcase_add_loop_test(tc,
	    the_same_request_again_renews_what_is_in_force, 0, ROWS(olds));
	tcase_add_test(tc,
	    a_renewal_by_mail_is_told_what_it_is_in_place_of);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
