#include "ocspd/response.h"

#include "common/err.h"
#include "ocspd/tlv.h"

#include <openssl/rsa.h>
#include <openssl/sha.h>

#include <string.h>

/* RFC 5758, 3.2, and RFC 8410, 3: no parameters; RFC 4055, 5: NULL. */
static const struct algorithm {
	int		 key;		/* EVP_PKEY_* */
	int		 bits;		/* of an EC key; 0: any */
	const char	*digest;	/* NULL: it signs the data itself */
	bool		 null_params;
} algorithms[SIGNATURES + 1] = {
	[SIGNATURE_ECDSA_SHA256] = { EVP_PKEY_EC, 256, "SHA256", false },
	[SIGNATURE_ECDSA_SHA384] = { EVP_PKEY_EC, 384, "SHA384", false },
	[SIGNATURE_ECDSA_SHA512] = { EVP_PKEY_EC, 521, "SHA512", false },
	[SIGNATURE_RSA_SHA256] = { EVP_PKEY_RSA, 0, "SHA256", true },
	[SIGNATURE_ED25519] = { EVP_PKEY_ED25519, 0, NULL, false },
};

struct ocsp_signer {
	enum signature_alg	 signature;
	EVP_PKEY		*key;		/* a reference */
	EVP_MD			*digest;	/* fetched once; NULL: none */
	EVP_PKEY_CTX		*ctx;		/* ready to sign a digest */
	EVP_MD_CTX		*whole;		/* to sign data itself */
	uint8_t			 key_sha1[SHA_DIGEST_LENGTH];
	uint8_t			*certs;		/* [0] EXPLICIT, whole */
	size_t			 certs_len;
};

void
ocsp_signer_free(struct ocsp_signer *s)
{
	if (s == NULL)
		return;
	EVP_PKEY_CTX_free(s->ctx);
	EVP_MD_CTX_free(s->whole);
	EVP_PKEY_free(s->key);
	EVP_MD_free(s->digest);
	free(s->certs);
	free(s);
}

enum signature_alg
ocsp_signature_of(EVP_PKEY *key)
{
	for (int a = 1; a <= SIGNATURES; a++)
		if (EVP_PKEY_get_base_id(key) == algorithms[a].key &&
		    (algorithms[a].bits == 0 ||
		    algorithms[a].bits == EVP_PKEY_get_bits(key)))
			return (enum signature_alg)a;
	return SIGNATURE_ANY;
}

static int
keep_certificate(struct ocsp_signer *s, X509 *cert, struct err *err)
{
	uint8_t room[8192];
	struct tlv w = TLV(room);
	uint8_t *der = NULL;
	int len = i2d_X509(cert, &der);

	if (len <= 0)
		return err_openssl(err, ERR_FAULT, "encoding a certificate");
	tlv_put(&w, (struct bytes){ der, (size_t)len });
	OPENSSL_free(der);
	tlv_wrap(&w, DER_SEQUENCE, 0);
	tlv_wrap(&w, DER_EXPLICIT(0), 0);
	s->certs_len = tlv_mark(&w);
	s->certs = w.failed ? NULL : malloc(s->certs_len);
	if (s->certs == NULL)
		return err_set(err, ERR_FAULT,
		    "a responder certificate too large");
	memcpy(s->certs, tlv_bytes(&w).data, s->certs_len);
	return 0;
}

/* All that is the same for each signature. 1, or OpenSSL's error. */
static int
prepare(struct ocsp_signer *s, EVP_PKEY *key)
{
	const struct algorithm *a = &algorithms[s->signature];

	if (EVP_PKEY_up_ref(key) != 1)
		return 0;
	s->key = key;
	if (a->digest == NULL) {
		s->whole = EVP_MD_CTX_new();
		return s->whole != NULL;
	}
	s->digest = EVP_MD_fetch(NULL, a->digest, NULL);
	s->ctx = EVP_PKEY_CTX_new(key, NULL);
	if (s->digest == NULL || s->ctx == NULL ||
	    EVP_PKEY_sign_init(s->ctx) != 1 ||
	    (a->key == EVP_PKEY_RSA && EVP_PKEY_CTX_set_rsa_padding(s->ctx,
	    RSA_PKCS1_PADDING) != 1))
		return 0;
	return EVP_PKEY_CTX_set_signature_md(s->ctx, s->digest);
}

