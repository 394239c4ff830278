#include "csrmaild/revocation_mail.h"

#include "csrmaild/acts.h"

#include "common/err.h"
#include "common/issue.h"
#include "common/owned.h"
#include "tests/support/fixtures.h"
#include "tests/support/mail_stand.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Who may have what revoked by mail, over a real store and rules. */
#define USER	"user@example.test"
#define ADMIN	"admin@example.test"
#define DESK	"desk@example.test"
#define OK(call)							\
	ck_assert_msg((call) == 0, "%s: %s (%s)", #call, err.text,	\
	    err.detail)

static struct err err;
static int64_t users, users2, others;

static const char rule_text[] =
    "rule \"secrets\" {\n"
    "	for = \"revocation\"\n"
    "	dns = { \"*.secret.test\" }\n"
    "	action = reject\n"
    "	text = \"never by mail\"\n"
    "}\n"
    "rule \"own holds\" {\n"
    "	for = \"revocation\"\n"
    "	own = true\n"
    "	sender = { \"" DESK "\" }\n"
    "	reason = { \"certificateHold\" }\n"
    "	action = revoke\n"
    "}\n"
    "rule \"own\" {\n"
    "	for = \"revocation\"\n"
    "	own = true\n"
    "	action = revoke\n"
    "}\n"
    "rule \"admins\" {\n"
    "	for = \"revocation\"\n"
    "	sender = { \"" ADMIN "\" }\n"
    "	evidence = { \"smime\" }\n"
    "	dns = { \"*.example.test\" }\n"
    "	cn = { \"@san\" }\n"
    "	action = revoke\n"
    "}\n"
    "rule \"sign nobody's revocation\" {\n"
    "	evidence = { \"smime\" }\n"
    "	email = { \"@sender\" }\n"
    "	cn = { \"@sender\" }\n"
    "	action = sign\n"
    "}\n";

/* What is on record. */
static const struct {
	uint8_t		 serial;
	char		 ca;		/* of users, users~2 or others */
	uint8_t		 key;
	const char	*name;		/* "email:", "DNS:"; NULL: imported */
	const char	*profile;
	int		 days;		/* left */
	enum crl_reason	 revoked;	/* with that; CRL_REMOVE_FROM_CRL: not */
} certs[] = {
	{ 1, 'u', 1, "email:" USER, "user", 9, CRL_REMOVE_FROM_CRL },
	{ 2, 'u', 2, "email:" ADMIN, "user", 9, CRL_REMOVE_FROM_CRL },
	{ 3, 'u', 3, "DNS:www.example.test", "tls", 9, CRL_REMOVE_FROM_CRL },
	{ 4, 'u', 4, "DNS:a.elsewhere.test", "tls", 9, CRL_REMOVE_FROM_CRL },
	{ 5, 'u', 5, "DNS:a.secret.test", "tls", 9, CRL_REMOVE_FROM_CRL },
	{ 6, 'u', 6, NULL, "", 9, CRL_REMOVE_FROM_CRL },
	{ 7, '2', 7, "DNS:new.example.test", "tls", 9, CRL_REMOVE_FROM_CRL },
	{ 8, 'o', 8, "DNS:www.example.test", "tls", 9, CRL_REMOVE_FROM_CRL },
	{ 9, 'u', 9, "DNS:ca.example.test", "ca", 9, CRL_REMOVE_FROM_CRL },
	{ 10, 'u', 10, "DNS:ocsp.example.test", "ocsp-responder", 9,
	  CRL_REMOVE_FROM_CRL },
	{ 11, 'u', 11, "email:" USER, "user", 9, CRL_SUPERSEDED },
	{ 12, 'u', 12, "email:" USER, "user", 9, CRL_CERTIFICATE_HOLD },
	{ 13, 'u', 13, "email:" USER, "user", -1, CRL_REMOVE_FROM_CRL },
	{ 14, 'u', 1, "email:" USER, "user", 9, CRL_REMOVE_FROM_CRL },
	{ 15, 'u', 15, "DNS:both.example.test", "tls", 9,
	  CRL_REMOVE_FROM_CRL },
	{ 16, 'o', 15, "DNS:both.example.test", "tls", 9,
	  CRL_REMOVE_FROM_CRL },
	{ 17, 'u', 17, "DNS:shared.example.test", "tls", 9,
	  CRL_REMOVE_FROM_CRL },
	{ 18, 'o', 17, "DNS:sub.example.test", "ca", 9, CRL_REMOVE_FROM_CRL },
	{ 19, 'u', 11, "email:" USER, "user", 9, CRL_REMOVE_FROM_CRL },
	{ 20, 'u', 20, "email:" DESK, "user", 9, CRL_REMOVE_FROM_CRL },
};

