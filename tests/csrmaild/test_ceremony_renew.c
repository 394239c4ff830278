#include "csrmaild/ceremony.h"
#include "common/ca.h"
#include "common/constraints.h"
#include "common/err.h"
#include "csrmaild/authority.h"
#include "csrmaild/settings.h"
#include "csrmaild/signer.h"
#include "tests/support/ca_folder.h"
#include "tests/support/fixtures.h"

#include <openssl/x509v3.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Roll-over: the same key or a new one, and that old and new go together. */
#define LATER	(NOON + 3000 * DAY)

static struct ca_folder dir;
static struct ca_settings sections[2];
static struct settings settings;

static void
set_up(void)
{
	static char root[] = "root", users[] = "users", none[] = "";

	ca_folder_make(&dir);
	ca_folder_root(&dir, "root");
	ca_folder_child(&dir, "users", "root");
	for (int i = 0; i < 2; i++)
		sections[i] = (struct ca_settings){
			.name = i == 0 ? root : users,
			.passphrase_file = none, .ocsp_url = none,
			.crl_url = none, .ca_url = none };
	settings = (struct settings){ .path = none, .state_dir = dir.path,
		.cas = sections, .n_cas = 2 };
}

static void
tear_down(void)
{
	ca_folder_remove(&dir);
}

/* A renewal as one argument, for ca_folder_crash. */
struct renewal {
	const char	*name, *parent;	/* NULL: a root */
	bool		 new_key;
};

static int
renew(const struct ceremony *c, void *arg, struct err *err)
{
	const struct renewal *r = arg;
	const struct ceremony_ca ca = { .name = r->name };
	const struct ceremony_parent by = ca_folder_parent(r->parent);

	return ceremony_renew(c, &ca, r->new_key, r->parent == NULL ? NULL :
	    &by, err);
}

static void
must_renew(const char *name, const char *parent, bool new_key)
{
	struct renewal r = { name, parent, new_key };
	struct err err = { 0 };

	dir.ceremony.now = LATER;
	ck_assert_msg(renew(&dir.ceremony, &r, &err) == 0, "%s (%s)",
	    err.text, err.detail);
}

struct certs {
	int		 n;
	time_t		 not_after;	/* of the last */
};

static int
count_certs(const struct ca_certificate_row *row, void *arg)
{
	struct certs *certs = arg;

	certs->n++;
	certs->not_after = row->not_after;
	return 0;
}

static int
keep_row(const struct ca_row *row, void *arg)
{
	struct ca_row *out = arg;

	*out = *row;
	out->name = out->parent = NULL;
	out->cert = (struct bytes){ NULL, 0 };
	return 0;
}

static struct certs
certs_of(const char *name)
{
	struct ca_row row;
	struct certs certs = { 0 };
	struct err err = { 0 };

	ck_assert_int_eq(store_find_ca(dir.store, name, keep_row, &row, &err),
	    0);
	ck_assert_int_eq(store_each_ca_certificate(dir.store, row.id,
	    count_certs, &certs, &err), 0);
	return certs;
}

static bool
same_octets(X509 *a, X509 *b, int nid)
{
	int i = X509_get_ext_by_NID(a, nid, -1);
	int k = X509_get_ext_by_NID(b, nid, -1);

	return i >= 0 && k >= 0 && ASN1_STRING_cmp(X509_EXTENSION_get_data(
	    X509_get_ext(a, i)), X509_EXTENSION_get_data(X509_get_ext(b,
	    k))) == 0;
}

/* --- the same key --------------------------------------------------------- */

static const struct renewal same_key[] = {
	{ "root", NULL, false },
	{ "users", "root", false },
};

