#include "csrmaild/pem.h"

#include "common/err.h"
#include "common/key.h"
#include "common/owned.h"
#include "csrmaild/text_line.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include <limits.h>
#include <string.h>

#define BEGIN		"-----BEGIN "
#define END		"-----END "
#define DASHES		"-----"
#define MAX_KEY_OCTETS	(64u << 10)	/* of PEM text */
#define MAX_READ	8	/* keys that are tried, each in many octets */
#define MIN_KEY_OCTETS	40	/* of base64, before talk about keys is taken
				 * for a key; Ed25519 has 64 */

/* "-----BEGIN SOME LABEL-----" at the front of view: its label, and the octets
 * of all of it; 0 when it is none. */
static size_t
read_marker(struct bytes view, const char *marker, struct bytes *label)
{
	size_t before = strlen(marker), n = 0;

	if (view.len < before || memcmp(view.data, marker, before) != 0)
		return 0;
	view = bytes_slice(view, before, view.len);
	while (n < view.len && n <= PEM_LABEL_MAX && view.data[n] != '-' &&
	    view.data[n] >= ' ')
		n++;
	if (n == 0 || n > PEM_LABEL_MAX || view.len < n + strlen(DASHES) ||
	    memcmp(view.data + n, DASHES, strlen(DASHES)) != 0)
		return 0;
	*label = bytes_slice(view, 0, n);
	return before + n + strlen(DASHES);
}

/* The first marker in a text, BEGIN or END, wherever it stands in its line. */
static const uint8_t *
find_marker(struct bytes text, bool *is_end, struct bytes *label, size_t *n)
{
	size_t at;

	while ((at = bytes_find(text, bytes_of(DASHES))) != (size_t)-1) {
		text = bytes_slice(text, at, text.len);
		*n = read_marker(text, END, label);
		*is_end = *n > 0;
		if (*n == 0)
			*n = read_marker(text, BEGIN, label);
		if (*n > 0)
			return text.data;
		text = bytes_slice(text, 1, text.len);
	}
	return NULL;
}

/* Everything up to the END of that label. A new BEGIN ends it too, so that one
 * broken block does not swallow the next. */
static void
take_body(struct bytes *left, struct pem_block *block)
{
	struct bytes label;
	bool is_end = false;
	size_t n = 0, body;
	const uint8_t *at = find_marker(*left, &is_end, &label, &n);

	if (at == NULL) {	/* no end at all: nothing to trust */
		*left = bytes_slice(*left, left->len, 0);
		return;
	}
	body = (size_t)(at - left->data);
	block->body.len = body;
	block->ended = is_end && bytes_equal(label, bytes_of(block->label));
	*left = bytes_slice(*left, body + (is_end ? n : 0), left->len);
}

/* What was looked at is never looked at again, also when all is one line. */
bool
pem_next(struct bytes *left, struct pem_block *block)
{
	while (left->len > 0) {
		bool quoted = false;
		struct bytes label, text = text_line_front(*left, &quoted);
		size_t n = read_marker(text, BEGIN, &label);

		if (n == 0) {
			text_line_take(left);
			continue;
		}
		*block = (struct pem_block){ .quoted = quoted };
		memcpy(block->label, label.data, label.len);
		*left = bytes_slice(text, n, text.len);
		block->body.data = left->data;
		take_body(left, block);
		return true;
	}
	return false;
}

bool
pem_is_csr(const struct pem_block *block)
{
	return strcmp(block->label, "CERTIFICATE REQUEST") == 0 ||
	    strcmp(block->label, "NEW CERTIFICATE REQUEST") == 0;
}

int
pem_decode(const struct pem_block *block, struct buf *out, struct err *err)
{
	struct bytes left = block->body;
	OWNED_BUF(text, left.len);
	bool quoted = false;

	if (!block->ended)
		return err_set(err, ERR_REJECT,
		    "the PEM text has no line -----END %s-----",
		    block->label);
	while (left.len > 0) {
		struct bytes line = text_line_strip(text_line_take(&left),
		    &quoted);

		if (line.len > 0 && memchr(line.data, ':', line.len) != NULL)
			return err_set(err, ERR_REJECT, "the PEM text has "
			    "header lines, which a request must not have");
		buf_append_bytes(&text, line);
	}
	if (text.failed)
		return err_set(err, ERR_FAULT, "out of memory");
	if (base64_decode(buf_bytes(&text), out) == -1 || out->len == 0)
		return err_set(err, ERR_REJECT, "the PEM text between BEGIN "
		    "and END is not whole base64; was it cut or changed on "
		    "its way?");
	return 0;
}

/* --- private keys -------------------------------------------------------- */

static void
name_public_half(EVP_PKEY *key, struct pem_leak *leak)
{
	unsigned char *spki = NULL;
	int n = i2d_PUBKEY(key, &spki);
	struct err ignored;

	leak->has_public = n > 0 && key_digest_spki(
	    (struct bytes){ spki, (size_t)n }, leak->spki_sha256,
	    &ignored) == 0;
	OPENSSL_free(spki);
}

