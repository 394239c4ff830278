#include "csrmaild/seal.h"
#include "csrmaild/seal_identity.h"

#include "csrmaild/header.h"
#include "csrmaild/reply.h"
#include "csrmaild/reply_text.h"
#include "csrmaild/smime.h"
#include "csrmaild/wire.h"
#include "csrmaild/wording.h"

#include "common/err.h"
#include "common/key.h"
#include "common/owned.h"
#include "tests/support/fixtures.h"

#include <openssl/cms.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Mails as reply.h writes them, signed; and what is refused instead. */
#define MAILBOX		"ca@example.test"
#define MAX		(4u << 20)

OWNED_BY(CMS_ContentInfo, CMS_ContentInfo_free)

struct maker {
	EVP_PKEY	*key;
	X509		*cert;
};
static struct maker root, users, mailbox;
static struct seal_identity *identity;
static char trusted[8192];
static struct bytes anchors;
static struct err err;

/* --- certificates ---------------------------------------------------------- */

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

/* What the certificate is to say; "" leaves it out. */
struct terms {
	const char	*ca, *san, *ku, *eku;
	unsigned int	 comment;	/* octets that make it larger */
};

/* by NULL: itself. The key is taken; NULL: a new one. */
static struct maker
make(const char *cn, const struct maker *by, const struct terms *terms,
    EVP_PKEY *key)
{
	struct maker made = { key == NULL ? EVP_EC_gen("P-256") : key,
		X509_new() };
	static long serial = 1;
	const struct {
		int		 nid;
		const char	*value;
	} extensions[] = {
		{ NID_basic_constraints, terms->ca },
		{ NID_subject_alt_name, terms->san },
		{ NID_key_usage, terms->ku },
		{ NID_ext_key_usage, terms->eku },
	};
	X509_NAME *name = X509_get_subject_name(made.cert);

	X509_set_version(made.cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(made.cert), serial++);
	ASN1_TIME_set(X509_getm_notBefore(made.cert), NOON);
	ASN1_TIME_set(X509_getm_notAfter(made.cert), NOON + 1000 * DAY);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
	    (const unsigned char *)cn, -1, -1, 0);
	X509_set_issuer_name(made.cert, by == NULL ? name :
	    X509_get_subject_name(by->cert));
	X509_set_pubkey(made.cert, made.key);
	for (size_t i = 0; i < 4; i++)
		if (extensions[i].value[0] != '\0')
			add(made.cert, by == NULL ? made.cert : by->cert,
			    extensions[i].nid, extensions[i].value);
	if (terms->comment > 0) {
		char *text = malloc(terms->comment + 1);

		memset(text, 'x', terms->comment);
		text[terms->comment] = '\0';
		add(made.cert, made.cert, NID_netscape_comment, text);
		free(text);
	}
	ck_assert_int_gt(X509_sign(made.cert, by == NULL ? made.key : by->key,
	    EVP_sha256()), 0);
	return made;
}

static void
drop(struct maker *made)
{
	EVP_PKEY_free(made->key);
	X509_free(made->cert);
}

static const struct terms ca_terms = { "critical,CA:TRUE", "", "keyCertSign",
	"", 0 };
static const struct terms good_terms = { "", "email:" MAILBOX,
	"critical,digitalSignature", "emailProtection,clientAuth", 0 };

static void
put_cert(X509 *cert, struct buf *out)
{
	OWNED(BIO) *bio = BIO_new(BIO_s_mem());
	char *data;
	long n;

	PEM_write_bio_X509(bio, cert);
	n = BIO_get_mem_data(bio, &data);
	ck_assert_int_eq(buf_append(out, data, (size_t)n), 0);
}

