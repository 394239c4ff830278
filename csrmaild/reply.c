#include "csrmaild/reply.h"
#include "csrmaild/reply_private.h"
#include "csrmaild/reply_text.h"
#include "common/err.h"
#include "common/owned.h"
#include "common/serial.h"
#include "csrmaild/certs_only.h"
#include "csrmaild/drop_name.h"
#include "csrmaild/hint.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define MAX_NAMES	1000		/* characters of names we repeat */
#define MAX_REASON	300
#define MAX_PARTS_SHOWN	100
#define MAX_PART		200
#define MAX_REFERENCES	2000

/* --- header -------------------------------------------------------------- */

/* RFC 5322, 3.2.3: what a mailbox is made of without quoting. */
static bool
is_mailbox(const char *s)
{
	const char *at = strchr(s, '@');

	if (at == NULL || at == s || at[1] == '\0' || strlen(s) > 254 ||
	    strchr(at + 1, '@') != NULL)
		return false;
	for (; *s != '\0'; s++)
		if (!isalnum((unsigned char)*s) &&
		    strchr("!#$%&'*+-/=?^_`{|}~.@", *s) == NULL)
			return false;
	return true;
}

/* What stands between < and >: printable, and nothing that ends it. */
static bool
is_id(struct bytes id)
{
	for (size_t i = 0; i < id.len; i++)
		if (id.data[i] <= 0x20 || id.data[i] >= 0x7f ||
		    id.data[i] == '<' || id.data[i] == '>')
			return false;
	return id.len > 0 && id.len <= 250;
}

/* The parent's References and its Message-ID (RFC 5322, 3.6.4), one a line. */
static int
put_references(const struct reply_head *head, struct buf *out,
    struct err *err)
{
	struct bytes left = bytes_of(head->references);
	struct bytes parent = bytes_of(head->in_reply_to), last = { 0 };
	OWNED_BUF(ids, MAX_REFERENCES);

	while (left.len > 0) {
		size_t end = bytes_find(left, bytes_of(">"));
		struct bytes id;

		if (left.data[0] == ' ') {
			left = bytes_slice(left, 1, left.len);
			continue;
		}
		id = bytes_slice(left, 1, end == (size_t)-1 ? 0 : end - 1);
		if (left.data[0] != '<' || !is_id(id))
			return err_set(err, ERR_FAULT,
			    "a reply refers to what is no Message-ID");
		buf_append_str(&ids, ids.len == 0 ? " <" : "\r\n <");
		buf_append_bytes(&ids, id);
		buf_append_str(&ids, ">");
		last = id;
		left = bytes_slice(left, end + 1, left.len);
	}
	if (parent.len > 0 && !bytes_equal(parent, last)) {
		buf_append_str(&ids, ids.len == 0 ? " <" : "\r\n <");
		buf_append_bytes(&ids, parent);
		buf_append_str(&ids, ">");
	}
	if (ids.failed)
		return err_set(err, ERR_FAULT, "a reply refers to too much");
	if (ids.len > 0)
		buf_printf(out, "References:%s\r\n", buf_str(&ids));
	return 0;
}

/* RFC 5322, 3.3, whatever the locale. */
static int
put_date(time_t date, struct buf *out, struct err *err)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct tm tm;

	if (gmtime_r(&date, &tm) == NULL || tm.tm_year < 0 ||
	    tm.tm_year > 8099)
		return err_set(err, ERR_FAULT, "a reply without a date");
	buf_printf(out, "Date: %.3s, %d %.3s %d %02d:%02d:%02d +0000\r\n",
	    days + 3 * tm.tm_wday, tm.tm_mday, months + 3 * tm.tm_mon,
	    tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
	return 0;
}

