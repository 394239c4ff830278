#include "common/crl.h"
#include "common/err.h"
#include "tests/support/fixtures.h"

#include <openssl/pem.h>

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* One CA for each kind of key, made once: RSA takes a while. */
static struct ca {
	const char	*type;
	const char	*group;
	int		 bits;
	EVP_PKEY	*key;
	X509		*cert;
	struct issuer	 issuer;
} cas[] = {
	{ .type = "EC", .group = "P-256" },
	{ .type = "EC", .group = "P-384" },
	{ .type = "RSA", .bits = 2048 },
	{ .type = "ED25519" },
};

static void
make_ca(struct ca *ca, bool with_key_id)
{
	X509_NAME *name = X509_NAME_new();
	X509V3_CTX ctx;

	if (ca->group != NULL)
		ca->key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", ca->group);
	else if (ca->bits != 0)
		ca->key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA",
		    (size_t)ca->bits);
	else
		ca->key = EVP_PKEY_Q_keygen(NULL, NULL, ca->type);
	ca->cert = X509_new();
	X509_set_version(ca->cert, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(ca->cert), 1);
	/* Two string types, so that a re-encoded name would differ. */
	X509_NAME_add_entry_by_txt(name, "O", V_ASN1_PRINTABLESTRING,
	    (const unsigned char *)"Example", -1, -1, 0);
	X509_NAME_add_entry_by_txt(name, "CN", V_ASN1_T61STRING,
	    (const unsigned char *)"A CA", -1, -1, 0);
	X509_set_subject_name(ca->cert, name);
	X509_set_issuer_name(ca->cert, name);
	X509_NAME_free(name);
	ASN1_TIME_set(X509_getm_notBefore(ca->cert), NOON - DAY);
	ASN1_TIME_set(X509_getm_notAfter(ca->cert), NOON + 3650 * DAY);
	X509_set_pubkey(ca->cert, ca->key);
	X509V3_set_ctx(&ctx, ca->cert, ca->cert, NULL, NULL, 0);
	X509_EXTENSION *is_ca = X509V3_EXT_conf_nid(NULL, &ctx,
	    NID_basic_constraints, "critical,CA:TRUE");
	X509_add_ext(ca->cert, is_ca, -1);
	X509_EXTENSION_free(is_ca);
	if (with_key_id) {
		X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx,
		    NID_subject_key_identifier, "hash");

		X509_add_ext(ca->cert, e, -1);
		X509_EXTENSION_free(e);
	}
	ca->issuer = (struct issuer){ .cert = ca->cert, .key = ca->key,
		.digest = strcmp(ca->type, "ED25519") == 0 ? NULL :
		    EVP_sha256() };
	ck_assert_int_gt(X509_sign(ca->cert, ca->key, ca->issuer.digest), 0);
}

static void
make_cas(void)
{
	for (int i = 0; i < ROWS(cas); i++)
		make_ca(&cas[i], true);
}

static void
free_cas(void)
{
	for (int i = 0; i < ROWS(cas); i++) {
		EVP_PKEY_free(cas[i].key);
		X509_free(cas[i].cert);
	}
}

static struct serial
serial_of(uint8_t first, size_t len, uint32_t number)
{
	struct serial serial = { .len = (uint8_t)len };

	serial.octets[0] = first;
	for (size_t i = 0; i < 4 && i + 1 < len; i++)
		serial.octets[len - 1 - i] = (uint8_t)(number >> 8 * i);
	return serial;
}

/* The finished list as OpenSSL reads it; der gets its octets. */
static X509_CRL *
finish(struct crl_writer *w, struct buf *der)
{
	int fd = memfd_create("out", 0);
	struct err err = { 0 };
	const unsigned char *at;
	X509_CRL *crl;
	off_t len;

	ck_assert_msg(crl_close(w, fd, &err) == 0, "%s (%s)", err.text,
	    err.detail);
	len = lseek(fd, 0, SEEK_END);
	ck_assert_int_eq(pread(fd, buf_reserve(der, (size_t)len), (size_t)len,
	    0), len);
	der->len = (size_t)len;
	close(fd);
	at = der->data;
	crl = d2i_X509_CRL(NULL, &at, (long)der->len);
	ck_assert_ptr_nonnull(crl);
	ck_assert_ptr_eq(at, der->data + der->len);
	return crl;
}

