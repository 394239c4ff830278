#include "csrmaild/drop_name.h"

#include "csrmaild/reply_text.h"

#include "common/bytes.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define MAX_STEM	(WIRE_MAX_FILE - 8)	/* room for every ending */

static const char *const csr_endings[] = { ".p10", ".csr", ".crq", ".req",
	".pem", ".der", NULL };
static const char *const message_endings[] = { ".eml", NULL };
static const char *const unfinished[] = { ".tmp", ".part", NULL };

/* Where it begins; NULL: the name has none of these. */
static const char *
ending_of(const char *name, const char *const *endings)
{
	size_t n = strlen(name);

	for (; *endings != NULL; endings++) {
		size_t k = strlen(*endings);

		if (n > k && strcasecmp(name + n - k, *endings) == 0)
			return name + n - k;
	}
	return NULL;
}

bool
drop_is_csr(const char *name)
{
	return ending_of(name, csr_endings) != NULL;
}

bool
drop_is_ignored(const char *name)
{
	return name[0] == '.' || ending_of(name, unfinished) != NULL;
}

static const char *
known_ending(const char *name)
{
	const char *at = ending_of(name, csr_endings);

	return at != NULL ? at : ending_of(name, message_endings);
}

/* Of the stem as many whole characters as there is room for. */
static void
cut(struct buf *text)
{
	if (text->len <= MAX_STEM)
		return;
	text->len = MAX_STEM;
	while (text->len > 0 && (text->data[text->len] & 0xc0) == 0x80)
		text->len--;
}

void
drop_plain_name(const char *name, char out[WIRE_MAX_FILE + 1])
{
	const char *ending = known_ending(name);
	size_t n = ending == NULL ? strlen(name) : (size_t)(ending - name);
	OWNED_BUF(stem, 1024);
	OWNED_BUF(plain, 4096);

	buf_append(&stem, name, n);
	text_reflect(buf_str(&stem), n, &plain);
	cut(&plain);
	/* "?" is what stands for an octet that was no text. */
	for (size_t i = 0; i < plain.len; i++)
		if (plain.data[i] == '?' || plain.data[i] == '/' ||
		    (i == 0 && plain.data[i] == '.'))
			plain.data[i] = '_';
	snprintf(out, WIRE_MAX_FILE + 1, "%s%s", plain.failed ||
	    plain.len == 0 ? "file" : buf_str(&plain),
	    ending == NULL ? "" : ending);
}

void
drop_stem(const char *plain, char out[WIRE_MAX_FILE + 1])
{
	const char *ending = known_ending(plain);
	size_t n = ending == NULL ? strlen(plain) : (size_t)(ending - plain);

	snprintf(out, WIRE_MAX_FILE + 1, "%.*s", (int)n, plain);
}
