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
	places = (struct key_places){ .kind = KEY_P256,
		.keys_fd = open_folder("state/keys"),
		.spool_fd = open_folder("state/spool") };
	ck_assert_int_eq(store_each_ca(stand.store, take_ca, NULL, &err), 0);
}

static void
tear_down(void)
{
	authority_free(authority);
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
	struct responder_key *k = authority_signer(authority, NOON + after);

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
	suite_add_tcase(s, c);
	return fixture_run(s);
}
