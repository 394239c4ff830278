/*
 * Chains as the library makes them, for the clients that are to accept them:
 *
 *	issue_tool PROFILES OUT
 *
 * PROFILES is policies/profiles. Into the folder OUT go root.pem, child.pem
 * (below it), other.pem (a root with the names of root.pem and another key),
 * and for every profile and every kind of key that it takes a certificate
 * PROFILE.KIND.pem, all valid now; and an old-root.pem with old-child.pem and
 * old.pem below it, which are over. Two more have an extension of their own:
 * private.P-256.pem, and critical.P-256.pem where it is critical. One line
 * "PROFILE KIND" for each certificate goes to standard output.
 */
#include "common/csr.h"
#include "common/err.h"
#include "common/issue.h"
#include "common/lint.h"
#include "common/owned.h"

#include <openssl/pem.h>

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define DAY	((time_t)86400)

static const char *out_dir;
static struct err err;

static void
check(int result, const char *what)
{
	if (result == 0)
		return;
	fprintf(stderr, "%s: %s (%s)\n", what, err.text, err.detail);
	exit(1);
}

static void
check_that(bool is_so, const char *what)
{
	if (is_so)
		return;
	fprintf(stderr, "%s failed\n", what);
	exit(1);
}

static void
write_pem(const char *name, X509 *cert)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s.pem", out_dir, name);
	f = fopen(path, "w");
	check_that(f != NULL && PEM_write_X509(f, cert) == 1, path);
	fclose(f);
}

/* --- CAs -------------------------------------------------------------- */

struct authority {
	EVP_PKEY	*key;
	X509		*cert;
	struct issuer	 issuer;
};

static void
make_ca(struct authority *ca, const char *name, enum key_kind kind,
    const struct authority *parent, time_t from, time_t until, int path_len,
    const char *file)
{
	struct ca_terms terms = { .not_before = from, .not_after = until,
		.path_len = path_len };

	ca->key = key_generate(kind, 2048, &err);
	check_that(ca->key != NULL, "making a key");
	check(serial_generate(&terms.serial, &err), "a serial");
	check(names_add_attribute(&terms.subject, NID_organizationName,
	    bytes_of("Example"), &err), name);
	check(names_add_attribute(&terms.subject, NID_commonName,
	    bytes_of(name), &err), name);
	check(issue_ca(&terms, ca->key, parent == NULL ? NULL :
	    &parent->issuer, &ca->cert, &err), name);
	names_free(&terms.subject);
	ca->issuer = (struct issuer){ .cert = ca->cert, .key = ca->key,
		.digest = issue_digest(ca->key),
		.ocsp_url = "http://ocsp.example.test/",
		.ca_url = "http://ca.example.test/ca.cer",
		.crl_url = "http://ca.example.test/ca.crl" };
	write_pem(file, ca->cert);
}

static void
free_ca(struct authority *ca)
{
	X509_free(ca->cert);
	EVP_PKEY_free(ca->key);
}

/* --- certificates ----------------------------------------------------- */

static struct csr *
make_request(EVP_PKEY *key, const struct profile *profile)
{
	OWNED(X509_REQ) *req = X509_REQ_new();
	OWNED(X509_NAME) *subject = NULL;
	OWNED(GENERAL_NAMES) *sans = NULL;
	STACK_OF(X509_EXTENSION) *list = NULL;
	static const struct {
		enum san_kind	 kind;
		const char	*text;
	} forms[] = {
		{ SAN_DNS, "www.example.test" }, { SAN_IP, "192.0.2.1" },
		{ SAN_EMAIL, "user@example.test" },
		{ SAN_SMTP_UTF8, "b\xc3\xbcro@example.test" },
		{ SAN_URI, "https://example.test/program" },
	};
	__attribute__((cleanup(names_free))) struct names names = { 0 };
	struct csr *csr = NULL;
	int type = EVP_PKEY_get_base_id(key), len;
	uint8_t *der = NULL;

	check(names_add_attribute(&names, NID_commonName,
	    bytes_of("www.example.test"), &err), "a name");
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		if ((profile->sans & PROFILE_SAN_BIT(forms[i].kind)) != 0)
			check(names_add_san(&names, forms[i].kind,
			    bytes_of(forms[i].text), &err), "a SAN");
	subject = names_to_subject(&names, &err);
	X509_REQ_set_subject_name(req, subject);
	if (names.n_sans > 0) {
		sans = names_to_sans(&names, &err);
		X509V3_add1_i2d(&list, NID_subject_alt_name, sans, 0, 0);
		X509_REQ_add_extensions(req, list);
		sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
	}
	X509_REQ_set_pubkey(req, key);
	check_that(X509_REQ_sign(req, key, type == EVP_PKEY_ED25519 ||
	    type == EVP_PKEY_ED448 ? NULL : EVP_sha256()) > 0, "signing");
	len = i2d_X509_REQ(req, &der);
	check(csr_read((struct bytes){ der, (size_t)len }, &csr, &err),
	    "reading a request");
	OPENSSL_free(der);
	return csr;
}

