/* What an answer says, read back by OpenSSL. */
#include "ocspd/response.h"
#include "common/err.h"
#include "tests/support/fixtures.h"
#include "tests/support/test_ca.h"

#include <openssl/ocsp.h>

#include <string.h>

static struct test_ca ca;
static struct ocsp_signer *signer;
static OCSP_BASICRESP *basic;
static uint8_t room[RESPONSE_MAX];
static uint8_t id_rooms[3][256];
static struct err err;

static void
set_up(void)
{
	test_ca_make(&ca, KEY_P256);
	ck_assert_int_eq(ocsp_signer_new(ca.key, ca.cert, &signer, &err), 0);
	basic = NULL;
}

static void
tear_down(void)
{
	OCSP_BASICRESP_free(basic);
	ocsp_signer_free(signer);
	test_ca_free(&ca);
}

/* The CertID that a client makes for this serial. */
static OCSP_CERTID *
client_id(const EVP_MD *md, long serial)
{
	OWNED(ASN1_INTEGER) *n = ASN1_INTEGER_new();

	ASN1_INTEGER_set(n, serial);
	return OCSP_cert_id_new(md, X509_get_subject_name(ca.cert),
	    X509_get0_pubkey_bitstr(ca.cert), n);
}

static struct cert_id
cert_id(const EVP_MD *md, long serial, size_t n)
{
	OCSP_CERTID *id = client_id(md, serial);
	struct cert_id out;
	uint8_t *p = id_rooms[n];
	int len = i2d_OCSP_CERTID(id, &p);

	ck_assert(cert_id_read((struct bytes){ id_rooms[n], (size_t)len },
	    &out));
	OCSP_CERTID_free(id);
	return out;
}

static time_t archive_cutoff;

static void
build(const struct single *singles, size_t n, struct bytes nonce)
{
	const struct response_terms terms = { .this_update = NOON,
		.next_update = NOON + DAY, .archive_cutoff = archive_cutoff,
		.nonce = nonce };
	struct response made;
	OCSP_RESPONSE *resp;
	const unsigned char *p;

	ck_assert_msg(response_build(signer, singles, n, &terms, room, &made,
	    &err) == 0, "%s", err.text);
	p = made.der.data;
	resp = d2i_OCSP_RESPONSE(NULL, &p, (long)made.der.len);
	ck_assert_ptr_nonnull(resp);
	ck_assert_ptr_eq(p, made.der.data + made.der.len);
	ck_assert_int_eq(OCSP_response_status(resp), OCSP_SUCCESSFUL);
	basic = OCSP_response_get1_basic(resp);
	OCSP_RESPONSE_free(resp);
	ck_assert_ptr_nonnull(basic);
}

static bool
is_time(const ASN1_GENERALIZEDTIME *t, time_t want)
{
	return t != NULL && ASN1_TIME_cmp_time_t(t, want) == 0;
}

/* RFC 6960, 4.2.1 and 4.4.5. -1: absent. */
static const struct {
	const char	*name;
	enum single_state state;
	enum crl_reason	 reason;
	time_t		 invalidity;
	int		 want_status, want_reason;
	bool		 want_invalidity;
} statuses[] = {
	{ "good", SINGLE_GOOD, CRL_UNSPECIFIED, 0,
	  V_OCSP_CERTSTATUS_GOOD, -1, false },
	{ "good is never invalid", SINGLE_GOOD, CRL_UNSPECIFIED, NOON - DAY,
	  V_OCSP_CERTSTATUS_GOOD, -1, false },
	{ "unknown", SINGLE_UNKNOWN, CRL_UNSPECIFIED, 0,
	  V_OCSP_CERTSTATUS_UNKNOWN, -1, false },
	{ "unspecified is left out", SINGLE_REVOKED, CRL_UNSPECIFIED, 0,
	  V_OCSP_CERTSTATUS_REVOKED, -1, false },
	{ "the first reason", SINGLE_REVOKED, CRL_KEY_COMPROMISE, 0,
	  V_OCSP_CERTSTATUS_REVOKED, 1, false },
	{ "hold", SINGLE_REVOKED, CRL_CERTIFICATE_HOLD, 0,
	  V_OCSP_CERTSTATUS_REVOKED, 6, false },
	{ "the last reason", SINGLE_REVOKED, CRL_AA_COMPROMISE, 0,
	  V_OCSP_CERTSTATUS_REVOKED, 10, false },
	{ "invalid before it was revoked", SINGLE_REVOKED,
	  CRL_KEY_COMPROMISE, NOON - 30 * DAY,
	  V_OCSP_CERTSTATUS_REVOKED, 1, true },
	{ "invalid, reason left out", SINGLE_REVOKED, CRL_UNSPECIFIED,
	  NOON - 30 * DAY, V_OCSP_CERTSTATUS_REVOKED, -1, true },
};

