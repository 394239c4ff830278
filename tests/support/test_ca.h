#ifndef TESTS_SUPPORT_TEST_CA_H
#define TESTS_SUPPORT_TEST_CA_H

#include "common/csr.h"
#include "common/issue.h"

/* A root CA valid from a day before NOON for ten years, with addresses. */
struct test_ca {
	EVP_PKEY	*key;
	X509		*cert;
	struct issuer	 issuer;
};
void	test_ca_make(struct test_ca *, enum key_kind);
void	test_ca_free(struct test_ca *);

/* One requested extension, as openssl.cnf writes it; ends with name NULL. */
struct test_extension {
	const char	*name;	/* "subjectAltName", or dotted with DER: */
	const char	*value;	/* "DNS:www.example.test", "DER:0500" */
};
/* A request for CN=cn (NULL: no subject), signed with the key; digest NULL
 * for Edwards keys. Owned. */
X509_REQ *test_req(EVP_PKEY *, const char *cn,
	    const struct test_extension *, const EVP_MD *digest);
/* The same, read by csr_read, which must accept it. Owned. */
struct csr *test_csr(EVP_PKEY *, const char *cn,
	    const struct test_extension *);
/* DER of a request into out, which must take it. */
void	test_req_der(X509_REQ *, struct buf *out);

/* An order for what the request asks, 30 days from NOON. Borrows the csr's
 * DER; names are the order's own: names_free(&order->names). */
void	test_order(struct order *, const struct csr *, const struct profile *,
	    const struct test_ca *);
/* The shipped profile of that name. Owned. */
struct profile *test_profile(const char *name);

#endif
