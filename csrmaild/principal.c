#include "csrmaild/principal.h"

#include "common/err.h"
#include "common/owned.h"

#include <sys/socket.h>

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char	*name;
	enum right	 right;
} named_groups[] = {
	{ "csrmail-admin",	RIGHT_ADMIN },
	{ "csrmail-security",	RIGHT_SECURITY },
	{ "csrmail-audit",	RIGHT_AUDIT },
};

void
right_groups_read(struct right_groups *rg, bool unprivileged)
{
	for (size_t i = 0; i < 3; i++) {
		const struct group *group = getgrnam(named_groups[i].name);

		rg->groups[i].right = named_groups[i].right;
		rg->groups[i].known = group != NULL;
		rg->groups[i].gid = group == NULL ? 0 : group->gr_gid;
	}
	rg->own_uid = unprivileged ? geteuid() : (uid_t)-1;
}

static unsigned int
rights_of_group(gid_t gid, const struct right_groups *rg)
{
	unsigned int rights = 0;

	for (size_t i = 0; i < 3; i++)
		if (rg->groups[i].known && rg->groups[i].gid == gid)
			rights |= rg->groups[i].right;
	return rights;
}

void
principal_of_ids(uid_t uid, gid_t gid, const gid_t *groups, size_t n,
    const struct right_groups *rg, struct principal *out)
{
	/* Behind the walls the user database may be out of reach: then the
	 * number names the user. */
	const struct passwd *user = getpwuid(uid);

	*out = (struct principal){ .kind = "unix" };
	if (user != NULL)
		snprintf(out->name, sizeof(out->name), "%s", user->pw_name);
	else
		snprintf(out->name, sizeof(out->name), "%lu",
		    (unsigned long)uid);
	if (uid == 0 || (rg->own_uid != (uid_t)-1 && uid == rg->own_uid)) {
		out->rights = RIGHT_ALL;
		return;
	}
	out->rights = rights_of_group(gid, rg);
	for (size_t i = 0; i < n; i++)
		out->rights |= rights_of_group(groups[i], rg);
}

int
principal_of_socket(int fd, const struct right_groups *rg,
    struct principal *out, struct err *err)
{
	OWNED_HEAP(gid_t) *groups = NULL;
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0)
		return err_errno(err, ERR_FAULT, "asking who connected");
	/* The first call says how much room is needed (ERANGE). */
	len = 0;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &len) != 0 &&
	    errno != ERANGE)
		return err_errno(err, ERR_FAULT, "asking for the groups");
	groups = malloc(len + sizeof(*groups));
	if (groups == NULL)
		return err_errno(err, ERR_RETRY, "asking for the groups");
	if (len > 0 &&
	    getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) != 0)
		return err_errno(err, ERR_FAULT, "asking for the groups");
	principal_of_ids(cred.uid, cred.gid, groups, len / sizeof(*groups), rg,
	    out);
	return 0;
}

void
principal_describe(const struct principal *who, char *out, size_t size)
{
	snprintf(out, size, "%s:%s", who->kind, who->name);
}
