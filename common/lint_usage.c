/* What a key is for and whose it is: the extensions of RFC 5280, 4.2.1.1 to
 * 4.2.1.4, 4.2.1.6, 4.2.1.9 and 4.2.1.12. */
#include "common/lint_private.h"

#include "common/owned.h"

#include <openssl/x509v3.h>

#include <string.h>

/* --- key identifiers --- */

void
lint_subject_key_id(struct lint *l, const struct lint_extension *e)
{
	struct bytes v = e->value, id;

	l->has_ski = true;
	if (!der_take(&v, DER_OCTET_STRING, &id) || v.len > 0 || id.len == 0)
		lint_found(l, LINT_SKI_FORM);
	/* 4.2.1.2: a CA that is renewed keeps what it had. */
	else if (l->has_key && !(l->signing && l->role == LINT_CA) &&
	    !bytes_equal(id, LINT_OID(l->key.key_sha1)))
		lint_found(l, LINT_SKI_KEY);
}

void
lint_authority_key_id(struct lint *l, const struct lint_extension *e)
{
	struct bytes v = e->value, sequence, id;

	if (!der_take(&v, DER_SEQUENCE, &sequence) || v.len > 0 ||
	    !der_take(&sequence, 0x80, &id) || id.len == 0) {
		lint_found(l, LINT_AKI_FORM);
		return;
	}
	if (sequence.len > 0)
		lint_found(l, LINT_AKI_NAMES);
	if ((l->has_issuer || l->self_issued) &&
	    (l->signing || l->issuer_key_id.len > 0) &&
	    !bytes_equal(id, l->issuer_key_id))
		lint_found(l, LINT_AKI_ISSUER);
}

/* --- keyUsage: bit n of the BIT STRING is bit n here --- */

enum {
	DIGITAL_SIGNATURE, NON_REPUDIATION, KEY_ENCIPHERMENT,
	DATA_ENCIPHERMENT, KEY_AGREEMENT, KEY_CERT_SIGN, CRL_SIGN,
	ENCIPHER_ONLY, DECIPHER_ONLY, USAGES
};
#define BIT(n)		(1u << (n))
#define SIGNS		(BIT(DIGITAL_SIGNATURE) | BIT(NON_REPUDIATION) | \
			BIT(KEY_CERT_SIGN) | BIT(CRL_SIGN))
#define ENCIPHERS	(BIT(KEY_ENCIPHERMENT) | BIT(DATA_ENCIPHERMENT))
#define AGREES		(BIT(KEY_AGREEMENT) | BIT(ENCIPHER_ONLY) | \
			BIT(DECIPHER_ONLY))

static uint32_t
possible_usage(enum key_kind kind)
{
	switch (kind) {
	case KEY_RSA:
		return SIGNS | ENCIPHERS;
	case KEY_P256:
	case KEY_P384:
	case KEY_P521:
		return SIGNS | AGREES;
	case KEY_ED25519:
	case KEY_ED448:
		return SIGNS;
	}
	return 0;
}

/* The profile's usage, in our bits, as far as such a key goes. */
static uint32_t
profile_usage(const struct lint *l)
{
	static const uint32_t theirs[USAGES] = { KU_DIGITAL_SIGNATURE,
		KU_NON_REPUDIATION, KU_KEY_ENCIPHERMENT, KU_DATA_ENCIPHERMENT,
		KU_KEY_AGREEMENT, KU_KEY_CERT_SIGN, KU_CRL_SIGN,
		KU_ENCIPHER_ONLY, KU_DECIPHER_ONLY };
	uint32_t usage = 0;

	for (unsigned int i = 0; i < USAGES; i++)
		if ((l->profile->key_usage & theirs[i]) != 0)
			usage |= BIT(i);
	return usage & possible_usage(l->key.kind);
}

static bool
read_usage(struct lint *l, struct bytes v)
{
	struct bytes bits;

	if (!der_take(&v, DER_BIT_STRING, &bits) || v.len > 0 ||
	    bits.len < 2 || bits.len > 3)
		return false;
	l->usage = 0;
	for (unsigned int i = 0; i < 8 * (bits.len - 1); i++)
		if ((bits.data[1 + i / 8] & (0x80u >> i % 8)) != 0)
			l->usage |= BIT(i);
	if (l->usage == 0 || l->usage >= BIT(USAGES))
		return false;
	/* A named bit list has no zero bits at its end (X.690, 11.2.2). */
	if ((bits.data[bits.len - 1] & 1u << bits.data[0]) == 0)
		lint_found(l, LINT_KEY_USAGE_PADDING);
	return true;
}