/* PKCS#8; passphrase NULL: not encrypted. */
static void
put_key(EVP_PKEY *key, const char *passphrase, struct buf *out)
{
	OWNED(BIO) *bio = BIO_new(BIO_s_mem());
	char *data;
	long n;

	ck_assert_int_eq(PEM_write_bio_PKCS8PrivateKey(bio, key,
	    passphrase == NULL ? NULL : EVP_aes_256_cbc(), passphrase,
	    passphrase == NULL ? 0 : (int)strlen(passphrase), NULL, NULL), 1);
	n = BIO_get_mem_data(bio, &data);
	ck_assert_int_eq(buf_append(out, data, (size_t)n), 0);
}

/* Certificates end with NULL; key of the first. */
static struct seal_identity *
identity_of(EVP_PKEY *key, X509 *const *certs)
{
	struct seal_identity *id = NULL;
	enum seal_file fault;
	OWNED_BUF(pem, MAX);
	OWNED_BUF(pkcs8, MAX);

	for (; *certs != NULL; certs++)
		put_cert(*certs, &pem);
	put_key(key, NULL, &pkcs8);
	ck_assert_msg(seal_identity_read((struct bytes[SEAL_FILES]){
	    buf_bytes(&pem), buf_bytes(&pkcs8) }, MAILBOX, &id, &fault,
	    &err) == 0, "%s: %s", seal_file_key(fault), err.text);
	return id;
}

static void
set_up(void)
{
	OWNED_BUF(pem, sizeof(trusted));

	root = make("root", NULL, &ca_terms, NULL);
	users = make("users", &root, &ca_terms, NULL);
	mailbox = make("mailbox", &users, &good_terms, NULL);
	/* One that stands twice is no second one. */
	identity = identity_of(mailbox.key, (X509 *[]){ mailbox.cert,
	    users.cert, mailbox.cert, root.cert, users.cert, NULL });
	put_cert(root.cert, &pem);
	memcpy(trusted, pem.data, pem.len);
	anchors = (struct bytes){ (const uint8_t *)trusted, pem.len };
}

static void
tear_down(void)
{
	seal_identity_free(identity);
	drop(&root);
	drop(&users);
	drop(&mailbox);
}

/* --- mails ------------------------------------------------------------------ */

static struct reply_head
head(void)
{
	return (struct reply_head){ .from = MAILBOX,
	    .to = "user@example.test", .message_id = "42.abc@example.test",
	    .in_reply_to = "1@mua.test", .references = "<0@mua.test>",
	    .subject = "Gr\xc3\xbc\xc3\x9f" "e", .date = NOON };
}

enum kind { ISSUED, HELD, NOTHING, REVOKED, STATUS, CHALLENGE, KINDS };

static void
compose(enum kind kind, const struct wordings *wordings, const char *language,
    struct buf *out)
{
	struct reply_head h = head();
	X509 *chain[] = { users.cert, root.cert };
	struct reply_item item = { .fate = kind == ISSUED ? REPLY_ISSUED :
	    REPLY_HELD, .request = 7, .names_text = "CN=user",
	    .reason = "wait", .ignored = "", .cert = mailbox.cert,
	    .chain = chain, .n_chain = 2, .ocsp_url = "", .crl_url = "" };
	const struct reply_revocation gone = { REPLY_REVOKED, "7f", "CN=user",
	    "superseded", 7 };
	const char *part = "text/html";
	int r = -1;

	h.wordings = wordings;
	h.language = language;
	switch (kind) {
	case ISSUED:
	case HELD:
		r = reply_compose(&h, &item, 1, NULL, 0, out, &err);
		break;
	case NOTHING:
		r = reply_compose_nothing(&h, "From a stranger", &part, 1, 0,
		    out, &err);
		break;
	case REVOKED:
		r = reply_compose_revocation(&h, &gone, out, &err);
		break;
	case STATUS:
		r = reply_compose_status(&h, &part, 1, out, &err);
		break;
	case CHALLENGE:
		r = reply_compose_challenge(&h,
		    "00112233445566778899aabbccddeeff", NOON, out, &err);
		break;
	case KINDS:
		break;
	}
	ck_assert_msg(r == 0, "%s", err.text);
}

