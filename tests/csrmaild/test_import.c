#include "csrmaild/import.h"
#include "common/err.h"
#include "common/store.h"
#include "csrmaild/import_time.h"
#include "csrmaild/index_line.h"
#include "csrmaild/serial_set.h"
#include "tests/support/fixtures.h"
#include "tests/support/test_ca.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static struct err err;

/* --- dates ------------------------------------------------------------------- */

static const struct {
	const char	*text;
	int		 want;
	time_t		 time;
} asn1_dates[] = {
	{ "260101120000Z",	0,	NOON },
	{ "20260101120000Z",	0,	NOON },
	{ "491231235959Z",	0,	2524607999 },
	{ "500101000000Z",	0,	-631152000 },
	{ "20500101000000Z",	0,	2524608000 },
	{ "20240229000000Z",	0,	1709164800 },
	{ "20260229000000Z",	-1,	0 },	/* no leap year */
	{ "260101120000",	-1,	0 },
	{ "2601011200Z",	-1,	0 },	/* seconds are needed */
	{ "260101120000+0100",	-1,	0 },
	{ "261301120000Z",	-1,	0 },
	{ "260100120000Z",	-1,	0 },
	{ "260101240000Z",	-1,	0 },
	{ "260101126000Z",	-1,	0 },
	{ "26010112000xZ",	-1,	0 },
	{ "",			-1,	0 },
}, iso_dates[] = {
	{ "2026-01-01T12:00:00Z",		0,	NOON },
	{ "2026-01-01 12:00:00",		0,	NOON },
	{ "2026-01-01T12:00:00.123456789Z",	0,	NOON },
	{ "2026-01-01T13:30:00+01:30",		0,	NOON },
	{ "2026-01-01T06:00:00-0600",		0,	NOON },
	{ "2026-01-01 12:00:00 +0000 UTC",	0,	NOON },
	{ "2026-01-01 12:00:00 UTC",		0,	NOON },
	{ "2026-01-01",				-1,	0 },
	{ "2026-02-30T12:00:00Z",		-1,	0 },
	{ "2026-01-01T12:00:00 CET",		-1,	0 },
	{ "2026-01-01T12:00:00Zx",		-1,	0 },
	{ "yesterday, as I remember",		-1,	0 },
};

START_TEST(dates_of_index_files_are_read_strictly)
{
	time_t t = 0;

	ck_assert_msg(import_time_asn1(bytes_of(asn1_dates[_i].text), &t) ==
	    asn1_dates[_i].want && t == asn1_dates[_i].time, "%s is %lld",
	    asn1_dates[_i].text, (long long)t);
}
END_TEST

START_TEST(dates_of_databases_are_read_as_they_are_written)
{
	time_t t = 0;

	ck_assert_msg(import_time_iso(bytes_of(iso_dates[_i].text), &t) ==
	    iso_dates[_i].want && t == iso_dates[_i].time, "%s is %lld",
	    iso_dates[_i].text, (long long)t);
}
END_TEST

/* --- lines of an index ---------------------------------------------------------- */

#define END_DATE	"300101000000Z"

