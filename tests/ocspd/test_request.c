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
	OCSP_REQUEST *req = request_of(EVP_sha1(), 1);
	struct bytes der;

	if (_i == 1)
		OCSP_request_add1_nonce(req, NULL, 16);
	der = encode(req);
	ck_assert(request_read_common(der, &a));
	for (size_t at = 0; at < der.len; at++)
		for (unsigned int bit = 0; bit < 8; bit++) {
			room[at] ^= (uint8_t)(1u << bit);
			if (request_read_common(der, &a)) {
				ck_assert_int_eq(request_read_general(der,
				    100, &b), OCSP_SUCCESSFUL);
				ck_assert_uint_eq(b.n_ids, 1);
				ck_assert(bytes_equal(a.ids[0].serial,
				    b.ids[0].serial));
				ck_assert(bytes_equal((struct bytes){ a.nonce,
				    a.nonce_len }, (struct bytes){ b.nonce,
				    b.nonce_len }));
				ck_assert_int_eq(a.has_nonce, b.has_nonce);
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
	struct bytes der;

	tlv_put_element(&w, DER_OCTET_STRING,
	    (struct bytes){ octets, (size_t)nonces[_i].len });
	ASN1_OCTET_STRING_set(s, tlv_bytes(&w).data, (int)tlv_bytes(&w).len);
	ext = X509_EXTENSION_create_by_OBJ(NULL, oid, 0, s);
	OCSP_REQUEST_add_ext(req, ext, -1);
	X509_EXTENSION_free(ext);
	ASN1_OCTET_STRING_free(s);
	der = encode(req);
	ck_assert_int_eq(request_read_common(der, &r), nonces[_i].good);
	ck_assert_int_eq(request_read(der, 3, &r), nonces[_i].good ?
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

/* --- preferences ------------------------------------ */

#define ECDSA_SHA256	"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02"
#define ECDSA_SHA384	"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03"
#define RSA_SHA256	"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01" \
    "\x01\x0b\x05\x00"
#define RSA_SHA1	"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01" \
    "\x01\x05\x05\x00"
#define ED25519		"\x30\x05\x06\x03\x2b\x65\x70"
/* SMIMECapability: id-ecPublicKey with P-256, and with P-384 */
#define ON_P256		"\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01" \
    "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"
#define ON_P384		"\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01" \
    "\x06\x05\x2b\x81\x04\x00\x22"
#define OF(octets)	(octets), sizeof(octets) - 1

/* RFC 6960, 4.4.7. Contents of the SEQUENCEs; an empty one is no entry. */
static const struct {
	const char	*name;
	struct { const char *octets; size_t len; } entries[3];
	bool		 trailing;	/* an octet behind it */
	bool		 good;
	size_t		 n;
	enum signature_alg want[2];
} preferences[] = {
	{ "one", { { OF(ECDSA_SHA256) } }, false, true, 1,
	  { SIGNATURE_ECDSA_SHA256 } },
	{ "the client's order", { { OF(ED25519) }, { OF(RSA_SHA256) } },
	  false, true, 2, { SIGNATURE_ED25519, SIGNATURE_RSA_SHA256 } },
	{ "SHA-1 is not known", { { OF(RSA_SHA1) }, { OF(RSA_SHA256) } },
	  false, true, 1, { SIGNATURE_RSA_SHA256 } },
	{ "nothing known", { { OF(RSA_SHA1) } }, false, true, 0, { 0 } },
	{ "said twice", { { OF(ED25519) }, { OF(ED25519) },
	  { OF(ECDSA_SHA384) } }, false, true, 2,
	  { SIGNATURE_ED25519, SIGNATURE_ECDSA_SHA384 } },
	{ "on our curve", { { OF(ECDSA_SHA256 ON_P256) } }, false, true, 1,
	  { SIGNATURE_ECDSA_SHA256 } },
	{ "on a curve that we sign by another hash",
	  { { OF(ECDSA_SHA256 ON_P384) }, { OF(RSA_SHA256) } }, false, true,
	  1, { SIGNATURE_RSA_SHA256 } },
	{ "no list", { { "", 0 } }, false, false, 0, { 0 } },
	{ "an entry of something else", { { OF("\x02\x01\x05") } }, false,
	  false, 0, { 0 } },
	{ "more in an entry than there can be",
	  { { OF(ECDSA_SHA256 ON_P256 ON_P256) } }, false, false, 0, { 0 } },
	{ "octets behind it", { { OF(ED25519) } }, true, false, 0, { 0 } },
};

/* value is taken for the whole extnValue. */
static void
add_extension(OCSP_REQUEST *req, const char *oid, struct bytes value)
{
	OWNED(ASN1_OBJECT) *object = OBJ_txt2obj(oid, 1);
	OWNED(ASN1_OCTET_STRING) *s = ASN1_OCTET_STRING_new();
	OWNED(X509_EXTENSION) *ext = NULL;

	ASN1_OCTET_STRING_set(s, value.data, (int)value.len);
	ext = X509_EXTENSION_create_by_OBJ(NULL, object, 0, s);
	OCSP_REQUEST_add_ext(req, ext, -1);
}

static struct bytes
preference_value(int i, uint8_t *octets, size_t size)
{
	struct tlv w = { octets, size, size, false };

	if (preferences[i].trailing)
		tlv_put_octet(&w, 0);
	for (int n = 2; n >= 0; n--) {
		size_t end = tlv_mark(&w);

		if (preferences[i].entries[n].len == 0)
			continue;
		tlv_put(&w, (struct bytes){
		    (const uint8_t *)preferences[i].entries[n].octets,
		    preferences[i].entries[n].len });
		tlv_wrap(&w, DER_SEQUENCE, end);
	}
	tlv_wrap(&w, DER_SEQUENCE, preferences[i].trailing);
	return tlv_bytes(&w);
}

START_TEST(preferred_signatures_are_read_in_their_order)
{
	static struct request r;
	const char *name = preferences[_i].name;
	OCSP_REQUEST *req = request_of(EVP_sha1(), 1);
	uint8_t value[300];
	struct bytes der;

	add_extension(req, "1.3.6.1.5.5.7.48.1.8",
	    preference_value(_i, value, sizeof(value)));
	der = encode(req);
	/* The short way does not read it, so that no answer mixes. */
	ck_assert(!request_read_common(der, &r));
	ck_assert_msg(request_read(der, 3, &r) == (preferences[_i].good ?
	    OCSP_SUCCESSFUL : OCSP_MALFORMED_REQUEST), "%s: %s", name, r.why);
	if (!preferences[_i].good)
		return;
	ck_assert_msg(r.n_preferred == preferences[_i].n, "%s: %zu", name,
	    r.n_preferred);
	for (size_t i = 0; i < r.n_preferred; i++)
		ck_assert_msg(r.preferred[i] == preferences[_i].want[i],
		    "%s", name);
}
END_TEST

START_TEST(preferences_come_once)
{
	static struct request r;
	OCSP_REQUEST *req = request_of(EVP_sha1(), 1);
	uint8_t value[300];
	struct bytes one = preference_value(0, value, sizeof(value));

	add_extension(req, "1.3.6.1.5.5.7.48.1.8", one);
	add_extension(req, "1.3.6.1.5.5.7.48.1.8", one);
	ck_assert_int_eq(request_read(encode(req), 3, &r),
	    OCSP_MALFORMED_REQUEST);
}
END_TEST

/* RFC 6960, 4.4.3: SEQUENCE OF OBJECT IDENTIFIER. */
#define BASIC	"\x06\x09\x2b\x06\x01\x05\x05\x07\x30\x01\x01"
#define OTHER	"\x06\x03\x2a\x03\x04"
static const struct {
	const char	*name;
	struct { const char *octets; size_t len; } value;
	bool		 good;
} acceptables[] = {
	{ "basic", { OF("\x30\x0b" BASIC) }, true },
	{ "basic and another", { OF("\x30\x10" OTHER BASIC) }, true },
	{ "another only", { OF("\x30\x05" OTHER) }, false },
	{ "none", { OF("\x30\x00") }, false },
	{ "no list", { OF(BASIC) }, false },
	{ "something else in the list", { OF("\x30\x0e" BASIC "\x02\x01\x05") },
	  false },
	{ "octets behind it", { OF("\x30\x0b" BASIC "\x05\x00") }, false },
};

START_TEST(who_does_not_take_a_basic_response_gets_none)
{
	static struct request r;
	OCSP_REQUEST *req = request_of(EVP_sha1(), 1);

	add_extension(req, "1.3.6.1.5.5.7.48.1.4", (struct bytes){
	    (const uint8_t *)acceptables[_i].value.octets,
	    acceptables[_i].value.len });
	ck_assert_msg(request_read(encode(req), 3, &r) ==
	    (acceptables[_i].good ? OCSP_SUCCESSFUL : OCSP_MALFORMED_REQUEST),
	    "%s", acceptables[_i].name);
}
END_TEST

/* --- signatures ------------------------------------ */

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
	ck_assert(r.is_signed);
	ck_assert(!r.has_nonce);
	ck_assert(bytes_equal(r.ids[0].serial,
	    (struct bytes){ (const uint8_t *)"\0\xff\2", 3 }));
}
END_TEST

/* RFC 6960, 4.1.2: a name alone says nothing. */
START_TEST(a_name_without_a_signature_is_ignored)
{
	static struct request r;
	OCSP_REQUEST *req = request_of(EVP_sha1(), 1);
	OWNED(X509_NAME) *name = X509_NAME_new();

	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
	    (const unsigned char *)"a client", -1, -1, 0);
	ck_assert_int_eq(OCSP_request_set1_name(req, name), 1);
	ck_assert_int_eq(request_read(encode(req), 3, &r), OCSP_SUCCESSFUL);
	ck_assert_uint_eq(r.n_ids, 1);
	ck_assert(!r.is_signed);
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
	tcase_add_loop_test(c, the_two_ways_never_disagree, 0, 2);
	tcase_add_test(c, octets_behind_a_request_are_refused);
	tcase_add_test(c, cert_ids_are_counted);
	tcase_add_test(c, an_unknown_hash_is_not_ours_to_answer);
	tcase_add_loop_test(c, nonces_have_a_length, 0, ROWS(nonces));
	tcase_add_test(c, an_unknown_extension_is_refused_when_critical);
	tcase_add_loop_test(c, preferred_signatures_are_read_in_their_order,
	    0, ROWS(preferences));
	tcase_add_test(c, preferences_come_once);
	tcase_add_loop_test(c, who_does_not_take_a_basic_response_gets_none,
	    0, ROWS(acceptables));
	tcase_add_loop_test(c, a_signature_is_ignored, 0, 3);
	tcase_add_test(c, a_name_without_a_signature_is_ignored);
	tcase_add_loop_test(c, a_get_is_read_in_all_spellings, 0,
	    ROWS(paths));
	tcase_add_test(c, a_broken_get_is_told_from_none);
	suite_add_tcase(s, c);
	return fixture_run(s);
}
