#include "csrmaild/certs_only.h"

#include "common/err.h"
#include "common/owned.h"

#include <openssl/pkcs7.h>

OWNED_BY(PKCS7, PKCS7_free)

int
certs_only_write(X509 *const *certs, size_t n, struct buf *out,
    struct err *err)
{
	OWNED(PKCS7) *p7 = PKCS7_new();
	uint8_t *to;
	int len;

	if (p7 == NULL || PKCS7_set_type(p7, NID_pkcs7_signed) != 1)
		return err_openssl(err, ERR_RETRY, "making a certs-only");
	p7->d.sign->contents->type = OBJ_nid2obj(NID_pkcs7_data);
	for (size_t i = 0; i < n; i++)
		if (PKCS7_add_certificate(p7, certs[i]) != 1)
			return err_openssl(err, ERR_RETRY,
			    "making a certs-only");
	len = i2d_PKCS7(p7, NULL);
	to = len <= 0 ? NULL : buf_reserve(out, (size_t)len);
	if (to == NULL || i2d_PKCS7(p7, &to) != len)
		return err_openssl(err, ERR_FAULT, "encoding a certs-only");
	out->len += (size_t)len;
	return 0;
}

int
certs_only_read(struct bytes in, X509 *certs[CERTS_ONLY_MAX], size_t *n,
    struct err *err)
{
	const uint8_t *at = in.data;
	OWNED(PKCS7) *p7 = d2i_PKCS7(NULL, &at, (long)in.len);
	STACK_OF(X509) *inside;
	int count;

	if (p7 == NULL || at != in.data + in.len || !PKCS7_type_is_signed(p7))
		return err_openssl(err, ERR_REJECT,
		    "this is no .p7c: a certs-only message in DER (RFC 8551)");
	inside = p7->d.sign->cert;
	count = inside == NULL ? 0 : sk_X509_num(inside);
	if (count < 1 || count > CERTS_ONLY_MAX)
		return err_set(err, ERR_REJECT, "a .p7c with %d certificates: "
		    "1 to %d are expected", count, CERTS_ONLY_MAX);
	for (int i = 0; i < count; i++) {
		certs[i] = sk_X509_value(inside, i);
		X509_up_ref(certs[i]);
	}
	*n = (size_t)count;
	return 0;
}