static const struct {
	const char	*line;
	int		 want;
	enum import_state state;
	int		 reason;
	unsigned int	 oddities;
	const char	*serial;
} lines[] = {
	{ "V\t" END_DATE "\t\t1000\tunknown\t/CN=a", 0, IMPORT_VALID, 0, 0,
	    "1000" },
	{ "V\t" END_DATE "\t\t0aBc\tunknown\t/CN=a", 0, IMPORT_VALID, 0, 0,
	    "0abc" },
	{ "V\t" END_DATE "\t\t000001\tunknown\t/CN=a", 0, IMPORT_VALID, 0, 0,
	    "01" },
	{ "V\t" END_DATE "\t\tabc\tunknown\t/CN=a", 0, IMPORT_VALID, 0, 0,
	    "0abc" },
	{ "V\t" END_DATE "\t\t01\tunknown\t/CN=a\r", 0, IMPORT_VALID, 0, 0,
	    "01" },
	{ "E\t200101000000Z\t\t02\tunknown\t/CN=a", 0, IMPORT_EXPIRED, 0, 0,
	    "02" },
	{ "R\t" END_DATE "\t260101120000Z\t02\tunknown\t/CN=a", 0,
	    IMPORT_REVOKED, 0, 0, "02" },
	{ "R\t" END_DATE "\t260101120000Z,keyCompromise\t02\tf\t/CN=a", 0,
	    IMPORT_REVOKED, CRL_KEY_COMPROMISE, 0, "02" },
	{ "R\t" END_DATE "\t260101120000Z,CAKEYTIME,20260101120000Z\t02\tf\t"
	    "/CN=a", 0, IMPORT_REVOKED, CRL_CA_COMPROMISE, 0, "02" },
	{ "R\t" END_DATE "\t260101120000Z,holdInstruction,1.2.3\t02\tf\t/CN=a",
	    0, IMPORT_REVOKED, CRL_CERTIFICATE_HOLD, 0, "02" },
	{ "R\t" END_DATE "\t260101120000Z,AACompromise\t02\tf\t/CN=a", 0,
	    IMPORT_REVOKED, CRL_AA_COMPROMISE, 0, "02" },
	/* Never less than revoked, whatever is wrong with it. */
	{ "R\t" END_DATE "\t260101120000Z,removeFromCRL\t02\tf\t/CN=a", 0,
	    IMPORT_REVOKED, 0, INDEX_REASON_UNKNOWN, "02" },
	{ "R\t" END_DATE "\t260101120000Z,keyTime,x\t02\tf\t/CN=a", 0,
	    IMPORT_REVOKED, CRL_KEY_COMPROMISE, INDEX_REASON_UNKNOWN, "02" },
	{ "R\t" END_DATE "\t\t02\tf\t/CN=a", 0, IMPORT_REVOKED, 0,
	    INDEX_NO_DATE, "02" },
	{ "R\t" END_DATE "\tsoon,superseded\t02\tf\t/CN=a", 0, IMPORT_REVOKED,
	    0, INDEX_NO_DATE, "02" },
	{ "V\tnever\t\t02\tf\t/CN=a", 0, IMPORT_VALID, 0, INDEX_NO_END,
	    "02" },
	{ "", 2, 0, 0, 0, "" },
	{ "\r", 2, 0, 0, 0, "" },
	{ "# a comment", 2, 0, 0, 0, "" },
	/* What may have been a revocation is one, if a serial is there. */
	{ "v\t" END_DATE "\t\t02\tf\t/CN=a", 3, IMPORT_REVOKED, 0, 0, "02" },
	{ "\t" END_DATE "\t\t02\tf\t/CN=a", 3, IMPORT_REVOKED, 0, 0, "02" },
	{ "R \t" END_DATE "\t260101120000Z\t02\tf\t/CN=a", 3,
	    IMPORT_REVOKED, 0, 0, "02" },
	{ "X\t" END_DATE "\t\t02\tf\t/CN=a", 3, IMPORT_REVOKED, 0, 0, "02" },
	{ "R\t" END_DATE "\t260101120000Z,superseded\t02\tf\t/CN=a\tb", 3,
	    IMPORT_REVOKED, 0, 0, "02" },
	{ "R\t" END_DATE "\tsoon\t02", 3, IMPORT_REVOKED, 0, 0, "02" },
	/* Not a field that has slipped there. */
	{ "R\t" END_DATE "\t02\tfe\t/CN=a", 1, IMPORT_REVOKED, 0, 0, "" },
	{ "R\t" END_DATE "\t260101120000Z\tunknown\t/CN=a", 1,
	    IMPORT_REVOKED, 0, 0, "" },
	{ "R\t" END_DATE "\t260101120000Z\t2x\tf\t/CN=a", 1,
	    IMPORT_REVOKED, 0, 0, "" },
	{ "R\t" END_DATE "\t260101120000Z", 1, IMPORT_REVOKED, 0, 0, "" },
	{ "nothing of the kind", 1, IMPORT_REVOKED, 0, 0, "" },
	{ "V\t" END_DATE "\t\t02\tf", 1, 0, 0, 0, "" },
	{ "V\t" END_DATE "\t\t02\tf\t/CN=a\tmore", 1, 0, 0, 0, "" },
	{ "V\t" END_DATE "\t\t\tf\t/CN=a", 1, 0, 0, 0, "" },
	{ "V\t" END_DATE "\t\t00\tf\t/CN=a", 1, 0, 0, 0, "" },
	{ "V\t" END_DATE "\t\t-01\tf\t/CN=a", 1, 0, 0, 0, "" },
	{ "V\t" END_DATE "\t\t0g\tf\t/CN=a", 1, 0, 0, 0, "" },
	{ "V\t" END_DATE "\t\t"
	    "0102030405060708091011121314151617181920\tf\t/CN=a", 0,
	    IMPORT_VALID, 0, 0, "0102030405060708091011121314151617181920" },
	{ "V\t" END_DATE "\t\t"
	    "010203040506070809101112131415161718192021\tf\t/CN=a", 1, 0, 0,
	    0, "" },
};

