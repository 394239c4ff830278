#include "csrmaild/ctl/key_digest.h"

#include "csrmaild/ctl/ctl.h"

#include "common/der.h"
#include "common/err.h"
#include "common/key.h"

#include <string.h>

#define MAX_FILE	(1u << 20)
#define CERT_FIELDS	5		/* in front of its key: RFC 5280, 4.1 */
#define CSR_FIELDS	2		/* RFC 2986, 4.1 */

/* The octets of a PEM file's first block; DER as it is. */
static int
decode_pem(struct ctl *ctl, const char *path, struct bytes in,
    struct buf *out, struct err *err)
{
	static const char dashes[] = "-----";
	size_t begin = bytes_find(in, bytes_of("-----BEGIN ")), end;
	struct bytes label;

	if (in.len > 0 && in.data[0] == DER_SEQUENCE)
		return buf_append_bytes(out, in);
	if (begin == (size_t)-1)
		return ctl_fail(ctl, EX_DATAERR, err, "%s: neither PEM nor "
		    "DER", path);
	in = bytes_slice(in, begin + strlen("-----BEGIN "), in.len);
	end = bytes_find(in, bytes_of(dashes));
	label = bytes_slice(in, 0, end);
	if (end == (size_t)-1 || bytes_find(label,
	    bytes_of("PRIVATE KEY")) != (size_t)-1)
		return ctl_fail(ctl, EX_DATAERR, err, "%s: give the public "
		    "key (openssl pkey -in FILE -pubout), a request or a "
		    "certificate", path);
	in = bytes_slice(in, end + strlen(dashes), in.len);
	end = bytes_find(in, bytes_of(dashes));
	if (end == (size_t)-1 || base64_decode(bytes_slice(in, 0, end),
	    out) != 0)
		return ctl_fail(ctl, EX_DATAERR, err, "%s: its PEM is broken",
		    path);
	return 0;
}

/* SEQUENCE { SEQUENCE { OBJECT IDENTIFIER ... }, BIT STRING }: a key. */
static bool
is_spki(struct bytes in)
{
	struct bytes sequence, algorithm, oid, key;

	return der_take(&in, DER_SEQUENCE, &sequence) && in.len == 0 &&
	    der_take(&sequence, DER_SEQUENCE, &algorithm) &&
	    der_take(&algorithm, DER_OID, &oid) &&
	    der_take(&sequence, DER_BIT_STRING, &key) && sequence.len == 0;
}

/* The n-th field of what is signed, in a certificate or a request. */
static bool
find_field(struct bytes in, size_t n, bool version, struct bytes *out)
{
	struct bytes outer, tbs, content;
	uint8_t tag;

	if (!der_take(&in, DER_SEQUENCE, &outer) || in.len > 0 ||
	    !der_take(&outer, DER_SEQUENCE, &tbs))
		return false;
	if (version && tbs.len > 0 && tbs.data[0] == 0xa0)
		n++;		/* [0] is left out in version 1 */
	for (size_t i = 0; i <= n; i++)
		if (!der_next(&tbs, &tag, &content, out))
			return false;
	return is_spki(*out);
}

static int
digest_file(struct ctl *ctl, const char *path, uint8_t out[32],
    struct err *err)
{
	OWNED_BUF(file, MAX_FILE);
	OWNED_BUF(der, MAX_FILE);
	struct bytes spki;

	if (ctl_read_file(ctl, path, &file, err) != 0 ||
	    decode_pem(ctl, path, buf_bytes(&file), &der, err) != 0)
		return -1;
	spki = buf_bytes(&der);
	if (!is_spki(spki) &&
	    !find_field(buf_bytes(&der), CSR_FIELDS, false, &spki) &&
	    !find_field(buf_bytes(&der), CERT_FIELDS, true, &spki))
		return ctl_fail(ctl, EX_DATAERR, err, "%s: neither a "
		    "certificate nor a request nor a public key", path);
	return key_digest_spki(spki, out, err);
}

int
key_digest_obtain(struct ctl *ctl, const char *name,
    char out[KEY_DIGEST_HEX_SIZE], struct err *err)
{
	uint8_t digest[32];

	if (strlen(name) == KEY_DIGEST_HEX_SIZE - 1 &&
	    hex_decode(name, digest, sizeof(digest)) == sizeof(digest)) {
		/* In lower case, whatever was typed. */
	} else if (digest_file(ctl, name, digest, err) != 0) {
		return -1;
	}
	hex_encode((struct bytes){ digest, sizeof(digest) }, out);
	return 0;
}
