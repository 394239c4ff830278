#include "csrmaild/signer.h"
#include "common/err.h"
#include "common/lint.h"
#include "csrmaild/ca_files.h"
#include "csrmaild/journal.h"
#include "csrmaild/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* RFC 5280, A.1: ub-common-name. */
#define COMMON_NAME_MAX	64
/* As long as a chain may be (csrmaild/authority.h). */
#define MAX_ABOVE	8

/* The profile by its name, as this process read it; the order only says
 * which one the registrar meant. */
static int
find_profile(const struct signer *s, const struct order *order,
    const struct profile **out, struct err *err)
{
	const struct profile *responder = profile_ocsp_responder();
	const struct profile *profile;

	if (strcmp(order->profile, responder->name) == 0)
		profile = responder;
	else
		profile = settings_profile(s->settings, order->profile);
	if (profile == NULL)
		return err_set(err, ERR_FAULT, "there is no profile %s",
		    order->profile);
	if (memcmp(profile->digest, order->profile_digest,
	    sizeof(profile->digest)) != 0)
		return err_set(err, ERR_FAULT,
		    "profile %s changed since this was ordered",
		    order->profile);
	if (profile->ca)
		return err_set(err, ERR_REJECT,
		    "CA certificates are made in a ceremony, not by request");
	/* RFC 6960, 4.2.2.2: whoever holds such a certificate speaks for the
	 * CA; so there is one profile for it, and it is not configured. */
	if (profile->ocsp_responder && profile != responder)
		return err_set(err, ERR_FAULT,
		    "profile %s is for OCSP responders, but only %s is",
		    order->profile, responder->name);
	*out = profile;
	return 0;
}

/* A key of ours belongs in no other certificate. */
static int
check_foreign_key(const struct signer *s, const struct csr *csr,
    struct err *err)
{
	for (size_t i = 0; i < s->n_cas; i++) {
		if (s->cas[i].cert != NULL && memcmp(s->cas[i].key_sha1,
		    csr->key.key_sha1, sizeof(csr->key.key_sha1)) == 0)
			return err_set(err, ERR_REJECT,
			    "the key in the request is the key of a CA");
	}
	return 0;
}

/* What profile_ocsp_responder allows besides the common name. */
static bool
places_organization(int nid)
{
	static const int nids[] = { NID_countryName, NID_organizationName,
		NID_organizationalUnitName, NID_localityName,
		NID_stateOrProvinceName, NID_domainComponent };

	for (size_t i = 0; i < sizeof(nids) / sizeof(nids[0]); i++)
		if (nids[i] == nid)
			return true;
	return false;
}

/* "O=Example, CN=Users CA OCSP responder": the CA's name, not the request's,
 * and within the directoryName constraints that bind what the CA issues. */
static int
responder_names(const struct signer_ca *ca, struct names *out,
    struct err *err)
{
	static const char suffix[] = " OCSP responder";
	__attribute__((cleanup(names_free))) struct names issuer = { 0 };
	char text[COMMON_NAME_MAX + 1];
	const char *name;
	size_t n;

	if (names_read(X509_get_subject_name(ca->cert), NULL, &issuer,
	    err) < 0)
		return -1;
	name = names_common_name(&issuer);
	if (name == NULL)
		name = ca->name;
	n = strlen(name);
	if (n > COMMON_NAME_MAX - strlen(suffix)) {
		n = COMMON_NAME_MAX - strlen(suffix);
		/* Not in the middle of a UTF-8 sequence. */
		while (n > 0 && ((uint8_t)name[n] & 0xc0) == 0x80)
			n--;
	}
	snprintf(text, sizeof(text), "%.*s%s", (int)n, name, suffix);
	for (size_t i = 0; i < issuer.n_attributes; i++)
		if (places_organization(issuer.attributes[i].nid) &&
		    names_add_attribute(out, issuer.attributes[i].nid,
		    bytes_of(issuer.attributes[i].text), err) < 0)
			return -1;
	return names_add_attribute(out, NID_commonName, bytes_of(text), err);
}

static int
digest(struct bytes octets, uint8_t out[32], struct err *err)
{
	if (EVP_Digest(octets.data, octets.len, out, NULL, EVP_sha256(),
	    NULL) != 1)
		return err_openssl(err, ERR_FAULT, "hashing an order");
	return 0;
}

/* Into the journal, and a copy for the caller. */
static int
record(struct signer_ca *ca, const struct order *order,
    const uint8_t order_digest[32], X509 *cert, struct bytes *der,
    struct err *err)
{
	struct journal_issued issued = { .serial = order->serial };
	unsigned char *tbs = NULL, *whole = NULL;
	int tbs_len = i2d_re_X509_tbs(cert, &tbs);
	int len = i2d_X509(cert, &whole);
	OWNED_HEAP(uint8_t) *copy = NULL;
	int r = -1;