START_TEST(each_line_is_read_or_refused)
{
	struct import_entry e = { 0 };
	unsigned int oddities = 0;
	char why[160] = "", hex[SERIAL_HEX_SIZE] = "";
	int r = index_line_read(bytes_of(lines[_i].line), &e, &oddities, why);

	ck_assert_msg(r == lines[_i].want, "%s: %d %s", lines[_i].line, r,
	    why);
	ck_assert((r == 1 || r == 3) == (why[0] != '\0'));
	if (r == 1)	/* V and E are no revocations, whatever follows */
		ck_assert_int_eq(e.state, lines[_i].line[0] == 'V' ?
		    IMPORT_VALID : IMPORT_REVOKED);
	if (r == 1 || r == 2)
		return;
	serial_to_hex(&e.serial, hex);
	ck_assert_str_eq(hex, lines[_i].serial);
	ck_assert_int_eq(e.state, lines[_i].state);
	ck_assert_int_eq(e.reason, lines[_i].reason);
	ck_assert_uint_eq(oddities, lines[_i].oddities);
}
END_TEST

START_TEST(a_line_that_is_too_long_is_refused)
{
	OWNED_BUF(line, INDEX_LINE_MAX + 100);
	struct import_entry e;
	unsigned int oddities;
	char why[160];

	buf_append_str(&line, "V\t" END_DATE "\t\t02\tf\t/CN=");
	while (line.len < INDEX_LINE_MAX)
		buf_append_str(&line, "x");
	ck_assert_int_eq(index_line_read(buf_bytes(&line), &e, &oddities,
	    why), 0);
	ck_assert_uint_eq(strlen(e.subject), IMPORT_TEXT_MAX - 1);
	buf_append_str(&line, "x");
	ck_assert_int_eq(index_line_read(buf_bytes(&line), &e, &oddities,
	    why), 1);
	ck_assert_int_eq(e.state, IMPORT_VALID);
	/* A revoked one is revoked all the same. */
	buf_clear(&line);
	buf_append_str(&line, "R\t" END_DATE "\t260101120000Z\t02\tf\t");
	while (line.len <= INDEX_LINE_MAX)
		buf_append_str(&line, "x");
	ck_assert_int_eq(index_line_read(buf_bytes(&line), &e, &oddities,
	    why), 3);
	ck_assert_int_eq(e.state, IMPORT_REVOKED);
	ck_assert_uint_eq(e.serial.octets[0], 2);
	ck_assert_int_eq(e.revoked_at, NOON);
}
END_TEST

/* What openssl wrote comes back to the octet. */
static const char *const kept[] = {
	"V\t300101000000Z\t\t1000\tunknown\t/CN=a\n",
	"V\t20550101000000Z\t\t0ABC\tunknown\t/O=K\\xC3\\xA4se/CN=a\n",
	"E\t200101000000Z\t\t7F\tunknown\t/CN=tab\\\tinside\n",
	"R\t300101000000Z\t260101120000Z\t7F\tunknown\t/CN=a\n",
	"R\t300101000000Z\t260101120000Z,superseded\t7F\tunknown\t/CN=a\n",
	"R\t300101000000Z\t260101120000Z,certificateHold\t7F\tunknown\t/CN=a\n",
	"R\t300101000000Z\t260101120000Z,keyTime,20260101120000Z\t7F\tunknown"
	    "\t/CN=a\n",
	"R\t300101000000Z\t260101120000Z,CAkeyTime,20260101120000Z\t7F\t"
	    "unknown\t/CN=a\n",
};

