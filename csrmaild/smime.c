#include "csrmaild/smime.h"

#include "common/err.h"
#include "common/owned.h"
#include "csrmaild/wire.h"

#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define CHAIN_DEPTH	8
#define SECURITY_LEVEL	2	/* 112 bits: no SHA-1, no RSA below 2048 */

OWNED_BY(CMS_ContentInfo, CMS_ContentInfo_free)
OWNED_BY(X509_STORE, X509_STORE_free)
OWNED_BY(X509_STORE_CTX, X509_STORE_CTX_free)

/* The mail's fault: said, and no error of ours. */
static int
say(struct signature *s, const char *text)
{
	s->good = false;
	snprintf(s->text, sizeof(s->text), "%s", text);
	return 0;
}

/* --- anchors --------------------------------------------------------------- */

static int
read_anchors(struct bytes pem, X509_STORE *store, unsigned int *n,
    struct err *err)
{
	OWNED(BIO) *in = BIO_new_mem_buf(pem.data, (int)pem.len);
	X509 *cert;

	*n = 0;
	if (in == NULL)
		return err_openssl(err, ERR_FAULT, "reading the anchors");
	while ((cert = PEM_read_bio_X509(in, NULL, NULL, NULL)) != NULL) {
		int added = X509_STORE_add_cert(store, cert);

		X509_free(cert);
		if (added != 1)
			return err_openssl(err, ERR_FAULT,
			    "reading the anchors");
		++*n;
	}
	ERR_clear_error();	/* the end of a PEM file is an error, too */
	return 0;
}

bool
smime_anchors_are_whole(struct bytes anchors, unsigned int *n)
{
	static const char begin[] = "-----BEGIN CERTIFICATE-----";
	OWNED(X509_STORE) *store = X509_STORE_new();
	unsigned int claimed = 0;
	struct err err;
	size_t at;

	for (struct bytes left = anchors; (at = bytes_find(left,
	    bytes_of(begin))) != (size_t)-1; claimed++)
		left = bytes_slice(left, at + sizeof(begin) - 1, left.len);
	return store != NULL && read_anchors(anchors, store, n, &err) == 0 &&
	    *n > 0 && *n == claimed;
}

/* --- the signer ------------------------------------------------------------- */

/* A chain to an anchor, valid now, for e-mail protection. */
static int
check_chain(CMS_ContentInfo *cms, X509 *signer, struct bytes anchors,
    int64_t now, struct signature *s, struct err *err)
{
	OWNED(X509_STORE) *store = X509_STORE_new();
	OWNED(X509_STORE_CTX) *ctx = X509_STORE_CTX_new();
	STACK_OF(X509) *others = NULL;
	X509_VERIFY_PARAM *param;
	unsigned int n;

	if (anchors.len == 0)
		return 0;
	if (store == NULL || ctx == NULL)
		return err_openssl(err, ERR_FAULT, "checking a chain");
	if (read_anchors(anchors, store, &n, err) == -1)
		return -1;
	others = CMS_get1_certs(cms);
	if (X509_STORE_CTX_init(ctx, store, signer, others) != 1) {
		sk_X509_pop_free(others, X509_free);
		return err_openssl(err, ERR_FAULT, "checking a chain");
	}
	param = X509_STORE_CTX_get0_param(ctx);
	X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_SMIME_SIGN);
	X509_VERIFY_PARAM_set_auth_level(param, SECURITY_LEVEL);
	X509_VERIFY_PARAM_set_depth(param, CHAIN_DEPTH);
	X509_VERIFY_PARAM_set_time(param, (time_t)now);
	X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
	s->anchored = X509_verify_cert(ctx) == 1;
	X509_STORE_CTX_cleanup(ctx);	/* before what it borrows */
	sk_X509_pop_free(others, X509_free);
	ERR_clear_error();
	return 0;
}

/* rfc822Name in ASCII (RFC 8550, 3); not emailAddress of the subject, which
 * no CA need have looked at. */
static void
take_addresses(X509 *signer, struct signature *s)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(signer, NID_subject_alt_name,
	    NULL, NULL);

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
		const uint8_t *text;
		int len;

		if (name->type != GEN_EMAIL ||
		    s->n_addresses == WIRE_MAX_ADDRESSES)
			continue;
		text = ASN1_STRING_get0_data(name->d.rfc822Name);
		len = ASN1_STRING_length(name->d.rfc822Name);
		if (len <= 0 || len > MAILBOX_MAX ||
		    memchr(text, '\0', (size_t)len) != NULL)
			continue;
		memcpy(s->addresses[s->n_addresses], text, (size_t)len);
		s->addresses[s->n_addresses++][len] = '\0';
	}
	GENERAL_NAMES_free(names);
}

/* The signed attribute; 0 when there is none. */
static int64_t
signing_time(CMS_SignerInfo *signer)
{
	static const int types[] = { V_ASN1_UTCTIME, V_ASN1_GENERALIZEDTIME };
	struct tm tm;

	/* -3: there is one such attribute, and it has one value. */
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		const ASN1_TIME *time = CMS_signed_get0_data_by_OBJ(signer,
		    OBJ_nid2obj(NID_pkcs9_signingTime), -3, types[i]);

		if (time != NULL && ASN1_TIME_to_tm(time, &tm) == 1)
			return timegm(&tm);
	}
	return 0;
}

