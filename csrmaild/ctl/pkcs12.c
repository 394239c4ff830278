#include "csrmaild/ctl/pkcs12.h"

#include "common/err.h"
#include "common/owned.h"

#include <openssl/err.h>
#include <openssl/pkcs12.h>

#include <string.h>

OWNED_BY(PKCS12, PKCS12_free)

static const struct scheme {
	int		 cipher;	/* of both, key and certificates */
	int		 iterations;
	const EVP_MD	*(*mac)(void);
} schemes[] = {
	[false] = { NID_aes_256_cbc, PKCS12_ITERATIONS, EVP_sha256 },
	[true] = { NID_pbe_WithSHA1And3_Key_TripleDES_CBC,
	    PKCS12_LEGACY_ITERATIONS, EVP_sha1 },
};

static int
encode(PKCS12 *p12, struct buf *out, struct err *err)
{
	int len = i2d_PKCS12(p12, NULL);
	uint8_t *to = len <= 0 ? NULL : buf_reserve(out, (size_t)len);

	if (to == NULL || i2d_PKCS12(p12, &to) != len)
		return err_openssl(err, ERR_FAULT, "encoding PKCS#12");
	out->len += (size_t)len;
	return 0;
}

static int
make(const struct pkcs12_parts *parts, const char *passphrase,
    const struct scheme *how, STACK_OF(X509) *chain, PKCS12 **out,
    struct err *err)
{
	OWNED(PKCS12) *p12 = NULL;

	for (size_t i = 0; i < parts->n_chain; i++)
		if (sk_X509_push(chain, parts->chain[i]) == 0)
			return err_set(err, ERR_RETRY, "out of memory");
	/* -1: no MAC yet, or it would be of SHA-1 or SHA-256 as OpenSSL
	 * likes. */
	p12 = PKCS12_create(passphrase, parts->name, parts->key, parts->cert,
	    chain, how->cipher, how->cipher, how->iterations, -1, 0);
	if (p12 == NULL || PKCS12_set_mac(p12, passphrase, -1, NULL, 0,
	    how->iterations, how->mac()) != 1)
		return err_openssl(err, ERR_FAULT, "making PKCS#12");
	*out = TAKE(p12);
	return 0;
}

int
pkcs12_write(const struct pkcs12_parts *parts, struct bytes passphrase,
    bool legacy, struct buf *out, struct err *err)
{
	__attribute__((cleanup(buf_wipe))) struct buf text =
	    BUF(passphrase.len + 1);
	OWNED(PKCS12) *p12 = NULL;
	STACK_OF(X509) *chain;
	int r;

	if (X509_check_private_key(parts->cert, parts->key) != 1) {
		ERR_clear_error();
		return err_set(err, ERR_REJECT, "the key is not that of the "
		    "certificate: it takes the one that its request was made "
		    "with");
	}
	if (passphrase.len == 0 || memchr(passphrase.data, '\0',
	    passphrase.len) != NULL)
		return err_set(err, ERR_REJECT, "the file needs a passphrase "
		    "of at least one character");
	if (buf_reserve(&text, passphrase.len + 1) == NULL ||
	    buf_append_bytes(&text, passphrase) != 0 ||
	    (chain = sk_X509_new_null()) == NULL)
		return err_set(err, ERR_RETRY, "out of memory");
	r = make(parts, buf_str(&text), &schemes[legacy], chain, &p12, err);
	sk_X509_free(chain);
	return r == 0 ? encode(p12, out, err) : -1;
}
