#include "csrmaild/quote.h"

#include "csrmaild/text_line.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#define MIN_DASHES	3
#define MIN_RULE	10	/* underscores */
#define MAX_FIELD_NAME	24	/* octets before the colon, in any language */
#define LINES_TO_HEADER	2	/* empty ones that may stand between */
#define HEADER_LINES	3	/* that are a header without a separator */

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

/* A short name, a colon, and a blank; also "*From:* ..." of HTML, and the wide
 * colon of Chinese and Japanese. */
static bool
is_header_line(struct bytes line)
{
	static const char wide[] = "\xef\xbc\x9a";
	struct bytes name = bytes_slice(line, 0, MAX_FIELD_NAME);
	size_t at = bytes_find(name, bytes_of(wide));

	if (at != 0 && at != (size_t)-1)
		return true;
	at = bytes_find(name, bytes_of(":"));
	if (at == 0 || at == (size_t)-1)
		return false;
	if (at + 1 < line.len && line.data[at + 1] == '*')
		at++;
	return at + 1 == line.len || line.data[at + 1] == ' ' ||
	    line.data[at + 1] == '\t';
}

/* "15:12", in any language. */
static bool
has_time(struct bytes line)
{
	for (size_t i = 1; i + 2 < line.len; i++)
		if (line.data[i] == ':' && isdigit(line.data[i - 1]) &&
		    isdigit(line.data[i + 1]) && isdigit(line.data[i + 2]))
			return true;
	return false;
}

static bool
has_address(struct bytes line)
{
	return line.len > 0 && memchr(line.data, '@', line.len) != NULL;
}

/*
 * Outlook puts no mark at all into the plain text of an answer: "From: ...",
 * "Sent: ...", "To: ..." stand there between one line and the next, with an
 * address and a time in them.
 */
struct run {
	unsigned int	 lines;		/* of a header, one below the other */
	size_t		 at;		/* the first */
	bool		 address, time;
};

static bool
run_is_header(struct run *run, struct bytes line, size_t at)
{
	if (!is_header_line(line)) {
		*run = (struct run){ 0 };
		return false;
	}
	if (run->lines++ == 0)
		run->at = at;
	run->address |= has_address(line);
	run->time |= has_time(line);
	return run->lines >= HEADER_LINES && run->address && run->time;
}

/* "On Monday at 15:12 x@example.org wrote:", on one line or two; what follows
 * has marks of its own, or there are none. */
struct attribution {
	struct bytes	 before;	/* the line above */
	bool		 open;		/* it stands above this line */
	size_t		 at;
};

static bool
is_attributed(struct attribution *a, struct bytes line, size_t at)
{
	bool ends = line.len > 0 && line.data[line.len - 1] == ':';
	bool was_open = a->open && line.len > 0;

	if (was_open) {
		a->open = false;
		if (line.data[0] != '>' && line.data[0] != '|')
			return true;
	}
	if (ends && (has_address(line) || has_address(a->before)) &&
	    (has_time(line) || has_time(a->before))) {
		a->open = true;
		a->at = at;
	}
	a->before = line;
	return false;
}

size_t
quote_find_forwarded(struct bytes text)
{
	struct bytes left = text;
	unsigned int near = 0;	/* lines in which a header may begin */
	struct run run = { 0 };
	struct attribution attribution = { 0 };

	while (left.len > 0) {
		size_t at = text.len - left.len;
		struct bytes line = text_line_strip(text_line_take(&left),
		    NULL);

		if (near > 0 && is_header_line(line))
			return at;
		if (run_is_header(&run, line, at))
			return run.at;
		if (is_attributed(&attribution, line, at))
			return attribution.at;
		if (is_separator(line))
			near = LINES_TO_HEADER + 1;
		else if (near > 0)
			near = line.len > 0 ? 0 : near - 1;
	}
	return text.len;
}
