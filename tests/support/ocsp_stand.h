#ifndef TESTS_SUPPORT_OCSP_STAND_H
#define TESTS_SUPPORT_OCSP_STAND_H

#include "common/store.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

/*
 * A CA and a store for tests of ocspd: what csrmaild would do, done by hand
 * in one folder. Fails the test when anything does not work.
 */
struct stand {
	char		 dir[64];
	char		 name[64];	/* of the CA */
	struct store	*store;
	int64_t		 ca_id;
	EVP_PKEY	*key;
	X509		*ca;
};

/* A folder of its own, a CA of that name with a P-256 key, ca.pem. */
void	stand_open(struct stand *, const char *ca_name);
/* A CA below it, serial c0ffee, in the same folder and store: closed with
 * stand_close_child, before the parent. */
void	stand_open_child(const struct stand *parent, struct stand *,
	    const char *ca_name);
void	stand_close_child(struct stand *);
/* The store is closed; the folder stays when keep is set. */
void	stand_close(struct stand *, bool keep);

/* Issue; the certificate is the caller's. */
X509	*stand_issue(struct stand *, const char *serial_hex);
void	stand_revoke(struct stand *, const char *serial_hex,
	    enum crl_reason, time_t invalidity);
/* Lift a hold. */
void	stand_release(struct stand *, const char *serial_hex);
/* A responder certificate for this request, on record in the store. */
void	stand_certify(struct stand *, X509_REQ *, time_t from, time_t to);
/* Do so for each request of this CA in DIR/state/spool; how many. From an hour
 * ago for two weeks, or as told. */
int	stand_certify_spool(struct stand *);
int	stand_certify_spool_for(struct stand *, time_t from, time_t to);
/* How many requests wait there. */
int	stand_count_spool(const struct stand *);

#endif
