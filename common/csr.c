#include "common/csr.h"

#include "common/der.h"
#include "common/err.h"

#include <openssl/objects.h>
#include <openssl/x509v3.h>

#include <stdlib.h>
#include <string.h>

#define MAX_ATTRIBUTES	32
#define MAX_EXTENSIONS	64

static const uint8_t oid_extension_request[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7,
	0x0d, 1, 9, 14 };	/* RFC 2985, 5.4.2 */
static const uint8_t oid_ms_extensions[] = { 0x2b, 6, 1, 4, 1, 0x82, 0x37, 2,
	1, 14 };	/* the same, by the name that old Windows gives it */
static const uint8_t oid_challenge[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d,
	1, 9, 7 };	/* RFC 2985, 5.4.1 */
static const uint8_t oid_basic_constraints[] = { 0x55, 0x1d, 19 };
static const uint8_t oid_key_usage[] = { 0x55, 0x1d, 15 };
static const uint8_t oid_ext_key_usage[] = { 0x55, 0x1d, 37 };
static const uint8_t oid_subject_alt_name[] = { 0x55, 0x1d, 17 };
static const uint8_t oid_ocsp_signing[] = { 0x2b, 6, 1, 5, 5, 7, 3, 9 };
#define OID(array)	((struct bytes){ (array), sizeof(array) })

/* Where the parts of a request lie (RFC 2986, 4). Views into the input. */
struct parts {
	struct bytes	version;
	struct bytes	spki;
	struct bytes	attributes;	/* content of [0] */
};

void
csr_free(struct csr *csr)
{
	if (csr == NULL)
		return;
	free((void *)(uintptr_t)csr->der.data);
	names_free(&csr->names);
	X509_REQ_free(csr->req);
	free(csr);
}

static int
refuse(struct err *err, const char *why)
{
	return err_set(err, ERR_REJECT, "the certificate signing request is "
	    "refused: %s", why);
}

static int
find_parts(struct bytes der, struct parts *out, struct err *err)
{
	struct bytes in = der, request, info, subject, content, signature;
	uint8_t tag;

	if (!der_take(&in, DER_SEQUENCE, &request) ||
	    !der_take(&request, DER_SEQUENCE, &info) ||
	    !der_take(&request, DER_SEQUENCE, &content) ||
	    !der_take(&request, DER_BIT_STRING, &signature) ||
	    request.len > 0 ||
	    !der_take(&info, DER_INTEGER, &out->version) ||
	    !der_take(&info, DER_SEQUENCE, &subject) ||
	    !der_next(&info, &tag, &content, &out->spki) ||
	    tag != DER_SEQUENCE)
		return refuse(err, "it is not a PKCS#10 request (RFC 2986)");
	out->attributes = (struct bytes){ NULL, 0 };
	/* Some clients leave out the empty set that RFC 2986 wants. */
	if (info.len > 0 && (!der_take(&info, 0xa0, &out->attributes) ||
	    info.len > 0))
		return refuse(err, "it is not a PKCS#10 request (RFC 2986)");
	return 0;
}

/* A name for people: "keyUsage", or dotted. oid is the whole element. */
static void
describe_oid(struct bytes oid, char *out, size_t size)
{
	const uint8_t *at = oid.data;
	OWNED(ASN1_OBJECT) *object = d2i_ASN1_OBJECT(NULL, &at,
	    (long)oid.len);
	int nid = object == NULL ? NID_undef : OBJ_obj2nid(object);

	if (nid != NID_undef)
		snprintf(out, size, "%s", OBJ_nid2sn(nid));
	else if (object == NULL ||
	    OBJ_obj2txt(out, (int)size, object, 1) <= 0)
		snprintf(out, size, "unknown");
}

static void
note_ignored(struct csr *csr, struct bytes oid)
{
	size_t used = strlen(csr->ignored), left = sizeof(csr->ignored) - used;
	char name[80];

	describe_oid(oid, name, sizeof(name));
	if (left > strlen(name) + 2 + sizeof(", ..."))
		snprintf(csr->ignored + used, left, "%s%s",
		    used == 0 ? "" : ", ", name);
	else if (left > sizeof(", ...") && (used < 3 ||
	    strcmp(csr->ignored + used - 3, "...") != 0))
		snprintf(csr->ignored + used, left, ", ...");
}

/* RFC 5280, 4.2.1.9 */
static int
check_basic_constraints(struct bytes value, struct err *err)
{
	struct bytes sequence, ca;

	if (!der_take(&value, DER_SEQUENCE, &sequence) || value.len > 0)
		return refuse(err, "its basicConstraints cannot be read");
	if (sequence.len > 0 && sequence.data[0] == DER_BOOLEAN &&
	    der_take(&sequence, DER_BOOLEAN, &ca) && ca.data[0] != 0)
		return refuse(err, "it asks to be a CA (CA:TRUE), which is "
		    "never given by mail; leave basicConstraints out and send "
		    "a new request");
	return 0;
}

