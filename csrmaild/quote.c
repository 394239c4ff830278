#include "csrmaild/quote.h"

#include "csrmaild/text_line.h"

#include <stdbool.h>
#include <string.h>

#define MIN_DASHES	3
#define MIN_RULE	10	/* underscores */
#define MAX_FIELD_NAME	24	/* octets before the colon, in any language */
#define LINES_TO_HEADER	2	/* empty ones that may stand between */

static size_t
count_front(struct bytes line, uint8_t c)
{
	size_t n = 0;

	while (n < line.len && line.data[n] == c)
		n++;
	return n;
}

/* "-----Original Message-----"; not the BEGIN and END lines of PEM. */
static bool
is_separator(struct bytes line)
{
	size_t front = count_front(line, '-'), back = 0;

	if (front < MIN_DASHES)
		return count_front(line, '_') == line.len &&
		    line.len >= MIN_RULE;
	while (back < line.len - front &&
	    line.data[line.len - 1 - back] == '-')
		back++;
	line = bytes_slice(line, front, line.len - front - back);
	return back >= MIN_DASHES && line.len > 0 &&
	    (line.len < 6 || memcmp(line.data, "BEGIN ", 6) != 0) &&
	    (line.len < 4 || memcmp(line.data, "END ", 4) != 0);
}

/* A short name, a colon, and a blank; also "*From:* ..." of HTML. */
static bool
is_header_line(struct bytes line)
{
	const uint8_t *colon = line.len == 0 ? NULL : memchr(line.data, ':',
	    line.len < MAX_FIELD_NAME ? line.len : MAX_FIELD_NAME);
	size_t at = colon == NULL ? 0 : (size_t)(colon - line.data);

	if (at == 0)
		return false;
	if (at + 1 < line.len && line.data[at + 1] == '*')
		at++;
	return at + 1 == line.len || line.data[at + 1] == ' ' ||
	    line.data[at + 1] == '\t';
}

size_t
quote_find_forwarded(struct bytes text)
{
	struct bytes left = text;
	unsigned int near = 0;	/* lines in which a header may begin */

	while (left.len > 0) {
		size_t at = text.len - left.len;
		struct bytes line = text_line_strip(text_line_take(&left),
		    NULL);

		if (near > 0 && is_header_line(line))
			return at;
		if (is_separator(line))
			near = LINES_TO_HEADER + 1;
		else if (near > 0)
			near = line.len > 0 ? 0 : near - 1;
	}
	return text.len;
}