static void
seal(const struct seal_identity *id, const struct buf *mail, struct buf *out)
{
	ck_assert_msg(seal_message(id, buf_bytes(mail), NOON + DAY, out,
	    &err) == 0, "%s (%s)", err.text, err.detail);
}

static struct signature
look(struct bytes mail, struct buf *content)
{
	OWNED_BUF(der, WIRE_MAX_SIGNER);
	struct signature s;

	ck_assert_int_eq(smime_examine(mail, anchors, NOON + DAY, &s, &der,
	    content, &err), 0);
	return s;
}

/* Behind the mail's own header. */
static size_t
end_of_header(const struct buf *mail)
{
	return bytes_find(buf_bytes(mail), bytes_of("\r\n\r\n")) + 4;
}

/* --- what is signed ---------------------------------------------------------- */

/* Every mail that we write, in both languages. */
START_TEST(a_mail_is_signed_and_keeps_its_header)
{
	static const char *const kept[] = { "\r\nTo: user@example.test\r\n",
		"\r\nDate: ", "\r\nMessage-ID: <42.abc@example.test>\r\n",
		"\r\nMIME-Version: 1.0\r\n", "\r\nAuto-Submitted: auto-" };
	enum kind kind = (enum kind)(_i / 2);
	OWNED_BUF(mail, MAX);
	OWNED_BUF(sealed, MAX);
	OWNED_BUF(content, MAX);
	struct header_rules rules = { .own_address = "other@example.test",
		.authres = { .authserv_id = "" } };
	struct envelope envelope = { 0 };
	struct signature s;
	size_t at;

	compose(kind, NULL, _i % 2 == 0 ? "en" : "de", &mail);
	seal(identity, &mail, &sealed);
	s = look(buf_bytes(&sealed), &content);
	ck_assert_msg(s.good && s.anchored, "%s", s.text);
	ck_assert_str_eq(s.addresses[0], MAILBOX);
	ck_assert_int_eq(s.signed_at, NOON + DAY);
	/* Covered: the content's fields and the whole body. */
	ck_assert(strncmp(buf_str(&content), "Content-Type: ", 14) == 0);
	at = end_of_header(&mail);
	ck_assert(bytes_equal(bytes_slice(buf_bytes(&content),
	    end_of_header(&content), MAX), bytes_slice(buf_bytes(&mail), at,
	    MAX)));
	/* Outside: all else, as it was. */
	at = bytes_find(buf_bytes(&sealed), bytes_of("Content-Type: "));
	ck_assert(bytes_equal(bytes_slice(buf_bytes(&sealed), 0, at),
	    bytes_slice(buf_bytes(&mail), 0, at)));
	sealed.data[at] = '\0';
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		ck_assert_ptr_nonnull(strstr((char *)sealed.data, kept[i]));
	sealed.data[at] = 'C';
	ck_assert(text_is_7bit(buf_bytes(&sealed)));
	/* A robot, and we ourselves, see that it is automatic. */
	header_scan(buf_bytes(&sealed), &rules, &envelope);
	ck_assert_str_eq(envelope.from, MAILBOX);
	ck_assert_str_eq(envelope.automatic, "Auto-Submitted");
	ck_assert(header_is_signed(buf_bytes(&sealed)));
}
END_TEST