START_TEST(a_renewed_certificate_takes_the_place_of_the_one_before)
{
	const struct renewal *r = &same_key[_i];
	char file[64], kept[128], hex[SERIAL_HEX_SIZE];
	OWNED(X509) *old = NULL;
	OWNED(X509) *new = NULL;
	OWNED(X509) *again = NULL;
	struct serial serial;
	uint64_t before = 0, after = 0;
	struct err err = { 0 };

	snprintf(file, sizeof(file), "published/%s.crt", r->name);
	old = ca_folder_cert(&dir, file);
	ck_assert_int_eq(store_last_change(dir.store, &before, &err), 0);
	must_renew(r->name, r->parent, false);
	new = ca_folder_cert(&dir, file);
	ck_assert_int_ne(X509_cmp(old, new), 0);
	ck_assert_int_eq(EVP_PKEY_eq(X509_get0_pubkey(old),
	    X509_get0_pubkey(new)), 1);
	ck_assert_int_eq(X509_NAME_cmp(X509_get_subject_name(old),
	    X509_get_subject_name(new)), 0);
	ck_assert(same_octets(old, new, NID_subject_key_identifier));
	ck_assert(same_octets(old, new, NID_basic_constraints));
	ck_assert_int_gt(ASN1_TIME_compare(X509_get0_notAfter(new),
	    X509_get0_notAfter(old)), 0);
	/* The old one is kept beside it, and on record. */
	serial_from_asn1(X509_get0_serialNumber(old), &serial, &err);
	serial_to_hex(&serial, hex);
	snprintf(kept, sizeof(kept), "published/%s.%s.crt", r->name, hex);
	again = ca_folder_cert(&dir, kept);
	ck_assert_int_eq(X509_cmp(old, again), 0);
	ck_assert_int_eq(certs_of(r->name).n, 2);
	/* ocspd sees that something changed. */
	ck_assert_int_eq(store_last_change(dir.store, &after, &err), 0);
	ck_assert_uint_gt(after, before);
	ck_assert_int_eq(ca_folder_count(&dir, "ca.renewed"), 1);
}
END_TEST

START_TEST(what_the_key_signed_fits_the_old_and_the_new_certificate)
{
	OWNED(X509) *leaf = ca_folder_leaf(&dir, "users", "www.example.com");
	OWNED(X509) *root = ca_folder_cert(&dir, "published/root.crt");
	OWNED(X509) *old = ca_folder_cert(&dir, "published/users.crt");
	OWNED(X509) *new = NULL;
	OWNED(X509) *new_root = NULL;

	must_renew("users", "root", false);
	must_renew("root", NULL, false);
	new = ca_folder_cert(&dir, "published/users.crt");
	new_root = ca_folder_cert(&dir, "published/root.crt");
	X509 *roots[] = { root, NULL }, *new_roots[] = { new_root, NULL };
	X509 *by_old[] = { old, NULL }, *by_new[] = { new, NULL };

	ck_assert_int_eq(ca_folder_verify(leaf, roots, by_old, NOON + DAY),
	    X509_V_OK);
	ck_assert_int_eq(ca_folder_verify(leaf, new_roots, by_old,
	    LATER - 2980 * DAY), X509_V_ERR_CERT_NOT_YET_VALID);
	dir.ceremony.now = LATER;
	X509_free(leaf);
	leaf = ca_folder_leaf(&dir, "users", "www.example.com");
	ck_assert_int_eq(ca_folder_verify(leaf, roots, by_new, LATER + DAY),
	    X509_V_OK);
	ck_assert_int_eq(ca_folder_verify(leaf, new_roots, by_old,
	    LATER + DAY), X509_V_OK);
}
END_TEST