static struct bytes
der_of(uint8_t serial)
{
	static char texts[256][32];

	snprintf(texts[serial], sizeof(texts[0]), "certificate %u", serial);
	return bytes_of(texts[serial]);
}

static int64_t
add_ca(const char *name, uint8_t key)
{
	const struct ca_row row = { .name = name, .parent = "",
		.cert = der_of(key), .key_sha1 = { key },
		.not_before = NOON - 9 * DAY, .not_after = NOON + 99 * DAY };
	struct authority *a;
	int64_t id;

	OK(store_add_ca(mail_stand.store, &row, &id, &err));
	a = &mail_stand.authorities.rows[mail_stand.authorities.n++];
	*a = (struct authority){ .id = id, .key_sha1 = { key } };
	strcpy(a->name, name);
	return id;
}

static void
freeze(const char *name, struct buf *out)
{
	struct order order = { .ca = "users", .profile = "tls",
		.serial = { { 1 }, 1 }, .not_before = NOON,
		.not_after = NOON + DAY, .csr = bytes_of("CSR") };
	const char *text = strchr(name, ':') + 1;

	OK(names_add_attribute(&order.names, NID_commonName, bytes_of(text),
	    &err));
	OK(names_add_san(&order.names, name[0] == 'D' ? SAN_DNS : SAN_EMAIL,
	    bytes_of(text), &err));
	OK(order_encode(&order, out));
	names_free(&order.names);
}

static void
certify(int i)
{
	const uint8_t spki[32] = { certs[i].key };
	OWNED_BUF(order, 65536);
	struct cert_row row = { .ca_id = certs[i].ca == 'u' ? users :
		certs[i].ca == '2' ? users2 : others,
		.state = CERT_ISSUED, .serial = { { certs[i].serial }, 1 },
		.not_before = NOON - 5 * DAY,
		.not_after = NOON + certs[i].days * DAY,
		.profile = certs[i].profile, .names_text = "CN=a",
		.der = der_of(certs[i].serial), .spki_sha256 = spki,
		.origin = certs[i].name == NULL ? "openssl" : "" };

	if (certs[i].name != NULL)
		freeze(certs[i].name, &order);
	row.order = buf_bytes(&order);
	OK(store_add_certificate(mail_stand.store, &row, &err));
	if (certs[i].revoked != CRL_REMOVE_FROM_CRL)
		OK(store_revoke(mail_stand.store, row.ca_id, &row.serial,
		    NOON - DAY, certs[i].revoked, 0, &err));
}

static void
set_up(void)
{
	mail_stand_open(rule_text);
	OK(store_begin(mail_stand.store, &err));
	users = add_ca("users", 101);
	users2 = add_ca("users~2", 102);
	others = add_ca("others", 103);
	for (int i = 0; i < ROWS(certs); i++)
		certify(i);
	OK(store_commit(mail_stand.store, &err));
}

static void
tear_down(void)
{
	mail_stand_close();
}

/* What is asked, and signed how. */
struct asking {
	const char	*from;
	uint8_t		 signer;	/* whose certificate; 0: not signed */
	bool		 forged;	/* other octets than on record */
	bool		 bad;		/* the signature */
	int64_t		 age_s;
	uint8_t		 serial;	/* to be revoked; 0: none is named */
	enum crl_reason	 reason;
};