START_TEST(the_signature_says_what_it_should)
{
	OWNED_BUF(mail, MAX);
	OWNED_BUF(sealed, MAX);
	OWNED(BIO) *in = NULL;
	OWNED(BIO) *detached = NULL;
	OWNED(CMS_ContentInfo) *cms = NULL;
	STACK_OF(X509) *certs;
	CMS_SignerInfo *info;
	X509_ALGOR *digest;

	compose(ISSUED, NULL, "en", &mail);
	seal(identity, &mail, &sealed);
	ck_assert_ptr_nonnull(strstr(buf_str(&sealed),
	    "Content-Type: multipart/signed; micalg=sha-256;\r\n"
	    " protocol=\"application/pkcs7-signature\";\r\n"));
	in = BIO_new_mem_buf(sealed.data, (int)sealed.len);
	cms = SMIME_read_CMS(in, &detached);
	ck_assert_ptr_nonnull(cms);
	ck_assert_int_eq(CMS_is_detached(cms), 1);
	certs = CMS_get1_certs(cms);
	ck_assert_int_eq(sk_X509_num(certs), 3);	/* the chain too */
	sk_X509_pop_free(certs, X509_free);
	info = sk_CMS_SignerInfo_value(CMS_get0_SignerInfos(cms), 0);
	CMS_SignerInfo_get0_algs(info, NULL, NULL, &digest, NULL);
	ck_assert_int_eq(OBJ_obj2nid(digest->algorithm), NID_sha256);
	ck_assert_int_ge(CMS_signed_get_attr_by_NID(info,
	    NID_id_smime_aa_signingCertificateV2, -1), 0);
	ck_assert_int_lt(CMS_signed_get_attr_by_NID(info,
	    NID_SMIMECapabilities, -1), 0);
}
END_TEST

/* A site's own words may have all that a gateway alters on the way. */
static const struct {
	const char	*words;
	unsigned int	 longs;		/* octets of a line behind them */
	bool		 plain;		/* it travels as it is */
} texts[] = {
	{ ">From\tafar\n.\n--\n Fromage\n", 800, true },
	{ "From here on\n", 0, false },
	{ "-- \n", 0, false },
	{ "blank\t\n", 0, false },
	{ "", 1000, false },
	/* It would begin a line, were it not for the "F". */
	{ "-- \nwide wide wide wide wide wide wide wide wide wide wide wide "
	  "wide wide wide From afar\n", 0, false },
};

START_TEST(what_gateways_alter_is_not_signed)
{
	struct wordings *wordings = NULL;
	OWNED_BUF(text, 65536);
	OWNED_BUF(mail, MAX);
	OWNED_BUF(sealed, MAX);
	OWNED_BUF(content, MAX);
	struct bytes left, body;
	struct signature s;
	size_t end;

	buf_append_str(&text, texts[_i].words);
	for (unsigned int i = 0; i < texts[_i].longs; i += 4)
		buf_append_str(&text, "long");
	buf_append_str(&text, "\n");
	ck_assert_int_eq(wordings_new(&wordings, &err), 0);
	ck_assert_msg(wordings_add(wordings, "en/nothing", "f",
	    buf_bytes(&text), &err) == 0, "%s", err.text);
	compose(NOTHING, wordings, "en", &mail);
	wordings_free(wordings);
	ck_assert((strstr(buf_str(&mail), "quoted-printable") == NULL) ==
	    texts[_i].plain);
	body = bytes_slice(buf_bytes(&mail), end_of_header(&mail), MAX);
	ck_assert(text_travels(body));
	for (left = body; !texts[_i].plain && (end = bytes_find(left, bytes_of("\r\n"))) !=
	    (size_t)-1; left = bytes_slice(left, end + 2, MAX))
		ck_assert_uint_le(end, 76);
	seal(identity, &mail, &sealed);
	s = look(buf_bytes(&sealed), &content);
	ck_assert_msg(s.good, "%s", s.text);
}
END_TEST

/* --- what is not --------------------------------------------------------------- */

/* A mail of our shape; each row has one thing of it in another way. */
#define TOP	"From: " MAILBOX "\r\nTo: a@b.test\r\nSubject: x\r\n" \
		"Date: now\r\nMessage-ID: <1@b.test>\r\n"
