#include "common/der.h"

#include "common/err.h"

#include <string.h>

#define MAX_DEPTH	24	/* a request of ours needs some ten */

bool
der_next(struct bytes *in, uint8_t *tag, struct bytes *content,
    struct bytes *whole)
{
	size_t len, head = 2;
	uint8_t first;

	if (in->len < 2)
		return false;
	/* Tags above 30 do not occur in what we read. */
	if ((in->data[0] & 0x1f) == 0x1f)
		return false;
	first = in->data[1];
	len = first;
	if (first >= 0x80) {
		size_t n = first & 0x7f;

		if (n == 0 || n > 4 || in->len < 2 + n || in->data[2] == 0)
			return false;
		len = 0;
		for (size_t i = 0; i < n; i++)
			len = len << 8 | in->data[2 + i];
		if (len < 0x80)
			return false;
		head += n;
	}
	if (in->len - head < len)
		return false;
	*tag = in->data[0];
	*content = (struct bytes){ in->data + head, len };
	if (whole != NULL)
		*whole = (struct bytes){ in->data, head + len };
	*in = (struct bytes){ in->data + head + len, in->len - head - len };
	return true;
}

bool
der_take(struct bytes *in, uint8_t tag, struct bytes *content)
{
	uint8_t found;

	return der_next(in, &found, content, NULL) && found == tag;
}

bool
der_take_unsigned(struct bytes *in, struct bytes *out)
{
	struct bytes v;

	if (!der_take(in, DER_INTEGER, &v) || v.len == 0 ||
	    (v.data[0] & 0x80) != 0)
		return false;
	if (v.data[0] == 0) {
		/* The sign octet, unless the number is zero itself. */
		if (v.len > 1 && (v.data[1] & 0x80) == 0)
			return false;
		v = (struct bytes){ v.data + 1, v.len - 1 };
	}
	*out = v;
	return true;
}

static const char *
check_primitive(uint8_t tag, struct bytes v)
{
	switch (tag) {
	case DER_BOOLEAN:
		if (v.len != 1 || (v.data[0] != 0 && v.data[0] != 0xff))
			return "a BOOLEAN is neither 00 nor FF";
		break;
	case DER_INTEGER:
		if (v.len == 0 || (v.len > 1 &&
		    ((v.data[0] == 0 && (v.data[1] & 0x80) == 0) ||
		    (v.data[0] == 0xff && (v.data[1] & 0x80) != 0))))
			return "an INTEGER is not in its shortest form";
		break;
	case DER_BIT_STRING:
		if (v.len == 0 || v.data[0] > 7 ||
		    (v.len == 1 && v.data[0] != 0) ||
		    (v.data[v.len - 1] & ((1u << v.data[0]) - 1)) != 0)
			return "a BIT STRING's unused bits are wrong";
		break;
	case DER_NULL:
		if (v.len != 0)
			return "a NULL is not empty";
		break;
	case DER_OID:
		if (v.len == 0 || (v.data[v.len - 1] & 0x80) != 0)
			return "an OBJECT IDENTIFIER is cut off";
		for (size_t i = 0; i < v.len; i++)
			if (v.data[i] == 0x80 &&
			    (i == 0 || (v.data[i - 1] & 0x80) == 0))
				return "an OBJECT IDENTIFIER is not in its "
				    "shortest form";
		break;
	default:
		break;
	}
	return NULL;
}

/* As octet strings, the shorter one padded with zeros. */
bool
der_in_order(struct bytes a, struct bytes b)
{
	int r = memcmp(a.data, b.data, a.len < b.len ? a.len : b.len);

	return r < 0 || (r == 0 && a.len <= b.len);
}

static const char *
check_elements(struct bytes in, bool set, unsigned int depth)
{
	struct bytes content, whole, last = { NULL, 0 };
	const char *why;
	uint8_t tag;

	if (depth > MAX_DEPTH)
		return "it is nested too deep";
	while (in.len > 0) {
		if (!der_next(&in, &tag, &content, &whole))
			return "a length is wrong or not in its shortest form";
		if (set && last.len > 0 && !der_in_order(last, whole))
			return "a SET is not in order";
		last = whole;
		if ((tag & 0xc0) == 0) {	/* universal */
			bool constructed = (tag & 0x20) != 0;
			uint8_t number = tag & 0x1f;

			if (number == 0)
				return "a tag is wrong";
			/* SEQUENCE, SET, EXTERNAL, EMBEDDED PDV. */
			if (constructed != (number == 16 || number == 17 ||
			    number == 8 || number == 11))
				return "a string is in pieces";
		}
		why = (tag & 0x20) != 0 ?
		    check_elements(content, tag == DER_SET, depth + 1) :
		    check_primitive(tag, content);
		if (why != NULL)
			return why;
	}
	return NULL;
}

int
der_check(struct bytes in, struct err *err)
{
	struct bytes left = in, content;
	const char *why;
	uint8_t tag;

	if (!der_next(&left, &tag, &content, NULL))
		return err_set(err, ERR_REJECT, "it is not DER: "
		    "it is cut off, or a length is wrong");
	if (left.len > 0)
		return err_set(err, ERR_REJECT, "it is not DER: "
		    "%zu octets follow its end", left.len);
	why = check_elements(in, false, 0);
	if (why != NULL)
		return err_set(err, ERR_REJECT, "it is not DER: %s", why);
	return 0;
}
