#include "csrmaild/ceremony_private.h"
#include "common/ca.h"
#include "common/err.h"
#include "common/issue.h"
#include "common/key.h"
#include "common/keystore.h"
#include "common/owned.h"
#include "csrmaild/ca_files.h"

#include <openssl/err.h>

#include <stdio.h>
#include <string.h>

/* A renewal in the making. */
struct renewal {
	const struct ceremony	*c;
	struct ceremony_ca	 ca;	/* name: of the generation that it is
					 * about: the old one, or the new */
	const struct ceremony_parent *parent;	/* NULL: a root */
	struct standing		 now;	/* what is renewed */
	struct standing		 above;	/* the parent's generation; id 0 */
	char			 next[CA_NAME_MAX + 1];
	X509			*cert;	/* owned: the new certificate */
	X509			*cross;	/* owned: of a root's new key */
};

static void
renewal_free(struct renewal *r)
{
	standing_free(&r->now);
	standing_free(&r->above);
	X509_free(r->cert);
	X509_free(r->cross);
}

static const struct issuer *
issuer_of(const struct renewal *r, const struct signatory *by)
{
	return r->parent == NULL ? NULL : &by->issuer;
}

static const struct ceremony_parent *
own_addresses(const struct renewal *r, struct ceremony_parent *out)
{
	*out = (struct ceremony_parent){ .name = r->now.name,
		.passphrase = r->ca.passphrase,
		.ocsp_url = "", .ca_url = "", .crl_url = "" };
	return out;
}

/* Who signs: the parent, or the root itself with the key that it has. */
static int
open_signatory(const struct renewal *r, const struct folders *f,
    struct signatory *by, struct err *err)
{
	struct ceremony_parent self;

	return r->parent == NULL ?
	    signatory_open(f, own_addresses(r, &self), &r->now, by, err) :
	    signatory_open(f, r->parent, &r->above, by, err);
}

/* --- the same key --------------------------------------------------------- */

/* One that was signed, and perhaps published, before a ceremony was cut off
 * is the renewal: nothing is signed twice. */
static int
find_unfinished(const struct renewal *r, struct journal *journal,
    EVP_PKEY *key, X509 **out, struct err *err)
{
	OWNED(X509) *cert = NULL;
	bool known = true;
	int found = ceremony_find_recorded(journal, key, &cert, err);

	if (found < 0 || (found == 0 && ceremony_is_on_record(r->c, r->now.id,
	    cert, &known, err) < 0))
		return -1;
	if (known)
		return 1;
	*out = TAKE(cert);
	return 0;
}

static int
sign_same_key(struct renewal *r, const struct folders *f, struct err *err)
{
	OWNED_SIGNATORY by = { 0 };
	EVP_PKEY *key = X509_get0_pubkey(r->now.cert);
	int unfinished;

	if (open_signatory(r, f, &by, err) < 0)
		return -1;
	if (r->parent == NULL)
		key = by.key;
	unfinished = find_unfinished(r, by.journal, key, &r->cert, err);
	if (unfinished < 0 || (unfinished > 0 && ceremony_make_certificate(
	    r->c, &r->ca, key, r->now.cert, issuer_of(r, &by), &r->cert,
	    err) < 0))
		return -1;
	if (ceremony_check(r->cert, r->parent == NULL ? by.key : NULL,
	    r->parent == NULL ? NULL : by.cert, err) < 0)
		return -1;
	return ceremony_record(by.journal, r->cert, err);
}

static int
publish_same_key(const struct renewal *r, const struct folders *f,
    struct err *err)
{
	if (ceremony_keep(f, r->now.name, r->now.cert, err) < 0)
		return -1;
	return ceremony_publish(f, r->now.name, "", r->cert, err);
}

/* --- a new key ------------------------------------------------------------ */

/* One passphrase opens all generations: the daemon has one source for them. */
static int
check_passphrase(const struct renewal *r, const struct folders *f,
    struct err *err)
{
	OWNED(EVP_PKEY) *key = NULL;
	char file[CA_FILE_SIZE];

