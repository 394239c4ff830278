#include "csrmaild/ceremony_offline.h"
#include "common/csr.h"
#include "common/err.h"
#include "common/key.h"
#include "common/owned.h"
#include "csrmaild/journal.h"
#include "tests/support/ca_folder.h"
#include "tests/support/fixtures.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What is revoked, on hold or blocked signs no CA and becomes none; and no CA
 * has the subject of another. */
static struct ca_folder dir, far;

static void
set_up(void)
{
	ca_folder_make(&dir);
	ca_folder_make(&far);
	ca_folder_root(&dir, "root");
	ca_folder_child(&dir, "p", "root");
	ca_folder_child(&dir, "q", "p");
}

static void
tear_down(void)
{
	ca_folder_remove(&dir);
	ca_folder_remove(&far);
}

/* --- what may befall a CA ------------------------------------------------- */

static struct journal *
journal_of(const char *ca)
{
	struct journal *journal;
	char path[128], file[64];
	struct err err = { 0 };
	int fd;

	snprintf(path, sizeof(path), "%s/journal", dir.path);
	snprintf(file, sizeof(file), "%s.journal", ca);
	fd = open(path, O_RDONLY | O_DIRECTORY);
	ck_assert_int_ge(fd, 0);
	ck_assert_msg(journal_open(fd, file, ca, false, &journal, &err) == 0,
	    "%s", err.text);
	close(fd);
	return journal;
}

static void
block_in_journal(const uint8_t spki_sha256[32])
{
	OWNED_STRUCT(journal) *journal = journal_of("root");
	struct journal_blocked blocked = { .at = NOON };
	struct err err = { 0 };

	memcpy(blocked.spki_sha256, spki_sha256, 32);
	ck_assert_int_eq(journal_append_blocked(journal, &blocked, &err), 0);
	ck_assert_int_eq(journal_sync(journal, &err), 0);
}

static void
block_in_store(const uint8_t spki_sha256[32])
{
	struct err err = { 0 };

	ck_assert_int_eq(store_begin(dir.store, &err), 0);
	ck_assert_int_eq(store_block_key(dir.store, spki_sha256, KEY_BLOCKED,
	    "", NOON, &err), 0);
	ck_assert_int_eq(store_commit(dir.store, &err), 0);
}

static void
revoke_in_journal(const struct serial *serial, enum crl_reason reason)
{
	OWNED_STRUCT(journal) *journal = journal_of("root");
	const struct crl_entry entry = { .serial = *serial,
		.revoked_at = NOON, .reason = reason };
	struct err err = { 0 };

	ck_assert_int_eq(journal_append_revoked(journal, &entry, &err), 0);
	ck_assert_int_eq(journal_sync(journal, &err), 0);
}

static int
keep_id(const struct ca_row *row, void *arg)
{
	*(int64_t *)arg = row->id;
	return 0;
}

static int64_t
root_id(void)
{
	int64_t id = 0;
	struct err err = { 0 };

	ck_assert_int_eq(store_find_ca(dir.store, "root", keep_id, &id, &err),
	    0);
	return id;
}

static void
revoke_in_store(const struct serial *serial, enum crl_reason reason)
{
	struct err err = { 0 };

	ck_assert_int_eq(store_begin(dir.store, &err), 0);
	ck_assert_int_eq(store_revoke(dir.store, root_id(), serial, NOON,
	    reason, 0, &err), 0);
	ck_assert_int_eq(store_commit(dir.store, &err), 0);
}

enum act { RENEW, RENEW_BELOW, CREATE_BELOW, CREATE_FAR_BELOW, SIGN_BELOW,
	NEW_KEY, N_ACTS };
static int	try(enum act, struct err *);

enum harm { NONE, REVOKED, HELD, LIFTED, BLOCKED, SUPERSEDED, J_BLOCKED,
	J_REVOKED, J_LIFTED, LEAF_REVOKED };

/* A certificate with the key of p that makes it no CA: it is revoked, and p
 * is not. */
