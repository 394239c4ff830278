#include "csrmaild/ctl/chain.h"

#include "common/err.h"
#include "common/owned.h"
#include "common/store.h"

#include <openssl/x509_vfy.h>

#include <stdbool.h>
#include <stdio.h>

void
chain_free(struct chain *chain)
{
	for (size_t i = 0; i < chain->n; i++)
		X509_free(chain->certs[i]);
	chain->n = 0;
}

static int
add_link(const struct ca_row *row, void *arg)
{
	struct chain *chain = arg;
	const uint8_t *at = row->cert.data;
	X509 *cert = d2i_X509(NULL, &at, (long)row->cert.len);

	snprintf(chain->parent, sizeof(chain->parent), "%s", row->parent);
	if (cert != NULL)
		chain->certs[chain->n++] = cert;
	return 0;
}

/* The CA and those above it, as they are on record. */
int
chain_load(struct store *store, const char *name, struct chain *out,
    struct err *err)
{
	snprintf(out->parent, sizeof(out->parent), "%s", name);
	while (out->parent[0] != '\0' && out->n < CERTS_ONLY_MAX) {
		char next[CA_NAME_MAX + 1];

		snprintf(next, sizeof(next), "%s", out->parent);
		out->parent[0] = '\0';
		if (store_find_ca(store, next, add_link, out, err) < 0)
			return -1;
	}
	return out->n > 0 ? 0 : err_set(err, ERR_FAULT, "%s has no "
	    "certificate on record", name);
}

/* The certificates in their order, leaf first: each is issued by the next, and
 * all of them belong to it. */
int
chain_sort(struct chain *chain, struct err *err)
{
	for (size_t i = 0; i + 1 < chain->n; i++) {
		size_t leaf = i;

		/* In what is left: the one that issued none of the others. */
		for (size_t k = i; k < chain->n; k++) {
			bool issues = false;

			for (size_t j = i; j < chain->n; j++)
				issues |= j != k && X509_check_issued(
				    chain->certs[k], chain->certs[j]) ==
				    X509_V_OK;
			if (!issues)
				leaf = k;
		}
		X509 *moved = chain->certs[i];

		chain->certs[i] = chain->certs[leaf];
		chain->certs[leaf] = moved;
		if (i > 0 && X509_check_issued(chain->certs[i],
		    chain->certs[i - 1]) != X509_V_OK)
			return err_set(err, ERR_REJECT, "the file holds "
			    "certificates that are no chain");
	}
	return 0;
}

/* As a stranger would: to the root in it, all of it now (RFC 5280, 6). */
int
chain_verify(const struct chain *chain, struct err *err)
{
	X509 *root = chain->certs[chain->n - 1];
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	STACK_OF(X509) *others = sk_X509_new_null();
	int r = -1;

	for (size_t i = 1; others != NULL && i + 1 < chain->n; i++)
		sk_X509_push(others, chain->certs[i]);
	if (store == NULL || ctx == NULL || others == NULL ||
	    X509_STORE_add_cert(store, root) != 1 ||
	    X509_STORE_set_flags(store, X509_V_FLAG_X509_STRICT |
	    X509_V_FLAG_CHECK_SS_SIGNATURE) != 1 ||
	    X509_STORE_CTX_init(ctx, store, chain->certs[0], others) != 1)
		err_openssl(err, ERR_RETRY, "verifying the chain");
	else if (X509_check_issued(root, root) != X509_V_OK)
		err_set(err, ERR_REJECT, "the file does not hold the chain up "
		    "to its root");
	else if (X509_verify_cert(ctx) != 1)
		err_set(err, ERR_REJECT, "the chain does not hold: %s",
		    X509_verify_cert_error_string(
		    X509_STORE_CTX_get_error(ctx)));
	else
		r = 0;
	sk_X509_free(others);
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	return r;
}
