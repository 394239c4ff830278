#ifndef CSRMAILD_MUTF7_H
#define CSRMAILD_MUTF7_H

#include "common/bytes.h"

struct err;

/*
 * Modified UTF-7, in which IMAP writes names of folders (RFC 3501, 5.1.3);
 * servers of RFC 9051 take it from a client that has not enabled anything else.
 */
#define MUTF7_MAX	1024	/* octets of an encoded name */

/* utf8 appended to out. ERR_FAULT for what is no UTF-8, holds a control
 * character, is empty or too long. */
int	mutf7_encode(const char *utf8, struct buf *out, struct err *);

#endif