START_TEST(a_status_says_what_is_known_and_no_more)
{
	const char *name = statuses[_i].name;
	const struct single in = { .id = cert_id(EVP_sha1(), 7, 0),
		.state = statuses[_i].state, .revoked_at = NOON - DAY,
		.reason = statuses[_i].reason,
		.invalidity = statuses[_i].invalidity };
	ASN1_GENERALIZEDTIME *revoked_at = NULL, *invalidity;
	OCSP_SINGLERESP *out;
	int reason = -1, critical = -1;

	build(&in, 1, (struct bytes){ 0 });
	out = OCSP_resp_get0(basic, 0);
	ck_assert_msg(OCSP_single_get0_status(out, &reason, &revoked_at, NULL,
	    NULL) == statuses[_i].want_status, "%s", name);
	ck_assert_msg(reason == statuses[_i].want_reason, "%s: %d", name,
	    reason);
	ck_assert_msg(in.state == SINGLE_REVOKED ?
	    is_time(revoked_at, NOON - DAY) : revoked_at == NULL, "%s", name);
	invalidity = OCSP_SINGLERESP_get1_ext_d2i(out, NID_invalidity_date,
	    &critical, NULL);
	ck_assert_msg(statuses[_i].want_invalidity ?
	    is_time(invalidity, in.invalidity) && critical == 0 :
	    invalidity == NULL, "%s", name);
	ASN1_GENERALIZEDTIME_free(invalidity);
}
END_TEST

/* RFC 6960, 4.4.4: of what was issued. */
START_TEST(the_archive_cutoff_is_said_where_statuses_are_kept)
{
	struct single in[3] = {
		{ .id = cert_id(EVP_sha1(), 7, 0), .state = SINGLE_GOOD },
		{ .id = cert_id(EVP_sha1(), 8, 1), .state = SINGLE_REVOKED,
		  .revoked_at = NOON - DAY, .reason = CRL_SUPERSEDED,
		  .invalidity = NOON - 2 * DAY },
		{ .id = cert_id(EVP_sha1(), 9, 2), .state = SINGLE_UNKNOWN,
		  .never_issued = true } };

	archive_cutoff = NOON - 3650 * DAY;
	build(in, 3, (struct bytes){ 0 });
	for (int i = 0; i < 3; i++) {
		OCSP_SINGLERESP *out = OCSP_resp_get0(basic, i);
		int critical = -1;
		ASN1_GENERALIZEDTIME *cutoff = OCSP_SINGLERESP_get1_ext_d2i(
		    out, NID_id_pkix_OCSP_archiveCutoff, &critical, NULL);

		ck_assert_int_eq(OCSP_SINGLERESP_get_ext_count(out), i == 2 ?
		    0 : i + 1);
		ck_assert(i == 2 ? cutoff == NULL :
		    critical == 0 && is_time(cutoff, archive_cutoff));
		ASN1_GENERALIZEDTIME_free(cutoff);
	}
	archive_cutoff = 0;
}
END_TEST

