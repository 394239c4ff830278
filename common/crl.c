#include "common/crl.h"
#include "common/bytes.h"
#include "common/err.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * In the scratch file the entries begin at FRONT. At close, what DER wants in
 * front of them is written right before that, and the extensions right after,
 * so that the tbsCertList stands there in one piece: to be hashed in chunks,
 * or mapped for algorithms that sign in one go (RFC 8032).
 */
#define FRONT		((off_t)(64 * 1024))
#define CHUNK		((size_t)(64 * 1024))
/* A serial, two dates, a reason and all tags: 21 + 17 + 14 + 19 + 14. */
#define ENTRY_MAX	128

#define DER_INTEGER		0x02
#define DER_BIT_STRING		0x03
#define DER_OCTET_STRING	0x04
#define DER_ENUMERATED		0x0a
#define DER_UTC_TIME		0x17
#define DER_GENERALIZED_TIME	0x18
#define DER_SEQUENCE		0x30
#define DER_CONTEXT_0		0x80	/* primitive [0] */
#define DER_EXPLICIT_0		0xa0

/* The whole OID, as it stands in an Extension: 2.5.29.n. */
#define ID_CE(n)		{ 0x06, 0x03, 0x55, 0x1d, (n) }
static const uint8_t oid_crl_number[] = ID_CE(20);
static const uint8_t oid_reason_code[] = ID_CE(21);
static const uint8_t oid_invalidity_date[] = ID_CE(24);
static const uint8_t oid_authority_key_id[] = ID_CE(35);

struct crl_writer {
	const struct issuer	*issuer;
	const struct crl_terms	*terms;
	int			 scratch;
	off_t			 end;	/* of the entries in the scratch */
	bool			 closed;
	uint8_t			 algorithm[64];	/* AlgorithmIdentifier, DER */
	size_t			 algorithm_len;
	size_t			 n_chunk;	/* entries not yet written */
	uint8_t			 chunk[64 * 1024];
};

static const struct {
	enum crl_reason	 reason;
	const char	*name;
} reasons[] = {
	{ CRL_UNSPECIFIED,		"unspecified" },
	{ CRL_KEY_COMPROMISE,		"keyCompromise" },
	{ CRL_CA_COMPROMISE,		"cACompromise" },
	{ CRL_AFFILIATION_CHANGED,	"affiliationChanged" },
	{ CRL_SUPERSEDED,		"superseded" },
	{ CRL_CESSATION_OF_OPERATION,	"cessationOfOperation" },
	{ CRL_CERTIFICATE_HOLD,		"certificateHold" },
	{ CRL_PRIVILEGE_WITHDRAWN,	"privilegeWithdrawn" },
	{ CRL_AA_COMPROMISE,		"aACompromise" },
};
#define N_REASONS	(sizeof(reasons) / sizeof(reasons[0]))

const char *
crl_reason_name(enum crl_reason reason)
{
	for (size_t i = 0; i < N_REASONS; i++) {
		if (reasons[i].reason == reason)
			return reasons[i].name;
	}
	return NULL;
}

int
crl_reason_from_name(const char *name, enum crl_reason *out)
{
	for (size_t i = 0; i < N_REASONS; i++) {
		if (strcmp(reasons[i].name, name) == 0) {
			*out = reasons[i].reason;
			return 0;
		}
	}
	return -1;
}

/* X.690, 8.1.2 and 10.1: a tag and the shortest form of the length. */
static void
put_head(struct buf *b, uint8_t tag, uint64_t len)
{
	uint8_t head[2 + sizeof(len)] = { tag };
	size_t n = 0;

	if (len < 0x80) {
		head[1] = (uint8_t)len;
		buf_append(b, head, 2);
		return;
	}
	for (uint64_t rest = len; rest != 0; rest >>= 8)
		n++;
	head[1] = (uint8_t)(0x80 | n);
	for (size_t i = 0; i < n; i++)
		head[2 + i] = (uint8_t)(len >> (8 * (n - 1 - i)));
	buf_append(b, head, 2 + n);
}

