#ifndef CSRMAILD_SAME_KEY_H
#define CSRMAILD_SAME_KEY_H

#include <stdint.h>
#include <time.h>

struct err;
struct profile;
struct store;

/*
 * May this key be certified, or once more, under the profile? With
 * `same_key = no` a key has one certificate at a time, of whatever profile
 * and CA: a renewal needs a new key, too. A certificate counts while it is in
 * force, in the making or on hold. (Keys that are blocked are another matter:
 * store_is_key_blocked.)
 *
 * ERR_REJECT names the certificate that there is.
 */
int	same_key_check(struct store *, const struct profile *,
	    const uint8_t spki_sha256[32], time_t now, struct err *);

#endif
