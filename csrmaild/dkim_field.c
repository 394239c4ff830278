#include "csrmaild/dkim_field.h"

#include "csrmaild/authres.h"
#include "csrmaild/field.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define FIELD_NAME	"DKIM-Signature"

/* --- tags (RFC 6376, 3.2) --------------------------------------------------- */
static const char *const tag_names[DKIM_N_TAGS] = {
	[DKIM_TAG_A] = "a", [DKIM_TAG_B] = "b", [DKIM_TAG_BH] = "bh",
	[DKIM_TAG_C] = "c", [DKIM_TAG_D] = "d", [DKIM_TAG_H] = "h",
	[DKIM_TAG_I] = "i", [DKIM_TAG_L] = "l", [DKIM_TAG_Q] = "q",
	[DKIM_TAG_S] = "s", [DKIM_TAG_T] = "t", [DKIM_TAG_V] = "v",
	[DKIM_TAG_X] = "x",
};

/* FWS: a line end in a body is always a fold (csrmaild/field.h). */
static bool
is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct bytes
trim(struct bytes view)
{
	while (view.len > 0 && is_space(view.data[0]))
		view = bytes_slice(view, 1, view.len);
	while (view.len > 0 && is_space(view.data[view.len - 1]))
		view.len--;
	return view;
}

/* What stands before the first such octet; *left goes on behind it. False
 * when there was none: it was the last piece. */
static bool
split(struct bytes *left, uint8_t at, struct bytes *piece)
{
	const uint8_t *found = left->len == 0 ? NULL :
	    memchr(left->data, at, left->len);
	size_t n = found == NULL ? left->len : (size_t)(found - left->data);

	*piece = bytes_slice(*left, 0, n);
	*left = bytes_slice(*left, found == NULL ? n : n + 1, left->len);
	return found != NULL;
}

/* ALPHA *(ALPHA / DIGIT / "_") */
static bool
is_tag_name(struct bytes name)
{
	for (size_t i = 0; i < name.len; i++) {
		uint8_t c = name.data[i];

		if (c >= 0x80 || !(isalpha(c) ||
		    (i > 0 && (isdigit(c) || c == '_'))))
			return false;
	}
	return name.len > 0;
}

/* Printable ASCII and white space; ";" is no part of any piece. */
static bool
is_tag_value(struct bytes value)
{
	for (size_t i = 0; i < value.len; i++) {
		uint8_t c = value.data[i];

		if ((c <= ' ' || c >= 0x7f) && !is_space(c))
			return false;
	}
	return true;
}

/* Names of tags are told by their case, too. */
static bool
take_tag(struct dkim_tags *tags, struct bytes name, struct bytes value)
{
	for (size_t i = 0; i < DKIM_N_TAGS; i++) {
		if (!bytes_equal(name, bytes_of(tag_names[i])))
			continue;
		if (tags->value[i].data != NULL)
			return false;
		tags->value[i] = value;
	}
	return true;
}

bool
dkim_tags_read(struct bytes body, struct dkim_tags *tags)
{
	struct bytes left = body, value;
	bool more = true;

	memset(tags, 0, sizeof(*tags));
	while (more) {
		struct bytes name;

		more = split(&left, ';', &value);
		if (trim(value).len == 0 && !more)
			return true;	/* behind the last ";" */
		if (!split(&value, '=', &name))
			return false;
		name = trim(name);
		value = trim(value);
		if (!is_tag_name(name) || !is_tag_value(value) ||
		    !take_tag(tags, name, value))
			return false;
	}
	return true;
}

static bool
is_same_name(struct bytes a, struct bytes b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (tolower(a.data[i]) != tolower(b.data[i]))
			return false;
	return true;
}

size_t
dkim_tags_count_signed(const struct dkim_tags *tags, struct bytes name)
{
	struct bytes left = tags->value[DKIM_TAG_H], piece;
	size_t n = 0;
	bool more = true;

	while (more) {
		more = split(&left, ':', &piece);
		n += is_same_name(trim(piece), name);
	}
	return n;
}

/* --- whose they are ----------------------------------------------------------- */
bool
dkim_field_find(struct bytes block, unsigned int nth, struct field *field)
{
	enum field_result r;

	while ((r = field_next(&block, field)) != FIELD_END)
		if (r == FIELD_OK && field_is(field, FIELD_NAME) && nth-- == 0)
			return !field->doubtful;
	return false;
}

/* A whole domain name and nothing else. */
static bool
is_domain(struct bytes value)
{
	struct bytes name;

	return lex_domain(&value, &name) && value.len == 0;
}

static bool
read_candidate(const struct field *field, struct bytes domain,
    struct dkim_candidate *out)
{
	struct dkim_tags tags;
	struct bytes d, s;
	int n;

	if (field->doubtful || !dkim_tags_read(field->body, &tags))
		return false;
	d = tags.value[DKIM_TAG_D];
	s = tags.value[DKIM_TAG_S];
	if (!is_domain(d) || !is_domain(s) ||
	    d.len + s.len > DKIM_NAME_MAX || !authres_is_aligned(d, domain))
		return false;
	n = snprintf(out->name, sizeof(out->name), "%.*s._domainkey.%.*s",
	    (int)s.len, (const char *)s.data, (int)d.len,
	    (const char *)d.data);
	for (char *c = out->name; *c != '\0'; c++)
		*c = (char)tolower((unsigned char)*c);
	return n > 0 && (size_t)n < sizeof(out->name);
}

size_t
dkim_candidates(struct bytes block, const char *from,
    struct dkim_candidate *out)
{
	struct bytes domain = bytes_of(strchr(from, '@') + 1);
	unsigned int nth = 0;
	enum field_result r;
	struct field field;
	size_t n = 0;

	while (nth < DKIM_MAX_FIELDS && n < DKIM_MAX_CANDIDATES &&
	    (r = field_next(&block, &field)) != FIELD_END) {
		if (r != FIELD_OK || !field_is(&field, FIELD_NAME))
			continue;
		out[n].nth = nth++;
		if (read_candidate(&field, domain, &out[n]))
			n++;
	}
	return n;
}
