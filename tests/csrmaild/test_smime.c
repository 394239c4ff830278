#include "csrmaild/smime.h"

#include "csrmaild/confirm_code.h"
#include "csrmaild/header.h"
#include "csrmaild/wire.h"

#include "common/err.h"
#include "common/owned.h"
#include "tests/support/fixtures.h"

#include <openssl/cms.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <stdio.h>
#include <string.h>

OWNED_BY(CMS_ContentInfo, CMS_ContentInfo_free)

/* Mails signed in many ways; who may speak for whom. */
#define ENTITY	"Content-Type: text/plain\r\n\r\nHello\r\n"

struct person {
	EVP_PKEY	*key;
	X509		*cert;
};
static struct person root, stranger_root, user, no_mail, no_use, coder,
    no_signature, stranger;
static char anchors_text[8192];
static struct bytes anchors;
static struct err err;

static void
add(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *e;

	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	ck_assert_ptr_nonnull(e);
	X509_add_ext(cert, e, -1);
	X509_EXTENSION_free(e);
}

/* by NULL: itself. */
static void
make_for(struct person *p, const struct person *by, const char *cn,
    const char *san, const char *eku, const char *usage)
{
	X509_NAME *name;

	p->key = EVP_EC_gen("P-256");
	p->cert = X509_new();
	X509_set_version(p->cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(p->cert), 4711);
	X509_time_adj_ex(X509_getm_notBefore(p->cert), -1, 0, NULL);
	X509_time_adj_ex(X509_getm_notAfter(p->cert), 10, 0, NULL);
	name = X509_get_subject_name(p->cert);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
	    (const unsigned char *)cn, -1, -1, 0);
	X509_set_issuer_name(p->cert, by == NULL ? name :
	    X509_get_subject_name(by->cert));
	X509_set_pubkey(p->cert, p->key);
	if (by == NULL)
		add(p->cert, p->cert, NID_basic_constraints,
		    "critical,CA:TRUE");
	if (san != NULL)
		add(p->cert, p->cert, NID_subject_alt_name, san);
	if (eku != NULL)
		add(p->cert, p->cert, NID_ext_key_usage, eku);
	if (usage != NULL)
		add(p->cert, p->cert, NID_key_usage, usage);
	ck_assert_int_gt(X509_sign(p->cert, by == NULL ? p->key : by->key,
	    EVP_sha256()), 0);
}

static void
make(struct person *p, const struct person *by, const char *cn,
    const char *san, const char *eku)
{
	make_for(p, by, cn, san, eku, NULL);
}

static void
set_up(void)
{
	BIO *bio = BIO_new(BIO_s_mem());
	int n;

	make(&root, NULL, "root", NULL, NULL);
	make(&stranger_root, NULL, "other", NULL, NULL);
	make(&user, &root, "user", "email:user@example.test",
	    "emailProtection");
	make(&no_mail, &root, "www", "DNS:www.example.test", "serverAuth");
	make(&no_use, &root, "user", NULL, NULL);
	make(&coder, &root, "user", "email:user@example.test", "codeSigning");
	make_for(&no_signature, &root, "user", "email:user@example.test",
	    NULL, "keyAgreement");
	make(&stranger, &stranger_root, "user", "email:user@example.test",
	    "emailProtection");
	PEM_write_bio_X509(bio, root.cert);
	n = BIO_read(bio, anchors_text, sizeof(anchors_text) - 1);
	BIO_free(bio);
	anchors = (struct bytes){ (uint8_t *)anchors_text, (size_t)n };
}

static void
tear_down(void)
{
	struct person *const people[] = { &root, &stranger_root, &user,
		&no_mail, &no_use, &coder, &no_signature, &stranger };

	for (size_t i = 0; i < ROWS(people); i++) {
		EVP_PKEY_free(people[i]->key);
		X509_free(people[i]->cert);
	}
}

