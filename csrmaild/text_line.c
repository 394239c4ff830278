#include "csrmaild/text_line.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes
text_line_take(struct bytes *left)
{
	struct bytes line = *left;
	size_t n = 0;

	while (n < line.len && line.data[n] != '\n' && line.data[n] != '\r')
		n++;
	if (n + 1 < line.len && line.data[n] == '\r' &&
	    line.data[n + 1] == '\n')
		n++;
	line = bytes_slice(line, 0, n + 1);
	*left = bytes_slice(*left, line.len, left->len);
	return line;
}

static bool
is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

static bool
is_end(uint8_t c)
{
	return c == '\r' || c == '\n';
}

/* U+00A0 is C2 A0. */
static bool
is_no_break_space(const uint8_t *at)
{
	return at[0] == 0xc2 && at[1] == 0xa0;
}

struct bytes
text_line_front(struct bytes text, bool *quoted)
{
	while (text.len > 0) {
		bool mark = text.data[0] == '>' || text.data[0] == '|';

		if (mark && quoted != NULL)
			*quoted = true;
		else if (text.len > 1 && is_no_break_space(text.data))
			text = bytes_slice(text, 1, text.len);
		else if (!is_blank(text.data[0]))
			break;
		text = bytes_slice(text, 1, text.len);
	}
	return text;
}

struct bytes
text_line_strip(struct bytes line, bool *quoted)
{
	while (line.len > 0) {
		if (line.len > 1 && is_no_break_space(line.data + line.len - 2))
			line.len--;
		else if (!is_blank(line.data[line.len - 1]) &&
		    !is_end(line.data[line.len - 1]))
			break;
		line.len--;
	}
	return text_line_front(line, quoted);
}

/* --- format=flowed ------------------------------------------------------- */

static struct bytes
without_end(struct bytes line)
{
	while (line.len > 0 && is_end(line.data[line.len - 1]))
		line.len--;
	return line;
}

static bool
begins_with_dashes(struct bytes line)
{
	return line.len >= 3 && memcmp(line.data, "---", 3) == 0;
}

/* RFC 3676, 4.3: "-- " is a signature's separator and does not flow. */
static bool
flows(struct bytes line)
{
	return line.len > 0 && line.data[line.len - 1] == ' ' &&
	    !bytes_equal(line, bytes_of("-- "));
}

struct bytes
text_unflow(struct bytes text, bool delsp, struct buf *room)
{
	size_t last_depth = 0;
	bool open = false;	/* the line before flows into this one */

	/* A line never grows, but for the end that the last may lack. */
	*room = BUF(text.len + 1);
	while (text.len > 0) {
		struct bytes line = without_end(text_line_take(&text));
		size_t depth = 0;

		while (depth < line.len && line.data[depth] == '>')
			depth++;
		if (room->len > 0 && !(open && depth == last_depth &&
		    !begins_with_dashes(bytes_slice(line, depth, line.len))))
			buf_append_str(room, "\n");
		if (room->len == 0 || room->data[room->len - 1] == '\n')
			buf_append_bytes(room, bytes_slice(line, 0, depth));
		line = bytes_slice(line, depth, line.len);
		if (line.len > 0 && line.data[0] == ' ')
			line = bytes_slice(line, 1, line.len);
		open = flows(line);
		last_depth = depth;
		if (open && delsp)
			line.len--;
		buf_append_bytes(room, line);
	}
	return buf_bytes(room);
}