int
ocsp_signer_new(EVP_PKEY *key, X509 *cert, struct ocsp_signer **out,
    struct err *err)
{
	OWNED_STRUCT(ocsp_signer) *s = calloc(1, sizeof(*s));
	const ASN1_BIT_STRING *bits = X509_get0_pubkey_bitstr(cert);

	if (s == NULL)
		return err_set(err, ERR_FAULT, "out of memory");
	s->signature = ocsp_signature_of(key);
	if (s->signature == SIGNATURE_ANY)
		return err_set(err, ERR_FAULT,
		    "no signature algorithm for this responder key");
	if (prepare(s, key) != 1)
		return err_openssl(err, ERR_FAULT, "preparing to sign");
	/* RFC 6960, 4.2.1: KeyHash, of the BIT STRING's content. */
	SHA1(bits->data, (size_t)bits->length, s->key_sha1);
	if (keep_certificate(s, cert, err) == -1)
		return -1;
	*out = TAKE(s);
	return 0;
}

/* Extension ::= SEQUENCE { extnID, extnValue }, not critical. */
static void
put_extension(struct tlv *w, struct bytes oid, struct bytes value)
{
	size_t end = tlv_mark(w);

	tlv_put_element(w, DER_OCTET_STRING, value);
	tlv_put_element(w, DER_OID, oid);
	tlv_wrap(w, DER_SEQUENCE, end);
}

static void
put_cert_id(struct tlv *w, const struct cert_id *id)
{
	size_t end = tlv_mark(w), alg;

	tlv_put_element(w, DER_INTEGER, id->serial);
	tlv_put_element(w, DER_OCTET_STRING, id->key_hash);
	tlv_put_element(w, DER_OCTET_STRING, id->name_hash);
	alg = tlv_mark(w);
	if (id->null_params)
		tlv_put_element(w, DER_NULL, (struct bytes){ 0 });
	tlv_put_element(w, DER_OID, cert_hash_oid(id->hash));
	tlv_wrap(w, DER_SEQUENCE, alg);
	tlv_wrap(w, DER_SEQUENCE, end);
}

struct bytes
cert_id_write(const struct cert_id *id, uint8_t room[CERT_ID_MAX])
{
	struct tlv w = { room, CERT_ID_MAX, CERT_ID_MAX, false };

	put_cert_id(&w, id);
	return w.failed ? (struct bytes){ 0 } : tlv_bytes(&w);
}

/* CertStatus (RFC 6960, 4.2.1): implicit tags. */
static void
put_status(struct tlv *w, const struct single *s)
{
	size_t end = tlv_mark(w), reason;

	switch (s->state) {
	case SINGLE_GOOD:
		tlv_put_element(w, DER_CONTEXT(0), (struct bytes){ 0 });
		return;
	case SINGLE_UNKNOWN:
		tlv_put_element(w, DER_CONTEXT(2), (struct bytes){ 0 });
		return;
	case SINGLE_REVOKED:
		reason = end;
		/* RFC 5280, 5.3.1: absent rather than unspecified. */
		if (s->reason != CRL_UNSPECIFIED) {
			uint8_t r = (uint8_t)s->reason;

			tlv_put_element(w, DER_ENUMERATED,
			    (struct bytes){ &r, 1 });
			tlv_wrap(w, DER_EXPLICIT(0), reason);
		}
		tlv_put_time(w, s->revoked_at);
		tlv_wrap(w, DER_EXPLICIT(1), end);
		return;
	}
	w->failed = true;
}

static void
put_time_extension(struct tlv *w, struct bytes oid, time_t t)
{
	uint8_t room[32];
	struct tlv value = TLV(room);

	tlv_put_time(&value, t);
	w->failed |= value.failed;
	put_extension(w, oid, tlv_bytes(&value));
}

/* RFC 6960, 4.4.4, and 4.4.5: CRL entry extensions. */
static void
put_single_extensions(struct tlv *w, const struct single *s,
    const struct response_terms *terms)
{
	static const uint8_t cutoff_oid[] = { 0x2b, 0x06, 0x01, 0x05, 0x05,
		0x07, 0x30, 0x01, 0x06 };
	static const uint8_t invalidity_oid[] = { 0x55, 0x1d, 0x18 };
	size_t end = tlv_mark(w);

	if (s->never_issued)
		return;		/* 2.2: no CRL entry extension, nothing kept */
	if (terms->archive_cutoff != 0 && s->state != SINGLE_UNKNOWN)
		put_time_extension(w, (struct bytes){ cutoff_oid,
		    sizeof(cutoff_oid) }, terms->archive_cutoff);
	if (s->state == SINGLE_REVOKED && s->invalidity != 0)
		put_time_extension(w, (struct bytes){ invalidity_oid,
		    sizeof(invalidity_oid) }, s->invalidity);
	if (tlv_mark(w) == end)
		return;
	tlv_wrap(w, DER_SEQUENCE, end);
	tlv_wrap(w, DER_EXPLICIT(1), end);
}

