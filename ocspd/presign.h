#ifndef OCSPD_PRESIGN_H
#define OCSPD_PRESIGN_H

#include "ocspd/answering.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Signing ahead of time (RFC 9919, 7.1), beside the questions: what is held is
 * signed anew before half of its validity is over, each at its own moment; and
 * where it is configured, what was issued is signed before anybody asks, in
 * the order of change numbers, so that what was issued or revoked a moment ago
 * comes last.
 *
 * Done in slices of a millisecond, and for a quarter of the time at most: a
 * question waits for one slice (or one signature), not for the work.
 */
#define PRESIGN_SLICE_US	1000
#define PRESIGN_SHARE_US	25000	/* of each tick of 100 ms */
#define PRESIGN_ROWS		16

struct presign {
	const struct settings	*settings;	/* borrowed, all of them */
	struct answering	*answering;
	struct answers		*answers;
	struct counters		*counters;
	struct request		 request;	/* room for one */
	int64_t			 left_us;	/* of this tick's share */
	size_t			 places;	/* still to look at in it */
	/* The way through what was issued. */
	uint64_t		 signers;	/* of the snapshot, at its begin */
	uint64_t		 from;		/* all up to this was looked at */
	uint64_t		 to;		/* the last one at its begin */
	size_t			 filled;	/* answers, up to there */
	struct status_row	 rows[PRESIGN_ROWS];
	size_t			 n_rows, row;
};

/* A new tick: a new share of the time. */
void	presign_tick(struct presign *);
/* One slice. False: there is nothing to do until the next tick. */
bool	presign_work(struct presign *);

#endif