static void
put_tlv(struct buf *b, uint8_t tag, struct bytes content)
{
	put_head(b, tag, content.len);
	buf_append_bytes(b, content);
}

/* Positive, in two's complement: a zero octet in front of a high bit. */
static void
put_positive(struct buf *b, const uint8_t *octets, size_t len)
{
	bool high = (octets[0] & 0x80) != 0;

	put_head(b, DER_INTEGER, len + high);
	if (high)
		buf_append(b, "", 1);
	buf_append(b, octets, len);
}

/* RFC 5280, 4.1.2.5.2: always GeneralizedTime where the ASN.1 says so. */
static int
put_generalized_time(struct buf *b, time_t t, struct err *err)
{
	char text[32];
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL || tm.tm_year < 50 ||
	    tm.tm_year > 9999 - 1900)
		return err_set(err, ERR_FAULT,
		    "a date in a CRL lies outside 1950 to 9999");
	strftime(text, sizeof(text), "%Y%m%d%H%M%SZ", &tm);
	put_tlv(b, DER_GENERALIZED_TIME, bytes_of(text));
	return 0;
}

/* RFC 5280, 5.1.2.4 to 5.1.2.6: UTCTime through 2049, then the other. */
static int
put_time_choice(struct buf *b, time_t t, struct err *err)
{
	char text[32];
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL || tm.tm_year < 50 || tm.tm_year > 149)
		return put_generalized_time(b, t, err);
	strftime(text, sizeof(text), "%y%m%d%H%M%SZ", &tm);
	put_tlv(b, DER_UTC_TIME, bytes_of(text));
	return 0;
}

/* Non-critical, as all of ours are: the DEFAULT FALSE is not encoded. */
static void
put_extension(struct buf *b, const uint8_t oid[5], struct bytes value)
{
	OWNED_BUF(octets, 256);

	put_tlv(&octets, DER_OCTET_STRING, value);
	put_head(b, DER_SEQUENCE, 5 + octets.len);
	buf_append(b, oid, 5);
	buf_append_bytes(b, buf_bytes(&octets));
	b->failed |= octets.failed;
}

static int
put_entry_extensions(struct buf *b, const struct crl_entry *entry,
    struct err *err)
{
	OWNED_BUF(value, ENTRY_MAX);

	/* 5.3.1: the extension SHOULD be absent for unspecified. */
	if (entry->reason != CRL_UNSPECIFIED) {
		uint8_t code = (uint8_t)entry->reason;

		put_tlv(&value, DER_ENUMERATED, (struct bytes){ &code, 1 });
		put_extension(b, oid_reason_code, buf_bytes(&value));
		buf_clear(&value);
	}
	if (entry->invalidity != 0) {
		if (put_generalized_time(&value, entry->invalidity, err) < 0)
			return -1;
		put_extension(b, oid_invalidity_date, buf_bytes(&value));
	}
	return 0;
}

static int
put_entry(struct buf *b, const struct crl_entry *entry, struct err *err)
{
	OWNED_BUF(fields, ENTRY_MAX);
	OWNED_BUF(extensions, ENTRY_MAX);

	if (entry->serial.len < 1 || entry->serial.len > 20 ||
	    crl_reason_name(entry->reason) == NULL)
		return err_set(err, ERR_FAULT,
		    "a CRL entry has a bad serial or reason");
	put_positive(&fields, entry->serial.octets, entry->serial.len);
	if (put_time_choice(&fields, entry->revoked_at, err) < 0 ||
	    put_entry_extensions(&extensions, entry, err) < 0)
		return -1;
	if (extensions.len > 0)
		put_tlv(&fields, DER_SEQUENCE, buf_bytes(&extensions));
	put_tlv(b, DER_SEQUENCE, buf_bytes(&fields));
	if (fields.failed || extensions.failed || b->failed)
		return err_set(err, ERR_RETRY, "out of memory for a CRL");
	return 0;
}

