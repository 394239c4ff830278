#include "common/csr_private.h"

#include "common/der.h"
#include "common/err.h"
#include "common/owned.h"

#include <openssl/objects.h>
#include <openssl/rsa.h>

#include <string.h>

static const uint8_t sha256_rsa[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1,
	1, 11 };
static const uint8_t sha384_rsa[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1,
	1, 12 };
static const uint8_t sha512_rsa[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1,
	1, 13 };
static const uint8_t rsa_pss[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1,
	10 };
static const uint8_t ecdsa_sha256[] = { 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3,
	2 };
static const uint8_t ecdsa_sha384[] = { 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3,
	3 };
static const uint8_t ecdsa_sha512[] = { 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3,
	4 };
static const uint8_t ed25519[] = { 0x2b, 0x65, 0x70 };
static const uint8_t ed448[] = { 0x2b, 0x65, 0x71 };
#define OID(array)	{ (array), sizeof(array) }

enum params { NONE, NULL_OR_NONE, PSS };

/* What may prove possession: SHA-1 and older prove nothing any more. */
static const struct signature_algorithm {
	struct bytes	 oid;
	const char	*name;
	enum key_kind	 first, last;	/* kinds of keys it is for */
	const char	*digest;	/* NULL: it hashes by itself */
	enum params	 params;
} algorithms[] = {
	/* RFC 4055, 5: NULL, and what leaves it out is accepted. */
	{ OID(sha256_rsa), "sha256WithRSAEncryption", KEY_RSA, KEY_RSA,
	    "SHA256", NULL_OR_NONE },
	{ OID(sha384_rsa), "sha384WithRSAEncryption", KEY_RSA, KEY_RSA,
	    "SHA384", NULL_OR_NONE },
	{ OID(sha512_rsa), "sha512WithRSAEncryption", KEY_RSA, KEY_RSA,
	    "SHA512", NULL_OR_NONE },
	{ OID(rsa_pss), "RSASSA-PSS", KEY_RSA, KEY_RSA, NULL, PSS },
	/* RFC 5758, 3.2, and RFC 8410, 3: no parameters. */
	{ OID(ecdsa_sha256), "ecdsa-with-SHA256", KEY_P256, KEY_P521,
	    "SHA256", NONE },
	{ OID(ecdsa_sha384), "ecdsa-with-SHA384", KEY_P256, KEY_P521,
	    "SHA384", NONE },
	{ OID(ecdsa_sha512), "ecdsa-with-SHA512", KEY_P256, KEY_P521,
	    "SHA512", NONE },
	{ OID(ed25519), "Ed25519", KEY_ED25519, KEY_ED25519, NULL, NONE },
	{ OID(ed448), "Ed448", KEY_ED448, KEY_ED448, NULL, NONE },
};
#define ALGORITHMS	(sizeof(algorithms) / sizeof(algorithms[0]))

#define MAX_SALT	1024	/* octets; no modulus has room for more */

static int
refuse(struct err *err, const char *why)
{
	return err_set(err, ERR_REJECT, "the certificate signing request is "
	    "refused: %s", why);
}

static int
refuse_algorithm(struct err *err, const char *name)
{
	return err_set(err, ERR_REJECT, "the certificate signing request is "
	    "signed with %s, which is not accepted; sign it with SHA-256",
	    name);
}

/* One that is not in the table, by the name that people know. */
static int
refuse_unknown(struct bytes oid_whole, struct err *err)
{
	const uint8_t *at = oid_whole.data;
	OWNED(ASN1_OBJECT) *object = d2i_ASN1_OBJECT(NULL, &at,
	    (long)oid_whole.len);
	int nid = object == NULL ? NID_undef : OBJ_obj2nid(object);

	return refuse_algorithm(err, nid == NID_undef ?
	    "an unknown algorithm" : OBJ_nid2ln(nid));
}

/* Fetched once and kept for the life of the process. */
static const EVP_MD *
digest_of(const char *name)
{
	static struct {
		const char	*name;
		EVP_MD		*md;
	} kept[] = { { "SHA256", NULL }, { "SHA384", NULL },
		{ "SHA512", NULL } };

	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		if (strcmp(kept[i].name, name) != 0)
			continue;
		if (kept[i].md == NULL)
			kept[i].md = EVP_MD_fetch(NULL, name, NULL);
		return kept[i].md;
	}
	return NULL;
}

OWNED_BY(RSA_PSS_PARAMS, RSA_PSS_PARAMS_free)
OWNED_BY(X509_ALGOR, X509_ALGOR_free)

/* An AlgorithmIdentifier of SHA-256, SHA-384 or SHA-512; NULL: it is not. */
static const char *
name_of_hash(const X509_ALGOR *algor)
{
	const ASN1_OBJECT *oid;

	if (algor == NULL)	/* the default is SHA-1 */
		return NULL;
	X509_ALGOR_get0(&oid, NULL, NULL, algor);
	switch (OBJ_obj2nid(oid)) {
	case NID_sha256:
		return "SHA256";
	case NID_sha384:
		return "SHA384";
	case NID_sha512:
		return "SHA512";
	}
	return NULL;
}

struct pss {
	const char	*digest, *mgf_digest;
	int		 salt_octets;
};

