#include "csrmaild/wish.h"

#include "common/err.h"
#include "csrmaild/hint.h"
#include "csrmaild/quote.h"
#include "csrmaild/text_line.h"
#include "csrmaild/wire.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define MAX_WORDS	96	/* octets of a line behind its first word */
#define MAX_DIGITS	18	/* of a request's number; a serial has more */

/* --- one line ------------------------------------------------------------ */

/* The first word, and what is left behind it. */
static struct bytes
take_word(struct bytes *line)
{
	struct bytes word;
	size_t n = 0;

	while (n < line->len && line->data[n] != ' ' && line->data[n] != '\t')
		n++;
	word = bytes_slice(*line, 0, n);
	*line = text_line_front(bytes_slice(*line, n, line->len), NULL);
	return word;
}

/* What stands before the last word; that word goes to *last. */
static struct bytes
before_last(struct bytes words, struct bytes *last)
{
	size_t at = words.len;

	while (at > 0 && words.data[at - 1] != ' ' &&
	    words.data[at - 1] != '\t')
		at--;
	*last = bytes_slice(words, at, words.len);
	return text_line_strip(bytes_slice(words, 0, at), NULL);
}

/* As a C string, where it can be one. */
static bool
copy_words(struct bytes words, char out[MAX_WORDS + 1])
{
	if (words.len > MAX_WORDS)
		return false;
	for (size_t i = 0; i < words.len; i++) {
		if (words.data[i] == '\0')
			return false;
		out[i] = words.data[i] == '\t' ? ' ' : (char)words.data[i];
	}
	out[words.len] = '\0';
	return true;
}

/* RFC 5280, 5.3.1: "keyCompromise", or key-compromise, or KEY_COMPROMISE. */
static bool
is_reason(struct bytes word, const char *name)
{
	size_t n = 0;

	for (size_t i = 0; i < word.len; i++) {
		if (word.data[i] == '-' || word.data[i] == '_')
			continue;
		if (tolower(word.data[i]) != tolower((unsigned char)name[n]))
			return false;
		n++;
	}
	return n > 0 && name[n] == '\0';
}

static bool
read_reason(struct bytes word, enum crl_reason *out)
{
	for (int reason = CRL_UNSPECIFIED; reason <= CRL_AA_COMPROMISE;
	    reason++) {
		const char *name = crl_reason_name((enum crl_reason)reason);

		if (name != NULL && is_reason(word, name)) {
			*out = (enum crl_reason)reason;
			return true;
		}
	}
	return false;
}

static bool
read_serial(struct bytes words, struct serial *out)
{
	static const char before[] = "serial=";
	size_t n = sizeof(before) - 1;
	char text[MAX_WORDS + 1];
	struct err odd;

	if (bytes_equal_nocase(bytes_slice(words, 0, n), before))
		words = bytes_slice(words, n, words.len);
	return copy_words(words, text) && serial_from_hex(text, out,
	    &odd) == 0;
}

static bool
read_revoke(struct bytes words, struct wish *out)
{
	struct bytes last, front = before_last(words, &last);

	out->kind = WISH_REVOKE;
	if (read_reason(last, &out->reason))
		words = front;
	return words.len == 0 || read_serial(words, &out->serial);
}

/* "12" or "#12". */
static bool
read_number(struct bytes words, uint64_t *out)
{
	char text[MAX_WORDS + 1];
	size_t n;

	if (words.len > 0 && words.data[0] == '#')
		words = bytes_slice(words, 1, words.len);
	if (!copy_words(words, text))
		return false;
	n = strspn(text, "0123456789");
	if (n == 0 || n > MAX_DIGITS || text[n] != '\0')
		return false;
	*out = strtoull(text, NULL, 10);
	return *out > 0;
}

static bool
read_status(struct bytes words, struct wish *out)
{
	out->kind = WISH_STATUS;
	return words.len == 0 || read_number(words, &out->request) ||
	    read_serial(words, &out->serial);
}

static bool
read_confirm(struct bytes words, struct wish *out)
{
	out->kind = WISH_CONFIRM;
	return words.len == 0;
}

bool
wish_read(struct bytes line, struct wish *out)
{
	struct bytes words = text_line_strip(line, NULL);
	struct bytes first = take_word(&words);
	struct wish wish = { .reason = CRL_UNSPECIFIED };
	bool read = false;

	if (bytes_equal_nocase(first, "REVOKE"))
		read = read_revoke(words, &wish);
	else if (bytes_equal_nocase(first, "STATUS"))
		read = read_status(words, &wish);
	else if (bytes_equal_nocase(first, "CONFIRM"))
		read = read_confirm(words, &wish);
	if (read)
		*out = wish;
	return read;
}

/* --- a text -------------------------------------------------------------- */

/* Does the line speak of revocation at all? */
static bool
speaks_of_it(struct bytes line)
{
	static const char *const words[] = { "revoke", "revocation",
		"widerruf" };

	for (size_t at = 0; at < line.len; at++)
		for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
			if (bytes_equal_nocase(bytes_slice(line, at,
			    strlen(words[i])), words[i]))
				return true;
	return false;
}

static bool
has_digit(struct bytes line)
{
	for (size_t i = 0; i < line.len; i++)
		if (isdigit(line.data[i]))
			return true;
	return false;
}

static bool
is_same(const struct wish *a, const struct wish *b)
{
	return a->kind == b->kind && serial_equal(&a->serial, &b->serial) &&
	    a->reason == b->reason && a->request == b->request;
}

static int
add(const struct wish *wish, struct findings *found, struct err *err)
{
	for (size_t i = 0; i < found->n_wishes; i++)
		if (is_same(&found->wishes[i], wish))
			return 0;
	if (found->n_wishes == WIRE_MAX_WISHES)
		return err_set(err, ERR_REJECT, "the mail asks for more than "
		    "%d revocations; send several mails", WIRE_MAX_WISHES);
	found->wishes[found->n_wishes++] = *wish;
	return 0;
}

/*
 * Mail programs wrap long lines: what looks like the rest of a REVOKE stands in
 * the next line then. Without it another certificate would be meant, or
 * another reason. False: it cannot be told which.
 */
static bool
take_wrapped(struct bytes *text, struct wish *wish)
{
	struct bytes after = *text;
	bool quoted = false;
	struct bytes line = text_line_strip(text_line_take(&after), &quoted);
	struct wish rest = { .reason = CRL_UNSPECIFIED };

	if (wish->kind != WISH_REVOKE || quoted || line.len == 0 ||
	    !read_revoke(line, &rest))
		return true;
	if (rest.serial.len > 0 && !has_digit(line))
		return true;	/* a name, such as Bea */
	if (wish->reason != CRL_UNSPECIFIED ||
	    (wish->serial.len > 0 && rest.serial.len > 0))
		return false;
	if (rest.serial.len > 0)
		wish->serial = rest.serial;
	wish->reason = rest.reason;
	*text = after;
	return true;
}

int
wish_find(struct bytes text, struct findings *found, struct err *err)
{
	text = bytes_slice(text, 0, quote_find_forwarded(text));
	while (text.len > 0) {
		bool quoted = false;
		struct bytes line = text_line_strip(text_line_take(&text),
		    &quoted);
		struct wish wish;

		if (quoted)
			continue;
		/* Its blank may be lost on the way. */
		if (bytes_equal(line, bytes_of("--")))
			return 0;
		if (wish_read(line, &wish) && take_wrapped(&text, &wish)) {
			if (add(&wish, found, err) == -1)
				return -1;
		} else if (speaks_of_it(line)) {
			found->hints |= HINT_BIT(HINT_REVOKE);
		}
	}
	return 0;
}