	memcpy(issued.order_digest, order_digest, 32);
	if (tbs_len < 0 || len < 0) {
		err_openssl(err, ERR_FAULT, "encoding a certificate");
	} else if ((copy = malloc((size_t)len)) == NULL) {
		err_errno(err, ERR_RETRY, "out of memory for a certificate");
	} else if (digest((struct bytes){ tbs, (size_t)tbs_len },
	    issued.tbs_digest, err) == 0) {
		memcpy(copy, whole, (size_t)len);
		issued.der = (struct bytes){ copy, (size_t)len };
		r = journal_append_issued(ca->journal, &issued, err);
	}
	OPENSSL_free(tbs);
	OPENSSL_free(whole);
	if (r == 0)
		*der = (struct bytes){ TAKE(copy), (size_t)len };
	return r;
}

/* 0: signed before by this very order; 1: never; -1. */
static int
recall(struct signer_ca *ca, const struct order *order,
    const uint8_t order_digest[32], struct bytes *der, struct err *err)
{
	struct journal_issued before;
	uint8_t *copy;
	int r = journal_find(ca->journal, &order->serial, &before, err);

	if (r != 0)
		return r;
	if (memcmp(before.order_digest, order_digest, 32) != 0)
		return err_set(err, ERR_FAULT,
		    "this serial was signed for another order");
	copy = malloc(before.der.len);
	if (copy == NULL)
		return err_errno(err, ERR_RETRY,
		    "out of memory for a certificate");
	memcpy(copy, before.der.data, before.der.len);
	*der = (struct bytes){ copy, before.der.len };
	return 0;
}

/* The CAs above it, nearest first, as far as they are configured here. */
static size_t
find_above(const struct signer *s, X509 *cert, X509 *above[MAX_ABOVE])
{
	size_t n = 0;

	for (bool found = true; found && n < MAX_ABOVE;) {
		found = false;
		for (size_t i = 0; i < s->n_cas && !found; i++) {
			X509 *other = s->cas[i].cert;

			found = other != NULL && X509_cmp(other, cert) != 0 &&
			    X509_check_issued(other, cert) == X509_V_OK;
			if (found)
				cert = above[n++] = other;
		}
	}
	return n;
}

static int
build(struct signer *s, const struct signer_ca *ca,
    const struct order *order, X509 **out, struct err *err)
{
	__attribute__((cleanup(names_free))) struct names names = { 0 };
	OWNED_STRUCT(csr) *csr = NULL;
	OWNED(X509) *cert = NULL;
	const struct profile *profile = NULL;
	struct order own = *order;
	struct signer_addresses addresses;
	X509 *above[MAX_ABOVE];
	struct issuer issuer;

	if (find_profile(s, order, &profile, err) < 0 ||
	    csr_read(order->csr, &csr, err) < 0 ||
	    check_foreign_key(s, csr, err) < 0 ||
	    signer_check_blocked(s, csr->key.spki_sha256, err) < 0)
		return -1;
	if (ca->revoked && !profile->ocsp_responder)
		return err_set(err, ERR_REJECT,
		    "CA %s is revoked: it signs no more", ca->name);
	if (profile->ocsp_responder) {
		if (responder_names(ca, &names, err) < 0)
			return -1;
		own.names = names;	/* borrowed from here */
	}
	if (signer_issuer(ca, order->shard, &addresses, &issuer, err) < 0)
		return -1;
	issuer.above = above;
	issuer.n_above = find_above(s, ca->cert, above);
	if (issue_build(&own, csr, profile, &issuer, &cert, err) < 0 ||
	    lint_certificate(cert, profile, &issuer, err) < 0 ||
	    issue_sign(cert, &issuer, err) < 0)
		return -1;
	*out = TAKE(cert);
	return 0;
}

int
signer_issue(struct signer *s, const struct order *order,
    struct bytes octets, struct bytes *der, struct err *err)
{
	struct signer_ca *ca = signer_find_ca(s, order->ca, err);
	OWNED(X509) *cert = NULL;
	uint8_t order_digest[32];
	int r;

	if (ca == NULL || digest(octets, order_digest, err) < 0)
		return -1;
	if (memcmp(ca->key_sha1, order->issuer_key,
	    sizeof(ca->key_sha1)) != 0)
		return err_set(err, ERR_FAULT,
		    "this was ordered from another key of %s", ca->name);
	r = recall(ca, order, order_digest, der, err);
	if (r <= 0)
		return r;
	if (build(s, ca, order, &cert, err) < 0) {
		signer_check_token(s, ca, err);
		return -1;
	}
	return record(ca, order, order_digest, cert, der, err);
}
