#include "common/crl_private.h"
#include "common/err.h"

#include <openssl/sha.h>

#include <string.h>

/* crlExtensions (RFC 5280, 5.2). */

/* RFC 5280, 5.2.1: by key identifier, which is the CA's own (4.2.1.1). */
static int
put_authority_key_id(struct buf *b, X509 *ca, struct err *err)
{
	const ASN1_OCTET_STRING *id = X509_get0_subject_key_id(ca);
	const ASN1_BIT_STRING *key = X509_get0_pubkey_bitstr(ca);
	uint8_t digest[SHA_DIGEST_LENGTH];
	struct bytes octets = { digest, sizeof(digest) };
	OWNED_BUF(key_id, 128);
	OWNED_BUF(value, 128);

	if (id != NULL) {
		octets.data = ASN1_STRING_get0_data(id);
		octets.len = (size_t)ASN1_STRING_length(id);
	} else if (key == NULL || EVP_Digest(ASN1_STRING_get0_data(key),
	    (size_t)ASN1_STRING_length(key), digest, NULL, EVP_sha1(),
	    NULL) != 1) {
		return err_openssl(err, ERR_FAULT, "hashing the CA's key");
	}
	crl_put_tlv(&key_id, DER_CONTEXT_0, octets);
	crl_put_tlv(&value, DER_SEQUENCE, buf_bytes(&key_id));
	crl_put_extension(b, 35, false, buf_bytes(&value));
	b->failed |= key_id.failed || value.failed;
	return 0;
}

static void
put_integer(struct buf *b, uint64_t value)
{
	uint8_t octets[sizeof(value)];
	size_t skip = 0;

	for (size_t i = 0; i < sizeof(octets); i++)
		octets[i] = (uint8_t)(value >> (56 - 8 * i));
	while (skip < sizeof(octets) - 1 && octets[skip] == 0)
		skip++;
	crl_put_positive(b, octets + skip, sizeof(octets) - skip);
}

/* A number as the whole extension: cRLNumber (5.2.3), deltaCRLIndicator. */
static void
put_number(struct buf *b, uint8_t id_ce, bool critical, uint64_t number)
{
	OWNED_BUF(value, 16);

	put_integer(&value, number);
	crl_put_extension(b, id_ce, critical, buf_bytes(&value));
	b->failed |= value.failed;
}

/*
 * The distributionPoint of an IssuingDistributionPoint and of a
 * DistributionPoint (5.2.5, 4.2.1.13): [0] { fullName [0] { URI [6] } }. One
 * function for all, so that an address comes out with the same octets.
 */
static void
put_point(struct buf *b, const char *url)
{
	OWNED_BUF(name, CRL_EXTENSION_MAX);
	OWNED_BUF(full_name, CRL_EXTENSION_MAX);

	crl_put_tlv(&name, DER_CONTEXT_6, bytes_of(url));
	crl_put_tlv(&full_name, DER_EXPLICIT_0, buf_bytes(&name));
	crl_put_tlv(b, DER_EXPLICIT_0, buf_bytes(&full_name));
	b->failed |= name.failed || full_name.failed;
}

/* 5.2.5: it MUST be critical. */
static void
put_issuing_point(struct buf *b, const char *url)
{
	OWNED_BUF(point, CRL_EXTENSION_MAX);
	OWNED_BUF(value, CRL_EXTENSION_MAX);

	put_point(&point, url);
	crl_put_tlv(&value, DER_SEQUENCE, buf_bytes(&point));
	crl_put_extension(b, 28, true, buf_bytes(&value));
	b->failed |= point.failed || value.failed;
}

/* 5.2.6: CRLDistributionPoints of one, not critical. */
static void
put_freshest(struct buf *b, const char *url)
{
	OWNED_BUF(point, CRL_EXTENSION_MAX);
	OWNED_BUF(one, CRL_EXTENSION_MAX);
	OWNED_BUF(value, CRL_EXTENSION_MAX);

	put_point(&point, url);
	crl_put_tlv(&one, DER_SEQUENCE, buf_bytes(&point));
	crl_put_tlv(&value, DER_SEQUENCE, buf_bytes(&one));
	crl_put_extension(b, 46, false, buf_bytes(&value));
	b->failed |= point.failed || one.failed || value.failed;
}

static bool
is_address(const char *url)
{
	for (const char *at = url; *at != '\0'; at++)
		if ((unsigned char)*at <= ' ' || (unsigned char)*at >= 0x7f)
			return false;
	return strlen(url) <= CRL_URL_MAX;
}

int
crl_put_extensions(struct buf *b, X509 *ca, const struct crl_terms *terms,
    struct err *err)
{
	const char *point = terms->point == NULL ? "" : terms->point;
	const char *freshest = terms->freshest == NULL ? "" : terms->freshest;
	OWNED_BUF(list, CRL_TAIL_MAX);
	OWNED_BUF(sequence, CRL_TAIL_MAX);

	if (!is_address(point) || !is_address(freshest))
		return err_set(err, ERR_FAULT,
		    "an address for a CRL is too long, or not plain ASCII");
	if (put_authority_key_id(&list, ca, err) < 0)
		return -1;
	put_number(&list, 20, false, terms->number);
	if (terms->base != 0)	/* 5.2.4: it MUST be critical */
		put_number(&list, 27, true, terms->base);
	if (point[0] != '\0')
		put_issuing_point(&list, point);
	if (freshest[0] != '\0')
		put_freshest(&list, freshest);
	crl_put_tlv(&sequence, DER_SEQUENCE, buf_bytes(&list));
	crl_put_tlv(b, DER_EXPLICIT_0, buf_bytes(&sequence));
	if (list.failed || sequence.failed || b->failed)
		return err_set(err, ERR_RETRY, "out of memory for a CRL");
	return 0;
}