/* RFC 6960, 2.2 and 4.4.8. */
START_TEST(never_issued_may_be_revoked_in_the_wider_sense)
{
	static const uint8_t nonce[16] = "0123456789abcdef";
	struct single in[2] = {
		{ .id = cert_id(EVP_sha1(), 7, 0), .state = SINGLE_GOOD },
		{ .id = cert_id(EVP_sha1(), 8, 1), .invalidity = NOON } };
	ASN1_GENERALIZEDTIME *revoked_at = NULL;
	const ASN1_OCTET_STRING *value;
	X509_EXTENSION *extended;
	int reason = -1, at;
	OCSP_SINGLERESP *out;
	ASN1_OBJECT *oid;

	archive_cutoff = NOON - DAY;
	response_revoke_never_issued(&in[1]);
	build(in, 2, (struct bytes){ nonce, sizeof(nonce) });
	out = OCSP_resp_get0(basic, 1);
	ck_assert_int_eq(OCSP_single_get0_status(out, &reason, &revoked_at,
	    NULL, NULL), V_OCSP_CERTSTATUS_REVOKED);
	ck_assert_int_eq(reason, 6);
	ck_assert(is_time(revoked_at, 0));
	ck_assert_int_eq(OCSP_SINGLERESP_get_ext_count(out), 0);
	ck_assert_int_eq(OCSP_BASICRESP_get_ext_count(basic), 2);
	ck_assert_int_ge(OCSP_BASICRESP_get_ext_by_NID(basic,
	    NID_id_pkix_OCSP_Nonce, -1), 0);
	oid = OBJ_txt2obj("1.3.6.1.5.5.7.48.1.9", 1);
	at = OCSP_BASICRESP_get_ext_by_OBJ(basic, oid, -1);
	ASN1_OBJECT_free(oid);
	ck_assert_int_ge(at, 0);
	extended = OCSP_BASICRESP_get_ext(basic, at);
	ck_assert_int_eq(X509_EXTENSION_get_critical(extended), 0);
	value = X509_EXTENSION_get_data(extended);
	ck_assert_int_eq(ASN1_STRING_length(value), 2);
	ck_assert_mem_eq(ASN1_STRING_get0_data(value), "\x05\x00", 2);
	OCSP_BASICRESP_free(basic);
	/* Nobody is told of it who has no such serial. */
	build(in, 1, (struct bytes){ 0 });
	ck_assert_int_eq(OCSP_BASICRESP_get_ext_count(basic), 0);
	archive_cutoff = 0;
}
END_TEST

/* RFC 9919, 6: one moment, said twice. */
START_TEST(produced_at_is_this_update)
{
	const struct single in = { .id = cert_id(EVP_sha1(), 7, 0),
		.state = SINGLE_GOOD };
	ASN1_GENERALIZEDTIME *this_update, *next_update;

	build(&in, 1, (struct bytes){ 0 });
	OCSP_single_get0_status(OCSP_resp_get0(basic, 0), NULL, NULL,
	    &this_update, &next_update);
	ck_assert(is_time(this_update, NOON));
	ck_assert(is_time(next_update, NOON + DAY));
	ck_assert(is_time(OCSP_resp_get0_produced_at(basic), NOON));
}
END_TEST

START_TEST(each_cert_id_comes_back_unchanged_and_in_order)
{
	const EVP_MD *const mds[] = { EVP_sha1(), EVP_sha256(), EVP_sha512() };
	struct single in[3];

	for (int i = 0; i < 3; i++)
		in[i] = (struct single){ .id = cert_id(mds[i], 0xff02 + i,
		    (size_t)i), .state = SINGLE_GOOD };
	build(in, 3, (struct bytes){ 0 });
	ck_assert_int_eq(OCSP_resp_count(basic), 3);
	for (int i = 0; i < 3; i++) {
		OCSP_CERTID *want = client_id(mds[i], 0xff02 + i);

		ck_assert_int_eq(OCSP_id_cmp(OCSP_SINGLERESP_get0_id(
		    OCSP_resp_get0(basic, i)), want), 0);
		OCSP_CERTID_free(want);
	}
}
END_TEST

/* The signer is found by its key, its certificate is there, and what is signed
 * is what is said. */
START_TEST(the_signature_is_that_of_the_key_named)
{
	const struct single in = { .id = cert_id(EVP_sha1(), 7, 0),
		.state = SINGLE_GOOD };
	const ASN1_OCTET_STRING *by_key;
	const X509_NAME *by_name;

	build(&in, 1, bytes_of("0123456789abcdef"));
	ck_assert_int_eq(OCSP_basic_verify(basic, NULL, NULL, OCSP_NOVERIFY),
	    1);
	ck_assert_int_eq(OCSP_resp_get0_id(basic, &by_key, &by_name), 1);
	ck_assert(by_key != NULL && by_name == NULL);
	ck_assert_int_eq(sk_X509_num(OCSP_resp_get0_certs(basic)), 1);
}
END_TEST

