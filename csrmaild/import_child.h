#ifndef CSRMAILD_IMPORT_CHILD_H
#define CSRMAILD_IMPORT_CHILD_H

#include "common/bytes.h"
#include "common/crl.h"
#include "common/serial.h"
#include "csrmaild/sealed.h"

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct err;

/*
 * What another CA's files say, read behind walls: certificates, and the rows
 * of databases as JSON. A child reads one after another; when one kills it,
 * that one is unreadable, and a new child goes on with the next. So a child
 * that a certificate has taken over can say false things of those after it,
 * and no more: it has no key, no file and no store.
 */
#define IMPORT_ITEM_MAX		((size_t)256 * 1024)
#define IMPORT_TEXT_MAX		1024

enum import_state {
	IMPORT_VALID = 1,
	IMPORT_REVOKED,
	IMPORT_EXPIRED,		/* as the old CA wrote; it was not revoked */
};

struct import_entry {
	struct serial	 serial;
	enum import_state state;
	time_t		 revoked_at;
	enum crl_reason	 reason;
	bool		 reason_is_odd;	/* not one of RFC 5280: taken as none */
	bool		 is_doubtful;	/* a row that cannot be read well, and
					 * is taken as revoked */
	time_t		 invalidity;	/* 0: none */
	time_t		 not_before;	/* 0: unknown */
	time_t		 not_after;	/* 0: unknown */
	char		 subject[IMPORT_TEXT_MAX];	/* as openssl writes it:
					 * "/CN=a" */
	/* The rest from the certificate; der empty where there is none. */
	struct bytes	 der;		/* borrowed until the next call */
	char		 names[IMPORT_TEXT_MAX];	/* names_describe */
	uint8_t		 spki_sha256[32];
	struct bytes	 modulus;	/* RSA, 128..1024 octets; else empty */
	bool		 is_of_ca;	/* issuer's name and signature fit */
	bool		 is_ca;		/* a CA's itself */
	char		 weak[160];	/* what is wrong with the key; "" */
	char		 urls[IMPORT_TEXT_MAX];	/* CRLs and OCSP, by spaces */
};

struct import_child {
	struct sealed	 sealed;
	struct buf	 said;
	uint32_t	 number;	/* of the last request */
	bool		 keys_are_known;	/* do not look for weak ones,
					 * which takes longest */
};
/* ca: the certificate of the CA in DER; borrowed until import_child_end. */
int	import_child_start(const struct bytes *ca, struct import_child *,
	    struct err *);
void	import_child_end(struct import_child *);

/* A certificate: a file with one in PEM, with any text around it, or in DER.
 * 0; 1: cannot be read, why says what (160 octets). state is as it was. */
int	import_read_certificate(struct import_child *, struct bytes,
	    struct import_entry *, char why[160], struct err *);
/* One JSON object: a row of cfssl's certificates, or of step-ca's revoked
 * ones. Whose status or date of revocation cannot be read is revoked; so is a
 * revoked one whatever else is wrong with it. */
int	import_read_json(struct import_child *, struct bytes,
	    struct import_entry *, char why[160], struct err *);

#endif