static X509_CRL *
build(const struct ca *ca, const struct crl_terms *terms,
    const struct crl_entry *entries, size_t n, struct buf *der)
{
	OWNED_STRUCT(crl_writer) *w = NULL;
	struct err err = { 0 };

	ck_assert_msg(crl_open(&ca->issuer, terms, &w, &err) == 0, "%s (%s)",
	    err.text, err.detail);
	ck_assert_int_eq(crl_add(w, entries, n, &err), 0);
	return finish(w, der);
}

static const struct crl_terms week = { .number = 7, .this_update = NOON,
	.next_update = NOON + 7 * DAY };

static const struct crl_entry entries[] = {
	{ .serial = { { 0x01 }, 1 }, .revoked_at = NOON,
	    .reason = CRL_UNSPECIFIED },
	{ .serial = { { 0x80, 0x01 }, 2 }, .revoked_at = NOON - 1,
	    .reason = CRL_KEY_COMPROMISE, .invalidity = NOON - DAY },
	{ .serial = { { 0x7f, [19] = 0xff }, 20 }, .revoked_at = NOON - DAY,
	    .reason = CRL_AA_COMPROMISE },
	{ .serial = { { 0xff, [19] = 0xff }, 20 }, .revoked_at = NOON,
	    .reason = CRL_UNSPECIFIED, .invalidity = NOON },
};
#define N_ENTRIES	(sizeof(entries) / sizeof(entries[0]))

START_TEST(every_kind_of_key_signs_what_openssl_verifies)
{
	OWNED_BUF(der, 1 << 20);
	OWNED(X509_CRL) *crl = build(&cas[_i], &week, entries, N_ENTRIES,
	    &der);
	OWNED(EVP_PKEY) *other = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");

	ck_assert_int_eq(X509_CRL_verify(crl, X509_get0_pubkey(cas[_i].cert)),
	    1);
	ck_assert_int_ne(X509_CRL_verify(crl, other), 1);
	ck_assert_int_eq(X509_CRL_get_version(crl), X509_CRL_VERSION_2);
}
END_TEST

static time_t
unix_time(const ASN1_TIME *t)
{
	struct tm tm;

	ck_assert_int_eq(ASN1_TIME_to_tm(t, &tm), 1);
	return timegm(&tm);
}

static void
assert_same_entry(X509_REVOKED *got, const struct crl_entry *want)
{
	OWNED(ASN1_ENUMERATED) *reason = NULL;
	ASN1_GENERALIZEDTIME *invalidity;
	struct serial serial;
	struct err err;
	int critical;

	ck_assert_int_eq(serial_from_asn1(X509_REVOKED_get0_serialNumber(got),
	    &serial, &err), 0);
	ck_assert(serial_equal(&serial, &want->serial));
	ck_assert_int_eq(unix_time(X509_REVOKED_get0_revocationDate(got)),
	    want->revoked_at);
	reason = X509_REVOKED_get_ext_d2i(got, NID_crl_reason, &critical,
	    NULL);
	if (want->reason == CRL_UNSPECIFIED) {
		ck_assert_ptr_null(reason);
		ck_assert_int_eq(critical, -1);
	} else {
		ck_assert_int_eq(ASN1_ENUMERATED_get(reason), want->reason);
		ck_assert_int_eq(critical, 0);
	}
	invalidity = X509_REVOKED_get_ext_d2i(got, NID_invalidity_date,
	    &critical, NULL);
	ck_assert_int_eq(invalidity != NULL, want->invalidity != 0);
	if (invalidity != NULL)
		ck_assert_int_eq(unix_time(invalidity), want->invalidity);
	ASN1_GENERALIZEDTIME_free(invalidity);
	if (want->reason == CRL_UNSPECIFIED && want->invalidity == 0)
		ck_assert_ptr_null(X509_REVOKED_get0_extensions(got));
}

START_TEST(what_was_added_is_what_openssl_reads)
{
	OWNED_BUF(der, 1 << 20);
	OWNED(X509_CRL) *crl = build(&cas[0], &week, entries, N_ENTRIES, &der);
	STACK_OF(X509_REVOKED) *list = X509_CRL_get_REVOKED(crl);

	ck_assert_int_eq(sk_X509_REVOKED_num(list), (int)N_ENTRIES);
	for (size_t i = 0; i < N_ENTRIES; i++)
		assert_same_entry(sk_X509_REVOKED_value(list, (int)i),
		    &entries[i]);
	ck_assert_int_eq(unix_time(X509_CRL_get0_lastUpdate(crl)), NOON);
	ck_assert_int_eq(unix_time(X509_CRL_get0_nextUpdate(crl)),
	    NOON + 7 * DAY);
}
END_TEST

