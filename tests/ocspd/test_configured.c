/* ocspd as a whole, as it is configured: kinds of keys, CertIDs, signatures on
 * requests, and what is signed before anybody asks. */
#include "common/err.h"
#include "ocspd/request.h"
#include "ocspd/tlv.h"
#include "tests/support/fixtures.h"
#include "tests/support/ocsp_daemon.h"

#include <openssl/ocsp.h>
#include <openssl/pem.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

OWNED_BY(OCSP_CERTID, OCSP_CERTID_free)

static struct ocsp_daemon d;
static uint16_t health_port;

static void
begin(const char *more)
{
	char text[1024];

	health_port = daemon_free_port();
	snprintf(text, sizeof(text), "fronts = 1\n"
	    "health_listen = \"127.0.0.1:%u\"\n%s", health_port, more);
	daemon_open(&d, text);
	daemon_start(&d, 0);
}

static void
end(void)
{
	daemon_stop(&d);
	daemon_close(&d);
}

static OCSP_CERTID *
cert_id(const EVP_MD *md, const char *serial_hex)
{
	BIGNUM *n = NULL;
	OWNED(ASN1_INTEGER) *serial = NULL;

	BN_hex2bn(&n, serial_hex);
	serial = BN_to_ASN1_INTEGER(n, NULL);
	BN_free(n);
	return OCSP_cert_id_new(md, X509_get_subject_name(d.stand.ca),
	    X509_get0_pubkey_bitstr(d.stand.ca), serial);
}

static void
prefer(OCSP_REQUEST *req, const enum signature_alg *kinds, size_t n)
{
	uint8_t room[200];
	struct tlv w = TLV(room);
	OWNED(ASN1_OBJECT) *oid = OBJ_txt2obj("1.3.6.1.5.5.7.48.1.8", 1);
	OWNED(ASN1_OCTET_STRING) *value = ASN1_OCTET_STRING_new();
	OWNED(X509_EXTENSION) *ext = NULL;

	while (n-- > 0) {
		size_t mark = tlv_mark(&w);

		tlv_put_element(&w, DER_OID, signature_oid(kinds[n]));
		tlv_wrap(&w, DER_SEQUENCE, mark);	/* sigIdentifier */
		tlv_wrap(&w, DER_SEQUENCE, mark);
	}
	tlv_wrap(&w, DER_SEQUENCE, 0);
	ASN1_OCTET_STRING_set(value, tlv_bytes(&w).data,
	    (int)tlv_bytes(&w).len);
	ext = X509_EXTENSION_create_by_OBJ(NULL, oid, 0, value);
	OCSP_REQUEST_add_ext(req, ext, -1);
}

static OCSP_REQUEST *
copy(OCSP_REQUEST *req)
{
	return ASN1_item_dup(ASN1_ITEM_rptr(OCSP_REQUEST), req);
}

/* Ask; req is freed. The answer is verified, and the caller's; NULL
 * and *status when it is none. */
static OCSP_BASICRESP *
post(OCSP_REQUEST *req, int *status)
{
	int64_t begun = daemon_now_ms();
	OCSP_RESPONSE *resp;
	OCSP_BASICRESP *basic;
	X509_STORE *trust = X509_STORE_new();

	/* tryLater is an answer only when the machine is very busy. */
	while ((resp = daemon_post(&d, req)) != NULL && (*status =
	    OCSP_response_status(resp)) == OCSP_RESPONSE_STATUS_TRYLATER &&
	    daemon_now_ms() - begun < PATIENCE_MS) {
		OCSP_RESPONSE_free(resp);
		daemon_take_breath();
	}
	ck_assert_ptr_nonnull(resp);
	basic = OCSP_response_get1_basic(resp);
	OCSP_RESPONSE_free(resp);
	OCSP_REQUEST_free(req);
	X509_STORE_add_cert(trust, d.stand.ca);
	X509_STORE_set_flags(trust, X509_V_FLAG_PARTIAL_CHAIN);
	if (basic != NULL)
		ck_assert_int_eq(OCSP_basic_verify(basic, NULL, trust, 0), 1);
	X509_STORE_free(trust);
	return basic;
}

