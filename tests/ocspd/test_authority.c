/* Whom we answer for, and the life of our keys, by a clock of our own. */
#include "ocspd/authority.h"
#include "common/err.h"
#include "tests/support/fixtures.h"
#include "tests/support/ocsp_stand.h"

#include <openssl/ocsp.h>

#include <sys/stat.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define LIFE	((time_t)1000)	/* of a responder certificate */

static struct stand stand;
static struct authority *authority;
static struct key_places places;
static const struct responder_kind kinds[] = {
	{ KEY_P256, 0, SIGNATURE_ECDSA_SHA256 },
	{ KEY_RSA, 2048, SIGNATURE_RSA_SHA256 },
	{ KEY_ED25519, 0, SIGNATURE_ED25519 },
};
static struct err err;

static int
open_folder(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", stand.dir, name);
	mkdir(path, 0700);
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int
take_ca(const struct ca_row *row, void *arg)
{
	(void)arg;
	ck_assert_int_eq(authority_new(row, &places, &authority, &err), 0);
	return 0;
}

static void
set_up(void)
{
	stand_open(&stand, "example.test/users");
	close(open_folder("state"));
	places = (struct key_places){ .kinds = kinds, .n_kinds = 1,
		.keys_fd = open_folder("state/keys"),
		.spool_fd = open_folder("state/spool") };
	ck_assert_int_eq(store_each_ca(stand.store, take_ca, NULL, &err), 0);
}

static void
tear_down(void)
{
	authority_free(authority);
	key_places_close(&places);
	close(places.keys_fd);
	close(places.spool_fd);
	stand_close(&stand, false);
}

/* --- whom we answer for ------------------------------------ */

/* What of the right CertID is changed. */
static const struct {
	const char	*name;
	bool		 other_name, other_key, swapped, short_name;
	bool		 want;
} issuers[] = {
	{ "ours", false, false, false, false, true },
	{ "another of our name", false, true, false, false, false },
	{ "our key under another name", true, false, false, false, false },
	{ "neither", true, true, false, false, false },
	{ "the hashes changed places", false, false, true, false, false },
	{ "a name hash cut short", false, false, false, true, false },
};

static const struct {
	const char	*name;
	int		 want;
} generations[] = {
	{ "example.test/users~2",	0 },
	{ "example.test/users~99",	0 },
	{ "example.test/users~1",	-1 },
	{ "example.test/users~",	-1 },
	{ "example.test/users~x",	-1 },
	{ "example.test/../users~2",	-1 },
};

static int
take_generation(const struct ca_row *row, void *arg)
{
	struct ca_row other = *row;
	OWNED_STRUCT(authority) *made = NULL;
	int i = *(int *)arg;

	other.name = generations[i].name;
	ck_assert_msg(authority_new(&other, &places, &made, &err) ==
	    generations[i].want, "%s", other.name);
	if (made == NULL)
		return 0;
	/* A key and a request of its own, which are not the first one's. */
	authority_keep_keys(made, &places, NOON);
	ck_assert_uint_eq(made->n_keys, 1);
	authority_free(authority);
	authority = NULL;
	ck_assert_int_eq(authority_new(row, &places, &authority, &err), 0);
	ck_assert_uint_eq(authority->n_keys, 0);
	return 0;
}

START_TEST(a_later_key_of_a_ca_is_served_like_a_ca_of_its_own)
{
	int i = _i;

	ck_assert_int_eq(store_each_ca(stand.store, take_generation, &i,
	    &err), 0);
}
END_TEST

START_TEST(an_issuer_is_its_name_and_its_key)
{
	const EVP_MD *const mds[] = { EVP_sha1(), EVP_sha256(), EVP_sha384(),
		EVP_sha512() };

	for (int h = 0; h < ROWS(mds); h++) {
		OWNED(ASN1_INTEGER) *serial = ASN1_INTEGER_new();
		OCSP_CERTID *right = OCSP_cert_id_new(mds[h],
		    X509_get_subject_name(stand.ca),
		    X509_get0_pubkey_bitstr(stand.ca), serial);
		uint8_t der[256], *p = der, name[64], key[64];
		int len = i2d_OCSP_CERTID(right, &p);
		struct cert_id id;

		ck_assert(cert_id_read((struct bytes){ der, (size_t)len },
		    &id));
		memcpy(name, id.name_hash.data, id.name_hash.len);
		memcpy(key, id.key_hash.data, id.key_hash.len);
		/* The last octet: all of a hash counts. */
		name[id.name_hash.len - 1] ^= issuers[_i].other_name;
		key[id.key_hash.len - 1] ^= issuers[_i].other_key;
		id.name_hash.data = issuers[_i].swapped ? key : name;
		id.key_hash.data = issuers[_i].swapped ? name : key;
		id.name_hash.len -= issuers[_i].short_name;
		ck_assert_msg(authority_matches(authority, &id) ==
		    issuers[_i].want, "%s, %s", issuers[_i].name,
		    EVP_MD_get0_name(mds[h]));
		OCSP_CERTID_free(right);
	}
}
END_TEST

/* --- our keys ------------------------------------ */

static int
count_files(int folder, const char *suffix)
{
	DIR *dir = fdopendir(openat(folder, ".", O_RDONLY | O_DIRECTORY));
	struct dirent *e;
	int n = 0;

	ck_assert_ptr_nonnull(dir);
	while ((e = readdir(dir)) != NULL) {
		size_t len = strlen(e->d_name), end = strlen(suffix);

		n += e->d_name[0] != '.' && len > end &&
		    strcmp(e->d_name + len - end, suffix) == 0;
	}
	closedir(dir);
	return n;
}

static int
offer(const struct responder_row *row, void *arg)
{
	(void)arg;
	authority_offer(authority, row, &places);
	return 0;
}

/* Certify what is asked for, and hear of it. */
static void
certify(time_t from)
{
	ck_assert_int_eq(stand_certify_spool_for(&stand, from, from + LIFE),
	    1);
	ck_assert_int_eq(store_each_responder(stand.store, offer, NULL, &err),
	    0);
}

/* Seconds after NOON of the certificate that signs then; -1: nobody does. */
static long
signer_since(time_t after)
{
	struct responder_key *k = authority_default_signer(authority,
	    &places, NOON + after);

	return k == NULL ? -1 : (long)(k->not_before - NOON);
}

/* So many keys, files of keys and requests after a look at that time. */
static void
keep(time_t after, size_t keys, int requests)
{
	authority_keep_keys(authority, &places, NOON + after);
	ck_assert_msg(authority->n_keys == keys &&
	    count_files(places.keys_fd, ".key") == (int)keys &&
	    count_files(places.spool_fd, ".p10") == requests,
	    "after %ld s: %zu keys, %d files, %d requests", (long)after,
	    authority->n_keys, count_files(places.keys_fd, ".key"),
	    count_files(places.spool_fd, ".p10"));
}

START_TEST(a_key_is_replaced_at_half_life_and_serves_meanwhile)
{
	keep(0, 1, 1);
	ck_assert_int_eq(signer_since(0), -1);
	certify(NOON);
	ck_assert_int_eq(signer_since(0), 0);
	keep(LIFE / 2 - 1, 1, 0);
	keep(LIFE / 2, 2, 1);
	keep(LIFE / 2 + 1, 2, 1);	/* one is on its way: no third */
	ck_assert_int_eq(signer_since(LIFE / 2 + 1), 0);
	ck_assert_int_eq(signer_since(LIFE - 1), 0);
	certify(NOON + LIFE / 2);
	ck_assert_int_eq(signer_since(LIFE / 2 - 1), 0);
	ck_assert_int_eq(signer_since(LIFE / 2), LIFE / 2);
	ck_assert_int_eq(signer_since(LIFE), LIFE / 2);
	/* notAfter is inclusive; then the old one goes, and its file. By now
	 * the new one is at half its life too. */
	keep(LIFE, 3, 1);
	keep(LIFE + 1, 2, 1);
	ck_assert_int_eq(signer_since(LIFE + 1), LIFE / 2);
}
END_TEST

START_TEST(nobody_signs_outside_of_a_certificates_life)
{
	keep(0, 1, 1);
	certify(NOON);
	ck_assert_int_eq(signer_since(-1), -1);
	ck_assert_int_eq(signer_since(LIFE - 1), 0);
	ck_assert_int_eq(signer_since(LIFE), -1);
}
END_TEST

/* --- several kinds of key ------------------------------------ */

/* Each kind is kept on its own; an RSA key is not made here. */
START_TEST(each_kind_has_its_key_and_rsa_comes_out_of_the_stock)
{
	struct request nothing = { 0 };

	places.n_kinds = 3;
	keep(0, 2, 2);		/* P-256 and Ed25519 */
	ck_assert(places.wanted[1] && !places.wanted[0] && !places.wanted[2]);
	places.stock[1] = key_generate(KEY_RSA, 2048, &err);
	keep(1, 3, 3);
	ck_assert_ptr_null(places.stock[1]);
	ck_assert_int_eq(stand_certify_spool_for(&stand, NOON, NOON + LIFE),
	    3);
	ck_assert_int_eq(store_each_responder(stand.store, offer, NULL, &err),
	    0);
	for (size_t i = 0; i < 3; i++)
		ck_assert_ptr_nonnull(authority_signer(authority,
		    kinds[i].signature, NOON + 1));
	ck_assert_ptr_null(authority_signer(authority, SIGNATURE_ECDSA_SHA384,
	    NOON + 1));
	ck_assert_int_eq(authority_choose_signer(authority, &places, &nothing,
	    NOON + 1)->signature, SIGNATURE_ECDSA_SHA256);
	keep(LIFE / 2 - 1, 3, 0);
}
END_TEST

/* RFC 6960, 4.4.7.2.1; which is certified of P-256, RSA and Ed25519. */
static const struct {
	const char	*name;
	bool		 certified[3];
	enum signature_alg preferred[SIGNATURES];
	size_t		 n;
	int		 want;		/* -1: nobody signs */
} choices[] = {
	{ "no preference: the first kind", { true, true, true }, { 0 }, 0,
	  SIGNATURE_ECDSA_SHA256 },
	{ "the client's order, not ours", { true, true, true },
	  { SIGNATURE_ED25519, SIGNATURE_RSA_SHA256 }, 2,
	  SIGNATURE_ED25519 },
	{ "what nobody certified is passed over", { true, true, false },
	  { SIGNATURE_ED25519, SIGNATURE_RSA_SHA256 }, 2,
	  SIGNATURE_RSA_SHA256 },
	{ "what we do not have is passed over", { true, true, true },
	  { SIGNATURE_ECDSA_SHA384, SIGNATURE_RSA_SHA256 }, 2,
	  SIGNATURE_RSA_SHA256 },
	{ "nothing that we have: the default", { true, true, true },
	  { SIGNATURE_ECDSA_SHA384, SIGNATURE_ECDSA_SHA512 }, 2,
	  SIGNATURE_ECDSA_SHA256 },
	{ "the first kind is not certified: the next one", { false, true,
	  true }, { 0 }, 0, SIGNATURE_RSA_SHA256 },
	{ "nobody", { false, false, false }, { SIGNATURE_ED25519 }, 1, -1 },
};

START_TEST(a_signer_is_chosen_by_preference_then_policy)
{
	struct request req = { .n_preferred = choices[_i].n };
	struct responder_key *k;

	memcpy(req.preferred, choices[_i].preferred, sizeof(req.preferred));
	for (size_t i = 0; i < 3; i++) {
		if (!choices[_i].certified[i])
			continue;
		places.kinds = &kinds[i];
		places.n_kinds = 1;
		if (kinds[i].kind == KEY_RSA)
			places.stock[0] = key_generate(KEY_RSA, 2048, &err);
		authority_keep_keys(authority, &places, NOON);
		certify(NOON);
	}
	places.kinds = kinds;
	places.n_kinds = 3;
	k = authority_choose_signer(authority, &places, &req, NOON + 1);
	ck_assert_msg((k == NULL ? -1 : (int)k->signature) ==
	    choices[_i].want, "%s", choices[_i].name);
}
END_TEST

/* Another kind is configured: the old key serves until the new one can. */
START_TEST(another_kind_takes_over_when_it_is_certified)
{
	keep(0, 1, 1);
	certify(NOON);
	places.kinds = &kinds[2];
	keep(1, 2, 1);
	ck_assert_int_eq(authority_default_signer(authority, &places,
	    NOON + 2)->signature, SIGNATURE_ECDSA_SHA256);
	certify(NOON);
	ck_assert_int_eq(authority_default_signer(authority, &places,
	    NOON + 2)->signature, SIGNATURE_ED25519);
	/* And back again: no key is left that waits for nothing. */
	places.kinds = kinds;
	keep(3, 2, 0);
	keep(LIFE / 2, 3, 1);
	places.kinds = &kinds[2];
	keep(LIFE / 2 + 1, 3, 1);
	places.kinds = kinds;
	keep(LIFE / 2 + 2, 3, 1);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("authority");
	TCase *c = tcase_create("authority");

	tcase_add_checked_fixture(c, set_up, tear_down);
	tcase_set_timeout(c, 60);
	tcase_add_loop_test(c,
	    a_later_key_of_a_ca_is_served_like_a_ca_of_its_own, 0,
	    ROWS(generations));
	tcase_add_loop_test(c, an_issuer_is_its_name_and_its_key, 0,
	    ROWS(issuers));
	tcase_add_test(c, a_key_is_replaced_at_half_life_and_serves_meanwhile);
	tcase_add_test(c, nobody_signs_outside_of_a_certificates_life);
	tcase_add_test(c,
	    each_kind_has_its_key_and_rsa_comes_out_of_the_stock);
	tcase_add_loop_test(c, a_signer_is_chosen_by_preference_then_policy,
	    0, ROWS(choices));
	tcase_add_test(c, another_kind_takes_over_when_it_is_certified);
	suite_add_tcase(s, c);
	return fixture_run(s);
}