/* RFC 5280, 4.2.1.3: keyCertSign is bit 5, cRLSign bit 6 of the first. */
static int
check_key_usage(struct bytes value, struct err *err)
{
	struct bytes bits;

	if (!der_take(&value, DER_BIT_STRING, &bits) || value.len > 0)
		return refuse(err, "its keyUsage cannot be read");
	if (bits.len >= 2 && (bits.data[1] & (0x80 >> 5 | 0x80 >> 6)) != 0)
		return refuse(err, "its keyUsage asks for keyCertSign or "
		    "cRLSign, which only a CA has; leave keyUsage out and "
		    "send a new request");
	return 0;
}

/* RFC 5280, 4.2.1.12 */
static int
check_ext_key_usage(struct bytes value, struct err *err)
{
	struct bytes sequence, oid;

	if (!der_take(&value, DER_SEQUENCE, &sequence) || value.len > 0)
		return refuse(err, "its extendedKeyUsage cannot be read");
	while (sequence.len > 0) {
		if (!der_take(&sequence, DER_OID, &oid))
			return refuse(err,
			    "its extendedKeyUsage cannot be read");
		if (bytes_equal(oid, OID(oid_ocsp_signing)))
			return refuse(err, "its extendedKeyUsage asks for "
			    "OCSPSigning, which only our own responders have; "
			    "leave it out and send a new request");
	}
	return 0;
}

/* One extension; what is not a subjectAltName is looked at and not copied. */
static int
check_extension(struct csr *csr, struct bytes oid, struct bytes oid_whole,
    struct bytes value, struct bytes *san, struct err *err)
{
	struct err inner;

	if (der_check(value, &inner) == -1) {
		char name[80];

		describe_oid(oid_whole, name, sizeof(name));
		return err_set(err, ERR_REJECT, "the certificate signing "
		    "request is refused: in its extension %s %s", name,
		    inner.text);
	}
	if (bytes_equal(oid, OID(oid_subject_alt_name))) {
		*san = value;
		return 0;
	}
	note_ignored(csr, oid_whole);
	if (bytes_equal(oid, OID(oid_basic_constraints)))
		return check_basic_constraints(value, err);
	if (bytes_equal(oid, OID(oid_key_usage)))
		return check_key_usage(value, err);
	if (bytes_equal(oid, OID(oid_ext_key_usage)))
		return check_ext_key_usage(value, err);
	return 0;
}

static int
read_extensions(struct csr *csr, struct bytes in, struct bytes *san,
    struct err *err)
{
	struct bytes list, seen[MAX_EXTENSIONS];
	size_t n = 0;

	if (!der_take(&in, DER_SEQUENCE, &list) || in.len > 0)
		return refuse(err, "its extensions cannot be read");
	for (; list.len > 0; n++) {
		struct bytes one, oid, whole, critical, value;
		uint8_t tag;

		if (n == MAX_EXTENSIONS)
			return refuse(err, "it asks for too many extensions");
		if (!der_take(&list, DER_SEQUENCE, &one) ||
		    !der_next(&one, &tag, &oid, &whole) || tag != DER_OID)
			return refuse(err, "its extensions cannot be read");
		if (one.len > 0 && one.data[0] == DER_BOOLEAN) {
			/* X.690, 11.5: a DEFAULT value is left out. */
			if (!der_take(&one, DER_BOOLEAN, &critical) ||
			    critical.data[0] == 0)
				return refuse(err, "it is not DER: an "
				    "extension says that it is not critical "
				    "(X.690, 11.5)");
		}
		if (!der_take(&one, DER_OCTET_STRING, &value) || one.len > 0)
			return refuse(err, "its extensions cannot be read");
		for (size_t i = 0; i < n; i++)
			if (bytes_equal(seen[i], oid))
				return refuse(err, "it asks for the same "
				    "extension twice");
		seen[n] = oid;
		if (check_extension(csr, oid, whole, value, san, err) == -1)
			return -1;
	}
	return 0;
}

static int
read_attributes(struct csr *csr, struct bytes in, struct bytes *san,
    struct err *err)
{
	struct bytes seen[MAX_ATTRIBUTES];
	bool has_extensions = false;
	size_t n = 0;

	for (; in.len > 0; n++) {
		struct bytes one, oid, set, value;
		uint8_t tag;

		if (n == MAX_ATTRIBUTES)
			return refuse(err, "it has too many attributes");
		if (!der_take(&in, DER_SEQUENCE, &one) ||
		    !der_take(&one, DER_OID, &oid) ||
		    !der_take(&one, DER_SET, &set) || one.len > 0)
			return refuse(err, "its attributes cannot be read");
		for (size_t i = 0; i < n; i++)
			if (bytes_equal(seen[i], oid))
				return refuse(err, "it has the same attribute "
				    "twice");
		seen[n] = oid;
		if (bytes_equal(oid, OID(oid_challenge)))
			csr->has_challenge = true;
		if (!bytes_equal(oid, OID(oid_extension_request)) &&
		    !bytes_equal(oid, OID(oid_ms_extensions)))
			continue;
		if (has_extensions)
			return refuse(err, "it has two lists of extensions");
		has_extensions = true;
		/* RFC 2985, 5.4.2: single-valued. */
		if (!der_next(&set, &tag, &value, &value) || set.len > 0)
			return refuse(err, "its extensionRequest does not "
			    "have exactly one value");
		if (read_extensions(csr, value, san, err) == -1)
			return -1;
	}
	return 0;
}