#define AUTO	"Auto-Submitted: auto-replied\r\n"
#define MIME	"MIME-Version: 1.0\r\nContent-Type: text/plain\r\n"
static const struct {
	const char	*name, *mail;
	bool		 signs;
} shapes[] = {
	{ "the shape", TOP AUTO MIME "\r\nHello\r\n", true },
	{ "with all that may be", TOP "In-Reply-To: <2@b.test>\r\n"
	  "References: <3@b.test>\r\n" AUTO MIME
	  "Content-Transfer-Encoding: 7bit\r\n\r\nHello\r\n", true },
	{ "an empty body", TOP AUTO MIME "\r\n", true },
	{ "no end of a line", TOP AUTO MIME "\r\nHello", true },
	{ "nothing", "", false },
	{ "no From", AUTO MIME "\r\nHello\r\n", false },
	{ "somebody else", "From: cb@example.test\r\nTo: a@b.test\r\n"
	  "Subject: x\r\nDate: now\r\nMessage-ID: <1@b.test>\r\n" AUTO MIME
	  "\r\nHello\r\n", false },
	{ "a name before the address", "From: Boss <" MAILBOX ">\r\n"
	  "To: a@b.test\r\nSubject: x\r\nDate: now\r\n"
	  "Message-ID: <1@b.test>\r\n" AUTO MIME "\r\nHello\r\n", false },
	{ "two authors", "From: " MAILBOX "\r\n" TOP AUTO MIME
	  "\r\nHello\r\n", false },
	{ "not automatic", TOP MIME "\r\nHello\r\n", false },
	{ "a person's", TOP "Auto-Submitted: no\r\n" MIME "\r\nHello\r\n",
	  false },
	{ "another field", TOP AUTO "Reply-To: a@b.test\r\n" MIME
	  "\r\nHello\r\n", false },
	{ "another field instead", "From: " MAILBOX "\r\nTo: a@b.test\r\n"
	  "Comments: x\r\nDate: now\r\nMessage-ID: <1@b.test>\r\n" AUTO MIME
	  "\r\nHello\r\n", false },
	{ "a line that some take for the end", "From: " MAILBOX "\r\n"
	  "To: a@b.test\r\nSubject: x\r\n \r\nDate: now\r\n"
	  "Message-ID: <1@b.test>\r\n" AUTO MIME "\r\nHello\r\n", false },
	{ "a field twice", TOP AUTO AUTO MIME "\r\nHello\r\n", false },
	{ "another order", AUTO TOP MIME "\r\nHello\r\n", false },
	{ "no media type", TOP AUTO "MIME-Version: 1.0\r\n\r\nHello\r\n",
	  false },
	{ "no end of the header", TOP AUTO MIME, false },
	{ "no field", TOP AUTO MIME "what\r\n\r\nHello\r\n", false },
	{ "8 bit", TOP AUTO MIME "\r\nGr\xc3\xbc\xc3\x9f" "e\r\n", false },
	{ "8 bit above", "From: " MAILBOX "\r\nTo: \xc3\xbc@b.test\r\n"
	  "Subject: x\r\nDate: now\r\nMessage-ID: <1@b.test>\r\n" AUTO MIME
	  "\r\nHello\r\n", false },
	{ "LF alone", TOP AUTO MIME "\r\nHello\nyou\r\n", false },
	{ "CR alone", TOP AUTO MIME "\r\nHello\ryou\r\n", false },
	{ "LF alone above", TOP "Auto-Submitted: auto-replied\n" MIME
	  "\r\nHello\r\n", false },
};

START_TEST(nothing_else_than_mails_of_ours_is_signed)
{
	OWNED_BUF(out, MAX);
	int r = seal_message(identity, bytes_of(shapes[_i].mail), NOON, &out,
	    &err);

	ck_assert_msg(r == (shapes[_i].signs ? 0 : -1), "%s: %s",
	    shapes[_i].name, err.text);
	if (r == 0)
		return;
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_uint_eq(out.len, 0);
}
END_TEST

static const struct {
	unsigned int	 octets;	/* of one line, without its end */
	bool		 nul;
	bool		 signs;
} long_lines[] = {
	{ 998, false, true }, { 999, false, false }, { 10, true, false },
};

