#ifndef CSRMAILD_CTL_BACKUP_FILE_H
#define CSRMAILD_CTL_BACKUP_FILE_H

#include "common/bytes.h"

#include <stdint.h>
#include <time.h>

struct err;

/*
 * A backup: a tar, compressed with zstd. The last member is "manifest", text:
 *
 *	csrmail backup 1
 *	program VERSION
 *	time UNIX-SECONDS
 *	change NUMBER
 *	SHA256 OCTETS NAME
 *	...
 *
 * with a line for each other member, in their order; one is "store.db", and no
 * name comes twice or is below a file's. What does not agree with it to the
 * octet is refused as a whole. It shows damage, not malice: who
 * can write the file can write the manifest.
 */
#define BACKUP_MEMBERS_MAX	100000
#define BACKUP_NAME_MAX	255

struct backup_facts {
	time_t		 time;
	uint64_t	 change;	/* the store's */
	char		 program[64];
	unsigned int	 members;
	uint64_t	 octets;
};

/* --- writing --- */
struct backup_writer;
/* To fd, borrowed. */
int	backup_create(int fd, struct backup_writer **out, struct err *);
/* name: no part of it begins with a dot. As much as the file has now; one that
 * grows meanwhile is cut there. fd borrowed. */
int	backup_add_file(struct backup_writer *, const char *name, int fd,
	    struct err *);
int	backup_add_bytes(struct backup_writer *, const char *name,
	    struct bytes, struct err *);
/* The manifest, and the end. */
int	backup_close(struct backup_writer *, time_t now, uint64_t change,
	    struct err *);
void	backup_free(struct backup_writer *);

/* --- reading --- */
/*
 * Check all of it. dir: also unpack into this folder (0700, empty), files
 * 0600; NULL: check only. What was unpacked of one that is refused is
 * worthless.
 */
int	backup_read(int fd, const char *dir, struct backup_facts *,
	    struct err *);

#endif