/* What the key and digest are called in the certificate list (5.1.1.2). */
static int
find_algorithm(struct crl_writer *w, struct err *err)
{
	OWNED(EVP_MD_CTX) *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *key_ctx;	/* borrowed from ctx */
	OSSL_PARAM params[] = {
		OSSL_PARAM_octet_string(OSSL_SIGNATURE_PARAM_ALGORITHM_ID,
		    w->algorithm, sizeof(w->algorithm)),
		OSSL_PARAM_END,
	};

	if (ctx == NULL || EVP_DigestSignInit(ctx, &key_ctx,
	    w->issuer->digest, NULL, w->issuer->key) != 1 ||
	    EVP_PKEY_CTX_get_params(key_ctx, params) != 1)
		return err_openssl(err, ERR_FAULT,
		    "choosing the CRL's signature algorithm");
	w->algorithm_len = params[0].return_size;
	return 0;
}

int
crl_open(const struct issuer *issuer, const struct crl_terms *terms,
    struct crl_writer **out, struct err *err)
{
	OWNED_STRUCT(crl_writer) *w = NULL;

	if (terms->next_update <= terms->this_update)
		return err_set(err, ERR_FAULT,
		    "a CRL's nextUpdate must be after its thisUpdate");
	if (X509_check_private_key(issuer->cert, issuer->key) != 1)
		return err_openssl(err, ERR_FAULT,
		    "the key is not that of the CA's certificate");
	w = calloc(1, sizeof(*w));
	if (w == NULL)
		return err_errno(err, ERR_RETRY, "preparing a CRL");
	w->issuer = issuer;
	w->terms = terms;
	w->end = FRONT;
	w->scratch = memfd_create("crl", MFD_CLOEXEC);
	if (w->scratch < 0)
		return err_errno(err, ERR_RETRY, "preparing a CRL");
	if (find_algorithm(w, err) < 0)
		return -1;
	*out = TAKE(w);
	return 0;
}

void
crl_use_scratch(struct crl_writer *w, int fd)
{
	close(w->scratch);
	w->scratch = fd;
}

void
crl_free(struct crl_writer *w)
{
	if (w == NULL)
		return;
	if (w->scratch >= 0)
		close(w->scratch);
	free(w);
}

static int
write_at(int fd, struct bytes octets, off_t at, struct err *err)
{
	while (octets.len > 0) {
		ssize_t n = pwrite(fd, octets.data, octets.len, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_errno(err, ERR_RETRY,
			    "writing a CRL's entries");
		octets = bytes_slice(octets, (size_t)n, octets.len);
		at += n;
	}
	return 0;
}

static int
flush_chunk(struct crl_writer *w, struct err *err)
{
	if (write_at(w->scratch, (struct bytes){ w->chunk, w->n_chunk },
	    w->end, err) < 0)
		return -1;
	w->end += (off_t)w->n_chunk;
	w->n_chunk = 0;
	return 0;
}

int
crl_add(struct crl_writer *w, const struct crl_entry *entries, size_t n,
    struct err *err)
{
	OWNED_BUF(one, ENTRY_MAX);

	for (size_t i = 0; i < n; i++) {
		buf_clear(&one);
		if (put_entry(&one, &entries[i], err) < 0)
			return -1;
		if (w->n_chunk + one.len > sizeof(w->chunk) &&
		    flush_chunk(w, err) < 0)
			return -1;
		memcpy(w->chunk + w->n_chunk, one.data, one.len);
		w->n_chunk += one.len;
	}
	return 0;
}

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
	put_tlv(&key_id, DER_CONTEXT_0, octets);
	put_tlv(&value, DER_SEQUENCE, buf_bytes(&key_id));
	put_extension(b, oid_authority_key_id, buf_bytes(&value));
	b->failed |= key_id.failed || value.failed;
	return 0;
}

