#ifndef COMMON_BYTES_H
#define COMMON_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A borrowed run of octets: somebody else owns the memory, and it outlives
 * the view. Pass by value. Not NUL-terminated; an empty view has len 0 and
 * data that must not be read.
 */
struct bytes {
	const uint8_t	*data;
	size_t		 len;
};

/* The octets of a C string, without its NUL. */
struct bytes	bytes_of(const char *);
bool		bytes_equal(struct bytes, struct bytes);
/* ASCII letters match without regard to case; other octets exactly. */
bool		bytes_equal_nocase(struct bytes, const char *);
/* The view from off on, at most len octets; cut to what is there. */
struct bytes	bytes_slice(struct bytes, size_t off, size_t len);
/* First octet of needle in hay, or (size_t)-1. An empty needle is not found. */
size_t		bytes_find(struct bytes hay, struct bytes needle);

/*
 * Octets that we own and that grow, but never past a ceiling.
 *
 * Failure is sticky: once an append did not fit (or memory ran out), `failed`
 * stays set, later appends do nothing, and the one check at the end sees it.
 * buf_str puts a NUL behind the octets; data itself is not a C string.
 */
struct buf {
	uint8_t		*data;	/* NULL while empty */
	size_t		 len;
	size_t		 cap;
	size_t		 max;	/* ceiling on len, octets */
	bool		 failed;
};
#define BUF(ceiling)	((struct buf){ .max = (ceiling) })
/* OWNED_BUF(b, 4096);  a buffer that is freed when its scope ends. */
#define OWNED_BUF(name, ceiling)					\
	__attribute__((cleanup(buf_free))) struct buf name = BUF(ceiling)

int	buf_append(struct buf *, const void *, size_t);
int	buf_append_bytes(struct buf *, struct bytes);
int	buf_append_str(struct buf *, const char *);
int	buf_printf(struct buf *, const char *fmt, ...)
	    __attribute__((format(printf, 2, 3)));
/* Make room for n more octets and return where they go; NULL on failure.
 * The caller adds what it wrote to len. */
uint8_t *buf_reserve(struct buf *, size_t n);
/* Forget the first n octets. */
void	buf_consume(struct buf *, size_t n);
void	buf_clear(struct buf *);	/* keeps the memory and the ceiling */
void	buf_free(struct buf *);		/* safe to repeat */
/* As buf_free, but wipes the octets first: for secrets. */
void	buf_wipe(struct buf *);
struct bytes buf_bytes(const struct buf *);
/* The text, never NULL. Borrowed from the buffer. */
const char *buf_str(const struct buf *);

/* Lower-case hexadecimal; out holds 2 * in.len + 1 octets. */
void	hex_encode(struct bytes in, char *out);
/* "AB:CD:...", as fingerprints are written; out holds 3 * in.len octets, or 1. */
void	hex_encode_colons(struct bytes in, char *out);
/* Any case, even length, no separators. Returns octets written or -1. */
int	hex_decode(const char *in, uint8_t *out, size_t cap);
/* RFC 4648, 4: with padding; line_len 0 for no line breaks, else CRLF. */
int	base64_encode(struct bytes in, size_t line_len, struct buf *out);
/*
 * Strict but for white space, which is skipped: other octets, wrong padding
 * and octets after the padding are refused.
 */
int	base64_decode(struct bytes in, struct buf *out);

#endif
