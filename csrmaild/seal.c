#include "csrmaild/seal.h"

#include "common/err.h"
#include "common/owned.h"
#include "csrmaild/field.h"
#include "csrmaild/reply_text.h"
#include "csrmaild/seal_identity.h"
#include "csrmaild/wire.h"

#include <openssl/cms.h>
#include <openssl/evp.h>

#define MAX_FIELDS	(32u << 10)	/* octets of header fields */
#define BOUNDARY_SIZE	40
#define FLAGS		(CMS_PARTIAL | CMS_DETACHED | CMS_BINARY | \
			    CMS_NOSMIMECAP | CMS_CADES)

OWNED_BY(CMS_ContentInfo, CMS_ContentInfo_free)

/* --- what a mail of ours looks like ------------------------------------------ */

static const struct shape {
	const char	*name;
	bool		 required;
	bool		 inside;	/* goes into what is signed */
	const char	*values[2];	/* all that are allowed; NULL: any */
} shapes[] = {
	{ "From", true, false, { NULL } },	/* the identity's mailbox */
	{ "To", true, false, { NULL } },
	{ "Subject", true, false, { NULL } },
	{ "Date", true, false, { NULL } },
	{ "Message-ID", true, false, { NULL } },
	{ "In-Reply-To", false, false, { NULL } },
	{ "References", false, false, { NULL } },
	{ "Auto-Submitted", true, false, { "auto-replied",
	    "auto-generated" } },
	{ "MIME-Version", true, false, { "1.0" } },
	{ "X-Auto-Response-Suppress", false, false, { "All" } },
	{ "Content-Type", true, true, { NULL } },
	{ "Content-Transfer-Encoding", false, true, { NULL } },
};
#define N_SHAPES	(sizeof(shapes) / sizeof(shapes[0]))

static int
refuse(const char *what, struct err *err)
{
	return err_set(err, ERR_REJECT, "it is no mail as csrmail writes "
	    "them: %s", what);
}

static bool
is_allowed(const struct shape *shape, struct bytes value, const char *mailbox)
{
	if (shape == &shapes[0])
		return bytes_equal(value, bytes_of(mailbox));
	for (size_t i = 0; i < 2 && shape->values[i] != NULL; i++)
		if (bytes_equal(value, bytes_of(shape->values[i])))
			return true;
	return shape->values[0] == NULL;
}

/* The next field must be one of those that may follow; *at goes behind it. */
static int
check_field(const struct field *field, const char *mailbox, size_t *at,
    struct err *err)
{
	struct bytes value = bytes_slice(field->body, 1, field->body.len);

	while (*at < N_SHAPES && !shapes[*at].required &&
	    !field_is(field, shapes[*at].name))
		++*at;
	if (field->doubtful || *at == N_SHAPES ||
	    !field_is(field, shapes[*at].name))
		return refuse("a field that is not expected, or missing", err);
	if (!is_allowed(&shapes[*at], value, mailbox))
		return refuse(shapes[*at].name, err);
	++*at;
	return 0;
}

/* The header fields that stay outside, and the entity that is signed. */
static int
take_apart(const struct seal_identity *id, struct bytes mail,
    struct buf *outside, struct buf *entity, struct err *err)
{
	enum field_result r;
	struct field field;
	size_t at = 0;

	while ((r = field_next(&mail, &field)) == FIELD_OK) {
		if (check_field(&field, id->mailbox, &at, err) == -1)
			return -1;
		buf_append_bytes(shapes[at - 1].inside ? entity : outside,
		    field.raw);
	}
	while (at < N_SHAPES && !shapes[at].required)
		at++;
	/* What is left begins with the empty line. */
	if (r != FIELD_END || at < N_SHAPES || mail.len == 0)
		return refuse("its header is not whole", err);
	buf_append_bytes(entity, mail);
	if (outside->failed || entity->failed)
		return err_set(err, ERR_REJECT, "it is too long to be signed");
	if (!text_is_7bit(buf_bytes(outside)) ||
	    !text_is_7bit(buf_bytes(entity)))
		return refuse("it is not 7 bit, or has too long a line", err);
	return 0;
}

/* --- the signature ------------------------------------------------------------- */

