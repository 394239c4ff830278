#include "csrmaild/ceremony_private.h"
#include "common/ca.h"
#include "common/err.h"
#include "common/key.h"
#include "common/keystore.h"
#include "common/owned.h"
#include "csrmaild/ca_files.h"

#include <stdio.h>

/* 1: there is no file of that name yet; 0: it has the key already. */
static int
look(const struct folders *f, const char *name, X509 *cert,
    struct bytes passphrase, struct err *err)
{
	OWNED(EVP_PKEY) *there = NULL;
	char file[CA_FILE_SIZE];

	if (!ceremony_has_key(f, name))
		return 1;
	ca_file_name(name, ".key", file, sizeof(file));
	if (keystore_load(f->keys, file, passphrase, &there, err) < 0)
		return -1;
	if (X509_check_private_key(cert, there) == 1)
		return 0;
	err_openssl(err, ERR_REJECT, "");
	snprintf(err->text, sizeof(err->text), "keys/%s is not the "
	    "certificate's key: move it away first", file);
	return -1;
}

static int
save(const struct folders *f, const char *name, EVP_PKEY *key,
    struct bytes passphrase, struct err *err)
{
	char file[CA_FILE_SIZE];

	ca_file_name(name, ".key", file, sizeof(file));
	return keystore_save(f->keys, file, key, passphrase, err);
}

static int
place(const struct ceremony *c, const char *name, X509 *cert, EVP_PKEY *key,
    struct bytes passphrase, bool only_look, struct err *err)
{
	OWNED_FOLDERS f = { -1, -1, -1 };
	uint8_t spki_sha256[32];
	struct err ignored;
	int r;

	if (X509_check_private_key(cert, key) != 1)
		return err_openssl(err, ERR_REJECT,
		    "the key is not the certificate's");
	if (ceremony_check_strength(cert, err) < 0 ||
	    key_digest_certificate(cert, spki_sha256, err) < 0 ||
	    ceremony_check_key(c, name, spki_sha256, err) < 0 ||
	    ceremony_open_folders(c, &f, err) < 0)
		return -1;
	r = ceremony_act_as(c->sign_uid, c->sign_gid, err);
	if (r == 0)
		r = look(&f, name, cert, passphrase, err);
	if (r == 1)
		r = only_look ? 0 : save(&f, name, key, passphrase, err);
	return ceremony_act_as_self(r == 0 ? err : &ignored) < 0 ? -1 : r;
}

int
ceremony_place_key(const struct ceremony *c, const char *name, X509 *cert,
    EVP_PKEY *key, struct bytes passphrase, struct err *err)
{
	return place(c, name, cert, key, passphrase, false, err);
}

int
ceremony_check_place_key(const struct ceremony *c, const char *name,
    X509 *cert, EVP_PKEY *key, struct bytes passphrase, struct err *err)
{
	return place(c, name, cert, key, passphrase, true, err);
}
