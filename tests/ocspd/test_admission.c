/* Which requests we answer: by hash, and by who has signed. */
#include "ocspd/admission.h"
#include "common/err.h"
#include "tests/support/fixtures.h"
#include "tests/support/test_ca.h"

#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <sys/mman.h>

#include <string.h>
#include <unistd.h>

static struct test_ca ca, stranger;
static EVP_PKEY *key;
static X509 *client, *strangers_client;
static struct settings settings;
static struct requestors *requestors;
static struct request request;
static uint8_t room[16384];
static struct err err;

/* Valid from a day before NOON to a day after. */
static X509 *
certify(const struct test_ca *by)
{
	X509 *cert = X509_new();

	X509_set_version(cert, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 77);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN",
	    MBSTRING_ASC, (const unsigned char *)"a client", -1, -1, 0);
	X509_set_issuer_name(cert, X509_get_subject_name(by->cert));
	ASN1_TIME_set(X509_getm_notBefore(cert), NOON - DAY);
	ASN1_TIME_set(X509_getm_notAfter(cert), NOON + DAY);
	X509_set_pubkey(cert, key);
	ck_assert_int_gt(X509_sign(cert, by->key, EVP_sha256()), 0);
	return cert;
}

static int
file_of(const void *octets, size_t len)
{
	int fd = memfd_create("anchors", 0);

	ck_assert_int_eq(write(fd, octets, len), (ssize_t)len);
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static void
set_up(void)
{
	BIO *pem = BIO_new(BIO_s_mem());
	char *text;
	long len;

	test_ca_make(&ca, KEY_P256);
	test_ca_make(&stranger, KEY_P256);
	key = key_generate(KEY_P256, 0, &err);
	client = certify(&ca);
	strangers_client = certify(&stranger);
	PEM_write_bio_X509(pem, ca.cert);
	len = BIO_get_mem_data(pem, &text);
	ck_assert_msg(requestors_new(file_of(text, (size_t)len), &requestors,
	    &err) == 0, "%s", err.text);
	BIO_free(pem);
	settings = (struct settings){ .sha1_cert_ids = true,
		.n_responder_keys = 2, .responder_keys = {
		{ KEY_P256, 0, SIGNATURE_ECDSA_SHA256 },
		{ KEY_ED25519, 0, SIGNATURE_ED25519 } } };
}

static void
tear_down(void)
{
	requestors_free(requestors);
	X509_free(client);
	X509_free(strangers_client);
	EVP_PKEY_free(key);
	test_ca_free(&ca);
	test_ca_free(&stranger);
}

static OCSP_REQUEST *
request_of(const EVP_MD *md)
{
	OCSP_REQUEST *req = OCSP_REQUEST_new();
	OWNED(ASN1_INTEGER) *serial = ASN1_INTEGER_new();

	ASN1_INTEGER_set(serial, 7);
	OCSP_request_add0_id(req, OCSP_cert_id_new(md,
	    X509_get_subject_name(ca.cert), X509_get0_pubkey_bitstr(ca.cert),
	    serial));
	return req;
}

/* Encode (req is freed), change the last octet if told, read, and admit. */
static enum ocsp_status
admit(OCSP_REQUEST *req, bool spoil, const struct requestors *known,
    time_t now)
{
	const struct admission a = { &settings, known, NULL };
	uint8_t *p = room;
	int len = i2d_OCSP_REQUEST(req, &p);

	OCSP_REQUEST_free(req);
	ck_assert_int_gt(len, 0);
	if (spoil)
		room[len - 1] ^= 1;
	ck_assert_int_eq(request_read((struct bytes){ room, (size_t)len }, 1,
	    &request), OCSP_SUCCESSFUL);
	return admission_check(&a, (struct bytes){ room, (size_t)len },
	    &request, now);
}

/* RFC 6960, 2.3 and 4.1.2; what follows from each way to sign. */
static const struct {
	const char	*name;
	bool		 is_signed, strange, spoilt, certs, known;
	time_t		 now;
	enum ocsp_status verify, required;
} signatures[] = {
	{ "none", false, false, false, false, true, NOON,
	  OCSP_SUCCESSFUL, OCSP_SIG_REQUIRED },
	{ "of somebody known", true, false, false, true, true, NOON,
	  OCSP_SUCCESSFUL, OCSP_SUCCESSFUL },
	{ "of a stranger of the same name", true, true, false, true, true,
	  NOON, OCSP_UNAUTHORIZED, OCSP_UNAUTHORIZED },
	{ "broken", true, false, true, false, true, NOON,
	  OCSP_UNAUTHORIZED, OCSP_UNAUTHORIZED },
	{ "without a certificate", true, false, false, false, true, NOON,
	  OCSP_UNAUTHORIZED, OCSP_UNAUTHORIZED },
	{ "before its time", true, false, false, true, true, NOON - 2 * DAY,
	  OCSP_UNAUTHORIZED, OCSP_UNAUTHORIZED },
	{ "after its time", true, false, false, true, true, NOON + 2 * DAY,
	  OCSP_UNAUTHORIZED, OCSP_UNAUTHORIZED },
	{ "while nobody is known", true, false, false, true, false, NOON,
	  OCSP_UNAUTHORIZED, OCSP_UNAUTHORIZED },
};

START_TEST(a_signature_counts_as_configured)
{
	static const enum signed_requests modes[] = { SIGNED_REQUESTS_IGNORE,
		SIGNED_REQUESTS_VERIFY, SIGNED_REQUESTS_REQUIRED };

	for (int mode = 0; mode < ROWS(modes); mode++) {
		enum ocsp_status want = mode == 0 ? OCSP_SUCCESSFUL :
		    mode == 1 ? signatures[_i].verify :
		    signatures[_i].required;
		OCSP_REQUEST *req = request_of(EVP_sha256());

		settings.signed_requests = modes[mode];
		if (signatures[_i].is_signed)
			ck_assert_int_eq(OCSP_request_sign(req,
			    signatures[_i].strange ? strangers_client :
			    client, key, EVP_sha256(), NULL,
			    signatures[_i].certs ? 0 : OCSP_NOCERTS), 1);
		ck_assert_msg(admit(req, signatures[_i].spoilt,
		    signatures[_i].known ? requestors : NULL,
		    signatures[_i].now) == want, "%s, mode %d",
		    signatures[_i].name, mode);
	}
}
END_TEST

/* The signature covers what is asked: another CertID under it is refused. */
START_TEST(a_signature_of_another_request_is_none)
{
	const struct admission a = { &settings, requestors, NULL };
	OCSP_REQUEST *req = request_of(EVP_sha256());
	uint8_t *p = room;
	int len;

	settings.signed_requests = SIGNED_REQUESTS_REQUIRED;
	ck_assert_int_eq(OCSP_request_sign(req, client, key, EVP_sha256(),
	    NULL, 0), 1);
	len = i2d_OCSP_REQUEST(req, &p);
	OCSP_REQUEST_free(req);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(request_read((struct bytes){ room,
		    (size_t)len }, 1, &request), OCSP_SUCCESSFUL);
		ck_assert_int_eq(admission_check(&a, (struct bytes){ room,
		    (size_t)len }, &request, NOON), i == 0 ?
		    OCSP_SUCCESSFUL : OCSP_UNAUTHORIZED);
		/* The last octet of the serial. */
		room[request.ids[0].serial.data - room] ^= 1;
	}
}
END_TEST

