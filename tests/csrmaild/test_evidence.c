#include "csrmaild/evidence.h"

#include "common/err.h"
#include "common/owned.h"
#include "tests/support/fixtures.h"
#include "tests/support/mail_stand.h"

#include <stdio.h>
#include <string.h>

/* Signatures: who is believed, over a real store and rules. */
#define USER	"user@example.test"
#define OTHER_OF_USER	"u@example.test"
#define OK(call)							\
	ck_assert_msg((call) == 0, "%s: %s (%s)", #call, err.text,	\
	    err.detail)

static struct err err;
static EVP_PKEY *key;
static struct csr *csr;

static const char rule_text[] =
    "rule \"signed\" {\n"
    "	evidence = { \"smime\" }\n"
    "	email = { \"@sender\" }\n"
    "	cn = { \"@sender\" }\n"
    "	action = sign\n"
    "}\n"
    "rule \"confirmed\" {\n"
    "	sender = { \"*@example.test\" }\n"
    "	evidence = { \"reply\" }\n"
    "	email = { \"@sender\" }\n"
    "	cn = { \"@sender\" }\n"
    "	action = sign\n"
    "}\n";

static void
set_up(void)
{
	mail_stand_open(rule_text);
	key = key_generate(KEY_P256, 0, &err);
	csr = mail_stand_csr(key, USER);
}

static void
tear_down(void)
{
	csr_free(csr);
	EVP_PKEY_free(key);
	mail_stand_close();
}

/* --- signatures ---------------------------------------------------------------- */

#define TBS	"\x30\x03own"
#define OURS	"\x30\x0c" TBS "\x03\x05\x01sign"

/* On record: our certificate with serial 7; der NULL: only that it is one. */
static void
certify_as(const char *der, enum cert_state state, time_t not_before,
    time_t not_after)
{
	const struct ca_row ca = { .name = "users", .parent = "",
		.cert = bytes_of("CERT"), .not_before = NOON - 9 * DAY,
		.not_after = NOON + 9 * DAY };
	struct cert_row row = { .state = CERT_ISSUED,
		.serial = { { 7 }, 1 }, .not_before = not_before,
		.not_after = not_after, .profile = "user",
		.names_text = "CN=a", .der = bytes_of(der == NULL ? "" : der),
		.origin = der == NULL ? "index.txt" : "", .reply_to = "" };

	OK(store_begin(mail_stand.store, &err));
	OK(store_add_ca(mail_stand.store, &ca, &row.ca_id, &err));
	OK(store_add_certificate(mail_stand.store, &row, &err));
	if (state == CERT_REVOKED)
		OK(store_revoke(mail_stand.store, row.ca_id, &row.serial, NOON,
		    CRL_CERTIFICATE_HOLD, 0, &err));
	OK(store_commit(mail_stand.store, &err));
}

static void
certify(enum cert_state state, time_t not_before, time_t not_after)
{
	certify_as(OURS, state, not_before, not_after);
}

static const struct {
	const char	*name;
	bool		 bad;		/* the signature */
	bool		 anchored;
	const char	*der;		/* of the signer */
	const char	*address;	/* in it */
	int64_t		 age_s;
	enum cert_state	 state;		/* of ours, on record; 0: none */
	time_t		 ends;		/* days from now */
	bool		 believed;
	bool		 is_ours;
	const char	*doubt;
	bool		 not_for_mail;
} signatures[] = {
	{ "ours", false, false, OURS, USER, 5, CERT_ISSUED, 1, true, true, "", false },
	{ "domain in capitals", false, false, OURS, "user@EXAMPLE.test", 5,
	  CERT_ISSUED, 1, true, true, "", false },
	{ "another CA that is trusted", false, true, "other", USER, 5, 0, 0,
	  true, false, "", false },
	{ "another CA", false, false, "other", USER, 5, 0, 0, false, false,
	  "neither ours", false },
	/* The serial alone says nothing. */
	{ "our serial, other octets", false, false, "forged", USER, 5,
	  CERT_ISSUED, 1, false, false, "neither ours", false },
	/* The serial of another CA, by chance. */
	{ "our serial, of a CA that is trusted", false, true, "other", USER, 5,
	  CERT_REVOKED, 1, true, false, "", false },
	/* (r, s) and (r, n - s) are both an ECDSA signature. */
	{ "revoked, signed in other octets", false, true,
	  "\x30\x0c" TBS "\x03\x05\x01SIGN", USER, 5, CERT_REVOKED, 1, false,
	  false, "not as we have issued it", false },
	{ "revoked, in more octets", false, true,
	  "\x30\x0e" TBS "\x03\x07\x01longer", USER, 5, CERT_REVOKED, 1, false,
	  false, "not as we have issued it", false },
	{ "revoked", false, false, OURS, USER, 5, CERT_REVOKED, 1, false,
	  false, "not in force", false },
	{ "revoked, and anchored", false, true, OURS, USER, 5, CERT_REVOKED, 1,
	  false, false, "not in force", false },
	{ "over", false, true, OURS, USER, 5, CERT_ISSUED, -1, false, false,
	  "not valid now", false },
	{ "another mailbox", false, true, "other", "boss@example.test", 5, 0,
	  0, false, false, "another mailbox", false },
	{ "local part in capitals", false, true, "other", "User@example.test",
	  5, 0, 0, false, false, "another mailbox", false },
	{ "for a server", false, false, OURS, USER, 5, CERT_ISSUED, 1, false,
	  false, "not for signing mail", true },
	{ "no mailbox", false, true, "other", NULL, 5, 0, 0, false, false,
	  "another mailbox", false },
	{ "bad", true, true, OURS, USER, 5, CERT_ISSUED, 1, false, false,
	  "does not fit", false },
	{ "old", false, true, OURS, USER, 5 * 86400 + 1, CERT_ISSUED, 1, false,
	  false, "older than five days", false },
	{ "from the future", false, true, OURS, USER, -3601, CERT_ISSUED, 1,
	  false, false, "in the future", false },
	{ "without a time", false, true, OURS, USER, NOON, CERT_ISSUED, 1,
	  false, false, "when it was made", false },
};

