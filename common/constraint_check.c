#include "common/constraint_check.h"

#include "common/constraints.h"
#include "common/err.h"
#include "common/names.h"
#include "common/owned.h"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <stdbool.h>
#include <stdio.h>

/*
 * A certificate with these names alone: OpenSSL looks at what it has read of
 * a certificate before, and the one that is being built must stay unread.
 * NULL when there is no memory.
 */
static X509 *
bearer_of(const X509_NAME *subject, GENERAL_NAMES *sans)
{
	OWNED(X509) *bearer = X509_new();

	if (bearer == NULL || (subject != NULL &&
	    X509_set_subject_name(bearer, subject) != 1) ||
	    (sans != NULL && X509_add1_ext_i2d(bearer, NID_subject_alt_name,
	    sans, 0, X509V3_ADD_APPEND) != 1))
		return NULL;
	X509_check_purpose(bearer, -1, 0);	/* reads the extension */
	return TAKE(bearer);
}

static bool
is_outside(const X509_NAME *subject, GENERAL_NAME *san,
    NAME_CONSTRAINTS *constraints)
{
	GENERAL_NAMES *one = san == NULL ? NULL : GENERAL_NAMES_new();
	OWNED(X509) *bearer = NULL;

	if (one != NULL)
		sk_GENERAL_NAME_push(one, san);
	bearer = bearer_of(subject, one);
	sk_GENERAL_NAME_free(one);	/* the name stays its owner's */
	return bearer != NULL &&
	    NAME_CONSTRAINTS_check(bearer, constraints) != X509_V_OK;
}

/* The first name that is outside, as text. */
static void
name_culprit(const X509_NAME *subject, GENERAL_NAMES *sans,
    NAME_CONSTRAINTS *constraints, char *out, size_t size)
{
	__attribute__((cleanup(names_free))) struct names names = { 0 };
	struct err err;

	if (names_read(subject, sans, &names, &err) == -1)
		return;
	for (size_t i = 0; i < names.n_sans; i++)
		if (is_outside(NULL, sk_GENERAL_NAME_value(sans, (int)i),
		    constraints)) {
			snprintf(out, size, "%s:%.80s",
			    san_kind_name(names.sans[i].kind),
			    names.sans[i].text);
			return;
		}
	names.n_sans = 0;
	names_describe(&names, out, size);
}

static bool
has_dns_name(const GENERAL_NAMES *sans)
{
	for (int i = 0; sans != NULL && i < sk_GENERAL_NAME_num(sans); i++)
		if (sk_GENERAL_NAME_value(sans, i)->type == GEN_DNS)
			return true;
	return false;
}

int
constraint_check(const X509 *cert, const X509 *ca, struct err *err)
{
	int critical = -1, r;
	OWNED(NAME_CONSTRAINTS) *constraints = X509_get_ext_d2i(ca,
	    NID_name_constraints, &critical, NULL);
	OWNED(GENERAL_NAMES) *sans = NULL;
	OWNED(X509) *bearer = NULL;
	char culprit[101] = "the subject", trees[101];

	if (constraints == NULL && critical == -1)
		return 0;
	if (constraints == NULL)
		return err_openssl(err, ERR_FAULT,
		    "the CA's name constraints cannot be read");
	sans = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	bearer = bearer_of(X509_get_subject_name(cert), sans);
	if (bearer == NULL)
		return err_openssl(err, ERR_RETRY,
		    "holding names against the CA's constraints");
	r = NAME_CONSTRAINTS_check(bearer, constraints);
	if (r == X509_V_OK && !has_dns_name(sans))
		r = NAME_CONSTRAINTS_check_CN(bearer, constraints);
	ERR_clear_error();
	if (r == X509_V_OK)
		return 0;
	name_culprit(X509_get_subject_name(cert), sans, constraints, culprit,
	    sizeof(culprit));
	constraints_describe(ca, trees, sizeof(trees));
	ERR_clear_error();
	return err_set(err, ERR_REJECT, "%s is outside of what the CA may "
	    "certify: it %s (RFC 5280, 4.2.1.10)", culprit, trees);
}
