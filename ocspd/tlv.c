#include "ocspd/tlv.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* The header in front of *in: its octets, and the content's length. */
static bool
read_header(struct bytes in, uint8_t tag, size_t *header, size_t *len)
{
	size_t n, octets;

	if (in.len < 2 || in.data[0] != tag)
		return false;
	n = in.data[1];
	octets = 0;
	if (n >= 0x80) {
		octets = n & 0x7f;
		/* 0x80 is the indefinite form; three octets are 16 MiB. */
		if (octets == 0 || octets > 3 || in.len < 2 + octets)
			return false;
		n = 0;
		for (size_t i = 0; i < octets; i++)
			n = n << 8 | in.data[2 + i];
		/* X.690, 10.1: the fewest octets. */
		if (n < 0x80 || (octets > 1 && n >> 8 * (octets - 1) == 0))
			return false;
	}
	if (in.len - 2 - octets < n)
		return false;
	*header = 2 + octets;
	*len = n;
	return true;
}

bool
tlv_take(struct bytes *in, uint8_t tag, struct bytes *content)
{
	size_t header, len;

	if (!read_header(*in, tag, &header, &len))
		return false;
	*content = (struct bytes){ in->data + header, len };
	in->data += header + len;
	in->len -= header + len;
	return true;
}

bool
tlv_take_whole(struct bytes *in, uint8_t tag, struct bytes *element)
{
	size_t header, len;

	if (!read_header(*in, tag, &header, &len))
		return false;
	*element = (struct bytes){ in->data, header + len };
	in->data += header + len;
	in->len -= header + len;
	return true;
}

bool
tlv_is(struct bytes in, uint8_t tag)
{
	return in.len > 0 && in.data[0] == tag;
}

size_t
tlv_mark(const struct tlv *w)
{
	return w->cap - w->at;
}

void
tlv_put(struct tlv *w, struct bytes v)
{
	if (w->failed || v.len > w->at) {
		w->failed = true;
		return;
	}
	w->at -= v.len;
	if (v.len > 0)
		memcpy(w->data + w->at, v.data, v.len);
}

void
tlv_put_octet(struct tlv *w, uint8_t v)
{
	tlv_put(w, (struct bytes){ &v, 1 });
}

void
tlv_wrap(struct tlv *w, uint8_t tag, size_t mark)
{
	size_t len = tlv_mark(w) - mark;

	if (len < 0x80) {
		tlv_put_octet(w, (uint8_t)len);
	} else {
		uint8_t octets = 0;

		for (size_t n = len; n > 0; n >>= 8) {
			tlv_put_octet(w, (uint8_t)n);
			octets++;
		}
		tlv_put_octet(w, 0x80 | octets);
	}
	tlv_put_octet(w, tag);
}

void
tlv_put_element(struct tlv *w, uint8_t tag, struct bytes content)
{
	size_t end = tlv_mark(w);

	tlv_put(w, content);
	tlv_wrap(w, tag, end);
}

void
tlv_put_time(struct tlv *w, int64_t t)
{
	time_t when = (time_t)t;
	struct tm tm;
	char text[32];

	if (t < 0 || gmtime_r(&when, &tm) == NULL || tm.tm_year > 9999 - 1900) {
		w->failed = true;
		return;
	}
	strftime(text, sizeof(text), "%Y%m%d%H%M%SZ", &tm);
	tlv_put_element(w, DER_GENERALIZED_TIME, bytes_of(text));
}

struct bytes
tlv_bytes(const struct tlv *w)
{
	return (struct bytes){ w->data + w->at, w->cap - w->at };
}
