#ifndef CSRMAILD_UPLOAD_H
#define CSRMAILD_UPLOAD_H

#include <stdbool.h>
#include <stddef.h>

/*
 * A body that nobody here reads: octets on their way into a memfd, which is
 * sealed and handed on as a descriptor. So a mail as long as a mailbox takes
 * costs no frame, no JSON and no second copy.
 *
 * *total counts the octets of all uploads that are open, for their common
 * limit, which the caller keeps.
 */
struct upload {
	int		 fd;		/* owned; -1: none is open */
	size_t		 len;
};
#define UPLOAD_NONE	((struct upload){ .fd = -1 })

bool	upload_is_open(const struct upload *);
/* The first piece opens it. -1: there is no room. */
int	upload_append(struct upload *, const void *, size_t, size_t *total);
/* Nobody can change it any more: the descriptor, the caller's; -1. It is not
 * open afterwards. */
int	upload_seal(struct upload *, size_t *total);
void	upload_drop(struct upload *, size_t *total);

#endif
