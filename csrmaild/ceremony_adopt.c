#include "csrmaild/ceremony_private.h"
#include "common/ca.h"
#include "common/err.h"
#include "common/issue.h"
#include "common/key.h"
#include "common/keystore.h"
#include "common/owned.h"
#include "common/store.h"
#include "csrmaild/ca_files.h"

#include <openssl/err.h>

#include <stdio.h>
#include <string.h>

struct adoption {
	const char	*name, *parent;
	X509		*cert;
	EVP_PKEY	*key;		/* NULL: not given */
	struct bytes	 passphrase;
	uint8_t		 spki_sha256[32];
	/* Found in the store. */
	struct standing	 above;		/* the parent's generation; id 0 */
	char		 same_key[CA_NAME_MAX + 1];	/* a CA that has it */
	bool		 family;	/* an older generation is there */
	bool		 exists;
};

bool
ceremony_is_signed_by(X509 *cert, struct bytes parent_der)
{
	const uint8_t *at = parent_der.data;
	OWNED(X509) *parent = d2i_X509(NULL, &at, (long)parent_der.len);
	bool yes = parent != NULL &&
	    X509_check_issued(parent, cert) == X509_V_OK &&
	    X509_verify(cert, X509_get0_pubkey(parent)) == 1;

	ERR_clear_error();
	return yes;
}

static bool
has_key(struct bytes cert_der, const uint8_t spki_sha256[32])
{
	const uint8_t *at = cert_der.data;
	OWNED(X509) *cert = d2i_X509(NULL, &at, (long)cert_der.len);
	uint8_t digest[32];
	struct err ignored;
	bool yes = cert != NULL && key_digest_certificate(cert, digest,
	    &ignored) == 0 && memcmp(digest, spki_sha256, 32) == 0;

	ERR_clear_error();
	return yes;
}

static int
compare_ca(const struct ca_row *row, void *arg)
{
	struct adoption *a = arg;
	char family[CA_NAME_MAX + 1], parent[CA_NAME_MAX + 1];

	ca_family(a->name, family, sizeof(family));
	ca_family(a->parent, parent, sizeof(parent));
	if (strcmp(row->name, a->name) == 0)
		a->exists = true;
	else if (ca_is_of_family(row->name, family))
		a->family = true;
	if (has_key(row->cert, a->spki_sha256))
		snprintf(a->same_key, sizeof(a->same_key), "%s", row->name);
	if (ca_is_of_family(row->name, parent) &&
	    ceremony_is_signed_by(a->cert, row->cert)) {
		a->above.id = row->id;
		snprintf(a->above.name, sizeof(a->above.name), "%s",
		    row->name);
	}
	return 0;
}

static int
check_adoption(const struct ceremony *c, struct adoption *a, struct err *err)
{
	char family[CA_NAME_MAX + 1];
	unsigned int generation = ca_generation(a->name);

	ca_family(a->name, family, sizeof(family));
	if (!ca_name_is_valid(family) || generation == 0 ||
	    strlen(a->name) > CA_NAME_MAX)
		return ceremony_refuse_name(err);
	if (key_digest_certificate(a->cert, a->spki_sha256, err) < 0 ||
	    store_each_ca(c->store, compare_ca, a, err) < 0)
		return -1;
	if (a->exists)
		return err_set(err, ERR_REJECT, "the CA %s exists", a->name);
	if (generation > 1 && !a->family)
		return err_set(err, ERR_REJECT, "%s is a later key of a CA "
		    "that is not on record", a->name);
	if (a->same_key[0] != '\0')
		return err_set(err, ERR_REJECT, "this is the key of the CA "
		    "%s, which is on record", a->same_key);
	if (X509_check_ca(a->cert) != 1)
		return err_set(err, ERR_REJECT, "the certificate is not one "
		    "of a CA (RFC 5280, 4.2.1.9)");
	if (a->parent[0] != '\0' && a->above.id == 0)
		return err_set(err, ERR_REJECT, "the certificate is not "
		    "signed by the CA %s as it is on record here", a->parent);
	if (a->parent[0] == '\0' && X509_check_issued(a->cert, a->cert) ==
	    X509_V_OK && X509_verify(a->cert, X509_get0_pubkey(a->cert)) != 1)
		return err_openssl(err, ERR_REJECT,
		    "the certificate's signature is wrong");
	if (a->key != NULL && X509_check_private_key(a->cert, a->key) != 1)
		return err_openssl(err, ERR_REJECT,
		    "the key is not the certificate's");
	return ceremony_check_key(c, a->name, a->spki_sha256, err);
}