/* Everything up to the content fields. */
int
reply_put_head(const struct reply_head *head, struct buf *out, struct err *err)
{
	if (!is_mailbox(head->from) || !is_mailbox(head->to))
		return err_set(err, ERR_FAULT,
		    "a reply from or to what is no mailbox");
	if (!is_id(bytes_of(head->message_id)) ||
	    (head->in_reply_to[0] != '\0' &&
	    !is_id(bytes_of(head->in_reply_to))))
		return err_set(err, ERR_FAULT,
		    "a reply with what is no Message-ID");
	buf_printf(out, "From: %s\r\nTo: %s\r\nSubject: ", head->from,
	    head->to);
	if (head->own_subject != NULL)
		buf_append_str(out, head->own_subject);
	else
		text_subject(head->subject, out);
	buf_append_str(out, "\r\n");
	if (put_date(head->date, out, err) == -1)
		return -1;
	buf_printf(out, "Message-ID: <%s>\r\n", head->message_id);
	if (head->in_reply_to[0] != '\0')
		buf_printf(out, "In-Reply-To: <%s>\r\n", head->in_reply_to);
	if (put_references(head, out, err) == -1)
		return -1;
	/* RFC 3834, 3.1.7 and 5: no robot answers this. */
	buf_printf(out, "Auto-Submitted: %s\r\n"
	    "MIME-Version: 1.0\r\n", head->own_subject == NULL ?
	    "auto-replied" : "auto-generated");
	/* Exchange looks at nothing else before it answers for somebody who is
	 * away; such an answer has the Subject, and so would confirm. */
	if (head->own_subject != NULL)
		buf_append_str(out, "X-Auto-Response-Suppress: All\r\n");
	return 0;
}

/* Text as a MIME entity: its fields, an empty line, the body; 7 bit. */
void
reply_put_text(const struct buf *text, struct buf *out)
{
	bool travels = text_travels(buf_bytes(text));

	buf_printf(out, "Content-Type: text/plain; charset=utf-8\r\n"
	    "Content-Transfer-Encoding: %s\r\n\r\n",
	    travels ? "7bit" : "quoted-printable");
	if (travels)
		buf_append_bytes(out, buf_bytes(text));
	else
		text_quoted_printable(buf_bytes(text), out);
	out->failed |= text->failed;
}

int
reply_finish(const struct buf *mail, struct buf *out, struct err *err)
{
	if (mail->failed || buf_append_bytes(out, buf_bytes(mail)) == -1)
		return err_set(err, ERR_FAULT, "a reply became too long");
	return 0;
}

int
reply_put_words(const struct reply_head *head, enum wording which,
    const struct wording_value *values, struct buf *out, struct err *err)
{
	OWNED_BUF(text, REPLY_MAX_TEXT);
	OWNED_BUF(mail, out->max);

	if (reply_is_files(head)) {
		reply_say(head, which, values, &text);
		return reply_finish_text(&text, out, err);
	}
	if (reply_put_head(head, &mail, err) == -1)
		return -1;
	reply_say(head, which, values, &text);
	reply_say(head, WORDING_FOOTER, NULL, &text);
	reply_put_text(&text, &mail);
	return reply_finish(&mail, out, err);
}

/* --- what is said -------------------------------------------------------- */

void
reply_say(const struct reply_head *head, enum wording which,
    const struct wording_value *values, struct buf *text)
{
	wording_put(head->wordings, head->language == NULL ? "en" :
	    head->language, which, values, text);
}

#define TIME_SIZE	80

static int
describe_time(const ASN1_TIME *time, char out[TIME_SIZE], struct err *err)
{
	struct tm tm;

	if (ASN1_TIME_to_tm(time, &tm) != 1)
		return err_openssl(err, ERR_FAULT, "reading a validity");
	snprintf(out, TIME_SIZE, "%04d-%02d-%02d %02d:%02d:%02d UTC",
	    tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
	    tm.tm_min, tm.tm_sec);
	return 0;
}

#define FINGERPRINT_SIZE	100

/* 32 octets in two words of sixteen, a line each. */
static int
describe_fingerprint(const X509 *cert, char out[FINGERPRINT_SIZE],
    struct err *err)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned int n;
	size_t at = 0;

	if (X509_digest(cert, EVP_sha256(), digest, &n) != 1)
		return err_openssl(err, ERR_FAULT, "a fingerprint");
	for (unsigned int i = 0; i < n && at + 5 < FINGERPRINT_SIZE; i++)
		at += (size_t)snprintf(out + at, FINGERPRINT_SIZE - at,
		    "%02X%s%s", digest[i], i + 1 < n ? ":" : "",
		    i + 1 < n && i % 16 == 15 ? " " : "");
	return 0;
}