START_TEST(sha1_is_unauthorized_where_it_is_switched_off)
{
	for (int on = 0; on < 2; on++) {
		settings.sha1_cert_ids = on == 1;
		ck_assert_int_eq(admit(request_of(EVP_sha1()), false, NULL,
		    NOON), on ? OCSP_SUCCESSFUL : OCSP_UNAUTHORIZED);
		ck_assert_int_eq(admit(request_of(EVP_sha256()), false, NULL,
		    NOON), OCSP_SUCCESSFUL);
	}
}
END_TEST

START_TEST(each_hash_is_counted)
{
	struct counters *counters = NULL;
	struct counters_view *view = NULL;
	const struct admission a = { &settings, NULL, NULL };
	struct admission counting;

	ck_assert_int_eq(counters_new(&counters, &err), 0);
	ck_assert_int_eq(counters_open(counters_share(counters, &err), &view,
	    &err), 0);
	counting = a;
	counting.counters = counters;
	request = (struct request){ .n_ids = 3, .ids = {
	    { .hash = CERT_HASH_SHA1 }, { .hash = CERT_HASH_SHA1 },
	    { .hash = CERT_HASH_SHA384 } } };
	admission_check(&counting, (struct bytes){ 0 }, &request, NOON);
	request = (struct request){ .n_ids = 1, .ids = {
	    { .hash = CERT_HASH_SHA256 } } };
	admission_check(&counting, (struct bytes){ 0 }, &request, NOON);
	ck_assert_uint_eq(counters_get(view, COUNT_CERT_ID_SHA1), 1);
	ck_assert_uint_eq(counters_get(view, COUNT_CERT_ID_SHA256), 1);
	ck_assert_uint_eq(counters_get(view, COUNT_CERT_ID_OTHER), 1);
	counters_close(view);
	counters_free(counters);
}
END_TEST