/* Constraints, policies and addresses are what others rely on. */
START_TEST(a_renewal_keeps_what_binds_the_ca)
{
	struct ceremony_ca ca = ca_folder_wish(&dir, "bound");
	struct ceremony_parent by = ca_folder_parent("root");
	struct ceremony_ca again = { .name = "bound" };
	OWNED(NAME_CONSTRAINTS) *nc = NULL;
	OWNED(X509) *old = NULL;
	OWNED(X509) *new = NULL;
	struct err err = { 0 };

	ck_assert_int_eq(constraints_add(&nc, true, "dns:example.com", &err),
	    0);
	ca.constraints = nc;
	ca.policies = "1.3.6.1.4.1.99999.1";
	ca.path_len = 3;
	by.crl_url = "http://pki.example.com/crl/{ca}.crl";
	by.ca_url = "http://pki.example.com/ca/{ca}.crt";
	ck_assert_int_eq(ceremony_create_child(&dir.ceremony, &ca, &by, &err),
	    0);
	old = ca_folder_cert(&dir, "published/bound.crt");
	by.crl_url = by.ca_url = by.ocsp_url = NULL;	/* as before */
	dir.ceremony.now = LATER;
	ck_assert_msg(ceremony_renew(&dir.ceremony, &again, _i == 1, &by,
	    &err) == 0, "%s", err.text);
	new = ca_folder_cert(&dir, _i == 1 ? "published/bound~2.crt" :
	    "published/bound.crt");
	static const int kept[] = { NID_name_constraints,
		NID_certificate_policies, NID_basic_constraints,
		NID_crl_distribution_points, NID_info_access };

	for (int i = 0; i < ROWS(kept); i++)
		ck_assert_msg(same_octets(old, new, kept[i]), "%s",
		    OBJ_nid2sn(kept[i]));
	/* Once the parent has another key, somebody has to say them. */
	must_renew("root", NULL, true);
	ck_assert_int_eq(ceremony_renew(&dir.ceremony, &again, false, &by,
	    &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	by.crl_url = "http://pki.example.com/crl/{ca}.crl";
	by.ca_url = "";
	ck_assert_msg(ceremony_renew(&dir.ceremony, &again, false, &by,
	    &err) == 0, "%s", err.text);
}
END_TEST

/* --- a new key ------------------------------------------------------------ */

START_TEST(a_new_key_is_a_generation_beside_the_old_one)
{
	OWNED(X509) *old = ca_folder_cert(&dir, "published/users.crt");
	OWNED(X509) *new = NULL;
	OWNED(X509) *root = ca_folder_cert(&dir, "published/root.crt");
	OWNED(X509) *old_leaf = NULL;
	OWNED(X509) *new_leaf = NULL;

	must_renew("users", "root", true);
	new = ca_folder_cert(&dir, "published/users~2.crt");
	ck_assert(ca_folder_has(&dir, "keys/users~2.key"));
	ck_assert(ca_folder_has(&dir, "journal/users~2.journal"));
	ck_assert(!ca_folder_has(&dir, "published/users~2.cross.crt"));
	ck_assert_int_eq(EVP_PKEY_eq(X509_get0_pubkey(old),
	    X509_get0_pubkey(new)), 0);
	ck_assert_int_eq(X509_NAME_cmp(X509_get_subject_name(old),
	    X509_get_subject_name(new)), 0);
	ck_assert_int_eq(certs_of("users~2").n, 1);
	/* Both at once, and whichever comes first in the file. */
	old_leaf = ca_folder_leaf(&dir, "users", "old.example.com");
	new_leaf = ca_folder_leaf(&dir, "users~2", "new.example.com");
	X509 *trusted[] = { root, NULL };
	X509 *both[] = { old, new, NULL }, *turned[] = { new, old, NULL };
	X509 *only_old[] = { old, NULL };

	ck_assert_int_eq(ca_folder_verify(old_leaf, trusted, both,
	    LATER + DAY), X509_V_OK);
	ck_assert_int_eq(ca_folder_verify(new_leaf, trusted, both,
	    LATER + DAY), X509_V_OK);
	ck_assert_int_eq(ca_folder_verify(old_leaf, trusted, turned,
	    LATER + DAY), X509_V_OK);
	ck_assert_int_ne(ca_folder_verify(new_leaf, trusted, only_old,
	    LATER + DAY), X509_V_OK);
}
END_TEST

/* RFC 4210, 4.4: "new with old". */
START_TEST(who_trusts_the_old_root_alone_reaches_the_new_one)
{
	OWNED(X509) *old = ca_folder_cert(&dir, "published/root.crt");
	OWNED(X509) *new = NULL;
	OWNED(X509) *cross = NULL;
	OWNED(X509) *hosts = NULL;
	OWNED(X509) *leaf = NULL;

	must_renew("root", NULL, true);
	ca_folder_child(&dir, "hosts", "root");	/* by the new key */
	new = ca_folder_cert(&dir, "published/root~2.crt");
	cross = ca_folder_cert(&dir, "published/root~2.cross.crt");
	hosts = ca_folder_cert(&dir, "published/hosts.crt");
	leaf = ca_folder_leaf(&dir, "hosts", "www.example.com");
	ck_assert_int_eq(X509_verify(hosts, X509_get0_pubkey(new)), 1);
	X509 *trust_old[] = { old, NULL }, *trust_new[] = { new, NULL };
	X509 *with_cross[] = { hosts, cross, NULL };
	X509 *without[] = { hosts, NULL };

	ck_assert_int_eq(ca_folder_verify(leaf, trust_new, without,
	    LATER + DAY), X509_V_OK);
	ck_assert_int_eq(ca_folder_verify(leaf, trust_old, with_cross,
	    LATER + DAY), X509_V_OK);
	ck_assert_int_ne(ca_folder_verify(leaf, trust_old, without,
	    LATER + DAY), X509_V_OK);
	/* It ends with the old root. */
	ck_assert_int_le(ASN1_TIME_compare(X509_get0_notAfter(cross),
	    X509_get0_notAfter(old)), 0);
}
END_TEST

/* RFC 5280, 4.2.1.9: self-issued certificates do not count. */
START_TEST(a_roots_path_length_holds_for_its_next_key_too)
{
	struct ceremony_ca ca = ca_folder_wish(&dir, "short");
	OWNED(X509) *old = NULL;
	OWNED(X509) *cross = NULL;
	OWNED(X509) *below = NULL;
	OWNED(X509) *leaf = NULL;
	struct err err = { 0 };

	ca.path_len = 1;
	ck_assert_int_eq(ceremony_create_root(&dir.ceremony, &ca, &err), 0);
	must_renew("short", NULL, true);
	ca = ca_folder_wish(&dir, "below");
	ca.path_len = 0;
	const struct ceremony_parent by = ca_folder_parent("short");

	ck_assert_int_eq(ceremony_create_child(&dir.ceremony, &ca, &by, &err),
	    0);
	old = ca_folder_cert(&dir, "published/short.crt");
	cross = ca_folder_cert(&dir, "published/short~2.cross.crt");
	below = ca_folder_cert(&dir, "published/below.crt");
	leaf = ca_folder_leaf(&dir, "below", "www.example.com");
	X509 *trusted[] = { old, NULL }, *between[] = { below, cross, NULL };

	ck_assert_int_eq(X509_get_pathlen(cross), 1);
	ck_assert_int_eq(ca_folder_verify(leaf, trusted, between,
	    LATER + DAY), X509_V_OK);
}
END_TEST

START_TEST(generations_are_counted_on)
{
	must_renew("users", "root", true);
	must_renew("users", "root", true);
	ck_assert(ca_folder_has(&dir, "published/users~3.crt"));
	/* By its name the CA that signs now is renewed. */
	must_renew("users", "root", false);
	ck_assert_int_eq(certs_of("users~3").n, 2);
	ck_assert_int_eq(certs_of("users").n, 1);
	must_renew("users~2", "root", false);
	ck_assert_int_eq(certs_of("users~2").n, 2);
	must_renew("users~1", "root", false);
	ck_assert_int_eq(certs_of("users").n, 2);
}
END_TEST

static const struct {
	const char	*said, *name;
	bool		 meant;
} names[] = {
	{ "users",	"users",	true },
	{ "users",	"users~2",	true },
	{ "users~2",	"users~2",	true },
	{ "users~2",	"users",	false },
	{ "users~2",	"users~3",	false },
	{ "users~1",	"users",	true },
	{ "users~1",	"users~2",	false },
	{ "user",	"users",	false },
	{ "users",	"user~2",	false },
};

START_TEST(by_a_cas_name_all_its_keys_are_meant)
{
	ck_assert_msg(ca_is_meant(names[_i].said, names[_i].name) ==
	    names[_i].meant, "%s, %s", names[_i].said, names[_i].name);
}
END_TEST

START_TEST(a_new_key_is_of_the_kind_that_is_asked_for)
{
	struct ceremony_ca ca = { .name = "users", .key_kind = KEY_P384,
		.validity_s = 100 * DAY };
	const struct ceremony_parent by = ca_folder_parent("root");
	OWNED(X509) *new = NULL;
	struct err err = { 0 };

	ck_assert_int_eq(ceremony_renew(&dir.ceremony, &ca, true, &by, &err),
	    0);
	new = ca_folder_cert(&dir, "published/users~2.crt");
	ck_assert_int_eq(EVP_PKEY_get_bits(X509_get0_pubkey(new)), 384);
	ck_assert_int_eq(certs_of("users~2").not_after, NOON + 100 * DAY);
}
END_TEST

/* --- refusals ------------------------------------------------------------- */

static const struct {
	struct renewal	 r;
	const char	*want;
} refused[] = {
	{ { "nobody", NULL, false },	"no CA nobody" },
	{ { "users", NULL, false },	"renewed by its parent root" },
	{ { "users", "users", false },	"renewed by root, not by users" },
	{ { "root", "users", true },	"renewed by itself" },
	{ { "users~2", "root", false },	"no CA users~2" },
};

START_TEST(what_cannot_be_renewed_is_refused)
{
	struct renewal r = refused[_i].r;
	struct err err = { 0 };

	ck_assert_int_eq(renew(&dir.ceremony, &r, &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_msg(strstr(err.text, refused[_i].want) != NULL, "%s",
	    err.text);
}
END_TEST

/* One source of passphrases opens every key of a CA. */
START_TEST(the_passphrase_of_a_new_key_opens_the_old_one)
{
	struct ceremony_ca ca = ca_folder_wish(&dir, "locked");
	const struct ceremony_parent by = ca_folder_parent("root");
	struct err err = { 0 };

	ca.passphrase = bytes_of("secret");
	ck_assert_int_eq(ceremony_create_child(&dir.ceremony, &ca, &by, &err),
	    0);
	ca.passphrase = bytes_of("other");
	ck_assert_int_eq(ceremony_renew(&dir.ceremony, &ca, true, &by, &err),
	    -1);
	ck_assert(!ca_folder_has(&dir, "keys/locked~2.key"));
	ca.passphrase = bytes_of("secret");
	ck_assert_msg(ceremony_renew(&dir.ceremony, &ca, true, &by, &err) ==
	    0, "%s", err.text);
}
END_TEST

START_TEST(an_expired_parent_renews_nothing)
{
	struct renewal r = { "users", "root", false };
	struct err err = { 0 };

	dir.ceremony.now = NOON + 8000 * DAY;
	ck_assert_int_eq(renew(&dir.ceremony, &r, &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
}
END_TEST

/* --- cut off -------------------------------------------------------------- */

static const struct renewal acts[] = {
	{ "root", NULL, false },
	{ "users", "root", false },
	{ "root", NULL, true },
	{ "users", "root", true },
};
static const char *const points[] = { "ceremony.after-key",
	"ceremony.before-journal", "ceremony.after-journal",
	"ceremony.before-journal:2", "ceremony.after-journal:2",
	"ceremony.before-commit" };

static int
count_serial(const struct cert_row *row, void *arg)
{
	(void)row;
	++*(int *)arg;
	return 0;
}

START_TEST(a_renewal_that_was_cut_off_is_completed)
{
	struct renewal r = acts[_i / ROWS(points)];
	const char *point = points[_i % ROWS(points)];
	OWNED(X509) *first = NULL;
	OWNED(X509) *then = NULL;
	char file[64];
	struct cert_filter all = { .ca = "root", .limit = 100 };
	struct err err = { 0 };
	int n = 0;

	dir.ceremony.now = LATER;
	if (!ca_folder_crash(&dir, point, renew, &r))
		return;		/* this one does not pass there */
	ck_assert_int_eq(ca_folder_count(&dir, "ca.renewed"), 0);
	snprintf(file, sizeof(file), "published/%s%s.crt", r.name,
	    r.new_key ? "~2" : "");
	if (strcmp(point, "ceremony.before-commit") == 0)
		first = ca_folder_cert(&dir, file);
	dir.ceremony.now = LATER + DAY;
	ck_assert_msg(renew(&dir.ceremony, &r, &err) == 0, "%s: %s", point,
	    err.text);
	ck_assert_int_eq(ca_folder_count(&dir, "ca.renewed"), 1);
	then = ca_folder_cert(&dir, file);
	if (first != NULL)	/* what was published is what is on record */
		ck_assert_int_eq(X509_cmp(first, then), 0);
	ck_assert_int_eq(certs_of(r.new_key ? r.parent == NULL ? "root~2" :
	    "users~2" : r.name).n, r.new_key ? 1 : 2);
	/* Under the root: users, and then its renewal or the cross
	 * certificate; of itself a root has no row. */
	ck_assert_int_eq(store_each_certificate(dir.store, &all, count_serial,
	    &n, &err), 0);
	ck_assert_int_eq(n, r.parent != NULL || r.new_key ? 2 : 1);
}
END_TEST

/* --- those who use it ----------------------------------------------------- */

START_TEST(the_signer_opens_every_generation)
{
	struct signer signer;
	struct err err = { 0 };

	must_renew("users", "root", true);
	ck_assert_msg(signer_init(&signer, &settings, &err) == 0, "%s",
	    err.text);
	ck_assert_uint_eq(signer.n_cas, 3);
	for (size_t i = 0; i < signer.n_cas; i++)
		ck_assert_msg(signer_open_ca(&signer, &signer.cas[i],
		    (struct bytes){ NULL, 0 }, &err) == 0, "%s: %s",
		    signer.cas[i].name, err.text);
	ck_assert_ptr_nonnull(signer_ca_by_name(&signer, "users~2"));
	signer_free_contents(&signer);
}
END_TEST

START_TEST(the_newest_valid_generation_signs)
{
	struct authorities all = { .n = 0 };
	struct err err = { 0 };

	must_renew("users", "root", true);
	ck_assert_msg(authorities_load(&all, dir.store, &settings, &err) == 0,
	    "%s", err.text);
	ck_assert_str_eq(authority_current(&all, "users", LATER + DAY)->name,
	    "users~2");
	/* Before it began, the old one. */
	ck_assert_str_eq(authority_current(&all, "users", LATER - DAY)->name,
	    "users");
	authorities_free_contents(&all);
}
END_TEST

START_TEST(a_chain_has_the_certificates_that_are_valid_and_end_last)
{
	OWNED(X509) *old = ca_folder_cert(&dir, "published/users.crt");
	OWNED(X509) *new = NULL;
	struct authorities all = { .n = 0 };
	X509 *chain[CHAIN_MAX];
	struct authority *users;
	struct err err = { 0 };

	must_renew("users", "root", false);
	new = ca_folder_cert(&dir, "published/users.crt");
	ck_assert_int_eq(authorities_load(&all, dir.store, &settings, &err),
	    0);
	users = authority_by_name(&all, "users");
	ck_assert_uint_eq(authority_chain(&all, users, LATER - DAY, chain), 2);
	ck_assert_int_eq(X509_cmp(chain[0], old), 0);
	ck_assert_uint_eq(authority_chain(&all, users, LATER, chain), 2);
	ck_assert_int_eq(X509_cmp(chain[0], new), 0);
	/* When none is valid any more, the newest. */
	ck_assert_uint_eq(authority_chain(&all, users, LATER + 9000 * DAY,
	    chain), 2);
	ck_assert_int_eq(X509_cmp(chain[0], new), 0);
	authorities_free_contents(&all);
}
END_TEST

START_TEST(a_chain_goes_up_by_the_key_that_signed)
{
	OWNED(X509) *root = ca_folder_cert(&dir, "published/root.crt");
	OWNED(X509) *new_root = NULL;
	struct authorities all = { .n = 0 };
	X509 *chain[CHAIN_MAX];
	struct err err = { 0 };

	must_renew("root", NULL, true);
	must_renew("users", "root", true);
	new_root = ca_folder_cert(&dir, "published/root~2.crt");
	ck_assert_int_eq(authorities_load(&all, dir.store, &settings, &err),
	    0);
	ck_assert_uint_eq(authority_chain(&all, authority_by_name(&all,
	    "users"), LATER + DAY, chain), 2);
	ck_assert_int_eq(X509_cmp(chain[1], root), 0);
	ck_assert_uint_eq(authority_chain(&all, authority_by_name(&all,
	    "users~2"), LATER + DAY, chain), 2);
	ck_assert_int_eq(X509_cmp(chain[1], new_root), 0);
	authorities_free_contents(&all);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("ceremony_renew");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc,
	    a_renewed_certificate_takes_the_place_of_the_one_before, 0,
	    ROWS(same_key));
	tcase_add_test(tc,
	    what_the_key_signed_fits_the_old_and_the_new_certificate);
	tcase_add_loop_test(tc, a_renewal_keeps_what_binds_the_ca, 0, 2);
	tcase_add_test(tc, a_new_key_is_a_generation_beside_the_old_one);
	tcase_add_test(tc, who_trusts_the_old_root_alone_reaches_the_new_one);
	tcase_add_test(tc, a_roots_path_length_holds_for_its_next_key_too);
	tcase_add_test(tc, generations_are_counted_on);
	tcase_add_loop_test(tc, by_a_cas_name_all_its_keys_are_meant, 0,
	    ROWS(names));
	tcase_add_test(tc, a_new_key_is_of_the_kind_that_is_asked_for);
	tcase_add_loop_test(tc, what_cannot_be_renewed_is_refused, 0,
	    ROWS(refused));
	tcase_add_test(tc, the_passphrase_of_a_new_key_opens_the_old_one);
	tcase_add_test(tc, an_expired_parent_renews_nothing);
	tcase_add_loop_test(tc, a_renewal_that_was_cut_off_is_completed, 0,
	    ROWS(acts) * ROWS(points));
	tcase_add_test(tc, the_signer_opens_every_generation);
	tcase_add_test(tc, the_newest_valid_generation_signs);
	tcase_add_test(tc,
	    a_chain_has_the_certificates_that_are_valid_and_end_last);
	tcase_add_test(tc, a_chain_goes_up_by_the_key_that_signed);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