/* Strict DER: OpenSSL's own encoding of what it read has the same octets. */
START_TEST(encoded_again_by_openssl_it_is_the_same)
{
	for (size_t n = 0; n <= N_ENTRIES; n++) {
		OWNED_BUF(der, 1 << 20);
		OWNED(X509_CRL) *crl = build(&cas[0], &week, entries, n, &der);
		unsigned char *tbs = NULL;
		int len;

		/* Spoils the kept octets, so that they are made anew. */
		X509_CRL_set1_lastUpdate(crl, X509_CRL_get0_lastUpdate(crl));
		len = i2d_re_X509_CRL_tbs(crl, &tbs);
		ck_assert_int_gt(len, 0);
		ck_assert_uint_ne(bytes_find(buf_bytes(&der),
		    (struct bytes){ tbs, (size_t)len }), (size_t)-1);
		OPENSSL_free(tbs);
	}
}
END_TEST

START_TEST(without_entries_the_list_is_absent)
{
	OWNED_BUF(der, 1 << 20);
	OWNED(X509_CRL) *crl = build(&cas[0], &week, NULL, 0, &der);

	ck_assert_ptr_null(X509_CRL_get_REVOKED(crl));
	ck_assert_int_eq(X509_CRL_verify(crl, cas[0].key), 1);
}
END_TEST

START_TEST(the_issuer_has_the_octets_of_the_ca_subject)
{
	OWNED_BUF(der, 1 << 20);
	OWNED(X509_CRL) *crl = build(&cas[0], &week, NULL, 0, &der);
	const unsigned char *a, *b;
	size_t a_len, b_len;

	X509_NAME_get0_der(X509_CRL_get_issuer(crl), &a, &a_len);
	X509_NAME_get0_der(X509_get_subject_name(cas[0].cert), &b, &b_len);
	ck_assert_uint_eq(a_len, b_len);
	ck_assert_mem_eq(a, b, a_len);
}
END_TEST

static const struct {
	uint64_t	 number;
	const char	*hex;
} numbers[] = {
	{ 0, "0" }, { 1, "1" }, { 127, "7F" }, { 128, "80" }, { 255, "FF" },
	{ 256, "100" }, { 0x7fffffffffffffff, "7FFFFFFFFFFFFFFF" },
	{ UINT64_MAX, "FFFFFFFFFFFFFFFF" },
};

START_TEST(the_number_is_there_and_not_critical)
{
	struct crl_terms terms = { .number = numbers[_i].number,
		.this_update = NOON, .next_update = NOON + DAY };
	OWNED_BUF(der, 1 << 20);
	OWNED(X509_CRL) *crl = build(&cas[0], &terms, NULL, 0, &der);
	int critical;
	OWNED(ASN1_INTEGER) *number = X509_CRL_get_ext_d2i(crl,
	    NID_crl_number, &critical, NULL);
	OWNED(BIGNUM) *got = NULL, *want = NULL;

	ck_assert_ptr_nonnull(number);
	ck_assert_int_eq(critical, 0);
	got = ASN1_INTEGER_to_BN(number, NULL);
	BN_hex2bn(&want, numbers[_i].hex);
	ck_assert_int_eq(BN_cmp(got, want), 0);
}
END_TEST

START_TEST(the_authority_key_id_is_the_ca_subject_key_id)
{
	struct ca bare = { .type = "EC", .group = "P-256" };

	make_ca(&bare, false);
	for (int i = 0; i < 2; i++) {
		struct ca *ca = i == 0 ? &cas[0] : &bare;
		OWNED_BUF(der, 1 << 20);
		OWNED(X509_CRL) *crl = build(ca, &week, NULL, 0, &der);
		int critical;
		AUTHORITY_KEYID *id = X509_CRL_get_ext_d2i(crl,
		    NID_authority_key_identifier, &critical, NULL);
		uint8_t digest[20];

		ck_assert_ptr_nonnull(id);
		ck_assert_int_eq(critical, 0);
		X509_pubkey_digest(ca->cert, EVP_sha1(), digest, NULL);
		ck_assert_int_eq(ASN1_STRING_length(id->keyid), 20);
		ck_assert_mem_eq(ASN1_STRING_get0_data(id->keyid), digest, 20);
		ck_assert_ptr_null(id->issuer);
		AUTHORITY_KEYID_free(id);
	}
	EVP_PKEY_free(bare.key);
	X509_free(bare.cert);
}
END_TEST