START_TEST(a_line_has_998_octets_at_most_and_no_nul)
{
	OWNED_BUF(mail, MAX);
	OWNED_BUF(out, MAX);

	buf_append_str(&mail, TOP AUTO MIME "\r\n");
	for (unsigned int i = 0; i < long_lines[_i].octets; i++)
		buf_append(&mail, long_lines[_i].nul && i == 5 ? "" : "x", 1);
	buf_append_str(&mail, "\r\n");
	ck_assert_int_eq(seal_message(identity, buf_bytes(&mail), NOON, &out,
	    &err), long_lines[_i].signs ? 0 : -1);
}
END_TEST

/* The largest mail that we write, with as many and as large certificates as
 * are taken, is still one that can be sent. */
START_TEST(what_is_signed_can_still_be_sent)
{
	struct terms large = ca_terms;
	struct maker more[SEAL_MAX_CERTIFICATES - 1];
	X509 *certs[SEAL_MAX_CERTIFICATES + 1] = { mailbox.cert };
	struct seal_identity *id;
	OWNED_BUF(pem, MAX);
	OWNED_BUF(mail, MAX);
	OWNED_BUF(sealed, MAX);

	large.comment = 4800;
	for (size_t i = 0; i < SEAL_MAX_CERTIFICATES - 1; i++) {
		more[i] = make("ca", &root, &large, NULL);
		certs[i + 1] = more[i].cert;
		put_cert(more[i].cert, &pem);
	}
	ck_assert_uint_gt(pem.len, SEAL_FILE_MAX - 8192);
	ck_assert_uint_lt(pem.len, SEAL_FILE_MAX);
	id = identity_of(mailbox.key, certs);
	buf_append_str(&mail, TOP AUTO MIME "\r\n");
	while (mail.len + 72 <= WIRE_MAX_REPLY)
		buf_append_str(&mail, "a line of seventy octets, that is as "
		    "long as one of base64 often is..\r\n");
	seal(id, &mail, &sealed);
	ck_assert_uint_le(sealed.len, WIRE_MAX_MAIL);
	seal_identity_free(id);
	for (size_t i = 0; i < SEAL_MAX_CERTIFICATES - 1; i++)
		drop(&more[i]);
}
END_TEST

/* --- who signs ------------------------------------------------------------------- */

enum key_form { PLAIN, SEALED, NONE, RUBBISH, TOKEN };