/* OpenSSL would take the clock's. UTCTime until 2049 (RFC 5652, 11.3). */
static bool
add_signing_time(CMS_SignerInfo *signer, time_t now)
{
	OWNED(ASN1_TIME) *time = ASN1_TIME_set(NULL, now);

	return time != NULL && CMS_signed_add1_attr_by_NID(signer,
	    NID_pkcs9_signingTime, time->type, time, -1) == 1;
}

static bool
add_chain(CMS_ContentInfo *cms, STACK_OF(X509) *chain)
{
	for (int i = 0; i < sk_X509_num(chain); i++)
		if (CMS_add1_cert(cms, sk_X509_value(chain, i)) != 1)
			return false;
	return true;
}

/* In DER. */
static int
sign(const struct seal_identity *id, struct bytes entity, time_t now,
    struct buf *out, struct err *err)
{
	OWNED(BIO) *in = BIO_new_mem_buf(entity.data, (int)entity.len);
	OWNED(CMS_ContentInfo) *cms = CMS_sign(NULL, NULL, NULL, NULL, FLAGS);
	CMS_SignerInfo *signer = NULL;
	unsigned char *der = NULL;
	int n = 0;

	if (in != NULL && cms != NULL)
		signer = CMS_add1_signer(cms, id->cert, id->key,
		    EVP_sha256(), FLAGS);
	if (signer != NULL && add_signing_time(signer, now) &&
	    add_chain(cms, id->chain) &&
	    CMS_final(cms, in, NULL, FLAGS) == 1)
		n = i2d_CMS_ContentInfo(cms, &der);
	if (n <= 0)
		return err_openssl(err, ERR_RETRY, "signing a mail");
	buf_append(out, der, (size_t)n);
	OPENSSL_free(der);
	return out->failed ? err_set(err, ERR_REJECT,
	    "its signature is too long") : 0;
}

/* --- putting together -------------------------------------------------------------- */

/* Nothing can hold its own digest. */
static int
make_boundary(struct bytes entity, char out[BOUNDARY_SIZE], struct err *err)
{
	uint8_t digest[EVP_MAX_MD_SIZE];

	if (EVP_Digest(entity.data, entity.len, digest, NULL, EVP_sha256(),
	    NULL) != 1)
		return err_openssl(err, ERR_RETRY, "hashing");
	out[0] = '=';
	out[1] = '_';
	hex_encode((struct bytes){ digest, 16 }, out + 2);
	return 0;
}

int
seal_message(const struct seal_identity *id, struct bytes mail, time_t now,
    struct buf *out, struct err *err)
{
	OWNED_BUF(outside, MAX_FIELDS);
	OWNED_BUF(entity, mail.len);
	OWNED_BUF(signature, WIRE_MAX_SEAL / 2);
	OWNED_BUF(sealed, mail.len + WIRE_MAX_SEAL);
	char boundary[BOUNDARY_SIZE];

	if (take_apart(id, mail, &outside, &entity, err) == -1 ||
	    make_boundary(buf_bytes(&entity), boundary, err) == -1 ||
	    sign(id, buf_bytes(&entity), now, &signature, err) == -1)
		return -1;
	buf_append_bytes(&sealed, buf_bytes(&outside));
	buf_printf(&sealed, "Content-Type: multipart/signed; micalg=sha-256;"
	    "\r\n protocol=\"application/pkcs7-signature\";\r\n"
	    " boundary=\"%s\"\r\n\r\n--%s\r\n", boundary, boundary);
	buf_append_bytes(&sealed, buf_bytes(&entity));
	buf_printf(&sealed, "\r\n--%s\r\n"
	    "Content-Type: application/pkcs7-signature; name=\"smime.p7s\""
	    "\r\nContent-Transfer-Encoding: base64\r\n"
	    "Content-Disposition: attachment; filename=\"smime.p7s\""
	    "\r\n\r\n", boundary);
	base64_encode(buf_bytes(&signature), 76, &sealed);
	buf_printf(&sealed, "\r\n--%s--\r\n", boundary);
	if (sealed.failed || buf_append_bytes(out, buf_bytes(&sealed)) == -1)
		return err_set(err, ERR_REJECT,
		    "it is too long once it is signed");
	return 0;
}