/* In the table an answer is looked for by the client's first kind of ours. */
START_TEST(a_preference_counts_when_there_is_such_a_key)
{
	const struct admission a = { &settings, NULL, NULL };

	request = (struct request){ .n_preferred = 2, .preferred = {
	    SIGNATURE_RSA_SHA256, SIGNATURE_ED25519 } };
	ck_assert_int_eq(admission_signature(&a, &request),
	    SIGNATURE_ED25519);
	request.n_preferred = 1;
	ck_assert_int_eq(admission_signature(&a, &request), SIGNATURE_ANY);
	request.n_preferred = 0;
	ck_assert_int_eq(admission_signature(&a, &request), SIGNATURE_ANY);
}
END_TEST

START_TEST(a_file_without_certificates_is_refused)
{
	struct requestors *r = NULL;

	ck_assert_int_eq(requestors_new(file_of("hello\n", 6), &r, &err), -1);
	ck_assert_int_eq(requestors_new(file_of("", 0), &r, &err), -1);
	ck_assert_int_eq(requestors_new(-1, &r, &err), -1);
	ck_assert_ptr_null(r);
}
END_TEST

/* Nobody is left out without a word: a slip in the second costs the file. */
START_TEST(a_file_that_breaks_off_is_refused)
{
	struct requestors *r = NULL;
	BIO *pem = BIO_new(BIO_s_mem());
	char *text;
	long len, one;

	PEM_write_bio_X509(pem, ca.cert);
	one = BIO_get_mem_data(pem, &text);
	PEM_write_bio_X509(pem, stranger.cert);
	len = BIO_get_mem_data(pem, &text);
	ck_assert_int_eq(requestors_new(file_of(text, (size_t)len), &r, &err),
	    0);
	requestors_free(r);
	r = NULL;
	ck_assert_int_eq(requestors_new(file_of(text, (size_t)len - 40), &r,
	    &err), -1);
	text[one + 60] = '*';
	ck_assert_int_eq(requestors_new(file_of(text, (size_t)len), &r, &err),
	    -1);
	ck_assert_ptr_null(r);
	BIO_free(pem);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("admission");
	TCase *c = tcase_create("admission");

	tcase_add_checked_fixture(c, set_up, tear_down);
	tcase_add_loop_test(c, a_signature_counts_as_configured, 0,
	    ROWS(signatures));
	tcase_add_test(c, a_signature_of_another_request_is_none);
	tcase_add_test(c, sha1_is_unauthorized_where_it_is_switched_off);
	tcase_add_test(c, each_hash_is_counted);
	tcase_add_test(c, a_preference_counts_when_there_is_such_a_key);
	tcase_add_test(c, a_file_without_certificates_is_refused);
	tcase_add_test(c, a_file_that_breaks_off_is_refused);
	suite_add_tcase(s, c);
	return fixture_run(s);
}
