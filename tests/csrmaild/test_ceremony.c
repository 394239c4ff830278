#include "csrmaild/ceremony_offline.h"
#include "common/constraints.h"
#include "common/err.h"
#include "common/issue.h"
#include "common/key.h"
#include "csrmaild/journal.h"
#include "tests/support/ca_folder.h"
#include "tests/support/fixtures.h"

#include <openssl/core_names.h>
#include <openssl/x509v3.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a ceremony makes, refuses and warns of; renewals have a file of their
 * own, and test_signer.c has what the first ones promised. */
static struct ca_folder dir;
static const struct bytes no_passphrase = { NULL, 0 };

static void
set_up(void)
{
	ca_folder_make(&dir);
}

static void
tear_down(void)
{
	ca_folder_remove(&dir);
}

/* --- hierarchy ------------------------------------------------------------ */

static int
create_child(const char *name, const char *parent, int path_len,
    const char *permit, const char *exclude, struct err *err)
{
	struct ceremony_ca ca = ca_folder_wish(&dir, name);
	const struct ceremony_parent by = ca_folder_parent(parent);
	OWNED(NAME_CONSTRAINTS) *nc = NULL;

	ca.path_len = path_len;
	ca.policies = "1.3.6.1.4.1.99999.1";
	if (permit != NULL)
		ck_assert_int_eq(constraints_add(&nc, true, permit, err), 0);
	if (exclude != NULL)
		ck_assert_int_eq(constraints_add(&nc, false, exclude, err), 0);
	ca.constraints = nc;
	return ceremony_create_child(&dir.ceremony, &ca, &by, err);
}

static void
make_three(void)
{
	struct err err = { 0 };

	ca_folder_root(&dir, "root");
	ck_assert_msg(create_child("child", "root", 1, "dns:example.com",
	    "dns:no.example.com", &err) == 0, "%s", err.text);
	ck_assert_msg(create_child("grandchild", "child", 0,
	    "dns:sub.example.com", NULL, &err) == 0, "%s", err.text);
}

static const struct {
	const char	*name;
	int		 want;
} leaves[] = {
	{ "sub.example.com",	 X509_V_OK },
	{ "a.sub.example.com",	 X509_V_OK },
	{ "example.com",	 X509_V_ERR_PERMITTED_VIOLATION },
	{ "xsub.example.com",	 X509_V_ERR_PERMITTED_VIOLATION },
	{ "sub.example.org",	 X509_V_ERR_PERMITTED_VIOLATION },
};

START_TEST(names_of_a_grandchilds_leaf_lie_within_all_constraints)
{
	OWNED(X509) *root = NULL;
	OWNED(X509) *child = NULL;
	OWNED(X509) *grandchild = NULL;
	OWNED(X509) *leaf = NULL;
	int critical = -1;

	make_three();
	root = ca_folder_cert(&dir, "published/root.crt");
	child = ca_folder_cert(&dir, "published/child.crt");
	grandchild = ca_folder_cert(&dir, "published/grandchild.crt");
	leaf = ca_folder_leaf(&dir, "grandchild", leaves[_i].name);
	X509 *trusted[] = { root, NULL };
	X509 *between[] = { child, grandchild, NULL };

	ck_assert_int_eq(ca_folder_verify(leaf, trusted, between, NOON + DAY),
	    leaves[_i].want);
	/* 4.2.1.10: MUST be critical. */
	NAME_CONSTRAINTS_free(X509_get_ext_d2i(child, NID_name_constraints,
	    &critical, NULL));
	ck_assert_int_eq(critical, 1);
	ck_assert_int_ge(X509_get_ext_by_NID(child, NID_certificate_policies,
	    -1), 0);
	ck_assert_int_eq(X509_get_pathlen(child), 1);
	ck_assert_int_eq(X509_get_pathlen(grandchild), 0);
}
END_TEST

