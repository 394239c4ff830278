#include "csrmaild/part.h"

#include "common/err.h"

#include <libetpan/mailmime.h>
#include <libetpan/mmapstring.h>

#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool
is_one_of(const char *word, const char *const *list)
{
	for (; *list != NULL; list++)
		if (strcasecmp(word, *list) == 0)
			return true;
	return false;
}

/* --- names --------------------------------------------------------------- */

/* Lower-case printable text of a token that libetpan found. */
static void
copy_word(const char *in, char *out, size_t size)
{
	size_t n = 0;

	for (; in != NULL && *in != '\0' && n + 1 < size; in++) {
		char c = *in;

		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		out[n++] = c > ' ' && c < 127 ? c : '?';
	}
	out[n] = '\0';
}

static void
name_type(const struct mailmime_content *content, char *out, size_t size)
{
	static const char *const discrete[] = { "?", "text", "image",
		"audio", "video", "application" };
	const struct mailmime_type *type = content->ct_type;
	const char *main_type = "?";
	char whole[256];
	int kind;

	if (type->tp_type == MAILMIME_TYPE_DISCRETE_TYPE) {
		kind = type->tp_data.tp_discrete_type->dt_type;
		if (kind == MAILMIME_DISCRETE_TYPE_EXTENSION)
			main_type =
			    type->tp_data.tp_discrete_type->dt_extension;
		else if (kind > 0 && kind < MAILMIME_DISCRETE_TYPE_EXTENSION)
			main_type = discrete[kind];
	} else if (type->tp_type == MAILMIME_TYPE_COMPOSITE_TYPE) {
		kind = type->tp_data.tp_composite_type->ct_type;
		main_type = kind == MAILMIME_COMPOSITE_TYPE_MULTIPART ?
		    "multipart" : "message";
	}
	snprintf(whole, sizeof(whole), "%s/%s", main_type,
	    content->ct_subtype);
	copy_word(whole, out, size);
}

/* A name, percent-decoded behind charset'language' when it is of RFC 2231. */
static void
copy_name(const char *in, bool extended, char *out, size_t size)
{
	size_t n = 0;

	if (extended) {
		const char *quote = strchr(in, '\'');

		quote = quote == NULL ? NULL : strchr(quote + 1, '\'');
		if (quote != NULL)
			in = quote + 1;
	}
	while (*in != '\0' && n + 1 < size) {
		uint8_t c = (uint8_t)*in;

		if (extended && c == '%' && strlen(in) >= 3) {
			char two[3] = { in[1], in[2], '\0' };

			if (hex_decode(two, &c, 1) == 1)
				in += 2;
		}
		in++;
		out[n++] = c >= ' ' && c < 127 && c != '"' ? (char)c : '?';
	}
	out[n] = '\0';
}

/* "NAME*" is RFC 2231's; libetpan hands it on as it stands. */
static void
try_name(const char *attribute, const char *value, const char *wanted,
    char *out, size_t size)
{
	size_t n = strlen(wanted);

	if (attribute == NULL || value == NULL ||
	    strncasecmp(attribute, wanted, n) != 0)
		return;
	if (strcmp(attribute + n, "*") == 0 ||
	    strcmp(attribute + n, "*0*") == 0)
		copy_name(value, true, out, size);
	else if (out[0] == '\0' && (attribute[n] == '\0' ||
	    strcmp(attribute + n, "*0") == 0))
		copy_name(value, false, out, size);
}

static void
name_from_disposition(const struct mailmime_disposition *disposition,
    char *out, size_t size)
{
	for (clistiter *i = clist_begin(disposition->dsp_parms); i != NULL;
	    i = clist_next(i)) {
		const struct mailmime_disposition_parm *p = clist_content(i);

		if (p->pa_type == MAILMIME_DISPOSITION_PARM_FILENAME)
			try_name("filename", p->pa_data.pa_filename,
			    "filename", out, size);
		else if (p->pa_type == MAILMIME_DISPOSITION_PARM_PARAMETER)
			try_name(p->pa_data.pa_parameter->pa_name,
			    p->pa_data.pa_parameter->pa_value, "filename",
			    out, size);
	}
}

static void
find_name(const struct mailmime *leaf, char *out, size_t size)
{
	const struct mailmime_fields *fields = leaf->mm_mime_fields;

	for (clistiter *i = fields == NULL ? NULL :
	    clist_begin(fields->fld_list); i != NULL; i = clist_next(i)) {
		const struct mailmime_field *f = clist_content(i);

		if (f->fld_type == MAILMIME_FIELD_DISPOSITION)
			name_from_disposition(f->fld_data.fld_disposition,
			    out, size);
	}
	if (out[0] != '\0')
		return;
	for (clistiter *i = clist_begin(leaf->mm_content_type->ct_parameters);
	    i != NULL; i = clist_next(i)) {
		const struct mailmime_parameter *p = clist_content(i);

		try_name(p->pa_name, p->pa_value, "name", out, size);
	}
}

/* --- octets -------------------------------------------------------------- */

static int
decode_quoted_printable(struct bytes in, struct buf *out, struct err *err)
{
	char *text = NULL;
	size_t len = 0, at = 0;
	int r = mailmime_part_parse((const char *)in.data, in.len, &at,
	    MAILMIME_MECHANISM_QUOTED_PRINTABLE, &text, &len);

	if (r != MAILIMF_NO_ERROR)
		return err_set(err, ERR_REJECT,
		    "a part's quoted-printable text cannot be decoded");
	buf_append(out, text, len);
	mmap_string_unref(text);
	return 0;
}