static const struct {
	const char	*name;
	struct terms	 terms;
	enum key_kind	 kind;		/* 0: P-256 */
	enum key_form	 form;
	const char	*passphrase;	/* the file's; NULL: there is none */
	bool		 other_key, chain_first, cut;
	/* What is said of it; NULL: it is fine. */
	const char	*text;
	enum seal_file	 fault;
} identities[] = {
	{ "as it should be", { "", "email:" MAILBOX, "digitalSignature",
	  "emailProtection", 0 }, .text = NULL },
	{ "neither usage is there", { "", "email:" MAILBOX, "", "", 0 }, .text = NULL },
	{ "for anything", { "", "email:" MAILBOX, "digitalSignature",
	  "anyExtendedKeyUsage", 0 }, .text = NULL },
	{ "several addresses", { "", "email:x@example.test,email:ca@EXAMPLE"
	  ".test", "", "", 0 }, .text = NULL },
	{ "RSA", { "", "email:" MAILBOX, "", "", 0 }, .kind = KEY_RSA },
	{ "P-521", { "", "email:" MAILBOX, "", "", 0 }, .kind = KEY_P521 },
	{ "encrypted", { "", "email:" MAILBOX, "", "", 0 }, .form = SEALED,
	  .passphrase = "secret" },
	{ "another address", { "", "email:cb@example.test", "", "", 0 },
	  .text = "no rfc822Name " MAILBOX },
	{ "another case before the @", { "", "email:CA@example.test", "", "",
	  0 }, .text = "no rfc822Name" },
	{ "no address", { "", "", "", "", 0 }, .text = "no rfc822Name" },
	{ "a host", { "", "DNS:example.test", "", "", 0 },
	  .text = "no rfc822Name" },
	{ "an SmtpUTF8Mailbox", { "", "otherName:1.3.6.1.5.5.7.8.9;UTF8:"
	  MAILBOX, "", "", 0 }, .text = "no rfc822Name" },
	{ "for servers", { "", "email:" MAILBOX, "digitalSignature",
	  "serverAuth", 0 }, .text = "no emailProtection" },
	{ "to encrypt alone", { "", "email:" MAILBOX, "keyEncipherment",
	  "emailProtection", 0 }, .text = "no digitalSignature" },
	{ "a CA", { "CA:TRUE", "email:" MAILBOX, "digitalSignature",
	  "emailProtection", 0 }, .text = "a CA's" },
	{ "the chain first", { "", "email:" MAILBOX, "", "", 0 },
	  .chain_first = true, .text = "own comes first" },
	{ "Ed25519", { "", "email:" MAILBOX, "", "", 0 },
	  .kind = KEY_ED25519, .text = "Ed25519" },
	{ "cut off", { "", "email:" MAILBOX, "", "", 0 }, .cut = true,
	  .text = "whole certificates" },
	{ "another key", { "", "email:" MAILBOX, "", "", 0 },
	  .other_key = true, .text = "not the key of the certificate",
	  .fault = SEAL_KEY },
	{ "no passphrase", { "", "email:" MAILBOX, "", "", 0 },
	  .form = SEALED, .text = "no passphrase was given",
	  .fault = SEAL_KEY },
	{ "another passphrase", { "", "email:" MAILBOX, "", "", 0 },
	  .form = SEALED, .passphrase = "wrong", .text = "does not open",
	  .fault = SEAL_PASSPHRASE },
	{ "a passphrase for nothing", { "", "email:" MAILBOX, "", "", 0 },
	  .passphrase = "secret", .text = "not encrypted",
	  .fault = SEAL_PASSPHRASE },
	{ "no key", { "", "email:" MAILBOX, "", "", 0 }, .form = NONE,
	  .text = "found nothing", .fault = SEAL_KEY },
	{ "rubbish", { "", "email:" MAILBOX, "", "", 0 }, .form = RUBBISH,
	  .text = "no usable private key", .fault = SEAL_KEY },
	{ "a token", { "", "email:" MAILBOX, "", "", 0 }, .form = TOKEN,
	  .text = "pkcs11", .fault = SEAL_KEY },
};

static void
put_key_in_form(EVP_PKEY *key, enum key_form form, struct buf *out)
{
	switch (form) {
	case PLAIN:
	case SEALED:
		put_key(key, form == SEALED ? "secret" : NULL, out);
		break;
	case NONE:
		break;
	case RUBBISH:
		buf_append_str(out, "-----BEGIN PRIVATE KEY-----\nAAAA\n"
		    "-----END PRIVATE KEY-----\n");
		break;
	case TOKEN:
		buf_append_str(out, "pkcs11:token=x;object=y\n");
		break;
	}
}

START_TEST(an_identity_fits_its_mailbox_its_key_and_its_use)
{
	EVP_PKEY *key = (int)identities[_i].kind == 0 ? NULL :
	    key_generate(identities[_i].kind, 2048, &err);
	struct maker own = make("mailbox", &users, &identities[_i].terms, key);
	OWNED(EVP_PKEY) *other = EVP_EC_gen("P-256");
	OWNED_STRUCT(seal_identity) *id = NULL;
	enum seal_file fault = SEAL_FILES;
	OWNED_BUF(pem, MAX);
	OWNED_BUF(pkcs8, MAX);
	OWNED_BUF(mail, MAX);
	OWNED_BUF(sealed, MAX);
	OWNED_BUF(content, MAX);
	struct signature s;
	int r;

	put_cert(identities[_i].chain_first ? users.cert : own.cert, &pem);
	put_cert(identities[_i].chain_first ? own.cert : users.cert, &pem);
	if (identities[_i].cut)
		pem.len -= 100;
	put_key_in_form(identities[_i].other_key ? other : own.key,
	    identities[_i].form, &pkcs8);
	r = seal_identity_read((struct bytes[SEAL_FILES]){ buf_bytes(&pem),
	    buf_bytes(&pkcs8), bytes_of(identities[_i].passphrase == NULL ?
	    "" : identities[_i].passphrase) }, MAILBOX, &id, &fault, &err);
	if (identities[_i].text != NULL) {
		ck_assert_int_eq(r, -1);
		ck_assert_msg(strstr(err.text, identities[_i].text) != NULL,
		    "%s: %s", identities[_i].name, err.text);
		ck_assert_msg(fault == identities[_i].fault, "%s: %s",
		    identities[_i].name, seal_file_key(fault));
	} else {
		ck_assert_msg(r == 0, "%s: %s", identities[_i].name,
		    err.text);
		compose(HELD, NULL, "en", &mail);
		seal(id, &mail, &sealed);
		s = look(buf_bytes(&sealed), &content);
		ck_assert_msg(s.good, "%s: %s", identities[_i].name, s.text);
	}
	drop(&own);
}
END_TEST

