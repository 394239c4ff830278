#include "csrmaild/confirm_code.h"
#include "csrmaild/encoded_word.h"

#include "common/bytes.h"
#include "common/owned.h"

#include <openssl/evp.h>

#include <ctype.h>
#include <string.h>

#define MAX_SUBJECT	4096	/* octets of it that are looked at */

int
confirm_code_digest(const char *hex, uint8_t out[32])
{
	return EVP_Digest(hex, strlen(hex), out, NULL, EVP_sha256(), NULL) == 1
	    ? 0 : -1;
}

/* What counts is ASCII in all charsets that mail has. */
static void
decode_words(struct bytes in, struct buf *out)
{
	struct bytes charset;

	while (in.len > 0)
		if (!encoded_word_take(&in, &charset, out)) {
			buf_append(out, in.data, 1);
			in = bytes_slice(in, 1, in.len);
		}
}

/* Clients fold, and some put blanks in: what stands there without white
 * space, in lower case. */
static size_t
squeeze(struct bytes in, char *out, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < in.len && n + 1 < size; i++)
		if (!isspace(in.data[i]) && in.data[i] != '\0')
			out[n++] = (char)tolower(in.data[i]);
	out[n] = '\0';
	return n;
}

bool
confirm_code_find(struct bytes subject, uint8_t out[32])
{
	static const char word[] = "[" CONFIRM_WORD;
	char text[2048], token[2 * CONFIRM_OCTETS + 1];
	const char *at = text;
	OWNED_BUF(decoded, MAX_SUBJECT);

	decode_words(subject, &decoded);
	squeeze(buf_bytes(&decoded), text, sizeof(text));
	while ((at = strstr(at, word)) != NULL) {
		at += strlen(word);
		if (strspn(at, "0123456789abcdef") == 2 * CONFIRM_OCTETS &&
		    at[2 * CONFIRM_OCTETS] == ']') {
			memcpy(token, at, 2 * CONFIRM_OCTETS);
			token[2 * CONFIRM_OCTETS] = '\0';
			return confirm_code_digest(token, out) == 0;
		}
	}
	return false;
}

void
confirm_code_hide(char *text)
{
	static const char word[] = "[" CONFIRM_WORD;

	while ((text = strstr(text, word)) != NULL) {
		text += strlen(word);
		memset(text, '*', strspn(text, "0123456789abcdef"));
	}
}
