#ifndef COMMON_INDEX_SEAL_H
#define COMMON_INDEX_SEAL_H

#include "common/owned.h"

#include <stdbool.h>
#include <stddef.h>

struct err;

/*
 * The last octets of an exported index (common/store.h): whether what stands
 * before them is whole, and as it was written.
 *
 *	"csrmail index 1\n"	16 octets
 *	octets before the seal	u64, big-endian
 *	SHA-256 of these	32 octets
 *
 * A digest finds what a bad copy did; it is no signature, and does not say who
 * wrote the file.
 */
#define INDEX_SEAL_OCTETS	56

/* Put a seal behind what the file has, and both onto the disk. */
int	index_seal_add(int fd, struct err *);

/* Looking at a large file takes a while: this does it piece by piece. */
struct index_check;
/* The file's length and the form of its seal are looked at here. fd is
 * borrowed. ERR_FAULT: no index, or torn. */
int	index_check_new(int fd, struct index_check **out, struct err *);
void	index_check_free(struct index_check *);
OWNED_STRUCT_BY(index_check, index_check_free)
/* Look at so many octets more. 0: whole; 1: not at the end yet; -1: torn
 * (ERR_FAULT), or not readable (ERR_RETRY). */
int	index_check_go_on(struct index_check *, size_t octets, struct err *);

#endif
