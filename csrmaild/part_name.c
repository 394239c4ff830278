#include "csrmaild/part_name.h"
#include "csrmaild/encoded_word.h"

#include "common/bytes.h"
#include "common/owned.h"

#include <libetpan/mailmime.h>

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#define MAX_PIECES	10	/* RFC 2231, 3 sets no limit; 10 are 700
				 * characters */
#define MAX_NAME	1024	/* octets, decoded, before it is cut */

/* The forms in which one parameter may stand there, all of them borrowed. */
struct forms {
	const char	*plain;
	const char	*extended;		/* NAME* */
	struct {
		const char	*value;
		bool		 extended;	/* NAME*N* */
	}		 pieces[MAX_PIECES];
};

/* --- character sets ------------------------------------------------------ */

static bool
is_charset(struct bytes name, const char *const *list)
{
	for (; *list != NULL; list++)
		if (bytes_equal_nocase(name, *list))
			return true;
	return false;
}

/* Octets in that character set, as UTF-8. */
static void
convert(struct bytes in, struct bytes charset, struct buf *out)
{
	static const char *const unicode[] = { "utf-8", "us-ascii", "", NULL };
	static const char *const latin[] = { "iso-8859-1", "iso-8859-15",
		"windows-1252", NULL };
	bool is_latin = is_charset(charset, latin);
	bool keep = is_charset(charset, unicode);

	for (size_t i = 0; i < in.len; i++) {
		uint8_t c = in.data[i];
		uint8_t two[2] = { (uint8_t)(0xc0 | c >> 6),
			(uint8_t)(0x80 | (c & 0x3f)) };

		if (c < ' ' || c == 127 || c == '"')
			c = '?';
		if (c < 128 || keep)
			buf_append(out, &c, 1);
		else if (is_latin && c >= 0xa0)
			buf_append(out, two, 2);
		else
			buf_append(out, "?", 1);
	}
}

/* --- RFC 2231 ------------------------------------------------------------ */

static void
percent_decode(const char *in, struct buf *out)
{
	while (*in != '\0') {
		char two[3] = { in[0] == '%' ? in[1] : '\0', '\0', '\0' };
		uint8_t c = (uint8_t)*in;

		if (two[0] != '\0')
			two[1] = in[2];
		if (hex_decode(two, &c, 1) == 1)
			in += 2;
		in++;
		buf_append(out, &c, 1);
	}
}

/* Takes charset'language' from the front (RFC 2231, 4). */
static struct bytes
take_charset(const char **value)
{
	struct bytes charset = bytes_of(*value);
	const char *quote = strchr(*value, '\'');

	if (quote == NULL || strchr(quote + 1, '\'') == NULL)
		return bytes_of("");
	charset.len = (size_t)(quote - *value);
	*value = strchr(quote + 1, '\'') + 1;
	return charset;
}

static void
join_pieces(const struct forms *forms, struct buf *out)
{
	OWNED_BUF(raw, MAX_NAME);
	struct bytes charset = bytes_of("");

	for (size_t i = 0; i < MAX_PIECES &&
	    forms->pieces[i].value != NULL; i++) {
		const char *value = forms->pieces[i].value;

		if (i == 0 && forms->pieces[i].extended)
			charset = take_charset(&value);
		if (forms->pieces[i].extended)
			percent_decode(value, &raw);
		else
			buf_append_str(&raw, value);
	}
	convert(buf_bytes(&raw), charset, out);
}

/* --- RFC 2047 ------------------------------------------------------------ */

static bool
take_encoded_word(struct bytes *left, struct buf *out)
{
	OWNED_BUF(raw, MAX_NAME);
	struct bytes charset;

	if (!encoded_word_take(left, &charset, &raw))
		return false;
	convert(buf_bytes(&raw), charset, out);
	return true;
}

static void
decode_words(const char *in, struct buf *out)
{
	struct bytes left = bytes_of(in);
	bool behind_word = false;

	while (left.len > 0) {
		struct bytes before = left;

		/* Blanks between two of them are not shown (6.2). */
		while (behind_word && left.len > 0 && left.data[0] == ' ')
			left = bytes_slice(left, 1, left.len);
		if (take_encoded_word(&left, out)) {
			behind_word = true;
			continue;
		}
		left = before;
		behind_word = false;
		convert(bytes_slice(left, 0, 1), bytes_of("utf-8"), out);
		left = bytes_slice(left, 1, left.len);
	}
}