static void
fill(struct wire_submit *m, const struct asking *a)
{
	struct wish *wish;

	mail_stand_fill(m, NULL, a->from);
	wish = &m->findings->wishes[m->findings->n_wishes++];
	*wish = (struct wish){ .kind = WISH_REVOKE, .reason = a->reason };
	if (a->serial != 0)
		wish->serial = (struct serial){ { a->serial }, 1 };
	memset(m->octets_digest, a->serial * 32 + a->signer,
	    sizeof(m->octets_digest));
	if (a->signer == 0)
		return;
	m->is_signed = true;
	m->signature = (struct signature){ .good = !a->bad,
		.for_mail = true,
		.der = a->forged ? bytes_of("forged") : der_of(a->signer),
		.serial = { { a->signer }, 1 },
		.signed_at = NOON - a->age_s };
	strcpy(m->signature.text, a->bad ? "it does not fit" : "");
	for (int i = 0; i < ROWS(certs); i++)
		if (certs[i].serial == a->signer && certs[i].name != NULL &&
		    certs[i].name[0] == 'e')
			strcpy(m->signature.addresses[
			    m->signature.n_addresses++], certs[i].name + 6);
}

struct seen {
	int64_t		id;
	enum revocation_state state;
	char		rule[64], why[256], by[256], to[256];
};

static int
note(const struct revocation_row *row, void *arg)
{
	struct seen *seen = arg;

	*seen = (struct seen){ .id = row->id, .state = row->state };
	snprintf(seen->rule, sizeof(seen->rule), "%s", row->rule);
	snprintf(seen->why, sizeof(seen->why), "%s", row->why);
	snprintf(seen->by, sizeof(seen->by), "%s", row->decided_by);
	snprintf(seen->to, sizeof(seen->to), "%s", row->reply_to);
	return 0;
}

static struct seen
last(void)
{
	struct seen seen = { 0 };

	OK(store_each_revocation(mail_stand.store, (enum revocation_state)0,
	    0, 1000, note, &seen, &err));
	return seen;
}

static struct status_row
status_of(uint8_t number)
{
	const struct serial serial = { { number }, 1 };
	struct status_row row = { 0 };
	int64_t ca = users;

	for (int i = 0; i < ROWS(certs); i++)
		if (certs[i].serial == number)
			ca = certs[i].ca == 'u' ? users :
			    certs[i].ca == '2' ? users2 : others;
	OK(store_find_status(mail_stand.store, ca, &serial, &row, &err));
	return row;
}

static enum outcome
ask(const struct asking *a)
{
	struct wire_submit m;

	fill(&m, a);
	return mail_stand_take(&m);
}

#define DONE	REVOCATION_REVOKED
#define HELD	REVOCATION_HELD
#define NO	REVOCATION_REJECTED

