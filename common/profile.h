#ifndef COMMON_PROFILE_H
#define COMMON_PROFILE_H

#include "common/bytes.h"
#include "common/key.h"
#include "common/names.h"
#include "common/owned.h"

#include <stdbool.h>
#include <stdint.h>

struct err;

/*
 * What a certificate may be: one file per profile under policies/profiles.
 * A profile that contradicts RFC 5280 is refused with the section.
 */
#define PROFILE_NAME_MAX	63

/* Bits of `sans`: which name forms a certificate may carry. */
#define PROFILE_SAN_BIT(kind)	(1u << (kind))

/* An extension of the site's own, as the profile gives it in DER. */
#define PROFILE_MAX_EXTENSIONS	8
struct profile_extension {
	char		 oid[64];	/* dotted */
	bool		 critical;
	struct bytes	 value;		/* extnValue's content; owned */
};

struct profile {
	char		 name[PROFILE_NAME_MAX + 1];
	uint8_t		 digest[32];	/* SHA-256 of the file's octets */
	uint32_t	 key_usage;	/* KU_* bits of OpenSSL's x509v3.h */
	char		 eku[256];	/* comma-separated short names or OIDs */
	uint32_t	 sans;		/* allowed forms, PROFILE_SAN_BIT */
	bool		 san_required;
	uint32_t	 sans_required;	/* at least one of each form; bits */
	bool		 wildcard;	/* "*.example.org" allowed */
	char		 subject[256];	/* attributes allowed: "CN,O,C" */
	char		 subject_required[256];	/* of those; "" none */
	/* What the subject will be, whatever the request says: lines
	 * "CN={CN}", "O=Example Ltd", ...; {TYPE} is the request's first of
	 * that type, {SAN} its first subjectAltName. NULL: as the request
	 * says. Owned. */
	char		*subject_template;
	int64_t		 validity_s;	/* default */
	int64_t		 max_validity_s;	/* from now on: backdate_s comes
						 * on top */
	int64_t		 backdate_s;	/* notBefore = now - this */
	int64_t		 jitter_s;	/* notAfter is up to this earlier, at
					 * random: not all end at once */
	uint32_t	 keys;		/* 1u << enum key_kind */
	uint16_t	 min_rsa_bits;
	char		 signature_hash[16];	/* "" as strong as the CA's key;
					 * "sha256", "sha384", "sha512" */
	bool		 same_key;	/* a key may be certified again */
	bool		 ca;		/* for sub-CAs: never by mail */
	bool		 ocsp_responder;	/* nocheck, no AIA, no CDP */
	bool		 aia, cdp;
	bool		 no_rev_avail;	/* RFC 9608, 2: aia then says where the
					 * issuer is, and nothing of OCSP; no
					 * cdp */
	bool		 must_staple;	/* RFC 7633: status_request */
	char		 policy_oids[256];
	char		 cps_url[256];	/* CPSuri of each (4.2.1.4); "" none */
	int		 path_len;	/* with ca; -1: no limit */
	struct profile_extension extensions[PROFILE_MAX_EXTENSIONS];
	size_t		 n_extensions;
};

/* path is for messages ("policies/profiles/user.conf:7: ..."). */
int	profile_parse(const char *name, const char *path, struct bytes text,
	    struct profile **out, struct err *);
void	profile_free(struct profile *);
OWNED_STRUCT_BY(profile, profile_free)

/*
 * The names of the certificate for a request with these names: its SANs, and
 * the subject that the template makes of its attributes. An entry of which the
 * request lacks a part is left out, and so is what no entry asks for; an
 * attribute that the profile does not allow is ERR_REJECT. Without a template
 * a copy. *out is owned: names_free.
 */
int	profile_make_names(const struct profile *, const struct names *asked,
	    struct names *out, struct err *);
/* Does the profile allow a certificate with these names for this key?
 * ERR_REJECT names the first that it does not. */
int	profile_check(const struct profile *, const struct names *,
	    const struct key_facts *, struct err *);
/* The two, one after the other: does it allow what a request asks for? */
int	profile_check_request(const struct profile *,
	    const struct names *asked, const struct key_facts *, struct err *);
/* The KU_* bits that a key of that kind gets: what the profile says without
 * what such a key cannot do. */
uint32_t profile_key_usage(const struct profile *, enum key_kind);
/* The built-in profile of OCSP responder certificates (RFC 6960, 4.2.2.2;
 * RFC 9919, 3.2.2): at most 14 days. Borrowed, static. */
const struct profile *profile_ocsp_responder(void);

#endif
