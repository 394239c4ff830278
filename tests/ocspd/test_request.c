#include "ocspd/request.h"
#include "common/owned.h"
#include "ocspd/tlv.h"
#include "tests/support/fixtures.h"

#include <openssl/ocsp.h>

#include <string.h>

static uint8_t room[8192];

/* A request by OpenSSL, as clients make it. */
static struct bytes
encode(OCSP_REQUEST *req)
{
	uint8_t *p = room;
	int len = i2d_OCSP_REQUEST(req, &p);

	ck_assert_int_gt(len, 0);
	OCSP_REQUEST_free(req);
	return (struct bytes){ room, (size_t)len };
}

static OCSP_REQUEST *
request_of(const EVP_MD *md, int n)
{
	OCSP_REQUEST *req = OCSP_REQUEST_new();
	X509_NAME *name = X509_NAME_new();
	ASN1_BIT_STRING *key = ASN1_BIT_STRING_new();
	ASN1_INTEGER *serial = ASN1_INTEGER_new();

	ASN1_BIT_STRING_set(key, (unsigned char[]){ 1, 2, 3 }, 3);
	for (int i = 0; i < n; i++) {
		ASN1_INTEGER_set(serial, 0xff02 + i);
		OCSP_request_add0_id(req, OCSP_cert_id_new(md, name, key,
		    serial));
	}
	X509_NAME_free(name);
	ASN1_BIT_STRING_free(key);
	ASN1_INTEGER_free(serial);
	return req;
}

START_TEST(both_ways_read_the_common_request_alike)
{
	const EVP_MD *mds[] = { EVP_sha1(), EVP_sha256(), EVP_sha384(),
		EVP_sha512() };
	static struct request a, b;
	struct bytes der = encode(request_of(mds[_i], 1));

	ck_assert(request_read_common(der, &a));
	ck_assert_int_eq(request_read_general(der, 100, &b), OCSP_SUCCESSFUL);
	ck_assert_int_eq(a.ids[0].hash, _i + 1);
	ck_assert_int_eq(b.ids[0].hash, _i + 1);
	ck_assert(a.ids[0].null_params && b.ids[0].null_params);
	ck_assert(a.ids[0].der.data == b.ids[0].der.data);
	ck_assert_uint_eq(a.ids[0].der.len, b.ids[0].der.len);
	ck_assert(bytes_equal(a.ids[0].serial,
	    (struct bytes){ (const uint8_t *)"\0\xff\2", 3 }));
	ck_assert(!a.has_nonce && !b.has_nonce);
}
END_TEST

/* Each octet changed, each length cut: whatever the short way reads, the long
 * way reads in the same way; neither reads past the end. */
START_TEST(the_two_ways_never_disagree)
{
	static struct request a, b;
	struct bytes der = encode(request_of(EVP_sha1(), 1));

	for (size_t at = 0; at < der.len; at++)
		for (unsigned int bit = 0; bit < 8; bit++) {
			room[at] ^= (uint8_t)(1u << bit);
			if (request_read_common(der, &a)) {
				ck_assert_int_eq(request_read_general(der,
				    100, &b), OCSP_SUCCESSFUL);
				ck_assert_uint_eq(b.n_ids, 1);
				ck_assert(bytes_equal(a.ids[0].serial,
				    b.ids[0].serial));
			} else {
				request_read(der, 100, &b);
			}
			room[at] ^= (uint8_t)(1u << bit);
		}
	for (size_t n = 0; n < der.len; n++) {
		OWNED_HEAP(uint8_t) *copy = malloc(n + 1);

		memcpy(copy, der.data, n);
		ck_assert_int_eq(request_read((struct bytes){ copy, n }, 100,
		    &a), OCSP_MALFORMED_REQUEST);
	}
}
END_TEST

START_TEST(octets_behind_a_request_are_refused)
{
	static struct request r;
	struct bytes der = encode(request_of(EVP_sha1(), 1));

	room[der.len++] = 0;
	ck_assert_int_eq(request_read(der, 100, &r), OCSP_MALFORMED_REQUEST);
}
END_TEST