START_TEST(a_line_is_written_as_openssl_writes_it)
{
	OWNED_BUF(out, 4096);
	struct import_entry e;
	unsigned int oddities;
	char why[160], want[256];
	struct bytes line = bytes_of(kept[_i]);

	line.len--;
	ck_assert_int_eq(index_line_read(line, &e, &oddities, why), 0);
	/* A tab within a subject is shown as '?' and stays that. */
	snprintf(want, sizeof(want), "%s", kept[_i]);
	if (strstr(want, "\\\t") != NULL)
		memmove(strstr(want, "\\\t"), "?inside\n", 9);
	ck_assert_int_eq(index_line_write(&e, &out), 0);
	ck_assert_str_eq(buf_str(&out), want);
}
END_TEST

/* --- which serials were seen ------------------------------------------------------ */

START_TEST(a_serial_is_new_once)
{
	__attribute__((cleanup(serial_set_free))) struct serial_set set =
	    SERIAL_SET_NONE;

	for (int round = 0; round < 2; round++)
		for (unsigned int i = 1; i <= 20000; i++) {
			struct serial s = { .octets = { 1, (uint8_t)(i >> 8),
				(uint8_t)i }, .len = 3 };

			ck_assert(serial_set_has(&set, &s) == (round == 1));
			ck_assert_int_eq(serial_set_add(&set, &s), round);
		}
	ck_assert_uint_eq(set.n, 20000);
}
END_TEST

/* --- certificates behind walls ------------------------------------------------------ */

static struct test_ca ca, other;
static struct import_child child;
static struct buf ca_der;
static struct bytes ca_bytes;

static void
encode(X509 *cert, struct buf *out)
{
	uint8_t *der = NULL;
	int len = i2d_X509(cert, &der);

	ck_assert_int_gt(len, 0);
	buf_clear(out);
	buf_append(out, der, (size_t)len);
	OPENSSL_free(der);
}

static void
start_child(void)
{
	test_ca_make(&ca, KEY_P256);
	test_ca_make(&other, KEY_P256);
	ca_der = BUF(65536);
	encode(ca.cert, &ca_der);
	ca_bytes = buf_bytes(&ca_der);
	ck_assert_msg(import_child_start(&ca_bytes, &child, &err) == 0, "%s",
	    err.text);
}

static void
end_child(void)
{
	import_child_end(&child);
	test_ca_free(&ca);
	test_ca_free(&other);
	buf_free(&ca_der);
}

/* An empty one: serial 0x5a, signed by that CA. */
static void
certificate(const struct test_ca *by, struct buf *out)
{
	OWNED(X509) *cert = X509_new();
	OWNED(EVP_PKEY) *key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA",
	    (size_t)2048);
	X509_NAME *name = X509_get_subject_name(cert);

	ASN1_INTEGER_set(X509_get_serialNumber(cert), 0x5a);
	X509_set_version(cert, 2);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
	    (const unsigned char *)"www.example.test", -1, -1, 0);
	X509_set_issuer_name(cert, X509_get_subject_name(by->cert));
	ASN1_TIME_set(X509_getm_notBefore(cert), NOON);
	ASN1_TIME_set(X509_getm_notAfter(cert), NOON + DAY);
	X509_set_pubkey(cert, key);
	ck_assert_int_gt(X509_sign(cert, by->key, EVP_sha256()), 0);
	encode(cert, out);
}

START_TEST(a_certificate_is_read_for_what_is_in_it)
{
	OWNED_BUF(der, 65536);
	struct import_entry e;
	char why[160];

	certificate(&ca, &der);
	ck_assert_int_eq(import_read_certificate(&child, buf_bytes(&der), &e,
	    why, &err), 0);
	ck_assert(e.is_of_ca);
	ck_assert(bytes_equal(e.der, buf_bytes(&der)));
	ck_assert_str_eq(e.subject, "/CN=www.example.test");
	ck_assert_str_eq(e.names, "CN=www.example.test");
	ck_assert_uint_eq(e.serial.octets[0], 0x5a);
	ck_assert_int_eq(e.not_before, NOON);
	ck_assert_int_eq(e.not_after, NOON + DAY);
	ck_assert_uint_eq(e.modulus.len, 256);
	ck_assert_str_eq(e.weak, "");
	/* The other has the same name, and another key. */
	certificate(&other, &der);
	ck_assert_int_eq(import_read_certificate(&child, buf_bytes(&der), &e,
	    why, &err), 0);
	ck_assert(!e.is_of_ca);
}
END_TEST

