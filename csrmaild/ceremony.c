#include "csrmaild/ceremony_private.h"
#include "common/ca.h"
#include "common/err.h"
#include "common/owned.h"

#include <string.h>

int
ceremony_refuse_name(struct err *err)
{
	return err_set(err, ERR_REJECT, "a CA's name has letters, digits, "
	    "'.', '-' and '_', one '/' at most, and begins with a letter or "
	    "digit");
}

void
standing_free(struct standing *s)
{
	X509_free(s->cert);
	for (size_t i = 0; i < s->n_above; i++)
		X509_free(s->above[i]);
	memset(s, 0, sizeof(*s));
}

static int
check_wish(const struct ceremony *c, const struct ceremony_ca *ca,
    const struct standing *above, struct err *err)
{
	OWNED_STANDING there = { 0 };
	OWNED(X509_NAME) *subject = NULL;
	int r;

	if (!ca_name_is_valid(ca->name))
		return ceremony_refuse_name(err);
	if (ca->validity_s <= 0)
		return err_set(err, ERR_REJECT,
		    "a CA must be valid for some time");
	r = ceremony_find(c, ca->name, &there, err);
	if (r == 0)
		return err_set(err, ERR_REJECT, "the CA %s exists", ca->name);
	if (r < 0 || (subject = names_to_subject(ca->subject, err)) == NULL ||
	    ceremony_check_subject(c, above, subject, err) < 0)
		return -1;
	return above == NULL ? 0 : ceremony_check_signs(c, above, err);
}

/* All that the signer's user does. */
static int
make_secret_part(const struct ceremony *c, const struct folders *f,
    const struct ceremony_ca *ca, const struct ceremony_parent *parent,
    const struct standing *above, X509 **out, struct err *err)
{
	OWNED_SIGNATORY by = { 0 };
	OWNED_STRUCT(journal) *journal = NULL;
	OWNED(EVP_PKEY) *key = NULL;
	OWNED(X509) *cert = NULL;
	struct journal *issuers;
	bool left;

	if (above != NULL && signatory_open(f, parent, above, &by, err) < 0)
		return -1;
	if (above != NULL && X509_get_pathlen(by.cert) == 0)
		return err_set(err, ERR_REJECT, "%s may have no CA below it: "
		    "its path length is 0", above->name);
	if (ceremony_obtain_key(f, ca, &key, &left, err) < 0 ||
	    ceremony_check_made_key(c, ca->name, key, by.journal, err) < 0 ||
	    ceremony_open_journal(f, ca->name, true, &journal, err) < 0)
		return -1;
	issuers = above == NULL ? journal : by.journal;
	if (ceremony_obtain_certificate(c, f, ca, key, left, NULL,
	    above == NULL ? NULL : &by.issuer, issuers, &cert, err) < 0 ||
	    ceremony_record(issuers, cert, err) < 0)
		return -1;
	*out = TAKE(cert);
	return 0;
}

static int
create(const struct ceremony *c, const struct ceremony_ca *ca,
    const struct ceremony_parent *parent, const struct standing *above,
    struct err *err)
{
	OWNED_FOLDERS f = { -1, -1, -1 };
	OWNED(X509) *cert = NULL;
	struct ceremony_rows rows = { .name = ca->name,
		.event = "ca.created", .parent = above };
	struct err ignored;
	int r;

	if (check_wish(c, ca, above, err) < 0 ||
	    ceremony_open_folders(c, &f, err) < 0)
		return -1;
	r = ceremony_act_as(c->sign_uid, c->sign_gid, err);
	if (r == 0)
		r = make_secret_part(c, &f, ca, parent, above, &cert, err);
	if (r == 0)
		r = ceremony_act_as(c->store_uid, c->store_gid, err);
	if (r == 0)
		r = ceremony_publish(&f, ca->name, "", cert, err);
	if (ceremony_act_as_self(r == 0 ? err : &ignored) < 0 || r < 0)
		return -1;
	rows.cert = cert;
	return ceremony_commit(c, &rows, err);
}

int
ceremony_create_root(const struct ceremony *c, const struct ceremony_ca *ca,
    struct err *err)
{
	return create(c, ca, NULL, NULL, err);
}

int
ceremony_create_child(const struct ceremony *c, const struct ceremony_ca *ca,
    const struct ceremony_parent *parent, struct err *err)
{
	OWNED_STANDING above = { 0 };
	int r = ceremony_find(c, parent->name, &above, err);

	if (r > 0)
		return err_set(err, ERR_REJECT, "there is no CA %s",
		    parent->name);
	return r < 0 ? -1 : create(c, ca, parent, &above, err);
}
