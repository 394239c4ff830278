#include "csrmaild/reply_text.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#define COLUMNS		72
#define MAX_PIECE	300
#define MAX_SUBJECT	200		/* characters reflected */
#define MAX_ENCODED	45	/* octets in one encoded-word of 72 */

/* --- UTF-8 --------------------------------------------------------------- */

/* Octets of the well-formed character at the front (RFC 3629), and its code;
 * 0 when there is none. */
static size_t
read_character(struct bytes in, uint32_t *code)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint8_t first = in.data[0];
	size_t n = first < 0x80 ? 1 : first >> 5 == 6 ? 2 :
	    first >> 4 == 14 ? 3 : first >> 3 == 30 ? 4 : 0;

	if (n == 0 || n > in.len)
		return 0;
	*code = n == 1 ? first : first & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if (in.data[i] >> 6 != 2)
			return 0;
		*code = *code << 6 | (in.data[i] & 0x3f);
	}
	return *code < least[n] || *code > 0x10ffff ||
	    (*code >= 0xd800 && *code <= 0xdfff) ? 0 : n;
}

static bool
is_harmless(uint32_t c)
{
	return c >= 0x20 && !(c >= 0x7f && c <= 0x9f) &&
	    !(c >= 0x200b && c <= 0x200f) &&	/* invisible; direction marks */
	    !(c >= 0x2028 && c <= 0x202e) &&	/* separators; embeddings */
	    !(c >= 0x2060 && c <= 0x2069) &&	/* invisible; isolates */
	    c != 0x61c && c != 0xfeff && c != 0xad;
}

void
text_reflect(const char *in, size_t max, struct buf *out)
{
	struct bytes left = bytes_of(in);
	uint32_t code = 0;

	for (; left.len > 0 && max > 0; max--) {
		size_t n = read_character(left, &code);

		if (n > 0 && is_harmless(code))
			buf_append(out, left.data, n);
		else
			buf_append(out, "?", 1);
		left = bytes_slice(left, n == 0 ? 1 : n, left.len);
	}
	if (left.len > 0)
		buf_append_str(out, "...");
}

/* As much of in as fits into max octets without cutting a character. */
static struct bytes
front(struct bytes in, size_t max)
{
	size_t n = in.len;

	if (n > max)
		for (n = max; n > 0 && in.data[n] >> 6 == 2; n--)
			;
	return bytes_slice(in, 0, n == 0 ? max : n);
}

/* The next word and what stands behind it; empty at the end. */
static struct bytes
next_word(struct bytes *left)
{
	struct bytes word;
	size_t n = 0;

	while (left->len > 0 && left->data[0] == ' ')
		*left = bytes_slice(*left, 1, left->len);
	while (n < left->len && left->data[n] != ' ')
		n++;
	word = bytes_slice(*left, 0, n);
	*left = bytes_slice(*left, n, left->len);
	return word;
}

void
text_wrap(const char *indent, const char *in, struct buf *out)
{
	struct bytes left = bytes_of(in), word, piece;
	size_t margin = strlen(indent), column = 0;

	while ((word = next_word(&left)).len > 0) {
		for (; word.len > 0;
		    word = bytes_slice(word, piece.len, word.len)) {
			piece = front(word, MAX_PIECE);
			if (column > 0 && column + 1 + piece.len > COLUMNS) {
				buf_append_str(out, "\r\n");
				column = 0;
			}
			buf_append_str(out, column == 0 ? indent : " ");
			buf_append_bytes(out, piece);
			column += piece.len + (column == 0 ? margin : 1);
		}
	}
	if (column > 0)
		buf_append_str(out, "\r\n");
}

/* --- Subject ------------------------------------------------------------- */

static bool
is_encoded_word(struct bytes word)
{
	size_t marks = 0;

	if (word.len < 8 || word.len > 75 ||
	    memcmp(word.data, "=?", 2) != 0 ||
	    memcmp(word.data + word.len - 2, "?=", 2) != 0)
		return false;
	for (size_t i = 2; i < word.len - 2; i++) {
		if (word.data[i] != '?')
			continue;
		if (++marks == 1 && (i == 2 || i + 2 >= word.len - 2 ||
		    strchr("BbQq", word.data[i + 1]) == NULL ||
		    word.data[i + 2] != '?'))
			return false;
	}
	return marks == 2;
}

/* Words go one by one, so that a line never grows long. */
static void
fold(struct buf *out, struct bytes word, size_t *column)
{
	if (*column + 1 + word.len > COLUMNS + 4) {
		buf_append_str(out, "\r\n");
		*column = 0;
	}
	buf_append_str(out, " ");
	buf_append_bytes(out, word);
	*column += 1 + word.len;
}

