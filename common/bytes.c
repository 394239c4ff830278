#include "common/bytes.h"

#include <openssl/crypto.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct bytes
bytes_of(const char *s)
{
	return (struct bytes){ (const uint8_t *)s, strlen(s) };
}

bool
bytes_equal(struct bytes a, struct bytes b)
{
	return a.len == b.len &&
	    (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool
bytes_equal_nocase(struct bytes a, const char *s)
{
	return a.len == strlen(s) &&
	    (a.len == 0 || strncasecmp((const char *)a.data, s, a.len) == 0);
}

struct bytes
bytes_slice(struct bytes b, size_t off, size_t len)
{
	if (off > b.len)
		off = b.len;
	if (len > b.len - off)
		len = b.len - off;
	return (struct bytes){ len == 0 ? NULL : b.data + off, len };
}

size_t
bytes_find(struct bytes hay, struct bytes needle)
{
	const uint8_t *at;

	if (needle.len == 0 || hay.len < needle.len)
		return (size_t)-1;
	at = memmem(hay.data, hay.len, needle.data, needle.len);
	return at == NULL ? (size_t)-1 : (size_t)(at - hay.data);
}

uint8_t *
buf_reserve(struct buf *b, size_t n)
{
	size_t want, cap;
	uint8_t *grown;

	if (b->failed || n > b->max - b->len) {
		b->failed = true;
		return NULL;
	}
	want = b->len + n;
	if (want + 1 <= b->cap)
		return b->data + b->len;
	for (cap = b->cap == 0 ? 256 : b->cap; cap < want + 1; cap *= 2)
		if (cap > SIZE_MAX / 2) {
			b->failed = true;
			return NULL;
		}
	grown = malloc(cap);
	if (grown == NULL) {
		b->failed = true;
		return NULL;
	}
	if (b->len > 0)
		memcpy(grown, b->data, b->len);
	/* Not realloc: what moves may be a secret. */
	OPENSSL_cleanse(b->data, b->data == NULL ? 0 : b->len);
	free(b->data);
	b->data = grown;
	b->cap = cap;
	return b->data + b->len;
}

int
buf_append(struct buf *b, const void *data, size_t n)
{
	uint8_t *to = buf_reserve(b, n);

	if (to == NULL)
		return -1;
	if (n > 0)
		memcpy(to, data, n);
	b->len += n;
	b->data[b->len] = '\0';
	return 0;
}

int
buf_append_bytes(struct buf *b, struct bytes in)
{
	return buf_append(b, in.data, in.len);
}

int
buf_append_str(struct buf *b, const char *s)
{
	return buf_append(b, s, strlen(s));
}

int
buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap, again;
	uint8_t *to;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	to = n < 0 ? NULL : buf_reserve(b, (size_t)n);
	if (to != NULL) {
		/* The reservation holds one octet more, for the NUL. */
		vsnprintf((char *)to, (size_t)n + 1, fmt, again);
		b->len += (size_t)n;
	}
	va_end(again);
	return to == NULL ? -1 : 0;
}

void
buf_consume(struct buf *b, size_t n)
{
	if (n >= b->len) {
		buf_clear(b);
		return;
	}
	memmove(b->data, b->data + n, b->len - n);
	b->len -= n;
	b->data[b->len] = '\0';
}

void
buf_clear(struct buf *b)
{
	b->len = 0;
	b->failed = false;
	if (b->data != NULL)
		b->data[0] = '\0';
}

void
buf_free(struct buf *b)
{
	free(b->data);
	*b = BUF(b->max);
}

void
buf_wipe(struct buf *b)
{
	if (b->data != NULL)
		OPENSSL_cleanse(b->data, b->cap);
	buf_free(b);
}

struct bytes
buf_bytes(const struct buf *b)
{
	return (struct bytes){ b->data, b->len };
}

const char *
buf_str(const struct buf *b)
{
	if (b->data == NULL)
		return "";
	b->data[b->len] = '\0';	/* whoever used buf_reserve did not */
	return (const char *)b->data;
}

void
hex_encode(struct bytes in, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < in.len; i++) {
		*out++ = digits[in.data[i] >> 4];
		*out++ = digits[in.data[i] & 15];
	}
	*out = '\0';
}

void
hex_encode_colons(struct bytes in, char *out)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < in.len; i++) {
		if (i > 0)
			*out++ = ':';
		*out++ = digits[in.data[i] >> 4];
		*out++ = digits[in.data[i] & 15];
	}
	*out = '\0';
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int
hex_decode(const char *in, uint8_t *out, size_t cap)
{
	size_t n = strlen(in) / 2;

	if (strlen(in) % 2 != 0 || n > cap || n > INT32_MAX)
		return -1;
	for (size_t i = 0; i < n; i++) {
		int hi = hex_value(in[2 * i]), lo = hex_value(in[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return -1;
		out[i] = (uint8_t)(hi << 4 | lo);
	}
	return (int)n;
}

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int
base64_encode(struct bytes in, size_t line_len, struct buf *out)
{
	size_t column = 0;

	for (size_t i = 0; i < in.len; i += 3) {
		size_t left = in.len - i;
		uint32_t v = (uint32_t)in.data[i] << 16 |
		    (left > 1 ? (uint32_t)in.data[i + 1] << 8 : 0) |
		    (left > 2 ? (uint32_t)in.data[i + 2] : 0);
		char four[4] = { alphabet[v >> 18], alphabet[v >> 12 & 63],
			left > 1 ? alphabet[v >> 6 & 63] : '=',
			left > 2 ? alphabet[v & 63] : '=' };

		if (line_len != 0 && column + 4 > line_len) {
			buf_append_str(out, "\r\n");
			column = 0;
		}
		buf_append(out, four, sizeof(four));
		column += 4;
	}
	return out->failed ? -1 : 0;
}

int
base64_decode(struct bytes in, struct buf *out)
{
	uint32_t v = 0;
	unsigned int have = 0, pad = 0;

	for (size_t i = 0; i < in.len; i++) {
		uint8_t c = in.data[i];
		const char *at;

		if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
			continue;
		if (c == '=') {
			if (have < 2 || ++pad > 4 - have)
				return -1;
			continue;
		}
		at = c == '\0' ? NULL : strchr(alphabet, c);
		if (at == NULL || pad > 0)
			return -1;
		v = v << 6 | (uint32_t)(at - alphabet);
		if (++have == 4) {
			uint8_t three[3] = { (uint8_t)(v >> 16),
				(uint8_t)(v >> 8), (uint8_t)v };

			buf_append(out, three, 3);
			have = 0;
			v = 0;
		}
	}
	if (have == 0)
		return pad > 0 || out->failed ? -1 : 0;
	/* The bits that padding leaves over must be zero (RFC 4648, 3.5). */
	if (have == 1 || have + pad != 4 ||
	    (v & (have == 2 ? 0xfu : 0x3u)) != 0)
		return -1;
	v <<= 6 * (4 - have);
	uint8_t tail[2] = { (uint8_t)(v >> 16), (uint8_t)(v >> 8) };
	return buf_append(out, tail, have - 1);
}