/* RFC 8551, 2.1: SHA-256 and SHA-512; what is weaker proves nothing. */
static bool
digest_is_strong(CMS_SignerInfo *signer)
{
	X509_ALGOR *digest = NULL;
	int nid;

	CMS_SignerInfo_get0_algs(signer, NULL, NULL, &digest, NULL);
	nid = digest == NULL ? NID_undef : OBJ_obj2nid(digest->algorithm);
	return nid == NID_sha256 || nid == NID_sha384 || nid == NID_sha512;
}

static int
take_signer(CMS_ContentInfo *cms, CMS_SignerInfo *info, struct bytes anchors,
    int64_t now, struct signature *s, struct buf *out, struct err *err)
{
	STACK_OF(X509) *signers = CMS_get0_signers(cms);
	X509 *signer = sk_X509_num(signers) == 1 ?
	    sk_X509_value(signers, 0) : NULL;
	unsigned char *der = NULL;
	struct err odd;
	int n;

	sk_X509_free(signers);	/* the list, not what is in it */
	if (signer == NULL)
		return say(s, "the signer's certificate is not in it");
	n = i2d_X509(signer, &der);
	if (n <= 0)
		return err_openssl(err, ERR_FAULT, "encoding a certificate");
	if (n <= (int)WIRE_MAX_SIGNER)
		buf_append(out, der, (size_t)n);
	OPENSSL_free(der);
	if (n > (int)WIRE_MAX_SIGNER)
		return say(s, "the signer's certificate is too large");
	if (out->failed)
		return err_set(err, ERR_FAULT, "out of memory");
	s->der = buf_bytes(out);
	/* RFC 8550, 4.4.2 and 4.4.4. */
	s->for_mail = X509_check_purpose(signer, X509_PURPOSE_SMIME_SIGN,
	    0) == 1;
	if (serial_from_asn1(X509_get0_serialNumber(signer), &s->serial,
	    &odd) == -1)
		return say(s, "the signer's certificate has no sound serial");
	s->signed_at = signing_time(info);
	take_addresses(signer, s);
	if (check_chain(cms, signer, anchors, now, s, err) == -1)
		return -1;
	s->good = true;
	return 0;
}

/* --- the mail --------------------------------------------------------------- */

/* Over the octets as they came. */
static bool
verify(CMS_ContentInfo *cms, BIO *detached, struct buf *content)
{
	OWNED(BIO) *out = BIO_new(BIO_s_mem());
	char *data;
	long n;

	if (out == NULL || CMS_verify(cms, NULL, NULL, detached, out,
	    CMS_NO_SIGNER_CERT_VERIFY | CMS_BINARY) != 1)
		return false;
	n = BIO_get_mem_data(out, &data);
	return n >= 0 && buf_append(content, data, (size_t)n) == 0;
}

int
smime_examine(struct bytes message, struct bytes anchors, int64_t now,
    struct signature *s, struct buf *der, struct buf *content,
    struct err *err)
{
	OWNED(BIO) *in = BIO_new_mem_buf(message.data, (int)message.len);
	OWNED(BIO) *detached = NULL;
	OWNED(CMS_ContentInfo) *cms = NULL;
	STACK_OF(CMS_SignerInfo) *infos;
	int r = 0;

	memset(s, 0, sizeof(*s));
	if (in == NULL)
		return err_openssl(err, ERR_FAULT, "reading a mail");
	cms = SMIME_read_CMS(in, &detached);
	if (cms == NULL)
		say(s, "its S/MIME form cannot be read");
	else if (OBJ_obj2nid(CMS_get0_type(cms)) != NID_pkcs7_signed)
		say(s, "it is not signed, or it is encrypted: we have no key "
		    "to open it");
	else if ((infos = CMS_get0_SignerInfos(cms)) == NULL ||
	    sk_CMS_SignerInfo_num(infos) != 1)
		say(s, "it has not exactly one signature");
	else if (OBJ_obj2nid(CMS_get0_eContentType(cms)) != NID_pkcs7_data)
		say(s, "what it signs is no mail");
	else if (!digest_is_strong(sk_CMS_SignerInfo_value(infos, 0)))
		say(s, "its signature is made with a hash that proves "
		    "nothing any more; SHA-256 is the least");
	else if (!verify(cms, detached, content))
		say(s, content->failed ? "what is signed is too large" :
		    "the signature does not fit what was signed");
	else
		r = take_signer(cms, sk_CMS_SignerInfo_value(infos, 0),
		    anchors, now, s, der, err);
	if (!s->good)
		buf_clear(content);
	ERR_clear_error();
	return r;
}

bool
smime_same_mailbox(const char *a, const char *b)
{
	const char *at_a = strrchr(a, '@'), *at_b = strrchr(b, '@');

	return at_a != NULL && at_b != NULL && at_a - a == at_b - b &&
	    memcmp(a, b, (size_t)(at_a - a)) == 0 && strcasecmp(at_a, at_b) == 0;
}

bool
signature_bears(const struct signature *s, const char *mailbox)
{
	for (size_t i = 0; i < s->n_addresses; i++)
		if (smime_same_mailbox(s->addresses[i], mailbox))
			return true;
	return false;
}

bool
smime_certificate_bears(X509 *cert, const char *mailbox)
{
	struct signature s = { 0 };

	take_addresses(cert, &s);
	return signature_bears(&s, mailbox);
}