int
reply_put_pem(X509 *cert, struct buf *out, struct err *err)
{
	OWNED_HEAP(unsigned char) *der = NULL;
	OWNED_BUF(pem, REPLY_MAX_PEM);
	int n = i2d_X509(cert, &der);

	if (n <= 0)
		return err_openssl(err, ERR_FAULT, "encoding a certificate");
	buf_append_str(&pem, "-----BEGIN CERTIFICATE-----\r\n");
	base64_encode((struct bytes){ der, (size_t)n }, 64, &pem);
	buf_append_str(&pem, "\r\n-----END CERTIFICATE-----\r\n");
	out->failed |= pem.failed;
	buf_append_bytes(out, buf_bytes(&pem));
	return 0;
}

/* The two attachments of an issued item. With several in one mail the
 * request's number tells them apart; nothing else goes into a file name. */
struct files {
	char		pem[WIRE_MAX_FILE + 32], p7c[WIRE_MAX_FILE + 32];
};

/* Beside each other in a folder, they are called after what they answer. */
static struct files
files_in_folder(const char *file, const struct reply_item *item, bool several)
{
	char stem[WIRE_MAX_FILE + 1], number[24] = "";
	struct files f;

	drop_stem(file, stem);
	if (several)
		snprintf(number, sizeof(number), ".%lld",
		    (long long)item->request);
	snprintf(f.pem, sizeof(f.pem), "%s%s.pem", stem, number);
	snprintf(f.p7c, sizeof(f.p7c), "%s%s.p7c", stem, number);
	return f;
}

static struct files
files_of(const struct reply_head *head, const struct reply_item *item,
    bool several)
{
	struct files f = { "certificate.pem", "chain.p7c" };

	if (reply_is_files(head))
		return files_in_folder(head->file, item, several);
	if (several) {
		snprintf(f.pem, sizeof(f.pem), "certificate-%lld.pem",
		    (long long)item->request);
		snprintf(f.p7c, sizeof(f.p7c), "chain-%lld.p7c",
		    (long long)item->request);
	}
	return f;
}

static int
say_issued(const struct reply_head *head, const struct reply_item *item,
    const struct files *files, struct buf *text, struct err *err)
{
	char number[24], hex[SERIAL_HEX_SIZE], from[TIME_SIZE], until[TIME_SIZE],
	    fingerprint[FINGERPRINT_SIZE];
	const struct wording_value values[] = {
		{ "request", number, MAX_NAMES, NULL, 0 },
		{ "names", item->names_text, MAX_NAMES, NULL, 0 },
		{ "serial", hex, MAX_NAMES, NULL, 0 },
		{ "renews", item->renews, MAX_NAMES, NULL, 0 },
		{ "not_before", from, MAX_NAMES, NULL, 0 },
		{ "not_after", until, MAX_NAMES, NULL, 0 },
		{ "fingerprint", fingerprint, MAX_NAMES, NULL, 0 },
		{ "pem", files->pem, MAX_NAMES, NULL, 0 },
		{ "p7c", files->p7c, MAX_NAMES, NULL, 0 },
		{ "ignored", item->ignored, MAX_REASON, NULL, 0 },
		{ 0 }
	};
	struct serial serial;

	if (item->cert == NULL)
		return err_set(err, ERR_FAULT,
		    "a reply without its certificate");
	if (serial_from_asn1(X509_get0_serialNumber(item->cert), &serial,
	    err) == -1 || describe_time(X509_get0_notBefore(item->cert), from,
	    err) == -1 || describe_time(X509_get0_notAfter(item->cert), until,
	    err) == -1 || describe_fingerprint(item->cert, fingerprint,
	    err) == -1)
		return -1;
	serial_to_hex(&serial, hex);
	snprintf(number, sizeof(number), "%lld", (long long)item->request);
	reply_say(head, WORDING_ISSUED, values, text);
	return 0;
}

static void
say_refused(const struct reply_head *head, const struct reply_item *item,
    struct buf *text)
{
	char number[24];
	const struct wording_value values[] = {
		{ "request", number, MAX_NAMES, NULL, 0 },
		{ "names", item->names_text, MAX_NAMES, NULL, 0 },
		{ "reason", item->reason, MAX_REASON, NULL, 0 },
		{ 0 }
	};

	snprintf(number, sizeof(number), "%lld", (long long)item->request);
	reply_say(head, item->fate == REPLY_HELD ? WORDING_HELD :
	    WORDING_REJECTED, values, text);
}

