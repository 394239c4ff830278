#ifndef CSRMAILD_CEREMONY_PRIVATE_H
#define CSRMAILD_CEREMONY_PRIVATE_H

#include "csrmaild/ceremony.h"
#include "common/issue.h"
#include "csrmaild/journal.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <stdbool.h>

/* What the files of the ceremonies share. Nobody else includes this. */

/* --- ceremony.c ---------------------------------------------------------- */
/* Says what a CA's name must be; returns -1. */
int	ceremony_refuse_name(struct err *);

/* A CA as it is on record. */
#define STANDING_ABOVE	8
struct standing {
	int64_t		 id;		/* 0: none */
	char		 name[CA_NAME_MAX + 1];	/* of the generation */
	char		 parent[CA_NAME_MAX + 1];
	X509		*cert;		/* owned */
	X509		*above[STANDING_ABOVE];	/* owned: the CAs above it,
						 * nearest first */
	size_t		 n_above;
};
void	standing_free(struct standing *);
#define OWNED_STANDING	__attribute__((cleanup(standing_free))) struct standing

/* --- ceremony_files.c: keys, journals, what is published ----------------- */
struct folders {
	int	keys, journal, published;	/* owned */
};
void	folders_close(struct folders *);
#define OWNED_FOLDERS	__attribute__((cleanup(folders_close))) struct folders

/*
 * Keys and journals belong to the signer, published files to the registrar.
 * Root makes them by being that user for the time of it: then no file is ever
 * there with a wrong owner, and the key store's own checks hold.
 */
int	ceremony_act_as(uid_t, gid_t, struct err *);
int	ceremony_act_as_self(struct err *);
int	ceremony_open_folders(const struct ceremony *, struct folders *,
	    struct err *);

/* The key that a ceremony cut off left behind (*left), or a new one. */
int	ceremony_obtain_key(const struct folders *, const struct ceremony_ca *,
	    EVP_PKEY **out, bool *left, struct err *);
bool	ceremony_has_key(const struct folders *, const char *ca);
bool	ceremony_has_journal(const struct folders *, const char *ca);
int	ceremony_open_journal(const struct folders *, const char *ca,
	    bool create, struct journal **out, struct err *);
/* A certificate that the journal's CA signed; one that it holds already is
 * left as it is. On disk when this returns. */
int	ceremony_record(struct journal *, X509 *, struct err *);
/* The last CA certificate of that key that the journal's CA signed. 1: none.
 * Owned. */
int	ceremony_find_recorded(struct journal *, EVP_PKEY *, X509 **out,
	    struct err *);
/* published/CA, infix (".cross" or ""), .pem and .crt; PEM first: a ceremony
 * goes by the .crt, which is there last. */
int	ceremony_publish(const struct folders *, const char *ca,
	    const char *infix, X509 *, struct err *);
/* published/CA.crl.pem and CA.crl, which bears its thisUpdate as time of
 * modification: publish.c goes by that. */
int	ceremony_publish_crl(const struct folders *, const char *ca,
	    struct bytes der, time_t this_update, struct err *);
bool	ceremony_has_crl(const struct folders *, const char *ca);
/* published/CA.SERIAL.crt: one that gives its place to another. */
int	ceremony_keep(const struct folders *, const char *ca, X509 *,
	    struct err *);
int	ceremony_encode(X509 *, struct buf *der, struct err *);

/* --- ceremony_sign.c: certificates ---------------------------------------- */
#define ADDRESS_SIZE	512
/* The CA that signs, its key open and its journal held. */
struct signatory {
	X509		*cert;		/* all owned */
	EVP_PKEY	*key;
	struct journal	*journal;
	char		 ocsp_url[ADDRESS_SIZE], ca_url[ADDRESS_SIZE],
			 crl_url[ADDRESS_SIZE];
	struct issuer	 issuer;	/* borrows the above */
};
void	signatory_close(struct signatory *);
#define OWNED_SIGNATORY	__attribute__((cleanup(signatory_close))) \
	struct signatory
/* The standing is borrowed for as long. */
int	signatory_open(const struct folders *, const struct ceremony_parent *,
	    const struct standing *, struct signatory *, struct err *);

