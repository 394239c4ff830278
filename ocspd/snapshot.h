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
	struct store		*store;		/* owned; NULL before the first
						 * index is there */
	struct island		*island;	/* owned; NULL: the store is
						 * csrmaild's own */
	int64_t			 max_index_age_s;	/* with it */
	bool			 told_old;	/* the log knows */
	struct stat		 file;		/* as it was opened */
	struct answers		*answers;	/* borrowed */
	const struct key_places	*places;	/* borrowed */
	struct authority	**authorities;	/* owned */
	size_t			 n_authorities;
	struct authority	*dropped;	/* owned, a list */
	uint64_t		 signers;	/* counts what may make other
						 * answers of all: a CA comes,
						 * goes or is compromised, a
						 * key is certified, the past
						 * is another */
	uint64_t		 change;	/* the table is true up to it */
	bool			 taken;
	time_t			 read_at;	/* Unix seconds; never back */
	time_t			 now;		/* by the clock, at the last
						 * look; read_at, but with an
						 * index */
	int64_t			 read_at_ms;	/* monotonic */
};

/* answers and places must stay; path too. */
int	snapshot_open(struct snapshot *, const char *path, struct answers *,
	    const struct key_places *, struct err *);
/* The same for an index in that place (ocspd/island.h), which may come later,
 * and is not answered from when it was read so long ago. */
int	snapshot_open_index(struct snapshot *, const char *path,
	    int64_t max_index_age_s, struct answers *,
	    const struct key_places *, struct err *);
void	snapshot_close(struct snapshot *);

/* ERR_RETRY: the store cannot be read now; ERR_FAULT: nor later. */
int	snapshot_follow(struct snapshot *, struct err *);
/* Following can find that a CA is gone that an answer is just made for: it is
 * not listed from then on, and stays until this is called. */
void	snapshot_forget_dropped(struct snapshot *);
/* A serial as the content of an INTEGER: with a zero in front where the first
 * bit is set. A view of room. */
#define SERIAL_CONTENT_MAX	21
struct bytes serial_content(const struct serial *,
	    uint8_t room[SERIAL_CONTENT_MAX]);
/* Taken so lately that it may be answered from. */
bool	snapshot_is_fresh(const struct snapshot *);

/* NULL: none of ours has that id. */
struct authority *snapshot_authority(const struct snapshot *, int64_t id);
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