static void
fill_signature(struct wire_submit *m, int i)
{
	m->is_signed = true;
	m->signature = (struct signature){ .good = !signatures[i].bad,
		.for_mail = !signatures[i].not_for_mail,
		.anchored = signatures[i].anchored,
		.der = bytes_of(signatures[i].der), .serial = { { 7 }, 1 },
		.signed_at = NOON - signatures[i].age_s };
	strcpy(m->signature.text, signatures[i].bad ? "does not fit" : "");
	if (signatures[i].address != NULL)
		strcpy(m->signature.addresses[m->signature.n_addresses++],
		    signatures[i].address);
	if (signatures[i].state != 0)
		certify(signatures[i].state, NOON - 2 * DAY,
		    NOON + signatures[i].ends * DAY);
}

START_TEST(a_signature_counts_when_all_of_it_does)
{
	struct vouching v;
	struct wire_submit m;

	mail_stand_fill(&m, csr, USER);
	fill_signature(&m, _i);
	OK(evidence_weigh(&mail_stand, &m, &v, &err));
	ck_assert_msg(v.evidence == (signatures[_i].believed ?
	    EVIDENCE_SMIME : 0), "%s: %s", signatures[_i].name, v.doubt);
	ck_assert_msg((v.signer != 0) == signatures[_i].is_ours, "%s",
	    signatures[_i].name);
	ck_assert_msg(strstr(v.doubt, signatures[_i].doubt) != NULL, "%s: %s",
	    signatures[_i].name, v.doubt);
	/* Whose key has signed is another question. */
	ck_assert_msg(v.sound == (!signatures[_i].bad &&
	    signatures[_i].age_s <= 5 * 86400 &&
	    signatures[_i].age_s >= -3600), "%s", signatures[_i].name);
	ck_assert_msg((v.certificate != 0) == (v.sound &&
	    signatures[_i].state != 0 &&
	    strcmp(signatures[_i].der, OURS) == 0), "%s",
	    signatures[_i].name);
	wire_submit_free_contents(&m);
}
END_TEST

/* Of what came from another program there may be nothing but the serial. */
START_TEST(a_serial_that_is_revoked_is_believed_of_no_certificate)
{
	struct vouching v;
	struct wire_submit m;

	certify_as(NULL, CERT_REVOKED, NOON - 2 * DAY, NOON + DAY);
	mail_stand_fill(&m, csr, USER);
	m.is_signed = true;
	m.signature = (struct signature){ .good = true, .anchored = true,
		.der = bytes_of(OURS), .serial = { { 7 }, 1 },
		.signed_at = NOON, .n_addresses = 1, .addresses = { USER } };
	OK(evidence_weigh(&mail_stand, &m, &v, &err));
	ck_assert_uint_eq(v.evidence, 0);
	wire_submit_free_contents(&m);
}
END_TEST

/* What only the registrar can find out, no front may claim. */
START_TEST(evidence_that_intake_cannot_have_is_not_believed)
{
	struct vouching v;
	struct wire_submit m;

	mail_stand_fill(&m, csr, USER);
	m.envelope.evidence = EVIDENCE_ALL;
	OK(evidence_weigh(&mail_stand, &m, &v, &err));
	ck_assert_uint_eq(v.evidence, EVIDENCE_AUTH | EVIDENCE_DKIM);
	wire_submit_free_contents(&m);
}
END_TEST

START_TEST(a_signed_mail_is_signed_for_once_whoever_sends_it_again)
{
	struct stand_request first, second;
	struct wire_submit m;

	certify(CERT_ISSUED, NOON - DAY, NOON + DAY);
	for (int i = 0; i < 4; i++) {
		/* Nothing of the header is signed: another Message-ID, other
		 * evidence, another mailbox of the signer's. */
		mail_stand_fill(&m, csr, i == 2 ? OTHER_OF_USER : USER);
		m.envelope.evidence = i == 3 ? EVIDENCE_DKIM : 0;
		m.is_signed = true;
		m.signature = (struct signature){ .good = true,
			.for_mail = true, .der = bytes_of(OURS),
			.serial = { { 7 }, 1 },
			.signed_at = NOON, .n_addresses = 2,
			.addresses = { USER, OTHER_OF_USER } };
		ck_assert_int_eq(mail_stand_take(&m), OUTCOME_PROCESSED);
		if (i == 0)
			first = mail_stand_request();
	}
	second = mail_stand_request();
	ck_assert_str_eq(first.rule, "signed");
	ck_assert_int_eq(first.state, REQUEST_APPROVED);
	ck_assert_str_eq(first.evidence, "smime");
	ck_assert_int_eq(first.id, second.id);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("evidence");
	TCase *t = tcase_create("all");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_loop_test(t, a_signature_counts_when_all_of_it_does, 0,
	    ROWS(signatures));
	tcase_add_test(t,
	    a_serial_that_is_revoked_is_believed_of_no_certificate);
	tcase_add_test(t, evidence_that_intake_cannot_have_is_not_believed);
	tcase_add_test(t,
	    a_signed_mail_is_signed_for_once_whoever_sends_it_again);
	suite_add_tcase(s, t);
	return fixture_run(s);
}