void
response_revoke_never_issued(struct single *s)
{
	/* RFC 6960, 2.2: these values, whenever it was asked. */
	s->state = SINGLE_REVOKED;
	s->reason = CRL_CERTIFICATE_HOLD;
	s->revoked_at = 0;	/* 1970-01-01T00:00:00Z */
	s->invalidity = 0;
	s->never_issued = true;
}

static void
put_single(struct tlv *w, const struct single *s,
    const struct response_terms *terms)
{
	size_t end = tlv_mark(w), next;

	put_single_extensions(w, s, terms);
	next = tlv_mark(w);
	tlv_put_time(w, terms->next_update);
	tlv_wrap(w, DER_EXPLICIT(0), next);
	tlv_put_time(w, terms->this_update);
	put_status(w, s);
	put_cert_id(w, &s->id);
	tlv_wrap(w, DER_SEQUENCE, end);
}

/* [1] EXPLICIT Extensions of the whole answer, when there are any. */
static void
put_response_extensions(struct tlv *w, const struct single *singles, size_t n,
    const struct response_terms *terms)
{
	static const uint8_t nonce_oid[] = { 0x2b, 0x06, 0x01, 0x05, 0x05,
		0x07, 0x30, 0x01, 0x02 };
	static const uint8_t extended_oid[] = { 0x2b, 0x06, 0x01, 0x05, 0x05,
		0x07, 0x30, 0x01, 0x09 };
	static const uint8_t null[] = { DER_NULL, 0 };
	size_t end = tlv_mark(w);
	bool extended = false;

	for (size_t i = 0; i < n; i++)
		extended |= singles[i].never_issued &&
		    singles[i].state == SINGLE_REVOKED;
	if (extended)	/* RFC 6960, 4.4.8 */
		put_extension(w, (struct bytes){ extended_oid,
		    sizeof(extended_oid) }, (struct bytes){ null,
		    sizeof(null) });
	if (terms->nonce.len > 0) {
		uint8_t room[REQUEST_MAX_NONCE + 8];
		struct tlv value = TLV(room);

		tlv_put_element(&value, DER_OCTET_STRING, terms->nonce);
		w->failed |= value.failed;
		put_extension(w, (struct bytes){ nonce_oid,
		    sizeof(nonce_oid) }, tlv_bytes(&value));
	}
	if (tlv_mark(w) == end)
		return;
	tlv_wrap(w, DER_SEQUENCE, end);
	tlv_wrap(w, DER_EXPLICIT(1), end);
}

/* ResponseData, to be signed. */
static void
put_data(struct tlv *w, const struct ocsp_signer *signer,
    const struct single *singles, size_t n,
    const struct response_terms *terms)
{
	size_t end = tlv_mark(w), at;

	put_response_extensions(w, singles, n, terms);
	at = tlv_mark(w);
	for (size_t i = n; i > 0; i--)
		put_single(w, &singles[i - 1], terms);
	tlv_wrap(w, DER_SEQUENCE, at);
	tlv_put_time(w, terms->this_update);
	at = tlv_mark(w);
	tlv_put_element(w, DER_OCTET_STRING, (struct bytes){
	    signer->key_sha1, sizeof(signer->key_sha1) });
	tlv_wrap(w, DER_EXPLICIT(2), at);	/* byKey */
	tlv_wrap(w, DER_SEQUENCE, end);
}

static int
sign(struct ocsp_signer *s, struct bytes data, uint8_t *out, size_t *len,
    struct err *err)
{
	uint8_t md[EVP_MAX_MD_SIZE];
	unsigned int md_len;