static const struct {
	const char	*name;
	struct asking	 ask;
	enum revocation_state want;
	const char	*rule, *why;
	uint8_t		 meant;		/* whose status: */
	bool		 revoked;
	const char	*to;		/* who is answered */
} mails[] = {
	{ "own key, none named",
	  { USER, .signer = 1, .reason = CRL_SUPERSEDED },
	  DONE, "own", "", 1, true, USER },
	{ "own key, named",
	  { USER, .signer = 1, .serial = 1 }, DONE, "own", "", 1,
	  true, USER },
	{ "a server's own key, anybody sends it",
	  { "x@evil.test", .signer = 3 },
	  DONE, "own", "", 3, true, "" },
	{ "a server's own key, nobody sends it",
	  { "", .signer = 3 }, DONE, "own", "",
	  3, true, "" },
	{ "another certificate of the same key",
	  { USER, .signer = 1, .serial = 14 },
	  DONE, "own", "", 14, true, USER },
	{ "own key, by the next generation",
	  { "", .signer = 7, .serial = 7 }, DONE,
	  "own", "", 7, true, "" },
	/* Its names are not known: on no list that grants, on each other. */
	{ "imported, own key", { "", .signer = 6 }, NO, "secrets", "never",
	  6, false, "" },
	{ "from a mailbox that it does not bear",
	  { "x@example.test", .signer = 1 },
	  DONE, "own", "", 1, true, "" },
	/* The key is proved also by a certificate that has ended since. */
	{ "on hold, for good",
	  { USER, .signer = 12, .reason = CRL_SUPERSEDED }, DONE,
	  "own", "", 12, true, USER },
	{ "by a revoked one of the same key",
	  { USER, .signer = 11, .serial = 19 },
	  DONE, "own", "", 19, true, "" },
	{ "on hold, once more",
	  { USER, .signer = 12, .reason = CRL_CERTIFICATE_HOLD },
	  DONE, "revocation", "on hold already", 12, true, USER },
	{ "revoked before", { USER, .signer = 11 }, DONE, "revocation",
	  "revoked already", 11, true, USER },
	{ "over",
	  { USER, .signer = 13 }, NO, "revocation", "has ended", 13, false,
	  USER },
	{ "a rule forbids it all the same", { "", .signer = 5 }, NO, "secrets",
	  "never by mail", 5, false, "" },
	{ "a hold, that the rule does not name", { USER, .signer = 1,
	  .reason = CRL_CERTIFICATE_HOLD }, HELD, "default", "no rule", 1,
	  false, USER },
	{ "a hold, that a rule names", { DESK, .signer = 20,
	  .reason = CRL_CERTIFICATE_HOLD }, DONE, "own holds", "", 20, true,
	  DESK },

	{ "an admin",
	  { ADMIN, .signer = 2, .serial = 3, .reason = CRL_SUPERSEDED },
	  DONE, "admins", "", 3, true, ADMIN },
	{ "an admin, elsewhere",
	  { ADMIN, .signer = 2, .serial = 4 }, HELD, "default",
	  "no rule", 4, false, ADMIN },
	{ "an admin, what nobody may", { ADMIN, .signer = 2, .serial = 5 }, NO,
	  "secrets", "never by mail", 5, false, ADMIN },
	{ "an admin, imported",
	  { ADMIN, .signer = 2, .serial = 6 }, NO, "secrets",
	  "never", 6, false, ADMIN },
	{ "an admin, another CA's", { ADMIN, .signer = 2, .serial = 8 }, NO,
	  "revocation", "no certificate with this", 8, false, ADMIN },
	{ "an admin, a CA",
	  { ADMIN, .signer = 2, .serial = 9 }, NO, "revocation",
	  "of this kind", 9, false, ADMIN },
	{ "an admin, a responder", { ADMIN, .signer = 2, .serial = 10 }, NO,
	  "revocation", "of this kind", 10, false, ADMIN },
	{ "an admin, a lost key", { ADMIN, .signer = 2, .serial = 3,
	  .reason = CRL_KEY_COMPROMISE }, DONE, "admins", "", 3, true,
	  ADMIN },
	{ "an admin, a lost key that another CA knows", { ADMIN, .signer = 2,
	  .serial = 15, .reason = CRL_KEY_COMPROMISE }, HELD, "revocation",
	  "other CAs", 15, false, ADMIN },
	{ "own key, lost, that another CA knows", { "", .signer = 15,
	  .reason = CRL_KEY_COMPROMISE }, DONE, "own", "", 16, true, "" },
	{ "own key, lost, that a CA has", { "", .signer = 17,
	  .reason = CRL_KEY_COMPROMISE }, HELD, "revocation", "a CA has", 17,
	  false, "" },
	{ "an admin whose mail another sends", { "x@evil.test", .signer = 2,
	  .serial = 3 }, NO, "revocation", "another mailbox", 3, false, "" },
	{ "another user", { USER, .signer = 1, .serial = 3 }, HELD, "default",
	  "no rule", 3, false, USER },
	{ "a server speaks for nobody else",
	  { "", .signer = 3, .serial = 1 }, NO,
	  "revocation", "another mailbox", 1, false, "" },
	{ "a revoked admin",
	  { USER, .signer = 11, .serial = 3 }, NO, "revocation",
	  "not in force", 3, false, "" },

	{ "not signed", { USER, .signer = 0, .serial = 1 }, NO, "revocation",
	  "not signed", 1, false, "" },
	{ "signed wrongly",
	  { USER, .signer = 1, .bad = true }, NO, "revocation",
	  "does not fit", 1, false, "" },
	{ "signed long ago", { USER, .signer = 1, .age_s = 5 * DAY + 1 }, NO,
	  "revocation", "five days", 1, false, "" },
	{ "signed in the future", { USER, .signer = 1, .age_s = -3601 }, NO,
	  "revocation", "future", 1, false, "" },
	{ "signed without a time", { USER, .signer = 1, .age_s = NOON }, NO,
	  "revocation", "when it was made", 1, false, "" },
	{ "our serial, other octets", { USER, .signer = 1, .forged = true }, NO,
	  "revocation", "not from here", 1, false, "" },
	{ "the same, named",
	  { USER, .signer = 1, .forged = true, .serial = 1 }, NO,
	  "revocation", "not made with the key", 1, false, "" },
	{ "another CA's own key", { "", .signer = 8 }, NO, "revocation",
	  "no certificate with this", 8, false, "" },
	{ "an unknown serial",
	  { ADMIN, .signer = 2, .serial = 99 }, NO, "revocation",
	  "no certificate with this", 2, false, ADMIN },
	{ "to lift a hold",
	  { USER, .signer = 12, .reason = CRL_REMOVE_FROM_CRL }, NO,
	  "revocation", "not lifted", 12, true, USER },
	{ "a reason of CAs",
	  { USER, .signer = 1, .reason = CRL_CA_COMPROMISE }, NO,
	  "revocation", "authorities", 1, false, USER },
	{ "another", { USER, .signer = 1, .reason = CRL_AA_COMPROMISE }, NO,
	  "revocation", "authorities", 1, false, USER },
};