/* The algorithm of the answer about 1001; NID_undef: there is none. */
static int
algorithm_for(const enum signature_alg *kinds, size_t n, bool nonce)
{
	OCSP_REQUEST *req = OCSP_REQUEST_new();
	OCSP_BASICRESP *basic;
	const ASN1_OBJECT *oid;
	int status, nid;

	OCSP_request_add0_id(req, cert_id(EVP_sha1(), "1001"));
	if (n > 0)
		prefer(req, kinds, n);
	if (nonce)
		OCSP_request_add1_nonce(req, NULL, 32);
	basic = post(req, &status);
	if (basic == NULL)
		return NID_undef;
	X509_ALGOR_get0(&oid, NULL, NULL, OCSP_resp_get0_tbs_sigalg(basic));
	nid = OBJ_obj2nid(oid);
	OCSP_BASICRESP_free(basic);
	return nid;
}

/* Certify until so many keys have been. */
static void
certify(int keys)
{
	int64_t begun = daemon_now_ms();

	while ((keys -= stand_certify_spool(&d.stand)) > 0) {
		ck_assert_int_lt(daemon_now_ms() - begun, PATIENCE_MS);
		daemon_take_breath();
	}
}

/* The number behind this in /metrics; 0: not there. */
static long
metric(const char *name)
{
	const char *at;

	ck_assert(daemon_exchange_at(&d, health_port, bytes_of(
	    "GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")));
	at = strstr(d.answer, name);
	return at == NULL ? 0 : strtol(at + strlen(name), NULL, 10);
}

static void
await_metric(const char *name, long want)
{
	int64_t begun = daemon_now_ms();

	while (metric(name) < want) {
		ck_assert_msg(daemon_now_ms() - begun < PATIENCE_MS,
		    "%s: %ld, want %ld", name, metric(name), want);
		daemon_take_breath();
	}
}
#define AHEAD	"csrmail_ocspd_signatures_ahead_total{process=\"responder\"} "
#define HELD	"csrmail_ocspd_responses_total{process=\"front.0\","	\
	"status=\"successful\",from=\"held\"} "
#define LIVE	"csrmail_ocspd_responses_total{process=\"front.0\","	\
	"status=\"successful\",from=\"signed\"} "

/* --- promises ------------------------------------ */

/* RFC 6960, 4.4.7.2.1. Asked twice each, so that the second answer is out of
 * the table, and never the one for somebody else. */
static const struct {
	enum signature_alg preferred[2];
	size_t		 n;
	int		 want;
} preferences[] = {
	{ { 0 }, 0, NID_ecdsa_with_SHA256 },
	{ { SIGNATURE_RSA_SHA256 }, 1, NID_sha256WithRSAEncryption },
	{ { SIGNATURE_ED25519, SIGNATURE_RSA_SHA256 }, 2, NID_ED25519 },
	{ { SIGNATURE_RSA_SHA256, SIGNATURE_ED25519 }, 2,
	  NID_sha256WithRSAEncryption },
	{ { SIGNATURE_ECDSA_SHA384, SIGNATURE_ED25519 }, 2, NID_ED25519 },
	{ { SIGNATURE_ECDSA_SHA384 }, 1, NID_ecdsa_with_SHA256 },
	{ { SIGNATURE_ECDSA_SHA256, SIGNATURE_ED25519 }, 2,
	  NID_ecdsa_with_SHA256 },
};