#define YEAR_2050	((time_t)2524608000)	/* 2050-01-01T00:00:00Z */
#define YEAR_10000	((time_t)253402300800)

/* RFC 5280, 5.1.2.4 and 5.1.2.5: one row per promise about the two dates. */
static const struct {
	const char	*name;
	time_t		 this_update, next_update;
	int		 want;		/* of crl_open and crl_close */
	int		 this_type, next_type;
} dates[] = {
	{ "a week apart", NOON, NOON + 7 * DAY, 0, V_ASN1_UTCTIME,
	    V_ASN1_UTCTIME },
	{ "equal is no validity", NOON, NOON, -1, 0, 0 },
	{ "backwards", NOON, NOON - 1, -1, 0, 0 },
	{ "the last second of 2049", NOON, YEAR_2050 - 1, 0, V_ASN1_UTCTIME,
	    V_ASN1_UTCTIME },
	{ "2050 is GeneralizedTime", YEAR_2050 - 1, YEAR_2050, 0,
	    V_ASN1_UTCTIME, V_ASN1_GENERALIZEDTIME },
	{ "9999 is the last year", NOON, YEAR_10000 - 1, 0, V_ASN1_UTCTIME,
	    V_ASN1_GENERALIZEDTIME },
	{ "10000 cannot be written", NOON, YEAR_10000, -1, 0, 0 },
};

START_TEST(next_update_must_be_after_this_update)
{
	struct crl_terms terms = { .number = 1,
		.this_update = dates[_i].this_update,
		.next_update = dates[_i].next_update };
	OWNED_STRUCT(crl_writer) *w = NULL;
	OWNED_BUF(der, 1 << 20);
	struct err err = { 0 };
	int fd = memfd_create("out", 0);
	int r = crl_open(&cas[0].issuer, &terms, &w, &err);

	if (r == 0)
		r = crl_close(w, fd, &err);
	close(fd);
	ck_assert_msg(r == dates[_i].want, "%s: %s", dates[_i].name,
	    err.text);
	if (r == 0) {
		OWNED(X509_CRL) *crl = build(&cas[0], &terms, NULL, 0, &der);

		ck_assert_int_eq(X509_CRL_get0_lastUpdate(crl)->type,
		    dates[_i].this_type);
		ck_assert_int_eq(X509_CRL_get0_nextUpdate(crl)->type,
		    dates[_i].next_type);
	}
}
END_TEST

static const struct {
	const char		*name;
	struct crl_entry	 entry;
} bad_entries[] = {
	{ "no serial", { .serial = { .len = 0 }, .revoked_at = NOON } },
	{ "21 octets", { .serial = { .len = 21 }, .revoked_at = NOON } },
	{ "reason 7 is not used", { .serial = { { 1 }, 1 },
	    .revoked_at = NOON, .reason = (enum crl_reason)7 } },
	{ "removeFromCRL is for deltas", { .serial = { { 1 }, 1 },
	    .revoked_at = NOON, .reason = (enum crl_reason)8 } },
	{ "a date beyond 9999", { .serial = { { 1 }, 1 },
	    .revoked_at = YEAR_10000 } },
	{ "a date before 1950", { .serial = { { 1 }, 1 },
	    .revoked_at = -631152001 } },
};

START_TEST(a_bad_entry_is_refused)
{
	OWNED_STRUCT(crl_writer) *w = NULL;
	struct err err = { 0 };

	ck_assert_int_eq(crl_open(&cas[0].issuer, &week, &w, &err), 0);
	ck_assert_msg(crl_add(w, &bad_entries[_i].entry, 1, &err) == -1, "%s",
	    bad_entries[_i].name);
	ck_assert_int_eq(err.kind, ERR_FAULT);
}
END_TEST

START_TEST(a_key_that_is_not_the_certificates_is_refused)
{
	struct issuer mixed = cas[0].issuer;
	OWNED_STRUCT(crl_writer) *w = NULL;
	struct err err = { 0 };

	mixed.key = cas[1].key;
	ck_assert_int_eq(crl_open(&mixed, &week, &w, &err), -1);
	ck_assert_int_eq(err.kind, ERR_FAULT);
	ck_assert_ptr_null(w);
}
END_TEST

START_TEST(a_list_is_closed_once)
{
	OWNED_STRUCT(crl_writer) *w = NULL;
	OWNED_BUF(der, 1 << 20);
	struct err err = { 0 };

	ck_assert_int_eq(crl_open(&cas[0].issuer, &week, &w, &err), 0);
	X509_CRL_free(finish(w, &der));
	ck_assert_int_eq(crl_close(w, STDOUT_FILENO, &err), -1);
}
END_TEST

