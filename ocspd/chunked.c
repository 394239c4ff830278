#include "ocspd/chunked.h"

#include <string.h>

#define SIZE_MAX_DIGITS	8

/* A line without its CRLF. 0: it has no end yet; 1; -1: a bare CR or LF, or
 * another control octet. */
static int
take_line(struct bytes *in, struct bytes *line)
{
	for (size_t i = 0; i < in->len; i++) {
		uint8_t c = in->data[i];

		if (c == '\r') {
			if (i + 1 == in->len)
				return 0;
			if (in->data[i + 1] != '\n')
				return -1;
			*line = (struct bytes){ in->data, i };
			*in = bytes_slice(*in, i + 2, in->len);
			return 1;
		}
		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return -1;
	}
	return 0;
}

static int
digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* chunk-size [ chunk-ext ]; an extension begins with ";" after optional
 * blanks, which only old senders write. */
static bool
read_size(struct bytes line, size_t *size)
{
	size_t n = 0;

	*size = 0;
	while (n < line.len && digit(line.data[n]) >= 0) {
		if (n == SIZE_MAX_DIGITS)
			return false;
		*size = *size * 16 + (size_t)digit(line.data[n++]);
	}
	if (n == 0)
		return false;
	while (n < line.len && (line.data[n] == ' ' || line.data[n] == '\t'))
		n++;
	return n == line.len || line.data[n] == ';';
}

/* After the last chunk: fields that nobody asked for, and an empty line. */
static enum chunked_result
skip_trailer(struct bytes *in)
{
	struct bytes line;
	int r;

	while ((r = take_line(in, &line)) == 1)
		if (line.len == 0)
			return CHUNKED_COMPLETE;
		else if (memchr(line.data, ':', line.len) == NULL)
			return CHUNKED_BROKEN;
	return r == 0 ? CHUNKED_INCOMPLETE : CHUNKED_BROKEN;
}

static enum chunked_result
read_chunks(struct bytes *in, uint8_t *room, size_t max, size_t *len)
{
	struct bytes line;
	size_t size;

	for (;;) {
		int r = take_line(in, &line);

		if (r != 1)
			return r == 0 ? CHUNKED_INCOMPLETE : CHUNKED_BROKEN;
		if (!read_size(line, &size))
			return CHUNKED_BROKEN;
		if (size == 0)
			return skip_trailer(in);
		if (size > max - *len)
			return CHUNKED_TOO_LONG;
		if (in->len < size)
			return CHUNKED_INCOMPLETE;
		memcpy(room + *len, in->data, size);
		*len += size;
		*in = bytes_slice(*in, size, in->len);
		if ((in->len > 0 && in->data[0] != '\r') ||
		    (in->len > 1 && in->data[1] != '\n'))
			return CHUNKED_BROKEN;
		if (in->len < 2)
			return CHUNKED_INCOMPLETE;
		*in = bytes_slice(*in, 2, in->len);
	}
}

enum chunked_result
chunked_read(struct bytes in, uint8_t *room, size_t max, size_t *len,
    size_t *used)
{
	struct bytes left = in;
	enum chunked_result r;

	*len = 0;
	r = read_chunks(&left, room, max, len);
	*used = in.len - left.len;
	if (r == CHUNKED_COMPLETE && *used - *len > CHUNKED_MAX_FRAMING)
		return CHUNKED_TOO_LONG;
	/* What waits for its end: a size line, data with its CRLF, trailers. */
	if (r == CHUNKED_INCOMPLETE && in.len > max + CHUNKED_MAX_FRAMING)
		return CHUNKED_TOO_LONG;
	return r;
}
