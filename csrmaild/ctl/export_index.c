/*
 * export index: what an ocspd needs on a machine where csrmaild is not, in one
 * file, while the daemon runs. Always whole: written beside FILE, then put in
 * its place by rename, so that what carries it away (rsync, scp) never finds
 * half of one.
 */
#include "csrmaild/ctl/ctl.h"
#include "csrmaild/settings.h"

#include "common/clock.h"
#include "common/err.h"
#include "common/index_seal.h"
#include "common/owned.h"
#include "common/store.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <string.h>

static int
check_folder(struct ctl *ctl, const char *path, struct err *err)
{
	OWNED_HEAP(char) *copy = strdup(path);
	OWNED_FD folder = copy == NULL ? -1 : open(dirname(copy), O_RDONLY |
	    O_DIRECTORY | O_CLOEXEC);

	return folder >= 0 ? 0 : ctl_fail(ctl, EX_CANTCREAT, err, "%s: %s",
	    path, strerror(errno));
}

/* Nothing but an index is replaced by one: a slip of the hand shall not cost
 * the store. */
static int
check_place(struct ctl *ctl, const char *path, struct err *err)
{
	OWNED_STRUCT(index_check) *check = NULL;
	OWNED_FD fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK |
	    O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return check_folder(ctl, path, err);
	if (fd < 0)
		return ctl_fail(ctl, EX_CANTCREAT, err, "%s: %s", path,
		    strerror(errno));
	if (index_check_new(fd, &check, err) == -1)
		return ctl_fail(ctl, EX_CANTCREAT, err, "%s is there already, "
		    "and no index: it is not replaced", path);
	return 0;
}

static int
rename_durably(struct ctl *ctl, const char *from, const char *to,
    struct err *err)
{
	OWNED_HEAP(char) *copy = strdup(to);
	OWNED_FD folder = copy == NULL ? -1 : open(dirname(copy), O_RDONLY |
	    O_DIRECTORY | O_CLOEXEC);

	if (folder < 0 || rename(from, to) == -1 || fsync(folder) == -1)
		return ctl_fail(ctl, EX_CANTCREAT, err, "%s: %s", to,
		    strerror(errno));
	return 0;
}

static void
tell(const struct ctl *ctl, const char *path,
    const struct store_index_facts *facts)
{
	char when[32] = "";
	struct tm tm;

	if (gmtime_r(&facts->at, &tm) != NULL)
		strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
	if (ctl->json) {
		json_t *o = json_pack("{ss,sI,sI,sI}", "time", when,
		    "change", (json_int_t)facts->change, "certificates",
		    (json_int_t)facts->statuses, "revoked",
		    (json_int_t)facts->revoked);

		table_print_json(o);
		json_decref(o);
	} else
		printf("%s: %llu certificates, %llu revoked, as of %s "
		    "(change %llu)\n", path,
		    (unsigned long long)facts->statuses,
		    (unsigned long long)facts->revoked, when,
		    (unsigned long long)facts->change);
}

int
ctl_export_index(struct ctl *ctl, struct err *err)
{
	OWNED_STRUCT(store) *store = NULL;
	struct store_index_facts facts;
	char from[PATH_MAX + 16], aside[PATH_MAX];
	const char *path = ctl->args[0];

	snprintf(from, sizeof(from), "%s/store.db", ctl->settings->state_dir);
	if (strcmp(path, "-") == 0)
		return ctl_fail(ctl, EX_USAGE, err, "an index is a file, put "
		    "in its place as a whole: name one, and carry it");
	if (snprintf(aside, sizeof(aside), "%s.%ld.new", path,
	    (long)getpid()) >= (int)sizeof(aside))
		return ctl_fail(ctl, EX_USAGE, err, "%s: the name is too long",
		    path);
	if (check_place(ctl, path, err) == -1 ||
	    store_open(from, STORE_READ_ONLY, &store, err) == -1 ||
	    store_export_index(store, aside, clock_now(), &facts, err) == -1)
		return -1;
	if (rename_durably(ctl, aside, path, err) == -1) {
		unlink(aside);
		return -1;
	}
	tell(ctl, path, &facts);
	return 0;
}
