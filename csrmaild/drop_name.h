#ifndef CSRMAILD_DROP_NAME_H
#define CSRMAILD_DROP_NAME_H

#include "csrmaild/wire.h"

#include <stdbool.h>

/*
 * What files in a drop folder are called (RFC 10003, section 4).
 *
 * A name is any octets but "/" and NUL, and says nothing that must be
 * believed: which of two readers gets the file, and what its answers are
 * called.
 */

/* .p10, .csr, .crq, .req, .pem, .der in any case: one or more CSRs. Everything
 * else is a message. */
bool	drop_is_csr(const char *name);
/* Hidden files, and those that somebody still writes (.tmp, .part), are not
 * looked at. */
bool	drop_is_ignored(const char *name);
/*
 * The name as it travels, is shown and is given to answers: UTF-8 without
 * control characters, "/" and a dot in front, cut before its ending to
 * WIRE_MAX_FILE octets. "file" when nothing is left.
 */
void	drop_plain_name(const char *name, char out[WIRE_MAX_FILE + 1]);
/* A plain name without the ending of a CSR or a message: what endings of
 * answers are put behind. */
void	drop_stem(const char *plain, char out[WIRE_MAX_FILE + 1]);

#endif
