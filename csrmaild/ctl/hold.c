#include "csrmaild/ctl/hold.h"

#include "csrmaild/ctl/ctl.h"
#include "csrmaild/ctl/system.h"
#include "csrmaild/settings.h"
#include "csrmaild/state_lock.h"

#include "common/clock.h"
#include "common/err.h"
#include "common/privsep.h"
#include "common/store.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define REGISTRAR_USER	"csrmail"
#define SIGNER_USER	"csrmail-sign"

static const char *
user_of(const struct ctl *ctl, const char *user)
{
	return ctl->settings->unprivileged ? "" : user;
}

static int
find_owners(const struct ctl *ctl, struct ceremony *out, struct err *err)
{
	struct identity signer, registrar;

	if (privsep_find_identity(user_of(ctl, SIGNER_USER), &signer,
	    err) != 0 || privsep_find_identity(user_of(ctl, REGISTRAR_USER),
	    &registrar, err) != 0)
		return -1;
	out->sign_uid = signer.uid;
	out->sign_gid = signer.gid;
	out->store_uid = registrar.uid;
	out->store_gid = registrar.gid;
	return 0;
}

/* One that runs listens until it is told to stop. */
static bool
daemon_runs(const struct ctl *ctl)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	OWNED_FD fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return ctl->folder == NULL && fd >= 0 &&
	    snprintf(at.sun_path, sizeof(at.sun_path), "%s/api.sock",
	    ctl->settings->run_dir) < (int)sizeof(at.sun_path) &&
	    connect(fd, (const struct sockaddr *)&at, sizeof(at)) == 0;
}

static int
take_lock(struct ctl *ctl, int *out, struct err *err)
{
	char holder[STATE_LOCK_HOLDER_SIZE];

	errno = 0;
	*out = state_lock_take(ctl->settings->state_dir, daemon_runs(ctl) ?
	    0 : STATE_LOCK_PATIENCE_MS, state_lock_tell, holder, err);
	if (*out >= 0)
		return 0;
	if (err->kind == ERR_RETRY)
		return ctl_fail(ctl, EX_TEMPFAIL, err, "%s is in use: by "
		    "csrmaild, which has to be stopped for a ceremony, or by "
		    "another csrmail (%s)", ctl->settings->state_dir, holder);
	ctl->exit_code = errno == EACCES ? EX_NOPERM : EX_CANTCREAT;
	return -1;
}

int
hold_take(struct ctl *ctl, struct hold *hold, struct err *err)
{
	struct right_groups nobody = { .own_uid = (uid_t)-1 };
	struct principal who;
	struct stat st;

	hold->ctl = ctl;
	/* Files of another user's, root's too, would stop its owner later. */
	if (ctl->settings->unprivileged &&
	    stat(ctl->settings->state_dir, &st) == 0 &&
	    st.st_uid != geteuid())
		return ctl_fail(ctl, EX_NOPERM, err, "%s belongs to another "
		    "user, who alone works in it", ctl->settings->state_dir);
	if (!ctl->settings->unprivileged && geteuid() != 0)
		return ctl_fail(ctl, EX_NOPERM, err, "ceremonies are for root "
		    "here, or for the one user of an unprivileged system");
	principal_of_ids(getuid(), getgid(), NULL, 0, &nobody, &who);
	principal_describe(&who, hold->who, sizeof(hold->who));
	hold->ceremony = (struct ceremony){
		.state_dir = ctl->settings->state_dir,
		.principal = hold->who, .now = clock_now() };
	if (take_lock(ctl, &hold->lock, err) != 0)
		return -1;
	return find_owners(ctl, &hold->ceremony, err);
}

int
hold_open(struct ctl *ctl, struct hold *hold, struct err *err)
{
	OWNED_BUF(path, 4200);

	buf_printf(&path, "%s/store.db", ctl->settings->state_dir);
	if (hold_take(ctl, hold, err) != 0 ||
	    store_open(buf_str(&path), STORE_READ_WRITE, &hold->store,
	    err) != 0)
		return -1;
	hold->ceremony.store = hold->store;
	return 0;
}

void
hold_close(struct hold *hold)
{
	struct ctl *ctl = hold->ctl;
	const char *owner;
	struct err ignored;

	store_free(hold->store);
	if (hold->lock < 0)
		return;
	owner = user_of(ctl, REGISTRAR_USER);
	system_give_files(ctl, ctl->settings->state_dir, "store.db", owner,
	    owner, &ignored);
	system_give_files(ctl, ctl->settings->state_dir, "lock", owner, owner,
	    &ignored);
	close(hold->lock);
}