START_TEST(what_is_no_certificate_is_told_and_the_next_one_read)
{
	static const char *const junk[] = { "", "junk", "0",
	    "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" };
	OWNED_BUF(der, 65536);
	OWNED_BUF(huge, IMPORT_ITEM_MAX + 2);
	struct import_entry e;
	char why[160];

	certificate(&ca, &der);
	for (size_t i = 0; i < sizeof(junk) / sizeof(junk[0]); i++) {
		ck_assert_int_eq(import_read_certificate(&child,
		    bytes_of(junk[i]), &e, why, &err), 1);
		ck_assert_int_ne(why[0], '\0');
	}
	while (huge.len <= IMPORT_ITEM_MAX)
		buf_append_str(&huge, "x");
	ck_assert_int_eq(import_read_certificate(&child, buf_bytes(&huge), &e,
	    why, &err), 1);
	/* Octets behind it belong to nobody. */
	buf_append_str(&der, "x");
	ck_assert_int_eq(import_read_certificate(&child, buf_bytes(&der), &e,
	    why, &err), 1);
	der.len--;
	/* More than one child reads in its life. */
	for (int i = 0; i < 1100; i++)
		ck_assert_int_eq(import_read_certificate(&child,
		    buf_bytes(&der), &e, why, &err), 0);
}
END_TEST

/* The one that is at work for child.sealed. */
static pid_t
worker(void)
{
	char path[64];
	FILE *f;
	int pid = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children",
	    (int)child.sealed.pid, (int)child.sealed.pid);
	do {
		f = fopen(path, "r");
		ck_assert_ptr_nonnull(f);
		if (fscanf(f, "%d", &pid) != 1)
			pid = 0;
		fclose(f);
	} while (pid == 0);
	return pid;
}

START_TEST(the_death_of_a_child_is_a_verdict_on_what_it_read)
{
	OWNED_BUF(der, 65536);
	struct import_entry e;
	char why[160];

	certificate(&ca, &der);
	ck_assert_int_eq(import_read_certificate(&child, buf_bytes(&der), &e,
	    why, &err), 0);
	/* One that reads nothing dies for itself. */
	ck_assert_int_eq(kill(worker(), SIGKILL), 0);
	ck_assert_int_eq(import_read_certificate(&child, buf_bytes(&der), &e,
	    why, &err), 0);
	ck_assert_int_eq(import_read_certificate(&child,
	    bytes_of("junk"), &e, why, &err), 1);
#ifdef TEST_HOOKS
	ck_assert_int_eq(import_read_certificate(&child,
	    bytes_of("die, for a test"), &e, why, &err), 1);
	ck_assert_str_eq(why, "it kills the program that reads it");
#endif
	ck_assert_int_eq(import_read_certificate(&child, buf_bytes(&der), &e,
	    why, &err), 0);
	ck_assert(bytes_equal(e.der, buf_bytes(&der)));
}
END_TEST