/* From, then what openssl cms -sign would write. */
static void
sign(const struct person *who, const struct person *also, bool opaque,
    unsigned int flags, const EVP_MD *md, struct buf *out)
{
	OWNED(BIO) *in = BIO_new_mem_buf(ENTITY, -1);
	OWNED(BIO) *mail = BIO_new(BIO_s_mem());
	OWNED(CMS_ContentInfo) *cms = NULL;
	char *data;
	long n;

	flags |= CMS_PARTIAL | (opaque ? 0 : CMS_DETACHED | CMS_STREAM);
	cms = CMS_sign(NULL, NULL, NULL, in, flags);
	ck_assert_ptr_nonnull(CMS_add1_signer(cms, who->cert, who->key, md,
	    flags));
	if (also != NULL)
		CMS_add1_signer(cms, also->cert, also->key, md, flags);
	if (opaque)
		ck_assert_int_eq(CMS_final(cms, in, NULL, flags), 1);
	BIO_puts(mail, "From: user@example.test\r\n");
	ck_assert_int_eq(SMIME_write_CMS(mail, cms, in, (int)flags |
	    SMIME_CRLFEOL), 1);
	n = BIO_get_mem_data(mail, &data);
	ck_assert_int_eq(buf_append(out, data, (size_t)n), 0);
}

static struct signature
look(const struct buf *mail, struct bytes trusted, struct buf *content)
{
	static uint8_t kept[WIRE_MAX_SIGNER];
	OWNED_BUF(der, WIRE_MAX_SIGNER);
	struct signature s;

	ck_assert_int_eq(smime_examine(buf_bytes(mail), trusted, time(NULL),
	    &s, &der, content, &err), 0);
	if (s.der.len > 0)
		memcpy(kept, der.data, s.der.len);
	s.der.data = kept;
	return s;
}

static const struct {
	const char	*name;
	const struct person *who, *also;
	bool		 opaque, no_attributes, sha1, no_certs, no_anchors;
	/* What is said of it. */
	bool		 good, anchored, not_for_mail;
	unsigned int	 n_addresses;
	const char	*text;
} mails[] = {
	{ "clear-signed", &user, NULL, .good = true, .anchored = true,
	  .n_addresses = 1 },
	{ "opaque", &user, NULL, .opaque = true, .good = true,
	  .anchored = true, .n_addresses = 1 },
	{ "nobody is trusted", &user, NULL, .no_anchors = true, .good = true,
	  .n_addresses = 1 },
	{ "another CA", &stranger, NULL, .good = true, .n_addresses = 1 },
	{ "for a server", &no_mail, NULL, .good = true, .not_for_mail = true },
	{ "for code", &coder, NULL, .good = true, .not_for_mail = true,
	  .n_addresses = 1 },
	{ "not for signatures", &no_signature, NULL, .good = true,
	  .not_for_mail = true, .n_addresses = 1 },
	{ "no mailbox", &no_use, NULL, .good = true, .anchored = true },
	{ "two signers", &user, &stranger, .text = "exactly one" },
	{ "SHA-1", &user, NULL, .sha1 = true, .text = "SHA-256" },
	{ "no certificate in it", &user, NULL, .no_certs = true,
	  .text = "does not fit" },
};

START_TEST(a_signature_is_taken_for_what_it_proves)
{
	unsigned int flags = (mails[_i].no_certs ? CMS_NOCERTS : 0) |
	    CMS_BINARY;
	OWNED_BUF(mail, 65536);
	OWNED_BUF(content, 65536);
	struct signature s;

	sign(mails[_i].who, mails[_i].also, mails[_i].opaque, flags,
	    mails[_i].sha1 ? EVP_sha1() : EVP_sha256(), &mail);
	ck_assert(header_is_signed(buf_bytes(&mail)));
	s = look(&mail, mails[_i].no_anchors ? (struct bytes){ NULL, 0 } :
	    anchors, &content);
	ck_assert_msg(s.good == mails[_i].good, "%s: %s", mails[_i].name,
	    s.text);
	ck_assert_msg(s.anchored == mails[_i].anchored, "%s", mails[_i].name);
	ck_assert_msg(!s.good || s.for_mail == !mails[_i].not_for_mail, "%s",
	    mails[_i].name);
	ck_assert_uint_eq(s.n_addresses, mails[_i].n_addresses);
	if (mails[_i].text != NULL)
		ck_assert_msg(strstr(s.text, mails[_i].text) != NULL,
		    "%s: %s", mails[_i].name, s.text);
	if (!s.good) {
		ck_assert_uint_eq(content.len, 0);
		return;
	}
	ck_assert_msg(bytes_equal(buf_bytes(&content), bytes_of(ENTITY)),
	    "%s: %.*s", mails[_i].name, (int)content.len,
	    (char *)content.data);
	ck_assert_int_gt(s.signed_at, time(NULL) - 60);
	ck_assert_uint_eq(s.serial.len, 2);
	if (s.n_addresses > 0)
		ck_assert_str_eq(s.addresses[0], "user@example.test");
}
END_TEST