/* What it is signed with: SHA-1 and older prove nothing any more. */
static int
check_signature_algorithm(X509_REQ *req, struct err *err)
{
	int nid = X509_REQ_get_signature_nid(req), digest;

	if (nid == NID_rsassaPss)
		return 0;
	if (nid != NID_undef && OBJ_find_sigid_algs(nid, &digest, NULL) == 1 &&
	    (digest == NID_undef || digest == NID_sha256 ||
	    digest == NID_sha384 || digest == NID_sha512))
		return 0;
	return err_set(err, ERR_REJECT, "the certificate signing request is "
	    "signed with %s, which is not accepted; sign it with SHA-256",
	    nid == NID_undef ? "an unknown algorithm" : OBJ_nid2ln(nid));
}

/* DER once more: OpenSSL writes the same octets from what it understood. */
static int
check_reencoding(X509_REQ *req, struct bytes der, struct err *err)
{
	uint8_t *info = NULL;
	struct bytes in = der, outer = { NULL, 0 }, part, whole = { NULL, 0 };
	uint8_t tag;
	int len = i2d_re_X509_REQ_tbs(req, &info);
	bool same;

	same = len > 0 && der_take(&in, DER_SEQUENCE, &outer) &&
	    der_next(&outer, &tag, &part, &whole) &&
	    bytes_equal(whole, (struct bytes){ info, (size_t)len });
	OPENSSL_free(info);
	if (!same)
		return refuse(err, "it is not DER: "
		    "encoded again it does not equal what was sent");
	return 0;
}

static int
check_possession(X509_REQ *req, struct err *err)
{
	EVP_PKEY *key = X509_REQ_get0_pubkey(req);

	if (key != NULL && X509_REQ_verify(req, key) == 1)
		return 0;
	err_openssl(err, ERR_REJECT, "the certificate signing request's "
	    "signature is wrong: it was changed, or signed with another key; "
	    "make it anew");
	return -1;
}

static int
read_names(struct csr *csr, struct bytes san, struct err *err)
{
	const uint8_t *at = san.data;
	OWNED(GENERAL_NAMES) *sans = NULL;

	if (san.len > 0) {
		sans = d2i_GENERAL_NAMES(NULL, &at, (long)san.len);
		if (sans == NULL || at != san.data + san.len)
			return err_openssl(err, ERR_REJECT, "the certificate "
			    "signing request's subjectAltName cannot be read");
		/* RFC 5280, 4.2.1.6: at least one. */
		if (sk_GENERAL_NAME_num(sans) == 0)
			return refuse(err, "its subjectAltName is empty");
	}
	return names_read(X509_REQ_get_subject_name(csr->req), sans,
	    &csr->names, err);
}

int
csr_read(struct bytes der, struct csr **out, struct err *err)
{
	OWNED_STRUCT(csr) *csr = NULL;
	struct bytes san = { NULL, 0 };
	struct parts parts;
	struct err inner;
	const uint8_t *at;
	uint8_t *copy;

	if (der.len > CSR_MAX_OCTETS)
		return err_set(err, ERR_REJECT, "the certificate signing "
		    "request has %zu octets; %d is the most", der.len,
		    CSR_MAX_OCTETS);
	if (der_check(der, &inner) == -1)
		return refuse(err, inner.text);
	if (find_parts(der, &parts, err) == -1)
		return -1;
	/* RFC 2986, 4.1: the version is 0, which means 1. */
	if (parts.version.len != 1 || parts.version.data[0] != 0)
		return refuse(err, "its version is not 1 (RFC 2986, 4.1)");

	csr = calloc(1, sizeof(*csr));
	copy = malloc(der.len);
	if (csr == NULL || copy == NULL) {
		free(copy);
		return err_set(err, ERR_RETRY, "out of memory");
	}
	memcpy(copy, der.data, der.len);
	csr->der = (struct bytes){ copy, der.len };
	/* Before any library loads the key: parameters can cost hours. */
	if (key_examine_spki(parts.spki, &csr->key, err) == -1)
		return -1;

	at = der.data;
	csr->req = d2i_X509_REQ(NULL, &at, (long)der.len);
	if (csr->req == NULL || at != der.data + der.len)
		return err_openssl(err, ERR_REJECT, "the certificate signing "
		    "request is refused: it is not a PKCS#10 request "
		    "(RFC 2986)");
	if (check_signature_algorithm(csr->req, err) == -1 ||
	    check_possession(csr->req, err) == -1 ||
	    check_reencoding(csr->req, der, err) == -1 ||
	    read_attributes(csr, parts.attributes, &san, err) == -1 ||
	    read_names(csr, san, err) == -1)
		return -1;
	if (EVP_Digest(der.data, der.len, csr->digest, NULL, EVP_sha256(),
	    NULL) != 1)
		return err_openssl(err, ERR_FAULT, "hashing a request");
	*out = TAKE(csr);
	return 0;
}
