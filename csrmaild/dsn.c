#include "csrmaild/dsn.h"

#include "csrmaild/field.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define MAX_LINE	998	/* RFC 5322, 2.1.1 */

struct report {
	char		*id;
	size_t		 id_size;
	char		 recipient[160], diagnosis[160], status[32];
	bool		 failed;
};

static bool
is_report(struct bytes message, struct bytes *body)
{
	struct bytes left = message, type, subtype;
	struct field field;
	bool is = false;

	while (field_next(&left, &field) == FIELD_OK) {
		struct bytes value = field.body;

		if (field_is(&field, "Content-Type"))
			is = lex_cfws(&value) && lex_token(&value, &type) &&
			    lex_octet(&value, '/') &&
			    lex_token(&value, &subtype) &&
			    bytes_equal_nocase(type, "multipart") &&
			    bytes_equal_nocase(subtype, "report");
	}
	*body = left;
	return is;
}

static struct bytes
take_line(struct bytes *left)
{
	const uint8_t *end = memchr(left->data, '\n', left->len);
	size_t len = end == NULL ? left->len : (size_t)(end - left->data);
	struct bytes line = bytes_slice(*left, 0, len);

	*left = bytes_slice(*left, end == NULL ? len : len + 1, left->len);
	while (line.len > 0 && (line.data[line.len - 1] == '\r' ||
	    line.data[line.len - 1] == ' '))
		line.len--;
	return bytes_slice(line, 0, MAX_LINE);
}

/* "Name: value": the value, when that is the line's name. */
static bool
line_is(struct bytes line, const char *name, struct bytes *value)
{
	size_t len = strlen(name);

	if (line.len <= len || line.data[len] != ':' ||
	    strncasecmp((const char *)line.data, name, len) != 0)
		return false;
	*value = bytes_slice(line, len + 1, line.len);
	while (value->len > 0 && (value->data[0] == ' ' ||
	    value->data[0] == '\t'))
		*value = bytes_slice(*value, 1, value->len);
	return true;
}

/* The first one counts, printable ASCII of it. */
static void
keep(struct bytes value, char *out, size_t size)
{
	size_t n = 0;

	if (out[0] != '\0')
		return;
	for (size_t i = 0; i < value.len && n + 1 < size; i++)
		out[n++] = value.data[i] >= ' ' && value.data[i] < 0x7f ?
		    (char)value.data[i] : '?';
	out[n] = '\0';
}

/* "rfc822; user@example.org": what is behind the type. */
static struct bytes
without_type(struct bytes value)
{
	const uint8_t *semicolon = memchr(value.data, ';', value.len);

	if (semicolon == NULL)
		return value;
	value = bytes_slice(value, (size_t)(semicolon - value.data) + 1,
	    value.len);
	return value.len > 0 && value.data[0] == ' ' ?
	    bytes_slice(value, 1, value.len) : value;
}

/* "<id>", alone. */
static void
keep_id(struct bytes value, struct report *r)
{
	if (value.len < 3 || value.data[0] != '<' ||
	    value.data[value.len - 1] != '>' || value.len - 2 >= r->id_size ||
	    memchr(value.data, ' ', value.len) != NULL)
		return;
	keep(bytes_slice(value, 1, value.len - 2), r->id, r->id_size);
}

static void
look_at(struct bytes line, struct report *r)
{
	struct bytes value;

	if (line_is(line, "Message-ID", &value))
		keep_id(value, r);
	else if (line_is(line, "Final-Recipient", &value))
		keep(without_type(value), r->recipient, sizeof(r->recipient));
	else if (line_is(line, "Diagnostic-Code", &value))
		keep(without_type(value), r->diagnosis, sizeof(r->diagnosis));
	else if (line_is(line, "Status", &value))
		keep(value, r->status, sizeof(r->status));
	else if (line_is(line, "Action", &value))
		r->failed |= bytes_equal_nocase(value, "failed");
}

bool
dsn_read(struct bytes message, char *message_id, size_t id_size, char *text,
    size_t text_size)
{
	struct report r = { .id = message_id, .id_size = id_size };
	struct bytes left;

	message_id[0] = text[0] = '\0';
	if (!is_report(message, &left))
		return false;
	while (left.len > 0)
		look_at(take_line(&left), &r);
	/* Delayed, relayed, delivered: no news that anybody need act on. */
	if (message_id[0] == '\0' || !r.failed) {
		message_id[0] = '\0';
		return false;
	}
	snprintf(text, text_size, "%s%s%s", r.recipient,
	    r.recipient[0] == '\0' ? "" : ": ", r.diagnosis[0] != '\0' ?
	    r.diagnosis : r.status[0] != '\0' ? r.status : "not delivered");
	return true;
}