START_TEST(a_full_disk_is_said)
{
	OWNED_STRUCT(crl_writer) *w = NULL;
	struct err err = { 0 };
	FILE *full = fopen("/dev/full", "w");

	ck_assert_ptr_nonnull(full);
	ck_assert_int_eq(crl_open(&cas[0].issuer, &week, &w, &err), 0);
	ck_assert_int_eq(crl_close(w, fileno(full), &err), -1);
	ck_assert_int_eq(err.kind, ERR_RETRY);
	fclose(full);
}
END_TEST

/* More than one chunk, on a scratch file of the caller's, by both ways of
 * signing. */
START_TEST(a_long_list_is_whole)
{
	struct ca *ca = _i == 0 ? &cas[0] : &cas[3];
	OWNED_STRUCT(crl_writer) *w = NULL;
	OWNED_BUF(der, 16 << 20);
	OWNED(X509_CRL) *crl = NULL;
	struct err err = { 0 };
	struct crl_entry e = { .revoked_at = NOON,
		.reason = CRL_SUPERSEDED };
	STACK_OF(X509_REVOKED) *list;

	ck_assert_int_eq(crl_open(&ca->issuer, &week, &w, &err), 0);
	crl_use_scratch(w, memfd_create("other", 0));
	for (uint32_t i = 0; i < 20000; i++) {
		e.serial = serial_of(0x55, 16, i);
		ck_assert_int_eq(crl_add(w, &e, 1, &err), 0);
	}
	crl = finish(w, &der);
	ck_assert_int_eq(X509_CRL_verify(crl, ca->key), 1);
	list = X509_CRL_get_REVOKED(crl);
	ck_assert_int_eq(sk_X509_REVOKED_num(list), 20000);
	assert_same_entry(sk_X509_REVOKED_value(list, 19999), &e);
}
END_TEST

/* Each date in the form and with the octets that OpenSSL gives it, leap days
 * and the ends of the calendar included. */
START_TEST(dates_are_those_of_the_calendar)
{
	static const time_t ends[] = { -631152000, -1, 0, 68169599, 68169600,
		951782400, 951868799, 951868800, 4107542400, 4107542399,
		YEAR_2050 - 1, YEAR_2050, YEAR_10000 - 1 };
	OWNED_STRUCT(crl_writer) *w = NULL;
	OWNED_BUF(der, 16 << 20);
	OWNED(X509_CRL) *crl = NULL;
	struct err err = { 0 };
	STACK_OF(X509_REVOKED) *list;
	time_t at = ends[0];

	ck_assert_int_eq(crl_open(&cas[0].issuer, &week, &w, &err), 0);
	for (uint32_t i = 0; at < YEAR_10000; i++) {
		struct crl_entry e = { .serial = serial_of(0x55, 16, i),
			.revoked_at = i < ROWS(ends) ? ends[i] : at };

		ck_assert_int_eq(crl_add(w, &e, 1, &err), 0);
		at += 12345678;
	}
	crl = finish(w, &der);
	list = X509_CRL_get_REVOKED(crl);
	ck_assert_int_gt(sk_X509_REVOKED_num(list), 20000);
	at = ends[0];
	for (int i = 0; i < sk_X509_REVOKED_num(list); i++) {
		const ASN1_TIME *got = X509_REVOKED_get0_revocationDate(
		    sk_X509_REVOKED_value(list, i));
		ASN1_TIME *want = ASN1_TIME_set(NULL,
		    i < (int)ROWS(ends) ? ends[i] : at);

		ck_assert_int_eq(ASN1_STRING_type(got),
		    ASN1_STRING_type(want));
		ck_assert_int_eq(ASN1_STRING_cmp(got, want), 0);
		ASN1_TIME_free(want);
		at += 12345678;
	}
}
END_TEST

START_TEST(reasons_have_the_rfcs_words)
{
	enum crl_reason reason;

	ck_assert_str_eq(crl_reason_name(CRL_KEY_COMPROMISE), "keyCompromise");
	ck_assert_ptr_null(crl_reason_name((enum crl_reason)7));
	ck_assert_int_eq(crl_reason_from_name("aACompromise", &reason), 0);
	ck_assert_int_eq(reason, CRL_AA_COMPROMISE);
	ck_assert_int_eq(crl_reason_from_name("removeFromCRL", &reason), -1);
	ck_assert_str_eq(crl_reason_name(CRL_REMOVE_FROM_CRL),
	    "removeFromCRL");
	ck_assert_int_eq(crl_reason_from_name("", &reason), -1);
}
END_TEST

