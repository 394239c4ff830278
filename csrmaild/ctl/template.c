#include "csrmaild/ctl/template.h"

#include "common/err.h"

#include <stdlib.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define MAX_FILLS	64

struct bytes
template_find(const char *path)
{
	for (const struct template_file *f = template_files; f->path != NULL;
	    f++)
		if (strcmp(f->path, path) == 0)
			return (struct bytes){ f->data, f->len };
	return (struct bytes){ 0 };
}

/*
 * In a text, quotes would end it and "$" would ask for the environment. What
 * is not quoted is a word or a number, or a list that its maker has checked.
 */
static bool
value_is_fit(const struct fill *fill)
{
	for (const char *p = fill->value; *p != '\0'; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return false;
		if (fill->quoted ? strchr("\"\\$", *p) != NULL :
		    fill->value[0] != '{' && !isalnum((unsigned char)*p))
			return false;
	}
	return fill->quoted || fill->value[0] != '\0';
}

struct filler {
	const struct fill *fills;
	size_t		 n;
	bool		 used[MAX_FILLS];
	char		 section[64];	/* "mailbox.imap" */
};

static const struct fill *
find_fill(struct filler *in, const char *key, size_t len)
{
	for (size_t i = 0; i < in->n; i++) {
		const struct fill *fill = &in->fills[i];

		if (fill->value == NULL ||
		    strcmp(fill->section, in->section) != 0)
			continue;
		if (key == NULL ? fill->key != NULL : fill->key == NULL ||
		    strlen(fill->key) != len ||
		    strncmp(fill->key, key, len) != 0)
			continue;
		in->used[i] = true;
		return fill;
	}
	return NULL;
}

/* "mailbox "users" {": go in, and give it the title that was chosen. */
static void
open_section(struct filler *in, const char *line, struct buf *out)
{
	size_t word = strspn(line, "abcdefghijklmnopqrstuvwxyz_");
	size_t used = strlen(in->section);
	const struct fill *title;

	snprintf(in->section + used, sizeof(in->section) - used, "%s%.*s",
	    used == 0 ? "" : ".", (int)word, line);
	title = find_fill(in, NULL, 0);
	if (title == NULL)
		buf_append_str(out, line);
	else
		buf_printf(out, "%.*s \"%s\" {", (int)word, line,
		    title->value);
}

static void
close_section(struct filler *in)
{
	char *dot = strrchr(in->section, '.');

	*(dot == NULL ? in->section : dot) = '\0';
}

/* One line without its end. "#key = value" is a key at its default; "# text"
 * is a comment. */
static void
fill_line(struct filler *in, const char *line, struct buf *out)
{
	size_t indent = strspn(line, "\t ");
	const char *text = line + indent;
	const char *key = *text == '#' ? text + 1 : text;
	size_t len = strspn(key, "abcdefghijklmnopqrstuvwxyz_0123456789");
	size_t end = strlen(text);
	const struct fill *fill = NULL;

	if (*text != '#' && end > 0 && text[end - 1] == '{') {
		buf_append(out, line, indent);
		open_section(in, text, out);
		return;
	}
	if (*text == '}')
		close_section(in);
	if (len > 0 && strncmp(key + len, " =", 2) == 0)
		fill = find_fill(in, key, len);
	if (fill == NULL) {
		buf_append_str(out, line);
		return;
	}
	buf_append(out, line, indent);
	buf_printf(out, fill->quoted ? "%s = \"%s\"" : "%s = %s", fill->key,
	    fill->value);
}

int
template_fill(struct bytes text, const struct fill *fills, size_t n,
    struct buf *out, struct err *err)
{
	struct filler in = { .fills = fills, .n = n };
	OWNED_BUF(line, 4096);

	for (size_t i = 0; i < n; i++)
		if (fills[i].value != NULL && !value_is_fit(&fills[i]))
			return err_set(err, ERR_REJECT, "%s: \"%s\" cannot "
			    "stand in a configuration file", fills[i].key ==
			    NULL ? fills[i].section : fills[i].key,
			    fills[i].value);
	for (size_t at = 0; at < text.len;) {
		struct bytes rest = bytes_slice(text, at, text.len);
		size_t len = bytes_find(rest, bytes_of("\n"));

		if (len == (size_t)-1)
			len = rest.len;
		buf_clear(&line);
		buf_append(&line, rest.data, len);
		fill_line(&in, buf_str(&line), out);
		buf_append_str(out, "\n");
		at += len + 1;
	}
	for (size_t i = 0; i < n; i++)
		if (fills[i].value != NULL && !in.used[i])
			return err_set(err, ERR_FAULT,
			    "the template lacks %s in \"%s\"",
			    fills[i].key == NULL ? "a title" : fills[i].key,
			    fills[i].section);
	return out->failed || line.failed ?
	    err_set(err, ERR_FAULT, "the configuration is too long") : 0;
}

int
template_replace(struct bytes text, const char *from, const char *to,
    struct buf *out, struct err *err)
{
	size_t at;

	while ((at = bytes_find(text, bytes_of(from))) != (size_t)-1) {
		buf_append(out, text.data, at);
		buf_append_str(out, to);
		text = bytes_slice(text, at + strlen(from), text.len);
	}
	buf_append_bytes(out, text);
	return out->failed ?
	    err_set(err, ERR_FAULT, "the configuration is too long") : 0;
}