/* A time-stamp, a request in CMC: its signer said nothing of a mail. */
START_TEST(what_is_signed_is_a_mail)
{
	OWNED(BIO) *in = BIO_new_mem_buf(ENTITY, -1);
	OWNED(BIO) *out = BIO_new(BIO_s_mem());
	OWNED(CMS_ContentInfo) *cms = CMS_sign(NULL, NULL, NULL, in,
	    CMS_PARTIAL | CMS_BINARY);
	OWNED_BUF(mail, 65536);
	OWNED_BUF(content, 65536);
	char *data;
	long n;

	CMS_set1_eContentType(cms, OBJ_nid2obj(NID_id_smime_ct_TSTInfo));
	ck_assert_ptr_nonnull(CMS_add1_signer(cms, user.cert, user.key,
	    EVP_sha256(), CMS_BINARY));
	ck_assert_int_eq(CMS_final(cms, in, NULL, CMS_BINARY), 1);
	ck_assert_int_eq(SMIME_write_CMS(out, cms, in, CMS_BINARY |
	    SMIME_CRLFEOL), 1);
	n = BIO_get_mem_data(out, &data);
	buf_append(&mail, data, (size_t)n);
	ck_assert_str_eq(look(&mail, anchors, &content).text,
	    "what it signs is no mail");
	ck_assert_uint_eq(content.len, 0);
}
END_TEST

START_TEST(a_changed_octet_is_noticed)
{
	OWNED_BUF(mail, 65536);
	OWNED_BUF(content, 65536);
	size_t at;

	sign(&user, NULL, false, CMS_BINARY, EVP_sha256(), &mail);
	ck_assert(look(&mail, anchors, &content).good);
	at = bytes_find(buf_bytes(&mail), bytes_of("Hello"));
	mail.data[at] = 'J';
	buf_clear(&content);
	ck_assert_str_eq(look(&mail, anchors, &content).text,
	    "the signature does not fit what was signed");
	ck_assert_uint_eq(content.len, 0);
}
END_TEST

/* Only what is signed is handed on, whatever stands around it. */
START_TEST(what_is_not_covered_is_not_handed_on)
{
	OWNED_BUF(mail, 65536);
	OWNED_BUF(content, 65536);
	struct signature s;

	sign(&user, NULL, false, CMS_BINARY, EVP_sha256(), &mail);
	buf_append_str(&mail, "\r\n-----BEGIN CERTIFICATE REQUEST-----\r\n");
	s = look(&mail, anchors, &content);
	ck_assert(s.good);
	ck_assert_uint_eq(bytes_find(buf_bytes(&content),
	    bytes_of("BEGIN")), (size_t)-1);
}
END_TEST

START_TEST(more_than_fits_is_said)
{
	OWNED_BUF(mail, 65536);
	OWNED_BUF(content, 10);
	struct signature s;

	sign(&user, NULL, true, CMS_BINARY, EVP_sha256(), &mail);
	s = look(&mail, anchors, &content);
	ck_assert(!s.good);
	ck_assert_ptr_nonnull(strstr(s.text, "too large"));
}
END_TEST

static const struct {
	const char	*header;
	bool		 want;
} headers[] = {
	{ "Content-Type: multipart/signed; boundary=x\r\n\r\n", true },
	{ "content-type: Application/PKCS7-MIME\r\n\r\n", true },
	{ "Content-Type: application/x-pkcs7-mime\r\n\r\n", true },
	{ "Content-Type: multipart/mixed; boundary=x\r\n\r\n", false },
	{ "Content-Type: multipart/signedly\r\n\r\n", false },
	{ "Content-Type: text/plain\r\n"
	  "Content-Type: multipart/signed\r\n\r\n", false },
	{ "Subject: x\r\n\r\nContent-Type: multipart/signed\r\n", false },
};