/* --- which of the forms -------------------------------------------------- */

/* libetpan hands on attributes and values as they stand. The first of each
 * form counts. */
static void
take_form(struct forms *forms, const char *attribute, const char *value,
    const char *wanted)
{
	size_t n = strlen(wanted);
	const char *rest = attribute + n;
	const char **place = NULL;

	if (value == NULL || strncasecmp(attribute, wanted, n) != 0)
		return;
	if (*rest == '\0') {
		place = &forms->plain;
	} else if (strcmp(rest, "*") == 0) {
		place = &forms->extended;
	} else if (rest[0] == '*' && rest[1] >= '0' && rest[1] <= '9' &&
	    (rest[2] == '\0' || strcmp(rest + 2, "*") == 0)) {
		place = &forms->pieces[rest[1] - '0'].value;
		if (*place == NULL)
			forms->pieces[rest[1] - '0'].extended =
			    rest[2] == '*';
	}
	if (place != NULL && *place == NULL)
		*place = value;
}

static void
take_disposition(const struct mailmime_disposition *disposition,
    struct forms *forms)
{
	for (clistiter *i = clist_begin(disposition->dsp_parms); i != NULL;
	    i = clist_next(i)) {
		const struct mailmime_disposition_parm *p = clist_content(i);

		if (p->pa_type == MAILMIME_DISPOSITION_PARM_FILENAME)
			take_form(forms, "filename", p->pa_data.pa_filename,
			    "filename");
		else if (p->pa_type == MAILMIME_DISPOSITION_PARM_PARAMETER)
			take_form(forms, p->pa_data.pa_parameter->pa_name,
			    p->pa_data.pa_parameter->pa_value, "filename");
	}
}

/* RFC 2231, 4.1: who writes it means it. */
static void
decode(const struct forms *forms, struct buf *out)
{
	const char *value = forms->extended;

	if (value != NULL) {
		OWNED_BUF(raw, MAX_NAME);
		struct bytes charset = take_charset(&value);

		percent_decode(value, &raw);
		convert(buf_bytes(&raw), charset, out);
	} else if (forms->pieces[0].value != NULL) {
		join_pieces(forms, out);
	} else if (forms->plain != NULL) {
		decode_words(forms->plain, out);
	}
}

size_t
part_name_fit(const char *text, size_t max)
{
	size_t n = strlen(text);

	if (n <= max)
		return n;
	for (n = max; n > 0 && ((uint8_t)text[n] & 0xc0) == 0x80; n--)
		;
	return n;
}

void
part_name_find(const struct mailmime *leaf, char *out, size_t size)
{
	const struct mailmime_fields *fields = leaf->mm_mime_fields;
	struct forms of_disposition = { 0 }, of_type = { 0 };
	OWNED_BUF(name, 2 * MAX_NAME);
	size_t n;

	for (clistiter *i = fields == NULL ? NULL :
	    clist_begin(fields->fld_list); i != NULL; i = clist_next(i)) {
		const struct mailmime_field *f = clist_content(i);

		if (f->fld_type == MAILMIME_FIELD_DISPOSITION)
			take_disposition(f->fld_data.fld_disposition,
			    &of_disposition);
	}
	for (clistiter *i = clist_begin(leaf->mm_content_type->ct_parameters);
	    i != NULL; i = clist_next(i)) {
		const struct mailmime_parameter *p = clist_content(i);

		if (p->pa_name != NULL)
			take_form(&of_type, p->pa_name, p->pa_value, "name");
	}
	decode(&of_disposition, &name);
	if (name.len == 0)
		decode(&of_type, &name);
	/* What does not fit at all is no name for anybody. */
	n = name.len == 0 ? 0 : part_name_fit(buf_str(&name), size - 1);
	memcpy(out, n == 0 ? "" : buf_str(&name), n);
	out[n] = '\0';
}