/* Encrypted keys stay closed: we have no passphrase and ask for none. */
static int
no_passphrase(char *out, int size, int writing, void *arg)
{
	(void)out, (void)size, (void)writing, (void)arg;
	return -1;
}

/* text begins with BEGIN; what follows the END line does not disturb. */
static void
read_key(struct bytes text, struct pem_leak *leak)
{
	OWNED(EVP_PKEY) *key = NULL;
	OWNED(BIO) *bio = NULL;
	OWNED_BUF(plain, MAX_KEY_OCTETS);

	text = bytes_slice(text, 0, MAX_KEY_OCTETS / 2);
	while (text.len > 0) {
		bool quoted = false;

		buf_append_bytes(&plain, text_line_strip(text_line_take(&text),
		    &quoted));
		buf_append_str(&plain, "\n");
	}
	bio = BIO_new_mem_buf(buf_str(&plain), (int)plain.len);
	if (bio != NULL)
		key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
	if (key != NULL)
		name_public_half(key, leak);
	ERR_clear_error();
	buf_wipe(&plain);
}

/* Is there base64 behind the BEGIN marker, and not just talk about keys? */
static bool
has_key_octets(struct bytes text)
{
	size_t n = 0, end;

	text = bytes_slice(text, 0, 512);
	end = bytes_find(text, bytes_of(DASHES));
	text = bytes_slice(text, 0, end);	/* not another block's */
	for (size_t i = 0; i < text.len && n < MIN_KEY_OCTETS; i++) {
		uint8_t c = text.data[i];

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    (c >= '0' && c <= '9') || c == '+' || c == '/')
			n++;
		else if (c != '\r' && c != '\n' && c != '=')
			n = 0;	/* words, tags, header fields */
	}
	return n >= MIN_KEY_OCTETS;
}

/* "PRIVATE KEY-----" or OpenPGP's "PRIVATE KEY BLOCK-----" in the label that
 * text begins with: where it ends, or 0. */
static size_t
private_label_end(struct bytes text)
{
	static const char *const tails[] = { "PRIVATE KEY" DASHES,
		"PRIVATE KEY BLOCK" DASHES };
	struct bytes label = bytes_slice(text, 0, sizeof(BEGIN) - 1 +
	    PEM_LABEL_MAX + sizeof(DASHES) - 1);

	for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
		size_t at = bytes_find(label, bytes_of(tails[i]));

		if (at != (size_t)-1)
			return at + strlen(tails[i]);
	}
	return 0;
}

void
pem_find_leak(struct bytes text, struct pem_leak *leak)
{
	/* PuTTY's own form; base64 stands below the number of its lines. */
	static const char putty[] = "Private-Lines: ";
	size_t at = bytes_find(text, bytes_of(putty));

	if (at != (size_t)-1 && has_key_octets(bytes_slice(text, at +
	    sizeof(putty) - 1, text.len)))
		leak->found = true;
	while ((at = bytes_find(text, bytes_of(BEGIN))) != (size_t)-1) {
		size_t end;

		text = bytes_slice(text, at, text.len);
		end = private_label_end(text);
		if (end > 0 && has_key_octets(bytes_slice(text, end,
		    text.len))) {
			leak->found = true;
			if (!leak->has_public && leak->n_read++ < MAX_READ)
				read_key(text, leak);
		}
		text = bytes_slice(text, sizeof(BEGIN) - 1, text.len);
	}
}

/* PFX ::= SEQUENCE { version INTEGER (3) ... with keyBag or
 * pkcs8ShroudedKeyBag, which programs leave outside of what they encrypt (RFC
 * 7292, 4 and 4.2). Windows writes it in BER. */
static bool
has_key_bag(struct bytes der)
{
	static const uint8_t version[] = { 0x02, 0x01, 0x03 };
	static const uint8_t bag[] = { 0x06, 0x0b, 0x2a, 0x86, 0x48, 0x86,
		0xf7, 0x0d, 0x01, 0x0c, 0x0a, 0x01 };
	struct bytes needle = { bag, sizeof(bag) };
	size_t at = 2;

	if (der.len > at && der.data[1] > 0x80)
		at += der.data[1] & 0x7f;
	if (!bytes_equal(bytes_slice(der, at, sizeof(version)),
	    (struct bytes){ version, sizeof(version) }))
		return false;
	while ((at = bytes_find(der, needle)) != (size_t)-1) {
		der = bytes_slice(der, at + sizeof(bag), der.len);
		if (der.len > 0 && (der.data[0] == 1 || der.data[0] == 2))
			return true;
	}
	return false;
}

void
pem_find_der_leak(struct bytes der, struct pem_leak *leak)
{
	const unsigned char *p = der.data;
	OWNED(EVP_PKEY) *key = NULL;

	if (der.len == 0 || der.len > MAX_KEY_OCTETS || der.data[0] != 0x30)
		return;
	if (has_key_bag(der)) {
		leak->found = true;
		return;
	}
	key = d2i_AutoPrivateKey(NULL, &p, (long)der.len);
	ERR_clear_error();
	if (key == NULL)
		return;
	leak->found = true;
	if (!leak->has_public)
		name_public_half(key, leak);
}