/* Files of the first issued item serve as the example. */
static void
say_how(const struct reply_head *head, const struct reply_item *item,
    const struct files *files, struct buf *text)
{
	const struct wording_value values[] = {
		{ "pem", files->pem, MAX_NAMES, NULL, 0 },
		{ "p7c", files->p7c, MAX_NAMES, NULL, 0 },
		{ "ocsp", item->ocsp_url, MAX_REASON, NULL, 0 },
		{ "crl", item->crl_url, MAX_REASON, NULL, 0 },
		{ 0 }
	};

	reply_say(head, WORDING_INSTALL, values, text);
}

/* --- attachments --------------------------------------------------------- */

int
reply_put_chain(const struct reply_item *item, struct buf *out,
    struct err *err)
{
	X509 *certs[1 + REPLY_MAX_CHAIN] = { item->cert };

	if (item->n_chain > REPLY_MAX_CHAIN)
		return err_set(err, ERR_FAULT, "a chain of more than %d",
		    REPLY_MAX_CHAIN);
	for (size_t i = 0; i < item->n_chain; i++)
		certs[1 + i] = item->chain[i];
	return certs_only_write(certs, 1 + item->n_chain, out, err);
}

static int
put_files(const struct reply_item *item, const struct files *files,
    const char *boundary, struct buf *out, struct err *err)
{
	OWNED_BUF(p7c, (1 + REPLY_MAX_CHAIN) * REPLY_MAX_PEM);

	if (reply_put_chain(item, &p7c, err) == -1)
		return -1;
	buf_printf(out, "\r\n--%s\r\n"
	    "Content-Type: application/x-pem-file; name=\"%s\"\r\n"
	    "Content-Transfer-Encoding: 7bit\r\n"
	    "Content-Disposition: attachment; filename=\"%s\"\r\n\r\n",
	    boundary, files->pem, files->pem);
	if (reply_put_pem(item->cert, out, err) == -1)
		return -1;
	buf_printf(out, "\r\n--%s\r\n"
	    "Content-Type: application/pkcs7-mime; smime-type=certs-only;\r\n"
	    " name=\"%s\"\r\n"
	    "Content-Transfer-Encoding: base64\r\n"
	    "Content-Disposition: attachment; filename=\"%s\"\r\n\r\n",
	    boundary, files->p7c, files->p7c);
	base64_encode(buf_bytes(&p7c), 76, out);
	buf_append_str(out, "\r\n");
	return 0;
}

/* From the Message-ID. "=_" is in no base64 or quoted-printable line, and
 * every stranger's line of the text is indented. */
static int
make_boundary(const char *message_id, char out[40], struct err *err)
{
	uint8_t digest[32];

	if (EVP_Digest(message_id, strlen(message_id), digest, NULL,
	    EVP_sha256(), NULL) != 1)
		return err_openssl(err, ERR_RETRY, "making a boundary");
	memcpy(out, "=_", 3);
	hex_encode((struct bytes){ digest, 16 }, out + 2);
	return 0;
}

/* --- whole mails --------------------------------------------------------- */

static int
put_item_text(const struct reply_head *head, const struct reply_item *item,
    bool several, struct buf *text, struct err *err)
{
	struct files files = files_of(head, item, several);

	switch (item->fate) {
	case REPLY_ISSUED:
		return say_issued(head, item, &files, text, err);
	case REPLY_HELD:
	case REPLY_REJECTED:
		say_refused(head, item, text);
		return 0;
	}
	return err_set(err, ERR_FAULT, "a reply about nothing");
}

int
reply_put_items(const struct reply_head *head, const struct reply_item *items,
    size_t n, size_t n_issued, const struct reply_wish *wishes,
    size_t n_wishes, struct buf *text, struct err *err)
{
	const struct reply_item *first = NULL;
	struct files files;

	for (size_t i = 0; i < n; i++) {
		if (put_item_text(head, &items[i], n_issued > 1, text,
		    err) == -1)
			return -1;
		if (first == NULL && items[i].fate == REPLY_ISSUED)
			first = &items[i];
	}
	reply_say_wishes(head, wishes, n_wishes, text);
	if (first != NULL) {
		files = files_of(head, first, n_issued > 1);
		say_how(head, first, &files, text);
	}
	return 0;
}

