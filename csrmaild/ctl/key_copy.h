#ifndef CSRMAILD_CTL_KEY_COPY_H
#define CSRMAILD_CTL_KEY_COPY_H

#include "common/bytes.h"

#include <stdbool.h>

struct ctl;
struct err;

/*
 * A key of ours as it may leave its folder: never in the clear.
 *
 * keys/FILE that is encrypted goes as it is, and so does one that only names a
 * key in a token (*is_token). An unencrypted one is encrypted under the
 * passphrase in the file that --OPTION names, which is asked for otherwise;
 * an empty passphrase is refused.
 */
int	key_copy(struct ctl *, const char *file, const char *option,
	    struct buf *out, bool *is_token, struct err *);

#endif