START_TEST(who_may_is_decided_by_signature_and_rules)
{
	static const enum outcome outcomes[] = { [DONE] = OUTCOME_PROCESSED,
		[HELD] = OUTCOME_HELD, [NO] = OUTCOME_REJECTED };
	enum outcome outcome = ask(&mails[_i].ask);
	struct seen seen = last();
	unsigned int n;

	ck_assert_msg(seen.state == mails[_i].want, "%s: %s by %s: %s",
	    mails[_i].name, revocation_state_name(seen.state), seen.rule,
	    seen.why);
	ck_assert_msg(strcmp(seen.rule, mails[_i].rule) == 0, "%s: %s",
	    mails[_i].name, seen.rule);
	ck_assert_msg(mails[_i].why[0] == '\0' ? seen.why[0] == '\0' :
	    strstr(seen.why, mails[_i].why) != NULL, "%s: %s", mails[_i].name,
	    seen.why);
	ck_assert_msg(outcome == outcomes[mails[_i].want], "%s",
	    mails[_i].name);
	ck_assert_msg((status_of(mails[_i].meant).state == STATUS_REVOKED) ==
	    mails[_i].revoked, "%s", mails[_i].name);
	ck_assert_msg(strcmp(mail_stand_mail(NULL, &n), mails[_i].to) == 0,
	    "%s: %s", mails[_i].name, mail_stand_mail(NULL, &n));
	ck_assert_uint_eq(n, mails[_i].to[0] != '\0');
}
END_TEST

static int
note_actor(const struct audit_row *row, void *arg)
{
	if (strcmp(row->event, "cert.revoked") == 0)
		snprintf(arg, 300, "%s", row->principal);
	return 0;
}

/* The key is what acts, where nothing else is proved. */
START_TEST(the_audit_trail_names_who_acted)
{
	static const struct asking key = { "x@evil.test", .signer = 3 };
	static const struct asking user = { USER, .signer = 1 };
	static const struct asking admin = { ADMIN, .signer = 2, .serial = 15 };
	char who[300] = "";

	ask(&key);
	OK(store_each_audit(mail_stand.store, 0, 1000, note_actor, who, &err));
	ck_assert_str_eq(who, "cert:03");
	ask(&user);
	OK(store_each_audit(mail_stand.store, 0, 1000, note_actor, who, &err));
	ck_assert_str_eq(who, "mail:" USER);
	ask(&admin);
	OK(store_each_audit(mail_stand.store, 0, 1000, note_actor, who, &err));
	ck_assert_str_eq(who, "mail:" ADMIN);
}
END_TEST

/* A lost key is blocked, with all that has it. */
START_TEST(a_key_that_its_owner_reports_is_blocked)
{
	static const struct asking lost = { USER, .signer = 1,
		.reason = CRL_KEY_COMPROMISE };
	const uint8_t spki[32] = { 1 };
	enum key_block_kind kind;

	ask(&lost);
	ck_assert_int_eq(status_of(14).state, STATUS_REVOKED);
	ck_assert_int_eq(status_of(14).reason, CRL_KEY_COMPROMISE);
	OK(store_is_key_blocked(mail_stand.store, spki, &kind, &err));
	ck_assert_int_eq(kind, KEY_COMPROMISED);
}
END_TEST

