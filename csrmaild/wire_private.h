#ifndef CSRMAILD_WIRE_PRIVATE_H
#define CSRMAILD_WIRE_PRIVATE_H

#include "csrmaild/wire.h"

/*
 * What the encoders and decoders of csrmaild/wire.h share; one file for each
 * pair of roles.
 */

/* Every send ends here: a payload that did not fit its ceiling is our bug. fd
 * is taken; -1: none. */
int	wire_send_payload(struct channel *, uint16_t type,
	    const struct buf *payload, int fd, struct err *);
/* Every decoder ends here. */
int	wire_finish(const struct frame *, enum wire_type want,
	    const struct cursor *, struct err *);

void	wire_put_octets(struct buf *, const uint8_t *, size_t n);
void	wire_get_octets(struct cursor *, uint8_t *out, size_t n);
void	wire_put_serial(struct buf *, const struct serial *);
/* An empty one (len 0) is allowed: some frames are about no certificate. */
void	wire_get_serial(struct cursor *, struct serial *out);

/* Views borrow from the frame. */
void	wire_put_signature(struct buf *, const struct signature *);
void	wire_get_signature(struct cursor *, struct signature *);

#endif