static void
revoke_leaf_of(X509 *ca)
{
	OWNED(X509) *leaf = ca_folder_leaf(&dir, "root", "www.example.com");
	OWNED(EVP_PKEY) *by = ca_folder_key(&dir, "root");
	struct cert_row row = { .ca_id = root_id(), .state = CERT_REVOKED,
		.not_before = NOON, .not_after = NOON + DAY, .profile = "",
		.names_text = "", .revoked_at = NOON,
		.reason = CRL_CESSATION_OF_OPERATION };
	uint8_t spki_sha256[32], *der = NULL;
	struct err err = { 0 };

	X509_set_pubkey(leaf, X509_get0_pubkey(ca));
	ck_assert_int_gt(X509_sign(leaf, by, EVP_sha256()), 0);
	row.der.len = (size_t)i2d_X509(leaf, &der);
	row.der.data = der;
	ck_assert_int_eq(serial_from_asn1(X509_get0_serialNumber(leaf),
	    &row.serial, &err), 0);
	ck_assert_int_eq(key_digest_certificate(leaf, spki_sha256, &err), 0);
	row.spki_sha256 = spki_sha256;
	ck_assert_int_eq(store_begin(dir.store, &err), 0);
	ck_assert_msg(store_add_certificate(dir.store, &row, &err) == 0,
	    "%s (%s)", err.text, err.detail);
	ck_assert_int_eq(store_commit(dir.store, &err), 0);
	OPENSSL_free(der);
}

static void
harm(enum harm kind)
{
	OWNED(X509) *cert = ca_folder_cert(&dir, "published/p.crt");
	struct serial serial;
	uint8_t spki_sha256[32];
	struct err err = { 0 };

	ck_assert_int_eq(serial_from_asn1(X509_get0_serialNumber(cert),
	    &serial, &err), 0);
	ck_assert_int_eq(key_digest_certificate(cert, spki_sha256, &err), 0);
	if (kind == REVOKED)
		revoke_in_store(&serial, CRL_CESSATION_OF_OPERATION);
	if (kind == HELD || kind == LIFTED)
		revoke_in_store(&serial, CRL_CERTIFICATE_HOLD);
	if (kind == LIFTED) {
		ck_assert_int_eq(store_begin(dir.store, &err), 0);
		ck_assert_int_eq(store_release_hold(dir.store, root_id(),
		    &serial, NOON, &err), 0);
		ck_assert_int_eq(store_commit(dir.store, &err), 0);
	}
	if (kind == BLOCKED)
		block_in_store(spki_sha256);
	if (kind == SUPERSEDED) {
		ck_assert_int_eq(try(RENEW, &err), 0);
		revoke_in_store(&serial, CRL_SUPERSEDED);
	}
	if (kind == J_BLOCKED)
		block_in_journal(spki_sha256);
	if (kind == J_REVOKED || kind == J_LIFTED)
		revoke_in_journal(&serial, CRL_CERTIFICATE_HOLD);
	if (kind == J_LIFTED)
		revoke_in_journal(&serial, CRL_REMOVE_FROM_CRL);
	if (kind == LEAF_REVOKED)
		revoke_leaf_of(cert);
}

/* --- what is asked of it then --------------------------------------------- */

static struct csr *
request(const char *name, const char *cn)
{
	struct ceremony_ca ca = ca_folder_wish(&far, cn);
	OWNED_BUF(der, CSR_MAX_OCTETS);
	struct csr *csr = NULL;
	struct err err = { 0 };

	ca.name = name;
	ck_assert_int_eq(ceremony_request(&far.ceremony, &ca, &der, &err), 0);
	ck_assert_int_eq(csr_read(buf_bytes(&der), &csr, &err), 0);
	return csr;
}

static int
sign(const struct csr *csr, const char *parent, struct err *err)
{
	const struct ceremony_parent by = ca_folder_parent(parent);
	const struct ceremony_ca wish = { .validity_s = 100 * DAY,
		.path_len = 0 };
	OWNED_SUCCESSION s = { 0 };

	return ceremony_judge_request(&dir.ceremony, "far", false, csr,
	    parent, &s, err) < 0 ? -1 : ceremony_sign_request(&dir.ceremony,
	    &s, &wish, csr, &by, err);
}