/* RFC 4055, 3.1: hash, mask generation with a hash, salt, trailer. */
static int
read_pss(struct bytes params, struct pss *out, struct err *err)
{
	const uint8_t *at = params.data;
	OWNED(RSA_PSS_PARAMS) *pss = params.len == 0 ? NULL :
	    d2i_RSA_PSS_PARAMS(NULL, &at, (long)params.len);
	OWNED(X509_ALGOR) *mask = NULL;
	const ASN1_OBJECT *oid;
	const void *value;
	long salt;
	int type;

	if (pss == NULL || at != params.data + params.len) {
		err_openssl(err, ERR_REJECT, "");
		return refuse(err, "the parameters of its signature cannot be "
		    "read");
	}
	out->digest = name_of_hash(pss->hashAlgorithm);
	if (pss->maskGenAlgorithm != NULL) {
		X509_ALGOR_get0(&oid, &type, &value, pss->maskGenAlgorithm);
		if (OBJ_obj2nid(oid) == NID_mgf1 && type == V_ASN1_SEQUENCE) {
			const ASN1_STRING *s = value;

			at = ASN1_STRING_get0_data(s);
			mask = d2i_X509_ALGOR(NULL, &at,
			    ASN1_STRING_length(s));
		}
	}
	out->mgf_digest = name_of_hash(mask);
	salt = pss->saltLength == NULL ? 20 :
	    ASN1_INTEGER_get(pss->saltLength);
	if (out->digest == NULL || out->mgf_digest == NULL)
		return refuse_algorithm(err, "RSASSA-PSS and an old hash");
	if (salt < 0 || salt > MAX_SALT || (pss->trailerField != NULL &&
	    ASN1_INTEGER_get(pss->trailerField) != 1))
		return refuse(err, "the parameters of its signature cannot be "
		    "used");
	out->salt_octets = (int)salt;
	return 0;
}

/* -1 and an ERR_REJECT, or 0 and the algorithm with what it is to hash. */
static int
read_algorithm(struct bytes in, const struct key_facts *key,
    const struct signature_algorithm **out, struct pss *pss, struct err *err)
{
	const struct signature_algorithm *found = NULL;
	struct bytes oid, whole, null;
	uint8_t tag;

	if (!der_next(&in, &tag, &oid, &whole) || tag != DER_OID)
		return refuse(err, "its signature algorithm cannot be read");
	for (size_t i = 0; i < ALGORITHMS && found == NULL; i++)
		if (bytes_equal(algorithms[i].oid, oid))
			found = &algorithms[i];
	if (found == NULL)
		return refuse_unknown(whole, err);
	if (key->kind < found->first || key->kind > found->last)
		return err_set(err, ERR_REJECT, "the certificate signing "
		    "request is refused: its key is of %s and its signature "
		    "of %s", key_kind_name(key->kind), found->name);
	*pss = (struct pss){ .digest = found->digest };
	*out = found;
	switch (found->params) {
	case PSS:
		return read_pss(in, pss, err);
	case NULL_OR_NONE:
		if (in.len > 0 && !der_take(&in, DER_NULL, &null))
			break;
		/* FALLTHROUGH */
	case NONE:
		if (in.len == 0)
			return 0;
	}
	return refuse(err, "its signature algorithm has parameters that it "
	    "does not have");
}

int
csr_check_possession(const struct csr_proof *proof,
    const struct key_facts *facts, struct err *err)
{
	static EVP_MD_CTX *ctx;		/* kept for the life of the process */
	const struct signature_algorithm *algorithm = NULL;
	OWNED(EVP_PKEY) *key = NULL;
	EVP_PKEY_CTX *terms = NULL;	/* ctx owns it */
	const EVP_MD *md = NULL;
	struct pss pss = { 0 };
	int r;

	if (read_algorithm(proof->algorithm, facts, &algorithm, &pss,
	    err) == -1)
		return -1;
	if (proof->signature.len < 2 || proof->signature.data[0] != 0)
		return refuse(err, "its signature cannot be read");
	key = key_load(proof->spki, facts, err);
	if (key == NULL)
		return -1;
	if (ctx == NULL)
		ctx = EVP_MD_CTX_new();
	if (pss.digest != NULL)
		md = digest_of(pss.digest);
	if (ctx == NULL || (pss.digest != NULL && md == NULL) ||
	    EVP_DigestVerifyInit(ctx, &terms, md, NULL, key) != 1 ||
	    (algorithm->params == PSS &&
	    (EVP_PKEY_CTX_set_rsa_padding(terms, RSA_PKCS1_PSS_PADDING) != 1 ||
	    EVP_PKEY_CTX_set_rsa_mgf1_md(terms,
	    digest_of(pss.mgf_digest)) != 1 ||
	    EVP_PKEY_CTX_set_rsa_pss_saltlen(terms, pss.salt_octets) != 1)))
		return err_openssl(err, ERR_FAULT, "verifying a signature");
	r = EVP_DigestVerify(ctx, proof->signature.data + 1,
	    proof->signature.len - 1, proof->info.data, proof->info.len);
	EVP_MD_CTX_reset(ctx);
	if (r == 1)
		return 0;
	err_openssl(err, ERR_REJECT, "the certificate signing request's "
	    "signature is wrong: it was changed, or signed with another key; "
	    "make it anew");
	return -1;
}
