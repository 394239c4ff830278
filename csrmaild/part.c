#include "csrmaild/part.h"

#include "common/err.h"
#include "csrmaild/part_name.h"
#include "csrmaild/text_line.h"

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

static bool
parameter_is(const struct mailmime *leaf, const char *name, const char *value)
{
	char *found = mailmime_content_param_get(leaf->mm_content_type,
	    (char *)(uintptr_t)name);

	return found != NULL && strcasecmp(found, value) == 0;
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
	part.flowed = strcmp(part.type, "text/plain") == 0 &&
	    parameter_is(leaf, "format", "flowed");
	part.delsp = parameter_is(leaf, "delsp", "yes");
	part_name_find(leaf, part.name, sizeof(part.name));
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

bool
part_name_ends_in(const struct part *part, const char *const *endings)
{
	const char *dot = strrchr(part->name, '.');

	return dot != NULL && is_one_of(dot, endings);
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
	return part->flowed ? text_unflow(in, part->delsp, room) : in;
}
