#include "csrmaild/prescan.h"

#include "common/err.h"
#include "csrmaild/field.h"

#include <string.h>

#define MAX_COMMENT_DEPTH	32
#define MAX_BOUNDARY		70	/* RFC 2046, 5.1.1 */
#define MAX_DEPTH		32	/* of our recursion, whatever the
					 * configuration says */

struct prescan {
	const struct prescan_limits *limits;
	unsigned int	 n_entities;
};

/* A multipart that is open around the entity in hand. */
struct level {
	const struct level *up;
	struct bytes	 boundary;
	unsigned int	 depth;
};

enum shape {
	SHAPE_LEAF,
	SHAPE_MULTIPART,
	SHAPE_DIGEST,	/* multipart/digest: its parts are messages unless
			 * they say otherwise (RFC 2046, 5.1.5) */
	SHAPE_MESSAGE,
};

/* What an entity's header says of its body. */
struct shape_of {
	enum shape	 shape;
	struct bytes	 boundary;
	bool		 encoded;	/* quoted-printable or base64 */
};

static int	scan_entity(struct prescan *, struct bytes entity,
		    enum shape otherwise, const struct level *, struct err *);

/*
 * How deep a reader may think the comments of this field are. Never less
 * than it is: an opening parenthesis always counts, also where it is quoted;
 * a closing one only when no backslash stands before it.
 */
static unsigned int
comment_depth(struct bytes body)
{
	unsigned int depth = 0, deepest = 0;

	for (size_t i = 0; i < body.len; i++) {
		if (body.data[i] == '(' && ++depth > deepest)
			deepest = depth;
		else if (body.data[i] == ')' && depth > 0 &&
		    body.data[i - 1] != '\\')
			depth--;
	}
	return deepest;
}

/* RFC 2046, 5.1.1: bcharsnospace, and the space, which may not be last. */
static int
check_boundary(struct bytes boundary, const struct level *up, struct err *err)
{
	if (boundary.len == 0 || boundary.len > MAX_BOUNDARY)
		return err_set(err, ERR_REJECT,
		    "a multipart's boundary must have 1 to 70 characters");
	for (size_t i = 0; i < boundary.len; i++) {
		uint8_t c = boundary.data[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    (c >= '0' && c <= '9') ||
		    (c == ' ' && i + 1 < boundary.len) ||
		    (c != '\0' && strchr("'()+_,-./:=?", c) != NULL)))
			return err_set(err, ERR_REJECT, "a multipart's "
			    "boundary has a character that RFC 2046 does not "
			    "allow");
	}
	/* One that begins like another around it ends both for a reader
	 * that looks only at the beginning of lines. */
	for (; up != NULL; up = up->up) {
		size_t n = up->boundary.len < boundary.len ?
		    up->boundary.len : boundary.len;

		if (n > 0 && memcmp(up->boundary.data, boundary.data, n) == 0)
			return err_set(err, ERR_REJECT, "two multiparts, one "
			    "in the other, have boundaries that can be "
			    "mistaken for each other");
	}
	return 0;
}

/* The parameters of a multipart's Content-Type, strictly (RFC 2045, 5.1). */
static int
read_boundary(struct bytes left, struct bytes *out, struct err *err)
{
	struct bytes name, value, found = { 0 };

	for (;;) {
		if (!lex_cfws(&left))
			break;
		if (left.len == 0) {
			if (found.data == NULL)
				return err_set(err, ERR_REJECT,
				    "a multipart has no boundary");
			*out = found;
			return 0;
		}
		if (!lex_octet(&left, ';') || !lex_cfws(&left))
			break;
		if (left.len == 0)
			continue;	/* many write a last semicolon */
		if (!lex_token(&left, &name) || !lex_cfws(&left) ||
		    !lex_octet(&left, '=') || !lex_cfws(&left) ||
		    !lex_value(&left, &value))
			break;
		/* RFC 2231 forms ("boundary*0") are read by some only. */
		if (name.len > 8 && name.data[8] == '*' &&
		    bytes_equal_nocase(bytes_slice(name, 0, 8), "boundary"))
			break;
		if (!bytes_equal_nocase(name, "boundary"))
			continue;
		if (found.data != NULL)
			return err_set(err, ERR_REJECT,
			    "a multipart has two boundaries");
		if (value.len == 0)
			break;
		found = value;
	}
	return err_set(err, ERR_REJECT, "the Content-Type of a multipart, "
	    "or its boundary, cannot be read without doubt");
}

