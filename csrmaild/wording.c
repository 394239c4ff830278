#include "csrmaild/wording.h"

#include "common/err.h"
#include "csrmaild/reply_text.h"
#include "csrmaild/wording_files.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_LINE	1024
#define MAX_FILLED	65536

struct language {
	char		 tag[WORDING_LANGUAGE_MAX + 1];
	struct bytes	 texts[N_WORDINGS];	/* borrowed; empty: not there */
};
struct wordings {
	struct language	 languages[WORDING_MAX_LANGUAGES];
	size_t		 n;
};

/* The name of each text, and what it has places for. */
static const struct {
	const char	*name;
	const char	*places;
} texts[N_WORDINGS] = {
	[WORDING_ISSUED] = { "issued", " request names serial renews not_before"
	    " not_after fingerprint pem p7c ignored " },
	[WORDING_HELD] = { "held", " request names reason " },
	[WORDING_REJECTED] = { "rejected", " request names reason " },
	[WORDING_INSTALL] = { "install", " pem p7c ocsp crl " },
	[WORDING_NOTHING] = { "nothing", " reason parts hints " },
	[WORDING_REVOKED] = { "revoked", " request serial names reason " },
	[WORDING_ON_HOLD] = { "on-hold", " request serial names reason " },
	[WORDING_GOOD_AGAIN] = { "good-again",
	    " request serial names reason " },
	[WORDING_CHALLENGE] = { "challenge", " from until " },
	[WORDING_UNCONFIRMED] = { "unconfirmed", " from " },
	[WORDING_REVOCATION_DONE] = { "revocation-done",
	    " number serial names reason why " },
	[WORDING_REVOCATION_HELD] = { "revocation-held",
	    " number serial names reason why " },
	[WORDING_REVOCATION_REJECTED] = { "revocation-rejected",
	    " number serial names reason why " },
	[WORDING_REVOCATION_HOW] = { "revocation-how", " from " },
	[WORDING_STATUS] = { "status", " lines none " },
	[WORDING_FOOTER] = { "footer", " " },
};

/* --- reading ---------------------------------------------------------------- */

static bool
text_has(enum wording which, struct bytes place)
{
	char word[34];

	if (place.len == 0 || place.len > 31)
		return false;
	snprintf(word, sizeof(word), " %.*s ", (int)place.len,
	    (const char *)place.data);
	return strstr(texts[which].places, word) != NULL;
}

/* The next line, without its end. */
static struct bytes
take_line(struct bytes *left)
{
	const uint8_t *end = memchr(left->data, '\n', left->len);
	size_t len = end == NULL ? left->len : (size_t)(end - left->data);
	struct bytes line = bytes_slice(*left, 0, len);

	*left = bytes_slice(*left, end == NULL ? len : len + 1, left->len);
	if (line.len > 0 && line.data[line.len - 1] == '\r')
		line.len--;
	return line;
}

/* "{name}" or "{?name}" at the front: its name; len: of all of it. */
static bool
take_place(struct bytes at, struct bytes *name, bool *asks, size_t *len)
{
	const uint8_t *end;
	size_t skip;

	if (at.len < 3 || at.data[0] != '{' || at.data[1] == '{')
		return false;
	*asks = at.data[1] == '?';
	skip = *asks ? 2 : 1;
	end = memchr(at.data, '}', at.len);
	if (end == NULL)
		return false;
	*len = (size_t)(end - at.data) + 1;
	*name = bytes_slice(at, skip, *len - skip - 1);
	return true;
}

static int
check_line(enum wording which, struct bytes line, const char **why)
{
	bool asks, begun = false;
	struct bytes name;
	size_t len;

	if (line.len > MAX_LINE) {
		*why = "a line of more than 1024 octets";
		return -1;
	}
	for (size_t i = 0; i < line.len; i += len) {
		len = 1;
		if ((line.data[i] < ' ' && line.data[i] != '\t') ||
		    line.data[i] == 0x7f) {
			*why = "a control character";
			return -1;
		}
		if (line.data[i] != '{') {
			begun = true;
			continue;
		}
		if (i + 1 < line.len && line.data[i + 1] == '{') {
			len = 2;
			begun = true;
			continue;
		}
		if (!take_place(bytes_slice(line, i, line.len), &name, &asks,
		    &len)) {
			*why = "\"{\" without \"}\"; a brace is written "
			    "\"{{\"";
			return -1;
		}
		if (!text_has(which, name)) {
			*why = "a place that this text does not have";
			return -1;
		}
		if (asks && begun) {
			*why = "\"{?...}\" stands at the beginning of a line";
			return -1;
		}
		begun |= !asks;
	}
	return 0;
}

