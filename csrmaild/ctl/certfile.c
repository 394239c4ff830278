#include "csrmaild/ctl/certfile.h"

#include "csrmaild/ctl/ca_rows.h"
#include "csrmaild/ctl/ctl.h"

#include "common/err.h"
#include "common/owned.h"

#include <openssl/pem.h>

#include <stdio.h>
#include <string.h>

#define MAX_CHAIN	10

static X509 *
read_pem(const char *pem)
{
	OWNED(BIO) *bio = pem == NULL ? NULL : BIO_new_mem_buf(pem, -1);

	return bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, NULL, NULL);
}

int
certfile_fingerprint(const char *pem, char out[CERTFILE_PRINT_SIZE])
{
	OWNED(X509) *cert = read_pem(pem);
	uint8_t digest[32];
	unsigned int len = sizeof(digest);

	if (cert == NULL ||
	    X509_digest(cert, EVP_sha256(), digest, &len) != 1)
		return -1;
	hex_encode_colons((struct bytes){ digest, sizeof(digest) }, out);
	return 0;
}

int
certfile_to_der(const char *pem, struct buf *out)
{
	OWNED(X509) *cert = read_pem(pem);
	int len = cert == NULL ? -1 : i2d_X509(cert, NULL);
	uint8_t *to = len <= 0 ? NULL : buf_reserve(out, (size_t)len);

	if (to == NULL || i2d_X509(cert, &to) != len)
		return -1;
	out->len += (size_t)len;
	return 0;
}

int
certfile_from_request(struct buf *file)
{
	OWNED_BUF(base64, 1u << 20);

	/* DER begins with SEQUENCE; what it holds is the parser's business. */
	if (file->len == 0 || file->data[0] != 0x30)
		return file->len == 0 ||
		    memchr(file->data, '\0', file->len) != NULL ? -1 : 0;
	if (base64_encode(buf_bytes(file), 64, &base64) != 0)
		return -1;
	buf_clear(file);
	file->max = 1u << 20;
	return buf_printf(file, "-----BEGIN CERTIFICATE REQUEST-----\n%s\n"
	    "-----END CERTIFICATE REQUEST-----\n", buf_str(&base64));
}

int
certfile_append_chain(struct ctl *ctl, const char *ca, struct buf *out,
    struct err *err)
{
	json_t *rows = NULL;

	if (ca_rows_read(ctl, &rows, err) != 0)
		return -1;
	for (int i = 0; ca != NULL && *ca != '\0' && i < MAX_CHAIN; i++) {
		const json_t *row = ca_rows_find(rows, ca);

		if (row == NULL)
			break;
		buf_append_str(out,
		    json_string_value(json_object_get(row, "pem")));
		ca = json_string_value(json_object_get(row, "parent"));
	}
	json_decref(rows);
	return out->failed ?
	    ctl_fail(ctl, EX_SOFTWARE, err, "the chain is too long") : 0;
}
