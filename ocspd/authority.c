#include "ocspd/authority.h"

#include "common/ca.h"
#include "common/err.h"
#include "common/keystore.h"
#include "common/log.h"

#include <openssl/sha.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define RETRY_S		60
#define KEY_ID_DIGITS	40
#define FILE_NAME_MAX	(CA_NAME_MAX + KEY_ID_DIGITS + 16)

OWNED_BY(DIR, closedir)

static void
key_file_name(const struct authority *a, const uint8_t key_sha1[20],
    const char *suffix, char out[FILE_NAME_MAX])
{
	char tail[KEY_ID_DIGITS + 16] = ".";

	hex_encode((struct bytes){ key_sha1, 20 }, tail + 1);
	snprintf(tail + 1 + KEY_ID_DIGITS, 15, "%s", suffix);
	ca_file_name(a->name, tail, out, FILE_NAME_MAX);
}

static void
responder_key_free_contents(struct responder_key *k)
{
	ocsp_signer_free(k->signer);
	X509_free(k->cert);
	EVP_PKEY_free(k->key);
	memset(k, 0, sizeof(*k));
}

void
authority_free(struct authority *a)
{
	if (a == NULL)
		return;
	for (size_t i = 0; i < a->n_keys; i++)
		responder_key_free_contents(&a->keys[i]);
	X509_free(a->cert);
	free(a);
}

/* SHA-1 of the BIT STRING's content (RFC 6960, 4.2.1). */
static int
hash_key(EVP_PKEY *key, uint8_t out[20], struct err *err)
{
	OWNED(X509_PUBKEY) *pub = NULL;
	const unsigned char *octets;
	int len;

	if (X509_PUBKEY_set(&pub, key) != 1 ||
	    X509_PUBKEY_get0_param(NULL, &octets, &len, NULL, pub) != 1)
		return err_openssl(err, ERR_FAULT, "hashing a key");
	SHA1(octets, (size_t)len, out);
	return 0;
}

static int
hash_issuer(struct authority *a, struct err *err)
{
	const EVP_MD *const digests[CERT_HASHES + 1] = { NULL, EVP_sha1(),
		EVP_sha256(), EVP_sha384(), EVP_sha512() };

	for (int h = 1; h <= CERT_HASHES; h++)
		if (X509_NAME_digest(X509_get_subject_name(a->cert),
		    digests[h], a->name_hash[h], NULL) != 1 ||
		    X509_pubkey_digest(a->cert, digests[h], a->key_hash[h],
		    NULL) != 1)
			return err_openssl(err, ERR_FAULT,
			    "hashing a CA's name and key");
	return 0;
}

static int
load_key(struct authority *a, const struct key_places *p, const char *file,
    struct err *err)
{
	OWNED(EVP_PKEY) *key = NULL;
	struct responder_key *k = &a->keys[a->n_keys];

	if (a->n_keys == AUTHORITY_MAX_KEYS)
		return err_set(err, ERR_FAULT, "too many keys for %s",
		    a->name);
	if (keystore_load(p->keys_fd, file, (struct bytes){ 0 }, &key,
	    err) == -1 || hash_key(key, k->key_sha1, err) == -1)
		return -1;
	k->signature = ocsp_signature_of(key);
	k->key = TAKE(key);
	a->n_keys++;
	return 0;
}

/* CA.KEYID.key, and nothing else: "a" must not take the keys of "a.b". */
static bool
is_key_of(const char *file, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncmp(file, prefix, n) == 0 && file[n] == '.' &&
	    strspn(file + n + 1, "0123456789abcdef") == KEY_ID_DIGITS &&
	    strcmp(file + n + 1 + KEY_ID_DIGITS, ".key") == 0;
}

