#include "tests/support/ocsp_stand.h"
#include "common/ca.h"
#include "common/err.h"
#include "tests/support/fixtures.h"

#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>

#include <sys/stat.h>

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Not Check's assertions: the stand also serves programs that are no tests. */
#define MUST(what)	must((what), #what, "", "")
#define OK(call) do {							\
	struct err err = { 0 };						\
	bool ok_ = (call) == 0;						\
	must(ok_, #call, err.text, err.detail);				\
} while (0)

static void
must(bool so, const char *what, const char *text, const char *detail)
{
	if (so)
		return;
	fprintf(stderr, "stand: %s: %s (%s)\n", what, text, detail);
	abort();
}

static void
add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	OWNED(X509_EXTENSION) *ext = NULL;

	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	MUST(ext != NULL);
	MUST(X509_add_ext(cert, ext, -1) == 1);
}

static X509 *
begin(const char *cn, const char *serial_hex, EVP_PKEY *key, time_t from,
    time_t to)
{
	X509 *cert = X509_new();
	BIGNUM *n = NULL;

	MUST(BN_hex2bn(&n, serial_hex) > 0);
	BN_to_ASN1_INTEGER(n, X509_get_serialNumber(cert));
	BN_free(n);
	X509_set_version(cert, X509_VERSION_3);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN",
	    MBSTRING_ASC, (const unsigned char *)cn, -1, -1, 0);
	ASN1_TIME_set(X509_getm_notBefore(cert), from);
	ASN1_TIME_set(X509_getm_notAfter(cert), to);
	X509_set_pubkey(cert, key);
	return cert;
}

static struct bytes
encode(X509 *cert, uint8_t *room)
{
	uint8_t *p = room;
	int len = i2d_X509(cert, &p);

	MUST(len > 0);
	return (struct bytes){ room, (size_t)len };
}

static void
hash_key(X509 *cert, uint8_t out[20])
{
	const ASN1_BIT_STRING *bits = X509_get0_pubkey_bitstr(cert);

	SHA1(bits->data, (size_t)bits->length, out);
}

void
stand_open(struct stand *st, const char *ca_name)
{
	time_t now = time(NULL);
	char path[128];
	uint8_t der[4096];
	struct ca_row row = { .name = ca_name, .parent = "",
		.not_before = now - DAY, .not_after = now + 365 * DAY };
	FILE *f;

	snprintf(st->name, sizeof(st->name), "%s", ca_name);
	strcpy(st->dir, "/tmp/test_ocspd.XXXXXX");
	MUST(mkdtemp(st->dir) != NULL);
	snprintf(path, sizeof(path), "%s/published", st->dir);
	mkdir(path, 0755);
	st->key = EVP_EC_gen("P-256");
	st->ca = begin(ca_name, "1", st->key, row.not_before, row.not_after);
	X509_set_issuer_name(st->ca, X509_get_subject_name(st->ca));
	add_extension(st->ca, st->ca, NID_basic_constraints,
	    "critical,CA:TRUE");
	add_extension(st->ca, st->ca, NID_key_usage,
	    "critical,keyCertSign,cRLSign");
	add_extension(st->ca, st->ca, NID_subject_key_identifier, "hash");
	MUST(X509_sign(st->ca, st->key, EVP_sha256()) > 0);
	snprintf(path, sizeof(path), "%s/ca.pem", st->dir);
	f = fopen(path, "w");
	MUST(f != NULL);
	PEM_write_X509(f, st->ca);
	fclose(f);
	row.cert = encode(st->ca, der);
	hash_key(st->ca, row.key_sha1);
	snprintf(path, sizeof(path), "%s/store.db", st->dir);
	OK(store_open(path, STORE_READ_WRITE, &st->store, &err));
	OK(store_begin(st->store, &err));
	OK(store_add_ca(st->store, &row, &st->ca_id, &err));
	OK(store_commit(st->store, &err));
}

void
stand_open_child(const struct stand *parent, struct stand *st,
    const char *ca_name)
{
	time_t now = time(NULL);
	uint8_t der[4096];
	struct ca_row row = { .name = ca_name, .parent = parent->name,
		.not_before = now - DAY, .not_after = now + 300 * DAY };
	struct cert_row cert = { .ca_id = parent->ca_id, .ca = "",
		.state = CERT_ISSUED, .not_before = row.not_before,
		.not_after = row.not_after, .profile = "ca",
		.names_text = "CN=child", .reply_to = "" };

	*st = (struct stand){ .store = parent->store };
	snprintf(st->dir, sizeof(st->dir), "%s", parent->dir);
	snprintf(st->name, sizeof(st->name), "%s", ca_name);
	st->key = EVP_EC_gen("P-256");
	st->ca = begin(ca_name, "c0ffee", st->key, row.not_before,
	    row.not_after);
	X509_set_issuer_name(st->ca, X509_get_subject_name(parent->ca));
	add_extension(st->ca, parent->ca, NID_basic_constraints,
	    "critical,CA:TRUE");
	add_extension(st->ca, parent->ca, NID_key_usage,
	    "critical,keyCertSign,cRLSign");
	add_extension(st->ca, parent->ca, NID_subject_key_identifier, "hash");
	MUST(X509_sign(st->ca, parent->key, EVP_sha256()) > 0);
	row.cert = cert.der = encode(st->ca, der);
	hash_key(st->ca, row.key_sha1);
	OK(serial_from_hex("c0ffee", &cert.serial, &err));
	OK(store_begin(st->store, &err));
	OK(store_add_ca(st->store, &row, &st->ca_id, &err));
	OK(store_add_certificate(st->store, &cert, &err));
	OK(store_commit(st->store, &err));
}

