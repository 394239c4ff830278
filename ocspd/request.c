#include "ocspd/request.h"

#include "common/owned.h"
#include "ocspd/request_private.h"
#include "ocspd/tlv.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>

#include <string.h>

OWNED_BY(OCSP_REQUEST, OCSP_REQUEST_free)

static const struct {
	const char	*oid;		/* content octets */
	size_t		 oid_len;
	size_t		 octets;
} hashes[CERT_HASHES + 1] = {
	[CERT_HASH_SHA1] = { "\x2b\x0e\x03\x02\x1a", 5, 20 },
	[CERT_HASH_SHA256] = { "\x60\x86\x48\x01\x65\x03\x04\x02\x01", 9, 32 },
	[CERT_HASH_SHA384] = { "\x60\x86\x48\x01\x65\x03\x04\x02\x02", 9, 48 },
	[CERT_HASH_SHA512] = { "\x60\x86\x48\x01\x65\x03\x04\x02\x03", 9, 64 },
};

size_t
cert_hash_octets(enum cert_hash h)
{
	return hashes[h].octets;
}

struct bytes
cert_hash_oid(enum cert_hash h)
{
	return (struct bytes){ (const uint8_t *)hashes[h].oid,
	    hashes[h].oid_len };
}

enum id_result { ID_READ, ID_UNKNOWN_HASH, ID_BROKEN };

/*
 * CertID ::= SEQUENCE { hashAlgorithm, issuerNameHash, issuerKeyHash,
 * serialNumber } (RFC 6960, 4.1.1), off the front of *in.
 */
static enum id_result
take_cert_id(struct bytes *in, struct cert_id *id)
{
	struct bytes rest = *in, whole, seq, alg, oid, none;

	if (!tlv_take_whole(&rest, DER_SEQUENCE, &whole))
		return ID_BROKEN;
	id->der = whole;
	if (!tlv_take(&whole, DER_SEQUENCE, &seq) ||
	    !tlv_take(&seq, DER_SEQUENCE, &alg) ||
	    !tlv_take(&alg, DER_OID, &oid) ||
	    !tlv_take(&seq, DER_OCTET_STRING, &id->name_hash) ||
	    !tlv_take(&seq, DER_OCTET_STRING, &id->key_hash) ||
	    !tlv_take(&seq, DER_INTEGER, &id->serial) || seq.len != 0)
		return ID_BROKEN;
	if (id->serial.len == 0 || id->serial.len > REQUEST_MAX_SERIAL)
		return ID_BROKEN;
	/* X.690, 8.3.2: the first nine bits are not all equal. */
	if (id->serial.len > 1 &&
	    ((id->serial.data[0] == 0x00 && id->serial.data[1] < 0x80) ||
	    (id->serial.data[0] == 0xff && id->serial.data[1] >= 0x80)))
		return ID_BROKEN;
	*in = rest;
	for (int h = 1; h <= CERT_HASHES; h++) {
		if (!bytes_equal(oid, cert_hash_oid((enum cert_hash)h)))
			continue;
		id->hash = (enum cert_hash)h;
		id->null_params = alg.len != 0;
		if ((alg.len != 0 && (!tlv_take(&alg, DER_NULL, &none) ||
		    none.len != 0 || alg.len != 0)) ||
		    id->name_hash.len != hashes[h].octets ||
		    id->key_hash.len != hashes[h].octets)
			return ID_BROKEN;
		return ID_READ;
	}
	return ID_UNKNOWN_HASH;
}

bool
cert_id_read(struct bytes der, struct cert_id *out)
{
	return take_cert_id(&der, out) == ID_READ && der.len == 0;
}

/* All but the octets that the counts leave unused: the hot path. */
static void
clear(struct request *out)
{
	out->n_ids = 0;
	out->has_nonce = false;
	out->nonce_len = 0;
	out->n_preferred = 0;
	out->is_signed = false;
	out->why = "";
	out->too_many = false;
}

/* requestExtensions with a nonce, not critical, and nothing else. */
static bool
read_only_nonce(struct bytes in, struct request *out)
{
	static const uint8_t oid[] = { 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07,
		0x30, 0x01, 0x02 };
	struct bytes exts, list, ext, id, value;

	return tlv_take(&in, DER_EXPLICIT(2), &exts) && in.len == 0 &&
	    tlv_take(&exts, DER_SEQUENCE, &list) && exts.len == 0 &&
	    tlv_take(&list, DER_SEQUENCE, &ext) && list.len == 0 &&
	    tlv_take(&ext, DER_OID, &id) &&
	    bytes_equal(id, (struct bytes){ oid, sizeof(oid) }) &&
	    tlv_take(&ext, DER_OCTET_STRING, &value) && ext.len == 0 &&
	    request_take_nonce(value, out);
}