/* What comes after the entries: crlExtensions, [0] EXPLICIT (5.1.2.7). */
static int
put_tail(struct buf *b, const struct crl_writer *w, struct err *err)
{
	OWNED_BUF(list, 512);
	OWNED_BUF(sequence, 512);
	OWNED_BUF(number, 16);
	uint8_t octets[8];
	size_t skip = 0;

	if (put_authority_key_id(&list, w->issuer->cert, err) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(octets); i++)
		octets[i] = (uint8_t)(w->terms->number >> (56 - 8 * i));
	while (skip < sizeof(octets) - 1 && octets[skip] == 0)
		skip++;
	put_positive(&number, octets + skip, sizeof(octets) - skip);
	put_extension(&list, oid_crl_number, buf_bytes(&number));
	put_tlv(&sequence, DER_SEQUENCE, buf_bytes(&list));
	put_tlv(b, DER_EXPLICIT_0, buf_bytes(&sequence));
	b->failed |= list.failed || sequence.failed || number.failed;
	return 0;
}

/* What comes before the entries, with the lengths that are known now. */
static int
put_front(struct buf *b, const struct crl_writer *w, size_t tail_len,
    struct err *err)
{
	static const uint8_t v2[] = { DER_INTEGER, 1, 1 };	/* 5.1.2.1 */
	uint64_t entries_len = (uint64_t)(w->end - FRONT);
	OWNED_BUF(fields, (size_t)FRONT / 2);
	unsigned char *name = NULL;
	/* The octets of the CA's subject as they stand there (7.1). */
	int name_len = i2d_X509_NAME(X509_get_subject_name(w->issuer->cert),
	    &name);

	if (name_len < 0)
		return err_openssl(err, ERR_FAULT, "reading the CA's subject");
	buf_append(&fields, v2, sizeof(v2));
	buf_append(&fields, w->algorithm, w->algorithm_len);
	buf_append(&fields, name, (size_t)name_len);
	OPENSSL_free(name);
	if (put_time_choice(&fields, w->terms->this_update, err) < 0 ||
	    put_time_choice(&fields, w->terms->next_update, err) < 0)
		return -1;
	/* 5.1.2.6: without entries the list MUST be absent. */
	if (entries_len > 0)
		put_head(&fields, DER_SEQUENCE, entries_len);
	put_head(b, DER_SEQUENCE, fields.len + entries_len + tail_len);
	buf_append_bytes(b, buf_bytes(&fields));
	if (fields.failed || b->failed)
		return err_set(err, ERR_FAULT, "the CA's name is too long");
	return 0;
}

