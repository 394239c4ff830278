#include "csrmaild/confirm_code.h"

#include "common/bytes.h"

#include <openssl/evp.h>

#include <ctype.h>
#include <string.h>

int
confirm_code_digest(const char *hex, uint8_t out[32])
{
	return EVP_Digest(hex, strlen(hex), out, NULL, EVP_sha256(), NULL) == 1
	    ? 0 : -1;
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

	squeeze(subject, text, sizeof(text));
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
