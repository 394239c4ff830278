#include "tests/support/ca_folder.h"

#include "common/ca.h"
#include "common/crash.h"
#include "common/err.h"
#include "common/keystore.h"
#include "csrmaild/ca_files.h"
#include "tests/support/fixtures.h"

#include <openssl/x509v3.h>

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CRASHED	77

static void
keep_warning(void *arg, const char *text)
{
	struct ca_folder *f = arg;

	if (f->n_warned < ROWS(f->warned))
		snprintf(f->warned[f->n_warned++], sizeof(f->warned[0]), "%s",
		    text);
}

void
ca_folder_make(struct ca_folder *f)
{
	char path[96];
	struct err err = { 0 };

	memset(f, 0, sizeof(*f));
	strcpy(f->path, "/tmp/test_ceremony.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(f->path));
	snprintf(path, sizeof(path), "%s/store.db", f->path);
	ck_assert_msg(store_open(path, STORE_READ_WRITE, &f->store,
	    &err) == 0, "%s", err.text);
	f->ceremony = (struct ceremony){ .state_dir = f->path,
		.store = f->store, .principal = "unix:test", .now = NOON,
		.warn = keep_warning, .warn_arg = f };
}

static int
remove_one(const char *path, const struct stat *st, int type,
    struct FTW *where)
{
	(void)st, (void)type, (void)where;
	return remove(path);
}

void
ca_folder_remove(struct ca_folder *f)
{
	store_free(f->store);
	for (int i = 0; i < f->n_subjects; i++)
		names_free(&f->subjects[i]);
	ck_assert_int_eq(nftw(f->path, remove_one, 8,
	    FTW_DEPTH | FTW_PHYS), 0);
}

struct ceremony_ca
ca_folder_wish(struct ca_folder *f, const char *name)
{
	struct names *subject = &f->subjects[f->n_subjects++];
	char text[128];
	struct err err = { 0 };

	ck_assert_int_le(f->n_subjects, ROWS(f->subjects));
	snprintf(text, sizeof(text), "O=Example, CN=%s", name);
	ck_assert_int_eq(names_add_typed(subject, text, &err), 0);
	return (struct ceremony_ca){ .name = name, .subject = subject,
		.key_kind = KEY_P256, .validity_s = 3650 * DAY,
		.path_len = -1 };
}

struct ceremony_parent
ca_folder_parent(const char *name)
{
	return (struct ceremony_parent){ .name = name, .ocsp_url = "",
		.ca_url = "", .crl_url = "" };
}

void
ca_folder_root(struct ca_folder *f, const char *name)
{
	struct ceremony_ca ca = ca_folder_wish(f, name);
	struct err err = { 0 };

	ca.validity_s = 7300 * DAY;
	ck_assert_msg(ceremony_create_root(&f->ceremony, &ca, &err) == 0,
	    "%s (%s)", err.text, err.detail);
}

void
ca_folder_child(struct ca_folder *f, const char *name, const char *parent)
{
	struct ceremony_ca ca = ca_folder_wish(f, name);
	const struct ceremony_parent by = ca_folder_parent(parent);
	struct err err = { 0 };

	ck_assert_msg(ceremony_create_child(&f->ceremony, &ca, &by,
	    &err) == 0, "%s (%s)", err.text, err.detail);
}

bool
ca_folder_has(const struct ca_folder *f, const char *file)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", f->path, file);
	return access(path, F_OK) == 0;
}

X509 *
ca_folder_cert(const struct ca_folder *f, const char *file)
{
	char path[256];
	X509 *cert;
	FILE *in;

	snprintf(path, sizeof(path), "%s/%s", f->path, file);
	in = fopen(path, "r");
	ck_assert_msg(in != NULL, "%s", path);
	cert = d2i_X509_fp(in, NULL);
	fclose(in);
	ck_assert_ptr_nonnull(cert);
	return cert;
}

EVP_PKEY *
ca_folder_key(const struct ca_folder *f, const char *name)
{
	char path[96], file[CA_FILE_SIZE];
	struct err err = { 0 };
	EVP_PKEY *key = NULL;
	int fd;

	snprintf(path, sizeof(path), "%s/keys", f->path);
	fd = open(path, O_RDONLY | O_DIRECTORY);
	ck_assert_int_ge(fd, 0);
	ca_file_name(name, ".key", file, sizeof(file));
	ck_assert_msg(keystore_load(fd, file, (struct bytes){ NULL, 0 }, &key,
	    &err) == 0, "%s", err.text);
	close(fd);
	return key;
}