static int
put_all_text(const struct reply_head *head, const struct reply_item *items,
    size_t n, size_t n_issued, const struct reply_wish *wishes,
    size_t n_wishes, struct buf *text, struct err *err)
{
	if (reply_put_items(head, items, n, n_issued, wishes, n_wishes, text,
	    err) == -1)
		return -1;
	reply_say(head, WORDING_FOOTER, NULL, text);
	/* For those whose mail gateway takes attachments away. */
	for (size_t i = 0; i < n; i++) {
		if (items[i].fate != REPLY_ISSUED)
			continue;
		buf_append_str(text, "\r\n");
		if (reply_put_pem(items[i].cert, text, err) == -1)
			return -1;
	}
	return 0;
}

int
reply_compose(const struct reply_head *head, const struct reply_item *items,
    size_t n, const struct reply_wish *wishes, size_t n_wishes,
    struct buf *out, struct err *err)
{
	size_t n_issued = 0;

	for (size_t i = 0; i < n; i++)
		n_issued += items[i].fate == REPLY_ISSUED;
	OWNED_BUF(text, REPLY_MAX_TEXT + n_issued * REPLY_MAX_PEM);
	OWNED_BUF(mail, out->max);
	char boundary[40];

	if (n + n_wishes == 0)
		return err_set(err, ERR_FAULT, "a reply about nothing");
	if (reply_is_files(head))
		return reply_compose_files(head, items, n, n_issued, wishes,
		    n_wishes, out, err);
	if (reply_put_head(head, &mail, err) == -1 ||
	    make_boundary(head->message_id, boundary, err) == -1 ||
	    put_all_text(head, items, n, n_issued, wishes, n_wishes, &text,
	    err) == -1)
		return -1;
	buf_printf(&mail, "Content-Type: multipart/mixed;\r\n"
	    " boundary=\"%s\"\r\n\r\n--%s\r\n", boundary, boundary);
	reply_put_text(&text, &mail);
	for (size_t i = 0; i < n; i++) {
		struct files files = files_of(head, &items[i], n_issued > 1);

		if (items[i].fate == REPLY_ISSUED && put_files(&items[i],
		    &files, boundary, &mail, err) == -1)
			return -1;
	}
	buf_printf(&mail, "\r\n--%s--\r\n", boundary);
	return reply_finish(&mail, out, err);
}

static size_t
list_hints(const struct reply_head *head, uint32_t hints,
    const char *out[HINT_END])
{
	size_t n = 0;

	for (int hint = 0; hint < HINT_END; hint++)
		if ((hints & HINT_BIT(hint)) != 0)
			out[n++] = hint_text((enum hint)hint, head->language);
	return n;
}

int
reply_compose_nothing(const struct reply_head *head, const char *why,
    const char *const *parts, size_t n_parts, uint32_t hints, struct buf *out,
    struct err *err)
{
	const char *what_to_do[HINT_END];
	size_t n_hints = list_hints(head, hints, what_to_do);
	const struct wording_value values[] = {
		{ "reason", why, MAX_REASON, NULL, 0 },
		{ "parts", NULL, MAX_PART, parts == NULL ? &why : parts,
		  n_parts < MAX_PARTS_SHOWN ? n_parts : MAX_PARTS_SHOWN },
		{ "hints", NULL, MAX_REASON, what_to_do, n_hints },
		{ 0 }
	};

	return reply_put_words(head, WORDING_NOTHING, values, out, err);
}

int
reply_compose_revocation(const struct reply_head *head,
    const struct reply_revocation *m, struct buf *out, struct err *err)
{
	static const enum wording words[] = {
		[REPLY_REVOKED] = WORDING_REVOKED,
		[REPLY_ON_HOLD] = WORDING_ON_HOLD,
		[REPLY_GOOD_AGAIN] = WORDING_GOOD_AGAIN,
	};
	char number[24];
	const struct wording_value values[] = {
		{ "request", number, MAX_NAMES, NULL, 0 },
		{ "serial", m->serial, MAX_REASON, NULL, 0 },
		{ "names", m->names_text, MAX_NAMES, NULL, 0 },
		{ "reason", m->reason, MAX_REASON, NULL, 0 },
		{ 0 }
	};

	snprintf(number, sizeof(number), "%lld", (long long)m->request);
	return reply_put_words(head, words[m->what], values, out, err);
}