	if (s->digest == NULL) {	/* one shot (RFC 8032): no state kept */
		if (EVP_MD_CTX_reset(s->whole) != 1 ||
		    EVP_DigestSignInit(s->whole, NULL, NULL, NULL,
		    s->key) != 1 || EVP_DigestSign(s->whole, out, len,
		    data.data, data.len) != 1)
			return err_openssl(err, ERR_FAULT,
			    "signing an answer");
		return 0;
	}
	if (EVP_Digest(data.data, data.len, md, &md_len, s->digest,
	    NULL) != 1 || EVP_PKEY_sign(s->ctx, out, len, md, md_len) != 1)
		return err_openssl(err, ERR_FAULT, "signing an answer");
	return 0;
}

static void
put_algorithm(struct tlv *w, enum signature_alg a)
{
	size_t end = tlv_mark(w);

	if (algorithms[a].null_params)
		tlv_put_element(w, DER_NULL, (struct bytes){ 0 });
	tlv_put_element(w, DER_OID, signature_oid(a));
	tlv_wrap(w, DER_SEQUENCE, end);
}

/* Views of the first CertIDs in ResponseData: byKey, producedAt, responses,
 * each a SingleResponse that begins with its own. */
static void
view_cert_ids(struct bytes data, struct response *out)
{
	struct bytes list, skip, singles, one;

	out->n_cert_ids = 0;
	if (!tlv_take(&data, DER_SEQUENCE, &list) ||
	    !tlv_take(&list, DER_EXPLICIT(2), &skip) ||
	    !tlv_take(&list, DER_GENERALIZED_TIME, &skip) ||
	    !tlv_take(&list, DER_SEQUENCE, &singles))
		return;
	while (out->n_cert_ids < RESPONSE_MAX_VIEWS &&
	    tlv_take(&singles, DER_SEQUENCE, &one) && tlv_take_whole(&one,
	    DER_SEQUENCE, &out->cert_ids[out->n_cert_ids]))
		out->n_cert_ids++;
}

/*
 * BasicOCSPResponse is { data, algorithm, signature, certs }: the data is
 * signed first, in a room of its own, and copied in its place.
 */
int
response_build(struct ocsp_signer *signer, const struct single *singles,
    size_t n, const struct response_terms *terms, uint8_t *room,
    struct response *out, struct err *err)
{
	static const uint8_t basic_oid[] = { 0x2b, 0x06, 0x01, 0x05, 0x05,
		0x07, 0x30, 0x01, 0x01 };
	static uint8_t data_room[RESPONSE_MAX];
	struct tlv data = TLV(data_room);
	struct tlv w = { room, RESPONSE_MAX, RESPONSE_MAX, false };
	uint8_t signature[1024], status = OCSP_SUCCESSFUL;
	size_t len = sizeof(signature), mark, data_end;

	put_data(&data, signer, singles, n, terms);
	if (data.failed)
		return err_set(err, ERR_FAULT, "an answer too long");
	if (sign(signer, tlv_bytes(&data), signature, &len, err) == -1)
		return -1;

	tlv_put(&w, (struct bytes){ signer->certs, signer->certs_len });
	mark = tlv_mark(&w);
	tlv_put(&w, (struct bytes){ signature, len });
	tlv_put_octet(&w, 0);	/* no unused bits */
	tlv_wrap(&w, DER_BIT_STRING, mark);
	put_algorithm(&w, signer->signature);
	data_end = tlv_mark(&w);
	tlv_put(&w, tlv_bytes(&data));
	tlv_wrap(&w, DER_SEQUENCE, 0);
	tlv_wrap(&w, DER_OCTET_STRING, 0);
	tlv_put_element(&w, DER_OID, (struct bytes){ basic_oid,
	    sizeof(basic_oid) });
	tlv_wrap(&w, DER_SEQUENCE, 0);
	tlv_wrap(&w, DER_EXPLICIT(0), 0);
	tlv_put_element(&w, DER_ENUMERATED, (struct bytes){ &status, 1 });
	tlv_wrap(&w, DER_SEQUENCE, 0);
	if (w.failed)
		return err_set(err, ERR_FAULT, "an answer too long");

	out->der = tlv_bytes(&w);
	out->tail = out->der.len - signer->certs_len;
	view_cert_ids((struct bytes){ room + RESPONSE_MAX - data_end -
	    tlv_bytes(&data).len, tlv_bytes(&data).len }, out);
	return 0;
}

void
response_error(enum ocsp_status status, uint8_t out[RESPONSE_ERROR_OCTETS])
{
	const uint8_t der[RESPONSE_ERROR_OCTETS] = { DER_SEQUENCE, 3,
		DER_ENUMERATED, 1, (uint8_t)status };

	memcpy(out, der, sizeof(der));
}
