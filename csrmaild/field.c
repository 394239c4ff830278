#include "csrmaild/field.h"

#include <string.h>

#define MAX_COMMENT_DEPTH	32
#define MAX_LOCAL_PART		64	/* RFC 5321, 4.5.3.1.1 */
#define MAX_LABEL		63	/* RFC 1035, 2.3.4 */
#define MAX_MAILBOX		254	/* RFC 5321, 4.5.3.1.3, less <> */

static bool
is_wsp(uint8_t c)
{
	return c == ' ' || c == '\t';
}

static bool
is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static bool
is_letter(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool
octet_is_atext(uint8_t c)
{
	return is_letter(c) || is_digit(c) ||
	    (c != 0 && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

static void
skip(struct bytes *left, size_t n)
{
	left->data += n;
	left->len -= n;
}

/* Octets of the first line of view, its LF included; all when it has none. */
static size_t
line_octets(struct bytes view)
{
	const uint8_t *lf;

	if (view.len == 0)
		return 0;
	lf = memchr(view.data, '\n', view.len);
	return lf == NULL ? view.len : (size_t)(lf - view.data) + 1;
}

/* The line without its CRLF or LF. */
static struct bytes
line_text(struct bytes line)
{
	if (line.len > 0 && line.data[line.len - 1] == '\n')
		line.len--;
	if (line.len > 0 && line.data[line.len - 1] == '\r')
		line.len--;
	return line;
}

static bool
line_is_doubtful(struct bytes text, bool continuation)
{
	size_t i;

	if (text.len > 0 && (memchr(text.data, '\0', text.len) != NULL ||
	    memchr(text.data, '\r', text.len) != NULL))
		return true;
	if (!continuation)
		return false;
	for (i = 0; i < text.len && is_wsp(text.data[i]); i++)
		;
	return i == text.len;
}

/* RFC 5322, 2.2: printable US-ASCII but the colon. */
static size_t
name_octets(struct bytes text)
{
	size_t n = 0;

	while (n < text.len && text.data[n] > ' ' && text.data[n] < 127 &&
	    text.data[n] != ':')
		n++;
	return n;
}

enum field_result
field_next(struct bytes *left, struct field *field)
{
	struct bytes rest = *left;
	size_t end = line_octets(rest);
	struct bytes text = line_text(bytes_slice(rest, 0, end));
	size_t name = name_octets(text), colon = name;

	if (text.len == 0)
		return FIELD_END;
	*field = (struct field){ .doubtful = line_is_doubtful(text, false) };
	while (end < rest.len && is_wsp(rest.data[end])) {
		size_t n = line_octets(bytes_slice(rest, end, rest.len));

		if (line_is_doubtful(line_text(bytes_slice(rest, end, n)),
		    true))
			field->doubtful = true;
		end += n;
	}
	field->raw = bytes_slice(rest, 0, end);
	skip(left, end);

	while (colon < text.len && is_wsp(text.data[colon]))
		colon++;
	if (name == 0 || colon == text.len || text.data[colon] != ':')
		return FIELD_NOT_ONE;
	field->name = bytes_slice(rest, 0, name);
	field->body = line_text(field->raw);
	skip(&field->body, colon + 1);
	return FIELD_OK;
}

bool
field_is(const struct field *field, const char *name)
{
	return bytes_equal_nocase(field->name, name);
}

/* A space, a tab, or a line end with one of them behind it: its octets. */
static size_t
fws_octets(struct bytes view)
{
	size_t n = 0;

	if (view.len == 0)
		return 0;
	if (is_wsp(view.data[0]))
		return 1;
	if (view.data[0] == '\r')
		n++;
	if (n < view.len && view.data[n] == '\n')
		n++;
	else
		return 0;
	return n < view.len && is_wsp(view.data[n]) ? n + 1 : 0;
}

/* What may stand in a comment or between quotes: printable ASCII, the octets
 * of UTF-8 (RFC 6532, 3.2), white space. */
static bool
is_text(uint8_t c)
{
	return c >= ' ' ? c != 127 : c == '\t';
}

/* One octet, one fold or one quoted-pair inside a comment or a quoted-string;
 * 0 when nothing of that kind stands there. */
static size_t
text_octets(struct bytes view)
{
	size_t fold = fws_octets(view);

	if (fold > 0)
		return fold;
	if (view.len == 0 || !is_text(view.data[0]))
		return 0;
	if (view.data[0] != '\\')
		return 1;
	return view.len > 1 && is_text(view.data[1]) ? 2 : 0;
}

bool
lex_cfws(struct bytes *left)
{
	struct bytes at = *left;
	unsigned int depth = 0;

	while (at.len > 0) {
		size_t n = depth > 0 ? text_octets(at) : fws_octets(at);

		if (at.data[0] == '(') {
			if (++depth > MAX_COMMENT_DEPTH)
				return false;
			n = 1;
		} else if (depth > 0 && at.data[0] == ')') {
			depth--;
		} else if (depth == 0 && n == 0) {
			break;
		}
		if (n == 0)
			return false;
		skip(&at, n);
	}
	if (depth > 0 || (at.len > 0 && (at.data[0] == '\r' ||
	    at.data[0] == '\n')))
		return false;
	*left = at;
	return true;
}

bool
lex_octet(struct bytes *left, char c)
{
	if (left->len == 0 || left->data[0] != (uint8_t)c)
		return false;
	skip(left, 1);
	return true;
}

bool
lex_token(struct bytes *left, struct bytes *out)
{
	size_t n = 0;

	while (n < left->len && left->data[n] > ' ' && left->data[n] < 127 &&
	    strchr("()<>@,;:\\\"/[]?=", left->data[n]) == NULL)
		n++;
	if (n == 0)
		return false;
	*out = bytes_slice(*left, 0, n);
	skip(left, n);
	return true;
}

bool
lex_quoted(struct bytes *left, struct bytes *out)
{
	struct bytes at = *left;
	struct bytes inside;

	if (!lex_octet(&at, '"'))
		return false;
	inside = at;
	while (at.len > 0 && at.data[0] != '"') {
		size_t n = text_octets(at);

		if (n == 0)
			return false;
		skip(&at, n);
	}
	inside.len -= at.len;
	if (!lex_octet(&at, '"'))
		return false;
	*left = at;
	*out = inside;
	return true;
}

bool
lex_value(struct bytes *left, struct bytes *out)
{
	struct bytes at = *left;

	if (lex_token(left, out))
		return true;
	if (!lex_quoted(&at, out) || (out->len > 0 &&
	    (memchr(out->data, '\\', out->len) != NULL ||
	    memchr(out->data, '\n', out->len) != NULL)))
		return false;
	*left = at;
	return true;
}

/* RFC 5321, 4.1.2: Dot-string. */
static size_t
dot_string_octets(struct bytes view)
{
	size_t n = 0;

	while (n < view.len && (octet_is_atext(view.data[n]) ||
	    (view.data[n] == '.' && n > 0 && view.data[n - 1] != '.')))
		n++;
	return n > 0 && view.data[n - 1] == '.' ? 0 : n;
}

/* Labels of letters, digits and inner hyphens, with dots between them. */
static size_t
domain_octets(struct bytes view)
{
	size_t n = 0, label = 0;

	for (; n < view.len; n++) {
		uint8_t c = view.data[n];

		if (c == '.') {
			if (label == 0 || view.data[n - 1] == '-')
				return 0;
			label = 0;
		} else if (is_letter(c) || is_digit(c) ||
		    (c == '-' && label > 0)) {
			if (++label > MAX_LABEL)
				return 0;
		} else {
			break;
		}
	}
	return label == 0 || view.data[n - 1] == '-' ? 0 : n;
}

bool
lex_domain(struct bytes *left, struct bytes *out)
{
	size_t n = domain_octets(*left);

	if (n == 0)
		return false;
	*out = bytes_slice(*left, 0, n);
	skip(left, n);
	return true;
}

bool
lex_mailbox(struct bytes *left, char *out)
{
	struct bytes at = *left;
	size_t local = dot_string_octets(at);
	size_t domain;

	if (local == 0 || local > MAX_LOCAL_PART)
		return false;
	skip(&at, local);
	if (!lex_octet(&at, '@'))
		return false;
	domain = domain_octets(at);
	if (domain == 0 || local + 1 + domain > MAX_MAILBOX)
		return false;
	memcpy(out, left->data, local + 1 + domain);
	out[local + 1 + domain] = '\0';
	for (char *c = out + local + 1; *c != '\0'; c++) {
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	}
	skip(left, local + 1 + domain);
	return true;
}