START_TEST(cert_ids_are_counted)
{
	static struct request r;

	ck_assert_int_eq(request_read(encode(request_of(EVP_sha1(), 3)), 3,
	    &r), OCSP_SUCCESSFUL);
	ck_assert_uint_eq(r.n_ids, 3);
	ck_assert_int_eq(request_read(encode(request_of(EVP_sha1(), 4)), 3,
	    &r), OCSP_MALFORMED_REQUEST);
	ck_assert_int_eq(request_read(encode(request_of(EVP_sha1(), 0)), 3,
	    &r), OCSP_MALFORMED_REQUEST);
}
END_TEST

START_TEST(an_unknown_hash_is_not_ours_to_answer)
{
	static struct request r;

	ck_assert_int_eq(request_read(encode(request_of(EVP_md5(), 1)), 3,
	    &r), OCSP_UNAUTHORIZED);
}
END_TEST

/* RFC 9654, 2.1. Octets of the nonce, and whether it may be answered. */
static const struct {
	int	len;
	bool	good;
} nonces[] = {
	{ 0, false }, { 1, true }, { 15, true }, { 16, true }, { 32, true },
	{ 33, true }, { 128, true }, { 129, false },
};

START_TEST(nonces_have_a_length)
{
	static struct request r;
	OCSP_REQUEST *req = request_of(EVP_sha1(), 1);
	uint8_t value[200];
	struct tlv w = TLV(value);
	uint8_t octets[130] = { 7 };
	ASN1_OBJECT *oid = OBJ_nid2obj(NID_id_pkix_OCSP_Nonce);
	ASN1_OCTET_STRING *s = ASN1_OCTET_STRING_new();
	X509_EXTENSION *ext;

	tlv_put_element(&w, DER_OCTET_STRING,
	    (struct bytes){ octets, (size_t)nonces[_i].len });
	ASN1_OCTET_STRING_set(s, tlv_bytes(&w).data, (int)tlv_bytes(&w).len);
	ext = X509_EXTENSION_create_by_OBJ(NULL, oid, 0, s);
	OCSP_REQUEST_add_ext(req, ext, -1);
	X509_EXTENSION_free(ext);
	ASN1_OCTET_STRING_free(s);
	ck_assert_int_eq(request_read(encode(req), 3, &r), nonces[_i].good ?
	    OCSP_SUCCESSFUL : OCSP_MALFORMED_REQUEST);
	ck_assert_int_eq(r.has_nonce, nonces[_i].good);
	if (nonces[_i].good)
		ck_assert_mem_eq(r.nonce, octets, r.nonce_len);
}
END_TEST

START_TEST(an_unknown_extension_is_refused_when_critical)
{
	static struct request r;

	for (int critical = 0; critical < 2; critical++) {
		OCSP_REQUEST *req = request_of(EVP_sha1(), 1);
		ASN1_OCTET_STRING *s = ASN1_OCTET_STRING_new();
		X509_EXTENSION *ext;

		ASN1_OCTET_STRING_set(s, (unsigned char[]){ 5, 0 }, 2);
		ext = X509_EXTENSION_create_by_NID(NULL, NID_id_pkix_OCSP_CrlID,
		    critical, s);
		OCSP_REQUEST_add_ext(req, ext, -1);
		X509_EXTENSION_free(ext);
		ASN1_OCTET_STRING_free(s);
		ck_assert_int_eq(request_read(encode(req), 3, &r), critical ?
		    OCSP_MALFORMED_REQUEST : OCSP_SUCCESSFUL);
	}
}
END_TEST

/* RFC 9919, 3.1.2: who asks is not asked, so a signature is not looked at, and
 * a wrong one is no worse than none. */
