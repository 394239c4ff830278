#ifndef OCSPD_SNAPSHOT_H
#define OCSPD_SNAPSHOT_H

#include "common/store.h"
#include "ocspd/answers.h"
#include "ocspd/authority.h"

#include <sys/stat.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct err;

/*
 * What the responder knows: the store as it was read last, and the CAs that it
 * answers for.
 *
 * Following the store means a new read transaction. What has changed since the
 * one before is forgotten from the table of answers before anything else is
 * said. Signs nothing and makes no key.
 */
struct snapshot {
	const char		*path;		/* borrowed */
	struct store		*store;		/* owned */
	struct stat		 file;		/* as it was opened */
	struct answers		*answers;	/* borrowed */
	const struct key_places	*places;	/* borrowed */
	struct authority	**authorities;	/* owned */
	size_t			 n_authorities;
	uint64_t		 change;	/* the table is true up to it */
	bool			 taken;
	time_t			 read_at;	/* Unix seconds; never back */
	int64_t			 read_at_ms;	/* monotonic */
};

/* answers and places must stay; path too. */
int	snapshot_open(struct snapshot *, const char *path, struct answers *,
	    const struct key_places *, struct err *);
void	snapshot_close(struct snapshot *);

/* ERR_RETRY: the store cannot be read now; ERR_FAULT: nor later. */
int	snapshot_follow(struct snapshot *, struct err *);
/* Taken so lately that it may be answered from. */
bool	snapshot_is_fresh(const struct snapshot *);

/* The CA meant; NULL: none of ours (RFC 6960, 4.1.2). */
struct authority *snapshot_match(const struct snapshot *,
	    const struct cert_id *);
/*
 * 0 found, 1 never issued, -1. A serial that the snapshot does not have may
 * have been issued since: whoever got a certificate by mail asks at once, and
 * "unknown" would be kept. So a new snapshot is taken first; at most one a
 * millisecond, or a flood of invented serials would keep us at it.
 */
int	snapshot_find(struct snapshot *, int64_t ca, const struct serial *,
	    struct status_row *out, struct err *);

#endif