static void
subject_encoded(struct bytes text, struct buf *out)
{
	size_t column = sizeof("Subject: Re:") - 1;

	while (text.len > 0) {
		struct bytes piece = front(text, MAX_ENCODED);
		OWNED_BUF(word, 100);

		buf_append_str(&word, "=?UTF-8?B?");
		base64_encode(piece, 0, &word);
		buf_append_str(&word, "?=");
		out->failed |= word.failed;
		fold(out, buf_bytes(&word), &column);
		text = bytes_slice(text, piece.len, text.len);
	}
}

static void
subject_plain(struct bytes text, struct buf *out)
{
	size_t column = sizeof("Subject: Re:") - 1;
	struct bytes word;

	while ((word = next_word(&text)).len > 0)
		if (bytes_find(word, bytes_of("=?")) == (size_t)-1 ||
		    is_encoded_word(word))
			fold(out, word, &column);
}

void
text_subject(const char *raw, struct buf *out)
{
	OWNED_BUF(text, 4 * MAX_SUBJECT + 8);
	bool ascii = true;
	size_t longest = 0, run = 0;

	for (;; raw++) {
		if (strncasecmp(raw, "Re:", 3) == 0)
			raw += 2;
		else if (*raw != ' ' && *raw != '\t')
			break;
	}
	text_reflect(raw, MAX_SUBJECT, &text);
	out->failed |= text.failed;
	for (size_t i = 0; i < text.len; i++) {
		ascii &= text.data[i] < 0x80;
		run = text.data[i] == ' ' ? 0 : run + 1;
		longest = run > longest ? run : longest;
	}
	buf_append_str(out, "Re:");
	if (text.len == 0)
		buf_append_str(out, " your certificate request");
	else if (ascii && longest <= COLUMNS + 3)
		subject_plain(buf_bytes(&text), out);
	else
		subject_encoded(buf_bytes(&text), out);
}

/* --- on the way ----------------------------------------------------------- */

#define MAX_LINE	998		/* RFC 5322, 2.1.1 */

/* The next line without its CRLF; false when it is not one of 7 bit. */
static bool
next_line(struct bytes *left, struct bytes *line)
{
	size_t end = bytes_find(*left, bytes_of("\r\n"));

	*line = bytes_slice(*left, 0, end == (size_t)-1 ? left->len : end);
	*left = bytes_slice(*left, line->len + 2, left->len);
	for (size_t i = 0; i < line->len; i++)
		if (line->data[i] == '\0' || line->data[i] >= 0x80 ||
		    line->data[i] == '\r' || line->data[i] == '\n')
			return false;
	return line->len <= MAX_LINE;
}

bool
text_is_7bit(struct bytes in)
{
	struct bytes line;

	while (in.len > 0)
		if (!next_line(&in, &line))
			return false;
	return true;
}

bool
text_travels(struct bytes in)
{
	struct bytes line;

	while (in.len > 0)
		if (!next_line(&in, &line) || (line.len > 0 &&
		    (line.data[line.len - 1] == ' ' ||
		    line.data[line.len - 1] == '\t')) ||
		    bytes_equal(bytes_slice(line, 0, 5), bytes_of("From ")))
			return false;
	return true;
}

/* --- quoted-printable ---------------------------------------------------- */

void
text_quoted_printable(struct bytes in, struct buf *out)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t column = 0;

	for (size_t i = 0; i < in.len; i++) {
		uint8_t c = in.data[i];
		bool ends = i + 1 == in.len || in.data[i + 1] == '\r';
		/* It may come to stand at the beginning of a line. */
		bool from = bytes_equal(bytes_slice(in, i, 5),
		    bytes_of("From "));
		bool plain = c > 0x20 && c < 0x7f && c != '=' && !from;
		char hex[3] = { '=', digits[c >> 4], digits[c & 15] };

		if (c == '\r' && i + 1 < in.len && in.data[i + 1] == '\n') {
			buf_append_str(out, "\r\n");
			column = 0;
			i++;
			continue;
		}
		/* Rule 3: no white space at the end of a line. */
		plain |= c == ' ' && !ends;
		if (column + (plain ? 1 : 3) > 75) {
			buf_append_str(out, "=\r\n");
			column = 0;
		}
		buf_append(out, plain ? (const char *)&c : hex, plain ? 1 : 3);
		column += plain ? 1 : 3;
	}
}