START_TEST(each_client_gets_the_signature_that_it_prefers)
{
	static const enum signature_alg all[] = { SIGNATURE_ECDSA_SHA256,
		SIGNATURE_RSA_SHA256, SIGNATURE_ED25519 };
	static const int nids[] = { NID_ecdsa_with_SHA256,
		NID_sha256WithRSAEncryption, NID_ED25519 };
	int64_t begun = daemon_now_ms();
	long held;

	begin("responder_key = {\"P-256\", \"RSA-2048\", \"Ed25519\"}\n");
	certify(3);
	for (int i = 0; i < ROWS(all); i++)
		while (algorithm_for(&all[i], 1, true) != nids[i]) {
			ck_assert_int_lt(daemon_now_ms() - begun,
			    PATIENCE_MS);
			daemon_take_breath();
		}
	for (int nonce = 1; nonce >= 0; nonce--)
		for (int turn = 0; turn < 2; turn++)
			for (int i = 0; i < ROWS(preferences); i++)
				ck_assert_msg(algorithm_for(
				    preferences[i].preferred,
				    preferences[i].n, nonce == 1) ==
				    preferences[i].want, "%d, %d, %d", nonce,
				    turn, i);
	/* What is signed for a reason is held, too. */
	held = metric(HELD);
	for (int i = 0; i < ROWS(all); i++)
		ck_assert_int_eq(algorithm_for(&all[i], 1, false), nids[i]);
	await_metric(HELD, held + ROWS(all));
	/* And forgotten with all others. */
	stand_revoke(&d.stand, "1001", CRL_SUPERSEDED, 0);
	daemon_await(&d, "1001", V_OCSP_CERTSTATUS_REVOKED);
	for (int i = 0; i < ROWS(all); i++) {
		OCSP_REQUEST *req = OCSP_REQUEST_new();
		OWNED(OCSP_CERTID) *id = cert_id(EVP_sha1(), "1001");
		OCSP_BASICRESP *basic;
		int status;

		OCSP_request_add0_id(req, OCSP_CERTID_dup(id));
		prefer(req, &all[i], 1);
		basic = post(req, &status);
		ck_assert_int_eq(OCSP_resp_find_status(basic, id, &status,
		    NULL, NULL, NULL, NULL), 1);
		ck_assert_int_eq(status, V_OCSP_CERTSTATUS_REVOKED);
		OCSP_BASICRESP_free(basic);
	}
	end();
}
END_TEST

/* RFC 9919, 3.2.1. One signature: who asks by the other hash finds it held. */
START_TEST(a_held_answer_may_name_its_certificate_twice)
{
	const EVP_MD *const mds[] = { EVP_sha1(), EVP_sha256() };
	int64_t produced[2];
	struct ocsp_said said;
	long lives;

	begin("dual_cert_ids = yes\n");
	daemon_certify(&d);
	lives = metric(LIVE);
	for (int i = 0; i < 2; i++) {
		OCSP_REQUEST *req = OCSP_REQUEST_new();
		OWNED(OCSP_CERTID) *other = cert_id(mds[1 - i], "1001");
		OCSP_BASICRESP *basic;
		int status;

		OCSP_request_add0_id(req, cert_id(mds[i], "1001"));
		basic = post(req, &status);
		ck_assert_int_eq(OCSP_resp_count(basic), 2);
		ck_assert_int_eq(OCSP_resp_find_status(basic, other, &status,
		    NULL, NULL, NULL, NULL), 1);
		ck_assert_int_eq(status, V_OCSP_CERTSTATUS_GOOD);
		OCSP_BASICRESP_free(basic);
		ck_assert_int_eq(daemon_ask(&d, "1001", mds[i], false, &said),
		    V_OCSP_CERTSTATUS_GOOD);
		produced[i] = said.produced_at;
	}
	ck_assert_int_eq(produced[0], produced[1]);
	ck_assert_int_eq(metric(LIVE), lives);
	/* Live answers, and such about nothing, name what was asked. */
	for (int i = 0; i < 2; i++) {
		OCSP_REQUEST *req = OCSP_REQUEST_new();
		OCSP_BASICRESP *basic;
		int status;

		OCSP_request_add0_id(req, cert_id(EVP_sha256(), i == 0 ?
		    "1001" : "7777"));
		if (i == 0)
			OCSP_request_add1_nonce(req, NULL, 32);
		basic = post(req, &status);
		ck_assert_int_eq(OCSP_resp_count(basic), 1);
		OCSP_BASICRESP_free(basic);
	}
	/* A revocation is known by both. */
	stand_revoke(&d.stand, "1001", CRL_SUPERSEDED, 0);
	daemon_await(&d, "1001", V_OCSP_CERTSTATUS_REVOKED);
	ck_assert_int_eq(daemon_ask(&d, "1001", EVP_sha256(), false, &said),
	    V_OCSP_CERTSTATUS_REVOKED);
	end();
}
END_TEST

