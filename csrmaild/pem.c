#include "csrmaild/pem.h"

#include "common/err.h"
#include "common/key.h"
#include "common/owned.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include <limits.h>
#include <string.h>

#define BEGIN		"-----BEGIN "
#define END		"-----END "
#define DASHES		"-----"
#define MAX_KEY_OCTETS	(64u << 10)	/* of PEM text */
#define MIN_KEY_OCTETS	40	/* of base64, before talk about keys is taken
				 * for a key; Ed25519 has 64 */

static bool
is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct bytes
take_line(struct bytes *left)
{
	const uint8_t *lf = memchr(left->data, '\n', left->len);
	size_t n = lf == NULL ? left->len : (size_t)(lf - left->data) + 1;
	struct bytes line = bytes_slice(*left, 0, n);

	*left = bytes_slice(*left, n, left->len);
	return line;
}

/* Without what mail programs put before and behind. */
static struct bytes
strip(struct bytes line, bool *quoted)
{
	while (line.len > 0 && (is_blank(line.data[0]) ||
	    line.data[0] == '>')) {
		if (line.data[0] == '>')
			*quoted = true;
		line = bytes_slice(line, 1, line.len);
	}
	while (line.len > 0 && is_blank(line.data[line.len - 1]))
		line.len--;
	return line;
}

static bool
begins_with(struct bytes line, const char *text)
{
	size_t n = strlen(text);

	return line.len >= n && memcmp(line.data, text, n) == 0;
}

/* Is this line, stripped, BEGIN or END with some label? */
static bool
read_marker(struct bytes line, const char *marker, struct bytes *label)
{
	size_t before = strlen(marker), after = strlen(DASHES);

	if (!begins_with(line, marker) || line.len <= before + after ||
	    line.len > before + PEM_LABEL_MAX + after ||
	    memcmp(line.data + line.len - after, DASHES, after) != 0)
		return false;
	*label = bytes_slice(line, before, line.len - before - after);
	return memchr(label->data, '\0', label->len) == NULL;
}

/* Everything up to the END line of that label. A new BEGIN ends it too, so
 * that one broken block does not swallow the next. */
static void
take_body(struct bytes *left, struct pem_block *block)
{
	const uint8_t *start = left->data;

	while (left->len > 0) {
		struct bytes before = *left, label;
		bool quoted = false;
		struct bytes line = strip(take_line(left), &quoted);

		if (line.len == 0 || line.data[0] != '-')
			continue;
		if (read_marker(line, BEGIN, &label)) {
			*left = before;
		} else if (read_marker(line, END, &label)) {
			block->ended = bytes_equal(label,
			    bytes_of(block->label));
		} else {
			continue;
		}
		block->body.len = (size_t)(before.data - start);
		return;
	}
	block->body.len = 0;	/* no end at all: nothing to trust */
}

bool
pem_next(struct bytes *left, struct pem_block *block)
{
	while (left->len > 0) {
		bool quoted = false;
		struct bytes line = strip(take_line(left), &quoted), label;

		if (!read_marker(line, BEGIN, &label))
			continue;
		*block = (struct pem_block){ .quoted = quoted };
		memcpy(block->label, label.data, label.len);
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
		struct bytes line = strip(take_line(&left), &quoted);

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

		buf_append_bytes(&plain, strip(take_line(&text), &quoted));
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

void
pem_find_leak(struct bytes text, struct pem_leak *leak)
{
	static const char tail[] = "PRIVATE KEY" DASHES;

	for (;;) {
		size_t at = bytes_find(text, bytes_of(BEGIN));
		struct bytes label;
		size_t end;

		if (at == (size_t)-1)
			return;
		text = bytes_slice(text, at, text.len);
		label = bytes_slice(text, 0, sizeof(BEGIN) - 1 +
		    PEM_LABEL_MAX + sizeof(DASHES) - 1);
		end = bytes_find(label, bytes_of(tail));
		if (end != (size_t)-1 && has_key_octets(bytes_slice(text,
		    end + sizeof(tail) - 1, text.len))) {
			leak->found = true;
			if (!leak->has_public)
				read_key(text, leak);
		}
		text = bytes_slice(text, sizeof(BEGIN) - 1, text.len);
	}
}

void
pem_find_der_leak(struct bytes der, struct pem_leak *leak)
{
	const unsigned char *p = der.data;
	OWNED(EVP_PKEY) *key = NULL;

	if (der.len == 0 || der.len > MAX_KEY_OCTETS || der.data[0] != 0x30)
		return;
	key = d2i_AutoPrivateKey(NULL, &p, (long)der.len);
	ERR_clear_error();
	if (key == NULL)
		return;
	leak->found = true;
	if (!leak->has_public)
		name_public_half(key, leak);
}