bool
request_read_common(struct bytes der, struct request *out)
{
	struct bytes req, tbs, list, one;

	clear(out);
	/* Five headers, and nothing behind any of them but a nonce. */
	if (!tlv_take(&der, DER_SEQUENCE, &req) || der.len != 0 ||
	    !tlv_take(&req, DER_SEQUENCE, &tbs) || req.len != 0 ||
	    !tlv_take(&tbs, DER_SEQUENCE, &list) ||
	    !tlv_take(&list, DER_SEQUENCE, &one) || list.len != 0 ||
	    take_cert_id(&one, &out->ids[0]) != ID_READ || one.len != 0 ||
	    (tbs.len != 0 && !read_only_nonce(tbs, out)))
		return false;
	out->n_ids = 1;
	return true;
}

enum ocsp_status
request_refuse(struct request *out, enum ocsp_status status, const char *why)
{
	out->n_ids = 0;
	out->why = why;
	return status;
}

/* Encoded again it equals the input: then it was DER, with nothing behind. */
static OCSP_REQUEST *
decode_strictly(struct bytes der)
{
	const uint8_t *p = der.data;
	OWNED(OCSP_REQUEST) *req = d2i_OCSP_REQUEST(NULL, &p, (long)der.len);
	uint8_t *again = NULL;
	int len;
	bool same;

	if (req == NULL || p != der.data + der.len) {
		ERR_clear_error();
		return NULL;
	}
	len = i2d_OCSP_REQUEST(req, &again);
	same = len >= 0 && bytes_equal(der,
	    (struct bytes){ again, (size_t)len });
	OPENSSL_free(again);
	ERR_clear_error();
	return same ? TAKE(req) : NULL;
}

/* We know no extension of a single request, so none may be critical. */
static bool
has_critical_single(OCSP_ONEREQ *one)
{
	for (int i = 0; i < OCSP_ONEREQ_get_ext_count(one); i++)
		if (X509_EXTENSION_get_critical(OCSP_ONEREQ_get_ext(one, i)))
			return true;
	return false;
}

/*
 * OpenSSL has accepted the structure; the CertIDs are found again in the
 * octets, so that views of them outlive the decoded request.
 */
static enum ocsp_status
read_cert_ids(struct bytes der, size_t n, struct request *out)
{
	struct bytes req, tbs, list, one, name;

	if (!tlv_take(&der, DER_SEQUENCE, &req) ||
	    !tlv_take(&req, DER_SEQUENCE, &tbs))
		return request_refuse(out, OCSP_MALFORMED_REQUEST, "not DER");
	/* X.690, 11.5: version v1 is the default, and so not encoded. */
	if (tlv_is(tbs, DER_EXPLICIT(0)))
		return request_refuse(out, OCSP_MALFORMED_REQUEST,
		    "its version");
	if (tlv_is(tbs, DER_EXPLICIT(1)))
		tlv_take(&tbs, DER_EXPLICIT(1), &name);
	if (!tlv_take(&tbs, DER_SEQUENCE, &list))
		return request_refuse(out, OCSP_MALFORMED_REQUEST, "not DER");
	for (size_t i = 0; i < n; i++) {
		enum id_result r = ID_BROKEN;

		if (tlv_take(&list, DER_SEQUENCE, &one))
			r = take_cert_id(&one, &out->ids[i]);
		if (r == ID_BROKEN)
			return request_refuse(out, OCSP_MALFORMED_REQUEST,
			    "a broken CertID");
		if (r == ID_UNKNOWN_HASH)
			return request_refuse(out, OCSP_UNAUTHORIZED,
			    "a CertID by an unknown hash algorithm");
	}
	out->n_ids = n;
	return OCSP_SUCCESSFUL;
}

enum ocsp_status
request_read_general(struct bytes der, size_t max_cert_ids,
    struct request *out)
{
	OWNED(OCSP_REQUEST) *req = decode_strictly(der);
	enum ocsp_status s;
	int n;