void
stand_close_child(struct stand *st)
{
	X509_free(st->ca);
	EVP_PKEY_free(st->key);
}

void
stand_close(struct stand *st, bool keep)
{
	char command[128];

	store_free(st->store);
	X509_free(st->ca);
	EVP_PKEY_free(st->key);
	snprintf(command, sizeof(command), "rm -rf '%s'", st->dir);
	if (!keep)
		MUST(system(command) == 0);
}

X509 *
stand_issue(struct stand *st, const char *serial_hex)
{
	time_t now = time(NULL);
	X509 *cert = begin("user", serial_hex, st->key, now - DAY,
	    now + 90 * DAY);
	uint8_t der[4096];
	struct cert_row row = { .ca_id = st->ca_id, .ca = "",
		.state = CERT_ISSUED, .not_before = now - DAY,
		.not_after = now + 90 * DAY, .profile = "user",
		.names_text = "CN=user", .reply_to = "" };

	X509_set_issuer_name(cert, X509_get_subject_name(st->ca));
	MUST(X509_sign(cert, st->key, EVP_sha256()) > 0);
	row.der = encode(cert, der);
	row.order = bytes_of("an order");
	OK(serial_from_hex(serial_hex, &row.serial, &err));
	OK(store_begin(st->store, &err));
	OK(store_add_certificate(st->store, &row, &err));
	OK(store_commit(st->store, &err));
	return cert;
}

void
stand_revoke(struct stand *st, const char *serial_hex, enum crl_reason reason,
    time_t invalidity)
{
	struct serial serial;

	OK(serial_from_hex(serial_hex, &serial, &err));
	OK(store_begin(st->store, &err));
	OK(store_revoke(st->store, st->ca_id, &serial, time(NULL), reason,
	    invalidity, &err));
	OK(store_commit(st->store, &err));
}

void
stand_release(struct stand *st, const char *serial_hex)
{
	struct serial serial;

	OK(serial_from_hex(serial_hex, &serial, &err));
	OK(store_begin(st->store, &err));
	OK(store_release_hold(st->store, st->ca_id, &serial, time(NULL),
	    &err));
	OK(store_commit(st->store, &err));
}

void
stand_certify(struct stand *st, X509_REQ *req, time_t from, time_t to)
{
	static int n = 100000;
	char serial[16];
	uint8_t der[4096];
	struct responder_row row = { .ca_id = st->ca_id, .ca = "",
		.not_before = from, .not_after = to };
	OWNED(X509) *cert = NULL;

	snprintf(serial, sizeof(serial), "%x0", ++n);
	MUST(X509_REQ_verify(req, X509_REQ_get0_pubkey(req)) == 1);
	cert = begin("OCSP of a test", serial, X509_REQ_get0_pubkey(req), from,
	    to);
	X509_set_issuer_name(cert, X509_get_subject_name(st->ca));
	add_extension(cert, st->ca, NID_key_usage, "critical,digitalSignature");
	add_extension(cert, st->ca, NID_ext_key_usage, "OCSPSigning");
	add_extension(cert, st->ca, NID_id_pkix_OCSP_noCheck, "NULL");
	MUST(X509_sign(cert, st->key, EVP_sha256()) > 0);
	row.cert = encode(cert, der);
	hash_key(cert, row.key_sha1);
	OK(store_begin(st->store, &err));
	OK(store_add_responder(st->store, &row, &err));
	OK(store_commit(st->store, &err));
}

int
stand_count_spool(const struct stand *st)
{
	char path[400];
	struct dirent *e;
	DIR *dir;
	int n = 0;

	snprintf(path, sizeof(path), "%s/state/spool", st->dir);
	dir = opendir(path);
	while (dir != NULL && (e = readdir(dir)) != NULL)
		n += e->d_name[0] != '.';
	if (dir != NULL)
		closedir(dir);
	return n;
}

int
stand_certify_spool(struct stand *st)
{
	time_t now = time(NULL);

	return stand_certify_spool_for(st, now - 3600, now + 14 * DAY);
}

int
stand_certify_spool_for(struct stand *st, time_t from, time_t to)
{
	char path[400], prefix[80];
	struct dirent *e;
	DIR *dir;
	int n = 0;

	ca_file_name(st->name, ".", prefix, sizeof(prefix));
	snprintf(path, sizeof(path), "%s/state/spool", st->dir);
	dir = opendir(path);
	if (dir == NULL)
		return 0;
	while ((e = readdir(dir)) != NULL) {
		OWNED(X509_REQ) *req = NULL;
		FILE *f;

		/* CA.KEYID.p10 */
		if (strncmp(e->d_name, prefix, strlen(prefix)) != 0)
			continue;
		snprintf(path, sizeof(path), "%s/state/spool/%s", st->dir,
		    e->d_name);
		f = fopen(path, "r");
		if (f == NULL)
			continue;
		req = d2i_X509_REQ_fp(f, NULL);
		fclose(f);
		MUST(req != NULL);
		stand_certify(st, req, from, to);
		unlink(path);	/* as if fetched once */
		n++;
	}
	closedir(dir);
	return n;
}