/* Also by one of its certificates that is over. */
START_TEST(a_key_is_lost_whichever_certificate_says_so)
{
	static const struct asking lost = { USER, .signer = 11,
		.reason = CRL_KEY_COMPROMISE };
	static const struct asking alone = { USER, .signer = 13,
		.reason = CRL_KEY_COMPROMISE };
	const uint8_t spki[32] = { 13 };
	enum key_block_kind kind;

	ask(&lost);
	ck_assert_int_eq(last().state, DONE);
	ck_assert_int_eq(status_of(19).reason, CRL_KEY_COMPROMISE);
	ck_assert_int_eq(status_of(11).reason, CRL_SUPERSEDED);
	ask(&alone);
	ck_assert_int_eq(last().state, DONE);
	ck_assert_ptr_nonnull(strstr(last().why, "blocked now"));
	OK(store_is_key_blocked(mail_stand.store, spki, &kind, &err));
	ck_assert_int_eq(kind, KEY_COMPROMISED);
}
END_TEST

/* A stranger who has seen the mail sends it again, under another header. */
START_TEST(the_same_signed_words_are_known)
{
	/* The second ends what vouches for its sender. */
	static const struct asking asked[] = {
		{ USER, .signer = 12, .reason = CRL_CERTIFICATE_HOLD },
		{ USER, .signer = 1, .reason = CRL_SUPERSEDED } };
	const struct asking first = asked[_i];
	struct wire_submit m;
	int64_t id;
	unsigned int n;

	ask(&first);
	id = last().id;
	mail_stand_mail(NULL, &n);
	ck_assert_uint_eq(n, 1);
	fill(&m, &first);	/* another Message-ID, and place */
	ck_assert_int_eq(mail_stand_take(&m), OUTCOME_PROCESSED);
	ck_assert_int_eq(last().id, id);
	/* From somebody else too: nothing of the header is signed. */
	fill(&m, &first);
	strcpy(m.envelope.from, "x@evil.test");
	mail_stand_take(&m);
	ck_assert_int_eq(last().id, id);
	mail_stand_mail(NULL, &n);
	ck_assert_uint_eq(n, 1);
}
END_TEST

START_TEST(automatic_mail_revokes_nothing)
{
	static const struct asking own = { USER, .signer = 1 };
	struct wire_submit m;

	fill(&m, &own);
	strcpy(m.envelope.automatic, "Auto-Submitted");
	ck_assert_int_eq(mail_stand_take(&m), OUTCOME_REJECTED);
	ck_assert_int_eq(status_of(1).state, STATUS_GOOD);
	ck_assert_int_eq(last().id, 0);
}
END_TEST

/* Requests and revocations of one mail: each its fate, and one reply. */
START_TEST(a_mail_with_both_has_one_reply)
{
	OWNED(EVP_PKEY) *key = key_generate(KEY_P256, 0, &err);
	OWNED_STRUCT(csr) *csr = mail_stand_csr(key, "z@elsewhere.test");
	static const struct asking own = { USER, .signer = 1 };
	OWNED_BUF(mail, 65536);
	struct wire_submit m, with;
	unsigned int n;

	fill(&m, &own);
	mail_stand_fill(&with, csr, USER);
	m.findings->n_candidates = 1;
	m.findings->candidates[0] = with.findings->candidates[0];
	with.findings->n_candidates = 0;
	wire_submit_free_contents(&with);
	ck_assert_int_eq(mail_stand_take(&m), OUTCOME_HELD);
	ck_assert_int_eq(mail_stand_request().state, REQUEST_HELD);
	ck_assert_int_eq(status_of(1).state, STATUS_REVOKED);
	ck_assert_str_eq(mail_stand_mail(&mail, &n), USER);
	ck_assert_uint_eq(n, 1);
	ck_assert_ptr_nonnull(strstr(buf_str(&mail), "waits for a person"));
	ck_assert_ptr_nonnull(strstr(buf_str(&mail), "Revocation 1: done"));
}
END_TEST

/* --- a person decides ----------------------------------------------------- */

static const struct asking unusual = { USER, .signer = 1, .serial = 3,
	.reason = CRL_SUPERSEDED };

