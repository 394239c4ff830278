#ifndef COMMON_FRAME_H
#define COMMON_FRAME_H

#include "common/bytes.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * What crosses between roles: a header of eight octets, then the payload.
 *
 *	length	u32	payload octets
 *	type	u16	what it is (csrmaild/wire.h, ocspd/wire.h)
 *	version	u8	FRAME_VERSION; anything else ends the peer
 *	fds	u8	descriptors that come along: 0 or 1
 *
 * All numbers big-endian. This file packs and unpacks payload fields; the
 * transport is common/channel.h, the meaning of fields the wire headers'.
 */
#define FRAME_VERSION		1
#define FRAME_HEADER_OCTETS	8

struct frame {
	uint16_t	type;
	struct bytes	payload;	/* borrowed from the channel until its
					 * next call */
	int		fd;		/* a descriptor that came along, or -1;
					 * owned by whoever takes the frame */
};

/* Packing: failure is sticky in the buffer, check buf.failed once. */
void	put_u8(struct buf *, uint8_t);
void	put_u16(struct buf *, uint16_t);
void	put_u32(struct buf *, uint32_t);
void	put_u64(struct buf *, uint64_t);
void	put_time(struct buf *, int64_t);
void	put_bytes(struct buf *, struct bytes);	/* u32 length, octets */
void	put_str(struct buf *, const char *);	/* as put_bytes; no NUL */

/*
 * Unpacking: failure is sticky too. After a failed read every value is zero
 * or empty, so a decoder reads all its fields and then asks cursor_end once.
 */
struct cursor {
	struct bytes	left;
	bool		failed;
};
#define CURSOR(view)	((struct cursor){ .left = (view) })

uint8_t		get_u8(struct cursor *);
uint16_t	get_u16(struct cursor *);
uint32_t	get_u32(struct cursor *);
uint64_t	get_u64(struct cursor *);
int64_t		get_time(struct cursor *);
bool		get_bool(struct cursor *);	/* 0 or 1, else failed */
/* A view into the payload of at most max octets. */
struct bytes	get_bytes(struct cursor *, size_t max);
/* Copies to dst with a NUL; longer than size - 1 or with a NUL inside fails. */
void		get_str(struct cursor *, char *dst, size_t size);
/* A count of elements to follow, at most max. */
uint32_t	get_count(struct cursor *, uint32_t max);
/* An enum's value within lo..hi; else failed and lo. */
uint8_t		get_enum(struct cursor *, uint8_t lo, uint8_t hi);
/* True when nothing failed and nothing is left over. */
bool		cursor_end(const struct cursor *);

#endif
