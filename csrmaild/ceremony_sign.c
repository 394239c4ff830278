#include "csrmaild/ceremony_private.h"
#include "common/ca.h"
#include "common/err.h"
#include "common/issue.h"
#include "common/keystore.h"
#include "common/owned.h"
#include "csrmaild/ca_files.h"

#include <string.h>

#define BACKDATE_S	3600	/* clocks of others may be behind */

/* --- who signs ------------------------------------------------------------ */

void
signatory_close(struct signatory *s)
{
	X509_free(s->cert);
	EVP_PKEY_free(s->key);
	journal_free(s->journal);
	memset(s, 0, sizeof(*s));
}

/* NULL stays NULL: nobody said it. */
static int
expand(const char *pattern, const char *ca, char out[ADDRESS_SIZE],
    const char **where, struct err *err)
{
	if (pattern == NULL)
		return 0;
	*where = out;
	return ca_expand_url(pattern, ca, "", out, ADDRESS_SIZE) == 0 ? 0 :
	    err_set(err, ERR_REJECT, "an address of %s is too long", ca);
}

int
signatory_open(const struct folders *f, const struct ceremony_parent *parent,
    const struct standing *ca, struct signatory *s, struct err *err)
{
	const char *name = ca->name;
	char file[CA_FILE_SIZE];
	int r = ca_load_certificate(f->published, name, &s->cert, err);

	if (r > 0)
		err_set(err, ERR_FAULT,
		    "the certificate of %s is not in published/", name);
	if (r != 0)
		return -1;
	if (expand(parent->ocsp_url, name, s->ocsp_url, &s->issuer.ocsp_url,
	    err) < 0 || expand(parent->ca_url, name, s->ca_url,
	    &s->issuer.ca_url, err) < 0 || expand(parent->crl_url, name,
	    s->crl_url, &s->issuer.crl_url, err) < 0)
		return -1;
	if (!ceremony_has_key(f, name))
		return err_set(err, ERR_REJECT, "the key of %s is not here: "
		    "do this where it is", name);
	ca_file_name(name, ".key", file, sizeof(file));
	if (keystore_load(f->keys, file, parent->passphrase, &s->key,
	    err) < 0 || ceremony_open_journal(f, name, false, &s->journal,
	    err) < 0)
		return -1;
	s->issuer.cert = s->cert;
	s->issuer.key = s->key;
	s->issuer.digest = issue_digest(s->key);
	s->issuer.above = ca->above;
	s->issuer.n_above = ca->n_above;
	return 0;
}

/* --- what is signed ------------------------------------------------------- */

int
ceremony_check(X509 *cert, EVP_PKEY *key, X509 *parent, struct err *err)
{
	X509 *issuer = parent == NULL ? cert : parent;

	if ((key != NULL && X509_check_private_key(cert, key) != 1) ||
	    X509_check_ca(cert) != 1 ||
	    X509_check_issued(issuer, cert) != X509_V_OK ||
	    X509_verify(cert, X509_get0_pubkey(issuer)) != 1)
		return err_openssl(err, ERR_FAULT,
		    "the CA certificate fails our own check");
	return 0;
}

static int
read_dates(X509 *cert, time_t *begin, time_t *end, struct err *err)
{
	return asn1_time_read(X509_get0_notBefore(cert), begin, err) < 0 ||
	    asn1_time_read(X509_get0_notAfter(cert), end, err) < 0 ? -1 : 0;
}

int
ceremony_make_certificate(const struct ceremony *c,
    const struct ceremony_ca *ca, EVP_PKEY *key, X509 *renews,
    const struct issuer *parent, X509 **out, struct err *err)
{
	struct ca_terms terms = {
		.not_before = c->now - BACKDATE_S,
		.not_after = c->now + ca->validity_s,
		.path_len = ca->path_len,
		.constraints = ca->constraints,
		.policies = ca->policies,
		.renews = renews,
		.instead = ca->instead,
	};
	time_t begin, end;

	if (ca->subject != NULL)
		terms.subject = *ca->subject;
	if (renews != NULL && ca->validity_s == 0) {
		if (read_dates(renews, &begin, &end, err) < 0)
			return -1;
		terms.not_after = terms.not_before + (end - begin);
	}
	if (parent != NULL) {
		if (read_dates(parent->cert, &begin, &end, err) < 0)
			return -1;
		if (end <= c->now)
			return err_set(err, ERR_REJECT,
			    "the parent's certificate has expired");
		if (terms.not_before < begin)
			terms.not_before = begin;
		if (terms.not_after > end)
			terms.not_after = end;
	}
	if (serial_generate(&terms.serial, err) < 0)
		return -1;
	return issue_ca(&terms, key, parent, out, err);
}

int
ceremony_obtain_certificate(const struct ceremony *c,
    const struct folders *f, const struct ceremony_ca *ca, EVP_PKEY *key,
    bool left, X509 *renews, const struct issuer *parent,
    struct journal *journal, X509 **out, struct err *err)
{
	OWNED(X509) *cert = NULL;
	int r = ca_load_certificate(f->published, ca->name, &cert, err);

	if (r > 0 && left)
		r = ceremony_find_recorded(journal, key, &cert, err);
	if (r < 0)
		return -1;
	if (r > 0 && ceremony_make_certificate(c, ca, key, renews, parent,
	    &cert, err) < 0)
		return -1;
	if (ceremony_check(cert, key, parent == NULL ? NULL : parent->cert,
	    err) < 0) {
		if (r == 0)
			err_set(err, ERR_FAULT, "a certificate of %s is "
			    "published that fits neither its key nor its "
			    "parent; it is not on record: remove it",
			    ca->name);
		return -1;
	}
	*out = TAKE(cert);
	return 0;
}
