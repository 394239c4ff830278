#include "csrmaild/ceremony_private.h"
#include "common/ca.h"
#include "common/err.h"
#include "common/key.h"
#include "common/owned.h"
#include "common/store.h"

#include <openssl/err.h>

#include <string.h>

/*
 * What is not in force signs no CA, and becomes none: a certificate that was
 * revoked or is on hold, a key that was reported. The store is asked, and the
 * journals, which know more than a store that is back from an old backup.
 */

/* --- keys ----------------------------------------------------------------- */
struct asking {
	const struct ceremony *c;
	const struct folders *f;
	const uint8_t	*spki_sha256;
	bool		 blocked;
	struct err	*err;
};

/* As the signer's user, whose files they are. */
static int
ask_journal(const struct ca_row *row, void *arg)
{
	struct asking *a = arg;
	OWNED_STRUCT(journal) *journal = NULL;
	struct err ignored;
	int r;

	if (ceremony_act_as(a->c->sign_uid, a->c->sign_gid, a->err) < 0)
		return -1;
	if (!ceremony_has_journal(a->f, row->name))
		r = 1;
	else if (ceremony_open_journal(a->f, row->name, false, &journal,
	    a->err) < 0)
		/* Held: by this ceremony, which asks it itself, or by a signer
		 * whose registrar's store says the same. */
		r = a->err->kind == ERR_RETRY ? 1 : -1;
	else
		r = journal_is_blocked(journal, a->spki_sha256, a->err);
	if (r == 0)
		a->blocked = true;
	return ceremony_act_as_self(r < 0 ? &ignored : a->err) < 0 || r < 0 ?
	    -1 : 0;
}

static int
refuse_key(const char *ca, struct err *err)
{
	return err_set(err, ERR_REJECT, "the key of %s is blocked: it was "
	    "reported, or others have it. Make a new one", ca);
}

int
ceremony_check_key(const struct ceremony *c, const char *ca,
    const uint8_t spki_sha256[32], struct err *err)
{
	OWNED_FOLDERS f = { -1, -1, -1 };
	struct asking a = { .c = c, .f = &f, .spki_sha256 = spki_sha256,
		.err = err };
	int r = store_is_key_blocked(c->store, spki_sha256, NULL, err);

	if (r <= 0)
		return r < 0 ? -1 : refuse_key(ca, err);
	if (ceremony_open_folders(c, &f, err) < 0 ||
	    store_each_ca(c->store, ask_journal, &a, err) < 0)
		return -1;
	return a.blocked ? refuse_key(ca, err) : 0;
}

int
ceremony_check_made_key(const struct ceremony *c, const char *ca,
    EVP_PKEY *key, struct journal *held, struct err *err)
{
	unsigned char *spki = NULL;
	uint8_t digest[32];
	int len = i2d_PUBKEY(key, &spki), r = -1;

	if (len > 0)
		r = key_digest_spki((struct bytes){ spki, (size_t)len },
		    digest, err);
	else
		err_openssl(err, ERR_FAULT, "encoding a key");
	OPENSSL_free(spki);
	if (r < 0)
		return -1;
	r = held == NULL ? 1 : journal_is_blocked(held, digest, err);
	if (r <= 0)
		return r < 0 ? -1 : refuse_key(ca, err);
	return ceremony_act_as_self(err) < 0 ||
	    ceremony_check_key(c, ca, digest, err) < 0 ? -1 :
	    ceremony_act_as(c->sign_uid, c->sign_gid, err);
}

int
ceremony_check_strength(X509 *cert, struct err *err)
{
	struct key_facts facts;
	struct err why = { 0 };

	if (key_examine(X509_get_X509_PUBKEY(cert), &facts, &why) == 0)
		return 0;
	return err_set(err, ERR_REJECT, "the CA's key does not sign here "
	    "(%s): give its certificates without the key, and make a new CA",
	    why.text);
}

/* --- certificates --------------------------------------------------------- */
struct ended {
	struct bytes	 der;		/* the CA's present certificate */
	struct serial	 serial;
	bool		 yes;
};

/* One before it, which this one superseded, may be revoked for that. */
static int
see_revoked(const struct cert_row *row, void *arg)
{
	struct ended *ended = arg;
	const uint8_t *at = row->der.data;
	OWNED(X509) *cert = NULL;

	if (row->state != CERT_REVOKED || row->der.len == 0)
		return 0;
	cert = d2i_X509(NULL, &at, (long)row->der.len);
	if (cert != NULL && X509_check_ca(cert) == 1 &&
	    (row->reason != CRL_SUPERSEDED ||
	    bytes_equal(row->der, ended->der)))
		ended->yes = true;
	ERR_clear_error();
	return 0;
}

static int
see_entry(const struct journal_issued *issued, const struct crl_entry *entry,
    const struct crl_terms *crl, const struct journal_blocked *blocked,
    void *arg)
{
	struct ended *ended = arg;

	(void)issued, (void)crl, (void)blocked;
	if (entry != NULL && serial_equal(&entry->serial, &ended->serial))
		ended->yes = entry->reason != CRL_REMOVE_FROM_CRL;
	return 0;
}