static int
check_text(enum wording which, const char *path, struct bytes text,
    struct err *err)
{
	struct bytes left = text;
	const char *why;

	if (text.len > WORDING_MAX_OCTETS)
		return err_set(err, ERR_FAULT, "%s: more than %d octets", path,
		    WORDING_MAX_OCTETS);
	for (unsigned int n = 1; left.len > 0; n++)
		if (check_line(which, take_line(&left), &why) == -1)
			return err_set(err, ERR_FAULT,
			    "%s:%u: %s; allowed here are:%s", path, n, why,
			    texts[which].places);
	return 0;
}

static struct language *
find_language(struct wordings *w, const char *tag, bool add)
{
	for (size_t i = 0; i < w->n; i++)
		if (strcmp(w->languages[i].tag, tag) == 0)
			return &w->languages[i];
	if (!add || w->n == WORDING_MAX_LANGUAGES)
		return NULL;
	snprintf(w->languages[w->n].tag, sizeof(w->languages[0].tag), "%s",
	    tag);
	return &w->languages[w->n++];
}

int
wordings_add(struct wordings *w, const char *name, const char *path,
    struct bytes text, struct err *err)
{
	const char *slash = strchr(name, '/');
	char tag[WORDING_LANGUAGE_MAX + 1];
	struct language *language;
	enum wording which = 0;

	while (which < N_WORDINGS && (slash == NULL ||
	    strcmp(texts[which].name, slash + 1) != 0))
		which++;
	if (which == N_WORDINGS)
		return err_set(err, ERR_FAULT, "%s: there is no text of this "
		    "name", path);
	if (slash == name || slash - name > WORDING_LANGUAGE_MAX ||
	    strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") !=
	    (size_t)(slash - name))
		return err_set(err, ERR_FAULT, "%s: the folder is no language "
		    "in lower case, such as \"fr\"", path);
	if (check_text(which, path, text, err) == -1)
		return -1;
	snprintf(tag, sizeof(tag), "%.*s", (int)(slash - name), name);
	language = find_language(w, tag, true);
	if (language == NULL)
		return err_set(err, ERR_FAULT, "%s: more than %d languages",
		    path, WORDING_MAX_LANGUAGES);
	language->texts[which] = text;
	return 0;
}

/* "conf/templates/en/issued.txt" is "en/issued". */
static int
add_built_in(struct wordings *w, const struct wording_file *file,
    struct err *err)
{
	static const char folder[] = "conf/templates/";
	char name[64];
	size_t len = strlen(file->path) - strlen(folder) - strlen(".txt");

	snprintf(name, sizeof(name), "%.*s", (int)len,
	    file->path + strlen(folder));
	return wordings_add(w, name, file->path,
	    (struct bytes){ file->data, file->len }, err);
}

int
wordings_new(struct wordings **out, struct err *err)
{
	OWNED_STRUCT(wordings) *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return err_set(err, ERR_FAULT, "out of memory");
	for (const struct wording_file *f = wording_files; f->path != NULL;
	    f++)
		if (add_built_in(w, f, err) == -1)
			return -1;
	*out = TAKE(w);
	return 0;
}

void
wordings_free(struct wordings *w)
{
	free(w);
}

/* --- a language -------------------------------------------------------------- */

static const char *
match(const struct wordings *w, const char *wished)
{
	char tag[WORDING_LANGUAGE_MAX + 1];
	char *dash;

	snprintf(tag, sizeof(tag), "%s", wished);
	for (;;) {
		for (size_t i = 0; i < w->n; i++)
			if (strcmp(w->languages[i].tag, tag) == 0)
				return w->languages[i].tag;
		dash = strrchr(tag, '-');
		if (dash == NULL)
			return NULL;
		*dash = '\0';
	}
}