/* RFC 9654, 2.1: which nonces come back, exactly. */
static const struct {
	const char	*odd;
	int		 len;
	bool		 echoed;
} nonces[] = {
	{ "echo",	1,	true },
	{ "echo",	16,	true },
	{ "echo",	128,	true },
	{ "ignore",	15,	false },
	{ "ignore",	16,	true },
	{ "ignore",	32,	true },
	{ "ignore",	33,	false },
};

START_TEST(a_nonce_comes_back_as_configured)
{
	static unsigned char octets[128] = { 0x80, 0, 7 };
	OCSP_REQUEST *req = OCSP_REQUEST_new();
	OCSP_BASICRESP *basic;
	char text[64];
	int status, at;

	snprintf(text, sizeof(text), "odd_nonce = \"%s\"\n",
	    nonces[_i].odd);
	begin(text);
	daemon_certify(&d);
	OCSP_request_add0_id(req, cert_id(EVP_sha1(), "1001"));
	OCSP_request_add1_nonce(req, octets, nonces[_i].len);
	basic = post(copy(req), &status);
	ck_assert_ptr_nonnull(basic);
	at = OCSP_BASICRESP_get_ext_by_NID(basic, NID_id_pkix_OCSP_Nonce, -1);
	ck_assert_int_eq(at >= 0, nonces[_i].echoed);
	ck_assert_int_eq(OCSP_check_nonce(req, basic),
	    nonces[_i].echoed ? 1 : -1);
	if (at >= 0)
		ck_assert_int_eq(X509_EXTENSION_get_critical(
		    OCSP_BASICRESP_get_ext(basic, at)), 0);
	OCSP_BASICRESP_free(basic);
	OCSP_REQUEST_free(req);
	end();
}
END_TEST

/* What goes wrong in HTTP is said by HTTP; what goes wrong in OCSP is said in
 * five octets, with status 200: clients such as OpenSSL's look at no other. */
#define MALFORMED	"\r\n\r\n\x30\x03\x0a\x01\x01"
static const struct {
	const char	*sent;
	const char	*status, *has;
} refusals[] = {
	{ "DELETE / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
	  "HTTP/1.1 405 ", "\r\nAllow: " },
	{ "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
	  "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi",
	  "HTTP/1.1 415 ", "" },
	{ "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
	  "Content-Type: application/ocsp-request\r\n"
	  "Content-Length: 99999\r\n\r\n", "HTTP/1.1 413 ", "" },
	{ "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
	  "Content-Type: application/ocsp-request\r\n"
	  "Content-Length: 2\r\n\r\nhi", "HTTP/1.1 200 ", MALFORMED },
	{ "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
	  "Content-Length: 2\r\n\r\nhi", "HTTP/1.1 200 ", MALFORMED },
	{ "GET /MEIwQDA HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
	  "HTTP/1.1 200 ", MALFORMED },
};

START_TEST(errors_are_told_by_http_or_by_ocsp)
{
	int64_t begun = daemon_now_ms();

	begin("");
	for (int i = 0; i < ROWS(refusals); i++) {
		while (!daemon_exchange(&d, bytes_of(refusals[i].sent))) {
			ck_assert_int_lt(daemon_now_ms() - begun,
			    PATIENCE_MS);
			daemon_take_breath();
		}
		ck_assert_msg(strncmp(d.answer, refusals[i].status,
		    strlen(refusals[i].status)) == 0 &&
		    strstr(d.answer, refusals[i].has) != NULL, "%d: %s", i,
		    d.answer);
	}
	end();
}
END_TEST

START_TEST(sha1_can_be_switched_off)
{
	struct ocsp_said said;
	int64_t begun = daemon_now_ms();

	begin("sha1_cert_ids = no\n");
	certify(1);
	while (daemon_ask(&d, "1001", EVP_sha256(), false, &said) !=
	    V_OCSP_CERTSTATUS_GOOD) {
		ck_assert_int_lt(daemon_now_ms() - begun, PATIENCE_MS);
		daemon_take_breath();
	}
	ck_assert_int_eq(daemon_ask(&d, "1001", EVP_sha1(), false, &said),
	    -OCSP_RESPONSE_STATUS_UNAUTHORIZED);
	ck_assert_int_eq(daemon_ask(&d, "1001", EVP_sha1(), true, &said),
	    -OCSP_RESPONSE_STATUS_UNAUTHORIZED);
	await_metric("csrmail_ocspd_requests_by_hash_total{process=\"front.0\","
	    "hash=\"sha1\"} ", 2);
	end();
}
END_TEST