static int
read_content_type(struct bytes left, const struct level *up,
    struct shape_of *of, struct err *err)
{
	struct bytes type, subtype;

	if (!lex_cfws(&left) || !lex_token(&left, &type) ||
	    !lex_cfws(&left) || !lex_octet(&left, '/') || !lex_cfws(&left) ||
	    !lex_token(&left, &subtype))
		return err_set(err, ERR_REJECT,
		    "a Content-Type cannot be understood");
	if (bytes_equal_nocase(type, "message")) {
		/* RFC 2046, 5.2.1. In the others we do not look. */
		of->shape = bytes_equal_nocase(subtype, "rfc822") ?
		    SHAPE_MESSAGE : SHAPE_LEAF;
		return 0;
	}
	if (!bytes_equal_nocase(type, "multipart")) {
		of->shape = SHAPE_LEAF;	/* whatever its parameters are */
		return 0;
	}
	of->shape = bytes_equal_nocase(subtype, "digest") ? SHAPE_DIGEST :
	    SHAPE_MULTIPART;
	if (read_boundary(left, &of->boundary, err) == -1)
		return -1;
	return check_boundary(of->boundary, up, err);
}

/* RFC 2045, 6.1; no x-token is known to us. */
static int
read_encoding(struct bytes left, struct shape_of *of, struct err *err)
{
	struct bytes token;

	if (!lex_cfws(&left) || !lex_token(&left, &token) ||
	    !lex_cfws(&left) || left.len != 0)
		return err_set(err, ERR_REJECT,
		    "a Content-Transfer-Encoding cannot be understood");
	of->encoded = bytes_equal_nocase(token, "quoted-printable") ||
	    bytes_equal_nocase(token, "base64");
	if (!of->encoded && !bytes_equal_nocase(token, "7bit") &&
	    !bytes_equal_nocase(token, "8bit") &&
	    !bytes_equal_nocase(token, "binary"))
		return err_set(err, ERR_REJECT,
		    "a part is encoded in a way that is not known here; use "
		    "base64 or quoted-printable");
	return 0;
}

/* On success *entity begins with the body. */
static int
read_header(struct prescan *scan, struct bytes *entity, enum shape otherwise,
    const struct level *up, struct shape_of *out, struct err *err)
{
	struct shape_of of = { .shape = otherwise };
	struct bytes left = *entity;
	unsigned int types = 0, encodings = 0;
	struct field field;
	enum field_result r;

	while ((r = field_next(&left, &field)) == FIELD_OK) {
		if (entity->len - left.len > scan->limits->max_header_octets)
			return err_set(err, ERR_REJECT,
			    "a header is longer than %zu octets",
			    scan->limits->max_header_octets);
		if (field.doubtful)
			return err_set(err, ERR_REJECT, "a header field can "
			    "be read in two ways (NUL, CR alone or an empty "
			    "continuation line)");
		if (comment_depth(field.body) > MAX_COMMENT_DEPTH)
			return err_set(err, ERR_REJECT, "a header field has "
			    "comments nested deeper than %d",
			    MAX_COMMENT_DEPTH);
		if (field.body.data != field.name.data + field.name.len + 1)
			return err_set(err, ERR_REJECT,
			    "a header field has white space before its colon");
		if (field_is(&field, "Content-Type")) {
			if (++types > 1)
				return err_set(err, ERR_REJECT,
				    "a part has two Content-Type fields");
			if (read_content_type(field.body, up, &of, err) == -1)
				return -1;
		} else if (field_is(&field, "Content-Transfer-Encoding")) {
			if (++encodings > 1)
				return err_set(err, ERR_REJECT, "a part has "
				    "two Content-Transfer-Encoding fields");
			if (read_encoding(field.body, &of, err) == -1)
				return -1;
		}
	}
	if (r == FIELD_NOT_ONE)
		return err_set(err, ERR_REJECT,
		    "a header has a line that is no header field");
	/* The empty line, unless the header is all there is. */
	if (left.len > 0 && left.data[0] == '\r')
		left = bytes_slice(left, 1, left.len);
	if (left.len > 0 && left.data[0] == '\n')
		left = bytes_slice(left, 1, left.len);
	/* RFC 2045, 6.4. */
	if (of.encoded && of.shape != SHAPE_LEAF)
		return err_set(err, ERR_REJECT, "a multipart or message "
		    "part must not be encoded as a whole");
	*entity = left;
	*out = of;
	return 0;
}