	clear(out);
	if (req == NULL)
		return request_refuse(out, OCSP_MALFORMED_REQUEST, "not DER");
	out->is_signed = OCSP_request_is_signed(req) == 1;
	n = OCSP_request_onereq_count(req);
	if (n < 1)
		return request_refuse(out, OCSP_MALFORMED_REQUEST,
		    "asks nothing");
	out->too_many = (size_t)n > max_cert_ids || n > REQUEST_MAX_CERT_IDS;
	if (out->too_many)
		return request_refuse(out, OCSP_MALFORMED_REQUEST,
		    "too many CertIDs");
	for (int i = 0; i < n; i++)
		if (has_critical_single(OCSP_request_onereq_get0(req, i)))
			return request_refuse(out, OCSP_MALFORMED_REQUEST,
			    "an unknown critical extension");
	s = request_read_extensions(req, out);
	if (s != OCSP_SUCCESSFUL)
		return s;
	return read_cert_ids(der, (size_t)n, out);
}

enum ocsp_status
request_read(struct bytes der, size_t max_cert_ids, struct request *out)
{
	if (request_read_common(der, out))
		return OCSP_SUCCESSFUL;
	return request_read_general(der, max_cert_ids, out);
}

bool
request_has_hash(const struct request *req, enum cert_hash hash)
{
	for (size_t i = 0; i < req->n_ids; i++)
		if (req->ids[i].hash == hash)
			return true;
	return false;
}

static int
hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Percent-decoding (RFC 3986, 2.1). False when a '%' is not followed so. */
static bool
percent_decode(struct bytes in, struct buf *out)
{
	uint8_t *to = buf_reserve(out, in.len);

	if (to == NULL)
		return in.len == 0;
	for (size_t i = 0; i < in.len; i++) {
		uint8_t c = in.data[i];

		if (c == '%') {
			int hi, lo;

			if (in.len - i < 3)
				return false;
			hi = hex_digit(in.data[i + 1]);
			lo = hex_digit(in.data[i + 2]);
			if (hi < 0 || lo < 0)
				return false;
			c = (uint8_t)(hi << 4 | lo);
			i += 2;
		}
		*to++ = c;
		out->len++;
	}
	return true;
}

static const int8_t *
base64_values(void)
{
	static int8_t values[256];

	if (values['B'] == 0) {
		static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
		    "abcdefghijklmnopqrstuvwxyz0123456789+/";

		memset(values, -1, sizeof(values));
		for (int8_t i = 0; i < 64; i++)
			values[(uint8_t)digits[i]] = i;
		values['-'] = 62;	/* base64url: RFC 4648, 5 */
		values['_'] = 63;
	}
	return values;
}

/* Either alphabet, padded or not; one whole DER element or nothing. */
static bool
decode_element(struct bytes in, struct buf *out)
{
	const int8_t *values = base64_values();
	struct bytes der, element;
	uint32_t bits = 0;
	uint8_t *to;
	size_t n = 0;

	while (in.len > 0 && in.data[in.len - 1] == '=' && n < 2) {
		in.len--;
		n++;
	}
	if (in.len % 4 == 1)
		return false;
	buf_clear(out);
	to = buf_reserve(out, in.len / 4 * 3 + 3);
	if (to == NULL)
		return false;
	n = 0;
	for (size_t i = 0; i < in.len; i++) {
		int8_t v = values[in.data[i]];

		if (v < 0)
			return false;
		bits = bits << 6 | (uint8_t)v;
		if (i % 4 != 0)
			to[n++] = (uint8_t)(bits >> (6 - i % 4 * 2));
	}
	out->len = n;
	der = buf_bytes(out);
	return tlv_take_whole(&der, DER_SEQUENCE, &element) && der.len == 0;
}

int
request_from_path(struct bytes path, struct buf *out)
{
	OWNED_BUF(text, 65536);
	int tries = 0;
	struct bytes plain;

	if (!percent_decode(path, &text))
		return 0;
	plain = buf_bytes(&text);
	/*
	 * Where the prefix ends is not known: at a '/', and the base64 of a
	 * SEQUENCE (0x30) begins with 'M'. The first that is one whole DER
	 * element is it; the prefix of an AIA URL has few segments.
	 */
	for (size_t i = 0; i + 4 < plain.len && tries < 8; i++) {
		if (plain.data[i] != '/' || plain.data[i + 1] != 'M')
			continue;
		tries++;
		if (decode_element(bytes_slice(plain, i + 1, plain.len), out))
			return 1;
	}
	return tries > 0 ? -1 : 0;
}
