#ifndef CSRMAILD_SERIAL_SET_H
#define CSRMAILD_SERIAL_SET_H

#include "common/serial.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Which serials were seen, at eight octets a place: it keeps 64 bits of a
 * keyed digest of each. Two that are taken for one: about once in 100,000
 * imports of ten million.
 */
#define SERIAL_SET_MAX	((size_t)1 << 26)	/* places: 512 MiB */
struct serial_set {
	uint64_t	*places;	/* owned; 0: free */
	size_t		 n_places;	/* a power of two */
	size_t		 n;
	uint8_t		 key[16];
};
#define SERIAL_SET_NONE	((struct serial_set){ 0 })

/* 0: it is new, 1: seen before, -1: no memory, or too many. */
int	serial_set_add(struct serial_set *, const struct serial *);
bool	serial_set_has(const struct serial_set *, const struct serial *);
void	serial_set_free(struct serial_set *);	/* what it holds */

#endif