enum line {
	LINE_TEXT,
	LINE_DELIMITER,
	LINE_CLOSE,
	LINE_DOUBTFUL,	/* begins as a delimiter and goes on as text */
};

static enum line
line_kind(struct bytes line, struct bytes boundary)
{
	enum line kind = LINE_DELIMITER;
	size_t i = 2 + boundary.len;

	if (line.len < i || line.data[0] != '-' || line.data[1] != '-' ||
	    memcmp(line.data + 2, boundary.data, boundary.len) != 0)
		return LINE_TEXT;
	if (line.len >= i + 2 && line.data[i] == '-' &&
	    line.data[i + 1] == '-') {
		kind = LINE_CLOSE;
		i += 2;
	}
	/* RFC 2046, 5.1.1: transport padding. */
	for (; i < line.len; i++)
		if (line.data[i] != ' ' && line.data[i] != '\t' &&
		    line.data[i] != '\r' && line.data[i] != '\n')
			return LINE_DOUBTFUL;
	return kind;
}

/* The CRLF before a delimiter belongs to the delimiter. */
static struct bytes
without_line_end(struct bytes part)
{
	if (part.len > 0 && part.data[part.len - 1] == '\n')
		part.len--;
	if (part.len > 0 && part.data[part.len - 1] == '\r')
		part.len--;
	return part;
}

static int
scan_multipart(struct prescan *scan, struct bytes body,
    const struct shape_of *of, const struct level *up, struct err *err)
{
	struct level here = { up, of->boundary, up == NULL ? 1 :
	    up->depth + 1 };
	enum shape otherwise = of->shape == SHAPE_DIGEST ? SHAPE_MESSAGE :
	    SHAPE_LEAF;
	size_t part = (size_t)-1;	/* where the open part begins */
	bool closed = false;

	for (size_t at = 0, end; at < body.len; at = end) {
		const uint8_t *lf = memchr(body.data + at, '\n',
		    body.len - at);
		enum line kind;

		end = lf == NULL ? body.len : (size_t)(lf - body.data) + 1;
		kind = line_kind(bytes_slice(body, at, end - at),
		    of->boundary);
		if (kind == LINE_TEXT)
			continue;
		if (kind == LINE_DOUBTFUL || closed)
			return err_set(err, ERR_REJECT, "a multipart's "
			    "boundary stands where it can be read in two "
			    "ways");
		if (part != (size_t)-1 && scan_entity(scan,
		    without_line_end(bytes_slice(body, part, at - part)),
		    otherwise, &here, err) == -1)
			return -1;
		closed = kind == LINE_CLOSE;
		if (closed && part == (size_t)-1)
			break;
		part = end;
	}
	if (part == (size_t)-1)
		return err_set(err, ERR_REJECT,
		    "a multipart's boundary does not occur in it");
	if (!closed)
		return err_set(err, ERR_REJECT, "a multipart's last boundary "
		    "is missing; was the mail cut off?");
	return 0;
}

static int
scan_entity(struct prescan *scan, struct bytes entity, enum shape otherwise,
    const struct level *up, struct err *err)
{
	unsigned int depth = up == NULL ? 0 : up->depth;
	struct level here = { up, { 0 }, depth + 1 };
	struct shape_of of = { 0 };

	if (++scan->n_entities > scan->limits->max_parts)
		return err_set(err, ERR_REJECT,
		    "the mail has more than %u parts",
		    scan->limits->max_parts);
	if (depth > scan->limits->max_depth || depth > MAX_DEPTH)
		return err_set(err, ERR_REJECT,
		    "the mail's parts are nested deeper than %u",
		    scan->limits->max_depth);
	if (read_header(scan, &entity, otherwise, up, &of, err) == -1)
		return -1;
	switch (of.shape) {
	case SHAPE_LEAF:
		return 0;
	case SHAPE_MULTIPART:
	case SHAPE_DIGEST:
		return scan_multipart(scan, entity, &of, up, err);
	case SHAPE_MESSAGE:
		return scan_entity(scan, entity, SHAPE_LEAF, &here, err);
	}
	return 0;
}

int
prescan_message(struct bytes message, const struct prescan_limits *limits,
    unsigned int *n_entities, struct err *err)
{
	struct prescan scan = { .limits = limits };

	if (message.len > limits->max_octets)
		return err_set(err, ERR_REJECT,
		    "the mail is longer than %zu octets", limits->max_octets);
	if (scan_entity(&scan, message, SHAPE_LEAF, NULL, err) == -1)
		return -1;
	*n_entities = scan.n_entities;
	return 0;
}