static int
load_keys(struct authority *a, const struct key_places *p, struct err *err)
{
	char prefix[FILE_NAME_MAX];
	int fd = openat(p->keys_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	OWNED(DIR) *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (dir == NULL)
		return err_errno(err, ERR_RETRY, "reading the folder of keys");
	ca_file_name(a->name, "", prefix, sizeof(prefix));
	while ((entry = readdir(dir)) != NULL)
		if (is_key_of(entry->d_name, prefix) &&
		    load_key(a, p, entry->d_name, err) == -1)
			log_warn("key.unusable", STR("file", entry->d_name),
			    STR("why", err->text));
	return 0;
}

int
authority_new(const struct ca_row *row, const struct key_places *p,
    struct authority **out, struct err *err)
{
	OWNED_STRUCT(authority) *a = calloc(1, sizeof(*a));
	const uint8_t *der = row->cert.data;
	char family[CA_NAME_MAX + 1];

	if (a == NULL)
		return err_set(err, ERR_FAULT, "out of memory");
	ca_family(row->name, family, sizeof(family));
	if (!ca_name_is_valid(family) || ca_generation(row->name) == 0)
		return err_set(err, ERR_FAULT, "a CA with an impossible name");
	a->id = row->id;
	snprintf(a->name, sizeof(a->name), "%s", row->name);
	snprintf(a->parent, sizeof(a->parent), "%s", row->parent);
	a->cert = d2i_X509(NULL, &der, (long)row->cert.len);
	if (a->cert == NULL)
		return err_openssl(err, ERR_FAULT, "reading a CA certificate");
	if (serial_from_asn1(X509_get0_serialNumber(a->cert), &a->serial,
	    err) == -1 || hash_issuer(a, err) == -1 || load_keys(a, p, err) == -1)
		return -1;
	*out = TAKE(a);
	return 0;
}

bool
authority_has_name(const struct authority *a, const struct cert_id *id)
{
	size_t n = cert_hash_octets(id->hash);

	return id->name_hash.len == n &&
	    memcmp(id->name_hash.data, a->name_hash[id->hash], n) == 0;
}

bool
authority_matches(const struct authority *a, const struct cert_id *id)
{
	size_t n = cert_hash_octets(id->hash);

	return authority_has_name(a, id) && id->key_hash.len == n &&
	    memcmp(id->key_hash.data, a->key_hash[id->hash], n) == 0;
}

void
authority_name(const struct authority *a, enum cert_hash hash,
    struct bytes serial, struct cert_id *out)
{
	size_t n = cert_hash_octets(hash);

	*out = (struct cert_id){ .hash = hash, .null_params = true,
		.name_hash = { a->name_hash[hash], n },
		.key_hash = { a->key_hash[hash], n }, .serial = serial };
}

/* RFC 6960, 4.2.2.2: issued directly by the CA, for OCSP signing. */
static int
check_certificate(const struct authority *a, X509 *cert, EVP_PKEY *key,
    struct err *err)
{
	if (X509_NAME_cmp(X509_get_issuer_name(cert),
	    X509_get_subject_name(a->cert)) != 0 ||
	    X509_verify(cert, X509_get0_pubkey(a->cert)) != 1)
		return err_openssl(err, ERR_FAULT,
		    "a responder certificate that its CA has not signed");
	if (X509_check_private_key(cert, key) != 1)
		return err_openssl(err, ERR_FAULT,
		    "a responder certificate for another key");
	if ((X509_get_extended_key_usage(cert) & XKU_OCSP_SIGN) == 0 ||
	    X509_get_extended_key_usage(cert) == UINT32_MAX)
		return err_set(err, ERR_FAULT,
		    "a responder certificate without OCSPSigning");
	if ((X509_get_key_usage(cert) & X509v3_KU_DIGITAL_SIGNATURE) == 0)
		return err_set(err, ERR_FAULT,
		    "a responder certificate that may not sign");
	return 0;
}

static time_t
asn1_time(const ASN1_TIME *t)
{
	struct tm tm;

	return ASN1_TIME_to_tm(t, &tm) == 1 ? timegm(&tm) : 0;
}

static int
take_certificate(struct authority *a, struct responder_key *k,
    const struct responder_row *row, struct err *err)
{
	const uint8_t *der = row->cert.data;
	OWNED(X509) *cert = d2i_X509(NULL, &der, (long)row->cert.len);

	if (cert == NULL)
		return err_openssl(err, ERR_FAULT,
		    "reading a responder certificate");
	if (check_certificate(a, cert, k->key, err) == -1 ||
	    ocsp_signer_new(k->key, cert, &k->signer, err) == -1)
		return -1;
	/* The certificate's own dates: the row is an index. */
	k->not_before = asn1_time(X509_get0_notBefore(cert));
	k->not_after = asn1_time(X509_get0_notAfter(cert));
	k->cert = TAKE(cert);
	return 0;
}

bool
authority_offer(struct authority *a, const struct responder_row *row,
    const struct key_places *p)
{
	char file[FILE_NAME_MAX];
	struct err err;

	if (row->ca_id != a->id)
		return false;
	for (size_t i = 0; i < a->n_keys; i++) {
		struct responder_key *k = &a->keys[i];

		if (k->cert != NULL ||
		    memcmp(k->key_sha1, row->key_sha1, 20) != 0)
			continue;
		if (take_certificate(a, k, row, &err) == -1) {
			log_error("responder.certificate.refused",
			    STR("ca", a->name), STR("why", err.text),
			    STR("detail", err.detail));
			return false;
		}
		key_file_name(a, k->key_sha1, ".p10", file);
		unlinkat(p->spool_fd, file, 0);
		log_info("responder.certified", STR("ca", a->name),
		    NUM("not_after", k->not_after));
		return true;
	}
	return false;
}

static const EVP_MD *
request_digest(EVP_PKEY *key)
{
	switch (ocsp_signature_of(key)) {
	case SIGNATURE_ED25519:
		return NULL;	/* it signs the request itself */
	case SIGNATURE_ECDSA_SHA384:
		return EVP_sha384();
	case SIGNATURE_ECDSA_SHA512:
		return EVP_sha512();
	case SIGNATURE_ECDSA_SHA256:
	case SIGNATURE_RSA_SHA256:
	case SIGNATURE_ANY:
		break;
	}
	return EVP_sha256();
}

/* PKCS#10 with the key alone: the profile gives everything else. */
static int
encode_csr(EVP_PKEY *key, struct buf *out, struct err *err)
{
	OWNED(X509_REQ) *req = X509_REQ_new();
	unsigned char *der = NULL;
	int len;

	if (req == NULL || X509_REQ_set_version(req, X509_REQ_VERSION_1) != 1 ||
	    X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(req), "CN",
	    MBSTRING_ASC, (const unsigned char *)"OCSP responder", -1, -1,
	    0) != 1 || X509_REQ_set_pubkey(req, key) != 1 ||
	    X509_REQ_sign(req, key, request_digest(key)) <= 0 ||
	    (len = i2d_X509_REQ(req, &der)) <= 0)
		return err_openssl(err, ERR_FAULT, "making a request");
	buf_append(out, der, (size_t)len);
	OPENSSL_free(der);
	return out->failed ? err_set(err, ERR_FAULT, "out of memory") : 0;
}

