#ifndef COMMON_LINT_PRIVATE_H
#define COMMON_LINT_PRIVATE_H

#include "common/der.h"
#include "common/lint.h"
#include "common/lint_rules.h"

#include <time.h>

/*
 * What the files of the linter share; nobody else includes this.
 *
 * Checks return nothing: they call lint_found and go on where they can. What
 * cannot be read is a finding, and ends the check that met it.
 */
enum lint_id {
#define RULE(name, id, severity, refuses, section, text) LINT_##name,
	LINT_RULES(RULE)
#undef RULE
	LINT_N_RULES
};

/* Which certificates are expected. */
enum lint_role {
	LINT_ANY,		/* as it says itself */
	LINT_END_ENTITY,
	LINT_CA,
};

struct lint {
	const struct profile	*profile;	/* NULL: none */
	const struct issuer	*issuer;	/* NULL: not known */
	bool			 signing;	/* before the CA key signs it */
	enum lint_role		 role;

	/* Of the issuer, or of the document itself when it is self-signed. */
	bool			 has_issuer;
	struct bytes		 issuer_name;	/* subject of the issuer */
	struct bytes		 issuer_key_id;
	time_t			 issuer_from, issuer_until;
	long			 issuer_path;	/* -1: no limit */
	enum key_kind		 issuer_kind;	/* 0: not known */

	/* Of the document, as far as it is read. */
	bool			 has_key;
	struct key_facts	 key;
	struct bytes		 subject;	/* Name, whole */
	bool			 subject_empty;
	bool			 self_issued;
	bool			 is_ca;		/* basicConstraints, cA */
	bool			 has_path;
	uint32_t		 path;
	bool			 has_usage;
	uint32_t		 usage;		/* bit n: bit n of keyUsage */
	bool			 signs_ocsp;	/* among extendedKeyUsage */
	uint32_t		 consistent;	/* usages with purposes */
	bool			 any_purpose, other_purpose;
	bool			 has_ski;
	bool			 has_nocheck;
	bool			 has_no_rev_avail;
	bool			 tells_revocation;	/* an address of CRL or
						 * OCSP is there */

	lint_report		*report;
	void			*arg;
	bool			 stopped;
	bool			 no_memory;
	uint8_t			 told[LINT_N_RULES];
};

/* A finding in the rule's own words. */
void	lint_found(struct lint *, enum lint_id);
/* In other words, with a nearer section (NULL: the rule's). Others' text in
 * it must be ASCII. */
void	lint_found_as(struct lint *, enum lint_id, const char *section,
	    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* An OID in digits, for people; cut to size. */
void	lint_oid_text(struct bytes oid, char *out, size_t size);

/* "static const uint8_t x[]" as bytes. */
#define LINT_OID(array)	((struct bytes){ (array), sizeof(array) })

/* --- lint_field.c: what several documents have --- */
#define LINT_UTC_TIME		0x17
#define LINT_GENERALIZED_TIME	0x18
#define LINT_ENUMERATED		0x0a
/* UTCTime through 2049, GeneralizedTime from 2050 on (RFC 5280, 4.1.2.5). */
bool	lint_read_time(uint8_t tag, struct bytes, time_t *out);
/* YYYYMMDDHHMMSSZ of any year (RFC 5280, 4.1.2.5.2). */
bool	lint_read_generalized_time(uint8_t tag, struct bytes, time_t *out);
/* 1 to 20 octets, positive (RFC 5280, 4.1.2.2). */
bool	lint_is_serial(struct bytes);
/* A small non-negative INTEGER. */
bool	lint_read_number(struct bytes, uint32_t *out);
/* An AlgorithmIdentifier's content. key: of whoever signed; 0 not known;
 * mismatch is then found as that rule. */
void	lint_algorithm(struct lint *, struct bytes content, enum key_kind key,
	    enum lint_id mismatch);
/* A BIT STRING's content: no unused bits, at least one octet. */
void	lint_signature(struct lint *, struct bytes content);

/* --- lint_key.c --- */
/* A whole SubjectPublicKeyInfo; leaves its facts, but for spki_sha256. */
void	lint_key(struct lint *, struct bytes spki);

/* --- lint_name.c --- */
/* The content of a Name; whose is "subject" or "issuer". */
void	lint_name(struct lint *, struct bytes name, const char *whose);
void	lint_subject_profile(struct lint *, struct bytes subject);
/* One GeneralName of a subjectAltName. */
void	lint_general_name(struct lint *, uint8_t tag, struct bytes name,
	    uint32_t *kinds);
/* A URI of http, https, ldap or ldaps. */
bool	lint_is_address(struct bytes uri);

/* --- extensions --- */
struct lint_extension {
	struct bytes	 oid;		/* content */
	struct bytes	 value;		/* extnValue's content, one element */
	bool		 critical;
};
/* One Extension off the list: 1; 0 at its end; -1 when it is malformed and
 * skipped; the finding is made under form. */
int	lint_next_extension(struct lint *, struct bytes *list,
	    enum lint_id form, struct lint_extension *out);
/* The content of Extensions, of a certificate. */
void	lint_extensions(struct lint *, struct bytes list);
/* Of a request: only what can be looked at without a certificate. */
void	lint_requested_extensions(struct lint *, struct bytes list);

/* The values: each gets extnValue's content. */
void	lint_authority_key_id(struct lint *, const struct lint_extension *);
void	lint_subject_key_id(struct lint *, const struct lint_extension *);
void	lint_key_usage(struct lint *, const struct lint_extension *);
void	lint_policies(struct lint *, const struct lint_extension *);
void	lint_subject_alt_name(struct lint *, const struct lint_extension *);
void	lint_basic_constraints(struct lint *, const struct lint_extension *);
void	lint_ext_key_usage(struct lint *, const struct lint_extension *);
void	lint_crl_points(struct lint *, const struct lint_extension *);
void	lint_freshest_crl(struct lint *, const struct lint_extension *);
void	lint_authority_info(struct lint *, const struct lint_extension *);
void	lint_name_constraints(struct lint *, const struct lint_extension *);
void	lint_policy_mappings(struct lint *, const struct lint_extension *);
void	lint_policy_constraints(struct lint *, const struct lint_extension *);
void	lint_inhibit_any(struct lint *, const struct lint_extension *);
void	lint_tls_feature(struct lint *, const struct lint_extension *);
/* After all have been seen: what they say together. */
void	lint_usage_together(struct lint *);

/* --- the documents --- */
/* outer is the whole signatureAlgorithm; len 0: there is none yet. */
void	lint_tbs_certificate(struct lint *, struct bytes tbs,
	    struct bytes outer);
void	lint_whole_certificate(struct lint *, struct bytes der);
void	lint_csr(struct lint *, struct bytes der);
void	lint_crl(struct lint *, struct bytes der);
void	lint_ocsp_response(struct lint *, struct bytes der);

#endif