/* The key's file, when there is one or a key was given. */
static int
place_key(const struct folders *f, const struct adoption *a, struct err *err)
{
	OWNED(EVP_PKEY) *left = NULL;
	char file[CA_FILE_SIZE];

	ca_file_name(a->name, ".key", file, sizeof(file));
	if (a->key == NULL && !ceremony_has_key(f, a->name))
		return 0;
	if (ceremony_check_strength(a->cert, err) < 0)
		return -1;
	if (!ceremony_has_key(f, a->name))
		return keystore_save(f->keys, file,
		    a->key, a->passphrase, err);
	if (keystore_load(f->keys, file, a->passphrase, &left, err) < 0)
		return -1;
	if (X509_check_private_key(a->cert, left) != 1) {
		err_openssl(err, ERR_REJECT, "");
		snprintf(err->text, sizeof(err->text), "keys/%s is not the "
		    "certificate's key: move it away first", file);
		return -1;
	}
	return 0;
}

/* In the journal of its parent too, where that one signs here. */
static int
record_at_parent(const struct folders *f, const struct adoption *a,
    struct err *err)
{
	OWNED_STRUCT(journal) *journal = NULL;

	if (a->above.id == 0 || !ceremony_has_journal(f, a->above.name))
		return 0;
	return ceremony_open_journal(f, a->above.name, false, &journal,
	    err) < 0 ? -1 : ceremony_record(journal, a->cert, err);
}

static int
adopt_secret_part(const struct folders *f, const struct adoption *a,
    struct err *err)
{
	OWNED_STRUCT(journal) *journal = NULL;

	if (place_key(f, a, err) < 0 ||
	    ceremony_open_journal(f, a->name, true, &journal, err) < 0)
		return -1;
	/* A root's journal begins with the root, as if it were made here. */
	if (X509_check_issued(a->cert, a->cert) == X509_V_OK &&
	    ceremony_record(journal, a->cert, err) < 0)
		return -1;
	return record_at_parent(f, a, err);
}

int
ceremony_adopt(const struct ceremony *c, const char *name, const char *parent,
    X509 *cert, EVP_PKEY *key, struct bytes passphrase, const char *how,
    struct err *err)
{
	OWNED_FOLDERS f = { -1, -1, -1 };
	struct adoption a = { .name = name, .parent = parent, .cert = cert,
		.key = key, .passphrase = passphrase };
	char event[32];
	struct err ignored;
	int r;

	if (check_adoption(c, &a, err) < 0 ||
	    ceremony_open_folders(c, &f, err) < 0)
		return -1;
	r = ceremony_act_as(c->sign_uid, c->sign_gid, err);
	if (r == 0)
		r = adopt_secret_part(&f, &a, err);
	if (r == 0)
		r = ceremony_act_as(c->store_uid, c->store_gid, err);
	if (r == 0)
		r = ceremony_publish(&f, name, "", cert, err);
	if (ceremony_act_as_self(r == 0 ? err : &ignored) < 0 || r < 0)
		return -1;
	snprintf(event, sizeof(event), "ca.%s", how);
	const struct ceremony_rows rows = { .name = name, .event = event,
		.cert = cert, .parent = a.above.id == 0 ? NULL : &a.above };

	return ceremony_commit(c, &rows, err);
}
