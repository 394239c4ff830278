#include "csrmaild/encoded_word.h"

#include "common/bytes.h"
#include "common/owned.h"

#include <string.h>

#define MAX_WORD	256	/* RFC 2047, 2 allows 75, people write more */

/* "Q", RFC 2047, 4.2. */
static void
q_decode(struct bytes in, struct buf *out)
{
	for (size_t i = 0; i < in.len; i++) {
		uint8_t c = in.data[i] == '_' ? ' ' : in.data[i];

		if (c == '=' && i + 2 < in.len) {
			char two[3] = { (char)in.data[i + 1],
				(char)in.data[i + 2], '\0' };

			if (hex_decode(two, &c, 1) == 1)
				i += 2;
		}
		buf_append(out, &c, 1);
	}
}

bool
encoded_word_take(struct bytes *left, struct bytes *charset, struct buf *out)
{
	struct bytes whole = bytes_slice(*left, 2, MAX_WORD), at = whole;
	struct bytes piece[3];
	OWNED_BUF(raw, MAX_WORD);

	if (left->len < 2 || memcmp(left->data, "=?", 2) != 0)
		return false;
	for (int i = 0; i < 3; i++) {
		size_t end = bytes_find(at, bytes_of(i < 2 ? "?" : "?="));

		if (end == (size_t)-1)
			return false;
		piece[i] = bytes_slice(at, 0, end);
		at = bytes_slice(at, end + (i < 2 ? 1 : 2), at.len);
	}
	if (bytes_equal_nocase(piece[1], "q"))
		q_decode(piece[2], &raw);
	else if (!bytes_equal_nocase(piece[1], "b") ||
	    base64_decode(piece[2], &raw) == -1)
		return false;
	*charset = piece[0];
	buf_append_bytes(out, buf_bytes(&raw));
	*left = bytes_slice(*left, 2 + whole.len - at.len, left->len);
	return true;
}