static const struct {
	const char	*parent;
	int		 path_len;
	const char	*permit;
	const char	*want;		/* in the message; NULL: it is made */
} below[] = {
	{ "child",	0,  "dns:a.example.com",	NULL },
	{ "child",	0,  NULL,			NULL },
	{ "child",	0,  "email:example.com",	NULL },
	{ "child",	0,  "dns:example.org",		"parent permits" },
	{ "child",	0,  "dns:xexample.com",		"parent permits" },
	{ "child",	0,  "dns:no.example.com",	"excluded" },
	{ "child",	0,  "dns:a.no.example.com",	"excluded" },
	{ "child",	1,  NULL,			"4.2.1.9" },
	{ "child",	-1, NULL,			"4.2.1.9" },
	{ "grandchild",	0,  NULL,			"path length is 0" },
	{ "nobody",	0,  NULL,			"no CA nobody" },
};

START_TEST(a_child_stays_within_its_parents_bounds)
{
	struct err err = { 0 };
	int r;

	make_three();
	r = create_child("new", below[_i].parent, below[_i].path_len,
	    below[_i].permit, NULL, &err);
	ck_assert_msg((r == 0) == (below[_i].want == NULL), "%s", err.text);
	if (r == 0)
		return;
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_msg(strstr(err.text, below[_i].want) != NULL, "%s",
	    err.text);
	ck_assert(!ca_folder_has(&dir, "published/new.crt"));
}
END_TEST