static void
issue(const struct profile *profile, enum key_kind kind,
    const struct authority *ca, time_t now, const char *file)
{
	unsigned int bits = profile->min_rsa_bits, len = 0;
	OWNED(EVP_PKEY) *key = key_generate(kind, bits, &err);
	OWNED_STRUCT(csr) *csr = make_request(key, profile);
	OWNED(X509) *cert = NULL;
	struct order order = { .request_id = 1, .ca = "example",
		.not_before = now - profile->backdate_s,
		.not_after = now + profile->validity_s, .csr = csr->der };
	uint8_t digest[EVP_MAX_MD_SIZE];

	snprintf(order.profile, sizeof(order.profile), "%s", profile->name);
	memcpy(order.profile_digest, profile->digest, 32);
	check_that(X509_pubkey_digest(ca->cert, EVP_sha1(), digest,
	    &len) == 1, "hashing");
	memcpy(order.issuer_key, digest, sizeof(order.issuer_key));
	check(serial_generate(&order.serial, &err), "a serial");
	check(profile_make_names(profile, &csr->names, &order.names, &err),
	    file);
	check(issue_build(&order, csr, profile, &ca->issuer, &cert, &err),
	    file);
	check(lint_certificate(cert, profile, &ca->issuer, &err), file);
	check(issue_sign(cert, &ca->issuer, &err), file);
	names_free(&order.names);
	write_pem(file, cert);
}

static struct profile *
read_profile(const char *name, const char *path, const char *more)
{
	OWNED_BUF(text, 65536);
	struct profile *profile = NULL;
	FILE *f = fopen(path, "re");
	char piece[4096];
	size_t n;

	/* Of a checkout, whatever its umask was: not by config_read_file. */
	check_that(f != NULL, path);
	while ((n = fread(piece, 1, sizeof(piece), f)) > 0)
		check_that(buf_append(&text, piece, n) == 0, path);
	check_that(!ferror(f), path);
	fclose(f);
	buf_append_str(&text, more);
	check(profile_parse(name, path, buf_bytes(&text), &profile, &err),
	    path);
	return profile;
}

/* One of each kind that the clients are asked about. */
static void
issue_kinds(const struct profile *profile, const struct authority *ca,
    time_t now)
{
	static const enum key_kind kinds[] = { KEY_P256, KEY_RSA,
		KEY_ED25519 };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		const char *kind = key_kind_name(kinds[i]);
		char file[128];

		if ((profile->keys & 1u << kinds[i]) == 0)
			continue;
		snprintf(file, sizeof(file), "%s.%s", profile->name, kind);
		issue(profile, kinds[i], ca, now, file);
		printf("%s %s\n", profile->name, kind);
	}
}

/* What the profile of CAs says, as the ceremony does it. */
static void
make_sub_ca(const struct profile *profile, const struct authority *parent,
    time_t now)
{
	struct authority sub = { 0 };

	make_ca(&sub, "Sub CA", KEY_P256, parent, now - profile->backdate_s,
	    now + profile->validity_s, profile->path_len, "sub-ca.P-256");
	printf("sub-ca P-256\n");
	free_ca(&sub);
}

static void
issue_all(const char *profiles, const struct authority *ca, time_t now)
{
	DIR *dir = opendir(profiles);
	struct dirent *entry;

	check_that(dir != NULL, profiles);
	while ((entry = readdir(dir)) != NULL) {
		OWNED_STRUCT(profile) *profile = NULL;
		size_t n = strlen(entry->d_name);
		char path[1024], name[64];

		if (n < 6 || strcmp(entry->d_name + n - 5, ".conf") != 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s", profiles, entry->d_name);
		snprintf(name, sizeof(name), "%.*s", (int)n - 5,
		    entry->d_name);
		profile = read_profile(name, path, "");
		if (profile->ca)
			make_sub_ca(profile, ca, now);
		else
			issue_kinds(profile, ca, now);
	}
	closedir(dir);
	issue_kinds(profile_ocsp_responder(), ca, now);
}

/* Extensions that no client knows. */
static void
issue_private(const char *profiles, const struct authority *ca, time_t now)
{
	static const char *const names[] = { "private", "critical" };

	for (size_t i = 0; i < 2; i++) {
		OWNED_STRUCT(profile) *profile = NULL;
		char path[1024], more[256], file[64];

		snprintf(path, sizeof(path), "%s/tls-server.conf", profiles);
		snprintf(more, sizeof(more), "\nextension "
		    "\"1.3.6.1.4.1.32473.1\" { critical = %s "
		    "value = \"0c076578616d706c65\" }\n",
		    i == 0 ? "no" : "yes");
		profile = read_profile(names[i], path, more);
		snprintf(file, sizeof(file), "%s.P-256", names[i]);
		issue(profile, KEY_P256, ca, now, file);
		printf("%s P-256\n", names[i]);
	}
}

int
main(int argc, char **argv)
{
	struct authority root = { 0 }, child = { 0 }, other = { 0 };
	struct authority old_root = { 0 }, old_child = { 0 };
	OWNED_STRUCT(profile) *server = NULL;
	time_t now = time(NULL), then = now - 1000 * DAY;
	char path[1024];

	if (argc != 3)
		return 64;
	out_dir = argv[2];
	make_ca(&root, "Root", KEY_P384, NULL, now - DAY, now + 9000 * DAY,
	    -1, "root");
	make_ca(&other, "Root", KEY_P384, NULL, now - DAY, now + 9000 * DAY,
	    -1, "other");
	make_ca(&child, "Child", KEY_P256, &root, now - DAY, now + 8000 * DAY,
	    1, "child");
	issue_all(argv[1], &child, now);
	issue_private(argv[1], &child, now);

	make_ca(&old_root, "Old Root", KEY_P384, NULL, then, now + 9000 * DAY,
	    -1, "old-root");
	make_ca(&old_child, "Old Child", KEY_P256, &old_root, then,
	    now - DAY, 0, "old-child");
	snprintf(path, sizeof(path), "%s/tls-server.conf", argv[1]);
	server = read_profile("tls-server", path, "");
	issue(server, KEY_P256, &old_child, then + DAY, "old");

	free_ca(&root);
	free_ca(&other);
	free_ca(&child);
	free_ca(&old_root);
	free_ca(&old_child);
	return 0;
}