void
lint_key_usage(struct lint *l, const struct lint_extension *e)
{
	l->has_usage = read_usage(l, e->value);
	if (!l->has_usage) {
		lint_found(l, LINT_KEY_USAGE_FORM);
		return;
	}
	if (l->has_key && l->profile != NULL &&
	    l->usage != profile_usage(l))
		lint_found(l, LINT_KEY_USAGE_PROFILE);
	if (l->has_key && (l->usage & ~possible_usage(l->key.kind)) != 0)
		lint_found(l, LINT_KEY_USAGE_KEY);
	if ((l->usage & (BIT(ENCIPHER_ONLY) | BIT(DECIPHER_ONLY))) != 0 &&
	    (l->usage & BIT(KEY_AGREEMENT)) == 0)
		lint_found(l, LINT_KEY_USAGE_AGREEMENT);
}

/* --- basicConstraints --- */

void
lint_basic_constraints(struct lint *l, const struct lint_extension *e)
{
	struct bytes v = e->value, sequence, flag, path;
	bool encoded_false = false;

	l->is_ca = l->has_path = false;
	if (!der_take(&v, DER_SEQUENCE, &sequence) || v.len > 0) {
		lint_found(l, LINT_BASIC_CONSTRAINTS_FORM);
		return;
	}
	if (sequence.len > 0 && sequence.data[0] == DER_BOOLEAN &&
	    der_take(&sequence, DER_BOOLEAN, &flag)) {
		l->is_ca = flag.len == 1 && flag.data[0] != 0;
		encoded_false = !l->is_ca;
	}
	if (sequence.len > 0) {
		if (!der_take(&sequence, DER_INTEGER, &path) ||
		    sequence.len > 0 || !lint_read_number(path, &l->path)) {
			lint_found(l, LINT_BASIC_CONSTRAINTS_FORM);
			return;
		}
		l->has_path = true;
	}
	if (encoded_false)
		lint_found(l, LINT_BASIC_CONSTRAINTS_DEFAULT);
	if (l->role == LINT_END_ENTITY && (l->is_ca || l->has_path))
		lint_found(l, LINT_BASIC_CONSTRAINTS_END);
	else if (l->role == LINT_CA && !l->is_ca)
		lint_found(l, LINT_BASIC_CONSTRAINTS_CA);
}

/* What basicConstraints say beside keyUsage, issuer and profile. */
static void
lint_path(struct lint *l)
{
	if (l->role == LINT_END_ENTITY)
		return;		/* lint_basic_constraints has told it */
	if (l->has_path && (!l->is_ca || (l->has_usage &&
	    (l->usage & BIT(KEY_CERT_SIGN)) == 0)))
		lint_found(l, LINT_BASIC_CONSTRAINTS_PATH);
	if (!l->is_ca)
		return;
	if (l->has_issuer && !l->self_issued && l->issuer_path >= 0 &&
	    (!l->has_path || l->path >= (unsigned long)l->issuer_path))
		lint_found_as(l, LINT_PATH_ISSUER, NULL, "its path length is "
		    "not below its issuer's, which is %ld", l->issuer_path);
	if (l->profile != NULL && l->profile->ca && l->profile->path_len >= 0 &&
	    (!l->has_path || l->path > (uint32_t)l->profile->path_len))
		lint_found(l, LINT_PATH_PROFILE);
}

void
lint_usage_together(struct lint *l)
{
	bool signs = (l->usage & BIT(KEY_CERT_SIGN)) != 0;

	lint_path(l);
	if (l->has_usage && signs && !l->is_ca && l->role != LINT_CA)
		lint_found(l, LINT_KEY_USAGE_CA);
	/* A CA signs certificates and CRLs, and enciphers nothing. */
	if (l->has_usage && l->is_ca && l->role != LINT_END_ENTITY &&
	    (!signs || (l->usage & BIT(CRL_SIGN)) == 0 ||
	    (l->signing && (l->usage & ~SIGNS) != 0)))
		lint_found(l, LINT_CA_KEY_USAGE);
	if (l->has_usage && l->any_purpose && !l->other_purpose && !l->is_ca &&
	    (l->usage & l->consistent) == 0)
		lint_found(l, LINT_KEY_USAGE_PURPOSE);
	if (l->has_no_rev_avail && l->tells_revocation)
		lint_found(l, LINT_NO_REV_AVAIL_ADDRESS);
	if (l->signs_ocsp && !l->is_ca && !l->has_nocheck)
		lint_found(l, LINT_NOCHECK_MISSING);
}

