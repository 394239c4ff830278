#ifndef CSRMAILD_PRINCIPAL_H
#define CSRMAILD_PRINCIPAL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct err;

/*
 * Who acts: a principal, and the rights that it has.
 *
 * The registrar asks the kernel who connected to its socket, at the moment
 * of the connection (unix(7), SO_PEERCRED and SO_PEERGROUPS), before it hands
 * the descriptor to api. Nothing that comes over the connection can add to
 * it. Rights come from groups; uid 0 and, when the daemon runs unprivileged,
 * its own uid have all of them.
 */
enum right {
	RIGHT_ADMIN	= 1 << 0,	/* csrmail-admin: requests,
					 * revocation */
	RIGHT_SECURITY	= 1 << 1,	/* csrmail-security: CAs, keys,
					 * configuration */
	RIGHT_AUDIT	= 1 << 2,	/* csrmail-audit: reads everything */
};
#define RIGHT_ALL	(RIGHT_ADMIN | RIGHT_SECURITY | RIGHT_AUDIT)

struct principal {
	char		kind[8];	/* "unix"; later x509, token */
	char		name[64];	/* the user's name, or the uid */
	unsigned int	rights;		/* set of enum right */
};
#define PRINCIPAL_TEXT_SIZE	80

/* Which groups give which rights: looked up once, before the walls rise. */
struct right_groups {
	struct {
		enum right	right;
		gid_t		gid;
		bool		known;	/* the group exists */
	}		 groups[3];
	uid_t		 own_uid;	/* (uid_t)-1: nobody but root is above
					 * groups */
};
/* unprivileged: the caller's own uid has all rights. */
void	right_groups_read(struct right_groups *, bool unprivileged);

/* Who sits at the other end of this connected Unix socket. */
int	principal_of_socket(int fd, const struct right_groups *,
	    struct principal *, struct err *);
/* The same from known ids; groups are the supplementary ones. */
void	principal_of_ids(uid_t, gid_t, const gid_t *groups, size_t n,
	    const struct right_groups *, struct principal *);
/* "unix:root", for the audit trail; cut to size. */
void	principal_describe(const struct principal *, char *out, size_t size);

#endif