/* The policy (RFC 6960, 4.4.7): one algorithm a kind of key, never SHA-1. */
static const struct {
	enum key_kind		 kind;
	enum signature_alg	 signature;
	int			 nid;
} kinds[] = {
	{ KEY_P256, SIGNATURE_ECDSA_SHA256, NID_ecdsa_with_SHA256 },
	{ KEY_P384, SIGNATURE_ECDSA_SHA384, NID_ecdsa_with_SHA384 },
	{ KEY_P521, SIGNATURE_ECDSA_SHA512, NID_ecdsa_with_SHA512 },
	{ KEY_RSA, SIGNATURE_RSA_SHA256, NID_sha256WithRSAEncryption },
	{ KEY_ED25519, SIGNATURE_ED25519, NID_ED25519 },
	{ KEY_ED448, SIGNATURE_ANY, NID_undef },
};

START_TEST(each_kind_of_key_signs_by_its_algorithm)
{
	const struct single in = { .id = cert_id(EVP_sha1(), 7, 0),
		.state = SINGLE_GOOD };
	const ASN1_OBJECT *oid;

	tear_down();
	signer = NULL;
	test_ca_make(&ca, kinds[_i].kind);
	ck_assert_int_eq(ocsp_signature_of(ca.key), kinds[_i].signature);
	ck_assert_int_eq(ocsp_signer_new(ca.key, ca.cert, &signer, &err),
	    kinds[_i].signature == SIGNATURE_ANY ? -1 : 0);
	if (kinds[_i].signature == SIGNATURE_ANY) {
		basic = NULL;
		return;
	}
	/* Twice: what is kept between two signatures spoils neither. */
	for (int i = 0; i < 2; i++) {
		build(&in, 1, (struct bytes){ 0 });
		ck_assert_int_eq(OCSP_basic_verify(basic, NULL, NULL,
		    OCSP_NOVERIFY), 1);
		X509_ALGOR_get0(&oid, NULL, NULL,
		    OCSP_resp_get0_tbs_sigalg(basic));
		ck_assert_int_eq(OBJ_obj2nid(oid), kinds[_i].nid);
		if (i == 0)
			OCSP_BASICRESP_free(basic);
	}
}
END_TEST

/* As they stand in the answer: it is found by these octets. */
START_TEST(the_first_cert_ids_are_named)
{
	const EVP_MD *const mds[] = { EVP_sha1(), EVP_sha256(), EVP_sha512() };
	const struct response_terms terms = { .this_update = NOON,
		.next_update = NOON + DAY };
	struct single in[3];
	struct response made;

	for (int i = 0; i < 3; i++)
		in[i] = (struct single){ .id = cert_id(mds[i], 0xff02,
		    (size_t)i), .state = SINGLE_GOOD };
	for (size_t n = 1; n <= 3; n++) {
		size_t views = n < 2 ? n : 2;

		ck_assert_int_eq(response_build(signer, in, n, &terms, room,
		    &made, &err), 0);
		ck_assert_uint_eq(made.n_cert_ids, views);
		for (size_t i = 0; i < views; i++) {
			uint8_t own[CERT_ID_MAX];

			ck_assert(bytes_equal(made.cert_ids[i], in[i].id.der));
			ck_assert(bytes_equal(made.cert_ids[i],
			    cert_id_write(&in[i].id, own)));
			ck_assert(made.cert_ids[i].data >= made.der.data &&
			    made.cert_ids[i].data < made.der.data +
			    made.tail);
		}
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("response");
	TCase *c = tcase_create("response");

	tcase_add_checked_fixture(c, set_up, tear_down);
	tcase_add_loop_test(c, a_status_says_what_is_known_and_no_more, 0,
	    ROWS(statuses));
	tcase_add_test(c, the_archive_cutoff_is_said_where_statuses_are_kept);
	tcase_add_test(c, never_issued_may_be_revoked_in_the_wider_sense);
	tcase_add_test(c, produced_at_is_this_update);
	tcase_add_test(c, each_cert_id_comes_back_unchanged_and_in_order);
	tcase_add_test(c, the_signature_is_that_of_the_key_named);
	tcase_add_loop_test(c, each_kind_of_key_signs_by_its_algorithm, 0,
	    ROWS(kinds));
	tcase_add_test(c, the_first_cert_ids_are_named);
	suite_add_tcase(s, c);
	return fixture_run(s);
}
