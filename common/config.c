#include "common/config.h"

#include "common/err.h"

#include <sys/stat.h>

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MAX_DEPTH	4
#define MAX_WORD	256

enum token {
	TOKEN_END,
	TOKEN_WORD,		/* bare or quoted; text in scanner.word */
	TOKEN_EQUALS,		/* = and += */
	TOKEN_OPEN,
	TOKEN_CLOSE,
	TOKEN_COMMA,
};

/*
 * A second reading of the file, beside libconfuse's, that finds what it does
 * not report and remembers where things stand.
 */
struct scanner {
	const char	*path;
	struct bytes	 left;
	int		 line;
	char		 word[MAX_WORD];
	bool		 quoted;
	struct err	*err;
};

/* Where an option or a section stands. key is "" for the section itself. */
struct place {
	char		 names[MAX_DEPTH][64];
	char		 titles[MAX_DEPTH][128];
	size_t		 depth;
	char		 key[64];
	int		 line;
};

struct places {
	struct place	*rows;
	size_t		 n, cap;
};

static int
refuse(struct scanner *s, int line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static int
refuse(struct scanner *s, int line, const char *fmt, ...)
{
	char why[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	return err_set(s->err, ERR_FAULT, "%s:%d: %s", s->path, line, why);
}

static int
next_octet(struct scanner *s)
{
	int c;

	if (s->left.len == 0)
		return -1;
	c = s->left.data[0];
	s->left = bytes_slice(s->left, 1, s->left.len);
	if (c == '\n')
		s->line++;
	return c;
}

static int
peek_octet(const struct scanner *s, size_t ahead)
{
	return s->left.len > ahead ? s->left.data[ahead] : -1;
}

static int
skip_blanks(struct scanner *s)
{
	for (;;) {
		int c = peek_octet(s, 0), d = peek_octet(s, 1);

		if (c == '#' || (c == '/' && d == '/')) {
			while (c != '\n' && c != -1)
				c = next_octet(s);
		} else if (c == '/' && d == '*') {
			int start = s->line;

			next_octet(s);
			next_octet(s);
			while (!(peek_octet(s, 0) == '*' &&
			    peek_octet(s, 1) == '/'))
				if (next_octet(s) == -1)
					return refuse(s, start,
					    "this comment is never closed");
			next_octet(s);
			next_octet(s);
		} else if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
			next_octet(s);
		} else {
			return 0;
		}
	}
}

static int
add_to_word(struct scanner *s, size_t *n, int c)
{
	if (c == '$' && peek_octet(s, 0) == '{')
		return refuse(s, s->line,
		    "${...} is not understood here: write the value out");
	if (*n == MAX_WORD - 1)
		return refuse(s, s->line, "a word longer than %d octets",
		    MAX_WORD - 1);
	if (c == '\0')
		return refuse(s, s->line, "a NUL octet");
	s->word[(*n)++] = (char)c;
	return 0;
}

static int
read_quoted(struct scanner *s, int quote)
{
	int start = s->line, c;
	size_t n = 0;

	while ((c = next_octet(s)) != quote) {
		if (c == '\\')
			c = next_octet(s);
		if (c == -1)
			return refuse(s, start,
			    "this quotation mark is never closed");
		if (add_to_word(s, &n, c) == -1)
			return -1;
	}
	s->word[n] = '\0';
	s->quoted = true;
	return 0;
}

static int
read_bare(struct scanner *s)
{
	size_t n = 0;

	while (peek_octet(s, 0) != -1 &&
	    strchr(" \t\r\n={},\"'#", peek_octet(s, 0)) == NULL &&
	    !(peek_octet(s, 0) == '+' && peek_octet(s, 1) == '='))
		if (add_to_word(s, &n, next_octet(s)) == -1)
			return -1;
	if (n == 0)	/* an octet that begins nothing */
		return refuse(s, s->line, "'%c' does not belong here",
		    peek_octet(s, 0) == -1 ? '?' : next_octet(s));
	s->word[n] = '\0';
	s->quoted = false;
	return 0;
}

static int
next_token(struct scanner *s, enum token *out)
{
	int c;

	if (skip_blanks(s) == -1)
		return -1;
	c = peek_octet(s, 0);
	*out = c == -1 ? TOKEN_END : c == '=' ? TOKEN_EQUALS :
	    c == '+' && peek_octet(s, 1) == '=' ? TOKEN_EQUALS :
	    c == '{' ? TOKEN_OPEN : c == '}' ? TOKEN_CLOSE :
	    c == ',' ? TOKEN_COMMA : TOKEN_WORD;
	if (*out != TOKEN_WORD) {
		next_octet(s);
		if (c == '+')
			next_octet(s);
		return 0;
	}
	if (c == '"' || c == '\'') {
		next_octet(s);
		return read_quoted(s, c);
	}
	return read_bare(s);
}

static int
add_place(struct scanner *s, struct places *places, const struct place *place)
{
	for (size_t i = 0; i < places->n; i++) {
		const struct place *p = &places->rows[i];

		if (p->depth != place->depth || strcmp(p->key, place->key) != 0)
			continue;
		if (memcmp(p->names, place->names, sizeof(p->names)) == 0 &&
		    memcmp(p->titles, place->titles, sizeof(p->titles)) == 0)
			return refuse(s, place->line,
			    "%s is given twice; the first is in line %d",
			    place->key[0] != '\0' ? place->key :
			    place->names[place->depth - 1], p->line);
	}
	if (places->n == places->cap) {
		size_t cap = places->cap == 0 ? 64 : 2 * places->cap;
		struct place *grown;

		/* A file of ours has some dozens; this bounds the search. */
		if (cap > 4096)
			return refuse(s, place->line, "too many options");
		grown = realloc(places->rows, cap * sizeof(*grown));
		if (grown == NULL)
			return refuse(s, place->line, "out of memory");
		places->rows = grown;
		places->cap = cap;
	}
	places->rows[places->n++] = *place;
	return 0;
}

static int
check_value(struct scanner *s)
{
	const char *digits = s->word + (s->word[0] == '-');

	if (!s->quoted && digits[0] == '0' && isdigit((uint8_t)digits[1]) &&
	    strspn(digits, "0123456789") == strlen(digits))
		return refuse(s, s->line,
		    "%s: write the number without a leading zero", s->word);
	return 0;
}

/* After "name =": one word, or a list in braces. */
static int
scan_value(struct scanner *s)
{
	enum token token;
	int start = s->line;

	if (next_token(s, &token) == -1)
		return -1;
	if (token == TOKEN_WORD)
		return check_value(s);
	if (token != TOKEN_OPEN)
		return refuse(s, start, "a value is missing after '='");
	do {
		if (next_token(s, &token) == -1 ||
		    (token == TOKEN_WORD && check_value(s) == -1))
			return -1;
		if (token == TOKEN_END || token == TOKEN_OPEN ||
		    token == TOKEN_EQUALS)
			return refuse(s, start, "this list is never closed");
	} while (token != TOKEN_CLOSE);
	return 0;
}

static int
open_section(struct scanner *s, struct places *places, struct place *here,
    const char *name, const char *title, int line)
{
	if (here->depth == MAX_DEPTH)
		return refuse(s, line, "sections too deep");
	/* Whole arrays are compared, so that what is behind must be zero. */
	memset(here->names[here->depth], 0, sizeof(here->names[0]));
	memset(here->titles[here->depth], 0, sizeof(here->titles[0]));
	snprintf(here->names[here->depth], sizeof(here->names[0]), "%s", name);
	snprintf(here->titles[here->depth], sizeof(here->titles[0]), "%s",
	    title);
	here->depth++;
	here->line = line;
	memset(here->key, 0, sizeof(here->key));
	return add_place(s, places, here);
}

static void
close_section(struct place *here)
{
	here->depth--;
	memset(here->names[here->depth], 0, sizeof(here->names[0]));
	memset(here->titles[here->depth], 0, sizeof(here->titles[0]));
}

static int
copy_word(struct scanner *s, char *to, size_t size)
{
	size_t n = strlen(s->word);

	if (n >= size)
		return refuse(s, s->line, "a name longer than %zu octets",
		    size - 1);
	memcpy(to, s->word, n + 1);
	return 0;
}

/* A word stands at the start of a statement: an option or a section. */
static int
scan_statement(struct scanner *s, struct places *places, struct place *here)
{
	char name[64], title[128] = "";
	int line = s->line;
	enum token token;

	if (copy_word(s, name, sizeof(name)) == -1)
		return -1;
	if (next_token(s, &token) == -1)
		return -1;
	if (token == TOKEN_EQUALS) {
		memset(here->key, 0, sizeof(here->key));
		memcpy(here->key, name, strlen(name));
		here->line = line;
		return add_place(s, places, here) == -1 ? -1 : scan_value(s);
	}
	if (token == TOKEN_WORD) {
		if (copy_word(s, title, sizeof(title)) == -1 ||
		    next_token(s, &token) == -1)
			return -1;
	}
	if (token != TOKEN_OPEN)
		return refuse(s, line, "after %s comes '=' or '{'", name);
	return open_section(s, places, here, name, title, line);
}

static int
scan(struct scanner *s, struct places *places)
{
	struct place here = { 0 };
	int opened[MAX_DEPTH + 1] = { 0 };
	enum token token;

	for (;;) {
		if (next_token(s, &token) == -1)
			return -1;
		switch (token) {
		case TOKEN_END:
			if (here.depth > 0)
				return refuse(s, opened[here.depth],
				    "section %s is never closed",
				    here.names[here.depth - 1]);
			return 0;
		case TOKEN_WORD:
			if (scan_statement(s, places, &here) == -1)
				return -1;
			opened[here.depth] = here.line;
			break;
		case TOKEN_CLOSE:
			if (here.depth == 0)
				return refuse(s, s->line,
				    "'}' without a section");
			close_section(&here);
			break;
		case TOKEN_EQUALS:
		case TOKEN_OPEN:
		case TOKEN_COMMA:
			return refuse(s, s->line, "a name is missing here");
		}
	}
}

/* libconfuse reports through a callback without an argument of ours. */
static struct err *report_to;
static const char *report_path;

static void
report(cfg_t *cfg, const char *fmt, va_list ap)
{
	char why[200];

	vsnprintf(why, sizeof(why), fmt, ap);
	err_set(report_to, ERR_FAULT, "%s:%d: %s", report_path, cfg->line,
	    why);
}

static cfg_t *
find_section(cfg_t *cfg, const struct place *place)
{
	for (size_t i = 0; cfg != NULL && i < place->depth; i++)
		cfg = place->titles[i][0] == '\0' ?
		    cfg_getsec(cfg, place->names[i]) :
		    cfg_gettsec(cfg, place->names[i], place->titles[i]);
	return cfg;
}

/* Sections remember their first line; options theirs, as a comment. */
static void
note_lines(cfg_t *cfg, const char *path, const struct places *places)
{
	char line[16];

	free(cfg->filename);
	cfg->filename = strdup(path);
	cfg->line = 1;
	for (size_t i = 0; i < places->n; i++) {
		const struct place *place = &places->rows[i];
		cfg_t *section = find_section(cfg, place);

		if (section == NULL)
			continue;
		if (place->key[0] != '\0') {
			snprintf(line, sizeof(line), "%d", place->line);
			cfg_setcomment(section, place->key, line);
			continue;
		}
		section->line = place->line;
		if (section->filename == NULL ||
		    strcmp(section->filename, path) != 0) {
			free(section->filename);
			section->filename = strdup(path);
		}
	}
}

int
config_parse(const char *path, struct bytes text, cfg_opt_t *opts, cfg_t **out,
    struct err *err)
{
	struct scanner s = { .path = path, .left = text, .line = 1,
		.err = err };
	OWNED_HEAP(struct place) *rows = NULL;
	OWNED_HEAP(char) *copy = NULL;
	OWNED(cfg_t) *cfg = NULL;
	struct places places = { 0 };
	int r = scan(&s, &places);

	rows = places.rows;
	if (r == -1)
		return -1;
	copy = strndup(text.len == 0 ? "" : (const char *)text.data, text.len);
	cfg = cfg_init(opts, CFGF_NONE);
	if (copy == NULL || cfg == NULL)
		return err_set(err, ERR_FAULT, "%s: out of memory", path);
	cfg_set_error_function(cfg, report);
	report_to = err;
	report_path = path;
	err_set(err, ERR_FAULT, "%s: not understood", path);
	if (cfg_parse_buf(cfg, copy) != CFG_SUCCESS)
		return -1;
	note_lines(cfg, path, &places);
	*out = TAKE(cfg);
	return 0;
}

int
config_fail(cfg_t *section, const char *key, struct err *err, const char *fmt,
    ...)
{
	cfg_opt_t *opt = cfg_getopt(section, key);
	char *at = opt == NULL ? NULL : cfg_opt_getcomment(opt);
	char why[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	return err_set(err, ERR_FAULT, "%s:%d: %s: %s",
	    section->filename == NULL ? "?" : section->filename,
	    at == NULL ? section->line : atoi(at), key, why);
}

int
config_check_range(cfg_t *section, const char *key, long lo, long hi,
    struct err *err)
{
	long v = cfg_getint(section, key);

	if (v >= lo && v <= hi)
		return 0;
	return config_fail(section, key, err, "found %ld, allowed %ld to %ld",
	    v, lo, hi);
}

int
config_check_given(cfg_t *section, const char *key, struct err *err)
{
	const char *v = cfg_getstr(section, key);

	if (v != NULL && v[0] != '\0')
		return 0;
	return config_fail(section, key, err, "must be given");
}

int
config_check_word(cfg_t *section, const char *key, const char *const *words,
    size_t *which, struct err *err)
{
	const char *v = cfg_getstr(section, key);
	OWNED_BUF(allowed, 1024);

	for (size_t i = 0; words[i] != NULL; i++) {
		if (v != NULL && strcmp(v, words[i]) == 0) {
			*which = i;
			return 0;
		}
		buf_printf(&allowed, "%s%s", i == 0 ? "" : ", ", words[i]);
	}
	return config_fail(section, key, err, "found \"%s\", allowed: %s",
	    v == NULL ? "" : v, buf_str(&allowed));
}

int
config_read_file(const char *path, size_t max, struct buf *out,
    struct err *err)
{
	OWNED_FD fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC |
	    O_NOCTTY | O_NONBLOCK);
	struct stat st;
	uint8_t *to;
	ssize_t n;

	if (fd < 0 && errno == ELOOP)
		return err_set(err, ERR_FAULT,
		    "%s is a symbolic link: put the file itself there", path);
	if (fd < 0 || fstat(fd, &st) == -1)
		return err_set(err, ERR_FAULT, "%s: %s", path,
		    strerror(errno));
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_FAULT, "%s is no regular file", path);
	if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return err_set(err, ERR_FAULT,
		    "%s: others than its owner can write it: chmod go-w",
		    path);
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return err_set(err, ERR_FAULT, "%s: belongs to another user, "
		    "who can change it: chown root", path);
	if (st.st_size < 0 || (size_t)st.st_size > max)
		return err_set(err, ERR_FAULT, "%s: longer than %zu octets",
		    path, max);
	/* As long as fstat said: one that grows meanwhile is read in part, and
	 * then refused by its parser or read whole at the next reload. */
	for (size_t left = (size_t)st.st_size; left > 0; left -= (size_t)n) {
		to = buf_reserve(out, left);
		n = to == NULL ? -1 : read(fd, to, left);
		if (n <= 0)
			return err_set(err, ERR_FAULT,
			    "%s: reading it failed", path);
		out->len += (size_t)n;
	}
	return 0;
}