/* Give all octets of the tbsCertList in the scratch file to fn, in order. */
static int
each_chunk(struct crl_writer *w, off_t at, uint64_t len,
    int (*fn)(void *, const uint8_t *, size_t), void *arg, struct err *err)
{
	while (len > 0) {
		size_t want = len < CHUNK ? (size_t)len : CHUNK;
		ssize_t n = pread(w->scratch, w->chunk, want, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_errno(err, ERR_RETRY,
			    "reading a CRL's entries");
		if (fn(arg, w->chunk, (size_t)n) != 0)
			return ERR_peek_error() != 0 ?
			    err_openssl(err, ERR_FAULT, "hashing a CRL") :
			    err_errno(err, ERR_RETRY, "writing a CRL");
		at += n;
		len -= (uint64_t)n;
	}
	return 0;
}

struct both {
	EVP_MD_CTX	*sign, *verify;
};

static int
hash_both(void *arg, const uint8_t *data, size_t len)
{
	struct both *both = arg;

	return EVP_DigestSignUpdate(both->sign, data, len) == 1 &&
	    EVP_DigestVerifyUpdate(both->verify, data, len) == 1 ? 0 : -1;
}

/* Sign with the key and hold the result against the certificate at once: a
 * fault in the computation must not leave the house. */
static int
sign_in_chunks(struct crl_writer *w, struct both *both, off_t at,
    uint64_t len, uint8_t *signature, size_t *signature_len,
    struct err *err)
{
	if (each_chunk(w, at, len, hash_both, both, err) < 0)
		return -1;
	if (EVP_DigestSignFinal(both->sign, signature, signature_len) != 1)
		return err_openssl(err, ERR_FAULT, "signing a CRL");
	if (EVP_DigestVerifyFinal(both->verify, signature,
	    *signature_len) != 1)
		return err_openssl(err, ERR_FAULT,
		    "the signature of a CRL does not verify");
	return 0;
}

/* EdDSA reads its message twice (RFC 8032, 5.1.6). */
static int
sign_in_one(struct crl_writer *w, struct both *both, off_t at, uint64_t len,
    uint8_t *signature, size_t *signature_len, struct err *err)
{
	size_t map_len = (size_t)at + len;
	uint8_t *map = mmap(NULL, map_len, PROT_READ, MAP_SHARED, w->scratch,
	    0);
	int r = 0;

	if (map == MAP_FAILED)
		return err_errno(err, ERR_RETRY, "mapping a CRL's entries");
	if (EVP_DigestSign(both->sign, signature, signature_len, map + at,
	    len) != 1)
		r = err_openssl(err, ERR_FAULT, "signing a CRL");
	else if (EVP_DigestVerify(both->verify, signature, *signature_len,
	    map + at, len) != 1)
		r = err_openssl(err, ERR_FAULT,
		    "the signature of a CRL does not verify");
	munmap(map, map_len);
	return r;
}

static int
sign(struct crl_writer *w, off_t at, uint64_t len, uint8_t *signature,
    size_t *signature_len, struct err *err)
{
	OWNED(EVP_MD_CTX) *signing = EVP_MD_CTX_new();
	OWNED(EVP_MD_CTX) *verifying = EVP_MD_CTX_new();
	struct both both = { signing, verifying };
	const struct issuer *issuer = w->issuer;

	if (signing == NULL || verifying == NULL ||
	    EVP_DigestSignInit(signing, NULL, issuer->digest, NULL,
	    issuer->key) != 1 || EVP_DigestVerifyInit(verifying, NULL,
	    issuer->digest, NULL, X509_get0_pubkey(issuer->cert)) != 1)
		return err_openssl(err, ERR_FAULT, "preparing to sign a CRL");
	if (EVP_PKEY_is_a(issuer->key, "ED25519") ||
	    EVP_PKEY_is_a(issuer->key, "ED448"))
		return sign_in_one(w, &both, at, len, signature,
		    signature_len, err);
	return sign_in_chunks(w, &both, at, len, signature, signature_len,
	    err);
}

static int
write_out(void *arg, const uint8_t *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(*(int *)arg, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

int
crl_close(struct crl_writer *w, int fd, struct err *err)
{
	OWNED_BUF(tail, 1024);
	OWNED_BUF(front, (size_t)FRONT);
	OWNED_BUF(before, 32);
	OWNED_BUF(after, 4096);
	uint8_t signature[2048];
	size_t signature_len = sizeof(signature);
	uint64_t len;
	off_t at;

	if (w->closed)
		return err_set(err, ERR_FAULT, "this CRL is closed already");
	w->closed = true;
	if (flush_chunk(w, err) < 0 || put_tail(&tail, w, err) < 0 ||
	    put_front(&front, w, tail.len, err) < 0)
		return -1;
	at = FRONT - (off_t)front.len;
	len = front.len + (uint64_t)(w->end - FRONT) + tail.len;
	if (write_at(w->scratch, buf_bytes(&front), at, err) < 0 ||
	    write_at(w->scratch, buf_bytes(&tail), w->end, err) < 0 ||
	    sign(w, at, len, signature, &signature_len, err) < 0)
		return -1;

	buf_append(&after, w->algorithm, w->algorithm_len);
	put_head(&after, DER_BIT_STRING, signature_len + 1);
	buf_append(&after, "", 1);	/* no unused bits */
	buf_append(&after, signature, signature_len);
	put_head(&before, DER_SEQUENCE, len + after.len);
	if (tail.failed || before.failed || after.failed)
		return err_set(err, ERR_RETRY, "out of memory for a CRL");
	if (write_out(&fd, before.data, before.len) < 0)
		return err_errno(err, ERR_RETRY, "writing a CRL");
	if (each_chunk(w, at, len, write_out, &fd, err) < 0)
		return -1;
	if (write_out(&fd, after.data, after.len) < 0)
		return err_errno(err, ERR_RETRY, "writing a CRL");
	return 0;
}
