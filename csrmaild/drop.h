#ifndef CSRMAILD_DROP_H
#define CSRMAILD_DROP_H

#include "common/bytes.h"
#include "common/owned.h"
#include "csrmaild/wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

struct err;
struct mailbox_settings;

/*
 * A folder that is a mailbox: what lies in it, what is whole, and where it is
 * moved. Reads no content but as octets, and knows nothing of requests.
 *
 * Whoever may write into the folder may put anything there, at any moment:
 * links, pipes, files that grow, another file under the same name. So a file
 * is opened without following links and without waiting, must be a regular one
 * with one name, and is taken when nothing about it has changed between two
 * looks, DROP_SETTLE_MS apart, and while it was read; or at once when it was
 * renamed into its place. What is moved is the file that was read, or nothing.
 * What is not taken stays where it is, and drop_refused says why.
 */
#define DROP_SETTLE_MS	1000
#define DROP_MAX_NAME	255
#define DROP_MAX_SEEN	1024	/* files that are watched at one time; more
				 * have their turn when these are moved */

struct drop_file {
	char		 name[DROP_MAX_NAME + 1];	/* as it is: any octets */
	struct stat	 st;		/* at the look that found it whole */
};

struct drop;
/* Before the walls: makes the folders below the inbox that are missing. What
 * goes wrong drop_open will say. */
void	drop_prepare(const struct mailbox_settings *);
/* Opens the inbox and its folders. ERR_RETRY: an administrator can mend it
 * while we run. */
int	drop_open(const struct mailbox_settings *, struct drop **,
	    struct err *);
void	drop_free(struct drop *);
OWNED_STRUCT_BY(drop, drop_free)

/* Readable when something has happened in the folder (inotify); -1: nobody
 * will tell, look now and then. */
int	drop_fd(const struct drop *);
/*
 * Look at what is there: the files that are whole, at most max. *settling:
 * there are others that may be whole after DROP_SETTLE_MS.
 */
int	drop_look(struct drop *, int64_t now_ms, struct drop_file *, size_t max,
	    size_t *n, bool *settling, struct err *);
/*
 * The octets of a file, at most `limit` of them; its st says how many it has.
 * 0, or 1: it is not what it was at the look; it will be looked at again.
 */
int	drop_read(struct drop *, const struct drop_file *, size_t limit,
	    struct buf *out, struct err *);
/* What tells a file from every later one: its name, and when the file system
 * last changed anything about it, which nobody can set. */
void	drop_put_place(const struct drop_file *, struct buf *out);
/* Into that folder, under its name, or with a number behind it when there is
 * one already. 1: another file has its name now, which stays. */
int	drop_move(struct drop *, const struct drop_file *, enum outcome,
	    struct err *);
/* rename(2) that replaces nothing: EEXIST. */
int	drop_rename(int from, const char *name, int to, const char *new_name);
/* One file that is not taken, and why; "": none at the last look. */
const char *drop_refused(const struct drop *);

#endif