/* --- deltas and shards --------------------------------------------------- */

#define SHARD_URL	"http://crl.example.test/a@ca.3.crl"
#define OTHER_URL	"http://crl.example.test/a@ca.4.crl"
#define DELTA_URL	"http://crl.example.test/a@ca.3.delta.crl"

/* The octets of one extension's value. */
static struct bytes
extension_of(const X509_CRL *crl, int nid, int *critical)
{
	int at = X509_CRL_get_ext_by_NID(crl, nid, -1);
	X509_EXTENSION *e = at < 0 ? NULL : X509_CRL_get_ext(crl, at);
	ASN1_OCTET_STRING *value;

	*critical = e == NULL ? -1 : X509_EXTENSION_get_critical(e);
	if (e == NULL)
		return (struct bytes){ 0 };
	value = X509_EXTENSION_get_data(e);
	return (struct bytes){ ASN1_STRING_get0_data(value),
	    (size_t)ASN1_STRING_length(value) };
}

/* RFC 5280, 5.2.4: the indicator is critical and names the base. */
START_TEST(a_delta_says_critically_which_base_it_changes)
{
	const struct crl_terms terms = { .number = 300, .base = 200,
		.this_update = NOON, .next_update = NOON + DAY };
	const struct crl_entry removed = { .serial = { { 5 }, 1 },
		.revoked_at = NOON, .reason = CRL_REMOVE_FROM_CRL };
	OWNED_BUF(der, 1 << 20);
	OWNED(X509_CRL) *crl = build(&cas[0], &terms, &removed, 1, &der);
	int critical;
	OWNED(ASN1_INTEGER) *base = X509_CRL_get_ext_d2i(crl, NID_delta_crl,
	    &critical, NULL);

	ck_assert_ptr_nonnull(base);
	ck_assert_int_eq(critical, 1);
	ck_assert_int_eq(ASN1_INTEGER_get(base), 200);
	assert_same_entry(sk_X509_REVOKED_value(X509_CRL_get_REVOKED(crl), 0),
	    &removed);
	extension_of(crl, NID_freshest_crl, &critical);
	ck_assert_int_eq(critical, -1);
}
END_TEST

START_TEST(a_full_list_is_no_delta)
{
	OWNED_BUF(der, 1 << 20);
	OWNED(X509_CRL) *crl = build(&cas[0], &week, NULL, 0, &der);
	int critical;

	extension_of(crl, NID_delta_crl, &critical);
	ck_assert_int_eq(critical, -1);
	extension_of(crl, NID_issuing_distribution_point, &critical);
	ck_assert_int_eq(critical, -1);
	extension_of(crl, NID_freshest_crl, &critical);
	ck_assert_int_eq(critical, -1);
	ck_assert_int_eq(X509_CRL_get_ext_count(crl), 2);
}
END_TEST

static const struct {
	const char	*name;
	struct crl_terms terms;
} bad_terms[] = {
	{ "a base that is no older", { .number = 7, .base = 7,
	    .this_update = NOON, .next_update = NOON + DAY } },
	{ "a delta with a delta", { .number = 7, .base = 6,
	    .this_update = NOON, .next_update = NOON + DAY,
	    .freshest = DELTA_URL } },
};

START_TEST(terms_of_no_delta_are_refused)
{
	OWNED_STRUCT(crl_writer) *w = NULL;
	struct err err = { 0 };

	ck_assert_msg(crl_open(&cas[0].issuer, &bad_terms[_i].terms, &w,
	    &err) == -1, "%s", bad_terms[_i].name);
	ck_assert_int_eq(err.kind, ERR_FAULT);
}
END_TEST

START_TEST(an_address_that_is_no_address_is_refused)
{
	char url[1002];
	struct crl_terms terms = week;
	OWNED_STRUCT(crl_writer) *w = NULL;
	struct err err = { 0 };

	memset(url, 'a', sizeof(url) - 1);
	url[sizeof(url) - 1] = '\0';
	terms.point = _i == 0 ? url : "http://x/\xc3\xa4.crl";
	ck_assert_int_eq(crl_open(&cas[0].issuer, &terms, &w, &err), 0);
	ck_assert_int_eq(crl_close(w, STDOUT_FILENO, &err), -1);
	ck_assert_int_eq(err.kind, ERR_FAULT);
	url[1000] = '\0';
	terms.point = terms.freshest = url;
	OWNED_BUF(der, 1 << 20);
	X509_CRL_free(build(&cas[0], &terms, NULL, 0, &der));
}
END_TEST