START_TEST(a_row_of_a_database_is_read)
{
	static const struct {
		const char	*text;
		int		 want, state, reason;
		bool		 odd;
	} rows[] = {
		{ "{\"serial\":\"90\"}", 0, IMPORT_VALID, 0, false },
		{ "{\"serial_number\":\"90\",\"status\":\"revoked\","
		    "\"reason\":1}", 0, IMPORT_REVOKED, 1, false },
		{ "{\"Serial\":\"90\",\"RevokedAt\":\"2026-01-01T12:00:00Z\","
		    "\"ReasonCode\":4}", 0, IMPORT_REVOKED, 4, false },
		{ "{\"serial\":\"90\",\"status\":\"revoked\",\"reason\":"
		    "\"keyCompromise\"}", 0, IMPORT_REVOKED, 1, false },
		{ "{\"serial\":\"90\",\"status\":\"revoked\",\"reason\":8}",
		    0, IMPORT_REVOKED, 0, true },
		{ "{\"serial\":\"90\",\"status\":\"revoked\",\"reason\":"
		    "\"removeFromCRL\"}", 0, IMPORT_REVOKED, 0, true },
		{ "{\"serial\":\"90\",\"status\":\"revoked\",\"reason\":7}",
		    0, IMPORT_REVOKED, 0, true },
		{ "{\"serial\":\"90\",\"revoked_at\":\"0001-01-01T00:00:00Z\"}",
		    0, IMPORT_VALID, 0, false },
		/* Not good unless it says so. */
		{ "{\"serial\":\"90\",\"status\":\"Good\"}", 0, IMPORT_VALID,
		    0, false },
		{ "{\"serial\":\"90\",\"status\":\"rvoked\"}", 0,
		    IMPORT_REVOKED, 0, false },
		{ "{\"serial\":\"90\",\"status\":\"\"}", 0, IMPORT_REVOKED, 0,
		    false },
		{ "{\"serial\":\"90\",\"status\":\"revoked\","
		    "\"revoked_at\":\"soon\",\"reason\":4}", 0,
		    IMPORT_REVOKED, 4, false },
		{ "{\"serial\":\"90\",\"RevokedAt\":\"soon\"}", 0,
		    IMPORT_REVOKED, 0, false },
		{ "{\"serial\":\"90\",\"RevokedAt\":true}", 0,
		    IMPORT_REVOKED, 0, false },
		{ "{\"serial\":\"90\",\"status\":\"revoked\","
		    "\"expiry\":\"soon\"}", 0, IMPORT_REVOKED, 0, false },
		{ "{\"serial\":\"90\",\"status\":\"revoked\","
		    "\"pem\":\"junk\"}", 0, IMPORT_REVOKED, 0, false },
		{ "{\"serial\":\"90\",\"status\":\"good\",\"pem\":\"junk\"}",
		    1, 0, 0, false },
		{ "{\"serial\":\"90\",\"status\":1}", 1, 0, 0, false },
		{ "{\"serial\":\"90\",\"status\":[\"good\"]}", 1, 0, 0,
		    false },
		{ "{\"serial\":90}", 1, 0, 0, false },
		{ "{\"serial\":\"0\"}", 1, 0, 0, false },
		{ "{\"serial\":\"-90\"}", 1, 0, 0, false },
		{ "{\"serial\":\"5a\"}", 1, 0, 0, false },
		{ "{\"serial\":\"90\",\"serial\":\"91\"}", 1, 0, 0, false },
		{ "{\"serial\":\"90\",\"expiry\":\"soon\"}", 1, 0, 0, false },
		{ "[]", 1, 0, 0, false },
		{ "{", 1, 0, 0, false },
	};
	struct import_entry e;
	char why[160];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int r = import_read_json(&child, bytes_of(rows[i].text), &e,
		    why, &err);

		ck_assert_msg(r == rows[i].want, "%s: %d %s", rows[i].text,
		    r, why);
		if (r != 0)
			continue;
		ck_assert_msg(e.state == (enum import_state)rows[i].state &&
		    e.reason == (enum crl_reason)rows[i].reason &&
		    e.reason_is_odd == rows[i].odd, "%s", rows[i].text);
		ck_assert_uint_eq(e.serial.octets[0], 90);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("import");
	TCase *tc = tcase_create("text"), *walls = tcase_create("walls");

	tcase_add_loop_test(tc, dates_of_index_files_are_read_strictly, 0,
	    ROWS(asn1_dates));
	tcase_add_loop_test(tc,
	    dates_of_databases_are_read_as_they_are_written, 0,
	    ROWS(iso_dates));
	tcase_add_loop_test(tc, each_line_is_read_or_refused, 0, ROWS(lines));
	tcase_add_test(tc, a_line_that_is_too_long_is_refused);
	tcase_add_loop_test(tc, a_line_is_written_as_openssl_writes_it, 0,
	    ROWS(kept));
	tcase_add_test(tc, a_serial_is_new_once);
	suite_add_tcase(s, tc);
	tcase_add_checked_fixture(walls, start_child, end_child);
	tcase_set_timeout(walls, 60);
	tcase_add_test(walls, a_certificate_is_read_for_what_is_in_it);
	tcase_add_test(walls,
	    what_is_no_certificate_is_told_and_the_next_one_read);
	tcase_add_test(walls,
	    the_death_of_a_child_is_a_verdict_on_what_it_read);
	tcase_add_test(walls, a_row_of_a_database_is_read);
	suite_add_tcase(s, walls);
	return fixture_run(s);
}
