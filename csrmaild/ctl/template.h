#ifndef CSRMAILD_CTL_TEMPLATE_H
#define CSRMAILD_CTL_TEMPLATE_H

#include "common/bytes.h"

#include <stdbool.h>
#include <stddef.h>

struct err;

/*
 * The configuration as it is shipped, with chosen values in it. Comments and
 * order stay, so that what `csrmail init` writes explains itself.
 *
 * The files are embedded in the program at build time: init works from any
 * folder, and never with files of another version.
 */
struct template_file {
	const char	*path;		/* "conf/csrmaild.conf"; NULL ends */
	const uint8_t	*data;
	size_t		 len;
};
extern const struct template_file template_files[];
/* Empty when there is none. */
struct bytes	template_find(const char *path);

/* One value. Text is quoted when it is put in; a number or word is not. */
struct fill {
	const char	*section;	/* "", "smtp", "mailbox.imap" */
	const char	*key;		/* NULL: the section's title */
	const char	*value;		/* NULL: leave it as it is */
	bool		 quoted;
};
/*
 * Replace the line of each key, also where it is commented out. ERR_FAULT
 * when a key is not in the template, ERR_REJECT for a value that cannot stand
 * in a configuration file.
 */
int	template_fill(struct bytes text, const struct fill *, size_t n,
	    struct buf *out, struct err *);
/* Every `from` becomes `to`. */
int	template_replace(struct bytes text, const char *from, const char *to,
	    struct buf *out, struct err *);

#endif