/* A certificate of that CA that names the CRL at url. */
static X509 *
make_leaf(const struct ca *ca, long serial, const char *url)
{
	X509 *leaf = X509_new();
	char value[128];
	X509V3_CTX ctx;
	X509_EXTENSION *e;

	X509_set_version(leaf, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(leaf), serial);
	X509_set_issuer_name(leaf, X509_get_subject_name(ca->cert));
	X509_NAME_add_entry_by_txt(X509_get_subject_name(leaf), "CN",
	    MBSTRING_UTF8, (const unsigned char *)"leaf", -1, -1, 0);
	ASN1_TIME_set(X509_getm_notBefore(leaf), NOON - DAY);
	ASN1_TIME_set(X509_getm_notAfter(leaf), NOON + 30 * DAY);
	X509_set_pubkey(leaf, ca->key);
	X509V3_set_ctx(&ctx, ca->cert, leaf, NULL, NULL, 0);
	snprintf(value, sizeof(value), "URI:%s", url);
	e = X509V3_EXT_conf_nid(NULL, &ctx, NID_crl_distribution_points,
	    value);
	ck_assert_ptr_nonnull(e);
	X509_add_ext(leaf, e, -1);
	X509_EXTENSION_free(e);
	ck_assert_int_gt(X509_sign(leaf, ca->key, EVP_sha256()), 0);
	return leaf;
}

/* RFC 5280, 5.2.5: the name in the CRL has the octets of the one in the
 * certificate, and the extension is critical. */
START_TEST(a_shard_names_itself_as_its_certificates_do)
{
	struct crl_terms terms = week;
	OWNED_BUF(der, 1 << 20);
	OWNED(X509_CRL) *crl = NULL;
	OWNED(X509) *leaf = make_leaf(&cas[0], 9, SHARD_URL);
	ASN1_OCTET_STRING *cdp = X509_EXTENSION_get_data(X509_get_ext(leaf,
	    X509_get_ext_by_NID(leaf, NID_crl_distribution_points, -1)));
	struct bytes point, freshest;
	int critical;

	terms.point = SHARD_URL;
	terms.freshest = DELTA_URL;
	crl = build(&cas[0], &terms, NULL, 0, &der);
	point = extension_of(crl, NID_issuing_distribution_point, &critical);
	ck_assert_int_eq(critical, 1);
	/* SEQUENCE { point } there, SEQUENCE { SEQUENCE { point } } here. */
	ck_assert_int_eq(ASN1_STRING_length(cdp), (int)point.len + 2);
	ck_assert_mem_eq(ASN1_STRING_get0_data(cdp) + 2, point.data,
	    point.len);
	freshest = extension_of(crl, NID_freshest_crl, &critical);
	ck_assert_int_eq(critical, 0);
	ck_assert_uint_ne(bytes_find(freshest, bytes_of(DELTA_URL)),
	    (size_t)-1);
}
END_TEST

/* What a client of OpenSSL's makes of a leaf, a full CRL and a delta. */
static int
verify(const struct ca *ca, X509 *leaf, X509_CRL *full, X509_CRL *delta)
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	X509_VERIFY_PARAM *param;
	int r;

	X509_STORE_add_cert(store, ca->cert);
	X509_STORE_add_crl(store, full);
	if (delta != NULL)
		X509_STORE_add_crl(store, delta);
	ck_assert_int_eq(X509_STORE_CTX_init(ctx, store, leaf, NULL), 1);
	param = X509_STORE_CTX_get0_param(ctx);
	X509_VERIFY_PARAM_set_time(param, NOON + 3600);
	X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_CRL_CHECK |
	    X509_V_FLAG_USE_DELTAS | X509_V_FLAG_EXTENDED_CRL_SUPPORT);
	r = X509_verify_cert(ctx) == 1 ? X509_V_OK :
	    X509_STORE_CTX_get_error(ctx);
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	return r;
}