/* What its issuer's journal says of it, if that one signs here. */
static int
ask_issuer(const struct ceremony *c, const struct standing *ca,
    struct ended *ended, struct err *err)
{
	OWNED_FOLDERS f = { -1, -1, -1 };
	OWNED_STRUCT(journal) *journal = NULL;
	struct err ignored;
	int r;

	if (ceremony_open_folders(c, &f, err) < 0 ||
	    ceremony_act_as(c->sign_uid, c->sign_gid, err) < 0)
		return -1;
	r = !ceremony_has_journal(&f, ca->parent) ? 0 :
	    ceremony_open_journal(&f, ca->parent, false, &journal, err);
	if (r == 0 && journal != NULL)
		r = journal_each(journal, see_entry, ended, err);
	return ceremony_act_as_self(r == 0 ? err : &ignored) < 0 ? -1 : r;
}

int
ceremony_check_in_force(const struct ceremony *c, const struct standing *ca,
    struct err *err)
{
	OWNED_BUF(der, JOURNAL_MAX_DER);
	uint8_t spki_sha256[32];
	const struct cert_filter filter = { .state = CERT_REVOKED,
		.spki_sha256 = spki_sha256, .limit = 1000 };
	struct ended ended = { .yes = false };

	if (key_digest_certificate(ca->cert, spki_sha256, err) < 0 ||
	    ceremony_check_key(c, ca->name, spki_sha256, err) < 0)
		return -1;
	if (ca->parent[0] == '\0')
		return 0;	/* nobody says more of a root */
	if (ceremony_encode(ca->cert, &der, err) < 0 || serial_from_asn1(
	    X509_get0_serialNumber(ca->cert), &ended.serial, err) < 0)
		return -1;
	ended.der = buf_bytes(&der);
	if (ask_issuer(c, ca, &ended, err) < 0 ||
	    store_find_certificate(c->store, 0, &ended.serial, see_revoked,
	    &ended, err) < 0 || store_each_certificate(c->store, &filter,
	    see_revoked, &ended, err) < 0)
		return -1;
	return !ended.yes ? 0 : err_set(err, ERR_REJECT, "%s was revoked or "
	    "is on hold: its key signs no CA and gets no other certificate, "
	    "a new key may", ca->name);
}

int
ceremony_check_signs(const struct ceremony *c, const struct standing *ca,
    struct err *err)
{
	char parent[CA_NAME_MAX + 1];

	if (ceremony_check_in_force(c, ca, err) < 0)
		return -1;
	memcpy(parent, ca->parent, sizeof(parent));
	for (int i = 0; parent[0] != '\0' && i < STANDING_ABOVE; i++) {
		OWNED_STANDING above = { 0 };
		int r = ceremony_find_exactly(c, parent, &above, err);

		if (r != 0)
			return r < 0 ? -1 : 0;
		if (ceremony_check_in_force(c, &above, err) < 0)
			return -1;
		memcpy(parent, above.parent, sizeof(parent));
	}
	return 0;
}

/* --- subjects ------------------------------------------------------------- */

static bool
bears(X509 *cert, const X509_NAME *subject)
{
	return X509_NAME_cmp(X509_get_subject_name(cert), subject) == 0 ||
	    X509_NAME_cmp(X509_get_issuer_name(cert), subject) == 0;
}

int
ceremony_check_above(const struct standing *above, const X509_NAME *subject,
    struct err *err)
{
	bool same = bears(above->cert, subject);

	for (size_t i = 0; i < above->n_above; i++)
		same = same || bears(above->above[i], subject);
	return !same ? 0 : err_set(err, ERR_REJECT, "%s or a CA above it has "
	    "this subject: a CA below needs another one", above->name);
}

struct sisters {
	const X509_NAME	*subject;
	char		 parent[CA_NAME_MAX + 1];	/* family; "" */
	char		 same[CA_NAME_MAX + 1];		/* found; "" */
};

static int
see_sister(const struct ca_row *row, void *arg)
{
	struct sisters *s = arg;
	char parent[CA_NAME_MAX + 1];
	const uint8_t *at = row->cert.data;
	OWNED(X509) *cert = d2i_X509(NULL, &at, (long)row->cert.len);

	ca_family(row->parent, parent, sizeof(parent));
	if (cert != NULL && strcmp(parent, s->parent) == 0 && X509_NAME_cmp(
	    X509_get_subject_name(cert), s->subject) == 0)
		ca_family(row->name, s->same, sizeof(s->same));
	ERR_clear_error();
	return 0;
}

int
ceremony_check_subject(const struct ceremony *c, const struct standing *above,
    const X509_NAME *subject, struct err *err)
{
	struct sisters s = { .subject = subject };

	if (above != NULL && ceremony_check_above(above, subject, err) < 0)
		return -1;
	if (above != NULL)
		ca_family(above->name, s.parent, sizeof(s.parent));
	if (store_each_ca(c->store, see_sister, &s, err) < 0)
		return -1;
	return s.same[0] == '\0' ? 0 : err_set(err, ERR_REJECT, "this is the "
	    "subject of the CA %s: another CA needs another one", s.same);
}