/* Written aside and renamed, so that nobody fetches half of it. */
static int
write_request(const struct authority *a, const struct responder_key *k,
    const struct key_places *p, struct err *err)
{
	OWNED_BUF(der, 8192);
	char file[FILE_NAME_MAX], aside[FILE_NAME_MAX + 8];
	OWNED_FD fd = -1;

	key_file_name(a, k->key_sha1, ".p10", file);
	if (faccessat(p->spool_fd, file, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	if (encode_csr(k->key, &der, err) == -1)
		return -1;
	snprintf(aside, sizeof(aside), ".%s.new", file);
	fd = openat(p->spool_fd, aside, O_WRONLY | O_CREAT | O_TRUNC |
	    O_NOFOLLOW | O_CLOEXEC, 0640);
	if (fd < 0 || write(fd, der.data, der.len) != (ssize_t)der.len ||
	    fsync(fd) == -1 ||
	    renameat(p->spool_fd, aside, p->spool_fd, file) == -1)
		return err_errno(err, ERR_RETRY, "writing to the spool");
	log_info("responder.asked", STR("ca", a->name), STR("file", file));
	return 0;
}

/* Can it be made here and now? Else one is wanted. */
static bool
can_make(struct key_places *p, size_t kind)
{
	if (p->kinds[kind].kind != KEY_RSA || p->stock[kind] != NULL)
		return true;
	p->wanted[kind] = true;
	return false;
}

static int
make_key(struct authority *a, struct key_places *p, size_t kind,
    struct err *err)
{
	OWNED(EVP_PKEY) *key = p->stock[kind] != NULL ?
	    TAKE(p->stock[kind]) : key_generate(p->kinds[kind].kind, 0, err);
	struct responder_key *k = &a->keys[a->n_keys];
	char file[FILE_NAME_MAX];

	if (key == NULL || hash_key(key, k->key_sha1, err) == -1)
		return -1;
	key_file_name(a, k->key_sha1, ".key", file);
	if (keystore_save(p->keys_fd, file, key, (struct bytes){ 0 },
	    err) == -1)
		return -1;
	k->signature = ocsp_signature_of(key);
	k->key = TAKE(key);
	a->n_keys++;
	log_info("responder.key.made", STR("ca", a->name));
	return 0;
}

void
key_places_close(struct key_places *p)
{
	for (size_t i = 0; i < SIGNATURES; i++)
		EVP_PKEY_free(p->stock[i]);
}

static void
retire(struct authority *a, size_t i, const struct key_places *p)
{
	char file[FILE_NAME_MAX];

	key_file_name(a, a->keys[i].key_sha1, ".key", file);
	unlinkat(p->keys_fd, file, 0);
	key_file_name(a, a->keys[i].key_sha1, ".p10", file);
	unlinkat(p->spool_fd, file, 0);
	responder_key_free_contents(&a->keys[i]);
	a->n_keys--;
	memmove(&a->keys[i], &a->keys[i + 1],
	    (a->n_keys - i) * sizeof(a->keys[0]));
	memset(&a->keys[a->n_keys], 0, sizeof(a->keys[0]));
	log_info("responder.key.retired", STR("ca", a->name));
}

/* notAfter is inclusive, but an answer needs some validity. */
static bool
signs_now(const struct responder_key *k, time_t now)
{
	return k->signer != NULL && k->not_before <= now &&
	    now < k->not_after;
}

struct responder_key *
authority_signer(struct authority *a, enum signature_alg signature,
    time_t now)
{
	struct responder_key *best = NULL;

	for (size_t i = 0; i < a->n_keys; i++) {
		struct responder_key *k = &a->keys[i];

		if (k->signature == signature && signs_now(k, now) &&
		    (best == NULL || k->not_after > best->not_after))
			best = k;
	}
	return best;
}

struct responder_key *
authority_default_signer(struct authority *a, const struct key_places *p,
    time_t now)
{
	struct responder_key *k = NULL;

	for (size_t i = 0; k == NULL && i < p->n_kinds; i++)
		k = authority_signer(a, p->kinds[i].signature, now);
	for (int s = 1; k == NULL && s <= SIGNATURES; s++)
		k = authority_signer(a, (enum signature_alg)s, now);
	return k;
}

static bool
is_made(const struct key_places *p, enum signature_alg signature)
{
	for (size_t i = 0; i < p->n_kinds; i++)
		if (p->kinds[i].signature == signature)
			return true;
	return false;
}

struct responder_key *
authority_choose_signer(struct authority *a, const struct key_places *p,
    const struct request *req, time_t now)
{
	struct responder_key *k = NULL;

	for (size_t i = 0; k == NULL && i < req->n_preferred; i++)
		if (is_made(p, req->preferred[i]))
			k = authority_signer(a, req->preferred[i], now);
	return k != NULL ? k : authority_default_signer(a, p, now);
}

static bool
is_of_kind(const struct responder_key *k, const struct responder_kind *kind)
{
	return k->signature == kind->signature && (kind->bits == 0 ||
	    EVP_PKEY_get_bits(k->key) == (int)kind->bits);
}

/* What has ended, and what was asked for and is no longer wanted. */
static void
retire_keys(struct authority *a, const struct key_places *p, time_t now)
{
	for (size_t i = a->n_keys; i > 0; i--) {
		const struct responder_key *k = &a->keys[i - 1];
		bool wanted = false;

		for (size_t n = 0; n < p->n_kinds; n++)
			wanted |= is_of_kind(k, &p->kinds[n]);
		if (k->cert != NULL ? k->not_after < now : !wanted)
			retire(a, i - 1, p);
	}
}

static bool
is_past_half_life(const struct responder_key *k, time_t now)
{
	return now >= k->not_before + (k->not_after - k->not_before) / 2;
}

/* The one that waits for its certificate is asked for; it is made when there
 * is none and it is time. */
static int
keep_kind(struct authority *a, struct key_places *p, size_t kind, time_t now,
    struct err *err)
{
	const struct responder_key *waiting = NULL, *current = NULL;

	for (size_t i = 0; i < a->n_keys; i++) {
		const struct responder_key *k = &a->keys[i];

		if (!is_of_kind(k, &p->kinds[kind]))
			continue;
		if (k->cert == NULL)
			waiting = k;
		else if (signs_now(k, now) && (current == NULL ||
		    k->not_after > current->not_after))
			current = k;
	}
	if (waiting == NULL && a->n_keys < AUTHORITY_MAX_KEYS &&
	    (current == NULL || is_past_half_life(current, now)) &&
	    can_make(p, kind)) {
		if (make_key(a, p, kind, err) == -1)
			return -1;
		waiting = &a->keys[a->n_keys - 1];
	}
	return waiting == NULL ? 0 : write_request(a, waiting, p, err);
}

void
authority_keep_keys(struct authority *a, struct key_places *p, time_t now)
{
	struct err err;

	retire_keys(a, p, now);
	if (now < a->retry_at)
		return;
	for (size_t i = 0; i < p->n_kinds; i++) {
		if (keep_kind(a, p, i, now, &err) == 0)
			continue;
		a->retry_at = now + RETRY_S;
		log_error("responder.key.failed", STR("ca", a->name),
		    STR("why", err.text), STR("detail", err.detail));
	}
}
