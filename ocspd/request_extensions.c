#include "ocspd/request_private.h"
#include "ocspd/tlv.h"

#include <openssl/ocsp.h>

#include <string.h>

/* RFC 5758, 3.2; RFC 4055, 5; RFC 8410, 3. curve: of the key. */
static const struct {
	const char	*oid, *curve;	/* content octets */
	size_t		 oid_len, curve_len;
} signatures[SIGNATURES + 1] = {
	[SIGNATURE_ECDSA_SHA256] = { "\x2a\x86\x48\xce\x3d\x04\x03\x02",
	    "\x2a\x86\x48\xce\x3d\x03\x01\x07", 8, 8 },
	[SIGNATURE_ECDSA_SHA384] = { "\x2a\x86\x48\xce\x3d\x04\x03\x03",
	    "\x2b\x81\x04\x00\x22", 8, 5 },
	[SIGNATURE_ECDSA_SHA512] = { "\x2a\x86\x48\xce\x3d\x04\x03\x04",
	    "\x2b\x81\x04\x00\x23", 8, 5 },
	[SIGNATURE_RSA_SHA256] = { "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b",
	    "", 9, 0 },
	[SIGNATURE_ED25519] = { "\x2b\x65\x70", "", 3, 0 },
};

struct bytes
signature_oid(enum signature_alg a)
{
	return (struct bytes){ (const uint8_t *)signatures[a].oid,
	    signatures[a].oid_len };
}

static struct bytes
extension_value(X509_EXTENSION *ext)
{
	const ASN1_OCTET_STRING *value = X509_EXTENSION_get_data(ext);

	return (struct bytes){ ASN1_STRING_get0_data(value),
	    (size_t)ASN1_STRING_length(value) };
}

/* Nonce ::= OCTET STRING(SIZE(1..128)). */
bool
request_take_nonce(struct bytes in, struct request *out)
{
	struct bytes nonce;

	if (!tlv_take(&in, DER_OCTET_STRING, &nonce) || in.len != 0 ||
	    nonce.len == 0 || nonce.len > REQUEST_MAX_NONCE)
		return false;
	out->has_nonce = true;
	out->nonce_len = nonce.len;
	memcpy(out->nonce, nonce.data, nonce.len);
	return true;
}

static enum ocsp_status
read_nonce(X509_EXTENSION *ext, struct request *out)
{
	if (out->has_nonce)
		return request_refuse(out, OCSP_MALFORMED_REQUEST,
		    "two nonces");
	if (!request_take_nonce(extension_value(ext), out))
		return request_refuse(out, OCSP_MALFORMED_REQUEST,
		    "a nonce of a length that RFC 9654 forbids");
	return OCSP_SUCCESSFUL;
}

/* RFC 6960, 4.4.3: the client must take what we make, id-pkix-ocsp-basic. */
static bool
accepts_basic(struct bytes in)
{
	static const uint8_t basic[] = { 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07,
		0x30, 0x01, 0x01 };
	struct bytes list, oid;
	bool found = false;

	if (!tlv_take(&in, DER_SEQUENCE, &list) || in.len != 0)
		return false;
	while (tlv_take(&list, DER_OID, &oid))
		found |= bytes_equal(oid,
		    (struct bytes){ basic, sizeof(basic) });
	return found && list.len == 0;
}

/* Off the front of *in: the contents of an AlgorithmIdentifier or of an
 * SMIMECapability, which are the same: an OID and whatever follows. */
static bool
take_algorithm(struct bytes *in, struct bytes *oid, struct bytes *rest)
{
	return tlv_take(in, DER_SEQUENCE, rest) &&
	    tlv_take(rest, DER_OID, oid);
}

/* Does what is said of the public key fit? A curve that is not ours for this
 * algorithm does not; anything else is not told apart. */
static bool
fits_key(enum signature_alg a, struct bytes params)
{
	struct bytes curve;

	return !tlv_take(&params, DER_OID, &curve) || bytes_equal(curve,
	    (struct bytes){ (const uint8_t *)signatures[a].curve,
	    signatures[a].curve_len });
}

static void
prefer(struct request *out, struct bytes oid, struct bytes key_params)
{
	for (int a = 1; a <= SIGNATURES; a++) {
		if (!bytes_equal(oid, signature_oid((enum signature_alg)a)) ||
		    !fits_key((enum signature_alg)a, key_params))
			continue;
		for (size_t i = 0; i < out->n_preferred; i++)
			if (out->preferred[i] == (enum signature_alg)a)
				return;
		out->preferred[out->n_preferred++] = (enum signature_alg)a;
	}
}

static bool
is_preference(X509_EXTENSION *ext)
{
	static const uint8_t oid[] = { 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07,
		0x30, 0x01, 0x08 };	/* id-pkix-ocsp-pref-sig-algs */
	const ASN1_OBJECT *object = X509_EXTENSION_get_object(ext);

	return bytes_equal((struct bytes){ OBJ_get0_data(object),
	    OBJ_length(object) }, (struct bytes){ oid, sizeof(oid) });
}

/*
 * RFC 6960, 4.4.7: SEQUENCE OF SEQUENCE { sigIdentifier AlgorithmIdentifier,
 * pubKeyAlgIdentifier SMIMECapability OPTIONAL }.
 */
static bool
read_preferences(struct bytes in, struct request *out)
{
	struct bytes list, one, oid, rest, key_oid;

	if (!tlv_take(&in, DER_SEQUENCE, &list) || in.len != 0 ||
	    list.len == 0)
		return false;
	while (list.len > 0) {
		struct bytes params = { 0 };

		if (!tlv_take(&list, DER_SEQUENCE, &one) ||
		    !take_algorithm(&one, &oid, &rest) ||
		    (one.len > 0 && !take_algorithm(&one, &key_oid,
		    &params)) || one.len != 0)
			return false;
		prefer(out, oid, params);
	}
	return true;
}

enum ocsp_status
request_read_extensions(OCSP_REQUEST *req, struct request *out)
{
	int n = OCSP_REQUEST_get_ext_count(req);
	bool preferred = false;

	for (int i = 0; i < n; i++) {
		X509_EXTENSION *ext = OCSP_REQUEST_get_ext(req, i);
		enum ocsp_status s;

		if (is_preference(ext)) {	/* OpenSSL 3.0 has no NID */
			if (preferred || !read_preferences(
			    extension_value(ext), out))
				return request_refuse(out,
				    OCSP_MALFORMED_REQUEST,
				    "broken preferences");
			preferred = true;
			continue;
		}
		switch (OBJ_obj2nid(X509_EXTENSION_get_object(ext))) {
		case NID_id_pkix_OCSP_Nonce:
			s = read_nonce(ext, out);
			if (s != OCSP_SUCCESSFUL)
				return s;
			break;
		case NID_id_pkix_OCSP_acceptableResponses:
			if (!accepts_basic(extension_value(ext)))
				return request_refuse(out, OCSP_MALFORMED_REQUEST,
				    "does not accept basic responses");
			break;
		default:
			/* RFC 6960, 4.4: unknown and not critical: ignored. */
			if (X509_EXTENSION_get_critical(ext))
				return request_refuse(out, OCSP_MALFORMED_REQUEST,
				    "an unknown critical extension");
		}
	}
	return OCSP_SUCCESSFUL;
}