const char *
wordings_language(const struct wordings *w, const char *wished,
    const char *otherwise)
{
	const char *found = w == NULL ? NULL : match(w, wished);

	if (found == NULL && w != NULL)
		found = match(w, otherwise);
	return found == NULL ? "en" : found;
}

/* --- saying it --------------------------------------------------------------- */

static const struct wording_value *
value_of(const struct wording_value *values, struct bytes name)
{
	static const struct wording_value none = { .name = "" };

	for (const struct wording_value *v = values; v != NULL &&
	    v->name != NULL; v++)
		if (bytes_equal(name, bytes_of(v->name)))
			return v;
	return &none;
}

static bool
is_empty(const struct wording_value *v)
{
	return v->list != NULL ? v->n == 0 :
	    v->value == NULL || v->value[0] == '\0';
}

static void
put_harmless(const char *text, size_t max, struct buf *out)
{
	if (text != NULL)
		text_reflect(text, max, out);
}

static void
put_paragraph(const char *indent, const char *text, size_t max,
    struct buf *out)
{
	OWNED_BUF(harmless, MAX_FILLED);

	put_harmless(text, max, &harmless);
	out->failed |= harmless.failed;
	text_wrap(indent, buf_str(&harmless), out);
}

/* A line that is nothing but a place: false when it is another. */
static bool
put_alone(struct bytes line, const struct wording_value *values,
    struct buf *out)
{
	char indent[33];
	size_t n = 0, len;
	struct bytes name;
	const struct wording_value *v;
	bool asks;

	while (n < line.len && n < sizeof(indent) - 1 && line.data[n] == ' ')
		indent[n++] = ' ';
	indent[n] = '\0';
	line = bytes_slice(line, n, line.len);
	if (!take_place(line, &name, &asks, &len) || len != line.len)
		return false;
	v = value_of(values, name);
	if (v->list == NULL) {
		put_paragraph(indent, v->value, v->max, out);
		return true;
	}
	for (size_t i = 0; i < v->n; i++)
		put_paragraph(indent, v->list[i], v->max, out);
	return true;
}

static void
put_mixed(struct bytes line, const struct wording_value *values,
    struct buf *out)
{
	struct bytes name;
	bool asks;
	size_t len;

	for (size_t i = 0; i < line.len; i += len) {
		struct bytes at = bytes_slice(line, i, line.len);

		len = 1;
		if (take_place(at, &name, &asks, &len)) {
			const struct wording_value *v = value_of(values, name);

			put_harmless(v->value, v->max, out);
			continue;
		}
		/* "{{" is one. */
		buf_append(out, at.data, 1);
		if (at.data[0] == '{')
			len = 2;
	}
	buf_append_str(out, "\r\n");
}

static void
put_line(struct bytes line, const struct wording_value *values,
    struct buf *out)
{
	struct bytes name;
	size_t len;
	bool asks;

	while (take_place(line, &name, &asks, &len) && asks) {
		if (is_empty(value_of(values, name)))
			return;
		line = bytes_slice(line, len, line.len);
	}
	if (!put_alone(line, values, out))
		put_mixed(line, values, out);
}

static struct bytes
find_text(const struct wordings *w, const char *tag, enum wording which)
{
	for (size_t i = 0; i < w->n; i++)
		if (strcmp(w->languages[i].tag, tag) == 0)
			return w->languages[i].texts[which];
	return (struct bytes){ NULL, 0 };
}

void
wording_put(const struct wordings *w, const char *language,
    enum wording which, const struct wording_value *values, struct buf *out)
{
	OWNED_STRUCT(wordings) *built_in = NULL;
	struct bytes left;
	struct err err;

	if (w == NULL) {
		if (wordings_new(&built_in, &err) == -1) {
			out->failed = true;
			return;
		}
		w = built_in;
	}
	left = find_text(w, language, which);
	if (left.len == 0)
		left = find_text(w, "en", which);
	while (left.len > 0)
		put_line(take_line(&left), values, out);
}