/* --- extendedKeyUsage --- */

/* The last arc of id-kp, and the usages that go with it (4.2.1.12). */
static const struct purpose {
	uint8_t		arc;
	uint32_t	consistent;
} purposes[] = {
	{ 1, BIT(DIGITAL_SIGNATURE) | BIT(KEY_ENCIPHERMENT) |
	    BIT(KEY_AGREEMENT) },			/* serverAuth */
	{ 2, BIT(DIGITAL_SIGNATURE) | BIT(KEY_AGREEMENT) },	/* clientAuth */
	{ 3, BIT(DIGITAL_SIGNATURE) },			/* codeSigning */
	{ 4, BIT(DIGITAL_SIGNATURE) | BIT(NON_REPUDIATION) |
	    BIT(KEY_ENCIPHERMENT) | BIT(KEY_AGREEMENT) },	/* email */
#define TIME_STAMPING	8
	{ TIME_STAMPING, BIT(DIGITAL_SIGNATURE) | BIT(NON_REPUDIATION) },
#define OCSP_SIGNING	9
	{ OCSP_SIGNING, BIT(DIGITAL_SIGNATURE) | BIT(NON_REPUDIATION) },
};

static const uint8_t id_kp[] = { 0x2b, 6, 1, 5, 5, 7, 3 };
static const uint8_t any_eku[] = { 0x55, 0x1d, 37, 0 };

static void
lint_purpose(struct lint *l, struct bytes oid, bool critical)
{
	uint8_t arc = oid.len == sizeof(id_kp) + 1 &&
	    memcmp(oid.data, id_kp, sizeof(id_kp)) == 0 ?
	    oid.data[sizeof(id_kp)] : 0;
	size_t i = 0;

	l->any_purpose = true;
	if (bytes_equal(oid, LINT_OID(any_eku)) && critical)
		lint_found(l, LINT_EXT_KEY_USAGE_ANY);
	if (arc == OCSP_SIGNING)
		l->signs_ocsp = true;
	while (i < sizeof(purposes) / sizeof(purposes[0]) &&
	    purposes[i].arc != arc)
		i++;
	if (i == sizeof(purposes) / sizeof(purposes[0]))
		l->other_purpose = true;
	else
		l->consistent |= purposes[i].consistent;
}

/* The next of the comma-separated words, as an OID. Owned. */
static ASN1_OBJECT *
next_object(const char **words)
{
	char word[256];
	size_t n = strcspn(*words, ",");

	if (n == 0 || n >= sizeof(word))
		return NULL;
	memcpy(word, *words, n);
	word[n] = '\0';
	*words += n + ((*words)[n] == ',');
	return OBJ_txt2obj(word, 0);
}

/* Takes one word off; is it this OID? */
static bool
is_next(struct bytes oid, const char **words)
{
	OWNED(ASN1_OBJECT) *want = next_object(words);

	return want != NULL && bytes_equal(oid, (struct bytes){
	    OBJ_get0_data(want), OBJ_length(want) });
}

void
lint_ext_key_usage(struct lint *l, const struct lint_extension *e)
{
	struct bytes v = e->value, list, all, oid, other;
	const char *words = l->profile == NULL ? "" : l->profile->eku;
	bool same = true, time = false;
	size_t n = 0;

	if (!der_take(&v, DER_SEQUENCE, &list) || v.len > 0 ||
	    list.len == 0) {
		lint_found(l, LINT_EXT_KEY_USAGE_FORM);
		return;
	}
	for (all = list; list.len > 0; n++) {
		struct bytes before = all;

		if (!der_take(&list, DER_OID, &oid)) {
			lint_found(l, LINT_EXT_KEY_USAGE_FORM);
			return;
		}
		for (size_t i = 0; i < n && i < 64; i++)
			if (der_take(&before, DER_OID, &other) &&
			    bytes_equal(oid, other)) {
				lint_found(l, LINT_EXT_KEY_USAGE_DOUBLED);
				break;
			}
		lint_purpose(l, oid, e->critical);
		time = time || (oid.len == sizeof(id_kp) + 1 &&
		    memcmp(oid.data, id_kp, sizeof(id_kp)) == 0 &&
		    oid.data[sizeof(id_kp)] == TIME_STAMPING);
		same = same && is_next(oid, &words);
	}
	if (l->profile != NULL && (!same || words[0] != '\0'))
		lint_found(l, LINT_EXT_KEY_USAGE_PROFILE);
	if (time && (!e->critical || n > 1) && !l->is_ca)
		lint_found(l, LINT_EXT_KEY_USAGE_TIME);
}