START_TEST(only_the_message_as_a_whole_claims_it)
{
	ck_assert_int_eq(header_is_signed(bytes_of(headers[_i].header)),
	    headers[_i].want);
}
END_TEST

START_TEST(anchors_are_whole_certificates)
{
	OWNED_BUF(cut, 20000);
	unsigned int n;

	ck_assert(smime_anchors_are_whole(anchors, &n));
	ck_assert_uint_eq(n, 1);
	ck_assert(!smime_anchors_are_whole(bytes_of("nothing"), &n));
	/* A second one that is cut off is not left out in silence. */
	buf_append_bytes(&cut, anchors);
	buf_append(&cut, anchors.data, 300);
	ck_assert(!smime_anchors_are_whole(buf_bytes(&cut), &n));
}
END_TEST

#define HEX	"00112233445566778899aabbccddeeff"
static const struct {
	const char	*subject;
	bool		 found;
} subjects[] = {
	{ "Re: Please confirm [csrmail:" HEX "]", true },
	{ "AW: [CSRMAIL: 00112233445566778899 AABBCCDDEEFF]", true },
	{ "Re: Please confirm\r\n [csrmail:0011223344556677\r\n"
	  "\t8899aabbccddeeff] yes", true },
	{ "=?utf-8?B?5Zue5aSNOiBQbGVhc2UgY29uZmlybSBbY3NybWFpbDowMDExMjIz?=\r\n"
	  " =?UTF-8?b?MzQ0NTU2Njc3ODg5OWFhYmJjY2RkZWVmZl0=?=", true },
	{ "=?iso-8859-1?Q?R=E9:_Please_confirm_=5Bcsrmail:0011223344556677?=\r\n"
	  " =?iso-8859-1?Q?8899aabbccddeeff]?=", true },
	{ "=?x =?x? =?x?b =?x?b? =?utf-8?b?!?= [csrmail:" HEX "]", true },
	{ "[csrmail:short] [csrmail:" HEX "]", true },
	{ "[csrmail:" HEX "0]", false },
	{ "[csrmail:" HEX, false },
	{ "csrmail:" HEX "]", false },
	{ "", false },
};

START_TEST(the_code_of_a_challenge_survives_mail_programs)
{
	uint8_t want[32], got[32] = { 0 };

	ck_assert_int_eq(confirm_code_digest(HEX, want), 0);
	ck_assert_int_eq(confirm_code_find(bytes_of(subjects[_i].subject),
	    got), subjects[_i].found);
	if (subjects[_i].found)
		ck_assert_mem_eq(got, want, 32);
}
END_TEST

/* Whatever the length of an encoded word, what stands behind it is read. */
START_TEST(a_code_behind_a_long_word_is_found)
{
	for (int n = 200; n < 300; n++) {
		uint8_t want[32], got[32] = { 0 };
		char a[301] = "", subject[512];

		memset(a, 'a', (size_t)n);
		snprintf(subject, sizeof(subject), "=?utf-8?q?%s?= [csrmail:"
		    HEX "]", a);
		ck_assert_int_eq(confirm_code_digest(HEX, want), 0);
		ck_assert_msg(confirm_code_find(bytes_of(subject), got),
		    "%d", n);
		ck_assert_mem_eq(got, want, 32);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("smime");
	TCase *t = tcase_create("signatures");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_loop_test(t, a_signature_is_taken_for_what_it_proves, 0,
	    ROWS(mails));
	tcase_add_test(t, what_is_signed_is_a_mail);
	tcase_add_test(t, a_changed_octet_is_noticed);
	tcase_add_test(t, what_is_not_covered_is_not_handed_on);
	tcase_add_test(t, more_than_fits_is_said);
	tcase_add_loop_test(t, only_the_message_as_a_whole_claims_it, 0,
	    ROWS(headers));
	tcase_add_test(t, anchors_are_whole_certificates);
	tcase_add_loop_test(t, the_code_of_a_challenge_survives_mail_programs,
	    0, ROWS(subjects));
	tcase_add_test(t, a_code_behind_a_long_word_is_found);
	suite_add_tcase(s, t);
	return fixture_run(s);
}
