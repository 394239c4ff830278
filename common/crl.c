#include "common/crl_private.h"
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

/* What the key and digest are called in the certificate list (5.1.1.2). Not
 * asked of the key's provider: a key in a token has none. */
static int
find_algorithm(struct crl_writer *w, struct err *err)
{
	int type = EVP_PKEY_get_base_id(w->issuer->key), nid = type, len;
	X509_ALGOR *algorithm = X509_ALGOR_new();
	uint8_t *at = w->algorithm;

	if (algorithm == NULL || (w->issuer->digest != NULL &&
	    OBJ_find_sigid_by_algs(&nid, EVP_MD_get_type(w->issuer->digest),
	    type) != 1) || X509_ALGOR_set0(algorithm, OBJ_nid2obj(nid),
	    type == EVP_PKEY_RSA ? V_ASN1_NULL : V_ASN1_UNDEF, NULL) != 1 ||
	    (len = i2d_X509_ALGOR(algorithm, NULL)) <= 0 ||
	    (size_t)len > sizeof(w->algorithm)) {
		X509_ALGOR_free(algorithm);
		return err_openssl(err, ERR_FAULT,
		    "choosing the CRL's signature algorithm");
	}
	w->algorithm_len = (size_t)i2d_X509_ALGOR(algorithm, &at);
	X509_ALGOR_free(algorithm);
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
	/* 5.2.4, 5.2.6 */
	if (terms->base != 0 && (terms->base >= terms->number ||
	    (terms->freshest != NULL && terms->freshest[0] != '\0')))
		return err_set(err, ERR_FAULT,
		    "a delta CRL comes after its base, and has no other");
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
	bool delta = w->terms->base != 0;
	size_t len;

	for (size_t i = 0; i < n; i++) {
		if (w->n_chunk + CRL_ENTRY_MAX > sizeof(w->chunk) &&
		    flush_chunk(w, err) < 0)
			return -1;
		if (crl_write_entry(w->chunk + w->n_chunk, &len, &entries[i],
		    delta, err) < 0)
			return -1;
		w->n_chunk += len;
	}
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
	if (crl_put_time(&fields, w->terms->this_update, err) < 0 ||
	    crl_put_time(&fields, w->terms->next_update, err) < 0)
		return -1;
	/* 5.1.2.6: without entries the list MUST be absent. */
	if (entries_len > 0)
		crl_put_head(&fields, DER_SEQUENCE, entries_len);
	crl_put_head(b, DER_SEQUENCE, fields.len + entries_len + tail_len);
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
	OWNED_BUF(tail, CRL_TAIL_MAX);
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
	if (flush_chunk(w, err) < 0 || crl_put_extensions(&tail,
	    w->issuer->cert, w->terms, err) < 0 ||
	    put_front(&front, w, tail.len, err) < 0)
		return -1;
	at = FRONT - (off_t)front.len;
	len = front.len + (uint64_t)(w->end - FRONT) + tail.len;
	if (write_at(w->scratch, buf_bytes(&front), at, err) < 0 ||
	    write_at(w->scratch, buf_bytes(&tail), w->end, err) < 0 ||
	    sign(w, at, len, signature, &signature_len, err) < 0)
		return -1;

	buf_append(&after, w->algorithm, w->algorithm_len);
	crl_put_head(&after, DER_BIT_STRING, signature_len + 1);
	buf_append(&after, "", 1);	/* no unused bits */
	buf_append(&after, signature, signature_len);
	crl_put_head(&before, DER_SEQUENCE, len + after.len);
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
