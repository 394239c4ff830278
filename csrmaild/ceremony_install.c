#include "csrmaild/ceremony_offline.h"
#include "common/ca.h"
#include "common/err.h"
#include "common/owned.h"
#include "common/store.h"
#include "csrmaild/ceremony_private.h"

#include <string.h>

/* A certificate from elsewhere in the place of the one before. */

/* In the journals that are here: a root's own, and its parent's. */
static int
record(const struct folders *f, const struct standing *now,
    const struct standing *above, X509 *cert, struct err *err)
{
	OWNED_STRUCT(journal) *journal = NULL;
	const char *issuer = above == NULL ? now->name : above->name;

	if (!ceremony_has_journal(f, issuer))
		return 0;
	return ceremony_open_journal(f, issuer, false, &journal, err) < 0 ?
	    -1 : ceremony_record(journal, cert, err);
}

static int
perform(const struct ceremony *c, const struct standing *now,
    const struct standing *above, X509 *cert, struct err *err)
{
	OWNED_FOLDERS f = { -1, -1, -1 };
	struct err ignored;
	int r;

	if (ceremony_open_folders(c, &f, err) < 0)
		return -1;
	r = ceremony_act_as(c->sign_uid, c->sign_gid, err);
	if (r == 0)
		r = record(&f, now, above, cert, err);
	if (r == 0)
		r = ceremony_act_as(c->store_uid, c->store_gid, err);
	if (r == 0)
		r = ceremony_keep(&f, now->name, now->cert, err);
	if (r == 0)
		r = ceremony_publish(&f, now->name, "", cert, err);
	return ceremony_act_as_self(r == 0 ? err : &ignored) < 0 ? -1 : r;
}

static int
check_parent(const struct ceremony *c, const char *parent, X509 *cert,
    struct standing *above, struct err *err)
{
	OWNED_BUF(der, JOURNAL_MAX_DER);
	X509 *issuer = cert;
	int r = 0;

	if (parent[0] != '\0') {
		r = ceremony_find_exactly(c, parent, above, err);
		issuer = above->cert;
	}
	if (r != 0)
		return r < 0 ? -1 : err_set(err, ERR_REJECT,
		    "there is no CA %s", parent);
	if (ceremony_encode(issuer, &der, err) < 0)
		return -1;
	return ceremony_is_signed_by(cert, buf_bytes(&der)) ? 0 :
	    err_set(err, ERR_REJECT, "the certificate is not signed by %s",
	    parent[0] == '\0' ? "itself" : parent);
}

int
ceremony_install(const struct ceremony *c, const struct succession *s,
    const char *parent, X509 *cert, struct bytes passphrase, struct err *err)
{
	OWNED_STANDING now = { 0 };
	OWNED_STANDING above = { 0 };
	const struct standing *by = parent[0] == '\0' ? NULL : &above;

	if (s->kind == SUCCESSION_KNOWN)
		return 0;
	if (s->kind != SUCCESSION_SAME_KEY)
		return ceremony_adopt(c, s->name, parent, cert, NULL,
		    passphrase, "installed", err);
	if (ceremony_find_exactly(c, s->name, &now, err) != 0 ||
	    check_parent(c, parent, cert, &above, err) < 0 ||
	    perform(c, &now, by, cert, err) < 0)
		return -1;
	const struct ceremony_rows rows = { .name = now.name,
		.event = "ca.renewed", .cert = cert, .parent = by,
		.renews = &now };

	return ceremony_commit(c, &rows, err);
}
