#include "common/csr_private.h"

#include "common/csr.h"
#include "common/der.h"
#include "common/err.h"

#include <openssl/objects.h>
#include <openssl/x509v3.h>

#include <stdlib.h>
#include <string.h>

#define MAX_ATTRIBUTES	32
#define MAX_EXTENSIONS	64
#define MAX_CHALLENGE	255	/* RFC 2985, 5.4.1 */

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
	struct csr_proof proof;
	struct bytes	version;
	struct bytes	subject;	/* the whole element */
	struct bytes	attributes;	/* content of [0] */
};

void
csr_free(struct csr *csr)
{
	if (csr == NULL)
		return;
	free((void *)(uintptr_t)csr->der.data);
	names_free(&csr->names);
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
	struct bytes in = der, request, info, content;
	uint8_t tag;

	if (!der_take(&in, DER_SEQUENCE, &request) ||
	    !der_next(&request, &tag, &info, &out->proof.info) ||
	    tag != DER_SEQUENCE ||
	    !der_take(&request, DER_SEQUENCE, &out->proof.algorithm) ||
	    !der_take(&request, DER_BIT_STRING, &out->proof.signature) ||
	    request.len > 0 ||
	    !der_take(&info, DER_INTEGER, &out->version) ||
	    !der_next(&info, &tag, &content, &out->subject) ||
	    tag != DER_SEQUENCE ||
	    !der_next(&info, &tag, &content, &out->proof.spki) ||
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
	/* Written-out CA:FALSE is no DER (X.690, 11.5), but clients do so, and
	 * nothing of it is copied. */
	if (sequence.len > 0)
		return refuse(err, "its basicConstraints has a path length, "
		    "which only a CA has; leave it out and send a new request");
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

OWNED_BY(ASN1_STRING, ASN1_STRING_free)

static const char challenge_label[] = "csrmail challengePassword\n";

int
csr_digest_challenge(struct bytes text, uint8_t out[32], struct err *err)
{
	OWNED(EVP_MD_CTX) *ctx = EVP_MD_CTX_new();

	if (ctx == NULL || EVP_DigestInit(ctx, EVP_sha256()) != 1 ||
	    EVP_DigestUpdate(ctx, challenge_label,
	    sizeof(challenge_label)) != 1 ||
	    EVP_DigestUpdate(ctx, text.data, text.len) != 1 ||
	    EVP_DigestFinal(ctx, out, NULL) != 1)
		return err_openssl(err, ERR_FAULT, "hashing a challenge");
	return 0;
}

/* RFC 2985, 5.4.1: one DirectoryString of 1 to 255 characters. */
static int
read_challenge(struct csr *csr, struct bytes set, struct err *err)
{
	struct bytes content, whole;
	OWNED(ASN1_STRING) *value = NULL;
	const uint8_t *at;
	uint8_t *utf8 = NULL;
	uint8_t tag;
	int len, r;

	if (!der_next(&set, &tag, &content, &whole) || set.len > 0)
		return refuse(err, "its challengePassword does not have "
		    "exactly one value");
	at = whole.data;
	value = d2i_DIRECTORYSTRING(NULL, &at, (long)whole.len);
	len = value == NULL ? -1 : ASN1_STRING_to_UTF8(&utf8, value);
	if (len < 1 || len > MAX_CHALLENGE ||
	    memchr(utf8, '\0', (size_t)len) != NULL) {
		OPENSSL_clear_free(utf8, len < 0 ? 0 : (size_t)len);
		err_openssl(err, ERR_REJECT, "");
		return refuse(err, "its challengePassword is not a string of "
		    "1 to 255 characters (RFC 2985, 5.4.1)");
	}
	r = csr_digest_challenge((struct bytes){ utf8, (size_t)len },
	    csr->challenge, err);
	csr->has_challenge = r == 0;
	OPENSSL_clear_free(utf8, (size_t)len);
	return r;
}

/* RFC 2985, 5.4.2: single-valued. */
static int
read_extension_request(struct csr *csr, struct bytes set, struct bytes *san,
    struct err *err)
{
	struct bytes content, value;
	uint8_t tag;

	if (!der_next(&set, &tag, &content, &value) || set.len > 0)
		return refuse(err, "its extensionRequest does not have "
		    "exactly one value");
	return read_extensions(csr, value, san, err);
}

static int
read_attributes(struct csr *csr, struct bytes in, struct bytes *san,
    struct err *err)
{
	struct bytes seen[MAX_ATTRIBUTES], last = { NULL, 0 };
	bool has_extensions = false;
	size_t n = 0;

	for (; in.len > 0; n++) {
		struct bytes one, oid, set, whole;
		uint8_t tag;

		if (n == MAX_ATTRIBUTES)
			return refuse(err, "it has too many attributes");
		if (!der_next(&in, &tag, &one, &whole) ||
		    tag != DER_SEQUENCE || !der_take(&one, DER_OID, &oid) ||
		    !der_take(&one, DER_SET, &set) || one.len > 0)
			return refuse(err, "its attributes cannot be read");
		for (size_t i = 0; i < n; i++)
			if (bytes_equal(seen[i], oid))
				return refuse(err, "it has the same attribute "
				    "twice");
		seen[n] = oid;
		/* The tag [0] hides from der_check that this is a SET. */
		if (n > 0 && !der_in_order(last, whole))
			return refuse(err, "it is not DER: its attributes are "
			    "not in order (X.690, 11.6)");
		last = whole;
		if (bytes_equal(oid, OID(oid_challenge)) &&
		    read_challenge(csr, set, err) == -1)
			return -1;
		if (!bytes_equal(oid, OID(oid_extension_request)) &&
		    !bytes_equal(oid, OID(oid_ms_extensions)))
			continue;
		if (has_extensions)
			return refuse(err, "it has two lists of extensions");
		has_extensions = true;
		if (read_extension_request(csr, set, san, err) == -1)
			return -1;
	}
	return 0;
}

/* RelativeDistinguishedName is SET SIZE (1..MAX) (RFC 5280, 4.1.2.4). */
static int
check_subject(struct bytes subject, struct err *err)
{
	struct bytes rdns, rdn;

	if (der_take(&subject, DER_SEQUENCE, &rdns))
		while (der_take(&rdns, DER_SET, &rdn))
			if (rdn.len == 0)
				return refuse(err,
				    "its subject has an empty part");
	return 0;	/* what else is wrong, the library says */
}

static int
read_names(struct csr *csr, struct bytes subject, struct bytes san,
    struct err *err)
{
	const uint8_t *at = subject.data;
	OWNED(X509_NAME) *name = d2i_X509_NAME(NULL, &at, (long)subject.len);
	OWNED(GENERAL_NAMES) *sans = NULL;

	if (name == NULL || at != subject.data + subject.len)
		return err_openssl(err, ERR_REJECT, "the certificate signing "
		    "request's subject cannot be read; write it in UTF-8");
	if (check_subject(subject, err) == -1)
		return -1;
	if (san.len > 0) {
		at = san.data;
		sans = d2i_GENERAL_NAMES(NULL, &at, (long)san.len);
		if (sans == NULL || at != san.data + san.len)
			return err_openssl(err, ERR_REJECT, "the certificate "
			    "signing request's subjectAltName cannot be read");
		/* RFC 5280, 4.2.1.6: at least one. */
		if (sk_GENERAL_NAME_num(sans) == 0)
			return refuse(err, "its subjectAltName is empty");
	}
	return names_read(name, sans, &csr->names, err);
}

/* The same octets, owned by the csr, so that its views outlive the input. */
static int
new_csr(struct bytes der, struct csr **out, struct err *err)
{
	struct csr *csr = calloc(1, sizeof(*csr));
	uint8_t *copy = malloc(der.len);

	if (csr == NULL || copy == NULL) {
		free(csr);
		free(copy);
		return err_set(err, ERR_RETRY, "out of memory");
	}
	memcpy(copy, der.data, der.len);
	csr->der = (struct bytes){ copy, der.len };
	*out = csr;
	return 0;
}

int
csr_read(struct bytes der, struct csr **out, struct err *err)
{
	OWNED_STRUCT(csr) *csr = NULL;
	struct bytes san = { NULL, 0 };
	struct parts parts;
	struct err inner;

	if (der.len > CSR_MAX_OCTETS)
		return err_set(err, ERR_REJECT, "the certificate signing "
		    "request has %zu octets; %d is the most", der.len,
		    CSR_MAX_OCTETS);
	if (der_check(der, &inner) == -1)
		return refuse(err, inner.text);
	if (new_csr(der, &csr, err) == -1 ||
	    find_parts(csr->der, &parts, err) == -1)
		return -1;
	/* RFC 2986, 4.1: the version is 0, which means 1. */
	if (parts.version.len != 1 || parts.version.data[0] != 0)
		return refuse(err, "its version is not 1 (RFC 2986, 4.1)");
	csr->spki = parts.proof.spki;
	/* Before any library loads the key: parameters can cost hours. */
	if (key_examine_spki(csr->spki, &csr->key, err) == -1 ||
	    csr_check_possession(&parts.proof, &csr->key, err) == -1 ||
	    read_attributes(csr, parts.attributes, &san, err) == -1 ||
	    read_names(csr, parts.subject, san, err) == -1)
		return -1;
	if (EVP_Digest(der.data, der.len, csr->digest, NULL, EVP_sha256(),
	    NULL) != 1)
		return err_openssl(err, ERR_FAULT, "hashing a request");
	*out = TAKE(csr);
	return 0;
}