static int
renew(const char *name, const char *parent, bool new_key, struct err *err)
{
	const struct ceremony_ca ca = { .name = name };
	const struct ceremony_parent by = ca_folder_parent(parent);

	return ceremony_renew(&dir.ceremony, &ca, new_key, parent == NULL ?
	    NULL : &by, err);
}

/* cn: the subject's. */
static int
create(const char *name, const char *cn, const char *parent, struct err *err)
{
	struct ceremony_ca ca = ca_folder_wish(&dir, cn);
	const struct ceremony_parent by = ca_folder_parent(parent);

	ca.name = name;
	return parent == NULL ?
	    ceremony_create_root(&dir.ceremony, &ca, err) :
	    ceremony_create_child(&dir.ceremony, &ca, &by, err);
}

static int
try(enum act act, struct err *err)
{
	OWNED_STRUCT(csr) *csr = NULL;

	switch (act) {
	case RENEW:
		return renew("p", "root", false, err);
	case NEW_KEY:
		return renew("p", "root", true, err);
	case RENEW_BELOW:
		return renew("q", "p", false, err);
	case CREATE_BELOW:
		return create("new", "new", "p", err);
	case CREATE_FAR_BELOW:
		return create("new", "new", "q", err);
	default:
		csr = request("far", "far");
		return sign(csr, "p", err);
	}
}

static const struct {
	enum harm	 harm;
	const char	*want;		/* in the message; NULL: nothing */
} harms[] = {
	{ NONE,		NULL },
	{ REVOKED,	"p was revoked or is on hold" },
	{ HELD,		"p was revoked or is on hold" },
	{ LIFTED,	NULL },
	{ BLOCKED,	"key of p is blocked" },
	{ SUPERSEDED,	NULL },
	{ J_BLOCKED,	"key of p is blocked" },
	{ J_REVOKED,	"p was revoked or is on hold" },
	{ J_LIFTED,	NULL },
	{ LEAF_REVOKED,	NULL },
};

START_TEST(a_ca_that_is_not_in_force_neither_signs_nor_is_renewed)
{
	enum act act = (enum act)(_i % N_ACTS);
	const char *want = act == NEW_KEY ? NULL : harms[_i / N_ACTS].want;
	struct err err = { 0 };
	int r;

	harm(harms[_i / N_ACTS].harm);
	r = try(act, &err);
	ck_assert_msg((r == 0) == (want == NULL), "%d %d: %s", _i / N_ACTS,
	    _i % N_ACTS, err.text);
	if (want == NULL)
		return;
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_msg(strstr(err.text, want) != NULL, "%s", err.text);
	ck_assert(!ca_folder_has(&dir, "published/new.crt"));
	ck_assert(!ca_folder_has(&dir, "published/far.crt"));
	ck_assert_int_eq(ca_folder_count(&dir, "ca.renewed"), 0);
}
END_TEST

START_TEST(the_new_key_of_a_revoked_ca_signs)
{
	struct err err = { 0 };

	harm(REVOKED);
	ck_assert_int_eq(try(NEW_KEY, &err), 0);
	ck_assert_msg(try(RENEW_BELOW, &err) == 0, "%s", err.text);
	ck_assert_msg(try(CREATE_BELOW, &err) == 0, "%s", err.text);
}
END_TEST