START_TEST(no_more_than_ten_certificates)
{
	struct maker more[SEAL_MAX_CERTIFICATES];
	struct seal_identity *id = NULL;
	enum seal_file fault;
	OWNED_BUF(pem, MAX);
	OWNED_BUF(pkcs8, MAX);

	put_cert(mailbox.cert, &pem);
	for (size_t i = 0; i < SEAL_MAX_CERTIFICATES; i++) {
		more[i] = make("ca", &root, &ca_terms, NULL);
		put_cert(more[i].cert, &pem);
		drop(&more[i]);
	}
	put_key(mailbox.key, NULL, &pkcs8);
	ck_assert_int_eq(seal_identity_read((struct bytes[SEAL_FILES]){
	    buf_bytes(&pem), buf_bytes(&pkcs8) }, MAILBOX, &id, &fault, &err),
	    -1);
	ck_assert_ptr_nonnull(strstr(err.text, "more than 10"));
}
END_TEST

/* Valid for a thousand days from NOON, both ends included; the last 30 days
 * are worth a word. */
static const struct {
	time_t		 now;
	bool		 valid;
	const char	*text;
} moments[] = {
	{ NOON - 1, false, "not valid before 2026-01-01" },
	{ NOON, true, "" },
	{ NOON + 970 * DAY, true, "" },
	{ NOON + 970 * DAY + 1, true, "ends on 2028-09-27: renew it" },
	{ NOON + 1000 * DAY, true, "ends on 2028-09-27" },
	{ NOON + 1000 * DAY + 1, false, "has expired on 2028-09-27" },
};

START_TEST(an_end_is_told_before_it_comes)
{
	char text[256] = "not set";

	ck_assert_int_eq(seal_identity_is_valid(identity, moments[_i].now,
	    text, sizeof(text)), moments[_i].valid);
	ck_assert_msg(moments[_i].text[0] == '\0' ? text[0] == '\0' :
	    strstr(text, moments[_i].text) != NULL, "%s", text);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("seal");
	TCase *t = tcase_create("mails");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_loop_test(t, a_mail_is_signed_and_keeps_its_header, 0,
	    2 * KINDS);
	tcase_add_test(t, the_signature_says_what_it_should);
	tcase_add_loop_test(t, what_gateways_alter_is_not_signed, 0,
	    ROWS(texts));
	tcase_add_loop_test(t, nothing_else_than_mails_of_ours_is_signed, 0,
	    ROWS(shapes));
	tcase_add_loop_test(t, a_line_has_998_octets_at_most_and_no_nul, 0,
	    ROWS(long_lines));
	tcase_add_test(t, what_is_signed_can_still_be_sent);
	tcase_add_loop_test(t,
	    an_identity_fits_its_mailbox_its_key_and_its_use, 0,
	    ROWS(identities));
	tcase_add_test(t, no_more_than_ten_certificates);
	tcase_add_loop_test(t, an_end_is_told_before_it_comes, 0,
	    ROWS(moments));
	suite_add_tcase(s, t);
	return fixture_run(s);
}