	if (!ceremony_has_key(f, r->now.name))
		return 0;
	ca_file_name(r->now.name, ".key", file, sizeof(file));
	return keystore_load(f->keys, file, r->ca.passphrase, &key, err);
}

/*
 * RFC 4210, 4.4, "new with old": the new key, certified by the old one, for
 * who trusts the old root only. It ends with the old root.
 */
static int
sign_cross(struct renewal *r, const struct signatory *old, EVP_PKEY *key,
    struct err *err)
{
	int found = ceremony_find_recorded(old->journal, key, &r->cross, err);

	if (found < 0 || (found > 0 && ceremony_make_certificate(r->c, &r->ca,
	    key, r->now.cert, &old->issuer, &r->cross, err) < 0))
		return -1;
	if (ceremony_check(r->cross, key, old->cert, err) < 0)
		return -1;
	return ceremony_record(old->journal, r->cross, err);
}

static int
sign_new_key(struct renewal *r, const struct folders *f, struct err *err)
{
	OWNED_SIGNATORY by = { 0 };
	OWNED_STRUCT(journal) *journal = NULL;
	OWNED(EVP_PKEY) *key = NULL;
	struct journal *issuers;
	bool left;

	if (open_signatory(r, f, &by, err) < 0 ||
	    (r->parent != NULL && check_passphrase(r, f, err) < 0) ||
	    ceremony_obtain_key(f, &r->ca, &key, &left, err) < 0 ||
	    ceremony_check_made_key(r->c, r->ca.name, key, by.journal,
	    err) < 0 ||
	    ceremony_open_journal(f, r->ca.name, true, &journal, err) < 0)
		return -1;
	issuers = r->parent == NULL ? journal : by.journal;
	if (ceremony_obtain_certificate(r->c, f, &r->ca, key, left,
	    r->now.cert, issuer_of(r, &by), issuers, &r->cert, err) < 0 ||
	    ceremony_record(issuers, r->cert, err) < 0)
		return -1;
	return r->parent == NULL ? sign_cross(r, &by, key, err) : 0;
}

static int
publish_new_key(const struct renewal *r, const struct folders *f,
    struct err *err)
{
	if (r->cross != NULL && ceremony_publish(f, r->ca.name, ".cross",
	    r->cross, err) < 0)
		return -1;
	return ceremony_publish(f, r->ca.name, "", r->cert, err);
}

int
ceremony_plan_key(const struct ceremony *c, const struct standing *now,
    char next[CA_NAME_MAX + 1], struct ceremony_ca *ca, struct err *err)
{
	EVP_PKEY *key = X509_get0_pubkey(now->cert);
	char family[CA_NAME_MAX + 1];
	struct key_facts facts;
	unsigned int newest;

	ca_family(now->name, family, sizeof(family));
	if (ceremony_newest(c, family, &newest, err) < 0)
		return -1;
	if (newest >= CA_GENERATION_MAX || strlen(family) + 3 > CA_NAME_MAX)
		return err_set(err, ERR_REJECT, "%s has no room for another "
		    "key: its name is too long, or it had %d", family,
		    CA_GENERATION_MAX);
	ca_generation_name(family, newest + 1, next, CA_NAME_MAX + 1);
	ca->name = next;
	if (ca->key_kind != 0)
		return 0;
	if (key == NULL || key_examine(X509_get_X509_PUBKEY(now->cert),
	    &facts, err) < 0)
		return err_set(err, ERR_REJECT, "say what kind of key it "
		    "shall have: its present one is of a kind that we do not "
		    "make");
	ca->key_kind = facts.kind;
	ca->key_bits = facts.kind == KEY_RSA ? facts.bits : 0;
	return 0;
}

/* --- both ----------------------------------------------------------------- */

int
ceremony_check_addresses(const struct standing *now,
    const struct standing *above, const struct ceremony_parent *parent,
    struct err *err)
{
	if (strcmp(above->name, now->parent) == 0 ||
	    ((parent->crl_url != NULL || X509_get_ext_by_NID(now->cert,
	    NID_crl_distribution_points, -1) < 0) &&
	    (parent->ca_url != NULL || parent->ocsp_url != NULL ||
	    X509_get_ext_by_NID(now->cert, NID_info_access, -1) < 0)))
		return 0;
	return err_set(err, ERR_REJECT, "%s has a new key since: say where its "
	    "CRLs and its certificate are found, with {ca} for its name",
	    parent->name);
}