/* RFC 6960, 2.3. The CAs come as a descriptor: a front opens no file. */
START_TEST(a_signature_may_be_required)
{
	char text[300], path[200];
	struct ocsp_said said;
	EVP_PKEY *key = EVP_EC_gen("P-256");
	OWNED(X509) *client = NULL;
	OCSP_REQUEST *req = OCSP_REQUEST_new();
	OCSP_BASICRESP *basic;
	int64_t begun = daemon_now_ms();
	int status = 0;
	FILE *f;

	/* The stand's own CA certifies who may ask. */
	daemon_open(&d, "");
	snprintf(path, sizeof(path), "%s/askers.pem", d.stand.dir);
	snprintf(text, sizeof(text), "signed_requests = \"required\"\n"
	    "request_anchors = \"%s\"\n", path);
	f = fopen(path, "w");
	PEM_write_X509(f, d.stand.ca);
	fclose(f);
	f = fopen(d.conf, "a");
	fputs(text, f);
	fclose(f);
	daemon_start(&d, 0);
	while (daemon_ask(&d, "1001", EVP_sha1(), false, &said) !=
	    -OCSP_RESPONSE_STATUS_SIGREQUIRED) {
		ck_assert_int_lt(daemon_now_ms() - begun, PATIENCE_MS);
		daemon_take_breath();
	}
	certify(1);
	client = stand_issue(&d.stand, "2002");
	X509_set_pubkey(client, key);
	ck_assert_int_gt(X509_sign(client, d.stand.key, EVP_sha256()), 0);
	OCSP_request_add0_id(req, cert_id(EVP_sha1(), "1001"));
	ck_assert_int_eq(OCSP_request_sign(req, client, key, EVP_sha256(),
	    NULL, 0), 1);
	do {
		ck_assert_int_lt(daemon_now_ms() - begun, PATIENCE_MS);
		basic = post(copy(req), &status);
	} while (basic == NULL);
	ck_assert_int_eq(status, OCSP_RESPONSE_STATUS_SUCCESSFUL);
	OCSP_BASICRESP_free(basic);
	OCSP_REQUEST_free(req);
	EVP_PKEY_free(key);
	end();
}
END_TEST

/* RFC 9919, 7.1: two certificates, each by two hashes; nobody asks. */
START_TEST(what_is_issued_may_be_signed_before_anybody_asks)
{
	struct ocsp_said said;

	begin("presign = \"all\"\n");
	certify(1);
	await_metric(AHEAD, 4);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(daemon_ask(&d, i == 0 ? "1001" : "FF02",
		    EVP_sha256(), false, &said), V_OCSP_CERTSTATUS_GOOD);
		ck_assert_int_eq(daemon_ask(&d, i == 0 ? "1001" : "FF02",
		    EVP_sha1(), false, &said), V_OCSP_CERTSTATUS_GOOD);
	}
	/* What comes later is signed then; and what changes, again. */
	X509_free(stand_issue(&d.stand, "2002"));
	await_metric(AHEAD, 6);
	ck_assert_int_eq(daemon_ask(&d, "2002", EVP_sha1(), false, &said),
	    V_OCSP_CERTSTATUS_GOOD);
	stand_revoke(&d.stand, "1001", CRL_SUPERSEDED, 0);
	await_metric(AHEAD, 8);
	ck_assert_int_eq(daemon_ask(&d, "1001", EVP_sha256(), false, &said),
	    V_OCSP_CERTSTATUS_REVOKED);
	ck_assert_int_eq(metric(HELD), 6);
	ck_assert_int_eq(metric(LIVE), 0);
	ck_assert_int_eq(metric(AHEAD), 8);
	end();
}
END_TEST

static OCSP_CERTID *
id_of(const struct stand *of, long serial)
{
	OWNED(ASN1_INTEGER) *n = ASN1_INTEGER_new();

	ASN1_INTEGER_set(n, serial);
	return OCSP_cert_id_new(EVP_sha1(), X509_get_subject_name(of->ca),
	    X509_get0_pubkey_bitstr(of->ca), n);
}

