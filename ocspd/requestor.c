#include "ocspd/requestor.h"

#include "common/err.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MAX_CERTIFICATES	1000
#define MAX_DEPTH		8

OWNED_BY(OCSP_REQUEST, OCSP_REQUEST_free)

static void
close_file(FILE *f)
{
	if (f != NULL)
		fclose(f);
}
OWNED_BY(FILE, close_file)

struct requestors {
	X509_STORE	*store;		/* owned */
};

void
requestors_free(struct requestors *r)
{
	if (r == NULL)
		return;
	X509_STORE_free(r->store);
	free(r);
}

/* Trusted for this one purpose, which OpenSSL wants to be told. */
static int
trust(struct requestors *r, X509 *cert)
{
	return X509_add1_trust_object(cert, OBJ_nid2obj(NID_ad_OCSP)) == 1 &&
	    X509_STORE_add_cert(r->store, cert) == 1 ? 0 : -1;
}

static int
read_certificates(struct requestors *r, FILE *f, struct err *err)
{
	for (size_t n = 0;; n++) {
		OWNED(X509) *cert = PEM_read_X509(f, NULL, NULL, NULL);

		if (cert == NULL && n > 0 && ERR_GET_REASON(
		    ERR_peek_last_error()) == PEM_R_NO_START_LINE)
			break;		/* the end of the file */
		if (cert == NULL)
			return err_openssl(err, ERR_FAULT, n == 0 ?
			    "request_anchors: no certificate in PEM" :
			    "request_anchors: a certificate cannot be read");
		if (n == MAX_CERTIFICATES)
			return err_set(err, ERR_FAULT, "request_anchors: more "
			    "than %d certificates", MAX_CERTIFICATES);
		if (trust(r, cert) == -1)
			return err_openssl(err, ERR_FAULT,
			    "trusting a CA for requests");
	}
	ERR_clear_error();
	return 0;
}

int
requestors_new(int fd, struct requestors **out, struct err *err)
{
	OWNED_STRUCT(requestors) *r = calloc(1, sizeof(*r));
	OWNED(FILE) *f = fdopen(fd, "r");
	X509_VERIFY_PARAM *param;

	if (f == NULL)
		close(fd);
	if (r == NULL || f == NULL)
		return err_set(err, ERR_FAULT, "request_anchors: out of "
		    "memory, or no such file");
	r->store = X509_STORE_new();
	if (r->store == NULL)
		return err_openssl(err, ERR_FAULT, "trusting CAs");
	param = X509_STORE_get0_param(r->store);
	X509_VERIFY_PARAM_set_depth(param, MAX_DEPTH);
	/* A CA that is named is enough, wherever it has its own from. */
	if (X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN) != 1)
		return err_openssl(err, ERR_FAULT, "trusting CAs");
	if (read_certificates(r, f, err) == -1)
		return -1;
	*out = TAKE(r);
	return 0;
}

/* The way to a CA first: a stranger's key, which may be of any size, is then
 * never used. */
bool
requestors_know(const struct requestors *r, struct bytes der, time_t now)
{
	const uint8_t *p = der.data;
	OWNED(OCSP_REQUEST) *req = d2i_OCSP_REQUEST(NULL, &p, (long)der.len);
	bool known = false;

	X509_VERIFY_PARAM_set_time(X509_STORE_get0_param(r->store), now);
	if (req != NULL)
		known = OCSP_request_verify(req, NULL, r->store,
		    OCSP_NOSIGS) == 1 && OCSP_request_verify(req, NULL,
		    r->store, OCSP_NOVERIFY) == 1;
	ERR_clear_error();
	return known;
}