/* --- certificatePolicies --- */

/* PolicyQualifierInfo: id-qt-cps with a URI, or id-qt-unotice. Is it a CPS
 * with this URL? */
static bool
lint_qualifiers(struct lint *l, struct bytes list, const char *url)
{
	static const uint8_t cps[] = { 0x2b, 6, 1, 5, 5, 7, 2, 1 };
	static const uint8_t notice[] = { 0x2b, 6, 1, 5, 5, 7, 2, 2 };
	struct bytes one, oid, v;
	bool same = false;
	size_t n = 0;

	for (; list.len > 0; n++) {
		if (!der_take(&list, DER_SEQUENCE, &one) ||
		    !der_take(&one, DER_OID, &oid)) {
			lint_found(l, LINT_POLICIES_FORM);
			return false;
		}
		if (bytes_equal(oid, LINT_OID(cps))) {
			if (!der_take(&one, 0x16, &v) || one.len > 0)
				lint_found(l, LINT_POLICIES_FORM);
			else
				same = bytes_equal(v, bytes_of(url));
		} else if (!bytes_equal(oid, LINT_OID(notice))) {
			lint_found(l, LINT_POLICIES_QUALIFIER);
		}
	}
	return same && n == 1;
}

void
lint_policies(struct lint *l, const struct lint_extension *e)
{
	struct bytes v = e->value, list, one, oid, seen[64];
	const char *words = l->profile == NULL ? "" : l->profile->policy_oids;
	const char *url = l->profile == NULL ? "" : l->profile->cps_url;
	bool same = true;
	size_t n = 0;

	if (!der_take(&v, DER_SEQUENCE, &list) || v.len > 0 || list.len == 0) {
		lint_found(l, LINT_POLICIES_FORM);
		return;
	}
	while (list.len > 0) {
		struct bytes qualifiers = { NULL, 0 };

		if (!der_take(&list, DER_SEQUENCE, &one) ||
		    !der_take(&one, DER_OID, &oid) || (one.len > 0 &&
		    (!der_take(&one, DER_SEQUENCE, &qualifiers) ||
		    one.len > 0 || qualifiers.len == 0))) {
			lint_found(l, LINT_POLICIES_FORM);
			return;
		}
		for (size_t i = 0; i < n; i++)
			if (bytes_equal(seen[i], oid))
				lint_found(l, LINT_POLICIES_DOUBLED);
		if (n < sizeof(seen) / sizeof(seen[0]))
			seen[n++] = oid;
		same = is_next(oid, &words) && same;
		if (qualifiers.len > 0 || url[0] != '\0')
			same = lint_qualifiers(l, qualifiers, url) &&
			    url[0] != '\0' && same;
	}
	if (l->profile != NULL && (!same || words[0] != '\0'))
		lint_found(l, LINT_POLICIES_PROFILE);
}

/* --- subjectAltName --- */

void
lint_subject_alt_name(struct lint *l, const struct lint_extension *e)
{
	struct bytes v = e->value, list, name, whole, seen[100];
	uint32_t kinds = 0;
	size_t n = 0;
	uint8_t tag;

	if (!der_take(&v, DER_SEQUENCE, &list) || v.len > 0 ||
	    list.len == 0) {
		lint_found(l, LINT_SAN_FORM);
		return;
	}
	while (list.len > 0) {
		if (!der_next(&list, &tag, &name, &whole)) {
			lint_found(l, LINT_SAN_FORM);
			return;
		}
		lint_general_name(l, tag, name, &kinds);
		for (size_t i = 0; i < n; i++)
			if (bytes_equal(seen[i], whole)) {
				lint_found(l, LINT_SAN_DOUBLED);
				break;
			}
		if (n < sizeof(seen) / sizeof(seen[0]))
			seen[n++] = whole;
	}
	if (l->profile != NULL && (kinds & ~l->profile->sans) != 0)
		lint_found(l, LINT_SAN_PROFILE);
	if (l->profile != NULL && (l->profile->sans_required & ~kinds) != 0)
		lint_found(l, LINT_SAN_REQUIRED);
}
