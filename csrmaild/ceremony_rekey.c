#include "csrmaild/ceremony_private.h"
#include "common/ca.h"
#include "common/err.h"
#include "common/keystore.h"
#include "common/owned.h"
#include "common/store.h"
#include "csrmaild/ca_files.h"

#include <stdio.h>

/* Cut off and begun again, some keys have the new one already. */
static int
rekey_one(const struct folders *f, const char *name,
    struct bytes old_passphrase, struct bytes new_passphrase, struct err *err)
{
	OWNED(EVP_PKEY) *done = NULL;
	char file[CA_FILE_SIZE];
	struct err ignored;

	ca_file_name(name, ".key", file, sizeof(file));
	if (keystore_rekey(f->keys, file, old_passphrase, new_passphrase,
	    err) == 0)
		return 0;
	return keystore_load(f->keys, file, new_passphrase, &done,
	    &ignored) == 0 ? 0 : -1;
}

static int
rekey_all(const struct folders *f, const char *family,
    struct bytes old_passphrase, struct bytes new_passphrase,
    unsigned int *n, struct err *err)
{
	char name[CA_NAME_MAX + 4];

	for (unsigned int i = 1; i <= CA_GENERATION_MAX; i++) {
		ca_generation_name(family, i, name, sizeof(name));
		if (!ceremony_has_key(f, name))
			continue;
		if (rekey_one(f, name, old_passphrase, new_passphrase,
		    err) < 0)
			return -1;
		++*n;
	}
	return *n > 0 ? 0 : err_set(err, ERR_REJECT,
	    "there is no key of %s in keys/", family);
}

static int
note(const struct ceremony *c, const char *family, unsigned int n,
    struct err *err)
{
	char object[CA_NAME_MAX + 4], detail[32];

	snprintf(object, sizeof(object), "ca:%s", family);
	snprintf(detail, sizeof(detail), "%u key%s", n, n == 1 ? "" : "s");
	if (store_begin(c->store, err) < 0)
		return -1;
	if (store_audit(c->store, c->now, "key.rekeyed", c->principal, object,
	    detail, err) < 0) {
		store_rollback(c->store);
		return -1;
	}
	return store_commit(c->store, err);
}

int
ceremony_rekey(const struct ceremony *c, const char *name,
    struct bytes old_passphrase, struct bytes new_passphrase,
    unsigned int *n, struct err *err)
{
	OWNED_FOLDERS f = { -1, -1, -1 };
	char family[CA_NAME_MAX + 1];
	unsigned int keys = 0;
	struct err ignored;
	int r;

	ca_family(name, family, sizeof(family));
	if (!ca_name_is_valid(family))
		return ceremony_refuse_name(err);
	if (ceremony_open_folders(c, &f, err) < 0)
		return -1;
	r = ceremony_act_as(c->sign_uid, c->sign_gid, err);
	if (r == 0)
		r = rekey_all(&f, family, old_passphrase, new_passphrase,
		    &keys, err);
	if (ceremony_act_as_self(r == 0 ? err : &ignored) < 0 || r < 0)
		return -1;
	*n = keys;
	return note(c, family, keys, err);
}