struct counting {
	const char	*event;
	int		 n;
};

static int
count(const struct audit_row *row, void *arg)
{
	struct counting *counting = arg;

	if (strcmp(row->event, counting->event) == 0)
		counting->n++;
	return 0;
}

int
ca_folder_count(struct ca_folder *f, const char *event)
{
	struct counting counting = { event, 0 };
	struct err err = { 0 };

	ck_assert_int_eq(store_each_audit(f->store, 0, 1000, count, &counting,
	    &err), 0);
	return counting.n;
}

X509 *
ca_folder_leaf(const struct ca_folder *f, const char *ca, const char *dns)
{
	char file[128], san[128];
	OWNED(X509) *issuer = NULL;
	OWNED(EVP_PKEY) *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	OWNED(EVP_PKEY) *ca_key = ca_folder_key(f, ca);
	X509 *leaf = X509_new();
	X509V3_CTX ctx;
	static long serial = 1000;

	ca_file_name(ca, ".crt", file + 10, sizeof(file) - 10);
	memcpy(file, "published/", 10);
	issuer = ca_folder_cert(f, file);
	X509_set_version(leaf, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(leaf), ++serial);
	ASN1_TIME_set(X509_getm_notBefore(leaf), f->ceremony.now);
	ASN1_TIME_set(X509_getm_notAfter(leaf), f->ceremony.now + 30 * DAY);
	X509_set_issuer_name(leaf, X509_get_subject_name(issuer));
	X509_NAME_add_entry_by_txt(X509_get_subject_name(leaf), "CN",
	    MBSTRING_UTF8, (const uint8_t *)"leaf", -1, -1, 0);
	X509_set_pubkey(leaf, key);
	X509V3_set_ctx(&ctx, issuer, leaf, NULL, NULL, 0);
	snprintf(san, sizeof(san), "DNS:%s", dns);
	const struct {
		int		 nid;
		const char	*value;
	} extensions[] = {
		{ NID_authority_key_identifier, "keyid:always" },
		{ NID_basic_constraints, "critical,CA:FALSE" },
		{ NID_subject_alt_name, san },
	};

	for (int i = 0; i < ROWS(extensions); i++) {
		OWNED(X509_EXTENSION) *ext = X509V3_EXT_conf_nid(NULL, &ctx,
		    extensions[i].nid, extensions[i].value);

		ck_assert_ptr_nonnull(ext);
		ck_assert_int_eq(X509_add_ext(leaf, ext, -1), 1);
	}
	ck_assert_int_gt(X509_sign(leaf, ca_key, EVP_PKEY_get_base_id(
	    ca_key) == EVP_PKEY_ED25519 ? NULL : EVP_sha256()), 0);
	return leaf;
}

int
ca_folder_verify(X509 *leaf, X509 *const *trusted, X509 *const *untrusted,
    time_t at)
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	STACK_OF(X509) *between = sk_X509_new_null();
	int result;

	for (; *trusted != NULL; trusted++)
		X509_STORE_add_cert(store, *trusted);
	for (; *untrusted != NULL; untrusted++)
		sk_X509_push(between, *untrusted);
	X509_STORE_CTX_init(ctx, store, leaf, between);
	X509_STORE_CTX_set_flags(ctx, X509_V_FLAG_X509_STRICT);
	X509_STORE_CTX_set_time(ctx, 0, at);
	result = X509_verify_cert(ctx) == 1 ? X509_V_OK :
	    X509_STORE_CTX_get_error(ctx);
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	sk_X509_free(between);
	return result;
}

static void
die(void)
{
	_exit(CRASHED);
}

bool
ca_folder_crash(struct ca_folder *f, const char *point,
    int (*act)(const struct ceremony *, void *, struct err *), void *arg)
{
	struct ceremony ceremony = f->ceremony;
	char path[96];
	int status = 0;
	struct err err = { 0 };
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		snprintf(path, sizeof(path), "%s/store.db", f->path);
		if (store_open(path, STORE_READ_WRITE, &ceremony.store,
		    &err) != 0)
			_exit(1);
		crash_choose(point, die);
		_exit(act(&ceremony, arg, &err) == 0 ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) != 1,
	    "%s: the ceremony failed", point);
	return WEXITSTATUS(status) == CRASHED;
}