/* RFC 6960, 4.2.2.2: a signer speaks for one CA. Serials, and whose: 'r' the
 * root's, 'c' its child's, 'x' a CA's that is not here. */
static const struct {
	const char	*whose;
	long		 serials[3];
	int		 want;		/* OCSPResponseStatus */
	int		 singles;
} spans[] = {
	{ "r",   { 0x1001 },			0, 1 },
	{ "c",   { 0x5001 },			0, 1 },
	{ "rrr", { 0x1001, 0xff02, 0x1001 },	0, 3 },
	{ "rr",  { 0x1001, 0x7777 },		0, 2 },
	{ "rc",  { 0x1001, 0x5001 }, OCSP_RESPONSE_STATUS_UNAUTHORIZED, 0 },
	{ "cr",  { 0x5001, 0x1001 }, OCSP_RESPONSE_STATUS_UNAUTHORIZED, 0 },
	{ "rx",  { 0x1001, 0x1001 }, OCSP_RESPONSE_STATUS_UNAUTHORIZED, 0 },
	{ "xr",  { 0x1001, 0x1001 }, OCSP_RESPONSE_STATUS_UNAUTHORIZED, 0 },
	{ "x",   { 0x1001 },	     OCSP_RESPONSE_STATUS_UNAUTHORIZED, 0 },
};

static void
check_span(int i, const struct stand *root, const struct stand *child,
    const struct stand *foreign)
{
	OCSP_REQUEST *req = OCSP_REQUEST_new();
	OCSP_BASICRESP *basic;
	int status;

	for (size_t n = 0; n < strlen(spans[i].whose); n++)
		OCSP_request_add0_id(req, id_of(spans[i].whose[n] == 'r' ?
		    root : spans[i].whose[n] == 'c' ? child : foreign,
		    spans[i].serials[n]));
	/* Whose certificate the signer's must lead to. */
	d.stand = spans[i].whose[0] == 'c' ? *child : *root;
	basic = post(req, &status);
	ck_assert_msg(status == spans[i].want && (basic == NULL ? 0 :
	    OCSP_resp_count(basic)) == spans[i].singles, "%s: %d",
	    spans[i].whose, status);
	OCSP_BASICRESP_free(basic);
}

START_TEST(a_request_about_several_cas_is_answered_by_nobody)
{
	struct stand root, child, foreign;

	daemon_open(&d, "fronts = 1\n");
	root = d.stand;
	stand_open_child(&root, &child, "example.test/child");
	X509_free(stand_issue(&child, "5001"));
	stand_open(&foreign, "example.test/foreign");
	daemon_start(&d, 0);
	daemon_certify(&d);
	d.stand = child;
	for (int64_t begun = daemon_now_ms();
	    stand_certify_spool(&child) == 0; daemon_take_breath())
		ck_assert_int_lt(daemon_now_ms() - begun, PATIENCE_MS);
	daemon_await(&d, "5001", V_OCSP_CERTSTATUS_GOOD);
	for (int i = 0; i < ROWS(spans); i++)
		check_span(i, &root, &child, &foreign);
	d.stand = root;
	stand_close(&foreign, false);
	daemon_stop(&d);
	stand_close_child(&child);
	daemon_close(&d);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("configured");
	TCase *c = tcase_create("configured");

	tcase_set_timeout(c, 90);
	tcase_add_test(c, each_client_gets_the_signature_that_it_prefers);
	tcase_add_test(c, a_held_answer_may_name_its_certificate_twice);
	tcase_add_loop_test(c, a_nonce_comes_back_as_configured, 0,
	    ROWS(nonces));
	tcase_add_test(c, errors_are_told_by_http_or_by_ocsp);
	tcase_add_test(c, sha1_can_be_switched_off);
	tcase_add_test(c,
	    a_request_about_several_cas_is_answered_by_nobody);
	tcase_add_test(c, a_signature_may_be_required);
	tcase_add_test(c, what_is_issued_may_be_signed_before_anybody_asks);
	suite_add_tcase(s, c);
	return fixture_run(s);
}