/* As a stranger would check it. key NULL: not at hand; parent NULL: a root. */
int	ceremony_check(X509 *, EVP_PKEY *key, X509 *parent, struct err *);
/* parent NULL: a root. renews: as in struct ca_terms. */
int	ceremony_make_certificate(const struct ceremony *,
	    const struct ceremony_ca *, EVP_PKEY *, X509 *renews,
	    const struct issuer *parent, X509 **out, struct err *);
/*
 * What a ceremony that was cut off published, or at least signed, or a new
 * one. journal: the issuer's; left: the key is not from today.
 */
int	ceremony_obtain_certificate(const struct ceremony *,
	    const struct folders *, const struct ceremony_ca *, EVP_PKEY *,
	    bool left, X509 *renews, const struct issuer *parent,
	    struct journal *, X509 **out, struct err *);

/* --- ceremony_renew.c ---------------------------------------------------- */
/* What the next key of a CA is called (into next, to which ca->name points
 * then), and its kind, as before unless ca says it. */
int	ceremony_plan_key(const struct ceremony *, const struct standing *now,
	    char next[CA_NAME_MAX + 1], struct ceremony_ca *ca, struct err *);
/* What the certificate says of its parent's addresses is of another key of the
 * parent (above): then the addresses have to be told anew. */
int	ceremony_check_addresses(const struct standing *now,
	    const struct standing *above, const struct ceremony_parent *,
	    struct err *);

/* --- ceremony_adopt.c ---------------------------------------------------- */
/* By name and signature; false too when it is no certificate. */
bool	ceremony_is_signed_by(X509 *, struct bytes parent_der);

/* --- ceremony_force.c: what neither signs nor is signed ------------------- */
/* Blocked in the store, or in a journal of the folder: ERR_REJECT. As nobody
 * but ourselves. ca: whose it is, for the message. */
int	ceremony_check_key(const struct ceremony *, const char *ca,
	    const uint8_t spki_sha256[32], struct err *);
/* The same of one that was just made or found, as the signer's user. held: a
 * journal that the ceremony has open; NULL: none. */
int	ceremony_check_made_key(const struct ceremony *, const char *ca,
	    EVP_PKEY *, struct journal *held, struct err *);
/* Of a certificate whose key is to sign here. */
int	ceremony_check_strength(X509 *, struct err *);
/* ERR_REJECT: the key is blocked, or a certificate of it was revoked or is on
 * hold, but for those that were superseded. The issuer's journal must not be
 * held. */
int	ceremony_check_in_force(const struct ceremony *,
	    const struct standing *, struct err *);
/* The same of it and of all CAs above it that are on record. */
int	ceremony_check_signs(const struct ceremony *, const struct standing *,
	    struct err *);
/* Has it, or a CA above it, that name? */
int	ceremony_check_above(const struct standing *, const X509_NAME *,
	    struct err *);
/* That, and has another CA below it? NULL: another root. */
int	ceremony_check_subject(const struct ceremony *,
	    const struct standing *above, const X509_NAME *, struct err *);

/* --- ceremony_rows.c: the store ------------------------------------------ */
/* A CA as people say it (ca_is_meant); of a family the generation that signs
 * now. 1: none. */
int	ceremony_find(const struct ceremony *, const char *name,
	    struct standing *, struct err *);
/* That one key, by its name on record: of "users" the first. 1: none. */
int	ceremony_find_exactly(const struct ceremony *, const char *name,
	    struct standing *, struct err *);
/* The newest generation of a family: its number; 0: none. */
int	ceremony_newest(const struct ceremony *, const char *family,
	    unsigned int *out, struct err *);
/* Is this one of the CA's certificates on record? */
int	ceremony_is_on_record(const struct ceremony *, int64_t ca, X509 *,
	    bool *out, struct err *);

/*
 * One transaction: the CA, the row of its certificate under its parent, the
 * audit record (event: "ca.created"), and warnings that two CAs end together.
 */
struct ceremony_rows {
	const char	*name, *event;
	const struct standing *parent;	/* NULL: none on record */
	X509		*cert;
	const struct standing *renews;	/* in the place of this certificate */
	/* The old root's about the new key; with its own row under the old. */
	X509		*cross;
	const struct standing *crossed_by;
};
int	ceremony_commit(const struct ceremony *, const struct ceremony_rows *,
	    struct err *);

#endif
