#include "csrmaild/ctl/ctl.h"

#include <sys/ioctl.h>

#include <string.h>
#include <unistd.h>

#define LAST_LEAST	16	/* characters */

/* The code point at s and its octets; jansson gives only valid UTF-8, other
 * text is taken octet by octet. */
static uint32_t
code_point(const char *s, size_t *len)
{
	const uint8_t *p = (const uint8_t *)s;
	size_t more = p[0] >= 0xf0 ? 3 : p[0] >= 0xe0 ? 2 : p[0] >= 0xc2 ? 1 :
	    0;
	uint32_t c = more == 0 ? p[0] : p[0] & (0x3fu >> more);

	for (size_t i = 1; i <= more; i++) {
		if ((p[i] & 0xc0) != 0x80) {
			*len = 1;
			return p[0];
		}
		c = c << 6 | (p[i] & 0x3f);
	}
	*len = more + 1;
	return c;
}

/* C0, DEL, C1, and what turns or hides text (Unicode UAX 9, ZW*, BOM). */
static bool
is_unfit(uint32_t c, size_t len)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) ||
	    (len == 1 && c >= 0x80) || c == 0x61c ||
	    (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
	    (c >= 0x2060 && c <= 0x206f) || c == 0xfeff;
}

/* Columns that table_put_text takes; f NULL only counts. */
static unsigned int
put_text(FILE *f, const char *text, unsigned int max)
{
	unsigned int used = 0;
	size_t len;

	for (const char *p = text; *p != '\0'; p += len) {
		uint32_t c = code_point(p, &len);
		char shown[16];
		int n = 1;

		if (is_unfit(c, len)) {
			n = snprintf(shown, sizeof(shown),
			    c < 0x100 ? "\\x%02x" : "\\u%04x", c);
		} else {
			memcpy(shown, p, len);
			shown[len] = '\0';
		}
		/* Cut, and say so, unless just this one is left. */
		if (max != 0 && used + (unsigned int)n > max - 1 &&
		    (p[len] != '\0' || used + (unsigned int)n > max)) {
			if (f != NULL)
				fputs("~", f);
			return used + 1;
		}
		if (f != NULL)
			fputs(shown, f);
		used += (unsigned int)n;
	}
	return used;
}

void
table_put_text(FILE *f, const char *text, unsigned int max)
{
	put_text(f, text, max);
}

/* A cell as text; buf is for numbers. */
static const char *
cell(const json_t *row, const char *key, char *buf, size_t size)
{
	const json_t *value = json_object_get(row, key);

	if (json_is_string(value))
		return json_string_value(value);
	if (json_is_integer(value)) {
		snprintf(buf, size, "%lld",
		    (long long)json_integer_value(value));
		return buf;
	}
	if (json_is_boolean(value))
		return json_is_true(value) ? "yes" : "no";
	return "-";
}

void
table_print_json(const json_t *value)
{
	/* ASCII only: nothing in it can move a cursor. */
	json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII |
	    JSON_SORT_KEYS | JSON_ENCODE_ANY);
	putchar('\n');
}

/* At a terminal the last column has what the others leave of the line. */
static unsigned int
fit_last(const unsigned int *widths, size_t n, unsigned int max)
{
	struct winsize size;
	unsigned int used = 0, left;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
		return max;
	for (size_t i = 0; i + 1 < n && i + 1 < 16; i++)
		used += widths[i] + 2;
	left = size.ws_col > used + LAST_LEAST ? size.ws_col - used :
	    LAST_LEAST;
	return max != 0 && max < left ? max : left;
}

void
table_print(const struct ctl *ctl, const json_t *rows,
    const struct column *columns, size_t n)
{
	unsigned int widths[16] = { 0 };
	unsigned int last = columns[n - 1].max;
	char number[32];
	const json_t *row;
	size_t at;

	if (ctl->json) {
		table_print_json(rows);
		return;
	}
	for (size_t i = 0; i < n && i < 16; i++) {
		widths[i] = (unsigned int)strlen(columns[i].title);
		json_array_foreach((json_t *)(uintptr_t)rows, at, row) {
			unsigned int w = put_text(NULL, cell(row,
			    columns[i].key, number, sizeof(number)),
			    columns[i].max);

			if (w > widths[i])
				widths[i] = w;
		}
	}
	last = fit_last(widths, n, last);
	for (size_t i = 0; i < n && i < 16; i++)
		printf("%s%-*s", i == 0 ? "" : "  ",
		    i + 1 == n ? 0 : (int)widths[i], columns[i].title);
	putchar('\n');
	json_array_foreach((json_t *)(uintptr_t)rows, at, row) {
		for (size_t i = 0; i < n && i < 16; i++) {
			unsigned int w = put_text(stdout, cell(row,
			    columns[i].key, number, sizeof(number)),
			    i + 1 == n ? last : columns[i].max);

			if (i + 1 < n)
				printf("%*s", (int)(widths[i] - w + 2), "");
		}
		putchar('\n');
	}
}

void
table_print_object(const struct ctl *ctl, const json_t *object,
    const struct column *columns, size_t n)
{
	size_t width = 0;
	char number[32];

	if (ctl->json) {
		table_print_json(object);
		return;
	}
	for (size_t i = 0; i < n; i++)
		if (strlen(columns[i].title) > width)
			width = strlen(columns[i].title);
	for (size_t i = 0; i < n; i++) {
		const json_t *value = json_object_get(object, columns[i].key);

		if (value == NULL || json_is_null(value))
			continue;
		printf("%-*s  ", (int)width, columns[i].title);
		put_text(stdout, cell(object, columns[i].key, number,
		    sizeof(number)), 0);
		putchar('\n');
	}
}
