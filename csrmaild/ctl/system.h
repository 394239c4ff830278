#ifndef CSRMAILD_CTL_SYSTEM_H
#define CSRMAILD_CTL_SYSTEM_H

#include "common/bytes.h"

#include <stdbool.h>
#include <sys/types.h>

struct ctl;
struct err;

/*
 * Users, folders and files for `csrmail init`. Nothing here replaces what is
 * there: what exists keeps its content, and a folder gets the owner and mode
 * that the daemons need.
 */

/* Groups and users of the roles, made when missing (root only). *made counts
 * those that were. */
int	system_make_users(struct ctl *, unsigned int *made, struct err *);

/* user and group "" leave the owner alone (unprivileged mode). Parents are
 * made with mode 0755. */
int	system_make_folder(struct ctl *, const char *path, const char *user,
	    const char *group, mode_t, struct err *);
/* A new file, fsynced. One that holds just this stays; EX_CANTCREAT when
 * there is another. */
int	system_make_file(struct ctl *, const char *path, struct bytes, mode_t,
	    struct err *);
/* Every file in a folder, itself left out, to that owner; modes stay. Names
 * that do not begin with prefix are passed over; "" is all. */
int	system_give_files(struct ctl *, const char *folder,
	    const char *prefix, const char *user, const char *group,
	    struct err *);

#endif