static int
decode(const struct mailmime_data *data, struct buf *out, struct err *err)
{
	struct bytes in = { (const uint8_t *)data->dt_data.dt_text.dt_data,
		data->dt_data.dt_text.dt_length };

	if (in.len == 0)
		return 0;
	switch (data->dt_encoding) {
	case MAILMIME_MECHANISM_BASE64:
		if (base64_decode(in, out) == -1)
			return err_set(err, ERR_REJECT, "a part's base64 is "
			    "broken, or something follows its end");
		break;
	case MAILMIME_MECHANISM_QUOTED_PRINTABLE:
		return decode_quoted_printable(in, out, err);
	default:
		buf_append_bytes(out, in);
	}
	return 0;
}

int
part_read(const struct mailmime *leaf, size_t max, struct part *out,
    struct err *err)
{
	OWNED_PART part = { .body = BUF(max) };
	const struct mailmime_data *data = leaf->mm_data.mm_single;

	if (leaf->mm_type != MAILMIME_SINGLE || data == NULL ||
	    data->dt_type != MAILMIME_DATA_TEXT ||
	    leaf->mm_content_type == NULL)
		return err_set(err, ERR_REJECT, "a part cannot be read");
	name_type(leaf->mm_content_type, part.type, sizeof(part.type));
	copy_word(mailmime_content_param_get(leaf->mm_content_type,
	    "charset"), part.charset, sizeof(part.charset));
	find_name(leaf, part.name, sizeof(part.name));
	part.octets = data->dt_data.dt_text.dt_length;
	if (decode(data, &part.body, err) == -1)
		return -1;
	if (part.body.failed)
		return err_set(err, ERR_FAULT, "out of memory");
	*out = part;
	part.body = BUF(0);	/* handed on */
	return 0;
}

void
part_free(struct part *part)
{
	buf_wipe(&part->body);
}

/* --- what kind it is ----------------------------------------------------- */

bool
part_name_ends_in(const struct part *part, const char *const *endings)
{
	const char *dot = strrchr(part->name, '.');

	return dot != NULL && is_one_of(dot, endings);
}

static bool
is_archive(const struct part *part)
{
	static const char *const types[] = { "application/zip",
		"application/x-zip-compressed", "application/gzip",
		"application/x-gzip", "application/x-tar",
		"application/x-7z-compressed", "application/vnd.rar",
		"application/x-rar-compressed", "application/ms-tnef",
		"application/vnd.ms-tnef", NULL };
	static const char *const endings[] = { ".zip", ".gz", ".tgz", ".tar",
		".7z", ".rar", ".bz2", ".xz", NULL };

	return is_one_of(part->type, types) ||
	    part_name_ends_in(part, endings) ||
	    strcasecmp(part->name, "winmail.dat") == 0;
}

/* Their fields, reports and pieces are no text that the sender wrote. */
static bool
is_about_mail(const struct part *part)
{
	return strncmp(part->type, "message/", 8) == 0 ||
	    strcmp(part->type, "text/rfc822-headers") == 0;
}

bool
part_is_source(const struct part *part)
{
	return strcmp(part->type, "text/html") != 0 &&
	    !is_about_mail(part) && !is_archive(part);
}

void
part_describe(const struct part *part, char *out, size_t size)
{
	const char *why = "";

	if (strcmp(part->type, "text/html") == 0)
		why = ": HTML, not read";
	else if (is_about_mail(part))
		why = ": not read";
	else if (strcmp(part->type, "application/ms-tnef") == 0 ||
	    strcasecmp(part->name, "winmail.dat") == 0)
		why = ": Outlook's own format, not opened";
	else if (is_archive(part))
		why = ": an archive, not opened";
	if (part->name[0] == '\0')
		snprintf(out, size, "%.40s%s", part->type, why);
	else
		snprintf(out, size, "%.28s \"%.24s\"%s", part->type,
		    part->name, why);
}

/* --- text ---------------------------------------------------------------- */

static struct bytes
from_utf16(struct bytes in, size_t low, struct buf *room)
{
	*room = BUF(in.len / 2 + 1);
	for (size_t i = 0; i + 1 < in.len; i += 2) {
		uint8_t c = in.data[i + low];
		uint8_t high = in.data[i + 1 - low];
		uint8_t ascii = high == 0 && c < 128 ? c : '?';

		if (high == 0xfe && c == 0xff)
			continue;	/* the byte order mark */
		buf_append(room, &ascii, 1);
	}
	return buf_bytes(room);
}

struct bytes
part_text(const struct part *part, struct buf *room)
{
	struct bytes in = buf_bytes(&part->body);
	bool wide = strncmp(part->charset, "utf-16", 6) == 0 ||
	    strcmp(part->charset, "unicode") == 0;

	if (in.len < 4)
		return in;
	if (in.data[0] == 0xff && in.data[1] == 0xfe)
		return from_utf16(in, 0, room);
	if (in.data[0] == 0xfe && in.data[1] == 0xff)
		return from_utf16(in, 1, room);
	if (memcmp(in.data, "\xef\xbb\xbf", 3) == 0)
		return bytes_slice(in, 3, in.len);
	/* Without a mark: PEM begins with dashes, and every second octet of
	 * UTF-16 is zero there. RFC 2781, 4.3: big-endian unless said. */
	if (in.data[0] != 0 && in.data[1] == 0 &&
	    (wide || in.data[0] == '-'))
		return from_utf16(in, 0, room);
	if (in.data[0] == 0 && in.data[1] != 0 &&
	    (wide || in.data[1] == '-'))
		return from_utf16(in, 1, room);
	return in;
}
