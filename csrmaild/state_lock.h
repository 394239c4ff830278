#ifndef CSRMAILD_STATE_LOCK_H
#define CSRMAILD_STATE_LOCK_H

#include <stddef.h>

struct err;

/*
 * The lock of a state_dir: one set of roles, one desk or one ceremony works
 * in it at a time (flock(2) on the file "lock", which is never removed). Gone
 * with the last process that has the descriptor, however it ends.
 *
 * Who holds it is what the kernel says, where it does (/proc/locks); it is for
 * people only.
 */
#define STATE_LOCK_PATIENCE_MS	10000	/* for one who is about to end */
#define STATE_LOCK_HOLDER_SIZE	64

/* Called once, when another has had it for a second: "csrmail, process 12", or
 * "another process". */
typedef void state_lock_waiting(const char *state_dir, const char *holder);
/* On standard error, for a person who waits. */
state_lock_waiting state_lock_tell;

/*
 * The descriptor (owned). ERR_FAULT: the file cannot be opened. ERR_RETRY:
 * another had it all of patience_ms (0: now); then holder says who.
 */
int	state_lock_take(const char *state_dir, int patience_ms,
	    state_lock_waiting *, char holder[STATE_LOCK_HOLDER_SIZE],
	    struct err *);

#endif