/* One row per promise: what is on the full CRL, what the delta says of it. */
static const struct {
	const char	*name;
	const char	*cdp;		/* of the leaf, serial 9 */
	int		 full, delta;	/* reason, or -1: not listed;
					 * delta -2: there is none */
	uint64_t	 base;
	int		 want;
} chains[] = {
	{ "on no list", SHARD_URL, -1, -1, 7, X509_V_OK },
	{ "on the full one", SHARD_URL, CRL_SUPERSEDED, -2, 7,
	    X509_V_ERR_CERT_REVOKED },
	{ "on the delta only", SHARD_URL, -1, CRL_KEY_COMPROMISE, 7,
	    X509_V_ERR_CERT_REVOKED },
	{ "a delta of a newer base does not count", SHARD_URL, -1,
	    CRL_KEY_COMPROMISE, 8, X509_V_OK },
	{ "a delta of an older base counts", SHARD_URL, -1,
	    CRL_KEY_COMPROMISE, 6, X509_V_ERR_CERT_REVOKED },
	{ "on hold", SHARD_URL, CRL_CERTIFICATE_HOLD, -1, 7,
	    X509_V_ERR_CERT_REVOKED },
	{ "the hold was lifted by the delta", SHARD_URL, CRL_CERTIFICATE_HOLD,
	    CRL_REMOVE_FROM_CRL, 7, X509_V_OK },
	{ "another shard's list does not count", OTHER_URL, -1, -2, 7,
	    X509_V_ERR_DIFFERENT_CRL_SCOPE },
};

START_TEST(openssl_makes_of_full_and_delta_what_was_meant)
{
	struct crl_terms full_terms = week, delta_terms = { .number = 9,
		.base = chains[_i].base, .this_update = NOON + 60,
		.next_update = NOON + DAY, .point = SHARD_URL };
	struct crl_entry entry = { .serial = { { 9 }, 1 },
		.revoked_at = NOON - 60 };
	OWNED(X509) *leaf = make_leaf(&cas[0], 9, chains[_i].cdp);
	OWNED_BUF(der, 1 << 20);
	OWNED_BUF(delta_der, 1 << 20);
	OWNED(X509_CRL) *full = NULL, *delta = NULL;
	int got;

	full_terms.point = SHARD_URL;
	full_terms.freshest = DELTA_URL;
	entry.reason = (enum crl_reason)chains[_i].full;
	full = build(&cas[0], &full_terms, &entry, chains[_i].full >= 0,
	    &der);
	entry.reason = (enum crl_reason)chains[_i].delta;
	if (chains[_i].delta > -2)
		delta = build(&cas[0], &delta_terms, &entry,
		    chains[_i].delta >= 0, &delta_der);
	got = verify(&cas[0], leaf, full, delta);
	ck_assert_msg(got == chains[_i].want, "%s: %s", chains[_i].name,
	    X509_verify_cert_error_string(got));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("crl");
	TCase *tc = tcase_create("all");

	tcase_add_unchecked_fixture(tc, make_cas, free_cas);
	tcase_add_loop_test(tc, every_kind_of_key_signs_what_openssl_verifies,
	    0, ROWS(cas));
	tcase_add_test(tc, what_was_added_is_what_openssl_reads);
	tcase_add_test(tc, encoded_again_by_openssl_it_is_the_same);
	tcase_add_test(tc, without_entries_the_list_is_absent);
	tcase_add_test(tc, the_issuer_has_the_octets_of_the_ca_subject);
	tcase_add_loop_test(tc, the_number_is_there_and_not_critical, 0,
	    ROWS(numbers));
	tcase_add_test(tc, the_authority_key_id_is_the_ca_subject_key_id);
	tcase_add_loop_test(tc, next_update_must_be_after_this_update, 0,
	    ROWS(dates));
	tcase_add_loop_test(tc, a_bad_entry_is_refused, 0, ROWS(bad_entries));
	tcase_add_test(tc, a_key_that_is_not_the_certificates_is_refused);
	tcase_add_test(tc, a_list_is_closed_once);
	tcase_add_test(tc, a_full_disk_is_said);
	tcase_add_loop_test(tc, a_long_list_is_whole, 0, 2);
	tcase_add_test(tc, dates_are_those_of_the_calendar);
	tcase_add_test(tc, reasons_have_the_rfcs_words);
	tcase_add_test(tc, a_delta_says_critically_which_base_it_changes);
	tcase_add_test(tc, a_full_list_is_no_delta);
	tcase_add_loop_test(tc, terms_of_no_delta_are_refused, 0,
	    ROWS(bad_terms));
	tcase_add_loop_test(tc, an_address_that_is_no_address_is_refused, 0,
	    2);
	tcase_add_test(tc, a_shard_names_itself_as_its_certificates_do);
	tcase_add_loop_test(tc, openssl_makes_of_full_and_delta_what_was_meant,
	    0, ROWS(chains));
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