START_TEST(a_root_with_a_blocked_key_does_nothing)
{
	OWNED(X509) *cert = ca_folder_cert(&dir, "published/root.crt");
	uint8_t spki_sha256[32];
	struct err err = { 0 };

	ck_assert_int_eq(key_digest_certificate(cert, spki_sha256, &err), 0);
	block_in_store(spki_sha256);
	ck_assert_int_eq(renew("root", NULL, _i == 1, &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_int_eq(try(NEW_KEY, &err), -1);
	ck_assert_int_eq(try(CREATE_BELOW, &err), -1);
	ck_assert_int_eq(create("new", "new", "root", &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
}
END_TEST

/* --- keys ----------------------------------------------------------------- */

static void
must_be_blocked(int r, const struct err *err)
{
	ck_assert_int_eq(r, -1);
	ck_assert_int_eq(err->kind, ERR_REJECT);
	ck_assert_msg(strstr(err->text, "is blocked") != NULL, "%s",
	    err->text);
}

START_TEST(a_blocked_key_is_not_signed)
{
	OWNED_STRUCT(csr) *csr = request("far", "far");
	struct err err = { 0 };

	(_i == 0 ? block_in_store : block_in_journal)(csr->key.spki_sha256);
	must_be_blocked(sign(csr, "p", &err), &err);
	must_be_blocked(sign(csr, "root", &err), &err);
	ck_assert(!ca_folder_has(&dir, "published/far.crt"));
}
END_TEST

/* One that a ceremony that was cut off left. */
START_TEST(a_blocked_key_is_not_taken)
{
	struct ceremony_ca ca = ca_folder_wish(&dir, "left");
	OWNED_BUF(der, CSR_MAX_OCTETS);
	OWNED_STRUCT(csr) *csr = NULL;
	struct err err = { 0 };

	ck_assert_int_eq(ceremony_request(&dir.ceremony, &ca, &der, &err), 0);
	ck_assert_int_eq(csr_read(buf_bytes(&der), &csr, &err), 0);
	(_i == 0 ? block_in_store : block_in_journal)(csr->key.spki_sha256);
	must_be_blocked(create("left", "left", NULL, &err), &err);
	must_be_blocked(create("left", "left", "root", &err), &err);
	must_be_blocked(create("left", "left", "p", &err), &err);
	ck_assert(!ca_folder_has(&dir, "published/left.crt"));
}
END_TEST

/* Nor asked for: the CA elsewhere would only refuse it, or know less. */
START_TEST(a_blocked_key_is_not_requested)
{
	struct ceremony_ca ca = ca_folder_wish(&dir, "left");
	OWNED_BUF(der, CSR_MAX_OCTETS);
	OWNED_BUF(again, CSR_MAX_OCTETS);
	OWNED_STRUCT(csr) *csr = NULL;
	struct err err = { 0 };

	ck_assert_int_eq(ceremony_request(&dir.ceremony, &ca, &der, &err), 0);
	ck_assert_int_eq(csr_read(buf_bytes(&der), &csr, &err), 0);
	(_i == 0 ? block_in_store : block_in_journal)(csr->key.spki_sha256);
	must_be_blocked(ceremony_request(&dir.ceremony, &ca, &again, &err),
	    &err);
	ck_assert_uint_eq(again.len, 0);
}
END_TEST

/* By files as by `ca renew`. */
START_TEST(a_ca_that_is_not_in_force_requests_a_new_key_alone)
{
	const struct ceremony_ca ca = { .name = "p" };
	const char *want = harms[_i].want;
	OWNED_BUF(same, CSR_MAX_OCTETS);
	OWNED_BUF(next, CSR_MAX_OCTETS);
	char made[CA_NAME_MAX + 1];
	struct err err = { 0 };
	int r;

	harm(harms[_i].harm);
	r = ceremony_request_renewal(&dir.ceremony, &ca, false, made, &same,
	    &err);
	ck_assert_msg((r == 0) == (want == NULL), "%d: %s", _i, err.text);
	ck_assert_int_eq(same.len == 0, want != NULL);
	if (want != NULL) {
		ck_assert_int_eq(err.kind, ERR_REJECT);
		ck_assert_msg(strstr(err.text, want) != NULL, "%s",
		    err.text);
	}
	ck_assert_msg(ceremony_request_renewal(&dir.ceremony, &ca, true, made,
	    &next, &err) == 0, "%s", err.text);
}
END_TEST

START_TEST(a_blocked_next_key_is_not_requested)
{
	const struct ceremony_ca ca = { .name = "p" };
	OWNED_BUF(der, CSR_MAX_OCTETS);
	OWNED_BUF(again, CSR_MAX_OCTETS);
	OWNED_STRUCT(csr) *csr = NULL;
	char made[CA_NAME_MAX + 1];
	struct err err = { 0 };

	ck_assert_int_eq(ceremony_request_renewal(&dir.ceremony, &ca, true,
	    made, &der, &err), 0);
	ck_assert_int_eq(csr_read(buf_bytes(&der), &csr, &err), 0);
	(_i == 0 ? block_in_store : block_in_journal)(csr->key.spki_sha256);
	must_be_blocked(ceremony_request_renewal(&dir.ceremony, &ca, true,
	    made, &again, &err), &err);
	ck_assert_uint_eq(again.len, 0);
}
END_TEST

/* Somebody's certificate is not the CA's. */
START_TEST(a_leafs_certificate_is_not_that_of_its_key_as_a_ca)
{
	OWNED_STRUCT(csr) *csr = request("far", "far");
	OWNED(EVP_PKEY) *key = ca_folder_key(&far, "far");
	OWNED(X509) *leaf = ca_folder_leaf(&dir, "root", "www.example.com");
	OWNED(EVP_PKEY) *by = ca_folder_key(&dir, "root");
	struct journal_issued issued = { 0 };
	unsigned char *der = NULL;
	struct err err = { 0 };

	X509_set_pubkey(leaf, key);
	ck_assert_int_gt(X509_sign(leaf, by, EVP_sha256()), 0);
	issued.der.len = (size_t)i2d_X509(leaf, &der);
	issued.der.data = der;
	serial_from_asn1(X509_get0_serialNumber(leaf), &issued.serial, &err);
	{
		OWNED_STRUCT(journal) *journal = journal_of("root");

		ck_assert_int_eq(journal_append_issued(journal, &issued,
		    &err), 0);
		ck_assert_int_eq(journal_sync(journal, &err), 0);
	}
	OPENSSL_free(der);
	ck_assert_msg(sign(csr, "root", &err) == 0, "%s (%s)", err.text,
	    err.detail);
	ck_assert(ca_folder_has(&dir, "published/far.crt"));
}
END_TEST

/* --- subjects ------------------------------------------------------------- */

static const struct {
	const char	*cn, *parent;
	const char	*want;		/* NULL: it is made */
} subjects[] = {
	{ "root",	"root",	"CA above it" },
	{ "p",		"p",	"CA above it" },
	{ "root",	"p",	"CA above it" },
	{ "root",	"q",	"CA above it" },
	{ "p",		"root",	"the CA p" },
	{ "root",	NULL,	"the CA root" },
	{ "q",		"root",	NULL },
	{ "p",		NULL,	NULL },
};

START_TEST(a_ca_has_a_subject_of_its_own)
{
	struct err err = { 0 };
	int r = create("new", subjects[_i].cn, subjects[_i].parent, &err);

	ck_assert_msg((r == 0) == (subjects[_i].want == NULL), "%s",
	    err.text);
	if (r == 0)
		return;
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_msg(strstr(err.text, subjects[_i].want) != NULL, "%s",
	    err.text);
}
END_TEST

static const char *const above[] = { "root", "p" };

START_TEST(a_request_with_a_subject_from_above_is_refused)
{
	OWNED_STRUCT(csr) *csr = request("far", above[_i]);
	struct err err = { 0 };

	ck_assert_int_eq(sign(csr, "p", &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_msg(strstr(err.text, "CA above it") != NULL, "%s",
	    err.text);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("ceremony_force");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc,
	    a_ca_that_is_not_in_force_neither_signs_nor_is_renewed, 0,
	    ROWS(harms) * N_ACTS);
	tcase_add_test(tc, the_new_key_of_a_revoked_ca_signs);
	tcase_add_loop_test(tc, a_root_with_a_blocked_key_does_nothing, 0, 2);
	tcase_add_loop_test(tc, a_blocked_key_is_not_signed, 0, 2);
	tcase_add_loop_test(tc, a_blocked_key_is_not_taken, 0, 2);
	tcase_add_loop_test(tc, a_blocked_key_is_not_requested, 0, 2);
	tcase_add_loop_test(tc,
	    a_ca_that_is_not_in_force_requests_a_new_key_alone, 0,
	    ROWS(harms));
	tcase_add_loop_test(tc, a_blocked_next_key_is_not_requested, 0, 2);
	tcase_add_test(tc,
	    a_leafs_certificate_is_not_that_of_its_key_as_a_ca);
	tcase_add_loop_test(tc, a_ca_has_a_subject_of_its_own, 0,
	    ROWS(subjects));
	tcase_add_loop_test(tc,
	    a_request_with_a_subject_from_above_is_refused, 0, ROWS(above));
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