START_TEST(a_person_approves_and_the_sender_hears)
{
	OWNED_BUF(mail, 65536);
	struct seen seen;
	unsigned int n;

	ask(&unusual);
	seen = last();
	ck_assert_int_eq(seen.state, HELD);
	OK(registrar_approve_revocation(&mail_stand, seen.id, "unix:boss",
	    NOON, &err));
	seen = last();
	ck_assert_int_eq(seen.state, DONE);
	ck_assert_str_eq(seen.by, "unix:boss");
	ck_assert_int_eq(status_of(3).reason, CRL_SUPERSEDED);
	ck_assert_str_eq(mail_stand_mail(&mail, &n), USER);
	ck_assert_uint_eq(n, 2);
	ck_assert_ptr_nonnull(strstr(buf_str(&mail), "Revocation 1: done"));
	/* Once. */
	ck_assert_int_eq(registrar_approve_revocation(&mail_stand, seen.id,
	    "unix:boss", NOON, &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_int_eq(registrar_reject_revocation(&mail_stand, seen.id, "",
	    "unix:boss", NOON, &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_ptr_nonnull(strstr(err.text, "does not wait"));
	ck_assert_int_eq(registrar_approve_revocation(&mail_stand, 99,
	    "unix:boss", NOON, &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
}
END_TEST

START_TEST(a_person_rejects_with_words)
{
	OWNED_BUF(mail, 65536);

	ask(&unusual);
	OK(registrar_reject_revocation(&mail_stand, last().id, "not yours",
	    "unix:boss", NOON, &err));
	ck_assert_int_eq(last().state, NO);
	ck_assert_int_eq(status_of(3).state, STATUS_GOOD);
	ck_assert_str_eq(mail_stand_mail(&mail, NULL), USER);
	ck_assert_ptr_nonnull(strstr(buf_str(&mail), "not yours"));
	ck_assert_ptr_nonnull(strstr(buf_str(&mail), "REVOKE SERIAL REASON"));
}
END_TEST

/* What is revoked meanwhile cannot be approved any more, but rejected. */
START_TEST(one_that_ended_meanwhile_cannot_be_approved)
{
	const struct serial serial = { { 3 }, 1 };
	struct seen seen;

	ask(&unusual);
	seen = last();
	OK(store_begin(mail_stand.store, &err));
	OK(store_revoke(mail_stand.store, users, &serial, NOON,
	    CRL_UNSPECIFIED, 0, &err));
	OK(store_commit(mail_stand.store, &err));
	ck_assert_int_eq(registrar_approve_revocation(&mail_stand, seen.id,
	    "unix:boss", NOON, &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_int_eq(last().state, HELD);
	OK(registrar_reject_revocation(&mail_stand, seen.id, "", "unix:boss",
	    NOON, &err));
}
END_TEST

/* --- STATUS -------------------------------------------------------------- */

static const char *
ask_status(const char *from, uint8_t evidence, struct wish wish,
    struct buf *mail, unsigned int *n)
{
	struct wire_submit m;

	mail_stand_fill(&m, NULL, from);
	m.envelope.evidence = evidence;
	wish.kind = WISH_STATUS;
	m.findings->wishes[m.findings->n_wishes++] = wish;
	mail_stand_take(&m);
	buf_clear(mail);
	return mail_stand_mail(mail, n);
}

START_TEST(status_tells_everybody_their_own_and_no_more)
{
	OWNED(EVP_PKEY) *key = key_generate(KEY_P256, 0, &err);
	OWNED_STRUCT(csr) *csr = mail_stand_csr(key, USER);
	const struct wish by_user = { .serial = { { 1 }, 1 } },
	    of_server = { .serial = { { 3 }, 1 } },
	    elsewhere = { .serial = { { 8 }, 1 } },
	    ended = { .serial = { { 11 }, 1 } };
	OWNED_BUF(mail, 65536);
	struct wire_submit m;
	struct wish request = { 0 };
	unsigned int n;

	mail_stand_fill(&m, csr, USER);
	m.envelope.evidence = EVIDENCE_AUTH;
	mail_stand_take(&m);
	request.request = (uint64_t)mail_stand_request().id;

	ck_assert_str_eq(ask_status(USER, EVIDENCE_AUTH, (struct wish){ 0 },
	    &mail, &n), USER);
	ck_assert_ptr_nonnull(strstr(buf_str(&mail), "request 1: held"));
	ask_status(USER, EVIDENCE_DKIM, request, &mail, &n);
	ck_assert_ptr_nonnull(strstr(buf_str(&mail), "request 1: held"));
	ask_status(USER, EVIDENCE_AUTH, by_user, &mail, &n);
	ck_assert_ptr_nonnull(strstr(buf_str(&mail), "serial 01, valid"));
	ask_status(USER, EVIDENCE_AUTH, ended, &mail, &n);
	ck_assert_ptr_nonnull(strstr(buf_str(&mail), "(superseded)"));
	/* Others'. */
	ask_status(USER, EVIDENCE_AUTH, of_server, &mail, &n);
	ck_assert_ptr_nonnull(strstr(buf_str(&mail), "There is nothing"));
	ask_status(ADMIN, EVIDENCE_AUTH, by_user, &mail, &n);
	ck_assert_ptr_nonnull(strstr(buf_str(&mail), "There is nothing"));
	ask_status(ADMIN, EVIDENCE_AUTH, request, &mail, &n);
	ck_assert_ptr_nonnull(strstr(buf_str(&mail), "There is nothing"));
	ask_status(ADMIN, EVIDENCE_AUTH, elsewhere, &mail, &n);
	ck_assert_ptr_nonnull(strstr(buf_str(&mail), "There is nothing"));
	ck_assert_uint_eq(n, 9);
	/* And nobody is told whom nothing vouches for. */
	ask_status(USER, 0, by_user, &mail, &n);
	ck_assert_uint_eq(n, 9);
}
END_TEST

START_TEST(status_has_twenty_lines_at_most)
{
	OWNED_BUF(mail, 65536);
	struct wire_submit m;
	unsigned int lines = 0;

	for (int i = 0; i < 25; i++) {
		OWNED(EVP_PKEY) *key = key_generate(KEY_P256, 0, &err);
		OWNED_STRUCT(csr) *csr = mail_stand_csr(key, USER);

		mail_stand_fill(&m, csr, USER);
		m.envelope.evidence = EVIDENCE_AUTH;
		mail_stand_take(&m);
	}
	ask_status(USER, EVIDENCE_AUTH, (struct wish){ 0 }, &mail, NULL);
	for (const char *at = buf_str(&mail); (at = strstr(at, "request ")) !=
	    NULL; at++)
		lines++;
	ck_assert_uint_eq(lines, 20);
	ck_assert_ptr_nonnull(strstr(buf_str(&mail), "request 25:"));
	ck_assert_ptr_null(strstr(buf_str(&mail), "request 5:"));
	/* Also when more is asked than that. */
	mail_stand_fill(&m, NULL, USER);
	m.envelope.evidence = EVIDENCE_AUTH;
	for (uint64_t i = 0; i < WIRE_MAX_WISHES; i++)
		m.findings->wishes[m.findings->n_wishes++] = (struct wish){
			.kind = WISH_STATUS, .request = i == 1 ? 0 : i + 1,
			.serial = { { 1 }, i == 0 } };
	mail_stand_take(&m);
	buf_clear(&mail);
	mail_stand_mail(&mail, NULL);
	lines = 0;
	for (const char *at = buf_str(&mail); (at = strstr(at, "request ")) !=
	    NULL; at++)
		lines++;
	ck_assert_uint_eq(lines, 20);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("revocation by mail");
	TCase *t = tcase_create("all");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_loop_test(t, who_may_is_decided_by_signature_and_rules, 0,
	    ROWS(mails));
	tcase_add_test(t, the_audit_trail_names_who_acted);
	tcase_add_test(t, a_key_that_its_owner_reports_is_blocked);
	tcase_add_test(t, a_key_is_lost_whichever_certificate_says_so);
	tcase_add_loop_test(t, the_same_signed_words_are_known, 0, 2);
	tcase_add_test(t, automatic_mail_revokes_nothing);
	tcase_add_test(t, a_mail_with_both_has_one_reply);
	tcase_add_test(t, a_person_approves_and_the_sender_hears);
	tcase_add_test(t, a_person_rejects_with_words);
	tcase_add_test(t, one_that_ended_meanwhile_cannot_be_approved);
	tcase_add_test(t, status_tells_everybody_their_own_and_no_more);
	tcase_add_test(t, status_has_twenty_lines_at_most);
	suite_add_tcase(s, t);
	return fixture_run(s);
}