static int
find_both(struct renewal *r, const char *name, struct err *err)
{
	int found = ceremony_find(r->c, name, &r->now, err);
	char asked[CA_NAME_MAX + 1], stands[CA_NAME_MAX + 1];

	if (found != 0)
		return found < 0 ? -1 : err_set(err, ERR_REJECT,
		    "there is no CA %s", name);
	r->ca.name = r->now.name;
	ca_family(r->now.parent, stands, sizeof(stands));
	if (r->parent == NULL) {
		if (r->now.parent[0] != '\0')
			return err_set(err, ERR_REJECT, "%s is renewed by its "
			    "parent %s", name, stands);
		if (X509_check_issued(r->now.cert, r->now.cert) !=
		    X509_V_OK) {
			ERR_clear_error();
			return err_set(err, ERR_REJECT, "the parent of %s is "
			    "not on record here: what renews it is a request "
			    "to that one", name);
		}
		return 0;
	}
	ca_family(r->parent->name, asked, sizeof(asked));
	if (strcmp(asked, stands) != 0)
		return err_set(err, ERR_REJECT, "%s is renewed by %s, not by "
		    "%s", name, stands[0] == '\0' ? "itself" : stands, asked);
	found = ceremony_find(r->c, r->parent->name, &r->above, err);
	if (found != 0)
		return found < 0 ? -1 : err_set(err, ERR_REJECT,
		    "there is no CA %s", r->parent->name);
	return ceremony_check_addresses(&r->now, &r->above, r->parent, err);
}

/* A root has to be in force for a new key too, which its old one certifies. */
static int
check_both(const struct renewal *r, bool new_key, struct err *err)
{
	if ((!new_key || r->parent == NULL) &&
	    ceremony_check_in_force(r->c, &r->now, err) < 0)
		return -1;
	return r->parent == NULL ? 0 :
	    ceremony_check_signs(r->c, &r->above, err);
}

static int
perform(struct renewal *r, bool new_key, struct err *err)
{
	OWNED_FOLDERS f = { -1, -1, -1 };
	struct err ignored;
	int result;

	if (ceremony_open_folders(r->c, &f, err) < 0)
		return -1;
	result = ceremony_act_as(r->c->sign_uid, r->c->sign_gid, err);
	if (result == 0)
		result = new_key ? sign_new_key(r, &f, err) :
		    sign_same_key(r, &f, err);
	if (result == 0)
		result = ceremony_act_as(r->c->store_uid, r->c->store_gid,
		    err);
	if (result == 0)
		result = new_key ? publish_new_key(r, &f, err) :
		    publish_same_key(r, &f, err);
	return ceremony_act_as_self(result == 0 ? err : &ignored) < 0 ? -1 :
	    result;
}

int
ceremony_renew(const struct ceremony *c, const struct ceremony_ca *ca,
    bool new_key, const struct ceremony_parent *parent, struct err *err)
{
	__attribute__((cleanup(renewal_free))) struct renewal r = { .c = c,
		.ca = *ca, .parent = parent };

	r.ca.subject = NULL;	/* that is the old certificate's */
	if (find_both(&r, ca->name, err) < 0 ||
	    check_both(&r, new_key, err) < 0 ||
	    (new_key && ceremony_plan_key(c, &r.now, r.next, &r.ca,
	    err) < 0) ||
	    perform(&r, new_key, err) < 0)
		return -1;
	const struct ceremony_rows rows = { .name = r.ca.name,
		.event = "ca.renewed", .cert = r.cert,
		.parent = parent == NULL ? NULL : &r.above,
		.renews = new_key ? NULL : &r.now,
		.cross = r.cross, .crossed_by = &r.now };

	return ceremony_commit(c, &rows, err);
}