/* The parent itself permits all; what its own parent said holds still. */
START_TEST(constraints_of_the_parents_parent_hold_too)
{
	struct err err = { 0 };

	ca_folder_root(&dir, "root");
	ck_assert_int_eq(create_child("child", "root", 2, "dns:example.com",
	    NULL, &err), 0);
	ck_assert_int_eq(create_child("middle", "child", 1, NULL, NULL, &err),
	    0);
	ck_assert_int_eq(create_child("new", "middle", 0, "dns:example.org",
	    NULL, &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
}
END_TEST

static const struct {
	enum key_kind	kind;
	unsigned int	bits;
	int		digest;		/* NID of what it signs with */
} kinds[] = {
	{ KEY_RSA,	2048,	NID_sha256WithRSAEncryption },
	{ KEY_RSA,	3072,	NID_sha256WithRSAEncryption },
	{ KEY_P256,	0,	NID_ecdsa_with_SHA256 },
	{ KEY_P384,	0,	NID_ecdsa_with_SHA384 },
	{ KEY_P521,	0,	NID_ecdsa_with_SHA512 },
	{ KEY_ED25519,	0,	NID_ED25519 },
};

START_TEST(each_kind_of_key_makes_a_ca)
{
	struct ceremony_ca ca = ca_folder_wish(&dir, "root");
	OWNED(X509) *root = NULL;
	OWNED(X509) *child = NULL;
	OWNED(X509) *leaf = NULL;
	struct err err = { 0 };

	ca.key_kind = kinds[_i].kind;
	ca.key_bits = kinds[_i].bits;
	ck_assert_msg(ceremony_create_root(&dir.ceremony, &ca, &err) == 0,
	    "%s", err.text);
	ca_folder_child(&dir, "child", "root");
	root = ca_folder_cert(&dir, "published/root.crt");
	child = ca_folder_cert(&dir, "published/child.crt");
	leaf = ca_folder_leaf(&dir, "child", "www.example.com");
	X509 *trusted[] = { root, NULL }, *between[] = { child, NULL };

	ck_assert_int_eq(X509_get_signature_nid(child), kinds[_i].digest);
	ck_assert_int_eq(ca_folder_verify(leaf, trusted, between, NOON + DAY),
	    X509_V_OK);
}
END_TEST

START_TEST(there_may_be_several_roots_and_several_cas_of_one_organisation)
{
	ca_folder_root(&dir, "example.com");
	ca_folder_root(&dir, "example.org");
	ca_folder_child(&dir, "example.com/users", "example.com");
	ca_folder_child(&dir, "example.com/hosts", "example.com");
	ca_folder_child(&dir, "example.org/users", "example.org");
	ck_assert(ca_folder_has(&dir, "published/example.com@hosts.crt"));
	ck_assert(ca_folder_has(&dir, "published/example.org@users.crt"));
	ck_assert_int_eq(ca_folder_count(&dir, "ca.created"), 5);
}
END_TEST

/* --- addresses ------------------------------------------------------------ */

static void
first_crl_point(X509 *cert, char *out, size_t size)
{
	CRL_DIST_POINTS *points = X509_get_ext_d2i(cert,
	    NID_crl_distribution_points, NULL, NULL);
	GENERAL_NAME *name;

	ck_assert_ptr_nonnull(points);
	name = sk_GENERAL_NAME_value(sk_DIST_POINT_value(points,
	    0)->distpoint->name.fullname, 0);
	snprintf(out, size, "%s", (const char *)ASN1_STRING_get0_data(
	    name->d.uniformResourceIdentifier));
	CRL_DIST_POINTS_free(points);
}

START_TEST(an_address_holds_the_parents_name)
{
	struct ceremony_ca ca = ca_folder_wish(&dir, "child");
	struct ceremony_parent by = ca_folder_parent("example.com/root");
	OWNED(X509) *cert = NULL;
	char url[128];
	struct err err = { 0 };

	ca_folder_root(&dir, "example.com/root");
	by.crl_url = "http://pki.example.com/crl/{ca}.crl";
	by.ca_url = "http://pki.example.com/ca/{ca}.crt";
	ck_assert_int_eq(ceremony_create_child(&dir.ceremony, &ca, &by, &err),
	    0);
	cert = ca_folder_cert(&dir, "published/child.crt");
	first_crl_point(cert, url, sizeof(url));
	ck_assert_str_eq(url,
	    "http://pki.example.com/crl/example.com@root.crl");
	ck_assert_int_ge(X509_get_ext_by_NID(cert, NID_info_access, -1), 0);
}
END_TEST

/* --- CAs that end together ------------------------------------------------ */

static const struct {
	const char	*name;
	int64_t		 days;		/* of the second child */
	const char	*want;		/* in the warning; NULL: none */
} ends[] = {
	{ "long before its parent",		3000,	NULL },
	{ "31 days before its parent",		7269,	NULL },
	{ "30 days before its parent",		7270,	"its parent root" },
	{ "together with its parent",		7300,	"its parent root" },
	{ "cut to its parent's end",		9000,	"its parent root" },
	{ "with its sister",			3650,	"and sister end" },
	{ "30 days before its sister",		3620,	"and sister end" },
	{ "31 days before its sister",		3619,	NULL },
	{ "30 days after its sister",		3680,	"and sister end" },
	{ "31 days after its sister",		3681,	NULL },
};

START_TEST(cas_that_end_together_are_warned_of)
{
	struct ceremony_ca ca = ca_folder_wish(&dir, "child");
	const struct ceremony_parent by = ca_folder_parent("root");
	struct err err = { 0 };

	ca_folder_root(&dir, "root");
	ca_folder_child(&dir, "sister", "root");
	ck_assert_int_eq(dir.n_warned, 0);
	ca.validity_s = ends[_i].days * DAY;
	ck_assert_msg(ceremony_create_child(&dir.ceremony, &ca, &by,
	    &err) == 0, "%s", err.text);
	ck_assert_msg(dir.n_warned == (ends[_i].want == NULL ? 0 : 1),
	    "%s: %s", ends[_i].name, dir.warned[0]);
	ck_assert_int_eq(ca_folder_count(&dir, "ca.warned"), dir.n_warned);
	if (dir.n_warned > 0)
		ck_assert_msg(strstr(dir.warned[0], ends[_i].want) != NULL,
		    "%s", dir.warned[0]);
}
END_TEST

/* --- the first CRL -------------------------------------------------------- */

static int
see_crl(const struct ca_row *row, void *arg)
{
	*(uint64_t *)arg = row->crl_number;
	return 0;
}

static X509_CRL *
read_crl(void)
{
	char path[128];
	X509_CRL *crl;
	FILE *f;

	snprintf(path, sizeof(path), "%s/published/root.crl", dir.path);
	f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	crl = d2i_X509_CRL_fp(f, NULL);
	fclose(f);
	ck_assert_ptr_nonnull(crl);
	return crl;
}

START_TEST(a_root_gets_its_first_crl_once)
{
	OWNED(X509) *root = NULL;
	OWNED(X509_CRL) *crl = NULL;
	uint64_t number = 0;
	struct stat st;
	char path[128];
	struct err err = { 0 };

	ca_folder_root(&dir, "root");
	for (int i = 0; i < 2; i++)
		ck_assert_msg(ceremony_first_crl(&dir.ceremony, "root",
		    no_passphrase, 365 * DAY, &err) == 0, "%s", err.text);
	root = ca_folder_cert(&dir, "published/root.crt");
	crl = read_crl();
	ck_assert_int_eq(X509_CRL_verify(crl, X509_get0_pubkey(root)), 1);
	ck_assert_int_eq(store_find_ca(dir.store, "root", see_crl, &number,
	    &err), 0);
	ck_assert_uint_eq(number, 1);
	snprintf(path, sizeof(path), "%s/published/root.crl", dir.path);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_mtime, NOON);
	ck_assert(ca_folder_has(&dir, "published/root.crl.pem"));
	ck_assert_int_eq(ceremony_first_crl(&dir.ceremony, "nobody",
	    no_passphrase, 365 * DAY, &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
}
END_TEST

static int
act_first_crl(const struct ceremony *c, void *arg, struct err *err)
{
	(void)arg;
	return ceremony_first_crl(c, "root", no_passphrase, 365 * DAY, err);
}

/* Its number was committed and never seen: the next one is above it. */
START_TEST(a_first_crl_that_was_cut_off_is_made_with_the_next_number)
{
	OWNED(X509_CRL) *crl = NULL;
	uint64_t number = 0;
	struct err err = { 0 };

	ca_folder_root(&dir, "root");
	ck_assert(ca_folder_crash(&dir, "ceremony.after-crl-reserve",
	    act_first_crl, NULL));
	ck_assert_int_eq(act_first_crl(&dir.ceremony, NULL, &err), 0);
	crl = read_crl();
	ck_assert_int_eq(store_find_ca(dir.store, "root", see_crl, &number,
	    &err), 0);
	ck_assert_uint_eq(number, 2);
}
END_TEST

/* --- CAs made elsewhere --------------------------------------------------- */

/* A CA as another program might have made it. */
static X509 *
foreign_ca(EVP_PKEY *key, const char *cn, X509 *issuer, EVP_PKEY *by, bool ca)
{
	X509 *cert = X509_new();
	X509V3_CTX ctx;
	OWNED(X509_EXTENSION) *ext = NULL;

	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 4711);
	ASN1_TIME_set(X509_getm_notBefore(cert), NOON - DAY);
	ASN1_TIME_set(X509_getm_notAfter(cert), NOON + 1000 * DAY);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN",
	    MBSTRING_UTF8, (const uint8_t *)cn, -1, -1, 0);
	X509_set_issuer_name(cert, X509_get_subject_name(issuer == NULL ?
	    cert : issuer));
	X509_set_pubkey(cert, key);
	X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, NID_basic_constraints,
	    ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
	X509_add_ext(cert, ext, -1);
	ck_assert_int_gt(X509_sign(cert, by == NULL ? key : by, EVP_sha256()),
	    0);
	return cert;
}

static EVP_PKEY *
new_key(void)
{
	return EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
}

START_TEST(a_ca_made_elsewhere_is_put_on_record)
{
	OWNED(EVP_PKEY) *key = new_key();
	OWNED(X509) *cert = foreign_ca(key, "Old CA", NULL, NULL, true);
	OWNED(X509) *there = NULL;
	struct err err = { 0 };

	ck_assert_msg(ceremony_adopt(&dir.ceremony, "old", "", cert, key,
	    no_passphrase, "imported", &err) == 0, "%s (%s)", err.text,
	    err.detail);
	there = ca_folder_cert(&dir, "published/old.crt");
	ck_assert_int_eq(X509_cmp(there, cert), 0);
	ck_assert(ca_folder_has(&dir, "published/old.pem"));
	ck_assert(ca_folder_has(&dir, "journal/old.journal"));
	ck_assert(ca_folder_has(&dir, "keys/old.key"));
	ck_assert_int_eq(ca_folder_count(&dir, "ca.imported"), 1);
	ck_assert_int_eq(ceremony_adopt(&dir.ceremony, "old", "", cert, key,
	    no_passphrase, "imported", &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
}
END_TEST

START_TEST(a_ca_without_its_key_is_known_and_signs_elsewhere)
{
	OWNED(EVP_PKEY) *key = new_key();
	OWNED(X509) *cert = foreign_ca(key, "Old CA", NULL, NULL, true);
	struct ceremony_ca ca = ca_folder_wish(&dir, "below");
	const struct ceremony_parent by = ca_folder_parent("old");
	struct err err = { 0 };

	ck_assert_int_eq(ceremony_adopt(&dir.ceremony, "old", "", cert, NULL,
	    no_passphrase, "installed", &err), 0);
	ck_assert(!ca_folder_has(&dir, "keys/old.key"));
	ck_assert_int_eq(ceremony_create_child(&dir.ceremony, &ca, &by, &err),
	    -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
}
END_TEST

enum flaw { NO_CA, OTHER_KEY, KNOWN_KEY, NO_PARENT, NOT_SIGNED_BY, BAD_SELF,
	BAD_NAME, NO_FAMILY, LEFT_KEY, BLOCKED_KEY };
static const struct {
	enum flaw	 flaw;
	const char	*want;
} flaws[] = {
	{ NO_CA,	"not one of a CA" },
	{ OTHER_KEY,	"not the certificate's" },
	{ KNOWN_KEY,	"the key of the CA root" },
	{ NO_PARENT,	"not signed by the CA nobody" },
	{ NOT_SIGNED_BY, "not signed by the CA root" },
	{ BAD_SELF,	"signature is wrong" },
	{ BAD_NAME,	"a CA's name has" },
	{ NO_FAMILY,	"a CA that is not on record" },
	{ LEFT_KEY,	"move it away" },
	{ BLOCKED_KEY,	"is blocked" },
};

START_TEST(what_does_not_fit_is_not_adopted)
{
	enum flaw flaw = flaws[_i].flaw;
	OWNED(EVP_PKEY) *key = new_key();
	OWNED(EVP_PKEY) *other = new_key();
	OWNED(EVP_PKEY) *root_key = NULL;
	OWNED(X509) *root = NULL;
	OWNED(X509) *cert = NULL;
	char path[256];
	struct err err = { 0 };

	ca_folder_root(&dir, "root");
	root = ca_folder_cert(&dir, "published/root.crt");
	root_key = ca_folder_key(&dir, "root");
	cert = flaw == NOT_SIGNED_BY ?
	    foreign_ca(key, "New", root, other, true) :
	    foreign_ca(flaw == KNOWN_KEY ? root_key : key, "New", NULL,
	    flaw == BAD_SELF ? other : NULL, flaw != NO_CA);
	if (flaw == BLOCKED_KEY) {
		uint8_t spki_sha256[32];

		ck_assert_int_eq(key_digest_certificate(cert, spki_sha256,
		    &err), 0);
		ck_assert_int_eq(store_begin(dir.store, &err), 0);
		ck_assert_int_eq(store_block_key(dir.store, spki_sha256,
		    KEY_BLOCKED, "", NOON, &err), 0);
		ck_assert_int_eq(store_commit(dir.store, &err), 0);
	}
	if (flaw == LEFT_KEY) {
		ca_folder_root(&dir, "left");
		snprintf(path, sizeof(path), "mv %s/keys/left.key "
		    "%s/keys/new.key", dir.path, dir.path);
		ck_assert_int_eq(system(path), 0);
	}
	ck_assert_int_eq(ceremony_adopt(&dir.ceremony, flaw == BAD_NAME ?
	    "new~x" : flaw == NO_FAMILY ? "new~2" : "new",
	    flaw == NO_PARENT ? "nobody" : flaw == NOT_SIGNED_BY ? "root" : "",
	    cert, flaw == OTHER_KEY ? other : flaw == KNOWN_KEY ? root_key :
	    key, no_passphrase, "imported", &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_msg(strstr(err.text, flaws[_i].want) != NULL, "%s",
	    err.text);
	ck_assert_int_eq(ca_folder_count(&dir, "ca.imported"), 0);
}
END_TEST

START_TEST(a_weak_key_does_not_sign_here)
{
	OWNED(EVP_PKEY) *key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA",
	    (size_t)1024);
	OWNED(X509) *cert = foreign_ca(key, "Old CA", NULL, NULL, true);
	struct err err = { 0 };

	ck_assert_int_eq(ceremony_adopt(&dir.ceremony, "old", "", cert, key,
	    no_passphrase, "imported", &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_msg(strstr(err.text, "without the key") != NULL, "%s",
	    err.text);
	ck_assert_msg(ceremony_adopt(&dir.ceremony, "old", "", cert, NULL,
	    no_passphrase, "imported", &err) == 0, "%s", err.text);
	ck_assert_int_eq(ceremony_place_key(&dir.ceremony, "old", cert, key,
	    no_passphrase, &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert(!ca_folder_has(&dir, "keys/old.key"));
}
END_TEST

/* Whatever would stop the last step is known before the first. */
START_TEST(a_key_that_cannot_be_placed_is_told_before)
{
	OWNED(EVP_PKEY) *key = new_key();
	OWNED(EVP_PKEY) *other = new_key();
	OWNED(X509) *cert = foreign_ca(key, "Old CA", NULL, NULL, true);
	OWNED(X509) *another = foreign_ca(other, "New CA", NULL, NULL, true);
	struct bytes wrong = bytes_of("wrong");
	struct err err = { 0 };

	ck_assert_int_eq(ceremony_check_place_key(&dir.ceremony, "old", cert,
	    other, no_passphrase, &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_msg(ceremony_check_place_key(&dir.ceremony, "old", cert,
	    key, no_passphrase, &err) == 0, "%s", err.text);
	ck_assert(!ca_folder_has(&dir, "keys/old.key"));
	ck_assert_int_eq(ceremony_place_key(&dir.ceremony, "old", cert, key,
	    bytes_of("right"), &err), 0);
	ck_assert_int_eq(ceremony_check_place_key(&dir.ceremony, "old", cert,
	    key, bytes_of("right"), &err), 0);
	ck_assert_int_eq(ceremony_check_place_key(&dir.ceremony, "old", cert,
	    key, wrong, &err), -1);
	ck_assert_int_eq(ceremony_check_place_key(&dir.ceremony, "old",
	    another, other, bytes_of("right"), &err), -1);
	ck_assert_msg(strstr(err.text, "move it away") != NULL, "%s",
	    err.text);
}
END_TEST

START_TEST(a_key_with_a_compressed_point_is_the_same_key)
{
	OWNED(EVP_PKEY) *key = new_key();
	OWNED(X509) *cert = foreign_ca(key, "Old CA", NULL, NULL, true);
	OWNED(X509) *other = NULL;
	OWNED_SUCCESSION s = { 0 };
	struct err err = { 0 };

	ck_assert_int_eq(ceremony_adopt(&dir.ceremony, "old", "", cert, NULL,
	    no_passphrase, "imported", &err), 0);
	ck_assert_int_eq(EVP_PKEY_set_utf8_string_param(key,
	    OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, "compressed"), 1);
	other = foreign_ca(key, "Other CA", NULL, NULL, true);
	ck_assert_int_ne(ASN1_STRING_cmp(X509_get0_pubkey_bitstr(cert),
	    X509_get0_pubkey_bitstr(other)), 0);
	ck_assert_int_eq(ceremony_adopt(&dir.ceremony, "other", "", other,
	    NULL, no_passphrase, "imported", &err), -1);
	ck_assert_msg(strstr(err.text, "the key of the CA old") != NULL, "%s",
	    err.text);
	/* So it is to who installs it. */
	ck_assert_int_eq(ceremony_judge_above(&dir.ceremony, "other", other,
	    &s, &err), -1);
	ck_assert_msg(strstr(err.text, "would be old") != NULL, "%s",
	    err.text);
}
END_TEST

/* Of the parent's generations the one that signed it. */
START_TEST(an_adopted_ca_stands_under_the_key_that_signed_it)
{
	struct ceremony_ca ca = { .name = "root" };
	OWNED(EVP_PKEY) *key = new_key();
	OWNED(EVP_PKEY) *first = NULL;
	OWNED(X509) *root = NULL;
	OWNED(X509) *cert = NULL;
	struct err err = { 0 };

	ca_folder_root(&dir, "root");
	ck_assert_int_eq(ceremony_renew(&dir.ceremony, &ca, true, NULL, &err),
	    0);
	root = ca_folder_cert(&dir, "published/root.crt");
	first = ca_folder_key(&dir, "root");
	cert = foreign_ca(key, "New", root, first, true);
	ck_assert_msg(ceremony_adopt(&dir.ceremony, "new", "root", cert, key,
	    no_passphrase, "imported", &err) == 0, "%s", err.text);
}
END_TEST

struct adopting {
	EVP_PKEY	*key;
	X509		*cert;
};

static int
act_adopt(const struct ceremony *c, void *arg, struct err *err)
{
	const struct adopting *a = arg;

	return ceremony_adopt(c, "old", "", a->cert, a->key, no_passphrase,
	    "imported", err);
}

static const char *const adopt_points[] = { "ceremony.before-journal",
	"ceremony.after-journal", "ceremony.before-commit" };

START_TEST(an_adoption_that_was_cut_off_is_completed)
{
	OWNED(EVP_PKEY) *key = new_key();
	OWNED(X509) *cert = foreign_ca(key, "Old CA", NULL, NULL, true);
	struct adopting adopting = { key, cert };
	struct err err = { 0 };

	ck_assert(ca_folder_crash(&dir, adopt_points[_i], act_adopt,
	    &adopting));
	ck_assert_int_eq(ca_folder_count(&dir, "ca.imported"), 0);
	ck_assert_msg(act_adopt(&dir.ceremony, &adopting, &err) == 0, "%s",
	    err.text);
	ck_assert_int_eq(ca_folder_count(&dir, "ca.imported"), 1);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("ceremony");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc,
	    names_of_a_grandchilds_leaf_lie_within_all_constraints, 0,
	    ROWS(leaves));
	tcase_add_loop_test(tc, a_child_stays_within_its_parents_bounds, 0,
	    ROWS(below));
	tcase_add_test(tc, constraints_of_the_parents_parent_hold_too);
	tcase_add_loop_test(tc, each_kind_of_key_makes_a_ca, 0, ROWS(kinds));
	tcase_add_test(tc,
	    there_may_be_several_roots_and_several_cas_of_one_organisation);
	tcase_add_test(tc, an_address_holds_the_parents_name);
	tcase_add_loop_test(tc, cas_that_end_together_are_warned_of, 0,
	    ROWS(ends));
	tcase_add_test(tc, a_root_gets_its_first_crl_once);
	tcase_add_test(tc,
	    a_first_crl_that_was_cut_off_is_made_with_the_next_number);
	tcase_add_test(tc, a_ca_made_elsewhere_is_put_on_record);
	tcase_add_test(tc, a_ca_without_its_key_is_known_and_signs_elsewhere);
	tcase_add_loop_test(tc, what_does_not_fit_is_not_adopted, 0,
	    ROWS(flaws));
	tcase_add_test(tc, a_weak_key_does_not_sign_here);
	tcase_add_test(tc, a_key_that_cannot_be_placed_is_told_before);
	tcase_add_test(tc, a_key_with_a_compressed_point_is_the_same_key);
	tcase_add_test(tc, an_adopted_ca_stands_under_the_key_that_signed_it);
	tcase_add_loop_test(tc, an_adoption_that_was_cut_off_is_completed, 0,
	    ROWS(adopt_points));
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
