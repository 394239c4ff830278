#include "common/frame.h"

#include <string.h>

static void
put_number(struct buf *b, uint64_t v, unsigned int octets)
{
	uint8_t out[8];

	for (unsigned int i = 0; i < octets; i++)
		out[i] = (uint8_t)(v >> 8 * (octets - 1 - i));
	buf_append(b, out, octets);
}

void
put_u8(struct buf *b, uint8_t v)
{
	put_number(b, v, 1);
}

void
put_u16(struct buf *b, uint16_t v)
{
	put_number(b, v, 2);
}

void
put_u32(struct buf *b, uint32_t v)
{
	put_number(b, v, 4);
}

void
put_u64(struct buf *b, uint64_t v)
{
	put_number(b, v, 8);
}

void
put_time(struct buf *b, int64_t v)
{
	put_number(b, (uint64_t)v, 8);
}

void
put_bytes(struct buf *b, struct bytes v)
{
	if (v.len > UINT32_MAX) {
		b->failed = true;
		return;
	}
	put_u32(b, (uint32_t)v.len);
	buf_append_bytes(b, v);
}

void
put_str(struct buf *b, const char *v)
{
	put_bytes(b, bytes_of(v));
}

static uint64_t
get_number(struct cursor *c, unsigned int octets)
{
	uint64_t v = 0;

	if (c->failed || c->left.len < octets) {
		c->failed = true;
		return 0;
	}
	for (unsigned int i = 0; i < octets; i++)
		v = v << 8 | c->left.data[i];
	c->left.data += octets;
	c->left.len -= octets;
	return v;
}

uint8_t
get_u8(struct cursor *c)
{
	return (uint8_t)get_number(c, 1);
}

uint16_t
get_u16(struct cursor *c)
{
	return (uint16_t)get_number(c, 2);
}

uint32_t
get_u32(struct cursor *c)
{
	return (uint32_t)get_number(c, 4);
}

uint64_t
get_u64(struct cursor *c)
{
	return get_number(c, 8);
}

int64_t
get_time(struct cursor *c)
{
	return (int64_t)get_number(c, 8);
}

bool
get_bool(struct cursor *c)
{
	return get_enum(c, 0, 1) == 1;
}

struct bytes
get_bytes(struct cursor *c, size_t max)
{
	size_t len = get_u32(c);
	struct bytes v;

	if (c->failed || len > max || len > c->left.len) {
		c->failed = true;
		return (struct bytes){ 0 };
	}
	v = (struct bytes){ c->left.data, len };
	c->left.data += len;
	c->left.len -= len;
	return v;
}

void
get_str(struct cursor *c, char *dst, size_t size)
{
	struct bytes v = get_bytes(c, size - 1);

	if (v.len > 0 && memchr(v.data, '\0', v.len) != NULL) {
		c->failed = true;
		v.len = 0;
	}
	if (v.len > 0)
		memcpy(dst, v.data, v.len);
	dst[v.len] = '\0';
}

uint32_t
get_count(struct cursor *c, uint32_t max)
{
	uint32_t n = get_u32(c);

	if (n > max) {
		c->failed = true;
		return 0;
	}
	return n;
}

uint8_t
get_enum(struct cursor *c, uint8_t lo, uint8_t hi)
{
	uint8_t v = get_u8(c);

	if (c->failed || v < lo || v > hi) {
		c->failed = true;
		return lo;
	}
	return v;
}

bool
cursor_end(const struct cursor *c)
{
	return !c->failed && c->left.len == 0;
}