START_TEST(a_signature_is_ignored)
{
	static struct request r;
	OWNED(EVP_PKEY) *key = EVP_EC_gen("P-256");
	OWNED(X509) *cert = X509_new();
	OCSP_REQUEST *req = request_of(EVP_sha1(), 1);
	struct bytes der;

	X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN",
	    MBSTRING_ASC, (const unsigned char *)"a client", -1, -1, 0);
	X509_set_pubkey(cert, key);
	ck_assert_int_eq(X509_set_issuer_name(cert,
	    X509_get_subject_name(cert)), 1);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), 0);
	X509_gmtime_adj(X509_getm_notAfter(cert), 1);
	ck_assert_int_gt(X509_sign(cert, key, EVP_sha256()), 0);
	/* With a certificate; without; and broken. requestorName in each. */
	ck_assert_int_eq(OCSP_request_sign(req, cert, key, EVP_sha256(), NULL,
	    _i == 0 ? 0 : OCSP_NOCERTS), 1);
	der = encode(req);
	if (_i == 2)
		room[der.len - 1] ^= 1;
	ck_assert_int_eq(request_read(der, 3, &r), OCSP_SUCCESSFUL);
	ck_assert_uint_eq(r.n_ids, 1);
	ck_assert(!r.has_nonce);
	ck_assert(bytes_equal(r.ids[0].serial,
	    (struct bytes){ (const uint8_t *)"\0\xff\2", 3 }));
}
END_TEST

/* RFC 9919, 6, and what clients do. %s is the base64. */
static const struct {
	const char	*before;
	bool		 encoded, padded, url;
	int		 want;
} paths[] = {
	{ "/", false, true, false, 1 },
	{ "/", true, true, false, 1 },
	{ "//", false, true, false, 1 },
	{ "/", false, false, false, 1 },
	{ "/", false, false, true, 1 },
	{ "/ocsp/", false, true, false, 1 },
	{ "/Many/Misleading/", true, true, false, 1 },
	{ "/a", false, true, false, 0 },
};

START_TEST(a_get_is_read_in_all_spellings)
{
	struct bytes der = encode(request_of(EVP_sha1(), 1));
	OWNED_BUF(text, 1000);
	OWNED_BUF(path, 2000);
	OWNED_BUF(out, 1000);

	/* Octets whose base64 has every odd sign. */
	memcpy(room + 30, "\xff\xef\xbe\xff\xff\xff", 6);
	base64_encode(der, 0, &text);
	buf_append_str(&path, paths[_i].before);
	for (size_t i = 0; i < text.len; i++) {
		char c = (char)text.data[i];

		if (c == '=' && !paths[_i].padded)
			continue;
		if (paths[_i].url && c == '+')
			c = '-';
		if (paths[_i].url && c == '/')
			c = '_';
		if (paths[_i].encoded && strchr("+/=", c) != NULL)
			buf_printf(&path, "%%%02x", c);
		else
			buf_append(&path, &c, 1);
	}
	ck_assert_int_eq(request_from_path(buf_bytes(&path), &out),
	    paths[_i].want);
	if (paths[_i].want == 1)
		ck_assert(bytes_equal(buf_bytes(&out), der));
}
END_TEST

START_TEST(a_broken_get_is_told_from_none)
{
	OWNED_BUF(out, 1000);

	ck_assert_int_eq(request_from_path(bytes_of("/MEIwQDA"), &out), -1);
	ck_assert_int_eq(request_from_path(bytes_of("/M!!!!!!"), &out), -1);
	ck_assert_int_eq(request_from_path(bytes_of("/"), &out), 0);
	ck_assert_int_eq(request_from_path(bytes_of("/favicon.ico"), &out), 0);
	ck_assert_int_eq(request_from_path(bytes_of("/MEIw%4"), &out), 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("request");
	TCase *c = tcase_create("request");

	tcase_add_loop_test(c, both_ways_read_the_common_request_alike, 0, 4);
	tcase_add_test(c, the_two_ways_never_disagree);
	tcase_add_test(c, octets_behind_a_request_are_refused);
	tcase_add_test(c, cert_ids_are_counted);
	tcase_add_test(c, an_unknown_hash_is_not_ours_to_answer);
	tcase_add_loop_test(c, nonces_have_a_length, 0, ROWS(nonces));
	tcase_add_test(c, an_unknown_extension_is_refused_when_critical);
	tcase_add_loop_test(c, a_signature_is_ignored, 0, 3);
	tcase_add_loop_test(c, a_get_is_read_in_all_spellings, 0,
	    ROWS(paths));
	tcase_add_test(c, a_broken_get_is_told_from_none);
	suite_add_tcase(s, c);
	return fixture_run(s);
}
