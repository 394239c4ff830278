#include "csrmaild/ctl/alone.h"

#include "csrmaild/ctl/ctl.h"
#include "csrmaild/ctl/passphrase.h"
#include "csrmaild/desk.h"
#include "csrmaild/settings.h"

#include "common/err.h"

#include <sys/stat.h>

#include <stdlib.h>
#include <unistd.h>

static int
find_passphrase(void *arg, const char *ca, struct buf *out, struct err *err)
{
	return passphrase_obtain(arg, ca, "passphrase-file", false, out, err);
}

bool
alone_is_fit(struct ctl *ctl)
{
	struct err ignored;
	struct stat st;

	if (!ctl->may_be_alone || ctl->socket != NULL ||
	    ctl_need_settings(ctl, &ignored) != 0)
		return false;
	if (!ctl->settings->unprivileged)
		return geteuid() == 0;
	return stat(ctl->settings->state_dir, &st) == 0 &&
	    st.st_uid == geteuid();
}

int
alone_call(struct ctl *ctl, const char *method, const char *path,
    const json_t *args, uint16_t *status, struct buf *answer,
    struct err *err)
{
	int before = ctl->exit_code;
	char *json;
	int r;

	if (!ctl->may_be_alone)
		return ctl_fail(ctl, EX_USAGE, err, "this needs the daemon: "
		    "in a folder of its own it makes no sense");
	if (ctl_need_settings(ctl, err) != 0)
		return -1;
	if (ctl->desk == NULL && desk_open(ctl->settings, find_passphrase,
	    ctl, &ctl->desk, err) != 0)
		return -1;
	json = args == NULL ? NULL : json_dumps(args, JSON_COMPACT);
	if (args != NULL && json == NULL)
		return err_set(err, ERR_FAULT, "out of memory");
	r = desk_call(ctl->desk, method, path,
	    bytes_of(json == NULL ? "{}" : json), status, answer, err);
	free(json);
	/* A key that needs no passphrase was asked for one all the same. */
	if (r == 0)
		ctl->exit_code = before;
	return r;
}

void
alone_end(struct ctl *ctl)
{
	desk_free(ctl->desk);
	ctl->desk = NULL;
}
